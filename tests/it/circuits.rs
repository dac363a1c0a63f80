//! A platform or an account that does not answer is left alone and tried by one delivery at a time;
//! accounts refused alike are an incident, which holds what it would have spoilt.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::account::AccountStatus;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::DeliveryDetail;
use chancery::simulator::{Fault, Kind as FaultKind, Operation, Platform, Problem};
use jiff::Timestamp;

use crate::stage::{Outlet, Stage, Wanted, eventually, on, pass, staged};

/// Longer than the first wait of a circuit.
const WAIT: Duration = Duration::from_secs(61);

fn broken(outlet: &Outlet) -> Fault {
    on(outlet, Operation::Create, FaultKind::ServerError { execute: false })
}

async fn waits_for(stage: &Stage, id: &DeliveryId, code: &str) -> DeliveryDetail {
    eventually(&format!("{id} waits for {code}"), async || {
        let shown = stage.show(id).await;
        match &shown.delivery.waits_for {
            Some(waits_for) if waits_for.code == code => Ok(shown),
            other => Err(format!("{} {other:?}", shown.delivery.state)),
        }
    })
    .await
}

fn long(stage: &Stage, what: &str) -> Wanted {
    let far: Timestamp = after(stage.now(), Duration::from_hours(3));
    Wanted::text(what).publish_by(far)
}

/// One delivery on each of these accounts, whose create is answered with a 5xx.
async fn fail_once(stage: &Stage, outlets: &[Outlet]) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for outlet in outlets {
        stage.world().faults().push(broken(outlet));
        let id = stage.deliver(outlet, &long(stage, "is not answered")).await;
        eventually("it was tried", async || {
            let tries = stage.show(&id).await.attempts.len();
            let ended = stage.doubts(&id).await > 0;
            if tries > 0 && ended { Ok(()) } else { Err(format!("{tries} attempts")) }
        })
        .await;
        ids.push(id);
    }
    ids
}

async fn users(stage: &Stage, count: usize) -> Vec<Outlet> {
    let mut outlets = Vec::new();
    for _ in 0..count {
        outlets.push(stage.outlet(Platform::X).await);
    }
    outlets
}

async fn recorded(stage: &Stage, action: &str) -> usize {
    let sql = format!("SELECT subject FROM audit WHERE action = '{action}'");
    stage.setting().database.rows(&sql).await.len()
}

