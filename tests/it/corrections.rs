//! Correcting what is out: the post says the newest text whatever the answers look like, what others have
//! written is not overwritten, and every text that was public stays known.

use std::time::Duration;

use chancery::domain::correction::CorrectionState;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::deliveries::{
    self, Correcting, CorrectionView, DeliveryView, ProblemView, Recalling,
};
use chancery::service::quarantine::{self, Release};
use chancery::service::{Error, Services, holds};
use chancery::simulator::{Kind, Operation, Platform};
use serde_json::json;

use crate::deliveries::becomes;
use crate::planning::{Desk, delivery_of, schedule_of};
use crate::read_back::all_read;
use crate::recovery::{lose, succeeds};
use crate::stage::{self, Ground, Outlet, Stage, Wanted, eventually, on, pass, staged};
use crate::world::both;

fn to(text: &str) -> Correcting {
    let reason = "A wrong figure".to_owned();
    Correcting { text: text.to_owned(), reason, overwrite: None, intended_repeat: false }
}

async fn correct(stage: &Stage, id: &DeliveryId, text: &str) -> Result<DeliveryView, Error> {
    correct_at(stage, stage.acts(), id, to(text)).await
}

async fn correct_at(
    stage: &Stage,
    services: &Services,
    id: &DeliveryId,
    wish: Correcting,
) -> Result<DeliveryView, Error> {
    deliveries::correct(services, stage.caller(), id, wish).await.map(|done| done.value)
}

async fn published(stage: &Stage, outlet: &Outlet, wanted: &Wanted) -> DeliveryId {
    let id = stage.deliver(outlet, wanted).await;
    stage.published(&id).await;
    id
}

async fn entries(stage: &Stage, id: &DeliveryId, action: &str) -> usize {
    let sql = format!("SELECT action FROM audit WHERE subject = '{id}' AND action = '{action}'");
    stage.setting().database.rows(&sql).await.len()
}

/// Waits until the newest correction is as wanted.
async fn until(
    stage: &Stage,
    id: &DeliveryId,
    what: &str,
    is: impl Fn(&CorrectionView) -> bool,
) -> CorrectionView {
    eventually(&format!("the correction of {id} is {what}"), async || {
        let shown = stage.show(id).await.delivery;
        let found = shown.correction.clone().filter(|it| is(it));
        found.ok_or_else(|| format!("{:?} at {}", shown.correction, stage.now()))
    })
    .await
}

async fn done(stage: &Stage, id: &DeliveryId) -> CorrectionView {
    until(stage, id, "done", |it| it.state == CorrectionState::Done).await
}

fn text_of(stage: &Stage, outlet: &Outlet) -> String {
    let posts = stage.posts(outlet);
    assert_eq!(posts.len(), 1, "{posts:?}");
    posts[0].text.clone()
}

/// Whoever looks afterwards finds what should be there: nothing is said of it.
async fn nothing_is_noticed(stage: &Stage, id: &DeliveryId) {
    let looked = format!("SELECT id FROM jobs WHERE unique_key = 'verify:{id}' AND state = 'done'");
    stage.advance(Duration::from_secs(31));
    eventually("the account is looked after", async || {
        let sql = "SELECT account_id FROM foreign_reads";
        let rows = stage.setting().database.rows(sql).await;
        if rows.is_empty() { Err("not yet") } else { Ok(()) }
    })
    .await;
    stage.advance(Duration::from_mins(11));
    eventually("it was looked for, and the account read", async || {
        let rows = stage.setting().database.rows(&looked).await;
        let sql = "SELECT account_id FROM foreign_reads WHERE read_at IS NOT NULL";
        let read = stage.setting().database.rows(sql).await;
        if rows.is_empty() || read.is_empty() { Err("not yet") } else { Ok(()) }
    })
    .await;
    assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Published);
    let found = stage.setting().database.rows("SELECT id FROM foreign_posts").await;
    assert_eq!(found, Vec::<Vec<String>>::new());
}

