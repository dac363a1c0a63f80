//! An access token that X does not take before its end: the create was certainly not made, so the token is
//! refreshed, once, and the delivery goes out with the next one.

use std::time::Duration;

use chancery::domain::account::AccountStatus;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::simulator::{Fault, Kind, Operation, Platform, Problem};

use crate::stage::{APPLICATION, Outlet, Stage, Wanted, eventually, on, pass, staged};

/// X does not take the access token, and creates nothing.
fn unauthorized() -> Kind {
    Kind::XProblem { problem: Problem::Unauthorized, execute: false }
}

fn refuse_refresh(stage: &Stage) {
    let body = r#"{"error":"invalid_grant","error_description":"The token has been revoked."}"#;
    let answer = Kind::Answer {
        status: 400,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: body.to_owned(),
        execute: false,
    };
    stage.world().faults().push(Fault::once(Platform::X, Operation::Token, answer));
}

/// Lets time pass in steps until something is so: a refresh is planned within a minute, and what waits for it
/// looks every few seconds.
async fn step_until(stage: &Stage, what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..60 {
        for _ in 0..4 {
            if is_so().await {
                return;
            }
            pass(Duration::from_millis(75)).await;
        }
        stage.advance(Duration::from_secs(3));
    }
    eventually(what, async || if is_so().await { Ok(()) } else { Err("not yet") }).await;
}

async fn is(stage: &Stage, outlet: &Outlet, status: AccountStatus) {
    step_until(stage, &format!("the account is {status}"), async || {
        stage.account(outlet).await.status == status
    })
    .await;
}

async fn becomes(stage: &Stage, id: &DeliveryId, wanted: DeliveryState) {
    step_until(stage, &format!("it is {wanted}"), async || {
        stage.show(id).await.delivery.state == wanted
    })
    .await;
}

/// The outcomes of its attempts, but for those that a busy machine took back before they left.
async fn outcomes(stage: &Stage, id: &DeliveryId) -> Vec<AttemptOutcome> {
    let all = stage.show(id).await.attempts.into_iter().map(|one| one.outcome);
    all.filter(|outcome| *outcome != AttemptOutcome::Withdrawn).collect()
}

staged! {
    with &[APPLICATION];

    async fn a_refused_access_token_is_refreshed_and_the_delivery_goes_out(stage) {
        let outlet = stage.renewable().await;
        stage.spoil(&outlet, unauthorized());
        let id = stage.deliver(&outlet, &Wanted::text("With the second token")).await;
        becomes(stage, &id, DeliveryState::Published).await;
        assert_eq!(stage.credential_version(&outlet).await, 2);
        assert_eq!((stage.presented(), stage.made(&outlet)), ((1, 1), 1));
        assert_eq!(stage.creates(&outlet).len(), 2);
        let made = outcomes(stage, &id).await;
        assert_eq!(made, [AttemptOutcome::Refused, AttemptOutcome::Published]);
        assert_eq!(stage.account(&outlet).await.status, AccountStatus::Connected);
        assert_eq!(stage.told_of(&outlet).await, ["account.refresh"]);
    }

    /// No other token is to be had: a person is asked, and what is held goes on when he has answered.
    async fn a_refresh_that_is_refused_asks_a_person(stage) {
        let outlet = stage.renewable().await;
        refuse_refresh(stage);
        stage.spoil(&outlet, unauthorized());
        let id = stage.deliver(&outlet, &Wanted::text("Held until somebody signs in")).await;
        is(stage, &outlet, AccountStatus::NeedsReconnect).await;
        becomes(stage, &id, DeliveryState::Held).await;
        assert_eq!(stage.told_of(&outlet).await, ["account.needs_reconnect"]);
        stage.reconnect(&outlet).await;
        becomes(stage, &id, DeliveryState::Published).await;
        assert!(stage.presented().0 <= 1, "a token was presented twice");
        assert_eq!(stage.made(&outlet), 1);
    }

    /// A token that is refused although it is new ends in a question, not in a circle.
    async fn the_next_token_is_not_refreshed_for_the_same(stage) {
        let outlet = stage.renewable().await;
        let fault = on(&outlet, Operation::Create, unauthorized());
        stage.world().faults().push(fault.always());
        let id = stage.deliver(&outlet, &Wanted::text("Refused again and again")).await;
        is(stage, &outlet, AccountStatus::NeedsReconnect).await;
        becomes(stage, &id, DeliveryState::Held).await;
        assert_eq!((stage.presented(), stage.creates(&outlet).len()), ((1, 1), 2));
        stage.world().faults().clear();
        stage.reconnect(&outlet).await;
        stage.published(&id).await;
        assert_eq!(stage.made(&outlet), 1);
    }

    /// What came of the refresh stays hidden: the token is not presented again, and a person is asked.
    async fn a_hidden_refresh_asks_a_person(stage) {
        let outlet = stage.renewable().await;
        let away = Fault::once(Platform::X, Operation::Token, Kind::DropAfter);
        stage.world().faults().push(away);
        stage.spoil(&outlet, unauthorized());
        let id = stage.deliver(&outlet, &Wanted::text("After a hidden refresh")).await;
        is(stage, &outlet, AccountStatus::NeedsReconnect).await;
        stage.reconnect(&outlet).await;
        becomes(stage, &id, DeliveryState::Published).await;
        assert_eq!((stage.presented().0, stage.made(&outlet)), (1, 1));
    }

    /// Without a refresh token there is nothing to try.
    async fn an_account_that_cannot_be_refreshed_asks_at_once(stage) {
        let outlet = stage.outlet(Platform::X).await;
        stage.spoil(&outlet, unauthorized());
        let id = stage.deliver(&outlet, &Wanted::text("Held at once")).await;
        becomes(stage, &id, DeliveryState::Held).await;
        is(stage, &outlet, AccountStatus::NeedsReconnect).await;
        assert_eq!(stage.creates(&outlet).len(), 1);
    }
}
