//! The state folder: who may use it, and for what.

use std::path::Path;

use rescind_core::audit::Checkpoint;
use rescind_core::audit::note;
use rescind_core::store::{Purpose, Store, StoreError};
use rescind_store::conformance::Bench;
use rescind_store::{Ed25519, StateFolder};

fn open(path: &Path, sandbox: bool) -> Result<StateFolder, StoreError> {
    StateFolder::open(path, Purpose { sandbox })
}

#[test]
fn the_sandbox_and_real_tenants_never_mix() {
    for first in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), first).unwrap();
        let Err(StoreError::Foreign(why)) = open(folder.path(), !first) else {
            panic!("the folder was opened for the other purpose");
        };
        assert!(why.contains("--state-dir"), "{why}");
        open(folder.path(), first).unwrap();
    }
}

#[test]
fn one_process_works_at_a_time_and_is_named() {
    let path = tempfile::tempdir().unwrap();
    let first = open(path.path(), true).unwrap();
    let second = open(path.path(), true).unwrap();
    let lock = first.try_lock_engine().unwrap().unwrap();
    let holder = second.try_lock_engine().unwrap().unwrap_err();
    assert_eq!(holder.pid, std::process::id());
    drop(lock);
    let _lock = second.try_lock_engine().unwrap().unwrap();
    let holder = first.try_lock_engine().unwrap().unwrap_err();
    assert_eq!(holder.pid, std::process::id());
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_the_folder_or_the_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("deep/state");
    let key = open(&path, true).unwrap().public_key().clone();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let file = path.join("audit.key");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(*open(&path, true).unwrap().public_key(), key);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = open(&path, true);
    assert!(matches!(refused, Err(StoreError::Unsafe(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_private_in_a_folder_that_is_not() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("wide");
    std::fs::create_dir(&path).unwrap();
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(&path, 0o755);
    let private = |folder: &StateFolder| {
        let _lock = folder.try_lock_engine().unwrap().unwrap();
        for name in [
            "rescind.db",
            "rescind.db-wal",
            "rescind.db-shm",
            "engine.lock",
            "audit.key",
            "copy",
        ] {
            let mode = path.join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    };
    let work = || async {
        let folder = open(&path, true).unwrap();
        folder.set_checkpoint_copy(&path.join("copy"));
        let store = folder.store();
        store
            .record_denied(Bench::act("order_denied"))
            .await
            .unwrap();
        store.checkpoint().await.unwrap();
        folder
    };
    let folder = work().await;
    private(&folder);
    drop(folder);
    for name in ["rescind.db", "engine.lock"] {
        chmod(&path.join(name), 0o644);
    }
    private(&work().await);
}

#[test]
fn a_database_that_is_empty_or_gone_is_damage_and_nothing_is_made() {
    let names = |path: &Path| {
        let files = std::fs::read_dir(path).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let damaged = |path: &Path| {
        let before = names(path);
        let opened = open(path, true);
        assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
        assert_eq!(names(path), before);
        assert!(StateFolder::exists(path));
    };
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("rescind.db");
    open(folder.path(), true).unwrap();
    std::fs::write(&database, "").unwrap();
    damaged(folder.path());
    assert_eq!(database.metadata().unwrap().len(), 0);
    std::fs::remove_file(&database).unwrap();
    damaged(folder.path());

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rescind.db"), "").unwrap();
    damaged(folder.path());
}

#[test]
fn processes_that_start_together_share_one_key() {
    let path = tempfile::tempdir().unwrap();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| open(path.path(), true).unwrap().public_key().clone()))
            .collect();
        opening.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
    let files = std::fs::read_dir(path.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    let keys = names
        .iter()
        .filter(|name| name.to_string_lossy().starts_with("audit"));
    assert_eq!(keys.count(), 1, "{names:?}");
}

#[tokio::test]
async fn checkpoints_are_copied_outside_the_database() {
    let path = tempfile::tempdir().unwrap();
    let copy = path.path().join("copy");
    let folder = open(&path.path().join("state"), true).unwrap();
    folder.set_checkpoint_copy(&copy);
    let store = folder.store();
    for _ in 0..2 {
        let denied = Bench::act("order_denied");
        store.record_denied(denied).await.unwrap();
        store.checkpoint().await.unwrap();
    }
    // Closing signs what no checkpoint covers yet.
    let denied = Bench::act("order_denied");
    store.record_denied(denied).await.unwrap();
    let key = folder.public_key().clone();
    drop(store);
    drop(folder);
    let text = std::fs::read_to_string(&copy).unwrap();
    let copies = note::read_copies(&text).unwrap();
    let good = |copy: &Checkpoint| note::open(copy, &key, &Ed25519).is_some();
    assert!(copies.iter().all(good));
    let sizes: Vec<u64> = copies.iter().map(|copy| copy.size).collect();
    assert_eq!(sizes, [1, 2, 3]);
    let cut = note::read_copies(&text[..text.len() - 9]).unwrap();
    assert_eq!(cut, copies[..2]);
}

/// A note that the power cut off must not spoil those after it.
#[tokio::test]
async fn a_torn_copy_of_a_checkpoint_harms_no_other() {
    let path = tempfile::tempdir().unwrap();
    let copy = path.path().join("copy");
    let folder = open(&path.path().join("state"), true).unwrap();
    folder.set_checkpoint_copy(&copy);
    let store = folder.store();
    let sign = || async {
        let denied = Bench::act("order_denied");
        store.record_denied(denied).await.unwrap();
        store.checkpoint().await.unwrap();
    };
    sign().await;
    let whole = std::fs::read(&copy).unwrap();
    sign().await;
    let two = std::fs::read(&copy).unwrap();
    for cut in whole.len() + 1..two.len() {
        for torn in [two[..cut].to_vec(), [&two[..cut], &[0; 99]].concat()] {
            std::fs::write(&copy, &torn).unwrap();
            sign().await;
            let text = std::fs::read(&copy).unwrap();
            let copies = note::read_copies(&String::from_utf8_lossy(&text)).unwrap();
            let good =
                |copy: &Checkpoint| note::open(copy, folder.public_key(), &Ed25519).is_some();
            assert!(copies.iter().all(good), "cut at {cut}");
            assert!(copies.len() >= 2, "cut at {cut}");
        }
    }
}
