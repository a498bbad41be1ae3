//! Whether accounts can be used before their address is verified.

use crate::{
    client::{Client, Needs},
    context::Context,
};
use domain::Error;
use table::Credential;

const SETTING: &str = "REQUIRE_VERIFIED_EMAIL";

/// The rule of the template's parameter `RequireVerifiedEmail`.
pub struct VerifiedOnly(bool);

impl VerifiedOnly {
    /// Whether the owner of this credential may log in.
    pub fn admits(&self, credential: &Credential) -> bool {
        !self.0 || credential.verified_at.is_some()
    }
}

impl Client for VerifiedOnly {
    const NEEDS: Needs = Needs { settings: &[SETTING], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        match context.settings().required(SETTING)?.as_str() {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(Error::internal(format!("{SETTING} is neither true nor false"))),
        }
    }
}
