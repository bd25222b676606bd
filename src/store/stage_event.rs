//! Turns field events and orders into journal bodies and feed records.

use crate::ledger::LeafKind;
use crate::ledger::record::{DoorEventPieces, Place, ToldTime, door_event};
use crate::pb::store::{JournalBody, JournalKind};
use crate::policy::route_door_event;
use crate::store::Batch;
use crate::store::book::{Addressee, Book, Draft, StageError, Told};
use crate::store::entry::{OrderEntry, ReportedEntry, Source};
use crate::store::stage_entry::{point, with_source};
use crate::types::{AccessPoint, DoorEventKind, DoorOrder, UtcTime};

/// Something that happened at a door, as both halves of the log tell it.
struct Happening<'a> {
    point: AccessPoint,
    kind: DoorEventKind,
    journal_kind: JournalKind,
    source: Option<&'a Source>,
    event_at: UtcTime,
    body: JournalBody,
}

/// Stages a field event that was reported, or that Sluss saw; answers its sequence number.
pub(super) fn stage_door_event(
    book: &mut Book,
    report: &ReportedEntry,
    kind: DoorEventKind,
    batch: &mut Batch,
) -> Result<u64, StageError> {
    let happening = Happening {
        point: point(book, &report.access_point)?,
        kind,
        journal_kind: JournalKind::DoorEvent,
        source: report.source.as_ref(),
        event_at: report.event_at,
        body: JournalBody {
            handed_in_later: report.source.is_some(),
            ..JournalBody::default()
        },
    };
    stage_happening(book, happening, batch)
}

/// Stages an order; answers its sequence number. The door's owners are told of it as of an event
/// at its first access point.
pub(super) fn order(
    book: &mut Book,
    asked: &OrderEntry,
    batch: &mut Batch,
) -> Result<u64, StageError> {
    let gone = || StageError::DoorGone(asked.door.clone());
    let detail = match asked.order {
        DoorOrder::Open => "open".to_owned(),
        DoorOrder::Lock => "lock".to_owned(),
        DoorOrder::Unlock { until } => format!("unlock until {}", until.rfc3339()),
    };
    let happening = Happening {
        point: book.first_point(&asked.door).ok_or_else(gone)?,
        kind: asked.order.event(),
        journal_kind: JournalKind::DoorOrder,
        source: None,
        event_at: asked.event_at,
        body: JournalBody {
            actor: asked.actor.to_string(),
            detail,
            ..JournalBody::default()
        },
    };
    stage_happening(book, happening, batch)
}

fn stage_happening(
    book: &mut Book,
    happening: Happening<'_>,
    batch: &mut Batch,
) -> Result<u64, StageError> {
    let Happening {
        point,
        kind,
        journal_kind,
        source,
        event_at,
        body,
    } = happening;
    let targets = route_door_event(book.roster(), &point.id);
    let body = JournalBody {
        door_event: u32::from(kind.number()),
        access_point: point.id.as_str().to_owned(),
        door: point.door.as_str().to_owned(),
        ..body
    };
    let draft = Draft {
        kind: journal_kind,
        person: None,
        access_point: Some(&point.id),
        event_at,
        body: with_source(body, source),
        addressees: targets
            .iter()
            .map(|t| Addressee::new(&t.customer))
            .collect(),
    };
    let record = |told: Told<'_>| {
        let target = targets.get(told.position)?;
        let pieces = DoorEventPieces {
            time: ToldTime {
                local: *told.local,
                precision: target.precision,
            },
            place: Place {
                access_point: &point.id,
                door: &point.door,
            },
            kind,
            source_counter: told.number,
        };
        Some(door_event(&pieces).encode())
    };
    book.stage(draft, LeafKind::DoorEvent, &record, batch)
}
