//! What a Tera template reads: the names and paths in its tags with their places, what its loops bind, what it includes.
//! Tera tells which names there are, but neither where they stand nor which fields are asked of them.

use super::shape::{Names, Shape, Step};
use super::tags::{Tag, quoted, tags};

/// Words that are no names.
const KEYWORDS: &[&str] = &[
    "and",
    "elif",
    "else",
    "endfor",
    "endif",
    "false",
    "filter",
    "for",
    "if",
    "in",
    "include",
    "is",
    "none",
    "not",
    "or",
    "set",
    "set_global",
    "true",
];

/// What was found in a template.
#[derive(Debug, Default)]
pub struct Reads {
    /// Names that it does not bind itself, with their places.
    pub names: Vec<(String, usize)>,
    /// Fields that are not there.
    pub missing: Vec<Missing>,
    /// What it includes, in order.
    pub includes: Vec<Include>,
    /// How deep its loops stand in one another.
    pub loops: usize,
}

/// A field that is not there.
#[derive(Debug)]
pub struct Missing {
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What was perhaps meant.
    pub suggestion: Option<String>,
}

/// Another template that is included.
#[derive(Debug)]
pub struct Include {
    /// Its path.
    pub path: String,
    /// Where that stands.
    pub at: usize,
    /// In how many loops.
    pub depth: usize,
    /// What is bound there, beside the template's own names: the included one sees it.
    pub bound: Names,
}

