//! Holds on both databases: what each scope covers, that the guard heeds it, and what a review may
//! change afterwards.

use std::time::Duration;

use chancery::clock::{Clock as _, SystemClock, after};
use chancery::domain::account::{Account, CredentialKind};
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::budget::{money_scope, month_of};
use chancery::domain::class::Class;
use chancery::domain::delivery::{DeliveryProblem, DeliveryState};
use chancery::domain::hold::{Hold, HoldScope, HoldState, Lift};
use chancery::domain::id::{AttemptId, DeliveryId, HoldId, JobId, NodeId, PersonId};
use chancery::domain::work;
use chancery::store::holds::{self, Filter};
use chancery::store::jobs::{self, Holder, NewJob};
use chancery::store::publishing::{self, Guard, Intent};
use chancery::store::recalls::{self, Answer};
use chancery::store::standing::{self, Stop};
use chancery::store::{
    self, Store, Tx, accounts, budgets, credentials, deliveries, nodes, outcomes, review, units,
};
use jiff::Timestamp;
use serde_json::json;

use crate::database::{Fresh, both};
use crate::planned::{World, at, delivery, now, seed, unit};

const DUE: &str = "2026-09-02T02:00:00Z";

fn person(number: u128) -> PersonId {
    PersonId::new(now(), number)
}

fn hold(number: u128, scope: HoldScope) -> Hold {
    Hold {
        id: HoldId::new(now(), number),
        scope,
        except: Vec::new(),
        reason: "Tai nạn".into(),
        ends_at: None,
        lift_needs: 1,
        lifts: Vec::new(),
        lifted_at: None,
        version: 1,
        created_by: person(1),
        created_at: now(),
    }
}

async fn place(store: &Store, hold: &Hold) {
    let mut tx = store.begin().await.unwrap();
    publishing::stand_still(&mut tx).await.unwrap();
    holds::insert(&mut tx, hold).await.unwrap();
    tx.commit().await.unwrap();
}

/// A hold that is lifted at once, so that the next one is looked at alone.
async fn place_for(tx: &mut Tx, ids: &[&DeliveryId], hold: &Hold) -> Vec<DeliveryId> {
    holds::insert(tx, hold).await.unwrap();
    let mut found = holds::stopped(tx, ids, now()).await.unwrap();
    found.sort();
    let lifted = Hold { lifted_at: Some(now()), ..hold.clone() };
    holds::update_lifts(tx, &lifted, 1).await.unwrap();
    assert!(holds::stopped(tx, ids, now()).await.unwrap().is_empty(), "it was lifted");
    found
}

/// One delivery of the first post to the first account, and one of the second to the second, which
/// belongs to a unit below that of both posts.
async fn two(store: &Store, world: &World) -> [DeliveryId; 2] {
    let child = unit(2, Some(&world.unit));
    let moved = Account { unit_id: child.id.clone(), version: 2, ..world.accounts[1].clone() };
    let one = delivery(1, &world.posts[0], &world.accounts[0], DUE);
    let mut other = delivery(12, &world.posts[1], &world.accounts[1], DUE);
    (other.class, other.platform) = (Class::Urgent, "elsewhere".into());
    let mut tx = store.begin().await.unwrap();
    units::insert(&mut tx, &child).await.unwrap();
    accounts::update(&mut tx, &moved, 1).await.unwrap();
    deliveries::insert(&mut tx, &[&one, &other]).await.unwrap();
    tx.commit().await.unwrap();
    [one.id, other.id]
}

async fn node(tx: &mut Tx) -> Holder {
    let node = NodeId::new(now(), 1);
    let fence = nodes::register(tx, &node, "test", now()).await.unwrap();
    Holder { node, fence }
}

fn guard(holder: &Holder, now: Timestamp) -> Guard<'_> {
    let today = "2026-09-02";
    Guard { now, horizon: now, token_until: now, repeat_since: now, today, holder }
}

fn job(id: &DeliveryId, due_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(now(), 1),
        kind: work::PUBLISH,
        unique_key: work::publish_key(id),
        slot: "slot".into(),
        payload: json!({}),
        priority: 1,
        due_at,
    }
}