staged! {
    with &[("CHANCERY_FOREIGN__FACEBOOK_EVERY", "10m"), ("CHANCERY_VERIFY__SPANS", "5m")];

    /// The same post under the same id, and everything that it has said stays known.
    async fn what_is_out_says_what_it_is_corrected_to(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let wanted = Wanted::text("with 3 %");
        let id = published(stage, &outlet, &wanted).await;
        let before = stage.show(&id).await;
        let asked = correct(stage, &id, "  Tin đã sửa: 5 %\r\n").await.unwrap();
        assert_eq!(asked.state, DeliveryState::Published);
        let correction = done(stage, &id).await;
        assert_eq!((correction.number, correction.tries, correction.problem), (1, 0, None));
        assert_eq!(correction.asked_by, stage.caller().actor.label());
        assert_eq!(text_of(stage, &outlet), "Tin đã sửa: 5 %");
        let shown = stage.show(&id).await;
        assert_eq!(shown.delivery.receipt, before.delivery.receipt);
        assert_eq!(shown.content.text, wanted.text, "what was published first is never overwritten");
        assert_eq!(shown.delivery.content_hash, before.delivery.content_hash);
        let texts: Vec<_> = shown.texts.iter().map(|it| (it.number, it.text.as_str())).collect();
        assert_eq!(texts, [(0, wanted.text.as_str()), (1, "Tin đã sửa: 5 %")]);
        assert_eq!((shown.texts[0].until, shown.texts[1].until), (Some(shown.texts[1].from), None));
        assert_ne!(shown.texts[0].content_hash, shown.texts[1].content_hash);
        for action in ["delivery.correct", "delivery.corrected"] {
            assert_eq!(entries(stage, &id, action).await, 1, "{action}");
        }
        eventually("people are told", async || {
            let sql = "SELECT id FROM outbox WHERE event = 'delivery.corrected'";
            let rows = stage.setting().database.rows(sql).await;
            if rows.len() == 1 { Ok(()) } else { Err(rows.len()) }
        })
        .await;
        assert_eq!(stage.creates(&outlet).len(), 1);
        let again = correct(stage, &id, "Tin đã sửa: 5 %").await;
        assert!(matches!(&again, Err(Error::Conflict(told)) if told.code == "already_said"), "{again:?}");

        // What was said is not said again unless that is meant, in the new words and in the old.
        let mut said = Wanted::text("");
        said.text = "Tin đã sửa: 5 %".to_owned();
        let repeated = stage.deliver(&outlet, &said).await;
        let refused = stage.until(&repeated, DeliveryState::Failed).await.delivery;
        assert_eq!(refused.problem.unwrap().code, "same_text_recently");

        nothing_is_noticed(stage, &id).await;
    }

    /// Its later correction, another one, a recall: each is what it says.
    async fn a_later_one_takes_its_place_and_a_recall_ends_it(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let id = published(stage, &outlet, &Wanted::text("corrected twice").comment("below")).await;
        correct(stage, &id, "one").await.unwrap();
        done(stage, &id).await;
        correct(stage, &id, "two").await.unwrap();
        let second = done(stage, &id).await;
        assert_eq!(second.number, 2);
        let shown = stage.show(&id).await;
        assert_eq!(shown.texts.iter().map(|it| it.number).collect::<Vec<_>>(), [0, 1, 2]);
        let refusing = Kind::Graph { code: 200, subcode: None, execute: false };
        stage.world().faults().push(on(&outlet, Operation::Change, refusing).always());
        correct(stage, &id, "three").await.unwrap();
        let stuck = until(stage, &id, "stuck", |it| it.state == CorrectionState::Stuck).await;
        let problem = stuck.problem.unwrap();
        let link = shown.delivery.receipt.unwrap().permalink.unwrap();
        assert!(problem.code == "correction_refused" && problem.hint.contains(&link), "{problem:?}");
        assert_eq!(entries(stage, &id, "delivery.correction_stuck").await, 1, "told once");
        stage.world().faults().clear();
        // What somebody has done by hand is seen.
        let post = &stage.posts(&outlet)[0].id;
        assert!(stage.world().rewrite(Platform::Facebook, &outlet.remote_id, post, "three"));
        done(stage, &id).await;
        let comment = stage.show(&id).await.delivery;
        assert_eq!(comment.correction.unwrap().number, 3);

        let never = Kind::ServerError { execute: false };
        stage.world().faults().push(on(&outlet, Operation::Change, never).times(2));
        correct(stage, &id, "four").await.unwrap();
        let why = Recalling { reason: "Not at all".to_owned() };
        deliveries::recall(stage.acts(), stage.caller(), &id, why).await.unwrap();
        stage.until(&id, DeliveryState::Recalled).await;
        let late = correct(stage, &id, "five").await;
        assert!(matches!(&late, Err(Error::Conflict(told)) if told.code == "not_published"), "{late:?}");
        until(stage, &id, "over", |it| {
            matches!(it.state, CorrectionState::Dropped | CorrectionState::Done)
        })
        .await;
    }

    /// Made or not, the answer does not say: the post says what it should in the end, once.
    async fn an_unclear_answer_is_looked_into(stage) {
        let mut all = Vec::new();
        for kind in [
            Kind::DropBefore,
            Kind::DropAfter,
            Kind::ServerError { execute: true },
            Kind::ServerError { execute: false },
            Kind::Empty,
            Kind::HangAfter { ms: 5_000 },
        ] {
            let outlet = stage.outlet(Platform::Facebook).await;
            let id = published(stage, &outlet, &Wanted::text("unclear")).await;
            stage.world().faults().push(on(&outlet, Operation::Change, kind.clone()));
            let text = format!("clear: {}", kind.name());
            correct(stage, &id, &text).await.unwrap();
            all.push((id, outlet, text));
        }
        for (id, outlet, text) in all {
            let made = done(stage, &id).await;
            assert_eq!((made.number, text_of(stage, &outlet)), (1, text));
            assert_eq!(stage.show(&id).await.texts.len(), 2);
            assert_eq!(entries(stage, &id, "delivery.corrected").await, 1);
        }
    }

    /// Somebody has changed it at the platform: that stays until a person who has seen it says otherwise.
    async fn what_others_have_written_is_not_overwritten(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let id = published(stage, &outlet, &Wanted::text("changed elsewhere")).await;
        let post = stage.posts(&outlet)[0].id.clone();
        let rewrite = |text: &str| {
            assert!(stage.world().rewrite(Platform::Facebook, &outlet.remote_id, &post, text));
        };
        rewrite("by hand");
        correct(stage, &id, "from here").await.unwrap();
        let stuck = until(stage, &id, "stuck", |it| it.state == CorrectionState::Stuck).await;
        assert_eq!(stuck.problem.unwrap().code, "correction_conflict");
        assert_eq!((stuck.shown.as_deref(), text_of(stage, &outlet).as_str()), (Some("by hand"), "by hand"));
        assert_eq!(entries(stage, &id, "delivery.correction_stuck").await, 1);
        // Seen was another text than the one that is there by now.
        rewrite("by hand, again");
        let over = Correcting { overwrite: stuck.shown_hash, ..to("from here") };
        correct_at(stage, stage.acts(), &id, over).await.unwrap();
        let again = until(stage, &id, "stuck again", |it| {
            it.number == 2 && it.state == CorrectionState::Stuck
        })
        .await;
        assert_eq!(text_of(stage, &outlet), "by hand, again");
        let over = Correcting { overwrite: again.shown_hash.clone(), ..to("from here") };
        correct_at(stage, stage.acts(), &id, over).await.unwrap();
        done(stage, &id).await;
        assert_eq!(text_of(stage, &outlet), "from here");

        // Our own last words are put back where the platform shows others, and only there.
        let said = |again: &Result<DeliveryView, Error>| {
            assert!(matches!(again, Err(Error::Conflict(told)) if told.code == "already_said"), "{again:?}");
        };
        let seen = again.shown_hash;
        let over = || Correcting { overwrite: seen.clone(), ..to("from here") };
        said(&correct(stage, &id, "from here").await);
        said(&correct_at(stage, stage.acts(), &id, over()).await);
        rewrite("by a stranger");
        correct(stage, &id, "from here").await.unwrap();
        let stuck = until(stage, &id, "stuck at the stranger's", |it| {
            it.number == 4 && it.state == CorrectionState::Stuck
        })
        .await;
        assert_eq!(stuck.shown.as_deref(), Some("by a stranger"));
        let over = Correcting { overwrite: stuck.shown_hash, ..to("from here") };
        correct_at(stage, stage.acts(), &id, over).await.unwrap();
        until(stage, &id, "put back", |it| it.number == 5 && it.state == CorrectionState::Done).await;
        assert_eq!(text_of(stage, &outlet), "from here");
    }

    /// One account does not say the same twice within a day, by whatever way, unless that is meant.
    async fn what_the_account_has_said_elsewhere_is_not_corrected_to(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let [first, second] = [Wanted::text("said once"), Wanted::text("to be corrected")];
        let other = published(stage, &outlet, &first).await;
        let id = published(stage, &outlet, &second).await;
        let repeats = |again: &Result<DeliveryView, Error>| {
            let is = |told: &chancery::service::Told| told.code == "same_text_recently";
            assert!(matches!(again, Err(Error::Conflict(told)) if is(told)), "{again:?}");
        };
        repeats(&correct(stage, &id, &first.text).await);
        assert!(stage.show(&id).await.delivery.correction.is_none(), "nothing of it is kept");
        let meant = Correcting { intended_repeat: true, ..to(&first.text) };
        correct_at(stage, stage.acts(), &id, meant).await.unwrap();
        done(stage, &id).await;
        correct(stage, &id, "in other words").await.unwrap();
        // Of whatever is wanted elsewhere, as of what is out.
        repeats(&correct(stage, &other, "in other words").await);
        done(stage, &id).await;
        repeats(&correct(stage, &other, "in other words").await);
        stage.advance(Duration::from_hours(25));
        correct(stage, &other, "in other words").await.unwrap();
        done(stage, &other).await;
    }

    /// Words that the platform has refused were never public, so they may be said. While nobody knows whether they
    /// are, the same words wait.
    async fn words_that_were_refused_may_be_said_elsewhere(stage) {
        let refused = || Kind::Graph { code: 200, subcode: None, execute: false };
        let [page, other] = [stage.outlet(Platform::Facebook).await, stage.outlet(Platform::Facebook).await];
        let [out, doubtful] = [Wanted::text("cannot be changed"), Wanted::text("nobody knows")];
        let [anew, doubted] = [Wanted::text("said anew"), Wanted::text("in doubt")];
        let id = published(stage, &page, &out).await;
        stage.world().faults().push(on(&page, Operation::Change, refused()).always());
        correct(stage, &id, &anew.text).await.unwrap();
        until(stage, &id, "refused", |it| it.state == CorrectionState::Stuck && it.begun_at.is_none()).await;
        published(stage, &page, &anew).await;

        // Nobody knows what came of the first request, and those after it are refused.
        let id = published(stage, &other, &doubtful).await;
        stage.world().faults().push(on(&other, Operation::Change, Kind::ServerError { execute: false }));
        stage.world().faults().push(on(&other, Operation::Change, refused()).always());
        correct(stage, &id, &doubted.text).await.unwrap();
        until(stage, &id, "refused after a doubt", |it| it.tries > 1 && it.begun_at.is_some()).await;
        let waits = stage.deliver(&other, &doubted).await;
        eventually("the same words wait", async || {
            let shown = stage.show(&waits).await.delivery;
            let code = shown.waits_for.map(|it| it.code);
            if code.as_deref() == Some("same_text_in_doubt") { Ok(()) } else { Err(format!("{code:?} {}", shown.state)) }
        })
        .await;
        // When it could have come no more, the post shows that it has not.
        stage.advance(Duration::from_mins(20));
        until(stage, &id, "certain", |it| it.begun_at.is_none()).await;
        stage.advance(Duration::from_mins(1));
        stage.published(&waits).await;
        assert_eq!(stage.posts(&other).iter().filter(|it| it.text == doubted.text).count(), 1);
    }

    /// Where nothing may be published nothing is corrected. Whoever has asked for it is shown why, and people
    /// are told when that takes long.
    async fn what_a_closed_account_or_unit_has_said_is_not_corrected(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let id = published(stage, &outlet, &Wanted::text("and then closed")).await;
        let never = Kind::ServerError { execute: false };
        stage.world().faults().push(on(&outlet, Operation::Change, never).always());
        correct(stage, &id, "after the closing").await.unwrap();
        until(stage, &id, "tried", |it| it.tries > 0).await;
        for (harm, mended, why) in [
            ("accounts SET status = 'paused'", "accounts SET status = 'connected'", "connected again"),
            ("units SET closed_on = '2000-01-01'", "units SET closed_on = NULL", "unit is closed"),
        ] {
            stage.setting().database.execute(&format!("UPDATE {harm}")).await;
            stage.advance(Duration::from_secs(16));
            until(stage, &id, "waiting", |it| {
                let is = |it: &ProblemView| it.code == "correction_waits" && it.detail.contains(why);
                it.problem.as_ref().is_some_and(is)
            })
            .await;
            stage.world().faults().clear();
            stage.advance(Duration::from_mins(11));
            eventually("people are told", async || {
                let told = entries(stage, &id, "delivery.correction_stuck").await;
                if told == 1 { Ok(()) } else { Err(told) }
            })
            .await;
            assert_ne!(text_of(stage, &outlet), "after the closing");
            let never = Kind::ServerError { execute: false };
            stage.world().faults().push(on(&outlet, Operation::Change, never).always());
            stage.setting().database.execute(&format!("UPDATE {mended}")).await;
        }
        stage.world().faults().clear();
        stage.advance(Duration::from_secs(16));
        done(stage, &id).await;
        assert_eq!(text_of(stage, &outlet), "after the closing");
    }

    /// A hold stops new words, and what is corrected are such. It is made when the hold has ended.
    async fn a_hold_stops_a_correction_until_it_ends(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let id = published(stage, &outlet, &Wanted::text("out before the hold")).await;
        let all = serde_json::from_value(json!({"scope": {"all": true}, "reason": "Mourning"}));
        let placed = holds::place(stage.acts(), stage.caller(), all.unwrap()).await.unwrap().value;
        correct(stage, &id, "during the hold").await.unwrap();
        let waits = until(stage, &id, "waiting", |it| it.problem.is_some()).await;
        let problem = waits.problem.unwrap();
        assert!(problem.code == "correction_waits" && problem.detail.contains("hold"), "{problem:?}");
        stage.advance(Duration::from_mins(20));
        pass(Duration::from_millis(300)).await;
        assert_ne!(text_of(stage, &outlet), "during the hold");
        assert_eq!(entries(stage, &id, "delivery.correction_stuck").await, 0, "people know of the hold");
        holds::lift(stage.acts(), stage.caller(), &placed.hold.id).await.unwrap();
        stage.advance(Duration::from_secs(16));
        done(stage, &id).await;
        assert_eq!(text_of(stage, &outlet), "during the hold");
    }

    /// The platform does the first one late, after the second and after its deadline and the quiet wait: as if
    /// it had left on a node late in its lease. What the post says in the end is the second.
    async fn an_earlier_request_that_comes_late_does_not_win(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        let id = published(stage, &outlet, &Wanted::text("overtaken")).await;
        stage.world().faults().push(on(&outlet, Operation::Change, Kind::Late { ms: 2_500 }));
        correct(stage, &id, "the first").await.unwrap();
        eventually("the first has left", async || {
            let waiting = stage.world().faults().waiting();
            if waiting.is_empty() { Ok(()) } else { Err(format!("{waiting:?}")) }
        })
        .await;
        correct(stage, &id, "the second").await.unwrap();
        let made = done(stage, &id).await;
        assert_eq!((made.number, text_of(stage, &outlet).as_str()), (2, "the second"));
        let shown = stage.show(&id).await;
        // On a busy machine the first may have been made before the second was asked for.
        let last = shown.texts.last().map(|it| it.number);
        assert_eq!((shown.corrections.len(), last), (2, Some(2)));
        // It has come by now, and was seen.
        stage.advance(Duration::from_secs(10));
        pass(Duration::from_millis(300)).await;
        assert_eq!(text_of(stage, &outlet), "the second");
    }
}

