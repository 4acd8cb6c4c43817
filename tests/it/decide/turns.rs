//! Turns: when they end, what they leave on screens, and what the assistant may do in one answer.

use beckon::http::wire::{self, View};
use beckon::model::customer::RefusalCode;
use beckon::model::decision::{Answer, generate_key};
use beckon::model::input::{HandoffRequest, Settled};
use beckon::model::time::Millis;
use beckon::model::triage::{Label, Priority, Triage};

use super::*;

/// A call for a person, as a model makes it beside others.
fn wish() -> Proposal {
    proposal("handoff", json!({ "reason": "angry", "summary": "wants her money back" }))
}

fn answer(calls: Vec<Proposal>) -> Generation {
    Generation { calls, ..Generation::default() }
}

fn get_order() -> Proposal {
    proposal("shop.get_order", json!({ "id": "7" }))
}

fn settle(call: u32, state: Settled) -> Body {
    let operator = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
    Body::Settle { conversation: c(), call: CallId(call), operator, state }
}

#[test]
fn a_turn_that_ends_without_words_of_its_own_takes_half_told_ones_off_the_screen() {
    let asked = || played(&walk()[..4]);
    let handoff = Some(HandoffRequest { reason: "angry".to_owned(), summary: String::new() });
    for end in [no_answer(4, 1, 1), said("said-00000000001", "hello?"), claim(0)] {
        let ended = decide(asked().state, &input(p(5), end), &catalogs());
        assert_eq!(ended.dropped, [(c(), p(4))]);
    }
    let silent = [
        ("an empty answer", Generation::default()),
        ("a person is asked for", Generation { handoff, ..Generation::default() }),
        ("closed", Generation { close: true, ..Generation::default() }),
        ("asked to confirm", calls("shop.retry_payment", json!({ "id": "7", "card": "a" }))),
    ];
    for (name, end) in silent {
        for (tries, dropped) in [(1, &[][..]), (2, &[(c(), p(4))][..])] {
            let outcome = Ok(end.clone());
            let (conversation, turn, attempt) = (c(), p(4), beckon::model::live::attempt_number(1, 1, tries));
            let body = Body::Generated { conversation, turn, step: 1, attempt, outcome, failures: 0 };
            let ended = decide(asked().state, &input(p(5), body), &catalogs());
            assert_eq!(ended.dropped, dropped, "{name}: only an earlier try can have begun to speak");
        }
    }
    for spoken in [words("Yes."), Generation { close: true, ..words("Bye.") }] {
        let ended = decide(asked().state, &input(p(5), generated(4, 1, spoken)), &catalogs());
        assert_eq!(ended.dropped, [], "its own entry replaces them");
    }
    let step = decide(asked().state, &input(p(5), generated(4, 1, calls("shop.list_cards", json!({})))), &catalogs());
    assert_eq!(step.dropped, [], "the turn goes on, and a higher `try` clears");
}

#[test]
fn an_empty_answer_is_none_and_the_customer_gets_words_and_a_person() {
    let empty = decide(played(&walk()[..4]).state, &input(p(5), generated(4, 1, Generation::default())), &catalogs());
    assert_eq!(entries(&empty), ["7:2 step", "8:3 message", "9:3 handoff", "10:4 holder"]);
    let row = &empty.conversations[0];
    assert_eq!(row.answer_by, row.queued_at.map(|since| since.plus(Millis::minutes(2))), "as the playbook promises");
    let claimed = decide(empty.state, &input(p(6), claim(row.holder_n)), &catalogs());
    assert_eq!(claimed.conversations[0].answer_by, None, "somebody came");
}

#[test]
fn a_frame_sent_again_gets_the_refusal_that_it_got() {
    // Refused while nothing of the kind was on offer, and the same now that it is.
    let early = chose("choose-0000000009", "card-a");
    let mut inputs = walk()[..3].to_vec();
    inputs.push((Pos { ms: p(3).ms + 500, n: 0 }, early.clone()));
    assert_eq!(refused(&played(&inputs)), Some("choice_gone"));
    inputs.extend_from_slice(&walk()[3..7]);
    let again = decide(played(&inputs).state, &input(p(8), early), &catalogs());
    assert_eq!((refused(&again), entries(&again)), (Some("choice_gone"), Vec::new()));
}

