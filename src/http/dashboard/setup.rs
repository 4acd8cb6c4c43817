//! The setup page: what works already, what is missing, and the lines to paste.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::access::{Posted, SignedIn};
use super::pages::PageError;
use super::sightings::{Sighting, Sightings};
use super::{Dashboard, words};
use crate::llm::{Llm, LlmError, Message, Request};
use crate::model::time::Ms;
use crate::record::{EventFilter, Role};

/// How long a model may take to answer a word.
const PATIENCE: Duration = Duration::from_secs(20);

/// What this server is set up with.
pub struct Installation {
    /// Pages that may open the chat: `chat.origins`.
    pub origins: Vec<String>,
    /// Whether customers may come without a token.
    pub anonymous: bool,
    /// Whether tokens can be verified.
    pub tokens: bool,
    /// How many chat sockets this node has.
    pub sockets: Arc<dyn Fn() -> usize + Send + Sync>,
    /// What was seen of web pages.
    pub sightings: Sightings,
    /// The models, in order of preference.
    pub models: Vec<Arc<dyn Llm>>,
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Step {
    /// `done`, `wrong` or `open`.
    state: &'static str,
    /// The same in a word.
    word: &'static str,
    title: &'static str,
    text: String,
    /// What to do, to be pasted.
    code: String,
}

/// What a model made of being asked.
#[derive(Debug, Serialize)]
struct Answered {
    name: String,
    ok: bool,
    text: String,
}

/// The page.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    headers: HeaderMap,
) -> Result<Html<String>, PageError> {
    dashboard.setup_page(&operator, &dashboard.origin(&headers), None).await
}

