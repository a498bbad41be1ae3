//! Bands.

use crate::{
    Error, Input, Timestamp,
    id::{BandId, UserId},
    input::{Checked, Members},
    text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is said of a band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BandDraft {
    /// One line of 1 to 200 characters.
    pub name: String,
    /// One line of 1 to 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genre: Option<String>,
}

impl BandDraft {
    /// Reads a new band.
    pub fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", |value| text::line(value, 1, 200));
        let genre = members.optional("genre", |value| text::line(value, 1, 64));
        members.finish(|| Some(Self { name: name?, genre }))
    }
}

impl Input for BandDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

/// A band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Band {
    /// The id.
    pub band_id: BandId,
    /// Who added it.
    pub owner_id: UserId,
    /// What is said of it.
    #[serde(flatten)]
    pub draft: BandDraft,
    /// When it was added.
    pub created_at: Timestamp,
}
