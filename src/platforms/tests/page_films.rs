//! Our client's films against the simulated Page: what is written down before what, and what a look says.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::notes::Notes;
use super::outcome::{Alteration, Lookup, Outcome, Presence, Sighting, Witness};
use super::session::{Gone, Item, ItemMedia, MediaSource, Parts, Place, Probe, Progress};
use super::subjects::{Stage, Subject, item};
use super::{Answer, Withdrawn};
use crate::domain::media::MediaKind;
use crate::simulator::{Fault, Kind, Operation, PostRecord};

/// A film that is read in parts; it counts how much of it others hold.
#[derive(Debug)]
struct Film {
    bytes: Vec<u8>,
    held: watch::Sender<Held>,
}

/// How much is held just now, and was at most.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    now: usize,
    most: usize,
}

/// A part that somebody holds.
struct HeldPart {
    bytes: Vec<u8>,
    held: watch::Sender<Held>,
}

impl AsRef<[u8]> for HeldPart {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for HeldPart {
    fn drop(&mut self) {
        self.held.send_modify(|held| held.now -= self.bytes.len());
    }
}

impl Parts for Film {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, part: Range<u64>) -> Answer<'_, Result<Bytes, Gone>> {
        let at = |at: u64| usize::try_from(at).unwrap();
        let bytes = self.bytes[at(part.start)..at(part.end)].to_vec();
        self.held.send_modify(|held| {
            held.now += bytes.len();
            held.most = held.most.max(held.now);
        });
        let part = HeldPart { bytes, held: self.held.clone() };
        Box::pin(std::future::ready(Ok(Bytes::from_owner(part))))
    }
}

struct Set {
    stage: Stage,
    notes: Arc<Notes>,
    item: Item,
    sha256: String,
    /// Of the film.
    held: watch::Sender<Held>,
}

impl Set {
    async fn of(kind: &str) -> Self {
        Self::with(kind, 1_000_000).await
    }

    async fn with(kind: &str, size: u32) -> Self {
        let stage = Stage::new().await;
        stage.simulators.world().change_settings(|it| it.facebook.film_part_bytes = 300_000);
        let bytes: Vec<u8> = (0..size).map(|it| (it % 251) as u8).collect();
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let notes = Notes::open();
        let held = watch::Sender::default();
        let film = ItemMedia {
            sha256: sha256.clone(),
            mime: "video/mp4".to_owned(),
            alt: String::new(),
            kind: MediaKind::Video,
            source: MediaSource::Parts(Arc::new(Film { bytes, held: held.clone() })),
        };
        let item = Item {
            media: vec![film],
            settings: json!({ "kind": kind }),
            ledger: notes.clone(),
            ..item("Phim về Quốc khánh", 0)
        };
        Self { stage, notes, item, sha256, held }
    }

    fn subject(&self) -> &Subject {
        &self.stage.subjects[0]
    }

    async fn publish(&self, progress: &mut Progress) -> Result<Outcome, Withdrawn> {
        let session = self.stage.session(&self.subject().remote_id, &self.subject().token);
        let leave = Box::pin(async {
            let pages = self.notes.pages();
            let whole = pages.last().and_then(|page| page.made.as_ref()).is_some_and(|it| it.whole);
            // An attempt that finds the film whole writes nothing down.
            assert!(whole || pages.is_empty(), "it is written down before it may leave");
            Ok(())
        });
        let client = self.stage.client(self.subject());
        client.publish(&session, &self.item, progress, leave).await.map(|said| said.value)
    }

    async fn find(&self, progress: &Progress) -> Lookup {
        let session = self.stage.session(&self.subject().remote_id, &self.subject().token);
        let probe = Probe {
            delivery: Some(self.item.delivery.clone()),
            text: self.item.text.clone(),
            link: self.item.link.clone(),
            media_count: 1,
            high_water: None,
            started_at: self.stage.now(),
            remote_id: None,
            taken: Vec::new(),
            place: Place::First,
            film: true,
            made: progress.made.clone(),
            settings: self.item.settings.clone(),
        };
        self.stage.client(self.subject()).find(&session, &probe).await.value
    }

    fn fault(&self, operation: Operation, kind: Kind) {
        let fault = Fault::once(self.subject().side, operation, kind);
        self.stage.simulators.world().faults().push(fault);
    }

    fn posts(&self) -> Vec<PostRecord> {
        self.stage.simulators.world().posts(self.subject().side, &self.subject().account)
    }
}

