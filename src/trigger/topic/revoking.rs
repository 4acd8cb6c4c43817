//! Taking back what a topic tells: which topics tell an event, and what they do when it is taken back. The selection stops,
//! who has not seen it need not, open conversations go on.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::super::sense::{No, ask, key};
use super::{Deciding, topic_of, unmatched};
use crate::model::catalog::Catalog;
use crate::model::decision::Judged;
use crate::model::entry::Verdict;
use crate::model::event::{Event, REVOKE};
use crate::model::ids::{ActorId, EventId};
use crate::model::scope::{Scope, event_value};
use crate::model::time::Ms;
use crate::model::topic::{Heard, Mark, Revoke, Stage, Telling};

/// Why an event cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firm {
    /// No topic tells many of it.
    Single,
    /// It ends what a topic tells.
    End,
    /// A topic gave it to one customer: the event that was sent can be taken back.
    Given(EventId),
}

impl std::fmt::Display for Firm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Firm::Single => f.write_str("No playbook tells many customers of it."),
            Firm::End => {
                f.write_str("It ends what a topic tells. An end cannot be taken back: send what it ended again.")
            }
            Firm::Given(origin) => write!(f, "A topic gave it to one customer; what can be taken back is {origin}."),
        }
    }
}

/// The topics, by playbook and key, that tell many of this event. Of one that was decided its verdicts say where it went,
/// whatever the playbooks say by now; of any other the playbooks in force do.
///
/// # Errors
/// Why it cannot be taken back.
pub fn topics_of(catalog: &Catalog, event: &Event, decided: Option<&[Judged]>) -> Result<Vec<(String, String)>, Firm> {
    if let Some(news) = &event.news {
        return Err(Firm::Given(news.origin));
    }
    // What takes back tells of nothing itself.
    if event.revoke.is_some() {
        return Err(Firm::Single);
    }
    let by_now = heard_by(catalog, event);
    let topics = match (&by_now, decided) {
        (Err(Firm::End), _) | (_, None) => by_now?,
        (_, Some(verdicts)) => went_to(verdicts),
    };
    if topics.is_empty() { Err(Firm::Single) } else { Ok(topics) }
}

/// Where the playbooks in force have it go: that something begins, or is new.
fn heard_by(catalog: &Catalog, event: &Event) -> Result<Vec<(String, String)>, Firm> {
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    let (mut topics, mut ends) = (Vec::new(), false);
    for playbook in catalog.listeners.get(&event.kind).into_iter().flatten() {
        let Some((trigger, many)) = topic_of(playbook) else { continue };
        let stages = [
            (Some(&many.begins), trigger.when.as_ref(), false),
            (many.updates.as_ref().map(|updates| &updates.of), None, false),
            (many.ends.as_ref().map(|ends| &ends.of), None, true),
        ];
        // Of several stages that hear the type the one whose condition holds; what is known of the customer is not asked here.
        let heard = stages.into_iter().filter_map(|(picks, when, is_end)| {
            let picks = picks.filter(|picks| picks.event == event.kind)?;
            let refused = ask(&scope, picks.when.as_ref()).and_then(|()| ask(&scope, when)).is_err();
            Some((refused, is_end, key(&scope, picks.key.as_ref()).ok()?))
        });
        match heard.min_by_key(|(refused, ..)| *refused) {
            Some((_, false, key)) => topics.push((playbook.name.clone(), key)),
            Some((_, true, _)) => ends = true,
            None => {}
        }
    }
    if topics.is_empty() && ends { Err(Firm::End) } else { Ok(topics) }
}

/// Where a decided event went, by its verdicts.
fn went_to(verdicts: &[Judged]) -> Vec<(String, String)> {
    let went = |judged: &Judged| {
        let topic = judged.values.get("topic").and_then(Value::as_str)?;
        let key = topic.strip_prefix("topic:")?.strip_prefix(judged.playbook.as_str())?.strip_prefix(':')?;
        Some((judged.playbook.clone(), key.to_owned()))
    };
    verdicts.iter().filter_map(went).collect()
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
    match reason.is_empty() {
        true => format!("{} took it back", by.name),
        false => format!("{} took it back: {reason}", by.name),
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
        if self.topic.news.iter().any(|news| news.id == revoke.event) {
            return self.judge(heard.id, unmatched("an end cannot be taken back: send the beginning again"));
        }
        if self.topic.announced != Some(revoke.event) {
            let no = match self.topic.announced {
                Some(now) => {
                    let reason = "a later event of its topic took its place, or these news were told to all";
                    No::with(Verdict::NotMatched, reason, json!({ "now": now.to_string() }))
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
        // One that was not begun is of those who were told then, and this one of them too.
        for news in self.take_fresh(|news| news.stage == Stage::Revoked) {
            self.judge(news.id, No::of(Verdict::Told, "what was taken back next took its place"));
        }
        // Customers do not learn who took it back.
        let data = json!({
            "type": revoke.kind, "key": self.topic.key, "event": revoke.event.to_string(), "reason": revoke.reason,
        });
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
        for news in self.take_fresh(|news| news.stage != Stage::Revoked) {
            self.judge(news.id, No::of(Verdict::Withdrawn, reason));
        }
    }

    /// Takes news of which nobody was told yet.
    fn take_fresh(&mut self, goes: impl Fn(&Telling) -> bool) -> VecDeque<Telling> {
        let under_way = self.topic.under_way.map(|under_way| under_way.revision);
        self.take_news(|news| news.place == Mark::default() && Some(news.revision) != under_way && goes(news))
    }

    pub(super) fn take_news(&mut self, goes: impl Fn(&Telling) -> bool) -> VecDeque<Telling> {
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
