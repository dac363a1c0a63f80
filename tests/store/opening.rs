//! A database that is not safe to use is not used: what is said, and that nothing is changed.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock};
use chancery::store::{Error, Location, SCHEMA_VERSION, Schema, Store, installation, nodes};

use crate::database::{Fresh, Place, Raw, both};

fn location(file: &Path) -> Location {
    Location::Sqlite { file: file.to_owned() }
}

async fn why(file: &Path) -> String {
    match Store::open(&location(file)).await {
        Ok(_) => panic!("it was opened"),
        Err(Error::Unsafe(why)) => why,
        Err(other) => panic!("told as {other:?}"),
    }
}

fn file(fresh: &Fresh) -> &Path {
    match &fresh.place {
        Place::Sqlite { file, .. } => file,
        Place::Postgres { .. } => panic!("not a file"),
    }
}

#[tokio::test]
async fn a_second_opener_of_a_directory_is_turned_away_until_the_first_is_gone() {
    let fresh = Fresh::sqlite().await;
    let second = Store::open(&fresh.location).await;
    assert!(matches!(second, Err(Error::InUse(_))), "{second:?}");
    // Another file in the same directory is no way around it, nor is another process.
    let beside = Store::open(&location(&file(&fresh).with_file_name("other.db"))).await;
    assert!(matches!(beside, Err(Error::InUse(_))), "{beside:?}");
    let lock = file(&fresh).with_file_name("chancery.lock");
    let taken = || {
        let status = std::process::Command::new("flock").arg("-n").arg(&lock).arg("true").status();
        !status.unwrap().success()
    };
    assert!(taken());
    let Fresh { store, location, place } = fresh;
    store.close().await;
    drop(store);
    assert!(!taken());
    Store::open(&location).await.unwrap().close().await;
    drop(place);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chancery.db");
    let text = "Dear colleague, ".repeat(1_000);
    std::fs::write(&file, &text).unwrap();
    assert!(why(&file).await.contains("no database"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let fresh = Fresh::sqlite().await;
    let mut raw = fresh.raw().await;
    let mut tx = fresh.store.begin().await.unwrap();
    let now = "2026-09-02T02:00:00Z".parse().unwrap();
    installation::load_or_create(&mut tx, "g1", &vec![0; 50_000], now).await.unwrap();
    tx.commit().await.unwrap();
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    drop(raw);
    fresh.store.close().await;
    let path = file(&fresh).to_owned();
    let Fresh { store, place, .. } = fresh;
    drop(store);
    let length = std::fs::metadata(&path).unwrap().len();
    let mut damaged = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in 3..length / 4_096 {
        damaged.seek(SeekFrom::Start(page * 4_096)).unwrap();
        damaged.write_all(&[0xa5; 64]).unwrap();
    }
    drop(damaged);
    let told = why(&path).await;
    assert!(told.contains("damaged") && told.contains("restore a backup"), "{told}");
    drop(place);
}

both! {
    async fn a_newer_schema_is_refused(fresh) {
        let mut raw = fresh.raw().await;
        let (yes, bytes) = match &raw {
            Raw::Sqlite(_) => ("1", "x'00'"),
            Raw::Postgres(_) => ("true", "'\\x00'"),
        };
        let newer = format!(
            "INSERT INTO _sqlx_migrations
                 (version, description, installed_on, success, checksum, execution_time)
             VALUES (99, 'later', '2027-01-01 00:00:00', {yes}, {bytes}, 1)"
        );
        assert_eq!(fresh.store.schema().await.unwrap(), Schema::Current);
        assert_eq!(raw.execute(&newer).await.unwrap(), 1);
        let told = fresh.store.schema().await;
        assert!(matches!(&told, Err(Error::Unsafe(why)) if why.contains("99")), "{told:?}");
        let told = fresh.store.migrate().await;
        assert!(
            matches!(&told, Err(Error::Unsafe(why)) if why.contains("99") && why.contains("newer")),
            "{told:?}"
        );
    }

    /// Steps may land out of their order: the newest one alone says nothing.
    async fn each_step_of_the_schema_counts_and_not_the_newest_alone(fresh) {
        let mut raw = fresh.raw().await;
        // A step that was never taken, and one that nobody here knows.
        raw.execute("DROP TABLE uploads").await.unwrap();
        let other = "UPDATE _sqlx_migrations SET version = 11 WHERE version = 23";
        assert_eq!(raw.execute(other).await.unwrap(), 1);
        let told = fresh.store.schema().await;
        assert!(matches!(&told, Err(Error::Unsafe(why)) if why.contains("step 11")), "{told:?}");
        raw.execute("DELETE FROM _sqlx_migrations WHERE version = 11").await.unwrap();
        assert_eq!(fresh.store.schema().await.unwrap(), Schema::Behind(22));
        fresh.store.migrate().await.unwrap();
        assert_eq!(fresh.store.schema().await.unwrap(), Schema::Current);
    }

    async fn a_schema_step_of_another_build_is_refused(fresh) {
        let mut raw = fresh.raw().await;
        let bytes = if matches!(raw, Raw::Sqlite(_)) { "x'00'" } else { "'\\x00'" };
        let other = format!("UPDATE _sqlx_migrations SET checksum = {bytes} WHERE version = 1");
        assert_eq!(raw.execute(&other).await.unwrap(), 1);
        let told = fresh.store.migrate().await;
        assert!(matches!(&told, Err(Error::Unsafe(_))), "{told:?}");
        let told = fresh.store.schema().await;
        assert!(matches!(&told, Err(Error::Unsafe(why)) if why.contains("step 1 is not")), "{told:?}");
    }

    async fn an_empty_database_is_known_as_one(fresh) {
        let mut raw = fresh.raw().await;
        raw.execute("DELETE FROM _sqlx_migrations").await.unwrap();
        assert_eq!(fresh.store.schema().await.unwrap(), Schema::Behind(0));
        raw.execute("DROP TABLE _sqlx_migrations").await.unwrap();
        assert_eq!(fresh.store.schema().await.unwrap(), Schema::Behind(0));
    }

    async fn migrating_again_changes_nothing(fresh) {
        let sql = "SELECT CAST(count(*) AS TEXT), CAST(max(version) AS TEXT) FROM _sqlx_migrations";
        let mut raw = fresh.raw().await;
        let before = raw.rows(sql).await;
        fresh.store.migrate().await.unwrap();
        assert_eq!(raw.rows(sql).await, before);
        assert_eq!(before[0][1], SCHEMA_VERSION.to_string());
    }
}

/// Another connection, such as an operator's, commits between reading and writing: SQLite then refuses
/// the write at once, however patient one is. So whoever is going to write has the lock from the start,
/// and the other one waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_sqlite_wait_for_each_other() {
    let fresh = Fresh::sqlite().await;
    let now: jiff::Timestamp = "2026-09-02T02:00:00Z".parse().unwrap();
    let mut tx = fresh.store.begin().await.unwrap();
    installation::find(&mut tx).await.unwrap();
    let mut raw = fresh.raw().await;
    let other = tokio::spawn(async move {
        let at = "INSERT INTO nodes (id, fence, started_at, seen_at, version)
                  VALUES ('node_other', 7, 0, 0, 'other')";
        raw.execute(at).await
    });
    // Time to commit, if nothing keeps it back.
    SystemClock.sleep(Duration::from_millis(300)).await;
    let node = chancery::domain::id::NodeId::new(now, 1);
    let fence = nodes::register(&mut tx, &node, "test", now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fence, 1, "the other one came between");
    other.await.unwrap().unwrap();
    fresh.remove().await;
}

/// Fifty at once, each of whom reads and then writes what it read plus one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_on_sqlite_lose_nothing() {
    let fresh = Fresh::sqlite().await;
    let now: jiff::Timestamp = "2026-09-02T02:00:00Z".parse().unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|number: u128| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                installation::find(&mut tx).await.unwrap();
                tokio::task::yield_now().await;
                let node = chancery::domain::id::NodeId::new(now, number);
                let fence = nodes::register(&mut tx, &node, "test", now).await.unwrap();
                tokio::task::yield_now().await;
                tx.commit().await.unwrap();
                fence
            })
        })
        .collect();
    let mut fences = Vec::new();
    for task in tasks {
        fences.push(task.await.unwrap());
    }
    fences.sort_unstable();
    assert_eq!(fences, (1..=50).collect::<Vec<i64>>());
    fresh.remove().await;
}
