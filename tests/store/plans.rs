//! How SQLite finds the rows of each statement: none may walk through what grows for years.
//!
//! Only the shape of a plan is judged, never a time. PostgreSQL plans by statistics, so what it
//! would do on an empty database says nothing: it is asked about a few, on one that is not empty.

use chancery::store::{self, deliveries};
use sqlx::{AssertSqlSafe, Row as _};

use crate::database::{Fresh, Raw};
use crate::planned::{delivery, seed};

/// Tables that grow with every post, under the names that statements give them.
const GROWING: [&str; 21] = [
    "foreign_posts",
    "f",
    "deliveries",
    "d",
    "o",
    "jobs",
    "j",
    "attempts",
    "audit",
    "posts",
    "p",
    "variants",
    "media",
    "outbox",
    "m",
    "notifications",
    "n",
    "mail_items",
    "i",
    "s",
    "webhook_tries",
];

/// Statements that may read all rows of an index, and why that is little.
const ALLOWED: [(&str, &str); 22] = [
    ("search::BEHIND", "the index has only what has changed"),
    ("search::UNSEARCHED", "the index has only what has changed"),
    ("leavers::UNVOUCHED", "one row at a time, the first of each scheduler and account"),
    ("calendar::DELIVERIES", "the beginning of a statement; a span of time and a page follow"),
    ("foreign_posts::LIST", "the beginning of a statement; a filter and a page follow"),
    ("foreign_posts::COUNTS", "the index has only what nobody has explained"),
    ("after::MISSED", "the index has only what is running"),
    ("reminders::WAITING", "the index has only what waits"),
    ("reminders::CROWDED", "the index has only what waits"),
    ("reminders::QUARANTINED", "the index has only what waits"),
    ("backup::ROWS", "looks over a whole copy that nobody else uses"),
    ("backup::FILES", "looks over a whole copy that nobody else uses"),
    ("mail_items::WAITING", "the index has only what waits"),
    ("jobs::COUNTS", "counts what is queued, once a minute, on the index alone"),
    ("jobs::HOLDERS", "the index has only what is running"),
    ("jobs::HELD_BY_SILENT", "the index has only what is running"),
    ("jobs::ORPHANED", "the index has only what is running"),
    ("deliveries::LIST", "the beginning of a statement; a filter and a page follow"),
    ("approvals::ASKED", "the indexes have only what waits"),
    ("posts::LIST", "the beginning of a statement; a filter and a page follow"),
    ("media::NEWEST", "one row, at the end of its key"),
    ("media::LIST", "a page, in the order of its key"),
];

/// Statements that may look by state alone, and why that is little.
const BY_STATE: [(&str, &str); 18] = [
    ("reminders::TRIED", "an account publishes one delivery at a time"),
    ("leavers::GUARDED", "an account publishes one delivery at a time"),
    ("foreign::UNSETTLED", "few deliveries stay in these states"),
    ("after::VANISHED", "few posts vanish, and it is asked when one more seems to"),
    ("self_audit::RECENT", "of a span of time, a page of it"),
    ("self_audit::ONE_PUBLISHING", "an account publishes one delivery at a time"),
    ("outcomes::STUCK", "few deliveries stay in these states"),
    ("reminders::COVERED", "what is due within days, once for each hold"),
    ("zones::CIVIL", "what is still to go out, a page at a time, once an hour"),
    ("holds::COVERED", "an account publishes one delivery at a time"),
    ("holds::COVERED_AT", "an account publishes one delivery at a time"),
    ("read_backs::BEGIN", "what is still to go out, once in a restore"),
    ("read_backs::PREPARE", "few deliveries stay in these states"),
    ("read_backs::COUNTS", "what is still to go out, while nothing is sent"),
    ("quarantine::SENT_PERHAPS", "of a span of time, once in a restore"),
    ("outcomes::OLDEST_DUE", "stops at the first"),
    ("outcomes::STANDING_COUNTS", "counts states that few deliveries stay in"),
    ("posts::UPDATE", "an account publishes one delivery at a time"),
];

fn is_among(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(allowed, _)| name == format!("chancery::store::{allowed}"))
}

