//! Several nodes on one server, and a server that behaves badly: nothing is sent that is not certain,
//! and nobody needs to start anything anew.

use std::time::Duration;

use chancery::clock::{after, before, until};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, NodeId};
use chancery::service::{Error, accounts, health, posts, schedule, units};
use chancery::simulator::{Kind as FaultKind, Operation, Platform};
use chancery::store::SCHEMA_VERSION;
use chancery::store::jobs::Holder;
use chancery::store::publishing::{self, Guard};
use serde_json::json;
use sqlx::Connection as _;

use crate::stage::{Kind, Relay, Stage, Wanted, eventually, on, pass};

/// A stage whose service reaches the server through a relay.
async fn relayed(options: &[(&str, &str)]) -> Option<(Stage, Relay)> {
    let mut stage = Stage::start(Kind::Postgres, options).await?;
    stage.stop().await;
    let (relay, url) = Relay::before(&stage.setting().database.url()).await;
    stage.set_option("CHANCERY_DATABASE__URL", &url);
    stage.resume().await;
    Some((stage, relay))
}

/// How a delivery stands, past the service.
async fn state(stage: &Stage, id: &DeliveryId) -> String {
    let sql = format!("SELECT state FROM deliveries WHERE id = '{id}'");
    stage.setting().database.rows(&sql).await.remove(0).remove(0)
}

/// The server falls silent while deliveries wait at the gate, and no connection is closed. The lease
/// runs out, so nothing leaves; and when new connections are answered, the service goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_closes_the_gate_and_is_left() {
    let options = [
        ("CHANCERY_DATABASE__TIMEOUT", "2s"),
        ("CHANCERY_PUBLISH__LOOKAHEAD", "3s"),
        ("CHANCERY_PUBLISH__LEASE", "7s"),
    ];
    let Some((stage, relay)) = relayed(&options).await else { return };
    let outlets = stage.both().await;
    let due = after(stage.now(), Duration::from_millis(3_500));
    let mut ids = Vec::new();
    for outlet in &outlets {
        ids.push(stage.deliver(outlet, &Wanted::text("silence at the gate").at(due)).await);
    }
    for id in &ids {
        stage.until(id, DeliveryState::Publishing).await;
    }
    relay.fall_silent();
    stage.advance(Duration::from_secs(6));
    pass(Duration::from_secs(3)).await;
    assert_eq!(stage.world().counts().received, 0, "sent under a lease that had run out");
    relay.speak();
    for (id, outlet) in ids.iter().zip(&outlets) {
        eventually("it is published", async || {
            let found = state(&stage, id).await;
            if found == "published" { Ok(()) } else { Err(found) }
        })
        .await;
        assert_eq!(stage.creates(outlet).len(), 1);
    }
    stage.finish().await;
}

/// A commit is made and its answer lost: whoever asked is told the truth, whether his change shared a
/// transaction with others or had its own. A commit that never arrived is told as such.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_lost_commit_is_found_out() {
    let Some((stage, relay)) = relayed(&[]).await else { return };
    let [outlet, _] = stage.both().await;
    let wanted = Wanted::text("an answer that was lost");

    relay.lose_commit_of("an answer that was lost");
    let post = stage.post("evergreen", &[wanted.variant()]).await;
    assert!(!relay.waits(), "no commit was lost");
    let database = &stage.setting().database;
    assert_eq!(database.rows("SELECT id FROM posts").await.len(), 1);

    relay.lose_commit_of("an answer that was lost");
    let id = stage.schedule(&post, &[wanted.delivery(&outlet)]).await.remove(0);
    assert!(!relay.waits(), "no commit was lost");
    stage.published(&id).await;
    assert_eq!(stage.creates(&outlet).len(), 1);

    let (acts, caller) = (stage.acts(), stage.caller());
    let unit = posts::show(acts, caller, &post).await.unwrap().unit_id;
    let named =
        |name: &str| serde_json::from_value(json!({"name": {"en": name, "vi": name}})).unwrap();
    relay.lose_commit_of("A ministry lost");
    let done = units::change(acts, caller, &unit, None, named("A ministry lost")).await.unwrap();
    assert!(!relay.waits(), "no commit was lost");
    assert_eq!(units::show(acts, caller, &unit).await.unwrap(), done.value);

    relay.cut_commit_of("A ministry cut");
    let cut = units::change(acts, caller, &unit, None, named("A ministry cut")).await;
    assert!(!relay.waits(), "no commit was cut");
    assert!(matches!(cut, Err(Error::Busy)), "{cut:?}");
    assert_eq!(units::show(acts, caller, &unit).await.unwrap(), done.value);
    stage.finish().await;
}