/// Reads a template; what is known of its names tells which fields are missing.
pub fn reads(source: &str, names: &Names) -> Reads {
    let mut reader = Reader { names, frames: vec![Names::new()], reads: Reads::default() };
    for tag in tags(source) {
        let tokens = tokens(&tag);
        if tag.is_block {
            reader.block(&tokens);
        } else {
            reader.expression(&tokens);
        }
    }
    reader.reads
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind<'a> {
    Word(&'a str),
    Text(&'a str),
    Number,
    Dot,
    Open,
    Close,
    Sign(char),
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind<'a>,
    at: usize,
}

/// A path such as `order.lines[0].title`.
struct Path<'a> {
    root: &'a str,
    at: usize,
    steps: Vec<(Step<'a>, usize)>,
    /// Whether it goes on in a way that is not known here: `[n]`, `[1:2]`.
    is_open: bool,
}

struct Reader<'n> {
    names: &'n Names,
    /// What is bound: by the template, then by each loop.
    frames: Vec<Names>,
    reads: Reads,
}

impl Reader<'_> {
    fn block(&mut self, tokens: &[Token<'_>]) {
        let rest = tokens.get(1..).unwrap_or_default();
        match tokens.first().map(|token| token.kind) {
            Some(Kind::Word("for")) => self.enter(rest),
            Some(Kind::Word("endfor")) if self.frames.len() > 1 => {
                self.frames.pop();
            }
            Some(Kind::Word(keyword @ ("set" | "set_global"))) => {
                self.expression(rest);
                // What it is set to may depend on a condition: nothing is said of its fields.
                let frame = if keyword == "set" { self.frames.last_mut() } else { self.frames.first_mut() };
                if let (Some(Token { kind: Kind::Word(name), .. }), Some(frame)) = (rest.first(), frame) {
                    frame.insert((*name).to_owned(), Shape::Any);
                }
            }
            Some(Kind::Word("include")) => {
                if let Some(Token { kind: Kind::Text(path), at }) = rest.first() {
                    let bound = self.frames.iter().flatten().map(|(name, shape)| (name.clone(), shape.clone()));
                    let (path, bound, depth) = ((*path).to_owned(), bound.collect(), self.frames.len() - 1);
                    self.reads.includes.push(Include { path, at: *at, depth, bound });
                }
            }
            _ => self.expression(tokens),
        }
    }

    /// A loop: what it goes through is read outside of it.
    fn enter(&mut self, tokens: &[Token<'_>]) {
        let at = tokens.iter().position(|token| token.kind == Kind::Word("in")).unwrap_or(tokens.len());
        let (bound, through) = tokens.split_at(at);
        let through = through.get(1..).unwrap_or_default();
        self.expression(through);
        let item = match path(through, 0) {
            Some((path, end)) if end == through.len() && !path.is_open => self.shape(&path).item(),
            _ => Shape::Any,
        };
        let words: Vec<&str> = bound.iter().filter_map(word).collect();
        let alone = words.len() == 1;
        let shapes = words.iter().map(|name| ((*name).to_owned(), if alone { item.clone() } else { Shape::Any }));
        let mut frame: Names = shapes.collect();
        frame.insert("loop".to_owned(), Shape::Any);
        self.frames.push(frame);
        self.reads.loops = self.reads.loops.max(self.frames.len() - 1);
    }

    /// Notes the names and paths of an expression. A list made by `[… for x in …]` binds `x` in all of it.
    fn expression(&mut self, tokens: &[Token<'_>]) {
        let mut frame = Names::new();
        for (at, token) in tokens.iter().enumerate() {
            if token.kind == Kind::Word("for") {
                let bound = tokens.iter().skip(at + 1).take_while(|token| token.kind != Kind::Word("in"));
                frame.extend(bound.filter_map(word).map(|name| (name.to_owned(), Shape::Any)));
            }
        }
        self.frames.push(frame);
        let mut at = 0;
        while at < tokens.len() {
            at = match path(tokens, at) {
                Some((path, end)) => {
                    self.path(&path);
                    // Within brackets there may be paths again.
                    end
                }
                None => at + 1,
            };
        }
        self.frames.pop();
    }

    fn path(&mut self, path: &Path<'_>) {
        if self.bound(path.root).is_none() {
            self.reads.names.push((path.root.to_owned(), path.at));
        }
        let known = self.bound(path.root).or_else(|| self.names.get(path.root)).unwrap_or(&Shape::Any);
        let steps: Vec<Step<'_>> = path.steps.iter().map(|(step, _)| *step).collect();
        if let Err(missing) = known.follow(path.root, &steps)
            && let Some((Step::Field(field) | Step::Quoted(field), start)) = path.steps.get(missing.step)
        {
            let (start, end) = (*start, start + field.len());
            let (message, suggestion) = (missing.message, missing.suggestion);
            self.reads.missing.push(Missing { start, end, message, suggestion });
        }
    }

    fn shape(&self, path: &Path<'_>) -> Shape {
        let known = self.bound(path.root).or_else(|| self.names.get(path.root)).unwrap_or(&Shape::Any);
        let steps: Vec<Step<'_>> = path.steps.iter().map(|(step, _)| *step).collect();
        known.follow(path.root, &steps).unwrap_or(Shape::Any)
    }

    fn bound(&self, name: &str) -> Option<&Shape> {
        self.frames.iter().rev().find_map(|frame| frame.get(name))
    }
}

fn word<'a>(token: &Token<'a>) -> Option<&'a str> {
    match token.kind {
        Kind::Word(word) => Some(word),
        _ => None,
    }
}

/// The path that begins at a token, and where it ends; none where no name stands there.
fn path<'a>(tokens: &[Token<'a>], at: usize) -> Option<(Path<'a>, usize)> {
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    let root = word(tokens.get(at)?).filter(|word| !KEYWORDS.contains(word))?;
    let before = at.checked_sub(1).and_then(kind);
    let is_test = before == Some(Kind::Word("is"))
        || (before == Some(Kind::Word("not")) && at.checked_sub(2).and_then(kind) == Some(Kind::Word("is")));
    // Fields, filters and tests, functions, and the names of arguments.
    if is_test
        || matches!(before, Some(Kind::Dot | Kind::Sign('|')))
        || matches!(kind(at + 1), Some(Kind::Sign('(' | '=')))
    {
        return None;
    }
    let mut path = Path { root, at: tokens.get(at)?.at, steps: Vec::new(), is_open: false };
    let mut next = at + 1;
    loop {
        let start = tokens.get(next + 1).map(|token| token.at).unwrap_or_default();
        match (kind(next), kind(next + 1), kind(next + 2)) {
            (Some(Kind::Dot), Some(Kind::Word(field)), _) => {
                path.steps.push((Step::Field(field), start));
                next += 2;
            }
            (Some(Kind::Open), Some(Kind::Text(field)), Some(Kind::Close)) => {
                path.steps.push((Step::Quoted(field), start));
                next += 3;
            }
            (Some(Kind::Open), Some(Kind::Number), Some(Kind::Close)) => {
                path.steps.push((Step::Item, start));
                next += 3;
            }
            (Some(Kind::Open), ..) => {
                path.is_open = true;
                return Some((path, next));
            }
            _ => return Some((path, next)),
        }
    }
}

