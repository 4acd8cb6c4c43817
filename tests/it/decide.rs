//! `decide`, step by step: from the declined card to the outcome, each input with all that it changes.

mod bounds;
mod limits;
mod passing;
mod turns;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use beckon::catalog::{compile, read_workspace};
use beckon::engine::decide::decide;
use beckon::model::catalog::Catalogs;
use beckon::model::conversation::{Conversation, Phase};
use beckon::model::customer::State;
use beckon::model::decision::{Decision, Effect, Reply};
use beckon::model::entry::{By, Kind};
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, CallId, ConversationId, Partition, Pos};
use beckon::model::input::{Body, CallOutcome, Choice, Generation, InForce, Input, Operator, Proposal, To};
use beckon::model::time::Ms;
use serde_json::{Value, json};

const START: u64 = 1_764_000_000_000;
const DAY: u64 = 24 * 60 * 60 * 1_000;

fn catalogs() -> Catalogs {
    catalogs_with(&[])
}

/// The workspace with these words of `checkout-trouble` replaced.
fn catalogs_with(changes: &[(&str, &str)]) -> Catalogs {
    const FILE: &str = "playbooks/checkout-trouble.yaml";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workspaces/checkout");
    let mut files = read_workspace(&folder).unwrap();
    let mut text = String::from_utf8(files[FILE].clone()).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    files.insert(FILE.to_owned(), text.into_bytes());
    let catalog = compile(&files, None).unwrap();
    let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
    Catalogs { by_hash: BTreeMap::from([(catalog.hash.clone(), Arc::new(catalog))]), in_force }
}

/// The position of the walk's `p1`, `p2`, …: a second apart.
fn p(step: u64) -> Pos {
    Pos { ms: START + step * 1_000, n: 0 }
}

fn c() -> ConversationId {
    ConversationId { partition: Partition(17), pos: p(1), k: 0 }
}

fn input(pos: Pos, body: Body) -> Input {
    Input { partition: Partition(17), pos, to: To::Actor(ActorId::user("42")), body }
}

fn event(kind: &str, data: Value) -> Body {
    Body::Event(Box::new(Event::new("shop", kind, kind, Some(ActorId::user("42")), data)))
}

fn declined() -> Body {
    event("checkout.payment_failed", json!({ "order_id": "7", "attempt": 2, "total": 89.5 }))
}

fn completed() -> Body {
    event("checkout.completed", json!({ "order_id": "7", "total": 89.5 }))
}

fn called(call: u32, value: Value) -> Body {
    Body::Called { conversation: c(), call: CallId(call), outcome: CallOutcome::Done(value) }
}

fn chose(client_id: &str, choice: &str) -> Body {
    Body::Chose { conversation: c(), client_id: client_id.to_owned(), choice: choice.to_owned() }
}

fn generated(turn: u64, step: u32, generation: Generation) -> Body {
    let outcome = Ok(Generation { model: "stub".to_owned(), ..generation });
    Body::Generated { conversation: c(), turn: p(turn), step, attempt: 1, outcome, failures: 0 }
}

fn words(text: &str) -> Generation {
    Generation { text: text.to_owned(), ..Generation::default() }
}

fn calls(operation: &str, args: Value) -> Generation {
    let args = args.as_object().unwrap().clone();
    let proposal = Proposal { operation: operation.to_owned(), args, bind: None, model_id: None, problem: None };
    Generation { calls: vec![proposal], ..Generation::default() }
}

fn confirmed() -> Body {
    Body::Confirmed { conversation: c(), client_id: "confirm-000000003".to_owned(), call: CallId(3), approve: true }
}

fn claim(n: u32) -> Body {
    let operator = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
    Body::Claim { conversation: c(), operator, n }
}

fn release() -> Body {
    let operator = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
    Body::Release { conversation: c(), operator, note: None }
}

