//! Holds: what they stop, that they say so, and that nothing of the gap goes out by itself afterwards.

use std::time::Duration;

use chancery::clock::{after, until};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::hold::HoldState;
use chancery::domain::id::{DeliveryId, HoldId};
use chancery::service::deliveries::{self, DeliveryView};
use chancery::service::holds::{self, HoldView, Placed};
use chancery::service::{Error, accounts};
use chancery::simulator::{Kind, Operation, Platform};
use serde_json::{Value, json};

use crate::stage::{Outlet, Stage, Wanted, eventually, now, on, pass, staged};

/// Places a hold.
pub(crate) async fn place(stage: &Stage, hold: Value) -> Placed {
    let new = serde_json::from_value(hold).unwrap();
    holds::place(stage.acts(), stage.caller(), new).await.unwrap().value
}

/// A hold on everything.
pub(crate) fn everything() -> Value {
    json!({"scope": {"all": true}, "reason": "An accident"})
}

/// Lifts a hold.
pub(crate) async fn lift(stage: &Stage, id: &HoldId) -> HoldView {
    holds::lift(stage.acts(), stage.caller(), id).await.unwrap().value
}

/// Waits until a delivery is held and waits for this.
pub(crate) async fn held_for(stage: &Stage, id: &DeliveryId, code: &str) -> DeliveryView {
    eventually(&format!("{id} waits for {code}"), async || {
        let shown = stage.show(id).await.delivery;
        let there = shown.waits_for.as_ref().is_some_and(|it| it.code == code);
        if shown.state == DeliveryState::Held && there {
            return Ok(shown);
        }
        Err(format!("{} {:?}", shown.state, shown.waits_for))
    })
    .await
}

async fn review(stage: &Stage, verdicts: Value) -> Result<Vec<DeliveryView>, Error> {
    let review = serde_json::from_value(json!({"deliveries": verdicts})).unwrap();
    let done = deliveries::review(stage.acts(), stage.caller(), review).await?;
    Ok(done.value.deliveries)
}

/// Switches an account off or on.
pub(crate) async fn status(stage: &Stage, outlet: &Outlet, status: &str) {
    let change = serde_json::from_value(json!({"status": status})).unwrap();
    accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change).await.unwrap();
}

