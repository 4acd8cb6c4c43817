//! The views: what is listed or searched, computed from lines of the archive, and from nothing else.
//!
//! The same function serves the projector and `rebuild`, so both come to the same rows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::AnyConnection;

use super::archive::json;
use super::attachments;
use super::labels;
use super::line::{EventHead, Line, StoredText};
use super::rebuild::{forget, forget_lines};
use super::rows::{Cell, insert, int};
use super::topics;
use crate::model::attachment::AttachmentId;
use crate::model::decision::{GoalReached, Judged, Summary, SummaryState};
use crate::model::entry::{Kind, Logged};
use crate::model::ids::{ActorId, ConversationId, EventId, Partition};
use crate::model::topic::Follow;

/// What some lines come to, each row once.
#[derive(Default)]
struct Changes {
    events: BTreeMap<EventId, Vec<Cell>>,
    verdicts: BTreeMap<(EventId, String), Judged>,
    goals: BTreeMap<(EventId, ConversationId), GoalReached>,
    conversations: BTreeMap<ConversationId, Summary>,
    /// Those whose labels or priority were changed.
    triaged: BTreeSet<ConversationId>,
    last: BTreeMap<ConversationId, Last>,
    entries: BTreeMap<(ConversationId, u32), Vec<Cell>>,
    customers: BTreeMap<ActorId, Map<String, Value>>,
    follows: BTreeMap<(ActorId, ActorId), Follow>,
    attachments: BTreeMap<AttachmentId, ConversationId>,
}

/// The last words of a conversation.
struct Last {
    by: Cell,
    text: Cell,
    at: Cell,
}

/// Brings the views up to date with lines, in order.
pub(super) async fn apply(
    connection: &mut AnyConnection,
    pieces: &[(Partition, Vec<Line>)],
) -> Result<(), sqlx::Error> {
    let mut changes = Changes::default();
    for (partition, lines) in pieces {
        for line in lines {
            if !line.line.erased {
                changes.add(*partition, line);
                continue;
            }
            std::mem::take(&mut changes).write(connection).await?;
            if let Some(actor) = &line.line.actor {
                forget(connection, actor).await?;
                forget_lines(connection, *partition, actor, line.id).await?;
                attachments::erase(connection, actor).await?;
            }
        }
    }
    changes.write(connection).await
}

impl Changes {
    fn add(&mut self, partition: Partition, line: &Line) {
        let id = EventId { partition, pos: line.line.pos };
        if let Some(event) = line.input.as_ref().and_then(StoredText::event) {
            self.events.insert(id, event_cells(id, line, event));
        }
        for judged in &line.line.verdicts {
            let mut judged = judged.clone();
            let key = (judged.event, judged.playbook.clone());
            if let Some(before) = self.verdicts.get(&key) {
                judged.conversation = judged.conversation.or(before.conversation);
            }
            self.verdicts.insert(key, judged);
        }
        for goal in &line.line.goals {
            self.goals.insert((id, goal.conversation), goal.clone());
        }
        for Logged { conversation, entry } in &line.line.entries {
            let words = words(&entry.kind);
            if let Kind::Message { attachments, .. } = &entry.kind {
                self.attachments.extend(attachments.iter().map(|named| (named.id.clone(), *conversation)));
            }
            if let Kind::Triaged { .. } = &entry.kind {
                self.triaged.insert(*conversation);
            }
            if let Some(text) = words.as_ref().filter(|_| entry.visible) {
                let last = Last {
                    by: Cell::Text(name_of(&entry.by)),
                    text: Cell::Text(text.chars().take(200).collect()),
                    at: Cell::Int(int(entry.at.0)),
                };
                self.last.insert(*conversation, last);
            }
            let row = vec![
                Cell::Text(conversation.to_string()),
                Cell::Int(i64::from(entry.n)),
                Cell::Int(i64::from(entry.seq)),
                Cell::MaybeText(words.map(|text| text.to_lowercase())),
                Cell::Text(json(entry)),
            ];
            self.entries.insert((*conversation, entry.n), row);
        }
        for summary in &line.line.conversations {
            self.conversations.insert(summary.id, summary.clone());
        }
        if let (Some(actor), Some(traits)) = (&line.line.actor, &line.line.traits) {
            self.customers.insert(actor.clone(), traits.clone());
        }
        if let Some(actor) = &line.line.actor {
            let follows =
                line.line.follows.iter().map(|follow| ((actor.clone(), follow.topic.clone()), follow.clone()));
            self.follows.extend(follows);
        }
    }

