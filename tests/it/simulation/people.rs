//! Those who act from outside: customers with their tabs, the company's backend, operators, administrators.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beckon::engine::inbox::{Asked, Inbox};
use beckon::engine::revoke::revoke;
use beckon::model::decision::Answer;
use beckon::model::event::{Event, Trust};
use beckon::model::ids::{ActorId, ConversationId, EventId};
use beckon::model::input::{Body, InForce, Operator, Settled};
use beckon::model::time::Ms;
use beckon::model::topic::Revoke;
use beckon::model::triage::{Priority, Triage};
use beckon::store::{LogCursor, Store};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::chance::Chance;
use super::screen::Screen;
use super::store::SimStore;
use super::workspace;
use super::world::World;

/// What senders were told.
#[derive(Default)]
pub struct Told {
    inner: Mutex<Everything>,
}

/// All of it.
#[derive(Default, Clone)]
pub struct Everything {
    /// For each event (source, id, customer): what each sending of it was answered.
    pub events: BTreeMap<(String, String, String), Vec<(EventId, bool)>>,
    /// Inputs that were accepted.
    pub accepted: Vec<EventId>,
    /// Answers that who waited for them got.
    pub answers: Vec<Answer>,
    /// What readers of conversations have, by reader: visible entries as they came.
    pub read: BTreeMap<(usize, ConversationId), Vec<Vec<u8>>>,
}

impl Told {
    /// A look at all of it.
    pub fn everything(&self) -> Everything {
        self.inner.lock().unwrap().clone()
    }

    fn add(&self, add: impl FnOnce(&mut Everything)) {
        add(&mut self.inner.lock().unwrap());
    }
}

/// One person, or one of the company's programs.
pub struct Person {
    chance: Chance,
    store: Arc<SimStore>,
    inbox: Inbox,
    told: Arc<Told>,
    acting: Arc<AtomicBool>,
    screen: Screen,
    count: u64,
    name: String,
}

/// Everybody of a world, at work.
pub fn all(world: &World, customers: usize) -> Vec<JoinHandle<()>> {
    let mut people = Vec::new();
    for at in 0..customers {
        let actor =
            if at == 1 { ActorId::anonymous("nobodyknowsthiscustomer") } else { ActorId::user(&format!("{at}")) };
        for tab in 0..=(at % 2) {
            let person = Person::new(world, &format!("tab-{at}-{tab}"));
            people.push(tokio::spawn(person.customer(actor.clone())));
        }
        people.push(tokio::spawn(Person::new(world, &format!("reader-{at}")).reader(at, actor)));
    }
    for name in ["Ada", "Bo"] {
        people.push(tokio::spawn(Person::new(world, name).operator()));
    }
    let actors: Vec<ActorId> = (0..customers).map(|at| ActorId::user(&format!("{at}"))).collect();
    people.push(tokio::spawn(Person::new(world, "admin").admin(actors.clone())));
    people.push(tokio::spawn(Person::new(world, "network").network(actors)));
    people
}

impl Person {
    /// A person who has seen nothing yet.
    pub fn new(world: &World, name: &str) -> Person {
        Person {
            chance: world.ground.chance.lock().unwrap().split(),
            store: Arc::clone(world.store()),
            inbox: world.inbox.clone(),
            told: Arc::clone(&world.told),
            acting: Arc::clone(&world.acting),
            screen: Screen::default(),
            count: 0,
            name: name.to_owned(),
        }
    }

    async fn goes_on(&mut self, low: u64, high: u64) -> bool {
        sleep(Duration::from_millis(self.chance.between(low, high))).await;
        self.acting.load(Ordering::Relaxed)
    }

    fn look(&mut self) {
        self.screen.look(&self.store);
    }

    /// An id that its client never used before; sometimes one that it did.
    fn client_id(&mut self) -> String {
        if self.count == 0 || !self.chance.often(150) {
            self.count += 1;
            return format!("{}-{:016}", self.name, self.count);
        }
        format!("{}-{:016}", self.name, self.chance.between(1, self.count))
    }

