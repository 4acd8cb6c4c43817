//! The store on Redis 7: many nodes, one server. Each change is one script on the keys of one partition.
//!
//! Keys are `<prefix>:{NN}:…`, the hash tag being the partition; `fx:order` and `fx:started` stand beside `fx`, so that
//! effects are read oldest first and a start does not write the payload again.

mod keys;
mod link;
mod live;
mod reads;
mod scripts;
mod setup;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use tokio::sync::mpsc;

use self::keys::Keys;
use self::link::{Call, Link};
use self::live::Live;
use self::scripts::Scripts;
pub use self::setup::connect;
use super::{
    Appended, Batch, Bounds, Channel, Committed, Fill, Hints, JournalId, Lease, LogCursor, NewInput, PendingEffect,
    Started, Store, StoreError, StoredDead, StoredInput, Survives, check,
};
use crate::model::catalog::Files;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use crate::model::input::InForce;
use crate::model::time::Ms;

/// The store on Redis.
pub struct RedisStore {
    link: Link,
    live: Live,
    keys: Keys,
    scripts: Scripts,
    bounds: Bounds,
    partitions: u16,
    secret: [u8; 16],
}

impl RedisStore {
    fn known(&self, partition: Partition) -> Result<(), StoreError> {
        if partition.0 < self.partitions {
            return Ok(());
        }
        Err(StoreError::Unusable(format!("there is no partition {partition}: it has {}", self.partitions)))
    }

    fn lease(&self, partition: Partition) -> String {
        self.keys.of(partition, "lease")
    }
}

#[async_trait]
impl Store for RedisStore {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn dedupe_secret(&self) -> [u8; 16] {
        self.secret
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_millis(200)
    }

    async fn now(&self) -> Result<Ms, StoreError> {
        let (seconds, micros): (u64, u64) = self.link.ask(&redis::cmd("TIME")).await?;
        Ok(Ms(seconds.saturating_mul(1_000).saturating_add(micros / 1_000)))
    }

    async fn survives(&self) -> Result<Survives, StoreError> {
        setup::survives(&self.link).await
    }

    async fn append(&self, inputs: Vec<NewInput>) -> Result<Vec<Appended>, StoreError> {
        let mut parts: BTreeMap<Partition, (Vec<usize>, Vec<NewInput>)> = BTreeMap::new();
        let count = inputs.len();
        for (number, input) in inputs.into_iter().enumerate() {
            self.known(input.partition)?;
            let (numbers, inputs) = parts.entry(input.partition).or_default();
            numbers.push(number);
            inputs.push(input);
        }
        let calls = parts.iter().map(|(partition, (_, inputs))| self.append_to(*partition, inputs));
        let answers = try_join_all(calls).await?;
        let mut appended = vec![None; count];
        for ((numbers, _), answers) in parts.values().zip(answers) {
            for (number, answer) in numbers.iter().zip(answers) {
                if let Some(place) = appended.get_mut(*number) {
                    *place = answer;
                }
            }
        }
        check::all_appended(appended)
    }

    async fn read(&self, partition: Partition, after: Pos, max: usize) -> Result<Vec<StoredInput>, StoreError> {
        reads::inputs(&self.link, &self.keys.of(partition, "in"), after, max).await
    }

    async fn input(&self, partition: Partition, pos: Pos) -> Result<Option<StoredInput>, StoreError> {
        reads::input(&self.link, &self.keys.of(partition, "in"), pos).await
    }

    async fn wakes(&self) -> Result<mpsc::Receiver<Partition>, StoreError> {
        Ok(self.live.wakes())
    }

