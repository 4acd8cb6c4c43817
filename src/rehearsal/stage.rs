//! A stage: the pure engine in virtual time, with the model and the APIs of a scenario around it.
//!
//! Order is the live engine's: an input fires what was due strictly before it, results come in as inputs of their own,
//! and at one instant inputs go before the tick, so that what comes at T still counts as within T.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::actors::Actors;
use super::answers::{Answers, Asked};
use super::many::Many;
use super::timeline::{Happened, Moment};
use crate::adapter::returns::Amount;
use crate::model::catalog::{Catalog, Catalogs};
use crate::model::customer::State;
use crate::model::decision::{Decision, Effect, Reply, Summary};
use crate::model::entry::{Entry, HolderKind, Kind};
use crate::model::event::Event;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition, Pos, partition_of};
use crate::model::input::{Body, CallOutcome, InForce, Input, Operator, To};
use crate::model::live::attempt_number;
use crate::model::pattern::Whom;
use crate::model::scope::{Held, Scope, customer_value, event_value};
use crate::model::time::{Millis, Ms};
use crate::model::topic::{Found, Mark, Revoke, Told};
use crate::trigger::topic::revoking::{taking_back, topics_of};
use crate::trigger::topic::{looking, news_of, topic_of};

/// As many as a store has by default.
const PARTITIONS: u16 = 64;

/// How long an event is known again, as `store.dedupe` has it by default.
const DEDUPE: Millis = Millis::hours(24);

/// The most inputs that one step may lead to: a scenario whose model and API keep each other going ends.
const MAX_INPUTS: usize = 100_000;

/// A result on its way.
#[derive(Debug)]
struct Pending {
    actor: ActorId,
    body: Body,
    key: String,
    write: bool,
}

/// The engine in virtual time.
#[derive(Debug)]
pub struct Stage {
    /// The catalog and what is paused.
    pub catalogs: Catalogs,
    /// What happened so far.
    pub timeline: Vec<Moment>,
    /// The model and the APIs.
    pub answers: Answers,
    /// Conversations as they are now, those that left the state too.
    pub conversations: BTreeMap<ConversationId, Summary>,
    now: Ms,
    last: BTreeMap<Partition, Pos>,
    actors: Actors,
    many: Many,
    logs: BTreeMap<ConversationId, Vec<Entry>>,
    pending: BTreeMap<(Ms, usize), Pending>,
    events: BTreeMap<(String, String, Option<ActorId>), (Ms, EventId)>,
    inputs: usize,
    sent: usize,
}

impl Stage {
    /// A stage on which nothing happened yet.
    pub fn new(catalog: Arc<Catalog>, start: Ms) -> Stage {
        let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
        Stage {
            catalogs: Catalogs { in_force, by_hash: BTreeMap::from([(catalog.hash.clone(), catalog)]) },
            timeline: Vec::new(),
            answers: Answers::default(),
            conversations: BTreeMap::new(),
            now: start,
            last: BTreeMap::new(),
            actors: Actors::default(),
            many: Many::default(),
            logs: BTreeMap::new(),
            pending: BTreeMap::new(),
            events: BTreeMap::new(),
            inputs: 0,
            sent: 0,
        }
    }

    /// The virtual time.
    pub fn now(&self) -> Ms {
        self.now
    }

    /// A customer's state.
    pub fn state(&self, actor: &ActorId) -> Option<&State> {
        self.actors.state(actor)
    }

    /// Whether what was begun does not come to an end; nothing more is decided then.
    pub fn is_endless(&self) -> bool {
        self.inputs > MAX_INPUTS
    }

    /// A customer of whom something is known before.
    pub fn know(&mut self, actor: ActorId, state: State) {
        self.actors.know(actor, state);
    }

    /// The facts of a conversation, by name.
    pub fn facts(&self, id: ConversationId) -> BTreeMap<&str, &Value> {
        let log = self.logs.get(&id).map(Vec::as_slice).unwrap_or_default();
        let facts = log.iter().filter_map(|entry| match &entry.kind {
            Kind::Fact { name, value, problem: None } => Some((name.as_str(), value)),
            _ => None,
        });
        facts.collect()
    }

