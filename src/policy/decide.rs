//! The decision.
//!
//! An attempt is granted if the card is a known badge, the badge and its holder are admitted, a
//! line of a list that counts here lets the holder pass now, and the factors asked for here were
//! verified. Everything that fails is a reason; one reason is enough to deny.

use crate::types::{
    AccessPointId, Attempt, BadgeState, CardCheck, Decision, Denial, DenialReason, Factor,
    FactorRequirement, FactorSet, Grant, LocalTime, Person, PersonState, PinEvidence, ReasonSet,
    UtcTime, Validity, ValidityState,
};

use super::Roster;
use super::roster::{BadgeRow, EntryRow, PersonRow, PointRow};

/// Decides an attempt by the rules of a roster. Denies unless every rule is met.
///
/// A denial carries all reasons that apply. Of several entries that let the person pass, a grant
/// names the lowest. At an access point that the roster does not know nobody is on a list.
pub fn decide(roster: &Roster, attempt: &Attempt, now: UtcTime) -> Decision {
    let scene = Scene::new(roster, now);
    let point = roster.point(&attempt.access_point);
    let factors = point.map_or(ReasonSet::EMPTY, |p| scene.factor_reasons(p, attempt.pin));
    let unsound = card_reasons(attempt.card.check);
    if !unsound.is_empty() {
        // What was misread names nobody, so it is not an unknown card either.
        return unidentified(unsound.union(factors));
    }
    let Some((badge, holder)) = roster.badge_and_holder(&attempt.card) else {
        return unidentified(one(DenialReason::UnknownCard).union(factors));
    };
    let listed = match point {
        Some(point) => scene.look_in_lists(point, holder),
        None => Err(one(DenialReason::NotOnAccessList)),
    };
    let reasons = badge_reasons(badge, now)
        .union(person_reasons(&holder.person, now))
        .union(listed.err().unwrap_or_default())
        .union(factors);
    let granted = listed.ok().filter(|_| reasons.is_empty());
    let grant = granted.and_then(|entry| grant(roster, badge, entry, attempt.pin));
    match grant {
        Some(grant) => Decision::Grant(grant),
        None => Decision::Denial(Denial {
            badge: Some(badge.badge.id.clone()),
            person: Some(holder.person.id.clone()),
            reasons,
            verified: verified(attempt.pin),
        }),
    }
}

impl Roster {
    /// What has to be presented at an access point now; `None` if nobody knows it.
    pub fn requirement(&self, at: &AccessPointId, now: UtcTime) -> Option<FactorRequirement> {
        let point = self.point(at)?;
        Some(Scene::new(self, now).requirement(point))
    }
}

/// The rules, and the instant in both of its readings.
pub(super) struct Scene<'a> {
    pub(super) roster: &'a Roster,
    pub(super) now: UtcTime,
    pub(super) local: LocalTime,
}

impl<'a> Scene<'a> {
    pub(super) fn new(roster: &'a Roster, now: UtcTime) -> Self {
        Self {
            roster,
            now,
            local: roster.zone().local(now),
        }
    }

