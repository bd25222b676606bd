//! Asking twice is asking once, for a while and in memory (AIP-155).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;

use super::status::{Reason, fault, invalid_for};
use crate::types::{Caller, Moment, RequestId};

/// Answers kept at most; of more the oldest that has been given goes.
const KEPT_MAX: usize = 16_384;

/// Who asks under which name.
type Key = (Caller, RequestId);

/// What was asked lately, and the answers.
#[derive(Debug)]
pub(super) struct Once<B, A> {
    kept: Mutex<HashMap<Key, Asked<B, A>>>,
    lasts: Duration,
    kept_max: usize,
}

#[derive(Debug)]
struct Asked<B, A> {
    body: B,
    since: Moment,
    /// `None` until it is there.
    answer: watch::Receiver<Option<A>>,
}

impl<B, A> Once<B, A>
where
    B: PartialEq + Send + 'static,
    A: Clone + Send + Sync + 'static,
{
    /// Nothing asked yet. Answers are kept so long.
    pub(super) fn new(lasts: Duration) -> Arc<Self> {
        Self::with_room(lasts, KEPT_MAX)
    }

    fn with_room(lasts: Duration, kept_max: usize) -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            lasts,
            kept_max,
        })
    }

    /// The answer to a request: of the one before under this name, or by beginning anew.
    ///
    /// What is begun runs to its end though nobody waits for it any more. `is_kept` says of an
    /// answer whether it is given again later; one that left no trace need not be, and can be
    /// asked for anew.
    pub(super) async fn ask<W>(
        self: &Arc<Self>,
        (key, body): (Key, B),
        now: Moment,
        begin: impl FnOnce(&B) -> Result<W, Status> + Send,
        is_kept: fn(&A) -> bool,
    ) -> Result<A, Status>
    where
        W: Future<Output = A> + Send + 'static,
    {
        let mut answer = self.known_or_begun((key, body), now, begin, is_kept)?;
        let there = answer.wait_for(Option::is_some).await;
        let answer = there.ok().and_then(|answer| answer.clone());
        answer.ok_or_else(|| fault(Reason::Internal))
    }

    fn known_or_begun<W>(
        self: &Arc<Self>,
        (key, body): (Key, B),
        now: Moment,
        begin: impl FnOnce(&B) -> Result<W, Status>,
        is_kept: fn(&A) -> bool,
    ) -> Result<watch::Receiver<Option<A>>, Status>
    where
        W: Future<Output = A> + Send + 'static,
    {
        let mut kept = self.lock();
        kept.retain(|_, asked| now.since(asked.since) < self.lasts || asked.is_open());
        if let Some(asked) = kept.get(&key) {
            return if asked.body == body {
                Ok(asked.answer.clone())
            } else {
                let what = "was used for another request";
                Err(invalid_for(Reason::RequestIdReused, "request_id", what))
            };
        }
        if kept.len() >= self.kept_max && !forget_oldest(&mut kept) {
            return Err(fault(Reason::QueueFull));
        }
        let work = begin(&body)?;
        let (sender, answer) = watch::channel(None);
        let asked = Asked {
            body,
            since: now,
            answer: answer.clone(),
        };
        kept.insert(key.clone(), asked);
        drop(kept);
        let once = Arc::clone(self);
        tokio::spawn(async move {
            let answer = work.await;
            if !is_kept(&answer) {
                once.lock().remove(&key);
            }
            sender.send_replace(Some(answer));
        });
        Ok(answer)
    }

    /// Each step under the lock leaves the map whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Asked<B, A>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B, A> Asked<B, A> {
    /// Whether its answer is still to come.
    fn is_open(&self) -> bool {
        self.answer.borrow().is_none() && self.answer.has_changed().is_ok()
    }
}

