//! `POST /sessions`: logs in. An unknown address, a wrong password, and an address that has to be verified first give the same
//! response after the same work.

use app::{
    limits::{Limits, LogIns},
    passwords::Passwords,
    table::Table,
    tokens::TokenIssuer,
    verification::VerifiedOnly,
    visitors::LogInVisitors,
};
use domain::{
    Error,
    security::{SecurityEvent, Subject},
    session::{self, Session, TokenPlace},
    user::{Caller, Credentials},
};
use futures::try_join;
use http::header;
use table::Credential;
use web::{Problem, Request, Response, password::Verdict, refresh_cookie, token};

const REFUSED: Error = Error::Unauthenticated {
    detail: "There is no account with this e-mail address and password, or the address is not verified yet.",
};

app::clients! {
    table: Table,
    limits: Limits<LogIns>,
    passwords: Passwords,
    tokens: TokenIssuer,
    verified_only: VerifiedOnly,
    visitors: LogInVisitors,
}

fn main() -> runtime::Exit {
    runtime::serve(create_session)
}

/// The tokens of a new session.
pub(crate) async fn create_session(app: &App, request: Request) -> Result<Response, Problem> {
    let Credentials { email, password, refresh_token_in } = request.json()?;
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
    let admitted =
        |credential: &Credential| verdict != Verdict::Wrong && app.verified_only.admits(credential);
    let known = credential.as_ref().map_or(Subject::NOBODY, |known| Subject::user(known.user_id));
    let Some(Credential { user_id, mut password_hash, .. }) = credential.filter(admitted) else {
        app.note(SecurityEvent::LoginFailed, known);
        return Err(REFUSED.into());
    };
    if verdict == Verdict::RightButOutdated {
        let renewed = app.passwords.hash(password.clone(), now).await?;
        app.table.renew_password_hash(&email, &password_hash, &renewed).await?;
        password_hash = renewed;
    }

    let caller = Caller { user_id, session_id: app.new_id()? };
    let visitor = app.visitors.of(&request, user_id).await?;
    let access = app.tokens.issue(&caller, visitor.as_ref().map(|bound| bound.visitor_id), now).await?;
    let refresh = app.tokens.first_refresh_token(&caller, now).await?;
    let expires_at = session::end_of(caller.session_id, now);
    let session = Session {
        user_id,
        session_id: caller.session_id,
        secret_hash: token::hash(&refresh.secret),
        expires_at,
        user_agent: request.header(&header::USER_AGENT).and_then(session::user_agent),
    };
    app.table.create_session(&session).await?;
    let (credential, ()) =
        try_join!(app.table.credential(&email), app.table.end_oldest_sessions(user_id, now))?;
    // A function that replaces a password stores the new hash before it ends the sessions: either it finds this session, or
    // this read finds the new hash.
    let stored = credential.filter(|stored| stored.user_id == user_id).map(|stored| stored.password_hash);
    if stored != Some(password_hash) && app.passwords.verify(password, stored, now).await? == Verdict::Wrong {
        app.table.end_session(user_id, caller.session_id, now).await?;
        app.note(SecurityEvent::LoginFailed, caller);
        return Err(REFUSED.into());
    }
    // The new cookie replaces the one of the browser's former session. The ids in a cookie are no proof: only a session of
    // the user who has shown the password ends.
    let former = refresh_cookie::shown(&request).filter(|former| former.user_id == user_id);
    if let (TokenPlace::Cookie, Some(former)) = (refresh_token_in, former) {
        app.table.end_session(user_id, former.session_id, now).await?;
    }
    app.note(SecurityEvent::LoggedIn, caller);
    refresh_cookie::created(access, &refresh, refresh_token_in, visitor.as_ref(), expires_at, now)
}
