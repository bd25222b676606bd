//! The site's authority: an ECDSA P-256 key that signs the certificates of the site.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber, date_time_ymd,
};
use zeroize::Zeroizing;

use super::PkiError;
use crate::service::auth::{CertificateSerial, caller_uri};
use crate::types::{Caller, SiteId, UtcTime, World};

/// How long the authority itself lasts: 20 years.
const AUTHORITY_DAYS: u32 = 7_305;
/// Seconds by which a certificate begins in the past, for devices whose clocks are slow.
const BACKDATED_SECONDS: i64 = 300;
const SECONDS_PER_DAY: u32 = 86_400;
/// Longest name of a server in characters (RFC 1035 §2.3.4).
const SERVER_NAME_CHARS_MAX: usize = 253;

/// Days that are not 1..=1830.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a certificate is for 1 to 1830 days")]
pub struct InvalidDays;

/// For how long a certificate is issued, 1..=1830 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u32);

impl Days {
    /// One year, the usual.
    pub const YEAR: Self = Self(365);
    /// Five years, for the server itself.
    pub const FIVE_YEARS: Self = Self(1_825);

    /// From a number.
    pub fn new(count: u32) -> Result<Self, InvalidDays> {
        if (1..=1_830).contains(&count) {
            Ok(Self(count))
        } else {
            Err(InvalidDays)
        }
    }
}

/// Text that is neither a DNS name nor an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a DNS name such as `sluss.example.com`, or an IP address")]
pub struct InvalidName;

/// A name under which clients reach the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// A DNS name.
    Dns(String),
    /// An address.
    Address(IpAddr),
}

impl ServerName {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !label.starts_with('-')
        };
        if text.len() <= SERVER_NAME_CHARS_MAX && text.split('.').all(label) {
            Ok(Self::Dns(text.to_ascii_lowercase()))
        } else {
            Err(InvalidName)
        }
    }

    fn alternative(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Dns(name) => SanType::DnsName(Ia5String::try_from(name.as_str())?),
            Self::Address(address) => SanType::IpAddress(*address),
        })
    }
}

/// Whom a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A caller, as a TLS client.
    Caller(Caller),
    /// This server, under these names.
    Server(Vec<ServerName>),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Caller(caller) => caller.fmt(f),
            Self::Server(_) => f.write_str("server"),
        }
    }
}

/// A certificate with its key, before it is written anywhere.
pub struct Issued {
    /// Whom it is for.
    pub subject: Subject,
    /// Its serial number.
    pub serial: CertificateSerial,
    /// When it begins to count.
    pub not_before: UtcTime,
    /// When it has run out.
    pub not_after: UtcTime,
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// Its key, as PEM (PKCS #8).
    pub key_pem: Zeroizing<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("subject", &self.subject)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

/// The site's authority, with its key in memory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    site: SiteId,
    certificate_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority for a site; the second part is its key, as PEM.
    pub fn create(site: &SiteId, world: &dyn World) -> Result<(Self, Zeroizing<String>), PkiError> {
        let key = new_key()?;
        let now = world.now().utc;
        let mut params = base_params(site, "authority", now, AUTHORITY_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(new_serial(world)?.1);
        let certificate_pem = params.self_signed(&key)?.pem();
        let key_pem = Zeroizing::new(key.serialize_pem());
        let authority = Self {
            issuer: Issuer::new(params, key),
            site: site.clone(),
            certificate_pem,
        };
        Ok((authority, key_pem))
    }

    /// The authority of a site from its two PEM texts.
    pub(super) fn from_pem(
        site: &SiteId,
        certificate: String,
        key: &str,
    ) -> Result<Self, rcgen::Error> {
        Ok(Self {
            issuer: Issuer::from_ca_cert_pem(&certificate, KeyPair::from_pem(key)?)?,
            site: site.clone(),
            certificate_pem: certificate,
        })
    }

    /// Its certificate as PEM: what clients and servers trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Makes a key and a certificate for it. Nothing is written; see [`super::PkiFolder::issue`].
    pub fn issue(
        &self,
        subject: Subject,
        days: Days,
        world: &dyn World,
    ) -> Result<Issued, PkiError> {
        let key = new_key()?;
        let now = world.now().utc;
        let (serial, number) = new_serial(world)?;
        let mut params = base_params(&self.site, &subject.to_string(), now, days.0)?;
        params.serial_number = Some(number);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let (usage, names) = match &subject {
            Subject::Caller(caller) => {
                let uri = Ia5String::try_from(caller_uri(&self.site, caller))?;
                (ExtendedKeyUsagePurpose::ClientAuth, vec![SanType::URI(uri)])
            }
            Subject::Server(names) => {
                let names = names
                    .iter()
                    .map(ServerName::alternative)
                    .collect::<Result<_, _>>()?;
                (ExtendedKeyUsagePurpose::ServerAuth, names)
            }
        };
        params.extended_key_usages = vec![usage];
        params.subject_alt_names = names;
        let certificate_pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued {
            subject,
            serial,
            not_before: backdated(now),
            not_after: ends(now, days.0),
            certificate_pem,
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }
}

/// A new key. The library that makes it takes its entropy from the operating system itself.
fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// A serial number of 16 bytes, of which 126 bits are random. The first two are set so that it is
/// positive and always has 32 digits.
fn new_serial(world: &dyn World) -> Result<(CertificateSerial, SerialNumber), PkiError> {
    let mut bytes = [0; 16];
    world.fill_random(&mut bytes);
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    let serial = CertificateSerial::from_bytes(&bytes)
        .map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
    Ok((serial, SerialNumber::from_slice(&bytes)))
}

fn backdated(now: UtcTime) -> UtcTime {
    UtcTime::from_unix(now.unix().saturating_sub(BACKDATED_SECONDS)).unwrap_or(UtcTime::EPOCH)
}

fn ends(now: UtcTime, days: u32) -> UtcTime {
    now.plus_seconds(days.saturating_mul(SECONDS_PER_DAY))
}

fn base_params(
    site: &SiteId,
    common_name: &str,
    now: UtcTime,
    days: u32,
) -> Result<CertificateParams, rcgen::Error> {
    let date = |at: UtcTime| {
        let seconds = u64::try_from(at.unix()).unwrap_or(0);
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, format!("sluss {site}"));
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date(backdated(now));
    params.not_after = date(ends(now, days));
    Ok(params)
}
