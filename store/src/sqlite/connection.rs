//! Connections whose settings are read back, and the schema's versions.

use std::path::Path;
use std::time::Duration;

use rescind_core::store::{Purpose, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// Each entry takes the schema one version further; `PRAGMA user_version` says how many were applied.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("leaner.sql")];

/// How long one statement waits for another process, in milliseconds. Those hold the lock for one chunk at a time.
const BUSY_MS: i32 = 20_000;

/// How many KiB of pages the writer keeps: what the people at work touch. A million people took as much processor
/// time with 4, 8 and 16 MiB; what is not kept here is in the system's cache.
const WRITER_PAGES: u32 = 4_096;

/// How many KiB of pages a reader keeps. Whatever another connection commits, it throws them away.
const READER_PAGES: u32 = 2_048;

/// Opens the writer's connection, making and migrating the database. `alone` keeps others from working on it while it is
/// migrated, and is not asked where there is nothing to migrate.
pub(super) fn open_writer<L>(
    path: &Path,
    purpose: &Purpose,
    alone: impl FnOnce() -> Result<L, StoreError>,
) -> Result<Connection, StoreError> {
    check_version(rusqlite::version_number())?;
    let mut conn = connect(path, OpenFlags::default(), WRITER_PAGES)?;
    to_wal(&conn)?;
    check_settings(&conn)?;
    migrate(&mut conn, alone)?;
    settle_purpose(&mut conn, purpose)?;
    Ok(conn)
}

/// Makes a whole database out of an empty file that nobody else knows yet. Nothing is synced on the way: whoever gives
/// the file its name syncs it before.
pub(crate) fn make(path: &Path, purpose: &Purpose) -> Result<(), StoreError> {
    check_version(rusqlite::version_number())?;
    let mut conn = connect(path, OpenFlags::default(), WRITER_PAGES)?;
    conn.pragma_update(None, "synchronous", "OFF")
        .map_err(from_sql)?;
    migrate(&mut conn, || Ok(()))?;
    settle_purpose(&mut conn, purpose)?;
    to_wal(&conn)?;
    conn.close().map_err(|(_, error)| from_sql(error))
}

/// Opens one more reader of a database that the writer has made.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    // Not read-only: in WAL mode a reader, too, takes its place in the shared index.
    let flags = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE;
    let conn = connect(path, flags, READER_PAGES)?;
    conn.pragma_update(None, "query_only", true)
        .map_err(from_sql)?;
    Ok(conn)
}

fn connect(path: &Path, flags: OpenFlags, pages: u32) -> Result<Connection, StoreError> {
    let mut conn = Connection::open_with_flags(path, flags).map_err(from_sql)?;
    conn.set_prepared_statement_cache_capacity(96);
    // SQLite's own handler sleeps up to 100 ms at a time, which starves whoever waits for a busy stager.
    conn.busy_handler(Some(|tries| {
        std::thread::sleep(Duration::from_millis(1));
        tries < BUSY_MS
    }))
    .map_err(from_sql)?;
    // Without it a statement is compiled anew whenever a value that its plan might depend on is bound: on each use.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(from_sql)?;
    conn.execute_batch(&format!(
        "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-{pages};
         PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864;",
    ))
    .map_err(from_sql)?;
    Ok(conn)
}

/// Older versions may lose a reset of the log; 3.52.0 was withdrawn.
fn check_version(version: i32) -> Result<(), StoreError> {
    if version < 3_051_003 || version == 3_052_000 {
        return Err(StoreError::Unsafe(format!(
            "SQLite {version} may lose committed work; 3.51.3 or newer is needed, but not 3.52.0"
        )));
    }
    Ok(())
}

/// Two processes that start together both switch a new database over, and one is told that it is busy.
fn to_wal(conn: &Connection) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        let switched = conn.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0));
        match switched {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) && tries < 1000 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(from_sql(error)),
        }
    }
}

fn check_settings(conn: &Connection) -> Result<(), StoreError> {
    let journal: String = conn
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(from_sql)?;
    let numbers = [("synchronous", 2), ("foreign_keys", 1)];
    if journal != "wal" {
        return Err(StoreError::Unsafe(format!(
            "the journal mode is {journal} where wal is needed; is the folder on a network file system?"
        )));
    }
    for (name, wanted) in numbers {
        let found: i64 = conn
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(from_sql)?;
        if found != wanted {
            return Err(StoreError::Unsafe(format!(
                "the setting {name} is {found} where {wanted} is needed"
            )));
        }
    }
    Ok(())
}

/// Takes the schema to its newest version, in one transaction. A process that works meanwhile would go on reading rows as
/// they were before, so there must be none. Whoever migrates at this moment is waited for: that holds the transaction.
fn migrate<L>(
    conn: &mut Connection,
    alone: impl FnOnce() -> Result<L, StoreError>,
) -> Result<(), StoreError> {
    if migrations_left(conn)? == 0 {
        return Ok(());
    }
    let txn = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(from_sql)?;
    let left = migrations_left(&txn)?;
    if left == 0 {
        return Ok(());
    }
    let _held = alone()?;
    for migration in &MIGRATIONS[MIGRATIONS.len() - left..] {
        txn.execute_batch(migration).map_err(from_sql)?;
    }
    txn.pragma_update(None, "user_version", MIGRATIONS.len())
        .map_err(from_sql)?;
    txn.commit().map_err(from_sql)
}