/// Asked for on two nodes at once, again and again: the post says the newest, and each is made once at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_the_newest_wish_wins() {
    let Some(stage) = Stage::start(stage::Kind::Postgres, &[]).await else { return };
    let other = stage.another(&[]).await;
    let outlet = stage.outlet(Platform::Facebook).await;
    let id = published(&stage, &outlet, &Wanted::text("two desks")).await;
    let unclear = on(&outlet, Operation::Change, Kind::DropAfter).times(3);
    stage.world().faults().push(unclear);
    for round in 0..4 {
        let (one, two) = (format!("here {round}"), format!("there {round}"));
        let (one, two) = tokio::join!(
            correct_at(&stage, stage.acts(), &id, to(&one)),
            correct_at(&stage, other.acts(), &id, to(&two)),
        );
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    }
    let made =
        until(&stage, &id, "made", |it| it.number == 8 && it.state == CorrectionState::Done).await;
    assert_eq!(text_of(&stage, &outlet), made.text);
    let shown = stage.show(&id).await;
    assert_eq!(shown.corrections.len(), 8);
    assert!(shown.corrections.iter().all(|it| !it.state.is_open()), "{:?}", shown.corrections);
    assert_eq!(stage.creates(&outlet).len(), 1);
    assert!(other.stop().await);
    stage.finish().await;
}

