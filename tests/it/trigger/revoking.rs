//! Taking back what a topic tells: who has not seen it need not, open conversations go on, and nobody else is told.

use beckon::catalog::compile;
use beckon::model::ids::EventId;
use beckon::model::input::Body;
use beckon::model::topic::Found;
use beckon::trigger::topic::revoking::{Firm, topics_of};
use serde_json::json;

use super::crowd::Crowd;
use super::play::{HOUR, MINUTE, SECOND, files};
use super::topics::{LIST, opened, outage, resolved};

fn reason(crowd: &Crowd, event: EventId) -> String {
    crowd.judged(event).reason.clone().unwrap_or_default()
}

fn updated(news: &str) -> serde_json::Value {
    json!({ "id": "7", "news": news })
}

#[test]
fn what_nobody_was_told_yet_is_told_to_nobody() {
    let mut crowd = Crowd::new(&[&outage("hold: 5m\n      to: { list: event.data.customers }", "")]);
    let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
    let taken_back = crowd.revoke(MINUTE, event, "a drill");
    crowd.pass(HOUR);
    assert!(crowd.given.is_empty() && crowd.pages.is_empty());
    assert_eq!((crowd.verdict(event).as_str(), crowd.verdict(taken_back).as_str()), ("withdrawn", "told"));
    assert_eq!(reason(&crowd, event), "Ana took it back: a drill");
    let again = crowd.event(2 * HOUR, "incident.opened", opened("7", &["ann"]));
    crowd.pass(3 * HOUR);
    assert_eq!((crowd.verdict(again).as_str(), crowd.heard("ann")), ("told", vec!["Outage 7."]));
}

#[test]
fn in_the_middle_nobody_else_is_told_openings_go_and_conversations_stay() {
    let mut crowd = Crowd::new(&[&outage("pace: 60/m\n      to: { list: event.data.customers }", "")]);
    let customers: Vec<String> = (0..10).map(|n| format!("c{n}")).collect();
    let event = crowd.event(0, "incident.opened", json!({ "id": "7", "customers": customers }));
    crowd.pass(3 * SECOND + 500);
    crowd.seen(3 * SECOND + 600, "c1");
    let talks = crowd.conversation("c1");
    let at = 3 * SECOND + 700;
    let taken_back = crowd.revoke(at, event, "");
    // No pace holds it up: it is done before the next second, when another would have been told.
    crowd.pass(3 * SECOND + 999);
    let told: Vec<&str> = crowd.given.iter().filter(|(when, _)| *when >= at).filter_map(|(_, c)| c.user_id()).collect();
    assert_eq!(told, ["c0", "c1", "c2", "c3"]);
    crowd.pass(HOUR);
    assert_eq!(crowd.given.len(), 8, "four were told, and four that it is taken back");
    assert_eq!((crowd.verdict(event).as_str(), crowd.verdict(taken_back).as_str()), ("withdrawn", "told"));
    assert_eq!(json!(crowd.judged(event).values), json!({ "selected": 10, "sent": 4 }));
    assert_eq!(json!(crowd.judged(taken_back).values), json!({ "sent": 4 }));
    assert_eq!(crowd.conversation("c1"), talks, "it goes on");
    for customer in ["c0", "c2", "c3"] {
        assert!(!crowd.talks(customer), "{customer} has not seen it");
    }
    assert_eq!(crowd.facts("c1"), [json!({ "type": "incident.opened" })], "the assistant knows, and not by whom");

    // Who talks hears what comes later, by then the truth; nobody else does.
    crowd.event(2 * HOUR, "incident.updated", updated("a false alarm"));
    crowd.event(3 * HOUR, "incident.resolved", resolved("7"));
    crowd.pass(4 * HOUR);
    assert_eq!(crowd.heard("c1"), ["Outage 7.", "News: a false alarm.", "It works again."]);
    assert!(["c0", "c2", "c3"].iter().all(|customer| crowd.heard(customer) == ["Outage 7."]));
    assert!(crowd.pages.is_empty());
}

