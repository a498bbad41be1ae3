//! Parsing of request JSON that reports every fault at once.

use crate::{Error, Fault, Version, error::MOST_FAULTS, version::Seen};
use serde::Serialize;
use serde_json::{Map, Value};

/// The maximum depth of nested arrays and objects of a body. Every body that the contract describes is less deep.
pub const DEEPEST: usize = 8;

/// A type that is parsed from the JSON body of a request.
pub trait Input: Sized {
    /// The maximum depth of its bodies.
    const DEEPEST: usize = DEEPEST;

    /// Parses the value, or lists every fault.
    fn from_json(value: Value) -> Result<Self, Error>;

    /// Whether the member at this JSON Pointer belongs to what is dropped unread, so that its faults are none of the request.
    fn drops(_pointer: &str) -> bool {
        false
    }
}

/// A parsed value, or its faults with pointers relative to the value.
pub type Checked<T> = Result<T, Vec<Fault>>;

/// The members of a JSON object that were not read yet. [`Members::finish`] reports each unread member as unknown.
pub struct Members {
    left: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Members {
    /// The members of `value`; a fault if `value` is not an object.
    pub fn of(value: Value) -> Checked<Self> {
        match value {
            Value::Object(left) => Ok(Self { left, faults: Vec::new() }),
            _ => Err(vec![Fault::here("must be an object")]),
        }
    }

    /// Whether a member is present and not read yet.
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Adds a fault of the object itself.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Reads a required member.
    pub fn required<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Checked<T>) -> Option<T> {
        if self.has(name) {
            return self.optional(name, rule);
        }
        self.faults.push(Fault::here("is required").under(name));
        None
    }

    /// Reads an optional member. `null` is not the same as absent: `rule` decides on it.
    pub fn optional<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Checked<T>) -> Option<T> {
        match rule(self.left.remove(name)?) {
            Ok(value) => Some(value),
            Err(faults) => {
                self.faults.extend(faults.into_iter().map(|fault| fault.under(name)));
                None
            }
        }
    }

    /// The result of `build`, or all faults. `build` returns `None` only when a required member failed.
    pub fn finish<T>(mut self, build: impl FnOnce() -> Option<T>) -> Checked<T> {
        let unknown = self.left.keys().map(|name| Fault::here("is not a known member").under(name));
        self.faults.extend(unknown.take(MOST_FAULTS));
        self.faults.truncate(MOST_FAULTS);
        match build() {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.faults),
        }
    }
}

/// The elements of an array of `fewest` to `most` elements, each read by `rule`. Pointers of faults include the index.
/// The elements of a longer array are not read.
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
    if values.len() > most {
        return Err(faults);
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

/// A number from `lowest` to `highest`, both included.
pub fn number(value: &Value, lowest: f64, highest: f64) -> Checked<f64> {
    let rule = || vec![Fault::here(format!("must be a number from {lowest} to {highest}"))];
    value.as_f64().filter(|number| (lowest..=highest).contains(number)).ok_or_else(rule)
}

/// An integer from `lowest` to `highest`, both included. A JSON number with a zero fraction, like `5.0`, is an integer.
pub fn integer(value: &Value, lowest: i64, highest: i64) -> Checked<i64> {
    let rule = || vec![Fault::here(format!("must be a whole number from {lowest} to {highest}"))];
    whole(value).filter(|number| (lowest..=highest).contains(number)).ok_or_else(rule)
}

/// As in JSON Schema, `5.0` is an integer.
fn whole(value: &Value) -> Option<i64> {
    /// 2^53: from here on, a double cannot represent every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53 in magnitude")]
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

/// A JSON Merge Patch (RFC 7396).
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
    /// Removes a member from the patch; `None` if the patch does not set it.
    pub fn take(&mut self, member: &str) -> Option<Value> {
        self.0.as_object_mut()?.remove(member)
    }

    /// Applies the patch to `draft` and validates the result with `read`, the parser of new drafts. `optional` names
    /// the members that a draft may lack.
    pub fn apply<T: Serialize>(
        self,
        draft: &T,
        optional: &[&str],
        read: impl FnOnce(Value) -> Checked<T>,
    ) -> Result<T, Error> {
        let mut merged = serde_json::to_value(draft)
            .map_err(|error| Error::internal(format!("a draft does not serialize: {error}")))?;
        let unknown = unknown_removals(&merged, &self.0, optional);
        merge(&mut merged, self.0);
        match (read(merged), unknown.is_empty()) {
            (Ok(draft), true) => Ok(draft),
            (Ok(_), false) => Err(Error::Invalid(unknown)),
            (Err(faults), _) => Err(Error::Invalid(faults.into_iter().chain(unknown).collect())),
        }
    }
}

/// The state that a merge patch changes.
pub struct Revisable<'a, D> {
    /// The draft, at its current version.
    pub draft: &'a D,
    /// The current version.
    pub version: Version,
    /// The members that a draft may lack.
    pub optional: &'a [&'a str],
}

impl MergePatch {
    /// The changed draft and its version, if the caller has seen the current version. `read` reads a new draft.
    pub fn revise<D: Serialize>(
        self,
        current: &Revisable<'_, D>,
        seen: &Seen,
        read: impl FnOnce(Value) -> Checked<D>,
    ) -> Result<(D, Version), Error> {
        let draft = self.apply(current.draft, current.optional, read)?;
        seen.check(current.version)?;
        Ok((draft, current.version + 1))
    }
}

/// Applies a JSON Merge Patch (RFC 7396) to `target`.
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

/// A fault for each unknown member that `patch` sets to `null`: the merge alone would ignore it. `optional` names the
/// members that `target` may lack.
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
    patch.iter().flat_map(faults_of).take(MOST_FAULTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_faults_are_reported_at_once() {
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

    #[test]
    fn arrays_may_have_as_many_elements_as_are_allowed() {
        let read = |count: usize| elements(json!(vec![1; count]), 1, 3, |value| integer(&value, 0, 9));
        assert_eq!((read(1), read(3)), (Ok(vec![1]), Ok(vec![1; 3])));
        assert!(read(0).is_err() && read(4).is_err());
    }

    #[test]
    fn the_elements_of_an_array_that_is_too_long_are_not_read() {
        let read = elements::<()>(json!([1, 2, 3]), 1, 2, |_| panic!());
        assert_eq!(read, Err(vec![Fault::here("must have 1 to 2 elements")]));
    }

    #[test]
    fn at_most_100_faults_are_reported() {
        let many: Map<String, Value> = (0..1000).map(|number| (number.to_string(), Value::Null)).collect();
        let mut members = Members::of(many.clone().into()).unwrap_or_else(|_| panic!());
        members.required("size", |value| integer(&value, 0, 9));
        let faults = members.finish(|| Some(())).unwrap_err();
        assert_eq!((faults.len(), &faults[0]), (MOST_FAULTS, &Fault::here("is required").under("size")));
        assert_eq!(unknown_removals(&json!({}), &many.into(), &[]).len(), MOST_FAULTS);
    }

    #[test]
    fn a_number_that_a_double_cannot_hold_exactly_is_no_integer() {
        assert_eq!(whole(&json!(9_007_199_254_740_991.0)), Some(9_007_199_254_740_991));
        assert_eq!(whole(&json!(9_007_199_254_740_992.0)), None);
    }
}
