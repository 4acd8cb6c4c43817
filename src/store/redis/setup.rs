//! The first words with a server: what it is, what was fixed here at the first start, and what its settings keep.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RedisStore;
use redis::IntoConnectionInfo;
use redis::io::tcp::{TcpSettings, socket2};

use super::keys::Keys;
use super::link::Link;
use super::live::Live;
use super::scripts::Scripts;
use crate::store::{Settings, StoreError, Survives};

/// Grows with every change of keys or values.
const SCHEMA: u32 = 1;
/// After how long without an acknowledgement a connection is given up.
const GONE: Duration = Duration::from_secs(10);
/// An hour, which a slot of dedupe keys holds, in milliseconds.
const HOUR: u64 = 3_600_000;

/// Connects to the server that the settings name, and writes at the first start what is fixed from then on.
///
/// # Errors
/// [`StoreError::Unusable`]: the URL, the prefix or the server's version will not do. [`StoreError::Away`]: it cannot be
/// reached. [`StoreError::Newer`]: a newer build wrote what is there.
pub async fn connect(settings: &Settings) -> Result<RedisStore, StoreError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if settings.prefix.is_empty() || settings.prefix.len() > 64 || !settings.prefix.chars().all(plain) {
        return Err(StoreError::Unusable(
            "store.prefix takes 1 to 64 letters, digits, `_`, `.`, `:` and `-`".to_owned(),
        ));
    }
    // The message of the library may hold the URL, and that a password.
    let no_url = |e: redis::RedisError| StoreError::Unusable(format!("store.url is no Redis URL: {}", e.category()));
    let info = settings.url.as_str().into_connection_info().map_err(no_url)?.set_tcp_settings(tcp());
    let client = redis::Client::open(info).map_err(no_url)?;
    let link = Link::connect(&client, settings.min_replicas).await?;
    look_at(&link).await?;

    let window = settings.bounds.dedupe.0.div_ceil(HOUR).saturating_add(2);
    let meta = Keys::new(&settings.prefix, 0, 0).global("meta");
    let fixed = fix(&link, &meta, settings, window).await?;
    let text = |field: &str| fixed.get(field).and_then(|value| std::str::from_utf8(value).ok());
    let odd = || StoreError::Corrupt(format!("{meta} does not hold what was written at the first start"));
    let found: u32 = text("schema").and_then(|n| n.parse().ok()).ok_or_else(odd)?;
    if found > SCHEMA {
        return Err(StoreError::Newer {
            found,
            known: SCHEMA,
            place: format!("the Redis keys `{}:*`", settings.prefix),
        });
    }
    let partitions: u16 = text("partitions").and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or_else(odd)?;
    let slots: u64 = text("slots").and_then(|n| n.parse().ok()).filter(|n| *n > 2).ok_or_else(odd)?;
    let secret = fixed.get("secret").and_then(|secret| secret.as_slice().try_into().ok()).ok_or_else(odd)?;

    let keys = Keys::new(&settings.prefix, partitions, slots);
    let live = Live::connect(&client, &keys).await?;
    Ok(RedisStore { link, live, keys, scripts: Scripts::new(), bounds: settings.bounds, partitions, secret })
}

/// Small writes leave at once; and a server that vanished without a word is given up, so that a new connection is made.
fn tcp() -> TcpSettings {
    let probes = socket2::TcpKeepalive::new().with_time(GONE / 2).with_interval(GONE / 10);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(probes);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(GONE);
    settings
}

/// Refuses what is too old, and says what will go wrong.
async fn look_at(link: &Link) -> Result<(), StoreError> {
    let info: String = link.ask(redis::cmd("INFO").arg("everything")).await?;
    let value = |name: &str| {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim).unwrap_or_default()
    };
    let version = value("redis_version");
    let major: u32 = version.split('.').next().and_then(|n| n.parse().ok()).unwrap_or_default();
    if major < 7 {
        return Err(StoreError::Unusable(format!("Redis {version} is too old: Beckon needs 7.0 or newer")));
    }
    if value("redis_mode") == "cluster" {
        return Err(StoreError::Unusable(
            "this server is part of a cluster, which this build does not speak to".to_owned(),
        ));
    }
    let policy = value("maxmemory_policy");
    if !matches!(policy, "" | "noeviction") && value("maxmemory") != "0" {
        tracing::warn!(policy, "this Redis throws keys away when it is full, and Beckon's with them: set noeviction");
    }
    Ok(())
}

/// Writes what is not there yet, and answers what is. `slots` only grows: with a window that was made shorter, keys of the
/// longer one are still found.
async fn fix(
    link: &Link,
    meta: &str,
    settings: &Settings,
    slots: u64,
) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let secret: [u8; 16] = rand::random();
    let mut all = redis::pipe();
    all.cmd("HSETNX").arg(meta).arg("schema").arg(SCHEMA).ignore();
    all.cmd("HSETNX").arg(meta).arg("partitions").arg(settings.partitions.max(1)).ignore();
    all.cmd("HSETNX").arg(meta).arg("secret").arg(&secret[..]).ignore();
    all.cmd("HSETNX").arg(meta).arg("slots").arg(slots).ignore();
    all.cmd("HGETALL").arg(meta);
    let (mut fixed,): (BTreeMap<String, Vec<u8>>,) = link.ask_all(&all).await?;
    let known: Option<u64> = fixed.get("slots").and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
    if known.is_some_and(|known| known < slots) {
        link.ask::<i64>(redis::cmd("HSET").arg(meta).arg("slots").arg(slots)).await?;
        fixed.insert("slots".to_owned(), slots.to_string().into_bytes());
    }
    Ok(fixed)
}

/// The row of the server's settings as they are now.
pub(super) async fn survives(link: &Link) -> Result<Survives, StoreError> {
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg("appendonly").arg("appendfsync").arg("save");
    let settings: BTreeMap<String, String> = match link.ask(&get).await {
        Ok(settings) => settings,
        Err(StoreError::Away(why)) => {
            // A server may forbid the question; whether it is away is seen by one that none forbids.
            link.ask::<String>(&redis::cmd("PING")).await?;
            tracing::debug!(why, "the server does not tell its settings");
            BTreeMap::new()
        }
        Err(other) => return Err(other),
    };
    let is = |name: &str, value: &str| settings.get(name).is_some_and(|set| set == value);
    let (setting, machine_lost) = match () {
        () if settings.is_empty() => ("unknown settings", "unknown"),
        () if is("appendonly", "yes") && is("appendfsync", "always") => {
            ("appendonly yes, appendfsync always", "nothing that the disk kept")
        }
        () if is("appendonly", "yes") && is("appendfsync", "everysec") => {
            ("appendonly yes, appendfsync everysec", "up to about 1 s")
        }
        () if is("appendonly", "yes") => {
            ("appendonly yes, appendfsync no", "what the system had not written yet, often 30 s")
        }
        () if is("save", "") => ("no persistence", "everything"),
        () => ("snapshots only", "everything since the last snapshot"),
    };
    let (setting, machine_lost, primary_lost) = match link.replicas {
        0 => (setting.to_owned(), machine_lost, "what was not replicated"),
        n => (
            format!("{setting}, min_replicas {n}"),
            "nothing held by n replicas",
            "nothing, unless a replica without it is promoted",
        ),
    };
    Ok(Survives { store: "redis", setting, process_killed: "nothing lost", machine_lost, primary_lost })
}
