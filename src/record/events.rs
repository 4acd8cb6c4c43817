//! What became of events.

use std::time::Instant;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::page::{Cursor, MOST, Page, containing};
use super::rows::{Cell, bind, number};
use super::{Record, RecordError};
use crate::model::decision::{GoalReached, Judged};
use crate::model::event::Event;
use crate::model::ids::{ActorId, EventId};
use crate::model::input::{Body, Envelope};
use crate::model::time::Ms;

/// The most events that one sender's id finds at once.
const MOST_BY_SENDER: u32 = 100;
/// The latest events that a search looks through: a word may stand in none of a billion.
pub const SEARCHED: u32 = 50_000;

/// How far an archived event is. One that is not archived yet is pending, which only the store knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventStatus {
    /// Playbooks made something of it, or nothing listens.
    Decided,
    /// It went to dead letters.
    Dead,
}

impl EventStatus {
    /// As it is told outside.
    pub fn name(self) -> &'static str {
        match self {
            EventStatus::Decided => "decided",
            EventStatus::Dead => "dead",
        }
    }
}

/// An event and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView {
    /// Beckon's id.
    pub id: EventId,
    /// How far it is.
    pub status: EventStatus,
    /// The event, with the sender's id, source, type and time.
    pub event: Event,
    /// When it was appended.
    pub received_at: Ms,
    /// What each playbook made of it, as it stands now; in order of name.
    pub decisions: Vec<Judged>,
    /// Goals it reached.
    pub goals: Vec<GoalReached>,
    /// What became of those whom a topic told of it, by playbook and verdict.
    pub told: Vec<VerdictCount>,
}

/// An event as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Beckon's id.
    pub id: EventId,
    /// How far it is.
    pub status: EventStatus,
    /// The sender's id.
    pub sender_id: String,
    /// Where it comes from.
    pub source: String,
    /// What happened.
    pub kind: String,
    /// Whom it concerns.
    pub customer: Option<ActorId>,
    /// When it was appended.
    pub received_at: Ms,
    /// Playbooks with what they made of it.
    pub verdicts: Vec<(String, String)>,
    /// In how many conversations it reached the goal.
    pub goals: u64,
}

/// Which events a list shows; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this type.
    pub kind: Option<String>,
    /// From this source.
    pub source: Option<String>,
    /// About this customer.
    pub customer: Option<ActorId>,
    /// This playbook judged it.
    pub playbook: Option<String>,
    /// Some playbook, or the one named, made this of it.
    pub verdict: Option<String>,
    /// With this in type, source, sender's id or customer, among the latest [`SEARCHED`]; taken as it is, 200 characters at
    /// most.
    pub search: Option<String>,
}

/// How many events a playbook made this of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictCount {
    /// The playbook.
    pub playbook: String,
    /// The verdict.
    pub verdict: String,
    /// How many.
    pub count: u64,
}

/// Verdicts as they were counted last.
pub(super) struct Counted {
    counts: Vec<VerdictCount>,
    good_until: Instant,
}

