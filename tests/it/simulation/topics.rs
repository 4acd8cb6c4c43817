//! What the oracle knows of topics: nobody hears the same twice, whoever was to be told was, and nobody hears news of what
//! they were not told of.

use std::collections::{BTreeMap, BTreeSet};

use beckon::model::entry::Verdict;
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, EventId, Pos};
use beckon::model::input::{Body, Envelope, To};
use beckon::model::topic::Stage;

use super::oracle::{Inputs, Line};

/// News that came to customers' inboxes, by the event that was sent.
fn given(inputs: &Inputs) -> BTreeMap<EventId, Vec<(ActorId, &Event)>> {
    let mut given: BTreeMap<EventId, Vec<(ActorId, &Event)>> = BTreeMap::new();
    for envelope in inputs.values() {
        if let (To::Actor(actor), Body::Event(event)) = (&envelope.to, &envelope.body)
            && let Some(news) = &event.news
        {
            given.entry(news.origin).or_default().push((actor.clone(), event));
        }
    }
    given
}

/// At any time: an inbox has each revision of a topic once as long as its key is remembered (later the customer's state
/// knows it), and the list of customers never.
pub fn judge(inputs: &Inputs, wrong: &mut Vec<String>) {
    let mut last: BTreeMap<(&ActorId, &ActorId, Pos), u64> = BTreeMap::new();
    for ((_, pos), envelope) in inputs {
        let (To::Actor(customer), Body::Event(event)) = (&envelope.to, &envelope.body) else { continue };
        let Some(news) = &event.news else { continue };
        let before = last.insert((customer, &news.topic, news.revision), pos.ms);
        if before.is_some_and(|before| pos.ms - before < super::oracle::DEDUPE) {
            wrong.push(format!("{customer} got {} twice, at {}", news.origin, news.revision));
        }
        if event.data.get("customers").is_some() {
            wrong.push(format!("{customer} learns from {} of others", news.origin));
        }
    }
}

/// When everything came to its end: what was sent was told to all of them, or its verdict says why not; and news reach only
/// those who were told.
pub fn judge_at_rest(lines: &[Line], inputs: &Inputs, wrong: &mut Vec<String>) {
    let given = given(inputs);
    let mut verdicts: BTreeMap<EventId, (Verdict, String)> = BTreeMap::new();
    let mut dead = false;
    let mut spoken = BTreeMap::new();
    for (partition, _, line) in lines {
        let envelope = inputs.get(&(*partition, line.pos));
        // An opening that nobody saw has told nobody.
        let over =
            line.verdicts.iter().filter(|judged| matches!(judged.verdict, Verdict::Expired | Verdict::Withdrawn));
        let over: BTreeSet<_> = over.filter_map(|judged| judged.conversation).collect();
        spoken.retain(|_, conversation| !over.contains(conversation));
        // Also long after its key was forgotten: then the customer's state knows it.
        if let Some(Envelope { to: To::Actor(customer), body: Body::Event(event) }) = envelope
            && let Some(news) = &event.news
            && let Some(spoke) = line.verdicts.iter().find(|judged| {
                let own = judged.event.pos == line.pos && judged.playbook == news.playbook;
                own && matches!(judged.verdict, Verdict::Waiting | Verdict::Joined)
            })
            && let Some(conversation) = spoke.conversation
            && spoken.insert((customer, &news.topic, news.revision), conversation).is_some()
        {
            wrong.push(format!("{customer} was told {} twice, at {}", news.origin, news.revision));
        }
        let of_topics = envelope.is_some_and(|envelope| match &envelope.body {
            Body::Heard(_) | Body::Selected { .. } | Body::Told { .. } | Body::Forwarded { .. } => true,
            Body::Event(event) => event.news.is_some(),
            _ => false,
        });
        dead |= line.dead && of_topics;
        for judged in line.verdicts.iter().filter(|judged| judged.playbook == "outage") {
            verdicts.insert(judged.event, (judged.verdict, judged.reason.clone().unwrap_or_default()));
        }
    }
    let mut told: BTreeMap<(ActorId, String), BTreeSet<ActorId>> = BTreeMap::new();
    for news in
        given.values().flatten().filter(|(_, event)| event.news.as_ref().is_some_and(|n| n.stage == Stage::Begun))
    {
        let (customer, event) = news;
        if let Some(news) = &event.news {
            told.entry((news.topic.clone(), news.begun.to_string())).or_default().insert(customer.clone());
        }
    }
    for (customer, event) in given.values().flatten() {
        let Some(news) = event.news.as_ref().filter(|news| news.stage != Stage::Begun) else { continue };
        let of_run = told.get(&(news.topic.clone(), news.begun.to_string()));
        if of_run.is_none_or(|told| !told.contains(customer)) {
            wrong.push(format!("{customer} got {} and was never told of its beginning", news.origin));
        }
    }
    // An input that went to dead letters is told of there, and may be sent again.
    if dead {
        return;
    }
    for ((partition, pos), envelope) in inputs {
        let Body::Event(event) = &envelope.body else { continue };
        let id = EventId { partition: *partition, pos: *pos };
        let of_network = event.kind.starts_with("incident.") || event.revoke.is_some();
        if event.news.is_some() || !of_network {
            continue;
        }
        let Some((verdict, reason)) = verdicts.get(&id) else { continue };
        if *verdict == Verdict::Forwarded {
            wrong.push(format!("{id} is still on its way: {reason}"));
        }
        let listed = event.data["customers"].as_array().map(Vec::len).unwrap_or_default();
        let got: BTreeSet<&ActorId> = given.get(&id).into_iter().flatten().map(|(customer, _)| customer).collect();
        let got = got.len();
        if reason == "all whom it selected were told" && got != listed {
            wrong.push(format!("{got} of {listed} customers got {id}"));
        }
    }
}
