//! Heads of the audit that leave the machine: signed once in a while, and proven by the real program.

use std::fs;
use std::path::Path;
use std::time::Duration;

use chancery::vault::signer::Signer;
use serde_json::{Value, json};

use crate::recovery::chancery;
use crate::stage::{Kind, Stage, Wanted, eventually, pass};

/// What the audit says of heads, the oldest first.
async fn heads(stage: &Stage) -> Vec<Value> {
    let sql = "SELECT CAST(detail AS TEXT) FROM audit WHERE action = 'audit.head' ORDER BY seq";
    let rows = stage.setting().database.rows(sql).await;
    rows.iter().map(|row| serde_json::from_str(&row[0]).unwrap()).collect()
}

async fn at_least(stage: &Stage, count: usize) -> Vec<Value> {
    eventually(&format!("{count} heads"), async || {
        let all = heads(stage).await;
        if all.len() >= count { Ok(all) } else { Err(format!("{all:?}")) }
    })
    .await
}

/// What `audit verify` says of heads, and its exit code.
fn proven(stage: &Stage, lines: &[Value], key: &str, place: &Path) -> (Option<i32>, String) {
    let file = place.join("heads.jsonl");
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(&file, text.join("\n")).unwrap();
    let file = file.to_str().unwrap();
    let output = chancery(stage, &["audit", "verify", "--heads", file, "--head-key", key]);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

async fn signed_and_proven(kind: Kind) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("head.key");
    let signer = Signer::generate(&file).unwrap();
    let options = [
        ("CHANCERY_AUDIT__HEAD_KEY_FILE", file.to_str().unwrap()),
        ("CHANCERY_AUDIT__HEAD_EVERY", "30m"),
        ("CHANCERY_JOBS__SELF_AUDIT", "* * * * * *"),
    ];
    let Some(stage) = Stage::start(kind, &options).await else { return };
    let [page, _] = stage.both().await;
    at_least(&stage, 1).await;
    let id = stage.deliver(&page, &Wanted::text("before the second head")).await;
    stage.published(&id).await;
    pass(Duration::from_secs(3)).await;
    assert_eq!(heads(&stage).await.len(), 1, "once in half an hour");
    stage.advance(Duration::from_mins(31));
    let all = at_least(&stage, 2).await;
    let (public, own) = (signer.public(), place.path());
    let (code, text) = proven(&stage, &all, &public, own);
    assert!(code == Some(0) && text.starts_with("whole: "), "{text}");
    // As a webhook is told, and alone.
    let told = json!({"type": "audit.head", "timestamp": all[1]["head"]["at"], "data": all[1]});
    let (code, text) = proven(&stage, &[told, all[0]["head"].clone()], &public, own);
    assert_eq!(code, Some(0), "{text}");
    // Of another key, changed, or of a chain that is not this one.
    let other = Signer::generate(&own.join("other.key")).unwrap();
    let (code, text) = proven(&stage, &all[..1], &other.public(), own);
    assert!(code == Some(3) && text.contains("line 1 of the heads: is not signed"), "{text}");
    let mut changed = all[1].clone();
    changed["head"]["seq"] = json!(1);
    let (code, text) = proven(&stage, &[all[0].clone(), changed], &public, own);
    assert!(code == Some(3) && text.contains("line 2 of the heads: is not signed"), "{text}");
    let elsewhere = signer.sign(2, "0".repeat(64), stage.now());
    let (code, text) = proven(&stage, &[json!({"head": elsewhere})], &public, own);
    assert!(code == Some(3) && text.contains("entry 2: has not the hash"), "{text}");
    let (code, text) = proven(&stage, &[json!({"seq": 1})], &public, own);
    assert!(code == Some(1) && text.contains("line 1 of the heads holds no signed head"), "{text}");
    // The program makes keys, and never over one that is there.
    let new = own.join("new.key");
    let made = chancery(&stage, &["audit", "key", new.to_str().unwrap()]);
    let public = String::from_utf8(made.stdout).unwrap();
    assert_eq!(public.trim(), Signer::read(&new).unwrap().public());
    let again = chancery(&stage, &["audit", "key", new.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_signed_and_proven_on_sqlite() {
    Box::pin(signed_and_proven(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_signed_and_proven_on_postgres() {
    Box::pin(signed_and_proven(Kind::Postgres)).await;
}
