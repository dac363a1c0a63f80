//! Refresh tokens over real HTTP: refreshed in time, by one refresher, presented once whatever happens;
//! and nothing is published with an access token that has ended.

use std::time::Duration;

use chancery::domain::account::AccountStatus;
use chancery::domain::delivery::DeliveryState;
use chancery::simulator::{Fault, Kind as FaultKind, Operation, Platform};

use crate::stage::{APPLICATION, Kind, Outlet, Stage, Wanted, eventually, pass, staged};

const HOUR: Duration = Duration::from_hours(1);

/// Strikes the next call of the token endpoint.
fn spoil(stage: &Stage, kind: FaultKind) {
    stage.world().faults().push(Fault::once(Platform::X, Operation::Token, kind));
}

async fn is(stage: &Stage, outlet: &Outlet, status: AccountStatus) {
    eventually(&format!("the account is {status}"), async || {
        let is = stage.account(outlet).await.status;
        if is == status { Ok(()) } else { Err(is) }
    })
    .await;
}

/// Lets time pass until the credential has this version: more than any wait at once, and then none, so that
/// leases do not starve.
async fn step_until(stage: &Stage, outlet: &Outlet, version: i64) {
    for _ in 0..9 {
        stage.advance(Duration::from_mins(5) + Duration::from_secs(1));
        for _ in 0..30 {
            if stage.credential_version(outlet).await >= version {
                return;
            }
            pass(Duration::from_millis(100)).await;
        }
    }
    stage.refreshed(outlet, version).await;
}

