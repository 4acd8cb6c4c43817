//! What models and APIs answer, made fit to be kept: NUL and lone surrogates become U+FFFD. (From senders and customers
//! they are refused instead; that is `json`.)

/// The character that stands for one that cannot be kept.
pub const REPLACEMENT: char = '\u{fffd}';

/// Replaces, in the text of a JSON document, every escape of NUL and of a lone surrogate by the escape of U+FFFD, which
/// is as long. What is no JSON stays none.
pub fn mend_escapes(json: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += found;
        at += match unit(json, at) {
            Some(0xd800..=0xdbff) if matches!(unit(json, at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0 | 0xd800..=0xdfff) => {
                if let Some(digits) = json.get_mut(at + 2..at + 6) {
                    digits.copy_from_slice(b"fffd");
                }
                6
            }
            Some(_) => 6,
            None => 2,
        };
    }
}

/// The UTF-16 unit of the escape `\uXXXX` at this place; none where another thing stands there.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let escape = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(escape).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

/// Replaces NUL in a text.
pub fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// The first `most` characters of a text, with `…` where more followed.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mend_escapes(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn nul_and_lone_surrogates_become_replacement_characters() {
        let cases = [
            (r#""a\u0000b""#, "a\u{fffd}b"),
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\uDC00x""#, "\u{fffd}x"),
            (r#""\ud800\ud800\udc00""#, "\u{fffd}\u{10000}"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\\ud800""#, "\\ud800"),
            (r#""\\\ud800""#, "\\\u{fffd}"),
            (r#""\ud800\n""#, "\u{fffd}\n"),
            (r#""é\u00e9""#, "éé"),
        ];
        for (text, expected) in cases {
            let value: String = serde_json::from_str(&mended(text)).expect(text);
            assert_eq!(value, expected, "{text}");
        }
    }

    #[test]
    fn what_is_cut_short_or_no_json_stays_as_it_is() {
        for text in ["\\", "\\u", "\\u12", "\\ud80", "\\u+123", "\"\\uzzzz\"", "", "no json"] {
            assert_eq!(mended(text), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("ééé", 2), "éé…");
        assert_eq!(cut("ééé", 3), "ééé");
    }

    proptest::proptest! {
        #[test]
        fn whatever_strings_a_document_escapes_it_can_be_read(units in proptest::collection::vec(0u16..=u16::MAX, 0..20)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let value: String = serde_json::from_str(&mended(&format!("\"{escaped}\""))).unwrap();
            proptest::prop_assert!(!value.contains('\0'));
        }
    }
}
