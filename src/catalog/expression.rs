//! Compiles CEL: conditions and values of playbooks and sources. Every expression is checked before it is ever asked:
//! that it parses, that its names, functions and types exist and fit, that it cannot cost much.

use crate::model::catalog::{Condition, Expression};
use crate::model::cel_value;

use super::mistake::Spot;
use super::read::{Reading, short};
use super::shape::{Names, Shape};
use super::walk::{Check, shape_of};
use super::yaml::{Node, place};

/// The longest expression, in bytes.
const MAX_EXPRESSION: usize = 4 * 1024;

/// Which names an expression may use.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// These.
    Only(&'a Names),
    /// These, and any others, which are null: the script's rule.
    Lenient(&'a Names),
    /// It was checked before.
    Checked,
}

/// A condition: split where `&&` joins it, so that the first part that fails can be named.
pub fn condition(reading: &mut Reading<'_, '_>, node: &Node, scope: Scope<'_>) -> Option<Condition> {
    let before = reading.mistakes.len();
    let whole = expression_of(reading, node, scope, true)?;
    if reading.mistakes.len() > before {
        return None;
    }
    let parts: Option<Vec<Expression>> = split(&whole.source).into_iter().map(compile).collect();
    Some(Condition { source: whole.source.clone(), parts: parts.unwrap_or_else(|| vec![whole]) })
}

/// A value, or for scripts a condition that may name anything.
pub fn expression(reading: &mut Reading<'_, '_>, node: &Node, scope: Scope<'_>) -> Option<Expression> {
    expression_of(reading, node, scope, false)
}

/// An expression that must be true or false, in one piece.
pub fn test(reading: &mut Reading<'_, '_>, node: &Node, scope: Scope<'_>) -> Option<Expression> {
    expression_of(reading, node, scope, true)
}

fn expression_of(reading: &mut Reading<'_, '_>, node: &Node, scope: Scope<'_>, is_test: bool) -> Option<Expression> {
    let Some(scalar) = node.scalar().filter(|_| !node.is_null()) else {
        reading.wrong(node, "an expression");
        return None;
    };
    let source = scalar.text.trim_end().to_owned();
    if source.len() > MAX_EXPRESSION {
        reading.at(node.spot, format!("this expression is longer than {MAX_EXPRESSION} bytes"));
        return None;
    }
    let program = match cel_value::env().compile(&source) {
        Ok(program) => program,
        Err(errors) => {
            // The first error; what follows it are its consequences.
            if let Some(error) = errors.errors.first() {
                let (line, column) = (error.pos.0.max(1).unsigned_abs(), error.pos.1.max(1).unsigned_abs());
                let at = offset_of(&source, line, column);
                let (message, suggestion) = reword(&error.msg, source.get(at..).unwrap_or_default());
                let start = place(reading.file, node, at);
                reading.at_with(Spot { start, end: start + 1 }, message, suggestion);
            }
            return None;
        }
    };
    let mut check = Check::new(&program, &source, scope);
    check.visit(program.expression(), 0);
    if is_test {
        check.must_be_bool(program.expression(), "a condition");
    }
    let Check { problems, names, paths, loops, .. } = check;
    for problem in problems {
        let start = place(reading.file, node, problem.start);
        let end = place(reading.file, node, problem.end);
        reading.at_with(Spot { start, end: end.max(start + 1) }, problem.message, problem.suggestion);
    }
    let (names, paths) = (names.into_iter().collect(), paths.into_iter().collect());
    Some(Expression { source, program, names, paths, loops })
}

/// What is known of an expression's value: something where it is a path.
pub fn result(expression: &Expression, names: &Names) -> Shape {
    shape_of(expression.program.expression(), |root| names.get(root).cloned())
}

/// Compiles a part of an expression that was checked as a whole.
fn compile(source: &str) -> Option<Expression> {
    let program = cel_value::env().compile(source).ok()?;
    let mut check = Check::new(&program, source, Scope::Checked);
    check.visit(program.expression(), 0);
    let Check { names, paths, loops, .. } = check;
    let source = source.to_owned();
    let (names, paths) = (names.into_iter().collect(), paths.into_iter().collect());
    Some(Expression { source, program, names, paths, loops })
}

/// The parts of an expression that `&&` joins at the top; the whole where `||` or `? :` is at the top too.
fn split(source: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start, mut at) = (0_i32, 0, 0);
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(c) = rest.chars().next() else { break };
        match c {
            '"' | '\'' => {
                at += quoted(rest, source.get(..at).unwrap_or_default());
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '/' if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '?' if depth == 0 && !source.get(..at).unwrap_or_default().ends_with('.') => return vec![source.trim()],
            '|' if depth == 0 => return vec![source.trim()],
            '&' if depth == 0 && rest.starts_with("&&") => {
                parts.push(source.get(start..at).unwrap_or_default().trim());
                at += 2;
                start = at;
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    parts.push(source.get(start..).unwrap_or_default().trim());
    parts
}

/// The length of the quoted text that `rest` begins with; `before` says whether it is raw (`r'…'`).
fn quoted(rest: &str, before: &str) -> usize {
    let quote = rest.get(..1).unwrap_or_default();
    let triple = quote.repeat(3);
    let end = if rest.starts_with(&triple) { triple.as_str() } else { quote };
    let letters: Vec<char> = before.chars().rev().take_while(|c| c.is_ascii_alphanumeric()).collect();
    let raw = letters.len() <= 2 && letters.iter().any(|c| matches!(c, 'r' | 'R'));
    let mut at = end.len();
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with(end) {
            return at + end.len();
        }
        let escaped = !raw && tail.starts_with('\\');
        at += tail.chars().take(if escaped { 2 } else { 1 }).map(char::len_utf8).sum::<usize>();
    }
    rest.len()
}

/// The byte of the nth character.
fn byte_of(text: &str, nth: usize) -> usize {
    text.char_indices().nth(nth).map_or(text.len(), |(at, _)| at)
}

/// The byte at a line and a column in characters, both from 1.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    start + byte_of(text.get(start..).unwrap_or_default(), column - 1)
}

/// The parser's message in plain words, and what was perhaps meant.
fn reword(message: &str, rest: &str) -> (String, Option<String>) {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let suggestion = if rest.starts_with('=') {
        Some("equality is written `==`".to_owned())
    } else {
        let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        match word.as_str() {
            "and" => Some("and is written `&&`".to_owned()),
            "or" => Some("or is written `||`".to_owned()),
            "not" => Some("not is written `!`".to_owned()),
            _ => None,
        }
    };
    let quoted = |message: &str| message.split('\'').nth(1).map(short).unwrap_or_default();
    let said = if message.starts_with("token recognition error at: ''") || message.contains("at: '\"") {
        "this text has no closing quote".to_owned()
    } else if message.contains("'<EOF>'") && message.starts_with("missing") {
        format!("`{}` is missing at the end", quoted(message))
    } else if message.contains("'<EOF>'") {
        "the expression ends too early".to_owned()
    } else if message.starts_with("token recognition") || message.starts_with("extraneous") {
        format!("`{}` is not expected here", quoted(message).trim())
    } else if message.starts_with("mismatched input") || message.starts_with("no viable") {
        format!("`{}` is not expected here", quoted(message))
    } else {
        message.to_owned()
    };
    (format!("this expression does not parse: {said}"), suggestion)
}
