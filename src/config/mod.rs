//! The configuration: defaults < `beckon.toml` < `BECKON__SECTION__KEY` < flags; every mistake told at once.
//!
//! Not here: what the settings do (the parts that take them), playbooks and adapters (`catalog`).

mod check;
mod layers;
mod print;
mod read;
mod sections;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;

pub use check::{Checked, listed, run_check, schemas, together};
use check::{Named, named_source};
pub use print::{mask_url, print};
pub use read::{ConfigMistake, Secrets};
pub use settings::{Config, Engine, Http, Log, LogFormat};

use layers::{Item, Place, Tree};
use read::Reading;

/// Every setting with its default and what it does.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// The name of a workspace's file.
pub const FILE: &str = "beckon.toml";

/// What variables of the environment that set something begin with.
const PREFIX: &str = "BECKON__";

/// The largest file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// A setting from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as it was given, such as `--listen`.
    pub name: String,
    /// The key that it sets, such as `http.listen`.
    pub key: String,
    /// The value.
    pub value: String,
}

/// What a configuration is made of, beside the defaults.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The text of `beckon.toml`; empty where there is none.
    pub file: String,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Flags, later ones over earlier ones.
    pub flags: Vec<Flag>,
}

impl Input {
    /// Reads `beckon.toml` of a workspace; a workspace without one has only defaults.
    ///
    /// # Errors
    /// A mistake about the file as a whole.
    pub fn of_workspace(dir: &Path, env: BTreeMap<String, String>, flags: Vec<Flag>) -> Result<Input, ConfigMistake> {
        let path = dir.join(FILE);
        let whole = |message: String| ConfigMistake::Elsewhere { place: FILE.to_owned(), message, suggestion: None };
        let file = match std::fs::metadata(&path) {
            Ok(data) if data.len() > MAX_FILE => return Err(whole("the file is larger than 1 MiB".to_owned())),
            Ok(_) => {
                std::fs::read_to_string(&path).map_err(|problem| whole(format!("it cannot be read: {problem}")))?
            }
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(problem) => return Err(whole(format!("it cannot be read: {problem}"))),
        };
        Ok(Input { file, env, flags })
    }
}

/// Reads the configuration.
///
/// # Errors
/// Every mistake of every layer.
pub fn load(input: &Input, secrets: Secrets) -> Result<Config, Vec<ConfigMistake>> {
    let read = read_all(input, secrets);
    match read.config {
        Some(config) => Ok(config),
        None => Err(read.mistakes),
    }
}

/// The configuration as far as it could be read.
struct Read {
    /// All of it; none where there is any mistake.
    config: Option<Config>,
    /// What it says of the workspace, mistakes or not.
    named: Named,
    /// Every mistake of every layer.
    mistakes: Vec<ConfigMistake>,
}

fn read_all(input: &Input, secrets: Secrets) -> Read {
    let env = |name: &str| input.env.get(name).cloned();
    let mut reading = Reading {
        file: FILE,
        text: &input.file,
        env: &env,
        secrets,
        plain: &sections::plain_keys(),
        mistakes: Vec::new(),
    };
    let table = join_layers(input, &mut reading);
    let root = sections::root(&table);
    reading.keys(&root, sections::ROOT);
    let http = sections::http(&mut reading, &root);
    let mut chat = sections::chat(&mut reading, &root);
    let attachments = sections::attachments(&mut reading, &root);
    if let (Some(chat), Some(attachments)) = (&mut chat, attachments) {
        chat.attachments = attachments;
    }
    let store = sections::store(&mut reading, &root);
    let record = sections::record(&mut reading, &root);
    let models = sections::models(&mut reading, &root);
    let adapters = sections::adapters(&mut reading, &root);
    let notify = sections::notify(&mut reading, &root);
    let dashboard = sections::dashboard(&mut reading, &root);
    let engine = sections::engine(&mut reading, &root);
    let log = sections::log(&mut reading, &root);
    if let (Some(store), Some(record), Some(engine)) = (&store, &record, &engine)
        && sections::is_shared(store)
        && record.url.reveal().starts_with("sqlite:")
        && !engine.single
    {
        let help = "set `record.url` to a postgres:// address, or say `--single` where there is only one node";
        let message = "a SQLite record beside a shared store is lost to other nodes";
        reading.at(&place_of(&table, "store", "url"), message, Some(help.to_owned()));
    }
    let named = Named {
        playbook: chat.as_ref().and_then(|chat| chat.playbook.clone()),
        sources: http.iter().flat_map(|http| &http.keys).filter_map(named_source).collect(),
        adapters: sections::adapter_names(&root),
    };
    let config = match (http, chat, store, record, dashboard, engine, log) {
        (Some(http), Some(chat), Some(store), Some(record), Some(dashboard), Some(engine), Some(log))
            if reading.mistakes.is_empty() =>
        {
            Some(Config { http, chat, store, record, models, adapters, notify, dashboard, engine, log })
        }
        _ => None,
    };
    Read { config, named, mistakes: in_order(reading.mistakes) }
}