/// A backup from before a correction knows nothing of it: nothing is published again, and an old wish does
/// not overwrite what was asked for since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_from_before_a_correction_undoes_nothing() {
    let mut stage = Stage::start(stage::Kind::Sqlite, &[]).await.unwrap();
    let [first, second] =
        [stage.outlet(Platform::Facebook).await, stage.outlet(Platform::Facebook).await];
    let plain = published(&stage, &first, &Wanted::text("before the backup")).await;
    let wished = published(&stage, &second, &Wanted::text("with a wish")).await;
    let never = Kind::ServerError { execute: false };
    stage.world().faults().push(on(&second, Operation::Change, never).always());
    correct(&stage, &wished, "the old wish").await.unwrap();
    until(&stage, &wished, "tried", |it| it.tries > 0).await;
    let kept = stage.setting().directory().join("backup");
    let kept = kept.to_str().unwrap();
    succeeds(&stage, &["backup", kept]);
    stage.world().faults().clear();
    for (id, text) in [(&plain, "after the backup"), (&wished, "the new wish")] {
        correct(&stage, id, text).await.unwrap();
        let made = done(&stage, id).await;
        assert_eq!(made.text, text);
    }
    stage.stop().await;
    lose(&stage);
    succeeds(&stage, &["restore", kept]);
    stage.resume().await;
    let waits = until(&stage, &wished, "waiting", |it| {
        it.problem.as_ref().is_some_and(|it| it.code == "correction_waits")
    })
    .await;
    assert_eq!(waits.text, "the old wish");
    all_read(&stage).await;
    quarantine::release(stage.acts(), stage.caller(), &Release::default()).await.unwrap();
    stage.advance(Duration::from_secs(16));
    eventually("the old wish is put before people", async || {
        let it = stage.show(&wished).await.delivery.correction.unwrap();
        let code = it.problem.as_ref().map(|it| it.code.as_str());
        if code == Some("correction_conflict") { Ok(()) } else { Err(format!("{it:?}")) }
    })
    .await;
    for (id, outlet, text) in
        [(&plain, &first, "after the backup"), (&wished, &second, "the new wish")]
    {
        assert_eq!(text_of(&stage, outlet), text);
        assert_eq!(stage.show(id).await.delivery.state, DeliveryState::Published);
        assert_eq!(stage.creates(outlet).len(), 1);
    }
    stage.finish().await;
}

