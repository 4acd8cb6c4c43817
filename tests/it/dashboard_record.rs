//! What the dashboard asks the record: flow, customers, events looked for, saved replies; on SQLite and PostgreSQL.

use std::collections::BTreeSet;

use beckon::model::conversation::Outcome;
use beckon::model::decision::{Summary, SummaryState};
use beckon::model::entry::{By, Entry, HolderKind, Kind, Logged, OutcomeKind, Verdict};
use beckon::model::ids::ActorId;
use beckon::model::satisfaction::Satisfaction;
use beckon::model::time::Ms;
use beckon::model::triage::{Priority, Triage};
use beckon::record::{
    ConversationFilter, Cursor, EventFilter, FilterError, FlowTalk, Line, LineId, Mention, Record, SaveError, Snoozed,
    View,
};
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
        "drop table saved_filter",
        "drop table mention",
        "drop index conversation_operator",
        "drop table conversation_label",
        "drop index conversation_priority",
        "alter table conversation drop column priority",
        "drop index conversation_team",
        "alter table conversation drop column team",
        "drop index conversation_rating",
        "alter table conversation drop column rating",
        "drop index verdict_conversation",
        "update customer set search = lower(id) || substr(search, 10) where id like 'anon:%'",
        "delete from _sqlx_migrations where version in (2, 5, 6, 7, 8)",
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

#[tokio::test]
async fn who_is_named_in_a_note_has_the_conversation_until_done_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, two_days()).await.unwrap();
    let at = |n: u64| Ms(pos(n).ms);
    let rows = record.conversations(&ConversationFilter::default(), None, 50).await.unwrap().items;
    let one = rows.iter().find(|row| row.summary.state == SummaryState::Closed).unwrap().summary.clone();
    let needs = async |operator: &str| {
        let view = View::NeedsPerson { operator: operator.to_owned(), now: at(60) };
        let filter = ConversationFilter { view, ..ConversationFilter::default() };
        let rows = record.conversations(&filter, None, 50).await.unwrap().items;
        assert_eq!(record.count(&filter).await.unwrap(), Some(u32::try_from(rows.len()).unwrap()));
        rows.into_iter().find(|row| row.summary.id == one.id).map(|row| row.mentioned_by)
    };
    assert_eq!(needs("op-ada").await, None, "it has ended");

    let by = |name: &str, n: u64| Mention { by: name.to_owned(), at: at(n) };
    record.mention(one.id, &["op-ada", "op-ben"], &by("Rui", 50)).await.unwrap();
    record.mention(one.id, &["op-ada"], &by("Eve", 51)).await.unwrap();
    let until = Snoozed { until: at(90), by: "Rui".to_owned(), at: at(52) };
    record.snooze(one.id, Some(&until)).await.unwrap();
    assert_eq!(needs("op-ada").await, Some(Some("Eve".to_owned())), "the latest, also of what is put off or has ended");
    assert_eq!(needs("op-ben").await, Some(Some("Rui".to_owned())));
    assert_eq!(needs("op-rui").await, None);
    assert_eq!(record.mention_in(one.id, "op-ada").await.unwrap(), Some(by("Eve", 51)));

    record.forget_mention(one.id, "op-ada").await.unwrap();
    assert_eq!(needs("op-ada").await, None);
    assert_eq!(record.mention_in(one.id, "op-ada").await.unwrap(), None);
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(needs("op-ben").await, Some(Some("Rui".to_owned())), "written by people, not computed");

    let mut erased = empty_line(70, Some(one.customer.clone()));
    erased.erased = true;
    let erased = Line { id: LineId { epoch: 1, n: 70 }, line: erased, input: None };
    record.archive(PARTITION, vec![erased]).await.unwrap();
    assert_eq!(record.mention_in(one.id, "op-ben").await.unwrap(), None, "nothing stays of who is erased");
}

