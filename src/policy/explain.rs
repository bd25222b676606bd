//! Why a door stays shut, rule by rule. Not on the way of an attempt: it allocates freely.

use crate::types::{
    Attempt, BadgeState, CustomerId, Decision, DenialReason, Person, PersonState, ReasonSet,
    UtcTime, Validity, ValidityState,
};

use super::decide::Scene;
use super::finding::{ApproverLack, FailedRule, Finding};
use super::remedy::smallest_change;
use super::roster::{BadgeRow, CustomerRow, EntryRow, PersonRow, PointRow};
use super::rows::Slot;
use super::{Change, Resource, Roster, decide};

/// A decision with every rule behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What is decided.
    pub decision: Decision,
    /// Every rule that failed, by the number of its reason; empty for a grant.
    ///
    /// For a reader lists are its own list only.
    pub failed: Vec<FailedRule>,
    /// The smallest change after which the attempt is granted: all parts of it are needed.
    ///
    /// Empty for a grant, and where no change of the rules helps: an unknown card, an unknown
    /// access point, or nobody who could approve. For a reader it is the smallest of its own
    /// list and people, whatever is on the lists of others.
    pub changes: Vec<Change>,
}

/// Explains an attempt: decides it, says which rules failed, and what would let it pass.
///
/// It asks the same functions as [`decide`], so that the two cannot differ.
///
/// `reader` is the customer who is told; `None` is told everything. A reader is told nothing of
/// other customers' lists but whether one of them lets the person pass now, as the decision shows,
/// and nothing of the people of others, the holder aside. The decision is not made less for a
/// reader: a grant names its entry, whosesoever it is.
pub fn explain(
    roster: &Roster,
    attempt: &Attempt,
    now: UtcTime,
    reader: Option<&CustomerId>,
) -> Explanation {
    let decision = decide(roster, attempt, now);
    let case = Case::new(roster, attempt, now, reader);
    let reasons = case.reasons_told(&decision);
    let failed = reasons.iter().flat_map(|reason| case.failed(reason));
    Explanation {
        failed: failed.collect(),
        changes: if decision.is_grant() {
            Vec::new()
        } else {
            smallest_change(&case)
        },
        decision,
    }
}

/// The customer who is told.
#[derive(Clone, Copy)]
struct Reader<'a> {
    id: &'a CustomerId,
    /// `None` if the roster does not know it: then nothing is its own.
    slot: Option<Slot<CustomerRow>>,
}

/// An attempt, what the roster knows of it, and who is told.
pub(super) struct Case<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) attempt: &'a Attempt,
    pub(super) point: Option<&'a PointRow>,
    pub(super) known: Option<(&'a BadgeRow, &'a PersonRow)>,
    reader: Option<Reader<'a>>,
}

impl<'a> Case<'a> {
    fn new(
        roster: &'a Roster,
        attempt: &'a Attempt,
        now: UtcTime,
        reader: Option<&'a CustomerId>,
    ) -> Self {
        Self {
            reader: reader.map(|id| Reader {
                id,
                slot: roster.customers.find(id),
            }),
            scene: Scene::new(roster, now),
            attempt,
            point: roster.point(&attempt.access_point),
            known: roster.badge_and_holder(&attempt.card),
        }
    }

    /// Whether a customer's list may be told of.
    pub(super) fn tells_list(&self, customer: Slot<CustomerRow>) -> bool {
        self.reader.is_none_or(|r| r.slot == Some(customer))
    }

    /// Whether a person other than the holder may be told of.
    pub(super) fn tells_person(&self, person: &Person) -> bool {
        self.reader.is_none_or(|r| person.belongs_to(r.id))
    }

