//! Words on their way: pieces of an answer become deltas, at most 20 a second a turn. Not durable: hints only.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::model::entry::By;
use crate::model::ids::{ActorId, ConversationId, Pos};
use crate::model::live::Live;
use crate::store::{Channel, Store};

/// The shortest time between two deltas of a turn.
const PACE: Duration = Duration::from_millis(50);

/// Where words go.
#[derive(Clone)]
pub struct Words {
    store: Arc<dyn Store>,
    actor: ActorId,
    conversation: ConversationId,
    turn: Pos,
}

impl Words {
    /// Words of one turn.
    pub fn new(store: Arc<dyn Store>, actor: ActorId, conversation: ConversationId, turn: Pos) -> Words {
        Words { store, actor, conversation, turn }
    }

    /// Says that the assistant is at it.
    pub async fn typing(&self) {
        typing(&*self.store, &self.actor, self.conversation, None).await;
    }

    /// Publishes pieces as deltas of this `try` until the sender is gone; answers whether there were any.
    pub async fn pass_on(&self, attempt: u64, mut pieces: mpsc::Receiver<String>) -> bool {
        let mut index = 0;
        let mut waiting = String::new();
        let mut next = Instant::now();
        loop {
            let piece = if waiting.is_empty() {
                pieces.recv().await
            } else {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(next) => Some(String::new()),
                    piece = pieces.recv() => piece,
                }
            };
            let ended = piece.is_none();
            waiting.push_str(&piece.unwrap_or_default());
            let now = Instant::now();
            if !waiting.is_empty() && (ended || now >= next) {
                let text = std::mem::take(&mut waiting);
                let (conversation, turn) = (self.conversation, self.turn);
                self.publish(&Live::Delta { conversation, turn, attempt, index, text }).await;
                index += 1;
                next = now + PACE;
            }
            if ended {
                return index > 0;
            }
        }
    }

    async fn publish(&self, live: &Live) {
        publish(&*self.store, &self.actor, live).await;
    }
}

/// Says that the assistant is at it; `call` is the operation that it waits for.
pub async fn typing(store: &dyn Store, actor: &ActorId, conversation: ConversationId, call: Option<String>) {
    publish(store, actor, &Live::Typing { conversation, by: By::Assistant, call }).await;
}

/// A hint that is lost is no harm: the entry says it all.
async fn publish(store: &dyn Store, actor: &ActorId, live: &Live) {
    let payload = serde_json::to_vec(live).unwrap_or_default();
    if let Err(problem) = store.publish(Channel::Actor(actor.clone()), payload).await {
        tracing::debug!(error = %problem, "a hint was not published");
    }
}
