//! Conversations as lists show them, and their entries once the store has forgotten them.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::page::{Cursor, MOST, Page, containing};
use super::rows::{Cell, bind, number};
use super::snoozed::asleep;
use super::views::name_of;
use super::{Record, RecordError};
use crate::model::decision::{Summary, SummaryState};
use crate::model::entry::{Entry, HolderKind};
use crate::model::ids::{ActorId, ConversationId};
use crate::model::satisfaction::Satisfaction;
use crate::model::time::Ms;
use crate::model::triage::{Label, Priority};

/// Counts in tabs go no further: "999+" says enough, and counting stays cheap.
const MOST_COUNTED: i64 = 1_000;

/// Which conversations a list shows; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct ConversationFilter {
    /// The inbox's view.
    pub view: View,
    /// Those too that were never listed: nobody was ever spoken to in them.
    pub unlisted: bool,
    /// This customer's.
    pub customer: Option<ActorId>,
    /// In this state.
    pub state: Option<SummaryState>,
    /// Held by these.
    pub holder: Option<HolderKind>,
    /// Of this playbook.
    pub playbook: Option<String>,
    /// With this label.
    pub label: Option<Label>,
    /// Of this team.
    pub team: Option<String>,
    /// Of this priority.
    pub priority: Option<Priority>,
    /// Rated so by the customer.
    pub rated: Option<Satisfaction>,
    /// With this in customer, key, playbook or words; taken as it is, 200 characters at most.
    pub search: Option<String>,
}

/// A view of the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum View {
    /// All that are listed, the latest change first.
    #[default]
    All,
    /// Those that need a person, those that this operator holds, and those where a note names it; the highest priority first,
    /// and of one priority who waits longest.
    NeedsPerson {
        /// The operator's id.
        operator: String,
        /// The present: what is snoozed needs nobody until later.
        now: Ms,
    },
    /// Those that need nobody until later.
    Snoozed {
        /// The present.
        now: Ms,
    },
    /// Open, with the assistant.
    Assistant,
    /// Not yet seen by the customer.
    Waiting,
    /// Ended.
    Closed,
}

/// How many conversations each view has; none for "more than can be counted cheaply".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ViewCounts {
    /// Those that need a person, and those held.
    pub needs_person: Option<u32>,
    /// Open, with the assistant.
    pub assistant: Option<u32>,
    /// Not yet seen.
    pub waiting: Option<u32>,
    /// Put off until later.
    pub snoozed: Option<u32>,
    /// Ended.
    pub closed: Option<u32>,
    /// All.
    pub all: Option<u32>,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The conversation.
    pub summary: Summary,
    /// What the customer is called, where that is known.
    pub name: Option<String>,
    /// The last words that the customer could see.
    pub last: Option<LastWords>,
    /// Since when it needs a person.
    pub needs_since: Option<Ms>,
    /// In the view of who needs a person: who wrote the note that names this operator.
    pub mentioned_by: Option<String>,
}

/// The last words of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// Who spoke: `customer`, `assistant`, `operator` or `system`.
    pub by: String,
    /// The first 200 characters.
    pub text: String,
    /// When.
    pub at: Ms,
}

/// Who comes first of those that need a person, as one number: a priority outweighs every time before the year 33658.
const SOONEST: &str = "(3 - c.priority) * 1000000000000000 + coalesce(c.needs_since, c.updated_at)";

