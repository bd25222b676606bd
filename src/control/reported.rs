//! What controllers report of their doors, heard as alarms.

use super::Alarms;
use crate::policy::Roster;
use crate::store::{Acknowledged, Reported, ReportedEntry};
use crate::types::{AlarmKind, AlarmSubject, DoorEventKind, UtcTime};

/// Raises and ends alarms for field events that were written just now, in their order.
///
/// What was handed in before was heard before. Alarms are raised at the time of hearing: a
/// controller may have been away for hours.
pub fn hear_reported(
    alarms: &Alarms,
    roster: &Roster,
    (entries, known): (&[ReportedEntry], &[Acknowledged]),
    now: UtcTime,
) {
    for (entry, known) in entries.iter().zip(known) {
        let Reported::DoorEvent(kind) = entry.what else {
            continue;
        };
        let Some(point) = roster.access_point(&entry.access_point) else {
            continue;
        };
        if !known.already_known {
            let subject = AlarmSubject::Door(point.door.clone());
            hear(alarms, (kind, subject), (entry.event_at, now));
        }
    }
}

fn hear(
    alarms: &Alarms,
    (kind, subject): (DoorEventKind, AlarmSubject),
    (event_at, now): (UtcTime, UtcTime),
) {
    let raise = |alarm| {
        let detail = format!("reported by its controller, at {}", event_at.rfc3339());
        alarms.raise(alarm, subject.clone(), (&detail, now));
    };
    match kind {
        DoorEventKind::DoorForced => raise(AlarmKind::DoorForced),
        DoorEventKind::DoorHeld => raise(AlarmKind::DoorHeld),
        DoorEventKind::Tamper => raise(AlarmKind::Tamper),
        DoorEventKind::DoorClosed => {
            alarms.clear(AlarmKind::DoorForced, &subject, now);
            alarms.clear(AlarmKind::DoorHeld, &subject, now);
        }
        DoorEventKind::AccessTaken
        | DoorEventKind::AccessNotTaken
        | DoorEventKind::RequestToExit
        | DoorEventKind::OpenedByOrder
        | DoorEventKind::UnlockedByOrder
        | DoorEventKind::LockedByOrder => {}
    }
}
