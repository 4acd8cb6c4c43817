//! The dashboard: what operators see and do. All of it lies below `/operator/` and reads without JavaScript.
//!
//! Not here: what an act comes to (`engine::decide`); a page appends an input and shows the answer.

mod access;
mod acts;
mod assets;
mod attachments;
mod attempts;
mod attention;
mod conversation;
mod customers;
mod drafts;
mod events;
mod filters;
mod flow;
mod history;
mod inbox;
mod live;
mod mentions;
mod notes;
mod pages;
mod palette;
mod playbooks;
mod replies;
mod revoke;
mod setup;
mod sightings;
mod sign_in;
mod snooze;
mod spine;
mod thread;
mod transcript;
mod triage;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Redirect;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::inbox::Inbox;
use crate::engine::suggest::Suggester;
use crate::model::customer::State;
use crate::model::decision::Judged;
use crate::model::event::Event;
use crate::model::time::{Millis, Ms};
use crate::record::Record;
use crate::store::Store;
use crate::trigger::pending::Pending;
use crate::trigger::topic::revoking::Firm;

pub use setup::Installation;
pub use sightings::{Seen, Sighting, Sightings};

use attempts::Attempts;
use pages::Pages;

/// The largest form that is read, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// How the dashboard is reached and how long a session lasts.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long a session lasts from signing in.
    pub session: Millis,
    /// What stands before this server.
    pub front: Front,
    /// Live pages at a time; more get 503 and show themselves still.
    pub live_pages: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { session: Millis::hours(7 * 24), front: Front::Nothing, live_pages: 500 }
    }
}

/// What stands before this server, and so whose word counts for scheme and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Front {
    /// Nothing: forwarded headers are anybody's.
    #[default]
    Nothing,
    /// A proxy of ours: `x-forwarded-proto` and the last of `x-forwarded-for` are its word.
    Proxy,
}

/// Names the closest type of event that something listens to.
pub type Nearest = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What is under way for a customer with this state, by the playbooks in force.
pub type UnderWay = Arc<dyn Fn(&State, Ms) -> Vec<Pending> + Send + Sync>;

/// The topics, by playbook and key, that tell many of an event with these verdicts; or why it cannot be taken back.
pub type Revocable = Arc<dyn Fn(&Event, &[Judged]) -> Result<Vec<(String, String)>, Firm> + Send + Sync>;

/// How far the record is behind the store, where that is worth saying.
pub type Lag = Arc<dyn Fn() -> Option<Millis> + Send + Sync>;

/// The playbooks in force, and pausing them.
pub trait Playbooks: Send + Sync + 'static {
    /// All, in order of name.
    fn list(&self) -> BoxFuture<'_, Result<Vec<PlaybookRow>, String>>;

    /// Pauses or resumes one; an error is a sentence for the page.
    fn set(&self, name: &str, state: PlaybookState) -> BoxFuture<'_, Result<(), String>>;

    /// The files of one, as they are in force; none where there is no such playbook.
    fn files(&self, name: &str) -> BoxFuture<'_, Result<Option<PlaybookFiles>, String>>;

    /// Checks the workspace as it lies there now.
    fn check(&self) -> BoxFuture<'_, Result<Checked, String>>;
}

/// A playbook as the page lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybookRow {
    /// Its name.
    pub name: String,
    /// Types of events that it hears.
    pub hears: Vec<String>,
    /// Whether it opens conversations now.
    pub state: PlaybookState,
}

/// The files of a playbook, to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybookFiles {
    /// The playbook's path in the workspace, with what is in it.
    pub playbook: (String, String),
    /// Its prompt, where it has one.
    pub prompt: Option<(String, String)>,
    /// `open.why`.
    pub why: String,
    /// The type of event that is its goal.
    pub goal: Option<String>,
}

/// What a check of the workspace came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Every mistake, as `beckon check` prints it.
    pub mistakes: Vec<String>,
    /// Whether what lies there is in force.
    pub in_force: bool,
}

/// Whether a playbook opens conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaybookState {
    /// It does.
    Running,
    /// It does not, for now.
    Paused,
}

