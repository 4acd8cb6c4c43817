//! What conditions say of each other: that some cannot hold together, that some make another hold.
//!
//! Sound and not complete: what is answered is certain, and much that is true is not found. Parts that are joined by `&&` all
//! hold where the whole does; a part that is an error does not hold. The same piece of an expression has the same
//! value in all of them, so pieces are told apart by how they are written.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use serde_json::Value;

use crate::model::catalog::{Condition, Expression};
use crate::model::part::{Edge, Test, constant, test};

/// Above this a number may stand for its neighbours.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One thing that must hold.
#[derive(Debug, Clone)]
pub struct Part {
    /// As messages name it.
    pub said: String,
    /// What it says of which piece; none where nothing is known of it.
    test: Option<(String, Test)>,
    /// Where it is one of several: each of them with its parts.
    either: Vec<Vec<Part>>,
}

impl Part {
    /// That a piece is one of these texts: what is known beforehand.
    pub fn known(piece: &str, texts: &[&str]) -> Part {
        let said = match texts {
            [one] => format!("`{piece}` is '{one}'"),
            _ => format!("`{piece}` is one of '{}'", texts.join("', '")),
        };
        let values = texts.iter().map(|text| Value::from(*text)).collect();
        Part { said, test: Some((piece.to_owned(), Test::Among(values))), either: Vec::new() }
    }

    /// That a piece is at least 0.
    pub fn counted(piece: &str) -> Part {
        let test = Some((piece.to_owned(), Test::Above(0.0, Edge::In)));
        Part { said: format!("`{piece}` is never below 0"), test, either: Vec::new() }
    }

    /// Whether it says something of what stands below this name.
    pub fn is_about(&self, root: &str) -> bool {
        self.test.as_ref().is_some_and(|(piece, _)| piece.strip_prefix(root).is_some_and(|rest| rest.starts_with('.')))
    }
}

/// The parts of a condition.
pub fn parts(condition: Option<&Condition>) -> Vec<Part> {
    let parts = condition.map(|condition| condition.parts.as_slice()).unwrap_or_default();
    parts.iter().flat_map(parts_of).collect()
}

/// The parts of an expression that must be true.
pub fn parts_of(expression: &Expression) -> Vec<Part> {
    let mut found = Vec::new();
    collect(expression.program.expression(), &mut found);
    found
}

/// How a piece is written, whatever its spaces and brackets; none where it binds names of its own.
pub fn written(expression: &Expression) -> Option<String> {
    render(expression.program.expression())
}

/// Parts that cannot hold together, as they are said; none where nothing is known to be in the way.
pub fn contradiction(parts: &[Part]) -> Option<Vec<String>> {
    let tests: Vec<(&Part, &String, &Test)> =
        parts.iter().filter_map(|part| part.test.as_ref().map(|(piece, test)| (part, piece, test))).collect();
    for (place, (one, piece, test)) in tests.iter().enumerate() {
        let of_it = || tests.iter().filter(|(_, other, _)| other == piece);
        let mut later = tests.iter().skip(place).filter(|(_, other, _)| other == piece);
        if let Some((other, _, _)) = later.find(|(_, _, other)| excludes(test, other) || excludes(other, test)) {
            let both = [one.said.clone(), other.said.clone()];
            return Some(both.into_iter().take(if one.said == other.said { 1 } else { 2 }).collect());
        }
        if let Test::Among(values) = test
            && values.iter().all(|value| of_it().any(|(_, _, test)| !admits(test, value)))
        {
            return Some(of_it().map(|(part, _, _)| part.said.clone()).collect());
        }
    }
    None
}

/// Whether all of `wanted` holds wherever all of `given` does.
pub fn implies(given: &[Part], wanted: &[Part]) -> bool {
    wanted.iter().all(|part| follows(given, part))
}

fn follows(given: &[Part], wanted: &Part) -> bool {
    if wanted.either.iter().any(|parts| implies(given, parts)) {
        return true;
    }
    let Some((piece, test)) = &wanted.test else { return false };
    if matches!(test, Test::Among(values) if piece == "true" && values.contains(&Value::Bool(true))) {
        return true;
    }
    let of_it = given.iter().filter_map(|part| part.test.as_ref()).filter(|(other, _)| other == piece);
    of_it.map(|(_, test)| test).any(|given| stronger(given, test))
}

