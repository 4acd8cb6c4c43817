//! A topic with the customers around it, in virtual time: what `decide` sends out comes to its receivers, as runners would
//! bring it; held back, doubled or lost where a test wants it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use beckon::catalog::compile;
use beckon::engine::decide::decide;
use beckon::model::catalog::Catalogs;
use beckon::model::customer::{MAX_STATE, State};
use beckon::model::decision::{Change, Effect, Judged};
use beckon::model::entry::{By, Kind};
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, EventId, Partition, Pos};
use beckon::model::input::{Body, InForce, Input, Operator, To};
use beckon::model::time::Ms;
use beckon::model::topic::{Follow, Found, Revoke, Told};
use beckon::trigger::topic::news_of;
use beckon::trigger::topic::revoking::{taking_back, topics_of};
use serde_json::{Value, json};

use super::play::{START, files};

/// What looks for customers: given the cursor, the next page or why there is none.
pub type Finds = Box<dyn FnMut(Option<String>) -> Result<Found, String>>;

pub struct Crowd {
    pub catalogs: Catalogs,
    pub states: BTreeMap<ActorId, State>,
    pub pages: BTreeMap<ActorId, Vec<ActorId>>,
    pub verdicts: BTreeMap<(EventId, String), Judged>,
    /// Words that each customer was told, in order.
    pub words: BTreeMap<String, Vec<String>>,
    /// Data of events that stand in each customer's logs.
    pub joined: BTreeMap<String, Vec<Value>>,
    /// When each customer's inbox got news.
    pub given: Vec<(u64, ActorId)>,
    /// Words that the assistant said, of all customers.
    pub by_assistant: Vec<String>,
    /// What was sent about nobody in particular.
    pub sent_events: BTreeMap<EventId, Event>,
    /// Who follows what from then on, or no longer.
    pub follows: Vec<(ActorId, Follow)>,
    /// Customers take no part.
    pub deaf: bool,
    /// News that inboxes got.
    pub events_given: Vec<Event>,
    /// The data of what each inbox got.
    pub lists: Vec<String>,
    /// What is on its way.
    pub sent: VecDeque<(To, Body)>,
    /// Nothing arrives while this holds.
    pub held: bool,
    /// Everything arrives twice.
    pub twice: bool,
    /// How many wait for a person.
    pub waiting: u64,
    pub finds: Finds,
    now: u64,
    next: u32,
}

impl Crowd {
    pub fn new(texts: &[&str]) -> Crowd {
        let catalog = Arc::new(compile(&files(texts), None).unwrap_or_else(|mistakes| panic!("{mistakes:#?}")));
        let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
        Crowd {
            catalogs: Catalogs { by_hash: BTreeMap::from([(catalog.hash.clone(), catalog)]), in_force },
            states: BTreeMap::new(),
            pages: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            words: BTreeMap::new(),
            joined: BTreeMap::new(),
            given: Vec::new(),
            by_assistant: Vec::new(),
            sent_events: BTreeMap::new(),
            follows: Vec::new(),
            deaf: false,
            events_given: Vec::new(),
            lists: Vec::new(),
            sent: VecDeque::new(),
            held: false,
            twice: false,
            waiting: 0,
            finds: Box::new(|_| Ok(Found::default())),
            now: 0,
            next: 0,
        }
    }

    /// An event that concerns nobody in particular, at a time after the start; everything due before is done before.
    pub fn event(&mut self, at: u64, kind: &str, data: Value) -> EventId {
        self.pass(at.saturating_sub(1));
        self.event_before_ticks(at, kind, data)
    }

    /// The same, of a slow owner: what was due before is not done yet.
    pub fn event_before_ticks(&mut self, at: u64, kind: &str, data: Value) -> EventId {
        self.now = self.now.max(at);
        let event = Event::new("network", &format!("{kind}-{}", self.next), kind, None, data);
        let id = self.decide(To::Partition, Body::Event(Box::new(event.clone())));
        self.sent_events.insert(id, event);
        self.arrive();
        id
    }

