//! People are told in the product: who, of what, until they have read it; and once of lateness.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::audit::NewEntry;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::notifications::{
    self, NotificationView, ReadUpTo, SettingsChange, SettingsView,
};
use chancery::service::{Caller, Error, Window, deliveries, people};
use chancery::simulator::{Kind as FaultKind, Platform, Problem};
use chancery::store::audit;
use serde_json::json;

use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};
use crate::webhooks::OPTIONS;

const WINDOW: Window = Window { limit: 200, after: None };

async fn inbox(stage: &Stage, caller: &Caller, unread: bool) -> Vec<NotificationView> {
    notifications::list(stage.acts(), caller, unread, &WINDOW).await.unwrap().items
}

/// Waits for so many notifications of the administrator.
async fn notified(stage: &Stage, count: usize) -> Vec<NotificationView> {
    eventually(&format!("{count} notifications"), async || {
        let seen = inbox(stage, stage.caller(), false).await;
        if seen.len() >= count { Ok(seen) } else { Err(seen.len()) }
    })
    .await
}

async fn refused(stage: &Stage, outlet: &Outlet, what: &str) -> DeliveryId {
    let problem = Problem::ReplyRule;
    stage.spoil(outlet, FaultKind::XProblem { problem, execute: false });
    let id = stage.deliver(outlet, &Wanted::text(what)).await;
    stage.until(&id, DeliveryState::Failed).await;
    id
}

async fn choose(
    stage: &Stage,
    seen: Option<i64>,
    change: serde_json::Value,
) -> Result<SettingsView, Error> {
    let change: SettingsChange = serde_json::from_value(change).unwrap();
    let done = notifications::change_settings(stage.acts(), stage.caller(), seen, change).await?;
    Ok(done.value)
}

/// A second administrator.
async fn second(stage: &Stage) -> Caller {
    let email = "binh.tran@mofa.example";
    people::create_administrator(stage.acts(), email, "Bình Trần", None).await.unwrap();
    let actor = people::at_the_console(stage.acts(), email).await.unwrap();
    Caller { actor, idempotency: None, request_id: "test".to_owned() }
}

