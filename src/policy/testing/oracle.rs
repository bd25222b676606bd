//! A second decision: slow, obvious, straight from the rules as they are written.
//!
//! It shares nothing with `decide` but the types: it walks every badge and every entry, reads
//! schedules span by span, and compares instants itself.

use chrono::{DateTime, Datelike as _, Timelike as _};
use chrono_tz::Tz;

use crate::policy::RosterParts;
use crate::types::{
    AccessListEntry, AccessPoint, Attempt, Badge, BadgeState, CardCheck, CustomerId, Decision,
    Denial, DenialReason, Direction, Factor, FactorRequirement, FactorSet, Grant, Person, PersonId,
    PersonState, PinEvidence, ScheduleId, UtcTime, Validity,
};

pub(in crate::policy) fn decide_slowly(
    parts: &RosterParts,
    attempt: &Attempt,
    now: UtcTime,
) -> Decision {
    let point = parts.access_points.get(&attempt.access_point);
    let mut why = point.map_or(Vec::new(), |p| factors_wanting(parts, p, attempt.pin, now));
    if attempt.card.check == CardCheck::ParityFailed {
        why.push(DenialReason::CardParity);
        return of_nobody(why);
    }
    if attempt.card.check == CardCheck::FormatNotAccepted {
        why.push(DenialReason::CardFormatNotAccepted);
        return of_nobody(why);
    }
    let mut badges = parts.badges.values();
    let Some(badge) = badges.find(|b| b.card == attempt.card.key) else {
        why.push(DenialReason::UnknownCard);
        return of_nobody(why);
    };
    let person = &parts.persons[&badge.person];
    why.extend(not_admitted(badge, person, now));
    let mut passing = Vec::new();
    let mut failing = Vec::new();
    for entry in parts.entries.values() {
        if entry.person == person.id && point.is_some_and(|p| is_for(parts, entry, person, p)) {
            let wrong = wrong_with(parts, entry, now);
            if wrong.is_empty() {
                passing.push(entry);
            }
            failing.extend(wrong);
        }
    }
    if passing.is_empty() && failing.is_empty() {
        why.push(DenialReason::NotOnAccessList);
    }
    if passing.is_empty() {
        why.extend(failing);
    }
    let mut verified = FactorSet::EMPTY;
    verified.insert(Factor::Badge);
    if attempt.pin == PinEvidence::Verified || attempt.pin == PinEvidence::Duress {
        verified.insert(Factor::Pin);
    }
    if !why.is_empty() {
        return Decision::Denial(Denial {
            badge: Some(badge.id.clone()),
            person: Some(person.id.clone()),
            reasons: why.into_iter().collect(),
            verified,
        });
    }
    let lowest = passing.into_iter().min_by_key(|e| e.entry.clone()).unwrap();
    Decision::Grant(Grant {
        badge: badge.id.clone(),
        person: person.id.clone(),
        entry: lowest.entry.clone(),
        approver: lowest.approver.clone(),
        verified,
    })
}

fn of_nobody(why: Vec<DenialReason>) -> Decision {
    Decision::Denial(Denial {
        badge: None,
        person: None,
        reasons: why.into_iter().collect(),
        verified: FactorSet::EMPTY,
    })
}

fn factors_wanting(
    parts: &RosterParts,
    point: &AccessPoint,
    pin: PinEvidence,
    now: UtcTime,
) -> Vec<DenialReason> {
    let mut asked = point.default_requirement;
    for rule in point.factor_rules.iter().rev() {
        if open(parts, &rule.schedule, now) {
            asked = rule.requirement;
        }
    }
    if asked == FactorRequirement::Badge {
        return vec![];
    }
    if asked == FactorRequirement::BadgeAndFinger {
        return vec![DenialReason::FactorNotSupported];
    }
    match pin {
        // Who is forced is let in like anybody else.
        PinEvidence::Verified | PinEvidence::Duress => vec![],
        PinEvidence::NotGiven => vec![DenialReason::PinRequired],
        PinEvidence::Wrong => vec![DenialReason::InvalidPin],
        PinEvidence::LockedOut => vec![DenialReason::PinLockedOut],
    }
}

