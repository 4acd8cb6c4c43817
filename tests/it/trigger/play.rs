//! Plays events to one customer in virtual time and tells what playbooks made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use beckon::catalog::{Mistake, compile};
use beckon::engine::decide::decide;
use beckon::model::catalog::{Catalog, Catalogs, Files};
use beckon::model::conversation::Phase;
use beckon::model::customer::State;
use beckon::model::decision::{Decision, Judged};
use beckon::model::entry::{Kind, Logged};
use beckon::model::event::{Event, Trust};
use beckon::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use beckon::model::input::{Body, InForce, Input, To};
use beckon::model::time::Ms;
use serde_json::{Value, json};

/// A Monday, midnight UTC.
pub const START: u64 = 1_764_547_200_000;
pub const SECOND: u64 = 1_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
pub const WEEK: u64 = 7 * DAY;

/// Files of a workspace with these playbooks; `contact.yaml` where a text begins with `budget` or `zone`, an adapter where
/// it begins so.
pub fn files(texts: &[&str]) -> Files {
    let mut files = Files::new();
    for (place, text) in texts.iter().enumerate() {
        let contact = text.starts_with("budget") || text.starts_with("zone");
        let path = match text {
            _ if contact => "contact.yaml".to_owned(),
            text if text.starts_with("adapter") => "adapters/shop.yaml".to_owned(),
            _ => format!("playbooks/p{place}.yaml"),
        };
        files.insert(path, text.as_bytes().to_vec());
    }
    files
}

/// A playbook `p` with this trigger, and what else it says.
pub fn playbook(name: &str, trigger: &str, more: &str) -> String {
    format!("playbook: {name}\non:\n  - {trigger}\n{more}\nopen: {{ within: 30d, say: Hi }}\n")
}

pub fn mistakes(texts: &[&str]) -> Vec<Mistake> {
    compile(&files(texts), None).expect_err("mistakes")
}

/// One customer in virtual time.
pub struct Play {
    pub catalogs: Catalogs,
    pub state: State,
    pub actor: ActorId,
    pub last: Decision,
    /// What playbooks made of events, the last word on each.
    pub verdicts: BTreeMap<(EventId, String), Judged>,
    pub entries: Vec<Logged>,
    next: u32,
    at: u64,
}

impl Play {
    pub fn new(texts: &[&str]) -> Play {
        Play::of("42", texts)
    }

    pub fn of(customer: &str, texts: &[&str]) -> Play {
        let catalog = match compile(&files(texts), None) {
            Ok(catalog) => catalog,
            Err(mistakes) => panic!("{}", mistakes.iter().map(|m| format!("{m:?}\n")).collect::<String>()),
        };
        Play::on(customer, Arc::new(catalog))
    }

    pub fn on(customer: &str, catalog: Arc<Catalog>) -> Play {
        let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
        Play {
            catalogs: Catalogs { by_hash: BTreeMap::from([(catalog.hash.clone(), catalog)]), in_force },
            state: State::default(),
            actor: ActorId::user(customer),
            last: Decision::default(),
            verdicts: BTreeMap::new(),
            entries: Vec::new(),
            next: 0,
            at: START,
        }
    }

    /// Decides an input at a time after the start, with the ticks that its owner would append before.
    pub fn input(&mut self, at: u64, body: Body) -> EventId {
        self.ticks(at.saturating_sub(1));
        self.decide(at, body)
    }

    fn decide(&mut self, at: u64, body: Body) -> EventId {
        let ms = (START + at).max(self.at);
        self.at = ms;
        self.next += 1;
        let pos = Pos { ms, n: self.next };
        let input = Input { partition: Partition(17), pos, to: To::Actor(self.actor.clone()), body };
        // What the store would give back: everything that is remembered must survive it.
        let state = State::decode(&self.state.encode()).unwrap();
        assert_eq!(state, self.state);
        let decision = decide(state.clone(), &input, &self.catalogs);
        assert_eq!(decision, decide(state, &input, &self.catalogs), "the same inputs give the same decision");
        for judged in &decision.verdicts {
            self.verdicts.insert((judged.event, judged.playbook.clone()), judged.clone());
        }
        assert!(decision.state.encode().len() <= beckon::model::customer::MAX_STATE);
        self.entries.extend(decision.entries.iter().cloned());
        self.state = decision.state.clone();
        self.last = decision;
        input.id()
    }

