//! The owner of a partition: reads its inbox, decides, commits. One piece of work at a time; the loop is elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::decide::decide;
use super::inbox::{Inbox, new_input};
use super::node::Settings;
use super::shelf::Shelf;
use crate::model::catalog::Catalogs;
use crate::model::conversation::Phase;
use crate::model::customer::State;
use crate::model::decision::{Change, DeadLetter, Decision, JournalLine};
use crate::model::ids::{ActorId, EventId, Partition, Pos};
use crate::model::input::{Body, Envelope, InForce, Input, To};
use crate::model::live::Live;
use crate::model::time::Ms;
use crate::store::{Batch, Channel, Committed, Lease, NewDead, NewEntry, Store, StoreError, StoredInput};

/// How often an input may be found half decided before it goes to dead letters undecided.
const MAX_TRIES: u32 = 2;

/// The most ticks appended at once.
const MAX_TICKS: usize = 256;

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// So many inputs were decided; there may be more.
    Decided(usize),
    /// There was nothing to decide.
    Nothing,
    /// The lease is lost: drop everything of this partition.
    Lost,
}

/// The owner of a partition.
pub struct Owner {
    store: Arc<dyn Store>,
    inbox: Inbox,
    shelf: Shelf,
    partition: Partition,
    settings: Settings,
    epoch: u64,
    at: Pos,
    journal_n: u64,
    /// After an unclean end of the last owner: decide singly up to this position.
    singly_until: Option<Pos>,
    /// The input that the last owner was deciding when it went.
    suspect: Option<(Pos, u32)>,
    catalogs: Catalogs,
    announced: u64,
    withdraw: bool,
    warm: HashMap<ActorId, State>,
    /// The earliest due time of the partition, where known.
    next_due: Option<Option<Ms>>,
    ticked: BTreeMap<ActorId, Ms>,
}

/// One batch on its way to the store.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    states: BTreeMap<ActorId, Option<State>>,
    /// Pages of topics, as stored.
    pages: BTreeMap<ActorId, Option<Vec<u8>>>,
    /// The last catalog input's, where there is one.
    in_force: Option<InForce>,
    effects: usize,
    ignored: usize,
    crowded_out: usize,
}

impl Owner {
    /// Takes over a partition under its lease: reads what holds there and where its inbox ends.
    ///
    /// # Errors
    /// The store's.
    pub async fn take(
        store: Arc<dyn Store>,
        shelf: Shelf,
        partition: Partition,
        lease: &Lease,
        settings: Settings,
    ) -> Result<Owner, StoreError> {
        let own = ActorId::of_partition();
        let stored = store.load(partition, std::slice::from_ref(&own)).await?;
        let in_force: InForce =
            stored.into_iter().flatten().next().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        let singly_until = if lease.clean { None } else { end_of(&*store, partition, lease.at).await? };
        let mut owner = Owner {
            inbox: Inbox::new(Arc::clone(&store)),
            store,
            shelf,
            partition,
            settings,
            epoch: lease.epoch,
            at: lease.at,
            journal_n: 1,
            singly_until,
            suspect: lease.trying,
            catalogs: Catalogs::default(),
            announced: in_force.revision,
            withdraw: !in_force.paused.is_empty(),
            warm: HashMap::new(),
            next_due: None,
            ticked: BTreeMap::new(),
        };
        owner.hold(in_force).await?;
        Ok(owner)
    }

    /// The epoch it owns under.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last input decided.
    pub fn at(&self) -> Pos {
        self.at
    }

    /// What holds in this partition.
    pub fn in_force(&self) -> &InForce {
        &self.catalogs.in_force
    }

    /// How long the loop may wait for a wake before this owner has something to do by itself.
    pub fn patience(&self, now: Ms) -> Duration {
        let poll = self.store.poll_interval();
        match self.next_due {
            Some(Some(due)) => poll.min(due.since(now).duration()),
            Some(None) => poll,
            None => Duration::ZERO,
        }
    }

