//! Turns what the scribe is asked to write into journal bodies and feed records.

use crate::ledger::record::{EntryPieces, Outcome, Place, Subject, ToldTime, entry};
use crate::ledger::{LeafKind, Pseudonym, PseudonymOf};
use crate::pb::store::{JournalBody, JournalKind};
use crate::policy::{FeedTarget, Passage, SubjectRule, route};
use crate::store::Batch;
use crate::store::book::{Addressee, Book, Draft, StageError, Told};
use crate::store::entry::{Act, AttemptEntry, Reported, ReportedEntry, Source};
use crate::store::sources::StagedEvent;
use crate::store::stage_event::stage_door_event;
use crate::types::{
    AccessPoint, AccessPointId, Badge, CustomerId, DecidedBy, Decision, FactorSet, PinEvidence,
    PresentedCard, ReasonSet, UtcTime,
};

/// An attempt as both halves of the log tell it, whoever decided it.
struct Passed<'a> {
    point: AccessPoint,
    passage: Passage<'a>,
    card: &'a PresentedCard,
    outcome: Outcome<'a>,
    verified: FactorSet,
    decided_by: DecidedBy,
    event_at: UtcTime,
}

/// Stages an attempt that Sluss decided; answers its sequence number.
pub(super) fn attempt(
    book: &mut Book,
    asked: &AttemptEntry,
    batch: &mut Batch,
) -> Result<u64, StageError> {
    let passed = Passed {
        point: point(book, &asked.access_point)?,
        passage: Passage::decided(&asked.access_point, &asked.decision),
        card: &asked.card,
        outcome: Outcome::of(&asked.decision),
        verified: asked.decision.verified(),
        decided_by: DecidedBy::Server,
        event_at: asked.event_at,
    };
    let body = JournalBody {
        pin_evidence: pin_number(asked.pin),
        directory_version: asked.rules_version,
        ..grounds(&asked.decision)
    };
    let sequence = stage_passed(
        book,
        &passed,
        with_source(body, asked.source.as_ref()),
        batch,
    )?;
    book.pins
        .note(asked.decision.person(), asked.pin, asked.event_at, batch);
    let decision = decision_number(passed.passage.is_granted);
    let staged = StagedEvent {
        sequence,
        decision,
        reported: None,
    };
    if let Some(source) = &asked.source {
        book.sources.stage(source, staged, batch);
    }
    Ok(sequence)
}

/// Stages what a controller reports; answers its sequence number.
pub(super) fn reported(
    book: &mut Book,
    report: &ReportedEntry,
    batch: &mut Batch,
) -> Result<u64, StageError> {
    let (sequence, decision) = match &report.what {
        Reported::DoorEvent(kind) => (stage_door_event(book, report, *kind, batch)?, 0),
        Reported::Attempt {
            card,
            granted,
            reasons,
        } => {
            let outcome = if *granted {
                Outcome::Grant { grounds: None }
            } else {
                Outcome::Denial { reasons: *reasons }
            };
            let sequence = stage_alone(book, report, (card, outcome), batch)?;
            (sequence, decision_number(*granted))
        }
    };
    let staged = StagedEvent {
        sequence,
        decision,
        reported: Some(report.event_at.min(book.written_at())),
    };
    if let Some(source) = &report.source {
        book.sources.stage(source, staged, batch);
    }
    Ok(sequence)
}

/// Stages an act for the journal alone; answers its sequence number.
pub(super) fn act(book: &mut Book, act: &Act, batch: &mut Batch) -> Result<u64, StageError> {
    let actor = act
        .actor
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let body = JournalBody {
        actor,
        detail: act.detail.clone(),
        ..JournalBody::default()
    };
    book.stage_act(act.kind, body, batch)
}