/// Whether no value passes both.
fn excludes(one: &Test, other: &Test) -> bool {
    match (one, other) {
        (Test::Among(values), other) => !values.iter().any(|value| admits(other, value)),
        (Test::Above(low, low_edge), Test::Below(high, high_edge)) => {
            exact(*low)
                && exact(*high)
                && (low > high || (low >= high && (*low_edge == Edge::Out || *high_edge == Edge::Out)))
        }
        (Test::Prefix(_), Test::Above(..) | Test::Below(..)) => true,
        (Test::Prefix(one), Test::Prefix(other)) => {
            !one.starts_with(other.as_str()) && !other.starts_with(one.as_str())
        }
        // What is not there is an error wherever its value is asked for.
        (Test::Absent, Test::Present | Test::Not(_) | Test::Above(..) | Test::Below(..) | Test::Prefix(_)) => true,
        _ => false,
    }
}

/// Whether whatever passes `given` passes `wanted`.
fn stronger(given: &Test, wanted: &Test) -> bool {
    match (given, wanted) {
        (Test::Among(values), wanted) => values.iter().all(|value| certainly_admits(wanted, value)),
        (Test::Above(low, edge), Test::Above(least, wanted)) => {
            exact(*low)
                && exact(*least)
                && (low > least || (low >= least && (*wanted == Edge::In || *edge == Edge::Out)))
        }
        (Test::Below(high, edge), Test::Below(most, wanted)) => {
            exact(*high)
                && exact(*most)
                && (high < most || (high <= most && (*wanted == Edge::In || *edge == Edge::Out)))
        }
        (Test::Not(given), Test::Not(wanted)) => given == wanted,
        (Test::Prefix(given), Test::Prefix(wanted)) => given.starts_with(wanted.as_str()),
        (Test::Absent, Test::Absent) => true,
        (Test::Present | Test::Not(_) | Test::Above(..) | Test::Below(..) | Test::Prefix(_), Test::Present) => true,
        _ => false,
    }
}

/// Whether a value may pass; where that is not certain, it may.
fn admits(test: &Test, value: &Value) -> bool {
    match (test, value.as_f64()) {
        (Test::Absent, _) => false,
        (_, Some(number)) if !exact(number) => true,
        (Test::Above(bound, _) | Test::Below(bound, _), _) if !exact(*bound) => true,
        (Test::Among(values), _) if values.iter().any(|one| one.as_f64().is_some_and(|number| !exact(number))) => true,
        (Test::Not(other), _) if other.as_f64().is_some_and(|number| !exact(number)) => true,
        _ => certainly_admits(test, value),
    }
}

fn certainly_admits(test: &Test, value: &Value) -> bool {
    let number = value.as_f64().filter(|number| exact(*number));
    match test {
        Test::Among(values) => values.iter().any(|other| same(value, other) == Some(true)),
        Test::Not(other) => same(value, other) == Some(false),
        Test::Above(bound, edge) => {
            number.is_some_and(|number| exact(*bound) && (number > *bound || (*edge == Edge::In && number >= *bound)))
        }
        Test::Below(bound, edge) => {
            number.is_some_and(|number| exact(*bound) && (number < *bound || (*edge == Edge::In && number <= *bound)))
        }
        Test::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix.as_str())),
        Test::Present => true,
        Test::Absent => false,
    }
}

/// Whether two constants are equal; none where they may be neighbours. A whole number and a fraction may be.
fn same(one: &Value, other: &Value) -> Option<bool> {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) if exact(one) && exact(other) => Some(one == other),
        (Some(_), Some(_)) => None,
        _ => Some(one == other),
    }
}

fn exact(number: f64) -> bool {
    number.abs() < EXACT
}

fn collect(piece: &IdedExpr, found: &mut Vec<Part>) {
    if let Expr::Call(call) = &piece.expr
        && call.func_name == operators::LOGICAL_AND
    {
        call.args.iter().for_each(|part| collect(part, found));
        return;
    }
    let either = match &piece.expr {
        Expr::Call(call) if call.func_name == operators::LOGICAL_OR => {
            let parts = |part: &IdedExpr| {
                let mut found = Vec::new();
                collect(part, &mut found);
                found
            };
            call.args.iter().map(parts).collect()
        }
        _ => Vec::new(),
    };
    let said = render(piece);
    let test = match constant(piece) {
        Some(Value::Bool(false)) => Some(("false".to_owned(), Test::Among(Vec::new()))),
        _ => said_of(piece).or_else(|| Some((said.clone()?, Test::Among(vec![Value::Bool(true)])))),
    };
    let said = said.map_or_else(|| "a part of it".to_owned(), |said| format!("`{said}`"));
    found.push(Part { said, test, either });
}

