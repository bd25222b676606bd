//! Takes an attempt from what was presented to an answer on disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control::alarms::Alarms;
use crate::control::keypad::PinTyped;
use crate::control::unlock::{Stale, Unlock};
use crate::policy::{Lockouts, PinOutcome, PinTry, Roster, decide};
use crate::store::secrets::Secrets;
use crate::store::{
    Act, AppendError, AttemptEntry, JournalKind, JournalRef, Receipt, Recorded, RulesCell, Scribe,
    Source,
};
use crate::types::{
    AccessPointId, AlarmKind, AlarmSubject, Attempt, Denial, Grant, Now, PersonId, PinEvidence,
    PresentedCard, UtcTime, World,
};
use crate::wire::card::ReadCard;

/// How often one attempt is decided again because rules were removed meanwhile.
const DECISIONS_MAX: usize = 8;

/// What somebody presents.
#[derive(Debug)]
pub struct Presented {
    /// Where the event was born; `None` for a reader that Sluss polls.
    pub source: Option<Source>,
    /// Where.
    pub access_point: AccessPointId,
    /// The card.
    pub card: ReadCard,
    /// What was typed for a PIN.
    pub pin: PinTyped,
}

/// An answer; what it says is on disk.
#[derive(Debug)]
pub enum Answer {
    /// The door may be opened.
    Grant {
        /// Leave to open it.
        unlock: Unlock,
        /// What was granted.
        grant: Grant,
    },
    /// It may not.
    Denial(Receipt<Denial>),
}

/// Why there is no answer; the door stays shut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// Nothing could be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The event was decided before, too long ago to be answered again.
    #[error("this attempt was decided as `{}`", .0.name())]
    AlreadyDecided(JournalRef),
    /// The grant was written too late to be acted on.
    #[error("the grant `{}` is too old to be acted on", .0.name())]
    Stale(JournalRef),
    /// The rules changed faster than the attempt could be decided.
    #[error("the rules are changing too fast to decide")]
    RulesChanging,
}

/// What a runner works with.
#[derive(Debug)]
pub struct RunnerParts {
    /// The rules in force.
    pub rules: Arc<RulesCell>,
    /// The one writer.
    pub scribe: Scribe,
    /// Look-up and PIN keys.
    pub secrets: Arc<Secrets>,
    /// Clock and entropy.
    pub world: Arc<dyn World>,
    /// Wrong PINs, as they were stored.
    pub lockouts: Lockouts,
    /// Where it is heard that somebody is being forced.
    pub alarms: Alarms,
}

/// Decides attempts, has them written, and answers.
#[derive(Debug)]
pub struct Runner {
    rules: Arc<RulesCell>,
    scribe: Scribe,
    secrets: Arc<Secrets>,
    world: Arc<dyn World>,
    lockouts: Mutex<Lockouts>,
    alarms: Alarms,
}

impl Runner {
    /// Joins its parts.
    pub fn new(parts: RunnerParts) -> Self {
        let RunnerParts {
            rules,
            scribe,
            secrets,
            world,
            lockouts,
            alarms,
        } = parts;
        Self {
            rules,
            scribe,
            secrets,
            world,
            lockouts: Mutex::new(lockouts),
            alarms,
        }
    }

    /// Decides one attempt; the answer comes after its entry is durable (invariants 1 and 3).
    #[tracing::instrument(name = "door.authorize", skip_all, fields(access_point = %presented.access_point))]
    pub async fn authorize(&self, presented: Presented) -> Result<Answer, AuthorizeError> {
        for _ in 0..DECISIONS_MAX {
            match self.decide_once(&presented).await? {
                Recorded::Grant(receipt) => return self.unlock(receipt).await,
                Recorded::Denial(receipt) => return Ok(Answer::Denial(receipt)),
                Recorded::AlreadyDecided(entry) => {
                    return Err(AuthorizeError::AlreadyDecided(entry));
                }
                Recorded::DecideAgain => {}
            }
        }
        Err(AuthorizeError::RulesChanging)
    }

    async fn decide_once(&self, presented: &Presented) -> Result<Recorded, AppendError> {
        let now = self.world.now();
        let rules = self.rules.load();
        let card = presented_card(&presented.card, &self.secrets);
        let pin = self.try_pin(&rules.roster, &card, &presented.pin, now);
        let attempt = Attempt {
            access_point: presented.access_point.clone(),
            card: card.clone(),
            pin: pin.evidence,
        };
        // Before anything may fail: whoever is forced has said so.
        if pin.evidence == PinEvidence::Duress {
            self.raise_duress(&rules.roster, &presented.access_point, now.utc);
        }
        let decision = decide(&rules.roster, &attempt, now.utc);
        let entry = AttemptEntry {
            source: presented.source.clone(),
            access_point: attempt.access_point,
            card,
            pin: attempt.pin,
            decision,
            rules_version: rules.roster.version(),
            event_at: now.utc,
            decided: now.moment,
        };
        let recorded = self.scribe.record_attempt(entry).await;
        let is_written = match &recorded {
            Ok(Recorded::Grant(receipt)) => !receipt.is_repeat(),
            Ok(Recorded::Denial(receipt)) => !receipt.is_repeat(),
            Ok(Recorded::AlreadyDecided(_) | Recorded::DecideAgain) | Err(_) => false,
        };
        if !is_written {
            pin.do_not_count();
        }
        recorded
    }

