//! Reading what a client has not got: at `hello`, after a hint that does not fit, and at each ping.

use serde_json::{Map, Value};
use tokio::time::{Duration, Instant};

use super::frames::Stand;
use super::line::Close;
use super::part::{Fits, Part};
use super::sent::{ServerFrame, Taken};
use super::session::{Held, RETRY, Session};
use crate::http::wire::{self, Shown, View};
use crate::model::conversation::{Author, Conversation, Phase, client_id_hash};
use crate::model::customer::State;
use crate::model::decision::SummaryState;
use crate::model::event::Trust;
use crate::model::ids::ConversationId;
use crate::store::StoreError;
use crate::trigger::quiet;

/// Entries of `welcome` take at most about so many bytes; the rest follows as frames of their own. A socket's buffer
/// keeps the size of the largest frame it ever sent.
const WELCOME: usize = 256 * 1_024;
/// What is not answered by then is to be sent again.
const UNANSWERED: Duration = Duration::from_secs(120);

/// The trait that says in which time zone the customer's browser is.
const BROWSER_ZONE: &str = "browser_timezone";

/// What a `hello` says of the customer.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the token.
    pub(super) traits: Map<String, Value>,
    /// By the browser.
    pub(super) timezone: Option<String>,
}

/// Why reading stopped.
pub(super) enum Stopped {
    /// The store did not answer; what was sent stands.
    Store(StoreError),
    /// The session ends.
    Close(Close),
}

impl From<StoreError> for Stopped {
    fn from(why: StoreError) -> Stopped {
        Stopped::Store(why)
    }
}

impl From<Close> for Stopped {
    fn from(close: Close) -> Stopped {
        Stopped::Close(close)
    }
}

/// What the entries of a part take, in bytes.
fn log_size(part: &Part) -> usize {
    part.entries.iter().map(|(_, form)| form.to_string().len()).sum()
}

/// Whether customers are told of it: its opening is there.
fn is_listed(conversation: &Conversation) -> bool {
    !matches!(conversation.phase, Phase::Preparing(_)) && conversation.seq > 0
}

impl Session {
    /// Answers `hello`.
    ///
    /// # Errors
    /// The end of the session; come back where the store does not answer.
    pub(super) async fn welcome(
        &mut self,
        anonymous_id: Option<String>,
        resume: Vec<(ConversationId, Stand)>,
        known: Known,
    ) -> Result<(), Close> {
        match self.try_welcome(anonymous_id, resume, known).await {
            Ok(()) => Ok(()),
            Err(Stopped::Close(close)) => Err(close),
            Err(Stopped::Store(why)) => {
                tracing::warn!(customer = %self.reader.customer.masked(), "no welcome: {why}");
                Err(Close::come_back(rand::random_range(1..=5)))
            }
        }
    }

