//! Reads, checks and compiles a workspace into `model::catalog`. Pure but for [`read_workspace`].
//!
//! All mistakes of all files are found in one run, each with its line, a caret and what was perhaps meant: YAML is read
//! into a tree that knows its places (`yaml`), and the readers (`playbook`, `script`, `adapter`, `source`) go
//! on after a mistake. Words are compiled by `words`, conditions by `expression`.
//!
//! Not here: evaluating conditions and rendering words (`trigger`, `dialogue`), addresses and keys (`config`).

mod adapter;
mod asked;
mod collide;
mod expression;
mod files;
mod kinds;
mod logic;
mod mistake;
mod never;
mod operation;
mod playbook;
mod reach;
mod read;
mod reads;
mod restraint;
pub mod scenario;
mod schema;
mod script;
mod seen;
mod shape;
mod source;
mod tags;
mod topic;
mod trigger;
mod walk;
mod words;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::catalog::{Catalog, Files, Playbook, Source, Trigger};
use crate::model::restraint::Contact;
use crate::model::time::Millis;

pub use asked::Asked;
pub use files::{
    Found, MAX_FILE, MAX_FILES, MAX_TOTAL, find_scenarios, find_workspace, hash, read_scenarios, read_workspace,
};
pub use mistake::{Mistake, Spot, did_you_mean, nearest};
pub use schema::{adapter_schema, contact_schema, playbook_schema, scenario_schema, source_schema};
pub use seen::{Counted, Kinds, Seen};

use adapter::Adapters;
use mistake::{File, Mistakes};
use playbook::Reader;
use read::Reading;
use restraint::CONTACT_FILE;
use words::Words;
use yaml::{Kind, Node};

/// Compiles a workspace. `known_adapters` are those that the configuration has an address for; none: not asked.
///
/// # Errors
/// Every mistake of every file, by file and place.
pub fn compile(files: &Files, known_adapters: Option<&BTreeSet<String>>) -> Result<Catalog, Vec<Mistake>> {
    let draft = Draft::of(&Found { files: files.clone(), mistakes: Vec::new() }, known_adapters);
    if draft.mistakes.is_empty() { Ok(draft.catalog) } else { Err(draft.mistakes) }
}

/// A workspace as far as it could be read. What only a catalog without mistakes tells is not asked of one with some:
/// a name that a broken file was to give is not missing.
#[derive(Debug, Default)]
pub struct Draft {
    /// What could be read; a catalog to run only where there are no mistakes.
    pub catalog: Catalog,
    /// Every mistake of every file, by file and place.
    pub mistakes: Vec<Mistake>,
    /// Whether it has every playbook that was written.
    pub has_playbooks: bool,
    /// Whether it has every operation that was written.
    pub has_operations: bool,
    /// Whether it has every source that was written.
    pub has_sources: bool,
    /// The playbooks with the trees that they were read from.
    written: Vec<Written>,
}

/// A playbook and the tree that it was read from: what is told of a whole playbook has its place there.
#[derive(Debug)]
struct Written {
    path: String,
    root: Node,
    playbook: Arc<Playbook>,
}

impl Written {
    /// Triggers with what they were read from. Each was read where nothing is wrong.
    fn triggers(&self) -> impl Iterator<Item = (&Node, &Trigger)> {
        let items = match self.root.get("on").map(|on| &on.kind) {
            Some(Kind::List(items)) => items.as_slice(),
            _ => &[],
        };
        items.iter().zip(&self.playbook.on)
    }
}

impl Draft {
    /// Compiles what was found; see [`compile`].
    pub fn of(found: &Found, known_adapters: Option<&BTreeSet<String>>) -> Draft {
        let mut mistakes = Mistakes::default();
        bounds(&found.files, &mut mistakes);
        if mistakes.len() > 0 {
            let mistakes = found.mistakes.iter().cloned().chain(mistakes.into_sorted()).collect();
            return Draft { mistakes, ..Draft::default() };
        }
        for missed in &found.mistakes {
            mistakes.add(missed.clone());
        }
        draft(found, known_adapters, mistakes)
    }