async fn credential(tx: &mut Tx, account: &Account) {
    let kept = credentials::Credential {
        account_id: account.id.clone(),
        kind: CredentialKind::PageToken,
        version: 1,
        key_id: "k".into(),
        sealed: vec![1],
        refresh: None,
        expires_at: None,
        updated_at: now(),
    };
    credentials::put(tx, &kept).await.unwrap();
}

both! {
    async fn each_scope_covers_what_it_says_and_nothing_else(fresh) {
        let world = seed(&fresh.store).await;
        let [one, other] = two(&fresh.store, &world).await;
        let child = unit(2, Some(&world.unit)).id;
        let foreign = unit(3, None);
        let all = [one.clone(), other.clone()];
        let rows = [
            (HoldScope::All, all.to_vec()),
            (HoldScope::Platform("elsewhere".into()), vec![other.clone()]),
            (HoldScope::Platform("nowhere".into()), vec![]),
            (HoldScope::Unit(world.unit.id.clone()), all.to_vec()),
            (HoldScope::Unit(child), vec![other.clone()]),
            (HoldScope::Unit(foreign.id.clone()), vec![]),
            (HoldScope::Account(world.accounts[0].id.clone()), vec![one.clone()]),
            (HoldScope::Campaign("camp_2".into()), vec![other.clone()]),
            (HoldScope::Campaign("camp_1".into()), vec![]),
            (HoldScope::Class(Class::Urgent), vec![other.clone()]),
            (HoldScope::Class(Class::Statement), vec![]),
        ];
        let mut tx = fresh.store.begin().await.unwrap();
        units::insert(&mut tx, &foreign).await.unwrap();
        let asked: Vec<&DeliveryId> = all.iter().collect();
        for (number, (scope, covered)) in (10..).zip(rows) {
            let placed = hold(number, scope.clone());
            assert_eq!(place_for(&mut tx, &asked, &placed).await, covered, "{scope:?}");
            let kept = holds::find(&mut tx, &placed.id).await.unwrap().unwrap();
            assert_eq!((kept.hold.scope, kept.waiting), (scope, 0));
        }
        let except = vec![Class::Routine, Class::Evergreen];
        let open = Hold { except, ..hold(30, HoldScope::All) };
        assert_eq!(place_for(&mut tx, &asked, &open).await, std::slice::from_ref(&other));
    }

    async fn the_guard_lets_nothing_through_that_was_due_before_the_end_of_a_hold(fresh) {
        let world = seed(&fresh.store).await;
        let [one, other] = two(&fresh.store, &world).await;
        let mut tx = fresh.store.begin().await.unwrap();
        let holder = node(&mut tx).await;
        for account in &world.accounts {
            credential(&mut tx, account).await;
        }
        tx.commit().await.unwrap();
        let first = hold(1, HoldScope::Account(world.accounts[0].id.clone()));
        place(&fresh.store, &first).await;
        let both = [one.clone(), other.clone()];
        let mut tx = fresh.store.begin().await.unwrap();
        let (due, later) = (at(DUE), after(at(DUE), Duration::from_mins(1)));
        let let_in = publishing::guard(&mut tx, &both, &guard(&holder, due)).await.unwrap();
        assert_eq!(let_in, std::slice::from_ref(&other));
        let why = standing::standing(&mut tx, &both[..1], &guard(&holder, due)).await.unwrap();
        let stop = Stop { hold_id: Some(first.id.clone()), hold_reason: Some("Tai nạn".into()), ..Stop::default() };
        assert_eq!(why[0].stop, stop);
        // Lifted a minute later it still covers what was due before, and no more what is due then.
        let lift = |at| Hold { lifted_at: Some(at), lifts: vec![Lift { person_id: person(2), at }], ..first.clone() };
        holds::update_lifts(&mut tx, &lift(later), 1).await.unwrap();
        let stale = holds::update_lifts(&mut tx, &lift(later), 1).await;
        assert!(matches!(stale, Err(store::Error::Stale)), "{stale:?}");
        let let_in = publishing::guard(&mut tx, &both[..1], &guard(&holder, later)).await.unwrap();
        assert_eq!(let_in, []);
        let why = standing::standing(&mut tx, &both[..1], &guard(&holder, later)).await.unwrap();
        assert_eq!(why[0].stop.hold_until.0, Some(later));
        assert_eq!(holds::find(&mut tx, &first.id).await.unwrap().unwrap().hold.lifts, lift(later).lifts);
        tx.commit().await.unwrap();
        let mut raw = fresh.raw().await;
        let ms = later.as_millisecond();
        let sets = match &raw {
            crate::database::Raw::Sqlite(_) => format!("due_at = {ms}"),
            crate::database::Raw::Postgres(_) => format!("due_at = '{later}'"),
        };
        raw.execute(&format!("UPDATE deliveries SET {sets} WHERE id = '{one}'")).await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        let let_in = publishing::guard(&mut tx, &both[..1], &guard(&holder, later)).await.unwrap();
        assert_eq!(let_in, [one]);
    }

    async fn what_is_on_its_way_is_known_until_its_process_has_said_so(fresh) {
        let world = seed(&fresh.store).await;
        let [one, other] = two(&fresh.store, &world).await;
        let mut tx = fresh.store.begin().await.unwrap();
        let holder = node(&mut tx).await;
        for account in &world.accounts {
            credential(&mut tx, account).await;
        }
        let both = [one.clone(), other.clone()];
        let due = at(DUE);
        let let_in = publishing::guard(&mut tx, &both, &guard(&holder, due)).await.unwrap();
        assert_eq!(let_in.len(), 2);
        let intents = [0, 1].map(|place| Intent {
            id: AttemptId::new(now(), place as u128),
            delivery_id: both[place].clone(),
            account_id: world.accounts[place].id.clone(),
            number: 1,
            fingerprint: "f".into(),
            high_water: None,
            cost: None,
        });
        publishing::open(&mut tx, &intents, &holder, due).await.unwrap();
        assert_eq!(holds::newest(&mut tx).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let placed = hold(1, HoldScope::Platform("elsewhere".into()));
        place(&fresh.store, &placed).await;
        let mut tx = fresh.store.begin().await.unwrap();
        let [covered] = holds::covered(&mut tx, &placed.id).await.unwrap().try_into().unwrap();
        assert_eq!((&covered.delivery_id, covered.since, covered.confirmed), (&other, due, false));
        let here = holds::covered_at(&mut tx, &holder.node).await.unwrap();
        let attempt = intents[1].id.clone();
        assert_eq!(here, [(other.clone(), attempt.clone())]);
        assert!(holds::covered_at(&mut tx, &NodeId::new(now(), 9)).await.unwrap().is_empty());
        let newest = holds::newest(&mut tx).await.unwrap();
        assert_eq!(holds::unheeded(&mut tx, &placed.id, now()).await.unwrap(), 1);
        assert_eq!(holds::unheeded(&mut tx, &placed.id, after(now(), Duration::from_mins(1))).await.unwrap(), 0, "long gone");
        holds::confirm(&mut tx, &holder.node, holder.fence + 1, newest).await.unwrap();
        assert!(!holds::covered(&mut tx, &placed.id).await.unwrap()[0].confirmed, "another fence");
        holds::confirm(&mut tx, &holder.node, holder.fence, newest).await.unwrap();
        assert!(holds::covered(&mut tx, &placed.id).await.unwrap()[0].confirmed);
        assert_eq!(holds::unheeded(&mut tx, &placed.id, now()).await.unwrap(), 0);
        assert!(recalls::withdraw(&mut tx, (&other, &attempt), due, due).await.unwrap());
        assert!(holds::covered(&mut tx, &placed.id).await.unwrap().is_empty());
    }

    async fn what_another_process_has_is_asked_for_and_answered(fresh) {
        let world = seed(&fresh.store).await;
        let new = [0, 1].map(|place| delivery(place, &world.posts[0], &world.accounts[place as usize], DUE));
        let ids = new.each_ref().map(|one| one.id.clone());
        let due = at(DUE);
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        let holder = node(&mut tx).await;
        for account in &world.accounts {
            credential(&mut tx, account).await;
        }
        assert_eq!(publishing::guard(&mut tx, &ids, &guard(&holder, due)).await.unwrap().len(), 2);
        let intents = [0, 1].map(|place| Intent {
            id: AttemptId::new(now(), place as u128),
            delivery_id: ids[place].clone(),
            account_id: world.accounts[place].id.clone(),
            number: 1,
            fingerprint: "f".into(),
            high_water: None,
            cost: (place == 0).then_some(15_000),
        });
        publishing::open(&mut tx, &intents, &holder, due).await.unwrap();
        let taken = &ids[0];
        let another = AttemptId::new(now(), 77);
        let attempt = recalls::open(&mut tx, taken).await.unwrap().unwrap();
        assert_eq!(recalls::answer(&mut tx, &attempt).await.unwrap(), Answer::None);
        assert!(recalls::asked(&mut tx, &holder.node).await.unwrap().is_empty());
        for intent in &intents {
            recalls::ask(&mut tx, &intent.id).await.unwrap();
        }
        let both = [0, 1].map(|place| (ids[place].clone(), intents[place].id.clone()));
        assert_eq!(recalls::asked(&mut tx, &holder.node).await.unwrap(), both);
        assert!(recalls::asked(&mut tx, &NodeId::new(now(), 9)).await.unwrap().is_empty());
        recalls::refuse(&mut tx, &intents[1].id).await.unwrap();
        recalls::ask(&mut tx, &intents[1].id).await.unwrap();
        assert_eq!(recalls::answer(&mut tx, &intents[1].id).await.unwrap(), Answer::Leaving);
        assert!(!recalls::withdraw(&mut tx, (taken, &another), due, due).await.unwrap());
        assert!(recalls::withdraw(&mut tx, (taken, &attempt), due, due).await.unwrap());
        assert!(!recalls::withdraw(&mut tx, (taken, &attempt), due, due).await.unwrap());
        assert_eq!(recalls::answer(&mut tx, &attempt).await.unwrap(), Answer::Ended);
        assert_eq!(recalls::open(&mut tx, taken).await.unwrap(), None);
        let both: Vec<&AttemptId> = intents.iter().map(|one| &one.id).collect();
        budgets::give_back(&mut tx, &both).await.unwrap();
        let scope = money_scope(&new[0].platform);
        let left = budgets::cost(&mut tx, &scope, month_of(due)).await.unwrap();
        assert_eq!(left, -15_000, "what was charged, and nothing for what was not");
        assert!(recalls::asked(&mut tx, &holder.node).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    }

    async fn holds_are_listed_as_they_stand(fresh) {
        let world = seed(&fresh.store).await;
        let mine = HoldScope::Account(world.accounts[0].id.clone());
        let theirs = HoldScope::Account(world.accounts[1].id.clone());
        let ended = Hold { ends_at: Some(now()), ..hold(4, HoldScope::All) };
        let all = [hold(1, HoldScope::All), hold(2, mine), hold(3, theirs), ended];
        for one in &all {
            place(&fresh.store, one).await;
        }
        let mut reader = fresh.store.read().await.unwrap();
        let mut listed = async |filter: &Filter, limit| -> Vec<usize> {
            let found = holds::list(&mut reader, filter, now(), limit).await.unwrap();
            let place = |one: &Hold| all.iter().position(|it| it == one).unwrap();
            found.iter().map(|kept| place(&kept.hold)).collect()
        };
        assert_eq!(listed(&Filter::default(), 9).await, [3, 2, 1, 0]);
        assert_eq!(listed(&Filter::default(), 2).await, [3, 2]);
        let active = Filter { state: Some(HoldState::Active), ..Filter::default() };
        assert_eq!(listed(&active, 9).await, [2, 1, 0]);
        let over = Filter { state: Some(HoldState::Lifted), ..Filter::default() };
        assert_eq!(listed(&over, 9).await, [3]);
        let among = Some(vec![world.accounts[0].id.clone()]);
        let own = Filter { among, before: Some(all[3].id.clone()), ..Filter::default() };
        assert_eq!(listed(&own, 9).await, [1, 0]);
        assert_eq!(holds::standing(&mut reader, now()).await.unwrap(), 3);
    }

    async fn what_was_caught_is_reviewed_once(fresh) {
        let world = seed(&fresh.store).await;
        let placed = hold(1, HoldScope::All);
        place(&fresh.store, &placed).await;
        let account = &world.accounts[0];
        let new = [1, 11, 21].map(|number| delivery(number, &world.posts[0], account, DUE));
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        let caught = new.iter().map(|one| outcomes::Move {
            state: DeliveryState::Held,
            hold_id: Some(placed.id.clone()),
            ..outcomes::Move::stay(one.id.clone(), DeliveryState::Scheduled)
        });
        outcomes::transition(&mut tx, &caught.collect::<Vec<_>>(), now()).await.unwrap();
        let kept = holds::find(&mut tx, &placed.id).await.unwrap().unwrap();
        assert_eq!(kept.waiting, 3);
        let filter = deliveries::Filter { hold_id: Some(placed.id.clone()), ..Default::default() };
        assert_eq!(deliveries::list(&mut tx, &filter, 9).await.unwrap().len(), 3);
        let far = at("2027-01-01T00:00:00Z");
        jobs::enqueue(&mut tx, &[job(&new[0].id, far)], now()).await.unwrap();
        assert_eq!(holds::look_again(&mut tx, &placed.id, now()).await.unwrap(), 3);
        assert_eq!(jobs::upcoming(&mut tx, work::PUBLISH, now(), 9).await.unwrap().len(), 1);

        let since = at("2026-09-01T00:00:00Z");
        let none = review::released(&mut tx, &[&account.id], since).await.unwrap();
        assert!(none.is_empty());
        let due = at("2026-09-05T00:00:00Z");
        assert!(review::release(&mut tx, (&new[0].id, 2), due, "usr_2", now()).await.unwrap());
        assert!(!review::release(&mut tx, (&new[0].id, 3), due, "usr_2", now()).await.unwrap(), "once");
        let last = review::released(&mut tx, &[&account.id], since).await.unwrap();
        assert_eq!(last[&account.id], due);
        assert!(review::released(&mut tx, &[&account.id], due).await.unwrap().is_empty());
        let why = DeliveryProblem { code: "c".into(), detail: "d".into(), hint: "h".into() };
        assert!(!review::give_up(&mut tx, &new[1].id, 1, &why, now()).await.unwrap(), "stale");
        assert!(review::give_up(&mut tx, &new[1].id, 2, &why, now()).await.unwrap());
        let out = deliveries::find(&mut tx, &new[0].id).await.unwrap().unwrap();
        assert_eq!((out.state, out.hold_id), (DeliveryState::Scheduled, None));
        assert_eq!((out.due_at, out.released_at), (due, Some(now())));
        let gone = deliveries::find(&mut tx, &new[1].id).await.unwrap().unwrap();
        assert_eq!((gone.state, gone.problem), (DeliveryState::Cancelled, Some(why)));
        // An account that can publish again lets nothing go that a hold has caught.
        assert!(store::held::release(&mut tx, &account.id, now()).await.unwrap().is_empty());
    }
}

/// Somebody takes back what is just being written down: he waits for that, and neither gives up.
#[tokio::test]
async fn whoever_takes_back_waits_for_whoever_writes_down() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let store = &fresh.store;
    let world = seed(store).await;
    let new = delivery(0, &world.posts[0], &world.accounts[0], DUE);
    let due = at(DUE);
    let mut tx = store.begin().await.unwrap();
    deliveries::insert(&mut tx, &[&new]).await.unwrap();
    let holder = node(&mut tx).await;
    credential(&mut tx, &world.accounts[0]).await;
    let job = NewJob {
        id: JobId::new(now(), 1),
        kind: work::PUBLISH,
        unique_key: work::publish_key(&new.id),
        slot: "slot".into(),
        payload: json!({}),
        priority: 1,
        due_at: due,
    };
    jobs::enqueue(&mut tx, std::slice::from_ref(&job), due).await.unwrap();
    jobs::claim(&mut tx, std::slice::from_ref(&job.id), &holder, due, due).await.unwrap();
    let ids = std::slice::from_ref(&new.id);
    assert_eq!(publishing::guard(&mut tx, ids, &guard(&holder, due)).await.unwrap().len(), 1);
    let attempt = AttemptId::new(now(), 1);
    let intent = Intent {
        id: attempt.clone(),
        delivery_id: new.id.clone(),
        account_id: world.accounts[0].id.clone(),
        number: 1,
        fingerprint: "f".into(),
        high_water: None,
        cost: None,
    };
    publishing::open(&mut tx, &[intent], &holder, due).await.unwrap();
    tx.commit().await.unwrap();

    let mut writing = store.begin().await.unwrap();
    assert_eq!(jobs::ours(&mut writing, &[&job.id], &holder).await.unwrap().len(), 1);
    let taking = async {
        let mut tx = store.begin().await.unwrap();
        let taken = recalls::withdraw(&mut tx, (&new.id, &attempt), due, due).await;
        tx.commit().await.unwrap();
        taken
    };
    let writing = async {
        SystemClock.sleep(Duration::from_millis(300)).await;
        let close = outcomes::Close {
            id: attempt.clone(),
            from: AttemptOutcome::Open,
            outcome: AttemptOutcome::Refused,
            reach: None,
            detail: None,
            sent_ms: None,
        };
        let closed = outcomes::close(&mut writing, &[close], due).await;
        writing.commit().await.unwrap();
        closed
    };
    let (taken, closed) = futures_util::join!(taking, writing);
    assert_eq!(closed.unwrap().len(), 1);
    assert!(!taken.unwrap(), "it had ended");
    fresh.remove().await;
}

/// Somebody moves a held delivery while its account is let go: the job that he has given it is not lost.
#[tokio::test]
async fn what_was_moved_meanwhile_keeps_its_job() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let store = &fresh.store;
    let world = seed(store).await;
    let account = &world.accounts[0];
    let new = delivery(0, &world.posts[0], account, DUE);
    let mut tx = store.begin().await.unwrap();
    deliveries::insert(&mut tx, &[&new]).await.unwrap();
    let held = outcomes::Move {
        state: DeliveryState::Held,
        ..outcomes::Move::stay(new.id.clone(), DeliveryState::Scheduled)
    };
    outcomes::transition(&mut tx, &[held], now()).await.unwrap();
    tx.commit().await.unwrap();

    let mut moving = store.begin().await.unwrap();
    let back = outcomes::Move {
        state: DeliveryState::Scheduled,
        ..outcomes::Move::stay(new.id.clone(), DeliveryState::Held)
    };
    assert_eq!(outcomes::transition(&mut moving, &[back], now()).await.unwrap().len(), 1);
    jobs::enqueue(&mut moving, &[job(&new.id, at(DUE))], now()).await.unwrap();
    let releasing = async {
        let mut tx = store.begin().await.unwrap();
        let released = store::held::release(&mut tx, &account.id, now()).await;
        if released.is_ok() {
            tx.commit().await.unwrap();
        }
        released
    };
    let moving = async {
        SystemClock.sleep(Duration::from_millis(300)).await;
        moving.commit().await.unwrap();
    };
    let (released, ()) = futures_util::join!(releasing, moving);
    assert!(matches!(released, Err(store::Error::Busy)), "{released:?}");
    let mut tx = store.begin().await.unwrap();
    assert_eq!(jobs::upcoming(&mut tx, work::PUBLISH, at(DUE), 9).await.unwrap().len(), 1);
    drop(tx);
    fresh.remove().await;
}
