//! One conversation: its spine, who holds it, and what an operator can do.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::access::SignedIn;
use super::inbox::Which;
use super::pages::PageError;
use super::spine::{self, Standing};
use super::triage::Undone;
use super::{Dashboard, words};
use crate::model::decision::Summary;
use crate::model::entry::{Entry, HolderKind};
use crate::model::ids::ConversationId;
use crate::record::{EventFilter, Known, Mention, Snoozed};
use crate::store::LogCursor;

/// Entries read at a time; a conversation has 2,000 at most.
const AT_ONCE: usize = 500;

/// A conversation as it stands.
pub(super) struct Loaded {
    pub(super) summary: Summary,
    /// Name and traits, as far as they are known.
    pub(super) known: Known,
    /// What the customer is called.
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    pub(super) standing: Standing,
}

/// What stands beside the log, for one operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Aside {
    /// Until when it needs nobody.
    pub(super) snoozed: Option<Snoozed>,
    /// The note that names the operator.
    pub(super) mention: Option<Mention>,
}

impl Aside {
    /// Tells whether a page shows this or something older.
    pub(super) fn mark(&self) -> String {
        let until = self.snoozed.as_ref().map_or(0, |snoozed| snoozed.until.0);
        format!("{until}-{}", self.mention.as_ref().map_or(0, |mention| mention.at.0))
    }
}

/// What a page says beside the conversation: what became of an act, and words not sent.
#[derive(Default)]
pub(super) struct Said {
    pub(super) notice: String,
    /// `bad` or `note`.
    pub(super) tone: &'static str,
    pub(super) draft: String,
    pub(super) client_id: String,
    /// The words before are said: nothing of them is to be kept.
    pub(super) sent: bool,
}

/// The page.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Html<String>, PageError> {
    let loaded = dashboard.load(&id).await?;
    dashboard.conversation(&operator, &which, &loaded, Said::default()).await
}

impl Dashboard {
    /// Reads a conversation: from the store's log, or from the record once the store has forgotten it.
    pub(super) async fn load(&self, id: &str) -> Result<Loaded, PageError> {
        let id: ConversationId = id.parse().map_err(|_| PageError::not_found("conversation"))?;
        let summary = self.record.summary(id).await?.ok_or_else(|| PageError::not_found("conversation"))?;
        let entries = self.log(id, LogCursor::default()).await?;
        let standing = Standing::of(&entries);
        let known = self.record.known(&summary.customer).await?.unwrap_or_default();
        let name = words::customer(&summary.customer, known.name.as_deref());
        Ok(Loaded { summary, known, name, entries, standing })
    }

    /// What stands beside the log.
    pub(super) async fn aside(&self, operator: &SignedIn, id: ConversationId) -> Result<Aside, PageError> {
        let snoozed = self.record.snoozed(id, self.clock.now()).await?;
        let mention = self.record.mention_in(id, &operator.account.id).await?;
        Ok(Aside { snoozed, mention })
    }

