//! A function's role allows the requests that the function sends to the table, and no others.
//!
//! The requests of a function follow from the access patterns in its manifest and their rows in docs/units.md, which
//! the table tier measures.

use crate::{assert_none, differences, needs::manifests};
use serde_json::Value;
use std::collections::BTreeSet;
use tests::{
    template::{Function, Template},
    units::{self, Row},
};

/// The permissions that Lambda needs to read the table's stream with the function's role.
const READ_STREAM: [&str; 4] =
    ["DescribeStream stream *", "GetRecords stream *", "GetShardIterator stream *", "ListStreams stream *"];

/// The permissions that the requests of a row need: action, table or index, leading key.
fn needed_for(requests: &str) -> BTreeSet<String> {
    requests.split(", then ").flat_map(|request| needed_for_one(without_count(request))).collect()
}

fn needed_for_one(request: &str) -> Vec<String> {
    let (operation, rest) = request.split_once(' ').unwrap_or((request, ""));
    let grouped = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let parts = grouped.into_iter().flat_map(|parts| parts.split(", ")).map(without_count);
    match operation {
        // A transaction needs the permissions of each of its writes.
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

/// The permissions of a function's role on the table, its stream and its indexes.
fn allowed_to(function: &Function, template: &Template) -> BTreeSet<String> {
    statements_of(function, template).flat_map(allowed_by).collect()
}

/// The statements of a function's role.
fn statements_of<'a>(function: &Function, template: &'a Template) -> impl Iterator<Item = &'a Value> {
    let role =
        function.properties["Role"]["Fn::GetAtt"].as_str().unwrap_or_default().trim_end_matches(".Arn");
    let role = template.at(&format!("/Resources/{role}/Properties"));
    let own = list(&role["Policies"]).map(|policy| &policy["PolicyDocument"]);
    let managed = references(&role["ManagedPolicyArns"]);
    let managed = managed.map(|name| template.at(&format!("/Resources/{name}/Properties/PolicyDocument")));
    own.chain(managed).flat_map(|document| list(&document["Statement"]))
}

/// The template's managed policies that a role refers to, in either branch of an `Fn::If` too.
fn references(policies: &Value) -> impl Iterator<Item = &str> {
    list(policies).flat_map(branches).filter_map(|policy| policy["Ref"].as_str())
}

fn branches(policy: &Value) -> Vec<&Value> {
    policy["Fn::If"].as_array().map_or_else(|| vec![policy], |branches| branches.iter().collect())
}

