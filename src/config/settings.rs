//! The settings as the parts of Beckon take them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::engine::notify;
use crate::http::{chat, dashboard, keys, limits};
use crate::model::time::Millis;
use crate::secret::Secret;
use crate::{adapter, llm, store};

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server.
    pub http: Http,
    /// Customers' sockets.
    pub chat: chat::Settings,
    /// Live state.
    pub store: store::Settings,
    /// What is kept.
    pub record: Kept,
    /// Models, in order of preference.
    pub models: Vec<llm::Settings>,
    /// APIs by the adapter's name.
    pub adapters: BTreeMap<String, adapter::Settings>,
    /// Where people are told; none: nowhere.
    pub notify: Option<notify::Settings>,
    /// The operators' pages.
    pub dashboard: dashboard::Settings,
    /// This node.
    pub engine: Engine,
    /// What is logged.
    pub log: Log,
}

/// The `[http]` section.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Who may call the API.
    pub keys: Vec<keys::ApiKey>,
    /// Bounds of requests.
    pub limits: limits::Limits,
    /// The most connections at once.
    pub max_connections: usize,
}

/// The `[record]` section.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The database's address, which may hold a password.
    pub url: Secret,
    /// How long what is over is kept; none: for ever.
    pub keep: Option<Millis>,
}

/// The `[engine]` section.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The node's name; none: made of host and process.
    pub node: Option<String>,
    /// The folder for all that this machine keeps.
    pub data: PathBuf,
    /// Whether this is said to be the only node.
    pub single: bool,
    /// How long a partition's lease lasts without being renewed.
    pub lease: Millis,
    /// Inputs decided and committed at once.
    pub batch: usize,
    /// States of customers kept in memory by each partition.
    pub states: usize,
    /// Effects under way at once in each partition.
    pub runners: usize,
}

/// The `[log]` section.
#[derive(Debug, Clone)]
pub struct Log {
    /// A level or a filter.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl LogFormat {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}