    /// Sends an input until it is accepted, or its sender loses patience.
    pub async fn send(&mut self, actor: &ActorId, body: Body) {
        for _ in 0..8 {
            let sent = if self.chance.often(200) {
                match self.inbox.ask(actor, body.clone()).await {
                    Ok(Asked::Answered(answer, _)) => {
                        let id = EventId { partition: actor.partition(self.store.partitions()), pos: answer.pos };
                        self.told.add(|told| told.answers.push(*answer));
                        Ok(id)
                    }
                    Ok(Asked::Later(id)) => Ok(id),
                    Err(problem) => Err(problem),
                }
            } else {
                self.inbox.append(actor, body.clone()).await
            };
            match sent {
                Ok(id) => {
                    self.told.add(|told| told.accepted.push(id));
                    return;
                }
                Err(_) if self.chance.often(800) => sleep(Duration::from_millis(self.chance.between(50, 500))).await,
                Err(_) => return,
            }
        }
    }

    /// Sends events in one request until it is accepted, and some of them again.
    pub async fn events(&mut self, events: Vec<Event>) {
        let again = if self.chance.often(50) { 50 } else { self.chance.below(3) };
        let mut left = 1 + again;
        while left > 0 {
            match self.inbox.events(events.clone()).await {
                Ok(answers) => {
                    left -= 1;
                    self.told.add(|told| {
                        for (event, answer) in events.iter().zip(answers) {
                            // Nobody here has so many dead letters.
                            let answer = answer.expect("nobody is quarantined");
                            let customer = event.customer.as_ref().map(ToString::to_string).unwrap_or_default();
                            told.events
                                .entry((event.source.clone(), event.id.clone(), customer))
                                .or_default()
                                .push(answer);
                            told.accepted.push(answer.0);
                        }
                    });
                }
                Err(_) if self.chance.often(100) => return,
                Err(_) => sleep(Duration::from_millis(self.chance.between(20, 900))).await,
            }
        }
    }

    fn event(&mut self, actor: &ActorId) -> Event {
        self.count += 1;
        let id = format!("{}-{}", self.name, self.count);
        let order = format!("o-{}", self.chance.between(1, 2));
        let total = 10.5 + self.chance.between(0, 60) as f64;
        let (kind, data) = match self.chance.below(10) {
            0..6 => (
                "checkout.payment_failed",
                json!({ "order_id": order, "attempt": self.chance.between(1, 4), "total": total }),
            ),
            6..8 => ("checkout.completed", json!({ "order_id": order, "total": total })),
            8 => ("help.wanted", json!({})),
            _ => ("page.viewed", json!({ "page": if self.chance.often(500) { "cart" } else { "home" } })),
        };
        let customer = (!self.chance.often(40)).then(|| actor.clone());
        let mut event = Event::new("shop", &id, kind, customer, data);
        if self.chance.often(60) {
            event.expires = Some(self.store.time());
        }
        if self.chance.often(60) {
            event.traits.insert("tier".to_owned(), json!(self.count));
        }
        if self.chance.often(50) {
            event.trust = beckon::model::event::Trust::Client;
        }
        event
    }

    async fn customer(mut self, actor: ActorId) {
        while self.goes_on(100, 4_000).await {
            // What is acted on may be old: the tab looked some time ago.
            if self.chance.often(700) {
                self.look();
            }
            match self.chance.below(100) {
                0..30 => {
                    let mut events: Vec<Event> = (0..=self.chance.below(3)).map(|_| self.event(&actor)).collect();
                    if self.chance.often(200) {
                        let twin = events[0].clone();
                        events.push(twin);
                    }
                    self.events(events).await;
                }
                30..34 => {
                    let traits = [("name".to_owned(), json!(self.count))].into_iter().collect();
                    self.send(&actor, Body::Identify { traits, trust: Trust::Server }).await;
                }
                _ => {
                    let client_id = self.client_id();
                    if let Some(body) = self.act(&actor, client_id) {
                        self.send(&actor, body.clone()).await;
                        // A page that lost its connection sends again what it got no answer to.
                        while self.chance.often(200) {
                            self.send(&actor, body.clone()).await;
                        }
                    }
                }
            }
        }
    }