/// The inputs of the walk, `p1` to `p14`.
fn walk() -> Vec<(Pos, Body)> {
    let card = Choice { label: "Visa 4242".to_owned(), value: "card-a".to_owned() };
    let pay = json!({ "id": "7", "card": "card-a" });
    let bodies = vec![
        declined(),
        called(1, json!({ "id": "7", "number": "N-7" })),
        Body::Seen { conversation: c(), seq: 1 },
        chose("choose-0000000001", "Use another card"),
        generated(4, 1, calls("shop.list_cards", json!({}))),
        called(2, json!({ "items": [{ "id": "card-a", "label": "Visa 4242" }] })),
        generated(4, 2, Generation { choices: vec![card], ..words("Which card?") }),
        chose("choose-0000000002", "card-a"),
        generated(8, 1, calls("shop.retry_payment", pay)),
        confirmed(),
        called(3, json!({ "status": "paid" })),
        generated(10, 1, words("Order N-7 is paid.")),
        completed(),
    ];
    let mut walk: Vec<(Pos, Body)> = (1..).map(p).zip(bodies).collect();
    // The assistant spoke last at p12: the silence is over a day after.
    walk.push((Pos { ms: p(12).ms + DAY, n: 0 }, Body::Tick));
    walk
}

/// Names as the walk writes them: `c`, `p4`.
fn short(text: &str) -> String {
    let mut text = text.replace(&c().to_string(), "c");
    for step in (1..=14).rev() {
        text = text.replace(&p(step).to_string(), &format!("p{step}"));
    }
    text
}

fn stands(conversation: &Conversation) -> String {
    let mut text = match &conversation.phase {
        Phase::Preparing(_) => "preparing",
        Phase::Waiting => "waiting",
        Phase::Open => "open",
        Phase::Closed => "closed",
    }
    .to_owned();
    if let Some(turn) = &conversation.turn {
        text += &short(&format!(", turn {} step {}", turn.id, turn.step));
        if let Some(call) = turn.call {
            text += &format!(" call {call}");
        }
    }
    if let Some(call) = conversation.confirming {
        text += &format!(", confirming {call}");
    }
    if let Some(outcome) = &conversation.outcome {
        text += &format!(", {}", json!(outcome.kind).as_str().unwrap());
    }
    text
}

fn entries(decision: &Decision) -> Vec<String> {
    let line = |kind: &Kind| {
        let form = serde_json::to_value(kind).unwrap();
        let detail = ["state", "verdict", "outcome", "name"].iter().find_map(|key| form[*key].as_str());
        let kind = form["kind"].as_str().unwrap().to_owned();
        match detail {
            Some(detail) if kind != "message" => format!("{kind} {detail}"),
            _ => kind,
        }
    };
    decision.entries.iter().map(|l| format!("{}:{} {}", l.entry.n, l.entry.seq, line(&l.entry.kind))).collect()
}

fn effects(decision: &Decision) -> Vec<String> {
    let form = |effect: &Effect| match effect {
        Effect::Generate { n, .. } => format!("generate {} at {n}", effect.key()),
        Effect::Call { operation, write: false, .. } => format!("call {} {operation}", effect.key()),
        Effect::Call { operation, .. } => format!("write {} {operation}", effect.key()),
        Effect::Notify { .. } => format!("notify {}", effect.key()),
        Effect::Forward { .. } => format!("forward {}", effect.key()),
        Effect::Select { .. } => format!("select {}", effect.key()),
        Effect::Tell { .. } => format!("tell {}", effect.key()),
    };
    decision.effects.iter().map(|effect| short(&form(effect))).collect()
}

/// Timers by kind and how many seconds after the walk's `p0` they are due.
fn timers(state: &State) -> Vec<(String, u64)> {
    let mut timers: Vec<(String, u64)> = state
        .timers
        .iter()
        .map(|(at, _, timer)| (json!(timer).as_str().unwrap().to_owned(), at.since(Ms(START)).0 / 1_000))
        .collect();
    timers.sort();
    timers
}

/// Decides inputs one after the other; answers the last decision.
fn played(inputs: &[(Pos, Body)]) -> Decision {
    played_by(&catalogs(), inputs)
}

fn played_by(catalogs: &Catalogs, inputs: &[(Pos, Body)]) -> Decision {
    let mut last = Decision::default();
    for (pos, body) in inputs {
        last = decide(last.state, &input(*pos, body.clone()), catalogs);
    }
    last
}

/// What follows `before`: each input a second after the one before; answers every decision.
fn then(catalogs: &Catalogs, before: Decision, from: u64, bodies: Vec<Body>) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = Vec::new();
    for (at, body) in (from..).zip(bodies) {
        let state = decisions.last().unwrap_or(&before).state.clone();
        decisions.push(decide(state, &input(p(at), body), catalogs));
    }
    decisions
}

