//! Long posts on X: where X says that an account may, or the configuration does, and nowhere else.

use std::time::Duration;

use chancery::clock::{after, before};
use chancery::service::{Error, accounts};
use chancery::simulator::{Kind, Platform};

use crate::stage::{Outlet, Stage, Wanted, eventually, staged};

const DAY: Duration = Duration::from_hours(24);

/// Longer than an ordinary post.
fn long() -> String {
    "Bộ Ngoại giao ".repeat(28) + "thông báo"
}

async fn looked_at(stage: &Stage, outlet: &Outlet) {
    accounts::check(stage.acts(), stage.caller(), &outlet.id).await.unwrap();
}

async fn refused(stage: &Stage, outlet: &Outlet) {
    let wanted = Wanted::text(&long());
    let post = stage.write(&wanted).await;
    let refused = stage.try_schedule(&post, &[wanted.delivery(outlet)]).await;
    let Err(Error::Invalid(faults)) = refused else { panic!("{refused:?}") };
    assert_eq!(faults[0].code, "text_too_long");
    assert!(faults[0].args.contains(&("max", "280".to_owned())), "{faults:?}");
}

staged! {
    async fn a_long_post_goes_out_whole_where_x_says_that_the_account_may(stage) {
        let outlet = stage.outlet(Platform::X).await;
        refused(stage, &outlet).await;
        stage.world().set_premium(&outlet.remote_id, true);
        // It is a fact of the account, which nobody has asked about yet.
        refused(stage, &outlet).await;
        looked_at(stage, &outlet).await;
        assert!(stage.account(&outlet).await.health.long_posts);
        // The second one's answer is lost: it is found again by its whole text, of which a list shows the
        // beginning and a note the rest.
        for (count, fault) in [(1, None), (2, Some(Kind::DropAfter))] {
            if let Some(fault) = fault {
                stage.spoil(&outlet, fault);
            }
            let id = stage.deliver(&outlet, &Wanted::text(&long())).await;
            stage.published(&id).await;
            let posts = stage.posts(&outlet);
            assert_eq!((posts.len(), stage.made(&outlet)), (count, count));
            assert!(posts.iter().all(|post| post.text.contains(&long())), "{posts:?}");
        }
        // Others are as they were.
        let other = stage.outlet(Platform::X).await;
        refused(stage, &other).await;
    }
}

mod daily {
    use super::*;

    staged! {
        with &[("CHANCERY_ACCOUNTS__PROBE_EVERY", "1d")];

        async fn the_daily_look_sees_when_a_subscription_begins_and_ends(stage) {
            let outlet = stage.outlet(Platform::X).await;
            let mut due = None;
            for premium in [true, false] {
                stage.world().set_premium(&outlet.remote_id, premium);
                stage.advance(DAY + Duration::from_mins(2));
                for _ in 0..20 {
                    if stage.account(&outlet).await.health.long_posts == premium {
                        break;
                    }
                    stage.advance(Duration::from_secs(61));
                    crate::stage::pass(Duration::from_millis(200)).await;
                }
                eventually("the account's length of posts is known", async || {
                    let is = stage.account(&outlet).await.health.long_posts;
                    if is == premium { Ok(()) } else { Err(format!("{is}")) }
                })
                .await;
                if premium {
                    let wanted = Wanted::text(&long()).at(after(stage.now(), DAY * 3));
                    due = Some(stage.deliver(&outlet, &wanted).await);
                }
            }
            refused(stage, &outlet).await;
            // What was scheduled while it might is told of before it is due, once for each stage.
            let told = async || {
                let sql = "SELECT CAST(detail AS TEXT) FROM audit WHERE action = 'account.unfit'";
                stage.setting().database.rows(sql).await
            };
            assert_eq!(told().await.len(), 0);
            let due = due.unwrap();
            let day_before = before(stage.show(&due).await.delivery.due_at, DAY);
            let left = stage.now().duration_until(day_before);
            stage.advance(Duration::try_from(left).unwrap() + Duration::from_hours(1));
            eventually("people are told", async || {
                let all = told().await;
                let is = all.iter().any(|it| {
                    it[0].contains("text_too_long") && it[0].contains(due.as_str())
                });
                if is { Ok(()) } else { Err(format!("{all:?}")) }
            })
            .await;
        }
    }
}

mod switched_off {
    use super::*;

    staged! {
        with &[("CHANCERY_X__LONG_POST_MAX", "280")];

        async fn what_the_configuration_says_is_the_most(stage) {
            let outlet = stage.outlet(Platform::X).await;
            stage.world().set_premium(&outlet.remote_id, true);
            looked_at(stage, &outlet).await;
            assert!(stage.account(&outlet).await.health.long_posts);
            refused(stage, &outlet).await;
        }
    }
}
