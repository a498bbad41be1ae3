//! `POST /users`: opens an account. An address that has one gets the same answer, and a mail says so to the account's owner.

use app::{
    limits::{Limits, Registrations},
    mail::MailQueue,
    passwords::Passwords,
    table::Table,
};
use domain::{
    mail::{Addressee, Notice, QueuedMail},
    user::{Registration, User},
};
use futures::try_join;
use http::header;
use table::Credential;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limits: Limits<Registrations>, passwords: Passwords, mails: MailQueue }

fn main() -> runtime::Exit {
    runtime::serve(register_user)
}

/// Registers a user. Whether the address has an account shows neither in the answer nor in what is done for it: mail-send
/// finds out which mail the address gets, by whether the account has the id of this user.
pub(crate) async fn register_user(app: &App, request: Request) -> Result<Response, Problem> {
    let Registration { email, password, display_name } = request.json()?;
    let now = request.received_at;
    let (account, network) = (email.account(), request.source_network());
    try_join!(app.limits.admit([&account, &network], now), app.passwords.prepare(now))?;
    let user = User::register(app.new_id()?, &email, display_name, now);
    let password_hash = app.passwords.hash(password, now).await?;
    app.table.register(&user, &email, &Credential::new(user.user_id, password_hash)).await?;
    let notice = Notice::Registered { user_id: user.user_id };
    app.mails.put(&QueuedMail { to: Addressee::Account(email), notice }).await?;
    Ok(respond::created(&user)?.with(header::LOCATION, "/users/me"))
}
