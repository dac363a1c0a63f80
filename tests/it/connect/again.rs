//! Connecting again an account that cannot publish: what the platform stopped goes on, what a person
//! stopped does not.

use chancery::simulator::{Fault, Kind, Operation, Page, Person, Platform, Role};
use serde_json::{Value, json};

use super::{APP, PRESS, accounts, begin, land, page, prepare, shown as sign_in, visit};
use crate::deliveries::becomes;
use crate::planning::{Desk, schedule_of};
use crate::world::{World, both};

async fn shown(world: &World, account: &str) -> Value {
    world.ask("GET", &format!("/api/v1/accounts/{account}")).send().await.expect(200)
}

/// A delivery that the platform refuses because the token lacks a right; the account is paused by that.
async fn refused_for_a_right(world: &World, desk: &Desk) -> Value {
    let kind = Kind::Graph { code: 200, subcode: None, execute: false };
    let lacks = Fault::once(Platform::Facebook, Operation::Create, kind);
    world.simulators.world().faults().push(lacks.on_account(page(world, 0)));
    let post = desk.post(world, "Ra ngay").await;
    let now = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "now": true}]});
    let done = world.ask("POST", &schedule_of(&post)).json(&now).await.expect(201);
    let delivery = done["deliveries"][0].clone();
    becomes(world, &delivery, "held").await;
    assert_eq!(shown(world, &desk.page).await["status"], "paused");
    delivery
}

async fn connect_again(world: &World, account: &str) {
    let begun = begin(world, &json!({"platform": "facebook", "account_id": account})).await;
    let back = visit(&begun.url, &format!("&sim_user={PRESS}")).await;
    assert_eq!(land(world, &back).await.status, 200);
    assert_eq!(sign_in(world, &begun.id).await["status"], "done");
}

/// A Page of this name, and a person who may create content on it.
fn named(world: &World, id: &str, name: &str) -> String {
    let token = format!("sim-page-token-of-{id}");
    let new = Page { id: id.to_owned(), name: name.to_owned(), token, ..Page::default() };
    world.simulators.world().add_page(new);
    let who = format!("8{id}");
    let person = Person {
        id: who.clone(),
        name: name.to_owned(),
        pages: vec![Role::full(id)],
        businesses: Vec::new(),
    };
    world.simulators.world().add_person(person);
    format!("&sim_user={who}")
}

both! { with APP;
    /// A name is its owner's to choose. What cannot be kept is taken out; what the desk cannot show is
    /// refused.
    async fn a_name_of_the_platform_is_checked_like_one_of_ours(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = |id: &str, name: Option<&str>| json!({
            "unit_id": unit["id"], "platform": "facebook", "expected_remote_id": id, "display_name": name,
        });
        let who = named(world, "104991", "Sứ\u{0} quán");
        let begun = begin(world, &body("104991", None)).await;
        assert_eq!(land(world, &visit(&begun.url, &who).await).await.status, 200);
        let shown = sign_in(world, &begun.id).await;
        assert_eq!(shown["granted"]["accounts"][0]["name"], "Sứ quán");
        let account = accounts(world).await.remove(0);
        assert_eq!(account["display_name"], "Sứ quán");
        assert_eq!(account["health"]["owner_name"], "Sứ quán");

        let who = named(world, "104992", "Sứ\nquán");
        let begun = begin(world, &body("104992", None)).await;
        assert_eq!(land(world, &visit(&begun.url, &who).await).await.status, 200);
        assert_eq!(sign_in(world, &begun.id).await["status"], "granted");
        let finish = format!("/api/v1/accounts/connections/{}/finish", begun.id);
        let answer = world.ask("POST", &finish).json(&json!({"remote_ids": ["104992"]})).await;
        assert_eq!(answer.faults(), [("/display_name".to_owned(), "control_character".to_owned())]);
        let begun = begin(world, &body("104992", Some("Sứ quán"))).await;
        land(world, &visit(&begun.url, &who).await).await;
        assert_eq!(sign_in(world, &begun.id).await["status"], "done");
    }

    async fn what_the_platform_has_paused_goes_on_when_it_is_connected_again(world) {
        prepare(world);
        let desk = Desk::open(world).await;
        let delivery = refused_for_a_right(world, &desk).await;
        assert_eq!(shown(world, &desk.page).await["health"]["paused_by"], json!(null));
        connect_again(world, &desk.page).await;
        assert_eq!(shown(world, &desk.page).await["status"], "connected");
        becomes(world, &delivery, "published").await;
    }

    async fn a_good_check_ends_what_the_platform_has_paused(world) {
        prepare(world);
        let desk = Desk::open(world).await;
        let delivery = refused_for_a_right(world, &desk).await;
        let check = format!("/api/v1/accounts/{}/check", desk.page);
        let checked = world.ask("POST", &check).send().await.expect(200);
        assert_eq!(checked["status"], "connected");
        becomes(world, &delivery, "published").await;
    }

    async fn what_a_person_has_paused_stays_so_whoever_stopped_it_first(world) {
        prepare(world);
        let desk = Desk::open(world).await;
        let delivery = refused_for_a_right(world, &desk).await;
        let place = format!("/api/v1/accounts/{}", desk.page);
        let pause = json!({"status": "paused"});
        let paused = world.ask("PATCH", &place).seen("*").json(&pause).await.expect(200);
        assert!(paused["health"]["paused_by"].is_string(), "{paused}");
        world.ask("POST", &format!("{place}/check")).send().await.expect(200);
        assert_eq!(shown(world, &desk.page).await["status"], "paused");
        connect_again(world, &desk.page).await;
        let still = shown(world, &desk.page).await;
        assert_eq!((&still["status"], &still["health"]["paused_by"]), (&json!("paused"), &paused["health"]["paused_by"]));
        // Until a person says so; then nothing of the pause is left.
        let resume = json!({"status": "connected"});
        let alive = world.ask("PATCH", &place).seen("*").json(&resume).await.expect(200);
        assert_eq!((&alive["status"], &alive["health"]["paused_by"]), (&json!("connected"), &json!(null)));
        becomes(world, &delivery, "published").await;
    }
}
