//! PORT. The record: SQL, in three parts. The archive is the truth, views are computed from it, accounts are written directly.
//!
//! One set of statements runs on SQLite (the default, a file in the data folder) and on PostgreSQL, through sqlx's `Any`.
//! Not here: reading the journal of the store, which is the projector's work (`engine::projector`).

mod accounts;
mod archive;
mod attachments;
mod conversations;
mod customers;
mod events;
mod filters;
mod flow;
mod kinds;
mod labels;
mod line;
mod mentions;
mod page;
mod rebuild;
mod recorded;
mod replies;
mod retention;
mod rows;
mod schema;
mod sessions;
mod snoozed;
mod topics;
mod views;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection};

pub use accounts::{Account, NewAccount, Role};
pub use archive::{ArchiveState, Archived, DeadLine};
pub use attachments::NewAttachment;
pub use conversations::{ConversationFilter, LastWords, Listed, View, ViewCounts};
pub use customers::{CustomerRow, CustomerView, Known};
pub use events::{EventFilter, EventRow, EventStatus, EventView, SEARCHED, VerdictCount};
pub use filters::{FilterError, SavedFilter};
pub use flow::{Flow, FlowEvents, FlowRow, FlowTalk};
pub use line::{Line, LineId, StoredText};
pub use mentions::Mention;
pub use page::{Cursor, NoCursor, Page};
pub use recorded::{Named, Recorded};
pub use replies::{SaveError, SavedReply};
pub use retention::Pruned;
pub use sessions::{AuditRow, Session};
pub use snoozed::Snoozed;
pub use topics::WithTraits;

/// How many password hashes may be computed at a time; each takes 19 MiB.
const HASHING: usize = 2;

/// For SQLite. `full`: the store forgets what the archive has, so a commit must be on the disk. `secure_delete`: what is
/// erased is overwritten. `wal_autocheckpoint`: at 32 MiB, so that a page which many events touch goes to the file once.
const PRAGMAS: &str = "pragma busy_timeout = 10000; pragma journal_mode = wal; pragma synchronous = full; \
                       pragma wal_autocheckpoint = 8192; \
                       pragma secure_delete = on; pragma cache_size = -16000; pragma temp_store = memory;";

/// Why the record did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be reached, or has no room; asking again later is safe.
    #[error("the record is away: {0}")]
    Away(String),
    /// SQL refused the content.
    #[error("the record refused it: {0}")]
    Rejected(String),
    /// Written by a newer build.
    #[error(
        "the record {place} was written by a newer build (migration {found}): update this node, or restore a backup"
    )]
    Newer {
        /// The migration that this build does not know.
        found: i64,
        /// The file or server.
        place: String,
    },
    /// It cannot be read, and guessing would lose something.
    #[error(
        "the record {place} is damaged: {cause}. Restore it from a backup; what the store still holds is projected anew"
    )]
    Corrupt {
        /// The file or server.
        place: String,
        /// What was found.
        cause: String,
    },
    /// The address is none.
    #[error("`record.url` is neither `sqlite:` nor `postgres://…`: {0}")]
    Address(String),
}

/// The record. Cheap to clone.
#[derive(Clone)]
pub struct Record {
    inner: Arc<Inner>,
}

struct Inner {
    /// The one connection that writes where the file takes one writer; else the same pool as `read`.
    write: AnyPool,
    read: AnyPool,
    place: String,
    hashing: Arc<tokio::sync::Semaphore>,
    dummy: tokio::sync::OnceCell<String>,
    verdicts: tokio::sync::Mutex<Option<events::Counted>>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("place", &self.inner.place).finish_non_exhaustive()
    }
}

impl Record {
    /// Opens the record and brings its tables up to date. `sqlite:` means `record.db` in the folder `data`,
    /// `sqlite:PATH` another file, `postgres://…` a server.
    ///
    /// # Errors
    /// [`RecordError::Address`], [`RecordError::Away`], and [`RecordError::Newer`] or [`RecordError::Corrupt`] where
    /// going on would lose something.
    pub async fn open(url: &str, data: &Path) -> Result<Record, RecordError> {
        let record = Record::connect(url, data).await?;
        schema::migrate(record.write(), record.place()).await?;
        Ok(record)
    }

