//! SQLite over a disk that loses power: what each durability setting promises, and no more.

use std::collections::BTreeSet;

use rescind_power_cut::{Disk, DiskOptions};
use rusqlite::Connection;

const SEED: u64 = 20_260_301;

fn open(disk: &Disk, synchronous: &str) -> rusqlite::Result<Connection> {
    let conn = Connection::open(disk.uri("db"))?;
    conn.execute_batch(&format!(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};
         CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, filling BLOB);"
    ))?;
    Ok(conn)
}

/// Commits rows one by one, with a reader beside and the log folded now and then. Answers what was committed.
fn work(disk: &Disk, synchronous: &str, committed: &mut Vec<i64>) -> rusqlite::Result<()> {
    let conn = open(disk, synchronous)?;
    let reader = Connection::open(disk.uri("db"))?;
    for n in 0..40 {
        conn.execute("INSERT INTO t VALUES (?1, randomblob(?2))", (n, n * 100))?;
        committed.push(n);
        if n % 3 == 0 {
            conn.execute("UPDATE t SET filling = randomblob(700) WHERE n % 7 = 1", [])?;
        }
        if n % 11 == 10 {
            conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        let seen: i64 = reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?;
        assert_eq!(seen, n + 1, "connections see each other's commits");
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Seen {
    cuts: usize,
    lost: usize,
    damaged: usize,
}

fn cut_everywhere(synchronous: &str, every: usize) -> Seen {
    let whole = Disk::new(DiskOptions::default());
    work(&whole, synchronous, &mut Vec::new()).expect("nothing fails");
    let mut seen = Seen::default();
    for cut_at in (1..=whole.operations()).step_by(every) {
        let mut options = DiskOptions::default();
        options.cut_at = Some(cut_at);
        let disk = Disk::new(options);
        let mut committed = Vec::new();
        // The cut may fall into the closing of the connections, whose failure nobody hears of.
        let _ = work(&disk, synchronous, &mut committed);
        assert!(disk.is_dead());
        let found = Disk::of(
            &disk.after_power_loss(SEED ^ cut_at),
            DiskOptions::default(),
        );
        let kept = read(&found, synchronous);
        seen.cuts += 1;
        match kept {
            Ok(kept) => seen.lost += usize::from(committed.iter().any(|n| !kept.contains(n))),
            Err(_) => seen.damaged += 1,
        }
    }
    seen
}

fn read(disk: &Disk, synchronous: &str) -> rusqlite::Result<BTreeSet<i64>> {
    let conn = open(disk, synchronous)?;
    let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    }
    let mut rows = conn.prepare("SELECT n FROM t")?;
    rows.query_map([], |row| row.get(0))?.collect()
}

#[test]
fn a_full_sync_keeps_every_commit() {
    let seen = cut_everywhere("FULL", 2);
    assert!(seen.cuts > 100, "{seen:?}");
    assert_eq!((seen.lost, seen.damaged), (0, 0), "{seen:?}");
}

#[test]
fn a_normal_sync_keeps_the_database_and_loses_commits() {
    let seen = cut_everywhere("NORMAL", 3);
    assert!(seen.lost > 10 && seen.damaged == 0, "{seen:?}");
}

#[test]
fn without_syncs_the_database_itself_is_damaged() {
    let seen = cut_everywhere("OFF", 3);
    assert!(seen.lost > 10 && seen.damaged > 0, "{seen:?}");
}

#[test]
fn syncs_that_are_put_off_are_those_of_normal() {
    let mut lost = 0;
    for cut_at in (20..400).step_by(7) {
        let mut options = DiskOptions::default();
        options.cut_at = Some(cut_at);
        options.normal = true;
        let disk = Disk::new(options);
        let mut committed = Vec::new();
        let _ = work(&disk, "FULL", &mut committed);
        disk.cut();
        let found = Disk::of(
            &disk.after_power_loss(SEED ^ cut_at),
            DiskOptions::default(),
        );
        let kept = read(&found, "FULL").expect("it is sound");
        lost += usize::from(committed.iter().any(|n| !kept.contains(n)));
    }
    assert!(lost > 5, "{lost}");
}
