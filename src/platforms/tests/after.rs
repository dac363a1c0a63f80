//! What our clients say of posts that are out, against the simulated platforms: whether they are still
//! there, and what came of deleting them. Whatever the answers look like, it must be true.

use super::outcome::{Alteration, Presence, Witness};
use super::subjects::{Stage, Subject};
use crate::simulator::{DeleteMissing, Exhausted, Fault, Kind, Operation, Platform, Unreadable};

/// Everything that may come back instead of an answer, carried out or not.
pub(super) fn hostile(refusal: &Kind) -> Vec<Option<Kind>> {
    let mut kinds = vec![
        Kind::DropBefore,
        Kind::DropAfter,
        Kind::CutAnswer { bytes: 30 },
        Kind::Truncate { bytes: 9 },
        Kind::Empty,
        Kind::Huge { bytes: 3_000_000 },
        Kind::Redirect,
        Kind::RateLimited { seconds: 60, exhausted: Exhausted::Window },
    ];
    for execute in [true, false] {
        kinds.push(Kind::ServerError { execute });
        kinds.push(Kind::Html { execute });
    }
    kinds.push(refusal.clone());
    std::iter::once(None).chain(kinds.into_iter().map(Some)).collect()
}

#[tokio::test]
async fn what_we_say_of_a_deleted_post_is_true_whatever_the_answer() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for Subject { side, id, remote_id, account, token, not_permitted, .. } in &stage.subjects {
        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let there = |post: &str| world.posts(*side, account).iter().any(|it| it.id == post);
        let _stays = world.insert_foreign(*side, account, "stays").expect("a post");
        for kind in hostile(not_permitted) {
            let name = kind.as_ref().map_or("none", Kind::name);
            let post = world.insert_foreign(*side, account, name).expect("a post");
            if let Some(kind) = kind {
                world.faults().push(Fault::once(*side, Operation::Change, kind));
            }
            let said = platform.remove(&session, &post).await.value;
            match &said {
                Alteration::Made => assert!(!there(&post), "{id} {name}"),
                Alteration::Refused(_) | Alteration::Deferred(_) => {
                    assert!(there(&post), "{id} {name}");
                }
                Alteration::NotThere(_) => panic!("{id} {name}: it was there"),
                Alteration::Unknown(_) => {
                    let seen = platform.presence(&session, &post, &needed()).await.value;
                    let expected = if there(&post) { Presence::There } else { Presence::Gone };
                    assert_eq!(seen, expected, "{id} {name}: {said:?}");
                }
            }
            assert!(world.faults().waiting().is_empty(), "{id} {name}: the fault did not strike");
            let plain = name == "none";
            assert_eq!(plain, said == Alteration::Made, "{id} {name}: {said:?}");
            // It may be repeated: whatever came of it, then it is gone.
            let again = platform.remove(&session, &post).await.value;
            assert!(matches!(again, Alteration::Made | Alteration::NotThere(_)), "{again:?}");
            assert!(!there(&post), "{id} {name}");
        }
    }
}

#[tokio::test]
async fn a_second_time_it_is_not_there_in_every_spelling_that_is_reported() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for missing in [DeleteMissing::NotDeleted, DeleteMissing::NotFound] {
        world.change_settings(|settings| settings.x.delete_missing = missing);
        for Subject { side, id, remote_id, account, token, .. } in &stage.subjects {
            let platform = stage.platforms.get(id).expect("platform");
            let session = stage.session(remote_id, token);
            let post = world.insert_foreign(*side, account, "twice").expect("a post");
            assert_eq!(platform.remove(&session, &post).await.value, Alteration::Made);
            let again = platform.remove(&session, &post).await.value;
            assert!(matches!(again, Alteration::NotThere(_)), "{id}: {again:?}");
        }
    }
}

/// Something must be shown.
fn needed() -> Witness {
    Witness { remote_id: None, needed: true }
}

/// An empty list is no proof; another post is one, wherever it is shown.
#[tokio::test]
async fn what_shows_nothing_proves_nothing() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for Subject { side, id, remote_id, account, token, .. } in &stage.subjects {
        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let post = world.insert_foreign(*side, account, "gone").expect("a post");
        assert_eq!(platform.remove(&session, &post).await.value, Alteration::Made, "{id}");
        let by =
            |other: Option<&String>, needed: bool| Witness { remote_id: other.cloned(), needed };
        let blind = |seen: &Presence| matches!(seen, Presence::CannotSee { .. });
        let look =
            async |witness: Witness| platform.presence(&session, &post, &witness).await.value;
        assert!(blind(&look(by(None, true)).await), "{id}");
        assert!(blind(&look(by(Some(&post), true)).await), "{id}: it is no witness of itself");
        assert_eq!(look(by(None, false)).await, Presence::Gone, "{id}");
        let other = world.insert_foreign(*side, account, "there").expect("a post");
        assert_eq!(look(by(Some(&other), true)).await, Presence::Gone, "{id}");
        assert_eq!(look(by(None, true)).await, Presence::Gone, "{id}");
    }
}

