//! Finds the tags of a Tera template with their places. What stands in them is read by `reads`.

/// A tag: `{{ … }}` or `{% … %}`.
#[derive(Debug, Clone, Copy)]
pub struct Tag<'a> {
    /// What is between the delimiters.
    pub text: &'a str,
    /// Where that begins, in bytes.
    pub at: usize,
    /// Where that ends.
    pub end: usize,
    /// Whether it is `{% … %}`.
    pub is_block: bool,
}

impl<'a> Tag<'a> {
    /// The first word of a block, such as `for`; empty for `{{ … }}`.
    pub fn keyword(&self) -> &'a str {
        if !self.is_block {
            return "";
        }
        self.text.trim_start_matches('-').split_whitespace().next().unwrap_or_default()
    }
}

/// The tags of a template, in order; comments and `raw` blocks are none.
pub fn tags(source: &str) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut raw = false;
    while let Some(open) = source.get(at..).and_then(|rest| rest.find('{')).map(|found| at + found) {
        let rest = source.get(open..).unwrap_or_default();
        let (close, is_block) = match rest.get(..2) {
            Some("{{") => ("}}", false),
            Some("{%") => ("%}", true),
            Some("{#") => {
                at = rest.find("#}").map_or(source.len(), |end| open + end + 2);
                continue;
            }
            _ => {
                at = open + 1;
                continue;
            }
        };
        let start = open + 2;
        let end = close_of(source, start, close);
        let tag = Tag { text: source.get(start..end).unwrap_or_default(), at: start, end, is_block };
        match tag.keyword() {
            "raw" => raw = true,
            "endraw" => raw = false,
            _ if !raw => found.push(tag),
            _ => {}
        }
        at = (end + 2).min(source.len());
    }
    found
}

/// Where a tag ends: the first closing delimiter that is not in quotes.
fn close_of(source: &str, start: usize, close: &str) -> usize {
    let mut at = start;
    while let Some(rest) = source.get(at..)
        && let Some(first) = rest.chars().next()
    {
        if rest.starts_with(close) {
            return at;
        }
        at += if matches!(first, '"' | '\'' | '`') { quoted(rest, first) } else { first.len_utf8() };
    }
    source.len()
}

/// The length of the quoted text that `rest` begins with.
pub fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_where_they_stand() {
        let source = "a {{ order.number }} {# {{ no }} #} {% raw %}{{ raw }}{% endraw %}{% if x == '%}' %}é{{ y }}";
        let found = tags(source);
        let texts: Vec<&str> = found.iter().map(|tag| tag.text.trim()).collect();
        assert_eq!(texts, ["order.number", "if x == '%}'", "y"]);
        assert_eq!(found[2].at, source.rfind(" y }}").unwrap());
        assert!(tags("{{ never closed").len() == 1 && tags("{").is_empty() && tags("").is_empty());
    }
}
