//! Our clients against the simulated platforms, which were written apart from them: whatever the
//! answers to a create look like, what we say about the post must be true.

use jiff::Timestamp;

use super::outcome::{Lookup, Outcome};
use super::session::{Item, Place, Probe, Progress};
use super::subjects::{Stage, Subject, item};
use crate::simulator::{Exhausted, Fault, Kind, Operation};

fn hostile() -> Vec<Kind> {
    let mut kinds = vec![
        Kind::DropBefore,
        Kind::DropAfter,
        Kind::CutAnswer { bytes: 30 },
        Kind::Truncate { bytes: 12 },
        Kind::WithoutId,
        Kind::Empty,
        Kind::Huge { bytes: 3_000_000 },
        Kind::Redirect,
        Kind::RateLimited { seconds: 60, exhausted: Exhausted::UserDay },
    ];
    for execute in [true, false] {
        kinds.push(Kind::ServerError { execute });
        kinds.push(Kind::Html { execute });
    }
    kinds
}

/// Whether a look tells what was made.
fn is_true(found: &Lookup, made: &[&str]) -> bool {
    match found {
        Lookup::Found(receipt) => made == [receipt.remote_id.as_str()],
        Lookup::Absent => made.is_empty(),
        Lookup::Several(_)
        | Lookup::Similar(_)
        | Lookup::Processing { .. }
        | Lookup::NotPublic
        | Lookup::Failed(_)
        | Lookup::CannotSee { .. } => false,
    }
}

/// Looks for an item of which nothing else is known.
fn probe_of(item: &Item, started_at: Timestamp) -> Probe {
    Probe {
        delivery: Some(item.delivery.clone()),
        text: item.text.clone(),
        link: item.link.clone(),
        media_count: item.media.len(),
        high_water: None,
        started_at,
        remote_id: None,
        taken: Vec::new(),
        place: Place::First,
        settings: serde_json::Value::Null,
        film: false,
        made: None,
    }
}

#[tokio::test]
async fn what_we_say_about_a_create_is_true_whatever_the_answer() {
    let stage = Stage::new().await;
    for Subject { side, id, remote_id, account, token, .. } in &stage.subjects {
        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let world = stage.simulators.world();
        for (number, kind) in
            std::iter::once(None).chain(hostile().into_iter().map(Some)).enumerate()
        {
            let name = kind.as_ref().map_or("none", Kind::name);
            let before = world.posts(*side, account);
            let high_water =
                before.iter().map(|post| post.id.clone()).max_by(|a, b| platform.newer(a, b));
            let item = item(&format!("Thông báo số {number} & <mới> 🇻🇳  mofa.gov.vn"), number % 3);
            if let Some(kind) = kind {
                world.faults().push(Fault::once(*side, Operation::Create, kind));
            }
            let started_at = stage.now();
            let mut progress = Progress::default();
            let leave = Box::pin(std::future::ready(Ok(())));
            let said =
                platform.publish(&session, &item, &mut progress, leave).await.expect("left").value;
            let after = world.posts(*side, account);
            let made: Vec<&str> = after
                .iter()
                .filter(|post| !before.iter().any(|old| old.id == post.id))
                .map(|post| post.id.as_str())
                .collect();
            match &said {
                Outcome::Published(receipt) => {
                    assert_eq!(made, [receipt.remote_id.as_str()], "{id} {name}");
                }
                Outcome::Refused(_) | Outcome::Deferred(_) => {
                    assert!(made.is_empty(), "{id} {name}: {said:?} but {made:?}");
                }
                Outcome::Pending(_) => panic!("{id} {name}: nothing is processed here"),
                Outcome::Unknown(doubt) => {
                    let remote_id = doubt.remote_id.clone();
                    let probe = Probe { high_water, remote_id, ..probe_of(&item, started_at) };
                    let found = platform.find(&session, &probe).await.value;
                    assert!(is_true(&found, &made), "{id} {name}: {said:?}, {found:?}, {made:?}");
                }
            }
            assert!(world.faults().waiting().is_empty(), "{id} {name}: the fault did not strike");
            if name == "none" {
                assert!(matches!(said, Outcome::Published(_)), "{id}: {said:?}");
            }
        }
        assert!(world.posts(*side, account).len() >= 7, "{id}: hardly anything was made");
    }
}

#[tokio::test]
async fn a_token_tells_its_owner() {
    let stage = Stage::new().await;
    for Subject { id, remote_id, token, tells_followers, .. } in &stage.subjects {
        let platform = stage.platforms.get(id).expect("platform");
        let owner = platform.owner(&stage.session(remote_id, token)).await.expect("owner");
        assert_eq!(&owner.remote_id, remote_id, "{id}");
        assert_eq!(owner.followers.is_some(), *tells_followers, "{id}");
        let dead = platform.owner(&stage.session(remote_id, "no such token")).await;
        assert!(matches!(dead, Err(super::outcome::OwnerError::Refused(_))), "{id}: {dead:?}");
    }
}
