//! Reads one operation of an adapter: its request, arguments, and what is kept of the answer.

use std::collections::BTreeSet;

use jsonschema::PatternOptions;
use serde_json::{Value, json};

use crate::model::catalog::{Method, Operation};
use crate::model::time::Millis;

use super::mistake::{Spot, did_you_mean};
use super::read::{Reading, list, short};
use super::shape::{Names, Shape};
use super::words::Words;
use super::yaml::{Kind, Node, place};

/// Keys of an operation.
pub const OPERATION: &[&str] = &[
    "describe",
    "request",
    "args",
    "returns",
    "writes",
    "ask",
    "public",
    "once",
    "idempotency_header",
    "confirm",
    "timeout",
];
/// Keys of a request.
pub const REQUEST: &[&str] = &["method", "path", "json"];
/// Methods of a request.
pub const METHODS: [(&str, Method); 5] = [
    ("GET", Method::Get),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
];

/// How long one try may take where the operation does not say.
const TIMEOUT: Millis = Millis::seconds(5);

/// The most of anything in a list of an operation.
const MAX_ITEMS: usize = 200;

/// The largest compiled pattern of a schema, in bytes.
const MAX_PATTERN: usize = 1024 * 1024;

/// Reads one operation; none where something in it is not known well enough to be used.
pub fn operation(
    reading: &mut Reading<'_, '_>,
    node: &Node,
    adapter: &str,
    full: &str,
    words: &mut Words<'_>,
) -> Option<Operation> {
    let table = reading.table(node, OPERATION)?;
    let describe = reading.required(&table, "describe", node.spot).and_then(|node| reading.name(node));
    let (args, schema) = match table.get("args") {
        Some(node) => arguments(reading, node).map_or((None, None), |(args, schema)| (Some(args), Some(schema))),
        None => {
            let args = json!({ "type": "object", "properties": {} });
            let schema = validator(&args).ok();
            (Some(args), schema)
        }
    };
    let properties = args.as_ref().map(properties);
    let request = reading.required(&table, "request", node.spot);
    let request = request.and_then(|node| request_of(reading, node, properties.as_ref()));
    let flag = |reading: &mut Reading<'_, '_>, name| table.get(name).and_then(|node| reading.flag(node));
    let writes = flag(reading, "writes").unwrap_or(false);
    let ask = flag(reading, "ask");
    let public = flag(reading, "public").unwrap_or(false);
    for name in ["ask", "once", "confirm", "idempotency_header"] {
        if let Some(spot) = table.key_spot(name)
            && !writes
        {
            reading.at(spot, format!("`{name}` is for operations with `writes: true`"));
        }
    }
    if let Some(spot) = table.key_spot("public")
        && public
        && request.as_ref().is_some_and(|request| request.bound)
    {
        reading.at(spot, "an operation that binds `{customer.id}` is not the same for every customer");
    }
    let returns = table.get("returns").map(|node| paths(reading, node)).unwrap_or_default();
    let once = table.get("once").map(|node| once(reading, node, properties.as_ref())).unwrap_or_default();
    let idempotency_header = table.get("idempotency_header").and_then(|node| header(reading, node));
    let operation = full.rsplit('.').next().unwrap_or_default();
    let confirm = table.get("confirm").and_then(|node| {
        let args = properties.as_ref().map_or(Shape::Any, Shape::arguments);
        words.add(reading, node, &format!("{operation}.confirm"), &Names::from([("args".to_owned(), args)]))
    });
    let timeout = table.get("timeout").and_then(|node| reading.span(node, Millis(100), Millis::seconds(60)));
    let request = request?;
    Some(Operation {
        adapter: adapter.to_owned(),
        name: full.to_owned(),
        describe: describe?,
        method: request.method,
        path: request.path,
        json: request.json,
        args: args?,
        schema: schema?,
        returns,
        writes,
        ask: writes && ask.unwrap_or(true),
        public,
        bound: request.bound,
        once,
        idempotency_header,
        confirm,
        timeout: timeout.unwrap_or(TIMEOUT),
    })
}

/// Names of arguments.
pub fn properties(args: &Value) -> BTreeSet<String> {
    let named = args.get("properties").and_then(Value::as_object);
    named.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

fn arguments(reading: &mut Reading<'_, '_>, node: &Node) -> Option<(Value, jsonschema::Validator)> {
    let Kind::Map(_) = &node.kind else {
        reading.wrong(node, "a JSON Schema");
        return None;
    };
    let args = node.to_json();
    if args.get("type") != Some(&json!("object")) {
        let spot = node.get("type").unwrap_or(node).spot;
        reading.at(spot, "arguments are an object: `type: object`");
        return None;
    }
    let mut sound = true;
    if let Some(properties) = node.get("properties") {
        for (key, _) in reading.entries(properties) {
            if !super::read::is_identifier(&key.name) {
                reading.at(key.spot, "an argument's name has letters, digits and `_`");
                sound = false;
            }
        }
    }
    if let Some(required) = node.get("required") {
        let known = properties(&args);
        for item in reading.items(required, 0, MAX_ITEMS) {
            let name = item.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
            if !known.contains(name) {
                let suggestion = did_you_mean(name, known.iter().map(String::as_str));
                reading.at_with(item.spot, format!("`properties` has no `{}`", short(name)), suggestion);
                sound = false;
            }
        }
    }
    match validator(&args) {
        Ok(schema) => sound.then_some((args, schema)),
        Err(problem) => {
            reading.at(node.spot, format!("this is no JSON Schema: {problem}"));
            None
        }
    }
}

/// A schema for arguments: patterns run in linear time, and nothing is fetched.
fn validator(args: &Value) -> Result<jsonschema::Validator, String> {
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN);
    jsonschema::draft202012::options()
        .offline()
        .with_pattern_options(patterns)
        .build(args)
        .map_err(|problem| short(&problem.to_string()))
}

