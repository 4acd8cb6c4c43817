//! One event for many: who is told, of what, when, and what stops it.

use std::collections::BTreeMap;

use beckon::model::ids::ActorId;
use beckon::model::input::{Body, Operator};
use beckon::model::topic::Found;
use serde_json::{Value, json};

use super::crowd::Crowd;
use super::play::{HOUR, MINUTE, SECOND};

/// A playbook about outages; `topic` is what its topic says beside event and key, `more` what the playbook says.
pub fn outage(topic: &str, more: &str) -> String {
    format!(
        "playbook: outage\non:\n  - topic:\n      event: incident.opened\n      key: event.data.id\n      {topic}\n      \
         updates: {{ event: incident.updated, say: \"News: {{{{ event.data.news }}}}.\" }}\n      \
         ends: {{ event: incident.resolved, say: \"It works again.\" }}\n{more}\n\
         open: {{ key: event.data.id, within: 2h, say: \"Outage {{{{ event.data.id }}}}.\" }}\n"
    )
}

pub const LIST: &str = "to: { list: event.data.customers }";

pub fn opened(id: &str, customers: &[&str]) -> Value {
    json!({ "id": id, "customers": customers })
}

pub fn resolved(id: &str) -> Value {
    json!({ "id": id })
}

pub fn ids(count: usize) -> Vec<ActorId> {
    (0..count).map(|n| ActorId::user(&format!("c{n:06}"))).collect()
}

#[test]
fn everyone_who_is_listed_is_told_once_and_learns_of_nobody_else() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    let event = crowd.event(0, "incident.opened", json!({ "id": 7, "customers": ["ann", "bob", "ann", 12] }));
    assert_eq!(crowd.verdict(event), "told");
    assert_eq!(json!(crowd.judged(event).values), json!({ "selected": 3, "sent": 3 }));
    for customer in ["ann", "bob", "12"] {
        assert_eq!(crowd.heard(customer), ["Outage 7."], "{customer}");
        let state = String::from_utf8(crowd.states[&ActorId::user(customer)].encode()).unwrap();
        let others = ["ann", "bob", "12"].iter().filter(|other| **other != customer);
        assert!(others.into_iter().all(|other| !state.contains(&format!("\"{other}\""))), "{state}");
    }
    assert_eq!(crowd.verdicts.len(), 4, "one for the event, and one for each customer: {:#?}", crowd.verdicts);
}

#[test]
fn whatever_the_list_is_written_as_nobody_learns_of_others() {
    let deep = json!({ "id": 7, "to": { "customers": ["ann", "bob"] } });
    for (list, data) in [
        ("event.data.to.customers", deep.clone()),
        ("event.data['to']['customers']", deep.clone()),
        ("event.data.to.customers.filter(c, c != 'cid')", deep),
        (
            "event.data.groups.map(group, group.leader)",
            json!({ "id": 7, "groups": [{ "leader": "ann" }, { "leader": "bob" }] }),
        ),
        ("[event.data.first, event.data.second]", json!({ "id": 7, "first": "ann", "second": "bob" })),
    ] {
        let mut crowd = Crowd::new(&[&outage(&format!("to: {{ list: \"{list}\" }}"), "")]);
        crowd.event(0, "incident.opened", data);
        assert_eq!(crowd.given.len(), 2, "{list}");
        assert!(crowd.lists.iter().all(|data| !data.contains("ann") && !data.contains("bob")), "{list}");
    }
}

#[test]
fn an_event_about_a_customer_goes_to_the_topic_too() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    let event = crowd.customers_event(0, "zoe", "incident.opened", opened("7", &["ann"]));
    assert_eq!((crowd.verdict(event).as_str(), crowd.heard("ann").len(), crowd.heard("zoe").len()), ("told", 1, 0));
}

#[test]
fn what_is_no_list_and_what_has_no_key_reaches_nobody_and_says_why() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    for (data, verdict, reason) in [
        (json!({ "id": 7, "customers": "ann" }), "failed", "event.data.customers: it is no list of ids of users"),
        (json!({ "id": 7, "customers": [null] }), "failed", "event.data.customers: one of them is null"),
        (json!({ "customers": ["ann"] }), "not_matched", "key: "),
        (json!({ "id": "a\nb", "customers": ["ann"] }), "not_matched", "`a\nb` is not a valid key of a topic"),
    ] {
        let event = crowd.event(0, "incident.opened", data);
        let judged = crowd.judged(event);
        assert_eq!(crowd.verdict(event), verdict);
        assert!(judged.reason.as_deref().unwrap().starts_with(reason), "{judged:?}");
    }
    assert!(crowd.given.is_empty());
}

