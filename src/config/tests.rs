//! Tests of the configuration as a whole.

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::*;

fn with(variables: &[(&str, &str)]) -> Result<Config, Faults> {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(None, owned.collect::<Vec<_>>().into_iter())
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chancery.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn keys(faults: &Faults) -> Vec<&str> {
    faults.0.iter().map(|fault| fault.key.as_str()).collect()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = with(&[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.public_url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.data_dir, PathBuf::from("./chancery-data"));
    let Place::Sqlite(path) = &config.database.place else { panic!("no file") };
    assert_eq!(path, &PathBuf::from("./chancery-data/chancery.db"));
    let Vault::Generated(path) = &config.vault else { panic!("not generated") };
    assert_eq!(path, &PathBuf::from("./chancery-data/vault.key"));
    assert_eq!(config.facebook.graph_url.as_str(), "https://graph.facebook.com/");
    assert_eq!(config.facebook.version, "v25.0");
    assert_eq!(config.x.api_url.as_str(), "https://api.x.com/");
    assert_eq!(config.x.authorize_url.as_str(), "https://x.com/i/oauth2/authorize");
    let publish = &config.publish;
    assert_eq!(publish.workers, 16);
    assert_eq!(publish.request_timeout, Duration::from_secs(20));
    assert_eq!(publish.quiet_wait, Duration::from_mins(2));
    assert_eq!(config.x.quiet_wait, publish.quiet_wait);
    assert_eq!(publish.lease, Duration::from_mins(1));
    assert_eq!(publish.lookahead, Duration::from_millis(500));
    let Grace { statement, urgent, routine, evergreen } = publish.grace;
    assert_eq!(
        [statement, urgent, routine, evergreen].map(|it| it.as_secs() / 60),
        [30, 5, 240, 1440]
    );
    assert_eq!(publish.catch_up_after, Duration::from_mins(5));
    assert_eq!(publish.catch_up_spacing, Duration::from_secs(30));
    assert!(config.warnings.is_empty() && config.outbound.trusted_hosts.is_empty());
}

#[test]
fn every_option_of_the_reference_is_read_and_explained() {
    let layers = Layers::defaults();
    assert!(layers.faults.is_empty(), "{:?}", layers.faults);
    let read = Read::new(&layers);
    assert!(Config::read(&read, &layers).is_some());
    let known: BTreeSet<String> = layers.settings.keys().cloned().collect();
    assert_eq!(read.seen(), known);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let (_directory, path) = file(
        "[publish]\nworkers = 3\nlease = \"90s\"\n[outbound]\ntrusted_hosts = [\"a.example\"]\n\
         [publish.grace]\nurgent = \"1m\"\n[x]\nquiet_wait = \"7s\"",
    );
    let variables = [
        ("CHANCERY_PUBLISH__WORKERS", "5"),
        ("CHANCERY_OUTBOUND__TRUSTED_HOSTS", "b.example, c.example"),
        ("CHANCERY_OUTBOUND__SYSTEM_PROXY", "true"),
        ("CHANCERY_PUBLISH__GRACE", "routine=2h, evergreen=3h"),
        ("CHANCERY_CONFIG", path.to_str().unwrap()),
        ("CHANCERY_TEST_POSTGRES", "postgres://x"),
        ("CHANCERY_PORT", "tcp://10.0.0.1:80"),
        ("OTHER", "1"),
    ];
    let config = with(&variables).unwrap();
    assert_eq!(config.publish.workers, 5);
    assert_eq!(config.publish.lease, Duration::from_secs(90));
    assert_eq!(config.outbound.trusted_hosts, ["b.example", "c.example"]);
    assert!(config.outbound.system_proxy);
    assert_eq!(config.x.quiet_wait, Duration::from_secs(7));
    assert_eq!(config.publish.grace.urgent, Duration::from_mins(1));
    assert_eq!(config.publish.grace.routine, Duration::from_hours(2));
    assert_eq!(config.publish.grace.statement, Duration::from_mins(30));
}

#[test]
fn all_faults_are_told_at_once_with_their_keys() {
    let (_directory, path) =
        file("[publish]\nworkers = \"many\"\nlaese = \"1s\"\n\n[nowhere]\na = 1\n");
    let variables = [
        ("CHANCERY_PUBLISH__LOOKAHEAD", "soon"),
        ("CHANCERY_SERVER__LISTEN", "here"),
        ("CHANCERY_NOTHING", "1"),
        ("CHANCERY_X__API_URL", "ftp://api.x.com"),
        ("CHANCERY_FACEBOOK__VERSION", "25"),
        ("CHANCERY_MEDIA__MAX_BYTES", "0"),
        ("CHANCERY_PUBLISH__GRACE", "routine=2h,never=1s"),
    ];
    let faults = Config::load(
        Some(&path),
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
    .unwrap_err();
    let found: BTreeSet<&str> = keys(&faults).into_iter().collect();
    let expected = [
        "publish.workers",
        "publish.laese",
        "nowhere.a",
        "publish.lookahead",
        "server.listen",
        "nothing",
        "x.api_url",
        "media.max_bytes",
        "publish.grace.never",
    ];
    assert!(expected.iter().all(|key| found.contains(key)), "{faults}");
    let told = faults.to_string();
    assert!(
        told.contains("chancery.toml:3): there is no such option; did you mean publish.lease?"),
        "{told}"
    );
    assert!(told.contains("publish.lookahead (CHANCERY_PUBLISH__LOOKAHEAD): \"soon\""), "{told}");
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for (variables, key) in [
        (vec![("CHANCERY_PUBLISH__LEASE", "20s")], "publish.lease"),
        (vec![("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "50s")], "publish.lease"),
        (vec![("CHANCERY_PUBLISH__BACKOFF", "1h")], "publish.backoff"),
        (vec![("CHANCERY_X__API_URL", "http://api.x.com")], "x.api_url"),
        (
            vec![("CHANCERY_FACEBOOK__GRAPH_URL", "https://u:p@graph.facebook.com")],
            "facebook.graph_url",
        ),
        (vec![("CHANCERY_JOBS__PRUNE", "40 3 * * *")], "jobs.prune"),
        (vec![("CHANCERY_TELEMETRY__LOG_LEVEL", "info,=x=")], "telemetry.log_level"),
        (vec![("CHANCERY_TELEMETRY__LOG_FORMAT", "xml")], "telemetry.log_format"),
        (vec![("CHANCERY_DATABASE__URL", "sqlite::memory:")], "database.url"),
        (vec![("CHANCERY_DATABASE__URL", "mysql://h/d")], "database.url"),
        (vec![("CHANCERY_DATA_DIR", "")], "data_dir"),
        (vec![("CHANCERY_MEDIA__STORE", "tape")], "media.store"),
        (vec![("CHANCERY_MEDIA__S3__BUCKET", "A_b")], "media.s3.bucket"),
        (vec![("CHANCERY_MEDIA__S3__PREFIX", "a/../b")], "media.s3.prefix"),
        (vec![("CHANCERY_MEDIA__S3__ENDPOINT", "s3.example.org")], "media.s3.endpoint"),
        (vec![("CHANCERY_X__CLIENT_SECRET_FILE", "/nowhere/x")], "x.client_secret_file"),
        (
            vec![("CHANCERY_X__CLIENT_SECRET_FILE", "/x"), ("CHANCERY_X__CLIENT_SECRET", "y")],
            "x.client_secret_file",
        ),
    ] {
        let faults = with(&variables).unwrap_err();
        assert!(keys(&faults).contains(&key), "{variables:?}: {faults}");
    }
}

#[test]
fn timings_may_be_tens_of_milliseconds() {
    let config = with(&[
        ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "80ms"),
        ("CHANCERY_PUBLISH__LEASE", "200ms"),
        ("CHANCERY_PUBLISH__LOOKAHEAD", "20ms"),
        ("CHANCERY_PUBLISH__QUIET_WAIT", "30ms"),
        ("CHANCERY_PUBLISH__POLL_INTERVAL", "10ms"),
    ]);
    assert_eq!(config.unwrap().facebook.quiet_wait, Duration::from_millis(30));
}

#[test]
fn a_platform_on_this_machine_is_trusted_and_announced() {
    let config = with(&[
        ("CHANCERY_FACEBOOK__GRAPH_URL", "http://127.0.0.1:9001"),
        ("CHANCERY_X__API_URL", "http://localhost:9002"),
    ])
    .unwrap();
    assert_eq!(config.outbound.trusted_hosts, ["127.0.0.1", "localhost"]);
    assert_eq!(config.warnings.len(), 2);
    assert!(config.warnings.iter().all(|it| it.contains("SIMULATED")));
    // A name that only looks like this machine is not.
    assert!(with(&[("CHANCERY_X__API_URL", "http://localhost.example.com")]).is_err());
}

#[test]
fn a_file_replaces_a_secret_of_a_lower_layer_and_the_other_way_round() {
    let (_directory, secret) = file("from-file\n");
    let text = format!("[x]\nclient_secret_file = {:?}\n", secret.to_str().unwrap());
    let (_other, path) = file(&text);
    let path = path.to_str().unwrap();
    let config = with(&[("CHANCERY_CONFIG", path)]).unwrap();
    assert_eq!(config.x.client_secret.unwrap().expose_secret(), "from-file");
    let config =
        with(&[("CHANCERY_CONFIG", path), ("CHANCERY_X__CLIENT_SECRET", "direct")]).unwrap();
    assert_eq!(config.x.client_secret.unwrap().expose_secret(), "direct");
}

#[test]
fn no_secret_is_ever_printed() {
    let variables = [
        ("CHANCERY_X__CLIENT_SECRET", "canary-x"),
        ("CHANCERY_FACEBOOK__APP_SECRET", "canary-f"),
        ("CHANCERY_VAULT__KEY", "canary-v"),
        ("CHANCERY_DATABASE__URL", "postgres://user:canary-d@db.example/name"),
    ];
    let config = with(&variables).unwrap();
    for printed in [config.effective().to_owned(), format!("{config:?}")] {
        assert!(!printed.contains("canary"), "{printed}");
    }
    assert!(
        config.effective().contains("client_secret = \"(hidden)\" # CHANCERY_X__CLIENT_SECRET")
    );
    assert!(config.effective().contains("postgres://user:(hidden)@db.example/name"));
    // Nor in faults, wherever a secret was put by mistake.
    let faults = with(&[
        ("CHANCERY_X__API_URL", "https://u:canary@api.x.com"),
        ("CHANCERY_DATABASE__URL", "mysql://u:canary@h/d"),
    ])
    .unwrap_err();
    assert!(!faults.to_string().contains("canary"), "{faults}");
    let (_directory, path) = file("[x]\nclient_secret = \"canary\n");
    let faults = Config::load(Some(&path), std::iter::empty()).unwrap_err();
    assert!(!faults.to_string().contains("canary"), "{faults}");
}

#[test]
fn what_is_printed_can_be_read_back() {
    let config =
        with(&[("CHANCERY_PUBLISH__WORKERS", "9"), ("CHANCERY_DATA_DIR", "a\"b\\c")]).unwrap();
    let (_directory, path) = file(config.effective());
    let again = Config::load(Some(&path), std::iter::empty()).unwrap();
    assert_eq!(again.publish.workers, 9);
    assert_eq!(again.data_dir, config.data_dir);
}

#[test]
fn a_file_that_is_missing_or_broken_is_named_with_its_line() {
    let faults = Config::load(Some(Path::new("/nowhere/a.toml")), std::iter::empty()).unwrap_err();
    assert!(faults.to_string().contains("/nowhere/a.toml"), "{faults}");
    let (_directory, path) = file("[publish]\nworkers = 3\nworkers = 4\n");
    let faults = Config::load(Some(&path), std::iter::empty()).unwrap_err();
    assert!(faults.to_string().contains("chancery.toml:3"), "{faults}");
}

#[test]
fn proxies_are_addresses_and_a_body_ends_before_its_request() {
    let config = with(&[("CHANCERY_SERVER__PROXIES", "127.0.0.1, ::1")]).unwrap();
    assert_eq!(config.server.proxies.len(), 2);
    let faults = with(&[("CHANCERY_SERVER__PROXIES", "127.0.0.1:80")]).unwrap_err();
    assert_eq!(keys(&faults), ["server.proxies"]);
    let faults = with(&[("CHANCERY_SERVER__BODY_TIMEOUT", "30s")]).unwrap_err();
    assert_eq!(keys(&faults), ["server.body_timeout"]);
}

#[cfg(feature = "s3")]
#[test]
fn a_bucket_needs_all_its_options_and_tls() {
    let whole = [
        ("CHANCERY_MEDIA__STORE", "s3"),
        ("CHANCERY_MEDIA__S3__ENDPOINT", "https://s3.example.org"),
        ("CHANCERY_MEDIA__S3__BUCKET", "desk"),
        ("CHANCERY_MEDIA__S3__PREFIX", "/media/one/"),
        ("CHANCERY_MEDIA__S3__ACCESS_KEY_ID", "A"),
        ("CHANCERY_MEDIA__S3__SECRET_ACCESS_KEY", "canary"),
    ];
    let config = with(&whole).unwrap();
    let Keep::Bucket(bucket) = &config.media.keep else { panic!("{:?}", config.media) };
    assert_eq!((bucket.bucket.as_str(), bucket.prefix.as_str()), ("desk", "media/one"));
    assert!(!format!("{}{:?}", config.effective(), config.media).contains("canary"));
    for missing in [1, 2, 4, 5] {
        let mut given = whole.to_vec();
        let (name, _) = given.remove(missing);
        let faults = with(&given).unwrap_err();
        let key = name.trim_start_matches("CHANCERY_").to_lowercase().replace("__", ".");
        assert!(keys(&faults).iter().any(|it| it.starts_with(&key)), "{name}: {faults}");
    }
    let open = [&whole[..], &[("CHANCERY_MEDIA__S3__ENDPOINT", "http://s3.example.org")]].concat();
    assert_eq!(keys(&with(&open).unwrap_err()), ["media.s3.endpoint"]);
    let trusted = [&open[..], &[("CHANCERY_OUTBOUND__TRUSTED_HOSTS", "s3.example.org")]].concat();
    assert!(with(&trusted).is_ok());
    let here = [&whole[..], &[("CHANCERY_MEDIA__S3__ENDPOINT", "http://127.0.0.1:9000")]].concat();
    let config = with(&here).unwrap();
    assert!(config.outbound.trusted_hosts.is_empty(), "nothing else may go there");
}
