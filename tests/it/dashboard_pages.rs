//! The dashboard's other pages, by what a browser sees and sends: customers, flow, events, replies, setup, who is here.

use std::time::Duration;

use beckon::catalog::compile;
use beckon::clock::{Clock, SystemClock};
use beckon::http::dashboard::Front;
use beckon::model::attachment::FileType;
use beckon::model::catalog::Files;
use beckon::model::conversation::Outcome;
use beckon::model::customer::State;
use beckon::model::decision::{GoalReached, JournalLine, SummaryState};
use beckon::model::entry::{By, HolderKind, Kind, OutcomeKind, Verdict};
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, ConversationId, EventId, Pos};
use beckon::model::input::Body;
use beckon::model::live::{Attention, Live};
use beckon::model::time::{Millis, Ms};
use beckon::record::NewAttachment;
use beckon::store::{Channel, Hint, Hints};
use beckon::trigger::sense::sense;
use serde_json::json;

use super::dashboard::{CART, Office, decide_claim, entry, judged, words};

async fn next_live(hints: &mut Hints) -> Live {
    let waiting = tokio::time::timeout(Duration::from_secs(40), hints.recv());
    match waiting.await.expect("no hint came").expect("the bus ended") {
        Hint::Payload(payload) => serde_json::from_slice(&payload).unwrap(),
        Hint::Missed => panic!("a hint was missed"),
    }
}

#[tokio::test]
async fn colleagues_see_who_looks_and_who_writes_and_customers_only_who_answers() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    let ada = office.signed_in("ada@shop.example").await;
    let path = format!("/operator/conversations/{id}");
    let live = format!("/operator/live?view=needs&conversation={id}&after=4-7");
    let mut seen_by_rui = rui.stream(&live, None).await;
    seen_by_rui.until("#presence").await;
    let mut seen_by_ada = ada.stream(&live, None).await;
    seen_by_rui.until("Ada looks on").await;
    seen_by_ada.until("Rui looks on").await;
    assert!(!seen_by_ada.text.contains("Ada looks on"), "nobody is told of herself");

    // Not who answers: colleagues see it, the customer's sockets do not.
    let mut hints = office.store.subscribe(Channel::Actor(office.actor.clone()), 64).await.unwrap();
    assert_eq!(rui.act(&format!("{path}/typing"), &[]).await.status, 204);
    seen_by_ada.until("Rui writes").await;
    let Live::Attends { operator, attention, .. } = next_live(&mut hints).await else { panic!("presence first") };
    assert_eq!((operator.name.as_str(), attention), ("Rui", Attention::Writes));

    let claim = format!("{path}/claim");
    let _ = tokio::join!(
        rui.act(&claim, &[("n", "7")]),
        office.decide_next(|pos, body| decide_claim(&office, id, 7, pos, body))
    );
    office.project().await;
    assert_eq!(rui.act(&format!("{path}/typing"), &[]).await.status, 204);
    loop {
        match next_live(&mut hints).await {
            Live::Typing { by: By::Operator, .. } => break,
            Live::Attends { .. } | Live::Committed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rui.post(&format!("{path}/typing"), &[], &[]).await.status, 403, "a form of ours carries the token");

    drop(seen_by_rui);
    loop {
        if let Live::Attends { attention: Attention::Left, operator, .. } = next_live(&mut hints).await {
            assert_eq!(operator.name, "Rui");
            break;
        }
    }
}

#[tokio::test]
async fn a_conversation_is_taken_along_as_a_file_and_it_is_written_down_who_did() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let nobody = office.browser().get(&format!("/operator/conversations/{id}/transcript.txt")).await;
    assert_eq!(nobody.status, 303);
    let browser = office.signed_in("rui@shop.example").await;
    let text = browser.get(&format!("/operator/conversations/{id}/transcript.txt")).await;
    assert_eq!((text.status, text.header("content-type")), (200, "text/plain; charset=utf-8"));
    let named = format!("attachment; filename=\"conversation-{id}.txt\"");
    assert_eq!((text.header("content-disposition"), text.header("x-content-type-options")), (&*named, "nosniff"));
    for part in
        ["with Ana Duarte", "Assistant\nYour card was declined", "Ana Duarte\nYes please", "A person was asked for."]
    {
        assert!(text.body.contains(part), "{part} in {}", text.body);
    }
    assert!(!text.body.contains("asked for a human"), "the customer did not see why: {}", text.body);

    let whole = browser.get(&format!("/operator/conversations/{id}/transcript.json")).await;
    assert!(whole.header("content-disposition").contains(".json"));
    let whole: serde_json::Value = serde_json::from_str(&whole.body).unwrap();
    assert_eq!(whole["entries"].as_array().map(Vec::len), Some(7));
    assert_eq!(
        (&whole["entries"][5]["reason"], &whole["traits"]["plan"]),
        (&json!("asked for a human"), &json!("pro"))
    );
    let audited = office.audited().await;
    assert_eq!(audited.iter().filter(|act| **act == "transcript").count(), 2, "{audited:?}");
    assert_eq!(browser.get("/operator/conversations/17-1-0-0/transcript.json").await.status, 404);
}

