//! After an outage: what is useless by now is not sent, what is left goes out by class, one by one on
//! each account with space between, over all nodes; and what is urgent does not wait behind it.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::simulator::Platform;

use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};

const HOUR: Duration = Duration::from_hours(1);
/// Longer than the space between two.
const SPACE: Duration = Duration::from_secs(31);

/// What is planned on each account: minutes from now, class. The order in which it must go out is
/// that of the classes, and within one that of the instants.
const PLANNED: [(u64, &str); 5] =
    [(10, "routine"), (11, "evergreen"), (12, "statement"), (13, "urgent"), (14, "routine")];
const EXPECTED: [&str; 5] =
    ["13 urgent", "12 statement", "10 routine", "14 routine", "11 evergreen"];

async fn plan(stage: &Stage, outlet: &Outlet) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for (minute, class) in PLANNED {
        let wanted = Wanted::text(&format!("{minute} {class}")).class(class);
        let at = after(stage.now(), Duration::from_mins(minute));
        let wanted = wanted.at(at).publish_by(after(stage.now(), 6 * HOUR));
        ids.push(stage.deliver(outlet, &wanted).await);
    }
    ids
}

/// Waits until each account has had so many creates, and sees that no more follow.
async fn wave(stage: &Stage, outlets: &[Outlet], count: usize) {
    eventually(&format!("{count} on each account"), async || {
        let counts: Vec<usize> = outlets.iter().map(|one| stage.creates(one).len()).collect();
        assert!(counts.iter().all(|it| *it <= count), "a burst: {counts:?}, not {count}");
        if counts.iter().all(|it| *it == count) { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;
    pass(Duration::from_millis(800)).await;
    let counts: Vec<usize> = outlets.iter().map(|one| stage.creates(one).len()).collect();
    assert!(counts.iter().all(|it| *it == count), "a burst: {counts:?}, not {count}");
}

staged! {
    /// Two hours without the service; on PostgreSQL a second node joins.
    async fn a_backlog_goes_out_by_class_one_by_one_on_each_account(stage) {
        let mut outlets = Vec::new();
        for platform in [Platform::X, Platform::Facebook, Platform::X] {
            outlets.push(stage.outlet(platform).await);
        }
        let mut ids = Vec::new();
        for outlet in &outlets {
            ids.extend(plan(stage, outlet).await);
        }
        let alert = Wanted::text("useless by then").class("urgent");
        let at = after(stage.now(), Duration::from_mins(15));
        let useless = stage.deliver(&outlets[0], &alert.at(at)).await;
        stage.stop().await;
        stage.advance(2 * HOUR);
        stage.resume().await;
        let on_server = stage.setting().database.url().starts_with("postgres");
        let mut other = None;
        for count in 1..=EXPECTED.len() {
            wave(stage, &outlets, count).await;
            if on_server && count == 1 {
                other = Some(stage.another(&[]).await);
            }
            if count == 2 {
                // A node that starts anew knows nothing of who is resting.
                stage.stop().await;
                stage.resume().await;
                wave(stage, &outlets, count).await;
            }
            stage.advance(SPACE);
        }
        for id in &ids {
            stage.published(id).await;
        }
        stage.until(&useless, DeliveryState::Missed).await;
        for outlet in &outlets {
            let texts: Vec<String> = stage.creates(outlet).into_iter().map(|it| it.intent.text).collect();
            // Two nodes at once may swap neighbours; the first one was sent by one alone.
            let certain = if on_server { 1 } else { EXPECTED.len() };
            for (text, expected) in texts.iter().zip(EXPECTED).take(certain) {
                assert!(text.contains(&format!("– {expected} [")), "{texts:#?}");
            }
        }
        if let Some(other) = other {
            assert!(other.stop().await);
        }
    }

    /// What is urgent and due now goes at once on an account that is working a backlog off.
    async fn what_is_urgent_does_not_wait_behind_a_backlog(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let ids = plan(stage, &outlet).await;
        stage.stop().await;
        stage.advance(2 * HOUR);
        stage.resume().await;
        let outlets = [outlet];
        wave(stage, &outlets, 1).await;
        let urgent = Wanted::text("cannot wait").class("urgent");
        let urgent = stage.deliver(&outlets[0], &urgent).await;
        stage.published(&urgent).await;
        wave(stage, &outlets, 2).await;
        for count in 3..=ids.len() + 1 {
            stage.advance(SPACE);
            wave(stage, &outlets, count).await;
        }
    }
}
