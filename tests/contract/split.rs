//! The items of one partition key are never divided among partitions, on whose shards their changes would come out of
//! order: the table has a local secondary index. No item has its sort key, so that it is empty.

use crate::assert_none;
use tests::{
    project::{self, Source},
    template::Template,
};

/// A table without a local index, and lines of shipped code that name a local index's sort key.
fn divided(template: &Template, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for (id, table) in template.resources("AWS::DynamoDB::Table") {
        let indexes: Vec<_> = table["LocalSecondaryIndexes"].as_array().into_iter().flatten().collect();
        if indexes.is_empty() {
            findings.push(format!("{id} has no local index"));
        }
        for name in indexes.iter().filter_map(|index| index["KeySchema"][1]["AttributeName"].as_str()) {
            let writes = |source: &&Source| source.is("rs") && source.text.contains(name);
            let found = sources.iter().filter(writes);
            findings.extend(found.map(|source| format!("{}: may write {name}", source.path)));
        }
    }
    findings
}

#[test]
fn an_empty_local_index_keeps_the_items_of_a_key_together() {
    let sources = [project::sources("functions"), project::sources("shared")].concat();
    assert_none(&divided(&Template::ours(), &sources));
}

#[test]
fn a_missing_and_a_written_local_index_are_found() {
    let table = "Resources: {A: {Type: AWS::DynamoDB::Table, Properties: ";
    let none = Template::parse(&format!("{table}{{}}}}}}"));
    assert_eq!(divided(&none, &[]), ["A has no local index"]);
    let keys = "[{AttributeName: pk}, {AttributeName: unused}]";
    let index = Template::parse(&format!("{table}{{LocalSecondaryIndexes: [{{KeySchema: {keys}}}]}}}}}}"));
    assert_none(&divided(&index, &[]));
    let written = Source { path: "a.rs".to_owned(), text: "item.insert(\"unused\")".to_owned() };
    assert_eq!(divided(&index, &[written]), ["a.rs: may write unused"]);
}
