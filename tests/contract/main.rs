//! The contract tier: facts that several files state, such as routes, agree in all of them.
//!
//! Each check is a function from texts to findings, so that a test can show that it detects faults.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod crawling;
mod dependencies;
mod events;
mod features;
mod functions;
mod growthbook;
mod imports;
mod machines;
mod manifests;
mod modules;
mod needs;
mod openapi;
mod routes;
mod security;
mod settings;
mod split;
mod tidy;
mod units;

use std::{collections::BTreeSet, fmt::Display};

/// Fails and lists all findings if there are any.
#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

/// The items that only one of the two sets has.
fn differences<T: Ord + Display>(
    (left_name, left): (&str, &BTreeSet<T>),
    (right_name, right): (&str, &BTreeSet<T>),
) -> Vec<String> {
    let only = |what: &T, here: &str, there: &str| format!("{what}: in {here}, not in {there}");
    let left_only = left.difference(right).map(|what| only(what, left_name, right_name));
    let right_only = right.difference(left).map(|what| only(what, right_name, left_name));
    left_only.chain(right_only).collect()
}

#[test]
fn differences_are_found_on_both_sides() {
    let (left, right) = (BTreeSet::from(["a", "b"]), BTreeSet::from(["b", "c"]));
    let found = differences(("left", &left), ("right", &right));
    assert_eq!(found, ["a: in left, not in right", "c: in right, not in left"]);
    assert!(differences(("left", &left), ("right", &left)).is_empty());
}