#[test]
fn a_flapping_alert_below_its_hold_reaches_nobody() {
    let mut crowd = Crowd::new(&[&outage("hold: 5m\n      to: { list: event.data.customers }", "")]);
    let mut events = Vec::new();
    for round in 0..20 {
        events.push(crowd.event(round * 6 * MINUTE, "incident.opened", opened("7", &["ann", "bob"])));
        crowd.event(round * 6 * MINUTE + 4 * MINUTE, "incident.resolved", resolved("7"));
    }
    crowd.pass(10 * HOUR);
    assert!(crowd.given.is_empty());
    assert!(events.iter().all(|event| crowd.verdict(*event) == "withdrawn"));
    assert!(crowd.pages.is_empty(), "nobody is kept who was never told");
}

#[test]
fn the_end_of_a_hold_is_exact_by_the_events_own_times() {
    let text = outage("hold: 5m\n      to: { list: event.data.customers }", "");
    for (at, told) in [(5 * MINUTE - 1, 0), (5 * MINUTE, 0), (5 * MINUTE + 1, 2)] {
        // The tick of the hold's end and the end of the outage may come in either order.
        let mut crowd = Crowd::new(&[&text]);
        crowd.event(0, "incident.opened", opened("7", &["ann"]));
        crowd.event(at, "incident.resolved", resolved("7"));
        crowd.pass(HOUR);
        assert_eq!(crowd.heard("ann").len(), told, "ended {at} ms after");
    }
    // An end that was on its way when the hold ended still counts, while nobody was told.
    let mut crowd = Crowd::new(&[&text]);
    crowd.event(0, "incident.opened", opened("7", &["ann"]));
    crowd.held = true;
    crowd.event(5 * MINUTE, "incident.resolved", resolved("7"));
    let on_its_way = std::mem::take(&mut crowd.sent);
    crowd.sent = on_its_way;
    crowd.held = false;
    crowd.arrive();
    crowd.pass(HOUR);
    assert_eq!(crowd.heard("ann").len(), 0);
}

#[test]
fn a_hold_counts_from_the_first_of_several_alerts() {
    let mut crowd = Crowd::new(&[&outage("hold: 5m\n      to: { list: event.data.customers }", "")]);
    let first = crowd.event(0, "incident.opened", opened("7", &["ann"]));
    let second = crowd.event(4 * MINUTE, "incident.opened", opened("7", &["ann", "bob"]));
    assert_eq!((crowd.verdict(first).as_str(), crowd.verdict(second).as_str()), ("withdrawn", "pending"));
    crowd.pass(5 * MINUTE + 1);
    assert_eq!((crowd.verdict(second).as_str(), crowd.heard("ann").len(), crowd.heard("bob").len()), ("told", 1, 1));
}

#[test]
fn news_and_the_end_reach_exactly_those_who_were_told() {
    let refuses = "limits: { per_customer: 1 per 24h }";
    let mut crowd = Crowd::new(&[&outage(LIST, refuses)]);
    // Ann's limit is used up by another outage: she is not told of this one.
    crowd.event(0, "incident.opened", opened("6", &["ann"]));
    crowd.event(MINUTE, "incident.opened", opened("7", &["ann", "bob", "cid", "dan"]));
    crowd.seen(2 * MINUTE, "bob");
    crowd.seen(2 * MINUTE, "cid");
    crowd.close(3 * MINUTE, "cid");
    let news = crowd.event(4 * MINUTE, "incident.updated", json!({ "id": "7", "news": "a cable" }));
    let end = crowd.event(5 * MINUTE, "incident.resolved", resolved("7"));
    assert_eq!((crowd.verdict(news).as_str(), crowd.verdict(end).as_str()), ("told", "told"));
    assert_eq!(crowd.heard("ann"), ["Outage 6."]);
    assert_eq!(crowd.heard("bob"), ["Outage 7.", "News: a cable.", "It works again."]);
    assert_eq!(crowd.heard("cid"), ["Outage 7."], "he closed it, and his limit holds back another opening");
    assert_eq!(crowd.heard("dan"), ["Outage 7.", "News: a cable.", "It works again."], "not seen yet, but there");
    let later = crowd.event(6 * MINUTE, "incident.updated", json!({ "id": "7", "news": "more" }));
    assert_eq!(crowd.verdict(later), "not_matched", "it is over");
    let mut pages = crowd.pages.keys();
    assert!(pages.all(|page| page.as_str().ends_with(":6")), "whom it told is forgotten at its end");
}

