//! `POST /sessions`: logs in. An unknown address and a wrong password give the same response after the same work.

use app::{
    limits::{Limits, LogIns},
    table::Table,
    tokens::TokenIssuer,
};
use domain::{
    Error,
    session::{REFRESH_SECONDS, RefreshSecret, RefreshToken, Session, Tokens},
    user::{Caller, Credentials},
};
use http::header;
use web::{Problem, Request, Response, password, respond, token};

const REFUSED: Error =
    Error::Unauthenticated { detail: "There is no account with this e-mail address and password." };

app::clients! { table: Table, limits: Limits<LogIns>, tokens: TokenIssuer }

fn main() -> runtime::Exit {
    runtime::serve(create_session)
}

async fn create_session(app: &App, request: Request) -> Result<Response, Problem> {
    let Credentials { email, password } = request.json()?;
    let now = request.received_at;
    app.limits.admit([&email.account(), &request.source_network()], now).await?;
    let credential = app.table.credential(&email).await?;
    let user_id = credential.as_ref().map(|credential| credential.user_id);
    let hash = credential.map(|credential| credential.password_hash);
    let fits = app.busy(move || password::verify(&password, hash.as_deref())).await?;
    let user_id = user_id.filter(|_| fits).ok_or(REFUSED)?;

    let refresh = RefreshToken { user_id, session_id: app.new_id()?, secret: RefreshSecret(app.random()?) };
    let session = Session {
        user_id,
        session_id: refresh.session_id,
        secret_hash: token::hash(&refresh.secret),
        created_at: now,
        expires_at: now.plus_seconds(REFRESH_SECONDS),
    };
    let access = app.tokens.issue(&Caller { user_id, session_id: session.session_id }, now).await?;
    app.table.create_session(&session).await?;
    Ok(respond::created(&Tokens::new(access, &refresh))?.with(header::CACHE_CONTROL, "no-store"))
}
