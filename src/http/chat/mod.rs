//! `GET /v1/chat`: the WebSocket subprotocol `beckon.v1`. `docs/protocol.md` has it in plain words.
//!
//! One task a socket. It holds what was sent of each conversation, and reads the rest from the log: hints of the live
//! bus only say when to look. Not here: what a frame changes; that is appended as an input and decided by the engine.

pub mod attachments;
pub mod deltas;
pub mod described;
mod fields;
pub mod frames;
mod hearing;
pub mod identity;
pub mod jwks;
mod line;
pub mod outgoing;
mod part;
mod reader;
mod reading;
pub mod registry;
pub mod sent;
mod session;
mod taking;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use self::fields::read;
use self::identity::Identity;
use self::registry::{NoSeat, Registry};
use super::problem::ApiError;
use crate::clock::Clock;
use crate::engine::inbox::Inbox;
use crate::model::attachment::{Attachment, AttachmentId};
use crate::model::decision::Summary;
use crate::model::entry::Entry;
use crate::model::ids::{ActorId, ConversationId};
use crate::model::time::Ms;
use crate::store::{Store, StoreError};

/// The subprotocol.
pub const PROTOCOL: &str = "beckon.v1";
/// The largest frame taken, in bytes.
pub const MAX_FRAME: usize = 64 * 1_024;
/// The read buffer of a socket, in bytes; the library's 128 KiB would be most of an idle socket's memory. It grows for
/// a frame that is larger.
const READ_BUFFER: usize = 2 * 1_024;
/// So many bytes are gathered before they are written; taken only while something is sent.
const WRITE_BUFFER: usize = 4 * 1_024;

/// How chat behaves; from `[chat]`.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Origins of pages that may connect, such as `https://shop.example`. Pages of this server itself always may, and
    /// so may clients without an `Origin`: they are no pages.
    pub origins: Vec<String>,
    /// How customers are told apart.
    pub identity: identity::Settings,
    /// The playbook that answers who speaks first.
    pub playbook: Option<String>,
    /// What files customers may send; from `[attachments]`.
    pub attachments: attachments::Settings,
    /// Bounds.
    pub bounds: Bounds,
    /// Times.
    pub times: Times,
}

/// What one socket, one customer and this node may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Sockets of this node.
    pub sockets: usize,
    /// Sockets of one customer on this node.
    pub sockets_a_customer: usize,
    /// What may wait to be sent on a socket, in bytes; then it is closed as too slow.
    pub queue: usize,
    /// Frames a second of one socket.
    pub frames: u32,
    /// So many frames at once.
    pub burst: u32,
    /// Frames refused for being too many, until the socket is closed.
    pub patience: u32,
}

/// When things happen on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// `hello` comes within.
    pub hello: Duration,
    /// Between two pings; also how often what was missed is looked for.
    pub ping: Duration,
    /// Closed after so long without a sign of life.
    pub silence: Duration,
    /// A draining node spreads the return of its sessions over this.
    pub spread: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { sockets: 20_000, sockets_a_customer: 20, queue: 256 * 1_024, frames: 20, burst: 40, patience: 200 }
    }
}

impl Default for Times {
    fn default() -> Times {
        Times {
            hello: Duration::from_secs(10),
            ping: Duration::from_secs(25),
            silence: Duration::from_secs(60),
            spread: Duration::from_secs(15),
        }
    }
}

/// What the live store does not hold: what it forgot, what playbooks say of themselves, files.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// A conversation that has left the live store: its summary and its whole log; none where there is no such one.
    ///
    /// # Errors
    /// [`StoreError::Away`] where it cannot be read now: that is no reason to tell a client that it is gone.
    async fn conversation(&self, id: ConversationId) -> Result<Option<(Summary, Vec<Entry>)>, StoreError>;

    /// `open.why` of a playbook in a catalog, by its hash; empty where it has none.
    async fn why(&self, catalog: &str, playbook: &str) -> String;

    /// Gives files to the message of this customer that names them; none where one of them cannot be had.
    ///
    /// # Errors
    /// [`StoreError::Away`] where they cannot be looked up now.
    async fn claim(
        &self,
        customer: &ActorId,
        client_id: &str,
        ids: &[AttachmentId],
        now: Ms,
    ) -> Result<Option<Vec<Attachment>>, StoreError>;

    /// Takes the files of a message back that was refused. Where that fails they are forgotten later.
    async fn release(&self, customer: &ActorId, client_id: &str);
}

