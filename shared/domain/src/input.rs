//! Reading a request's JSON so that every fault is found at once.

use crate::{Error, Fault};
use serde::Serialize;
use serde_json::{Map, Value};

/// What can be read from the JSON of a request.
pub trait Input: Sized {
    /// Reads it, or names every fault.
    fn from_json(value: Value) -> Result<Self, Error>;
}

/// A value read by a rule, or the faults that it has, placed relative to the value.
pub type Checked<T> = Result<T, Vec<Fault>>;

/// The members of one JSON object. Each is asked for by name; what nobody asked for is a fault.
pub struct Members {
    left: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Members {
    /// The members of an object; anything else is a fault of the value itself.
    pub fn of(value: Value) -> Checked<Self> {
        match value {
            Value::Object(left) => Ok(Self { left, faults: Vec::new() }),
            _ => Err(vec![Fault::here("must be an object")]),
        }
    }

    /// A member that has to be there.
    pub fn required<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Checked<T>) -> Option<T> {
        if self.left.contains_key(name) {
            return self.optional(name, rule);
        }
        self.faults.push(Fault::here("is required").under(name));
        None
    }

    /// A member that may be absent. `null` is a value like any other: the rule refuses it.
    pub fn optional<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Checked<T>) -> Option<T> {
        match rule(self.left.remove(name)?) {
            Ok(value) => Some(value),
            Err(faults) => {
                self.faults.extend(faults.into_iter().map(|fault| fault.under(name)));
                None
            }
        }
    }

    /// What was read, unless there was a fault. `build` answers `None` only when a required member failed.
    pub fn finish<T>(mut self, build: impl FnOnce() -> Option<T>) -> Checked<T> {
        let unknown = self.left.keys().map(|name| Fault::here("is not a known member").under(name));
        self.faults.extend(unknown);
        match build() {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.faults),
        }
    }
}

/// The elements of an array of so many, each read by a rule; a fault is placed at its element.
pub fn elements<T>(
    value: Value,
    fewest: usize,
    most: usize,
    mut rule: impl FnMut(Value) -> Checked<T>,
) -> Checked<Vec<T>> {
    let Value::Array(values) = value else { return Err(vec![Fault::here("must be an array")]) };
    let mut faults = Vec::new();
    if values.len() < fewest || values.len() > most {
        faults.push(Fault::here(format!("must have {fewest} to {most} elements")));
    }
    let mut read = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        match rule(value) {
            Ok(element) => read.push(element),
            Err(found) => faults.extend(found.into_iter().map(|fault| fault.under(&index.to_string()))),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

/// A number in a range, both ends included.
pub fn number(value: &Value, lowest: f64, highest: f64) -> Checked<f64> {
    let rule = || vec![Fault::here(format!("must be a number from {lowest} to {highest}"))];
    value.as_f64().filter(|number| (lowest..=highest).contains(number)).ok_or_else(rule)
}

/// A whole number in a range, both ends included. A JSON number with a zero fraction, like `5.0`, is whole.
pub fn integer(value: &Value, lowest: i64, highest: i64) -> Checked<i64> {
    let rule = || vec![Fault::here(format!("must be a whole number from {lowest} to {highest}"))];
    whole(value).filter(|number| (lowest..=highest).contains(number)).ok_or_else(rule)
}

/// JSON Schema counts `5.0` among the integers, and so do we.
fn whole(value: &Value) -> Option<i64> {
    /// Past 2^53 a double no longer tells whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53 in magnitude")]
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

/// A change to what somebody wrote: a JSON Merge Patch (RFC 7396).
#[derive(Debug, Clone, PartialEq)]
pub struct MergePatch(Value);

impl Input for MergePatch {
    fn from_json(value: Value) -> Result<Self, Error> {
        if value.is_object() {
            Ok(Self(value))
        } else {
            Err(Error::invalid(Fault::here("must be an object")))
        }
    }
}

impl MergePatch {
    /// What `draft` becomes, read by the rules of a new one. `optional` are the members that it may lack.
    pub fn apply<T: Serialize>(
        self,
        draft: &T,
        optional: &[&str],
        read: impl FnOnce(Value) -> Checked<T>,
    ) -> Result<T, Error> {
        let mut merged = serde_json::to_value(draft)
            .map_err(|error| Error::internal(format!("a draft does not serialize: {error}")))?;
        let strangers = unknown_removals(&merged, &self.0, optional);
        merge(&mut merged, self.0);
        match (read(merged), strangers.is_empty()) {
            (Ok(draft), true) => Ok(draft),
            (Ok(_), false) => Err(Error::Invalid(strangers)),
            (Err(faults), _) => Err(Error::Invalid(faults.into_iter().chain(strangers).collect())),
        }
    }
}

/// JSON Merge Patch (RFC 7396): what `target` becomes under `patch`.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// A fault for each member that `patch` removes and that `target` cannot have: a merge alone would pass over it.
/// `optional` are the members that `target` may lack.
fn unknown_removals(target: &Value, patch: &Value, optional: &[&str]) -> Vec<Fault> {
    let (Value::Object(target), Value::Object(patch)) = (target, patch) else { return Vec::new() };
    let faults_of = |(name, value): (&String, &Value)| match target.get(name) {
        Some(member) => {
            unknown_removals(member, value, &[]).into_iter().map(|fault| fault.under(name)).collect()
        }
        None if value.is_null() && !optional.contains(&name.as_str()) => {
            vec![Fault::here("is not a known member").under(name)]
        }
        None => Vec::new(),
    };
    patch.iter().flat_map(faults_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fault_is_found_in_one_reading() {
        let mut members = Members::of(json!({"count": "x", "colour": 1})).unwrap_or_else(|_| panic!());
        let count = members.required("count", |value| integer(&value, 0, 9));
        let size = members.required("size", |value| integer(&value, 0, 9));
        let faults = members.finish(|| Some((count?, size?))).unwrap_err();
        let expected = [
            ("count", "must be a whole number from 0 to 9"),
            ("size", "is required"),
            ("colour", "is not a known member"),
        ];
        assert_eq!(faults, expected.map(|(name, detail)| Fault::here(detail).under(name)));
    }

    #[test]
    fn integers() {
        assert_eq!(integer(&json!(5.0), 0, 9), Ok(5));
        for bad in [json!(5.5), json!(-1), json!(10), json!("5"), json!(null), json!(1e300), json!(u64::MAX)]
        {
            assert!(integer(&bad, 0, 9).is_err(), "{bad}");
        }
    }

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merge_patch_examples() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (mut target, patch, result) in cases {
            merge(&mut target, patch.clone());
            assert_eq!(target, result, "{patch}");
        }
    }
}
