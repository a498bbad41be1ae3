//! A function's role allows what the function sends to the table, and nothing else.
//!
//! What a function sends follows from the access patterns that it calls and from what docs/units.md says of them,
//! which the table tier has measured.

use crate::{assert_none, differences};
use serde_json::Value;
use std::collections::BTreeSet;
use tests::{
    project,
    template::{Function, Template},
    units::{self, Row},
};

/// The access patterns that methods of `App` use by themselves.
const CALLS: [(&str, &str); 5] = [
    ("app.admit(", "spend"),
    ("app.access_token(", "publish_signing_key"),
    ("app.capture_payment(", "settle_paid"),
    ("app.verify(", "signing_keys"),
    ("app.void_payment(", "close_payment"),
];

/// What Lambda needs to read the table's stream for a function, with the function's own role.
const READ_STREAM: [&str; 4] =
    ["DescribeStream stream *", "GetRecords stream *", "GetShardIterator stream *", "ListStreams stream *"];

/// The access patterns that a function's code uses.
fn used_by(text: &str) -> BTreeSet<String> {
    let direct = text.split("app.table.").skip(1).filter_map(|rest| rest.split('(').next());
    let called = CALLS.iter().filter(|(call, _)| text.contains(call)).map(|(_, operation)| *operation);
    direct.chain(called).map(str::to_owned).collect()
}

/// What IAM has to allow for the requests of a row: action, table or index, leading key.
fn needed_for(requests: &str) -> BTreeSet<String> {
    requests.split(", then ").flat_map(|request| needed_for_one(without_count(request))).collect()
}

fn needed_for_one(request: &str) -> Vec<String> {
    let (operation, rest) = request.split_once(' ').unwrap_or((request, ""));
    let grouped = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let parts = grouped.into_iter().flat_map(|parts| parts.split(", ")).map(without_count);
    match operation {
        // A transaction needs what its writes would need alone.
        "TransactWriteItems" => parts
            .map(|part| {
                let (write, leading) = part.split_once(' ').unwrap_or((part, ""));
                format!("{write}Item table {leading}")
            })
            .collect(),
        "BatchGetItem" | "BatchWriteItem" => parts
            .map(|part| format!("{operation} table {}", part.rsplit(' ').next().unwrap_or_default()))
            .collect(),
        _ => match rest.split_once(' ') {
            Some((index, leading)) => vec![format!("{operation} {index} {leading}")],
            None => vec![format!("{operation} table {rest}")],
        },
    }
}

fn without_count(text: &str) -> &str {
    match text.split_once(" × ") {
        Some((count, rest)) if count.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => text,
    }
}

/// What the roles of a function allow on the table.
fn allowed_to(function: &Function, template: &Template) -> BTreeSet<String> {
    let role =
        function.properties["Role"]["Fn::GetAtt"].as_str().unwrap_or_default().trim_end_matches(".Arn");
    let policies = template.at(&format!("/Resources/{role}/Properties/Policies")).as_array();
    let statements =
        policies.into_iter().flatten().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
    statements.flat_map(allowed_by).collect()
}

fn allowed_by(statement: &Value) -> Vec<String> {
    let mut allowed = Vec::new();
    let leading = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    for action in list(&statement["Action"]).filter_map(Value::as_str) {
        let Some(operation) = action.strip_prefix("dynamodb:") else { continue };
        for resource in list(&statement["Resource"]).map(target) {
            // Without a condition, every key is allowed.
            let keys: Vec<&str> = list(leading).filter_map(Value::as_str).collect();
            for key in if keys.is_empty() { vec!["*"] } else { keys } {
                let key = key.strip_suffix('*').filter(|key| !key.is_empty()).unwrap_or(key);
                allowed.push(format!("{operation} {resource} {key}"));
            }
        }
    }
    allowed
}

/// The table, its stream, or the name of an index.
fn target(resource: &Value) -> String {
    match resource["Fn::GetAtt"].as_str() {
        Some("Table.Arn") => return "table".to_owned(),
        Some("Table.StreamArn") => return "stream".to_owned(),
        _ => {}
    }
    let index = resource["Fn::Sub"].as_str().and_then(|text| text.strip_prefix("${Table.Arn}/index/"));
    index.map_or_else(|| resource.to_string(), str::to_owned)
}

