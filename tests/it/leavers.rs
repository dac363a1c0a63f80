//! Whoever may not schedule somewhere any more has nothing going out there by his word alone: it waits for
//! somebody who may, and he hears no more of it.

use std::time::Duration;

use chancery::clock::{after, before};
use chancery::domain::delivery::{Act, DeliveryState};
use chancery::domain::id::DeliveryId;
use chancery::domain::role::{Office, Role};
use chancery::service::people::{self, NewPerson, PersonChange, PersonChanged};
use chancery::service::{Caller, Window, deliveries};
use chancery::simulator::Platform;
use chancery::store::jobs::Holder;
use chancery::store::publishing::{self, Guard};
use chancery::store::roles;
use chancery::store::standing;
use jiff::Timestamp;
use serde_json::json;

use crate::reminders::{WAITING, exactly, told};
use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};
use crate::stops::{held_for, status};
use crate::webhooks::OPTIONS;

/// Somebody who publishes in the unit of this account.
pub(crate) async fn publisher(stage: &Stage, outlet: &Outlet) -> Caller {
    let unit_id = stage.account(outlet).await.unit_id;
    let (email, name) = ("lan.pham@mofa.example".to_owned(), "Lan Phạm".to_owned());
    let roles = vec![Office { unit_id, role: Role::Publisher, ends_at: None }];
    let new = NewPerson { email: email.clone(), name, roles };
    people::create(stage.acts(), stage.caller(), new).await.unwrap();
    let actor = people::at_the_console(stage.acts(), &email).await.unwrap();
    Caller { actor, idempotency: None, request_id: "test".to_owned() }
}

/// Leaves her these roles.
pub(crate) async fn leave(
    stage: &Stage,
    who: &Caller,
    outlet: &Outlet,
    role: Option<Role>,
) -> PersonChanged {
    let unit_id = stage.account(outlet).await.unit_id;
    let roles = role.map(|role| Office { unit_id, role, ends_at: None }).into_iter().collect();
    let change = PersonChange { roles: Some(roles), ..PersonChange::default() };
    let id = &who.actor.person_id;
    people::change(stage.acts(), stage.caller(), id, None, change).await.unwrap().value
}

async fn release(stage: &Stage, id: &DeliveryId) {
    let release = json!({"deliveries": [{"id": id, "act": "release"}]});
    let release = serde_json::from_value(release).unwrap();
    deliveries::review(stage.acts(), stage.caller(), release).await.unwrap();
}

/// The node of the stage, to guard by its hand.
async fn holder(stage: &Stage) -> Holder {
    let rows = stage.setting().database.rows("SELECT id, CAST(fence AS TEXT) FROM nodes").await;
    Holder { node: rows[0][0].parse().unwrap(), fence: rows[0][1].parse().unwrap() }
}

/// A guard at an instant, of what is due until another.
fn guard(now: Timestamp, horizon: Timestamp, holder: &Holder) -> Guard<'_> {
    let repeat_since = before(horizon, Duration::from_hours(24));
    Guard { now, token_until: horizon, horizon, repeat_since, today: "2026-01-01", holder }
}

/// The deliveries that wait for this person.
async fn own(stage: &Stage, caller: &Caller) -> Vec<DeliveryId> {
    let filter = deliveries::Filter { mine: true, ..deliveries::Filter::default() };
    let window = Window { limit: 200, after: None };
    let listed = deliveries::list(stage.acts(), caller, filter, &window).await.unwrap();
    listed.items.into_iter().map(|it| it.id).collect()
}

