//! Mails to users: what is queued, and their texts.
//!
//! What is queued contains no token: whoever sends the mail makes the token. No text contains anything that a user has
//! written, such as a name, because anybody can register with somebody else's address. Notifications contain what shops
//! have written, and go to verified addresses only.

use crate::{
    Money, Timestamp,
    alert::AlertKind,
    id::UserId,
    mail_token::MailToken,
    notification::{Notification, NotificationKind},
    user::Email,
};
use serde::{Deserialize, Serialize};

/// The longest name of a product that is written in full, in characters.
const LONGEST_NAME: usize = 120;

/// A mail that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMail {
    /// Who gets it.
    pub to: Addressee,
    /// What it says.
    #[serde(flatten)]
    pub notice: Notice,
}

/// Who gets a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Addressee {
    /// A user.
    User(UserId),
    /// The account of this address, if there is one. Nobody else gets mail.
    Account(#[serde(with = "address")] Email),
}

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Notice {
    /// Somebody registered with the address.
    Registered {
        /// The user that the answer named. If the address was taken, there is no such user.
        user_id: UserId,
    },
    /// Somebody asked to reset the password.
    PasswordForgotten,
    /// The password was changed or reset.
    PasswordChanged {
        /// When.
        at: Timestamp,
    },
    /// What the user is to be told about watched items.
    Notifications,
}

/// Writes addresses, which have no `Serialize` so that none is written by accident.
mod address {
    use super::Email;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(email: &Email, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(email.as_written())
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Email, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Email::from_value(value).map_err(|_| D::Error::custom("not an e-mail address"))
    }
}

/// The text of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailText {
    /// The subject.
    pub subject: &'static str,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// A paragraph of a mail.
enum Paragraph {
    Text(String),
    Link(String),
}

use Paragraph::{Link, Text};

impl MailText {
    /// Asks whether the address belongs to whoever opened the account. `page` is the URL of the page that people use.
    pub fn confirm_address(page: &str, token: &MailToken) -> Self {
        Self::of(
            "Confirm your e-mail address",
            &[
                says(
                    "Somebody, probably you, opened an account at Souk with this address. To confirm that it is yours, open this link within 24 hours:",
                ),
                Link(format!("{page}/#verification={}", token.encode())),
                says("If it was not you, do not open the link. You need not do anything else."),
            ],
        )
    }

    /// Tells the owner of an account that somebody tried to register with its address.
    pub fn address_taken(page: &str) -> Self {
        Self::of(
            "You have an account already",
            &[
                says(
                    "Somebody, probably you, tried to open an account at Souk with this address. There is one already, and it was not changed. If you do not know its password, set a new one here:",
                ),
                Link(format!("{page}/#password-resets")),
                says("If it was not you, you need not do anything."),
            ],
        )
    }

    /// Brings the token that resets the password.
    pub fn reset_password(page: &str, token: &MailToken) -> Self {
        Self::of(
            "Set a new password",
            &[
                says(
                    "Somebody, probably you, asked for a new password of the account at Souk with this address. To set one, open this link within 30 minutes:",
                ),
                Link(format!("{page}/#password-reset={}", token.encode())),
                says(
                    "It works once. If it was not you, you need not do anything: the password stays as it is.",
                ),
            ],
        )
    }

    /// Tells the owner of an account that its password was changed.
    pub fn password_changed(page: &str, at: Timestamp) -> Self {
        Self::of(
            "Your password was changed",
            &[
                Text(format!(
                    "The password of your account at Souk was changed at {at} (UTC), and all other sessions were ended. If it was not you, set a new password at once:"
                )),
                Link(format!("{page}/#password-resets")),
            ],
        )
    }

    /// Tells what has happened to watched items.
    pub fn notifications(page: &str, told: &[Notification]) -> Self {
        let mut paragraphs = Vec::new();
        for notification in told {
            paragraphs.push(Text(sentence(notification)));
            paragraphs.extend(notification.item_id.map(|_| Link(notification.url.clone())));
        }
        paragraphs.push(says("What you are told, and when, is up to your settings:"));
        paragraphs.push(Link(format!("{page}/#notifications")));
        Self::of("News about what you watch", &paragraphs)
    }

    fn of(subject: &'static str, paragraphs: &[Paragraph]) -> Self {
        let plain = |paragraph: &Paragraph| match paragraph {
            Text(text) | Link(text) => format!("{text}\n"),
        };
        let marked_up = |paragraph: &Paragraph| match paragraph {
            Text(text) => format!("<p>{}</p>\n", escape(text)),
            Link(url) => format!("<p><a href=\"{0}\">{0}</a></p>\n", escape(url)),
        };
        Self {
            subject,
            text: paragraphs.iter().map(plain).collect::<Vec<_>>().join("\n"),
            html: paragraphs.iter().map(marked_up).collect(),
        }
    }
}

fn says(text: &str) -> Paragraph {
    Text(text.to_owned())
}

