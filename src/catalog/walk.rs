//! Walks a compiled expression: which names and paths it reads, and whether its names and functions exist, its constant
//! pieces can be evaluated, and its cost is bounded.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use cel::{Context, IdedExpr, Program};

use crate::model::cel_value;

use super::expression::Scope;
use super::mistake::did_you_mean;
use super::read::{list, short};
use super::shape::{Names, Shape, Step};

/// How deep `exists`, `map` and their like may stand in one another: each multiplies the cost by the length of a list.
const MAX_NESTED: usize = 2;

/// Functions of the language, without operators and macros.
const FUNCTIONS: &[&str] = &[
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "hasValue",
    "int",
    "matches",
    "or",
    "orValue",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
    "value",
];

/// Functions that the parser writes out.
const MACROS: &[&str] = &["all", "exists", "exists_one", "existsOne", "filter", "has", "map"];

/// Functions of `optional`.
const OPTIONAL: &[&str] = &["none", "of", "ofNonZeroValue"];

/// Types that can be named.
const TYPES: &[&str] = &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Something wrong in an expression; places in bytes.
pub struct Problem {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What was perhaps meant.
    pub suggestion: Option<String>,
}

/// Walks an expression and collects what it names and what is wrong with it.
pub struct Check<'a> {
    program: &'a Program,
    source: &'a str,
    pub(super) scope: Scope<'a>,
    context: Context<'static, 'static>,
    /// What macros such as `exists` bind, the innermost last.
    bound: Vec<(&'a str, Shape)>,
    /// Names that it reads.
    pub names: BTreeSet<String>,
    /// Paths that it reads.
    pub paths: BTreeSet<Vec<String>>,
    /// How deep `exists`, `map` and their like stand in one another.
    pub loops: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// A walk through this program, which was compiled from `source`.
    pub fn new(program: &'a Program, source: &'a str, scope: Scope<'a>) -> Check<'a> {
        Check {
            program,
            source,
            scope,
            context: cel_value::context(),
            bound: Vec::new(),
            names: BTreeSet::new(),
            paths: BTreeSet::new(),
            loops: 0,
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, id: u64, message: String, suggestion: Option<String>) {
        let (start, stop) = self.program.source_info().offset_for(id).unwrap_or_default();
        let (start, stop) = (usize::try_from(start).unwrap_or_default(), usize::try_from(stop).unwrap_or_default());
        self.problems.push(Problem { start, end: stop + 1, message, suggestion });
    }

    /// Checks a piece and what is in it. Answers whether it is constant and its pieces are sound.
    pub fn visit(&mut self, piece: &'a IdedExpr, nested: usize) -> bool {
        match &piece.expr {
            Expr::Ident(_) | Expr::Select(_) => {
                self.path(piece, nested);
                false
            }
            Expr::Literal(_) => true,
            Expr::List(items) => {
                let mut sound = true;
                for item in &items.elements {
                    sound &= self.visit(item, nested);
                }
                sound
            }
            Expr::Map(map) => {
                let mut sound = true;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        sound &= self.visit(&entry.key, nested);
                        sound &= self.visit(&entry.value, nested);
                    }
                }
                sound
            }
            Expr::Struct(made) => {
                self.problem(piece.id, format!("there is no type `{}`", short(&made.type_name)), None);
                false
            }
            Expr::Comprehension(fold) => {
                self.visit(&fold.iter_range, nested);
                if nested >= MAX_NESTED {
                    let message = format!("`exists`, `map` and their like may stand in one another {MAX_NESTED} deep");
                    self.problem(piece.id, message, None);
                    return false;
                }
                self.loops = self.loops.max(nested + 1);
                let held = self.bound.len();
                let through = shape_of(&fold.iter_range, |root| self.known(root));
                // Of two names the first is a place or a key. What is gone through may be a map, whose keys are text.
                let (first, second) = match (&fold.iter_var2, &through) {
                    (None, Shape::Fields(..)) => (Shape::Plain, Shape::Any),
                    (None, _) => (through.item(), Shape::Any),
                    (Some(_), _) => (Shape::Plain, through.item()),
                };
                self.bound.push((&fold.iter_var, first));
                self.bound.extend(fold.iter_var2.as_deref().map(|name| (name, second)));
                self.bound.push((&fold.accu_var, Shape::Any));
                for inner in [&fold.accu_init, &fold.loop_cond, &fold.loop_step, &fold.result] {
                    self.visit(inner, nested + 1);
                }
                self.bound.truncate(held);
                false
            }
            Expr::Call(_) => self.call(piece, nested),
            Expr::Unspecified => false,
        }
    }

    fn call(&mut self, piece: &'a IdedExpr, nested: usize) -> bool {
        let Expr::Call(call) = &piece.expr else { return false };
        let name = call.func_name.as_str();
        if name == operators::INDEX && self.path(piece, nested) {
            return false;
        }
        let before = self.problems.len();
        let optional = matches!(call.target.as_deref().map(|t| &t.expr), Some(Expr::Ident(of)) if of == "optional");
        let mut constant = true;
        if let Some(target) = call.target.as_deref().filter(|_| !optional) {
            constant &= self.visit(target, nested);
        }
        for arg in &call.args {
            constant &= self.visit(arg, nested);
        }
        let known = if optional { OPTIONAL } else { FUNCTIONS };
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) && !known.contains(&name) {
            let message = match MACROS.contains(&name) {
                true if name == "has" => "`has` takes a path, such as `has(event.data.total)`".to_owned(),
                true => format!("`{name}` is written `list.{name}(item, …)`"),
                false => format!("there is no function `{}`", short(name)),
            };
            let among = known.iter().chain(if optional { [].iter() } else { MACROS.iter() }).copied();
            let suggestion = if MACROS.contains(&name) { None } else { did_you_mean(name, among) };
            self.function_problem(piece, name, message, suggestion);
            return false;
        }
        self.types(piece);
        if name == "matches"
            && let Some(pattern) = call.args.last()
            && let Expr::Literal(LiteralValue::String(text)) = &pattern.expr
            && let Err(problem) = super::script::pattern(text.inner())
        {
            self.problem(pattern.id, problem, None);
        }
        if constant
            && self.problems.len() == before
            && let Err(problem) = self.context.resolve(piece)
        {
            let what = name.trim_matches(['_', '@', '!', '-', ' ']);
            let message = match &problem {
                cel::ExecutionError::FunctionError { .. } => format!("`{what}` cannot take this"),
                cel::ExecutionError::DivisionByZero(_) | cel::ExecutionError::RemainderByZero(_) => {
                    "this divides by zero".to_owned()
                }
                _ => "these types do not go together".to_owned(),
            };
            self.problem(piece.id, message, None);
        }
        constant && self.problems.len() == before
    }

    /// A problem with a function, at its name: the parser knows the place of the bracket behind it.
    fn function_problem(&mut self, piece: &IdedExpr, name: &str, message: String, suggestion: Option<String>) {
        let bracket = self.program.source_info().offset_for(piece.id).map(|(start, _)| start).unwrap_or_default();
        let bracket = usize::try_from(bracket).unwrap_or_default();
        let end = self.source.get(..bracket).unwrap_or_default().trim_end().len();
        let start = end.saturating_sub(name.len());
        self.problems.push(Problem { start, end, message, suggestion });
    }

    /// Notes the name and path that a piece reads; false where it is no path.
    fn path(&mut self, piece: &'a IdedExpr, nested: usize) -> bool {
        self.fields(piece);
        let Some(path) = path_of(piece) else {
            if let Expr::Select(select) = &piece.expr {
                self.visit(&select.operand, nested);
            }
            return false;
        };
        let Some(root) = path.first().cloned() else { return false };
        if root.starts_with('@') || self.bound(&root).is_some() {
            return true;
        }
        if path.len() == 1 && TYPES.contains(&root.as_str()) {
            return true;
        }
        if let Some(suggestion) = self.unknown(&root) {
            let root_id = root_of(piece).id;
            self.problem(root_id, format!("there is no `{}` here", short(&root)), Some(suggestion));
            return true;
        }
        self.names.insert(root);
        self.paths.insert(path);
        true
    }

    /// What to write instead of a name that is not there. In scripts such a name is null; one that is nearly another's
    /// is a slip of the pen.
    fn unknown(&self, root: &str) -> Option<String> {
        let among = |known: &Names| did_you_mean(root, known.keys().map(String::as_str));
        match self.scope {
            Scope::Only(known) if !known.contains_key(root) => {
                among(known).or_else(|| Some(format!("names here are {}", list(known.keys().map(String::as_str)))))
            }
            Scope::Lenient(known) if !known.contains_key(root) => among(known),
            _ => None,
        }
    }

    /// What is known of a name.
    fn known(&self, root: &str) -> Option<Shape> {
        match (self.bound(root), self.scope) {
            (Some(bound), _) => Some(bound.clone()),
            (None, Scope::Only(known) | Scope::Lenient(known)) => known.get(root).cloned(),
            (None, Scope::Checked) => None,
        }
    }

    /// What a macro has bound to a name.
    pub(super) fn bound(&self, name: &str) -> Option<&Shape> {
        self.bound.iter().rev().find(|(bound, _)| *bound == name).map(|(_, shape)| shape)
    }

    /// Notes a field that is not there.
    fn fields(&mut self, piece: &IdedExpr) {
        let Some((root, chain)) = chain_of(piece) else { return };
        let steps: Vec<Step<'_>> = chain.iter().map(|(step, _)| *step).collect();
        let Some(Err(missing)) = self.known(root).map(|shape| shape.follow(root, &steps)) else { return };
        let Some((Step::Field(field) | Step::Quoted(field), at)) = chain.get(missing.step) else { return };
        // The parser knows the place of the dot or bracket before a field.
        let (before, _) = self.program.source_info().offset_for(at.id).unwrap_or_default();
        let quote = usize::from(matches!(at.expr, Expr::Call(_)));
        let start = usize::try_from(before).unwrap_or_default() + 1 + quote;
        let (message, suggestion) = (missing.message, missing.suggestion);
        self.problems.push(Problem { start, end: start + field.len(), message, suggestion });
    }
}

