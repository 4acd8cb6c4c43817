//! A customer's history on the spine: events with what playbooks made of them, conversations with what they came to.

use super::spine::{Pill, Row, outcome_line};
use super::words;
use crate::model::entry::{HolderKind, OutcomeKind};
use crate::record::{EventRow, EventStatus, Listed};

/// An event as one line of a customer's history.
pub(super) fn of_event(event: &EventRow) -> Row {
    let mut pills: Vec<Pill> = event
        .verdicts
        .iter()
        .map(|(playbook, verdict)| Pill {
            text: format!("{}: {}", words::plain(playbook), words::words(verdict)),
            mark: verdict_mark(verdict),
        })
        .collect();
    if event.goals > 0 {
        pills.push(Pill { text: "goal reached".to_owned(), mark: "ok" });
    }
    if event.status == EventStatus::Dead {
        pills.push(Pill { text: "\u{25b2} dead letter".to_owned(), mark: "bad" });
    }
    Row {
        at: words::stamp(event.received_at),
        clock: words::clock(event.received_at),
        glyph: "\u{25c6}",
        mark: "ev",
        lane: "sys",
        code: words::plain(&event.kind),
        tail: format!("from {}", words::plain(&event.source)),
        pills,
        href: format!("/operator/events/{}", event.id),
        href_text: "what became of it".to_owned(),
        ..Row::default()
    }
}

/// A conversation as one line of a customer's history.
pub(super) fn of_conversation(listed: &Listed) -> Row {
    let summary = &listed.summary;
    let (glyph, mark) = match (summary.outcome.as_ref().map(|outcome| outcome.kind), summary.holder) {
        (Some(OutcomeKind::Failed), _) => ("\u{25b2}", "bad"),
        (_, HolderKind::Assistant) => ("\u{25cf}", "ai"),
        _ => ("\u{25a0}", "op"),
    };
    let came = summary.outcome.as_ref().map_or_else(
        || Pill { text: "still open".to_owned(), mark: "ai" },
        |outcome| Pill {
            text: outcome_line(outcome.kind, outcome.value.as_ref()),
            mark: if outcome.kind == OutcomeKind::Goal { "ok" } else { "plain" },
        },
    );
    Row {
        at: words::stamp(summary.created_at),
        clock: words::clock(summary.created_at),
        glyph,
        mark,
        lane: "words",
        who: "Conversation".to_owned(),
        code: words::plain(&summary.playbook),
        text: listed.last.as_ref().map(|last| last.text.clone()).unwrap_or_default(),
        pills: vec![came],
        href: format!("/operator/conversations/{}?view=all", summary.id),
        href_text: "read it".to_owned(),
        ..Row::default()
    }
}

/// The colour of a verdict.
pub(super) fn verdict_mark(verdict: &str) -> &'static str {
    match verdict {
        "waiting" | "opened" | "joined" | "told" => "sig",
        "failed" => "bad",
        _ => "plain",
    }
}
