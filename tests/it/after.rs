//! After publishing: what the platform removes is noticed and never sent again, and nothing else counts
//! as removed.

use std::time::Duration;

use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::simulator::{Kind, Operation, Platform, Unreadable};

use crate::stage::{Kind as Database, Outlet, Stage, Wanted, eventually, on, pass, staged};

const OPTIONS: &[(&str, &str)] =
    &[("CHANCERY_VERIFY__SPANS", "5m, 24h"), ("CHANCERY_VERIFY__PAUSE", "30m")];

const FIRST: Duration = Duration::from_mins(6);
const PAUSE: Duration = Duration::from_mins(31);

/// The jobs that look for a delivery, as state and note, the second look last.
async fn looks(stage: &Stage, id: &DeliveryId) -> Vec<Vec<String>> {
    let sql = format!(
        "SELECT unique_key, state, COALESCE(note, ''), CAST(tries AS TEXT) FROM jobs
         WHERE kind = 'verify' AND unique_key LIKE 'verify:{id}%' ORDER BY created_at, unique_key"
    );
    stage.setting().database.rows(&sql).await
}

/// Waits until so many looks for it are over.
async fn looked(stage: &Stage, id: &DeliveryId, count: usize) {
    eventually(&format!("{count} looks for {id} are over"), async || {
        let seen = looks(stage, id).await;
        let done = seen.iter().filter(|look| look[1] == "done").count();
        if done == count { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

/// Waits until a look for it could not see, at least so often.
async fn unseen(stage: &Stage, id: &DeliveryId, tries: u32) {
    eventually(&format!("{id} was not seen {tries} times"), async || {
        let seen = looks(stage, id).await;
        let enough =
            |look: &Vec<String>| look[1] == "queued" && look[3].parse::<u32>().unwrap() >= tries;
        if seen.iter().any(enough) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

/// Published beside another post, and removed at the platform a minute later.
async fn removed(stage: &Stage, outlet: &Outlet, what: &str) -> DeliveryId {
    stage.world().insert_foreign(outlet.platform, &outlet.remote_id, "stays").expect("a post");
    stage.spoil(outlet, Kind::Vanish { ms: 60_000 });
    let id = stage.deliver(outlet, &Wanted::text(what)).await;
    stage.published(&id).await;
    id
}

async fn told(stage: &Stage, event: &str) -> usize {
    let sql = format!("SELECT id FROM outbox WHERE event = '{event}'");
    stage.setting().database.rows(&sql).await.len()
}

async fn entries(stage: &Stage, id: &DeliveryId, action: &str) -> usize {
    let sql = format!(
        "SELECT CAST(seq AS TEXT) FROM audit WHERE subject = '{id}' AND action = '{action}'"
    );
    stage.setting().database.rows(&sql).await.len()
}

fn is_published(stage: &Stage, shown: &chancery::service::deliveries::DeliveryDetail) {
    assert_eq!(shown.delivery.state, DeliveryState::Published, "{shown:#?} at {}", stage.now());
}

staged! {
    with OPTIONS;

    /// Two looks with a pause between; the service is started anew between them.
    async fn what_the_platform_removes_is_vanished_after_the_second_look(stage) {
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            ids.push(removed(stage, outlet, "taken away").await);
        }
        stage.advance(FIRST);
        for id in &ids {
            eventually("it was missed once", async || {
                let seen = looks(stage, id).await;
                let again = seen.iter().any(|look| look[0].ends_with(":again"));
                if again { Ok(()) } else { Err(format!("{seen:?}")) }
            })
            .await;
            is_published(stage, &stage.show(id).await);
        }
        stage.stop().await;
        stage.resume().await;
        stage.advance(Duration::from_mins(20));
        pass(Duration::from_millis(500)).await;
        for id in &ids {
            is_published(stage, &stage.show(id).await);
        }
        stage.advance(PAUSE);
        for (id, outlet) in ids.iter().zip(&outlets) {
            let gone = stage.until(id, DeliveryState::Vanished).await.delivery;
            assert_eq!(gone.problem.unwrap().code, "vanished");
            assert!(gone.receipt.is_some() && gone.acts.is_empty(), "{:?}", gone.acts);
            assert_eq!(entries(stage, id, "delivery.vanished").await, 1);
            assert_eq!(stage.creates(outlet).len(), 1);
        }
        eventually("people are told", async || {
            let count = told(stage, "delivery.vanished").await;
            if count == 2 { Ok(()) } else { Err(count) }
        })
        .await;
        // A day later nothing looks for it any more, and nothing is sent.
        stage.advance(Duration::from_hours(25));
        pass(Duration::from_millis(500)).await;
        assert_eq!(stage.world().counts().received, 2);
    }

    /// The platform says that it does not exist, and shows nothing of the account at all: that is no
    /// proof, and would be one if the list had to be readable only.
    async fn an_account_that_shows_nothing_proves_nothing(stage) {
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            stage.spoil(outlet, Kind::Vanish { ms: 60_000 });
            let id = stage.deliver(outlet, &Wanted::text("the only one")).await;
            stage.published(&id).await;
            ids.push(id);
        }
        stage.advance(FIRST);
        for tries in 1..=2 {
            for id in &ids {
                unseen(stage, id, tries).await;
                is_published(stage, &stage.show(id).await);
            }
            stage.advance(PAUSE);
        }
        // Now it shows something.
        for outlet in &outlets {
            stage.world().insert_foreign(outlet.platform, &outlet.remote_id, "new").expect("a post");
        }
        stage.advance(Duration::from_hours(2));
        for id in &ids {
            looked(stage, id, 1).await;
        }
        stage.advance(PAUSE);
        for id in &ids {
            stage.until(id, DeliveryState::Vanished).await;
        }
    }

    /// What is there is read once for each span, and stays as it is.
    async fn what_is_there_is_read_once_for_each_span(stage) {
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            let id = stage.deliver(outlet, &Wanted::text("stays")).await;
            stage.published(&id).await;
            ids.push(id);
        }
        for (round, span) in [(1, FIRST), (2, Duration::from_hours(24))] {
            stage.advance(span);
            for (id, outlet) in ids.iter().zip(&outlets) {
                looked(stage, id, round).await;
                is_published(stage, &stage.show(id).await);
                assert_eq!(stage.world().reads()[&outlet.remote_id], round as u64);
            }
        }
    }

    /// However long the account cannot be read, nothing is concluded.
    async fn a_read_that_fails_is_no_absence(stage) {
        let kinds = [
            Kind::ServerError { execute: false }, Kind::Html { execute: false }, Kind::Empty,
            Kind::DropBefore,
        ];
        let mut all = Vec::new();
        for (number, kind) in kinds.into_iter().enumerate() {
            for outlet in stage.both().await {
                let id = removed(stage, &outlet, "unreadable").await;
                // The post itself cannot be read, or who the token belongs to: the control.
                let operation = if number < 2 { Operation::Read } else { Operation::Identity };
                stage.world().faults().push(on(&outlet, operation, kind.clone()).always());
                all.push(id);
            }
        }
        stage.advance(FIRST);
        for id in &all {
            unseen(stage, id, 1).await;
        }
        for tries in 2..=3 {
            stage.advance(Duration::from_hours(2));
            for id in &all {
                unseen(stage, id, tries).await;
                is_published(stage, &stage.show(id).await);
            }
        }
        stage.world().faults().clear();
        stage.advance(Duration::from_hours(2));
        for id in &all {
            looked(stage, id, 1).await;
        }
        stage.advance(PAUSE);
        for id in &all {
            stage.until(id, DeliveryState::Vanished).await;
        }
    }

    /// By its id it is not there for an hour, but a list shows it all the time.
    async fn a_post_that_cannot_be_read_by_its_id_for_a_while_is_not_gone(stage) {
        let mut ids = Vec::new();
        for outlet in stage.both().await {
            stage.spoil(&outlet, Kind::Unreadable { ms: 3_600_000, how: Unreadable::Missing });
            let id = stage.deliver(&outlet, &Wanted::text("hidden")).await;
            stage.published(&id).await;
            ids.push(id);
        }
        stage.advance(FIRST);
        for id in &ids {
            unseen(stage, id, 1).await;
        }
        stage.advance(PAUSE);
        for id in &ids {
            unseen(stage, id, 2).await;
            is_published(stage, &stage.show(id).await);
        }
        stage.advance(Duration::from_hours(3));
        for id in &ids {
            looked(stage, id, 1).await;
            is_published(stage, &stage.show(id).await);
        }
    }
}

staged! {
    with &[("CHANCERY_VERIFY__SPANS", "24h")];

    /// What the span before was still to look for is looked for by the one in its place.
    async fn another_span_loses_no_look(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let id = stage.deliver(&outlet, &Wanted::text("out before the change")).await;
        stage.published(&id).await;
        pass(Duration::from_millis(400)).await;
        stage.stop().await;
        stage.set_option("CHANCERY_VERIFY__SPANS", "12h");
        stage.advance(Duration::from_hours(2));
        stage.resume().await;
        stage.advance(Duration::from_hours(11));
        looked(stage, &id, 1).await;
        let sql = "SELECT CAST(span_ms AS TEXT) FROM look_cursors";
        eventually("the old one is forgotten", async || {
            let spans = stage.setting().database.rows(sql).await;
            if spans == [["43200000"]] { Ok(()) } else { Err(format!("{spans:?}")) }
        })
        .await;
    }
}

/// Two nodes that are configured differently look each after its own span.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_other_spans_do_not_get_in_each_others_way() {
    let Some(stage) = Stage::start(Database::Postgres, &[("CHANCERY_VERIFY__SPANS", "5m")]).await
    else {
        return;
    };
    let other = stage.another(&[("CHANCERY_VERIFY__SPANS", "3h")]).await;
    let cursors = "SELECT CAST(span_ms AS TEXT) FROM look_cursors ORDER BY look_cursors.span_ms";
    eventually("both are there", async || {
        let spans = stage.setting().database.rows(cursors).await;
        if spans == [["300000"], ["10800000"]] { Ok(()) } else { Err(format!("{spans:?}")) }
    })
    .await;
    let outlet = stage.outlet(Platform::X).await;
    let id = stage.deliver(&outlet, &Wanted::text("looked for twice")).await;
    stage.published(&id).await;
    stage.advance(FIRST);
    looked(&stage, &id, 1).await;
    // Not at once: whoever comes first would find that the other has not said for hours what it wants.
    for _ in 0..12 {
        stage.advance(Duration::from_mins(15));
        pass(Duration::from_millis(500)).await;
    }
    looked(&stage, &id, 2).await;
    assert!(other.stop().await);
    stage.finish().await;
}

/// Two nodes follow one audit: each delivery is looked for once by both together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_look_once() {
    let Some(stage) = Stage::start(Database::Postgres, OPTIONS).await else { return };
    let other = stage.another(&[]).await;
    let outlets = stage.both().await;
    let mut ids = Vec::new();
    for outlet in &outlets {
        for number in 0..4 {
            let id = stage.deliver(outlet, &Wanted::text(&format!("number {number}"))).await;
            ids.push((id, outlet));
        }
    }
    for (id, _) in &ids {
        stage.published(id).await;
    }
    stage.advance(FIRST);
    for (id, _) in &ids {
        looked(&stage, id, 1).await;
    }
    for outlet in &outlets {
        assert_eq!(stage.world().reads()[&outlet.remote_id], 4);
    }
    assert!(other.stop().await);
    stage.finish().await;
}

staged! {
    with &[
        ("CHANCERY_VERIFY__SPANS", "5m"), ("CHANCERY_X__LOOKS_PER_ACCOUNT", "4/2h"),
    ];

    /// Two of four reads are for posts in doubt.
    async fn looks_leave_half_of_the_reads_to_posts_in_doubt(stage) {
        let outlet = stage.outlet(Platform::X).await;
        for number in 0..5 {
            let id = stage.deliver(&outlet, &Wanted::text(&format!("number {number}"))).await;
            stage.published(&id).await;
        }
        stage.advance(FIRST);
        let rows = async || {
            let sql = "SELECT COALESCE(note, '') FROM jobs WHERE kind = 'verify' AND tries > 0";
            stage.setting().database.rows(sql).await
        };
        eventually("all were thought of", async || {
            let rows = rows().await;
            let put_off = rows.iter().filter(|row| row[0] == "no reads left").count();
            if put_off == 3 { Ok(()) } else { Err(format!("{rows:?}")) }
        })
        .await;
        assert_eq!(stage.world().reads()[&outlet.remote_id], 2);
        // A doubt has room at once.
        stage.spoil(&outlet, Kind::DropAfter);
        let id = stage.deliver(&outlet, &Wanted::text("in doubt")).await;
        stage.published(&id).await;
        assert_eq!(stage.creates(&outlet).len(), 6);
        assert_eq!(stage.made(&outlet), 6);
    }
}

staged! {
    with &[
        ("CHANCERY_VERIFY__SPANS", "5m"), ("CHANCERY_X__MONTHLY_BUDGET", "0.050"),
        ("CHANCERY_X__LOOKS_PER_ACCOUNT", "60/2h"),
    ];

    /// Fifty thousandths, of which five are kept: three posts, and no look would leave them.
    async fn looks_are_paid_for_and_take_nothing_that_is_kept(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let spent = async || {
            let sql = "SELECT CAST(cost AS TEXT) FROM spending WHERE scope = 'money:x'";
            stage.setting().database.rows(sql).await[0][0].clone()
        };
        for (number, sum) in [(1, "20000"), (2, "40000")] {
            let id = stage.deliver(&outlet, &Wanted::text(&format!("number {number}"))).await;
            stage.published(&id).await;
            stage.advance(FIRST);
            looked(stage, &id, 1).await;
            assert_eq!(spent().await, sum);
        }
        let urgent = Wanted::text("cannot wait").class("urgent");
        let id = stage.deliver(&outlet, &urgent).await;
        stage.published(&id).await;
        stage.advance(FIRST);
        eventually("it waits for money", async || {
            let seen = looks(stage, &id).await;
            let waits = seen.iter().any(|look| look[2] == "no money is left for looks");
            if waits { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
        assert_eq!((spent().await.as_str(), stage.world().reads()[&outlet.remote_id]), ("55000", 2));
        // What was not read takes no read from posts in doubt.
        let sql = "SELECT CAST(SUM(creates) AS TEXT) FROM spending WHERE scope LIKE 'looks:x/%'";
        assert_eq!(stage.setting().database.rows(sql).await[0][0], "2");
    }
}

staged! {
    with &[
        ("CHANCERY_VERIFY__SPANS", "5m"), ("CHANCERY_VERIFY__PAUSE", "30m"),
        ("CHANCERY_VERIFY__MOST_PER_HOUR", "2"),
    ];

    /// Three at once would be gone where two may be: the platform hides them for six hours, by their ids
    /// and from its lists, while older posts are shown. People are told once, and once when it is over.
    async fn many_that_are_missed_at_once_are_not_gone(stage) {
        let mut ids = Vec::new();
        for number in 0..3 {
            let outlet = stage.outlet(Platform::X).await;
            stage.world().insert_foreign(Platform::X, &outlet.remote_id, "older").expect("a post");
            stage.world().set_read_lag(Platform::X, &outlet.remote_id, Some(HIDDEN));
            let how = Unreadable::Missing;
            let ms = u64::try_from(HIDDEN.as_millis()).unwrap();
            stage.spoil(&outlet, Kind::Unreadable { ms, how });
            let id = stage.deliver(&outlet, &Wanted::text(&format!("hidden {number}"))).await;
            stage.published(&id).await;
            ids.push(id);
        }
        stage.advance(FIRST);
        eventually("all were missed once", async || {
            let again = stage.setting().database.rows(AGAIN).await.len();
            if again == 3 { Ok(()) } else { Err(again) }
        })
        .await;
        stage.advance(PAUSE);
        for hours in [1, 2, 2] {
            eventually("nothing is concluded", async || {
                let seen = stage.setting().database.rows(SUSPENDED).await.len();
                if seen == 3 { Ok(()) } else { Err(seen) }
            })
            .await;
            for id in &ids {
                is_published(stage, &stage.show(id).await);
            }
            eventually("people are told once", async || {
                let count = told(stage, "posts.missing").await;
                if count == 1 { Ok(()) } else { Err(count) }
            })
            .await;
            stage.stop().await;
            stage.resume().await;
            stage.advance(Duration::from_hours(hours));
        }
        stage.advance(Duration::from_hours(2));
        for id in &ids {
            over(stage, id).await;
            is_published(stage, &stage.show(id).await);
        }
        eventually("people are told that it is over", async || {
            let count = told(stage, "posts.found").await;
            if count == 1 { Ok(()) } else { Err(count) }
        })
        .await;
        assert_eq!((told(stage, "posts.missing").await, told(stage, "delivery.vanished").await), (1, 0));
    }
}

/// Waits until both looks for it are over. Nobody vouches for the clock at first, and who asked then
/// asks again a minute later: time goes on in minutes, and never while a look is under way, whose
/// request would run out.
async fn over(stage: &Stage, id: &DeliveryId) {
    eventually("both looks are over", async || {
        let seen = looks(stage, id).await;
        if seen.iter().filter(|look| look[1] == "done").count() == 2 {
            return Ok(());
        }
        if seen.iter().all(|look| look[1] != "running") {
            stage.advance(Duration::from_mins(1));
            // The lease has lapsed by that. A lane that has seen this rests for half a second, and must not be
            // woken before the lease is renewed: so it would rest for ever.
            pass(Duration::from_millis(1_500)).await;
        }
        Err(format!("{seen:?}"))
    })
    .await;
}

const HIDDEN: Duration = Duration::from_hours(6);
const AGAIN: &str =
    "SELECT id FROM jobs WHERE kind = 'verify' AND state = 'queued' AND unique_key LIKE '%:again'";
const SUSPENDED: &str = "SELECT id FROM jobs WHERE kind = 'verify' AND state = 'queued'
     AND note = 'too many posts of the platform are missed at once'";