#[test]
fn a_turn_that_overdue_timers_begin_and_end_does_not_take_the_one_of_their_input_with_it() {
    let catalogs = catalogs();
    let queued = then(
        &catalogs,
        played_by(&catalogs, &walk()[..4]),
        5,
        vec![no_answer(4, 1, 1), said("said-00000000001", "anybody?")],
    );
    // An hour without an owner: nobody came, a turn began and had its time, nobody came again. Then she writes.
    let late = Pos { ms: p(6).ms + 3_600_000, n: 0 };
    let back = decide(queued[1].state.clone(), &input(late, said("said-00000000002", "hello?")), &catalogs);
    let told = entries(&back);
    assert_eq!(told.iter().filter(|entry| entry.ends_with(" handoff")).count(), 1, "{told:?}");
    assert!(told.last().unwrap().ends_with(" message"), "{told:?}");
    let turn = conversation(&back).turn.as_ref().unwrap();
    assert_eq!((turn.id, turn.generating), (late, true));
    let wanted = format!("generate {}", generate_key(c(), late, 1)).replace(&c().to_string(), "c");
    let generates: Vec<String> = effects(&back).into_iter().filter(|effect| effect.starts_with("generate ")).collect();
    assert_eq!(generates.len(), 1, "{generates:?}");
    assert!(generates[0].starts_with(&wanted), "{generates:?} {wanted}");
    assert_eq!(back.cancelled, [] as [String; 0]);
}

#[test]
fn words_that_cannot_be_filled_are_never_shown_as_they_are_written() {
    let catalogs = catalogs_with(&[
        ("I can't reach my assistant right now.", "Sorry, {{ customer.traits.name }}."),
        ("Nobody is free right now. I stay with you.", "Nobody is free, {{ customer.traits.name }}."),
    ]);
    let asked = played_by(&catalogs, &walk()[..4]);
    let failed = decide(asked.state, &input(p(5), no_answer(4, 1, 1)), &catalogs);
    let later = Pos { ms: p(5).ms + 121_000, n: 0 };
    let missed = decide(failed.state.clone(), &input(later, Body::Tick), &catalogs);
    for (decision, expected) in [(&failed, "I cannot answer right now."), (&missed, "None of my colleagues is free")] {
        let said = decision.entries.iter().find_map(|line| match &line.entry.kind {
            Kind::Message { text, .. } => Some(text.as_str()),
            _ => None,
        });
        assert!(said.is_some_and(|said| said.starts_with(expected)), "{said:?}");
    }
}

#[test]
fn a_turn_is_over_20_seconds_after_it_began_however_many_steps_it_takes() {
    let catalogs = catalogs();
    let begun = played_by(&catalogs, &walk()[..4]);
    let due = p(4).ms + 20_000;
    let steps = vec![
        (9_000, generated(4, 1, calls("shop.list_cards", json!({})))),
        (12_000, called(2, json!({ "items": [] }))),
        (17_000, generated(4, 2, calls("shop.list_cards", json!({})))),
        (19_000, called(3, json!({ "items": [] }))),
    ];
    let mut last = begun;
    for (after, body) in steps {
        let pos = Pos { ms: p(4).ms + after, n: 0 };
        last = decide(last.state, &input(pos, body), &catalogs);
        let turn = conversation(&last).turn.as_ref().unwrap();
        assert_eq!((turn.deadline, last.state.due()), (Ms(due), Some(Ms(due))), "after {after} ms");
        for effect in &last.effects {
            assert!(!matches!(effect, Effect::Generate { deadline, .. } if *deadline != Ms(due)), "{effect:?}");
        }
    }
    let over = decide(last.state, &input(Pos { ms: due, n: 0 }, Body::Tick), &catalogs);
    assert_eq!(entries(&over)[1..], ["12:5 message", "13:5 handoff", "14:6 holder"], "{:?}", entries(&over));
    assert_eq!(over.cancelled.len(), 1, "nobody waits for the model any more");
}

