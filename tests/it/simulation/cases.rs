//! The named cases of faults that need an exact order of things, on the same store and the same engine.

use std::time::Duration;

use beckon::engine::inbox::new_input;
use beckon::engine::owner::Worked;
use beckon::model::conversation::CallPhase;
use beckon::model::entry::{By, CallState, Kind};
use beckon::model::event::{Event, Trust};
use beckon::model::ids::{ActorId, ConversationId};
use beckon::model::input::{Body, CallOutcome, InForce, Settled, To};
use beckon::model::time::Millis;
use beckon::store::Store;
use serde_json::json;
use tokio::time::sleep;

use super::chance::Chance;
use super::desk::{Desk, take};
use super::nodes::LEASE;
use super::outside::{Mood, Voice};
use super::people::Person;
use super::screen::Screen;
use super::world::{World, run};

/// Many runs like this, one for each seed.
const SEEDS: u64 = 20;

#[test]
fn f6_of_two_owners_whose_clocks_differ_only_the_stores_can_commit() {
    run(async {
        let mut first = Desk::new().await;
        let store = first.world.store().clone();
        let partition = first.partition;
        assert!(take(&store, partition, "node-2").await.is_none(), "the lease holds");
        // By the first one's clock nothing happened; by the store's its lease is over.
        store.leap(Millis::seconds(30));
        let mut second = take(&store, partition, "node-2").await.expect("the lease is over");
        assert!(second.epoch() > first.owner.epoch());
        let pos = first.append(Body::Identify { traits: serde_json::Map::new(), trust: Trust::Server }).await;
        assert_eq!(first.step().await.unwrap(), Worked::Lost);
        assert!(!store.renew(partition, first.owner.epoch(), LEASE).await.unwrap());
        let in_force = store.look(|memory| memory.in_force.clone());
        assert_eq!(second.step(&in_force).await.unwrap(), Worked::Decided(1));
        assert_eq!(second.at(), pos);
        // Nobody takes it back by being late.
        assert_eq!(first.step().await.unwrap(), Worked::Lost);
        first.judge();
    });
}

fn done() -> CallOutcome {
    CallOutcome::Done(json!({ "payment": 1 }))
}

fn calls_of(desk: &Desk, id: ConversationId) -> Vec<CallState> {
    let lines = desk.world.store().lines();
    let entries = lines.iter().flat_map(|(_, _, line)| line.entries.iter()).filter(|logged| logged.conversation == id);
    entries
        .filter_map(|logged| match &logged.entry.kind {
            Kind::Call { state, .. } => Some(*state),
            _ => None,
        })
        .collect()
}

#[test]
fn f17_a_models_result_after_a_takeover_is_dropped_and_an_adapters_becomes_an_entry_once() {
    run(async {
        let mut desk = Desk::new().await;
        let (id, call) = desk.charging().await;
        assert_eq!(desk.call(id, call).unwrap().phase, CallPhase::Pending);
        desk.input(Desk::claim(id, 0)).await;
        let line = desk.input(Body::Called { conversation: id, call, outcome: done() }).await;
        assert_eq!(line.entries.len(), 1, "{line:?}");
        assert_eq!(calls_of(&desk, id), [CallState::Done]);
        let again = desk.input(Body::Called { conversation: id, call, outcome: CallOutcome::Failed("?".into()) }).await;
        assert!(again.entries.is_empty(), "{again:?}");
        desk.judge();

        let mut desk = Desk::new().await;
        let id = desk.asked().await;
        let late = desk.generated(id, "Too late.", &[]).await;
        desk.input(Desk::claim(id, 0)).await;
        let line = desk.input(late.clone()).await;
        assert!(line.entries.is_empty() && line.conversations.is_empty(), "{line:?}");
        let operator = Desk::operator();
        desk.input(Body::Release { conversation: id, operator, note: None }).await;
        assert!(desk.input(late).await.entries.is_empty(), "a turn that was given up stays so");
        desk.judge();
    });
}