/// What a notification says.
fn sentence(told: &Notification) -> String {
    let name: String = told.name.iter().flat_map(|name| name.chars()).take(LONGEST_NAME).collect();
    let price = |price: Option<Money>| price.map_or_else(|| "no price".to_owned(), |price| price.to_text());
    let prices = format!("{}, before: {}", price(told.price), price(told.previous_price));
    match told.kind {
        NotificationKind::WebhookDisabled => format!(
            "Your webhook at {} was disabled, because it failed for a day or answered 410 (Gone). Set it again when it works.",
            told.url
        ),
        NotificationKind::Alert(AlertKind::Target) => format!("{name} has reached your price: {prices}."),
        NotificationKind::Alert(AlertKind::Drop) => format!("{name} costs less: {prices}."),
        NotificationKind::Alert(AlertKind::Any) => format!("{name} has a new price: {prices}."),
        NotificationKind::Alert(AlertKind::BackInStock) => {
            format!("{name} is in stock again: {}.", price(told.price))
        }
        NotificationKind::Alert(AlertKind::Lowest) => {
            format!("{name} has its lowest price: {prices}.")
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Id, observation::ItemId};
    use serde_json::json;

    const PAGE: &str = "https://souk.example";

    fn user_id() -> UserId {
        UserId::new(Timestamp::from_unix_milliseconds(1), [1; 10])
    }

    /// A message may have been queued by the version of the functions before this one.
    #[test]
    fn queued_mails_have_this_form() {
        let email = Email::from_value(json!("Ada@example.com")).unwrap();
        let (account, id) = (Addressee::Account(email), user_id());
        let at = Timestamp::from_unix_milliseconds(1_763_659_827_040);
        for (to, notice, queued) in [
            (
                account.clone(),
                Notice::Registered { user_id: id },
                json!({"to": {"account": "Ada@example.com"}, "template": "registered", "userId": id}),
            ),
            (
                account,
                Notice::PasswordForgotten,
                json!({"to": {"account": "Ada@example.com"}, "template": "password-forgotten"}),
            ),
            (
                Addressee::User(id),
                Notice::PasswordChanged { at },
                json!({"to": {"user": id}, "template": "password-changed", "at": "2025-11-20T17:30:27.040Z"}),
            ),
            (
                Addressee::User(id),
                Notice::Notifications,
                json!({"to": {"user": id}, "template": "notifications"}),
            ),
        ] {
            let mail = QueuedMail { to, notice };
            assert_eq!(serde_json::to_value(&mail).unwrap(), queued);
            assert_eq!(serde_json::from_value::<QueuedMail>(queued).unwrap(), mail);
        }
    }

    #[test]
    fn an_address_is_written_to_the_queue_only() {
        let to = Addressee::Account(Email::from_value(json!("ada@example.com")).unwrap());
        let mail = QueuedMail { to, notice: Notice::PasswordForgotten };
        assert!(!format!("{mail:?}").contains("ada@"), "{mail:?}");
        let bad = json!({"to": {"account": "ada@"}, "template": "password-forgotten"});
        let error = serde_json::from_value::<QueuedMail>(bad).unwrap_err().to_string();
        assert!(!error.contains("ada@"), "{error}");
    }

    #[test]
    fn a_link_has_its_token_in_the_fragment_which_no_server_is_sent() {
        let token = MailToken { user_id: user_id(), secret: [9; 32] };
        for (mail, name) in [
            (MailText::confirm_address(PAGE, &token), "verification"),
            (MailText::reset_password(PAGE, &token), "password-reset"),
        ] {
            let link = format!("{PAGE}/#{name}={}", token.encode());
            assert!(mail.text.lines().any(|line| line == link), "{}", mail.text);
            assert!(mail.html.contains(&format!("<a href=\"{link}\">")), "{}", mail.html);
        }
    }

    #[test]
    fn one_mail_tells_what_has_happened_to_several_items() {
        let at = Timestamp::from_unix_milliseconds(1);
        let money = |amount| Some(Money { amount, currency: "SGD".parse().unwrap() });
        let told = |kind, price, previous_price| Notification {
            kind: NotificationKind::Alert(kind),
            at,
            item_id: Some(ItemId::of_digest(&[7; 32])),
            name: Some(format!("<b>Tea</b>{}", "a".repeat(200))),
            url: "https://shop.com/p?a=1&b=2".to_owned(),
            previous_price,
            price,
            availability: None,
        };
        let all = [
            told(AlertKind::Target, money(999), money(1299)),
            told(AlertKind::Drop, money(5), money(10)),
            told(AlertKind::Any, None, money(100)),
            told(AlertKind::BackInStock, money(100), None),
            told(AlertKind::Lowest, money(0), money(100)),
            Notification::webhook_disabled("https://ada.com/hook".to_owned(), at),
        ];
        let mail = MailText::notifications(PAGE, &all);
        let name = format!("<b>Tea</b>{}", "a".repeat(110));
        for sentence in [
            format!("{name} has reached your price: 9.99 SGD, before: 12.99 SGD."),
            format!("{name} costs less: 0.05 SGD, before: 0.10 SGD."),
            format!("{name} has a new price: no price, before: 1.00 SGD."),
            format!("{name} is in stock again: 1.00 SGD."),
            format!("{name} has its lowest price: 0.00 SGD, before: 1.00 SGD."),
        ] {
            assert!(mail.text.lines().any(|line| line == sentence), "{sentence}\n{}", mail.text);
        }
        assert!(mail.text.contains("Your webhook at https://ada.com/hook was disabled"), "{}", mail.text);
        assert!(mail.html.contains("<p>&lt;b>Tea&lt;/b>aaa"), "{}", mail.html);
        assert_eq!(mail.html.matches("href=\"https://shop.com/p?a=1&amp;b=2\"").count(), 5);
        assert!(mail.text.contains(&format!("{PAGE}/#notifications")));
    }

    #[test]
    fn html_is_escaped() {
        let mail = MailText::address_taken("https://souk.example/?a=\"1\"&b=<2");
        assert!(mail.html.contains("?a=&quot;1&quot;&amp;b=&lt;2/#password-resets"), "{}", mail.html);
        assert!(mail.text.contains("?a=\"1\"&b=<2/#password-resets"), "{}", mail.text);
    }
}
