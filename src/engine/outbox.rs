//! The outbox: events on their way to topics, and customers found and told for them. All of it may be repeated: the
//! receiver knows the last item of each sender, and an inbox knows what came before by topic, revision and customer.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher24};
use tokio::time::Instant;

use super::effects::Job;
use super::inbox::new_input;
use crate::adapter::Request;
use crate::adapter::outcome::{is_worth_again, retry_delays};
use crate::adapter::returns::Amount;
use crate::dialogue::calls::valid;
use crate::model::catalog::Catalog;
use crate::model::customer::State;
use crate::model::decision::Effect;
use crate::model::event::Event;
use crate::model::ids::{ActorId, Partition, Pos};
use crate::model::input::{Body, CallOutcome, To};
use crate::model::pattern::{PagedCall, ToMany, Whom};
use crate::model::scope::{Held, Scope, customer_value, event_value};
use crate::model::time::{Millis, Ms};
use crate::model::topic::{Cursor, Found, Heard, Mark, News, PAGE, Stage, Told, Topic};
use crate::record::Record;
use crate::store::{DedupeKey, NewInput, PendingEffect, Store, StoreError};
use crate::trigger::topic::looking::{arguments, page_of};
use crate::trigger::topic::{news_of, topic_of};

/// Customers read at once where each of them is asked for.
const SCANNED: u32 = 1_000;

/// The most customers read for one page of those meant.
const MOST_SCANNED: usize = 50_000;

/// How long the record may take to know all that was decided before.
const LEVEL_WITHIN: Duration = Duration::from_secs(10);

/// An item of the outbox that waits.
pub(super) struct Item {
    pub(super) key: String,
    heard: Heard,
    at: Ms,
}

