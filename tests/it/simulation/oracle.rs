//! The oracle: looks from outside, after a run, whether the promises were kept. It knows what senders were told, what the
//! store holds and what the other side counted; nothing of the engine but that deciding is a function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beckon::engine::decide::decide;
use beckon::model::catalog::Catalogs;
use beckon::model::customer::State;
use beckon::model::decision::{Answer, Change, JournalLine, Reply};
use beckon::model::ids::{ActorId, Partition, Pos};
use beckon::model::input::{Body, Envelope, InForce, Input, To};
use beckon::store::JournalId;

use super::outside::Api;
use super::people::{Everything, Told};
use super::store::SimStore;
use super::{logs, topics, waits, workspace};

/// How long an event's id is remembered.
pub const DEDUPE: u64 = 24 * 3_600_000;

/// Refusals that are remembered for frames sent again.
const REFUSALS: usize = 32;

/// A line of the journal with its place.
pub type Line = (Partition, JournalId, Arc<JournalLine>);

/// What was found wrong; nothing where every promise was kept. Some can only be asked of a world that is at rest.
pub fn judge(store: &SimStore, told: &Told, api: &Api, at_rest: bool) -> Vec<String> {
    let lines = store.lines();
    let told = told.everything();
    let inputs = inputs(store);
    let mut wrong = store.trace.wrongs();
    wrong.extend(api.wrong());
    decided_once(store, &lines, &inputs, &told, &mut wrong);
    journal_is_dense(&lines, &mut wrong);
    duplicates_got_the_first(&told, &mut wrong);
    answers_are_one_and_the_same(&lines, &inputs, &told, &mut wrong);
    deciding_again_gives_the_same(store, &lines, &inputs, &mut wrong);
    logs::judge(store, &lines, &inputs, &told, &mut wrong);
    topics::judge(&inputs, &mut wrong);
    if at_rest {
        logs::judge_at_rest(&lines, api, &mut wrong);
        waits::judge_at_rest(store, &lines, &inputs, &mut wrong);
        topics::judge_at_rest(&lines, &inputs, &mut wrong);
    }
    wrong.truncate(20);
    wrong
}

/// What still waits, for the story of a world that does not come to rest.
pub fn unfinished(store: &SimStore) -> String {
    store.look(|memory| {
        let part = |at: usize| {
            let part = &memory.parts[at];
            let last = part.inbox.last_key_value().map(|(pos, _)| *pos);
            let effects: Vec<_> = part.effects.iter().map(|(key, (_, _, started))| (key, started)).collect();
            format!("partition {at}: decided {} of {last:?}, effects {effects:?}", part.at)
        };
        (0..memory.parts.len()).map(part).collect::<Vec<_>>().join("\n")
    })
}

/// Inputs by place.
pub type Inputs = BTreeMap<(Partition, Pos), Envelope>;

fn inputs(store: &SimStore) -> Inputs {
    store.look(|memory| {
        (0_u16..)
            .zip(&memory.parts)
            .flat_map(|(at, part)| part.inbox.iter().map(move |(pos, payload)| ((Partition(at), *pos), payload)))
            .map(|(place, payload)| (place, serde_json::from_slice(payload).expect("an input is readable")))
            .collect()
    })
}

/// Promise 1: what was accepted is in the inbox, and each input has exactly one line, in order.
fn decided_once(store: &SimStore, lines: &[Line], inputs: &Inputs, told: &Everything, wrong: &mut Vec<String>) {
    for id in &told.accepted {
        if !inputs.contains_key(&(id.partition, id.pos)) {
            wrong.push(format!("{id} was accepted and is not in the inbox"));
        }
    }
    let mut last: BTreeMap<Partition, Pos> = BTreeMap::new();
    let mut decided = BTreeSet::new();
    for (partition, id, line) in lines {
        let before = last.insert(*partition, line.pos);
        if before.is_some_and(|before| before >= line.pos) {
            wrong.push(format!("{partition}: line {id:?} decides {} after {before:?}", line.pos));
        }
        decided.insert((*partition, line.pos));
        if line.dead {
            let tried = store
                .look(|memory| memory.parts[usize::from(partition.0)].tried.get(&line.pos).map_or(0, BTreeSet::len));
            if tried < 2 {
                wrong.push(format!("{partition}: {} is dead after {tried} owners tried it", line.pos));
            }
        }
    }
    for place in inputs.keys() {
        if !decided.contains(place) {
            wrong.push(format!("{}: {} was never decided", place.0, place.1));
        }
    }
    if decided.len() != lines.len() || decided.len() > inputs.len() {
        wrong.push(format!("{} lines for {} inputs", lines.len(), inputs.len()));
    }
}

/// Promise 4: epochs grow, and the lines of each are dense; the projector may count on it.
fn journal_is_dense(lines: &[Line], wrong: &mut Vec<String>) {
    let mut last: BTreeMap<Partition, JournalId> = BTreeMap::new();
    for (partition, id, _) in lines {
        let before = last.insert(*partition, *id).unwrap_or_default();
        let follows = (id.epoch == before.epoch && id.n == before.n + 1) || (id.epoch > before.epoch && id.n == 1);
        if !follows {
            wrong.push(format!("{partition}: journal line {id:?} follows {before:?}"));
        }
    }
}

