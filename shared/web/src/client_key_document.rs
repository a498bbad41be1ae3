//! A client key, as its seller reads it.

use domain::{Timestamp, client_key::ClientKey};
use serde::Serialize;

/// A client key, as its seller reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientKeyDocument {
    client_key: String,
    created_at: Timestamp,
}

impl From<&ClientKey> for ClientKeyDocument {
    fn from(key: &ClientKey) -> Self {
        Self { client_key: key.text(), created_at: key.created_at }
    }
}
