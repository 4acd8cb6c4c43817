//! What is counted since the assistant holds, and when that leads to a person.

use beckon::model::input::HandoffRequest;

use super::*;

fn confirm(approve: bool) -> Body {
    Body::Confirmed { conversation: c(), client_id: "confirm-000000003".to_owned(), call: CallId(3), approve }
}

#[test]
fn a_confirmed_and_a_declined_turn_count_alike_and_end_alike_at_the_limit() {
    for (turns, holder) in [("3", "assistant"), ("2", "queue")] {
        let catalogs = catalogs_with(&[("turns: 20", &format!("turns: {turns}"))]);
        let asked = played_by(&catalogs, &walk()[..9]);
        assert_eq!(conversation(&asked).counters.turns, 2);
        for approve in [true, false] {
            let answered = decide(asked.state.clone(), &input(p(10), confirm(approve)), &catalogs);
            let conversation = conversation(&answered);
            assert_eq!(json!(conversation.holder.kind()), holder, "{turns} {approve}");
            assert_eq!(conversation.counters.turns.to_string(), turns);
            let write = effects(&answered).iter().any(|effect| effect == "write c/3 shop.retry_payment");
            assert_eq!(write, approve, "what the customer said yes to is done, whoever tells of it");
        }
    }
}

#[test]
fn at_its_limit_of_turns_or_tokens_the_assistant_asks_for_a_person_and_is_counted_anew_after() {
    for limit in [("turns: 20", "turns: 1"), ("tokens: 20000", "tokens: 100")] {
        let catalogs = catalogs_with(&[limit]);
        let answer = Generation { tokens: 100, ..words("Hello.") };
        let spoken = then(
            &catalogs,
            played_by(&catalogs, &walk()[..3]),
            4,
            vec![
                said("said-00000000001", "hi"),
                generated(4, 1, answer.clone()),
                said("said-00000000002", "and?"),
                claim(8),
                said("said-00000000003", "anybody?"),
                release(),
                generated(9, 1, answer),
            ],
        );
        let lines: Vec<Vec<String>> = spoken.iter().map(entries).collect();
        assert_eq!(lines[2], ["8:4 message", "9:4 handoff", "10:5 holder"], "{limit:?}");
        let why = match &spoken[2].entries[1].entry.kind {
            Kind::Handoff { reason, .. } => reason.clone(),
            other => panic!("{other:?}"),
        };
        assert!(why.starts_with("the limit of "), "{why}");
        assert_eq!(refused(&spoken[3]), Some("conflict"), "it changed hands: entry 10 is the last holder");
        let taken =
            then(&catalogs, spoken[2].clone(), 7, vec![claim(10), said("said-00000000003", "anybody?"), release()]);
        let back = &taken[2];
        assert_eq!(json!(conversation(back).holder.kind()), "assistant");
        assert_eq!((conversation(back).counters.turns, conversation(back).counters.tokens), (1, 0), "anew");
        assert!(effects(back).iter().any(|effect| effect.starts_with("generate ")), "the customer spoke last");
    }
}

#[test]
fn words_that_neither_the_assistant_nor_a_person_answered_are_answered_when_handed_back() {
    let handoff = Some(HandoffRequest { reason: "angry".to_owned(), summary: String::new() });
    let silent = Generation { handoff, ..Generation::default() };
    let answer = || Body::OperatorSaid {
        conversation: c(),
        operator: Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() },
        client_id: "ana-said-00000001".to_owned(),
        text: "I am here.".to_owned(),
    };
    for (name, generation, said_by_ana, answered) in [
        ("nobody spoke", silent.clone(), false, true),
        ("the assistant did", Generation { text: "A person will come.".to_owned(), ..silent.clone() }, false, false),
        ("the person did", silent, true, false),
    ] {
        let catalogs = catalogs();
        let queued = then(
            &catalogs,
            played_by(&catalogs, &walk()[..3]),
            4,
            vec![said("said-00000000001", "I want a person"), generated(4, 1, generation)],
        );
        let queued = queued.last().unwrap().clone();
        let mut acts = vec![claim(conversation(&queued).holder_n)];
        acts.extend(said_by_ana.then(answer));
        acts.push(release());
        let back = then(&catalogs, queued, 6, acts);
        let back = back.last().unwrap();
        assert_eq!(json!(conversation(back).holder.kind()), "assistant", "{name}");
        let turn = effects(back).iter().any(|effect| effect.starts_with("generate "));
        assert_eq!(turn, answered, "{name}");
    }
}

#[test]
fn a_context_call_that_failed_counts_and_the_condition_is_asked_after_every_input() {
    let catalogs = catalogs_with(&[("failures >= 2", "failures >= 1")]);
    let failed = came_to(1, CallOutcome::Failed("500".to_owned()));
    let seen = Body::Seen { conversation: c(), seq: 1 };
    let all = then(&catalogs, played_by(&catalogs, &walk()[..1]), 2, vec![failed, seen]);
    assert_eq!(conversation(&all[0]).counters.failures, 1);
    assert_eq!(entries(&all[1]), ["5:1 opened", "6:1 handoff", "7:2 holder"]);
}

#[test]
fn a_failed_opening_gives_its_place_back() {
    let silent = "{% if event.data.words %}{{ event.data.words }}{% endif %}";
    let catalogs = catalogs_with(&[
        ("Your card was declined for order {{ order.number }}. Shall I help?", silent),
        ("Your card was declined. Shall I help?", silent),
    ]);
    let failed = played_by(&catalogs, &walk()[..2]);
    assert_eq!(json!(failed.verdicts[0].verdict), "failed");
    assert!(failed.state.limits.values().all(|used| used.is_empty()), "{:?}", failed.state.limits);
    let again = then(&catalogs, failed, 3, vec![declined()]);
    assert_eq!(json!(again[0].verdicts[0].verdict), "waiting", "the next one may try");
}
