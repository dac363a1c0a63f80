//! A platform that hangs keeps nobody else waiting: neither permits nor room in the queue are shared.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::simulator::{Fault, Kind as FaultKind, Operation, Platform};

use crate::stage::{Outlet, Stage, Wanted, eventually, staged};

/// Longer than any test waits.
const FOR_EVER: u64 = 600_000;
/// Enough pages for all permits, all room of the lane and a queue before it.
const PAGES: usize = 7;

async fn outlets(stage: &Stage, platform: Platform, count: usize) -> Vec<Outlet> {
    let mut outlets = Vec::new();
    for _ in 0..count {
        outlets.push(stage.outlet(platform).await);
    }
    outlets
}

staged! {
    with &[
        ("CHANCERY_PUBLISH__WORKERS", "1"),
        ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "6s"),
        ("CHANCERY_PUBLISH__LEASE", "30s"),
    ];

    /// Facebook hangs on everything, and more pages than there is room for are due. What is due on
    /// X meanwhile goes out while the first request to Facebook has not even timed out.
    async fn a_hanging_platform_delays_no_other(stage) {
        let users = outlets(stage, Platform::X, 4).await;
        let pages = outlets(stage, Platform::Facebook, PAGES).await;
        let hang = FaultKind::HangBefore { ms: FOR_EVER };
        stage.world().faults().push(
            Fault::once(Platform::Facebook, Operation::Any, hang).always(),
        );
        let far = after(stage.now(), Duration::from_hours(1));
        let mut stuck = Vec::new();
        for page in &pages {
            stuck.push(stage.deliver(page, &Wanted::text("hangs").publish_by(far)).await);
        }
        eventually("the room of Facebook is full", async || {
            let mut publishing = 0;
            for id in &stuck {
                let state = stage.show(id).await.delivery.state;
                publishing += usize::from(state == DeliveryState::Publishing);
            }
            if publishing >= 2 { Ok(()) } else { Err(format!("{publishing} are publishing")) }
        })
        .await;
        for user in &users {
            let id = stage.deliver(user, &Wanted::text("goes out meanwhile")).await;
            stage.published(&id).await;
        }
        for id in &stuck {
            let shown = stage.show(id).await;
            let ended = shown.attempts.iter().find(|one| one.outcome != AttemptOutcome::Open);
            assert!(ended.is_none(), "X went out only after Facebook had given up: {shown:#?}");
        }
        stage.world().faults().clear();
    }
}
