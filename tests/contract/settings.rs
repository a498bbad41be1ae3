//! A function's environment has the settings that its clients read, and no others.

use crate::{
    assert_none, differences,
    needs::{Manifest, manifests},
};
use app::catalog::CLIENTS;
use std::collections::BTreeSet;
use tests::{project, template::Template};

/// The settings that every function gets from the template's `Globals`.
const COMMON: [&str; 1] = ["METRICS_NAMESPACE"];

fn given_to(properties: &serde_json::Value) -> BTreeSet<String> {
    let variables = properties["Environment"]["Variables"].as_object();
    variables.into_iter().flat_map(|variables| variables.keys().cloned()).collect()
}

/// The settings that a function reads but does not get, or gets but does not read.
fn differences_of(name: &str, manifest: &Manifest, given: &BTreeSet<String>) -> Vec<String> {
    let clients = format!("the clients of {name}");
    differences((&clients, &manifest.settings()), ("its environment in template.yaml", given))
}

#[test]
fn each_function_has_the_settings_that_it_reads() {
    let (functions, manifests) = (Template::ours().functions(), manifests());
    let mut findings = Vec::new();
    for function in functions {
        let Some((_, manifest)) = manifests.iter().find(|(name, _)| *name == function.name) else { continue };
        findings.extend(differences_of(&function.name, manifest, &given_to(&function.properties)));
    }
    assert_none(&findings);
    assert_eq!(given_to(Template::ours().at("/Globals/Function")), COMMON.map(str::to_owned).into());
}

/// The functions that tests/bench builds.
fn benchmarked(script: &str) -> Vec<&str> {
    let names = script.lines().find_map(|line| line.strip_prefix("functions=(")?.strip_suffix(')'));
    names.into_iter().flat_map(str::split_whitespace).collect()
}

/// The settings of these functions that the benchmark's sources do not name. The cache is given to some operations only, and
/// without the settings of MSK and TLS the brokers are reached without both.
fn missing_in_benchmark(functions: &[&str], sources: &str) -> Vec<String> {
    let optional = ["CACHE_URL", "KAFKA_CLUSTER_ARN", "KAFKA_TLS"];
    let read = manifests().iter().filter(|(name, _)| functions.contains(&name.as_str()));
    let read = read.flat_map(|(name, manifest)| {
        manifest.settings().into_iter().map(move |setting| (name.clone(), setting))
    });
    let missing = read.filter(|(_, setting)| {
        !optional.contains(&setting.as_str()) && !sources.contains(&format!("\"{setting}\""))
    });
    missing.map(|(name, setting)| format!("the benchmark of {name} has no {setting}")).collect()
}

#[test]
fn the_benchmark_has_the_settings_of_its_functions() {
    let script = project::read("tests/bench");
    let sources = ["lambda.rs", "services.rs"].map(|name| project::read(format!("tests/benchmark/{name}")));
    assert_none(&missing_in_benchmark(&benchmarked(&script), &sources.concat()));
    let found = missing_in_benchmark(
        &benchmarked("#\nfunctions=(product-get order-get)\n"),
        "\"VISITOR_SECRET_ARN\"",
    );
    let expected =
        ["order-get", "product-get"].map(|name| format!("the benchmark of {name} has no TABLE_NAME"));
    assert_eq!(found, expected);
}

#[test]
fn a_setting_too_many_or_too_few_is_found() {
    let manifest = Manifest { clients: ["Cache", "Table"].map(str::to_owned).into(), ..Manifest::default() };
    let given = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_none(&differences_of("a", &manifest, &given(&["CACHE_URL", "TABLE_NAME"])));
    assert_eq!(differences_of("a", &manifest, &given(&["TABLE_NAME", "SWEEP_AFTER_SECONDS"])).len(), 2);
    assert!(CLIENTS.is_sorted_by_key(|(name, _)| *name), "the catalog is sorted");
}