/// What a part says of which piece, as that is written.
fn said_of(part: &IdedExpr) -> Option<(String, Test)> {
    let (piece, test) = test(part)?;
    let written = match &piece.expr {
        Expr::Select(select) if select.test => format!("{}.{}", render(&select.operand)?, select.field),
        _ => render(piece)?,
    };
    Some((written, test))
}

fn render(piece: &IdedExpr) -> Option<String> {
    Some(match &piece.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Literal(literal) => match literal {
            LiteralValue::String(text) => format!("'{}'", text.inner().escape_default()),
            LiteralValue::Boolean(flag) => flag.inner().to_string(),
            LiteralValue::Int(number) => number.inner().to_string(),
            LiteralValue::Double(number) => format!("{:?}", number.inner()),
            LiteralValue::UInt(number) => format!("{}u", number.inner()),
            LiteralValue::Null => "null".to_owned(),
            LiteralValue::Bytes(_) => return None,
        },
        Expr::Select(select) if select.test => format!("has({}.{})", inner(&select.operand)?, select.field),
        Expr::Select(select) => format!("{}.{}", inner(&select.operand)?, select.field),
        Expr::List(list) => {
            let items: Option<Vec<String>> = list.elements.iter().map(render).collect();
            format!("[{}]", items?.join(", "))
        }
        Expr::Call(call) => {
            let args: Option<Vec<String>> = call.args.iter().map(inner).collect();
            let args = args?;
            match (call.func_name.as_str(), call.target.as_deref(), args.as_slice()) {
                (operators::INDEX, None, [of, index]) => match call.args.last().and_then(constant) {
                    // The same field, however it is asked for.
                    Some(Value::String(field)) if super::read::is_identifier(&field) => format!("{of}.{field}"),
                    _ => format!("{of}[{index}]"),
                },
                (operators::CONDITIONAL, None, [test, yes, no]) => format!("{test} ? {yes} : {no}"),
                (operators::OPT_SELECT, None, [of, field]) => format!("{of}.?{}", field.trim_matches('\'')),
                (operators::LOGICAL_NOT, None, [of]) => format!("!{of}"),
                (operators::NEGATE, None, [of]) => format!("-{of}"),
                (name, None, [left, right]) if name.starts_with(['_', '@']) => {
                    format!("{left} {} {right}", name.trim_matches(['_', '@']))
                }
                (name, Some(target), _) => format!("{}.{name}({})", inner(target)?, args.join(", ")),
                (name, None, _) => format!("{name}({})", args.join(", ")),
            }
        }
        Expr::Map(_) | Expr::Struct(_) | Expr::Comprehension(_) | Expr::Unspecified => return None,
    })
}

