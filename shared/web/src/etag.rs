//! Entity tags (RFC 9110, section 8.8.3).
//!
//! The tag of a resource is its version. A representation that includes data without a version, such as a product's
//! rating, appends a digest: `"7.1f0c…"`. `If-Match` compares versions only, so that a new review does not make a
//! seller's change fail; `If-None-Match` compares whole tags.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Fault, Version, version::Seen};

/// The maximum length of a header value, in bytes.
const LONGEST: usize = 1000;

/// The length of a digest of a representation, in bytes.
const DIGEST: usize = 9;

/// The tag of a version.
pub fn of_version(version: Version) -> String {
    format!("\"{version}\"")
}

/// The tag of a version with a digest of the whole representation.
pub fn of_version_with(version: Version, shown: &[u8]) -> String {
    format!("\"{version}.{}\"", digest(shown, DIGEST))
}

/// The tag of a representation that differs from the one with this tag in these bytes.
pub fn of_variant(tag: &str, difference: &[u8]) -> String {
    format!("{}.{}\"", tag.trim_end_matches('"'), digest(difference, DIGEST))
}

/// The tag of these bytes.
pub fn of_content(content: &[u8]) -> String {
    format!("\"{}\"", digest(content, 12))
}

/// The first bytes of a SHA-256, in base64.
fn digest(content: &[u8], bytes: usize) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..bytes])
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any tag.
    Any,
    /// A list of tags: whether each is weak, and its text without the quotes.
    These(Vec<(bool, String)>),
}

impl Tags {
    /// Parses the value of the header field `name`.
    pub fn parse(name: &'static str, value: &str) -> Result<Self, Fault> {
        if value.trim() == "*" {
            return Ok(Self::Any);
        }
        let tags: Option<Vec<_>> =
            split(value).into_iter().map(|tag| parse_tag(tag.trim_matches([' ', '\t']))).collect();
        match tags {
            Some(tags) if value.len() <= LONGEST => Ok(Self::These(tags)),
            _ => Err(Fault::header(name, "must be * or a list of entity tags, as in \"7\"")),
        }
    }

    /// The versions that `If-Match` names. Weak tags match nothing (RFC 9110, section 13.1.1), nor do tags of another
    /// form.
    pub fn versions(self) -> Seen {
        match self {
            Self::Any => Seen::Any,
            Self::These(tags) => {
                let strong = tags.into_iter().filter(|(weak, _)| !weak);
                Seen::Versions(strong.filter_map(|(_, tag)| version(&tag)).collect())
            }
        }
    }

    /// Whether the list contains the tag, by weak comparison (RFC 9110, section 8.8.3.2).
    pub fn matches_weakly(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => {
                tags.iter().any(|(_, known)| tag.trim_start_matches("W/").trim_matches('"') == known)
            }
        }
    }
}

/// Splits at commas outside of quotes.
fn split(value: &str) -> Vec<&str> {
    let mut quoted = false;
    value
        .split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .collect()
}

fn parse_tag(tag: &str) -> Option<(bool, String)> {
    let (weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
    let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
    opaque.bytes().all(|b| b == 0x21 || (0x23..=0x7e).contains(&b)).then(|| (weak, opaque.to_owned()))
}

/// The version in a tag with or without a digest.
fn version(tag: &str) -> Option<Version> {
    let digits = tag.split_once('.').map_or(tag, |(version, _)| version);
    let version: Version = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions_of(value: &str) -> Seen {
        Tags::parse("If-Match", value).unwrap().versions()
    }

    #[test]
    fn versions_are_read_from_tags() {
        assert_eq!(versions_of("*"), Seen::Any);
        assert_eq!(versions_of(r#""7""#), Seen::Versions(vec![7]));
        assert_eq!(versions_of(r#""7", "8.0a1b"  ,"9""#), Seen::Versions(vec![7, 8, 9]));
        let tag = of_version_with(12, b"x");
        assert_eq!(versions_of(&tag), Seen::Versions(vec![12]));
        assert_eq!(versions_of(&of_variant(&tag, b"y")), Seen::Versions(vec![12]));
        assert_ne!(of_variant(&tag, b"y"), of_variant(&tag, b"z"));
    }

    #[test]
    fn weak_and_foreign_tags_match_nothing() {
        assert_eq!(versions_of(r#"W/"7", "x", "07", "a,b", """#), Seen::Versions(vec![]));
    }

    #[test]
    fn malformed_tags_are_faults() {
        for bad in [
            "",
            "7",
            "\"7",
            "7\"",
            "\"7\",",
            ",",
            "\"a b\"",
            "w/\"7\"",
            "\"a\"b\"",
            &format!("\"{}\"", "x".repeat(1000)),
        ] {
            assert!(Tags::parse("If-Match", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn if_none_match_compares_whole_tags_weakly() {
        let known = Tags::parse("If-None-Match", r#""7", W/"8.ab""#).unwrap();
        assert!(known.matches_weakly(r#""7""#) && known.matches_weakly(r#""8.ab""#));
        assert!(!known.matches_weakly(r#""8""#) && !known.matches_weakly(r#""7.ab""#));
    }
}
