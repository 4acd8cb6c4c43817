//! Accounts: operators and their passwords. Written directly, never computed.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::time::Ms;
use crate::secret::Secret;

/// The longest password that is hashed, in bytes.
const MAX_PASSWORD: usize = 1_024;

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Talks with customers.
    #[default]
    Operator,
    /// Also pauses playbooks.
    Admin,
}

impl Role {
    /// As stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// Reads a role; none for anything else.
    pub fn parse(text: &str) -> Option<Role> {
        [Role::Operator, Role::Admin].into_iter().find(|role| role.name() == text)
    }
}

/// An operator's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id, stable for ever.
    pub id: String,
    /// The address to sign in with, lower case.
    pub email: String,
    /// What customers see.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its team, where it has one.
    pub team: Option<String>,
    /// When it was made.
    pub created_at: Ms,
}

/// An account to make.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The address to sign in with.
    pub email: String,
    /// What customers see.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its team.
    pub team: Option<String>,
    /// The password.
    pub password: Secret,
}

impl Record {
    /// Makes an account.
    ///
    /// # Errors
    /// [`RecordError::Rejected`] where the e-mail is none or has an account, or the password is empty or too long.
    pub async fn add_operator(&self, new: NewAccount, now: Ms) -> Result<Account, RecordError> {
        let email = email(&new.email)?;
        let account = Account {
            id: format!("op-{}", token(9)),
            email,
            name: new.name.chars().take(120).collect(),
            role: new.role,
            team: new.team,
            created_at: now,
        };
        let hash = self.hash(new.password).await?;
        let done = sqlx::query(
            "insert into operator_account (id, email, name, role, team, password, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (email) do nothing",
        )
        .bind(account.id.clone())
        .bind(account.email.clone())
        .bind(account.name.clone())
        .bind(account.role.name())
        .bind(account.team.clone())
        .bind(hash)
        .bind(int(now.0))
        .execute(self.write())
        .await
        .map_err(|e| self.failed(e))?;
        if done.rows_affected() == 0 {
            return Err(RecordError::Rejected(format!("{} has an account already", account.email)));
        }
        Ok(account)
    }

    /// All accounts, by e-mail.
    ///
    /// # Errors
    /// The record's.
    pub async fn operators(&self) -> Result<Vec<Account>, RecordError> {
        let rows = sqlx::query("select id, email, name, role, team, created_at from operator_account order by email")
            .fetch_all(self.read())
            .await
            .map_err(|e| self.failed(e))?;
        rows.iter().map(|row| account(row).map_err(|e| self.failed(e))).collect()
    }

    /// Puts an account into a team, or out of any; false: there is none.
    ///
    /// # Errors
    /// [`RecordError::Rejected`] where the e-mail is none.
    pub async fn set_team(&self, address: &str, team: Option<&str>) -> Result<bool, RecordError> {
        let email = email(address)?;
        let done = sqlx::query("update operator_account set team = $1 where email = $2")
            .bind(team.map(str::to_owned))
            .bind(email)
            .execute(self.write())
            .await
            .map_err(|e| self.failed(e))?;
        Ok(done.rows_affected() > 0)
    }

    /// Teams that operators are in or conversations are of, in order.
    ///
    /// # Errors
    /// The record's.
    pub async fn teams(&self) -> Result<Vec<String>, RecordError> {
        let mut teams = self.in_use("conversation", "team").await?;
        teams.extend(self.in_use("operator_account", "team").await?);
        teams.sort();
        teams.dedup();
        Ok(teams)
    }

