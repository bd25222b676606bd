//! One reader as its door's task knows it: its dialogue, and what is heard of the device.

use std::time::Duration;

use super::keypad::{Dialogue, KeypadInput, KeypadOutput, PinTyped};
use super::lines::{Indication, ReaderEvent, TypedKeys};
use crate::types::{AlarmKind, AlarmSubject, FactorRequirement, Moment, Reader};
use crate::wire::card::{RawCard, ReadCard, read};

/// How long a reader may be unheard of before that is an alarm: its line needs a moment at start.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// A reader at its post.
#[derive(Debug)]
pub(super) struct ReaderPost {
    reader: Reader,
    dialogue: Dialogue,
    link: Link,
    is_tampered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Nothing was heard of it yet; an alarm is due then.
    Expected(Moment),
    Online,
    Offline,
    /// Its line cannot be used, which is an alarm of the line.
    LineDown,
}

/// What is to be done for a reader.
#[derive(Debug)]
pub(super) enum PostAct {
    /// Show something.
    Show(Indication),
    /// Make an attempt.
    Present(ReadCard, PinTyped),
    /// Raise an alarm, with what is known.
    Raise(AlarmKind, AlarmSubject, String),
    /// End an alarm.
    Clear(AlarmKind, AlarmSubject),
    /// Write that the reader was opened.
    Tampered,
}

impl ReaderPost {
    pub(super) fn new(reader: Reader, now: Moment) -> Self {
        Self {
            reader,
            dialogue: Dialogue::new(),
            link: Link::Expected(now.plus(HEARD_WITHIN)),
            is_tampered: false,
        }
    }

    /// The same reader under other rules; what it was typing goes on.
    pub(super) fn replanned(self, reader: Reader) -> Self {
        Self { reader, ..self }
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn is_online(&self) -> bool {
        self.link == Link::Online
    }

    /// When a tick is due at the latest.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let expected = match self.link {
            Link::Expected(due) => Some(due),
            Link::Online | Link::Offline | Link::LineDown => None,
        };
        expected
            .into_iter()
            .chain(self.dialogue.next_deadline())
            .min()
    }

    pub(super) fn tick(&mut self, now: Moment) -> Vec<PostAct> {
        let mut acts = posted(self.dialogue.step(KeypadInput::Tick, now));
        if let Link::Expected(due) = self.link
            && now >= due
        {
            acts.extend(self.lost());
        }
        acts
    }

    /// A card was read, where `requirement` holds at this moment.
    ///
    /// What cannot be a card at all was refused by the codec before; nothing is left to write.
    pub(super) fn card(
        &mut self,
        raw: RawCard,
        requirement: FactorRequirement,
        now: Moment,
    ) -> Vec<PostAct> {
        let Ok(card) = read(&self.reader.card_formats, raw) else {
            return vec![PostAct::Show(Indication::Denied)];
        };
        let input = KeypadInput::Card {
            card,
            requirement,
            has_keypad: self.reader.has_keypad,
        };
        posted(self.dialogue.step(input, now))
    }

    pub(super) fn keys(&mut self, keys: TypedKeys, now: Moment) -> Vec<PostAct> {
        posted(self.dialogue.step(KeypadInput::Keys(keys), now))
    }

    /// What is to be done about the device itself.
    pub(super) fn heard(&mut self, event: &ReaderEvent, now: Moment) -> Vec<PostAct> {
        let subject = AlarmSubject::Reader(self.reader.id.clone());
        let line = AlarmSubject::Bus(self.reader.bus.clone());
        match event {
            ReaderEvent::Online => {
                self.link = Link::Online;
                vec![
                    PostAct::Clear(AlarmKind::ReaderOffline, subject.clone()),
                    PostAct::Clear(AlarmKind::ReaderSecurity, subject),
                    PostAct::Clear(AlarmKind::BusDown, line),
                    PostAct::Show(Indication::Idle),
                ]
            }
            // It was there: its line has waited long enough before it said so.
            ReaderEvent::Offline if self.link == Link::Online => self.lost(),
            ReaderEvent::Offline => self.expect(now),
            ReaderEvent::LineDown(why) => {
                self.link = Link::LineDown;
                vec![PostAct::Raise(AlarmKind::BusDown, line, why.to_string())]
            }
            ReaderEvent::NotTrusted(what) => {
                // Whether its session goes on is for its line to say.
                if let Link::Expected(_) = self.link {
                    self.link = Link::Offline;
                }
                let what = (*what).to_owned();
                vec![PostAct::Raise(AlarmKind::ReaderSecurity, subject, what)]
            }
            ReaderEvent::Switches {
                is_tampered,
                is_power_failing,
            } => self.switched(*is_tampered, *is_power_failing),
            ReaderEvent::Card(_)
            | ReaderEvent::Keys(_)
            | ReaderEvent::Inputs(_)
            | ReaderEvent::StrikeSet { .. }
            | ReaderEvent::StrikeRefused { .. } => Vec::new(),
        }
    }

    fn switched(&mut self, is_tampered: bool, is_power_failing: bool) -> Vec<PostAct> {
        let is_new = is_tampered && !self.is_tampered;
        self.is_tampered = is_tampered;
        let mut acts = vec![
            self.switch(AlarmKind::Tamper, is_tampered, "its housing is open"),
            self.switch(
                AlarmKind::ReaderPower,
                is_power_failing,
                "its power is failing",
            ),
        ];
        acts.extend(is_new.then_some(PostAct::Tampered));
        acts
    }

    fn switch(&self, kind: AlarmKind, is_on: bool, what: &str) -> PostAct {
        let subject = AlarmSubject::Reader(self.reader.id.clone());
        if is_on {
            PostAct::Raise(kind, subject, what.to_owned())
        } else {
            PostAct::Clear(kind, subject)
        }
    }

    /// It is not listened to any more; the alarm says why.
    pub(super) fn refused(&mut self) {
        self.link = Link::Offline;
    }

    /// Its line works again, or for the first time: it may take a moment to answer.
    fn expect(&mut self, now: Moment) -> Vec<PostAct> {
        if self.link == Link::LineDown {
            self.link = Link::Expected(now.plus(HEARD_WITHIN));
        }
        Vec::new()
    }

    fn lost(&mut self) -> Vec<PostAct> {
        self.link = Link::Offline;
        let subject = AlarmSubject::Reader(self.reader.id.clone());
        let what = format!(
            "it does not answer at address {} of line {}",
            self.reader.address.number(),
            self.reader.bus
        );
        vec![PostAct::Raise(AlarmKind::ReaderOffline, subject, what)]
    }
}

