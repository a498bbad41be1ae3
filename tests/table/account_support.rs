//! The functions of an account's life, on one table, with the mails that they lead to.

use crate::{application::context, log_in::function as session_create};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use domain::{
    Timestamp,
    id::{SessionId, UserId},
    mail::QueuedMail,
    user::Caller,
};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use std::collections::HashMap;
use table::Credential;
use tests::{
    World,
    samples::{email, now, session_id},
};
use web::{Problem, Request, Response, response::Body, token::Verified};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/mail-send/src/main.rs"]
pub mod mail_send;
#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/password-change/src/main.rs"]
mod password_change;
#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/password-reset/src/main.rs"]
mod password_reset;
#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/password-reset-create/src/main.rs"]
mod password_reset_create;
#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/user-delete/src/main.rs"]
mod user_delete;
#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/user-register/src/main.rs"]
mod user_register;
#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/user-update/src/main.rs"]
mod user_update;
#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/user-verify/src/main.rs"]
mod user_verify;

pub const ADDRESS: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery";

/// The text of every secret: good as pepper and as signing secret.
const SECRET: &str = r#"{"current": "1", "1": "00000000000000000000000000000000000000000000000000"}"#;

const SETTINGS: &[(&str, &str)] = &[
    ("TOKEN_ISSUER", "souk"),
    ("TOKEN_AUDIENCE", "souk-api"),
    ("SIGNING_SECRET_ARN", "signing"),
    ("VISITOR_SECRET_ARN", "visitor"),
    ("PEPPER_SECRET_ARN", "pepper"),
    ("LIMIT_LOGIN_EMAIL", "100"),
    ("LIMIT_LOGIN_SOURCE", "100"),
    ("LIMIT_REGISTER_EMAIL", "100"),
    ("LIMIT_REGISTER_SOURCE", "100"),
    ("LIMIT_WINDOW_SECONDS", "900"),
    ("REQUIRE_VERIFIED_EMAIL", "true"),
    ("MAIL_QUEUE_URL", "https://sqs.test.example/mails"),
    ("MAIL_FROM", "souk@souk.example"),
    ("PUBLIC_URL", "https://souk.example/"),
    ("USER_DELETE_MACHINE_ARN", "arn:aws:states:eu-central-1:123456789012:stateMachine:user-delete"),
];

/// The functions, on one table, where log-in needs a verified address.
pub struct Souk {
    pub world: World,
    pub mailer: mail_send::App,
    register: user_register::App,
    verify: user_verify::App,
    log_in: session_create::App,
    ask: password_reset_create::App,
    reset: password_reset::App,
    change: password_change::App,
    update: user_update::App,
    delete: user_delete::App,
}

type Answer = Result<Response, Problem>;

impl Souk {
    pub fn new() -> Self {
        let world = World::new();
        world.wire.keep_secret(SECRET);
        let context = || {
            let ses = SharedHttpConnector::new(world.wire.clone());
            context(&world, SETTINGS).with_mail(ses)
        };
        Self {
            mailer: mail_send::App::new(context()).unwrap(),
            register: user_register::App::new(context()).unwrap(),
            verify: user_verify::App::new(context()).unwrap(),
            log_in: session_create::App::new(context()).unwrap(),
            ask: password_reset_create::App::new(context()).unwrap(),
            reset: password_reset::App::new(context()).unwrap(),
            change: password_change::App::new(context()).unwrap(),
            update: user_update::App::new(context()).unwrap(),
            delete: user_delete::App::new(context()).unwrap(),
            world,
        }
    }

    /// With an account whose address is verified.
    pub async fn with_account() -> Box<Self> {
        let souk = Box::new(Self::new());
        souk.register(ADDRESS, PASSWORD).await;
        let token = souk.mails().await[0].token("verification");
        souk.verify(&token, now()).await.unwrap();
        souk
    }

    pub async fn register(&self, email: &str, password: &str) -> Response {
        let body = json!({"email": email, "password": password, "displayName": "Ada"});
        Box::pin(user_register::register_user(&self.register, request(&body, now()))).await.unwrap()
    }

    pub async fn verify(&self, token: &str, at: Timestamp) -> Answer {
        Box::pin(user_verify::verify_user(&self.verify, request(&json!({"token": token}), at))).await
    }

    pub async fn log_in(&self, password: &str) -> Answer {
        let body = json!({"email": ADDRESS, "password": password});
        Box::pin(session_create::create_session(&self.log_in, request(&body, now()))).await
    }

