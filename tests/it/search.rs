//! Finding posts by their words.

use serde_json::{Value, json};

use crate::calendar::reader;
use crate::planning::Desk;
use crate::world::{World, both};

/// The titles of what is found, in the order of the answer.
async fn found(world: &World, query: &[(&str, &str)]) -> Vec<String> {
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let list = format!("/api/v1/posts?{}", query.join("&"));
    let page = world.ask("GET", &list).send().await.expect(200);
    titles(&page)
}

fn titles(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|post| post["title"].as_str().unwrap().to_owned()).collect()
}

fn escaped(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat()
}

async fn write(world: &World, desk: &Desk, title: &str, texts: &[(&str, &str)]) -> Value {
    let mut draft = desk.draft();
    draft["title"] = json!(title);
    draft["source_language"] = json!(texts[0].0);
    let variants = texts
        .iter()
        .map(|(language, text)| json!({"language": language, "text": text, "media": []}));
    draft["variants"] = variants.collect();
    world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201)
}

both! {
    async fn what_is_typed_without_marks_is_found_with_any(world) {
        let desk = Desk::open(world).await;
        let texts = [("vi", "Hoạt động đối ngoại của Đại sứ quán"), ("en", "The Embassy opens")];
        write(world, &desk, "Một", &texts).await;
        write(world, &desk, "Hai", &[("vi", "Đổi ngoài giờ"), ("th", "กระทรวงการต่างประเทศ")]).await;
        write(world, &desk, "Ba", &[("vi", "Lễ khai mạc"), ("zh", "越南外交部发言人")]).await;
        let one = async |typed: &str| found(world, &[("q", typed)]).await;
        assert_eq!(one("doi ngoai").await, ["Hai", "Một"]);
        assert_eq!(one("DOI NGOAI").await, ["Hai", "Một"]);
        assert_eq!(one("đối ngoại").await, ["Một"]);
        // As a Mac types it: the letters and their marks apart.
        assert_eq!(one("đo\u{302}\u{301}i").await, ["Một"]);
        assert_eq!(one("dai embassy").await, ["Một"]);
        assert_eq!(one("dai gio").await, Vec::<String>::new());
        assert_eq!(one("embass").await, Vec::<String>::new());
        assert_eq!(one("embass*").await, ["Một"]);
        assert_eq!(one("\"su dai\"").await, Vec::<String>::new());
        assert_eq!(one("\"dai su\"").await, ["Một"]);
        assert_eq!(one("外交部").await, ["Ba"]);
        assert_eq!(one("交外").await, Vec::<String>::new());
        assert_eq!(one("ต่างประเทศ").await, ["Hai"]);
        assert_eq!(one("ba").await, ["Ba"]);
    }

    async fn what_is_changed_or_removed_is_found_as_it_is_now(world) {
        let desk = Desk::open(world).await;
        let post = write(world, &desk, "Một", &[("vi", "Khai mạc")]).await;
        assert_eq!(found(world, &[("q", "khai mac")]).await, ["Một"]);
        let place = format!("/api/v1/posts/{}", post["id"].as_str().unwrap());
        let change = json!({"variants": [{"language": "vi", "text": "Bế mạc", "media": []}]});
        world.ask("PATCH", &place).seen("\"1\"").json(&change).await.expect(200);
        assert_eq!(found(world, &[("q", "khai mac")]).await, Vec::<String>::new());
        assert_eq!(found(world, &[("q", "be mac")]).await, ["Một"]);
        assert_eq!(world.ask("DELETE", &place).seen("\"2\"").send().await.status, 204);
        assert_eq!(found(world, &[("q", "be mac")]).await, Vec::<String>::new());
    }

    async fn pages_go_on_and_filters_hold(world) {
        let desk = Desk::open(world).await;
        for number in 1..=5 {
            write(world, &desk, &format!("Bài {number}"), &[("vi", "Quốc khánh")]).await;
        }
        let first = world.ask("GET", "/api/v1/posts?q=quoc&limit=2").send().await.expect(200);
        assert_eq!(titles(&first), ["Bài 5", "Bài 4"]);
        let next = first["next_cursor"].as_str().unwrap();
        let second = format!("/api/v1/posts?q=quoc&limit=2&cursor={next}");
        let second = world.ask("GET", &second).send().await.expect(200);
        assert_eq!(titles(&second), ["Bài 3", "Bài 2"]);
        let next = second["next_cursor"].as_str().unwrap();
        let last = format!("/api/v1/posts?q=quoc&limit=2&cursor={next}");
        let last = world.ask("GET", &last).send().await.expect(200);
        assert_eq!((titles(&last), &last["next_cursor"]), (vec!["Bài 1".to_owned()], &Value::Null));
        assert_eq!(found(world, &[("q", "quoc"), ("class", "urgent")]).await, Vec::<String>::new());
        let all = found(world, &[("q", "quoc"), ("class", "routine"), ("unit_id", &desk.unit)]).await;
        assert_eq!(all.len(), 5);
        let other = found(world, &[("q", "quoc"), ("campaign_id", "camp_none")]).await;
        assert_eq!(other, Vec::<String>::new());
    }

    async fn others_posts_are_not_found(world) {
        let desk = Desk::open(world).await;
        write(world, &desk, "Một", &[("vi", "Chuyến thăm bí mật")]).await;
        let other = world.unit().await;
        let mut draft = desk.draft();
        draft["unit_id"] = other["id"].clone();
        draft["title"] = json!("Bí danh");
        world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let stranger = reader(world, other["id"].as_str().unwrap()).await;
        let own = world.ask_as(&stranger, "GET", "/api/v1/posts?q=bi").send().await.expect(200);
        assert_eq!(titles(&own), ["Bí danh"]);
        let named = format!("/api/v1/posts?q=bi&unit_id={}", desk.unit);
        let none = world.ask_as(&stranger, "GET", &named).send().await.expect(200);
        assert_eq!(titles(&none), Vec::<String>::new());
        assert_eq!(found(world, &[("q", "bi")]).await, ["Bí danh", "Một"]);
    }

    /// The search may say what was; who may see it now is asked of the post itself.
    async fn what_the_search_has_wrong_is_not_shown(world) {
        let desk = Desk::open(world).await;
        let post = write(world, &desk, "Một", &[("vi", "Chuyến thăm bí mật")]).await;
        let stranger = reader(world, &desk.unit).await;
        assert_eq!(found(world, &[("q", "tham")]).await, ["Một"]);
        let other = world.unit().await["id"].as_str().unwrap().to_owned();
        let id = post["id"].as_str().unwrap();
        world.change(&format!("UPDATE posts SET unit_id = '{other}' WHERE id = '{id}'")).await;
        let seen = world.ask_as(&stranger, "GET", "/api/v1/posts?q=tham").send().await.expect(200);
        assert_eq!(titles(&seen), Vec::<String>::new());
    }

    async fn whatever_is_typed_gets_a_clear_answer(world) {
        let _desk = Desk::open(world).await;
        for typed in ["AND", "NEAR(a b)", "a:b", "exact : a", "'); --", "a & | !", "*a", "^a", "a\u{0}b", "\"", "a* b* c*", "Ⓐ", "ß"] {
            let list = format!("/api/v1/posts?q={}", escaped(typed));
            let answer = world.ask("GET", &list).send().await;
            assert!([200, 422].contains(&answer.status), "{typed}: {}", answer.status);
        }
        let long = "a".repeat(201);
        let many = "a ".repeat(17);
        for (typed, code) in [("", "blank"), ("**", "blank"), (long.as_str(), "too_long"), (many.as_str(), "too_many")] {
            let list = format!("/api/v1/posts?q={}", escaped(typed));
            assert_eq!(world.ask("GET", &list).send().await.faults()[0].1, code, "{typed}");
        }
        let list = "/api/v1/posts?q=a&approval=wanted";
        assert_eq!(world.ask("GET", list).send().await.faults()[0].1, "not_searched");
    }
}
