//! What the record lets go of once it is old enough, and what it keeps all the same; on SQLite and PostgreSQL.

use beckon::model::decision::{JournalLine, Judged, SummaryState};
use beckon::model::entry::{By, HolderKind, Verdict};
use beckon::model::ids::{ActorId, ConversationId, EventId};
use beckon::model::time::Ms;
use beckon::model::topic::Follow;
use beckon::record::{EventFilter, Line, LineId, Record};
use serde_json::json;

use crate::record::{
    PARTITION, VIEWS, a_day, beneath, conversation, dump, empty_line, event_id, event_line, judged, message, pos,
    record, summary,
};
use crate::simulation::chance::Chance;

/// The views, with who follows what.
fn views() -> Vec<&'static str> {
    VIEWS.into_iter().chain(["follower"]).collect()
}

/// When input `n` came.
fn at(n: u64) -> Ms {
    Ms(pos(n).ms)
}

/// Lets go of all that came before input `n`; answers how many lines went and how many lost something.
async fn prune(record: &Record, n: u64) -> (u64, u64) {
    let (mut gone, mut reduced) = (0, 0);
    let mut after = Some(LineId::default());
    while let Some(last) = after {
        let pruned = record.prune(PARTITION, at(n), last).await.unwrap();
        (gone, reduced, after) = (gone + pruned.gone, reduced + pruned.reduced, pruned.next);
    }
    record.prune_aside(at(n)).await.unwrap();
    (gone, reduced)
}

/// Input `n` ends conversation 1 of `a_day`.
fn closing(n: u64, customer: &str) -> Line {
    let mut line = event_line(n, customer, "page.viewed");
    line.line.conversations = vec![summary(1, customer, SummaryState::Closed, HolderKind::Assistant, n)];
    line.line.verdicts = vec![judged(1, "checkout-trouble", Verdict::Opened, None)];
    line
}

async fn lines(folder: &tempfile::TempDir) -> Vec<String> {
    dump(folder, &["archive_line"]).await
}

async fn events(record: &Record) -> Vec<EventId> {
    let page = record.recent_events(&EventFilter::default(), None, 100).await.unwrap();
    page.items.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn what_is_over_goes_with_all_that_was_said_and_what_came_later_stays() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut all = a_day("42");
    all[1].line.traits = None;
    all.push(closing(6, "42"));
    all.push(event_line(7, "42", "page.viewed"));
    all.push(event_line(8, "7", "page.viewed"));
    record.archive(PARTITION, all).await.unwrap();
    assert_eq!(prune(&record, 7).await, (6, 0));
    assert_eq!(events(&record).await, [event_id(8), event_id(7)]);
    assert_eq!(record.summary(conversation(1)).await.unwrap(), None);
    assert_eq!(record.entries(conversation(1), 0, 10).await.unwrap(), []);
    assert_eq!(record.event(event_id(1)).await.unwrap(), None);
    let left = format!("{:?} {:?}", dump(&folder, &views()).await, lines(&folder).await);
    for said in ["declined", "sicher", "checkout"] {
        assert!(!left.contains(said), "{said} in {left}");
    }
    // Numbers go on where they were: nothing is taken for a gap.
    let answer = record.archive(PARTITION, vec![event_line(9, "7", "page.viewed")]).await.unwrap();
    assert_eq!((answer.archived, answer.gaps), (1, 0));
}

#[tokio::test]
async fn a_conversation_stays_whole_until_it_is_over_and_its_last_word_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, a_day("42")).await.unwrap();
    let talk = |dump: Vec<String>| -> Vec<String> {
        dump.into_iter().filter(|row| ["entry", "conversation", "goal"].iter().any(|of| row.starts_with(of))).collect()
    };
    let before = talk(dump(&folder, &views()).await);
    // Its second event said who the customer is, and neither opened nor joined anything.
    assert_eq!(prune(&record, 100).await, (0, 1));
    assert_eq!(talk(dump(&folder, &views()).await), before);
    assert_eq!(events(&record).await, [5, 4, 3, 1].map(event_id));
    assert_eq!(record.event(event_id(1)).await.unwrap().unwrap().decisions.len(), 2);

    record.archive(PARTITION, vec![closing(6, "42")]).await.unwrap();
    assert_eq!(prune(&record, 6).await, (0, 0), "it ended just then");
    assert!(record.summary(conversation(1)).await.unwrap().is_some());
    assert_eq!(prune(&record, 7).await, (5, 0));
    assert!(record.summary(conversation(1)).await.unwrap().is_none());
    assert_eq!(events(&record).await, []);
}

