//! Notes of operators for colleagues and the assistant; whoever holds the conversation, and without a word to the customer.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::Dashboard;
use super::access::{Posted, SignedIn};
use super::acts::{back, client_id, conversation};
use super::conversation::{Said, fresh_id};
use super::pages::PageError;
use super::triage::Undone;
use crate::engine::inbox::Asked;
use crate::model::decision::{Reply, Summary};
use crate::model::input::Body;

/// The longest note, in bytes.
const MAX_NOTE: usize = 4_000;

/// What the form shows. Each form has its own `client_id`: sent twice it counts once.
pub(super) fn form(operator: &SignedIn, summary: &Summary, said: Said) -> Value {
    let client_id = if said.client_id.is_empty() { fresh_id() } else { said.client_id };
    json!({
        "id": summary.id.to_string(), "csrf": operator.csrf, "client_id": client_id, "draft": said.draft,
        "notice": said.notice, "tone": said.tone, "sent": said.sent,
    })
}

/// Leaves a note.
pub(super) async fn leave(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let conversation = conversation(&id)?;
    let client_id = client_id(&posted)?;
    let text = posted.fields.get("text").replace("\r\n", "\n").trim().to_owned();
    let unsaid =
        |notice: String| Said { draft: text.clone(), client_id: client_id.clone(), notice, tone: "bad", sent: false };
    if text.is_empty() || text.len() > MAX_NOTE || text.contains('\0') {
        let notice = if text.is_empty() { "There is no note yet." } else { "This is too long for a note." };
        return dashboard.noted(&posted, &id, StatusCode::UNPROCESSABLE_ENTITY, unsaid(notice.to_owned())).await;
    }
    let operator = posted.operator.operator();
    let told = async || dashboard.mention(&posted, conversation, &text).await;
    let body = Body::Noted { conversation, operator, client_id: client_id.clone(), text: text.clone() };
    let (status, said) = match dashboard.ask(&id, body).await {
        Ok(Asked::Later(_)) => {
            told().await?;
            let notice = "It is on its way: it stands in the inbox and will be noted.".to_owned();
            (StatusCode::ACCEPTED, Said { notice, tone: "note", sent: true, ..Said::default() })
        }
        Ok(Asked::Answered(answer, _)) => match answer.reply {
            Reply::Refused(code) => (StatusCode::CONFLICT, unsaid(code.message().to_owned())),
            Reply::Done { .. } | Reply::Existing => {
                let notice = told().await?;
                if notice.is_empty() && !posted.is_htmx {
                    return Ok(back(&posted, &id));
                }
                (StatusCode::OK, Said { notice, tone: "note", sent: true, ..Said::default() })
            }
        },
        Err(error) => {
            tracing::warn!(error = ?error, "a note was not appended");
            let notice = "It could not be kept just now. Your words are here still; try again.".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, unsaid(notice))
        }
    };
    dashboard.noted(&posted, &id, status, said).await
}

impl Dashboard {
    /// The form again, or the page around it where no script asked.
    async fn noted(&self, posted: &Posted, id: &str, status: StatusCode, said: Said) -> Result<Response, PageError> {
        let loaded = self.load(id).await?;
        if posted.is_htmx {
            let note = form(&posted.operator, &loaded.summary, said);
            let html = self.pages.render("_note.html", &json!({ "note": note }))?;
            return Ok((status, Html(html)).into_response());
        }
        let which = super::inbox::Which::kept(posted.fields.get("view"));
        let page = self.page_of(&posted.operator, &which, &loaded, Said::default(), said, Undone::default()).await?;
        Ok((status, page).into_response())
    }
}
