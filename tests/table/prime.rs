//! Opening the connection before the first request, on a real socket.

use aws_smithy_http_client::Builder;
use domain::Error;
use std::sync::{Arc, Mutex};
use table::Table;
use tests::{config, samples::product_id};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// The request lines that arrived on each connection.
type Arrived = Arc<Mutex<Vec<Vec<String>>>>;

/// A server on a free port that responds like a DynamoDB without items.
async fn server() -> (String, Arrived) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let arrived = Arrived::default();
    let arriving = Arc::clone(&arrived);
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(connection, Arc::clone(&arriving)));
        }
    });
    (address, arrived)
}

async fn answer(mut connection: TcpStream, arrived: Arrived) {
    let (read, mut write) = connection.split();
    let mut lines = BufReader::new(read);
    let number = {
        let mut arrived = arrived.lock().unwrap();
        arrived.push(Vec::new());
        arrived.len() - 1
    };
    while let Some(request) = read_request(&mut lines).await {
        let body = if request.starts_with("GET ") { "healthy: dynamodb.test.example " } else { "{}" };
        arrived.lock().unwrap()[number].push(request);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        write.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }
}

/// Reads a request and returns its first line; `None` if the connection is closed.
async fn read_request(lines: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        first.get_or_insert_with(|| line.to_owned());
    }
    lines.read_exact(&mut vec![0; length]).await.ok()?;
    first
}

#[tokio::test]
async fn the_first_request_finds_the_connection_open() {
    let (address, arrived) = server().await;
    let table = Table::new(&config(Builder::new().build_http(), &address), "souk-of-a-test");
    table.prime().await;
    assert_eq!(*arrived.lock().unwrap(), [["GET / HTTP/1.1"]]);
    let read = table.product(product_id(1)).await;
    assert_eq!(read, Err(Error::NotFound { what: "product" }));
    assert_eq!(*arrived.lock().unwrap(), [["GET / HTTP/1.1", "POST / HTTP/1.1"]]);
    assert_eq!(table.take_units(), table::Units::default());
}

#[tokio::test]
async fn a_table_that_cannot_be_reached_is_no_failure_yet() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let table = Table::new(&config(Builder::new().build_http(), &address), "souk-of-a-test");
    table.prime().await;
    assert!(crate::is_unavailable(&table.product(product_id(1)).await));
}
