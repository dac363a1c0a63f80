//! Transactions take what others wait for in one order, so that no two wait for each other.

use chancery::domain::audit::NewEntry;
use chancery::store::{Tx, audit, budgets, disorder, incidents, publishing};
use jiff::Timestamp;
use serde_json::json;

use crate::database::{Fresh, both};

fn now() -> Timestamp {
    "2026-09-02T02:00:00Z".parse().unwrap()
}

fn tell(tx: &mut Tx, what: &str) {
    let entry = NewEntry {
        actor: "engine".into(),
        action: "money.spent".into(),
        subject: what.into(),
        detail: json!({}),
    };
    audit::append(tx, &[entry], now());
}

both! {
    async fn what_is_taken_out_of_order_is_seen(fresh) {
        let seen = || disorder().into_iter().filter(|it| it.starts_with("a drill")).collect::<Vec<_>>();
        let mut tx = fresh.store.begin_for("a drill").await.unwrap();
        publishing::stand_still(&mut tx).await.unwrap();
        budgets::spend(&mut tx, "x", now(), 1, 0).await.unwrap();
        budgets::spend(&mut tx, "money:x", now(), 1, 15_000).await.unwrap();
        tell(&mut tx, "x");
        incidents::open(&mut tx, "money.spent:x", now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = fresh.store.begin_for("another drill").await.unwrap();
        budgets::spend(&mut tx, "x", now(), 1, 0).await.unwrap();
        drop(tx);
        assert!(seen().iter().all(|it| it == "a drill: Guard after Money"), "{:?}", seen());
        let mut tx = fresh.store.begin_for("a drill").await.unwrap();
        budgets::spend(&mut tx, "money:x", now(), 1, 15_000).await.unwrap();
        publishing::stand_still(&mut tx).await.unwrap();
        assert_eq!(seen(), ["a drill: Guard after Money"]);
    }

    async fn what_is_told_stands_in_the_order_of_the_telling(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        tell(&mut tx, "first");
        assert_eq!(audit::after(&mut tx, 0, 9).await.unwrap().len(), 0, "not before the commit");
        tell(&mut tx, "second");
        tx.conclude().await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        tell(&mut tx, "third");
        drop(tx);
        let mut reader = fresh.store.read().await.unwrap();
        let kept = audit::after(&mut reader, 0, 9).await.unwrap();
        let kept: Vec<_> = kept.iter().map(|it| it.entry.subject.as_str()).collect();
        assert_eq!(kept, ["first", "second"]);
    }
}

/// One has told something before it comes to the guard, where another is who tells something too.
#[tokio::test]
async fn whoever_has_told_something_can_wait_for_the_guard() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let mut early = fresh.store.begin().await.unwrap();
    let mut hold = fresh.store.begin().await.unwrap();
    tell(&mut early, "early");
    publishing::stand_still(&mut hold).await.unwrap();
    let early = tokio::spawn(async move {
        publishing::stand_still(&mut early).await?;
        early.commit().await
    });
    tell(&mut hold, "hold");
    hold.commit().await.unwrap();
    early.await.unwrap().unwrap();
    fresh.remove().await;
}
