//! Accounts of a database that came back are read through: what was moved to an earlier instant and sent
//! after the backup is not sent a second time.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery::app::App;
use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::engine::quarantine::restored;
use chancery::service::deliveries::{self, Adoption, DeliveryDetail};
use chancery::service::quarantine::{self, QuarantineView, Release};
use chancery::service::{Error, accounts};
use chancery::simulator::{Kind, Operation, Platform};
use jiff::Timestamp;
use serde_json::json;

use crate::recovery::{lose, set_status, succeeds};
use crate::stage::{Kind as DatabaseKind, Outlet, Stage, Wanted, eventually, on, pass, staged};

const HOUR: Duration = Duration::from_hours(1);

/// The database that runs counts as one that came back, of a moment ago.
async fn comes_back(stage: &Stage, read_back: bool) {
    let now = stage.now();
    restored(&stage.acts().store, now, "a drill", read_back, now).await.unwrap();
}

async fn view(stage: &Stage) -> QuarantineView {
    quarantine::show(stage.acts(), stage.caller()).await.unwrap()
}

async fn release(stage: &Stage, how: &Release) -> Result<QuarantineView, Error> {
    quarantine::release(stage.acts(), stage.caller(), how).await.map(|done| done.value)
}

/// Until every account was read through; gives what is shown then.
pub(crate) async fn all_read(stage: &Stage) -> QuarantineView {
    eventually("all accounts are read", async || {
        let seen = view(stage).await;
        let all = seen.accounts.left + seen.accounts.unreadable == 0 && seen.unknown == 0;
        if all { Ok(seen) } else { Err(format!("{seen:?}")) }
    })
    .await
}

/// A post that the service did not make; gives its id.
fn appears(stage: &Stage, outlet: &Outlet, text: &str) -> String {
    stage.world().insert_foreign(outlet.platform, &outlet.remote_id, text).unwrap()
}

async fn asked(stage: &Stage, id: &DeliveryId) -> DeliveryDetail {
    let shown = stage.until(id, DeliveryState::NeedsHuman).await;
    let problem = shown.delivery.problem.as_ref().unwrap();
    assert_eq!(problem.code, "perhaps_sent_earlier");
    shown
}

fn in_an_hour(stage: &Stage) -> Timestamp {
    after(stage.now(), HOUR)
}

