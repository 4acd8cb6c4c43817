//! How conversations and entries look to clients, written once for REST, chat and the dashboard's trace.
//!
//! Customers get what is on a list: a field that is added to an entry later stays inside until it is put there.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::markup;
use crate::model::conversation::{Conversation, Holder, Outcome, Phase};
use crate::model::decision::{Summary, SummaryState};
use crate::model::entry::{By, Entry, HolderKind, Kind};
use crate::model::ids::{ActorId, ConversationId};
use crate::model::time::Ms;
use crate::model::triage::{Label, Priority};

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The customer: visible entries, and of those what customers may know.
    Customer,
    /// The company: everything.
    Trace,
}

/// What is shown of a conversation beside its entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown<'a> {
    /// The conversation.
    pub id: ConversationId,
    /// The customer.
    pub customer: &'a ActorId,
    /// The playbook.
    pub playbook: &'a str,
    /// Where it stands.
    pub state: SummaryState,
    /// Who answers.
    pub holder: HolderKind,
    /// The operator's name, where one holds.
    pub operator: Option<&'a str>,
    /// `open.why`.
    pub why: &'a str,
    /// What it came to.
    pub outcome: Option<&'a Outcome>,
    /// When it was first seen or answered.
    pub opened_at: Option<Ms>,
    /// Number of the last entry that the customer may see.
    pub last_seq: u32,
    /// `n` of the last `holder` entry; what `claim` compares with.
    pub holder_n: u32,
    /// How soon it should be answered; for the company.
    pub priority: Priority,
    /// What operators find it by; for the company.
    pub labels: &'a BTreeSet<Label>,
    /// How the customer rated it, 1 to 5; for the company.
    pub rating: Option<u8>,
    /// The team that is asked for, where one is; for the company.
    pub team: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// From the live state; `why` is the playbook's. The team is known to who knows the playbook.
    pub fn live(id: ConversationId, customer: &'a ActorId, conversation: &'a Conversation, why: &'a str) -> Shown<'a> {
        let state = match conversation.phase {
            Phase::Preparing(_) | Phase::Waiting => SummaryState::Waiting,
            Phase::Open => SummaryState::Open,
            Phase::Closed => SummaryState::Closed,
        };
        let operator = match &conversation.holder {
            Holder::Operator(operator) => Some(operator.name.as_str()),
            Holder::Assistant | Holder::Queue => None,
        };
        Shown {
            id,
            customer,
            playbook: &conversation.playbook,
            state,
            holder: conversation.holder.kind(),
            operator,
            why,
            outcome: conversation.outcome.as_ref(),
            opened_at: conversation.opened_at,
            last_seq: conversation.seq,
            holder_n: conversation.holder_n,
            priority: conversation.priority,
            labels: &conversation.labels,
            rating: conversation.rating,
            team: None,
        }
    }

    /// From the record.
    pub fn recorded(summary: &'a Summary) -> Shown<'a> {
        Shown {
            id: summary.id,
            customer: &summary.customer,
            playbook: &summary.playbook,
            state: summary.state,
            holder: summary.holder,
            operator: summary.operator.as_ref().map(|operator| operator.name.as_str()),
            why: &summary.why,
            outcome: summary.outcome.as_ref(),
            opened_at: summary.opened_at,
            last_seq: summary.seq,
            holder_n: summary.holder_n,
            priority: summary.priority,
            labels: &summary.labels,
            rating: summary.rating,
            team: summary.team.as_deref(),
        }
    }
}

/// A conversation with entries that were made by [`entry`] or [`entries`].
///
/// A customer gets `{id, playbook, state, holder, why, last_seq, entries}`, the company
/// `{id, customer, playbook, state, holder, operator?, holder_n, priority, labels, team?, rating?, why, outcome?, opened_at?, last_seq, entries}`.
pub fn conversation(shown: &Shown<'_>, entries: Vec<Value>, view: View) -> Value {
    let mut form = listed(shown, view);
    if let Some(form) = form.as_object_mut() {
        form.insert("entries".to_owned(), Value::Array(entries));
    }
    form
}

/// A conversation as a list shows it: without entries.
pub fn listed(shown: &Shown<'_>, view: View) -> Value {
    let mut form = json!({
        "id": shown.id,
        "playbook": shown.playbook,
        "state": shown.state,
        "holder": shown.holder,
        "why": shown.why,
        "last_seq": shown.last_seq,
    });
    if view == View::Trace
        && let Some(form) = form.as_object_mut()
    {
        form.insert("customer".to_owned(), json!(shown.customer));
        form.insert("holder_n".to_owned(), json!(shown.holder_n));
        form.insert("priority".to_owned(), json!(shown.priority));
        form.insert("labels".to_owned(), json!(shown.labels));
        if let Some(name) = shown.operator {
            form.insert("operator".to_owned(), json!(name));
        }
        if let Some(team) = shown.team {
            form.insert("team".to_owned(), json!(team));
        }
        if let Some(rating) = shown.rating {
            form.insert("rating".to_owned(), json!(rating));
        }
        if let Some(outcome) = shown.outcome {
            form.insert("outcome".to_owned(), outcome_form(outcome));
        }
        if let Some(at) = shown.opened_at {
            form.insert("opened_at".to_owned(), json!(at.to_string()));
        }
    }
    form
}

fn outcome_form(outcome: &Outcome) -> Value {
    let mut form = json!({ "kind": outcome.kind, "at": outcome.at.to_string() });
    if let (Some(form), Some(value)) = (form.as_object_mut(), &outcome.value) {
        form.insert("value".to_owned(), value.clone());
    }
    form
}

/// An entry: `{seq, id, at, by, kind, turn_id?, try?, …}`, in a trace with `n`. None: not for this reader.
pub fn entry(entry: &Entry, view: View) -> Option<Value> {
    let Ok(Value::Object(kind)) = serde_json::to_value(&entry.kind) else { return None };
    let mut form = Map::new();
    form.insert("seq".to_owned(), json!(entry.seq));
    form.insert("id".to_owned(), json!(entry.id));
    form.insert("at".to_owned(), json!(entry.at.to_string()));
    form.insert("by".to_owned(), json!(entry.by));
    if let Some(turn) = entry.turn_id {
        form.insert("turn_id".to_owned(), json!(turn));
    }
    if let Some(attempt) = entry.attempt {
        form.insert("try".to_owned(), json!(attempt));
    }
    match view {
        View::Customer => {
            let shown = shown_to_customers(entry)?;
            form.extend(kind.into_iter().filter(|(key, _)| key == "kind" || shown.contains(&key.as_str())));
            if let Some(html) = formatted(entry) {
                form.insert("html".to_owned(), Value::String(html));
            }
        }
        View::Trace => {
            form.insert("n".to_owned(), json!(entry.n));
            form.extend(kind);
        }
    }
    Some(Value::Object(form))
}

/// What the company's side says, as HTML where its words have markup; a customer's own words stay as written.
fn formatted(entry: &Entry) -> Option<String> {
    match (&entry.kind, entry.by) {
        (Kind::Message { text, .. }, By::Assistant | By::Operator) => markup::html(text),
        _ => None,
    }
}

/// The entries of a log that this reader sees, in order.
pub fn entries<'a>(log: impl IntoIterator<Item = &'a Entry>, view: View) -> Vec<Value> {
    log.into_iter().filter_map(|line| entry(line, view)).collect()
}