staged! {
    /// Stopped, shown with its reason, not sent when the hold is lifted, and sent once when a person
    /// says so. A class that stays open goes out meanwhile.
    async fn what_was_due_meanwhile_waits_for_a_person(stage) {
        let [one, other] = stage.both().await;
        let mut hold = everything();
        hold["except"] = json!(["urgent"]);
        let placed = place(stage, hold).await;
        assert_eq!((placed.hold.state, placed.in_flight), (HoldState::Active, Vec::new()));
        let id = stage.deliver(&one, &Wanted::text("stopped")).await;
        let alert = stage.deliver(&other, &Wanted::text("an alert").class("urgent")).await;
        stage.published(&alert).await;
        let shown = held_for(stage, &id, "hold").await;
        assert_eq!(shown.hold_id.as_ref(), Some(&placed.hold.id));
        let why = shown.waits_for.unwrap().detail;
        assert!(why.contains("An accident") && why.contains(placed.hold.id.as_str()), "{why}");
        let stands = review(stage, json!([{"id": id, "act": "release"}])).await;
        assert!(matches!(&stands, Err(Error::Invalid(all)) if all[0].code == "hold_stands"));

        let lifted = lift(stage, &placed.hold.id).await;
        assert_eq!((lifted.state, lifted.waiting), (HoldState::Lifted, 1));
        held_for(stage, &id, "review").await;
        pass(Duration::from_millis(400)).await;
        assert_eq!(stage.creates(&one).len(), 0, "it went out by itself");
        let released = review(stage, json!([{"id": id, "act": "release"}])).await.unwrap();
        assert_eq!((released[0].hold_id.as_ref(), released[0].released_at.is_some()), (None, true));
        let shown = stage.published(&id).await;
        assert_eq!((shown.delivery.attempt_count, stage.creates(&one).len()), (1, 1));
    }

    /// What a hold has caught waits for a person even if it no longer belongs to what was held.
    async fn what_moves_out_of_a_hold_is_reviewed_all_the_same(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let account = outlet.id.to_string();
        let placed =
            place(stage, json!({"scope": {"account_id": account}, "reason": "An accident"})).await;
        let id = stage.deliver(&outlet, &Wanted::text("caught")).await;
        held_for(stage, &id, "hold").await;
        let other = stage.outlet(Platform::X).await;
        let sql = format!(
            "UPDATE holds SET account_id = '{}' WHERE id = '{}'", other.id, placed.hold.id
        );
        stage.setting().database.execute(&sql).await;
        lift(stage, &placed.hold.id).await;
        held_for(stage, &id, "review").await;
        pass(Duration::from_millis(400)).await;
        assert_eq!(stage.creates(&outlet).len(), 0, "it went out by itself");
        review(stage, json!([{"id": id, "act": "release"}])).await.unwrap();
        stage.published(&id).await;
    }

    /// Once a hold was answered no further picture of what it covers is brought.
    async fn a_hold_ends_the_bringing_of_pictures(stage) {
        for outlet in stage.both().await {
            let mut wanted = Wanted::text("with pictures");
            for number in [61, 62] {
                wanted = wanted.picture(&stage.picture(number).await.0, "Quốc kỳ");
            }
            for ms in [600, 1] {
                let slow = on(&outlet, Operation::Upload, Kind::HangAfter { ms });
                stage.world().faults().push(slow);
            }
            let id = stage.deliver(&outlet, &wanted).await;
            let waiting = || stage.world().faults().waiting().len();
            eventually("the first is on its way", async || {
                if waiting() == 1 { Ok(()) } else { Err(waiting()) }
            })
            .await;
            let placed = place(stage, everything()).await;
            pass(Duration::from_millis(900)).await;
            assert_eq!(waiting(), 1, "a picture was brought after the answer");
            held_for(stage, &id, "hold").await;
            stage.world().faults().clear();
            lift(stage, &placed.hold.id).await;
            held_for(stage, &id, "review").await;
            review(stage, json!([{"id": id, "act": "release"}])).await.unwrap();
            stage.published(&id).await;
        }
    }

    /// What is still before its instant when the hold is lifted was never touched by it; one that was
    /// caught within the look-ahead goes on by itself.
    async fn what_is_not_yet_due_goes_on(stage) {
        let [one, other] = stage.both().await;
        let placed = place(stage, everything()).await;
        let due = after(stage.now(), Duration::from_hours(1));
        let id = stage.deliver(&one, &Wanted::text("later").at(due)).await;
        let near = after(due, Duration::from_hours(1));
        let caught = stage.deliver(&other, &Wanted::text("in the look-ahead").at(near)).await;
        stage.advance(Duration::from_mins(59));
        lift(stage, &placed.hold.id).await;
        stage.advance(Duration::from_mins(1));
        stage.published(&id).await;
        assert_eq!(stage.show(&id).await.delivery.hold_id, None);
        // Longer ahead of the instant than any guard: the state is written past the service.
        let second = place(stage, everything()).await.hold.id;
        let sql = format!(
            "UPDATE deliveries SET state = 'held', hold_id = '{second}' WHERE id = '{caught}'"
        );
        stage.setting().database.execute(&sql).await;
        lift(stage, &second).await;
        stage.until(&caught, DeliveryState::Scheduled).await;
        assert_eq!(stage.show(&caught).await.delivery.hold_id, None);
        stage.advance(Duration::from_hours(1));
        stage.published(&caught).await;
    }

    /// An end that was said counts as a lift: nobody need be awake for it.
    async fn a_hold_ends_by_itself_and_nothing_of_the_gap_goes_out(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let mut hold = everything();
        let end = after(stage.now(), Duration::from_mins(10));
        hold["ends_at"] = json!(end.to_string());
        let placed = place(stage, hold).await;
        let id = stage.deliver(&outlet, &Wanted::text("in the gap")).await;
        held_for(stage, &id, "hold").await;
        let after_it = after(end, Duration::from_mins(1));
        let later = stage.deliver(&outlet, &Wanted::text("behind it").at(after_it)).await;
        stage.advance(Duration::from_mins(10));
        held_for(stage, &id, "review").await;
        let shown = holds::show(stage.acts(), stage.caller(), &placed.hold.id).await.unwrap();
        assert_eq!((shown.state, shown.waiting, shown.lifted_at), (HoldState::Lifted, 1, None));
        let again = holds::lift(stage.acts(), stage.caller(), &placed.hold.id).await;
        assert!(matches!(again, Err(Error::Conflict(told)) if told.code == "hold_over"));
        stage.advance(Duration::from_mins(1));
        stage.published(&later).await;
        assert_eq!(stage.creates(&outlet).len(), 1);
    }

    async fn what_nobody_releases_is_missed_when_it_is_late(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let placed = place(stage, everything()).await;
        let late = after(stage.now(), Duration::from_mins(3));
        let wanted = Wanted::text("nobody came").publish_by(late);
        let id = stage.deliver(&outlet, &wanted).await;
        held_for(stage, &id, "hold").await;
        lift(stage, &placed.hold.id).await;
        held_for(stage, &id, "review").await;
        stage.advance(Duration::from_mins(4));
        stage.until(&id, DeliveryState::Missed).await;
        let shown = stage.show(&id).await.delivery;
        assert_eq!(shown.hold_id, Some(placed.hold.id), "what it was missed for");
        assert_eq!(stage.creates(&outlet).len(), 0);
    }

    /// An account that could not publish comes back after the hold: what was due meanwhile does not
    /// go out by that way either.
    async fn an_account_that_comes_back_releases_nothing_of_a_gap(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let due = after(stage.now(), Duration::from_hours(1));
        let id = stage.deliver(&outlet, &Wanted::text("paused, then stopped").at(due)).await;
        status(stage, &outlet, "paused").await;
        stage.advance(Duration::from_hours(1));
        held_for(stage, &id, "account").await;
        let placed = place(stage, everything()).await;
        lift(stage, &placed.hold.id).await;
        status(stage, &outlet, "connected").await;
        held_for(stage, &id, "review").await;
        status(stage, &outlet, "paused").await;
        status(stage, &outlet, "connected").await;
        pass(Duration::from_millis(300)).await;
        held_for(stage, &id, "review").await;
        assert_eq!(stage.creates(&outlet).len(), 0);
    }

    /// Two holds at once: the one that stands longer is the one to wait for.
    async fn the_lift_of_one_hold_is_not_the_lift_of_another(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let first = place(stage, everything()).await.hold.id;
        let id = stage.deliver(&outlet, &Wanted::text("twice stopped")).await;
        held_for(stage, &id, "hold").await;
        let own = json!({"scope": {"account_id": outlet.id}, "reason": "A second one"});
        let second = place(stage, own).await.hold.id;
        lift(stage, &first).await;
        eventually("the other hold is named", async || {
            let shown = stage.show(&id).await.delivery;
            let named = shown.hold_id.as_ref() == Some(&second);
            if named { Ok(()) } else { Err(format!("{:?}", shown.hold_id)) }
        })
        .await;
        held_for(stage, &id, "hold").await;
        lift(stage, &second).await;
        held_for(stage, &id, "review").await;
        assert_eq!(stage.creates(&outlet).len(), 0);
    }

    /// Moved and dropped, singly and together with others; cancelling works as ever.
    async fn a_review_moves_and_drops_too(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let placed = place(stage, everything()).await;
        let mut ids = Vec::new();
        for word in ["moved", "dropped", "cancelled"] {
            let id = stage.deliver(&outlet, &Wanted::text(word)).await;
            held_for(stage, &id, "hold").await;
            ids.push(id);
        }
        deliveries::cancel(stage.acts(), stage.caller(), &ids[2]).await.unwrap();
        lift(stage, &placed.hold.id).await;
        held_for(stage, &ids[1], "review").await;
        let later = after(stage.now(), Duration::from_hours(2));
        let verdicts = json!([
            {"id": ids[1], "act": "drop"},
            {"id": ids[0], "act": "reschedule", "at": later.to_string()},
        ]);
        let done = review(stage, verdicts).await.unwrap();
        assert_eq!((&done[0].id, done[0].state), (&ids[1], DeliveryState::Cancelled));
        assert_eq!(done[0].problem.as_ref().unwrap().code, "dropped");
        assert_eq!((done[1].state, done[1].due_at), (DeliveryState::Scheduled, later));
        stage.advance(Duration::from_hours(2));
        stage.published(&ids[0]).await;
        assert_eq!(stage.creates(&outlet).len(), 1);
    }
}

