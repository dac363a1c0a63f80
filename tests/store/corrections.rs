//! Corrections on both databases: in order, kept for ever, and no older one is begun after a newer one was
//! asked for.

use chancery::domain::audit::NewEntry;
use chancery::domain::correction::{Correction, CorrectionState as S};
use chancery::domain::delivery::{DeliveryProblem, DeliveryState};
use chancery::domain::id::{DeliveryId, JobId, NodeId};
use chancery::domain::variant::{Content, text_hash};
use chancery::domain::work;
use chancery::store::corrections::{self, NewCorrection, Progress};
use chancery::store::jobs::{Holder, NewJob};
use chancery::store::neighbours::{self, Look, Planned};
use chancery::store::outcomes::{Move, transition};
use chancery::store::{Store, Tx, after, deliveries, foreign, jobs, nodes};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::database::{Raw, both};
use crate::planned::{World, delivery, now, seed};

const DUE: &str = "2026-09-02T02:00:00Z";

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

/// An instant, and since when a repeat counts.
fn at(minutes: i64) -> (Timestamp, Timestamp) {
    (later(minutes), now() - SignedDuration::from_hours(1))
}

/// A delivery that is out, and one that is not.
async fn two(store: &Store) -> (World, [DeliveryId; 2]) {
    let world = seed(store).await;
    let one = delivery(1, &world.posts[0], &world.accounts[0], DUE);
    let other = delivery(2, &world.posts[1], &world.accounts[0], DUE);
    let mut tx = store.begin().await.unwrap();
    deliveries::insert(&mut tx, &[&one, &other]).await.unwrap();
    let out = Move {
        state: DeliveryState::Published,
        remote_id: Some("fb_1".to_owned()),
        published_ms: Some(now()),
        ..Move::stay(one.id.clone(), DeliveryState::Scheduled)
    };
    assert_eq!(transition(&mut tx, &[out], now()).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    (world, [one.id, other.id])
}

async fn ask(tx: &mut Tx, world: &World, id: &DeliveryId, text: &str) -> Option<i64> {
    ask_for(tx, world, id, text, false).await
}

async fn ask_for(
    tx: &mut Tx,
    world: &World,
    id: &DeliveryId,
    text: &str,
    intended_repeat: bool,
) -> Option<i64> {
    let said = Content { text: text.to_owned(), ..Content::default() };
    let new = NewCorrection {
        delivery_id: id,
        account_id: &world.accounts[0].id,
        text,
        content_hash: &said.hash("vi"),
        text_hash: &text_hash(&said),
        reason: "Sai số liệu",
        asked_by: "usr_1",
        overwrite: None,
        intended_repeat,
    };
    corrections::ask(tx, &new, later(1)).await.unwrap()
}

async fn history(tx: &mut Tx, id: &DeliveryId) -> Vec<Correction> {
    let all = corrections::of(tx, std::slice::from_ref(id)).await.unwrap();
    all.into_iter().map(|(_, one)| one).collect()
}

/// The job of a correction, at work under this holder.
async fn at_work(tx: &mut Tx, id: &DeliveryId, number: i64, holder: &Holder) {
    let job = NewJob {
        id: JobId::new(now(), rand::random()),
        kind: work::CORRECT,
        unique_key: work::correct_key(id, number),
        slot: format!("somewhere/{number}"),
        payload: json!(work::Correct { delivery_id: id.clone(), number }),
        priority: 0,
        due_at: now(),
    };
    jobs::enqueue(tx, std::slice::from_ref(&job), now()).await.unwrap();
    let claimed = jobs::claim(tx, &[job.id], holder, later(9), later(1)).await.unwrap();
    assert_eq!(claimed.len(), 1);
}

async fn holder(tx: &mut Tx, number: u128) -> Holder {
    let node = NodeId::new(now(), number);
    let fence = nodes::register(tx, &node, "1.2.3", now()).await.unwrap();
    Holder { node, fence }
}

fn progress(id: &DeliveryId, number: i64, state: S) -> Progress<'_> {
    Progress {
        id,
        number,
        state,
        tries: 0,
        problem: None,
        told_ms: None,
        shown: None,
        begun_ms: None,
        open_ms: None,
        ended_ms: None,
    }
}