#[test]
fn the_time_of_a_write_is_not_the_turns() {
    let catalogs = catalogs();
    let mut last = played_by(&catalogs, &walk()[..10]);
    for tick in [20_000, 40_000] {
        last = decide(last.state, &input(Pos { ms: p(10).ms + tick, n: 0 }, Body::Tick), &catalogs);
        assert_eq!(stands(conversation(&last)), "open, turn p10 step 0 call 3", "its result is waited for");
    }
    let came = Pos { ms: p(10).ms + 47_000, n: 0 };
    let done = decide(last.state, &input(came, called(3, json!({ "status": "paid" }))), &catalogs);
    assert_eq!(effects(&done), ["generate c/p10/1 at 14"]);
    let due = Ms(came.ms + 20_000);
    assert_eq!(conversation(&done).turn.as_ref().unwrap().deadline, due, "nothing of its time was used yet");
    let over = decide(done.state, &input(Pos { ms: due.0, n: 0 }, Body::Tick), &catalogs);
    assert_eq!(stands(conversation(&over)), "open");
    assert_eq!(entries(&over).last().unwrap(), "18:10 holder");
}

#[test]
fn what_a_person_settles_does_not_push_a_question_to_the_customer_aside() {
    let catalogs = catalogs();
    let lost = [walk()[..10].to_vec(), vec![(p(11), came_to(3, CallOutcome::Unknown("lost".to_owned())))]].concat();
    let other = calls("shop.retry_payment", json!({ "id": "8", "card": "card-a" }));
    let all = then(
        &catalogs,
        played_by(&catalogs, &lost),
        12,
        vec![
            generated(10, 1, words("A colleague will check.")),
            said("said-00000000001", "then pay order 8"),
            generated(13, 1, other),
            settle(3, Settled::Done),
        ],
    );
    let settled = &all[3];
    assert_eq!(stands(conversation(settled)), "open, confirming 4");
    assert_eq!((entries(settled).len(), settled.effects.len()), (1, 0), "told, and no turn");
    let yes = Body::Confirmed {
        conversation: c(),
        client_id: "confirm-000000004".to_owned(),
        call: CallId(4),
        approve: true,
    };
    let confirmed = decide(settled.state.clone(), &input(p(16), yes), &catalogs);
    assert_eq!(effects(&confirmed), ["write c/4 shop.retry_payment"]);
    assert_eq!(conversation(&confirmed).calls.len(), 1, "no call is left behind");
}

#[test]
fn what_is_settled_while_an_answer_is_on_its_way_is_told_after_it() {
    let catalogs = catalogs();
    let lost = [walk()[..10].to_vec(), vec![(p(11), came_to(3, CallOutcome::Unknown("lost".to_owned())))]].concat();
    let all = then(
        &catalogs,
        played_by(&catalogs, &lost),
        12,
        vec![
            generated(10, 1, words("A colleague will check.")),
            said("said-00000000001", "and?"),
            settle(3, Settled::Done),
            generated(13, 1, words("I do not know yet.")),
            generated(15, 1, words("It was done after all.")),
        ],
    );
    assert!(all[2].effects.is_empty(), "the answer on its way goes on");
    let n = conversation(&all[3]).n;
    assert_eq!(
        short(&all[3].effects[0].key()),
        format!("c/{}/1", p(15)).replace(&p(15).to_string(), &p(15).to_string())
    );
    assert!(matches!(all[3].effects[0], Effect::Generate { n: read, .. } if read == n), "and reads what was settled");
    assert!(all[4].effects.is_empty(), "once");
}

