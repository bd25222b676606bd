//! Rows of the rules: how the words of the trade are stored, and read back.
//!
//! A row that cannot be read back is damage, never a default: the error names table, key and
//! field, and nothing of the value.

mod codes;
mod doors;
mod places;
mod times;

mod people;

mod entries;

mod load;

pub use codes::Code;
pub use entries::{entry_from_row, entry_key, entry_row};
pub use load::{LoadError, RowSource, TableRows, load_parts, load_site};
pub use people::{
    badge_from_row, badge_row, person_from_row, person_row, pin_row, pin_verifier, validity_of,
};

use super::tables::Table;

/// A row that is not what its table holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the row `{key}` of the table {table} is damaged in `{field}`")]
pub struct DamagedRow {
    /// The table.
    pub table: &'static str,
    /// The row's key.
    pub key: String,
    /// The field that cannot be read.
    pub field: &'static str,
}

/// Name of a field that cannot be read; with its row it becomes a [`DamagedRow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedField(pub &'static str);

impl DamagedField {
    /// Says in which row.
    pub fn in_row<T: Table>(self, key: impl Into<String>) -> DamagedRow {
        DamagedRow {
            table: T::NAME,
            key: key.into(),
            field: self.0,
        }
    }
}

/// Marks a failed parse as damage of a field.
pub(crate) fn damaged<E>(field: &'static str) -> impl Fn(E) -> DamagedField {
    move |_| DamagedField(field)
}

/// A resource that is one row of one table, with nothing sealed in it.
pub trait Stored: Sized + Clone + PartialEq {
    /// Its table.
    type Table: Table<Key = String>;

    /// Its id, the row's key.
    fn key(&self) -> &str;

    /// Its resource name.
    fn name(&self) -> String;

    /// Its row.
    fn to_row(&self) -> <Self::Table as Table>::Value;

    /// Reads it back.
    fn from_row(key: &str, row: &<Self::Table as Table>::Value) -> Result<Self, DamagedField>;

    /// Names of the fields in which it differs from another.
    fn differences(&self, other: &Self) -> Vec<&'static str>;
}

/// Lists the fields in which two values differ.
macro_rules! differing {
    ($a:expr, $b:expr; $($field:ident),+) => {{
        let mut fields = Vec::new();
        $(if $a.$field != $b.$field { fields.push(stringify!($field)); })+
        fields
    }};
}
pub(crate) use differing;