/// Promise 2: the same event has one position, however often it was sent within the window.
fn duplicates_got_the_first(told: &Everything, wrong: &mut Vec<String>) {
    for (event, answers) in &told.events {
        let mut by_time = answers.clone();
        by_time.sort();
        for pair in by_time.windows(2) {
            let apart = pair[1].0.pos.ms - pair[0].0.pos.ms;
            if pair[0].0 != pair[1].0 && apart < DEDUPE {
                wrong.push(format!("{event:?} got {} and {}", pair[0].0, pair[1].0));
            }
            if pair[0].0 == pair[1].0 && pair[0].1 && pair[1].1 {
                wrong.push(format!("{event:?} was called new twice"));
            }
        }
    }
}

/// Who asks is answered once; a frame sent again gets the same answer, and who waited was told what the journal says.
fn answers_are_one_and_the_same(lines: &[Line], inputs: &Inputs, told: &Everything, wrong: &mut Vec<String>) {
    type Known = (Reply, usize, Option<beckon::model::ids::ConversationId>);
    let mut known: BTreeMap<ActorId, BTreeMap<String, Known>> = BTreeMap::new();
    let mut refused: BTreeMap<ActorId, usize> = BTreeMap::new();
    let mut all: Vec<&Answer> = Vec::new();
    for (partition, _, line) in lines {
        all.extend(&line.answers);
        let (Some(input), Some(actor)) = (inputs.get(&(*partition, line.pos)), &line.actor) else { continue };
        if line.dead {
            continue;
        }
        let expected = usize::from(asks(&input.body));
        if line.answers.len() != expected || line.answers.iter().any(|answer| answer.pos != line.pos) {
            wrong.push(format!("{partition}: {} has answers {:?}", line.pos, line.answers));
        }
        let known = known.entry(actor.clone()).or_default();
        let refused = refused.entry(actor.clone()).or_default();
        if line.erased {
            known.clear();
            *refused = 0;
            continue;
        }
        known.retain(|_, (_, _, conversation)| conversation.is_none_or(|id| !line.retired.contains(&id)));
        let (Some(client_id), Some(answer)) = (client_id(&input.body), line.answers.first()) else { continue };
        if matches!(answer.reply, Reply::Refused(_)) {
            // Of operators no refusal is remembered: the door answers them at once.
            if matches!(
                input.body,
                Body::OperatorSaid { .. } | Body::Noted { .. } | Body::Triaged { .. } | Body::Closed { .. }
            ) {
                continue;
            }
            *refused += 1;
        }
        let fresh = (answer.reply.clone(), *refused, answer.conversation.filter(|_| !is_refusal(&answer.reply)));
        match known.get(client_id) {
            None => {
                known.insert(client_id.to_owned(), fresh);
            }
            Some((reply, _, _)) if *reply == answer.reply => {}
            Some((Reply::Refused(_), at, _)) if *refused - at >= REFUSALS => {
                known.insert(client_id.to_owned(), fresh);
            }
            Some((reply, _, _)) => {
                wrong.push(format!("{actor} {client_id}: first {reply:?}, then {:?}", answer.reply));
            }
        }
    }
    for answer in &told.answers {
        if !all.contains(&answer) {
            wrong.push(format!("somebody was told {answer:?}, which no line says"));
        }
    }
}

fn is_refusal(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(_))
}

fn asks(body: &Body) -> bool {
    use Body::{Chose, Claim, Closed, Confirmed, Helped, Noted, OperatorClosed, OperatorSaid, Pass, Rated, Release};
    use Body::{Said, Settle, Stopped, Triaged};
    match body {
        Said { .. }
        | Chose { .. }
        | Confirmed { .. }
        | Rated { .. }
        | Helped { .. }
        | Stopped { .. }
        | Closed { .. } => true,
        Claim { .. }
        | Release { .. }
        | Pass { .. }
        | OperatorSaid { .. }
        | Noted { .. }
        | Triaged { .. }
        | OperatorClosed { .. }
        | Settle { .. }
        | Body::Erase => true,
        Body::Event(event) => event.only.is_some(),
        _ => false,
    }
}

fn client_id(body: &Body) -> Option<&str> {
    match body {
        Body::Said { client_id, .. }
        | Body::Chose { client_id, .. }
        | Body::Confirmed { client_id, .. }
        | Body::Rated { client_id, .. }
        | Body::Helped { client_id, .. }
        | Body::Stopped { client_id, .. }
        | Body::Noted { client_id, .. }
        | Body::Triaged { client_id, .. }
        | Body::Closed { client_id, .. }
        | Body::OperatorSaid { client_id, .. } => Some(client_id),
        _ => None,
    }
}