staged! {
    with &[APPLICATION];

    /// After half of its life, again and again; each pair is used, and no token is presented twice.
    async fn access_tokens_are_refreshed_before_their_end(stage) {
        let outlet = stage.renewable().await;
        stage.advance(Duration::from_mins(50));
        pass(Duration::from_millis(300)).await;
        assert_eq!(stage.credential_version(&outlet).await, 1, "it was refreshed too early");
        for version in 2..=4 {
            stage.advance(HOUR);
            stage.refreshed(&outlet, version).await;
        }
        let id = stage.deliver(&outlet, &Wanted::text("With the fourth token")).await;
        stage.published(&id).await;
        assert_eq!(stage.presented(), (1, 3));
        assert_eq!(stage.told_of(&outlet).await, ["account.refresh"; 3]);
    }

    /// It waits for what is due soon; but not for so long that the token ends.
    async fn what_is_due_soon_goes_first(stage) {
        let outlet = stage.renewable().await;
        let due = chancery::clock::after(stage.now(), Duration::from_mins(70));
        let id = stage.deliver(&outlet, &Wanted::text("Due soon").at(due)).await;
        stage.advance(Duration::from_mins(62));
        pass(Duration::from_millis(400)).await;
        assert_eq!(stage.credential_version(&outlet).await, 1, "something is due in 8 minutes");
        stage.advance(Duration::from_mins(9));
        stage.published(&id).await;
        stage.advance(Duration::from_mins(6));
        stage.refreshed(&outlet, 2).await;
        stage.advance(Duration::from_mins(55));
        pass(Duration::from_millis(200)).await;
        let due = chancery::clock::after(stage.now(), Duration::from_mins(54));
        let _late = stage.deliver(&outlet, &Wanted::text("Due after the last call").at(due)).await;
        stage.advance(Duration::from_mins(52));
        stage.refreshed(&outlet, 3).await;
    }

    /// Nothing leaves with a token that has ended: the delivery waits for the next one.
    async fn nothing_is_published_with_a_token_that_has_ended(stage) {
        let outlet = stage.renewable().await;
        // Nobody can be asked for a new one.
        let away = Fault::once(Platform::X, Operation::Token, FaultKind::RateLimited {
            seconds: 1, exhausted: chancery::simulator::Exhausted::Window,
        });
        stage.world().faults().push(away.always());
        stage.advance(Duration::from_mins(121));
        let id = stage.deliver(&outlet, &Wanted::text("After its end")).await;
        eventually("it waits for the token", async || {
            let waits = stage.show(&id).await.delivery.waits_for.map(|it| it.code);
            if waits.as_deref() == Some("token_refresh") { Ok(()) } else { Err(format!("{waits:?}")) }
        })
        .await;
        assert!(stage.creates(&outlet).is_empty(), "it left with a token that has ended");
        assert_eq!(stage.account(&outlet).await.status, AccountStatus::Connected);
        stage.world().faults().clear();
        step_until(stage, &outlet, 2).await;
        stage.published(&id).await;
        assert_eq!((stage.presented(), stage.creates(&outlet).len()), ((1, 1), 1));
    }

    /// The platform says in its own words that it does not take it: people are told, what is due is
    /// held, and goes out when somebody has signed in again.
    async fn a_refused_token_asks_a_person_and_what_is_held_goes_on(stage) {
        let outlet = stage.renewable().await;
        let body = r#"{"error":"invalid_grant","error_description":"The token has been revoked."}"#;
        spoil(stage, FaultKind::Answer {
            status: 400, headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
            body: body.to_owned(), execute: false,
        });
        let due = chancery::clock::after(stage.now(), Duration::from_mins(90));
        let wanted = Wanted::text("Held until somebody signs in").at(due);
        let id = stage.deliver(&outlet, &wanted).await;
        stage.advance(HOUR);
        is(stage, &outlet, AccountStatus::NeedsReconnect).await;
        stage.became(&outlet, "refused").await;
        stage.advance(Duration::from_mins(31));
        stage.until(&id, DeliveryState::Held).await;
        stage.reconnect(&outlet).await;
        stage.published(&id).await;
        stage.advance(HOUR + Duration::from_mins(2));
        stage.refreshed(&outlet, 3).await;
        let told = stage.told_of(&outlet).await;
        assert_eq!(told, ["account.needs_reconnect", "account.change", "account.refresh"]);
        assert_eq!(stage.presented().0, 1);
    }

    /// Whatever hides what came of it: it is not presented again, the old access token is used to its
    /// end, people are told at once, and at the end somebody must sign in.
    async fn a_hidden_answer_is_told_at_once_and_the_old_token_lives_on(stage) {
        let hidden = [
            FaultKind::DropAfter,
            FaultKind::ServerError { execute: true },
            FaultKind::ServerError { execute: false },
            FaultKind::Html { execute: true },
            FaultKind::Truncate { bytes: 40 },
            FaultKind::Empty,
        ];
        for kind in hidden {
            let outlet = stage.renewable().await;
            spoil(stage, kind.clone());
            stage.advance(HOUR);
            stage.became(&outlet, "lost").await;
            eventually("people are told", async || {
                let told = stage.told_of(&outlet).await;
                if told == ["account.ending"] { Ok(()) } else { Err(format!("{kind:?} {told:?}")) }
            })
            .await;
            assert_eq!(stage.account(&outlet).await.status, AccountStatus::Connected);
            let text = format!("With the old token after {}", kind.name());
            let id = stage.deliver(&outlet, &Wanted::text(&text)).await;
            stage.published(&id).await;
            stage.advance(HOUR);
            is(stage, &outlet, AccountStatus::NeedsReconnect).await;
            assert!(stage.presented().0 <= 1, "{kind:?}: presented twice");
            stage.world().faults().clear();
        }
    }

    /// What has certainly not been looked at is presented later: then it is presented once.
    async fn what_was_not_taken_is_tried_again(stage) {
        let outlet = stage.renewable().await;
        let wrong = r#"{"error":"invalid_client","error_description":"Unknown client."}"#;
        for (status, body) in [(429, "{}"), (429, "<html>"), (401, wrong)] {
            spoil(stage, FaultKind::Answer {
                status, headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
                body: body.to_owned(), execute: false,
            });
        }
        stage.advance(HOUR);
        step_until(stage, &outlet, 2).await;
        assert!(stage.world().faults().waiting().is_empty(), "not all of them struck");
        assert_eq!(stage.presented(), (1, 1));
    }

    /// An answer that comes after somebody has signed in again is dropped.
    async fn an_answer_for_an_older_credential_is_dropped(stage) {
        let outlet = stage.renewable().await;
        spoil(stage, FaultKind::HangAfter { ms: 700 });
        stage.advance(HOUR);
        stage.became(&outlet, "presenting").await;
        stage.reconnect(&outlet).await;
        stage.became(&outlet, "superseded").await;
        assert_eq!(stage.credential_version(&outlet).await, 2);
        let id = stage.deliver(&outlet, &Wanted::text("With the person's own")).await;
        stage.published(&id).await;
        assert_eq!(stage.presented().0, 1);
    }

    /// One that is handed in once more is not presented once more.
    async fn a_token_that_was_presented_is_not_presented_for_whoever_hands_it_in(stage) {
        let outlet = stage.renewable().await;
        let credential = stage.consented(&outlet.remote_id, None);
        for version in [2, 4] {
            let change = serde_json::json!({"credential": credential});
            let change = serde_json::from_value(change).unwrap();
            let acts = stage.acts();
            chancery::service::accounts::change(acts, stage.caller(), &outlet.id, None, change)
                .await
                .unwrap();
            stage.advance(Duration::from_mins(61));
            if version == 2 {
                stage.refreshed(&outlet, 3).await;
            }
        }
        eventually("it is given up", async || {
            let rows = stage.refreshes(&outlet).await;
            let last = rows.last().map(|(_, outcome)| outcome.as_str());
            if last == Some("orphaned") { Ok(()) } else { Err(format!("{rows:?}")) }
        })
        .await;
        assert_eq!(stage.presented().0, 1);
        assert!(stage.told_of(&outlet).await.contains(&"account.ending".to_owned()));
    }
}

/// A platform that gives the same refresh token again, as nobody says that X does not, is asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_given_again_is_a_new_one() {
    let stage = Stage::start(Kind::Sqlite, &[APPLICATION]).await.unwrap();
    stage.world().change_settings(|it| it.x.refresh_rotation = false);
    let outlet = stage.renewable().await;
    for version in 2..=4 {
        stage.advance(HOUR + Duration::from_mins(1));
        stage.refreshed(&outlet, version).await;
    }
    stage.finish().await;
}

/// Four nodes plan, and one of them refreshes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_nodes_one_refreshes() {
    let Some(stage) = Stage::start(Kind::Postgres, &[APPLICATION]).await else { return };
    let others = [stage.another(&[]).await, stage.another(&[]).await, stage.another(&[]).await];
    let mut outlets = Vec::new();
    for _ in 0..6 {
        outlets.push(stage.renewable().await);
    }
    for version in 2..=5 {
        stage.advance(HOUR + Duration::from_mins(1));
        for outlet in &outlets {
            stage.refreshed(outlet, version).await;
        }
    }
    assert_eq!(stage.presented(), (1, 24));
    for node in others {
        assert!(node.stop().await);
    }
    stage.finish().await;
}
