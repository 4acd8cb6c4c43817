//! `beckon send`: an event by hand.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, Posted};

/// The event.
// Its name would be the subcommand's own again.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Send {
    /// Its type, such as checkout.payment_failed
    pub event: String,
    /// Whom it concerns: the user id
    #[arg(long)]
    pub customer: Option<String>,
    /// Its data, as JSON
    #[arg(long, default_value = "{}")]
    pub data: String,
    /// Its source
    #[arg(long, default_value = "beckon-send")]
    pub source: String,
    /// Its id; made up where it is left out
    #[arg(long)]
    pub id: Option<String>,
}

/// Sends it and says what was answered.
///
/// # Errors
/// Where the data is no JSON, or the server does not take the event.
pub async fn run(send: &Send, client: &Client) -> anyhow::Result<bool> {
    let data: Value = serde_json::from_str(&send.data).context("--data is not JSON")?;
    let id = send.id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let mut event = json!({ "specversion": "1.0", "id": id, "source": send.source, "type": send.event, "data": data });
    if let (Some(customer), Value::Object(fields)) = (&send.customer, &mut event) {
        fields.insert("subject".to_owned(), json!(customer));
    }
    let posted = client.post_raw("/v1/events", "application/cloudevents+json", event.to_string()).await?;
    let Posted::Answer(answer) = posted else { bail!("the server is full; send it again in a moment") };
    let result = answer.pointer("/results/0").context("the server answered without a result")?;
    let word = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    println!("{} {}", word("status"), word("event"));
    println!("what became of it: beckon explain {}", word("event"));
    Ok(word("status") != "rejected")
}
