//! Taking back an event that concerns many: another event says so to the topics that tell it.

use super::inbox::Inbox;
use crate::model::event::Event;
use crate::model::ids::EventId;
use crate::model::input::Operator;
use crate::model::time::Ms;
use crate::model::topic::{MAX_TEXT, Revoke};
use crate::store::StoreError;
use crate::trigger::topic::revoking::taking_back;

/// What is to be taken back, and by whom.
pub struct Asked<'a> {
    /// Beckon's id of it.
    pub id: EventId,
    /// The event.
    pub event: &'a Event,
    /// The topics that tell it, by playbook and key.
    pub topics: Vec<(String, String)>,
    /// Who takes it back.
    pub by: Operator,
    /// Why; may be empty.
    pub reason: String,
}

/// The reason for which something is taken back, as it is kept.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn reason_of(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > MAX_TEXT || text.contains(char::is_control) {
        return Err(format!("The reason is one line of {MAX_TEXT} characters at most."));
    }
    Ok(text.to_owned())
}

/// Appends the event that takes another back; answers its id. An event is taken back once: who asks again gets the same.
///
/// Invariant: it stands in the same inbox behind the event that it is about, and what one inbox gives to a topic arrives in
/// order: a topic never hears that something is taken back before it hears of it.
///
/// # Errors
/// The store's; it may be done again.
pub async fn revoke(inbox: &Inbox, asked: Asked<'_>, now: Ms) -> Result<EventId, StoreError> {
    let Asked { id, event, topics, by, reason } = asked;
    let revoke = Revoke { event: id, kind: event.kind.clone(), topics, by, reason };
    inbox.event_behind(id.partition, taking_back(revoke, now)).await
}
