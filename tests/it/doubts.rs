//! Doubt: when absence counts, when it does not, and who is asked when nobody can tell.

use std::time::Duration;

use chancery::clock::{after, before};
use chancery::domain::delivery::DeliveryState;
use chancery::service::accounts;
use chancery::service::deliveries::{self, Adoption, DeliveryDetail};
use chancery::simulator::{CreateOutcome, Kind, Operation, Platform};

use crate::stage::{Outlet, Stage, Wanted, eventually, now, on, pass, staged};

async fn asked(stage: &Stage, id: &chancery::domain::id::DeliveryId) -> DeliveryDetail {
    stage.until(id, DeliveryState::NeedsHuman).await
}

fn reason(shown: &DeliveryDetail) -> &str {
    shown.delivery.problem.as_ref().map_or("", |problem| problem.code.as_str())
}

/// Hides a create that was carried out, and the post from all lists for so long.
fn hide(stage: &Stage, outlet: &Outlet, lag: Duration) {
    stage.world().set_read_lag(outlet.platform, &outlet.remote_id, Some(lag));
    stage.spoil(outlet, Kind::DropAfter);
}

/// What a platform makes of a text.
type Rewrite = fn(&str) -> String;

const SOON: Duration = Duration::from_millis(350);
/// Longer than the quiet wait, but not than two of them.
const LATER: Duration = Duration::from_millis(1_100);
const NEVER: Duration = Duration::from_hours(1);

