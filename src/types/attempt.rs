//! An attempt to pass, and what is decided of it.

use super::{AccessPointId, BadgeId, CardFormat, CardKey, EntryRef, PersonId};

/// Whether a card is one that its reader may hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardCheck {
    /// It is of a format of the reader, and its parity holds.
    Sound,
    /// A parity bit is wrong.
    ParityFailed,
    /// The reader has no format of this length.
    FormatNotAccepted,
}

/// A card as presented, reduced to its keyed look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedCard {
    /// Its format.
    pub format: CardFormat,
    /// Its length in bits.
    pub bit_length: u32,
    /// Keyed look-up of its identity.
    pub key: CardKey,
    /// Whether it may be looked up at all.
    pub check: CardCheck,
}

/// What is known of the PIN when the decision is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinEvidence {
    /// None was given.
    NotGiven,
    /// It was right.
    Verified,
    /// It was wrong, or the person has none.
    Wrong,
    /// It was not looked at: too many wrong ones before.
    LockedOut,
    /// It was right but for its last digit, which was one higher: its holder is being forced.
    Duress,
}

/// Somebody presents a card at an access point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where.
    pub access_point: AccessPointId,
    /// The card.
    pub card: PresentedCard,
    /// The PIN.
    pub pin: PinEvidence,
}

/// Why an attempt is denied (DESIGN section 2; words follow ONVIF where it has one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DenialReason {
    /// No badge has this card (ONVIF `InvalidIdentifierValue`).
    UnknownCard,
    /// The badge is in a state other than active (ONVIF `CredentialNotEnabled`).
    CredentialNotEnabled,
    /// The badge is not valid yet (ONVIF `CredentialNotActive`).
    CredentialNotActive,
    /// The badge is no longer valid (ONVIF `CredentialExpired`).
    CredentialExpired,
    /// The person is suspended.
    PersonSuspended,
    /// The person is not valid yet.
    PersonNotActive,
    /// The person is no longer valid.
    PersonExpired,
    /// No line of a list that counts here names the person for this door (ONVIF `Unauthorized`).
    NotOnAccessList,
    /// A line names the person but does not hold yet.
    ListEntryNotActive,
    /// A line names the person but holds no longer.
    ListEntryExpired,
    /// The line's approver may not approve for that customer, or no longer.
    ApproverNotValid,
    /// The line's schedule does not hold now (ONVIF `NotPermittedAtThisTime`).
    NotPermittedAtThisTime,
    /// A PIN is asked for here and none was given.
    PinRequired,
    /// The PIN is wrong, or none has been set (ONVIF `InvalidPIN`).
    InvalidPin,
    /// Too many wrong PINs (ONVIF `LockedOut`).
    PinLockedOut,
    /// The access point asks for a factor that no reader here can verify.
    FactorNotSupported,
    /// A parity bit of the card is wrong.
    CardParity,
    /// The reader accepts no card of this length.
    CardFormatNotAccepted,
}

impl DenialReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::UnknownCard,
        Self::CredentialNotEnabled,
        Self::CredentialNotActive,
        Self::CredentialExpired,
        Self::PersonSuspended,
        Self::PersonNotActive,
        Self::PersonExpired,
        Self::NotOnAccessList,
        Self::ListEntryNotActive,
        Self::ListEntryExpired,
        Self::ApproverNotValid,
        Self::NotPermittedAtThisTime,
        Self::PinRequired,
        Self::InvalidPin,
        Self::PinLockedOut,
        Self::FactorNotSupported,
        Self::CardParity,
        Self::CardFormatNotAccepted,
    ];

    /// Its number, 1..=18; the same in the API, in feeds and in the store.
    pub fn number(self) -> u8 {
        match self {
            Self::UnknownCard => 1,
            Self::CredentialNotEnabled => 2,
            Self::CredentialNotActive => 3,
            Self::CredentialExpired => 4,
            Self::PersonSuspended => 5,
            Self::PersonNotActive => 6,
            Self::PersonExpired => 7,
            Self::NotOnAccessList => 8,
            Self::ListEntryNotActive => 9,
            Self::ListEntryExpired => 10,
            Self::ApproverNotValid => 11,
            Self::NotPermittedAtThisTime => 12,
            Self::PinRequired => 13,
            Self::InvalidPin => 14,
            Self::PinLockedOut => 15,
            Self::FactorNotSupported => 16,
            Self::CardParity => 17,
            Self::CardFormatNotAccepted => 18,
        }
    }

    /// The reason with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.number() == number)
    }
}

