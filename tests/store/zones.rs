//! Wall-clock times whose meaning has changed, on both databases.

use chancery::domain::delivery::{DeliveryState, WaitsFor};
use chancery::domain::schedule::ZoneChange;
use chancery::store::deliveries::{self, Filter};
use chancery::store::zones::{self, Place};
use jiff::Timestamp;

use crate::database::both;
use crate::planned::{delivery, seed};

both! {
    async fn a_change_is_noted_shown_and_taken_back(fresh) {
        let world = seed(&fresh.store).await;
        let days = ["2026-09-05T02:00:00Z", "2026-09-03T02:00:00Z", "2026-09-04T02:00:00Z"];
        let new: Vec<_> = [2, 4, 5]
            .into_iter()
            .zip(days)
            .map(|(number, day)| delivery(number, &world.posts[0], &world.accounts[0], day))
            .collect();
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        let from: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
        let until = new[0].due_at;
        let place = Place { from, after: String::new(), until };
        let state = DeliveryState::Scheduled;
        let drafts = zones::on_wall(&mut tx, DeliveryState::Draft, &place).await.unwrap();
        assert!(drafts.is_empty());
        let page = zones::on_wall(&mut tx, state, &place).await.unwrap();
        let found: Vec<_> = page.iter().map(|one| (&one.id, one.change.is_some())).collect();
        assert_eq!(found, [(&new[1].id, false), (&new[0].id, false)], "those on walls, by instant");
        let place = Place { from: page[0].due_at, after: page[0].id.to_string(), until };
        assert_eq!(zones::on_wall(&mut tx, state, &place).await.unwrap(), page[1..]);
        let early = Place { from, after: String::new(), until: page[0].due_at };
        assert_eq!(zones::on_wall(&mut tx, state, &early).await.unwrap(), page[..1]);
        let one = &page[0];
        let change = ZoneChange { means: vec![from], rules: "new".to_owned(), found_at: from };
        let waits = WaitsFor { code: "time_zone".to_owned(), detail: "a person".to_owned() };
        let (change, waits) = (Some(&change), Some(&waits));
        assert!(zones::note(&mut tx, one, change, waits, from).await.unwrap());
        let changed = Filter { zone_changed: true, ..Filter::default() };
        let list = deliveries::list(&mut tx, &changed, 10).await.unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].zone_change.as_ref(), list[0].waits_for.as_ref()), (change, waits));
        assert!(zones::note(&mut tx, one, None, None, from).await.unwrap());
        assert!(deliveries::list(&mut tx, &changed, 10).await.unwrap().is_empty());
        let moved = zones::OnWall { due_at: from, ..one.clone() };
        assert!(!zones::note(&mut tx, &moved, change, waits, from).await.unwrap());
        tx.commit().await.unwrap();
    }
}