/// Parts items of the outbox, by whom they are for and in order, from what else is pending.
pub(super) fn apart(pending: Vec<PendingEffect>) -> (Vec<PendingEffect>, BTreeMap<ActorId, Vec<Item>>) {
    let mut items: BTreeMap<ActorId, Vec<Item>> = BTreeMap::new();
    let mut others = Vec::with_capacity(pending.len());
    for effect in pending {
        // Every item's payload begins so; reading all others whole would be for nothing.
        let is_item = effect.payload.starts_with(br#"{"forward""#);
        match is_item.then(|| serde_json::from_slice(&effect.payload)) {
            Some(Ok(Effect::Forward { to, heard, at })) => {
                items.entry(to).or_default().push(Item { key: effect.key, heard: *heard, at });
            }
            _ => others.push(effect),
        }
    }
    (others, items)
}

/// What was measured of the outbox last.
#[derive(Default)]
pub(super) struct Measured {
    waiting: usize,
}

impl Measured {
    /// Sets the gauges where something waits, or did.
    pub(super) async fn measure(
        &mut self,
        store: &dyn Store,
        partition: Partition,
        items: &BTreeMap<ActorId, Vec<Item>>,
    ) -> Result<(), StoreError> {
        let waiting = items.values().map(Vec::len).sum();
        if waiting > 0 || self.waiting > 0 {
            let oldest = items.values().flatten().map(|item| item.at).min();
            let now = store.now().await?;
            crate::telemetry::outbox(partition.0, waiting, oldest.map_or(Millis(0), |oldest| now.since(oldest)));
        }
        self.waiting = waiting;
        Ok(())
    }
}

/// What customers are to be told.
pub(super) struct Asked {
    pub(super) revision: Pos,
    pub(super) from: Mark,
    pub(super) most: u32,
    pub(super) queue: Option<u64>,
}

impl Job {
    /// Gives items to a topic, in order, and says so to this partition.
    pub(super) async fn forward(&self, to: &ActorId, items: Vec<Item>) {
        let oldest = items.iter().map(|item| item.at).min().unwrap_or_default();
        let (keys, bodies): (Vec<String>, Vec<Body>) =
            items.into_iter().map(|item| (item.key, Body::Heard(Box::new(item.heard)))).unzip();
        let count = keys.len();
        let topic = to.partition(self.store.partitions());
        let inputs = bodies.into_iter().map(|body| new_input(topic, To::Actor(to.clone()), body, None, false));
        let inputs: Vec<NewInput> = inputs.collect();
        self.patiently(|| self.store.append(inputs.clone())).await;
        let now = self.patiently(|| self.store.now()).await;
        crate::telemetry::forwarded(count, now.since(oldest));
        let told = new_input(self.partition, To::Partition, Body::Forwarded { keys }, None, false);
        self.patiently(|| self.store.append(vec![told.clone()])).await;
    }

    /// Tells customers of a page. Waits where their inboxes are full: what is already there makes room by itself.
    pub(super) async fn tell(&self, topic: &ActorId, asked: Asked) -> Told {
        if let (Some(most), Some(record)) = (asked.queue, &self.outside.record) {
            match record.in_queue().await {
                Ok(waiting) if waiting > most => return Told::Rests(waiting),
                Ok(_) => {}
                Err(problem) => tracing::warn!(error = %problem, "nobody knows how many wait for a person"),
            }
        }
        let nothing = Told::Sent { sent: 0, passed: 0, more: false };
        // Where something is not there it was taken back meanwhile.
        let Some(held) = self.held(topic).await else { return nothing };
        let Some((event, begun)) = news_of(&held, topic, asked.revision).zip(held.begun) else { return nothing };
        let name = ActorId::page_of(topic, begun, asked.from.page);
        let stored = self.patiently(|| self.store.load(self.partition, std::slice::from_ref(&name))).await;
        let page = stored.into_iter().flatten().next();
        let page = page.and_then(|bytes| serde_json::from_slice::<Vec<ActorId>>(&bytes).ok()).unwrap_or_default();
        let place = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let left = page.get(place(asked.from.within)..).unwrap_or_default();
        let now = left.get(..place(asked.most)).unwrap_or(left);
        let sent = self.give(&event, now).await;
        crate::telemetry::customers_told(sent);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Told::Sent { sent: number(sent), passed: number(now.len()), more: now.len() < left.len() }
    }

    /// Appends the news to each customer's inbox, once however often this is done; answers to how many.
    async fn give(&self, event: &Event, customers: &[ActorId]) -> usize {
        let (partitions, secret) = (self.store.partitions(), self.store.dedupe_secret());
        let inputs: Vec<NewInput> = customers
            .iter()
            .map(|customer| {
                let event = Event { customer: Some(customer.clone()), ..event.clone() };
                let key = event.news.as_ref().map(|news| news_key(&secret, news, customer));
                let to = To::Actor(customer.clone());
                new_input(customer.partition(partitions), to, Body::Event(Box::new(event)), key, true)
            })
            .collect();
        let mut wait = Duration::from_millis(50);
        loop {
            match self.store.append(inputs.clone()).await {
                Ok(_) => return inputs.len(),
                // Those whose inputs cannot be processed are not told.
                Err(StoreError::Quarantined(appended)) => return appended.into_iter().flatten().count(),
                Err(problem) => tracing::debug!(error = %problem, "a page waits"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(2));
        }
    }

    /// What a topic knows.
    async fn held(&self, topic: &ActorId) -> Option<Box<Topic>> {
        let stored = self.patiently(|| self.store.load(self.partition, std::slice::from_ref(topic))).await;
        let state = stored.into_iter().flatten().next().and_then(|bytes| State::decode(&bytes).ok());
        state.and_then(|state| state.topic)
    }

    /// Looks for the next customers of a topic.
    pub(super) async fn select(&self, topic: &ActorId, revision: Pos, catalog: &str, at: Ms) -> Result<Found, String> {
        let catalog = self.patiently(|| self.shelf.get(catalog)).await.ok_or("there is no catalog to select by")?;
        let Some(held) = self.held(topic).await else { return Ok(Found::default()) };
        let selection = held.selection.as_ref().filter(|selection| selection.telling.revision == revision);
        let Some(selection) = selection else { return Ok(Found::default()) };
        let playbook = catalog.playbooks.get(&held.playbook).ok_or("the playbook is gone")?;
        let (_, many) = topic_of(playbook).ok_or("the playbook no longer has this topic")?;
        let asks = Looking { topic, many, event: &selection.telling.event, cursor: &selection.cursor, at };
        match &many.to {
            Whom::List(_) => Ok(Found::default()),
            Whom::Call(call) => self.call_page(&catalog, call, &asks).await,
            Whom::Followers(_) | Whom::Where(_) => {
                let record = self.outside.record.as_ref().ok_or("there is no record to look in")?;
                if *asks.cursor == Cursor::Start {
                    self.until_level(record, at).await?;
                }
                recorded(record, &asks).await
            }
        }
    }

    /// Waits until the record has what was decided before: who follows since a moment ago is found.
    async fn until_level(&self, record: &Record, at: Ms) -> Result<(), String> {
        let ends = Instant::now() + LEVEL_WITHIN;
        for partition in (0..self.store.partitions()).map(Partition) {
            loop {
                let archived = record.archive_state(partition).await.map_err(|problem| problem.to_string())?.pos;
                let next = self.patiently(|| self.store.read(partition, archived, 1)).await;
                if next.first().is_none_or(|input| input.pos.time() >= at) {
                    break;
                }
                if Instant::now() >= ends {
                    return Err("the record is behind".to_owned());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// A page that an API names.
    async fn call_page(&self, catalog: &Catalog, call: &PagedCall, asks: &Looking<'_>) -> Result<Found, String> {
        let operation = catalog.operations.get(&call.operation).ok_or("there is no such operation any more")?;
        let adapter =
            self.outside.adapters.get(&operation.adapter).ok_or("its adapter is not configured on this node")?;
        let args = arguments(call, asks.event, asks.cursor)?;
        valid(operation, &args)?;
        let key = format!("{}/select", asks.topic);
        let request = || Request { operation, customer: None, args: &args, key: &key, amount: Amount::All };
        let mut outcome = adapter.call(request()).await;
        for wait in retry_delays(false) {
            if !is_worth_again(false, false, &outcome) {
                break;
            }
            tokio::time::sleep(*wait).await;
            outcome = adapter.call(request()).await;
        }
        match outcome {
            CallOutcome::Done(answer) => page_of(call, asks.event, answer),
            CallOutcome::Failed(problem) | CallOutcome::Unknown(problem) => Err(problem),
        }
    }
}

/// What customers are looked for.
struct Looking<'a> {
    topic: &'a ActorId,
    many: &'a ToMany,
    event: &'a Event,
    cursor: &'a Cursor,
    at: Ms,
}

/// A page of customers whom the record names.
async fn recorded(record: &Record, asks: &Looking<'_>) -> Result<Found, String> {
    let mut after = match asks.cursor {
        Cursor::After(last) => last.clone(),
        Cursor::Start | Cursor::End => String::new(),
    };
    let Whom::Where(condition) = &asks.many.to else {
        let most = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let found = record.followers(asks.topic, &after, asks.at, most).await.map_err(|problem| problem.to_string())?;
        let next = found.last().filter(|_| found.len() >= PAGE).map(ToString::to_string);
        return Ok(Found { customers: found, next });
    };
    let mut customers = Vec::new();
    let mut scope = Scope::new();
    scope.bind("event", event_value(asks.event));
    let mut scanned = 0;
    // Few of many may be meant: no page is looked for for ever.
    while customers.len() < PAGE && scanned < MOST_SCANNED {
        let read = record.with_traits(&after, SCANNED).await.map_err(|problem| problem.to_string())?;
        let full = read.len() >= usize::try_from(SCANNED).unwrap_or(usize::MAX);
        scanned += read.len();
        for (customer, traits) in read {
            after = customer.to_string();
            scope.bind("customer", customer_value(&customer, traits));
            if scope.ask(condition) == Held::Yes {
                customers.push(customer);
            }
        }
        if !full {
            return Ok(Found { customers, next: None });
        }
    }
    Ok(Found { customers, next: Some(after) })
}

/// A keyed hash of topic, revision and customer. An outside event's has three parts: none is ever the same.
fn news_key(secret: &[u8; 16], news: &News, customer: &ActorId) -> DedupeKey {
    let mut hasher = SipHasher24::new_with_key(secret);
    let stage = match news.stage {
        Stage::Begun => "begun",
        Stage::Updated => "updated",
        Stage::Ended => "ended",
        Stage::Revoked => "revoked",
    };
    for part in ["news", news.topic.as_str(), &news.revision.to_string(), stage, customer.as_str()] {
        hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    hasher.finish128().as_bytes()
}
