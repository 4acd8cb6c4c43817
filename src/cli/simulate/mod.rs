//! `beckon simulate`: drives a running server with events, customers and sockets, and prints what it measured.
//!
//! Two parts, either of which may be left out: a flood of events that nothing hears (how fast they are accepted, decided
//! and archived), and openings (how long from the event to `opened`, and from the customer's words to the first delta).

mod customer;
mod flood;
mod openings;
mod report;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::client::Client;
use crate::model::time::Millis;
use report::Report;

/// What to drive the server with.
// Its name would be the subcommand's own again.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Simulate {
    /// How many sockets are connected during the openings; 0 leaves this part out
    #[arg(long, default_value_t = 200)]
    pub sockets: usize,
    /// How many of them get an opening; the others are idle
    #[arg(long)]
    pub openings: Option<usize>,
    /// Openings a second
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// Have each customer write once their conversation is open, and wait for the first word
    #[arg(long)]
    pub talk: bool,
    /// What the customers write
    #[arg(long, default_value = "hello")]
    pub words: String,
    /// The type of the event that opens
    #[arg(long, default_value = "bench.opened")]
    pub event: String,
    /// Its data; `{n}` in texts becomes a number of its own
    #[arg(long, default_value = r#"{"id":"{n}","level":2,"total":89.5,"currency":"EUR"}"#)]
    pub data: String,
    /// The key that signs customers' tokens (`chat.identity_keys`)
    #[arg(long, env = "BECKON_IDENTITY_KEY", hide_env_values = true)]
    pub identity_key: Option<String>,
    /// The origin that sockets come from
    #[arg(long)]
    pub origin: Option<String>,
    /// How long to flood the server with events that nothing hears, such as 10s; 0s leaves this part out
    #[arg(long, default_value = "0s", value_parser = length)]
    pub flood: Millis,
    /// Events in one request of the flood; 1 sends them singly
    #[arg(long, default_value_t = 100)]
    pub batch: usize,
    /// Requests of the flood under way at once
    #[arg(long, default_value_t = 8)]
    pub concurrency: usize,
    /// Events a second of the flood; without it as many as the server takes
    #[arg(long)]
    pub flood_rate: Option<u32>,
    /// How many customers the flood is about
    #[arg(long, default_value_t = 10_000)]
    pub customers: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

fn length(text: &str) -> Result<Millis, String> {
    Millis::parse(text).ok_or_else(|| format!("`{text}` is not a length of time such as 10s or 2m"))
}

/// The stages of the server, as `/readyz` tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stages {
    /// Inputs not decided.
    pub undecided: u64,
    /// Journal lines not archived.
    pub lag: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Drives the server; answers whether nothing was lost or doubled, by what came on the sockets and by what the server has
/// on record afterwards.
///
/// # Errors
/// Where the server cannot be driven at all.
pub async fn run(simulate: &Simulate, client: Client) -> anyhow::Result<bool> {
    let client = Arc::new(client);
    let before = stages(&client).await.context("the server does not answer at /readyz")?;
    let mut report = Report::default();
    if simulate.flood.0 > 0 {
        report.flood = Some(flood::run(simulate, &client).await?);
    }
    if simulate.sockets > 0 {
        let Some(identity_key) = &simulate.identity_key else {
            bail!("openings need --identity-key (one of `chat.identity_keys`), to sign customers' tokens with");
        };
        report.openings = Some(openings::run(simulate, identity_key, &client).await?);
    }
    let after = stages(&client).await?;
    report.dead = after.dead.saturating_sub(before.dead);
    if simulate.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.text());
    }
    Ok(report.is_clean())
}

/// How full the server's stages are.
async fn stages(client: &Client) -> anyhow::Result<Stages> {
    let ready = client.get("/readyz").await?;
    let number = |name: &str| ready.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
    Ok(Stages {
        undecided: number("undecided_inputs"),
        lag: number("projector_lag_lines"),
        dead: number("dead_letters"),
    })
}

/// Waits until the server has decided and archived everything; answers how long that took.
///
/// # Errors
/// Where it does not within two minutes.
async fn settle(client: &Client) -> anyhow::Result<Duration> {
    let begun = std::time::Instant::now();
    loop {
        let stages = stages(client).await?;
        if stages.undecided == 0 && stages.lag == 0 {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > Duration::from_secs(120) {
            bail!("{} inputs undecided and {} lines not archived after two minutes", stages.undecided, stages.lag);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
