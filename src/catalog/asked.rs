//! What playbooks ask of events, and where: types that they name, and fields that their conditions and values read.
//!
//! Not here: words and prompts, which have a further opening or go without, and scripts, where what is not there is null.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, operators};
use cel::{IdedExpr, Program};

use super::Written;
use super::mistake::{File, Mistake, Spot};
use super::walk::{path_of, root_of};
use super::yaml::{Kind, Node, place};
use crate::model::cel_value;
use crate::model::pattern::{Moment, Trigger};

/// Attributes that every event has, or that are made of it.
const ALWAYS: &[&str] = &["id", "source", "type", "time"];

/// Something that a playbook asks of events of one type.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The type.
    pub kind: String,
    /// A field below the event, such as `data`, `order_id`; none: it asks for events of this type.
    pub field: Option<Vec<String>>,
    /// Whether it also asks if the field is there.
    pub guarded: bool,
    /// The place, with nothing said yet.
    place: Mistake,
}

impl Asked {
    /// Something to be told at its place.
    pub fn hint(&self, message: String, suggestion: Option<String>) -> Mistake {
        Mistake { message, suggestion, ..self.place.clone() }
    }
}

/// A path that an expression reads; places in bytes of its text.
struct Read {
    path: Vec<String>,
    start: usize,
    end: usize,
    is_test: bool,
}

/// What a playbook asks.
pub(super) fn asked(written: &Written, file: File<'_>) -> Vec<Asked> {
    let mut asking = Asking { file, found: Vec::new() };
    let mut opening = BTreeSet::new();
    for (item, trigger) in written.triggers() {
        opening.extend(asking.trigger(item, trigger));
    }
    let opening: Vec<&str> = opening.iter().map(String::as_str).collect();
    let root = &written.root;
    asking.reads(at(root, &["audience", "where"]), "event", &opening);
    asking.reads(at(root, &["open", "key"]), "event", &opening);
    for call in root.get("context").map(values).unwrap_or_default() {
        for argument in call.get("with").map(values).unwrap_or_default() {
            asking.reads(Some(argument), "event", &opening);
        }
    }
    if let (Some(node), Some(goal)) = (root.get("goal"), &written.playbook.goal) {
        asking.kind(node.get("event"), &goal.event);
        for key in ["when", "value"] {
            asking.reads(node.get(key), "event", &[&goal.event]);
            asking.reads(node.get(key), "trigger", &opening);
        }
    }
    asking.found
}

struct Asking<'f> {
    file: File<'f>,
    found: Vec<Asked>,
}

impl Asking<'_> {
    /// What a trigger asks; answers the types of the events that it opens with.
    fn trigger(&mut self, item: &Node, trigger: &Trigger) -> Vec<String> {
        for (name, node) in entries(item) {
            if let "count" | "sum" | "max" | "first" = name {
                self.picks(node, &["when", "key", "distinct", "of"]);
            }
        }
        let opening: Vec<String> = match &trigger.moment {
            Moment::Event(event) => {
                self.kind(item.get("event"), event);
                vec![event.clone()]
            }
            Moment::Measured => trigger.measures.iter().take(1).map(|measure| measure.of.event.clone()).collect(),
            Moment::Sequence(sequence) => {
                let node = item.get("sequence");
                for part in ["events", "without"] {
                    for step in node.and_then(|node| node.get(part)).map(values).unwrap_or_default() {
                        self.named(Some(step));
                    }
                }
                let steps: Vec<&str> = sequence.events.iter().map(String::as_str).collect();
                self.reads(node.and_then(|node| node.get("key")), "event", &steps);
                sequence.events.last().cloned().into_iter().collect()
            }
            Moment::Absence(absence) => {
                let (of, after) = (absence.of.as_str(), absence.after.event.as_str());
                let node = item.get("absence");
                let get = |key: &str| node.and_then(|node| node.get(key));
                self.kind(get("of"), of);
                self.kind(get("after"), after);
                self.reads(get("unless"), "event", &[of]);
                self.reads(get("when"), "event", &[after]);
                let both = if of == after { vec![of] } else { vec![of, after] };
                self.reads(get("key"), "event", &both);
                vec![after.to_owned()]
            }
            Moment::Change(change) => {
                if let Some(node) = item.get("change") {
                    self.picks(node, &["when", "key", "value"]);
                }
                vec![change.of.event.clone()]
            }
            Moment::Topic(many) => {
                if let Some(node) = item.get("topic") {
                    self.topic(node, &many.begins.event);
                }
                vec![many.begins.event.clone()]
            }
        };
        let asked: Vec<&str> = opening.iter().map(String::as_str).collect();
        self.reads(item.get("when"), "event", &asked);
        opening
    }

    fn topic(&mut self, node: &Node, begins: &str) {
        self.picks(node, &["when", "key"]);
        for further in ["updates", "ends"].into_iter().filter_map(|name| node.get(name)) {
            self.picks(further, &["when"]);
            self.key(further, node, &["event"]);
        }
        let Some(to) = node.get("to") else { return };
        for key in ["list", "where", "each", "next"] {
            self.reads(to.get(key), "event", &[begins]);
        }
        for argument in to.get("with").map(values).unwrap_or_default() {
            self.reads(Some(argument), "event", &[begins]);
        }
        if let Some(followers) = to.get("followers") {
            self.picks(followers, &["when"]);
            self.named(followers.get("until"));
            self.key(followers, node, &["event", "until"]);
        }
    }

    /// A key of its own, or the topic's, asked of events of the types that these keys name.
    fn key(&mut self, node: &Node, topic: &Node, types: &[&str]) {
        let types: Vec<&str> = types.iter().filter_map(|key| text(node.get(key)?)).collect();
        self.reads(node.get("key").or_else(|| topic.get("key")), "event", &types);
    }

    /// Events of a type, and what is read of them.
    fn picks(&mut self, node: &Node, keys: &[&str]) {
        let Some(event) = node.get("event") else { return };
        self.named(Some(event));
        let kind = text(event).unwrap_or_default();
        for key in keys {
            self.reads(node.get(key), "event", &[kind]);
        }
    }

    fn named(&mut self, node: Option<&Node>) {
        if let Some(kind) = node.and_then(text) {
            self.kind(node, kind);
        }
    }

    fn kind(&mut self, node: Option<&Node>, kind: &str) {
        let Some(node) = node else { return };
        let place = Mistake::at(self.file.path, self.file.text, node.spot, "");
        self.found.push(Asked { kind: kind.to_owned(), field: None, guarded: false, place });
    }

    /// The fields of events of these types that an expression reads below `root`.
    fn reads(&mut self, node: Option<&Node>, root: &str, kinds: &[&str]) {
        let Some((node, source)) = node.and_then(|node| Some((node, text(node)?.trim_end()))) else { return };
        let Ok(program) = cel_value::env().compile(source) else { return };
        let mut reads = Vec::new();
        visit(&program, program.expression(), &mut Vec::new(), &mut reads);
        reads.retain(|read| read.path.first().is_some_and(|name| name == root));
        // It tells its types apart by itself.
        if kinds.len() > 1 && reads.iter().any(|read| read.path.get(1).is_some_and(|field| field == "type")) {
            return;
        }
        let tested: Vec<&[String]> = reads.iter().filter(|read| read.is_test).map(|read| &*read.path).collect();
        for read in &reads {
            let Some((first, _)) = read.path.get(1..).and_then(<[String]>::split_first) else { continue };
            if ALWAYS.contains(&first.as_str()) {
                continue;
            }
            let start = place(self.file, node, read.start);
            let end = place(self.file, node, read.end).max(start + 1);
            let place = Mistake::at(self.file.path, self.file.text, Spot { start, end }, "");
            let guarded = tested.iter().any(|tested| read.path.starts_with(tested));
            let field = read.path.get(1..).unwrap_or_default();
            self.found.extend(kinds.iter().map(|kind| Asked {
                kind: (*kind).to_owned(),
                field: Some(field.to_owned()),
                guarded,
                place: place.clone(),
            }));
        }
    }
}

