//! The list of processes and the line between them, on both databases.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::id::{JobId, NodeId};
use chancery::store::hints::Heard;
use chancery::store::jobs::{Beat, Holder, NewJob};
use chancery::store::nodes::Clock;
use chancery::store::{SCHEMA_VERSION, installation, jobs, nodes};
use jiff::Timestamp;

use crate::database::{Fresh, both};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_788_000_000 + second).unwrap()
}

both! {
    async fn processes_are_listed_newest_first_while_they_are_seen(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let ids = [NodeId::new(at(0), 1), NodeId::new(at(1), 2)];
        for (id, second) in ids.iter().zip([0, 1]) {
            nodes::register(&mut tx, id, "1.2.3", at(second)).await.unwrap();
        }
        let lease = Duration::from_secs(7);
        assert!(nodes::beat(&mut tx, &ids[0], 1, lease, at(9)).await.unwrap());
        assert!(!nodes::beat(&mut tx, &ids[0], 2, lease, at(9)).await.unwrap());
        let list = nodes::list(&mut tx, at(0)).await.unwrap();
        let told: Vec<_> = list.iter().map(|it| (&it.id, it.fence, it.seen_at)).collect();
        assert_eq!(told, [(&ids[1], 2, at(1)), (&ids[0], 1, at(9))]);
        assert!(list.iter().all(|it| it.schema_step == SCHEMA_VERSION && it.version == "1.2.3"));
        let list = nodes::list(&mut tx, after(at(1), Duration::from_millis(1))).await.unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(nodes::forget(&mut tx, at(100)).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
}

both! {
    async fn whoever_has_jobs_at_work_is_known_by_his_beats(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let all = [1, 2, 3].map(job);
        jobs::enqueue(&mut tx, &all, at(0)).await.unwrap();
        let holders = [(1, 1), (2, 2), (3, 9)]
            .map(|(number, fence)| Holder { node: NodeId::new(at(0), number), fence });
        for (holder, job) in holders.iter().zip(&all) {
            if holder.fence < 9 {
                nodes::register(&mut tx, &holder.node, "1.2.3", at(0)).await.unwrap();
            }
            let ids = std::slice::from_ref(&job.id);
            let claimed = jobs::claim(&mut tx, ids, holder, at(60), at(0)).await.unwrap();
            assert_eq!(claimed.len(), 1);
        }
        let lease = Duration::from_secs(7);
        for _ in 0..2 {
            assert!(nodes::beat(&mut tx, &holders[1].node, 2, lease, at(1)).await.unwrap());
        }
        let us = Holder { node: NodeId::new(at(0), 4), fence: 10 };
        let mut beats = jobs::holders(&mut tx, "publish", &us).await.unwrap();
        beats.sort_by_key(|one| one.fence);
        let beat = |fence, beats, lease_ms| Beat { fence, beats, lease_ms };
        let wanted = [beat(1, 0, Some(0)), beat(2, 2, Some(7_000)), beat(9, -1, None)];
        assert_eq!(beats, wanted);
        assert!(jobs::holders(&mut tx, "sweep", &us).await.unwrap().is_empty());
        let taken = jobs::take_from(&mut tx, "publish", &[1, 9], &us).await.unwrap();
        assert_eq!(taken.len(), 2);
        let beats = jobs::holders(&mut tx, "publish", &us).await.unwrap();
        assert_eq!(beats, [beat(2, 2, Some(7_000))]);
        tx.commit().await.unwrap();
    }

    async fn after_a_lost_history_fences_go_on_above_all_that_it_may_have_given(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        installation::load_or_create(&mut tx, "first", b"check", at(0)).await.unwrap();
        let mut fences = Vec::new();
        // The last one by a clock that is far behind.
        for (number, jump) in [(1, None), (2, None), (3, Some(at(0))), (4, Some(at(-90_000_000)))] {
            if let Some(now) = jump {
                nodes::jump(&mut tx, now).await.unwrap();
            }
            let id = NodeId::new(at(0), number);
            fences.push(nodes::register(&mut tx, &id, "1.2.3", at(0)).await.unwrap());
        }
        let first = at(0).as_millisecond();
        assert_eq!(fences, [1, 2, first + 1, first + 1_000_002]);
        tx.commit().await.unwrap();
    }
}

fn job(number: u128) -> NewJob {
    NewJob {
        id: JobId::new(at(0), number),
        kind: "publish",
        unique_key: format!("publish:{number}"),
        slot: number.to_string(),
        payload: serde_json::json!({}),
        priority: 1,
        due_at: at(0),
    }
}

both! {
    async fn whoever_does_not_say_that_he_stops_has_died(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let (early, late) = (at(0), at(900));
        let mut fences = Vec::new();
        for number in 1..=3 {
            let id = NodeId::new(early, number);
            fences.push((nodes::register(&mut tx, &id, "test", early).await.unwrap(), id));
        }
        let died = async |tx: &mut chancery::store::Tx, place: usize, since| {
            nodes::died(tx, fences[place].0, since).await.unwrap()
        };
        assert!(!died(&mut tx, 0, early).await, "there was none before it");
        assert!(died(&mut tx, 1, late).await && died(&mut tx, 2, late).await);
        let (fence, id) = &fences[1];
        nodes::stopped(&mut tx, id, *fence, early).await.unwrap();
        assert!(!died(&mut tx, 2, late).await, "the one before it has stopped");
        assert!(died(&mut tx, 2, early).await, "another one may be alive");
    }

    async fn a_clock_is_in_doubt_until_it_is_confirmed_for_that_step(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let id = NodeId::new(at(0), 1);
        let fence = nodes::register(&mut tx, &id, "1.2.3", at(0)).await.unwrap();
        assert_eq!(nodes::list(&mut tx, at(0)).await.unwrap()[0].clock, Clock::default());
        assert!(!nodes::has_doubted_clock(&mut tx, at(0)).await.unwrap());
        assert_eq!(nodes::confirm_clock(&mut tx, &id, 0).await.unwrap(), None);
        let doubted = Clock {
            step: 3,
            doubt: Some("stepped".to_owned()),
            detail: Some("an hour ahead".to_owned()),
        };
        nodes::tell_clock(&mut tx, &id, fence, &doubted).await.unwrap();
        assert!(nodes::has_doubted_clock(&mut tx, at(0)).await.unwrap());
        assert!(!nodes::has_doubted_clock(&mut tx, at(1)).await.unwrap(), "seen too long ago");
        assert_eq!(nodes::confirm_clock(&mut tx, &id, 2).await.unwrap(), None);
        assert!(!nodes::is_clock_confirmed(&mut tx, &id, fence, 3).await.unwrap());
        assert_eq!(nodes::confirm_clock(&mut tx, &id, 3).await.unwrap(), Some(doubted));
        assert!(nodes::is_clock_confirmed(&mut tx, &id, fence, 3).await.unwrap());
        assert!(!nodes::is_clock_confirmed(&mut tx, &id, fence, 4).await.unwrap());
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_has_no_line_to_others() {
    let fresh = Fresh::sqlite().await;
    assert!(fresh.store.line().await.unwrap().is_none());
    fresh.remove().await;
}

#[tokio::test]
async fn what_is_told_on_the_line_is_heard_and_another_installation_hears_nothing() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let Some(other) = Fresh::postgres().await else { return };
    for (one, generation) in [(&fresh, "own"), (&other, "other")] {
        let generation = format!("{generation}{:016x}", rand::random::<u64>());
        let mut tx = one.store.begin().await.unwrap();
        installation::load_or_create(&mut tx, &generation, b"check", at(0)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let line = fresh.store.line().await.unwrap().unwrap();
    let elsewhere = other.store.line().await.unwrap().unwrap();
    let mut listener = line.listen().await.unwrap();
    elsewhere.tell("not for us").await.unwrap();
    line.tell("for us").await.unwrap();
    assert_eq!(listener.next().await.unwrap(), Heard::Hint("for us".to_owned()));
    drop(listener);
    other.remove().await;
    fresh.remove().await;
}
