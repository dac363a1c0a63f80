//! Deliveries through the front door: out at their time, listed, taken back and moved.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::planning::{Desk, delivery_of, schedule_of};
use crate::world::{World, both};

const FAR: &str = "2031-09-02T02:00:00Z";

/// Waits until the delivery is in a state; what it is then.
pub(crate) async fn becomes(world: &World, delivery: &Value, state: &str) -> Value {
    becomes_within(world, delivery, state, 400).await
}

async fn becomes_within(world: &World, delivery: &Value, state: &str, rounds: u32) -> Value {
    for _round in 0..rounds {
        let now = world.ask("GET", &delivery_of(delivery)).send().await.expect(200);
        if now["state"] == state {
            return now;
        }
        #[expect(clippy::disallowed_methods, reason = "the test waits for the service")]
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let now = world.ask("GET", &delivery_of(delivery)).send().await.expect(200);
    panic!("never {state}: {now}");
}

/// Asks for something to be done with a delivery, without a body.
pub(crate) async fn act(world: &World, delivery: &Value, what: &str) -> crate::world::Answer {
    world.ask("POST", &format!("{}/{what}", delivery_of(delivery))).send().await
}

both! {
    async fn what_is_due_goes_out_with_its_attempt_and_receipt(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Ra ngay").await;
        let wanted = json!({"deliveries": [
            {"account_id": desk.page, "language": "vi", "now": true},
            {"account_id": desk.profile, "language": "fr", "now": true},
        ]});
        let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        for delivery in done["deliveries"].as_array().unwrap() {
            let out = becomes(world, delivery, "published").await;
            assert!(out["receipt"]["remote_id"].as_str().is_some_and(|it| !it.is_empty()));
            assert!(out["receipt"]["permalink"].as_str().is_some_and(|it| it.starts_with("http")));
            assert_eq!((&out["waits_for"], &out["problem"]), (&json!(null), &json!(null)));
            let [attempt] = out["attempts"].as_array().unwrap().as_slice() else { panic!("{out}") };
            assert_eq!((&attempt["number"], &attempt["outcome"]), (&json!(1), &json!("published")));
            // As text `00.5Z` would come after `00.501Z`.
            let at = |name: &str| attempt[name].as_str().unwrap().parse::<Timestamp>().unwrap();
            assert!(at("started_at") <= at("ended_at"), "{attempt}");
            act(world, delivery, "cancel").await.problem(409, "already_ended");
        }
        let list = world.ask("GET", "/api/v1/deliveries?state=published").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
    }

    async fn what_was_taken_back_stays_here(world) {
        let desk = Desk::open(world).await;
        let delivery = desk.scheduled(world, "Không gửi", FAR).await;
        let gone = act(world, &delivery, "cancel").await.expect(200);
        assert_eq!((&gone["state"], &gone["waits_for"]), (&json!("cancelled"), &json!(null)));
        act(world, &delivery, "cancel").await.expect(200);
        let moved = world.ask("POST", &format!("{}/reschedule", delivery_of(&delivery)))
            .seen("*").json(&json!({"now": true})).await;
        assert_eq!(moved.problem(409, "already_ended")["state"], "cancelled");
        for what in ["drop", "retry"] {
            act(world, &delivery, what).await.problem(409, "not_asked");
        }
    }

    async fn another_time_is_given_only_from_what_was_seen(world) {
        let desk = Desk::open(world).await;
        let delivery = desk.scheduled(world, "Đổi giờ", FAR).await;
        let place = format!("{}/reschedule", delivery_of(&delivery));
        let to = json!({"local": {"date": "2032-01-01", "time": "00:00", "zone": "account"}});
        world.ask("POST", &place).json(&to).await.problem(428, "precondition_required");
        world.ask("POST", &place).seen("\"7\"").json(&to).await.problem(412, "stale");
        let moved = world.ask("POST", &place).seen("\"1\"").json(&to).await;
        assert_eq!(moved.header("etag"), "\"2\"");
        let moved = moved.expect(200);
        assert_eq!((&moved["due_at"], &moved["publish_by"]), (&json!("2031-12-31T23:00:00Z"), &json!("2032-01-01T03:00:00Z")));
        let past = world.ask("POST", &place).seen("*").json(&json!({"at": "2020-01-01T00:00:00Z"})).await;
        assert_eq!(past.faults(), [("/at".to_owned(), "absurd_date".to_owned())]);
        let now = world.ask("POST", &place).seen("*").json(&json!({"now": true})).await;
        now.expect(200);
        becomes(world, &delivery, "published").await;
    }

    async fn lists_are_narrowed_and_paged(world) {
        let desk = Desk::open(world).await;
        let mut all = Vec::new();
        for day in 1..=3 {
            let at = format!("2031-09-0{day}T02:00:00Z");
            all.push(desk.scheduled(world, &format!("Bài {day}"), &at).await["id"].clone());
        }
        let ids = async |query: &str| {
            let list = world.ask("GET", &format!("/api/v1/deliveries?{query}")).send().await.expect(200);
            list["items"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids("").await, all);
        assert_eq!(ids("state=scheduled,publishing").await, all);
        assert!(ids("state=published").await.is_empty());
        assert_eq!(ids("from=2031-09-02T00:00:00Z&to=2031-09-03T00:00:00Z").await, all[1..2]);
        assert_eq!(ids(&format!("account_id={}&language=vi", desk.page)).await, all);
        assert!(ids(&format!("account_id={}", desk.profile)).await.is_empty());
        assert_eq!(ids(&format!("unit_id={}", desk.unit)).await, all);
        let first = world.ask("GET", "/api/v1/deliveries?limit=2").send().await.expect(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        assert_eq!(ids(&format!("limit=2&cursor={cursor}")).await, all[2..]);
        let bad = world.ask("GET", "/api/v1/deliveries?state=flying").send().await;
        assert_eq!(bad.faults(), [("?state".to_owned(), "unknown_state".to_owned())]);
    }
}

/// Guarded ahead of its instant, so that its request waits at the gate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_at_the_gate_is_taken_back_or_moved_and_is_not_sent() {
    let options = [("CHANCERY_PUBLISH__LOOKAHEAD", "20s"), ("CHANCERY_PUBLISH__LEASE", "5m")];
    let world = World::sqlite_with(&options).await;
    let desk = Desk::open(&world).await;
    let due = chancery::clock::after(
        chancery::clock::Clock::now(&chancery::clock::SystemClock),
        std::time::Duration::from_secs(15),
    );
    let one = desk.scheduled(&world, "Thu hồi", &due.to_string()).await;
    becomes(&world, &one, "publishing").await;
    let gone = act(&world, &one, "cancel").await.expect(200);
    assert_eq!((&gone["state"], &gone["attempt_count"]), (&json!("cancelled"), &json!(0)));
    let kept = world.ask("GET", &delivery_of(&one)).send().await.expect(200);
    assert_eq!(kept["attempts"][0]["outcome"], "withdrawn");

    let two = desk.scheduled(&world, "Dời lại", &due.to_string()).await;
    let leaving = becomes(&world, &two, "publishing").await;
    let tag = format!("\"{}\"", leaving["version"]);
    let place = format!("{}/reschedule", delivery_of(&two));
    let moved = world.ask("POST", &place).seen(&tag).json(&json!({"at": FAR})).await.expect(200);
    assert_eq!((&moved["state"], &moved["due_at"]), (&json!("scheduled"), &json!(FAR)));

    let three = desk.scheduled(&world, "Gửi thật", &due.to_string()).await;
    becomes_within(&world, &three, "published", 1_000).await;
    let page = &world.seed.accounts()[0].page;
    let sent = world.simulators.world().page_posts(&page.id);
    assert_eq!(sent.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(), ["Gửi thật"]);
    world.end().await;
}
