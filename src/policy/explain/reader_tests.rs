//! What a customer is told, and that other customers' lists and people make no difference to it.

use std::cell::Cell;

use proptest::{prop_assert, prop_assert_eq};

use super::{Case, Explanation, explain};
use crate::policy::testing::{
    World, area, attempt, compiled, customer, decide_slowly, each_world, entry, monday_morning,
    person, scope, site, t, valid, zone,
};
use crate::policy::{Change, Finding, RosterParts, TimeTold};
use crate::types::{Attempt, CustomerId, Membership, PersonState, Precision, SiteZone};

const READERS: [&str; 3] = ["c-0", "c-1", "c-2"];

fn exactly() -> TimeTold {
    TimeTold {
        precision: Precision::Second,
        zone: zone(),
    }
}

/// Everything that is said, in sentences.
fn sentences(explanation: &Explanation) -> Vec<String> {
    let failed = explanation.failed.iter();
    let failed = failed.map(|rule| rule.sentence(Precision::Second));
    let changes = explanation.changes.iter().map(|c| c.sentence(exactly()));
    failed.chain(changes).collect()
}

fn told(parts: &RosterParts, attempt: &Attempt, reader: &str) -> Explanation {
    let reader = customer(reader);
    explain(&compiled(parts), attempt, monday_morning(), Some(&reader))
}

fn after(parts: &RosterParts, attempt: &Attempt, changes: &[&Change]) -> (RosterParts, Attempt) {
    let (mut parts, mut attempt) = (parts.clone(), attempt.clone());
    for change in changes {
        change.apply(&mut parts, &mut attempt);
    }
    (parts, attempt)
}

/// Whether a list lets the holder pass now, whatever else is wrong.
fn listed(parts: &RosterParts, world: &World) -> bool {
    let roster = compiled(parts);
    let case = Case::new(&roster, &world.attempt, world.now, None);
    let (Some(point), Some((_, holder))) = (case.point, case.known) else {
        return false;
    };
    case.scene.look_in_lists(point, holder).is_ok()
}

/// The site as the reader knows it: no lines but its own, and others' people are all suspended.
fn as_known(world: &World, reader: &CustomerId) -> RosterParts {
    let mut parts = world.parts.clone();
    parts.entries.retain(|entry, _| entry.customer == *reader);
    let badges = parts.badges.values();
    let holder = badges
        .filter(|b| b.card == world.attempt.card.key)
        .map(|b| b.person.clone())
        .next();
    for known in parts.persons.values_mut() {
        if !known.belongs_to(reader) && Some(&known.id) != holder.as_ref() {
            known.state = PersonState::Suspended;
        }
    }
    parts
}

#[test]
fn what_others_have_makes_no_difference_to_a_reader() {
    let compared = Cell::new(0);
    each_world(500, |world| {
        for reader in READERS.map(customer) {
            let known = as_known(&world, &reader);
            // That another list lets the person pass now is told by the decision.
            if listed(&world.parts, &world) != listed(&known, &world) {
                continue;
            }
            let real = explain(
                &compiled(&world.parts),
                &world.attempt,
                world.now,
                Some(&reader),
            );
            let own = explain(&compiled(&known), &world.attempt, world.now, Some(&reader));
            prop_assert_eq!(&real.failed, &own.failed);
            prop_assert_eq!(&real.changes, &own.changes);
            compared.set(compared.get() + usize::from(!real.changes.is_empty()));
        }
        Ok(())
    });
    assert!(compared.get() > 100, "{} is too few", compared.get());
}

