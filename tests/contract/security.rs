//! Each row of docs/security.md names tests that exist.

use crate::assert_none;
use tests::project;

const DOCUMENT: &str = "docs/security.md";

/// The texts between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A test's name follows the file that it is in, as in `` `tests/a.rs`: `first`, `second` ``.
fn findings(row: &str, read: impl Fn(&str) -> String) -> Vec<String> {
    let Some(cell) = row.trim_end_matches('|').rsplit('|').next() else { return Vec::new() };
    let (mut findings, mut tests, mut path, mut text) = (Vec::new(), 0, "", String::new());
    for name in quoted(cell) {
        if name.contains('/') {
            path = name;
            text = read(path);
            continue;
        }
        tests += 1;
        if !["fn", "def"].iter().any(|keyword| text.contains(&format!("{keyword} {name}("))) {
            findings.push(format!("{path} has no test {name}"));
        }
    }
    if tests == 0 {
        findings.push(format!("a row names no test: {row}"));
    }
    findings
}

/// The rows of tables without their heads.
fn rows(document: &str) -> Vec<&str> {
    let row = |line: &&str| line.starts_with('|');
    let heads = document.lines().zip(document.lines().skip(1)).filter(|(_, next)| next.starts_with("|---"));
    let heads: Vec<&str> = heads.map(|(head, _)| head).collect();
    let is_head = |line: &&str| line.starts_with("|---") || heads.contains(line);
    document.lines().filter(row).filter(|line| !is_head(line)).collect()
}

#[test]
fn each_checked_item_names_tests_that_exist() {
    let document = project::read(DOCUMENT);
    let rows = rows(&document);
    assert!(rows.len() > 4, "{rows:?}");
    assert_none(
        &rows.into_iter().flat_map(|row| findings(row, |path| project::read(path))).collect::<Vec<_>>(),
    );
}

#[test]
fn rows_without_existing_tests_are_found() {
    let document =
        "| item | tests |\n|---|---|\n| A | `t/a.rs`: `good`, `gone`; `t/b.py`: `other` |\n| B | none |\n";
    let read = |path: &str| if path == "t/a.rs" { "fn good() {}" } else { "def other(self):" }.to_owned();
    let found: Vec<String> = rows(document).into_iter().flat_map(|row| findings(row, read)).collect();
    assert_eq!(found, ["t/a.rs has no test gone", "a row names no test: | B | none |"]);
}
