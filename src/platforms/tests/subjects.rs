//! The platforms that the contract is tested on: a row for each, with its simulator, an account, and how it
//! says no. A new platform adds its row here and passes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::outcome::RefusalKind;
use super::session::{Item, ItemMedia, MediaSource, Session};
use super::{Platform as Client, Platforms, setting};
use crate::clock::{Clock as _, SimulatedClock};
use crate::domain::id::DeliveryId;
use crate::domain::media::MediaKind;
use crate::outbound::Outbound;
use crate::simulator::{Kind, Platform, Problem, SeedAccount, Simulators, WorldSeed};

/// One platform under test.
pub(super) struct Subject {
    /// Which simulator it is.
    pub(super) side: Platform,
    /// Our word for it.
    pub(super) id: &'static str,
    /// What an account is called here.
    pub(super) remote_id: String,
    /// What the simulator calls it.
    pub(super) account: String,
    /// What it is entered with.
    pub(super) token: String,
    /// Another account's id, for which the token is not.
    pub(super) stranger: String,
    /// Whether the owner of a token comes with his followers.
    pub(super) tells_followers: bool,
    /// Whether a post is looked for by a key of our own: then nothing else can be taken for it.
    pub(super) by_key: bool,
    /// How it says that the account may not do that; not carried out.
    pub(super) not_permitted: Kind,
    /// Its refusals of a create: what they mean.
    pub(super) refusals: Vec<(Kind, RefusalKind)>,
}

/// An answer of so many words that was not carried out.
fn answer(status: u16, body: &str) -> Kind {
    Kind::Answer { status, headers: BTreeMap::new(), body: body.to_owned(), execute: false }
}

fn facebook(seed: &SeedAccount) -> Subject {
    let graph = |code: u32, subcode: Option<u32>| Kind::Graph { code, subcode, execute: false };
    Subject {
        side: Platform::Facebook,
        id: "facebook",
        remote_id: seed.page.id.clone(),
        account: seed.page.id.clone(),
        token: seed.page.token.clone(),
        stranger: "90000000001".to_owned(),
        tells_followers: true,
        by_key: false,
        not_permitted: graph(200, None),
        refusals: vec![
            (graph(506, None), RefusalKind::Duplicate),
            (graph(100, None), RefusalKind::Content),
            (graph(190, Some(463)), RefusalKind::Credential),
            (graph(200, None), RefusalKind::Permission),
        ],
    }
}

fn x(seed: &SeedAccount) -> Subject {
    let problem = |problem: Problem| Kind::XProblem { problem, execute: false };
    Subject {
        side: Platform::X,
        id: "x",
        remote_id: seed.user.id.clone(),
        account: seed.user.id.clone(),
        token: seed.user.token.clone(),
        stranger: "90000000001".to_owned(),
        tells_followers: true,
        by_key: false,
        not_permitted: problem(Problem::NotPermitted),
        refusals: vec![
            (problem(Problem::Duplicate), RefusalKind::Duplicate),
            (problem(Problem::NotPermitted), RefusalKind::Content),
            (problem(Problem::Unauthorized), RefusalKind::Credential),
            (problem(Problem::Oauth1Permissions), RefusalKind::Configuration),
            (problem(Problem::UserSuspended), RefusalKind::Person),
            (problem(Problem::CreditsDepleted), RefusalKind::Credits),
        ],
    }
}

