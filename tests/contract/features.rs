//! The tests use each dependency with the features that the functions use. Cargo compiles a package once for each set of
//! features, and with it all that depends on it: one development dependency that adds a feature to tokio has the AWS SDK
//! and all functions compiled twice.

use crate::assert_none;
use std::{collections::BTreeSet, process::Command};
use tests::project;

/// Packages with their features, as lines of `cargo tree`. A package may be there twice: build scripts and macros have
/// features of their own.
fn packages(tree: &str) -> BTreeSet<&str> {
    tree.lines().map(|line| line.trim_end_matches(" (*)")).collect()
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn tree(edges: &str) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args([
        "tree",
        "--locked",
        "--workspace",
        "--prefix",
        "none",
        "--format",
        "{p} | {f}",
        "--edges",
        edges,
    ]);
    let output = command.current_dir(project::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the functions use and the tests have only with other features.
fn compiled_twice(functions: &str, tests: &str) -> Vec<String> {
    packages(functions).difference(&packages(tests)).map(ToString::to_string).collect()
}

#[test]
fn tests_add_no_feature_to_what_functions_use() {
    let functions = tree("normal,build");
    assert!(packages(&functions).iter().any(|package| package.starts_with("aws-sdk-dynamodb ")));
    assert_none(&compiled_twice(&functions, &tree("normal,build,dev")));
}

#[test]
fn a_feature_that_tests_add_is_found() {
    let functions = "tokio v1.0.0 net,time\nhttp v1.0.0 std\nhttp v1.0.0 std (*)\nsyn v2.0.0 full\n";
    let tests = "http v1.0.0 std\ntokio v1.0.0 net,test-util,time\nsyn v2.0.0 full\nsyn v2.0.0 full,visit\nureq v3.0.0 \n";
    assert_none(&compiled_twice(functions, functions));
    assert_eq!(compiled_twice(functions, tests), ["tokio v1.0.0 net,time"]);
}
