//! The layers of the configuration: defaults, `beckon.toml`, environment, flags. Each value knows where it was said.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// What messages about text that does not parse begin with.
pub const NO_TOML: &str = "this is not TOML";

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In `config.default.toml`.
    Default,
    /// In the workspace's file: bytes of its text.
    File(Range<usize>),
    /// In this environment variable.
    Env(String),
    /// By this flag.
    Flag(String),
}

/// A value and where it was said.
#[derive(Debug, Clone)]
pub struct Item {
    /// The value.
    pub tree: Tree,
    /// Where it was said.
    pub place: Place,
    /// Where its key was written, in the file.
    pub key: Option<Range<usize>>,
}

/// A value.
#[derive(Debug, Clone)]
pub enum Tree {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Another number, or a time: nothing that a setting can be.
    Other(&'static str),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Item>),
    /// A table.
    Table(BTreeMap<String, Item>),
    /// Text of the environment or a flag: what it is depends on who reads it.
    Raw(String),
}

impl Tree {
    /// What it is, in a word with its article.
    pub fn describe(&self) -> &'static str {
        match self {
            Tree::Text(_) | Tree::Raw(_) => "text",
            Tree::Whole(_) => "a number",
            Tree::Other(what) => what,
            Tree::Flag(_) => "true or false",
            Tree::List(_) => "a list",
            Tree::Table(_) => "a table",
        }
    }
}

/// What is wrong with a layer.
#[derive(Debug)]
pub struct Broken {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

/// Reads TOML as far as it can be read.
pub fn parse(text: &str, place: &dyn Fn(Range<usize>) -> Place) -> (BTreeMap<String, Item>, Vec<Broken>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let broken = errors
        .iter()
        .map(|error| Broken {
            place: place(error.span().unwrap_or_default()),
            message: format!("{NO_TOML}: {}", error.message()),
        })
        .collect();
    (from_table(table.get_ref(), place), broken)
}

fn from_table(table: &DeTable<'_>, place: &dyn Fn(Range<usize>) -> Place) -> BTreeMap<String, Item> {
    table
        .iter()
        .map(|(key, value)| {
            let tree = from_value(value.get_ref(), place);
            let item = Item { tree, place: place(value.span()), key: Some(key.span()) };
            (key.get_ref().to_string(), item)
        })
        .collect()
}

fn from_value(value: &DeValue<'_>, place: &dyn Fn(Range<usize>) -> Place) -> Tree {
    match value {
        DeValue::String(text) => Tree::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Tree::Other("a number that is too large"), Tree::Whole),
        DeValue::Float(_) => Tree::Other("a number with a fraction"),
        DeValue::Boolean(flag) => Tree::Flag(*flag),
        DeValue::Datetime(_) => Tree::Other("a date"),
        DeValue::Array(items) => Tree::List(
            items
                .iter()
                .map(|item| Item { tree: from_value(item.get_ref(), place), place: place(item.span()), key: None })
                .collect(),
        ),
        DeValue::Table(table) => Tree::Table(from_table(table, place)),
    }
}

/// A value of the environment or a flag: lists and tables are written as in TOML, all else stays as it is.
pub fn raw(text: &str, place: &Place) -> Tree {
    if text.starts_with(['[', '{'])
        && let Ok(value) = DeValue::parse(text)
    {
        return from_value(value.get_ref(), &|_| place.clone());
    }
    Tree::Raw(text.to_owned())
}

/// Puts `over` over `under`: tables are joined key by key, all else is replaced.
pub fn join(under: &mut BTreeMap<String, Item>, over: BTreeMap<String, Item>) {
    for (key, item) in over {
        match (under.get_mut(&key), item) {
            (Some(Item { tree: Tree::Table(old), place, .. }), Item { tree: Tree::Table(new), place: now, .. }) => {
                *place = now;
                join(old, new);
            }
            (_, item) => {
                under.insert(key, item);
            }
        }
    }
}

/// Puts one value at a path; numbers in the path are places of a list.
///
/// # Errors
/// A sentence, where the path leads through something that is no table or list, or leaves a place of a list empty.
pub fn put(table: &mut BTreeMap<String, Item>, path: &[&str], tree: Tree, place: &Place) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else { return Err("the name is incomplete".to_owned()) };
    if first.is_empty() {
        return Err("the name is incomplete".to_owned());
    }
    if rest.is_empty() {
        table.insert((*first).to_owned(), Item { tree, place: place.clone(), key: None });
        return Ok(());
    }
    let is_index = rest.first().is_some_and(|next| next.parse::<usize>().is_ok());
    let item = table.entry((*first).to_owned()).or_insert_with(|| Item {
        tree: if is_index { Tree::List(Vec::new()) } else { Tree::Table(BTreeMap::new()) },
        place: place.clone(),
        key: None,
    });
    match &mut item.tree {
        Tree::Table(inner) => put(inner, rest, tree, place),
        Tree::List(items) => {
            let Some((index, rest)) = rest.split_first() else { return Err("the name is incomplete".to_owned()) };
            let index: usize = index.parse().map_err(|_| format!("`{first}` is a list: a number must follow it"))?;
            if index > items.len() {
                return Err(format!("`{first}` has no number {} before this one", items.len()));
            }
            if index == items.len() {
                let tree = Tree::Table(BTreeMap::new());
                items.push(Item { tree, place: place.clone(), key: None });
            }
            let Some(item) = items.get_mut(index) else { return Err(format!("`{first}` has no number {index}")) };
            match &mut item.tree {
                _ if rest.is_empty() => {
                    *item = Item { tree, place: place.clone(), key: None };
                    Ok(())
                }
                Tree::Table(inner) => put(inner, rest, tree, place),
                other => Err(format!("`{first}` {index} is {} and has no keys", other.describe())),
            }
        }
        other => Err(format!("`{first}` is {} and has no keys", other.describe())),
    }
}
