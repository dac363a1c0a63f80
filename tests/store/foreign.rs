//! Posts that did not come from here, on both databases: how far accounts were read, what was found, and
//! what people say of it.

use chancery::domain::account::CredentialKind;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::foreign::ForeignStatus;
use chancery::domain::id::{AccountId, ForeignPostId, PersonId};
use chancery::store::credentials::{self, Credential};
use chancery::store::foreign::{self, NewPost};
use chancery::store::foreign_posts::{self, Filter};
use chancery::store::outcomes::{Move, transition};
use chancery::store::people::{self, Person};
use chancery::store::{Error, Tx, accounts, deliveries};
use jiff::{SignedDuration, Timestamp};

use crate::database::both;
use crate::planned::{self, World, now};

const HERE: &[&str] = &["somewhere"];

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

fn post(number: u128, account: &AccountId, minute: i64, open: bool) -> NewPost {
    NewPost {
        id: ForeignPostId::new(later(minute), number),
        account_id: account.clone(),
        remote_id: number.to_string(),
        permalink: (number == 1).then(|| "https://example.org/1".to_owned()),
        published_at: later(minute),
        text: format!("Bài lạ {number}"),
        open,
    }
}

async fn connect(tx: &mut Tx, account: &AccountId) {
    let kept = Credential {
        account_id: account.clone(),
        kind: CredentialKind::PageToken,
        version: 3,
        key_id: "k".into(),
        sealed: vec![1, 2],
        refresh: None,
        expires_at: None,
        updated_at: now(),
    };
    credentials::put(tx, &kept).await.unwrap();
}

/// The remote ids that pass.
async fn found(tx: &mut Tx, filter: Filter) -> Vec<String> {
    let all = foreign_posts::list(tx, &filter, 10).await.unwrap();
    all.into_iter().map(|post| post.remote_id).collect()
}

async fn published(tx: &mut Tx, world: &World, number: u128, remote_id: &str) {
    let due = "2026-09-02T02:00:00Z";
    let new = planned::delivery(number, &world.posts[0], &world.accounts[0], due);
    deliveries::insert(tx, &[&new]).await.unwrap();
    let out = Move {
        state: DeliveryState::Published,
        remote_id: Some(remote_id.to_owned()),
        published_ms: Some(later(30)),
        ..Move::stay(new.id.clone(), DeliveryState::Scheduled)
    };
    assert_eq!(transition(tx, &[out], now()).await.unwrap().len(), 1);
}

