//! Every secret that the service is given is a word that is like no other, and is looked for in whatever
//! comes out of it: the log at its most talkative, the database, a backup, every command, every answer.

use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery::config::Config;
use chancery::domain::id::DeliveryId;
use chancery::domain::token::ApiToken;
use chancery::platforms::session::Session;
use chancery::service::tokens::{self, NewToken};
use chancery::service::{NewCredential, accounts, people};
use chancery::simulator::{Kind as FaultKind, Platform};
use chancery::vault::{Sealed, Vault};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::daemon::{Daemon, client};
use super::{OPTIONS, soon};
use crate::stage::{Kind, Stage, Wanted, eventually};

/// Does not compile when the type has one of these traits: then the compiler cannot tell which of the two
/// ways to call is meant.
macro_rules! assert_not_impl_any {
    ($type:ty: $($never:path),+) => {
        const _: fn() = || {
            trait Ambiguous<Which> {
                fn call() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            $({
                struct Way;
                impl<T: ?Sized + $never> Ambiguous<Way> for T {}
            })+
            let _one = <$type as Ambiguous<_>>::call;
        };
    };
}

// What holds a secret cannot be written out by accident: none of these becomes JSON or a sentence.
assert_not_impl_any!(SecretString: serde::Serialize, std::fmt::Display, std::ops::Deref, AsRef<str>);
assert_not_impl_any!(ApiToken: serde::Serialize, std::fmt::Display, std::ops::Deref, AsRef<str>);
assert_not_impl_any!(NewCredential: serde::Serialize, std::fmt::Display);
assert_not_impl_any!(Session: serde::Serialize, std::fmt::Display);
assert_not_impl_any!(Sealed: serde::Serialize, std::fmt::Display);
assert_not_impl_any!(Vault: serde::Serialize, std::fmt::Display, Clone);
assert_not_impl_any!(Config: serde::Serialize, std::fmt::Display);

/// 32 bytes, which a key has.
const KEY: &str = "canary-vault-key-0123456789abcde";
const APP: &str = "canary+x/client=secret 01";
const MAIL: &str = "canary+mail/pass=word 02";
const REFRESH: &str = "canary-refresh-token-03-of-x";
const PASSWORD: &str = "canary+person/pass=word 04";
const DATABASE: &str = "canary-database-05";

/// Secrets, each with what it is.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 16, "{what} is too short to be told from other words");
        self.0.push((what, secret.to_owned()));
    }

    /// What is found of them in some bytes.
    fn look(&self, place: &str, bytes: &[u8], found: &mut Vec<String>) {
        // Every form is ASCII: what is no text beside it does not hide it.
        let text = String::from_utf8_lossy(bytes);
        for (what, secret) in &self.0 {
            for (form, written) in forms(secret) {
                if let Some(at) = text.find(&written) {
                    let after: String = text[at..].chars().take(60).collect();
                    let before: String = text[..at].chars().rev().take(120).collect();
                    let before: String = before.chars().rev().collect();
                    found.push(format!("{what} ({form}) is in {place}: {before}{after}"));
                }
            }
        }
    }

    fn look_below(&self, directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.look_below(&path, found);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                self.look(&path.display().to_string(), &bytes, found);
            }
        }
    }
}

/// The ways in which a secret may be written: itself, in base64 wherever it begins in what was encoded,
/// percent-encoded, as JSON writes it, and in hexadecimal digits.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let percent = |it: u8| match it {
        it if it.is_ascii_alphanumeric() || it == b'-' => char::from(it).to_string(),
        it => format!("%{it:02X}"),
    };
    let form = url::form_urlencoded::byte_serialize(secret.as_bytes());
    let mut all = vec![
        ("plain", secret.to_owned()),
        ("hexadecimal", hex::encode(secret)),
        ("as in a form", form.collect::<String>()),
        ("percent", secret.bytes().map(percent).collect()),
    ];
    for before in 0..3_usize {
        let shifted = [&vec![b'x'; before][..], secret.as_bytes()].concat();
        for encoded in [STANDARD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            // Only the letters in which nothing of its neighbours is.
            let from = if before == 0 { 0 } else { 4 };
            all.push(("base64", encoded[from..shifted.len() / 3 * 4].to_owned()));
        }
    }
    all
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    let mut secrets = Secrets(Vec::new());
    secrets.add("one", APP);
    let header = |text: &str| STANDARD.encode(text).into_bytes();
    let written = [
        format!("token={APP}").into_bytes(),
        header(&format!("client:{APP}")),
        header(&format!("client1:{APP}")),
        header(&format!("client12:{APP}:more")),
        URL_SAFE_NO_PAD.encode(APP).into_bytes(),
        b"secret=canary%2Bx%2Fclient%3Dsecret+01&".to_vec(),
        b"secret=canary%2Bx%2Fclient%3Dsecret%2001".to_vec(),
        hex::encode(APP).into_bytes(),
    ];
    for bytes in written {
        let mut found = Vec::new();
        secrets.look("here", &bytes, &mut found);
        assert!(!found.is_empty(), "not found in {}", String::from_utf8_lossy(&bytes));
    }
    let mut found = Vec::new();
    secrets.look("here", b"canary+x/client", &mut found);
    assert!(found.is_empty(), "{found:?}");
}

