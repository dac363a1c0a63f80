//! Each check of the self-audit finds a row that was falsified by hand, and nothing in rows that are as
//! they should be, on both databases.

use chancery::domain::audit::NewEntry;
use chancery::domain::id::{AttemptId, DeliveryId, NodeId};
use chancery::domain::invariant::Invariant;
use chancery::store::jobs::Holder;
use chancery::store::publishing::Intent;
use chancery::store::self_audit::{self, Broken, Verified};
use chancery::store::{Store, audit, deliveries, nodes, publishing};
use serde_json::json;

use crate::database::{Fresh, both};
use crate::planned::{at, delivery, now, seed};

/// Three deliveries of one account, two of them published in order, and the process that did it.
struct Scene {
    ids: Vec<DeliveryId>,
    account: String,
}

fn word(action: &str, id: &DeliveryId) -> NewEntry {
    NewEntry {
        actor: "engine".into(),
        action: action.into(),
        subject: id.to_string(),
        detail: json!({}),
    }
}

async fn scene(fresh: &Fresh) -> Scene {
    let world = seed(&fresh.store).await;
    let account = &world.accounts[0];
    let new = [1, 12, 23]
        .map(|number| delivery(number, &world.posts[0], account, "2026-09-02T02:00:00Z"));
    let mut tx = fresh.store.begin().await.unwrap();
    deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
    let node = NodeId::new(now(), 1);
    let fence = nodes::register(&mut tx, &node, "test", now()).await.unwrap();
    let holder = Holder { node, fence };
    let intents: Vec<Intent> = (1..)
        .zip(&new[..2])
        .map(|(number, one)| Intent {
            id: AttemptId::new(now(), number),
            delivery_id: one.id.clone(),
            account_id: account.id.clone(),
            number: 1,
            fingerprint: "f".into(),
            high_water: None,
            cost: None,
        })
        .collect();
    publishing::open(&mut tx, &intents, &holder, now()).await.unwrap();
    let mut words: Vec<NewEntry> =
        new.iter().map(|one| word("delivery.schedule", &one.id)).collect();
    for one in &new[..2] {
        words.push(word("delivery.publishing", &one.id));
        words.push(word("delivery.published", &one.id));
    }
    audit::append(&mut tx, &words, now());
    tx.commit().await.unwrap();
    let mut raw = fresh.raw().await;
    for (place, remote) in [(0, "r1"), (1, "r2")] {
        let sql = format!(
            "UPDATE deliveries SET state = 'published', remote_id = '{remote}' WHERE id = '{}'",
            new[place].id
        );
        raw.execute(&sql).await.unwrap();
    }
    let sent = "UPDATE attempts SET outcome = 'published', sent_at =
        (SELECT d.due_at FROM deliveries AS d WHERE d.id = attempts.delivery_id)";
    raw.execute(sent).await.unwrap();
    Scene { ids: new.into_iter().map(|one| one.id).collect(), account: account.id.to_string() }
}

async fn found(store: &Store, scene: &Scene, invariant: Invariant) -> Vec<String> {
    let mut reader = store.read().await.unwrap();
    self_audit::broken(&mut reader, invariant, &scene.ids).await.unwrap()
}

async fn nothing(store: &Store, scene: &Scene) {
    for &invariant in Invariant::ALL {
        assert_eq!(found(store, scene, invariant).await, Vec::<String>::new(), "{invariant}");
    }
}

