//! The spine: every entry of a conversation as a line that people read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::words;
use crate::model::attachment::{Attachment, FileType, size_in_words};
use crate::model::entry::{By, CallState, Entry, HolderKind, Kind, OutcomeKind, Verdict};
use crate::model::ids::CallId;
use crate::model::triage::{Label, Priority};

/// The largest that a picture is shown on the spine, in pixels; also one that does not say how large it is.
const THUMBNAIL: (u32, u32) = (240, 180);
/// The most of a payload that a page shows, in characters.
const MOST_SHOWN: usize = 20_000;

/// A line of the spine.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub(super) struct Row {
    pub(super) n: u32,
    /// Date and time.
    pub(super) at: String,
    /// Time of day.
    pub(super) clock: String,
    /// Who or what, as a shape.
    pub(super) glyph: &'static str,
    /// The class of its colour.
    pub(super) mark: &'static str,
    /// `words`, `sys` or `note`.
    pub(super) lane: &'static str,
    pub(super) who: String,
    /// A few words in the line itself.
    pub(super) title: String,
    /// An id or a type, in mono.
    pub(super) code: String,
    /// What follows it.
    pub(super) tail: String,
    /// Words; shown as text, in their own direction.
    pub(super) text: String,
    pub(super) choices: Vec<String>,
    /// Files that came with it.
    pub(super) files: Vec<FileRow>,
    /// A short state with the class of its colour.
    pub(super) pill: String,
    pub(super) pill_mark: &'static str,
    /// More of these.
    pub(super) pills: Vec<Pill>,
    /// Where more is to be seen.
    pub(super) href: String,
    pub(super) href_text: String,
    /// What a click unfolds.
    pub(super) detail: String,
    /// The call that a person has to settle.
    pub(super) settle: Option<u32>,
}

/// A file that a customer sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct FileRow {
    /// Where it is fetched.
    pub(super) href: String,
    pub(super) name: String,
    /// What it is, in a word.
    pub(super) kind: &'static str,
    pub(super) size: String,
    pub(super) is_picture: bool,
    /// How large a picture is shown, in pixels: known before it comes, so that nothing shifts.
    pub(super) width: u32,
    pub(super) height: u32,
}

impl FileRow {
    fn of(file: &Attachment) -> FileRow {
        let (width, height) = thumbnail(file.width.zip(file.height));
        let kind = match file.kind {
            FileType::Png => "PNG",
            FileType::Jpeg => "JPEG",
            FileType::Gif => "GIF",
            FileType::Webp => "WebP",
            FileType::Pdf => "PDF",
        };
        FileRow {
            href: format!("/operator/attachments/{}", file.id),
            name: words::plain(&file.name),
            kind,
            size: size_in_words(file.size),
            is_picture: file.kind.is_picture(),
            width,
            height,
        }
    }
}

/// A picture's size made to fit, never enlarged.
fn thumbnail(size: Option<(u32, u32)>) -> (u32, u32) {
    let (width, height) = size.filter(|(width, height)| *width > 0 && *height > 0).unwrap_or(THUMBNAIL);
    let (most_wide, most_high) = THUMBNAIL;
    let fit = |side: u32, most: u32, of: u32| {
        let scaled = u64::from(side) * u64::from(most) / u64::from(of);
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    };
    if width <= most_wide && height <= most_high {
        (width, height)
    } else if u64::from(width) * u64::from(most_high) >= u64::from(height) * u64::from(most_wide) {
        (most_wide, fit(height, most_wide, width))
    } else {
        (fit(width, most_high, height), most_high)
    }
}

/// A short state with the class of its colour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Pill {
    pub(super) text: String,
    pub(super) mark: &'static str,
}