    async fn write(mut self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        insert(
            connection,
            "event",
            &[
                "id",
                "part",
                "epoch",
                "n",
                "received_at",
                "sender_id",
                "source",
                "kind",
                "happened_at",
                "customer",
                "trust",
                "status",
                "origin",
            ],
            self.events.into_values().collect(),
            "on conflict (id) do update set epoch = excluded.epoch, n = excluded.n, status = excluded.status",
        )
        .await?;
        insert(
            connection,
            "verdict",
            &["event", "playbook", "verdict", "conversation", "detail"],
            self.verdicts.into_values().map(|judged| verdict_cells(&judged)).collect(),
            "on conflict (event, playbook) do update set verdict = excluded.verdict, detail = excluded.detail, \
             conversation = coalesce(excluded.conversation, verdict.conversation)",
        )
        .await?;
        let goals = self.goals.into_iter().map(|((event, _), goal)| goal_cells(event, &goal)).collect();
        let suffix = "on conflict (event, conversation) do update set value = excluded.value";
        insert(connection, "goal", &["event", "conversation", "value"], goals, suffix).await?;
        // Most conversations have no label, and then only a change of them can have taken the last one off.
        let labelled = self.conversations.values().filter(|it| !it.labels.is_empty() || self.triaged.contains(&it.id));
        let labelled = labelled.map(|it| (it.id, it.labels.clone())).collect();
        let conversations = self
            .conversations
            .into_values()
            .map(|summary| {
                let last = self.last.remove(&summary.id);
                conversation_cells(&summary, last)
            })
            .collect();
        insert(
            connection,
            "conversation",
            &[
                "id",
                "customer",
                "playbook",
                "listed",
                "state",
                "holder",
                "operator",
                "needs_since",
                "updated_at",
                "summary",
                "outcome",
                "handed",
                "priority",
                "rating",
                "team",
                "last_by",
                "last_text",
                "last_at",
            ],
            conversations,
            "on conflict (id) do update set customer = excluded.customer, playbook = excluded.playbook, \
             listed = excluded.listed, state = excluded.state, holder = excluded.holder, operator = excluded.operator, \
             needs_since = excluded.needs_since, updated_at = excluded.updated_at, summary = excluded.summary, \
             outcome = excluded.outcome, handed = excluded.handed, priority = excluded.priority, \
             rating = excluded.rating, team = excluded.team, \
             last_by = coalesce(excluded.last_by, conversation.last_by), \
             last_text = coalesce(excluded.last_text, conversation.last_text), \
             last_at = coalesce(excluded.last_at, conversation.last_at)",
        )
        .await?;
        labels::write(connection, labelled).await?;
        for (id, last) in self.last {
            let sql = "update conversation set last_by = $1, last_text = $2, last_at = $3 where id = $4";
            let mut query = sqlx::query(sql);
            for cell in [last.by, last.text, last.at, Cell::Text(id.to_string())] {
                query = super::rows::bind(query, cell);
            }
            query.execute(&mut *connection).await?;
        }
        insert(
            connection,
            "entry",
            &["conversation", "n", "seq", "words", "entry"],
            self.entries.into_values().collect(),
            "on conflict (conversation, n) do update set seq = excluded.seq, words = excluded.words, \
             entry = excluded.entry",
        )
        .await?;
        let customers = self.customers.into_iter().map(|(actor, traits)| customer_cells(&actor, &traits)).collect();
        let suffix = "on conflict (id) do update set name = excluded.name, search = excluded.search, \
                      traits = excluded.traits";
        insert(connection, "customer", &["id", "name", "search", "traits"], customers, suffix).await?;
        let follows = self.follows.into_iter().map(|((customer, _), follow)| (customer, follow)).collect();
        topics::follow(connection, follows).await?;
        attachments::seen(connection, self.attachments).await
    }
}

/// What is searched and shown of an entry in lists: what was said, and the names of files that came with it.
fn words(kind: &Kind) -> Option<String> {
    let Kind::Message { text, attachments, .. } = kind else { return None };
    let names = attachments.iter().map(|attachment| attachment.name.as_str());
    let said = std::iter::once(text.as_str()).filter(|text| !text.is_empty());
    Some(said.chain(names).collect::<Vec<_>>().join("\n"))
}

