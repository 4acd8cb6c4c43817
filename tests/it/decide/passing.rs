//! Passing a conversation on to colleagues: it waits for a person again, of the team that was named.

use beckon::model::decision::Notice;
use beckon::model::input::{HandoffRequest, Operator};

use super::*;

fn pass(who: &str, team: Option<&str>, note: Option<&str>) -> Body {
    let operator = Operator { id: format!("key:{}", who.to_lowercase()), name: who.to_owned() };
    Body::Pass { conversation: c(), operator, team: team.map(str::to_owned), note: note.map(str::to_owned) }
}

/// Ana holds it; the entry that says so is the last one.
fn held() -> (Catalogs, Decision) {
    let catalogs = catalogs();
    let before = played_by(&catalogs, &walk()[..3]);
    let held = then(&catalogs, before, 4, vec![claim(0)]).remove(0);
    assert_eq!(json!(conversation(&held).holder.kind()), "operator");
    (catalogs, held)
}

/// Who is told that somebody waits, and of which team.
fn notices(decision: &Decision) -> Vec<(Notice, Option<String>, String)> {
    let notice = |effect: &Effect| match effect {
        Effect::Notify { about, team, reason, .. } => Some((*about, team.clone(), reason.clone())),
        _ => None,
    };
    decision.effects.iter().filter_map(notice).collect()
}

fn team(decision: &Decision) -> Option<&str> {
    decision.conversations.last().unwrap().team.as_deref()
}

#[test]
fn it_waits_for_a_person_of_that_team_who_is_told_what_they_should_know() {
    let (catalogs, held) = held();
    let last = conversation(&held).n;
    let passed = then(&catalogs, held, 5, vec![pass("Ana", Some("fraud"), Some("Check her card."))]).remove(0);
    let stands = conversation(&passed);
    assert_eq!((json!(stands.holder.kind()), stands.queued_at), (json!("queue"), Some(p(5).time())));
    let kinds: Vec<Kind> = passed.entries.iter().map(|logged| logged.entry.kind.clone()).collect();
    assert_eq!(kinds[0], Kind::Note { text: "Check her card.".to_owned(), name: "Ana".to_owned() });
    let reason = "Ana passed it on to fraud";
    assert_eq!(kinds[1], Kind::Handoff { reason: reason.to_owned(), summary: String::new() });
    assert_eq!(stands.holder_n, last + 3);
    assert_eq!(notices(&passed), [(Notice::HandoffWaiting, Some("fraud".to_owned()), reason.to_owned())]);
    assert_eq!(team(&passed), Some("fraud"));
    assert!(timers(&passed.state).iter().any(|(timer, _)| timer == "handoff_within"), "{:?}", timers(&passed.state));

    let taken = then(&catalogs, passed, 6, vec![claim(last + 3)]).remove(0);
    assert_eq!((json!(conversation(&taken).holder.kind()), team(&taken)), (json!("operator"), Some("fraud")));
}

#[test]
fn without_a_team_it_is_whose_the_playbook_says() {
    let (catalogs, held) = held();
    let passed = then(&catalogs, held, 5, vec![pass("Ana", None, None)]).remove(0);
    assert_eq!(notices(&passed)[0].1.as_deref(), Some("payments"));
    assert_eq!((team(&passed), passed.entries.len()), (Some("payments"), 2), "and no note of nothing");
}

#[test]
fn nobody_passes_on_what_they_do_not_hold() {
    let (catalogs, held) = held();
    let ben = then(&catalogs, held.clone(), 5, vec![pass("Ben", None, None)]).remove(0);
    assert_eq!((refused(&ben), ben.entries.len()), (Some("conflict"), 0));
    let twice = then(&catalogs, held, 5, vec![pass("Ana", None, None), pass("Ana", None, None)]);
    assert_eq!((refused(&twice[0]), refused(&twice[1])), (None, Some("conflict")));
    let closed = then(
        &catalogs,
        twice[0].clone(),
        7,
        vec![claim(conversation(&twice[0]).holder_n), close(), pass("Ana", None, None)],
    );
    assert_eq!(refused(&closed[2]), Some("closed"));
}

/// It was passed on to `fraud`, and nobody came.
fn missed() -> Decision {
    let (catalogs, held) = held();
    let passed = then(&catalogs, held, 5, vec![pass("Ana", Some("fraud"), None)]).remove(0);
    let (_, due) = timers(&passed.state).into_iter().find(|(timer, _)| timer == "handoff_within").unwrap();
    decide(passed.state.clone(), &input(p(due + 1), Body::Tick), &catalogs)
}

#[test]
fn where_nobody_comes_the_assistant_has_it_and_it_stays_that_teams() {
    let missed = missed();
    assert_eq!((json!(conversation(&missed).holder.kind()), team(&missed)), (json!("assistant"), Some("fraud")));
    assert!(conversation(&missed).unattended);
    assert_eq!(notices(&missed)[0].1.as_deref(), Some("fraud"));
}

#[test]
fn handed_back_or_asked_for_anew_it_is_whose_the_playbook_says() {
    let (catalogs, held) = held();
    let passed = then(&catalogs, held, 5, vec![pass("Ana", Some("fraud"), None)]).remove(0);
    let taken = vec![claim(conversation(&passed).holder_n), release()];
    let back = then(&catalogs, passed, 6, taken).remove(1);
    assert_eq!((json!(conversation(&back).holder.kind()), team(&back)), (json!("assistant"), Some("payments")));
    assert_eq!(conversation(&back).team, None);

    let missed = missed();
    let at = 1_000;
    let handoff = Some(HandoffRequest { reason: "angry".to_owned(), summary: String::new() });
    let asks = vec![
        said("said-00000000001", "A person, please"),
        generated(at, 1, Generation { handoff, ..Generation::default() }),
    ];
    let asked = then(&catalogs, missed, at, asks).remove(1);
    assert_eq!(notices(&asked)[0].1.as_deref(), Some("payments"));
    assert_eq!((json!(conversation(&asked).holder.kind()), team(&asked)), (json!("queue"), Some("payments")));
}

fn close() -> Body {
    let operator = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
    Body::OperatorClosed { conversation: c(), operator }
}