struct Request {
    method: Method,
    path: String,
    json: Option<Value>,
    bound: bool,
}

fn request_of(reading: &mut Reading<'_, '_>, node: &Node, known: Option<&BTreeSet<String>>) -> Option<Request> {
    let table = reading.table(node, REQUEST)?;
    let method = reading.required(&table, "method", node.spot).and_then(|node| reading.choice(node, &METHODS));
    let mut bound = false;
    let path = reading.required(&table, "path", node.spot).and_then(|node| {
        let path = reading.name(node)?;
        let segments = path.split(['?', '/']);
        if !path.starts_with('/') || path.starts_with("//") || path.contains([' ', '#', '\\']) {
            reading.at(node.spot, "a path begins with one `/` and has no spaces, `#` or backslashes");
        } else if segments.clone().any(|segment| segment == ".." || segment == ".") {
            reading.at(node.spot, "a path has no `.` and `..`");
        }
        bound |= placeholders(reading, node, known, true);
        Some(path)
    });
    let json = table.get("json");
    if let (Some(Method::Get), Some(spot)) = (method, table.key_spot("json")) {
        reading.at(spot, "a GET has no body");
    }
    if let Some(json) = json {
        bound |= in_json(reading, json, known);
    }
    Some(Request { method: method?, path: path?, json: json.map(Node::to_json), bound })
}

fn in_json(reading: &mut Reading<'_, '_>, node: &Node, known: Option<&BTreeSet<String>>) -> bool {
    match &node.kind {
        Kind::Scalar(_) => placeholders(reading, node, known, false),
        Kind::List(items) => items.iter().filter(|item| in_json(reading, item, known)).count() > 0,
        Kind::Map(entries) => entries.iter().fold(false, |bound, (_, node)| in_json(reading, node, known) || bound),
    }
}

/// Checks `{name}` in a text; answers whether `{customer.id}` is in it. Braces around anything else are text in JSON
/// (a GraphQL query has them), and a mistake in a path.
fn placeholders(reading: &mut Reading<'_, '_>, node: &Node, known: Option<&BTreeSet<String>>, is_path: bool) -> bool {
    let text = node.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
    let mut bound = false;
    let spot = |reading: &mut Reading<'_, '_>, start: usize, end: usize, message: String, help: Option<String>| {
        let start = place(reading.file, node, start);
        let end = place(reading.file, node, end).max(start + 1);
        reading.at_with(Spot { start, end }, message, help);
    };
    let mut at = 0;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find('{')).map(|found| at + found) {
        let inner = text.get(open + 1..).unwrap_or_default();
        let length = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(inner.len());
        let name = inner.get(..length).unwrap_or_default();
        at = open + 1 + length;
        if name.is_empty() || !inner.get(length..).is_some_and(|rest| rest.starts_with('}')) {
            if is_path {
                spot(reading, open, open + 1, "this brace has no name and `}` behind it".to_owned(), None);
            }
        } else if name == "customer.id" {
            bound = true;
        } else if let Some(known) = known
            && !known.contains(name)
        {
            let names = known.iter().map(String::as_str).chain(["customer.id"]);
            let help = did_you_mean(name, names.clone()).or_else(|| Some(format!("there are {}", list(names))));
            spot(reading, open + 1, open + 1 + length, format!("`args` has no `{}`", short(name)), help);
        }
    }
    bound
}

/// Paths of what is kept of an answer: `id`, `customer.name`, `items[].label`.
fn paths(reading: &mut Reading<'_, '_>, node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    for item in reading.items(node, 0, MAX_ITEMS) {
        let Some(path) = reading.name(item) else { continue };
        let sound = path.split('.').all(|part| {
            let name = part.strip_suffix("[]").unwrap_or(part);
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@'))
        });
        if !sound {
            let help = "written `id`, `customer.name`, `items[].label`; a bare list is `items`".to_owned();
            reading.at_with(item.spot, format!("`{}` is no path", short(&path)), Some(help));
        } else if found.contains(&path) {
            reading.at(item.spot, format!("`{path}` is here twice"));
        } else {
            found.push(path);
        }
    }
    found
}

fn once(reading: &mut Reading<'_, '_>, node: &Node, known: Option<&BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for item in reading.items(node, 0, MAX_ITEMS) {
        let Some(name) = reading.name(item) else { continue };
        if known.is_some_and(|known| !known.contains(&name)) {
            let help = did_you_mean(&name, known.into_iter().flatten().map(String::as_str));
            reading.at_with(item.spot, format!("`args` has no `{}`", short(&name)), help);
        } else {
            found.push(name);
        }
    }
    found
}

fn header(reading: &mut Reading<'_, '_>, node: &Node) -> Option<String> {
    let name = reading.name(node)?;
    let token = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let own = ["host", "content-length", "transfer-encoding", "connection", "content-type"];
    if !token || own.contains(&name.to_ascii_lowercase().as_str()) {
        reading.at(node.spot, "this cannot be the name of a header");
        return None;
    }
    Some(name)
}
