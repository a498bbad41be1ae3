//! The gateway asks it to check the access token of every route that is not public.

use app::tokens::TokenVerifier;
use domain::Error;
use serde::{Deserialize, Serialize};
use web::token::Verified;

/// The event (payload format 2.0): the values of the identity sources, here the `Authorization` header.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    identity_source: Vec<String>,
}

/// The simple response; API Gateway passes the context to the function of the route.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    is_authorized: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    user_id: String,
    session_id: String,
    expires_at: u64,
}

app::clients! { verifier: TokenVerifier }

fn main() -> runtime::Exit {
    runtime::step(authorize)
}

async fn authorize(app: &App, event: Event) -> Result<Answer, Error> {
    let verified = match event.identity_source.first().and_then(|value| bearer(value)) {
        Some(token) => app.verifier.verify(token, app.now()).await?,
        None => None,
    };
    let context = verified.map(|Verified { caller, expires_at }| Context {
        user_id: caller.user_id.to_string(),
        session_id: caller.session_id.to_string(),
        expires_at,
    });
    Ok(Answer { is_authorized: context.is_some(), context })
}

/// The token of `Bearer <token>` (RFC 6750); the scheme is case-insensitive.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