fn said(client_id: &str, text: &str) -> Body {
    let (client_id, text) = (client_id.to_owned(), text.to_owned());
    Body::Said { conversation: Some(c()), playbook: None, client_id, text, attachments: Vec::new() }
}

fn no_answer(turn: u64, step: u32, failures: u32) -> Body {
    let outcome = Err("every model is down, and the script does not fit".to_owned());
    Body::Generated { conversation: c(), turn: p(turn), step, attempt: 1, outcome, failures }
}

fn came_to(call: u32, outcome: CallOutcome) -> Body {
    Body::Called { conversation: c(), call: CallId(call), outcome }
}

fn proposal(operation: &str, args: Value) -> Proposal {
    calls(operation, args).calls.remove(0)
}

fn conversation(decision: &Decision) -> &Conversation {
    &decision.state.conversations[&c()]
}

fn refused(decision: &Decision) -> Option<&'static str> {
    match decision.answers.first()?.reply {
        Reply::Refused(code) => Some(code.code()),
        Reply::Done { .. } | Reply::Existing => None,
    }
}

/// One line of the walk: where the conversation stands, its new entries, effects, and all timers.
type Line = (&'static str, &'static [&'static str], &'static [&'static str], &'static [(&'static str, u64)]);

const MINUTE: u64 = 60;
const A_DAY: u64 = DAY / 1_000;

#[test]
fn the_walk_from_the_declined_card_to_the_outcome() {
    const GOAL: (&str, u64) = ("goal_within", 1 + A_DAY);
    let table: [Line; 14] = [
        (
            "preparing",
            &["1:0 event", "2:0 verdict waiting"],
            &["call c/1 shop.get_order"],
            &[("context", 4), GOAL, ("open_within", 1 + 30 * MINUTE)],
        ),
        ("waiting", &["3:0 fact order", "4:1 message"], &[], &[GOAL, ("open_within", 1 + 30 * MINUTE)]),
        ("open", &["5:1 opened"], &[], &[GOAL, ("idle", 3 + A_DAY)]),
        (
            "open, turn p4 step 1",
            &["6:2 message"],
            &["generate c/p4/1 at 6"],
            &[GOAL, ("idle", 4 + A_DAY), ("turn", 24)],
        ),
        (
            "open, turn p4 step 1 call 2",
            &["7:2 step"],
            &["call c/2 shop.list_cards"],
            &[GOAL, ("idle", 4 + A_DAY), ("turn", 24)],
        ),
        (
            "open, turn p4 step 2",
            &["8:3 call done"],
            &["generate c/p4/2 at 8"],
            &[GOAL, ("idle", 4 + A_DAY), ("turn", 24)],
        ),
        ("open", &["9:4 message"], &[], &[GOAL, ("idle", 7 + A_DAY)]),
        (
            "open, turn p8 step 1",
            &["10:5 message"],
            &["generate c/p8/1 at 10"],
            &[GOAL, ("idle", 8 + A_DAY), ("turn", 28)],
        ),
        (
            "open, confirming 3",
            &["11:5 step", "12:6 confirm"],
            &[],
            &[("confirm", 9 + 10 * MINUTE), GOAL, ("idle", 8 + A_DAY)],
        ),
        (
            "open, turn p10 step 0 call 3",
            &["13:7 confirmed"],
            &["write c/3 shop.retry_payment"],
            &[GOAL, ("idle", 10 + A_DAY), ("turn", 30)],
        ),
        (
            "open, turn p10 step 1",
            &["14:8 call done"],
            &["generate c/p10/1 at 14"],
            &[GOAL, ("idle", 10 + A_DAY), ("turn", 31)],
        ),
        ("open", &["15:9 message"], &[], &[GOAL, ("idle", 12 + A_DAY)]),
        ("open, goal", &["16:9 event", "17:9 outcome goal"], &[], &[("idle", 12 + A_DAY)]),
        ("closed, goal", &["18:10 closed goal"], &[], &[("retire", 12 + 2 * A_DAY)]),
    ];
    let catalogs = catalogs();
    let mut state = State::default();
    for (at, ((pos, body), (stand, new, outside, due))) in walk().into_iter().zip(table).enumerate() {
        let decision = decide(state, &input(pos, body), &catalogs);
        let step = format!("p{}", at + 1);
        assert_eq!(stands(&decision.state.conversations[&c()]), stand, "{step}");
        assert_eq!(entries(&decision), new, "{step}");
        assert_eq!(effects(&decision), outside, "{step}");
        let expected: Vec<(String, u64)> = due.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect();
        assert_eq!(timers(&decision.state), expected, "{step}");
        assert_eq!(decision.state.due(), decision.state.timers.first().map(|(at, _, _)| *at));
        state = decision.state;
    }
}

#[test]
fn the_same_inputs_give_the_same_decisions() {
    for until in 1..=14 {
        assert_eq!(played(&walk()[..until]), played(&walk()[..until]));
    }
}

#[test]
fn a_goal_before_the_result_of_the_charge_comes_to_the_same_end() {
    let mut inputs = walk();
    let (result, goal) = (inputs[10].1.clone(), inputs[12].1.clone());
    inputs[10].1 = goal;
    inputs[11].1 = result;
    inputs[12].1 = generated(10, 1, words("Order N-7 is paid."));
    inputs[13].0.ms = inputs[12].0.ms + DAY;
    let (one, other) = (played(&walk()), played(&inputs));
    let (one, other) = (&one.state.conversations[&c()], &other.state.conversations[&c()]);
    assert_eq!(stands(one), stands(other));
    assert_eq!((one.n, one.seq), (other.n, other.seq));
}

#[test]
fn what_is_due_fires_before_an_input_and_at_a_tick() {
    let waiting = walk()[..2].to_vec();
    let due = Pos { ms: p(1).ms + 30 * MINUTE * 1_000, n: 0 };
    let seen = |ms: u64| (Pos { ms, n: 0 }, Body::Seen { conversation: c(), seq: 1 });
    for (at, end) in [(due.ms - 1, "open"), (due.ms, "open"), (due.ms + 1, "closed, expired")] {
        let inputs = [waiting.clone(), vec![seen(at)]].concat();
        assert_eq!(stands(&played(&inputs).state.conversations[&c()]), end, "seen {at}");
    }
    let ticked = played(&[waiting, vec![(due, Body::Tick)]].concat());
    assert_eq!(stands(&ticked.state.conversations[&c()]), "closed, expired");
    assert!(ticked.state.limits.values().all(|used| used.is_empty()), "its place is free");
}

#[test]
fn a_takeover_cancels_the_turn_and_drops_its_late_answer() {
    let claimed = played(&[walk()[..4].to_vec(), vec![(p(5), claim(0))]].concat());
    assert_eq!(entries(&claimed), ["7:3 holder Ana"]);
    assert_eq!(claimed.cancelled.iter().map(|key| short(key)).collect::<Vec<_>>(), ["c/p4/1"]);
    assert_eq!(claimed.dropped, [(c(), p(4))]);
    let late = decide(claimed.state.clone(), &input(p(6), generated(4, 1, words("Too late."))), &catalogs());
    assert!(late.entries.is_empty() && late.ignored.is_some());
    assert_eq!(late.state, claimed.state, "nothing changed");
    let second = decide(claimed.state, &input(p(6), claim(0)), &catalogs());
    assert!(matches!(second.answers[0].reply, Reply::Refused(code) if code.code() == "conflict"));
}

#[test]
fn a_takeover_during_a_charge_gets_its_result_and_starts_no_turn() {
    let inputs = [walk()[..10].to_vec(), vec![(p(11), claim(0)), (p(12), called(3, json!({ "status": "paid" })))]];
    let done = played(&inputs.concat());
    assert_eq!(entries(&done), ["15:9 call done"]);
    assert!(done.effects.is_empty());
    assert_eq!(done.entries[0].entry.by, By::System);
    let again = decide(done.state.clone(), &input(p(13), called(3, json!({ "status": "paid" }))), &catalogs());
    assert!(again.entries.is_empty() && again.ignored.is_some(), "a result counts once");
}

#[test]
fn an_erased_customer_leaves_nothing_and_late_results_change_nothing() {
    let erased = played(&[walk()[..10].to_vec(), vec![(p(11), Body::Erase)]].concat());
    assert_eq!(erased.state, State::default());
    assert_eq!(erased.retired, [c()]);
    let late = decide(erased.state, &input(p(12), called(3, json!({ "status": "paid" }))), &catalogs());
    assert!(late.entries.is_empty() && late.ignored.is_some());
    assert_eq!(late.state, State::default());
}