/// One value, or a list of them, as CloudFormation has it.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let one = (!value.is_array() && !value.is_null()).then_some(value);
    value.as_array().into_iter().flatten().chain(one)
}

/// What Lambda does in a function's name, before it calls the function.
fn needed_to_wake(function: &Function) -> BTreeSet<String> {
    let mut events = function.properties["Events"].as_object().into_iter().flat_map(serde_json::Map::values);
    let reads = events.any(|event| event["Type"] == "DynamoDB");
    READ_STREAM.iter().filter(|_| reads).map(|action| (*action).to_owned()).collect()
}

fn needed_by(text: &str, rows: &[Row]) -> BTreeSet<String> {
    let used = used_by(text);
    let rows = rows.iter().filter(|row| used.contains(&row.operation));
    rows.flat_map(|row| needed_for(&row.measured.requests)).collect()
}

#[test]
fn each_function_may_do_what_it_does_and_nothing_else() {
    let template = Template::ours();
    let mut findings = Vec::new();
    for function in template.functions() {
        let Some(text) = project::function(&function.name) else { continue };
        let mut needed = needed_by(&text, units::documented());
        needed.extend(needed_to_wake(&function));
        let allowed = allowed_to(&function, &template);
        let code = format!("what {} does", function.name);
        findings.extend(differences((&code, &needed), ("what its role allows", &allowed)));
    }
    assert_none(&findings);
}

#[test]
fn needs_follow_from_requests() {
    let needed = |requests| needed_for(requests).into_iter().collect::<Vec<_>>();
    assert_eq!(needed("2 × GetItem USER#"), ["GetItem table USER#"]);
    assert_eq!(needed("Query SIGNING"), ["Query table SIGNING"]);
    assert_eq!(
        needed("Query gsi1 PRODUCT#, then 4 × BatchWriteItem (25 × Delete PRODUCT#)"),
        ["BatchWriteItem table PRODUCT#", "Query gsi1 PRODUCT#"]
    );
    assert_eq!(
        needed("TransactWriteItems (2 × Put PRODUCT#, Delete USER#)"),
        ["DeleteItem table USER#", "PutItem table PRODUCT#"]
    );
    assert_eq!(needed("BatchGetItem (40 × PRODUCT#)"), ["BatchGetItem table PRODUCT#"]);
}

#[test]
fn too_much_and_too_little_is_found() {
    let template = Template::parse(
        "Resources:
  AFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: target/lambda/a/, Role: !GetAtt ARole.Arn, Events: {Changes: {Type: DynamoDB}}}
  ARole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - Action: [dynamodb:GetItem, dynamodb:PutItem]
                Resource: !GetAtt Table.Arn
                Condition: {'ForAllValues:StringLike': {'dynamodb:LeadingKeys': ['USER#*', SIGNING]}}
              - {Action: dynamodb:Query, Resource: !Sub '${Table.Arn}/index/gsi1'}
              - {Action: dynamodb:GetRecords, Resource: !GetAtt Table.StreamArn}
              - {Action: logs:PutLogEvents, Resource: '*'}
",
    );
    let allowed = allowed_to(&template.functions()[0], &template);
    let expected = [
        "GetItem table SIGNING",
        "GetItem table USER#",
        "GetRecords stream *",
        "PutItem table SIGNING",
        "PutItem table USER#",
        "Query gsi1 *",
    ];
    assert_eq!(allowed, expected.map(str::to_owned).into());
    assert_eq!(needed_to_wake(&template.functions()[0]), READ_STREAM.map(str::to_owned).into());
    let rows =
        units::parse("| `user` | | 1 | 0 | GetItem USER# |\n| `spend` | | 0 | 1 | UpdateItem LIMIT# |\n");
    let needed = needed_by("app.admit(x); app.table.user(id).await", &rows);
    assert_eq!(needed, ["GetItem table USER#", "UpdateItem table LIMIT#"].map(str::to_owned).into());
    assert_eq!(differences(("needed", &needed), ("allowed", &allowed)).len(), 6);
}
