//! Deciding: from the customer's state, one input and the catalogs to what changes. Pure and total.

use serde_json::Map;

use super::{matching, news};
use crate::dialogue::draft::Draft;
use crate::dialogue::turn::StepOf;
use crate::dialogue::{calls, customer_acts, goal, handoff, operator_acts, room, turn};
use crate::model::catalog::Catalogs;
use crate::model::customer::{RefusalCode, State, Trait};
use crate::model::decision::{Answer, Change, Decision, Reply};
use crate::model::event::{Event, Trust};
use crate::model::ids::{EventId, Pos};
use crate::model::input::{Body, Input, To};
use crate::model::topic::Revoke;
use crate::trigger::sense::{Sensed, sense};
use crate::trigger::topic::{self, forward, revoking};

/// The most traits and links of a customer.
const MAX_TRAITS: usize = 200;

/// Decides one input. The same values give the same decision, always.
pub fn decide(state: State, input: &Input, catalogs: &Catalogs) -> Decision {
    let To::Actor(actor) = &input.to else { return nobody(state, input, catalogs) };
    if actor.is_topic() {
        return topic::decide(state, actor, input, catalogs);
    }
    if matches!(input.body, Body::Erase) {
        return erase(state, input.pos);
    }
    let mut draft = Draft::new(catalogs, actor.clone(), input.partition, input.pos, state);
    matching::fire(&mut draft, input.time(), matches!(input.body, Body::Tick));
    apply(&mut draft, input);
    // Asked after each input, whatever it was about.
    for id in draft.touched() {
        handoff::consider(&mut draft, id, "", "");
    }
    draft.finish()
}

fn apply(draft: &mut Draft<'_>, input: &Input) {
    match &input.body {
        Body::Event(event) => event_came(draft, event, input.id()),
        Body::Identify { traits, trust } => learn(draft, traits, *trust),
        Body::Said { conversation, playbook, client_id, text, attachments } => {
            let meant = match conversation {
                Some(id) => customer_acts::Meant::Conversation(*id),
                None => customer_acts::Meant::First(playbook.as_deref()),
            };
            customer_acts::said(draft, meant, client_id, text, attachments);
        }
        Body::Chose { conversation, client_id, choice } => {
            customer_acts::chose(draft, *conversation, client_id, choice);
            matching::chose(draft, *conversation, choice);
        }
        Body::Confirmed { conversation, client_id, call, approve } => {
            customer_acts::confirmed(draft, *conversation, client_id, *call, *approve);
        }
        Body::Seen { conversation, seq } => customer_acts::seen(draft, *conversation, *seq),
        Body::Rated { conversation, client_id, score, comment } => {
            customer_acts::rated(draft, *conversation, client_id, *score, comment.as_deref());
        }
        Body::Helped { conversation, client_id, seq, helped } => {
            customer_acts::helped(draft, *conversation, client_id, *seq, *helped);
        }
        Body::Stopped { conversation, client_id } => customer_acts::stopped(draft, *conversation, client_id),
        Body::Closed { conversation, client_id } => customer_acts::closed(draft, *conversation, client_id),
        Body::Claim { conversation, operator, n } => operator_acts::claim(draft, *conversation, operator, *n),
        Body::Release { conversation, operator, note } => {
            operator_acts::release(draft, *conversation, operator, note.as_deref());
        }
        Body::Pass { conversation, operator, team, note } => {
            operator_acts::pass(draft, *conversation, operator, team.as_deref(), note.as_deref());
        }
        Body::OperatorSaid { conversation, operator, client_id, text } => {
            operator_acts::said(draft, *conversation, operator, client_id, text);
        }
        Body::Noted { conversation, operator, client_id, text } => {
            operator_acts::noted(draft, *conversation, operator, client_id, text);
        }
        Body::Triaged { conversation, operator, client_id, triage } => {
            operator_acts::triaged(draft, *conversation, operator, client_id, triage);
        }
        Body::OperatorClosed { conversation, operator } => operator_acts::closed(draft, *conversation, operator),
        Body::Settle { conversation, call, operator, state } => {
            operator_acts::settle(draft, *conversation, *call, operator, *state);
        }
        Body::Generated { conversation, turn, step, attempt, outcome, failures } => {
            let of = StepOf { turn: *turn, step: *step, attempt: *attempt };
            turn::generated(draft, *conversation, of, outcome, *failures);
        }
        Body::Called { conversation, call, outcome } => calls::called(draft, *conversation, *call, outcome),
        Body::Notified { key, .. } => draft.out.finished.push(key.clone()),
        Body::Withdraw { playbooks } => operator_acts::withdraw(draft, playbooks),
        // A tick's work was done by the timers; the others are not about one customer.
        Body::Tick | Body::Erase | Body::Catalog(_) => {}
        Body::Heard(_) | Body::Selected { .. } | Body::Told { .. } | Body::Forwarded { .. } => {}
    }
}