impl Record {
    /// A conversation as lists show it, listed or not.
    ///
    /// # Errors
    /// The record's.
    pub async fn summary(&self, id: ConversationId) -> Result<Option<Summary>, RecordError> {
        let row = sqlx::query("select summary from conversation where id = $1")
            .bind(id.to_string())
            .fetch_optional(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let text: String = row.try_get(0).map_err(|e| self.failed(e))?;
        serde_json::from_str(&text).map(Some).map_err(|e| self.corrupt(e))
    }

    /// A page of conversations.
    ///
    /// # Errors
    /// The record's.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Listed>, RecordError> {
        let limit = limit.clamp(1, MOST);
        let soonest_first = matches!(filter.view, View::NeedsPerson { .. });
        let mentions = self.mentions_for(filter).await?;
        let mut wanted = conditions(filter, mentions.keys());
        let (sort, order) = if soonest_first { (SOONEST, "asc") } else { ("c.updated_at", "desc") };
        if let Some(Cursor { at, id }) = cursor.cloned() {
            let than = if soonest_first { ">" } else { "<" };
            let (a, b, c) = (wanted.next(Cell::Int(at)), wanted.next(Cell::Int(at)), wanted.next(Cell::Text(id)));
            wanted.parts.push(format!("({sort} {than} {a} or ({sort} = {b} and c.id {than} {c}))"));
        }
        let most = wanted.next(Cell::Int(i64::from(limit) + 1));
        let sql = format!(
            "select c.summary, p.name, c.last_by, c.last_text, c.last_at, c.needs_since, {SOONEST}, c.updated_at \
                 from conversation c left join customer p on p.id = c.customer \
                 where {} order by {sort} {order}, c.id {order} limit {most}",
            wanted.parts.join(" and ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in wanted.cells {
            query = bind(query, cell);
        }
        let rows = query.fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let items = rows.iter().map(|row| self.listed(row, &mentions)).collect::<Result<Vec<_>, _>>()?;
        let page = Page::cut(items, limit, |(listed, sort, updated)| {
            (if soonest_first { *sort } else { *updated }, listed.summary.id.to_string())
        });
        Ok(Page { items: page.items.into_iter().map(|(listed, ..)| listed).collect(), cursor: page.cursor })
    }

    /// How many conversations each view of the inbox has.
    ///
    /// # Errors
    /// The record's.
    pub async fn counts(&self, operator: &str, now: Ms) -> Result<ViewCounts, RecordError> {
        self.counts_within(&ConversationFilter::default(), operator, now).await
    }

    /// The same of those alone that have what a filter says beside its view.
    ///
    /// # Errors
    /// The record's.
    pub async fn counts_within(
        &self,
        filter: &ConversationFilter,
        operator: &str,
        now: Ms,
    ) -> Result<ViewCounts, RecordError> {
        let of = async |view: View| self.count(&ConversationFilter { view, ..filter.clone() }).await;
        Ok(ViewCounts {
            needs_person: of(View::NeedsPerson { operator: operator.to_owned(), now }).await?,
            assistant: of(View::Assistant).await?,
            waiting: of(View::Waiting).await?,
            snoozed: of(View::Snoozed { now }).await?,
            closed: of(View::Closed).await?,
            all: of(View::All).await?,
        })
    }

    /// How many conversations a filter has; none for "more than can be counted cheaply".
    ///
    /// # Errors
    /// The record's.
    pub async fn count(&self, filter: &ConversationFilter) -> Result<Option<u32>, RecordError> {
        let mentions = self.mentions_for(filter).await?;
        let mut wanted = conditions(filter, mentions.keys());
        let most = wanted.next(Cell::Int(MOST_COUNTED));
        let sql = format!(
            "select count(*) from (select 1 from conversation c where {} limit {most}) counted",
            wanted.parts.join(" and ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in wanted.cells {
            query = bind(query, cell);
        }
        let counted: i64 =
            query.fetch_one(self.read()).await.and_then(|row| row.try_get(0)).map_err(|e| self.failed(e))?;
        Ok(u32::try_from(counted).ok().filter(|_| counted < MOST_COUNTED))
    }

    /// Entries of a conversation after number `n`, in order.
    ///
    /// # Errors
    /// The record's.
    pub async fn entries(&self, id: ConversationId, after: u32, limit: u32) -> Result<Vec<Entry>, RecordError> {
        let rows = sqlx::query("select entry from entry where conversation = $1 and n > $2 order by n limit $3")
            .bind(id.to_string())
            .bind(i64::from(after))
            .bind(i64::from(limit))
            .fetch_all(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        rows.iter()
            .map(|row| {
                let text: String = row.try_get(0).map_err(|e| self.failed(e))?;
                serde_json::from_str(&text).map_err(|e| self.corrupt(e))
            })
            .collect()
    }

    /// What names the operator of a view; none where it is no operator's.
    async fn mentions_for(&self, filter: &ConversationFilter) -> Result<BTreeMap<String, String>, RecordError> {
        match &filter.view {
            View::NeedsPerson { operator, .. } => self.mentions_of(operator).await,
            _ => Ok(BTreeMap::new()),
        }
    }

    fn listed(&self, row: &AnyRow, mentions: &BTreeMap<String, String>) -> Result<(Listed, i64, i64), RecordError> {
        let read = || -> Result<_, sqlx::Error> {
            let summary: String = row.try_get(0)?;
            let by: Option<String> = row.try_get(2)?;
            let text: Option<String> = row.try_get(3)?;
            let at: Option<i64> = row.try_get(4)?;
            let last = by.zip(text).zip(at).map(|((by, text), at)| LastWords { by, text, at: Ms(number(at)) });
            let needs: Option<i64> = row.try_get(5)?;
            Ok((summary, row.try_get(1)?, last, needs, row.try_get::<i64, _>(6)?, row.try_get::<i64, _>(7)?))
        };
        let (summary, name, last, needs, sort, updated) = read().map_err(|e| self.failed(e))?;
        let summary: Summary = serde_json::from_str(&summary).map_err(|e| self.corrupt(e))?;
        let mentioned_by = mentions.get(&summary.id.to_string()).cloned();
        let needs_since = needs.map(|at| Ms(number(at)));
        Ok((Listed { summary, name, last, needs_since, mentioned_by }, sort, updated))
    }
}

/// Conditions with the values of their parameters, numbered from 1.
struct Wanted {
    parts: Vec<String>,
    cells: Vec<Cell>,
}

impl Wanted {
    fn next(&mut self, cell: Cell) -> String {
        self.cells.push(cell);
        format!("${}", self.cells.len())
    }
}

fn is_asleep(wanted: &mut Wanted, now: Ms) -> String {
    let now = wanted.next(Cell::Int(i64::try_from(now.0).unwrap_or(i64::MAX)));
    format!("exists (select 1 from snoozed s where s.conversation = c.id and {})", asleep(&now))
}

/// `mentions`: the conversations whose notes name the operator of the view. They are named one by one, so that an index finds
/// them beside the others.
fn conditions<'a>(filter: &ConversationFilter, mentions: impl Iterator<Item = &'a String>) -> Wanted {
    let every = if filter.unlisted { "1 = 1" } else { "c.listed = 1" };
    let mut wanted = Wanted { parts: vec![every.to_owned()], cells: Vec::new() };
    match &filter.view {
        View::All => {}
        View::NeedsPerson { operator, now } => {
            let me = wanted.next(Cell::Text(operator.clone()));
            let mentions: Vec<String> = mentions.map(|id| wanted.next(Cell::Text(id.clone()))).collect();
            let named =
                if mentions.is_empty() { String::new() } else { format!(" or c.id in ({})", mentions.join(", ")) };
            // A comparison rather than `is not null`, which SQLite looks up in no index.
            let mine = format!("(c.operator = {me} and c.state <> 'closed')");
            wanted.parts.push(format!("(c.needs_since >= 0 or {mine}{named})"));
            let asleep = is_asleep(&mut wanted, *now);
            wanted.parts.push(format!("(not {asleep}{named})"));
        }
        View::Snoozed { now } => {
            // Few are put off at a time: they are where to begin.
            wanted.parts.push("c.id in (select s.conversation from snoozed s)".to_owned());
            let asleep = is_asleep(&mut wanted, *now);
            wanted.parts.push(asleep);
        }
        View::Assistant => wanted.parts.push("c.holder = 'assistant' and c.state = 'open'".to_owned()),
        View::Waiting => wanted.parts.push("c.state = 'waiting'".to_owned()),
        View::Closed => wanted.parts.push("c.state = 'closed'".to_owned()),
    }
    let same = [
        ("c.customer", filter.customer.as_ref().map(ToString::to_string)),
        ("c.state", filter.state.as_ref().map(name_of)),
        ("c.holder", filter.holder.as_ref().map(name_of)),
        ("c.playbook", filter.playbook.clone()),
    ];
    for (column, value) in same {
        if let Some(value) = value {
            let parameter = wanted.next(Cell::Text(value));
            wanted.parts.push(format!("{column} = {parameter}"));
        }
    }
    if let Some(label) = &filter.label {
        let label = wanted.next(Cell::Text(label.to_string()));
        wanted.parts.push(format!("c.id in (select l.conversation from conversation_label l where l.label = {label})"));
    }
    if let Some(team) = &filter.team {
        let team = wanted.next(Cell::Text(team.clone()));
        // A team has many conversations, of which few need a person or are put off: those are where to begin.
        let few = matches!(filter.view, View::NeedsPerson { .. } | View::Snoozed { .. });
        let column = if few { "coalesce(c.team, '')" } else { "c.team" };
        wanted.parts.push(format!("{column} = {team}"));
    }
    if let Some(priority) = filter.priority {
        wanted.parts.push(format!("c.priority = {}", priority.rank()));
        // Said twice, for the index that leaves out what nobody has judged.
        if !priority.is_normal() {
            wanted.parts.push(format!("c.priority <> {}", Priority::Normal.rank()));
        }
    }
    if let Some((lowest, highest)) = filter.rated.map(Satisfaction::scores) {
        wanted.parts.push(format!("c.rating between {lowest} and {highest}"));
    }
    if let Some(search) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let [a, b, c, d] = std::array::from_fn(|_| wanted.next(Cell::Text(containing(search))));
        wanted.parts.push(format!(
            "((c.customer like 'user:%' and lower(c.customer) like {a} escape '!') or lower(c.playbook) like {b} escape '!' \
             or exists (select 1 from customer s where s.id = c.customer and s.search like {c} escape '!') \
             or exists (select 1 from entry e where e.conversation = c.id and e.words like {d} escape '!'))"
        ));
    }
    wanted
}

#[cfg(test)]
mod tests {
    use sqlx::SqlitePool;

