//! `beckon dead-letters`: inputs that could not be processed.

use clap::Subcommand;
use comfy_table::{Table, presets};
use reqwest::Method;
use serde_json::Value;

use super::client::Client;

/// What to do with dead letters.
#[derive(Debug, Clone, Subcommand)]
pub enum Act {
    /// List them, oldest first
    List,
    /// Show one whole
    Show {
        /// Its id
        id: String,
    },
    /// Put one back into the inbox
    Resend {
        /// Its id
        id: String,
    },
    /// Forget one
    Drop {
        /// Its id
        id: String,
    },
}

/// Does it. A list with something in it is something found.
///
/// # Errors
/// Where the server cannot be asked, or refuses.
pub async fn run(act: &Act, client: &Client) -> anyhow::Result<bool> {
    match act {
        Act::List => {
            let items = all(client).await?;
            if items.is_empty() {
                println!("there are no dead letters");
                return Ok(true);
            }
            let mut table = Table::new();
            table.load_style(presets::UTF8_HORIZONTAL_ONLY);
            table.set_header(["id", "at", "customer", "reason"]);
            for letter in &items {
                let word = |name: &str| letter.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                table.add_row([word("id"), word("at"), word("customer"), word("reason")]);
            }
            println!("{table}");
            return Ok(false);
        }
        Act::Show { id } => {
            let letter = client.get(&format!("/v1/dead-letters/{id}")).await?;
            println!("{}", serde_json::to_string_pretty(&letter)?);
        }
        Act::Resend { id } => {
            let answer = client.call(Method::POST, &format!("/v1/dead-letters/{id}/resend"), None).await?;
            println!("resent as {}", answer.get("event").and_then(Value::as_str).unwrap_or_default());
        }
        Act::Drop { id } => {
            client.call(Method::DELETE, &format!("/v1/dead-letters/{id}"), None).await?;
            println!("dropped");
        }
    }
    Ok(true)
}

/// All of them, page by page.
async fn all(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut path = "/v1/dead-letters".to_owned();
    loop {
        let page = client.get(&path).await?;
        items.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
        match page.get("cursor").and_then(Value::as_str) {
            Some(cursor) => path = format!("/v1/dead-letters?cursor={cursor}"),
            None => return Ok(items),
        }
    }
}
