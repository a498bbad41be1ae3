//! What functions may reach that ask for addresses which strangers choose.

use crate::{assert_none, needs::manifests};
use serde_json::Value;
use tests::template::{Function, Template};

/// What is wrong with the networks and rights of a function that crawls. Its role is given as it is in the template.
fn findings(function: &Function, role: &Value) -> Vec<String> {
    let name = &function.name;
    let mut findings = Vec::new();
    if !function.properties["VpcConfig"].is_null() {
        findings.push(format!("{name} is in a VPC"));
    }
    let policies = role["Policies"].as_array().into_iter().flatten();
    let statements = policies.filter_map(|policy| policy["PolicyDocument"]["Statement"].as_array());
    for statement in statements.flatten() {
        let actions = match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        };
        for action in actions.iter().filter_map(Value::as_str) {
            if !["dynamodb:", "sqs:"].iter().any(|service| action.starts_with(service)) {
                findings.push(format!("{name} may {action}"));
            }
            let condition = statement["Condition"].to_string();
            if action.starts_with("dynamodb:") && !condition.contains("dynamodb:LeadingKeys") {
                findings.push(format!("{name} may {action} for any item"));
            }
        }
    }
    findings
}

#[test]
fn functions_that_crawl_reach_the_internet_and_their_own_items_and_queues_alone() {
    let (template, manifests) = (Template::ours(), manifests());
    let (mut found, mut crawlers) = (Vec::new(), 0);
    for function in template.functions() {
        let crawls = manifests
            .iter()
            .any(|(name, manifest)| *name == function.name && manifest.settings().contains("CRAWL_ALLOW"));
        if crawls {
            crawlers += 1;
            let role = function.id.replace("Function", "Role");
            found.extend(findings(&function, template.at(&format!("/Resources/{role}/Properties"))));
        }
    }
    assert_none(&found);
    assert!(crawlers >= 5, "{crawlers}");
}

#[test]
fn nothing_but_public_addresses_is_crawled_by_default() {
    let template = Template::ours();
    assert_eq!(template.at("/Parameters/CrawlAllow/Default"), "");
    assert_eq!(template.at("/Parameters/CrawlAllow/Type"), "String");
}

#[test]
fn a_function_that_reaches_more_is_found() {
    let template = Template::parse(
        "Resources:
  AFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: target/lambda/a/, VpcConfig: {SubnetIds: []}}
  ARole:
    Properties:
      Policies:
        - PolicyDocument: {Statement: [{Action: dynamodb:GetItem}, {Action: ['sqs:SendMessage', 'ses:SendEmail']}]}
",
    );
    let function = &template.functions()[0];
    let found = findings(function, template.at("/Resources/ARole/Properties"));
    assert_eq!(found, ["a is in a VPC", "a may dynamodb:GetItem for any item", "a may ses:SendEmail"]);
}
