//! The part of ClickHouse's HTTP interface that an insert needs. Rows are not kept.

use crate::{http1::Request, services::Sent};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

/// The statement that makes the table.
const TABLE: &str = include_str!("../../shared/analytics/migrations/0001_events.sql");

/// The columns of the answer to `DESCRIBE TABLE`.
const DESCRIPTION: [&str; 7] =
    ["name", "type", "default_type", "default_expression", "comment", "codec_expression", "ttl_expression"];

/// The answer to a statement, and what is recorded of it. `None` for a request without one.
pub fn answer(request: &Request) -> Option<(Vec<u8>, Option<Sent>)> {
    if request.body.starts_with(b"DESCRIBE TABLE") {
        return Some((description(), None));
    }
    let (_, query) = request.line.split_once('?')?;
    let (_, statement) =
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name.as_ref() == "query")?;
    let rows = BASE64_STANDARD.encode(&request.body);
    Some((Vec::new(), Some(("Insert".to_owned(), json!({"Statement": statement, "Rows": rows})))))
}

/// The names and types of the table's columns, in the format `RowBinaryWithNamesAndTypes`.
fn description() -> Vec<u8> {
    let mut answer = vec![u8::try_from(DESCRIPTION.len()).expect("there are few")];
    for text in DESCRIPTION.into_iter().chain(["String"; DESCRIPTION.len()]) {
        put_text(&mut answer, text);
    }
    for (name, kind) in columns() {
        for text in [name, kind].into_iter().chain([""; DESCRIPTION.len() - 2]) {
            put_text(&mut answer, text);
        }
    }
    answer
}

/// The columns that an insert fills.
fn columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    let (_, after) = TABLE.split_once("\n(\n").expect("columns are in parentheses");
    let (columns, _) = after.split_once("\n)\n").expect("columns are in parentheses");
    columns.lines().filter(|line| !line.contains(" MATERIALIZED ")).map(|line| {
        let (name, rest) = line.trim().split_once(' ').expect("a column has a type");
        let kind = rest.split_once(" CODEC").map_or(rest, |(kind, _)| kind);
        (name, kind.trim_end_matches(','))
    })
}

/// A text after its length, which takes one byte up to 127.
fn put_text(answer: &mut Vec<u8>, text: &str) {
    answer.push(u8::try_from(text.len()).ok().filter(u8::is_ascii).expect("a text is short"));
    answer.extend(text.as_bytes());
}
