//! A source of flash sales on the loopback interface.

use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A running source. It stops when it is dropped.
pub struct Source {
    port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// Status, content type, `Link` and body, by path.
    pages: HashMap<String, (u16, &'static str, String, String)>,
    asked: Vec<String>,
}

impl Source {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { answer(stream, &state).await });
            }
        });
        Self { port, state, task }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers a path with a list of these entries.
    pub fn list(&self, path: &str, entries: &[Value], link: &str) {
        let list = json!({"@context": "https://schema.org", "@type": "ItemList", "itemListElement": entries});
        self.answer(path, (200, "application/ld+json", link.to_owned(), list.to_string()));
    }

    /// Answers a path with the page of a product.
    pub fn product(&self, path: &str, product: &Value) {
        let page = format!("<script type=\"application/ld+json\">{product}</script>");
        self.answer(path, (200, "text/html", String::new(), page));
    }

    /// Answers a path with this status alone.
    pub fn fail(&self, path: &str, status: u16) {
        self.answer(path, (status, "text/plain", String::new(), String::new()));
    }

    /// The paths that were asked for since the last call, without robots.txt.
    pub fn take_asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut self.state.lock().unwrap().asked);
        asked.retain(|path| path != "/robots.txt");
        asked
    }

    fn answer(&self, path: &str, answer: (u16, &'static str, String, String)) {
        self.state.lock().unwrap().pages.insert(path.to_owned(), answer);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request; `None` if the client has gone.
async fn answer(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let answer = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        state.pages.get(&path).cloned()
    };
    let (status, media_type, link, body) =
        answer.unwrap_or((404, "text/plain", String::new(), String::new()));
    let response = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-type: {media_type}\r\nlink: {link}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
