//! Which crates may depend on which.

use crate::assert_none;
use serde_json::{Value, json};
use std::process::Command;
use tests::project;

/// The crates of `shared/`, and those of them that each may depend on. A function may depend on all of them, but not on
/// another function.
const ROOMS: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("statistics", &[]),
    ("table", &["domain"]),
    ("web", &["domain"]),
    ("analytics", &["domain", "statistics"]),
    ("cache", &["domain"]),
    ("crawl", &["domain"]),
    ("kafka", &[]),
    ("payments", &["domain"]),
    ("replay", &["domain"]),
    (
        "app",
        &[
            "analytics",
            "cache",
            "crawl",
            "domain",
            "kafka",
            "payments",
            "replay",
            "statistics",
            "table",
            "web",
        ],
    ),
    // Depends on `table` for stream records and capacity units; it has no client.
    ("runtime", &["domain", "table", "web"]),
];

/// Dependencies that only one crate may have, by the prefix of their names; the first matching prefix applies.
const RESERVED: [(&str, &str); 9] = [
    ("aws-sdk-dynamodbstreams", "replay"),
    ("aws-sdk-dynamodb", "table"),
    ("serde_dynamo", "table"),
    ("aws-sdk-", "app"),
    ("clickhouse", "analytics"),
    ("redis", "cache"),
    ("rskafka", "kafka"),
    ("lambda_", "runtime"),
    ("dynoxide", TESTS),
];

/// Dependencies that these crates must not have, by the prefix of their names.
const UNKNOWN: [(&str, &[&str]); 10] = [
    ("domain", &["aws", "futures", "getrandom", "http", "lambda", "tokio"]),
    ("statistics", &["aws", "futures", "getrandom", "http", "lambda", "tokio"]),
    ("analytics", &["aws", "lambda"]),
    ("cache", &["aws", "lambda"]),
    ("crawl", &["aws-sdk", "lambda"]),
    ("kafka", &["aws-sdk", "lambda"]),
    ("payments", &["aws-sdk", "lambda"]),
    ("replay", &["lambda", "tokio"]),
    ("runtime", &["aws"]),
    ("web", &["aws-credential", "aws-sdk", "aws-smithy", "aws-types", "lambda", "tokio"]),
];

/// The test crate may depend on every crate of `shared/` and on reserved dependencies.
const TESTS: &str = "tests";

/// The forbidden dependencies in the output of `cargo metadata`.
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

/// The packages of the workspace: the output of `cargo metadata`.
pub fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let words = ["metadata", "--no-deps", "--format-version", "1", "--offline", "--locked"];
    let output = Command::new(cargo).args(words).current_dir(project::root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

#[test]
fn crates_use_only_what_they_may() {
    assert_none(&forbidden(&metadata()));
}

#[test]
fn the_checks_find_forbidden_imports() {
    let package = |name: &str, uses: &[&str]| {
        let dependencies: Vec<Value> = uses.iter().map(|name| json!({"name": name})).collect();
        json!({"name": name, "dependencies": dependencies})
    };
    let right = json!({"packages": [
        package("domain", &["serde"]), package("table", &["domain", "aws-sdk-dynamodb"]),
        package("web", &["domain", "aws-lc-rs"]), package("app", &["table", "web", "payments", "cache", "aws-sdk-sfn"]), package("runtime", &["table", "web", "lambda_http"]),
        package("statistics", &["libm"]), package("payments", &["domain", "aws-smithy-http-client"]), package("crawl", &["domain", "url"]),
        package("cache", &["redis"]), package("kafka", &["rskafka"]), package("order-sweep", &["app", "runtime", "payments", "table"]),
        package("product-get", &["runtime", "web", "domain", "table"]), package("tests", &["table", "dynoxide-rs"]),
    ]});
    assert_none(&forbidden(&right));
    let wrong = json!({"packages": [
        package("domain", &["tokio", "table"]), package("table", &["web", "lambda_http"]),
        package("web", &["aws-types"]), package("runtime", &["aws-sdk-dynamodb", "app"]), package("app", &["runtime", "redis"]), package("cache", &[]), package("kafka", &["domain"]), package("crawl", &["table"]),
        package("payments", &["table", "lambda_runtime"]), package("statistics", &["domain", "getrandom"]),
        package("product-get", &["product-list", "aws-sdk-sfn"]), package("product-list", &["tests"]),
        package("tests", &[]),
    ]});
    let found = forbidden(&wrong);
    assert_eq!(found.len(), 20, "{found:#?}");
}
