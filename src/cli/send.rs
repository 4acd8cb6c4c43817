//! `beckon send`: an event by hand.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, Posted};
use crate::model::ids::ActorId;

/// The event.
// Its name would be the subcommand's own again.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Send {
    /// Its type, such as checkout.payment_failed
    pub event: String,
    /// Whom it concerns: the user id, with or without `user:` before it
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

/// The user id that a customer was named by.
fn user_of(customer: &str) -> anyhow::Result<&str> {
    if customer.starts_with("anon:") {
        bail!(
            "--customer is a user id: an event of `beckon send` cannot be about an anonymous customer, whose id is a secret"
        );
    }
    let user = customer.strip_prefix("user:").unwrap_or(customer);
    if ActorId::parse(&format!("user:{user}")).is_err() {
        bail!("--customer is no user id");
    }
    Ok(user)
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
        fields.insert("subject".to_owned(), json!(user_of(customer)?));
    }
    let posted = client.post_raw("/v1/events", "application/cloudevents+json", event.to_string()).await?;
    let Posted::Answer(answer) = posted else { bail!("the server is full; send it again in a moment") };
    let result = answer.pointer("/results/0").context("the server answered without a result")?;
    let word = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    println!("{} {}", word("status"), word("event"));
    println!("what became of it: beckon explain {}", word("event"));
    Ok(word("status") != "rejected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_named_as_everywhere_or_by_the_id_alone() {
        assert_eq!(user_of("42").unwrap(), "42");
        assert_eq!(user_of("user:42").unwrap(), "42");
        assert!(user_of("anon:x").unwrap_err().to_string().contains("anonymous"));
        assert!(user_of("user:").is_err());
    }
}
