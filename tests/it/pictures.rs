//! A post with pictures through the front door: uploaded, scheduled, seen at the platform with its
//! alternative text; and a post that nobody changes while it leaves.

use chancery::clock::{Clock as _, SystemClock, after};
use serde_json::{Value, json};

use crate::crafted::talkative_jpeg;
use crate::deliveries::{act, becomes};
use crate::media::png;
use crate::planning::{Desk, place_of, schedule_of};
use crate::world::{QUICK, World, both};

const ALT: &str = "Lá cờ đỏ sao vàng trên \"Cột cờ\" <Hà Nội> & nắng";

/// The same inside of an attribute of HTML.
const ESCAPED: &str = "Lá cờ đỏ sao vàng trên &quot;Cột cờ&quot; &lt;Hà Nội&gt; &amp; nắng";

/// The addresses of all pictures of a page.
fn sources(page: &str) -> Vec<&str> {
    page.split("<img src=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect()
}

both! { with QUICK;
    async fn a_picture_and_its_alternative_text_arrive(world) {
        let desk = Desk::open(world).await;
        // The first says where it was taken and that it is to be turned; nothing of that may arrive.
        let files = [talkative_jpeg(40, 30, 6), png(31, 41)];
        let turned = [(30, 40), (31, 41)];
        let mut media = Vec::new();
        for file in &files {
            let ask = world.ask("POST", "/api/v1/media");
            let stored = ask.body("application/octet-stream", file.clone()).await.expect(201);
            media.push(json!({"media_id": stored["id"], "alt": ALT}));
        }
        let mut draft = desk.draft();
        draft["variants"][0]["media"] = json!(media);
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let to = |account: &str| json!({"account_id": account, "language": "vi", "now": true});
        let wanted = json!({"deliveries": [to(&desk.page), to(&desk.profile)]});
        let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        for delivery in done["deliveries"].as_array().unwrap() {
            let out = becomes(world, delivery, "published").await;
            assert_eq!(out["attempts"].as_array().unwrap().len(), 1, "{out}");
            let link = out["receipt"]["permalink"].as_str().unwrap();
            let page = String::from_utf8(world.fetch(link).await).unwrap();
            assert!(page.contains("Chào mừng Quốc khánh 2/9"), "{page}");
            assert_eq!(page.matches(&format!("alt=\"{ESCAPED}\"")).count(), 2, "{page}");
            assert!(page.contains("· 1 post<"), "{page}");
            let home = link.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let shown = sources(&page);
            assert_eq!(shown.len(), 2, "{page}");
            for (source, size) in shown.iter().zip(turned) {
                let arrived = world.fetch(&format!("{home}{source}")).await;
                let seen = image::load_from_memory(&arrived).unwrap();
                assert_eq!((seen.width(), seen.height()), size);
                let text = String::from_utf8_lossy(&arrived);
                assert!(!["LEAK", "Exif", "GPS", "8BIM"].iter().any(|it| text.contains(it)));
            }
        }
        // What is used is not forgotten under the hands of those who use it.
        let again = world.ask("GET", &place_of(&post)).send().await.expect(200);
        let used: Vec<&Value> =
            again["variants"][0]["media"].as_array().unwrap().iter().map(|it| &it["media_id"]).collect();
        assert_eq!(used, media.iter().map(|it| &it["media_id"]).collect::<Vec<_>>());
    }
}

both! { with QUICK;
    /// Without a text it is the pictures that are the same or not.
    async fn two_posts_without_a_text_are_not_the_same(world) {
        let desk = Desk::open(world).await;
        let mut media = Vec::new();
        for width in [50, 51] {
            let ask = world.ask("POST", "/api/v1/media");
            media.push(ask.body("image/png", png(width, 30)).await.expect(201));
        }
        let mut ends = Vec::new();
        for (stored, end) in
            [(&media[0], "published"), (&media[1], "published"), (&media[0], "failed")]
        {
            let mut draft = desk.draft();
            draft["variants"][0]["text"] = json!("");
            draft["variants"][0]["link"] = Value::Null;
            draft["variants"][0]["media"] = json!([{"media_id": stored["id"], "alt": ALT}]);
            let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
            let wanted = json!({"deliveries": [
                {"account_id": desk.profile, "language": "vi", "now": true}]});
            let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
            ends.push(becomes(world, &done["deliveries"][0], end).await);
        }
        assert_eq!(ends[2]["problem"]["code"], "same_text_recently");
    }
}

/// Guarded ahead of its instant: what leaves is what was there, and nobody changes it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_not_changed_while_one_of_its_deliveries_leaves() {
    let options = [("CHANCERY_PUBLISH__LOOKAHEAD", "50s"), ("CHANCERY_PUBLISH__LEASE", "5m")];
    let world = World::sqlite_with(&options).await;
    let desk = Desk::open(&world).await;
    let post = desk.post(&world, "Đang gửi").await;
    let due = after(SystemClock.now(), std::time::Duration::from_secs(45)).to_string();
    let wanted = json!({"deliveries": [{"account_id": desk.page, "language": "vi", "at": due}]});
    let done = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
    let delivery = &done["deliveries"][0];
    becomes(&world, delivery, "publishing").await;
    let change = json!({"title": "Sửa"});
    let place = place_of(&post);
    let ask = || world.ask("PATCH", &place).seen("\"1\"").json(&change);
    let refused = ask().await.problem(409, "deliveries_pending");
    assert_eq!(refused["deliveries"][0]["delivery_id"], delivery["id"]);
    assert_eq!(refused["deliveries"][0]["state"], "publishing");
    let removed = world.ask("DELETE", &place).seen("\"1\"").send().await;
    removed.problem(409, "deliveries_pending");
    assert_eq!(world.ask("GET", &place).send().await.expect(200)["title"], "Quốc khánh");
    act(&world, delivery, "cancel").await.expect(200);
    assert_eq!(ask().await.expect(200)["title"], "Sửa");
    world.end().await;
}
