//! Who we are, as our own certificate says.

use std::sync::Arc;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;

use crate::types::{Caller, ControllerId, CustomerId};

/// The caller that a PEM certificate names by its one URI, `spiffe://SITE/KIND/ID`.
///
/// `None` if it names none; the server is the one who decides what that means.
pub fn caller_of_certificate(pem: &[u8]) -> Option<Caller> {
    let (_, block) = parse_x509_pem(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(uri_of);
    let only = uris.next()?;
    if uris.next().is_some() {
        return None;
    }
    caller_of_uri(only)
}

fn uri_of<'a>(name: &GeneralName<'a>) -> Option<&'a str> {
    if let GeneralName::URI(uri) = name {
        Some(uri)
    } else {
        None
    }
}

fn caller_of_uri(uri: &str) -> Option<Caller> {
    let mut parts = uri.strip_prefix("spiffe://")?.split('/');
    let (_site, kind, id) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    match kind {
        "controller" => ControllerId::parse(id).ok().map(Caller::Controller),
        "customer" => CustomerId::parse(id).ok().map(Caller::Customer),
        "desk" => Some(Caller::Desk(Arc::from(id))),
        "operator" => Some(Caller::Operator(Arc::from(id))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()))
            .collect();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem().into_bytes()
    }

    #[test]
    fn a_customers_certificate_names_the_customer() {
        let caller = caller_of_certificate(&certificate(&["spiffe://demo/customer/acme"]));
        assert_eq!(caller, CustomerId::parse("acme").ok().map(Caller::Customer));
    }

    #[test]
    fn two_names_are_no_name() {
        let two = ["spiffe://demo/customer/acme", "spiffe://demo/customer/bolt"];
        assert_eq!(caller_of_certificate(&certificate(&two)), None);
        assert_eq!(caller_of_certificate(b"no certificate"), None);
        assert_eq!(caller_of_uri("spiffe://demo/customer/acme/more"), None);
    }
}
