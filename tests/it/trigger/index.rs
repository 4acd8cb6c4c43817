//! Finding triggers without asking each: nothing that would match is passed over, and what is passed over is counted.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::play::Play;

/// A workspace of one playbook for each condition.
fn play(conditions: &[String]) -> Play {
    let texts: Vec<String> = conditions
        .iter()
        .enumerate()
        .map(|(place, when)| {
            format!("playbook: p{place:03}\non:\n  - event: x\n    when: \"{when}\"\nopen: {{ within: 1d, say: Hi }}\n")
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Play::new(&texts)
}

fn part() -> impl Strategy<Value = String> {
    let number = -3..4_i32;
    let text = prop::sample::select(vec!["", "a", "ab", "abc", "é", "éa", "b"]);
    prop_oneof![
        (number.clone(), prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]))
            .prop_map(|(n, op)| format!("event.data.n {op} {n}")),
        (number.clone(), prop::sample::select(vec!["==", "<", "<=", ">", ">="]))
            .prop_map(|(n, op)| format!("{n}.5 {op} event.data.n")),
        text.clone().prop_map(|t| format!("event.data.t == '{t}'")),
        text.clone().prop_map(|t| format!("event.data.t.startsWith('{t}')")),
        (text, number).prop_map(|(t, n)| format!("event.data.t in ['{t}', 'zz'] || event.data.n == {n}")),
        prop::sample::select(vec!["1", "'b'", "2.0"]).prop_map(|v| format!("event.data.n in [{v}, 'ab']")),
        any::<bool>().prop_map(|flag| format!("event.data.f == {flag}")),
        Just("event.source == 'shop'".to_owned()),
        Just("event.time == ''".to_owned()),
        Just("event.data.o.deep == 1".to_owned()),
    ]
}

fn data() -> impl Strategy<Value = Value> {
    let values = vec![
        json!(0),
        json!(-2),
        json!(2),
        json!(2.0),
        json!(1.5),
        json!(-0.0),
        json!("a"),
        json!("ab"),
        json!("abcd"),
        json!("é"),
        json!("éab"),
        json!(""),
        json!(true),
        json!(false),
        json!(null),
        json!([1]),
        json!({ "deep": 1 }),
    ];
    let value = prop::sample::select(values);
    let flags = prop::sample::select(vec!["n", "t", "f", "o"]);
    prop::collection::vec((flags, value), 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

proptest! {
    #![proptest_config(super::cases(48))]

    #[test]
    fn whatever_matches_is_found(
        conditions in prop::collection::vec(prop::collection::vec(part(), 1..3), 66..70),
        events in prop::collection::vec(data(), 1..6),
    ) {
        let conditions: Vec<String> = conditions.iter().map(|parts| {
            if parts.iter().any(|part| part.contains("||")) { parts[0].clone() } else { parts.join(" && ") }
        }).collect();
        let mut many = play(&conditions);
        // So few that each is asked in full.
        let mut few: Vec<(usize, Play)> =
            conditions.chunks(30).enumerate().map(|(chunk, texts)| (chunk * 30, play(texts))).collect();
        for (at, data) in events.into_iter().enumerate() {
            let id = many.event(at as u64, "x", data.clone());
            let spoke = |play: &Play, id, first: usize| -> Vec<usize> {
                let told = play.verdicts.iter().filter(|((event, _), _)| *event == id);
                told.filter(|(_, judged)| judged.conversation.is_some() || judged.reason.as_deref() == Some("full"))
                    .map(|((_, name), _)| name[1..].parse::<usize>().unwrap() + first)
                    .collect()
            };
            let found = spoke(&many, id, 0);
            let expected: Vec<usize> = few.iter_mut().flat_map(|(first, play)| {
                let id = play.event(at as u64, "x", data.clone());
                spoke(play, id, *first)
            }).collect();
            prop_assert_eq!(&found, &expected);
            let told = many.verdicts.keys().filter(|(event, name)| *event == id && name != "*").count();
            let others = many.verdicts.get(&(id, "*".to_owned())).map_or(0, |j| j.values["playbooks"].as_u64().unwrap());
            prop_assert_eq!(told as u64 + others, conditions.len() as u64, "the sums agree");
        }
    }
}