    /// Does one piece of work: a batch of inputs, or the ticks that are due.
    ///
    /// # Errors
    /// The store's; nothing is lost then, and the same step may be taken again.
    pub async fn step(&mut self, newest: &InForce) -> Result<Worked, StoreError> {
        self.announce(newest).await?;
        // Before the next batch, not when the inbox is empty: under load it never is.
        if self.withdraw {
            self.withdraw_paused().await?;
        }
        let max = if self.singly_until.is_some() { 1 } else { self.settings.batch };
        let stored = self.store.read(self.partition, self.at, max).await?;
        if stored.is_empty() {
            self.singly_until = None;
            return self.tick().await;
        }
        if let Some(until) = self.singly_until
            && let Some(first) = stored.first()
        {
            if first.pos > until {
                self.singly_until = None;
            } else if self.is_poison(first.pos).await? {
                return self.bury(first).await;
            }
        }
        self.decide_all(stored).await
    }

    /// Decides and commits a batch. What a catalog input in it puts in force holds only once it is committed.
    async fn decide_all(&mut self, stored: Vec<StoredInput>) -> Result<Worked, StoreError> {
        let (in_force, withdraw) = (self.catalogs.in_force.clone(), self.withdraw);
        let worked = self.decide_batch(stored).await;
        if !matches!(worked, Ok(Worked::Decided(_))) {
            // The same inputs are decided again: those before the catalog's under what held there.
            self.catalogs.in_force = in_force;
            self.withdraw = withdraw;
        }
        worked
    }

    async fn decide_batch(&mut self, stored: Vec<StoredInput>) -> Result<Worked, StoreError> {
        let (from, count) = (self.at, stored.len());
        let Some(to) = stored.last().map(|input| input.pos) else { return Ok(Worked::Nothing) };
        let mut gathered = Gathered::default();
        gathered.batch.journal_from = self.journal_n;
        let inputs: Vec<(StoredInput, Result<Input, String>)> = stored
            .into_iter()
            .map(|stored| {
                let read = self.read_input(&stored);
                (stored, read)
            })
            .collect();
        let mut unreadable = self.warm_up(inputs.iter().filter_map(|(_, read)| read.as_ref().ok())).await?;
        let begun = Instant::now();
        for (stored, read) in inputs {
            match read {
                Err(reason) => {
                    let actor = addressee(&stored.payload);
                    self.dead(&mut gathered, &stored, actor, reason);
                }
                Ok(input) => {
                    if let To::Actor(actor) = &input.to
                        && let Some(reason) = unreadable.get(actor)
                    {
                        self.dead(&mut gathered, &stored, Some(actor.clone()), reason.clone());
                        continue;
                    }
                    if let Body::Catalog(in_force) = &input.body {
                        self.catalog_input(&mut gathered, &input, in_force).await?;
                        continue;
                    }
                    self.decide_one(&mut gathered, &stored, input);
                }
            }
        }
        unreadable.clear();
        crate::telemetry::decide_took(begun.elapsed());
        self.commit(from, to, gathered, count).await
    }

    async fn commit(&mut self, from: Pos, to: Pos, gathered: Gathered, count: usize) -> Result<Worked, StoreError> {
        let Gathered { mut batch, states, pages, in_force, effects, ignored, crowded_out } = gathered;
        let changed = in_force.is_some();
        batch.states.extend(in_force.map(|in_force| (ActorId::of_partition(), Some(encoded(&in_force)))));
        batch.states.extend(pages);
        for (actor, state) in &states {
            batch.states.push((actor.clone(), state.as_ref().map(State::encode)));
            batch.due.push((actor.clone(), state.as_ref().and_then(State::due)));
        }
        let lines = u64::try_from(batch.journal.len()).unwrap_or(u64::MAX);
        let begun = Instant::now();
        let committed = self.store.commit(self.partition, self.epoch, from, to, batch).await?;
        crate::telemetry::commit_took(begun.elapsed());
        match committed {
            Committed::Lost => return Ok(Worked::Lost),
            Committed::Applied | Committed::Done => {}
        }
        crate::telemetry::decided(count, ignored);
        crate::telemetry::crowded_out(crowded_out);
        if effects > 0 {
            crate::telemetry::effects_added(effects);
        }
        self.at = to;
        self.journal_n += lines;
        if !states.is_empty() {
            self.next_due = None;
        }
        for (actor, state) in states {
            self.ticked.remove(&actor);
            match state {
                Some(state) => self.warm.insert(actor, state),
                None => self.warm.remove(&actor),
            };
        }
        let forgotten = self.warm.len() > self.settings.states;
        if forgotten {
            self.warm.clear();
        }
        if forgotten || changed {
            self.let_catalogs_go();
        }
        Ok(Worked::Decided(count))
    }

