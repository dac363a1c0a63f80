//! Many questions that come at once, as after a restore, are told of together: once, with their number, and
//! none of them is forgotten or told of twice.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::audit::NewEntry;
use chancery::domain::id::DeliveryId;
use chancery::domain::waiting::Party;
use chancery::service::deliveries::{self, Filter};
use chancery::service::{Window, webhooks};
use chancery::simulator::Platform;
use chancery::store::audit;
use serde_json::json;

use crate::receiver::{Hook, Mood};
use crate::reminders::{WAITING, colleague, exactly};
use crate::stage::{Outlet, Stage, Wanted, pass, staged};
use crate::webhooks::OPTIONS;

const ASKS: &str = "delivery.needs_human";
const CHANGED: &str = "delivery.zone_changed";

/// Deliveries of this class that are still to come.
async fn planned(
    stage: &Stage,
    outlet: &Outlet,
    class: &'static str,
    count: usize,
) -> Vec<DeliveryId> {
    let due = after(stage.now(), Duration::from_hours(24 * 20));
    let mut ids = Vec::new();
    for number in 0..count {
        let wanted = Wanted::text(&format!("{class} {number}")).class(class).at(due);
        ids.push(stage.deliver(outlet, &wanted).await);
    }
    ids
}

/// All of these become questions of this kind, in one transaction.
async fn become_questions(stage: &Stage, ids: &[DeliveryId], event: &str) {
    let now = stage.now().as_millisecond();
    let (becomes, code) =
        if event == ASKS { ("needs_human", "person") } else { ("scheduled", "time_zone") };
    let since = if stage.setting().database.url().starts_with("sqlite") {
        now.to_string()
    } else {
        format!("to_timestamp({now} / 1000.0)")
    };
    let entry = |id: &DeliveryId| NewEntry {
        actor: "engine".into(),
        action: event.into(),
        subject: id.to_string(),
        detail: json!({}),
    };
    let listed: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let sql = format!(
        r#"UPDATE deliveries SET state = '{becomes}', state_since = {since},
           waits_for = '{{"code":"{code}","detail":"it may be out"}}' WHERE id IN ({})"#,
        listed.join(", ")
    );
    stage.setting().database.execute(&sql).await;
    let entries: Vec<NewEntry> = ids.iter().map(entry).collect();
    let mut tx = stage.acts().store.begin().await.unwrap();
    audit::append(&mut tx, &entries, stage.now());
    tx.commit().await.unwrap();
}

/// How many deliveries wait for a person.
async fn open(stage: &Stage) -> usize {
    let filter = Filter { waits_for: Some(Party::Person), ..Filter::default() };
    let window = Window { limit: 200, after: None };
    deliveries::list(stage.acts(), stage.caller(), filter, &window).await.unwrap().items.len()
}

async fn enter(stage: &Stage, hook: &Hook) {
    let new = json!({"url": hook.url(), "events": [ASKS]});
    let new = serde_json::from_value(new).unwrap();
    webhooks::create(stage.acts(), stage.caller(), new).await.unwrap();
}

/// Time passes in steps, as it does for leases.
async fn wait(stage: &Stage, minutes: u64) {
    stage.advance(Duration::from_mins(minutes));
    pass(Duration::from_millis(250)).await;
}