/// Somebody schedules a post, and while his commit is on its way another one removes the post or the
/// account: one of the two is refused, and no delivery is left on what is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_on_what_is_removed_meanwhile() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    let [outlet, _] = stage.both().await;
    let (acts, caller) = (stage.acts(), stage.caller());
    let database = &stage.setting().database;
    for (removed, table) in [("post", "posts"), ("account", "accounts")] {
        let wanted = Wanted::text(removed).at(after(stage.now(), Duration::from_hours(5)));
        let post = stage.post("evergreen", &[wanted.variant()]).await;
        let lock = database.lock_audit().await;
        let scheduling = async {
            let wanted = json!({"deliveries": [wanted.delivery(&outlet)]});
            let wanted = serde_json::from_value(wanted).unwrap();
            schedule::schedule(acts, caller, &post, wanted).await.map(|_| ())
        };
        let removing = async {
            waiting(&stage, "deliveries", 1).await;
            if removed == "post" {
                posts::remove(acts, caller, &post, None).await
            } else {
                accounts::remove(acts, caller, &outlet.id, None).await
            }
        };
        let letting = async {
            waiting(&stage, table, 2).await;
            lock.close().await.unwrap();
        };
        let (scheduled, gone, ()) = futures_util::join!(scheduling, removing, letting);
        assert!(scheduled.is_ok(), "{scheduled:?}");
        assert!(matches!(gone, Err(Error::Conflict(_))), "the {removed} was removed: {gone:?}");
        let orphans = "SELECT d.id FROM deliveries AS d JOIN posts AS p ON p.id = d.post_id
                       JOIN accounts AS a ON a.id = d.account_id
                       WHERE p.removed_at IS NOT NULL OR a.removed_at IS NOT NULL";
        assert!(database.rows(orphans).await.is_empty());
    }
    stage.finish().await;
}

async fn waiting(stage: &Stage, table: &str, count: usize) {
    eventually(&format!("{count} wait with {table}"), async || {
        let waiting = stage.setting().database.waiting_with(table).await;
        if waiting >= count { Ok(()) } else { Err(waiting) }
    })
    .await;
}

/// Two nodes guard deliveries of one account at the same moment: the second gets all others of its
/// batch, and only the one that stands behind is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_not_lost_to_another_nodes_claim() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    let [one, other] = stage.both().await;
    let due = after(stage.now(), Duration::from_hours(5));
    let mut ids = Vec::new();
    for (outlet, text) in [(&one, "first"), (&one, "second"), (&other, "third")] {
        ids.push(stage.deliver(outlet, &Wanted::text(text).at(due)).await);
    }
    let node = stage.setting().database.rows("SELECT id, fence::text FROM nodes").await.remove(0);
    let node_id: NodeId = node[0].parse().unwrap();
    let holder = Holder { node: node_id, fence: node[1].parse().unwrap() };
    let guard = Guard {
        now: due,
        token_until: due,
        horizon: due,
        repeat_since: before(due, Duration::from_hours(24)),
        today: "2026-01-01",
        holder: &holder,
    };
    let store = &stage.acts().store;
    let mut first = store.begin().await.unwrap();
    let claimed = publishing::guard(&mut first, &ids[..1], &guard).await.unwrap();
    assert_eq!(claimed, ids[..1]);
    let second = async {
        let mut second = store.begin().await.unwrap();
        publishing::guard(&mut second, &ids[1..], &guard).await
    };
    let committing = async {
        waiting(&stage, "deliveries", 1).await;
        first.commit().await.unwrap();
    };
    let (claimed, ()) = futures_util::join!(second, committing);
    assert_eq!(claimed.unwrap(), ids[2..]);
    // As if that node had never been there.
    let back = "UPDATE deliveries SET state = 'scheduled', attempts = 0 WHERE state = 'publishing'";
    stage.setting().database.execute(back).await;
    stage.finish().await;
}

