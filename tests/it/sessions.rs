//! Being signed in at a screen: with a password that was chosen by a link, confirmed changes, and its ends.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chancery::auth::{Auth, browser};
use chancery::domain::id::HoldId;
use chancery::domain::session::Key;
use chancery::service::passwords;
use chancery::service::sessions::{self, NewSession, Place, Proof};
use chancery::service::{
    Caller, Error, accounts, connections, feeds, holds, people, quarantine, tokens, units, webhooks,
};
use chancery::simulator::Platform;
use http::header::COOKIE;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::stage::{Kind, Stage, eventually, staged};
use crate::world::{Ask, World, both};

const EMAIL: &str = "lan.pham@mofa.example";
pub(crate) const PASSWORD: &str = "giếng bút mưa đá";

/// Somebody who has a role and was sent a link: his id, and what stands in the link.
pub(crate) async fn invited(world: &World, email: &str, role: &str) -> (String, String) {
    let unit = world.unit().await;
    let person = json!({
        "email": email, "name": "Phạm Lan", "roles": [{"unit_id": unit["id"], "role": role}],
    });
    let person = world.ask("POST", "/api/v1/people").json(&person).await.expect(201);
    let id = person["id"].as_str().unwrap().to_owned();
    let key = link(world, &id).await;
    (id, key)
}

async fn id_of(world: &World, email: &str) -> String {
    let people = world.ask("GET", "/api/v1/people").send().await.expect(200);
    let person = people["items"].as_array().unwrap().iter().find(|it| it["email"] == email);
    person.unwrap()["id"].as_str().unwrap().to_owned()
}

async fn link(world: &World, person: &str) -> String {
    let place = format!("/api/v1/people/{person}/invitation");
    let made = world.ask("POST", &place).send().await.expect(200);
    made["link"].as_str().unwrap().split_once("/password#").unwrap().1.to_owned()
}

pub(crate) async fn choose(world: &World, body: Value) -> crate::world::Answer {
    world.anonymous("POST", "/api/v1/passwords").json(&body).await
}

async fn sign_in(world: &World, password: &str) -> crate::world::Answer {
    let body = json!({"email": EMAIL, "password": password});
    world.anonymous("POST", "/api/v1/sessions").json(&body).await
}

/// At a screen: the cookie, and what confirms changes.
pub(crate) struct Screen {
    cookie: String,
    word: String,
}

impl Screen {
    pub(crate) async fn open(world: &World) -> Self {
        let answer = sign_in(world, PASSWORD).await;
        let set = answer.header("set-cookie").to_owned();
        let cookie = set.split(';').next().unwrap().to_owned();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
        let told = answer.expect(201);
        let words = told.to_string();
        assert!(!words.contains(cookie.split_once('=').unwrap().1), "the key stands in no body");
        Self { cookie, word: told["csrf_token"].as_str().unwrap().to_owned() }
    }

    pub(crate) fn ask(&self, world: &World, method: &str, path: &str) -> Ask {
        let ask = world.anonymous(method, path).header("cookie", &self.cookie);
        ask.header("x-csrf-token", &self.word)
    }
}

