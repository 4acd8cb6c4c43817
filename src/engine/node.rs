//! A node: takes leases, runs an owner, a runner and a share of the projection for each partition it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::effects::{Left, Outside, Runner};
use super::owner::{Owner, Worked};
use super::projector::Behind;
use super::shelf::Shelf;
use crate::clock::Clock;
use crate::model::ids::{Partition, partition_of};
use crate::model::input::InForce;
use crate::store::{Lease, Store, StoreError};

/// How a node works; the `[engine]` section of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// The most inputs of one batch.
    pub batch: usize,
    /// States of customers kept in memory by each partition.
    pub states: usize,
    /// Effects under way at once in each partition.
    pub runners: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { lease: Duration::from_secs(6), batch: 512, states: 4_096, runners: 64 }
    }
}

/// How often the node looks after its leases, and what is in force.
const ROUND: Duration = Duration::from_millis(200);

/// How long a runner waits at most that has nothing to begin.
const IDLE: Duration = Duration::from_secs(30);

/// How long effects under way may take to end at shutdown.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a node runs on.
#[derive(Clone)]
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Compiled catalogs.
    pub shelf: Shelf,
    /// Models, adapters, notifications.
    pub outside: Outside,
    /// The machine's clock, for waiting only.
    pub clock: Arc<dyn Clock>,
    /// This node's name; unique among those on the store.
    pub name: String,
    /// How it works.
    pub settings: Settings,
    /// Told which partitions have new journal lines.
    pub behind: Arc<Behind>,
    /// What is in force, as last read; others watch it too.
    pub in_force: watch::Sender<InForce>,
}

/// One partition's tasks, from the node's side.
struct Held {
    epoch: u64,
    task: Id,
    wake: Arc<Notify>,
    stop: CancellationToken,
}

/// The partitions that a node holds, and their owners' tasks.
#[derive(Default)]
struct Holding {
    held: BTreeMap<Partition, Held>,
    tasks: JoinSet<()>,
}

/// What one look at the store came to.
#[derive(Default)]
struct Looked {
    /// This node's partitions; none where the store did not say.
    share: Option<BTreeSet<Partition>>,
    /// Leases that are another's now, by their epochs.
    lost: Vec<(Partition, u64)>,
    /// Leases that were taken.
    taken: Vec<(Partition, Lease)>,
    /// Whether every lease was asked for again, where that was due.
    renewed: bool,
}

/// Runs until `stop`; then gives every lease back, cleanly.
///
/// # Errors
/// The store's, where it cannot even be listened to at the start.
pub async fn run(parts: Parts, stop: CancellationToken) -> Result<(), StoreError> {
    let mut wakes = parts.store.wakes().await?;
    let mut holding = Holding::default();
    let mut round = tokio::time::interval(ROUND);
    round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    // A store that is slow to answer holds up no wake.
    let mut looking: Option<BoxFuture<'static, Looked>> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(partition) = wakes.recv() => holding.wake(partition),
            Some(ended) = holding.tasks.join_next_with_id() => holding.ended(ended),
            looked = answer(&mut looking) => {
                if looked.renewed {
                    renewed = Instant::now();
                }
                holding.apply(&parts, looked);
            }
            _ = round.tick(), if looking.is_none() => {
                let due = renewed.elapsed() >= parts.settings.lease / 3;
                looking = Some(look(parts.clone(), holding.epochs(), due).boxed());
            }
        }
    }
    if looking.is_some() {
        // What it takes is given back like all else.
        let looked = answer(&mut looking).await;
        holding.apply(&parts, looked);
    }
    for held in holding.held.values() {
        held.stop.cancel();
    }
    while holding.tasks.join_next().await.is_some() {}
    if let Err(problem) = parts.store.depart(&parts.name).await {
        tracing::debug!(error = %problem, "the node's heartbeat ends by itself");
    }
    Ok(())
}

/// The end of the look under way; never, where there is none.
async fn answer(looking: &mut Option<BoxFuture<'static, Looked>>) -> Looked {
    match looking {
        Some(under_way) => {
            let looked = under_way.await;
            *looking = None;
            looked
        }
        None => std::future::pending().await,
    }
}