    /// Ana takes an event of topic 7, or of the lamp, back.
    pub fn revoke(&mut self, at: u64, event: EventId, reason: &str) -> EventId {
        self.pass(at.saturating_sub(1));
        self.now = self.now.max(at);
        let by = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
        let catalog = self.catalogs.current().unwrap();
        let topics = topics_of(catalog, &self.sent_events[&event]).unwrap();
        let kind = self.sent_events[&event].kind.clone();
        let revoke = Revoke { event, kind, topics, by, reason: reason.to_owned() };
        let taken_back = taking_back(revoke, self.time());
        let id = self.decide(To::Partition, Body::Event(Box::new(taken_back)));
        self.arrive();
        id
    }

    pub fn of(&mut self, at: u64, customer: &str, body: Body) -> EventId {
        self.pass(at.saturating_sub(1));
        self.now = self.now.max(at);
        let id = self.decide(To::Actor(ActorId::user(customer)), body);
        self.arrive();
        id
    }

    pub fn customers_event(&mut self, at: u64, customer: &str, kind: &str, data: Value) -> EventId {
        let event = Event::new("shop", &format!("{kind}-{}", self.next), kind, Some(ActorId::user(customer)), data);
        self.of(at, customer, Body::Event(Box::new(event)))
    }

    /// Lets time pass: all that is due is ticked, all that is sent arrives.
    pub fn pass(&mut self, until: u64) {
        loop {
            let due = self.states.iter().filter_map(|(actor, state)| Some((state.due()?, actor.clone()))).min();
            let Some((due, actor)) = due.filter(|(due, _)| due.0 <= START + until) else { break };
            self.now = self.now.max(due.0 - START);
            self.decide(To::Actor(actor), Body::Tick);
            self.arrive();
        }
        self.now = self.now.max(until);
    }

    /// The first of what is on its way arrives.
    pub fn one_arrives(&mut self) {
        if let Some((to, body)) = self.sent.pop_front() {
            self.decide(to, body);
        }
    }

    /// Everything on its way arrives, and what that brings.
    pub fn arrive(&mut self) {
        while !self.held
            && let Some((to, body)) = self.sent.pop_front()
        {
            if self.twice {
                self.decide(to.clone(), body.clone());
            }
            self.decide(to, body);
        }
    }

    fn decide(&mut self, to: To, body: Body) -> EventId {
        self.next += 1;
        let partition = match &to {
            To::Actor(actor) => actor.partition(64),
            To::Partition => Partition(7),
        };
        if let (To::Actor(actor), Body::Event(event)) = (&to, &body)
            && event.news.is_some()
        {
            self.given.push((self.now, actor.clone()));
            self.lists.push(event.data.to_string());
            self.events_given.push((**event).clone());
        }
        let input = Input { partition, pos: Pos { ms: START + self.now, n: self.next }, to: to.clone(), body };
        let state = match &to {
            To::Actor(actor) => self.states.get(actor).cloned().unwrap_or_default(),
            To::Partition => State::default(),
        };
        let state = State::decode(&state.encode()).unwrap();
        let decision = decide(state.clone(), &input, &self.catalogs);
        assert_eq!(decision, decide(state, &input, &self.catalogs), "the same inputs give the same decision");
        assert!(decision.state.encode().len() <= MAX_STATE);
        for judged in &decision.verdicts {
            self.verdicts.insert((judged.event, judged.playbook.clone()), judged.clone());
        }
        if let To::Actor(actor) = to {
            for logged in &decision.entries {
                if let Kind::Event { envelope, .. } = &logged.entry.kind {
                    let id = actor.user_id().unwrap_or_default().to_owned();
                    self.joined.entry(id).or_default().push(envelope.data.clone());
                }
                if let Kind::Message { text, .. } = &logged.entry.kind {
                    if logged.entry.by == By::Assistant {
                        self.by_assistant.push(text.clone());
                    }
                    let id = actor.user_id().unwrap_or_default().to_owned();
                    self.words.entry(id).or_default().push(text.clone());
                }
            }
            self.follows.extend(decision.follows.into_iter().map(|follow| (actor.clone(), follow)));
            for page in decision.pages {
                let name = ActorId::page_of(&actor, page.begun, page.number);
                match page.customers {
                    Some(customers) => drop(self.pages.insert(name, customers)),
                    None => drop(self.pages.remove(&name)),
                }
            }
            match decision.change {
                Change::Forget | Change::Erase => drop(self.states.remove(&actor)),
                Change::Put | Change::Unchanged => drop(self.states.insert(actor, decision.state)),
            }
        }
        for effect in decision.effects {
            self.run(effect);
        }
        input.id()
    }

