//! From what playbooks sense of an event, or of what waited, to openings, joins, withdrawals and verdicts.
//!
//! Not here: conditions and restraint themselves (`trigger`), how an opening is said (`dialogue::opening`).

use std::cmp::Reverse;
use std::sync::Arc;

use super::news::{self, Telling};
use crate::dialogue::draft::Draft;
use crate::dialogue::opening::{Cause, NoOpening};
use crate::dialogue::{closing, opening, timers, turn};
use crate::model::catalog::{Catalog, Playbook};
use crate::model::conversation::{Missing, Phase};
use crate::model::customer::{MAX_ENTRIES, MAX_STATE, RefusalCode, State};
use crate::model::decision::{Effect, Judged, Reply};
use crate::model::entry::{By, Kind, OutcomeKind, Verdict};
use crate::model::event::Event;
use crate::model::ids::{ActorId, ConversationId, EventId};
use crate::model::memory::Wake;
use crate::model::restraint::Joining;
use crate::model::scope::{Scope, customer_value, event_value};
use crate::model::time::Ms;
use crate::model::topic::Heard;
use crate::trigger::absence::Ended;
use crate::trigger::burst;
use crate::trigger::restrain::{Judgement, open_key, restrain, same_key};
use crate::trigger::sense::{Matched, No, Sensed, Step, sense};
use crate::trigger::wake;

/// Stands for all playbooks that are only counted; no playbook can have this name.
const OTHERS: &str = "*";

/// Fires what is due strictly before `until`; with `inclusive` (a tick) also what is due at it. In order of due time;
/// of one moment, what waits comes before timers of conversations.
pub fn fire(draft: &mut Draft<'_>, until: Ms, inclusive: bool) {
    let catalog = draft.catalogs.current().cloned();
    while let Some((catalog, (place, at))) = catalog.as_ref().and_then(|c| Some((c, next_wake(&draft.state, c)?))) {
        if at > until || (at == until && !inclusive) {
            break;
        }
        timers::fire(draft, at, false);
        draft.now = at;
        let due = draft.state.wakes.remove(place);
        draft.changed();
        let actor = draft.actor.clone();
        match wake::wake(catalog, &actor, &mut draft.state, due.clone(), at) {
            None => {}
            Some((ids, Sensed::No(no))) => {
                tell(draft, &ids, &due.playbook, &no);
                // Who was to be told when its time came was not.
                news::forget(draft, &due.events);
            }
            Some((_, Sensed::Matched(matched))) => {
                speak(draft, catalog, matched);
            }
        }
    }
    timers::fire(draft, until, inclusive);
}

/// The place among what waits of what goes first, and when it is due: of several at once, as where quiet hours held them,
/// the one of the highest priority, then the one that began first.
fn next_wake(state: &State, catalog: &Catalog) -> Option<(usize, Ms)> {
    let due = state.wakes.iter().map(|wake| wake.due).min()?;
    let priority = |wake: &Wake| priority_of(catalog.playbooks.get(&wake.playbook).map(|playbook| &**playbook));
    let at_once = state.wakes.iter().enumerate().filter(|(_, wake)| wake.due == due);
    let (place, _) = at_once.min_by_key(|(place, wake)| (Reverse(priority(wake)), *place))?;
    Some((place, due))
}

/// Whose turn comes first: a playbook without a priority comes after those that have one.
fn priority_of(playbook: Option<&Playbook>) -> i64 {
    playbook.and_then(|playbook| playbook.restraint.priority).unwrap_or(i64::MIN)
}