impl Holding {
    fn epochs(&self) -> BTreeMap<Partition, u64> {
        self.held.iter().map(|(partition, held)| (*partition, held.epoch)).collect()
    }

    fn wake(&self, partition: Partition) {
        if let Some(held) = self.held.get(&partition) {
            held.wake.notify_one();
        }
    }

    /// An owner ended: its lease was lost, it failed, or it panicked. Its partition is taken again in a later round.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(problem) => {
                tracing::error!(error = %problem, "an owner ended without a word; its partition is taken again");
                problem.id()
            }
        };
        self.held.retain(|_, held| held.task != task);
    }

    fn apply(&mut self, parts: &Parts, looked: Looked) {
        for (partition, epoch) in looked.lost {
            crate::telemetry::lease_lost();
            if let Some(held) = self.held.get(&partition).filter(|held| held.epoch == epoch) {
                held.stop.cancel();
            }
        }
        if let Some(share) = looked.share {
            self.held
                .iter()
                .filter(|(partition, _)| !share.contains(partition))
                .for_each(|(_, held)| held.stop.cancel());
        }
        for (partition, lease) in looked.taken {
            self.start(parts, partition, lease);
        }
    }

    fn start(&mut self, parts: &Parts, partition: Partition, lease: Lease) {
        let (epoch, wake, stop) = (lease.epoch, Arc::new(Notify::new()), CancellationToken::new());
        let (parts, owner_wake, owner_stop) = (parts.clone(), Arc::clone(&wake), stop.clone());
        let task = self.tasks.spawn(async move {
            if let Err(problem) = own(&parts, partition, lease, &owner_wake, &owner_stop).await {
                tracing::warn!(partition = partition.0, error = %problem, "a partition is given up and taken again");
                tokio::time::sleep(ROUND).await;
            }
        });
        self.held.insert(partition, Held { epoch, task: task.id(), wake, stop });
    }
}

/// Reads what is in force, renews leases where that is due, and takes those that are this node's share; all at once, for
/// one after another they would outlast the leases of a store that is slow.
async fn look(parts: Parts, held: BTreeMap<Partition, u64>, renew: bool) -> Looked {
    let renewals = held.iter().filter(|_| renew).map(|(partition, epoch)| async {
        (*partition, *epoch, parts.store.renew(*partition, *epoch, parts.settings.lease).await)
    });
    let (in_force, share, renewals) = tokio::join!(parts.store.in_force(), share(&parts), join_all(renewals));
    let mut looked = Looked { renewed: renew, ..Looked::default() };
    for (partition, epoch, renewal) in renewals {
        match renewal {
            Ok(true) => {}
            Ok(false) => looked.lost.push((partition, epoch)),
            Err(problem) => {
                looked.renewed = false;
                tracing::warn!(partition = partition.0, error = %problem, "a lease could not be renewed yet");
            }
        }
    }
    match in_force {
        Ok(in_force) => {
            parts.in_force.send_if_modified(|known| {
                let newer = in_force.revision > known.revision;
                if newer {
                    *known = in_force;
                }
                newer
            });
        }
        Err(problem) => tracing::warn!(error = %problem, "what is in force could not be read"),
    }
    let share = match share {
        Ok(share) => share,
        Err(problem) => {
            tracing::warn!(error = %problem, "the store did not answer; leases are kept as long as they hold");
            return looked;
        }
    };
    let missing = share.iter().filter(|partition| !held.contains_key(partition));
    let leases = missing.map(|partition| async {
        (*partition, parts.store.acquire(*partition, &parts.name, parts.settings.lease).await)
    });
    for (partition, lease) in join_all(leases).await {
        match lease {
            Ok(lease) => looked.taken.extend(lease.map(|lease| (partition, lease))),
            // Where it was taken all the same, it is this node's own in the next round.
            Err(problem) => tracing::warn!(partition = partition.0, error = %problem, "a lease could not be asked for"),
        }
    }
    looked.share = Some(share);
    looked
}

