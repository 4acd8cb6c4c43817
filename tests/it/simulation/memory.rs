//! Live state in memory, by the rules that every store keeps: what `PROMISES` says of appending, leases and commits.
//!
//! No faults here: each method is one atomic act at one moment of the store's own time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use beckon::model::catalog::Files;
use beckon::model::ids::{ActorId, ConversationId, Partition, Pos};
use beckon::model::input::InForce;
use beckon::model::time::{Millis, Ms};
use beckon::store::{
    Appended, Batch, Bounds, Committed, DedupeKey, Fill, JournalId, Lease, LogCursor, NewDead, NewInput, PendingEffect,
    Started, StoreError, StoredDead, StoredInput,
};

/// A pending effect: its place in line, its payload, and under which epoch it was started and when.
type Effect = (u64, Vec<u8>, Option<(u64, Ms)>);

/// One partition.
#[derive(Default)]
pub struct Part {
    /// All inputs ever appended; what was trimmed is kept for the oracle.
    pub inbox: BTreeMap<Pos, Vec<u8>>,
    /// Inputs up to here are forgotten for readers.
    pub trimmed: Pos,
    /// States by actor.
    pub states: BTreeMap<ActorId, Vec<u8>>,
    due: BTreeMap<ActorId, Ms>,
    /// Logs by conversation.
    pub logs: BTreeMap<ConversationId, BTreeMap<LogCursor, Vec<u8>>>,
    /// Pending effects by key: when added, payload, started.
    pub effects: BTreeMap<String, Effect>,
    added: u64,
    /// The journal.
    pub journal: BTreeMap<JournalId, Vec<u8>>,
    last_line: JournalId,
    dead: BTreeMap<Pos, NewDead>,
    /// Who holds the lease, and until when.
    holder: Option<(String, Ms)>,
    epoch: u64,
    clean: bool,
    /// The checkpoint.
    pub at: Pos,
    at_epoch: u64,
    trying: Option<(Pos, u32, u64)>,
    /// How often each position was noted as tried, by owners.
    pub tried: BTreeMap<Pos, BTreeSet<u64>>,
    last: Pos,
}

impl Part {
    fn owned_under(&self, epoch: u64) -> bool {
        self.holder.is_some() && self.epoch == epoch
    }

    fn undecided(&self) -> u64 {
        self.inbox.range(after(self.at)).count() as u64
    }
}

/// Everything in the store.
pub struct Memory {
    /// By number.
    pub parts: Vec<Part>,
    seen: BTreeMap<(Partition, DedupeKey), Pos>,
    bounds: Bounds,
    /// What is in force.
    pub in_force: InForce,
    catalogs: BTreeMap<String, Files>,
}

fn after<T: Ord>(at: T) -> (std::ops::Bound<T>, std::ops::Bound<T>) {
    (std::ops::Bound::Excluded(at), std::ops::Bound::Unbounded)
}

fn wrong<T>(why: String) -> Result<T, StoreError> {
    Err(StoreError::Corrupt(why))
}

fn stored(partition: Partition, letter: &NewDead) -> StoredDead {
    StoredDead { partition, pos: letter.pos, payload: letter.payload.clone() }
}

impl Memory {
    /// An empty store.
    pub fn new(partitions: u16) -> Memory {
        let bounds = Bounds {
            inbox: 400,
            effects: 200,
            journal: 1_000_000,
            dedupe_keys: 100_000,
            dedupe: Millis::hours(24),
            dead: 1_000,
            dead_a_customer: 1_000,
        };
        Memory {
            parts: (0..partitions).map(|_| Part::default()).collect(),
            seen: BTreeMap::new(),
            bounds,
            in_force: InForce::default(),
            catalogs: BTreeMap::new(),
        }
    }

    fn part(&mut self, partition: Partition) -> &mut Part {
        &mut self.parts[usize::from(partition.0)]
    }

