//! What inspectors read of the audit, and take away.

use std::io::Write as _;
use std::process::Command;

use serde_json::Value;

use crate::planning::{Desk, place_of};
use crate::world::{World, both};

async fn page(world: &World, query: &str) -> Vec<Value> {
    let answer = world.ask("GET", &format!("/api/v1/audit{query}")).send().await.expect(200);
    answer["items"].as_array().unwrap().clone()
}

async fn export(world: &World, query: &str) -> String {
    let answer = world.ask("GET", &format!("/api/v1/audit/export{query}")).send().await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.bytes).unwrap()
}

/// What the program says of an export, and its exit code.
fn verified(export: &str, more: &[&str]) -> (Option<i32>, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(export.as_bytes()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(["audit", "verify", "--file"])
        .arg(file.path())
        .args(more)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

both! {
    async fn what_was_done_is_found_by_who_what_and_when(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Một").await;
        let id = post["id"].as_str().unwrap();
        assert_eq!(world.ask("DELETE", &place_of(&post)).seen("\"1\"").send().await.status, 204);
        let about = page(world, &format!("?subject={id}")).await;
        let acts: Vec<&str> = about.iter().map(|it| it["action"].as_str().unwrap()).collect();
        assert_eq!(acts, ["post.remove", "post.create"]);
        let entry = &about[1];
        assert!(entry["actor"].as_str().unwrap().starts_with("usr_") && entry["hash"].as_str().unwrap().len() == 64);
        assert!(entry["actor_name"].is_string() && entry["detail"]["unit_id"] == desk.unit.as_str());
        let posts = page(world, "?action=post.").await;
        assert_eq!(posts.len(), 2);
        assert_eq!(page(world, "?action=post").await.len(), 0);
        let actor = entry["actor"].as_str().unwrap().split(' ').next().unwrap();
        assert_eq!(page(world, &format!("?action=post.create&actor={actor}")).await.len(), 1);
        assert_eq!(page(world, "?action=post.create&actor=usr_0").await.len(), 0);
        let (at, removed) = (entry["at"].as_str().unwrap(), about[0]["at"].as_str().unwrap());
        assert_eq!(page(world, &format!("?action=post.create&from={at}")).await.len(), 1);
        assert_eq!(page(world, &format!("?action=post.create&to={at}")).await.len(), 0);
        assert_eq!(page(world, &format!("?action=post.remove&from={at}&to={removed}")).await.len(), 0);
        // Page by page it is everything, once.
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let list = format!("/api/v1/audit?limit=3{cursor}");
            let answer = world.ask("GET", &list).send().await.expect(200);
            seen.extend(answer["items"].as_array().unwrap().iter().map(|it| it["seq"].as_i64().unwrap()));
            let Some(next) = answer["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let newest = seen[0];
        assert_eq!(seen, (1..=newest).rev().collect::<Vec<_>>());
        world.ask("GET", "/api/v1/audit?cursor=x").send().await.problem(422, "bad_cursor");
    }

    async fn a_whole_export_proves_itself_without_the_database(world) {
        let desk = Desk::open(world).await;
        desk.post(world, "=Một").await;
        let whole = export(world, "?format=jsonl").await;
        let (code, text) = verified(&whole, &[]);
        assert!(code == Some(0) && text.starts_with("whole: "), "{text}");
        let lines: Vec<&str> = whole.lines().collect();
        let last: Value = serde_json::from_str(lines[lines.len() - 1]).unwrap();
        let known = format!("{}:{}", last["seq"], last["hash"].as_str().unwrap());
        assert_eq!(verified(&whole, &["--known", &known]).0, Some(0));
        // One taken out, one changed, the end cut off.
        let without = [&lines[..2], &lines[3..]].concat().join("\n");
        let (code, text) = verified(&without, &[]);
        assert!(code == Some(3) && text.starts_with("entry 3: missing"), "{text}");
        let changed = whole.replacen("post.create", "post.change", 1);
        let (code, text) = verified(&changed, &[]);
        assert!(code == Some(3) && text.contains("does not follow"), "{text}");
        let cut = lines[..lines.len() - 1].join("\n");
        assert_eq!(verified(&cut, &[]).0, Some(0));
        let (code, text) = verified(&cut, &["--known", &known]);
        assert!(code == Some(3) && text.contains("the chain ends before it"), "{text}");
        let (code, text) = verified("{}\n", &[]);
        assert!(code == Some(1) && text.contains("line 1"), "{text}");
        // That it was taken is written behind it.
        let newest = page(world, "?action=audit.export").await;
        assert_eq!(newest.len(), 1);
        assert_eq!(newest[0]["detail"]["up_to"], last["seq"]);
    }

    async fn a_table_opens_in_a_spreadsheet(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Một").await;
        let table = export(world, "?format=csv&action=post.create").await;
        let table = table.strip_prefix('\u{feff}').unwrap();
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1);
        assert_eq!((&rows[0][4], &rows[0][5]), ("post.create", post["id"].as_str().unwrap()));
        let detail: Value = serde_json::from_str(&rows[0][6]).unwrap();
        assert_eq!(detail["unit_id"], desk.unit.as_str());
        assert_eq!(export(world, "?format=csv&action=none").await.lines().count(), 1);
    }
}
