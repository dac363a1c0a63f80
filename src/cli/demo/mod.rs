//! `chancery demo`: the service with simulated platforms, a ministry, its missions and posts that go
//! out while one watches.

mod client;
mod home;
mod missions;
mod picture;
mod seed;
mod texts;
mod watch;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::exit::{Failure, say};
use super::serve::stop_signal;
use crate::app::App;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, Telemetry};
use crate::service::tokens::{self, NewToken};
use crate::service::{self, Caller, Services, people};
use crate::simulator::{Fault, Kind, Operation, Platform, Simulators};
use crate::telemetry;
use client::Client;
use home::Home;
use missions::{MISSIONS, Presence};
use seed::{Entered, Item};
use watch::Watcher;

/// The administrator of the demonstration.
const EMAIL: &str = "demo@mofa.example";

/// Time between two posts after the first batch.
const LATER: Duration = Duration::from_secs(20);

/// Which post of the first batch meets a fault of its platform, counted from nought.
const FAULTY: usize = 4;

/// How the demonstration runs.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to keep everything; a temporary directory, removed at the end, when not said.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How many posts go out one after another at the beginning.
    #[arg(long, value_name = "N", default_value_t = 28, value_parser = posts)]
    posts: usize,
    /// Stop when these are out: with 0 when all of them are, once each, with 1 otherwise.
    #[arg(long)]
    once: bool,
}

fn posts(text: &str) -> Result<usize, String> {
    let most = seed::MOST;
    match text.parse() {
        Ok(posts) if (1..=most).contains(&posts) => Ok(posts),
        Ok(_) | Err(_) => Err(format!("a number from 1 to {most}")),
    }
}

/// A running demonstration.
struct Stage {
    home: Home,
    presences: Vec<Presence>,
    simulators: Simulators,
    clock: SharedClock,
    app: App,
    address: SocketAddr,
}

pub(super) async fn run(config: &Config, options: Options) -> Result<(), Failure> {
    let stopping = CancellationToken::new();
    let asked = stopping.clone();
    tokio::spawn(async move {
        stop_signal().await;
        asked.cancel();
    });
    // What the demonstration provokes would only disturb the play; another level can be asked for.
    let quiet =
        Telemetry { log_level: quiet(&config.telemetry.log_level), ..config.telemetry.clone() };
    telemetry::install_logs(&quiet)
        .map_err(|error| Failure::failed("logs could not be set up", error))?;
    let home = Home::open(options.data_dir.clone())?;
    let stage = Stage::set(config.server.listen, home).await?;
    let played = tokio::select! {
        played = stage.play(&options) => played,
        () = stopping.cancelled() => {
            if options.once { Err(Failure::because("stopped before its end")) } else { Ok(()) }
        }
    };
    stage.strike().await;
    played
}

fn quiet(level: &str) -> String {
    if level == "info" { "error".to_owned() } else { level.to_owned() }
}

/// The address that was configured, or a free port when it is taken.
fn free(wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    TcpListener::bind(wanted)
        .or_else(|_taken| TcpListener::bind(any))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failure::failed("no address to listen on", error))
}

/// The configuration of a demonstration: the defaults, the simulators and its own directory, and
/// nothing of a real installation that may be configured on this machine.
fn configuration(
    home: &Path,
    listen: SocketAddr,
    simulators: &Simulators,
) -> Result<Config, Failure> {
    let (graph, api) = (simulators.facebook_url(), simulators.x_url());
    let settings = [
        ("CHANCERY_DATA_DIR", home.display().to_string()),
        ("CHANCERY_SERVER__LISTEN", listen.to_string()),
        ("CHANCERY_SERVER__PUBLIC_URL", format!("http://{}", near(listen))),
        ("CHANCERY_SERVER__STOP_TIMEOUT", "5s".to_owned()),
        ("CHANCERY_FACEBOOK__GRAPH_URL", graph.clone()),
        ("CHANCERY_FACEBOOK__VIDEO_URL", graph.clone()),
        ("CHANCERY_FACEBOOK__DIALOG_URL", graph),
        ("CHANCERY_X__API_URL", api.clone()),
        ("CHANCERY_X__WEB_URL", api.clone()),
        ("CHANCERY_X__AUTHORIZE_URL", api),
        ("CHANCERY_PUBLISH__QUIET_WAIT", "3s".to_owned()),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
    Config::load(None, settings).map_err(|faults| Failure::config(&faults))
}

/// How this machine reaches what listens on an address.
fn near(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], listen.port()))
    } else {
        listen
    }
}

impl Stage {
    /// Starts everything.
    async fn set(listen: SocketAddr, home: Home) -> Result<Self, Failure> {
        let clock: SharedClock = Arc::new(SystemClock);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let simulators = Simulators::start(clock.clone(), any, any)
            .await
            .map_err(|error| Failure::failed("the simulators could not be started", error))?;
        let presences = missions::presences();
        missions::plant(&presences, &simulators.world());
        let config = configuration(home.path(), free(listen)?, &simulators)?;
        let app = App::start(config, clock.clone()).await?;
        let address = near(app.address());
        Ok(Self { home, presences, simulators, clock, app, address })
    }

