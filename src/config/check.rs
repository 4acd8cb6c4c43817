//! `beckon check`: the whole workspace, its configuration included, without reading a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::catalog::{self, Asked, Draft, Found};
use crate::http::keys::ApiKey;
use crate::model::catalog::Catalog;

use super::read::{ConfigMistake, Secrets};
use super::settings::Config;
use super::{FILE, Input, Read, read_all};

/// What checking a workspace came to.
#[derive(Debug)]
pub struct Checked {
    /// The report, for people.
    pub report: String,
    /// Whether nothing was found, but what is only to be known.
    pub good: bool,
    /// What the playbooks ask of events; none where there are mistakes.
    pub asked: Option<Vec<Asked>>,
}

/// Checks the workspace in a folder. `BECKON__…` of the environment count, for they may hold addresses; secrets are
/// only named.
pub fn run_check(dir: &Path) -> Checked {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let input = Input::of_workspace(dir, env, Vec::new());
    let has_file = input.is_ok() && dir.join(FILE).exists();
    let read = match input {
        Ok(input) => read_all(&input, Secrets::Leave),
        Err(mistake) => Read { config: None, named: Named::default(), mistakes: vec![mistake] },
    };
    // Where there is no configuration, or it cannot be read to its end, addresses of adapters are not asked.
    let is_read = has_file && !read.mistakes.iter().any(ConfigMistake::cuts_short);
    let workspace = catalog::find_workspace(dir);
    let draft = Draft::of(&workspace, is_read.then_some(&read.named.adapters));
    // A folder that is not there was told already.
    let found = if dir.is_dir() { catalog::find_scenarios(dir) } else { Found::default() };
    let scenarios = catalog::scenario::draft_scenarios(&found.files, &draft);

    let mut told: Vec<String> = read.mistakes.iter().map(ToString::to_string).collect();
    told.extend(read.named.against(&draft).iter().map(ToString::to_string));
    told.extend(draft.mistakes.iter().chain(&found.mistakes).map(ToString::to_string));
    match scenarios {
        Ok(suites) if told.is_empty() => {
            let scenarios = suites.iter().map(|suite| suite.scenarios.len()).sum();
            let asked = Some(draft.asked(&workspace.files));
            let hints: Vec<String> = draft.hints(&workspace.files).iter().map(ToString::to_string).collect();
            let keep = read.config.as_ref().and_then(|config| config.record.keep);
            let notes = keep.map(|keep| draft.beyond(&workspace.files, keep)).unwrap_or_default();
            let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
            let mut report = summary(&draft.catalog, scenarios);
            for (found, one) in [(&notes, "note"), (&hints, "hint")] {
                if !found.is_empty() {
                    report = format!("{report}\n{}", listed(found, one));
                }
            }
            return Checked { report, good: hints.is_empty(), asked };
        }
        Ok(_) => {}
        Err(mistakes) => told.extend(mistakes.iter().map(ToString::to_string)),
    }
    Checked { report: listed(&told, "mistake"), good: false, asked: None }
}

/// What was found, and how much.
pub fn listed(found: &[String], one: &str) -> String {
    format!("{}\n\n{}\n", found.join("\n"), count(found.len(), one))
}

fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// What a configuration says of the workspace it stands in.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// `chat.playbook`.
    pub(super) playbook: Option<String>,
    /// Names of keys, and the source that each names.
    pub(super) sources: Vec<(String, String)>,
    /// The adapters that have a section.
    pub(super) adapters: BTreeSet<String>,
}

/// A key's name and the source that it names.
pub(super) fn named_source(key: &ApiKey) -> Option<(String, String)> {
    key.source.as_ref().map(|source| (key.name.clone(), source.clone()))
}

/// What configuration and catalog say of each other.
pub fn together(config: &Config, catalog: &Catalog) -> Vec<ConfigMistake> {
    let named = Named {
        playbook: config.chat.playbook.clone(),
        sources: config.http.keys.iter().filter_map(named_source).collect(),
        adapters: config.adapters.keys().cloned().collect(),
    };
    named.missing(catalog, |_| true)
}

/// A kind of thing that a configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Playbook,
    Source,
    Adapter,
}

impl Named {
    fn against(&self, draft: &Draft) -> Vec<ConfigMistake> {
        self.missing(&draft.catalog, |kind| match kind {
            Kind::Playbook => draft.has_playbooks,
            Kind::Source => draft.has_sources,
            Kind::Adapter => draft.has_operations,
        })
    }

    /// What is named and not there, of the kinds that the catalog has all of.
    fn missing(&self, catalog: &Catalog, has_all: impl Fn(Kind) -> bool) -> Vec<ConfigMistake> {
        let mut found = Vec::new();
        let mut missing = |message: String, name: &str, among: Vec<&str>| {
            let suggestion = catalog::did_you_mean(name, among);
            found.push(ConfigMistake::Elsewhere { place: FILE.to_owned(), message, suggestion });
        };
        if let Some(name) = &self.playbook
            && has_all(Kind::Playbook)
            && !catalog.playbooks.contains_key(name)
        {
            let among = catalog.playbooks.keys().map(String::as_str).collect();
            missing(format!("`chat.playbook` names `{name}`, and there is no such playbook"), name, among);
        }
        for (key, name) in &self.sources {
            // Read as plain CloudEvents its events would concern somebody else, and nobody would be told.
            if has_all(Kind::Source) && !catalog.sources.contains_key(name) {
                let message = format!("the key `{key}` names the source `{name}`, and there is none");
                missing(message, name, catalog.sources.keys().map(String::as_str).collect());
            }
        }
        let used: BTreeSet<&str> = catalog.operations.keys().filter_map(|name| Some(name.split_once('.')?.0)).collect();
        for name in &self.adapters {
            if has_all(Kind::Adapter) && !used.contains(name.as_str()) {
                let message = format!("`[adapter.{name}]` does nothing: no file of `adapters/` describes it");
                missing(message, name, used.iter().copied().collect());
            }
        }
        found
    }
}

fn summary(catalog: &Catalog, scenarios: usize) -> String {
    // Who looks into the wrong folder finds no mistake in it.
    let nothing = match catalog.playbooks.is_empty() {
        true => "There is no playbook in `playbooks/`: where this is not the folder, name another with --workspace.\n",
        false => "",
    };
    format!(
        "The workspace is sound: {}, {}, {}. Catalog {}.\n{nothing}",
        count(catalog.playbooks.len(), "playbook"),
        count(catalog.operations.len(), "operation"),
        count(scenarios, "scenario"),
        catalog.hash.get(..12).unwrap_or_default()
    )
}

/// `beckon check --schema`: JSON Schemas of playbooks, adapters, sources, `contact.yaml` and scenarios, for editors.
pub fn schemas() -> Value {
    json!({
        "playbook": catalog::playbook_schema(),
        "adapter": catalog::adapter_schema(),
        "source": catalog::source_schema(),
        "contact": catalog::contact_schema(),
        "scenario": catalog::scenario_schema(),
    })
}
