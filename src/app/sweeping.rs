//! Forgets files that no message named, and counts what all files take.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::http::chat::attachments::Taken;
use crate::record::{Record, RecordError};

/// How often.
const EVERY: Duration = Duration::from_secs(60);

/// Sweeps until `stop`. Where files are off by now, those are swept that were taken before.
pub async fn run(record: Record, taken: Taken, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        if let Err(error) = once(&record, &taken, &*clock).await {
            tracing::warn!(%error, "files that nobody named were not swept");
        }
    }
}

async fn once(record: &Record, taken: &Taken, clock: &dyn Clock) -> Result<(), RecordError> {
    let swept = record.sweep_attachments(clock.now()).await?;
    if swept > 0 {
        tracing::info!(files = swept, "files that no message named are forgotten");
    }
    taken.is(record.attachments_size().await?);
    Ok(())
}