/// A set of reasons.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ReasonSet(u32);

impl ReasonSet {
    /// No reason.
    pub const EMPTY: Self = Self(0);

    /// Adds a reason.
    pub fn insert(&mut self, reason: DenialReason) {
        self.0 |= 1_u32 << reason.number();
    }

    /// This set and another.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a reason is in it.
    pub fn contains(self, reason: DenialReason) -> bool {
        self.0 & (1_u32 << reason.number()) != 0
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = DenialReason> {
        DenialReason::ALL
            .into_iter()
            .filter(move |r| self.contains(*r))
    }
}

impl FromIterator<DenialReason> for ReasonSet {
    fn from_iter<I: IntoIterator<Item = DenialReason>>(reasons: I) -> Self {
        let mut set = Self::EMPTY;
        reasons.into_iter().for_each(|r| set.insert(r));
        set
    }
}

impl std::fmt::Debug for ReasonSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A factor that was really verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Factor {
    /// A known badge was presented.
    Badge,
    /// The holder's PIN was right.
    Pin,
    /// The badge proved itself with a key.
    BadgeAuthenticated,
    /// The badge's template is the enrolled one.
    TemplateBound,
    /// The reader matched the finger for this very request.
    MatchedOnReader,
    /// The finger is the reader's word alone.
    AssertedByReader,
}

impl Factor {
    /// All factors, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Badge,
        Self::Pin,
        Self::BadgeAuthenticated,
        Self::TemplateBound,
        Self::MatchedOnReader,
        Self::AssertedByReader,
    ];

    /// Its number, 1..=6; the same in the API, in feeds and in the store.
    pub fn number(self) -> u8 {
        match self {
            Self::Badge => 1,
            Self::Pin => 2,
            Self::BadgeAuthenticated => 3,
            Self::TemplateBound => 4,
            Self::MatchedOnReader => 5,
            Self::AssertedByReader => 6,
        }
    }

    /// The factor with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.number() == number)
    }
}

/// A set of factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FactorSet(u8);

impl FactorSet {
    /// No factor.
    pub const EMPTY: Self = Self(0);

    /// Adds a factor.
    pub fn insert(&mut self, factor: Factor) {
        self.0 |= 1_u8 << factor.number();
    }

    /// Whether a factor is in it.
    pub fn contains(self, factor: Factor) -> bool {
        self.0 & (1_u8 << factor.number()) != 0
    }

    /// The factors, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Factor> {
        Factor::ALL.into_iter().filter(move |f| self.contains(*f))
    }
}

/// The person may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The badge.
    pub badge: BadgeId,
    /// Its holder.
    pub person: PersonId,
    /// The list entry that grants it.
    pub entry: EntryRef,
    /// Who approved that entry.
    pub approver: PersonId,
    /// The factors that were verified.
    pub verified: FactorSet,
}

/// The person may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The badge, where the card is known.
    pub badge: Option<BadgeId>,
    /// Its holder, where the card is known.
    pub person: Option<PersonId>,
    /// All reasons that apply; never empty.
    pub reasons: ReasonSet,
    /// The factors that were verified all the same.
    pub verified: FactorSet,
}

/// What is decided of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The person may pass.
    Grant(Grant),
    /// The person may not pass.
    Denial(Denial),
}

impl Decision {
    /// Whether it is a grant.
    pub fn is_grant(&self) -> bool {
        matches!(self, Self::Grant(_))
    }

    /// The badge, where the card is known.
    pub fn badge(&self) -> Option<&BadgeId> {
        match self {
            Self::Grant(grant) => Some(&grant.badge),
            Self::Denial(denial) => denial.badge.as_ref(),
        }
    }

    /// The person, where the card is known.
    pub fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Grant(grant) => Some(&grant.person),
            Self::Denial(denial) => denial.person.as_ref(),
        }
    }

    /// Why it is a denial; empty for a grant.
    pub fn reasons(&self) -> ReasonSet {
        match self {
            Self::Grant(_) => ReasonSet::EMPTY,
            Self::Denial(denial) => denial.reasons,
        }
    }

    /// The factors that were verified.
    pub fn verified(&self) -> FactorSet {
        match self {
            Self::Grant(grant) => grant.verified,
            Self::Denial(denial) => denial.verified,
        }
    }
}

/// Who took a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecidedBy {
    /// Sluss, by the rules in force.
    Server,
    /// The controller, while it could not reach Sluss.
    Controller,
}
