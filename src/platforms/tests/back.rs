//! Reading accounts back against the simulated platforms: all of a gap or nothing, and nobody's word for
//! a part of it.

use std::time::Duration;

use jiff::Timestamp;

use super::outcome::{Lookup, Reading, Shown};
use super::session::{Gap, Sent};
use super::subjects::{Stage, Subject};
use crate::clock::{after, before};
use crate::domain::attempt::Receipt;
use crate::domain::id::DeliveryId;
use crate::simulator::{Exhausted, Fault, Kind, Operation};

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().expect("instant")
}

fn gap(texts: &[&str]) -> Gap {
    let sent = |text: &&str| Sent {
        delivery: Some(DeliveryId::new(Timestamp::UNIX_EPOCH, rand::random())),
        text: (*text).to_owned(),
        link: None,
        media_count: 0,
        follows: false,
        film: false,
    };
    Gap {
        since: before(now(), Duration::from_hours(24)),
        until: before(now(), Duration::from_hours(1)),
        taken: Vec::new(),
        waiting: texts.iter().map(sent).collect(),
    }
}

fn ids<'a>(posts: impl IntoIterator<Item = &'a Receipt>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = posts.into_iter().map(|post| post.remote_id.as_str()).collect();
    ids.sort_unstable();
    ids
}

/// What the post with this id says.
fn said<'a>(posts: &'a [Shown], id: &str) -> &'a str {
    &posts.iter().find(|post| post.receipt.remote_id == id).expect("it is shown").text
}

/// More than fits on the pages of a look for one post, on both platforms.
const MANY: usize = 230;

#[tokio::test]
async fn everything_of_a_gap_is_seen_and_nothing_else() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for Subject { side, id, remote_id, account, token, .. } in &stage.subjects {
        let put =
            |text: &str, at| world.insert_foreign_at(*side, account, text, at).expect("a post");
        let since = gap(&[]).since;
        let early = put("Before the gap", before(since, Duration::from_hours(2)));
        let known = put("Known here", after(since, Duration::from_mins(1)));
        let sent = put("Thông báo số 7", after(since, Duration::from_mins(2)));
        let like = put("Lễ hội – ngày 2 tháng 9 …", after(since, Duration::from_mins(3)));
        let mut made: Vec<String> = (0..MANY)
            .map(|number| {
                let at = after(since, Duration::from_mins(4) + Duration::from_secs(number as u64));
                put(&format!("Post {number}"), at)
            })
            .collect();
        let late = put("After the gap", before(now(), Duration::from_mins(49)));

        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let texts = ["Thông báo số 7", "Lễ hội - ngày 2 tháng 9 ...", "Never sent", "Known here"];
        let wanted = Gap { taken: vec![known.clone()], ..gap(&texts) };
        let Reading::Whole { posts, lookups, shown, pages } =
            platform.read_back(&session, &wanted).await.value
        else {
            panic!("{id}: it can be read")
        };
        made.extend([sent.clone(), like.clone()]);
        made.sort_unstable();
        assert_eq!(said(&posts, &like), "Lễ hội – ngày 2 tháng 9 …", "{id}");
        assert_eq!(
            ids(posts.iter().map(|it| &it.receipt)),
            made,
            "{id}: without {early}, {known} and {late}"
        );
        assert!(shown > made.len() && pages > 2, "{id}: {shown} posts on {pages} pages");
        assert!(matches!(&lookups[0], Lookup::Found(it) if it.remote_id == sent), "{id}");
        let alike = match &lookups[1] {
            Lookup::Found(post) => vec![post.remote_id.as_str()],
            Lookup::Similar(posts) => ids(posts),
            other @ (Lookup::Absent
            | Lookup::Several(_)
            | Lookup::Processing { .. }
            | Lookup::NotPublic
            | Lookup::Failed(_)
            | Lookup::CannotSee { .. }) => {
                panic!("{id}: {other:?}")
            }
        };
        assert_eq!(alike, [like.as_str()], "{id}");
        assert_eq!(lookups[2..], [Lookup::Absent, Lookup::Absent], "{id}");
    }
}

#[tokio::test]
async fn a_part_of_a_gap_says_nothing() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for Subject { side, id, remote_id, account, token, stranger, .. } in &stage.subjects {
        let at = gap(&[]).until;
        for number in 0..MANY {
            let text = format!("Post {number}");
            world.insert_foreign_at(*side, account, &text, at).expect("a post");
        }
        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let blind = [
            Kind::ServerError { execute: false },
            Kind::DropBefore,
            Kind::Html { execute: false },
            Kind::Empty,
            Kind::Truncate { bytes: 9 },
            Kind::RateLimited { seconds: 60, exhausted: Exhausted::Window },
        ];
        for operation in [Operation::Read, Operation::Identity] {
            for kind in &blind {
                let name = kind.name();
                world.faults().push(Fault::once(*side, operation, kind.clone()));
                let seen = platform.read_back(&session, &gap(&["Never sent"])).await.value;
                assert!(matches!(seen, Reading::CannotSee { .. }), "{id} {operation:?} {name}");
                assert!(world.faults().waiting().is_empty(), "{id} {operation:?} {name}");
            }
        }
        let whole = platform.read_back(&session, &gap(&["Never sent"])).await.value;
        assert!(matches!(whole, Reading::Whole { .. }), "{id}: {whole:?}");
        let dead = stage.session(remote_id, "no such token");
        let seen = platform.read_back(&dead, &gap(&["Never sent"])).await.value;
        assert!(matches!(seen, Reading::CannotSee { .. }), "{id}: {seen:?}");
        let other = stage.session(stranger, token);
        let seen = platform.read_back(&other, &gap(&["Never sent"])).await.value;
        assert!(matches!(seen, Reading::CannotSee { .. }), "{id}: {seen:?}");
    }
}