staged! { with OPTIONS;
    async fn what_needs_somebody_is_there_until_it_is_read(stage) {
        let other = second(stage).await;
        let outlet = stage.outlet(Platform::X).await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("as it should be")).await).await;
        let mut failed = Vec::new();
        for number in 0..3 {
            failed.push(refused(stage, &outlet, &format!("refused {number}")).await);
        }
        let all = notified(stage, 3).await;
        // Newest first, and nothing of what is as it should be.
        let subjects: Vec<_> = all.iter().map(|it| it.data["delivery_id"].as_str().unwrap()).collect();
        let wanted: Vec<_> = failed.iter().rev().map(DeliveryId::as_str).collect();
        assert_eq!(subjects, wanted);
        assert!(all[0].text.starts_with("Bài không đăng được: A test"), "{}", all[0].text);
        let (acts, caller) = (stage.acts(), stage.caller());
        let marked = notifications::read_one(acts, caller, &all[0].id).await.unwrap().value;
        assert_eq!((marked.marked, marked.unread), (1, 2));
        let marked = notifications::read_one(acts, caller, &all[0].id).await.unwrap().value;
        assert_eq!((marked.marked, marked.unread), (0, 2));
        assert_eq!(inbox(stage, caller, true).await.len(), 2);
        // Another's are not mine to see or mark.
        assert_eq!(inbox(stage, &other, true).await.len(), 3);
        let theirs = inbox(stage, &other, true).await.remove(0).id;
        let hidden = notifications::read_one(acts, caller, &theirs).await.unwrap_err();
        assert!(matches!(hidden, Error::NotFound), "{hidden:?}");
        let up_to = ReadUpTo { up_to: all[1].id.clone() };
        let marked = notifications::read_up_to(acts, caller, &up_to.up_to).await.unwrap().value;
        assert_eq!((marked.marked, marked.unread), (2, 0));
        assert_eq!(inbox(stage, &other, true).await.len(), 3);
        assert_eq!(inbox(stage, caller, false).await.len(), 3);
        // By pages.
        let mut window = Window { limit: 2, after: None };
        let first = notifications::list(acts, &other, true, &window).await.unwrap();
        window.after = first.next;
        let rest = notifications::list(acts, &other, true, &window).await.unwrap();
        assert_eq!((first.items.len(), rest.items.len(), rest.next), (2, 1, None));
    }

    /// However many are told of in one millisecond: whoever reads up to one has read none after it.
    async fn what_is_told_together_is_told_in_order(stage) {
        let mut ids = Vec::new();
        for number in 0..12 {
            let outlet = stage.outlet(Platform::X).await;
            let due = after(stage.now(), Duration::from_hours(24));
            let wanted = Wanted::text(&format!("one of many {number}")).at(due);
            ids.push(stage.deliver(&outlet, &wanted).await);
        }
        let stuck = |id: &DeliveryId| NewEntry {
            actor: "engine".into(),
            action: "delivery.recall_stuck".into(),
            subject: id.to_string(),
            detail: json!({}),
        };
        let entries: Vec<NewEntry> = ids.iter().map(stuck).collect();
        let mut tx = stage.acts().store.begin().await.unwrap();
        audit::append(&mut tx, &entries, stage.now());
        tx.commit().await.unwrap();
        let all = notified(stage, 12).await;
        let told: Vec<_> = all.iter().map(|it| it.data["delivery_id"].as_str().unwrap()).collect();
        assert_eq!(told, ids.iter().rev().map(DeliveryId::as_str).collect::<Vec<_>>());
        let done = notifications::read_up_to(stage.acts(), stage.caller(), &all[4].id).await;
        assert_eq!(done.unwrap().value.marked, 8);
        let left = inbox(stage, stage.caller(), true).await;
        let left: Vec<_> = left.iter().map(|it| it.id.clone()).collect();
        assert_eq!(left, all[..4].iter().map(|it| it.id.clone()).collect::<Vec<_>>());
    }

    /// A token for some accounts shows and marks nothing of others.
    async fn a_token_for_one_account_hears_of_no_other(stage) {
        let outlets = [stage.outlet(Platform::X).await, stage.outlet(Platform::X).await];
        for outlet in &outlets {
            refused(stage, outlet, "of one account").await;
        }
        let all = notified(stage, 2).await;
        let mut limited = stage.caller().clone();
        limited.actor.accounts = Some([outlets[0].id.clone()].into());
        let own = inbox(stage, &limited, false).await;
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].account_id, Some(outlets[0].id.clone()));
        let foreign = all.iter().find(|it| it.account_id != own[0].account_id).unwrap();
        let hidden = notifications::read_one(stage.acts(), &limited, &foreign.id).await;
        assert!(matches!(hidden, Err(Error::NotFound)));
        let newest = &all[0].id;
        let marked = notifications::read_up_to(stage.acts(), &limited, newest).await.unwrap().value;
        assert_eq!((marked.marked, marked.unread), (1, 0));
        assert_eq!(inbox(stage, stage.caller(), true).await.len(), 1);
    }

    async fn a_person_chooses_what_to_hear_of(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let usual = notifications::settings(stage.acts(), stage.caller()).await.unwrap();
        assert_eq!((usual.version, usual.mail.len(), usual.mail_available), (0, 0, false));
        let events = json!({"inbox": ["delivery.published", "delivery.published"], "locale": "en"});
        let chosen = choose(stage, Some(0), events).await.unwrap();
        assert_eq!((chosen.version, chosen.inbox.len()), (1, 1));
        let stale = choose(stage, Some(0), json!({})).await.unwrap_err();
        assert!(matches!(stale, Error::Stale), "{stale:?}");
        refused(stage, &outlet, "not wanted").await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("wanted")).await).await;
        let all = notified(stage, 1).await;
        assert_eq!(all.len(), 1);
        assert!(all[0].text.starts_with("Published: A test"), "{}", all[0].text);
    }

    /// A platform lets an account wait: that is shown, and nobody is woken for it.
    async fn what_waits_for_a_reason_that_is_shown_is_not_late(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let until = after(stage.now(), Duration::from_mins(10)).as_millisecond();
        let blocked = |until: i64| {
            let sqlite = format!("UPDATE accounts SET blocked_until = {until}");
            let postgres = format!("UPDATE accounts SET blocked_until = to_timestamp({until} / 1000.0)");
            if stage.setting().database.url().starts_with("sqlite") { sqlite } else { postgres }
        };
        stage.setting().database.execute(&blocked(until)).await;
        let first = stage.deliver(&outlet, &Wanted::text("waits")).await;
        eventually("it waits", async || {
            let waits = stage.show(&first).await.delivery.waits_for.map(|it| it.code);
            if waits.as_deref() == Some("rate_limit") { Ok(()) } else { Err(waits.unwrap_or_default()) }
        })
        .await;
        let second = stage.deliver(&outlet, &Wanted::text("stands behind it")).await;
        stage.advance(Duration::from_mins(5));
        pass(Duration::from_millis(400)).await;
        assert_eq!(inbox(stage, stage.caller(), false).await.len(), 0);
        assert_eq!(stage.app.as_ref().unwrap().watch().oldest_due(), Duration::ZERO);
        stage.advance(Duration::from_mins(8));
        for id in [first, second] {
            stage.published(&id).await;
        }
    }

    /// Nothing says why it does not leave: people are told once when that begins and once when it ends,
    /// over a restart in between.
    async fn lateness_is_told_once_and_once_again_when_it_ends(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let claimed = "NEW.state = 'running' AND NEW.kind = 'publish'";
        stage.setting().database.refuse("UPDATE ON jobs", claimed).await;
        let id = stage.deliver(&outlet, &Wanted::text("late")).await;
        pass(Duration::from_millis(300)).await;
        assert_eq!(inbox(stage, stage.caller(), false).await.len(), 0);
        stage.advance(Duration::from_mins(2));
        let begun = notified(stage, 1).await;
        assert_eq!(begun[0].event.as_str(), "publishing.late");
        stage.stop().await;
        stage.resume().await;
        stage.advance(Duration::from_mins(1));
        pass(Duration::from_millis(400)).await;
        assert_eq!(inbox(stage, stage.caller(), false).await.len(), 1, "it was told twice");
        stage.setting().database.permit().await;
        stage.advance(Duration::from_mins(2));
        stage.published(&id).await;
        let ended = notified(stage, 2).await;
        assert_eq!(ended[0].event.as_str(), "publishing.on_time");
        pass(Duration::from_millis(300)).await;
        assert_eq!(inbox(stage, stage.caller(), false).await.len(), 2);
    }

    /// Whoever starts while it is half as late as when it began has not seen it begin.
    async fn a_process_that_starts_ends_nothing_that_another_still_sees(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let claimed = "NEW.state = 'running' AND NEW.kind = 'publish'";
        stage.setting().database.refuse("UPDATE ON jobs", claimed).await;
        let first = stage.deliver(&outlet, &Wanted::text("late")).await;
        stage.advance(Duration::from_secs(30));
        let second = stage.deliver(&outlet, &Wanted::text("half as late")).await;
        stage.advance(Duration::from_secs(45));
        let begun = notified(stage, 1).await;
        assert_eq!(begun[0].event.as_str(), "publishing.late");
        deliveries::cancel(stage.acts(), stage.caller(), &first).await.unwrap();
        for _ in 0..2 {
            pass(Duration::from_millis(400)).await;
            assert_eq!(inbox(stage, stage.caller(), false).await.len(), 1, "it is late still");
            stage.stop().await;
            stage.resume().await;
        }
        stage.setting().database.permit().await;
        stage.advance(Duration::from_secs(1));
        stage.published(&second).await;
        let ended = notified(stage, 2).await;
        assert_eq!(ended[0].event.as_str(), "publishing.on_time");
    }

    /// In doubt, and nobody is about to look; on its way, and nobody has it.
    async fn what_nobody_goes_on_with_is_told_once_and_once_again_when_it_ends(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let due = after(stage.now(), Duration::from_hours(24));
        let id = stage.deliver(&outlet, &Wanted::text("stuck").at(due)).await;
        let database = &stage.setting().database;
        let job = "SELECT id FROM jobs WHERE kind = 'publish'";
        assert_eq!(database.rows(job).await.len(), 1);
        for (round, state) in [(1, "unknown"), (2, "publishing")] {
            database.execute("UPDATE jobs SET unique_key = 'nobody' WHERE kind = 'publish'").await;
            let sql = format!("UPDATE deliveries SET state = '{state}', state_since = created_at");
            database.execute(&sql).await;
            stage.advance(Duration::from_mins(2));
            let begun = notified(stage, 2 * round - 1).await;
            assert_eq!(begun[0].event.as_str(), "deliveries.stuck");
            assert_eq!(begun[0].data["deliveries"], json!([id]));
            assert_eq!(stage.app.as_ref().unwrap().watch().stuck(), 1);
            pass(Duration::from_millis(300)).await;
            database.execute("UPDATE deliveries SET state = 'scheduled'").await;
            let own = format!("UPDATE jobs SET unique_key = 'publish:{id}' WHERE kind = 'publish'");
            database.execute(&own).await;
            let ended = notified(stage, 2 * round).await;
            assert_eq!(ended[0].event.as_str(), "deliveries.moving");
            assert_eq!(ended.len(), 2 * round, "once each");
        }
    }
}