    /// Notes something on the timeline.
    pub fn note(&mut self, customer: Option<ActorId>, what: Happened) {
        self.timeline.push(Moment { at: self.now, customer, what });
    }

    /// Lets time pass: everything that comes back or is due before then happens.
    pub fn pass(&mut self, length: Millis) {
        let until = self.now.plus(length);
        if until > self.now {
            self.run(until, false);
            self.now = until;
        }
        // What comes back at this very time goes before what is due at it.
        self.settle();
    }

    /// Lets everything happen that is due now: what is expected is asked of the moment after.
    pub fn rest(&mut self) {
        self.run(self.now, true);
    }

    /// An event comes; one that came before changes nothing.
    pub fn event(&mut self, event: Event) {
        let key = (event.source.clone(), event.id.clone(), event.customer.clone());
        if self.events.get(&key).is_some_and(|(at, _)| self.now.since(*at) < DEDUPE) {
            self.note(event.customer, Happened::Note("it came before: a duplicate".to_owned()));
            return;
        }
        let (partition, to) = match &event.customer {
            Some(actor) => (actor.partition(PARTITIONS), To::Actor(actor.clone())),
            None => (partition_of(&event.source, PARTITIONS), To::Partition),
        };
        let pos = self.decide(partition, to, Body::Event(Box::new(event)));
        self.events.insert(key, (self.now, EventId { partition, pos }));
        self.settle();
    }

    /// Takes an event back that topics tell many of: `given` is that event, once more.
    ///
    /// # Errors
    /// It did not come before, or cannot be taken back.
    pub fn revoke(&mut self, given: &Event, by: Operator) -> Result<(), String> {
        let key = (given.source.clone(), given.id.clone(), given.customer.clone());
        let (_, event) = *self.events.get(&key).ok_or("this event did not come before")?;
        let catalog = self.catalogs.current().ok_or("nothing is in force")?;
        let topics = topics_of(catalog, given).map_err(|firm| firm.to_string())?;
        let revoke = Revoke { event, kind: given.kind.clone(), topics, by, reason: String::new() };
        let taken_back = taking_back(revoke, self.now);
        self.decide(event.partition, To::Partition, Body::Event(Box::new(taken_back)));
        self.settle();
        Ok(())
    }

    /// The customer, an operator or the engine itself does something.
    pub fn act(&mut self, actor: &ActorId, body: Body) {
        self.decide(actor.partition(PARTITIONS), To::Actor(actor.clone()), body);
        self.settle();
    }

