//! The attempt that somebody would make: for questions of the kind "what if".

use crate::types::{
    AccessPointId, Attempt, Badge, BadgeState, CardCheck, CardFormat, PersonId, PinEvidence,
    PresentedCard, UtcTime, ValidityState,
};

use super::Roster;

/// Name of the card format of an attempt that nobody made.
const NO_CARD: &str = "WHAT-IF";

/// Who would try where.
#[derive(Debug, Clone, Copy)]
pub struct WhatIf<'a> {
    /// Who.
    pub person: &'a PersonId,
    /// Where.
    pub access_point: &'a AccessPointId,
    /// What the PIN would be.
    pub pin: PinEvidence,
}

/// The attempt with the person's best badge: one that is in use and valid, else the next best;
/// of equals the one with the lowest id.
///
/// `None` if the roster does not know the access point, or no badge of the person. Such an
/// attempt has no card format of its own; it is for [`super::decide`] and [`super::explain`] only.
pub fn attempt_for(roster: &Roster, what_if: WhatIf<'_>, now: UtcTime) -> Option<Attempt> {
    let point = roster.access_point(what_if.access_point)?;
    let badges = roster.badges_of(what_if.person);
    let badge = badges.min_by_key(|badge| faults(badge, now))?;
    Some(Attempt {
        access_point: point.id.clone(),
        card: PresentedCard {
            format: CardFormat::parse(NO_CARD).ok()?,
            bit_length: 0,
            key: badge.card,
            check: CardCheck::Sound,
        },
        pin: what_if.pin,
    })
}

/// What is wrong with a badge; less is better.
fn faults(badge: &Badge, now: UtcTime) -> (bool, bool) {
    (
        badge.state != BadgeState::Active,
        badge.validity.at(now) != ValidityState::Holds,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{
        access_point, badge, card, compiled, monday_morning, person, site, valid,
    };
    use crate::policy::{RosterParts, decide};

    fn tried(parts: &RosterParts, who: &str, at: &str) -> Option<Attempt> {
        let what_if = WhatIf {
            person: &person(who),
            access_point: &access_point(at),
            pin: PinEvidence::Verified,
        };
        attempt_for(&compiled(parts), what_if, monday_morning())
    }

    #[test]
    fn what_if_tries_the_persons_badge_with_the_pin_named() {
        let attempt = tried(&site(), "p-3", "b-in").unwrap();
        assert_eq!(
            (attempt.card.key, attempt.pin),
            (card(3), PinEvidence::Verified)
        );
        assert!(decide(&compiled(&site()), &attempt, monday_morning()).is_grant());
    }

    #[test]
    fn of_several_badges_the_best_is_tried() {
        let mut parts = site();
        parts.badge_mut("b-2").person = person("p-1");
        parts.badge_mut("b-3").person = person("p-1");
        let best = |parts: &RosterParts| tried(parts, "p-1", "a-in").unwrap().card.key;
        assert_eq!(best(&parts), card(1));
        parts.badge_mut("b-1").state = BadgeState::Lost;
        assert_eq!(best(&parts), card(2));
        parts.badge_mut("b-2").validity = valid("-", "2026-11-01T00:00:00Z");
        assert_eq!(best(&parts), card(3));
        parts.badges.remove(&badge("b-3"));
        assert_eq!(best(&parts), card(2));
    }

    #[test]
    fn who_has_no_badge_or_stands_nowhere_tries_nothing() {
        let mut parts = site();
        assert_eq!(tried(&parts, "ghost", "a-in"), None);
        assert_eq!(tried(&parts, "p-1", "nowhere"), None);
        parts.badges.remove(&badge("b-1"));
        assert_eq!(tried(&parts, "p-1", "a-in"), None);
    }
}