/// What the platform says when it echoes the token in its refusal.
fn echo(platform: Platform, token: &str) -> FaultKind {
    let said = format!("the token {token} was refused (Authorization: Bearer {token})");
    let body = if platform == Platform::Facebook {
        json!({"error": {"message": said, "type": "OAuthException", "code": 100, "fbtrace_id": token}})
    } else {
        json!({"title": "Invalid Request", "detail": said, "status": 400,
               "type": "https://api.x.com/2/problems/invalid-request",
               "errors": [{"message": said, "parameters": {"token": [token]}}]})
    };
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    FaultKind::Answer {
        status: 400,
        headers: headers.into(),
        body: body.to_string(),
        execute: false,
    }
}

/// Everything that a person with all rights can be shown.
const SHOWN: [&str; 17] = [
    "/readyz",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/api/v1/accounts",
    "/api/v1/units",
    "/api/v1/deliveries",
    "/api/v1/posts",
    "/api/v1/media",
    "/api/v1/tokens",
    "/api/v1/calendar/feeds",
    "/api/v1/webhooks",
    "/api/v1/platforms",
    "/api/v1/clock",
    "/api/v1/quarantine",
    "/api/v1/notifications",
    "/api/v1/holds",
];

/// A running daemon and who asks it.
struct Asker<'a> {
    daemon: &'a Daemon,
    http: reqwest::Client,
    token: String,
}

impl Asker<'_> {
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Vec<u8>) {
        let url = format!("http://{}{path}", self.daemon.address());
        let ask = self.http.request(method.parse().unwrap(), url).bearer_auth(&self.token);
        let ask = match body {
            Some(body) => ask.header("content-type", "application/json").body(body.to_string()),
            None => ask,
        };
        let answer = ask.send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }
}

/// Runs a command at its most talkative; whatever it says.
fn command(stage: &Stage, arguments: &[&str], input: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(arguments)
        .env_clear()
        .envs(stage.setting().options().iter().map(|(name, value)| (name, value)))
        .env("CHANCERY_TELEMETRY__LOG_LEVEL", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Most commands do not read it, and may have ended.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    [output.stdout, output.stderr].concat()
}

async fn prepared(kind: Kind) -> Option<(Stage, Secrets, String)> {
    let key = STANDARD.encode(KEY);
    let given = [
        ("CHANCERY_VAULT__KEY", key.as_str()),
        ("CHANCERY_X__CLIENT_ID", "canaries-client"),
        ("CHANCERY_X__CLIENT_SECRET", APP),
        ("CHANCERY_MAIL__HOST", "127.0.0.1"),
        ("CHANCERY_MAIL__PORT", "9"),
        ("CHANCERY_MAIL__SECURITY", "none"),
        ("CHANCERY_MAIL__FROM", "Chancery <desk@mofa.example>"),
        ("CHANCERY_MAIL__USERNAME", "desk"),
        ("CHANCERY_MAIL__PASSWORD", MAIL),
    ];
    let mut stage = Stage::start(kind, &[&OPTIONS[..], &given[..]].concat()).await?;
    let mut secrets = Secrets(Vec::new());
    for (what, secret) in [
        ("the key of the vault", KEY),
        ("X's client secret", APP),
        ("the password of the mail", MAIL),
        ("a refresh token", REFRESH),
        ("a person's password", PASSWORD),
    ] {
        secrets.add(what, secret);
    }
    secrets.add("the key of the vault, as it is configured", &key);
    secrets.add("Facebook's app secret", &stage.setting().app_secret.clone());
    if kind == Kind::Postgres {
        let url = stage.setting().database.url().replacen(
            "postgres@",
            &format!("postgres:{DATABASE}@"),
            1,
        );
        assert!(url.contains(DATABASE), "the address has no user");
        stage.set_option("CHANCERY_DATABASE__URL", &url);
        secrets.add("the password of the database", DATABASE);
    }
    let password = Some(SecretString::from(PASSWORD));
    people::create_administrator(stage.acts(), "c@mofa.example", "C", password).await.unwrap();
    let new = NewToken {
        name: "canaries".to_owned(),
        person_id: None,
        scopes: None,
        accounts: None,
        expires_at: None,
    };
    let made = tokens::create(stage.acts(), stage.caller(), new).await.unwrap();
    let token = made.value.token.unwrap();
    secrets.add("a token of the API", &token);
    Some((stage, secrets, token))
}

/// Deliveries that go out when the real process runs; half of them are refused with an echo.
async fn scheduled(stage: &Stage, secrets: &mut Secrets) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for refused in [false, true] {
        for outlet in stage.both().await {
            secrets.add("an access token", &outlet.token);
            if outlet.platform == Platform::X {
                let credential = json!({"kind": "oauth2", "access_token": outlet.token,
                    "refresh_token": REFRESH, "expires_at": "2099-01-01T00:00:00Z"});
                let change = serde_json::from_value(json!({"credential": credential})).unwrap();
                let done = accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change);
                done.await.unwrap();
            }
            if refused {
                stage.spoil(&outlet, echo(outlet.platform, &outlet.token));
            }
            ids.push(stage.deliver(&outlet, &Wanted::text("a canary").at(soon())).await);
        }
    }
    ids
}

