//! `beckon revoke`: takes back an event that concerns many.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::explain;

/// Which event.
// Its name would be the subcommand's own again.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Revoke {
    /// Beckon's id of the event, as `beckon explain` and the dashboard show it
    pub event: String,
    /// Why: for the record, and for the assistant of conversations that are open
    #[arg(long)]
    pub reason: Option<String>,
}

/// Asks the server to, and prints what came of it so far.
///
/// # Errors
/// Where the server cannot be asked, or refuses.
pub async fn run(revoke: &Revoke, client: &Client) -> anyhow::Result<bool> {
    let path = format!("/v1/events/{}/revoke", explain::encode(&revoke.event));
    let answer = client.call(Method::POST, &path, Some(&json!({ "reason": revoke.reason }))).await?;
    let location = answer.get("location").and_then(Value::as_str).unwrap_or_default();
    let id = location.rsplit('/').next().unwrap_or_default().to_owned();
    explain::run(&explain::Explain { id, source: None, json: false }, client).await
}
