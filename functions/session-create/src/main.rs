//! `POST /sessions`: logs in. An unknown address and a wrong password give the same response after the same work.

use app::{
    limits::{Limits, LogIns},
    passwords::Passwords,
    table::Table,
    tokens::TokenIssuer,
};
use domain::{
    Error,
    session::{REFRESH_SECONDS, RefreshSecret, RefreshToken, Session, Tokens},
    user::{Caller, Credentials},
};
use futures::try_join;
use table::Credential;
use web::{Problem, Request, Response, password::Verdict, respond, token};

const REFUSED: Error =
    Error::Unauthenticated { detail: "There is no account with this e-mail address and password." };

app::clients! { table: Table, limits: Limits<LogIns>, passwords: Passwords, tokens: TokenIssuer }

fn main() -> runtime::Exit {
    runtime::serve(create_session)
}

/// The tokens of a new session.
pub async fn create_session(app: &App, request: Request) -> Result<Response, Problem> {
    let Credentials { email, password } = request.json()?;
    let now = request.received_at;
    let (account, network) = (email.account(), request.source_network());
    let read = async {
        app.limits.admit([&account, &network], now).await?;
        app.table.credential(&email).await
    };
    // A new instance reads its secrets while it reads the table.
    let (credential, (), ()) = try_join!(read, app.passwords.prepare(now), app.tokens.prepare(now))?;
    let hash = credential.as_ref().map(|credential| credential.password_hash.clone());
    let verdict = app.passwords.verify(password.clone(), hash, now).await?;
    let Credential { user_id, password_hash } =
        credential.filter(|_| verdict != Verdict::Wrong).ok_or(REFUSED)?;
    if verdict == Verdict::RightButOutdated {
        let renewed = app.passwords.hash(password, now).await?;
        app.table.renew_password_hash(&email, &password_hash, &renewed).await?;
    }

    let refresh = RefreshToken { user_id, session_id: app.new_id()?, secret: RefreshSecret(app.random()?) };
    let session = Session {
        user_id,
        session_id: refresh.session_id,
        secret_hash: token::hash(&refresh.secret),
        expires_at: now.plus_seconds(REFRESH_SECONDS),
    };
    let access = app.tokens.issue(&Caller { user_id, session_id: session.session_id }, now).await?;
    app.table.create_session(&session).await?;
    respond::created(&Tokens::new(access, &refresh))
}
