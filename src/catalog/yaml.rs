//! YAML 1.2 as a tree that knows where each piece was written, so that all mistakes of a file can be told at once.
//!
//! Bounded: depth, pieces, and what aliases multiply. Duplicate keys, tags and second documents are refused.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, options};
use serde_json::{Map, Number, Value};

use super::mistake::{File, Mistakes, Spot};

/// The deepest nesting.
const MAX_DEPTH: usize = 32;

/// The most pieces (scalars, lists, mappings) of a file, aliases counted as what they stand for.
const MAX_NODES: usize = 20_000;

/// A piece of a YAML file.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it was written.
    pub spot: Spot,
    /// What it is.
    pub kind: Kind,
}

/// What a piece is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A scalar; plain ones may be a number, true, false or null.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order written, each key once.
    Map(Vec<(Key, Node)>),
}

/// A scalar.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text, unescaped.
    pub text: String,
    /// Whether it was written without quotes: only then it can be more than text.
    pub plain: bool,
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub struct Key {
    /// The text.
    pub name: String,
    /// Where it was written.
    pub spot: Spot,
}

impl Node {
    /// What it is, in a word with its article, for messages.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Scalar(scalar) => match scalar.value() {
                Value::Null => "nothing",
                Value::Bool(_) => "true or false",
                Value::Number(_) => "a number",
                _ => "text",
            },
        }
    }

    /// Whether it is null or an empty value.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.value().is_null())
    }

    /// The scalar, where it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The same as JSON, by YAML's core schema.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(),
            Kind::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Kind::Map(entries) => {
                let fields: Map<String, Value> =
                    entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect();
                Value::Object(fields)
            }
        }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => items.iter().map(Node::size).sum(),
            Kind::Map(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
        }
    }
}

impl Scalar {
    /// The value by YAML 1.2's core schema: `on` and `yes` are text.
    pub fn value(&self) -> Value {
        if !self.plain {
            return Value::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
        }
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let plain = text.strip_prefix('+').unwrap_or(text);
        return plain.parse::<i64>().map(Number::from).or_else(|_| plain.parse::<u64>().map(Number::from)).ok();
    }
    let float = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if float { text.parse::<f64>().ok().and_then(Number::from_f64) } else { None }
}

/// Reads one file; none where it cannot be read, and then a mistake says why.
pub fn parse(file: File<'_>, mistakes: &mut Mistakes) -> Option<Node> {
    let mut builder = Builder { file, mistakes, open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None };
    let options = options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH, emit_comments: false };
    for next in Parser::new_from_str_with_options(file.text, options) {
        match next {
            Ok((event, span)) => {
                let spot = Spot {
                    start: span.start.byte_offset().unwrap_or_default(),
                    end: span.end.byte_offset().unwrap_or_default(),
                };
                if builder.take(event, spot).is_err() {
                    return None;
                }
            }
            Err(error) => {
                let start = error.marker().byte_offset().unwrap_or_default();
                builder.mistakes.at(file, Spot { start, end: start }, format!("this is not YAML: {}", error.info()));
                return None;
            }
        }
    }
    if builder.root.is_none() {
        builder.mistakes.at(file, Spot::default(), "the file is empty");
    }
    builder.root
}

/// A list or mapping that has not ended yet.
struct Open {
    spot: Spot,
    anchor: usize,
    /// The last key, while its value is awaited.
    key: Option<Key>,
    kind: Kind,
}

struct Builder<'a, 'b> {
    file: File<'a>,
    mistakes: &'b mut Mistakes,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

/// The file cannot be read further; a mistake was noted.
struct Stop;

impl Builder<'_, '_> {
    fn take(&mut self, event: Event<'_>, spot: Spot) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => self.stop(spot, "one file holds one document"),
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, spot)?;
                if tag.is_some() {
                    return self.stop(spot, "tags are not supported");
                }
                let scalar = Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.put(Node { spot, kind: Kind::Scalar(scalar) }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => self.begin(spot, anchor, tag.is_some(), Kind::List(Vec::new())),
            Event::MappingStart(_, anchor, tag) => self.begin(spot, anchor, tag.is_some(), Kind::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(mut done) => {
                    done.spot.end = spot.end.max(done.spot.start);
                    self.put(Node { spot: done.spot, kind: done.kind }, done.anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                if self.open.iter().any(|open| open.anchor == anchor) {
                    return self.stop(spot, "this alias stands for something that it is part of");
                }
                let Some(mut node) = self.anchors.get(&anchor).cloned() else {
                    return self.stop(spot, "there is no anchor of this name");
                };
                self.count(node.size(), spot)?;
                node.spot = spot;
                self.put(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, spot: Spot, anchor: usize, tagged: bool, kind: Kind) -> Result<(), Stop> {
        self.count(1, spot)?;
        if tagged {
            return self.stop(spot, "tags are not supported");
        }
        if self.open.len() >= MAX_DEPTH {
            return self.stop(spot, "this is nested too deep");
        }
        self.open.push(Open { spot, anchor, key: None, kind });
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match open.key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let Kind::Scalar(Scalar { text, .. }) = node.kind else {
                        return self.stop(node.spot, "a key must be text");
                    };
                    if entries.iter().any(|(key, _)| key.name == text) {
                        // The second is read as if it had another name, so that the rest of the file is checked too.
                        self.mistakes.at(self.file, node.spot, format!("the key `{text}` is here twice"));
                    }
                    open.key = Some(Key { name: text, spot: node.spot });
                }
            },
            Kind::Scalar(_) => {}
        }
        Ok(())
    }

    fn count(&mut self, more: usize, spot: Spot) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            return self.stop(spot, &format!("the file has more than {MAX_NODES} values, aliases included"));
        }
        Ok(())
    }