    /// The person's entries that may be told of.
    pub(super) fn entries_of(&self, person: &PersonRow) -> impl Iterator<Item = &'a EntryRow> {
        let entries = self.scene.roster.entries_of(person).iter();
        entries.filter(|entry| self.tells_list(entry.customer))
    }

    /// The reasons of the decision; for a reader, of lists those that its own list gives.
    fn reasons_told(&self, decision: &Decision) -> ReasonSet {
        let reasons = decision.reasons();
        let (Some(_), Some(point), Some((_, holder))) = (self.reader, self.point, self.known)
        else {
            return reasons;
        };
        if self.scene.look_in_lists(point, holder).is_ok() {
            return reasons;
        }
        let own = self
            .entries_of(holder)
            .filter(|entry| point.counts(entry) && self.scene.covers(point, entry))
            .map(|entry| self.scene.entry_reasons(entry))
            .fold(ReasonSet::EMPTY, ReasonSet::union);
        let own = if own.is_empty() {
            ReasonSet::from_iter([DenialReason::NotOnAccessList])
        } else {
            own
        };
        let others = reasons.iter().filter(|reason| !is_of_lists(*reason));
        others.collect::<ReasonSet>().union(own)
    }

    /// The rules that gave a reason.
    fn failed(&self, reason: DenialReason) -> Vec<FailedRule> {
        let found = match reason {
            DenialReason::UnknownCard
            | DenialReason::CardParity
            | DenialReason::CardFormatNotAccepted => vec![self.card_to_nobody()],
            DenialReason::CredentialNotEnabled
            | DenialReason::CredentialNotActive
            | DenialReason::CredentialExpired => self.of_badge(reason),
            DenialReason::PersonSuspended
            | DenialReason::PersonNotActive
            | DenialReason::PersonExpired => self.of_person(reason),
            DenialReason::NotOnAccessList => self.not_listed(),
            DenialReason::ListEntryNotActive
            | DenialReason::ListEntryExpired
            | DenialReason::ApproverNotValid
            | DenialReason::NotPermittedAtThisTime => self.of_entries(reason),
            DenialReason::PinRequired => vec![(self.here(), Finding::PinMissing)],
            DenialReason::InvalidPin => vec![self.wrong_pin()],
            DenialReason::PinLockedOut => vec![(self.holder_or_here(), Finding::PinLocked)],
            DenialReason::FactorNotSupported => vec![(self.here(), Finding::FingerAsked)],
        };
        let rule = |(resource, finding)| FailedRule {
            reason,
            resource,
            finding,
        };
        found.into_iter().map(rule).collect()
    }

    fn here(&self) -> Resource {
        Resource::AccessPoint(self.attempt.access_point.clone())
    }

    /// Why the card leads to nobody.
    fn card_to_nobody(&self) -> (Resource, Finding) {
        let card = &self.attempt.card;
        let finding = Finding::CardOfNobody {
            check: card.check,
            format: card.format.clone(),
            bit_length: card.bit_length,
        };
        (self.here(), finding)
    }

    fn of_badge(&self, reason: DenialReason) -> Vec<(Resource, Finding)> {
        let Some((row, _)) = self.known else {
            return Vec::new();
        };
        let finding = if reason == DenialReason::CredentialNotEnabled {
            Some(Finding::BadgeIs(row.badge.state))
                .filter(|_| row.badge.state != BadgeState::Active)
        } else {
            edge(
                row.badge.validity,
                self.scene.now,
                Finding::Begins,
                Finding::Ended,
            )
        };
        let resource = Resource::Badge(row.badge.id.clone());
        finding.map(|f| (resource, f)).into_iter().collect()
    }

    fn of_person(&self, reason: DenialReason) -> Vec<(Resource, Finding)> {
        let Some((_, row)) = self.known else {
            return Vec::new();
        };
        let finding = if reason == DenialReason::PersonSuspended {
            Some(Finding::Suspended)
        } else {
            edge(
                row.person.validity,
                self.scene.now,
                Finding::Begins,
                Finding::Ended,
            )
        };
        let resource = Resource::Person(row.person.id.clone());
        finding.map(|f| (resource, f)).into_iter().collect()
    }

    /// That no line counts; and of each line that would if its person were a member, that too.
    fn not_listed(&self) -> Vec<(Resource, Finding)> {
        let (Some(point), Some((_, holder))) = (self.point, self.known) else {
            return vec![(self.here(), Finding::NoSuchAccessPoint)];
        };
        let person = &holder.person;
        let roster = self.scene.roster;
        let not_listed = self.no_line(point, person);
        let without_membership = self.entries_of(holder).filter(|entry| {
            !entry.holder_belongs
                && point.list_counts(entry.customer)
                && self.scene.covers(point, entry)
        });
        let not_member = without_membership
            .filter_map(|e| roster.entry_ref(e))
            .map(|entry| {
                let finding = Finding::NotMember {
                    person: person.id.clone(),
                    customer: entry.customer.clone(),
                };
                (Resource::Entry(entry), finding)
            });
        [(self.here(), not_listed)]
            .into_iter()
            .chain(not_member)
            .collect()
    }

    /// On which lists nobody found a line: the reader's own, or all that count here.
    fn no_line(&self, point: &PointRow, person: &Person) -> Finding {
        let (id, door) = (person.id.clone(), point.point.door.clone());
        let mut customers: Vec<CustomerId> = match self.reader {
            Some(reader) if reader.slot.is_some_and(|own| point.list_counts(own)) => {
                vec![reader.id.clone()]
            }
            Some(reader) => {
                return Finding::ListNotCounted {
                    person: id,
                    door,
                    customer: reader.id.clone(),
                };
            }
            None if point.owners.is_empty() => {
                let memberships = person.memberships.iter();
                memberships.map(|m| m.customer.clone()).collect()
            }
            None => {
                let customers = &self.scene.roster.customers;
                let owners = point.owners.iter().filter_map(|slot| customers.get(*slot));
                owners.map(|row| row.customer.id.clone()).collect()
            }
        };
        customers.sort();
        customers.dedup();
        Finding::NotListed {
            person: id,
            door,
            area: point.point.governing_area().clone(),
            customers,
        }
    }

    fn of_entries(&self, reason: DenialReason) -> Vec<(Resource, Finding)> {
        let (Some(point), Some((_, holder))) = (self.point, self.known) else {
            return Vec::new();
        };
        let roster = self.scene.roster;
        let entries = self.entries_of(holder).filter(|entry| {
            point.counts(entry)
                && self.scene.covers(point, entry)
                && self.scene.entry_reasons(entry).contains(reason)
        });
        let of_entry = |entry| {
            let name = roster.entry_ref(entry)?;
            let findings = self.entry_findings(entry, reason).into_iter();
            Some(findings.map(move |finding| (Resource::Entry(name.clone()), finding)))
        };
        entries.filter_map(of_entry).flatten().collect()
    }

    fn entry_findings(&self, entry: &EntryRow, reason: DenialReason) -> Vec<Finding> {
        let roster = self.scene.roster;
        let now = self.scene.now;
        if reason == DenialReason::NotPermittedAtThisTime {
            let schedule = roster.schedules.get(entry.schedule);
            let outside = schedule.map(|row| Finding::OutsideSchedule {
                schedule: row.id.clone(),
                local: self.scene.local,
                zone: roster.zone(),
            });
            return outside.into_iter().collect();
        }
        if reason == DenialReason::ApproverNotValid {
            return self.approver_findings(entry);
        }
        let edge = edge(entry.validity, now, Finding::Begins, Finding::Ended);
        edge.into_iter().collect()
    }

    fn approver_findings(&self, entry: &EntryRow) -> Vec<Finding> {
        let roster = self.scene.roster;
        let approver = roster.persons.get(entry.approver);
        let customer = roster.customers.get(entry.customer);
        let (Some(approver), Some(customer)) = (approver, customer) else {
            return Vec::new();
        };
        let mut lacks = Vec::new();
        // Who has gone to another customer is no longer the reader's to know of.
        if self.tells_person(&approver.person) {
            lacks = admission_lacks(&approver.person, self.scene.now);
        }
        if !entry.approver_may_approve {
            lacks.push(ApproverLack::MayNotApprove(customer.customer.id.clone()));
        }
        let finding = |lack| Finding::Approver {
            approver: approver.person.id.clone(),
            lack,
        };
        lacks.into_iter().map(finding).collect()
    }

    fn wrong_pin(&self) -> (Resource, Finding) {
        let has_pin = |id| self.scene.roster.pin_verifier(id).is_some();
        let finding = match self.known {
            Some((_, holder)) if !has_pin(&holder.person.id) => Finding::PinNotSet,
            Some(_) => Finding::PinWrong,
            None => Finding::PinOfNobody,
        };
        (self.holder_or_here(), finding)
    }

    fn holder_or_here(&self) -> Resource {
        let holder = self.known.map(|(_, row)| row.person.id.clone());
        holder.map_or(self.here(), Resource::Person)
    }
}