#[tokio::test]
async fn the_id_is_written_down_before_anything_and_the_film_arrives_whole() {
    for kind in ["video", "reel"] {
        let set = Set::of(kind).await;
        let mut progress = Progress::default();
        let said = set.publish(&mut progress).await.unwrap();
        let made = progress.made.clone().unwrap();
        let Outcome::Pending(ticket) = said else { panic!("{kind}: {said:?}") };
        assert_eq!(ticket.id, made.remote_id);
        let pages: Vec<_> = set.notes.pages().into_iter().map(|page| page.made.unwrap()).collect();
        assert_eq!(pages.iter().map(|it| it.whole).collect::<Vec<_>>(), [false, true], "{kind}");
        assert!(pages.iter().all(|it| it.remote_id == made.remote_id));
        let posts = set.posts();
        assert_eq!(posts.len(), 1, "{kind}");
        assert_eq!((&posts[0].photos[0].sha256, posts[0].photos[0].size), (&set.sha256, 1_000_000));
        assert!(posts[0].text.starts_with(&set.item.text), "{}", posts[0].text);
        let Lookup::Found(receipt) = set.find(&progress).await else { panic!("{kind}") };
        assert_eq!(receipt.remote_id, posts[0].id, "{kind}");
        // Without its id it is found among the films.
        let found = set.find(&Progress::default()).await;
        assert!(matches!(found, Lookup::Found(_)), "{kind}: {found:?}");
        // Once more makes nothing more.
        let again = set.publish(&mut progress).await.unwrap();
        assert!(matches!(again, Outcome::Pending(_)), "{kind}: {again:?}");
        assert_eq!(set.posts().len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn the_size_of_a_film_costs_no_memory() {
    for kind in ["video", "reel"] {
        let set = Set::with(kind, 24_000_000).await;
        set.stage.simulators.world().change_settings(|it| it.facebook.film_part_bytes = 8 << 20);
        let said = set.publish(&mut Progress::default()).await.unwrap();
        assert!(matches!(said, Outcome::Pending(_)), "{kind}: {said:?}");
        assert_eq!(set.posts()[0].photos[0].sha256, set.sha256, "{kind}");
        let held = *set.held.borrow();
        assert!(held.most <= 16 << 20 && held.now == 0, "{kind}: {held:?}");
    }
}

#[tokio::test]
async fn whatever_the_answer_the_look_by_its_id_tells_what_was_made() {
    let kinds = [
        (Kind::DropBefore, 0),
        (Kind::DropAfter, 1),
        (Kind::CutAnswer { bytes: 20 }, 1),
        (Kind::Truncate { bytes: 5 }, 1),
        (Kind::Empty, 1),
        (Kind::Huge { bytes: 3_000_000 }, 1),
        (Kind::Redirect, 0),
        (Kind::ServerError { execute: false }, 0),
        (Kind::ServerError { execute: true }, 1),
        (Kind::Html { execute: true }, 1),
        (Kind::Graph { code: 6_000, subcode: None, execute: true }, 1),
    ];
    for film in ["video", "reel"] {
        for (kind, expected) in kinds.clone() {
            let name = kind.name();
            let set = Set::of(film).await;
            set.fault(Operation::Create, kind);
            let mut progress = Progress::default();
            let said = set.publish(&mut progress).await.unwrap();
            assert!(matches!(said, Outcome::Unknown(_)), "{film} {name}: {said:?}");
            assert_eq!(set.posts().len(), expected, "{film} {name}");
            match (set.find(&progress).await, expected) {
                (Lookup::Found(receipt), 1) => assert_eq!(receipt.remote_id, set.posts()[0].id),
                (Lookup::NotPublic, 0) => {
                    let again = set.publish(&mut progress).await.unwrap();
                    assert!(matches!(again, Outcome::Pending(_)), "{film} {name}: {again:?}");
                    assert_eq!(set.posts().len(), 1, "{film} {name}");
                }
                (other, _) => panic!("{film} {name}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_says_that_nothing_is_out_only_the_first_time() {
    let refusal = || Kind::Graph { code: 100, subcode: None, execute: false };
    let set = Set::of("video").await;
    set.fault(Operation::Create, refusal());
    let mut progress = Progress::default();
    let said = set.publish(&mut progress).await.unwrap();
    assert!(matches!(said, Outcome::Refused(_)), "{said:?}");
    set.fault(Operation::Create, refusal());
    let said = set.publish(&mut progress).await.unwrap();
    assert!(matches!(said, Outcome::Unknown(_)), "{said:?}");
    assert!(set.posts().is_empty());
}

#[tokio::test]
async fn what_is_not_ours_any_more_is_not_brought() {
    let mut set = Set::of("video").await;
    set.item.ledger = Notes::closed();
    let mut progress = Progress::default();
    let session = set.stage.session(&set.subject().remote_id, &set.subject().token);
    let leave = Box::pin(async { panic!("it must not leave") });
    let client = set.stage.client(set.subject());
    let said = client.publish(&session, &set.item, &mut progress, leave).await;
    assert!(said.is_err());
    assert!(set.posts().is_empty());
}

#[tokio::test]
async fn a_part_that_fails_is_sent_again_from_where_the_platform_stands() {
    // Carried out and not answered: the platform has the part, and says where it goes on.
    for kind in [Kind::DropAfter, Kind::DropBefore, Kind::ServerError { execute: true }] {
        let set = Set::of("video").await;
        let name = kind.name();
        set.fault(Operation::Upload, Kind::SlowDrip { ms: 0 });
        for _ in 0..2 {
            set.fault(Operation::Upload, kind.clone());
        }
        let mut progress = Progress::default();
        let said = set.publish(&mut progress).await.unwrap();
        assert!(matches!(said, Outcome::Pending(_)), "{name}: {said:?}");
        assert_eq!(set.posts()[0].photos[0].sha256, set.sha256, "{name}");
    }
    let set = Set::of("video").await;
    set.fault(Operation::Upload, Kind::SlowDrip { ms: 0 });
    for _ in 0..4 {
        set.fault(Operation::Upload, Kind::ServerError { execute: false });
    }
    let mut progress = Progress::default();
    let said = set.publish(&mut progress).await.unwrap();
    assert!(matches!(said, Outcome::Deferred(_)), "{said:?}");
    assert!(!progress.made.unwrap().whole && set.posts().is_empty());
}

#[tokio::test]
async fn it_is_published_when_the_platform_says_so_and_failed_when_it_cannot_be_made() {
    for kind in ["video", "reel"] {
        let set = Set::of(kind).await;
        let world = set.stage.simulators.world();
        world.change_settings(|it| it.facebook.film_processing_ms = 60_000);
        let mut progress = Progress::default();
        assert!(matches!(set.publish(&mut progress).await, Ok(Outcome::Pending(_))));
        let seen = set.find(&progress).await;
        assert!(matches!(seen, Lookup::Processing { .. }), "{kind}: {seen:?}");
        set.stage.clock.advance(Duration::from_mins(1));
        assert!(matches!(set.find(&progress).await, Lookup::Found(_)), "{kind}");

        let set = Set::of(kind).await;
        let failure = Some("No such codec".to_owned());
        set.stage.simulators.world().change_settings(|it| it.facebook.film_failure = failure);
        let mut progress = Progress::default();
        assert!(matches!(set.publish(&mut progress).await, Ok(Outcome::Pending(_))));
        let seen = set.find(&progress).await;
        let Lookup::Failed(refusal) = seen else { panic!("{kind}: {seen:?}") };
        assert_eq!(refusal.detail, "No such codec");
    }
}

#[tokio::test]
async fn a_film_is_seen_and_deleted_by_its_own_number() {
    for kind in ["video", "reel"] {
        let set = Set::of(kind).await;
        let mut progress = Progress::default();
        assert!(matches!(set.publish(&mut progress).await, Ok(Outcome::Pending(_))));
        let film = progress.made.unwrap().remote_id;
        let session = set.stage.session(&set.subject().remote_id, &set.subject().token);
        let client = set.stage.client(set.subject());
        let seen = client.look(&session, &film, &Place::First).await;
        assert!(matches!(&seen, Sighting::There(it) if it.remote_id == film), "{kind}: {seen:?}");
        let there = client.presence(&session, &film, &Witness::default()).await.value;
        assert_eq!(there, Presence::There, "{kind}");
        let gone = client.remove(&session, &film).await.value;
        assert_eq!(gone, Alteration::Made, "{kind}");
        assert!(set.posts().is_empty(), "{kind}");
        let there = client.presence(&session, &film, &Witness::default()).await.value;
        assert_eq!(there, Presence::Gone, "{kind}");
        let gone = client.remove(&session, &film).await.value;
        assert!(matches!(gone, Alteration::NotThere(_)), "{kind}: {gone:?}");
    }
}
