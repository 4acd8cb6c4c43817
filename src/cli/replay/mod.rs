//! `beckon replay`: recorded days through this workspace, and against another, without touching anybody.
//!
//! It reads the record and nothing else: a server may run meanwhile. What is printed depends on the record and the
//! workspaces alone, so that two runs are byte-identical; how long it took goes to standard error.

mod gate;
mod shown;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use super::given::folder;
use super::serve::Overrides;
use crate::app::workspace::listed;
use crate::catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Secrets};
use crate::model::catalog::Catalog;
use crate::model::decision::Judged;
use crate::model::ids::EventId;
use crate::model::time::{Millis, Ms};
use crate::record::Record;
use crate::rehearsal::difference::Difference;
use crate::rehearsal::replay::{Known, Replay as Run, Window};
use crate::rehearsal::tally::{Report, TokensSpent};

pub use gate::Gate;

/// Which days, and through what.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Replay {
    /// The first time that counts, such as 2026-11-01 or 2026-11-01T08:00:00Z; else all that is recorded counts
    #[arg(long, value_parser = time)]
    pub from: Option<Ms>,
    /// The first time that no longer counts; else all that is recorded counts
    #[arg(long, value_parser = time)]
    pub to: Option<Ms>,
    /// How much of the time before `--from` is run to warm up; else all that is recorded
    #[arg(long, value_parser = span)]
    pub warm_up: Option<Millis>,
    /// Another workspace: tell what this one would do differently from it
    #[arg(long, value_parser = folder)]
    pub against: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 where this holds, such as `contacts > +5%` or `openings > 1000`; may be given several times
    #[arg(long, value_parser = Gate::parse)]
    pub fail_if: Vec<Gate>,
    /// What a million tokens cost, for the estimate
    #[arg(long)]
    pub token_price: Option<f64>,
    /// What stands over the configuration.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// A time, or a day's beginning in UTC.
fn time(text: &str) -> Result<Ms, String> {
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    Ms::parse_rfc3339(&whole).ok_or_else(|| "a time such as 2026-11-01 or 2026-11-01T08:00:00Z is expected".to_owned())
}

fn span(text: &str) -> Result<Millis, String> {
    Millis::parse(text).ok_or_else(|| "a length of time such as 30d is expected".to_owned())
}

/// What was replayed and what it came to.
#[derive(Debug, serde::Serialize)]
pub struct Outcome {
    /// The first time that counts.
    pub from: Ms,
    /// The first that no longer does.
    pub to: Ms,
    /// The workspace's catalog.
    pub catalog: String,
    /// What it came to.
    pub report: Report,
    /// The other workspace, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// What another workspace came to, and the difference.
#[derive(Debug, serde::Serialize)]
pub struct Against {
    /// The other workspace's catalog.
    pub catalog: String,
    /// What it came to.
    pub report: Report,
    /// What the workspace does differently.
    pub difference: Difference,
    /// What the workspace makes of the events that opened only there.
    pub reasons: Vec<Judged>,
}

/// Replays; answers whether no `--fail-if` holds.
///
/// # Errors
/// Where a workspace has mistakes, or the record cannot be read.
pub async fn run(replay: &Replay) -> anyhow::Result<bool> {
    let config = replay.overrides.config(Secrets::Leave)?;
    let data = replay.overrides.base().join(&config.engine.data);
    let url = Overrides::record_url(&config)?;
    let record = Record::open_recorded(&url, &data).await.context("the record cannot be read")?;
    let end = record.recorded_until().await?;
    let window = Window {
        from: replay.from.unwrap_or_default(),
        to: replay.to.or(end.map(|end| end.plus(Millis(1)))).unwrap_or_default(),
    };
    if let Some(kept) =
        kept_from(&config, SystemClock.now()).filter(|kept| window.from < *kept && replay.from.is_some())
    {
        let keep = config.record.keep.unwrap_or_default();
        eprintln!("`record.keep` is {keep}: of what came before {kept}, only what is not over is left");
    }
    let begun = Instant::now();
    let outcome = outcome(replay, &record, window).await?;
    let took = begun.elapsed();
    record.close().await;
    if replay.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print!("{}", shown::text(&outcome, replay.token_price));
    }
    eprintln!("replayed in {} ms", took.as_millis());
    let mut good = true;
    for gate in &replay.fail_if {
        if let Some(why) = gate.holds(&outcome.report, outcome.against.as_ref()) {
            eprintln!("failed: {why}");
            good = false;
        }
    }
    Ok(good)
}

/// From when on all is kept; none where all is.
fn kept_from(config: &Config, now: Ms) -> Option<Ms> {
    config.record.keep.map(|keep| Ms(now.0.saturating_sub(keep.0)))
}

async fn outcome(replay: &Replay, record: &Record, window: Window) -> anyhow::Result<Outcome> {
    let catalog = compiled(&replay.overrides.workspace)?;
    let other = replay.against.as_deref().map(compiled).transpose()?;
    let mut this = Run::new(Arc::clone(&catalog), window);
    let mut there = other.as_ref().map(|other| Run::new(Arc::clone(other), window));
    let mut spent = TokensSpent::default();
    let first = replay.warm_up.map_or(Ms(0), |length| Ms(window.from.0.saturating_sub(length.0)));
    for partition in record.recorded_partitions().await? {
        let inputs = record.recorded(partition, first, window.to).await?;
        let known = Known::of(&inputs);
        known.tokens(&inputs, &mut spent);
        if let Some(there) = &mut there {
            there.partition(partition, inputs.iter().cloned(), &known);
            // Why this workspace does not open what the other one does is worth an example.
            this.watched.extend(there.openings().iter().map(|opening| opening.event));
        }
        this.partition(partition, inputs.into_iter(), &known);
    }
    let verdicts = std::mem::take(&mut this.verdicts);
    let report = this.finish().report(&spent);
    let against = other.zip(there).map(|(catalog, there)| {
        let there = there.finish().report(&spent);
        let difference = Difference::between(&report, &there);
        let reason = |event: EventId, playbook: &String| verdicts.get(&(event, playbook.clone())).cloned();
        let reasons = difference.gone.iter().filter_map(|gone| reason(gone.event, &gone.playbook)).collect();
        Against { catalog: catalog.hash.clone(), report: there, difference, reasons }
    });
    Ok(Outcome { from: window.from, to: window.to, catalog: catalog.hash.clone(), report, against })
}

/// A workspace, compiled; where its APIs are does not matter here.
fn compiled(workspace: &Path) -> anyhow::Result<Arc<Catalog>> {
    match catalog::read_workspace(workspace).and_then(|files| catalog::compile(&files, None)) {
        Ok(catalog) => Ok(Arc::new(catalog)),
        Err(mistakes) => bail!("the workspace {} has mistakes:\n\n{}", workspace.display(), listed(&mistakes)),
    }
}
