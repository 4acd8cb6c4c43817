//! A part of a log, read from where a client stands.

use serde_json::Value;

use super::frames::Stand;
use crate::http::wire::{self, View};
use crate::model::entry::{Entry, Kind};
use crate::model::ids::Pos;

/// Entries for a client, in order, that follow its stand.
#[derive(Debug, Default)]
pub struct Part {
    /// As customers see them, each with the entry that it was made from.
    pub entries: Vec<(Shape, Value)>,
    /// Whether the log is at one with the stand.
    pub fits: Fits,
    /// The last visible entry that was looked at.
    pub at: Stand,
    /// What the entries take as JSON, roughly, in bytes.
    pub bytes: usize,
    /// Whether the end of the log was reached.
    pub complete: bool,
}

/// What of an entry matters beside its form.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its number and id.
    pub stand: Stand,
    /// The turn and `try` whose words it replaces.
    pub turn: Option<(Pos, Option<u64>)>,
    /// It ends the conversation.
    pub closes: bool,
}

impl Shape {
    /// Of an entry.
    pub fn of(entry: &Entry) -> Shape {
        Shape {
            stand: Stand { seq: entry.seq, id: Some(entry.id) },
            turn: entry.turn_id.map(|turn| (turn, entry.attempt)),
            closes: matches!(entry.kind, Kind::Closed { .. }),
        }
    }
}

/// Whether a log is at one with what a client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fits {
    /// The entry at its number was not seen yet.
    #[default]
    Open,
    /// It is the same entry.
    Same,
    /// Another one is there, or a number is missing: the client has to start over.
    Other,
}

impl Part {
    /// Nothing yet, after `stand`.
    pub fn after(stand: Stand) -> Part {
        let fits = if stand.seq == 0 { Fits::Same } else { Fits::Open };
        Part { fits, at: stand, ..Part::default() }
    }

    /// From a whole log.
    pub fn of(log: &[Entry], stand: Stand) -> Part {
        let mut part = Part::after(stand);
        for entry in log {
            if entry.visible && entry.seq >= stand.seq {
                part.take(entry, 0);
            }
        }
        part.complete = true;
        part.settle();
        part
    }

    /// Takes the next entry of the log, which takes `bytes` as stored.
    pub fn take(&mut self, entry: &Entry, bytes: usize) {
        if !entry.visible || self.fits == Fits::Other {
            return;
        }
        let shape = Shape::of(entry);
        let here = shape.stand;
        if self.fits == Fits::Open {
            self.fits = if here == self.at { Fits::Same } else { Fits::Other };
            return;
        }
        if Some(entry.seq) != self.at.seq.checked_add(1) {
            self.fits = Fits::Other;
            return;
        }
        self.at = here;
        // A visible entry that customers have no form for would be a hole for them; the number alone is none.
        if let Some(form) = wire::entry(entry, View::Customer) {
            self.bytes = self.bytes.saturating_add(bytes);
            self.entries.push((shape, form));
        }
    }

    /// The log is over: where the client's entry never came, it is not there.
    pub fn settle(&mut self) {
        if self.fits == Fits::Open {
            self.fits = Fits::Other;
        }
    }

    /// The forms alone.
    pub fn forms(self) -> Vec<Value> {
        self.entries.into_iter().map(|(_, form)| form).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::By;
    use crate::model::ids::{ConversationId, EntryId, Partition};
    use crate::model::time::Ms;

    fn entry(n: u32, seq: u32, visible: bool) -> Entry {
        let id = EntryId(ConversationId { partition: Partition(0), pos: Pos { ms: 1, n }, k: 0 });
        let kind = Kind::words(format!("{seq}"), None, Vec::new());
        Entry { n, seq, visible, id, at: Ms(1), by: By::Assistant, turn_id: None, attempt: None, kind }
    }

    fn stand(entry: &Entry) -> Stand {
        Stand { seq: entry.seq, id: Some(entry.id) }
    }

    #[test]
    fn a_log_is_at_one_with_a_client_that_has_its_entry_and_lacks_no_number() {
        let log = [entry(1, 1, true), entry(2, 1, false), entry(3, 2, true), entry(4, 3, true)];
        let after = |stand: Stand| Part::of(&log, stand);
        let seqs = |part: &Part| part.entries.iter().map(|(shape, _)| shape.stand.seq).collect::<Vec<_>>();
        let all = after(Stand::default());
        assert_eq!((all.fits, seqs(&all)), (Fits::Same, vec![1, 2, 3]), "what is not for customers is no hole");
        let rest = after(stand(&log[2]));
        assert_eq!((rest.fits, seqs(&rest), rest.at), (Fits::Same, vec![3], stand(&log[3])));
        let none = after(stand(&log[3]));
        assert_eq!((none.fits, seqs(&none)), (Fits::Same, Vec::new()));

        let other = Stand { seq: 2, id: Some(log[0].id) };
        assert_eq!(after(other).fits, Fits::Other, "another entry is there");
        let ahead = stand(&entry(5, 4, true));
        assert_eq!(after(ahead).fits, Fits::Other, "it is not there");
        let hole = Part::of(&[log[0].clone(), log[3].clone()], stand(&log[0]));
        assert_eq!((hole.fits, seqs(&hole)), (Fits::Other, Vec::new()), "a number is missing");
        let headless = Part::of(&log[2..], Stand::default());
        assert_eq!(headless.fits, Fits::Other, "the first is missing");
    }
}
