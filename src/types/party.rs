//! Parties: customers, persons, callers.

use std::fmt;
use std::sync::Arc;

use super::credential::parse_text;
use super::id::parse_slug;
use super::{BootId, ControllerId, CustomerId, InvalidId, InvalidText, PersonId, Validity};

/// Longest shown name in bytes (120 characters of two bytes each).
const DISPLAY_NAME_BYTES_MAX: usize = 240;

/// A name shown to people; for persons it is personal data, so `Debug` redacts it.
#[derive(Clone, PartialEq, Eq)]
pub struct DisplayName(Arc<str>);

impl DisplayName {
    /// Parses it: 1..=240 bytes, no control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        parse_text(text, DISPLAY_NAME_BYTES_MAX).map(Self)
    }

    /// The text, for those who may have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DisplayName([redacted])")
    }
}

/// How finely a feed tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Date and hour.
    Hour,
    /// To the minute.
    Minute,
    /// To the second.
    Second,
}

/// A tenant of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Name shown to people.
    pub display_name: DisplayName,
    /// How finely its feed tells the time.
    pub precision: Precision,
    /// Whether grants in shared areas reach the feed of the person's own customer.
    pub shared_area_grants: bool,
}

/// That a person belongs to a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The customer.
    pub customer: CustomerId,
    /// Whether the person may approve entries on its list.
    pub may_approve: bool,
}

/// Whether a person is admitted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PersonState {
    /// Admitted.
    Active,
    /// Held back until somebody lifts it.
    Suspended,
}

/// Somebody who may be let in; nothing here names the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Opaque id.
    pub id: PersonId,
    /// Whether admitted.
    pub state: PersonState,
    /// When admitted.
    pub validity: Validity,
    /// Customers the person belongs to.
    pub memberships: Vec<Membership>,
}

impl Person {
    /// Whether the person belongs to a customer.
    pub fn belongs_to(&self, customer: &CustomerId) -> bool {
        self.memberships.iter().any(|m| m.customer == *customer)
    }

    /// Whether the person may approve entries of a customer's list.
    pub fn may_approve_for(&self, customer: &CustomerId) -> bool {
        self.memberships
            .iter()
            .any(|m| m.customer == *customer && m.may_approve)
    }
}

/// What kind of caller a client certificate names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallerKind {
    /// A door controller.
    Controller,
    /// A customer.
    Customer,
    /// A check-in desk.
    Desk,
    /// An operator of the site.
    Operator,
}

impl CallerKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Controller, Self::Customer, Self::Desk, Self::Operator];

    /// Its word in certificates and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Customer => "customer",
            Self::Desk => "desk",
            Self::Operator => "operator",
        }
    }

    /// The kind with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

/// Who calls, as the client certificate names it (DESIGN section 8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A door controller.
    Controller(ControllerId),
    /// A customer.
    Customer(CustomerId),
    /// The check-in desk with this id.
    Desk(Arc<str>),
    /// The operator with this id.
    Operator(Arc<str>),
}

impl Caller {
    /// The caller of this kind with this id.
    pub fn parse(kind: CallerKind, id: &str) -> Result<Self, InvalidId> {
        Ok(match kind {
            CallerKind::Controller => Self::Controller(ControllerId::parse(id)?),
            CallerKind::Customer => Self::Customer(CustomerId::parse(id)?),
            CallerKind::Desk => Self::Desk(parse_slug(id)?),
            CallerKind::Operator => Self::Operator(parse_slug(id)?),
        })
    }

    /// Its kind.
    pub fn kind(&self) -> CallerKind {
        match self {
            Self::Controller(_) => CallerKind::Controller,
            Self::Customer(_) => CallerKind::Customer,
            Self::Desk(_) => CallerKind::Desk,
            Self::Operator(_) => CallerKind::Operator,
        }
    }

    /// Its id within its kind.
    pub fn id(&self) -> &str {
        match self {
            Self::Controller(id) => id.as_str(),
            Self::Customer(id) => id.as_str(),
            Self::Desk(id) | Self::Operator(id) => id,
        }
    }
}

impl fmt::Display for Caller {
    /// As in the certificate: `controller/{id}`, `customer/{id}`, `desk/{id}`, `operator/{id}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller(id) => write!(f, "controller/{id}"),
            Self::Customer(id) => write!(f, "customer/{id}"),
            Self::Desk(id) => write!(f, "desk/{id}"),
            Self::Operator(id) => write!(f, "operator/{id}"),
        }
    }
}

/// Identity of an event at its source; no two events of a site share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceEvent {
    /// The controller in which it was born.
    pub controller: ControllerId,
    /// That controller's run.
    pub boot: BootId,
    /// Number within the run.
    pub counter: u64,
}