staged! {
    /// Whether it has the same text or was rewritten; what is due later and not there stays, and what
    /// nobody here knows is listed.
    async fn what_is_out_already_is_put_before_a_person(stage) {
        let later = in_an_hour(stage);
        let mut rows = Vec::new();
        for outlet in stage.both().await {
            let moved = Wanted::text("moved and sent").at(later);
            let rewritten = Wanted::text("moved - and 'rewritten'").at(later);
            let unmoved = Wanted::text("not moved").at(after(later, HOUR));
            let ids = [
                stage.deliver(&outlet, &moved).await,
                stage.deliver(&outlet, &rewritten).await,
                stage.deliver(&outlet, &unmoved).await,
            ];
            let out = appears(stage, &outlet, &moved.text);
            appears(stage, &outlet, &rewritten.text.replace(" - ", " — ").replace('\'', "’"));
            let unknown = appears(stage, &outlet, "What was written after the backup");
            rows.push((outlet, ids, out, unknown));
        }
        comes_back(stage, true).await;
        for (_, [moved, rewritten, unmoved], out, _) in &rows {
            let shown = asked(stage, moved).await;
            assert!(shown.delivery.problem.unwrap().detail.contains(out));
            asked(stage, rewritten).await;
            all_read(stage).await;
            assert_eq!(stage.show(unmoved).await.delivery.state, DeliveryState::Scheduled);
        }
        let seen = view(stage).await;
        let listed: BTreeSet<_> = seen.not_known_here.iter().map(|it| &it.remote_id).collect();
        assert_eq!(listed, rows.iter().map(|(_, _, _, unknown)| unknown).collect());
        assert_eq!(seen.not_known_here_count, 2);
        release(stage, &Release::default()).await.unwrap();

        let (acts, caller) = (stage.acts(), stage.caller());
        for (outlet, [moved, rewritten, unmoved], _, _) in &rows {
            let was = stage.show(moved).await.delivery;
            // A person sees that it is another: it goes out at its instant, not now.
            deliveries::retry(acts, caller, moved).await.unwrap();
            let again = stage.show(moved).await.delivery;
            assert_eq!((again.state, again.due_at), (DeliveryState::Scheduled, later));
            assert_eq!(again.publish_by, was.publish_by);
            deliveries::give_up(acts, caller, rewritten).await.unwrap();
            let early = stage.creates(outlet).len();
            assert_eq!(early, 0, "it was sent in quarantine or before its instant");
            account_is_audited(stage, outlet).await;
            deliveries::cancel(acts, caller, moved).await.unwrap();
            deliveries::cancel(acts, caller, unmoved).await.unwrap();
        }
    }

    /// Whoever was sending may go on until his lease ends, and lists show late what he has sent.
    async fn what_was_sent_last_is_waited_for(stage) {
        let outlets = stage.both().await;
        let mut rows = Vec::new();
        for outlet in &outlets {
            let wanted = Wanted::text("sent by a zombie").at(in_an_hour(stage));
            rows.push((stage.deliver(outlet, &wanted).await, outlet, wanted.text.clone()));
        }
        comes_back(stage, true).await;
        pass(Duration::from_secs(3)).await;
        for (_, outlet, text) in &rows {
            appears(stage, outlet, text);
        }
        for (id, ..) in &rows {
            asked(stage, id).await;
            deliveries::give_up(stage.acts(), stage.caller(), id).await.unwrap();
        }
        all_read(stage).await;
    }

    /// A read that fails is no absence: nothing is released without a person's word for it, which the
    /// audit keeps. And it is read on: what is then found is not sent either.
    async fn an_account_that_cannot_be_read_is_in_the_way(stage) {
        let later = in_an_hour(stage);
        let outlets = stage.both().await;
        let idle = stage.both().await;
        let mut moved = Vec::new();
        for outlet in &outlets {
            let wanted = Wanted::text("moved and sent").at(later);
            moved.push(stage.deliver(outlet, &wanted).await);
            appears(stage, outlet, &wanted.text);
        }
        for outlet in outlets.iter().chain(&idle) {
            let blind = Kind::ServerError { execute: false };
            stage.world().faults().push(on(outlet, Operation::Read, blind).always());
        }
        comes_back(stage, true).await;
        eventually("none can be read", async || {
            let seen = view(stage).await.accounts;
            if seen.unreadable == 4 { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
        let seen = view(stage).await;
        assert_eq!((seen.accounts.read, seen.accounts.in_the_way), (0, 2), "{seen:?}");
        assert!(seen.unread.iter().all(|it| it.tries > 0 && it.problem.is_some()), "{seen:?}");
        let address = format!("http://{}/readyz", stage.address());
        eventually("whoever watches sees it", async || {
            let told = reqwest::get(&address).await.unwrap().text().await.unwrap();
            let there = told.contains("read through: 0, left: 0, could not be read: 4");
            if there { Ok(()) } else { Err(told) }
        })
        .await;
        let refused = release(stage, &Release::default()).await;
        assert!(
            matches!(&refused, Err(Error::Conflict(told)) if told.code == "accounts_not_read"),
            "{refused:?}"
        );
        let forced = Release { force: true, reason: "the minister speaks".to_owned() };
        assert!(!release(stage, &forced).await.unwrap().quarantined);
        let sql = "SELECT CAST(detail AS TEXT) FROM audit WHERE action = 'quarantine.release'";
        let told = stage.setting().database.rows(sql).await.remove(0).remove(0);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["forced"], "the minister speaks");
        assert_eq!(told["accounts"]["in_the_way"], 2);

        stage.world().faults().clear();
        for id in &moved {
            asked(stage, id).await;
            deliveries::give_up(stage.acts(), stage.caller(), id).await.unwrap();
        }
        all_read(stage).await;
    }

    /// An account that is not connected any more cannot be read, and one that is again is read.
    async fn an_account_without_a_credential_is_in_the_way_until_it_is_connected(stage) {
        let [outlet, _] = stage.both().await;
        let wanted = Wanted::text("moved and sent").at(in_an_hour(stage));
        let id = stage.deliver(&outlet, &wanted).await;
        appears(stage, &outlet, &wanted.text);
        let sql = format!("DELETE FROM credentials WHERE account_id = '{}'", outlet.id);
        stage.setting().database.execute(&sql).await;
        comes_back(stage, true).await;
        eventually("it cannot be read", async || {
            let seen = view(stage).await.accounts;
            if (seen.unreadable, seen.in_the_way) == (1, 1) { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
        let token = stage.new_token(&outlet);
        let change = json!({"credential": {"kind": "page_token", "access_token": token}});
        let change = serde_json::from_value(change).unwrap();
        accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change).await.unwrap();
        asked(stage, &id).await;
        all_read(stage).await;
        deliveries::give_up(stage.acts(), stage.caller(), &id).await.unwrap();
        release(stage, &Release::default()).await.unwrap();
    }

    /// With nothing to find everything goes out at its instant.
    async fn an_account_without_news_is_let_go(stage) {
        let later = in_an_hour(stage);
        let outlets = stage.both().await;
        let mut ids = Vec::new();
        for outlet in &outlets {
            let before = stage.deliver(outlet, &Wanted::text("sent before the backup")).await;
            stage.published(&before).await;
            ids.push(stage.deliver(outlet, &Wanted::text("in an hour").at(later)).await);
        }
        comes_back(stage, true).await;
        let seen = all_read(stage).await;
        assert_eq!((seen.accounts.read, seen.needs_human, seen.not_known_here_count), (2, 0, 0));
        release(stage, &Release::default()).await.unwrap();
        stage.advance(HOUR);
        for (id, outlet) in ids.iter().zip(&outlets) {
            stage.published(id).await;
            assert_eq!(stage.creates(outlet).len(), 2);
        }
    }

    /// What the option says, and what the reading is for: without it the same text goes out again.
    async fn without_the_reading_it_is_sent_a_second_time(stage) {
        let [outlet, _] = stage.both().await;
        let wanted = Wanted::text("moved and sent").at(in_an_hour(stage));
        let id = stage.deliver(&outlet, &wanted).await;
        appears(stage, &outlet, &wanted.text);
        comes_back(stage, false).await;
        let seen = view(stage).await;
        assert_eq!((seen.quarantined, seen.accounts), (true, quarantine::AccountsRead::default()));
        release(stage, &Release::default()).await.unwrap();
        stage.advance(HOUR);
        stage.published(&id).await;
        assert_eq!(stage.posts(&outlet).len(), 2);
    }
}

async fn account_is_audited(stage: &Stage, outlet: &Outlet) {
    let sql = format!(
        "SELECT CAST(detail AS TEXT) FROM audit WHERE action = 'account.read_back' AND subject = '{}'",
        outlet.id
    );
    let told = stage.setting().database.rows(&sql).await;
    let told: serde_json::Value = serde_json::from_str(&told[0][0]).unwrap();
    assert_eq!((&told["compared"], &told["asked"]), (&json!(3), &json!(2)), "{told}");
}

/// The whole way, by the commands: moved to an earlier instant after the backup, sent, lost and brought
/// back; nothing goes out twice, and a person says which post it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_and_sent_after_the_backup_is_not_sent_again() {
    let mut stage = Stage::start(DatabaseKind::Sqlite, &[]).await.unwrap();
    let later = in_an_hour(&stage);
    let mut ids = Vec::new();
    let outlets = stage.both().await;
    for outlet in &outlets {
        let wanted = Wanted::text("moved after the backup").at(later);
        let moved = stage.deliver(outlet, &wanted).await;
        let stays = stage.deliver(outlet, &Wanted::text("stays").at(after(later, HOUR))).await;
        ids.push((outlet, moved, stays));
    }
    let kept = stage.setting().directory().join("backup");
    let kept = kept.to_str().unwrap();
    succeeds(&stage, &["backup", kept]);
    for (_, moved, _) in &ids {
        let soon = after(stage.now(), Duration::from_secs(2)).to_string();
        let to = serde_json::from_value(json!({"at": soon})).unwrap();
        deliveries::reschedule(stage.acts(), stage.caller(), moved, None, to).await.unwrap();
        stage.published(moved).await;
    }
    let unknown = appears(&stage, &outlets[0], "Written after the backup");
    stage.stop().await;
    lose(&stage);
    let told = succeeds(&stage, &["restore", kept]);
    assert!(told.contains("0 deliveries may be out") && told.contains("2 accounts"), "{told}");
    stage.resume().await;

    let early = release(&stage, &Release::default()).await;
    assert!(
        matches!(&early, Err(Error::Conflict(told)) if told.code == "accounts_not_read"),
        "released although nothing was read: {early:?}"
    );
    for (outlet, moved, stays) in &ids {
        asked(&stage, moved).await;
        let post = stage.posts(outlet).remove(0).id;
        let found = Adoption { remote_id: Some(post), permalink: None };
        deliveries::adopt(stage.acts(), stage.caller(), moved, found).await.unwrap();
        assert_eq!(stage.show(stays).await.delivery.state, DeliveryState::Scheduled);
    }
    let seen = all_read(&stage).await;
    let listed: Vec<_> = seen.not_known_here.iter().map(|it| &it.remote_id).collect();
    assert_eq!(listed, [&unknown]);
    release(&stage, &Release::default()).await.unwrap();
    // In steps, or leases would end of which nobody has heard.
    for _ in 0..2 {
        stage.advance(HOUR);
        pass(Duration::from_millis(700)).await;
    }
    for (outlet, _, stays) in &ids {
        stage.published(stays).await;
        assert_eq!(stage.creates(outlet).len(), 2, "{} got it twice", outlet.platform.name());
    }
    // He knows the instants of the backup only.
    let found = stage.finish_with_findings().await;
    let early = found.iter().filter(|it| it.contains("although due at")).count();
    assert_eq!((early, found.len()), (2, 2), "{found:?}");
}

/// A post that belongs to what was due in the gap is no question about the next of a series.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_doubt_is_settled_first() {
    let mut stage = Stage::start(DatabaseKind::Sqlite, &[]).await.unwrap();
    let mut rows = Vec::new();
    for outlet in stage.both().await {
        let daily = Wanted::text("every day the same").repeat();
        let soon = after(stage.now(), Duration::from_secs(2));
        let today = stage.deliver(&outlet, &daily.clone().at(soon)).await;
        let tomorrow = stage.deliver(&outlet, &daily.clone().at(in_an_hour(&stage))).await;
        set_status(&stage, &outlet, "paused").await;
        stage.until(&today, DeliveryState::Held).await;
        appears(&stage, &outlet, &daily.text);
        rows.push((today, tomorrow));
        // It is held a look-ahead before its instant, which must lie in the gap.
        while stage.now() < soon {
            pass(Duration::from_millis(50)).await;
        }
    }
    stage.stop().await;
    let services = App::services(stage.setting().config()).await.unwrap();
    let now = stage.now();
    restored(&services.store, now, "a drill", true, now).await.unwrap();
    services.store.close().await;
    // Long after the account could be read.
    let sql = "UPDATE jobs SET due_at = due_at + 12000 WHERE kind = 'reconcile'";
    stage.setting().database.execute(sql).await;
    stage.resume().await;
    let seen = all_read(&stage).await;
    assert_eq!((seen.needs_human, seen.not_known_here_count), (0, 0), "{seen:?}");
    for (today, tomorrow) in &rows {
        stage.published(today).await;
        assert_eq!(stage.show(tomorrow).await.delivery.state, DeliveryState::Scheduled);
    }
    // He knows that nobody here has made them.
    let found = stage.finish_with_findings().await;
    let unmade = found.iter().filter(|it| it.contains("is published as")).count();
    assert_eq!((unmade, found.len()), (2, 2), "{found:?}");
}

staged! {
    with &[("CHANCERY_X__LOOKS_PER_ACCOUNT", "60/2h")];

    /// The first of its pages is a read like any other, and what was shown is paid for, although the
    /// second page fails and nothing comes of it.
    async fn what_was_read_in_vain_is_counted_and_paid_for(stage) {
        let outlet = stage.outlet(Platform::X).await;
        for number in 0..12 {
            appears(stage, &outlet, &format!("number {number}"));
        }
        let whole = on(&outlet, Operation::Read, Kind::HangAfter { ms: 0 });
        let blind = on(&outlet, Operation::Read, Kind::ServerError { execute: false });
        stage.world().faults().push(whole);
        stage.world().faults().push(blind.always());
        comes_back(stage, true).await;
        let sum = async |column: &str, scope: &str| {
            let sql = format!(
                "SELECT CAST(COALESCE(SUM({column}), 0) AS TEXT) FROM spending WHERE scope LIKE '{scope}'"
            );
            stage.setting().database.rows(&sql).await[0][0].parse::<i64>().unwrap()
        };
        eventually("it was asked three times", async || {
            let seen = view(stage).await;
            let tries = seen.unread.first().map_or(0, |it| it.tries);
            if tries >= 3 { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
        // Two pages, and then the first one again, at least twice.
        let looks = sum("creates", "looks:x/%").await;
        assert!(looks >= 4, "{looks}");
        // Ten posts for five thousandths each.
        assert_eq!(sum("cost", "money:x").await, 50_000);
        stage.world().faults().clear();
        all_read(stage).await;
    }
}