/// On Mastodon nobody can say what an edit is to replace, but it keeps what was replaced: people are told of
/// what somebody has written between the look and the edit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_overwritten_unseen_is_told() {
    let ground = Ground::lay().await;
    let server = ground.simulators.mastodon_url();
    let options = [
        ("CHANCERY_MASTODON__SERVERS", server.as_str()),
        ("CHANCERY_MASTODON__LOOKS_PER_ACCOUNT", ""),
        ("CHANCERY_PUBLISH__REQUEST_TIMEOUT", "20s"),
        ("CHANCERY_PUBLISH__LEASE", "60s"),
    ];
    let Some(stage) = Stage::upon(ground, stage::Kind::Sqlite, &options).await else { return };
    let outlet = stage.outlet(Platform::Mastodon).await;
    let id = published(&stage, &outlet, &Wanted::text("3 %")).await;
    let post = stage.posts(&outlet)[0].id.clone();
    // The answer to the look is as old as that by the time of the edit.
    stage.world().faults().push(on(&outlet, Operation::Read, Kind::HangAfter { ms: 4_000 }));
    correct(&stage, &id, "5 %").await.unwrap();
    eventually("it is looked at", async || {
        let waiting = stage.world().faults().waiting();
        if waiting.is_empty() { Ok(()) } else { Err(format!("{waiting:?}")) }
    })
    .await;
    assert!(stage.world().rewrite(Platform::Mastodon, &outlet.remote_id, &post, "by hand"));
    let made = done(&stage, &id).await;
    assert_eq!(text_of(&stage, &outlet), "5 %");
    assert_eq!(made.problem.map(|it| it.code).as_deref(), Some("correction_overwrote"));
    assert_eq!(made.shown.as_deref(), Some("by hand"));
    for action in ["delivery.corrected", "delivery.correction_stuck"] {
        assert_eq!(entries(&stage, &id, action).await, 1, "{action}");
    }
    // What we have written ourselves is nobody else's.
    correct(&stage, &id, "7 %").await.unwrap();
    let made =
        until(&stage, &id, "done again", |it| it.number == 2 && it.state == CorrectionState::Done)
            .await;
    assert_eq!((made.problem, made.shown), (None, None));
    stage.finish().await;
}