/// What is known of the value of a piece; `known` knows its names.
pub fn shape_of(piece: &IdedExpr, known: impl Fn(&str) -> Option<Shape>) -> Shape {
    let shape = chain_of(piece).and_then(|(root, chain)| {
        let steps: Vec<Step<'_>> = chain.iter().map(|(step, _)| *step).collect();
        known(root)?.follow(root, &steps).ok()
    });
    shape.unwrap_or(Shape::Any)
}

/// A name and the steps from it, each with its piece; none where something else stands at the root.
fn chain_of(piece: &IdedExpr) -> Option<(&str, Vec<(Step<'_>, &IdedExpr)>)> {
    let mut chain = Vec::new();
    let mut at = piece;
    loop {
        let (step, of) = match &at.expr {
            Expr::Ident(name) => {
                chain.reverse();
                return Some((name, chain));
            }
            Expr::Select(select) => (Step::Field(&select.field), &*select.operand),
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let [of, index] = call.args.as_slice() else { return None };
                match &index.expr {
                    Expr::Literal(LiteralValue::String(field)) => (Step::Quoted(field.inner()), of),
                    Expr::Literal(LiteralValue::Int(_)) => (Step::Item, of),
                    // Which field that is, nobody knows.
                    _ => return None,
                }
            }
            _ => return None,
        };
        chain.push((step, at));
        at = of;
    }
}

