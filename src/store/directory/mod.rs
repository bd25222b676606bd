//! The directory: what a site consists of, changed whole by a site file.

mod fault;

mod draft;
mod plan;

mod check;
mod check_readers;
mod current;
mod in_clear;
mod people;
mod site;

mod right;
mod vault;

mod build;

pub use build::{Author, BuildError, empty_rules};
pub use current::CurrentSite;
pub use draft::{DraftBadge, DraftItem, DraftPerson, DraftSite, Lined};
pub use fault::{Fault, Faults, Problem};
pub use plan::{Action, Plan, PlanLine};
pub(in crate::store) use right::{note_end, persons_with_right};
pub use site::{SitePlan, plan_site};
pub use vault::{Vault, VaultError};

#[cfg(test)]
pub(in crate::store) mod testing;
#[cfg(test)]
mod tests;
