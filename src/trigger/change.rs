//! A customer's own usual that changes: each period is compared with the median of those before it, so that one odd
//! week neither hides a change nor makes one. Asked when a period has ended and its late events have had their time.

use crate::model::memory::{Memory, Waiting, Wake};
use crate::model::pattern::{Change, Way, Window};
use crate::model::time::{Millis, Ms};

const WEEK: Millis = Millis::hours(7 * 24);

/// What a period came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The values of the last periods, oldest first.
    pub latest: Vec<f64>,
    /// The customer's own usual, where enough is known of it.
    pub usual: Option<f64>,
    /// Whether it changed as the condition says.
    pub changed: bool,
}

/// Adds an event's value to its period.
pub fn add(memory: Option<&Memory>, change: &Change, at: Ms, value: f64) -> Memory {
    let start = Window::start(change.per, at);
    let (mut first, mut values, told) = match memory {
        Some(Memory::Periods { first, values, told }) => (*first, values.clone(), *told),
        _ => (start, Vec::new(), false),
    };
    first = first.min(start);
    match values.binary_search_by_key(&start, |(start, _)| *start) {
        Ok(place) => {
            if let Some((_, sum)) = values.get_mut(place) {
                *sum += value;
            }
        }
        Err(place) => values.insert(place, (start, value)),
    }
    Memory::Periods { first, values, told }
}

/// When the period that a time is in has ended and its late events have had their time.
pub fn due(change: &Change, at: Ms, lateness: Millis) -> Ms {
    Window::start(change.per, at).plus(change.per).plus(lateness)
}

/// Looks at the periods up to the one that has ended at `end`.
pub fn look(change: &Change, memory: &Memory, end: Ms) -> Verdict {
    let Memory::Periods { first, values, .. } = memory else {
        return Verdict { latest: Vec::new(), usual: None, changed: false };
    };
    let value = |start: u64| {
        let found = values.binary_search_by_key(&Ms(start), |(start, _)| *start).ok();
        found.and_then(|place| values.get(place)).map_or(0.0, |(_, value)| *value)
    };
    let per = change.per.0.max(1);
    let starts: Vec<u64> =
        (1..=u64::from(change.periods)).rev().filter_map(|back| end.0.checked_sub(back * per)).collect();
    let latest: Vec<f64> = starts.iter().map(|start| value(*start)).collect();
    let Some(run) = starts.first().copied() else { return Verdict { latest, usual: None, changed: false } };
    let warm = Ms(run).since(*first) >= change.warm_up && run >= first.0;
    let compared = |start: u64| {
        // Before the run of periods that is asked about, so that a change does not become part of the usual.
        let step = if change.by_week { WEEK.0 } else { per };
        let begin = if change.by_week { start } else { run };
        let back = (1..=change.usual.0 / step).filter_map(|n| begin.checked_sub(n * step));
        median(back.filter(|past| *past >= first.0 && *past < run).map(value).collect())
    };
    let usual = compared(run).filter(|_| warm);
    let crosses = |(start, value): (&u64, &f64)| {
        compared(*start).is_some_and(|usual| {
            let border = usual * change.percent / 100.0;
            usual >= change.min
                && match change.way {
                    Way::Falls => *value < border,
                    Way::Rises => *value > border,
                }
        })
    };
    let changed = warm && !starts.is_empty() && starts.iter().zip(&latest).all(crosses);
    Verdict { latest, usual, changed }
}

/// What is still needed after a period that has ended at `end`; none where nothing was usual any more.
pub fn keep(change: &Change, memory: Memory, end: Ms, told: bool) -> Option<Memory> {
    let Memory::Periods { first, mut values, .. } = memory else { return None };
    let reach = change.usual.0.saturating_add(change.per.0.saturating_mul(u64::from(change.periods)));
    values.retain(|(start, _)| start.0.saturating_add(reach) >= end.0);
    if values.is_empty() { None } else { Some(Memory::Periods { first, values, told }) }
}

/// Whether the last period that ended was told as a change.
pub fn was_told(memory: &Memory) -> bool {
    matches!(memory, Memory::Periods { told: true, .. })
}

/// The wait for a period's end, with the event that is told of.
pub fn find<'w>(wakes: &'w mut [Wake], trigger: &str, key: &str) -> Option<&'w mut Wake> {
    wakes.iter_mut().find(|wake| wake.what == Waiting::Period && wake.trigger == trigger && wake.key == key)
}

/// The middle value; of an even number the mean of the two in the middle. One odd value does not move it far.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len().is_multiple_of(2) {
        let lower = *values.get(middle.checked_sub(1)?)?;
        Some((lower + upper) / 2.0)
    } else {
        Some(upper)
    }
}
