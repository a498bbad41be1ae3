//! Parsing of JSON bodies with bounded depth and bounded names, which reports members that an object has more than once.

use domain::{Fault, error::MOST_FAULTS};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The maximum length of a member's name, in bytes. Every name that the contract knows is shorter.
pub const LONGEST_NAME: usize = 64;

/// A parsed document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The value. Of members with the same name, it contains the last.
    pub value: Value,
    /// A fault for each repeated member and for each name that is too long, 100 at most.
    pub faults: Vec<Fault>,
}

/// Parses a document. An error if it is not JSON, or has more nested arrays and objects than `deepest`.
pub fn parse(bytes: &[u8], deepest: usize) -> serde_json::Result<Document> {
    let mut faults = Vec::new();
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let value = Nested { left: deepest, faults: &mut faults }.deserialize(&mut input)?;
    input.end()?;
    Ok(Document { value, faults })
}

/// Reads one value.
struct Nested<'a> {
    /// How many nested arrays and objects it may have.
    left: usize,
    faults: &'a mut Vec<Fault>,
}

impl Nested<'_> {
    /// Reads values one level deeper.
    fn enter<E: Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| E::custom("it is nested too deep"))?;
        Ok(Self { left, ..self })
    }

    /// Reads the value of a member or an element; its faults get its name before their pointers.
    fn child<E>(
        &mut self,
        name: &str,
        read: impl FnOnce(Nested<'_>) -> Result<Option<Value>, E>,
    ) -> Result<Option<Value>, E> {
        let before = self.faults.len();
        let value = read(Nested { left: self.left, faults: self.faults })?;
        let found = self.faults.split_off(before);
        self.faults.extend(found.into_iter().map(|fault| fault.under(name)));
        Ok(value)
    }

    fn fault(&mut self, fault: impl FnOnce() -> Fault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut nested = self.enter::<A::Error>()?;
        let mut values = Vec::new();
        loop {
            let index = values.len().to_string();
            match nested.child(&index, |element| elements.next_element_seed(element))? {
                Some(value) => values.push(value),
                None => return Ok(values.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut nested = self.enter::<A::Error>()?;
        let mut values = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name.len() > LONGEST_NAME {
                members.next_value::<IgnoredAny>()?;
                nested
                    .fault(|| Fault::here(format!("has a member with a name of over {LONGEST_NAME} bytes")));
                continue;
            }
            let value = nested.child(&name, |member| members.next_value_seed(member).map(Some))?;
            if values.contains_key(&name) {
                nested.fault(|| Fault::here("must be given once").under(&name));
            }
            values.extend(value.map(|value| (name, value)));
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEEPEST: usize = 8;

    fn parse(bytes: &[u8]) -> serde_json::Result<Document> {
        super::parse(bytes, DEEPEST)
    }
    use domain::FaultLocation;
    use serde_json::json;

    fn pointers(text: &str) -> Vec<String> {
        let pointer = |fault: Fault| match fault.location {
            FaultLocation::Body(pointer) => pointer,
            other => panic!("{other:?}"),
        };
        parse(text.as_bytes()).unwrap().faults.into_iter().map(pointer).collect()
    }

    #[test]
    fn a_document_is_read_as_serde_json_reads_it() {
        let text = r#" {"a": [1, -2, 3.5, 1e3, 18446744073709551615, true, null, "é\u00e9\n", {}, []], "": {"b": "c"}} "#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text.as_bytes()).unwrap(), Document { value, faults: Vec::new() });
        for bad in ["", "{", "[1,]", "{\"a\":1}}", "1 2", "1e999", "\"\u{1}\"", "nul", "{1:2}"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn every_repeated_member_is_named() {
        let text = r#"{"a": 1, "b": [{"c": 1}, {"c": 1, "c": 2, "~/": {"d": 1, "d": 1}}], "\u0061": 2}"#;
        assert_eq!(pointers(text), ["/b/1/c", "/b/1/~0~1/d", "/a"]);
        assert_eq!(parse(br#"{"a": 1, "a": 2}"#).unwrap().value, json!({"a": 2}));
    }

    #[test]
    fn at_most_100_faults_are_collected() {
        let text = format!("[{}0]", r#"{"a":1,"a":1},"#.repeat(10_000));
        assert_eq!(pointers(&text).len(), MOST_FAULTS);
    }

    #[test]
    fn a_long_name_is_a_fault_of_its_object_and_is_not_repeated() {
        let text = |length| format!(r#"{{"a": {{"{}": [[]]}}}}"#, "n".repeat(length));
        assert_eq!(pointers(&text(LONGEST_NAME)), [""; 0]);
        assert_eq!(pointers(&text(LONGEST_NAME + 1)), ["/a"]);
        assert_eq!(parse(text(200).as_bytes()).unwrap().value, json!({"a": {}}));
    }

    #[test]
    fn the_depth_is_bounded() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let text = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(parse(text(DEEPEST).as_bytes()).is_ok());
            assert!(parse(text(DEEPEST + 1).as_bytes()).is_err());
        }
        assert!(parse("[".repeat(200_000).as_bytes()).is_err());
        let hidden = format!(r#"{{"{}": {}}}"#, "n".repeat(LONGEST_NAME + 1), "[".repeat(200_000));
        assert!(parse(hidden.as_bytes()).is_err());
    }

    /// serde_json gives a meaning of its own to these names when it reads a `Value`.
    #[test]
    fn no_name_has_a_meaning_of_its_own() {
        for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
            let text = json!({ name: "[1]" }).to_string();
            assert_eq!(parse(text.as_bytes()).unwrap().value, json!({ name: "[1]" }));
        }
    }
}
