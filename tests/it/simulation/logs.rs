//! What the oracle knows of conversations: numbers, keys, authors, charges, answers.

use std::collections::{BTreeMap, BTreeSet};

use beckon::model::decision::Reply;
use beckon::model::entry::{By, CallState, Entry, HolderKind, Kind, OutcomeKind};
use beckon::model::ids::{ActorId, CallId, ConversationId};
use beckon::model::input::Body;
use beckon::model::time::Ms;
use serde_json::json;

use super::oracle::{Inputs, Line};
use super::outside::Api;
use super::people::Everything;
use super::store::SimStore;

/// How long an event's id is remembered, in milliseconds.
const DEDUPE: u64 = 24 * 3_600_000;

/// A conversation as the journal told of it.
struct Told {
    actor: ActorId,
    playbook: String,
    catalog: String,
    created: Ms,
    entries: Vec<Entry>,
    /// How it ended, where it did.
    closed: Option<OutcomeKind>,
    erased: bool,
}

/// Finds what is wrong with conversations.
pub fn judge(store: &SimStore, lines: &[Line], inputs: &Inputs, told: &Everything, wrong: &mut Vec<String>) {
    let all = read(lines, wrong);
    one_claim_wins(lines, inputs, wrong);
    for (id, conversation) in &all {
        numbers_are_dense(*id, conversation, wrong);
        never_two_authors(*id, conversation, wrong);
        if !conversation.erased {
            log_is_the_journals(store, *id, conversation, wrong);
        }
    }
    readers_missed_nothing(&all, told, wrong);
}

/// Finds what is wrong with conversations when everything came to its end.
pub fn judge_at_rest(lines: &[Line], api: &Api, wrong: &mut Vec<String>) {
    let all = read(lines, &mut Vec::new());
    for (id, conversation) in all.iter().filter(|(_, conversation)| !conversation.erased) {
        somebody_answers(*id, conversation, wrong);
    }
    writes_are_done_once(&all, api, wrong);
}

/// Reads all conversations from the journal, and at each line looks how many are open under one key.
fn read(lines: &[Line], wrong: &mut Vec<String>) -> BTreeMap<ConversationId, Told> {
    let mut all: BTreeMap<ConversationId, Told> = BTreeMap::new();
    // When the event came, not when it was decided: between the two lies however long nobody decided.
    let mut opened: BTreeMap<(ActorId, String, String, String), Ms> = BTreeMap::new();
    for (_, _, line) in lines {
        let Some(actor) = &line.actor else { continue };
        for logged in &line.entries {
            let id = logged.conversation;
            if let std::collections::btree_map::Entry::Vacant(place) = all.entry(id) {
                let Some(summary) = line.conversations.iter().find(|summary| summary.id == id) else {
                    wrong.push(format!("{id} begins, and no summary tells of it"));
                    continue;
                };
                let fresh = Told {
                    actor: actor.clone(),
                    playbook: summary.playbook.clone(),
                    catalog: summary.catalog.clone(),
                    created: line.pos.time(),
                    entries: Vec::new(),
                    closed: None,
                    erased: false,
                };
                if let Kind::Event { event: came, envelope, .. } = &logged.entry.kind {
                    let event = (actor.clone(), fresh.playbook.clone(), envelope.source.clone(), envelope.id.clone());
                    let before = opened.insert(event, came.pos.time());
                    if before.is_some_and(|before| came.pos.time().0.abs_diff(before.0) < DEDUPE) {
                        wrong.push(format!("{id}: the event {} opened {} before", envelope.id, fresh.playbook));
                    }
                }
                place.insert(fresh);
                limit_holds(&all, id, wrong);
            }
            if let Some(conversation) = all.get_mut(&id) {
                if let Kind::Closed { outcome } = &logged.entry.kind {
                    conversation.closed = Some(*outcome);
                }
                conversation.entries.push(logged.entry.clone());
            }
        }
        if line.erased {
            for conversation in all.values_mut().filter(|conversation| conversation.actor == *actor) {
                conversation.erased = true;
            }
        }
        one_is_open(&all, actor, &line.pos.to_string(), wrong);
    }
    all
}

/// Promise 2: at most one under a key.
fn one_is_open(all: &BTreeMap<ConversationId, Told>, actor: &ActorId, at: &str, wrong: &mut Vec<String>) {
    let mut keys = BTreeSet::new();
    for (id, conversation) in all {
        if conversation.actor == *actor
            && conversation.closed.is_none()
            && !conversation.erased
            && !keys.insert((&conversation.playbook, conversation.key()))
        {
            wrong.push(format!("at {at}: {id} is open under a key that another has: {:?}", conversation.key()));
        }
    }
}

