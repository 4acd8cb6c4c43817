//! Taking a client's frames: what they ask becomes inputs; what is wrong is said and changes nothing.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::fields;
use super::frames::{BadFrame, ClientFrame};
use super::line::{Close, PROTOCOL_ERROR};
use super::sent::{ServerFrame, Trouble};
use super::session::{Asked, Session};
use crate::model::attachment::{Attachment, AttachmentId};
use crate::model::customer::RefusalCode;
use crate::model::entry::By;
use crate::model::event::{Event, Trust};
use crate::model::ids::ConversationId;
use crate::model::input::Body;
use crate::model::live::Live;
use crate::store::{Channel, StoreError};

/// What one session may have asked and not got an answer to.
const MAX_ASKED: usize = 64;
/// Between two hints that the customer writes.
const TYPING: Duration = Duration::from_secs(2);
/// What a frame about a conversation that the client was not told of counts as, beside itself.
const GUESS: u32 = 4;
/// The source of tracked events.
const SOURCE: &str = "chat";

/// Whether this session may speak of a conversation.
enum Owned {
    /// It is this customer's.
    Yes,
    /// It is this customer's, and of the past.
    Archived,
    /// It is not, as far as this customer is told.
    No,
}

impl Session {
    /// Takes one frame.
    ///
    /// # Errors
    /// The end of the session.
    pub(super) async fn take(&mut self, text: &str) -> Result<(), Close> {
        let frame = match fields::read(text) {
            Ok(frame) => frame,
            Err(bad) => return self.line.tell(&ServerFrame::bad(&bad)),
        };
        match frame {
            ClientFrame::Hello(_) => Err(Close::with(PROTOCOL_ERROR, "`hello` came before")),
            ClientFrame::Ping => self.line.tell(&ServerFrame::Pong),
            ClientFrame::Say { client_id, conversation, text, attachments } => {
                self.say(client_id, conversation, text, attachments).await
            }
            ClientFrame::Choose { client_id, conversation, choice } => {
                let body = Body::Chose { conversation, client_id: client_id.clone(), choice };
                self.ask(client_id, conversation, body).await
            }
            ClientFrame::Confirm { client_id, conversation, call, approve } => {
                let body = Body::Confirmed { conversation, client_id: client_id.clone(), call, approve };
                self.ask(client_id, conversation, body).await
            }
            ClientFrame::Rate { client_id, conversation, score, comment } => {
                let body = Body::Rated { conversation, client_id: client_id.clone(), score, comment };
                self.ask(client_id, conversation, body).await
            }
            ClientFrame::Helped { client_id, conversation, seq, helped } => {
                let body = Body::Helped { conversation, client_id: client_id.clone(), seq, helped };
                self.ask(client_id, conversation, body).await
            }
            ClientFrame::Stop { client_id, conversation } => {
                let body = Body::Stopped { conversation, client_id: client_id.clone() };
                self.ask(client_id, conversation, body).await
            }
            ClientFrame::Close { client_id, conversation } => {
                let body = Body::Closed { conversation, client_id: client_id.clone() };
                self.ask(client_id, conversation, body).await
            }
            ClientFrame::Seen { conversation, seq } => self.seen(conversation, seq).await,
            ClientFrame::Typing { conversation } => self.typing(conversation).await,
            ClientFrame::Track { client_id, event, properties } => self.track(client_id, &event, properties).await,
        }
    }

    async fn say(
        &mut self,
        client_id: String,
        conversation: Option<ConversationId>,
        text: String,
        named: Vec<String>,
    ) -> Result<(), Close> {
        let playbook = self.reader.chat.shared.settings.playbook.clone();
        match conversation {
            Some(id) if !self.may_act(id, &client_id).await? => return Ok(()),
            None if playbook.is_none() && self.held.iter().all(|held| held.closed) => {
                return self.line.tell(&ServerFrame::refused(RefusalCode::NoConversation, Some(&client_id), None));
            }
            _ => {}
        }
        let attached = !named.is_empty();
        let Some(attachments) = self.claim(&client_id, named).await? else { return Ok(()) };
        let playbook = playbook.filter(|_| conversation.is_none());
        let body = Body::Said { conversation, playbook, client_id: client_id.clone(), text, attachments };
        self.append(client_id, body, attached).await
    }

    /// The files that a message names, from now on its own; none: the client is told why not.
    async fn claim(&mut self, client_id: &str, named: Vec<String>) -> Result<Option<Vec<Attachment>>, Close> {
        if named.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let shared = Arc::clone(&self.reader.chat.shared);
        let most = if shared.settings.attachments.enabled { shared.settings.attachments.max_count } else { 0 };
        if named.len() > most {
            let message = format!("`attachments` has more than {most} ids");
            let client_id = Some(client_id.to_owned());
            self.line.tell(&ServerFrame::bad(&BadFrame { code: "invalid", message, client_id }))?;
            return Ok(None);
        }
        let ids: Option<Vec<AttachmentId>> = named.iter().map(|id| AttachmentId::parse(id)).collect();
        let claimed = match ids {
            Some(ids) => shared.archive.claim(&self.reader.customer, client_id, &ids, shared.clock.now()).await,
            None => Ok(None),
        };
        match claimed {
            Ok(Some(claimed)) => Ok(Some(claimed)),
            Ok(None) => {
                // Guessing ids is slowed as that of conversations is.
                self.line.charge(GUESS);
                let message = "A file is gone, was sent already, or is not yours; attach it again.";
                let (code, client_id) = ("attachment_gone", Some(client_id));
                self.line.tell(&ServerFrame::Error(Trouble { code, message, client_id, ..Trouble::default() }))?;
                Ok(None)
            }
            Err(why) => self.unavailable(&why, Some(client_id)).map(|()| None),
        }
    }

