//! How the service of a test is set up: where its data lie and how fast it goes.

use std::path::Path;

use chancery::config::Config;
use chancery::simulator::{Simulators, World};

use super::{Database, Kind};

/// The application at Facebook that everything goes through.
const APP_ID: &str = "123456789012345";

/// A directory, a database and the options that the service is started with.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Where the database is.
    pub(crate) database: Database,
    /// The application's secret; never to be seen anywhere.
    pub(crate) app_secret: String,
    options: Vec<(String, String)>,
    directory: tempfile::TempDir,
}

/// Tens of milliseconds instead of seconds and minutes; what is longer is so that a busy machine
/// does not change what happens.
const TIMINGS: [(&str, &str); 22] = [
    // What tests falsify would be found: those on the self-audit say so themselves.
    ("CHANCERY_JOBS__SELF_AUDIT", "0 0 0 1 1 *"),
    ("CHANCERY_SERVER__LISTEN", "127.0.0.1:0"),
    ("CHANCERY_SERVER__STOP_TIMEOUT", "20s"),
    ("CHANCERY_DATABASE__MAX_CONNECTIONS", "8"),
    ("CHANCERY_OUTBOUND__CONNECT_TIMEOUT", "500ms"),
    ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "900ms"),
    ("CHANCERY_PUBLISH__LEASE", "5s"),
    ("CHANCERY_PUBLISH__LOOKAHEAD", "50ms"),
    ("CHANCERY_PUBLISH__QUIET_WAIT", "700ms"),
    ("CHANCERY_PUBLISH__POLL_INTERVAL", "100ms"),
    ("CHANCERY_PUBLISH__BACKOFF", "20ms"),
    ("CHANCERY_PUBLISH__BACKOFF_MAX", "200ms"),
    // Tests provoke more failures than any platform: those on circuits say so themselves.
    ("CHANCERY_PUBLISH__CIRCUIT_FAILURES", "100000"),
    ("CHANCERY_PUBLISH__INCIDENT_ACCOUNTS", "100000"),
    // Tests count reads and spoil them: those on looks at what is out say so themselves.
    ("CHANCERY_VERIFY__SPANS", ""),
    // So do those on posts that did not come from here.
    ("CHANCERY_FOREIGN__FACEBOOK_EVERY", ""),
    ("CHANCERY_FOREIGN__X_EVERY", ""),
    // And those on what accounts' access is worth.
    ("CHANCERY_ACCOUNTS__PROBE_EVERY", ""),
    ("CHANCERY_X__CREATES_PER_ACCOUNT", ""),
    ("CHANCERY_X__CREATES_PER_APP", ""),
    ("CHANCERY_X__LOOKS_PER_ACCOUNT", ""),
    ("CHANCERY_FACEBOOK__LOOKS_PER_ACCOUNT", ""),
];

impl Setting {
    pub(super) async fn new(
        kind: Kind,
        place: &Path,
        simulators: &Simulators,
        further: &[(&str, &str)],
    ) -> Option<Self> {
        let directory = tempfile::tempdir_in(place).unwrap();
        let database = Database::fresh(kind, directory.path()).await?;
        Some(Self::on(database, directory, simulators, further))
    }

    /// With this database, and this directory for everything else.
    pub(super) fn on(
        database: Database,
        directory: tempfile::TempDir,
        simulators: &Simulators,
        further: &[(&str, &str)],
    ) -> Self {
        let app_secret = super::canary();
        let places = [
            ("CHANCERY_DATA_DIR", directory.path().to_str().unwrap().to_owned()),
            ("CHANCERY_DATABASE__URL", database.url()),
            ("CHANCERY_FACEBOOK__GRAPH_URL", simulators.facebook_url()),
            ("CHANCERY_FACEBOOK__VIDEO_URL", simulators.facebook_url()),
            ("CHANCERY_FACEBOOK__APP_ID", APP_ID.to_owned()),
            ("CHANCERY_FACEBOOK__APP_SECRET", app_secret.clone()),
            ("CHANCERY_X__API_URL", simulators.x_url()),
            ("CHANCERY_X__WEB_URL", simulators.x_url()),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let options = TIMINGS
            .into_iter()
            .map(own)
            .chain(places.into_iter().map(|(name, value)| (name.to_owned(), value)))
            .chain(further.iter().copied().map(own))
            .collect();
        Self { database, app_secret, options, directory }
    }

    /// What the service is started with, as the environment would say it; the last word counts.
    pub(crate) fn options(&self) -> &[(String, String)] {
        &self.options
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.options.push((name.to_owned(), value.to_owned()));
    }

    /// Where its files lie.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The same, read.
    pub(crate) fn config(&self) -> Config {
        Config::load(None, self.options.iter().cloned()).unwrap()
    }

    /// Tells Facebook which application this is, and that every call must prove it.
    pub(super) fn tell(&self, world: &World) {
        world.set_facebook_app(APP_ID, &self.app_secret, true);
    }

    pub(super) async fn remove(self) {
        self.database.remove().await;
    }
}
