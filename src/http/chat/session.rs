//! One session: from `hello` to the end. What was sent of each conversation, and what to do when something happens.

use axum::extract::ws::{Message, WebSocket};
use tokio::time::{Duration, Instant};

use super::Chat;
use super::deltas::Deltas;
use super::fields;
use super::frames::{BadFrame, ClientFrame, Hello, Stand};
use super::hearing::Heard;
use super::identity::Denied;

use super::line::{BAD_TOKEN, Close, FLOOD, Happened, Line, PROTOCOL_ERROR, TOKEN_EXPIRED};
use super::reader::Reader;
use super::reading::Known;
use super::registry::Seat;
use super::sent::{ServerFrame, Trouble};
use crate::model::ids::{ActorId, ConversationId, Pos};
use crate::store::{Channel, Hints};

/// Hints that may wait for a session; over that it reads again.
const HINTS: usize = 64;
/// Until the store is asked again after it did not answer.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// One session, greeted.
pub(super) struct Session {
    pub(super) reader: Reader,
    pub(super) line: Box<Line>,
    pub(super) held: Vec<Held>,
    pub(super) asked: Vec<Asked>,
    pub(super) deltas: Deltas,
    /// When this customer's typing was last told.
    pub(super) typed: Option<Instant>,
    /// Something may have been missed: read again then.
    pub(super) stale: Option<Instant>,
    hints: Hints,
    expires: Option<Instant>,
    ping_at: Instant,
    _seat: Seat,
}

/// A conversation that the client knows of.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: ConversationId,
    /// The last entry that was sent.
    pub(super) stand: Stand,
    /// It is open, or `seen` was appended: another one changes nothing.
    pub(super) seen: bool,
    /// It is closed.
    pub(super) closed: bool,
    /// It left the live store, and all of it was sent.
    pub(super) archived: bool,
}

/// Something that this session appended and that has no answer yet.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) pos: Pos,
    pub(super) client_id: String,
    pub(super) since: Instant,
    /// It is a message with files.
    pub(super) attached: bool,
}

/// Runs a socket from its upgrade to its end.
pub(super) async fn run(chat: Chat, socket: WebSocket, mut seat: Seat) {
    // Boxed, as all that is done seldom: what a future may need at its largest is what an idle socket keeps.
    let mut line = Box::new(Line::new(socket, &chat.shared.settings.bounds, chat.shared.registry.going()));
    let close = match Box::pin(greet(&chat, &mut line, &mut seat)).await {
        Err(close) => close,
        Ok(greeted) => {
            let ping = chat.shared.settings.times.ping;
            let mut session = Box::new(Session {
                reader: Reader { chat, customer: greeted.customer },
                line,
                held: Vec::new(),
                asked: Vec::new(),
                deltas: Deltas::default(),
                typed: None,
                stale: None,
                hints: greeted.hints,
                expires: greeted.expires,
                // Spread, so that sockets which came together do not ask the store together.
                ping_at: Instant::now() + ping.mul_f64(rand::random_range(0.5..1.0)),
                _seat: seat,
            });
            let known = Known { traits: greeted.traits, timezone: greeted.hello.timezone };
            let welcome = session.welcome(greeted.anonymous_id, greeted.hello.resume, known);
            let close = match Box::pin(welcome).await {
                Ok(()) => session.talk().await,
                Err(close) => close,
            };
            tracing::debug!(customer = %session.reader.customer.masked(), code = close.code(), "session ended");
            crate::telemetry::chat_closed(close.code());
            return Box::pin(session.line.hang_up(close)).await;
        }
    };
    crate::telemetry::chat_closed(close.code());
    Box::pin(line.hang_up(close)).await;
}

struct Greeted {
    customer: ActorId,
    anonymous_id: Option<String>,
    traits: serde_json::Map<String, serde_json::Value>,
    expires: Option<Instant>,
    hello: Hello,
    hints: Hints,
}