/// How often nodes look by themselves.
const SELDOM: (&str, &str) = ("CHANCERY_PUBLISH__POLL_INTERVAL", "10m");

/// Waits until so many nodes listen on the installation's line, and gives who they are.
async fn listening(stage: &Stage, but: &[Vec<String>], count: usize) -> Vec<Vec<String>> {
    let sql = "SELECT a.pid::text FROM pg_stat_activity AS a, installation AS i
               WHERE a.query LIKE 'LISTEN%chancery_' || i.generation || '%' ORDER BY 1";
    eventually(&format!("{count} listen"), async || {
        let mut rows = stage.setting().database.rows(sql).await;
        rows.retain(|row| !but.contains(row));
        if rows.len() == count { Ok(rows) } else { Err(rows.len()) }
    })
    .await
}

/// Two nodes that look only every ten minutes. What is scheduled at one is published by the other in
/// time, even after the line between them was cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_hears_of_what_another_one_was_told() {
    let Some(mut stage) = Stage::start(Kind::Postgres, &[SELDOM]).await else { return };
    let outlets = stage.both().await;
    let other = stage.another(&[]).await;
    let nodes = health::nodes(stage.acts()).await.unwrap();
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    assert!(nodes.iter().all(|node| node.schema == SCHEMA_VERSION), "{nodes:?}");
    assert!(nodes.is_sorted_by(|a, b| a.fence > b.fence), "{nodes:?}");
    let first = listening(&stage, &[], 2).await;
    for pid in &first {
        let sql = format!("SELECT pg_terminate_backend({})", pid[0]);
        stage.setting().database.execute(&sql).await;
    }
    listening(&stage, &first, 2).await;
    // What they look for by themselves after the cut is over.
    pass(Duration::from_millis(300)).await;
    // Late enough for the first node to have stopped long before.
    let due = after(stage.now(), Duration::from_mins(1));
    for outlet in &outlets {
        stage.deliver(outlet, &Wanted::text("heard of").at(due)).await;
    }
    pass(Duration::from_millis(300)).await;
    stage.stop().await;
    assert_eq!(stage.world().counts().received, 0, "too slow: the first node has sent it");
    stage.advance(until(stage.now(), due));
    eventually("the other node publishes", async || {
        let made = outlets.iter().map(|outlet| stage.made(outlet)).sum::<usize>();
        if made == 2 { Ok(()) } else { Err(made) }
    })
    .await;
    assert!(other.stop().await);
    stage.finish().await;
}

/// A newer build has moved the schema on while this one runs: it claims nothing any more, and what is
/// due waits for a node that knows the schema.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_schema_is_older_claims_nothing() {
    let Some(stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    let [outlet, _] = stage.both().await;
    let database = &stage.setting().database;
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of a newer build', TRUE, '', 0)";
    database.execute(newer).await;
    // The lease is renewed three times in five seconds, and looked at before.
    stage.advance(Duration::from_secs(2));
    pass(Duration::from_secs(1)).await;
    let id = stage.deliver(&outlet, &Wanted::text("of an older build")).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(state(&stage, &id).await, "scheduled");
    assert_eq!(stage.creates(&outlet).len(), 0);
    database.execute("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    stage.published(&id).await;
    stage.finish().await;
}

/// A look for a doubtful attempt takes long, and meanwhile another node has taken the job over: what
/// this node has seen is nobody's business any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_over_is_not_decided_by_who_had_it() {
    let options = [("CHANCERY_PUBLISH__QUIET_WAIT", "100ms")];
    let Some(stage) = Stage::start(Kind::Postgres, &options).await else { return };
    let database = &stage.setting().database;
    let neighbour = "INSERT INTO nodes (id, fence, started_at, seen_at, version, beats, lease_ms)
         SELECT 'other', MAX(fence) + 1000, now(), now(), '', 1, 3600000 FROM nodes";
    database.execute(neighbour).await;
    let outlet = stage.outlet(Platform::X).await;
    let lag = Duration::from_secs(4);
    stage.world().set_read_lag(outlet.platform, &outlet.remote_id, Some(lag));
    stage.spoil(&outlet, FaultKind::DropAfter);
    let slow = on(&outlet, Operation::Read, FaultKind::HangAfter { ms: 500 });
    stage.world().faults().push(slow.always());
    let id = stage.deliver(&outlet, &Wanted::text("taken over")).await;
    stage.until(&id, DeliveryState::Unknown).await;
    // In the second look or a later one, which begin after the quiet wait.
    let sql = format!(
        "UPDATE jobs SET fence = fence + 1000
         WHERE kind = 'reconcile' AND state = 'running' AND tries > 1
           AND payload->>'delivery_id' = '{id}'"
    );
    eventually("it is taken over", async || {
        database.execute(&sql).await;
        let taken = "SELECT id FROM jobs WHERE kind = 'reconcile' AND fence > 1000";
        if database.rows(taken).await.len() == 1 { Ok(()) } else { Err("not being looked for") }
    })
    .await;
    pass(Duration::from_secs(3)).await;
    assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Unknown);
    assert_eq!(stage.creates(&outlet).len(), 1);
    // The other node gives up its lease, and the look is made anew.
    stage.world().faults().clear();
    stage.world().set_read_lag(outlet.platform, &outlet.remote_id, None);
    database.execute("UPDATE nodes SET lease_ms = 0 WHERE id = 'other'").await;
    stage.published(&id).await;
    assert_eq!(stage.creates(&outlet).len(), 1);
    stage.finish().await;
}