/// Conversations of customers `1` to `4` that wait for a person since then, in this order, with what operators gave them,
/// and what they gave in turn.
async fn judged_day(record: &Record) {
    let given = [
        (Priority::Normal, vec![], None, None),
        (Priority::Low, vec!["vip"], Some(2), Some("fraud")),
        (Priority::Urgent, vec!["refund", "vip"], Some(5), Some("payments")),
        (Priority::Normal, vec!["refund"], Some(1), Some("payments")),
    ];
    for (n, (priority, labels, rating, team)) in (1..).zip(given) {
        let mut line = event_line(n, &n.to_string(), "page.viewed");
        let mut row = summary(n, &n.to_string(), SummaryState::Open, HolderKind::Queue, n);
        row.queued_at = Some(Ms(pos(n).ms));
        (row.priority, row.labels) = (priority, labels.into_iter().map(|label| label.parse().unwrap()).collect());
        (row.rating, row.team) = (rating, team.map(str::to_owned));
        line.line.entries = vec![triaged(n, 1, &row)];
        line.line.conversations = vec![row];
        record.archive(PARTITION, vec![line]).await.unwrap();
    }
}

fn triaged(of: u64, n: u32, row: &Summary) -> Logged {
    let triage = Triage { priority: Some(row.priority), add: row.labels.clone(), remove: BTreeSet::new() };
    let Logged { conversation, entry } = message(conversation(of), n, By::Operator, "");
    let kind = Kind::Triaged { triage, name: "Rui".to_owned() };
    Logged { conversation, entry: Entry { visible: false, kind, ..entry } }
}

#[tokio::test]
async fn the_highest_priority_comes_first_and_labels_ratings_and_teams_are_found_also_after_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    judged_day(&record).await;
    let needs = || View::NeedsPerson { operator: "op".to_owned(), now: Ms(pos(9).ms) };
    let listed = async |filter: ConversationFilter| {
        let (first, rest) = {
            let first = record.conversations(&filter, None, 2).await.unwrap();
            let rest = match &first.cursor {
                Some(cursor) => record.conversations(&filter, Some(cursor), 50).await.unwrap().items,
                None => Vec::new(),
            };
            (first.items, rest)
        };
        let rows: Vec<u64> = first.iter().chain(&rest).map(|row| row.summary.id.pos.ms - pos(0).ms).collect();
        let counted = record.count(&filter).await.unwrap();
        assert_eq!(counted, Some(u32::try_from(rows.len()).unwrap()));
        rows
    };
    let with = |label: Option<&str>, priority: Option<Priority>, view: View| ConversationFilter {
        label: label.map(|label| label.parse().unwrap()),
        priority,
        view,
        ..ConversationFilter::default()
    };
    let check = async || {
        assert_eq!(listed(with(None, None, needs())).await, [3, 1, 4, 2], "and who waits longest, page by page");
        assert_eq!(listed(with(None, None, View::All)).await, [4, 3, 2, 1], "elsewhere the latest change first");
        assert_eq!(listed(with(Some("VIP"), None, needs())).await, [3, 2]);
        assert_eq!(listed(with(Some("refund"), Some(Priority::Normal), needs())).await, [4]);
        assert_eq!(listed(with(None, Some(Priority::Normal), View::All)).await, [4, 1]);
        assert_eq!(listed(with(Some("nothing"), None, View::All)).await, [0_u64; 0]);
        for (rated, found) in Satisfaction::ALL.into_iter().zip([vec![4, 2], vec![], vec![3]]) {
            let filter = ConversationFilter { rated: Some(rated), ..with(None, None, View::All) };
            assert_eq!(listed(filter).await, found, "{rated:?}");
        }
        for (team, view, found) in [
            ("payments", View::All, vec![4, 3]),
            ("payments", needs(), vec![3, 4]),
            ("fraud", needs(), vec![2]),
            ("nobody's", needs(), vec![]),
        ] {
            let filter = ConversationFilter { team: Some(team.to_owned()), ..with(None, None, view) };
            assert_eq!(listed(filter).await, found, "{team}");
        }
        assert_eq!(record.teams().await.unwrap(), ["fraud", "payments"]);
        let counts = record.counts_within(&with(Some("vip"), None, View::All), "op", Ms(pos(9).ms)).await.unwrap();
        assert_eq!((counts.needs_person, counts.closed, counts.all), (Some(2), Some(0), Some(2)));
        assert_eq!(record.labels_in_use().await.unwrap(), ["refund", "vip"]);
    };
    check().await;
    let before = dump(&folder, &VIEWS).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(dump(&folder, &VIEWS).await, before);
    check().await;

    // The last label is taken off; what is erased is found by nothing.
    let mut line = event_line(5, "2", "page.viewed");
    let row = summary(2, "2", SummaryState::Open, HolderKind::Queue, 2);
    line.line.entries = vec![triaged(2, 2, &row)];
    line.line.conversations = vec![row];
    let mut erased = empty_line(6, Some(ActorId::user("3")));
    erased.erased = true;
    let erased = Line { id: LineId { epoch: 1, n: 6 }, line: erased, input: None };
    record.archive(PARTITION, vec![line, erased]).await.unwrap();
    assert_eq!(record.labels_in_use().await.unwrap(), ["refund"]);
    let before = dump(&folder, &VIEWS).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(dump(&folder, &VIEWS).await, before);
}