    /// The first entry that lets the person pass, or why none of them does.
    pub(super) fn look_in_lists(
        &self,
        point: &PointRow,
        holder: &PersonRow,
    ) -> Result<&'a EntryRow, ReasonSet> {
        let mut all = ReasonSet::EMPTY;
        for entry in self.roster.entries_of(holder) {
            if !point.counts(entry) || !self.covers(point, entry) {
                continue;
            }
            let reasons = self.entry_reasons(entry);
            if reasons.is_empty() {
                return Ok(entry);
            }
            all = all.union(reasons);
        }
        if all.is_empty() {
            all.insert(DenialReason::NotOnAccessList);
        }
        Err(all)
    }

    /// Whether an entry names the governing area or the door.
    pub(super) fn covers(&self, point: &PointRow, entry: &EntryRow) -> bool {
        let scope = self.roster.scopes.get(entry.scope);
        scope.is_some_and(|scope| scope.covers(point))
    }

    /// Why an entry that counts and covers does not let its person pass now.
    pub(super) fn entry_reasons(&self, entry: &EntryRow) -> ReasonSet {
        let mut reasons = validity_reasons(
            entry.validity,
            self.now,
            DenialReason::ListEntryNotActive,
            DenialReason::ListEntryExpired,
        );
        let schedule = self.roster.schedules.get(entry.schedule);
        if !schedule.is_some_and(|row| row.schedule.holds(&self.local)) {
            reasons.insert(DenialReason::NotPermittedAtThisTime);
        }
        let approver = self.roster.persons.get(entry.approver);
        let admitted = approver.is_some_and(|row| person_reasons(&row.person, self.now).is_empty());
        if !(entry.approver_may_approve && admitted) {
            reasons.insert(DenialReason::ApproverNotValid);
        }
        reasons
    }

    /// What has to be presented here now: the first rule whose schedule holds, or the default.
    pub(super) fn requirement(&self, point: &PointRow) -> FactorRequirement {
        self.factor_rule(point)
            .map_or(point.point.default_requirement, |(_, requirement)| {
                requirement
            })
    }

    /// The rule that says what has to be presented here now, and its place among the rules.
    pub(super) fn factor_rule(&self, point: &PointRow) -> Option<(usize, FactorRequirement)> {
        let holds = |slot| {
            let row = self.roster.schedules.get(slot);
            row.is_some_and(|row| row.schedule.holds(&self.local))
        };
        let rules = point.factor_rules.iter().enumerate();
        let mut holding = rules.filter(|(_, (schedule, _))| holds(*schedule));
        holding
            .next()
            .map(|(place, (_, requirement))| (place, *requirement))
    }

    /// Which of the factors asked for here were not verified.
    fn factor_reasons(&self, point: &PointRow, pin: PinEvidence) -> ReasonSet {
        match (self.requirement(point), pin) {
            (FactorRequirement::Badge, _)
            | (FactorRequirement::BadgeAndPin, PinEvidence::Verified | PinEvidence::Duress) => {
                ReasonSet::EMPTY
            }
            (FactorRequirement::BadgeAndPin, PinEvidence::NotGiven) => {
                one(DenialReason::PinRequired)
            }
            (FactorRequirement::BadgeAndPin, PinEvidence::Wrong) => one(DenialReason::InvalidPin),
            (FactorRequirement::BadgeAndPin, PinEvidence::LockedOut) => {
                one(DenialReason::PinLockedOut)
            }
            (FactorRequirement::BadgeAndFinger, _) => one(DenialReason::FactorNotSupported),
        }
    }
}

/// Why a card may not be looked up.
fn card_reasons(check: CardCheck) -> ReasonSet {
    match check {
        CardCheck::Sound => ReasonSet::EMPTY,
        CardCheck::ParityFailed => one(DenialReason::CardParity),
        CardCheck::FormatNotAccepted => one(DenialReason::CardFormatNotAccepted),
    }
}

fn badge_reasons(badge: &BadgeRow, now: UtcTime) -> ReasonSet {
    let mut reasons = validity_reasons(
        badge.badge.validity,
        now,
        DenialReason::CredentialNotActive,
        DenialReason::CredentialExpired,
    );
    match badge.badge.state {
        BadgeState::Active => {}
        BadgeState::Blocked
        | BadgeState::Lost
        | BadgeState::Stolen
        | BadgeState::Damaged
        | BadgeState::Inactive
        | BadgeState::Returned
        | BadgeState::Destroyed => reasons.insert(DenialReason::CredentialNotEnabled),
    }
    reasons
}

fn person_reasons(person: &Person, now: UtcTime) -> ReasonSet {
    let mut reasons = validity_reasons(
        person.validity,
        now,
        DenialReason::PersonNotActive,
        DenialReason::PersonExpired,
    );
    match person.state {
        PersonState::Active => {}
        PersonState::Suspended => reasons.insert(DenialReason::PersonSuspended),
    }
    reasons
}

fn validity_reasons(
    validity: Validity,
    now: UtcTime,
    not_yet: DenialReason,
    over: DenialReason,
) -> ReasonSet {
    match validity.at(now) {
        ValidityState::NotYet => one(not_yet),
        ValidityState::Holds => ReasonSet::EMPTY,
        ValidityState::Over => one(over),
    }
}

fn one(reason: DenialReason) -> ReasonSet {
    ReasonSet::from_iter([reason])
}

