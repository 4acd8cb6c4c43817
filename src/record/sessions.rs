//! Sessions of operators, and the audit of what they did.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::accounts::{Account, account, token};
use super::page::{Cursor, MOST, Page};
use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::time::{Millis, Ms};
use crate::secret::Secret;

/// A signed-in operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub account: Account,
    /// What every form of this session carries.
    pub csrf: String,
    /// When it ends.
    pub expires_at: Ms,
}

/// A line of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// When.
    pub at: Ms,
    /// Who: an account's id, `key:<name>`, or the address given where nobody signed in.
    pub who: String,
    /// What, such as `sign-in.refused`.
    pub act: String,
    /// To what.
    pub about: String,
    /// From which network address.
    pub address: String,
}

impl Record {
    /// Signs an account in. The token is 32 random bytes; the record keeps only its hash.
    ///
    /// # Errors
    /// The record's.
    pub async fn create_session(&self, account: &Account, now: Ms, lasts: Millis) -> Result<Secret, RecordError> {
        let secret = token(32);
        sqlx::query("delete from operator_session where expires_at <= $1")
            .bind(int(now.0))
            .execute(self.write())
            .await
            .map_err(|e| self.failed(e))?;
        sqlx::query(
            "insert into operator_session (token, operator, csrf, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        )
        .bind(hashed(&secret))
        .bind(account.id.clone())
        .bind(token(24))
        .bind(int(now.0))
        .bind(int(now.plus(lasts).0))
        .execute(self.write())
        .await
        .map_err(|e| self.failed(e))?;
        Ok(Secret::new(secret))
    }

    /// The session of a token, while it lasts.
    ///
    /// # Errors
    /// The record's.
    pub async fn session(&self, token: &str, now: Ms) -> Result<Option<Session>, RecordError> {
        let row = sqlx::query(
            "select o.id, o.email, o.name, o.role, o.team, o.created_at, s.csrf, s.expires_at \
             from operator_session s join operator_account o on o.id = s.operator \
             where s.token = $1 and s.expires_at > $2",
        )
        .bind(hashed(token))
        .bind(int(now.0))
        .fetch_optional(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let read = || -> Result<Session, sqlx::Error> {
            let expires_at = Ms(number(row.try_get(7)?));
            Ok(Session { account: account(&row)?, csrf: row.try_get(6)?, expires_at })
        };
        read().map(Some).map_err(|e| self.failed(e))
    }

    /// Ends the session of a token.
    ///
    /// # Errors
    /// The record's.
    pub async fn end_session(&self, token: &str) -> Result<(), RecordError> {
        sqlx::query("delete from operator_session where token = $1")
            .bind(hashed(token))
            .execute(self.write())
            .await
            .map(drop)
            .map_err(|e| self.failed(e))
    }

    /// Writes a line of the audit.
    ///
    /// # Errors
    /// The record's.
    pub async fn audit(&self, row: AuditRow) -> Result<(), RecordError> {
        let bounded = |text: String| text.chars().filter(|c| *c != '\0').take(300).collect::<String>();
        sqlx::query("insert into audit (id, at, who, act, about, address) values ($1, $2, $3, $4, $5, $6)")
            .bind(token(12))
            .bind(int(row.at.0))
            .bind(bounded(row.who))
            .bind(row.act)
            .bind(bounded(row.about))
            .bind(bounded(row.address))
            .execute(self.write())
            .await
            .map(drop)
            .map_err(|e| self.failed(e))
    }

    /// A page of the audit, the latest first.
    ///
    /// # Errors
    /// The record's.
    pub async fn audited(&self, cursor: Option<&Cursor>, limit: u32) -> Result<Page<AuditRow>, RecordError> {
        let limit = limit.clamp(1, MOST);
        let Cursor { at, id } = cursor.cloned().unwrap_or(Cursor { at: i64::MAX, id: String::new() });
        let rows = sqlx::query(
            "select at, who, act, about, address, id from audit where at < $1 or (at = $1 and id < $2) \
             order by at desc, id desc limit $3",
        )
        .bind(at)
        .bind(id)
        .bind(i64::from(limit) + 1)
        .fetch_all(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<(AuditRow, String), sqlx::Error> {
            let found = AuditRow {
                at: Ms(number(row.try_get(0)?)),
                who: row.try_get(1)?,
                act: row.try_get(2)?,
                about: row.try_get(3)?,
                address: row.try_get(4)?,
            };
            Ok((found, row.try_get(5)?))
        };
        let items: Result<Vec<_>, _> = rows.iter().map(|row| read(row).map_err(|e| self.failed(e))).collect();
        let page = Page::cut(items?, limit, |(row, id)| (int(row.at.0), id.clone()));
        Ok(Page { items: page.items.into_iter().map(|(row, _)| row).collect(), cursor: page.cursor })
    }
}

/// Tokens are long and random, so a plain hash keeps them safe in a stolen file.
fn hashed(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}