/// What the dialogue wants done. A reader is not told to wait no longer where an attempt follows:
/// what comes of it is shown, and the line is kept free for the strike.
fn posted(outputs: Vec<KeypadOutput>) -> Vec<PostAct> {
    let mut acts: Vec<PostAct> = Vec::with_capacity(outputs.len());
    for output in outputs {
        match output {
            KeypadOutput::Ask => acts.push(PostAct::Show(Indication::AskPin)),
            KeypadOutput::Clear => acts.push(PostAct::Show(Indication::Idle)),
            KeypadOutput::Present { card, pin } => {
                if let Some(PostAct::Show(Indication::Idle)) = acts.last() {
                    acts.pop();
                }
                acts.push(PostAct::Present(card, pin));
            }
        }
    }
    acts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{
        AccessPointId, BusName, CardFormat, DisplayName, ReaderAddress, ReaderId, ReaderSecurity,
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn post() -> ReaderPost {
        let reader = Reader {
            id: ReaderId::parse("r").unwrap(),
            display_name: DisplayName::parse("R").unwrap(),
            access_point: AccessPointId::parse("d-in").unwrap(),
            bus: BusName::parse("north").unwrap(),
            address: ReaderAddress::new(5).unwrap(),
            security: ReaderSecurity::SecureChannel,
            card_formats: vec![CardFormat::parse("H10301").unwrap()],
            has_keypad: false,
        };
        ReaderPost::new(reader, at(0))
    }

    /// The alarms that are raised, and those that end.
    fn alarms(acts: &[PostAct]) -> (Vec<AlarmKind>, Vec<AlarmKind>) {
        let mut found = (Vec::new(), Vec::new());
        for act in acts {
            match act {
                PostAct::Raise(kind, ..) => found.0.push(*kind),
                PostAct::Clear(kind, _) => found.1.push(*kind),
                PostAct::Show(_) | PostAct::Present(..) | PostAct::Tampered => {}
            }
        }
        found
    }

    fn raised(acts: &[PostAct]) -> Vec<AlarmKind> {
        alarms(acts).0
    }

    #[test]
    fn a_reader_that_is_never_heard_of_is_an_alarm_after_ten_seconds() {
        let mut post = post();
        assert_eq!(post.deadline(), Some(at(10)));
        assert!(raised(&post.tick(at(9))).is_empty());
        assert_eq!(raised(&post.tick(at(10))), [AlarmKind::ReaderOffline]);
        assert_eq!(post.deadline(), None);
        assert!(raised(&post.tick(at(20))).is_empty(), "said once");
    }

    #[test]
    fn a_line_that_is_down_is_no_alarm_of_its_readers() {
        let mut post = post();
        let down = post.heard(&ReaderEvent::LineDown("unplugged".into()), at(1));
        assert_eq!(raised(&down), [AlarmKind::BusDown]);
        assert!(raised(&post.tick(at(30))).is_empty());
        assert!(raised(&post.heard(&ReaderEvent::Offline, at(31))).is_empty());
        assert_eq!(raised(&post.tick(at(41))), [AlarmKind::ReaderOffline]);
        let (_, ended) = alarms(&post.heard(&ReaderEvent::Online, at(42)));
        assert!(ended.contains(&AlarmKind::BusDown) && ended.contains(&AlarmKind::ReaderOffline));
    }

    #[test]
    fn a_reader_that_was_there_is_missed_at_once() {
        let mut post = post();
        let _ = post.heard(&ReaderEvent::Online, at(1));
        let lost = post.heard(&ReaderEvent::Offline, at(9));
        assert_eq!(raised(&lost), [AlarmKind::ReaderOffline]);
        assert!(!post.is_online());
    }

    #[test]
    fn an_open_housing_is_written_once_and_stands_until_it_is_closed() {
        let mut post = post();
        let switches = |is_tampered| ReaderEvent::Switches {
            is_tampered,
            is_power_failing: false,
        };
        let written = |acts: &[PostAct]| acts.iter().any(|a| matches!(a, PostAct::Tampered));
        let opened = post.heard(&switches(true), at(1));
        assert!(written(&opened) && raised(&opened) == [AlarmKind::Tamper]);
        assert!(!written(&post.heard(&switches(true), at(2))));
        let (_, ended) = alarms(&post.heard(&switches(false), at(3)));
        assert!(ended.contains(&AlarmKind::Tamper));
    }
}
