//! The store as nodes meet it: the memory behind a network that delays, refuses and loses answers, by seeded chance.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use beckon::model::catalog::Files;
use beckon::model::decision::JournalLine;
use beckon::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use beckon::model::input::InForce;
use beckon::model::time::{Millis, Ms};
use beckon::store::{
    Appended, Batch, Channel, Committed, Fill, Hint, Hints, JournalId, Lease, LogCursor, NewInput, PendingEffect,
    Started, Store, StoreError, StoredDead, StoredInput, Survives,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::chance::Chance;
use super::memory::Memory;
use super::trace::Trace;

/// How often what goes wrong, in a thousand operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// It was not reached.
    pub away: u64,
    /// It did it, and the answer was lost.
    pub lost: u64,
    /// The answer, or the request, took long.
    pub slow: u64,
    /// A hint was lost, or came twice.
    pub hints: u64,
}

/// The faulty store.
pub struct SimStore {
    inner: Mutex<Inner>,
    /// What happened, in order.
    pub trace: Arc<Trace>,
    begun: Instant,
}

struct Inner {
    memory: Memory,
    faults: Faults,
    chance: Chance,
    /// What the store's clock is ahead of the time that passed.
    ahead: u64,
    /// All lines ever committed, in order.
    lines: Vec<(Partition, JournalId, Arc<JournalLine>)>,
    listeners: HashMap<Channel, Vec<mpsc::Sender<Hint>>>,
    away_until: Option<Instant>,
    /// The operation whose next answer is lost.
    lose: Option<&'static str>,
    /// The operation whose next call does not arrive.
    fail: Option<&'static str>,
}

/// 2026-11-24.
const START: u64 = 1_795_478_400_000;

impl SimStore {
    /// An empty store without faults.
    pub fn new(partitions: u16, chance: Chance, trace: Arc<Trace>) -> SimStore {
        let inner = Inner {
            memory: Memory::new(partitions),
            faults: Faults::default(),
            chance,
            ahead: 0,
            lines: Vec::new(),
            listeners: HashMap::new(),
            away_until: None,
            lose: None,
            fail: None,
        };
        SimStore { inner: Mutex::new(inner), trace, begun: Instant::now() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        let mut inner = self.inner();
        inner.faults = faults;
        inner.away_until = None;
    }

    /// It answers nobody for so long.
    pub fn go_away(&self, length: Duration) {
        self.inner().away_until = Some(Instant::now() + length);
        self.trace.add(self.time(), || format!("the store is away for {length:?}"));
    }

    /// The next answer of this operation is lost.
    pub fn lose_next(&self, what: &'static str) {
        self.inner().lose = Some(what);
    }

    /// The next call of this operation does not arrive.
    pub fn fail_next(&self, what: &'static str) {
        self.inner().fail = Some(what);
    }

    /// The store's clock leaps ahead; nodes' clocks do not.
    pub fn leap(&self, length: Millis) {
        self.inner().ahead += length.0;
        self.trace.add(self.time(), || format!("the store's clock leaps {length}"));
    }

    /// Ends a lease before its time.
    pub fn expire_early(&self, partition: Partition) {
        self.inner().memory.expire_early(partition);
        self.trace.add(self.time(), || format!("the lease of {partition} ends early"));
    }

    /// The store's time, without asking it over the network.
    pub fn time(&self) -> Ms {
        self.time_of(&self.inner())
    }

    fn time_of(&self, inner: &Inner) -> Ms {
        Ms(START + inner.ahead + self.begun.elapsed().as_millis() as u64)
    }

    /// Looks at everything at once, from outside.
    pub fn look<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        look(&self.inner().memory)
    }

    /// All lines ever committed, in order.
    pub fn lines(&self) -> Vec<(Partition, JournalId, Arc<JournalLine>)> {
        self.inner().lines.clone()
    }

    /// Lines committed after the first `known`.
    pub fn lines_after(&self, known: usize) -> Vec<(Partition, JournalId, Arc<JournalLine>)> {
        self.inner().lines[known..].to_vec()
    }

    /// Whether everything is decided and done.
    pub fn is_at_rest(&self) -> bool {
        let inner = self.inner();
        inner.memory.is_at_rest(self.time_of(&inner))
    }

    /// One operation on the memory.
    async fn ask<T>(&self, what: &str, act: impl FnOnce(&mut Memory, Ms) -> T + Send) -> Result<T, StoreError> {
        self.ask_inner(what, |inner, now| act(&mut inner.memory, now)).await
    }

