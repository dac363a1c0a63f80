//! Changing the key of the vault: everything is sealed again, and the older key can be taken away.

use std::process::{Command, Output};

use chancery::simulator::Platform;

use crate::factors::{has_an_app, shows, sign_in};
use crate::stage::{Kind, Stage, Wanted};

const OLDER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEWER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Runs a command with the options of the stage and further ones.
fn chancery(stage: &Stage, further: &[(&str, &str)], command: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(command)
        .env_clear()
        .envs(stage.setting().options().iter().map(|(name, value)| (name, value)))
        .envs(further.iter().copied())
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// One command after the other, as docs/operations/keys.md says for a single node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rotation_the_older_key_is_not_needed() {
    let mut stage = Stage::start(Kind::Sqlite, &[]).await.unwrap();
    let [page, user] = stage.both().await;
    let (app, _) = has_an_app(&stage).await;
    // Beside the daemon nothing happens: the directory is in use.
    let beside = chancery(&stage, &[], &["vault", "rotate", "--new-key"]);
    assert_eq!(beside.status.code(), Some(4), "{}", told(&beside));
    stage.stop().await;
    let file = stage.setting().directory().join("vault.key");
    let older = std::fs::read_to_string(&file).unwrap();

    let output = chancery(&stage, &[], &["vault", "rotate", "--new-key"]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(
        told(&output).contains("3 credentials, webhooks and second factors sealed"),
        "{}",
        told(&output)
    );
    let both = std::fs::read_to_string(&file).unwrap();
    assert!(both.ends_with(&older) && both.lines().count() == 2, "the older key stays, last");
    let newer = both.lines().next().unwrap();
    let secret = newer.split_once(':').unwrap().1;
    assert!(!told(&output).contains(secret), "a key was printed");

    // Once more changes nothing.
    let again = chancery(&stage, &[], &["vault", "rotate"]);
    assert!(
        told(&again).contains("0 credentials, webhooks and second factors sealed"),
        "{}",
        told(&again)
    );
    let keys = chancery(&stage, &[], &["vault", "keys"]);
    assert!(told(&keys).contains("1: 0 values, opens"), "{}", told(&keys));
    assert!(told(&keys).contains(": 3 values, seals"), "{}", told(&keys));

    // The older one alone opens nothing any more, and the newer one alone everything.
    std::fs::write(&file, &older).unwrap();
    assert_eq!(chancery(&stage, &[], &["vault", "keys"]).status.code(), Some(3));
    std::fs::write(&file, newer).unwrap();
    stage.resume().await;
    for outlet in [&page, &user] {
        let id = stage.deliver(outlet, &Wanted::text("with the newer key")).await;
        stage.published(&id).await;
    }
    let code = shows(&app, stage.now());
    let signed_in = sign_in(&stage, "192.0.2.9", Some(&code)).await.map(|_| ());
    signed_in.unwrap();
    stage.finish().await;
}

/// The control: a newer key before the older one is not yet a rotation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sealing_again_the_older_key_is_needed() {
    let mut stage = Stage::start(Kind::Sqlite, &[]).await.unwrap();
    let page = stage.outlet(Platform::Facebook).await;
    stage.stop().await;
    let file = stage.setting().directory().join("vault.key");
    let older = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("new:{NEWER}\n")).unwrap();
    assert_eq!(chancery(&stage, &[], &["vault", "keys"]).status.code(), Some(3));
    std::fs::write(&file, format!("new:{NEWER}\n{older}")).unwrap();
    let keys = told(&chancery(&stage, &[], &["vault", "keys"]));
    assert!(keys.contains("1: 1 values, opens") && keys.contains("new: 0 values, seals"), "{keys}");
    stage.resume().await;
    let id = stage.deliver(&page, &Wanted::text("with both keys")).await;
    stage.published(&id).await;
    stage.finish().await;
}

/// Several nodes share the keys: nothing is made, what is configured first seals. A credential that
/// does not open stays as it is and is named; the others are sealed all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_given_are_used_in_their_order_and_what_does_not_open_is_named() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let older = format!("1:{OLDER}");
        let Some(mut stage) = Stage::start(kind, &[("CHANCERY_VAULT__KEY", &older)]).await else {
            continue;
        };
        let [page, user] = stage.both().await;
        stage.stop().await;
        let made = chancery(&stage, &[], &["vault", "rotate", "--new-key"]);
        assert_eq!(made.status.code(), Some(2), "{}", told(&made));
        // As somebody who has exchanged two rows of the database by hand.
        let swap = format!("UPDATE credentials SET version = 7 WHERE account_id = '{}'", page.id);
        stage.setting().database.execute(&swap).await;

        let both = format!("2:{NEWER},1:{OLDER}");
        let keys = [("CHANCERY_VAULT__KEY", both.as_str())];
        let output = chancery(&stage, &keys, &["vault", "rotate"]);
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
        assert!(told(&output).contains(&format!("{} (key 1)", page.id)), "{}", told(&output));
        assert!(!told(&output).contains(user.id.as_str()), "{}", told(&output));
        let listed = told(&chancery(&stage, &keys, &["vault", "keys"]));
        assert!(listed.contains("1: 1 values, opens"), "{listed}");
        assert!(listed.contains("2: 1 values, seals"), "{listed}");

        let back = format!("UPDATE credentials SET version = 1 WHERE account_id = '{}'", page.id);
        stage.setting().database.execute(&back).await;
        let output = chancery(&stage, &keys, &["vault", "rotate"]);
        assert!(output.status.success(), "{}", told(&output));
        let newer = format!("2:{NEWER}");
        let listed = chancery(&stage, &[("CHANCERY_VAULT__KEY", &newer)], &["vault", "keys"]);
        assert_eq!(told(&listed), "2: 2 values, seals\n");
        let verified = chancery(&stage, &[("CHANCERY_VAULT__KEY", &older)], &["vault", "keys"]);
        assert_eq!(verified.status.code(), Some(3), "{}", told(&verified));
    }
}
