//! Who else is at a conversation: colleagues who look or write, the customer and the assistant where they write.
//!
//! Presence is never state: it is told on the live bus, again and again while it lasts, and what is not told again goes.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;

use super::access::Posted;
use super::pages::PageError;
use super::{Dashboard, words};
use crate::model::entry::By;
use crate::model::ids::{ActorId, ConversationId};
use crate::model::input::Operator;
use crate::model::live::{Attention, Live};
use crate::store::Channel;

/// How long a look lasts that is not told again; pages tell it every 15 s.
const LOOK_LASTS: Duration = Duration::from_secs(35);
/// How long writing lasts that is not told again; pages tell it every 3 s.
const WRITING_LASTS: Duration = Duration::from_secs(6);
/// Colleagues that one page remembers.
const MOST: usize = 20;

/// Who else is at the conversation of one page.
#[derive(Debug, Default)]
pub(super) struct Others {
    me: String,
    colleagues: BTreeMap<String, Colleague>,
    /// The customer or the assistant writes, until then.
    writing: Vec<(By, Instant)>,
}

#[derive(Debug)]
struct Colleague {
    name: String,
    looks_until: Instant,
    writes_until: Option<Instant>,
}

/// What a page does about what it heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing that is shown changed.
    Known,
    /// Show it.
    Changed,
    /// Show it, and say that we are here too: who came cannot know.
    Greet,
}

/// Somebody, as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Present {
    glyph: &'static str,
    mark: &'static str,
    text: String,
}

impl Others {
    /// For the page of this operator.
    pub(super) fn of(me: &str) -> Others {
        Others { me: me.to_owned(), ..Others::default() }
    }

    /// Takes what an operator's page told.
    pub(super) fn hear(&mut self, operator: &Operator, attention: Attention, now: Instant) -> Heard {
        if operator.id == self.me {
            // Another page of ours went: this one is still here.
            return if attention == Attention::Left { Heard::Greet } else { Heard::Known };
        }
        if attention == Attention::Left {
            return if self.colleagues.remove(&operator.id).is_some() { Heard::Changed } else { Heard::Known };
        }
        let is_new = !self.colleagues.contains_key(&operator.id);
        if is_new && self.colleagues.len() >= MOST {
            return Heard::Known;
        }
        let colleague = self.colleagues.entry(operator.id.clone()).or_insert_with(|| Colleague {
            name: operator.name.clone(),
            looks_until: now,
            writes_until: None,
        });
        colleague.looks_until = now + LOOK_LASTS;
        let wrote = colleague.writes_until.is_some_and(|until| until > now);
        if attention == Attention::Writes {
            colleague.writes_until = Some(now + WRITING_LASTS);
        }
        match (is_new, attention) {
            (true, _) => Heard::Greet,
            (false, Attention::Writes) if !wrote => Heard::Changed,
            _ => Heard::Known,
        }
    }

    /// Takes that the customer or the assistant writes; whether that is news.
    pub(super) fn writes(&mut self, by: By, now: Instant) -> bool {
        if !matches!(by, By::Customer | By::Assistant) {
            return false;
        }
        let until = now + WRITING_LASTS;
        match self.writing.iter_mut().find(|(who, _)| *who == by) {
            Some(known) => {
                known.1 = until;
                false
            }
            None => {
                self.writing.push((by, until));
                true
            }
        }
    }

    /// What somebody wrote has come; whether anything shown goes.
    pub(super) fn wrote(&mut self, by: By) -> bool {
        let before = self.writing.len();
        self.writing.retain(|(who, _)| *who != by);
        before != self.writing.len()
    }

    /// Forgets what was not told again; whether anything shown goes.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = (self.colleagues.len(), self.writing.len());
        self.colleagues.retain(|_, colleague| colleague.looks_until > now);
        self.writing.retain(|(_, until)| *until > now);
        let mut stopped = false;
        for colleague in self.colleagues.values_mut() {
            if colleague.writes_until.is_some_and(|until| until <= now) {
                colleague.writes_until = None;
                stopped = true;
            }
        }
        stopped || before != (self.colleagues.len(), self.writing.len())
    }

    /// When something is to be forgotten next.
    pub(super) fn due(&self) -> Option<Instant> {
        let colleagues =
            self.colleagues.values().map(|one| one.writes_until.map_or(one.looks_until, |t| t.min(one.looks_until)));
        colleagues.chain(self.writing.iter().map(|(_, until)| *until)).min()
    }

    /// All of them. `customer` is what the customer is called.
    pub(super) fn present(&self, customer: &str) -> Vec<Present> {
        let colleagues = self.colleagues.values().map(|colleague| {
            let does = if colleague.writes_until.is_some() { "writes" } else { "looks on" };
            Present { glyph: "\u{25a0}", mark: "op", text: format!("{} {does}", words::plain(&colleague.name)) }
        });
        let writing = self.writing.iter().map(|(by, _)| match by {
            By::Customer => Present { glyph: "\u{25cb}", mark: "cu", text: format!("{customer} writes") },
            _ => Present { glyph: "\u{25cf}", mark: "ai", text: "the assistant works on it".to_owned() },
        });
        colleagues.chain(writing).collect()
    }
}

