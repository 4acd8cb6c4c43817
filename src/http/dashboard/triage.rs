//! Labels and priority of a conversation: how operators judge it, and what they find it by. The customer never sees them.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::{Fields, Posted, SignedIn};
use super::acts::{back, conversation, id_in};
use super::conversation::{Said, fresh_id};
use super::inbox::Which;
use super::pages::PageError;
use super::spine::Standing;
use super::{Dashboard, words};
use crate::engine::inbox::Asked;
use crate::http::problem::sentence;
use crate::model::decision::{Reply, Summary};
use crate::model::input::Body;
use crate::model::triage::{Label, MAX_LABEL, MAX_LABELS, Priority, Triage};

/// What the form says of an act that was not done, with the labels that were typed.
#[derive(Default)]
pub(super) struct Undone {
    pub(super) notice: String,
    pub(super) typed: String,
}

/// Gives the conversation labels or another priority. Only what differs from what the form showed is changed, so that two
/// who do so at once do not undo each other.
pub(super) async fn judge(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let conversation = conversation(&id)?;
    let client_id = id_in(&posted, "act")?;
    let typed = posted.fields.get("add").to_owned();
    let triage = match wanted(&posted.fields) {
        Ok(triage) => triage,
        Err(why) => {
            let undone = Undone { notice: sentence(&why), typed };
            return dashboard.unjudged(&posted, &id, StatusCode::UNPROCESSABLE_ENTITY, undone).await;
        }
    };
    if triage.is_empty() {
        return Ok(back(&posted, &id));
    }
    let operator = posted.operator.operator();
    let asked = dashboard.ask(&id, Body::Triaged { conversation, operator, client_id, triage }).await?;
    dashboard.audit(&posted.operator.account.id, "triage", &id, &posted.operator.address).await;
    let (status, undone) = match asked {
        Asked::Later(_) => {
            let notice = "Not decided yet: it stands in the inbox and will happen.".to_owned();
            (StatusCode::ACCEPTED, Undone { notice, typed: String::new() })
        }
        Asked::Answered(answer, _) => match answer.reply {
            Reply::Done { .. } | Reply::Existing => return Ok(back(&posted, &id)),
            Reply::Refused(code) => (StatusCode::CONFLICT, Undone { notice: code.message().to_owned(), typed }),
        },
    };
    dashboard.unjudged(&posted, &id, status, undone).await
}

/// What the form asks for; else why it cannot be.
fn wanted(fields: &Fields) -> Result<Triage, String> {
    let parse = |list: &str| -> Result<BTreeSet<Label>, String> {
        let named = list.split(',').map(str::trim).filter(|text| !text.is_empty());
        named.map(|text| text.parse().map_err(|wrong| format!("{wrong}: {}", words::plain(text)))).collect()
    };
    let add = parse(fields.get("add"))?;
    let shown = parse(fields.get("shown"))?;
    let remove = shown.into_iter().filter(|label| fields.get(&format!("keep.{label}")).is_empty()).collect();
    let priority = match fields.get("priority") {
        same if same == fields.get("was") => None,
        other => Some(other.parse::<Priority>().map_err(|wrong| wrong.to_string())?),
    };
    Ok(Triage { priority, add, remove })
}

/// Priority and labels, as lists and pages show them: `normal` is nothing to show.
pub(super) fn shown(priority: Priority, labels: &BTreeSet<Label>, most: usize) -> Value {
    let names: Vec<&str> = labels.iter().take(most).map(Label::as_str).collect();
    json!({
        "priority": if priority.is_normal() { "" } else { priority.name() },
        "labels": names, "more": labels.len().saturating_sub(most),
    })
}

impl Dashboard {
    /// What stands in the header of a conversation, with the form to change it.
    pub(super) async fn triage(
        &self,
        operator: &SignedIn,
        which: &Which,
        summary: &Summary,
        standing: &Standing,
        undone: Undone,
    ) -> Result<Value, PageError> {
        let used = self.record.labels_in_use().await?;
        let used: Vec<&String> =
            used.iter().filter(|used| !standing.labels.iter().any(|label| label.as_str() == used.as_str())).collect();
        let typed: Vec<&str> = standing.labels.iter().map(Label::as_str).collect();
        Ok(json!({
            "id": summary.id.to_string(), "csrf": operator.csrf, "view": which.query(), "act": fresh_id(),
            "tags": shown(standing.priority, &standing.labels, MAX_LABELS),
            "was": standing.priority.name(), "priorities": Priority::ALL.map(Priority::name),
            "shown": typed.join(","), "used": used, "closed": standing.closed.is_some(),
            "notice": undone.notice, "typed": undone.typed, "longest": MAX_LABELS * (MAX_LABEL + 2), "most": MAX_LABELS,
        }))
    }

    /// The page again, with why nothing was changed.
    async fn unjudged(
        &self,
        posted: &Posted,
        id: &str,
        status: StatusCode,
        undone: Undone,
    ) -> Result<Response, PageError> {
        let loaded = self.load(id).await?;
        let which = Which::kept(posted.fields.get("view"));
        let page = self.page_of(&posted.operator, &which, &loaded, Said::default(), Said::default(), undone).await?;
        Ok((status, page).into_response())
    }
}
