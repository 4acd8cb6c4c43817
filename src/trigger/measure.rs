//! Numbers over a window: `count`, `sum`, `max`, distinct values. A window is closed: an event exactly its length ago
//! is in it.

use crate::model::catalog::Expression;
use crate::model::pattern::{Measure, What, Window};
use crate::model::scope::Scope;
use crate::model::time::{Millis, Ms};
use serde_json::Value;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// How many values of one window are told apart; of more, the oldest neighbours are joined.
pub const MAX_VALUES: usize = 128;

/// A window, and what was measured in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The value.
    pub value: f64,
    /// The first moment of the window.
    pub from: Ms,
    /// The last moment of the window, which is in it.
    pub to: Ms,
    /// The oldest event in it; none where it is empty.
    pub oldest: Option<Ms>,
}

/// What an event adds to a measure.
///
/// # Errors
/// Why its value cannot be taken.
pub fn value_of(measure: &Measure, scope: &Scope) -> Result<f64, String> {
    match &measure.what {
        What::Count => Ok(1.0),
        What::Sum(expression) | What::Max(expression) => number(scope, expression),
        What::Distinct(expression) => {
            let value = scope.value(expression)?;
            let mut hasher = SipHasher13::new();
            hasher.write(value.to_string().as_bytes());
            // 32 bits are exact in a float, and enough to tell a hundred values apart.
            let low = u32::try_from(hasher.finish() & u64::from(u32::MAX)).unwrap_or_default();
            Ok(f64::from(low))
        }
    }
}

/// The number that an expression comes to.
pub fn number(scope: &Scope, expression: &Expression) -> Result<f64, String> {
    let value = scope.value(expression)?;
    match &value {
        Value::Number(number) => number.as_f64().ok_or_else(|| format!("`{}` is too large", expression.source)),
        _ => Err(format!("`{}` is no number", expression.source)),
    }
}

/// Adds a value at its time. Values older than `horizon` are forgotten: no window can reach them any more.
pub fn add(values: &mut Vec<(Ms, f64)>, what: &What, at: Ms, value: f64, horizon: Ms) {
    values.retain(|(at, _)| *at >= horizon);
    let place = values.partition_point(|(other, _)| *other <= at);
    values.insert(place, (at, value));
    while values.len() > MAX_VALUES {
        join_oldest(values, what);
    }
}

/// The two oldest become one, at the time of the older: it leaves its window too early rather than too late.
fn join_oldest(values: &mut Vec<(Ms, f64)>, what: &What) {
    let [first, second, ..] = values.as_mut_slice() else { return };
    let joined = match what {
        What::Count | What::Sum(_) => first.1 + second.1,
        What::Max(_) => first.1.max(second.1),
        // Values cannot be told apart once joined: the older is let go.
        What::Distinct(_) => second.1,
    };
    second.1 = joined;
    if !matches!(what, What::Distinct(_)) {
        second.0 = first.0;
    }
    values.remove(0);
}

/// What was measured at a moment.
pub fn at(measure: &Measure, values: &[(Ms, f64)], moment: Ms) -> Seen {
    let (from, to) = bounds(measure.window, moment);
    within(&measure.what, values, from, to)
}

/// The first window with this event in it that is within the bounds; else the one that comes nearest.
pub fn around(measure: &Measure, values: &[(Ms, f64)], event: Ms) -> Result<Seen, Seen> {
    let mut nearest = at(measure, values, event);
    if measure.admits(nearest.value) {
        return Ok(nearest);
    }
    if measure.window.tumbling {
        return Err(nearest);
    }
    let last = event.plus(measure.window.span);
    for (end, _) in values.iter().filter(|(end, _)| *end > event && *end <= last) {
        let seen = at(measure, values, *end);
        if measure.admits(seen.value) {
            return Ok(seen);
        }
        if seen.value > nearest.value {
            nearest = seen;
        }
    }
    Err(nearest)
}

/// Forgets what a match used up.
pub fn use_up(values: &mut Vec<(Ms, f64)>, seen: &Seen) {
    values.retain(|(at, _)| *at < seen.from || *at > seen.to);
}

fn bounds(window: Window, moment: Ms) -> (Ms, Ms) {
    if window.tumbling {
        let from = Window::start(window.span, moment);
        (from, Ms(from.plus(window.span).0.saturating_sub(1)))
    } else {
        (Ms(moment.0.saturating_sub(window.span.0)), moment)
    }
}

fn within(what: &What, values: &[(Ms, f64)], from: Ms, to: Ms) -> Seen {
    let inside = || values.iter().filter(|(at, _)| *at >= from && *at <= to);
    let value = match what {
        What::Count | What::Sum(_) => inside().map(|(_, value)| value).sum(),
        What::Max(_) => inside().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max),
        What::Distinct(_) => {
            let different: std::collections::BTreeSet<u64> = inside().map(|(_, value)| value.to_bits()).collect();
            u32::try_from(different.len()).map(f64::from).unwrap_or(f64::MAX)
        }
    };
    Seen { value, from, to, oldest: inside().map(|(at, _)| *at).next() }
}

/// How far back something has to be remembered: the longest window, and how late an event may be.
pub fn horizon(now: Ms, span: Millis, lateness: Millis) -> Ms {
    Ms(now.0.saturating_sub(span.0.saturating_add(lateness.0)))
}
