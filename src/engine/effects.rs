//! The runner of a partition's effects: pulls what is pending, does it outside, appends the result as an input.
//!
//! Reads and model calls are repeated freely. A write is marked `started` before it leaves and is repeated only under
//! its idempotency key; what nobody can know is `unknown`, and a person settles it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::assistant::{Assistant, Step};
use super::inbox::Inbox;
use super::notify::{Notifier, NotifyError, wait_after};
use super::outbox;
use super::shelf::Shelf;
use super::words::{Words, typing};
use crate::adapter::outcome::{is_worth_again, retry_delays, together};
use crate::adapter::returns::Amount;
use crate::adapter::{Adapter, Request};
use crate::dialogue::script::Situation;
use crate::dialogue::turn::{RUNNER_MARGIN, TURN_TIME};
use crate::model::catalog::{Catalog, Operation};
use crate::model::customer::State;
use crate::model::decision::{Effect, Notice};
use crate::model::entry::Entry;
use crate::model::ids::{ActorId, CallId, ConversationId, Partition, Pos};
use crate::model::input::{Body, CallOutcome};
use crate::model::time::{Millis, Ms};
use crate::record::Record;
use crate::store::{LogCursor, PendingEffect, Started, Store, StoreError};

/// A write that did not leave within this is failed: the customer no longer expects it.
const WRITE_EXPIRES: Millis = Millis::minutes(10);

/// The longest wait that a receiver of notifications may ask for.
const MAX_NOTICE_WAIT: Duration = Duration::from_secs(3_600);

/// Notifications of a partition under way at once. Their places are their own: a webhook that hangs takes none from models
/// and calls.
const MAX_NOTICES: usize = 8;

/// How long a notification waits that found no place.
const NO_PLACE: Duration = Duration::from_secs(1);

/// How long after it was started a new owner may repeat a write under its idempotency key.
const REPEATABLE: Millis = Millis::hours(1);

/// What the runners of a node share.
#[derive(Clone)]
pub struct Outside {
    /// The models and the script.
    pub assistant: Assistant,
    /// The company's APIs by name.
    pub adapters: Arc<BTreeMap<String, Arc<dyn Adapter>>>,
    /// Where notifications go; none where the company wants none.
    pub notifier: Option<Arc<Notifier>>,
    /// Where topics look for customers; none: only the event or an API names them.
    pub record: Option<Record>,
}

/// Does the effects of one partition, under one epoch.
pub struct Runner {
    job: Job,
    partition: Partition,
    most: usize,
    under_way: BTreeMap<String, UnderWay>,
    /// Notifications that wait for their next try.
    postponed: BTreeMap<String, Instant>,
    tasks: JoinSet<(String, End)>,
    outbox: outbox::Measured,
}

/// An effect that has a task.
struct UnderWay {
    /// Ends it; none for a write, which goes on once it left.
    abort: Option<AbortHandle>,
    kind: Kind,
}

/// Which places an effect takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A model's or an API's.
    Work,
    /// A notification's.
    Notice,
    /// The outbox's.
    Outbox,
    /// None: it cannot be read.
    Unreadable,
}

/// How often a notification may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Try {
    /// By its schedule.
    Again,
    /// Now, and never again.
    Once,
    /// Not at all.
    Never,
}

/// How a task ended.
enum End {
    /// Its result is appended; it stays pending until that is decided.
    Told,
    /// It is to be tried again, not before this.
    Later(Instant),
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Some effects were left out for now: look again soon.
    pub some: bool,
    /// The earliest next try of what was postponed.
    pub next: Option<Instant>,
}

/// What one effect needs.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) store: Arc<dyn Store>,
    inbox: Inbox,
    pub(super) shelf: Shelf,
    pub(super) outside: Outside,
    pub(super) partition: Partition,
    epoch: u64,
}

impl Runner {
    /// A runner for a partition that was just taken.
    pub fn new(
        store: Arc<dyn Store>,
        shelf: Shelf,
        outside: Outside,
        partition: Partition,
        epoch: u64,
        most: usize,
    ) -> Runner {
        let inbox = Inbox::new(Arc::clone(&store));
        let job = Job { store, inbox, shelf, outside, partition, epoch };
        Runner {
            job,
            partition,
            most,
            under_way: BTreeMap::new(),
            postponed: BTreeMap::new(),
            tasks: JoinSet::new(),
            outbox: outbox::Measured::default(),
        }
    }