    async fn try_welcome(
        &mut self,
        anonymous_id: Option<String>,
        mut resume: Vec<(ConversationId, Stand)>,
        known: Known,
    ) -> Result<(), Stopped> {
        let state = self.reader.state().await?;
        let (mut list, mut room) = (Vec::new(), WELCOME);
        let (mut rest, mut over) = (Vec::new(), Vec::new());
        for (id, conversation) in state.conversations.iter().filter(|(_, conversation)| is_listed(conversation)) {
            let named = resume.iter().position(|(named, _)| named == id).map(|at| resume.swap_remove(at).1);
            if conversation.phase.is_closed() && named.is_none() {
                continue;
            }
            let stand = named.unwrap_or_default();
            // Without room even a stand is looked at when its turn comes.
            let mut part = if room == 0 { Part::after(stand) } else { self.reader.part(*id, stand, room).await? };
            if part.fits == Fits::Other {
                over.push(*id);
                part = Part::after(Stand::default());
            } else if !part.complete {
                rest.push(*id);
            }
            room = room.saturating_sub(part.bytes);
            self.hold(*id, part.at, conversation);
            list.push(self.reader.form(*id, conversation, part).await);
        }
        let mut archived = Vec::new();
        for (id, stand) in resume {
            let Some((summary, log)) = self.reader.archived(id).await? else { continue };
            let mut part = Part::of(&log, stand);
            if part.fits == Fits::Other || log_size(&part) > room {
                // Read again when its turn comes: a hundred of them are not held at once.
                archived.push(id);
                part = Part::after(stand);
            }
            room = room.saturating_sub(log_size(&part));
            self.held.push(Held { id, stand: part.at, seen: true, closed: true, archived: true });
            list.push(wire::conversation(&Shown::recorded(&summary), part.forms(), View::Customer));
        }
        let anonymous_id = anonymous_id.as_deref();
        let attachments = Some(&self.reader.chat.shared.settings.attachments);
        let attachments = attachments.filter(|taken| taken.enabled).map(|taken| Taken {
            max_size: taken.max_size,
            max_count: taken.max_count,
            types: &taken.types,
        });
        let customer = &self.reader.customer;
        self.line.tell(&ServerFrame::Welcome { customer, anonymous_id, conversations: list, attachments })?;
        for id in over {
            self.start_over(id)?;
            self.follow(id).await?;
        }
        for id in rest {
            self.follow(id).await?;
        }
        for id in archived {
            self.send_archived(id).await?;
        }
        // Of who only looks at a page nothing is kept: the zone of a browser matters where something is known.
        let stranger = state == State::default() && known.traits.is_empty();
        let zone = known.timezone.filter(|name| !stranger && quiet::zone(name).is_some());
        self.reader.learn(&state, known.traits, Trust::Server).await;
        let zone = zone.map(|name| (BROWSER_ZONE.to_owned(), Value::String(name)));
        self.reader.learn(&state, zone.into_iter().collect(), Trust::Client).await;
        Ok(())
    }

    /// Reads again, and sends what is missing. Where the store does not answer, that is tried again soon.
    ///
    /// # Errors
    /// The end of the session.
    pub(super) async fn read_again(&mut self) -> Result<(), Close> {
        match self.try_read_again().await {
            Ok(settled) => {
                self.stale = if settled { None } else { Some(Instant::now() + RETRY) };
                Ok(())
            }
            Err(Stopped::Close(close)) => Err(close),
            Err(Stopped::Store(why)) => {
                tracing::warn!(customer = %self.reader.customer.masked(), "a session cannot read: {why}");
                // What cannot be read will not be readable in a second: the next ping tries again.
                let soon = matches!(why, StoreError::Away(_) | StoreError::Full { .. });
                self.stale =
                    Some(Instant::now() + if soon { RETRY } else { self.reader.chat.shared.settings.times.ping });
                Ok(())
            }
        }
    }

    /// Whether all is told that there is to tell.
    async fn try_read_again(&mut self) -> Result<bool, Stopped> {
        let state = self.reader.state().await?;
        for (id, conversation) in state.conversations.iter().filter(|(_, conversation)| is_listed(conversation)) {
            match self.held.iter_mut().find(|held| held.id == *id) {
                // A closed one is looked at where its number says so; an open one always: an entry may be another.
                Some(held) => {
                    held.seen |= conversation.phase != Phase::Waiting;
                    if !conversation.phase.is_closed() || held.stand.seq != conversation.seq {
                        self.follow(*id).await?;
                    }
                }
                None if conversation.phase.is_closed() => {}
                None => self.open(*id, conversation).await?,
            }
        }
        let left = self.held.iter().filter(|held| !held.archived && !state.conversations.contains_key(&held.id));
        let left: Vec<ConversationId> = left.map(|held| held.id).collect();
        let mut settled = true;
        for id in left {
            settled &= self.let_go(id).await?;
        }
        self.answer_from(&state)?;
        Ok(settled)
    }

    /// Tells of a conversation that the client does not know.
    async fn open(&mut self, id: ConversationId, conversation: &Conversation) -> Result<(), Stopped> {
        let part = self.reader.part(id, Stand::default(), WELCOME).await?;
        if part.fits == Fits::Other {
            return Err(StoreError::Corrupt(format!("the log of {id} has a hole")).into());
        }
        self.hold(id, part.at, conversation);
        let complete = part.complete;
        let form = self.reader.form(id, conversation, part).await;
        self.line.tell(&ServerFrame::Opened { conversation: form })?;
        if complete { Ok(()) } else { self.follow(id).await }
    }

