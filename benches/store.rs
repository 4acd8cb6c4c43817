//! How fast a store is: `cargo bench --bench store [-- redis://127.0.0.1:6379/]`. Prints, and judges nothing.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement that cannot go on ends")]

mod shared;

use std::sync::Arc;
use std::time::{Duration, Instant};

use beckon::model::ids::{ActorId, ConversationId, Partition, Pos};
use beckon::model::time::Ms;
use beckon::store::{Batch, Committed, NewEntry, NewInput, Store};
use shared::{PARTITIONS, settings};

const RUN: Duration = Duration::from_secs(5);

fn input(partition: u16, key: u128) -> NewInput {
    NewInput {
        partition: Partition(partition),
        actor: beckon::model::ids::ActorId::user("somebody"),
        payload: vec![b'x'; 400],
        // Spread like a hash.
        dedupe: Some(key.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()),
        bounded: true,
        guest: false,
    }
}

/// Callers that append batches of 100; a call's inputs go to some partitions.
async fn append(store: &Arc<dyn Store>, callers: u32, spread: u16) -> f64 {
    let begun = Instant::now();
    let calls: Vec<_> = (0..callers)
        .map(|caller| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut count = 0_u128;
                let first = u128::from(caller) << 64;
                while begun.elapsed() < RUN {
                    let inputs = (0..100)
                        .map(|_| {
                            count += 1;
                            let partition = caller + u32::try_from(count % u128::from(spread)).unwrap();
                            input(u16::try_from(partition % u32::from(PARTITIONS)).unwrap(), first + count)
                        })
                        .collect();
                    store.append(inputs).await.unwrap();
                }
                count
            })
        })
        .collect();
    let mut total = 0;
    for call in calls {
        total += call.await.unwrap();
    }
    u32::try_from(total).map(f64::from).unwrap() / begun.elapsed().as_secs_f64()
}

/// What an ordinary input changes.
fn batch(inputs: &[(Pos, Vec<u8>)], partition: Partition, journal_from: u64) -> Batch {
    let mut batch = Batch { journal_from, ..Batch::default() };
    for (pos, payload) in inputs {
        let actor = ActorId::user(&format!("{}", pos.n % 50));
        if !batch.states.iter().any(|(known, _)| *known == actor) {
            batch.states.push((actor.clone(), Some(vec![b's'; 1_000])));
            batch.due.push((actor, Some(Ms(pos.ms + 1_000))));
        }
        if pos.n % 4 == 0 {
            let conversation = ConversationId { partition, pos: *pos, k: 0 };
            batch.entries.push(NewEntry { conversation, n: 1, seq: 1, payload: vec![b'e'; 300] });
        }
        batch.journal.push(payload[..200].to_vec());
    }
    batch
}

/// One owner a partition: reads what there is and commits it, until nothing is left.
async fn drain(store: &Arc<dyn Store>, size: usize) -> f64 {
    let begun = Instant::now();
    let owners: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let (store, partition) = (Arc::clone(store), Partition(partition));
            tokio::spawn(async move {
                let lease = store.acquire(partition, "bench", Duration::from_secs(60)).await.unwrap().unwrap();
                let (mut at, mut line, mut total) = (lease.at, 1, 0_u32);
                loop {
                    let inputs = store.read(partition, at, size).await.unwrap();
                    let Some(last) = inputs.last() else { return total };
                    let to = last.pos;
                    let inputs: Vec<_> = inputs.into_iter().map(|input| (input.pos, input.payload)).collect();
                    let batch = batch(&inputs, partition, line);
                    let ended = store.commit(partition, lease.epoch, at, to, batch).await.unwrap();
                    assert_eq!(ended, Committed::Applied);
                    at = to;
                    line += u64::try_from(inputs.len()).unwrap();
                    total += u32::try_from(inputs.len()).unwrap();
                }
            })
        })
        .collect();
    let mut total = 0;
    for owner in owners {
        total += owner.await.unwrap();
    }
    f64::from(total) / begun.elapsed().as_secs_f64()
}

/// One event after another: append, wake, read, commit.
async fn path(store: &Arc<dyn Store>) -> hdrhistogram::Histogram<u64> {
    let mut times = hdrhistogram::Histogram::new(3).unwrap();
    let mut wakes = store.wakes().await.unwrap();
    let lease = store.acquire(Partition(0), "bench", Duration::from_secs(60)).await.unwrap().unwrap();
    let (mut at, mut line) = (lease.at, 1);
    for key in 0..500 {
        let begun = Instant::now();
        store.append(vec![input(0, (77 << 100) + key)]).await.unwrap();
        wakes.recv().await.unwrap();
        let inputs = store.read(Partition(0), at, 256).await.unwrap();
        let to = inputs[0].pos;
        let batch = batch(&[(to, inputs[0].payload.clone())], Partition(0), line);
        assert_eq!(store.commit(Partition(0), lease.epoch, at, to, batch).await.unwrap(), Committed::Applied);
        (at, line) = (to, line + 1);
        times.record(u64::try_from(begun.elapsed().as_micros()).unwrap()).unwrap();
    }
    times
}

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let store = beckon::store::open(&settings(), dir.path()).await.unwrap();
    println!("{:?}", store.survives().await.unwrap());
    let times = path(&store).await;
    let at = |quantile| times.value_at_quantile(quantile);
    println!("append, wake, read, commit of one event: p50 {} us, p99 {} us", at(0.5), at(0.99));
    println!("appended, 4 callers, batches of 100 to one partition: {:.0} inputs/s", append(&store, 4, 1).await);
    println!("read and committed by 64 owners, up to 256 a commit: {:.0} inputs/s", drain(&store, 256).await);
    println!("appended, 16 callers, batches of 100 to 16 partitions: {:.0} inputs/s", append(&store, 16, 16).await);
    println!("read and committed by 64 owners, up to 16 a commit: {:.0} inputs/s", drain(&store, 16).await);
}