/// Where a conversation stands, by its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) holder: HolderKind,
    /// The operator's name, where one holds.
    pub(super) name: String,
    /// `n` of the last `holder` entry; 0 where none.
    pub(super) holder_n: u32,
    pub(super) is_seen: bool,
    pub(super) closed: Option<OutcomeKind>,
    /// What it came to, in words; empty where that is open.
    pub(super) outcome: String,
    pub(super) handoff: String,
    pub(super) priority: Priority,
    pub(super) labels: BTreeSet<Label>,
    /// Calls whose end nobody knows, with the operation.
    pub(super) unknown: BTreeMap<CallId, String>,
}

impl Standing {
    pub(super) fn of(entries: &[Entry]) -> Standing {
        let mut standing = Standing {
            holder: HolderKind::Assistant,
            name: String::new(),
            holder_n: 0,
            is_seen: false,
            closed: None,
            outcome: String::new(),
            handoff: String::new(),
            priority: Priority::Normal,
            labels: BTreeSet::new(),
            unknown: BTreeMap::new(),
        };
        for entry in entries {
            standing.add(entry);
        }
        standing
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        self.is_seen |= entry.by == By::Customer;
        match &entry.kind {
            Kind::Opened {} => self.is_seen = true,
            Kind::Holder { holder, name } => {
                self.holder = *holder;
                self.name = name.clone().unwrap_or_default();
                self.holder_n = entry.n;
            }
            Kind::Handoff { reason, .. } => self.handoff = reason.clone(),
            Kind::Triaged { triage, .. } => {
                self.priority = triage.priority.unwrap_or(self.priority);
                triage.apply(&mut self.labels);
            }
            Kind::Outcome { outcome, value } => self.outcome = outcome_line(*outcome, value.as_ref()),
            Kind::Closed { outcome } => {
                self.closed = Some(*outcome);
                if self.outcome.is_empty() {
                    self.outcome = outcome_line(*outcome, None);
                }
            }
            Kind::Call { call_id, name, state: CallState::Unknown, .. } => {
                self.unknown.insert(*call_id, name.clone());
            }
            Kind::Call { call_id, .. } => {
                self.unknown.remove(call_id);
            }
            _ => {}
        }
    }
}

/// The lines of entries. `unknown` are the calls that can be settled now; `customer` is what the customer is called.
pub(super) fn rows(entries: &[Entry], unknown: &BTreeMap<CallId, String>, customer: &str) -> Vec<Row> {
    entries.iter().map(|entry| row(entry, unknown, customer)).collect()
}

fn row(entry: &Entry, unknown: &BTreeMap<CallId, String>, customer: &str) -> Row {
    let (glyph, mark, who) = match entry.by {
        By::Customer => ("\u{25cb}", "cu", customer.to_owned()),
        By::Assistant => ("\u{25cf}", "ai", "Assistant".to_owned()),
        By::Operator => ("\u{25a0}", "op", "Operator".to_owned()),
        By::System => ("\u{2504}", "sys", String::new()),
    };
    let base = Row {
        n: entry.n,
        at: words::stamp(entry.at),
        clock: words::clock(entry.at),
        glyph,
        mark,
        lane: "sys",
        who,
        ..Row::default()
    };
    match &entry.kind {
        Kind::Message { text, attachments, choices, choice, name, .. } => Row {
            files: attachments.iter().map(FileRow::of).collect(),
            lane: "words",
            who: name.as_deref().map(words::plain).unwrap_or(base.who.clone()),
            title: if choice.is_some() { "chose".to_owned() } else { String::new() },
            text: text.clone(),
            choices: choices.iter().map(|choice| choice.label.clone()).collect(),
            ..base
        },
        Kind::Note { text, name } => Row {
            glyph: "\u{270e}",
            mark: "op",
            lane: "note",
            who: format!("Note by {}", words::plain(name)),
            title: "only your team sees this".to_owned(),
            text: text.clone(),
            ..base
        },
        Kind::Confirm { call_id, summary, args } => Row {
            lane: "words",
            title: "asks before it acts".to_owned(),
            text: summary.clone(),
            pill: format!("call {call_id}"),
            pill_mark: "ai",
            detail: pretty(&Value::Object(args.clone())),
            ..base
        },
        Kind::Call { call_id, name, state, args, result, problem, .. } => Row {
            settle: unknown.contains_key(call_id).then_some(call_id.0).filter(|_| *state == CallState::Unknown),
            ..call(base, *call_id, name, *state, args, result, problem.as_deref())
        },
        other => line(base, other),
    }
}

