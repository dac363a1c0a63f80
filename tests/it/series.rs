//! Series: what comes again is made once however many look, never late, and never against what a person has decided.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, PostId, SeriesId};
use chancery::service::deliveries;
use chancery::service::posts;
use chancery::service::series::{self, Became, OccurrenceView, SeriesChanged, SeriesView};
use chancery::service::{Caller, Window};
use chancery::simulator::Platform;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::leavers::{leave, publisher};
use crate::reminders::{exactly, told};
use crate::stage::{Database, Outlet, Stage, Wanted, eventually, pass, staged};
use crate::webhooks::OPTIONS;

const HOUR: Duration = Duration::from_hours(1);

/// Every hour, half an hour from now at first.
fn hourly(stage: &Stage) -> String {
    let now = stage.now().to_zoned(TimeZone::UTC);
    format!("{} * * * *", (now.minute() + 30) % 60)
}

async fn begin(stage: &Stage, caller: &Caller, post: &PostId, outlet: &Outlet) -> SeriesChanged {
    let new = json!({
        "post_id": post, "cron": hourly(stage), "time_zone": "UTC",
        "accounts": [{"account_id": outlet.id, "language": "en"}],
    });
    let new = serde_json::from_value(new).unwrap();
    series::create(stage.acts(), caller, new).await.unwrap().value
}

async fn show(stage: &Stage, id: &SeriesId) -> SeriesView {
    series::show(stage.acts(), stage.caller(), id).await.unwrap()
}

async fn change(stage: &Stage, id: &SeriesId, change: Value) -> SeriesChanged {
    let change = serde_json::from_value(change).unwrap();
    series::change(stage.acts(), stage.caller(), id, None, change).await.unwrap().value
}

/// What was made and missed so far, the earliest first; the judge looks at all of it.
async fn dates(stage: &Stage, id: &SeriesId) -> Vec<OccurrenceView> {
    let window = Window { limit: 200, after: None };
    let page = series::dates(stage.acts(), stage.caller(), id, &window).await.unwrap();
    let mut items = page.items;
    items.reverse();
    stage.know(items.iter().filter_map(|one| one.delivery_id.clone()));
    items
}

/// The deliveries that are to come, once there are so many.
async fn ahead(stage: &Stage, id: &SeriesId, count: usize) -> Vec<DeliveryId> {
    eventually(&format!("{count} made ahead"), async || {
        let mut all = dates(stage, id).await;
        all.retain(|one| one.state == Some(DeliveryState::Scheduled));
        if all.len() == count {
            Ok(all.into_iter().filter_map(|one| one.delivery_id).collect())
        } else {
            Err(all.len())
        }
    })
    .await
}

/// What every delivery of the post says and when, whoever has made it.
async fn due(stage: &Stage, post: &PostId) -> Vec<String> {
    let sql = format!(
        "SELECT CAST(due_at AS TEXT) FROM deliveries WHERE post_id = '{post}' AND state <> 'cancelled'"
    );
    stage.setting().database.rows(&sql).await.into_iter().map(|row| row[0].clone()).collect()
}

async fn says(stage: &Stage, post: &PostId, text: &str) {
    let change = json!({"variants": [{"language": "en", "text": text}]});
    let change = serde_json::from_value(change).unwrap();
    posts::change(stage.acts(), stage.caller(), post, None, change).await.unwrap();
}