/// An attempt that a controller decided by its own rules.
fn stage_alone(
    book: &mut Book,
    report: &ReportedEntry,
    (card, outcome): (&PresentedCard, Outcome<'_>),
    batch: &mut Batch,
) -> Result<u64, StageError> {
    let badge: Option<Badge> = book.roster().badge_by_card(&card.key).cloned();
    let passed = Passed {
        point: point(book, &report.access_point)?,
        passage: Passage {
            access_point: &report.access_point,
            badge: badge.as_ref().map(|badge| &badge.id),
            person: badge.as_ref().map(|badge| &badge.person),
            is_granted: matches!(outcome, Outcome::Grant { .. }),
        },
        card,
        outcome,
        verified: FactorSet::EMPTY,
        decided_by: DecidedBy::Controller,
        event_at: report.event_at,
    };
    let body = JournalBody {
        handed_in_later: true,
        ..JournalBody::default()
    };
    stage_passed(
        book,
        &passed,
        with_source(body, report.source.as_ref()),
        batch,
    )
}

fn stage_passed(
    book: &mut Book,
    passed: &Passed<'_>,
    body: JournalBody,
    batch: &mut Batch,
) -> Result<u64, StageError> {
    let targets = route(book.roster(), passed.passage, passed.event_at);
    let handed_in_later = body.handed_in_later;
    let draft = Draft {
        kind: JournalKind::Attempt,
        person: passed.passage.person,
        access_point: Some(&passed.point.id),
        event_at: passed.event_at,
        body: passed_body(passed, body),
        addressees: targets
            .iter()
            .map(|t| Addressee::new(&t.customer))
            .collect(),
    };
    let pseudonyms: Vec<_> = targets
        .iter()
        .map(|t| pseudonym(book, passed, &t.customer))
        .collect();
    let record = |told: Told<'_>| {
        let target = targets.get(told.position)?;
        let pieces = EntryPieces {
            feed: &target.customer,
            time: ToldTime {
                local: *told.local,
                precision: target.precision,
            },
            subject: subject(target, passed.card, pseudonyms.get(told.position)?),
            place: Place {
                access_point: &passed.point.id,
                door: &passed.point.door,
            },
            direction: passed.point.direction,
            outcome: passed.outcome,
            verified: passed.verified,
            decided_by: passed.decided_by,
            handed_in_later,
            source_counter: told.number,
        };
        Some(entry(&pieces).encode())
    };
    book.stage(draft, LeafKind::Entry, &record, batch)
}

/// The access point as the rules in force know it; one removed meanwhile cannot be written of.
pub(super) fn point(book: &Book, id: &AccessPointId) -> Result<AccessPoint, StageError> {
    book.roster()
        .access_point(id)
        .cloned()
        .ok_or_else(|| StageError::Gone(id.clone()))
}

fn pseudonym(book: &Book, passed: &Passed<'_>, feed: &CustomerId) -> Pseudonym {
    let of = match passed.passage.person {
        Some(person) => PseudonymOf::Person(person),
        None => PseudonymOf::Card(&passed.card.key),
    };
    book.pseudonym(feed, of)
}

fn subject<'a>(
    target: &'a FeedTarget,
    card: &'a PresentedCard,
    pseudonym: &'a Pseudonym,
) -> Subject<'a> {
    match &target.subject {
        SubjectRule::Named(number) => Subject::Badge(number),
        SubjectRule::Pseudonym => Subject::Stranger(pseudonym),
        SubjectRule::UnknownCard => Subject::UnknownCard {
            format: &card.format,
            bit_length: card.bit_length,
            pseudonym,
        },
    }
}

fn passed_body(passed: &Passed<'_>, body: JournalBody) -> JournalBody {
    let reasons = match passed.outcome {
        Outcome::Grant { .. } => ReasonSet::EMPTY,
        Outcome::Denial { reasons } => reasons,
    };
    JournalBody {
        access_point: passed.point.id.as_str().to_owned(),
        door: passed.point.door.as_str().to_owned(),
        badge: passed
            .passage
            .badge
            .map(|b| b.as_str().to_owned())
            .unwrap_or_default(),
        person: passed
            .passage
            .person
            .map(|p| p.as_str().to_owned())
            .unwrap_or_default(),
        card_key: passed.card.key.as_bytes().to_vec(),
        card_format: passed.card.format.as_str().to_owned(),
        card_bit_length: passed.card.bit_length,
        decision: decision_number(passed.passage.is_granted),
        reasons: reasons.iter().map(|r| u32::from(r.number())).collect(),
        verified: passed
            .verified
            .iter()
            .map(|f| u32::from(f.number()))
            .collect(),
        decided_by: match passed.decided_by {
            DecidedBy::Server => 1,
            DecidedBy::Controller => 2,
        },
        ..body
    }
}

fn grounds(decision: &Decision) -> JournalBody {
    match decision {
        Decision::Grant(grant) => JournalBody {
            list_customer: grant.entry.customer.as_str().to_owned(),
            list_entry: grant.entry.number.0,
            approver: grant.approver.as_str().to_owned(),
            ..JournalBody::default()
        },
        Decision::Denial(_) => JournalBody::default(),
    }
}

pub(super) fn with_source(body: JournalBody, source: Option<&Source>) -> JournalBody {
    let Some(source) = source else { return body };
    JournalBody {
        controller: source.event.controller.as_str().to_owned(),
        boot_id: source.event.boot.as_str().to_owned(),
        counter: source.event.counter,
        ..body
    }
}

/// `sluss.v1.Decision`.
fn decision_number(is_granted: bool) -> u32 {
    if is_granted { 1 } else { 2 }
}

fn pin_number(pin: PinEvidence) -> u32 {
    match pin {
        PinEvidence::NotGiven => 0,
        PinEvidence::Verified => 1,
        PinEvidence::Wrong => 2,
        PinEvidence::LockedOut => 3,
        PinEvidence::Duress => 4,
    }
}