#[test]
fn f17_an_end_that_is_unknown_twice_is_told_once() {
    run(async {
        let mut desk = Desk::new().await;
        let (id, call) = desk.charging().await;
        let unknown = || Body::Called { conversation: id, call, outcome: CallOutcome::Unknown("hung up".into()) };
        desk.input(unknown()).await;
        let again = desk.input(unknown()).await;
        assert!(again.entries.is_empty(), "{again:?}");
        assert_eq!(calls_of(&desk, id), [CallState::Unknown]);
        desk.input(Body::Called { conversation: id, call, outcome: done() }).await;
        assert_eq!(calls_of(&desk, id), [CallState::Unknown, CallState::Done], "what is known later is told");
        desk.judge();
    });
}

#[test]
fn f17_after_the_close_a_write_still_becomes_an_entry_and_after_an_erase_nothing_does() {
    run(async {
        let mut desk = Desk::new().await;
        let (id, call) = desk.charging().await;
        desk.input(Body::Closed { conversation: id, client_id: "closes-0000000001".to_owned() }).await;
        let line = desk.input(Body::Called { conversation: id, call, outcome: done() }).await;
        assert!(matches!(&line.entries[..], [one] if matches!(one.entry.kind, Kind::Call { .. })), "{line:?}");
        desk.judge();

        let mut desk = Desk::new().await;
        let (id, call) = desk.charging().await;
        let line = desk.input(Body::Erase).await;
        assert!(line.erased && line.retired.contains(&id));
        assert_eq!(desk.state(), None);
        let line = desk.input(Body::Called { conversation: id, call, outcome: done() }).await;
        assert!(line.entries.is_empty(), "{line:?}");
        assert_eq!(desk.state(), None);
        assert!(desk.world.store().effects(desk.partition, 10).await.unwrap().is_empty());
        desk.judge();
    });
}

#[test]
fn f17b_what_the_customer_writes_during_a_charge_waits_and_a_second_charge_is_refused() {
    run(async {
        let mut desk = Desk::new().await;
        let (id, call) = desk.charging().await;
        let line = desk.say(id, 2).await;
        assert!(line.entries.iter().all(|logged| logged.entry.by == By::Customer), "{line:?}");
        // In another conversation of this customer the model proposes the same.
        let said = Body::Said {
            attachments: Vec::new(),
            conversation: None,
            playbook: Some("help".to_owned()),
            client_id: "says-elsewhere-01".to_owned(),
            text: "pay".to_owned(),
        };
        let line = desk.input(said).await;
        let other = line.entries[0].conversation;
        let propose = desk.generated(other, "", &["o-1"]).await;
        desk.input(propose).await;
        assert_eq!(calls_of(&desk, other), [CallState::Refused], "pending");
        desk.input(Body::Called { conversation: id, call, outcome: CallOutcome::Unknown("hung up".into()) }).await;
        let propose = desk.generated(other, "", &["o-1"]).await;
        desk.input(propose).await;
        assert_eq!(calls_of(&desk, other), [CallState::Refused; 2], "unknown");
        // Another order is another matter.
        let propose = desk.generated(other, "", &["o-2"]).await;
        desk.input(propose).await;
        assert!(desk.conversation(other).confirming.is_some());
        let operator = Desk::operator();
        desk.input(Body::Settle { conversation: id, call, operator, state: Settled::Done }).await;
        assert_eq!(calls_of(&desk, id), [CallState::Unknown, CallState::Done]);
        let again = desk.generated(id, "", &["o-1"]).await;
        desk.input(again).await;
        assert!(desk.conversation(id).confirming.is_some(), "once it is settled the customer may be asked again");
        desk.judge();
    });
}

