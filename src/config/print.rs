//! Prints the configuration as TOML, with every secret masked.

use std::time::Duration;

use toml::{Table, Value};
use url::Url;

use crate::http::dashboard::Front;
use crate::http::keys::Right;
use crate::model::time::Millis;

use super::read::size_text;
use super::sections::FOR_EVER;
use super::settings::Config;

/// What stands for a secret.
const MASK: &str = "***";

/// The configuration as TOML. Secrets are `***`, also inside of addresses.
pub fn print(config: &Config) -> String {
    let mut root = Table::new();
    root.insert("http".to_owned(), http(config));
    root.insert("chat".to_owned(), chat(config));
    root.insert("attachments".to_owned(), attachments(config));
    root.insert("store".to_owned(), store(config));
    root.insert("record".to_owned(), record(config));
    if !config.models.is_empty() {
        root.insert("model".to_owned(), models(config));
    }
    if !config.adapters.is_empty() {
        root.insert("adapter".to_owned(), adapters(config));
    }
    root.insert("notify".to_owned(), notify(config));
    root.insert("dashboard".to_owned(), dashboard(config));
    root.insert("engine".to_owned(), engine(config));
    let mut log = Section::default();
    log.text("level", &config.log.level);
    log.text("format", config.log.format.as_str());
    root.insert("log".to_owned(), log.done());
    toml::to_string(&root).unwrap_or_default()
}

#[derive(Default)]
struct Section(Table);

impl Section {
    fn text(&mut self, key: &str, value: impl ToString) {
        self.0.insert(key.to_owned(), Value::String(value.to_string()));
    }

    fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: impl TryInto<i64>) {
        self.0.insert(key.to_owned(), Value::Integer(value.try_into().unwrap_or(i64::MAX)));
    }

    fn count(&mut self, key: &str, value: usize) {
        self.number(key, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn size(&mut self, key: &str, value: usize) {
        self.text(key, size_text(u64::try_from(value).unwrap_or(u64::MAX)));
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.0.insert(key.to_owned(), Value::Boolean(value));
    }

    fn list<T: ToString>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values = values.into_iter().map(|value| Value::String(value.to_string())).collect();
        self.0.insert(key.to_owned(), Value::Array(values));
    }

    fn done(self) -> Value {
        Value::Table(self.0)
    }
}

fn http(config: &Config) -> Value {
    let http = &config.http;
    let mut section = Section::default();
    section.text("listen", http.listen);
    section.size("max_body", http.limits.body);
    section.count("max_batch", http.limits.items);
    section.size("max_item", http.limits.item);
    section.count("max_rate", usize::try_from(http.limits.rate).unwrap_or(usize::MAX));
    section.count("max_connections", config.http.max_connections);
    section.text("request_timeout", millis(http.limits.arrival));
    let keys = http.keys.iter().map(|key| {
        let mut section = Section::default();
        section.text("name", &key.name);
        section.text("key", &key.key);
        section.list("rights", key.rights.iter().map(|right| right_word(*right)));
        section.maybe("source", key.source.as_deref());
        section.flag("browser", key.browser);
        section.done()
    });
    if !http.keys.is_empty() {
        section.0.insert("api_key".to_owned(), Value::Array(keys.collect()));
    }
    section.done()
}

fn chat(config: &Config) -> Value {
    let chat = &config.chat;
    let mut section = Section::default();
    section.list("origins", &chat.origins);
    section.list("identity_keys", &chat.identity.keys);
    section.maybe("jwks_url", chat.identity.jwks.as_ref().map(|url| mask_url(url.as_str())).as_deref());
    section.maybe("audience", chat.identity.audience.as_deref());
    section.flag("anonymous", chat.identity.anonymous);
    section.maybe("playbook", chat.playbook.as_deref());
    section.count("max_sockets", chat.bounds.sockets);
    section.count("max_sockets_a_customer", chat.bounds.sockets_a_customer);
    section.size("max_queue", chat.bounds.queue);
    section.number("max_rate", i64::from(chat.bounds.frames));
    section.number("max_burst", i64::from(chat.bounds.burst));
    section.number("max_refused", i64::from(chat.bounds.patience));
    section.text("spread", millis(chat.times.spread));
    section.done()
}

fn attachments(config: &Config) -> Value {
    let attachments = &config.chat.attachments;
    let mut section = Section::default();
    section.flag("enabled", attachments.enabled);
    section.size("max_size", attachments.max_size);
    section.count("max_count", attachments.max_count);
    section.list("types", attachments.types.iter().map(|kind| kind.media_type()));
    section.size("max_customer", attachments.max_customer);
    section.size("max_total", attachments.max_total);
    section.done()
}

fn store(config: &Config) -> Value {
    let store = &config.store;
    let mut section = Section::default();
    section.text("url", mask_url(&store.url));
    section.text("prefix", &store.prefix);
    section.number("partitions", i64::from(store.partitions));
    section.number("min_replicas", i64::from(store.min_replicas));
    section.text("dedupe", store.bounds.dedupe);
    section.number("dedupe_keys", store.bounds.dedupe_keys);
    section.number("inbox", store.bounds.inbox);
    section.number("effects", store.bounds.effects);
    section.number("journal", store.bounds.journal);
    section.number("dead", store.bounds.dead);
    section.number("dead_a_customer", store.bounds.dead_a_customer);
    section.done()
}

