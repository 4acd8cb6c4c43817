//! Hints of the live bus: passed on where they follow what was sent; else they only say that it is time to read.

use axum::extract::ws::Message;
use tokio::time::Instant;

use super::deltas::{Deltas, Published};
use super::line::Close;
use super::part::Shape;
use super::sent::ServerFrame;
use super::session::{Asked, Held, Session};
use crate::http::wire::{self, View};
use crate::model::decision::{Answer, Reply};
use crate::model::entry::{By, Logged};
use crate::model::ids::ConversationId;
use crate::model::live::Live;
use crate::store::Hint;

/// What a hint brought.
pub(super) enum Heard {
    /// All that it told of.
    All,
    /// Less: the rest is to be read before these answers are passed on.
    Less(Vec<Answer>),
}

impl Session {
    /// Takes a hint. It awaits nothing: what a future may need is what an idle socket keeps.
    pub(super) fn hear(&mut self, hint: Hint) -> Result<Heard, Close> {
        let Hint::Payload(payload) = hint else { return Ok(Heard::Less(Vec::new())) };
        match serde_json::from_slice(&payload) {
            Ok(Live::Committed { entries, answers }) => {
                let mut missing = false;
                for logged in &entries {
                    missing |= !self.pass_on(logged)?;
                }
                missing |= answers.iter().any(|answer| self.is_ahead(answer));
                if missing || self.stale.is_some() {
                    return Ok(Heard::Less(answers));
                }
                self.answer(answers)?;
            }
            Ok(Live::Delta { conversation, turn, attempt, index, text }) => {
                if self.held(conversation).is_some_and(|held| !held.closed) {
                    let delta = Published { conversation, turn, attempt, index, text: &text };
                    if let Some(frame) = self.deltas.take(delta, Instant::now()) {
                        self.line.out.push_passing(Message::Text(frame));
                    }
                }
            }
            Ok(Live::Dropped { conversation, turn }) if self.held(conversation).is_some() => {
                self.deltas.dropped(conversation, turn);
                self.line.tell(&ServerFrame::Dropped { conversation_id: conversation, turn_id: turn })?;
            }
            Ok(Live::Typing { conversation, by, call }) if by != By::Customer && self.held(conversation).is_some() => {
                let frame = ServerFrame::Typing { conversation_id: conversation, by, call: call.as_deref() };
                self.line.out.push_passing(Message::Text(frame.text()));
            }
            // Who of the company looks on is no customer's business.
            Ok(Live::Dropped { .. } | Live::Typing { .. } | Live::Attends { .. }) => {}
            Ok(Live::Erased) => self.forget_all()?,
            Err(why) => tracing::warn!("a hint cannot be read: {why}"),
        }
        Ok(Heard::All)
    }

    /// Sends an entry that follows what was sent; false: something else is missing, or was replaced.
    fn pass_on(&mut self, logged: &Logged) -> Result<bool, Close> {
        let entry = &logged.entry;
        if !entry.visible {
            return Ok(true);
        }
        let shape = Shape::of(entry);
        let Some(held) = self.held(logged.conversation) else { return Ok(false) };
        // Sent already: it was read from the log before its hint came. One that was decided later than the last one
        // sent, and yet has a lower number, replaced something.
        let last = held.stand.id.map(|id| id.0.pos);
        if held.stand == shape.stand || (entry.seq < held.stand.seq && Some(entry.id.0.pos) <= last) {
            return Ok(true);
        }
        if Some(entry.seq) != held.stand.seq.checked_add(1) {
            return Ok(false);
        }
        self.send_entry(logged.conversation, shape, wire::entry(entry, View::Customer))?;
        Ok(true)
    }

    /// Sends one entry, and notes that it was.
    pub(super) fn send_entry(
        &mut self,
        conversation_id: ConversationId,
        shape: Shape,
        form: Option<serde_json::Value>,
    ) -> Result<(), Close> {
        if let Some((turn, attempt)) = shape.turn {
            self.deltas.entry(conversation_id, turn, attempt);
        }
        if let Some(held) = self.held.iter_mut().find(|held| held.id == conversation_id) {
            held.stand = shape.stand;
            held.closed |= shape.closes;
        }
        match form {
            Some(entry) => self.line.tell(&ServerFrame::Entry { conversation_id, entry }),
            None => Ok(()),
        }
    }

    /// What the client has of a conversation.
    pub(super) fn held(&self, id: ConversationId) -> Option<&Held> {
        self.held.iter().find(|held| held.id == id)
    }

    /// Whether an answer of ours names an entry that was not sent yet.
    fn is_ahead(&self, answer: &Answer) -> bool {
        let Reply::Done { seq } = answer.reply else { return false };
        let held = answer.conversation.and_then(|id| self.held(id));
        held.is_some_and(|held| held.stand.seq < seq) && self.asked.iter().any(|asked| asked.pos == answer.pos)
    }

    fn answer(&mut self, answers: Vec<Answer>) -> Result<(), Close> {
        for answer in answers {
            // Other tabs asked, or it was found in the state before.
            let Some(at) = self.asked.iter().position(|asked| asked.pos == answer.pos) else { continue };
            let asked = self.asked.swap_remove(at);
            if matches!(answer.reply, Reply::Refused(_)) {
                self.free(&asked);
            }
            let Asked { client_id, .. } = asked;
            let (client_id, conversation_id) = (client_id.as_str(), answer.conversation);
            self.line.tell(&match answer.reply {
                Reply::Done { seq } => ServerFrame::Ack { client_id, conversation_id, seq },
                Reply::Existing => ServerFrame::Ack { client_id, conversation_id, seq: 0 },
                Reply::Refused(code) => ServerFrame::refused(code, Some(client_id), conversation_id),
            })?;
        }
        Ok(())
    }

    /// The files of a message that was refused may be sent with another.
    pub(super) fn free(&self, refused: &Asked) {
        if refused.attached {
            let (chat, customer) = (self.reader.chat.clone(), self.reader.customer.clone());
            let client_id = refused.client_id.clone();
            tokio::spawn(async move { chat.shared.archive.release(&customer, &client_id).await });
        }
    }

    /// Reads what a hint did not bring, then passes its answers on.
    pub(super) async fn catch_up(&mut self, answers: Vec<Answer>) -> Result<(), Close> {
        self.read_again().await?;
        // Unread, the answer would come before its entry: then it is found in the state, with the entry.
        if self.stale.is_none() { self.answer(answers) } else { Ok(()) }
    }

    /// The customer was erased: all that is shown goes.
    fn forget_all(&mut self) -> Result<(), Close> {
        self.deltas = Deltas::default();
        for held in std::mem::take(&mut self.held) {
            self.line.tell(&ServerFrame::Reset { conversation_id: held.id })?;
        }
        Ok(())
    }
}