#[test]
fn a_wish_for_a_person_beside_calls_is_granted_in_its_place() {
    let catalogs = catalogs();
    let asked = played_by(&catalogs, &walk()[..4]);
    let after = vec![
        generated(4, 1, answer(vec![get_order(), wish(), proposal("shop.list_cards", json!({}))])),
        called(2, json!({ "number": "N-7" })),
    ];
    let all = then(&catalogs, asked.clone(), 5, after);
    assert_eq!(effects(&all[0]), ["call c/2 shop.get_order"], "the call before it is made first");
    let expected = ["8:3 call done", "9:3 call done", "10:3 call refused", "11:3 handoff", "12:4 holder"];
    assert_eq!(entries(&all[1]), expected);
    assert!(matches!(&all[1].entries[3].entry.kind, Kind::Handoff { reason, summary }
        if reason == "angry" && summary == "wants her money back"));

    let first = then(&catalogs, asked.clone(), 5, vec![generated(4, 1, answer(vec![wish(), get_order()]))]);
    assert!(first[0].effects.iter().all(|effect| matches!(effect, Effect::Notify { .. })), "{:?}", effects(&first[0]));
    assert_eq!(entries(&first[0])[1..], ["8:2 call done", "9:2 call refused", "10:2 handoff", "11:3 holder"]);

    let strict = catalogs_with(&[("asked_for_human || failures >= 2", "failures >= 2")]);
    let asked = played_by(&strict, &walk()[..4]);
    let on = then(&strict, asked, 5, vec![generated(4, 1, answer(vec![wish()]))]);
    assert_eq!(entries(&on[0]), ["7:2 step", "8:2 call refused"]);
    assert_eq!(effects(&on[0]), ["generate c/p4/2 at 8"], "the model is told, and answers itself");
}

#[test]
fn closing_beside_calls_waits_until_their_end_is_known() {
    let catalogs = catalogs();
    let asked = played_by(&catalogs, &walk()[..4]);
    let both = answer(vec![get_order(), proposal("close", json!({}))]);
    let after = vec![generated(4, 1, both), called(2, json!({ "number": "N-7" }))];
    let all = then(&catalogs, asked, 5, after);
    assert_eq!(entries(&all[1]), ["8:3 call done", "9:3 call refused"]);
    assert_eq!(effects(&all[1]), ["generate c/p4/2 at 9"]);
    assert_eq!(stands(conversation(&all[1])), "open, turn p4 step 2");
}

#[test]
fn who_speaks_while_the_opening_is_prepared_is_heard() {
    let text = "hello?".to_owned();
    let first = Body::Said {
        attachments: Vec::new(),
        conversation: None,
        playbook: Some("checkout-trouble".to_owned()),
        client_id: "said-00000000001".to_owned(),
        text,
    };
    let all = then(&catalogs(), played(&walk()[..1]), 2, vec![first, called(1, json!({ "number": "N-7" }))]);
    assert_eq!(refused(&all[0]), None);
    assert_eq!(entries(&all[0]), ["3:1 message", "4:1 opened", "5:2 message"]);
    assert_eq!(stands(conversation(&all[0])), "open, turn p2 step 1");
    assert_eq!(entries(&all[1]), ["6:2 fact order"], "what comes later is known from then on");
}

#[test]
fn a_confirmation_lapses_after_ten_minutes_at_the_next_message_and_at_the_end() {
    let asked = || played(&walk()[..9]);
    let due = Pos { ms: p(9).ms + 10 * MINUTE * 1_000, n: 0 };
    let close = Body::Closed { conversation: c(), client_id: "close-0000000001".to_owned() };
    let ends = [
        (due, Body::Tick, "it was not confirmed in time"),
        (p(10), said("said-00000000001", "wait"), "the customer wrote instead"),
        (p(10), close, "the conversation was closed"),
        (p(10), claim(0), "a person took over"),
    ];
    for (pos, end, why) in ends {
        let lapsed = decide(asked().state, &input(pos, end), &catalogs());
        let call = lapsed.entries.iter().find_map(|logged| match &logged.entry.kind {
            Kind::Call { state, problem, .. } if logged.entry.visible => Some((json!(state), problem.clone())),
            _ => None,
        });
        assert_eq!(call, Some((json!("refused"), Some(why.to_owned()))));
        let late = decide(lapsed.state, &input(Pos { ms: pos.ms + 1, n: 0 }, confirmed()), &catalogs());
        assert!(matches!(refused(&late), Some("confirm_gone" | "closed")), "{why}: {:?}", refused(&late));
        assert!(late.effects.is_empty(), "{why}");
    }
    let just = Pos { ms: due.ms, n: 0 };
    let held = decide(asked().state, &input(just, confirmed()), &catalogs());
    assert_eq!(effects(&held), ["write c/3 shop.retry_payment"], "a moment before it lapses it holds");
}

