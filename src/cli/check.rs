//! `beckon check`: what is wrong in a workspace, and with `--record` what its playbooks ask for that no recorded event has.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::given::folder;
use super::serve::Overrides;
use crate::catalog::{Asked, Counted, Kinds, Seen};
use crate::config::{self, Secrets};
use crate::record::{Record, RecordError};

/// The most events of one type that are looked at.
const MOST_OF_KIND: u32 = 1_000;
/// The most events of all types together.
const MOST_EVENTS: u32 = 200_000;

/// Which workspace, and what beside it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Check {
    /// The workspace
    #[arg(long, default_value = ".", value_parser = folder)]
    pub workspace: PathBuf,
    /// Print the JSON Schemas of playbooks, adapters and sources instead
    #[arg(long)]
    pub schema: bool,
    /// Read the record too, and tell which types were never recorded and which fields no recorded event carries; another
    /// record than the configured one by its address
    #[arg(long, value_name = "URL", num_args = 0..=1, conflicts_with = "schema")]
    pub record: Option<Option<String>>,
    /// The folder for all that this machine keeps, in which the record may be
    #[arg(long, requires = "record")]
    pub data: Option<PathBuf>,
}

/// Checks; answers whether nothing was found.
///
/// # Errors
/// Where the record cannot be read.
pub fn run(check: &Check) -> anyhow::Result<bool> {
    if check.schema {
        println!("{}", serde_json::to_string_pretty(&config::schemas())?);
        return Ok(true);
    }
    let checked = config::run_check(&check.workspace);
    print!("{}", checked.report);
    let Some(url) = &check.record else { return Ok(checked.good) };
    let Some(asked) = checked.asked else {
        println!("The record is compared once these are mended.");
        return Ok(false);
    };
    let compared = super::block_on(compared(check, url.clone(), asked))?;
    Ok(compared && checked.good)
}

/// Compares with the record; answers whether nothing was found.
async fn compared(check: &Check, url: Option<String>, asked: Vec<Asked>) -> anyhow::Result<bool> {
    let overrides = Overrides {
        workspace: check.workspace.clone(),
        listen: None,
        data: check.data.clone(),
        store: None,
        record: url,
        // Whether other nodes could read it is no matter here.
        single: true,
    };
    let config = overrides.config(Secrets::Leave)?;
    let data = overrides.base().join(&config.engine.data);
    let url = Overrides::record_url(&config)?;
    let record = Record::open_recorded(&url, &data).await.context("the record cannot be read")?;
    let mut seen = Seen::new(asked);
    let kinds = look(&record, &mut seen).await;
    let place = record.place().to_owned();
    record.close().await;
    let kinds = kinds.context("the record cannot be read")?;
    if kinds.names.is_empty() {
        println!("The record {place} has no events yet: nothing was compared.");
        return Ok(true);
    }
    let hints: Vec<String> = seen.hints(&kinds).iter().map(ToString::to_string).collect();
    if hints.is_empty() {
        println!("What the playbooks ask for is in the record {place}; events looked at: {}", seen.looked_at());
        return Ok(true);
    }
    print!("\n{}", config::listed(&hints, "hint"));
    println!("The record {place}; events looked at: {}", seen.looked_at());
    Ok(false)
}

/// Looks at what the record has of the types that are asked for.
async fn look(record: &Record, seen: &mut Seen) -> Result<Kinds, RecordError> {
    let mut kinds = Kinds { names: record.kinds().await?, ..Kinds::default() };
    let asked = seen.kinds();
    let share = MOST_EVENTS / u32::try_from(asked.len()).unwrap_or(u32::MAX).max(1);
    let most = MOST_OF_KIND.min(share);
    let counted = |(count, or_more): (u64, bool)| Counted { count, or_more };
    for kind in asked {
        let count = counted(record.count_of(&kind).await?);
        if count.count > 0 {
            record.newest_of(&kind, most, |event| seen.look(event)).await?;
        }
        kinds.counts.insert(kind, count);
    }
    for kind in seen.meant(&kinds) {
        let count = counted(record.count_of(&kind).await?);
        kinds.counts.insert(kind, count);
    }
    Ok(kinds)
}
