//! Sign-ins on both databases: taken once, on their own platform, in time; forgotten after that.

use chancery::domain::connection::{Connection, ConnectionStatus, Granted, SignInProblem, Wishes};
use chancery::domain::id::{ConnectionId, PersonId};
use chancery::store::connections::{self, Kept};
use chancery::store::people::{self, Person};
use chancery::store::{Error, Store, units};
use jiff::Timestamp;

use crate::database::both;
use crate::planned;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_788_000_000 + second).unwrap()
}

async fn person(store: &Store, number: u128) -> PersonId {
    let id = PersonId::new(at(0), number);
    let person = Person {
        id: id.clone(),
        email: format!("{number}@mofa.example"),
        name: "An".to_owned(),
        administrator: true,
        disabled_at: None,
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    };
    let mut tx = store.begin().await.unwrap();
    people::insert(&mut tx, &person, None).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn begun(store: &Store, number: u128, state: &str) -> Kept {
    let person_id = person(store, number).await;
    let unit = planned::unit(number, None);
    let connection = Connection {
        id: ConnectionId::new(at(0), number),
        person_id,
        unit_id: unit.id.clone(),
        platform: "somewhere".to_owned(),
        account_id: None,
        expected_remote_id: Some("55".to_owned()),
        wishes: Wishes { languages: Some(vec!["vi".to_owned()]), ..Wishes::default() },
        status: ConnectionStatus::Waiting,
        granted: None,
        chosen: Vec::new(),
        accounts: Vec::new(),
        approved_by: None,
        problem: None,
        problem_detail: None,
        version: 1,
        created_at: at(0),
        updated_at: at(0),
        expires_at: at(600),
    };
    let kept = Kept { connection, verifier: Some(vec![1, 2]), sealed: None };
    let mut tx = store.begin().await.unwrap();
    units::insert(&mut tx, &unit).await.unwrap();
    connections::insert(&mut tx, &kept, state).await.unwrap();
    tx.commit().await.unwrap();
    kept
}

both! {
    async fn a_sign_in_is_taken_once_on_its_own_platform_and_in_time(fresh) {
        let kept = begun(&fresh.store, 1, "one").await;
        let mut tx = fresh.store.begin().await.unwrap();
        for (state, platform, second, waits) in [
            ("another", "somewhere", 1, false),
            ("one", "elsewhere", 1, false),
            ("one", "somewhere", 600, false),
            ("one", "somewhere", 599, true),
        ] {
            let found = connections::waits(&mut tx, state, platform, at(second)).await.unwrap();
            assert_eq!(found, waits, "{state} {platform} {second}");
        }
        let mut take = async |state: &str, platform: &str, now| {
            connections::take(&mut tx, state, platform, now, at(900)).await.unwrap()
        };
        assert_eq!(take("another", "somewhere", at(1)).await, None);
        assert_eq!(take("one", "elsewhere", at(1)).await, None);
        assert_eq!(take("one", "somewhere", at(600)).await, None);
        let taken = take("one", "somewhere", at(1)).await.unwrap();
        assert_eq!(taken.connection.status, ConnectionStatus::Exchanging);
        assert_eq!((taken.connection.version, &taken.verifier), (2, &kept.verifier));
        assert_eq!(taken.connection.wishes, kept.connection.wishes);
        assert_eq!(take("one", "somewhere", at(1)).await, None);
        assert!(!connections::waits(&mut tx, "one", "somewhere", at(1)).await.unwrap());
        tx.commit().await.unwrap();
    }

    async fn whoever_is_back_at_the_last_moment_has_time_to_exchange(fresh) {
        let kept = begun(&fresh.store, 1, "one").await;
        let mut tx = fresh.store.begin().await.unwrap();
        let taken = connections::take(&mut tx, "one", "somewhere", at(599), at(1199));
        let taken = taken.await.unwrap().unwrap();
        assert_eq!(taken.connection.expires_at, at(1199));
        assert_eq!(connections::expire(&mut tx, at(1198)).await.unwrap(), []);
        assert_eq!(connections::expire(&mut tx, at(1199)).await.unwrap(), [kept.connection.id]);
        tx.commit().await.unwrap();
    }

    async fn a_change_needs_the_version_that_it_was_made_from(fresh) {
        let mut kept = begun(&fresh.store, 1, "one").await;
        let mut tx = fresh.store.begin().await.unwrap();
        kept.connection.status = ConnectionStatus::Failed;
        kept.connection.granted = Some(Granted { scopes: vec!["a".to_owned()], ..Granted::default() });
        kept.connection.problem = Some(SignInProblem::OtherAccount);
        kept.connection.problem_detail = Some("55 was expected".to_owned());
        kept.connection.approved_by = Some(kept.connection.person_id.clone());
        kept.connection.chosen = vec!["55".to_owned()];
        kept.connection.updated_at = at(2);
        kept.verifier = None;
        kept.sealed = Some(vec![3]);
        connections::update(&mut tx, &kept, 1).await.unwrap();
        let stale = connections::update(&mut tx, &kept, 1).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
        kept.connection.version = 2;
        assert_eq!(connections::find(&mut tx, &kept.connection.id).await.unwrap(), Some(kept));
        tx.commit().await.unwrap();
    }

    async fn what_is_overdue_ends_and_its_secrets_are_gone(fresh) {
        let open = begun(&fresh.store, 1, "one").await;
        let mut done = begun(&fresh.store, 2, "two").await;
        let mut tx = fresh.store.begin().await.unwrap();
        done.connection.status = ConnectionStatus::Done;
        connections::update(&mut tx, &done, 1).await.unwrap();
        assert!(connections::overdue(&mut tx, at(599)).await.unwrap().is_empty());
        assert_eq!(connections::expire(&mut tx, at(599)).await.unwrap(), []);
        let ours = vec![open.connection.id.clone()];
        assert_eq!(connections::overdue(&mut tx, at(600)).await.unwrap(), ours);
        assert_eq!(connections::expire(&mut tx, at(600)).await.unwrap(), ours);
        assert_eq!(connections::expire(&mut tx, at(601)).await.unwrap(), []);
        let ended = connections::find(&mut tx, &open.connection.id).await.unwrap().unwrap();
        assert_eq!(ended.connection.status, ConnectionStatus::Expired);
        assert_eq!((ended.verifier, ended.sealed), (None, None));
        let newest = connections::list(&mut tx, None, None, 1).await.unwrap();
        assert_eq!(newest[0].id, done.connection.id);
        let before = connections::list(&mut tx, Some(&done.connection.id), None, 5).await.unwrap();
        assert_eq!(before[0].id, open.connection.id);
        assert!(connections::list(&mut tx, None, Some((&[], &[])), 5).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    }
}