/// Waits for `hello`, and finds out who says it.
async fn greet(chat: &Chat, line: &mut Line, seat: &mut Seat) -> Result<Greeted, Close> {
    let until = Instant::now() + chat.shared.settings.times.hello;
    let hello = loop {
        match line.next(None, until).await {
            Happened::Text(text) => match fields::read(&text) {
                Ok(ClientFrame::Hello(hello)) => break *hello,
                Ok(_) => return Err(Close::with(PROTOCOL_ERROR, "`hello` comes first")),
                Err(bad) => line.tell(&ServerFrame::bad(&bad))?,
            },
            Happened::Flood(_) => return Err(Close::with(FLOOD, "too many frames")),
            Happened::Alive | Happened::Hint(_) | Happened::Deaf => {}
            Happened::Time => return Err(Close::with(PROTOCOL_ERROR, "no `hello` in time")),
            Happened::Going => return Err(going(chat)),
            Happened::Over(close) => return Err(close),
        }
    };
    let known = chat.shared.identity.of(hello.token.as_deref(), hello.anonymous_id.as_deref()).await;
    let known = known.map_err(|why| match why {
        Denied::Expired => Close::with(TOKEN_EXPIRED, "the token expired"),
        Denied::Bad(why) => Close::with(BAD_TOKEN, why),
        Denied::Away => Close::come_back(5),
    })?;
    if !seat.belongs_to(&known.customer) {
        // Not a flood: sockets whose network went are counted until their silence is noticed.
        return Err(Close::come_back(chat.shared.settings.times.silence.as_secs().max(2) / 2));
    }
    // Listen first, then read: what comes in between is heard, and dropped where it was read already.
    let hints = chat.shared.store.subscribe(Channel::Actor(known.customer.clone()), HINTS).await;
    let hints = hints.map_err(|why| {
        tracing::warn!("the live bus cannot be heard: {why}");
        Close::come_back(rand::random_range(1..=5))
    })?;
    let left = known.expires.map(|at| at.since(chat.shared.clock.now()).duration());
    let expires = left.and_then(|left| Instant::now().checked_add(left));
    let (customer, anonymous_id, traits) = (known.customer, known.anonymous_id, known.traits);
    Ok(Greeted { customer, anonymous_id, traits, expires, hello, hints })
}

/// The node goes: everyone comes back at another moment.
fn going(chat: &Chat) -> Close {
    Close::come_back(rand::random_range(1..=chat.shared.settings.times.spread.as_secs().max(1)))
}

impl Session {
    async fn talk(&mut self) -> Close {
        loop {
            let deadline = self.deadline();
            let done = match self.line.next(Some(&mut self.hints), deadline).await {
                Happened::Text(text) => Box::pin(self.take(&text)).await,
                Happened::Flood(text) => self.too_many(&text),
                Happened::Alive => Ok(()),
                Happened::Hint(hint) => match self.hear(hint) {
                    Ok(Heard::All) => Ok(()),
                    Ok(Heard::Less(answers)) => Box::pin(self.catch_up(answers)).await,
                    Err(close) => Err(close),
                },
                Happened::Deaf => Err(Close::come_back(1)),
                Happened::Time => match self.look_up() {
                    Ok(true) => Box::pin(self.read_again()).await,
                    Ok(false) => Ok(()),
                    Err(close) => Err(close),
                },
                Happened::Going => Err(going(&self.reader.chat)),
                Happened::Over(close) => Err(close),
            };
            if let Err(close) = done {
                return close;
            }
        }
    }

    /// When to look up though nothing happens.
    fn deadline(&self) -> Instant {
        let silence = self.line.heard + self.reader.chat.shared.settings.times.silence;
        let others = [self.expires, self.stale, self.deltas.due()];
        others.into_iter().flatten().fold(self.ping_at.min(silence), Instant::min)
    }

    /// Does what is due; whether it is time to read again.
    fn look_up(&mut self) -> Result<bool, Close> {
        let now = Instant::now();
        if self.expires.is_some_and(|at| at <= now) {
            return Err(Close::with(TOKEN_EXPIRED, "the token expired"));
        }
        if now.duration_since(self.line.heard) >= self.reader.chat.shared.settings.times.silence {
            return Err(Close::with(1001, "silent for too long"));
        }
        for frame in self.deltas.flush(now) {
            self.line.out.push_passing(Message::Text(frame));
        }
        let pinging = self.ping_at <= now;
        if pinging {
            self.ping_at = now + self.reader.chat.shared.settings.times.ping;
            self.line.out.push_passing(Message::Ping(Default::default()));
        }
        Ok(pinging || self.stale.is_some_and(|at| at <= now))
    }

    fn too_many(&mut self, text: &str) -> Result<(), Close> {
        let client_id = fields::client_id_of(text);
        self.line.tell(&ServerFrame::again("too_fast", "Too many frames: slow down.", client_id.as_deref(), 1))
    }
}

impl<'a> ServerFrame<'a> {
    /// A frame that could not be read.
    pub(super) fn bad(bad: &'a BadFrame) -> ServerFrame<'a> {
        let client_id = bad.client_id.as_deref();
        ServerFrame::Error(Trouble { code: bad.code, message: &bad.message, client_id, ..Trouble::default() })
    }
}