    /// A tick of an owner that was away: none came before it, whatever was due.
    pub fn slow_tick(&mut self, at: u64) {
        self.decide(at, Body::Tick);
    }

    /// An event that meets an owner who was away: no tick came before it, whatever was due.
    pub fn slow_event(&mut self, at: u64, kind: &str, data: Value) -> EventId {
        let event = Event::new("shop", kind, kind, Some(self.actor.clone()), data);
        self.decide(at, Body::Event(Box::new(event)))
    }

    /// Ticks for everything that is due up to a time after the start, as the owner of the partition appends them.
    pub fn ticks(&mut self, until: u64) {
        while let Some(due) = self.state.due().filter(|due| due.0 <= START + until) {
            self.decide(due.0.saturating_sub(START), Body::Tick);
        }
    }

    pub fn event(&mut self, at: u64, kind: &str, data: Value) -> EventId {
        let event = Event::new("shop", kind, kind, Some(self.actor.clone()), data);
        self.input(at, Body::Event(Box::new(event)))
    }

    /// An event that happened at a time and arrives at another.
    pub fn late(&mut self, arrives: u64, happened: u64, kind: &str, data: Value) -> EventId {
        let mut event = Event::new("shop", kind, kind, Some(self.actor.clone()), data);
        event.time = Some(Ms(START + happened));
        self.input(arrives, Body::Event(Box::new(event)))
    }

    /// An event of this moment, whose verdicts are told: `p waiting, q not_matched`.
    pub fn told(&mut self, at: u64, kind: &str, data: Value) -> String {
        let id = self.event(at, kind, data);
        self.verdict(id)
    }

    pub fn verdict(&self, event: EventId) -> String {
        let told = self.verdicts.iter().filter(|((id, _), _)| *id == event);
        told.map(|((_, playbook), judged)| format!("{playbook} {}", json!(judged.verdict).as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The verdict of the first playbook on an event.
    pub fn judged(&self, event: EventId) -> &Judged {
        self.verdicts.iter().find(|((id, _), _)| *id == event).map(|(_, judged)| judged).unwrap()
    }

    pub fn trait_is(&mut self, at: u64, name: &str, value: Value) {
        let traits = serde_json::Map::from_iter([(name.to_owned(), value)]);
        self.input(at, Body::Identify { traits, trust: Trust::Server });
    }

    /// Conversations that are waiting or open, by playbook.
    pub fn open(&self) -> Vec<&str> {
        let open = self.state.conversations.values().filter(|c| !c.phase.is_closed());
        open.map(|c| c.playbook.as_str()).collect()
    }

    /// How many conversations were ever opened.
    pub fn openings(&self) -> usize {
        let first = |logged: &&Logged| matches!(logged.entry.kind, Kind::Verdict { .. });
        self.entries.iter().filter(first).count()
    }

    /// The only conversation that is not over.
    pub fn conversation(&self) -> ConversationId {
        let mut open = self.state.conversations.iter().filter(|(_, c)| !matches!(c.phase, Phase::Closed));
        let (id, _) = open.next().expect("a conversation");
        *id
    }

    pub fn seen(&mut self, at: u64) {
        let conversation = self.conversation();
        self.input(at, Body::Seen { conversation, seq: 1 });
    }

    pub fn close(&mut self, at: u64) {
        let conversation = self.conversation();
        self.input(at, Body::Closed { conversation, client_id: format!("close-{at:012}") });
    }
}
