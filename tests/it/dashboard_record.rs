//! What the dashboard asks the record: flow, customers, events looked for, saved replies; on SQLite and PostgreSQL.

use beckon::model::conversation::Outcome;
use beckon::model::decision::SummaryState;
use beckon::model::entry::{By, HolderKind, OutcomeKind, Verdict};
use beckon::model::ids::ActorId;
use beckon::model::time::Ms;
use beckon::record::{ConversationFilter, Cursor, EventFilter, FlowTalk, Line, LineId, SaveError, Snoozed, View};
use serde_json::json;

use super::record::{
    PARTITION, VIEWS, a_day, beneath, conversation, dump, empty_line, event_id, event_line, judged, message, pos,
    record, summary,
};

/// The day of one customer, and what came after it.
fn two_days() -> Vec<Line> {
    let mut lines = a_day("42");
    let mut joined = event_line(6, "42", "page.viewed");
    joined.line.verdicts = vec![judged(6, "checkout-trouble", Verdict::Joined, Some(conversation(1)))];
    let mut ended = summary(1, "42", SummaryState::Closed, HolderKind::Operator, 6);
    ended.outcome = Some(Outcome { kind: OutcomeKind::Goal, value: None, at: Ms(pos(6).ms) });
    (ended.holder_n, ended.why) = (3, "\"holder_n\":0, is only said".to_owned());
    joined.line.conversations = vec![ended];
    lines.push(joined);
    let secret = ActorId::anonymous("AbCdEfGhIjKlMnOp");
    let mut visitor = Line { id: LineId { epoch: 1, n: 7 }, line: empty_line(7, Some(secret.clone())), input: None };
    visitor.line.traits = json!({ "language": "pt" }).as_object().cloned();
    let mut row = summary(7, "x", SummaryState::Open, HolderKind::Assistant, 7);
    row.customer = secret;
    visitor.line.conversations = vec![row];
    lines.push(visitor);
    lines
}

#[tokio::test]
async fn the_flow_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    assert_eq!(record.flow(Ms(0)).await.unwrap().since, None);
    record.archive(PARTITION, two_days()).await.unwrap();
    let flow = record.flow(Ms(0)).await.unwrap();
    assert!(flow.whole);
    assert_eq!(flow.since, Some(Ms(pos(1).ms)));
    let events: Vec<_> = flow.events.iter().map(|row| (row.kind.as_str(), row.count)).collect();
    assert_eq!(events, [("page.viewed", 5), ("checkout.completed", 1)]);
    let of = |playbook: &str, verdict: &str| {
        let wanted = Some((playbook.to_owned(), verdict.to_owned()));
        flow.rows
            .iter()
            .filter(|row| row.judged == wanted)
            .map(|row| (row.count, row.opened.clone()))
            .collect::<Vec<_>>()
    };
    let talk = FlowTalk { state: "closed".to_owned(), handed: true, outcome: Some("goal".to_owned()) };
    assert_eq!(of("checkout-trouble", "opened"), [(1, Some(talk))]);
    assert_eq!(of("checkout-trouble", "joined"), [(1, None)], "what joined opened nothing of its own");
    assert_eq!(of("delayed-order", "not_matched"), [(1, None)]);
    let unheard: Vec<_> =
        flow.rows.iter().filter(|row| row.judged.is_none()).map(|row| (row.goal, row.count)).collect();
    assert_eq!(unheard, [(false, 3), (true, 1)]);
    let late = record.flow(Ms(pos(6).ms)).await.unwrap();
    assert_eq!(late.events.iter().map(|row| row.count).sum::<u64>(), 1);
}

#[tokio::test]
async fn customers_are_listed_and_found_and_a_secret_is_not_found_out_letter_by_letter() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    assert_eq!(record.latest_customers().await.unwrap(), []);
    record.archive(PARTITION, two_days()).await.unwrap();
    let rows = record.latest_customers().await.unwrap();
    let shown: Vec<_> =
        rows.iter().map(|row| (row.name.as_deref(), row.conversations, row.open, row.last_at)).collect();
    assert_eq!(
        shown,
        [(None, 1, 1, Some(Ms(pos(7).ms))), (Some("Ana Duarte"), 1, 0, Some(Ms(pos(6).ms)))],
        "the latest first"
    );
    let handle = rows[0].handle.clone().unwrap();
    assert_eq!(record.customer_of(&handle).await.unwrap(), Some(rows[0].customer.clone()));
    assert_eq!(record.customer_of(&event_id(1).to_string()).await.unwrap(), Some(ActorId::user("42")));
    assert_eq!(record.customer_of("nothing").await.unwrap(), None);
    let found = async |search: &str| record.find_customers(search).await.unwrap().len();
    assert_eq!((found("DUARTE").await, found("user:42").await, found("%").await, found("pt").await), (1, 1, 0, 1));
    for guess in ["anon:abcde", "abcdef", "klmnop"] {
        assert_eq!(found(guess).await, 0, "{guess}");
        let filter = ConversationFilter { search: Some(guess.to_owned()), ..ConversationFilter::default() };
        assert_eq!(record.conversations(&filter, None, 10).await.unwrap().items.len(), 0, "{guess}");
        let filter = EventFilter { search: Some(guess.to_owned()), ..EventFilter::default() };
        assert_eq!(record.recent_events(&filter, None, 10).await.unwrap().items.len(), 0, "{guess}");
    }
}

