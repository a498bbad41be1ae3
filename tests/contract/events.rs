//! The trigger of a function is named by line 1 of its code, and `events/` has a valid sample event of each kind.

use crate::{assert_none, differences};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    Version,
    event_record::EventRecord,
    id::{ProductId, SessionId, UserId},
    mail::QueuedMail,
};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use table::{Changed, StreamRecord};
use tests::{
    project::{self, Source},
    template::Template,
};

/// The trigger of each function in the template. A function without a trigger is invoked by hand.
fn of_template(template: &Template) -> BTreeSet<String> {
    let called = |kind: &str| template.resources(kind).map(|(_, it)| it.to_string()).collect::<String>();
    let (machines, apis) = (called("AWS::Serverless::StateMachine"), called("AWS::Serverless::HttpApi"));
    let topics = called("AWS::Lambda::EventSourceMapping");
    let mut kinds = BTreeSet::new();
    for function in template.functions() {
        let arn = json!({"Fn::GetAtt": format!("{}.Arn", function.id)}).to_string();
        let events = function.properties["Events"].as_object().into_iter().flat_map(serde_json::Map::values);
        let mut found: BTreeSet<&str> = events
            .map(|event| match event["Type"].as_str() {
                Some("HttpApi") => "a route",
                Some("DynamoDB") => "the table's stream",
                Some("SQS") => "a queue",
                Some("Schedule" | "ScheduleV2") => "a schedule",
                _ => "something unknown",
            })
            .collect();
        found.extend(machines.contains(&arn).then_some("a state machine"));
        found.extend(apis.contains(&arn).then_some("the gateway"));
        found.extend(topics.contains(&json!({"Ref": function.id}).to_string()).then_some("a topic"));
        if found.is_empty() {
            found.insert("a hand");
        }
        kinds.extend(found.into_iter().map(|kind| format!("{}: woken by {kind}", function.name)));
    }
    kinds
}

/// The trigger of each function that line 1 of its code names.
fn of_code(sources: &[Source]) -> BTreeSet<String> {
    const LINES: [(&str, &str); 8] = [
        ("//! `", "a route"),
        ("//! On a schedule: ", "a schedule"),
        ("//! Table stream: ", "the table's stream"),
        ("//! Kafka topic: ", "a topic"),
        ("//! Queue of ", "a queue"),
        ("//! Step of ", "a state machine"),
        ("//! Authorizer of the gateway: ", "the gateway"),
        ("//! Invoked by hand: ", "a hand"),
    ];
    let mains = sources.iter().filter(|source| source.path.ends_with("/src/main.rs"));
    mains
        .map(|source| {
            let name = source.path.split('/').nth(1).unwrap_or_default();
            let line = source.text.lines().next().unwrap_or_default();
            let kind = LINES.iter().find(|(begin, _)| line.starts_with(begin)).map(|(_, kind)| *kind);
            format!("{name}: woken by {}", kind.unwrap_or("something unknown"))
        })
        .collect()
}

/// The errors of a sample event.
type Faults = Vec<String>;

/// Parses a JSON text into the type that a function reads.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, Faults> {
    serde_json::from_str(text).map_err(|error| vec![error.to_string()])
}

/// One fault for each claim that is false.
fn broken(claims: &[(&str, bool)]) -> Faults {
    claims.iter().filter(|(_, holds)| !holds).map(|(claim, _)| format!("{claim} is wrong")).collect()
}

/// Whether a route of the template is public; `None` if the template has no such route.
fn is_public(template: &Template, key: &str) -> Option<bool> {
    let functions = template.functions();
    let events = functions.iter().filter_map(|function| function.properties["Events"].as_object());
    let mut routes = events.flat_map(serde_json::Map::values).map(|event| &event["Properties"]);
    let route = routes.find(|route| {
        format!(
            "{} {}",
            route["Method"].as_str().unwrap_or_default(),
            route["Path"].as_str().unwrap_or_default()
        ) == key
    })?;
    Some(route["Auth"]["Authorizer"] == "NONE")
}

/// The path of a request: the route with its parameters filled in.
fn path_of(route: &str, parameters: &Value) -> String {
    let filled = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => parameters[name].as_str().unwrap_or_default().to_owned(),
        None => part.to_owned(),
    };
    route.split('/').map(filled).collect::<Vec<_>>().join("/")
}

