//! The inbox: who needs a person, and all other conversations.

use axum::extract::{Query, State};
use axum::response::Html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Dashboard;
use super::access::SignedIn;
use super::pages::PageError;
use super::{spine, words};
use crate::model::decision::{Summary, SummaryState};
use crate::model::entry::HolderKind;
use crate::model::ids::ConversationId;
use crate::model::time::Ms;
use crate::record::{ConversationFilter, Listed, View};

/// Rows of a list.
const ROWS: u32 = 50;

/// Which list, as it stands in the address.
#[derive(Debug, Clone, Deserialize, Default)]
pub(super) struct Which {
    view: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
}

impl Which {
    /// The list of a view by name.
    pub(super) fn view(name: &str) -> Which {
        Which { view: Some(name.to_owned()), ..Which::default() }
    }

    /// The view's name; the first where it is none of ours.
    pub(super) fn name(&self) -> &'static str {
        let asked = self.view.as_deref().unwrap_or_default();
        VIEWS.iter().map(|(name, _)| *name).find(|name| *name == asked).unwrap_or("needs")
    }

    fn search(&self) -> String {
        self.q.as_deref().unwrap_or_default().trim().chars().take(200).collect()
    }

    /// The same as part of an address.
    pub(super) fn query(&self) -> String {
        let search = self.search();
        let q = if search.is_empty() {
            String::new()
        } else {
            format!("&q={}", utf8_percent_encode(&search, NON_ALPHANUMERIC))
        };
        format!("view={}{q}", self.name())
    }

    fn filter(&self, operator: &SignedIn, now: Ms) -> ConversationFilter {
        let view = match self.name() {
            "assistant" => View::Assistant,
            "waiting" => View::Waiting,
            "snoozed" => View::Snoozed { now },
            "closed" => View::Closed,
            "all" => View::All,
            _ => View::NeedsPerson { operator: operator.account.id.clone(), now },
        };
        ConversationFilter { view, search: Some(self.search()), ..ConversationFilter::default() }
    }
}

const VIEWS: [(&str, &str); 6] = [
    ("needs", "Needs me"),
    ("assistant", "Assistant"),
    ("waiting", "Waiting"),
    ("snoozed", "Snoozed"),
    ("closed", "Closed"),
    ("all", "All"),
];

/// The list alone.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(which): Query<Which>,
) -> Result<Html<String>, PageError> {
    let list = dashboard.list(&operator, &which, None).await?;
    let live = format!("/operator/live?{}", which.query());
    dashboard.page(&operator, "inbox.html", "inbox", json!({ "list": list, "live": live })).await
}

impl Dashboard {
    /// What the list of a page shows.
    pub(super) async fn list(
        &self,
        operator: &SignedIn,
        which: &Which,
        current: Option<ConversationId>,
    ) -> Result<Value, PageError> {
        let now = self.clock.now();
        let filter = which.filter(operator, now);
        // A link that somebody kept or mistyped shows the first page.
        let after = which.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        let page = self.record.conversations(&filter, after.as_ref(), ROWS).await?;
        let counts = self.record.counts(&operator.account.id, now).await?;
        let counted =
            [counts.needs_person, counts.assistant, counts.waiting, counts.snoozed, counts.closed, counts.all];
        let tabs: Vec<Value> = VIEWS
            .iter()
            .zip(counted)
            .map(|((name, label), number)| {
                json!({ "name": name, "label": label, "count": count(number), "current": *name == which.name() })
            })
            .collect();
        let rows: Vec<Value> = page.items.iter().map(|row| self.row(row, operator, which, current, now)).collect();
        let more = page.cursor.map(|cursor| {
            format!(
                "/operator/?{}&cursor={}",
                which.query(),
                utf8_percent_encode(&cursor.to_string(), NON_ALPHANUMERIC)
            )
        });
        Ok(json!({
            "needs": count(counts.needs_person), "tabs": tabs, "rows": rows, "more": more.unwrap_or_default(), "view": which.name(), "q": which.search(),
            "empty": if which.search().is_empty() { empty(which.name()) } else { "Nothing has these words." },
        }))
    }

    /// How many need a person, as every page shows it.
    pub(super) async fn needs(&self, operator: &SignedIn) -> Result<String, PageError> {
        Ok(count(self.record.counts(&operator.account.id, self.clock.now()).await?.needs_person))
    }

    fn row(
        &self,
        listed: &Listed,
        operator: &SignedIn,
        which: &Which,
        current: Option<ConversationId>,
        now: Ms,
    ) -> Value {
        let summary = &listed.summary;
        let (glyph, mark, why) = why(summary, operator, now);
        let since = listed.needs_since.unwrap_or(summary.updated_at);
        let last = listed.last.as_ref().map(|last| last.text.clone());
        json!({
            "href": format!("/operator/conversations/{}?{}", summary.id, which.query()),
            "id": summary.id.to_string(),
            "current": current == Some(summary.id),
            "name": words::customer(&summary.customer, listed.name.as_deref()),
            "wait": words::ago(since, now),
            "urgent": listed.needs_since.is_some(),
            "last": last.unwrap_or_else(|| summary.why.clone()),
            "glyph": glyph, "mark": mark, "why": why,
            "playbook": words::plain(&summary.playbook),
        })
    }
}

/// Why a row is where it is: a shape, its colour, words.
fn why(summary: &Summary, operator: &SignedIn, now: Ms) -> (&'static str, &'static str, String) {
    let holder = summary.operator.as_ref();
    if summary.unknown_call {
        return ("\u{25b2}", "bad", "nobody knows whether a call was done".to_owned());
    }
    match (summary.state, summary.holder) {
        (SummaryState::Closed, _) => {
            let outcome = summary.outcome.as_ref().map_or("closed", |outcome| spine::outcome_words(outcome.kind));
            ("\u{2500}", "sys", outcome.to_owned())
        }
        (_, HolderKind::Operator) if holder.is_some_and(|holder| holder.id == operator.account.id) => {
            ("\u{25a0}", "op", "you answer".to_owned())
        }
        (_, HolderKind::Operator) => {
            let name = holder.map_or("an operator", |holder| holder.name.as_str());
            ("\u{25a0}", "op", format!("{} answers", words::plain(name)))
        }
        (_, HolderKind::Queue) => {
            let team = summary.team.as_deref().map(|team| format!(" \u{b7} {}", words::plain(team)));
            let left = summary.answer_by.map(|by| format!(" \u{b7} {}", words::left(by, now)));
            let (team, left) = (team.unwrap_or_default(), left.unwrap_or_default());
            ("\u{25a0}", "op", format!("waits for a person{left}{team}"))
        }
        (_, HolderKind::Assistant) if summary.unattended => {
            ("\u{25b2}", "bad", "a person was asked for, nobody came".to_owned())
        }
        (SummaryState::Waiting, _) => ("\u{25c6}", "ev", "not seen yet".to_owned()),
        (SummaryState::Open, _) => ("\u{25cf}", "ai", "the assistant answers".to_owned()),
    }
}

fn empty(view: &str) -> &'static str {
    match view {
        "needs" => "Nobody needs you now.",
        "assistant" => "The assistant talks with nobody now.",
        "waiting" => "No opening waits to be seen.",
        "snoozed" => "Nothing is put off.",
        "closed" => "No conversation has ended yet.",
        _ => "No conversation yet. Send an event that a playbook hears: beckon send",
    }
}

/// A number in a tab; more than can be counted cheaply is said so.
pub(super) fn count(number: Option<u32>) -> String {
    number.map_or_else(|| "999+".to_owned(), |number| number.to_string())
}
