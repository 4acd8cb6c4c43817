//! One socket: what comes in, what goes out, and when to look up. Knows frames as text only.

use std::borrow::Cow;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::Stream as _;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::Bounds;
use super::outgoing::{Outgoing, TooSlow};
use super::sent::ServerFrame;
use crate::store::{Hint, Hints};

/// How long a reader may take for what it asked for, and for the rest before a close.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a closed socket is kept so that the other side can read why.
const FAREWELL: Duration = Duration::from_secs(1);
/// Close codes.
pub const TOKEN_EXPIRED: u16 = 4401;
/// Too slow a reader.
pub const TOO_SLOW: u16 = 4408;
/// Token or settings say no.
pub const BAD_TOKEN: u16 = 4501;
/// Come back in a moment.
pub const COME_BACK: u16 = 4503;
/// Frames out of order.
pub const PROTOCOL_ERROR: u16 = 4504;
/// Too many frames or sockets.
pub const FLOOD: u16 = 4509;

/// Why a socket ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The other side is gone.
    Gone,
    /// We end it, and say why.
    With(u16, Cow<'static, str>),
}

impl Close {
    /// With a code and a reason of at most 123 bytes.
    pub fn with(code: u16, reason: impl Into<Cow<'static, str>>) -> Close {
        Close::With(code, reason.into())
    }

    /// Come back in so many seconds.
    pub fn come_back(seconds: u64) -> Close {
        Close::with(COME_BACK, format!("{{\"retry_after\": {seconds}}}"))
    }

    /// The code, for a counter.
    pub fn code(&self) -> u16 {
        match self {
            Close::Gone => 1000,
            Close::With(code, _) => *code,
        }
    }
}

impl From<TooSlow> for Close {
    fn from(_: TooSlow) -> Close {
        Close::with(TOO_SLOW, "too slow")
    }
}

/// What made a session look up.
#[derive(Debug)]
pub enum Happened {
    /// A frame.
    Text(Utf8Bytes),
    /// A frame too many.
    Flood(Utf8Bytes),
    /// A sign of life.
    Alive,
    /// A hint of the live bus.
    Hint(Hint),
    /// The live bus is gone.
    Deaf,
    /// The time came.
    Time,
    /// The node goes.
    Going,
    /// The socket ends.
    Over(Close),
}

/// One socket.
pub struct Line {
    socket: WebSocket,
    /// What waits to be sent.
    pub out: Outgoing,
    /// The last sign of life.
    pub heard: Instant,
    timer: Pin<Box<Sleep>>,
    going: Pin<Box<WaitForCancellationFutureOwned>>,
    pace: Pace,
    hints_first: bool,
    /// The library reads nothing more from this socket.
    broken: bool,
}

impl Line {
    /// A socket just opened.
    pub fn new(socket: WebSocket, bounds: &Bounds, going: WaitForCancellationFutureOwned) -> Line {
        let now = Instant::now();
        Line {
            socket,
            out: Outgoing::new(bounds.queue),
            heard: now,
            timer: Box::pin(sleep_until(now)),
            going: Box::pin(going),
            pace: Pace::new(bounds, now),
            hints_first: false,
            broken: false,
        }
    }

    /// Queues a frame that must arrive.
    ///
    /// # Errors
    /// [`TOO_SLOW`].
    pub fn tell(&mut self, frame: &ServerFrame<'_>) -> Result<(), Close> {
        Ok(self.out.push(frame.text())?)
    }

