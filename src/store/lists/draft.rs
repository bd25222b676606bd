//! A list file after parsing: every value is well formed, nothing is known of what it names.

use crate::types::{BadgeNumber, DisplayName, PersonId, ScheduleId, Scope, Validity};

/// Most areas and doors in a line, so that its row stays under 4 KiB.
pub const PLACES_PER_LINE_MAX: usize = 64;

/// How a line names a person; at least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// By the number of the badge it holds.
    Badge(BadgeNumber),
    /// By id.
    Person(PersonId),
    /// By both, which must agree.
    Both(BadgeNumber, PersonId),
}

/// One line of a list file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLine {
    /// Whom it is about.
    pub holder: Holder,
    /// The name, needed where the line makes the person.
    pub display_name: Option<DisplayName>,
    /// Where; sorted, nothing twice, at least one area or door.
    pub scope: Scope,
    /// At which times.
    pub schedule: ScheduleId,
    /// From when until when.
    pub validity: Validity,
    /// On whose word.
    pub approver: Holder,
}
