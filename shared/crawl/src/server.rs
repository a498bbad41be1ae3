//! A host of tests: answers each request on the loopback interface by a function of its path.

#![cfg(test)]

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

/// What the host does with a connection.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Writes these bytes and closes.
    Bytes(Vec<u8>),
    /// Writes the start, and then one more chunk after each pause, without end.
    Endless { start: Vec<u8>, chunk: Vec<u8>, pause: Duration },
}

/// A response with a status, headers and a body.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut response =
        format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        response.extend([*name, ": ", *value, "\r\n"]);
    }
    Reply::Bytes([response.as_bytes(), b"\r\n", body].concat())
}

/// A page with a product at this price.
pub(crate) fn product(price: &str) -> Reply {
    let page = format!(
        "<script type=application/ld+json>{{\"@type\": \"Product\", \"name\": \"Tea\", \
         \"offers\": {{\"price\": \"{price}\", \"priceCurrency\": \"EUR\"}}}}</script>"
    );
    reply(200, &[("content-type", "text/html")], page.as_bytes())
}

/// No robots.txt.
pub(crate) fn not_found() -> Reply {
    reply(404, &[], b"")
}

type Replies = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// A running host. It stops when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers requests at a loopback address; the function gets each request's head.
    pub(crate) async fn start(
        address: (IpAddr, u16),
        replies: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(address, Arc::new(replies), None).await
    }

    /// The same with TLS.
    pub(crate) async fn start_tls(
        replies: impl Fn(&str) -> Reply + Send + Sync + 'static,
        tls: tokio_rustls::TlsAcceptor,
    ) -> Self {
        Self::listen((IpAddr::from([127, 0, 0, 1]), 0), Arc::new(replies), Some(tls)).await
    }

    async fn listen(
        address: (IpAddr, u16),
        replies: Replies,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(address)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, replies, tls) = (seen.clone(), replies.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &seen, &replies).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer(stream, &seen, &replies).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { port, requests, task }
    }

    /// The address of a path on `127.0.0.1`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The paths of all requests so far.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request; `None` if the client has gone.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Vec<String>>,
    replies: &Replies,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    match replies(&head) {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
        Reply::Endless { start, chunk, pause } => {
            stream.write_all(&start).await.ok()?;
            loop {
                stream.write_all(&chunk).await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    stream.shutdown().await.ok()
}
