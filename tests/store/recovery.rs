//! The quarantine of a restored database, and jobs that are lost, on both databases.

use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::id::{AttemptId, JobId, NodeId};
use chancery::store::jobs::{Holder, NewJob};
use chancery::store::outcomes::Close;
use chancery::store::publishing::Intent;
use chancery::store::quarantine::{self, Quarantine};
use chancery::store::{deliveries, installation, jobs, outcomes, publishing};
use jiff::Timestamp;
use serde_json::json;

use crate::database::both;
use crate::planned;

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
    async fn the_first_attempt_that_may_have_been_carried_out_is_known(fresh) {
        let world = planned::seed(&fresh.store).await;
        let new = planned::delivery(1, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00Z");
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new]).await.unwrap();
        let holder = Holder { node: NodeId::new(at(0), 1), fence: 1 };
        let told =
            [AttemptOutcome::Withdrawn, AttemptOutcome::Absent, AttemptOutcome::Unknown];
        for (second, outcome) in (1..).zip(told) {
            let id = AttemptId::new(at(second), 1);
            let intent = Intent {
                id: id.clone(),
                delivery_id: new.id.clone(),
                account_id: world.accounts[0].id.clone(),
                number: second,
                fingerprint: new.content_hash.clone(),
                high_water: Some(second.to_string()),
            };
            publishing::open(&mut tx, &[intent], &holder, at(second)).await.unwrap();
            let close = Close {
                id,
                from: AttemptOutcome::Open,
                outcome,
                reach: None,
                detail: None,
                sent_ms: None,
            };
            assert_eq!(outcomes::close(&mut tx, &[close], at(9)).await.unwrap().len(), 1);
        }
        let first = outcomes::first_doubts(&mut tx, std::slice::from_ref(&new.id)).await.unwrap();
        assert_eq!(first, [(new.id, (at(2), Some("2".to_owned())))].into());
        tx.commit().await.unwrap();
    }

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

    async fn what_is_begun_with_care_is_counted_until_it_is_claimed(fresh) {
        let holder = Holder { node: NodeId::new(at(0), 1), fence: 1 };
        let mut tx = fresh.store.begin().await.unwrap();
        let all = [job(1, at(0)), job(2, at(0))];
        jobs::enqueue(&mut tx, &all, at(0)).await.unwrap();
        let [first, second] = all.map(|one| one.id);
        for losses in 1..=3 {
            assert_eq!(jobs::suspect(&mut tx, &first).await.unwrap(), Some(losses));
        }
        jobs::acquit(&mut tx, std::slice::from_ref(&first)).await.unwrap();
        let ids = [first.clone(), second];
        let mut claimed = jobs::claim(&mut tx, &ids, &holder, at(60), at(0)).await.unwrap();
        claimed.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!((claimed[0].losses, claimed[1].losses), (2, 0));
        jobs::acquit_claimed(&mut tx, &mut claimed[..1]).await.unwrap();
        assert_eq!(claimed[0].losses, 1);
        assert_eq!(jobs::suspect(&mut tx, &first).await.unwrap(), None, "somebody has it");
        jobs::acquit(&mut tx, std::slice::from_ref(&first)).await.unwrap();
        let held = jobs::held_by(&mut tx, &ids[..1], &holder).await.unwrap();
        assert_eq!(held[0].losses, 1, "what is at work is acquitted by its claim alone");
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
