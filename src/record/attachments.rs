//! Files that customers send: written directly, named by one message, erased with their customer.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::accounts::token;
use super::rows::{execute_among, int, number};
use super::{Record, RecordError};
use crate::model::attachment::{Attachment, AttachmentId, FileType};
use crate::model::ids::{ActorId, ConversationId};
use crate::model::time::{Millis, Ms};

/// How large the pieces are that a file is kept in, in bytes.
const PIECE: usize = 256 * 1_024;
/// What a file counts beside its bytes, so that many tiny ones are bounded too.
const ROW: i64 = 4 * 1_024;
/// Files that are forgotten in one transaction.
const AT_ONCE: u32 = 32;
/// How long a file is kept that no message named.
const UNNAMED: Millis = Millis::hours(1);
/// How long one is kept whose message never came into the archive: it was refused, or the archive is behind.
const UNSEEN: Millis = Millis::hours(24);

/// A file to keep.
#[derive(Debug, Clone)]
pub struct NewAttachment {
    /// Its name, checked.
    pub name: String,
    /// What it is, by its bytes.
    pub kind: FileType,
    /// Width and height of a picture that says so, in pixels.
    pub dimensions: Option<(u32, u32)>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Record {
    /// Keeps a file of a customer; none: this customer's files would take more than `most` bytes then.
    ///
    /// # Errors
    /// The record's.
    pub async fn keep_attachment(
        &self,
        customer: &ActorId,
        new: NewAttachment,
        most: u64,
        now: Ms,
    ) -> Result<Option<Attachment>, RecordError> {
        let attachment = Attachment {
            id: AttachmentId::of(&token(18)),
            name: new.name,
            kind: new.kind,
            size: u64::try_from(new.bytes.len()).unwrap_or(u64::MAX),
            width: new.dimensions.map(|(width, _)| width),
            height: new.dimensions.map(|(_, height)| height),
        };
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        let kept = keep(&mut transaction, customer, &attachment, &new.bytes, most, now).await;
        match kept.map_err(|e| self.failed(e))? {
            true => transaction.commit().await.map(|()| Some(attachment)),
            false => transaction.rollback().await.map(|()| None),
        }
        .map_err(|e| self.failed(e))
    }

    /// Gives files to the message that names them, for good: all, or none where one of them is another customer's, another
    /// message's, or gone. Said again under the same `client_id`, those stand that were given first.
    ///
    /// # Errors
    /// The record's; nothing was given then.
    pub async fn claim_attachments(
        &self,
        customer: &ActorId,
        client_id: &str,
        ids: &[AttachmentId],
        now: Ms,
    ) -> Result<Option<Vec<Attachment>>, RecordError> {
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        let claimed = claim(&mut transaction, customer, client_id, ids, now).await;
        match claimed.map_err(|e| self.failed(e))? {
            Some(claimed) => {
                transaction.commit().await.map_err(|e| self.failed(e))?;
                Ok(Some(claimed))
            }
            None => {
                transaction.rollback().await.map_err(|e| self.failed(e))?;
                Ok(None)
            }
        }
    }

    /// Takes files back from a message that was refused, unless the archive has it.
    ///
    /// # Errors
    /// The record's.
    pub async fn release_attachments(&self, customer: &ActorId, client_id: &str) -> Result<(), RecordError> {
        sqlx::query(
            "update attachment set claim = null, claimed_at = null \
             where customer = $1 and claim = $2 and conversation is null",
        )
        .bind(customer.as_str().to_owned())
        .bind(client_id.to_owned())
        .execute(self.write())
        .await
        .map(drop)
        .map_err(|e| self.failed(e))
    }

    /// What is known of a file, and whose it is.
    ///
    /// # Errors
    /// The record's.
    pub async fn attachment(&self, id: &AttachmentId) -> Result<Option<(ActorId, Attachment)>, RecordError> {
        let row = sqlx::query("select id, name, kind, size, width, height, customer from attachment where id = $1")
            .bind(id.as_str().to_owned())
            .fetch_optional(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let owner: String = row.try_get(6).map_err(|e| self.failed(e))?;
        let owner = ActorId::parse(&owner).map_err(|e| self.corrupt(e))?;
        Ok(Some((owner, attachment(&row).map_err(|e| self.failed(e))?)))
    }

    /// A piece of a file, counted from 0; none behind the last, and of a file that is gone.
    ///
    /// # Errors
    /// The record's.
    pub async fn attachment_piece(&self, id: &AttachmentId, n: u32) -> Result<Option<Vec<u8>>, RecordError> {
        let row = sqlx::query("select bytes from attachment_piece where attachment = $1 and n = $2")
            .bind(id.as_str().to_owned())
            .bind(i64::from(n))
            .fetch_optional(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        row.map(|row| row.try_get(0)).transpose().map_err(|e| self.failed(e))
    }

    /// Forgets files that no message named in time, or whose conversation went; answers how many. A few at a time, so that
    /// nobody who writes meanwhile waits for more than those.
    ///
    /// # Errors
    /// The record's; what was forgotten before stays so.
    pub async fn sweep_attachments(&self, now: Ms) -> Result<u64, RecordError> {
        let loose =
            "conversation is null and ((claim is null and kept_at < $1) or (claim is not null and claimed_at < $2))";
        // Asked twice: who was given to a message in the meantime is loose no longer.
        let sql = format!(
            "delete from attachment where id in (select id from attachment where {loose} limit {AT_ONCE}) and {loose} \
             returning id"
        );
        let before = |length: Millis| int(now.0.saturating_sub(length.0));
        let mut swept = 0;
        loop {
            let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(before(UNNAMED))
                .bind(before(UNSEEN))
                .fetch_all(&mut *transaction)
                .await
                .map_err(|e| self.failed(e))?;
            let ids: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
            let ids = ids.map_err(|e| self.failed(e))?;
            let more = u64::try_from(ids.len()).unwrap_or_default();
            let pieces = "delete from attachment_piece where attachment";
            execute_among(&mut transaction, pieces, ids).await.map_err(|e| self.failed(e))?;
            transaction.commit().await.map_err(|e| self.failed(e))?;
            swept += more;
            if more == 0 {
                return Ok(swept);
            }
        }
    }

    /// What all files take together, in bytes.
    ///
    /// # Errors
    /// The record's.
    pub async fn attachments_size(&self) -> Result<u64, RecordError> {
        let row = sqlx::query(TAKEN_BY_ALL).bind(ROW).fetch_one(self.read()).await.map_err(|e| self.failed(e))?;
        row.try_get::<i64, _>(0).map(number).map_err(|e| self.failed(e))
    }
}

/// What files take. The sum is made a whole number again: PostgreSQL's is not one.
const TAKEN_BY_ALL: &str = "select cast(coalesce(sum(size + $1), 0) as bigint) from attachment";
const TAKEN_BY_ONE: &str = "select cast(coalesce(sum(size + $1), 0) as bigint) from attachment where customer = $2";

async fn keep(
    connection: &mut AnyConnection,
    customer: &ActorId,
    new: &Attachment,
    bytes: &[u8],
    most: u64,
    now: Ms,
) -> Result<bool, sqlx::Error> {
    if connection.backend_name() == "PostgreSQL" {
        // Two files at once would each not see the other. SQLite has one writer anyway.
        sqlx::query("select 1 from (select pg_advisory_xact_lock(hashtext($1))) as locked")
            .bind(customer.as_str().to_owned())
            .execute(&mut *connection)
            .await?;
    }
    let row =
        sqlx::query(TAKEN_BY_ONE).bind(ROW).bind(customer.as_str().to_owned()).fetch_one(&mut *connection).await?;
    let taken: i64 = row.try_get(0)?;
    if number(taken).saturating_add(new.size) > most {
        return Ok(false);
    }
    sqlx::query(
        "insert into attachment (id, customer, name, kind, size, width, height, kept_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.id.as_str().to_owned())
    .bind(customer.as_str().to_owned())
    .bind(new.name.clone())
    .bind(new.kind.media_type())
    .bind(int(new.size))
    .bind(new.width.map(i64::from))
    .bind(new.height.map(i64::from))
    .bind(int(now.0))
    .execute(&mut *connection)
    .await?;
    for (piece, n) in bytes.chunks(PIECE).zip(0_i64..) {
        sqlx::query("insert into attachment_piece (attachment, n, bytes) values ($1, $2, $3)")
            .bind(new.id.as_str().to_owned())
            .bind(n)
            .bind(piece.to_vec())
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

async fn claim(
    connection: &mut AnyConnection,
    customer: &ActorId,
    client_id: &str,
    ids: &[AttachmentId],
    now: Ms,
) -> Result<Option<Vec<Attachment>>, sqlx::Error> {
    let held = claimed(connection, customer, client_id, ids).await?;
    if !held.is_empty() {
        return Ok(Some(held));
    }
    // In one order, so that two never wait for each other.
    let mut sorted: Vec<&AttachmentId> = ids.iter().collect();
    sorted.sort_unstable();
    for id in sorted {
        let done = sqlx::query(
            "update attachment set claim = $1, claimed_at = $2 where id = $3 and customer = $4 and claim is null",
        )
        .bind(client_id.to_owned())
        .bind(int(now.0))
        .bind(id.as_str().to_owned())
        .bind(customer.as_str().to_owned())
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(None);
        }
    }
    claimed(connection, customer, client_id, ids).await.map(Some)
}

/// The files that a message has, in the order in which it names them.
async fn claimed(
    connection: &mut AnyConnection,
    customer: &ActorId,
    client_id: &str,
    ids: &[AttachmentId],
) -> Result<Vec<Attachment>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, name, kind, size, width, height from attachment where customer = $1 and claim = $2 order by id",
    )
    .bind(customer.as_str().to_owned())
    .bind(client_id.to_owned())
    .fetch_all(connection)
    .await?;
    let mut held = rows.iter().map(attachment).collect::<Result<Vec<_>, _>>()?;
    held.sort_by_key(|held| ids.iter().position(|id| *id == held.id).unwrap_or(usize::MAX));
    Ok(held)
}

fn attachment(row: &AnyRow) -> Result<Attachment, sqlx::Error> {
    let (id, kind): (String, String) = (row.try_get(0)?, row.try_get(2)?);
    let wrong = || sqlx::Error::Decode(format!("`{id}` of the table attachment is none").into());
    let pixels = |column: usize| -> Result<Option<u32>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(column)?.and_then(|pixels| u32::try_from(pixels).ok()))
    };
    Ok(Attachment {
        kind: FileType::parse(&kind).ok_or_else(wrong)?,
        name: row.try_get(1)?,
        size: number(row.try_get(3)?),
        width: pixels(4)?,
        height: pixels(5)?,
        id: AttachmentId::parse(&id).ok_or_else(wrong)?,
    })
}

/// The archive has the messages that name these files.
pub(super) async fn seen(
    connection: &mut AnyConnection,
    named: BTreeMap<AttachmentId, ConversationId>,
) -> Result<(), sqlx::Error> {
    for (id, conversation) in named {
        sqlx::query("update attachment set conversation = $1 where id = $2")
            .bind(conversation.to_string())
            .bind(id.as_str().to_owned())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Forgets the files of a customer who is erased: those too that no message named.
pub(super) async fn erase(connection: &mut AnyConnection, customer: &ActorId) -> Result<(), sqlx::Error> {
    for sql in [
        "delete from attachment_piece where attachment in (select id from attachment where customer = $1)",
        "delete from attachment where customer = $1",
    ] {
        sqlx::query(sql).bind(customer.as_str().to_owned()).execute(&mut *connection).await?;
    }
    Ok(())
}
