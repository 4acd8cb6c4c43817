//! `when_open`: what a playbook does where a conversation is there already.

use beckon::model::conversation::Phase;
use beckon::model::input::{Body, Operator};
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
