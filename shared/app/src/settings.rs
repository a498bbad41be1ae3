//! Settings: the environment variables that the template sets for each function.

use domain::Error;
use std::{collections::HashMap, env};

/// The source of settings.
#[derive(Debug, Clone)]
pub enum Settings {
    /// The environment variables of the process.
    OfProcess,
    /// Fixed values, for tests.
    These(HashMap<String, String>),
}

impl Settings {
    /// A setting that must be present.
    pub fn required(&self, name: &str) -> Result<String, Error> {
        self.optional(name)
            .ok_or_else(|| Error::internal(format!("the environment variable {name} is not set")))
    }

    /// A setting that may be absent; an empty value counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        let value = match self {
            Self::OfProcess => env::var(name).ok(),
            Self::These(settings) => settings.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// A setting that is a whole number.
    pub fn number(&self, name: &str) -> Result<u64, Error> {
        self.required(name)?.parse().map_err(|_| Error::internal(format!("{name} is no whole number")))
    }
}
