//! Second factors: a code of the app besides the password, once each, and codes on paper for when the phone is lost.

use std::time::Duration;

use chancery::auth::Auth;
use chancery::domain::session::Key;
use chancery::service::factors::{self, FactorState, TypedCode};
use chancery::service::passwords;
use chancery::service::sessions::{self, SessionView};
use chancery::service::{Caller, Error, Window};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::sessions::{PASSWORD, Screen, by, choose, email, has_a_password, invited, place};
use crate::stage::{Stage, staged};
use crate::world::World;

/// What an app shows for a secret: RFC 6238 over RFC 4226, read a second time.
pub(crate) fn shows(secret: &str, at: Timestamp) -> String {
    let key = bytes_of(secret);
    let counter = u64::try_from(at.as_second() / 30).unwrap();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
    mac.update(&counter.to_be_bytes());
    let digest: [u8; 20] = mac.finalize().into_bytes().into();
    let offset = usize::from(digest[19] & 15);
    let four: [u8; 4] = digest[offset..offset + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// Base32 of RFC 4648: five bits a letter.
fn bytes_of(secret: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in secret.chars() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap();
        held = held << 5 | u32::try_from(value).unwrap();
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    bytes
}

fn typed(code: &str) -> TypedCode {
    TypedCode { code: SecretString::from(code) }
}

/// Signs the stage's administrator in, with a code if one is given.
pub(crate) async fn sign_in(
    stage: &Stage,
    address: &str,
    code: Option<&str>,
) -> Result<(SessionView, Key), Error> {
    let new = json!({"email": email(), "password": PASSWORD, "code": code});
    let new = serde_json::from_value(new).unwrap();
    sessions::create(stage.acts(), place(address), new).await
}

async fn at_a_screen(stage: &Stage, code: Option<&str>) -> Caller {
    let auth = Auth::new(stage.acts().clone());
    let (_, key) = sign_in(stage, "192.0.2.9", code).await.unwrap();
    by(&auth, stage, &key).await.unwrap()
}

/// The administrator has a password and an app; gives its secret and his codes on paper.
pub(crate) async fn has_an_app(stage: &Stage) -> (String, Vec<String>) {
    has_a_password(stage).await;
    let caller = at_a_screen(stage, None).await;
    let made = factors::set_up(stage.acts(), &caller).await.unwrap();
    let code = shows(&made.secret, stage.now());
    let codes = factors::confirm(stage.acts(), &caller, &typed(&code)).await.unwrap().codes;
    stage.advance(Duration::from_mins(1));
    (made.secret, codes)
}

#[expect(clippy::needless_pass_by_value, reason = "what was refused is looked at once")]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: &str) {
    let is = matches!(&result, Err(Error::Unknown(told)) if told.code == code);
    assert!(is, "not {code}: {result:?}");
}

/// What came of signing in, without the key, which is never printed.
async fn enters(stage: &Stage, code: Option<&str>) -> Result<(), Error> {
    sign_in(stage, "192.0.2.9", code).await.map(|_| ())
}

staged! {
    /// From the first code to the last, as somebody lives it.
    async fn a_code_is_asked_for_and_is_good_once(stage) {
        has_a_password(stage).await;
        let caller = at_a_screen(stage, None).await;
        let elsewhere = at_a_screen(stage, None).await;
        let acts = stage.acts();
        let first = factors::set_up(acts, &caller).await.unwrap().secret;
        let made = factors::set_up(acts, &caller).await.unwrap();
        assert!(made.uri.contains(&made.secret) && made.uri.starts_with("otpauth://totp/"));
        assert_ne!(first, made.secret);
        // Nothing is asked for before the app has shown that it works, and only the newest counts.
        enters(stage, None).await.unwrap();
        let old = shows(&first, stage.now());
        refused(factors::confirm(acts, &caller, &typed(&old)).await, "code_refused");
        let code = shows(&made.secret, stage.now());
        let paper = factors::confirm(acts, &caller, &typed(&code)).await.unwrap().codes;
        let seen = factors::show(acts, &caller).await.unwrap();
        assert_eq!((seen.state, seen.recovery_codes_left), (FactorState::On, 10));
        let list = sessions::list(acts, &caller, None, &Window { limit: 50, after: None }).await.unwrap();
        let here = caller.actor.signed_in.as_ref().unwrap().session_id.clone();
        let open: Vec<_> = list.items.iter().map(|it| &it.id).collect();
        assert_eq!(open, [&here], "wherever else he was signed in he is not: {elsewhere:?}");

        refused(enters(stage, None).await, "code_needed");
        refused(enters(stage, Some(&code)).await, "code_refused");
        stage.advance(Duration::from_mins(1));
        let code = shows(&made.secret, stage.now());
        enters(stage, Some(&format!("{} {}", &code[..3], &code[3..]))).await.unwrap();
        refused(enters(stage, Some(&code)).await, "code_refused");
        let wrong = if code == "000000" { "000001" } else { "000000" };
        refused(enters(stage, Some(wrong)).await, "code_refused");
        // On paper, each once.
        enters(stage, Some(&paper[3].to_lowercase())).await.unwrap();
        refused(enters(stage, Some(&paper[3])).await, "code_refused");
        assert_eq!(factors::show(acts, &caller).await.unwrap().recovery_codes_left, 9);

        // Another password, and showing again who one is, need one as well.
        let change = |code: Option<&str>| {
            let new = json!({
                "email": email(), "current": PASSWORD, "code": code, "password": "ngựa pin đúng ghim giấy",
            });
            passwords::choose(acts, "192.0.2.9", serde_json::from_value(new).unwrap())
        };
        refused(change(None).await, "code_needed");
        let proof = |code: Option<&str>| {
            let proof = serde_json::from_value(json!({"password": PASSWORD, "code": code})).unwrap();
            sessions::prove(acts, &caller, "192.0.2.9", proof)
        };
        refused(proof(None).await, "code_needed");
        stage.advance(Duration::from_mins(1));
        proof(Some(&shows(&made.secret, stage.now()))).await.unwrap();
        change(Some(&paper[4])).await.unwrap();
    }

    /// What has six digits can be guessed by whoever knows the password, also from where its owner has come before.
    /// What is on paper cannot, and does not wait.
    async fn whoever_tries_codes_waits_longer_and_longer(stage) {
        let (secret, paper) = has_an_app(stage).await;
        // Far enough that a slow machine does not sit the wait out.
        let mut wrong = 0;
        while wrong < 14 {
            match enters(stage, Some("nodigit")).await {
                Err(Error::Unknown(_)) => wrong += 1,
                Err(Error::TooSoon(told)) => {
                    assert!(wrong >= 5, "{wrong}");
                    stage.advance(Duration::from_secs(told.retry_after_s.unwrap()));
                }
                other => panic!("{other:?}"),
            }
        }
        let waits = enters(stage, Some(&shows(&secret, stage.now()))).await;
        assert!(matches!(waits, Err(Error::TooSoon(_))), "{waits:?}");
        enters(stage, Some(&paper[0])).await.unwrap();
        stage.advance(Duration::from_mins(16));
        enters(stage, Some(&shows(&secret, stage.now()))).await.unwrap();
    }

    /// It goes as it came: by whoever has just shown who he is; or on the machine itself.
    async fn it_is_taken_away_by_its_owner_or_at_the_console(stage) {
        let (secret, paper) = has_an_app(stage).await;
        let acts = stage.acts();
        let auth = Auth::new(acts.clone());
        let (_, key) = sign_in(stage, "192.0.2.9", Some(&paper[0])).await.unwrap();
        let caller = by(&auth, stage, &key).await.unwrap();
        let again = factors::set_up(acts, &caller).await;
        assert!(matches!(&again, Err(Error::Conflict(told)) if told.code == "second_factor_on"), "{again:?}");
        let fresh = factors::renew_codes(acts, &caller).await.unwrap().codes;
        refused(enters(stage, Some(&paper[1])).await, "code_refused");
        stage.advance(Duration::from_mins(16));
        let caller = by(&auth, stage, &key).await.unwrap();
        let late = factors::remove(acts, &caller).await;
        assert!(matches!(&late, Err(Error::Forbidden(told)) if told.code == "proof_needed"), "{late:?}");
        let proof = json!({"password": PASSWORD, "code": shows(&secret, stage.now())});
        sessions::prove(acts, &caller, "192.0.2.9", serde_json::from_value(proof).unwrap()).await.unwrap();
        let caller = by(&auth, stage, &key).await.unwrap();
        factors::remove(acts, &caller).await.unwrap();
        enters(stage, None).await.unwrap();
        let made = factors::set_up(acts, &caller).await.unwrap();
        let code = shows(&made.secret, stage.now());
        factors::confirm(acts, &caller, &typed(&code)).await.unwrap();
        refused(enters(stage, Some(&fresh[0])).await, "code_refused");
        factors::reset_at_the_console(acts, email()).await.unwrap();
        assert!(by(&auth, stage, &key).await.is_none(), "he is signed out");
        enters(stage, None).await.unwrap();
        let none = factors::reset_at_the_console(acts, email()).await;
        assert!(matches!(&none, Err(Error::Conflict(told)) if told.code == "second_factor_off"), "{none:?}");
    }
}

/// Where everybody must have one, whoever has none can do nothing but set it up; and nothing of it is kept readable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_required_nothing_else_can_be_done_before() {
    const EMAIL: &str = "lan.pham@mofa.example";
    let world = World::sqlite_with(&[("CHANCERY_SIGN_IN__SECOND_FACTOR_REQUIRED", "true")]).await;
    let (person, key) = invited(&world, EMAIL, "publisher").await;
    assert_eq!(choose(&world, json!({"key": key, "password": PASSWORD})).await.status, 204);
    let screen = Screen::open(&world).await;
    for (method, path) in
        [("GET", "/api/v1/units"), ("GET", "/api/v1/sessions"), ("POST", "/api/v1/tokens")]
    {
        let ask = screen.ask(&world, method, path).json(&json!({"name": "a way around"})).await;
        ask.problem(403, "second_factor_needed");
    }
    let state = screen.ask(&world, "GET", "/api/v1/second-factor").send().await.expect(200);
    assert_eq!((&state["state"], &state["required"]), (&json!("off"), &json!(true)));
    let made = screen.ask(&world, "POST", "/api/v1/second-factor").send().await.expect(200);
    let secret = made["secret"].as_str().unwrap();
    let confirm = async |code: &str| {
        let ask = screen.ask(&world, "POST", "/api/v1/second-factor/confirm");
        ask.json(&json!({ "code": code })).await
    };
    confirm("no code").await.problem(401, "code_refused");
    let codes: Value = confirm(&shows(secret, world.acts().clock.now())).await.expect(200);
    screen.ask(&world, "GET", "/api/v1/units").send().await.expect(200);
    let code = codes["codes"][0].as_str().unwrap();
    let kept = world.everything_kept().await;
    for secret in [secret, code, &code.replace('-', "")] {
        assert!(!kept.windows(secret.len()).any(|it| it == secret.as_bytes()), "a secret is kept");
    }
    // Of somebody else, whose phone is lost: only by an administrator of everything.
    let place = format!("/api/v1/people/{person}/second-factor");
    screen.ask(&world, "DELETE", &place).send().await.problem(403, "needs_role");
    assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
    screen.ask(&world, "GET", "/api/v1/units").send().await.problem(401, "unauthenticated");
    world.end().await;
}
