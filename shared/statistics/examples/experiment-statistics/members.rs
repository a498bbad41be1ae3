//! Takes the members of a case: each has to be there and right, and none may be left over.

use serde_json::{Map, Value};
use statistics::AnalysisSettings;

/// The members of an object that have not been taken yet.
pub struct Members(Map<String, Value>);

impl Members {
    pub fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            other => Err(format!("{other} is not an object")),
        }
    }

    pub fn optional(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub fn required(&mut self, name: &str) -> Result<Value, String> {
        self.optional(name).ok_or_else(|| format!("{name} is missing"))
    }

    /// A number of JSON, or a text of digits, which any reader of JSON keeps exact.
    pub fn integer(&mut self, name: &str) -> Result<i128, String> {
        integer(&self.required(name)?).map_err(|error| format!("{name}: {error}"))
    }

    /// A number of visitors or the like: at most 10^15, so that sums of a hundred do not overflow.
    pub fn count(&mut self, name: &str) -> Result<u64, String> {
        count(name, &self.required(name)?)
    }

    pub fn optional_count(&mut self, name: &str) -> Result<Option<u64>, String> {
        self.optional(name).map(|value| count(name, &value)).transpose()
    }

    pub fn text(&mut self, name: &str) -> Result<String, String> {
        let value = self.required(name)?;
        value.as_str().map(str::to_owned).ok_or_else(|| format!("{name} must be a text"))
    }

    pub fn number(&mut self, name: &str) -> Result<f64, String> {
        number(name, &self.required(name)?)
    }

    pub fn optional_number(&mut self, name: &str) -> Result<Option<f64>, String> {
        self.optional(name).map(|value| number(name, &value)).transpose()
    }

    pub fn list(&mut self, name: &str) -> Result<Vec<Value>, String> {
        match self.required(name)? {
            Value::Array(values) => Ok(values),
            _ => Err(format!("{name} must be a list")),
        }
    }

    pub fn settings(&mut self) -> Result<AnalysisSettings, String> {
        let Some(settings) = self.optional("settings") else { return Ok(AnalysisSettings::default()) };
        let settings: AnalysisSettings =
            serde_json::from_value(settings).map_err(|error| format!("settings: {error}"))?;
        let is_right = [settings.alpha, settings.sample_ratio_threshold].iter().all(|p| *p > 0.0 && *p < 1.0)
            && settings.sequential_tuning > 0.0
            && settings.prior_standard_deviation.is_none_or(|deviation| deviation > 0.0);
        is_right.then_some(settings).ok_or_else(|| "settings: a number is out of its range".to_owned())
    }

    pub fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{name} is not a member of this kind")),
        }
    }
}

pub fn integer(value: &Value) -> Result<i128, String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    text.parse().map_err(|_| format!("{value} is not an integer of 128 bits"))
}

fn count(name: &str, value: &Value) -> Result<u64, String> {
    let count = integer(value).ok().and_then(|count| u64::try_from(count).ok());
    count.filter(|count| *count <= 1_000_000_000_000_000).ok_or_else(|| format!("{name} must be 0 to 10^15"))
}

fn number(name: &str, value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| format!("{name} must be a number"))
}
