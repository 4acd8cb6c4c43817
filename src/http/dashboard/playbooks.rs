//! The playbooks: read, with what a check says of the files and what each made of events; and pausing them.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::access::{Posted, SignedIn};
use super::pages::PageError;
use super::{Checked, Dashboard, PlaybookRow, PlaybookState, history, words};
use crate::model::entry::Verdict;
use crate::record::{EventFilter, Role};

/// Events that the page of a playbook shows.
const LATEST: u32 = 10;

/// The verdicts, in the order in which they are shown.
pub(super) const VERDICTS: [Verdict; 20] = [
    Verdict::Waiting,
    Verdict::Opened,
    Verdict::Joined,
    Verdict::Expired,
    Verdict::NotMatched,
    Verdict::Limited,
    Verdict::Paused,
    Verdict::Failed,
    Verdict::Pending,
    Verdict::Late,
    Verdict::Withdrawn,
    Verdict::Excluded,
    Verdict::Holdout,
    Verdict::OptedOut,
    Verdict::Quiet,
    Verdict::Outranked,
    Verdict::Dropped,
    Verdict::Shadow,
    Verdict::Forwarded,
    Verdict::Told,
];

/// These have their place on the page also where nothing came to them; the others where something did.
const ALWAYS: [Verdict; 4] = [Verdict::Waiting, Verdict::Opened, Verdict::NotMatched, Verdict::Limited];

/// The verdicts that a page shows of these counts: none that was counted is left out, whatever it is called.
fn columns(counts: &Counts, playbook: Option<&str>) -> Vec<String> {
    let counted: BTreeSet<&str> = counts
        .iter()
        .filter(|((name, _), count)| **count > 0 && playbook.is_none_or(|playbook| playbook == name))
        .map(|((_, verdict), _)| verdict.as_str())
        .collect();
    let known: Vec<String> = VERDICTS.iter().map(|verdict| verdict_name(*verdict)).collect();
    let always: Vec<String> = ALWAYS.iter().map(|verdict| verdict_name(*verdict)).collect();
    let unknown =
        counted.iter().filter(|name| !known.iter().any(|known| known == *name)).map(|name| (*name).to_owned());
    let shown = known.iter().filter(|name| counted.contains(name.as_str()) || always.contains(name)).cloned();
    shown.chain(unknown).collect()
}

/// A verdict's published name.
pub(super) fn verdict_name(verdict: Verdict) -> String {
    match serde_json::to_value(verdict) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// All of them.
pub(super) async fn list(State(dashboard): State<Dashboard>, operator: SignedIn) -> Result<Html<String>, PageError> {
    dashboard.playbooks_page(&operator, "").await
}

/// One, to be read.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Path(name): Path<String>,
) -> Result<Html<String>, PageError> {
    let away = |problem: String| PageError::new(StatusCode::SERVICE_UNAVAILABLE, problem);
    let files = dashboard.playbooks.files(&name).await.map_err(away)?;
    let Some(files) = files else { return Err(PageError::not_found("playbook")) };
    let listed = dashboard.playbooks.list().await.map_err(away)?;
    let Some(row) = listed.iter().find(|row| row.name == name) else { return Err(PageError::not_found("playbook")) };
    let counts = dashboard.counts().await?;
    let checked = dashboard.playbooks.check().await;
    let file = |(path, text): &(String, String)| json!({ "path": words::plain(path), "text": text });
    let filter = EventFilter { playbook: Some(name.clone()), ..EventFilter::default() };
    let events = dashboard.record.recent_events(&filter, None, LATEST).await?;
    let values = json!({
        "row": shown(row, &counts, &columns(&counts, Some(&name))),
        "why": files.why,
        "goal": files.goal.as_deref().map(|goal| json!({ "kind": words::plain(goal), "path": words::address(goal) })),
        "file": file(&files.playbook),
        "prompt": files.prompt.as_ref().map(file),
        "check": check(&checked),
        "events": events.items.iter().map(super::events::row).collect::<Vec<_>>(),
        "admin": operator.account.role == Role::Admin,
    });
    dashboard.page(&operator, "playbook.html", "playbooks", values).await
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

    /// How often each playbook made what of an event.
    async fn counts(&self) -> Result<Counts, PageError> {
        let counted = self.record.verdict_counts().await?.into_iter();
        Ok(counted.map(|count| ((count.playbook, count.verdict), count.count)).collect())
    }

    async fn playbooks_page(&self, operator: &SignedIn, notice: &str) -> Result<Html<String>, PageError> {
        let counts = self.counts().await?;
        let (playbooks, problem) = match self.playbooks.list().await {
            Ok(playbooks) => (playbooks, notice.to_owned()),
            Err(problem) => (Vec::new(), problem),
        };
        let columns = columns(&counts, None);
        let rows: Vec<Value> = playbooks.iter().map(|playbook| shown(playbook, &counts, &columns)).collect();
        let verdicts: Vec<String> = columns.iter().map(|verdict| words::words(verdict)).collect();
        let values = json!({
            "rows": rows, "verdicts": verdicts, "notice": problem,
            "check": check(&self.playbooks.check().await),
            "admin": operator.account.role == Role::Admin,
        });
        self.page(operator, "playbooks.html", "playbooks", values).await
    }
}

/// How often, by playbook and verdict.
type Counts = BTreeMap<(String, String), u64>;

fn shown(playbook: &PlaybookRow, counts: &Counts, columns: &[String]) -> Value {
    let path = words::address(&playbook.name);
    let counted: Vec<Value> = columns
        .iter()
        .map(|name| {
            let count = counts.get(&(playbook.name.clone(), name.clone())).copied().unwrap_or(0);
            json!({
                "verdict": words::words(name), "mark": history::verdict_mark(name),
                "count": words::number(count), "none": count == 0,
                "href": format!("/operator/events?playbook={path}&verdict={name}"),
            })
        })
        .collect();
    let hears: Vec<Value> =
        playbook.hears.iter().map(|kind| json!({ "kind": words::plain(kind), "path": words::address(kind) })).collect();
    json!({
        "name": words::plain(&playbook.name), "path": path, "hears": hears,
        "paused": playbook.state == PlaybookState::Paused, "counts": counted,
    })
}

/// What the check came to, for a page.
fn check(checked: &Result<Checked, String>) -> Value {
    match checked {
        Err(problem) => json!({ "state": "unknown", "text": problem, "mistakes": [] }),
        Ok(checked) if !checked.mistakes.is_empty() => json!({ "state": "bad", "mistakes": checked.mistakes }),
        Ok(Checked { in_force: false, .. }) => json!({ "state": "differs", "mistakes": [] }),
        Ok(_) => json!({ "state": "ok", "mistakes": [] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_that_was_counted_is_shown_whatever_it_is_called() {
        let count = |verdict: &str| ((String::from("late"), verdict.to_owned()), 3);
        let counts: Counts = [count("holdout"), count("of_a_newer_build")].into();
        let shown = columns(&counts, None);
        assert_eq!(shown, ["waiting", "opened", "not_matched", "limited", "holdout", "of_a_newer_build"]);
        assert_eq!(columns(&counts, Some("another")).len(), ALWAYS.len());
    }
}
