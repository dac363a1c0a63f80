//! Mastodon and Bluesky through the whole service: each delivery goes out once whatever the answers look
//! like, and what is out can be taken back.

use chancery::domain::delivery::DeliveryState;
use chancery::service::deliveries::{self, Recalling};
use chancery::simulator::{Kind, Platform};

use crate::stage::{Ground, Kind as Database, Stage, Wanted};

/// A service that knows where both are.
async fn stage(kind: Database) -> Option<Stage> {
    let ground = Ground::lay().await;
    let (mastodon, bluesky) = (ground.simulators.mastodon_url(), ground.simulators.bluesky_url());
    let options = [
        ("CHANCERY_MASTODON__SERVERS", mastodon.as_str()),
        ("CHANCERY_BLUESKY__SERVICE_URL", bluesky.as_str()),
        ("CHANCERY_BLUESKY__WEB_URL", bluesky.as_str()),
        ("CHANCERY_MASTODON__LOOKS_PER_ACCOUNT", ""),
        ("CHANCERY_BLUESKY__LOOKS_PER_ACCOUNT", ""),
    ];
    Stage::upon(ground, kind, &options).await
}

async fn each_goes_out_once(kind: Database) {
    let Some(stage) = stage(kind).await else { return };
    // A server that has lost its memory of keys: the help is gone, the promise is not.
    stage.world().change_settings(|it| it.mastodon.idempotency_s = None);
    for platform in [Platform::Mastodon, Platform::Bluesky] {
        for fault in [
            None,
            Some(Kind::DropAfter),
            Some(Kind::DropBefore),
            Some(Kind::ServerError { execute: true }),
            Some(Kind::Html { execute: false }),
            Some(Kind::Truncate { bytes: 9 }),
        ] {
            let outlet = stage.outlet(platform).await;
            let name = fault.as_ref().map_or("none", Kind::name);
            if let Some(fault) = fault {
                stage.spoil(&outlet, fault);
            }
            let wanted = Wanted::text("Thông báo số 7").link("https://mofa.example/tin?a=1&b=2");
            let id = stage.deliver(&outlet, &wanted).await;
            let shown = stage.published(&id).await;
            let posts = stage.posts(&outlet);
            assert_eq!((posts.len(), stage.made(&outlet)), (1, 1), "{platform:?} {name}");
            let receipt = shown.delivery.receipt.expect("a receipt");
            assert_eq!(receipt.remote_id, posts[0].id, "{platform:?} {name}");
            assert!(receipt.permalink.is_some_and(|link| link.contains(&posts[0].id)));
        }
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_goes_out_once_on_sqlite() {
    Box::pin(each_goes_out_once(Database::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_goes_out_once_on_postgres() {
    Box::pin(each_goes_out_once(Database::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_out_is_taken_back() {
    let Some(stage) = stage(Database::Sqlite).await else { return };
    for platform in [Platform::Mastodon, Platform::Bluesky] {
        let outlet = stage.outlet(platform).await;
        let id = stage.deliver(&outlet, &Wanted::text("a wrong figure")).await;
        stage.published(&id).await;
        let why = Recalling { reason: "A wrong figure".to_owned() };
        deliveries::recall(stage.acts(), stage.caller(), &id, why).await.expect("asked for");
        stage.until(&id, DeliveryState::Recalled).await;
        assert!(stage.posts(&outlet).is_empty(), "{platform:?}");
    }
    stage.finish().await;
}
