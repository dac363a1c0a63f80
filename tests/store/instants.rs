//! An instant that is written comes back the same from both databases, to the millisecond.

use chancery::store::installation;
use jiff::Timestamp;

use crate::database::{Raw, both};

const INSTANTS: &[&str] = &[
    "2026-09-02T02:00:00Z",
    "2026-09-02T02:00:00.001Z",
    "2026-09-02T02:00:00.5Z",
    "2026-12-31T23:59:59.999Z",
    "2000-01-01T00:00:00Z",
    "1999-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "1945-09-02T07:00:00Z",
    "0001-01-01T00:00:00Z",
    "9998-12-31T23:59:59.999Z",
];

both! {
    async fn an_instant_comes_back_as_it_was_written(fresh) {
        let mut raw = fresh.raw().await;
        for text in INSTANTS {
            let instant: Timestamp = text.parse().unwrap();
            raw.execute("DELETE FROM installation").await.unwrap();
            let mut tx = fresh.store.begin().await.unwrap();
            let made = installation::load_or_create(&mut tx, "g1", &[1, 2], instant).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(made.created_at, instant);
            let mut reader = fresh.store.read().await.unwrap();
            let found = installation::find(&mut reader).await.unwrap().unwrap();
            assert_eq!((found.created_at, found.key_check), (instant, vec![1, 2]), "{text}");
            // Not only by our own reading: the databases mean the same instant.
            let millis = match &raw {
                Raw::Sqlite(_) => "SELECT CAST(created_at AS TEXT) FROM installation",
                Raw::Postgres(_) =>
                    "SELECT CAST(CAST(EXTRACT(EPOCH FROM created_at) * 1000 AS BIGINT) AS TEXT)
                     FROM installation",
            };
            let rows = raw.rows(millis).await;
            assert_eq!(rows[0][0], instant.as_millisecond().to_string(), "{text}");
        }
    }

    async fn what_was_written_first_stays(fresh) {
        let now: Timestamp = "2026-09-02T02:00:00Z".parse().unwrap();
        let mut reader = fresh.store.read().await.unwrap();
        assert_eq!(installation::find(&mut reader).await.unwrap(), None);
        drop(reader);
        for (generation, check) in [("g1", [1]), ("g2", [2])] {
            let mut tx = fresh.store.begin().await.unwrap();
            let kept = installation::load_or_create(&mut tx, generation, &check, now).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!((kept.generation.as_str(), kept.key_check.as_slice()), ("g1", [1].as_slice()));
        }
    }

    async fn what_is_not_committed_is_not_there(fresh) {
        let now: Timestamp = "2026-09-02T02:00:00Z".parse().unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        installation::load_or_create(&mut tx, "g1", &[1], now).await.unwrap();
        drop(tx);
        let mut reader = fresh.store.read().await.unwrap();
        assert_eq!(installation::find(&mut reader).await.unwrap(), None);
    }
}