fn event_cells(id: EventId, line: &Line, event: &EventHead) -> Vec<Cell> {
    let customer = event.customer.as_ref().or(line.line.actor.as_ref());
    vec![
        Cell::Text(id.to_string()),
        Cell::Int(i64::from(id.partition.0)),
        Cell::Int(int(line.id.epoch)),
        Cell::Int(int(line.id.n)),
        Cell::Int(int(id.pos.ms)),
        Cell::Text(event.id.clone()),
        Cell::Text(event.source.clone()),
        Cell::Text(event.kind.clone()),
        Cell::MaybeInt(event.time.map(|time| int(time.0))),
        Cell::MaybeText(customer.map(ToString::to_string)),
        Cell::Text(name_of(&event.trust)),
        Cell::Text(if line.line.dead { "dead" } else { "decided" }.to_owned()),
        Cell::MaybeText(event.news.as_ref().map(|news| news.origin.to_string())),
    ]
}

fn verdict_cells(judged: &Judged) -> Vec<Cell> {
    // The conversation has its own column, which an update without one leaves as it is.
    let detail = Judged { conversation: None, ..judged.clone() };
    vec![
        Cell::Text(judged.event.to_string()),
        Cell::Text(judged.playbook.clone()),
        Cell::Text(name_of(&judged.verdict)),
        Cell::MaybeText(judged.conversation.map(|id| id.to_string())),
        Cell::Text(json(&detail)),
    ]
}

fn goal_cells(event: EventId, goal: &GoalReached) -> Vec<Cell> {
    vec![
        Cell::Text(event.to_string()),
        Cell::Text(goal.conversation.to_string()),
        Cell::MaybeText(goal.value.as_ref().map(json)),
    ]
}

fn conversation_cells(summary: &Summary, last: Option<Last>) -> Vec<Cell> {
    let open = summary.state != SummaryState::Closed;
    let waits = open && (summary.queued_at.is_some() || summary.unattended);
    // A write whose end is unknown needs a person even after the close.
    let needs = (waits || summary.unknown_call).then(|| int(summary.queued_at.unwrap_or(summary.updated_at).0));
    let mut row = vec![
        Cell::Text(summary.id.to_string()),
        Cell::Text(summary.customer.to_string()),
        Cell::Text(summary.playbook.clone()),
        Cell::Int(i64::from(summary.listed)),
        Cell::Text(name_of(&summary.state)),
        Cell::Text(name_of(&summary.holder)),
        Cell::MaybeText(summary.operator.as_ref().map(|operator| operator.id.clone())),
        Cell::MaybeInt(needs.filter(|_| summary.listed)),
        Cell::Int(int(summary.updated_at.0)),
        Cell::Text(json(summary)),
        Cell::MaybeText(summary.outcome.as_ref().map(|outcome| name_of(&outcome.kind))),
        // The first entry that changes hands asks for a person, or is one.
        Cell::Int(i64::from(summary.holder_n > 0)),
        Cell::Int(i64::from(summary.priority.rank())),
        Cell::MaybeInt(summary.rating.map(i64::from)),
        Cell::MaybeText(summary.team.clone()),
    ];
    match last {
        Some(last) => row.extend([last.by, last.text, last.at]),
        None => row.extend([Cell::MaybeText(None), Cell::MaybeText(None), Cell::MaybeInt(None)]),
    }
    row
}

fn customer_cells(actor: &ActorId, traits: &Map<String, Value>) -> Vec<Cell> {
    let words: Vec<&str> = traits.values().filter_map(Value::as_str).collect();
    // An anonymous id is a secret: whoever searches must not find it out letter by letter.
    let known: String =
        if actor.user_id().is_some() { actor.to_string() } else { actor.as_str().chars().take(9).collect() };
    let search: String = format!("{known} {}", words.join(" ")).to_lowercase().chars().take(2_000).collect();
    vec![
        Cell::Text(actor.to_string()),
        Cell::MaybeText(display_name(traits)),
        Cell::Text(search),
        Cell::Text(json(traits)),
    ]
}

/// What a customer is called in lists: `name`, else first and last name, else e-mail.
fn display_name(traits: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| traits.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let first = text("firstName").or_else(|| text("first_name"));
    let last = text("lastName").or_else(|| text("last_name"));
    let whole = match (first, last) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (one, other) => one.or(other).map(str::to_owned),
    };
    let name = text("name").map(str::to_owned).or(whole).or_else(|| text("email").map(str::to_owned))?;
    Some(name.chars().take(120).collect())
}

/// The name of a unit variant as it stands in JSON.
pub(super) fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}