/// Checks a request event of the gateway: its route exists, its members agree, and it has a caller if the route needs a
/// token.
fn http(text: &str, template: &Template) -> Result<(), Faults> {
    let event: ApiGatewayV2httpRequest = read(text)?;
    let written: Value = read(text)?;
    let key = event.route_key.clone().unwrap_or_default();
    let public = is_public(template, &key).ok_or_else(|| vec![format!("there is no route {key:?}")])?;
    let (method, route) = key.split_once(' ').unwrap_or_default();
    let context = &event.request_context;
    let path = path_of(route, &json!(event.path_parameters));
    let authorized = context.authorizer.as_ref().map(|authorizer| &authorizer.fields);
    let header = |name: &str| event.headers.get(name).and_then(|value| value.to_str().ok());
    let body = event.body.as_deref();
    let faults = broken(&[
        ("version", event.version.as_deref() == Some("2.0")),
        ("rawPath", event.raw_path.as_ref() == Some(&path)),
        ("rawQueryString", written["rawQueryString"].is_string()),
        ("isBase64Encoded", written["isBase64Encoded"] == false),
        ("requestContext/routeKey", context.route_key.as_ref() == Some(&key)),
        ("requestContext/requestId", context.request_id.as_ref().is_some_and(|id| !id.is_empty())),
        ("requestContext/http/method", context.http.method == method),
        ("requestContext/http/path", context.http.path.as_ref() == Some(&path)),
        ("requestContext/http/sourceIp", context.http.source_ip.as_ref().is_some_and(|ip| ip.contains('.'))),
        (
            "requestContext/authorizer",
            if public {
                authorized.is_none()
            } else {
                authorized.is_some_and(|fields| is_caller(&json!(fields)))
            },
        ),
        ("headers/content-length", header("content-length") == Some(&body.unwrap_or("").len().to_string())),
        ("body", body.is_none_or(|body| serde_json::from_str::<Value>(body).is_ok_and(|it| it.is_object()))),
    ]);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Whether this is the authorizer's context of a caller.
fn is_caller(context: &Value) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Context {
        #[serde(rename = "userId")]
        _user: UserId,
        #[serde(rename = "sessionId")]
        _session: SessionId,
        #[serde(rename = "expiresAt")]
        _expires: u64,
    }
    Context::deserialize(context).is_ok()
}

