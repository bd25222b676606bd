//! A door controller: asks, repeats, decides alone when it has to, hands in later.

use prost_types::Timestamp;

use crate::line::Line;
use crate::own_rules::{Backlog, OwnRules};
use crate::pb::{self, door_event::Event};
use crate::session::Session;
use crate::words::answer;
use crate::{
    Acknowledgement, Answer, CallError, Card, ControllerSettings, DoorEvent, Verdict, clock,
};

/// How an attempt came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// Sluss decided.
    Decided(Answer),
    /// The controller decided by its own rules; the attempt is in its backlog.
    DecidedAlone {
        /// What it decided.
        decision: Verdict,
        /// Number under which it will be handed in.
        counter: u64,
        /// Why Sluss did not decide.
        cause: CallError,
    },
}

/// A simulated door controller, for one run.
///
/// Attempts and events share one counter that only rises, from 1. What it owes the server lives
/// in memory; a real one keeps it where a power cut does not reach.
#[derive(Debug)]
pub struct Controller {
    line: Line,
    boot_id: String,
    last_counter: u64,
    /// What the wall clock was set to; `None` where it is the machine's.
    clock_set_to: Option<i64>,
    last_attempt: Option<pb::AuthorizeRequest>,
    own_rules: OwnRules,
    backlog: Backlog,
}

impl Controller {
    /// Connects. `boot_id` names this run: 1..=64 visible ASCII characters, new at each start.
    ///
    /// A client certificate that the server refuses shows at the first call, not here (TLS 1.3).
    pub async fn connect(settings: &ControllerSettings, boot_id: &str) -> Result<Self, CallError> {
        Ok(Self::over(Line::connect(settings).await?, boot_id))
    }

    /// Begins a run whether the server can be reached or not.
    pub fn start(settings: &ControllerSettings, boot_id: &str) -> Result<Self, CallError> {
        Ok(Self::over(Line::lazy(settings)?, boot_id))
    }

    fn over(line: Line, boot_id: &str) -> Self {
        Self {
            line,
            boot_id: boot_id.to_owned(),
            last_counter: 0,
            clock_set_to: None,
            last_attempt: None,
            own_rules: OwnRules::default(),
            backlog: Backlog::default(),
        }
    }

    /// Sets the device's wall clock by hand, to so many Unix seconds; it stands still then.
    pub fn set_clock(&mut self, unix_seconds: i64) {
        self.clock_set_to = Some(unix_seconds);
    }

    /// The number used last; 0 before the first.
    pub fn last_counter(&self) -> u64 {
        self.last_counter
    }

    /// Number of events and attempts that the server has not acknowledged.
    pub fn backlog_count(&self) -> usize {
        self.backlog.len()
    }

    /// Asks Sluss, under a new number; repeats the same request while the line fails.
    ///
    /// `access_point` is `accessPoints/{access_point}`. Never decides by itself.
    pub async fn authorize(
        &mut self,
        access_point: &str,
        card: &Card,
        pin: Option<&str>,
    ) -> Result<Answer, CallError> {
        let request = pb::AuthorizeRequest {
            access_point: access_point.to_owned(),
            boot_id: self.boot_id.clone(),
            counter: self.next_counter(),
            card: Some(card.to_message()),
            pin: pin.unwrap_or_default().to_owned(),
        };
        self.last_attempt = Some(request.clone());
        let answer = answer(self.line.authorize(&request).await?)?;
        match answer.decision {
            Verdict::Grant if pin.is_none() => self.own_rules.remember(access_point, card),
            Verdict::Grant => {}
            Verdict::Denial => self.own_rules.forget(access_point, card),
        }
        Ok(answer)
    }

    /// Sends the last attempt once more: same number, same body.
    ///
    /// Within two seconds the same answer comes; later `ATTEMPT_ALREADY_DECIDED` with the entry.
    pub async fn repeat_last(&mut self) -> Result<Answer, CallError> {
        let request = self
            .last_attempt
            .as_ref()
            .ok_or(CallError::NothingToRepeat)?;
        answer(self.line.authorize(request).await?)
    }

    /// Lets somebody pass or not: asks Sluss, and decides by its own rules where it is away.
    ///
    /// By its own rules a card passes where Sluss granted it last on the badge alone. With a full
    /// backlog nothing is decided (`BacklogFull`) and the door stays shut.
    pub async fn pass(
        &mut self,
        access_point: &str,
        card: &Card,
        pin: Option<&str>,
    ) -> Result<Passage, CallError> {
        let cause = match self.authorize(access_point, card, pin).await {
            Ok(answer) => return Ok(Passage::Decided(answer)),
            Err(cause) if cause.means_own_rules() => cause,
            Err(cause) => return Err(cause),
        };
        let decision = self.own_rules.decide(access_point, card);
        let decided = pb::ControllerDecision {
            card: Some(card.to_message()),
            decision: i32::from(decision.message()),
            reasons: Vec::new(),
        };
        // A new number: the one that got no answer may stand in the journal already.
        let counter = self.owe(access_point, Event::Decided(decided))?;
        Ok(Passage::DecidedAlone {
            decision,
            counter,
            cause,
        })
    }

