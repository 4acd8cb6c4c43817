//! The two scripts that carry the load, and how their keys and arguments are laid out.

use std::collections::HashMap;

use super::link::Call;
use super::{RedisStore, reads};
use crate::model::ids::{Partition, Pos};
use crate::model::time::Ms;
use crate::store::{Appended, Batch, NewInput, StoreError};

impl RedisStore {
    /// Appends to one partition; none for what is refused because of its customer.
    pub(super) async fn append_to(
        &self,
        partition: Partition,
        inputs: &[NewInput],
    ) -> Result<Vec<Option<Appended>>, StoreError> {
        let mut keys: Vec<String> =
            ["in", "at", "fx", "journal", "dead", "wake", "dead:of"].map(|name| self.keys.of(partition, name)).into();
        keys.extend(self.keys.seen(partition));
        // Each partition has its share, for no script sees more than one.
        let share = self.bounds.dedupe_keys.div_ceil(u64::from(self.partitions.max(1)));
        let mut call = Call::new(&self.scripts.append, &keys)
            .arg(partition.0)
            .arg(self.bounds.dedupe.0)
            .arg(self.bounds.inbox)
            .arg(self.bounds.effects)
            .arg(self.bounds.journal)
            .arg(self.bounds.dead)
            .arg(share)
            .arg(u8::from(self.link.replicas > 0))
            .arg(self.bounds.dead_a_customer.max(1));
        for input in inputs {
            call.push(u8::from(input.bounded));
            call.push(input.actor.as_str());
            call.push(input.dedupe.as_ref().map_or(&[][..], |key| &key[..]));
            call.push(&input.payload[..]);
        }
        let answer: Vec<redis::Value> = self.link.run_held(&call).await?;
        let mut answer = answer.into_iter();
        let full: String = reads::take(&mut answer)?;
        if !full.is_empty() {
            let since: u64 = reads::take(&mut answer)?;
            let now: u64 = reads::take(&mut answer)?;
            return Err(reads::full(&full, Ms(since), Ms(now)));
        }
        let mut appended = Vec::with_capacity(inputs.len());
        for _ in inputs {
            let pos: String = reads::take(&mut answer)?;
            let fresh: u8 = reads::take(&mut answer)?;
            appended.push(match fresh {
                2 => None,
                fresh => Some(Appended { pos: reads::pos(&pos)?, fresh: fresh == 1 }),
            });
        }
        Ok(appended)
    }

    /// The call that applies a batch; `commit.lua` says how it is laid out.
    pub(super) fn commit_call(
        &self,
        partition: Partition,
        epoch: u64,
        (from, to): (Pos, Pos),
        batch: &Batch,
    ) -> Call<'_> {
        let fixed = ["lease", "at", "in", "fx", "fx:order", "fx:started", "journal", "dead", "due", "dead:of"];
        let mut keys: Vec<String> = fixed.map(|name| self.keys.of(partition, name)).into();
        keys.extend(batch.states.iter().map(|(actor, _)| self.keys.state(partition, actor)));
        let mut logs = Numbers::default();
        let entries: Vec<usize> =
            batch.entries.iter().map(|entry| logs.of(self.keys.log(entry.conversation))).collect();
        let log_count = logs.names.len();
        keys.append(&mut logs.names);
        keys.extend(batch.forget.iter().map(|conversation| self.keys.log(*conversation)));
        let mut channels = Numbers::default();
        let hints: Vec<usize> =
            batch.hints.iter().map(|(channel, _)| channels.of(self.keys.channel(partition, channel))).collect();
        keys.append(&mut channels.names);

        let touch = self.link.replicas > 0 && !batch.effects.is_empty();
        let mut call = Call::new(&self.scripts.commit, &keys).arg(epoch).arg(from.to_string()).arg(to.to_string());
        call.push(u8::from(touch));
        call.push(batch.states.len());
        for (_, state) in &batch.states {
            call.push(u8::from(state.is_some()));
            call.push(state.as_deref().unwrap_or_default());
        }
        call.push(batch.due.len());
        for (actor, due) in &batch.due {
            call.push(actor.as_str());
            call.push(due.map_or(String::new(), |due| due.0.to_string()));
        }
        call.push(log_count);
        call.push(batch.entries.len());
        for (entry, log) in batch.entries.iter().zip(entries) {
            call.push(log);
            call.push(format!("{}-{}", entry.seq, entry.n));
            call.push(&entry.payload[..]);
        }
        call.push(batch.effects.len());
        for (key, payload) in &batch.effects {
            call.push(key);
            call.push(&payload[..]);
        }
        for list in [&batch.cancelled, &batch.finished] {
            call.push(list.len());
            list.iter().for_each(|key| call.push(key));
        }
        call.push(batch.journal.len());
        call.push(batch.journal_from);
        batch.journal.iter().for_each(|line| call.push(&line[..]));
        call.push(batch.forget_dead.len());
        batch.forget_dead.iter().for_each(|actor| call.push(actor.as_str()));
        call.push(batch.dead.len());
        for dead in &batch.dead {
            call.push(dead.pos.to_string());
            call.push(dead.actor.as_str());
            call.push(&dead.payload[..]);
        }
        call.push(batch.forget.len());
        batch.forget.iter().for_each(|conversation| call.push(conversation.to_string()));
        call.push(batch.hints.len());
        for ((_, payload), channel) in batch.hints.iter().zip(hints) {
            call.push(channel);
            call.push(&payload[..]);
        }
        call
    }
}

/// Names, each once, counted from 1.
#[derive(Default)]
struct Numbers {
    names: Vec<String>,
    known: HashMap<String, usize>,
}

impl Numbers {
    fn of(&mut self, name: String) -> usize {
        if let Some(number) = self.known.get(&name) {
            return *number;
        }
        self.names.push(name.clone());
        self.known.insert(name, self.names.len());
        self.names.len()
    }
}