#[tokio::test]
async fn a_write_whose_end_is_unknown_keeps_its_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut end = closing(6, "42");
    end.line.conversations[0].unknown_call = true;
    record.archive(PARTITION, a_day("42")).await.unwrap();
    record.archive(PARTITION, vec![end]).await.unwrap();
    prune(&record, 100).await;
    assert_eq!(record.entries(conversation(1), 0, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_line_about_two_conversations_loses_the_one_that_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let (old, new) = (conversation(1), conversation(2));
    let mut first = event_line(1, "42", "payment.failed");
    first.line.conversations = vec![summary(1, "42", SummaryState::Open, HolderKind::Assistant, 1)];
    first.line.entries = vec![message(old, 1, By::Assistant, "the old one")];
    first.line.verdicts = vec![judged(1, "trouble", Verdict::Opened, Some(old))];
    // An event replaces it.
    let mut second = event_line(2, "42", "payment.failed");
    second.line.conversations = vec![
        summary(1, "42", SummaryState::Closed, HolderKind::Assistant, 2),
        summary(2, "42", SummaryState::Open, HolderKind::Assistant, 2),
    ];
    second.line.entries =
        vec![message(old, 2, By::Assistant, "it ends"), message(new, 1, By::Assistant, "the new one")];
    second.line.verdicts = vec![judged(2, "trouble", Verdict::Opened, Some(new))];
    record.archive(PARTITION, vec![first, second]).await.unwrap();
    assert_eq!(prune(&record, 100).await, (1, 1));
    let left = dump(&folder, &views()).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(left, dump(&folder, &views()).await);
    let left = format!("{left:?} {:?}", lines(&folder).await);
    assert!(left.contains("the new one") && !left.contains("the old one") && !left.contains("it ends"), "{left}");
}

#[tokio::test]
async fn of_traits_the_present_ones_stay_without_the_event_that_brought_them() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut all: Vec<Line> = (1..=3).map(|n| event_line(n, "42", "page.viewed")).collect();
    for (line, plan) in all.iter_mut().zip(["free", "pro"]) {
        line.line.traits = json!({ "plan": plan }).as_object().cloned();
    }
    record.archive(PARTITION, all).await.unwrap();
    assert_eq!(prune(&record, 100).await, (2, 1));
    assert_eq!(events(&record).await, []);
    assert_eq!(record.customer(&ActorId::user("42")).await.unwrap().unwrap().traits["plan"], "pro");
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(record.customer(&ActorId::user("42")).await.unwrap().unwrap().traits["plan"], "pro");
    let left = format!("{:?}", lines(&folder).await);
    assert!(!left.contains("free") && !left.contains("evt-2"), "{left}");
}

#[tokio::test]
async fn what_waits_for_its_time_stays_until_it_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut first = event_line(1, "42", "cart.abandoned");
    first.line.verdicts = vec![judged(1, "reminder", Verdict::Pending, None)];
    record.archive(PARTITION, vec![first]).await.unwrap();
    assert_eq!(prune(&record, 50).await, (0, 0));
    assert_eq!(events(&record).await, [event_id(1)]);
    let mut second = event_line(2, "42", "checkout.completed");
    second.line.verdicts = vec![judged(1, "reminder", Verdict::Withdrawn, None)];
    record.archive(PARTITION, vec![second]).await.unwrap();
    // The line that decided it is new enough to stay; what it says of an event that is gone does not come back.
    assert_eq!(prune(&record, 2).await, (1, 0));
    assert_eq!(events(&record).await, [event_id(2)]);
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(dump(&folder, &["verdict"]).await, [] as [&str; 0]);
    assert_eq!(prune(&record, 3).await, (1, 0));
}

