//! `DELETE /users/me`: deletes the account of somebody who knows its password, or has just logged in with it.

use app::{
    limits::{Limits, LogIns},
    machines::{Execution, Machines, UserDelete},
    passwords::Passwords,
    table::Table,
};
use domain::{
    Error, Timestamp,
    deletion::{AccountRun, Run},
    order::OrderStatus,
    page::PageSize,
    security::SecurityEvent,
    session,
    user::{AccountDeletion, Caller, User},
};
use web::{Problem, Request, Response, password::Verdict, respond};

const STALE: Error = Error::Forbidden {
    detail: "The log-in is more than ten minutes old. Log in again, or send the password.",
};
const WRONG: Error = Error::Forbidden { detail: "The password is not right." };
const PENDING: Error =
    Error::Conflict { detail: "An order is pending. Try again when it is confirmed or rejected." };

app::clients! {
    table: Table,
    limits: Limits<LogIns>,
    passwords: Passwords,
    machines: Machines<UserDelete>,
}

fn main() -> runtime::Exit {
    runtime::serve(delete_user)
}

/// Deletes an account. Attempts count as log-ins, so that a stolen access token is no way around their limits.
pub(crate) async fn delete_user(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = caller.user_id;
    let now = request.received_at;
    let deletion: AccountDeletion = request.optional_json()?;
    match app.table.user(id).await {
        Ok(user) => close(app, caller, &user, deletion, request.source_network(), now).await?,
        // An earlier attempt has closed the account, and may have failed before the end.
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    app.table.end_sessions(id, None, now).await?;
    let run = AccountRun::first(id);
    // If this function dies before the start, user-sweep starts the next run.
    app.machines.start(Execution { name: &run.name(), input: &run }).await?;
    Ok(respond::no_content())
}

/// Closes the account if the caller has proven to know the password and no order is pending.
async fn close(
    app: &App,
    caller: Caller,
    user: &User,
    AccountDeletion { password }: AccountDeletion,
    network: String,
    now: Timestamp,
) -> Result<(), Error> {
    let email = user.address()?;
    match password {
        Some(password) => {
            let account = email.account();
            futures::try_join!(app.limits.admit([&account, &network], now), app.passwords.prepare(now))?;
            let stored = app.table.credential(&email).await?.filter(|stored| stored.user_id == user.user_id);
            // The profile may be read a moment after the account was closed.
            let Some(stored) = stored else { return Ok(()) };
            if app.passwords.verify(password, Some(stored.password_hash), now).await? == Verdict::Wrong {
                app.note(SecurityEvent::LoginFailed, caller);
                return Err(WRONG);
            }
        }
        None if session::is_recent(caller.session_id, now) => {}
        None => return Err(STALE),
    }
    let one = PageSize::new(1).unwrap_or(PageSize::DEFAULT);
    let pending = app.table.orders(user.user_id, Some(OrderStatus::Pending), one, None).await?;
    if !pending.items.is_empty() {
        return Err(PENDING);
    }
    app.table.close_account(user, &email).await?;
    app.note(SecurityEvent::AccountDeleted, caller);
    Ok(())
}
