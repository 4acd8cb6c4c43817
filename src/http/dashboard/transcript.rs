//! A conversation to take along: what was said as text, or all of it as JSON.

use std::fmt::Write;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::SignedIn;
use super::conversation::Loaded;
use super::pages::PageError;
use super::{Dashboard, spine, words};
use crate::model::entry::{By, Entry, HolderKind, Kind};

/// What was said, as the customer saw it.
pub(super) async fn text(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let loaded = dashboard.take_along(&operator, &id).await?;
    Ok(file(&loaded, "txt", "text/plain; charset=utf-8", as_text(&loaded)))
}

/// Everything, with what the customer never saw.
pub(super) async fn whole(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let loaded = dashboard.take_along(&operator, &id).await?;
    let mut whole = json!({ "conversation": loaded.summary, "traits": loaded.known.traits, "entries": loaded.entries });
    let customer = &loaded.summary.customer;
    if customer.user_id().is_none() {
        let [secret, masked] =
            [customer.as_str(), &customer.masked()].map(|id| id.trim_start_matches("anon:").to_owned());
        mask(&mut whole, &secret, &masked);
    }
    let text = serde_json::to_string_pretty(&whole).map_err(PageError::internal)?;
    Ok(file(&loaded, "json", "application/json", text))
}

impl Dashboard {
    /// Who took what along is written down.
    async fn take_along(&self, operator: &SignedIn, id: &str) -> Result<Loaded, PageError> {
        let loaded = self.load(id).await?;
        self.audit(&operator.account.id, "transcript", id, &operator.address).await;
        Ok(loaded)
    }
}

/// To be kept as a file, never shown as a page of ours.
fn file(loaded: &Loaded, kind: &str, content: &'static str, body: String) -> Response {
    // Ids of conversations are digits and dashes.
    let named = format!("attachment; filename=\"conversation-{}.{kind}\"", loaded.summary.id);
    let headers = [
        (header::CONTENT_TYPE, content.to_owned()),
        (header::CONTENT_DISPOSITION, named),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body).into_response()
}

fn as_text(loaded: &Loaded) -> String {
    let summary = &loaded.summary;
    let mut text = format!(
        "Conversation {} with {}\nPlaybook {}, begun {} UTC",
        summary.id,
        loaded.name,
        words::plain(&summary.playbook),
        words::stamp(summary.created_at)
    );
    if !loaded.standing.outcome.is_empty() {
        // Writing to memory does not fail.
        let _ = write!(text, ", {}", loaded.standing.outcome);
    }
    text.push('\n');
    for entry in loaded.entries.iter().filter(|entry| entry.visible) {
        if let Some(said) = said(entry, &loaded.name) {
            let _ = write!(text, "\n{}  {said}\n", words::stamp(entry.at));
        }
    }
    text
}

/// A line of it; none for what is only state.
fn said(entry: &Entry, customer: &str) -> Option<String> {
    let who = match entry.by {
        By::Customer => customer,
        By::Assistant => "Assistant",
        By::Operator => "Operator",
        By::System => "",
    };
    match &entry.kind {
        Kind::Message { text, attachments, name, .. } => {
            let who = name.as_deref().map_or_else(|| who.to_owned(), words::plain);
            let files = attachments.iter().map(|file| format!("[attached: {}]", words::plain(&file.to_string())));
            let said = Some(lines(text)).filter(|said| !said.is_empty() || attachments.is_empty());
            Some(std::iter::once(who).chain(said).chain(files).collect::<Vec<_>>().join("\n"))
        }
        Kind::Holder { holder: HolderKind::Operator, name } => {
            Some(format!("{} joined.", words::plain(name.as_deref().unwrap_or("An operator"))))
        }
        Kind::Holder { holder: HolderKind::Assistant, .. } => Some("The assistant answers.".to_owned()),
        Kind::Holder { holder: HolderKind::Queue, .. } => Some("A person was asked for.".to_owned()),
        Kind::Confirm { summary, .. } => Some(format!("To be confirmed: {}", lines(summary))),
        Kind::Confirmed { approve: true, .. } => Some(format!("{customer} confirmed it.")),
        Kind::Confirmed { approve: false, .. } => Some(format!("{customer} declined it.")),
        Kind::Closed { outcome } => Some(format!("Ended: {}.", spine::outcome_words(*outcome))),
        _ => None,
    }
}

/// Words with their lines, and without what moves a terminal's cursor.
fn lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// An anonymous id is a secret: whoever has it is that customer.
fn mask(value: &mut Value, secret: &str, masked: &str) {
    match value {
        Value::String(text) if text.contains(secret) => *text = text.replace(secret, masked),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, secret, masked)),
        Value::Object(fields) => fields.values_mut().for_each(|field| mask(field, secret, masked)),
        _ => {}
    }
}