#[test]
fn who_closed_the_conversation_hears_the_end_by_an_opening_and_who_never_saw_it_hears_nothing() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    crowd.event(0, "incident.opened", opened("7", &["cid", "dan"]));
    crowd.seen(MINUTE, "cid");
    crowd.close(2 * MINUTE, "cid");
    // Nobody saw Dan's opening within its two hours.
    crowd.event(3 * HOUR, "incident.resolved", resolved("7"));
    assert_eq!(crowd.heard("cid"), ["Outage 7.", "It works again."]);
    assert_eq!(crowd.heard("dan"), ["Outage 7."]);
}

#[test]
fn while_a_person_talks_the_news_are_not_the_assistants_words() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    crowd.event(0, "incident.opened", opened("7", &["bob"]));
    crowd.seen(1, "bob");
    let conversation = crowd.conversation("bob");
    let operator = Operator { id: "key:ana".to_owned(), name: "Ana".to_owned() };
    crowd.of(2, "bob", Body::Claim { conversation, operator, n: 0 });
    crowd.event(3, "incident.resolved", resolved("7"));
    assert_eq!(crowd.heard("bob"), ["Outage 7.", "It works again."]);
    assert!(crowd.by_assistant.iter().all(|text| text != "It works again."), "never two authors at once");
}

#[test]
fn quiet_hours_hold_an_opening_that_knows_the_news_and_the_end_takes_it_back() {
    let quiet = "quiet_hours: { from: \"00:00\", to: \"08:00\" }";
    let mut crowd = Crowd::new(&[&outage(LIST, quiet)]);
    let event = crowd.event(HOUR, "incident.opened", opened("7", &["ann"]));
    assert_eq!(crowd.verdict(event), "told", "its topic did its part");
    crowd.event(2 * HOUR, "incident.updated", json!({ "id": "7", "news": "a cable" }));
    assert!(crowd.heard("ann").is_empty());
    crowd.event(3 * HOUR, "incident.resolved", resolved("7"));
    crowd.pass(9 * HOUR);
    assert!(crowd.heard("ann").is_empty(), "it was over before she could be told");

    crowd.event(10 * HOUR, "incident.opened", opened("8", &["ann"]));
    assert_eq!(crowd.heard("ann"), ["Outage 8."]);
    crowd.event(25 * HOUR, "incident.opened", opened("9", &["ann"]));
    crowd.event(26 * HOUR, "incident.updated", json!({ "id": "9", "news": "a cable" }));
    crowd.pass(33 * HOUR);
    assert_eq!(crowd.heard("ann"), ["Outage 8.", "Outage 9."], "one opening for both, by the words of the beginning");
}

