//! Plans as messages.

use crate::pb::v1 as pb;
use crate::store::directory::{Action, Plan, PlanLine};

/// Most changes that are listed; the counts are of all.
const LISTED_MAX: usize = 500;
/// Most bytes of listed changes, so that the message stays under 64 KiB.
const LISTED_BYTES_MAX: usize = 48 * 1024;
/// Longest detail in characters.
const DETAIL_CHARS_MAX: usize = 400;

/// The first changes of a plan.
pub(in crate::service) fn plan_messages(plan: &Plan) -> Vec<pb::PlannedChange> {
    let mut bytes = 0_usize;
    plan.lines
        .iter()
        .take(LISTED_MAX)
        .map(change_message)
        .take_while(|change| {
            bytes = bytes.saturating_add(prost::Message::encoded_len(change));
            bytes <= LISTED_BYTES_MAX
        })
        .collect()
}

fn change_message(line: &PlanLine) -> pb::PlannedChange {
    let action = match line.action {
        Action::Add => pb::ChangeAction::Add,
        Action::Change => pb::ChangeAction::Change,
        Action::Remove => pb::ChangeAction::Remove,
    };
    pb::PlannedChange {
        action: action.into(),
        resource: line.resource.clone(),
        detail: line.detail.chars().take(DETAIL_CHARS_MAX).collect(),
        line: line.line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_plan_is_cut_and_its_counts_are_not() {
        let mut plan = Plan::default();
        for line in 1..=900 {
            plan.add(Action::Add, "areas/a".to_owned(), String::new(), line);
        }
        assert_eq!(plan_messages(&plan).len(), 500);
        assert_eq!(plan.count(Action::Add), 900);
    }

    #[test]
    fn a_plan_of_long_lines_fits_a_message() {
        let mut plan = Plan::default();
        for line in 1..=400 {
            plan.add(Action::Add, "areas/a".to_owned(), "å".repeat(900), line);
        }
        let listed = plan_messages(&plan);
        let bytes: usize = listed.iter().map(prost::Message::encoded_len).sum();
        assert!(!listed.is_empty() && bytes <= 48 * 1024);
    }
}
