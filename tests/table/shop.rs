//! A shop on loopback, whose pages and faults a test changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A shop. It closes with the test's runtime.
pub struct Shop {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    prices: HashMap<String, String>,
    /// The status and `Retry-After` of pages that fail.
    faults: HashMap<String, (u16, Option<String>)>,
    refuses_crawlers: bool,
    /// The paths and statuses of the requests so far, without robots.txt.
    answered: Vec<(String, u16)>,
}

impl Shop {
    /// Opens a shop on a free port.
    pub async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// Sells something at this price in SGD.
    pub fn put(&self, path: &str, price: &str) {
        self.state().prices.insert(path.to_owned(), price.to_owned());
    }

    /// Answers a page with this status.
    pub fn fail(&self, path: &str, status: u16, retry_after: Option<&str>) {
        self.state().faults.insert(path.to_owned(), (status, retry_after.map(str::to_owned)));
    }

    /// Ends a fault.
    pub fn heal(&self, path: &str) {
        self.state().faults.remove(path);
    }

    /// Disallows all pages in robots.txt, so that a look at them asks for nothing.
    pub fn refuse_crawlers(&self) {
        self.state().refuses_crawlers = true;
    }

    /// The number of requests for pages.
    pub fn requests(&self) -> usize {
        self.state().answered.len()
    }

    /// How often a page was answered with this status.
    pub fn answered(&self, path: &str, status: u16) -> usize {
        self.state().answered.iter().filter(|(asked, with)| asked == path && *with == status).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut etag) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
                return;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ") {
                if name.eq_ignore_ascii_case("if-none-match") {
                    value.clone_into(&mut etag);
                }
            } else if let Some(asked) = line.split(' ').nth(1) {
                asked.clone_into(&mut path);
            }
        }
        let answer = state.lock().unwrap_or_else(PoisonError::into_inner).answer(&path, &etag);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl State {
    fn answer(&mut self, path: &str, known: &str) -> String {
        if path == "/robots.txt" {
            let rule = if self.refuses_crawlers { "Disallow: /" } else { "Allow: /" };
            return response(200, "Content-Type: text/plain\r\n", &format!("User-agent: *\n{rule}\n"));
        }
        let (status, headers, body) = self.page(path, known);
        self.answered.push((path.to_owned(), status));
        response(status, &headers, &body)
    }

    fn page(&self, path: &str, known: &str) -> (u16, String, String) {
        if let Some((status, retry_after)) = self.faults.get(path) {
            let header = retry_after.as_ref().map(|wait| format!("Retry-After: {wait}\r\n"));
            return (*status, header.unwrap_or_default(), String::new());
        }
        let Some(price) = self.prices.get(path) else { return (404, String::new(), String::new()) };
        let etag = format!("\"{price}\"");
        let headers = format!("Content-Type: text/html\r\nETag: {etag}\r\n");
        if known == etag {
            return (304, headers, String::new());
        }
        let offer = format!(r#"{{"@type": "Offer", "price": "{price}", "priceCurrency": "SGD"}}"#);
        let product = format!(r#"{{"@type": "Product", "name": "Tea", "offers": {offer}}}"#);
        (200, headers, format!(r#"<script type="application/ld+json">{product}</script>"#))
    }
}

fn response(status: u16, headers: &str, body: &str) -> String {
    let length = if status == 304 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("HTTP/1.1 {status} x\r\n{headers}{length}\r\n{body}")
}
