//! Weeks that go by while somebody watches: each takes a second, and each login and report in it is an event of its own.
//! Beckon is told the truth about that: the events are named `demo.…`, and the playbook has a trigger whose week is a second.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use beckon_example_site::{Event, Site, Visitor};
use jiff::Timestamp;
use serde_json::json;

use crate::account::{Account, Week};

/// How long a week takes, in milliseconds.
const WEEK: i64 = 1_000;

/// Logins and reports of a crew that comes less and less.
const LOGINS_FALL: [(u32, u32); 7] = [(6, 4), (7, 4), (6, 5), (6, 4), (2, 2), (1, 1), (1, 1)];
/// The same of a crew that comes as ever, and has no use for reports any more.
const REPORTS_REST: [(u32, u32); 7] = [(6, 5), (7, 6), (6, 5), (6, 5), (7, 1), (6, 1), (6, 1)];

/// Begins to play, unless weeks are going by for this visitor already.
pub async fn play(State(site): State<Arc<Site<Account>>>, visitor: Visitor, Path(play): Path<String>) -> Response {
    let weeks = match play.as_str() {
        "logins" => LOGINS_FALL,
        "reports" => REPORTS_REST,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let begins = match site.people().get_mut(&visitor.0) {
        Some(account) => !std::mem::replace(&mut account.playing, true),
        None => false,
    };
    if begins && !site.later(go_by(Arc::clone(&site), visitor.0.clone(), weeks)) {
        finish(&site, &visitor.0);
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many weeks go by at once. Try again in a moment.")
            .into_response();
    }
    Redirect::to("/").into_response()
}

async fn go_by(site: Arc<Site<Account>>, customer: String, weeks: [(u32, u32); 7]) {
    // A week of the trigger begins with a whole second.
    let mut begins = (Timestamp::now().as_millisecond() / WEEK + 1) * WEEK;
    for (logins, reports) in weeks {
        let left = begins + WEEK - Timestamp::now().as_millisecond();
        tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or_default())).await;
        let mut events = spread(&customer, "demo.user.login", "login", begins, logins);
        events.extend(spread(&customer, "demo.report.opened", "report", begins, reports));
        for event in events {
            if site.outbox.send(event).await.is_err() {
                return;
            }
        }
        if let Some(account) = site.people().get_mut(&customer) {
            account.add(Week { logins, reports });
        }
        begins += WEEK;
    }
    finish(&site, &customer);
}

/// So many events, spread over the week that begins then.
fn spread(customer: &str, kind: &'static str, feature: &str, begins: i64, count: u32) -> Vec<Event> {
    let at = |n: u32| Timestamp::from_millisecond(begins + WEEK * i64::from(n) / i64::from(count.max(1))).ok();
    let event = |n| Some(Event::at(at(n)?, "saas", kind, customer, json!({ "feature": feature })));
    (0..count).filter_map(event).collect()
}

fn finish(site: &Site<Account>, customer: &str) {
    if let Some(account) = site.people().get_mut(customer) {
        account.playing = false;
    }
}