both! {
    async fn over_http_a_correction_has_a_text_a_reason_and_its_limits(world) {
        let desk = Desk::open(world).await;
        let post = desk.post(world, "Số liệu sai").await;
        let wanted = json!({"deliveries": [
            {"account_id": desk.page, "language": "vi", "now": true},
            {"account_id": desk.profile, "language": "vi", "now": true},
        ]});
        let made = world.ask("POST", &schedule_of(&post)).json(&wanted).await.expect(201);
        let (page, profile) = (&made["deliveries"][0], &made["deliveries"][1]);
        let place = format!("{}/correct", delivery_of(page));
        let body = json!({"text": "Số liệu đúng", "reason": "Số liệu sai"});
        for delivery in [page, profile] {
            becomes(world, delivery, "published").await;
        }
        for (bad, pointer, code) in [
            (json!({"text": "\n", "reason": "x"}), "/text", "blank"),
            (json!({"text": "a\u{0}b", "reason": "x"}), "/text", "text_control_character"),
            (json!({"text": "a\u{202e}b", "reason": "x"}), "/text", "text_direction_unbalanced"),
            (json!({"text": "a".repeat(63_207), "reason": "x"}), "/text", "text_too_long"),
            (json!({"text": "a", "reason": ""}), "/reason", "blank"),
            (json!({"text": "a", "reason": "x", "overwrite": "y"}), "/overwrite", "bad_overwrite"),
        ] {
            let answer = world.ask("POST", &place).json(&bad).await;
            assert_eq!(answer.faults()[0], (pointer.to_owned(), code.to_owned()), "{bad}");
        }
        let elsewhere = format!("{}/correct", delivery_of(profile));
        let answer = world.ask("POST", &elsewhere).json(&body).await;
        assert_eq!(answer.faults()[0].1, "correction_not_possible");
        let reader = world.token(json!({"name": "reader", "scopes": ["deliveries:read"]})).await;
        let token = reader["token"].as_str().unwrap();
        world.ask_as(token, "POST", &place).json(&body).await.problem(403, "scope_missing");
        let asked = || world.ask("POST", &place).key("correct-1").json(&body);
        let first = asked().await.expect(200);
        assert_eq!(first["correction"]["reason"], "Số liệu sai");
        eventually("it is corrected", async || {
            let shown = world.ask("GET", &delivery_of(page)).send().await.expect(200);
            let is_done = shown["correction"]["state"] == "done";
            if is_done { Ok(()) } else { Err(shown["correction"].to_string()) }
        })
        .await;
        assert_eq!(asked().await.header("idempotency-replayed"), "true");
        let id = &world.seed.accounts()[0].page.id;
        assert_eq!(world.simulators.world().page_posts(id)[0].text, "Số liệu đúng");
        world.ask("POST", &place).json(&body).await.problem(409, "already_said");
        let later = desk.scheduled(world, "Để sau", "2031-09-02T02:00:00Z").await;
        let early = world.ask("POST", &format!("{}/correct", delivery_of(&later))).json(&body).await;
        assert_eq!(early.problem(409, "not_published")["state"], "scheduled");
    }
}
