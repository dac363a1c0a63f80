//! What accounts' access is worth, asked daily and before what is due: whoever must sign in again hears of it
//! in good time, once, and only the platform's own words, said twice, end a credential.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::account::AccountStatus;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::probe::ProbeVerdict;
use chancery::service::{account_health, accounts, deliveries};
use chancery::simulator::{Death, Kind, Operation, Platform};
use serde_json::{Value, json};

use crate::stage::{Outlet, Stage, Wanted, eventually, on, pass, staged};

const DAILY: (&str, &str) = ("CHANCERY_ACCOUNTS__PROBE_EVERY", "1d");
const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// What is known of an account: the verdict, how often it was refused in a row, and when it was asked last.
async fn known(stage: &Stage, outlet: &Outlet) -> Vec<String> {
    let sql = format!(
        "SELECT verdict, CAST(refusals AS TEXT), CAST(asked_at AS TEXT), COALESCE(trouble, ''),
                CAST(tried_at AS TEXT)
         FROM account_probes WHERE account_id = '{}'",
        outlet.id
    );
    stage.setting().database.rows(&sql).await.pop().unwrap_or_else(|| vec![String::new(); 5])
}

/// Waits for something that is planned or told once in a minute: whoever has just looked sleeps for one.
async fn nudged<T>(stage: &Stage, what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
    for _ in 0..20 {
        for _ in 0..20 {
            if let Ok(found) = look().await {
                return found;
            }
            pass(Duration::from_millis(75)).await;
        }
        stage.advance(MINUTE + Duration::from_secs(1));
    }
    eventually(what, &look).await
}

/// Waits for a verdict that is not of this instant; gives its own.
async fn asked(stage: &Stage, outlet: &Outlet, verdict: &str, before: &str) -> String {
    nudged(stage, &format!("it is asked, and is {verdict}"), async || {
        let is = known(stage, outlet).await;
        if is[0] == verdict && is[2] != before { Ok(is[2].clone()) } else { Err(format!("{is:?}")) }
    })
    .await
}

/// Lets everything that is due by now be planned, and makes sure that it was not asked since.
async fn not_asked(stage: &Stage, outlet: &Outlet, before: &str) {
    pass(Duration::from_millis(400)).await;
    assert_eq!(known(stage, outlet).await[2], before, "it was asked too early");
}

async fn is(stage: &Stage, outlet: &Outlet, status: AccountStatus) {
    nudged(stage, &format!("the account is {status}"), async || {
        let is = stage.account(outlet).await.status;
        if is == status { Ok(()) } else { Err(is.to_string()) }
    })
    .await;
}

/// What was said with a word of the audit about an account, in order.
async fn told(stage: &Stage, outlet: &Outlet, word: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT CAST(detail AS TEXT) FROM audit WHERE action = '{word}' AND subject = '{}'
         ORDER BY seq",
        outlet.id
    );
    let rows = stage.setting().database.rows(&sql).await;
    rows.into_iter().map(|row| serde_json::from_str(&row[0]).expect("JSON")).collect()
}

async fn tells(stage: &Stage, outlet: &Outlet, word: &str, count: usize) -> Vec<Value> {
    nudged(stage, &format!("{word} is told {count} times"), async || {
        let all = told(stage, outlet, word).await;
        if all.len() == count { Ok(all) } else { Err(format!("{all:?}")) }
    })
    .await
}

/// A Page whose token ends.
async fn ending(stage: &Stage, days: i32) -> Outlet {
    let outlet = stage.outlet(Platform::Facebook).await;
    let token = stage.new_token(&outlet);
    let ends = after(stage.true_now(), Duration::from_hours(24) * days.unsigned_abs());
    stage.world().add_ending_token(Platform::Facebook, &outlet.remote_id, &token, ends);
    credential(stage, &outlet, &token).await;
    outlet
}

