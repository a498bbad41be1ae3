//! A host on the loopback interface that takes the calls of a user's webhook.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A call that the host has taken or refused.
#[derive(Debug, Clone)]
pub struct Call {
    pub id: String,
    pub body: String,
    timestamp: String,
    signature: String,
}

impl Call {
    /// Whether the signature is one by the Standard Webhooks specification with this secret.
    pub fn is_signed_with(&self, secret: &[u8]) -> bool {
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let tag = BASE64_STANDARD.decode(self.signature.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes(), &tag).is_ok()
    }
}

/// A host that answers 204 unless it is told otherwise. It stops when it is dropped.
pub struct WebhookHost {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
    task: JoinHandle<()>,
}

impl WebhookHost {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (calls, statuses) = (Arc::<Mutex<Vec<Call>>>::default(), Arc::<Mutex<VecDeque<u16>>>::default());
        let (seen, answers) = (Arc::clone(&calls), Arc::clone(&statuses));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
                tokio::spawn(async move { answer(stream, &seen, &answers).await });
            }
        });
        Self { port, calls, statuses, task }
    }

    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority())
    }

    /// Answers the next calls with these statuses.
    pub fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.statuses.lock().unwrap().extend(statuses);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for WebhookHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one call; `None` if the caller has gone.
async fn answer(
    mut stream: TcpStream,
    calls: &Mutex<Vec<Call>>,
    statuses: &Mutex<VecDeque<u16>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    calls.lock().unwrap().push(Call {
        id: header("webhook-id")?,
        timestamp: header("webhook-timestamp")?,
        signature: header("webhook-signature")?,
        body: String::from_utf8(body).ok()?,
    });
    let status = statuses.lock().unwrap().pop_front().unwrap_or(204);
    let answer = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
