//! What becomes of deliveries after they are out, on both databases: cursors that follow the audit, and
//! the wish to recall.

use chancery::domain::audit::NewEntry;
use chancery::domain::delivery::{DeliveryState, Recall};
use chancery::domain::id::{DeliveryId, JobId};
use chancery::store::after::{self, Cursor, Note};
use chancery::store::jobs::NewJob;
use chancery::store::outcomes::{Move, transition};
use chancery::store::{Store, Tx, audit, deliveries, jobs};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::database::both;
use crate::planned::{delivery, now, seed};

const DUE: &str = "2026-09-02T02:00:00Z";

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

/// Two deliveries, the first of them out as `fb_1`.
async fn two(store: &Store) -> [DeliveryId; 2] {
    let world = seed(store).await;
    let one = delivery(1, &world.posts[0], &world.accounts[0], DUE);
    let other = delivery(2, &world.posts[1], &world.accounts[0], DUE);
    let mut tx = store.begin().await.unwrap();
    deliveries::insert(&mut tx, &[&one, &other]).await.unwrap();
    let out = Move {
        state: DeliveryState::Published,
        remote_id: Some("fb_1".to_owned()),
        permalink: Some("https://example.org/1".to_owned()),
        published_ms: Some(now()),
        ..Move::stay(one.id.clone(), DeliveryState::Scheduled)
    };
    assert_eq!(transition(&mut tx, &[out], now()).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    [one.id, other.id]
}

fn said(tx: &mut Tx, id: &DeliveryId, action: &str, at: Timestamp) {
    let entry = NewEntry {
        actor: "engine".to_owned(),
        action: action.to_owned(),
        subject: id.to_string(),
        detail: json!({}),
    };
    audit::append(tx, &[entry], at);
}

fn wish() -> Recall {
    Recall {
        asked_by: "usr_1".to_owned(),
        asked_at: now(),
        reason: "Sai số liệu".to_owned(),
        tries: 0,
        problem: None,
        told_at: None,
        missed_at: None,
    }
}

both! {
    async fn cursors_follow_the_audit_and_move_once(fresh) {
        let store = &fresh.store;
        let [one, other] = two(store).await;
        let mut tx = store.begin().await.unwrap();
        said(&mut tx, &one, "delivery.publishing", now());
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let begun = audit::after(&mut tx, 0, 100).await.unwrap().last().unwrap().seq;
        let at = |span_ms, seq, at| Cursor { span_ms, seq, wanted_at: Some(at) };
        for minute in [0, 1] {
            after::begin(&mut tx, &[1_000, 60_000], later(minute)).await.unwrap();
        }
        let [first, cursor] = [1_000, 60_000].map(|span| at(span, begun, later(1)));
        assert_eq!(after::cursors(&mut tx).await.unwrap(), [first, cursor]);
        after::begin(&mut tx, &[60_000], later(2)).await.unwrap();
        after::forget_cursors(&mut tx, &[60_000], later(1)).await.unwrap();
        assert_eq!(after::cursors(&mut tx).await.unwrap().len(), 2, "another node wants it still");
        after::forget_cursors(&mut tx, &[60_000], later(2)).await.unwrap();
        let cursor = Cursor { wanted_at: Some(later(2)), ..cursor };
        assert_eq!(after::cursors(&mut tx).await.unwrap(), [cursor]);
        said(&mut tx, &one, "delivery.published", later(1));
        said(&mut tx, &other, "delivery.published", later(2));
        said(&mut tx, &one, "delivery.adopt", later(3));
        tx.commit().await.unwrap();

        let mut tx = store.begin().await.unwrap();
        let reach = async |tx: &mut Tx, until: i64, at: Timestamp| {
            after::old_enough(tx, begun, until, at).await.unwrap()
        };
        assert_eq!(reach(&mut tx, begun + 9, now()).await, None);
        assert_eq!(reach(&mut tx, begun + 9, later(2)).await, Some(begun + 2));
        assert_eq!(reach(&mut tx, begun + 1, later(9)).await, Some(begun + 1));
        // Once although it is named twice; and not what is not out.
        let went_out = after::went_out(&mut tx, begun, begun + 3).await.unwrap();
        assert_eq!(went_out.iter().map(|it| &it.id).collect::<Vec<_>>(), [&one]);
        assert_eq!(went_out[0].platform, "somewhere");
        assert_eq!(after::went_out(&mut tx, begun + 3, begun + 9).await.unwrap(), []);
        assert!(after::move_cursor(&mut tx, cursor, begun + 3).await.unwrap());
        assert!(!after::move_cursor(&mut tx, cursor, begun + 3).await.unwrap(), "moved twice");
        // A span in place of another goes on where that one was; one beside it begins now.
        after::begin(&mut tx, &[60_000, 5_000], later(9)).await.unwrap();
        after::begin(&mut tx, &[90_000, 5_000], later(9)).await.unwrap();
        let head = audit::after(&mut tx, 0, 100).await.unwrap().last().unwrap().seq;
        let seqs: Vec<(i64, i64)> =
            after::cursors(&mut tx).await.unwrap().iter().map(|it| (it.span_ms, it.seq)).collect();
        assert_eq!(seqs, [(5_000, head), (60_000, begun + 3), (90_000, begun + 3)]);
        tx.commit().await.unwrap();
    }

    async fn a_wish_to_recall_is_kept_once_and_only_for_what_is_out(fresh) {
        let store = &fresh.store;
        let [one, other] = two(store).await;
        let mut tx = store.begin().await.unwrap();
        assert!(after::ask(&mut tx, &one, &wish(), now()).await.unwrap());
        let second = Recall { reason: "Khác".to_owned(), ..wish() };
        assert!(!after::ask(&mut tx, &one, &second, now()).await.unwrap());
        assert!(!after::ask(&mut tx, &other, &wish(), now()).await.unwrap(), "it is not out");
        let found = deliveries::find(&mut tx, &one).await.unwrap().unwrap();
        assert_eq!(found.recall, Some(wish()));
        let tried = Recall { tries: 3, told_at: Some(later(1)), ..wish() };
        let notes = [Note { id: &one, recall: &tried }, Note { id: &other, recall: &tried }];
        after::note(&mut tx, &notes, later(1)).await.unwrap();
        let mut standing = after::standing(&mut tx, &[one.clone(), other]).await.unwrap();
        standing.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(standing[0].recall, Some(tried));
        assert_eq!(standing[0].remote_id.as_deref(), Some("fb_1"));
        assert_eq!(standing[0].permalink.as_deref(), Some("https://example.org/1"));
        assert_eq!((standing[1].recall.as_ref(), standing[1].state), (None, DeliveryState::Scheduled));
        // Nobody looks for what is to be deleted.
        said(&mut tx, &one, "delivery.published", now());
        let all = after::went_out(&mut tx, 0, i64::MAX).await.unwrap();
        assert_eq!(all, []);
        tx.commit().await.unwrap();
    }

    async fn what_should_be_shown_and_how_many_are_missed(fresh) {
        let store = &fresh.store;
        let [one, other] = two(store).await;
        let mut tx = store.begin().await.unwrap();
        let ids = [one.clone(), other.clone()];
        let of = |found: Vec<(DeliveryId, Option<String>)>, id: &DeliveryId| {
            found.into_iter().find(|(it, _)| it == id).unwrap().1
        };
        let found = after::witnesses(&mut tx, &ids, later(9)).await.unwrap();
        assert_eq!(of(found.clone(), &other).as_deref(), Some("fb_1"));
        assert_eq!(of(found, &one), None, "not even itself");
        let found = after::witnesses(&mut tx, &ids, later(-9)).await.unwrap();
        assert_eq!(of(found, &other), None, "what is new may not be shown yet");
        assert!(after::ask(&mut tx, &one, &wish(), now()).await.unwrap());
        let found = after::witnesses(&mut tx, &ids, later(9)).await.unwrap();
        assert_eq!(of(found, &other), None, "it is about to be deleted");
        let job = |key: String, slot: &str| NewJob {
            id: JobId::new(now(), rand::random()),
            kind: "verify",
            unique_key: key,
            slot: slot.to_owned(),
            payload: json!({}),
            priority: 9,
            due_at: now(),
        };
        let jobs = [
            job(format!("verify:{one}:again"), "somewhere/1"), job(format!("verify:{one}"), "somewhere/1"),
            job(format!("verify:{other}:again"), "elsewhere/1"),
        ];
        jobs::enqueue(&mut tx, &jobs, now()).await.unwrap();
        assert_eq!(after::suspected(&mut tx, "somewhere", now()).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let sql = format!("UPDATE deliveries SET state = 'vanished' WHERE id = '{other}'");
        fresh.raw().await.execute(&sql).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(after::suspected(&mut tx, "somewhere", later(-1)).await.unwrap(), 2);
        assert_eq!(after::suspected(&mut tx, "somewhere", later(9)).await.unwrap(), 1);
    }
}
