//! `when_open` and `joining`: what a playbook does where a conversation is there already, and when the assistant is told.

use beckon::model::conversation::{Holder, Phase};
use beckon::model::customer::MAX_ENTRIES;
use beckon::model::decision::Effect;
use beckon::model::entry::Kind;
use beckon::model::input::{Body, Generation, Operator};
use serde_json::json;

use super::play::{Play, playbook};

/// A conversation of `other` is there, one of `p` too where `own`; what `p` with this word makes of another event.
fn told(word: &str, own: bool) -> (String, Play) {
    let p = playbook("p", "event: x", word).replace("open: {", "open: { key: event.data.k,");
    let mut play = Play::new(&[&p, &playbook("other", "event: other", "")]);
    play.event(0, "other", json!({}));
    if own {
        let mut alone = Play::new(&[&p.replace("when_open: drop", "").replace("when_open: join", "")]);
        std::mem::swap(&mut alone.catalogs, &mut play.catalogs);
        play.event(1, "x", json!({ "k": "1" }));
        std::mem::swap(&mut alone.catalogs, &mut play.catalogs);
    }
    let told = play.told(2, "x", json!({ "k": "2" }));
    (told, play)
}

#[test]
fn each_word_says_what_becomes_of_a_match_while_a_conversation_is_open() {
    for (word, own, expected, open) in [
        ("", false, "p waiting", 2),
        ("when_open: new", false, "p waiting", 2),
        ("when_open: join", false, "p joined", 1),
        ("when_open: drop", false, "p dropped", 1),
        ("when_open: replace", false, "p waiting", 2),
        ("", true, "p waiting", 3),
        ("when_open: new", true, "p waiting", 3),
        ("when_open: join", true, "p joined", 2),
        ("when_open: drop", true, "p dropped", 2),
        ("when_open: replace", true, "p waiting", 2),
    ] {
        let (told, play) = told(word, own);
        assert_eq!((told.as_str(), play.open().len()), (expected, open), "{word} {own}");
    }
}

#[test]
fn a_new_one_takes_the_place_of_the_same_key_too() {
    let mut play = Play::new(&[&playbook("p", "event: x", "when_open: replace")]);
    let first = play.event(0, "x", json!({}));
    let old = play.conversation();
    let second = play.event(1, "x", json!({}));
    assert_eq!((play.verdict(first).as_str(), play.verdict(second).as_str()), ("p expired", "p waiting"));
    assert_ne!(play.conversation(), old);
    assert_eq!(play.open().len(), 1, "at most one of a key is there at any time");
    play.seen(2);
    let seen = play.conversation();
    play.event(3, "x", json!({}));
    assert_eq!(play.state.conversations[&seen].phase, Phase::Closed);
}

#[test]
fn nobody_who_talks_with_a_person_is_cut_off() {
    let mut play = Play::new(&[&playbook("p", "event: x", "when_open: replace")]);
    play.event(0, "x", json!({}));
    play.seen(1);
    let conversation = play.conversation();
    let operator = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
    play.input(2, Body::Claim { conversation, operator, n: 0 });
    assert_eq!(play.told(3, "x", json!({})), "p joined");
    assert_eq!(play.conversation(), conversation);
}

/// An open conversation of a playbook with this word; then another event of its key at 2.
fn joined(word: &str) -> Play {
    let mut play = Play::new(&[&playbook("p", "event: x", word)]);
    play.event(0, "x", json!({}));
    play.seen(1);
    assert_eq!(play.told(2, "x", json!({ "paid": true })), "p joined");
    play
}

fn asked(play: &Play) -> bool {
    play.last.effects.iter().any(|effect| matches!(effect, Effect::Generate { .. }))
}

/// What the assistant answers in the turn under way.
fn answers(play: &mut Play, at: u64, outcome: Result<Generation, String>) {
    let conversation = play.conversation();
    let turn = play.state.conversations[&conversation].turn.as_ref().unwrap();
    let (turn, step) = (turn.id, turn.step);
    play.input(at, Body::Generated { conversation, turn, step, attempt: 1, outcome, failures: 0 });
}

fn words(text: &str) -> Result<Generation, String> {
    Ok(Generation { text: text.to_owned(), ..Generation::default() })
}

fn says(play: &mut Play, at: u64) {
    let conversation = Some(play.conversation());
    let client_id = format!("say-{at:014}");
    play.input(
        at,
        Body::Said { conversation, playbook: None, client_id, text: "Hello?".to_owned(), attachments: Vec::new() },
    );
}

fn said(play: &Play) -> usize {
    play.entries.iter().filter(|logged| matches!(logged.entry.kind, Kind::Message { .. })).count()
}