#[tokio::test]
async fn who_follows_a_topic_goes_on_following_it() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let topic = |name: &str| ActorId::topic("back-in-stock", name).unwrap();
    let mut all: Vec<Line> = (1..=4).map(|n| event_line(n, "42", "order.placed")).collect();
    let follow = |name: &str, until: Option<u64>| Follow { topic: topic(name), until: until.map(at) };
    all[0].line.follows = vec![follow("stays", Some(500)), follow("over", Some(50)), follow("left", Some(500))];
    all[1].line.follows = vec![follow("left", None)];
    all[2].line.follows = vec![follow("renewed", Some(400))];
    all[3].line.follows = vec![follow("renewed", Some(600))];
    record.archive(PARTITION, all).await.unwrap();
    assert_eq!(prune(&record, 100).await, (2, 2));
    for (name, followers) in [("stays", 1), ("over", 0), ("left", 0), ("renewed", 1)] {
        let found = record.followers(&topic(name), "", Ms(0), 10).await.unwrap();
        assert_eq!(found.len(), followers, "{name}");
    }
    let left = dump(&folder, &views()).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(left, dump(&folder, &views()).await);
}

#[tokio::test]
async fn lost_and_refused_and_erased_lines_go_too() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut all: Vec<Line> = (1..=4).map(|n| event_line(n, "42", "page.viewed")).collect();
    all[1] = event_line(2, "42", &"x".repeat(2_000));
    record.archive(PARTITION, all).await.unwrap();
    let mut other = event_line(4, "42", "page.viewed");
    other.id = LineId { epoch: 2, n: 1 };
    record.archive(PARTITION, vec![other]).await.unwrap();
    let mut erase = Line { id: LineId { epoch: 2, n: 2 }, line: empty_line(5, Some(ActorId::user("42"))), input: None };
    erase.line.erased = true;
    record.archive(PARTITION, vec![erase]).await.unwrap();
    prune(&record, 100).await;
    assert_eq!(dump(&folder, &["archive_line", "archive_refused"]).await, [] as [&str; 0]);
    assert_eq!(record.cursor(PARTITION).await.unwrap(), LineId { epoch: 2, n: 2 });
}

#[tokio::test]
async fn a_long_past_goes_page_by_page_over_lines_that_stay() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut all: Vec<Line> = (1..=1_700).map(|n| event_line(n, &n.to_string(), "page.viewed")).collect();
    for line in all.iter_mut().take(600) {
        line.line.traits = json!({ "plan": "pro" }).as_object().cloned();
    }
    record.archive(PARTITION, all).await.unwrap();
    let first = record.prune(PARTITION, at(1_601), LineId::default()).await.unwrap();
    assert_eq!((first.gone, first.reduced, first.next), (0, 500, Some(LineId { epoch: 1, n: 500 })));
    assert_eq!(prune(&record, 1_601).await, (1_000, 100));
    assert_eq!(prune(&record, 1_601).await, (0, 0), "a second time finds nothing");
    assert_eq!(lines(&folder).await.len(), 700);
    assert_eq!(events(&record).await.len(), 100);
    assert_eq!(record.with_traits("", 1_000).await.unwrap().len(), 600);
}

