//! The parts of a post on both databases: what stands behind which, and what becomes of it.

use chancery::domain::delivery::{DeliveryProblem, DeliveryState};
use chancery::domain::id::{DeliveryId, JobId};
use chancery::domain::parts::Part;
use chancery::domain::work;
use chancery::store::deliveries::{self, NewDelivery, NewTime};
use chancery::store::jobs::{self, NewJob};
use chancery::store::{self, Error, parts};
use serde_json::json;

use crate::database::both;
use crate::planned::{World, at, delivery, now, seed};

const DUE: &str = "2026-09-02T02:00:00Z";

/// A first part with two that follow, and one that nothing follows.
fn chain(world: &World) -> Vec<NewDelivery> {
    let mut rows: Vec<NewDelivery> = Vec::new();
    for number in 1..=4 {
        let new = delivery(number * 10, &world.posts[0], &world.accounts[0], DUE);
        let part = match rows.last() {
            Some(before) if number < 4 => Part {
                number: i64::try_from(number).unwrap(),
                of: 3,
                follows: Some(before.id.clone()),
                root: Some(rows[0].id.clone()),
            },
            Some(_) | None => Part { of: if number == 1 { 3 } else { 1 }, ..Part::default() },
        };
        rows.push(NewDelivery { part, ..new });
    }
    rows
}

fn job(delivery: &NewDelivery, number: u128) -> NewJob {
    NewJob {
        id: JobId::new(now(), number),
        kind: work::PUBLISH,
        unique_key: work::publish_key(&delivery.id),
        slot: "somewhere/1".to_owned(),
        payload: json!({}),
        priority: 2,
        due_at: at("2026-09-03T02:00:00Z"),
    }
}

async fn state(tx: &mut store::Tx, id: &DeliveryId) -> (DeliveryState, i64) {
    let found = deliveries::find(tx, id).await.unwrap().unwrap();
    (found.state, found.due_at.as_millisecond())
}

both! {
    async fn what_follows_stands_behind_and_goes_with_it(fresh) {
        let world = seed(&fresh.store).await;
        let rows = chain(&world);
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &rows.iter().collect::<Vec<_>>()).await.unwrap();
        let kept = deliveries::find(&mut tx, &rows[1].id).await.unwrap().unwrap();
        assert_eq!(kept.part, rows[1].part);
        let behind = |all: Vec<parts::Behind>| -> Vec<DeliveryId> {
            all.into_iter().map(|one| one.id).collect()
        };
        let [root, second, third, alone] = [0, 1, 2, 3].map(|place: usize| rows[place].id.clone());
        let all = parts::behind(&mut tx, &root, 1).await.unwrap();
        assert_eq!(behind(all), [second.clone(), third.clone()]);
        let rest = parts::behind(&mut tx, &root, 2).await.unwrap();
        assert!(behind(rest).iter().eq([&third]));
        assert!(parts::behind(&mut tx, &alone, 1).await.unwrap().is_empty());
        let next = parts::next(&mut tx, &[root.clone(), alone.clone()]).await.unwrap();
        assert_eq!(next.len(), 1);
        assert_eq!((&next[0].follows, &next[0].id), (&root, &second));
        assert!(!next[0].recalled && !next[0].stuck);
        let due_at = at("2026-09-04T02:00:00Z");
        let to = NewTime { due_at, publish_by: due_at, civil: None, asks_approval: false };
        let moved = parts::reschedule(&mut tx, &[&second, &third], (&to, "usr_2"), now()).await.unwrap();
        assert_eq!(moved.len(), 2);
        assert_eq!(state(&mut tx, &third).await.1, due_at.as_millisecond());
        assert_eq!(state(&mut tx, &root).await.1, at(DUE).as_millisecond());
        // Whoever takes the first over takes over what waits behind it, unless its scheduler still may.
        let taken = async |tx: &mut store::Tx| {
            parts::take_over(tx, (&root, 2), "usr_2", now()).await.unwrap();
            let mut seen = Vec::new();
            for row in &rows {
                seen.push(deliveries::find(tx, &row.id).await.unwrap().unwrap().created_by);
            }
            seen
        };
        let own = rows[0].created_by.as_str();
        assert_eq!(taken(&mut tx).await, [own, own, own, own]);
        tx.commit().await.unwrap();
        fresh.raw().await.execute("UPDATE people SET administrator = FALSE").await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        assert_eq!(taken(&mut tx).await, [own, own, "usr_2", own]);
        let why = DeliveryProblem { code: "c".into(), detail: "d".into(), hint: "h".into() };
        assert!(deliveries::cancel(&mut tx, &second, now()).await.unwrap());
        let ended = parts::cancel(&mut tx, &[&second, &third], &why, now()).await.unwrap();
        assert!(ended.iter().eq([&third]), "what has ended stays as it ended: {ended:?}");
        assert_eq!(state(&mut tx, &third).await.0, DeliveryState::Cancelled);
        assert!(parts::reschedule(&mut tx, &[&third], (&to, "usr_2"), now()).await.unwrap().is_empty());
    }

    async fn what_is_out_wakes_what_follows_it_and_nothing_else(fresh) {
        let world = seed(&fresh.store).await;
        let rows = chain(&world);
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &rows.iter().collect::<Vec<_>>()).await.unwrap();
        let all: Vec<NewJob> = (1..).zip(&rows).map(|(number, row)| job(row, number)).collect();
        jobs::enqueue(&mut tx, &all, now()).await.unwrap();
        parts::wake(&mut tx, &[&rows[0].id, &rows[3].id], now()).await.unwrap();
        parts::wake(&mut tx, &[], now()).await.unwrap();
        let due = jobs::upcoming(&mut tx, work::PUBLISH, now(), 10).await.unwrap();
        let due: Vec<JobId> = due.into_iter().map(|one| one.id).collect();
        assert_eq!(due, [all[1].id.clone()]);
    }

    async fn one_follows_each_at_most(fresh) {
        let world = seed(&fresh.store).await;
        let mut rows = chain(&world);
        rows[3].part = rows[1].part.clone();
        let mut tx = fresh.store.begin().await.unwrap();
        let told = deliveries::insert(&mut tx, &rows.iter().collect::<Vec<_>>()).await;
        assert!(matches!(told, Err(Error::Conflict("deliveries_follows_key"))), "{told:?}");
    }
}