    /// Entries after a cursor.
    pub(super) async fn log(&self, id: ConversationId, after: LogCursor) -> Result<Vec<Entry>, PageError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut cursor = after;
        loop {
            let page = self.store.log(id, cursor, AT_ONCE).await?;
            let Some((last, _)) = page.last() else { break };
            cursor = *last;
            let full = page.len() == AT_ONCE;
            for (_, payload) in page {
                entries.push(serde_json::from_slice(&payload).map_err(PageError::internal)?);
            }
            if !full {
                break;
            }
        }
        if entries.is_empty() && after == LogCursor::default() {
            entries = self.record.entries(id, 0, crate::model::customer::MAX_ENTRIES).await?;
        }
        Ok(entries)
    }

    /// The whole page.
    pub(super) async fn conversation(
        &self,
        operator: &SignedIn,
        which: &Which,
        loaded: &Loaded,
        said: Said,
    ) -> Result<Html<String>, PageError> {
        self.page_of(operator, which, loaded, said, Said::default(), Undone::default()).await
    }

    /// The whole page, with what is to be said of an answer, of a note and of labels.
    pub(super) async fn page_of(
        &self,
        operator: &SignedIn,
        which: &Which,
        loaded: &Loaded,
        said: Said,
        noted: Said,
        undone: Undone,
    ) -> Result<Html<String>, PageError> {
        let Loaded { summary, known, name, entries, standing } = loaded;
        let aside = self.aside(operator, summary.id).await?;
        let list = self.whole_list(operator, which, Some(summary.id)).await?;
        let teams = list.get("teams").cloned().unwrap_or_default();
        let cursor = entries.last().map(|entry| format!("{}-{}", entry.seq, entry.n)).unwrap_or_default();
        let filter = EventFilter { customer: Some(summary.customer.clone()), ..EventFilter::default() };
        let events = self.record.recent_events(&filter, None, 8).await?.items;
        let events: Vec<Value> = events
            .iter()
            .map(|event| {
                let href = format!("/operator/events/{}", event.id);
                json!({ "href": href, "kind": words::plain(&event.kind), "at": words::stamp(event.received_at) })
            })
            .collect();
        let traits: Vec<Value> = known
            .traits
            .iter()
            .take(30)
            .map(|(key, value)| json!({ "name": words::plain(key), "value": short(value) }))
            .collect();
        let values = json!({
            "list": list,
            "live": format!(
                "/operator/live?{}&conversation={}&after={cursor}&aside={}", which.query(), summary.id, aside.mark(),
            ),
            "query": which.query(),
            "id": summary.id.to_string(),
            "name": name,
            "customer": words::actor(&summary.customer),
            "customer_href": words::customer_page(&summary.customer, Some(&summary.id.to_string())),
            "vouched": summary.customer.user_id().is_some(),
            "playbook": words::plain(&summary.playbook),
            "playbook_path": words::address(&summary.playbook),
            "why": summary.why,
            "created": words::stamp(summary.created_at),
            "outcome": standing.outcome,
            "rows": spine::rows(entries, &standing.unknown, name),
            "traits": traits,
            "events": events,
            "hand": self.hand(operator, which, summary, standing, &aside, &teams),
            "view": which.query(),
            "triage": self.triage(operator, which, summary, standing, undone).await?,
            "composer": self.composer(operator, summary, standing, name, said),
            "note": super::notes::form(operator, summary, noted),
        });
        self.page(operator, "conversation.html", "inbox", values).await
    }

    /// Who holds it and what can be done about that: to which teams it can be passed on, too.
    pub(super) fn hand(
        &self,
        operator: &SignedIn,
        which: &Which,
        summary: &Summary,
        standing: &Standing,
        aside: &Aside,
        teams: &Value,
    ) -> Value {
        let Aside { snoozed, mention } = aside;
        let mine = is_mine(operator, summary, standing);
        // The record may lag behind the log.
        let waits = standing.closed.is_none() && standing.holder == HolderKind::Queue;
        let (mark, title, text) = match (standing.closed, standing.holder) {
            (Some(outcome), _) => ("sys", "Closed.".to_owned(), spine::outcome_words(outcome).to_owned()),
            (None, HolderKind::Operator) if mine => {
                ("op", "You have the conversation.".to_owned(), "The assistant is silent.".to_owned())
            }
            (None, HolderKind::Operator) => {
                let name = if standing.name.is_empty() { "Another operator" } else { standing.name.as_str() };
                ("op", format!("{} has the conversation.", words::plain(name)), "The assistant is silent.".to_owned())
            }
            (None, HolderKind::Queue) => {
                ("bad", "Waits for a person.".to_owned(), asked_for(summary, &standing.handoff))
            }
            (None, HolderKind::Assistant) if standing.is_seen => {
                ("ai", "The assistant has the conversation.".to_owned(), String::new())
            }
            (None, HolderKind::Assistant) => ("ev", "Not seen by the customer yet.".to_owned(), String::new()),
        };
        json!({
            "id": summary.id.to_string(), "mark": mark, "title": title, "text": text,
            "answer_by": summary.answer_by.filter(|_| waits).map(words::stamp).unwrap_or_default(),
            "n": standing.holder_n, "mine": mine, "closed": standing.closed.is_some(), "csrf": operator.csrf,
            // Whoever holds it ends it; a colleague takes it over first.
            "may_close": mine || standing.holder != HolderKind::Operator, "view": which.query(),
            "teams": teams,
            "mentioned_by": mention.as_ref().map(|mention| words::plain(&mention.by)).unwrap_or_default(),
            "snoozed_by": snoozed.as_ref().map(|snoozed| words::plain(&snoozed.by)).unwrap_or_default(),
            "snoozed_until": snoozed.as_ref().map(|snoozed| words::stamp(snoozed.until)).unwrap_or_default(),
        })
    }

    /// What the form for words shows. Each form has its own `client_id`: sent twice it counts once.
    pub(super) fn composer(
        &self,
        operator: &SignedIn,
        summary: &Summary,
        standing: &Standing,
        customer: &str,
        said: Said,
    ) -> Value {
        let client_id = if said.client_id.is_empty() { fresh_id() } else { said.client_id };
        json!({
            "id": summary.id.to_string(), "csrf": operator.csrf, "client_id": client_id, "draft": said.draft,
            "notice": said.notice, "tone": said.tone, "sent": said.sent, "customer": customer,
            "mine": is_mine(operator, summary, standing), "closed": standing.closed.is_some(),
            "drafts": !self.installation.models.is_empty(),
        })
    }

    /// The answer to an act: the page again, with what is to be said.
    pub(super) async fn conversation_with(
        &self,
        operator: &SignedIn,
        which: &Which,
        id: &str,
        status: StatusCode,
        said: Said,
    ) -> Result<Response, PageError> {
        let loaded = self.load(id).await?;
        Ok((status, self.conversation(operator, which, &loaded, said).await?).into_response())
    }

    /// The composer alone.
    pub(super) async fn composer_with(
        &self,
        operator: &SignedIn,
        id: &str,
        status: StatusCode,
        said: Said,
    ) -> Result<Response, PageError> {
        let loaded = self.load(id).await?;
        let composer = self.composer(operator, &loaded.summary, &loaded.standing, &loaded.name, said);
        let html = self.pages.render("_composer.html", &json!({ "composer": composer }))?;
        Ok((status, Html(html)).into_response())
    }
}

/// An id for a form: what is sent twice under it counts once.
pub(super) fn fresh_id() -> String {
    let random: [u8; 18] = rand::random();
    URL_SAFE_NO_PAD.encode(random)
}

/// Why a person is asked for, and of which team where the reason does not say so.
fn asked_for(summary: &Summary, reason: &str) -> String {
    let reason = words::plain(reason);
    let Some(team) = summary.team.as_deref().map(words::plain) else { return reason };
    match reason.is_empty() {
        false if reason.ends_with(&format!(" to {team}")) => reason,
        false => format!("{reason}, for {team}"),
        true => format!("For {team}"),
    }
}

/// Whether this operator holds the conversation. The log names operators as customers see them; the record knows ids
/// but may lag, so it counts where it speaks of the same change of hands.
fn is_mine(operator: &SignedIn, summary: &Summary, standing: &Standing) -> bool {
    if standing.closed.is_some() || standing.holder != HolderKind::Operator {
        return false;
    }
    match &summary.operator {
        Some(holder) if summary.holder_n == standing.holder_n => holder.id == operator.account.id,
        _ => standing.name == operator.account.name,
    }
}

/// A trait's value in a line.
pub(super) fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    words::plain(&text.chars().take(200).collect::<String>())
}
