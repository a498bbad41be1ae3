//! Queue of mails: sends each mail, with a new token if it needs one.

use app::{mail::Mailer, table::Table};
use domain::{
    Error,
    id::UserId,
    mail::{Addressee, MailText, Notice, QueuedMail},
    mail_token::{MailToken, TokenUse},
    user::User,
};
use web::token;

app::clients! { table: Table, mailer: Mailer }

fn main() -> runtime::Exit {
    runtime::drain(send)
}

/// Sends a mail. A message that is delivered twice sends it twice; then both tokens are good until one is used.
pub(crate) async fn send(app: &App, mail: QueuedMail) -> Result<(), Error> {
    let Some(user) = addressee(app, mail.to).await? else { return Ok(()) };
    let page = app.mailer.page();
    let text = match mail.notice {
        Notice::Registered { user_id } if user_id != user.user_id => MailText::address_taken(page),
        Notice::Registered { .. } if user.verified_at.is_some() => return Ok(()),
        Notice::Registered { .. } => {
            MailText::confirm_address(page, &new_token(app, TokenUse::Verification, user.user_id).await?)
        }
        Notice::PasswordForgotten => {
            MailText::reset_password(page, &new_token(app, TokenUse::PasswordReset, user.user_id).await?)
        }
        Notice::PasswordChanged { at } => MailText::password_changed(page, at),
        Notice::Notifications if user.verified_at.is_none() => return Ok(()),
        Notice::Notifications => return send_notifications(app, &user).await,
    };
    app.mailer.send(&user.email, &text).await
}

/// Sends a mail with the notifications that wait for one. Of several messages about the same ones, the first sends it. If
/// it cannot be sent, the repetition of the message does.
async fn send_notifications(app: &App, user: &User) -> Result<(), Error> {
    let now = app.now();
    let mut told = Vec::new();
    for notification in app.table.unsent_notifications(user.user_id, now).await? {
        if app.table.begin_mail(user.user_id, &notification.id(), now, app.new_writer()?).await? {
            told.push(notification);
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    app.mailer.send(&user.email, &MailText::notifications(app.mailer.page(), &told)).await?;
    for notification in told {
        app.table.end_mail(user.user_id, &notification.id()).await?;
    }
    Ok(())
}

/// The user who gets the mail. An address without an account gets none.
async fn addressee(app: &App, to: Addressee) -> Result<Option<User>, Error> {
    let user = match to {
        Addressee::User(user) => user,
        Addressee::Account(email) => match app.table.credential(&email).await? {
            Some(credential) => credential.user_id,
            None => return Ok(None),
        },
    };
    match app.table.user(user).await {
        Err(Error::NotFound { .. }) => Ok(None),
        user => user.map(Some),
    }
}

/// A token whose hash is stored. It exists nowhere else than in the mail.
async fn new_token(app: &App, good_for: TokenUse, user_id: UserId) -> Result<MailToken, Error> {
    let token = MailToken { user_id, secret: app.random()? };
    app.table.issue_mail_token(good_for, user_id, &token::hash_of_mail(&token), app.now()).await?;
    Ok(token)
}
