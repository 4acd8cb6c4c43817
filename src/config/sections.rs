//! Reads each section of the configuration. Where a mistake was noted the value is a stand-in that nobody sees.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use url::Url;

use crate::catalog::did_you_mean;
use crate::engine::notify;
use crate::http::keys::{ApiKey, Right};
use crate::http::limits::Limits;
use crate::http::{chat, dashboard};
use crate::model::attachment::FileType;
use crate::model::time::Millis;
use crate::secret::Secret;
use crate::{adapter, llm, store};

use super::layers::{Item, Tree};
use super::read::{Reading, SECRET, Secrets, Section};
use super::settings::{Engine, Http, Kept, Log, LogFormat};

/// Sections.
pub const ROOT: &[&str] =
    &["http", "chat", "attachments", "store", "record", "model", "adapter", "notify", "dashboard", "engine", "log"];
/// Keys of `[http]`.
pub const HTTP: &[&str] =
    &["listen", "api_key", "max_body", "max_batch", "max_item", "max_rate", "max_connections", "request_timeout"];
/// Keys of `[[http.api_key]]`.
pub const API_KEY: &[&str] = &["name", "key", "rights", "source", "browser"];
/// Keys of `[chat]`.
pub const CHAT: &[&str] = &[
    "origins",
    "identity_keys",
    "jwks_url",
    "audience",
    "anonymous",
    "playbook",
    "max_sockets",
    "max_sockets_a_customer",
    "max_queue",
    "max_rate",
    "max_burst",
    "max_refused",
    "spread",
];
/// Keys of `[attachments]`.
pub const ATTACHMENTS: &[&str] = &["enabled", "max_size", "max_count", "types", "max_customer", "max_total"];
/// Keys of `[store]`.
pub const STORE: &[&str] = &[
    "url",
    "prefix",
    "partitions",
    "min_replicas",
    "dedupe",
    "dedupe_keys",
    "inbox",
    "effects",
    "journal",
    "dead",
    "dead_a_customer",
];
/// Keys of `[record]`.
pub const RECORD: &[&str] = &["url", "keep"];
/// Keys of `[[model]]`.
pub const MODEL: &[&str] = &["name", "url", "model", "api_key", "first_token", "concurrency", "max_tokens"];
/// Keys of `[adapter.NAME]`.
pub const ADAPTER: &[&str] = &["url", "headers", "allow_private", "concurrency", "max_body"];
/// Keys of `[notify]`.
pub const NOTIFY: &[&str] = &["webhook", "secret", "allow_private"];
/// Keys of `[dashboard]`.
pub const DASHBOARD: &[&str] = &["proxy", "session", "live_pages"];
/// Keys of `[engine]`.
pub const ENGINE: &[&str] = &["node", "data", "single", "lease", "batch", "states", "runners"];
/// Keys of `[log]`.
pub const LOG: &[&str] = &["level", "format"];

/// What `[record] keep` says where nothing is let go.
pub const FOR_EVER: &str = "forever";

/// The least that is kept: what is under way may still ask for what was said.
const LEAST_KEEP: Millis = Millis::hours(24);

/// The least bytes of a key that signs customers' tokens.
const IDENTITY_KEY: usize = 32;

/// Keys whose values are no secrets.
pub fn plain_keys() -> Vec<&'static str> {
    let all =
        [HTTP, API_KEY, CHAT, ATTACHMENTS, STORE, RECORD, MODEL, ADAPTER, NOTIFY, DASHBOARD, ENGINE, LOG].concat();
    all.into_iter().filter(|key| !SECRET.contains(key)).collect()
}

/// How much is logged, from nothing to everything.
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

const RIGHTS: &[(&str, Right)] =
    &[("events", Right::Events), ("conversations", Right::Conversations), ("admin", Right::Admin)];

/// Shared stores: several nodes may use one.
const REDIS: &[&str] = &["redis://", "rediss://"];

const MIB: u64 = 1024 * 1024;