fn event_came(draft: &mut Draft<'_>, event: &Event, id: EventId) {
    if !event.traits.is_empty() {
        learn(draft, &event.traits, event.trust);
    }
    if let Some(link) = &event.link
        && draft.state.links.len() < MAX_TRAITS
        && !draft.state.links.contains(link)
        && room::for_link(&draft.state, link)
    {
        draft.state.links.insert(link.clone());
        draft.changed();
    }
    goal::reach(draft, event, id);
    let Some(catalog) = draft.catalogs.current().cloned() else {
        if event.only.is_some() {
            draft.refuse(None, None, RefusalCode::UnknownPlaybook);
        }
        return;
    };
    match &event.news {
        Some(news) => news::came(draft, &catalog, event, id, news),
        None => matching::event_came(draft, &catalog, event, id),
    }
}

/// What is known of the customer grows. A browser never overwrites what the server said.
fn learn(draft: &mut Draft<'_>, traits: &Map<String, serde_json::Value>, trust: Trust) {
    for (name, value) in traits {
        let known = draft.state.traits.get(name);
        let same = known.is_some_and(|known| known.value == *value && (known.trust == trust || trust == Trust::Client));
        let protected = trust == Trust::Client && known.is_some_and(|known| known.trust == Trust::Server);
        let few = known.is_some() || draft.state.traits.len() < MAX_TRAITS;
        if !same && !protected && few && room::for_trait(&draft.state, name, value) {
            draft.state.traits.insert(name.clone(), Trait { value: value.clone(), trust });
            draft.changed();
        }
    }
}

/// An event that concerns nobody in particular: topics get it, whoever else hears it says so.
fn nobody(state: State, input: &Input, catalogs: &Catalogs) -> Decision {
    let mut decision = Decision { state, ..Decision::default() };
    let event = match &input.body {
        Body::Event(event) => event,
        Body::Forwarded { keys } => {
            decision.finished.extend(keys.iter().cloned());
            return decision;
        }
        _ => return decision,
    };
    if let Some(revoke) = &event.revoke {
        return taken_back(decision, event, revoke, input);
    }
    let Some(catalog) = catalogs.current() else { return decision };
    let findings = sense(catalog, None, &mut decision.state, event, input.id(), input.time());
    for (playbook, sensed) in findings.sensed {
        if let Sensed::No(no) = sensed {
            decision.verdicts.push(matching::judged(input.id(), &playbook.name, no, None));
        }
    }
    decision.effects.extend(findings.forwards.into_iter().map(|item| matching::forwarded(item, input.time())));
    decision
}

/// An event that takes another back: the topics that tell that one get it.
fn taken_back(mut decision: Decision, event: &Event, revoke: &Revoke, input: &Input) -> Decision {
    for (playbook, key) in &revoke.topics {
        let no = match revoking::forward(event, input.id(), input.time(), playbook, key) {
            Ok((topic, heard)) => {
                let no = forward::forwarded_to(&topic);
                decision.effects.push(matching::forwarded((topic, heard), input.time()));
                no
            }
            Err(no) => no,
        };
        decision.verdicts.push(matching::judged(input.id(), playbook, no, None));
    }
    decision
}

/// Everything of the customer is forgotten; results of what is under way are counted only.
fn erase(state: State, pos: Pos) -> Decision {
    let told = Answer { pos, client_id: None, conversation: None, reply: Reply::Done { seq: 0 } };
    let mut decision = Decision { change: Change::Erase, answers: vec![told], ..Decision::default() };
    decision.retired.extend(state.conversations.into_keys());
    decision
}
