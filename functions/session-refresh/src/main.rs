//! `POST /sessions/refresh`: exchanges a refresh token for new tokens. One that was exchanged before ends its session.

use domain::{
    Error,
    session::{REFRESH_SECONDS, Refresh, RefreshSecret, RefreshToken, Tokens},
    user::Caller,
};
use http::header;
use runtime::App;
use web::{Problem, Request, Response, respond, token};

const REFUSED: Error = Error::Unauthenticated { detail: "The refresh token is not valid." };

fn main() -> runtime::Exit {
    runtime::serve(refresh_session)
}

async fn refresh_session(app: &App, request: Request) -> Result<Response, Problem> {
    let Refresh(shown) = request.json()?;
    let now = request.received_at;
    app.admit("refresh", &[("source", "LIMIT_LOGIN_SOURCE", &*request.source_network())], now).await?;
    let shown = shown.ok_or(REFUSED)?;
    let next = RefreshToken { secret: RefreshSecret(app.random()?), ..shown };
    // Signed first: a token that is never sent does no harm, a secret that is exchanged and not sent ends the session.
    let access =
        app.access_token(&Caller { user_id: shown.user_id, session_id: shown.session_id }, now).await?;
    let (old, new) = (token::hash(&shown.secret), token::hash(&next.secret));
    app.table.rotate_session(&shown, &old, &new, now, now.plus_seconds(REFRESH_SECONDS)).await?;
    Ok(respond::created(&Tokens::new(access, &next))?.with(header::CACHE_CONTROL, "no-store"))
}