both! {
    async fn every_account_is_looked_after_from_its_connection_on(fresh) {
        let world = planned::seed(&fresh.store).await;
        let [first, second] = &world.accounts;
        let mut tx = fresh.store.begin().await.unwrap();
        assert_eq!(foreign::unknown_accounts(&mut tx, &["elsewhere"]).await.unwrap(), 0);
        assert_eq!(foreign::unknown_accounts(&mut tx, HERE).await.unwrap(), 2);
        // Both are half an hour old, which is lately; a second time changes nothing.
        foreign::begin(&mut tx, HERE, later(30), later(-30)).await.unwrap();
        foreign::begin(&mut tx, HERE, later(90), later(30)).await.unwrap();
        assert_eq!(foreign::unknown_accounts(&mut tx, HERE).await.unwrap(), 0);
        assert!(foreign::unplanned(&mut tx, HERE).await.unwrap().is_empty(), "none is connected");
        connect(&mut tx, &first.id).await;
        let unplanned = foreign::unplanned(&mut tx, HERE).await.unwrap();
        assert_eq!((unplanned.len(), &unplanned[0].account_id), (1, &first.id));
        assert_eq!(unplanned[0].since, now());
        let read = foreign::prepare(&mut tx, &[first.id.clone(), second.id.clone()]).await.unwrap();
        assert_eq!((read.len(), read[0].began_at, read[0].mark), (1, now(), now()));
        assert_eq!((read[0].credential.version, read[0].quarantined), (3, false));
        // A reading that has come less far does not move the mark back.
        assert!(foreign::read(&mut tx, &first.id, later(10), later(11)).await.unwrap());
        assert!(!foreign::read(&mut tx, &first.id, later(9), later(12)).await.unwrap());
        assert_eq!(foreign::unplanned(&mut tx, HERE).await.unwrap()[0].since, later(11));
        foreign::put_off(&mut tx, &first.id, later(20)).await.unwrap();
        assert_eq!(foreign::unplanned(&mut tx, HERE).await.unwrap()[0].since, later(20));
        accounts::remove(&mut tx, &first.id, 1, now()).await.unwrap();
        assert!(foreign::unplanned(&mut tx, HERE).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    }

    async fn an_account_of_long_ago_is_looked_after_from_now_on(fresh) {
        let world = planned::seed(&fresh.store).await;
        let mut tx = fresh.store.begin().await.unwrap();
        foreign::begin(&mut tx, HERE, later(500), later(400)).await.unwrap();
        connect(&mut tx, &world.accounts[0].id).await;
        let read = foreign::prepare(&mut tx, std::slice::from_ref(&world.accounts[0].id)).await.unwrap();
        assert_eq!(read[0].began_at, later(500));
        tx.commit().await.unwrap();
    }

    async fn what_a_delivery_has_is_none_of_them(fresh) {
        let world = planned::seed(&fresh.store).await;
        let [account, other] = world.accounts.each_ref().map(|it| it.id.clone());
        let mut tx = fresh.store.begin().await.unwrap();
        let posts = [
            post(1, &account, 1, false),
            post(2, &account, 2, false),
            post(3, &account, 3, true),
            post(4, &other, 4, false),
        ];
        foreign::insert(&mut tx, &posts, later(5)).await.unwrap();
        foreign::insert(&mut tx, &[NewPost { text: "again".into(), ..post(1, &account, 1, false) }], later(6))
            .await
            .unwrap();
        assert_eq!(found(&mut tx, Filter::default()).await, ["4", "2", "1"]);
        let known = foreign::known(&mut tx, &account, &["1", "3", "9"]).await.unwrap();
        assert_eq!(known.len(), 2);
        let open = foreign::open(&mut tx, &account).await.unwrap();
        assert_eq!((open.len(), open[0].published_at), (1, later(3)));
        published(&mut tx, &world, 10, "2").await;
        assert_eq!(found(&mut tx, Filter::default()).await, ["4", "1"]);
        assert_eq!(foreign_posts::find(&mut tx, &posts[1].id).await.unwrap(), None);
        assert_eq!(foreign_posts::find(&mut tx, &posts[2].id).await.unwrap(), None, "it is open");
        assert_eq!(foreign_posts::counts(&mut tx).await.unwrap(), [("somewhere".to_owned(), 2)]);
        let out = foreign::published(&mut tx, &account, now(), later(29)).await.unwrap();
        assert_eq!((out.len(), out[0].remote_id.as_str(), out[0].published_at), (1, "2", later(30)));
        assert!(foreign::published(&mut tx, &account, now(), later(31)).await.unwrap().is_empty());

        foreign::alarm(&mut tx, &[posts[2].id.clone(), posts[0].id.clone()]).await.unwrap();
        // Only what is open can be forgotten.
        foreign::forget(&mut tx, std::slice::from_ref(&posts[2].id)).await.unwrap();
        assert_eq!(found(&mut tx, Filter::default()).await, ["4", "3", "1"]);
        let of = |filter| found_of(filter, &account, &other, &world);
        for (name, expected) in
            [("account", &["3", "1"][..]), ("among", &["4"]), ("unit", &["4", "3", "1"]), ("from", &["4", "3"]), ("to", &["1"]), ("before", &["3", "1"]), ("explained", &[])]
        {
            let mut filter = of(name);
            if name == "before" {
                filter.before = Some(posts[3].id.clone());
            }
            assert_eq!(found(&mut tx, filter).await, expected, "{name}");
        }
        tx.commit().await.unwrap();
    }

    async fn one_is_explained_once(fresh) {
        let world = planned::seed(&fresh.store).await;
        let mut tx = fresh.store.begin().await.unwrap();
        let by = PersonId::new(now(), 9);
        let person = Person {
            id: by.clone(),
            email: "an@mofa.example".to_owned(),
            name: "An".to_owned(),
            administrator: true,
            disabled_at: None,
            version: 1,
            created_at: now(),
            updated_at: now(),
        };
        people::insert(&mut tx, &person, None).await.unwrap();
        let new = post(1, &world.accounts[0].id, 1, false);
        foreign::insert(&mut tx, std::slice::from_ref(&new), later(2)).await.unwrap();
        foreign_posts::explain(&mut tx, &new.id, &by, "Phòng báo chí", later(3)).await.unwrap();
        let again = foreign_posts::explain(&mut tx, &new.id, &by, "Ai đó", later(4)).await;
        assert!(matches!(again, Err(Error::Stale)));
        let kept = foreign_posts::find(&mut tx, &new.id).await.unwrap().unwrap();
        assert_eq!(kept.note.as_deref(), Some("Phòng báo chí"));
        assert_eq!((kept.status, kept.explained_at), (ForeignStatus::Explained, Some(later(3))));
        assert_eq!((kept.permalink.as_deref(), kept.seen_at), (Some("https://example.org/1"), later(2)));
        assert!(foreign_posts::counts(&mut tx).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    }

    async fn what_may_be_out_is_known_with_its_time(fresh) {
        let world = planned::seed(&fresh.store).await;
        let account = &world.accounts[0].id;
        let new = planned::delivery(1, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00Z");
        let mut tx = fresh.store.begin().await.unwrap();
        deliveries::insert(&mut tx, &[&new]).await.unwrap();
        assert!(foreign::unsettled(&mut tx, account).await.unwrap().is_empty());
        let asked = Move {
            state: DeliveryState::NeedsHuman,
            ..Move::stay(new.id.clone(), DeliveryState::Scheduled)
        };
        assert_eq!(transition(&mut tx, &[asked], later(7)).await.unwrap().len(), 1);
        let unsettled = foreign::unsettled(&mut tx, account).await.unwrap();
        assert_eq!((unsettled.len(), &unsettled[0].id, unsettled[0].began_at), (1, &new.id, None));
        assert_eq!((unsettled[0].state_since, &unsettled[0].content), (later(7), &new.content));
        tx.commit().await.unwrap();
    }
}

/// The filter of this name.
fn found_of(name: &str, account: &AccountId, other: &AccountId, world: &World) -> Filter {
    let none = Filter::default();
    match name {
        "account" => Filter { account_id: Some(account.clone()), ..none },
        "among" => Filter { among: Some(vec![other.clone()]), ..none },
        "unit" => Filter { unit_id: Some(world.unit.id.clone()), ..none },
        "from" => Filter { from: Some(later(3)), ..none },
        "to" => Filter { to: Some(later(3)), ..none },
        "explained" => Filter { status: Some(ForeignStatus::Explained), ..none },
        _ => none,
    }
}