    pub fn append(&mut self, inputs: &[NewInput], now: Ms) -> Result<Vec<Appended>, StoreError> {
        let window = self.bounds.dedupe;
        let known = |seen: &BTreeMap<(Partition, DedupeKey), Pos>, input: &NewInput| {
            let pos = *seen.get(&(input.partition, input.dedupe?))?;
            (now.since(pos.time()) < window).then_some(pos)
        };
        for input in inputs.iter().filter(|input| input.bounded) {
            let (bound_in, bound_fx) = (self.bounds.inbox, self.bounds.effects);
            let fresh = known(&self.seen, input).is_none();
            let part = self.part(input.partition);
            if fresh && (part.undecided() >= bound_in || part.effects.len() as u64 >= bound_fx) {
                return Err(StoreError::Full { what: "the inbox", retry_after: Duration::from_secs(1) });
            }
        }
        let mut answers = Vec::new();
        for input in inputs {
            if let Some(pos) = known(&self.seen, input) {
                answers.push(Appended { pos, fresh: false });
                continue;
            }
            let part = self.part(input.partition);
            let pos = if now.0 > part.last.ms {
                Pos { ms: now.0, n: 0 }
            } else {
                Pos { ms: part.last.ms, n: part.last.n + 1 }
            };
            part.last = pos;
            part.inbox.insert(pos, input.payload.clone());
            if let Some(key) = input.dedupe {
                self.seen.insert((input.partition, key), pos);
            }
            answers.push(Appended { pos, fresh: true });
        }
        Ok(answers)
    }

    pub fn read(&mut self, partition: Partition, from: Pos, max: usize) -> Vec<StoredInput> {
        let part = self.part(partition);
        let from = from.max(part.trimmed);
        part.inbox
            .range(after(from))
            .take(max)
            .map(|(pos, payload)| StoredInput { pos: *pos, payload: payload.clone() })
            .collect()
    }

    pub fn load(&mut self, partition: Partition, actors: &[ActorId]) -> Vec<Option<Vec<u8>>> {
        let part = self.part(partition);
        actors.iter().map(|actor| part.states.get(actor).cloned()).collect()
    }

    pub fn due(&mut self, partition: Partition, until: Ms, max: usize) -> Vec<(ActorId, Ms)> {
        let mut due: Vec<(Ms, ActorId)> =
            self.part(partition).due.iter().filter(|(_, at)| **at <= until).map(|(a, at)| (*at, a.clone())).collect();
        due.sort();
        due.into_iter().take(max).map(|(at, actor)| (actor, at)).collect()
    }

    pub fn acquire(&mut self, partition: Partition, node: &str, ttl: Duration, now: Ms) -> Option<Lease> {
        let part = self.part(partition);
        if part.holder.as_ref().is_some_and(|(holder, until)| holder != node && *until > now) {
            return None;
        }
        part.epoch = now.0.max(part.epoch + 1);
        part.holder = Some((node.to_owned(), now.plus(Millis(ttl.as_millis() as u64))));
        let clean = std::mem::replace(&mut part.clean, false);
        let trying = part.trying.map(|(pos, count, _)| (pos, count));
        Some(Lease { epoch: part.epoch, at: part.at, journal: part.last_line, trying, clean })
    }

    pub fn renew(&mut self, partition: Partition, epoch: u64, ttl: Duration, now: Ms) -> bool {
        let part = self.part(partition);
        match &mut part.holder {
            Some((_, until)) if part.epoch == epoch => {
                *until = now.plus(Millis(ttl.as_millis() as u64));
                true
            }
            _ => false,
        }
    }

    pub fn release(&mut self, partition: Partition, epoch: u64) {
        let part = self.part(partition);
        if part.owned_under(epoch) {
            part.holder = None;
            part.clean = true;
            part.trying = None;
        }
    }