    /// Ends everything, in order.
    async fn strike(self) {
        self.app.stop().await;
        self.simulators.stop().await;
        drop(self.home);
    }

    async fn play(&self, options: &Options) -> Result<(), Failure> {
        let token = token(self.app.acts()).await?;
        self.greet(&token)?;
        let base = Url::parse(&format!("http://{}/api/v1/", self.address))
            .map_err(|error| Failure::failed("the address of the API", error))?;
        let outbound = self.app.acts().outbound.clone();
        let client = Client::new(outbound, base, &SecretString::from(token))?;
        let entered = Entered::enter(&client, &self.presences).await?;
        let wait = seed::PACE.as_secs_f32();
        say(format_args!(
            "{} units with {} accounts; a post every {wait} s. Ctrl-C ends it.\n",
            entered.units(),
            entered.accounts(),
        ))?;
        self.prepare_fault(options.posts);
        let watcher = Watcher { client: &client, clock: &self.clock, entered: &entered };
        let batch = entered.batch(&client, options.posts, &self.clock).await?;
        let published = watcher.until_out(&batch).await?;
        let created = self.simulators.world().counts().created;
        say(format_args!(
            "\npublished {published} of {}, {created} created at the platforms",
            batch.len()
        ))?;
        if options.once {
            return if published == batch.len() && !batch.is_empty() {
                Ok(())
            } else {
                Err(Failure::because("not everything was published"))
            };
        }
        say(format_args!("from here on a post every {} s\n", LATER.as_secs()))?;
        self.go_on(&watcher, options.posts).await
    }

    async fn go_on(&self, watcher: &Watcher<'_>, from: usize) -> Result<(), Failure> {
        for item in seed::play().skip(from) {
            self.clock.sleep(LATER).await;
            let more = watcher.entered.more(watcher.client, &item, self.clock.now()).await?;
            watcher.until_out(&more).await?;
        }
        Ok(())
    }

    /// Lets one platform say "500, try again" after it has made the post.
    fn prepare_fault(&self, posts: usize) {
        let first: Vec<Item> = seed::play().take(posts.min(FAULTY + 1)).collect();
        let [page, _user] = seed::PLATFORMS;
        let Some(item) = first.iter().rev().find(|item| item.platform == page) else { return };
        let handle = item.mission.handle;
        let Some(one) = self.presences.iter().find(|it| it.mission.handle == handle) else {
            return;
        };
        let kind = Kind::ServerError { execute: true };
        let fault = Fault::once(Platform::Facebook, Operation::Create, kind);
        self.simulators.world().faults().push(fault.on_account(one.page.id.clone()));
    }

    fn greet(&self, token: &str) -> Result<(), Failure> {
        let address = self.address;
        let (path, fate) = (self.home.path().display(), self.home.fate());
        let missions = MISSIONS.len() - 1;
        say(format_args!(
            "A ministry and {missions} missions, on simulated platforms. Nothing leaves this machine.

  API        http://{address}/api/v1
  Document   http://{address}/docs
  Token      {token}
  Facebook   {}   (simulated)
  X          {}   (simulated)
  Data       {path}   ({fate})

  curl -H 'Authorization: Bearer {token}' http://{address}/api/v1/deliveries
",
            self.simulators.facebook_url(),
            self.simulators.x_url(),
        ))
    }
}

/// A new token of the administrator, who is entered when he is not there.
async fn token(services: &Services) -> Result<String, Failure> {
    let actor = match people::at_the_console(services, EMAIL).await {
        Ok(actor) => actor,
        Err(service::Error::NotFound) => {
            people::create_administrator(services, EMAIL, "Demonstration", None)
                .await
                .map_err(|error| Failure::service(&error))?;
            people::at_the_console(services, EMAIL)
                .await
                .map_err(|error| Failure::service(&error))?
        }
        Err(error) => return Err(Failure::service(&error)),
    };
    let caller = Caller { actor, idempotency: None, request_id: "demonstration".to_owned() };
    let new = NewToken {
        name: "demonstration".to_owned(),
        person_id: None,
        scopes: None,
        accounts: None,
        expires_at: services.clock.now().checked_add(SignedDuration::from_hours(24)).ok(),
    };
    let made =
        tokens::create(services, &caller, new).await.map_err(|error| Failure::service(&error))?;
    made.value.token.ok_or_else(|| Failure::because("the token was made without its secret"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_given_up_for_a_free_one() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let other = free(address).unwrap();
        assert_ne!(other, address);
        assert!(other.ip().is_loopback());
    }

    #[test]
    fn the_number_of_posts_is_checked() {
        assert_eq!(posts("9"), Ok(9));
        for wrong in ["0", "-1", "many", "43"] {
            assert!(posts(wrong).is_err(), "{wrong}");
        }
    }
}