/// What is one line and no words of anybody.
fn line(base: Row, kind: &Kind) -> Row {
    match kind {
        Kind::Event { event, envelope, .. } => Row {
            glyph: "\u{25c6}",
            mark: "ev",
            code: words::plain(&envelope.kind),
            tail: format!("from {}", words::plain(&envelope.source)),
            href: format!("/operator/events/{event}"),
            href_text: "what became of it".to_owned(),
            detail: pretty(&envelope.data),
            ..base
        },
        Kind::Verdict { playbook, verdict } => {
            let text = match verdict {
                Verdict::Waiting => "waits to be seen, by the playbook",
                Verdict::Joined => "joined what was there, by the playbook",
                _ => "decided, by the playbook",
            };
            Row { glyph: "\u{25c6}", mark: "ev", title: text.to_owned(), code: words::plain(playbook), ..base }
        }
        Kind::Opened {} => Row { glyph: "\u{25cb}", mark: "cu", title: "the customer saw it".to_owned(), ..base },
        Kind::Fact { name, value, problem } => Row {
            mark: "ai",
            title: "fact".to_owned(),
            code: words::plain(name),
            pill: problem.as_deref().map(words::plain).unwrap_or_default(),
            pill_mark: "bad",
            detail: pretty(value),
            ..base
        },
        Kind::Step { step, model, tokens, calls, problem, .. } => {
            let names: Vec<String> = calls.iter().map(|call| words::plain(&call.proposal.operation)).collect();
            let asks = if names.is_empty() { String::new() } else { format!(", asks for {}", names.join(", ")) };
            let detail = if calls.is_empty() { String::new() } else { pretty_of(calls) };
            Row {
                mark: "ai",
                title: format!("step {step}, {tokens} tokens{asks}"),
                code: words::plain(model),
                pill: problem.as_deref().map(words::plain).unwrap_or_default(),
                pill_mark: "bad",
                detail,
                ..base
            }
        }
        Kind::Handoff { reason, summary } => Row {
            glyph: "\u{25a0}",
            mark: "op",
            title: format!("a person is needed: {}", words::plain(reason)),
            text: summary.clone(),
            ..base
        },
        Kind::Holder { holder, name } => {
            let (glyph, mark, title) = match (holder, name) {
                (HolderKind::Assistant, _) => ("\u{25cf}", "ai", "the assistant answers from here".to_owned()),
                (HolderKind::Queue, _) => ("\u{25a0}", "op", "waits for a person from here".to_owned()),
                (HolderKind::Operator, name) => {
                    let name = words::plain(name.as_deref().unwrap_or("an operator"));
                    ("\u{25a0}", "op", format!("{name}, a person, answers from here"))
                }
            };
            Row { glyph, mark, title, ..base }
        }
        Kind::Confirmed { call_id, approve, .. } => Row {
            glyph: "\u{25cb}",
            mark: "cu",
            title: if *approve { "approved" } else { "declined" }.to_owned(),
            pill: format!("call {call_id}"),
            pill_mark: "ai",
            ..base
        },
        Kind::Outcome { outcome, value } => {
            let title = format!("outcome: {}", outcome_line(*outcome, value.as_ref()));
            Row { glyph: "\u{25c6}", mark: "ok", title, ..base }
        }
        Kind::Rated { score, comment, .. } => Row {
            glyph: "\u{25cb}",
            mark: "cu",
            title: format!("rated {score} of 5"),
            text: comment.clone().unwrap_or_default(),
            ..base
        },
        Kind::Helped { of, helped, .. } => Row {
            glyph: "\u{25cb}",
            mark: "cu",
            title: format!("{} by message {of}", if *helped { "helped" } else { "not helped" }),
            ..base
        },
        Kind::Stopped { .. } => {
            Row { glyph: "\u{25cb}", mark: "cu", title: "stopped the assistant".to_owned(), ..base }
        }
        Kind::Closed { outcome } => {
            Row { glyph: "\u{2500}", mark: "sys", title: format!("closed: {}", outcome_words(*outcome)), ..base }
        }
        Kind::Triaged { triage, name } => {
            Row { glyph: "\u{25a0}", mark: "op", title: format!("{}: {triage}", words::plain(name)), ..base }
        }
        // Words of somebody; the caller has their lines.
        Kind::Message { .. } | Kind::Note { .. } | Kind::Confirm { .. } | Kind::Call { .. } => base,
    }
}

