//! What waited and is due: the condition is asked again, and what still holds is a match.

use std::sync::Arc;

use super::change;
use super::sense::{Matched, No, Sensed, Step, ask, holds_at, lateness_of};
use crate::model::catalog::{Catalog, Playbook};
use crate::model::customer::State;
use crate::model::entry::Verdict;
use crate::model::ids::{ActorId, EventId};
use crate::model::memory::{Memory, Waiting, Wake};
use crate::model::pattern::{Moment, Trigger};
use crate::model::scope::{Scope, customer_value, event_value};
use crate::model::time::Ms;

/// What has become of something that waited. None where its events keep the verdict they have: a period like others.
pub fn wake(
    catalog: &Catalog,
    actor: &ActorId,
    state: &mut State,
    wake: Wake,
    now: Ms,
) -> Option<(Vec<EventId>, Sensed)> {
    let playbook = catalog.playbooks.get(&wake.playbook);
    let trigger = playbook.and_then(|playbook| playbook.on.iter().find(|trigger| trigger.id == wake.trigger));
    let (Some(playbook), Some(trigger)) = (playbook, trigger) else {
        state.memories.forget(&wake.trigger, &wake.key);
        let no = No::of(Verdict::Withdrawn, "the playbook no longer has this trigger");
        return Some((wake.ids(), Sensed::No(no)));
    };
    if wake.what == Waiting::Period {
        return period(catalog, playbook, trigger, state, wake);
    }
    let ids = wake.ids();
    let sensed = match again(actor, state, trigger, &wake, now) {
        Ok(()) => Sensed::Matched(matched(playbook, trigger, wake)),
        Err(no) => Sensed::No(no),
    };
    Some((ids, sensed))
}

/// Expiry, `when`, and for an absence what must hold beside it, by what is known of the customer now.
fn again(actor: &ActorId, state: &State, trigger: &Trigger, wake: &Wake, now: Ms) -> Result<(), No> {
    let Some(event) = wake.events.last().map(|kept| &kept.event) else {
        return Err(No::of(Verdict::Failed, "its event is gone"));
    };
    if event.expires.is_some_and(|expires| expires <= now) {
        return Err(No::of(Verdict::NotMatched, "expired"));
    }
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    scope.bind("customer", customer_value(actor, state.traits_object()));
    ask(&scope, trigger.when.as_ref())?;
    if let (Waiting::Absence, Moment::Absence(absence)) = (wake.what, &trigger.moment) {
        for measure in &trigger.measures {
            holds_at(state, &scope, measure, wake.since.plus(absence.within))?;
        }
    }
    Ok(())
}

fn matched(playbook: &Arc<Playbook>, trigger: &Trigger, wake: Wake) -> Matched {
    let missing = matches!(trigger.moment, Moment::Absence(_)).then_some(wake.since);
    Matched {
        playbook: Arc::clone(playbook),
        trigger: wake.trigger,
        key: wake.key,
        missing_since: missing,
        events: wake.events,
        rest: wake.rest,
        step: match wake.what {
            Waiting::Absence | Waiting::Period => Step::Fresh,
            Waiting::Burst => Step::Gathered,
            Waiting::Quiet => Step::Released,
        },
    }
}

/// A period has ended, and its late events have had their time.
fn period(
    catalog: &Catalog,
    playbook: &Arc<Playbook>,
    trigger: &Trigger,
    state: &mut State,
    wake: Wake,
) -> Option<(Vec<EventId>, Sensed)> {
    let Moment::Change(asked) = &trigger.moment else { return None };
    let event = &wake.events.last()?.event;
    let lateness = lateness_of(catalog, trigger, event);
    let end = Ms(wake.due.0.saturating_sub(lateness.0));
    let memory: Memory = state.memories.get(&wake.trigger, &wake.key)?.clone();
    let seen = change::look(asked, &memory, end);
    let news = seen.changed && !change::was_told(&memory);
    match change::keep(asked, memory, end, seen.changed) {
        Some(kept) => {
            state.memories.put(&wake.trigger, &wake.key, kept, wake.due);
            state.wakes.push(Wake { due: wake.due.plus(asked.per), ..wake.clone() });
        }
        None => state.memories.forget(&wake.trigger, &wake.key),
    }
    if !news {
        return None;
    }
    let ids = wake.ids();
    Some((ids, Sensed::Matched(matched(playbook, trigger, wake))))
}