staged! {
    with &[("CHANCERY_PUBLISH__CATCH_UP_SPACING", "30s")];
    /// However it is released, what is released for one account goes out with space between.
    async fn what_is_released_is_no_burst(stage) {
        let [one, other] = stage.both().await;
        let placed = place(stage, everything()).await;
        let mut ids = Vec::new();
        for number in 0..4 {
            let id = stage.deliver(&one, &Wanted::text(&format!("number {number}"))).await;
            held_for(stage, &id, "hold").await;
            ids.push(id);
        }
        let elsewhere = stage.deliver(&other, &Wanted::text("elsewhere")).await;
        held_for(stage, &elsewhere, "hold").await;
        lift(stage, &placed.hold.id).await;
        held_for(stage, &elsewhere, "review").await;
        held_for(stage, &ids[3], "review").await;
        let release = |id: &DeliveryId| json!({"id": id, "act": "release"});
        let verdicts = json!([release(&ids[0]), release(&elsewhere), release(&ids[1])]);
        let mut released = review(stage, verdicts).await.unwrap();
        assert_eq!(released[1].due_at, released[0].due_at, "another account need not wait");
        released.remove(1);
        stage.published(&ids[0]).await;
        for id in &ids[2..] {
            released.extend(review(stage, json!([release(id)])).await.unwrap());
        }
        let spans: Vec<Duration> =
            released.windows(2).map(|two| until(two[0].due_at, two[1].due_at)).collect();
        assert_eq!(spans, [Duration::from_secs(30); 3]);
        assert_eq!(stage.creates(&one).len(), 1, "the second is not due yet");
        stage.advance(Duration::from_mins(2));
        for id in &ids {
            stage.published(id).await;
        }
    }

    /// What the spacing would push beyond its latest useful time is told, and nothing is released.
    async fn what_does_not_fit_is_told_before_anything_is_released(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let placed = place(stage, everything()).await;
        let late = after(now(), Duration::from_secs(50));
        let mut ids = Vec::new();
        for number in 0..3 {
            let wanted = Wanted::text(&format!("tight {number}")).publish_by(late);
            let id = stage.deliver(&outlet, &wanted).await;
            held_for(stage, &id, "hold").await;
            ids.push(id);
        }
        lift(stage, &placed.hold.id).await;
        held_for(stage, &ids[2], "review").await;
        let verdicts: Vec<Value> =
            ids.iter().map(|id| json!({"id": id, "act": "release"})).collect();
        let refused = review(stage, json!(verdicts)).await;
        let Err(Error::Invalid(faults)) = refused else { panic!("{refused:?}") };
        let told: Vec<_> = faults.iter().map(|it| (it.pointer.as_str(), it.code)).collect();
        assert_eq!(told.last(), Some(&("/deliveries/2/id", "release_does_not_fit")), "{told:?}");
        for id in &ids {
            held_for(stage, id, "review").await;
        }
    }
}