#[tokio::test]
async fn who_waits_for_a_person_is_listed_with_the_time_that_is_left() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let now = SystemClock.now();
    let browser = office.signed_in("rui@shop.example").await;
    for (by, words) in [(now.plus(Millis::minutes(90)), "1 h left"), (Ms(now.0 - 61_000), "1 m late")] {
        let mut row = office.summary(id, HolderKind::Queue, 7);
        (row.answer_by, row.unknown_call) = (Some(by), false);
        office.happens(Body::Tick, |pos| JournalLine { conversations: vec![row], ..office.line(pos) }).await;
        office.project().await;
        let page = browser.get(&format!("/operator/conversations/{id}")).await.body;
        assert!(page.contains(&format!("waits for a person \u{b7} {words}")), "{words} in {page}");
        assert!(page.contains("omebody should answer by <time"), "{page}");
    }
}

#[tokio::test]
async fn saved_replies_are_for_the_whole_team_and_survive_a_rebuild() {
    let office = Office::open(Front::Nothing).await;
    let rui = office.signed_in("rui@shop.example").await;
    let ada = office.signed_in("ada@shop.example").await;
    let fields = [("name", "Sorry"), ("words", "Hello {name},\r\nsorry.")];
    assert_eq!(rui.act("/operator/replies", &fields).await.status, 303);
    office.record.rebuild(&mut |_, _| ()).await.unwrap();
    let picked = ada.get("/operator/replies/pick").await.body;
    assert!(picked.contains("data-words=\"Hello {name},\nsorry.\""), "{picked}");
    let saved = office.record.saved_replies().await.unwrap();
    assert_eq!((saved.len(), saved[0].saved_by.as_str()), (1, "Rui"));

    let path = format!("/operator/replies/{}", saved[0].id);
    assert_eq!(ada.act(&path, &[("name", "Sorry"), ("words", "Sorry, {name}.")]).await.status, 303);
    assert_eq!(office.record.saved_replies().await.unwrap()[0].words, "Sorry, {name}.");
    for (name, words) in [("", "x"), ("x", ""), ("x".repeat(81).as_str(), "x"), ("x", "y".repeat(4_001).as_str())] {
        let refused = ada.act("/operator/replies", &[("name", name), ("words", words)]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains(words), "what was typed stands in the form");
    }
    assert_eq!(rui.act(&format!("{path}/remove"), &[]).await.status, 303);
    assert_eq!(office.record.saved_replies().await.unwrap(), []);
    let gone = ada.act(&path, &[("name", "Sorry"), ("words", "Too late")]).await;
    assert!(gone.status == 422 && gone.body.contains("removed meanwhile"), "{}", gone.body);
    let acts = office.audited().await;
    assert_eq!(acts.iter().filter(|act| act.starts_with("reply.")).count(), 3);
}

#[tokio::test]
async fn the_secret_of_an_anonymous_customer_is_on_no_page() {
    let mut office = Office::open(Front::Nothing).await;
    let secret = (0..)
        .map(|n| format!("Zq7f3c-secret-of-a-visitor-{n}"))
        .find(|id| ActorId::anonymous(id).partition(8) == office.partition)
        .unwrap();
    office.actor = ActorId::anonymous(&secret);
    let id = office.a_conversation().await;
    let event = EventId { partition: id.partition, pos: id.pos };
    let browser = office.signed_in("ada@shop.example").await;
    let customers = browser.get("/operator/customers").await;
    let href = format!("/operator/customers/{}", id.to_string().replace('-', "%2D"));
    assert!(customers.body.contains(&href), "{}", customers.body);
    for path in [
        "/operator/customers".to_owned(),
        href,
        format!("/operator/customers/{event}"),
        "/operator/customers?q=ana".to_owned(),
        "/operator/events".to_owned(),
        format!("/operator/events/{event}"),
        format!("/operator/conversations/{id}"),
        format!("/operator/conversations/{id}/transcript.txt"),
        format!("/operator/conversations/{id}/transcript.json"),
        "/operator/?view=all".to_owned(),
        "/operator/flow".to_owned(),
        "/operator/palette?q=ana".to_owned(),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains(secret.get(6..).unwrap()), "{path}: {}", page.body);
    }
    assert_eq!(browser.get(&format!("/operator/customers/anon%3A{secret}")).await.status, 404);
    assert_eq!(browser.get("/operator/customers/user%3Anobody").await.status, 404);
}

