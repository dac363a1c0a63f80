//! The audit that an inspector can trust, by the real program beside the running service.

use crate::recovery::chancery;
use crate::stage::{Stage, Wanted, staged};

/// What it printed, and its exit code.
fn told(stage: &Stage, command: &[&str]) -> (Option<i32>, String) {
    let output = chancery(stage, command);
    let (out, err) = (&output.stdout, &output.stderr);
    let text = format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    (output.status.code(), text)
}

/// A number from the database.
async fn number(stage: &Stage, sql: &str) -> i64 {
    stage.setting().database.rows(sql).await[0][0].parse().unwrap()
}

staged! {
    /// As it was written it is whole; a word in it changed past the service is found, and one taken out.
    async fn what_was_changed_is_named_beside_the_running_service(stage) {
        let [page, _] = stage.both().await;
        let id = stage.deliver(&page, &Wanted::text("as it was")).await;
        stage.published(&id).await;
        let verify = ["audit", "verify"];
        let (code, text) = told(stage, &verify);
        assert!(code == Some(0) && text.starts_with("whole: "), "{text}");
        let seq: i64 = number(stage, "SELECT CAST(seq AS TEXT) FROM audit_head").await;
        let none = format!("{seq}:{}", "0".repeat(64));
        let (code, text) = told(stage, &["audit", "verify", "--known", &none]);
        assert!(code == Some(3) && text.contains("has not the hash"), "{text}");
        let beyond = format!("{}:{}", seq + 1_000, "0".repeat(64));
        let (code, text) = told(stage, &["audit", "verify", "--known", &beyond]);
        assert!(code == Some(3) && text.contains("the chain ends before it"), "{text}");
        let database = &stage.setting().database;
        let actor = database.rows("SELECT actor FROM audit WHERE seq = 3").await[0][0].clone();
        database.execute("UPDATE audit SET actor = 'usr_nobody' WHERE seq = 3").await;
        let (code, text) = told(stage, &verify);
        assert!(code == Some(3) && text.starts_with("entry 3: does not follow"), "{text}");
        database.execute(&format!("UPDATE audit SET actor = '{actor}' WHERE seq = 3")).await;
        database.execute("CREATE TABLE aside AS SELECT * FROM audit WHERE seq = 2; DELETE FROM audit WHERE seq = 2").await;
        let (code, text) = told(stage, &verify);
        assert!(code == Some(3) && text.starts_with("entry 2: missing"), "{text}");
        database.execute("INSERT INTO audit SELECT * FROM aside; DROP TABLE aside").await;
        let (code, text) = told(stage, &verify);
        assert_eq!(code, Some(0), "{text}");
    }
}