#[test]
fn pausing_stops_what_is_not_sent_yet_and_those_who_were_told_still_hear_the_end() {
    let mut crowd = Crowd::new(&[&outage("pace: 60/m\n      to: { list: event.data.customers }", "")]);
    let customers: Vec<String> = (0..10).map(|n| format!("c{n}")).collect();
    let event = crowd.event(0, "incident.opened", json!({ "id": "7", "customers": customers }));
    crowd.pass(3 * SECOND + 500);
    crowd.catalogs.in_force.paused = vec!["outage".to_owned()];
    crowd.pass(MINUTE);
    assert_eq!(crowd.given.len(), 4, "one a second");
    assert_eq!(crowd.verdict(event), "paused");
    assert_eq!(json!(crowd.judged(event).values), json!({ "selected": 10, "sent": 4 }));
    crowd.catalogs.in_force.paused.clear();
    crowd.pass(2 * MINUTE);
    assert_eq!(crowd.given.len(), 4, "it is stopped for good");
    crowd.event(3 * MINUTE, "incident.resolved", resolved("7"));
    crowd.pass(10 * MINUTE);
    let told: Vec<usize> = (0..10).map(|n| crowd.heard(&format!("c{n}")).len()).collect();
    assert_eq!(told, [2, 2, 2, 2, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_end_stops_the_selection_and_reaches_those_told_so_far() {
    let mut crowd = Crowd::new(&[&outage("pace: 10/s\n      to: { list: event.data.customers }", "")]);
    let customers: Vec<String> = (0..1_000).map(|n| format!("c{n}")).collect();
    let event = crowd.event(0, "incident.opened", json!({ "id": "7", "customers": customers }));
    crowd.event(29 * SECOND + 500, "incident.resolved", resolved("7"));
    crowd.pass(HOUR);
    assert_eq!(json!(crowd.judged(event).values), json!({ "selected": 1_000, "sent": 300 }));
    let count = |n: usize| (0..1_000).filter(|c| crowd.heard(&format!("c{c}")).len() == n).count();
    assert_eq!((count(0), count(1), count(2)), (700, 0, 300));
}

#[test]
fn what_begins_again_while_its_end_is_told_tells_everyone_anew() {
    let mut crowd = Crowd::new(&[&outage("pace: 1/s\n      to: { list: event.data.customers }", "")]);
    let customers = ["ann", "bob", "cid"];
    crowd.event(0, "incident.opened", opened("7", &customers));
    crowd.pass(MINUTE);
    let end = crowd.event(MINUTE + 1, "incident.resolved", resolved("7"));
    let second = crowd.event(MINUTE + 2, "incident.resolved", resolved("7"));
    assert_eq!(crowd.verdict(second), "not_matched", "it is being told");
    let again = crowd.event(MINUTE + 500, "incident.opened", opened("7", &customers));
    crowd.pass(2 * MINUTE);
    assert_eq!((crowd.verdict(end).as_str(), crowd.verdict(again).as_str()), ("told", "told"));
    let last = crowd.event(3 * MINUTE, "incident.resolved", resolved("7"));
    crowd.pass(4 * MINUTE);
    assert_eq!(crowd.verdict(last), "told");
    let told =
        customers.map(|customer| crowd.heard(customer).iter().filter(|text| text.starts_with("It works")).count());
    assert_eq!(told, [2, 1, 1], "only one had heard of the first end");
    assert!(crowd.pages.is_empty());
}

#[test]
fn of_a_page_told_in_part_only_that_part_hears_the_end() {
    let mut crowd = Crowd::new(&[&outage("pace: 1/s\n      to: { list: event.data.customers }", "")]);
    crowd.event(0, "incident.opened", opened("7", &["ann", "bob", "cid", "dan"]));
    crowd.pass(SECOND + 500);
    crowd.event(SECOND + 600, "incident.opened", opened("7", &["eve"]));
    crowd.pass(MINUTE);
    crowd.given.clear();
    crowd.event(2 * MINUTE, "incident.resolved", resolved("7"));
    crowd.pass(3 * MINUTE);
    let given: Vec<&str> = crowd.given.iter().filter_map(|(_, actor)| actor.user_id()).collect();
    assert_eq!(given, ["ann", "bob", "eve"]);
}

#[test]
fn no_second_has_more_than_the_pace_allows() {
    for (pace, each, per) in [("100/s", 100, SECOND), ("30/m", 1, 2 * SECOND), ("7200/h", 2, SECOND)] {
        let topic = format!("pace: {pace}\n      to: {{ list: event.data.customers }}");
        let mut crowd = Crowd::new(&[&outage(&topic, "")]);
        let customers: Vec<String> = (0..1_000).map(|n| format!("c{n}")).collect();
        crowd.event(0, "incident.opened", json!({ "id": "7", "customers": customers }));
        let spans = 1_000 / each;
        crowd.pass((spans - 1) * per - 1);
        assert_eq!(crowd.given.len() as u64, 1_000 - each, "{pace}: not before its time");
        crowd.pass(spans * per);
        assert_eq!(crowd.given.len(), 1_000, "{pace}");
        let mut by_span: BTreeMap<u64, u64> = BTreeMap::new();
        for (at, _) in &crowd.given {
            *by_span.entry(at / per).or_default() += 1;
        }
        assert!(by_span.values().all(|count| *count == each), "{pace}: {by_span:?}");
    }
}

#[test]
fn a_topic_rests_while_too_many_wait_for_a_person() {
    let mut crowd = Crowd::new(&[&outage("pace: 1/s\n      queue: 5\n      to: { list: event.data.customers }", "")]);
    crowd.waiting = 6;
    let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
    crowd.pass(MINUTE);
    assert!(crowd.given.is_empty());
    assert!(crowd.judged(event).reason.as_deref().unwrap().starts_with("it rests: 6 conversations wait"));
    crowd.waiting = 5;
    crowd.pass(2 * MINUTE);
    assert_eq!((crowd.given.len(), crowd.verdict(event).as_str()), (2, "told"));
}

#[test]
fn what_comes_twice_counts_once() {
    let mut once = Crowd::new(&[&outage(LIST, "")]);
    let mut twice = Crowd::new(&[&outage(LIST, "")]);
    twice.twice = true;
    for crowd in [&mut once, &mut twice] {
        crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
        crowd.event(1, "incident.updated", json!({ "id": "7", "news": "a cable" }));
        crowd.event(2, "incident.resolved", resolved("7"));
        crowd.close(3, "bob");
        crowd.event(4, "incident.opened", opened("7", &["bob"]));
    }
    assert_eq!(once.words, twice.words);
    assert_eq!(once.heard("bob").len(), 4, "it broke again");
}

#[test]
fn a_result_that_comes_twice_passes_nobody_over() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    crowd.twice = true;
    let customers: Vec<String> = (0..1_000).map(|n| format!("c{n}")).collect();
    let event = crowd.event(0, "incident.opened", json!({ "id": "7", "customers": customers }));
    assert_eq!(json!(crowd.judged(event).values), json!({ "selected": 1_000, "sent": 1_000 }));
    crowd.event(1, "incident.resolved", resolved("7"));
    assert!((0..1_000).all(|n| crowd.heard(&format!("c{n}")) == ["Outage 7.", "It works again."]));
}

#[test]
fn what_begins_again_as_its_topic_is_being_forgotten_is_told() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    crowd.event(0, "incident.opened", opened("7", &["ann"]));
    crowd.event(1, "incident.resolved", resolved("7"));
    // A topic that is over is known for 24 hours; nobody was there to tick it since.
    let again = crowd.event_before_ticks(25 * HOUR, "incident.opened", opened("7", &["bob"]));
    assert_eq!(crowd.verdict(again), "told");
    assert_eq!(crowd.heard("bob"), ["Outage 7."]);
    crowd.event(26 * HOUR, "incident.resolved", resolved("7"));
    assert_eq!(crowd.heard("bob"), ["Outage 7.", "It works again."]);
}

#[test]
fn a_wider_list_tells_the_new_ones_and_disturbs_nobody_twice() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
    crowd.seen(1, "bob");
    crowd.close(2, "bob");
    crowd.event(MINUTE, "incident.opened", opened("7", &["ann", "bob", "cid"]));
    crowd.event(2 * MINUTE, "incident.resolved", resolved("7"));
    let end = "It works again.";
    assert_eq!(crowd.heard("ann"), ["Outage 7.", end]);
    assert_eq!(crowd.heard("bob"), ["Outage 7.", end]);
    assert_eq!(crowd.heard("cid"), ["Outage 7.", end]);
}