#[tokio::test]
async fn events_are_found_by_word_verdict_and_playbook_a_page_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, two_days()).await.unwrap();
    let page =
        async |filter: EventFilter, cursor: Option<&Cursor>| record.recent_events(&filter, cursor, 2).await.unwrap();
    let filter = EventFilter { search: Some("VIEWED".to_owned()), ..EventFilter::default() };
    let first = page(filter.clone(), None).await;
    let second = page(filter.clone(), first.cursor.as_ref()).await;
    let third = page(filter, second.cursor.as_ref()).await;
    let ids: Vec<_> = [first.items, second.items, third.items].concat().into_iter().map(|row| row.id).collect();
    assert_eq!(ids, [6, 4, 3, 2, 1].map(event_id));
    assert_eq!(third.cursor, None);
    let of = async |playbook: Option<&str>, verdict: Option<&str>| {
        let (playbook, verdict) = (playbook.map(str::to_owned), verdict.map(str::to_owned));
        let filter = EventFilter { playbook, verdict, ..EventFilter::default() };
        page(filter, None).await.items.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(of(None, Some("joined")).await, [event_id(6)]);
    assert_eq!(of(Some("delayed-order"), None).await, [event_id(1)]);
    assert_eq!(of(Some("delayed-order"), Some("opened")).await, [], "another playbook's verdict is not this one's");
}

#[tokio::test]
async fn there_are_five_hundred_saved_replies_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    for n in 0..500 {
        record.save_reply(None, &format!("Reply {n:03}"), "words", "Rui", Ms(n)).await.unwrap();
    }
    let full = record.save_reply(None, "One more", "words", "Rui", Ms(1)).await;
    assert!(matches!(full, Err(SaveError::Full)), "{full:?}");
    let all = record.saved_replies().await.unwrap();
    assert_eq!((all.len(), all[0].name.as_str(), all[499].saved_at), (500, "Reply 000", Ms(499)));
    assert!(record.save_reply(Some(&all[0].id), "Renamed", "words", "Ada", Ms(2)).await.is_ok(), "a change adds none");
    assert!(record.remove_reply(&all[0].id).await.unwrap());
    assert!(!record.remove_reply(&all[0].id).await.unwrap());
}

#[tokio::test]
async fn a_record_of_the_first_build_learns_what_the_second_asks() {
    let folder = tempfile::tempdir().unwrap();
    let first = record(&folder).await;
    first.archive(PARTITION, two_days()).await.unwrap();
    first.close().await;
    let now = dump(&folder, &VIEWS).await;
    assert!(now.iter().any(|row| row.contains("outcome=Some(\"goal\") handed=Some(1)")), "{now:#?}");

    let pool = beneath(&folder).await;
    for sql in [
        "alter table conversation drop column outcome",
        "alter table conversation drop column handed",
        "drop table saved_reply",
        "drop table snoozed",
        "drop index verdict_conversation",
        "update customer set search = lower(id) || substr(search, 10) where id like 'anon:%'",
        "delete from _sqlx_migrations where version = 2",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let again = record(&folder).await;
    let mut after = dump(&folder, &VIEWS).await;
    // The columns stand last now; rows are the same.
    let sorted = |rows: &mut Vec<String>| {
        for row in rows.iter_mut() {
            let mut cells: Vec<char> = row.chars().collect();
            cells.sort_unstable();
            *row = cells.into_iter().collect();
        }
        rows.sort();
    };
    let mut before = now;
    sorted(&mut before);
    sorted(&mut after);
    assert_eq!(after, before);
    again.close().await;
}

#[tokio::test]
async fn what_is_put_off_needs_nobody_until_then_or_until_something_happens() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let at = |n: u64| Ms(pos(n).ms);
    let happens = async |n: u64, queued: u64, said: &[u32]| {
        let mut line = event_line(n, "42", "page.viewed");
        let mut row = summary(1, "42", SummaryState::Open, HolderKind::Queue, n);
        row.queued_at = Some(at(queued));
        line.line.conversations = vec![row];
        line.line.entries = said.iter().map(|n| message(conversation(1), *n, By::Customer, "Hello?")).collect();
        record.archive(PARTITION, vec![line]).await.unwrap();
    };
    let listed = async |now: u64| {
        let mut found = [false; 2];
        let views = [View::NeedsPerson { operator: "op".to_owned(), now: at(now) }, View::Snoozed { now: at(now) }];
        for (found, view) in found.iter_mut().zip(views) {
            let filter = ConversationFilter { view, ..ConversationFilter::default() };
            *found = !record.conversations(&filter, None, 50).await.unwrap().items.is_empty();
        }
        let counts = record.counts("op", at(now)).await.unwrap();
        assert_eq!([counts.needs_person, counts.snoozed], found.map(|is| Some(u32::from(is))));
        assert_eq!(record.snoozed(conversation(1), at(now)).await.unwrap().is_some(), found[1]);
        found
    };
    let put_off = async |until: u64, now: u64| {
        let snoozed = Snoozed { until: at(until), by: "Rui".to_owned(), at: at(now) };
        record.snooze(conversation(1), Some(&snoozed)).await.unwrap();
    };
    happens(2, 2, &[]).await;
    assert_eq!(listed(9).await, [true, false]);
    put_off(100, 10).await;
    assert_eq!(listed(99).await, [false, true]);
    assert_eq!(listed(100).await, [true, false], "its time is over");
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(listed(99).await, [false, true], "a rebuild forgets nothing that was written directly");
    happens(3, 2, &[20]).await;
    assert_eq!(listed(99).await, [true, false], "the customer wrote");
    put_off(100, 30).await;
    assert_eq!(listed(99).await, [false, true]);
    happens(4, 40, &[]).await;
    assert_eq!(listed(99).await, [true, false], "a person was asked for anew");
    put_off(100, 50).await;
    record.snooze(conversation(1), None).await.unwrap();
    assert_eq!(listed(99).await, [true, false], "somebody woke it");
}