#[tokio::test]
async fn a_customers_history_has_events_with_verdicts_and_conversations_with_outcomes() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let ended = office
        .happens(Body::Tick, |pos| {
            let mut row = office.summary(id, HolderKind::Operator, 7);
            (row.state, row.unknown_call) = (SummaryState::Closed, false);
            row.outcome = Some(Outcome { kind: OutcomeKind::Goal, value: Some(json!(89.5)), at: pos.time() });
            JournalLine { conversations: vec![row], ..office.line(pos) }
        })
        .await;
    office.project().await;
    assert!(ended > id.pos);
    let rui = office.signed_in("rui@shop.example").await;
    let page = rui.get("/operator/customers/user%3A42").await.body;
    for part in [
        "Ana Duarte",
        "checkout-trouble: opened",
        "delayed-order: not matched",
        "goal reached, worth 89.5",
        "Yes please, quickly",
        "pro",
        &format!("/operator/conversations/{id}?view=all"),
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let found = rui.get("/operator/customers?q=DUARTE").await.body;
    assert!(found.contains("/operator/customers/user%3A42"), "{found}");
    assert!(rui.get("/operator/customers?q=%25").await.body.contains("No customer has this"));
}

#[tokio::test]
async fn the_page_of_a_customer_says_what_is_under_way_and_what_would_make_it_fire() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let browser = office.signed_in("rui@shop.example").await;
    let path = "/operator/customers/user%3A42";
    assert!(!browser.get(path).await.body.contains("What is under way"));
    let files = Files::from([("playbooks/cart.yaml".to_owned(), CART.as_bytes().to_vec())]);
    let catalog = compile(&files, None).unwrap();
    let event = Event::new("shop", "e-9", "cart.updated", Some(office.actor.clone()), json!({ "cart": "<b>c-1</b>" }));
    let mut state = State::default();
    let about = EventId { partition: id.partition, pos: Pos { ms: id.pos.ms + 1, n: 0 } };
    sense(&catalog, Some(&office.actor), &mut state, &event, about, about.pos.time());
    office.remembers(&state).await;
    let page = browser.get(path).await.body;
    for part in [
        "What is under way",
        "&lt;b&gt;c-1&lt;/b&gt;",
        "absence of paid within 1h after cart.updated",
        "no paid came since cart.updated at <time",
        ", unless paid comes until <time",
        &about.to_string(),
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn the_flow_counts_an_event_once_and_a_conversation_once() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let happens = async |kind: &str, verdict: Option<(Verdict, ConversationId)>, goal: bool| {
        let event = Event::new("shop", &format!("evt-{kind}"), kind, Some(office.actor.clone()), json!({}));
        office
            .happens(Body::Event(Box::new(event)), |pos: Pos| {
                let mut line = office.line(pos);
                let about = EventId { partition: office.partition, pos };
                line.verdicts = verdict
                    .map(|(verdict, id)| judged(about, "checkout-trouble", verdict, None, Some(id)))
                    .into_iter()
                    .collect();
                line.goals = goal.then_some(GoalReached { conversation: id, value: None }).into_iter().collect();
                line
            })
            .await
    };
    happens("checkout.payment_failed", Some((Verdict::Joined, id)), false).await;
    happens("page.viewed", None, false).await;
    happens("checkout.completed", None, true).await;
    office.project().await;
    let rui = office.signed_in("rui@shop.example").await;
    let page = rui.get("/operator/flow?window=week").await.body;
    for part in [
        "<title>shop to checkout.payment_failed: 2</title>",
        "<title>checkout.payment_failed to checkout-trouble: 2</title>",
        "<title>checkout.payment_failed to delayed-order: 1</title>",
        "<title>page.viewed to no playbook: 1</title>",
        "<title>checkout.completed to a goal reached: 1</title>",
        "<title>checkout-trouble to opened: 1</title>",
        "<title>checkout-trouble to joined: 1</title>",
        "<title>opened to a person joined: 1</title>",
        "<title>a person joined to still open: 1</title>",
        "4 events, last 7 days",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(rui.get("/operator/flow?window=year").await.status, 400);
    let mut live = rui.stream("/operator/live?page=flow&window=hour", None).await;
    live.until("4 events, last hour").await;
    happens("page.left", None, false).await;
    office.project().await;
    live.until("5 events, last hour").await;
    assert!(!live.text.contains("#list-body"), "a page gets only what it shows");
}

#[tokio::test]
async fn events_are_searched_within_bounds_and_wildcards_are_words() {
    let office = Office::open(Front::Nothing).await;
    office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    let rows = async |query: &str| rui.get(&format!("/operator/events?{query}")).await.body.matches("<tr><td").count();
    assert_eq!(rows("q=PAYMENT").await, 1);
    assert_eq!(rows("q=evt-1").await, 1);
    assert_eq!(rows("q=%25").await, 0);
    assert_eq!(rows("q=_").await, 1, "as a word, it stands in payment_failed");
    assert_eq!(rows("q=%27%20or%201%3D1%20--").await, 0);
    assert_eq!(rows("verdict=opened").await, 1);
    assert_eq!(rows("verdict=opened&playbook=delayed-order").await, 0);
    assert_eq!(rows("verdict=not_matched&playbook=delayed-order").await, 1);
    assert_eq!(rows("playbook=nothing").await, 0);
    assert_eq!(rows(&format!("q={}", "x".repeat(30_000))).await, 0);
    let page = rui.get("/operator/events?q=payment&cursor=nonsense").await;
    assert!(page.body.contains("Looked through the latest 50,000 events."), "{}", page.body);
}

#[tokio::test]
async fn the_setup_page_says_what_is_seen_and_an_administrator_asks_the_models() {
    let office = Office::open(Front::Proxy).await;
    let rui = office.signed_in("rui@shop.example").await;
    let page = rui.get("/operator/setup").await.body;
    for part in ["None yet. Send one", "None since this server started", "[chat]\nidentity_keys", "&lt;script async"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let host = office.address.replace("http://", "");
    assert!(page.contains(&format!("script-src http://{host}; connect-src http://{host} ws://{host}")), "{page}");
    assert_eq!(rui.act("/operator/setup/models", &[]).await.status, 403);
    office.a_conversation().await;
    let ada = office.signed_in("ada@shop.example").await;
    assert!(ada.get("/operator/setup").await.body.contains("The latest is checkout.payment_failed from shop"));
    let asked = ada.act("/operator/setup/models", &[]).await;
    assert_eq!(asked.status, 200);
    assert!(asked.body.contains("reachable") && asked.body.contains("first token after"), "{}", asked.body);
    assert!(office.audited().await.contains(&"models.ask".to_owned()));
}

#[tokio::test]
async fn a_playbook_is_shown_as_text_with_the_mistakes_of_its_files() {
    let office = Office::open(Front::Nothing).await;
    office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    let page = rui.get("/operator/playbooks/delayed-order").await.body;
    for part in [
        "# &lt;b&gt;not markup&lt;/b&gt;",
        "Help {{ customer.id }}.",
        "there is no key `whne`",
        "/operator/events?playbook=delayed%2Dorder&amp;verdict=not_matched",
        "Because your payment failed.",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("Pause<"), "who may not pause sees no button for it");
    assert_eq!(rui.get("/operator/playbooks/nowhere").await.status, 404);
}

#[tokio::test]
async fn who_lost_the_session_is_led_back_to_the_page_and_never_elsewhere() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let nobody = office.browser();
    let path = format!("/operator/conversations/{id}/say");
    let led = async |current: &str| {
        let headers = [("hx-request", "true"), ("hx-current-url", current)];
        let answer = nobody.post(&path, &[("text", "kept")], &headers).await;
        assert_eq!(answer.status, 401);
        let form = nobody.get(answer.header("hx-redirect")).await;
        form.field("next")
    };
    let page = format!("/operator/conversations/{id}?view=needs");
    assert_eq!(led(&format!("{}{page}", office.address)).await, page);
    assert_eq!(led("https://evil.example//x/operator/").await, "/operator/");
    assert_eq!(led("nonsense").await, "/operator/");

    let plain = nobody.post(&path, &[("text", "My <b>words</b>")], &[]).await;
    assert_eq!(plain.status, 401);
    assert!(plain.body.contains("My &lt;b&gt;words&lt;/b&gt;</textarea>"), "{}", plain.body);
    assert_eq!(plain.field("next"), format!("/operator/conversations/{id}"));
    let foreign = nobody.post(&path, &[("text", "Yours")], &[("origin", "https://evil.example")]).await;
    assert_eq!((foreign.status, foreign.body.contains("Yours")), (303, false), "no page of others speaks through ours");
    let fill = office.store.fill().await.unwrap();
    assert_eq!(fill.values().map(|fill| fill.undecided).sum::<u64>(), 0, "nothing was appended");
}

#[tokio::test]
async fn the_palette_finds_pages_people_and_an_event_by_its_id() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    let find = async |q: &str| rui.get(&format!("/operator/palette?q={q}")).await.body;
    assert!(find("flow").await.contains("data-href=\"/operator/flow\""));
    let ana = find("ana%20d").await;
    assert!(ana.contains("/operator/customers/user%3A42") && ana.contains(&id.to_string()), "{ana}");
    let event = EventId { partition: id.partition, pos: id.pos };
    assert!(find(&event.to_string()).await.contains(&format!("data-href=\"/operator/events/{event}\"")));
    assert_eq!(office.browser().get("/operator/palette?q=ana").await.status, 303);
}