fn call(
    base: Row,
    id: CallId,
    name: &str,
    state: CallState,
    args: &Map<String, Value>,
    result: &Value,
    problem: Option<&str>,
) -> Row {
    let (mark, pill_mark, pill) = match state {
        CallState::Done => ("ai", "ok", "done"),
        CallState::Failed => ("bad", "bad", "failed"),
        CallState::Refused => ("ai", "warn", "refused"),
        CallState::Unknown => ("bad", "bad", "unknown"),
    };
    let mut inside = Map::new();
    inside.insert("args".to_owned(), Value::Object(args.clone()));
    if !result.is_null() {
        inside.insert("result".to_owned(), result.clone());
    }
    Row {
        glyph: if mark == "bad" { "\u{25b2}" } else { "\u{2504}" },
        mark,
        title: format!("call {id}"),
        code: words::plain(name),
        text: problem.unwrap_or_default().to_owned(),
        pill: pill.to_owned(),
        pill_mark,
        detail: pretty(&Value::Object(inside)),
        ..base
    }
}

/// An outcome in words, with what it was worth.
pub(super) fn outcome_line(outcome: OutcomeKind, value: Option<&Value>) -> String {
    let value = value.map(|value| format!(", worth {}", words::plain(&value.to_string())));
    format!("{}{}", outcome_words(outcome), value.unwrap_or_default())
}

/// An outcome in words.
pub(super) fn outcome_words(outcome: OutcomeKind) -> &'static str {
    match outcome {
        OutcomeKind::Goal => "goal reached",
        OutcomeKind::Resolved => "resolved by the assistant",
        OutcomeKind::Abandoned => "the customer left",
        OutcomeKind::Expired => "not seen in time",
        OutcomeKind::ClosedByOperator => "closed by a person",
        OutcomeKind::Failed => "could not go on",
    }
}

/// An outcome by its published name, in words.
pub(super) fn outcome_name(name: &str) -> &'static str {
    match serde_json::from_value(Value::String(name.to_owned())) {
        Ok(outcome) => outcome_words(outcome),
        Err(_) => "ended",
    }
}

/// JSON for reading; bounded, nothing for null.
pub(super) fn pretty(value: &Value) -> String {
    if value.is_null() { String::new() } else { pretty_of(value) }
}

fn pretty_of(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut shown: String = text.chars().take(MOST_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("\n\u{2026}");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_made_to_fit_in_its_own_proportions() {
        for (of, shown) in [
            ((800, 600), (240, 180)),
            ((600, 800), (135, 180)),
            ((4_000, 100), (240, 6)),
            ((1, 4_000_000_000), (1, 180)),
            ((100, 50), (100, 50)),
            ((0, 50), (240, 180)),
        ] {
            assert_eq!(thumbnail(Some(of)), shown, "{of:?}");
        }
        assert_eq!(thumbnail(None), (240, 180));
    }
}