fn tokens<'a>(tag: &Tag<'a>) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = tag.text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let run = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        let start = tag.at + at;
        let (kind, length) = match first {
            c if c.is_ascii_digit() => (Some(Kind::Number), run(|c| c.is_ascii_digit())),
            c if is_part(c) => {
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                (Some(Kind::Word(rest.get(..length).unwrap_or_default())), length)
            }
            '"' | '\'' | '`' => {
                let length = quoted(rest, first);
                let text = rest.get(1..length).unwrap_or_default();
                found.push(Token { kind: Kind::Text(text.strip_suffix(first).unwrap_or(text)), at: start + 1 });
                (None, length)
            }
            '=' | '!' | '<' | '>' if rest.get(1..2) == Some("=") => (Some(Kind::Sign('≟')), 2),
            '?' if rest.starts_with("?.") => (Some(Kind::Dot), 2),
            '?' if rest.starts_with("?[") => (Some(Kind::Open), 2),
            '.' => (Some(Kind::Dot), 1),
            '[' => (Some(Kind::Open), 1),
            ']' => (Some(Kind::Close), 1),
            c if c.is_whitespace() => (None, c.len_utf8()),
            c => (Some(Kind::Sign(c)), c.len_utf8()),
        };
        found.extend(kind.map(|kind| Token { kind, at: start }));
        at += length;
    }
    // What trims the space around a tag is no sign.
    let trims = |token: Option<&Token<'_>>| token.is_some_and(|token| token.kind == Kind::Sign('-'));
    if trims(found.last()) {
        found.pop();
    }
    if trims(found.first()) {
        found.remove(0);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::shape::{Said, names};
    use super::*;

    fn known() -> Names {
        let mut known = names(&["event", "customer"]);
        known.insert("order".to_owned(), Shape::kept(["number", "lines[].title"], Said::Returns));
        known
    }

    /// The fields that are missing, with what stands at their places.
    fn missing(source: &str) -> Vec<&str> {
        let found = reads(source, &known());
        found.missing.iter().map(|missing| &source[missing.start..missing.end]).collect()
    }

    #[test]
    fn fields_that_are_not_there_are_found_wherever_they_are_read() {
        for (source, expected) in [
            ("é {{ order.numbr }} {{ order.number }}", vec!["numbr"]),
            ("{{ event.dta.x }} {{ customer.trait.x }}", vec!["dta", "trait"]),
            ("{{order['numbr']}} {{ order?.numbr }} {{ order?['numbr'] }}", vec!["numbr", "numbr", "numbr"]),
            (
                "{% if order.numbr and customer.nme == 'x' %}{% elif event.dta.y %}{% endif %}",
                vec!["numbr", "nme", "dta"],
            ),
            ("{% for line in order.lines %}{{ line.titel }}{% endfor %}", vec!["titel"]),
            ("{% for line in order.line %}{% endfor %}{{ order.lines[0].titel }}", vec!["line", "titel"]),
            ("{% set x = order.numbr %}{{ x.y }}", vec!["numbr"]),
            ("{{ order.number | replace(from=customer.idd, to='x') }}", vec!["idd"]),
            ("{{ [line.title for line in order.lins] }}", vec!["lins"]),
            ("{{ event.data[order.numbr].x }}", vec!["numbr"]),
            ("{%- if not order.numbr -%}{%- endif -%}", vec!["numbr"]),
        ] {
            assert_eq!(missing(source), expected, "{source}");
        }
    }

    #[test]
    fn what_a_template_binds_itself_and_what_is_no_name_is_no_mistake() {
        for source in [
            "{% for order in event.data.orders %}{{ order.anything }}{% endfor %}{{ order.number }}",
            "{% for order, line in event.data.orders %}{{ order.x }}{{ line.y }}{% endfor %}",
            "{% set order = event.data %}{{ order.anything }}",
            "{% for a in event.data.b %}{% set_global order = a %}{% endfor %}{{ order.anything }}",
            "{{ [order.x for order in event.data.orders] }}",
            "{{ 'order.x' }} {{ \"a\\\" order.x\" }} {{ event.data.order.x }} {# {{ order.x }} #}",
            "{{ event.data.x | order }} {% if event.data.x is order %}{% endif %} {{ order(order=event.data.x) }}",
            "{% raw %}{{ order.x }}{% endraw %} {{ event.data[0].x }} {{ event.traceparent }} {{ event['date'] }}",
            "{{ order.lines[event.data.n].anything }} {{ order.lines | first }} {{ order.lines[1:2] }}",
            "{{ 1.5 + event.data.n }} {% for l in order.lines %}{{ loop.index }} {{ l.title }}{% endfor %}",
        ] {
            assert_eq!(missing(source), Vec::<&str>::new(), "{source}");
        }
    }

    #[test]
    fn includes_are_found_with_what_is_bound_there() {
        let source = "{% for a in b %}{%- for line in order.lines -%}{%include \"prompts/x.md\"%}{% endfor %}{% endfor %}{% include 'y' %}";
        let found = reads(source, &known());
        assert_eq!(found.loops, 2);
        let [x, y] = found.includes.as_slice() else { panic!("{:?}", found.includes) };
        assert_eq!((x.path.as_str(), x.at, x.depth), ("prompts/x.md", source.find("prompts").unwrap(), 2));
        assert_eq!(x.bound["line"], Shape::kept(["title"], Said::Returns));
        assert_eq!((y.path.as_str(), y.depth, y.bound.len()), ("y", 0, 0));
        let free: Vec<&str> = found.names.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(free, ["b", "order"]);
    }
}
