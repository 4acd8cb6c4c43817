//! Words on their way, for one socket: joined to at most 20 frames a second a turn, numbered anew and densely.

use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::time::Instant;

use super::sent::ServerFrame;
use crate::model::ids::{ConversationId, Pos};

/// Between two frames of one turn.
const PACE: Duration = Duration::from_millis(50);

/// The most words held back for joining, in bytes; a turn that is faster is told by its entry.
const MAX_HELD: usize = 16 * 1_024;

/// The turns whose words are under way: at most one a conversation.
#[derive(Debug, Default)]
pub struct Deltas {
    flows: Vec<Flow>,
}

#[derive(Debug)]
struct Flow {
    conversation: ConversationId,
    turn: Pos,
    attempt: u64,
    /// The index expected next from whoever publishes.
    expected: u32,
    /// The index of our next frame.
    index: u32,
    held: String,
    due: Instant,
    /// After a gap one frame says so, by its index; then nothing more comes of this `try`.
    silent: bool,
    /// An entry replaced this `try`, or the turn was dropped.
    over: bool,
}

/// A delta as it was published.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// The conversation.
    pub conversation: ConversationId,
    /// The turn.
    pub turn: Pos,
    /// Grows by epoch, step and attempt.
    pub attempt: u64,
    /// Dense from 0 within a `try`.
    pub index: u32,
    /// The words.
    pub text: &'a str,
}

impl Flow {
    fn begin(conversation: ConversationId, turn: Pos, attempt: u64, now: Instant) -> Flow {
        let (held, over) = (String::new(), false);
        Flow { conversation, turn, attempt, expected: 0, index: 0, held, due: now, silent: false, over }
    }

    fn frame(&mut self, now: Instant) -> Utf8Bytes {
        let text = std::mem::take(&mut self.held);
        let frame = ServerFrame::Delta {
            conversation_id: self.conversation,
            turn_id: self.turn,
            attempt: self.attempt,
            index: self.index,
            text: &text,
        };
        self.index = self.index.saturating_add(1);
        self.due = now + PACE;
        frame.text()
    }
}

impl Deltas {
    /// Takes words that were published; answers the frame to send now, if one is due.
    pub fn take(&mut self, delta: Published<'_>, now: Instant) -> Option<Utf8Bytes> {
        let flow = self.flow(delta, now)?;
        if flow.over || flow.silent || delta.index < flow.expected {
            return None;
        }
        let gap = delta.index > flow.expected;
        flow.expected = delta.index.saturating_add(1);
        if gap || flow.held.len().saturating_add(delta.text.len()) > MAX_HELD {
            flow.silent = true;
            crate::telemetry::deltas_dropped(1);
            flow.index = flow.index.saturating_add(1);
            flow.held.clear();
        }
        flow.held.push_str(delta.text);
        if gap || flow.due <= now { Some(flow.frame(now)) } else { None }
    }

    /// The flow that a delta belongs to: none where it is of the past.
    fn flow(&mut self, delta: Published<'_>, now: Instant) -> Option<&mut Flow> {
        let at = self.flows.iter().position(|flow| flow.conversation == delta.conversation);
        let fresh = || Flow::begin(delta.conversation, delta.turn, delta.attempt, now);
        let Some(flow) = at.and_then(|at| self.flows.get_mut(at)) else {
            self.flows.push(fresh());
            return self.flows.last_mut();
        };
        let (known, theirs) = ((flow.turn, flow.attempt), (delta.turn, delta.attempt));
        if theirs < known {
            return None;
        }
        if theirs > known {
            // The pace is the turn's, also over its tries.
            let due = if flow.turn == delta.turn { flow.due } else { now };
            *flow = Flow { due, ..fresh() };
        }
        self.flows.iter_mut().find(|flow| flow.conversation == delta.conversation)
    }

    /// The earliest time at which held words are to be sent.
    pub fn due(&self) -> Option<Instant> {
        self.flows.iter().filter(|flow| !flow.held.is_empty()).map(|flow| flow.due).min()
    }

    /// Words that are due, as frames.
    pub fn flush(&mut self, now: Instant) -> Vec<Utf8Bytes> {
        let due = |flow: &&mut Flow| !flow.held.is_empty() && flow.due <= now;
        self.flows.iter_mut().filter(due).map(|flow| flow.frame(now)).collect()
    }

