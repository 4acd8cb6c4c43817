//! The playbooks: what each made of events, and pausing them.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::access::{Posted, SignedIn};
use super::pages::PageError;
use super::{Dashboard, PlaybookState, words};
use crate::model::entry::Verdict;
use crate::record::Role;

/// The verdicts, in the order of the table.
const VERDICTS: [Verdict; 8] = [
    Verdict::Waiting,
    Verdict::Opened,
    Verdict::Joined,
    Verdict::Expired,
    Verdict::NotMatched,
    Verdict::Limited,
    Verdict::Paused,
    Verdict::Failed,
];

/// A verdict's published name.
pub(super) fn verdict_name(verdict: Verdict) -> String {
    match serde_json::to_value(verdict) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// The page.
pub(super) async fn page(State(dashboard): State<Dashboard>, operator: SignedIn) -> Result<Html<String>, PageError> {
    dashboard.playbooks_page(&operator, "").await
}

/// It opens nothing from now on.
pub(super) async fn pause(
    State(dashboard): State<Dashboard>,
    Path(name): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    dashboard.set_playbook(&posted, &name, PlaybookState::Paused).await
}

/// It opens again.
pub(super) async fn resume(
    State(dashboard): State<Dashboard>,
    Path(name): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    dashboard.set_playbook(&posted, &name, PlaybookState::Running).await
}

impl Dashboard {
    async fn set_playbook(&self, posted: &Posted, name: &str, state: PlaybookState) -> Result<Response, PageError> {
        let act = if state == PlaybookState::Paused { "playbook.pause" } else { "playbook.resume" };
        self.require(&posted.operator, Role::Admin, &format!("{act} {name}")).await?;
        match self.playbooks.set(name, state).await {
            Ok(()) => {
                self.audit(&posted.operator.account.id, act, name, &posted.operator.address).await;
                Ok(Redirect::to("/operator/playbooks").into_response())
            }
            Err(problem) => {
                let page = self.playbooks_page(&posted.operator, &problem).await?;
                Ok((StatusCode::CONFLICT, page).into_response())
            }
        }
    }

    async fn playbooks_page(&self, operator: &SignedIn, notice: &str) -> Result<Html<String>, PageError> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for count in self.record.verdict_counts().await? {
            counts.insert((count.playbook, count.verdict), count.count);
        }
        let (playbooks, problem) = match self.playbooks.list().await {
            Ok(playbooks) => (playbooks, notice.to_owned()),
            Err(problem) => (Vec::new(), problem),
        };
        let rows: Vec<Value> = playbooks
            .iter()
            .map(|playbook| {
                let counted: Vec<u64> = VERDICTS
                    .iter()
                    .map(|verdict| counts.get(&(playbook.name.clone(), verdict_name(*verdict))).copied().unwrap_or(0))
                    .collect();
                json!({
                    "name": words::plain(&playbook.name),
                    "path": percent_encoding::utf8_percent_encode(&playbook.name, percent_encoding::NON_ALPHANUMERIC).to_string(),
                    "hears": playbook.hears.iter().map(|kind| words::plain(kind)).collect::<Vec<_>>(),
                    "paused": playbook.state == PlaybookState::Paused,
                    "counts": counted,
                })
            })
            .collect();
        let verdicts: Vec<String> = VERDICTS.iter().map(|verdict| words::words(&verdict_name(*verdict))).collect();
        let values = json!({
            "rows": rows, "verdicts": verdicts, "notice": problem,
            "admin": operator.account.role == Role::Admin,
        });
        self.page(operator, "playbooks.html", "playbooks", values).await
    }
}
