//! No state is silent: each says what it waits for, since when, until when, who is responsible and what
//! one can do; and the list finds what waits for whom.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::actor::{Scope, Scopes};
use chancery::domain::delivery::{Act, DeliveryState};
use chancery::domain::id::DeliveryId;
use chancery::domain::role::{Reach, Role};
use chancery::domain::waiting::{Cause, Party};
use chancery::service::deliveries::{self, DeliveryView, Filter, WaitsForView};
use chancery::service::{Caller, Window, people};
use chancery::simulator::Platform;

use crate::stage::{Stage, Wanted, staged};
use crate::stops::{everything, held_for, lift, place};

async fn falsify(stage: &Stage, id: &DeliveryId, change: &str) {
    let sql = format!("UPDATE deliveries SET {change} WHERE id = '{id}'");
    stage.setting().database.execute(&sql).await;
}

async fn listed(stage: &Stage, caller: &Caller, filter: Filter) -> Vec<DeliveryView> {
    let window = Window { limit: 200, after: None };
    deliveries::list(stage.acts(), caller, filter, &window).await.unwrap().items
}

async fn waiting(stage: &Stage, caller: &Caller, party: Party) -> Vec<DeliveryId> {
    let filter = Filter { waits_for: Some(party), ..Filter::default() };
    listed(stage, caller, filter).await.into_iter().map(|it| it.id).collect()
}

async fn own(stage: &Stage, caller: &Caller) -> Vec<DeliveryId> {
    let filter = Filter { mine: true, ..Filter::default() };
    listed(stage, caller, filter).await.into_iter().map(|it| it.id).collect()
}

fn names(wait: &WaitsForView) -> Vec<&str> {
    wait.owners.iter().map(|it| it.name.as_str()).collect()
}

/// Another administrator.
async fn colleague(stage: &Stage) -> Caller {
    let email = "binh.tran@mofa.example";
    people::create_administrator(stage.acts(), email, "Bình Trần", None).await.unwrap();
    let actor = people::at_the_console(stage.acts(), email).await.unwrap();
    Caller { actor, idempotency: None, request_id: "test".to_owned() }
}

staged! {
    /// Also those that nobody reaches yet: whoever adds a state or a way into one finds this here.
    async fn every_state_that_is_not_the_end_says_all_of_it(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let due = after(stage.now(), Duration::from_hours(2));
        let id = stage.deliver(&outlet, &Wanted::text("says all").at(due)).await;
        for &state in DeliveryState::ALL {
            falsify(stage, &id, &format!("state = '{state}', waits_for = NULL")).await;
            let shown = stage.show(&id).await.delivery;
            let list = listed(stage, stage.caller(), Filter::default()).await;
            assert_eq!(list[0].waits_for, shown.waits_for, "{state}");
            let Some(cause) = Cause::usual(state) else {
                assert!(state.is_final() && shown.waits_for.is_none(), "{state}");
                continue;
            };
            let wait = shown.waits_for.unwrap();
            assert_eq!((wait.code.as_str(), wait.party), (cause.as_str(), cause.party()));
            assert!(!wait.title.vi.is_ascii() && wait.title.en.is_ascii(), "{state}");
            assert!(!wait.detail.is_empty(), "{state}");
            assert!(wait.since <= stage.now() && wait.until > wait.since, "{state}: {wait:?}");
            let by_itself = state != DeliveryState::Unknown;
            assert_eq!(wait.next_look_at.is_some(), by_itself, "{state}: its job is to publish");
            let person = wait.party == Party::Person;
            assert_eq!(names(&wait), [if person { "An Nguyễn" } else { "the service" }], "{state}");
            assert_eq!(wait.owners[0].id.is_some(), person, "{state}");
            let moves = matches!(state, DeliveryState::Publishing | DeliveryState::Unknown);
            assert_eq!(shown.acts.is_empty(), moves, "{state}: {:?}", shown.acts);
            let parties = [Party::Person, Party::Service];
            for party in parties {
                let found = waiting(stage, stage.caller(), party).await;
                // Nothing is held without saying why, so that this need not be looked for.
                if state != DeliveryState::Held {
                    assert_eq!(found.contains(&id), party == wait.party, "{state}: {party}");
                }
            }
        }
        falsify(stage, &id, "state = 'scheduled', waits_for = NULL").await;
    }

    /// What a hold has caught is its author's; somebody else's only when he has left.
    async fn what_waits_for_a_person_is_found_by_that_person(stage) {
        let other = colleague(stage).await;
        let [page, user] = stage.both().await;
        let placed = place(stage, everything()).await;
        let id = stage.deliver(&page, &Wanted::text("caught")).await;
        let due = after(stage.now(), Duration::from_hours(2));
        let later = stage.deliver(&user, &Wanted::text("later").at(due)).await;
        let shown = held_for(stage, &id, "hold").await;
        assert_eq!(shown.acts, [Act::Cancel, Act::Reschedule, Act::Review]);
        lift(stage, &placed.hold.id).await;
        let wait = held_for(stage, &id, "review").await.waits_for.unwrap();
        assert_eq!(names(&wait), ["An Nguyễn"]);
        assert_eq!((wait.party, wait.until), (Party::Person, shown.publish_by));
        let me = stage.caller();
        assert_eq!(waiting(stage, me, Party::Person).await, std::slice::from_ref(&id));
        assert_eq!(waiting(stage, me, Party::Service).await, [later]);
        assert_eq!(own(stage, me).await, std::slice::from_ref(&id));
        assert_eq!(own(stage, &other).await, []);

        let left = format!("UPDATE people SET disabled_at = created_at WHERE id = '{}'", me.actor.person_id);
        stage.setting().database.execute(&left).await;
        let wait = stage.show(&id).await.delivery.waits_for.unwrap();
        assert_eq!(names(&wait), ["Bình Trần"]);
        assert_eq!(own(stage, &other).await, std::slice::from_ref(&id));
        let back = "UPDATE people SET disabled_at = NULL";
        stage.setting().database.execute(back).await;

        // Only an administrator can let a restored database send again.
        falsify(stage, &id, r#"waits_for = '{"code":"quarantine","detail":""}'"#).await;
        let wait = stage.show(&id).await.delivery.waits_for.unwrap();
        assert_eq!(names(&wait), ["An Nguyễn", "Bình Trần"]);
        assert_eq!(own(stage, &other).await, std::slice::from_ref(&id));
        let mut plain = other.clone();
        plain.actor.administrator = false;
        let mut reach = Reach::default();
        reach.add(stage.account(&page).await.unit_id, Some(page.id.clone()), Role::Reader);
        plain.actor.reach = std::sync::Arc::new(reach);
        plain.actor.scopes = Scopes::Only([Scope::DeliveriesRead].into());
        assert_eq!(own(stage, &plain).await, []);
        let seen = deliveries::show(stage.acts(), &plain, &id).await.unwrap();
        assert_eq!(seen.delivery.acts, [], "he may only look");
    }
}
