//! What operators do: each form is an input, and the page shows what became of it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::Dashboard;
use super::access::Posted;
use super::conversation::Said;
use super::inbox::Which;
use super::pages::PageError;
use super::words;
use crate::engine::inbox::Asked;
use crate::ingest::fields::name;
use crate::model::customer::RefusalCode;
use crate::model::decision::Reply;
use crate::model::ids::{CallId, ConversationId};
use crate::model::input::{Body, Settled};

/// The longest message, in bytes.
const MAX_WORDS: usize = 16 * 1024;

/// Takes the conversation, if it has not changed hands since the page was made.
pub(super) async fn claim(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let conversation = conversation(&id)?;
    let n = posted.fields.get("n").parse().map_err(|_| wrong("n"))?;
    let operator = posted.operator.operator();
    dashboard.act(&posted, &id, "claim", Body::Claim { conversation, operator, n }).await
}

/// Hands it back to the assistant.
pub(super) async fn release(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let (conversation, note) = (conversation(&id)?, note(&posted)?);
    let operator = posted.operator.operator();
    let body = Body::Release { conversation, operator, note: note.clone() };
    dashboard.hand_over(&posted, &id, "release", body, note.as_deref()).await
}

/// Passes it on to colleagues.
pub(super) async fn pass(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let (conversation, note) = (conversation(&id)?, note(&posted)?);
    let team = Some(posted.fields.get("team").trim()).filter(|team| !team.is_empty());
    let team = team.map(|team| name("team", team)).transpose().map_err(|_| wrong("team"))?;
    let operator = posted.operator.operator();
    let body = Body::Pass { conversation, operator, team, note: note.clone() };
    dashboard.hand_over(&posted, &id, "pass", body, note.as_deref()).await
}

/// Ends it.
pub(super) async fn close(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let conversation = conversation(&id)?;
    let operator = posted.operator.operator();
    dashboard.act(&posted, &id, "close", Body::OperatorClosed { conversation, operator }).await
}

