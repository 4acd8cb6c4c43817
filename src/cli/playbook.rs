//! `beckon playbook`: list, pause, resume.

use clap::Subcommand;
use comfy_table::{Table, presets};
use reqwest::Method;
use serde_json::Value;

use super::client::Client;

/// What to do with playbooks.
#[derive(Debug, Clone, Subcommand)]
pub enum Act {
    /// List them with their state
    List,
    /// Open nothing more by this playbook, and withdraw what nobody has seen yet
    Pause {
        /// Its name; `all` for every one
        name: String,
    },
    /// Let it open again
    Resume {
        /// Its name; `all` for every one
        name: String,
    },
}

/// Does it.
///
/// # Errors
/// Where the server cannot be asked, or refuses.
pub async fn run(act: &Act, client: &Client) -> anyhow::Result<bool> {
    match act {
        Act::List => {
            let list = client.get("/v1/playbooks").await?;
            let mut table = Table::new();
            table.load_style(presets::UTF8_HORIZONTAL_ONLY);
            table.set_header(["playbook", "state"]);
            for playbook in list.get("items").and_then(Value::as_array).into_iter().flatten() {
                let word = |name: &str| playbook.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let name = if word("name").is_empty() { word("playbook") } else { word("name") };
                table.add_row([name, word("state")]);
            }
            println!("{table}");
        }
        Act::Pause { name } => change(client, name, "pause", "paused").await?,
        Act::Resume { name } => change(client, name, "resume", "resumed").await?,
    }
    Ok(true)
}

async fn change(client: &Client, name: &str, verb: &str, done: &str) -> anyhow::Result<()> {
    let segment = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    client.call(Method::POST, &format!("/v1/playbooks/{segment}/{verb}"), None).await?;
    println!("{name} {done}");
    Ok(())
}
