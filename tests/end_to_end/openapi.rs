//! The served OpenAPI document: its compression and its ETag.

use crate::souk::{Answer, Call, SOUK};
use std::collections::BTreeSet;
use web::openapi::{CONTENT, DOCUMENT};

fn accepting(encoding: &str) -> Call {
    Call::new("GET", "/openapi.json").header("accept-encoding", encoding)
}

/// The header fields that caches read.
fn of_caches(answer: &Answer) -> [&str; 3] {
    ["etag", "vary", "cache-control"].map(|name| answer.header(name))
}

#[test]
fn the_document_is_sent_in_the_encoding_that_the_client_takes() {
    let mut tags = BTreeSet::new();
    for (accept, encoding, content) in [
        ("gzip, deflate, br", "br", CONTENT.brotli),
        ("gzip", "gzip", CONTENT.gzip),
        ("identity", "", DOCUMENT.as_bytes()),
        ("br;q=0, gzip;q=0", "", DOCUMENT.as_bytes()),
    ] {
        let answer = SOUK.send(accepting(accept));
        assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding), "{accept}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(answer.bytes == content, "{accept}: {} bytes, not {}", answer.bytes.len(), content.len());
        assert_eq!(of_caches(&answer)[1..], ["accept-encoding", "public, max-age=300"]);
        tags.insert(answer.header("etag").to_owned());
    }
    assert_eq!(tags.len(), 3, "one for each encoding: {tags:?}");
}

#[test]
fn a_client_that_has_the_document_is_told_so() {
    let first = SOUK.send(accepting("br"));
    let tag = first.header("etag").to_owned();
    let second = SOUK.send(accepting("br").header("if-none-match", &tag));
    assert_eq!((second.status, second.bytes.len()), (304, 0));
    assert_eq!(of_caches(&second), of_caches(&first));
    assert_eq!(SOUK.send(accepting("gzip").header("if-none-match", &tag)).status, 200);
    SOUK.send(accepting("br").header("if-none-match", "7")).problem(400, "validation");
}
