//! Posts, variants and deliveries on both databases: written as batches, changed by compare-and-set.

use std::collections::{BTreeMap, BTreeSet};

use chancery::domain::account::{Account, AccountStatus, Health};
use chancery::domain::attempt::Receipt;
use chancery::domain::class::Class;
use chancery::domain::delivery::{DeliveryProblem, DeliveryState};
use chancery::domain::id::{AccountId, DeliveryId, MediaId, PersonId, PostId, UnitId};
use chancery::domain::media::MediaKind;
use chancery::domain::parts::Part;
use chancery::domain::post::Post;
use chancery::domain::schedule::Civil;
use chancery::domain::translation::Translation;
use chancery::domain::unit::{Approval, Unit, UnitKind, UnitName};
use chancery::domain::variant::{Content, ContentMedia, Variant, text_hash};
use chancery::store::deliveries::{self, Filter, NewDelivery, NewTime};
use chancery::store::neighbours::{self, Look, Planned};
use chancery::store::people::{self, Person};
use chancery::store::{self, Store, accounts, posts, units, variants};
use jiff::Timestamp;
use serde_json::json;

use crate::database::{Raw, both};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    at("2026-09-01T00:00:00Z")
}

/// Whoever schedules everything here.
fn scheduler() -> PersonId {
    PersonId::new(now(), 900)
}

pub(crate) fn unit(number: u128, parent: Option<&Unit>) -> Unit {
    Unit {
        id: UnitId::new(now(), number),
        name: UnitName { vi: "Bộ".into(), en: "Ministry".into() },
        kind: UnitKind::Ministry,
        parent_id: parent.map(|it| it.id.clone()),
        country: None,
        time_zone: "Asia/Ho_Chi_Minh".into(),
        languages: vec!["vi".into()],
        approval: Approval::None,
        opened_on: None,
        closed_on: None,
        version: 1,
        created_at: now(),
        updated_at: now(),
    }
}

fn account(number: u128, unit: &Unit, status: AccountStatus) -> Account {
    Account {
        id: AccountId::new(now(), number),
        unit_id: unit.id.clone(),
        platform: "somewhere".into(),
        remote_id: number.to_string(),
        display_name: "Page".into(),
        handle: None,
        languages: vec!["vi".into()],
        time_zone: "Asia/Ho_Chi_Minh".into(),
        status,
        health: Health::default(),
        version: 1,
        created_at: now(),
        updated_at: now(),
    }
}

fn variant(language: &str, text: &str) -> Variant {
    let media = ContentMedia {
        media_id: MediaId::new(now(), 1),
        sha256: "ab".into(),
        kind: MediaKind::Image,
        mime: "image/png".into(),
        size_bytes: 7,
        alt: "Cờ \"đỏ\"".into(),
        moving: None,
    };
    let content = Content { text: text.into(), media: vec![media], ..Content::default() };
    let content_hash = content.hash(language);
    let translation = Translation::source(1, &content_hash);
    Variant { language: language.into(), content, content_hash, revision: 1, translation }
}

fn post(number: u128, unit: &Unit) -> Post {
    Post {
        id: PostId::new(now(), number),
        unit_id: unit.id.clone(),
        campaign_id: (number == 2).then(|| "camp_2".to_owned()),
        title: "Quốc khánh".into(),
        class: Class::Routine,
        wanted_languages: vec!["en".into()],
        source_language: "vi".into(),
        labels: vec!["lễ".into()],
        revision: 1,
        content_hash: "hash".into(),
        created_by: "usr_1".into(),
        created_at: now(),
        updated_at: now(),
    }
}

pub(crate) fn delivery(number: u128, post: &Post, account: &Account, due_at: &str) -> NewDelivery {
    let said = variant("vi", &format!("Xin chào {}", number / 10));
    let due_at = at(due_at);
    NewDelivery {
        id: DeliveryId::new(now(), number),
        post_id: post.id.clone(),
        account_id: account.id.clone(),
        unit_id: post.unit_id.clone(),
        platform: account.platform.clone(),
        language: "vi".into(),
        class: post.class,
        due_at,
        publish_by: due_at + jiff::SignedDuration::from_hours(4),
        civil: number.is_multiple_of(2).then(|| Civil {
            rules: "0123456789ab".to_owned(),
            date: "2026-09-02".into(),
            time: "09:00:00".into(),
            zone: "Asia/Ho_Chi_Minh".into(),
            offset: "+07:00".into(),
        }),
        settings: json!({}),
        text_hash: text_hash(&said.content),
        content: said.content,
        content_hash: said.content_hash,
        intended_repeat: number == 3,
        part: Part::default(),
        asks_approval: false,
        created_by: scheduler().to_string(),
        created_at: now(),
    }
}

