//! The playbooks in force, for the dashboard.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::workspace::{Workspace, compile};
use crate::engine::pause::set_paused;
use crate::http::dashboard::{
    Checked, Nearest, PlaybookFiles, PlaybookRow, PlaybookState, Playbooks, Revocable, UnderWay,
};
use crate::http::outcomes;
use crate::model::catalog::{Catalogs, Files};
use crate::store::Store;
use crate::trigger::pending::pending;
use crate::trigger::topic::revoking::topics_of;

/// Names the closest type of event that something listens to.
pub fn nearest(catalogs: watch::Receiver<Catalogs>) -> Nearest {
    Arc::new(move |kind| outcomes::nearest(kind, &catalogs.borrow()))
}

/// What is under way for a customer, by the playbooks in force.
pub fn under_way(catalogs: watch::Receiver<Catalogs>) -> UnderWay {
    Arc::new(move |state, now| {
        let catalogs = catalogs.borrow();
        catalogs.current().map(|catalog| pending(catalog, state, now)).unwrap_or_default()
    })
}

/// The topics that tell many of an event, by the playbooks in force.
pub fn revocable(catalogs: watch::Receiver<Catalogs>) -> Revocable {
    Arc::new(move |event| catalogs.borrow().current().map_or(Ok(Vec::new()), |catalog| topics_of(catalog, event)))
}

/// The playbooks in force, and pausing them.
pub struct InForcePlaybooks {
    store: Arc<dyn Store>,
    catalogs: watch::Receiver<Catalogs>,
    workspace: Workspace,
    adapters: BTreeSet<String>,
}

impl InForcePlaybooks {
    /// Over this store, these catalogs, and the workspace of this node with the adapters that have an address.
    pub fn new(
        store: Arc<dyn Store>,
        catalogs: watch::Receiver<Catalogs>,
        workspace: Workspace,
        adapters: BTreeSet<String>,
    ) -> InForcePlaybooks {
        InForcePlaybooks { store, catalogs, workspace, adapters }
    }
}

/// A file that is named, with what is in it.
fn file(files: &Files, path: &str) -> Option<(String, String)> {
    files.get(path).map(|content| (path.to_owned(), String::from_utf8_lossy(content).into_owned()))
}

/// The file of a playbook: the one that says so in its first key.
fn playbook_file(files: &Files, name: &str) -> Option<(String, String)> {
    let says_so = |content: &[u8]| {
        String::from_utf8_lossy(content).lines().any(|line| {
            let value = line.strip_prefix("playbook:").map(|value| value.split(" #").next().unwrap_or_default());
            value.is_some_and(|value| value.trim().trim_matches(['"', '\'']) == name)
        })
    };
    let found = files.iter().find(|(path, content)| path.starts_with("playbooks/") && says_so(content));
    found.and_then(|(path, _)| file(files, path))
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
            set_paused(&self.store, &[name], paused).await.map(drop).map_err(|problem| problem.to_string())
        })
    }

    fn files(&self, name: &str) -> BoxFuture<'_, Result<Option<PlaybookFiles>, String>> {
        let name = name.to_owned();
        Box::pin(async move {
            let (hash, why, goal, prompt) = {
                let catalogs = self.catalogs.borrow();
                let Some(catalog) = catalogs.current() else { return Ok(None) };
                let Some(playbook) = catalog.playbooks.get(&name) else { return Ok(None) };
                let goal = playbook.goal.as_ref().map(|goal| goal.event.clone());
                let prompt = playbook.talk.prompt.as_ref().map(|prompt| prompt.name.clone());
                (catalog.hash.clone(), playbook.open.why.clone(), goal, prompt)
            };
            let files = self.store.catalog(&hash).await.map_err(|problem| problem.to_string())?;
            let Some(files) = files else { return Ok(None) };
            let prompt = prompt.and_then(|path| file(&files, &path));
            Ok(playbook_file(&files, &name).map(|playbook| PlaybookFiles { playbook, prompt, why, goal }))
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<Checked, String>> {
        Box::pin(async move {
            let (workspace, adapters) = (self.workspace.clone(), self.adapters.clone());
            let compiled = tokio::task::spawn_blocking(move || compile(&workspace, Some(&adapters)));
            let compiled = compiled.await.map_err(|problem| problem.to_string())?;
            let in_force = self.store.in_force().await.map_err(|problem| problem.to_string())?;
            Ok(match compiled {
                Ok(compiled) => Checked { mistakes: Vec::new(), in_force: compiled.catalog.hash == in_force.hash },
                Err(mistakes) => {
                    Checked { mistakes: mistakes.iter().map(ToString::to_string).collect(), in_force: false }
                }
            })
        })
    }
}
