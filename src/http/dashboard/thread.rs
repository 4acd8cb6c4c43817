//! The conversation of a live page: what the page has of it, and what hints add.

use std::time::Duration;

use tokio::time::Instant;

use super::Dashboard;
use super::attention::{Heard, Others};
use super::pages::PageError;
use super::spine::Standing;
use super::words;
use crate::model::decision::Summary;
use crate::model::ids::{ConversationId, Pos};
use crate::model::live::Live;
use crate::store::{Channel, Hint, Hints, LogCursor};

/// Words on their way are shown at most ten times a second.
const WORDS_PAUSE: Duration = Duration::from_millis(100);
/// Words on their way that are kept, in bytes.
const MOST_GROWING: usize = 64 * 1024;

/// The conversation on the page.
pub(super) struct Thread {
    pub(super) summary: Summary,
    pub(super) customer: String,
    pub(super) hints: Hints,
    pub(super) cursor: LogCursor,
    pub(super) standing: Standing,
    /// What the page shows beside the log; the mark of an `Aside`.
    pub(super) aside: String,
    pub(super) growing: Option<Growing>,
    pub(super) others: Others,
    /// Something may have been added.
    pub(super) stale: bool,
    /// The page shows what is no longer there.
    pub(super) lost: bool,
    /// When words on their way are to be shown.
    pub(super) words_due: Option<Instant>,
    /// Somebody came, went, began to write or stopped.
    pub(super) presence_due: bool,
    /// Somebody came who does not know that we are here.
    pub(super) greets: bool,
}

/// Words on their way.
pub(super) struct Growing {
    pub(super) turn: Pos,
    pub(super) attempt: u64,
    next: u32,
    pub(super) text: String,
}

impl Dashboard {
    /// Listens to a conversation that a page shows up to `after`.
    pub(super) async fn thread(
        &self,
        id: ConversationId,
        after: Option<&str>,
        operator: &str,
    ) -> Result<Thread, PageError> {
        let summary = self.record.summary(id).await?.ok_or_else(|| PageError::not_found("conversation"))?;
        // Listen first, then read: nothing falls between.
        let hints = self.store.subscribe(Channel::Actor(summary.customer.clone()), 256).await?;
        let entries = self.log(id, LogCursor::default()).await?;
        let known = self.record.known(&summary.customer).await?;
        let customer = words::customer(&summary.customer, known.as_ref().and_then(|known| known.name.as_deref()));
        let last = entries.last().map(|entry| LogCursor { seq: entry.seq, n: entry.n }).unwrap_or_default();
        let cursor = after.and_then(cursor_of).unwrap_or(last);
        let seen = entries.iter().filter(|entry| entry.n <= cursor.n).count();
        Ok(Thread {
            customer,
            hints,
            cursor,
            standing: Standing::of(entries.get(..seen).unwrap_or_default()),
            aside: String::new(),
            growing: None,
            others: Others::of(operator),
            stale: true,
            lost: cursor.n > last.n,
            words_due: None,
            // A page that comes back shows who was here when it went.
            presence_due: true,
            greets: false,
            summary,
        })
    }
}

impl Thread {
    /// Takes a hint: notes what is to be looked at, reads nothing.
    pub(super) fn take(&mut self, hint: &Hint, now: Instant) {
        let Hint::Payload(payload) = hint else {
            self.stale = true;
            return;
        };
        let here = self.summary.id;
        match serde_json::from_slice::<Live>(payload) {
            Ok(Live::Committed { entries, .. }) => {
                for logged in entries.iter().filter(|logged| logged.conversation == here) {
                    self.stale = true;
                    self.presence_due |= self.others.wrote(logged.entry.by);
                }
            }
            Ok(Live::Delta { conversation, turn, attempt, index, text }) if conversation == here => {
                if self.grow(turn, attempt, index, &text) {
                    self.words_due.get_or_insert_with(|| now + WORDS_PAUSE);
                }
            }
            Ok(Live::Dropped { conversation, .. }) if conversation == here => {
                self.growing = None;
                self.words_due = Some(now);
            }
            Ok(Live::Typing { conversation, by, .. }) if conversation == here => {
                self.presence_due |= self.others.writes(by, now);
            }
            Ok(Live::Attends { conversation, operator, attention }) if conversation == here => {
                let heard = self.others.hear(&operator, attention, now);
                self.presence_due |= heard != Heard::Known;
                self.greets |= heard == Heard::Greet;
            }
            Ok(Live::Erased) => self.lost = true,
            Ok(_) => {}
            Err(_) => self.stale = true,
        }
    }

    /// When this is to be looked at next without a hint.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        if self.stale || self.lost || self.presence_due || self.greets {
            return Some(now);
        }
        self.words_due.into_iter().chain(self.others.due()).min()
    }

    /// Adds words on their way; false: they change nothing that is shown.
    fn grow(&mut self, turn: Pos, attempt: u64, index: u32, text: &str) -> bool {
        let starts = match &self.growing {
            None => index == 0,
            Some(growing) => index == 0 && (turn, attempt) > (growing.turn, growing.attempt),
        };
        if starts {
            self.growing = Some(Growing { turn, attempt, next: 1, text: text.to_owned() });
            return true;
        }
        match &mut self.growing {
            Some(growing) if growing.turn == turn && growing.attempt == attempt && growing.next == index => {
                growing.next += 1;
                if growing.text.len() + text.len() <= MOST_GROWING {
                    growing.text.push_str(text);
                }
                true
            }
            _ => false,
        }
    }
}

/// Reads `seq-n`.
fn cursor_of(text: &str) -> Option<LogCursor> {
    let (seq, n) = text.split_once('-')?;
    Some(LogCursor { seq: seq.parse().ok()?, n: n.parse().ok()? })
}
