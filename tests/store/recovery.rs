//! The quarantine of a restored database, and jobs that are lost, on both databases.

use chancery::domain::id::{JobId, NodeId};
use chancery::store::jobs::{Holder, NewJob};
use chancery::store::quarantine::{self, Quarantine};
use chancery::store::{installation, jobs};
use jiff::Timestamp;
use serde_json::json;

use crate::database::both;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_788_000_000 + second).unwrap()
}

fn job(number: u128, due_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(at(0), number),
        kind: "publish",
        unique_key: format!("publish:{number}"),
        slot: number.to_string(),
        payload: json!({}),
        priority: 1,
        due_at,
    }
}

both! {
    async fn a_quarantine_has_a_new_generation_and_ends_once(fresh) {
        let store = &fresh.store;
        let mut tx = store.begin().await.unwrap();
        installation::load_or_create(&mut tx, "first", b"check", at(0)).await.unwrap();
        assert_eq!(quarantine::find(&mut tx).await.unwrap(), None);
        let begun = Quarantine { since: at(9), reason: "drill".to_owned(), state_of: at(5) };
        quarantine::renew(&mut tx, "second").await.unwrap();
        quarantine::begin(&mut tx, &begun).await.unwrap();
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        assert_eq!(quarantine::find(&mut reader).await.unwrap(), Some(begun));
        assert_eq!(installation::find(&mut reader).await.unwrap().unwrap().generation, "second");
        assert!(quarantine::sent_perhaps(&mut reader, at(9)).await.unwrap().is_empty());
        drop(reader);

        let mut tx = store.begin().await.unwrap();
        assert!(quarantine::release(&mut tx).await.unwrap());
        assert!(!quarantine::release(&mut tx).await.unwrap());
        assert_eq!(quarantine::find(&mut tx).await.unwrap(), None);
        tx.commit().await.unwrap();
    }

    async fn losses_are_counted_and_what_is_hastened_is_due_now(fresh) {
        let store = &fresh.store;
        let holder = Holder { node: NodeId::new(at(0), 1), fence: 1 };
        let mut tx = store.begin().await.unwrap();
        let all = [job(1, at(0)), job(2, at(30)), job(3, at(90))];
        jobs::enqueue(&mut tx, &all, at(0)).await.unwrap();
        let ids = [all[0].id.clone()];
        for losses in 1..=2 {
            let claimed = jobs::claim(&mut tx, &ids, &holder, at(60), at(0)).await.unwrap();
            assert_eq!(claimed[0].losses, losses - 1);
            let lost = jobs::lose(&mut tx, claimed).await.unwrap();
            assert_eq!(lost[0].losses, losses);
            assert!(jobs::requeue(&mut tx, &all[0].unique_key, at(0)).await.unwrap());
        }
        assert_eq!(jobs::hasten(&mut tx, "publish", at(10), at(70)).await.unwrap(), 1);
        let due = jobs::upcoming(&mut tx, "publish", at(100), 10).await.unwrap();
        let due: Vec<_> = due.into_iter().map(|one| (one.id, one.due_at)).collect();
        let [first, second, third] = all.map(|one| one.id);
        assert_eq!(due, [(first, at(0)), (second, at(10)), (third, at(90))]);
        tx.commit().await.unwrap();
    }
}