staged! {
    /// While the account cannot be read nothing is concluded, in either direction.
    async fn a_failed_read_is_no_absence(stage) {
        let kinds = [
            Kind::ServerError { execute: false },
            Kind::Html { execute: false },
            Kind::Empty,
            Kind::DropBefore,
            Kind::Truncate { bytes: 20 },
        ];
        let mut waiting = Vec::new();
        for platform in [Platform::Facebook, Platform::X] {
            for kind in &kinds {
                for (hidden, requests) in [(Kind::DropBefore, 2), (Kind::DropAfter, 1)] {
                    let outlet = stage.outlet(platform).await;
                    let fault = on(&outlet, Operation::Read, kind.clone());
                    // With the early looks and those after them well beyond the quiet wait.
                    stage.world().faults().push(fault.times(9));
                    stage.spoil(&outlet, hidden);
                    let id = stage.deliver(&outlet, &Wanted::text("unreadable")).await;
                    waiting.push((id, outlet, requests, kind));
                }
            }
        }
        for (id, outlet, requests, kind) in waiting {
            stage.published(&id).await;
            let reached = stage.creates(&outlet).len();
            assert_eq!(reached, requests, "{} {kind:?}", outlet.platform.name());
            assert_eq!(stage.made(&outlet), 1, "{} {kind:?}", outlet.platform.name());
        }
    }

    /// An account that cannot be read for long is shown to a person, and nothing was sent again.
    async fn what_cannot_be_seen_ends_at_a_person(stage) {
        for outlet in stage.both().await {
            let blind = Kind::ServerError { execute: false };
            stage.world().faults().push(on(&outlet, Operation::Read, blind.clone()).always());
            stage.world().faults().push(on(&outlet, Operation::Identity, blind).always());
            stage.spoil(&outlet, Kind::DropBefore);
            let id = stage.deliver(&outlet, &Wanted::text("blind")).await;
            let shown = asked(stage, &id).await;
            assert_eq!(reason(&shown), "cannot_see");
            assert_eq!(stage.creates(&outlet).len(), 1);
        }
    }

    /// A post that lists show late is waited for; only absence after the quiet wait counts.
    async fn a_list_that_lags_less_than_the_quiet_wait_makes_no_second_post(stage) {
        for outlet in stage.both().await {
            hide(stage, &outlet, SOON);
            let id = stage.deliver(&outlet, &Wanted::text("shown soon")).await;
            stage.published(&id).await;
            assert_eq!(stage.creates(&outlet).len(), 1);
        }
    }

    /// What a look did not find is no older than the look, however long the database then refuses to
    /// write it down.
    async fn an_absence_is_as_old_as_the_look_for_it(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        hide(stage, &outlet, LATER);
        let id = stage.deliver(&outlet, &Wanted::text("looked for too early")).await;
        stage.until(&id, DeliveryState::Unknown).await;
        let condition = format!("NEW.id = '{id}' AND OLD.state = 'unknown'");
        stage.setting().database.refuse("UPDATE ON deliveries", &condition).await;
        pass(Duration::from_millis(1_300)).await;
        stage.setting().database.permit().await;
        stage.published(&id).await;
        assert_eq!(stage.creates(&outlet).len(), 1);
    }

    /// The platform answered with an id and then made another text of it: a person is asked, and
    /// nothing is sent again.
    async fn a_named_post_with_another_text_is_put_before_a_person(stage) {
        for outlet in stage.both().await {
            // All of the id and not all of the answer.
            stage.spoil(&outlet, Kind::Truncate { bytes: 95 });
            let blind = on(&outlet, Operation::Read, Kind::ServerError { execute: false });
            stage.world().faults().push(blind.always());
            let id = stage.deliver(&outlet, &Wanted::text("rewritten")).await;
            stage.until(&id, DeliveryState::Unknown).await;
            let made = stage.posts(&outlet).remove(0).id;
            assert!(stage.world().rewrite(outlet.platform, &outlet.remote_id, &made, "Rewritten"));
            stage.world().faults().clear();
            let shown = asked(stage, &id).await;
            assert_eq!(reason(&shown), "several_found");
            assert!(shown.delivery.problem.unwrap().detail.contains(&made));
            assert_eq!(stage.creates(&outlet).len(), 1);
        }
    }

    /// The platform makes other quotation marks and dashes, takes away a link, or puts signs between the
    /// letters, and its answer is lost: nothing has the text that was sent, and still it is not sent
    /// again. A person is shown it.
    async fn a_rewritten_post_is_put_before_a_person_and_not_sent_again(stage) {
        const LINK: &str = "https://mofa.gov.vn/briefing/7";
        let sent = format!("Press briefing: \"open questions\" - 3 p.m. {LINK}");
        let rewritings: [(Rewrite, bool); 3] = [
            (|text| text.replace('"', "”").replace(" - ", " — "), true),
            (|text| text.replace("Press", "PRESS\u{200b}"), true),
            // X takes no links away.
            (|text| text.replace(LINK, ""), false),
        ];
        for (rewrite, on_x) in rewritings {
            for outlet in stage.both().await {
                if outlet.platform == Platform::X && !on_x {
                    continue;
                }
                stage.spoil(&outlet, Kind::DropAfter);
                let blind = on(&outlet, Operation::Read, Kind::ServerError { execute: false });
                stage.world().faults().push(blind.always());
                let id = stage.deliver(&outlet, &Wanted::text(&sent)).await;
                stage.until(&id, DeliveryState::Unknown).await;
                let made = stage.posts(&outlet).remove(0);
                let text = rewrite(&made.text);
                assert_ne!(text, made.text);
                assert!(stage.world().rewrite(outlet.platform, &outlet.remote_id, &made.id, &text));
                stage.world().faults().clear();
                let shown = asked(stage, &id).await;
                assert_eq!(reason(&shown), "similar_found");
                assert!(shown.delivery.problem.unwrap().detail.contains(&made.id));
                assert_eq!(stage.creates(&outlet).len(), 1);
            }
        }
    }

    /// A list that lags more leads to a second request, which the platform's filter of duplicates
    /// turns into the proof that the first one landed.
    async fn a_refusal_as_duplicate_of_a_later_attempt_finds_the_first_post(stage) {
        stage.world().change_settings(|settings| settings.facebook.duplicate_window_s = Some(3_600));
        for outlet in stage.both().await {
            hide(stage, &outlet, LATER);
            let id = stage.deliver(&outlet, &Wanted::text("shown later")).await;
            let shown = stage.published(&id).await;
            let creates = stage.creates(&outlet);
            let CreateOutcome::Created(first) = &creates[0].outcome else { panic!("{creates:?}") };
            assert_eq!(shown.delivery.receipt.unwrap().remote_id, *first);
            assert!(matches!(creates[1].outcome, CreateOutcome::Refused(_)), "{creates:?}");
            assert_eq!((creates.len(), stage.made(&outlet)), (2, 1));
        }
    }

    /// Between the two attempts another post goes out and is the newest known: the refusal speaks of
    /// the first attempt all the same, and its post is found although it is older.
    async fn a_refusal_as_duplicate_speaks_of_the_first_attempt(stage) {
        stage.world().change_settings(|settings| settings.facebook.duplicate_window_s = Some(3_600));
        for outlet in stage.both().await {
            hide(stage, &outlet, LATER);
            let id = stage.deliver(&outlet, &Wanted::text("shown after the next one")).await;
            stage.until(&id, DeliveryState::Unknown).await;
            let between = stage.deliver(&outlet, &Wanted::text("the next one")).await;
            stage.published(&between).await;
            let shown = stage.published(&id).await;
            let creates = stage.creates(&outlet);
            let CreateOutcome::Created(first) = &creates[0].outcome else { panic!("{creates:?}") };
            assert_eq!(shown.delivery.receipt.unwrap().remote_id, *first);
            assert_eq!((creates.len(), stage.made(&outlet)), (3, 2));
        }
    }

    /// X answers with an id of the future, as a broken proxy may. It does not become the mark of what is
    /// newest: the next post, whose answer is lost, is found.
    async fn an_id_that_cannot_be_hides_no_later_post(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let body = r#"{"data":{"id":"7999999999999999999","text":"t"}}"#.to_owned();
        let headers = std::collections::BTreeMap::new();
        stage.spoil(&outlet, Kind::Answer { status: 201, headers, body, execute: true });
        let first = stage.deliver(&outlet, &Wanted::text("answered with nonsense")).await;
        let shown = stage.published(&first).await;
        let made = stage.posts(&outlet).remove(0).id;
        assert_eq!(shown.delivery.receipt.unwrap().remote_id, made);
        stage.spoil(&outlet, Kind::DropAfter);
        let second = stage.deliver(&outlet, &Wanted::text("after the nonsense")).await;
        stage.published(&second).await;
        assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (2, 2));
    }

    /// A mark that was taken for the newest by an older build, and cannot be, hides nothing either.
    async fn a_mark_that_cannot_be_hides_no_post(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let sql = "UPDATE accounts SET high_water = '7999999999999999999'";
        stage.setting().database.execute(sql).await;
        stage.spoil(&outlet, Kind::DropAfter);
        let id = stage.deliver(&outlet, &Wanted::text("after a wrong mark")).await;
        stage.published(&id).await;
        assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (1, 1));
        let marks = stage.setting().database.rows("SELECT high_water FROM accounts").await;
        assert_eq!(marks, [[stage.posts(&outlet).remove(0).id]], "the sound one has replaced it");
    }

    /// The same when the list never shows it: a person is asked, and it is there once.
    async fn a_duplicate_that_no_list_shows_ends_at_a_person(stage) {
        stage.world().change_settings(|settings| settings.facebook.duplicate_window_s = Some(3_600));
        for outlet in stage.both().await {
            hide(stage, &outlet, NEVER);
            let id = stage.deliver(&outlet, &Wanted::text("never shown")).await;
            let shown = asked(stage, &id).await;
            assert_eq!(reason(&shown), "duplicate_not_found");
            assert_eq!(stage.made(&outlet), 1);
        }
    }

    /// An official statement is not sent a second time by itself, and each of a person's three acts
    /// does what it says.
    async fn a_statement_in_doubt_ends_at_a_person_who_decides(stage) {
        for outlet in stage.both().await {
            let mut ids = Vec::new();
            for hidden in [Kind::DropBefore, Kind::DropBefore, Kind::DropAfter] {
                stage.spoil(&outlet, hidden.clone());
                stage.world().set_read_lag(outlet.platform, &outlet.remote_id, Some(NEVER));
                let wanted = Wanted::text("a statement").class("statement");
                let id = stage.deliver(&outlet, &wanted).await;
                assert_eq!(reason(&asked(stage, &id).await), "statement_in_doubt");
                ids.push(id);
            }
            assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (3, 1));
            let (acts, caller) = (stage.acts(), stage.caller());
            deliveries::retry(acts, caller, &ids[0]).await.unwrap();
            stage.published(&ids[0]).await;
            deliveries::give_up(acts, caller, &ids[1]).await.unwrap();
            stage.until(&ids[1], DeliveryState::Cancelled).await;
            let CreateOutcome::Created(remote_id) = stage.creates(&outlet)[2].outcome.clone() else {
                panic!("the third was carried out")
            };
            let found = Adoption { remote_id: Some(remote_id), permalink: None };
            deliveries::adopt(acts, caller, &ids[2], found).await.unwrap();
            stage.published(&ids[2]).await;
            assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (4, 2));
        }
    }

    /// A second doubt on one delivery always ends at a person.
    async fn a_second_doubt_ends_at_a_person(stage) {
        for outlet in stage.both().await {
            stage.world().faults().push(on(&outlet, Operation::Create, Kind::DropBefore).times(2));
            let id = stage.deliver(&outlet, &Wanted::text("twice in doubt")).await;
            assert_eq!(reason(&asked(stage, &id).await), "second_doubt");
            pass(Duration::from_secs(1)).await;
            assert_eq!(stage.creates(&outlet).len(), 2, "nothing is sent while a person is asked");
        }
    }

    /// Two posts that match cannot be told apart.
    async fn two_that_match_end_at_a_person(stage) {
        for outlet in stage.both().await {
            let wanted = Wanted::text("also typed by hand");
            let blind = on(&outlet, Operation::Read, Kind::ServerError { execute: false });
            stage.world().faults().push(blind.always());
            stage.spoil(&outlet, Kind::DropAfter);
            let id = stage.deliver(&outlet, &wanted).await;
            stage.until(&id, DeliveryState::Unknown).await;
            let text = &wanted.text;
            stage.world().insert_foreign(outlet.platform, &outlet.remote_id, text).unwrap();
            stage.world().faults().clear();
            let shown = asked(stage, &id).await;
            assert_eq!(reason(&shown), "several_found");
            assert_eq!(stage.creates(&outlet).len(), 1);
        }
    }

    /// The same words from before the attempt are not taken for it.
    async fn an_older_post_is_not_taken_for_ours(stage) {
        for outlet in stage.both().await {
            let wanted = Wanted::text("said an hour ago");
            let then = before(now(), Duration::from_hours(1));
            let (world, remote_id) = (stage.world(), &outlet.remote_id);
            let old =
                world.insert_foreign_at(outlet.platform, remote_id, &wanted.text, then).unwrap();
            stage.spoil(&outlet, Kind::DropBefore);
            let id = stage.deliver(&outlet, &wanted).await;
            let shown = stage.published(&id).await;
            assert_ne!(shown.delivery.receipt.unwrap().remote_id, old);
            assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (2, 1));
        }
    }

    /// A doubt holds up the same text on its account and nothing else.
    async fn a_doubt_blocks_only_its_own_text(stage) {
        for outlet in stage.both().await {
            let doubtful = Wanted::text("in doubt").class("statement");
            hide(stage, &outlet, NEVER);
            let first = stage.deliver(&outlet, &doubtful).await;
            stage.until(&first, DeliveryState::Unknown).await;
            let other = stage.deliver(&outlet, &Wanted::text("another text")).await;
            let again = stage.deliver(&outlet, &doubtful.clone().repeat()).await;
            stage.published(&other).await;
            eventually("the repeat waits", async || {
                let shown = stage.show(&again).await;
                let waits = shown.delivery.waits_for.map(|wait| wait.code);
                if waits.as_deref() == Some("same_text_in_doubt") { Ok(()) } else { Err(format!("{waits:?}")) }
            })
            .await;
            assert_eq!(stage.creates(&outlet).len(), 2);
            deliveries::cancel(stage.acts(), stage.caller(), &again).await.unwrap();
        }
    }

    /// Somebody swaps the tokens at the platform. Facebook refuses to post on another Page; X would
    /// post for whoever the token belongs to, so the check of the account must find it first.
    async fn a_token_of_another_account_publishes_nothing(stage) {
        for platform in [Platform::Facebook, Platform::X] {
            let (one, other) = (stage.outlet(platform).await, stage.outlet(platform).await);
            stage.world().swap_tokens(&one.token, &other.token);
            if platform == Platform::X {
                for outlet in [&one, &other] {
                    let due = after(stage.now(), Duration::from_mins(1));
                    let id = stage.deliver(outlet, &Wanted::text("misled").at(due)).await;
                    accounts::check(stage.acts(), stage.caller(), &outlet.id).await.unwrap();
                    stage.advance(Duration::from_mins(2));
                    stage.until(&id, DeliveryState::Held).await;
                }
            } else {
                for outlet in [&one, &other] {
                    let id = stage.deliver(outlet, &Wanted::text("misled")).await;
                    stage.until(&id, DeliveryState::Held).await;
                }
            }
            assert_eq!((stage.made(&one), stage.made(&other)), (0, 0));
        }
    }
}