both! {
    /// From the link to the last click, as somebody lives it.
    async fn somebody_chooses_a_password_signs_in_works_and_signs_out(world) {
        let (person, key) = invited(world, EMAIL, "administrator").await;
        let page = world.anonymous("GET", "/password").send().await;
        assert!(String::from_utf8_lossy(&page.bytes).contains("<form"));
        let weak = choose(world, json!({"key": key, "password": "password1234"})).await;
        assert_eq!(weak.faults(), [("/password".to_owned(), "password_weak".to_owned())]);
        assert_eq!(choose(world, json!({"key": key, "password": PASSWORD})).await.status, 204);
        choose(world, json!({"key": key, "password": PASSWORD})).await.problem(409, "link_void");

        let here = Screen::open(world).await;
        let shown = here.ask(world, "GET", "/api/v1/sessions/current").send().await.expect(200);
        assert_eq!((&shown["person_id"], &shown["csrf_token"]), (&json!(person), &json!(here.word)));
        let body = json!({"name": "of the desk"});
        let made = here.ask(world, "POST", "/api/v1/tokens").json(&body).await.expect(201);
        assert!(made["token"].is_string());
        // A page of another site makes a browser send the cookie, and does not know the word.
        let forged = world.anonymous("POST", "/api/v1/tokens").header("cookie", &here.cookie);
        forged.json(&body).await.problem(403, "unconfirmed");
        let other = Screen::open(world).await;
        let mixed = world.anonymous("POST", "/api/v1/tokens").header("cookie", &here.cookie);
        mixed.header("x-csrf-token", &other.word).json(&body).await.problem(403, "unconfirmed");

        let list = here.ask(world, "GET", "/api/v1/sessions").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
        let place = format!("/api/v1/sessions/{}", shown["id"].as_str().unwrap());
        assert_eq!(other.ask(world, "DELETE", &place).send().await.status, 204);
        here.ask(world, "GET", "/api/v1/units").send().await.problem(401, "unauthenticated");
        let left = other.ask(world, "DELETE", "/api/v1/sessions/current").send().await;
        assert_eq!((left.status, left.header("set-cookie").contains("Max-Age=0")), (204, true));
        other.ask(world, "GET", "/api/v1/units").send().await.problem(401, "unauthenticated");
        let kept = world.everything_kept().await;
        for secret in [PASSWORD, &key, here.cookie.split_once('=').unwrap().1] {
            let found = kept.windows(secret.len()).any(|it| it == secret.as_bytes());
            assert!(!found, "a secret is kept");
        }
    }

    /// Wherever he is signed in, and whatever link he was sent.
    async fn another_password_and_a_leave_end_everything(world) {
        let (person, first) = invited(world, EMAIL, "publisher").await;
        let second = link(world, &person).await;
        choose(world, json!({"key": first, "password": PASSWORD})).await.problem(409, "link_void");
        assert_eq!(choose(world, json!({"key": second, "password": PASSWORD})).await.status, 204);
        let before = Screen::open(world).await;
        let change = |current: &str| {
            json!({"email": EMAIL, "current": current, "password": "ngựa pin đúng ghim giấy"})
        };
        choose(world, change("not his")).await.problem(401, "sign_in_refused");
        before.ask(world, "GET", "/api/v1/units").send().await.expect(200);
        assert_eq!(choose(world, change(PASSWORD)).await.status, 204);
        before.ask(world, "GET", "/api/v1/units").send().await.problem(401, "unauthenticated");
        sign_in(world, PASSWORD).await.problem(401, "sign_in_refused");
        let back = json!({"email": EMAIL, "current": "ngựa pin đúng ghim giấy", "password": PASSWORD});
        assert_eq!(choose(world, back).await.status, 204);
        let after = Screen::open(world).await;
        let third = link(world, &person).await;
        let place = format!("/api/v1/people/{person}");
        let leaves = |is: bool| json!({ "disabled": is });
        world.ask("PATCH", &place).seen("*").json(&leaves(true)).await.expect(200);
        after.ask(world, "GET", "/api/v1/units").send().await.problem(401, "unauthenticated");
        sign_in(world, PASSWORD).await.problem(401, "sign_in_refused");
        let invitation = format!("{place}/invitation");
        world.ask("POST", &invitation).send().await.problem(409, "person_disabled");
        // Let in again he signs in again, and what he had before stays ended.
        world.ask("PATCH", &place).seen("*").json(&leaves(false)).await.expect(200);
        choose(world, json!({"key": third, "password": PASSWORD})).await.problem(409, "link_void");
        after.ask(world, "GET", "/api/v1/units").send().await.problem(401, "unauthenticated");
        Screen::open(world).await;
    }

    /// Nobody becomes more than he is by a link, and nobody two people.
    async fn a_link_makes_nobody_more_than_he_is(world) {
        let (person, key) = invited(world, EMAIL, "approver").await;
        let own = world.ask("GET", "/api/v1/people").send().await.expect(200)["items"][0]["id"].clone();
        let place = |id: &str| format!("/api/v1/people/{id}/invitation");
        let own = place(own.as_str().unwrap());
        world.ask("POST", &own).send().await.problem(403, "link_beyond_own");
        let small = world.token(json!({"name": "small", "scopes": ["people:write"]})).await;
        let small = world.ask_as(small["token"].as_str().unwrap(), "POST", &place(&person));
        small.send().await.problem(403, "link_beyond_own");
        // His own unit's administrator may invite him, and not choose for him another password.
        let unit = world.ask("GET", &format!("/api/v1/people/{person}")).send().await.expect(200);
        let chief = json!({
            "email": "chief@mofa.example", "name": "Chief",
            "roles": [{"unit_id": unit["roles"][0]["unit_id"], "role": "administrator"}],
        });
        let chief = world.ask("POST", "/api/v1/people").json(&chief).await.expect(201);
        let chief = world.token(json!({"name": "chief", "person_id": chief["id"]})).await;
        let chief = chief["token"].as_str().unwrap();
        let ask = || world.ask_as(chief, "POST", &place(&person));
        ask().send().await.expect(200);
        choose(world, json!({"key": key, "password": PASSWORD})).await.problem(409, "link_void");
        let key = link(world, &person).await;
        // What he may has changed since.
        world.appoint(EMAIL, &json!({"id": unit["roles"][0]["unit_id"]}), "publisher").await;
        choose(world, json!({"key": key, "password": PASSWORD})).await.problem(409, "link_void");
        let key = link(world, &person).await;
        assert_eq!(choose(world, json!({"key": key, "password": PASSWORD})).await.status, 204);
        ask().send().await.problem(403, "needs_administrator");
        // Nobody sees or ends the sessions of somebody for whom he does not answer.
        let session = sign_in(world, PASSWORD).await.expect(201);
        let place = format!("/api/v1/sessions/{}", session["id"].as_str().unwrap());
        let other = world.unit().await;
        let stranger = json!({
            "email": "stranger@mofa.example", "name": "Stranger",
            "roles": [{"unit_id": other["id"], "role": "administrator"}],
        });
        let stranger = world.ask("POST", "/api/v1/people").json(&stranger).await.expect(201);
        let stranger = world.token(json!({"name": "s", "person_id": stranger["id"]})).await;
        let stranger = stranger["token"].as_str().unwrap();
        world.ask_as(stranger, "DELETE", &place).send().await.problem(404, "not_found");
        let list = format!("/api/v1/sessions?person_id={person}");
        world.ask_as(stranger, "GET", &list).send().await.problem(404, "not_found");
        world.ask_as(chief, "GET", &list).send().await.expect(200);
        assert_eq!(world.ask_as(chief, "DELETE", &place).send().await.status, 204);
    }

    /// What no address can be, and what nobody has, is answered as a wrong password is.
    async fn an_unknown_address_is_answered_as_a_wrong_password(world) {
        let (_, key) = invited(world, EMAIL, "reader").await;
        assert_eq!(choose(world, json!({"key": key, "password": PASSWORD})).await.status, 204);
        for email in [EMAIL, "nobody@mofa.example", "no\u{0}body"] {
            let body = json!({"email": email, "password": "not his"});
            let mut wrong = 0;
            loop {
                let answer = world.anonymous("POST", "/api/v1/sessions").json(&body).await;
                if answer.status == 429 {
                    answer.problem(429, "sign_in_waits");
                    break;
                }
                answer.problem(401, "sign_in_refused");
                wrong += 1;
                assert!(wrong < 40, "{email}: nobody is told to wait");
            }
            assert!(wrong >= 5, "{email}: {wrong}");
        }
    }

    /// Two administrators are two people: with the other's password one would be both.
    async fn an_administrator_makes_no_link_of_another_administrator(world) {
        let _token = world.colleague("binh.tran@mofa.example").await;
        let place = format!("/api/v1/people/{}/invitation", id_of(world, "binh.tran@mofa.example").await);
        world.ask("POST", &place).send().await.problem(403, "administrators_own");
    }
}

