//! What a person decides over HTTP about a delivery that hangs: it is there, send it again, drop it;
//! each with what it refuses.

use std::time::Duration;

use chancery::simulator::{Fault, Kind, Operation, Platform};
use serde_json::{Value, json};

use crate::deliveries::{act, becomes};
use crate::planning::{Desk, delivery_of, schedule_of};
use crate::world::{Answer, QUICK, World, both};

/// One account of the desk, as both sides know it.
struct Outlet {
    platform: Platform,
    /// The account's id here.
    id: String,
    /// Its id at the platform, and that of somebody else's.
    own: String,
    other: String,
}

fn outlets(world: &World, desk: &Desk) -> [Outlet; 2] {
    let [one, two] = [&world.seed.accounts()[0], &world.seed.accounts()[1]];
    [
        Outlet {
            platform: Platform::Facebook,
            id: desk.page.clone(),
            own: one.page.id.clone(),
            other: two.page.id.clone(),
        },
        Outlet {
            platform: Platform::X,
            id: desk.profile.clone(),
            own: one.user.id.clone(),
            other: two.user.id.clone(),
        },
    ]
}

impl Outlet {
    /// The address of a post as people see it in a browser.
    fn link(&self, world: &World, post: &str) -> String {
        match self.platform {
            Platform::Facebook => format!("{}/{post}", world.simulators.facebook_url()),
            Platform::X | Platform::Mastodon | Platform::Bluesky => {
                let name = &world.seed.accounts()[0].user.username;
                format!("{}/{name}/status/{post}/photo/1?s=20", world.simulators.x_url())
            }
        }
    }

    /// The newest post there.
    fn newest(&self, world: &World) -> String {
        world.simulators.world().posts(self.platform, &self.own).last().unwrap().id.clone()
    }

    /// A statement whose create is disturbed, and which no list shows; now a person is asked.
    async fn in_doubt(&self, world: &World, desk: &Desk, text: &str, kind: Kind) -> Value {
        let delivery = self.doubtful(world, desk, text, kind).await;
        let shown = becomes(world, &delivery, "needs_human").await;
        assert_eq!(shown["acts"], json!(["adopt", "drop", "retry"]));
        assert_eq!(shown["problem"]["code"], "statement_in_doubt", "{shown}");
        world.simulators.world().set_read_lag(self.platform, &self.own, None);
        shown
    }

    async fn doubtful(&self, world: &World, desk: &Desk, text: &str, kind: Kind) -> Value {
        let simulated = world.simulators.world();
        simulated.set_read_lag(self.platform, &self.own, Some(Duration::from_hours(1)));
        let fault = Fault::once(self.platform, Operation::Create, kind);
        simulated.faults().push(fault.on_account(self.own.as_str()));
        let mut draft = desk.draft();
        draft["class"] = json!("statement");
        draft["variants"][0]["text"] = json!(text);
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let one = json!({"account_id": self.id, "language": "vi", "now": true});
        let wanted = json!({"deliveries": [one]});
        let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        done["deliveries"][0].clone()
    }

    fn made(&self, world: &World) -> usize {
        world.simulators.world().posts(self.platform, &self.own).len()
    }
}

async fn adopt(world: &World, delivery: &Value, body: &Value) -> Answer {
    world.ask("POST", &format!("{}/adopt", delivery_of(delivery))).json(body).await
}

async fn refused(world: &World, delivery: &Value, body: &Value, pointer: &str, code: &str) {
    let answer = adopt(world, delivery, body).await;
    assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{body}");
    let now = world.ask("GET", &delivery_of(delivery)).send().await.expect(200);
    assert_eq!((&now["state"], &now["version"]), (&json!("needs_human"), &delivery["version"]));
}

