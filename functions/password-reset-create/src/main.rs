//! `POST /password-resets`: sends a mail with which the password can be reset, if the address has an account.

use app::{
    limits::{Limits, ResetRequests},
    mail::MailQueue,
};
use domain::{
    Error,
    mail::{Addressee, Notice, QueuedMail},
    mail_token::ResetRequest,
};
use http::StatusCode;
use web::{Problem, Request, Response, respond};

app::clients! { limits: Limits<ResetRequests>, mails: MailQueue }

fn main() -> runtime::Exit {
    runtime::serve(create_reset)
}

/// Queues the mail. Whether the address has an account is not known here: mail-send looks.
pub(crate) async fn create_reset(app: &App, request: Request) -> Result<Response, Problem> {
    let ResetRequest(email) = request.json()?;
    let (account, network) = (email.account(), request.source_network());
    app.limits.admit([&account, &network], request.received_at).await?;
    if !app.mails.exists() {
        return Err(Error::unavailable("the stack sends no mail: it has no MailFrom").into());
    }
    app.mails.put(&QueuedMail { to: Addressee::Account(email), notice: Notice::PasswordForgotten }).await?;
    Ok(Response { status: StatusCode::ACCEPTED, ..respond::no_content() })
}
