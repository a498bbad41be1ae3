//! What a host allows crawlers: robots.txt (RFC 9309) and its extension `Crawl-delay`.

use crate::address::{normal_escapes, push_escape};
use std::time::Duration;

/// What is read of a robots.txt: the rest is ignored, as RFC 9309 allows from 500 KiB on.
pub const MOST_READ: usize = 500 * 1024;

/// A longer delay is as good as this one.
const LONGEST_DELAY: f64 = 3600.0;

/// The rules of a robots.txt for one crawler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Robots {
    rules: Vec<Rule>,
    /// The time to leave between two requests.
    pub crawl_delay: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    allows: bool,
    pattern: String,
}

/// Rules for the user agents named before them.
#[derive(Debug, Default)]
struct Group {
    is_ours: bool,
    is_for_all: bool,
    has_rules: bool,
}

impl Robots {
    /// Nothing is allowed: the host could not say what is (RFC 9309, section 2.3.1.4).
    pub fn closed() -> Self {
        Self { rules: vec![Rule { allows: false, pattern: "/".to_owned() }], crawl_delay: None }
    }

    /// The rules for the crawler with this product token: those of its own groups, else those of `*`.
    pub fn parse(text: &str, token: &str) -> Self {
        let (mut own, mut for_all) = (Self::default(), Self::default());
        let (mut group, mut has_own) = (Group::default(), false);
        for line in text.trim_start_matches('\u{feff}').split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "user-agent" => {
                    if group.has_rules {
                        group = Group::default();
                    }
                    // The token ends where a version begins.
                    let named = value.split(['/', ' ']).next().unwrap_or_default();
                    group.is_ours |= named.eq_ignore_ascii_case(token);
                    group.is_for_all |= named == "*";
                    has_own |= group.is_ours;
                }
                name @ ("allow" | "disallow" | "crawl-delay") => {
                    group.has_rules = true;
                    let rules = [(group.is_ours, &mut own), (group.is_for_all, &mut for_all)];
                    for (_, robots) in rules.into_iter().filter(|(applies, _)| *applies) {
                        robots.add(name, value);
                    }
                }
                _ => {}
            }
        }
        if has_own { own } else { for_all }
    }

    fn add(&mut self, name: &str, value: &str) {
        if name == "crawl-delay" {
            let seconds = value.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
            self.crawl_delay = seconds.map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST_DELAY)));
        } else if !value.is_empty() {
            let pattern = normal_escapes(&encoded(value));
            self.rules.push(Rule { allows: name == "allow", pattern });
        }
    }

    /// Whether a path with its query may be asked for: as the longest rule that matches it says; of two as long, the one
    /// that allows.
    pub fn allows(&self, path_and_query: &str) -> bool {
        let matching = self.rules.iter().filter(|rule| matches(&rule.pattern, path_and_query));
        matching.max_by_key(|rule| (rule.pattern.len(), rule.allows)).is_none_or(|rule| rule.allows)
            || path_and_query == "/robots.txt"
    }
}

/// Percent-encodes what is not ASCII, as addresses do.
fn encoded(pattern: &str) -> String {
    let mut encoded = String::with_capacity(pattern.len());
    for byte in pattern.bytes() {
        if byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            push_escape(&mut encoded, byte);
        }
    }
    encoded
}

/// Whether a pattern matches the start of a path. `*` is any text, and `$` at the end is the path's end. Takes the first
/// place for each part, which is enough, so that the time grows with the lengths alone.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, to_end) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return !to_end || rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if to_end && parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robots(text: &str) -> Robots {
        Robots::parse(text, "SoukPriceWatch")
    }

    #[test]
    fn the_longest_rule_decides() {
        let robots = robots(
            "User-agent: *\nDisallow: /shop\nAllow: /shop/tea\nDisallow: /shop/tea/secret\nAllow: /same\nDisallow: /same",
        );
        for (path, allowed) in [
            ("/", true),
            ("/shop", false),
            ("/shopping", false),
            ("/shop/tea?x=1", true),
            ("/shop/tea/secret", false),
            ("/same", true),
            ("/SHOP", true),
            ("/robots.txt", true),
        ] {
            assert_eq!(robots.allows(path), allowed, "{path}");
        }
    }

    #[test]
    fn own_groups_replace_those_for_all() {
        let text = "# hello\nUser-agent: Other\nDisallow: /\n\nUSER-AGENT: a\nuser-agent: soukpricewatch/2 # us\nDisallow: /a\nCrawl-delay: 2.5\n\
                    User-agent: *\nDisallow: /b\nUser-agent: SoukPriceWatch\nDisallow: /c";
        let robots = robots(text);
        assert!(!robots.allows("/a") && robots.allows("/b") && !robots.allows("/c"));
        assert_eq!(robots.crawl_delay, Some(Duration::from_millis(2500)));
        assert!(!Robots::parse(text, "Other").allows("/x"));
        assert!(Robots::parse(text, "Nobody").allows("/a") && !Robots::parse(text, "Nobody").allows("/b"));
    }

    #[test]
    fn wildcards_and_ends_are_matched() {
        for (pattern, path, matched) in [
            ("/*.php$", "/a/b.php", true),
            ("/*.php$", "/a/b.php?x", false),
            ("/*.php", "/a/b.php?x", true),
            ("/a*b*c", "/a1b2c3", true),
            ("/a*b*c", "/a1c2b3", false),
            ("/a$", "/a", true),
            ("/a$", "/ab", false),
            ("*", "/", true),
            ("/*aa$", "/aaa", true),
            ("/*?sort=", "/p?sort=price", true),
            ("", "/", true),
            ("$", "/", false),
        ] {
            assert_eq!(matches(pattern, path), matched, "{pattern} {path}");
        }
    }

    #[test]
    fn paths_are_compared_in_their_normal_form() {
        let robots = robots("User-agent: *\nDisallow: /caf\u{e9}\nDisallow: /%7Eanna\nDisallow: /a%2fb");
        assert!(!robots.allows("/caf%C3%A9") && !robots.allows("/~anna") && !robots.allows("/a%2Fb"));
        assert!(robots.allows("/a/b"));
    }

    #[test]
    fn what_is_no_rule_allows_everything() {
        for text in [
            "",
            "Disallow: /",
            "User-agent: *\nDisallow:",
            "<html>",
            "User-agent: *\nCrawl-delay: -1\nDisallow",
            "\0\u{feff}",
        ] {
            assert!(robots(text).allows("/x"), "{text}");
            assert_eq!(robots(text).crawl_delay, None, "{text}");
        }
        assert!(!robots("\u{feff}User-agent: *\r\nDisallow: /\r\n").allows("/x"));
        assert!(!Robots::closed().allows("/x"));
    }

    #[test]
    fn a_delay_is_bounded() {
        assert_eq!(robots("User-agent: *\nCrawl-delay: 1e300").crawl_delay, Some(Duration::from_hours(1)));
        assert_eq!(robots("User-agent: *\nCrawl-delay: NaN").crawl_delay, None);
    }

    #[test]
    fn hostile_patterns_take_no_time() {
        let line = format!("Disallow: /{}b$\n", "*a".repeat(1000));
        let robots = robots(&format!("User-agent: *\n{}", line.repeat(200)));
        assert!(robots.allows(&format!("/{}", "a".repeat(2000))));
    }
}