fn mastodon(seed: &SeedAccount, server: &str) -> Subject {
    let refusal = |status: u16, words: &str| answer(status, &format!(r#"{{"error":"{words}"}}"#));
    Subject {
        side: Platform::Mastodon,
        id: "mastodon",
        remote_id: format!("{}@{server}", seed.mastodon.username),
        account: seed.mastodon.id.clone(),
        token: seed.mastodon.token.clone(),
        stranger: format!("somebody@{server}"),
        tells_followers: true,
        by_key: false,
        not_permitted: refusal(403, "This action is not allowed"),
        refusals: vec![
            (refusal(422, "Validation failed: Text is too long"), RefusalKind::Content),
            (refusal(401, "The access token is invalid"), RefusalKind::Credential),
            (refusal(403, "This action is outside the authorized scopes"), RefusalKind::Permission),
            (refusal(403, "Your login is currently disabled"), RefusalKind::Person),
        ],
    }
}

fn bluesky(seed: &SeedAccount) -> Subject {
    let refusal = |status: u16, name: &str| {
        answer(status, &format!(r#"{{"error":"{name}","message":"no"}}"#))
    };
    Subject {
        side: Platform::Bluesky,
        id: "bluesky",
        remote_id: seed.bluesky.id.clone(),
        account: seed.bluesky.id.clone(),
        token: seed.bluesky.token.clone(),
        stranger: "did:plc:strangerstrangerstranger".to_owned(),
        tells_followers: false,
        by_key: true,
        not_permitted: refusal(403, "Forbidden"),
        refusals: vec![
            (refusal(400, "InvalidRequest"), RefusalKind::Content),
            (refusal(401, "AuthenticationRequired"), RefusalKind::Credential),
            (refusal(403, "Forbidden"), RefusalKind::Permission),
            (refusal(401, "AccountTakedown"), RefusalKind::Person),
        ],
    }
}

/// All simulators, with an account on each.
pub(super) struct Stage {
    pub(super) simulators: Simulators,
    pub(super) platforms: Platforms,
    pub(super) clock: SimulatedClock,
    pub(super) subjects: [Subject; 4],
}

impl Stage {
    pub(super) async fn new() -> Self {
        let start: Timestamp = "2026-11-22T10:00:00Z".parse().expect("instant");
        let clock = SimulatedClock::at(start);
        let any: SocketAddr = "127.0.0.1:0".parse().expect("address");
        let simulators =
            Simulators::start(Arc::new(clock.clone()), any, any).await.expect("simulators");
        let seed = WorldSeed::with_missions(1);
        seed.plant(&simulators.world());
        let account = seed.accounts().first().expect("an account");
        let places = [
            simulators.facebook_url(),
            simulators.x_url(),
            simulators.mastodon_url(),
            simulators.bluesky_url(),
        ];
        let server = simulators.mastodon_url().replace("http://", "");
        let subjects =
            [facebook(account), x(account), mastodon(account, &server), bluesky(account)];
        let places = places.map(|place| place.parse().expect("url"));
        let platforms = Platforms::new(setting::at(places));
        Self { simulators, platforms, clock, subjects }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn client(&self, subject: &Subject) -> &dyn Client {
        self.platforms.get(subject.id).expect("platform").as_ref()
    }

    pub(super) fn session(&self, remote_id: &str, token: &str) -> Session {
        Session {
            remote_id: remote_id.to_owned(),
            handle: None,
            token: SecretString::from(token.to_owned()),
            outbound: Outbound::new(vec!["127.0.0.1".to_owned()]).expect("client"),
            clock: Arc::new(self.clock.clone()),
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

/// Something to publish, of a delivery of its own.
pub(super) fn item(text: &str, pictures: usize) -> Item {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let made_at: Timestamp = "2026-11-20T08:00:00Z".parse().expect("instant");
    let media = (0..pictures).map(|number| ItemMedia {
        sha256: format!("{number:064x}"),
        mime: "image/png".to_owned(),
        alt: "Lá cờ đỏ sao vàng".to_owned(),
        kind: MediaKind::Image,
        source: MediaSource::Held(bytes::Bytes::from_static(PNG)),
    });
    Item {
        delivery: DeliveryId::new(made_at, u128::from(number)),
        text: text.to_owned(),
        language: "vi".to_owned(),
        link: (pictures < 2).then(|| "https://mofa.gov.vn/vi?a=1&b=2".to_owned()),
        media: media.collect(),
        settings: Value::Null,
        under: None,
        ledger: super::notes::Notes::open(),
    }
}