/// An event came: every playbook that hears it says what it makes of it. Those of higher priority speak first.
pub fn event_came(draft: &mut Draft<'_>, catalog: &Arc<Catalog>, event: &Event, id: EventId) {
    let actor = draft.actor.clone();
    let findings = sense(catalog, Some(&actor), &mut draft.state, event, id, draft.now);
    if findings.remembered {
        draft.changed();
        // What conversations need comes first.
        while draft.state.encode().len() > MAX_STATE && draft.state.memories.forget_oldest() {}
    }
    let now = draft.now;
    draft.out.effects.extend(findings.forwards.into_iter().map(|item| forwarded(item, now)));
    draft.out.follows.extend(findings.follows);
    for (playbook, replaced) in findings.replaced {
        let no = No::of(Verdict::NotMatched, "a later event began the wait anew");
        draft.out.verdicts.push(judged(replaced, &playbook, no, None));
    }
    for (playbook, begun, no) in findings.begun {
        draft.out.verdicts.push(judged(begun, &playbook, no, None));
    }
    for ended in findings.ended {
        take_back(draft, ended, event, id);
    }
    if event.only.is_some() && findings.sensed.is_empty() {
        draft.refuse(None, None, RefusalCode::UnknownPlaybook);
    }
    if findings.passed_over > 0 {
        let reason = "more playbooks hear this type, and no field of the event can fire one of them";
        let no = No::with(Verdict::NotMatched, reason, serde_json::json!({ "playbooks": findings.passed_over }));
        draft.out.verdicts.push(judged(id, OTHERS, no, None));
    }
    let mut sensed = findings.sensed;
    // Stable: of equal priority in order of name, as they came.
    sensed.sort_by_key(|(playbook, _)| Reverse(priority_of(Some(playbook))));
    let mut spoke: Option<(i64, String)> = None;
    for (playbook, sensed) in sensed {
        let priority = playbook.restraint.priority;
        match (sensed, &spoke, priority) {
            (Sensed::No(no), _, _) => draft.out.verdicts.push(judged(id, &playbook.name, no, None)),
            (Sensed::Matched(_), Some((higher, by)), Some(own)) if *higher > own => {
                let reason = format!("`{by}` has priority {higher}, this one {own}");
                draft.out.verdicts.push(judged(id, &playbook.name, No::of(Verdict::Outranked, reason), None));
            }
            (Sensed::Matched(matched), _, _) => {
                let name = playbook.name.clone();
                if speak(draft, catalog, matched)
                    && let (Some(priority), None) = (priority, &spoke)
                {
                    spoke = Some((priority, name));
                }
            }
        }
    }
}

/// An event on its way to a topic.
pub fn forwarded((to, heard): (ActorId, Heard), at: Ms) -> Effect {
    Effect::Forward { to, heard: Box::new(heard), at }
}

/// Lets a match through to an opening, a conversation that is there, or a wait; or says what holds it back. Answers
/// whether it speaks, now or when its wait is over.
pub fn speak(draft: &mut Draft<'_>, catalog: &Arc<Catalog>, matched: Matched) -> bool {
    let playbook = Arc::clone(&matched.playbook);
    let (ids, actor, now) = (matched.ids(), draft.actor.clone(), draft.now);
    let by_hand = matched.event().is_some_and(|event| event.only.is_some());
    if let Some(no) = gathers(draft, &matched) {
        let speaks = no.verdict == Verdict::Pending;
        tell(draft, &ids, &playbook.name, &no);
        news::remember(draft, &matched, told(speaks));
        return speaks;
    }
    match restrain(draft.catalogs, catalog, &actor, &draft.state, &matched, now) {
        Judgement::No(no) => {
            if by_hand {
                refuse(draft, no.verdict);
            }
            tell(draft, &ids, &playbook.name, &no);
            news::remember(draft, &matched, Telling::Refused);
            false
        }
        Judgement::Join(conversation) => {
            let joining = playbook.restraint.joining;
            let mut joined = false;
            for kept in &matched.events {
                joined |= join(draft, conversation, &kept.event, kept.id, joining);
            }
            if joined {
                hear(draft, conversation, joining);
            }
            for id in ids {
                verdict(draft, id, &playbook.name, Verdict::Joined, conversation);
            }
            missing_since(draft, conversation, &matched);
            news::remember(draft, &matched, Telling::Joined(conversation));
            if by_hand {
                draft.answer(None, Some(conversation), Reply::Existing);
            }
            true
        }
        Judgement::Hold(until, no) => {
            let key = key_of(draft, &matched).unwrap_or_default();
            draft.changed();
            let no = burst::hold(&mut draft.state, matched.clone(), &key, until, now, no);
            tell(draft, &ids, &playbook.name, &no);
            let holds = no.verdict == Verdict::Quiet;
            news::remember(draft, &matched, told(holds));
            holds
        }
        Judgement::Open(key, ends) => {
            for id in ends {
                end(draft, id);
            }
            open(draft, catalog, &matched, key, by_hand)
        }
    }
}

