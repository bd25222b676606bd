//! Proof in the code that an entry is durable (invariant 1).

use crate::types::{DoorId, Moment, SiteId};

/// Names an entry of the journal: site, node and sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JournalRef {
    /// The site.
    pub site: SiteId,
    /// The node within the site.
    pub node: u32,
    /// The sequence number.
    pub sequence: u64,
}

impl JournalRef {
    /// Resource name, `journal/{site}/{node}/{sequence}`.
    pub fn name(&self) -> String {
        format!("journal/{}/{}/{}", self.site, self.node, self.sequence)
    }

    /// Parses a resource name; `None` if it is none.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("journal/")?.split('/');
        let found = Self {
            site: SiteId::parse(parts.next()?).ok()?,
            node: parts.next()?.parse().ok()?,
            sequence: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(found)
    }
}

/// That `T` was decided at a door, and that its entry is on disk.
///
/// Only the scribe makes one, after the sync of the commit that holds the entry has returned.
/// It is neither `Clone` nor `Copy`: one entry, one unlock.
///
/// Nobody else can make one:
///
/// ```compile_fail,E0451
/// use sluss::store::Receipt;
/// fn forge(receipt: Receipt<u8>) -> Receipt<u16> {
///     Receipt { value: 1, ..receipt }
/// }
/// ```
///
/// And nobody can use one twice:
///
/// ```compile_fail,E0382
/// use sluss::control::Unlock;
/// use sluss::store::Receipt;
/// use sluss::types::{Grant, Moment};
/// fn twice(receipt: Receipt<Grant>, now: Moment) {
///     let first = Unlock::from_receipt(receipt, now);
///     let second = Unlock::from_receipt(receipt, now);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a receipt that is dropped is an entry nobody acts on"]
pub struct Receipt<T> {
    proof: Proof,
    value: T,
}

/// What a receipt proves, before it is one.
#[derive(Debug)]
pub(in crate::store) struct Proof {
    pub(in crate::store) entry: JournalRef,
    pub(in crate::store) door: DoorId,
    pub(in crate::store) recorded: Moment,
    pub(in crate::store) is_repeat: bool,
}

impl<T> Receipt<T> {
    pub(in crate::store) fn new(proof: Proof, value: T) -> Self {
        Self { proof, value }
    }

    /// The entry.
    pub fn entry(&self) -> &JournalRef {
        &self.proof.entry
    }

    /// The door it is about.
    pub fn door(&self) -> &DoorId {
        &self.proof.door
    }

    /// When the decision was handed to the scribe; age counts from here.
    pub fn recorded(&self) -> Moment {
        self.proof.recorded
    }

    /// Whether the same request was answered before: nothing new was written.
    pub fn is_repeat(&self) -> bool {
        self.proof.is_repeat
    }

    /// What was decided.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Takes the receipt apart; what is left of it proves nothing any more.
    pub fn into_parts(self) -> (JournalRef, DoorId, T) {
        (self.proof.entry, self.proof.door, self.value)
    }
}

/// A receipt of a grant, for tests of what it opens.
#[cfg(test)]
pub(crate) fn receipt_for_tests(recorded: Moment) -> Receipt<crate::types::Grant> {
    use crate::types::{BadgeId, CustomerId, EntryNumber, EntryRef, FactorSet, Grant, PersonId};
    let customer = CustomerId::parse("acme").unwrap();
    let grant = Grant {
        badge: BadgeId::parse("b-1").unwrap(),
        person: PersonId::parse("p-1").unwrap(),
        entry: EntryRef {
            customer,
            number: EntryNumber(1),
        },
        approver: PersonId::parse("p-9").unwrap(),
        verified: FactorSet::EMPTY,
    };
    Receipt::new(proof_for_tests(recorded), grant)
}

/// A receipt of an order, for tests of what it opens.
#[cfg(test)]
pub(crate) fn order_receipt_for_tests(
    order: crate::types::DoorOrder,
    recorded: Moment,
) -> Receipt<crate::types::DoorOrder> {
    Receipt::new(proof_for_tests(recorded), order)
}

#[cfg(test)]
fn proof_for_tests(recorded: Moment) -> Proof {
    Proof {
        entry: JournalRef {
            site: SiteId::parse("dc1").unwrap(),
            node: 1,
            sequence: 1,
        },
        door: DoorId::parse("d").unwrap(),
        recorded,
        is_repeat: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_names_read_back() {
        let entry = JournalRef {
            site: SiteId::parse("dc1").unwrap(),
            node: 1,
            sequence: 42,
        };
        assert_eq!(entry.name(), "journal/dc1/1/42");
        assert_eq!(JournalRef::from_name(&entry.name()), Some(entry));
        for bad in [
            "",
            "journal/dc1/1",
            "journal/dc1/1/42/x",
            "journal/dc1/1/-1",
            "j/dc1/1/1",
        ] {
            assert_eq!(JournalRef::from_name(bad), None, "{bad}");
        }
    }
}
