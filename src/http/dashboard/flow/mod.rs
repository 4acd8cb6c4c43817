//! Where every event went: a picture, and a table with the same numbers.

mod links;
mod picture;

use axum::extract::{Query, State};
use axum::response::Html;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::SignedIn;
use super::pages::PageError;
use super::{Dashboard, events, words};
use crate::model::time::{Millis, Ms};
use crate::record::EventFilter;

/// Rows of the tail.
const TAIL: u32 = 15;

/// How far back is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Window {
    /// The last hour.
    Hour,
    /// The last 24 hours.
    #[default]
    Day,
    /// The last 7 days.
    Week,
}

impl Window {
    const ALL: [Window; 3] = [Window::Hour, Window::Day, Window::Week];

    fn name(self) -> &'static str {
        match self {
            Window::Hour => "hour",
            Window::Day => "day",
            Window::Week => "week",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Window::Hour => "Last hour",
            Window::Day => "Last 24 h",
            Window::Week => "Last 7 days",
        }
    }

    fn length(self) -> Millis {
        match self {
            Window::Hour => Millis::hours(1),
            Window::Day => Millis::hours(24),
            Window::Week => Millis::hours(7 * 24),
        }
    }
}

/// The window, as it stands in the address.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    window: Option<Window>,
}

/// The page.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let window = asked.window.unwrap_or_default();
    let flow = dashboard.flow(window).await?;
    let windows: Vec<Value> = Window::ALL
        .iter()
        .map(|other| json!({ "name": other.name(), "label": other.label(), "current": *other == window }))
        .collect();
    let values = json!({
        "flow": flow, "windows": windows, "live": format!("/operator/live?page=flow&window={}", window.name()),
    });
    dashboard.page(&operator, "flow.html", "flow", values).await
}

impl Dashboard {
    /// What the page shows of a window: counted anew.
    pub(super) async fn flow(&self, window: Window) -> Result<Value, PageError> {
        let since = Ms(self.clock.now().0.saturating_sub(window.length().0));
        let counted = self.record.flow(since).await?;
        let tail = self.record.recent_events(&EventFilter::default(), None, TAIL).await?;
        let links = links::of(&counted);
        let total: u64 = counted.events.iter().map(|events| events.count).sum();
        let table: Vec<Value> = links
            .iter()
            .map(|link| {
                json!({
                    "step": links::STEPS.get(link.stage).copied().unwrap_or_default(),
                    "from": words::plain(&link.from), "to": words::plain(&link.to),
                    "mark": link.mark, "href": link.href(), "count": words::number(link.count),
                })
            })
            .collect();
        Ok(json!({
            "total": words::number(total),
            "any": total > 0,
            "window": window.label().to_lowercase(),
            "whole": counted.whole,
            "since": counted.since.map(words::stamp).unwrap_or_default(),
            "picture": picture::draw(&links),
            "table": table,
            "tail": tail.items.iter().map(events::row).collect::<Vec<_>>(),
        }))
    }
}
