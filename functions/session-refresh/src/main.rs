//! `POST /sessions/refresh`: exchanges a refresh token for new tokens. A later use of an exchanged one ends the session.

use app::{
    limits::{Limits, Refreshes},
    table::Table,
    tokens::TokenIssuer,
    visitors::AccountVisitors,
};
use domain::{
    Error,
    security::SecurityEvent,
    session::{Refresh, TokenPlace},
    user::Caller,
};
use web::{Problem, Request, Response, refresh_cookie};

const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

app::clients! { table: Table, limits: Limits<Refreshes>, tokens: TokenIssuer, visitors: AccountVisitors }

fn main() -> runtime::Exit {
    runtime::serve(refresh_session)
}

async fn refresh_session(app: &App, request: Request) -> Result<Response, Problem> {
    let (shown, place) = match request.optional_json()? {
        Refresh::Token(token, place) => (token, place),
        Refresh::Cookie => {
            refresh_cookie::require_same_origin(&request)?;
            (refresh_cookie::shown(&request), TokenPlace::Cookie)
        }
    };
    let now = request.received_at;
    app.limits.admit([&request.source_network()], now).await?;
    let shown = shown.ok_or(REFUSED)?;
    let (next, exchange) = app.tokens.exchange(&shown, now).await?;
    // Signed before the exchange: if signing fails after the exchange, the client may lose its session.
    let caller = Caller { user_id: shown.user_id, session_id: shown.session_id };
    let visitor = app.visitors.of(shown.user_id, now).await?;
    let access = app.tokens.issue(&caller, visitor.as_ref().map(|bound| bound.visitor_id), now).await?;
    let rotated = app.table.rotate_session(&shown, exchange, now).await;
    if rotated == Err(Error::RefreshReused) {
        app.note(SecurityEvent::RefreshReuse, caller);
    }
    let ends_at = rotated?;
    refresh_cookie::created(access, &next, place, visitor.as_ref(), ends_at, now)
}
