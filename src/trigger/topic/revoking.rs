//! Taking back what a topic tells: which topics tell an event, and what they do when it is taken back. The selection stops,
//! who has not seen it need not, open conversations go on.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::super::sense::{No, ask, key};
use super::{Deciding, topic_of, unmatched};
use crate::model::catalog::Catalog;
use crate::model::entry::Verdict;
use crate::model::event::{Event, REVOKE};
use crate::model::ids::{ActorId, EventId};
use crate::model::scope::{Scope, event_value};
use crate::model::time::Ms;
use crate::model::topic::{Heard, MAX_TEXT, Mark, Revoke, Stage, Telling};

/// Why an event cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firm {
    /// No playbook in force tells many of it.
    Single(&'static str),
    /// A topic gave it to one customer: the event that was sent can be taken back.
    Given(EventId),
}

impl std::fmt::Display for Firm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Firm::Single(why) => f.write_str(why),
            Firm::Given(origin) => write!(f, "A topic gave it to one customer; what can be taken back is {origin}."),
        }
    }
}

/// The topics, by playbook and key, that tell many of this event: that it begins, or something new.
///
/// # Errors
/// Why there is none.
pub fn topics_of(catalog: &Catalog, event: &Event) -> Result<Vec<(String, String)>, Firm> {
    if let Some(news) = &event.news {
        return Err(Firm::Given(news.origin));
    }
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    let (mut topics, mut ends) = (Vec::new(), false);
    for playbook in catalog.listeners.get(&event.kind).into_iter().flatten() {
        let Some((_, many)) = topic_of(playbook) else { continue };
        let told = [Some(&many.begins), many.updates.as_ref().map(|updates| &updates.of)];
        let told = told.into_iter().flatten().filter(|picks| picks.event == event.kind);
        // Where two stages hear one type, the one whose condition holds; what is known of the customer is not asked here.
        let keys = told.filter_map(|picks| {
            Some((ask(&scope, picks.when.as_ref()).is_err(), key(&scope, picks.key.as_ref()).ok()?))
        });
        match keys.min_by_key(|(refused, _)| *refused) {
            Some((_, key)) => topics.push((playbook.name.clone(), key)),
            None => ends |= many.ends.as_ref().is_some_and(|ends| ends.of.event == event.kind),
        }
    }
    match (topics.is_empty(), ends) {
        (false, _) => Ok(topics),
        (true, true) => {
            Err(Firm::Single("It ends what a topic tells; an end cannot be taken back: send the beginning again."))
        }
        (true, false) => Err(Firm::Single("No playbook in force tells many customers of it.")),
    }
}

/// The event that takes another back, at `now`.
pub fn taking_back(revoke: Revoke, now: Ms) -> Event {
    let data = json!({
        "event": revoke.event.to_string(), "type": revoke.kind, "by": revoke.by.name, "reason": revoke.reason,
    });
    let id = format!("revoke:{}", revoke.event);
    Event { time: Some(now), revoke: Some(Box::new(revoke)), ..Event::new("beckon", &id, REVOKE, None, cleaned(data)) }
}

/// What an event that takes another back is to one of its topics.
///
/// # Errors
/// What the playbook makes of it where there can be no such topic.
pub fn forward(event: &Event, id: EventId, at: Ms, playbook: &str, key: &str) -> Result<(ActorId, Heard), No> {
    let topic = ActorId::topic(playbook, key).map_err(|problem| unmatched(&problem.to_string()))?;
    let event = Box::new(Event { customer: None, ..event.clone() });
    let (playbook, key) = (playbook.to_owned(), key.to_owned());
    Ok((topic, Heard { id, at, playbook, key, stage: Stage::Revoked, event }))
}

/// Who takes it back, and why, in a sentence.
fn taken_back(revoke: &Revoke) -> String {
    let Revoke { by, reason, .. } = revoke;
    let name: String = by.name.chars().take(MAX_TEXT).collect();
    match reason.chars().take(MAX_TEXT).collect::<String>() {
        reason if reason.is_empty() => format!("{name} took it back"),
        reason => format!("{name} took it back: {reason}"),
    }
}