staged! { with OPTIONS;
    async fn each_date_is_made_once_by_two_nodes_and_after_a_restart(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        // A file has one process.
        let second = match &stage.setting().database {
            Database::Sqlite { .. } => None,
            Database::Postgres { .. } => Some(stage.another(&[]).await),
        };
        let post = stage.write(&Wanted::text("every hour")).await;
        let id = begin(stage, stage.caller(), &post, &outlet).await.series.id;
        let first = ahead(stage, &id, 50).await;
        assert_eq!(stage.show(&first[0]).await.delivery.created_by, stage.caller().actor.person_id.to_string());
        for round in 1..=3 {
            // Both look at once, with the row of the series as it was.
            stage.setting().database.execute("UPDATE series SET look_at = created_at").await;
            stage.advance(HOUR);
            stage.published(&first[round - 1]).await;
            ahead(stage, &id, 50).await;
        }
        if let Some(second) = second {
            assert!(second.stop().await);
        }
        stage.stop().await;
        stage.resume().await;
        stage.setting().database.execute("UPDATE series SET look_at = created_at").await;
        stage.advance(HOUR);
        stage.published(&first[3]).await;
        ahead(stage, &id, 50).await;
        let due = due(stage, &post).await;
        let once: BTreeSet<&String> = due.iter().collect();
        assert_eq!((due.len(), once.len(), stage.made(&outlet)), (54, 54, 4));
    }

    async fn what_a_person_has_cancelled_or_moved_stays_so(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let post = stage.write(&Wanted::text("every hour")).await;
        let id = begin(stage, stage.caller(), &post, &outlet).await.series.id;
        let made = ahead(stage, &id, 50).await;
        deliveries::cancel(stage.acts(), stage.caller(), &made[0]).await.unwrap();
        let later = after(stage.now(), HOUR * 3);
        let to = serde_json::from_value(json!({"at": later.to_string()})).unwrap();
        deliveries::reschedule(stage.acts(), stage.caller(), &made[1], None, to).await.unwrap();
        // A change takes back the rest and makes it anew, in the name of whoever changes it.
        let changed = change(stage, &id, json!({"until": "2099-12-31"})).await;
        assert_eq!((changed.back.taken_back, changed.back.under_way), (48, 0));
        let anew = ahead(stage, &id, 49).await;
        assert!(anew.contains(&made[1]) && !anew.contains(&made[2]), "{anew:?}");
        assert_eq!(stage.show(&made[2]).await.delivery.state, DeliveryState::Cancelled);
        let became: Vec<_> = dates(stage, &id).await.into_iter().take(3).map(|it| (it.became, it.state)).collect();
        let scheduled = Some(DeliveryState::Scheduled);
        let cancelled = Some(DeliveryState::Cancelled);
        assert_eq!(became, [(Became::Made, cancelled), (Became::Moved, scheduled), (Became::Made, scheduled)]);
        // What was due while it paused does not come later.
        let paused = change(stage, &id, json!({"paused": true})).await;
        assert_eq!((paused.back.taken_back, paused.series.next.len()), (48, 0));
        stage.advance(HOUR * 4);
        stage.published(&made[1]).await;
        pass(Duration::from_millis(300)).await;
        assert_eq!((stage.made(&outlet), ahead(stage, &id, 0).await), (1, vec![]));
        change(stage, &id, json!({"paused": false})).await;
        assert_eq!(ahead(stage, &id, 50).await.len(), 50);
        assert_eq!(told(stage, stage.caller(), "series.missed").await.len(), 0);
        let (back, _) = series::end(stage.acts(), stage.caller(), &id, None).await.unwrap();
        assert_eq!((back.taken_back, stage.made(&outlet)), (50, 1));
    }

    async fn the_new_text_goes_out_unless_a_person_has_moved_it(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let old = Wanted::text("as it was");
        let post = stage.write(&old).await;
        let id = begin(stage, stage.caller(), &post, &outlet).await.series.id;
        let made = ahead(stage, &id, 50).await;
        let later = after(stage.now(), Duration::from_mins(90));
        let to = serde_json::from_value(json!({"at": later.to_string()})).unwrap();
        deliveries::reschedule(stage.acts(), stage.caller(), &made[1], None, to).await.unwrap();
        let new = Wanted::text("as it is").text;
        says(stage, &post, &new).await;
        stage.advance(Duration::from_secs(6));
        stage.until(&made[0], DeliveryState::Cancelled).await;
        let anew = ahead(stage, &id, 50).await;
        stage.advance(HOUR);
        assert_eq!(stage.published(&anew[0]).await.content.text, new);
        stage.advance(HOUR);
        assert_eq!(stage.published(&made[1]).await.content.text, old.text);
    }

    /// Somebody who has left schedules nothing any more; whoever changes the series takes it over.
    async fn what_cannot_be_scheduled_is_told_once(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let lan = publisher(stage, &outlet).await;
        let post = stage.write(&Wanted::text("hers")).await;
        let id = begin(stage, &lan, &post, &outlet).await.series.id;
        let made = ahead(stage, &id, 50).await;
        leave(stage, &lan, &outlet, None).await;
        stage.setting().database.execute("UPDATE units SET approval = 'one'").await;
        for minutes in [30, 30, 30] {
            stage.advance(Duration::from_mins(minutes));
            pass(Duration::from_millis(200)).await;
        }
        let stuck = eventually("it is stuck", async || {
            let stuck = show(stage, &id).await.stuck;
            if stuck.is_empty() { Err("not stuck") } else { Ok(stuck) }
        })
        .await;
        assert_eq!(stuck[0].code, "series_unvouched");
        let first = exactly(stage, stage.caller(), "series.stuck", 1).await;
        assert_eq!((&first[0].data["code"], &first[0].data["series_id"]), (&json!("series_unvouched"), &json!(id)));
        let change_it = change(stage, &id, json!({})).await;
        assert_eq!(change_it.warnings.iter().map(|it| it.code.as_str()).collect::<Vec<_>>(), ["series_unapproved"]);
        let told = exactly(stage, stage.caller(), "series.stuck", 2).await;
        assert_eq!(told[0].data["code"], json!("approval_required"));
        stage.advance(Duration::from_mins(3));
        exactly(stage, stage.caller(), "series.stuck", 2).await;
        assert_eq!(stage.made(&outlet), 0);
        stage.setting().database.execute("UPDATE units SET approval = 'none'").await;
        stage.advance(Duration::from_mins(2));
        let his = ahead(stage, &id, 50).await;
        assert!(!his.iter().any(|it| made.contains(it)));
        assert_eq!(show(stage, &id).await.stuck, []);
    }
}

