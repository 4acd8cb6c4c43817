//! What only the embedded store promises: one process a folder, and no start on a damaged or newer file (F14).

use std::io::Write;
use std::path::Path;

use beckon::model::ids::Pos;
use beckon::store::{Batch, LogCursor, NewInput, Store, StoreError};

use super::{Owner, P0, Place, actor, dead, input, put, put_many};

fn ended(folder: &Path) -> String {
    match beckon::store::embedded::open(folder, &Place::embedded().settings()) {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

/// A folder with a store that holds so many inputs of 4 kB.
async fn filled(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Place::embedded().settings();
    settings.bounds.inbox = u64::MAX;
    let store = beckon::store::embedded::open(dir.path(), &settings).unwrap();
    store.append((0..count).map(|_| input(P0, &"x".repeat(4_000))).collect()).await.unwrap();
    dir
}

#[tokio::test]
async fn a_folder_belongs_to_one_store_at_a_time() {
    let dir = filled(1).await;
    let store = beckon::store::embedded::open(dir.path(), &Place::embedded().settings()).unwrap();
    let why = ended(dir.path());
    assert!(why.contains("another process") && why.contains(&dir.path().display().to_string()), "{why}");
    drop(store);
    assert!(beckon::store::embedded::open(dir.path(), &Place::embedded().settings()).is_ok());
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused_and_left_as_it_is() {
    for left in [0, 1, 100, 4_096, 200_000] {
        let dir = filled(100).await;
        let path = dir.path().join("beckon.db");
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert!(file.metadata().unwrap().len() > 300_000);
        file.set_len(left).unwrap();
        let why = ended(dir.path());
        assert!(why.contains("beckon.db") && why.contains("backup"), "{left}: {why}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), left, "it was touched");
    }
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    let dir = filled(1).await;
    let path = dir.path().join("beckon.db");
    std::fs::write(&path, "no database at all, ".repeat(1_000)).unwrap();
    assert!(ended(dir.path()).contains("not a database"));
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("create table other (x); vacuum").unwrap();
    assert!(ended(dir.path()).contains("not a store of Beckon"));
}

#[tokio::test]
async fn a_file_that_went_away_and_left_its_log_is_refused() {
    let dir = filled(1).await;
    std::fs::remove_file(dir.path().join("beckon.db")).unwrap();
    std::fs::File::create(dir.path().join("beckon.db-wal")).unwrap().write_all(b"x").unwrap();
    assert!(ended(dir.path()).contains("is gone"));
}

#[tokio::test]
async fn a_file_of_a_newer_build_is_refused_with_its_name() {
    let dir = filled(1).await;
    let path = dir.path().join("beckon.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let why = ended(dir.path());
    assert!(why.contains("schema 7") && why.contains(&path.display().to_string()), "{why}");
}

#[tokio::test]
async fn a_start_that_was_cut_short_leaves_no_half_made_store() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("beckon.db.new"), "half").unwrap();
    let store = beckon::store::embedded::open(dir.path(), &Place::embedded().settings()).unwrap();
    put(&store, P0, "x").await;
}

/// A process that is killed leaves its write-ahead log behind; all that was answered must be in it.
#[tokio::test]
async fn what_was_answered_is_in_the_files_though_the_store_was_never_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = beckon::store::embedded::open(dir.path(), &Place::embedded().settings()).unwrap();
    let last = *put_many(&store, P0, 100).await.last().unwrap();
    let copy = tempfile::tempdir().unwrap();
    for name in ["beckon.db", "beckon.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let again = beckon::store::embedded::open(copy.path(), &Place::embedded().settings()).unwrap();
    assert_eq!(again.read(P0, Pos::START, 1_000).await.unwrap().last().unwrap().pos, last);
}

#[tokio::test]
async fn one_failing_request_fails_no_other_of_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Place::embedded().settings();
    settings.bounds.inbox = 60;
    let store = std::sync::Arc::new(beckon::store::embedded::open(dir.path(), &settings).unwrap());
    let calls: Vec<_> = (0..120_u16)
        .map(|n| {
            let store = std::sync::Arc::clone(&store);
            // Every third names a partition that is not there.
            let partition = beckon::model::ids::Partition(if n % 3 == 0 { 99 } else { 0 });
            tokio::spawn(async move { store.append(vec![input(partition, &n.to_string())]).await })
        })
        .collect();
    let (mut good, mut full, mut unusable) = (0, 0, 0);
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => good += 1,
            Err(StoreError::Full { .. }) => full += 1,
            Err(StoreError::Unusable(_)) => unusable += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((good, full, unusable), (60, 20, 40));
    assert_eq!(store.read(P0, Pos::START, 1_000).await.unwrap().len(), 60);
}

#[tokio::test]
async fn a_request_that_fails_midway_leaves_nothing_of_itself() {
    let place = Place::embedded();
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let Place::Embedded(dir) = &place else { panic!("it is embedded") };
    let other = rusqlite::Connection::open(dir.path().join("beckon.db")).unwrap();
    // Lines of the journal are written after states, entries and effects.
    other.execute_batch("create trigger t before insert on journal begin select raise(abort, 'no'); end").unwrap();
    let to = put(&*store, P0, "an input").await;
    let batch = || Batch {
        states: vec![(actor("a"), Some(b"state".to_vec()))],
        entries: vec![super::entry(super::conversation(P0, 0), 1, 1)],
        effects: vec![("effect".to_owned(), b"e".to_vec())],
        journal: vec![b"line".to_vec()],
        journal_from: 1,
        ..Batch::default()
    };
    store.commit(P0, owner.epoch, owner.at, to, batch()).await.unwrap_err();
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [None]);
    assert!(store.log(super::conversation(P0, 0), LogCursor::default(), 9).await.unwrap().is_empty());
    assert!(store.effects(P0, 9).await.unwrap().is_empty());
    assert_eq!(store.fill().await.unwrap()[&P0].undecided, 1);
    // The same batch, once nothing stands in its way.
    other.execute_batch("drop trigger t").unwrap();
    owner.commit_to(to, batch()).await;
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [Some(b"state".to_vec())]);
    assert_eq!(store.effects(P0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn keys_out_of_their_window_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Place::embedded().settings();
    settings.bounds.dedupe_keys = 10;
    let store = beckon::store::embedded::open(dir.path(), &settings).unwrap();
    store.append((0..10).map(|key| super::keyed(P0, "a", key)).collect()).await.unwrap();
    let one_more = || vec![super::keyed(P0, "b", 77)];
    assert!(matches!(store.append(one_more()).await, Err(StoreError::Full { .. })));
    // The window is the settings', so a shorter one is over by itself.
    drop(store);
    settings.bounds.dedupe = beckon::model::time::Millis(1);
    let store = beckon::store::embedded::open(dir.path(), &settings).unwrap();
    let room = async {
        while store.append(one_more()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), room).await.expect("their window ends");
}

#[tokio::test]
async fn a_url_of_no_store_is_refused() {
    let mut settings = Place::embedded().settings();
    for url in ["", "sqlite:x", "redis+cluster://h", "embedded"] {
        settings.url = url.to_owned();
        let ended = beckon::store::open(&settings, Path::new("/nonexistent")).await;
        assert!(matches!(ended, Err(StoreError::Unusable(_))), "{url}");
    }
}

/// A file system of a few megabytes, unmounted when dropped. Only root may mount one.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Small> {
        let dir = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Small(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg("-l").arg(self.0.path()).status().unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_after_space_is_freed_it_goes_on() {
    let Some(disk) = Small::mount() else {
        eprintln!("skipped: only root may mount a small disk");
        return;
    };
    let folder = disk.0.path();
    let store = beckon::store::embedded::open(folder, &Place::embedded().settings()).unwrap();
    let mut owner = Owner::of(&store, P0).await;
    let ballast = folder.join("ballast");
    let mut accepted = put_many(&store, P0, 3).await;
    std::fs::write(&ballast, vec![0; 3 << 20]).unwrap();
    let error = loop {
        match store.append(vec![input(P0, &"x".repeat(20_000))]).await {
            Ok(answers) => accepted.push(answers[0].pos),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { what: "the disk", .. }), "{error}");
    assert!(matches!(store.append(vec![input(P0, &"x".repeat(20_000))]).await, Err(StoreError::Full { .. })));
    // Reading goes on meanwhile.
    assert_eq!(store.read(P0, Pos::START, 1_000).await.unwrap().len(), accepted.len());
    assert_eq!(store.fill().await.unwrap()[&P0].undecided, accepted.len() as u64);
    std::fs::remove_file(ballast).unwrap();
    accepted.push(put(&store, P0, &"x".repeat(20_000)).await);
    owner.commit_to(*accepted.last().unwrap(), Default::default()).await;
    drop(store);
    let store = beckon::store::embedded::open(folder, &Place::embedded().settings()).unwrap();
    let found: Vec<Pos> = store.read(P0, Pos::START, 1_000).await.unwrap().iter().map(|input| input.pos).collect();
    assert_eq!(found, accepted);
}

#[tokio::test]
async fn a_file_of_the_first_schema_is_brought_up_to_date() {
    let place = Place::embedded();
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let to = put(&*store, P0, "poison").await;
    let payload = br#"{"actor":"user:sick","reason":"why"}"#;
    owner.commit_to(to, Batch { dead: vec![dead(to, "sick", payload)], ..Batch::default() }).await;
    let odd = put(&*store, P0, "poison").await;
    owner.commit_to(odd, Batch { dead: vec![dead(odd, "sick", b"no json")], ..Batch::default() }).await;
    drop(store);
    let Place::Embedded(dir) = &place else { panic!("it is embedded") };
    let db = rusqlite::Connection::open(dir.path().join("beckon.db")).unwrap();
    db.execute_batch("drop index dead_by_actor; alter table dead drop column actor; pragma user_version = 1").unwrap();
    drop(db);

    let store = place.open_with(|settings| settings.bounds.dead_a_customer = 1).await;
    assert_eq!(store.dead(None, 10).await.unwrap().len(), 2);
    let input = NewInput { actor: actor("sick"), ..input(P0, "x") };
    assert!(
        matches!(store.append(vec![input]).await, Err(StoreError::Quarantined(_))),
        "its letter is known as its own"
    );
}

#[tokio::test]
async fn how_full_it_is_needs_no_writer() {
    let place = Place::embedded();
    let store = place.open().await;
    let first = put_many(&*store, P0, 3).await[0];
    let Place::Embedded(dir) = &place else { panic!("it is embedded") };
    let other = rusqlite::Connection::open(dir.path().join("beckon.db")).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let waiting = store.append(vec![input(P0, "waits for the file")]);
    let fill = async {
        let fill = store.fill().await.unwrap()[&P0];
        assert_eq!((fill.undecided, fill.oldest_undecided), (3, Some(first.time())));
        assert_eq!(store.dedupe_keys().await.unwrap(), 0);
        other.execute_batch("rollback").unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, async {
        tokio::time::timeout(std::time::Duration::from_secs(3), fill).await.expect("it is answered meanwhile");
    });
    waited.unwrap();
    assert_eq!(store.fill().await.unwrap()[&P0].undecided, 4);
}