/// What becomes of telling where a match waits for its time, or has no room to.
fn told(waits: bool) -> Telling {
    if waits { Telling::Waits } else { Telling::Refused }
}

/// Where a playbook waits for bursts to end, a match of a key that nothing is open under waits.
fn gathers(draft: &mut Draft<'_>, matched: &Matched) -> Option<No> {
    let debounce = matched.playbook.restraint.debounce.filter(|_| matched.step == Step::Fresh)?;
    if matched.event().is_none_or(|event| event.only.is_some()) {
        return None;
    }
    let key = key_of(draft, matched)?;
    if same_key(&draft.state, &matched.playbook, &key).is_some() {
        return None;
    }
    let now = draft.now;
    draft.changed();
    Some(burst::gather(&mut draft.state, matched.clone(), &key, debounce, now))
}

fn key_of(draft: &Draft<'_>, matched: &Matched) -> Option<String> {
    let mut scope = Scope::new();
    scope.bind("event", event_value(matched.event()?));
    scope.bind("customer", customer_value(&draft.actor, draft.state.traits_object()));
    open_key(&matched.playbook, &scope).ok()
}

fn open(draft: &mut Draft<'_>, catalog: &Arc<Catalog>, matched: &Matched, key: String, by_hand: bool) -> bool {
    let playbook = &matched.playbook;
    let Some((last, before)) = matched.events.split_last() else { return false };
    let missing = matched.missing_since.map(|since| Missing {
        trigger: matched.trigger.clone(),
        key: matched.key.clone(),
        since,
    });
    match opening::begin(draft, catalog, playbook, key, Cause { event: last, before, missing }) {
        Ok(conversation) => {
            let failed = draft.conversation(conversation).is_none_or(|c| c.phase.is_closed());
            for id in before.iter().map(|kept| kept.id).chain(matched.rest.iter().copied()) {
                verdict(draft, id, &playbook.name, Verdict::Joined, conversation);
            }
            if !failed {
                verdict(draft, last.id, &playbook.name, Verdict::Waiting, conversation);
            }
            let told = if failed { Telling::Refused } else { Telling::Opened(conversation) };
            news::remember(draft, matched, told);
            if by_hand {
                let seq = draft.conversation(conversation).map_or(0, |c| c.seq);
                draft.answer(None, Some(conversation), Reply::Done { seq });
            }
            !failed
        }
        Err(problem) => {
            let no = match problem {
                NoOpening::Full => No::of(Verdict::Limited, "full"),
                NoOpening::Failed(problem) => No::of(Verdict::Failed, problem),
            };
            if by_hand {
                refuse(draft, no.verdict);
            }
            tell(draft, &matched.ids(), &playbook.name, &no);
            news::remember(draft, matched, Telling::Refused);
            false
        }
    }
}