    /// Sends what waits until something happens, or until `deadline`.
    pub async fn next(&mut self, mut hints: Option<&mut Hints>, deadline: Instant) -> Happened {
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        poll_fn(|cx| {
            if let Poll::Ready(Err(_)) = self.out.poll_send(&mut self.socket, cx) {
                return Poll::Ready(Happened::Over(Close::Gone));
            }
            // First what a busy socket must not put off: the end of the node, of the token, the pings.
            if self.going.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Happened::Going);
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Happened::Time);
            }
            // Neither a busy bus nor a busy client keeps the other waiting.
            self.hints_first = !self.hints_first;
            for hints_now in [self.hints_first, !self.hints_first] {
                let polled = match (hints_now, &mut hints) {
                    (true, Some(hints)) => poll_hints(hints, cx),
                    (true, None) => Poll::Pending,
                    (false, _) => self.poll_socket(cx),
                };
                if polled.is_ready() {
                    return polled;
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Counts a frame that cost more than others as so many more.
    pub fn charge(&mut self, frames: u32) {
        self.pace.left -= f64::from(frames);
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        let Poll::Ready(message) = Pin::new(&mut self.socket).poll_next(cx) else { return Poll::Pending };
        self.heard = Instant::now();
        let in_time = self.pace.take(self.heard);
        Poll::Ready(match message {
            Some(Ok(_)) if self.pace.exhausted() => Happened::Over(Close::with(FLOOD, "too many frames")),
            Some(Ok(Message::Text(text))) if in_time => Happened::Text(text),
            Some(Ok(Message::Text(text))) => Happened::Flood(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Happened::Alive,
            Some(Ok(Message::Binary(_))) => Happened::Over(Close::with(1003, "frames are text")),
            Some(Ok(Message::Close(_))) | None => Happened::Over(Close::Gone),
            Some(Err(why)) => {
                self.broken = true;
                Happened::Over(ended_by(why))
            }
        })
    }

    /// Sends until there is room for more of what the client asked for.
    ///
    /// # Errors
    /// [`TOO_SLOW`], or the socket is gone.
    pub async fn make_room(&mut self) -> Result<(), Close> {
        let sent = poll_fn(|cx| match self.out.poll_send(&mut self.socket, cx) {
            Poll::Ready(Err(_)) => Poll::Ready(Err(Close::Gone)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending if self.out.has_room() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        });
        timeout(PATIENCE, sent).await.unwrap_or_else(|_| Err(TooSlow.into()))
    }

    /// Says why, and waits a little for the other side to hear it.
    pub async fn hang_up(mut self, close: Close) {
        let gone = close == Close::Gone;
        if let Close::With(code, reason) = close {
            // What waits for a slow reader would only be in the way.
            let at_once = code == TOO_SLOW;
            let frame = CloseFrame { code, reason: reason.into_owned().into() };
            self.out.finish(Message::Close(Some(frame)), at_once);
        }
        let sent = poll_fn(|cx| self.out.poll_send(&mut self.socket, cx));
        if !matches!(timeout(PATIENCE / 3, sent).await, Ok(Ok(()))) {
            return;
        }
        // Closing a socket with unread bytes in it would reset it, and the reason might be lost on the way.
        let rest = async {
            if self.broken && !gone {
                tokio::time::sleep(FAREWELL).await;
            }
            while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut self.socket).poll_next(cx)).await {}
        };
        // Whether it was heard or the time is over: the end is the same.
        let _ = timeout(FAREWELL, rest).await;
    }
}

fn poll_hints(hints: &mut Hints, cx: &mut Context<'_>) -> Poll<Happened> {
    hints.poll_recv(cx).map(|hint| hint.map_or(Happened::Deaf, Happened::Hint))
}

/// What the library says of a socket that it gave up on.
fn ended_by(why: axum::Error) -> Close {
    let why = why.into_inner();
    match why.downcast_ref::<SocketError>() {
        Some(SocketError::Capacity(_)) => Close::with(1009, "a frame is over 64 kB"),
        Some(SocketError::Utf8(_)) => Close::with(1007, "a frame is not UTF-8"),
        Some(SocketError::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )) => Close::Gone,
        Some(SocketError::Protocol(_)) => Close::with(1002, "not WebSocket as RFC 6455 has it"),
        _ => Close::Gone,
    }
}

/// How many frames come: a bucket that fills again, and how often it was empty.
#[derive(Debug)]
struct Pace {
    a_second: f64,
    burst: f64,
    left: f64,
    counted: Instant,
    refused: u32,
    patience: u32,
}

impl Pace {
    fn new(bounds: &Bounds, now: Instant) -> Pace {
        let burst = f64::from(bounds.burst.max(1));
        let (a_second, patience) = (f64::from(bounds.frames.max(1)), bounds.patience);
        Pace { a_second, burst, left: burst, counted: now, refused: 0, patience }
    }

    /// Counts a frame; false: one too many.
    fn take(&mut self, now: Instant) -> bool {
        let filled = now.duration_since(self.counted).as_secs_f64() * self.a_second;
        self.left = (self.left + filled).min(self.burst);
        self.counted = now;
        if self.left >= self.burst {
            self.refused = 0;
        }
        if self.left < 1.0 {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        self.left -= 1.0;
        true
    }

    fn exhausted(&self) -> bool {
        self.refused > self.patience
    }
}
