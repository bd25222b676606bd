//! How long personal data is kept. There is no default: somebody has to have decided it.

use super::fault::{ConfigError, Locator};
use super::raw;

/// A number of months, 1..=120.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Months(u32);

impl Months {
    /// How many.
    pub fn count(self) -> u32 {
        self.0
    }
}

/// Months that each category of personal data is kept after the event its field's rule names.
///
/// Keyed hashes of fingerprint templates are not here: they go within 24 hours of the end of
/// access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Opaque ids that stand for a person.
    pub pseudonym: Months,
    /// Name, company, e-mail, phone.
    pub contact: Months,
    /// Badges and PIN verifiers.
    pub credential: Months,
    /// Where a person was and when.
    pub log: Months,
    /// Who may go where on whose word.
    pub access_right: Months,
}

impl Retention {
    /// The keys of the table, in the order of `sluss.store.v1.Category`.
    pub const KEYS: [&'static str; 5] =
        ["pseudonym", "contact", "credential", "log", "access_right"];

    pub(super) fn check(raw: &raw::Retention, locator: &Locator) -> Result<Self, ConfigError> {
        let months = |key, value| locator.range(key, Some(value), 1, 1..=120).map(Months);
        Ok(Self {
            pseudonym: months("retention.pseudonym", &raw.pseudonym)?,
            contact: months("retention.contact", &raw.contact)?,
            credential: months("retention.credential", &raw.credential)?,
            log: months("retention.log", &raw.log)?,
            access_right: months("retention.access_right", &raw.access_right)?,
        })
    }
}
