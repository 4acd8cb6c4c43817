//! `beckon record`: looking after the record.

use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::serve::Overrides;
use crate::config::Secrets;
use crate::record::Record;

/// What to do with the record.
#[derive(Debug, Clone, Subcommand)]
pub enum Act {
    /// Drop everything that is listed or searched, and compute it anew from the archive
    Rebuild,
}

/// Does it.
///
/// # Errors
/// Where the record cannot be opened or rebuilt; it is as it was then.
pub async fn run(act: &Act, overrides: &Overrides) -> anyhow::Result<bool> {
    let Act::Rebuild = act;
    let config = overrides.config(Secrets::Leave)?;
    let data = overrides.base().join(&config.engine.data);
    let url = Overrides::record_url(&config)?;
    // A wrong folder must not become a new, empty record.
    Record::is_there(&url, &data).map_err(|why| anyhow::anyhow!("{why}: name its folder with --data"))?;
    let record = Record::open(&url, &data).await.context("the record cannot be opened")?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:40} {pos} of {len} lines")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let lines = record
        .rebuild(&mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    println!("{lines} lines of the archive gave the views anew");
    record.close().await;
    Ok(true)
}
