//! Whoever is responsible is told of what waits for him until it is decided: once for each step, over
//! restarts; of many deliveries that wait for one reason once, with their number; and of holds.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::id::DeliveryId;
use chancery::service::notifications::{self, NotificationView};
use chancery::service::{Caller, Window, deliveries, people};
use chancery::simulator::Platform;
use serde_json::json;

use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};
use crate::stops::{everything, held_for, lift, place};
use crate::webhooks::OPTIONS;

pub(crate) async fn told(stage: &Stage, caller: &Caller, event: &str) -> Vec<NotificationView> {
    let window = Window { limit: 200, after: None };
    let mut items = notifications::list(stage.acts(), caller, false, &window).await.unwrap().items;
    items.retain(|it| it.event.as_str() == event);
    items
}

/// Waits for so many notifications of this event, and that there is none beyond.
pub(crate) async fn exactly(
    stage: &Stage,
    caller: &Caller,
    event: &str,
    count: usize,
) -> Vec<NotificationView> {
    eventually(&format!("{count} times {event}"), async || {
        let seen = told(stage, caller, event).await.len();
        if seen >= count { Ok(()) } else { Err(seen) }
    })
    .await;
    pass(Duration::from_millis(250)).await;
    let seen = told(stage, caller, event).await;
    assert_eq!(seen.len(), count, "{event}: {seen:#?}");
    seen
}

/// A second administrator, who has scheduled nothing.
pub(crate) async fn colleague(stage: &Stage) -> Caller {
    let email = "binh.tran@mofa.example";
    people::create_administrator(stage.acts(), email, "Bình Trần", None).await.unwrap();
    let actor = people::at_the_console(stage.acts(), email).await.unwrap();
    Caller { actor, idempotency: None, request_id: "test".to_owned() }
}

/// A delivery about which a person is asked, by the database's word.
pub(crate) async fn asked(stage: &Stage, outlet: &Outlet, what: &str) -> DeliveryId {
    let due = after(stage.now(), Duration::from_hours(72));
    let id = stage.deliver(outlet, &Wanted::text(what).at(due)).await;
    let sql = format!(
        r#"UPDATE deliveries SET state = 'needs_human', state_since = created_at,
               waits_for = '{{"code":"person","detail":"nobody can tell"}}' WHERE id = '{id}'"#
    );
    stage.setting().database.execute(&sql).await;
    id
}

pub(crate) const WAITING: &str = "deliveries.waiting";