    fn read_input(&self, stored: &StoredInput) -> Result<Input, String> {
        let envelope: Envelope =
            serde_json::from_slice(&stored.payload).map_err(|problem| format!("it cannot be read: {problem}"))?;
        Ok(Input { partition: self.partition, pos: stored.pos, to: envelope.to, body: envelope.body })
    }

    fn decide_one(&mut self, gathered: &mut Gathered, stored: &StoredInput, input: Input) {
        let actor = match &input.to {
            To::Actor(actor) => Some(actor.clone()),
            To::Partition => None,
        };
        let state = match &actor {
            None => State::default(),
            Some(actor) => match gathered.states.get(actor) {
                Some(changed) => changed.clone().unwrap_or_default(),
                None => self.warm.get(actor).cloned().unwrap_or_default(),
            },
        };
        let traits_before = state.traits.clone();
        let decided = catch_unwind(AssertUnwindSafe(|| decide(state, &input, &self.catalogs)));
        match decided {
            Err(panic) => self.dead(gathered, stored, actor, panic_message(&*panic)),
            Ok(decision) => {
                let traits = (decision.state.traits != traits_before).then(|| decision.state.traits_object());
                self.gather(gathered, &input, actor, decision, traits);
            }
        }
    }

    /// Adds a decision to the batch.
    fn gather(
        &self,
        gathered: &mut Gathered,
        input: &Input,
        actor: Option<ActorId>,
        decision: Decision,
        traits: Option<serde_json::Map<String, serde_json::Value>>,
    ) {
        let batch = &mut gathered.batch;
        for logged in &decision.entries {
            let (n, seq) = (logged.entry.n, logged.entry.seq);
            let payload = encoded(&logged.entry);
            batch.entries.push(NewEntry { conversation: logged.conversation, n, seq, payload });
        }
        gathered.effects += decision.effects.len();
        batch.effects.extend(decision.effects.iter().map(|effect| (effect.key(), encoded(effect))));
        batch.cancelled.extend(decision.cancelled);
        batch.finished.extend(decision.finished);
        if decision.ignored.is_some() {
            gathered.ignored += 1;
        }
        gathered.crowded_out += decision.crowded_out;
        let erased = decision.change == Change::Erase;
        if let Some(actor) = &actor {
            for page in decision.pages {
                let customers = page.customers.map(|customers| encoded(&customers));
                gathered.pages.insert(ActorId::page_of(actor, page.begun, page.number), customers);
            }
            match decision.change {
                Change::Unchanged => {}
                Change::Put => {
                    gathered.states.insert(actor.clone(), Some(decision.state));
                }
                Change::Forget => {
                    gathered.states.insert(actor.clone(), None);
                }
                Change::Erase => {
                    gathered.states.insert(actor.clone(), None);
                    batch.forget.extend(decision.retired.iter().copied());
                    batch.dead.retain(|letter| letter.actor != *actor);
                    batch.forget_dead.push(actor.clone());
                }
            }
            for live in hints(&decision.entries, &decision.answers, &decision.dropped, erased) {
                batch.hints.push((Channel::Actor(actor.clone()), encoded(&live)));
            }
        }
        let line = JournalLine {
            pos: input.pos,
            after: None,
            revision: self.catalogs.in_force.revision,
            actor,
            entries: decision.entries,
            verdicts: decision.verdicts,
            goals: decision.goals,
            answers: decision.answers,
            conversations: decision.conversations,
            traits,
            retired: decision.retired,
            follows: decision.follows,
            erased,
            dead: false,
        };
        self.push_line(gathered, line);
    }

    /// Puts an input that cannot be processed aside, with its reason; the partition goes on.
    fn dead(&self, gathered: &mut Gathered, stored: &StoredInput, actor: Option<ActorId>, reason: String) {
        tracing::error!(partition = self.partition.0, input.pos = %stored.pos, reason, "an input went to dead letters");
        crate::telemetry::dead_letter();
        let letter = DeadLetter {
            event: EventId { partition: self.partition, pos: stored.pos },
            actor: actor.clone(),
            reason,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            at: stored.pos.time(),
            payload: serde_json::from_slice(&stored.payload)
                .unwrap_or_else(|_| String::from_utf8_lossy(&stored.payload).into_owned().into()),
        };
        let payload = encoded(&letter);
        let concerned = letter.actor.unwrap_or_else(ActorId::of_partition);
        gathered.batch.dead.push(NewDead { pos: stored.pos, actor: concerned, payload });
        let line = JournalLine { dead: true, ..JournalLine::blank(stored.pos, self.catalogs.in_force.revision, actor) };
        self.push_line(gathered, line);
    }