    /// Looks at the PIN, where the holder may still try one.
    fn try_pin(
        &self,
        roster: &Roster,
        card: &PresentedCard,
        given: &PinTyped,
        now: Now,
    ) -> PinAttempt<'_> {
        let is_given = match given {
            PinTyped::NotGiven => false,
            PinTyped::Given(_) | PinTyped::Malformed => true,
        };
        // What was misread leads to nobody, and takes nobody's tries.
        let holder = roster.badge_of(card);
        let (true, Some(person)) = (is_given, holder.map(|badge| badge.person.clone())) else {
            let evidence = if is_given {
                PinEvidence::Wrong
            } else {
                PinEvidence::NotGiven
            };
            return PinAttempt {
                evidence,
                reserved: None,
            };
        };
        if lock(&self.lockouts).begin(&person, now) == PinTry::LockedOut {
            return PinAttempt {
                evidence: PinEvidence::LockedOut,
                reserved: None,
            };
        }
        let evidence = match given {
            PinTyped::Given(pin) => roster.check_pin(&self.secrets.pin, &person, pin),
            PinTyped::Malformed | PinTyped::NotGiven => PinEvidence::Wrong,
        };
        let outcome = PinOutcome::of(evidence);
        let reserved = Some(Reserved {
            lockouts: &self.lockouts,
            person,
            now,
            outcome,
        });
        PinAttempt { evidence, reserved }
    }

    /// Loud at the desk, silent at the door.
    fn raise_duress(&self, roster: &Roster, access_point: &AccessPointId, now: UtcTime) {
        if let Some(point) = roster.access_point(access_point) {
            let subject = AlarmSubject::Door(point.door.clone());
            let detail = "a PIN was typed that says that its holder is being forced";
            self.alarms.raise(AlarmKind::Duress, subject, (detail, now));
        }
    }

    /// Writes that leave to open came too late and was not used.
    pub async fn note_stale(&self, stale: Stale) {
        self.not_taken(stale).await;
    }

    async fn unlock(&self, receipt: Receipt<Grant>) -> Result<Answer, AuthorizeError> {
        match Unlock::from_receipt(receipt, self.world.now().moment) {
            Ok((unlock, grant)) => Ok(Answer::Grant { unlock, grant }),
            Err(stale) => Err(self.not_taken(stale).await),
        }
    }

    /// Writes that a grant was not taken, because it came too late.
    async fn not_taken(&self, stale: Stale) -> AuthorizeError {
        let detail = format!("stale: {} at doors/{}", stale.entry.name(), stale.door);
        let act = Act {
            kind: JournalKind::AccessNotTaken,
            actor: None,
            detail,
        };
        if let Err(error) = self.scribe.record_act(act).await {
            tracing::error!(%error, "a stale grant could not be noted");
        }
        AuthorizeError::Stale(stale.entry)
    }
}

/// What is known of the PIN, and the try that it took.
struct PinAttempt<'a> {
    evidence: PinEvidence,
    /// `None` where no PIN was looked at.
    reserved: Option<Reserved<'a>>,
}

impl PinAttempt<'_> {
    /// The attempt was not written, or was written before: it counts no second time.
    fn do_not_count(mut self) {
        if let Some(reserved) = &mut self.reserved {
            reserved.outcome = PinOutcome::NotCounted;
        }
    }
}

/// A reserved try. It is settled when it is dropped, so that a caller who hangs up while its
/// guess is on the way has used one up.
struct Reserved<'a> {
    lockouts: &'a Mutex<Lockouts>,
    person: PersonId,
    now: Now,
    outcome: PinOutcome,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        lock(self.lockouts).settle(&self.person, self.outcome, self.now);
    }
}

fn lock(lockouts: &Mutex<Lockouts>) -> MutexGuard<'_, Lockouts> {
    lockouts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reduces a card to what a decision needs.
pub fn presented_card(card: &ReadCard, secrets: &Secrets) -> PresentedCard {
    PresentedCard {
        format: card.card.format().clone(),
        bit_length: card.card.bit_length(),
        key: secrets.card_key(&card.card),
        check: card.check,
    }
}
