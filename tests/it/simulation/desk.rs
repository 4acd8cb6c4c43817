//! One partition driven by hand, for the named cases: inputs are appended and decided one after the other.

use std::sync::Arc;

use beckon::engine::node::Settings;
use beckon::engine::owner::{Owner, Worked};
use beckon::engine::shelf::Shelf;
use beckon::model::conversation::{Call, Conversation};
use beckon::model::customer::State;
use beckon::model::decision::{Effect, JournalLine};
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, CallId, ConversationId, Partition, Pos};
use beckon::model::input::{Body, CallOutcome, Generation, Operator, Proposal};
use beckon::store::{Store, StoreError};
use serde_json::json;

use super::nodes::LEASE;
use super::store::SimStore;
use super::world::World;
use super::{oracle, workspace};

/// A customer's partition, its owner and the way in.
pub struct Desk {
    /// The world around it.
    pub world: World,
    /// The customer.
    pub actor: ActorId,
    /// Its partition.
    pub partition: Partition,
    /// The owner.
    pub owner: Owner,
}

/// An owner that just took the partition as this node; none: another has it.
pub async fn take(store: &Arc<SimStore>, partition: Partition, node: &str) -> Option<Owner> {
    let lease = store.acquire(partition, node, LEASE).await.unwrap()?;
    let store: Arc<dyn Store> = store.clone();
    let shelf = Shelf::new(Arc::clone(&store), Arc::new(workspace::compile));
    Some(Owner::take(store, shelf, partition, &lease, Settings::default()).await.unwrap())
}

impl Desk {
    /// A desk at which nothing has happened.
    pub async fn new() -> Desk {
        let world = World::new(1, true).await;
        let actor = ActorId::user("42");
        let partition = actor.partition(world.store().partitions());
        let owner = take(world.store(), partition, "node-1").await.unwrap();
        let mut desk = Desk { world, actor, partition, owner };
        desk.decide().await;
        desk
    }

    /// Decides all that is there.
    pub async fn decide(&mut self) {
        while self.step().await.unwrap() != Worked::Nothing {}
    }

    /// One step of the owner, with what is in force.
    pub async fn step(&mut self) -> Result<Worked, StoreError> {
        let in_force = self.world.store().look(|memory| memory.in_force.clone());
        self.owner.step(&in_force).await
    }

    /// Appends an input without deciding it.
    pub async fn append(&self, body: Body) -> Pos {
        self.world.inbox.append(&self.actor, body).await.unwrap().pos
    }

    /// Appends an input and decides it; what it changed.
    pub async fn input(&mut self, body: Body) -> Arc<JournalLine> {
        let pos = self.append(body).await;
        self.decide().await;
        self.line(pos)
    }

    /// The line of a position.
    pub fn line(&self, pos: Pos) -> Arc<JournalLine> {
        let lines = self.world.store().lines();
        let found = lines.iter().filter(|(partition, _, line)| *partition == self.partition && line.pos == pos);
        let found: Vec<_> = found.collect();
        assert_eq!(found.len(), 1, "lines of {pos}");
        Arc::clone(&found[0].2)
    }

    /// The customer's state as stored.
    pub fn state(&self) -> Option<State> {
        self.world.store().look(|memory| {
            let state = memory.parts[usize::from(self.partition.0)].states.get(&self.actor)?;
            Some(State::decode(state).unwrap())
        })
    }

    /// A conversation as stored.
    pub fn conversation(&self, id: ConversationId) -> Conversation {
        self.state().unwrap().conversations[&id].clone()
    }

    /// Its call as stored; none: it is settled.
    pub fn call(&self, id: ConversationId, call: CallId) -> Option<Call> {
        self.conversation(id).calls.get(&call).cloned()
    }

    /// The step that the assistant is asked for now.
    pub async fn wanted(&self, id: ConversationId) -> Option<(Pos, u32)> {
        let effects = self.world.store().effects(self.partition, 100).await.unwrap();
        effects.iter().find_map(|pending| match serde_json::from_slice(&pending.payload).unwrap() {
            Effect::Generate { conversation, turn, step, .. } if conversation == id => Some((turn, step)),
            _ => None,
        })
    }

    /// The step that the assistant is asked for, as its runner would answer it with these calls or words.
    pub async fn generated(&self, id: ConversationId, text: &str, charges: &[&str]) -> Body {
        let (turn, step) = self.wanted(id).await.expect("the assistant is asked");
        let calls = charges
            .iter()
            .map(|order| Proposal {
                operation: "shop.retry_payment".to_owned(),
                args: json!({ "id": order, "card": "visa" }).as_object().cloned().unwrap(),
                bind: None,
                model_id: None,
                problem: None,
            })
            .collect();
        let generation = Generation { text: text.to_owned(), calls, model: "a".to_owned(), ..Generation::default() };
        Body::Generated { conversation: id, turn, step, attempt: 1, outcome: Ok(generation), failures: 0 }
    }

    /// A conversation that is open, with the assistant asked for an answer.
    pub async fn asked(&mut self) -> ConversationId {
        let data = json!({ "order_id": "o-1", "attempt": 2, "total": 89.5 });
        let event = Event::new("shop", "e-1", "checkout.payment_failed", Some(self.actor.clone()), data);
        self.world.inbox.events(vec![event]).await.unwrap();
        self.decide().await;
        let state = self.state().unwrap();
        let (id, _) = state.conversations.iter().find(|(_, c)| c.playbook == "checkout-trouble").unwrap();
        let fact = CallOutcome::Done(json!({ "number": 1 }));
        self.input(Body::Called { conversation: *id, call: CallId(1), outcome: fact }).await;
        self.say(*id, 1).await;
        *id
    }

    /// The same, with a charge under way; its call.
    pub async fn charging(&mut self) -> (ConversationId, CallId) {
        let id = self.asked().await;
        let body = self.generated(id, "", &["o-1"]).await;
        self.input(body).await;
        let call = self.conversation(id).confirming.expect("the customer is asked");
        let client_id = "confirms-000000000001".to_owned();
        self.input(Body::Confirmed { conversation: id, client_id, call, approve: true }).await;
        (id, call)
    }

    /// The customer writes.
    pub async fn say(&mut self, id: ConversationId, count: u32) -> Arc<JournalLine> {
        self.input(Desk::said(id, count)).await
    }

    /// What the customer writes.
    pub fn said(id: ConversationId, count: u32) -> Body {
        let client_id = format!("says-{count:016}");
        Body::Said {
            conversation: Some(id),
            playbook: None,
            client_id,
            text: "pay".to_owned(),
            attachments: Vec::new(),
        }
    }

    /// An operator's claim of a conversation that nobody took yet.
    pub fn claim(id: ConversationId, n: u32) -> Body {
        Body::Claim { conversation: id, operator: Desk::operator(), n }
    }

    /// The operator.
    pub fn operator() -> Operator {
        Operator { id: "ada".to_owned(), name: "Ada".to_owned() }
    }

    /// Asks the oracle.
    pub fn judge(&self) {
        let wrong = oracle::judge(self.world.store(), &self.world.told, &self.world.ground.api, false);
        assert!(wrong.is_empty(), "{}\nwrong: {wrong:#?}", self.world.store().trace.story());
    }
}
