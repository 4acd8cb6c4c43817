//! A state never passes its bound, and neither does a log, whatever comes.

use beckon::model::customer::{MAX_ENTRIES, MAX_STATE};
use beckon::model::event::Trust;

use super::*;

fn ana() -> Operator {
    Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() }
}

fn rated(client_id: String, score: u8) -> Body {
    Body::Rated { conversation: c(), client_id, score, comment: None }
}

/// Decides, and holds the bounds.
fn bounded(catalogs: &Catalogs, state: State, at: u64, body: Body) -> Decision {
    let decision = decide(state, &input(p(at), body), catalogs);
    let size = decision.state.encode().len();
    assert!(size <= MAX_STATE, "{size} bytes at {at}");
    assert!(decision.state.conversations.values().all(|conversation| conversation.n < MAX_ENTRIES), "at {at}");
    decision
}

#[test]
fn the_first_rating_stands_and_others_change_nothing() {
    let open = played(&walk()[..3]);
    let first = decide(open.state, &input(p(4), rated("rate-00000000001".to_owned(), 5)), &catalogs());
    assert_eq!(entries(&first), ["6:1 rated"]);
    let second = decide(first.state.clone(), &input(p(5), rated("rate-00000000002".to_owned(), 1)), &catalogs());
    assert_eq!(second.answers[0].reply, first.answers[0].reply, "acknowledged like the first");
    assert!(second.entries.is_empty());
    let mut remembered = second.state.clone();
    remembered.conversations.get_mut(&c()).unwrap().client_ids.clone_from(&conversation(&first).client_ids);
    assert_eq!(remembered, first.state, "but for its id: sent again it gets the same answer");
}

#[test]
fn words_of_both_sides_and_changes_of_hands_end_where_the_log_is_full() {
    let catalogs = catalogs();
    let mut last = played(&walk()[..3]);
    let mut full = std::collections::BTreeSet::new();
    // Most of its entries were written before.
    last.state.conversations.get_mut(&c()).unwrap().n = 1_700;
    for at in 4..600 {
        let holder_n = conversation(&last).holder_n;
        let claim = Body::Claim { conversation: c(), operator: ana(), n: holder_n };
        let (client_id, text) = (format!("operator-{at:08}"), "x".repeat(100));
        let words = Body::OperatorSaid { conversation: c(), operator: ana(), client_id, text };
        let note = Some("x".repeat(100));
        let release = Body::Release { conversation: c(), operator: ana(), note };
        let (name, body) = match at % 5 {
            0 => ("claim", claim),
            1 => ("operator", words),
            2 => ("release", release),
            3 => ("say", said(&format!("customer-{at:08}"), "hello?")),
            _ => ("rate", rated(format!("rated-{at:010}"), 3)),
        };
        last = bounded(&catalogs, last.state, at, body);
        if refused(&last) == Some("full") {
            full.insert(name);
        }
    }
    assert_eq!(full.into_iter().collect::<Vec<_>>(), ["claim", "operator", "say"]);
    let close = Body::OperatorClosed { conversation: c(), operator: ana() };
    let closed = bounded(&catalogs, last.state, 5_000, close);
    assert!(conversation(&closed).phase.is_closed(), "its end always fits");
}

#[test]
fn an_operator_who_holds_a_full_conversation_is_told_so() {
    let catalogs = catalogs();
    let mut last = decide(played(&walk()[..3]).state, &input(p(4), claim(0)), &catalogs);
    let mut said = 0;
    last.state.conversations.get_mut(&c()).unwrap().n = 1_700;
    while refused(&last).is_none() {
        said += 1;
        let client_id = format!("operator-{said:08}");
        let text = "words".to_owned();
        let words = Body::OperatorSaid { conversation: c(), operator: ana(), client_id, text };
        last = bounded(&catalogs, last.state, 4 + said, words);
    }
    assert_eq!(refused(&last), Some("full"));
    assert!((100..200).contains(&said), "{said}");
}

