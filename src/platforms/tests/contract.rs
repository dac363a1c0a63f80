//! The contract of every platform, case by case against its simulator: what each end of a create is taken
//! for, what each look finds, and what comes of reading, deleting and asking.
//!
//! Cases are counted: a platform that skips one fails.

use std::time::Duration;

use serde_json::Value;

use super::outcome::{Deferral, Lookup, NoPost, Outcome, OwnerError, Presence, Sighting, Witness};
use super::session::{Item, Metered, Place, Probe, Progress};
use super::subjects::{Stage, Subject, item};
use super::{Withdrawn, outcome::RefusalKind};
use crate::clock::{after, before};
use crate::simulator::{Death, Exhausted, Fault, Kind, Operation, PostRecord};

/// One platform with its stage, and what was tried on it.
struct Trial<'a> {
    stage: &'a Stage,
    subject: &'a Subject,
    cases: usize,
}

impl Trial<'_> {
    fn posts(&self) -> Vec<PostRecord> {
        self.stage.simulators.world().posts(self.subject.side, &self.subject.account)
    }

    fn fault(&self, operation: Operation, kind: Kind) {
        let fault = Fault::once(self.subject.side, operation, kind);
        self.stage.simulators.world().faults().push(fault);
    }

    async fn publish(&self, item: &Item, progress: &mut Progress) -> Metered<Outcome> {
        let session = self.stage.session(&self.subject.remote_id, &self.subject.token);
        let leave = Box::pin(std::future::ready(Ok(())));
        self.stage
            .client(self.subject)
            .publish(&session, item, progress, leave)
            .await
            .expect("left")
    }

    /// A create that ends so, what was said of it, and how many posts it made.
    async fn create(&self, kind: Option<Kind>) -> (Item, Outcome, usize) {
        let item = item(&format!("Thông báo {}", rand::random::<u32>()), 0);
        let already = self.posts().len();
        if let Some(kind) = kind {
            self.fault(Operation::Create, kind);
        }
        let said = self.publish(&item, &mut Progress::default()).await.value;
        assert!(self.stage.simulators.world().faults().waiting().is_empty(), "{}", self.subject.id);
        (item, said, self.posts().len() - already)
    }

    fn probe(&self, item: &Item) -> Probe {
        Probe {
            delivery: Some(item.delivery.clone()),
            text: item.text.clone(),
            link: item.link.clone(),
            media_count: item.media.len(),
            high_water: None,
            started_at: self.stage.now(),
            remote_id: None,
            taken: Vec::new(),
            place: Place::First,
            settings: Value::Null,
            film: false,
            made: None,
        }
    }

    async fn find(&self, probe: &Probe) -> Lookup {
        let session = self.stage.session(&self.subject.remote_id, &self.subject.token);
        self.stage.client(self.subject).find(&session, probe).await.value
    }

    fn foreign(&self, text: &str) -> String {
        let world = self.stage.simulators.world();
        world.insert_foreign(self.subject.side, &self.subject.account, text).expect("a post")
    }

    fn case(&mut self) {
        self.cases += 1;
    }
}

