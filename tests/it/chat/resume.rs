//! Promise 3: who comes back gets exactly what it missed, once, in order, or is told `reset` (F20, F21).

use std::sync::atomic::Ordering;

use beckon::model::decision::SummaryState;
use beckon::model::entry::{By, HolderKind, Kind, Logged, OutcomeKind};
use beckon::model::ids::{EntryId, Pos};
use beckon::model::input::Body;
use beckon::model::live::Live;
use beckon::model::time::Ms;
use beckon::model::triage::Priority;
use beckon::store::{Batch, Channel, NewEntry};

use super::screen::{Screen, cut_after, cuts};
use super::*;
use crate::nodes::gated::Gated;

/// `BECKON_CUTS=1000 cargo test --test it f20` cuts more often.
#[tokio::test]
async fn f20_a_socket_cut_at_random_bytes_misses_nothing_and_repeats_nothing() {
    let server = Server::start().await;
    let me = user("42");
    let first = server.owner.open(&me, "First.", &[]).await;
    let mut screen = Screen::default();
    let (mut second, mut written) = (None, 0_usize);
    for cut in 0..cuts(200) {
        if cut == 60 {
            second = Some(server.owner.open(&me, "Second.", &[]).await);
        }
        let proxy = cut_after(server.address, rand::random_range(1..6_000)).await;
        let Ok(mut client) = Client::on(TcpStream::connect(proxy).await.unwrap()).await else { continue };
        if client.socket.send(Message::text(screen.hello(token("42")).to_string())).await.is_err() {
            continue;
        }
        while let Some(Ok(message)) = client.message().await {
            let Message::Text(text) = message else { continue };
            screen.take(&serde_json::from_str(&text).unwrap());
            // While it reads, more is written: also beside the cut.
            for conversation in [Some(first), second].into_iter().flatten() {
                if written < 900 {
                    written += 1;
                    server.owner.write(&me, conversation, &format!("{written} {}", "y".repeat(written % 200))).await;
                }
            }
            let live = beckon::model::live::Live::Typing { conversation: first, by: By::Operator, call: None };
            server.owner.hint(&me, &live).await;
        }
    }
    let total = |state: &beckon::model::customer::State| -> u32 {
        state.conversations.values().map(|conversation| conversation.seq).sum()
    };
    server.owner.decided(&me, |state| total(state) as usize == written + 2).await;
    let (mut client, welcome) = server.hello(screen.hello(token("42"))).await;
    screen.take(&welcome);
    client.assert_quiet().await;
    for conversation in [first, second.unwrap()] {
        let log = server.owner.log(conversation).await;
        assert_eq!(screen.logs[&conversation.to_string()], log);
    }
    assert!(written > 50, "only {written} entries were written");
}

#[tokio::test]
async fn more_hints_at_once_than_a_session_holds_lose_nothing() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "0", &[]).await;
    let (mut client, welcome) = server.user("42").await;
    let mut screen = Screen::default();
    screen.take(&welcome);
    for n in 1..=400 {
        server.owner.write(&user("42"), conversation, &n.to_string()).await;
        let live = beckon::model::live::Live::Typing { conversation, by: By::Operator, call: None };
        server.owner.hint(&user("42"), &live).await;
    }
    while screen.logs[&conversation.to_string()].len() < 401 {
        screen.take(&client.next().await);
    }
    assert_eq!(screen.logs[&conversation.to_string()], server.owner.log(conversation).await);
}

#[tokio::test]
async fn a_hint_that_skips_an_entry_and_a_bus_that_lost_some_make_a_session_read() {
    let server = Server::start().await;
    let (me, mute) = (user("42"), &server.owner.mute);
    let conversation = server.owner.open(&me, "1", &[]).await;
    let (mut client, _) = server.user("42").await;
    let written = async |seq: u32, quietly: bool| {
        mute.store(quietly, Ordering::SeqCst);
        server.owner.write(&me, conversation, &seq.to_string()).await;
        server.owner.decided(&me, |state| state.conversations[&conversation].seq == seq).await;
    };
    written(2, true).await;
    client.assert_quiet().await;
    written(3, false).await;
    for seq in [2, 3] {
        assert_eq!(client.next().await["seq"], seq, "the third says that the second was missed");
    }
    written(4, true).await;
    client.assert_quiet().await;
    let live = beckon::model::live::Live::Typing { conversation, by: By::Customer, call: None };
    for _ in 0..500 {
        server.owner.hint(&me, &live).await;
    }
    assert_eq!(client.next().await["seq"], 4, "more hints than the session holds: some are lost");
}