#[test]
fn where_nothing_more_would_come_it_can_be_taken_back_while_openings_may_wait() {
    let text = "playbook: stock\non:\n  - topic: { event: stock.returned, key: event.data.product, to: { list: event.data.ids } }\n\
                open: { within: 48h, say: \"{{ event.data.product }} is back.\" }\n";
    for (at, verdict) in [(47 * HOUR, "told"), (49 * HOUR, "not_matched")] {
        let mut crowd = Crowd::new(&[text]);
        let data = json!({ "product": "lamp", "ids": ["ann", "bob"] });
        let event = crowd.event(0, "stock.returned", data.clone());
        crowd.seen(46 * HOUR, "bob");
        assert!(crowd.talks("ann"));
        let taken_back = crowd.revoke(at, event, "the shelf was miscounted");
        assert_eq!(crowd.verdict(taken_back), verdict, "after {at} ms");
        assert_eq!((crowd.talks("ann"), crowd.talks("bob")), (false, true));
        assert!(crowd.pages.is_empty(), "nobody is kept for longer");
        // Back once more, both are told: it is another announcement.
        crowd.close(at + 1, "bob");
        let again = crowd.event(at + MINUTE, "stock.returned", data);
        assert_eq!((crowd.verdict(again).as_str(), crowd.heard("ann").len(), crowd.heard("bob").len()), ("told", 2, 2));
    }
}

#[test]
fn what_waits_for_quiet_hours_to_end_is_not_said() {
    let quiet = "quiet_hours: { from: \"00:00\", to: \"08:00\" }";
    let mut crowd = Crowd::new(&[&outage(LIST, quiet)]);
    let event = crowd.event(HOUR, "incident.opened", opened("7", &["ann"]));
    let taken_back = crowd.revoke(2 * HOUR, event, "");
    crowd.pass(9 * HOUR);
    assert!(crowd.heard("ann").is_empty() && !crowd.talks("ann"));
    assert_eq!(crowd.verdict(taken_back), "told");
}

#[test]
fn what_other_topics_have_to_tell_waits_on() {
    // Without a key of its own a playbook has one opening for all.
    let text =
        outage(LIST, "quiet_hours: { from: \"00:00\", to: \"08:00\" }").replace("key: event.data.id, within", "within");
    for taken in ["revoked", "ended"] {
        let mut crowd = Crowd::new(&[&text]);
        let event = crowd.event(HOUR, "incident.opened", opened("7", &["ann"]));
        crowd.event(2 * HOUR, "incident.opened", opened("8", &["ann"]));
        match taken {
            "ended" => drop(crowd.event(3 * HOUR, "incident.resolved", resolved("7"))),
            _ => drop(crowd.revoke(3 * HOUR, event, "")),
        }
        crowd.pass(9 * HOUR);
        assert_eq!(crowd.heard("ann"), ["Outage 8."], "{taken}");
    }
    // Of both in one opening she hears both ends.
    let mut crowd = Crowd::new(&[&text]);
    crowd.event(HOUR, "incident.opened", opened("7", &["ann"]));
    crowd.event(2 * HOUR, "incident.opened", opened("8", &["ann"]));
    crowd.pass(9 * HOUR);
    for id in ["7", "8"] {
        crowd.event(10 * HOUR, "incident.resolved", resolved(id));
    }
    assert_eq!(crowd.heard("ann"), ["Outage 8.", "It works again.", "It works again."]);
}

