//! Who is at the other end: read from the client certificate, never from a request.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use tokio::sync::watch;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use crate::types::{Caller, CallerKind, SiteId, UtcTime};

/// Longest serial number in bytes (RFC 5280 §4.1.2.2).
const SERIAL_BYTES_MAX: usize = 20;

/// A certificate that names no caller of this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefused {
    /// Not an X.509 certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Its serial number is zero, empty or longer than 20 bytes.
    #[error("the serial number must have 1 to 20 bytes")]
    Serial,
    /// It ends before 1970 or after 9999.
    #[error("the certificate must end between 1970 and 9999")]
    Validity,
    /// It has no subject alternative name, several, or one that is not a URI.
    #[error("the certificate must have exactly one alternative name, a URI")]
    Names,
    /// The URI is not `spiffe://{site}/{kind}/{id}`.
    #[error("the URI must have the form `spiffe://SITE/KIND/ID`")]
    Form,
    /// The URI names another site.
    #[error("the certificate is for another site")]
    Site,
    /// The kind is not one of `controller`, `customer`, `desk`, `operator`.
    #[error("the kind must be controller, customer, desk or operator")]
    Kind,
    /// The id does not follow the grammar of ids.
    #[error("the id in the URI is not an id")]
    Id,
}

/// Serial number of a certificate: lower-case hexadecimal, 2..=40 digits, no leading zero byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateSerial(Arc<str>);

impl CertificateSerial {
    /// From the bytes of the number, most significant first.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CertificateRefused> {
        let start = bytes.iter().position(|byte| *byte != 0);
        start
            .and_then(|start| bytes.get(start..))
            .filter(|number| number.len() <= SERIAL_BYTES_MAX)
            .map(|number| Self(HEXLOWER.encode(number).into()))
            .ok_or(CertificateRefused::Serial)
    }

    /// From its hexadecimal digits, as [`CertificateSerial::as_str`] prints them.
    pub fn parse(text: &str) -> Result<Self, CertificateRefused> {
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| Self::from_bytes(&bytes).ok())
            .filter(|serial| serial.as_str() == text)
            .ok_or(CertificateRefused::Serial)
    }

    /// Its hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CertificateSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateSerial({})", self.0)
    }
}

/// Number of a connection, unique in one run of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub caller: Caller,
    /// The certificate that says so.
    pub serial: CertificateSerial,
    /// The last second of its validity.
    pub not_after: UtcTime,
}

/// The other end of a connection, in the extensions of every request that came over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub caller: Caller,
    /// The certificate that says so.
    pub serial: CertificateSerial,
    /// The last second of its validity.
    pub not_after: UtcTime,
    /// The connection.
    pub connection: ConnectionId,
}

impl Peer {
    /// Whether the certificate has ended. Its last second still counts (RFC 5280 §4.1.2.5).
    pub(super) fn has_ended(&self, now: UtcTime) -> bool {
        now > self.not_after
    }
}

/// The URI that names a caller of a site in a certificate.
pub fn caller_uri(site: &SiteId, caller: &Caller) -> String {
    format!("spiffe://{site}/{caller}")
}

/// Reads who a certificate names.
///
/// That it was signed by the site's authority and has begun is the handshake's matter, and that
/// it has not ended then; that it does not end later is the gate's and the connection's, and that
/// it is not revoked is [`Revocations`]'.
pub fn identify(der: &[u8], site: &SiteId) -> Result<Identity, CertificateRefused> {
    let (rest, certificate) =
        parse_x509_certificate(der).map_err(|_| CertificateRefused::Unreadable)?;
    if !rest.is_empty() {
        return Err(CertificateRefused::Unreadable);
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| CertificateRefused::Names)?
        .ok_or(CertificateRefused::Names)?;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return Err(CertificateRefused::Names);
    };
    let not_after = UtcTime::from_unix(certificate.validity().not_after.timestamp());
    Ok(Identity {
        caller: parse_uri(uri, site)?,
        not_after: not_after.map_err(|_| CertificateRefused::Validity)?,
        serial: CertificateSerial::from_bytes(certificate.raw_serial())?,
    })
}

