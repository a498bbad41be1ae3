//! Parsing of query parameters that reports every fault at once.

use crate::{cursor, problem::Problem};
use domain::{Fault, error::MOST_FAULTS, page::PageSize};
use std::str::FromStr;

/// The query parameters that were not read yet. [`Query::finish`] reports each unread parameter as unknown.
pub struct Query {
    left: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Query {
    /// Parses the query of a URL, in `application/x-www-form-urlencoded`.
    pub fn parse(raw: &str) -> Self {
        let faults = if is_well_encoded(raw) {
            Vec::new()
        } else {
            vec![Fault::parameter("", "is not percent-encoded UTF-8")]
        };
        Self { left: form_urlencoded::parse(raw.as_bytes()).into_owned().collect(), faults }
    }

    /// Reads an optional parameter. Giving it more than once is a fault.
    pub fn optional<T>(&mut self, name: &str, rule: impl FnOnce(String) -> Result<T, String>) -> Option<T> {
        let (values, left) = std::mem::take(&mut self.left).into_iter().partition(|(key, _)| key == name);
        self.left = left;
        let values: Vec<(String, String)> = values;
        let mut values = values.into_iter();
        let (_, value) = values.next()?;
        let checked =
            if values.next().is_some() { Err("must be given once".to_owned()) } else { rule(value) };
        self.checked(name, checked)
    }

    /// The value of a rule for several parameters; a fault is one of the parameter `name`.
    pub fn checked<T>(&mut self, name: &str, rule: Result<T, String>) -> Option<T> {
        rule.map_err(|detail| self.faults.push(Fault::parameter(name, detail))).ok()
    }

    /// Reads `limit`: the page size, 1 to 100.
    pub fn page_size(&mut self) -> PageSize {
        let rule = |text: String| {
            let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
            let size = text.parse().ok().filter(|_| plain).and_then(PageSize::new);
            size.ok_or_else(|| "must be a whole number from 1 to 100".to_owned())
        };
        self.optional("limit", rule).unwrap_or(PageSize::DEFAULT)
    }

    /// Reads `cursor`: a position that an earlier page of the same list returned.
    pub fn cursor<P: FromStr>(&mut self, list: &str) -> Option<P> {
        self.optional("cursor", |text| {
            cursor::decode(list, &text).ok_or_else(|| "is not a cursor of this list".to_owned())
        })
    }

    /// Refuses two parameters that are given together, with a fault for each.
    pub fn not_both(&mut self, names: [&str; 2]) {
        if names.iter().all(|name| self.left.iter().any(|(key, _)| key == name)) {
            let detail = format!("{} and {} cannot be given together", names[0], names[1]);
            self.faults.extend(names.map(|name| Fault::parameter(name, detail.clone())));
        }
    }

    /// Requires the parameter `name` where one of the others is given.
    pub fn needs(&mut self, others: &[&str], name: &str) {
        let given = |name: &str| self.left.iter().any(|(key, _)| key == name);
        let missing: Vec<&str> =
            others.iter().copied().filter(|other| given(other) && !given(name)).collect();
        self.faults.extend(missing.into_iter().map(|other| Fault::parameter(other, format!("needs {name}"))));
    }

    /// Requires all or none of the parameters `names`, and `or` if there is none of them.
    pub fn together(&mut self, names: &[&str], or: &str) {
        let given = |name: &str| self.left.iter().any(|(key, _)| key == name);
        let some = names.iter().any(|name| given(name));
        let missing: Vec<&str> = names.iter().copied().filter(|name| some && !given(name)).collect();
        let neither = !some && !given(or);
        let together = names.join(", ");
        self.faults.extend(
            missing.into_iter().map(|name| Fault::parameter(name, format!("{together} go together"))),
        );
        if neither {
            self.faults.push(Fault::parameter(or, format!("either {or} or {together} must be given")));
        }
    }

    /// The unread parameters except `left_out`, URL-encoded and sorted: the name of a list in its cursors.
    pub fn encode_without(&self, left_out: &[&str]) -> String {
        let kept = self.left.iter().filter(|(name, _)| !left_out.contains(&name.as_str()));
        let mut kept: Vec<(&str, &str)> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        kept.sort_unstable();
        encode(&kept)
    }

    /// The result of `build`, or all faults, with one for each unread parameter. `build` returns `None` only after a
    /// fault.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Problem> {
        let Self { left, mut faults } = self;
        let unknown = left.into_iter().take(MOST_FAULTS);
        faults.extend(unknown.map(|(name, _)| Fault::parameter(name, "is not a known parameter")));
        match build() {
            Some(value) if faults.is_empty() => Ok(value),
            _ => Err(Problem::invalid(faults)),
        }
    }
}

/// URL-encodes parameters.
pub fn encode(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Joins the faults of a value into the detail of its parameter.
pub fn detail(faults: Vec<Fault>) -> String {
    faults.into_iter().map(|fault| fault.detail).collect::<Vec<_>>().join("; ")
}

/// Whether each `%` is followed by two hex digits and the decoded text is UTF-8. The parser does not report either.
fn is_well_encoded(raw: &str) -> bool {
    let mut bytes = raw.bytes();
    let mut decoded = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else { return false };
        decoded.extend(u8::try_from(high * 16 + low));
    }
    std::str::from_utf8(&decoded).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_reported_at_once() {
        let mut query = Query::parse("limit=0&limit=1&colour=red&x=%zz");
        query.page_size();
        let faults = query.finish(|| Some(())).unwrap_err().faults;
        assert_eq!(faults.len(), 4, "{faults:?}");
    }

    #[test]
    fn values_are_decoded() {
        let mut query = Query::parse("category=home+%26%20garden");
        assert_eq!(query.optional("category", Ok), Some("home & garden".to_owned()));
        assert!(query.finish(|| Some(())).is_ok());
    }

    #[test]
    fn two_parameters_that_exclude_each_other_are_a_fault_each() {
        for (raw, faults) in [("a=1", 0), ("b=1", 0), ("", 0), ("a=1&b=2", 2)] {
            let mut query = Query::parse(raw);
            query.not_both(["a", "b"]);
            assert_eq!(query.faults.len(), faults, "{raw}");
        }
    }

    #[test]
    fn together_requires_all_or_none_of_the_parameters() {
        for (raw, faults) in
            [("a=1&b=2", 0), ("c=1", 0), ("a=1&b=2&c=3", 0), ("a=1", 1), ("a=1&c=1", 1), ("", 1)]
        {
            let mut query = Query::parse(raw);
            query.together(&["a", "b"], "c");
            assert_eq!(query.faults.len(), faults, "{raw}");
        }
    }

    #[test]
    fn the_name_of_a_list_does_not_depend_on_order_or_encoding() {
        let name = |raw| Query::parse(raw).encode_without(&["limit", "cursor"]);
        assert_eq!(name("b=2&a=1%20x&limit=5&cursor=z"), "a=1+x&b=2");
        assert_eq!(name("b=2&a=1%20x"), name("limit=7&a=1+x&b=2"));
    }

    #[test]
    fn page_sizes_are_1_to_100() {
        for (raw, size) in [
            ("", Some(20)),
            ("limit=1", Some(1)),
            ("limit=100", Some(100)),
            ("limit=101", None),
            ("limit=%2B5", None),
            ("limit=05", None),
            ("limit=", None),
        ] {
            let mut query = Query::parse(raw);
            let read = query.page_size().get();
            assert_eq!(query.finish(|| Some(read)).ok(), size, "{raw}");
        }
    }
}