staged! { with OPTIONS;
    /// After ten minutes the officer, after an hour the administrators too, then daily; a restart in
    /// between repeats nothing, and a decision ends it.
    async fn what_nobody_decides_is_told_again_and_to_more(stage) {
        let boss = colleague(stage).await;
        let officer = stage.caller().clone();
        let outlet = stage.outlet(Platform::X).await;
        let id = asked(stage, &outlet, "undecided").await;
        exactly(stage, &officer, WAITING, 0).await;
        stage.advance(Duration::from_mins(11));
        let first = exactly(stage, &officer, WAITING, 1).await;
        assert_eq!((&first[0].data["delivery_id"], &first[0].data["reason"]), (&json!(id), &json!("person")));
        assert!(first[0].text.starts_with("Có bài đang chờ bạn quyết định: A test"), "{}", first[0].text);
        exactly(stage, &boss, WAITING, 0).await;
        stage.stop().await;
        stage.resume().await;
        exactly(stage, &officer, WAITING, 1).await;
        stage.advance(Duration::from_mins(50));
        exactly(stage, &officer, WAITING, 2).await;
        exactly(stage, &boss, WAITING, 1).await;
        stage.advance(Duration::from_hours(24));
        exactly(stage, &officer, WAITING, 3).await;
        exactly(stage, &boss, WAITING, 2).await;
        deliveries::give_up(stage.acts(), &officer, &id).await.unwrap();
        pass(Duration::from_millis(200)).await;
        stage.advance(Duration::from_hours(24));
        exactly(stage, &officer, WAITING, 3).await;
        exactly(stage, &boss, WAITING, 2).await;
    }

    /// One who has left is not told; administrators are, from the beginning.
    async fn what_nobody_is_left_for_is_the_administrators(stage) {
        let boss = colleague(stage).await;
        let outlet = stage.outlet(Platform::X).await;
        let id = asked(stage, &outlet, "of one who has left").await;
        let left = format!(
            "UPDATE people SET disabled_at = created_at WHERE id = '{}'",
            stage.caller().actor.person_id
        );
        stage.setting().database.execute(&left).await;
        stage.advance(Duration::from_mins(11));
        exactly(stage, &boss, WAITING, 1).await;
        exactly(stage, stage.caller(), WAITING, 0).await;
        stage.setting().database.execute("UPDATE people SET disabled_at = NULL").await;
        deliveries::give_up(stage.acts(), stage.caller(), &id).await.unwrap();
    }

    /// Four deliveries are caught: one word of the hold, one of its lift, and one of the four.
    async fn what_one_hold_has_caught_is_told_of_once(stage) {
        let officer = stage.caller().clone();
        let mut outlets = Vec::new();
        for _ in 0..4 {
            outlets.push(stage.outlet(Platform::X).await);
        }
        let placed = place(stage, everything()).await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            ids.push(stage.deliver(outlet, &Wanted::text("one of four")).await);
        }
        for id in &ids {
            held_for(stage, id, "hold").await;
        }
        let word = exactly(stage, &officer, "hold.placed", 1).await;
        assert!(word[0].text.contains("An accident"), "{}", word[0].text);
        exactly(stage, &officer, WAITING, 0).await;
        exactly(stage, &officer, "delivery.held", 0).await;
        lift(stage, &placed.hold.id).await;
        exactly(stage, &officer, "hold.lifted", 1).await;
        // The guard looks at each by itself: the first look may find fewer than all.
        let words = exactly(stage, &officer, WAITING, 1).await;
        assert_eq!(words[0].data["hold_id"], json!(null));
        assert_eq!(words[0].data["cause"], json!(format!("hold:{}", placed.hold.id)));
        stage.advance(Duration::from_mins(11));
        let words = exactly(stage, &officer, WAITING, 2).await;
        assert_eq!((&words[0].data["count"], &words[0].data["code"]), (&json!(4), &json!("review")));
        assert!(words[0].text.contains("4 bài"), "{}", words[0].text);
        let drop = |id: &DeliveryId| json!({"id": id, "act": "drop"});
        let review = json!({"deliveries": ids.iter().map(drop).collect::<Vec<_>>()});
        let review = serde_json::from_value(review).unwrap();
        deliveries::review(stage.acts(), &officer, review).await.unwrap();
        pass(Duration::from_millis(200)).await;
        stage.advance(Duration::from_hours(2));
        exactly(stage, &officer, WAITING, 2).await;
    }

    async fn the_end_of_a_hold_is_told_before(stage) {
        let officer = stage.caller().clone();
        let mut hold = everything();
        hold["ends_at"] = json!(after(stage.now(), Duration::from_mins(40)));
        place(stage, hold).await;
        exactly(stage, &officer, "hold.placed", 1).await;
        exactly(stage, &officer, "hold.ending", 0).await;
        stage.advance(Duration::from_mins(26));
        exactly(stage, &officer, "hold.ending", 1).await;
        stage.stop().await;
        stage.resume().await;
        exactly(stage, &officer, "hold.ending", 1).await;
        stage.advance(Duration::from_mins(20));
        exactly(stage, &officer, "hold.ending", 1).await;
        exactly(stage, &officer, "hold.placed", 1).await;
    }
}

/// Two nodes look at the same; each step is told once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_tell_once() {
    let kind = crate::stage::Kind::Postgres;
    let Some(stage) = Stage::start(kind, OPTIONS).await else { return };
    let other = stage.another(&[]).await;
    let officer = stage.caller().clone();
    let outlet = stage.outlet(Platform::X).await;
    let id = asked(&stage, &outlet, "seen by two").await;
    // What joins a group later and cannot wait, too.
    let broken = stage.outlet(Platform::X).await;
    let joining = [("evergreen", 1), ("statement", 4)];
    let joining = crate::reminded::for_broken(&stage, &broken, &joining).await;
    for (place, one) in joining.iter().enumerate() {
        crate::reminded::joins(&stage, one).await;
        exactly(&stage, &officer, WAITING, place + 1).await;
    }
    crate::reminded::fit(&stage, &broken).await;
    for (count, minutes) in [(3, 11), (4, 50), (5, 24 * 60), (6, 24 * 60)] {
        stage.advance(Duration::from_mins(minutes));
        exactly(&stage, &officer, WAITING, count).await;
    }
    deliveries::give_up(stage.acts(), &officer, &id).await.unwrap();
    assert!(other.stop().await);
    stage.finish().await;
}