pub(crate) fn place(address: &str) -> Place {
    Place { address: address.to_owned(), agent: "a browser".to_owned() }
}

fn with(password: &str) -> NewSession {
    serde_json::from_value(json!({"email": email(), "password": password})).unwrap()
}

fn body<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The administrator of the stage.
pub(crate) fn email() -> &'static str {
    "an.nguyen@mofa.example"
}

pub(crate) async fn has_a_password(stage: &Stage) {
    let made = passwords::invite_at_the_console(stage.acts(), email()).await.unwrap();
    let key = made.link.split_once('#').unwrap().1;
    let new = json!({"key": key, "password": PASSWORD});
    let new = serde_json::from_value(new).unwrap();
    passwords::choose(stage.acts(), "192.0.2.9", new).await.unwrap();
}

/// Who is there by this key.
pub(crate) async fn by(auth: &Auth, stage: &Stage, key: &Key) -> Option<Caller> {
    let cookie = browser::set(&stage.acts().config, key);
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let headers = HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())]);
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let actor = auth.actor(&Method::GET, &headers, from).await.ok()?;
    Some(Caller { actor, idempotency: None, request_id: "test".to_owned() })
}

staged! {
    /// Half an hour away is too long, and twelve hours at the desk are.
    async fn a_session_ends_when_nobody_is_there_and_after_a_day(stage) {
        has_a_password(stage).await;
        let auth = Auth::new(stage.acts().clone());
        let (view, key) =
            sessions::create(stage.acts(), place("192.0.2.9"), with(PASSWORD)).await.unwrap();
        for _ in 0..25 {
            stage.advance(Duration::from_mins(28));
            assert!(by(&auth, stage, &key).await.is_some(), "at {}", stage.now());
        }
        assert!(stage.now() < view.ends_at);
        stage.advance(Duration::from_mins(25));
        assert!(by(&auth, stage, &key).await.is_none(), "after twelve hours");
        let (_, key) =
            sessions::create(stage.acts(), place("192.0.2.9"), with(PASSWORD)).await.unwrap();
        assert!(by(&auth, stage, &key).await.is_some());
        stage.advance(Duration::from_mins(31));
        assert!(by(&auth, stage, &key).await.is_none(), "after half an hour alone");
    }

    /// Before what cannot be taken back a person shows again that it is he.
    async fn a_credential_is_handed_in_by_whoever_has_just_shown_who_he_is(stage) {
        has_a_password(stage).await;
        let outlet = stage.outlet(Platform::X).await;
        let auth = Auth::new(stage.acts().clone());
        let (_, key) =
            sessions::create(stage.acts(), place("192.0.2.9"), with(PASSWORD)).await.unwrap();
        let change = async |caller: &Caller| {
            let token = stage.new_token(&outlet);
            let change = json!({"credential": {"kind": "oauth2", "access_token": token}});
            let change = serde_json::from_value(change).unwrap();
            accounts::change(stage.acts(), caller, &outlet.id, None, change).await.map(|_| ())
        };
        let caller = by(&auth, stage, &key).await.unwrap();
        change(&caller).await.unwrap();
        stage.advance(Duration::from_mins(16));
        let caller = by(&auth, stage, &key).await.unwrap();
        let refused = change(&caller).await;
        assert!(matches!(&refused, Err(Error::Forbidden(told)) if told.code == "proof_needed"), "{refused:?}");
        let proof = |password: &str| -> Proof {
            serde_json::from_value(json!({ "password": password })).unwrap()
        };
        let wrong = sessions::prove(stage.acts(), &caller, "192.0.2.9", proof("not his")).await;
        assert!(matches!(wrong, Err(Error::Unknown(_))), "{wrong:?}");
        sessions::prove(stage.acts(), &caller, "192.0.2.9", proof(PASSWORD)).await.unwrap();
        let caller = by(&auth, stage, &key).await.unwrap();
        change(&caller).await.unwrap();
    }

    /// The same for all that cannot be taken back, and for what would let somebody do without.
    async fn whoever_was_silent_for_long_shows_who_he_is_before_what_counts(stage) {
        has_a_password(stage).await;
        let outlet = stage.outlet(Platform::X).await;
        let auth = Auth::new(stage.acts().clone());
        let (_, key) =
            sessions::create(stage.acts(), place("192.0.2.9"), with(PASSWORD)).await.unwrap();
        stage.advance(Duration::from_mins(16));
        let caller = &by(&auth, stage, &key).await.unwrap();
        let acts = stage.acts();
        let (unit, me) = (stage.account(&outlet).await.unit_id, &caller.actor.person_id);
        let hold = HoldId::parse("hold_00000000000000000000000000000000").unwrap();
        let hook = json!({"url": "https://hooks.example.org/a", "events": ["delivery.missed"]});
        let account = json!({
            "unit_id": unit, "platform": "x", "remote_id": "1",
            "credential": {"kind": "oauth2", "access_token": "t"},
        });
        let person = json!({"email": "new@mofa.example", "name": "New"});
        let refused = [
            tokens::create(acts, caller, body(json!({"name": "t"}))).await.err(),
            feeds::create(acts, caller, body(json!({"name": "f"}))).await.err(),
            accounts::create(acts, caller, body(account)).await.err(),
            accounts::remove(acts, caller, &outlet.id, None).await.err(),
            connections::open(acts, caller, body(json!({"unit_id": unit, "platform": "x"}))).await.err(),
            holds::lift(acts, caller, &hold).await.err(),
            people::create(acts, caller, body(person)).await.err(),
            people::change(acts, caller, me, None, body(json!({"roles": []}))).await.err(),
            people::change(acts, caller, me, None, body(json!({"disabled": true}))).await.err(),
            units::change(acts, caller, &unit, None, body(json!({"approval": "none"}))).await.err(),
            webhooks::create(acts, caller, body(hook)).await.err(),
            quarantine::release(acts, caller, &body(json!({}))).await.err(),
            passwords::invite(acts, caller, me).await.err(),
        ];
        for (place, refused) in refused.iter().enumerate() {
            let is = |told: &chancery::service::Told| told.code == "proof_needed";
            assert!(matches!(refused, Some(Error::Forbidden(told)) if is(told)), "{place}: {refused:?}");
        }
    }

    /// Whoever tries many passwords waits longer and longer, the right one included; not so from where its owner
    /// has come before.
    async fn wrong_passwords_wait_longer_and_longer(stage) {
        has_a_password(stage).await;
        let try_from = async |address: &str, password: &str| {
            sessions::create(stage.acts(), place(address), with(password)).await.map(|_| ())
        };
        try_from("192.0.2.9", PASSWORD).await.unwrap();
        // How many are looked at, and the wait after them.
        let until_wait = async || {
            for wrong in 0..40 {
                match try_from("198.51.100.1", "not his").await {
                    Err(Error::Unknown(_)) => {}
                    Err(Error::TooSoon(told)) => return (wrong, told.retry_after_s.unwrap()),
                    other => panic!("{other:?}"),
                }
            }
            panic!("nobody is told to wait");
        };
        let (free, first) = until_wait().await;
        assert!(free >= 5, "{free}");
        let mut last = first;
        for _ in 0..5 {
            stage.advance(Duration::from_secs(last));
            last = until_wait().await.1;
        }
        assert!(last > first, "{last} after {first}");
        let right = try_from("198.51.100.2", PASSWORD).await;
        assert!(matches!(right, Err(Error::TooSoon(_))), "{right:?}");
        try_from("192.0.2.9", PASSWORD).await.unwrap();
        // The right one has ended it for everybody.
        try_from("198.51.100.2", PASSWORD).await.unwrap();
    }
}

/// The password is changed while somebody signs in with the old one: it was right when it was looked at, and is not when
/// the session would begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_password_begins_no_session_after_its_end() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    has_a_password(&stage).await;
    let me = stage.caller().actor.person_id.clone();
    let mut lock = stage.setting().database.lock("people", &me).await;
    let signing_in = sessions::create(stage.acts(), place("192.0.2.9"), with(PASSWORD));
    let changed = async {
        eventually("he waits for his row", async || {
            let waiting = stage.setting().database.waiting_with("people").await;
            if waiting > 0 { Ok(()) } else { Err(waiting.to_string()) }
        })
        .await;
        let sql = format!("UPDATE people SET password_hash = 'another' WHERE id = '{me}'; COMMIT");
        lock.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    };
    let (signed_in, ()) = futures_util::future::join(signing_in, changed).await;
    assert!(matches!(signed_in, Err(Error::Unknown(_))), "{:?}", signed_in.map(|(it, _)| it));
    stage.finish().await;
}
