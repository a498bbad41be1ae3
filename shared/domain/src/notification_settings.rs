//! How a user wants to be told: by mail at once, once a day, or not at all, and not during quiet hours.

use crate::{
    Error, Fault, Input, Timestamp,
    input::{Checked, Members},
    text::string,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const DAY_SECONDS: u64 = 24 * 60 * 60;
const MINUTES: u16 = 24 * 60;

/// When mails are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MailPace {
    /// When something happens.
    #[default]
    Immediately,
    /// Once a day, with all that has happened.
    Daily,
    /// Never.
    Never,
}

/// A time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

/// The difference between a user's clock and UTC, in whole minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UtcOffset(i16);

/// The hours in which no mail is sent. They may include midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// Their start.
    pub from: TimeOfDay,
    /// Their end; mails that waited are sent then.
    pub until: TimeOfDay,
}

/// How a user wants to be told. The list of notifications and the webhook are not concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationSettings {
    /// When mails are sent.
    pub email: MailPace,
    /// When the daily mail is sent.
    pub daily_at: TimeOfDay,
    /// When none is sent.
    pub quiet_hours: Option<QuietHours>,
    /// The user's clock, by which the other times are.
    pub utc_offset: UtcOffset,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self {
            email: MailPace::default(),
            daily_at: TimeOfDay(8 * 60),
            quiet_hours: None,
            utc_offset: UtcOffset::default(),
        }
    }
}

impl TimeOfDay {
    fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let number = |digits: &str, most: u16| {
            let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|number: &u16| is_number && *number <= most)
        };
        Some(Self(number(hour, 23)? * 60 + number(minute, 59)?))
    }

    /// The minutes from this time of a clock to the next time that it shows `self`: at least one, at most a day.
    fn minutes_after(self, shown: u16) -> u16 {
        match (self.0 + MINUTES - shown) % MINUTES {
            0 => MINUTES,
            minutes => minutes,
        }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("must be a time of day like 22:30")
    }
}

impl From<TimeOfDay> for String {
    fn from(TimeOfDay(minutes): TimeOfDay) -> Self {
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl TryFrom<String> for UtcOffset {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "must be an offset from UTC like +08:00, at most 14 hours";
        let (sign, time) = text.split_at_checked(1).ok_or(wrong)?;
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return Err(wrong),
        };
        let minutes = TimeOfDay::parse(time).and_then(|time| i16::try_from(time.0).ok());
        minutes.filter(|minutes| *minutes <= 14 * 60).map(|minutes| Self(sign * minutes)).ok_or(wrong)
    }
}

impl From<UtcOffset> for String {
    fn from(UtcOffset(minutes): UtcOffset) -> Self {
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.unsigned_abs();
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn text<T: TryFrom<String, Error = &'static str>>(value: Value) -> Checked<T> {
    T::try_from(string(value)?).map_err(|detail| vec![Fault::here(detail)])
}

fn pace(value: Value) -> Checked<MailPace> {
    match string(value)?.as_str() {
        "immediately" => Ok(MailPace::Immediately),
        "daily" => Ok(MailPace::Daily),
        "never" => Ok(MailPace::Never),
        _ => Err(vec![Fault::here("must be immediately, daily or never")]),
    }
}

fn quiet_hours(value: Value) -> Checked<Option<QuietHours>> {
    if value.is_null() {
        return Ok(None);
    }
    let mut members = Members::of(value)?;
    let from = members.required("from", text::<TimeOfDay>);
    let until = members.required("until", text::<TimeOfDay>);
    if from.is_some() && from == until {
        members.fault(Fault::here("must not begin and end at the same time"));
    }
    members.finish(|| Some(Some(QuietHours { from: from?, until: until? })))
}

impl Input for NotificationSettings {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = || {
            let mut members = Members::of(value)?;
            let default = Self::default();
            let email = members.optional("email", pace);
            let daily_at = members.optional("dailyAt", text);
            let quiet_hours = members.optional("quietHours", quiet_hours);
            let utc_offset = members.optional("utcOffset", text);
            members.finish(|| {
                Some(Self {
                    email: email.unwrap_or(default.email),
                    daily_at: daily_at.unwrap_or(default.daily_at),
                    quiet_hours: quiet_hours.flatten(),
                    utc_offset: utc_offset.unwrap_or(default.utc_offset),
                })
            })
        };
        read().map_err(Error::Invalid)
    }
}

impl NotificationSettings {
    /// When a mail about something that happens now is sent; `None` for never.
    pub fn mail_due(&self, now: Timestamp) -> Option<Timestamp> {
        let due = match self.email {
            MailPace::Never => return None,
            MailPace::Immediately => now,
            MailPace::Daily => self.next(self.daily_at, now),
        };
        let is_quiet = |quiet: &QuietHours| {
            // Since the last start there has been no end.
            let shown = self.shown(due);
            quiet.until.minutes_after(shown) < quiet.from.minutes_after(shown)
        };
        Some(self.quiet_hours.filter(is_quiet).map_or(due, |quiet| self.next(quiet.until, due)))
    }

    /// The minute of the day that the user's clock shows.
    fn shown(&self, at: Timestamp) -> u16 {
        let minutes = i64::try_from(at.unix_seconds() % DAY_SECONDS / 60).unwrap_or(0);
        let shown = (minutes + i64::from(self.utc_offset.0)).rem_euclid(MINUTES.into());
        u16::try_from(shown).unwrap_or(0)
    }

