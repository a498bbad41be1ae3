//! Settings, from the environment that the template gives each function.

use domain::Error;
use std::env;

/// A setting that the function cannot do without.
pub fn required(name: &str) -> Result<String, Error> {
    optional(name).ok_or_else(|| Error::internal(format!("the environment has no {name}")))
}

/// A setting that may be absent; an empty one is.
pub fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A setting that is a whole number.
pub fn number(name: &str) -> Result<u64, Error> {
    required(name)?.parse().map_err(|_| Error::internal(format!("{name} is no whole number")))
}
