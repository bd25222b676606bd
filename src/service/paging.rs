//! Opaque page tokens: bound to the method, the caller and what was asked for.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use tonic::Status;

use super::status::{Reason, fault, invalid};
use crate::ledger::keyed_hash;
use crate::types::Caller;

/// Longest token that is looked at, in characters.
const TOKEN_CHARS_MAX: usize = 512;
/// Bytes of the proof at the beginning of a token.
const PROOF_BYTES: usize = 16;

/// How large pages of a method are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) struct PageSizes {
    /// Where the caller says 0.
    pub(in crate::service) default: usize,
    /// At most; more is taken as this.
    pub(in crate::service) max: usize,
}

impl PageSizes {
    /// Pages of resources.
    pub(in crate::service) const RESOURCES: Self = Self {
        default: 50,
        max: 100,
    };
    /// Pages of versions, which are small.
    pub(in crate::service) const VERSIONS: Self = Self {
        default: 100,
        max: 500,
    };
    /// Pages of what is known at this moment.
    pub(in crate::service) const STATUSES: Self = Self {
        default: 100,
        max: 1_000,
    };

    /// The size that was asked for (AIP-158: too large is cut, below zero is an error).
    pub(in crate::service) fn read(self, page_size: i32) -> Result<usize, Status> {
        match usize::try_from(page_size) {
            Ok(0) => Ok(self.default),
            Ok(size) => Ok(size.min(self.max)),
            Err(_) => Err(invalid("page_size", "must not be below 0")),
        }
    }

    /// The same for a field that cannot be below zero.
    pub(in crate::service) fn cut(self, page_size: u32) -> usize {
        match usize::try_from(page_size) {
            Ok(0) => self.default,
            Ok(size) => size.min(self.max),
            Err(_) => self.max,
        }
    }
}

/// What a token is good for: no other list, and nobody else.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct PageScope<'a> {
    /// The method.
    pub(in crate::service) method: &'static str,
    /// Who asks.
    pub(in crate::service) caller: &'a Caller,
    /// What else was asked for and has to stay the same from page to page.
    pub(in crate::service) query: &'a str,
}

impl PageScope<'_> {
    /// A token for the page behind a position.
    pub(in crate::service) fn seal(&self, key: &hmac::Key, position: &str) -> String {
        let mut token = self.proof(key, position.as_bytes()).to_vec();
        token.extend_from_slice(position.as_bytes());
        BASE64URL_NOPAD.encode(&token)
    }

    /// The position that a token stands for; `None` for the first page.
    pub(in crate::service) fn open(
        &self,
        key: &hmac::Key,
        token: &str,
    ) -> Result<Option<String>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let refused = || fault(Reason::PageTokenInvalid);
        if token.len() > TOKEN_CHARS_MAX {
            return Err(refused());
        }
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes());
        let bytes = bytes.map_err(|_| refused())?;
        let (proof, position) = bytes.split_at_checked(PROOF_BYTES).ok_or_else(refused)?;
        // A token opens nothing that its caller may not read anyway, so that the time the
        // comparison takes gives nothing away.
        if proof != self.proof(key, position) {
            return Err(refused());
        }
        let position = String::from_utf8(position.to_vec());
        position.map(Some).map_err(|_| refused())
    }

    /// A page of a list that is in memory and sorted by id, and the token of the next page.
    pub(in crate::service) fn page<T>(
        &self,
        key: &hmac::Key,
        (size, token): (usize, &str),
        (all, id): (Vec<T>, fn(&T) -> &str),
    ) -> Result<(Vec<T>, String), Status> {
        let last = self.open(key, token)?;
        let is_next = |item: &T| last.as_deref().is_none_or(|last| id(item) > last);
        let mut left = all.into_iter().filter(is_next);
        let page: Vec<T> = left.by_ref().take(size).collect();
        let next = page.last().filter(|_| left.next().is_some());
        let next = next.map(|item| self.seal(key, id(item)));
        Ok((page, next.unwrap_or_default()))
    }

    fn proof(&self, key: &hmac::Key, position: &[u8]) -> [u8; PROOF_BYTES] {
        let caller = self.caller.to_string();
        let fields = [
            self.method.as_bytes(),
            caller.as_bytes(),
            self.query.as_bytes(),
            position,
        ];
        keyed_hash(key, "sluss-page/v1", &fields).prefix()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    #[test]
    fn a_token_is_good_for_its_caller_method_and_query_only() {
        let (a, b) = (Caller::Operator("a".into()), Caller::Operator("b".into()));
        let scope = PageScope {
            method: "ListAreas",
            caller: &a,
            query: "x",
        };
        let token = scope.seal(&key(), "cage");
        assert_eq!(scope.open(&key(), &token).unwrap().as_deref(), Some("cage"));
        let others = [
            PageScope {
                method: "ListDoors",
                ..scope
            },
            PageScope {
                caller: &b,
                ..scope
            },
            PageScope {
                query: "y",
                ..scope
            },
        ];
        for other in others {
            let refused = other.open(&key(), &token).unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{other:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_token_are_refused() {
        let caller = Caller::Operator("a".into());
        let scope = PageScope {
            method: "ListAreas",
            caller: &caller,
            query: "",
        };
        for bad in ["?", "AAAA", &"A".repeat(600)] {
            assert!(scope.open(&key(), bad).is_err(), "{bad}");
        }
        assert_eq!(scope.open(&key(), "").unwrap(), None);
    }

    #[test]
    fn pages_make_the_whole_list() {
        let caller = Caller::Operator("a".into());
        let scope = PageScope {
            method: "ListDoorStatuses",
            caller: &caller,
            query: "",
        };
        for size in 1..=6 {
            let (mut seen, mut token) = (String::new(), String::new());
            loop {
                let all = vec!["a", "b", "c", "d", "e"];
                let (page, next) = scope.page(&key(), (size, &token), (all, |id| id)).unwrap();
                assert!(page.len() <= size);
                seen.extend(page);
                if next.is_empty() {
                    break;
                }
                token = next;
            }
            assert_eq!(seen, "abcde", "pages of {size}");
        }
    }

    #[test]
    fn a_page_has_its_bounds() {
        let sizes = PageSizes::RESOURCES;
        assert_eq!(sizes.read(0).unwrap(), 50);
        assert_eq!(sizes.read(7).unwrap(), 7);
        assert_eq!(sizes.read(i32::MAX).unwrap(), 100);
        assert!(sizes.read(-1).is_err());
        assert_eq!([0, 7, u32::MAX].map(|size| sizes.cut(size)), [50, 7, 100]);
    }
}
