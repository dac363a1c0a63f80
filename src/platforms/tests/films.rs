//! Videos and animations on X against its simulator: whatever happens to an upload, what is published is the
//! whole file, and nothing is published before it is ready.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::outcome::{Deferral, Outcome, PROCESSING, RefusalKind};
use super::session::{Item, ItemMedia, MediaSource, Progress, UnderWay};
use super::subjects::{Stage, Subject, item};
use crate::domain::media::MediaKind;
use crate::simulator::{Allowance, Limits, PostRecord};

const SEGMENT: u64 = 2 << 20;
const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isommp41";

/// A file of so many bytes that begins as one of its type does.
fn file(head: &[u8], size: usize) -> Bytes {
    let rest = (head.len()..size).map(|at| u8::try_from(at % 251).unwrap_or_default());
    head.iter().copied().chain(rest).collect()
}

fn showing(kind: MediaKind, mime: &str, bytes: &Bytes) -> Item {
    let media = ItemMedia {
        sha256: hex::encode(Sha256::digest(bytes)),
        mime: mime.to_owned(),
        alt: "Lễ thượng cờ".to_owned(),
        kind,
        source: MediaSource::Held(bytes.clone()),
    };
    Item { media: vec![media], ..item("Lễ thượng cờ", 0) }
}

fn film(size: usize) -> Item {
    showing(MediaKind::Video, "video/mp4", &file(MP4, size))
}

/// X alone, and what was published there.
struct Trial(Stage);

impl Trial {
    async fn new() -> Self {
        Self(Stage::new().await)
    }

    fn x(&self) -> &Subject {
        self.0.subjects.iter().find(|subject| subject.id == "x").expect("X")
    }

    fn posts(&self) -> Vec<PostRecord> {
        self.0.simulators.world().posts(self.x().side, &self.x().account)
    }

    /// Publishes, while time passes for whoever sleeps.
    async fn publish(&self, item: &Item, progress: &mut Progress) -> Outcome {
        let x = self.x();
        let session = self.0.session(&x.remote_id, &x.token);
        let leave = Box::pin(std::future::ready(Ok(())));
        let publish = self.0.client(x).publish(&session, item, progress, leave);
        self.patiently(publish).await.expect("left").value
    }

    async fn patiently<T>(&self, what: impl Future<Output = T>) -> T {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return done,
                () = tokio::task::yield_now() => {
                    if let Some(next) = self.0.clock.next_wake() {
                        self.0.clock.advance_to(next);
                    }
                }
            }
        }
    }

    fn works_for(&self, seconds: u64) {
        self.0.simulators.world().change_settings(|it| it.x.processing_s = seconds);
    }

    fn shows(&self, item: &Item) {
        let posts = self.posts();
        assert_eq!(posts.len(), 1, "{posts:?}");
        let (photo, sent) = (&posts[0].photos[0], &item.media[0]);
        assert_eq!((&photo.sha256, &photo.media_type), (&sent.sha256, &sent.mime));
        assert_eq!(photo.alt_text.as_deref(), Some(sent.alt.as_str()));
    }
}

fn deferred(outcome: &Outcome) -> &Deferral {
    let Outcome::Deferred(deferral) = outcome else { panic!("{outcome:?}") };
    deferral
}

#[tokio::test]
async fn a_film_is_there_as_a_whole_before_the_post() {
    for size in [1_000, 4 << 20, (4 << 20) + 1] {
        let trial = Trial::new().await;
        trial.works_for(7);
        let (item, mut progress) = (film(size), Progress::default());
        let said = trial.publish(&item, &mut progress).await;
        assert!(matches!(said, Outcome::Published(_)), "{size}: {said:?}");
        trial.shows(&item);
        assert!(progress.under_way.is_empty() && progress.staged.len() == 1);
    }
    let trial = Trial::new().await;
    let gif = file(b"GIF89a", 3_000);
    let item = showing(MediaKind::Animation, "image/gif", &gif);
    let said = trial.publish(&item, &mut Progress::default()).await;
    assert!(matches!(said, Outcome::Published(_)), "{said:?}");
    trial.shows(&item);
}

