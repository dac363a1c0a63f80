//! Posts through the front door.

use serde_json::json;

use crate::planning::{Desk, delivery_of, place_of, schedule_of};
use crate::world::both;

const FAR: &str = "2031-09-02T02:00:00Z";

both! {
    async fn a_post_is_written_shown_listed_and_removed(world) {
        let desk = Desk::open(world).await;
        let mut draft = desk.draft();
        // As a Mac types it: the letters and their marks apart.
        draft["variants"][0]["text"] = json!("Quo\u{302}\u{301}c kha\u{301}nh\r\n");
        let answer = world.ask("POST", "/api/v1/posts").json(&draft).await;
        let tag = answer.header("etag").to_owned();
        let place = answer.header("location").to_owned();
        let post = answer.expect(201);
        assert_eq!((tag.as_str(), post["revision"].as_i64()), ("\"1\"", Some(1)));
        assert_eq!(post["variants"][0]["text"], "Quốc khánh");
        assert_eq!(post["variants"][0]["status"], "draft");
        assert_eq!(post["variants"][1]["language"], "fr");
        assert_eq!(world.ask("GET", &place).send().await.expect(200), post);
        let other = desk.post(world, "Bài khác").await;
        let list = format!("/api/v1/posts?limit=1&unit_id={}", desk.unit);
        let page = world.ask("GET", &list).send().await.expect(200);
        assert_eq!(page["items"], json!([other]));
        let next = format!("{list}&cursor={}", page["next_cursor"].as_str().unwrap());
        let page = world.ask("GET", &next).send().await.expect(200);
        assert_eq!((&page["items"], &page["next_cursor"]), (&json!([post]), &json!(null)));
        world.ask("DELETE", &place).send().await.problem(428, "precondition_required");
        assert_eq!(world.ask("DELETE", &place).seen(&tag).send().await.status, 204);
        world.ask("GET", &place).send().await.problem(404, "not_found");
    }

    async fn what_cannot_be_kept_is_refused_with_every_fault(world) {
        let desk = Desk::open(world).await;
        let bad = json!({
            "unit_id": desk.unit, "title": " ", "class": "routine", "source_language": "fr",
            "variants": [
                {"language": "vi", "text": "a\u{0}", "thread": [{"text": " "}], "first_comment": ""},
                {"language": "vi", "text": ""},
                {"language": "xx-!", "text": "d", "link": "javascript:alert(1)"},
            ],
        });
        let answer = world.ask("POST", "/api/v1/posts").json(&bad).await;
        let fault = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
        assert_eq!(answer.faults(), [
            fault("/title", "blank"),
            fault("/variants", "source_language_missing"),
            fault("/variants/0/first_comment", "blank"),
            fault("/variants/0/text", "text_control_character"),
            fault("/variants/0/thread/0/text", "blank"),
            fault("/variants/1/language", "repeated"),
            fault("/variants/1/text", "blank"),
            fault("/variants/2/language", "bad_language"),
            fault("/variants/2/link", "bad_link"),
        ]);
        let mut foreign = desk.draft();
        foreign["unit_id"] = json!("unit_00000000000000000000000000000000");
        foreign["variants"][0]["media"] = json!([{"media_id": "med_00000000000000000000000000000000"}]);
        let answer = world.ask("POST", "/api/v1/posts").json(&foreign).await;
        assert_eq!(answer.faults(), [
            fault("/unit_id", "unknown_reference"),
            fault("/variants/0/media/0/media_id", "unknown_reference"),
        ]);
        let none = world.ask("GET", "/api/v1/posts").send().await.expect(200);
        assert_eq!(none["items"], json!([]));
    }

    async fn fifty_identical_requests_write_one_post(world) {
        let desk = Desk::open(world).await;
        let draft = desk.draft();
        let asks = (0..50).map(|_| world.ask("POST", "/api/v1/posts").key("once").json(&draft));
        let answers = futures_util::future::join_all(asks).await;
        let fresh = answers.iter().filter(|it| it.header("idempotency-replayed") != "true").count();
        assert_eq!(fresh, 1, "one wrote it, the others got its answer");
        let first = answers[0].json();
        for answer in answers {
            assert_eq!(answer.expect(201), first);
        }
        let list = world.ask("GET", "/api/v1/posts").send().await.expect(200);
        assert_eq!(list["items"], json!([first]));
        let mut other = draft;
        other["title"] = json!("Khác");
        let answer = world.ask("POST", "/api/v1/posts").key("once").json(&other).await;
        assert_eq!(answer.status, 422, "{:?}", answer.json());
    }

    async fn an_edit_names_what_was_scheduled_with_older_words_and_does_not_touch_it(world) {
        let desk = Desk::open(world).await;
        let delivery = desk.scheduled(world, "Câu đầu", FAR).await;
        let place = place_of(&json!({"id": delivery["post_id"]}));
        let title = world.ask("PATCH", &place).seen("\"1\"").json(&json!({"title": "Tên"})).await.expect(200);
        assert_eq!((&title["stale_deliveries"], &title["revision"]), (&json!([]), &json!(2)));
        assert_eq!(title["variants"][0]["revision"], 1, "its content did not change");
        let words = json!({"variants": [{"language": "vi", "text": "Câu sau"}]});
        world.ask("PATCH", &place).seen("\"1\"").json(&words).await.problem(412, "stale");
        let edited = world.ask("PATCH", &place).seen("\"2\"").json(&words).await.expect(200);
        assert_eq!(edited["stale_deliveries"], json!([delivery["id"]]));
        assert_eq!(edited["variants"][0]["revision"], 3);
        let kept = world.ask("GET", &delivery_of(&delivery)).send().await.expect(200);
        assert_eq!(kept["content"]["text"], "Câu đầu");
        let refused = world.ask("DELETE", &place).seen("\"3\"").send().await;
        let refused = refused.problem(409, "deliveries_pending");
        assert_eq!(refused["deliveries"][0]["delivery_id"], delivery["id"]);
        world.ask("POST", &format!("{}/cancel", delivery_of(&delivery))).send().await.expect(200);
        assert_eq!(world.ask("GET", &place).send().await.expect(200)["stale_deliveries"], json!([]));
        assert_eq!(world.ask("DELETE", &place).seen("\"3\"").send().await.status, 204);
        world.ask("POST", &format!("{place}/deliveries")).json(&json!({"deliveries": []})).await.problem(404, "not_found");
    }

    async fn posts_of_a_unit_with_approval_cannot_be_scheduled_yet(world) {
        let desk = Desk::open(world).await;
        let place = format!("/api/v1/units/{}", desk.unit);
        world.ask("PATCH", &place).seen("*").json(&json!({"approval": "one"})).await.expect(200);
        let post = desk.post(world, "Chờ duyệt").await;
        let wanted = json!({"deliveries": [{"account_id": desk.page, "at": FAR}]});
        let refused = world.ask("POST", &schedule_of(&post)).json(&wanted).await;
        assert_eq!(refused.problem(409, "approval_required")["approval"], "one");
        let list = world.ask("GET", "/api/v1/deliveries").send().await.expect(200);
        assert_eq!(list["items"], json!([]));
    }
}