    /// Adds a line to the journal. This owner's first says after which input of others it goes on, where there were any.
    fn push_line(&self, gathered: &mut Gathered, line: JournalLine) {
        let first = self.journal_n == 1 && gathered.batch.journal.is_empty();
        let after = (first && self.at > Pos::START).then_some(self.at);
        gathered.batch.journal.push(encoded(&JournalLine { after, ..line }));
    }

    /// Reads the states of actors that are not in memory, in one go; answers those that cannot be read, and why.
    async fn warm_up(&mut self, inputs: impl Iterator<Item = &Input>) -> Result<BTreeMap<ActorId, String>, StoreError> {
        let cold: BTreeSet<ActorId> = inputs
            .filter_map(|input| match &input.to {
                To::Actor(actor) if !self.warm.contains_key(actor) => Some(actor.clone()),
                _ => None,
            })
            .collect();
        let mut unreadable = BTreeMap::new();
        if cold.is_empty() {
            return Ok(unreadable);
        }
        let cold: Vec<ActorId> = cold.into_iter().collect();
        let states = self.store.load(self.partition, &cold).await?;
        for (actor, bytes) in cold.into_iter().zip(states) {
            match bytes.map(|bytes| State::decode(&bytes)).transpose() {
                Ok(state) => {
                    let state = state.unwrap_or_default();
                    for conversation in state.conversations.values() {
                        self.need(&conversation.catalog).await?;
                    }
                    self.warm.insert(actor, state);
                }
                Err(problem) => {
                    unreadable.insert(actor, problem.to_string());
                }
            }
        }
        Ok(unreadable)
    }

    /// Lets go of catalogs that are not in force and that no conversation in memory was opened under; a cold customer's
    /// is fetched with its state.
    fn let_catalogs_go(&mut self) {
        let conversations = self.warm.values().flat_map(|state| state.conversations.values());
        let used: BTreeSet<&str> = conversations.map(|conversation| conversation.catalog.as_str()).collect();
        let in_force = &self.catalogs.in_force.hash;
        self.catalogs.by_hash.retain(|hash, _| hash == in_force || used.contains(hash.as_str()));
    }

    async fn need(&mut self, hash: &str) -> Result<(), StoreError> {
        if !self.catalogs.by_hash.contains_key(hash)
            && let Some(catalog) = self.shelf.get(hash).await?
        {
            self.catalogs.by_hash.insert(hash.to_owned(), catalog);
        }
        Ok(())
    }

    async fn hold(&mut self, in_force: InForce) -> Result<(), StoreError> {
        if !in_force.hash.is_empty() {
            self.need(&in_force.hash).await?;
        }
        self.catalogs.in_force = in_force;
        Ok(())
    }

    /// A new revision is appended to the partition's own inbox: it holds from that position.
    async fn announce(&mut self, newest: &InForce) -> Result<(), StoreError> {
        if newest.revision <= self.announced {
            return Ok(());
        }
        let body = Body::Catalog(newest.clone());
        self.store.append(vec![new_input(self.partition, To::Partition, body, None, false)]).await?;
        self.announced = newest.revision;
        Ok(())
    }

    async fn catalog_input(
        &mut self,
        gathered: &mut Gathered,
        input: &Input,
        in_force: &InForce,
    ) -> Result<(), StoreError> {
        if in_force.revision > self.catalogs.in_force.revision {
            self.hold(in_force.clone()).await?;
            // Somebody else announced it: once is enough.
            self.announced = self.announced.max(in_force.revision);
            self.withdraw = !in_force.paused.is_empty();
            gathered.in_force = Some(in_force.clone());
        }
        self.push_line(gathered, JournalLine::blank(input.pos, self.catalogs.in_force.revision, None));
        Ok(())
    }