/// How many steps the schema is behind the newest version.
fn migrations_left(conn: &Connection) -> Result<usize, StoreError> {
    let version = schema_version(conn)?;
    MIGRATIONS.len().checked_sub(version).ok_or_else(newer)
}

/// Refuses to go on once another process has taken the schema further: what this one reads and writes would no longer be
/// what it takes it for.
pub(super) fn check_schema(conn: &Connection) -> Result<(), StoreError> {
    if schema_version(conn)? == MIGRATIONS.len() {
        return Ok(());
    }
    Err(newer())
}

fn schema_version(conn: &Connection) -> Result<usize, StoreError> {
    conn.prepare_cached("PRAGMA user_version")
        .and_then(|mut version| version.query_row([], |row| row.get(0)))
        .map_err(from_sql)
}

fn newer() -> StoreError {
    StoreError::Unsafe("the state folder was written by a newer rescind; use that one".to_owned())
}

/// The first to open a folder says what it is for; afterwards it is for nothing else.
fn settle_purpose(conn: &mut Connection, purpose: &Purpose) -> Result<(), StoreError> {
    let wanted = if purpose.sandbox {
        "sandbox"
    } else {
        "tenants"
    };
    conn.execute(
        "INSERT INTO meta(name, value) VALUES ('purpose', ?1) ON CONFLICT DO NOTHING",
        [wanted],
    )
    .map_err(from_sql)?;
    let found: String = conn
        .query_row("SELECT value FROM meta WHERE name = 'purpose'", [], |row| {
            row.get(0)
        })
        .map_err(from_sql)?;
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::Foreign(if purpose.sandbox {
        "this state folder holds the record of real tenants, and the sandbox never mixes with it; \
         name another folder with --state-dir"
            .to_owned()
    } else {
        "this state folder belongs to the sandbox, and real tenants never mix with it; \
         name another folder with --state-dir, or add --sandbox"
            .to_owned()
    }))
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// What a failure of SQLite means for the caller.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
pub(super) fn from_sql(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory,
        ) => StoreError::Io(error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Io("another process keeps the database busy".to_owned())
        }
        _ => StoreError::Corrupt(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_lose_work_are_refused() {
        for refused in [3_045_000, 3_051_002, 3_052_000] {
            assert!(matches!(check_version(refused), Err(StoreError::Unsafe(_))));
        }
        for good in [3_051_003, 3_052_001, rusqlite::version_number()] {
            assert!(check_version(good).is_ok());
        }
    }

    #[test]
    fn evidence_that_was_due_before_a_migration_is_due_after_it() {
        type Row = (i64, Option<i64>, Option<i64>, Option<i64>, i64);
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(MIGRATIONS[0]).unwrap();
        conn.execute_batch(
            "INSERT INTO job(id, binding, subject, salt) VALUES (1, 7, 'a', x'00'), (2, 7, 'b', x'00');
             INSERT INTO done(id, state, at, attempts, called, evidence) VALUES (1, 4, 9, 1, 1, 1), (2, 4, 9, 1, 1, 2);
             INSERT INTO evidence(id, provider, due, reads) VALUES (1, 3, 11, 2);
             PRAGMA user_version = 1;",
        )
        .unwrap();
        migrate(&mut conn, || Ok(())).unwrap();
        let mut rows = conn
            .prepare("SELECT evidence, provider, binding, proof_due, reads FROM done ORDER BY id")
            .unwrap();
        let rows: Vec<Row> = rows
            .query_map([], |row| row.try_into())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            rows,
            [(2, Some(3), Some(7), Some(11), 2), (3, None, None, None, 0)]
        );
    }

    #[test]
    fn an_old_database_that_somebody_works_on_is_left_as_it_is() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(MIGRATIONS[0]).unwrap();
        conn.pragma_update(None, "user_version", 1).unwrap();
        let busy = || Err::<(), _>(StoreError::Unsafe("somebody works on it".to_owned()));
        assert!(migrate(&mut conn, busy).is_err());
        assert_eq!(migrations_left(&conn).unwrap(), MIGRATIONS.len() - 1);
        migrate(&mut conn, || Ok(())).unwrap();
        migrate(&mut conn, busy).expect("nobody is asked when nothing is left");
        assert!(check_schema(&conn).is_ok());
    }

    #[test]
    fn every_setting_is_as_it_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let conn = open_writer(&path, &Purpose { sandbox: true }, || Ok(())).unwrap();
        assert!(check_settings(&conn).is_ok());
        conn.pragma_update(None, "synchronous", "NORMAL").unwrap();
        assert!(matches!(check_settings(&conn), Err(StoreError::Unsafe(_))));
    }
}
