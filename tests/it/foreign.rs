//! Posts that did not come from here: what nobody knows is listed and told of once, and nothing of ours
//! is ever taken for one.

use std::time::Duration;

use chancery::clock::{after, before};
use chancery::domain::delivery::DeliveryState;
use chancery::domain::foreign::ForeignStatus;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, Adoption};
use chancery::service::foreign_posts::{self, Explanation, Filter, ForeignPostView};
use chancery::service::{Error, Window};
use chancery::simulator::{Kind, Operation, Platform};
use serde_json::Value;

use crate::stage::{Outlet, Stage, Wanted, eventually, on, pass, staged};

const OPTIONS: &[(&str, &str)] = &[
    ("CHANCERY_FOREIGN__FACEBOOK_EVERY", "10m"),
    ("CHANCERY_FOREIGN__X_EVERY", "10m"),
    // None of its looks comes in these tests but by a reading.
    ("CHANCERY_VERIFY__SPANS", "20h"),
    ("CHANCERY_VERIFY__PAUSE", "30m"),
];

const EVERY: Duration = Duration::from_mins(11);

/// How far each account was read, by account.
async fn marks(stage: &Stage) -> Vec<Vec<String>> {
    let sql = "SELECT account_id, CAST(mark AS TEXT) FROM foreign_reads ORDER BY account_id";
    stage.setting().database.rows(sql).await
}