/// Somebody hands in another credential.
async fn credential(stage: &Stage, outlet: &Outlet, token: &str) {
    let change = json!({"credential": {"kind": "page_token", "access_token": token}});
    eventually("the account is connected again", async || {
        let change = serde_json::from_value(change.clone()).unwrap();
        let made = accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change).await;
        made.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
}

staged! {
    with &[DAILY];

    /// Once a day; and a day and an hour before what is due, unless it was asked since.
    async fn an_account_is_asked_daily_and_before_what_is_due(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let first = asked(stage, &outlet, "fit", "").await;
        stage.advance(23 * HOUR);
        not_asked(stage, &outlet, &first).await;
        stage.advance(HOUR + 2 * MINUTE);
        let second = asked(stage, &outlet, "fit", &first).await;
        let due = after(stage.now(), 25 * HOUR + HOUR / 2);
        let id = stage.deliver(&outlet, &Wanted::text("Tomorrow").at(due)).await;
        stage.advance(HOUR);
        not_asked(stage, &outlet, &second).await;
        // A day before.
        stage.advance(HOUR / 2 + 2 * MINUTE);
        let third = asked(stage, &outlet, "fit", &second).await;
        stage.advance(22 * HOUR);
        not_asked(stage, &outlet, &third).await;
        // An hour before.
        stage.advance(HOUR + 2 * MINUTE);
        let fourth = asked(stage, &outlet, "fit", &third).await;
        stage.advance(52 * MINUTE);
        not_asked(stage, &outlet, &fourth).await;
        stage.advance(8 * MINUTE);
        stage.published(&id).await;
        assert!(stage.told_of(&outlet).await.is_empty(), "nothing is wrong");
    }

    /// One refusal is none: it is asked again. The second ends the credential, and nothing of what was known
    /// goes with it; what is held goes on when somebody has connected it again.
    async fn a_credential_dies_of_two_refusals_and_a_new_one_lets_what_is_held_go_on(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let first = asked(stage, &outlet, "fit", "").await;
        let due = after(stage.now(), 24 * HOUR + HOUR / 2);
        let id = stage.deliver(&outlet, &Wanted::text("Held until then").at(due)).await;
        stage.world().revoke(&outlet.token, Death::PasswordChanged);
        stage.advance(HOUR / 2 + 2 * MINUTE);
        asked(stage, &outlet, "refused", &first).await;
        pass(Duration::from_millis(300)).await;
        assert_eq!(known(stage, &outlet).await[1], "1");
        assert_eq!(stage.account(&outlet).await.status, AccountStatus::Connected);
        stage.advance(6 * MINUTE);
        is(stage, &outlet, AccountStatus::NeedsReconnect).await;
        let why = tells(stage, &outlet, "account.needs_reconnect", 1).await;
        assert_eq!(why[0]["reason"], "probe_refused");
        stage.advance(2 * MINUTE);
        let unfit = tells(stage, &outlet, "account.unfit", 1).await;
        assert_eq!(unfit[0]["reason"], "needs_reconnect");
        assert_eq!(unfit[0]["deliveries"], json!([id]));
        stage.advance(23 * HOUR);
        let unfit = tells(stage, &outlet, "account.unfit", 2).await;
        assert_eq!((&unfit[0]["hours"], &unfit[1]["hours"]), (&json!(24), &json!(1)));
        let stands = account_health::show(stage.acts(), stage.caller(), &outlet.id).await.unwrap();
        assert_eq!(stands.hindrance.as_deref(), Some("needs_reconnect"));
        assert_eq!(stands.coming.first[0].hindrance.as_deref(), Some("needs_reconnect"));
        let probe = stands.probe.unwrap();
        assert_eq!((probe.verdict, probe.refusals), (ProbeVerdict::Refused, 2));
        assert!(stands.last_success_at.is_some() && stands.scopes.is_some(), "it was known once");
        stage.advance(HOUR);
        stage.until(&id, DeliveryState::Held).await;
        let token = stage.new_token(&outlet);
        credential(stage, &outlet, &token).await;
        stage.published(&id).await;
        stage.advance(2 * MINUTE);
        asked(stage, &outlet, "fit", "").await;
        assert_eq!(known(stage, &outlet).await[1], "0");
        let stands = account_health::show(stage.acts(), stage.caller(), &outlet.id).await.unwrap();
        assert_eq!((stands.hindrance, stands.coming.count), (None, 0));
        assert!(stands.last_published_at.is_some());
    }

    /// Whatever else an answer is: it says nothing, for weeks.
    async fn no_trouble_ends_a_credential(stage) {
        let outlets = stage.both().await;
        let troubles = [
            Kind::DropBefore,
            Kind::ServerError { execute: false },
            Kind::Html { execute: false },
            Kind::Empty,
            Kind::RateLimited { seconds: 60, exhausted: chancery::simulator::Exhausted::Window },
        ];
        for outlet in &outlets {
            asked(stage, outlet, "fit", "").await;
        }
        for kind in troubles {
            let mut before = Vec::new();
            for outlet in &outlets {
                stage.world().faults().push(on(outlet, Operation::Identity, kind.clone()).always());
                before.push(known(stage, outlet).await);
            }
            stage.advance(25 * HOUR);
            for (outlet, before) in outlets.iter().zip(before) {
                nudged(stage, "the question is not answered", async || {
                    let is = known(stage, outlet).await;
                    let tried = is[4] != before[4] && !is[3].is_empty();
                    if tried { Ok(()) } else { Err(format!("{} {is:?}", kind.name())) }
                })
                .await;
                let is = known(stage, outlet).await;
                assert_eq!((is[0].as_str(), is[1].as_str()), ("fit", "0"), "{}", kind.name());
                assert_eq!(stage.account(outlet).await.status, AccountStatus::Connected);
            }
            stage.world().faults().clear();
        }
        for outlet in &outlets {
            assert!(stage.told_of(outlet).await.is_empty());
        }
    }

    /// 30, 14, 7 and 1 days before, once each; when it is over somebody must sign in.
    async fn the_end_of_an_access_is_told_four_times(stage) {
        let outlet = ending(stage, 31).await;
        asked(stage, &outlet, "fit", "").await;
        for (days, stages) in [(2, 1), (16, 2), (6, 3), (6, 4)] {
            stage.advance(24 * HOUR * days);
            let all = tells(stage, &outlet, "account.ending", stages).await;
            assert_eq!(all.last().unwrap()["reason"], "expires");
        }
        let said: Vec<_> =
            told(stage, &outlet, "account.ending").await.iter().map(|it| it["days"].clone()).collect();
        assert_eq!(said, [json!(30), json!(14), json!(7), json!(1)]);
        stage.advance(24 * HOUR);
        asked(stage, &outlet, "refused", "").await;
        stage.advance(6 * MINUTE);
        is(stage, &outlet, AccountStatus::NeedsReconnect).await;
        assert_eq!(told(stage, &outlet, "account.ending").await.len(), 4);
    }

    /// The end of the access to data, which Facebook tells apart.
    async fn the_end_of_the_access_to_data_is_told(stage) {
        let ends = after(stage.true_now(), 10 * 24 * HOUR).as_second();
        stage.world().change_settings(|it| it.facebook.page_data_access_ends_s = ends);
        let outlet = stage.outlet(Platform::Facebook).await;
        asked(stage, &outlet, "fit", "").await;
        stage.advance(2 * MINUTE);
        let all = tells(stage, &outlet, "account.ending", 1).await;
        assert_eq!((&all[0]["reason"], &all[0]["days"]), (&json!("data_access"), &json!(14)));
    }

    /// A right that was taken back: what is due is told of in one message, at each stage once, over all nodes.
    async fn what_is_due_on_an_account_that_lacks_a_right_is_told_once(stage) {
        let on_server = stage.setting().database.url().starts_with("postgres");
        let other = if on_server { Some(stage.another(&[DAILY]).await) } else { None };
        stage.world().change_settings(|it| {
            it.facebook.page_scopes_declined = vec!["pages_manage_posts".to_owned()];
        });
        let outlet = stage.outlet(Platform::Facebook).await;
        asked(stage, &outlet, "lacking", "").await;
        let due = after(stage.now(), 5 * HOUR);
        let mut ids = Vec::new();
        for text in ["one", "two"] {
            let post = stage.write(&Wanted::text(text).at(due)).await;
            let wanted = Wanted::text(text).at(due).delivery(&outlet);
            ids.extend(stage.schedule(&post, &[wanted]).await);
        }
        stage.advance(2 * MINUTE);
        let sum = async |hours: i64, count: i64| {
            nudged(stage, &format!("both are told {hours} hours before"), async || {
                let all = told(stage, &outlet, "account.unfit").await;
                let of = all.iter().filter(|it| it["hours"] == hours && it["reason"] == "lacking");
                let sum: i64 = of.filter_map(|it| it["count"].as_i64()).sum();
                if sum == count { Ok(()) } else { Err(format!("{all:?}")) }
            })
            .await;
        };
        sum(24, 2).await;
        for _ in 0..3 {
            stage.advance(2 * MINUTE);
            pass(Duration::from_millis(100)).await;
        }
        sum(24, 2).await;
        for _ in 0..4 {
            stage.advance(HOUR);
            pass(Duration::from_millis(100)).await;
        }
        sum(1, 2).await;
        sum(24, 2).await;
        for id in &ids {
            deliveries::cancel(stage.acts(), stage.caller(), id).await.unwrap();
        }
        eventually("people hear of it", async || {
            let sql = "SELECT event FROM outbox WHERE event = 'account.unfit'";
            let heard = stage.setting().database.rows(sql).await.len();
            if heard >= 2 { Ok(()) } else { Err(heard.to_string()) }
        })
        .await;
        if let Some(other) = other {
            assert!(other.stop().await);
        }
    }

    /// An answer for another account is the platform's word that this credential is not the account's.
    async fn a_token_that_belongs_to_another_account_is_refused(stage) {
        let [one, other] =
            [stage.outlet(Platform::Facebook).await, stage.outlet(Platform::Facebook).await];
        asked(stage, &one, "fit", "").await;
        asked(stage, &other, "fit", "").await;
        stage.world().swap_tokens(&one.token, &other.token);
        stage.advance(25 * HOUR);
        asked(stage, &one, "refused", "").await;
        stage.advance(6 * MINUTE);
        is(stage, &one, AccountStatus::NeedsReconnect).await;
        is(stage, &other, AccountStatus::NeedsReconnect).await;
    }
}

/// A month's money is for what goes out: nobody is asked when nothing is left of it.
mod without_money {
    use super::*;

    staged! {
        with &[DAILY, ("CHANCERY_X__MONTHLY_BUDGET", "0.004")];

        async fn nobody_is_asked(stage) {
            let outlet = stage.outlet(Platform::X).await;
            nudged(stage, "it waits", async || {
                let sql = "SELECT COALESCE(note, '') FROM jobs WHERE kind = 'probe'";
                let notes = stage.setting().database.rows(sql).await.concat();
                let why = "no money is left for looks".to_owned();
                if notes.contains(&why) { Ok(()) } else { Err(format!("{notes:?}")) }
            })
            .await;
            assert_eq!(known(stage, &outlet).await[0], "");
        }
    }
}