/// `[http]`.
pub fn http(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<Http> {
    let section = reading.section(root, "http", HTTP)?;
    let listen = reading.required(&section, "listen").map(|text| text.parse::<SocketAddr>());
    if let Some(Err(_)) = listen {
        let place = section.table.get("listen").map_or(section.place.clone(), |item| item.place.clone());
        let help = "an address and a port, such as `0.0.0.0:8080` or `[::]:8080`".to_owned();
        reading.at(&place, "`http.listen` is no address", Some(help));
    }
    let max_body = reading.size(&section, "max_body", 1024, 256 * MIB).unwrap_or_default();
    let max_item = reading.size(&section, "max_item", 1024, MIB).unwrap_or_default();
    if max_item > max_body && max_body > 0 {
        reading.at(&section.place, "`http.max_item` is larger than `http.max_body`", None);
    }
    Some(Http {
        listen: listen.and_then(Result::ok).unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        keys: api_keys(reading, &section),
        limits: Limits {
            body: max_body,
            items: reading.count(&section, "max_batch", 1, 100_000).unwrap_or_default(),
            item: max_item,
            rate: u32::try_from(reading.number(&section, "max_rate", 1, 1_000_000).unwrap_or_default())
                .unwrap_or_default(),
            arrival: span(reading, &section, "request_timeout", Millis::seconds(1), Millis::minutes(10)).duration(),
        },
        max_connections: reading.count(&section, "max_connections", 1, 1_000_000).unwrap_or_default(),
    })
}

fn api_keys(reading: &mut Reading<'_>, http: &Section<'_>) -> Vec<ApiKey> {
    let mut found: Vec<ApiKey> = Vec::new();
    for item in reading.list(http, "api_key") {
        let Some(section) = reading.table(item, "http.api_key".to_owned(), API_KEY) else { continue };
        let name = reading.required(&section, "name");
        let key = match reading.required(&section, "key") {
            Some(_) => reading.secret(&section, "key"),
            None => None,
        };
        let browser = reading.flag(&section, "browser").unwrap_or(false);
        let mut rights = Vec::new();
        for (word, place) in reading.texts(&section, "rights") {
            if let Some(right) = reading.one_of("http.api_key.rights", &word, &place, RIGHTS) {
                if browser && right != Right::Events {
                    reading.at(&place, "a key that stands in pages may only send events", None);
                }
                rights.push(right);
            }
        }
        match section.table.get("rights") {
            None => rights.push(Right::Events),
            Some(Item { tree: Tree::List(words), place, .. }) if words.is_empty() => {
                let help = "leave `rights` out for `events` alone".to_owned();
                reading.at(place, "a key without rights opens nothing", Some(help));
            }
            Some(_) => {}
        }
        let source = reading.text(&section, "source");
        let (Some(name), Some(key)) = (name, key) else { continue };
        if found.iter().any(|other| other.name == name) {
            reading.at(&section.place, format!("two keys have the name `{name}`"), None);
        }
        let is_known = reading.secrets == Secrets::Resolve;
        if let Some(other) = found.iter().find(|other| is_known && other.key.matches(key.reveal())) {
            reading.at(&section.place, format!("`{name}` is the same key as `{}`", other.name), None);
        }
        found.push(ApiKey { name, key, rights, source, browser });
    }
    found
}

/// `[chat]`.
pub fn chat(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<chat::Settings> {
    let section = reading.section(root, "chat", CHAT)?;
    let mut origins = Vec::new();
    for (text, place) in reading.texts(&section, "origins") {
        // What a browser sends: scheme, host and port, and nothing behind.
        let origin = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        match origin.map(|url| url.origin().ascii_serialization()) {
            Some(origin) if text.trim_end_matches('/').eq_ignore_ascii_case(&origin) => origins.push(origin),
            Some(origin) => {
                reading.at(&place, format!("`{text}` is no origin"), Some(format!("did you mean `{origin}`?")));
            }
            None => {
                let help = "written `https://shop.example`: scheme, host, and port where it is unusual".to_owned();
                reading.at(&place, format!("`{text}` is no origin"), Some(help));
            }
        }
    }
    let identity = chat::identity::Settings {
        keys: identity_keys(reading, &section),
        jwks: reading.url(&section, "jwks_url", &["https", "http"]),
        audience: reading.text(&section, "audience"),
        anonymous: reading.flag(&section, "anonymous").unwrap_or_default(),
    };
    let rate = |reading: &mut Reading<'_>, key| {
        let number = reading.number(&section, key, 1, 100_000).unwrap_or_default();
        u32::try_from(number).unwrap_or_default()
    };
    let bounds = chat::Bounds {
        sockets: reading.count(&section, "max_sockets", 1, 10_000_000).unwrap_or_default(),
        sockets_a_customer: reading.count(&section, "max_sockets_a_customer", 1, 10_000).unwrap_or_default(),
        queue: reading.size(&section, "max_queue", 64 * 1024, 64 * MIB).unwrap_or_default(),
        frames: rate(reading, "max_rate"),
        burst: rate(reading, "max_burst"),
        patience: rate(reading, "max_refused"),
    };
    let spread = span(reading, &section, "spread", Millis(100), Millis::minutes(10)).duration();
    let times = chat::Times { spread, ..chat::Times::default() };
    let playbook = reading.text(&section, "playbook");
    Some(chat::Settings {
        origins,
        identity,
        playbook,
        attachments: chat::attachments::Settings::default(),
        bounds,
        times,
    })
}

/// `[attachments]`.
pub fn attachments(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<chat::attachments::Settings> {
    let section = reading.section(root, "attachments", ATTACHMENTS)?;
    let enabled = reading.flag(&section, "enabled").unwrap_or_default();
    let max_size = reading.size(&section, "max_size", 1024, 20 * MIB).unwrap_or_default();
    let max_customer = reading.size(&section, "max_customer", 1024, 1024 * MIB).unwrap_or_default();
    if max_size > max_customer && max_customer > 0 {
        reading.at(&section.place, "`attachments.max_size` is larger than `attachments.max_customer`", None);
    }
    let max_total = reading.size(&section, "max_total", 1024, 1024 * 1024 * MIB).unwrap_or_default();
    if max_customer > max_total && max_total > 0 {
        reading.at(&section.place, "`attachments.max_customer` is larger than `attachments.max_total`", None);
    }
    let kinds: Vec<(&str, FileType)> = FileType::ALL.into_iter().map(|kind| (kind.media_type(), kind)).collect();
    let mut types = Vec::new();
    for (word, place) in reading.texts(&section, "types") {
        if let Some(kind) = reading.one_of("attachments.types", &word, &place, &kinds)
            && !types.contains(&kind)
        {
            types.push(kind);
        }
    }
    if types.is_empty() && enabled {
        let help = "to take no files, say `enabled = false`".to_owned();
        reading.at(&section.place, "`attachments.types` is empty: no file would be taken", Some(help));
    }
    let max_count = reading.count(&section, "max_count", 1, 10).unwrap_or_default();
    Some(chat::attachments::Settings { enabled, max_size, max_count, types, max_customer, max_total })
}

/// `chat.identity_keys`. RFC 7518, 3.2: a key of HS256 has at least the size of its hash; a shorter one can be guessed
/// from a single token.
fn identity_keys(reading: &mut Reading<'_>, section: &Section<'_>) -> Vec<Secret> {
    let keys = reading.secret_list(section, "identity_keys");
    let is_named = |key: &Secret| ["env:", "file:"].iter().any(|kind| key.reveal().starts_with(kind));
    let unread = |key: &Secret| reading.secrets == Secrets::Leave && is_named(key);
    if keys.iter().any(|key| !unread(key) && key.reveal().len() < IDENTITY_KEY) {
        let place = section.table.get("identity_keys").map_or(section.place.clone(), |item| item.place.clone());
        let message = format!("a key of `chat.identity_keys` has fewer than {IDENTITY_KEY} bytes");
        reading.at(&place, message, Some("make one with `openssl rand -hex 32`".to_owned()));
    }
    keys
}

/// `[store]`.
pub fn store(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<store::Settings> {
    let section = reading.section(root, "store", STORE)?;
    let url = address(reading, &section, &[&["embedded:"], REDIS].concat());
    let prefix = reading.required(&section, "prefix").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if prefix.len() > 32 || !prefix.chars().all(plain) {
        let place = section.table.get("prefix").map_or(section.place.clone(), |item| item.place.clone());
        reading.at(&place, "`store.prefix` has letters, digits, `-`, `_` and `.`, at most 32", None);
    }
    let partitions = reading.number(&section, "partitions", 1, 1_024).unwrap_or_default();
    let replicas = reading.number(&section, "min_replicas", 0, 16).unwrap_or_default();
    if replicas > 0 && url.reveal().starts_with("embedded:") {
        let place = section.table.get("min_replicas").map_or(section.place.clone(), |item| item.place.clone());
        reading.at(&place, "`store.min_replicas` does nothing: the embedded store has no replicas", None);
    }
    let mut number = |key, most| reading.number(&section, key, 1, most).unwrap_or_default();
    let (inbox, effects) = (number("inbox", 100_000_000), number("effects", 10_000_000));
    let (journal, dead) = (number("journal", 100_000_000), number("dead", 10_000_000));
    let dead_a_customer = number("dead_a_customer", 10_000_000);
    let dedupe_keys = number("dedupe_keys", 100_000_000_000);
    let dedupe = span(reading, &section, "dedupe", Millis::minutes(1), Millis::hours(24 * 30));
    Some(store::Settings {
        url: url.reveal().to_owned(),
        prefix,
        partitions: u16::try_from(partitions).unwrap_or_default(),
        min_replicas: u32::try_from(replicas).unwrap_or_default(),
        bounds: store::Bounds { inbox, effects, journal, dedupe_keys, dedupe, dead, dead_a_customer },
    })
}

/// Whether several nodes may use this store.
pub fn is_shared(store: &store::Settings) -> bool {
    REDIS.iter().any(|scheme| store.url.starts_with(scheme))
}

/// `[record]`.
pub fn record(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<Kept> {
    let section = reading.section(root, "record", RECORD)?;
    let url = address(reading, &section, &["sqlite:", "postgres://", "postgresql://"]);
    let keep = reading.span_or(&section, "keep", FOR_EVER, LEAST_KEEP);
    Some(Kept { url, keep })
}

/// An address that begins with one of these.
fn address(reading: &mut Reading<'_>, section: &Section<'_>, kinds: &[&str]) -> Secret {
    let url = reading.required(section, "url").and_then(|_| reading.secret(section, "url"));
    let Some(url) = url else { return Secret::new("") };
    let named = ["env:", "file:"].iter().any(|kind| url.reveal().starts_with(kind));
    let unread = named && reading.secrets == Secrets::Leave;
    if !unread && !kinds.iter().any(|kind| url.reveal().starts_with(kind)) {
        let place = section.table.get("url").map_or(section.place.clone(), |item| item.place.clone());
        let words: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
        reading.at(&place, format!("`{}.url` begins with one of {}", section.name, words.join(", ")), None);
    }
    url
}

/// `[[model]]`.
pub fn models(reading: &mut Reading<'_>, root: &Section<'_>) -> Vec<llm::Settings> {
    let mut found: Vec<llm::Settings> = Vec::new();
    for item in reading.list(root, "model") {
        let Some(section) = reading.table(item, "model".to_owned(), MODEL) else { continue };
        let name = reading.required(&section, "name");
        let url = match reading.required(&section, "url") {
            Some(_) => reading.url(&section, "url", &["https", "http"]),
            None => None,
        };
        let model = reading.required(&section, "model");
        let api_key = reading.secret(&section, "api_key");
        let first_token = given(&section, "first_token", Millis::seconds(8), |key| {
            span(reading, &section, key, Millis(100), Millis::seconds(20))
        });
        let concurrency =
            given(&section, "concurrency", 16, |key| reading.count(&section, key, 1, 10_000).unwrap_or_default());
        let max_tokens =
            given(&section, "max_tokens", 1024, |key| reading.number(&section, key, 16, 100_000).unwrap_or_default());
        let (Some(name), Some(url), Some(model)) = (name, url, model) else { continue };
        if found.iter().any(|other| other.name == name) {
            reading.at(&section.place, format!("two models have the name `{name}`"), None);
        }
        found.push(llm::Settings {
            name,
            url: url.as_str().trim_end_matches('/').to_owned(),
            model,
            api_key,
            first_token: first_token.duration(),
            concurrency,
            max_tokens: u32::try_from(max_tokens).unwrap_or_default(),
        });
    }
    found
}

/// `[adapter.NAME]`.
pub fn adapters(reading: &mut Reading<'_>, root: &Section<'_>) -> BTreeMap<String, adapter::Settings> {
    let mut found = BTreeMap::new();
    let Some(section) = reading.section(root, "adapter", &[]) else { return found };
    for (name, item) in section.table {
        let Some(section) = reading.table(item, format!("adapter.{name}"), ADAPTER) else { continue };
        let url = match reading.required(&section, "url") {
            Some(_) => reading.url(&section, "url", &["https", "http"]),
            None => None,
        };
        let headers = headers(reading, &section);
        let allow_private = reading.flag(&section, "allow_private").unwrap_or(false);
        let concurrency =
            given(&section, "concurrency", 32, |key| reading.count(&section, key, 1, 10_000).unwrap_or_default());
        let max_body = given(&section, "max_body", 256 * 1024, |key| {
            reading.size(&section, key, 1024, 16 * MIB).unwrap_or_default()
        });
        let Some(url) = url else { continue };
        found.insert(name.clone(), adapter::Settings { url, headers, allow_private, concurrency, max_body });
    }
    found
}

/// Names of `[adapter.NAME]`, those with mistakes too.
pub fn adapter_names(root: &Section<'_>) -> BTreeSet<String> {
    match root.table.get("adapter") {
        Some(Item { tree: Tree::Table(table), .. }) => table.keys().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

fn headers(reading: &mut Reading<'_>, adapter: &Section<'_>) -> Vec<(String, Secret)> {
    let Some(section) = reading.section(adapter, "headers", &[]) else { return Vec::new() };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, item) in section.table {
        let lower = name.to_ascii_lowercase();
        let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~".contains(&b));
        let own = ["host", "content-length", "transfer-encoding", "connection"];
        if !token || own.contains(&lower.as_str()) {
            reading.at(&item.place, format!("`{name}` cannot be the name of a header"), None);
            continue;
        }
        if !seen.insert(lower.clone()) {
            reading.at(&item.place, format!("the header `{name}` is here twice"), None);
        }
        let Some(value) = reading.secret(&section, name) else { continue };
        if value.reveal().bytes().any(|b| b < b' ' || b == 127) {
            reading.at(&item.place, format!("`{}.{name}` has characters that no header has", section.name), None);
            continue;
        }
        found.push((lower, value));
    }
    found
}

/// `[notify]`; none: nowhere.
pub fn notify(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<notify::Settings> {
    let section = reading.section(root, "notify", NOTIFY)?;
    let url = reading.url(&section, "webhook", &["https", "http"]);
    let secret = reading.secret(&section, "secret");
    let allow_private = reading.flag(&section, "allow_private").unwrap_or_default();
    Some(notify::Settings { url: url?, secret, allow_private })
}

/// `[engine]`.
pub fn engine(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<Engine> {
    let section = reading.section(root, "engine", ENGINE)?;
    let node = reading.text(&section, "node");
    if node.as_ref().is_some_and(|node| node.len() > 128 || node.chars().any(|c| c.is_control() || c.is_whitespace())) {
        reading.at(&section.place, "`engine.node` has at most 128 bytes and no spaces", None);
    }
    Some(Engine {
        node,
        data: PathBuf::from(reading.required(&section, "data").unwrap_or_default()),
        single: reading.flag(&section, "single").unwrap_or_default(),
        lease: span(reading, &section, "lease", Millis::seconds(2), Millis::seconds(60)),
        batch: reading.count(&section, "batch", 1, 4_096).unwrap_or_default(),
        states: reading.count(&section, "states", 1, 1_000_000).unwrap_or_default(),
        runners: reading.count(&section, "runners", 1, 4_096).unwrap_or_default(),
    })
}

/// `[dashboard]`.
pub fn dashboard(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<dashboard::Settings> {
    let section = reading.section(root, "dashboard", DASHBOARD)?;
    let proxy = reading.flag(&section, "proxy").unwrap_or_default();
    Some(dashboard::Settings {
        session: span(reading, &section, "session", Millis::minutes(5), Millis::hours(90 * 24)),
        front: if proxy { dashboard::Front::Proxy } else { dashboard::Front::Nothing },
        live_pages: reading.count(&section, "live_pages", 1, 100_000).unwrap_or_default(),
    })
}

/// `[log]`.
pub fn log(reading: &mut Reading<'_>, root: &Section<'_>) -> Option<Log> {
    let section = reading.section(root, "log", LOG)?;
    let level = reading.required(&section, "level").unwrap_or_default();
    let place = section.table.get("level").map_or(section.place.clone(), |item| item.place.clone());
    for directive in level.split(',').map(str::trim) {
        // A bare word that is no level would be a target: nothing but that target would be logged.
        let word = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)) {
            let help = "a level, or `target=level`; several with commas between them".to_owned();
            let suggestion = did_you_mean(word, LEVELS.iter().copied()).unwrap_or(help);
            reading.at(&place, format!("`log.level` has `{word}`, which is no level"), Some(suggestion));
        }
    }
    let format = reading.choice(&section, "format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    Some(Log { level, format: format.unwrap_or(LogFormat::Text) })
}

fn span(reading: &mut Reading<'_>, section: &Section<'_>, key: &str, least: Millis, most: Millis) -> Millis {
    reading.span(section, key, least, most).unwrap_or_default()
}

/// What is said, or a default where nothing is: for sections that may come many times.
fn given<T>(section: &Section<'_>, key: &str, default: T, read: impl FnOnce(&str) -> T) -> T {
    if section.table.contains_key(key) { read(key) } else { default }
}

/// The root of the configuration as a section.
pub fn root(table: &BTreeMap<String, Item>) -> Section<'_> {
    Section { name: String::new(), table, place: super::layers::Place::Default }
}