    fn stop(&mut self, spot: Spot, message: &str) -> Result<(), Stop> {
        self.mistakes.at(self.file, spot, message);
        Err(Stop)
    }
}

/// Where a character of a scalar's text was written: `at` counts bytes of the text. Follows escapes and folded lines
/// as far as they can be followed; where they cannot, the scalar's beginning is meant.
pub fn place(file: File<'_>, node: &Node, at: usize) -> usize {
    let Kind::Scalar(scalar) = &node.kind else { return node.spot.start };
    let raw = file.text.get(node.spot.start..node.spot.end.max(node.spot.start)).unwrap_or_default();
    let mut rest = raw;
    // Quotes, and the header of a block, are no text.
    match raw.chars().next() {
        Some('"' | '\'') if !scalar.plain => rest = raw.get(1..).unwrap_or_default(),
        Some('|' | '>') if !scalar.plain => rest = raw.split_once('\n').map_or("", |(_, body)| body),
        _ => {}
    }
    let base = node.spot.start + (raw.len() - rest.len());
    let single = raw.starts_with('\'') && !scalar.plain;
    let mut read = 0;
    for (index, c) in scalar.text.char_indices() {
        if c != ' ' && c != '\n' && c != '\t' {
            let text = rest.get(read..).unwrap_or_default();
            read += text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
        }
        if index >= at {
            return base + read;
        }
        let text = rest.get(read..).unwrap_or_default();
        read += if single && text.starts_with("''") {
            2
        } else if text.starts_with('\\') && !scalar.plain && !single {
            escape_length(text)
        } else if text.starts_with('\n') || text.starts_with("\r\n") {
            // A folded line: the break and the next line's indentation were one space or one break.
            text.len() - text.trim_start().len()
        } else {
            text.chars().next().map_or(0, char::len_utf8)
        };
    }
    base + read
}

fn escape_length(text: &str) -> usize {
    match text.chars().nth(1) {
        Some('x') => 4,
        Some('u') => 6,
        Some('U') => 10,
        Some(c) => 1 + c.len_utf8(),
        None => 1,
    }
    .min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let node = parse(File { path: "f.yaml", text }, &mut mistakes);
        (node, mistakes.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn scalars_follow_the_core_schema_of_yaml_1_2() {
        let (node, mistakes) =
            read("on: yes\na: 3\nb: 2.5\nc: true\nd:\ne: '3'\nf: 1 per 24h\ng: 0x1F\nh: -1e3\ni: 007\n");
        assert_eq!(mistakes, Vec::<String>::new());
        let expected = serde_json::json!({
            "on": "yes", "a": 3, "b": 2.5, "c": true, "d": null, "e": "3", "f": "1 per 24h", "g": 31, "h": -1000.0, "i": 7
        });
        assert_eq!(node.unwrap().to_json(), expected);
    }

    #[test]
    fn places_inside_of_scalars_are_found_in_every_style() {
        let cases = [
            "a: one && two",
            "a: 'it''s && two'",
            r#"a: "x\u0041\n \"q\" && two""#,
            "a: |\n  one\n  && two\n",
            "a: >-\n  one\n  && two\n",
            "a: one\n  && two\n",
            "a: \"one\n   && two\"\n",
            "b: &x [1]\na: { c: 'ünö && two' }\n",
        ];
        for text in cases {
            let (node, mistakes) = read(text);
            assert_eq!(mistakes, Vec::<String>::new(), "{text}");
            let node = node.unwrap();
            let mut scalar = node.get("a").unwrap();
            scalar = scalar.get("c").unwrap_or(scalar);
            let at = scalar.scalar().unwrap().text.find("two").unwrap();
            let found = place(File { path: "f", text }, scalar, at);
            assert_eq!(found, text.find("two").unwrap(), "{text:?}: {:?}", scalar);
        }
    }

    #[test]
    fn duplicate_keys_tags_and_second_documents_are_refused() {
        let (_, mistakes) = read("a: 1\nb: 2\na: 3\n");
        assert_eq!(mistakes, ["f.yaml:3:1: the key `a` is here twice\n  3 | a: 3\n    | ^"]);
        assert!(read("a: !!str 1").1[0].contains("tags are not supported"));
        assert!(read("a: 1\n---\nb: 2\n").1[0].contains("one document"));
        assert!(read("").1[0].contains("the file is empty"));
        assert!(read("? [a]\n: b\n").1[0].contains("a key must be text"));
        assert!(read("a: [1, 2\nb: 3\n").1[0].contains("this is not YAML"));
        assert!(read("a: *nobody").1[0].contains("this is not YAML"));
    }

    #[test]
    fn an_alias_bomb_and_a_loop_end_soon() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let names = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{names}]\n"));
        }
        let (node, mistakes) = read(&bomb);
        assert!(node.is_none());
        assert!(mistakes[0].contains("more than 20000 values"), "{mistakes:?}");
        let (node, mistakes) = read("a: &a [1, *a]\n");
        assert!(node.is_none());
        assert!(mistakes[0].contains("part of"), "{mistakes:?}");
        let (node, _) = read("a: &a [1, 2]\nb: *a\n");
        assert_eq!(node.unwrap().to_json(), serde_json::json!({ "a": [1, 2], "b": [1, 2] }));
        assert!(read(&"[".repeat(10_000)).0.is_none());
        assert!(read(&"- ".repeat(10_000)).0.is_none());
    }
}
