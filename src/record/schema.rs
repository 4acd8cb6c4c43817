//! The tables, as `migrations/` makes them; the files are inside the binary.

use std::borrow::Cow;

use sqlx::AnyPool;
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::{RecordError, classify};

/// Version, name and text of each migration, oldest first. Released ones are never edited.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "record", include_str!("../../migrations/0001_record.sql")),
    (2, "operators", include_str!("../../migrations/0002_operators.sql")),
    (3, "topics", include_str!("../../migrations/0003_topics.sql")),
    (4, "attachments", include_str!("../../migrations/0004_attachments.sql")),
    (5, "triage", include_str!("../../migrations/0005_triage.sql")),
    (6, "ratings", include_str!("../../migrations/0006_ratings.sql")),
    (7, "mentions", include_str!("../../migrations/0007_mentions.sql")),
    (8, "teams", include_str!("../../migrations/0008_teams.sql")),
];

/// Brings the tables up to date.
pub(super) async fn migrate(pool: &AnyPool, place: &str) -> Result<(), RecordError> {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, (*sql).into_sql_str(), false)
        })
        .collect();
    match Migrator::with_migrations(migrations).run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found) | MigrateError::VersionMismatch(found)) => {
            Err(RecordError::Newer { found, place: place.to_owned() })
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(classify(error, place)),
        Err(other) => Err(RecordError::Corrupt { place: place.to_owned(), cause: other.to_string() }),
    }
}