    /// Numbers field events and hands in all that is owed, oldest first.
    ///
    /// On an error everything that the server has not acknowledged stays in the backlog.
    pub async fn report(
        &mut self,
        events: &[DoorEvent],
    ) -> Result<Vec<Acknowledgement>, CallError> {
        for event in events {
            let kind = i32::from(event.kind.message());
            self.owe(&event.access_point, Event::Kind(kind))?;
        }
        self.hand_in().await
    }

    /// Hands in all that is owed, oldest first, in batches.
    pub async fn hand_in(&mut self) -> Result<Vec<Acknowledgement>, CallError> {
        let mut acknowledgements = Vec::new();
        while self.backlog.len() > 0 {
            let request = pb::ReportDoorEventsRequest {
                boot_id: self.boot_id.clone(),
                events: self.backlog.batch(),
            };
            let response = self.line.report(&request).await?;
            let same = response.acknowledgements.len() == request.events.len()
                && std::iter::zip(&response.acknowledgements, &request.events)
                    .all(|(a, e)| a.counter == e.counter && !a.entry.is_empty());
            if !same {
                return Err(CallError::BadAnswer("acknowledgements are not the events'"));
            }
            self.backlog.settle(request.events.len());
            acknowledgements.extend(response.acknowledgements.into_iter().map(|a| {
                Acknowledgement {
                    counter: a.counter,
                    entry: a.entry,
                    already_known: a.already_known,
                }
            }));
        }
        Ok(acknowledgements)
    }

    /// Opens a session, on which commands for the controller's doors come.
    pub async fn open_session(&self) -> Result<Session, CallError> {
        Session::open(&self.line, &self.boot_id).await
    }

    /// A line and a number for each of several requests at once.
    pub(crate) fn line(&self) -> (Line, &str, u64) {
        (self.line.clone(), &self.boot_id, self.last_counter)
    }

    fn wall_clock(&self) -> Timestamp {
        let set = |seconds| Timestamp { seconds, nanos: 0 };
        self.clock_set_to.map_or_else(clock::wall, set)
    }

    fn next_counter(&mut self) -> u64 {
        self.last_counter = self.last_counter.saturating_add(1);
        self.last_counter
    }

    fn owe(&mut self, access_point: &str, event: Event) -> Result<u64, CallError> {
        if self.backlog.is_full() {
            return Err(CallError::BacklogFull);
        }
        let counter = self.next_counter();
        self.backlog.push(pb::DoorEvent {
            counter,
            event_time: Some(self.wall_clock()),
            access_point: access_point.to_owned(),
            event: Some(event),
        })?;
        Ok(counter)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Status};

    use super::*;
    use crate::error::status_with_reason;
    use crate::fixture::{Desk, Reply, grant, serve};
    use crate::{DoorEventKind, TRIES_MAX};

    const POINT: &str = "accessPoints/a";

    async fn connected() -> (Desk, Controller) {
        let (desk, settings) = serve();
        let controller = Controller::connect(&settings, "boot-1").await.unwrap();
        (desk, controller)
    }

    fn card() -> Card {
        Card::h10301(42, 12_345)
    }