#[test]
fn f17b_of_two_questions_about_one_charge_only_the_first_yes_counts() {
    run(async {
        let mut desk = Desk::new().await;
        let first = desk.asked().await;
        let said = Body::Said {
            attachments: Vec::new(),
            conversation: None,
            playbook: Some("help".to_owned()),
            client_id: "says-elsewhere-01".to_owned(),
            text: "pay".to_owned(),
        };
        let second = desk.input(said).await.entries[0].conversation;
        let mut calls = Vec::new();
        for id in [first, second] {
            let propose = desk.generated(id, "", &["o-1"]).await;
            desk.input(propose).await;
            calls.push((id, desk.conversation(id).confirming.expect("the customer is asked in both")));
        }
        for (id, call) in &calls {
            let client_id = format!("confirms-{id}-0000");
            desk.input(Body::Confirmed { conversation: *id, client_id, call: *call, approve: true }).await;
        }
        assert_eq!(desk.call(first, calls[0].1).unwrap().phase, CallPhase::Pending);
        assert_eq!((desk.call(second, calls[1].1), calls_of(&desk, second)), (None, vec![CallState::Refused]));
        desk.judge();
    });
}

#[test]
fn f17b_a_model_that_always_charges_charges_once_while_the_first_one_is_under_way() {
    for seed in 0..SEEDS {
        run(async {
            let mut world = World::calm(seed).await;
            world.ground.model.set_voice(Voice::Charges);
            world.ground.api.set_mood(Mood::Slow(Duration::from_secs(30)));
            let actor = ActorId::user("42");
            let mut person = Person::new(&world, "tab");
            let data = json!({ "order_id": "o-1", "attempt": 2, "total": 89.5 });
            let event = Event::new("shop", "e-1", "checkout.payment_failed", Some(actor.clone()), data);
            person.events(vec![event]).await;
            let mut screen = Screen::default();
            for round in 0..60_u32 {
                sleep(Duration::from_millis(world.ground.between(100, 1_000))).await;
                screen.look(world.store());
                for (conversation, view) in screen.of(&actor) {
                    let client_id = format!("{conversation}-{round:08}");
                    let body = match view.confirming {
                        Some(call) => Body::Confirmed { conversation, client_id, call, approve: true },
                        None if round % 4 == 0 => Desk::said(conversation, round),
                        None => continue,
                    };
                    person.send(&actor, body).await;
                }
                if round % 7 == 0 {
                    let (client_id, playbook) = (format!("first-{round:011}"), Some("help".to_owned()));
                    let body = Body::Said {
                        conversation: None,
                        playbook,
                        client_id,
                        text: "pay".to_owned(),
                        attachments: Vec::new(),
                    };
                    person.send(&actor, body).await;
                }
                if world.ground.api.writes().len() > 1 {
                    break;
                }
            }
            let writes = world.ground.api.writes();
            assert!(!writes.is_empty(), "nothing was charged, so nothing was tried");
            world.judge(seed).await;
        });
    }
}

#[test]
fn f18_whatever_comes_first_of_claim_message_and_answer_there_is_one_author() {
    // Every order in which the three can be appended, decided singly or in one batch.
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        for batched in [false, true] {
            run(async {
                let mut desk = Desk::new().await;
                let id = desk.asked().await;
                let answer = desk.generated(id, "I am the assistant.", &[]).await;
                let bodies = [Desk::claim(id, 0), Desk::said(id, 2), answer];
                for at in order {
                    desk.append(bodies[at].clone()).await;
                    if !batched {
                        desk.decide().await;
                    }
                }
                desk.decide().await;
                let lines = desk.world.store().lines();
                let entries: Vec<_> = lines.iter().flat_map(|(_, _, line)| &line.entries).collect();
                let entries: Vec<_> = entries.iter().filter(|l| l.conversation == id).map(|l| &l.entry).collect();
                let taken = entries.iter().position(|entry| matches!(entry.kind, Kind::Holder { .. })).unwrap();
                let late = entries[taken..].iter().any(|e| e.by == By::Assistant);
                assert!(!late, "{order:?} {batched}: {entries:#?}");
                let spoken =
                    entries.iter().any(|e| matches!(&e.kind, Kind::Message { text, .. } if text.contains("I am")));
                // It counts only where neither a person nor a newer message came before it.
                assert_eq!(spoken, order[0] == 2, "{order:?}");
                desk.judge();
            });
        }
    }
}

