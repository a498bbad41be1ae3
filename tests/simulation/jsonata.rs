//! Evaluates the JSONata expressions of the state machines: paths, calls of a few functions, comparison, sums,
//! concatenation, `and` and the conditional. An expression with anything else is a panic.

use serde_json::{Map, Value, json};

/// The variables of an expression: `states` and what the machine has assigned.
pub type Variables = Map<String, Value>;

/// Evaluates every `{% … %}` in a value.
pub fn evaluate(template: &Value, variables: &Variables) -> Value {
    match template {
        Value::String(text) => match text.strip_prefix("{%").and_then(|text| text.strip_suffix("%}")) {
            Some(source) => expression(source, variables).unwrap_or(Value::Null),
            None => template.clone(),
        },
        Value::Array(items) => items.iter().map(|item| evaluate(item, variables)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), evaluate(value, variables))).collect()
        }
        other => other.clone(),
    }
}

/// The value of an expression; `None` if it has none.
fn expression(source: &str, variables: &Variables) -> Option<Value> {
    let mut parser = Parser { source, rest: source.trim(), variables, context: None };
    let value = parser.conditional();
    assert!(parser.rest.is_empty(), "JSONata that the simulation does not know: {source}");
    value
}

struct Parser<'a> {
    source: &'a str,
    rest: &'a str,
    variables: &'a Variables,
    /// The item that a filter looks at.
    context: Option<Value>,
}