/// A denial of a card that leads to nobody. Nothing of it is verified: there is no holder whose
/// PIN it could have been.
fn unidentified(reasons: ReasonSet) -> Decision {
    Decision::Denial(Denial {
        badge: None,
        person: None,
        reasons,
        verified: FactorSet::EMPTY,
    })
}

fn grant(roster: &Roster, badge: &BadgeRow, entry: &EntryRow, pin: PinEvidence) -> Option<Grant> {
    let approver = roster.persons.get(entry.approver)?;
    Some(Grant {
        badge: badge.badge.id.clone(),
        person: badge.badge.person.clone(),
        entry: roster.entry_ref(entry)?,
        approver: approver.person.id.clone(),
        verified: verified(pin),
    })
}

/// The factors that were verified of a known badge.
fn verified(pin: PinEvidence) -> FactorSet {
    let mut factors = FactorSet::EMPTY;
    factors.insert(Factor::Badge);
    match pin {
        PinEvidence::Verified | PinEvidence::Duress => factors.insert(Factor::Pin),
        PinEvidence::NotGiven | PinEvidence::Wrong | PinEvidence::LockedOut => {}
    }
    factors
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use proptest::prop_assert_eq;

    use super::*;
    use crate::policy::RosterParts;
    use crate::policy::testing::{
        access_point, attempt, badge, card, compiled, date, decide_slowly, each_world, entry,
        monday_morning, person, schedule_id, scope, site, t, valid,
    };
    use crate::types::DenialReason::{FactorNotSupported, InvalidPin, NotOnAccessList};
    use crate::types::DenialReason::{NotPermittedAtThisTime, PinLockedOut, PinRequired};
    use crate::types::FactorRule;

    /// p-1 stands at the entry of hall-a on a Monday morning, after all this has happened.
    const TABLE: &[(&str, &str)] = &[
        ("nothing at all", "granted"),
        ("the card is unknown", "UnknownCard"),
        ("the card is misread", "CardParity"),
        ("the card is of no format here", "CardFormatNotAccepted"),
        ("the badge is blocked", "CredentialNotEnabled"),
        ("the badge is lost", "CredentialNotEnabled"),
        ("the badge is stolen", "CredentialNotEnabled"),
        ("the badge is damaged", "CredentialNotEnabled"),
        ("the badge has not been used", "CredentialNotEnabled"),
        ("the badge was handed back", "CredentialNotEnabled"),
        ("the badge was destroyed", "CredentialNotEnabled"),
        ("the badge begins in a second", "CredentialNotActive"),
        ("the badge begins this second", "granted"),
        ("the badge ended this second", "CredentialExpired"),
        ("the person is suspended", "PersonSuspended"),
        ("the person begins in a second", "PersonNotActive"),
        ("the person ended this second", "PersonExpired"),
        ("the person left the customer", "NotOnAccessList"),
        ("the line was removed", "NotOnAccessList"),
        ("the line is for other places", "NotOnAccessList"),
        ("the line is for the door alone", "granted"),
        ("the line begins in a second", "ListEntryNotActive"),
        ("the line ended this second", "ListEntryExpired"),
        ("the approver is suspended", "ApproverNotValid"),
        ("the approver begins in a second", "ApproverNotValid"),
        ("the approver ended this second", "ApproverNotValid"),
        ("the approver may not approve", "ApproverNotValid"),
        ("the approver is another customer's", "ApproverNotValid"),
        ("today is a holiday", "NotPermittedAtThisTime"),
        ("the access point is unknown", "NotOnAccessList"),
        ("it is the way out", "granted"),
        ("it is another customer's hall", "NotOnAccessList"),
        ("a PIN is asked for", "PinRequired"),
        ("a PIN is asked for + the PIN is wrong", "InvalidPin"),
        ("a PIN is asked for + the PIN is locked", "PinLockedOut"),
        ("a PIN is asked for + the PIN is right", "granted"),
        ("a PIN is asked for + the PIN is forced", "granted"),
        ("the PIN is forced", "granted"),
        ("the PIN is wrong", "granted"),
        ("the PIN is locked", "granted"),
        ("a finger is asked for", "FactorNotSupported"),
        (
            "the card is unknown + a PIN is asked for + the badge is lost",
            "UnknownCard, PinRequired",
        ),
        (
            "the card is misread + the card is unknown + the line was removed",
            "CardParity",
        ),
        (
            "the card is of no format here + a PIN is asked for + the badge is lost",
            "PinRequired, CardFormatNotAccepted",
        ),
        (
            "the card is misread + a PIN is asked for + the PIN is forced",
            "CardParity",
        ),
        (
            "the badge is lost + the badge ended this second + the person is suspended \
             + the line begins in a second + the approver is suspended \
             + today is a holiday + a PIN is asked for",
            "CredentialNotEnabled, CredentialExpired, PersonSuspended, ListEntryNotActive, \
             ApproverNotValid, NotPermittedAtThisTime, PinRequired",
        ),
    ];

    fn happens(what: &str, site: &mut RosterParts, attempt: &mut Attempt) {
        let soon = valid("2026-11-23T08:15:01Z", "-");
        let now = valid("2026-11-23T08:15:00Z", "-");
        let over = valid("-", "2026-11-23T08:15:00Z");
        match what {
            "nothing at all" => {}
            "the card is unknown" => attempt.card.key = card(9),
            "the card is misread" => attempt.card.check = CardCheck::ParityFailed,
            "the card is of no format here" => attempt.card.check = CardCheck::FormatNotAccepted,
            "the badge is blocked" => site.badge_mut("b-1").state = BadgeState::Blocked,
            "the badge is lost" => site.badge_mut("b-1").state = BadgeState::Lost,
            "the badge is stolen" => site.badge_mut("b-1").state = BadgeState::Stolen,
            "the badge is damaged" => site.badge_mut("b-1").state = BadgeState::Damaged,
            "the badge has not been used" => site.badge_mut("b-1").state = BadgeState::Inactive,
            "the badge was handed back" => site.badge_mut("b-1").state = BadgeState::Returned,
            "the badge was destroyed" => site.badge_mut("b-1").state = BadgeState::Destroyed,
            "the badge begins in a second" => site.badge_mut("b-1").validity = soon,
            "the badge begins this second" => site.badge_mut("b-1").validity = now,
            "the badge ended this second" => site.badge_mut("b-1").validity = over,
            "the person is suspended" => site.person_mut("p-1").state = PersonState::Suspended,
            "the person begins in a second" => site.person_mut("p-1").validity = soon,
            "the person ended this second" => site.person_mut("p-1").validity = over,
            "the person left the customer" => site.person_mut("p-1").memberships.clear(),
            "the line was removed" => drop(site.entries.remove(&entry("acme", 1))),
            "the line is for other places" => {
                site.entry_mut("acme", 1).scope = scope(&["lobby"], &["d-b"]);
            }
            "the line is for the door alone" => {
                site.entry_mut("acme", 1).scope = scope(&[], &["d-a"]);
            }
            "the line begins in a second" => site.entry_mut("acme", 1).validity = soon,
            "the line ended this second" => site.entry_mut("acme", 1).validity = over,
            "the approver is suspended" => site.person_mut("p-2").state = PersonState::Suspended,
            "the approver begins in a second" => site.person_mut("p-2").validity = soon,
            "the approver ended this second" => site.person_mut("p-2").validity = over,
            "the approver may not approve" => {
                site.person_mut("p-2").memberships[0].may_approve = false;
            }
            "the approver is another customer's" => {
                site.entry_mut("acme", 1).approver = person("p-4");
            }
            "today is a holiday" => {
                let holidays = site.special_days.values_mut();
                holidays.for_each(|set| set.dates.push(date("2026-11-23")));
            }
            "the access point is unknown" => attempt.access_point = access_point("nowhere"),
            "it is the way out" => attempt.access_point = access_point("a-out"),
            "it is another customer's hall" => attempt.access_point = access_point("a-to-b"),
            "a PIN is asked for" => {
                site.point_mut("a-in").default_requirement = FactorRequirement::BadgeAndPin;
            }
            "a finger is asked for" => {
                site.point_mut("a-in").default_requirement = FactorRequirement::BadgeAndFinger;
            }
            "the PIN is wrong" => attempt.pin = PinEvidence::Wrong,
            "the PIN is locked" => attempt.pin = PinEvidence::LockedOut,
            "the PIN is right" => attempt.pin = PinEvidence::Verified,
            "the PIN is forced" => attempt.pin = PinEvidence::Duress,
            other => panic!("nobody knows what `{other}` means"),
        }
    }

    #[test]
    fn the_table_of_the_guard() {
        for (happened, expected) in TABLE {
            let (mut parts, mut attempt) = (site(), attempt(1, "a-in"));
            for what in happened.split(" + ") {
                happens(what, &mut parts, &mut attempt);
            }
            let decision = decide(&compiled(&parts), &attempt, monday_morning());
            let reasons: Vec<_> = decision
                .reasons()
                .iter()
                .map(|r| format!("{r:?}"))
                .collect();
            let outcome = if decision.is_grant() {
                "granted"
            } else {
                &reasons.join(", ")
            };
            assert_eq!(outcome, *expected, "{happened}");
        }
    }

    fn reasons_at(card: u8, at: &str, pin: PinEvidence, now: &str) -> Vec<DenialReason> {
        let attempt = Attempt {
            pin,
            ..attempt(card, at)
        };
        decide(&compiled(&site()), &attempt, t(now))
            .reasons()
            .iter()
            .collect()
    }

    #[test]
    fn office_hours_follow_the_sites_clocks_over_the_change_of_summer_time() {
        let check = |now, expected: &[DenialReason]| {
            assert_eq!(
                reasons_at(1, "a-in", PinEvidence::NotGiven, now),
                expected,
                "{now}"
            );
        };
        check("2026-10-23T05:00:00Z", &[]); // Friday 07:00, summer time
        check("2026-10-26T05:59:59Z", &[NotPermittedAtThisTime]); // Monday 06:59:59, winter time
        check("2026-10-26T06:00:00Z", &[]);
        check("2026-12-25T09:00:00Z", &[NotPermittedAtThisTime]); // a holiday
    }

    #[test]
    fn a_pin_is_judged_where_it_is_asked_for() {
        let check = |pin, expected: &[DenialReason]| {
            let reasons = reasons_at(3, "b-in", pin, "2026-11-23T08:15:00Z");
            assert_eq!(reasons, expected, "{pin:?}");
        };
        check(PinEvidence::Verified, &[]);
        check(PinEvidence::NotGiven, &[PinRequired]);
        check(PinEvidence::Wrong, &[InvalidPin]);
        check(PinEvidence::LockedOut, &[PinLockedOut]);
    }

    #[test]
    fn the_first_factor_rule_that_holds_is_used() {
        let rule = |schedule, requirement| FactorRule {
            schedule: schedule_id(schedule),
            requirement,
        };
        let mut parts = site();
        parts.point_mut("a-in").factor_rules = vec![
            rule("office", FactorRequirement::BadgeAndPin),
            rule("always", FactorRequirement::BadgeAndFinger),
        ];
        let roster = compiled(&parts);
        let at = |now| decide(&roster, &attempt(1, "a-in"), t(now)).reasons();
        assert!(at("2026-11-23T08:15:00Z").contains(PinRequired));
        assert!(at("2026-11-23T20:00:00Z").contains(FactorNotSupported));
    }

    #[test]
    fn in_a_shared_area_only_the_lists_of_ones_own_customers_count() {
        let shared = |s: &mut RosterParts, card| {
            let attempt = attempt(card, "front-in");
            decide(&compiled(s), &attempt, monday_morning())
        };
        let mut parts = site();
        assert!(shared(&mut parts, 1).is_grant());
        assert!(shared(&mut parts, 3).is_grant());
        assert!(shared(&mut parts, 2).reasons().contains(NotOnAccessList));
        // borea lists somebody who is not of borea: that does not count.
        parts.entry_mut("borea", 2).person = person("p-2");
        assert!(shared(&mut parts, 2).reasons().contains(NotOnAccessList));
    }

    #[test]
    fn a_grant_names_the_lowest_entry_and_its_approver() {
        let mut parts = site();
        let mut second = parts.entry_mut("acme", 1).clone();
        second.entry = entry("acme", 9);
        parts.entries.insert(second.entry.clone(), second);
        let granted =
            |parts: &RosterParts| decide(&compiled(parts), &attempt(1, "a-in"), monday_morning());
        let Decision::Grant(grant) = granted(&parts) else {
            panic!("must be granted");
        };
        assert_eq!((grant.badge, grant.person), (badge("b-1"), person("p-1")));
        assert_eq!(
            (grant.entry, grant.approver),
            (entry("acme", 1), person("p-2"))
        );
        parts.entry_mut("acme", 1).validity = valid("-", "2026-11-01T00:00:00Z");
        let Decision::Grant(grant) = granted(&parts) else {
            panic!("the other entry still holds");
        };
        assert_eq!(grant.entry, entry("acme", 9));
    }

    #[test]
    fn what_was_verified_is_told_in_a_denial_too() {
        let roster = compiled(&site());
        let told = |card, pin| {
            let attempt = Attempt {
                pin,
                ..attempt(card, "a-to-b")
            };
            let decision = decide(&roster, &attempt, monday_morning());
            decision.verified().iter().collect::<Vec<_>>()
        };
        assert_eq!(told(1, PinEvidence::Verified), [Factor::Badge, Factor::Pin]);
        assert_eq!(told(1, PinEvidence::Duress), [Factor::Badge, Factor::Pin]);
        assert_eq!(told(1, PinEvidence::Wrong), [Factor::Badge]);
        assert_eq!(told(9, PinEvidence::Verified), []);
    }

    #[test]
    fn a_card_that_is_not_sound_leads_to_nobody_whatever_its_bits() {
        let roster = compiled(&site());
        for check in [CardCheck::ParityFailed, CardCheck::FormatNotAccepted] {
            // The card of b-1, who may pass here.
            let mut attempt = attempt(1, "a-in");
            attempt.card.check = check;
            attempt.pin = PinEvidence::Verified;
            let decision = decide(&roster, &attempt, monday_morning());
            assert!(!decision.is_grant());
            assert_eq!((decision.badge(), decision.person()), (None, None));
            assert_eq!(decision.verified(), FactorSet::EMPTY);
            assert_eq!(roster.badge_of(&attempt.card), None);
        }
        let sound = attempt(1, "a-in").card;
        assert_eq!(roster.badge_of(&sound).unwrap().id, badge("b-1"));
    }

    #[test]
    fn what_has_to_be_presented_follows_the_rules_of_the_hour() {
        let mut parts = site();
        parts.point_mut("a-in").factor_rules = vec![FactorRule {
            schedule: schedule_id("office"),
            requirement: FactorRequirement::BadgeAndPin,
        }];
        let roster = compiled(&parts);
        let asked = |at, now| roster.requirement(&access_point(at), t(now));
        let (office, evening) = ("2026-11-23T08:15:00Z", "2026-11-23T19:15:00Z");
        assert_eq!(asked("a-in", office), Some(FactorRequirement::BadgeAndPin));
        assert_eq!(asked("a-in", evening), Some(FactorRequirement::Badge));
        assert_eq!(asked("b-in", evening), Some(FactorRequirement::BadgeAndPin));
        assert_eq!(asked("nowhere", office), None);
    }

    #[test]
    fn a_slow_and_obvious_decision_decides_alike() {
        let seen: RefCell<BTreeMap<Option<DenialReason>, u32>> = RefCell::default();
        each_world(4_000, |world| {
            let roster = Roster::compile(&world.parts, 1).unwrap();
            let decision = decide(&roster, &world.attempt, world.now);
            let slow = decide_slowly(&world.parts, &world.attempt, world.now);
            let mut seen = seen.borrow_mut();
            for reason in decision.reasons().iter() {
                *seen.entry(Some(reason)).or_default() += 1;
            }
            *seen.entry(None).or_default() += u32::from(decision.is_grant());
            prop_assert_eq!(decision, slow);
            Ok(())
        });
        let seen = seen.into_inner();
        let often = |what| seen.get(&what).copied().unwrap_or(0);
        for reason in DenialReason::ALL {
            assert!(
                often(Some(reason)) >= 20,
                "{reason:?} is hardly tried: {seen:?}"
            );
        }
        assert!(often(None) >= 200, "too few grants: {seen:?}");
    }
}
