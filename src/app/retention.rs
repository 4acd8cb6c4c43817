//! Lets go of what the record has kept long enough.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::time::{Millis, Ms};
use crate::record::{LineId, Record, RecordError};
use crate::telemetry;

/// A start has better things to do first.
const FIRST: Duration = Duration::from_secs(60);

/// How often.
const EVERY: Duration = Duration::from_secs(24 * 3_600);

/// How long to wait after the record did not answer.
const AGAIN: Duration = Duration::from_secs(600);

/// Between pages, so that whoever writes meanwhile never waits for more than one.
const BREATH: Duration = Duration::from_millis(20);

/// Once a day, until `stop`. Nodes that share a record all do it: the first finds the work, the others that it is done.
pub async fn run(record: Record, clock: Arc<dyn Clock>, keep: Millis, stop: CancellationToken) {
    daily(record, clock, keep, FIRST, stop).await;
}

/// Begins after `wait`.
async fn daily(record: Record, clock: Arc<dyn Clock>, keep: Millis, mut wait: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let before = Ms(clock.now().0.saturating_sub(keep.0));
        wait = match once(&record, before, &stop).await {
            Ok((0, _)) => EVERY,
            Ok((lines, took)) => {
                tracing::info!(lines, seconds = took.as_secs(), "the record let go of what it kept for {keep}");
                EVERY
            }
            Err(problem) => {
                tracing::warn!(error = %problem, "the record could not let go of what is old: it is tried again");
                AGAIN
            }
        };
    }
}

/// Goes through all partitions once; answers how many lines of the archive went, and how long it took.
async fn once(record: &Record, before: Ms, stop: &CancellationToken) -> Result<(u64, Duration), RecordError> {
    let begun = std::time::Instant::now();
    let mut lines = 0;
    for partition in record.recorded_partitions().await? {
        let mut after = Some(LineId::default()).filter(|_| !stop.is_cancelled());
        while let Some(last) = after {
            let pruned = record.prune(partition, before, last).await?;
            telemetry::pruned(pruned.gone);
            lines += pruned.gone;
            after = pruned.next.filter(|_| !stop.is_cancelled());
            if after.is_some() {
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    record.prune_aside(before).await?;
    Ok((lines, begun.elapsed()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::decision::JournalLine;
    use crate::model::event::Event;
    use crate::model::ids::{ActorId, Partition, Pos};
    use crate::model::input::{Body, Envelope, To};
    use crate::record::{EventFilter, Line, StoredText};

    struct At(Ms);

    impl Clock for At {
        fn now(&self) -> Ms {
            self.0
        }
    }

    fn line(n: u64, hours: u64) -> Line {
        let pos = Pos { ms: Millis::hours(hours).0, n: 0 };
        let actor = ActorId::user("42");
        let event = Event::new("shop", &format!("e-{n}"), "page.viewed", Some(actor.clone()), json!({}));
        let input = Envelope { to: To::Actor(actor.clone()), body: Body::Event(Box::new(event)) };
        Line {
            id: LineId { epoch: 1, n },
            line: JournalLine::blank(pos, 1, Some(actor)),
            input: Some(StoredText::from(&input)),
        }
    }

    #[tokio::test]
    async fn what_is_older_goes_in_every_partition_and_what_is_as_old_stays() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record::open("sqlite:", folder.path()).await.unwrap();
        for partition in [Partition(0), Partition(7)] {
            record.archive(partition, vec![line(1, 10), line(2, 20), line(3, 30)]).await.unwrap();
        }
        let stop = CancellationToken::new();
        let clock = Arc::new(At(Ms(Millis::hours(44).0)));
        let running = tokio::spawn(daily(record.clone(), clock, Millis::hours(24), Duration::ZERO, stop.clone()));
        let left = async || record.recent_events(&EventFilter::default(), None, 10).await.unwrap().items.len();
        let gone = async {
            while left().await > 4 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
        stop.cancel();
        running.await.unwrap();
        assert_eq!(left().await, 4);
    }
}
