//! Assembles the OpenAPI document from its parts. openapi/README.md says how the parts are written.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Object = Map<String, Value>;

/// The methods of an OpenAPI path item.
pub const METHODS: [&str; 8] = ["delete", "get", "head", "options", "patch", "post", "put", "trace"];

/// What a part of an area may have.
const MEMBERS: [&str; 3] = ["tag", "paths", "components"];

const PROBLEM_JSON: &str = "application/problem+json";

/// The document, made of the common part and of the parts of the areas; or what is wrong with them.
pub fn assemble(common: &Value, areas: &[(String, Value)]) -> Result<Value, String> {
    let (mut tags, mut paths, mut components) = (Vec::new(), Object::new(), Object::new());
    add_components(&mut components, "common", common)?;
    for (area, part) in areas {
        if let Some((unknown, _)) = members(part).find(|(name, _)| !MEMBERS.contains(&name.as_str())) {
            return Err(format!("{area}: the member `{unknown}` is unknown"));
        }
        tags.push(part["tag"].clone());
        for (path, item) in members(&part["paths"]) {
            if paths.insert(path.clone(), path_item(path, item, part, common)).is_some() {
                return Err(format!("{area}: the path {path} is in another part too"));
            }
        }
        add_components(&mut components, area, part)?;
    }
    add_problems(&mut components, &common["problems"])?;
    let mut document: Object = members(common)
        .filter(|(name, _)| !["implied", "problems", "components"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    document.insert("tags".to_owned(), tags.into());
    document.insert("paths".to_owned(), paths.into());
    document.insert("components".to_owned(), components.into());
    let document = Value::Object(document);
    match dangling(&document, &document) {
        Some(reference) => Err(format!("{reference} leads to nothing")),
        None => Ok(document),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

/// The last part of a reference; empty for what is none.
fn name_of(reference: &Value) -> &str {
    reference["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default()
}

fn add_components(components: &mut Object, area: &str, part: &Value) -> Result<(), String> {
    for (kind, named) in members(&part["components"]) {
        let known = components.entry(kind).or_insert_with(|| json!({}));
        for (name, component) in members(named) {
            if !known[name].is_null() {
                return Err(format!("{area}: {name} of the {kind} is in another part too"));
            }
            known[name] = component.clone();
        }
    }
    Ok(())
}

fn path_item(path: &str, item: &Value, part: &Value, common: &Value) -> Value {
    let member = |(name, value): (&String, &Value)| {
        let is_operation = METHODS.contains(&name.as_str());
        let value = if is_operation { operation(path, value, part, common) } else { value.clone() };
        (name.clone(), value)
    };
    Value::Object(members(item).map(member).collect())
}

/// An operation with its area's tag, with the responses that are implied, and with the request's id in each of its own.
fn operation(path: &str, given: &Value, part: &Value, common: &Value) -> Value {
    let mut responses = BTreeMap::new();
    for (status, name) in implied(path, given, &common["implied"]).into_iter().flat_map(members) {
        responses.insert(status.clone(), reference("responses", name.as_str().unwrap_or_default()));
    }
    for (status, response) in members(&given["responses"]) {
        let response =
            if name_of(response).is_empty() { with_request_id(response) } else { response.clone() };
        responses.insert(status.clone(), response);
    }
    let mut operation = given.clone();
    operation["tags"] = json!([part["tag"]["name"]]);
    operation["responses"] = Value::Object(responses.into_iter().collect());
    operation
}

/// The rules of `implied` that hold for an operation. A later one goes before an earlier one.
fn implied<'a>(path: &str, operation: &Value, rules: &'a Value) -> Vec<&'a Value> {
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let named = parameters.iter().map(|parameter| &rules["parameter"][name_of(parameter)]);
    let by_kind = [
        ("always", true),
        ("token", operation["security"].is_null()),
        ("parameters", !parameters.is_empty()),
        ("body", !operation["requestBody"].is_null()),
        ("pathParameter", path.contains('{')),
    ];
    by_kind.iter().filter(|(_, holds)| *holds).map(|(rule, _)| &rules[rule]).chain(named).collect()
}

/// A response with the header that each answer of a function carries.
fn with_request_id(response: &Value) -> Value {
    let mut headers = json!({"X-Request-Id": reference("headers", "RequestId")});
    for (name, header) in members(&response["headers"]) {
        headers[name] = header.clone();
    }
    let mut response = response.clone();
    response["headers"] = headers;
    response
}

/// Writes out the schema of each problem, their list, and the responses that have a `problem`.
fn add_problems(components: &mut Object, problems: &Value) -> Result<(), String> {
    let schemas = components.get_mut("schemas").ok_or("there are no schemas")?;
    let base = schemas["Problem"]["properties"].clone();
    let mut kinds = Vec::new();
    for (slug, problem) in members(problems) {
        let (title, says) = (&problem["title"], problem["description"].as_str().unwrap_or_default());
        let says = format!("{}. {says}", problem["status"]);
        kinds.push(json!({"const": urn(slug), "title": title, "description": says}));
        schemas[schema_name(slug)] = problem_schema(slug, problem, &base);
    }
    schemas["ProblemType"]["oneOf"] = kinds.into();
    let responses = components.get("responses").cloned().unwrap_or_default();
    for (name, response) in members(&responses).filter(|(_, response)| !response["problem"].is_null()) {
        let written = problem_response(response, problems).map_err(|error| format!("{name}: {error}"))?;
        components["responses"][name] = written;
    }
    Ok(())
}

fn urn(slug: &str) -> String {
    format!("urn:souk:problem:{slug}")
}

/// `not-found` is `NotFoundProblem`.
fn schema_name(slug: &str) -> String {
    let capitalised = slug.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    capitalised.collect::<String>() + "Problem"
}

/// One flat schema for each problem: generators understand constants, and do not understand `allOf` that narrows.
fn problem_schema(slug: &str, problem: &Value, base: &Value) -> Value {
    let constant = |kind: &str, value: Value| json!({"type": kind, "const": value});
    let mut required = vec!["type", "title", "status", "detail", "instance"];
    let mut schema = json!({
        "description": problem["description"],
        "type": "object",
        "required": [],
        "properties": {
            "type": constant("string", urn(slug).into()),
            "title": constant("string", problem["title"].clone()),
            "status": constant("integer", problem["status"].clone()),
            "detail": base["detail"],
            "instance": base["instance"],
        },
    });
    if !problem["errors"].is_null() {
        schema["properties"]["errors"] = base["errors"].clone();
    }
    if problem["errors"] == "required" {
        required.push("errors");
    }
    for (name, member) in members(&problem["members"]) {
        schema["properties"][name] = member.clone();
        required.push(name);
    }
    schema["required"] = required.into();
    schema
}

/// A response whose `problem` is written out as content.
fn problem_response(response: &Value, problems: &Value) -> Result<Value, String> {
    let problem = &response["problem"];
    let slugs: Vec<&str> =
        problem["types"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let of = |slug: &&str| reference("schemas", &schema_name(slug));
    let schema = match slugs.as_slice() {
        [] => return Err("`problem` names no types".to_owned()),
        [slug] => of(slug),
        several => {
            let mapping: Object = several.iter().map(|slug| (urn(slug), of(slug)["$ref"].clone())).collect();
            let schemas: Vec<Value> = several.iter().map(of).collect();
            json!({"oneOf": schemas, "discriminator": {"propertyName": "type", "mapping": mapping}})
        }
    };
    let first = slugs.first().copied().unwrap_or_default();
    let mut example = json!({
        "type": urn(first),
        "title": problems[first]["title"],
        "status": problems[first]["status"],
        "detail": "",
        "instance": "JKJaXmPLvHcESHA=",
    });
    for (name, value) in members(&problem["example"]) {
        example[name] = value.clone();
    }
    let kept = members(response).filter(|(name, _)| *name != "problem");
    let mut written = Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect());
    if written["headers"]["X-Request-Id"].is_null() {
        written = with_request_id(&written);
    }
    let mut content = json!({PROBLEM_JSON: {"schema": schema, "example": example}});
    for (media_type, other) in members(&written["content"]) {
        content[media_type] = other.clone();
    }
    written["content"] = content;
    Ok(written)
}

/// The first reference into the document that leads to nothing.
fn dangling<'a>(value: &'a Value, document: &Value) -> Option<&'a str> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| dangling(item, document)),
        Value::Object(members) => {
            let target = members.get("$ref").and_then(Value::as_str);
            let lost = target.filter(|target| document.pointer(target.trim_start_matches('#')).is_none());
            lost.or_else(|| members.values().find_map(|member| dangling(member, document)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common() -> Value {
        json!({
            "openapi": "3.1.0",
            "implied": {
                "always": {"500": "Internal"},
                "token": {"401": "Internal"},
                "body": {"400": "Body"},
                "parameters": {"400": "Internal"},
                "pathParameter": {"404": "Internal"},
                "parameter": {"IfMatch": {"412": "Internal"}},
            },
            "problems": {
                "not-found": {"status": 404, "title": "Not found", "description": "Nothing."},
                "bad-thing": {"status": 400, "title": "Bad", "description": "It is.", "errors": "required",
                    "members": {"left": {"type": "integer"}}},
            },
            "components": {
                "parameters": {"IfMatch": {"name": "If-Match", "in": "header"}},
                "headers": {"RequestId": {}, "Other": {}},
                "responses": {
                    "Internal": {"description": "x"},
                    "Body": {
                        "headers": {"Other": reference("headers", "Other")},
                        "problem": {"types": ["bad-thing", "not-found"], "example": {"detail": "d"}},
                    },
                },
                "schemas": {
                    "ProblemType": {"type": "string"},
                    "Problem": {"properties": {"detail": {"a": 1}, "instance": {"b": 2}, "errors": {"c": 3}}},
                },
            },
        })
    }

    fn area(operation: &Value) -> (String, Value) {
        let path = json!({"parameters": [], "get": operation});
        ("things".to_owned(), json!({"tag": {"name": "t"}, "paths": {"/things/{id}": path}}))
    }

    fn statuses(operation: &Value) -> Vec<String> {
        let document = assemble(&common(), &[area(operation)]).unwrap();
        let responses = &document["paths"]["/things/{id}"]["get"]["responses"];
        responses
            .as_object()
            .unwrap()
            .iter()
            .map(|(status, to)| format!("{status} {}", name_of(to)))
            .collect()
    }

    #[test]
    fn responses_are_implied_by_what_an_operation_takes() {
        assert_eq!(statuses(&json!({"security": []})), ["404 Internal", "500 Internal"]);
        let all = json!({"requestBody": {}, "parameters": [reference("parameters", "IfMatch")]});
        assert_eq!(
            statuses(&all),
            ["400 Body", "401 Internal", "404 Internal", "412 Internal", "500 Internal"]
        );
        let own = json!({"security": [], "responses": {"500": reference("responses", "Body"), "200": {}}});
        assert_eq!(statuses(&own), ["200 ", "404 Internal", "500 Body"]);
    }

    #[test]
    fn operations_have_the_tag_of_their_area_and_answers_the_id_of_the_request() {
        let own = json!({"responses": {"200": {"headers": {"Other": reference("headers", "Other")}}}});
        let document = assemble(&common(), &[area(&own)]).unwrap();
        let operation = &document["paths"]["/things/{id}"]["get"];
        assert_eq!((&operation["tags"], &document["tags"]), (&json!(["t"]), &json!([{"name": "t"}])));
        let headers = &operation["responses"]["200"]["headers"];
        assert_eq!(name_of(&headers["X-Request-Id"]), "RequestId");
        assert_eq!(name_of(&headers["Other"]), "Other");
        assert!(document.get("implied").is_none() && document.get("problems").is_none());
    }

    #[test]
    fn problems_are_flat_schemas_and_responses_that_name_them() {
        let document = assemble(&common(), &[]).unwrap();
        let schemas = &document["components"]["schemas"];
        let kinds = schemas["ProblemType"]["oneOf"].as_array().unwrap();
        assert!(
            kinds.iter().any(|kind| kind["const"] == "urn:souk:problem:not-found"
                && kind["description"] == "404. Nothing.")
        );
        let not_found = &schemas["NotFoundProblem"];
        assert_eq!(not_found["properties"]["status"], json!({"type": "integer", "const": 404}));
        assert_eq!(not_found["properties"]["errors"], Value::Null);
        let bad = &schemas["BadThingProblem"];
        assert_eq!(bad["properties"]["errors"], json!({"c": 3}));
        assert_eq!(bad["properties"]["left"], json!({"type": "integer"}));
        let required = bad["required"].as_array().unwrap();
        assert!(required.contains(&json!("errors")) && required.contains(&json!("left")));

        let response = &document["components"]["responses"]["Body"];
        assert_eq!(response["problem"], Value::Null);
        assert_eq!(response["headers"].as_object().unwrap().len(), 2);
        let content = &response["content"][PROBLEM_JSON];
        let mapping = &content["schema"]["discriminator"]["mapping"];
        assert_eq!(mapping["urn:souk:problem:not-found"], "#/components/schemas/NotFoundProblem");
        assert_eq!(content["schema"]["oneOf"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&content["example"]["status"], &content["example"]["detail"]),
            (&json!(400), &json!("d"))
        );
    }

    #[test]
    fn inconsistent_areas_are_refused() {
        let twice = [area(&json!({})), area(&json!({}))];
        assert!(assemble(&common(), &twice).unwrap_err().contains("/things/{id}"));
        let lost = area(&json!({"parameters": [reference("parameters", "Lost")]}));
        assert!(assemble(&common(), &[lost]).unwrap_err().contains("#/components/parameters/Lost"));
        let part = |part: Value| ("x".to_owned(), part);
        let known = part(json!({"components": {"headers": {"Other": {}}}}));
        assert!(assemble(&common(), &[known]).unwrap_err().contains("Other"));
        assert!(assemble(&common(), &[part(json!({"path": {}}))]).unwrap_err().contains("`path`"));
        let mut unnamed = common();
        unnamed["components"]["responses"]["Body"]["problem"] = json!({"types": []});
        assert!(assemble(&unnamed, &[]).unwrap_err().starts_with("Body"));
        unnamed["components"]["responses"]["Body"]["problem"] = json!({"types": ["not-known"]});
        assert!(assemble(&unnamed, &[]).unwrap_err().contains("NotKnownProblem"));
    }
}
