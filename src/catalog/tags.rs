//! Finds the tags of a Tera template and words in them, with their places: Tera tells names, but not where they stand.

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
    let mut quote = None;
    for (index, c) in source.get(start..).unwrap_or_default().char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if source.get(start + index..).is_some_and(|rest| rest.starts_with(close)) => return start + index,
            None => {}
        }
    }
    source.len()
}

/// How deep loops stand in one another.
pub fn loops(tags: &[Tag<'_>]) -> usize {
    depths(tags).map(|(_, depth)| depth).max().unwrap_or(0)
}

/// What a template includes: the path, where it stands, and in how many loops.
pub fn includes(tags: &[Tag<'_>]) -> Vec<(String, usize, usize)> {
    depths(tags)
        .filter(|(tag, _)| tag.keyword() == "include")
        .filter_map(|(tag, depth)| {
            let open = tag.text.find(['"', '\'', '`'])?;
            let quote = tag.text.get(open..)?.chars().next()?;
            let path = tag.text.get(open + 1..)?.split(quote).next()?;
            Some((path.to_owned(), tag.at + open + 1, depth))
        })
        .collect()
}

/// Each tag with the number of loops that it stands in, itself included.
fn depths<'t, 'a>(tags: &'t [Tag<'a>]) -> impl Iterator<Item = (&'t Tag<'a>, usize)> {
    let mut depth = 0_usize;
    tags.iter().map(move |tag| {
        match tag.keyword() {
            "for" => depth += 1,
            "endfor" => depth = depth.saturating_sub(1),
            _ => {}
        }
        (tag, depth)
    })
}

/// Where a name stands in a tag, as a name of its own.
pub fn word(tag: &Tag<'_>, name: &str) -> Option<usize> {
    occurrences(tag, name).next()
}

/// The fields that a tag asks of a name: `order.number` has `number`.
pub fn member<'a>(tag: &Tag<'a>, root: &str) -> Vec<(&'a str, usize)> {
    occurrences(tag, root)
        .filter_map(|at| {
            let start = at - tag.at + root.len() + 1;
            let field = tag.text.get(start - 1..)?.strip_prefix('.')?;
            let length = field.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(field.len());
            Some((field.get(..length)?, tag.at + start))
        })
        .filter(|(field, _)| !field.is_empty())
        .collect()
}

fn occurrences<'t>(tag: &'t Tag<'_>, name: &'t str) -> impl Iterator<Item = usize> + 't {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.text.match_indices(name).filter_map(move |(at, found)| {
        let before = tag.text.get(..at)?;
        let after = tag.text.get(at + found.len()..)?;
        let alone = !before.ends_with(|c: char| part(c) || c == '.') && !after.starts_with(part);
        let quotes = before.matches(['"', '\'']).count();
        (alone && quotes.is_multiple_of(2)).then_some(tag.at + at)
    })
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
        assert_eq!(word(&found[2], "y"), Some(source.rfind('y').unwrap()));
        assert_eq!(member(&found[0], "order"), [("number", source.find("number").unwrap())]);
        assert_eq!(word(&found[0], "number"), None);
        assert!(tags("{{ never closed").len() == 1 && tags("{").is_empty() && tags("").is_empty());
    }

    #[test]
    fn loops_and_includes_are_counted() {
        let source =
            "{% for a in b %}{%- for c in a -%}{% include \"prompts/x.md\" %}{% endfor %}{% endfor %}{% include 'y' %}";
        let found = tags(source);
        assert_eq!(loops(&found), 2);
        let included = includes(&found);
        assert_eq!(included[0], ("prompts/x.md".to_owned(), source.find("prompts").unwrap(), 2));
        assert_eq!((included[1].0.as_str(), included[1].2), ("y", 0));
    }
}