    /// What the workspace can be served with and does nothing, with places in `files`, which it was read from. Nothing
    /// where there are mistakes.
    pub fn hints(&self, files: &Files) -> Vec<Mistake> {
        let mut hints = Mistakes::default();
        for written in self.sound() {
            let file = file_of(files, &written.path);
            let losing =
                collide::losing(written, &self.written, &self.catalog.contact, |path| file_of(files, path), file);
            never::never(written, file).into_iter().chain(losing).for_each(|hint| hints.add(hint));
        }
        hints.into_sorted()
    }

    /// What of the playbooks reaches further than the record keeps what is over. Nothing where there are mistakes.
    pub fn beyond(&self, files: &Files, keep: Millis) -> Vec<Mistake> {
        let mut hints = Mistakes::default();
        for written in self.sound() {
            let beyond = reach::beyond(written, keep, file_of(files, &written.path));
            beyond.into_iter().for_each(|hint| hints.add(hint));
        }
        hints.into_sorted()
    }

    fn sound(&self) -> &[Written] {
        if self.mistakes.is_empty() { &self.written } else { &[] }
    }

    /// What its playbooks ask of events, with places in `files`, which it was read from. Nothing where there are mistakes.
    pub fn asked(&self, files: &Files) -> Vec<Asked> {
        self.sound().iter().flat_map(|written| asked::asked(written, file_of(files, &written.path))).collect()
    }
}

/// A file that was read.
fn file_of<'a>(files: &'a Files, path: &'a str) -> File<'a> {
    let text = files.get(path).and_then(|content| std::str::from_utf8(content).ok());
    File { path, text: text.unwrap_or_default() }
}

fn draft(found: &Found, known_adapters: Option<&BTreeSet<String>>, mut mistakes: Mistakes) -> Draft {
    let files = &found.files;
    let mut words = Words::new(found, &mut mistakes);

    let mut adapters = Adapters { missed: !found.has_all_of("adapters"), ..Adapters::default() };
    let before = mistakes.len();
    for (path, file) in yaml_files(files, "adapters/") {
        match open(path, file, &mut mistakes) {
            Some((file, root)) => {
                let mut reading = Reading { file, mistakes: &mut mistakes };
                adapters.read(&mut reading, &root, &mut words, known_adapters);
            }
            None => {
                let name = path.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
                adapters.unreadable.insert(name.to_owned());
            }
        }
    }

    let has_operations = mistakes.len() == before && !adapters.missed;

    let (sources, has_sources) = sources(files, &mut mistakes);
    let contact = contact(files, &mut mistakes);

    let mut playbooks: BTreeMap<String, Arc<Playbook>> = BTreeMap::new();
    let mut written = Vec::new();
    let mut has_playbooks = found.has_all_of("playbooks");
    for (path, file) in yaml_files(files, "playbooks/") {
        let before = mistakes.len();
        let read = open(path, file, &mut mistakes).and_then(|(file, root)| {
            let reading = Reading { file, mistakes: &mut mistakes };
            let mut reader = Reader { reading, words: &mut words, adapters: &adapters };
            reader.read(&root).map(|(playbook, spot)| (file, playbook, spot, root))
        });
        has_playbooks &= mistakes.len() == before;
        let Some((file, playbook, spot, root)) = read else { continue };
        if playbooks.contains_key(&playbook.name) {
            mistakes.at(file, spot, format!("another file is the playbook `{}` already", playbook.name));
        } else {
            let playbook = Arc::new(playbook);
            playbooks.insert(playbook.name.clone(), Arc::clone(&playbook));
            written.push(Written { path: path.to_owned(), root, playbook });
        }
    }

    let templates = words.finish(&mut mistakes);
    let mut catalog = Catalog {
        hash: hash(files),
        playbooks,
        operations: adapters.operations,
        sources,
        contact,
        templates,
        ..Catalog::default()
    };
    catalog.listen();
    Draft {
        catalog,
        mistakes: mistakes.into_sorted(),
        has_playbooks,
        has_operations,
        has_sources: has_sources && found.has_all_of("sources"),
        written,
    }
}

