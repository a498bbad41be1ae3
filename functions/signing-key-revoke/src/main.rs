//! Invoked by hand: replaces the key that signs access tokens, and revokes all others, for a key that may be known to others.

use app::{table::Table, tokens::SigningSecret};
use domain::Error;
use serde::{Deserialize, Serialize};

/// The event: an empty object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {}

/// The result of a revocation.
#[derive(Serialize)]
pub(crate) struct Output {
    /// The id of the new key.
    pub kid: String,
    /// The number of keys that were revoked.
    pub revoked: usize,
}

app::clients! { table: Table, secret: SigningSecret }

fn main() -> runtime::Exit {
    runtime::step(revoke)
}

/// The secret is replaced first: a signer whose key is revoked reads it again, and has to find the new text.
pub(crate) async fn revoke(app: &App, _: Input) -> Result<Output, Error> {
    let kid = app.secret.replace().await?;
    let revoked = app.table.revoke_signing_keys(&kid, app.now()).await?;
    Ok(Output { kid, revoked })
}
