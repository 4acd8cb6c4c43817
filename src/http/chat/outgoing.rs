//! What waits to be sent on one socket: bounded; entries and answers are never dropped, passing things are.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::Sink as _;
use std::pin::Pin;

/// The queue is over its bound with what must not be dropped: the reader is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

/// Frames in order, by bytes bounded.
#[derive(Debug)]
pub struct Outgoing {
    queue: VecDeque<Queued>,
    bytes: usize,
    bound: usize,
    unflushed: bool,
}

#[derive(Debug)]
struct Queued {
    message: Message,
    passing: bool,
}

/// Counted for a frame beside its bytes: what the queue itself takes.
const OVERHEAD: usize = 64;

fn cost(message: &Message) -> usize {
    OVERHEAD
        + match message {
            Message::Text(text) => text.len(),
            Message::Ping(bytes) | Message::Pong(bytes) | Message::Binary(bytes) => bytes.len(),
            Message::Close(_) => 0,
        }
}

impl Outgoing {
    /// An empty queue that holds up to `bound` bytes.
    pub fn new(bound: usize) -> Outgoing {
        Outgoing { queue: VecDeque::new(), bytes: 0, bound, unflushed: false }
    }

    /// Queues what must arrive: an entry, an answer. Passing things give way to it.
    ///
    /// # Errors
    /// [`TooSlow`]: it is over the bound without them.
    pub fn push(&mut self, text: Utf8Bytes) -> Result<(), TooSlow> {
        self.put(Message::Text(text), false);
        if self.bytes > self.bound {
            let before = self.queue.len();
            self.queue.retain(|queued| !queued.passing);
            crate::telemetry::deltas_dropped(before - self.queue.len());
            self.bytes = self.queue.iter().map(|queued| cost(&queued.message)).sum();
        }
        // One frame alone may be larger than the bound: it is not the reader who is slow then.
        if self.bytes > self.bound && self.queue.len() > 1 { Err(TooSlow) } else { Ok(()) }
    }

    /// Queues what may be lost (a delta, typing, a WebSocket ping); false: it was, for half the bound is used.
    pub fn push_passing(&mut self, message: Message) -> bool {
        if self.bytes.saturating_add(cost(&message)) > self.bound / 2 {
            crate::telemetry::deltas_dropped(1);
            return false;
        }
        self.put(message, true);
        true
    }

    /// Queues the end, after all that waits; or instead of it.
    pub fn finish(&mut self, close: Message, at_once: bool) {
        if at_once {
            self.queue = VecDeque::new();
            self.bytes = 0;
        }
        self.put(close, false);
    }

    /// Whether there is room for another page of entries without crowding the bound.
    pub fn has_room(&self) -> bool {
        self.bytes <= self.bound / 4
    }

    fn put(&mut self, message: Message, passing: bool) {
        self.bytes = self.bytes.saturating_add(cost(&message));
        self.queue.push_back(Queued { message, passing });
    }

    /// Sends as much as the socket takes; ready when nothing is left, in the queue or the socket's own buffer.
    pub fn poll_send(&mut self, socket: &mut WebSocket, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        while let Some(next) = self.poll_ready_message(socket, cx) {
            let message = ready!(next)?;
            self.unflushed = true;
            Pin::new(&mut *socket).start_send(message)?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut *socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.queue.capacity() > 32 {
            self.queue = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_ready_message(
        &mut self,
        socket: &mut WebSocket,
        cx: &mut Context<'_>,
    ) -> Option<Poll<Result<Message, axum::Error>>> {
        if self.queue.is_empty() {
            return None;
        }
        match Pin::new(socket).poll_ready(cx) {
            Poll::Pending => Some(Poll::Pending),
            Poll::Ready(Err(gone)) => Some(Poll::Ready(Err(gone))),
            Poll::Ready(Ok(())) => {
                let queued = self.queue.pop_front()?;
                self.bytes = self.bytes.saturating_sub(cost(&queued.message));
                Some(Poll::Ready(Ok(queued.message)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(length: usize) -> Message {
        Message::Text("d".repeat(length).into())
    }

    #[test]
    fn passing_things_give_way_to_entries_and_entries_to_nothing() {
        let mut out = Outgoing::new(1_000);
        assert!(out.push_passing(delta(300)));
        assert!(!out.push_passing(delta(300)), "more than half is for entries alone");
        assert_eq!(out.push("e".repeat(500).into()), Ok(()));
        assert_eq!(out.queue.len(), 2);
        assert_eq!(out.push("e".repeat(300).into()), Ok(()));
        assert_eq!(out.queue.len(), 2, "the delta went");
        assert_eq!(out.push("e".repeat(300).into()), Err(TooSlow));
    }
}
