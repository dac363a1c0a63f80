//! Threads and first comments: each part goes out once, under the one before it or not at all, whatever the
//! answers look like; and what people do to one part reaches those that follow it.

use std::time::Duration;

use chancery::clock::after;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{self, Adoption, Move, Recalling};
use chancery::service::{Error, holds};
use chancery::simulator::{CreateOutcome, Kind, Platform, PostRecord, Problem};
use jiff::Timestamp;
use serde_json::json;

use crate::planning::{Desk, schedule_of};
use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};
use crate::world::both;

/// A thread of three and a comment on X; a post with a comment on Facebook.
fn whole(outlet: &Outlet, what: &str) -> Wanted {
    let wanted = Wanted::text(what);
    match outlet.platform {
        Platform::Facebook => wanted.comment("read on"),
        Platform::X => wanted.thread(&["second", "third"]).comment("read on"),
        Platform::Mastodon | Platform::Bluesky => wanted,
    }
}

async fn schedule(stage: &Stage, outlet: &Outlet, wanted: &Wanted) -> Vec<DeliveryId> {
    let post = stage.write(wanted).await;
    stage.schedule(&post, &[wanted.delivery(outlet)]).await
}

/// The first part is out; the others wait for an instant that is still to come.
async fn first_is_out(stage: &Stage, outlet: &Outlet, wanted: Wanted) -> Vec<DeliveryId> {
    let now = stage.now();
    let wanted = wanted.at(after(now, Duration::from_secs(30)));
    let ids = schedule(stage, outlet, &wanted).await;
    move_to(stage, &ids[1], after(now, Duration::from_secs(90))).await;
    stage.advance(Duration::from_secs(30));
    stage.published(&ids[0]).await;
    ids
}

async fn move_to(stage: &Stage, id: &DeliveryId, at: Timestamp) {
    let to: Move = serde_json::from_value(json!({"at": at.to_string()})).unwrap();
    deliveries::reschedule(stage.acts(), stage.caller(), id, None, to).await.unwrap();
}

async fn waits_for(stage: &Stage, id: &DeliveryId, code: &str) {
    eventually(&format!("{id} waits for {code}"), async || {
        let waits = stage.show(id).await.delivery.waits_for.map(|it| it.code);
        if waits.as_deref() == Some(code) { Ok(()) } else { Err(format!("{waits:?}")) }
    })
    .await;
}

/// What stands there is what was scheduled, in its order, each under the one before it.
async fn is_whole(stage: &Stage, outlet: &Outlet, ids: &[DeliveryId]) {
    let mut all = Vec::new();
    for id in ids {
        all.push(stage.published(id).await);
    }
    let posts = stage.posts(outlet);
    let mut above: Option<String> = None;
    assert_eq!(posts.len(), ids.len(), "{posts:?}");
    for (shown, post) in all.into_iter().zip(&posts) {
        let receipt = shown.delivery.receipt.unwrap();
        assert_eq!((&receipt.remote_id, &post.reply_to), (&post.id, &above));
        assert!(post.text.starts_with(&shown.content.text), "{post:?}");
        above = Some(post.id.clone());
    }
}

fn made_in_order(stage: &Stage, outlet: &Outlet) -> Vec<String> {
    let made = stage.creates(outlet).into_iter().filter_map(|entry| match entry.outcome {
        CreateOutcome::Created(_) => Some(entry.intent.text),
        CreateOutcome::Refused(_) | CreateOutcome::NotExecuted => None,
    });
    made.collect()
}

fn refused(outlet: &Outlet) -> Kind {
    match outlet.platform {
        Platform::Facebook => Kind::Graph { code: 100, subcode: None, execute: false },
        Platform::X => Kind::XProblem { problem: Problem::NotPermitted, execute: false },
        Platform::Mastodon | Platform::Bluesky => unreachable!("it has no parts"),
    }
}

fn recalling() -> Recalling {
    Recalling { reason: "A wrong figure".to_owned() }
}

