//! The certificate authorities that shops' certificates are checked against.

use base64::{Engine, prelude::BASE64_STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Mozilla's root certificates as PEM. A list that is compiled in does not depend on what the machine trusts, and is
/// updated with the other dependencies.
pub fn mozilla() -> Vec<u8> {
    TLS_SERVER_ROOT_CERTS.iter().flat_map(|certificate| pem(certificate)).collect()
}

/// A certificate as PEM.
pub fn pem(certificate: &[u8]) -> Vec<u8> {
    let base64 = BASE64_STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n").into_bytes()
}
