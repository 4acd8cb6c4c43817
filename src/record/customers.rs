//! Customers: the latest, those that a search finds, and all that is known of one.

use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::page::containing;
use super::rows::number;
use super::{ConversationFilter, EventFilter, EventRow, Listed, Page, Record, RecordError};
use crate::model::ids::ActorId;
use crate::model::time::Ms;

/// How many conversations and events are given at once; the cursors lead to the rest.
const AT_ONCE: u32 = 200;
/// The latest conversations, and as many events, among which the latest customers are looked for.
const LOOKED_AT: i64 = 5_000;
/// How many customers a list has.
const LISTED: i64 = 100;

/// A customer as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRow {
    /// Who.
    pub customer: ActorId,
    /// What the customer is called, where that is known.
    pub name: Option<String>,
    /// The last change of a conversation, else the last event; none: neither is known.
    pub last_at: Option<Ms>,
    /// Conversations that are listed.
    pub conversations: u64,
    /// Those that have not ended.
    pub open: u64,
    /// A conversation or event of theirs, by which a page finds an anonymous customer, whose id is a secret.
    pub handle: Option<String>,
}

/// What a row of customers shows; `id` and `last_at` come from what it is put before.
const ROW: &str = "select f.id, p.name, f.last_at, \
     (select count(*) from conversation c where c.customer = f.id and c.listed = 1), \
     (select count(*) from conversation c where c.customer = f.id and c.listed = 1 and c.state <> 'closed'), \
     coalesce((select max(c.id) from conversation c where c.customer = f.id), \
              (select max(e.id) from event e where e.customer = f.id))";

/// All that is known of a customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerView {
    /// Who.
    pub customer: ActorId,
    /// What the customer is called, where that is known.
    pub name: Option<String>,
    /// Traits, as events and tokens told them.
    pub traits: Map<String, Value>,
    /// Conversations, the latest change first; go on with [`Record::conversations`].
    pub conversations: Page<Listed>,
    /// Events, the latest first; go on with [`Record::recent_events`].
    pub events: Page<EventRow>,
}

/// What lists and headings need of a customer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// What the customer is called, where that is known.
    pub name: Option<String>,
    /// Traits, as events and tokens told them.
    pub traits: Map<String, Value>,
}

impl Record {
    /// The customers of the latest conversations and events, the latest first; 100 at most.
    ///
    /// # Errors
    /// The record's.
    pub async fn latest_customers(&self) -> Result<Vec<CustomerRow>, RecordError> {
        let sql = format!(
            "{ROW} from (select a.customer as id, max(a.at) as last_at from ( \
                 select customer, updated_at as at from (select customer, updated_at from conversation \
                     where listed = 1 order by updated_at desc, id desc limit $1) c \
                 union all \
                 select customer, received_at as at from (select customer, received_at from event \
                     order by received_at desc, id desc limit $1) e where customer is not null) a \
             group by a.customer order by max(a.at) desc, a.customer limit $2) f \
             left join customer p on p.id = f.id order by f.last_at desc, f.id"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(LOOKED_AT).bind(LISTED);
        self.customer_rows(query.fetch_all(self.read()).await)
    }

    /// Customers with this in id or traits; 100 at most, the latest conversation first.
    ///
    /// # Errors
    /// The record's.
    pub async fn find_customers(&self, search: &str) -> Result<Vec<CustomerRow>, RecordError> {
        let sql = format!(
            "{ROW} from (select k.id, (select max(c.updated_at) from conversation c where c.customer = k.id) as last_at \
             from (select id from customer where search like $1 escape '!' \
                 union select customer as id from conversation \
                     where customer like 'user:%' and lower(customer) like $1 escape '!' limit $2) k) f \
             left join customer p on p.id = f.id order by coalesce(f.last_at, 0) desc, f.id"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(containing(search)).bind(LISTED);
        self.customer_rows(query.fetch_all(self.read()).await)
    }

    /// The customer of a conversation or an event, by its id.
    ///
    /// # Errors
    /// The record's.
    pub async fn customer_of(&self, handle: &str) -> Result<Option<ActorId>, RecordError> {
        let row = sqlx::query(
            "select customer from conversation where id = $1 \
             union all select customer from event where id = $1 and customer is not null limit 1",
        )
        .bind(handle.to_owned())
        .fetch_optional(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let text: String = row.try_get(0).map_err(|e| self.failed(e))?;
        Ok(ActorId::parse(&text).ok())
    }

    fn customer_rows(&self, rows: Result<Vec<AnyRow>, sqlx::Error>) -> Result<Vec<CustomerRow>, RecordError> {
        let rows = rows.map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<Option<CustomerRow>, sqlx::Error> {
            // What concerns the partition itself is no customer's.
            let Ok(customer) = ActorId::parse(&row.try_get::<String, _>(0)?) else { return Ok(None) };
            Ok(Some(CustomerRow {
                customer,
                name: row.try_get(1)?,
                last_at: row.try_get::<Option<i64>, _>(2)?.map(|at| Ms(number(at))),
                conversations: number(row.try_get(3)?),
                open: number(row.try_get(4)?),
                handle: row.try_get(5)?,
            }))
        };
        rows.iter().filter_map(|row| read(row).map_err(|e| self.failed(e)).transpose()).collect()
    }

    /// Name and traits of a customer; none where nothing was told.
    ///
    /// # Errors
    /// The record's.
    pub async fn known(&self, customer: &ActorId) -> Result<Option<Known>, RecordError> {
        let row = sqlx::query("select name, traits from customer where id = $1")
            .bind(customer.as_str().to_owned())
            .fetch_optional(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let name: Option<String> = row.try_get(0).map_err(|e| self.failed(e))?;
        let traits: String = row.try_get(1).map_err(|e| self.failed(e))?;
        Ok(Some(Known { name, traits: serde_json::from_str(&traits).map_err(|e| self.corrupt(e))? }))
    }

    /// All that is known of a customer; none where nothing is.
    ///
    /// # Errors
    /// The record's.
    pub async fn customer(&self, customer: &ActorId) -> Result<Option<CustomerView>, RecordError> {
        let known = self.known(customer).await?;
        let filter = ConversationFilter { customer: Some(customer.clone()), ..ConversationFilter::default() };
        let conversations = self.conversations(&filter, None, AT_ONCE).await?;
        let filter = EventFilter { customer: Some(customer.clone()), ..EventFilter::default() };
        let events = self.recent_events(&filter, None, AT_ONCE).await?;
        if known.is_none() && conversations.items.is_empty() && events.items.is_empty() {
            return Ok(None);
        }
        let Known { name, traits } = known.unwrap_or_default();
        Ok(Some(CustomerView { customer: customer.clone(), name, traits, conversations, events }))
    }
}
