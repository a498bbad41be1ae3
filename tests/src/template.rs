//! A reader of the parts of template.yaml that tests need.

use serde_json::{Map, Value, json};
use serde_norway::Value as Yaml;

/// A function as declared in the template.
#[derive(Debug, Clone)]
pub struct Function {
    /// The logical id.
    pub id: String,
    /// The crate that `CodeUri` refers to; empty if it refers to something else.
    pub name: String,
    /// All declared properties.
    pub properties: Value,
}

/// A CloudFormation template. YAML tags are in their long form: `!Ref Table` is `{"Ref": "Table"}`.
#[derive(Debug, Clone)]
pub struct Template {
    value: Value,
    /// The logical ids of the resources, in the template's order, which `value` does not keep.
    ids: Vec<String>,
}

impl Template {
    /// The project's template.
    pub fn ours() -> Self {
        Self::parse(&crate::project::read("template.yaml"))
    }

    /// Parses a template.
    pub fn parse(text: &str) -> Self {
        let yaml: Yaml = serde_norway::from_str(text).unwrap_or_else(|error| panic!("template: {error}"));
        let resources = yaml.get("Resources").and_then(Yaml::as_mapping);
        let ids = resources.into_iter().flatten().filter_map(|(id, _)| Some(id.as_str()?.to_owned()));
        Self { ids: ids.collect(), value: to_json(yaml) }
    }

    /// The value at a JSON pointer; null if there is none.
    pub fn at(&self, pointer: &str) -> &Value {
        self.value.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The logical ids and properties of the resources of a type, in the template's order.
    pub fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.at("/Resources");
        let all = self.ids.iter().map(move |id| (id.as_str(), &all[id]));
        all.filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id, &resource["Properties"]))
    }

    /// The functions, sorted by their logical ids.
    pub fn functions(&self) -> Vec<Function> {
        let function = |(id, properties): (&str, &Value)| {
            let uri = properties["CodeUri"].as_str().unwrap_or_default();
            let name = uri.strip_prefix("target/lambda/").and_then(|rest| rest.strip_suffix('/'));
            Function {
                id: id.to_owned(),
                name: name.unwrap_or_default().to_owned(),
                properties: properties.clone(),
            }
        };
        self.resources("AWS::Serverless::Function").map(function).collect()
    }

    /// The `CreateTable` request for the template's table under this name. The stream is omitted: no test reads it, and
    /// the engine scans all stream records on every write.
    pub fn table(&self, name: &str) -> Value {
        let (_, properties) =
            self.resources("AWS::DynamoDB::Table").next().expect("the template has a table");
        let mut definition = json!({"TableName": name});
        let members = [
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "BillingMode",
        ];
        for member in members {
            definition[member] = properties[member].clone();
        }
        definition
    }
}

fn to_json(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => flag.into(),
        Yaml::Number(number) => serde_json::to_value(number).expect("a YAML number is a JSON number"),
        Yaml::String(text) => text.into(),
        Yaml::Sequence(items) => items.into_iter().map(to_json).collect(),
        Yaml::Mapping(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let name = to_json(name);
                (name.as_str().map_or_else(|| name.to_string(), str::to_owned), to_json(value))
            });
            Value::Object(members.collect())
        }
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            let name =
                if matches!(name, "Ref" | "Condition") { name.to_owned() } else { format!("Fn::{name}") };
            Value::Object(Map::from_iter([(name, to_json(tagged.value))]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_their_crates() {
        let kind = "Type: AWS::Serverless::Function";
        let template = Template::parse(&format!(
            "Resources: {{A: {{{kind}, Properties: {{CodeUri: target/lambda/a-b/}}}}, B: {{{kind}, Properties: {{CodeUri: x/}}}}}}"
        ));
        let names: Vec<_> =
            template.functions().into_iter().map(|function| (function.id, function.name)).collect();
        assert_eq!(names, [("A".to_owned(), "a-b".to_owned()), ("B".to_owned(), String::new())]);
    }

    #[test]
    fn resources_are_in_the_order_of_the_text() {
        let template =
            Template::parse("Resources: {B: {Type: T}, A: {Type: T}, C: {Type: U}, AB: {Type: T}}");
        assert_eq!(template.resources("T").map(|(id, _)| id).collect::<Vec<_>>(), ["B", "A", "AB"]);
    }

    #[test]
    fn tags_are_written_out() {
        let template =
            Template::parse("Resources: {A: {Type: T, Properties: {x: !Ref B, y: !GetAtt B.Arn}}}");
        let (id, properties) = template.resources("T").next().unwrap();
        assert_eq!(id, "A");
        assert_eq!(*properties, json!({"x": {"Ref": "B"}, "y": {"Fn::GetAtt": "B.Arn"}}));
        assert_eq!(template.at("/Nothing"), &Value::Null);
    }
}
