//! A small owner for chat's tests: it decides what chat appends, by hand, and commits to a real store.
//!
//! It knows just enough of deciding that sessions have something to read: entries, answers, states.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beckon::engine::inbox::Inbox;
use beckon::model::conversation::{Author, Conversation, Holder, Phase, client_id_hash};
use beckon::model::customer::{RefusalCode, State, Trait};
use beckon::model::decision::{Answer, Reply};
use beckon::model::entry::{By, Entry, Kind, Logged, OutcomeKind};
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, ConversationId, EntryId, Partition, Pos};
use beckon::model::input::{Body, Choice, Envelope, Operator, To};
use beckon::model::live::Live;
use beckon::store::{Batch, Channel, Committed, NewEntry, Store};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Decides for every partition of a store until dropped.
pub struct Owner {
    pub inbox: Inbox,
    pub store: Arc<dyn Store>,
    /// While set, commits publish no hints.
    pub mute: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Owner {
    /// Decides nothing any more.
    pub fn rests(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    pub async fn start(store: Arc<dyn Store>) -> Owner {
        let mute = Arc::new(AtomicBool::new(false));
        let mut wakes = store.wakes().await.unwrap();
        let mut desks = Vec::new();
        for n in 0..store.partitions() {
            let partition = Partition(n);
            let lease = store.acquire(partition, "test", Duration::from_secs(600)).await.unwrap().unwrap();
            let (store, mute) = (Arc::clone(&store), Arc::clone(&mute));
            desks.push(Desk { store, mute, partition, epoch: lease.epoch, at: lease.at, lines: 0 });
        }
        let task = tokio::spawn(async move {
            while let Some(partition) = wakes.recv().await {
                if !desks[usize::from(partition.0)].decide_all().await {
                    return;
                }
            }
        });
        Owner { inbox: Inbox::new(Arc::clone(&store)), store, mute, tasks: vec![task] }
    }

    /// Opens a conversation that waits to be seen; answers its id.
    pub async fn open(&self, customer: &ActorId, text: &str, choices: &[&str]) -> ConversationId {
        let data = json!({ "text": text, "choices": choices });
        let id = format!("open-{}", rand::random::<u64>());
        let event = Event::new("test", &id, "open", Some(customer.clone()), data);
        let at = self.inbox.events(vec![event]).await.unwrap()[0].unwrap().0;
        let id = ConversationId { partition: at.partition, pos: at.pos, k: 0 };
        self.decided(customer, |state| state.conversations.contains_key(&id)).await;
        id
    }

    /// An operator writes; nobody waits for it.
    pub async fn write(&self, customer: &ActorId, conversation: ConversationId, text: &str) {
        let operator = Operator { id: "1".to_owned(), name: "Ana".to_owned() };
        let (client_id, text) = (format!("operator-{}", rand::random::<u64>()), text.to_owned());
        let body = Body::OperatorSaid { conversation, operator, client_id, text };
        self.inbox.append(customer, body).await.unwrap();
    }

    pub async fn state(&self, customer: &ActorId) -> State {
        let partition = customer.partition(self.store.partitions());
        let states = self.store.load(partition, std::slice::from_ref(customer)).await.unwrap();
        states[0].as_ref().map(|bytes| State::decode(bytes).unwrap()).unwrap_or_default()
    }

    /// Waits until the customer's state is as it should be.
    pub async fn decided(&self, customer: &ActorId, holds: impl Fn(&State) -> bool) -> State {
        let wait = async {
            loop {
                let state = self.state(customer).await;
                if holds(&state) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(40), wait).await.expect("decided in time")
    }

    /// The customer's side of a log: number, id and text of each visible entry.
    pub async fn log(&self, conversation: ConversationId) -> Vec<(u64, String, String)> {
        let log = self.store.log(conversation, Default::default(), 10_000).await.unwrap();
        let entries = log.iter().map(|(_, payload)| serde_json::from_slice::<Entry>(payload).unwrap());
        entries.filter(|entry| entry.visible).map(|entry| line(&entry)).collect()
    }

    pub async fn hint(&self, customer: &ActorId, live: &Live) {
        let payload = serde_json::to_vec(live).unwrap();
        self.store.publish(Channel::Actor(customer.clone()), payload).await.unwrap();
    }
}

fn line(entry: &Entry) -> (u64, String, String) {
    let Kind::Message { text, .. } = &entry.kind else {
        return (u64::from(entry.seq), entry.id.to_string(), String::new());
    };
    (u64::from(entry.seq), entry.id.to_string(), text.clone())
}

/// One partition.
struct Desk {
    store: Arc<dyn Store>,
    mute: Arc<AtomicBool>,
    partition: Partition,
    epoch: u64,
    at: Pos,
    lines: u64,
}

/// What one input changes.
struct Work {
    pos: Pos,
    partition: Partition,
    k: u32,
    state: State,
    entries: Vec<Logged>,
    answers: Vec<Answer>,
    forget: Vec<ConversationId>,
}

impl Desk {
    /// Decides what is there; false: another owner has the partition.
    async fn decide_all(&mut self) -> bool {
        loop {
            let inputs = self.store.read(self.partition, self.at, 64).await.unwrap();
            if inputs.is_empty() {
                return true;
            }
            for input in inputs {
                let envelope: Envelope = serde_json::from_slice(&input.payload).unwrap();
                let To::Actor(actor) = envelope.to else { continue };
                if self.decide(input.pos, &actor, envelope.body).await == Committed::Lost {
                    return false;
                }
            }
        }
    }

    async fn decide(&mut self, pos: Pos, actor: &ActorId, body: Body) -> Committed {
        let states = self.store.load(self.partition, std::slice::from_ref(actor)).await.unwrap();
        let state = states[0].as_ref().map(|bytes| State::decode(bytes).unwrap()).unwrap_or_default();
        let erase = body == Body::Erase;
        let (partition, entries) = (self.partition, Vec::new());
        let mut work = Work { pos, partition, k: 0, state, entries, answers: Vec::new(), forget: Vec::new() };
        work.decide(body);
        let mut batch = Batch { journal: vec![b"{}".to_vec()], journal_from: self.lines + 1, ..Batch::default() };
        let kept = (!erase).then(|| work.state.encode());
        batch.states.push((actor.clone(), kept));
        batch.entries = work.entries.iter().map(stored).collect();
        batch.forget = work.forget;
        let live = if erase { Live::Erased } else { Live::Committed { entries: work.entries, answers: work.answers } };
        if !self.mute.load(Ordering::SeqCst) {
            batch.hints.push((Channel::Actor(actor.clone()), serde_json::to_vec(&live).unwrap()));
        }
        let done = self.store.commit(self.partition, self.epoch, self.at, pos, batch).await.unwrap();
        (self.at, self.lines) = (pos, self.lines + 1);
        done
    }
}

fn stored(logged: &Logged) -> NewEntry {
    let Logged { conversation, entry } = logged;
    let payload = serde_json::to_vec(entry).unwrap();
    NewEntry { conversation: *conversation, n: entry.n, seq: entry.seq, payload }
}

impl Work {
    fn decide(&mut self, body: Body) {
        match body {
            Body::Event(event) if event.kind == "open" => {
                let text = event.data["text"].as_str().unwrap().to_owned();
                let choices: Vec<Choice> = event.data["choices"].as_array().into_iter().flatten().map(choice).collect();
                let id = self.begin();
                self.add(id, By::System, false, Kind::Note { text: "inner".to_owned(), name: "test".to_owned() });
                self.conversation(id).offered = choices.clone();
                self.add(id, By::Assistant, true, message(text, choices, None));
            }
            Body::Identify { traits, trust } => {
                let held = traits.into_iter().map(|(name, value)| (name, Trait { value, trust }));
                self.state.traits.extend(held);
            }
            Body::Said { conversation, playbook, client_id, text, attachments: _ } => {
                let id = match conversation {
                    Some(id) => id,
                    None => match self.earlier(&client_id) {
                        Some((id, _)) => id,
                        None => {
                            let id = self.begin();
                            self.conversation(id).playbook = playbook.unwrap();
                            self.conversation(id).phase = Phase::Open;
                            id
                        }
                    },
                };
                let kind = message(text, Vec::new(), Some(client_id.clone()));
                self.act(id, &client_id, None, Some(kind));
            }
            Body::Chose { conversation, client_id, choice } => {
                let gone = !self.conversation(conversation).offered.iter().any(|offered| offered.value == choice);
                let kind = message(choice, Vec::new(), Some(client_id.clone()));
                self.act(conversation, &client_id, gone.then_some(RefusalCode::ChoiceGone), Some(kind));
            }
            Body::Closed { conversation, client_id } => {
                self.act(conversation, &client_id, None, Some(Kind::Closed { outcome: OutcomeKind::Abandoned }));
                self.conversation(conversation).phase = Phase::Closed;
            }
            Body::Rated { conversation, client_id, .. } => self.act(conversation, &client_id, None, None),
            Body::OperatorSaid { conversation, text, .. } => {
                self.add(conversation, By::Operator, true, message(text, Vec::new(), None));
                self.add(conversation, By::System, false, Kind::Opened {});
            }
            Body::Seen { conversation, .. } => {
                self.conversation(conversation).phase = Phase::Open;
                self.add(conversation, By::System, false, Kind::Opened {});
            }
            Body::Erase => self.forget = self.state.conversations.keys().copied().collect(),
            _ => {}
        }
    }

    fn act(&mut self, id: ConversationId, client_id: &str, wrong: Option<RefusalCode>, kind: Option<Kind>) {
        let hash = client_id_hash(Author::Customer, client_id);
        let reply = if let Some((_, seq)) = self.earlier(client_id) {
            Reply::Done { seq }
        } else if let Some((_, code)) = self.state.refusals.iter().find(|(known, _)| *known == hash) {
            Reply::Refused(*code)
        } else if let Some(code) =
            wrong.or((kind.is_some() && self.conversation(id).phase.is_closed()).then_some(RefusalCode::Closed))
        {
            self.state.refusals.push_back((hash, code));
            Reply::Refused(code)
        } else {
            if let Some(kind) = kind {
                self.add(id, By::Customer, true, kind);
            }
            let seq = self.conversation(id).seq;
            self.conversation(id).client_ids.insert(hash, seq);
            Reply::Done { seq }
        };
        let (pos, client_id) = (self.pos, Some(client_id.to_owned()));
        self.answers.push(Answer { pos, client_id, conversation: Some(id), reply });
    }

    fn earlier(&self, client_id: &str) -> Option<(ConversationId, u32)> {
        let hash = client_id_hash(Author::Customer, client_id);
        self.state.conversations.iter().find_map(|(id, held)| Some((*id, *held.client_ids.get(&hash)?)))
    }

    fn begin(&mut self) -> ConversationId {
        let id = ConversationId { partition: self.partition, pos: self.pos, k: 0 };
        self.k = 1;
        let conversation: Conversation = serde_json::from_value(json!({
            "playbook": "test", "catalog": "none", "key": "test", "event": null, "created": self.pos.ms,
            "phase": "waiting", "holder": Holder::Assistant, "holder_n": 0, "n": 0, "seq": 0,
        }))
        .unwrap();
        self.state.conversations.insert(id, conversation);
        id
    }

    fn conversation(&mut self, id: ConversationId) -> &mut Conversation {
        self.state.conversations.get_mut(&id).expect("chat appends nothing of unknown conversations")
    }

    fn add(&mut self, id: ConversationId, by: By, visible: bool, kind: Kind) {
        let (pos, partition, k) = (self.pos, self.partition, self.k);
        self.k += 1;
        let conversation = self.conversation(id);
        conversation.n += 1;
        conversation.seq += u32::from(visible);
        let (n, seq, at) = (conversation.n, conversation.seq, pos.time());
        let id_of_entry = EntryId(ConversationId { partition, pos, k });
        let entry = Entry { n, seq, visible, id: id_of_entry, at, by, turn_id: None, attempt: None, kind };
        self.entries.push(Logged { conversation: id, entry });
    }
}

fn choice(value: &Value) -> Choice {
    let value = value.as_str().unwrap().to_owned();
    Choice { label: value.clone(), value }
}

fn message(text: String, choices: Vec<Choice>, client_id: Option<String>) -> Kind {
    Kind::Message { text, attachments: Vec::new(), locale: None, choices, choice: None, client_id, name: None }
}
