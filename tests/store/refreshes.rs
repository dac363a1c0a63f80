//! Refresh tokens on both databases: each is presented once, and what it gave takes the place of what it
//! was presented for, however late, and of nothing else.

use std::time::Duration;

use chancery::clock::{after, before};
use chancery::domain::account::CredentialKind;
use chancery::domain::id::NodeId;
use chancery::domain::refresh::RefreshOutcome;
use chancery::store::credentials::{self, Credential};
use chancery::store::jobs::Holder;
use chancery::store::quarantine::{self, Quarantine};
use chancery::store::refreshes::{self, Pair, Version};
use chancery::store::{Store, deliveries, installation, nodes};
use jiff::Timestamp;

use crate::database::both;
use crate::planned::{self, World, now};

const PAIR: Pair<'static> =
    Pair { key_id: "2", sealed: &[7], refresh: &[8], expires_at: None, same: false };

fn credential(world: &World, version: i64, ends: Option<Timestamp>) -> Credential {
    Credential {
        account_id: world.accounts[0].id.clone(),
        kind: CredentialKind::Oauth2,
        version,
        key_id: "1".to_owned(),
        sealed: vec![1],
        refresh: Some(vec![2]),
        expires_at: ends,
        updated_at: now(),
    }
}

async fn put(store: &Store, credential: &Credential) {
    let mut tx = store.begin().await.unwrap();
    credentials::put(&mut tx, credential).await.unwrap();
    tx.commit().await.unwrap();
}

async fn holder(store: &Store) -> Holder {
    let node = NodeId::new(now(), 1);
    let mut tx = store.begin().await.unwrap();
    let fence = nodes::register(&mut tx, &node, "1", now()).await.unwrap();
    tx.commit().await.unwrap();
    Holder { node, fence }
}

