//! `POST /sessions/refresh`: exchanges a refresh token for new tokens. Reuse of an exchanged one ends the session.

use app::{
    limits::{Limits, Refreshes},
    table::Table,
    tokens::TokenIssuer,
};
use domain::{
    Error,
    session::{REFRESH_SECONDS, Refresh, RefreshSecret, RefreshToken, Tokens},
    user::Caller,
};
use web::{Problem, Request, Response, respond, token};

const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

app::clients! { table: Table, limits: Limits<Refreshes>, tokens: TokenIssuer }

fn main() -> runtime::Exit {
    runtime::serve(refresh_session)
}

async fn refresh_session(app: &App, request: Request) -> Result<Response, Problem> {
    let Refresh(shown) = request.json()?;
    let now = request.received_at;
    app.limits.admit([&request.source_network()], now).await?;
    let shown = shown.ok_or(REFUSED)?;
    let next = RefreshToken { secret: RefreshSecret(app.random()?), ..shown };
    // Signed before the rotation: if signing fails after the rotation, the client loses its session.
    let access =
        app.tokens.issue(&Caller { user_id: shown.user_id, session_id: shown.session_id }, now).await?;
    let (old, new) = (token::hash(&shown.secret), token::hash(&next.secret));
    app.table.rotate_session(&shown, &old, &new, now, now.plus_seconds(REFRESH_SECONDS)).await?;
    respond::created(&Tokens::new(access, &next))
}