/// What was missing came: what waited is over, an unseen opening is withdrawn, an open conversation is told.
fn take_back(draft: &mut Draft<'_>, ended: Ended, event: &Event, id: EventId) {
    let reason = format!("{} came", event.kind);
    for wake in ended.wakes {
        tell(draft, &wake.ids(), &wake.playbook, &No::of(Verdict::Withdrawn, reason.clone()));
    }
    for conversation in ended.conversations {
        let joining = draft.playbook(conversation).map(|(_, playbook)| playbook.restraint.joining).unwrap_or_default();
        if join(draft, conversation, event, id, joining) {
            hear(draft, conversation, joining);
        }
        let unseen =
            draft.conversation(conversation).is_some_and(|c| matches!(c.phase, Phase::Waiting | Phase::Preparing(_)));
        if unseen {
            closing::withdraw(draft, conversation, &reason);
        }
    }
}

/// A conversation is there for something that did not come, and again it did not: only what comes after both takes it
/// back.
fn missing_since(draft: &mut Draft<'_>, id: ConversationId, matched: &Matched) {
    let Some(since) = matched.missing_since else { return };
    if let Some(conversation) = draft.edit(id)
        && let Some(missing) = &mut conversation.missing
        && (&missing.trigger, &missing.key) == (&matched.trigger, &matched.key)
    {
        missing.since = missing.since.max(since);
    }
}

/// A conversation makes room for a new one of its playbook.
fn end(draft: &mut Draft<'_>, id: ConversationId) {
    closing::expire(draft, id, "a newer one took its place");
    closing::close(draft, id, OutcomeKind::Resolved);
}

/// The customer took a choice: where it means "not now", the playbook is silent for a while.
pub fn chose(draft: &mut Draft<'_>, id: ConversationId, choice: &str) {
    let done = draft.out.answers.iter().any(|answer| matches!(answer.reply, Reply::Done { .. }));
    let Some((_, playbook)) = draft.playbook(id).filter(|_| done) else { return };
    if let Some(cooldown) = &playbook.restraint.cooldown
        && cooldown.after.iter().any(|after| after == choice)
    {
        let until = draft.now.plus(cooldown.length);
        draft.state.cooldowns.insert(playbook.name.clone(), until);
        draft.changed();
    }
}

/// A further match of an open key: the event is added, and the next turn sees it unless it is kept from the assistant. A
/// full log takes no more of them: false.
pub fn join(draft: &mut Draft<'_>, conversation: ConversationId, event: &Event, id: EventId, joining: Joining) -> bool {
    let full = draft.conversation(conversation).is_none_or(|c| c.n + 200 >= MAX_ENTRIES);
    if !full {
        let silent = joining == Joining::Silently;
        let kind = Kind::Event { event: id, envelope: Box::new(event.clone()), silent };
        draft.entry(conversation, By::System, kind);
    }
    !full
}

/// The assistant is told of what joined, where the playbook says that it is told at once.
fn hear(draft: &mut Draft<'_>, conversation: ConversationId, joining: Joining) {
    if joining == Joining::Now {
        turn::hear(draft, conversation);
    }
}

fn refuse(draft: &mut Draft<'_>, verdict: Verdict) {
    let code = match verdict {
        Verdict::Paused => RefusalCode::Paused,
        Verdict::Limited => RefusalCode::Full,
        _ => RefusalCode::Failed,
    };
    draft.refuse(None, None, code);
}

/// Says the same of all events that waited together.
fn tell(draft: &mut Draft<'_>, events: &[EventId], playbook: &str, no: &No) {
    for id in events {
        draft.out.verdicts.push(judged(*id, playbook, no.clone(), None));
    }
}

pub fn verdict(draft: &mut Draft<'_>, event: EventId, playbook: &str, verdict: Verdict, conversation: ConversationId) {
    let no = No { verdict, reason: None, condition: None, values: serde_json::Map::new() };
    draft.out.verdicts.push(judged(event, playbook, no, Some(conversation)));
}

/// A verdict as it is recorded.
pub fn judged(event: EventId, playbook: &str, no: No, conversation: Option<ConversationId>) -> Judged {
    let No { verdict, reason, condition, values } = no;
    Judged { event, playbook: playbook.to_owned(), verdict, reason, condition, values, conversation }
}