staged! { with OPTIONS;
    async fn what_a_leaver_has_scheduled_waits_for_somebody_who_may(stage) {
        let [page, user] = stage.both().await;
        let lan = publisher(stage, &page).await;
        let due = after(stage.now(), Duration::from_hours(2));
        let wanted = |what: &str| Wanted::text(what).at(due);
        let two_parts = wanted("released").comment("and its comment");
        let mut hers = stage.deliver_as(&lan, &page, &two_parts).await;
        hers.extend(stage.deliver_as(&lan, &user, &wanted("left alone")).await);
        let mine = stage.deliver(&user, &wanted("of somebody who stays")).await;
        // She goes on seeing what is there.
        leave(stage, &lan, &page, Some(Role::Reader)).await;

        // Long before it is due, and somebody who may decide is told.
        stage.advance(Duration::from_secs(5));
        for id in &hers {
            let shown = held_for(stage, id, "review").await;
            let owners: Vec<_> = shown.waits_for.unwrap().owners.into_iter().map(|it| it.name).collect();
            assert_eq!(owners, ["An Nguyễn"]);
            assert_eq!(shown.acts, [Act::Cancel, Act::Reschedule, Act::Review]);
        }
        assert_eq!(own(stage, stage.caller()).await.len(), 3);
        assert_eq!(own(stage, &lan).await, []);
        eventually("an administrator is told", async || {
            let seen = told(stage, stage.caller(), WAITING).await.len();
            if seen > 0 { Ok(()) } else { Err(seen) }
        })
        .await;

        // Let go, it goes out when it was to go out, and no sooner.
        release(stage, &hers[0]).await;
        let shown = stage.show(&hers[0]).await.delivery;
        assert_eq!((shown.state, shown.due_at), (DeliveryState::Scheduled, due));
        let me = stage.caller().actor.label();
        assert_eq!(shown.created_by, me, "he has taken it over");
        let part = stage.show(&hers[1]).await.delivery;
        assert_eq!((part.state, part.due_at, part.created_by), (DeliveryState::Scheduled, due, me), "and what follows it");
        stage.advance(Duration::from_hours(2));
        for id in [&hers[0], &hers[1], &mine] {
            stage.published(id).await;
        }
        assert_eq!((stage.made(&page), stage.made(&user)), (2, 1));
        // What nobody decides about ends like everything that is late, and she does not hear of it.
        stage.advance(Duration::from_hours(24));
        stage.until(&hers[2], DeliveryState::Missed).await;
        exactly(stage, stage.caller(), "delivery.missed", 1).await;
        assert_eq!(told(stage, &lan, "delivery.missed").await.len(), 0);
        assert_eq!(told(stage, &lan, WAITING).await.len(), 0);
    }

    /// Without anybody who has looked before: a role may end in the moment in which something is due.
    async fn the_guard_asks_whether_the_scheduler_still_may(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let lan = publisher(stage, &outlet).await;
        let due = after(stage.now(), Duration::from_hours(2));
        let id = stage.deliver_as(&lan, &outlet, &Wanted::text("guarded").at(due)).await.remove(0);
        let holder = holder(stage).await;
        let guard = guard(before(due, Duration::from_secs(10)), due, &holder);
        let unit_id = stage.account(&outlet).await.unit_id;
        let (who, now) = (&lan.actor.person_id, stage.now());
        let office = |role, ends_at| Office { unit_id: unit_id.clone(), role, ends_at };
        for (role, ends_at, passes) in [
            (Role::Publisher, None, true),
            (Role::Administrator, None, true),
            (Role::Author, None, false),
            (Role::Publisher, Some(now), false),
            // It is guarded before, and leaves when it is due.
            (Role::Publisher, Some(due), false),
        ] {
            // Nobody else sees any of it.
            let mut tx = stage.acts().store.begin().await.unwrap();
            roles::take(&mut tx, who, &office(Role::Publisher, None)).await.unwrap();
            roles::give(&mut tx, who, &office(role, ends_at), who, now).await.unwrap();
            let ids = std::slice::from_ref(&id);
            let standing = standing::standing(&mut tx, ids, &guard).await.unwrap();
            assert_eq!(standing[0].unvouched, !passes, "{role} {ends_at:?}");
            let guarded = publishing::guard(&mut tx, ids, &guard).await.unwrap();
            assert_eq!(guarded.len(), usize::from(passes), "{role} {ends_at:?}");
        }
    }

    /// It would go out by itself once its account is mended.
    async fn what_is_held_for_something_else_waits_for_a_review_too(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let lan = publisher(stage, &outlet).await;
        let due = after(stage.now(), Duration::from_mins(2));
        let id = stage.deliver_as(&lan, &outlet, &Wanted::text("held").at(due)).await.remove(0);
        status(stage, &outlet, "paused").await;
        stage.advance(Duration::from_mins(2));
        held_for(stage, &id, "account").await;
        leave(stage, &lan, &outlet, None).await;
        stage.advance(Duration::from_mins(2));
        held_for(stage, &id, "review").await;
        // From then on the guard has nothing new to say of it.
        let holder = holder(stage).await;
        let guard = guard(due, due, &holder);
        let mut tx = stage.acts().store.begin().await.unwrap();
        let standing = standing::standing(&mut tx, std::slice::from_ref(&id), &guard).await.unwrap();
        drop(tx);
        assert!(standing[0].unvouched && standing[0].in_review);
        status(stage, &outlet, "connected").await;
        stage.advance(Duration::from_mins(2));
        pass(Duration::from_millis(300)).await;
        held_for(stage, &id, "review").await;
        release(stage, &id).await;
        stage.published(&id).await;
    }

    /// Whether a role has ended is said by the clock, and after a start nobody knows whether that is right.
    async fn a_clock_that_nobody_vouches_for_makes_nobody_a_leaver(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let lan = publisher(stage, &outlet).await;
        let due = after(stage.now(), Duration::from_hours(2));
        let id = stage.deliver_as(&lan, &outlet, &Wanted::text("in time").at(due)).await.remove(0);
        stage.stop().await;
        stage.platforms_leave().await;
        stage.setting().database.execute("UPDATE roles SET ends_at = given_at").await;
        stage.resume().await;
        stage.advance(Duration::from_secs(5));
        pass(Duration::from_millis(300)).await;
        assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Scheduled);
        stage.platforms_return().await;
        stage.advance(Duration::from_secs(5));
        held_for(stage, &id, "review").await;
    }
}

mod at_the_gate {
    use super::*;

    staged! {
        with &[("CHANCERY_PUBLISH__LOOKAHEAD", "40s"), ("CHANCERY_PUBLISH__LEASE", "120s")];

        /// It is guarded already and waits for its instant: once he is shut out it does not leave.
        async fn what_a_leaver_has_at_the_gate_is_taken_back(stage) {
            let outlet = stage.outlet(Platform::X).await;
            let lan = publisher(stage, &outlet).await;
            let wanted = Wanted::text("at the gate").at(after(stage.now(), Duration::from_secs(38)));
            let id = stage.deliver_as(&lan, &outlet, &wanted).await.remove(0);
            stage.until(&id, DeliveryState::Publishing).await;
            let change = PersonChange { disabled: Some(true), ..PersonChange::default() };
            let who = &lan.actor.person_id;
            let shut = people::change(stage.acts(), stage.caller(), who, None, change).await.unwrap();
            assert_eq!(shut.value.in_flight, []);
            stage.advance(Duration::from_mins(2));
            held_for(stage, &id, "review").await;
            assert_eq!(stage.creates(&outlet), []);
        }
    }
}
