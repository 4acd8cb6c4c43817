//! Which types the pieces of an expression have, as far as that is known before values are there.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

use super::expression::Scope;
use super::walk::{Check, path_of};

/// What is known of a value before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Bool,
    Number,
    Text,
    Bytes,
    List,
    Map,
    Null,
    Time,
    Length,
    Name,
}

impl Type {
    fn word(self) -> &'static str {
        match self {
            Type::Bool => "true or false",
            Type::Number => "a number",
            Type::Text => "text",
            Type::Bytes => "bytes",
            Type::List => "a list",
            Type::Map => "a map",
            Type::Null => "null",
            Type::Time => "a time",
            Type::Length => "a length of time",
            Type::Name => "a type",
        }
    }
}

impl<'a> Check<'a> {
    /// Compares, joins and negates only what can be: as far as types are known beforehand.
    pub(super) fn types(&mut self, piece: &'a IdedExpr) {
        let Expr::Call(call) = &piece.expr else { return };
        match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => {
                for arg in &call.args {
                    self.must_be_bool(arg, "this");
                }
            }
            operators::CONDITIONAL => {
                if let Some(test) = call.args.first() {
                    self.must_be_bool(test, "this");
                }
            }
            name @ (operators::EQUALS
            | operators::NOT_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS) => {
                let [left, right] = call.args.as_slice() else { return };
                let (Some(left), Some(right)) = (self.kind(left), self.kind(right)) else { return };
                let equality = matches!(name, operators::EQUALS | operators::NOT_EQUALS);
                if left != right && !(equality && (left == Type::Null || right == Type::Null)) {
                    let message = format!("{} cannot be compared with {}", left.word(), right.word());
                    self.problem(piece.id, message, None);
                }
            }
            _ => {}
        }
    }

    pub(super) fn must_be_bool(&mut self, piece: &'a IdedExpr, what: &str) {
        if let Some(kind) = self.kind(piece).filter(|kind| *kind != Type::Bool) {
            self.problem(piece.id, format!("{what} must be true or false, and is {}", kind.word()), None);
        }
    }

    /// The type of a piece, where it is known beforehand.
    fn kind(&self, piece: &IdedExpr) -> Option<Type> {
        match &piece.expr {
            Expr::Literal(literal) => Some(match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Number,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::Text,
            }),
            Expr::List(_) => Some(Type::List),
            Expr::Map(_) => Some(Type::Map),
            Expr::Select(select) if select.test => Some(Type::Bool),
            Expr::Comprehension(fold) => match self.kind(&fold.result) {
                Some(kind) => Some(kind),
                None => self.kind(&fold.accu_init),
            },
            Expr::Call(call) => match call.func_name.as_str() {
                operators::CONDITIONAL => {
                    let [_, yes, no] = call.args.as_slice() else { return None };
                    self.kind(yes).filter(|kind| self.kind(no) == Some(*kind))
                }
                operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
                | operators::NEGATE
                | operators::ADD => {
                    let mut kinds = call.args.iter().filter_map(|arg| self.kind(arg));
                    kinds.next().filter(|kind| matches!(kind, Type::Number | Type::Text) && kinds.all(|k| k == *kind))
                }
                "matches" | "contains" | "startsWith" | "endsWith" | "hasValue" | "bool" => Some(Type::Bool),
                "size" | "int" | "uint" | "double" => Some(Type::Number),
                "string" => Some(Type::Text),
                "timestamp" => Some(Type::Time),
                "duration" => Some(Type::Length),
                "type" => Some(Type::Name),
                "bytes" => Some(Type::Bytes),
                name if name.starts_with("get") => None,
                name if name.starts_with(['_', '!', '@']) => match name {
                    operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT => None,
                    _ => Some(Type::Bool),
                },
                _ => None,
            },
            Expr::Ident(_) | Expr::Select(_) => self.kind_of_path(&path_of(piece)?),
            _ => None,
        }
    }

    fn kind_of_path(&self, path: &[String]) -> Option<Type> {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        if !matches!(self.scope, Scope::Only(_)) || words.first().is_some_and(|name| self.bound(name).is_some()) {
            return None;
        }
        match words.as_slice() {
            ["event" | "trigger", "id" | "source" | "type" | "time"] | ["customer", "id"] => Some(Type::Text),
            ["asked_for_human"] => Some(Type::Bool),
            ["failures" | "turns" | "tokens"] => Some(Type::Number),
            _ => None,
        }
    }
}
