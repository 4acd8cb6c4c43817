//! A draft by the assistant, for the operator who answers: a suggestion to read, change and send. It is never sent by itself.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Dashboard;
use super::access::Posted;
use super::acts::client_id;
use super::conversation::Said;
use super::pages::PageError;

/// Writes one. A script gets the words alone, and puts them beside what was typed meanwhile.
pub(super) async fn write(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let client_id = client_id(&posted)?;
    let loaded = dashboard.load(&id).await?;
    let asked = dashboard.suggester.suggest(&loaded.summary, &loaded.known.traits, &loaded.entries).await;
    dashboard.audit(&posted.operator.account.id, "draft", &id, &posted.operator.address).await;
    let typed = posted.fields.get("text").replace("\r\n", "\n").trim().to_owned();
    let (status, words) = match asked {
        Ok(words) => (StatusCode::OK, words),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem),
    };
    if posted.is_htmx {
        return Ok((status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], words).into_response());
    }
    let said = match status {
        StatusCode::OK => {
            let draft = if typed.is_empty() { words } else { format!("{typed}\n\n{words}") };
            let notice = "A draft by the assistant. Read it, change it, and send it if it is right.".to_owned();
            Said { draft, notice, tone: "note", client_id, sent: false }
        }
        _ => Said { draft: typed, notice: words, tone: "bad", client_id, sent: false },
    };
    let which = super::inbox::Which::kept(posted.fields.get("view"));
    dashboard.conversation_with(&posted.operator, &which, &id, status, said).await
}