/// Asks every model for a word. It costs a few tokens, so it is asked for by a person.
pub(super) async fn ask_models(
    State(dashboard): State<Dashboard>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, PageError> {
    dashboard.require(&posted.operator, Role::Admin, "models.ask").await?;
    let asked = dashboard.installation.models.iter().map(|model| ask(&**model));
    let answered = futures_util::future::join_all(asked).await;
    dashboard.audit(&posted.operator.account.id, "models.ask", "", &posted.operator.address).await;
    let origin = dashboard.origin(&headers);
    Ok(dashboard.setup_page(&posted.operator, &origin, Some(answered)).await?.into_response())
}

async fn ask(model: &dyn Llm) -> Answered {
    let request = Request {
        system: "Answer with the single word: ready".to_owned(),
        messages: vec![Message::User("Are you ready?".to_owned())],
        tools: Vec::new(),
        max_tokens: 16,
    };
    let (words, mut first) = mpsc::channel(8);
    let began = Instant::now();
    let first_token = async {
        let after = first.recv().await.map(|_| began.elapsed());
        // The sender waits for room: what follows the first word is taken and left.
        while first.recv().await.is_some() {}
        after
    };
    let asking = async {
        let answer = model.ask(&request, &words).await;
        drop(words);
        answer
    };
    let name = words::plain(model.name());
    match tokio::time::timeout(PATIENCE, async { tokio::join!(asking, first_token) }).await {
        Ok((Ok(_), Some(first))) => {
            let text =
                format!("first token after {} ms, all after {} ms", first.as_millis(), began.elapsed().as_millis());
            Answered { name, ok: true, text }
        }
        Ok((Ok(_), None)) => {
            let text = format!("it answered after {} ms, without a word", began.elapsed().as_millis());
            Answered { name, ok: true, text }
        }
        Ok((Err(problem), _)) => Answered { name, ok: false, text: told(&problem) },
        Err(_) => Answered { name, ok: false, text: format!("no answer within {} s", PATIENCE.as_secs()) },
    }
}

/// What went wrong, without what a server wrote: it may hold anything.
fn told(problem: &LlmError) -> String {
    match problem {
        LlmError::Away(_) => "it cannot be reached: is the address right, does the server run?".to_owned(),
        LlmError::Refused(_) => "it refused the request: are the key and the model's name right?".to_owned(),
        other => other.to_string(),
    }
}

impl Dashboard {
    /// How the browser reached this server: what pages of the company will name.
    fn origin(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let scheme = if self.is_https(headers) { "https" } else { "http" };
        format!("{scheme}://{}", words::plain(host))
    }

    async fn setup_page(
        &self,
        operator: &SignedIn,
        origin: &str,
        answered: Option<Vec<Answered>>,
    ) -> Result<Html<String>, PageError> {
        let socket = origin.replacen("http", "ws", 1);
        let models: Vec<String> = self.installation.models.iter().map(|model| words::plain(model.name())).collect();
        let values = json!({
            "steps": self.steps(origin).await?,
            "origin": origin,
            "policy": format!("script-src {origin}; connect-src {origin} {socket}"),
            "origins": self.installation.origins.iter().map(|origin| words::plain(origin)).collect::<Vec<_>>(),
            "models": models,
            "answered": answered,
            "admin": operator.account.role == Role::Admin,
        });
        self.page(operator, "setup.html", "setup", values).await
    }

    async fn steps(&self, origin: &str) -> Result<Vec<Step>, PageError> {
        let now = self.clock.now();
        let seen = self.installation.sightings.seen();
        let latest = self.record.recent_events(&EventFilter::default(), None, 1).await?;
        let event = latest.items.first().map(|event| {
            let kind = words::plain(&event.kind);
            format!(
                "The latest is {kind} from {}, {} ago.",
                words::plain(&event.source),
                words::ago(event.received_at, now)
            )
        });
        Ok(vec![
            Step {
                state: if event.is_some() { "done" } else { "open" },
                word: if event.is_some() { "seen" } else { "not yet" },
                title: "An event came",
                text: event.unwrap_or_else(|| "None yet. Send one with a key that may send events:".to_owned()),
                code: format!(
                    "curl -X POST {origin}/v1/events -H 'authorization: Bearer YOUR_KEY' \
                     -H 'content-type: application/cloudevents+json' \
                     -d '{{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"shop\",\"type\":\"order.late\",\"subject\":\"42\"}}'"
                ),
            },
            Step {
                state: if seen.script.is_some() { "done" } else { "open" },
                word: if seen.script.is_some() { "seen" } else { "not yet" },
                title: "A page loaded the script",
                text: seen.script.as_ref().map_or_else(
                    || "None since this server started. Put this into your pages:".to_owned(),
                    |script| sighted("Last by", script, now),
                ),
                code: format!("<script async src=\"{origin}/widget.js\" data-token=\"…\"></script>"),
            },
            self.chat_step(now),
            Step {
                state: if self.installation.tokens { "done" } else { "open" },
                word: if self.installation.tokens { "set up" } else { "not set up" },
                title: "Customers are known by tokens",
                text: match (self.installation.tokens, self.installation.anonymous) {
                    (true, true) => "Tokens are verified; customers without one are anonymous.".to_owned(),
                    (true, false) => "Tokens are verified; nobody comes without one.".to_owned(),
                    (false, _) => "No key: every customer is anonymous. Name the key that signs them:".to_owned(),
                },
                code: "[chat]\nidentity_keys = [\"env:BECKON_IDENTITY_KEY\"]".to_owned(),
            },
        ])
    }

    /// Whether the chat opens, and where it does not, why.
    fn chat_step(&self, now: Ms) -> Step {
        let seen = self.installation.sightings.seen();
        let title = "A page opened the chat";
        let newer = |refused: &Sighting| seen.welcomed.as_ref().is_none_or(|welcomed| refused.at > welcomed.at);
        if let Some(refused) = seen.refused.as_ref().filter(|refused| newer(refused)) {
            let origin = refused.origin.clone().unwrap_or_else(|| "https://shop.example".to_owned());
            let text = format!("{} It is not among the origins of this server.", sighted("Refused:", refused, now));
            return Step {
                state: "wrong",
                word: "refused",
                title,
                text,
                code: format!("[chat]\norigins = [\"{}\"]", words::plain(&origin)),
            };
        }
        let sockets = (self.installation.sockets)();
        match &seen.welcomed {
            Some(welcomed) => {
                let text = format!("{} Open now, on this node: {sockets}.", sighted("Last by", welcomed, now));
                Step { state: "done", word: "seen", title, text, code: String::new() }
            }
            None => {
                let text = "None since this server started. It opens on pages of these origins:".to_owned();
                let origins: Vec<String> = self.installation.origins.iter().map(|o| format!("\"{o}\"")).collect();
                let code = format!("[chat]\norigins = [{}]", origins.join(", "));
                Step { state: "open", word: "not yet", title, text, code }
            }
        }
    }
}

fn sighted(what: &str, sighting: &Sighting, now: Ms) -> String {
    let origin = sighting.origin.as_deref().map_or_else(|| "a page that did not say which".to_owned(), words::plain);
    format!("{what} {origin}, {} ago.", words::ago(sighting.at, now))
}