    /// Sends what follows, page by page; from the start where the log is not at one with what was sent.
    async fn follow(&mut self, id: ConversationId) -> Result<(), Stopped> {
        loop {
            let stand = self.held(id).map(|held| held.stand).unwrap_or_default();
            let part = self.reader.part(id, stand, WELCOME).await?;
            if part.fits == Fits::Other {
                if stand.seq == 0 {
                    return Err(StoreError::Corrupt(format!("the log of {id} has a hole")).into());
                }
                self.start_over(id)?;
                continue;
            }
            let complete = part.complete;
            self.send(id, part).await?;
            if complete {
                return Ok(());
            }
        }
    }

    /// Sends entries as fast as the client takes them.
    async fn send(&mut self, id: ConversationId, part: Part) -> Result<(), Close> {
        for (shape, form) in part.entries {
            if !self.line.out.has_room() {
                self.line.make_room().await?;
            }
            self.send_entry(id, shape, Some(form))?;
        }
        if let Some(held) = self.held.iter_mut().find(|held| held.id == id) {
            held.stand = part.at;
        }
        Ok(())
    }

    /// Tells the client to forget what it has of a conversation.
    fn start_over(&mut self, id: ConversationId) -> Result<(), Close> {
        if let Some(held) = self.held.iter_mut().find(|held| held.id == id) {
            held.stand = Stand::default();
        }
        self.line.tell(&ServerFrame::Reset { conversation_id: id })
    }

    /// Sends what follows of a conversation that has left the live store, and answers how it ended there; none: it is not
    /// in the archive either.
    async fn send_archived(&mut self, id: ConversationId) -> Result<Option<SummaryState>, Stopped> {
        let Some((summary, log)) = self.reader.archived(id).await? else { return Ok(None) };
        let stand = self.held(id).map(|held| held.stand).unwrap_or_default();
        let mut part = Part::of(&log, stand);
        if part.fits == Fits::Other {
            self.start_over(id)?;
            part = Part::of(&log, Stand::default());
        }
        self.send(id, part).await?;
        Ok(Some(summary.state))
    }

    /// A conversation left the state: the rest of it is in the archive, or it was erased. False: that will be told later.
    async fn let_go(&mut self, id: ConversationId) -> Result<bool, Stopped> {
        let stand = self.held(id).map(|held| held.stand).unwrap_or_default();
        let archived = self.send_archived(id).await?;
        if archived == Some(SummaryState::Closed) {
            if let Some(held) = self.held.iter_mut().find(|held| held.id == id) {
                (held.archived, held.closed) = (true, true);
            }
        } else if archived.is_some() {
            // Only what is closed leaves a state: the archive is late, or the store went back to before it began and the
            // archive does not know yet.
            return Ok(false);
        } else if self.reader.part(id, stand, 0).await?.fits == Fits::Other {
            self.start_over(id)?;
            self.held.retain(|held| held.id != id);
        }
        Ok(true)
    }

    fn hold(&mut self, id: ConversationId, stand: Stand, conversation: &Conversation) {
        let (seen, closed) = (conversation.phase != Phase::Waiting, conversation.phase.is_closed());
        self.held.push(Held { id, stand, seen, closed, archived: false });
    }

    /// Answers what was asked by what the state keeps of it: the answer's hint may have been missed.
    fn answer_from(&mut self, state: &State) -> Result<(), Close> {
        for asked in std::mem::take(&mut self.asked) {
            let (hash, client_id) = (client_id_hash(Author::Customer, &asked.client_id), asked.client_id.as_str());
            let counted = state.conversations.iter().find_map(|(id, held)| Some((*id, *held.client_ids.get(&hash)?)));
            let refused = state.refusals.iter().find(|(known, _)| *known == hash);
            if let Some((conversation, seq)) = counted {
                self.line.tell(&ServerFrame::Ack { client_id, conversation_id: Some(conversation), seq })?;
            } else if let Some((_, code)) = refused {
                self.free(&asked);
                self.line.tell(&ServerFrame::refused(*code, Some(client_id), None))?;
            } else if asked.since.elapsed() > UNANSWERED {
                let message = "Nothing is known of it yet; send it again.";
                self.line.tell(&ServerFrame::again("unavailable", message, Some(client_id), 1))?;
            } else {
                self.asked.push(asked);
            }
        }
        Ok(())
    }
}