/// Runs a part of the contract on every platform; all of them run the same number of cases.
async fn on_all(expected: usize, part: impl AsyncFn(&mut Trial<'_>)) {
    let stage = Stage::new().await;
    for subject in &stage.subjects {
        let mut trial = Trial { stage: &stage, subject, cases: 0 };
        part(&mut trial).await;
        assert_eq!(trial.cases, expected, "{}: cases", subject.id);
        eprintln!("{}: {} cases", subject.id, trial.cases);
    }
}

#[tokio::test]
async fn whatever_is_no_word_of_the_platform_is_a_doubt() {
    on_all(15, async |trial| {
        let id = trial.subject.id;
        let (_, said, made) = trial.create(None).await;
        assert!(matches!(said, Outcome::Published(_)) && made == 1, "{id}: {said:?}");
        trial.case();
        // Carried out or not, whatever shows no well-formed word of the platform is a doubt.
        let doubtful = [
            (Kind::DropBefore, 0),
            (Kind::DropAfter, 1),
            (Kind::CutAnswer { bytes: 20 }, 1),
            (Kind::Truncate { bytes: 9 }, 1),
            (Kind::WithoutId, 1),
            (Kind::Empty, 1),
            (Kind::Huge { bytes: 3_000_000 }, 1),
            (Kind::Redirect, 0),
            (Kind::ServerError { execute: false }, 0),
            (Kind::ServerError { execute: true }, 1),
            (Kind::Html { execute: false }, 0),
            (Kind::Html { execute: true }, 1),
        ];
        for (kind, expected) in doubtful {
            let name = kind.name();
            let (item, said, made) = trial.create(Some(kind)).await;
            assert!(matches!(said, Outcome::Unknown(_)), "{id} {name}: {said:?}");
            assert_eq!(made, expected, "{id} {name}");
            let found = trial.find(&trial.probe(&item)).await;
            let is_true = match (&found, made) {
                (Lookup::Found(_), 1) | (Lookup::Absent, 0) => true,
                (
                    Lookup::Found(_)
                    | Lookup::Absent
                    | Lookup::Several(_)
                    | Lookup::Similar(_)
                    | Lookup::Processing { .. }
                    | Lookup::NotPublic
                    | Lookup::Failed(_)
                    | Lookup::CannotSee { .. },
                    _,
                ) => false,
            };
            assert!(is_true, "{id} {name}: {found:?}");
            trial.case();
        }
        for execute in [false, true] {
            let body = "<html>Just a moment...</html>".to_owned();
            let headers = std::collections::BTreeMap::new();
            let kind = Kind::Answer { status: 403, headers, body, execute };
            let (_, said, _) = trial.create(Some(kind)).await;
            assert!(matches!(said, Outcome::Unknown(_)), "{id} 403 of an edge: {said:?}");
            trial.case();
        }
    })
    .await;
}

#[tokio::test]
async fn each_refusal_of_a_create_is_taken_for_what_it_is() {
    on_all(3, async |trial| {
        let id = trial.subject.id;
        let limited = Kind::RateLimited { seconds: 60, exhausted: Exhausted::Window };
        let (_, said, made) = trial.create(Some(limited)).await;
        let Outcome::Deferred(Deferral { until, whole_account, .. }) = said else {
            panic!("{id}: {said:?}")
        };
        let end = after(trial.stage.now(), Duration::from_mins(1));
        assert!(made == 0 && whole_account && until.is_some_and(|it| it >= end), "{id}: {until:?}");
        trial.case();
        let mut told = 0;
        for (kind, meaning) in trial.subject.refusals.clone() {
            let (_, said, made) = trial.create(Some(kind)).await;
            let Outcome::Refused(refusal) = said else { panic!("{id} {meaning:?}: {said:?}") };
            assert_eq!((refusal.kind, made), (meaning, 0), "{id}: {refusal:?}");
            let common = [RefusalKind::Content, RefusalKind::Credential];
            if common.contains(&meaning) {
                trial.case();
            }
            told += 1;
        }
        assert!(told >= 4, "{id}: it has more words than these");
    })
    .await;
}

#[tokio::test]
async fn what_may_not_leave_does_not() {
    on_all(2, async |trial| {
        let id = trial.subject.id;
        let session = trial.stage.session(&trial.subject.remote_id, &trial.subject.token);
        let client = trial.stage.client(trial.subject);
        let (already, mut progress) = (trial.posts().len(), Progress::default());
        let no = Box::pin(std::future::ready(Err(Withdrawn)));
        let taken = item("Withdrawn", 1);
        assert_eq!(
            client.publish(&session, &taken, &mut progress, no).await,
            Err(Withdrawn),
            "{id}"
        );
        assert_eq!(trial.posts().len(), already, "{id}: taken back before it left");
        trial.case();
        let dead = trial.stage.session(&trial.subject.remote_id, "no such token");
        let yes = Box::pin(std::future::ready(Ok(())));
        let said = client.publish(&dead, &item("A", 0), &mut Progress::default(), yes).await;
        let said = said.expect("left").value;
        assert!(
            matches!(&said, Outcome::Refused(it) if it.kind == RefusalKind::Credential),
            "{id}: {said:?}"
        );
        trial.case();
    })
    .await;
}

#[tokio::test]
async fn a_hang_is_a_doubt_and_is_found_out() {
    on_all(2, async |trial| {
        let id = trial.subject.id;
        trial.stage.simulators.world().change_settings(|it| it.hang_cap_ms = 1_200);
        for (kind, made) in
            [(Kind::HangBefore { ms: 900_000 }, false), (Kind::HangAfter { ms: 900_000 }, true)]
        {
            let item = item(&format!("Treo máy {made}"), 0);
            let mut session = trial.stage.session(&trial.subject.remote_id, &trial.subject.token);
            session.timeout = Duration::from_millis(600);
            let client = trial.stage.client(trial.subject);
            // What comes before the create is not to be in a hurry.
            let _owner = client.owner(&session).await;
            trial.fault(Operation::Create, kind);
            let leave = Box::pin(std::future::ready(Ok(())));
            let mut progress = Progress::default();
            let said = client.publish(&session, &item, &mut progress, leave).await.expect("left");
            assert!(matches!(said.value, Outcome::Unknown(_)), "{id}: {:?}", said.value);
            let found = trial.find(&trial.probe(&item)).await;
            assert_eq!(matches!(found, Lookup::Found(_)), made, "{id}: {found:?}");
            assert_eq!(matches!(found, Lookup::Absent), !made, "{id}: {found:?}");
            trial.case();
        }
    })
    .await;
}

#[tokio::test]
async fn pictures_arrive_once_in_order_and_with_their_texts() {
    on_all(3, async |trial| {
        let id = trial.subject.id;
        let item = item("Hai ảnh", 2);
        let mut progress = Progress::default();
        trial.fault(Operation::Create, Kind::Html { execute: false });
        let lost = trial.publish(&item, &mut progress).await.value;
        assert!(
            matches!(lost, Outcome::Unknown(_)) && progress.staged.len() == 2,
            "{id}: {lost:?}"
        );
        trial.case();
        // A second upload would not be answered.
        trial.fault(Operation::Upload, Kind::WithoutId);
        let said = trial.publish(&item, &mut progress).await.value;
        let published = matches!(said, Outcome::Published(_));
        // Whether it is still there may be asked, what is there is not brought again.
        trial.stage.simulators.world().faults().clear();
        let again = trial.publish(&item, &mut progress).await.value;
        assert!(published || matches!(again, Outcome::Published(_)), "{id}: {said:?} {again:?}");
        trial.case();
        let post = trial.posts().pop().expect("a post");
        let alt: Vec<Option<&str>> =
            post.photos.iter().map(|photo| photo.alt_text.as_deref()).collect();
        assert_eq!(alt, [Some("Lá cờ đỏ sao vàng"); 2], "{id}");
        trial.case();
    })
    .await;
}

/// What may be it, or is.
fn alike(found: &Lookup) -> Vec<&str> {
    match found {
        Lookup::Found(post) => vec![post.remote_id.as_str()],
        Lookup::Similar(posts) => posts.iter().map(|post| post.remote_id.as_str()).collect(),
        Lookup::Absent
        | Lookup::Several(_)
        | Lookup::Processing { .. }
        | Lookup::NotPublic
        | Lookup::Failed(_)
        | Lookup::CannotSee { .. } => Vec::new(),
    }
}

#[tokio::test]
async fn each_look_finds_what_is_there_and_nothing_else() {
    on_all(9, async |trial| {
        let (id, by_key) = (trial.subject.id, trial.subject.by_key);
        let plain = |text: &str| Item { link: None, ..item(text, 0) };
        let never = plain("Never sent at all");
        assert_eq!(trial.find(&trial.probe(&never)).await, Lookup::Absent, "{id}");
        trial.case();
        let sent = plain("Thông báo số 7 về lễ hội");
        let said = trial.publish(&sent, &mut Progress::default()).await.value;
        let Outcome::Published(receipt) = said else { panic!("{id}: {said:?}") };
        let found = trial.find(&trial.probe(&sent)).await;
        assert!(matches!(&found, Lookup::Found(it) if it.remote_id == receipt.remote_id), "{id}");
        trial.case();
        if !by_key {
            let taken = Probe { taken: vec![receipt.remote_id.clone()], ..trial.probe(&sent) };
            assert_eq!(trial.find(&taken).await, Lookup::Absent, "{id}: it is another delivery's");
            let later = Probe { high_water: Some(receipt.remote_id.clone()), ..trial.probe(&sent) };
            assert_eq!(trial.find(&later).await, Lookup::Absent, "{id}: it is older than the mark");
        }
        trial.case();
        let second = trial.foreign(&sent.text);
        let found = trial.find(&trial.probe(&sent)).await;
        let as_it_should = if by_key {
            matches!(&found, Lookup::Found(it) if it.remote_id != second)
        } else {
            matches!(&found, Lookup::Several(all) if all.len() == 2)
        };
        assert!(as_it_should, "{id}: {found:?}");
        trial.case();
        let rewritten = plain("Lễ hội - ngày 2 tháng 9 ... ở Hà Nội");
        let foreign = trial.foreign("Lễ hội – ngày 2 tháng 9 … ở Hà Nội");
        let found = trial.find(&trial.probe(&rewritten)).await;
        let expected = if by_key { Vec::new() } else { vec![foreign.as_str()] };
        assert_eq!(alike(&found), expected, "{id}: {found:?}");
        trial.case();
        for kind in [
            Kind::ServerError { execute: false },
            Kind::Truncate { bytes: 9 },
            Kind::RateLimited { seconds: 60, exhausted: Exhausted::Window },
        ] {
            trial.fault(Operation::Read, kind);
            let found = trial.find(&trial.probe(&never)).await;
            assert!(matches!(found, Lookup::CannotSee { .. }), "{id}: {found:?}");
            trial.case();
        }
        let stranger = trial.stage.session(&trial.subject.stranger, &trial.subject.token);
        let found = trial.stage.client(trial.subject).find(&stranger, &trial.probe(&never)).await;
        assert!(matches!(found.value, Lookup::CannotSee { .. }), "{id}: {:?}", found.value);
        trial.case();
    })
    .await;
}

#[tokio::test]
async fn a_post_can_be_asked_for_by_id_and_by_link() {
    on_all(6, async |trial| {
        let id = trial.subject.id;
        let client = trial.stage.client(trial.subject);
        let session = trial.stage.session(&trial.subject.remote_id, &trial.subject.token);
        let said = trial.publish(&item("A", 0), &mut Progress::default()).await.value;
        let Outcome::Published(receipt) = said else { panic!("{id}: {said:?}") };
        let post = receipt.remote_id.clone();
        let seen = client.look(&session, &post, &Place::First).await;
        assert!(matches!(&seen, Sighting::There(it) if it.remote_id == post), "{id}: {seen:?}");
        trial.case();
        let presence = client.presence(&session, &post, &Witness::default()).await.value;
        assert_eq!(presence, Presence::There, "{id}");
        trial.case();
        let link = receipt.permalink.expect("a link").parse().expect("url");
        assert_eq!(client.remote_id_in(&link, &trial.subject.remote_id), Ok(post.clone()), "{id}");
        trial.case();
        let elsewhere = "https://elsewhere.example/a/1".parse().expect("url");
        let other = client.remote_id_in(&elsewhere, &trial.subject.remote_id);
        assert_eq!(other, Err(NoPost::Elsewhere), "{id}");
        trial.case();
        trial.fault(Operation::Read, Kind::Html { execute: false });
        let seen = client.look(&session, &post, &Place::First).await;
        assert!(matches!(seen, Sighting::CannotSee(_)), "{id}: {seen:?}");
        trial.case();
        let _removed = client.remove(&session, &post).await;
        let seen = client.look(&session, &post, &Place::First).await;
        assert_eq!(seen, Sighting::NotThere, "{id}");
        trial.case();
    })
    .await;
}

#[tokio::test]
async fn only_the_platforms_word_condemns_a_credential() {
    on_all(6, async |trial| {
        let id = trial.subject.id;
        let client = trial.stage.client(trial.subject);
        let session = trial.stage.session(&trial.subject.remote_id, &trial.subject.token);
        let owner = client.owner(&session).await.expect("owner");
        assert!(owner.remote_id == trial.subject.remote_id && !owner.name.is_empty(), "{id}");
        trial.case();
        for kind in [
            Kind::ServerError { execute: false },
            Kind::Html { execute: false },
            Kind::DropBefore,
            Kind::RateLimited { seconds: 60, exhausted: Exhausted::Window },
        ] {
            trial.fault(Operation::Any, kind);
            let lost = client.owner(&session).await;
            assert!(matches!(lost, Err(OwnerError::Unreachable(_))), "{id}: {lost:?}");
            trial.case();
        }
        trial.stage.simulators.world().revoke(&trial.subject.token, Death::Invalid);
        let dead = client.owner(&session).await;
        assert!(matches!(dead, Err(OwnerError::Refused(_))), "{id}: {dead:?}");
        trial.case();
    })
    .await;
}

#[tokio::test]
async fn ids_rules_and_settings_hold_together() {
    on_all(4, async |trial| {
        let id = trial.subject.id;
        let (client, now) = (trial.stage.client(trial.subject), trial.stage.now());
        let world = trial.stage.simulators.world();
        let at = |hours: u64| {
            let at = before(now, Duration::from_hours(hours));
            let (side, account) = (trial.subject.side, &trial.subject.account);
            world.insert_foreign_at(side, account, "A", at).expect("a post")
        };
        let (old, new) = (at(2), at(1));
        assert!(client.newer(&old, &new).is_lt() || id == "facebook", "{id}: {old} {new}");
        assert!(client.newer(&new, &new).is_eq(), "{id}");
        trial.case();
        assert!(client.can_be_newest(&new, &trial.subject.remote_id, now), "{id}");
        assert!(!client.can_be_newest("no id", &trial.subject.remote_id, now), "{id}");
        trial.case();
        let schema = client.settings_schema();
        assert_eq!(schema["type"], "object", "{id}");
        let unknown = client.check_settings(&serde_json::json!({"no_such_setting": 1}));
        assert_eq!(unknown.len(), 1, "{id}");
        assert!(client.check_settings(&Value::Null).is_empty(), "{id}");
        trial.case();
        let rules = client.rules();
        for source in [rules.text.source, rules.link.source, rules.images.source] {
            assert!(source.contains("read 20"), "{id}: {source} does not say when it was read");
        }
        assert!(rules.text.max > 0 && rules.images.max_count > 0, "{id}");
        trial.case();
    })
    .await;
}
