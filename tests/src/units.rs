//! docs/units.md: what each access pattern sends and consumes.
//!
//! With `BLESS=1` in the environment, tests write the measured values into the rows; otherwise they compare them. Against a
//! DynamoDB Local, a row that it counts otherwise is in the list of differences.

use crate::{local, project, wire::Sent};
use serde_json::Value;
use std::{
    env, fmt, fs,
    sync::{LazyLock, Mutex, PoisonError},
};
use table::Units;

const DOCUMENT: &str = "docs/units.md";
/// The rows that DynamoDB Local counts otherwise.
const DIFFERENCES: &str = "tests/conformance/README.md";

static DOCUMENTED: LazyLock<Vec<Row>> = LazyLock::new(|| parse(&project::read(DOCUMENT)));
static DIFFERENT: LazyLock<Vec<Row>> = LazyLock::new(|| parse(&project::read(DIFFERENCES)));

/// The rows that this process has written. Tests run in parallel, so the lock is held while the document is rewritten.
static BLESSED: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// The requests that an operation sent and the capacity that it consumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Consumed read units.
    pub read: f64,
    /// Consumed write units.
    pub write: f64,
    /// The requests, summarised by [`describe`].
    pub requests: String,
}

impl Measured {
    /// Combines the units that the table counted with the requests that the wire recorded.
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
    /// The case that was measured.
    pub case: String,
    /// The requests and consumed units.
    pub measured: Measured,
}

impl Row {
    /// Whether both rows describe the same case of the same operation.
    fn is_of(&self, other: &Self) -> bool {
        self.operation == other.operation && self.case == other.case
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, case, measured: Measured { read, write, requests } } = self;
        let case = if case.is_empty() { String::new() } else { format!("{case} ") };
        write!(f, "| `{operation}` | {case}| {read} | {write} | {requests} |")
    }
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

/// Checks that the row of this case in docs/units.md has the measured values; with `BLESS=1`, writes them.
pub fn assert_documented(operation: &str, case: &str, measured: &Measured) {
    let measured = Row { operation: operation.into(), case: case.into(), measured: measured.clone() };
    let (name, rows) = match local::address() {
        Some(_) if DOCUMENTED.contains(&measured) => return,
        Some(_) => (DIFFERENCES, &DIFFERENT),
        None => (DOCUMENT, &DOCUMENTED),
    };
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        bless(name, measured);
        return;
    }
    let documented = rows.iter().find(|row| row.is_of(&measured));
    let shown = documented.map_or_else(|| "no such row".to_owned(), Row::to_string);
    assert!(
        documented == Some(&measured),
        "{name} has\n{shown}\nand measured was\n{measured}\nIf that is right: BLESS=1 cargo test --workspace --test table"
    );
}

/// Writes a row into the document. Panics if two tests measure different values for the same row.
fn bless(name: &str, row: Row) {
    let mut blessed = BLESSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(before) = blessed.iter().find(|before| before.is_of(&row)) {
        assert_eq!(*before, row, "one row of {name} was measured twice");
        return;
    }
    let document = project::root().join(name);
    let before = project::read(name);
    let after = with_row(&before, &row);
    if after != before {
        // The rename is atomic, so a concurrent reader never gets a partly written document.
        let temporary = document.with_extension("md.new");
        fs::write(&temporary, after)
            .and_then(|()| fs::rename(&temporary, &document))
            .expect("the row is written");
    }
    blessed.push(row);
}

/// The text with this row: it replaces the row of the same case, or is added after the other rows of its operation.
fn with_row(text: &str, row: &Row) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let rows = || (0..).zip(text.lines()).filter_map(|(at, line)| Some((at, parse_row(line)?)));
    if let Some((at, _)) = rows().find(|(_, other)| other.is_of(row)) {
        lines[at] = row.to_string();
    } else {
        let last = rows().filter(|(_, other)| other.operation <= row.operation).map(|(at, _)| at + 1).last();
        let first = rows().next().map(|(at, _)| at);
        lines.insert(last.or(first).expect("the document has a table"), row.to_string());
    }
    lines.join("\n") + "\n"
}

/// Summarises a request: the operation, the index if any, and the prefix of the partition key, which IAM can restrict
/// (`dynamodb:LeadingKeys`). Examples: `Query gsi1 PRODUCT#`, `TransactWriteItems (2 × Put USER#)`.
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

/// The prefix of a partition key, up to and including the first `#`.
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
    fn a_row_is_written_as_it_is_read() {
        let line = "| `user` | | 0.5 | 0 | GetItem USER# |";
        assert_eq!(parse_row(line).unwrap().to_string(), line);
        assert!(documented().iter().all(|row| project::read(DOCUMENT).contains(&format!("\n{row}\n"))));
    }

    #[test]
    fn a_measured_row_takes_the_place_of_its_case_or_is_added_to_its_operation() {
        let text = "Prose.\n\n| operation | case | read | write | requests |\n|---|---|---|---|---|\n| `b` | | 1 | 0 | Query |\n| `b` | late | 2 | 0 | Query |\n\nMore.\n";
        let with = |line: &str| with_row(text, &parse_row(line).unwrap());
        assert_eq!(
            with("| `b` | late | 2.5 | 0 | 2 × Query |"),
            text.replace("late | 2 | 0 | Query", "late | 2.5 | 0 | 2 × Query")
        );
        assert_eq!(with("| `b` | | 1 | 0 | Query |"), text);
        for (line, after) in [
            ("| `a` | | 1 | 0 | Query |", "|---|---|---|---|---|\n"),
            ("| `b` | never | 1 | 0 | Query |", "| `b` | late | 2 | 0 | Query |\n"),
            ("| `c` | | 1 | 0 | Query |", "| `b` | late | 2 | 0 | Query |\n"),
        ] {
            assert_eq!(with(line), text.replace(after, &format!("{after}{line}\n")));
        }
    }

    #[test]
    fn requests_are_summarised_for_reports() {
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
