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
    let playbook = catalog.playbooks.get(&news.playbook).cloned();
    let Some((playbook, trigger)) = playbook.and_then(|playbook| {
        let trigger = topic_of(&playbook).map(|(trigger, _)| trigger.id.clone())?;
        Some((playbook, trigger))
    }) else {
        return tell(draft, id, news, no(Verdict::NotMatched, "the playbook no longer has this topic"));
    };
    let known = draft.state.told.get(&news.topic.hash()).copied();
    if known.is_some_and(|known| known.revision >= news.revision) {
        return tell(draft, id, news, no(Verdict::Dropped, "it was told already"));
    }
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
    let known = known.filter(|known| known.begun == news.begun);
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
                        Some(Phase::Preparing(_) | Phase::Waiting) if stage == Stage::Revoked => {
                            closing::withdraw(draft, conversation, "it was taken back");
                            tell(draft, id, news, no(Verdict::Withdrawn, "taken back before this customer saw it"));
                        }
                        Some(Phase::Preparing(_)) if stage == Stage::Ended => {
                            closing::withdraw(draft, conversation, "its topic ended");
                            tell(draft, id, news, no(Verdict::Withdrawn, "it ended before this customer was told"));
                        }
                        Some(phase) if !phase.is_closed() => go_on(draft, conversation, event, id, stage),
                        _ if stage == Stage::Begun => {
                            tell(draft, id, news, no(Verdict::Dropped, "this customer was told of it before"));
                        }
                        _ if stage == Stage::Revoked => {
                            tell(draft, id, news, no(Verdict::NotMatched, "the conversation about it is over"));
                        }
                        _ => drop(speak(draft, catalog, matched)),
                    }
                }
            }
        }
    }
}

/// The conversation is there: the event is added, and what the playbook says to it.
fn go_on(draft: &mut Draft<'_>, conversation: ConversationId, event: &Event, id: EventId, stage: Stage) {
    // What is said to it is said below: the assistant need not be asked.
    join(draft, conversation, event, id, Joining::NextTurn);
    let playbook = draft.conversation(conversation).map(|c: &Conversation| c.playbook.clone()).unwrap_or_default();
    verdict(draft, id, &playbook, Verdict::Joined, conversation);
    if stage != Stage::Begun {
        opening::say_news(draft, conversation, event, stage);
    }
}

/// The opening waits for its time, for quiet hours or a burst to end: it will know of what is new; it is taken back by an end
/// and by who revokes it.
fn waits(draft: &mut Draft<'_>, event: &Event, id: EventId, news: &News) {
    let of_topic = |event: &Event| event.news.as_ref().is_some_and(|other| other.topic == news.topic);
    let place = draft.state.wakes.iter().position(|wake| wake.events.iter().any(|kept| of_topic(&kept.event)));
    draft.changed();
    let Some(place) = place else {
        return tell(draft, id, news, No::of(Verdict::NotMatched, "this customer was not told of its beginning"));
    };
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
        let (gone, others) = std::mem::take(&mut wake.events).into_iter().partition(|kept| of_topic(&kept.event));
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

/// Notes what became of telling: a customer who was told hears what comes later, one who was refused does not.
pub fn remember(draft: &mut Draft<'_>, matched: &Matched, told: bool, conversation: Option<ConversationId>) {
    // What waited for the same time may be of several topics.
    for news in matched.events.iter().filter_map(|kept| kept.event.news.as_deref()) {
        let hash = news.topic.hash();
        if told {
            draft.changed();
            draft.state.told.insert(hash, Known { begun: news.begun, revision: news.revision, conversation });
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

fn tell(draft: &mut Draft<'_>, id: EventId, news: &News, no: No) {
    draft.out.verdicts.push(judged(id, &news.playbook, no, None));
}