fn record(config: &Config) -> Value {
    let mut section = Section::default();
    section.text("url", mask_url(config.record.url.reveal()));
    section.text("keep", config.record.keep.map_or(FOR_EVER.to_owned(), |keep| keep.to_string()));
    section.done()
}

fn models(config: &Config) -> Value {
    let models = config.models.iter().map(|model| {
        let mut section = Section::default();
        section.text("name", &model.name);
        section.text("url", mask_url(&model.url));
        section.text("model", &model.model);
        section.maybe("api_key", model.api_key.as_ref().map(|_| MASK));
        section.text("first_token", millis(model.first_token));
        section.count("concurrency", model.concurrency);
        section.number("max_tokens", i64::from(model.max_tokens));
        section.done()
    });
    Value::Array(models.collect())
}

fn adapters(config: &Config) -> Value {
    let adapters = config.adapters.iter().map(|(name, adapter)| {
        let mut section = Section::default();
        section.text("url", mask_url(adapter.url.as_str()));
        let headers = adapter.headers.iter().map(|(name, value)| (name.clone(), Value::String(value.to_string())));
        section.0.insert("headers".to_owned(), Value::Table(headers.collect()));
        section.flag("allow_private", adapter.allow_private);
        section.count("concurrency", adapter.concurrency);
        section.size("max_body", adapter.max_body);
        (name.clone(), section.done())
    });
    Value::Table(adapters.collect())
}

fn notify(config: &Config) -> Value {
    let mut section = Section::default();
    if let Some(notify) = &config.notify {
        section.text("webhook", hide_path(&notify.url));
        section.maybe("secret", notify.secret.as_ref().map(|_| MASK));
        section.flag("allow_private", notify.allow_private);
    }
    section.done()
}

fn dashboard(config: &Config) -> Value {
    let dashboard = &config.dashboard;
    let mut section = Section::default();
    section.flag("proxy", dashboard.front == Front::Proxy);
    section.text("session", dashboard.session);
    section.count("live_pages", dashboard.live_pages);
    section.done()
}

fn engine(config: &Config) -> Value {
    let engine = &config.engine;
    let mut section = Section::default();
    section.maybe("node", engine.node.as_deref());
    section.text("data", engine.data.display());
    section.flag("single", engine.single);
    section.text("lease", engine.lease);
    section.count("batch", engine.batch);
    section.count("states", engine.states);
    section.count("runners", engine.runners);
    section.done()
}

/// An address without what may be secret in it: user and password, query and fragment. For logs too.
pub fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        // `embedded:` and `sqlite:PATH` have no such parts but a query.
        return match text.split_once(['?', '#']) {
            Some((before, _)) => format!("{before}?{MASK}"),
            None => text.to_owned(),
        };
    };
    // Where a password makes the address invalid, all before the last `@` is hidden: it may be anywhere there.
    let split = match Url::parse(text) {
        Ok(_) => rest.find(['?', '#']),
        Err(_) => rest.rfind('@').and_then(|at| Some(at + rest.get(at..)?.find(['?', '#'])?)),
    };
    let (place, tail) = rest.split_at(split.unwrap_or(rest.len()));
    let place = match place.rsplit_once('@') {
        Some((_, host)) => format!("{MASK}@{host}"),
        None => place.to_owned(),
    };
    let tail = if tail.is_empty() { String::new() } else { format!("?{MASK}") };
    format!("{scheme}://{place}{tail}")
}

/// An address of which only the host is shown: the path of a webhook is often its secret.
fn hide_path(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}/{MASK}", url.scheme(), url.host_str().unwrap_or_default())
}

fn millis(length: Duration) -> Millis {
    Millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

fn right_word(right: Right) -> &'static str {
    match right {
        Right::Events => "events",
        Right::Conversations => "conversations",
        Right::Admin => "admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_host_and_lose_their_secrets() {
        let cases = [
            ("redis://user:pa@ss@host:6379/0", "redis://***@host:6379/0"),
            ("redis://:p/w?d@host:6379", "redis://***@host:6379"),
            ("redis+cluster://:p@a:1,b:2", "redis+cluster://***@a:1,b:2"),
            ("postgres://u:p@h/db?sslmode=x&password=y", "postgres://***@h/db?***"),
            ("https://h/x?token=t", "https://h/x?***"),
            ("https://h/x#t", "https://h/x?***"),
            ("embedded:", "embedded:"),
            ("sqlite:/data/record.db", "sqlite:/data/record.db"),
            ("sqlite:x?key=1", "sqlite:x?***"),
        ];
        for (url, masked) in cases {
            assert_eq!(mask_url(url), masked);
        }
        assert_eq!(
            hide_path(&Url::parse("https://hooks.example/services/T0/B0").unwrap()),
            "https://hooks.example/***"
        );
    }
}