/// The chat endpoint: everything that its sessions share.
#[derive(Clone)]
pub struct Chat {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    inbox: Inbox,
    settings: Settings,
    archive: Arc<dyn Archive>,
    identity: Identity,
    registry: Registry,
    clock: Arc<dyn Clock>,
}

impl Chat {
    /// A chat endpoint over this store.
    ///
    /// # Errors
    /// Where the client that fetches published keys cannot be made.
    pub fn new(
        store: Arc<dyn Store>,
        settings: Settings,
        archive: Arc<dyn Archive>,
        clock: Arc<dyn Clock>,
    ) -> Result<Chat, reqwest::Error> {
        let identity = Identity::new(&settings.identity, store.dedupe_secret(), Arc::clone(&clock))?;
        let registry = Registry::new(settings.bounds.sockets, settings.bounds.sockets_a_customer);
        let inbox = Inbox::new(Arc::clone(&store));
        Ok(Chat { shared: Arc::new(Shared { store, inbox, settings, archive, identity, registry, clock }) })
    }

    /// The open sessions, for shutdown and metrics.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }
}

/// `GET /v1/chat`.
pub fn routes(chat: Chat) -> Router {
    Router::new().route("/v1/chat", get(upgrade)).with_state(chat).route("/asyncapi.json", get(described::get))
}

/// Lets a socket in, or refuses it while it is still HTTP.
async fn upgrade(
    State(chat): State<Chat>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !may_come(&headers, &chat.shared.settings.origins) {
        return refused(StatusCode::FORBIDDEN, "origin", "This origin is not in `chat.origins`.");
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade.protocols([PROTOCOL]),
        Err(no_socket) => return refused(no_socket.status(), "websocket", &no_socket.body_text()),
    };
    if upgrade.selected_protocol().is_none() {
        return refused(StatusCode::BAD_REQUEST, "subprotocol", "The WebSocket subprotocol is `beckon.v1`.");
    }
    let seat = match chat.shared.registry.enter() {
        Ok(seat) => seat,
        Err(no) => return no_seat(no),
    };
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_frame_size(MAX_FRAME)
        .max_message_size(MAX_FRAME)
        .on_upgrade(move |socket| session::run(chat, socket, seat))
}

fn refused(status: StatusCode, code: &str, detail: &str) -> Response {
    crate::telemetry::chat_refused(code);
    ApiError::new(status, code, detail).into_response()
}

fn no_seat(no: NoSeat) -> Response {
    let detail = match no {
        NoSeat::Draining => "This server is going; come back in a moment.",
        NoSeat::Full => "This server has no room for another socket; come back in a moment.",
    };
    crate::telemetry::chat_refused("unavailable");
    let mut error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
    error.retry_after = Some(Duration::from_secs(rand::random_range(2..=10)));
    error.into_response()
}

/// Whether the page that asks is one of ours. Cookies play no part in chat, so a page of this server itself (the demo,
/// the dashboard) is told by `Host`.
fn may_come(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let listed = origins.iter().any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(origin));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_page = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    listed || host.zip(of_page).is_some_and(|(host, page)| host.eq_ignore_ascii_case(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "chat.example:8080".parse().unwrap());
        if !origin.is_empty() {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        may_come(&headers, &["https://shop.example/".to_owned()])
    }

    #[test]
    fn only_pages_of_listed_origins_and_our_own_may_come() {
        for ours in ["", "https://shop.example", "HTTPS://SHOP.EXAMPLE", "http://chat.example:8080"] {
            assert!(from(ours), "{ours}");
        }
        for foreign in ["null", "https://evil.example", "http://shop.example", "https://shop.example.evil", "file://"] {
            assert!(!from(foreign), "{foreign}");
        }
    }
}