#[test]
fn news_that_were_a_mistake_go_no_further() {
    let mut crowd = Crowd::new(&[&outage("pace: 1/s\n      to: { list: event.data.customers }", "")]);
    crowd.event(0, "incident.opened", opened("7", &["ann", "bob", "cid"]));
    crowd.pass(MINUTE);
    let news = crowd.event(MINUTE + 1, "incident.updated", updated("done by noon"));
    crowd.pass(MINUTE + SECOND + 500);
    let taken_back = crowd.revoke(MINUTE + SECOND + 600, news, "by midnight");
    crowd.pass(HOUR);
    assert_eq!((crowd.verdict(news).as_str(), crowd.verdict(taken_back).as_str()), ("withdrawn", "told"));
    let heard = ["ann", "bob", "cid"].map(|customer| crowd.heard(customer).len());
    assert_eq!(heard, [2, 2, 1], "two were told in these two seconds");
    crowd.event(2 * HOUR, "incident.resolved", resolved("7"));
    crowd.pass(3 * HOUR);
    assert_eq!(crowd.heard("cid"), ["Outage 7.", "It works again."], "what it is about stands");
}

#[test]
fn news_that_wait_go_with_what_they_are_about() {
    let mut crowd = Crowd::new(&[&outage("pace: 1/s\n      to: { list: event.data.customers }", "")]);
    let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob", "cid"]));
    crowd.pass(MINUTE);
    let told = crowd.event(MINUTE + 1, "incident.updated", updated("a cable"));
    let waits = crowd.event(MINUTE + 2, "incident.updated", updated("two cables"));
    crowd.pass(MINUTE + 500);
    crowd.revoke(MINUTE + 600, event, "");
    crowd.pass(MINUTE + SECOND);
    assert_eq!((crowd.verdict(told).as_str(), crowd.verdict(waits).as_str()), ("told", "withdrawn"));
    assert_eq!(reason(&crowd, told), "what it is about was taken back");
    assert!(["ann", "bob", "cid"].iter().all(|customer| !crowd.talks(customer)));
}

#[test]
fn what_is_not_told_any_more_says_why_it_cannot_be_taken_back() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    let first = crowd.event(0, "incident.opened", opened("7", &["ann"]));
    let second = crowd.event(1, "incident.opened", opened("7", &["ann", "bob"]));
    let of_first = crowd.revoke(2, first, "");
    assert_eq!(crowd.verdict(of_first), "not_matched");
    assert_eq!(json!(crowd.judged(of_first).values), json!({ "event": second.to_string() }));
    assert!(crowd.talks("ann"));
    let of_second = crowd.revoke(3, second, "");
    assert_eq!(crowd.verdict(of_second), "told");
    assert!(!crowd.talks("ann") && !crowd.talks("bob"), "all that the topic has begun");
    let twice = crowd.revoke(4, second, "");
    assert_eq!(
        (crowd.verdict(twice).as_str(), reason(&crowd, twice).as_str()),
        ("not_matched", "it was taken back before")
    );

    let third = crowd.event(HOUR, "incident.opened", opened("7", &["ann", "bob"]));
    assert_eq!(crowd.heard("ann").len(), 2, "it begins again for those who have not seen it");
    crowd.event(HOUR + 1, "incident.resolved", resolved("7"));
    let over = crowd.revoke(HOUR + 2, third, "");
    assert_eq!(reason(&crowd, over), "its topic is over, or tells no more of it");
}

#[test]
fn the_end_during_it_reaches_those_who_talk() {
    let mut crowd = Crowd::new(&[&outage("pace: 1/s\n      to: { list: event.data.customers }", "")]);
    let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
    crowd.pass(MINUTE);
    crowd.seen(MINUTE + 1, "bob");
    crowd.held = true;
    crowd.revoke(MINUTE + 2, event, "");
    crowd.event(MINUTE + 3, "incident.resolved", resolved("7"));
    crowd.held = false;
    crowd.arrive();
    crowd.pass(HOUR);
    assert_eq!((crowd.heard("ann"), crowd.heard("bob")), (vec!["Outage 7."], vec!["Outage 7.", "It works again."]));
    assert!(!crowd.talks("ann") && crowd.pages.is_empty());
}