    /// Gives an account another password and ends its sessions; false: there is none.
    ///
    /// # Errors
    /// [`RecordError::Rejected`] for an empty or too long password.
    pub async fn reset_password(&self, address: &str, password: Secret) -> Result<bool, RecordError> {
        let email = email(address)?;
        let hash = self.hash(password).await?;
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        let done = sqlx::query("update operator_account set password = $1 where email = $2")
            .bind(hash)
            .bind(email.clone())
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.failed(e))?;
        sqlx::query(
            "delete from operator_session where operator in (select id from operator_account where email = $1)",
        )
        .bind(email)
        .execute(&mut *transaction)
        .await
        .map_err(|e| self.failed(e))?;
        transaction.commit().await.map_err(|e| self.failed(e))?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes an account and its sessions; false: there is none.
    ///
    /// # Errors
    /// The record's.
    pub async fn remove_operator(&self, address: &str) -> Result<bool, RecordError> {
        let email = email(address)?;
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        sqlx::query(
            "delete from operator_session where operator in (select id from operator_account where email = $1)",
        )
        .bind(email.clone())
        .execute(&mut *transaction)
        .await
        .map_err(|e| self.failed(e))?;
        let done = sqlx::query("delete from operator_account where email = $1")
            .bind(email)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.failed(e))?;
        transaction.commit().await.map_err(|e| self.failed(e))?;
        Ok(done.rows_affected() > 0)
    }

    /// The account of this e-mail, if the password is its. Takes the same time where there is no such account.
    ///
    /// # Errors
    /// The record's.
    pub async fn check_password(&self, address: &str, password: Secret) -> Result<Option<Account>, RecordError> {
        // Made once, whoever comes first, so that its making tells nobody apart.
        let dummy = self.inner.dummy.get_or_try_init(|| self.hash(Secret::new("nobody's"))).await?;
        let row = match email(address) {
            Err(_) => None,
            Ok(email) => sqlx::query(
                "select id, email, name, role, team, created_at, password from operator_account where email = $1",
            )
            .bind(email)
            .fetch_optional(self.read())
            .await
            .map_err(|e| self.failed(e))?,
        };
        let hash: String = match &row {
            Some(row) => row.try_get(6).map_err(|e| self.failed(e))?,
            None => dummy.clone(),
        };
        let right = self.verify(password, hash).await?;
        match row {
            Some(row) if right => account(&row).map(Some).map_err(|e| self.failed(e)),
            _ => Ok(None),
        }
    }

    /// Hashes a password with argon2id, a few at a time, off the async threads.
    async fn hash(&self, password: Secret) -> Result<String, RecordError> {
        if password.reveal().is_empty() || password.reveal().len() > MAX_PASSWORD {
            return Err(RecordError::Rejected(format!("a password has 1 to {MAX_PASSWORD} bytes")));
        }
        let work = move || Argon2::default().hash_password(password.reveal().as_bytes()).map(|hash| hash.to_string());
        self.hashing(work).await?.map_err(|e| RecordError::Rejected(e.to_string()))
    }

    async fn verify(&self, password: Secret, hash: String) -> Result<bool, RecordError> {
        let work = move || {
            let fits = password.reveal().len() <= MAX_PASSWORD;
            // A password that is too long costs as much as any other.
            let given = if fits { password.reveal() } else { "" };
            let same = PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(given.as_bytes(), &hash).is_ok());
            same && fits
        };
        self.hashing(work).await
    }

    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, RecordError> {
        let away = |e: &dyn std::fmt::Display| RecordError::Away(e.to_string());
        let permit = self.inner.hashing.clone().acquire_owned().await.map_err(|e| away(&e))?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(|e| away(&e))
    }
}

pub(super) fn account(row: &AnyRow) -> Result<Account, sqlx::Error> {
    let role: String = row.try_get(3)?;
    Ok(Account {
        id: row.try_get(0)?,
        email: row.try_get(1)?,
        name: row.try_get(2)?,
        role: Role::parse(&role).unwrap_or_default(),
        team: row.try_get(4)?,
        created_at: Ms(number(row.try_get(5)?)),
    })
}

/// An e-mail address as accounts are found by it: trimmed, lower case. Whether it exists is not ours to say.
fn email(text: &str) -> Result<String, RecordError> {
    let text = text.trim().to_lowercase();
    let shape = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if shape && text.len() <= 254 && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Ok(text)
    } else {
        Err(RecordError::Rejected("this is no e-mail address".to_owned()))
    }
}

/// Random bytes from the system's generator, as URL-safe text.
pub(super) fn token(bytes: usize) -> String {
    let random: [u8; 32] = rand::random();
    URL_SAFE_NO_PAD.encode(random.get(..bytes).unwrap_or(&random))
}
