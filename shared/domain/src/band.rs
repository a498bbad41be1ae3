//! Bands.

use crate::{
    Error, Input, Timestamp,
    id::{BandId, UserId},
    input::{Checked, Members},
    text::text_type,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

text_type! {
    /// A band's name: one line of 1 to 200 characters.
    BandName = line(1, 200)
}

text_type! {
    /// A band's genre: one line of 1 to 64 characters.
    Genre = line(1, 64)
}

/// The fields of a band that its owner writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BandDraft {
    /// The name.
    pub name: BandName,
    /// The genre.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genre: Option<Genre>,
}

impl BandDraft {
    /// Parses a new band, or lists every fault.
    pub fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", BandName::from_value);
        let genre = members.optional("genre", Genre::from_value);
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
    /// The user who added it.
    pub owner_id: UserId,
    /// The fields that its owner wrote.
    #[serde(flatten)]
    pub draft: BandDraft,
    /// The time of creation.
    pub created_at: Timestamp,
}