#[test]
fn the_end_does_not_come_before_what_takes_it_back() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
    crowd.seen(1, "bob");
    // News are under way, whose result comes last of all: nothing of what follows could begin before it.
    crowd.held = true;
    crowd.event(2, "incident.updated", updated("a cable"));
    crowd.one_arrives();
    crowd.revoke(3, event, "");
    crowd.event(4, "incident.resolved", resolved("7"));
    let at = crowd.sent.iter().position(|(_, body)| matches!(body, Body::Told { .. })).unwrap();
    let told = crowd.sent.remove(at).unwrap();
    crowd.sent.push_back(told);
    crowd.held = false;
    crowd.arrive();
    assert!(!crowd.talks("ann"), "{:?}", crowd.heard("ann"));
    assert_eq!(crowd.heard("bob"), ["Outage 7.", "News: a cable.", "It works again."]);
}

#[test]
fn what_comes_twice_takes_back_once() {
    let mut once = Crowd::new(&[&outage(LIST, "")]);
    let mut twice = Crowd::new(&[&outage(LIST, "")]);
    twice.twice = true;
    for crowd in [&mut once, &mut twice] {
        let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
        crowd.seen(1, "bob");
        crowd.revoke(2, event, "");
        crowd.event(3, "incident.updated", updated("nothing at all"));
        assert!(!crowd.talks("ann"));
        assert_eq!(crowd.facts("bob").len(), 2);
    }
    assert_eq!(once.words, twice.words);
}

#[test]
fn only_what_tells_many_can_be_taken_back_and_no_end() {
    let texts = [outage(LIST, ""), "playbook: other\non: [{ event: order.late }]\nopen: { say: Hi }\n".to_owned()];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let catalog = compile(&files(&texts), None).unwrap();
    let event = |kind: &str| beckon::model::event::Event::new("network", "1", kind, None, json!({ "id": 7 }));
    let of = |kind: &str| topics_of(&catalog, &event(kind));
    assert_eq!(of("incident.opened").unwrap(), [("outage".to_owned(), "7".to_owned())]);
    assert_eq!(of("incident.updated").unwrap().len(), 1);
    assert!(of("incident.resolved").unwrap_err().to_string().contains("an end cannot be taken back"));
    for kind in ["order.late", "unheard.of"] {
        assert_eq!(of(kind), Err(Firm::Single("No playbook in force tells many customers of it.")), "{kind}");
    }
    // What a topic gave to a customer names the event that was sent.
    let mut crowd = Crowd::new(&texts);
    let sent = crowd.event(0, "incident.opened", opened("7", &["ann"]));
    let given = crowd.events_given.last().unwrap();
    assert_eq!(topics_of(&catalog, given), Err(Firm::Given(sent)));
}

#[test]
fn a_wider_list_after_it_was_taken_back_disturbs_nobody_who_talks() {
    let mut crowd = Crowd::new(&[&outage(LIST, "")]);
    let event = crowd.event(0, "incident.opened", opened("7", &["ann", "bob"]));
    crowd.seen(1, "bob");
    crowd.revoke(2, event, "");
    crowd.event(MINUTE, "incident.opened", opened("7", &["ann", "bob", "cid"]));
    assert_eq!(crowd.heard("ann"), ["Outage 7.", "Outage 7."], "she never saw the first");
    assert_eq!((crowd.heard("bob"), crowd.heard("cid")), (vec!["Outage 7."], vec!["Outage 7."]));
}

#[test]
fn a_full_stop_of_the_selection_is_said_by_who_took_it_back() {
    let mut crowd = Crowd::new(&[&outage("to: { where: customer.traits.plan == 'fibre' }", "")]);
    crowd.finds = Box::new(|cursor| {
        let page: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        Ok(Found { customers: super::topics::ids(300), next: Some((page + 1).to_string()) })
    });
    crowd.held = true;
    let event = crowd.event(0, "incident.opened", json!({ "id": "7" }));
    for _ in 0..20 {
        crowd.one_arrives();
    }
    crowd.revoke(1, event, "");
    crowd.held = false;
    crowd.arrive();
    assert_eq!((crowd.verdict(event).as_str(), reason(&crowd, event).as_str()), ("withdrawn", "Ana took it back"));
    assert!(crowd.given.len() < 1_000, "it goes no further");
}