mod missed {
    use super::*;

    const SHORT: &[(&str, &str)] =
        &[("CHANCERY_SERIES__AHEAD", "1h"), ("CHANCERY_NOTIFY__POLL_INTERVAL", "20ms")];

    staged! { with SHORT;
        async fn what_passes_while_nobody_works_is_told_and_not_sent_late(stage) {
            let outlet = stage.outlet(Platform::Facebook).await;
            let post = stage.write(&Wanted::text("every hour")).await;
            let id = begin(stage, stage.caller(), &post, &outlet).await.series.id;
            let first = ahead(stage, &id, 1).await.remove(0);
            stage.stop().await;
            stage.advance(HOUR * 7);
            stage.resume().await;
            stage.until(&first, DeliveryState::Missed).await;
            let next = ahead(stage, &id, 1).await.remove(0);
            let missed: Vec<_> = dates(stage, &id).await.into_iter().map(|it| it.became).collect();
            let (made, lost) = (Became::Made, Became::Missed);
            assert_eq!(missed, [made, lost, lost, lost, lost, lost, lost, made]);
            let told = exactly(stage, stage.caller(), "series.missed", 1).await;
            assert_eq!(told[0].data["count"], json!(6));
            stage.advance(HOUR);
            stage.published(&next).await;
            assert_eq!(stage.made(&outlet), 1);
        }

        /// The law of a zone has changed since: its wall shows what was made at another instant.
        async fn a_law_that_moves_the_clocks_makes_nothing_twice(stage) {
            let outlet = stage.outlet(Platform::Facebook).await;
            let post = stage.write(&Wanted::text("every hour")).await;
            let helper = stage.deliver(&outlet, &Wanted::text("x").at(after(stage.now(), HOUR * 2))).await;
            let id = begin(stage, stage.caller(), &post, &outlet).await.series.id;
            let first = ahead(stage, &id, 1).await.remove(0);
            let at = format!("(SELECT due_at FROM deliveries WHERE id = '{helper}')");
            let database = &stage.setting().database;
            database.execute(&format!("UPDATE occurrences SET due_at = {at}")).await;
            database.execute(&format!("UPDATE deliveries SET due_at = {at} WHERE id = '{first}'")).await;
            database.execute("UPDATE series SET look_at = created_at").await;
            stage.advance(Duration::from_secs(10));
            pass(Duration::from_millis(500)).await;
            assert_eq!(due(stage, &post).await.len(), 1);
            // What is flagged waits for a person, as everything that was said by a wall.
            stage.advance(HOUR);
            eventually("the change is noticed", async || {
                let shown = stage.show(&first).await.delivery;
                if shown.zone_change.is_some() { Ok(()) } else { Err(shown.state.to_string()) }
            })
            .await;
        }
    }
}