    /// Opens the record as it is.
    async fn connect(url: &str, data: &Path) -> Result<Record, RecordError> {
        sqlx::any::install_default_drivers();
        let inner = match url.strip_prefix("sqlite:") {
            Some(file) => open_sqlite(file, data).await?,
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => open_postgres(url).await?,
            None => return Err(RecordError::Address(url.split("://").next().unwrap_or_default().to_owned())),
        };
        Ok(Record { inner: Arc::new(inner) })
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// [`RecordError::Away`] where it does not.
    pub async fn ping(&self) -> Result<(), RecordError> {
        sqlx::query("select 1").execute(self.read()).await.map(drop).map_err(|e| self.failed(e))
    }

    /// The file or server, without a password.
    pub fn place(&self) -> &str {
        &self.inner.place
    }

    /// Ends all connections; what was committed is on disk.
    pub async fn close(&self) {
        self.inner.read.close().await;
        self.inner.write.close().await;
    }

    fn read(&self) -> &AnyPool {
        &self.inner.read
    }

    fn write(&self) -> &AnyPool {
        &self.inner.write
    }

    fn failed(&self, error: sqlx::Error) -> RecordError {
        classify(error, &self.inner.place)
    }

    fn corrupt(&self, cause: impl std::fmt::Display) -> RecordError {
        RecordError::Corrupt { place: self.inner.place.clone(), cause: cause.to_string() }
    }
}

async fn open_sqlite(file: &str, data: &Path) -> Result<Inner, RecordError> {
    let path = if file.is_empty() { data.join("record.db") } else { Path::new(file).to_path_buf() };
    let place = path.display().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| RecordError::Away(format!("{}: {e}", folder.display())))?;
    }
    let text = path.to_str().ok_or_else(|| RecordError::Address(place.clone()))?;
    let escaped = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    let options = options(&format!("sqlite:{escaped}?mode=rwc"))?;
    // A pool asks again and again; a broken file is to be named at once.
    let mut probe = AnyConnection::connect_with(&options).await.map_err(|e| classify(e, &place))?;
    sqlx::raw_sql(PRAGMAS).execute(&mut probe).await.map_err(|e| classify(e, &place))?;
    probe.close().await.map_err(|e| classify(e, &place))?;
    // One writer: SQLite has no more, and waiting in a queue beats asking again.
    let write = sqlite_pool(1).connect_with(options.clone()).await.map_err(|e| classify(e, &place))?;
    let read = sqlite_pool(4).connect_with(options).await.map_err(|e| classify(e, &place))?;
    Ok(Inner::new(write, read, place))
}

fn sqlite_pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(PRAGMAS).execute(connection).await.map(drop) })
        })
}

async fn open_postgres(url: &str) -> Result<Inner, RecordError> {
    let place = match url::Url::parse(url) {
        Ok(parsed) => format!("{}{}", parsed.host_str().unwrap_or_default(), parsed.path()),
        Err(problem) => return Err(RecordError::Address(problem.to_string())),
    };
    let options = options(url)?;
    // A pool asks again and again, and then says only that it did: why nobody answers is to be told at once.
    let probe = AnyConnection::connect_with(&options);
    let probe = tokio::time::timeout(Duration::from_secs(10), probe).await;
    let probe = probe.map_err(|_| RecordError::Away(format!("{place} does not answer")))?;
    let probe = probe.map_err(|e| at_place(classify(e, &place), &place))?;
    probe.close().await.map_err(|e| classify(e, &place))?;
    let pool = AnyPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .map_err(|e| classify(e, &place))?;
    Ok(Inner::new(pool.clone(), pool, place))
}

/// The same with the server's name, where that is not said yet.
fn at_place(error: RecordError, place: &str) -> RecordError {
    match error {
        RecordError::Away(why) => RecordError::Away(format!("{place}: {why}")),
        other => other,
    }
}

fn options(url: &str) -> Result<AnyConnectOptions, RecordError> {
    let options: AnyConnectOptions = url.parse().map_err(|_| RecordError::Address("it cannot be read".to_owned()))?;
    Ok(options.disable_statement_logging())
}

impl Inner {
    fn new(write: AnyPool, read: AnyPool, place: String) -> Inner {
        let hashing = Arc::new(tokio::sync::Semaphore::new(HASHING));
        Inner { write, read, place, hashing, dummy: tokio::sync::OnceCell::new(), verdicts: Default::default() }
    }
}

/// Tells apart what is to be tried again, what never will be taken, and what must stop us.
fn classify(error: sqlx::Error, place: &str) -> RecordError {
    use sqlx::error::ErrorKind;
    let database = match &error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => return RecordError::Rejected(error.to_string()),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            return RecordError::Corrupt { place: place.to_owned(), cause: error.to_string() };
        }
        _ => return RecordError::Away(error.to_string()),
    };
    let code = database.code().unwrap_or_default();
    // SQLite's primary result code is the low byte; SQLSTATE has five characters, its class in the first two.
    let sqlite = code.parse::<u32>().ok().filter(|_| code.len() < 5).map(|code| code & 0xff);
    match (database.kind(), sqlite) {
        (ErrorKind::Other, Some(11 | 26)) => {
            RecordError::Corrupt { place: place.to_owned(), cause: database.message().to_owned() }
        }
        // Too big, mismatch, constraint.
        (_, Some(18..=20)) => RecordError::Rejected(database.message().to_owned()),
        (_, Some(_)) => RecordError::Away(database.message().to_owned()),
        // Data exception, constraint violation, program limit.
        (_, None) if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
            RecordError::Rejected(database.message().to_owned())
        }
        (ErrorKind::Other, None) => RecordError::Away(database.message().to_owned()),
        (_, None) => RecordError::Rejected(database.message().to_owned()),
    }
}