/// Deciding is pure: the recorded inputs, decided again from nothing, give the recorded lines and states, byte by byte.
fn deciding_again_gives_the_same(store: &SimStore, lines: &[Line], inputs: &Inputs, wrong: &mut Vec<String>) {
    let mut states: BTreeMap<ActorId, State> = BTreeMap::new();
    let mut catalogs: BTreeMap<Partition, Catalogs> = BTreeMap::new();
    let by_hash: BTreeMap<_, _> = workspace::VARIANTS
        .iter()
        .map(|variant| ((*variant).to_owned(), Arc::new(workspace::compile(&workspace::files(variant)).unwrap())))
        .collect();
    let mut pages: BTreeMap<ActorId, Vec<u8>> = BTreeMap::new();
    let mut settled = BTreeSet::new();
    let revisions: BTreeMap<u64, &InForce> = inputs
        .values()
        .filter_map(|envelope| match &envelope.body {
            Body::Catalog(in_force) => Some((in_force.revision, in_force)),
            _ => None,
        })
        .collect();
    let mut before: BTreeMap<Partition, (u64, Pos)> = BTreeMap::new();
    for (partition, id, line) in lines {
        let (epoch, last) = before.insert(*partition, (id.epoch, line.pos)).unwrap_or_default();
        if line.after != (epoch < id.epoch && epoch > 0).then_some(last) {
            wrong.push(format!("{partition}: {} says that it goes on after {:?}, not {last}", line.pos, line.after));
        }
        let Some(envelope) = inputs.get(&(*partition, line.pos)) else { continue };
        let catalogs =
            catalogs.entry(*partition).or_insert_with(|| Catalogs { by_hash: by_hash.clone(), ..Catalogs::default() });
        let first = revisions.get(&line.revision).filter(|_| !settled.contains(partition));
        let first = first.filter(|first| first.revision >= catalogs.in_force.revision);
        if let Some(first) = first
            && !matches!(&envelope.body, Body::Catalog(own) if own.revision >= line.revision)
        {
            // Before the first catalog's own position the one that was announced holds already.
            catalogs.in_force = (*first).clone();
        }
        if let Body::Catalog(in_force) = &envelope.body {
            // One that went to dead letters changes nothing; the next owner announces it again.
            if in_force.revision >= catalogs.in_force.revision && !line.dead {
                catalogs.in_force = in_force.clone();
                settled.insert(*partition);
            }
        }
        if line.revision != catalogs.in_force.revision {
            let (pos, known, now) = (line.pos, line.revision, catalogs.in_force.revision);
            wrong.push(format!("{partition}: {pos} was decided under revision {known} where {now} held"));
            return;
        }
        if line.dead || matches!(envelope.body, Body::Catalog(_)) {
            continue;
        }
        let input =
            Input { partition: *partition, pos: line.pos, to: envelope.to.clone(), body: envelope.body.clone() };
        let actor = match &input.to {
            To::Actor(actor) => Some(actor.clone()),
            To::Partition => None,
        };
        let before = actor.as_ref().and_then(|actor| states.get(actor)).cloned().unwrap_or_default();
        let traits_before = before.traits.clone();
        let decision = decide(before, &input, catalogs);
        for page in decision.pages {
            let name = ActorId::page_of(actor.as_ref().expect("only topics have pages"), page.begun, page.number);
            match page.customers {
                Some(customers) => drop(pages.insert(name, serde_json::to_vec(&customers).unwrap())),
                None => drop(pages.remove(&name)),
            }
        }
        let traits = (decision.state.traits != traits_before).then(|| decision.state.traits_object());
        let again = JournalLine {
            pos: line.pos,
            after: line.after,
            revision: line.revision,
            actor: actor.clone(),
            entries: decision.entries,
            verdicts: decision.verdicts,
            goals: decision.goals,
            answers: decision.answers,
            conversations: decision.conversations,
            traits,
            retired: decision.retired,
            follows: decision.follows,
            erased: decision.change == Change::Erase,
            dead: false,
        };
        let (then, now) = (serde_json::to_string(&**line).unwrap(), serde_json::to_string(&again).unwrap());
        if then != now {
            wrong.push(format!("{partition}: deciding {} again gives another line:\n{then}\n{now}", line.pos));
            return;
        }
        match (actor, decision.change) {
            (Some(actor), Change::Put) => drop(states.insert(actor, decision.state)),
            (Some(actor), Change::Forget) => drop(states.remove(&actor)),
            (Some(actor), Change::Erase) => drop(states.remove(&actor)),
            _ => {}
        }
    }
    store.look(|memory| {
        for (partition, part) in (0_u16..).zip(&memory.parts) {
            for (actor, stored) in part.states.iter().filter(|(actor, _)| **actor != ActorId::of_partition()) {
                let again = match actor.is_page() {
                    true => pages.remove(actor),
                    false => states.remove(actor).map(|state| state.encode()),
                };
                if again.as_ref() != Some(stored) {
                    let again = String::from_utf8_lossy(again.as_deref().unwrap_or_default()).into_owned();
                    let stored = String::from_utf8_lossy(stored);
                    wrong.push(format!("{partition}: {actor} is\n{stored}\nand deciding again gives\n{again}"));
                }
            }
        }
    });
    for actor in states.keys().chain(pages.keys()) {
        wrong.push(format!("the store has no state of {actor}"));
    }
}
