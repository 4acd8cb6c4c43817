//! Retention: what is older than it is to be kept goes, from the archive and from the views in the same transaction, so
//! that views computed anew from what is left are the views as they are.
//!
//! A line loses what no longer counts, and goes when nothing of it is left. What counts however old it is: conversations
//! that are not over, or that a person still has to look at, with the events that made them; events of which it is not
//! decided yet what becomes of them; the customer's present traits; topics that a customer still follows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::{AnyConnection, Row};

use super::archive::{json, lock};
use super::line::LineId;
use super::rows::{execute_among, fetch_among, int, number};
use super::{Record, RecordError};
use crate::model::decision::{JournalLine, SummaryState};
use crate::model::entry::Verdict;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition};
use crate::model::time::Ms;

/// Lines looked at in one transaction.
const PAGE: i64 = 500;

/// Verdicts that may still change though no conversation stands for them.
const UNDECIDED: [Verdict; 2] = [Verdict::Pending, Verdict::Forwarded];

/// What became of a page of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Lines that went.
    pub gone: u64,
    /// Lines that lost something.
    pub reduced: u64,
    /// The last line looked at; none where no older ones follow.
    pub next: Option<LineId>,
}

/// A line that is old enough to go.
struct Old {
    id: LineId,
    line: JournalLine,
    input: bool,
    lost: bool,
}

/// Of a conversation, whether it may go.
#[derive(Deserialize)]
struct Ended {
    state: SummaryState,
    updated_at: Ms,
    #[serde(default)]
    unknown_call: bool,
}

impl Ended {
    fn counts(&self, before: Ms) -> bool {
        self.state != SummaryState::Closed || self.updated_at >= before || self.unknown_call
    }
}

/// What the views say of what some lines name.
#[derive(Default)]
struct Standing {
    /// Conversations, and whether they still count.
    conversations: BTreeMap<ConversationId, bool>,
    events: BTreeSet<EventId>,
    /// Events that still count for what playbooks made of them.
    judged: BTreeSet<EventId>,
    traits: BTreeMap<ActorId, Map<String, Value>>,
    /// By customer and topic.
    follows: BTreeMap<(String, String), Ms>,
}

/// What is to be done with a page.
#[derive(Default)]
struct Plan {
    gone: Vec<LineId>,
    /// With whether the input stays.
    reduced: Vec<(LineId, JournalLine, bool)>,
    events: BTreeSet<EventId>,
    conversations: BTreeSet<ConversationId>,
}

impl Record {
    /// Lets go of what a page of a partition's archive, after a line, has from before a time. Nothing is locked where
    /// there is nothing to let go.
    ///
    /// # Errors
    /// The record's; nothing of this page was let go then.
    pub async fn prune(&self, partition: Partition, before: Ms, after: LineId) -> Result<Pruned, RecordError> {
        let mut reading = self.read().acquire().await.map_err(|e| self.failed(e))?;
        let (plan, next) = self.plan(&mut reading, partition, before, after).await?;
        drop(reading);
        if plan.is_empty() {
            return Ok(Pruned { next, ..Pruned::default() });
        }
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        lock(&mut transaction, &[partition]).await.map_err(|e| self.failed(e))?;
        // What was archived since may have changed what counts.
        let (plan, next) = self.plan(&mut transaction, partition, before, after).await?;
        plan.carry_out(&mut transaction, partition).await.map_err(|e| self.failed(e))?;
        transaction.commit().await.map_err(|e| self.failed(e))?;
        let count = |all: usize| u64::try_from(all).unwrap_or_default();
        Ok(Pruned { gone: count(plan.gone.len()), reduced: count(plan.reduced.len()), next })
    }

