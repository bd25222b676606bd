//! Identifiers. Each kind is its own type; all share one grammar (AIP-122 resource ids).

use std::fmt;
use std::sync::Arc;

/// Longest identifier in characters; a `UUIDv7` has 36.
const ID_CHARS_MAX: usize = 40;
/// Longest boot or request id in characters.
const TOKEN_CHARS_MAX: usize = 64;

/// Text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not 1..=40 characters of `a-z0-9-` beginning with a letter or digit.
    #[error("an id is 1 to 40 characters of a-z, 0-9 and -, beginning with a letter or digit")]
    Grammar,
    /// Not `{collection}/{id}`.
    #[error("a name here has the form `{0}/ID`")]
    Collection(&'static str),
    /// Not 1..=64 visible ASCII characters.
    #[error("must be 1 to 64 visible ASCII characters")]
    Token,
}

pub(super) fn parse_slug(text: &str) -> Result<Arc<str>, InvalidId> {
    let fits = (1..=ID_CHARS_MAX).contains(&text.len());
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if fits && text.bytes().all(good) && !text.starts_with('-') {
        Ok(Arc::from(text))
    } else {
        Err(InvalidId::Grammar)
    }
}

/// Declares an identifier type with its AIP-122 collection.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $collection:literal) => {
        $(#[$doc])*
        ///
        /// 1..=40 characters of `a-z0-9-`, beginning with a letter or digit. Cheap to clone.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Collection of its resource name: `", $collection, "/{id}`.")]
            pub const COLLECTION: &'static str = $collection;

            /// Parses a bare id.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                parse_slug(text).map(Self)
            }

            /// Parses a resource name, `{collection}/{id}`.
            pub fn from_name(name: &str) -> Result<Self, InvalidId> {
                name.strip_prefix($collection)
                    .and_then(|rest| rest.strip_prefix('/'))
                    .ok_or(InvalidId::Collection($collection))
                    .and_then(Self::parse)
            }

            /// The bare id.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The resource name, `{collection}/{id}`.
            pub fn name(&self) -> String {
                format!(concat!($collection, "/{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id_type!(/// A site.
    SiteId, "sites");
id_type!(/// An area.
    AreaId, "areas");
id_type!(/// A door.
    DoorId, "doors");
id_type!(/// One side of a door.
    AccessPointId, "accessPoints");
id_type!(/// A door controller.
    ControllerId, "controllers");
id_type!(/// A card reader on a serial line.
    ReaderId, "readers");
id_type!(/// A tenant.
    CustomerId, "customers");
id_type!(/// A person; an opaque id, never a name.
    PersonId, "persons");
id_type!(/// A badge; an opaque id, not the printed number.
    BadgeId, "badges");
id_type!(/// A schedule.
    ScheduleId, "schedules");
id_type!(/// A set of special days.
    SpecialDaysId, "specialDays");

impl ScheduleId {
    /// Id of the built-in schedule that always holds.
    pub const ALWAYS: &'static str = "always";

    /// The built-in schedule that always holds.
    pub fn always() -> Self {
        Self(Arc::from(Self::ALWAYS))
    }

    /// Whether this is the built-in schedule that always holds.
    pub fn is_always(&self) -> bool {
        &*self.0 == Self::ALWAYS
    }
}

/// Declares an opaque token that a caller chooses.
macro_rules! token_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1..=64 visible ASCII characters.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses it.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let fits = (1..=TOKEN_CHARS_MAX).contains(&text.len());
                if fits && text.bytes().all(|c| c.is_ascii_graphic()) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(InvalidId::Token)
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

token_type!(/// Names one run of a controller; new at each of its starts.
    BootId);
token_type!(/// Makes a write idempotent (AIP-155).
    RequestId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_grammar() {
        for good in ["a", "hall-1", "0190b2c4-7d3e-7000-8000-000000000000"] {
            assert_eq!(
                AreaId::parse(good).map(|id| id.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", "-a", "A", "å", "a b", "a/b", &"x".repeat(41)] {
            assert_eq!(AreaId::parse(bad), Err(InvalidId::Grammar), "{bad}");
        }
    }

    #[test]
    fn names_carry_their_collection() {
        assert_eq!(
            DoorId::from_name("doors/d1").map(|d| d.name()),
            Ok("doors/d1".to_owned())
        );
        assert_eq!(
            DoorId::from_name("areas/d1"),
            Err(InvalidId::Collection("doors"))
        );
        assert_eq!(DoorId::from_name("doors/"), Err(InvalidId::Grammar));
    }
}
