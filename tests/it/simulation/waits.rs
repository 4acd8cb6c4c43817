//! What the oracle knows of conditions over time: every event has one verdict of each playbook that hears it, what is
//! pending waits and what waits is pending, and waits for an absence end as an obvious model of them says.

use std::collections::{BTreeMap, BTreeSet};

use beckon::model::customer::State;
use beckon::model::entry::Verdict;
use beckon::model::event::{Event, Trust};
use beckon::model::ids::{ActorId, EventId};
use beckon::model::input::Body;
use beckon::model::time::Ms;

use super::oracle::{Inputs, Line};
use super::store::SimStore;
use super::workspace::{SILENCE, hearing};

/// What a playbook makes of an event.
type Pair = (EventId, String);

/// Finds what is wrong with waits and verdicts when everything came to its end.
pub fn judge_at_rest(store: &SimStore, lines: &[Line], inputs: &Inputs, wrong: &mut Vec<String>) {
    let mut verdicts: BTreeMap<Pair, Verdict> = BTreeMap::new();
    let mut heard: BTreeMap<EventId, Heard> = BTreeMap::new();
    let mut customers: BTreeMap<ActorId, Customer> = BTreeMap::new();
    for (partition, _, line) in lines {
        let Some(envelope) = inputs.get(&(*partition, line.pos)) else { continue };
        if line.dead {
            continue;
        }
        for judged in &line.verdicts {
            verdicts.insert((judged.event, judged.playbook.clone()), judged.verdict);
        }
        let id = EventId { partition: *partition, pos: line.pos };
        // Where the first catalog went to dead letters, nothing is in force until it is announced again.
        if let Body::Event(event) = &envelope.body
            && line.revision > 0
        {
            heard.insert(id, Heard { event: (**event).clone(), actor: line.actor.clone(), erased: false });
        }
        let Some(actor) = &line.actor else { continue };
        if line.erased {
            customers.remove(actor);
            heard
                .values_mut()
                .filter(|heard| heard.actor.as_ref() == Some(actor))
                .for_each(|heard| heard.erased = true);
            continue;
        }
        let customer = customers.entry(actor.clone()).or_default();
        customer.fire(line.pos.time());
        if let Body::Event(event) = &envelope.body {
            let begins = verdicts.get(&(id, SILENCE.to_owned())) != Some(&Verdict::Limited);
            customer.event(id, event, line.pos.time(), begins);
        }
    }
    for customer in customers.values_mut() {
        customer.fire(Ms(store.time().0 + 1));
    }
    every_pair_has_a_verdict(&heard, &verdicts, wrong);
    pending_is_what_waits(store, &heard, &verdicts, wrong);
    for customer in customers.values() {
        customer.compare(&verdicts, wrong);
    }
}

struct Heard {
    event: Event,
    actor: Option<ActorId>,
    erased: bool,
}

/// Promise 5: nothing that came in is without an answer.
fn every_pair_has_a_verdict(
    heard: &BTreeMap<EventId, Heard>,
    verdicts: &BTreeMap<Pair, Verdict>,
    wrong: &mut Vec<String>,
) {
    for (id, heard) in heard {
        let of = |playbook: &str| verdicts.contains_key(&(*id, playbook.to_owned()));
        match &heard.event.only {
            Some(only) if !of(only) => wrong.push(format!("{id} has no verdict of {only}")),
            Some(_) => {}
            None => {
                for playbook in hearing(&heard.event.kind).iter().filter(|playbook| !of(playbook)) {
                    wrong.push(format!("{id} ({}) has no verdict of {playbook}", heard.event.kind));
                }
            }
        }
    }
}

