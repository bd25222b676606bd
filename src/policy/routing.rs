//! Which customers' feeds an event goes to, and how the person is told of there.
//!
//! An event at a door goes to the customers that own either side of it, on the way in and on the
//! way out. Where nobody owns either side, an attempt goes to the person's own customers: when it
//! was denied, and when granted to those whose contract says so (DESIGN section 5).

use crate::types::{
    AccessPointId, BadgeId, BadgeNumber, ControllerId, CustomerId, Decision, PersonId, Precision,
    UtcTime,
};

use super::Roster;

/// An attempt, as far as feeds have to know of it.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// Where.
    pub access_point: &'a AccessPointId,
    /// The badge; `None` for an unknown card.
    pub badge: Option<&'a BadgeId>,
    /// Its holder; `None` for an unknown card.
    pub person: Option<&'a PersonId>,
    /// Whether it was granted.
    pub is_granted: bool,
}

impl<'a> Passage<'a> {
    /// Of an attempt that was decided here.
    pub fn decided(access_point: &'a AccessPointId, decision: &'a Decision) -> Self {
        Self {
            access_point,
            badge: decision.badge(),
            person: decision.person(),
            is_granted: decision.is_grant(),
        }
    }
}

/// How a feed tells who it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectRule {
    /// By the number printed on the badge: the person is on this customer's list.
    Named(BadgeNumber),
    /// By a pseudonym of this feed: the person is not on its list, or the number is lost.
    Pseudonym,
    /// By format, length and a pseudonym of this feed: no badge has the card.
    UnknownCard,
}

/// A feed that an attempt goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedTarget {
    /// Whose feed.
    pub customer: CustomerId,
    /// How finely it tells the time.
    pub precision: Precision,
    /// How it tells who it was.
    pub subject: SubjectRule,
}

/// A feed that a field event of a door goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorEventTarget {
    /// Whose feed.
    pub customer: CustomerId,
    /// How finely it tells the time.
    pub precision: Precision,
}

/// The feeds that an attempt goes to, by customer id, each once.
///
/// `now` is when the attempt was made. Empty for an access point that the roster does not know.
pub fn route(roster: &Roster, passage: Passage<'_>, now: UtcTime) -> Vec<FeedTarget> {
    let owners = route_door_event(roster, passage.access_point);
    let targets = if owners.is_empty() && roster.access_point(passage.access_point).is_some() {
        own_customers(roster, passage)
    } else {
        owners
    };
    let told = |target: DoorEventTarget| FeedTarget {
        subject: subject(roster, passage, &target.customer, now),
        customer: target.customer,
        precision: target.precision,
    };
    targets.into_iter().map(told).collect()
}

/// The feeds that a field event at an access point goes to, by customer id, each once.
///
/// Empty where nobody owns either side, or for an access point that the roster does not know.
pub fn route_door_event(roster: &Roster, access_point: &AccessPointId) -> Vec<DoorEventTarget> {
    let point = roster.point(access_point);
    let owners = point.map(|row| &row.either_side[..]).unwrap_or_default();
    let rows = owners.iter().filter_map(|slot| roster.customers.get(*slot));
    rows.map(|row| DoorEventTarget {
        customer: row.customer.id.clone(),
        precision: row.customer.precision,
    })
    .collect()
}