    #[tokio::test]
    async fn an_answer_is_read_whole() {
        let (desk, mut controller) = connected().await;
        let denial = pb::AuthorizeResponse {
            decision: 2,
            reasons: vec![8, 12, 99],
            valid_for: grant("e").valid_for,
            entry: "journal/s/1/9".to_owned(),
            verified: vec![1],
        };
        desk.script().replies.push_back(Reply::Answer(denial));
        let answer = controller.authorize(POINT, &card(), None).await.unwrap();
        assert_eq!(answer.decision, Verdict::Denial);
        assert_eq!(
            answer.reasons,
            [
                "NOT_ON_ACCESS_LIST",
                "NOT_PERMITTED_AT_THIS_TIME",
                "NUMBER_99"
            ]
        );
        assert_eq!(answer.verified, ["BADGE"]);
        assert_eq!(answer.valid_for, Duration::ZERO, "a denial opens nothing");
        let answer = controller.authorize(POINT, &card(), None).await.unwrap();
        assert_eq!(answer.decision, Verdict::Grant);
        assert_eq!(answer.valid_for, Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_failing_line_gets_the_same_request_again() {
        let (desk, mut controller) = connected().await;
        let broken = Reply::Status(Status::unavailable("connection reset"));
        desk.script().replies.push_back(broken);
        let answer = controller.authorize(POINT, &card(), Some("4711")).await;
        assert_eq!(answer.unwrap().decision, Verdict::Grant);
        let attempts = &desk.script().attempts;
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[0], attempts[1]);
    }

    #[tokio::test]
    async fn a_refusal_is_not_repeated() {
        let (desk, mut controller) = connected().await;
        let refusal = status_with_reason(Code::NotFound, "ACCESS_POINT_NOT_FOUND", None);
        desk.script().replies.push_back(Reply::Status(refusal));
        let fault = controller.pass(POINT, &card(), None).await.unwrap_err();
        assert_eq!(fault.reason(), "ACCESS_POINT_NOT_FOUND");
        assert_eq!(desk.script().attempts.len(), 1);
        assert_eq!(controller.backlog_count(), 0, "nothing was decided alone");
    }

    #[tokio::test]
    async fn silence_is_waited_for_within_bounds() {
        let (desk, mut controller) = connected().await;
        let silence = std::iter::repeat_with(|| Reply::Silence).take(TRIES_MAX);
        desk.script().replies.extend(silence);
        let begun = clock::ticks();
        let fault = controller.authorize(POINT, &card(), None).await;
        assert_eq!(fault, Err(CallError::NoAnswer));
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert_eq!(desk.script().attempts.len(), TRIES_MAX);
    }

    #[tokio::test]
    async fn the_last_attempt_is_repeated_as_it_was() {
        let (desk, mut controller) = connected().await;
        assert_eq!(
            controller.repeat_last().await,
            Err(CallError::NothingToRepeat)
        );
        controller.authorize(POINT, &card(), None).await.unwrap();
        let known = status_with_reason(Code::AlreadyExists, "KNOWN", Some("journal/s/1/1"));
        desk.script().replies.push_back(Reply::Status(known));
        let fault = controller.repeat_last().await.unwrap_err();
        assert_eq!(fault.entry(), Some("journal/s/1/1"));
        let attempts = &desk.script().attempts;
        assert_eq!(attempts[0], attempts[1]);
    }

    #[tokio::test]
    async fn while_the_server_is_away_only_what_it_granted_passes() {
        let (desk, mut controller) = connected().await;
        let with_pin = Card::h10301(1, 1);
        controller.authorize(POINT, &card(), None).await.unwrap();
        let pin = Some("4711");
        controller.authorize(POINT, &with_pin, pin).await.unwrap();
        desk.script().is_away = true;
        let mut alone = Vec::new();
        for card in [card(), with_pin, Card::h10301(1, 2)] {
            match controller.pass(POINT, &card, None).await.unwrap() {
                Passage::DecidedAlone { decision, .. } => alone.push(decision),
                Passage::Decided(answer) => panic!("{answer:?}"),
            }
        }
        assert_eq!(alone, [Verdict::Grant, Verdict::Denial, Verdict::Denial]);
    }

    #[tokio::test]
    async fn a_denial_is_remembered_over_an_older_grant() {
        let (desk, mut controller) = connected().await;
        controller.authorize(POINT, &card(), None).await.unwrap();
        let denial = pb::AuthorizeResponse {
            decision: 2,
            ..grant("journal/s/1/2")
        };
        desk.script().replies.push_back(Reply::Answer(denial));
        controller.authorize(POINT, &card(), None).await.unwrap();
        desk.script().is_away = true;
        let passage = controller.pass(POINT, &card(), None).await.unwrap();
        assert!(matches!(
            passage,
            Passage::DecidedAlone {
                decision: Verdict::Denial,
                ..
            }
        ));
    }

    #[tokio::test]
    async fn what_was_decided_alone_is_handed_in_later_in_order() {
        let (desk, mut controller) = connected().await;
        desk.script().is_away = true;
        controller.pass(POINT, &card(), None).await.unwrap();
        let forced = DoorEvent {
            access_point: POINT.to_owned(),
            kind: DoorEventKind::DoorForced,
        };
        assert!(controller.report(&[forced]).await.is_err());
        assert_eq!(controller.backlog_count(), 2);
        desk.script().is_away = false;
        let known = controller.hand_in().await.unwrap();
        assert_eq!(known.iter().map(|a| a.counter).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(controller.backlog_count(), 0);
        let script = desk.script();
        let counters: Vec<u64> = script.reports[0].events.iter().map(|e| e.counter).collect();
        assert_eq!(counters, [2, 3], "1 was the attempt that got no answer");
        assert!(matches!(
            script.reports[0].events[0].event,
            Some(Event::Decided(_))
        ));
    }

    #[tokio::test]
    async fn a_long_backlog_goes_in_batches_that_the_api_takes() {
        let (desk, mut controller) = connected().await;
        let held = DoorEvent {
            access_point: POINT.to_owned(),
            kind: DoorEventKind::DoorHeld,
        };
        let known = controller.report(&vec![held; 450]).await.unwrap();
        assert_eq!(known.len(), 450);
        let sizes: Vec<usize> = desk
            .script()
            .reports
            .iter()
            .map(|r| r.events.len())
            .collect();
        assert_eq!(sizes, [200, 200, 50]);
    }

    #[tokio::test]
    async fn a_server_of_another_authority_is_not_asked() {
        let (desk, _) = serve();
        let (_, mut settings) = serve();
        let (_, other) = serve();
        settings.ca_pem = other.ca_pem;
        let fault = Controller::connect(&settings, "boot-1").await.unwrap_err();
        assert!(matches!(fault, CallError::Settings(_)), "{fault}");
        assert!(desk.script().attempts.is_empty());
    }
}