impl Deciding<'_> {
    pub(super) fn revokes(&mut self, heard: &Heard) {
        let Some(revoke) = heard.event.revoke.as_deref() else {
            return self.judge(heard.id, unmatched("it does not say what it takes back"));
        };
        if self.topic.news.iter().any(|news| news.id == revoke.event && news.stage == Stage::Updated) {
            return self.revokes_update(heard.id, revoke);
        }
        if self.topic.announced != Some(revoke.event) || self.topic.begun.is_none() {
            let no = match self.topic.announced.filter(|_| self.topic.begun.is_some()) {
                Some(later) => {
                    let reason = "its topic tells of another event now: that one can be taken back";
                    No::with(Verdict::NotMatched, reason, json!({ "event": later.to_string() }))
                }
                None => unmatched("its topic is over, or tells no more of it"),
            };
            return self.judge(heard.id, no);
        }
        if self.topic.revoked {
            return self.judge(heard.id, unmatched("it was taken back before"));
        }
        if self.topic.news.iter().any(|news| news.stage == Stage::Ended) {
            return self.judge(heard.id, unmatched("its end is being told already"));
        }
        let reason = taken_back(revoke);
        if self.told_nobody() {
            let no = match self.topic.selection.take() {
                Some(selection) => super::hearing::counted(Verdict::Withdrawn, &selection, &reason),
                None => No::of(Verdict::Withdrawn, reason),
            };
            self.judge(revoke.event, no);
            self.over();
            let no = No::with(Verdict::Told, "nobody was told yet, and nobody will be", json!({ "sent": 0 }));
            return self.judge(heard.id, no);
        }
        self.topic.revoked = true;
        match &mut self.topic.selection {
            // It is settled once what is under way is back.
            Some(selection) => selection.stopped = Some(reason),
            None => self.judge(revoke.event, No::of(Verdict::Withdrawn, reason)),
        }
        self.withdraw_news("what it is about was taken back");
        // Customers do not learn who took it back.
        let data = json!({ "type": revoke.kind, "reason": revoke.reason });
        let event = Event { revoke: None, data: cleaned(data), ..(*heard.event).clone() };
        let telling = self.telling(heard, event);
        self.judge(heard.id, No::of(Verdict::Forwarded, "its topic takes it back from those who have not seen it"));
        self.topic.news.push_back(telling);
    }

    /// News that are not told, or not to all, go no further.
    fn revokes_update(&mut self, id: EventId, revoke: &Revoke) {
        for news in self.take_news(|news| news.id == revoke.event) {
            let no = No::with(Verdict::Withdrawn, taken_back(revoke), json!({ "sent": news.sent }));
            self.judge(news.id, no);
        }
        self.judge(id, No::of(Verdict::Told, "nobody else hears of it; words that were said stay"));
    }

    /// News that were not begun to be told need not be told any more.
    pub(super) fn withdraw_news(&mut self, reason: &str) {
        let under_way = self.topic.under_way.map(|under_way| under_way.revision);
        let begun = |news: &Telling| news.place > Mark::default() || Some(news.revision) == under_way;
        for news in self.take_news(|news| !begun(news) && news.stage != Stage::Revoked) {
            self.judge(news.id, No::of(Verdict::Withdrawn, reason));
        }
    }

    fn take_news(&mut self, goes: impl Fn(&Telling) -> bool) -> VecDeque<Telling> {
        let (gone, kept) = std::mem::take(&mut self.topic.news).into_iter().partition(goes);
        self.topic.news = kept;
        gone
    }
}

/// Without what is empty.
fn cleaned(mut data: Value) -> Value {
    if let Value::Object(fields) = &mut data {
        fields.retain(|_, value| value.as_str().is_none_or(|text| !text.is_empty()));
    }
    data
}
