//! Videos are at X before the instant: the post leaves then, and what X cannot play is told while there is time.

use std::time::Duration;

use bytes::Bytes;
use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::simulator::Platform;
use serde_json::{Value, json};

use crate::media::film;
use crate::stage::{Stage, Wanted, eventually, staged};

/// What is kept of a delivery's files.
async fn kept(stage: &Stage, id: &DeliveryId) -> Value {
    let sql = format!("SELECT CAST(progress AS TEXT) FROM deliveries WHERE id = '{id}'");
    let rows = stage.setting().database.rows(&sql).await;
    serde_json::from_str(&rows[0][0]).unwrap_or_default()
}

/// Waits until X has the film and has worked on it.
async fn is_there(stage: &Stage, id: &DeliveryId) -> String {
    eventually("the film is at X", async || {
        let kept = kept(stage, id).await;
        kept.pointer("/staged/0/remote_id").and_then(Value::as_str).map(str::to_owned).ok_or(kept)
    })
    .await
}

async fn due_in(stage: &Stage, hours: u64) -> (crate::stage::Outlet, DeliveryId) {
    let film = stage.hand_in(&Bytes::from(film(3_000_000))).await;
    let outlet = stage.outlet(Platform::X).await;
    let at = after(stage.now(), Duration::from_hours(hours));
    let wanted = Wanted::text("with a film").picture(&film, "Lễ thượng cờ").at(at);
    let id = stage.deliver(&outlet, &wanted).await;
    (outlet, id)
}

staged! {
    async fn a_film_is_at_x_before_the_instant(stage) {
        stage.world().change_settings(|it| it.x.processing_s = 120);
        let (outlet, id) = due_in(stage, 3).await;
        assert_eq!(kept(stage, &id).await, Value::Null);
        // Half an hour ahead it is sent, and then X works on it.
        stage.advance(Duration::from_mins(151));
        eventually("X has all of it", async || {
            let kept = kept(stage, &id).await;
            let whole = kept.pointer("/under_way/0/is_whole") == Some(&json!(true));
            if whole { Ok(()) } else { Err(kept) }
        })
        .await;
        stage.advance(Duration::from_mins(5));
        let there = is_there(stage, &id).await;
        assert!(stage.creates(&outlet).is_empty());
        let shown = stage.show(&id).await;
        assert_eq!((shown.delivery.state, shown.delivery.attempt_count), (DeliveryState::Scheduled, 0));
        stage.advance(Duration::from_mins(30));
        let shown = stage.published(&id).await;
        assert_eq!((shown.delivery.attempt_count, stage.creates(&outlet).len()), (1, 1));
        assert_eq!(stage.posts(&outlet)[0].photos[0].id, there, "nothing was brought again");
    }

    async fn what_x_cannot_play_fails_before_the_instant(stage) {
        stage.world().change_settings(|it| it.x.processing_fails = true);
        let (outlet, id) = due_in(stage, 3).await;
        stage.advance(Duration::from_mins(151));
        let shown = stage.until(&id, DeliveryState::Failed).await;
        let problem = shown.delivery.problem.unwrap();
        assert!(problem.detail.contains("Unsupported video format"), "{problem:?}");
        assert!(shown.attempts.is_empty() && stage.creates(&outlet).is_empty());
    }

    async fn a_film_that_is_sent_earlier_than_it_was_is_brought_earlier(stage) {
        let (outlet, id) = due_in(stage, 48).await;
        let at = after(stage.now(), Duration::from_mins(20)).to_string();
        let to = serde_json::from_value(json!({"at": at})).unwrap();
        chancery::service::deliveries::reschedule(stage.acts(), stage.caller(), &id, None, to).await.unwrap();
        let there = is_there(stage, &id).await;
        assert!(stage.creates(&outlet).is_empty());
        stage.advance(Duration::from_mins(20));
        stage.published(&id).await;
        assert_eq!(stage.posts(&outlet)[0].photos[0].id, there);
    }
}
