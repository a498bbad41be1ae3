//! `POST /users`: opens an account. An address that has one is refused, and its account is not touched.

use domain::user::{Registration, User};
use http::header;
use runtime::App;
use table::Credential;
use web::{Problem, Request, Response, password, respond};

fn main() -> runtime::Exit {
    runtime::serve(register_user)
}

async fn register_user(app: &App, request: Request) -> Result<Response, Problem> {
    let Registration { email, password, display_name } = request.json()?;
    let limits = [
        ("email", "LIMIT_REGISTER_EMAIL", &*email.account()),
        ("source", "LIMIT_REGISTER_SOURCE", &*request.source_network()),
    ];
    app.admit("register", &limits, request.received_at).await?;
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
