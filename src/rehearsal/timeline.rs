//! What happened on a stage, in order: what expectations are asked of, and what people read when one does not hold.

use serde_json::{Map, Value};

use crate::model::customer::RefusalCode;
use crate::model::decision::{Judged, Notice};
use crate::model::entry::{By, CallState, Entry, HolderKind, Kind};
use crate::model::ids::{ActorId, ConversationId};
use crate::model::time::Ms;

/// One thing that happened, and when.
#[derive(Debug)]
pub struct Moment {
    /// The virtual time.
    pub at: Ms,
    /// Whom it concerns; none: nobody in particular.
    pub customer: Option<ActorId>,
    /// What.
    pub what: Happened,
}

/// What happened.
#[derive(Debug)]
pub enum Happened {
    /// A step of the scenario, in words.
    Step(String),
    /// A playbook judged an event.
    Judged(Judged),
    /// A conversation got an entry.
    Entry(ConversationId, Box<Entry>),
    /// A call left.
    Call {
        /// The operation.
        operation: String,
        /// Its arguments.
        args: Map<String, Value>,
        /// Whether a playbook's `context` asked for it.
        context: bool,
    },
    /// The company was told.
    Notified(Notice, String),
    /// What was asked for was refused.
    Refused(RefusalCode),
    /// A model or API is worth a note: it has no answer here.
    Note(String),
}

/// The timeline as people read it. `anchor` is the customer that need not be named.
pub fn listed(moments: &[Moment], anchor: &ActorId) -> Vec<String> {
    moments.iter().filter_map(|moment| line(moment, anchor)).collect()
}

fn line(moment: &Moment, anchor: &ActorId) -> Option<String> {
    let text = match &moment.what {
        Happened::Step(text) => text.clone(),
        Happened::Judged(judged) => format!("  {}: {}", judged.playbook, verdict(judged)),
        Happened::Entry(_, entry) => format!("  {}", entry_line(entry)?),
        Happened::Call { operation, args, context } => {
            let args = Value::Object(args.clone());
            format!("  calls {operation} {args}{}", if *context { " for its context" } else { "" })
        }
        Happened::Notified(notice, reason) => format!("  tells the company {}: {reason}", notice.name()),
        Happened::Refused(code) => format!("  refused: {}", code.code()),
        Happened::Note(text) => format!("  {text}"),
    };
    let who = match &moment.customer {
        Some(customer) if customer != anchor => format!("{customer} "),
        Some(_) => String::new(),
        None => "nobody ".to_owned(),
    };
    Some(format!("{}  {who}{text}", clock(moment.at)))
}

/// Date and time of day, for a scenario may last weeks.
pub fn clock(at: Ms) -> String {
    at.to_string().replacen('T', " ", 1).trim_end_matches('Z').to_owned()
}

/// A verdict with why.
pub fn verdict(judged: &Judged) -> String {
    let mut text = word(&judged.verdict);
    if let Some(reason) = &judged.reason {
        text.push_str(&format!(", {reason}"));
    }
    if let Some(condition) = &judged.condition {
        text.push_str(&format!(": {condition}"));
    }
    if !judged.values.is_empty() {
        let values: Vec<String> = judged.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        text.push_str(&format!(" ({})", values.join(", ")));
    }
    text
}

/// A word of a closed set, as it is written on the wire.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        other => other.map(|value| value.to_string()).unwrap_or_default(),
    }
}

fn entry_line(entry: &Entry) -> Option<String> {
    let by = match entry.by {
        By::Customer => "customer",
        By::Assistant => "assistant",
        By::Operator => "operator",
        By::System => "system",
    };
    Some(match &entry.kind {
        // The event and its verdict have lines of their own.
        Kind::Event { .. } | Kind::Verdict { .. } => return None,
        Kind::Opened {} => "seen".to_owned(),
        Kind::Fact { name, value, problem: None } => format!("fact {name} = {value}"),
        Kind::Fact { name, problem: Some(problem), .. } => format!("no fact {name}: {problem}"),
        Kind::Step { model, calls, problem, .. } => match problem {
            Some(problem) => format!("no answer: {problem}"),
            None => {
                let calls: Vec<&str> = calls.iter().map(|call| call.proposal.operation.as_str()).collect();
                format!("{model} asks for {}", calls.join(", "))
            }
        },
        Kind::Note { text, .. } => format!("note: {text}"),
        Kind::Triaged { triage, .. } => triage.to_string(),
        Kind::Handoff { reason, .. } => format!("a person is asked for: {reason}"),
        Kind::Outcome { outcome, value: None } => format!("outcome {}", word(outcome)),
        Kind::Outcome { outcome, value: Some(value) } => format!("outcome {}, value {value}", word(outcome)),
        Kind::Rated { score, .. } => format!("rated {score}"),
        Kind::Helped { of, helped, .. } => format!("{} by {of}", if *helped { "helped" } else { "not helped" }),
        Kind::Stopped { .. } => "stopped the assistant".to_owned(),
        Kind::Message { text, attachments, choices, .. } => {
            let files: String = attachments.iter().map(|file| format!(" [attached: {file}]")).collect();
            let labels: String = choices.iter().map(|choice| format!(" [{}]", choice.label)).collect();
            format!("{by}: {text}{files}{labels}")
        }
        Kind::Confirm { summary, .. } => format!("asks to confirm: {summary}"),
        Kind::Confirmed { approve, .. } => (if *approve { "confirmed" } else { "declined" }).to_owned(),
        Kind::Call { name, state, problem, .. } => {
            let state = match state {
                CallState::Done => "done",
                CallState::Failed => "failed",
                CallState::Refused => "refused",
                CallState::Unknown => "unknown",
            };
            let why = problem.as_ref().map(|problem| format!(", {problem}")).unwrap_or_default();
            format!("{name} {state}{why}")
        }
        Kind::Holder { holder, name } => match (holder, name) {
            (HolderKind::Operator, Some(name)) => format!("{name} holds"),
            (holder, _) => format!("{} holds", word(holder)),
        },
        Kind::Closed { outcome } => format!("closed, {}", word(outcome)),
    })
}