fn stop(client_id: &str) -> Body {
    Body::Stopped { conversation: c(), client_id: client_id.to_owned() }
}

#[test]
fn a_turn_that_the_customer_stops_is_over_and_begins_by_nobody_again() {
    let asked = played(&walk()[..4]);
    let stopped = decide(asked.state, &input(p(5), stop("stop-00000000001")), &catalogs());
    assert_eq!(stopped.dropped, [(c(), p(4))], "its half-told words go");
    assert_eq!(stopped.cancelled, [generate_key(c(), p(4), 1)], "and its model is not waited for");
    assert!(entries(&stopped).last().unwrap().ends_with(" stopped"), "{:?}", entries(&stopped));
    assert_eq!((conversation(&stopped).turn.is_none(), conversation(&stopped).unanswered), (true, false));
    let late = decide(stopped.state.clone(), &input(p(6), generated(4, 1, words("Yes."))), &catalogs());
    assert_eq!((entries(&late).len(), late.ignored), (0, Some(beckon::model::decision::Ignored::LateGeneration)));
    let again = decide(stopped.state, &input(p(6), stop("stop-00000000002")), &catalogs());
    assert_eq!(entries(&again).len(), 0, "where nothing is under way nothing is to be stopped, and that is well");
    assert!(matches!(again.answers[..], [Answer { reply: Reply::Done { .. }, .. }]));
}

#[test]
fn a_write_that_has_left_is_not_stopped_and_the_customer_hears_of_it() {
    let catalogs = catalogs();
    let charging = played_by(&catalogs, &walk()[..10]);
    let stopped = decide(charging.state, &input(p(11), stop("stop-00000000001")), &catalogs);
    assert_eq!(stopped.cancelled, [] as [String; 0]);
    let paid = decide(stopped.state, &input(p(12), called(3, json!({ "status": "paid" }))), &catalogs);
    assert!(entries(&paid)[0].contains(" call"), "{:?}", entries(&paid));
    assert!(effects(&paid)[0].starts_with("generate "), "{:?}", effects(&paid));
}

#[test]
fn whether_a_message_helped_is_noted_and_one_that_is_not_there_is_refused() {
    let walked = played(&walk()[..4]);
    let last = conversation(&walked).seq;
    let helped = |seq: u32, client_id: &str| {
        let body = Body::Helped { conversation: c(), client_id: client_id.to_owned(), seq, helped: false };
        decide(walked.state.clone(), &input(p(5), body), &catalogs())
    };
    let noted = helped(1, "help-00000000001");
    assert!(entries(&noted)[0].ends_with(" helped"), "{:?}", entries(&noted));
    assert_eq!(conversation(&noted).seq, last, "customers do not see it");
    for seq in [0, last + 1] {
        let refused = helped(seq, "help-00000000002");
        let Reply::Refused(code) = refused.answers[0].reply else { panic!("it was taken") };
        assert_eq!((entries(&refused).len(), code), (0, RefusalCode::UnknownMessage));
    }
}

#[test]
fn a_note_changes_neither_who_holds_nor_what_the_customer_sees() {
    let walked = played(&walk()[..4]);
    let operator = Operator { id: "op-rui".to_owned(), name: "Rui".to_owned() };
    let (client_id, text) = ("note-00000000001".to_owned(), "Careful.".to_owned());
    let body = Body::Noted { conversation: c(), operator, client_id, text };
    let noted = decide(walked.state.clone(), &input(p(5), body.clone()), &catalogs());
    assert!(entries(&noted)[0].contains(" note"), "{:?}", entries(&noted));
    let (before, after) = (conversation(&walked), conversation(&noted));
    assert_eq!((after.seq, &after.holder, &after.turn), (before.seq, &before.holder, &before.turn));
    let again = decide(noted.state, &input(p(6), body), &catalogs());
    assert_eq!(entries(&again).len(), 0, "sent twice it counts once");
}

/// What Rui judges, under the id `triage-` and a number.
fn triaged(n: u32, priority: Option<Priority>, add: &[&str], remove: &[&str]) -> Body {
    let operator = Operator { id: "op-rui".to_owned(), name: "Rui".to_owned() };
    let labels = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let triage = Triage { priority, add: labels(add), remove: labels(remove) };
    Body::Triaged { conversation: c(), operator, client_id: format!("triage-{n:09}"), triage }
}

