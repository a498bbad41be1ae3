//! `POST /users`: creates an account. An address that has an account gives 409, and that account is not changed.

use app::{
    limits::{Limits, Registrations},
    passwords::Passwords,
    table::Table,
};
use domain::user::{Registration, User};
use futures::try_join;
use http::header;
use table::Credential;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limits: Limits<Registrations>, passwords: Passwords }

fn main() -> runtime::Exit {
    runtime::serve(register_user)
}

async fn register_user(app: &App, request: Request) -> Result<Response, Problem> {
    let Registration { email, password, display_name } = request.json()?;
    let now = request.received_at;
    let (account, network) = (email.account(), request.source_network());
    try_join!(app.limits.admit([&account, &network], now), app.passwords.prepare(now))?;
    let user =
        User { user_id: app.new_id()?, email: email.as_written().to_owned(), display_name, created_at: now };
    let password_hash = app.passwords.hash(password, now).await?;
    app.table.register(&user, &email, &Credential { user_id: user.user_id, password_hash }).await?;
    Ok(respond::created(&user)?.with(header::LOCATION, "/users/me"))
}