#[tokio::test]
async fn no_statement_walks_through_what_grows() {
    let fresh = Fresh::sqlite().await;
    let Raw::Sqlite(mut raw) = fresh.raw().await else { panic!("asked for SQLite") };
    let mut faults = Vec::new();
    let mut seen = 0;
    for (name, sql) in store::statements() {
        if sql.sqlite.starts_with("PRAGMA") {
            continue;
        }
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.sqlite));
        let steps = sqlx::query(explain).fetch_all(&mut raw).await.unwrap();
        for step in steps {
            let detail: String = step.get("detail");
            let mut words = detail.split_whitespace();
            let (verb, table) = (words.next().unwrap(), words.next().unwrap_or_default());
            if !GROWING.contains(&table) {
                continue;
            }
            seen += 1;
            let walks = verb == "SCAN" && !is_among(&ALLOWED, name);
            let by_state =
                detail.contains("deliveries_state_due_idx (state=?") && !is_among(&BY_STATE, name);
            if walks || by_state {
                faults.push(format!("{name}: {detail}"));
            }
        }
    }
    fresh.remove().await;
    assert!(seen > 40, "only {seen} steps were looked at");
    assert!(faults.is_empty(), "these read too much:\n{}", faults.join("\n"));
}

#[test]
fn what_is_allowed_is_there() {
    for (name, _) in ALLOWED.iter().chain(&BY_STATE) {
        let full = format!("chancery::store::{name}");
        assert!(
            store::statements().iter().any(|(known, _)| *known == full),
            "{name} is allowed but no statement"
        );
    }
}

/// It looks several times a second for as long as the service lives.
#[tokio::test]
async fn what_a_node_was_asked_for_is_found_among_what_is_under_way() {
    let fresh = Fresh::sqlite().await;
    let Raw::Sqlite(mut raw) = fresh.raw().await else { panic!("asked for SQLite") };
    let statements = store::statements();
    let asked = statements.iter().find(|(name, _)| *name == "chancery::store::recalls::ASKED");
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", asked.unwrap().1.sqlite));
    let steps = sqlx::query(explain).fetch_all(&mut raw).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
    assert!(steps[0].contains("INDEX attempts_recall_idx (node=?)"), "{steps:?}");
    let sql = "SELECT sql FROM sqlite_schema WHERE name = 'attempts_recall_idx'";
    let index: String = sqlx::query_scalar(sql).fetch_one(&mut raw).await.unwrap();
    assert!(index.ends_with("recall = 'asked' AND outcome = 'open'"), "{index}");
    fresh.remove().await;
}

/// Statements that ask who vouches for deliveries, of which there may be a million.
const VOUCHING: [&str; 11] = [
    "publishing::GUARD",
    "standing::STANDING",
    "leavers::UNVOUCHED",
    "leavers::OF",
    "leavers::GUARDED",
    "waiting::VOUCHED",
    "review::RELEASE",
    "deliveries::MOVE",
    "deliveries::RETRY",
    "parts::MOVE",
    "parts::TAKE_OVER",
];

/// The plan of a statement on PostgreSQL, whatever its parameters are.
async fn planned(raw: &mut Raw, sql: &str) -> String {
    let most = (1..20).rev().find(|number| sql.contains(&format!("${number}"))).unwrap_or(0);
    let unknown = vec!["NULL"; most].join(", ");
    raw.execute(&format!("PREPARE asked AS {sql}")).await.unwrap();
    let arguments = if most == 0 { String::new() } else { format!("({unknown})") };
    let steps = raw.rows(&format!("EXPLAIN EXECUTE asked{arguments}")).await;
    raw.execute("DEALLOCATE asked").await.unwrap();
    steps.concat().join("\n")
}

#[tokio::test]
async fn postgresql_does_not_walk_through_deliveries_to_ask_who_vouches_for_them() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let world = seed(&fresh.store).await;
    let first = delivery(1, &world.posts[0], &world.accounts[0], "2026-09-02T02:00:00Z");
    let mut tx = fresh.store.begin().await.unwrap();
    deliveries::insert(&mut tx, &[&first]).await.unwrap();
    tx.commit().await.unwrap();
    let mut raw = fresh.raw().await;
    let many =
        "INSERT INTO deliveries SELECT more.* FROM deliveries AS d, generate_series(1, 20000) AS n,
                    jsonb_populate_record(d, jsonb_build_object('id', 'dlv_' || n, 'state',
                        CASE WHEN n % 2 = 0 THEN 'scheduled' ELSE 'published' END, 'text_hash', n,
                        'created_by', lpad(CAST(n % 1000 AS TEXT), 36, '0'))) AS more";
    raw.execute(many).await.unwrap();
    raw.execute("ANALYZE").await.unwrap();
    raw.execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    let walks = "Seq Scan on deliveries";
    let through = planned(&mut raw, "SELECT id FROM deliveries WHERE language = $1").await;
    assert!(through.contains(walks), "the plan would not show it: {through}");
    for name in VOUCHING {
        let full = format!("chancery::store::{name}");
        let statements = store::statements();
        let (_, sql) = statements.iter().find(|(known, _)| *known == full).unwrap();
        let plan = planned(&mut raw, sql.postgres).await;
        assert!(!plan.contains(walks), "{name}:\n{plan}");
    }
    fresh.remove().await;
}
