//! From the configuration to what a server is made of.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Connections, Setup, Workspace};
use crate::config::Config;
use crate::engine::node;
use crate::http;
use crate::secret::Secret;

impl Setup {
    /// What a server of this configuration is made of. `folder` is what relative paths in it begin at.
    pub fn of(config: Config, workspace: Workspace, folder: &Path) -> Setup {
        let name = config.engine.node.unwrap_or_else(|| format!("{}-{}", host(), std::process::id()));
        let limits = config.http.limits;
        Setup {
            data: folder.join(&config.engine.data),
            store: config.store,
            record: config.record.url.reveal().to_owned(),
            keep: config.record.keep,
            workspace,
            models: config.models,
            adapters: config.adapters,
            notify: config.notify,
            keys: config.http.keys,
            limits,
            connections: Connections { connections: config.http.max_connections, headers: limits.arrival },
            chat: config.chat,
            node: name,
            engine: node::Settings {
                lease: config.engine.lease.duration(),
                batch: config.engine.batch,
                states: config.engine.states,
                runners: config.engine.runners,
            },
            dashboard: config.dashboard,
            script_pace: std::time::Duration::from_millis(25),
            secrets: secrets(std::env::vars().collect()),
            metrics: Arc::new(String::new),
        }
    }
}

/// Reads secrets of sources by the environment as it was at start.
fn secrets(env: BTreeMap<String, String>) -> http::ReadSecret {
    Arc::new(move |name| Secret::resolve(name, &|variable| env.get(variable).cloned()))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "node".to_owned() } else { name.to_owned() }
}