both! {
    async fn a_later_wish_takes_the_place_of_one_that_was_not_fulfilled(fresh) {
        let store = &fresh.store;
        let (world, [id, scheduled]) = two(store).await;
        let mut tx = store.begin().await.unwrap();
        let version = deliveries::find(&mut tx, &id).await.unwrap().unwrap().version;
        assert_eq!(ask(&mut tx, &world, &id, "một").await, Some(1));
        assert_eq!(ask(&mut tx, &world, &id, "hai").await, Some(2));
        assert_eq!(ask(&mut tx, &world, &scheduled, "chưa đăng").await, None);
        let all = history(&mut tx, &id).await;
        let told: Vec<_> = all.iter().map(|it| (it.number, it.state, it.text.as_str())).collect();
        assert_eq!(told, [(1, S::Replaced, "một"), (2, S::Wanted, "hai")]);
        assert_eq!((all[0].ended_at, all[1].ended_at), (Some(later(1)), None));
        let problem = DeliveryProblem {
            code: "correction_refused".to_owned(),
            detail: "không".to_owned(),
            hint: "-".to_owned(),
        };
        let stuck = Progress {
            tries: 3,
            problem: Some(&problem),
            told_ms: Some(later(2).as_millisecond()),
            shown: Some("khác"),
            begun_ms: Some(later(1).as_millisecond()),
            open_ms: Some(later(2).as_millisecond()),
            ..progress(&id, 2, S::Stuck)
        };
        // What was replaced stays so, unless it was made all the same.
        let notes = [stuck, progress(&id, 1, S::Stuck)];
        corrections::note(&mut tx, &notes, later(2)).await.unwrap();
        let all = history(&mut tx, &id).await;
        assert_eq!((all[0].state, all[1].state, all[1].tries), (S::Replaced, S::Stuck, 3));
        assert_eq!((all[1].told_at, all[1].open_since), (Some(later(2)), Some(later(2))));
        assert_eq!(all[1].begun_at, Some(later(1)));
        assert_eq!((all[1].problem.as_ref(), all[1].shown.as_deref()), (Some(&problem), Some("khác")));
        let made = Progress {
            ended_ms: Some(later(3).as_millisecond()),
            ..progress(&id, 1, S::Done)
        };
        corrections::note(&mut tx, &[made], later(3)).await.unwrap();
        let all = history(&mut tx, &id).await;
        assert_eq!((all[0].state, all[0].ended_at), (S::Done, Some(later(3))));
        assert!(deliveries::find(&mut tx, &id).await.unwrap().unwrap().version > version + 2);
        corrections::drop_open(&mut tx, std::slice::from_ref(&id), later(4)).await.unwrap();
        let all = history(&mut tx, &id).await;
        assert_eq!((all[0].state, all[1].state), (S::Done, S::Dropped));
        tx.commit().await.unwrap();
    }

    async fn nothing_is_begun_but_the_newest_by_whoever_has_its_job(fresh) {
        let store = &fresh.store;
        let (world, [id, _]) = two(store).await;
        let mut tx = store.begin().await.unwrap();
        let (ours, other) = (holder(&mut tx, 1).await, holder(&mut tx, 2).await);
        assert_eq!(ask(&mut tx, &world, &id, "một").await, Some(1));
        at_work(&mut tx, &id, 1, &ours).await;
        tx.commit().await.unwrap();
        let begin = async |number: i64, by: &Holder, minute: i64| {
            let mut tx = store.begin().await.unwrap();
            let begun = corrections::begin(&mut tx, (&id, number), by, at(minute)).await.unwrap();
            tx.commit().await.unwrap();
            begun
        };
        assert!(!begin(1, &other, 2).await, "by whoever has lost the job");
        assert!(begin(1, &ours, 2).await);
        assert!(begin(1, &ours, 3).await, "it may be repeated");
        let mut tx = store.begin().await.unwrap();
        let first = history(&mut tx, &id).await.remove(0);
        assert_eq!((first.begun_at, first.open_since), (Some(later(2)), Some(later(3))));
        assert_eq!(ask(&mut tx, &world, &id, "hai").await, Some(2));
        at_work(&mut tx, &id, 2, &ours).await;
        tx.commit().await.unwrap();
        assert!(!begin(1, &ours, 4).await, "an older one than the newest");
        assert!(begin(2, &ours, 4).await);

        let mut tx = store.begin().await.unwrap();
        let quarantine = chancery::store::quarantine::Quarantine {
            since: now(),
            reason: "restored".to_owned(),
            state_of: now(),
        };
        chancery::store::installation::load_or_create(&mut tx, "first", b"check", now())
            .await
            .unwrap();
        chancery::store::quarantine::begin(&mut tx, &quarantine).await.unwrap();
        let seen = corrections::hindrances(&mut tx, std::slice::from_ref(&id), now(), now()).await.unwrap();
        assert!(seen[0].quarantined && !seen[0].held);
        tx.commit().await.unwrap();
        assert!(!begin(2, &ours, 5).await, "in quarantine");
    }

    /// Where nothing may be published nothing is corrected, and it is told why.
    async fn nothing_is_begun_where_nothing_may_be_published(fresh) {
        let store = &fresh.store;
        let (world, [id, _]) = two(store).await;
        let mut tx = store.begin().await.unwrap();
        let ours = holder(&mut tx, 1).await;
        assert_eq!(ask(&mut tx, &world, &id, "một").await, Some(1));
        at_work(&mut tx, &id, 1, &ours).await;
        let entry = NewEntry {
            actor: "usr_1".to_owned(),
            action: "delivery.correct".to_owned(),
            subject: id.to_string(),
            detail: json!({}),
        };
        chancery::store::audit::append(&mut tx, &[entry], now());
        tx.commit().await.unwrap();
        // Whether it begins, and what stands in the way: another history, the account, the unit or post.
        let begins = async || {
            let mut tx = store.begin().await.unwrap();
            let all = corrections::hindrances(&mut tx, std::slice::from_ref(&id), later(2), now()).await;
            let it = all.unwrap().remove(0);
            let begun = corrections::begin(&mut tx, (&id, 1), &ours, at(2)).await.unwrap();
            (begun, [it.moved, it.account_unfit, it.withdrawn])
        };
        let mut raw = fresh.raw().await;
        let mut all = vec![
            ("accounts SET status", "'connected'", "'paused'", 1),
            ("accounts SET removed_at", "NULL", "updated_at", 1),
            ("units SET closed_on", "NULL", "'2026-09-01'", 2),
            ("posts SET removed_at", "NULL", "updated_at", 2),
        ];
        if let Raw::Postgres(_) = raw {
            // Only a server comes back without what it had confirmed.
            all.push(("audit SET actor = actor, hash", "substr(hash, 2)", "'0' || hash", 0));
        }
        for (what, sound, harmed, which) in all {
            assert_eq!(begins().await, (true, [false; 3]), "{what}");
            raw.execute(&format!("UPDATE {what} = {harmed}")).await.unwrap();
            let mut seen = [false; 3];
            seen[which] = true;
            assert_eq!(begins().await, (false, seen), "{what}");
            raw.execute(&format!("UPDATE {what} = {sound}")).await.unwrap();
        }
    }

    /// What another delivery has said since a correction was asked for is not said again, unless that is meant.
    /// What has begun goes on: whatever says the same waits for it.
    async fn nothing_is_begun_that_was_said_elsewhere_since(fresh) {
        let store = &fresh.store;
        let (world, [id, other]) = two(store).await;
        let mut tx = store.begin().await.unwrap();
        let ours = holder(&mut tx, 1).await;
        assert_eq!(ask(&mut tx, &world, &id, "lặp lại").await, Some(1));
        at_work(&mut tx, &id, 1, &ours).await;
        tx.commit().await.unwrap();
        let hash = text_hash(&Content { text: "lặp lại".to_owned(), ..Content::default() });
        let mut raw = fresh.raw().await;
        let which = format!("WHERE id = '{other}'");
        let same = format!("UPDATE deliveries SET text_hash = '{hash}' {which}");
        raw.execute(&same).await.unwrap();
        let begins = async |number: i64| {
            let mut tx = store.begin().await.unwrap();
            let all = corrections::hindrances(&mut tx, std::slice::from_ref(&id), later(2), at(2).1);
            let repeated = all.await.unwrap().remove(0).repeated;
            let begun = corrections::begin(&mut tx, (&id, number), &ours, at(2)).await.unwrap();
            (begun, repeated)
        };
        assert_eq!(begins(1).await, (true, false), "what is only planned was not said");
        let out = Move {
            state: DeliveryState::Published,
            remote_id: Some("fb_2".to_owned()),
            published_ms: Some(now()),
            ..Move::stay(other.clone(), DeliveryState::Scheduled)
        };
        let mut tx = store.begin().await.unwrap();
        assert_eq!(transition(&mut tx, &[out], now()).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
        assert_eq!(begins(1).await, (false, true));
        raw.execute("UPDATE corrections SET begun_at = asked_at").await.unwrap();
        assert_eq!(begins(1).await, (true, false), "what has begun");
        let mut tx = store.begin().await.unwrap();
        assert_eq!(ask_for(&mut tx, &world, &id, "lặp lại", true).await, Some(2));
        at_work(&mut tx, &id, 2, &ours).await;
        tx.commit().await.unwrap();
        assert_eq!(begins(2).await, (true, false), "what is meant");
    }

    /// What is to be deleted is not corrected.
    async fn a_recall_ends_corrections(fresh) {
        let store = &fresh.store;
        let (world, [id, _]) = two(store).await;
        let mut tx = store.begin().await.unwrap();
        let ours = holder(&mut tx, 1).await;
        assert_eq!(ask(&mut tx, &world, &id, "một").await, Some(1));
        at_work(&mut tx, &id, 1, &ours).await;
        let wish = serde_json::from_value(json!({
            "asked_by": "usr_1", "asked_at": now(), "reason": "r", "tries": 0, "problem": null,
            "told_at": null,
        }));
        assert!(after::ask(&mut tx, &id, &wish.unwrap(), now()).await.unwrap());
        assert!(!corrections::begin(&mut tx, (&id, 1), &ours, at(2)).await.unwrap());
        assert_eq!(ask(&mut tx, &world, &id, "hai").await, None);
        tx.commit().await.unwrap();
    }

    /// What may have been said by a correction was said, and what a post says now is known.
    async fn what_was_corrected_to_was_said(fresh) {
        let store = &fresh.store;
        let (world, [id, _]) = two(store).await;
        let mut tx = store.begin().await.unwrap();
        let ours = holder(&mut tx, 1).await;
        assert_eq!(ask(&mut tx, &world, &id, "đã sửa").await, Some(1));
        at_work(&mut tx, &id, 1, &ours).await;
        let account = &world.accounts[0].id;
        let hash = text_hash(&Content { text: "đã sửa".to_owned(), ..Content::default() });
        let planned = [Planned { account_id: account, due_at: later(9), text_hash: &hash }];
        assert_eq!(neighbours::near(&mut tx, &planned, Look::Text).await.unwrap(), []);
        assert!(corrections::begin(&mut tx, (&id, 1), &ours, at(2)).await.unwrap());
        let near = neighbours::near(&mut tx, &planned, Look::Text).await.unwrap();
        assert_eq!(near.iter().map(|it| (&it.id, it.same_text)).collect::<Vec<_>>(), [(&id, true)]);
        let said = async |tx: &mut Tx| {
            let all = foreign::published(tx, account, now(), now()).await.unwrap();
            all.into_iter().map(|it| it.content.text).collect::<Vec<_>>()
        };
        let first = said(&mut tx).await;
        assert!(first.len() == 1 && first[0] != "đã sửa", "{first:?}");
        corrections::note(&mut tx, &[progress(&id, 1, S::Done)], later(3)).await.unwrap();
        assert_eq!(said(&mut tx).await, ["đã sửa"]);
        tx.commit().await.unwrap();
    }
}