    /// Looks at what is pending and begins what is not under way. What was started under an earlier epoch is left until
    /// `caught_up`: its result may lie in the inbox.
    ///
    /// # Errors
    /// The store's; the same may be done again.
    pub async fn begin(&mut self, caught_up: bool) -> Result<Left, StoreError> {
        let window = self.most * 4 + MAX_NOTICES;
        let pending = self.job.store.effects(self.partition, window).await?;
        let keys: BTreeSet<&str> = pending.iter().map(|effect| effect.key.as_str()).collect();
        self.under_way.retain(|key, task| {
            let wanted = keys.contains(key.as_str());
            // Not pending any more: decided, or given up. A write that left goes on; all else ends.
            if !wanted && let Some(abort) = task.abort.take() {
                abort.abort();
            }
            wanted
        });
        self.postponed.retain(|key, _| keys.contains(key.as_str()));
        let now = Instant::now();
        let (pending, items) = outbox::apart(pending);
        self.outbox.measure(&*self.job.store, self.partition, &items).await?;
        let mut left = Left { some: pending.len() >= window, next: None };
        for effect in pending {
            let of_before = effect.started.is_some_and(|(epoch, _)| epoch != self.job.epoch);
            let later = self.postponed.get(&effect.key).is_some_and(|next| *next > now);
            if self.under_way.contains_key(&effect.key) || later || (of_before && !caught_up) {
                continue;
            }
            left.some |= !self.spawn(effect, now);
        }
        for (to, items) in items {
            // One lot of a pair is under way at a time, so that its order holds.
            if items.iter().any(|item| self.under_way.contains_key(&item.key)) {
                continue;
            }
            for item in &items {
                self.under_way.insert(item.key.clone(), UnderWay { abort: None, kind: Kind::Outbox });
            }
            let job = self.job.clone();
            self.tasks.spawn(async move {
                job.forward(&to, items).await;
                (to.to_string(), End::Told)
            });
        }
        left.next = self.postponed.values().filter(|next| **next > now).min().copied();
        Ok(left)
    }

    /// Begins an effect, or says that there is no place for it now.
    fn spawn(&mut self, pending: PendingEffect, now: Instant) -> bool {
        let key = pending.key.clone();
        let effect: Effect = match serde_json::from_slice(&pending.payload) {
            Ok(effect) => effect,
            Err(problem) => {
                tracing::error!(effect.key = key, error = %problem, "a pending effect cannot be read");
                self.under_way.insert(key, UnderWay { abort: None, kind: Kind::Unreadable });
                return true;
            }
        };
        let kind = match effect {
            Effect::Notify { .. } => Kind::Notice,
            Effect::Tell { .. } => Kind::Outbox,
            _ => Kind::Work,
        };
        let others = self.under_way.values().filter(|task| task.kind == kind).count();
        // So many notifications wait already that more would keep younger effects out of sight.
        let crowded = self.postponed.len() >= self.most * 2;
        let how = match kind {
            Kind::Work | Kind::Outbox if others >= self.most => return false,
            Kind::Notice if others >= MAX_NOTICES && crowded => Try::Never,
            Kind::Notice if others >= MAX_NOTICES => {
                self.postponed.insert(key, now + NO_PLACE);
                return true;
            }
            Kind::Notice if crowded => Try::Once,
            Kind::Work | Kind::Notice | Kind::Outbox | Kind::Unreadable => Try::Again,
        };
        self.postponed.remove(&key);
        let abortable = !matches!(effect, Effect::Call { write: true, .. });
        let job = self.job.clone();
        let name = key.clone();
        let handle = self.tasks.spawn(async move {
            let end = job.run(effect, pending, how).await;
            (name, end)
        });
        self.under_way.insert(key, UnderWay { abort: abortable.then_some(handle), kind });
        true
    }

    /// Waits until one effect under way ends; for ever where there is none.
    pub async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok((key, End::Later(next)))) => {
                self.under_way.remove(&key);
                self.postponed.insert(key, next);
            }
            Some(_) => {}
            None => std::future::pending().await,
        }
    }

    /// Gives writes under way the time to end, and ends all else.
    pub async fn stop(mut self, patience: Duration) {
        for abort in self.under_way.values_mut().filter_map(|task| task.abort.take()) {
            abort.abort();
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(patience, all).await;
    }
}