    /// The next time that the user's clock shows this.
    fn next(&self, time: TimeOfDay, after: Timestamp) -> Timestamp {
        let whole_minute = Timestamp::from_unix_milliseconds(after.unix_seconds() / 60 * 60_000);
        whole_minute.plus_seconds(u64::from(time.minutes_after(self.shown(after))) * 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> NotificationSettings {
        NotificationSettings::from_json(value).unwrap()
    }

    /// When a mail is sent about what happens at this time.
    fn due(settings: Value, now: &str) -> Option<String> {
        let at = read(settings).mail_due(format!("2026-11-21T{now}Z").parse().unwrap());
        at.map(|at| at.to_string().replace("2026-11-", "").replace(".000Z", ""))
    }

    #[test]
    fn settings_that_are_left_out_are_those_of_somebody_who_set_nothing() {
        let default =
            json!({"email": "immediately", "dailyAt": "08:00", "quietHours": null, "utcOffset": "+00:00"});
        assert_eq!(serde_json::to_value(read(json!({}))).unwrap(), default);
        assert_eq!(read(default), NotificationSettings::default());
        let all = json!({
            "email": "daily", "dailyAt": "23:59", "quietHours": {"from": "22:00", "until": "07:30"}, "utcOffset": "-03:30",
        });
        assert_eq!(serde_json::to_value(read(all.clone())).unwrap(), all);
        assert_eq!(serde_json::from_value::<NotificationSettings>(all.clone()).unwrap(), read(all));
        for pace in ["immediately", "daily", "never"] {
            assert_eq!(serde_json::to_value(read(json!({"email": pace})).email).unwrap(), pace);
        }
    }

    #[test]
    fn every_fault_is_named() {
        let faults = |value| match NotificationSettings::from_json(value) {
            Err(Error::Invalid(faults)) => faults.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            faults(json!({"email": "often", "dailyAt": "8:00", "quietHours": 1, "utcOffset": "8", "x": 1})),
            5
        );
        assert_eq!(faults(json!({"quietHours": {"from": "24:00", "until": "07:60"}})), 2);
        assert_eq!(faults(json!({"quietHours": {"from": "07:00", "until": "07:00"}})), 1);
        assert_eq!(faults(json!({"quietHours": {}})), 2);
        for offset in ["+14:01", "-14:01", "08:00", "+8:00", "+08", "", "é08:00", "+24:00"] {
            assert_eq!(faults(json!({"utcOffset": offset})), 1, "{offset}");
        }
        assert_eq!(read(json!({"utcOffset": "+14:00"})).utc_offset, UtcOffset(14 * 60));
    }

    #[test]
    fn mails_are_sent_at_once_daily_or_never() {
        assert_eq!(due(json!({}), "12:34:56").as_deref(), Some("21T12:34:56"));
        assert_eq!(due(json!({"email": "never"}), "12:34:56"), None);
        let daily = json!({"email": "daily", "dailyAt": "18:00"});
        assert_eq!(due(daily.clone(), "12:34:56").as_deref(), Some("21T18:00:00"));
        assert_eq!(due(daily.clone(), "18:00:30").as_deref(), Some("22T18:00:00"));
        assert_eq!(due(daily, "23:00:00").as_deref(), Some("22T18:00:00"));
    }

    #[test]
    fn mails_wait_for_the_end_of_quiet_hours() {
        let night = json!({"quietHours": {"from": "22:00", "until": "07:00"}});
        for (now, sent) in [
            ("21:59:59", "21T21:59:59"),
            ("22:00:00", "22T07:00:00"),
            ("23:30:00", "22T07:00:00"),
            ("00:00:00", "21T07:00:00"),
            ("06:59:59", "21T07:00:00"),
            ("07:00:00", "21T07:00:00"),
        ] {
            assert_eq!(due(night.clone(), now).as_deref(), Some(sent), "{now}");
        }
        let noon = json!({"quietHours": {"from": "12:00", "until": "13:00"}});
        assert_eq!(due(noon.clone(), "12:30:00").as_deref(), Some("21T13:00:00"));
        assert_eq!(due(noon, "13:30:00").as_deref(), Some("21T13:30:00"));
        let both =
            json!({"email": "daily", "dailyAt": "23:00", "quietHours": {"from": "22:00", "until": "07:00"}});
        assert_eq!(due(both, "12:00:00").as_deref(), Some("22T07:00:00"));
    }

    #[test]
    fn hours_are_those_of_the_users_clock() {
        let quiet = |offset| json!({"quietHours": {"from": "22:00", "until": "07:00"}, "utcOffset": offset});
        assert_eq!(due(quiet("+08:00"), "14:00:00").as_deref(), Some("21T23:00:00"));
        assert_eq!(due(quiet("+08:00"), "13:59:00").as_deref(), Some("21T13:59:00"));
        assert_eq!(due(quiet("-03:30"), "01:30:00").as_deref(), Some("21T10:30:00"));
        assert_eq!(due(quiet("-03:30"), "01:29:00").as_deref(), Some("21T01:29:00"));
        let daily = json!({"email": "daily", "dailyAt": "18:00", "utcOffset": "+08:00"});
        assert_eq!(due(daily, "12:00:00").as_deref(), Some("22T10:00:00"));
    }
}