    /// One operation: on its way, done or not, on its way back.
    async fn ask_inner<T>(&self, what: &str, act: impl FnOnce(&mut Inner, Ms) -> T + Send) -> Result<T, StoreError> {
        self.travel().await;
        let (answer, lost) = {
            let mut inner = self.inner();
            let faults = inner.faults;
            let away = inner.away_until.is_some_and(|until| Instant::now() < until);
            let away = inner.fail.take_if(|fail| *fail == what).is_some() || away;
            if away || inner.chance.often(faults.away) {
                drop(inner);
                self.trace.add(self.time(), || format!("{what}: away"));
                return Err(StoreError::Away("not reached".to_owned()));
            }
            let now = self.time_of(&inner);
            let answer = act(&mut inner, now);
            let told_to = inner.lose.take_if(|lose| *lose == what).is_some();
            (answer, inner.chance.often(faults.lost) || told_to)
        };
        self.travel().await;
        if lost {
            self.trace.add(self.time(), || format!("{what}: its answer is lost"));
            return Err(StoreError::Away("the answer was lost".to_owned()));
        }
        Ok(answer)
    }

    /// Others act meanwhile; sometimes for long.
    async fn travel(&self) {
        let (yields, pause) = {
            let mut inner = self.inner();
            let slow = inner.faults.slow;
            let pause = if inner.chance.often(slow) { inner.chance.between(1, 400) } else { 0 };
            let pause = if pause > 390 { pause * 20 } else { pause };
            (inner.chance.below(3), pause)
        };
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

impl Inner {
    fn tell(&mut self, channel: &Channel, payload: &[u8]) {
        let faults = self.faults.hints;
        let copies = match (self.chance.often(faults), self.chance.often(faults)) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        if let Some(listeners) = self.listeners.get_mut(channel) {
            let payload = Arc::new(payload.to_vec());
            listeners.retain(|listener| !listener.is_closed());
            for listener in listeners {
                for _ in 0..copies {
                    let _ = listener.try_send(Hint::Payload(Arc::clone(&payload)));
                }
            }
        }
    }
}

#[async_trait]
impl Store for SimStore {
    fn partitions(&self) -> u16 {
        self.inner().memory.parts.len() as u16
    }

    fn dedupe_secret(&self) -> [u8; 16] {
        *b"a secret of sims"
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_millis(200)
    }

    async fn now(&self) -> Result<Ms, StoreError> {
        self.ask("now", |_, now| now).await
    }

    async fn survives(&self) -> Result<Survives, StoreError> {
        Ok(Survives {
            store: "memory",
            setting: "a simulation".to_owned(),
            process_killed: "nothing",
            machine_lost: "everything",
            primary_lost: "everything",
        })
    }

    async fn append(&self, inputs: Vec<NewInput>) -> Result<Vec<Appended>, StoreError> {
        self.ask("append", |memory, now| {
            let answer = memory.append(&inputs, now);
            self.trace.add(now, || match &answer {
                Ok(appended) => {
                    let at: Vec<String> = inputs.iter().zip(appended).map(|(i, a)| at(i.partition, a)).collect();
                    let first = inputs.first().map(|input| super::trace::short(&input.payload));
                    format!("append {} {}", at.join(" "), first.unwrap_or_default())
                }
                Err(problem) => format!("append: {problem}"),
            });
            answer
        })
        .await?
    }

    async fn read(&self, partition: Partition, after: Pos, max: usize) -> Result<Vec<StoredInput>, StoreError> {
        self.ask("read", |memory, _| memory.read(partition, after, max)).await
    }

    async fn input(&self, partition: Partition, pos: Pos) -> Result<Option<StoredInput>, StoreError> {
        self.ask("input", |memory, _| {
            let payload = memory.parts[usize::from(partition.0)].inbox.get(&pos)?.clone();
            Some(StoredInput { pos, payload })
        })
        .await
    }

    async fn wakes(&self) -> Result<mpsc::Receiver<Partition>, StoreError> {
        // No node listens here: the world looks often enough by itself.
        Ok(mpsc::channel(1).1)
    }

    async fn load(&self, partition: Partition, actors: &[ActorId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.ask("load", |memory, _| memory.load(partition, actors)).await
    }

    async fn due(&self, partition: Partition, until: Ms, max: usize) -> Result<Vec<(ActorId, Ms)>, StoreError> {
        self.ask("due", |memory, _| memory.due(partition, until, max)).await
    }

    async fn acquire(&self, partition: Partition, node: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.ask("acquire", |memory, now| {
            let lease = memory.acquire(partition, node, ttl, now);
            if let Some(lease) = &lease {
                self.trace.add(now, || format!("{node} takes {partition} under {} at {}", lease.epoch, lease.at));
            }
            lease
        })
        .await
    }

    async fn renew(&self, partition: Partition, epoch: u64, ttl: Duration) -> Result<bool, StoreError> {
        self.ask("renew", |memory, now| memory.renew(partition, epoch, ttl, now)).await
    }

    async fn release(&self, partition: Partition, epoch: u64) -> Result<(), StoreError> {
        self.ask("release", |memory, now| {
            self.trace.add(now, || format!("{partition} is released under {epoch}"));
            memory.release(partition, epoch);
        })
        .await
    }

    async fn trying(&self, partition: Partition, epoch: u64, pos: Pos) -> Result<Option<u32>, StoreError> {
        self.ask("trying", |memory, _| memory.trying(partition, epoch, pos)).await
    }

    async fn commit(
        &self,
        partition: Partition,
        epoch: u64,
        from: Pos,
        to: Pos,
        batch: Batch,
    ) -> Result<Committed, StoreError> {
        self.ask_inner("commit", |inner, now| {
            let committed = inner.memory.commit(partition, epoch, (from, to), &batch)?;
            self.trace.add(now, || {
                let lines = batch.journal.len();
                let head = format!("commit {partition} {from}..{to} under {epoch}: {committed:?}, {lines} lines");
                batch.journal.iter().fold(head, |text, line| format!("{text}\n      {}", super::trace::short(line)))
            });
            if committed == Committed::Applied {
                for (n, line) in (batch.journal_from..).zip(&batch.journal) {
                    let line: JournalLine = serde_json::from_slice(line).expect("a line of the journal is readable");
                    inner.lines.push((partition, JournalId { epoch, n }, Arc::new(line)));
                }
                // Published by the commit itself: no kill comes between.
                for (channel, payload) in &batch.hints {
                    inner.tell(channel, payload);
                }
            }
            Ok(committed)
        })
        .await?
    }

    async fn effects(&self, partition: Partition, max: usize) -> Result<Vec<PendingEffect>, StoreError> {
        self.ask("effects", |memory, _| memory.effects(partition, max)).await
    }

    async fn start(&self, partition: Partition, epoch: u64, key: &str) -> Result<Started, StoreError> {
        self.ask("start", |memory, now| {
            let started = memory.start(partition, epoch, key, now);
            self.trace.add(now, || format!("start {key} under {epoch}: {started:?}"));
            started
        })
        .await
    }

    async fn log(
        &self,
        conversation: ConversationId,
        after: LogCursor,
        max: usize,
    ) -> Result<Vec<(LogCursor, Vec<u8>)>, StoreError> {
        self.ask("log", |memory, _| memory.log(conversation, after, max)).await
    }

    async fn journal(
        &self,
        partition: Partition,
        after: JournalId,
        max: usize,
    ) -> Result<Vec<(JournalId, Vec<u8>)>, StoreError> {
        self.ask("journal", |memory, _| memory.journal(partition, after, max)).await
    }

    async fn trim(
        &self,
        _partition: Partition,
        _journal: JournalId,
        _inbox: Pos,
        _logs: &[ConversationId],
    ) -> Result<(), StoreError> {
        // Nobody archives here: the oracle reads everything at the end.
        Ok(())
    }

    async fn publish(&self, channel: Channel, payload: Vec<u8>) -> Result<(), StoreError> {
        self.ask_inner("publish", |inner, _| inner.tell(&channel, &payload)).await
    }

    async fn subscribe(&self, channel: Channel, capacity: usize) -> Result<Hints, StoreError> {
        self.ask("subscribe", |_, _| ()).await?;
        let (sender, hints) = mpsc::channel(capacity);
        self.inner().listeners.entry(channel).or_default().push(sender);
        Ok(hints)
    }

    async fn dead(&self, after: Option<EventId>, max: usize) -> Result<Vec<StoredDead>, StoreError> {
        let later = |dead: &StoredDead| after.is_none_or(|a| (dead.pos, dead.partition) > (a.pos, a.partition));
        self.ask("dead", |memory, _| memory.dead().into_iter().filter(later).take(max).collect()).await
    }

    async fn dead_letter(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError> {
        self.ask("dead_letter", |memory, _| memory.dead_letter(partition, pos)).await
    }

    async fn take_dead(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError> {
        self.ask("take_dead", |memory, _| memory.take_dead(partition, pos)).await
    }

    async fn in_force(&self) -> Result<InForce, StoreError> {
        self.ask("in_force", |memory, _| memory.in_force.clone()).await
    }

    async fn set_in_force(&self, expected: u64, next: &InForce) -> Result<bool, StoreError> {
        self.ask("set_in_force", |memory, now| {
            let holds = memory.in_force.revision == expected;
            if holds {
                memory.in_force = next.clone();
                self.trace.add(now, || format!("in force: {next:?}"));
            }
            holds
        })
        .await
    }

    async fn put_catalog(&self, hash: &str, files: &Files) -> Result<(), StoreError> {
        self.ask("put_catalog", |memory, _| memory.put_catalog(hash, files)).await
    }

    async fn catalog(&self, hash: &str) -> Result<Option<Files>, StoreError> {
        self.ask("catalog", |memory, _| memory.catalog(hash)).await
    }

    async fn heartbeat(&self, _node: &str, _ttl: Duration) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn depart(&self, _node: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn dedupe_keys(&self) -> Result<u64, StoreError> {
        self.ask("dedupe_keys", |memory, _| memory.dedupe_keys()).await
    }

    async fn fill(&self) -> Result<BTreeMap<Partition, Fill>, StoreError> {
        self.ask("fill", |memory, _| memory.fill()).await
    }
}

fn at(partition: Partition, appended: &Appended) -> String {
    format!("{partition}:{}{}", appended.pos, if appended.fresh { "" } else { " (there already)" })
}