    /// Ends a lease before its time, as a server that failed over does.
    pub fn expire_early(&mut self, partition: Partition) {
        if let Some((_, until)) = &mut self.part(partition).holder {
            *until = Ms(0);
        }
    }

    pub fn trying(&mut self, partition: Partition, epoch: u64, pos: Pos) -> Option<u32> {
        let part = self.part(partition);
        if !part.owned_under(epoch) {
            return None;
        }
        part.tried.entry(pos).or_default().insert(epoch);
        let count = match part.trying {
            Some((at, count, by)) if at == pos && by == epoch => count,
            Some((at, count, _)) if at == pos => count + 1,
            _ => 1,
        };
        part.trying = Some((pos, count, epoch));
        Some(count)
    }

    pub fn commit(
        &mut self,
        partition: Partition,
        epoch: u64,
        (from, to): (Pos, Pos),
        batch: &Batch,
    ) -> Result<Committed, StoreError> {
        let part = self.part(partition);
        if !part.owned_under(epoch) {
            return Ok(Committed::Lost);
        }
        if part.at == to && part.at_epoch == epoch {
            return Ok(Committed::Done);
        }
        if part.at != from || !part.inbox.contains_key(&to) {
            return Ok(Committed::Lost);
        }
        if to <= from {
            return wrong(format!("a commit from {from} to {to} decides nothing"));
        }
        let actors: BTreeSet<&ActorId> = batch.states.iter().map(|(actor, _)| actor).collect();
        if actors.len() != batch.states.len() {
            return wrong("an actor is in the batch more than once".to_owned());
        }
        let next = if part.last_line.epoch == epoch { part.last_line.n + 1 } else { 1 };
        if batch.journal_from != next {
            return wrong(format!("the journal goes on with {next}, not with {}", batch.journal_from));
        }
        let mut ends: BTreeMap<ConversationId, LogCursor> = BTreeMap::new();
        for entry in &batch.entries {
            let log = part.logs.get(&entry.conversation).and_then(|log| log.last_key_value());
            let last = ends.entry(entry.conversation).or_insert_with(|| log.map(|(at, _)| *at).unwrap_or_default());
            let at = LogCursor { seq: entry.seq, n: entry.n };
            if at <= *last || entry.conversation.partition != partition {
                return wrong(format!("entry {} of {} does not follow the last one", entry.n, entry.conversation));
            }
            *last = at;
        }
        part.apply(epoch, batch);
        part.at = to;
        part.at_epoch = epoch;
        part.trying = None;
        Ok(Committed::Applied)
    }

    pub fn effects(&mut self, partition: Partition, max: usize) -> Vec<PendingEffect> {
        let mut pending: Vec<_> = self.part(partition).effects.iter().collect();
        pending.sort_by_key(|(_, (added, _, _))| *added);
        pending
            .into_iter()
            .take(max)
            .map(|(key, (_, payload, started))| PendingEffect {
                key: key.clone(),
                payload: payload.clone(),
                started: *started,
            })
            .collect()
    }

    pub fn start(&mut self, partition: Partition, epoch: u64, key: &str, now: Ms) -> Started {
        let part = self.part(partition);
        if !part.owned_under(epoch) {
            return Started::Lost;
        }
        match part.effects.get_mut(key) {
            None => Started::Gone,
            Some((_, _, Some((by, at)))) => Started::Before(*by, *at),
            Some((_, _, started)) => {
                *started = Some((epoch, now));
                Started::Now
            }
        }
    }

    pub fn log(&mut self, conversation: ConversationId, from: LogCursor, max: usize) -> Vec<(LogCursor, Vec<u8>)> {
        let log = self.part(conversation.partition).logs.get(&conversation);
        log.into_iter().flat_map(|log| log.range(after(from))).take(max).map(|(at, p)| (*at, p.clone())).collect()
    }

    pub fn journal(&mut self, partition: Partition, from: JournalId, max: usize) -> Vec<(JournalId, Vec<u8>)> {
        self.part(partition).journal.range(after(from)).take(max).map(|(id, p)| (*id, p.clone())).collect()
    }

