//! The playbooks in force, for the dashboard.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::engine::pause::set_paused;
use crate::http::dashboard::{Nearest, PlaybookRow, PlaybookState, Playbooks};
use crate::http::outcomes;
use crate::model::catalog::Catalogs;
use crate::store::Store;

/// Names the closest type of event that something listens to.
pub fn nearest(catalogs: watch::Receiver<Catalogs>) -> Nearest {
    Arc::new(move |kind| outcomes::nearest(kind, &catalogs.borrow()))
}

/// The playbooks in force, and pausing them.
pub struct InForcePlaybooks {
    store: Arc<dyn Store>,
    catalogs: watch::Receiver<Catalogs>,
}

impl InForcePlaybooks {
    /// Over this store and these catalogs.
    pub fn new(store: Arc<dyn Store>, catalogs: watch::Receiver<Catalogs>) -> InForcePlaybooks {
        InForcePlaybooks { store, catalogs }
    }
}

impl Playbooks for InForcePlaybooks {
    fn list(&self) -> BoxFuture<'_, Result<Vec<PlaybookRow>, String>> {
        Box::pin(async move {
            // Paused a moment ago counts: the store is asked, not what this node last read.
            let in_force = self.store.in_force().await.map_err(|problem| problem.to_string())?;
            let catalogs = self.catalogs.borrow();
            let Some(catalog) = catalogs.current() else { return Ok(Vec::new()) };
            let rows = catalog.playbooks.values().map(|playbook| PlaybookRow {
                name: playbook.name.clone(),
                hears: playbook.hears().into_iter().map(str::to_owned).collect(),
                state: if in_force.paused.contains(&playbook.name) {
                    PlaybookState::Paused
                } else {
                    PlaybookState::Running
                },
            });
            Ok(rows.collect())
        })
    }

    fn set(&self, name: &str, state: PlaybookState) -> BoxFuture<'_, Result<(), String>> {
        let name = name.to_owned();
        Box::pin(async move {
            let known = self.catalogs.borrow().current().is_some_and(|c| c.playbooks.contains_key(&name));
            if !known {
                return Err(format!("There is no playbook `{name}`."));
            }
            let paused = state == PlaybookState::Paused;
            set_paused(&*self.store, &[name], paused).await.map(drop).map_err(|problem| problem.to_string())
        })
    }
}