/// What a field is selected of.
fn inner_of(piece: &IdedExpr) -> Option<&IdedExpr> {
    match &piece.expr {
        Expr::Select(select) => Some(&select.operand),
        Expr::Call(call) if call.func_name == operators::INDEX => call.args.first(),
        _ => None,
    }
}

/// The name at the root of a path.
pub fn root_of(piece: &IdedExpr) -> &IdedExpr {
    let mut piece = piece;
    while let Some(inner) = inner_of(piece) {
        piece = inner;
    }
    piece
}

/// The path that a piece spells, such as `event.data['x']`; none for anything else.
pub fn path_of(piece: &IdedExpr) -> Option<Vec<String>> {
    let mut path = Vec::new();
    let mut piece = piece;
    loop {
        match &piece.expr {
            Expr::Ident(name) => {
                path.push(name.clone());
                path.reverse();
                return Some(path);
            }
            Expr::Select(select) => {
                path.push(select.field.clone());
                piece = &select.operand;
            }
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let [of, index] = call.args.as_slice() else { return None };
                let Expr::Literal(LiteralValue::String(field)) = &index.expr else { return None };
                path.push(field.inner().to_owned());
                piece = of;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_that_are_known_are_those_of_the_language() {
        let context = cel_value::context();
        let exists = |source: &str| {
            let result = cel_value::env().compile(source).unwrap().execute(&context);
            !matches!(result, Err(cel::ExecutionError::UndeclaredReference(_)))
        };
        for name in FUNCTIONS {
            assert!(exists(&format!("{name}()")) || exists(&format!("[1].{name}()")), "{name}");
        }
        for name in ["now", "random", "max", "lowerAscii"] {
            assert!(!exists(&format!("{name}()")), "{name}");
        }
        for name in OPTIONAL {
            assert!(exists(&format!("optional.{name}(1)")), "{name}");
        }
    }
}