    use super::*;

    /// Lists are counted for every page and every change: a view that reads all conversations would grow with the record.
    #[tokio::test]
    async fn every_view_is_counted_by_an_index() {
        let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
        for (_, _, sql) in crate::record::schema::MIGRATIONS {
            sqlx::raw_sql(AssertSqlSafe(*sql)).execute(&pool).await.unwrap();
        }
        let (operator, now) = ("op".to_owned(), Ms(5));
        let mentions = ["1-2-3-4".to_owned(), "1-2-3-5".to_owned()];
        for view in
            [View::NeedsPerson { operator, now }, View::Snoozed { now }, View::Assistant, View::Waiting, View::Closed]
        {
            for (mentions, team) in [(&mentions[..], None), (&[], None), (&[], Some("payments".to_owned()))] {
                let filter = ConversationFilter { view: view.clone(), team, ..ConversationFilter::default() };
                let wanted = conditions(&filter, mentions.iter());
                let sql =
                    format!("explain query plan select 1 from conversation c where {}", wanted.parts.join(" and "));
                let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&pool).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
                assert!(!plan.iter().any(|step| step.starts_with("SCAN c")), "{view:?}: {plan:?}");
                // Few need somebody, and a team has many.
                let few = matches!(view, View::NeedsPerson { .. } | View::Snoozed { .. });
                assert!(!few || !plan.iter().any(|step| step.contains("conversation_team")), "{view:?}: {plan:?}");
            }
        }
    }
}
