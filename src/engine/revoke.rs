//! Taking back an event that concerns many: another event says so to the topics that tell it.

use super::inbox::Inbox;
use crate::model::ids::EventId;
use crate::model::time::Ms;
use crate::model::topic::{MAX_TEXT, Revoke};
use crate::store::StoreError;
use crate::trigger::topic::revoking::taking_back;

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
pub async fn revoke(inbox: &Inbox, revoke: Revoke, now: Ms) -> Result<EventId, StoreError> {
    inbox.event_behind(revoke.event.partition, taking_back(revoke, now)).await
}
