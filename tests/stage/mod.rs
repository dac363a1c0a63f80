//! The stage of the tests on publishing: a running service with timings of tens of milliseconds, both
//! platforms simulated on loopback, and a judge who looks over everything when a test has ended.

mod clock;
mod database;
mod judge;
pub(crate) mod lines;
mod relay;
mod renewable;
mod setting;
mod signed;
mod specs;
mod wait;
mod wanted;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery::app::App;
use chancery::clock::{Clock as _, SharedClock};
use chancery::domain::account::Account;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{AccountId, DeliveryId, UnitId};
use chancery::service::deliveries::{self, DeliveryDetail};
use chancery::service::{Caller, Services, accounts, people, units};
use chancery::simulator::{
    CreateOutcome, Doors, Fault, JournalEntry, Kind as FaultKind, Operation, Page, Platform,
    PostRecord, Simulators, User, World,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use clock::Shifted;
pub(crate) use database::{Database, Kind};
pub(crate) use relay::Relay;
pub(crate) use renewable::APPLICATION;
pub(crate) use setting::Setting;
pub(crate) use signed::CONSUMER;
pub(crate) use wait::{eventually, now, pass};
pub(crate) use wanted::Wanted;

/// Makes two tests of one: the same body on SQLite and on PostgreSQL, and the judge after both.
/// Begins with `with OPTIONS;` when the service is to be started with further options.
macro_rules! staged {
    (with $options:expr; $($rest:tt)*) => {
        $crate::stage::staged! { @ $options; $($rest)* }
    };
    (@ $options:expr; $($(#[$doc:meta])* async fn $name:ident($stage:ident) $body:block)*) => {
        $($(#[$doc])* mod $name {
            use super::*;

            async fn run($stage: &mut $crate::stage::Stage) $body

            async fn both(kind: $crate::stage::Kind) {
                if let Some(mut stage) = $crate::stage::Stage::start(kind, $options).await {
                    run(&mut stage).await;
                    stage.finish().await;
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                both($crate::stage::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                both($crate::stage::Kind::Postgres).await;
            }
        })*
    };
    ($($rest:tt)*) => {
        $crate::stage::staged! { @ &[]; $($rest)* }
    };
}
pub(crate) use staged;

/// An account at a simulated platform that is connected here.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    /// Where.
    pub(crate) platform: Platform,
    /// The platform's id of it.
    pub(crate) remote_id: String,
    /// What may act for it; never to be seen anywhere.
    pub(crate) token: String,
    /// Our id of it.
    pub(crate) id: AccountId,
}

/// The platforms and the time, before there is a service.
#[derive(Debug)]
pub(crate) struct Ground {
    clocks: [Shifted; 2],
    /// Where the platforms are.
    pub(crate) simulators: Simulators,
    mark: usize,
    place: PathBuf,
}

impl Ground {
    /// Starts the platforms on the runtime of the caller.
    pub(crate) async fn lay() -> Self {
        Self::lay_in(std::env::temp_dir()).await
    }

    /// The same; the files of the service will lie in `place`.
    pub(crate) async fn lay_in(place: PathBuf) -> Self {
        let mark = lines::keep();
        let free = "127.0.0.1:0".parse().unwrap();
        let clocks = [Shifted::new(), Shifted::new()];
        let [_, theirs] = shared(&clocks);
        let simulators = Simulators::start(theirs, free, free).await.unwrap();
        if specs::given().is_some() {
            simulators.world().keep_calls();
        }
        Self { clocks, simulators, mark, place }
    }
}

/// Everything that runs for one test.
pub(crate) struct Stage {
    simulators: Option<Simulators>,
    addresses: [SocketAddr; 2],
    setting: Setting,
    /// The time at the service, and at the platforms.
    clocks: [Shifted; 2],
    /// How far the service's wall clock was ever ahead of the platforms'.
    stepped: Mutex<SignedDuration>,
    /// Where the log lines of this stage begin.
    mark: usize,
    /// The service while it runs.
    pub(crate) app: Option<App>,
    caller: Caller,
    unit: UnitId,
    outlets: Mutex<Vec<Outlet>>,
    asked: Mutex<Vec<DeliveryId>>,
}

impl Stage {
    /// Starts everything with these further options of the configuration; none when the database
    /// was left out on purpose.
    pub(crate) async fn start(kind: Kind, options: &[(&str, &str)]) -> Option<Self> {
        Self::upon(Ground::lay().await, kind, options).await
    }

    /// The same upon platforms that run already, perhaps on a runtime of their own.
    pub(crate) async fn upon(ground: Ground, kind: Kind, options: &[(&str, &str)]) -> Option<Self> {
        let setting = Setting::new(kind, &ground.place, &ground.simulators, options).await?;
        Some(Self::open(ground, setting).await)
    }

    /// The same on a PostgreSQL of the test's own.
    pub(crate) async fn start_on(server: String) -> Self {
        let ground = Ground::lay().await;
        let database = Database::on(server).await;
        let directory = tempfile::tempdir().unwrap();
        let setting = Setting::on(database, directory, &ground.simulators, &[]);
        Self::open(ground, setting).await
    }

    async fn open(ground: Ground, setting: Setting) -> Self {
        let Ground { clocks, simulators, mark, place: _ } = ground;
        let [ours, _] = shared(&clocks);
        setting.tell(&simulators.world());
        let app = Box::pin(App::start(setting.config(), ours)).await.unwrap();
        let caller = administrator(app.acts()).await;
        let unit = unit(app.acts(), &caller).await;
        let (outlets, asked) = (Mutex::default(), Mutex::default());
        let addresses = [simulators.facebook_url(), simulators.x_url()].map(|url| address(&url));
        let simulators = Some(simulators);
        let app = Some(app);
        let stepped = Mutex::default();
        Self {
            simulators,
            addresses,
            setting,
            clocks,
            stepped,
            mark,
            app,
            caller,
            unit,
            outlets,
            asked,
        }
    }

    /// Time passes everywhere, and all who slept until then wake.
    pub(crate) fn advance(&self, span: Duration) {
        // The platforms' first: else what is sent at its instant would arrive before it there.
        self.clocks.iter().rev().for_each(|clock| clock.advance(span));
    }

    /// The machine is suspended for so long.
    pub(crate) fn suspend(&self, span: Duration) {
        self.clocks.iter().rev().for_each(|clock| clock.suspend(span));
    }

    /// The service's wall clock steps, forward or back; the platforms' does not.
    pub(crate) fn step_wall(&self, span: SignedDuration) {
        self.clocks[0].step(span);
    }

    /// The same; the judge bears with what is early by as much.
    pub(crate) fn step_by(&self, span: SignedDuration) {
        self.clocks[0].step(span);
        let lead = self.clocks[0].now().duration_since(self.clocks[1].now());
        let mut stepped = self.stepped.lock().unwrap();
        *stepped = lead.max(*stepped);
    }

    /// Every log line so far.
    pub(crate) fn log(&self) -> Vec<u8> {
        lines::since(self.mark)
    }

    /// How far the service's wall clock is ahead of the platforms'.
    pub(crate) fn wall_ahead(&self) -> SignedDuration {
        self.clocks[0].now().duration_since(self.true_now())
    }

    /// Now, as the platforms see it.
    pub(crate) fn true_now(&self) -> Timestamp {
        self.clocks[1].now()
    }

    /// Where the service lets people in.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.as_ref().expect("the service runs").address()
    }

    /// Now, as the service sees it; as its machine does when it is not running.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.as_ref().map_or_else(|| self.clocks[0].now(), |app| app.acts().clock.now())
    }

    /// What acts need.
    pub(crate) fn acts(&self) -> &Services {
        self.app.as_ref().expect("the service runs").acts()
    }

    /// Who acts: an administrator.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The truth about the platforms.
    pub(crate) fn world(&self) -> Arc<World> {
        self.simulators.as_ref().expect("the platforms are there").world()
    }

    /// Nobody answers at the platforms' addresses any more.
    pub(crate) async fn platforms_leave(&mut self) {
        self.simulators.take().expect("the platforms are there").stop().await;
    }

    /// The platforms are back at their addresses, with the accounts and without any posts.
    pub(crate) async fn platforms_return(&mut self) {
        let [facebook, x] = self.addresses;
        // Somebody else may have an address for a moment.
        let simulators = eventually("the addresses are free", async || {
            let [_, theirs] = shared(&self.clocks);
            let opened = Simulators::open(theirs, Doors::of(facebook, x), |world| {
                self.setting.tell(world);
                for outlet in self.outlets.lock().unwrap().iter() {
                    plant(world, outlet.platform, &outlet.remote_id, &outlet.token);
                }
            });
            opened.await.map_err(|error| format!("{error:?}"))
        });
        self.simulators = Some(simulators.await);
    }

    /// How the service is set up.
    pub(crate) fn setting(&self) -> &Setting {
        &self.setting
    }

    /// What the next start of the service is told.
    pub(crate) fn set_option(&mut self, name: &str, value: &str) {
        self.setting.set(name, value);
    }

    /// Stops the service cleanly.
    pub(crate) async fn stop(&mut self) {
        let app = self.app.take().expect("the service runs");
        assert!(app.stop().await, "not everything in flight was recorded");
    }

    /// Starts the service again on what it has.
    pub(crate) async fn resume(&mut self) {
        assert!(self.app.is_none(), "the service runs already");
        let [ours, _] = shared(&self.clocks);
        let app = Box::pin(App::start(self.setting.config(), ours)).await.unwrap();
        self.app = Some(app);
    }

    /// Another node on the same database, with the same clock and these further options.
    pub(crate) async fn another(&self, further: &[(&str, &str)]) -> App {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let options = self.setting.options().iter().cloned().chain(further.iter().map(own));
        let [ours, _] = shared(&self.clocks);
        App::start(chancery::config::Config::load(None, options).unwrap(), ours).await.unwrap()
    }

    /// The same with a clock of its own, which is so far ahead.
    pub(crate) async fn another_ahead(&self, by: SignedDuration) -> App {
        let clock = Shifted::new();
        clock.step(by);
        App::start(self.setting.config(), Arc::new(clock)).await.unwrap()
    }

    /// A new account at a platform, connected here.
    pub(crate) async fn outlet(&self, platform: Platform) -> Outlet {
        static NUMBER: AtomicU64 = AtomicU64::new(40_000_000_000);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let remote_id = match platform {
            Platform::Facebook | Platform::X | Platform::Mastodon => number.to_string(),
            Platform::Bluesky => format!("did:plc:{number:a>24}"),
        };
        let token = canary();
        plant(&self.world(), platform, &remote_id, &token);
        // What people enter is the platform's id, or the name with its server.
        let server = self.world().base(platform).replace("http://", "");
        let named = if platform == Platform::Mastodon {
            format!("E{remote_id}@{server}")
        } else {
            remote_id.clone()
        };
        let id = self.connect(platform, &named, &token).await;
        let outlet = Outlet { platform, remote_id, token, id };
        self.outlets.lock().unwrap().push(outlet.clone());
        outlet
    }

    /// Enters an account that is there.
    pub(crate) async fn connect(&self, platform: Platform, named: &str, token: &str) -> AccountId {
        let kind = match platform {
            Platform::Facebook | Platform::Mastodon | Platform::Bluesky => "page_token",
            Platform::X => "oauth2",
        };
        let new = json!({
            "unit_id": self.unit, "platform": platform.name(), "remote_id": named,
            "languages": ["en", "vi"], "credential": {"kind": kind, "access_token": token},
        });
        // The platform is asked under the deadline of the test, which a busy machine may miss.
        eventually("the account is connected", async || {
            let new = serde_json::from_value(new.clone()).unwrap();
            let made = accounts::create(self.acts(), &self.caller, new).await;
            made.map(|done| done.value.id).map_err(|error| error.to_string())
        })
        .await
    }

    /// One account at each platform.
    pub(crate) async fn both(&self) -> [Outlet; 2] {
        [self.outlet(Platform::Facebook).await, self.outlet(Platform::X).await]
    }

    /// What may act for an account from now on, by the platform's word.
    pub(crate) fn new_token(&self, outlet: &Outlet) -> String {
        let token = canary();
        self.world().add_token_for(outlet.platform, &outlet.remote_id, &token);
        let renewed = Outlet { token: token.clone(), ..outlet.clone() };
        self.outlets.lock().unwrap().push(renewed);
        token
    }

    /// The account as it is known here.
    pub(crate) async fn account(&self, outlet: &Outlet) -> Account {
        accounts::show(self.acts(), &self.caller, &outlet.id).await.unwrap()
    }

    /// A delivery as it stands.
    pub(crate) async fn show(&self, id: &DeliveryId) -> DeliveryDetail {
        deliveries::show(self.acts(), &self.caller, id).await.unwrap()
    }

    /// Waits for a delivery to stand in this state.
    pub(crate) async fn until(&self, id: &DeliveryId, state: DeliveryState) -> DeliveryDetail {
        eventually(&format!("{id} is {state}"), async || {
            let shown = self.show(id).await;
            let there = shown.delivery.state == state;
            let later = [DeliveryState::Vanished, DeliveryState::Recalled].contains(&state);
            let out = shown.delivery.state == DeliveryState::Published;
            let gone = shown.delivery.state.is_final() && !(out && later);
            assert!(there || !gone, "{id} came to another end than {state}: {shown:#?}");
            if there { Ok(shown) } else { Err(status(&shown)) }
        })
        .await
    }

    /// The judge does not look at this one: a test has published it by hand.
    pub(crate) fn forget(&self, id: &DeliveryId) {
        self.asked.lock().unwrap().retain(|asked| asked != id);
    }

    /// How often the outcome of a delivery was hidden, by the database itself.
    pub(crate) async fn doubts(&self, id: &DeliveryId) -> u64 {
        let sql = format!("SELECT CAST(doubts AS TEXT) FROM deliveries WHERE id = '{id}'");
        self.setting.database.rows(&sql).await[0][0].parse().unwrap()
    }

    /// Waits for a delivery to be published.
    pub(crate) async fn published(&self, id: &DeliveryId) -> DeliveryDetail {
        self.until(id, DeliveryState::Published).await
    }

    /// Lets a fault wait for the next create of an account.
    pub(crate) fn spoil(&self, outlet: &Outlet, kind: FaultKind) {
        self.world().faults().push(on(outlet, Operation::Create, kind));
    }

    /// The creates that reached an account, in the order of arrival.
    pub(crate) fn creates(&self, outlet: &Outlet) -> Vec<JournalEntry> {
        let mut journal = self.world().journal();
        journal.retain(|entry| {
            entry.platform == outlet.platform
                && entry.account.as_deref() == Some(outlet.remote_id.as_str())
        });
        journal
    }

    /// How many of them made a post.
    pub(crate) fn made(&self, outlet: &Outlet) -> usize {
        let made = |entry: &&JournalEntry| matches!(entry.outcome, CreateOutcome::Created(_));
        self.creates(outlet).iter().filter(made).count()
    }

    /// What people see there.
    pub(crate) fn posts(&self, outlet: &Outlet) -> Vec<PostRecord> {
        self.world().posts(outlet.platform, &outlet.remote_id)
    }

    /// Stops everything and lets the judge look over it.
    pub(crate) async fn finish(self) {
        let found = self.finish_with_findings().await;
        assert!(found.is_empty(), "the judge found:\n{}", found.join("\n"));
    }

    /// The same for a test that expects the judge to find something.
    pub(crate) async fn finish_with_findings(mut self) -> Vec<String> {
        if self.app.is_some() {
            self.stop().await;
        }
        let mut found = judge::look(&self).await;
        if let (Some(simulators), Some(specs)) = (&self.simulators, specs::given()) {
            found.extend(specs.misfits(&simulators.world().calls()));
        }
        if let Some(simulators) = self.simulators {
            simulators.stop().await;
        }
        self.setting.remove().await;
        found
    }
}

/// A fault that strikes one call of one account.
pub(crate) fn on(outlet: &Outlet, operation: Operation, kind: FaultKind) -> Fault {
    Fault::once(outlet.platform, operation, kind).on_account(outlet.remote_id.as_str())
}

/// What a waiting test tells of a delivery.
fn status(shown: &DeliveryDetail) -> String {
    let it = &shown.delivery;
    let tries: Vec<_> = shown.attempts.iter().map(|one| one.outcome.as_str()).collect();
    format!("{} {:?} {:?}, attempts {tries:?}", it.state, it.waits_for, it.problem)
}

fn shared(clocks: &[Shifted; 2]) -> [SharedClock; 2] {
    clocks.clone().map(|clock| -> SharedClock { Arc::new(clock) })
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

/// A token that is like no other text.
fn canary() -> String {
    format!("canary{:032x}", rand::random::<u128>())
}

fn plant(world: &World, platform: Platform, remote_id: &str, token: &str) {
    let (id, token) = (remote_id.to_owned(), token.to_owned());
    if platform == Platform::Facebook {
        return world.add_page(Page { name: format!("Page {id}"), id, token, ..Page::default() });
    }
    let username = format!("E{}", id.trim_start_matches("did:plc:"));
    world.add_member(
        platform,
        User { name: username.clone(), username, id, token, ..User::default() },
    );
}

async fn administrator(services: &Services) -> Caller {
    let email = "an.nguyen@mofa.example";
    people::create_administrator(services, email, "An Nguyễn", None).await.unwrap();
    let actor = people::at_the_console(services, email).await.unwrap();
    Caller { actor, idempotency: None, request_id: "test".to_owned() }
}

async fn unit(services: &Services, caller: &Caller) -> UnitId {
    let new = json!({
        "name": {"vi": "Bộ Ngoại giao", "en": "Ministry of Foreign Affairs"},
        "kind": "ministry", "time_zone": "Asia/Ho_Chi_Minh", "languages": ["vi", "en"],
        "approval": "none",
    });
    let new = serde_json::from_value(new).unwrap();
    units::create(services, caller, new).await.unwrap().value.id
}
