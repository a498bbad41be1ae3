//! The header `Retry-After` (RFC 9110, section 10.2.3).

use aws_smithy_types::date_time::{DateTime, Format};
use std::time::Duration;

/// A host that asks for longer is asked again after a day.
const LONGEST: Duration = Duration::from_hours(24);

/// The time to wait from `now` on: a number of seconds, or a date.
pub fn parse(value: &str, now: DateTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let at = DateTime::from_str(value, Format::HttpDate).ok()?;
        Duration::from_secs(u64::try_from(at.secs().saturating_sub(now.secs())).unwrap_or(0))
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let now = DateTime::from_str("Sat, 21 Nov 2026 12:00:00 GMT", Format::HttpDate).unwrap();
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sat, 21 Nov 2026 12:01:00 GMT", Some(60)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
            ("99999999999999999999", Some(86_400)),
            ("Sat, 21 Nov 2099 11:00:00 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("soon", None),
            ("1.5", None),
        ] {
            assert_eq!(parse(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
