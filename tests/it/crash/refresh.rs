//! The process is stopped while it refreshes a token, at every point there is, and killed at instants that
//! nobody chose on two nodes: no refresh token is ever presented twice, and each loss is told.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use chancery::app::App;
use chancery::domain::account::AccountStatus;
use chancery::service::accounts;
use chancery::simulator::{Fault, Kind as FaultKind, Operation, Platform};
use rand::RngExt as _;
use serde_json::json;

use super::OPTIONS;
use super::daemon::Daemon;
#[cfg(feature = "crash-points")]
use super::points::SIGABRT;
use crate::stage::{APPLICATION, Kind, Outlet, Stage, Wanted, eventually, pass};

/// The points that a refresh passes.
#[cfg(feature = "crash-points")]
pub(super) const POINTS: [&str; 4] =
    ["refresh.before_call", "refresh.after_answer", "refresh.before_keep", "refresh.after_keep"];

async fn set(kind: Kind) -> Option<Stage> {
    Stage::start(kind, &[OPTIONS[0], OPTIONS[1], APPLICATION]).await
}

/// The mark is durable before the token leaves, and the pair before it is used: wherever it stops, the
/// next start does not present the token again.
#[cfg(feature = "crash-points")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_a_token_is_refreshed_presents_it_once() {
    for (point, presented, outcome) in [
        (POINTS[0], 0, "orphaned"),
        (POINTS[1], 1, "orphaned"),
        (POINTS[2], 1, "orphaned"),
        (POINTS[3], 1, "kept"),
    ] {
        for kind in [Kind::Sqlite, Kind::Postgres] {
            let Some(mut stage) = set(kind).await else { continue };
            let outlet = stage.renewable_until(None).await;
            stage.stop().await;
            let daemon = Daemon::start(stage.setting(), &[("CHANCERY_CRASH_AT", point)]);
            let status = daemon.ended().await;
            assert_eq!(status.signal(), Some(SIGABRT), "at {point}: {status}");
            stage.resume().await;
            stage.became(&outlet, outcome).await;
            let told = stage.told_of(&outlet).await.contains(&"account.ending".to_owned());
            assert_eq!(told, outcome == "orphaned", "at {point}");
            // With the old access token, or the new one.
            let id = stage.deliver(&outlet, &Wanted::text(&format!("after {point}"))).await;
            stage.published(&id).await;
            assert_eq!(stage.account(&outlet).await.status, AccountStatus::Connected);
            assert_eq!(stage.presented(), (presented, presented as usize), "at {point}");
            stage.finish().await;
        }
    }
}

/// Accounts whose credential nobody but a person can renew get one, as if he had signed in.
async fn sign_in_again(stage: &Stage, outlets: &[Outlet]) -> usize {
    let sql = "SELECT r.account_id FROM refreshes AS r
               JOIN credentials AS c ON c.account_id = r.account_id AND c.version = r.version
               WHERE r.outcome IN ('lost', 'orphaned', 'refused')";
    let lost = stage.setting().database.rows(sql).await.concat();
    if lost.is_empty() {
        return 0;
    }
    let services = App::services(stage.setting().config()).await.unwrap();
    for outlet in outlets.iter().filter(|it| lost.iter().any(|id| *id == it.id.to_string())) {
        let change = json!({"credential": stage.consented(&outlet.remote_id, None)});
        let change = serde_json::from_value(change).unwrap();
        accounts::change(&services, stage.caller(), &outlet.id, None, change).await.unwrap();
    }
    services.store.close().await;
    lost.len()
}

/// A storm of fewer kills is none.
const LEAST: usize = 5;

/// Until so many tokens were presented; gives how many of their answers were lost.
async fn storm(kind: Kind, nodes: usize, accounts: usize, wanted: usize) {
    let Some(mut stage) = set(kind).await else { return };
    stage.world().change_settings(|settings| {
        settings.rate_limits = false;
        settings.latency_ms = 20;
        settings.x.access_life_s = 2;
    });
    let mut outlets = Vec::new();
    for _ in 0..accounts {
        outlets.push(stage.renewable_until(None).await);
    }
    stage.stop().await;
    for (chance, kind) in [
        (0.01, FaultKind::DropAfter),
        (0.01, FaultKind::ServerError { execute: true }),
        (0.02, FaultKind::DropBefore),
    ] {
        let fault = Fault::once(Platform::X, Operation::Token, kind);
        stage.world().faults().push(fault.with_probability(chance));
    }
    let (mut kills, mut again) = (0, 0);
    let mut daemons: Vec<Daemon> = Vec::new();
    while stage.presented().1 < wanted || kills < LEAST {
        while daemons.len() < nodes {
            daemons.push(Daemon::start(stage.setting(), &[]));
        }
        for daemon in &daemons {
            daemon.ready().await;
        }
        pass(Duration::from_millis(rand::rng().random_range(1_000..4_000))).await;
        // The oldest; on one node there is no other.
        daemons.remove(0).kill().await;
        kills += 1;
        again += sign_in_again(&stage, &outlets).await;
    }
    for daemon in daemons {
        daemon.kill().await;
    }
    let final_node = Daemon::start(stage.setting(), &[]);
    final_node.ready().await;
    let database = &stage.setting().database;
    eventually("what the last had at work is decided about", async || {
        let open =
            database.rows("SELECT outcome FROM refreshes WHERE outcome = 'presenting'").await;
        // Others are under way all the time.
        if open.len() <= 4 { Ok(()) } else { Err(open.len()) }
    })
    .await;
    final_node.stop().await;
    let count = async |sql: &str| database.rows(sql).await.len();
    let lost = count("SELECT outcome FROM refreshes WHERE outcome IN ('lost', 'orphaned')").await;
    let told = count("SELECT action FROM audit WHERE action = 'account.ending'").await;
    let (most, presented) = stage.presented();
    eprintln!(
        "{presented} refresh tokens on {kind:?} with {nodes} nodes, {kills} kills: {lost} answers lost, \
         {again} sign-ins"
    );
    assert_eq!(most, 1, "a token was presented twice");
    assert!(lost > 0, "nothing was lost: no test");
    assert_eq!(told, lost, "people were told of as many as were lost");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_refreshes_on_two_nodes_through_kills_are_presented_once() {
    storm(Kind::Postgres, 2, 30, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_refreshes_on_one_node_through_kills_are_presented_once() {
    storm(Kind::Sqlite, 1, 30, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_of_ten_thousand_refreshes_on_two_nodes_through_kills() {
    // So many accounts that a start finds hundreds to refresh: what a kill leaves open rests for minutes.
    storm(Kind::Postgres, 2, 1_000, 10_000).await;
}
