//! Points in time and lengths of time, in milliseconds.
//!
//! Not here: asking what time it is; that is `clock` at the rim and the store at append.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ms(pub u64);

impl Ms {
    /// The last time Beckon takes from outside: 2262-01-01, where nanoseconds still fit.
    pub const MAX: Ms = Ms(9_214_646_400_000);

    /// This time and `length` more.
    pub fn plus(self, length: Millis) -> Ms {
        Ms(self.0.saturating_add(length.0))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Ms) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// Reads RFC 3339; none where it is not, is before 1970 or after [`Ms::MAX`].
    pub fn parse_rfc3339(text: &str) -> Option<Ms> {
        let stamp: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(stamp.as_millisecond()).ok().map(Ms).filter(|ms| *ms <= Ms::MAX)
    }
}

/// As RFC 3339 in UTC with milliseconds.
impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0.min(Ms::MAX.0)).unwrap_or_default();
        match jiff::Timestamp::from_millisecond(ms) {
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "{ms} ms"),
        }
    }
}

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// So many seconds.
    pub const fn seconds(n: u64) -> Millis {
        Millis(n * 1_000)
    }

    /// So many minutes.
    pub const fn minutes(n: u64) -> Millis {
        Millis(n * 60_000)
    }

    /// So many hours.
    pub const fn hours(n: u64) -> Millis {
        Millis(n * 3_600_000)
    }

    /// Reads `250ms`, `30s`, `5m`, `24h`, `7d`, `2w`; a number and one unit. None for anything else.
    pub fn parse(text: &str) -> Option<Millis> {
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(split);
        let unit: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(unit).map(Millis)
    }

    /// The same as the standard library's type, for waiting at the rim.
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

/// In the largest unit that divides it: `30m`, not `1800000ms`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        match units.iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size)) {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_a_number_and_a_unit() {
        assert_eq!(Millis::parse("30m"), Some(Millis::minutes(30)));
        assert_eq!(Millis::parse("24h"), Some(Millis::hours(24)));
        assert_eq!(Millis::parse("250ms"), Some(Millis(250)));
        for wrong in ["", "30", "m", "-3m", "3 m", "1h30m", "99999999999999999999s", "30000000000000000w"] {
            assert_eq!(Millis::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Millis::minutes(90).to_string(), "90m");
    }

    #[test]
    fn times_are_rfc_3339() {
        let noon = Ms::parse_rfc3339("2026-11-23T12:00:00.250+00:00");
        assert_eq!(noon.map(|t| t.to_string()).as_deref(), Some("2026-11-23T12:00:00.250Z"));
        assert_eq!(Ms::parse_rfc3339("1969-01-01T00:00:00Z"), None);
        assert_eq!(Ms::parse_rfc3339("9999-01-01T00:00:00Z"), None);
    }
}
