//! `POST /users/password`: sets a new password by the token of a mail, and ends all sessions.

use app::{
    limits::{Limits, TokenUses},
    mail::MailQueue,
    passwords::Passwords,
    table::Table,
};
use domain::{
    Error,
    mail::{Addressee, Notice, QueuedMail},
    mail_token::{PasswordReset, REFUSED, TokenUse},
    security::{SecurityEvent, Subject},
};
use futures::try_join;
use table::TokenState;
use web::{Problem, Request, Response, respond, token};

app::clients! { table: Table, limits: Limits<TokenUses>, passwords: Passwords, mails: MailQueue }

fn main() -> runtime::Exit {
    runtime::serve(reset_password)
}

/// Resets a password. A token is looked up before anything is hashed, and spent together with the change.
pub(crate) async fn reset_password(app: &App, request: Request) -> Result<Response, Problem> {
    let PasswordReset { token, password } = request.json()?;
    let (now, network) = (request.received_at, request.source_network());
    try_join!(app.limits.admit([&network], now), app.passwords.prepare(now))?;
    let shown = token.ok_or(REFUSED)?;
    let (user_id, hash) = (shown.user_id, token::hash_of_mail(&shown));
    match app.table.mail_token(TokenUse::PasswordReset, user_id, &hash, now).await? {
        TokenState::Good => {}
        TokenState::Spent => {
            // The request that spent it may have failed before all sessions were ended.
            app.table.end_sessions(user_id, None, now).await?;
            return Err(REFUSED.into());
        }
        TokenState::Unknown => return Err(REFUSED.into()),
    }
    let user = match app.table.user(user_id).await {
        Err(Error::NotFound { .. }) => return Err(REFUSED.into()),
        user => user?,
    };
    user.refuse_guessable(&password, "password")?;
    let password_hash = app.passwords.hash(password, now).await?;
    if !app.table.reset_password(user_id, &user.address()?, &hash, &password_hash, now).await? {
        return Err(REFUSED.into());
    }
    app.table.end_sessions(user_id, None, now).await?;
    let notice = Notice::PasswordChanged { at: now };
    app.mails.put(&QueuedMail { to: Addressee::User(user_id), notice }).await?;
    app.note(SecurityEvent::PasswordChanged, Subject::user(user_id));
    Ok(respond::no_content())
}