impl Record {
    /// An event by Beckon's id.
    ///
    /// # Errors
    /// The record's.
    pub async fn event(&self, id: EventId) -> Result<Option<EventView>, RecordError> {
        let row = sqlx::query(
            "select e.status, a.input from event e \
             join archive_line a on a.part = e.part and a.epoch = e.epoch and a.n = e.n where e.id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let status: String = row.try_get(0).map_err(|e| self.failed(e))?;
        let input: Option<String> = row.try_get(1).map_err(|e| self.failed(e))?;
        let envelope: Envelope =
            serde_json::from_str(input.as_deref().unwrap_or("null")).map_err(|e| self.corrupt(e))?;
        let Body::Event(event) = envelope.body else { return Ok(None) };
        let decisions = self.decisions(id).await?;
        let goals = self.goals(id).await?;
        let received_at = id.pos.time();
        let told = self.told(id).await?;
        Ok(Some(EventView { id, status: status_of(&status), event: *event, received_at, decisions, goals, told }))
    }

    /// The latest events with this id of the sender, 100 at most.
    ///
    /// # Errors
    /// The record's.
    pub async fn events_by_sender(&self, id: &str, source: Option<&str>) -> Result<Vec<EventView>, RecordError> {
        Ok(self.sent_as(id, source, None, MOST_BY_SENDER).await?.items)
    }

    /// A page of events with this id of the sender, the latest first.
    ///
    /// # Errors
    /// The record's.
    pub async fn sent_as(
        &self,
        id: &str,
        source: Option<&str>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<EventView>, RecordError> {
        let limit = limit.clamp(1, MOST);
        let mut cells = vec![Cell::Text(id.to_owned())];
        // What a topic gave to customers was sent once.
        let mut parts = vec!["sender_id = $1 and origin is null".to_owned()];
        if let Some(source) = source {
            cells.push(Cell::Text(source.to_owned()));
            parts.push(format!("source = ${}", cells.len()));
        }
        if let Some(Cursor { at, id }) = cursor.cloned() {
            cells.extend([Cell::Int(at), Cell::Int(at), Cell::Text(id)]);
            let n = cells.len();
            parts.push(format!("(received_at < ${} or (received_at = ${} and id < ${n}))", n - 2, n - 1));
        }
        cells.push(Cell::Int(i64::from(limit) + 1));
        let sql = format!(
            "select id from event where {} order by received_at desc, id desc limit ${}",
            parts.join(" and "),
            cells.len()
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in cells {
            query = bind(query, cell);
        }
        let rows = query.fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<EventId, RecordError> {
            let text: String = row.try_get(0).map_err(|e| self.failed(e))?;
            text.parse().map_err(|e| self.corrupt(e))
        };
        let ids = rows.iter().map(read).collect::<Result<Vec<EventId>, _>>()?;
        let page = Page::cut(ids, limit, |id| (super::rows::int(id.pos.ms), id.to_string()));
        let mut items = Vec::with_capacity(page.items.len());
        for id in page.items {
            items.extend(self.event(id).await?);
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// A page of events, the latest first.
    ///
    /// # Errors
    /// The record's.
    pub async fn recent_events(
        &self,
        filter: &EventFilter,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<EventRow>, RecordError> {
        let limit = limit.clamp(1, MOST);
        // What a topic gave to a hundred thousand customers is listed where a customer or a playbook is asked for.
        let narrow = filter.customer.is_some() || filter.playbook.is_some() || filter.verdict.is_some();
        let mut parts = vec![if narrow { "1 = 1" } else { "origin is null" }.to_owned()];
        let mut cells = Vec::new();
        let wanted = [
            ("kind", filter.kind.clone()),
            ("source", filter.source.clone()),
            ("customer", filter.customer.as_ref().map(ToString::to_string)),
        ];
        for (column, value) in wanted {
            if let Some(value) = value {
                cells.push(Cell::Text(value));
                parts.push(format!("{column} = ${}", cells.len()));
            }
        }
        if filter.playbook.is_some() || filter.verdict.is_some() {
            let mut judged = vec!["v.event = event.id".to_owned()];
            for (column, value) in [("v.playbook", &filter.playbook), ("v.verdict", &filter.verdict)] {
                if let Some(value) = value {
                    cells.push(Cell::Text(value.clone()));
                    judged.push(format!("{column} = ${}", cells.len()));
                }
            }
            parts.push(format!("exists (select 1 from verdict v where {})", judged.join(" and ")));
        }
        let search = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
        // Where nothing but a look at each row can tell, the rows looked at are bounded.
        let looks_at_each = search.is_some() || filter.playbook.is_some() || filter.verdict.is_some();
        if let Some(search) = search {
            let mut found = Vec::new();
            // Of customers only ids that are no secrets.
            let customer = "case when customer like 'user:%' then customer else '' end";
            for column in ["kind", "source", "sender_id", customer] {
                cells.push(Cell::Text(containing(search)));
                found.push(format!("lower({column}) like ${} escape '!'", cells.len()));
            }
            parts.push(format!("({})", found.join(" or ")));
        }
        let table = if looks_at_each {
            cells.push(Cell::Int(i64::from(SEARCHED)));
            format!("(select * from event order by received_at desc, id desc limit ${}) event", cells.len())
        } else {
            "event".to_owned()
        };
        if let Some(Cursor { at, id }) = cursor.cloned() {
            cells.extend([Cell::Int(at), Cell::Int(at), Cell::Text(id)]);
            let n = cells.len();
            parts.push(format!("(received_at < ${} or (received_at = ${} and id < ${n}))", n - 2, n - 1));
        }
        cells.push(Cell::Int(i64::from(limit) + 1));
        let sql = format!(
            "select id, status, sender_id, source, kind, customer, received_at, \
             (select count(*) from goal where goal.event = event.id) from {table} where {} \
             order by received_at desc, id desc limit ${}",
            parts.join(" and "),
            cells.len()
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in cells {
            query = bind(query, cell);
        }
        let rows = query.fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let events = rows.iter().map(|row| self.event_row(row)).collect::<Result<Vec<_>, _>>()?;
        let mut page = Page::cut(events, limit, |event| (super::rows::int(event.received_at.0), event.id.to_string()));
        self.add_verdicts(&mut page.items).await?;
        Ok(page)
    }

    /// How many events each playbook made what of.
    ///
    /// # Errors
    /// The record's.
    pub async fn verdict_counts(&self) -> Result<Vec<VerdictCount>, RecordError> {
        // Who asks together waits for one count, and the next begins later the longer this one took: lists that are
        // asked for again and again cost a fiftieth of a reader's time, however many verdicts there are.
        let mut known = self.inner.verdicts.lock().await;
        let begun = Instant::now();
        if let Some(counted) = known.as_ref()
            && begun < counted.good_until
        {
            return Ok(counted.counts.clone());
        }
        let counts = self.count_verdicts().await?;
        let took = begun.elapsed();
        *known = Some(Counted { counts: counts.clone(), good_until: Instant::now() + took * 50 });
        Ok(counts)
    }

    async fn count_verdicts(&self) -> Result<Vec<VerdictCount>, RecordError> {
        let rows = sqlx::query(
            "select playbook, verdict, count(*) from verdict group by playbook, verdict order by playbook, verdict",
        )
        .fetch_all(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<VerdictCount, sqlx::Error> {
            let count = number(row.try_get(2)?);
            Ok(VerdictCount { playbook: row.try_get(0)?, verdict: row.try_get(1)?, count })
        };
        rows.iter().map(|row| read(row).map_err(|e| self.failed(e))).collect()
    }

    async fn decisions(&self, id: EventId) -> Result<Vec<Judged>, RecordError> {
        let rows = sqlx::query("select detail, conversation from verdict where event = $1 order by playbook")
            .bind(id.to_string())
            .fetch_all(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        let mut decisions = Vec::with_capacity(rows.len());
        for row in rows {
            let detail: String = row.try_get(0).map_err(|e| self.failed(e))?;
            let conversation: Option<String> = row.try_get(1).map_err(|e| self.failed(e))?;
            let mut judged: Judged = serde_json::from_str(&detail).map_err(|e| self.corrupt(e))?;
            judged.conversation = conversation.and_then(|id| id.parse().ok());
            decisions.push(judged);
        }
        Ok(decisions)
    }

    async fn goals(&self, id: EventId) -> Result<Vec<GoalReached>, RecordError> {
        let rows = sqlx::query("select conversation, value from goal where event = $1 order by conversation")
            .bind(id.to_string())
            .fetch_all(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        let mut goals = Vec::with_capacity(rows.len());
        for row in rows {
            let conversation: String = row.try_get(0).map_err(|e| self.failed(e))?;
            let value: Option<String> = row.try_get(1).map_err(|e| self.failed(e))?;
            goals.push(GoalReached {
                conversation: conversation.parse().map_err(|e| self.corrupt(e))?,
                value: value.map(|text| serde_json::from_str(&text)).transpose().map_err(|e| self.corrupt(e))?,
            });
        }
        Ok(goals)
    }

    async fn add_verdicts(&self, events: &mut [EventRow]) -> Result<(), RecordError> {
        if events.is_empty() {
            return Ok(());
        }
        let places: Vec<String> = (1..=events.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "select event, playbook, verdict from verdict where event in ({}) order by event, playbook",
            places.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for event in events.iter() {
            query = query.bind(event.id.to_string());
        }
        for row in query.fetch_all(self.read()).await.map_err(|e| self.failed(e))? {
            let read = || Ok((row.try_get::<String, _>(0)?, row.try_get(1)?, row.try_get(2)?));
            let (event, playbook, verdict) = read().map_err(|e| self.failed(e))?;
            if let Some(found) = events.iter_mut().find(|row| row.id.to_string() == event) {
                found.verdicts.push((playbook, verdict));
            }
        }
        Ok(())
    }

    fn event_row(&self, row: &AnyRow) -> Result<EventRow, RecordError> {
        let read = || -> Result<_, sqlx::Error> {
            let texts: [String; 5] =
                [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?];
            Ok((texts, row.try_get::<Option<String>, _>(5)?, row.try_get::<i64, _>(6)?, row.try_get::<i64, _>(7)?))
        };
        let ([id, status, sender_id, source, kind], customer, at, goals) = read().map_err(|e| self.failed(e))?;
        Ok(EventRow {
            id: id.parse().map_err(|e| self.corrupt(e))?,
            status: status_of(&status),
            sender_id,
            source,
            kind,
            customer: customer.and_then(|text| ActorId::parse(&text).ok()),
            received_at: Ms(number(at)),
            verdicts: Vec::new(),
            goals: number(goals),
        })
    }
}

fn status_of(text: &str) -> EventStatus {
    if text == "dead" { EventStatus::Dead } else { EventStatus::Decided }
}