    pub fn dead(&mut self) -> Vec<StoredDead> {
        let mut dead: Vec<StoredDead> = (0_u16..)
            .zip(&self.parts)
            .flat_map(|(partition, part)| part.dead.values().map(move |letter| stored(Partition(partition), letter)))
            .collect();
        dead.sort_by_key(|dead| (dead.pos, dead.partition));
        dead
    }

    pub fn dead_letter(&mut self, partition: Partition, pos: Pos) -> Option<StoredDead> {
        self.part(partition).dead.get(&pos).map(|letter| stored(partition, letter))
    }

    pub fn take_dead(&mut self, partition: Partition, pos: Pos) -> Option<StoredDead> {
        self.part(partition).dead.remove(&pos).map(|letter| stored(partition, &letter))
    }

    pub fn put_catalog(&mut self, hash: &str, files: &Files) {
        self.catalogs.insert(hash.to_owned(), files.clone());
    }

    pub fn catalog(&self, hash: &str) -> Option<Files> {
        self.catalogs.get(hash).cloned()
    }

    pub fn dedupe_keys(&self) -> u64 {
        self.seen.len() as u64
    }

    pub fn fill(&self) -> BTreeMap<Partition, Fill> {
        let fill = |part: &Part| Fill {
            undecided: part.undecided(),
            oldest_undecided: part.inbox.range(after(part.at)).next().map(|(pos, _)| pos.time()),
            effects: part.effects.len() as u64,
            journal: part.journal.len() as u64,
            dead: part.dead.len() as u64,
        };
        (0_u16..).zip(&self.parts).map(|(partition, part)| (Partition(partition), fill(part))).collect()
    }

    /// Whether all that was appended is decided, no effect is pending and no timer is due; a topic has nothing to tell
    /// within a minute either, since it paces what it tells.
    pub fn is_at_rest(&self, now: Ms) -> bool {
        let soon = |actor: &ActorId| if actor.is_topic() { now.plus(Millis::minutes(1)) } else { now };
        self.parts.iter().all(|part| {
            let due = part.due.iter().all(|(actor, due)| *due > soon(actor));
            part.undecided() == 0 && part.effects.is_empty() && due
        })
    }
}

impl Part {
    fn apply(&mut self, epoch: u64, batch: &Batch) {
        for (actor, state) in &batch.states {
            match state {
                Some(state) => self.states.insert(actor.clone(), state.clone()),
                None => self.states.remove(actor),
            };
        }
        for (actor, due) in &batch.due {
            match due {
                Some(due) => self.due.insert(actor.clone(), *due),
                None => self.due.remove(actor),
            };
        }
        for entry in &batch.entries {
            let at = LogCursor { seq: entry.seq, n: entry.n };
            self.logs.entry(entry.conversation).or_default().insert(at, entry.payload.clone());
        }
        for (key, payload) in &batch.effects {
            self.added += 1;
            let added = self.added;
            self.effects.entry(key.clone()).or_insert_with(|| (added, payload.clone(), None));
        }
        for key in &batch.cancelled {
            if self.effects.get(key).is_some_and(|(_, _, started)| started.is_none()) {
                self.effects.remove(key);
            }
        }
        for key in &batch.finished {
            self.effects.remove(key);
        }
        for (n, line) in (batch.journal_from..).zip(&batch.journal) {
            self.last_line = JournalId { epoch, n };
            self.journal.insert(self.last_line, line.clone());
        }
        self.dead.retain(|_, letter| !batch.forget_dead.contains(&letter.actor));
        for letter in &batch.dead {
            self.dead.insert(letter.pos, letter.clone());
        }
        for conversation in &batch.forget {
            self.logs.remove(conversation);
            let begin = format!("{conversation}/");
            self.effects.retain(|key, _| !key.starts_with(&begin));
        }
    }
}