#[tokio::test]
async fn a_read_that_failed_is_tried_again_long_before_the_next_ping() {
    let mut gates = None;
    let server = Server::on(settings(), Shelf::default(), |store| gates.insert(Gated::new(store)).clone() as _).await;
    let (me, gates) = (user("42"), gates.unwrap());
    let conversation = server.owner.open(&me, "1", &[]).await;
    let (mut client, _) = server.user("42").await;
    server.owner.mute.store(true, Ordering::SeqCst);
    server.owner.write(&me, conversation, "2").await;
    server.owner.decided(&me, |state| state.conversations[&conversation].seq == 2).await;
    server.owner.mute.store(false, Ordering::SeqCst);
    // The third says that the second was missed, and then the log cannot be read.
    gates.fail_next("log", 1);
    server.owner.write(&me, conversation, "3").await;
    for seq in [2, 3] {
        assert_eq!(client.next().await["seq"], seq);
    }
    gates.have_failed("log").await;
}

#[tokio::test]
async fn a_log_larger_than_a_welcome_comes_whole() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "0", &[]).await;
    let text = "z".repeat(6_000);
    for _ in 0..300 {
        server.owner.write(&user("42"), conversation, &text).await;
    }
    server.owner.decided(&user("42"), |state| state.conversations[&conversation].seq == 301).await;
    let (mut client, welcome) = server.user("42").await;
    assert!(welcome.to_string().len() < 512 * 1_024);
    assert_eq!(welcome["conversations"][0]["last_seq"], 301);
    let mut screen = Screen::default();
    screen.take(&welcome);
    while screen.logs[&conversation.to_string()].len() < 301 {
        screen.take(&client.next().await);
    }
    assert_eq!(screen.logs[&conversation.to_string()], server.owner.log(conversation).await);
    client.assert_quiet().await;
}

#[tokio::test]
async fn entries_after_the_cursor_come_with_welcome_and_no_others() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "1", &["Yes"]).await;
    let (mut client, welcome) = server.user("42").await;
    let shown = &welcome["conversations"][0];
    assert_eq!((&shown["playbook"], &shown["holder"]), (&json!("test"), &json!("assistant")));
    assert_eq!((&shown["why"], &shown["last_seq"]), (&json!("Because of a test."), &json!(1)));
    assert_eq!(shown["entries"][0]["choices"], json!([{ "label": "Yes", "value": "Yes" }]));
    assert!(!welcome.to_string().contains("inner"), "the inner entries stay inside");
    server.owner.write(&user("42"), conversation, "2").await;
    let second = client.next().await;
    server.owner.write(&user("42"), conversation, "3").await;
    assert_eq!(client.next().await["seq"], 3);
    let resume = json!({ conversation.to_string(): { "seq": 2, "id": second["id"] } });
    let (_, welcome) = server.hello(json!({ "type": "hello", "token": token("42"), "resume": resume })).await;
    let shown = &welcome["conversations"][0];
    assert_eq!(shown["entries"].as_array().unwrap().len(), 1);
    assert_eq!((&shown["entries"][0]["seq"], &shown["last_seq"]), (&json!(3), &json!(3)));
}

#[tokio::test]
async fn f21_a_cursor_whose_entry_is_another_or_none_gets_a_reset_and_the_log_from_one() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "1", &[]).await;
    for text in ["2", "3"] {
        server.owner.write(&user("42"), conversation, text).await;
    }
    server.owner.decided(&user("42"), |state| state.conversations[&conversation].seq == 3).await;
    let log = server.owner.log(conversation).await;
    for (seq, id) in [(2, &log[2].1), (9, &log[2].1), (3, &"0-1-1-1".to_owned()), (2, &"nonsense".to_owned())] {
        let resume = json!({ conversation.to_string(): { "seq": seq, "id": id } });
        let hello = json!({ "type": "hello", "token": token("42"), "resume": resume });
        let (mut client, welcome) = server.hello(hello).await;
        assert_eq!(welcome["conversations"][0]["entries"], json!([]));
        assert_eq!(client.next().await, json!({ "type": "reset", "conversation_id": conversation }));
        for n in 1..=3 {
            assert_eq!(client.next().await["seq"], n, "{seq} {id}");
        }
        client.assert_quiet().await;
    }
}

#[tokio::test]
async fn f21_a_store_that_went_back_under_an_open_session_is_told_by_reset() {
    goes_back_under_an_open_session(Duration::from_millis(100), false).await;
}