    /// Lets go of lines that SQL once refused, and of follows that are over, from before a time.
    ///
    /// # Errors
    /// The record's.
    pub async fn prune_aside(&self, before: Ms) -> Result<(), RecordError> {
        for sql in ["delete from archive_refused where pos_ms < $1", "delete from follower where until < $1"] {
            let query = sqlx::query(sql).bind(int(before.0));
            query.execute(self.write()).await.map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    async fn plan(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        before: Ms,
        after: LineId,
    ) -> Result<(Plan, Option<LineId>), RecordError> {
        let (lines, next) = self.old_lines(connection, partition, before, after).await?;
        let standing = self.standing(connection, partition, before, &lines).await?;
        Ok((Plan::of(partition, lines, &standing), next))
    }

    /// A page of lines from before a time, up to the first that is not; and the last, where more may follow.
    async fn old_lines(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        before: Ms,
        after: LineId,
    ) -> Result<(Vec<Old>, Option<LineId>), RecordError> {
        let sql = "select epoch, n, pos_ms, lost, input is not null, line from archive_line where part = $1 \
                   and (epoch > $2 or (epoch = $2 and n > $3)) order by epoch, n limit $4";
        let query = sqlx::query(sql).bind(i64::from(partition.0)).bind(int(after.epoch)).bind(int(after.n)).bind(PAGE);
        let rows = query.fetch_all(connection).await.map_err(|e| self.failed(e))?;
        let whole = i64::try_from(rows.len()).unwrap_or_default() == PAGE;
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let get = |column: usize| row.try_get::<i64, _>(column).map(number).map_err(|e| self.failed(e));
            let id = LineId { epoch: get(0)?, n: get(1)? };
            if get(2)? >= before.0 {
                return Ok((lines, None));
            }
            // A condition is a whole number in SQLite and a truth value in PostgreSQL.
            let input = row.try_get::<bool, _>(4).or_else(|_| row.try_get::<i64, _>(4).map(|is| is != 0));
            let input = input.map_err(|e| self.failed(e))?;
            let line: &str = row.try_get(5).map_err(|e| self.failed(e))?;
            let wrong = |e: serde_json::Error| self.corrupt(format!("line {partition}/{id} of the archive: {e}"));
            lines.push(Old { id, line: serde_json::from_str(line).map_err(wrong)?, input, lost: get(3)? != 0 });
        }
        let next = lines.last().map(|old| old.id).filter(|_| whole);
        Ok((lines, next))
    }

    /// What the views say of what these lines name.
    async fn standing(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        before: Ms,
        lines: &[Old],
    ) -> Result<Standing, RecordError> {
        let mut standing = Standing::default();
        let (mut events, mut named) = (BTreeSet::new(), BTreeSet::new());
        let (mut with_traits, mut followers) = (BTreeSet::new(), BTreeSet::new());
        for Old { line, .. } in lines {
            events.insert(EventId { partition, pos: line.pos });
            events.extend(line.verdicts.iter().map(|judged| judged.event));
            named.extend(line.entries.iter().map(|logged| logged.conversation));
            named.extend(line.conversations.iter().map(|summary| summary.id));
            named.extend(line.goals.iter().map(|goal| goal.conversation));
            with_traits.extend(line.actor.iter().filter(|_| line.traits.is_some()).cloned());
            followers.extend(line.actor.iter().filter(|_| !line.follows.is_empty()).cloned());
        }
        let texts = |events: &BTreeSet<EventId>| events.iter().map(ToString::to_string).collect::<Vec<String>>();

        let sql = "select id from event where id";
        for row in fetch_among(connection, sql, texts(&events)).await.map_err(|e| self.failed(e))? {
            let id: &str = row.try_get(0).map_err(|e| self.failed(e))?;
            standing.events.insert(id.parse().map_err(|e| self.corrupt(e))?);
        }

        let undecided: Vec<String> = UNDECIDED.iter().map(super::views::name_of).collect();
        let mut judged_of: Vec<(EventId, ConversationId)> = Vec::new();
        let sql = "select event, verdict, conversation from verdict where event";
        for row in fetch_among(connection, sql, texts(&events)).await.map_err(|e| self.failed(e))? {
            let event: &str = row.try_get(0).map_err(|e| self.failed(e))?;
            let event: EventId = event.parse().map_err(|e| self.corrupt(e))?;
            let verdict: String = row.try_get(1).map_err(|e| self.failed(e))?;
            let conversation: Option<String> = row.try_get(2).map_err(|e| self.failed(e))?;
            if undecided.contains(&verdict) {
                standing.judged.insert(event);
            }
            if let Some(conversation) = conversation {
                let conversation: ConversationId = conversation.parse().map_err(|e| self.corrupt(e))?;
                judged_of.push((event, conversation));
                named.insert(conversation);
            }
        }

        let sql = "select id, summary from conversation where id";
        let ids: Vec<String> = named.iter().map(ToString::to_string).collect();
        for row in fetch_among(connection, sql, ids).await.map_err(|e| self.failed(e))? {
            let id: &str = row.try_get(0).map_err(|e| self.failed(e))?;
            let summary: &str = row.try_get(1).map_err(|e| self.failed(e))?;
            let ended: Ended = serde_json::from_str(summary).map_err(|e| self.corrupt(e))?;
            standing.conversations.insert(id.parse().map_err(|e| self.corrupt(e))?, ended.counts(before));
        }
        judged_of.retain(|(_, conversation)| standing.counts(*conversation));
        standing.judged.extend(judged_of.into_iter().map(|(event, _)| event));

        let actors = |actors: &BTreeSet<ActorId>| actors.iter().map(ToString::to_string).collect::<Vec<String>>();
        let sql = "select id, traits from customer where id";
        for row in fetch_among(connection, sql, actors(&with_traits)).await.map_err(|e| self.failed(e))? {
            let id: &str = row.try_get(0).map_err(|e| self.failed(e))?;
            let traits: &str = row.try_get(1).map_err(|e| self.failed(e))?;
            let traits = serde_json::from_str(traits).map_err(|e| self.corrupt(e))?;
            standing.traits.insert(ActorId::parse(id).map_err(|e| self.corrupt(e))?, traits);
        }

        let sql = "select customer, topic, until from follower where customer";
        for row in fetch_among(connection, sql, actors(&followers)).await.map_err(|e| self.failed(e))? {
            let text = |column: usize| row.try_get::<String, _>(column).map_err(|e| self.failed(e));
            let (customer, topic) = (text(0)?, text(1)?);
            let until = Ms(number(row.try_get(2).map_err(|e| self.failed(e))?));
            standing.follows.extend((until >= before).then_some(((customer, topic), until)));
        }
        Ok(standing)
    }
}

impl Standing {
    /// Whether a conversation still counts; what has no row was let go before.
    fn counts(&self, conversation: ConversationId) -> bool {
        self.conversations.get(&conversation).copied().unwrap_or_default()
    }
}

impl Plan {
    fn of(partition: Partition, lines: Vec<Old>, standing: &Standing) -> Plan {
        let mut plan = Plan::default();
        plan.conversations.extend(standing.conversations.iter().filter(|(_, counts)| !**counts).map(|(id, _)| *id));
        for old in lines {
            if old.lost {
                plan.gone.push(old.id);
            } else {
                plan.add(partition, old, standing);
            }
        }
        plan
    }