async fn present(store: &Store, which: Version<'_>, hash: &str, holder: &Holder) -> bool {
    let mut tx = store.begin().await.unwrap();
    let done = refreshes::present(&mut tx, which, ("x", hash), holder, now()).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn keep(store: &Store, which: Version<'_>, pair: Pair<'_>) -> bool {
    let mut tx = store.begin().await.unwrap();
    let kept = refreshes::keep(&mut tx, which, pair, now()).await.unwrap();
    tx.commit().await.unwrap();
    kept
}

async fn outcome(store: &Store, which: Version<'_>) -> Option<RefreshOutcome> {
    refreshes::outcome_of(&mut store.read().await.unwrap(), which).await.unwrap()
}

both! {
    async fn neither_a_version_nor_a_token_is_presented_twice(fresh) {
        let store = &fresh.store;
        let world = planned::seed(store).await;
        let account = &world.accounts[0].id;
        let holder = holder(store).await;
        let which = |number| Version { account, number };
        assert!(!present(store, which(1), "a", &holder).await, "there is no credential");
        put(store, &credential(&world, 1, None)).await;
        let stranger = Holder { fence: holder.fence + 1, ..holder.clone() };
        assert!(!present(store, which(1), "a", &stranger).await, "nobody knows this process");
        assert!(!present(store, which(2), "a", &holder).await, "there is no such version");
        assert!(present(store, which(1), "a", &holder).await);
        assert!(!present(store, which(1), "b", &holder).await, "the version was presented");
        put(store, &credential(&world, 2, None)).await;
        assert!(!present(store, which(2), "a", &holder).await, "the token was presented");
        let mut tx = store.begin().await.unwrap();
        assert!(refreshes::is_known(&mut tx, "a").await.unwrap());
        assert!(!refreshes::is_known(&mut tx, "b").await.unwrap());
        refreshes::give_up(&mut tx, which(2), "x", now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(outcome(store, which(2)).await, Some(RefreshOutcome::Orphaned));
        put(store, &credential(&world, 3, None)).await;
        let state = Quarantine { since: now(), reason: "test".to_owned(), state_of: now() };
        let mut tx = store.begin().await.unwrap();
        installation::load_or_create(&mut tx, "g", &[1], now()).await.unwrap();
        quarantine::begin(&mut tx, &state).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!present(store, which(3), "c", &holder).await, "the database came back");
    }

    async fn a_pair_takes_the_place_of_its_own_version_however_late(fresh) {
        let store = &fresh.store;
        let world = planned::seed(store).await;
        let account = &world.accounts[0].id;
        let holder = holder(store).await;
        let which = |number| Version { account, number };
        put(store, &credential(&world, 1, None)).await;
        assert!(!keep(store, which(1), PAIR).await, "nothing was presented");
        assert!(present(store, which(1), "a", &holder).await);
        let open = async || {
            let ids = std::slice::from_ref(account);
            refreshes::open_of(&mut store.read().await.unwrap(), ids).await.unwrap()
        };
        assert_eq!(open().await, [(account.clone(), 1)]);
        let mut tx = store.begin().await.unwrap();
        let lost = (RefreshOutcome::Lost, "status 503");
        assert!(refreshes::end(&mut tx, which(1), lost, now()).await.unwrap());
        assert!(!refreshes::end(&mut tx, which(1), lost, now()).await.unwrap());
        // What is known to be presented is not taken back.
        refreshes::not_presented(&mut tx, which(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((open().await, outcome(store, which(1)).await), (vec![], Some(lost.0)));
        assert!(keep(store, which(1), PAIR).await);
        assert!(keep(store, which(1), PAIR).await, "a commit that was made already");
        let kept = credentials::find(&mut store.read().await.unwrap(), account).await.unwrap();
        let kept = kept.unwrap();
        assert_eq!((kept.version, kept.sealed, kept.refresh), (2, vec![7], Some(vec![8])));

        assert!(present(store, which(2), "b", &holder).await);
        put(store, &credential(&world, 3, None)).await;
        assert!(!keep(store, which(2), PAIR).await, "somebody has signed in again");
        assert_eq!(outcome(store, which(2)).await, Some(RefreshOutcome::Superseded));
        // Given again, it is a new one; certainly not taken, it may go once more.
        assert!(present(store, which(3), "c", &holder).await);
        assert!(keep(store, which(3), Pair { same: true, ..PAIR }).await);
        assert!(present(store, which(4), "c", &holder).await);
        let mut tx = store.begin().await.unwrap();
        refreshes::not_presented(&mut tx, which(4)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(present(store, which(4), "c", &holder).await);
        let mut tx = store.begin().await.unwrap();
        let later = after(now(), Duration::from_secs(1));
        assert_eq!(refreshes::forget(&mut tx, later).await.unwrap(), 3);
        tx.commit().await.unwrap();
    }

    async fn what_decides_is_read_together(fresh) {
        let store = &fresh.store;
        let world = planned::seed(store).await;
        let account = &world.accounts[0];
        let ends = after(now(), Duration::from_hours(2));
        put(store, &credential(&world, 1, Some(ends))).await;
        let mut tx = store.begin().await.unwrap();
        let due = "2026-09-02T02:00:00Z";
        let one = planned::delivery(1, &world.posts[0], account, due);
        deliveries::insert(&mut tx, &[&one]).await.unwrap();
        tx.commit().await.unwrap();
        let prepare = async |since| {
            let ids = std::slice::from_ref(&account.id);
            let mut reader = store.read().await.unwrap();
            refreshes::prepare(&mut reader, ids, since).await.unwrap().remove(0)
        };
        let row = prepare(one.due_at).await;
        assert_eq!((row.next_due, row.publishing, row.outcome), (Some(one.due_at), false, None));
        assert_eq!((row.expires_at, row.issued_at, row.lost_at), (Some(ends), now(), None));
        assert_eq!(prepare(after(one.due_at, Duration::from_millis(1))).await.next_due, None);

        let unplanned = async || {
            refreshes::unplanned(&mut store.read().await.unwrap()).await.unwrap().len()
        };
        let ended = async |at| {
            refreshes::ended(&mut store.read().await.unwrap(), at).await.unwrap().len()
        };
        assert_eq!((unplanned().await, ended(ends).await), (1, 0), "it can be refreshed");
        let doubt = async |at| {
            let mut tx = store.begin().await.unwrap();
            let doubted = refreshes::doubt(&mut tx, at).await.unwrap();
            tx.commit().await.unwrap();
            doubted
        };
        let half = before(ends, Duration::from_hours(1));
        assert_eq!(doubt(before(half, Duration::from_millis(1))).await, 0, "before its time");
        assert_eq!(doubt(half).await, 1, "it may have been presented");
        assert_eq!((unplanned().await, ended(ends).await), (0, 1));
        assert_eq!(ended(half).await, 0, "its access token lives");
    }
}