    /// What a runner does.
    fn run(&mut self, effect: Effect) {
        match effect {
            Effect::Forward { to, heard, .. } => self.sent.push_back((To::Actor(to), Body::Heard(heard))),
            Effect::Select { topic, turn, .. } => {
                let state = self.states[&topic].topic.as_ref().unwrap();
                let cursor = match &state.selection.as_ref().unwrap().cursor {
                    beckon::model::topic::Cursor::After(cursor) => Some(cursor.clone()),
                    _ => None,
                };
                let outcome = (self.finds)(cursor);
                self.sent.push_back((To::Actor(topic), Body::Selected { turn, outcome }));
            }
            Effect::Tell { topic, turn, revision, from, most, queue, .. } => {
                let back = To::Actor(topic.clone());
                if queue.is_some_and(|most| self.waiting > most) {
                    let outcome = Told::Rests(self.waiting);
                    return self.sent.push_back((back, Body::Told { turn, outcome }));
                }
                let held = self.states[&topic].topic.as_ref().unwrap();
                let event = news_of(held, &topic, revision).unwrap();
                let page = &self.pages[&ActorId::page_of(&topic, held.begun.unwrap(), from.page)];
                let left = &page[from.within as usize..];
                let now: Vec<ActorId> = left.iter().take(most as usize).cloned().collect();
                let more = now.len() < left.len();
                for customer in now.iter().filter(|_| !self.deaf) {
                    let event = Event { customer: Some(customer.clone()), ..event.clone() };
                    self.sent.push_back((To::Actor(customer.clone()), Body::Event(Box::new(event))));
                }
                let sent = now.len() as u32;
                let outcome = Told::Sent { sent, passed: sent, more };
                self.sent.push_back((back, Body::Told { turn, outcome }));
            }
            _ => {}
        }
    }

    /// `forwarded`, `told`, `pending`, … of an event, by the only playbook.
    pub fn verdict(&self, event: EventId) -> String {
        let judged = self.verdicts.iter().find(|((id, _), _)| *id == event).map(|(_, judged)| judged);
        judged.map(|judged| json!(judged.verdict).as_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub fn judged(&self, event: EventId) -> &Judged {
        self.verdicts.iter().find(|((id, _), _)| *id == event).map(|(_, judged)| judged).unwrap()
    }

    /// What a customer was told.
    pub fn heard(&self, customer: &str) -> Vec<&str> {
        self.words.get(customer).map(|words| words.iter().map(String::as_str).collect()).unwrap_or_default()
    }

    /// What joined the first conversation of a customer, by its data.
    pub fn facts(&self, customer: &str) -> Vec<Value> {
        self.joined.get(customer).into_iter().flatten().skip(1).cloned().collect()
    }

    /// Whether a customer has a conversation that is not over.
    pub fn talks(&self, customer: &str) -> bool {
        let state = self.states.get(&ActorId::user(customer));
        state.is_some_and(|state| state.conversations.values().any(|conversation| !conversation.phase.is_closed()))
    }

    /// The conversation of a customer that is not over.
    pub fn conversation(&self, customer: &str) -> beckon::model::ids::ConversationId {
        let state = &self.states[&ActorId::user(customer)];
        *state.conversations.iter().find(|(_, c)| !c.phase.is_closed()).expect("a conversation").0
    }

    pub fn seen(&mut self, at: u64, customer: &str) {
        let conversation = self.conversation(customer);
        self.of(at, customer, Body::Seen { conversation, seq: 1 });
    }

    pub fn close(&mut self, at: u64, customer: &str) {
        let conversation = self.conversation(customer);
        self.of(at, customer, Body::Closed { conversation, client_id: format!("close-{customer}-{at:012}") });
    }

    pub fn time(&self) -> Ms {
        Ms(START + self.now)
    }
}
