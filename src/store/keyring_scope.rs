//! What a key of the keyring is for.

use crate::types::{CustomerId, PersonId};
use crate::wire::{CursorError, Reader, Writer};

/// Number of a key; never used again, not even after the key was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(u64);

impl KeyId {
    /// From its number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, as sealed pieces carry it.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Who holds the data that a key seals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// The site, for its own purposes.
    Site,
    /// A customer.
    Customer(CustomerId),
}

/// What kind of data a key seals; each goes at a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// Names and how to reach somebody.
    Contact,
    /// Keyed hashes of templates.
    Biometric,
    /// Where somebody was and when.
    Log,
}

/// What one key is for. Erasing is done by scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyScope {
    /// One category of one person's data with one holder.
    Person {
        /// Whose data.
        person: PersonId,
        /// With whom.
        holder: Holder,
        /// Which.
        category: Category,
    },
    /// Log entries of one month that are about no person.
    Month {
        /// With whom.
        holder: Holder,
        /// The year.
        year: u16,
        /// The month, 1..=12.
        month: u8,
    },
}

/// Bytes that are no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidScope;

impl From<CursorError> for InvalidScope {
    fn from(_: CursorError) -> Self {
        Self
    }
}

const PERSON: u8 = 1;
const MONTH: u8 = 2;
const SITE: u8 = 0;
const CUSTOMER: u8 = 1;

impl Category {
    const ALL: [Self; 3] = [Self::Contact, Self::Biometric, Self::Log];

    fn number(self) -> u8 {
        match self {
            Self::Contact => 1,
            Self::Biometric => 2,
            Self::Log => 3,
        }
    }
}

impl KeyScope {
    /// Appends its bytes; no scope's are the beginning of another's.
    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::Person {
                person,
                holder,
                category,
            } => {
                out.u8(PERSON);
                write_id(out, person.as_str());
                write_holder(out, holder);
                out.u8(category.number());
            }
            Self::Month {
                holder,
                year,
                month,
            } => {
                out.u8(MONTH);
                write_holder(out, holder);
                out.u16(*year);
                out.u8(*month);
            }
        }
    }

    /// Reads what [`KeyScope::write`] wrote.
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, InvalidScope> {
        match from.u8()? {
            PERSON => {
                let person = PersonId::parse(read_id(from)?).map_err(|_| InvalidScope)?;
                let holder = read_holder(from)?;
                let number = from.u8()?;
                let category = Category::ALL.into_iter().find(|c| c.number() == number);
                Ok(Self::Person {
                    person,
                    holder,
                    category: category.ok_or(InvalidScope)?,
                })
            }
            MONTH => Ok(Self::Month {
                holder: read_holder(from)?,
                year: from.u16()?,
                month: from.u8()?,
            }),
            _ => Err(InvalidScope),
        }
    }
}

fn write_holder(out: &mut Writer, holder: &Holder) {
    match holder {
        Holder::Site => out.u8(SITE),
        Holder::Customer(customer) => {
            out.u8(CUSTOMER);
            write_id(out, customer.as_str());
        }
    }
}

fn read_holder(from: &mut Reader<'_>) -> Result<Holder, InvalidScope> {
    match from.u8()? {
        SITE => Ok(Holder::Site),
        CUSTOMER => CustomerId::parse(read_id(from)?)
            .map(Holder::Customer)
            .map_err(|_| InvalidScope),
        _ => Err(InvalidScope),
    }
}

/// Ids have at most 40 bytes.
fn write_id(out: &mut Writer, id: &str) {
    out.u8(u8::try_from(id.len()).unwrap_or(u8::MAX));
    out.bytes(id.as_bytes());
}

fn read_id<'a>(from: &mut Reader<'a>) -> Result<&'a str, InvalidScope> {
    let len_bytes = usize::from(from.u8()?);
    std::str::from_utf8(from.take(len_bytes)?).map_err(|_| InvalidScope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_these_bytes_and_read_back() {
        let person = KeyScope::Person {
            person: PersonId::parse("p1").unwrap(),
            holder: Holder::Customer(CustomerId::parse("acme").unwrap()),
            category: Category::Log,
        };
        let month = KeyScope::Month {
            holder: Holder::Site,
            year: 2026,
            month: 11,
        };
        for (scope, bytes) in [
            (person, &b"\x01\x02p1\x01\x04acme\x03"[..]),
            (month, b"\x02\x00\x07\xEA\x0B"),
        ] {
            let mut out = Writer::new();
            scope.write(&mut out);
            assert_eq!(out.as_bytes(), bytes);
            assert_eq!(KeyScope::read(&mut Reader::new(bytes)), Ok(scope));
            for cut in 0..bytes.len() {
                let mut reader = Reader::new(&bytes[..cut]);
                assert_eq!(KeyScope::read(&mut reader), Err(InvalidScope));
            }
        }
    }
}
