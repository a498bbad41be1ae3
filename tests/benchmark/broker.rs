//! A broker of Kafka for producers, which has one topic and keeps nothing.
//!
//! It speaks the versions of the protocol that it announces (<https://kafka.apache.org/protocol>) and no others.

use crate::server::Server;
use std::{
    io::{BufReader, ErrorKind, Read, Result, Write},
    net::TcpStream,
};

const TOPIC: &str = "souk.events";
const PARTITIONS: i32 = 12;
/// The number of the broker.
const NODE: i32 = 1;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
/// The announced version of each request.
const VERSIONS: [(i16, i16); 3] = [(PRODUCE, 3), (METADATA, 1), (API_VERSIONS, 3)];

/// Where a batch of records has their number: an `int32` after its offsets, its checksum, its times and its producer.
const RECORD_COUNT: usize = 57;

/// Starts a broker, which calls `took` with the number of records of each batch.
pub fn start(took: impl Fn(u32) + Clone + Send + 'static) -> Server {
    Server::start(move |stream| serve(stream, &took))
}

fn serve(mut stream: TcpStream, took: &impl Fn(u32)) -> Result<()> {
    let port = stream.local_addr()?.port();
    let mut input = BufReader::new(stream.try_clone()?);
    loop {
        let mut size = [0; 4];
        match input.read_exact(&mut size) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut request = vec![0; usize::try_from(u32::from_be_bytes(size)).unwrap_or_default()];
        input.read_exact(&mut request)?;
        stream.write_all(&answer(&request, port, took))?;
    }
}

/// The answer to a request, with its length before it.
fn answer(request: &[u8], port: u16, took: &impl Fn(u32)) -> Vec<u8> {
    let mut rest = request;
    let (kind, _version) = (int16(&mut rest), int16(&mut rest));
    let correlation: [u8; 4] = take(&mut rest);
    let _client = text(&mut rest);
    let body = match kind {
        PRODUCE => produced(rest, took),
        METADATA => metadata(port),
        API_VERSIONS => versions(),
        _ => panic!("the benchmark's broker does not know the request {kind}"),
    };
    let length = i32::try_from(correlation.len() + body.len()).expect("an answer is short");
    [&length.to_be_bytes()[..], &correlation, &body].concat()
}

/// `ApiVersions`, version 3.
fn versions() -> Vec<u8> {
    let mut body = int16s(&[0]);
    // The length of a compact array is one more than its number of elements. Zero: no tagged fields.
    body.push(u8::try_from(VERSIONS.len() + 1).expect("there are few"));
    for (kind, version) in VERSIONS {
        body.extend(int16s(&[kind, version, version]));
        body.push(0);
    }
    body.extend(int32s(&[0]));
    body.push(0);
    body
}

/// `Metadata`, version 1: this broker leads all partitions of the topic.
fn metadata(port: u16) -> Vec<u8> {
    let mut body = int32s(&[1, NODE]);
    put_text(&mut body, "127.0.0.1");
    body.extend(int32s(&[port.into()]));
    // No rack. The broker is the controller.
    body.extend(int16s(&[-1]));
    body.extend(int32s(&[NODE, 1]));
    body.extend(int16s(&[0]));
    put_text(&mut body, TOPIC);
    body.push(0);
    body.extend(int32s(&[PARTITIONS]));
    for partition in 0..PARTITIONS {
        body.extend(int16s(&[0]));
        // Leader, replicas, replicas in sync.
        body.extend(int32s(&[partition, NODE, 1, NODE, 1, NODE]));
    }
    body
}

/// `Produce`, version 3: the batch of one partition is written.
fn produced(mut request: &[u8], took: &impl Fn(u32)) -> Vec<u8> {
    let rest = &mut request;
    let (_transaction, _acks, _timeout) = (text(rest), int16(rest), int32(rest));
    let (topics, _topic) = (int32(rest), text(rest));
    let (partitions, partition, _size) = (int32(rest), int32(rest), int32(rest));
    assert_eq!((topics, partitions), (1, 1), "the producer sends one batch a request");
    let mut count = &rest[RECORD_COUNT..];
    took(u32::from_be_bytes(take(&mut count)));
    let mut body = int32s(&[1]);
    put_text(&mut body, TOPIC);
    body.extend(int32s(&[1, partition]));
    body.extend(int16s(&[0]));
    // The offset, and no time of the broker's.
    body.extend(0_i64.to_be_bytes());
    body.extend((-1_i64).to_be_bytes());
    body.extend(int32s(&[0]));
    body
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, after) = rest.split_first_chunk().expect("a request is whole");
    *rest = after;
    *taken
}

fn int16(rest: &mut &[u8]) -> i16 {
    i16::from_be_bytes(take(rest))
}

fn int32(rest: &mut &[u8]) -> i32 {
    i32::from_be_bytes(take(rest))
}

/// A text; one that is absent has a negative length.
fn text<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = usize::try_from(int16(rest)).unwrap_or_default();
    let (text, after) = rest.split_at(length);
    *rest = after;
    text
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend(int16s(&[i16::try_from(text.len()).expect("a name is short")]));
    body.extend(text.as_bytes());
}

fn int16s(numbers: &[i16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn int32s(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}
