//! Mail: the queue of mails that are to be sent, and Amazon SES, which sends them.

use crate::{
    aws,
    client::{Client, Needs},
    context::Context,
    queue::Queue,
    signed::Service,
};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_types::byte_stream::{AggregatedBytes, ByteStream};
use domain::{
    Error,
    mail::{MailText, QueuedMail},
};
use serde_json::{Value, json};
use std::{sync::OnceLock, time::Duration};

const QUEUE: &str = "MAIL_QUEUE_URL";

/// The queue of mails, which mail-send sends.
pub struct MailQueue {
    /// `None` if the stack sends no mail.
    queue: Option<Queue>,
}

impl MailQueue {
    /// Whether the stack sends mail.
    pub fn exists(&self) -> bool {
        self.queue.is_some()
    }

    /// Queues a mail; does nothing if the stack sends no mail.
    pub async fn put(&self, mail: &QueuedMail) -> Result<(), Error> {
        self.put_after(mail, 0).await
    }

    /// Queues a mail that is sent after this number of seconds.
    pub async fn put_after(&self, mail: &QueuedMail, seconds: u64) -> Result<(), Error> {
        match &self.queue {
            Some(queue) => queue.send_after(mail, seconds).await,
            None => Ok(()),
        }
    }
}

impl Client for MailQueue {
    const NEEDS: Needs = Needs { settings: &[QUEUE], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let url = context.settings().optional(QUEUE);
        Ok(Self { queue: url.map(|url| Queue::new(context.sdk(), url)) })
    }
}

const FROM: &str = "MAIL_FROM";
const PAGE: &str = "PUBLIC_URL";

const SES: Service = Service { title: "SES", host: "email", signing_name: "ses" };

/// How long an answer of SES may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends mail by the API of Amazon SES, version 2.
///
/// It makes the one request that is needed of that API itself, with the SDK's signatures and connections: the SDK's client
/// of all its operations takes longer to compile than that of DynamoDB.
pub struct Mailer {
    context: Context,
    from: String,
    page: String,
    connector: OnceLock<SharedHttpConnector>,
}

impl Mailer {
    /// The URL of the page that links in mails lead to.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// Sends a mail. The error contains neither the address nor the text.
    pub async fn send(&self, to: &str, mail: &MailText) -> Result<(), Error> {
        let part = |text: &str| json!({"Data": text, "Charset": "UTF-8"});
        let body = json!({
            "FromEmailAddress": self.from,
            "Destination": {"ToAddresses": [to]},
            "Content": {"Simple": {
                "Subject": part(mail.subject),
                "Body": {"Text": part(&mail.text), "Html": part(&mail.html)},
            }},
        });
        let request = SES.post(&self.context, "/v2/email/outbound-emails", body.to_string()).await?;
        let answered = self.connector()?.call(request);
        let answer = tokio::time::timeout(PATIENCE, answered).await;
        let answer = answer.map_err(|_| Error::unavailable("SES: no answer"))?;
        let answer = answer.map_err(|error| Error::unavailable(format!("SES: {error}")))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let kind = answer.headers().get("x-amzn-errortype").unwrap_or_default().to_owned();
        let body = ByteStream::new(answer.into_body()).collect().await.map(AggregatedBytes::to_vec);
        Err(Error::unavailable(format!(
            "SES: {} {}",
            status.as_u16(),
            code(&kind, &body.unwrap_or_default())
        )))
    }

    fn connector(&self) -> Result<&SharedHttpConnector, Error> {
        if self.connector.get().is_none() {
            let connector = match self.context.mail() {
                Some(connector) => connector.clone(),
                None => aws::connector(self.context.sdk().endpoint_url())?,
            };
            // Another request may have come first; then its connections are used.
            let _ = self.connector.set(connector);
        }
        self.connector.get().ok_or_else(|| Error::internal("SES: no connections"))
    }
}

/// The code of an error. Its message is not for the log, because it may contain addresses.
fn code(header: &str, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let of_body = ["__type", "code"].iter().find_map(|member| body[*member].as_str());
    let code = Some(header).filter(|code| !code.is_empty()).or(of_body).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    code.chars().take_while(char::is_ascii_alphanumeric).collect()
}

impl Client for Mailer {
    const NEEDS: Needs = Needs { settings: &[FROM, PAGE], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        let settings = context.settings();
        Ok(Self {
            from: settings.required(FROM)?,
            page: settings.required(PAGE)?.trim_end_matches('/').to_owned(),
            connector: OnceLock::new(),
            context: context.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_error_is_logged_without_its_message() {
        let body = br#"{"__type": "MessageRejected", "message": "ada@example.com is not verified"}"#;
        assert_eq!(code("", body), "MessageRejected");
        assert_eq!(
            code("TooManyRequestsException:http://internal.amazon.com/", body),
            "TooManyRequestsException"
        );
        assert_eq!(code("com.amazonaws.ses#NotFoundException", b""), "NotFoundException");
        assert_eq!(code("", b"<html>"), "");
    }
}
