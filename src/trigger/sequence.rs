//! Events one after the other. Of each event only its time and the steps it may be are kept.

use crate::model::pattern::Sequence;
use crate::model::time::Ms;

/// How many events of one sequence are kept; of more, the oldest go.
pub const MAX_STEPS: usize = 64;

/// Marks what may not come in between.
const BREAK: u32 = 1 << 31;

/// The steps that an event of a type may be, as bits; 0 where it is none of them.
pub fn steps_of(sequence: &Sequence, kind: &str) -> u32 {
    let steps = sequence.events.iter().enumerate().filter(|(_, event)| *event == kind);
    let steps = steps.filter_map(|(step, _)| u32::try_from(step).ok()).fold(0, |bits, step| bits | (1 << step));
    let breaks = if sequence.without.iter().any(|event| event == kind) { BREAK } else { 0 };
    steps | breaks
}

/// Adds an event and answers whether it completes the sequence; a match uses up all up to its last event, unless
/// matches may overlap. Of events at the same time the one that arrived first comes first.
pub fn add(sequence: &Sequence, kept: &mut Vec<(Ms, u32)>, at: Ms, steps: u32, horizon: Ms) -> bool {
    kept.retain(|(at, _)| *at >= horizon);
    let place = kept.partition_point(|(other, _)| *other <= at);
    kept.insert(place, (at, steps));
    let found = (place..kept.len()).find_map(|last| {
        let first = chain(sequence, kept, last, sequence.events.len())?;
        (first <= place).then_some(last)
    });
    match found {
        Some(last) if !sequence.overlap => {
            kept.drain(..=last);
        }
        _ => {}
    }
    if kept.len() > MAX_STEPS {
        kept.remove(0);
    }
    found.is_some()
}

/// How many steps have been taken in time before or at a moment; less than all of them.
pub fn taken(sequence: &Sequence, kept: &[(Ms, u32)], moment: Ms) -> usize {
    under_way(sequence, kept, moment).map_or(0, |(taken, _)| taken)
}

/// The same, where any have been and nothing has broken them off, with the time of the first: of several such chains the
/// one that may be completed longest.
pub fn under_way(sequence: &Sequence, kept: &[(Ms, u32)], moment: Ms) -> Option<(usize, Ms)> {
    let most = sequence.events.len().saturating_sub(1);
    let goes_on = |last: &usize| {
        let after = kept.get(last + 1..).unwrap_or_default();
        if sequence.strict { after.is_empty() } else { !after.iter().any(|(_, bits)| bits & BREAK != 0) }
    };
    (1..=most).rev().find_map(|length| {
        let lasts = (0..kept.len()).filter(goes_on);
        let begins = lasts.filter_map(|last| kept.get(chain(sequence, kept, last, length)?));
        let in_time = begins.map(|(first, _)| *first).filter(|first| moment.since(*first) <= sequence.within);
        in_time.max().map(|first| (length, first))
    })
}

/// The place of the first event of the latest chain of `length` steps that ends at `last`, where it is in time and
/// nothing forbidden lies in between. Of all chains that end there it is the shortest: each step is the latest possible.
fn chain(sequence: &Sequence, kept: &[(Ms, u32)], last: usize, length: usize) -> Option<usize> {
    let (end, bits) = kept.get(last)?;
    if length == 0 || bits & (1 << (length - 1)) == 0 {
        return None;
    }
    let mut first = last;
    let mut step = length - 1;
    while step > 0 {
        let wanted = 1 << (step - 1);
        let before = kept.get(..first)?;
        first = if sequence.strict {
            first.checked_sub(1).filter(|place| before.get(*place).is_some_and(|(_, bits)| bits & wanted != 0))?
        } else {
            before.iter().rposition(|(_, bits)| bits & wanted != 0)?
        };
        step -= 1;
    }
    let (begin, _) = kept.get(first)?;
    let broken = kept.get(first + 1..last).unwrap_or_default().iter().any(|(_, bits)| bits & BREAK != 0);
    (end.since(*begin) <= sequence.within && !broken).then_some(first)
}
