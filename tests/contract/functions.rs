//! Every directory of `functions/` is a function of the template, and every function of the template is a directory. A house
//! rule of `tests/lint` checks their order.

use crate::assert_none;
use std::collections::HashSet;
use tests::{
    project,
    template::{Function, Template},
};

/// Checks that both lists name the same functions.
fn differences_of(directories: &[String], functions: &[Function]) -> Vec<String> {
    let mut findings = Vec::new();
    let names: Vec<&String> = functions.iter().map(|function| &function.name).collect();
    for function in functions {
        if function.name.is_empty() {
            findings.push(format!("{}: CodeUri is not target/lambda/<crate>/", function.id));
        } else if !directories.contains(&function.name) {
            findings.push(format!("{}: there is no functions/{}", function.id, function.name));
        } else if function.id != logical_id(&function.name) {
            findings.push(format!("{}: should be {}", function.id, logical_id(&function.name)));
        }
    }
    for directory in directories {
        if !names.contains(&directory) {
            findings.push(format!("functions/{directory}: the template has no such function"));
        }
    }
    let mut seen = HashSet::new();
    for name in &names {
        if !seen.insert(*name) {
            findings.push(format!("{name}: two functions of the template have this code"));
        }
    }
    findings
}

/// The logical id of a function: `product-create` becomes `ProductCreateFunction`.
fn logical_id(name: &str) -> String {
    let mut id = String::new();
    for word in name.split('-') {
        let (first, rest) = word.split_at(word.len().min(1));
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    id + "Function"
}

#[test]
fn each_function_is_a_directory_and_a_resource() {
    assert_none(&differences_of(&project::directories("functions"), &Template::ours().functions()));
}

#[test]
fn the_checks_find_missing_and_misnamed_functions() {
    let function = |id: &str, name: &str| Function {
        id: id.to_owned(),
        name: name.to_owned(),
        properties: serde_json::Value::Null,
    };
    let directories = ["a-get", "b-get"].map(str::to_owned);
    let right = [function("AGetFunction", "a-get"), function("BGetFunction", "b-get")];
    assert_none(&differences_of(&directories, &right));
    let [a, b] = right;
    assert_eq!(differences_of(&directories, std::slice::from_ref(&a)).len(), 1);
    assert_eq!(differences_of(&directories, &[a.clone(), a.clone(), b.clone()]).len(), 1);
    assert_eq!(differences_of(&directories, &[a.clone(), b.clone(), function("X", "x")]).len(), 1);
    assert_eq!(differences_of(&directories, &[a.clone(), b.clone(), function("X", "")]).len(), 1);
    assert_eq!(differences_of(&directories, &[a, function("Other", "b-get")]).len(), 1);
}
