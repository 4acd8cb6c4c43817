//! Saved replies: written here, found in the composer by `/`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::access::{Posted, SignedIn};
use super::pages::PageError;
use super::{Dashboard, words};
use crate::http::problem::sentence;
use crate::record::SaveError;

/// The page.
pub(super) async fn page(State(dashboard): State<Dashboard>, operator: SignedIn) -> Result<Html<String>, PageError> {
    dashboard.replies_page(&operator, &Form::default()).await
}

/// The list that the composer shows.
pub(super) async fn pick(State(dashboard): State<Dashboard>, _operator: SignedIn) -> Result<Html<String>, PageError> {
    let rows = dashboard.replies().await?;
    dashboard.pages.render("_replies.html", &json!({ "rows": rows })).map(Html)
}

/// Saves a new one.
pub(super) async fn add(State(dashboard): State<Dashboard>, posted: Posted) -> Result<Response, PageError> {
    dashboard.save_reply(&posted, None).await
}

/// Saves one anew.
pub(super) async fn change(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    dashboard.save_reply(&posted, Some(&id)).await
}

/// Removes one.
pub(super) async fn remove(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    dashboard.record.remove_reply(&id).await?;
    dashboard.audit(&posted.operator.account.id, "reply.remove", &id, &posted.operator.address).await;
    Ok(Redirect::to("/operator/replies").into_response())
}

/// What the form for a new one holds, where it was not taken.
#[derive(Default)]
struct Form {
    problem: String,
    name: String,
    words: String,
}

impl Dashboard {
    async fn save_reply(&self, posted: &Posted, id: Option<&str>) -> Result<Response, PageError> {
        let name = posted.fields.get("name").trim();
        let text = posted.fields.get("words").replace("\r\n", "\n");
        let by = &posted.operator.account.name;
        let problem = match self.record.save_reply(id, name, text.trim(), by, self.clock.now()).await {
            Ok(id) => {
                self.audit(&posted.operator.account.id, "reply.save", &id, &posted.operator.address).await;
                return Ok(Redirect::to("/operator/replies").into_response());
            }
            Err(SaveError::Record(error)) => return Err(error.into()),
            Err(problem) => problem.to_string(),
        };
        // What was typed is not lost: it stands in the form for a new one.
        let form = Form { problem: sentence(&problem), name: name.to_owned(), words: text };
        Ok((StatusCode::UNPROCESSABLE_ENTITY, self.replies_page(&posted.operator, &form).await?).into_response())
    }

    async fn replies_page(&self, operator: &SignedIn, form: &Form) -> Result<Html<String>, PageError> {
        let values = json!({
            "rows": self.replies().await?, "problem": form.problem, "name": form.name, "words": form.words,
        });
        self.page(operator, "replies.html", "replies", values).await
    }

    async fn replies(&self) -> Result<Vec<Value>, PageError> {
        let replies = self.record.saved_replies().await?;
        let rows = replies.iter().map(|reply| {
            json!({
                "id": reply.id, "name": reply.name, "words": reply.words,
                "by": words::plain(&reply.saved_by), "at": words::stamp(reply.saved_at),
            })
        });
        Ok(rows.collect())
    }
}
