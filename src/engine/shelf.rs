//! Compiled catalogs by hash: those in force now and those that running conversations were opened under.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::catalog::{Catalog, Files};
use crate::store::{Store, StoreError};

/// How files become a catalog; a sentence where they do not.
pub type Compile = Arc<dyn Fn(&Files) -> Result<Catalog, String> + Send + Sync>;

/// Catalogs, compiled once and shared by all partitions of a node.
#[derive(Clone)]
pub struct Shelf {
    store: Arc<dyn Store>,
    compile: Compile,
    held: Arc<Mutex<Held>>,
}

/// Invariant: at most [`MOST_IDLE`] catalogs that nobody uses are kept, so that a year of changed files costs no memory.
#[derive(Default)]
struct Held {
    by_hash: BTreeMap<String, Slot>,
    /// Counts what was asked for.
    asked: u64,
}

struct Slot {
    catalog: Option<Arc<Catalog>>,
    /// When it was asked for last.
    asked: u64,
}

/// Catalogs kept that nobody uses now: conversations that are read again ask for them one by one.
const MOST_IDLE: usize = 8;

impl Shelf {
    /// An empty shelf.
    pub fn new(store: Arc<dyn Store>, compile: Compile) -> Shelf {
        Shelf { store, compile, held: Arc::default() }
    }

    /// A catalog by hash; from the store and compiled where it is not held yet. None where the store has none, or this
    /// build cannot compile it (that is logged once): the playbook of the same name in force stands in then.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, hash: &str) -> Result<Option<Arc<Catalog>>, StoreError> {
        if let Some(known) = self.held().find(hash) {
            return Ok(known);
        }
        let Some(files) = self.store.catalog(hash).await? else { return Ok(None) };
        let catalog = match (self.compile)(&files) {
            Ok(catalog) => Some(Arc::new(catalog)),
            Err(problem) => {
                tracing::error!(
                    catalog.hash = hash,
                    problem,
                    "a catalog of the store cannot be compiled by this build"
                );
                None
            }
        };
        self.held().keep(hash, catalog.clone());
        Ok(catalog)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // A panic while holding it leaves the map whole: inserts are atomic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn find(&mut self, hash: &str) -> Option<Option<Arc<Catalog>>> {
        self.asked += 1;
        let slot = self.by_hash.get_mut(hash)?;
        slot.asked = self.asked;
        Some(slot.catalog.clone())
    }

    fn keep(&mut self, hash: &str, catalog: Option<Arc<Catalog>>) {
        self.asked += 1;
        self.by_hash.insert(hash.to_owned(), Slot { catalog, asked: self.asked });
        // Owners and requests hold what they use; the shelf's own is one more.
        let is_idle = |slot: &Slot| slot.catalog.as_ref().is_none_or(|catalog| Arc::strong_count(catalog) == 1);
        let mut idle: Vec<(u64, String)> = self
            .by_hash
            .iter()
            .filter(|(known, slot)| *known != hash && is_idle(slot))
            .map(|(known, slot)| (slot.asked, known.clone()))
            .collect();
        idle.sort_unstable();
        let over = idle.len().saturating_sub(MOST_IDLE);
        for (_, known) in idle.into_iter().take(over) {
            self.by_hash.remove(&known);
        }
    }
}
