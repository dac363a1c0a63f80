//! Films on Facebook, through the whole service: once, by the id that was written down before, published when
//! the platform says so, and failed when it cannot make them.

use std::time::Duration;

use bytes::Bytes;
use chancery::clock::after;
use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, MediaId};
use chancery::service::deliveries::{self, Recalling};
use chancery::simulator::{Kind, Operation, Platform};
use serde_json::json;

use crate::media::{film, film_of};
use crate::planning::{Desk, schedule_of};
use crate::stage::{Outlet, Stage, Wanted, eventually, on, staged};
use crate::world::both;

/// What becomes of a film: both kinds.
pub(crate) const KINDS: [&str; 2] = ["video", "reel"];

/// Hands in a film that is like no other.
pub(crate) async fn new_film(stage: &Stage) -> MediaId {
    let length = 150_000 + usize::from(rand::random::<u16>());
    stage.hand_in(&Bytes::from(film_of(length, (1_080, 1_920), 4_000))).await
}

/// A film with a text, as one kind.
pub(crate) async fn wanted(stage: &Stage, kind: &str, what: &str) -> Wanted {
    let media = new_film(stage).await;
    Wanted::text(what).picture(&media, "Lễ chào cờ").set(json!({ "kind": kind }))
}

async fn deliver(stage: &Stage, outlet: &Outlet, kind: &str, what: &str) -> DeliveryId {
    let wanted = wanted(stage, kind, what).await;
    stage.deliver(outlet, &wanted).await
}

/// What a state that lasts waits for.
async fn waits(stage: &Stage, id: &DeliveryId, word: &str) {
    eventually(&format!("{id} says that {word}"), async || {
        let shown = stage.show(id).await.delivery;
        let detail = shown.waits_for.map(|it| it.detail).unwrap_or_default();
        if detail.contains(word) { Ok(()) } else { Err(format!("{}: {detail}", shown.state)) }
    })
    .await;
}