/// The limit of the claim, and the proof that the judge would see a second post: a platform without a
/// filter of duplicates whose lists lag longer than the quiet wait. The same fault with a statement
/// makes none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lag_beyond_the_quiet_wait_is_the_limit_and_the_judge_sees_it() {
    let stage = Stage::start(crate::stage::Kind::Sqlite, &[]).await.unwrap();
    let outlet = stage.outlet(Platform::Facebook).await;
    hide(&stage, &outlet, NEVER);
    let id = stage.deliver(&outlet, &Wanted::text("twice")).await;
    stage.published(&id).await;
    assert_eq!(stage.made(&outlet), 2);
    let careful = stage.outlet(Platform::Facebook).await;
    hide(&stage, &careful, NEVER);
    let id = stage.deliver(&careful, &Wanted::text("once").class("statement")).await;
    asked(&stage, &id).await;
    assert_eq!(stage.made(&careful), 1);
    let found = stage.finish_with_findings().await;
    assert!(found.len() == 2 && found[0].contains("was asked for 1 times"), "{found:#?}");
}

staged! {
    with &[("CHANCERY_X__LOOKS_PER_ACCOUNT", "2/10m")];

    /// Two looks in ten minutes: after them nothing is concluded, however long the quiet wait and the
    /// patience are over, until there is room for another one.
    async fn a_look_that_does_not_fit_is_put_off_and_is_no_absence(stage) {
        let outlet = stage.outlet(Platform::X).await;
        stage.spoil(&outlet, Kind::ServerError { execute: false });
        let far = after(stage.now(), Duration::from_hours(3));
        let id = stage.deliver(&outlet, &Wanted::text("looked for twice").publish_by(far)).await;
        eventually("its looks are used up", async || {
            let wait = stage.show(&id).await.delivery.waits_for;
            let detail = wait.map(|it| it.detail).unwrap_or_default();
            if detail.contains("reads are used up") { Ok(()) } else { Err(detail) }
        })
        .await;
        // Eight quiet waits are 5.6 s: then a read that fails would have been put before a person.
        pass(Duration::from_secs(6)).await;
        assert_eq!(stage.show(&id).await.delivery.state, DeliveryState::Unknown);
        assert_eq!(stage.creates(&outlet).len(), 1);
        let sql = "SELECT CAST(SUM(creates) AS TEXT) FROM spending WHERE scope LIKE 'looks:x/%'";
        assert_eq!(stage.setting().database.rows(sql).await[0][0], "2");
        stage.advance(Duration::from_mins(11));
        stage.published(&id).await;
        assert_eq!((stage.creates(&outlet).len(), stage.made(&outlet)), (2, 1));
    }
}