fn parse_uri(uri: &str, site: &SiteId) -> Result<Caller, CertificateRefused> {
    let rest = uri
        .strip_prefix("spiffe://")
        .ok_or(CertificateRefused::Form)?;
    let mut parts = rest.split('/');
    let (Some(domain), Some(kind), Some(id), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(CertificateRefused::Form);
    };
    if domain != site.as_str() {
        return Err(CertificateRefused::Site);
    }
    let kind = CallerKind::parse(kind).ok_or(CertificateRefused::Kind)?;
    Caller::parse(kind, id).map_err(|_| CertificateRefused::Id)
}

/// The certificates that no longer count.
///
/// Asked at every connection and every call; connections of a certificate that enters the set
/// are cut. Filled from the register's folder by the server (`pki::Register::refresh`).
#[derive(Debug)]
pub struct Revocations {
    serials: ArcSwap<BTreeSet<CertificateSerial>>,
    changed: watch::Sender<()>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            serials: ArcSwap::default(),
            changed: watch::Sender::new(()),
        }
    }
}

impl Revocations {
    /// Whether a certificate is revoked.
    pub fn contains(&self, serial: &CertificateSerial) -> bool {
        self.serials.load().contains(serial)
    }

    /// Puts another set in place of this one; tells those who wait only if it differs.
    pub fn replace(&self, serials: BTreeSet<CertificateSerial>) {
        if **self.serials.load() != serials {
            self.serials.store(Arc::new(serials));
            self.changed.send_replace(());
        }
    }

    /// Waits until a certificate is revoked.
    pub(super) async fn revoked(self: Arc<Self>, serial: CertificateSerial) {
        let mut changes = self.changed.subscribe();
        while !self.contains(&serial) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteId {
        SiteId::parse("sto1").unwrap()
    }

    #[test]
    fn a_uri_names_a_caller_of_this_site_only() {
        for kind in CallerKind::ALL {
            let caller = Caller::parse(kind, "north-1").unwrap();
            let uri = caller_uri(&site(), &caller);
            assert_eq!(parse_uri(&uri, &site()), Ok(caller));
        }
        for (uri, refused) in [
            ("https://sto1/controller/a", CertificateRefused::Form),
            ("spiffe://sto1/controller", CertificateRefused::Form),
            ("spiffe://sto1/controller/a/b", CertificateRefused::Form),
            ("spiffe://sto1/controller/a/", CertificateRefused::Form),
            ("spiffe://sto2/controller/a", CertificateRefused::Site),
            ("spiffe://sto1.x/controller/a", CertificateRefused::Site),
            ("spiffe://sto1/Controller/a", CertificateRefused::Kind),
            ("spiffe://sto1/guard/a", CertificateRefused::Kind),
            ("spiffe://sto1/controller/", CertificateRefused::Id),
            ("spiffe://sto1/customer/A", CertificateRefused::Id),
            ("spiffe://sto1/customer/a?x", CertificateRefused::Id),
        ] {
            assert_eq!(parse_uri(uri, &site()), Err(refused), "{uri}");
        }
    }

    #[test]
    fn a_serial_has_one_spelling() {
        let serial = CertificateSerial::from_bytes(&[0, 0x0a, 0xff]).unwrap();
        assert_eq!(serial.as_str(), "0aff");
        assert_eq!(CertificateSerial::parse("0aff"), Ok(serial));
        for bad in ["", "0", "0AFF", "000aff", "zz", "00", &"ab".repeat(21)] {
            assert_eq!(
                CertificateSerial::parse(bad),
                Err(CertificateRefused::Serial),
                "{bad}"
            );
        }
    }

    #[test]
    fn garbage_is_no_certificate() {
        assert_eq!(
            identify(b"\x30\x03\x02\x01\x01", &site()),
            Err(CertificateRefused::Unreadable)
        );
    }
}
