//! `beckon explain`: what became of an event, and why.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::client::Client;
use crate::model::ids::ActorId;

/// Which event.
// Its name would be the subcommand's own again.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Explain {
    /// Beckon's id of the event, the sender's, or a customer (`user:42`): what is under way and what would make it fire
    pub id: String,
    /// The sender's source, where the sender's id alone is not enough
    #[arg(long)]
    pub source: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks the server and prints the answer for people; waits a moment for an event that is not decided yet.
///
/// # Errors
/// Where the server cannot be asked.
pub async fn run(explain: &Explain, client: &Client) -> anyhow::Result<bool> {
    // A sender may call an event what it likes; then its source tells it apart.
    if explain.source.is_none()
        && let Ok(customer) = ActorId::parse(&explain.id)
    {
        return under_way(explain, &customer, client).await;
    }
    let events = find(explain, client).await?;
    if events.is_empty() {
        println!("there is no event `{}`", explain.id);
        return Ok(false);
    }
    for event in &events {
        if explain.json {
            println!("{}", serde_json::to_string_pretty(event)?);
        } else {
            println!("{}", story(event));
        }
    }
    Ok(true)
}

/// What is under way for a customer.
async fn under_way(explain: &Explain, customer: &ActorId, client: &Client) -> anyhow::Result<bool> {
    let answer = client.get(&format!("/v1/customers/{}/pending", encode(customer.as_str()))).await?;
    if explain.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(true);
    }
    let found = answer.get("pending").and_then(Value::as_array).cloned().unwrap_or_default();
    if found.is_empty() {
        println!("nothing is under way for {}", customer.masked());
    }
    for pending in &found {
        let name = pending.get("playbook").and_then(Value::as_str).unwrap_or("all playbooks");
        let key = Some(word(pending, "key")).filter(|key| !key.is_empty());
        println!("{name}{}", key.map(|key| format!(" for {key}")).unwrap_or_default());
        for line in ["condition", "stands", "next"].map(|field| word(pending, field)) {
            if !line.is_empty() {
                println!("  {line}");
            }
        }
    }
    Ok(true)
}

async fn find(explain: &Explain, client: &Client) -> anyhow::Result<Vec<Value>> {
    let is_ours = explain.id.parse::<crate::model::ids::EventId>().is_ok();
    let path = if is_ours { format!("/v1/events/{}", explain.id) } else { by_sender(explain) };
    let mut found = Vec::new();
    // What was just sent is decided in a moment, and in the record a moment after.
    for wait in [200, 200, 200, 200, 200, 200, 200, 200, 200, 0].map(Duration::from_millis) {
        let answer = client.get(&path).await?;
        found = match answer.get("items") {
            Some(items) => items.as_array().cloned().unwrap_or_default(),
            None => vec![answer],
        };
        let pending = |event: &Value| event.get("status").and_then(Value::as_str) == Some("pending");
        if !found.is_empty() && !found.iter().any(pending) {
            break;
        }
        tokio::time::sleep(wait).await;
    }
    Ok(found)
}

/// Text as part of a path.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A field as text; empty where it is not there.
fn word(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn by_sender(explain: &Explain) -> String {
    let source = explain.source.as_deref().map(|source| format!("&source={}", encode(source)));
    format!("/v1/events?id={}{}", encode(&explain.id), source.unwrap_or_default())
}

/// An event's story in lines.
fn story(event: &Value) -> String {
    let mut lines = vec![format!(
        "{} {} from {} about {}: {}",
        word(event, "event"),
        word(event, "type"),
        word(event, "source"),
        event.get("customer").and_then(Value::as_str).unwrap_or("nobody"),
        word(event, "status"),
    )];
    if let Some(back) = event.get("takes_back") {
        let reason = Some(word(back, "reason")).filter(|reason| !reason.is_empty());
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.push(format!(
            "  it takes back {} ({}), as {} asked{reason}",
            word(back, "event"),
            word(back, "type"),
            word(back, "by")
        ));
    }
    for decision in event.get("decisions").and_then(Value::as_array).into_iter().flatten() {
        let mut line = format!("  {}: {}", word(decision, "playbook"), word(decision, "verdict"));
        if let Some(reason) = decision.get("reason").and_then(Value::as_str) {
            line.push_str(&format!(", {reason}"));
        }
        if let Some(conversation) = decision.get("conversation").and_then(Value::as_str) {
            line.push_str(&format!(" (conversation {conversation})"));
        }
        lines.push(line);
        if let Some(condition) = decision.get("condition").and_then(Value::as_str) {
            lines.push(format!("    did not hold: {condition}"));
        }
        for (name, value) in decision.get("values").and_then(Value::as_object).into_iter().flatten() {
            lines.push(format!("      {name} = {value}"));
        }
    }
    for told in event.get("told").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!(
            "  of those whom {} told: {} {}",
            word(told, "playbook"),
            word(told, "count"),
            word(told, "verdict")
        ));
    }
    if let Some(origin) = event.get("origin").and_then(Value::as_str) {
        lines.push(format!("  a topic told it: {origin} was sent"));
    }
    for goal in event.get("goals").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!("  goal of conversation {}, value {}", word(goal, "conversation"), word(goal, "value")));
    }
    if let Some(nearest) = event.get("nearest").and_then(Value::as_str) {
        lines.push(format!("  nothing listens to this type; nearest: {nearest}"));
    }
    lines.join("\n")
}