    fn act(&mut self, actor: &ActorId, client_id: String) -> Option<Body> {
        let shown = self.screen.of(actor);
        let text = self.chance.pick(&["pay", "hello", "a person, please", "and now?"]).to_string();
        if shown.is_empty() || self.chance.often(80) {
            let playbook = (!self.chance.often(100)).then(|| "help".to_owned());
            return Some(Body::Said { conversation: None, playbook, client_id, text, attachments: Vec::new() });
        }
        // The latest conversations are the ones that people look at.
        let at = shown.len() - 1 - self.chance.below(shown.len().min(3));
        let (conversation, view) = &shown[at];
        let conversation = *conversation;
        if let Some(call) = view.confirming
            && self.chance.often(700)
        {
            let approve = self.chance.often(800);
            return Some(Body::Confirmed { conversation, client_id, call, approve });
        }
        Some(match self.chance.below(100) {
            0..45 => Body::Said {
                conversation: Some(conversation),
                playbook: None,
                client_id,
                text,
                attachments: Vec::new(),
            },
            45..70 => {
                let choice = view.choices.first().cloned().unwrap_or_else(|| "Try again".to_owned());
                let choice = if self.chance.often(600) { choice } else { "Not now".to_owned() };
                Body::Chose { conversation, client_id, choice }
            }
            70..92 => Body::Seen { conversation, seq: view.seq },
            92..95 => Body::Closed { conversation, client_id },
            95..97 => Body::Stopped { conversation, client_id },
            97 => Body::Helped { conversation, client_id, seq: view.seq, helped: self.chance.often(500) },
            _ => Body::Rated { conversation, client_id, score: 4, comment: None },
        })
    }

    async fn operator(mut self) {
        let operator = Operator { id: self.name.clone(), name: self.name.clone() };
        while self.goes_on(300, 5_000).await {
            if self.chance.often(800) {
                self.look();
            }
            let shown = self.screen.all();
            if shown.is_empty() {
                continue;
            }
            let at = shown.len() - 1 - self.chance.below(shown.len().min(6));
            let (conversation, view) = shown[at].clone();
            let (actor, operator) = (view.actor.clone(), operator.clone());
            let body = match self.chance.below(100) {
                _ if view.unknown.is_some() && self.chance.often(400) => {
                    let state = if self.chance.often(500) { Settled::Done } else { Settled::Failed };
                    let call = view.unknown.unwrap_or(beckon::model::ids::CallId(1));
                    Body::Settle { conversation, call, operator, state }
                }
                0..40 => {
                    let n = if self.chance.often(850) { view.holder_n } else { view.holder_n.saturating_sub(1) };
                    Body::Claim { conversation, operator, n }
                }
                40..75 => {
                    let client_id = self.client_id();
                    Body::OperatorSaid { conversation, operator, client_id, text: "I am a person.".to_owned() }
                }
                75..85 => {
                    let team = self.chance.often(500).then(|| "payments".to_owned());
                    Body::Pass { conversation, operator, team, note: None }
                }
                85..95 => {
                    let note = self.chance.often(500).then(|| "Be kind.".to_owned());
                    Body::Release { conversation, operator, note }
                }
                95..97 => {
                    let client_id = self.client_id();
                    Body::Noted { conversation, operator, client_id, text: "Knows us well.".to_owned() }
                }
                97..99 => {
                    let client_id = self.client_id();
                    let label = |name: &str| std::iter::once(name.parse().unwrap()).collect();
                    let (vip, refund) = (label("vip"), label("refund"));
                    let (add, remove) = if self.chance.often(500) { (vip, refund) } else { (refund, vip) };
                    let priority = self.chance.often(500).then(|| *self.chance.pick(&Priority::ALL));
                    let triage = Triage { priority, add, remove };
                    Body::Triaged { conversation, operator, client_id, triage }
                }
                _ => Body::OperatorClosed { conversation, operator },
            };
            self.send(&actor, body).await;
        }
    }

