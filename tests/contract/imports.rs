//! Who uses whom.

use crate::assert_none;
use serde_json::{Value, json};
use std::process::Command;
use tests::project;

/// The rooms of the house, and which others each may use. A function may use all of them, and never a function.
const ROOMS: [(&str, &[&str]); 5] = [
    ("domain", &[]),
    ("table", &["domain"]),
    ("web", &["domain"]),
    ("payments", &["domain"]),
    ("runtime", &["domain", "payments", "table", "web"]),
];

/// What only one crate may depend on, by how its name begins; the first that fits holds.
const RESERVED: [(&str, &str); 5] = [
    ("aws-sdk-dynamodb", "table"),
    ("serde_dynamo", "table"),
    ("aws-sdk-", "runtime"),
    ("lambda_", "runtime"),
    ("dynoxide", TESTS),
];

/// What these crates know nothing of, by how its name begins.
const UNKNOWN: [(&str, &[&str]); 3] = [
    ("domain", &["aws", "futures", "getrandom", "http", "lambda", "tokio"]),
    ("payments", &["aws-sdk", "lambda"]),
    ("web", &["aws-credential", "aws-sdk", "aws-smithy", "aws-types", "lambda", "tokio"]),
];

/// The crate of the tests may use every room, and what is reserved to one.
const TESTS: &str = "tests";

/// Packages and their dependencies, as `cargo metadata` tells them.
fn forbidden(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let packages: Vec<(&str, &Value)> =
        packages.filter_map(|package| Some((package["name"].as_str()?, package))).collect();
    let ours: Vec<&str> = packages.iter().map(|(name, _)| *name).collect();
    let mut findings = Vec::new();
    for (name, package) in &packages {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            if ours.contains(&used) && !may_use(name, used) {
                findings.push(format!("{name} must not use {used}"));
            }
            let owner = RESERVED.iter().find(|(prefix, _)| used.starts_with(prefix));
            if let Some((_, owner)) = owner
                && owner != name
                && *name != TESTS
            {
                findings.push(format!("{name} must not use {used}, which is {owner}'s"));
            }
            let unknown =
                UNKNOWN.iter().find(|(room, _)| room == name).map_or(&[][..], |(_, unknown)| unknown);
            if unknown.iter().any(|prefix| used.starts_with(prefix)) {
                findings.push(format!("{name} must know nothing of {used}"));
            }
        }
    }
    findings
}

fn may_use(name: &str, used: &str) -> bool {
    let used_is_a_room = ROOMS.iter().any(|(room, _)| *room == used);
    match ROOMS.iter().find(|(room, _)| *room == name) {
        Some((_, allowed)) => allowed.contains(&used),
        None => used_is_a_room,
    }
}

#[test]
fn crates_use_only_what_they_may() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let words = ["metadata", "--no-deps", "--format-version", "1", "--offline", "--locked"];
    let output = Command::new(cargo).args(words).current_dir(project::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_none(&forbidden(&serde_json::from_slice(&output.stdout).unwrap()));
}

#[test]
fn what_must_not_be_used_is_found() {
    let package = |name: &str, uses: &[&str]| {
        let dependencies: Vec<Value> = uses.iter().map(|name| json!({"name": name})).collect();
        json!({"name": name, "dependencies": dependencies})
    };
    let right = json!({"packages": [
        package("domain", &["serde"]), package("table", &["domain", "aws-sdk-dynamodb"]),
        package("web", &["domain", "aws-lc-rs"]), package("runtime", &["table", "web", "payments", "lambda_http", "aws-sdk-sfn"]),
        package("payments", &["domain", "aws-smithy-http-client"]),
        package("order-sweep", &["runtime", "payments", "table"]),
        package("product-get", &["runtime", "web", "domain", "table"]), package("tests", &["table", "dynoxide-rs"]),
    ]});
    assert_none(&forbidden(&right));
    let wrong = json!({"packages": [
        package("domain", &["tokio", "table"]), package("table", &["web", "lambda_http"]),
        package("web", &["aws-types"]), package("runtime", &["aws-sdk-dynamodb"]),
        package("payments", &["table", "lambda_runtime"]),
        package("product-get", &["product-list", "aws-sdk-sfn"]), package("product-list", &["tests"]),
        package("tests", &[]),
    ]});
    let found = forbidden(&wrong);
    assert_eq!(found.len(), 12, "{found:#?}");
}