/// What the dashboard needs.
pub struct Parts {
    /// Lists, events, accounts.
    pub record: Record,
    /// Logs and hints.
    pub store: Arc<dyn Store>,
    /// The way in.
    pub inbox: Inbox,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How it is reached.
    pub settings: Settings,
    /// The closest type that something listens to.
    pub nearest: Nearest,
    /// What is under way for a customer.
    pub under_way: UnderWay,
    /// Which topics tell many of an event.
    pub revocable: Revocable,
    /// How far lists and events are behind.
    pub lag: Lag,
    /// The playbooks.
    pub playbooks: Arc<dyn Playbooks>,
    /// Who writes drafts for operators.
    pub suggester: Suggester,
    /// What this server is set up with.
    pub installation: Installation,
    /// Ends live pages when the server drains.
    pub closing: CancellationToken,
}

/// The dashboard, ready to serve. Cheap to clone.
#[derive(Clone)]
pub struct Dashboard {
    parts: Arc<Parts>,
    pages: Arc<Pages>,
    attempts: Arc<Attempts>,
    live: Arc<Semaphore>,
}

impl std::ops::Deref for Dashboard {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Dashboard {
    /// Compiles the templates.
    ///
    /// # Errors
    /// A template of this build that does not compile; for the log.
    pub fn new(parts: Parts) -> anyhow::Result<Dashboard> {
        let live = Arc::new(Semaphore::new(parts.settings.live_pages));
        let pages = Arc::new(Pages::compile()?);
        Ok(Dashboard { parts: Arc::new(parts), pages, attempts: Arc::new(Attempts::default()), live })
    }
}

/// Every route of the dashboard.
pub fn routes(dashboard: Dashboard) -> Router {
    Router::new()
        .route("/operator", get(|| async { Redirect::permanent("/operator/") }))
        .route("/operator/", get(inbox::page))
        .route("/operator/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/operator/sign-out", post(sign_in::sign_out))
        .route("/operator/live", get(live::stream))
        .route("/operator/conversations/{id}", get(conversation::page))
        .route("/operator/conversations/{id}/transcript.txt", get(transcript::text))
        .route("/operator/conversations/{id}/transcript.json", get(transcript::whole))
        .route("/operator/conversations/{id}/claim", post(acts::claim))
        .route("/operator/conversations/{id}/release", post(acts::release))
        .route("/operator/conversations/{id}/pass", post(acts::pass))
        .route("/operator/conversations/{id}/say", post(acts::say))
        .route("/operator/conversations/{id}/note", post(notes::leave))
        .route("/operator/conversations/{id}/mention", post(mentions::done))
        .route("/operator/conversations/{id}/snooze", post(snooze::put_off))
        .route("/operator/conversations/{id}/triage", post(triage::judge))
        .route("/operator/conversations/{id}/draft", post(drafts::write))
        .route("/operator/conversations/{id}/close", post(acts::close))
        .route("/operator/conversations/{id}/calls/{call}/settle", post(acts::settle))
        .route("/operator/conversations/{id}/typing", post(attention::typing))
        .route("/operator/colleagues/pick", get(mentions::pick))
        .route("/operator/customers", get(customers::list))
        .route("/operator/customers/{handle}", get(customers::page))
        .route("/operator/events", get(events::list))
        .route("/operator/events/{id}", get(events::page))
        .route("/operator/events/{id}/revoke", post(revoke::take_back))
        .route("/operator/filters", get(filters::page).post(filters::add))
        .route("/operator/filters/{id}", post(filters::rename))
        .route("/operator/filters/{id}/remove", post(filters::remove))
        .route("/operator/flow", get(flow::page))
        .route("/operator/palette", get(palette::find))
        .route("/operator/replies", get(replies::page).post(replies::add))
        .route("/operator/replies/pick", get(replies::pick))
        .route("/operator/replies/{id}", post(replies::change))
        .route("/operator/replies/{id}/remove", post(replies::remove))
        .route("/operator/setup", get(setup::page))
        .route("/operator/setup/models", post(setup::ask_models))
        .route("/operator/playbooks", get(playbooks::list))
        .route("/operator/playbooks/{name}", get(playbooks::page))
        .route("/operator/playbooks/{name}/pause", post(playbooks::pause))
        .route("/operator/playbooks/{name}/resume", post(playbooks::resume))
        .route("/operator/static/{*path}", get(assets::file))
        .route("/operator/{*rest}", get(pages::not_found))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(axum::middleware::map_response(access::protect))
        // Behind the policy of pages: a file has its own, which is stricter.
        .route("/operator/attachments/{id}", get(attachments::file))
        .with_state(dashboard)
}