    /// Results that come at once.
    fn settle(&mut self) {
        while let Some(key) = self.pending.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= self.now) {
            self.come_back(key);
        }
    }

    fn come_back(&mut self, key: (Ms, usize)) {
        if let Some(pending) = self.pending.remove(&key) {
            let partition = pending.actor.partition(PARTITIONS);
            self.decide(partition, To::Actor(pending.actor), pending.body);
        }
    }

    /// Results and ticks in order of time; at one instant results first. `inclusive`: also those at `until`.
    fn run(&mut self, until: Ms, inclusive: bool) {
        while !self.is_endless() {
            let result = self.pending.first_key_value().map(|(key, _)| *key);
            let tick = self.actors.next_due();
            let within = |at: Ms| at < until || (inclusive && at == until);
            match (result, tick) {
                (Some(key), tick) if within(key.0) && tick.as_ref().is_none_or(|(at, _)| key.0 <= *at) => {
                    self.now = self.now.max(key.0);
                    self.come_back(key);
                }
                (_, Some((at, actor))) if within(at) => {
                    self.now = self.now.max(at);
                    self.decide(actor.partition(PARTITIONS), To::Actor(actor), Body::Tick);
                }
                _ => return,
            }
        }
    }

    /// Decides an input; answers its place.
    fn decide(&mut self, partition: Partition, to: To, body: Body) -> Pos {
        self.inputs += 1;
        let last = self.last.entry(partition).or_insert(Pos::START);
        let n = if last.ms == self.now.0 { last.n + 1 } else { 0 };
        *last = Pos { ms: self.now.0, n };
        let pos = *last;
        if self.is_endless() {
            return pos;
        }
        let input = Input { partition, pos, to, body };
        let decision = self.actors.decide(&input, &self.catalogs);
        let actor = match input.to {
            To::Actor(actor) => Some(actor),
            To::Partition => None,
        };
        self.gather(actor, decision);
        pos
    }

    fn gather(&mut self, actor: Option<ActorId>, decision: Decision) {
        if let Some(actor) = &actor {
            self.many.gather(actor, &decision);
        }
        for judged in decision.verdicts {
            self.note(actor.clone(), Happened::Judged(judged));
        }
        for answer in decision.answers {
            if let Reply::Refused(code) = answer.reply {
                self.note(actor.clone(), Happened::Refused(code));
            }
        }
        for logged in decision.entries {
            self.logs.entry(logged.conversation).or_default().push(logged.entry.clone());
            let at = logged.entry.at;
            let what = Happened::Entry(logged.conversation, Box::new(logged.entry));
            self.timeline.push(Moment { at, customer: actor.clone(), what });
        }
        for summary in decision.conversations {
            self.conversations.insert(summary.id, summary);
        }
        let cancelled: BTreeSet<String> = decision.cancelled.into_iter().collect();
        // A write that left goes on.
        self.pending.retain(|_, pending| pending.write || !cancelled.contains(&pending.key));
        for effect in decision.effects {
            self.perform(effect);
        }
    }

    /// Does outside what was decided: the answer is put on its way.
    fn perform(&mut self, effect: Effect) {
        let key = effect.key();
        match effect {
            Effect::Generate { actor, conversation, n, turn, step, playbook, catalog, .. } => {
                let log: Vec<Entry> = self.logs.get(&conversation).cloned().unwrap_or_default();
                let log: Vec<Entry> = log.into_iter().filter(|entry| entry.n <= n).collect();
                let traits = self.actors.state(&actor).map(State::traits_object).unwrap_or_default();
                let generated = self.answers.generate(Asked {
                    catalogs: &self.catalogs,
                    catalog: &catalog,
                    playbook: &playbook,
                    actor: &actor,
                    traits: &traits,
                    log: &log,
                });
                let attempt = attempt_number(1, step, 1);
                let (outcome, failures) = (generated.outcome, generated.failures);
                let body = Body::Generated { conversation, turn, step, attempt, outcome, failures };
                self.send_back(generated.after, Pending { actor, body, key, write: false });
            }
            Effect::Call { actor, conversation, call, operation, catalog, args, write, .. } => {
                let context = self
                    .actors
                    .state(&actor)
                    .and_then(|state| state.conversations.get(&conversation)?.calls.get(&call))
                    .is_some_and(|call| call.context);
                let by_hash = self.catalogs.by_hash.get(&catalog);
                let returns = by_hash.and_then(|catalog| catalog.operations.get(&operation)).map(|o| o.returns.clone());
                let answer = self.answers.call(&operation, &returns.unwrap_or_default(), &args, Amount::Bounded);
                self.note(Some(actor.clone()), Happened::Call { operation, args, context });
                if let Some((outcome, after)) = answer {
                    let body = Body::Called { conversation, call, outcome };
                    self.send_back(after, Pending { actor, body, key, write });
                }
            }
            Effect::Notify { actor, about, reason, .. } => {
                self.note(Some(actor.clone()), Happened::Notified(about, reason));
                let body = Body::Notified { key: key.clone(), problem: None };
                self.send_back(Millis(0), Pending { actor, body, key, write: false });
            }
            Effect::Forward { to, heard, .. } => {
                self.send_back(Millis(0), Pending { actor: to, body: Body::Heard(heard), key, write: false });
            }
            Effect::Select { topic, turn, revision, .. } => {
                let outcome = self.find_customers(&topic, revision);
                let body = Body::Selected { turn, outcome };
                self.send_back(Millis(0), Pending { actor: topic, body, key, write: false });
            }
            Effect::Tell { topic, turn, revision, from, most, queue, .. } => {
                let waiting = self.conversations.values().filter(|c| c.holder == HolderKind::Queue).count();
                let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
                let outcome = match queue.filter(|most| waiting > *most) {
                    Some(_) => Told::Rests(waiting),
                    None => self.tell_customers(&topic, revision, from, most),
                };
                self.send_back(
                    Millis(0),
                    Pending { actor: topic, body: Body::Told { turn, outcome }, key, write: false },
                );
            }
        }
    }

    /// Customers of a topic: those whom its playbook means, of those who are on this stage.
    fn find_customers(&mut self, topic: &ActorId, revision: Pos) -> Result<Found, String> {
        let catalog = self.catalogs.current().cloned().ok_or("there is no catalog to select by")?;
        let held = self.actors.state(topic).and_then(|state| state.topic.as_deref());
        let selection = held.and_then(|held| held.selection.as_ref().filter(|s| s.telling.revision == revision));
        let (Some(held), Some(selection)) = (held, selection) else { return Ok(Found::default()) };
        let playbook = catalog.playbooks.get(&held.playbook).ok_or("the playbook is gone")?;
        let (_, many) = topic_of(playbook).ok_or("the playbook no longer has this topic")?;
        let event = &selection.telling.event;
        match &many.to {
            Whom::List(_) => Ok(Found::default()),
            Whom::Followers(_) => Ok(Found { customers: self.many.followers(topic, self.now), next: None }),
            Whom::Where(condition) => {
                let mut scope = Scope::new();
                scope.bind("event", event_value(event));
                let mut customers = Vec::new();
                for (customer, state) in self.actors.with_traits() {
                    scope.bind("customer", customer_value(customer, state.traits_object()));
                    if scope.ask(condition) == Held::Yes {
                        customers.push(customer.clone());
                    }
                }
                Ok(Found { customers, next: None })
            }
            Whom::Call(call) => {
                let args = looking::arguments(call, event, &selection.cursor)?;
                let returns = catalog.operations.get(&call.operation).map(|o| o.returns.clone()).unwrap_or_default();
                let answer = self.answers.call(&call.operation, &returns, &args, Amount::All);
                let found = match answer {
                    Some((CallOutcome::Done(answer), _)) => looking::page_of(call, event, answer),
                    Some((CallOutcome::Failed(problem) | CallOutcome::Unknown(problem), _)) => Err(problem),
                    None => Err("it does not answer".to_owned()),
                };
                let (operation, context) = (call.operation.clone(), true);
                self.note(None, Happened::Call { operation, args, context });
                found
            }
        }
    }

    /// Gives the news to customers of a page.
    fn tell_customers(&mut self, topic: &ActorId, revision: Pos, from: Mark, most: u32) -> Told {
        let held = self.actors.state(topic).and_then(|state| state.topic.as_deref());
        let event = held.and_then(|held| news_of(held, topic, revision));
        let Some((event, news)) = event.and_then(|event| Some((event.clone(), event.news?))) else {
            return Told::Sent { sent: 0, passed: 0, more: false };
        };
        let (now, more) = self.many.page(topic, news.begun, from, most);
        let sent = u32::try_from(now.len()).unwrap_or(u32::MAX);
        for customer in now {
            let key = format!("{topic}/{revision}/{customer}");
            let body = Body::Event(Box::new(Event { customer: Some(customer.clone()), ..event.clone() }));
            self.send_back(Millis(0), Pending { actor: customer, body, key, write: false });
        }
        Told::Sent { sent, passed: sent, more }
    }

    fn send_back(&mut self, after: Millis, pending: Pending) {
        self.sent += 1;
        self.pending.insert((self.now.plus(after), self.sent), pending);
    }
}
