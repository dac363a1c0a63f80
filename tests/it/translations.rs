//! Translations: what a machine has made never goes out unread, and what no longer agrees with its source is
//! neither approved nor scheduled before somebody has said that it is still right.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, PostId};
use chancery::service::{Caller, posts, translations};
use serde_json::{Value, json};

use crate::planning::{Desk, place_of, schedule_of};
use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};
use crate::world::{Answer, World, both};

/// Puts other texts in the place of those of a post.
async fn writes(stage: &Stage, post: &PostId, variants: &Value) {
    let change = serde_json::from_value(json!({"variants": variants})).unwrap();
    posts::change(stage.acts(), stage.caller(), post, None, change).await.unwrap();
}

/// Says where its English variant stands now.
async fn moves(stage: &Stage, caller: &Caller, post: &PostId, status: &str) {
    let wanted = serde_json::from_value(json!({"status": status})).unwrap();
    translations::move_on(stage.acts(), caller, (post, "en"), None, wanted).await.unwrap();
}

/// A post in Vietnamese and English that is due in ten minutes, scheduled; then somebody says that a machine has
/// made the English.
async fn by_a_machine(stage: &Stage, outlet: &Outlet) -> (PostId, DeliveryId, Value) {
    let due = after(stage.now(), Duration::from_mins(10));
    let wanted = Wanted::text("by a machine").at(due);
    let wanted = wanted.publish_by(after(due, Duration::from_hours(1)));
    let variants = json!([{"language": "vi", "text": "Bản gốc"}, wanted.variant()]);
    let post = stage.post("routine", variants.as_array().unwrap()).await;
    let id = stage.schedule(&post, &[wanted.delivery(outlet)]).await.remove(0);
    moves(stage, stage.caller(), &post, "machine").await;
    let again = stage.try_schedule(&post, &[wanted.delivery(outlet)]).await;
    let refused = format!("{:?}", again.unwrap_err());
    assert!(refused.contains("variant_not_proofed"), "{refused}");
    (post, id, variants)
}

staged! {
    /// It was scheduled as a person's, and then somebody said whose it is. That it is taken away and written
    /// again in the same words does not let it pass: only proofing does.
    async fn what_a_machine_made_goes_out_once_a_person_has_proofed_it(stage) {
        let [outlet, other] = stage.both().await;
        let (post, id, variants) = by_a_machine(stage, &outlet).await;
        let (_, unread, _) = by_a_machine(stage, &other).await;
        writes(stage, &post, &json!([variants[0]])).await;
        writes(stage, &post, &variants).await;
        let shown = posts::show(stage.acts(), stage.caller(), &post).await.unwrap();
        assert_eq!(shown.variants[1].status.as_str(), "machine");
        stage.advance(Duration::from_mins(11));
        for id in [&id, &unread] {
            eventually("it waits to be proofed", async || {
                let waits_for = stage.show(id).await.delivery.waits_for.unwrap();
                if waits_for.code == "translation" { Ok(()) } else { Err(waits_for.code) }
            })
            .await;
        }
        pass(Duration::from_millis(300)).await;
        assert_eq!((stage.creates(&outlet), stage.creates(&other)), (vec![], vec![]));
        moves(stage, stage.caller(), &post, "in_editing").await;
        moves(stage, stage.caller(), &post, "proofed").await;
        stage.advance(Duration::from_mins(2));
        stage.published(&id).await;
        stage.advance(Duration::from_hours(1));
        stage.until(&unread, DeliveryState::Missed).await;
        assert_eq!(stage.show(&unread).await.delivery.problem.unwrap().code, "not_proofed");
        assert_eq!((stage.made(&outlet), stage.made(&other)), (1, 0));
    }
}

