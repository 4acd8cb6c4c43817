//! Keeps the record up to date, and the gauges.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::projector::{Behind, Projector};
use crate::model::ids::Partition;
use crate::model::time::Millis;
use crate::record::Record;
use crate::store::{Bounds, Fill, Store};
use crate::telemetry;

/// How long to wait after the record did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// How often gauges are set.
const MEASURE: Duration = Duration::from_secs(5);

/// Copies what is behind until `stop`; then once more.
pub async fn run(store: Arc<dyn Store>, record: Record, behind: Arc<Behind>, stop: CancellationToken) {
    let projector = Projector::new(store, record);
    loop {
        let stopping = stop.is_cancelled();
        let taken = behind.take();
        let partitions: Vec<Partition> = taken.iter().map(|(partition, _)| *partition).collect();
        let failed = copy(&projector, partitions).await;
        for (partition, _) in &taken {
            behind.ended(*partition, failed.contains(partition));
        }
        if stopping {
            return;
        }
        if !failed.is_empty() {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        tokio::select! {
            () = behind.added() => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Copies these journals to their ends; answers which could not be. All together while that goes well, else each alone,
/// so that one that cannot be copied holds up no other.
async fn copy(projector: &Projector, mut partitions: Vec<Partition>) -> Vec<Partition> {
    while !partitions.is_empty() {
        match projector.project(&partitions).await {
            Ok(projected) => partitions = projected.more,
            Err(problem) => {
                tracing::debug!(error = %problem, "journals are copied one by one");
                break;
            }
        }
    }
    let mut failed = Vec::new();
    for partition in partitions {
        loop {
            match projector.project(&[partition]).await {
                Ok(projected) if projected.more.is_empty() => break,
                Ok(_) => {}
                Err(problem) => {
                    tracing::warn!(partition = partition.0, error = %problem, "the record is behind");
                    failed.push(partition);
                    break;
                }
            }
        }
    }
    failed
}

/// Sets the gauges of every stage, every few seconds.
pub async fn measure(
    store: Arc<dyn Store>,
    bounds: Bounds,
    behind: Arc<Behind>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut every = tokio::time::interval(MEASURE);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        telemetry::projector_lag(behind.lag(clock.now()));
        if let Ok(keys) = store.dedupe_keys().await {
            telemetry::dedupe_keys(keys);
        }
        let Ok(fill) = store.fill().await else { continue };
        let sum = |count: fn(&Fill) -> u64| fill.values().map(count).sum();
        let most = |count: fn(&Fill) -> u64| fill.values().map(count).max().unwrap_or_default();
        let oldest = fill.values().filter_map(|fill| fill.oldest_undecided).min();
        let age = oldest.map_or(Millis(0), |oldest| clock.now().since(oldest));
        telemetry::fill(sum(|f| f.undecided), age, sum(|f| f.effects), sum(|f| f.journal), sum(|f| f.dead));
        telemetry::fullest("inbox", most(|f| f.undecided), bounds.inbox);
        telemetry::fullest("effects", most(|f| f.effects), bounds.effects);
        telemetry::fullest("journal", most(|f| f.journal), bounds.journal);
        telemetry::fullest("dead", most(|f| f.dead), bounds.dead);
    }
}