fn labels(decision: &Decision) -> Vec<&str> {
    conversation(decision).labels.iter().map(Label::as_str).collect()
}

#[test]
fn labels_and_priority_change_nothing_that_the_customer_or_the_assistant_sees() {
    let catalogs = catalogs();
    let walked = played(&walk()[..4]);
    let body = triaged(1, Some(Priority::High), &["vip", "refund"], &["nothing"]);
    let judged = decide(walked.state.clone(), &input(p(5), body.clone()), &catalogs);
    assert!(entries(&judged)[0].contains(" triaged"), "{:?}", entries(&judged));
    assert_eq!((labels(&judged), conversation(&judged).priority), (vec!["refund", "vip"], Priority::High));
    let (before, after) = (conversation(&walked), conversation(&judged));
    assert_eq!((after.seq, &after.holder, &after.turn), (before.seq, &before.holder, &before.turn));
    assert!(judged.effects.is_empty() && judged.cancelled.is_empty(), "{:?}", judged.effects);
    let summary = &judged.conversations[0];
    assert_eq!((&summary.labels, summary.priority), (&after.labels, Priority::High));
    let Kind::Triaged { triage, name } = &judged.entries[0].entry.kind else { panic!("{:?}", judged.entries) };
    assert_eq!((triage.to_string().as_str(), name.as_str()), ("priority high; labels put on: refund, vip", "Rui"));
    let told = wire::entry(&judged.entries[0].entry, View::Customer);
    assert_eq!(told, None);

    let same = decide(judged.state.clone(), &input(p(6), triaged(2, Some(Priority::High), &["vip"], &[])), &catalogs);
    assert_eq!(entries(&same).len(), 0, "what is so already makes no entry");
    assert!(matches!(same.answers[0].reply, Reply::Done { .. }), "{:?}", same.answers);
    // Of two operators who judge at once, each changes what they meant and nothing else.
    let other = decide(judged.state.clone(), &input(p(6), triaged(3, None, &["late"], &["vip"])), &catalogs);
    assert_eq!((labels(&other), conversation(&other).priority), (vec!["late", "refund"], Priority::High));
    let again = decide(other.state.clone(), &input(p(7), body), &catalogs);
    assert_eq!((entries(&again).len(), labels(&again)), (0, vec!["late", "refund"]), "sent twice it counts once");
    let none = triaged(4, Some(Priority::Normal), &[], &["late", "refund"]);
    let none = decide(other.state, &input(p(7), none), &catalogs);
    assert_eq!((labels(&none).len(), conversation(&none).priority), (0, Priority::Normal));
}

#[test]
fn a_conversation_has_ten_labels_at_most() {
    let catalogs = catalogs();
    let walked = played(&walk()[..4]);
    let names: Vec<String> = (0..10).map(|n| format!("label {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let full = decide(walked.state.clone(), &input(p(5), triaged(1, None, &names, &[])), &catalogs);
    assert_eq!(labels(&full).len(), 10);
    let more = decide(full.state.clone(), &input(p(6), triaged(2, Some(Priority::Low), &["eleventh"], &[])), &catalogs);
    let Reply::Refused(code) = more.answers[0].reply else { panic!("it was taken") };
    assert_eq!((entries(&more).len(), code), (0, RefusalCode::TooManyLabels));
    assert_eq!(conversation(&more).priority, Priority::Normal, "all of it or nothing");
    let swapped = decide(full.state, &input(p(6), triaged(3, None, &["eleventh"], &["label 0"])), &catalogs);
    assert_eq!((labels(&swapped).len(), labels(&swapped)[0]), (10, "eleventh"));
    let body =
        Body::OperatorClosed { conversation: c(), operator: Operator { id: "op".to_owned(), name: "Op".to_owned() } };
    let closed = decide(swapped.state, &input(p(7), body), &catalogs);
    let late = decide(closed.state, &input(p(8), triaged(4, None, &[], &["eleventh"])), &catalogs);
    assert!(matches!(late.answers[0].reply, Reply::Refused(RefusalCode::Closed)), "{:?}", late.answers);
}