/// The fields that a customer sees; none: the entry is not for customers.
fn shown_to_customers(entry: &Entry) -> Option<&'static [&'static str]> {
    if !entry.visible {
        return None;
    }
    match &entry.kind {
        Kind::Message { .. } => Some(&["text", "attachments", "locale", "choices", "choice", "client_id", "name"]),
        Kind::Confirm { .. } => Some(&["call_id", "summary", "args"]),
        Kind::Confirmed { .. } => Some(&["call_id", "approve", "client_id"]),
        Kind::Call { .. } => Some(&["call_id", "name", "state"]),
        Kind::Holder { .. } => Some(&["holder", "name"]),
        Kind::Closed { .. } => Some(&["outcome"]),
        Kind::Event { .. }
        | Kind::Verdict { .. }
        | Kind::Opened {}
        | Kind::Fact { .. }
        | Kind::Step { .. }
        | Kind::Note { .. }
        | Kind::Triaged { .. }
        | Kind::Handoff { .. }
        | Kind::Outcome { .. }
        | Kind::Rated { .. }
        | Kind::Helped { .. }
        | Kind::Stopped { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::CallState;
    use crate::model::ids::{CallId, EntryId, Partition, Pos};
    use crate::model::input::Choice;

    fn line(kind: Kind, visible: bool) -> Entry {
        let id = ConversationId { partition: Partition(3), pos: Pos { ms: 1_764_000_000_000, n: 1 }, k: 0 };
        Entry {
            n: 7,
            seq: 2,
            visible,
            id: EntryId(id),
            at: Ms(1_764_000_000_250),
            by: By::Assistant,
            turn_id: Some(id.pos),
            attempt: Some(4_352),
            kind,
        }
    }

    #[test]
    fn a_customer_sees_the_fields_of_the_protocol_and_no_others() {
        let call = Kind::Call {
            call_id: CallId(1),
            name: "shop.retry_payment".to_owned(),
            state: CallState::Failed,
            bind: Some("paid".to_owned()),
            args: [("card".to_owned(), json!("4242"))].into_iter().collect(),
            result: json!({ "balance": 12 }),
            problem: Some("declined: do not honour".to_owned()),
        };
        let form = entry(&line(call, true), View::Customer).unwrap();
        assert_eq!(
            form,
            json!({ "seq": 2, "id": "3-1764000000000-1-0", "at": "2025-11-24T16:00:00.250Z", "by": "assistant",
                "turn_id": "1764000000000-1", "try": 4352,
                "kind": "call", "call_id": "1", "name": "shop.retry_payment", "state": "failed" })
        );
    }

    #[test]
    fn an_inner_entry_is_for_the_trace_only() {
        let note = line(Kind::Note { text: "careful".to_owned(), name: "Ana".to_owned() }, false);
        assert_eq!(entry(&note, View::Customer), None);
        let form = entry(&note, View::Trace).unwrap();
        assert_eq!((form["n"].clone(), form["kind"].clone()), (json!(7), json!("note")));
        let wrongly_visible = line(Kind::Note { text: "careful".to_owned(), name: "Ana".to_owned() }, true);
        assert_eq!(entry(&wrongly_visible, View::Customer), None);
    }

    #[test]
    fn what_operators_judge_and_customers_gave_is_for_the_company_alone() {
        let customer = ActorId::user("42");
        let labels = ["vip".parse().unwrap()].into();
        let id = ConversationId { partition: Partition(3), pos: Pos { ms: 1_764_000_000_000, n: 1 }, k: 0 };
        let shown = Shown {
            id,
            customer: &customer,
            playbook: "help",
            state: SummaryState::Open,
            holder: HolderKind::Queue,
            operator: None,
            why: "",
            outcome: None,
            opened_at: None,
            last_seq: 1,
            holder_n: 1,
            priority: Priority::High,
            labels: &labels,
            rating: Some(2),
            team: Some("payments"),
        };
        let told = listed(&shown, View::Customer);
        assert_eq!((told.get("priority"), told.get("labels"), told.get("rating")), (None, None, None));
        assert_eq!(told.get("team"), None);
        let told = listed(&shown, View::Trace);
        assert_eq!((&told["priority"], &told["labels"], &told["rating"]), (&json!("high"), &json!(["vip"]), &json!(2)));
    }

    #[test]
    fn only_the_companys_words_are_formatted_and_only_for_customers() {
        let say = |text: &str| line(Kind::words(text, None, Vec::new()), true);
        let message = say("It is **paid**.");
        let form = entry(&message, View::Customer).unwrap();
        assert_eq!(form["html"], json!("<p>It is <strong>paid</strong>.</p>"));
        assert_eq!(entry(&message, View::Trace).unwrap().get("html"), None);
        assert_eq!(entry(&Entry { by: By::Customer, ..message }, View::Customer).unwrap().get("html"), None);
        assert_eq!(entry(&say("It is paid."), View::Customer).unwrap().get("html"), None);
    }

    #[test]
    fn choices_are_labels_with_values() {
        let choices = vec![Choice { label: "Visa".to_owned(), value: "c_1".to_owned() }];
        let message = Kind::words("Which card?", Some("en".to_owned()), choices);
        let form = entry(&line(message, true), View::Customer).unwrap();
        assert_eq!(form["choices"], json!([{ "label": "Visa", "value": "c_1" }]));
        assert_eq!(form["locale"], json!("en"));
    }
}