    fn add(&mut self, partition: Partition, old: Old, standing: &Standing) {
        let own = EventId { partition, pos: old.line.pos };
        let mut line = old.line.clone();
        line.entries.retain(|logged| standing.counts(logged.conversation));
        line.conversations.retain(|summary| standing.counts(summary.id));
        line.goals.retain(|goal| standing.counts(goal.conversation));
        line.answers.retain(|answer| answer.conversation.is_some_and(|id| standing.counts(id)));
        line.retired.retain(|id| standing.counts(*id));
        let talks = !(line.entries.is_empty() && line.conversations.is_empty() && line.goals.is_empty());
        let counts = talks || standing.judged.contains(&own);
        let input = old.input && counts;
        if !counts {
            self.events.insert(own);
        }
        let events: BTreeSet<EventId> = line.verdicts.iter().map(|judged| judged.event).collect();
        self.events.extend(events.into_iter().filter(|event| *event != own && !standing.events.contains(event)));
        line.verdicts.retain(|judged| !self.events.contains(&judged.event));
        if line.traits.is_some() && line.traits.as_ref() != line.actor.as_ref().and_then(|of| standing.traits.get(of)) {
            line.traits = None;
        }
        if let Some(actor) = &line.actor {
            line.follows.retain(|follow| {
                let row = standing.follows.get(&(actor.to_string(), follow.topic.to_string()));
                follow.until.is_some() && row.copied() == follow.until
            });
        }
        let empty = !talks && !input && line.verdicts.is_empty() && line.traits.is_none() && line.follows.is_empty();
        if empty {
            self.gone.push(old.id);
        } else if line != old.line || input != old.input {
            self.reduced.push((old.id, line, input));
        }
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.reduced.is_empty()
    }

    async fn carry_out(&self, connection: &mut AnyConnection, partition: Partition) -> Result<(), sqlx::Error> {
        let conversations: Vec<String> = self.conversations.iter().map(ToString::to_string).collect();
        let events: Vec<String> = self.events.iter().map(ToString::to_string).collect();
        for (sql, ids) in [
            ("delete from entry where conversation", &conversations),
            ("delete from snoozed where conversation", &conversations),
            ("delete from mention where conversation", &conversations),
            ("delete from conversation_label where conversation", &conversations),
            ("delete from goal where conversation", &conversations),
            // Their files are nobody's from here: the next sweep takes them.
            ("update attachment set conversation = null, claimed_at = 0 where conversation", &conversations),
            ("delete from conversation where id", &conversations),
            ("delete from verdict where event", &events),
            ("delete from goal where event", &events),
            ("delete from event where id", &events),
        ] {
            execute_among(connection, sql, ids.iter().cloned()).await?;
        }
        for id in &self.gone {
            sqlx::query("delete from archive_line where part = $1 and epoch = $2 and n = $3")
                .bind(i64::from(partition.0))
                .bind(int(id.epoch))
                .bind(int(id.n))
                .execute(&mut *connection)
                .await?;
        }
        for (id, line, input) in &self.reduced {
            let sql = if *input {
                "update archive_line set line = $4 where part = $1 and epoch = $2 and n = $3"
            } else {
                "update archive_line set line = $4, input = null where part = $1 and epoch = $2 and n = $3"
            };
            sqlx::query(sql)
                .bind(i64::from(partition.0))
                .bind(int(id.epoch))
                .bind(int(id.n))
                .bind(json(line))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}
