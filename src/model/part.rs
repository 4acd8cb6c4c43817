//! What a part of a condition says of one piece of it: a comparison with constants, or whether it is there.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use serde_json::Value;

/// What is said of a piece of an expression.
#[derive(Debug, Clone)]
pub enum Test {
    /// It is one of these.
    Among(Vec<Value>),
    /// It is not this.
    Not(Value),
    /// It is a number above this.
    Above(f64, Edge),
    /// It is a number below this.
    Below(f64, Edge),
    /// It is a text that begins so.
    Prefix(String),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

/// Whether a bound itself is meant as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It is.
    In,
    /// It is not.
    Out,
}

/// What a part says, and of which piece; none where it only says that it is true. Of `has(…)` the piece is the whole of it.
pub fn test(part: &IdedExpr) -> Option<(&IdedExpr, Test)> {
    if let Expr::Select(select) = &part.expr
        && select.test
    {
        return Some((part, Test::Present));
    }
    let Expr::Call(call) = &part.expr else { return None };
    if let Some(target) = &call.target {
        let [argument] = call.args.as_slice() else { return None };
        let Value::String(prefix) = constant(argument).filter(|_| call.func_name == "startsWith")? else { return None };
        return Some((target, Test::Prefix(prefix)));
    }
    if let (operators::LOGICAL_NOT, [inner]) = (call.func_name.as_str(), call.args.as_slice()) {
        return match test(inner) {
            Some((piece, test)) => Some((piece, turned(test)?)),
            None => Some((inner, Test::Among(vec![Value::Bool(false)]))),
        };
    }
    let [left, right] = call.args.as_slice() else { return None };
    let name = call.func_name.as_str();
    if name == operators::IN {
        let Expr::List(list) = &right.expr else { return None };
        let values: Option<Vec<Value>> = list.elements.iter().map(constant).collect();
        return Some((left, Test::Among(values?)));
    }
    // A constant on the left turns the comparison round.
    let (piece, value, is_turned) = match constant(right) {
        Some(value) => (left, value, false),
        None => (right, constant(left)?, true),
    };
    let number = value.as_f64();
    let test = match (name, is_turned) {
        (operators::EQUALS, _) => Test::Among(vec![value]),
        (operators::NOT_EQUALS, _) => Test::Not(value),
        (operators::GREATER, false) | (operators::LESS, true) => Test::Above(number?, Edge::Out),
        (operators::GREATER_EQUALS, false) | (operators::LESS_EQUALS, true) => Test::Above(number?, Edge::In),
        (operators::LESS, false) | (operators::GREATER, true) => Test::Below(number?, Edge::Out),
        (operators::LESS_EQUALS, false) | (operators::GREATER_EQUALS, true) => Test::Below(number?, Edge::In),
        _ => return None,
    };
    Some((piece, test))
}

/// The same with `!` before it.
fn turned(test: Test) -> Option<Test> {
    let other = |edge: Edge| if edge == Edge::In { Edge::Out } else { Edge::In };
    match test {
        Test::Among(mut values) if values.len() == 1 => values.pop().map(Test::Not),
        Test::Not(value) => Some(Test::Among(vec![value])),
        Test::Above(bound, edge) => Some(Test::Below(bound, other(edge))),
        Test::Below(bound, edge) => Some(Test::Above(bound, other(edge))),
        Test::Present => Some(Test::Absent),
        Test::Absent => Some(Test::Present),
        Test::Among(_) | Test::Prefix(_) => None,
    }
}

/// A text, a number, true, false or null, as written.
pub fn constant(piece: &IdedExpr) -> Option<Value> {
    match &piece.expr {
        Expr::Literal(literal) => match literal {
            LiteralValue::String(text) => Some(Value::from(text.inner())),
            LiteralValue::Boolean(flag) => Some(Value::from(*flag.inner())),
            LiteralValue::Int(number) => Some(Value::from(*number.inner())),
            LiteralValue::Double(number) => Some(Value::from(*number.inner())),
            LiteralValue::Null => Some(Value::Null),
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) => None,
        },
        Expr::Call(call) if call.func_name == operators::NEGATE => {
            let [inner] = call.args.as_slice() else { return None };
            let value = constant(inner)?;
            value
                .as_i64()
                .and_then(i64::checked_neg)
                .map(Value::from)
                .or_else(|| value.as_f64().map(|n| Value::from(-n)))
        }
        _ => None,
    }
}