/// Mistakes of the file as they stand in it, then those of other places.
fn in_order(mut mistakes: Vec<ConfigMistake>) -> Vec<ConfigMistake> {
    mistakes.sort_by_key(|mistake| match mistake {
        ConfigMistake::InFile(mistake) => (mistake.line, mistake.column),
        ConfigMistake::Elsewhere { .. } => (usize::MAX, 0),
    });
    mistakes
}

fn join_layers(input: &Input, reading: &mut Reading<'_>) -> BTreeMap<String, Item> {
    // The defaults are part of the binary; a test reads them.
    let (mut table, _) = layers::parse(DEFAULTS, &|_| Place::Default);
    let (file, broken) = layers::parse(&input.file, &Place::File);
    for broken in broken {
        reading.at(&broken.place, broken.message, None);
    }
    layers::join(&mut table, file);

    let mut settings: Vec<(Vec<String>, &String, &String)> = input
        .env
        .iter()
        .filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX)?;
            Some((path.split("__").map(str::to_lowercase).collect(), name, value))
        })
        .collect();
    // Shorter names first: `BECKON__MODEL` is the list that `BECKON__MODEL__0__URL` changes.
    settings.sort_by_key(|(path, _, _)| {
        let numbered: Vec<(Option<usize>, String)> =
            path.iter().map(|part| (part.parse().ok(), part.clone())).collect();
        (path.len(), numbered)
    });
    for (path, name, value) in settings {
        put(&mut table, &path, value, Place::Env(name.clone()), reading);
    }
    for flag in &input.flags {
        let path: Vec<String> = flag.key.split('.').map(str::to_owned).collect();
        put(&mut table, &path, &flag.value, Place::Flag(flag.name.clone()), reading);
    }
    table
}

fn put(table: &mut BTreeMap<String, Item>, path: &[String], value: &str, place: Place, reading: &mut Reading<'_>) {
    let tree = layers::raw(value, &place);
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let done = match (tree, parts.split_last()) {
        // A table of the environment is joined with what is there, as one of the file is.
        (Tree::Table(over), Some(_)) => {
            let mut wrapped = Tree::Table(over);
            for part in parts.iter().skip(1).rev() {
                let item = Item { tree: wrapped, place: place.clone(), key: None };
                wrapped = Tree::Table(BTreeMap::from([((*part).to_owned(), item)]));
            }
            let first = parts.first().copied().unwrap_or_default().to_owned();
            let item = Item { tree: wrapped, place: place.clone(), key: None };
            layers::join(table, BTreeMap::from([(first, item)]));
            Ok(())
        }
        (tree, _) => layers::put(table, &parts, tree, &place),
    };
    if let Err(message) = done {
        reading.at(&place, message, None);
    }
}

fn place_of(table: &BTreeMap<String, Item>, section: &str, key: &str) -> Place {
    let Some(Item { tree: Tree::Table(inner), place, .. }) = table.get(section) else { return Place::Default };
    inner.get(key).map_or_else(|| place.clone(), |item| item.place.clone())
}