both! {
    async fn what_is_as_it_should_be_breaks_nothing(fresh) {
        let scene = scene(fresh).await;
        nothing(&fresh.store, &scene).await;
        let mut reader = fresh.store.read().await.unwrap();
        let mut words = self_audit::last_words(&mut reader, &scene.ids).await.unwrap();
        words.sort();
        let last: Vec<_> = words.iter().map(|(_, _, word)| word.as_deref()).collect();
        let published = Some("delivery.published");
        assert_eq!(last, [published, published, Some("delivery.schedule")]);
        let until = at("2026-09-02T02:00:00Z");
        let recent = self_audit::recent(&mut reader, now(), until, 9).await.unwrap();
        assert_eq!(recent.len(), 2, "what is scheduled cannot have left");
        assert_eq!(self_audit::recent(&mut reader, now(), now(), 9).await.unwrap(), []);
    }

    async fn every_falsified_row_is_found(fresh) {
        let scene = scene(fresh).await;
        let [one, two, three] = [0, 1, 2].map(|place| scene.ids[place].to_string());
        let mut raw = fresh.raw().await;
        // What the schema itself forbids is checked too: an index may be gone.
        for index in ["deliveries_publishing_key", "deliveries_remote_key"] {
            raw.execute(&format!("DROP INDEX {index}")).await.unwrap();
        }
        let rows = [
            (
                Invariant::OneCreate,
                format!("UPDATE attempts SET delivery_id = '{two}' WHERE delivery_id = '{one}'"),
                format!("UPDATE attempts SET delivery_id = '{one}' WHERE id = '{}'", AttemptId::new(now(), 1)),
                vec![two.clone()],
            ),
            (
                Invariant::InTime,
                format!("UPDATE deliveries SET due_at = publish_by WHERE id = '{one}'"),
                format!("UPDATE deliveries SET due_at = (SELECT sent_at FROM attempts WHERE delivery_id = '{one}') WHERE id = '{one}'"),
                vec![one.clone()],
            ),
            (
                Invariant::OneRemote,
                format!("UPDATE deliveries SET remote_id = 'r1' WHERE id = '{two}'"),
                format!("UPDATE deliveries SET remote_id = 'r2' WHERE id = '{two}'"),
                vec![one.clone(), two.clone()],
            ),
            (
                Invariant::Fences,
                format!("UPDATE attempts SET fence = 99 WHERE delivery_id = '{two}'"),
                format!("UPDATE attempts SET fence = 1 WHERE delivery_id = '{two}'"),
                vec![two.clone()],
            ),
            (
                Invariant::Fences,
                format!("UPDATE attempts SET node = 'another' WHERE delivery_id = '{one}'"),
                format!("UPDATE attempts SET node = (SELECT id FROM nodes) WHERE delivery_id = '{one}'"),
                vec![one.clone()],
            ),
            (
                Invariant::OnePublishing,
                "UPDATE deliveries SET state = 'publishing'".to_owned(),
                format!("UPDATE deliveries SET state = CASE WHEN id = '{three}' THEN 'scheduled' ELSE 'published' END"),
                vec![scene.account.clone()],
            ),
        ];
        for (invariant, falsify, mend, wanted) in rows {
            raw.execute(&falsify).await.unwrap();
            let mut seen = found(&fresh.store, &scene, invariant).await;
            seen.sort();
            assert_eq!(seen, wanted, "{invariant}: {falsify}");
            raw.execute(&mend).await.unwrap();
            nothing(&fresh.store, &scene).await;
        }
    }

    /// What is published may be removed afterwards, and nothing else may happen to it.
    async fn what_went_on_after_its_end_is_found(fresh) {
        let scene = scene(fresh).await;
        let one = scene.ids[0].to_string();
        let mut tx = fresh.store.begin().await.unwrap();
        audit::append(&mut tx, &[word("delivery.vanished", &scene.ids[0])], now());
        tx.commit().await.unwrap();
        nothing(&fresh.store, &scene).await;
        let mut tx = fresh.store.begin().await.unwrap();
        audit::append(&mut tx, &[word("delivery.scheduled", &scene.ids[0])], now());
        tx.commit().await.unwrap();
        assert_eq!(found(&fresh.store, &scene, Invariant::FinalStays).await, [one]);
    }

    async fn a_violation_is_noted_once(fresh) {
        let mut tx = fresh.store.begin().await.unwrap();
        let kept = self_audit::verified(&mut tx).await.unwrap();
        assert_eq!((kept.seq, kept.hash.as_str(), kept.at), (0, "", None));
        assert_eq!(self_audit::head(&mut tx).await.unwrap(), (0, String::new()));
        let one = Broken {
            invariant: Invariant::Chain,
            subject: "audit:3".into(),
            detail: json!({"what": "changed"}),
        };
        let two = Broken { subject: "audit:4".into(), ..one.clone() };
        let new = self_audit::note(&mut tx, std::slice::from_ref(&one), now()).await.unwrap();
        assert_eq!(new, [(Invariant::Chain, "audit:3".to_owned())]);
        let later = at("2026-09-02T00:00:00Z");
        let new = self_audit::note(&mut tx, &[one.clone(), two], later).await.unwrap();
        assert_eq!(new, [(Invariant::Chain, "audit:4".to_owned())]);
        let listed = self_audit::violations(&mut tx, 9).await.unwrap();
        let seen: Vec<_> = listed.iter().map(|it| (it.subject.as_str(), it.found_at)).collect();
        assert_eq!(seen, [("audit:4", later), ("audit:3", now())]);
        assert_eq!(listed[0].detail, one.detail);
        let counts = self_audit::counts(&mut tx, now()).await.unwrap();
        assert_eq!(counts, [(Invariant::Chain, 2)]);
        let counts = self_audit::counts(&mut tx, later).await.unwrap();
        assert_eq!(counts, [(Invariant::Chain, 1)]);
        let verified =
            Verified { seq: 4, hash: "ab".into(), at: Some(later), checked: 7, signed_at: Some(later) };
        self_audit::keep(&mut tx, &verified).await.unwrap();
        assert_eq!(self_audit::verified(&mut tx).await.unwrap(), verified);
    }
}
