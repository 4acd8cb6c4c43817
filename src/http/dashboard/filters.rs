//! Saved filters: what the inbox shows just now, kept under a name beside its views.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::access::{Posted, SignedIn};
use super::inbox::{Which, count};
use super::pages::PageError;
use super::{Dashboard, words};
use crate::http::problem::sentence;
use crate::model::time::Ms;
use crate::record::{FilterError, Role, SavedFilter};

/// The page on which they are renamed and removed.
pub(super) async fn page(State(dashboard): State<Dashboard>, operator: SignedIn) -> Result<Html<String>, PageError> {
    dashboard.filters_page(&operator, &Unsaved::default()).await
}

/// Saves what the inbox shows.
pub(super) async fn add(State(dashboard): State<Dashboard>, posted: Posted) -> Result<Response, PageError> {
    let (name, which) = (posted.fields.get("name").trim(), Which::kept(posted.fields.get("query")));
    let shared = posted.fields.get("shared") == "yes" && is_admin(&posted.operator);
    let (operator, query) = (&posted.operator.account.id, which.query());
    match dashboard.record.save_filter(operator, name, &query, shared, dashboard.clock.now()).await {
        Ok(id) => {
            dashboard.audit(operator, "filter.save", &id, &posted.operator.address).await;
            Ok(Redirect::to(&format!("/operator/?{query}")).into_response())
        }
        Err(why) => {
            dashboard.unsaved(&posted, why, Unsaved { name: name.to_owned(), query, ..Unsaved::default() }).await
        }
    }
}

/// Gives one another name.
pub(super) async fn rename(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let (name, operator) = (posted.fields.get("name").trim(), &posted.operator.account.id);
    match dashboard.record.rename_filter(&id, operator, is_admin(&posted.operator), name).await {
        Ok(()) => {
            dashboard.audit(operator, "filter.rename", &id, &posted.operator.address).await;
            Ok(Redirect::to("/operator/filters").into_response())
        }
        Err(why) => dashboard.unsaved(&posted, why, Unsaved::default()).await,
    }
}

/// Removes one.
pub(super) async fn remove(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let operator = &posted.operator.account.id;
    if dashboard.record.remove_filter(&id, operator, is_admin(&posted.operator)).await? {
        dashboard.audit(operator, "filter.remove", &id, &posted.operator.address).await;
    }
    Ok(Redirect::to("/operator/filters").into_response())
}

/// What was to be saved and was not, and why.
#[derive(Default)]
struct Unsaved {
    problem: String,
    name: String,
    query: String,
}

fn is_admin(operator: &SignedIn) -> bool {
    operator.account.role == Role::Admin
}

impl Dashboard {
    /// Those that an operator sees, as the inbox shows them, with how many conversations each has now.
    pub(super) async fn filters(&self, operator: &SignedIn, which: &Which, now: Ms) -> Result<Vec<Value>, PageError> {
        let mut rows = Vec::new();
        let here = which.query();
        for saved in self.record.saved_filters(&operator.account.id).await? {
            let kept = Which::kept(&saved.query);
            // Looking for words reads all that was said: too much to do again for every page that shows the name.
            let number = match kept.search().is_empty() {
                true => count(self.record.count(&kept.filter(operator, now)).await?),
                false => String::new(),
            };
            rows.push(json!({
                "name": saved.name, "query": saved.query, "count": number, "current": saved.query == here,
                "shared": saved.shared,
            }));
        }
        Ok(rows)
    }

    async fn unsaved(&self, posted: &Posted, why: FilterError, unsaved: Unsaved) -> Result<Response, PageError> {
        if let FilterError::Record(error) = why {
            return Err(error.into());
        }
        let unsaved = Unsaved { problem: sentence(&why.to_string()), ..unsaved };
        Ok((StatusCode::UNPROCESSABLE_ENTITY, self.filters_page(&posted.operator, &unsaved).await?).into_response())
    }

    async fn filters_page(&self, operator: &SignedIn, unsaved: &Unsaved) -> Result<Html<String>, PageError> {
        let saved = self.record.saved_filters(&operator.account.id).await?;
        let row = |saved: &SavedFilter| {
            json!({
                "id": saved.id, "name": saved.name, "query": saved.query, "means": Which::kept(&saved.query).in_words(),
                "shared": saved.shared, "mine": !saved.shared || is_admin(operator),
                "at": words::stamp(saved.saved_at),
            })
        };
        let rows: Vec<Value> = saved.iter().map(row).collect();
        let values = json!({
            "rows": rows, "problem": unsaved.problem, "name": unsaved.name, "query": unsaved.query,
            "means": Which::kept(&unsaved.query).in_words(),
        });
        self.page(operator, "filters.html", "inbox", values).await
    }
}
