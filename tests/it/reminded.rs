//! Nothing that only a person can decide waits in silence, and what cannot wait for the next reminder
//! does not.

use std::time::Duration;

use chancery::clock::{after, until};
use chancery::domain::id::DeliveryId;
use chancery::engine::quarantine;
use chancery::service::deliveries::{self, Move};
use chancery::service::quarantine::{Release, release};
use chancery::simulator::Platform;
use serde_json::json;

use crate::reminders::{WAITING, colleague, exactly, told};
use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};
use crate::stops::held_for;
use crate::webhooks::OPTIONS;

async fn status(stage: &Stage, outlet: &Outlet, status: &str) {
    let sql = format!("UPDATE accounts SET status = '{status}' WHERE id = '{}'", outlet.id);
    stage.setting().database.execute(&sql).await;
}

/// Deliveries of these classes, due so many minutes from now, that may go out for a month; and then the
/// account breaks.
pub(crate) async fn for_broken(
    stage: &Stage,
    outlet: &Outlet,
    all: &[(&'static str, u64)],
) -> Vec<DeliveryId> {
    let late = after(stage.now(), Duration::from_hours(24 * 30));
    let mut ids = Vec::new();
    for (class, minutes) in all {
        let due = after(stage.now(), Duration::from_mins(*minutes));
        let wanted = Wanted::text("held").class(class).at(due).publish_by(late);
        ids.push(stage.deliver(outlet, &wanted).await);
    }
    status(stage, outlet, "needs_reconnect").await;
    ids
}

/// Lets time pass until it is due, and waits until it is held.
pub(crate) async fn joins(stage: &Stage, id: &DeliveryId) {
    let due = stage.show(id).await.delivery.due_at;
    stage.advance(until(stage.now(), due));
    held_for(stage, id, "account").await;
}

/// Everything that waits for the account goes out.
pub(crate) async fn fit(stage: &Stage, outlet: &Outlet) {
    status(stage, outlet, "connected").await;
    stage.advance(Duration::from_mins(2));
    eventually("nothing is held any more", async || {
        let sql = "SELECT id FROM deliveries WHERE state = 'held'";
        let left = stage.setting().database.rows(sql).await.len();
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
}

staged! { with OPTIONS;
    /// It stays `scheduled`, and would be missed without another word.
    async fn a_time_that_only_a_person_can_say_is_reminded_of(stage) {
        let boss = colleague(stage).await;
        let officer = stage.caller().clone();
        let outlet = stage.outlet(Platform::X).await;
        let due = after(stage.now(), Duration::from_hours(24 * 7));
        let id = stage.deliver(&outlet, &Wanted::text("by another law").at(due)).await;
        let sql = format!(
            r#"UPDATE deliveries SET
                   waits_for = '{{"code":"time_zone","detail":"a time"}}' WHERE id = '{id}'"#
        );
        stage.setting().database.execute(&sql).await;
        // The change itself is told of as such.
        exactly(stage, &officer, WAITING, 0).await;
        stage.advance(Duration::from_mins(11));
        let words = exactly(stage, &officer, WAITING, 1).await;
        assert_eq!((&words[0].data["delivery_id"], &words[0].data["reason"]), (&json!(id), &json!("time_zone")));
        exactly(stage, &boss, WAITING, 0).await;
        stage.advance(Duration::from_mins(50));
        exactly(stage, &officer, WAITING, 2).await;
        exactly(stage, &boss, WAITING, 1).await;
        let to: Move = serde_json::from_value(json!({"at": due.to_string()})).unwrap();
        deliveries::reschedule(stage.acts(), &officer, &id, None, to).await.unwrap();
        pass(Duration::from_millis(200)).await;
        stage.advance(Duration::from_hours(25));
        exactly(stage, &officer, WAITING, 2).await;
        exactly(stage, &boss, WAITING, 1).await;
    }

    /// Nothing at all is sent: administrators hear of that until one of them has decided.
    async fn a_quarantine_is_reminded_of_until_it_is_released(stage) {
        let officer = stage.caller().clone();
        let outlet = stage.outlet(Platform::X).await;
        let now = stage.now();
        quarantine::restored(&stage.acts().store, now, "a drill", true, now).await.unwrap();
        exactly(stage, &officer, "quarantine.begun", 1).await;
        exactly(stage, &officer, WAITING, 0).await;
        stage.advance(Duration::from_mins(11));
        let words = exactly(stage, &officer, WAITING, 1).await;
        assert_eq!(words[0].data["code"], "quarantine");
        assert!(!words[0].text.contains("0 bài"), "{}", words[0].text);
        stage.stop().await;
        stage.resume().await;
        exactly(stage, &officer, WAITING, 1).await;
        let id = stage.deliver(&outlet, &Wanted::text("kept back")).await;
        eventually("it waits for the quarantine", async || {
            let shown = stage.show(&id).await.delivery;
            let there = shown.waits_for.as_ref().is_some_and(|it| it.code == "quarantine");
            if there { Ok(()) } else { Err(format!("{shown:?}")) }
        })
        .await;
        stage.advance(Duration::from_mins(50));
        let words = exactly(stage, &officer, WAITING, 2).await;
        assert!(words[0].text.contains("1 bài"), "{}", words[0].text);
        release(stage.acts(), &officer, &Release::default()).await.unwrap();
        stage.published(&id).await;
        stage.advance(Duration::from_hours(25));
        exactly(stage, &officer, WAITING, 2).await;
    }

    /// The group was told of hours ago and has its next step tomorrow: what can wait does, and what
    /// cannot is told of at once, with reminders of its own.
    async fn what_cannot_wait_for_the_next_reminder_is_told_of_at_once(stage) {
        let boss = colleague(stage).await;
        let officer = stage.caller().clone();
        let outlet = stage.outlet(Platform::X).await;
        let ids = for_broken(stage, &outlet, &[
            ("evergreen", 1), ("routine", 64), ("urgent", 66), ("statement", 130), ("statement", 133),
            ("urgent", 133),
        ]).await;
        joins(stage, &ids[0]).await;
        exactly(stage, &officer, WAITING, 1).await;
        stage.advance(Duration::from_mins(11));
        exactly(stage, &officer, WAITING, 2).await;
        stage.advance(Duration::from_mins(51));
        exactly(stage, &officer, WAITING, 3).await;
        exactly(stage, &boss, WAITING, 1).await;
        joins(stage, &ids[1]).await;
        stage.advance(Duration::from_mins(1));
        exactly(stage, &officer, WAITING, 3).await;
        joins(stage, &ids[2]).await;
        let words = exactly(stage, &officer, WAITING, 4).await;
        assert_eq!(words[0].data["delivery_id"], json!(ids[2]), "that one is named");
        exactly(stage, &boss, WAITING, 2).await;
        stage.stop().await;
        stage.resume().await;
        exactly(stage, &officer, WAITING, 4).await;
        // From here on it is a new ladder for all three.
        stage.advance(Duration::from_mins(11));
        let words = exactly(stage, &officer, WAITING, 5).await;
        assert_eq!(words[0].data["count"], json!(3));
        assert_eq!(
            words[0].data["list"],
            json!(format!("/api/v1/deliveries?waits_for=person&account_id={}", outlet.id))
        );
        exactly(stage, &boss, WAITING, 2).await;
        stage.advance(Duration::from_mins(50));
        exactly(stage, &officer, WAITING, 6).await;
        exactly(stage, &boss, WAITING, 3).await;
        joins(stage, &ids[3]).await;
        exactly(stage, &officer, WAITING, 7).await;
        // Whatever joins within a moment is told of together.
        joins(stage, &ids[4]).await;
        joins(stage, &ids[5]).await;
        pass(Duration::from_millis(250)).await;
        stage.advance(Duration::from_mins(2));
        pass(Duration::from_millis(250)).await;
        let words = told(stage, &officer, WAITING).await.len();
        assert!((8..=9).contains(&words), "{words}");
        exactly(stage, &officer, WAITING, words).await;
        for id in &ids {
            deliveries::cancel(stage.acts(), &officer, id).await.unwrap();
        }
    }

    /// An ordinary post that will be missed before the next reminder.
    async fn what_will_be_missed_before_the_next_reminder_is_told_of_at_once(stage) {
        let officer = stage.caller().clone();
        let outlet = stage.outlet(Platform::X).await;
        let due = after(stage.now(), Duration::from_mins(70));
        let hours = Wanted::text("within hours").at(due);
        let soon = stage.deliver(&outlet, &hours).await;
        let ids = for_broken(stage, &outlet, &[("evergreen", 1)]).await;
        joins(stage, &ids[0]).await;
        for (count, minutes) in [(1, 0), (2, 11), (3, 51)] {
            stage.advance(Duration::from_mins(minutes));
            exactly(stage, &officer, WAITING, count).await;
        }
        joins(stage, &soon).await;
        let words = exactly(stage, &officer, WAITING, 4).await;
        assert_eq!(words[0].data["delivery_id"], json!(soon));
        fit(stage, &outlet).await;
    }

    /// The account is mended, and breaks again soon after: that is told of like the first time.
    async fn a_second_failure_is_told_of_like_the_first(stage) {
        let officer = stage.caller().clone();
        let outlet = stage.outlet(Platform::X).await;
        for count in 1..=2 {
            let ids = for_broken(stage, &outlet, &[("evergreen", 1)]).await;
            joins(stage, &ids[0]).await;
            exactly(stage, &officer, WAITING, count).await;
            fit(stage, &outlet).await;
            pass(Duration::from_millis(250)).await;
        }
    }
}
