//! Outcomes that cannot be written down: kept, tried again, given up in the end, and then looked for;
//! and what platforms say that no database can keep.

use std::time::Duration;

use chancery::domain::delivery::DeliveryState;
use chancery::simulator::Kind as FaultKind;

use crate::stage::{Wanted, eventually, staged};

staged! {
    /// The database takes every outcome but one. The neighbours are published at once; that one is
    /// given up after many tries, doubted, found by reading back, and is there once.
    async fn an_outcome_that_cannot_be_written_is_given_up_and_looked_for(stage) {
        let [page, user] = stage.both().await;
        let database = &stage.setting().database;
        let mut rows = Vec::new();
        for outlet in [&page, &user] {
            stage.spoil(outlet, FaultKind::HangAfter { ms: 300 });
            rows.push(stage.deliver(outlet, &Wanted::text("not to be written")).await);
        }
        let [bad, good] = [&rows[0], &rows[1]];
        let condition = format!(
            "NEW.delivery_id = '{bad}' AND OLD.outcome = 'open' AND NEW.outcome = 'published'"
        );
        database.refuse("UPDATE ON attempts", &condition).await;
        stage.published(good).await;
        eventually("it is made", async || {
            let made = stage.made(&page);
            if made == 1 { Ok(()) } else { Err(made) }
        })
        .await;
        assert_eq!(stage.show(bad).await.delivery.state, DeliveryState::Publishing);
        let shown = eventually("it is published", async || {
            stage.advance(Duration::from_millis(500));
            let shown = stage.show(bad).await;
            let state = shown.delivery.state;
            if state == DeliveryState::Published { Ok(shown) } else { Err(state) }
        })
        .await;
        assert_eq!(shown.attempts.len(), 1);
        assert_eq!((stage.doubts(bad).await, stage.creates(&page).len()), (1, 1));
        database.permit().await;
        // Its account is not held up for ever.
        let next = stage.deliver(&page, &Wanted::text("after the given up")).await;
        stage.published(&next).await;
    }
}