/// A token of somebody with one role in a unit.
async fn officer(world: &World, unit: &str, name: &str, role: &str) -> String {
    let person = json!({
        "email": format!("{name}@mofa.example"), "name": name, "roles": [{"unit_id": unit, "role": role}],
    });
    let person = world.ask("POST", "/api/v1/people").json(&person).await.expect(201);
    let token = world.token(json!({"name": name, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

/// What happens to the French variant of a post.
async fn french(world: &World, token: &str, post: &Value, act: &str, body: &Value) -> Answer {
    let place = format!("{}/variants/fr/{act}", place_of(post));
    let tag = format!("\"{}\"", post["revision"]);
    world.ask_as(token, "POST", &place).seen(&tag).json(body).await
}

/// A translator writes and moves what is not the source, and nobody proofs what he has translated himself.
async fn by_role(world: &World, post: &Value, [author, first, second]: [&str; 3]) -> Value {
    let place = place_of(post);
    let mut variants = post["variants"].clone();
    for one in variants.as_array_mut().unwrap() {
        *one = json!({"language": one["language"], "text": one["text"]});
    }
    let mut other = variants.clone();
    other[0]["text"] = json!("Chào mừng!");
    let ask = |token: &str| world.ask_as(token, "PATCH", &place).seen("*");
    ask(first).json(&json!({"variants": other})).await.problem(403, "needs_role");
    ask(first).json(&json!({"title": "t"})).await.problem(403, "needs_role");
    let moved = json!({"status": "in_translation"});
    let post = french(world, first, post, "status", &moved).await.expect(200);
    variants[1]["text"] = json!("Bonne fête nationale du Vietnam");
    let post_is = ask(first).json(&json!({"variants": variants})).await.expect(200);
    assert_eq!(post_is["revision"], post["revision"].as_i64().unwrap() + 1);
    let proofed = json!({"status": "proofed"});
    french(world, first, &post, "status", &proofed).await.problem(412, "stale");
    french(world, first, &post_is, "status", &proofed).await.problem(403, "own_translation");
    let post = french(world, second, &post_is, "status", &proofed).await.expect(200);
    assert_eq!(post["variants"][1]["status"], "proofed");
    let back = json!({"status": "draft"});
    french(world, author, &post, "status", &back).await.problem(409, "status_not_next");
    post
}

/// Says yes to a post as it is now.
async fn approves(world: &World, token: &str, post: &Value) -> Answer {
    let said = json!({
        "revision": post["revision"], "content_hash": post["content_hash"], "decision": "approve",
    });
    let decide = format!("{}/approvals", place_of(post));
    world.ask_as(token, "POST", &decide).json(&said).await
}

/// He sees what has changed, word by word.
async fn differs(world: &World, token: &str, post: &Value) {
    let place = format!("{}/variants/fr/diff", place_of(post));
    let shown = world.ask_as(token, "GET", &place).send().await.expect(200);
    let piece = |fate: &str, text: &str| json!({"fate": fate, "text": text});
    let pieces = json!([
        piece("same", "Chào mừng Quốc khánh 2"),
        piece("removed", "/"),
        piece("added", " tháng "),
        piece("same", "9"),
    ]);
    assert_eq!(shown["texts"], json!([{"pointer": "/text", "pieces": pieces}]));
    assert_eq!((&shown["stale"], &shown["media"]), (&json!(true), &json!([])));
    assert_eq!(shown["source_revision"], post["variants"][0]["revision"]);
}

/// The translator hears of it.
async fn told(world: &World, translator: &str) {
    eventually("a notification of the stale variant", async || {
        let inbox =
            world.ask_as(translator, "GET", "/api/v1/notifications").send().await.expect(200);
        let first = &inbox["items"][0];
        if first["event"] == "variant.stale" { Ok(()) } else { Err(inbox) }
    })
    .await;
}

both! {
    /// The author changes the source after the French was proofed.
    async fn what_is_stale_is_not_approved_before_somebody_says_that_it_is_right(world) {
        let desk = Desk::open(world).await;
        let unit = format!("/api/v1/units/{}", desk.unit);
        world.ask("PATCH", &unit).seen("*").json(&json!({"approval": "one"})).await.expect(200);
        let [author, first, second, chief] = [
            &officer(world, &desk.unit, "an", "author").await,
            &officer(world, &desk.unit, "bao", "translator").await,
            &officer(world, &desk.unit, "cam", "translator").await,
            &officer(world, &desk.unit, "dung", "approver").await,
        ];
        let mut draft = desk.draft();
        draft["wanted_languages"] = json!(["fr", "km"]);
        let post = world.ask_as(author, "POST", "/api/v1/posts").json(&draft).await.expect(201);
        assert_eq!(post["missing_languages"], json!(["km"]));
        let post = by_role(world, &post, [author, first, second]).await;
        let mut variants = post["variants"].clone();
        for one in variants.as_array_mut().unwrap() {
            *one = json!({"language": one["language"], "text": one["text"]});
        }
        variants[0]["text"] = json!("Chào mừng Quốc khánh 2 tháng 9");
        let place = place_of(&post);
        let change = json!({"variants": variants});
        let post = world.ask_as(author, "PATCH", &place).seen("*").json(&change).await.expect(200);
        let is = |post: &Value, name: &str| post["variants"][1][name].clone();
        assert_eq!((is(&post, "stale"), is(&post, "status")), (json!(true), json!("proofed")));
        told(world, first).await;
        differs(world, first, &post).await;
        let refused = approves(world, chief, &post).await.problem(409, "variant_stale");
        assert_eq!(refused["languages"], json!(["fr"]));
        let plan = json!({"post_id": post["id"], "awaiting_approval": true, "deliveries": [
            {"account_id": desk.page, "language": "fr", "at": "2031-09-02T02:00:00Z"},
        ]});
        let checked = world.ask("POST", "/api/v1/posts/check").json(&plan).await.expect(200);
        assert_eq!(checked["errors"][0]["code"], "variant_stale");
        let old = json!({"source_revision": is(&post, "made_from")});
        let refused = french(world, second, &post, "still-right", &old).await;
        let now = refused.problem(409, "source_changed")["source_revision"].clone();
        let right = json!({"source_revision": now});
        let post = french(world, second, &post, "still-right", &right).await.expect(200);
        assert_eq!((is(&post, "stale"), is(&post, "made_from")), (json!(false), now));
        let place_of_diff = format!("{place}/variants/fr/diff");
        let shown = world.ask("GET", &place_of_diff).send().await.expect(200);
        assert_eq!((&shown["stale"], &shown["texts"]), (&json!(false), &json!([])));
        approves(world, chief, &post).await.expect(201);
        let approved = world.ask("GET", &place).send().await.expect(200);
        assert_eq!(is(&approved, "status"), "approved");
    }

    /// Each account by its own rule: what is ready, English, or nothing; and it is told which.
    async fn what_is_not_ready_falls_back_as_was_asked_for(world) {
        let desk = Desk::open(world).await;
        let mut draft = desk.draft();
        draft["variants"][1]["machine"] = json!(true);
        let at = "2031-09-02T02:00:00Z";
        let french = |account: &str, rule: Value| {
            json!({"account_id": account, "language": "fr", "at": at, "fall_back": rule})
        };
        let own = json!({"account_id": desk.profile, "at": at, "fall_back": "skip"});
        let wanted = json!({"post": draft, "deliveries": [
            french(&desk.page, json!(null)), french(&desk.page, json!("english")),
        ]});
        let checked = world.ask("POST", "/api/v1/posts/check").json(&wanted).await.expect(200);
        let codes = checked["errors"].as_array().unwrap().iter().map(|it| it["code"].clone());
        let expected = [json!("variant_not_proofed"), json!("language_not_ready")];
        assert_eq!(codes.collect::<Vec<_>>(), expected);
        let english = json!({"language": "en", "text": "National Day of Viet Nam"});
        draft["variants"].as_array_mut().unwrap().push(english);
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let wanted = json!({"deliveries": [
            french(&desk.page, json!("english")), french(&desk.profile, json!("skip")), own,
        ]});
        let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        let languages: Vec<_> =
            done["deliveries"].as_array().unwrap().iter().map(|it| it["language"].clone()).collect();
        assert_eq!(languages, ["en", "vi"]);
        let skipped = json!([{"place": 1, "account_id": desk.profile, "languages": ["fr"]}]);
        assert_eq!(done["skipped"], skipped);
        let warned = done["warnings"].as_array().unwrap();
        let told = |it: &&Value| it["code"] == "language_fallen_back";
        let told: Vec<_> = warned.iter().filter(told).map(|it| it["pointer"].clone()).collect();
        assert_eq!(told, ["/deliveries/0/language"]);
        let nothing = json!({"deliveries": [french(&desk.profile, json!("skip"))]});
        let done = world.ask("POST", &schedule_of(&post)).json(&nothing).await.expect(201);
        assert_eq!((&done["deliveries"], &done["skipped"][0]["place"]), (&json!([]), &json!(0)));
    }
}