/// Says what became of a call whose end nobody knew.
pub(super) async fn settle(
    State(dashboard): State<Dashboard>,
    Path((id, call)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, PageError> {
    let conversation = conversation(&id)?;
    let call: CallId = call.parse().map_err(|_| wrong("call"))?;
    let state = match posted.fields.get("state") {
        "done" => Settled::Done,
        "failed" => Settled::Failed,
        _ => return Err(wrong("state")),
    };
    let operator = posted.operator.operator();
    dashboard.act(&posted, &id, "settle", Body::Settle { conversation, call, operator, state }).await
}

/// Speaks.
pub(super) async fn say(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let conversation = conversation(&id)?;
    let client_id = client_id(&posted)?;
    // Browsers send line ends as CR LF.
    let text = posted.fields.get("text").replace("\r\n", "\n").trim().to_owned();
    let draft = || Said { draft: text.clone(), client_id: client_id.clone(), tone: "bad", ..Said::default() };
    if text.is_empty() || text.len() > MAX_WORDS || text.contains('\0') {
        let notice =
            if text.is_empty() { "There is nothing to send yet." } else { "This is too long to send at once." };
        let said = Said { notice: notice.to_owned(), ..draft() };
        return dashboard.show(&posted, &id, StatusCode::UNPROCESSABLE_ENTITY, said).await;
    }
    let operator = posted.operator.operator();
    let body = Body::OperatorSaid { conversation, operator, client_id: client_id.clone(), text: text.clone() };
    match dashboard.ask(&id, body).await {
        Ok(Asked::Later(_)) => {
            let notice = "It is on its way: it stands in the inbox and will be said.".to_owned();
            dashboard
                .show(&posted, &id, StatusCode::ACCEPTED, Said { notice, tone: "note", sent: true, ..Said::default() })
                .await
        }
        Ok(Asked::Answered(answer, _)) => match answer.reply {
            Reply::Refused(code) => {
                let notice = dashboard.refusal(&id, code).await?;
                dashboard.show(&posted, &id, StatusCode::CONFLICT, Said { notice, ..draft() }).await
            }
            Reply::Done { .. } | Reply::Existing if posted.is_htmx => {
                let said = Said { sent: true, ..Said::default() };
                dashboard.composer_with(&posted.operator, &id, StatusCode::OK, said).await
            }
            Reply::Done { .. } | Reply::Existing => Ok(back(&posted, &id)),
        },
        Err(error) => {
            let notice = "It could not be sent just now. Your words are here still; send again.".to_owned();
            tracing::warn!(error = ?error, "operator message not appended");
            dashboard.show(&posted, &id, StatusCode::SERVICE_UNAVAILABLE, Said { notice, ..draft() }).await
        }
    }
}

/// The form's own id of what is said: sent again it counts once.
pub(super) fn client_id(posted: &Posted) -> Result<String, PageError> {
    id_in(posted, "client_id")
}

/// The same where another field of the form has it.
pub(super) fn id_in(posted: &Posted, field: &str) -> Result<String, PageError> {
    let client_id = posted.fields.get(field).to_owned();
    let known = client_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if known && (16..=64).contains(&client_id.len()) { Ok(client_id) } else { Err(wrong(field)) }
}

impl Dashboard {
    /// Appends what an operator does, and shows what became of it.
    async fn act(&self, posted: &Posted, id: &str, name: &str, body: Body) -> Result<Response, PageError> {
        let asked = self.ask(id, body).await?;
        self.audit(&posted.operator.account.id, name, id, &posted.operator.address).await;
        let (status, notice, tone) = match asked {
            Asked::Later(_) => {
                let notice = "Not decided yet: it stands in the inbox and will happen.".to_owned();
                (StatusCode::ACCEPTED, notice, "note")
            }
            Asked::Answered(answer, _) => match answer.reply {
                Reply::Done { .. } | Reply::Existing => return Ok(back(posted, id)),
                Reply::Refused(code) => (StatusCode::CONFLICT, self.refusal(id, code).await?, "bad"),
            },
        };
        self.show(posted, id, status, Said { notice, tone, ..Said::default() }).await
    }

    /// Gives a conversation out of the operator's hands, and tells those whom the note names.
    async fn hand_over(
        &self,
        posted: &Posted,
        id: &str,
        act: &str,
        body: Body,
        note: Option<&str>,
    ) -> Result<Response, PageError> {
        let response = self.act(posted, id, act, body).await?;
        if let Some(note) = note.filter(|_| response.status() != StatusCode::CONFLICT) {
            self.mention(posted, conversation(id)?, note).await?;
        }
        Ok(response)
    }

    pub(super) async fn ask(&self, id: &str, body: Body) -> Result<Asked, PageError> {
        let id = conversation(id)?;
        let summary = self.record.summary(id).await?.ok_or_else(|| PageError::not_found("conversation"))?;
        Ok(self.inbox.ask(&summary.customer, body).await?)
    }

    /// A refusal in words; where it changed hands, who has it now.
    async fn refusal(&self, id: &str, code: RefusalCode) -> Result<String, PageError> {
        if code != RefusalCode::Conflict {
            return Ok(code.message().to_owned());
        }
        let standing = self.load(id).await?.standing;
        let holder = match standing.holder {
            crate::model::entry::HolderKind::Operator => format!("{} has it now.", words::plain(&standing.name)),
            crate::model::entry::HolderKind::Queue => "It waits for a person now.".to_owned(),
            crate::model::entry::HolderKind::Assistant => "The assistant has it now.".to_owned(),
        };
        Ok(format!("{} {holder}", code.message()))
    }

    /// The page again, or its composer where htmx asked.
    async fn show(&self, posted: &Posted, id: &str, status: StatusCode, said: Said) -> Result<Response, PageError> {
        if posted.is_htmx {
            return self.composer_with(&posted.operator, id, status, said).await;
        }
        let which = Which::kept(posted.fields.get("view"));
        self.conversation_with(&posted.operator, &which, id, status, said).await
    }
}

/// To the page: what was done stands in the log, and loading again does not do it again.
pub(super) fn back(posted: &Posted, id: &str) -> Response {
    let which = Which::kept(posted.fields.get("view"));
    Redirect::to(&format!("/operator/conversations/{id}?{}", which.query())).into_response()
}

pub(super) fn conversation(id: &str) -> Result<ConversationId, PageError> {
    id.parse().map_err(|_| PageError::not_found("conversation"))
}

pub(super) fn wrong(field: &str) -> PageError {
    PageError::new(StatusCode::UNPROCESSABLE_ENTITY, format!("The field {field} of the form is missing or wrong."))
}

/// What those who get it should know; none where nothing was written.
fn note(posted: &Posted) -> Result<Option<String>, PageError> {
    let note = posted.fields.get("note").replace("\r\n", "\n").trim().to_owned();
    if note.len() > MAX_WORDS || note.contains('\0') {
        return Err(wrong("note"));
    }
    Ok(Some(note).filter(|note| !note.is_empty()))
}
