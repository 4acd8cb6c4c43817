//! `beckon check`: the whole workspace, its configuration included, without reading a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::catalog;
use crate::model::catalog::Catalog;

use super::read::{ConfigMistake, Secrets};
use super::settings::Config;
use super::{FILE, Input, load};

/// Checks the workspace in a folder; the report for people, and whether nothing is wrong. `BECKON__…` of the
/// environment count, for they may hold addresses; secrets are only named.
pub fn run_check(dir: &Path) -> (String, bool) {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let input = Input::of_workspace(dir, env, Vec::new());
    let has_file = dir.join(FILE).exists();
    let mut told: Vec<String> = Vec::new();
    let config = match input.map_err(|mistake| vec![mistake]).and_then(|input| load(&input, Secrets::Leave)) {
        Ok(config) => Some(config),
        Err(mistakes) => {
            told.extend(mistakes.iter().map(ToString::to_string));
            None
        }
    };
    // Where there is no configuration, or it has mistakes, addresses of adapters are not asked.
    let known: Option<BTreeSet<String>> =
        config.as_ref().filter(|_| has_file).map(|config| config.adapters.keys().cloned().collect());
    let compiled = catalog::read_workspace(dir).and_then(|files| catalog::compile(&files, known.as_ref()));
    match compiled {
        Ok(catalog) => {
            if let Some(config) = &config {
                told.extend(together(config, &catalog).iter().map(ToString::to_string));
            }
            let scenarios = catalog::read_scenarios(dir)
                .and_then(|files| catalog::scenario::compile_scenarios(&files, &catalog))
                .map(|suites| suites.iter().map(|suite| suite.scenarios.len()).sum());
            match scenarios {
                Ok(scenarios) if told.is_empty() => return (summary(&catalog, scenarios), true),
                Ok(_) => {}
                Err(mistakes) => told.extend(mistakes.iter().map(ToString::to_string)),
            }
        }
        Err(mistakes) => told.extend(mistakes.iter().map(ToString::to_string)),
    }
    let count = if told.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", told.len()) };
    (format!("{}\n\n{count}\n", told.join("\n")), false)
}

/// What configuration and catalog say of each other.
pub fn together(config: &Config, catalog: &Catalog) -> Vec<ConfigMistake> {
    let mut found = Vec::new();
    let mut missing = |message: String, name: &str, among: Vec<&str>| {
        let suggestion = catalog::did_you_mean(name, among);
        found.push(ConfigMistake::Elsewhere { place: FILE.to_owned(), message, suggestion });
    };
    if let Some(name) = &config.chat.playbook
        && !catalog.playbooks.contains_key(name)
    {
        let among = catalog.playbooks.keys().map(String::as_str).collect();
        missing(format!("`chat.playbook` names `{name}`, and there is no such playbook"), name, among);
    }
    for key in &config.http.keys {
        // Read as plain CloudEvents its events would concern somebody else, and nobody would be told.
        if let Some(name) = &key.source
            && !catalog.sources.contains_key(name)
        {
            let message = format!("the key `{}` names the source `{name}`, and there is none", key.name);
            missing(message, name, catalog.sources.keys().map(String::as_str).collect());
        }
    }
    found
}

fn summary(catalog: &Catalog, scenarios: usize) -> String {
    // Who looks into the wrong folder finds no mistake in it.
    let nothing = match catalog.playbooks.is_empty() {
        true => "There is no playbook in `playbooks/`: where this is not the folder, name another with --workspace.\n",
        false => "",
    };
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
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
