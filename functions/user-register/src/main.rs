//! `POST /users`: creates an account. An address that has an account gives 409, and that account is not changed.

use app::{
    limits::{Limits, Registrations},
    table::Table,
};
use domain::user::{Registration, User};
use http::header;
use table::Credential;
use web::{Problem, Request, Response, password, respond};

app::clients! { table: Table, limits: Limits<Registrations> }

fn main() -> runtime::Exit {
    runtime::serve(register_user)
}

async fn register_user(app: &App, request: Request) -> Result<Response, Problem> {
    let Registration { email, password, display_name } = request.json()?;
    app.limits.admit([&email.account(), &request.source_network()], request.received_at).await?;
    let user = User {
        user_id: app.new_id()?,
        email: email.as_written().to_owned(),
        display_name,
        created_at: request.received_at,
    };
    let password_hash = app.busy(move || password::hash(&password)).await?;
    app.table.register(&user, &email, &Credential { user_id: user.user_id, password_hash }).await?;
    Ok(respond::created(&user)?.with(header::LOCATION, "/users/me"))
}
