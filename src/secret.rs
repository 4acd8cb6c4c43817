//! Secrets: values that never show in logs, errors or `Debug`.

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;

/// A secret value. `Debug` and `Display` show `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Holds a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value itself, for the one place that sends or checks it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in time that depends on lengths only.
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// Reads `env:NAME` or `file:PATH` by `env`; anything else is the value itself.
    ///
    /// # Errors
    /// A sentence that names the variable or file, never a value.
    pub fn resolve(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, String> {
        if let Some(name) = text.strip_prefix("env:") {
            return match env(name) {
                Some(value) if !value.is_empty() => Ok(Secret(value)),
                _ => Err(format!("the environment variable {name} is not set")),
            };
        }
        if let Some(path) = text.strip_prefix("file:") {
            return match std::fs::read_to_string(path) {
                Ok(value) => Ok(Secret(value.trim_end_matches(['\r', '\n']).to_owned())),
                Err(problem) => Err(format!("the file {path} cannot be read: {problem}")),
            };
        }
        Ok(Secret(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}
