//! What a customer makes of a topic's news: an opening through restraint, words in the conversation that is there, or
//! nothing where the customer was not told of its beginning.

use std::sync::Arc;

use super::matching::{join, judged, speak, verdict};
use crate::dialogue::draft::Draft;
use crate::dialogue::{closing, opening};
use crate::model::catalog::Catalog;
use crate::model::conversation::{Conversation, Phase};
use crate::model::entry::Verdict;
use crate::model::event::Event;
use crate::model::ids::{ConversationId, EventId};
use crate::model::memory::Kept;
use crate::model::restraint::Joining;
use crate::model::topic::{Known, MAX_KNOWN, News, Stage};
use crate::trigger::burst;
use crate::trigger::sense::{Matched, No, Step};
use crate::trigger::topic::topic_of;

/// News of a topic came.
pub fn came(draft: &mut Draft<'_>, catalog: &Arc<Catalog>, event: &Event, id: EventId, news: &News) {
    let no = |verdict, reason: &str| No::of(verdict, reason);
    let known = draft.state.told.get(&news.topic.hash()).copied();
    if known.is_some_and(|known| known.revision >= news.revision) {
        return tell(draft, id, news, no(Verdict::Dropped, "it was told already"));
    }
    // What waited for its time and is gone was not told.
    let known = known.filter(|known| known.conversation.is_some() || place_of(draft, news).is_some());
    let known = known.filter(|known| known.begun == news.begun);
    if news.stage == Stage::Revoked {
        // Also where its playbook is gone: what it opened is there.
        return taken_back(draft, known, event, id, news);
    }
    let playbook = catalog.playbooks.get(&news.playbook).cloned();
    let Some((playbook, trigger)) = playbook.and_then(|playbook| {
        let trigger = topic_of(&playbook).map(|(trigger, _)| trigger.id.clone())?;
        Some((playbook, trigger))
    }) else {
        return tell(draft, id, news, no(Verdict::NotMatched, "the playbook no longer has this topic"));
    };
    if event.expires.is_some_and(|expires| expires <= draft.now) {
        return tell(draft, id, news, no(Verdict::NotMatched, "expired"));
    }
    let matched = Matched {
        playbook,
        trigger,
        key: String::new(),
        missing_since: None,
        events: vec![Kept { id, event: Box::new(event.clone()) }],
        rest: Vec::new(),
        step: Step::Fresh,
    };
    match (known, news.stage) {
        (None, Stage::Begun) => drop(speak(draft, catalog, matched)),
        (None, _) => tell(draft, id, news, no(Verdict::NotMatched, "this customer was not told of its beginning")),
        (Some(known), stage) => {
            hear(draft, news);
            match known.conversation {
                None => waits(draft, event, id, news),
                Some(conversation) => {
                    let there = draft.conversation(conversation).map(|c| c.phase.clone());
                    match there {
                        Some(Phase::Preparing(_)) if stage == Stage::Ended && is_alone(draft, known, news) => {
                            closing::withdraw(draft, conversation, "its topic ended");
                            tell(draft, id, news, no(Verdict::Withdrawn, "it ended before this customer was told"));
                        }
                        Some(phase) if !phase.is_closed() => go_on(draft, conversation, event, id, stage),
                        _ if stage == Stage::Begun => {
                            tell(draft, id, news, no(Verdict::Dropped, "this customer was told of it before"));
                        }
                        _ => drop(speak(draft, catalog, matched)),
                    }
                }
            }
        }
    }
}

/// What was told is taken back: an opening of its own that nobody saw is withdrawn. Where something else stands in the
/// conversation, or it was seen, that it was taken back is a fact of it.
fn taken_back(draft: &mut Draft<'_>, known: Option<Known>, event: &Event, id: EventId, news: &News) {
    let Some(known) = known else {
        let no = No::of(Verdict::NotMatched, "this customer was not told of its beginning");
        return tell(draft, id, news, no);
    };
    hear(draft, news);
    let Some(conversation) = known.conversation else { return waits(draft, event, id, news) };
    match draft.conversation(conversation).map(|c| c.phase.clone()) {
        Some(Phase::Preparing(_) | Phase::Waiting) if is_alone(draft, known, news) => {
            closing::withdraw(draft, conversation, "it was taken back");
            tell(draft, id, news, No::of(Verdict::Withdrawn, "taken back before this customer saw it"));
        }
        Some(phase) if !phase.is_closed() => go_on(draft, conversation, event, id, Stage::Revoked),
        _ => tell(draft, id, news, No::of(Verdict::NotMatched, "the conversation about it is over")),
    }
}

/// Whether the conversation is about this topic and no other: it opened it, and none else was told there.
fn is_alone(draft: &Draft<'_>, known: Known, news: &News) -> bool {
    let hash = news.topic.hash();
    let mut others = draft.state.told.iter().filter(|(other, _)| **other != hash);
    known.opened && others.all(|(_, other)| other.conversation != known.conversation)
}

/// Where an opening about the topic waits for its time.
fn place_of(draft: &Draft<'_>, news: &News) -> Option<usize> {
    draft.state.wakes.iter().position(|wake| wake.events.iter().any(|kept| is_of(&kept.event, news)))
}