    /// An entry replaces the words of its turn, up to its own `try`.
    pub fn entry(&mut self, conversation: ConversationId, turn: Pos, attempt: Option<u64>) {
        for flow in &mut self.flows {
            let replaced = attempt.is_none_or(|attempt| flow.attempt <= attempt);
            if flow.conversation == conversation && flow.turn == turn && replaced {
                flow.held = String::new();
                flow.over = true;
            }
        }
    }

    /// Words of this turn will not come.
    pub fn dropped(&mut self, conversation: ConversationId, turn: Pos) {
        self.entry(conversation, turn, None);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::ids::Partition;

    const TURN: Pos = Pos { ms: 9, n: 0 };

    fn conversation() -> ConversationId {
        ConversationId { partition: Partition(1), pos: Pos { ms: 1, n: 0 }, k: 0 }
    }

    fn delta(attempt: u64, index: u32, text: &str) -> Published<'_> {
        Published { conversation: conversation(), turn: TURN, attempt, index, text }
    }

    fn told(frame: Option<Utf8Bytes>) -> Option<(u64, u64, String)> {
        let frame: Value = serde_json::from_str(frame?.as_str()).unwrap();
        let text = frame["text"].as_str().unwrap().to_owned();
        Some((frame["try"].as_u64().unwrap(), frame["index"].as_u64().unwrap(), text))
    }

    #[test]
    fn words_are_joined_to_twenty_frames_a_second_with_dense_numbers() {
        let (mut deltas, start) = (Deltas::default(), Instant::now());
        let mut frames = Vec::new();
        for n in 0..1_000_u32 {
            let now = start + Duration::from_millis(u64::from(n));
            frames.extend(deltas.flush(now));
            frames.extend(deltas.take(delta(7, n, "x"), now));
        }
        frames.extend(deltas.flush(start + Duration::from_secs(2)));
        let told: Vec<_> = frames.into_iter().filter_map(|frame| told(Some(frame))).collect();
        assert!(told.len() <= 21, "{} frames in a second", told.len());
        assert!(told.iter().zip(0..).all(|((_, index, _), n)| *index == n));
        assert_eq!(told.iter().map(|(_, _, text)| text.len()).sum::<usize>(), 1_000);
    }

    #[test]
    fn a_higher_try_starts_anew_and_a_lower_is_ignored() {
        let (mut deltas, now) = (Deltas::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        assert_eq!(told(deltas.take(delta(7, 0, "a"), now)), Some((7, 0, "a".to_owned())));
        assert_eq!(told(deltas.take(delta(8, 0, "b"), later)), Some((8, 0, "b".to_owned())));
        assert_eq!(told(deltas.take(delta(7, 1, "c"), later)), None);
    }

    #[test]
    fn a_gap_shows_in_the_index_and_silences_the_try() {
        let (mut deltas, now) = (Deltas::default(), Instant::now());
        assert_eq!(told(deltas.take(delta(7, 0, "a"), now)), Some((7, 0, "a".to_owned())));
        assert_eq!(told(deltas.take(delta(7, 2, "c"), now)), Some((7, 2, "c".to_owned())));
        assert_eq!(told(deltas.take(delta(7, 3, "d"), now)), None);
        assert_eq!(deltas.due(), None);
    }

    #[test]
    fn who_comes_in_the_middle_gets_an_index_above_zero() {
        let mut deltas = Deltas::default();
        let told = told(deltas.take(delta(7, 5, "f"), Instant::now()));
        assert!(told.is_some_and(|(_, index, _)| index > 0));
    }

    #[test]
    fn an_entry_ends_the_words_of_its_try_and_no_higher() {
        let (mut deltas, now) = (Deltas::default(), Instant::now());
        deltas.take(delta(7, 0, "a"), now);
        deltas.take(delta(7, 1, "b"), now);
        deltas.entry(conversation(), TURN, Some(7));
        assert_eq!(deltas.due(), None);
        assert_eq!(told(deltas.take(delta(7, 2, "c"), now + PACE)), None);
        assert!(deltas.take(delta(8, 0, "d"), now + PACE).is_some());
    }
}
