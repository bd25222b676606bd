//! Runs clients on the very thread that answers them.
//!
//! A client goes on inside of the answer it waited for. So what it holds is noted before the
//! scribe changes anything else on the disk, and the order of everything follows from the seed.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Wake, Waker},
};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that goes on by itself whenever it is answered.
pub(crate) struct InlineTask(Mutex<Option<Work>>);

impl InlineTask {
    /// Starts it here; it goes on where it is answered.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) {
        Arc::new(Self(Mutex::new(Some(Box::pin(work))))).go_on();
    }

    fn go_on(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        // Somebody answered while it was still being started elsewhere: then this waits for that.
        let mut work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = work
            .as_mut()
            .map(|work| work.as_mut().poll(&mut Context::from_waker(&waker)));
        if polled.is_some_and(|polled| polled.is_ready()) {
            *work = None;
        }
    }
}

impl Wake for InlineTask {
    fn wake(self: Arc<Self>) {
        self.go_on();
    }
}