/// Collects the paths that a piece reads, but of names that `exists` and its like have bound.
fn visit<'a>(program: &Program, piece: &'a IdedExpr, bound: &mut Vec<&'a str>, found: &mut Vec<Read>) {
    if let Some(path) = path_of(piece) {
        let is_bound = path.first().is_some_and(|root| root.starts_with('@') || bound.contains(&root.as_str()));
        if !is_bound {
            let offset = |id: u64| program.source_info().offset_for(id).unwrap_or_default();
            let byte = |at: u32| usize::try_from(at).unwrap_or_default();
            let start = byte(offset(root_of(piece).id).0);
            let last = path.last().map(String::len).unwrap_or_default();
            // The parser knows the dot or bracket before a field.
            let end = match &piece.expr {
                Expr::Ident(_) => start + last,
                Expr::Select(_) => byte(offset(piece.id).0) + 1 + last,
                _ => byte(offset(piece.id).0) + 3 + last,
            };
            let is_test = matches!(&piece.expr, Expr::Select(select) if select.test);
            found.push(Read { path, start, end, is_test });
        }
        return;
    }
    match &piece.expr {
        Expr::Select(select) => visit(program, &select.operand, bound, found),
        Expr::List(list) => list.elements.iter().for_each(|item| visit(program, item, bound, found)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    visit(program, &entry.key, bound, found);
                    visit(program, &entry.value, bound, found);
                }
            }
        }
        Expr::Comprehension(fold) => {
            visit(program, &fold.iter_range, bound, found);
            let held = bound.len();
            bound.push(&fold.iter_var);
            bound.extend(fold.iter_var2.as_deref());
            bound.push(&fold.accu_var);
            for inner in [&fold.accu_init, &fold.loop_cond, &fold.loop_step, &fold.result] {
                visit(program, inner, bound, found);
            }
            bound.truncate(held);
        }
        Expr::Call(call) => {
            // `data.?field` says by itself that the field may be missing.
            let is_optional = matches!(call.func_name.as_str(), operators::OPT_SELECT | operators::OPT_INDEX);
            let target = call.target.as_deref().into_iter();
            for inner in target.chain(call.args.iter().take(if is_optional { 1 } else { usize::MAX })) {
                visit(program, inner, bound, found);
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

fn text(node: &Node) -> Option<&str> {
    node.scalar().filter(|_| !node.is_null()).map(|scalar| scalar.text.as_str())
}

fn entries(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries.as_slice(),
        Kind::Scalar(_) | Kind::List(_) => &[],
    };
    entries.iter().map(|(key, node)| (key.name.as_str(), node))
}

/// What a list or a mapping has in it.
fn values(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::List(items) => items.iter().collect(),
        Kind::Map(entries) => entries.iter().map(|(_, node)| node).collect(),
        Kind::Scalar(_) => Vec::new(),
    }
}