    async fn load(&self, partition: Partition, actors: &[ActorId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if actors.is_empty() {
            return Ok(Vec::new());
        }
        let mut get = redis::cmd("MGET");
        actors.iter().for_each(|actor| {
            get.arg(self.keys.state(partition, actor));
        });
        self.link.ask(&get).await
    }

    async fn due(&self, partition: Partition, until: Ms, max: usize) -> Result<Vec<(ActorId, Ms)>, StoreError> {
        reads::due(&self.link, &self.keys.of(partition, "due"), until, max).await
    }

    async fn acquire(&self, partition: Partition, node: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.known(partition)?;
        let keys = [self.lease(partition), self.keys.of(partition, "at")];
        let call = Call::new(&self.scripts.acquire, &keys).arg(node).arg(millis(ttl));
        reads::lease(self.link.run(&call).await?)
    }

    async fn renew(&self, partition: Partition, epoch: u64, ttl: Duration) -> Result<bool, StoreError> {
        let call = Call::new(&self.scripts.renew, &[self.lease(partition)]).arg(epoch).arg(millis(ttl));
        self.link.run(&call).await
    }

    async fn release(&self, partition: Partition, epoch: u64) -> Result<(), StoreError> {
        let call = Call::new(&self.scripts.release, &[self.lease(partition)]).arg(epoch);
        self.link.run::<i64>(&call).await.map(drop)
    }

    async fn trying(&self, partition: Partition, epoch: u64, pos: Pos) -> Result<Option<u32>, StoreError> {
        let call = Call::new(&self.scripts.trying, &[self.lease(partition)]).arg(epoch).arg(pos.to_string());
        let count: i64 = self.link.run(&call).await?;
        Ok(u32::try_from(count).ok())
    }

    async fn commit(
        &self,
        partition: Partition,
        epoch: u64,
        from: Pos,
        to: Pos,
        batch: Batch,
    ) -> Result<Committed, StoreError> {
        self.known(partition)?;
        check::batch(partition, from, to, &batch)?;
        let call = self.commit_call(partition, epoch, (from, to), &batch);
        let answer: Vec<String> = if batch.effects.is_empty() {
            self.link.run(&call).await?
        } else {
            // An effect must not leave on the word of a primary that is about to be lost.
            self.link.run_held(&call).await?
        };
        match answer.first().map(String::as_str) {
            Some("applied") => Ok(Committed::Applied),
            Some("done") => Ok(Committed::Done),
            Some("lost") => Ok(Committed::Lost),
            _ => Err(StoreError::Corrupt(answer.into_iter().nth(1).unwrap_or_default())),
        }
    }

    async fn effects(&self, partition: Partition, max: usize) -> Result<Vec<PendingEffect>, StoreError> {
        let [payloads, order, started] = ["fx", "fx:order", "fx:started"].map(|name| self.keys.of(partition, name));
        reads::effects(&self.link, &payloads, &order, &started, max).await
    }

    async fn start(&self, partition: Partition, epoch: u64, key: &str) -> Result<Started, StoreError> {
        let keys = ["lease", "fx", "fx:started"].map(|name| self.keys.of(partition, name));
        let answer: Vec<String> = self.link.run(&Call::new(&self.scripts.start, &keys).arg(epoch).arg(key)).await?;
        match answer.first().map(String::as_str) {
            Some("now") => Ok(Started::Now),
            Some("gone") => Ok(Started::Gone),
            Some("lost") => Ok(Started::Lost),
            _ => {
                let (epoch, at) = reads::mark(answer.get(1).map(String::as_str).unwrap_or_default())?;
                Ok(Started::Before(epoch, at))
            }
        }
    }

    async fn log(
        &self,
        conversation: ConversationId,
        after: LogCursor,
        max: usize,
    ) -> Result<Vec<(LogCursor, Vec<u8>)>, StoreError> {
        reads::log(&self.link, &self.keys.log(conversation), after, max).await
    }

    async fn journal(
        &self,
        partition: Partition,
        after: JournalId,
        max: usize,
    ) -> Result<Vec<(JournalId, Vec<u8>)>, StoreError> {
        reads::journal(&self.link, &self.keys.of(partition, "journal"), after, max).await
    }

    async fn trim(
        &self,
        partition: Partition,
        journal: JournalId,
        inbox: Pos,
        logs: &[ConversationId],
    ) -> Result<(), StoreError> {
        let mut keys: Vec<String> = ["at", "in", "journal"].map(|name| self.keys.of(partition, name)).into();
        keys.extend(logs.iter().map(|conversation| self.keys.log(*conversation)));
        let journal = format!("{}-{}", journal.epoch, journal.n);
        let call = Call::new(&self.scripts.trim, &keys).arg(journal).arg(inbox.to_string());
        self.link.run::<i64>(&call).await.map(drop)
    }

    async fn publish(&self, channel: Channel, payload: Vec<u8>) -> Result<(), StoreError> {
        let name = self.keys.channel(Partition(0), &channel);
        self.link.ask::<i64>(redis::cmd("SPUBLISH").arg(name).arg(payload)).await.map(drop)
    }

    async fn subscribe(&self, channel: Channel, capacity: usize) -> Result<Hints, StoreError> {
        self.live.subscribe(channel, capacity).await
    }

    async fn dead(&self, after: Option<EventId>, max: usize) -> Result<Vec<StoredDead>, StoreError> {
        reads::dead(&self.link, &self.keys, after, max).await
    }

    async fn dead_letter(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError> {
        // A letter lies under its input's position, as the input does.
        let found = reads::input(&self.link, &self.keys.of(partition, "dead"), pos).await?;
        Ok(found.map(|StoredInput { pos, payload }| StoredDead { partition, pos, payload }))
    }

    async fn take_dead(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError> {
        let call = Call::new(&self.scripts.take_dead, &["dead", "dead:of"].map(|name| self.keys.of(partition, name)))
            .arg(pos.to_string());
        let payload: Option<Vec<u8>> = self.link.run(&call).await?;
        Ok(payload.map(|payload| StoredDead { partition, pos, payload }))
    }

    async fn in_force(&self) -> Result<InForce, StoreError> {
        reads::in_force(&self.link, &self.keys.global("catalog")).await
    }

    async fn set_in_force(&self, expected: u64, next: &InForce) -> Result<bool, StoreError> {
        let paused = serde_json::to_string(&next.paused).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        let call = Call::new(&self.scripts.put_in_force, &[self.keys.global("catalog")])
            .arg(expected)
            .arg(next.revision)
            .arg(&next.hash)
            .arg(paused);
        self.link.run(&call).await
    }

    async fn put_catalog(&self, hash: &str, files: &Files) -> Result<(), StoreError> {
        let mut put = redis::cmd("HSET");
        // The empty path stands for the catalog itself, so that one without files is there too.
        put.arg(self.keys.catalog(hash)).arg("").arg("");
        for (path, content) in files {
            put.arg(path).arg(&content[..]);
        }
        self.link.ask::<i64>(&put).await.map(drop)
    }

    async fn catalog(&self, hash: &str) -> Result<Option<Files>, StoreError> {
        let mut files: Files = self.link.ask(redis::cmd("HGETALL").arg(self.keys.catalog(hash))).await?;
        Ok(files.remove("").map(|_| files))
    }

    async fn heartbeat(&self, node: &str, ttl: Duration) -> Result<Vec<String>, StoreError> {
        let call = Call::new(&self.scripts.heartbeat, &[self.keys.global("nodes")]).arg(node).arg(millis(ttl));
        let mut nodes: Vec<String> = self.link.run(&call).await?;
        nodes.sort_unstable();
        Ok(nodes)
    }

    async fn depart(&self, node: &str) -> Result<(), StoreError> {
        self.link.ask::<i64>(redis::cmd("ZREM").arg(self.keys.global("nodes")).arg(node)).await.map(drop)
    }

    async fn dedupe_keys(&self) -> Result<u64, StoreError> {
        reads::dedupe_keys(&self.link, &self.keys).await
    }

    async fn fill(&self) -> Result<BTreeMap<Partition, Fill>, StoreError> {
        reads::fill(&self.link, &self.keys).await
    }
}

fn millis(length: Duration) -> u64 {
    // Lua counts in doubles.
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX).min(1 << 50)
}
