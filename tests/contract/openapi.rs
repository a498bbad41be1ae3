//! The parts of the OpenAPI document. The build script checks the references between parts; these tests check the rest.

use crate::assert_none;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};
use tests::project::{self, Source};
use web::openapi::DOCUMENT;

/// Components that no operation refers to: the response to an unsupported method, the base schema of all problems, and
/// the security scheme of access tokens.
const FOR_ALL: [&str; 3] = ["responses/MethodNotAllowed", "schemas/Problem", "securitySchemes/accessToken"];

fn parts() -> Vec<Source> {
    let mut parts = project::sources("shared/web/openapi");
    parts.retain(|part| part.is("json"));
    parts
}

/// The duplicate names within a JSON object. A parser keeps only the last one, and a merge in git can produce them.
struct Repeated(Vec<String>);

impl<'de> Deserialize<'de> for Repeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Repeated {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, Self(inner))) = map.next_entry::<String, Self>()? {
            self.0.extend(inner);
            if !names.insert(name.clone()) {
                self.0.push(name);
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Self, A::Error> {
        while let Some(Self(inner)) = items.next_element::<Self>()? {
            self.0.extend(inner);
        }
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

fn repeated(part: &Source) -> Vec<String> {
    match serde_json::from_str(&part.text) {
        Ok(Repeated(names)) => {
            names.iter().map(|name| format!("{}: {name} is twice in one object", part.path)).collect()
        }
        Err(error) => vec![format!("{}: {error}", part.path)],
    }
}

fn components(document: &Value) -> impl Iterator<Item = String> {
    let kinds = document["components"].as_object().into_iter().flatten();
    kinds.flat_map(|(kind, named)| {
        named.as_object().into_iter().flatten().map(move |(name, _)| format!("{kind}/{name}"))
    })
}

/// Collects the string values of a member at any depth.
fn values<'a>(value: &'a Value, member: &str, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| values(item, member, found)),
        Value::Object(members) => {
            found.extend(members.get(member).and_then(Value::as_str));
            members.values().for_each(|value| values(value, member, found));
        }
        _ => {}
    }
}

fn unused(document: &Value) -> Vec<String> {
    let mut used = BTreeSet::new();
    values(document, "$ref", &mut used);
    let is_unused = |name: &String| {
        !used.contains(format!("#/components/{name}").as_str()) && !FOR_ALL.contains(&name.as_str())
    };
    components(document).filter(is_unused).map(|name| format!("{name} is used nowhere")).collect()
}

/// Links to operations that do not exist.
fn lost_links(document: &Value) -> Vec<String> {
    let mut operations = BTreeSet::new();
    values(&document["paths"], "operationId", &mut operations);
    let links = document["components"]["links"].as_object().into_iter().flatten();
    links
        .filter(|(_, link)| !operations.contains(link["operationId"].as_str().unwrap_or_default()))
        .map(|(name, link)| format!("the link {name} leads to {}", link["operationId"]))
        .collect()
}

#[test]
fn no_name_is_twice_in_an_object() {
    let parts = parts();
    assert!(parts.len() > 2, "{}", parts.len());
    assert_none(&parts.iter().flat_map(repeated).collect::<Vec<_>>());
}

#[test]
fn every_component_is_used() {
    let document = serde_json::from_str(DOCUMENT).unwrap();
    assert_none(&unused(&document));
    let all: BTreeSet<_> = components(&document).collect();
    assert!(FOR_ALL.iter().all(|name| all.contains(*name)));
}

#[test]
fn links_lead_to_operations() {
    assert_none(&lost_links(&serde_json::from_str(DOCUMENT).unwrap()));
}

#[test]
fn the_checks_find_faults_in_a_document() {
    let text = r#"{"a": [{"b": 1, "b": null}], "c": {"b": true, "d": 1.5}, "a": "x"}"#;
    let part = |text: &str| Source { path: "p".to_owned(), text: text.to_owned() };
    assert_eq!(repeated(&part(text)), ["p: b is twice in one object", "p: a is twice in one object"]);
    assert_eq!(repeated(&part("{")).len(), 1);
    let document = serde_json::json!({
        "paths": {"/a": {"get": {"operationId": "a", "x": [{"$ref": "#/components/schemas/A"}]}}},
        "components": {
            "schemas": {"A": {}, "B": {}, "Problem": {}},
            "links": {"One": {"operationId": "a"}, "Two": {"operationId": "b"}},
        },
    });
    assert_eq!(lost_links(&document), ["the link Two leads to \"b\""]);
    let unused = unused(&document);
    assert_eq!(unused, ["links/One", "links/Two", "schemas/B"].map(|name| format!("{name} is used nowhere")));
}
