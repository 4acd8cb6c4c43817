//! `Retry-After`: how long another server asks to be left alone.

use std::time::Duration;

use super::time::Ms;

/// The longest wait that is taken from another server.
pub const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Reads `Retry-After`: seconds, or an HTTP date. A date is taken relative to the answer's own `Date` where there is
/// one, so that clocks that differ do not matter, else to `now`. None for anything else.
pub fn parse(value: &str, date: Option<&str>, now: Ms) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => http_date(value)?.since(date.and_then(http_date).unwrap_or(now)).duration(),
    };
    Some(wait.min(LONGEST))
}

fn http_date(text: &str) -> Option<Ms> {
    let stamp = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    u64::try_from(stamp.as_millisecond()).ok().map(Ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_http_dates_are_read_and_bounded() {
        let now = Ms::parse_rfc3339("2026-11-23T09:24:00Z").unwrap();
        let date = Some("Mon, 23 Nov 2026 09:24:07 GMT");
        let cases = [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("Mon, 23 Nov 2026 09:24:30 GMT", None, Some(30)),
            ("Mon, 23 Nov 2026 09:24:30 GMT", date, Some(23)),
            ("Mon, 23 Nov 2026 09:00:00 GMT", date, Some(0)),
            ("999999999", None, Some(LONGEST.as_secs())),
            ("soon", None, None),
            ("-1", None, None),
            ("", None, None),
        ];
        for (value, date, seconds) in cases {
            assert_eq!(parse(value, date, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