impl Told {
    /// The key, computed from the event as the playbook says; the playbook's name where nobody opened it.
    fn key(&self) -> String {
        let event = self.entries.first().and_then(|entry| match &entry.kind {
            Kind::Event { envelope, .. } => Some(envelope),
            _ => None,
        });
        match event {
            Some(event) if self.playbook == "checkout-trouble" => event.data["order_id"].to_string(),
            _ => self.playbook.clone(),
        }
    }
}

/// What a playbook allows itself for one customer is never passed; an opening nobody saw gives its place back.
fn limit_holds(all: &BTreeMap<ConversationId, Told>, id: ConversationId, wrong: &mut Vec<String>) {
    let this = &all[&id];
    let limit = match (this.playbook.as_str(), this.catalog.as_str()) {
        ("checkout-trouble", "v1") => (1, 24 * 3_600_000),
        ("hello", _) => (2, 600_000),
        _ => return,
    };
    let counts = |other: &&Told| {
        let same = other.actor == this.actor && other.playbook == this.playbook && !other.erased;
        let limited = other.playbook != "checkout-trouble" || other.catalog == "v1";
        let unseen = other.closed == Some(OutcomeKind::Expired) || goal_unseen(other);
        same && limited && !unseen && this.created.since(other.created).0 < limit.1
    };
    let used = all.values().filter(counts).count();
    if used > limit.0 {
        wrong.push(format!("{id} is the {used}th of {} where {} may be", this.playbook, limit.0));
    }
}

/// Whether the goal ended it before anybody saw it.
fn goal_unseen(conversation: &Told) -> bool {
    let opened = conversation.entries.iter().any(|entry| matches!(entry.kind, Kind::Opened {} | Kind::Holder { .. }));
    conversation.closed == Some(OutcomeKind::Goal) && !opened
}

/// Promise 3: dense numbers.
fn numbers_are_dense(id: ConversationId, conversation: &Told, wrong: &mut Vec<String>) {
    let (mut n, mut seq) = (0, 0);
    let mut ids = BTreeSet::new();
    for entry in &conversation.entries {
        n += 1;
        seq += u32::from(entry.visible);
        if (entry.n, entry.seq) != (n, seq) {
            wrong.push(format!("{id}: entry {}:{} stands where {n}:{seq} should", entry.n, entry.seq));
            return;
        }
        if !ids.insert(entry.id) {
            wrong.push(format!("{id}: {} names two entries", entry.id));
        }
    }
}

/// F18: who does not hold does not speak.
fn never_two_authors(id: ConversationId, conversation: &Told, wrong: &mut Vec<String>) {
    let mut holder = (HolderKind::Assistant, None);
    let mut entries = conversation.entries.iter().peekable();
    while let Some(entry) = entries.next() {
        match (&entry.kind, entry.by, holder.0) {
            (Kind::Holder { holder: next, name }, _, _) => holder = (*next, name.clone()),
            (Kind::Message { .. } | Kind::Step { .. }, By::Assistant, HolderKind::Operator) => {
                wrong.push(format!("{id}: at {} the assistant speaks while {:?} holds", entry.n, holder.1));
            }
            (Kind::Message { .. } | Kind::Step { .. }, By::Assistant, HolderKind::Queue) => {
                // The line for when nobody came, with which the assistant holds again.
                let next = entries.peek().map(|next| &next.kind);
                if !matches!(next, Some(Kind::Holder { holder: HolderKind::Assistant, .. })) {
                    wrong.push(format!("{id}: at {} the assistant speaks in the queue", entry.n));
                }
            }
            (Kind::Confirm { .. }, _, HolderKind::Operator | HolderKind::Queue) => {
                wrong.push(format!("{id}: at {} the assistant asks while it does not hold", entry.n));
            }
            (Kind::Message { name, .. }, By::Operator, kind) if kind != HolderKind::Operator || *name != holder.1 => {
                wrong.push(format!("{id}: at {} {name:?} speaks while {holder:?} holds", entry.n));
            }
            _ => {}
        }
    }
}