fn is_of(event: &Event, news: &News) -> bool {
    event.news.as_ref().is_some_and(|other| other.topic == news.topic)
}

/// The conversation is there: the event is added, and what the playbook says to it.
fn go_on(draft: &mut Draft<'_>, conversation: ConversationId, event: &Event, id: EventId, stage: Stage) {
    // What is said to it is said below: the assistant need not be asked.
    join(draft, conversation, event, id, Joining::NextTurn);
    let playbook = draft.conversation(conversation).map(|c: &Conversation| c.playbook.clone()).unwrap_or_default();
    verdict(draft, id, &playbook, Verdict::Joined, conversation);
    if matches!(stage, Stage::Updated | Stage::Ended) {
        opening::say_news(draft, conversation, event, stage);
    }
}

/// The opening waits for its time, for quiet hours or a burst to end: it will know of what is new; it is taken back by an end
/// and by who revokes it.
fn waits(draft: &mut Draft<'_>, event: &Event, id: EventId, news: &News) {
    let Some(place) = place_of(draft, news) else { return };
    draft.changed();
    let taken_back = match news.stage {
        Stage::Begun | Stage::Updated => None,
        Stage::Ended => {
            Some(("its topic ended", No::of(Verdict::NotMatched, "it ended before this customer was told")))
        }
        Stage::Revoked => {
            Some(("it was taken back", No::of(Verdict::Withdrawn, "taken back before this customer saw it")))
        }
    };
    if let Some((reason, no)) = taken_back {
        draft.state.told.remove(&news.topic.hash());
        let Some(wake) = draft.state.wakes.get_mut(place) else { return };
        let (gone, others) = std::mem::take(&mut wake.events).into_iter().partition(|kept| is_of(&kept.event, news));
        wake.events = others;
        let gone: Vec<Kept> = gone;
        let mut gone: Vec<EventId> = gone.into_iter().map(|kept| kept.id).collect();
        // What other topics have to tell waits on.
        if wake.events.is_empty() {
            gone.extend(draft.state.wakes.remove(place).rest);
        }
        for waited in gone {
            tell(draft, waited, news, No::of(Verdict::Withdrawn, reason));
        }
        return tell(draft, id, news, no);
    }
    let room = burst::has_room(&draft.state, event);
    let Some(wake) = draft.state.wakes.get_mut(place) else { return };
    if !room || wake.events.len() >= crate::model::memory::MAX_BURST {
        return tell(draft, id, news, No::of(Verdict::Limited, "full"));
    }
    // It opens as the beginning does, with what is known by then.
    let begins = News { stage: Stage::Begun, ..news.clone() };
    let event = Event { news: Some(Box::new(begins)), ..event.clone() };
    wake.events.push(Kept { id, event: Box::new(event) });
    let values = serde_json::json!({ "until": wake.due.to_string() });
    tell(draft, id, news, No::with(Verdict::Pending, "its opening waits for its time", values));
}

/// Notes that a revision was heard.
fn hear(draft: &mut Draft<'_>, news: &News) {
    if let Some(known) = draft.state.told.get_mut(&news.topic.hash()) {
        known.revision = news.revision;
        draft.changed();
    }
}

/// What became of telling a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// It opened a conversation.
    Opened(ConversationId),
    /// It joined one that was there.
    Joined(ConversationId),
    /// It waits for its time.
    Waits,
    /// It was held back.
    Refused,
}

/// Notes what became of telling: a customer who was told hears what comes later, one who was refused does not.
pub fn remember(draft: &mut Draft<'_>, matched: &Matched, telling: Telling) {
    let (conversation, opened) = match telling {
        Telling::Opened(conversation) => (Some(conversation), true),
        Telling::Joined(conversation) => (Some(conversation), false),
        Telling::Waits | Telling::Refused => (None, false),
    };
    // What waited for the same time may be of several topics.
    for news in matched.events.iter().filter_map(|kept| kept.event.news.as_deref()) {
        let hash = news.topic.hash();
        if telling != Telling::Refused {
            draft.changed();
            let (begun, revision) = (news.begun, news.revision);
            draft.state.told.insert(hash, Known { begun, revision, conversation, opened });
        } else if news.stage == Stage::Begun && draft.state.told.remove(&hash).is_some() {
            // Who knows of the beginning is only spoken to no more.
            draft.changed();
        }
    }
    while draft.state.told.len() > MAX_KNOWN {
        let oldest = draft.state.told.iter().min_by_key(|(_, known)| known.revision).map(|(hash, _)| *hash);
        let Some(oldest) = oldest else { break };
        draft.state.told.remove(&oldest);
    }
}

/// What waited for its time was not told after all.
pub fn forget(draft: &mut Draft<'_>, waited: &[Kept]) {
    for news in waited.iter().filter_map(|kept| kept.event.news.as_deref()) {
        let hash = news.topic.hash();
        if draft.state.told.get(&hash).is_some_and(|known| known.conversation.is_none()) {
            draft.state.told.remove(&hash);
            draft.changed();
        }
    }
}

fn tell(draft: &mut Draft<'_>, id: EventId, news: &News, no: No) {
    draft.out.verdicts.push(judged(id, &news.playbook, no, None));
}