#[tokio::test]
async fn an_erased_customer_is_found_nowhere() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let said = entry(id, 8, 5, By::Customer, words("soon forgotten", None));
    office.happens(Body::Tick, |pos| JournalLine { entries: vec![said], ..office.line(pos) }).await;
    office.happens(Body::Erase, |pos| JournalLine { erased: true, ..office.line(pos) }).await;
    office.project().await;
    let rui = office.signed_in("rui@shop.example").await;
    for path in ["/operator/customers", "/operator/customers?q=ana", "/operator/palette?q=ana", "/operator/?view=all"] {
        assert!(!rui.get(path).await.body.contains("Ana Duarte"), "{path}");
    }
    assert_eq!(rui.get("/operator/customers/user%3A42").await.status, 404);
    assert!(rui.get("/operator/flow").await.body.contains("No event in the last 24 h."));
}

#[tokio::test]
async fn operators_see_what_a_customer_sent_and_nothing_of_it_runs() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x03\x20\0\0\x02\x58\x08\x02\0\0\0".to_vec();
    let evil = "\"><img src=x onerror=alert(1)>.pdf";
    let mut sent = Vec::new();
    for (name, kind, dimensions, bytes) in [
        ("screen \u{e9}.png", FileType::Png, Some((800, 600)), png.clone()),
        (evil, FileType::Pdf, None, b"%PDF-1.7 <script>alert(1)</script>".to_vec()),
    ] {
        let new = NewAttachment { name: name.to_owned(), kind, dimensions, bytes };
        sent.push(office.record.keep_attachment(&office.actor, new, 1 << 20, Ms(1)).await.unwrap().unwrap());
    }
    let (picture, paper) = (sent[0].clone(), sent[1].clone());
    let said = Body::Said {
        conversation: Some(id),
        playbook: None,
        client_id: "0123456789abcdef".to_owned(),
        text: String::new(),
        attachments: sent.clone(),
    };
    office
        .happens(said, |pos| {
            let mut line = office.line(pos);
            let mut kind = words("", None);
            if let Kind::Message { attachments, .. } = &mut kind {
                *attachments = sent.clone();
            }
            line.entries = vec![entry(id, 8, 5, By::Customer, kind)];
            line.conversations = vec![office.summary(id, HolderKind::Queue, 7)];
            line
        })
        .await;
    office.project().await;

    let rui = office.signed_in("rui@shop.example").await;
    let page = rui.get(&format!("/operator/conversations/{id}")).await.body;
    let address = format!("/operator/attachments/{}", picture.id);
    let shown = format!("<img src=\"{address}\" alt=\"Picture: screen \u{e9}.png\" width=\"240\" height=\"180\"");
    assert!(page.contains(&shown), "{page}");
    assert!(page.contains(&format!("<a href=\"{address}\" download=")));
    assert_eq!(page.matches("<img").count(), 1, "what is no picture is a link alone, and a name is no markup");
    assert!(page.contains("PDF, 34 B"), "{page}");
    assert!(rui.get("/operator/").await.body.contains("screen \u{e9}.png"), "the list says what came last");
    assert!(rui.get("/operator/?view=all&q=screen").await.body.contains("Ana Duarte"), "it is found by a file's name");

    let text = rui.get(&format!("/operator/conversations/{id}/transcript.txt")).await.body;
    assert!(text.contains("Ana Duarte\n[attached: screen \u{e9}.png, image/png, 29 B]\n[attached: "), "{text}");
    let whole = rui.get(&format!("/operator/conversations/{id}/transcript.json")).await.body;
    assert!(whole.contains(picture.id.as_str()), "{whole}");

    let got = rui.get(&address).await;
    assert_eq!((got.status, got.header("content-type")), (200, "image/png"));
    for (header, value) in [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
        ("content-disposition", "attachment; filename*=UTF-8''screen%20%C3%A9.png"),
    ] {
        assert_eq!(got.header(header), value);
    }
    let paper = rui.get(&format!("/operator/attachments/{}", paper.id)).await;
    assert_eq!((paper.status, paper.header("content-type")), (200, "application/pdf"));
    assert_eq!(paper.body, "%PDF-1.7 <script>alert(1)</script>");
    let name = paper.header("content-disposition");
    assert!(name.starts_with("attachment; filename*=UTF-8''%22%3E%3Cimg"), "{name}");
    assert_eq!(rui.get("/operator/attachments/att_abcdefghijklmnopqrstuvwx").await.status, 404);
    let stranger = office.browser().get(&address).await;
    assert_eq!(stranger.status, 303);
    assert!(stranger.header("location").starts_with("/operator/sign-in"));
}