fn not_admitted(badge: &Badge, person: &Person, now: UtcTime) -> Vec<DenialReason> {
    let mut why = Vec::new();
    if badge.state != BadgeState::Active {
        why.push(DenialReason::CredentialNotEnabled);
    }
    if too_early(badge.validity, now) {
        why.push(DenialReason::CredentialNotActive);
    }
    if too_late(badge.validity, now) {
        why.push(DenialReason::CredentialExpired);
    }
    if person.state == PersonState::Suspended {
        why.push(DenialReason::PersonSuspended);
    }
    if too_early(person.validity, now) {
        why.push(DenialReason::PersonNotActive);
    }
    if too_late(person.validity, now) {
        why.push(DenialReason::PersonExpired);
    }
    why
}

fn is_for(parts: &RosterParts, entry: &AccessListEntry, person: &Person, at: &AccessPoint) -> bool {
    let governing = match at.direction {
        Direction::Entry => &at.to_area,
        Direction::Exit => &at.from_area,
    };
    let owners = &parts.areas[governing].customers;
    let list_counts = owners.is_empty() || owners.contains(&entry.entry.customer);
    let member = is_member(person, &entry.entry.customer);
    let covers = entry.scope.areas.contains(governing) || entry.scope.doors.contains(&at.door);
    list_counts && member && covers
}

fn wrong_with(parts: &RosterParts, entry: &AccessListEntry, now: UtcTime) -> Vec<DenialReason> {
    let mut wrong = Vec::new();
    if too_early(entry.validity, now) {
        wrong.push(DenialReason::ListEntryNotActive);
    }
    if too_late(entry.validity, now) {
        wrong.push(DenialReason::ListEntryExpired);
    }
    if !open(parts, &entry.schedule, now) {
        wrong.push(DenialReason::NotPermittedAtThisTime);
    }
    if !can_approve(parts, &entry.approver, &entry.entry.customer, now) {
        wrong.push(DenialReason::ApproverNotValid);
    }
    wrong
}

fn can_approve(parts: &RosterParts, who: &PersonId, of: &CustomerId, now: UtcTime) -> bool {
    let approver = &parts.persons[who];
    let appointed = approver
        .memberships
        .iter()
        .any(|m| m.customer == *of && m.may_approve);
    let admitted = !too_early(approver.validity, now) && !too_late(approver.validity, now);
    appointed && admitted && approver.state == PersonState::Active
}

fn is_member(person: &Person, customer: &CustomerId) -> bool {
    person.memberships.iter().any(|m| m.customer == *customer)
}

fn too_early(validity: Validity, now: UtcTime) -> bool {
    validity.from().is_some_and(|from| now.unix() < from.unix())
}

fn too_late(validity: Validity, now: UtcTime) -> bool {
    validity
        .until()
        .is_some_and(|until| now.unix() >= until.unix())
}

fn open(parts: &RosterParts, schedule: &ScheduleId, now: UtcTime) -> bool {
    if schedule.as_str() == "always" {
        return true;
    }
    let schedule = &parts.schedules[schedule];
    let zone: Tz = parts.zone.name().parse().unwrap();
    let local = DateTime::from_timestamp(now.unix(), 0)
        .unwrap()
        .with_timezone(&zone);
    let minute = local.hour() * 60 + local.minute();
    for special in &schedule.special {
        let dates = &parts.special_days[&special.special_days].dates;
        if dates.contains(&local.date_naive()) {
            let mut spans = special.spans.iter();
            return spans.any(|s| s.from_minute() <= minute && minute < s.until_minute());
        }
    }
    let today = local.weekday().number_from_monday();
    schedule.weekly.iter().any(|w| {
        let (from, until) = (w.span.from_minute(), w.span.until_minute());
        w.weekday.number() == today && from <= minute && minute < until
    })
}