impl Roster {
    /// The controllers that drive doors of a customer, by id, each once.
    pub fn controllers_of(&self, customer: &CustomerId) -> Vec<ControllerId> {
        let Some(customer) = self.customers.find(customer) else {
            return Vec::new();
        };
        let owned = self
            .points
            .iter()
            .filter(|p| p.either_side.binary_search(&customer).is_ok());
        let doors = owned.filter_map(|point| self.doors.get(point.door));
        let mut found: Vec<_> = doors
            .filter_map(|d| d.drive.controller().cloned())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn own_customers(roster: &Roster, passage: Passage<'_>) -> Vec<DoorEventTarget> {
    let person = passage.person.and_then(|id| roster.person(id));
    let memberships = person.map(|p| &p.memberships[..]).unwrap_or_default();
    let mut targets: Vec<_> = memberships
        .iter()
        .filter_map(|m| roster.customer(&m.customer))
        .filter(|customer| !passage.is_granted || customer.shared_area_grants)
        .map(|customer| DoorEventTarget {
            customer: customer.id.clone(),
            precision: customer.precision,
        })
        .collect();
    targets.sort_unstable_by(|a, b| a.customer.cmp(&b.customer));
    targets.dedup();
    targets
}

fn subject(
    roster: &Roster,
    passage: Passage<'_>,
    customer: &CustomerId,
    now: UtcTime,
) -> SubjectRule {
    let Some(person) = passage.person else {
        return SubjectRule::UnknownCard;
    };
    let number = passage
        .badge
        .and_then(|id| roster.badge(id))
        .and_then(|badge| badge.number.clone());
    match number {
        Some(number) if roster.is_on_list_of(person, customer, now) => SubjectRule::Named(number),
        _ => SubjectRule::Pseudonym,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{
        access_point, attempt, badge, compiled, entry, monday_morning, person, site, valid,
    };
    use crate::policy::{RosterParts, decide};

    /// The feeds of an attempt as `customer: who`.
    fn feeds(parts: &RosterParts, card: u8, at: &str) -> Vec<String> {
        let (roster, attempt) = (compiled(parts), attempt(card, at));
        let decision = decide(&roster, &attempt, monday_morning());
        let passage = Passage::decided(&attempt.access_point, &decision);
        let targets = route(&roster, passage, monday_morning());
        let told = |target: FeedTarget| {
            let who = match target.subject {
                SubjectRule::Named(number) => number.reveal().to_owned(),
                SubjectRule::Pseudonym => "somebody".to_owned(),
                SubjectRule::UnknownCard => "a card".to_owned(),
            };
            format!("{}: {who}", target.customer)
        };
        targets.into_iter().map(told).collect()
    }

    #[test]
    fn owners_of_either_side_are_told_on_the_way_in_and_out() {
        assert_eq!(feeds(&site(), 1, "a-in"), ["acme: B-1001"]);
        assert_eq!(feeds(&site(), 1, "a-out"), ["acme: B-1001"]);
        assert_eq!(feeds(&site(), 3, "b-in"), ["borea: B-1003"]);
        // From one customer's hall into another's: both are told, each by its own list.
        assert_eq!(
            feeds(&site(), 1, "a-to-b"),
            ["acme: B-1001", "borea: somebody"]
        );
        assert_eq!(
            feeds(&site(), 3, "a-to-b"),
            ["acme: somebody", "borea: B-1003"]
        );
    }

    #[test]
    fn a_customer_that_owns_both_sides_is_told_once() {
        let mut parts = site();
        parts.add_area("hall-b", &["acme", "borea", "acme"]);
        assert_eq!(
            feeds(&parts, 1, "a-to-b"),
            ["acme: B-1001", "borea: somebody"]
        );
    }

    #[test]
    fn an_unknown_card_is_told_as_a_card_to_owners_and_to_nobody_elsewhere() {
        assert_eq!(feeds(&site(), 9, "a-in"), ["acme: a card"]);
        assert_eq!(feeds(&site(), 9, "front-in"), <[&str; 0]>::default());
    }

    #[test]
    fn in_shared_areas_ones_own_customers_are_told_of_denials() {
        let mut parts = site();
        assert_eq!(feeds(&parts, 2, "front-in"), ["acme: somebody"]);
        assert_eq!(feeds(&parts, 1, "front-in"), <[&str; 0]>::default());
        parts.person_mut("p-1").state = crate::types::PersonState::Suspended;
        assert_eq!(feeds(&parts, 1, "front-in"), ["acme: B-1001"]);
    }

    #[test]
    fn in_shared_areas_grants_are_told_where_the_contract_says_so() {
        let mut parts = site();
        parts.customer_mut("acme").shared_area_grants = true;
        assert_eq!(feeds(&parts, 1, "front-in"), ["acme: B-1001"]);
        assert_eq!(feeds(&parts, 3, "front-in"), <[&str; 0]>::default());
    }

    #[test]
    fn a_person_is_named_only_while_an_entry_of_that_customer_is_valid() {
        let mut parts = site();
        for number in [1, 2] {
            parts.entry_mut("acme", number).validity = valid("-", "2026-11-01T00:00:00Z");
        }
        assert_eq!(feeds(&parts, 1, "a-in"), ["acme: somebody"]);
        // Another entry names the person, whatever it is for and whenever it lets pass.
        let mut other = parts.entry_mut("acme", 2).clone();
        other.entry = entry("acme", 3);
        other.validity = valid("-", "2026-12-01T00:00:00Z");
        parts.entries.insert(other.entry.clone(), other);
        assert_eq!(feeds(&parts, 1, "a-in"), ["acme: B-1001"]);
    }

    #[test]
    fn a_badge_whose_number_is_lost_is_told_as_a_pseudonym() {
        let mut parts = site();
        parts.badge_mut("b-1").number = None;
        assert_eq!(feeds(&parts, 1, "a-in"), ["acme: somebody"]);
    }

    #[test]
    fn somebody_who_was_removed_since_is_told_as_a_pseudonym() {
        let (badge, person) = (badge("b-77"), person("p-77"));
        let passage = Passage {
            access_point: &access_point("a-in"),
            badge: Some(&badge),
            person: Some(&person),
            is_granted: true,
        };
        let targets = route(&compiled(&site()), passage, monday_morning());
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].subject, SubjectRule::Pseudonym);
    }

    #[test]
    fn door_events_go_to_the_owners_of_either_side_with_their_precision() {
        let roster = compiled(&site());
        let told = |at| {
            let targets = route_door_event(&roster, &access_point(at)).into_iter();
            targets
                .map(|t| (t.customer.to_string(), t.precision))
                .collect::<Vec<_>>()
        };
        let acme = ("acme".to_owned(), Precision::Hour);
        let borea = ("borea".to_owned(), Precision::Minute);
        assert_eq!(told("a-to-b"), [acme.clone(), borea]);
        assert_eq!(told("a-out"), [acme]);
        assert_eq!(told("front-in"), []);
        assert_eq!(told("nowhere"), []);
    }

    #[test]
    fn nobody_is_told_of_an_access_point_that_does_not_exist() {
        assert_eq!(feeds(&site(), 1, "nowhere"), <[&str; 0]>::default());
    }
}