/// What holds for all playbooks; nothing where there is no such file.
fn contact(files: &Files, mistakes: &mut Mistakes) -> Contact {
    let read = files.get(CONTACT_FILE).and_then(|file| open(CONTACT_FILE, file, mistakes));
    let read = read.and_then(|(file, root)| restraint::contact(&mut Reading { file, mistakes }, &root));
    read.unwrap_or_default()
}

/// Sources of the workspace, and shipped profiles that none of them stands for; and whether each could be read.
fn sources(files: &Files, mistakes: &mut Mistakes) -> (BTreeMap<String, Arc<Source>>, bool) {
    let before = mistakes.len();
    let mut sources: BTreeMap<String, Arc<Source>> = BTreeMap::new();
    for (path, file) in yaml_files(files, "sources/") {
        let Some((file, root)) = open(path, file, mistakes) else { continue };
        let Some(source) = source::read(&mut Reading { file, mistakes }, &root) else { continue };
        if sources.contains_key(&source.name) {
            let spot = root.get("source").map(|node| node.spot).unwrap_or_default();
            mistakes.at(file, spot, format!("another file is the source `{}` already", source.name));
        } else {
            sources.insert(source.name.clone(), Arc::new(source));
        }
    }
    let has_all = mistakes.len() == before;
    for (name, text) in source::SHIPPED {
        if !sources.contains_key(*name) {
            let file = File { path: name, text };
            let read =
                yaml::parse(file, mistakes).and_then(|root| source::read(&mut Reading { file, mistakes }, &root));
            sources.extend(read.map(|source| ((*name).to_owned(), Arc::new(source))));
        }
    }
    (sources, has_all)
}

fn yaml_files<'a>(files: &'a Files, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    files
        .range(folder.to_owned()..)
        .take_while(move |(path, _)| path.starts_with(folder))
        .filter(move |(path, _)| path.ends_with(".yaml") || path.ends_with(".yml"))
        .filter(move |(path, _)| !path.get(folder.len()..).unwrap_or_default().contains('/'))
        .map(|(path, content)| (path.as_str(), content.as_slice()))
}

fn open<'a>(path: &'a str, content: &'a [u8], mistakes: &mut Mistakes) -> Option<(File<'a>, Node)> {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(problem) => {
            let good = content.get(..problem.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok());
            let file = File { path, text: good.unwrap_or_default() };
            mistakes.at(file, Spot { start: problem.valid_up_to(), end: 0 }, "from here the file is not UTF-8");
            return None;
        }
    };
    let file = File { path, text };
    yaml::parse(file, mistakes).map(|root| (file, root))
}

/// YAML as JSON, for checking it against a schema; none where it is not YAML.
pub fn yaml_to_json(text: &str) -> Option<serde_json::Value> {
    let mut mistakes = Mistakes::default();
    let root = yaml::parse(File { path: "", text }, &mut mistakes)?;
    (mistakes.len() == 0).then(|| root.to_json())
}

/// The bounds of [`read_workspace`], for files that come from elsewhere.
fn bounds(files: &Files, mistakes: &mut Mistakes) {
    for (path, content) in files {
        if u64::try_from(content.len()).unwrap_or(u64::MAX) > MAX_FILE {
            mistakes.add(Mistake::whole(path, format!("the file is larger than {} KiB", MAX_FILE / 1024)));
        }
        if path.split('/').any(|part| part == ".." || part.is_empty()) {
            mistakes.add(Mistake::whole(path, "this path leaves the workspace"));
        }
    }
    if files.len() > MAX_FILES {
        mistakes.add(Mistake::whole(".", format!("the workspace has more than {MAX_FILES} files")));
    }
    if files.values().map(Vec::len).sum::<usize>() > MAX_TOTAL {
        mistakes.add(Mistake::whole(".", format!("the workspace is larger than {} MiB", MAX_TOTAL / 1024 / 1024)));
    }
}