impl Job {
    async fn run(&self, effect: Effect, pending: PendingEffect, how: Try) -> End {
        let begun = Instant::now();
        let kind = match &effect {
            Effect::Generate { .. } => "generate",
            Effect::Call { .. } => "call",
            Effect::Notify { .. } => "notify",
            Effect::Forward { .. } => "forward",
            Effect::Select { .. } => "select",
            Effect::Tell { .. } => "tell",
        };
        match effect {
            Effect::Generate { actor, conversation, n, turn, step, playbook, catalog, deadline } => {
                let of = Of { conversation, n, turn, step, playbook, catalog, deadline };
                self.generate(&actor, of).await;
            }
            Effect::Call { actor, conversation, call, operation, catalog, args, write, at } => {
                typing(&*self.store, &actor, conversation, Some(operation.clone())).await;
                let asked = Asked { actor: &actor, operation: &operation, catalog: &catalog, args: &args, write, at };
                if let Some(outcome) = self.call(&pending, asked).await {
                    self.result(&actor, Body::Called { conversation, call: CallId(call.0), outcome }).await;
                }
            }
            Effect::Notify { actor, conversation, about, at, team, reason, .. } => {
                let data = json!({
                    "conversation": conversation, "customer": actor.masked(), "team": team, "reason": reason,
                });
                let told = match how {
                    Try::Never => Notified::Later { wait: NO_PLACE, why: "it was not tried".to_owned() },
                    Try::Again | Try::Once => self.notify(&pending.key, about, at, &data).await,
                };
                let problem = match told {
                    Notified::Over { problem } => problem,
                    Notified::Later { wait, .. } if how == Try::Again => return End::Later(Instant::now() + wait),
                    Notified::Later { why, .. } => Some(format!("{why}, and too many others wait to be tried again")),
                };
                if let Some(problem) = &problem {
                    tracing::warn!(notification.id = pending.key, problem, "a notification was given up");
                }
                self.result(&actor, Body::Notified { key: pending.key, problem }).await;
            }
            // Those are given in lots, before this.
            Effect::Forward { .. } => {}
            Effect::Select { topic, turn, revision, catalog, at } => {
                let outcome = self.select(&topic, revision, &catalog, at).await;
                self.result(&topic, Body::Selected { turn, outcome }).await;
            }
            Effect::Tell { topic, turn, revision, from, most, queue, at } => {
                let asked = outbox::Asked { revision, from, most, queue };
                let outcome = self.tell(&topic, asked).await;
                crate::telemetry::told(self.patiently(|| self.store.now()).await.since(at));
                self.result(&topic, Body::Told { turn, outcome }).await;
            }
        }
        crate::telemetry::effect_took(kind, begun.elapsed());
        End::Told
    }

