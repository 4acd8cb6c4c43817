//! The workspace: read, compiled, put in force; followed when its files or the store change.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::catalog::{self, Mistake};
use crate::engine::shelf::Shelf;
use crate::model::catalog::{Catalog, Catalogs, Files};
use crate::model::input::InForce;
use crate::store::{Store, StoreError};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often another node's change is tried against again.
const TRIES: usize = 16;

/// Where playbooks come from.
#[derive(Debug, Clone)]
pub enum Workspace {
    /// A folder, which is watched.
    Folder(PathBuf),
    /// Files inside the binary.
    Files(Files),
}

/// A workspace that compiles.
pub struct Compiled {
    /// Its files.
    pub files: Files,
    /// What they are.
    pub catalog: Catalog,
}

impl Workspace {
    fn read(&self) -> Result<Files, Vec<Mistake>> {
        match self {
            Workspace::Folder(folder) => catalog::read_workspace(folder),
            Workspace::Files(files) => Ok(files.clone()),
        }
    }
}

/// What tells one state of a workspace from another: the hash of its files, or why they cannot be read.
fn fingerprint(read: &Result<Files, Vec<Mistake>>) -> String {
    read.as_ref().map_or_else(|mistakes| listed(mistakes), catalog::hash)
}

fn compiled(read: Result<Files, Vec<Mistake>>, adapters: Option<&BTreeSet<String>>) -> Result<Compiled, Vec<Mistake>> {
    let files = read?;
    let catalog = catalog::compile(&files, adapters)?;
    Ok(Compiled { files, catalog })
}

/// Reads and compiles a workspace.
///
/// # Errors
/// Every mistake of every file.
pub fn compile(workspace: &Workspace, adapters: Option<&BTreeSet<String>>) -> Result<Compiled, Vec<Mistake>> {
    compiled(workspace.read(), adapters)
}

/// Mistakes as people read them.
pub fn listed(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

/// Logs each mistake: they are the company's own files, and who reads the log has to mend them.
fn tell(mistakes: &[Mistake]) {
    for mistake in mistakes {
        tracing::error!(
            file = mistake.file,
            line = mistake.line,
            column = mistake.column,
            help = mistake.suggestion,
            "{}",
            mistake.message
        );
    }
    tracing::error!(mistakes = mistakes.len(), "the workspace has mistakes; the last good catalog stays in force");
}

/// A fingerprint of the files that were looked at last.
pub struct Seen(Option<String>);

/// Puts the workspace in force, at start. Where it has mistakes, what is in force already stays; where nothing is, the
/// server does not start. Answers what is in force, and what was seen: [`watch()`] goes on from there.
///
/// # Errors
/// The mistakes, or the store's.
pub async fn put_in_force(
    store: &dyn Store,
    workspace: &Workspace,
    adapters: &BTreeSet<String>,
) -> anyhow::Result<(InForce, Seen)> {
    let read = workspace.read();
    let seen = Seen(Some(fingerprint(&read)));
    match compiled(read, Some(adapters)) {
        Ok(compiled) => Ok((set(store, &compiled).await?, seen)),
        Err(mistakes) => {
            let in_force = store.in_force().await?;
            if in_force.revision == 0 {
                bail!("the workspace has mistakes:\n\n{}", listed(&mistakes));
            }
            tell(&mistakes);
            Ok((in_force, seen))
        }
    }
}

/// Compare-and-set until this catalog is in force, by this node or another.
async fn set(store: &dyn Store, compiled: &Compiled) -> Result<InForce, StoreError> {
    let hash = &compiled.catalog.hash;
    for _ in 0..TRIES {
        let now = store.in_force().await?;
        if now.hash == *hash {
            return Ok(now);
        }
        store.put_catalog(hash, &compiled.files).await?;
        let next = InForce { revision: now.revision + 1, hash: hash.clone(), paused: now.paused };
        if store.set_in_force(now.revision, &next).await? {
            tracing::info!(catalog.hash = %hash, catalog.revision = next.revision, "a catalog is in force");
            return Ok(next);
        }
    }
    Err(StoreError::Away("other nodes keep changing what is in force".to_owned()))
}

/// Looks at the folder every second, and at once on SIGHUP. A broken file never replaces a good catalog. `seen` is what
/// was put in force at start: a file that changed since, however soon, is a change.
pub async fn watch(
    store: Arc<dyn Store>,
    workspace: Workspace,
    adapters: BTreeSet<String>,
    Seen(mut seen): Seen,
    stop: CancellationToken,
) {
    let mut hangup = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(problem) => {
            tracing::error!(error = %problem, "SIGHUP cannot be heard; the workspace is not watched");
            return;
        }
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
            _ = hangup.recv() => seen = None,
        }
        let reading = {
            let workspace = workspace.clone();
            tokio::task::spawn_blocking(move || workspace.read()).await
        };
        let Ok(read) = reading else { continue };
        let hash = fingerprint(&read);
        if seen.as_ref() == Some(&hash) {
            continue;
        }
        match compiled(read, Some(&adapters)) {
            Ok(compiled) => match set(&*store, &compiled).await {
                Ok(_) => seen = Some(hash),
                Err(problem) => tracing::warn!(error = %problem, "the new catalog waits for the store"),
            },
            Err(mistakes) => {
                seen = Some(hash);
                tell(&mistakes);
            }
        }
    }
}

/// Keeps the compiled catalogs that HTTP asks in step with what is in force.
pub async fn follow(
    shelf: Shelf,
    mut in_force: watch::Receiver<InForce>,
    catalogs: watch::Sender<Catalogs>,
    stop: CancellationToken,
) {
    let mut again = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = in_force.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK), if again => {}
        }
        again = false;
        let newest = in_force.borrow_and_update().clone();
        match shelf.get(&newest.hash).await {
            Ok(Some(catalog)) => {
                let by_hash = [(newest.hash.clone(), catalog)].into_iter().collect();
                catalogs.send_replace(Catalogs { in_force: newest, by_hash });
            }
            Ok(None) => tracing::error!(catalog.hash = %newest.hash, "this node cannot load the catalog in force"),
            Err(problem) => {
                again = true;
                tracing::warn!(error = %problem, "the catalog in force could not be read yet");
            }
        }
    }
}
