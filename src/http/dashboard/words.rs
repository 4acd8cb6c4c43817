//! How things are called on pages: customers, times, waits, ids from outside.

use serde::Serialize;

use crate::model::ids::ActorId;
use crate::model::time::{Millis, Ms};

/// An id or name from outside, safe to stand in a line: what is invisible or turns the direction of text is written out.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars().take(1_024) {
        let turns =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || turns {
            shown.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// What a customer is called: the name where it is known, else the id; of an anonymous one only the beginning, for the
/// id is a secret.
pub(super) fn customer(actor: &ActorId, name: Option<&str>) -> String {
    match (name, actor.user_id()) {
        (Some(name), _) => plain(name),
        (None, Some(id)) => plain(id),
        (None, None) => {
            let id = actor.as_str().strip_prefix("anon:").unwrap_or_default();
            format!("Visitor {}", plain(&id.chars().take(4).collect::<String>()))
        }
    }
}

/// The id itself, masked where it is a secret.
pub(super) fn actor(actor: &ActorId) -> String {
    plain(&actor.masked())
}

/// How long ago, in one unit: `12 s`, `4 m`, `3 h`, `9 d`.
pub(super) fn ago(since: Ms, now: Ms) -> String {
    length(now.since(since))
}

/// How much time is left until then: `4 m left`, `12 s late`.
pub(super) fn left(until: Ms, now: Ms) -> String {
    if now > until {
        format!("{} late", length(now.since(until)))
    } else {
        format!("{} left", length(until.since(now)))
    }
}

/// A length of time in one unit.
pub(super) fn length(length: Millis) -> String {
    match length.0 / 1_000 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} m", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// The time of day in UTC, `09:14:02`.
pub(super) fn clock(at: Ms) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

/// Date and time in UTC, `2026-11-24 09:14:02`.
pub(super) fn stamp(at: Ms) -> String {
    at.to_string().get(..19).unwrap_or_default().replace('T', " ")
}

/// A sentence with the times in it apart, so that a page can show them by its own clock.
pub(super) fn with_times(sentence: &str) -> Vec<Words> {
    let mut parts = Vec::new();
    let mut rest = sentence;
    // As `Ms` prints them: `2026-11-24T09:14:02.000Z`.
    while let Some((place, at)) = rest.char_indices().find_map(|(place, _)| {
        let stamp = rest.get(place..place + 24).filter(|stamp| stamp.ends_with('Z'))?;
        Some((place, Ms::parse_rfc3339(stamp)?))
    }) {
        let (before, after) = rest.split_at(place);
        parts.push(Words { text: plain(before), at: stamp(at) });
        rest = after.get(24..).unwrap_or_default();
    }
    parts.push(Words { text: plain(rest), at: String::new() });
    parts
}

/// Words, and the time that follows them; empty where none does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) at: String,
}

/// The day in UTC, `2026-11-24`.
pub(super) fn day(at: Ms) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

/// A name of a closed list, as words: `not_matched` is "not matched".
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A number with its thousands apart: `1,604`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Part of a path or a query, safe to stand in an address.
pub(super) fn address(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The page of a customer; a customer whose id is a secret is found by a conversation or event of theirs. Empty where there is
/// neither.
pub(super) fn customer_page(actor: &ActorId, handle: Option<&str>) -> String {
    match (actor.user_id(), handle) {
        (Some(_), _) => format!("/operator/customers/{}", address(actor.as_str())),
        (None, Some(handle)) => format!("/operator/customers/{}", address(handle)),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_the_direction_of_text_is_written_out() {
        assert_eq!(plain("a\u{202e}b\n"), "a\u{27e8}U+202E\u{27e9}b\u{27e8}U+000A\u{27e9}");
        assert_eq!(plain("Ümläut 😀"), "Ümläut 😀");
    }

    #[test]
    fn times_in_a_sentence_stand_apart() {
        let words = with_times("2 of 3 since 2026-11-24T09:14:02.000Z; until 2026-11-24T09:24:02.000Z, é");
        let said = |text: &str, at: &str| Words { text: text.to_owned(), at: at.to_owned() };
        let expected =
            [said("2 of 3 since ", "2026-11-24 09:14:02"), said("; until ", "2026-11-24 09:24:02"), said(", é", "")];
        assert_eq!(words, expected);
    }

    #[test]
    fn an_anonymous_customer_is_shown_by_the_beginning_of_the_id() {
        let secret = ActorId::anonymous("7f3c0123456789abcdef");
        assert_eq!(customer(&secret, None), "Visitor 7f3c");
        assert_eq!(customer(&ActorId::user("42"), Some("Ana")), "Ana");
        assert!(!actor(&secret).contains("0123"));
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1_604, 1_234_567].map(number), ["0", "999", "1,604", "1,234,567"]);
    }

    #[test]
    fn the_address_of_an_anonymous_customer_is_no_secret() {
        let secret = ActorId::anonymous("7f3c0123456789abcdef");
        assert_eq!(customer_page(&secret, Some("1-2-0-0")), "/operator/customers/1%2D2%2D0%2D0");
        assert_eq!(customer_page(&secret, None), "");
        assert_eq!(customer_page(&ActorId::user("a/b"), None), "/operator/customers/user%3Aa%2Fb");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(ago(Ms(0), Ms(59_999)), "59 s");
        assert_eq!(ago(Ms(0), Ms(3_599_000)), "59 m");
        assert_eq!(ago(Ms(5), Ms(0)), "0 s");
        assert_eq!(clock(Ms(1_764_000_000_000)), "16:00:00");
        assert_eq!(stamp(Ms(1_764_000_000_000)), "2025-11-24 16:00:00");
    }
}