    /// Tells every customer with an unseen opening of a paused playbook. Safe to repeat: a withdrawn one is gone.
    async fn withdraw_paused(&mut self) -> Result<(), StoreError> {
        let paused = self.catalogs.in_force.paused.clone();
        // Every unseen opening has a timer, so its customer is among those with something due.
        let actors: Vec<ActorId> = self
            .store
            .due(self.partition, Ms(u64::MAX), usize::MAX)
            .await?
            .into_iter()
            .map(|(actor, _)| actor)
            .collect();
        for page in actors.chunks(256) {
            let states = self.store.load(self.partition, page).await?;
            for (actor, bytes) in page.iter().zip(states) {
                let Some(Ok(state)) = bytes.map(|bytes| State::decode(&bytes)) else { continue };
                let concerned = state.conversations.values().any(|conversation| {
                    matches!(conversation.phase, Phase::Waiting | Phase::Preparing(_))
                        && paused.contains(&conversation.playbook)
                });
                if concerned {
                    self.inbox.append_always(actor, Body::Withdraw { playbooks: paused.clone() }).await?;
                }
            }
        }
        self.withdraw = false;
        Ok(())
    }

    /// Appends a tick for each customer whose earliest timer is due by the store's clock.
    async fn tick(&mut self) -> Result<Worked, StoreError> {
        if self.next_due.is_none() {
            let earliest = self.store.due(self.partition, Ms(u64::MAX), 1).await?;
            self.next_due = Some(earliest.first().map(|(_, at)| *at));
        }
        let Some(Some(due)) = self.next_due else { return Ok(Worked::Nothing) };
        let now = self.store.now().await?;
        if due > now {
            return Ok(Worked::Nothing);
        }
        let mut appended = false;
        for (actor, at) in self.store.due(self.partition, now, MAX_TICKS).await? {
            if self.ticked.get(&actor) != Some(&at) {
                self.inbox.append_always(&actor, Body::Tick).await?;
                self.ticked.insert(actor, at);
                appended = true;
            }
        }
        Ok(if appended { Worked::Decided(0) } else { Worked::Nothing })
    }

    /// Whether this input already ended owners that began it. (A stack overflow or an OOM kill is no panic.)
    async fn is_poison(&mut self, pos: Pos) -> Result<bool, StoreError> {
        let before = self.suspect.filter(|(suspect, _)| *suspect == pos).map_or(0, |(_, count)| count);
        if before >= MAX_TRIES {
            return Ok(true);
        }
        // Noted before it is decided: if this process ends now, the next owner finds it.
        let noted = self.store.trying(self.partition, self.epoch, pos).await?;
        let poison = noted.filter(|count| *count > MAX_TRIES);
        if let Some(count) = poison {
            // Where the answer to its burial is lost the store no longer knows: this owner has to.
            self.suspect = Some((pos, count));
        }
        Ok(poison.is_some())
    }

    async fn bury(&mut self, stored: &StoredInput) -> Result<Worked, StoreError> {
        let mut gathered = Gathered::default();
        gathered.batch.journal_from = self.journal_n;
        let actor = addressee(&stored.payload);
        self.dead(&mut gathered, stored, actor, "it ended the process that decided it, more than once".to_owned());
        self.commit(self.at, stored.pos, gathered, 1).await
    }
}

/// Where a partition's inbox ends now.
async fn end_of(store: &dyn Store, partition: Partition, at: Pos) -> Result<Option<Pos>, StoreError> {
    let mut end = None;
    let mut after = at;
    loop {
        let page = store.read(partition, after, 1_024).await?;
        match page.last() {
            None => return Ok(end),
            Some(last) => {
                after = last.pos;
                end = Some(last.pos);
            }
        }
    }
}

/// Whom an input concerns, though the rest of it may be of a newer build.
fn addressee(payload: &[u8]) -> Option<ActorId> {
    #[derive(serde::Deserialize)]
    struct Addressed {
        to: To,
    }
    match serde_json::from_slice(payload) {
        Ok(Addressed { to: To::Actor(actor) }) => Some(actor),
        Ok(Addressed { to: To::Partition }) | Err(_) => None,
    }
}

fn hints(
    entries: &[crate::model::entry::Logged],
    answers: &[crate::model::decision::Answer],
    dropped: &[(crate::model::ids::ConversationId, Pos)],
    erased: bool,
) -> Vec<Live> {
    let mut hints = Vec::new();
    if !entries.is_empty() || !answers.is_empty() {
        hints.push(Live::Committed { entries: entries.to_vec(), answers: answers.to_vec() });
    }
    hints.extend(dropped.iter().map(|(conversation, turn)| Live::Dropped { conversation: *conversation, turn: *turn }));
    if erased {
        hints.push(Live::Erased);
    }
    hints
}

/// JSON in memory: it fails only on maps with keys that are no text; there are none.
fn encoded(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("deciding it panicked: {}", text.unwrap_or_else(|| "no message".to_owned()))
}