/// Conversations, words, verdicts that change, traits and follows, as they come: lines 1 to `count`.
fn some_past(chance: &mut Chance, count: u64) -> Vec<Line> {
    let mut all = Vec::new();
    // Number, customer, entries, whether it is open.
    let mut talks: Vec<(u64, u64, u32, bool)> = Vec::new();
    let mut pending: Vec<u64> = Vec::new();
    for n in 1..=count {
        let customer = chance.between(0, 3);
        let who = customer.to_string();
        let mut line = event_line(n, &who, "page.viewed");
        if chance.often(333) {
            line.input = None;
        }
        let JournalLine { entries, conversations, verdicts, traits, follows, goals, .. } = &mut line.line;
        let mut say = |talk: &mut (u64, u64, u32, bool), open: bool| {
            talk.2 += 1;
            talk.3 = open;
            entries.push(message(conversation(talk.0), talk.2, By::Assistant, &format!("words {n}")));
            let state = if open { SummaryState::Open } else { SummaryState::Closed };
            conversations.push(summary(talk.0, &who, state, HolderKind::Assistant, n));
        };
        for talk in talks.iter_mut().filter(|talk| talk.1 == customer && talk.3) {
            if chance.often(500) {
                say(talk, !chance.often(333));
                if chance.often(250) {
                    goals.push(serde_json::from_value(json!({ "conversation": conversation(talk.0) })).unwrap());
                }
            }
        }
        if line.input.is_some() && chance.often(333) {
            talks.push((n, customer, 0, true));
            if let Some(talk) = talks.last_mut() {
                say(talk, true);
            }
            verdicts.push(judged(n, "one", Verdict::Opened, Some(conversation(n))));
        } else if line.input.is_some() {
            verdicts.push(judged(n, "one", Verdict::NotMatched, None));
        }
        if line.input.is_some() && chance.often(250) {
            verdicts.push(judged(n, "two", Verdict::Pending, None));
            pending.push(n);
        }
        if chance.often(250) && !pending.is_empty() {
            let settled: Judged = judged(pending.remove(0), "two", Verdict::Withdrawn, None);
            if settled.event != event_id(n) {
                verdicts.push(settled);
            }
        }
        if chance.often(250) {
            *traits = json!({ "step": chance.below(3) }).as_object().cloned();
        }
        if chance.often(250) {
            let topic = ActorId::topic("back-in-stock", &chance.below(2).to_string()).unwrap();
            let until = (!chance.often(333)).then(|| at(n + chance.between(1, 40)));
            follows.push(Follow { topic, until });
        }
        all.push(line);
    }
    all
}

#[tokio::test]
async fn whatever_went_views_computed_anew_are_those_that_are_left() {
    for seed in 1..=30 {
        let mut chance = Chance::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let record = record(&folder).await;
        record.archive(PARTITION, some_past(&mut chance, 60)).await.unwrap();
        let whole = dump(&folder, &views()).await;
        let first = chance.between(1, 40);
        for cut in [first, chance.between(first, 65)] {
            prune(&record, cut).await;
            let left = dump(&folder, &views()).await;
            record.rebuild(&mut |_, _| ()).await.unwrap();
            let anew = dump(&folder, &views()).await;
            let differ = |one: &[String], other: &[String]| {
                one.iter().filter(|row| !other.contains(row)).cloned().collect::<Vec<String>>()
            };
            assert_eq!(differ(&left, &anew), [""; 0], "seed {seed}, before {cut}: rows that are missing");
            assert_eq!(differ(&anew, &left), [""; 0], "seed {seed}, before {cut}: rows that came back");
            let stays = left.iter().filter(|row| !row.starts_with("verdict")).all(|row| whole.contains(row));
            assert!(stays, "seed {seed}: rows go whole, or stay as they were");
            let of = |table: &str, rows: &[String]| rows.iter().filter(|row| row.starts_with(table)).count();
            assert_eq!(of("customer", &left), of("customer", &whole), "seed {seed}: who is known stays known");
            let kept: Vec<ConversationId> = open_or_new(&folder, at(cut)).await;
            for id in kept {
                let said = |rows: &[String]| rows.iter().filter(|row| row.contains(&format!("{id}"))).count();
                assert_eq!(said(&left), said(&whole), "seed {seed}: {id} stays whole");
            }
            let new = |rows: &[String]| {
                let later = (cut..=60).map(|n| format!("event id=Some(\"{}\")", event_id(n)));
                later.filter(|id| rows.iter().any(|row| row.starts_with(id))).count()
            };
            assert_eq!(new(&left), new(&whole), "seed {seed}: events from then on stay");
            assert_eq!(prune(&record, cut).await, (0, 0), "seed {seed}: a second time finds nothing");
        }
    }
}

/// Conversations that have to stay, by the rows as they are.
async fn open_or_new(folder: &tempfile::TempDir, before: Ms) -> Vec<ConversationId> {
    let pool = beneath(folder).await;
    let sql = "select id from conversation where state <> 'closed' or updated_at >= $1";
    let rows = sqlx::query_scalar::<_, String>(sql).bind(i64::try_from(before.0).unwrap());
    rows.fetch_all(&pool).await.unwrap().iter().map(|id| id.parse().unwrap()).collect()
}