both! { with QUICK;
    async fn what_a_person_found_is_adopted_by_its_link(world) {
        let desk = Desk::open(world).await;
        for outlet in outlets(world, &desk) {
            let hanging = outlet.in_doubt(world, &desk, "Tuyên bố", Kind::DropAfter).await;
            let id = outlet.newest(world);
            let body = json!({"permalink": outlet.link(world, &id)});
            let place = format!("{}/adopt", delivery_of(&hanging));
            let done = world.ask("POST", &place).key(&outlet.id).json(&body).await.expect(200);
            assert_eq!((&done["state"], &done["receipt"]["remote_id"]), (&json!("published"), &json!(id)));
            let shown = done["receipt"]["permalink"].as_str().unwrap();
            assert!(shown.contains(&id) && done["receipt"]["published_at"].is_string(), "{done}");
            let again = world.ask("POST", &place).key(&outlet.id).json(&body).await;
            assert_eq!(again.header("idempotency-replayed"), "true");
            assert_eq!(again.expect(200), done);
            adopt(world, &hanging, &body).await.problem(409, "not_asked");
            // The same post is not two deliveries'.
            let second = outlet.in_doubt(world, &desk, "Tuyên bố khác", Kind::DropBefore).await;
            adopt(world, &second, &body).await.problem(409, "already_adopted");
            assert_eq!(outlet.made(world), 1);
        }
    }

    async fn what_is_not_the_post_is_not_adopted(world) {
        let desk = Desk::open(world).await;
        for outlet in outlets(world, &desk) {
            let hanging = outlet.in_doubt(world, &desk, "Ở đâu", Kind::DropAfter).await;
            let id = outlet.newest(world);
            let simulated = world.simulators.world();
            let foreign = simulated.insert_foreign(outlet.platform, &outlet.other, "x").unwrap();
            let own = simulated.insert_foreign(outlet.platform, &outlet.own, "y").unwrap();
            // Of the same form, and of nothing.
            let none = format!("{}9", &id[..id.len() - 1]);
            let none = if none == id { format!("{}8", &id[..id.len() - 1]) } else { none };
            for (body, pointer, code) in [
                (json!({}), "", "remote_id_or_permalink"),
                (json!({"permalink": "javascript:alert(1)"}), "/permalink", "bad_link"),
                (json!({"permalink": "https://vn@x.com/a/status/1"}), "/permalink", "bad_link"),
                (json!({"permalink": "https://evil.example/104/posts/1"}), "/permalink", "link_elsewhere"),
                (json!({"permalink": outlet.link(world, "pfbid0x")}), "/permalink", "link_without_id"),
                (json!({"permalink": outlet.link(world, &foreign)}), "/permalink", "post_of_another_account"),
                (json!({"remote_id": foreign}), "/remote_id", "post_of_another_account"),
                (json!({"permalink": outlet.link(world, &none)}), "/permalink", "post_not_there"),
                (json!({"remote_id": none}), "/remote_id", "post_not_there"),
                (json!({"remote_id": "../me"}), "/remote_id", "bad_remote_id"),
                (json!({"remote_id": id, "permalink": outlet.link(world, &own)}), "/permalink", "link_of_another_post"),
            ] {
                refused(world, &hanging, &body, pointer, code).await;
            }
            let blind = Fault::once(outlet.platform, Operation::Read, Kind::ServerError { execute: false });
            simulated.faults().push(blind.on_account(outlet.own.as_str()));
            let body = json!({"remote_id": id});
            let unseen = adopt(world, &hanging, &body).await;
            unseen.problem(409, "post_not_verified");
            assert_eq!(unseen.header("retry-after"), "30");
            adopt(world, &hanging, &body).await.expect(200);
        }
    }

    async fn what_is_dropped_is_not_sent_again(world) {
        let desk = Desk::open(world).await;
        for outlet in outlets(world, &desk) {
            let hanging = outlet.in_doubt(world, &desk, "Bỏ", Kind::DropBefore).await;
            let done = act(world, &hanging, "drop").await.expect(200);
            assert_eq!((&done["state"], &done["problem"]["code"]), (&json!("cancelled"), &json!("dropped")));
            for what in ["drop", "retry"] {
                let no = act(world, &hanging, what).await;
                assert_eq!(no.problem(409, "not_asked")["state"], "cancelled");
            }
            assert_eq!(outlet.made(world), 0);
        }
    }

    async fn what_a_person_sends_again_goes_out_once(world) {
        let desk = Desk::open(world).await;
        for outlet in outlets(world, &desk) {
            let hanging = outlet.in_doubt(world, &desk, "Gửi lại", Kind::DropBefore).await;
            let place = format!("{}/retry", delivery_of(&hanging));
            let done = world.ask("POST", &place).key(&outlet.id).send().await.expect(200);
            assert_eq!(done["state"], "scheduled");
            let again = world.ask("POST", &place).key(&outlet.id).send().await;
            assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"));
            let out = becomes(world, &hanging, "published").await;
            assert_eq!(out["receipt"]["remote_id"], outlet.newest(world));
            assert_eq!((outlet.made(world), out["attempts"].as_array().unwrap().len()), (1, 2));
            act(world, &hanging, "retry").await.problem(409, "not_asked");
        }
    }

    async fn nobody_decides_about_what_is_not_his(world) {
        let desk = Desk::open(world).await;
        let [page, profile] = outlets(world, &desk);
        let hanging = page.in_doubt(world, &desk, "Không phải của bạn", Kind::DropBefore).await;
        let reader = world.token(json!({"name": "r", "scopes": ["deliveries:read"]})).await;
        let elsewhere = world.token(json!({"name": "e", "accounts": [profile.id]})).await;
        let body = json!({"remote_id": "1"});
        for what in ["adopt", "drop", "retry"] {
            let place = format!("{}/{what}", delivery_of(&hanging));
            let ask = |token: &Value| world.ask_as(token["token"].as_str().unwrap(), "POST", &place);
            ask(&reader).json(&body).await.problem(403, "scope_missing");
            ask(&elsewhere).json(&body).await.problem(404, "not_found");
        }
        let now = world.ask("GET", &delivery_of(&hanging)).send().await.expect(200);
        assert_eq!(now["version"], hanging["version"]);
    }
}

/// Nobody is asked as long as the service may still find it by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_decided_while_it_is_unknown_or_only_scheduled() {
    let mut options = QUICK.to_vec();
    options.push(("CHANCERY_PUBLISH__QUIET_WAIT", "1h"));
    let world = World::sqlite_with(&options).await;
    let desk = Desk::open(&world).await;
    let waiting = desk.scheduled(&world, "Còn lâu", "2031-09-02T02:00:00Z").await;
    let mut all = vec![(waiting, "scheduled")];
    for outlet in outlets(&world, &desk) {
        let delivery = outlet.doubtful(&world, &desk, "Chưa rõ", Kind::DropAfter).await;
        all.push((becomes(&world, &delivery, "unknown").await, "unknown"));
    }
    for (delivery, state) in &all {
        for what in ["drop", "retry"] {
            let no = act(&world, delivery, what).await;
            assert_eq!(no.problem(409, "not_asked")["state"], *state);
        }
        let no = adopt(&world, delivery, &json!({"remote_id": "1"})).await;
        assert_eq!(no.problem(409, "not_asked")["state"], *state);
    }
    for outlet in outlets(&world, &desk) {
        assert_eq!(outlet.made(&world), 1);
    }
    world.end().await;
}