#[tokio::test]
async fn an_event_for_many_is_taken_back_from_its_page_by_an_admin_and_it_is_written_down() {
    let office = Office::open(Front::Nothing).await;
    let (rui, ada) = (office.signed_in("rui@shop.example").await, office.signed_in("ada@shop.example").await);
    let mut ids = Vec::new();
    for (kind, verdict) in [
        ("incident.opened", Verdict::Told),
        ("incident.opened", Verdict::Withdrawn),
        ("checkout.payment_failed", Verdict::Waiting),
    ] {
        let event = Event::new("network", &format!("evt-{}", ids.len()), kind, Some(office.actor.clone()), json!({}));
        office
            .happens(Body::Event(Box::new(event)), |pos| {
                let id = EventId { partition: office.partition, pos };
                ids.push(id);
                JournalLine { verdicts: vec![judged(id, "outage", verdict, None, None)], ..office.line(pos) }
            })
            .await;
    }
    office.project().await;
    let [told, gone, single] = ids[..] else { panic!("three events") };
    let page = |id: EventId| format!("/operator/events/{id}");
    let offers = |body: &str| body.contains("Take it back for good");
    assert!(offers(&ada.get(&page(told)).await.body) && !offers(&rui.get(&page(told)).await.body), "admins only");
    assert!(!offers(&ada.get(&page(gone)).await.body) && !offers(&ada.get(&page(single)).await.body));

    let act = |id: EventId| format!("{}/revoke", page(id));
    assert_eq!(rui.act(&act(told), &[("reason", "")]).await.status, 403);
    assert_eq!(ada.post(&act(told), &[("reason", "")], &[]).await.status, 403, "a form of ours carries the token");
    let long = "x".repeat(501);
    for reason in [long.as_str(), "two\nlines"] {
        let answer = ada.act(&act(told), &[("reason", reason)]).await;
        assert!(answer.status == 422 && answer.body.contains("one line of 500 characters"), "{}", answer.body);
    }
    let answer = ada.act(&act(single), &[]).await;
    assert!(answer.status == 409 && answer.body.contains("It tells one customer."), "{}", answer.body);

    let answer = ada.act(&act(told), &[("reason", "<b>a drill</b>")]).await;
    assert_eq!(answer.status, 303);
    let taken_back = answer.header("location").to_owned();
    let again = ada.act(&act(told), &[("reason", "once more")]).await;
    assert_eq!(again.header("location"), taken_back, "an event is taken back once");
    let shown = ada.get(&taken_back).await.body;
    for part in [&*page(told), "as Ada asked", "&lt;b&gt;a drill&lt;/b&gt;</span>", "It stands in the inbox"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let audited = office.audited().await;
    assert!(audited.iter().any(|act| act == "event.revoke"), "{audited:?}");
}
