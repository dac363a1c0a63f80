//! Sign-ins that nobody finishes: the engine ends them, and what was sealed in them is gone.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::connection::{Connection, ConnectionStatus, Wishes};
use chancery::domain::id::ConnectionId;
use chancery::simulator::Platform;
use chancery::store::connections::{self, Kept};

use crate::stage::{eventually, staged};

/// How long it may still be finished.
const LEFT: Duration = Duration::from_secs(40);

staged! {
    async fn what_nobody_finishes_is_ended_with_its_secrets(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let store = &stage.acts().store;
        let now = stage.now();
        let connection = Connection {
            id: ConnectionId::new(now, 1),
            person_id: stage.caller().actor.person_id.clone(),
            unit_id: stage.account(&outlet).await.unit_id,
            platform: "x".to_owned(),
            account_id: None,
            expected_remote_id: None,
            wishes: Wishes::default(),
            status: ConnectionStatus::Waiting,
            granted: None,
            chosen: Vec::new(),
            accounts: Vec::new(),
            approved_by: None,
            problem: None,
            problem_detail: None,
            version: 1,
            created_at: now,
            updated_at: now,
            expires_at: after(now, LEFT),
        };
        let mut kept = Kept { connection, verifier: Some(vec![1, 2]), sealed: Some(vec![3]) };
        let mut tx = store.begin().await.unwrap();
        connections::insert(&mut tx, &kept, "a state").await.unwrap();
        kept.connection.status = ConnectionStatus::Granted;
        connections::update(&mut tx, &kept, 1).await.unwrap();
        tx.commit().await.unwrap();

        let id = kept.connection.id.clone();
        eventually("it is forgotten", async || {
            let found = connections::find(&mut store.read().await.unwrap(), &id).await.unwrap().unwrap();
            let over = found.connection.status == ConnectionStatus::Expired;
            if over && (&found.verifier, &found.sealed) == (&None, &None) {
                return Ok(());
            }
            assert!(!over && found.sealed.is_some() && found.verifier.is_some(), "{found:?}");
            // In steps: nothing else is to be late by a minute.
            stage.advance(Duration::from_millis(500));
            Err(format!("{found:?}"))
        })
        .await;
        assert!(stage.now() >= after(now, LEFT), "before its time");
        let sql = format!("SELECT actor FROM audit WHERE action = 'connection.expire' AND subject = '{id}'");
        assert_eq!(stage.setting().database.rows(&sql).await, [["engine"]]);
    }
}