    /// Appends what is asked of a conversation, if it is this customer's.
    async fn ask(&mut self, client_id: String, id: ConversationId, body: Body) -> Result<(), Close> {
        if self.may_act(id, &client_id).await? { self.append(client_id, body, false).await } else { Ok(()) }
    }

    /// Whether this customer may act in a conversation; where not, the client is told.
    async fn may_act(&mut self, id: ConversationId, client_id: &str) -> Result<bool, Close> {
        match self.owned(id).await {
            Ok(Owned::Yes) => return Ok(true),
            Ok(Owned::Archived) => {
                self.line.tell(&ServerFrame::refused(RefusalCode::Closed, Some(client_id), Some(id)))?;
            }
            Ok(Owned::No) => self.unknown(id, Some(client_id))?,
            Err(why) => self.unavailable(&why, Some(client_id))?,
        }
        Ok(false)
    }

    async fn append(&mut self, client_id: String, body: Body, attached: bool) -> Result<(), Close> {
        if self.asked.len() >= MAX_ASKED {
            let message = "Too much is unanswered; send it again.";
            return self.line.tell(&ServerFrame::again("busy", message, Some(&client_id), 2));
        }
        match self.reader.chat.shared.inbox.append(&self.reader.customer, body).await {
            Ok(id) => {
                self.asked.push(Asked { pos: id.pos, client_id, since: Instant::now(), attached });
                Ok(())
            }
            Err(why) => self.unavailable(&why, Some(&client_id)),
        }
    }

    /// Whether a conversation is this customer's. One that the client was not told of is looked up in the state.
    async fn owned(&mut self, id: ConversationId) -> Result<Owned, StoreError> {
        if let Some(held) = self.held(id) {
            return Ok(if held.archived { Owned::Archived } else { Owned::Yes });
        }
        // Guessing ids reads the store each time, so it is slowed more than talking.
        self.line.charge(GUESS);
        let state = self.reader.state().await?;
        let known = state.conversations.get(&id).is_some_and(|conversation| conversation.seq > 0);
        Ok(if known { Owned::Yes } else { Owned::No })
    }

    async fn seen(&mut self, id: ConversationId, seq: u32) -> Result<(), Close> {
        let Some(held) = self.held.iter_mut().find(|held| held.id == id) else { return self.unknown(id, None) };
        // Only the first one opens; the others would fill the inbox and change nothing.
        let seq = seq.min(held.stand.seq);
        if held.seen || held.closed || seq == 0 {
            return Ok(());
        }
        match self.reader.chat.shared.inbox.append(&self.reader.customer, Body::Seen { conversation: id, seq }).await {
            Ok(_) => {
                held.seen = true;
                Ok(())
            }
            Err(why) => self.unavailable(&why, None),
        }
    }

    async fn typing(&mut self, id: ConversationId) -> Result<(), Close> {
        let Some(held) = self.held(id) else { return self.unknown(id, None) };
        if held.closed || self.typed.is_some_and(|at| at.elapsed() < TYPING) {
            return Ok(());
        }
        self.typed = Some(Instant::now());
        let live = Live::Typing { conversation: id, by: By::Customer, call: None };
        let payload = serde_json::to_vec(&live).unwrap_or_default();
        if let Err(why) =
            self.reader.chat.shared.store.publish(Channel::Actor(self.reader.customer.clone()), payload).await
        {
            tracing::debug!("typing was not told: {why}");
        }
        Ok(())
    }

    /// Appends an event of the page. It concerns this session's customer, whatever the page says.
    async fn track(
        &mut self,
        client_id: String,
        kind: &str,
        properties: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), Close> {
        let mut event = Event::new(SOURCE, &client_id, kind, Some(self.reader.customer.clone()), properties.into());
        event.trust = Trust::Client;
        match self.reader.chat.shared.inbox.events(vec![event]).await {
            Ok(taken) if taken.iter().all(Option::is_some) => {
                self.line.tell(&ServerFrame::Ack { client_id: &client_id, conversation_id: None, seq: 0 })
            }
            Ok(_) => self.unavailable(&StoreError::Quarantined(Vec::new()), Some(&client_id)),
            Err(why) => self.unavailable(&why, Some(&client_id)),
        }
    }

    fn unknown(&mut self, id: ConversationId, client_id: Option<&str>) -> Result<(), Close> {
        self.line.tell(&ServerFrame::refused(RefusalCode::UnknownConversation, client_id, Some(id)))
    }

    /// Nothing was appended: the client sends it again.
    fn unavailable(&mut self, why: &StoreError, client_id: Option<&str>) -> Result<(), Close> {
        tracing::warn!(customer = %self.reader.customer.masked(), "a frame could not be appended: {why}");
        let retry_after = match why {
            // Rounded up: who comes back at the second named must not be too early.
            StoreError::Full { retry_after, .. } => {
                u64::try_from(retry_after.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
            }
            // Somebody has to look at its dead letters first.
            StoreError::Quarantined(_) => 60,
            _ => 1,
        };
        let message = "It could not be taken now; send it again.";
        self.line.tell(&ServerFrame::again("unavailable", message, client_id, retry_after))
    }
}