/// The partitions of this node: the highest hash of node and partition wins, so few move when nodes come and go.
async fn share(parts: &Parts) -> Result<BTreeSet<Partition>, StoreError> {
    let nodes = parts.store.heartbeat(&parts.name, parts.settings.lease).await?;
    let weight = |node: &str, partition: u16| {
        let key = format!("{node}/{partition}");
        (partition_of(&key, u16::MAX), key)
    };
    let mine = (0..parts.store.partitions()).filter(|partition| {
        let own = weight(&parts.name, *partition);
        nodes.iter().all(|node| *node == parts.name || weight(node, *partition) < own)
    });
    Ok(mine.map(Partition).collect())
}

/// Owns a partition until told to stop, or until the lease is lost.
async fn own(
    parts: &Parts,
    partition: Partition,
    lease: Lease,
    wake: &Notify,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let epoch = lease.epoch;
    let store = Arc::clone(&parts.store);
    let mut owner = Owner::take(Arc::clone(&store), parts.shelf.clone(), partition, &lease, parts.settings).await?;
    let runner = Runner::new(
        Arc::clone(&store),
        parts.shelf.clone(),
        parts.outside.clone(),
        partition,
        epoch,
        parts.settings.runners,
    );
    let (effects, caught_up) = (Arc::new(Notify::new()), watch::Sender::new(false));
    let runner_stop = CancellationToken::new();
    let running = tokio::spawn(run_effects(
        runner,
        Arc::clone(&effects),
        caught_up.subscribe(),
        runner_stop.clone(),
        store.poll_interval(),
    ));
    // Lines of an earlier owner may be waiting too.
    parts.behind.add(partition, parts.clock.now());
    let mut in_force = parts.in_force.subscribe();
    let outcome = loop {
        let newest = in_force.borrow_and_update().clone();
        match owner.step(&newest).await {
            // The same step is taken again, under the same lease while it holds: an owner that gave up here would leave
            // the input it was deciding singly under suspicion, and a store that is away would make dead letters.
            Err(StoreError::Away(problem)) if !stop.is_cancelled() => {
                tracing::warn!(partition = partition.0, problem, "the store did not answer an owner");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(ROUND) => {}
                }
            }
            Err(problem) => break Err(problem),
            Ok(Worked::Lost) => {
                crate::telemetry::lease_lost();
                break Ok(false);
            }
            Ok(Worked::Decided(count)) => {
                if count > 0 {
                    effects.notify_one();
                    parts.behind.add(partition, parts.clock.now());
                }
                if stop.is_cancelled() {
                    break Ok(true);
                }
            }
            Ok(Worked::Nothing) => {
                caught_up.send_if_modified(|caught_up| !std::mem::replace(caught_up, true));
                let patience = owner.patience(parts.clock.now());
                tokio::select! {
                    () = stop.cancelled() => break Ok(true),
                    () = wake.notified() => {}
                    changed = in_force.changed() => { let _ = changed; }
                    () = tokio::time::sleep(patience) => {}
                }
            }
        }
    };
    runner_stop.cancel();
    let _ = running.await;
    if outcome? {
        // What the effects' last results changed is decided before the lease goes back.
        let newest = parts.in_force.borrow().clone();
        while let Worked::Decided(count) = owner.step(&newest).await? {
            if count > 0 {
                parts.behind.add(partition, parts.clock.now());
            }
        }
        store.release(partition, epoch).await?;
    }
    Ok(())
}

async fn run_effects(
    mut runner: Runner,
    effects: Arc<Notify>,
    mut caught_up: watch::Receiver<bool>,
    stop: CancellationToken,
    poll: Duration,
) {
    loop {
        let done = *caught_up.borrow_and_update();
        let look_again = match runner.begin(done).await {
            Ok(Left { some: true, .. }) => poll.max(Duration::from_millis(200)),
            // All is under way: only a commit, an end, or the time of a next try brings something.
            Ok(Left { next, .. }) => next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()).min(IDLE)),
            Err(problem) => {
                tracing::warn!(error = %problem, "the pending effects could not be read");
                poll.max(Duration::from_millis(200))
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = effects.notified() => {}
            () = runner.ended() => {}
            changed = caught_up.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(look_again) => {}
        }
    }
    runner.stop(PATIENCE).await;
}
