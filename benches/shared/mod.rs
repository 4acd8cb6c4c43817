//! What several benchmarks share.

use beckon::model::time::Millis;
use beckon::store::{Bounds, Settings};

/// Partitions of the store.
pub const PARTITIONS: u16 = 64;

/// The store that the command line names, else the embedded one; nothing in it is ever full.
pub fn settings() -> Settings {
    let url = std::env::args().skip(1).find(|arg| arg.contains("://")).unwrap_or_else(|| "embedded:".to_owned());
    let bounds = Bounds {
        inbox: u64::MAX >> 12,
        effects: 10_000,
        journal: u64::MAX >> 12,
        dedupe_keys: u64::MAX >> 12,
        dedupe: Millis::hours(24),
        dead: 100,
        dead_a_customer: 50,
    };
    let prefix = format!("bench{}", std::process::id());
    Settings { url, prefix, partitions: PARTITIONS, min_replicas: 0, bounds }
}