/// Two operators who saw the same: one of them gets it.
fn one_claim_wins(lines: &[Line], inputs: &Inputs, wrong: &mut Vec<String>) {
    let mut won = BTreeSet::new();
    for (partition, _, line) in lines {
        let Some(Body::Claim { conversation, n, .. }) = inputs.get(&(*partition, line.pos)).map(|input| &input.body)
        else {
            continue;
        };
        let done = line.answers.iter().any(|answer| matches!(answer.reply, Reply::Done { .. }));
        if done && !won.insert((*conversation, *n)) {
            wrong.push(format!("{conversation} was claimed twice at {n}"));
        }
    }
}

/// Promise 7: who wrote last is the company, or a person is asked for, or it is over.
fn somebody_answers(id: ConversationId, conversation: &Told, wrong: &mut Vec<String>) {
    let mut waiting = None;
    let mut holder = HolderKind::Assistant;
    for entry in &conversation.entries {
        match &entry.kind {
            Kind::Message { .. } | Kind::Confirmed { .. } if entry.by == By::Customer => waiting = Some(entry.n),
            // Who stops an answer does not wait for it.
            Kind::Message { .. } | Kind::Confirm { .. } | Kind::Stopped { .. } => waiting = None,
            Kind::Holder { holder: next, .. } => holder = *next,
            _ => {}
        }
    }
    if let Some(n) = waiting
        && conversation.closed.is_none()
        && holder == HolderKind::Assistant
    {
        let from = conversation.entries.iter().filter(|entry| entry.n >= n.saturating_sub(3));
        let from: Vec<String> = from.map(|e| format!("{} {:?} {}", e.n, e.by, json!(e.kind))).collect();
        wrong.push(format!("{id}: nobody answers entry {n}:\n    {}", from.join("\n    ")));
    }
}

/// The log that readers get is what was committed.
fn log_is_the_journals(store: &SimStore, id: ConversationId, conversation: &Told, wrong: &mut Vec<String>) {
    let stored: Vec<Entry> = store.look(|memory| {
        let log = memory.parts[usize::from(id.partition.0)].logs.get(&id);
        log.into_iter().flat_map(|log| log.values()).map(|entry| serde_json::from_slice(entry).unwrap()).collect()
    });
    if stored != conversation.entries {
        wrong.push(format!("{id}: its log is not what the journal says"));
    }
}

/// Promise 3: a reader with a cursor has each visible entry once, in order, up to where it is.
fn readers_missed_nothing(all: &BTreeMap<ConversationId, Told>, told: &Everything, wrong: &mut Vec<String>) {
    for ((reader, id), read) in &told.read {
        let Some(conversation) = all.get(id).filter(|conversation| !conversation.erased) else { continue };
        let log = conversation.entries.iter().filter(|entry| entry.visible);
        let read = read.iter().map(|entry| serde_json::from_slice::<Entry>(entry).unwrap());
        if let Some((has, is)) = read.zip(log).find(|(has, is)| has != *is) {
            wrong.push(format!("reader {reader} of {id} has {}:{} where {}:{} is", has.n, has.seq, is.n, is.seq));
        }
    }
}

/// Nothing is done twice, and what the customer is told of a write is what the other side counted.
fn writes_are_done_once(all: &BTreeMap<ConversationId, Told>, api: &Api, wrong: &mut Vec<String>) {
    for (key, write) in api.writes() {
        if write.done > 1 {
            wrong.push(format!("{key} was done {} times", write.done));
        }
        let place = key.split_once('/').and_then(|(id, call)| Some((id.parse().ok()?, call.parse().ok()?)));
        let Some((id, call)): Option<(ConversationId, CallId)> = place else {
            wrong.push(format!("{key} is no key of a write"));
            continue;
        };
        let Some(conversation) = all.get(&id).filter(|conversation| !conversation.erased) else { continue };
        let said: Vec<(CallState, &Option<String>)> = conversation
            .entries
            .iter()
            .filter_map(|entry| match &entry.kind {
                Kind::Call { call_id, state, problem, .. } if *call_id == call => Some((*state, problem)),
                _ => None,
            })
            .collect();
        let first = said.first().map(|(state, _)| *state);
        match (first, write.done) {
            (Some(CallState::Done), 0) => wrong.push(format!("{key} is said to be done and was not")),
            (Some(CallState::Failed | CallState::Refused), 1..) => {
                wrong.push(format!("{key} is said not to be done and was: {said:?}"));
            }
            (None, _) => wrong.push(format!("{key} left, and its log never says what became of it")),
            _ => {}
        }
        let ended = said.iter().filter(|(state, _)| *state != CallState::Unknown).count();
        if ended > 1 || said.len() > 2 {
            wrong.push(format!("{key} ended {said:?}"));
        }
    }
}