/// The operator of this page writes: colleagues see it, and the customer where the operator is who answers.
pub(super) async fn typing(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<StatusCode, PageError> {
    let id: ConversationId = id.parse().map_err(|_| PageError::not_found("conversation"))?;
    let summary = dashboard.record.summary(id).await?.ok_or_else(|| PageError::not_found("conversation"))?;
    let operator = posted.operator.operator();
    dashboard.attend(&summary.customer, id, &operator, Attention::Writes).await;
    // The record may be a moment behind: then the customer hears of the next key.
    if summary.operator.as_ref().is_some_and(|holder| holder.id == operator.id) {
        dashboard.tell(&summary.customer, &Live::Typing { conversation: id, by: By::Operator, call: None }).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

impl Dashboard {
    /// Tells other pages what an operator does at a conversation.
    pub(super) async fn attend(
        &self,
        customer: &ActorId,
        conversation: ConversationId,
        operator: &Operator,
        attention: Attention,
    ) {
        self.tell(customer, &Live::Attends { conversation, operator: operator.clone(), attention }).await;
    }

    async fn tell(&self, customer: &ActorId, live: &Live) {
        let Ok(payload) = serde_json::to_vec(live) else { return };
        if let Err(error) = self.store.publish(Channel::Actor(customer.clone()), payload).await {
            tracing::debug!(%error, "presence was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Operator {
        Operator { id: "op-ada".to_owned(), name: "Ada".to_owned() }
    }

    fn shown(others: &Others) -> Vec<String> {
        others.present("Ana").into_iter().map(|one| one.text).collect()
    }

    #[test]
    fn a_colleague_is_greeted_once_and_forgotten_when_silent() {
        let (mut others, now) = (Others::of("op-rui"), Instant::now());
        assert_eq!(others.hear(&ada(), Attention::Looks, now), Heard::Greet);
        assert_eq!(others.hear(&ada(), Attention::Looks, now), Heard::Known);
        assert_eq!(shown(&others), ["Ada looks on"]);
        assert_eq!(others.hear(&ada(), Attention::Writes, now), Heard::Changed);
        assert_eq!(shown(&others), ["Ada writes"]);
        assert_eq!(others.due(), Some(now + WRITING_LASTS));
        assert!(others.expire(now + WRITING_LASTS));
        assert_eq!(shown(&others), ["Ada looks on"]);
        assert!(others.expire(now + LOOK_LASTS));
        assert_eq!((shown(&others).len(), others.due()), (0, None));
    }

    #[test]
    fn who_goes_is_gone_at_once_and_never_ourselves() {
        let (mut others, now) = (Others::of("op-rui"), Instant::now());
        let rui = Operator { id: "op-rui".to_owned(), name: "Rui".to_owned() };
        assert_eq!(others.hear(&rui, Attention::Writes, now), Heard::Known);
        assert_eq!(others.hear(&rui, Attention::Left, now), Heard::Greet, "another page of ours went, not this one");
        others.hear(&ada(), Attention::Looks, now);
        assert_eq!(others.hear(&ada(), Attention::Left, now), Heard::Changed);
        assert_eq!(others.hear(&ada(), Attention::Left, now), Heard::Known);
        assert_eq!(shown(&others).len(), 0);
    }

    #[test]
    fn words_that_came_end_the_writing() {
        let (mut others, now) = (Others::of("op-rui"), Instant::now());
        assert!(others.writes(By::Customer, now));
        assert!(!others.writes(By::Customer, now), "said already");
        assert!(!others.writes(By::Operator, now), "operators are named by their pages");
        assert_eq!(shown(&others), ["Ana writes"]);
        assert!(others.wrote(By::Customer));
        assert!(!others.wrote(By::Customer));
    }
}
