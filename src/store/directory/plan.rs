//! What a change would do, in the words of the plan.

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is new.
    Add,
    /// It is there and differs.
    Change,
    /// It is there and is taken away.
    Remove,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLine {
    /// What happens.
    pub action: Action,
    /// Name of the resource; for a list entry its person.
    pub resource: String,
    /// What changes, in words; no name of a person, no badge number, no PIN.
    pub detail: String,
    /// Line of the file, 1-based; 0 where none stands for it.
    pub line: u32,
}

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Its lines, in the order of the file, removals last.
    pub lines: Vec<PlanLine>,
}

impl Plan {
    /// Adds a line.
    pub fn add(&mut self, action: Action, resource: String, detail: String, line: u32) {
        self.lines.push(PlanLine {
            action,
            resource,
            detail,
            line,
        });
    }

    /// Number of lines with this action.
    pub fn count(&self, action: Action) -> u32 {
        let count = self.lines.iter().filter(|l| l.action == action).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether anything that is there changes or goes; what is only added takes no right away.
    ///
    /// A reader is nobody's right, and yet its removal counts: what was presented at it is not to
    /// open a door after the operator was told that it is gone. So a grant that waits behind the
    /// removal is decided again, as after any other. That decision asks for rights alone and knows
    /// no readers; whoever polls one looks in the rules in force for it before a grant is acted on.
    pub fn takes_away(&self) -> bool {
        self.lines.iter().any(|l| l.action != Action::Add)
    }

    /// In the order of the file, removals last.
    pub(crate) fn sort(&mut self) {
        let place = |l: &PlanLine| if l.line == 0 { u32::MAX } else { l.line };
        self.lines.sort_by_key(place);
    }

    /// In a few words, for the journal.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} added, {} changed, {} removed",
            self.count(Action::Add),
            self.count(Action::Change),
            self.count(Action::Remove)
        )
    }
}
