//! Bluesky against the real software: the reference server of the AT protocol, from npm, in a process of
//! its own. What our simulator says must be so there too.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use chancery::domain::delivery::DeliveryState;
use chancery::service::deliveries::{self, Recalling};
use chancery::simulator::Platform;
use serde_json::{Value, json};

use crate::stage::{Kind as Database, Outlet, Stage, Wanted};

/// The server with one account.
struct Pds {
    process: Child,
    base: String,
    did: String,
    password: String,
}

impl Drop for Pds {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _reaped_already = self.process.wait();
    }
}

impl Pds {
    /// Starts it; `None` when it was left out on purpose.
    #[expect(clippy::disallowed_methods, reason = "a test, which no configuration reaches")]
    async fn start() -> Option<Self> {
        if std::env::var("CHANCERY_TEST_SKIP").is_ok_and(|it| it.split(',').any(|it| it == "pds")) {
            eprintln!("NOT CHECKED: CHANCERY_TEST_SKIP names pds");
            return None;
        }
        let home = std::env::var("CHANCERY_TEST_PDS").expect(
            "the reference server is missing: `make test` fetches it, or set CHANCERY_TEST_SKIP=pds",
        );
        let started = tokio::task::spawn_blocking(move || {
            let mut process = Command::new("node")
                .arg("serve.mjs")
                .current_dir(home)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("node");
            let mut line = String::new();
            let output = process.stdout.take().expect("its output");
            BufReader::new(output).read_line(&mut line).expect("a line");
            let said: Value = serde_json::from_str(&line).expect("where it is");
            let text = |name: &str| said[name].as_str().expect("text").to_owned();
            let (base, did, password) = (text("base"), text("did"), text("password"));
            Self { process, base, did, password }
        });
        Some(started.await.expect("it starts"))
    }

    #[expect(clippy::disallowed_methods, reason = "a client of the platform that is not ours")]
    async fn get(&self, method: &str, query: &str) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (base, did) = (&self.base, &self.did);
        let url = format!("{base}/xrpc/{method}?repo={did}&collection=app.bsky.feed.post{query}");
        client.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// The server's posts, the greatest key first.
    async fn posts(&self) -> Vec<Value> {
        let list = self.get("com.atproto.repo.listRecords", "").await;
        list["records"].as_array().expect("records").clone()
    }

    /// Makes a post under a key without our service.
    #[expect(clippy::disallowed_methods, reason = "a client of the platform that is not ours")]
    async fn create(&self, key: &str, text: &str) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = async |method: &str, token: Option<&str>, body: Value| {
            let request = client.post(format!("{}/xrpc/{method}", self.base)).json(&body);
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
        };
        let entry = json!({"identifier": self.did, "password": self.password});
        let (_, session) = call("com.atproto.server.createSession", None, entry).await;
        let record = json!({
            "$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-11-22T10:00:00Z",
        });
        let body = json!({
            "repo": self.did, "collection": "app.bsky.feed.post", "rkey": key, "record": record,
        });
        call("com.atproto.repo.createRecord", session["accessJwt"].as_str(), body).await
    }
}

/// From entering the account to taking a post back, and a key that is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_goes_out_once_on_the_real_server() {
    let Some(pds) = Pds::start().await else { return };
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let options = [
        ("CHANCERY_BLUESKY__SERVICE_URL", pds.base.as_str()),
        ("CHANCERY_BLUESKY__LOOKS_PER_ACCOUNT", ""),
        // It looks at passwords for as long as they are worth.
        ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "15s"),
        ("CHANCERY_PUBLISH__LEASE", "60s"),
    ];
    let stage = Stage::start(Database::Sqlite, &options).await.expect("a stage");
    let account = stage.connect(Platform::Bluesky, &pds.did, &pds.password).await;
    let outlet = Outlet {
        platform: Platform::Bluesky,
        remote_id: pds.did.clone(),
        token: pds.password.clone(),
        id: account,
    };
    let wanted = Wanted::text("Việt Nam 🇻🇳 #HàNội mofa.gov.vn").link("https://mofa.example/tin");
    let id = stage.deliver(&outlet, &wanted).await;
    let receipt = stage.published(&id).await.delivery.receipt.expect("a receipt");
    let posts = pds.posts().await;
    assert_eq!(posts.len(), 1, "{posts:#?}");
    let (uri, post) = (posts[0]["uri"].as_str().unwrap(), &posts[0]["value"]);
    assert!(uri.ends_with(&receipt.remote_id), "{uri} {receipt:?}");
    assert!(post["text"].as_str().unwrap().contains("Việt Nam 🇻🇳 #HàNội mofa.gov.vn"), "{post}");
    assert_eq!(post["embed"]["external"]["uri"], "https://mofa.example/tin");
    assert_eq!(post["facets"].as_array().map(Vec::len), Some(2), "{post}");

    // Its key is taken: nobody makes a second post under it.
    let (status, body) = pds.create(&receipt.remote_id, "a second").await;
    assert!(status >= 400, "{status} {body}");
    assert_eq!(pds.posts().await.len(), 1);

    let (picture, _) = stage.picture(7).await;
    let with_picture = Wanted::text("with a picture").picture(&picture, "A flag");
    let pictured = stage.deliver(&outlet, &with_picture).await;
    stage.published(&pictured).await;
    let posts = pds.posts().await;
    let images = &posts[0]["value"]["embed"]["images"];
    assert_eq!((posts.len(), images.as_array().map(Vec::len)), (2, Some(1)), "{posts:#?}");

    let why = Recalling { reason: "A wrong figure".to_owned() };
    deliveries::recall(stage.acts(), stage.caller(), &id, why).await.expect("asked for");
    stage.until(&id, DeliveryState::Recalled).await;
    let left = pds.posts().await;
    assert!(left.len() == 1 && left[0]["uri"] == posts[0]["uri"], "{left:#?}");
    let gone = pds.get("com.atproto.repo.getRecord", &format!("&rkey={}", receipt.remote_id)).await;
    assert_eq!(gone["error"], "RecordNotFound");
    // The judge knows simulators only.
    let _not_judged = stage.finish_with_findings().await;
}
