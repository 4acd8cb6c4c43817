//! `beckon source verify`: tries a source's profile on a recorded request, offline.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::catalog;
use crate::ingest::fixture::verify_fixture;
use crate::model::catalog::Files;
use crate::secret::Secret;

/// What to do with a source.
#[derive(Debug, Clone, Subcommand)]
pub enum Act {
    /// Check whether a profile accepts a recorded request, and show the events it makes of it
    Verify {
        /// The profile, such as sources/stripe.yaml
        file: PathBuf,
        /// The request: raw HTTP text, or a recording as JSON
        #[arg(long)]
        fixture: PathBuf,
        /// Use this secret instead of those that the profile names
        #[arg(long)]
        secret: Option<String>,
    },
}

/// Tries it; answers whether the request is accepted.
///
/// # Errors
/// Where a file cannot be read, or the profile has mistakes.
pub fn run(act: &Act) -> anyhow::Result<bool> {
    let Act::Verify { file, fixture, secret } = act;
    let profile = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let request = std::fs::read_to_string(fixture).with_context(|| format!("{} cannot be read", fixture.display()))?;
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("source.yaml");
    let files: Files = [(format!("sources/{name}"), profile)].into_iter().collect();
    let catalog = match catalog::compile(&files, None) {
        Ok(catalog) => catalog,
        Err(mistakes) => {
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            bail!("the profile has mistakes:\n\n{}", lines.join("\n\n"));
        }
    };
    let stem = name.split('.').next().unwrap_or(name);
    let Some(source) = catalog.sources.get(stem).or_else(|| catalog.sources.values().next()) else {
        bail!("{} holds no source", file.display());
    };
    let named = source.verify.as_ref().map(|verify| verify.secrets.clone()).unwrap_or_default();
    let secrets: Vec<Secret> = match secret {
        Some(secret) => vec![Secret::new(secret.clone())],
        None => named
            .iter()
            .filter_map(|name| match Secret::resolve(name, &|variable| std::env::var(variable).ok()) {
                Ok(secret) => Some(secret),
                Err(problem) => {
                    eprintln!("{problem}");
                    None
                }
            })
            .collect(),
    };
    let report = verify_fixture(source, &request, &secrets);
    match &report.unverified {
        Some(why) => println!("not accepted: {why}"),
        None => println!("accepted"),
    }
    for note in &report.notes {
        println!("note: {note}");
    }
    for event in &report.events {
        match event {
            Ok(event) => println!("{}", serde_json::to_string_pretty(event)?),
            Err(why) => println!("no event: {why}"),
        }
    }
    Ok(report.is_good())
}
