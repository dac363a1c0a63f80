//! Units through the front door.

use serde_json::json;

use crate::world::{both, embassy};

both! {
    async fn a_unit_is_entered_shown_changed_and_listed(world) {
        let answer = world.ask("POST", "/api/v1/units").json(&embassy()).await;
        let tag = answer.header("etag").to_owned();
        let place = answer.header("location").to_owned();
        let unit = answer.expect(201);
        assert_eq!((tag.as_str(), unit["version"].as_i64()), ("\"1\"", Some(1)));
        assert!(place.ends_with(unit["id"].as_str().unwrap()));

        let shown = world.ask("GET", &place).send().await;
        assert_eq!(shown.header("etag"), tag);
        assert_eq!(shown.expect(200), unit);

        let change = json!({"closed_on": "2027-01-01", "country": null});
        world.ask("PATCH", &place).json(&change).await.problem(428, "precondition_required");
        let changed = world.ask("PATCH", &place).seen(&tag).json(&change).await;
        assert_eq!(changed.header("etag"), "\"2\"");
        let changed = changed.expect(200);
        assert_eq!(changed["closed_on"], "2027-01-01");
        assert!(changed["country"].is_null());
        assert_eq!(changed["languages"], unit["languages"]);
        world.ask("PATCH", &place).seen(&tag).json(&change).await.problem(412, "stale");
        world.ask("PATCH", &place).seen("*").json(&json!({})).await.expect(200);

        let list = world.ask("GET", "/api/v1/units").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert!(list["next_cursor"].is_null());
    }

    async fn the_tree_has_no_circle_and_no_missing_parent(world) {
        let top = world.unit().await;
        let mut body = embassy();
        body["parent_id"] = top["id"].clone();
        let child = world.ask("POST", "/api/v1/units").json(&body).await.expect(201);
        let top_place = format!("/api/v1/units/{}", top["id"].as_str().unwrap());
        let circle = world
            .ask("PATCH", &top_place)
            .seen("\"1\"")
            .json(&json!({"parent_id": child["id"]}))
            .await;
        assert_eq!(circle.faults(), [("/parent_id".to_owned(), "cycle".to_owned())]);
        body["parent_id"] = json!("unit_00000000000000000000000000000000");
        let missing = world.ask("POST", "/api/v1/units").json(&body).await;
        assert_eq!(missing.faults(), [("/parent_id".to_owned(), "unknown_reference".to_owned())]);
        let below = format!("/api/v1/units?parent_id={}", top["id"].as_str().unwrap());
        let below = world.ask("GET", &below).send().await.expect(200);
        assert_eq!(below["items"].as_array().unwrap().len(), 1);
    }

    async fn pages_follow_each_other_without_gap_or_repetition(world) {
        for _ in 0..5 {
            world.unit().await;
        }
        let mut seen = Vec::new();
        let mut path = "/api/v1/units?limit=2".to_owned();
        loop {
            let page = world.ask("GET", &path).send().await.expect(200);
            seen.extend(page["items"].as_array().unwrap().iter().map(|it| it["id"].to_string()));
            if page["next_cursor"] == json!(null) {
                break;
            }
            let cursor = page["next_cursor"].as_str().unwrap();
            path = format!("/api/v1/units?limit=2&cursor={cursor}");
        }
        let mut sorted = seen.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!((seen.len(), &seen), (5, &sorted));
        world.ask("GET", "/api/v1/units?limit=201").send().await.problem(422, "bad_limit");
        world.ask("GET", "/api/v1/units?cursor=x").send().await.problem(422, "bad_cursor");
        assert_eq!(
            world.ask("GET", "/api/v1/units?colour=red").send().await.faults()[0].1,
            "bad_query"
        );
    }
}
