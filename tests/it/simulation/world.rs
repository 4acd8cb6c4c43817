//! A world of seeded chance: a faulty store, nodes, a company, customers and operators. One thread, virtual time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beckon::engine::inbox::Inbox;
use beckon::model::ids::Partition;
use beckon::model::input::InForce;
use beckon::model::time::Millis;
use beckon::store::Store;
use tokio::time::sleep;

use super::chance::Chance;
use super::nodes::{Ground, Node};
use super::outside::{Api, Model, Mood, Voice};
use super::people::{self, Told};
use super::store::{Faults, SimStore};
use super::trace::Trace;
use super::{oracle, workspace};

/// Partitions of the simulated store.
pub const PARTITIONS: u16 = 4;

/// A world.
pub struct World {
    /// What nodes share.
    pub ground: Arc<Ground>,
    /// The way in.
    pub inbox: Inbox,
    /// What senders were told.
    pub told: Arc<Told>,
    /// Whether actors still act.
    pub acting: Arc<AtomicBool>,
    nodes: Vec<Node>,
    started: usize,
}

/// Runs a world of its own on one thread, with virtual time.
pub fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(what)
}

impl World {
    /// A world with a catalog in force, no faults, and no node yet.
    pub async fn new(seed: u64, has_model: bool) -> World {
        let mut chance = Chance::new(seed);
        let store = Arc::new(SimStore::new(PARTITIONS, chance.split(), Arc::new(Trace::default())));
        let api = Arc::new(Api::new(Arc::clone(&store), chance.split()));
        let model = Arc::new(Model::new(Arc::clone(&store), chance.split()));
        for variant in workspace::VARIANTS {
            store.put_catalog(variant, &workspace::files(variant)).await.unwrap();
        }
        let first = InForce { revision: 1, hash: workspace::VARIANTS[0].to_owned(), paused: Vec::new() };
        assert!(store.set_in_force(0, &first).await.unwrap());
        let ground = Ground {
            store: Arc::clone(&store),
            api,
            model,
            chance: Mutex::new(chance),
            calm: AtomicBool::new(false),
            has_model,
        };
        let inbox = Inbox::new(store);
        let acting = Arc::new(AtomicBool::new(true));
        World { ground: Arc::new(ground), inbox, told: Arc::default(), acting, nodes: Vec::new(), started: 0 }
    }

    /// A world where nothing goes wrong by itself: one node, healthy neighbours.
    pub async fn calm(seed: u64) -> World {
        let mut world = World::new(seed, true).await;
        world.ground.calm.store(true, Ordering::Relaxed);
        world.ground.api.set_mood(Mood::Good);
        world.ground.model.set_voice(Voice::Plain);
        world.start_node();
        world
    }

    /// The store.
    pub fn store(&self) -> &Arc<SimStore> {
        &self.ground.store
    }

    /// Starts one more node.
    pub fn start_node(&mut self) {
        self.started += 1;
        self.nodes.push(Node::start(&self.ground, &format!("node-{}", self.started)));
    }

    /// Kills a node: whatever it was doing ends here.
    pub fn kill_node(&mut self, at: usize) {
        let now = self.store().time();
        self.store().trace.add(now, || "a node is killed".to_owned());
        drop(self.nodes.remove(at));
    }

    /// Lets the world live until everybody has done what they wanted, with all kinds of trouble.
    pub async fn live(&mut self) {
        let (nodes, customers, rounds) = {
            let mut chance = self.ground.chance.lock().unwrap();
            (chance.between(1, 3), chance.between(2, 6), chance.between(6, 14))
        };
        // As a server does before it accepts anything.
        let first = self.store().look(|memory| memory.in_force.clone());
        self.inbox.announce(&first).await.unwrap();
        for _ in 0..nodes {
            self.start_node();
        }
        let rate = |chance: &mut Chance, most: u64| if chance.often(300) { 0 } else { chance.between(1, most) };
        let faults = {
            let mut chance = self.ground.chance.lock().unwrap();
            let (away, lost) = (rate(&mut chance, 60), rate(&mut chance, 60));
            Faults { away, lost, slow: rate(&mut chance, 150), hints: rate(&mut chance, 300) }
        };
        self.store().set_faults(faults);
        let people = people::all(self, customers as usize);
        for _ in 0..rounds {
            let (pause, what) = (self.ground.between(1_000, 12_000), self.ground.between(0, 99));
            sleep(Duration::from_millis(pause)).await;
            match what {
                0..30 => {
                    let victim = self.ground.between(0, self.nodes.len() as u64 - 1) as usize;
                    self.kill_node(victim);
                    self.start_node();
                }
                30..45 => {
                    let partition = self.ground.between(0, u64::from(PARTITIONS) - 1) as u16;
                    self.store().expire_early(Partition(partition));
                }
                45..60 => self.store().leap(Millis::seconds(self.ground.between(1, 40))),
                60..68 => self.store().leap(Millis::minutes(self.ground.between(1, 35))),
                68..70 => self.store().leap(Millis::hours(self.ground.between(1, 26))),
                70..80 => self.store().go_away(Duration::from_millis(self.ground.between(100, 9_000))),
                _ => {}
            }
        }
        self.acting.store(false, Ordering::Relaxed);
        for person in people {
            person.await.unwrap();
        }
    }

    /// Switches all faults off and waits until there is nothing left to do.
    pub async fn rest(&mut self) -> Result<(), String> {
        self.ground.calm.store(true, Ordering::Relaxed);
        self.store().set_faults(Faults::default());
        self.ground.api.set_mood(Mood::Good);
        // Every node starts anew, so that nothing waits for a retry an hour away.
        let nodes = self.nodes.len();
        self.nodes.clear();
        for _ in 0..nodes {
            self.start_node();
        }
        let mut calm = 0;
        for _ in 0..600 {
            sleep(Duration::from_millis(500)).await;
            calm = if self.store().is_at_rest() { calm + 1 } else { 0 };
            if calm >= 3 {
                return Ok(());
            }
        }
        Err(format!("it does not come to rest\n{}", oracle::unfinished(self.store())))
    }

    /// Comes to rest and asks the oracle; the whole story where a promise was broken.
    pub async fn judge(&mut self, seed: u64) {
        let rested = self.rest().await;
        self.nodes.clear();
        let mut wrong = oracle::judge(self.store(), &self.told, &self.ground.api, true);
        wrong.extend(rested.err());
        if !wrong.is_empty() {
            let story = self.store().trace.story();
            panic!(
                "seed {seed} breaks a promise (BECKON_SEED={seed} BECKON_SEEDS=1)\n{story}\nwrong:\n{}",
                wrong.join("\n")
            );
        }
    }
}