#[tokio::test]
async fn a_saved_filter_is_its_operators_or_shared_and_there_are_ten_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let save =
        async |who: &str, name: &str, shared: bool| record.save_filter(who, name, "view=all", shared, Ms(1)).await;
    let names = async |who: &str| {
        let all = record.saved_filters(who).await.unwrap();
        all.into_iter().map(|saved| saved.name).collect::<Vec<_>>()
    };
    let mine = save("rui", "Mine", false).await.unwrap();
    let all = save("ada", "All", true).await.unwrap();
    assert_eq!(
        (names("rui").await, names("ada").await),
        (vec!["Mine".to_owned(), "All".to_owned()], vec!["All".to_owned()])
    );
    for n in 1..10 {
        save("rui", &format!("R{n}"), false).await.unwrap();
        save("ada", &format!("S{n}"), true).await.unwrap();
    }
    assert!(matches!(save("rui", "More", false).await, Err(FilterError::Full)));
    assert!(matches!(save("rui", "More", true).await, Err(FilterError::Full)));
    save("ada", "Her own", false).await.unwrap();
    assert_eq!(names("rui").await.len(), 20);
    for name in ["", &"x".repeat(41), "a\nb"] {
        assert!(matches!(save("bo", name, false).await, Err(FilterError::Name)), "{name}");
    }
    let long = "x".repeat(5_000);
    assert!(matches!(record.save_filter("bo", "Long", &long, false, Ms(1)).await, Err(FilterError::Query)));

    let rename = async |id: &str, who: &str, admin: bool| record.rename_filter(id, who, admin, "Renamed").await;
    assert!(matches!(rename(&mine, "ada", true).await, Err(FilterError::Gone)), "an admin changes nobody's own");
    assert!(matches!(rename(&all, "ada", false).await, Err(FilterError::Gone)), "what all see, an admin changes");
    rename(&mine, "rui", false).await.unwrap();
    rename(&all, "bo", true).await.unwrap();
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(names("rui").await.iter().filter(|name| *name == "Renamed").count(), 2, "a rebuild leaves them alone");
    assert!(!record.remove_filter(&mine, "ada", true).await.unwrap());
    assert!(!record.remove_filter(&all, "rui", false).await.unwrap());
    assert!(
        record.remove_filter(&mine, "rui", false).await.unwrap()
            && record.remove_filter(&all, "ada", true).await.unwrap()
    );
    assert_eq!(names("rui").await.len(), 18);
}
