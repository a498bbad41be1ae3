//! docs/units.md lists every access pattern of the table, and a test measures every row.

use crate::{assert_none, differences};
use std::collections::BTreeSet;
use tests::{
    project::{self, Source},
    units::{self, Row},
};

/// A method whose request consumes no capacity units.
const FREE: &str = "prime";

/// The public async methods of `Table`.
fn methods(sources: &[Source]) -> BTreeSet<String> {
    let method = |line: &str| {
        let (name, _) = line.strip_prefix("    pub async fn ")?.split_once(['(', '<'])?;
        (name != FREE).then(|| name.to_owned())
    };
    sources.iter().flat_map(|source| source.text.lines().filter_map(method)).collect()
}

/// The rows that tests measure: each call that begins with `measure("operation", "case"`.
fn measured(sources: &[Source]) -> BTreeSet<String> {
    let mut cases = BTreeSet::new();
    for source in sources {
        // A loop over cases lists them before the call: `for case in ["a", "b"] {`.
        let mut listed: Vec<&str> = Vec::new();
        for piece in source.text.split_inclusive(';') {
            if let Some((_, list)) = piece.split_once("for case in [") {
                listed = list.split_once(']').map_or("", |(list, _)| list).split(',').map(literal).collect();
            }
            let Some((_, call)) = piece.split_once(".measure(") else { continue };
            let mut arguments = call.splitn(3, ',').map(str::trim);
            let (operation, case) =
                (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
            let cases_of_call = if case == "case" { listed.clone() } else { vec![literal(case)] };
            cases.extend(cases_of_call.into_iter().map(|case| shown(literal(operation), case)));
        }
    }
    cases
}

fn literal(argument: &str) -> &str {
    argument.trim().trim_matches('"')
}

fn shown(operation: &str, case: &str) -> String {
    if case.is_empty() { operation.to_owned() } else { format!("{operation}, {case}") }
}

fn rows(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().map(|row| shown(&row.operation, &row.case)).collect()
}

/// The rows of the list of what DynamoDB Local counts otherwise that are of no documented case, of other requests, or of the same
/// units. Only a run against DynamoDB Local compares their units.
fn outdated(different: &[Row], documented: &[Row]) -> Vec<String> {
    let has_pair = |row: &Row| {
        documented.iter().any(|other| {
            (&other.operation, &other.case, &other.measured.requests)
                == (&row.operation, &row.case, &row.measured.requests)
                && other.measured != row.measured
        })
    };
    different.iter().filter(|row| !has_pair(row)).map(ToString::to_string).collect()
}

#[test]
fn the_list_of_differences_is_of_documented_rows() {
    let different = units::parse(&project::read("tests/conformance/README.md"));
    assert!(!different.is_empty());
    assert_none(&outdated(&different, units::documented()));
}

#[test]
fn every_access_pattern_is_documented() {
    let methods = methods(&project::sources("shared/table/src"));
    let documented = units::documented().iter().map(|row| row.operation.clone()).collect();
    assert_none(&differences(("shared/table", &methods), ("docs/units.md", &documented)));
}

#[test]
fn every_row_is_measured() {
    let measured = measured(&project::sources("tests/table"));
    assert_none(&differences(
        ("docs/units.md", &rows(units::documented())),
        ("the tests of the table tier", &measured),
    ));
}

#[test]
fn outdated_differences_are_found() {
    let rows = |rows: &[&str]| units::parse(&rows.join("\n"));
    let documented = rows(&[
        "| `a` | x | 1 | 0 | GetItem A# |",
        "| `b` | | 0 | 2 | Put B# |",
        "| `c` | | 0 | 1 | Put C# |",
    ]);
    let different = rows(&[
        "| `a` | x | 2 | 0 | GetItem A# |",
        "| `a` | y | 2 | 0 | GetItem A# |",
        "| `b` | | 0 | 3 | Put B#, Put D# |",
        "| `c` | | 0 | 1 | Put C# |",
    ]);
    let found: Vec<String> = different[1..].iter().map(ToString::to_string).collect();
    assert_eq!(outdated(&different, &documented), found);
}

/// The cases that have more than one row.
fn repeated(rows: &[Row]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    rows.iter()
        .map(|row| shown(&row.operation, &row.case))
        .filter(|case| !seen.insert(case.clone()))
        .collect()
}

#[test]
fn each_case_has_one_row() {
    assert_none(&repeated(units::documented()));
    let twice =
        units::parse("| `a` | | 1 | 0 | Get A# |\n| `a` | x | 1 | 0 | Get A# |\n| `a` | | 2 | 0 | Get A# |");
    assert_eq!(repeated(&twice), ["a"]);
}

#[test]
fn the_checks_find_undocumented_and_unmeasured_operations() {
    let source = |text: &str| [Source { path: String::new(), text: text.to_owned() }];
    let code = "    pub async fn a(&self) {}\n    pub async fn b<T>() {}\n    pub(crate) async fn c() {}\n    pub fn d() {}\n    pub async fn prime(&self) {}\n";
    assert_eq!(methods(&source(code)), BTreeSet::from(["a", "b"].map(str::to_owned)));
    let tests = "x.measure(\"a\", \"\", y); for case in [\"one\", \"two\"] { z(); w.measure(\"b\", case, v).await; }\nw\n.measure(\n\"c\", \"three, as it is\"[..5], v);";
    let found = measured(&source(tests));
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.contains("a") && found.contains("b, one") && found.contains("b, two"), "{found:?}");
}
