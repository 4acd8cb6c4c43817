//! Where events went: counted by source, type, playbook, verdict, who talked and what it came to.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::time::Ms;

/// The latest events of a window that are counted; a busier window is counted from a later time, and says so.
const MOST: i64 = 50_000;
/// The most different ways that are told apart.
const WAYS: i64 = 2_000;

/// What became of the events of a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// The earliest event that was counted; none: there was no event.
    pub since: Option<Ms>,
    /// Whether all events of the window were counted.
    pub whole: bool,
    /// Events by source and type, most first.
    pub events: Vec<FlowEvents>,
    /// What became of them, most first. An event that two playbooks hear is in two of these.
    pub rows: Vec<FlowRow>,
}

/// How many events of a source had a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEvents {
    /// The source.
    pub source: String,
    /// The type.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// How many events of a type went the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRow {
    /// The type.
    pub kind: String,
    /// The playbook that judged it, with what it made of it; none: nothing listens to it.
    pub judged: Option<(String, String)>,
    /// The conversation that it opened; none where it opened none.
    pub opened: Option<FlowTalk>,
    /// Nothing listens to it, but it was some conversation's goal.
    pub goal: bool,
    /// It could not be processed.
    pub dead: bool,
    /// How many.
    pub count: u64,
}

/// What became of the conversations that were opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowTalk {
    /// `waiting`, `open` or `closed`.
    pub state: String,
    /// Whether a person was asked for, or took it.
    pub handed: bool,
    /// What it came to, so far.
    pub outcome: Option<String>,
}

impl Record {
    /// What became of the events received since then.
    ///
    /// # Errors
    /// The record's.
    pub async fn flow(&self, since: Ms) -> Result<Flow, RecordError> {
        let bounded = "from event where received_at >= $1 order by received_at desc, id desc limit $2";
        let events = sqlx::query(sqlx::AssertSqlSafe(format!(
            "select e.source, e.kind, count(*), min(e.received_at) from (select source, kind, received_at {bounded}) e \
             group by e.source, e.kind order by count(*) desc, e.source, e.kind limit $3"
        )))
        .bind(int(since.0))
        .bind(MOST)
        .bind(WAYS)
        .fetch_all(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "select e.kind, e.status, cast(case when e.goals > 0 then 1 else 0 end as bigint), v.playbook, v.verdict, \
             c.state, c.handed, c.outcome, count(*) \
             from (select id, kind, status, (select count(*) from goal g where g.event = event.id) as goals {bounded}) e \
             left join verdict v on v.event = e.id \
             left join conversation c on c.id = v.conversation and v.verdict <> 'joined' \
             group by e.kind, e.status, case when e.goals > 0 then 1 else 0 end, v.playbook, v.verdict, c.state, \
             c.handed, c.outcome order by count(*) desc, e.kind limit $3"
        )))
        .bind(int(since.0))
        .bind(MOST)
        .bind(WAYS)
        .fetch_all(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let mut flow = Flow { whole: true, ..Flow::default() };
        let mut earliest: Option<i64> = None;
        for row in &events {
            let (counted, first) = counted(row).map_err(|e| self.failed(e))?;
            earliest = Some(earliest.map_or(first, |known| known.min(first)));
            flow.events.push(counted);
        }
        flow.since = earliest.map(|at| Ms(number(at)));
        flow.whole = flow.events.iter().map(|counted| counted.count).sum::<u64>() < number(MOST);
        flow.rows = rows.iter().map(way).collect::<Result<_, _>>().map_err(|e| self.failed(e))?;
        Ok(flow)
    }
}

fn counted(row: &AnyRow) -> Result<(FlowEvents, i64), sqlx::Error> {
    let counted = FlowEvents { source: row.try_get(0)?, kind: row.try_get(1)?, count: number(row.try_get(2)?) };
    Ok((counted, row.try_get(3)?))
}

fn way(row: &AnyRow) -> Result<FlowRow, sqlx::Error> {
    let status: String = row.try_get(1)?;
    let judged = row.try_get::<Option<String>, _>(3)?.zip(row.try_get::<Option<String>, _>(4)?);
    let state: Option<String> = row.try_get(5)?;
    let (handed, outcome) = (row.try_get::<Option<i64>, _>(6)?, row.try_get::<Option<String>, _>(7)?);
    let opened = state.map(|state| FlowTalk { state, handed: handed.is_some_and(|handed| handed > 0), outcome });
    Ok(FlowRow {
        kind: row.try_get(0)?,
        goal: judged.is_none() && row.try_get::<i64, _>(2)? > 0,
        judged,
        opened,
        dead: status == "dead",
        count: number(row.try_get(8)?),
    })
}