/// Waits until every account is looked after, which is planned each half minute.
async fn looked_after(stage: &Stage, count: usize) {
    stage.advance(Duration::from_secs(31));
    eventually("every account is looked after", async || {
        let seen = marks(stage).await;
        if seen.len() == count { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

/// Lets one interval pass, and every account be read once more.
async fn all_read(stage: &Stage) {
    let was = marks(stage).await;
    stage.advance(EVERY);
    eventually("every account is read once more", async || {
        let is = marks(stage).await;
        let moved = was.len() == is.len() && was.iter().zip(&is).all(|(was, is)| was[1] != is[1]);
        if moved { Ok(()) } else { Err(format!("{is:?}")) }
    })
    .await;
}

async fn listed(stage: &Stage, filter: Filter) -> Vec<ForeignPostView> {
    let window = Window { limit: 50, after: None };
    foreign_posts::list(stage.acts(), stage.caller(), filter, &window).await.unwrap().items
}

/// Those on one account, by id at the platform.
async fn on_account(stage: &Stage, outlet: &Outlet) -> Vec<String> {
    let filter = Filter { account_id: Some(outlet.id.clone()), ..Filter::default() };
    let mut ids: Vec<String> =
        listed(stage, filter).await.into_iter().map(|post| post.remote_id).collect();
    ids.sort_unstable();
    ids
}

/// What people were told, by account and how many posts it was about.
async fn told(stage: &Stage) -> Vec<(String, Value)> {
    let sql = "SELECT CAST(data AS TEXT) FROM outbox WHERE event = 'posts.foreign' ORDER BY id";
    let rows = stage.setting().database.rows(sql).await;
    let read = |row: &Vec<String>| -> (String, Value) {
        let data: Value = serde_json::from_str(&row[0]).unwrap();
        (data["account_id"].as_str().unwrap().to_owned(), data)
    };
    rows.iter().map(read).collect()
}

async fn told_times(stage: &Stage, count: usize) -> Vec<(String, Value)> {
    eventually("people are told", async || {
        let seen = told(stage).await;
        if seen.len() == count { Ok(seen) } else { Err(format!("{seen:?}")) }
    })
    .await
}

fn appears(stage: &Stage, outlet: &Outlet, text: &str) -> String {
    stage.world().insert_foreign(outlet.platform, &outlet.remote_id, text).unwrap()
}

async fn waits(stage: &Stage, note: &str) {
    let sql = "SELECT COALESCE(note, '') FROM jobs WHERE kind = 'foreign' AND tries > 0";
    eventually(note, async || {
        let seen = stage.setting().database.rows(sql).await;
        if seen.iter().any(|row| row[0].contains(note)) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

/// Out at the platform with its text rewritten there, so that a person is asked; gives the platform's id.
async fn asked_about(stage: &Stage, outlet: &Outlet) -> (DeliveryId, String) {
    let blind = Kind::ServerError { execute: false };
    stage.world().faults().push(on(outlet, Operation::Read, blind).always());
    stage.spoil(outlet, Kind::ServerError { execute: true });
    let wanted = Wanted::text("sent - and 'rewritten' there");
    let id = stage.deliver(outlet, &wanted).await;
    stage.until(&id, DeliveryState::Unknown).await;
    let made = stage.posts(outlet).last().unwrap().id.clone();
    let text = wanted.text.replace(" - ", " — ").replace('\'', "’");
    assert!(stage.world().rewrite(outlet.platform, &outlet.remote_id, &made, &text));
    stage.world().faults().clear();
    stage.until(&id, DeliveryState::NeedsHuman).await;
    (id, made)
}

staged! {
    with OPTIONS;

    /// What was there before the account was connected is not told of, nor what came from here; many of one
    /// account are one message, and nothing is told twice.
    async fn what_nobody_here_knows_is_listed_and_told_of_once(stage) {
        let outlets = stage.both().await;
        looked_after(stage, 2).await;
        let mut rows = Vec::new();
        for outlet in &outlets {
            let early = before(stage.now(), Duration::from_mins(90));
            let (platform, remote_id) = (outlet.platform, &outlet.remote_id);
            stage.world().insert_foreign_at(platform, remote_id, "There before", early).unwrap();
            let id = stage.deliver(outlet, &Wanted::text("ours")).await;
            stage.published(&id).await;
            let mut found =
                vec![appears(stage, outlet, "Một bài lạ"), appears(stage, outlet, "Và một bài nữa")];
            found.sort_unstable();
            rows.push((outlet, found));
        }
        all_read(stage).await;
        for (outlet, found) in &rows {
            assert_eq!(&on_account(stage, outlet).await, found);
        }
        let seen = told_times(stage, 2).await;
        for (account, data) in &seen {
            assert_eq!((&data["count"], &data["hold"]["scope"]["account_id"]), (&2.into(), &account.as_str().into()));
            let list = data["list"].as_str().unwrap();
            assert_eq!(list, format!("/api/v1/foreign-posts?account_id={account}&status=new"));
        }
        for _ in 0..3 {
            all_read(stage).await;
        }
        let all = listed(stage, Filter::default()).await;
        assert_eq!((all.len(), told(stage).await.len()), (4, 2));
        let first = &all[0];
        assert!(first.permalink.is_some() && first.status == ForeignStatus::New);
        assert!(["Một bài lạ", "Và một bài nữa"].contains(&first.text.as_str()), "{first:?}");

        let (acts, caller) = (stage.acts(), stage.caller());
        let explanation = Explanation { note: "Phòng báo chí đăng bằng điện thoại".to_owned() };
        let done = foreign_posts::explain(acts, caller, &first.id, &explanation).await.unwrap().value;
        assert_eq!((done.status, done.note.as_ref()), (ForeignStatus::Explained, Some(&explanation.note)));
        let again = foreign_posts::explain(acts, caller, &first.id, &explanation).await.unwrap_err();
        assert!(matches!(again, Error::Conflict(told) if told.code == "already_explained"));
        let new = Filter { status: Some(ForeignStatus::New), ..Filter::default() };
        assert_eq!(listed(stage, new).await.len(), 3);
        let later = Filter { from: Some(after(stage.now(), EVERY)), ..Filter::default() };
        assert!(listed(stage, later).await.is_empty());
    }

    /// While nobody knows which post is ours none of that time is judged. Then ours is none, and the other is.
    async fn what_may_be_ours_is_judged_when_that_is_known(stage) {
        let mut rows = Vec::new();
        for outlet in stage.both().await {
            let (id, made) = asked_about(stage, &outlet).await;
            let other = appears(stage, &outlet, "What somebody else has posted meanwhile");
            rows.push((outlet, id, made, other));
        }
        looked_after(stage, 2).await;
        for _ in 0..2 {
            all_read(stage).await;
        }
        assert!(listed(stage, Filter::default()).await.is_empty());
        assert!(told(stage).await.is_empty());
        for (_, id, made, _) in &rows {
            let adoption: Adoption = serde_json::from_value(serde_json::json!({"remote_id": made})).unwrap();
            deliveries::adopt(stage.acts(), stage.caller(), id, adoption).await.unwrap();
        }
        // Readings that were at work when it was adopted knew of the doubt still.
        for round in 0.. {
            all_read(stage).await;
            let mut listed = 0;
            for (outlet, _, _, other) in &rows {
                let found = on_account(stage, outlet).await;
                assert!(found.iter().all(|it| it == other), "{found:?}");
                listed += found.len();
            }
            if listed == rows.len() {
                break;
            }
            assert!(round < 10, "{listed} of {} are listed", rows.len());
        }
        let seen = told_times(stage, 2).await;
        assert!(seen.iter().all(|(_, data)| data["count"] == 1), "{seen:?}");
    }

    /// Facebook tells instants to the second: by its word such a post is from before the connection.
    async fn what_appears_in_the_second_of_the_connection_is_found(stage) {
        let mut rows = Vec::new();
        for outlet in stage.both().await {
            let entered = stage.account(&outlet).await.created_at;
            let (platform, remote_id) = (outlet.platform, outlet.remote_id.clone());
            let id = stage.world().insert_foreign_at(platform, &remote_id, "At once", entered);
            rows.push((outlet, id.unwrap()));
        }
        looked_after(stage, 2).await;
        all_read(stage).await;
        for (outlet, id) in &rows {
            assert_eq!(&on_account(stage, outlet).await, std::slice::from_ref(id));
        }
    }

    /// Nothing is concluded from a read that fails, and what came meanwhile is found by the next one.
    async fn only_a_whole_reading_counts(stage) {
        let outlets = stage.both().await;
        looked_after(stage, 2).await;
        let was = marks(stage).await;
        let mut found = Vec::new();
        for outlet in &outlets {
            found.push(appears(stage, outlet, "Some post"));
            let blind = Kind::ServerError { execute: false };
            stage.world().faults().push(on(outlet, Operation::Read, blind).always());
        }
        stage.advance(EVERY);
        waits(stage, "50").await;
        pass(Duration::from_millis(500)).await;
        assert_eq!(marks(stage).await, was);
        assert!(listed(stage, Filter::default()).await.is_empty());
        stage.world().faults().clear();
        all_read(stage).await;
        for (outlet, found) in outlets.iter().zip(&found) {
            assert_eq!(on_account(stage, outlet).await, std::slice::from_ref(found));
        }
    }

    /// What a list does not show any more is looked for long before its turn; two looks decide, as ever.
    async fn what_is_not_listed_any_more_is_looked_for(stage) {
        let outlets = stage.both().await;
        looked_after(stage, 2).await;
        stage.advance(Duration::from_mins(2));
        let mut ids = Vec::new();
        for outlet in &outlets {
            appears(stage, outlet, "stays");
            stage.spoil(outlet, Kind::Vanish { ms: 60_000 });
            let id = stage.deliver(outlet, &Wanted::text("taken away")).await;
            stage.published(&id).await;
            ids.push(id);
        }
        for _ in 0..4 {
            all_read(stage).await;
        }
        for id in &ids {
            let sql = format!("SELECT id FROM jobs WHERE unique_key = 'verify:{id}:again'");
            eventually("it was looked for", async || {
                let seen = stage.setting().database.rows(&sql).await;
                if seen.len() == 1 { Ok(()) } else { Err(seen.len()) }
            })
            .await;
            assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Published);
        }
        stage.advance(Duration::from_mins(31));
        for id in &ids {
            stage.until(id, DeliveryState::Vanished).await;
        }
    }
}

/// A month's money is for what goes out: no account is read when nothing is left of it.
mod without_money {
    use super::*;

    staged! {
        with &[
            ("CHANCERY_FOREIGN__X_EVERY", "10m"),
            ("CHANCERY_X__MONTHLY_BUDGET", "0.004"),
        ];

        async fn nothing_is_read(stage) {
            let outlet = stage.outlet(Platform::X).await;
            looked_after(stage, 1).await;
            appears(stage, &outlet, "Some post");
            stage.advance(EVERY);
            waits(stage, "no money is left for looks").await;
            assert_eq!(stage.world().reads()[&outlet.remote_id], 0);
            assert!(listed(stage, Filter::default()).await.is_empty());
        }
    }
}