#[tokio::test]
async fn an_upload_goes_on_where_it_stopped() {
    let trial = Trial::new().await;
    let world = trial.0.simulators.world();
    // The beginning and two segments, and no more for a while.
    world.change_settings(|it| {
        it.rate_limits = true;
        let user = Some(Allowance { calls: 3, seconds: 900 });
        it.x.limits.insert("segments".to_owned(), Limits { user, app: None });
    });
    let (item, mut progress) = (film(5 << 20), Progress::default());
    let said = trial.publish(&item, &mut progress).await;
    assert_eq!(deferred(&said).code, "rate_limit");
    assert_eq!(progress.under_way[0].sent, 2 * SEGMENT);
    // What is kept is read again, as after a restart.
    let kept = serde_json::to_value(&progress).expect("json");
    let mut progress: Progress = serde_json::from_value(kept).expect("progress");
    trial.0.clock.advance(Duration::from_mins(16));
    // The third segment, and that this is all: within the three calls that there are.
    let said = trial.publish(&item, &mut progress).await;
    assert!(matches!(said, Outcome::Published(_)), "{said:?}");
    trial.shows(&item);
}

#[tokio::test]
async fn work_that_takes_long_is_asked_for_again_and_not_begun_again() {
    let trial = Trial::new().await;
    trial.works_for(3_600);
    let (item, mut progress) = (film(1_000), Progress::default());
    let said = trial.publish(&item, &mut progress).await;
    let deferral = deferred(&said);
    assert_eq!(deferral.code, PROCESSING);
    assert!(deferral.until.is_some_and(|until| until > trial.0.now()));
    let first = progress.under_way[0].clone();
    assert!(first.is_whole && trial.posts().is_empty());
    trial.0.clock.advance(Duration::from_hours(1));
    let said = trial.publish(&item, &mut progress).await;
    assert!(matches!(said, Outcome::Published(_)), "{said:?}");
    trial.shows(&item);
    assert_eq!(trial.posts()[0].photos[0].id, first.remote_id);
    // Another post of the same file needs no other upload while it lives.
    let again = Item { text: "Lần hai".to_owned(), ..item.clone() };
    trial.publish(&again, &mut progress).await;
    assert_eq!(trial.posts()[1].photos[0].id, first.remote_id);
    trial.works_for(1);
    trial.0.clock.advance(Duration::from_hours(22));
    let late = Item { text: "Lần ba".to_owned(), ..item };
    trial.publish(&late, &mut progress).await;
    assert_ne!(trial.posts()[2].photos[0].id, first.remote_id, "the first has expired");
}

#[tokio::test]
async fn what_x_cannot_play_is_refused_in_its_words() {
    let trial = Trial::new().await;
    trial.0.simulators.world().change_settings(|it| it.x.processing_fails = true);
    let mut progress = Progress::default();
    for item in [film(1_000), showing(MediaKind::Video, "video/mp4", &file(b"no film", 900))] {
        let said = trial.publish(&item, &mut progress).await;
        let Outcome::Refused(refusal) = said else { panic!("{said:?}") };
        assert_eq!((refusal.kind, refusal.code.as_str()), (RefusalKind::Content, "media failed"));
        assert!(refusal.detail.contains("Unsupported video format"), "{}", refusal.detail);
        assert!(trial.posts().is_empty() && progress.is_empty(), "{progress:?}");
    }
}

#[tokio::test]
async fn an_upload_that_x_has_forgotten_begins_anew() {
    let trial = Trial::new().await;
    let item = film(3 << 20);
    for is_whole in [false, true] {
        let how_far = UnderWay {
            sha256: item.media[0].sha256.clone(),
            remote_id: "77".to_owned(),
            sent: SEGMENT,
            is_whole,
            expires_at: "2027-01-01T00:00:00Z".parse().expect("instant"),
        };
        let mut progress = Progress { under_way: vec![how_far], ..Progress::default() };
        let said = trial.publish(&item, &mut progress).await;
        assert_eq!(deferred(&said).code, "upload");
        assert!(progress.is_empty(), "{progress:?}");
    }
    let mut progress = Progress::default();
    let said = trial.publish(&item, &mut progress).await;
    assert!(matches!(said, Outcome::Published(_)), "{said:?}");
    trial.shows(&item);
}