/// Whether a list gives the reason.
fn is_of_lists(reason: DenialReason) -> bool {
    matches!(
        reason,
        DenialReason::NotOnAccessList
            | DenialReason::ListEntryNotActive
            | DenialReason::ListEntryExpired
            | DenialReason::ApproverNotValid
            | DenialReason::NotPermittedAtThisTime
    )
}

fn admission_lacks(person: &Person, now: UtcTime) -> Vec<ApproverLack> {
    let suspended = match person.state {
        PersonState::Active => None,
        PersonState::Suspended => Some(ApproverLack::Suspended),
    };
    let edge = edge(
        person.validity,
        now,
        ApproverLack::Begins,
        ApproverLack::Ended,
    );
    suspended.into_iter().chain(edge).collect()
}

/// On which side of a validity an instant lies, and where that side begins.
fn edge<T>(
    validity: Validity,
    now: UtcTime,
    begins: impl Fn(UtcTime) -> T,
    ended: impl Fn(UtcTime) -> T,
) -> Option<T> {
    match validity.at(now) {
        ValidityState::NotYet => validity.from().map(begins),
        ValidityState::Holds => None,
        ValidityState::Over => validity.until().map(ended),
    }
}

#[cfg(test)]
mod reader_tests;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fmt::Write as _;

    use proptest::{prop_assert, prop_assert_eq};

    use super::*;
    use crate::policy::TimeTold;
    use crate::policy::testing::zone;
    use crate::policy::testing::{
        World, attempt, compiled, decide_slowly, each_world, entry, monday_morning, person, site,
        t, valid,
    };
    use crate::policy::{BadgeEdit, EntryEdit, PersonEdit, PinEdit, RosterParts};
    use crate::types::{
        CardCheck, CardFormat, FactorRequirement, PersonId, PinEvidence, Precision,
    };

    type Edit = fn(&mut RosterParts);

    const EXACT: Precision = Precision::Second;

    fn exactly() -> TimeTold {
        TimeTold {
            precision: EXACT,
            zone: zone(),
        }
    }

    /// p-1 at the entry of hall-a on a Monday morning, after something was changed.
    const CHANGED: &[(&str, Edit)] = &[
        ("granted", |_| {}),
        ("on the list, but not for this door", |s| {
            s.entries.remove(&entry("acme", 1));
        }),
        ("line has run out, badge lost", |s| {
            s.entry_mut("acme", 1).validity = valid("-", "2026-11-01T00:00:00Z");
            s.badge_mut("b-1").state = BadgeState::Lost;
        }),
        ("line not counted, not a member", |s| {
            s.person_mut("p-1").memberships.clear();
        }),
        ("approver has left", |s| {
            s.person_mut("p-2").validity = valid("-", "2026-11-01T00:00:00Z");
        }),
        ("begins next month, suspended until then", |s| {
            s.person_mut("p-1").validity = valid("2026-12-01T00:00:00Z", "-");
            s.person_mut("p-1").state = PersonState::Suspended;
        }),
        ("finger asked for", |s| {
            s.point_mut("a-in").default_requirement = FactorRequirement::BadgeAndFinger;
        }),
    ];

    /// Somebody at a door of the site as it is.
    const TRIED: &[(&str, u8, &str, PinEvidence, &str)] = &[
        (
            "unknown card",
            9,
            "a-in",
            PinEvidence::NotGiven,
            "2026-11-23T08:15:00Z",
        ),
        (
            "in the evening",
            1,
            "a-in",
            PinEvidence::NotGiven,
            "2026-11-23T19:15:00Z",
        ),
        (
            "another customer's hall",
            3,
            "a-in",
            PinEvidence::NotGiven,
            "2026-11-23T08:15:00Z",
        ),
        (
            "no PIN",
            3,
            "b-in",
            PinEvidence::NotGiven,
            "2026-11-23T08:15:00Z",
        ),
        (
            "wrong PIN",
            3,
            "b-in",
            PinEvidence::Wrong,
            "2026-11-23T08:15:00Z",
        ),
        (
            "PIN locked",
            3,
            "b-in",
            PinEvidence::LockedOut,
            "2026-11-23T08:15:00Z",
        ),
        (
            "duress PIN",
            3,
            "b-in",
            PinEvidence::Duress,
            "2026-11-23T08:15:00Z",
        ),
    ];

    /// A card that its reader would not take, though a badge has it.
    fn refused(at: &str, check: CardCheck, pin: PinEvidence) -> Attempt {
        let mut attempt = attempt(3, at);
        (attempt.card.check, attempt.pin) = (check, pin);
        if check == CardCheck::FormatNotAccepted {
            attempt.card.format = CardFormat::parse("RAW").unwrap();
            attempt.card.bit_length = 40;
        }
        attempt
    }

    /// What readers would not take.
    fn refusals() -> [(&'static str, Attempt); 3] {
        let (none, wrong) = (PinEvidence::NotGiven, PinEvidence::Wrong);
        let misread = CardCheck::ParityFailed;
        let foreign = CardCheck::FormatNotAccepted;
        [
            ("card misread", refused("a-in", misread, none)),
            ("card of another format", refused("a-in", foreign, none)),
            ("card misread, PIN typed", refused("b-in", misread, wrong)),
        ]
    }

    /// The situations of the golden file, in its order.
    fn situations() -> Vec<(&'static str, RosterParts, Attempt, UtcTime)> {
        let changed = CHANGED.iter().map(|(title, edit)| {
            let mut parts = site();
            edit(&mut parts);
            (*title, parts, attempt(1, "a-in"), monday_morning())
        });
        let tried = TRIED.iter().map(|(title, card, at, pin, now)| {
            let attempt = Attempt {
                pin: *pin,
                ..attempt(*card, at)
            };
            (*title, site(), attempt, t(now))
        });
        let refused = refusals()
            .into_iter()
            .map(|(title, attempt)| (title, site(), attempt, monday_morning()));
        changed.chain(tried).chain(refused).collect()
    }

    fn told(explanation: &Explanation) -> String {
        let reasons: Vec<_> = explanation
            .decision
            .reasons()
            .iter()
            .map(|r| format!("{r:?}"))
            .collect();
        let mut text = if explanation.decision.is_grant() {
            "granted\n".to_owned()
        } else {
            format!("denied: {}\n", reasons.join(", "))
        };
        for rule in &explanation.failed {
            writeln!(text, "failed: {}", rule.sentence(EXACT)).unwrap();
        }
        for change in &explanation.changes {
            writeln!(text, "change: {}", change.sentence(exactly())).unwrap();
        }
        text
    }

    #[test]
    fn explanations_read_as_the_golden_file_says() {
        let golden = include_str!("../../tests/golden/why.txt");
        let mut text = String::new();
        for (title, parts, attempt, now) in situations() {
            let explanation = explain(&compiled(&parts), &attempt, now, None);
            writeln!(text, "== {title}\n{}", told(&explanation)).unwrap();
        }
        assert_eq!(text.trim_end(), golden.trim_end());
    }

    fn changed(world: &World, changes: &[&Change]) -> (RosterParts, Attempt) {
        let (mut parts, mut attempt) = (world.parts.clone(), world.attempt.clone());
        for change in changes {
            change.apply(&mut parts, &mut attempt);
        }
        (parts, attempt)
    }

    fn grants(world: &World, changes: &[&Change]) -> bool {
        let (parts, attempt) = changed(world, changes);
        decide(&compiled(&parts), &attempt, world.now).is_grant()
    }

    /// The same by the slow decision, which is quicker here: it compiles nothing.
    fn grants_slowly(world: &World, changes: &[&Change]) -> bool {
        let (parts, attempt) = changed(world, changes);
        decide_slowly(&parts, &attempt, world.now).is_grant()
    }

    #[test]
    fn the_whole_change_grants_and_leaving_any_part_out_does_not() {
        let parts_most = Cell::new(0);
        each_world(2_000, |world| {
            let roster = compiled(&world.parts);
            let explanation = explain(&roster, &world.attempt, world.now, None);
            let case = Case::new(&roster, &world.attempt, world.now, None);
            let helpless = case.known.is_none() || case.point.is_none();
            let changes: Vec<&Change> = explanation.changes.iter().collect();
            if explanation.decision.is_grant() || helpless {
                prop_assert!(changes.is_empty());
                return Ok(());
            }
            prop_assert!(grants(&world, &changes), "{changes:?}");
            for left_out in 0..changes.len() {
                let mut rest = changes.clone();
                rest.remove(left_out);
                prop_assert!(!grants(&world, &rest), "{left_out} of {changes:?}");
            }
            parts_most.set(parts_most.get().max(changes.len()));
            Ok(())
        });
        assert!(parts_most.get() >= 5, "the worlds are too easy");
    }

    #[test]
    fn failed_rules_give_exactly_the_reasons_of_the_decision() {
        each_world(2_000, |world| {
            let explanation = explain(&compiled(&world.parts), &world.attempt, world.now, None);
            let told = explanation
                .failed
                .iter()
                .map(|rule| rule.reason)
                .collect::<ReasonSet>();
            prop_assert_eq!(told, explanation.decision.reasons());
            prop_assert!(
                explanation
                    .failed
                    .is_sorted_by_key(|rule| rule.reason.number())
            );
            Ok(())
        });
    }

    /// Every single change that anybody could make, but for letting the holder approve.
    fn every_change(world: &World, holder: &PersonId) -> Vec<Change> {
        let parts = &world.parts;
        let mut all = every_change_of_people(world, holder);
        let approvers: Vec<_> = parts.persons.keys().filter(|id| *id != holder).collect();
        for entry in parts.entries.keys() {
            let include = world.now;
            let doors = parts.doors.keys().cloned();
            let edits = [EntryEdit::HoldAlways, EntryEdit::MoveValidity { include }]
                .into_iter()
                .chain(doors.map(|door| EntryEdit::AddDoor { door }))
                .chain(approvers.iter().map(|id| EntryEdit::ReplaceApprover {
                    approver: (*id).clone(),
                }));
            all.extend(edits.map(|edit| Change::Entry {
                entry: entry.clone(),
                edit,
            }));
        }
        for customer in parts.customers.keys() {
            for door in parts.doors.keys() {
                all.extend(approvers.iter().map(|approver| Change::NewEntry {
                    customer: customer.clone(),
                    person: holder.clone(),
                    door: door.clone(),
                    approver: (*approver).clone(),
                }));
            }
        }
        all
    }

    fn every_change_of_people(world: &World, holder: &PersonId) -> Vec<Change> {
        let parts = &world.parts;
        let include = world.now;
        let mut all = vec![Change::Pin {
            person: holder.clone(),
            edit: PinEdit::Present,
        }];
        for badge in parts.badges.keys() {
            let edits = [BadgeEdit::Activate, BadgeEdit::MoveValidity { include }];
            all.extend(edits.map(|edit| Change::Badge {
                badge: badge.clone(),
                edit,
            }));
        }
        for person in parts.persons.keys() {
            let mut edits = vec![PersonEdit::Activate, PersonEdit::MoveValidity { include }];
            for customer in parts.customers.keys() {
                let customer = || customer.clone();
                edits.push(PersonEdit::Join {
                    customer: customer(),
                });
                if person != holder {
                    edits.push(PersonEdit::LetApprove {
                        customer: customer(),
                    });
                }
            }
            all.extend(edits.into_iter().map(|edit| Change::Person {
                person: person.clone(),
                edit,
            }));
        }
        all
    }

    #[test]
    fn no_smaller_change_would_do() {
        each_world(200, |world| {
            let explanation = explain(&compiled(&world.parts), &world.attempt, world.now, None);
            let holder = explanation.decision.person().cloned();
            let (Some(holder), parts) = (holder, explanation.changes.len()) else {
                return Ok(());
            };
            let all = every_change(&world, &holder);
            for (place, one) in all.iter().enumerate().filter(|_| parts >= 2) {
                prop_assert!(!grants_slowly(&world, &[one]), "{one:?} is enough");
                // Pairs are many, so each world tries a share of them.
                let share = all
                    .iter()
                    .skip(place + 1)
                    .filter(|_| parts == 3)
                    .step_by(11);
                for other in share {
                    prop_assert!(
                        !grants_slowly(&world, &[one, other]),
                        "{one:?} and {other:?}"
                    );
                }
            }
            Ok(())
        });
    }

    #[test]
    fn on_a_tie_an_existing_entry_is_changed() {
        let mut parts = site();
        parts.entries.remove(&entry("acme", 1));
        let explanation = explain(
            &compiled(&parts),
            &attempt(1, "a-in"),
            monday_morning(),
            None,
        );
        assert_eq!(explanation.changes.len(), 1);
        assert_eq!(
            explanation.changes[0].resource(),
            Resource::Entry(entry("acme", 2))
        );
        // Two parts either way: to join, and then to extend the old entry or to add a new one.
        let mut parts = site();
        parts.person_mut("p-1").memberships.clear();
        for number in [1, 2] {
            parts.entry_mut("acme", number).validity = valid("-", "2026-11-01T00:00:00Z");
        }
        let explanation = explain(
            &compiled(&parts),
            &attempt(1, "a-in"),
            monday_morning(),
            None,
        );
        let changed: Vec<_> = explanation.changes.iter().map(Change::resource).collect();
        let entry = Resource::Entry(entry("acme", 1));
        assert_eq!(changed, [Resource::Person(person("p-1")), entry]);
    }

    #[test]
    fn nobody_is_suggested_as_approver_of_the_own_entry() {
        let mut parts = site();
        // p-2 may approve for acme, and is the only one; p-2 asks.
        let explanation = explain(
            &compiled(&parts),
            &attempt(2, "a-in"),
            monday_morning(),
            None,
        );
        for change in &explanation.changes {
            assert!(
                !change
                    .sentence(exactly())
                    .contains("approved by persons/p-2"),
                "{change:?}"
            );
        }
        assert!(!explanation.changes.is_empty());
        // With nobody else on the site there is nobody to suggest.
        parts.persons.retain(|id, _| *id == person("p-2"));
        parts
            .badges
            .retain(|_, badge| badge.person == person("p-2"));
        parts.entries.clear();
        parts.pins.clear();
        let explanation = explain(
            &compiled(&parts),
            &attempt(2, "a-in"),
            monday_morning(),
            None,
        );
        assert_eq!(explanation.changes, []);
    }
}