    /// What concerns many: incidents that begin, have news and end, some told of twice, some taken back.
    async fn network(mut self, customers: Vec<ActorId>) {
        let mut sent: Vec<Event> = Vec::new();
        while self.goes_on(1_000, 15_000).await {
            if self.chance.often(150) && !sent.is_empty() {
                let event = self.chance.pick(&sent).clone();
                self.revoke(&event).await;
                continue;
            }
            self.count += 1;
            let incident = format!("i-{}", self.chance.between(1, 2));
            let mut data = json!({ "incident_id": incident });
            let kind = match self.chance.below(10) {
                0..5 => {
                    let listed: Vec<&str> =
                        customers.iter().filter_map(ActorId::user_id).filter(|_| self.chance.often(700)).collect();
                    data["customers"] = json!(listed);
                    "incident.opened"
                }
                5..7 => "incident.updated",
                _ => "incident.resolved",
            };
            let event = Event::new("network", &format!("network-{}", self.count), kind, None, data);
            let twins = 1 + usize::from(self.chance.often(200));
            sent.push(event.clone());
            // The latest ones are what can be taken back.
            sent.drain(..sent.len().saturating_sub(3));
            self.events(vec![event; twins]).await;
        }
    }

    /// Takes an event of the network back, where it was accepted.
    async fn revoke(&mut self, event: &Event) {
        let key = (event.source.clone(), event.id.clone(), String::new());
        let mut found = None;
        self.told.add(|told| found = told.events.get(&key).and_then(|answers| answers.first()).map(|(id, _)| *id));
        let Some(id) = found else { return };
        let incident = event.data["incident_id"].as_str().unwrap_or_default().to_owned();
        let topics = vec![("outage".to_owned(), incident)];
        let by = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
        let reason = "it was none".to_owned();
        let revoked = Revoke { event: id, kind: event.kind.clone(), topics, by, reason };
        if let Ok(taken_back) = revoke(&self.inbox, revoked, Ms(0)).await {
            self.told.add(|told| told.accepted.push(taken_back));
        }
    }

    async fn admin(mut self, actors: Vec<ActorId>) {
        let mut revision = 1;
        while self.goes_on(5_000, 30_000).await {
            if self.chance.often(150) {
                let actor = self.chance.pick(&actors).clone();
                self.send(&actor, Body::Erase).await;
                continue;
            }
            let hash = self.chance.pick(&workspace::VARIANTS).to_string();
            let paused = if self.chance.often(300) { vec!["checkout-trouble".to_owned()] } else { Vec::new() };
            let next = InForce { revision: revision + 1, hash, paused };
            let _ = self.store.set_in_force(revision, &next).await;
            // Its answer may be lost: what is in force is read, not believed.
            revision = self.store.look(|memory| memory.in_force.revision);
        }
    }

    /// A page that shows conversations: reads on from its cursor, loses its connection, comes back.
    async fn reader(mut self, at: usize, actor: ActorId) {
        let mut cursors: BTreeMap<ConversationId, LogCursor> = BTreeMap::new();
        while self.goes_on(50, 3_000).await {
            self.look();
            for conversation in self.screen.gone(&actor) {
                // It was told `reset`.
                cursors.remove(&conversation);
                self.told.add(|told| drop(told.read.remove(&(at, conversation))));
            }
            for (conversation, _) in self.screen.of(&actor) {
                let mut cursor = cursors.get(&conversation).copied().unwrap_or_default();
                if self.chance.often(300) {
                    cursor = LogCursor::after_seq(cursor.seq);
                }
                let page = 1 + self.chance.below(8);
                let Ok(entries) = self.store.log(conversation, cursor, page).await else { continue };
                for (next, payload) in entries {
                    cursor = next;
                    if super::screen::is_visible(&payload) {
                        self.told.add(|told| told.read.entry((at, conversation)).or_default().push(payload));
                    }
                }
                cursors.insert(conversation, cursor);
            }
        }
    }
}
