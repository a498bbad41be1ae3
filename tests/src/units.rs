//! docs/units.md: what each access pattern sends and consumes.

use crate::{project, wire::Sent};
use serde_json::Value;
use std::sync::LazyLock;
use table::Units;

static DOCUMENTED: LazyLock<Vec<Row>> = LazyLock::new(|| parse(&project::read("docs/units.md")));

/// What a piece of work sent and consumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Read units.
    pub read: f64,
    /// Write units.
    pub write: f64,
    /// The requests, in short: see [`describe`].
    pub requests: String,
}

impl Measured {
    /// From what the table counted and the wire carried.
    pub fn new(units: Units, sent: &[Sent]) -> Self {
        let mut requests: Vec<(String, usize)> = Vec::new();
        for request in sent.iter().map(describe) {
            match requests.last_mut() {
                Some((last, count)) if *last == request => *count += 1,
                _ => requests.push((request, 1)),
            }
        }
        let requests = requests.into_iter().map(|(request, count)| times(count, request));
        Self { read: units.read, write: units.write, requests: requests.collect::<Vec<_>>().join(", then ") }
    }
}

fn times(count: usize, what: String) -> String {
    if count == 1 { what } else { format!("{count} × {what}") }
}

/// A row of the table in docs/units.md.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The method of `Table`.
    pub operation: String,
    /// In which case.
    pub case: String,
    /// What it sends and consumes.
    pub measured: Measured,
}

/// The rows of the table: `` | `operation` | case | read | write | requests | ``.
pub fn parse(text: &str) -> Vec<Row> {
    text.lines().filter_map(parse_row).collect()
}

fn parse_row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let &[operation, case, read, write, requests] = cells.as_slice() else { return None };
    Some(Row {
        operation: operation.strip_prefix('`')?.strip_suffix('`')?.to_owned(),
        case: case.to_owned(),
        measured: Measured {
            read: read.parse().ok()?,
            write: write.parse().ok()?,
            requests: requests.to_owned(),
        },
    })
}

/// The rows of docs/units.md.
pub fn documented() -> &'static [Row] {
    &DOCUMENTED
}

/// Fails unless docs/units.md says of this case what was measured.
pub fn assert_documented(operation: &str, case: &str, measured: &Measured) {
    let row = DOCUMENTED.iter().find(|row| row.operation == operation && row.case == case);
    let Measured { read, write, requests } = measured;
    let measured_row = format!("| `{operation}` | {case} | {read} | {write} | {requests} |");
    assert!(
        row.is_some_and(|row| row.measured == *measured),
        "docs/units.md has\n{row:?}\nand measured was\n{measured_row}"
    );
}

/// A request in short: the operation, the index if any, and how the partition key begins, which is what IAM can
/// restrict (`dynamodb:LeadingKeys`). As in `Query gsi1 PRODUCT#` or `TransactWriteItems (2 × Put USER#)`.
pub fn describe(request: &Sent) -> String {
    let Sent { operation, body } = request;
    let parts: Vec<String> = match operation.as_str() {
        "GetItem" | "UpdateItem" | "DeleteItem" => {
            return format!("{operation} {}", leading(&body["Key"]["pk"]));
        }
        "PutItem" => return format!("{operation} {}", leading(&body["Item"]["pk"])),
        "Query" => {
            let index = body["IndexName"].as_str().map(|index| format!("{index} ")).unwrap_or_default();
            return format!("{operation} {index}{}", leading(&body["ExpressionAttributeValues"][":pk"]));
        }
        "BatchGetItem" => batch(body, |table| &table["Keys"]).map(|key| leading(&key["pk"])).collect(),
        "BatchWriteItem" => batch(body, |table| table).map(write).collect(),
        "TransactWriteItems" => list(&body["TransactItems"]).map(write).collect(),
        _ => return operation.clone(),
    };
    format!("{operation} ({})", counted(parts))
}

fn batch<'a>(body: &'a Value, items: impl Fn(&'a Value) -> &'a Value) -> impl Iterator<Item = &'a Value> {
    let tables = body["RequestItems"].as_object().into_iter().flat_map(serde_json::Map::values);
    tables.flat_map(move |table| list(items(table)))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// One write of a transaction or of a batch.
fn write(action: &Value) -> String {
    let (name, details) = action.as_object().and_then(|action| action.iter().next()).expect("a write");
    let name = name.trim_end_matches("Request");
    let pk = if details["Item"].is_null() { &details["Key"]["pk"] } else { &details["Item"]["pk"] };
    format!("{name} {}", leading(pk))
}

/// How a partition key begins, to its first `#`.
fn leading(pk: &Value) -> String {
    let pk = pk["S"].as_str().unwrap_or_default();
    pk.split_inclusive('#').next().unwrap_or_default().to_owned()
}

fn counted(mut parts: Vec<String>) -> String {
    parts.sort();
    let mut counted = Vec::new();
    for same in parts.chunk_by(|a, b| a == b) {
        counted.push(times(same.len(), same[0].clone()));
    }
    counted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_read_and_other_lines_are_not() {
        let rows = parse(
            "| operation | case | read | write | requests |\n|---|---|---|---|---|\n| `user` | there | 0.5 | 0 | GetItem USER# |\n",
        );
        let measured = Measured { read: 0.5, write: 0.0, requests: "GetItem USER#".into() };
        assert_eq!(rows, [Row { operation: "user".into(), case: "there".into(), measured }]);
    }

    #[test]
    fn requests_are_told_in_short() {
        let put = |pk: &str| json!({"Put": {"Item": {"pk": {"S": pk}}}});
        let body = json!({"TransactItems": [put("USER#1"), put("PRODUCT#1"), put("USER#1")]});
        let sent = Sent { operation: "TransactWriteItems".into(), body };
        assert_eq!(describe(&sent), "TransactWriteItems (Put PRODUCT#, 2 × Put USER#)");
        let body = json!({"IndexName": "gsi1", "ExpressionAttributeValues": {":pk": {"S": "PRODUCT#1"}}});
        let sent = Sent { operation: "Query".into(), body };
        assert_eq!(describe(&sent), "Query gsi1 PRODUCT#");
        let twice = Measured::new(Units::default(), &[sent.clone(), sent]);
        assert_eq!(twice.requests, "2 × Query gsi1 PRODUCT#");
    }
}