/// A unit with two connected accounts and two posts, each with two variants.
pub(crate) struct World {
    pub(crate) unit: Unit,
    pub(crate) accounts: [Account; 2],
    pub(crate) posts: [Post; 2],
}

pub(crate) async fn seed(store: &Store) -> World {
    let unit = unit(1, None);
    let accounts = [1, 2].map(|number| account(number, &unit, AccountStatus::Connected));
    let posts = [1, 2].map(|number| post(number, &unit));
    let mut tx = store.begin().await.unwrap();
    units::insert(&mut tx, &unit).await.unwrap();
    let scheduler = Person {
        id: scheduler(),
        email: "scheduler@mofa.example".into(),
        name: "Scheduler".into(),
        administrator: true,
        disabled_at: None,
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    people::insert(&mut tx, &scheduler, None).await.unwrap();
    for account in &accounts {
        accounts::insert(&mut tx, account).await.unwrap();
    }
    posts::insert(&mut tx, &[&posts[0], &posts[1]]).await.unwrap();
    let said = [variant("vi", "Xin chào 0"), variant("en", "Hello")];
    let both = [(&posts[0].id, said.as_slice()), (&posts[1].id, said.as_slice())];
    variants::insert(&mut tx, &both, now(), rand::random).await.unwrap();
    tx.commit().await.unwrap();
    World { unit, accounts, posts }
}

async fn ids(store: &Store, filter: Filter) -> Vec<DeliveryId> {
    let mut reader = store.read().await.unwrap();
    let found = deliveries::list(&mut reader, &filter, 100).await.unwrap();
    found.into_iter().map(|one| one.id).collect()
}

both! {
    async fn a_batch_of_posts_comes_back_as_it_was_written(fresh) {
        let world = seed(&fresh.store).await;
        let mut reader = fresh.store.read().await.unwrap();
        for post in &world.posts {
            assert_eq!(posts::find(&mut reader, &post.id).await.unwrap().as_ref(), Some(post));
        }
        let [one, two] = &world.posts;
        let said = variants::of_posts(&mut reader, &[&one.id, &two.id]).await.unwrap();
        assert_eq!(said[&two.id], [variant("vi", "Xin chào 0"), variant("en", "Hello")]);
        let listed = posts::list(&mut reader, &posts::Filter::default(), 10).await.unwrap();
        assert_eq!(listed, [two.clone(), one.clone()], "newest first");
        let narrow = posts::Filter {
            unit_id: Some(world.unit.id.clone()),
            campaign_id: Some("camp_2".into()),
            class: Some(Class::Routine),
            within: Some([world.unit.id.clone()].into()),
            before: None,
        };
        assert_eq!(posts::list(&mut reader, &narrow, 10).await.unwrap(), std::slice::from_ref(two));
        let nowhere = posts::Filter { within: Some([].into()), ..Default::default() };
        assert_eq!(posts::list(&mut reader, &nowhere, 10).await.unwrap(), []);
        let second = posts::Filter { before: Some(two.id.clone()), ..Default::default() };
        assert_eq!(posts::list(&mut reader, &second, 10).await.unwrap(), std::slice::from_ref(one));
    }

    async fn a_post_changes_only_from_the_revision_that_was_seen(fresh) {
        let world = seed(&fresh.store).await;
        let mut post = world.posts[0].clone();
        let mut tx = fresh.store.begin().await.unwrap();
        post.title = "Khác".into();
        assert!(posts::update(&mut tx, &post, now()).await.unwrap());
        assert!(!posts::update(&mut tx, &post, now()).await.unwrap(), "the revision was used up");
        let revisions = posts::lock_revisions(&mut tx, &[&post.id]).await.unwrap();
        assert_eq!(revisions.get(&post.id), Some(&2));
        let other = [variant("vi", "Câu khác")];
        variants::replace(&mut tx, &post.id, &other, now(), rand::random).await.unwrap();
        let said = variants::of_posts(&mut tx, &[&post.id]).await.unwrap();
        assert_eq!(said[&post.id], other);
    }

    async fn what_carries_older_content_is_named_and_stands_in_the_way_of_removal(fresh) {
        let world = seed(&fresh.store).await;
        let [post, _] = &world.posts;
        // Number 1 says what the variant says, number 11 something else.
        let new = [
            delivery(1, post, &world.accounts[0], "2026-09-02T02:00:00Z"),
            delivery(11, post, &world.accounts[0], "2026-09-02T03:00:00Z"),
        ];
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new[0], &new[1]]).await.unwrap();
        let stale = deliveries::stale(&mut tx, &[&post.id]).await.unwrap();
        assert_eq!(stale[&post.id], [new[1].id.clone()]);
        assert!(!posts::remove(&mut tx, &post.id, 1, now()).await.unwrap());
        let open = deliveries::unfinished(&mut tx, &post.id).await.unwrap();
        assert_eq!(open.len(), 2);
        for one in &new {
            assert!(deliveries::cancel(&mut tx, &one.id, now()).await.unwrap());
        }
        assert!(posts::remove(&mut tx, &post.id, 1, now()).await.unwrap());
        assert_eq!(posts::find(&mut tx, &post.id).await.unwrap(), None);
        assert!(posts::lock_revisions(&mut tx, &[&post.id]).await.unwrap().is_empty());
    }

    async fn a_post_that_is_leaving_cannot_be_changed(fresh) {
        let world = seed(&fresh.store).await;
        let [post, _] = &world.posts;
        let new = delivery(1, post, &world.accounts[0], "2026-09-02T02:00:00Z");
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new]).await.unwrap();
        tx.commit().await.unwrap();
        let mut raw: Raw = fresh.raw().await;
        raw.execute("UPDATE deliveries SET state = 'publishing'").await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        assert!(!posts::update(&mut tx, post, now()).await.unwrap());
        assert!(!deliveries::cancel(&mut tx, &new.id, now()).await.unwrap());
        let to = NewTime { due_at: now(), publish_by: now(), civil: None, asks_approval: false };
        assert!(!deliveries::reschedule(&mut tx, (&new.id, 1), &to, "usr_2", now()).await.unwrap());
    }

    async fn deliveries_are_listed_by_every_filter_and_page_by_page(fresh) {
        let world = seed(&fresh.store).await;
        let [one, two] = &world.posts;
        let [first, second] = &world.accounts;
        let new = [
            delivery(1, one, first, "2026-09-02T02:00:00Z"),
            delivery(2, one, second, "2026-09-02T02:00:00Z"),
            delivery(3, two, first, "2026-09-03T02:00:00.001Z"),
        ];
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new[2], &new[1], &new[0]]).await.unwrap();
        deliveries::cancel(&mut tx, &new[1].id, now()).await.unwrap();
        tx.commit().await.unwrap();
        let store = &fresh.store;
        let id = |number: usize| new[number].id.clone();
        assert_eq!(ids(store, Filter::default()).await, [id(0), id(1), id(2)]);
        let states = vec![DeliveryState::Cancelled, DeliveryState::Published];
        assert_eq!(ids(store, Filter { states, ..Default::default() }).await, [id(1)]);
        let account_id = Some(first.id.clone());
        assert_eq!(ids(store, Filter { account_id, ..Default::default() }).await, [id(0), id(2)]);
        let among = Some(vec![second.id.clone()]);
        assert_eq!(ids(store, Filter { among, ..Default::default() }).await, [id(1)]);
        let among = Some(Vec::new());
        assert!(ids(store, Filter { among, ..Default::default() }).await.is_empty());
        let campaign_id = Some("camp_2".to_owned());
        assert_eq!(ids(store, Filter { campaign_id, ..Default::default() }).await, [id(2)]);
        let (unit_id, post_id) = (Some(world.unit.id.clone()), Some(one.id.clone()));
        let both = Filter { unit_id, post_id, language: Some("vi".into()), ..Default::default() };
        assert_eq!(ids(store, both).await, [id(0), id(1)]);
        let (from, to) = (Some(at("2026-09-02T02:00:00.001Z")), Some(at("2026-09-03T02:00:00.002Z")));
        assert_eq!(ids(store, Filter { from, to, ..Default::default() }).await, [id(2)]);
        let to = Some(at("2026-09-02T02:00:00Z"));
        assert!(ids(store, Filter { to, ..Default::default() }).await.is_empty());
        let after = Some((new[0].due_at, id(0)));
        assert_eq!(ids(store, Filter { after, ..Default::default() }).await, [id(1), id(2)]);
    }

    async fn a_delivery_comes_back_as_it_was_written(fresh) {
        let world = seed(&fresh.store).await;
        let new = [2, 3].map(|number| {
            delivery(number, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00.123Z")
        });
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new[0], &new[1]]).await.unwrap();
        for new in &new {
            let kept = deliveries::find(&mut tx, &new.id).await.unwrap().unwrap();
            assert_eq!(kept.state, DeliveryState::Scheduled);
            assert_eq!((kept.due_at, kept.publish_by), (new.due_at, new.publish_by));
            assert_eq!((&kept.civil, &kept.content), (&new.civil, &new.content));
            assert_eq!(kept.intended_repeat, new.intended_repeat);
            assert_eq!((kept.version, kept.attempts), (1, 0));
            assert_eq!(kept.account_zone, "Asia/Ho_Chi_Minh");
            assert!(deliveries::attempts(&mut tx, &new.id).await.unwrap().is_empty());
        }
    }

    async fn a_delivery_moves_only_from_the_version_that_was_seen(fresh) {
        let world = seed(&fresh.store).await;
        let new = delivery(1, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00Z");
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new]).await.unwrap();
        let due_at = at("2026-09-05T02:00:00Z");
        let to = NewTime { due_at, publish_by: due_at, civil: None, asks_approval: false };
        assert!(deliveries::reschedule(&mut tx, (&new.id, 1), &to, "usr_2", now()).await.unwrap());
        assert!(!deliveries::reschedule(&mut tx, (&new.id, 1), &to, "usr_2", now()).await.unwrap());
        let kept = deliveries::find(&mut tx, &new.id).await.unwrap().unwrap();
        assert_eq!((kept.due_at, kept.civil, kept.version), (due_at, None, 2));
        assert!(deliveries::cancel(&mut tx, &new.id, now()).await.unwrap());
        assert!(!deliveries::cancel(&mut tx, &new.id, now()).await.unwrap());
        assert!(!deliveries::reschedule(&mut tx, (&new.id, 3), &to, "usr_2", now()).await.unwrap());
    }

    async fn a_person_decides_only_about_what_waits_for_one(fresh) {
        let world = seed(&fresh.store).await;
        let new = [1, 2, 3, 4].map(|number| {
            delivery(number, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00Z")
        });
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        let why = DeliveryProblem { code: "c".into(), detail: "d".into(), hint: "h".into() };
        let receipt = |remote_id: &str| Receipt {
            remote_id: remote_id.into(),
            permalink: None,
            published_at: now(),
        };
        let [a, b, c, d] = &new;
        assert!(!deliveries::adopt(&mut tx, &a.id, &receipt("9"), now()).await.unwrap());
        assert!(!deliveries::give_up(&mut tx, &a.id, &why, now()).await.unwrap());
        assert!(!deliveries::retry(&mut tx, &a.id, now(), "usr_1", now()).await.unwrap());
        tx.commit().await.unwrap();
        fresh.raw().await.execute("UPDATE deliveries SET state = 'needs_human'").await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        assert!(deliveries::adopt(&mut tx, &a.id, &receipt("9"), now()).await.unwrap());
        assert!(deliveries::give_up(&mut tx, &b.id, &why, now()).await.unwrap());
        let later = at("2026-09-09T00:00:00Z");
        assert!(deliveries::retry(&mut tx, &c.id, later, "usr_1", now()).await.unwrap());
        let state = async |tx: &mut store::Tx, id: &DeliveryId| {
            deliveries::find(tx, id).await.unwrap().unwrap()
        };
        assert_eq!(state(&mut tx, &a.id).await.receipt, Some(receipt("9")));
        assert_eq!(state(&mut tx, &b.id).await.problem, Some(why));
        // What is not due yet keeps its instant, and what was due goes out now.
        let again = state(&mut tx, &c.id).await;
        assert_eq!((again.due_at, again.publish_by), (c.due_at, c.publish_by));
        assert_eq!(again.state, DeliveryState::Scheduled);
        tx.commit().await.unwrap();
        let asked = format!("UPDATE deliveries SET state = 'needs_human' WHERE id = '{}'", c.id);
        fresh.raw().await.execute(&asked).await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        let late = at("2026-09-08T20:00:00Z");
        assert!(deliveries::retry(&mut tx, &c.id, later, "usr_1", late).await.unwrap());
        let again = state(&mut tx, &c.id).await;
        assert_eq!((again.due_at, again.publish_by), (late, later));
        assert_eq!(again.created_by, c.created_by, "whoever scheduled it still may");
        tx.commit().await.unwrap();
        fresh.raw().await.execute("UPDATE people SET administrator = FALSE").await.unwrap();
        fresh.raw().await.execute(&asked).await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        assert!(deliveries::retry(&mut tx, &c.id, later, "usr_1", late).await.unwrap());
        assert_eq!(state(&mut tx, &c.id).await.created_by, "usr_1");
        tx.commit().await.unwrap();
        let mut tx = fresh.store.begin().await.unwrap();
        let twice = deliveries::adopt(&mut tx, &d.id, &receipt("9"), now()).await;
        assert!(matches!(twice, Err(store::Error::Conflict("deliveries_remote_key"))), "{twice:?}");
    }

    async fn what_stands_near_is_found_and_nothing_else(fresh) {
        let world = seed(&fresh.store).await;
        let [first, second] = &world.accounts;
        let post = &world.posts[0];
        let new = [
            delivery(1, post, first, "2026-09-02T02:00:00Z"),
            delivery(11, post, first, "2026-09-02T02:00:59Z"),
            delivery(2, post, second, "2026-09-02T02:00:00Z"),
            delivery(4, post, first, "2026-09-03T02:00:00.001Z"),
        ];
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &new.iter().collect::<Vec<_>>()).await.unwrap();
        let due_at = at("2026-09-02T02:00:00.500Z");
        let hash = &new[0].text_hash;
        let planned = [Planned { account_id: &first.id, due_at, text_hash: hash }];
        let found = neighbours::near(&mut tx, &planned, Look::TextAndTime).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|it| (it.id, it.same_text)).collect();
        let id = |number: usize| new[number].id.clone();
        assert_eq!(found, [(id(0), true), (id(3), true), (id(0), false), (id(1), false)]);
        let due_at = at("2026-09-03T02:00:00Z");
        let planned = [Planned { account_id: &first.id, due_at, text_hash: hash }];
        let found = neighbours::near(&mut tx, &planned, Look::Text).await.unwrap();
        assert_eq!(found.len(), 1, "a whole day before is not near any more: {found:?}");
        deliveries::cancel(&mut tx, &new[3].id, now()).await.unwrap();
        assert!(neighbours::near(&mut tx, &planned, Look::Text).await.unwrap().is_empty());
        let elsewhere = neighbours::elsewhere(&mut tx, &post.id).await.unwrap();
        assert_eq!(elsewhere.iter().filter(|(_, text, _)| text == hash).count(), 2);
    }

    async fn only_accounts_that_can_publish_are_fit(fresh) {
        let world = seed(&fresh.store).await;
        let child = unit(2, Some(&world.unit));
        let paused = account(3, &child, AccountStatus::Paused);
        let mut tx = fresh.store.begin().await.unwrap();
        units::insert(&mut tx, &child).await.unwrap();
        accounts::insert(&mut tx, &paused).await.unwrap();
        let asked: BTreeSet<&AccountId> = [&world.accounts[0].id, &paused.id].into();
        let fit = deliveries::fit_accounts(&mut tx, &asked).await.unwrap();
        assert_eq!(fit, BTreeMap::from([(world.accounts[0].id.clone(), world.unit.id.clone())]));
        let below = units::below(&mut tx, &world.unit.id).await.unwrap();
        assert_eq!(below, BTreeSet::from([world.unit.id.clone(), child.id.clone()]));
        assert_eq!(units::below(&mut tx, &child.id).await.unwrap().len(), 1);
    }
}
