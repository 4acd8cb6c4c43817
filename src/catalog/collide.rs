//! Playbooks that always lose to another: wherever one of their triggers matches, the other playbook speaks first and keeps
//! them from opening. What is told is certain, as long as neither is paused.

use std::cmp::Reverse;

use super::Written;
use super::logic::{implies, parts, written as spelled};
use super::mistake::{File, Mistake};
use super::tags::tags;
use super::yaml::Node;
use crate::model::catalog::Playbook;
use crate::model::event::Trust;
use crate::model::pattern::{Moment, Trigger};
use crate::model::restraint::{Class, Consent, Contact, WhenOpen};

/// What keeps the second from opening where the first has spoken.
enum Loses {
    /// Its priority is lower than this.
    Outranked(i64),
    /// It leaves it to a conversation that is there, in this way.
    Leaves(&'static str),
}

/// The triggers of a playbook that never open it, for one of the others.
pub(super) fn losing<'a>(
    loser: &Written,
    all: &'a [Written],
    contact: &Contact,
    file: impl Fn(&'a str) -> File<'a>,
    own: File<'_>,
) -> Vec<Mistake> {
    let mut found = Vec::new();
    for (item, trigger) in loser.triggers() {
        let beats = |winner: &'a Written| {
            let why = loses(&winner.playbook, &loser.playbook, contact)?;
            let (first, _) =
                winner.triggers().find(|(_, first)| speaks_at(first, &winner.playbook, trigger, &loser.playbook))?;
            Some((winner, first, why))
        };
        let Some((winner, first, why)) = all.iter().find_map(beats) else { continue };
        let name = &winner.playbook.name;
        let there = Mistake::at(&winner.path, file(&winner.path).text, place(first).spot, "");
        let at = format!("`{name}` ({}:{}) holds wherever this does", there.file, there.line);
        let (message, help) = match why {
            Loses::Outranked(higher) => (
                format!("this never opens: {at}, and has a higher priority"),
                format!("give this one a `priority` of {higher} or more, or exclude in one of them what the other takes"),
            ),
            Loses::Leaves(word) => (
                format!("this never opens: {at} and is asked first, and `when_open: {word}` leaves it to that conversation"),
                "give this one a higher `priority`, another `when_open`, or exclude in one of them what the other takes"
                    .to_owned(),
            ),
        };
        found.push(Mistake::at(own.path, own.text, place(item).spot, message).suggest(Some(help)));
    }
    found
}

/// Where a trigger says what it is about.
fn place(item: &Node) -> &Node {
    let keys = ["when", "event", "count", "sum", "max", "first"];
    keys.into_iter().find_map(|key| item.get(key)).unwrap_or(item)
}

/// Why one playbook never opens at an event at which both match; none where it may.
fn loses(first: &Playbook, second: &Playbook, contact: &Contact) -> Option<Loses> {
    let rank = |playbook: &Playbook| Reverse(playbook.restraint.priority.unwrap_or(i64::MIN));
    let is_first = (rank(first), &first.name) < (rank(second), &second.name);
    // What waits for a burst to end is asked again when that other conversation may be over.
    if !is_first || second.restraint.debounce.is_some() || second.restraint.audience.shadow {
        return None;
    }
    let why = match (first.restraint.priority, second.restraint.priority, second.restraint.when_open) {
        (Some(higher), Some(own), _) if higher > own => Loses::Outranked(higher),
        (_, _, Some(WhenOpen::Drop)) => Loses::Leaves("drop"),
        (_, _, Some(WhenOpen::Join)) => Loses::Leaves("join"),
        _ => return None,
    };
    speaks(first, second, contact).then_some(why)
}

/// Whether a playbook that matches speaks: opens, or joins what is there. Where something may hold it back, that holds
/// the second back as well.
fn speaks(first: &Playbook, second: &Playbook, contact: &Contact) -> bool {
    let (own, other) = (&first.restraint, &second.restraint);
    let audience = &own.audience;
    let everybody = audience.rollout >= 10_000 && audience.holdout == 0 && !audience.shadow;
    let consents = own.consent.as_ref().is_none_or(|own| {
        let same = |other: &&Consent| other.topic == own.topic;
        other.consent.as_ref().filter(same).is_some_and(|other| other.required || !own.required)
    });
    let in_budget = own.class == Class::Critical
        || contact.budgets.iter().all(|(of, _)| match of {
            None => other.class != Class::Critical,
            Some(class) => *class != own.class || other.class == own.class,
        });
    let unlimited = first.limit.is_none() && own.cooldown.is_none() && own.quiet.is_none() && own.debounce.is_none();
    let drops = own.when_open == Some(WhenOpen::Drop);
    let stays_back = matches!(other.when_open, Some(WhenOpen::Drop | WhenOpen::Join));
    // A key that cannot be made of an event, and words that lack a name, open nothing.
    let has_key = first
        .open
        .key
        .as_ref()
        .is_none_or(|own| spelled(own).is_some_and(|own| second.open.key.as_ref().and_then(spelled) == Some(own)));
    let is_sayable = first.open.say.last().is_some_and(|say| tags(&say.source).is_empty());
    everybody && consents && in_budget && unlimited && (!drops || stays_back) && has_key && is_sayable
}

/// Whether a trigger of the first matches, and its customer is meant, wherever this one of the second does and is.
fn speaks_at(trigger: &Trigger, first: &Playbook, of_second: &Trigger, second: &Playbook) -> bool {
    let event = match &of_second.moment {
        Moment::Event(event) => event,
        Moment::Measured => match of_second.measures.first() {
            Some(measure) => &measure.of.event,
            None => return false,
        },
        Moment::Sequence(_) | Moment::Absence(_) | Moment::Change(_) | Moment::Topic(_) => return false,
    };
    let heard = matches!(&trigger.moment, Moment::Event(own) if own == event) && trigger.is_plain();
    let trusted = trigger.trust == Trust::Client || of_second.trust == Trust::Server;
    let asked = |trigger: &Trigger, playbook: &Playbook| {
        [parts(trigger.when.as_ref()), parts(playbook.restraint.audience.condition.as_ref())].concat()
    };
    heard && trusted && implies(&asked(of_second, second), &asked(trigger, first))
}
