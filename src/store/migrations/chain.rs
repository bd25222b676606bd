//! The steps from one format to the next, and how they are taken.

use super::{m0002_access_ended::AccessEnded, m0003_door_timing::UsualTiming};
use crate::{
    store::{
        base::{BaseTables, RowError},
        batch::Batch,
        format::FORMAT,
        tables::Meta,
    },
    types::UtcTime,
};

/// One step from one format to the next.
///
/// It sees the mutable tables but leaf hashes; entries are never migrated, for their bytes are
/// committed to. What it changes must fit in one commit.
pub trait Migration: std::fmt::Debug + Sync {
    /// The format it brings up.
    fn from(&self) -> u32;
    /// The format it makes.
    fn to(&self) -> u32;
    /// What it does, for the operator.
    fn description(&self) -> &'static str;
    /// What is to be changed.
    fn run(&self, tables: &BaseTables, now: UtcTime) -> Result<Batch, RowError>;
    /// Whether the tables are right afterwards; says what is not.
    fn validate(&self, tables: &BaseTables, now: UtcTime)
    -> Result<Option<&'static str>, RowError>;
}

/// Why a store was not brought up. It is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// It is older than any this program knows.
    #[error("no way leads from format {from} to {to}: use an older program first")]
    NoWay {
        /// Its format.
        from: u32,
        /// The format of this program.
        to: u32,
    },
    /// A row cannot be read.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The result is not what it should be; our fault.
    #[error("bringing format {from} up to {to} went wrong: {what}")]
    Invalid {
        /// Before.
        from: u32,
        /// After.
        to: u32,
        /// What is wrong.
        what: &'static str,
    },
}

const ALL: [&dyn Migration; 2] = [&AccessEnded, &UsualTiming];

/// Takes all steps in memory and returns the one commit that makes them, format included.
pub(in crate::store) fn run(
    tables: &mut BaseTables,
    from: u32,
    now: UtcTime,
) -> Result<Batch, MigrationError> {
    let mut all = Batch::new();
    let mut at = from;
    while at < FORMAT {
        let no_way = MigrationError::NoWay { from, to: FORMAT };
        let step = ALL.iter().find(|step| step.from() == at).ok_or(no_way)?;
        tracing::info!(from = step.from(), to = step.to(), "{}", step.description());
        let mut batch = step.run(tables, now)?;
        bump(tables, &mut batch, step.to())?;
        tables.apply(&batch);
        if let Some(what) = step.validate(tables, now)? {
            let (from, to) = (step.from(), step.to());
            return Err(MigrationError::Invalid { from, to, what });
        }
        all.append(batch);
        at = step.to();
    }
    Ok(all)
}

fn bump(tables: &BaseTables, batch: &mut Batch, format: u32) -> Result<(), RowError> {
    let meta = tables.get::<Meta>(&())?;
    let mut meta = meta.ok_or(RowError { table: "Meta" })?;
    meta.format = format;
    batch.put::<Meta>(&(), &meta);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::store::MetaRow;

    fn of_format(format: u32) -> BaseTables {
        let row = MetaRow {
            format,
            ..MetaRow::default()
        };
        let mut batch = Batch::new();
        batch.put::<Meta>(&(), &row);
        let mut tables = BaseTables::default();
        tables.apply(&batch);
        tables
    }

    #[test]
    fn a_way_leads_from_every_known_format_to_this_one() {
        for from in 1..FORMAT {
            let mut tables = of_format(from);
            let batch = run(&mut tables, from, UtcTime::EPOCH).unwrap();
            assert!(!batch.is_empty());
            let meta = tables.get::<Meta>(&()).unwrap().unwrap();
            assert_eq!(meta.format, FORMAT);
        }
    }

    #[test]
    fn no_way_leads_from_a_format_nobody_knows() {
        let no_way = MigrationError::NoWay {
            from: 0,
            to: FORMAT,
        };
        assert_eq!(run(&mut of_format(0), 0, UtcTime::EPOCH), Err(no_way));
    }
}