/// Makes room for one; `false` where everything is still waited for.
fn forget_oldest<B, A>(kept: &mut HashMap<Key, Asked<B, A>>) -> bool {
    let given = kept.iter().filter(|(_, asked)| !asked.is_open());
    let oldest = given.min_by_key(|(_, asked)| asked.since);
    let oldest = oldest.map(|(key, _)| key.clone());
    oldest.is_some_and(|key| kept.remove(&key).is_some())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tonic_types::StatusExt as _;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn key(id: &str) -> Key {
        let caller = Caller::Operator("a".into());
        (caller, RequestId::parse(id).unwrap())
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    /// Asks with work that answers at once; even answers are kept.
    async fn ask(once: &Arc<Once<u8, u8>>, id: &str, body: u8, now: u64) -> Result<u8, String> {
        static COUNT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
        let begin = |body: &u8| {
            let body = *body;
            // The tens tell one run of the work from the next.
            let run = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 12;
            Ok(async move { run * 20 + body })
        };
        once.ask((key(id), body), at(now), begin, |answer| answer % 2 == 0)
            .await
            .map_err(|status| status.get_details_error_info().unwrap().reason)
    }

    #[tokio::test]
    async fn the_same_request_has_the_same_answer_for_an_hour() {
        let once = Once::new(HOUR);
        let first = ask(&once, "x", 2, 0).await;
        assert_eq!(ask(&once, "x", 2, 3_599).await, first);
        let other = ask(&once, "x", 4, 3_599).await;
        assert_eq!(other, Err("REQUEST_ID_REUSED".to_owned()));
        assert_ne!(ask(&once, "x", 2, 3_600).await, first);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_kept_can_be_asked_for_anew() {
        let once = Once::new(HOUR);
        let first = ask(&once, "x", 1, 0).await;
        assert_ne!(ask(&once, "x", 1, 0).await, first);
    }

    #[tokio::test]
    async fn who_asks_while_the_answer_is_on_its_way_gets_the_same() {
        let once = Once::<u8, u8>::new(HOUR);
        let (send, work) = oneshot::channel::<u8>();
        let begin = |_: &u8| Ok(async move { work.await.unwrap() });
        let first = once.ask((key("x"), 1), at(0), begin, |_| false);
        let never = |_: &u8| Err::<std::future::Ready<u8>, _>(Status::ok("begun twice"));
        let second = once.ask((key("x"), 1), at(9_999), never, |_| false);
        let answer = async {
            tokio::task::yield_now().await;
            send.send(7).unwrap();
        };
        let (first, second, ()) = tokio::join!(first, second, answer);
        assert_eq!((first.unwrap(), second.unwrap()), (7, 7));
    }

    #[tokio::test]
    async fn what_was_begun_ends_though_nobody_waits() {
        let once = Once::<u8, u8>::new(HOUR);
        let (send, work) = oneshot::channel::<u8>();
        let begin = |_: &u8| Ok(async move { work.await.unwrap() });
        let asked = once.ask((key("x"), 1), at(0), begin, |_| true);
        let gone = tokio::time::timeout(Duration::from_millis(1), asked).await;
        assert!(gone.is_err());
        send.send(8).unwrap();
        assert_eq!(ask(&once, "x", 1, 0).await, Ok(8));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_oldest_answer_goes_first() {
        let once = Once::with_room(HOUR, 2);
        let first = ask(&once, "a", 0, 0).await;
        let second = ask(&once, "b", 0, 1).await;
        ask(&once, "c", 0, 2).await.unwrap();
        assert_eq!(ask(&once, "b", 0, 2).await, second);
        assert_eq!(once.lock().len(), 2);
        assert_ne!(ask(&once, "a", 0, 2).await, first);
    }

    #[tokio::test]
    async fn a_request_that_cannot_begin_is_not_remembered() {
        let once = Once::<u8, u8>::new(HOUR);
        let never = |_: &u8| Err::<std::future::Ready<u8>, _>(Status::not_found(""));
        let refused = once.ask((key("x"), 1), at(0), never, |_| true).await;
        assert_eq!(refused.unwrap_err().code(), tonic::Code::NotFound);
        assert!(ask(&once, "x", 2, 0).await.is_ok());
    }
}
