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
    held: Arc<Mutex<BTreeMap<String, Option<Arc<Catalog>>>>>,
}

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
        if let Some(held) = self.held().get(hash) {
            return Ok(held.clone());
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
        self.held().insert(hash.to_owned(), catalog.clone());
        Ok(catalog)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Arc<Catalog>>>> {
        // A panic while holding it leaves the map whole: inserts are atomic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
