//! `POST /users/verification`: marks the e-mail address of an account as verified, by the token of a mail.

use app::{
    limits::{Limits, TokenUses},
    table::Table,
};
use domain::{
    Error,
    mail_token::{REFUSED, Verification},
};
use web::{Problem, Request, Response, respond, token};

app::clients! { table: Table, limits: Limits<TokenUses> }

fn main() -> runtime::Exit {
    runtime::serve(verify_user)
}

/// Verifies an address. All faults of a token get the same answer.
pub(crate) async fn verify_user(app: &App, request: Request) -> Result<Response, Problem> {
    let Verification(shown) = request.json()?;
    let now = request.received_at;
    app.limits.admit([&request.source_network()], now).await?;
    let shown = shown.ok_or(REFUSED)?;
    let user = match app.table.user(shown.user_id).await {
        Err(Error::NotFound { .. }) => return Err(REFUSED.into()),
        user => user?,
    };
    let hash = token::hash_of_mail(&shown);
    if app.table.verify_address(shown.user_id, &user.address()?, &hash, now).await? {
        Ok(respond::no_content())
    } else {
        Err(REFUSED.into())
    }
}