/// Without each part of the control one of these would count as gone.
#[tokio::test]
async fn a_read_that_fails_or_a_control_that_fails_is_never_gone() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for Subject { side, id, remote_id, account, token, .. } in &stage.subjects {
        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let _stays = world.insert_foreign(*side, account, "stays").expect("a post");
        let post = world.insert_foreign(*side, account, "gone").expect("a post");
        assert_eq!(
            platform.presence(&session, &post, &needed()).await.value,
            Presence::There,
            "{id}"
        );
        assert_eq!(platform.remove(&session, &post).await.value, Alteration::Made, "{id}");
        assert_eq!(
            platform.presence(&session, &post, &needed()).await.value,
            Presence::Gone,
            "{id}"
        );
        let blind = [
            Kind::ServerError { execute: false },
            Kind::DropBefore,
            Kind::Html { execute: false },
            Kind::Empty,
            Kind::Truncate { bytes: 9 },
        ];
        for operation in [Operation::Read, Operation::Identity] {
            for kind in &blind {
                world.faults().push(Fault::once(*side, operation, kind.clone()));
                let seen = platform.presence(&session, &post, &needed()).await.value;
                let name = kind.name();
                let blind = matches!(seen, Presence::CannotSee { .. });
                assert!(blind, "{id} {operation:?} {name}: {seen:?}");
                assert!(world.faults().waiting().is_empty(), "{id} {operation:?} {name}");
            }
        }
        let dead = stage.session(remote_id, "no such token");
        let seen = platform.presence(&dead, &post, &needed()).await.value;
        assert!(matches!(seen, Presence::CannotSee { .. }), "{id}: {seen:?}");
    }
}

/// By its id it is not there, but a list shows it: it is not gone.
#[tokio::test]
async fn a_post_that_a_list_still_shows_is_not_gone() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for Subject { side, id, remote_id, account, token, .. } in &stage.subjects {
        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let kind = Kind::Unreadable { ms: 60_000, how: Unreadable::Missing };
        let item = super::subjects::item("hidden for a while", 0);
        world.faults().push(Fault::once(*side, Operation::Create, kind));
        let mut progress = super::session::Progress::default();
        let leave = Box::pin(std::future::ready(Ok(())));
        let _said = platform.publish(&session, &item, &mut progress, leave).await.expect("left");
        let made = world.posts(*side, account).pop().expect("a post").id;
        let seen = platform.presence(&session, &made, &needed()).await.value;
        let detail = "the list of posts still shows it".to_owned();
        assert_eq!(seen, Presence::CannotSee { detail, until: None }, "{id}");
    }
}

/// A post that was adopted may be known by its number alone.
#[tokio::test]
async fn a_post_of_a_page_is_looked_for_and_deleted_by_its_number() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    let facebook = stage.subjects.iter().find(|it| it.side == Platform::Facebook);
    let Subject { side, id, remote_id, account, token, .. } = facebook.expect("a Page");
    let platform = stage.platforms.get(id).expect("platform");
    let session = stage.session(remote_id, token);
    let post = world.insert_foreign(*side, account, "known by its number").expect("a post");
    let (page, number) = post.split_once('_').expect("both");
    assert_eq!(
        platform.presence(&session, number, &Witness::default()).await.value,
        Presence::There
    );
    assert_eq!(platform.remove(&session, number).await.value, Alteration::Made);
    assert_eq!(
        platform.presence(&session, number, &Witness::default()).await.value,
        Presence::Gone
    );
    assert!(world.posts(*side, page).is_empty());
    let again = platform.remove(&session, number).await.value;
    assert!(matches!(again, Alteration::NotThere(_)), "{again:?}");
    // What begins with another number may be a comment of ours: the platform says that there is none.
    let other = format!("{page}9_{number}");
    let said = platform.remove(&session, &other).await.value;
    assert!(matches!(said, Alteration::NotThere(_)), "{said:?}");
    for odd in ["", "_", "one_two", "1_2_3", "../me"] {
        let said = platform.remove(&session, odd).await.value;
        assert!(matches!(said, Alteration::Refused(_)), "{odd}: {said:?}");
    }
}