/// Looks at everything that can be asked while it runs.
async fn look_around(
    asker: &Asker<'_>,
    secrets: &mut Secrets,
    ids: &[DeliveryId],
    found: &mut Vec<String>,
) {
    let hook = json!({"url": "https://hooks.example.org/1", "events": ["delivery.published"]});
    let (status, made) = asker.ask("POST", "/api/v1/webhooks", Some(&hook)).await;
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&made));
    let made: Value = serde_json::from_slice(&made).unwrap();
    // Shown to whoever made it, this once.
    secrets.add("the secret of a webhook", made["secret"].as_str().unwrap());
    let (status, made) =
        asker.ask("POST", "/api/v1/calendar/feeds", Some(&json!({"name": "canaries"}))).await;
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&made));
    let made: Value = serde_json::from_slice(&made).unwrap();
    // Shown once, and the address of all that its owner may see.
    let (_, path) = made["address"].as_str().unwrap().split_once("/calendar/").unwrap();
    let (status, shown) = asker.ask("GET", &format!("/calendar/{path}"), None).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&shown));
    let secret = path.strip_prefix("feeds/").and_then(|it| it.strip_suffix(".ics")).unwrap();
    secrets.add("the secret of a calendar feed", secret);
    secrets.look("the feed itself", &shown, found);
    for id in ids {
        let path = format!("/api/v1/deliveries/{id}");
        let shown = eventually("it has come to its end, or to a person", async || {
            let (_, bytes) = asker.ask("GET", &path, None).await;
            let shown: Value = serde_json::from_slice(&bytes).unwrap();
            let state = shown["state"].as_str().unwrap_or_default();
            let over = ["published", "failed", "needs_human", "held"].contains(&state);
            if over { Ok(bytes) } else { Err(shown.to_string()) }
        })
        .await;
        secrets.look("a delivery", &shown, found);
    }
    // A credential that does not fit is refused without being repeated.
    let bad = json!({"unit_id": "unit_x", "platform": "x", "remote_id": "1",
        "credential": {"kind": "oauth2", "access_token": REFRESH, "refresh_token": 7}});
    let (status, refused) = asker.ask("POST", "/api/v1/accounts", Some(&bad)).await;
    assert_eq!(status, 422);
    secrets.look("a refusal", &refused, found);
    for path in SHOWN {
        let (status, shown) = asker.ask("GET", path, None).await;
        assert!([200, 503].contains(&status), "{path}: {status}");
        secrets.look(path, &shown, found);
    }
}

async fn nothing_comes_out(kind: Kind) {
    let Some((mut stage, mut secrets, token)) = prepared(kind).await else { return };
    let ids = scheduled(&stage, &mut secrets).await;
    let mut found = Vec::new();
    // What is in memory is not written out by accident either.
    let printed = format!("{:?} {:?}", stage.setting().config(), stage.acts());
    secrets.look("what is in memory, printed", printed.as_bytes(), &mut found);
    stage.stop().await;
    let daemon = Daemon::start(stage.setting(), &[("CHANCERY_TELEMETRY__LOG_LEVEL", "trace")]);
    daemon.ready().await;
    let asker = Asker { daemon: &daemon, http: client(), token };
    look_around(&asker, &mut secrets, &ids, &mut found).await;
    daemon.stop().await;
    let backup = stage.setting().directory().join("copy");
    let backup = ["backup", backup.to_str().unwrap()];
    let create =
        ["admin", "create", "--email", "d@mofa.example", "--name", "D", "--password-stdin"];
    let mut commands = vec![&["check"][..], &["vault", "keys"], &create];
    if kind == Kind::Sqlite {
        commands.push(&backup);
    }
    for arguments in commands {
        let said = command(&stage, arguments, &format!("{PASSWORD}\n"));
        secrets.look(&format!("{arguments:?}"), &said, &mut found);
    }
    secrets.look("the database", stage.setting().database.dump().await.as_bytes(), &mut found);
    secrets.look_below(stage.setting().directory(), &mut found);
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} secrets come out:\n{}", found.len(), found.join("\n"));
    stage.resume().await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_comes_out_on_sqlite() {
    nothing_comes_out(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_comes_out_on_postgres() {
    nothing_comes_out(Kind::Postgres).await;
}
