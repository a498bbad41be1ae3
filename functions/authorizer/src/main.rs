//! Authorizer of the gateway: checks the access token of every route that is not public.

use app::{table::Table, tokens::TokenVerifier};
use domain::{
    Error,
    security::{SecurityEvent, Subject},
};
use futures::try_join;
use serde::{Deserialize, Serialize};
use web::token::{self, Claimed, Verified};

const REFUSED: Error = Error::Unauthenticated { detail: "The access token is not valid." };

/// The event (payload format 2.0): the values of the identity sources, here the `Authorization` header.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    #[serde(default)]
    identity_source: Vec<String>,
}

/// The simple response; API Gateway passes the context to the function of the route.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    is_authorized: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    user_id: String,
    session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    visitor_id: Option<String>,
    expires_at: u64,
}

app::clients! { table: Table, verifier: TokenVerifier }

fn main() -> runtime::Exit {
    runtime::step(authorize)
}

/// Lets a request through whose token is valid and whose session is open.
pub(crate) async fn authorize(app: &App, event: Event) -> Result<Answer, Error> {
    let context = match event.identity_source.first().and_then(|value| bearer(value)) {
        Some(token) => match verify(app, token).await {
            Err(Error::Unauthenticated { .. }) => None,
            verified => Some(verified?),
        },
        None => None,
    };
    let context = context.map(|Verified { caller, visitor, expires_at }| Context {
        user_id: caller.user_id.to_string(),
        session_id: caller.session_id.to_string(),
        visitor_id: visitor.map(|visitor| visitor.to_string()),
        expires_at,
    });
    Ok(Answer { is_authorized: context.is_some(), context })
}

async fn verify(app: &App, token: &str) -> Result<Verified, Error> {
    let now = app.now();
    let Claimed { caller, expires_at } = token::claimed(token).ok_or(REFUSED)?;
    let verified = async {
        let verified = app.verifier.verify(token, now).await?;
        // An expired token is normal, and is not counted as forged.
        if verified.is_none() && expires_at > now.unix_seconds() {
            // The user id in a forged token may be that of anybody, so it is not logged.
            app.note(SecurityEvent::TokenForged, Subject::NOBODY);
        }
        verified.ok_or(REFUSED)
    };
    let open = app.table.require_session(caller.user_id, caller.session_id, now);
    // The session is read while the keys are, once a minute. Futures are polled in this order: a token that the known keys
    // refuse causes no read.
    let (verified, ()) = try_join!(verified, open)?;
    Ok(verified)
}

/// The token of `Bearer <token>` (RFC 6750); the scheme is case-insensitive.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