fn allowed_by(statement: &Value) -> Vec<String> {
    let mut allowed = Vec::new();
    let condition = &statement["Condition"];
    let leading = &condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    // ForAllValues is also true for a request without leading keys; the Null condition refuses such a request.
    let held = condition["Null"]["dynamodb:LeadingKeys"] == "false";
    for action in list(&statement["Action"]).filter_map(Value::as_str) {
        let Some(operation) = action.strip_prefix("dynamodb:") else { continue };
        for resource in list(&statement["Resource"]).map(target) {
            // Without both conditions, every key is allowed.
            let keys: Vec<&str> = list(leading).filter_map(Value::as_str).filter(|_| held).collect();
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

/// The values of a property that may be one value or a list.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let one = (!value.is_array() && !value.is_null()).then_some(value);
    value.as_array().into_iter().flatten().chain(one)
}

/// The permissions that Lambda uses with the function's role, before it invokes the function, and those with which a
/// function reads the stream itself to give it to another.
fn needed_to_wake(function: &Function) -> BTreeSet<String> {
    let mut events = function.properties["Events"].as_object().into_iter().flat_map(serde_json::Map::values);
    let reads = events.any(|event| event["Type"] == "DynamoDB");
    let replays = function.properties["Environment"]["Variables"]["EVENT_INGEST_FUNCTION"].is_object();
    let is_needed = |action: &&&str| reads || (replays && !action.starts_with("ListStreams"));
    READ_STREAM.iter().filter(is_needed).map(|action| (*action).to_owned()).collect()
}

/// The secrets that a function's environment names, and those that its role allows it to read or replace.
fn secrets(function: &Function, template: &Template) -> [BTreeSet<String>; 2] {
    let variables = function.properties["Environment"]["Variables"].as_object().into_iter().flatten();
    let named = variables.filter(|(name, _)| name.ends_with("_SECRET_ARN"));
    let named = named.map(|(_, value)| value["Ref"].as_str().unwrap_or_default().to_owned()).collect();
    let usable = statements_of(function, template)
        .filter(|statement| {
            let mut actions = list(&statement["Action"]).filter_map(Value::as_str);
            actions.any(|action| action.starts_with("secretsmanager:"))
        })
        .flat_map(|statement| list(&statement["Resource"]))
        .map(|resource| resource["Ref"].as_str().map_or_else(|| resource.to_string(), str::to_owned))
        .collect();
    [named, usable]
}

fn needed_by(operations: &BTreeSet<String>, rows: &[Row]) -> BTreeSet<String> {
    let rows = rows.iter().filter(|row| operations.contains(&row.operation));
    rows.flat_map(|row| needed_for(&row.measured.requests)).collect()
}

#[test]
fn each_function_may_do_what_it_does_and_nothing_else() {
    let (template, manifests) = (Template::ours(), manifests());
    let mut findings = Vec::new();
    for function in template.functions() {
        let Some((_, manifest)) = manifests.iter().find(|(name, _)| *name == function.name) else { continue };
        let mut needed = needed_by(&manifest.all_operations(), units::documented());
        needed.extend(needed_to_wake(&function));
        let allowed = allowed_to(&function, &template);
        let code = format!("what {} does", function.name);
        findings.extend(differences((&code, &needed), ("what its role allows", &allowed)));
    }
    assert_none(&findings);
}

#[test]
fn each_function_may_use_its_secrets_and_no_others() {
    let template = Template::ours();
    let mut findings = Vec::new();
    for function in template.functions() {
        let [named, usable] = secrets(&function, &template);
        let environment = format!("the environment of {}", function.name);
        findings.extend(differences((&environment, &named), ("the secrets of its role", &usable)));
    }
    assert_none(&findings);
}

#[test]
fn missing_and_superfluous_secrets_are_found() {
    let template = Template::parse(
        "Resources:
  AFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: target/lambda/a/
      Role: !GetAtt ARole.Arn
      Environment: {Variables: {A_SECRET_ARN: !Ref A, B_SECRET_ARN: !Ref B, TABLE_NAME: !Ref Table}}
  ARole:
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - {Action: secretsmanager:GetSecretValue, Resource: [!Ref A, !Ref C, '*']}
",
    );
    let [named, usable] = secrets(&template.functions()[0], &template);
    let found = differences(("named", &named), ("usable", &usable));
    assert_eq!(found.len(), 3, "{found:?}");
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
fn missing_and_superfluous_access_is_found() {
    let template = Template::parse(
        "Resources:
  AFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: target/lambda/a/, Role: !GetAtt ARole.Arn, Events: {Changes: {Type: DynamoDB}}}
  ARole:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: [!Ref Base, !If [InVpc, !Ref Network, !Ref AWS::NoValue]]
      Policies:
        - PolicyDocument:
            Statement:
              - Action: [dynamodb:GetItem, dynamodb:PutItem]
                Resource: !GetAtt Table.Arn
                Condition: {'Null': {'dynamodb:LeadingKeys': 'false'}, 'ForAllValues:StringLike': {'dynamodb:LeadingKeys': ['USER#*', SIGNING]}}
              - Action: dynamodb:DeleteItem
                Resource: !GetAtt Table.Arn
                Condition: {'ForAllValues:StringLike': {'dynamodb:LeadingKeys': ['USER#*']}}
              - {Action: dynamodb:Query, Resource: !Sub '${Table.Arn}/index/gsi1'}
              - {Action: dynamodb:GetRecords, Resource: !GetAtt Table.StreamArn}
              - {Action: logs:PutLogEvents, Resource: '*'}
  Base: {Properties: {PolicyDocument: {Statement: [{Action: dynamodb:Scan, Resource: !GetAtt Table.Arn}]}}}
  Network: {Properties: {PolicyDocument: {Statement: {Action: dynamodb:UpdateItem, Resource: !GetAtt Table.Arn}}}}
",
    );
    let allowed = allowed_to(&template.functions()[0], &template);
    let expected = [
        "DeleteItem table *",
        "GetItem table SIGNING",
        "GetItem table USER#",
        "GetRecords stream *",
        "PutItem table SIGNING",
        "PutItem table USER#",
        "Query gsi1 *",
        "Scan table *",
        "UpdateItem table *",
    ];
    assert_eq!(allowed, expected.map(str::to_owned).into());
    assert_eq!(needed_to_wake(&template.functions()[0]), READ_STREAM.map(str::to_owned).into());
    let rows =
        units::parse("| `user` | | 1 | 0 | GetItem USER# |\n| `spend` | | 0 | 1 | UpdateItem LIMIT# |\n");
    let needed = needed_by(&["spend", "user"].map(str::to_owned).into(), &rows);
    assert_eq!(needed, ["GetItem table USER#", "UpdateItem table LIMIT#"].map(str::to_owned).into());
    assert_eq!(differences(("needed", &needed), ("allowed", &allowed)).len(), 9);
}