staged! {
    async fn every_part_goes_out_under_the_one_before_it(stage) {
        for outlet in stage.both().await {
            let ids = schedule(stage, &outlet, &whole(&outlet, "in parts")).await;
            is_whole(stage, &outlet, &ids).await;
            assert_eq!(stage.creates(&outlet).len(), ids.len(), "each was sent once");
            let count = i64::try_from(ids.len()).unwrap();
            let mut before = None;
            for (number, id) in (1..).zip(&ids) {
                let shown = stage.show(id).await.delivery;
                assert_eq!((shown.part, shown.parts, shown.follows), (number, count, before));
                before = Some(id.clone());
            }
        }
    }

    /// Under every answer that hides what came of a part the rest waits; then it is found below its own
    /// post, and the rest follows. Nothing begins anew.
    async fn a_part_in_doubt_is_found_and_the_rest_follows(stage) {
        let mut all = Vec::new();
        for kind in [
            Kind::DropAfter,
            Kind::ServerError { execute: true },
            Kind::Html { execute: true },
            Kind::Truncate { bytes: 9 },
            Kind::WithoutId,
        ] {
            for outlet in stage.both().await {
                let ids = first_is_out(stage, &outlet, whole(&outlet, "in doubt")).await;
                stage.spoil(&outlet, kind.clone());
                all.push((outlet, ids));
            }
        }
        stage.advance(Duration::from_mins(1));
        for (outlet, ids) in all {
            is_whole(stage, &outlet, &ids).await;
            assert_eq!(stage.creates(&outlet).len(), ids.len(), "{outlet:?}: sent again");
        }
    }

    /// What never arrived is not there, is sent again under the same post, and only then the rest.
    async fn a_part_that_never_arrived_is_sent_again_in_its_place(stage) {
        for outlet in stage.both().await {
            let ids = first_is_out(stage, &outlet, whole(&outlet, "lost")).await;
            stage.spoil(&outlet, Kind::DropBefore);
            stage.advance(Duration::from_mins(1));
            is_whole(stage, &outlet, &ids).await;
            assert_eq!(stage.creates(&outlet).len(), ids.len() + 1);
            let mut parts = made_in_order(stage, &outlet);
            parts.dedup();
            assert_eq!(parts.len(), ids.len(), "{parts:?}");
        }
    }

    /// A comment whose author cannot be read, below our post and with our text: a person's to judge.
    async fn a_comment_without_an_author_is_put_before_a_person(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        stage.world().change_settings(|all| all.facebook.comment_author_readable = false);
        let ids = first_is_out(stage, &outlet, whole(&outlet, "by whom")).await;
        stage.spoil(&outlet, Kind::DropAfter);
        stage.advance(Duration::from_mins(1));
        let asked = stage.until(&ids[1], DeliveryState::NeedsHuman).await;
        assert_eq!(asked.delivery.problem.unwrap().code, "several_found");
        assert_eq!(stage.creates(&outlet).len(), 2);
        stage.world().change_settings(|all| all.facebook.comment_author_readable = true);
        let remote_id = Some(stage.posts(&outlet)[1].id.clone());
        let found = Adoption { remote_id, permalink: None };
        deliveries::adopt(stage.acts(), stage.caller(), &ids[1], found).await.unwrap();
        is_whole(stage, &outlet, &ids).await;
    }

    /// A part that is refused for good leaves one question, not many; whoever drops the next part ends
    /// the rest with it, and nothing goes out under nothing.
    async fn a_broken_thread_asks_once_and_is_dropped_as_one(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let ids = first_is_out(stage, &outlet, whole(&outlet, "broken")).await;
        stage.spoil(&outlet, refused(&outlet));
        stage.advance(Duration::from_mins(1));
        stage.until(&ids[1], DeliveryState::Failed).await;
        let asked = stage.until(&ids[2], DeliveryState::NeedsHuman).await;
        assert_eq!(asked.delivery.problem.unwrap().code, "earlier_part_not_out");
        waits_for(stage, &ids[3], "earlier_part").await;
        deliveries::give_up(stage.acts(), stage.caller(), &ids[2]).await.unwrap();
        let last = stage.until(&ids[3], DeliveryState::Cancelled).await;
        assert_eq!(last.delivery.problem.unwrap().code, "earlier_part_taken_back");
        assert_eq!((stage.posts(&outlet).len(), stage.creates(&outlet).len()), (1, 2));
    }

    /// The same, and somebody has said it by hand meanwhile: what follows goes out under that.
    async fn what_follows_a_part_that_was_adopted_goes_out_under_it(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let ids = first_is_out(stage, &outlet, whole(&outlet, "by hand")).await;
        stage.spoil(&outlet, refused(&outlet));
        stage.advance(Duration::from_mins(1));
        stage.until(&ids[2], DeliveryState::NeedsHuman).await;
        waits_for(stage, &ids[3], "earlier_part").await;
        let text = stage.show(&ids[2]).await.content.text;
        let by_hand = stage.world().insert_foreign(Platform::X, &outlet.remote_id, &text).unwrap();
        let found = Adoption { remote_id: Some(by_hand.clone()), permalink: None };
        deliveries::adopt(stage.acts(), stage.caller(), &ids[2], found).await.unwrap();
        stage.published(&ids[3]).await;
        let last: PostRecord = stage.posts(&outlet).pop().unwrap();
        assert_eq!(last.reply_to, Some(by_hand));
        // The judge knows of no create for it.
        stage.forget(&ids[2]);
    }

    /// A token that may not write comments is no reason to stop the posts of its Page.
    async fn a_comment_that_is_not_permitted_leaves_the_page_alone(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        stage.world().change_settings(|all| all.facebook.may_comment = false);
        let ids = schedule(stage, &outlet, &whole(&outlet, "no right")).await;
        let failed = stage.until(&ids[1], DeliveryState::Failed).await;
        assert!(failed.delivery.problem.unwrap().detail.contains("pages_manage_engagement"));
        let next = stage.deliver(&outlet, &Wanted::text("goes on")).await;
        stage.published(&next).await;
    }

    async fn whoever_takes_back_or_moves_the_first_part_does_so_with_all(stage) {
        for outlet in stage.both().await {
            let far = after(stage.now(), Duration::from_hours(1));
            let ids = schedule(stage, &outlet, &whole(&outlet, "moved").at(far)).await;
            let later = after(far, Duration::from_hours(1));
            move_to(stage, &ids[0], later).await;
            for id in &ids {
                let shown = stage.show(id).await.delivery;
                assert_eq!(shown.due_at.as_millisecond(), later.as_millisecond());
            }
            deliveries::cancel(stage.acts(), stage.caller(), &ids[0]).await.unwrap();
            for id in &ids {
                assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Cancelled);
            }
        }
        for _ in 0..5 {
            stage.advance(Duration::from_mins(30));
            pass(Duration::from_millis(200)).await;
        }
        assert!(stage.world().journal().is_empty());
    }

    /// What a review says of the first part it says of all, but for those of which it says something else.
    async fn what_a_review_says_of_the_first_part_holds_for_all(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let far = after(stage.now(), Duration::from_hours(1));
        let mut all = Vec::new();
        for what in ["let go", "at another time", "not at all", "without the last"] {
            all.push(schedule(stage, &outlet, &whole(&outlet, what).at(far)).await);
        }
        let hold = serde_json::from_value(json!({"scope": {"all": true}, "reason": "Mourning"})).unwrap();
        let hold = holds::place(stage.acts(), stage.caller(), hold).await.unwrap().value.hold.id;
        stage.advance(Duration::from_hours(1));
        for id in all.iter().flatten() {
            stage.until(id, DeliveryState::Held).await;
        }
        holds::lift(stage.acts(), stage.caller(), &hold).await.unwrap();
        let later = after(far, Duration::from_hours(48));
        let verdicts = json!({"deliveries": [
            {"id": all[0][0], "act": "release"},
            {"id": all[1][0], "act": "reschedule", "at": later.to_string()},
            {"id": all[2][0], "act": "drop"},
            {"id": all[3][3], "act": "drop"},
            {"id": all[3][0], "act": "reschedule", "at": later.to_string()},
        ]});
        eventually("nobody is at work on one of them", async || {
            let verdicts = serde_json::from_value(verdicts.clone()).unwrap();
            match deliveries::review(stage.acts(), stage.caller(), verdicts).await {
                Ok(_) => Ok(()),
                Err(busy @ Error::Busy) => Err(busy),
                Err(other) => panic!("{other}"),
            }
        })
        .await;
        is_whole(stage, &outlet, &all[0]).await;
        for id in &all[2] {
            assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Cancelled);
        }
        assert_eq!(stage.show(&all[3][3]).await.delivery.state, DeliveryState::Cancelled);
        // Days after its old time, of which nothing is left.
        stage.advance(Duration::from_hours(48));
        for id in all[1].iter().chain(&all[3][..3]) {
            stage.published(id).await;
        }
        assert_eq!(stage.posts(&outlet).len(), 4 + 4 + 3);
    }

    /// Last part first, so that no part ever stands under nothing; what was not out yet never is.
    async fn a_recall_takes_all_down_last_part_first(stage) {
        for outlet in stage.both().await {
            let ids = schedule(stage, &outlet, &whole(&outlet, "wrong")).await;
            is_whole(stage, &outlet, &ids).await;
            deliveries::recall(stage.acts(), stage.caller(), &ids[0], recalling()).await.unwrap();
            for id in &ids {
                stage.until(id, DeliveryState::Recalled).await;
            }
            assert!(stage.posts(&outlet).is_empty());
            let mut since = Vec::new();
            for id in &ids {
                since.push(stage.show(id).await.delivery.state_since);
            }
            assert!(since.is_sorted_by(|a, b| a >= b), "{since:?}");
        }
    }

    async fn a_recall_of_what_is_half_out_takes_the_rest_back(stage) {
        for outlet in stage.both().await {
            let ids = first_is_out(stage, &outlet, whole(&outlet, "half out")).await;
            deliveries::recall(stage.acts(), stage.caller(), &ids[0], recalling()).await.unwrap();
            stage.until(&ids[0], DeliveryState::Recalled).await;
            for id in &ids[1..] {
                assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Cancelled);
            }
            stage.advance(Duration::from_mins(1));
            pass(Duration::from_millis(500)).await;
            assert_eq!(stage.creates(&outlet).len(), 1);
        }
    }

    /// The same comment below every post is no repetition.
    async fn the_same_comment_may_stand_below_two_posts(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        for what in ["one", "another"] {
            let wanted = Wanted::text(what).comment_exactly("https://mofa.gov.vn");
            let ids = schedule(stage, &outlet, &wanted).await;
            stage.published(&ids[1]).await;
        }
        assert_eq!(stage.made(&outlet), 4);
    }
}