#[test]
fn a_reader_is_told_of_nobody_else() {
    each_world(500, |world| {
        let roster = compiled(&world.parts);
        for reader in READERS {
            let own = customer(reader);
            let told = explain(&roster, &world.attempt, world.now, Some(&own));
            let holder = told.decision.person().cloned();
            for sentence in sentences(&told) {
                for other in READERS.into_iter().filter(|other| *other != reader) {
                    let other = customer(other).name();
                    prop_assert!(!sentence.contains(&other), "{reader} is told: {sentence}");
                }
            }
            for change in &told.changes {
                let sentence = change.sentence(exactly());
                for known in world.parts.persons.values() {
                    let may = known.belongs_to(&own) || Some(&known.id) == holder.as_ref();
                    let named = sentence.contains(&known.id.name());
                    prop_assert!(may || !named, "{reader} is told: {sentence}");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn for_a_reader_too_the_whole_change_grants_and_leaving_any_part_out_does_not() {
    let parts_most = Cell::new(0);
    each_world(500, |world| {
        let roster = compiled(&world.parts);
        for reader in READERS.map(customer) {
            let told = explain(&roster, &world.attempt, world.now, Some(&reader));
            if told.decision.is_grant() {
                prop_assert!(told.changes.is_empty());
                continue;
            }
            let case = Case::new(&roster, &world.attempt, world.now, Some(&reader));
            let changes: Vec<&Change> = told.changes.iter().collect();
            if changes.is_empty() {
                let own = roster.customers.find(&reader);
                let counts = case.point.zip(own).is_some_and(|(p, c)| p.list_counts(c));
                let holder = told.decision.person();
                let mut people = world.parts.persons.values();
                let can = people.any(|p| Some(&p.id) != holder && p.belongs_to(&reader));
                prop_assert!(!(counts && can && holder.is_some()), "nothing is told");
                continue;
            }
            let (parts, attempt) = after(&world.parts, &world.attempt, &changes);
            prop_assert!(decide_slowly(&parts, &attempt, world.now).is_grant());
            // By the lists that the reader sees; by others it may pass with less.
            let known = as_known(&world, &reader);
            for left_out in 0..changes.len() {
                let mut rest = changes.clone();
                rest.remove(left_out);
                let (parts, attempt) = after(&known, &world.attempt, &rest);
                let granted = decide_slowly(&parts, &attempt, world.now).is_grant();
                prop_assert!(!granted, "{left_out} of {changes:?}");
            }
            parts_most.set(parts_most.get().max(changes.len()));
        }
        Ok(())
    });
    assert!(parts_most.get() >= 5, "the worlds are too easy");
}

#[test]
fn who_is_not_listed_is_told_of_the_own_list_only() {
    let mut parts = site();
    let hall = parts.areas.get_mut(&area("hall-a")).unwrap();
    hall.customers.push(customer("borea"));
    parts.entries.remove(&entry("acme", 1));
    let told = told(&parts, &attempt(1, "a-in"), "acme");
    assert_eq!(
        sentences(&told)[0],
        "persons/p-1 is not on the list of customers/acme for areas/hall-a or doors/d-a."
    );
}

#[test]
fn where_the_own_list_does_not_count_nobody_is_told_whose_does() {
    let told = told(&site(), &attempt(1, "a-to-b"), "acme");
    assert!(matches!(
        told.failed[0].finding,
        Finding::ListNotCounted { .. }
    ));
    assert_eq!(
        sentences(&told),
        [
            "The list of customers/acme does not count at doors/d-ab, and persons/p-1 is on no list \
          that does."
        ]
    );
}

#[test]
fn an_approver_of_another_customer_is_neither_suggested_nor_described() {
    let mut parts = site();
    // p-2 has gone to borea, and acme has nobody left but p-1 and p-5.
    parts.person_mut("p-2").memberships[0].customer = customer("borea");
    parts.person_mut("p-2").state = PersonState::Suspended;
    parts.add_person(5, "acme", false);
    let told = told(&parts, &attempt(1, "a-in"), "acme");
    let line = "customers/acme/accessList/entries/1";
    assert_eq!(
        sentences(&told),
        [
            format!("{line} is approved by persons/p-2, who may not approve for customers/acme."),
            format!("Have {line} approved by persons/p-5."),
            "Let persons/p-5 approve for customers/acme.".to_owned(),
        ]
    );
}

#[test]
fn on_a_tie_the_readers_own_list_is_changed() {
    let mut parts = site();
    // In the lobby both lists count; a line of either would do with one change.
    parts.person_mut("p-3").memberships = ["acme", "borea"]
        .into_iter()
        .map(|of| Membership {
            customer: customer(of),
            may_approve: false,
        })
        .collect();
    let lobby = scope(&["lobby"], &[]);
    parts.add_entry(entry("acme", 9), ("p-3", "p-2"), lobby, "always");
    let over = valid("-", "2026-11-01T00:00:00Z");
    parts.entry_mut("acme", 9).validity = over;
    parts.entry_mut("borea", 2).validity = over;
    for reader in ["acme", "borea"] {
        let told = told(&parts, &attempt(3, "front-in"), reader);
        let [Change::Entry { entry, .. }] = &told.changes[..] else {
            panic!("{:?}", told.changes);
        };
        assert_eq!(entry.customer, customer(reader));
    }
}

#[test]
fn a_sentence_tells_the_instant_no_finer_than_asked() {
    let mut parts = site();
    parts.person_mut("p-1").validity = valid("2026-12-01T00:00:00Z", "-");
    let at = t("2026-11-23T19:47:13Z");
    let explanation = explain(&compiled(&parts), &attempt(1, "a-in"), at, None);
    let schedule = explanation.failed.last().unwrap();
    let includes = explanation.changes.first().unwrap();
    let person = person("p-1").name();
    for (precision, clock, include) in [
        (
            Precision::Hour,
            "in the hour from 20:00",
            "the hour from 2026-11-23T19:00:00Z",
        ),
        (
            Precision::Minute,
            "at 20:47",
            "the minute from 2026-11-23T19:47:00Z",
        ),
        (Precision::Second, "at 20:47", "2026-11-23T19:47:13Z"),
    ] {
        let sentence = schedule.sentence(precision);
        let said = format!("not on Monday 2026-11-23 {clock} in Europe/Stockholm.");
        assert!(sentence.ends_with(&said), "{sentence}");
        let told = TimeTold {
            precision,
            zone: zone(),
        };
        assert_eq!(
            includes.sentence(told),
            format!("Move the validity of {person} so that it includes {include}.")
        );
    }
}

#[test]
fn an_hour_begins_by_the_clocks_of_the_site() {
    let mut parts = site();
    parts.person_mut("p-1").validity = valid("2026-12-01T00:00:00Z", "-");
    let at = t("2026-11-23T14:17:13Z"); // 19:47:13 in Kolkata
    let explanation = explain(&compiled(&parts), &attempt(1, "a-in"), at, None);
    let told = TimeTold {
        precision: Precision::Hour,
        zone: SiteZone::parse("Asia/Kolkata").unwrap(),
    };
    let sentence = explanation.changes[0].sentence(told);
    assert!(sentence.ends_with("2026-11-23T13:30:00Z."), "{sentence}");
}