#[test]
fn followers_are_told_until_they_follow_no_more() {
    let text = "playbook: stock\non:\n  - topic:\n      event: stock.returned\n      key: event.data.product\n      \
                to: { followers: { event: wish.added, until: wish.removed, for: 30d, trust: client } }\n\
                open: { say: \"{{ event.data.product }} is back.\" }\n";
    let mut crowd = Crowd::new(&[text]);
    let wish = |product: &str| json!({ "product": product });
    let follows = crowd.customers_event(0, "ann", "wish.added", wish("lamp"));
    assert_eq!(crowd.judged(follows).reason.as_deref(), Some("the customer follows lamp from now on"));
    let follow = crowd.follows.last().unwrap().1.clone();
    assert_eq!(follow.until, Some(crowd.time().plus(beckon::model::time::Millis::hours(30 * 24))));
    crowd.customers_event(1, "ann", "wish.removed", wish("lamp"));
    assert_eq!(crowd.follows.last().unwrap().1.until, None);
    let nobody = crowd.event(2, "wish.added", wish("lamp"));
    assert_eq!(crowd.judged(nobody).reason.as_deref(), Some("no customer"));
    crowd.finds = Box::new(|_| Ok(Found { customers: vec![ActorId::user("ann")], next: None }));
    let event = crowd.event(3, "stock.returned", wish("lamp"));
    assert_eq!((crowd.verdict(event).as_str(), crowd.heard("ann")), ("told", vec!["lamp is back."]));
    crowd.pass(25 * HOUR);
    assert!(crowd.pages.is_empty(), "where nothing more is to come nobody is kept for long");
}