/// Checks the gateway's request to the authorizer for a route that needs a token.
fn authorizer(text: &str, template: &Template) -> Result<(), Faults> {
    let event: Value = read(text)?;
    let key = event["routeKey"].as_str().unwrap_or_default();
    let token = event["headers"]["authorization"].as_str().unwrap_or_default();
    let arn = event["routeArn"].as_str().unwrap_or_default();
    let faults = broken(&[
        ("version", event["version"] == "2.0"),
        ("type", event["type"] == "REQUEST"),
        ("routeKey", is_public(template, key) == Some(false)),
        ("routeArn", arn.ends_with(&format!("/$default/{}", key.replacen(" /", "/", 1)))),
        ("headers/authorization", token.starts_with("Bearer ")),
        ("identitySource", event["identitySource"] == json!([token])),
        ("requestContext/routeKey", event["requestContext"]["routeKey"] == key),
    ]);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Checks a batch of the table's stream: changes of known items, in order, each with the images of its kind.
fn stream(text: &str) -> Result<(), Faults> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Event {
        records: Vec<StreamRecord>,
    }
    let event: Event = read(text)?;
    let written: Value = read(text)?;
    let mut faults = broken(&[("Records", !event.records.is_empty())]);
    let mut last = None;
    for (index, record) in event.records.into_iter().enumerate() {
        let whole = &written["Records"][index];
        let image = |name: &str| whole["dynamodb"][name].is_object();
        let (old, new) = (image("OldImage"), image("NewImage"));
        let change = record.read();
        let wanted = change.as_ref().is_ok_and(|change| change.of != Changed::Other);
        let sequence = change.ok().map(|change| change.position);
        let claims = broken(&[
            ("dynamodb", wanted),
            ("dynamodb/SequenceNumber", sequence > last),
            ("dynamodb/StreamViewType", whole["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"),
            ("eventSource", whole["eventSource"] == "aws:dynamodb"),
            (
                "eventName",
                match whole["eventName"].as_str() {
                    Some("INSERT") => !old && new,
                    Some("MODIFY") => old && new,
                    Some("REMOVE") => old && !new,
                    _ => false,
                },
            ),
        ]);
        faults.extend(claims.into_iter().map(|fault| format!("record {index}: {fault}")));
        last = sequence;
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Checks a batch of the queue of mails.
fn queue(text: &str) -> Result<(), Faults> {
    let event: Value = read(text)?;
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults = broken(&[("Records", !records.is_empty())]);
    for (index, record) in records.iter().enumerate() {
        let body = record["body"].as_str().unwrap_or_default();
        let claims = broken(&[
            ("messageId", record["messageId"].as_str().is_some_and(|id| !id.is_empty())),
            ("eventSource", record["eventSource"] == "aws:sqs"),
            ("body", serde_json::from_str::<QueuedMail>(body).is_ok()),
        ]);
        faults.extend(claims.into_iter().map(|fault| format!("record {index}: {fault}")));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Checks a batch of the topic of events: records that event-sink can read, by partition and in order.
fn topic(text: &str) -> Result<(), Faults> {
    let event: Value = read(text)?;
    let partitions = event["records"].as_object().cloned().unwrap_or_default();
    let mut faults = broken(&[
        (
            "eventSource",
            ["SelfManagedKafka", "aws:kafka"].contains(&event["eventSource"].as_str().unwrap_or_default()),
        ),
        ("bootstrapServers", event["bootstrapServers"].as_str().is_some_and(|servers| servers.contains(':'))),
        ("records", !partitions.is_empty()),
    ]);
    for (partition, records) in partitions {
        let records = records.as_array().cloned().unwrap_or_default();
        let offsets: Vec<_> = records.iter().map(|record| record["offset"].as_u64()).collect();
        let value = |record: &Value, name: &str| BASE64_STANDARD.decode(record[name].as_str()?).ok();
        let event = |record: &Value| serde_json::from_slice::<EventRecord>(&value(record, "value")?).ok();
        let key =
            |record: &Value| event(record).map(|event| event.visitor.into_bytes()) == value(record, "key");
        let place = |record: &Value| {
            format!("{}-{}", record["topic"].as_str().unwrap_or_default(), record["partition"]) == partition
        };
        let claims = broken(&[
            ("offset", !offsets.is_empty() && offsets.is_sorted_by(|a, b| a.is_some() && a < b)),
            ("topic or partition", records.iter().all(place)),
            ("value", records.iter().all(|record| event(record).is_some())),
            ("key", records.iter().all(key)),
        ]);
        faults.extend(claims.into_iter().map(|fault| format!("{partition}: {fault}")));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Checks the input of the machine product-delete, which is also the input of its first step.
fn step(text: &str) -> Result<(), Faults> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Input {
        #[serde(rename = "productId")]
        _product: ProductId,
        #[serde(rename = "sellerId")]
        _seller: UserId,
        version: Version,
    }
    let input: Input = read(text)?;
    let faults = broken(&[("version", input.version > 0)]);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// The errors of a file of `events/`.
fn malformed(sample: &Source, template: &Template) -> Faults {
    let name = sample.path.rsplit('/').next().unwrap_or_default();
    let checked = match name {
        "authorizer.json" => authorizer(&sample.text, template),
        "http-get.json" | "http-post.json" => http(&sample.text, template),
        "queue.json" => queue(&sample.text),
        "step.json" => step(&sample.text),
        "stream.json" => stream(&sample.text),
        "topic.json" => topic(&sample.text),
        _ => Err(vec!["nothing reads it".to_owned()]),
    };
    let faults = checked.err().unwrap_or_default();
    faults.into_iter().map(|fault| format!("{}: {fault}", sample.path)).collect()
}

#[test]
fn line_1_of_each_function_says_what_wakes_it() {
    let (deployed, said) = (of_template(&Template::ours()), of_code(&project::sources("functions")));
    assert_none(&differences(("template.yaml", &deployed), ("line 1 of its main.rs", &said)));
}

#[test]
fn the_samples_are_what_functions_are_sent() {
    let (samples, template) = (project::sources("events"), Template::ours());
    let names: Vec<&str> = samples.iter().map(|sample| sample.path.as_str()).collect();
    let kinds = ["authorizer", "http-get", "http-post", "queue", "step", "stream", "topic"];
    assert_eq!(names, kinds.map(|kind| format!("events/{kind}.json")));
    assert_none(&samples.iter().flat_map(|sample| malformed(sample, &template)).collect::<Vec<_>>());
}

/// Each of these changes makes a valid sample invalid.
#[test]
fn a_malformed_sample_is_found() {
    let template = Template::ours();
    let changes = [
        ("http-get", "/routeKey", json!("GET /nowhere")),
        ("http-get", "/rawPath", json!("/products/x")),
        ("http-get", "/headers", json!(["a"])),
        ("http-get", "/pathParameters", json!({})),
        ("http-get", "/requestContext", json!(null)),
        ("http-get", "/requestContext/http/method", json!("POST")),
        ("http-get", "/requestContext/http/sourceIp", json!("")),
        ("http-get", "/requestContext/requestId", json!("")),
        ("http-get", "/isBase64Encoded", json!("no")),
        ("http-post", "/body", json!("{")),
        ("http-post", "/headers/content-length", json!("7")),
        ("http-post", "/requestContext/authorizer", json!(null)),
        ("http-post", "/requestContext/authorizer/lambda/userId", json!("ada")),
        ("http-post", "/requestContext/authorizer/lambda/expiresAt", json!("soon")),
        ("authorizer", "/identitySource", json!([])),
        ("authorizer", "/routeKey", json!("GET /products")),
        ("authorizer", "/type", json!("TOKEN")),
        ("queue", "/Records", json!([])),
        ("queue", "/Records/0/messageId", json!("")),
        ("queue", "/Records/0/body", json!("{}")),
        ("queue", "/Records/0/eventSource", json!("aws:sns")),
        ("step", "/productId", json!("x")),
        ("step", "/version", json!(0)),
        ("stream", "/Records", json!([])),
        ("stream", "/Records/0/dynamodb/SequenceNumber", json!("one")),
        ("stream", "/Records/1/dynamodb/SequenceNumber", json!("1")),
        ("stream", "/Records/0/dynamodb/Keys", json!({})),
        ("stream", "/Records/0/dynamodb/Keys/pk/S", json!("USER#1")),
        ("stream", "/Records/0/dynamodb/NewImage/rating", json!({"S": "five"})),
        ("stream", "/Records/0/dynamodb/NewImage", json!(null)),
        ("stream", "/Records/0/eventName", json!("REMOVE")),
        ("stream", "/Records/0/eventSource", json!("aws:kinesis")),
        ("topic", "/eventSource", json!("aws:kinesis")),
        ("topic", "/bootstrapServers", json!("")),
        ("topic", "/records", json!({})),
        ("topic", "/records/souk.events-0/0/partition", json!(1)),
        ("topic", "/records/souk.events-0/1/offset", json!(100)),
        ("topic", "/records/souk.events-0/0/key", json!("eA==")),
        ("topic", "/records/souk.events-0/0/value", json!("e30=")),
    ];
    for (name, pointer, value) in changes {
        let path = format!("events/{name}.json");
        let mut sample: Value = serde_json::from_str(&project::read(&path)).unwrap();
        *sample.pointer_mut(pointer).unwrap_or_else(|| panic!("{path} has no {pointer}")) = value.clone();
        let sample = Source { path, text: sample.to_string() };
        assert!(!malformed(&sample, &template).is_empty(), "{name}: {pointer} is {value}");
    }
    let stray = Source { path: "events/s3.json".to_owned(), text: "{}".to_owned() };
    assert_eq!(malformed(&stray, &template), ["events/s3.json: nothing reads it"]);
    let cut = Source { path: "events/step.json".to_owned(), text: "{".to_owned() };
    assert_eq!(malformed(&cut, &template).len(), 1);
}

#[test]
fn the_checks_find_wrong_first_lines() {
    let kind = "Type: AWS::Serverless::Function, Properties: {CodeUri: target/lambda";
    let template = Template::parse(&format!(
        "Resources:
  A: {{{kind}/a/, Events: {{X: {{Type: DynamoDB}}}}}}}}
  B: {{{kind}/b/}}}}
  C: {{{kind}/c/}}}}
  D: {{{kind}/d/}}}}
  E: {{{kind}/e/, Events: {{X: {{Type: HttpApi}}}}}}}}
  F: {{{kind}/f/, Events: {{X: {{Type: ScheduleV2}}}}}}}}
  G: {{{kind}/g/, Events: {{X: {{Type: SQS}}}}}}}}
  M: {{Type: AWS::Serverless::StateMachine, Properties: {{DefinitionSubstitutions: {{X: !GetAtt B.Arn}}}}}}
  Api: {{Type: AWS::Serverless::HttpApi, Properties: {{Auth: {{FunctionArn: !GetAtt C.Arn}}}}}}
"
    ));
    let main = |name: &str, line: &str| Source {
        path: format!("functions/{name}/src/main.rs"),
        text: format!("//! {line}\n"),
    };
    let right = [
        main("a", "Table stream: does it."),
        main("b", "Step of m: does it."),
        main("c", "Authorizer of the gateway: does it."),
        main("d", "Invoked by hand: does it."),
        main("e", "`GET /e`: does it."),
        main("f", "On a schedule: does it."),
        main("g", "Queue of letters: does it."),
    ];
    let deployed = of_template(&template);
    assert_none(&differences(("t", &deployed), ("c", &of_code(&right))));
    let wrong = [main("a", "Does it."), main("b", "Table stream: does it.")];
    assert_eq!(differences(("t", &deployed), ("c", &of_code(&wrong))).len(), deployed.len() + wrong.len());
}