impl Parser<'_> {
    fn take(&mut self, token: &str) -> bool {
        let found = self.rest.strip_prefix(token).map(str::trim_start);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn expect(&mut self, token: &str) {
        assert!(self.take(token), "JSONata without {token} at {:?} in {}", self.rest, self.source);
    }

    fn conditional(&mut self) -> Option<Value> {
        let condition = self.conjunction();
        if !self.take("?") {
            return condition;
        }
        let yes = self.conditional();
        self.expect(":");
        let no = self.conditional();
        if is_true(condition.as_ref()) { yes } else { no }
    }

    fn conjunction(&mut self) -> Option<Value> {
        let mut left = self.comparison();
        while self.take("and ") {
            let right = self.comparison();
            left = Some(json!(is_true(left.as_ref()) && is_true(right.as_ref())));
        }
        left
    }

    fn comparison(&mut self) -> Option<Value> {
        let left = self.concatenation();
        if self.take(">=") {
            let right = self.concatenation();
            return Some(json!(number(left.as_ref()) >= number(right.as_ref())));
        }
        if self.take("!=") {
            return Some(json!(left != self.concatenation()));
        }
        if self.take("=") {
            let right = self.concatenation();
            return Some(json!(left.is_some() && left == right));
        }
        left
    }

    fn concatenation(&mut self) -> Option<Value> {
        let mut left = self.sum();
        while self.take("&") {
            let right = self.sum();
            left = Some(Value::String(text(left.as_ref()) + &text(right.as_ref())));
        }
        left
    }

    fn sum(&mut self) -> Option<Value> {
        let mut left = self.primary();
        while self.take("+") {
            let right = self.primary();
            left = Some(json!(number(left.as_ref()) + number(right.as_ref())));
        }
        left
    }

    fn primary(&mut self) -> Option<Value> {
        if let Some(rest) = self.rest.strip_prefix('\'') {
            let (literal, rest) = rest.split_once('\'').expect("the end of a text");
            self.rest = rest.trim_start();
            return Some(json!(literal));
        }
        if self.take("[") {
            let value = self.conditional();
            self.expect("]");
            return Some(match value {
                Some(Value::Array(items)) => Value::Array(items),
                other => other.into_iter().collect(),
            });
        }
        let name = self.name();
        let value = match name.strip_prefix('$') {
            None => match name.parse::<i64>() {
                Ok(number) => Some(json!(number)),
                Err(_) => self.context.as_ref().and_then(|context| context.get(&name).cloned()),
            },
            Some(function) if self.take("(") => self.call(function),
            Some(variable) => self.variables.get(variable).cloned(),
        };
        self.steps(value)
    }

    /// A name, a variable or a number.
    fn name(&mut self) -> String {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '$' && c != '_');
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        assert!(!name.is_empty(), "JSONata that the simulation does not know: {}", self.source);
        self.rest = rest.trim_start();
        name.to_owned()
    }

    /// Members, indices and filters after a value.
    fn steps(&mut self, mut value: Option<Value>) -> Option<Value> {
        loop {
            if self.take(".") {
                let name = self.name();
                value = value.and_then(|value| value.get(&name).cloned());
            } else if self.take("[") {
                let filter = self.rest;
                let items = match value {
                    Some(Value::Array(items)) => items,
                    other => other.into_iter().collect(),
                };
                let mut kept = Vec::new();
                for (index, item) in items.into_iter().enumerate() {
                    self.rest = filter;
                    self.context = Some(item.clone());
                    let selected = match self.conditional() {
                        Some(Value::Number(number)) => number.as_u64() == u64::try_from(index).ok(),
                        other => is_true(other.as_ref()),
                    };
                    kept.extend(selected.then_some(item));
                }
                if kept.is_empty() && self.rest == filter {
                    // The filter of an empty list is not evaluated.
                    let end = self.rest.find(']').expect("the end of a filter");
                    self.rest = &self.rest[end..];
                }
                self.context = None;
                self.expect("]");
                value = match kept.len() {
                    0 => None,
                    1 => kept.pop(),
                    _ => Some(Value::Array(kept)),
                };
            } else {
                return value;
            }
        }
    }

    fn call(&mut self, function: &str) -> Option<Value> {
        let first = self.conditional();
        let result = match function {
            "exists" => Some(json!(first.is_some())),
            "not" => Some(json!(!is_true(first.as_ref()))),
            "string" => Some(json!(text(first.as_ref()))),
            "parse" => serde_json::from_str(&text(first.as_ref())).ok(),
            "contains" => {
                self.expect(",");
                // The one regular expression of the state machines: a function's failure.
                self.expect(r#"/^\{.*"errorMessage".*\}$/"#);
                let text = text(first.as_ref());
                let is_failure = text.starts_with('{') && text.ends_with('}');
                Some(json!(is_failure && text.contains(r#""errorMessage""#)))
            }
            _ => panic!("JSONata function ${function} in {}", self.source),
        };
        self.expect(")");
        result
    }
}

fn is_true(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => items.iter().any(|item| is_true(Some(item))),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
    }
}

fn number(value: Option<&Value>) -> i64 {
    value.and_then(Value::as_i64).expect("a whole number")
}

fn text(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_of_the_machines_are_evaluated() {
        let variables = json!({
            "states": {"input": [{"a": 1}, {"error": "E", "cause": "C"}], "errorOutput": {"Error": "E"},
                "context": {"Execution": {"Input": {"bands": [{"new": true, "id": 1}, {"new": false, "id": 2}]}}}},
            "pages": 2, "more": true,
            "failure": {"step": "s", "error": "E", "cause": "{\"errorMessage\": \"m\"}"},
        });
        let variables = variables.as_object().unwrap();
        for (source, expected) in [
            ("$states.context.Execution.Input.bands[new].id", json!(1)),
            ("[$states.context.Execution.Input.bands[new]]", json!([{"new": true, "id": 1}])),
            ("$states.input[$exists(error)][0].cause", json!("C")),
            ("$exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : ''", json!("")),
            ("$failure.step & ' failed: ' & $failure.error", json!("s failed: E")),
            ("$failure.error = 'E'", json!(true)),
            ("$failure.nothing = 'E'", json!(false)),
            ("$failure.error = 'E' and $not($exists($payment))", json!(true)),
            ("$failure.error = 'E' and $exists($payment)", json!(false)),
            (
                r#"$contains($failure.cause, /^\{.*"errorMessage".*\}$/) ? $parse($failure.cause).errorMessage : $failure.cause"#,
                json!("m"),
            ),
            ("60", json!(60)),
            ("$pages + 1", json!(3)),
            ("'p-' & $string($pages + 1)", json!("p-3")),
            ("$more and $pages >= 2", json!(true)),
            ("$more and $pages >= 3", json!(false)),
            ("$nothing and $pages >= 2", json!(false)),
        ] {
            assert_eq!(expression(source, variables), Some(expected), "{source}");
        }
    }
}