#[tokio::test]
async fn f21_an_entry_that_replaces_another_is_no_old_one() {
    // Long before the next ping.
    goes_back_under_an_open_session(Duration::from_secs(60), true).await;
}

/// The log is replaced by one of two entries, whose second is another; a hint may tell of that one.
async fn goes_back_under_an_open_session(ping: Duration, tells: bool) {
    let mut settings = settings();
    settings.times.ping = ping;
    let server = Server::with(settings, Shelf::default()).await;
    let me = user("42");
    let conversation = server.owner.open(&me, "1", &[]).await;
    for text in ["2", "3"] {
        server.owner.write(&me, conversation, text).await;
    }
    let mut state = server.owner.decided(&me, |state| state.conversations[&conversation].seq == 3).await;
    let (mut client, _) = server.user("42").await;
    // Another owner replaces the log: it has only two entries now, and the second is another.
    let store = &server.owner.store;
    let partition = me.partition(store.partitions());
    let lease = store.acquire(partition, "test", Duration::from_secs(60)).await.unwrap().unwrap();
    let log = store.log(conversation, Default::default(), 10).await.unwrap();
    let visible = log.iter().map(|(_, payload)| serde_json::from_slice::<Entry>(payload).unwrap());
    let mut kept: Vec<Entry> = visible.filter(|entry| entry.visible).take(2).collect();
    // It was decided later than the last one that was sent.
    let later = Pos { ms: conversation.pos.ms + 60_000, n: 0 };
    kept[1].id = EntryId(ConversationId { pos: later, ..conversation });
    for (entry, n) in kept.iter_mut().zip(1..) {
        entry.n = n;
    }
    let entries = kept.iter().map(|entry| NewEntry {
        conversation,
        n: entry.n,
        seq: entry.seq,
        payload: serde_json::to_vec(entry).unwrap(),
    });
    let held = state.conversations.get_mut(&conversation).unwrap();
    (held.n, held.seq) = (2, 2);
    let second = Logged { conversation, entry: kept[1].clone() };
    let live = Live::Committed { entries: vec![second], answers: Vec::new() };
    let hint = (Channel::Actor(me.clone()), serde_json::to_vec(&live).unwrap());
    let hints = if tells { vec![hint] } else { Vec::new() };
    let mut from = lease.at;
    for batch in [
        Batch { forget: vec![conversation], ..Batch::default() },
        Batch {
            entries: entries.collect(),
            hints,
            states: vec![(me.clone(), Some(state.encode()))],
            ..Batch::default()
        },
    ] {
        let to = server.owner.inbox.append_always(&me, Body::Tick).await.unwrap().pos;
        store.commit(partition, lease.epoch, from, to, batch).await.unwrap();
        from = to;
    }
    assert_eq!(client.find("reset").await["conversation_id"], json!(conversation));
    assert_eq!(client.find("entry").await["seq"], 1);
    let second = client.find("entry").await;
    assert_eq!((&second["seq"], &second["id"]), (&json!(2), &json!(kept[1].id)));
}

/// A closed conversation of so many entries, as the archive tells of it.
fn gone(customer: &ActorId, id: ConversationId, entries: u32) -> Summary {
    Summary {
        id,
        customer: customer.clone(),
        playbook: "test".to_owned(),
        catalog: String::new(),
        key: String::new(),
        event: None,
        listed: true,
        state: SummaryState::Closed,
        holder: HolderKind::Assistant,
        operator: None,
        holder_n: 0,
        why: "Then.".to_owned(),
        team: None,
        outcome: None,
        created_at: beckon::model::time::Ms(5),
        opened_at: None,
        queued_at: None,
        answer_by: None,
        unattended: false,
        unknown_call: false,
        priority: Priority::Normal,
        labels: std::collections::BTreeSet::new(),
        rating: None,
        n: entries,
        seq: entries,
        updated_at: beckon::model::time::Ms(5),
    }
}