fn pending_is_what_waits(
    store: &SimStore,
    heard: &BTreeMap<EventId, Heard>,
    verdicts: &BTreeMap<Pair, Verdict>,
    wrong: &mut Vec<String>,
) {
    let mut waiting: BTreeSet<Pair> = BTreeSet::new();
    store.look(|memory| {
        for (actor, state) in memory.parts.iter().flat_map(|part| &part.states) {
            if *actor == ActorId::of_partition() || actor.is_page() {
                continue;
            }
            let state = State::decode(state).expect("a state is readable");
            waiting.extend(state.wakes.iter().flat_map(|wake| {
                let playbook = wake.playbook.clone();
                wake.ids().into_iter().map(move |id| (id, playbook.clone()))
            }));
        }
    });
    let erased = |id: &EventId| heard.get(id).is_none_or(|heard| heard.erased);
    let pending = verdicts.iter().filter(|((id, _), verdict)| **verdict == Verdict::Pending && !erased(id));
    let pending: BTreeSet<Pair> = pending.map(|(pair, _)| pair.clone()).collect();
    for (id, playbook) in pending.difference(&waiting) {
        wrong.push(format!("{id} is pending for {playbook}, and nothing waits"));
    }
    for (id, playbook) in waiting.difference(&pending) {
        wrong.push(format!(
            "{id} waits for {playbook}, and its verdict is {:?}",
            verdicts.get(&(*id, playbook.clone()))
        ));
    }
}

/// A customer's waits by order, as a list of what happened in order of time makes them.
#[derive(Default)]
struct Customer {
    waits: BTreeMap<String, (EventId, Ms)>,
    came: BTreeMap<String, Ms>,
    ends: BTreeMap<EventId, End>,
}

/// How the wait that an event began has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Waits,
    Replaced,
    Ended,
    Fired,
    NeverBegan,
}

impl Customer {
    /// Waits that are due before now have come to their end.
    fn fire(&mut self, now: Ms) {
        let ends = &mut self.ends;
        self.waits.retain(|_, (id, due)| {
            let over = *due < now;
            if over {
                ends.insert(*id, End::Fired);
            }
            !over
        });
    }

    fn event(&mut self, id: EventId, event: &Event, now: Ms, begins: bool) {
        let kept = event.trust == Trust::Server && event.only.is_none() && event.expires.is_none_or(|at| at > now);
        let order = event.data["order_id"].to_string();
        match event.kind.as_str() {
            "checkout.payment_failed" if kept && begins => {
                let came = self.came.get(&order).is_some_and(|came| *came >= now);
                self.ends.insert(id, if came { End::NeverBegan } else { End::Waits });
                if !came {
                    // Due a millisecond after its end: what comes at the end still ends it.
                    let wait = (id, Ms(now.0 + 120_001));
                    if let Some((replaced, _)) = self.waits.insert(order, wait) {
                        self.ends.insert(replaced, End::Replaced);
                    }
                }
            }
            "checkout.payment_failed" => drop(self.ends.insert(id, End::NeverBegan)),
            "checkout.completed" if kept => {
                self.came.insert(order.clone(), now);
                if let Some((ended, _)) = self.waits.remove(&order) {
                    self.ends.insert(ended, End::Ended);
                }
            }
            _ => {}
        }
    }

    fn compare(&self, verdicts: &BTreeMap<Pair, Verdict>, wrong: &mut Vec<String>) {
        for (id, end) in &self.ends {
            let Some(verdict) = verdicts.get(&(*id, SILENCE.to_owned())) else { continue };
            let agrees = match end {
                End::Waits => *verdict == Verdict::Pending,
                End::Ended => *verdict == Verdict::Withdrawn,
                End::Replaced => *verdict == Verdict::NotMatched,
                End::NeverBegan => matches!(verdict, Verdict::NotMatched | Verdict::Limited),
                // What came after the end takes back an opening that nobody saw.
                End::Fired => !matches!(verdict, Verdict::Pending | Verdict::NotMatched),
            };
            if !agrees {
                wrong.push(format!("{id}: its wait ended as {end:?}, and its verdict is {verdict:?}"));
            }
        }
    }
}
