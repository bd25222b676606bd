//! Readers whose line is in clear: allowed by an operator, and never without being told.

use super::plan::Plan;
use crate::policy::RosterParts;
use crate::types::{ReaderId, ReaderSecurity};

/// Most readers that one journal entry names; an entry has at most 4 KiB.
const NAMED_MAX: usize = 8;

/// Readers that are in clear with a plan, and were not before or not there.
pub(super) fn newly_in_clear(before: &RosterParts, after: &RosterParts) -> Vec<ReaderId> {
    let is_plain = |parts: &RosterParts, id: &ReaderId| {
        let reader = parts.readers.get(id);
        reader.is_some_and(|reader| reader.security == ReaderSecurity::Plain)
    };
    let ids = after.readers.keys();
    ids.filter(|id| is_plain(after, id) && !is_plain(before, id))
        .cloned()
        .collect()
}

/// Says it in the lines of the plan.
pub(super) fn tell(readers: &[ReaderId], plan: &mut Plan) {
    for line in &mut plan.lines {
        if readers.iter().any(|id| id.name() == line.resource) {
            if !line.detail.is_empty() {
                line.detail.push_str(", ");
            }
            line.detail
                .push_str("in clear: whoever reaches its wire can open the door");
        }
    }
}

/// Says it in the journal; nothing where there is nothing to say.
pub(super) fn words(readers: &[ReaderId]) -> String {
    if readers.is_empty() {
        return String::new();
    }
    let named: Vec<_> = readers.iter().take(NAMED_MAX).map(ReaderId::name).collect();
    let more = match readers.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("; in clear now: {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_only_so_many_readers() {
        let ids = |count: usize| {
            let ids = (1..=count).map(|n| ReaderId::parse(&format!("r-{n}")).unwrap());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(words(&[]), "");
        assert_eq!(words(&ids(2)), "; in clear now: readers/r-1, readers/r-2");
        assert!(words(&ids(8)).ends_with("readers/r-8"));
        assert!(words(&ids(8_192)).ends_with("readers/r-8 and 8184 more"));
    }
}
