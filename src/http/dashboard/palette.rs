//! What the command palette finds: pages, customers, conversations, an event by its id. Commands of the page itself are
//! the page's to add.

use axum::extract::{Query, State};
use axum::response::Html;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::access::SignedIn;
use super::pages::PageError;
use super::{Dashboard, words};
use crate::model::ids::EventId;
use crate::record::{ConversationFilter, View};

/// Found of each kind.
const MOST: u32 = 6;

/// The pages, with the key after `G`.
const PAGES: [(&str, &str, &str); 7] = [
    ("Inbox", "/operator/", "G I"),
    ("Customers", "/operator/customers", "G C"),
    ("Playbooks", "/operator/playbooks", "G P"),
    ("Event flow", "/operator/flow", "G F"),
    ("Events", "/operator/events", "G E"),
    ("Saved replies", "/operator/replies", "G R"),
    ("Setup", "/operator/setup", "G S"),
];

/// What was typed.
#[derive(Debug, Deserialize)]
pub(super) struct Typed {
    q: Option<String>,
}

/// One thing to go to.
#[derive(Debug, Serialize)]
struct Found {
    kind: &'static str,
    label: String,
    more: String,
    href: String,
}

/// The list for what was typed.
pub(super) async fn find(
    State(dashboard): State<Dashboard>,
    _operator: SignedIn,
    Query(typed): Query<Typed>,
) -> Result<Html<String>, PageError> {
    let q: String = typed.q.as_deref().unwrap_or_default().trim().chars().take(200).collect();
    let lower = q.to_lowercase();
    let mut found: Vec<Found> = PAGES
        .iter()
        .filter(|(label, ..)| label.to_lowercase().contains(&lower))
        .map(|(label, href, keys)| Found {
            kind: "page",
            label: (*label).to_owned(),
            more: (*keys).to_owned(),
            href: (*href).to_owned(),
        })
        .collect();
    if let Ok(event) = q.parse::<EventId>() {
        let href = format!("/operator/events/{event}");
        found.push(Found { kind: "event", label: event.to_string(), more: String::new(), href });
    }
    if q.chars().count() >= 2 {
        found.extend(dashboard.matching(&q).await?);
    }
    dashboard.pages.render("_found.html", &json!({ "found": found, "q": q })).map(Html)
}

impl Dashboard {
    /// Customers and conversations with these words.
    async fn matching(&self, q: &str) -> Result<Vec<Found>, PageError> {
        let most = usize::try_from(MOST).unwrap_or(usize::MAX);
        let customers = self.record.find_customers(q).await?.into_iter().take(most).map(|row| Found {
            kind: "customer",
            label: words::customer(&row.customer, row.name.as_deref()),
            more: words::actor(&row.customer),
            href: words::customer_page(&row.customer, row.handle.as_deref()),
        });
        let filter =
            ConversationFilter { view: View::All, search: Some(q.to_owned()), ..ConversationFilter::default() };
        let conversations =
            self.record.conversations(&filter, None, MOST).await?.items.into_iter().map(|listed| Found {
                kind: "conversation",
                label: words::customer(&listed.summary.customer, listed.name.as_deref()),
                more: listed.last.map(|last| last.text).unwrap_or_else(|| words::plain(&listed.summary.playbook)),
                href: format!("/operator/conversations/{}?view=all", listed.summary.id),
            });
        Ok(customers.filter(|found| !found.href.is_empty()).chain(conversations).collect())
    }
}
