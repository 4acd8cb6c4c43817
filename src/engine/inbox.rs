//! The one way in: appending inputs, and waiting for what became of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::decision::Answer;
use crate::model::entry::Logged;
use crate::model::event::{Event, Trust};
use crate::model::ids::{ActorId, EventId, Partition, partition_of};
use crate::model::input::{Body, Envelope, InForce, To};
use crate::model::live::Live;
use crate::store::{Appended, Channel, DedupeKey, Hint, NewInput, Store, StoreError};

/// How long a caller waits for what became of its input.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Appends inputs to the store.
#[derive(Clone)]
pub struct Inbox {
    store: Arc<dyn Store>,
}

/// What became of an input that somebody waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// It was decided: the answer, and the entries it added.
    Answered(Box<Answer>, Vec<Logged>),
    /// Not yet: it stands in the inbox and will be decided.
    Later(EventId),
}

impl Inbox {
    /// An inbox of this store.
    pub fn new(store: Arc<dyn Store>) -> Inbox {
        Inbox { store }
    }

    /// Appends events; answers in order: Beckon's id, and whether it is new; none where its customer's inputs cannot be
    /// processed, and its dead letters come first.
    ///
    /// # Errors
    /// The store's: nothing may be told as accepted then, and sending all again is safe.
    pub async fn events(&self, events: Vec<Event>) -> Result<Vec<Option<(EventId, bool)>>, StoreError> {
        let secret = self.store.dedupe_secret();
        let inputs: Vec<NewInput> = events
            .into_iter()
            .map(|event| {
                let dedupe = Some(dedupe_key(&secret, &event));
                let (to, partition) = self.address(&event);
                new_input(partition, to, Body::Event(Box::new(event)), dedupe, true)
            })
            .collect();
        let partitions: Vec<Partition> = inputs.iter().map(|input| input.partition).collect();
        let begun = Instant::now();
        let answer = self.store.append(inputs).await;
        crate::telemetry::append_took(begun.elapsed());
        let appended: Vec<Option<Appended>> = match answer {
            Ok(appended) => appended.into_iter().map(Some).collect(),
            Err(StoreError::Quarantined(appended)) => appended,
            Err(problem) => return Err(problem),
        };
        let told = |(partition, appended): (Partition, Option<Appended>)| {
            appended.map(|Appended { pos, fresh }| (EventId { partition, pos }, fresh))
        };
        Ok(partitions.into_iter().zip(appended).map(told).collect())
    }

    /// Appends what is in force to every partition that does not hold it yet: whatever is appended after this is judged
    /// by it, or by something later.
    ///
    /// # Errors
    /// The store's; it may be done again.
    pub async fn announce(&self, in_force: &InForce) -> Result<(), StoreError> {
        let own = ActorId::of_partition();
        let mut inputs = Vec::new();
        let partitions: Vec<Partition> = (0..self.store.partitions()).map(Partition).collect();
        // Together: one after another would be as many round trips as there are partitions.
        let loads = partitions.iter().map(|partition| self.store.load(*partition, std::slice::from_ref(&own)));
        let loaded = futures_util::future::try_join_all(loads).await?;
        for (partition, held) in partitions.into_iter().zip(loaded) {
            let held = held.into_iter().flatten().next();
            let held: InForce = held.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
            if held.revision < in_force.revision {
                inputs.push(new_input(partition, To::Partition, Body::Catalog(in_force.clone()), None, false));
            }
        }
        self.store.append(inputs).await.map(drop)
    }

    /// Appends an event about nobody to the inbox of a partition, once by its sender's id: it is decided after what stands
    /// there.
    ///
    /// # Errors
    /// The store's; nothing was appended then.
    pub async fn event_behind(&self, partition: Partition, event: Event) -> Result<EventId, StoreError> {
        let dedupe = Some(dedupe_key(&self.store.dedupe_secret(), &event));
        let input = new_input(partition, To::Partition, Body::Event(Box::new(event)), dedupe, true);
        self.push(input).await
    }

    /// Appends one input about a customer, held up by the inbox's bounds.
    ///
    /// # Errors
    /// The store's; nothing was appended then.
    pub async fn append(&self, actor: &ActorId, body: Body) -> Result<EventId, StoreError> {
        self.push(self.about(actor, body, true)).await
    }