/// How many jobs of a kind each node has, largest first.
async fn held(stage: &Stage) -> Vec<usize> {
    let sql = "SELECT CAST(COUNT(*) AS TEXT) FROM jobs WHERE state = 'running' AND kind = 'publish'
               GROUP BY fence ORDER BY COUNT(*) DESC";
    let rows = stage.setting().database.rows(sql).await;
    rows.iter().map(|row| row[0].parse().unwrap()).collect()
}

/// A node has no more than twice what it can send at once: a house has few accounts, and what one node
/// has claimed beyond that would wait for it while another one idles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_leaves_to_others_what_it_cannot_send_soon() {
    let options = [
        ("CHANCERY_PUBLISH__WORKERS", "2"),
        ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "20s"),
        ("CHANCERY_PUBLISH__LEASE", "60s"),
    ];
    let Some(stage) = Stage::start(Kind::Postgres, &options).await else { return };
    for number in 0..8 {
        let outlet = stage.outlet(Platform::X).await;
        let hangs = on(&outlet, Operation::Create, FaultKind::HangAfter { ms: 12_000 });
        stage.world().faults().push(hangs);
        stage.deliver(&outlet, &Wanted::text(&format!("waits its turn {number}"))).await;
    }
    eventually("two are being sent", async || match stage.world().counts().received {
        2 => Ok(()),
        other => Err(other),
    })
    .await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(held(&stage).await, [4], "it has more than it can send soon");
    let other = stage.another(&options).await;
    eventually("the other node has the rest", async || match held(&stage).await.as_slice() {
        [4, 4] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    stage.world().faults().clear();
    assert!(other.stop().await);
    stage.finish().await;
}

/// Two nodes that claim with care, since they began beside one that may have died: neither counts what the
/// other does as a loss, so that nothing is set aside which has done no harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_are_careful_do_not_blame_each_other() {
    let Some(mut stage) = Stage::start(Kind::Postgres, &[]).await else { return };
    stage.world().change_settings(|settings| settings.rate_limits = false);
    let mut outlets = Vec::new();
    for _ in 0..12 {
        outlets.push(stage.outlet(Platform::X).await);
    }
    let others = [stage.another(&[]).await, stage.another(&[]).await];
    let due = after(stage.now(), Duration::from_secs(40));
    for number in 0..5 {
        for outlet in &outlets {
            stage.deliver(outlet, &Wanted::text(&format!("with care {number}")).at(due)).await;
        }
    }
    stage.stop().await;
    assert!(stage.now() < due, "too slow: the first node has sent some");
    stage.advance(until(stage.now(), due));
    eventually("all are out", async || {
        let made = outlets.iter().map(|outlet| stage.made(outlet)).sum::<usize>();
        if made == 60 { Ok(()) } else { Err(made) }
    })
    .await;
    for other in others {
        assert!(other.stop().await);
    }
    let sql = "SELECT kind, CAST(losses AS TEXT), COALESCE(note, '') FROM jobs WHERE losses > 0";
    let blamed = stage.setting().database.rows(sql).await;
    assert!(blamed.is_empty(), "{blamed:?}");
    stage.finish().await;
}