both! {
    async fn a_post_keeps_its_parts_and_a_dry_run_counts_each(world) {
        let desk = Desk::open(world).await;
        let mut draft = desk.draft();
        let parts = json!([{"text": "Phần hai"}, {"text": "x".repeat(281)}]);
        draft["variants"][0]["thread"] = parts;
        draft["variants"][0]["first_comment"] = json!("Đọc thêm");
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        let kept = &post["variants"][0];
        assert_eq!(kept["thread"][0], json!({"text": "Phần hai", "media": []}));
        assert_eq!(kept["first_comment"], "Đọc thêm");
        assert_ne!(kept["content_hash"], post["variants"][1]["content_hash"]);
        let asked = json!({"post_id": post["id"]});
        let report = world.ask("POST", "/api/v1/posts/check").json(&asked).await.expect(200);
        let language = &kept["language"];
        let counts = report["counts"].as_array().unwrap();
        let on_x: Vec<_> = counts
            .iter()
            .filter(|it| it["platform"] == "x" && it["language"] == *language)
            .map(|it| (it["part"].as_i64().unwrap(), it["count"].as_i64().unwrap()))
            .collect();
        assert_eq!(on_x.len(), 4, "{counts:?}");
        assert_eq!((on_x[1], on_x[2]), ((2, 9), (3, 281)));
        let findings = |platform: &str| {
            let all = counts.iter().filter(|it| it["platform"] == platform);
            let all = all.flat_map(|it| it["findings"].as_array().unwrap());
            all.map(|it| format!("{} {}", it["pointer"], it["code"])).collect::<Vec<_>>()
        };
        assert!(findings("x").contains(&r#""/thread/1/text" "text_too_long""#.to_owned()));
        assert!(findings("facebook").contains(&r#""/thread" "thread_not_possible""#.to_owned()));
        let one = json!({"account_id": desk.page, "language": "vi", "at": "2031-09-02T02:00:00Z"});
        let wanted = json!({"deliveries": [one]});
        let answer = world.ask("POST", &schedule_of(&post)).json(&wanted).await;
        assert_eq!(answer.faults(), [("/deliveries/0".to_owned(), "thread_not_possible".to_owned())]);
    }
}