#[test]
fn no_input_is_so_large_that_the_state_passes_its_bound() {
    let catalogs = catalogs();
    let huge = "\u{1f525}".repeat(20_000);
    let mut last = Decision::default();
    let mut at = 0;
    let mut next = |last: &mut Decision, body: Body| {
        at += 1;
        *last = bounded(&catalogs, std::mem::take(&mut last.state), at, body);
    };
    let traits = (0..400).map(|n| (format!("trait-{n}"), json!("x".repeat(n * 20)))).collect();
    next(&mut last, Body::Identify { traits, trust: Trust::Server });
    assert!(last.state.traits.len() > 10, "small ones are learned");
    for n in 0..50 {
        let mut link = Event::new("shop", "alias", "alias", Some(ActorId::user("42")), json!({}));
        link.link = Some(format!("{n}-{}", "y".repeat(1_000)));
        next(&mut last, Body::Event(Box::new(link)));
    }
    let data = json!({ "order_id": "7", "attempt": 2, "total": 89.5, "note": huge });
    next(&mut last, event("checkout.payment_failed", data));
    assert_eq!((json!(last.verdicts[0].verdict), last.verdicts[0].reason.as_deref()), (json!("limited"), Some("full")));

    let mut last = Decision::default();
    next(
        &mut last,
        event(
            "checkout.payment_failed",
            json!({ "order_id": "7", "attempt": 2, "total": 89.5,
        "note": "z".repeat(30_000) }),
        ),
    );
    assert_eq!(json!(last.verdicts[0].verdict), "waiting", "a large event has room in a small state");
    let c = *last.state.conversations.keys().next().unwrap();
    let body = |body: &dyn Fn() -> Body| body();
    next(
        &mut last,
        body(&|| Body::Called {
            conversation: c,
            call: CallId(1),
            outcome: CallOutcome::Done(json!({ "number": huge })),
        }),
    );
    assert!(last.entries.iter().any(|logged| matches!(logged.entry.kind, Kind::Message { .. })), "it opens without it");
    let choices: Vec<Choice> =
        (0..100).map(|n| Choice { label: format!("{n}{huge}"), value: format!("{n}{}", "v".repeat(n * 6)) }).collect();
    let pay = json!({ "id": "x".repeat(5_000), "card": "y".repeat(5_000) });
    let all: Vec<Proposal> = (0..60).map(|_| proposal("shop.retry_payment", pay.clone())).collect();
    for (n, generation) in [Generation { choices, ..words("?") }, Generation { calls: all, ..words("!") }]
        .into_iter()
        .cycle()
        .take(40)
        .enumerate()
    {
        let client_id = format!("client-{n:012}");
        next(
            &mut last,
            Body::Said {
                conversation: Some(c),
                playbook: None,
                client_id,
                text: huge.clone(),
                attachments: Vec::new(),
            },
        );
        let Some(turn) = last.state.conversations[&c].turn.clone() else { continue };
        let outcome = Ok(Generation { model: "stub".to_owned(), ..generation });
        let (turn, step) = (turn.id, turn.step);
        next(&mut last, Body::Generated { conversation: c, turn, step, attempt: 1, outcome, failures: 0 });
    }
    next(&mut last, event("checkout.completed", json!({ "order_id": "7", "total": huge })));
    let outcome = last.state.conversations[&c].outcome.clone().unwrap();
    assert_eq!((json!(outcome.kind), outcome.value), (json!("goal"), None), "what is no value is not kept as one");
}

#[test]
fn a_senders_list_is_never_squared_by_words_or_conditions() {
    let squared = "{% for a in event.data.items %}{% for b in event.data.items %}{% endfor %}{% endfor %}Shall I help?";
    let looped = "{% for a in event.data.items %}{{ event.data.items }}{% endfor %}";
    for (say, len, verdict) in [(squared, 900, "waiting"), (squared, 1_500, "failed"), (looped, 1_500, "waiting")] {
        let catalogs = catalogs_with(&[
            ("Your card was declined for order {{ order.number }}. Shall I help?", say),
            ("Your card was declined. Shall I help?", say),
        ]);
        let items: Vec<usize> = (0..len).collect();
        let data = json!({ "order_id": "7", "attempt": 2, "total": 89.5, "items": items });
        let begun = decide(State::default(), &input(p(1), event("checkout.payment_failed", data)), &catalogs);
        let begun_verdicts = begun.verdicts.clone();
        let opened = then(&catalogs, begun, 2, vec![called(1, json!({ "id": "7", "number": "N-7" }))]);
        let told = begun_verdicts.iter().chain(&opened[0].verdicts).next_back().unwrap();
        assert_eq!(json!(told.verdict), verdict, "{len} {told:?}");
        let said: usize = opened[0].entries.iter().map(|entry| json!(entry.entry.kind).to_string().len()).sum();
        assert!(said < 64 * 1024, "{said}");
    }
}