    /// Appends a result; nothing holds it up but a store that is away, and then it is tried until it passes.
    async fn result(&self, actor: &ActorId, body: Body) {
        let mut wait = Duration::from_millis(50);
        while let Err(problem) = self.inbox.append_always(actor, body.clone()).await {
            tracing::warn!(error = %problem, "a result could not be appended yet");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
    }

    async fn generate(&self, actor: &ActorId, of: Of) {
        let words = Words::new(Arc::clone(&self.store), actor.clone(), of.conversation, of.turn);
        words.typing().await;
        let (conversation, turn, step) = (of.conversation, of.turn, of.step);
        let (attempt, outcome, failures) = match self.known(actor, &of).await {
            Ok(known) => {
                let situation = Situation {
                    catalog: &known.catalog,
                    playbook: &known.playbook,
                    actor,
                    traits: &known.traits,
                    log: &known.log,
                };
                let step = Step { epoch: self.epoch, step };
                let asked = self.outside.assistant.answer(&situation, &words, step, known.time).await;
                (asked.attempt, asked.outcome, asked.failures)
            }
            Err(problem) => (0, Err(problem), 0),
        };
        self.result(actor, Body::Generated { conversation, turn, step, attempt, outcome, failures }).await;
    }

    /// What the assistant knows, from a store that may be away for a moment: asked again while the turn has time. (When that
    /// ends `decide` ends the turn by itself; a result that comes later is dropped.)
    async fn known(&self, actor: &ActorId, of: &Of) -> Result<Known, String> {
        let mut wait = Duration::from_millis(50);
        let ends = Instant::now() + TURN_TIME.duration();
        loop {
            match self.situation(actor, of).await {
                Ok(known) => return known,
                Err(problem) if !may_pass(&problem) || Instant::now() + wait >= ends => return Err(problem.to_string()),
                Err(problem) => tracing::warn!(error = %problem, "the store did not answer a runner"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(1));
        }
    }

    /// What the assistant knows: the log up to the effect's entry, the customer, the catalog, and its time; or why that can
    /// never be known.
    async fn situation(&self, actor: &ActorId, of: &Of) -> Result<Result<Known, String>, StoreError> {
        let catalog = match self.shelf.get(&of.catalog).await? {
            Some(catalog) => Some(catalog),
            None => self.shelf.get(&self.store.in_force().await?.hash).await?,
        };
        let Some(catalog) = catalog else { return Ok(Err("there is no catalog to speak by".to_owned())) };
        let Some(playbook) = catalog.playbooks.get(&of.playbook).cloned() else {
            return Ok(Err("the playbook is gone".to_owned()));
        };
        let mut log: Vec<Entry> = Vec::new();
        let mut after = LogCursor::default();
        loop {
            let page = self.store.log(of.conversation, after, 500).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, payload) in page {
                match serde_json::from_slice::<Entry>(&payload) {
                    Ok(entry) if entry.n <= of.n => log.push(entry),
                    Ok(_) => {}
                    Err(problem) => return Ok(Err(format!("an entry cannot be read: {problem}"))),
                }
            }
        }
        let stored = self.store.load(self.partition, std::slice::from_ref(actor)).await?;
        let state = stored.into_iter().flatten().next().and_then(|bytes| State::decode(&bytes).ok());
        let traits = state.map(|state| state.traits_object()).unwrap_or_default();
        let now = self.store.now().await?;
        let time = Millis(of.deadline.since(now).0.saturating_sub(RUNNER_MARGIN.0)).duration();
        Ok(Ok(Known { catalog, playbook, log, traits, time }))
    }

    /// Calls an operation; none: the lease is lost or the effect is gone, and somebody else cares.
    async fn call(&self, pending: &PendingEffect, asked: Asked<'_>) -> Option<CallOutcome> {
        let found = match self.operation(&asked).await {
            Ok(found) => found,
            Err(problem) => return Some(CallOutcome::Failed(problem)),
        };
        let operation: &Operation = &found;
        let Some(adapter) = self.outside.adapters.get(&operation.adapter) else {
            return Some(CallOutcome::Failed(format!("the adapter `{}` is not configured", operation.adapter)));
        };
        let mut repeated = false;
        if asked.write {
            match self.leave(pending, &asked, operation).await? {
                Leave::Now => {}
                Leave::Again => repeated = true,
                Leave::Not(outcome) => return Some(outcome),
            }
        }
        let request = || Request {
            operation,
            customer: asked.actor.user_id(),
            args: asked.args,
            key: pending.key.as_str(),
            amount: Amount::Bounded,
        };
        let mut outcome = adapter.call(request()).await;
        if repeated {
            // An earlier owner's try may have done it: its end is not known.
            outcome = together(CallOutcome::Unknown("its sender ended before the answer came".to_owned()), outcome);
        }
        for wait in retry_delays(asked.write) {
            if !is_worth_again(asked.write, operation.idempotency_header.is_some(), &outcome) {
                break;
            }
            tokio::time::sleep(*wait).await;
            outcome = together(outcome, adapter.call(request()).await);
        }
        let ended = match &outcome {
            CallOutcome::Done(_) => "done",
            CallOutcome::Failed(_) => "failed",
            CallOutcome::Unknown(_) => "unknown",
        };
        crate::telemetry::call(&operation.adapter, ended);
        Some(outcome)
    }

    /// Whether a write may leave now: it is marked as started first, fenced by the epoch.
    async fn leave(&self, pending: &PendingEffect, asked: &Asked<'_>, operation: &Operation) -> Option<Leave> {
        let now = self.patiently(|| self.store.now()).await;
        if pending.started.is_none() && now.since(asked.at) > WRITE_EXPIRES {
            return Some(Leave::Not(CallOutcome::Failed("it did not leave within 10 minutes".to_owned())));
        }
        let started = self.patiently(|| self.store.start(self.partition, self.epoch, &pending.key)).await;
        let repeatable = |at| operation.idempotency_header.is_some() && now.since(at) <= REPEATABLE;
        may_leave(started, pending.started, self.epoch, repeatable)
    }

    async fn operation(&self, asked: &Asked<'_>) -> Result<Arc<Operation>, String> {
        let catalog = self.patiently(|| self.shelf.get(asked.catalog)).await;
        catalog
            .and_then(|catalog| catalog.operations.get(asked.operation).cloned())
            .ok_or_else(|| format!("there is no operation `{}` any more", asked.operation))
    }

    /// Asks the store until it answers.
    pub(super) async fn patiently<T, F>(&self, ask: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut wait = Duration::from_millis(50);
        loop {
            match ask().await {
                Ok(value) => return value,
                Err(problem) => tracing::warn!(error = %problem, "the store did not answer a runner"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
    }

    /// Tries once to deliver a notification. When it is tried again follows from when it happened alone, so that a new
    /// owner goes on where the last one was.
    async fn notify(&self, id: &str, about: Notice, at: Ms, data: &Value) -> Notified {
        let Some(notifier) = self.outside.notifier.as_ref() else { return Notified::Over { problem: None } };
        match notifier.deliver(id, about.name(), at, data).await {
            Ok(()) => Notified::Over { problem: None },
            Err(NotifyError::GiveUp(problem)) => Notified::Over { problem: Some(problem) },
            Err(NotifyError::Retry { after, why }) => {
                let now = self.patiently(|| self.store.now()).await;
                match wait_after(now.since(at).duration()) {
                    None => Notified::Over { problem: Some(why) },
                    Some(wait) => {
                        Notified::Later { wait: wait.max(after.unwrap_or_default().min(MAX_NOTICE_WAIT)), why }
                    }
                }
            }
        }
    }
}

/// Whether a write may leave, by what marking it as started answered; `before`: its mark as this task found it. None: it is
/// nobody's to send any more.
fn may_leave(
    started: Started,
    before: Option<(u64, Ms)>,
    epoch: u64,
    repeatable: impl FnOnce(Ms) -> bool,
) -> Option<Leave> {
    match started {
        Started::Now => Some(Leave::Now),
        // An effect has one task under an epoch. It found no mark, so this one is its own, of a try whose answer was lost:
        // nothing has left yet.
        Started::Before(by, _) if by == epoch && before.is_none() => Some(Leave::Now),
        Started::Before(_, at) if repeatable(at) => Some(Leave::Again),
        Started::Before(..) => {
            Some(Leave::Not(CallOutcome::Unknown("its sender ended before the answer came".to_owned())))
        }
        Started::Gone | Started::Lost => None,
    }
}

/// Whether asking the store again may help.
fn may_pass(problem: &StoreError) -> bool {
    matches!(problem, StoreError::Away(_) | StoreError::Full { .. })
}

/// How a try to notify ended.
enum Notified {
    /// It was delivered, or given up with a problem.
    Over { problem: Option<String> },
    /// It is tried again in a while.
    Later { wait: Duration, why: String },
}

/// Which step of which conversation is to be generated.
struct Of {
    conversation: ConversationId,
    n: u32,
    turn: Pos,
    step: u32,
    playbook: String,
    catalog: String,
    deadline: Ms,
}

/// What the assistant knows.
struct Known {
    catalog: Arc<Catalog>,
    playbook: Arc<crate::model::catalog::Playbook>,
    log: Vec<Entry>,
    traits: Map<String, Value>,
    time: Duration,
}

/// Which call is to be made.
struct Asked<'a> {
    actor: &'a ActorId,
    operation: &'a str,
    catalog: &'a str,
    args: &'a Map<String, Value>,
    write: bool,
    at: Ms,
}

/// Whether a write may leave.
#[derive(Debug, PartialEq)]
enum Leave {
    Now,
    Again,
    Not(CallOutcome),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_ones_own_is_no_dead_sender() {
        let (epoch, at) = (7, Ms(1_000));
        let leave = |started, before, repeatable| may_leave(started, before, epoch, |_| repeatable);
        for repeatable in [false, true] {
            assert_eq!(leave(Started::Now, None, repeatable), Some(Leave::Now));
            let own = leave(Started::Before(epoch, at), None, repeatable);
            assert_eq!(own, Some(Leave::Now), "only the answer to the mark was lost");
            assert_eq!(leave(Started::Gone, None, repeatable), None);
            assert_eq!(leave(Started::Lost, None, repeatable), None);
        }
        let others = [(Started::Before(6, at), None), (Started::Before(6, at), Some((6, at)))];
        for (started, before) in others.into_iter().chain([(Started::Before(epoch, at), Some((epoch, at)))]) {
            assert_eq!(leave(started, before, true), Some(Leave::Again));
            assert!(matches!(leave(started, before, false), Some(Leave::Not(CallOutcome::Unknown(_)))));
        }
    }
}