#[test]
fn an_event_that_joins_is_told_at_once_or_in_the_next_turn_or_never() {
    for (word, at_once, kept) in [
        ("", false, false),
        ("joining: next_turn", false, false),
        ("joining: now", true, false),
        ("joining: silently", false, true),
    ] {
        let play = joined(word);
        assert_eq!(asked(&play), at_once, "{word}");
        let silent: Vec<bool> = play
            .last
            .entries
            .iter()
            .filter_map(|logged| match &logged.entry.kind {
                Kind::Event { silent, .. } => Some(*silent),
                _ => None,
            })
            .collect();
        assert_eq!(silent, [kept], "{word}");
    }
}

#[test]
fn of_what_a_full_log_no_longer_takes_nobody_is_told() {
    let mut play = Play::new(&[&playbook("p", "event: x", "joining: now")]);
    play.event(0, "x", json!({}));
    play.seen(1);
    let conversation = play.conversation();
    play.state.conversations.get_mut(&conversation).unwrap().n = MAX_ENTRIES - 200;
    assert_eq!(play.told(2, "x", json!({})), "p joined");
    assert!(!asked(&play), "a turn about nothing would answer the last words again");
}

#[test]
fn an_opening_that_nobody_saw_and_a_person_who_holds_are_not_spoken_over() {
    let mut play = Play::new(&[&playbook("p", "event: x", "joining: now")]);
    play.event(0, "x", json!({}));
    assert_eq!(play.told(1, "x", json!({})), "p joined");
    assert!(!asked(&play), "nobody saw the opening yet");
    play.seen(2);
    let operator = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
    let conversation = play.conversation();
    play.input(3, Body::Claim { conversation, operator, n: 0 });
    assert_eq!(play.told(4, "x", json!({})), "p joined");
    assert!(!asked(&play), "a person holds it");
}

#[test]
fn who_asked_nothing_is_not_told_that_nobody_could_answer() {
    for outcome in [Err("every model is down".to_owned()), words("")] {
        let mut play = joined("joining: now");
        let before = said(&play);
        answers(&mut play, 3, outcome);
        let conversation = &play.state.conversations[&play.conversation()];
        assert_eq!((said(&play), &conversation.holder), (before, &Holder::Assistant));
        assert_eq!(conversation.turn, None, "and the turn is over");
        // Who asks then is answered, by the fallback and a person if need be.
        says(&mut play, 4);
        answers(&mut play, 5, Err("every model is down".to_owned()));
        assert_eq!(play.state.conversations[&play.conversation()].holder, Holder::Queue);
    }
}

#[test]
fn a_turn_that_began_with_an_event_ends_with_its_time_without_a_word() {
    let mut play = joined("joining: now");
    let before = said(&play);
    play.ticks(30_000);
    let conversation = &play.state.conversations[&play.conversation()];
    assert_eq!((said(&play), &conversation.holder, &conversation.turn), (before, &Holder::Assistant, &None));
}

#[test]
fn an_answer_on_its_way_is_followed_by_a_turn_for_what_joined_meanwhile() {
    let mut play = Play::new(&[&playbook("p", "event: x", "joining: now")]);
    play.event(0, "x", json!({}));
    play.seen(1);
    says(&mut play, 2);
    assert_eq!(play.told(3, "x", json!({})), "p joined");
    assert!(!asked(&play), "the answer under way goes on");
    answers(&mut play, 4, words("One moment."));
    assert!(asked(&play), "then it is told");
    answers(&mut play, 5, words(""));
    assert!(!asked(&play));
}

#[test]
fn an_event_never_asks_for_a_person_because_the_turns_are_used_up() {
    let text = playbook("p", "event: x", "joining: now\ntalk: { limits: { turns: 1 } }");
    let mut play = Play::new(&[&text]);
    play.event(0, "x", json!({}));
    play.seen(1);
    says(&mut play, 2);
    answers(&mut play, 3, words("Hello."));
    play.event(4, "x", json!({}));
    assert_eq!(play.state.conversations[&play.conversation()].holder, Holder::Assistant);
}

#[test]
fn several_events_of_a_burst_that_join_are_one_turn() {
    let mut play = Play::new(&[
        &playbook("other", "event: other", ""),
        &playbook("p", "event: x", "joining: now\nwhen_open: join\ndebounce: { for: 10s }"),
    ]);
    play.event(0, "x", json!({ "n": 1 }));
    play.event(1_000, "x", json!({ "n": 2 }));
    play.event(2_000, "other", json!({}));
    play.seen(3_000);
    play.ticks(11_000);
    assert!(asked(&play));
    answers(&mut play, 12_000, words(""));
    assert!(!asked(&play), "both were in the log that it read");
}