/// The same within something larger: in brackets where it has signs of its own.
fn inner(piece: &IdedExpr) -> Option<String> {
    let plain = match &piece.expr {
        Expr::Call(call) => {
            call.target.is_some()
                || !call.func_name.starts_with(['_', '@', '!', '-'])
                || matches!(call.func_name.as_str(), operators::INDEX | operators::OPT_SELECT)
        }
        _ => true,
    };
    let text = render(piece)?;
    Some(if plain { text } else { format!("({text})") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::cel_value::{self, context, from_json};

    fn expression(source: &str) -> Expression {
        let program = cel_value::env().compile(source).unwrap();
        Expression { source: source.to_owned(), program, names: Vec::new(), paths: Vec::new(), loops: 0 }
    }

    fn of(source: &str) -> Vec<Part> {
        parts_of(&expression(source))
    }

    /// Atoms over one field, and values that it may have or not.
    fn atoms() -> Vec<String> {
        let mut atoms: Vec<String> = Vec::new();
        for constant in ["1", "1.0", "2", "-3", "2.5", "'a'", "'ab'", "null", "true", "9007199254740993"] {
            for sign in ["==", "!=", ">", ">=", "<", "<="] {
                atoms.push(format!("e.x {sign} {constant}"));
                atoms.push(format!("{constant} {sign} e.x"));
            }
            atoms.push(format!("!(e['x'] == {constant})"));
        }
        let others = [
            "e.x",
            "!e.x",
            "has(e.x)",
            "!has(e.x)",
            "e.x in [1, 2]",
            "e.x in [1.0]",
            "e.x in ['a', 'b']",
            "e.x in []",
            "e.x.startsWith('a')",
            "e.x.startsWith('b')",
            "!e.x.startsWith('a')",
            "!(e.x > 1)",
            "!(e.x < 1)",
            "true",
            "false",
            "e.x == 1 || e.x == 'a'",
            "e.x > 2 || e.x",
            "size(e.x) > 1",
            "size(e.x) <= 1",
            "!(e.x in [1, 2])",
        ];
        atoms.extend(others.map(str::to_owned));
        atoms
    }

    #[test]
    fn what_is_answered_is_true_of_every_value() {
        let values = [
            json!(1),
            json!(1.0),
            json!(1.5),
            json!(2),
            json!(2.5),
            json!(-3),
            json!(0),
            json!("a"),
            json!("ab"),
            json!("b"),
            json!(""),
            json!(null),
            json!(true),
            json!(false),
            json!([1]),
            json!([1, 2]),
            json!({ "y": 1 }),
            json!(9_007_199_254_740_992_i64),
            json!(9_007_199_254_740_993_i64),
            json!(1e300),
        ];
        let events: Vec<Value> = values.iter().map(|x| json!({ "x": x })).chain([json!({})]).collect();
        let atoms: Vec<(Expression, Vec<Part>)> = atoms().iter().map(|atom| (expression(atom), of(atom))).collect();
        let held: Vec<Vec<bool>> = atoms
            .iter()
            .map(|(atom, _)| {
                let holds = |event: &Value| {
                    let mut context = context();
                    context.add_variable_from_value("e", from_json(event));
                    atom.holds(&context) == Ok(true)
                };
                events.iter().map(holds).collect()
            })
            .collect();
        let (mut against, mut implied) = (0, 0);
        for ((one, parts), held_one) in atoms.iter().zip(&held) {
            for ((other, wanted), held_other) in atoms.iter().zip(&held) {
                let mut both = held_one.iter().zip(held_other);
                if contradiction(&[parts.clone(), wanted.clone()].concat()).is_some() {
                    against += 1;
                    assert!(!both.clone().any(|(one, other)| *one && *other), "{} && {}", one.source, other.source);
                }
                if implies(parts, wanted) {
                    implied += 1;
                    assert!(both.all(|(one, other)| !*one || *other), "{} makes {}", one.source, other.source);
                }
            }
        }
        assert!(against > 3_000 && implied > 1_500, "{against} {implied}");
    }

    #[test]
    fn what_cannot_hold_together_is_named() {
        for (source, expected) in [
            ("e.x > 5 && e.y == 1 && e.x < 3", vec!["`e.x > 5`", "`e.x < 3`"]),
            ("e.x == 'a' && e['x'] == 'b'", vec!["`e.x == 'a'`", "`e.x == 'b'`"]),
            ("e.x >= 3 && e.x < 3", vec!["`e.x >= 3`", "`e.x < 3`"]),
            (
                "e.x in ['a', 'b'] && e.x != 'a' && e.x != 'b'",
                vec!["`e.x in ['a', 'b']`", "`e.x != 'a'`", "`e.x != 'b'`"],
            ),
            ("e.paid && (e.x == 1 && !e.paid)", vec!["`e.paid`", "`!e.paid`"]),
            ("!has(e.x) && e.x != 'a'", vec!["`!has(e.x)`", "`e.x != 'a'`"]),
            ("size(e.x) > 3 && size(e.x) == 2", vec!["`size(e.x) > 3`", "`size(e.x) == 2`"]),
            ("e.x == 1 && false", vec!["`false`"]),
        ] {
            assert_eq!(contradiction(&of(source)).unwrap(), expected, "{source}");
        }
        for source in
            ["e.x > 3 && e.x < 4", "e.x == 'a' || e.x == 'b'", "e.x > 5 && e.y < 3", "e.x >= 3 && e.x <= 3", "true"]
        {
            assert_eq!(contradiction(&of(source)), None, "{source}");
        }
    }

    #[test]
    fn what_makes_another_hold_is_found() {
        for (given, wanted) in [
            ("e.x > 20 && e.y == 'a'", "e.x > 10"),
            ("e.x == 1", "e.x in [1, 2]"),
            ("e.x == 'a'", "e.x == 'b' || e.x == 'a'"),
            ("e.list.size() > 2 && e.x", "e.x && e.list.size() > 2"),
            ("e.x", "true"),
        ] {
            assert!(implies(&of(given), &of(wanted)), "{given} makes {wanted}");
        }
        for (given, wanted) in
            [("e.x > 10", "e.x > 20"), ("e.x > 1", "e.y > 1"), ("e.l.exists(i, i == 1)", "e.l.exists(i, i == 1)")]
        {
            assert!(!implies(&of(given), &of(wanted)), "{given} does not make {wanted}");
        }
    }
}
