//! Nodes: each takes leases, steps owners, runs effects; may be killed at any moment and come back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beckon::adapter::Adapter;
use beckon::engine::assistant::Assistant;
use beckon::engine::effects::{Outside, Runner};
use beckon::engine::node::Settings;
use beckon::engine::owner::{Owner, Worked};
use beckon::engine::shelf::Shelf;
use beckon::llm::Llm;
use beckon::model::ids::Partition;
use beckon::store::{Lease, Store, StoreError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::chance::Chance;
use super::outside::{Api, Model};
use super::store::SimStore;
use super::workspace;

/// How long a lease holds.
pub const LEASE: Duration = Duration::from_secs(6);

/// What nodes share with the world.
pub struct Ground {
    /// The store.
    pub store: Arc<SimStore>,
    /// The company's API.
    pub api: Arc<Api>,
    /// The model.
    pub model: Arc<Model>,
    /// Chance of everything that nodes do.
    pub chance: Mutex<Chance>,
    /// While this is set, nodes behave: they neither dawdle nor give up.
    pub calm: std::sync::atomic::AtomicBool,
    /// Whether a model is configured.
    pub has_model: bool,
}

impl Ground {
    /// True so often in a thousand; never in a calm world.
    pub fn often(&self, per_mille: u64) -> bool {
        let hit = self.chance.lock().unwrap().often(per_mille);
        hit && !self.is_calm()
    }

    /// A number of this range.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.chance.lock().unwrap().between(low, high)
    }

    /// Whether nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        self.calm.load(std::sync::atomic::Ordering::Relaxed)
    }

    async fn pause(&self, low: u64, high: u64) {
        sleep(Duration::from_millis(self.between(low, high))).await;
    }
}

/// One node: its tasks, by partition. Dropping it kills it.
pub struct Node {
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// A node that begins with nothing in memory.
    pub fn start(ground: &Arc<Ground>, name: &str) -> Node {
        let store: Arc<dyn Store> = ground.store.clone();
        let shelf = Shelf::new(Arc::clone(&store), Arc::new(workspace::compile));
        let adapters: BTreeMap<String, Arc<dyn Adapter>> =
            [("shop".to_owned(), Arc::clone(&ground.api) as Arc<dyn Adapter>)].into();
        let model: Arc<dyn Llm> = ground.model.clone();
        let models = if ground.has_model { vec![(model, 500)] } else { Vec::new() };
        let outside = Outside {
            assistant: Assistant::new(models, Duration::ZERO),
            adapters: Arc::new(adapters),
            notifier: None,
            record: None,
        };
        let node = Arc::new(Running { ground: Arc::clone(ground), name: name.to_owned(), store, shelf, outside });
        let partitions = ground.store.partitions();
        let tasks = (0..partitions).map(|p| tokio::spawn(Arc::clone(&node).serve(Partition(p)))).collect();
        Node { tasks }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

struct Running {
    ground: Arc<Ground>,
    name: String,
    store: Arc<dyn Store>,
    shelf: Shelf,
    outside: Outside,
}

impl Running {
    /// Takes a partition whenever it can, and owns it as long as it can.
    async fn serve(self: Arc<Self>, partition: Partition) {
        loop {
            self.ground.pause(20, 1_500).await;
            let Ok(Some(lease)) = self.store.acquire(partition, &self.name, LEASE).await else { continue };
            match self.own(partition, &lease).await {
                Ok(()) => {}
                Err(problem) => {
                    let now = self.ground.store.time();
                    self.ground.store.trace.add(now, || format!("{} gives {partition} up: {problem}", self.name));
                    if !matches!(problem, StoreError::Away(_)) {
                        self.ground.store.trace.wrong(format!("{} was told: {problem}", self.name));
                    }
                }
            }
        }
    }

    async fn own(&self, partition: Partition, lease: &Lease) -> Result<(), StoreError> {
        let ground = &self.ground;
        // Few in memory, small batches: what a big node meets under load, this one meets at once.
        let settings = Settings { batch: ground.between(1, 40) as usize, states: 2, ..Settings::default() };
        let mut owner = Owner::take(Arc::clone(&self.store), self.shelf.clone(), partition, lease, settings).await?;
        let (store, shelf, outside) = (Arc::clone(&self.store), self.shelf.clone(), self.outside.clone());
        let mut runner = Runner::new(store, shelf, outside, partition, lease.epoch, Settings::default().runners);
        let mut caught_up = false;
        let mut renewed = Instant::now();
        let mut newest = self.store.in_force().await?;
        let clean = loop {
            if ground.often(80) {
                // A scheduler that looked away, a long pause of the machine: the lease may be another's by now.
                ground.pause(1, if ground.often(60) { 15_000 } else { 300 }).await;
            }
            if renewed.elapsed() > LEASE / 3 && !ground.often(300) {
                renewed = Instant::now();
                if !self.store.renew(partition, lease.epoch, LEASE).await? && ground.often(500) {
                    break false;
                }
            }
            if ground.often(150) || ground.is_calm() {
                newest = self.store.in_force().await?;
            }
            match owner.step(&newest).await {
                // The same step may be taken again; or everything of the partition is dropped.
                Err(problem) if ground.often(500) => return Err(problem),
                Err(StoreError::Away(_)) => ground.pause(5, 50).await,
                Err(problem) => return Err(problem),
                Ok(Worked::Lost) => break false,
                Ok(Worked::Decided(_)) => {}
                Ok(Worked::Nothing) => {
                    caught_up = true;
                    let clocks_apart = ground.store.time().plus(beckon::model::time::Millis(30_000));
                    let patience = owner.patience(clocks_apart).min(Duration::from_millis(200));
                    sleep(patience + Duration::from_millis(ground.between(1, 100))).await;
                }
            }
            if !ground.often(200) {
                // A look that failed is taken again in the next round.
                let _ = runner.begin(caught_up).await;
            }
            if ground.often(4) {
                break true;
            }
        };
        if clean {
            runner.stop(Duration::from_secs(10)).await;
            self.store.release(partition, lease.epoch).await?;
        } else if ground.often(700) {
            runner.stop(Duration::from_secs(10)).await;
        }
        Ok(())
    }
}
