//! `PUT /users/me/password`: changes the password of somebody who knows the present one, and ends all other sessions.

use app::{
    limits::{Limits, LogIns},
    mail::MailQueue,
    passwords::Passwords,
    table::Table,
};
use domain::{
    Error,
    mail::{Addressee, Notice, QueuedMail},
    security::SecurityEvent,
    user::PasswordChange,
};
use futures::try_join;
use web::{Problem, Request, Response, password::Verdict, respond};

const WRONG: Error = Error::Forbidden { detail: "The current password is not right." };

app::clients! { table: Table, limits: Limits<LogIns>, passwords: Passwords, mails: MailQueue }

fn main() -> runtime::Exit {
    runtime::serve(change_password)
}

/// Changes a password. Attempts count as log-ins, so that a stolen access token is no way around their limits.
pub(crate) async fn change_password(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let PasswordChange { current, new } = request.json()?;
    let (now, network) = (request.received_at, request.source_network());
    let user = app.table.user(caller.user_id).await?;
    let email = user.address()?;
    user.refuse_guessable(&new, PasswordChange::NEW)?;
    let account = email.account();
    try_join!(app.limits.admit([&account, &network], now), app.passwords.prepare(now))?;
    let stored = app.table.credential(&email).await?.filter(|stored| stored.user_id == user.user_id);
    let stored = stored.ok_or(WRONG)?.password_hash;
    if app.passwords.verify(current, Some(stored.clone()), now).await? != Verdict::Wrong {
        let changed = app.passwords.hash(new, now).await?;
        app.table.change_password(user.user_id, &email, &stored, &changed).await?;
    } else if app.passwords.verify(new, Some(stored), now).await? == Verdict::Wrong {
        app.note(SecurityEvent::LoginFailed, caller);
        return Err(WRONG.into());
    }
    // If the new password is stored already, an earlier attempt may have failed here.
    app.table.end_sessions(user.user_id, Some(caller.session_id), now).await?;
    let notice = Notice::PasswordChanged { at: now };
    app.mails.put(&QueuedMail { to: Addressee::User(user.user_id), notice }).await?;
    app.note(SecurityEvent::PasswordChanged, caller);
    Ok(respond::no_content())
}