#[tokio::test]
async fn a_closed_conversation_comes_only_where_resume_names_it_from_the_archive_too() {
    let customer = user("42");
    let id = ConversationId { partition: customer.partition(4), pos: beckon::model::ids::Pos { ms: 5, n: 0 }, k: 0 };
    let entry = |seq: u32, kind: Kind| Entry {
        n: seq,
        seq,
        visible: true,
        id: EntryId(ConversationId { k: seq, ..id }),
        at: beckon::model::time::Ms(5),
        by: By::Assistant,
        turn_id: None,
        attempt: None,
        kind,
    };
    let message = |text: &str| Kind::words(text, None, Vec::new());
    let log = vec![entry(1, message("old")), entry(2, Kind::Closed { outcome: OutcomeKind::Resolved })];
    let summary = gone(&customer, id, 2);
    let server = Server::with(settings(), Shelf(vec![(summary, log)])).await;
    assert_eq!(server.user("42").await.1["conversations"], json!([]));
    let resume = |user: &str, seq: u32, k: u32| {
        let entry = EntryId(ConversationId { k, ..id });
        let resume = json!({ id.to_string(): { "seq": seq, "id": entry }, "3-1-1-1": { "seq": 1, "id": "3-1-1-2" } });
        json!({ "type": "hello", "token": token(user), "resume": resume })
    };
    let (mut client, welcome) = server.hello(resume("42", 1, 1)).await;
    let shown = &welcome["conversations"][0];
    assert_eq!((&shown["state"], &shown["why"], &shown["last_seq"]), (&json!("closed"), &json!("Then."), &json!(2)));
    assert_eq!(shown["entries"].as_array().unwrap().len(), 1);
    let say = json!({ "type": "say", "client_id": client_id(), "conversation_id": id, "text": "again" });
    client.send(say).await;
    assert_eq!(client.next().await["code"], "closed");
    let (mut wrong, _) = server.hello(resume("42", 1, 9)).await;
    assert_eq!(wrong.next().await["type"], "reset");
    assert_eq!(wrong.next().await["text"], "old");
    // Ids of somebody else, and of nobody, are ignored without a hint.
    assert_eq!(server.hello(resume("44", 1, 1)).await.1["conversations"], json!([]));
}

#[tokio::test]
async fn an_erased_customer_is_told_to_forget() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "1", &[]).await;
    let (mut client, _) = server.user("42").await;
    server.owner.inbox.append(&user("42"), Body::Erase).await.unwrap();
    assert_eq!(client.next().await, json!({ "type": "reset", "conversation_id": conversation }));
    client.assert_quiet().await;
    let later = server.owner.open(&user("42"), "Hello again", &[]).await;
    assert_eq!(client.next().await["conversation"]["id"], json!(later));
}

#[tokio::test]
async fn a_hello_that_names_a_hundred_archived_conversations_gets_a_bounded_welcome_and_all_of_them() {
    let me = user("42");
    let partition = me.partition(4);
    let (entries, text) = (40, "z".repeat(1_000));
    let archived = |n: u64| {
        let id = ConversationId { partition, pos: Pos { ms: 1_764_000_000_000 + n, n: 0 }, k: 0 };
        let line = |at: u32| {
            let kind = Kind::Message {
                attachments: Vec::new(),
                text: format!("{at} {text}"),
                locale: None,
                choices: Vec::new(),
                choice: None,
                client_id: None,
                name: None,
            };
            let entry_id = EntryId(ConversationId { k: at, ..id });
            let (by, at_time) = (By::Assistant, Ms(1_764_000_000_000));
            Entry { n: at, seq: at, visible: true, id: entry_id, at: at_time, by, turn_id: None, attempt: None, kind }
        };
        (gone(&me, id, entries), (1..=entries).map(line).collect::<Vec<Entry>>())
    };
    let all: Vec<(Summary, Vec<Entry>)> = (0..100).map(archived).collect();
    let mut screen = Screen::default();
    for (at, (summary, log)) in all.iter().enumerate() {
        // Some were read up to an entry, some are to be read from the start, and of some another entry is known.
        let known = log[..at % 3].iter().map(|entry| (u64::from(entry.seq), entry.id.to_string(), String::new()));
        screen.logs.insert(summary.id.to_string(), known.collect());
    }
    let mut resume = screen.hello(token("42"));
    for (summary, log) in &all {
        let fresh = json!({ "seq": 0, "id": log[0].id });
        let cursor = resume["resume"].as_object_mut().unwrap().entry(summary.id.to_string()).or_insert(fresh);
        assert!(cursor["seq"].is_number());
    }
    let server = Server::with(settings(), Shelf(all.clone())).await;
    let (mut client, welcome) = server.hello(resume).await;
    let size = welcome.to_string().len();
    assert!(size < 400 * 1_024, "a welcome of {size} bytes");
    screen.take(&welcome);
    let missing = |screen: &Screen| screen.logs.values().any(|log| log.len() < entries as usize);
    while missing(&screen) {
        screen.take(&client.next().await);
    }
    client.assert_quiet().await;
    assert_eq!(screen.logs.len(), 100);
}