    pub async fn ask_for_reset(&self, email: &str) -> Response {
        let request = request(&json!({"email": email}), now());
        Box::pin(password_reset_create::create_reset(&self.ask, request)).await.unwrap()
    }

    pub async fn reset(&self, token: &str, password: &str, at: Timestamp) -> Answer {
        let body = json!({"token": token, "password": password});
        Box::pin(password_reset::reset_password(&self.reset, request(&body, at))).await
    }

    /// Changes the password in this session.
    pub async fn change(&self, session_id: SessionId, current: &str, new: &str) -> Answer {
        let body = json!({"currentPassword": current, "newPassword": new});
        let request = self.as_user(session_id, request(&body, now())).await;
        Box::pin(password_change::change_password(&self.change, request)).await
    }

    pub async fn rename(&self, if_match: &str, name: &str) -> Answer {
        let mut request = request(&json!({"displayName": name}), now());
        request.headers.insert(header::IF_MATCH, if_match.parse().unwrap());
        let request = self.as_user(session_id(1), request).await;
        Box::pin(user_update::update_user(&self.update, request)).await
    }

    /// Deletes the account of this user.
    pub async fn delete(&self, user_id: UserId, password: &str) -> Answer {
        self.delete_at(user_id, json!({"password": password}), now()).await
    }

    /// Sends a request to delete the account of this user, of a session that was opened at [`now`].
    pub async fn delete_at(&self, user_id: UserId, body: Value, at: Timestamp) -> Answer {
        let caller = Caller { user_id, session_id: session_id(1) };
        let request = request(&body, at);
        Box::pin(user_delete::delete_user(&self.delete, by(caller, request))).await
    }

    async fn as_user(&self, session_id: SessionId, request: Request) -> Request {
        by(Caller { user_id: self.credential().await.user_id, session_id }, request)
    }

    /// The mails that were sent since the last call of this, and those that were queued, sent by mail-send.
    pub async fn mails(&self) -> Vec<Mail> {
        let mut sent = self.world.wire.take_sent();
        for sent in sent.iter().filter(|sent| sent.operation == "SendMessage") {
            let mail: QueuedMail = serde_json::from_str(sent.body["MessageBody"].as_str().unwrap()).unwrap();
            mail_send::send(&self.mailer, mail).await.unwrap();
        }
        sent.extend(self.world.wire.take_sent());
        sent.iter().filter(|sent| sent.operation == "SendEmail").map(|sent| Mail::of(&sent.body)).collect()
    }

    pub async fn credential(&self) -> Credential {
        self.world.table.credential(&email(ADDRESS)).await.unwrap().unwrap()
    }

    /// The number of sessions that have not ended.
    pub fn open_sessions(&self) -> usize {
        self.world.items().iter().filter(|item| item["secretHash"].is_object()).count()
    }
}

fn request(body: &Value, received_at: Timestamp) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Request {
        method: Method::POST,
        path: "/users".to_owned(),
        path_parameters: HashMap::new(),
        query: String::new(),
        headers,
        body: body.to_string().into_bytes(),
        source: "192.0.2.1".to_owned(),
        id: "r".to_owned(),
        received_at,
        verified: None,
    }
}

/// A request with the access token of this caller.
fn by(caller: Caller, request: Request) -> Request {
    Request { verified: Some(Verified { caller, visitor: None, expires_at: u64::MAX }), ..request }
}

/// The JSON of a response.
pub fn document(response: &Response) -> Value {
    let text = match &response.body {
        Body::Text(text) => Some(text),
        Body::Binary(_) => None,
    };
    serde_json::from_str(text.unwrap()).unwrap()
}

/// A mail, as SES was asked to send it.
pub struct Mail {
    pub to: String,
    pub subject: String,
    text: String,
}

impl Mail {
    fn of(body: &Value) -> Self {
        assert_eq!(body["FromEmailAddress"], "souk@souk.example");
        let content = &body["Content"]["Simple"];
        let text = |part: &Value| part["Data"].as_str().unwrap().to_owned();
        Self {
            to: body["Destination"]["ToAddresses"][0].as_str().unwrap().to_owned(),
            subject: text(&content["Subject"]),
            text: text(&content["Body"]["Text"]),
        }
    }

    /// The token in the link of the mail.
    pub fn token(&self, kind: &str) -> String {
        let link = format!("https://souk.example/#{kind}=");
        self.text.lines().find_map(|line| line.strip_prefix(&link)).unwrap().to_owned()
    }
}