staged! {
    with &[
        ("CHANCERY_PUBLISH__CIRCUIT_FAILURES", "3"),
        ("CHANCERY_PUBLISH__CIRCUIT_WAIT", "1m"),
        ("CHANCERY_PUBLISH__INCIDENT_ACCOUNTS", "3"),
    ];

    /// Three failures in a row, and an account is left alone; another account is not concerned.
    async fn an_account_that_fails_is_left_alone(stage) {
        let [outlet, other] = <[Outlet; 2]>::try_from(users(stage, 2).await).unwrap();
        let same = [outlet.clone(), outlet.clone(), outlet.clone()];
        let mut ids = fail_once(stage, &same).await;
        let waiting = stage.deliver(&outlet, &long(stage, "waits for the account")).await;
        let shown = waits_for(stage, &waiting, "circuit").await;
        assert_eq!((shown.delivery.state, shown.attempts.len()), (DeliveryState::Scheduled, 0));
        let free = stage.deliver(&other, &long(stage, "is not concerned")).await;
        stage.published(&free).await;
        pass(Duration::from_millis(1_500)).await;
        assert_eq!(stage.creates(&outlet).len(), 3, "nothing goes to an account left alone");
        stage.advance(WAIT);
        ids.push(waiting);
        for id in &ids {
            stage.published(id).await;
        }
        assert_eq!(stage.creates(&outlet).len(), 7);
        assert_eq!((recorded(stage, "circuit.opened").await, recorded(stage, "circuit.closed").await), (1, 1));
    }

    /// Three accounts fail one after the other: the platform is left alone, but for what is urgent,
    /// which tries it at once and shows that it answers.
    async fn a_platform_that_fails_is_probed_by_what_is_urgent(stage) {
        let outlets = users(stage, 5).await;
        let failed = fail_once(stage, &outlets[..3]).await;
        let waiting = stage.deliver(&outlets[3], &long(stage, "waits for the platform")).await;
        waits_for(stage, &waiting, "circuit").await;
        let page = stage.outlet(Platform::Facebook).await;
        let elsewhere = stage.deliver(&page, &long(stage, "goes elsewhere")).await;
        stage.published(&elsewhere).await;
        assert_eq!(stage.creates(&outlets[3]).len(), 0);
        let urgent = long(stage, "cannot wait").class("urgent");
        let urgent = stage.deliver(&outlets[4], &urgent).await;
        stage.published(&urgent).await;
        // It answers, so the next one need not wait for the end of the pause.
        let next = stage.deliver(&outlets[4], &long(stage, "after the probe")).await;
        stage.published(&next).await;
        stage.advance(WAIT);
        for id in failed.iter().chain([&waiting]) {
            stage.published(id).await;
        }
        let attempts = stage.show(&waiting).await.delivery.attempt_count;
        assert_eq!(attempts, 1, "waiting for a circuit uses up no attempt");
    }

    /// Three accounts are refused alike: the third and all others are held, with their accounts as
    /// they were, and go out once one of them gets through.
    async fn accounts_refused_alike_are_an_incident(stage) {
        let outlets = users(stage, 5).await;
        let refused = FaultKind::XProblem { problem: Problem::Unauthorized, execute: false };
        stage.world().faults().push(Fault::once(Platform::X, Operation::Create, refused).always());
        let mut ids = Vec::new();
        for outlet in &outlets {
            let id = stage.deliver(outlet, &long(stage, "refused like others")).await;
            stage.until(&id, DeliveryState::Held).await;
            ids.push(id);
        }
        for (place, outlet) in outlets.iter().enumerate() {
            let alone = place < 2;
            let word = if alone { "account" } else { "incident" };
            waits_for(stage, &ids[place], word).await;
            let status = stage.account(outlet).await.status;
            let expected =
                if alone { AccountStatus::NeedsReconnect } else { AccountStatus::Connected };
            assert_eq!(status, expected, "{place}");
            let asked = usize::from(place < 3);
            assert_eq!(stage.creates(outlet).len(), asked, "nothing is tried after the third");
        }
        assert_eq!(recorded(stage, "incident.began").await, 1);
        // A probe that is refused alike makes the wait longer and harms nobody.
        stage.advance(WAIT);
        eventually("one more was tried", async || {
            let tried: usize = outlets.iter().map(|one| stage.creates(one).len()).sum();
            if tried == 4 { Ok(()) } else { Err(format!("{tried} creates")) }
        })
        .await;
        stage.world().faults().clear();
        for _ in 0..6 {
            stage.advance(WAIT);
            pass(Duration::from_millis(900)).await;
        }
        for id in &ids[2..] {
            stage.published(id).await;
        }
        assert_eq!((recorded(stage, "incident.began").await, recorded(stage, "incident.ended").await), (1, 1));
    }

    /// One refusal is enough when the platform speaks of the application itself.
    async fn without_credit_everything_is_held_at_once(stage) {
        let outlets = users(stage, 2).await;
        let refused = FaultKind::XProblem { problem: Problem::PaymentRequired, execute: false };
        stage.spoil(&outlets[0], refused);
        for outlet in &outlets {
            let id = stage.deliver(outlet, &long(stage, "without credit")).await;
            stage.until(&id, DeliveryState::Held).await;
            waits_for(stage, &id, "incident").await;
        }
        assert_eq!(stage.creates(&outlets[1]).len(), 0);
    }
}