#[test]
fn pages_of_an_api_come_one_after_the_other_and_failures_are_tried_again() {
    let mut crowd = Crowd::new(&[&outage("to: { where: customer.traits.plan == 'fibre' }", "")]);
    let mut tries = 0;
    crowd.finds = Box::new(move |cursor| {
        tries += 1;
        if tries == 2 {
            return Err("the network is down".to_owned());
        }
        let page: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let customers = ids(1_000).split_off(page * 300).into_iter().take(300).collect();
        Ok(Found { customers, next: (page < 3).then(|| (page + 1).to_string()) })
    });
    let event = crowd.event(0, "incident.opened", json!({ "id": "7" }));
    assert_eq!(crowd.given.len(), 300);
    assert!(crowd.judged(event).reason.as_deref().unwrap().ends_with("the network is down"));
    crowd.pass(MINUTE);
    assert_eq!((crowd.given.len(), crowd.verdict(event).as_str()), (1_000, "told"));

    let mut crowd = Crowd::new(&[&outage("to: { where: customer.traits.plan == 'fibre' }", "")]);
    crowd.finds = Box::new(|_| Err("the network is down".to_owned()));
    let event = crowd.event(0, "incident.opened", json!({ "id": "7" }));
    crowd.pass(HOUR);
    assert_eq!(crowd.verdict(event), "failed");

    let mut crowd = Crowd::new(&[&outage("to: { where: customer.traits.plan == 'fibre' }", "")]);
    crowd.finds = Box::new(|_| Ok(Found { customers: ids(1), next: Some("again".to_owned()) }));
    let event = crowd.event(0, "incident.opened", json!({ "id": "7" }));
    assert_eq!(crowd.judged(event).reason.as_deref(), Some("the same page of customers came again"));
}

#[test]
fn a_hundred_thousand_customers_make_no_large_state() {
    let mut crowd = Crowd::new(&[&outage("to: { where: customer.traits.plan == 'fibre' }", "")]);
    crowd.finds = Box::new(|cursor| {
        let page: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let customers = (page * 1_000..(page + 1) * 1_000).map(|n| ActorId::user(&format!("c{n}"))).collect();
        Ok(Found { customers, next: (page < 99).then(|| (page + 1).to_string()) })
    });
    // Customers take no part: what is measured is the topic.
    crowd.deaf = true;
    let event = crowd.event(0, "incident.opened", json!({ "id": "7" }));
    assert_eq!(json!(crowd.judged(event).values), json!({ "selected": 100_000, "sent": 100_000 }));
    let topic = ActorId::topic("outage", "7").unwrap();
    assert!(crowd.states[&topic].encode().len() < 1_024, "{}", crowd.states[&topic].encode().len());
    assert_eq!(crowd.pages.len(), 400);
    assert!(crowd.pages.values().all(|page| page.len() <= 256));
    crowd.event(1, "incident.resolved", resolved("7"));
    assert!(crowd.pages.is_empty());
    crowd.pass(25 * HOUR);
    assert!(!crowd.states.contains_key(&topic), "a day after its end it leaves nothing behind");
}

#[test]
fn a_topic_whose_playbook_is_gone_stops() {
    let mut crowd = Crowd::new(&[&outage("pace: 1/s\n      to: { list: event.data.customers }", "")]);
    let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob", "cid"]));
    let other = Crowd::new(&["playbook: other\non: [{ event: x }]\nopen: { say: Hi }\n"]);
    crowd.catalogs = other.catalogs;
    crowd.pass(MINUTE);
    assert_eq!((crowd.verdict(event).as_str(), crowd.given.len()), ("withdrawn", 1));
}