staged! { with OPTIONS;
    /// Seven at one account are one word, five at another are five: for people, for programs, and again
    /// on the ladder; over a restart.
    async fn many_questions_at_once_are_one_word(stage) {
        let boss = colleague(stage).await;
        let officer = stage.caller().clone();
        let hook = Hook::start(Mood::Answer(204)).await;
        enter(stage, &hook).await;
        let (crowded, other) = (stage.outlet(Platform::X).await, stage.outlet(Platform::X).await);
        let many = planned(stage, &crowded, "routine", 7).await;
        let few = planned(stage, &other, "routine", 5).await;
        become_questions(stage, &[many.clone(), few.clone()].concat(), ASKS).await;
        for caller in [&officer, &boss] {
            let words = exactly(stage, caller, ASKS, 6).await;
            let (groups, singles): (Vec<_>, Vec<_>) =
                words.iter().partition(|it| it.data["delivery_id"].is_null());
            assert_eq!((groups.len(), singles.len()), (1, 5));
            let (group, list) = (groups[0], "/api/v1/deliveries?waits_for=person&account_id=");
            assert_eq!(group.account_id.as_ref(), Some(&crowded.id));
            assert_eq!(group.data["count"], json!(7));
            assert_eq!(group.data["list"], json!(format!("{list}{}", crowded.id)));
            assert!(group.text.contains("7 bài"), "{}", group.text);
            for one in singles {
                assert!(few.iter().any(|id| one.data["delivery_id"] == json!(id)), "{one:?}");
            }
            exactly(stage, caller, WAITING, 0).await;
        }
        assert_eq!(hook.told().len(), 6, "programs hear of the seven once, whoever else does");
        assert_eq!(open(stage).await, 12);
        stage.stop().await;
        stage.resume().await;
        exactly(stage, &officer, ASKS, 6).await;
        wait(stage, 11).await;
        exactly(stage, &officer, WAITING, 6).await;
        exactly(stage, &boss, WAITING, 0).await;
        wait(stage, 50).await;
        exactly(stage, &officer, WAITING, 12).await;
        exactly(stage, &boss, WAITING, 6).await;
        exactly(stage, &boss, ASKS, 6).await;
        for id in many.iter().chain(&few) {
            deliveries::give_up(stage.acts(), &officer, id).await.unwrap();
        }
        pass(Duration::from_millis(250)).await;
        wait(stage, 60 * 25).await;
        exactly(stage, &officer, WAITING, 12).await;
        exactly(stage, &officer, ASKS, 6).await;
    }

    /// Alone each of them would have been told of at once: an ordinary one is within the first wait of
    /// the ladder, an urgent one within a moment, by name.
    async fn questions_that_join_are_told_of_soon(stage) {
        let boss = colleague(stage).await;
        let officer = stage.caller().clone();
        let outlet = stage.outlet(Platform::X).await;
        let many = planned(stage, &outlet, "routine", 8).await;
        let urgent = planned(stage, &outlet, "urgent", 1).await;
        become_questions(stage, &many[..6], ASKS).await;
        exactly(stage, &officer, ASKS, 1).await;
        wait(stage, 2).await;
        become_questions(stage, &many[6..], ASKS).await;
        exactly(stage, &officer, ASKS, 1).await;
        become_questions(stage, &urgent, ASKS).await;
        // Whatever has come meanwhile is told of with it.
        let words = exactly(stage, &officer, ASKS, 2).await;
        assert_eq!(words[0].data["count"], json!(3));
        exactly(stage, &boss, ASKS, 2).await;
        wait(stage, 9).await;
        let words = exactly(stage, &officer, WAITING, 1).await;
        assert_eq!(words[0].data["count"], json!(9));
        exactly(stage, &officer, ASKS, 2).await;
        // The same one is asked about again.
        become_questions(stage, &many[..1], ASKS).await;
        exactly(stage, &officer, ASKS, 2).await;
        wait(stage, 11).await;
        let words = exactly(stage, &officer, ASKS, 3).await;
        assert_eq!(words[0].data["delivery_id"], json!(many[0]));
        exactly(stage, &boss, ASKS, 3).await;
        assert_eq!(open(stage).await, 9);
    }

    async fn many_times_that_mean_another_instant_are_one_word(stage) {
        let boss = colleague(stage).await;
        let officer = stage.caller().clone();
        let (crowded, other) = (stage.outlet(Platform::X).await, stage.outlet(Platform::X).await);
        let many = planned(stage, &crowded, "routine", 6).await;
        let few = planned(stage, &other, "routine", 2).await;
        become_questions(stage, &[many.clone(), few].concat(), CHANGED).await;
        for caller in [&officer, &boss] {
            let words = exactly(stage, caller, CHANGED, 3).await;
            let groups: Vec<_> =
                words.iter().filter(|it| it.data["delivery_id"].is_null()).collect();
            assert_eq!(groups.len(), 1);
            assert_eq!((&groups[0].data["count"], &groups[0].data["account_id"]), (&json!(6), &json!(crowded.id)));
        }
        wait(stage, 11).await;
        exactly(stage, &officer, WAITING, 2).await;
        exactly(stage, &boss, WAITING, 0).await;
        // One of them becomes a question of another kind, alone: that is told of by itself.
        become_questions(stage, &many[..1], ASKS).await;
        let words = exactly(stage, &officer, ASKS, 1).await;
        assert_eq!(words[0].data["delivery_id"], json!(many[0]));
        exactly(stage, &officer, CHANGED, 3).await;
    }
}