#[test]
fn f18_in_any_order_of_many_acts_only_who_holds_speaks() {
    // `BECKON_SEEDS=10000` for as many orders; the oracle says who may speak.
    for seed in 0..super::setting("BECKON_SEEDS", 100) {
        run(async {
            let mut chance = Chance::new(seed);
            let mut desk = Desk::new().await;
            let id = desk.asked().await;
            let mut late: Vec<Body> = Vec::new();
            for count in 2..40 {
                if desk.wanted(id).await.is_some() {
                    late.push(desk.generated(id, &format!("I am the assistant, {count}."), &[]).await);
                }
                let held = desk.conversation(id).holder_n;
                let operator = Desk::operator();
                let body = match chance.below(8) {
                    0 => Desk::claim(id, held),
                    1 => Desk::claim(id, held.saturating_sub(1)),
                    2 => Body::Release { conversation: id, operator, note: None },
                    3 => Body::OperatorSaid {
                        conversation: id,
                        operator,
                        client_id: format!("operator-{count:012}"),
                        text: "I am a person.".to_owned(),
                    },
                    4 | 5 => Desk::said(id, count),
                    _ => match late.get(chance.below(late.len().max(1))) {
                        Some(answer) => answer.clone(),
                        None => continue,
                    },
                };
                desk.append(body).await;
                if chance.often(500) {
                    desk.decide().await;
                }
            }
            desk.decide().await;
            desk.judge();
        });
    }
}

#[test]
fn a_batch_that_did_not_arrive_is_decided_again_by_what_held_before_it() {
    run(async {
        let mut desk = Desk::new().await;
        let store = desk.world.store().clone();
        let first = store.look(|memory| memory.in_force.clone());
        let before = desk.append(Body::Identify { traits: serde_json::Map::new(), trust: Trust::Server }).await;
        let next = InForce { revision: 2, hash: super::workspace::VARIANTS[1].to_owned(), paused: Vec::new() };
        assert!(store.set_in_force(1, &next).await.unwrap());
        let catalog = new_input(desk.partition, To::Partition, Body::Catalog(next.clone()), None, false);
        store.append(vec![catalog]).await.unwrap();
        store.fail_next("commit");
        assert!(desk.owner.step(&first).await.is_err());
        assert_eq!(desk.owner.in_force(), &first, "nothing of it holds yet");
        desk.decide().await;
        assert_eq!((desk.line(before).revision, desk.owner.in_force()), (1, &next));
        desk.judge();
    });
}

#[test]
fn f21b_a_batch_that_was_applied_and_is_sent_again_longer_is_lost_and_not_applied_twice() {
    run(async {
        let mut desk = Desk::new().await;
        let id = desk.asked().await;
        let first = desk.append(Desk::said(id, 2)).await;
        desk.world.store().lose_next("commit");
        assert!(desk.step().await.is_err(), "the answer was lost");
        // The same again is known as done; longer, it is refused, and the owner starts over.
        let second = desk.append(Desk::said(id, 3)).await;
        assert_eq!(desk.step().await.unwrap(), Worked::Lost);
        let store = desk.world.store().clone();
        desk.owner = take(&store, desk.partition, "node-1").await.unwrap();
        desk.decide().await;
        for (pos, count) in [(first, 2), (second, 3)] {
            let line = desk.line(pos);
            let messages = line.entries.iter().filter(|logged| logged.entry.by == By::Customer).count();
            assert_eq!(messages, 1, "message {count}");
        }
        desk.judge();
    });
}

#[test]
fn f21b_a_batch_that_was_applied_and_is_sent_again_as_it_was_is_done() {
    run(async {
        let mut desk = Desk::new().await;
        let id = desk.asked().await;
        desk.append(Desk::said(id, 2)).await;
        desk.world.store().lose_next("commit");
        assert!(desk.step().await.is_err());
        assert_eq!(desk.step().await.unwrap(), Worked::Decided(1));
        desk.say(id, 3).await;
        desk.judge();
    });
}
