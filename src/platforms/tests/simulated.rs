//! Our clients against the simulated platforms, which were written apart from them: whatever the
//! answers to a create look like, what we say about the post must be true.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::outcome::{Lookup, Outcome};
use super::session::{Item, ItemMedia, Probe, Progress, Session};
use super::{Platforms, Settings, facebook, x};
use crate::clock::{SharedClock, SimulatedClock};
use crate::outbound::Outbound;
use crate::simulator::{Exhausted, Fault, Kind, Operation, Platform, Simulators, WorldSeed};

pub(super) struct Stage {
    pub(super) simulators: Simulators,
    pub(super) platforms: Platforms,
    clock: SharedClock,
    pub(super) accounts: [(Platform, &'static str, String, String); 2],
}

impl Stage {
    pub(super) async fn new() -> Self {
        let start: Timestamp = "2026-11-22T10:00:00Z".parse().expect("instant");
        let clock: SharedClock = Arc::new(SimulatedClock::at(start));
        let any: SocketAddr = "127.0.0.1:0".parse().expect("address");
        let simulators = Simulators::start(Arc::clone(&clock), any, any).await.expect("simulators");
        let seed = WorldSeed::with_missions(1);
        seed.plant(&simulators.world());
        let account = seed.accounts().first().expect("an account");
        let accounts = [
            (Platform::Facebook, "facebook", account.page.id.clone(), account.page.token.clone()),
            (Platform::X, "x", account.user.id.clone(), account.user.token.clone()),
        ];
        let x_url: url::Url = simulators.x_url().parse().expect("url");
        let platforms = Platforms::new(Settings {
            facebook: facebook::Settings {
                graph_url: simulators.facebook_url().parse().expect("url"),
                version: "v25.0".to_owned(),
                app_id: None,
                app_secret: None,
                dialog_url: "https://www.facebook.com".parse().expect("url"),
                login_config_id: None,
            },
            x: x::Settings {
                api_url: x_url.clone(),
                web_url: x_url,
                client_id: None,
                client_secret: None,
                authorize_url: "https://x.com/i/oauth2/authorize".parse().expect("url"),
                prices: crate::config::Prices::default(),
            },
        });
        Self { simulators, platforms, clock, accounts }
    }

    pub(super) fn session(&self, remote_id: &str, token: &str) -> Session {
        Session {
            remote_id: remote_id.to_owned(),
            handle: None,
            token: SecretString::from(token.to_owned()),
            outbound: Outbound::new(vec!["127.0.0.1".to_owned()]).expect("client"),
            clock: Arc::clone(&self.clock),
            timeout: Duration::from_secs(10),
        }
    }
}

/// A picture of one point.
const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0, 1, 0, 0, 5, 0, 1, 0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, b'I', b'E', b'N',
    b'D', 0xae, 0x42, 0x60, 0x82,
];

pub(super) fn item(text: &str, pictures: usize) -> Item {
    let media = (0..pictures).map(|number| ItemMedia {
        sha256: format!("{number:064x}"),
        mime: "image/png".to_owned(),
        alt: "Lá cờ đỏ sao vàng".to_owned(),
        bytes: bytes::Bytes::from_static(PNG),
    });
    Item {
        text: text.to_owned(),
        language: "vi".to_owned(),
        link: (pictures < 2).then(|| "https://mofa.gov.vn/vi?a=1&b=2".to_owned()),
        media: media.collect(),
        settings: Value::Null,
    }
}

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
        Lookup::Several(_) | Lookup::Similar(_) | Lookup::CannotSee { .. } => false,
    }
}

#[tokio::test]
async fn what_we_say_about_a_create_is_true_whatever_the_answer() {
    let stage = Stage::new().await;
    for (side, id, remote_id, token) in &stage.accounts {
        let platform = stage.platforms.get(id).expect("platform");
        let session = stage.session(remote_id, token);
        let world = stage.simulators.world();
        for (number, kind) in
            std::iter::once(None).chain(hostile().into_iter().map(Some)).enumerate()
        {
            let name = kind.as_ref().map_or("none", Kind::name);
            let before = world.posts(*side, remote_id);
            let high_water =
                before.iter().map(|post| post.id.clone()).max_by(|a, b| platform.newer(a, b));
            let item = item(&format!("Thông báo số {number} & <mới> 🇻🇳  mofa.gov.vn"), number % 3);
            if let Some(kind) = kind {
                world.faults().push(Fault::once(*side, Operation::Create, kind));
            }
            let started_at = stage.clock.now();
            let mut progress = Progress::default();
            let leave = Box::pin(std::future::ready(Ok(())));
            let said =
                platform.publish(&session, &item, &mut progress, leave).await.expect("left").value;
            let after = world.posts(*side, remote_id);
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
                    let probe = Probe {
                        text: item.text.clone(),
                        link: item.link.clone(),
                        media_count: item.media.len(),
                        high_water,
                        started_at,
                        remote_id: doubt.remote_id.clone(),
                        taken: Vec::new(),
                    };
                    let found = platform.find(&session, &probe).await.value;
                    assert!(is_true(&found, &made), "{id} {name}: {said:?}, {found:?}, {made:?}");
                }
            }
            assert!(world.faults().waiting().is_empty(), "{id} {name}: the fault did not strike");
            if name == "none" {
                assert!(matches!(said, Outcome::Published(_)), "{id}: {said:?}");
            }
        }
        assert!(world.posts(*side, remote_id).len() >= 7, "{id}: hardly anything was made");
    }
}

#[tokio::test]
async fn a_token_tells_its_owner() {
    let stage = Stage::new().await;
    for (_, id, remote_id, token) in &stage.accounts {
        let platform = stage.platforms.get(id).expect("platform");
        let owner = platform.owner(&stage.session(remote_id, token)).await.expect("owner");
        assert_eq!(&owner.remote_id, remote_id, "{id}");
        assert!(owner.followers.is_some(), "{id}");
        let dead = platform.owner(&stage.session(remote_id, "no such token")).await;
        assert!(matches!(dead, Err(super::outcome::OwnerError::Refused(_))), "{id}: {dead:?}");
    }
}
