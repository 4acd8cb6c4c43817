//! The store's file: made whole or not at all, refused where it is damaged, foreign or of a newer build (F14).

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use crate::store::{Settings, StoreError, room};

/// `BKON`: what `file` and other tools know a store by.
const APPLICATION: i64 = 0x424b_4f4e;
/// Grows with every change of the schema.
const SCHEMA: u32 = 2;

/// The store's folder while this process holds it.
pub(super) struct Held {
    /// The path of the database.
    pub(super) path: PathBuf,
    /// Closing it gives the folder back.
    _lock: File,
}

/// What is fixed at the first start.
pub(super) struct Fixed {
    /// How many partitions there are.
    pub(super) partitions: u16,
    /// What dedupe keys are hashed with.
    pub(super) secret: [u8; 16],
}

/// Takes the folder and its file, which is made at the first start.
pub(super) fn take(folder: &Path, settings: &Settings) -> Result<(Held, Connection, Fixed), StoreError> {
    let path = folder.join("beckon.db");
    let cannot = |what: &str, e: &std::io::Error| StoreError::Unusable(format!("cannot {what}: {e}"));
    std::fs::create_dir_all(folder).map_err(|e| cannot(&format!("make the folder {}", folder.display()), &e))?;
    let lock = folder.join("lock");
    let held = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(|e| cannot(&format!("open {}", lock.display()), &e))?;
    match held.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Unusable(format!(
                "another process has {}: stop it, or give this one a folder of its own (--data)",
                folder.display()
            )));
        }
        Err(TryLockError::Error(e)) => return Err(cannot(&format!("lock {}", lock.display()), &e)),
    }
    match std::fs::metadata(&path) {
        Ok(file) if file.len() < 512 => return Err(damaged(&path, "it is cut off")),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if folder.join("beckon.db-wal").exists() {
                return Err(damaged(&path, "it is gone, while its write-ahead log is there"));
            }
            make(folder, &path, settings)?;
        }
        Err(e) => return Err(cannot(&format!("read {}", path.display()), &e)),
    }
    let db = open(&path).map_err(|e| explain_at(&path, &e))?;
    let fixed = check(&db, &path)?;
    Ok((Held { path, _lock: held }, db, fixed))
}

/// Another connection to a file that is open already, for reading only.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let made = || {
        let db = open(path)?;
        db.pragma_update(None, "query_only", true)?;
        Ok(db)
    };
    made().map_err(|e: rusqlite::Error| explain_at(path, &e))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    use rusqlite::OpenFlags;
    // Without CREATE: a file that went away since must not come back empty.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "cache_size", -32_000)?;
    db.pragma_update(None, "temp_store", "memory")?;
    db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    db.set_prepared_statement_cache_capacity(96);
    Ok(db)
}

/// Made under another name and moved into place, so that an empty or half-made file is always damage.
fn make(folder: &Path, path: &Path, settings: &Settings) -> Result<(), StoreError> {
    let draft = folder.join("beckon.db.new");
    let made = || -> Result<(), Box<dyn std::error::Error>> {
        match std::fs::remove_file(&draft) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let mut db = Connection::open(&draft)?;
        db.pragma_update(None, "synchronous", "full")?;
        let tx = db.transaction()?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
        tx.execute_batch(include_str!("schema.sql"))?;
        let partitions = settings.partitions.max(1);
        let secret: [u8; 16] = rand::random();
        tx.execute("insert into meta (key, value) values ('secret', ?1)", [&secret[..]])?;
        tx.execute("insert into meta (key, value) values ('partitions', ?1)", [partitions])?;
        for id in 0..partitions {
            tx.execute("insert into partition (id) values (?1)", [id])?;
        }
        tx.commit()?;
        db.close().map_err(|(_, e)| e)?;
        File::open(&draft)?.sync_all()?;
        std::fs::rename(&draft, path)?;
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    made().map_err(|e| StoreError::Unusable(format!("cannot make {}: {e}", path.display())))
}

fn check(db: &Connection, path: &Path) -> Result<Fixed, StoreError> {
    let read = || -> rusqlite::Result<(i64, i64)> {
        Ok((
            db.pragma_query_value(None, "application_id", |row| row.get(0))?,
            db.pragma_query_value(None, "user_version", |row| row.get(0))?,
        ))
    };
    let (application, version) = read().map_err(|e| explain_at(path, &e))?;
    if application != APPLICATION {
        return Err(damaged(path, "it is not a store of Beckon"));
    }
    let found = u32::try_from(version).unwrap_or(u32::MAX);
    if found > SCHEMA {
        return Err(StoreError::Newer { found, known: SCHEMA, place: path.display().to_string() });
    }
    if found == 0 {
        return Err(damaged(path, "it has no schema"));
    }
    if found < 2 {
        db.execute_batch(include_str!("schema_2.sql")).map_err(|e| explain_at(path, &e))?;
    }
    let fixed = || -> rusqlite::Result<Option<Fixed>> {
        let secret: Option<[u8; 16]> =
            db.query_row("select value from meta where key = 'secret'", [], |row| row.get(0)).optional()?;
        let partitions: Option<u16> =
            db.query_row("select value from meta where key = 'partitions'", [], |row| row.get(0)).optional()?;
        let rows: i64 = db.query_row("select count(*) from partition", [], |row| row.get(0))?;
        Ok(match (secret, partitions) {
            (Some(secret), Some(partitions)) if rows == i64::from(partitions) => Some(Fixed { partitions, secret }),
            _ => None,
        })
    };
    fixed()
        .map_err(|e| explain_at(path, &e))?
        .ok_or_else(|| damaged(path, "what was written at its first start is gone"))
}

/// What a SQLite error means for who asked.
pub(super) fn explain(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { what: "the disk", retry_after: room::A_PERSON },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Away(error.to_string()),
    }
}

pub(super) fn explain_at(path: &Path, error: &rusqlite::Error) -> StoreError {
    match explain(error) {
        StoreError::Corrupt(why) => damaged(path, &why),
        StoreError::Away(why) => StoreError::Unusable(format!("cannot open {}: {why}", path.display())),
        other => other,
    }
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Corrupt(format!(
        "{}: {why}. Put a backup in its place; or, to start empty and lose what it held, move it and its `-wal` away",
        path.display()
    ))
}

/// A value of `meta`.
pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("select value from meta where key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

/// Writes a value of `meta`.
pub(super) fn set_meta(db: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "insert into meta (key, value) values (?1, ?2) on conflict (key) do update set value = excluded.value";
    db.prepare_cached(sql)?.execute(rusqlite::params![key, value]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Bounds;

    #[test]
    fn a_commit_is_on_the_disk_when_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            inbox: 1,
            effects: 1,
            journal: 1,
            dedupe_keys: 1,
            dedupe: crate::model::time::Millis::hours(1),
            dead: 1,
            dead_a_customer: 1,
        };
        let (url, prefix) = ("embedded:".to_owned(), String::new());
        let settings = Settings { url, prefix, partitions: 1, min_replicas: 0, bounds };
        let (_held, db, _fixed) = take(folder.path(), &settings).unwrap();
        let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let synchronous: i64 = db.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        // 2 is `full`: the log is synced at each commit, not now and then.
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }
}
