//! Whoever may not schedule somewhere any more has nothing going out there by his word alone: it waits for
//! somebody who may, and he hears no more of it.

use std::time::Duration;

use chancery::clock::{after, before};
use chancery::domain::delivery::{Act, DeliveryState};
use chancery::domain::id::{DeliveryId, NodeId};
use chancery::domain::role::{Office, Role};
use chancery::service::people::{self, NewPerson, PersonChange};
use chancery::service::{Caller, Window, deliveries};
use chancery::simulator::Platform;
use chancery::store::jobs::Holder;
use chancery::store::publishing::{self, Guard};
use serde_json::json;

use crate::reminders::{WAITING, exactly, told};
use crate::stage::{Outlet, Stage, Wanted, eventually, staged};
use crate::stops::held_for;
use crate::webhooks::OPTIONS;

/// Somebody who publishes in the unit of this account.
async fn publisher(stage: &Stage, outlet: &Outlet) -> Caller {
    let unit_id = stage.account(outlet).await.unit_id;
    let (email, name) = ("lan.pham@mofa.example".to_owned(), "Lan Phạm".to_owned());
    let roles = vec![Office { unit_id, role: Role::Publisher, ends_at: None }];
    let new = NewPerson { email: email.clone(), name, roles };
    people::create(stage.acts(), stage.caller(), new).await.unwrap();
    let actor = people::at_the_console(stage.acts(), &email).await.unwrap();
    Caller { actor, idempotency: None, request_id: "test".to_owned() }
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
        let mut hers = Vec::new();
        for (outlet, what) in [(&page, "released"), (&user, "left alone")] {
            hers.push(stage.deliver_as(&lan, outlet, &wanted(what)).await);
        }
        let mine = stage.deliver(&user, &wanted("of somebody who stays")).await;
        let nothing = PersonChange { roles: Some(Vec::new()), ..PersonChange::default() };
        let id = &lan.actor.person_id;
        people::change(stage.acts(), stage.caller(), id, None, nothing).await.unwrap();

        // Long before it is due, and somebody who may decide is told.
        stage.advance(Duration::from_secs(5));
        for id in &hers {
            let shown = held_for(stage, id, "review").await;
            let owners: Vec<_> = shown.waits_for.unwrap().owners.into_iter().map(|it| it.name).collect();
            assert_eq!(owners, ["An Nguyễn"]);
            assert_eq!(shown.acts, [Act::Cancel, Act::Reschedule, Act::Review]);
        }
        assert_eq!(own(stage, stage.caller()).await.len(), 2);
        eventually("an administrator is told", async || {
            let seen = told(stage, stage.caller(), WAITING).await.len();
            if seen > 0 { Ok(()) } else { Err(seen) }
        })
        .await;

        // Let go, it goes out when it was to go out, and no sooner.
        let release = json!({"deliveries": [{"id": hers[0], "act": "release"}]});
        let release = serde_json::from_value(release).unwrap();
        deliveries::review(stage.acts(), stage.caller(), release).await.unwrap();
        let shown = stage.show(&hers[0]).await.delivery;
        assert_eq!((shown.state, shown.due_at), (DeliveryState::Scheduled, due));
        assert_eq!(shown.created_by, stage.caller().actor.label(), "he has taken it over");
        stage.advance(Duration::from_hours(2));
        stage.published(&hers[0]).await;
        stage.published(&mine).await;
        assert_eq!((stage.made(&page), stage.made(&user)), (1, 1));
        // What nobody decides about ends like everything that is late, and she does not hear of it.
        stage.advance(Duration::from_hours(24));
        stage.until(&hers[1], DeliveryState::Missed).await;
        exactly(stage, stage.caller(), "delivery.missed", 1).await;
        assert_eq!(told(stage, &lan, "delivery.missed").await.len(), 0);
        assert_eq!(told(stage, &lan, WAITING).await.len(), 0);
    }

    /// Without anybody who has looked before: a role may end in the moment in which something is due.
    async fn the_guard_asks_whether_the_scheduler_still_may(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let lan = publisher(stage, &outlet).await;
        let due = after(stage.now(), Duration::from_hours(2));
        let id = stage.deliver_as(&lan, &outlet, &Wanted::text("guarded").at(due)).await;
        let database = &stage.setting().database;
        let node = database.rows("SELECT id, CAST(fence AS TEXT) FROM nodes").await.remove(0);
        let node_id: NodeId = node[0].parse().unwrap();
        let holder = Holder { node: node_id, fence: node[1].parse().unwrap() };
        let guard = Guard {
            now: due,
            token_until: due,
            horizon: due,
            repeat_since: before(due, Duration::from_hours(24)),
            today: "2026-01-01",
            holder: &holder,
        };
        for (change, passes) in [
            ("ends_at = NULL", true),
            ("ends_at = given_at", false),
            ("ends_at = NULL, role = 'author'", false),
            ("role = 'administrator'", true),
        ] {
            database.execute(&format!("UPDATE roles SET {change}")).await;
            let mut tx = stage.acts().store.begin().await.unwrap();
            let ids = std::slice::from_ref(&id);
            let standing = publishing::standing(&mut tx, ids, &guard).await.unwrap();
            assert_eq!(standing[0].unvouched, !passes, "{change}");
            let guarded = publishing::guard(&mut tx, ids, &guard).await.unwrap();
            assert_eq!(guarded.len(), usize::from(passes), "{change}");
        }
    }
}
