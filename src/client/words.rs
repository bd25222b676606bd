//! Words for the numbers of the API's enums.

use crate::pb::v1::{
    AlarmKind, ChangeAction, DecidedBy, Decision, DenialReason, Direction, DoorEventKind,
    DoorPosition, Factor, LockState, ReaderState,
};

/// The name of an enum value without its prefix, in lower case: `not_on_access_list`.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// Declares the word of an enum; a number newer than this program is shown as a number.
macro_rules! words {
    ($(#[$doc:meta])* $function:ident, $enum:ty, $prefix:literal) => {
        $(#[$doc])*
        pub fn $function(number: i32) -> String {
            <$enum>::try_from(number)
                .map(|value| word(value.as_str_name(), $prefix))
                .unwrap_or_else(|_| format!("unknown_{number}"))
        }
    };
}

words!(/// `grant` or `denial`.
    decision, Decision, "DECISION_");
words!(/// A reason, for example `not_on_access_list`.
    reason, DenialReason, "DENIAL_REASON_");
words!(/// A factor, for example `badge`.
    factor, Factor, "FACTOR_");
words!(/// `entry` or `exit`.
    direction, Direction, "DIRECTION_");
words!(/// `server` or `controller`.
    decided_by, DecidedBy, "DECIDED_BY_");
words!(/// A field event, for example `door_forced`.
    door_event, DoorEventKind, "DOOR_EVENT_KIND_");
words!(/// `add`, `change` or `remove`.
    action, ChangeAction, "CHANGE_ACTION_");
words!(/// `locked`, `released` or `unlocked`.
    lock_state, LockState, "LOCK_STATE_");
words!(/// `closed` or `open`.
    door_position, DoorPosition, "DOOR_POSITION_");
words!(/// An alarm, for example `door_held`.
    alarm_kind, AlarmKind, "ALARM_KIND_");
words!(/// `secure`, `plain`, `offline`, `refused` or `bus_down`.
    reader_state, ReaderState, "READER_STATE_");

/// A count and what is counted: `1 leaf`, `2 leaves`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    let word = if count == 1 { one } else { many };
    format!("{count} {word}")
}

/// The last part of a resource name: the bare id.
pub fn bare_id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Bare ids of resource names.
pub fn bare_ids(names: &[String]) -> Vec<String> {
    names.iter().map(|name| bare_id(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_no_prefix_and_new_numbers_are_told() {
        assert_eq!(reason(8), "not_on_access_list");
        assert_eq!(reason(17), "card_parity");
        assert_eq!(reason(18), "card_format_not_accepted");
        assert_eq!(decision(2), "denial");
        assert_eq!(door_event(4), "door_forced");
        assert_eq!(reason(99), "unknown_99");
        assert_eq!(bare_id("accessPoints/d1-in"), "d1-in");
    }
}