staged! {
    async fn a_film_is_out_once_and_whole(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        for kind in KINDS {
            let id = deliver(stage, &outlet, kind, "a film").await;
            let out = stage.published(&id).await;
            let posts = stage.posts(&outlet);
            let post = posts.last().unwrap();
            assert_eq!(out.delivery.receipt.unwrap().remote_id, post.id, "{kind}");
            assert_eq!(post.photos[0].media_type, "video/mp4");
            assert_eq!(post.photos[0].size as u64, out.content.media[0].size_bytes, "{kind}");
            assert_eq!(out.attempts.len(), 1, "{kind}");
        }
        assert_eq!(stage.made(&outlet), 2);
    }

    async fn whatever_becomes_of_the_last_answer_it_is_out_once(stage) {
        let kinds = [
            (Kind::DropAfter, 1), (Kind::DropBefore, 2), (Kind::ServerError { execute: true }, 1),
            (Kind::ServerError { execute: false }, 2), (Kind::Empty, 1), (Kind::Html { execute: true }, 1),
        ];
        for kind in KINDS {
            for (fault, requests) in kinds.clone() {
                let name = fault.name();
                let outlet = stage.outlet(Platform::Facebook).await;
                stage.spoil(&outlet, fault);
                let id = deliver(stage, &outlet, kind, name).await;
                let out = stage.published(&id).await;
                assert_eq!(stage.made(&outlet), 1, "{kind} {name}");
                assert_eq!(out.attempts.len(), requests, "{kind} {name}: {:?}", out.attempts);
                assert_eq!(out.delivery.receipt.unwrap().remote_id, stage.posts(&outlet)[0].id);
            }
        }
    }

    /// A statement is not sent a second time without a person, but the id makes a second one impossible.
    async fn a_statement_is_made_public_by_its_id_without_asking(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        stage.spoil(&outlet, Kind::ServerError { execute: false });
        let statement = wanted(stage, "video", "a statement").await.class("statement");
        let id = stage.deliver(&outlet, &statement).await;
        stage.published(&id).await;
        assert_eq!(stage.made(&outlet), 1);
    }

    async fn it_is_published_when_the_work_is_done_and_not_before(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let hour = Duration::from_hours(1);
        stage.world().change_settings(|it| it.facebook.film_processing_ms = 3_600_000);
        let mut ids = Vec::new();
        for kind in KINDS {
            let id = deliver(stage, &outlet, kind, "slow work").await;
            waits(stage, &id, "the platform is working on it").await;
            assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Unknown);
            ids.push(id);
        }
        stage.advance(hour);
        for id in &ids {
            stage.published(id).await;
        }
        assert_eq!(stage.creates(&outlet).len(), 2, "nothing was asked for twice");
    }

    async fn what_the_platform_cannot_make_has_failed_for_certain(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let failure = Some("No such codec".to_owned());
        stage.world().change_settings(|it| it.facebook.film_failure = failure);
        for kind in KINDS {
            let id = deliver(stage, &outlet, kind, "no such codec").await;
            let ended = stage.until(&id, DeliveryState::Failed).await;
            let problem = ended.delivery.problem.unwrap();
            assert_eq!(problem.code, "processing_failed", "{kind}");
            assert!(problem.detail.contains("No such codec"), "{}", problem.detail);
            assert_eq!(ended.attempts[0].outcome, AttemptOutcome::Refused, "{kind}");
        }
        assert!(stage.posts(&outlet).is_empty());
    }

    /// Nothing is public before the last request, so what fails before is simply done again.
    async fn an_upload_that_fails_is_done_again_and_nothing_is_out_twice(stage) {
        for kind in KINDS {
            let outlet = stage.outlet(Platform::Facebook).await;
            for fault in [Kind::DropAfter, Kind::ServerError { execute: false }, Kind::Empty] {
                stage.world().faults().push(on(&outlet, Operation::Upload, fault));
            }
            let id = deliver(stage, &outlet, kind, "a bad line").await;
            stage.published(&id).await;
            assert_eq!(stage.made(&outlet), 1, "{kind}");
            assert_eq!(stage.doubts(&id).await, 1, "{kind}: only the work was waited for");
        }
    }

    async fn a_film_that_is_out_is_deleted_like_any_post(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        for kind in KINDS {
            let id = deliver(stage, &outlet, kind, "a wrong figure").await;
            stage.published(&id).await;
            let why = Recalling { reason: "A wrong figure".to_owned() };
            deliveries::recall(stage.acts(), stage.caller(), &id, why).await.unwrap();
            stage.until(&id, DeliveryState::Recalled).await;
            assert!(stage.posts(&outlet).is_empty(), "{kind}");
        }
    }

    async fn a_text_waits_for_the_film_before_it_and_then_goes_out(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        stage.world().change_settings(|it| it.facebook.film_processing_ms = 3_600_000);
        let id = deliver(stage, &outlet, "video", "slow work").await;
        waits(stage, &id, "the platform is working on it").await;
        let at = after(stage.now(), Duration::from_millis(300));
        let text = stage.deliver(&outlet, &Wanted::text("beside it").at(at)).await;
        stage.published(&text).await;
        stage.advance(Duration::from_hours(1));
        stage.published(&id).await;
    }
}

both! {
    async fn what_a_film_may_become_is_a_setting_of_its_delivery(world) {
        let desk = Desk::open(world).await;
        let stored = world.ask("POST", "/api/v1/media").body("video/mp4", film(999)).await.expect(201);
        let mut draft = desk.draft();
        draft["variants"][0]["media"] = json!([{"media_id": stored["id"], "alt": "Lễ chào cờ"}]);
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let schedule = schedule_of(&post);
        let try_with = |settings: serde_json::Value| {
            let wanted = json!({"deliveries": [{
                "account_id": desk.page, "language": "vi", "now": true, "settings": settings}]});
            let schedule = schedule.clone();
            async move { world.ask("POST", &schedule).json(&wanted).await }
        };
        let codes = |refused: &crate::world::Answer| {
            refused.faults().into_iter().map(|it| (it.0.clone(), it.1.clone())).collect::<Vec<_>>()
        };
        let refused = try_with(json!({"kind": "story"})).await;
        assert_eq!(codes(&refused)[0].1, "bad_setting", "{:?}", codes(&refused));
        let audience = json!({"kind": "reel", "feed_targeting": {"countries": ["VN"]}});
        let refused = try_with(audience).await;
        assert!(codes(&refused).iter().any(|it| it.0.ends_with("/feed_targeting")), "{:?}", codes(&refused));
        let refused = try_with(json!({"kind": "reel"})).await;
        let found: Vec<_> = codes(&refused).into_iter().map(|it| it.1).collect();
        assert_eq!(found, ["moving_shape", "moving_too_short"]);
    }
}
