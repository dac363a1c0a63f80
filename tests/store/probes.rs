//! Questions about accounts on both databases: when each is due, what stays known, and what is told once.

use chancery::domain::account::{AccountStatus, CredentialKind};
use chancery::domain::id::AccountId;
use chancery::domain::probe::ProbeVerdict;
use chancery::store::credentials::{self, Credential};
use chancery::store::probes::{self, Said, Warning};
use chancery::store::{Store, Tx, accounts, deliveries};
use jiff::{SignedDuration, Timestamp};

use crate::database::both;
use crate::planned::{self, World, at, now};

fn later(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

async fn connect(tx: &mut Tx, account: &AccountId, expires_at: Option<Timestamp>) {
    let kept = Credential {
        account_id: account.clone(),
        kind: CredentialKind::PageToken,
        version: 3,
        key_id: "k".into(),
        sealed: vec![1, 2],
        refresh: None,
        expires_at,
        updated_at: now(),
    };
    credentials::put(tx, &kept).await.unwrap();
}

fn said(account: &AccountId, verdict: ProbeVerdict) -> Said<'_> {
    Said {
        account_id: account,
        version: 3,
        next_at: later(24),
        day_until: later(24),
        hour_until: later(1),
        verdict,
        detail: None,
        refusals: 0,
        scopes: None,
        missing: None,
        expires_at: None,
        data_access_ends_at: None,
    }
}

/// Which of the two accounts are due.
async fn due(store: &Store, world: &World, hours: i64) -> Vec<bool> {
    let mut reader = store.read().await.unwrap();
    let all = probes::due(&mut reader, later(hours), later(hours + 24), later(hours + 1)).await;
    let all = all.unwrap();
    let of = |id: &AccountId| all.iter().any(|(it, _)| it == id);
    world.accounts.iter().take(2).map(|account| of(&account.id)).collect()
}

/// Connects both accounts.
async fn ready(store: &Store) -> World {
    let world = planned::seed(store).await;
    let mut tx = store.begin().await.unwrap();
    for account in world.accounts.iter().take(2) {
        connect(&mut tx, &account.id, None).await;
        let mut account = accounts::find(&mut tx, &account.id).await.unwrap().unwrap();
        let from = account.version;
        account.status = AccountStatus::Connected;
        account.version += 1;
        accounts::update(&mut tx, &account, from).await.unwrap();
    }
    tx.commit().await.unwrap();
    world
}

both! {
    async fn an_account_is_due_daily_and_before_what_is_due_on_it(fresh) {
        let store = &fresh.store;
        let world = ready(store).await;
        let [one, other] = [&world.accounts[0].id, &world.accounts[1].id];
        assert_eq!(due(store, &world, 0).await, [true, true], "never asked about");
        let mut tx = store.begin().await.unwrap();
        probes::keep(&mut tx, &said(one, ProbeVerdict::Fit), now()).await.unwrap();
        probes::put_off(&mut tx, other, later(24), "it kills", now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(due(store, &world, 0).await, [false, false]);
        assert_eq!(due(store, &world, 23).await, [false, false]);
        assert_eq!(due(store, &world, 24).await, [true, true]);
        // Due after 26 hours: a day before that is after two hours, an hour before after 25.
        let new = planned::delivery(1, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00Z");
        let mut tx = store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(due(store, &world, 1).await, [false, false]);
        assert_eq!(due(store, &world, 2).await, [true, false]);
        let mut tx = store.begin().await.unwrap();
        let day = Said { next_at: later(99), day_until: later(26), hour_until: later(3), ..said(one, ProbeVerdict::Fit) };
        probes::keep(&mut tx, &day, later(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(due(store, &world, 2).await, [false, false]);
        assert_eq!(due(store, &world, 25).await, [true, true]);
        assert_eq!(due(store, &world, 26).await, [false, true], "what is over is not asked for");
        let mut tx = store.begin().await.unwrap();
        probes::forget(&mut tx, one).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(due(store, &world, 0).await, [true, false]);
    }

    async fn refusals_are_those_of_the_present_credential(fresh) {
        let store = &fresh.store;
        let world = ready(store).await;
        let id = &world.accounts[0].id;
        let refusals = async |store: &Store| {
            let mut reader = store.read().await.unwrap();
            let all = probes::prepare(&mut reader, std::slice::from_ref(id)).await.unwrap();
            (all[0].refusals, all[0].credential.version, all[0].renewable)
        };
        let mut tx = store.begin().await.unwrap();
        let refused = Said { refusals: 1, ..said(id, ProbeVerdict::Refused) };
        probes::keep(&mut tx, &refused, now()).await.unwrap();
        probes::trouble(&mut tx, id, 3, "it did not answer", later(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(refusals(store).await, (1, 3, false), "trouble says nothing");
        let mut tx = store.begin().await.unwrap();
        let older = Said { version: 2, refusals: 1, ..said(id, ProbeVerdict::Refused) };
        probes::keep(&mut tx, &older, now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(refusals(store).await.0, 0, "those of another credential");
    }

    async fn what_ends_and_what_is_endangered_is_found_and_told_once(fresh) {
        let store = &fresh.store;
        let world = ready(store).await;
        let [one, other] = [&world.accounts[0].id, &world.accounts[1].id];
        let mut tx = store.begin().await.unwrap();
        connect(&mut tx, other, Some(later(48))).await;
        let lacking = Said {
            expires_at: Some(later(72)),
            data_access_ends_at: Some(later(50)),
            ..said(one, ProbeVerdict::Lacking)
        };
        probes::keep(&mut tx, &lacking, now()).await.unwrap();
        for (number, account) in (1..).zip(&world.accounts[..2]) {
            let due = "2026-09-01T20:00:00Z";
            let new = planned::delivery(number, &world.posts[0], account, due);
            deliveries::insert(&mut tx, &[&new]).await.unwrap();
        }
        assert_eq!(probes::ending(&mut tx, later(47)).await.unwrap(), []);
        let ends = probes::ending(&mut tx, later(50)).await.unwrap();
        let of = |id: &AccountId| ends.iter().find(|it| it.account_id == *id).unwrap().clone();
        assert_eq!((of(one).expires_at, of(one).data_access_ends_at), (Some(later(72)), Some(later(50))));
        assert_eq!((of(other).expires_at, of(other).data_access_ends_at), (Some(later(48)), None));
        let found = probes::on_unfit(&mut tx, now(), later(24)).await.unwrap();
        assert_eq!(found.len(), 1, "the other's end is later");
        assert_eq!((&found[0].account_id, found[0].verdict), (one, Some(ProbeVerdict::Lacking)));
        assert_eq!((found[0].due_at, found[0].ends_at), (at("2026-09-01T20:00:00Z"), Some(later(72))));
        assert!(probes::on_unfit(&mut tx, now(), later(19)).await.unwrap().is_empty());
        let warning = Warning { account_id: one.clone(), subject: "expires".into(), stage: 14 };
        assert!(probes::tell(&mut tx, &warning, now()).await.unwrap());
        assert!(!probes::tell(&mut tx, &warning, now()).await.unwrap());
        let next = Warning { stage: 7, ..warning.clone() };
        assert!(probes::tell(&mut tx, &next, later(1)).await.unwrap());
        assert_eq!(probes::told(&mut tx, &[one]).await.unwrap().len(), 2);
        assert!(probes::told(&mut tx, &[other]).await.unwrap().is_empty());
        assert_eq!(probes::prune(&mut tx, later(1)).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
}
