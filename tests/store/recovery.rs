//! The quarantine of a restored database, and jobs that are lost, on both databases.

use chancery::domain::account::{Account, CredentialKind};
use chancery::domain::attempt::{AttemptOutcome, Receipt};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{AttemptId, JobId, NodeId};
use chancery::store::care::{self, Care};
use chancery::store::credentials::Credential;
use chancery::store::jobs::{Holder, NewJob};
use chancery::store::outcomes::{Close, Move};
use chancery::store::publishing::Intent;
use chancery::store::quarantine::{self, Quarantine};
use chancery::store::read_backs::{Counts, NotKnown, ToRead};
use chancery::store::{
    credentials, deliveries, installation, jobs, outcomes, publishing, read_backs,
};
use jiff::Timestamp;
use serde_json::json;

use crate::database::{Fresh, both};
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

fn credential(account: &Account) -> Credential {
    Credential {
        account_id: account.id.clone(),
        kind: CredentialKind::PageToken,
        version: 1,
        key_id: "k1".to_owned(),
        sealed: vec![1, 2, 3],
        refresh: None,
        expires_at: None,
        updated_at: at(0),
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
                cost: None,
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
        assert!(!quarantine::release(&mut tx, at(8)).await.unwrap(), "that was another one");
        assert!(quarantine::release(&mut tx, at(9)).await.unwrap());
        assert!(!quarantine::release(&mut tx, at(9)).await.unwrap());
        assert_eq!(quarantine::find(&mut tx).await.unwrap(), None);
        tx.commit().await.unwrap();
    }

    async fn accounts_are_to_be_read_until_they_were(fresh) {
        let world = planned::seed(&fresh.store).await;
        let [first, second] = &world.accounts;
        let due = ["2026-09-02T02:00:00Z", "2026-09-02T03:00:00Z", "2026-09-02T04:00:00Z"];
        let new = [
            planned::delivery(1, &world.posts[0], first, due[0]),
            planned::delivery(12, &world.posts[0], first, due[1]),
            planned::delivery(23, &world.posts[1], first, due[2]),
        ];
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.each_ref()).await.unwrap();
        // Nothing is to be sent to the second account, and it has no credential.
        let (begun, since) = (planned::at(due[1]), planned::at("2026-09-01T22:00:00Z"));
        let all = read_backs::begin(&mut tx, begun, since).await.unwrap();
        assert_eq!(all, [(first.id.clone(), first.platform.clone())]);
        credentials::put(&mut tx, &credential(second)).await.unwrap();
        // Another one begins before that is over: from the earlier beginning of both.
        let again = planned::at("2026-09-02T03:30:00Z");
        let all = read_backs::begin(&mut tx, again, planned::at(due[0])).await.unwrap();
        assert_eq!(all.len(), 2);
        let ids = [first.id.clone(), second.id.clone()];
        let mut read = read_backs::prepare(&mut tx, &ids).await.unwrap();
        read.sort_by_key(|one| one.account_id.clone());
        assert_eq!((read[0].begun_at, read[0].since), (again, since));
        assert_eq!(read[1].since, planned::at(due[0]));
        assert!(read[0].credential.is_none() && read[1].credential.is_some());
        assert!(read.iter().all(|one| !one.unsettled && one.tries == 0));

        let to_come = read_backs::to_come(&mut tx, &first.id, again).await.unwrap();
        let (id, content) = (new[2].id.clone(), new[2].content.clone());
        assert_eq!(to_come, [read_backs::ToCome { id, content, root: None }]);
        let of = |read, left, blind, in_the_way| Counts { read, left, blind, in_the_way };
        assert_eq!(read_backs::counts(&mut tx).await.unwrap(), of(0, 2, 0, 1));
        read_backs::failed(&mut tx, &first.id, again, "503").await.unwrap();
        read_backs::failed(&mut tx, &second.id, begun, "of another quarantine").await.unwrap();
        assert_eq!(read_backs::counts(&mut tx).await.unwrap(), of(0, 1, 1, 1));
        let unread = read_backs::unread(&mut tx, 10).await.unwrap();
        assert_eq!(unread[0].problem.as_deref(), Some("503"));
        assert_eq!((unread[0].tries, &unread[1].problem), (1, &None));

        let receipt = Receipt {
            remote_id: "7".to_owned(),
            permalink: None,
            published_at: planned::at(due[0]),
        };
        let posts = std::slice::from_ref(&receipt);
        let stale = ToRead { begun_at: begun, ..read[0].clone() };
        assert!(!read_backs::done(&mut tx, &stale, posts, 1, again).await.unwrap());
        assert!(read_backs::done(&mut tx, &read[0], posts, 3, again).await.unwrap());
        assert!(!read_backs::done(&mut tx, &read[0], posts, 3, again).await.unwrap());
        assert!(read_backs::done(&mut tx, &read[1], &[], 0, again).await.unwrap());
        assert_eq!(read_backs::counts(&mut tx).await.unwrap(), of(2, 0, 0, 0));
        let not_known = read_backs::not_known(&mut tx).await.unwrap();
        let expected =
            NotKnown { account_id: first.id.clone(), posts: vec![receipt.clone()], count: 3 };
        assert_eq!(not_known, [expected]);
        read_backs::forget(&mut tx).await.unwrap();
        assert_eq!(read_backs::counts(&mut tx).await.unwrap(), Counts::default());
        tx.commit().await.unwrap();
    }

    async fn what_is_still_to_come_is_told_from_what_is_out(fresh) {
        let world = planned::seed(&fresh.store).await;
        let account = &world.accounts[0];
        let due = ["2026-09-02T02:00:00Z", "2026-09-02T03:00:00Z"];
        let new = [
            planned::delivery(1, &world.posts[0], account, due[0]),
            planned::delivery(12, &world.posts[0], account, due[1]),
        ];
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.each_ref()).await.unwrap();
        let change = |id, from, state| Move { from, state, ..Move::stay(id, from) };
        let out = Move {
            remote_id: Some("7".to_owned()),
            published_ms: Some(planned::at(due[0])),
            ..change(new[0].id.clone(), DeliveryState::Scheduled, DeliveryState::Published)
        };
        assert_eq!(outcomes::transition(&mut tx, &[out], at(0)).await.unwrap().len(), 1);
        let ids = [&new[0].id, &new[1].id];
        let still = read_backs::still_to_come(&mut tx, &ids).await.unwrap();
        let still: Vec<_> = still.into_iter().map(|it| (it.id, it.state)).collect();
        assert_eq!(still, [(new[1].id.clone(), DeliveryState::Scheduled)]);
        let known = read_backs::known(&mut tx, &account.id, planned::at(due[0])).await.unwrap();
        assert_eq!(known, ["7"]);
        let known = read_backs::known(&mut tx, &account.id, planned::at(due[1])).await.unwrap();
        assert!(known.is_empty());

        let doubt = change(new[1].id.clone(), DeliveryState::Scheduled, DeliveryState::Unknown);
        outcomes::transition(&mut tx, &[doubt], at(0)).await.unwrap();
        credentials::put(&mut tx, &credential(account)).await.unwrap();
        read_backs::begin(&mut tx, at(0), at(0)).await.unwrap();
        let read = read_backs::prepare(&mut tx, std::slice::from_ref(&account.id)).await.unwrap();
        assert!(read[0].unsettled, "one of its deliveries is being looked for");
        tx.commit().await.unwrap();
    }

    async fn what_is_begun_with_care_is_counted_until_it_is_claimed(fresh) {
        let holder = Holder { node: NodeId::new(at(0), 1), fence: 1 };
        let mut tx = fresh.store.begin().await.unwrap();
        let all = [job(1, at(0)), job(2, at(0))];
        jobs::enqueue(&mut tx, &all, at(0)).await.unwrap();
        let [first, second] = all.map(|one| one.id);
        let apart = |now: i64| Care { now: at(now), until: at(now + 60) };
        for losses in 1..=3 {
            let told = care::suspect(&mut tx, &first, &holder, apart(0)).await.unwrap();
            assert_eq!(told, Some(losses));
        }
        // Another one leaves it alone until then, and is not counted.
        let other = Holder { node: NodeId::new(at(0), 2), fence: 2 };
        assert_eq!(care::suspect(&mut tx, &first, &other, apart(59)).await.unwrap(), None);
        assert_eq!(care::suspect(&mut tx, &first, &other, apart(60)).await.unwrap(), Some(4));
        let one = std::slice::from_ref(&first);
        care::acquit_queued(&mut tx, one).await.unwrap();
        assert_eq!(care::suspect(&mut tx, &first, &holder, apart(60)).await.unwrap(), Some(4));
        let ids = [first.clone(), second];
        let mut claimed = jobs::claim(&mut tx, &ids, &other, at(60), at(0)).await.unwrap();
        claimed.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!((claimed[0].losses, claimed[1].losses), (4, 0));
        // Whoever suspected it and did not get it takes his word back all the same.
        care::acquit_queued(&mut tx, one).await.unwrap();
        let held = jobs::held_by(&mut tx, one, &other).await.unwrap();
        assert_eq!(held[0].losses, 4, "a claim whose commit was made has done it");
        care::acquit(&mut tx, one).await.unwrap();
        let held = jobs::held_by(&mut tx, one, &other).await.unwrap();
        assert_eq!(held[0].losses, 3, "and it is still held");
        assert_eq!(care::suspect(&mut tx, &first, &holder, apart(99)).await.unwrap(), None);
        assert_eq!(care::count_loss(&mut tx, &first).await.unwrap(), None, "it is at work");
    }

    async fn what_nobody_is_about_to_claim_is_removed(fresh) {
        let all = [job(1, at(0)), job(2, at(0))];
        let keys = all.each_ref().map(|one| one.unique_key.clone());
        let mut tx = fresh.store.begin().await.unwrap();
        jobs::enqueue(&mut tx, &all, at(0)).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        assert_eq!(jobs::remove_idle(&mut tx, &keys).await.unwrap(), 2);
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
        let slots = all.each_ref().map(|one| one.slot.clone());
        let [first, second, third] = all.map(|one| one.id);
        assert_eq!(due, [(first, at(0)), (second, at(10)), (third, at(90))]);
        let slot = slots[2].as_str();
        assert_eq!(jobs::hasten_slot(&mut tx, "publish", "another", at(11)).await.unwrap(), 0);
        assert_eq!(jobs::hasten_slot(&mut tx, "mail", slot, at(11)).await.unwrap(), 0);
        assert!(jobs::hasten_slot(&mut tx, "publish", slot, at(11)).await.unwrap() > 0);
        let due = jobs::upcoming(&mut tx, "publish", at(11), 10).await.unwrap();
        assert_eq!(due.len(), 3, "{due:?}");
        tx.commit().await.unwrap();
    }
}

/// A failover holds what claims wait for, and must not wait for them.
#[tokio::test]
async fn what_is_being_claimed_is_not_waited_for() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let holder = Holder { node: NodeId::new(at(0), 1), fence: 1 };
    let all = [job(1, at(0)), job(2, at(0))];
    let keys = all.each_ref().map(|one| one.unique_key.clone());
    let mut tx = fresh.store.begin().await.unwrap();
    jobs::enqueue(&mut tx, &all, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let mut failover = fresh.store.begin().await.unwrap();
    publishing::stand_still(&mut failover).await.unwrap();
    let mut claim = fresh.store.begin().await.unwrap();
    let ids = [all[0].id.clone()];
    assert_eq!(jobs::claim(&mut claim, &ids, &holder, at(60), at(0)).await.unwrap().len(), 1);
    let claim = tokio::spawn(async move {
        publishing::stand_still(&mut claim).await?;
        claim.commit().await
    });
    assert_eq!(jobs::remove_idle(&mut failover, &keys).await.unwrap(), 1);
    failover.commit().await.unwrap();
    claim.await.unwrap().unwrap();
    fresh.remove().await;
}
