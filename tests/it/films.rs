//! Videos and animations on X through the whole service: whatever happens on the way, a post goes out once,
//! with the whole file; what X cannot play fails in its words, and what it is too slow for is a person's.

use std::time::Duration;

use bytes::Bytes;
use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::MediaId;
use chancery::service::deliveries;
use chancery::simulator::{Kind, Operation, Platform};
use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, Rgba, RgbaImage};
use sha2::{Digest as _, Sha256};

use crate::media::{film, film_saying};
use crate::stage::{Stage, Wanted, now, on, staged};

const ALT: &str = "Lễ thượng cờ";

async fn handed_in(stage: &Stage, bytes: Vec<u8>) -> (MediaId, String) {
    let sha256 = hex::encode(Sha256::digest(&bytes));
    (stage.hand_in(&Bytes::from(bytes)).await, sha256)
}

/// Two frames.
fn animated() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for shade in [0, 200] {
        let pixels = RgbaImage::from_pixel(8, 8, Rgba([shade, 0, 0, 255]));
        let delay = Delay::from_numer_denom_ms(250, 1);
        encoder.encode_frame(Frame::from_parts(pixels, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    bytes
}

staged! {
    async fn a_film_goes_out_once_whatever_becomes_of_its_upload(stage) {
        let (film, sha256) = handed_in(stage, film(3_000_000)).await;
        // It is begun, sent in two segments, ended, asked about, and described.
        let steps = 6;
        let mut waiting = Vec::new();
        for kind in [Kind::DropAfter, Kind::ServerError { execute: false }, Kind::WithoutId] {
            for step in 0..steps {
                let outlet = stage.outlet(Platform::X).await;
                let harmless = std::iter::repeat_n(Kind::HangAfter { ms: 1 }, step);
                for kind in harmless.chain([kind.clone()]) {
                    stage.world().faults().push(on(&outlet, Operation::Upload, kind));
                }
                let wanted = Wanted::text("with a film").picture(&film, ALT);
                waiting.push((stage.deliver(&outlet, &wanted).await, outlet, (kind.clone(), step)));
            }
        }
        for (id, outlet, what) in waiting {
            let shown = stage.published(&id).await;
            let posts = stage.posts(&outlet);
            assert_eq!((posts.len(), stage.creates(&outlet).len()), (1, 1), "{what:?}");
            let photo = &posts[0].photos[0];
            assert_eq!((&photo.sha256, photo.media_type.as_str()), (&sha256, "video/mp4"), "{what:?}");
            assert_eq!(photo.alt_text.as_deref(), Some(ALT), "{what:?}");
            assert_eq!(shown.delivery.attempt_count, 1, "{what:?}: no upload uses up an attempt");
        }
    }

    /// What X has got is not sent again: with the third segment goes on what broke off there.
    async fn an_upload_goes_on_where_it_stopped(stage) {
        let (film, _) = handed_in(stage, film(5_000_000)).await;
        stage.world().keep_calls();
        let outlet = stage.outlet(Platform::X).await;
        let harmless = std::iter::repeat_n(Kind::HangAfter { ms: 1 }, 3);
        for kind in harmless.chain([Kind::DropBefore]) {
            stage.world().faults().push(on(&outlet, Operation::Upload, kind));
        }
        let wanted = Wanted::text("with a long film").picture(&film, ALT);
        let id = stage.deliver(&outlet, &wanted).await;
        stage.published(&id).await;
        let heard = stage.world().calls();
        let segments = heard.iter().filter(|it| it.path.ends_with("/append")).count();
        assert!((3..=4).contains(&segments), "{segments} segments were sent");
        let begun = heard.iter().filter(|it| it.path.ends_with("/initialize")).count();
        assert_eq!(begun, 1);
    }

    /// Nothing of where it was taken reaches X, and everything else does.
    async fn a_film_does_not_say_where_it_was_taken(stage) {
        let place = b"+21.0285+105.8542/";
        let size = u8::try_from(place.len() + 8).unwrap();
        let told = [&[0, 0, 0, size][..], b"udta", place].concat();
        let quiet = [&[0, 0, 0, size][..], b"free", &[0; 18]].concat();
        let (film, _) = handed_in(stage, film_saying(3_000_000, &told)).await;
        let expected = hex::encode(Sha256::digest(film_saying(3_000_000, &quiet)));
        let outlet = stage.outlet(Platform::X).await;
        let id = stage.deliver(&outlet, &Wanted::text("taken somewhere").picture(&film, ALT)).await;
        stage.published(&id).await;
        assert_eq!(stage.posts(&outlet)[0].photos[0].sha256, expected);
    }

    async fn an_animated_gif_goes_out_as_one(stage) {
        let (gif, sha256) = handed_in(stage, animated()).await;
        let outlet = stage.outlet(Platform::X).await;
        let wanted = Wanted::text("with an animation").picture(&gif, ALT);
        let id = stage.deliver(&outlet, &wanted).await;
        stage.published(&id).await;
        let photo = &stage.posts(&outlet)[0].photos[0];
        assert_eq!((&photo.sha256, photo.media_type.as_str()), (&sha256, "image/gif"));
    }

    async fn what_x_cannot_play_fails_in_its_words(stage) {
        stage.world().change_settings(|it| it.x.processing_fails = true);
        let (film, _) = handed_in(stage, film(1_000)).await;
        let outlet = stage.outlet(Platform::X).await;
        let id = stage.deliver(&outlet, &Wanted::text("not to be played").picture(&film, ALT)).await;
        let shown = stage.until(&id, DeliveryState::Failed).await;
        let problem = shown.delivery.problem.unwrap();
        assert_eq!(problem.code, "refused");
        assert!(problem.detail.contains("Unsupported video format"), "{problem:?}");
        assert!(stage.creates(&outlet).is_empty(), "nothing was tried");
    }

    /// While there is time to do something about it, and not when it is too late.
    async fn work_that_will_not_be_done_in_time_is_a_persons(stage) {
        stage.world().change_settings(|it| {
            it.x.processing_s = 7_200;
            it.x.check_after_s = 3_600;
        });
        let (film, sha256) = handed_in(stage, film(1_000)).await;
        let outlet = stage.outlet(Platform::X).await;
        let publish_by = after(now(), Duration::from_mins(5));
        let wanted = Wanted::text("too slow").picture(&film, ALT).publish_by(publish_by);
        let id = stage.deliver(&outlet, &wanted).await;
        let shown = stage.until(&id, DeliveryState::NeedsHuman).await;
        assert_eq!(shown.delivery.problem.unwrap().code, "media_processing");
        assert!(stage.creates(&outlet).is_empty());
        // A later latest time is what it needs; what is there is not brought again.
        stage.world().change_settings(|it| it.x.processing_s = 1);
        deliveries::retry(stage.acts(), stage.caller(), &id).await.unwrap();
        stage.published(&id).await;
        let posts = stage.posts(&outlet);
        assert_eq!((posts.len(), &posts[0].photos[0].sha256), (1, &sha256));
    }
}