    /// Appends an input that bounds never hold up: a result, a tick, a withdrawal.
    ///
    /// # Errors
    /// The store's; nothing was appended then.
    pub async fn append_always(&self, actor: &ActorId, body: Body) -> Result<EventId, StoreError> {
        self.push(self.about(actor, body, false)).await
    }

    fn about(&self, actor: &ActorId, body: Body, bounded: bool) -> NewInput {
        new_input(actor.partition(self.store.partitions()), To::Actor(actor.clone()), body, None, bounded)
    }

    async fn push(&self, input: NewInput) -> Result<EventId, StoreError> {
        let partition = input.partition;
        let begun = Instant::now();
        let appended = self.store.append(vec![input]).await;
        crate::telemetry::append_took(begun.elapsed());
        let appended = appended?;
        match appended.first() {
            Some(Appended { pos, .. }) => Ok(EventId { partition, pos: *pos }),
            None => Err(StoreError::Corrupt("an append without an answer".to_owned())),
        }
    }

    /// Appends one input about a customer and waits up to [`PATIENCE`] for what becomes of it.
    ///
    /// # Errors
    /// The store's; nothing was appended then.
    pub async fn ask(&self, actor: &ActorId, body: Body) -> Result<Asked, StoreError> {
        // Listen first: the answer may be published before the append returns.
        let mut hints = self.store.subscribe(Channel::Actor(actor.clone()), 256).await?;
        let id = self.append(actor, body).await?;
        let waiting = async {
            while let Some(hint) = hints.recv().await {
                let Hint::Payload(payload) = hint else { continue };
                let Ok(Live::Committed { entries, answers }) = serde_json::from_slice::<Live>(&payload) else {
                    continue;
                };
                if let Some(answer) = answers.into_iter().find(|answer| answer.pos == id.pos) {
                    return Some(Asked::Answered(Box::new(answer), entries));
                }
            }
            None
        };
        let answered = tokio::time::timeout(PATIENCE, waiting).await.ok().flatten();
        Ok(answered.unwrap_or(Asked::Later(id)))
    }

    /// Whom an event concerns, and the partition of its inbox: its customer's, else of `partitionkey`, else of `source`.
    fn address(&self, event: &Event) -> (To, Partition) {
        let partitions = self.store.partitions();
        match &event.customer {
            Some(actor) => (To::Actor(actor.clone()), actor.partition(partitions)),
            None => {
                let key = event.extensions.get("partitionkey").and_then(|v| v.as_str()).unwrap_or(&event.source);
                (To::Partition, partition_of(key, partitions))
            }
        }
    }
}

/// An input in its stored form.
pub fn new_input(partition: Partition, to: To, body: Body, dedupe: Option<DedupeKey>, bounded: bool) -> NewInput {
    let actor = match &to {
        To::Actor(actor) => actor.clone(),
        To::Partition => ActorId::of_partition(),
    };
    let guest = is_of_guest(&body);
    // Writing JSON to memory fails only on maps with keys that are no text; there are none.
    let payload = serde_json::to_vec(&Envelope { to, body }).unwrap_or_default();
    NewInput { partition, actor, payload, dedupe, bounded, guest }
}

/// Whether a browser or a customer sent it, not the company.
fn is_of_guest(body: &Body) -> bool {
    match body {
        Body::Event(event) => event.trust == Trust::Client,
        Body::Identify { .. }
        | Body::Seen { .. }
        | Body::Said { .. }
        | Body::Chose { .. }
        | Body::Confirmed { .. }
        | Body::Rated { .. }
        | Body::Helped { .. }
        | Body::Stopped { .. }
        | Body::Closed { .. } => true,
        _ => false,
    }
}

/// A keyed hash of source, id and customer: SipHash-2-4-128 under the store's own secret, so that nobody can make
/// two events collide.
fn dedupe_key(secret: &[u8; 16], event: &Event) -> DedupeKey {
    use std::hash::Hasher;

    use siphasher::sip128::{Hasher128, SipHasher24};
    let mut hasher = SipHasher24::new_with_key(secret);
    let customer = event.customer.as_ref().map(ActorId::as_str).unwrap_or_default();
    for part in [event.source.as_str(), event.id.as_str(), customer] {
        hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    hasher.finish128().as_bytes()
}
