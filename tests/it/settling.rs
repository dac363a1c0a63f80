//! Outcomes that cannot be written down: kept, tried again, given up in the end, and then looked for;
//! and what platforms say that no database can keep.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery::domain::attempt::AttemptOutcome;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::DeliveryId;
use chancery::service::accounts;
use chancery::simulator::{Kind as FaultKind, Operation};
use serde_json::{Value, json};

use crate::stage::{Outlet, Stage, Wanted, eventually, on, pass, staged};

staged! {
    /// The database takes every outcome but one. The neighbours are published at once; that one is
    /// given up after many tries, doubted, found by reading back, and is there once.
    async fn an_outcome_that_cannot_be_written_is_given_up_and_looked_for(stage) {
        let [page, user] = stage.both().await;
        let database = &stage.setting().database;
        let mut rows = Vec::new();
        for outlet in [&page, &user] {
            stage.spoil(outlet, FaultKind::HangAfter { ms: 300 });
            rows.push(stage.deliver(outlet, &Wanted::text("not to be written")).await);
        }
        let [bad, good] = [&rows[0], &rows[1]];
        let condition = format!(
            "NEW.delivery_id = '{bad}' AND OLD.outcome = 'open' AND NEW.outcome = 'published'"
        );
        database.refuse("UPDATE ON attempts", &condition).await;
        stage.published(good).await;
        eventually("it is made", async || {
            let made = stage.made(&page);
            if made == 1 { Ok(()) } else { Err(made) }
        })
        .await;
        assert_eq!(stage.show(bad).await.delivery.state, DeliveryState::Publishing);
        let shown = eventually("it is published", async || {
            stage.advance(Duration::from_millis(500));
            let shown = stage.show(bad).await;
            let state = shown.delivery.state;
            if state == DeliveryState::Published { Ok(shown) } else { Err(state) }
        })
        .await;
        assert_eq!(shown.attempts.len(), 1);
        assert_eq!((stage.doubts(bad).await, stage.creates(&page).len()), (1, 1));
        database.permit().await;
        // Its account is not held up for ever.
        let next = stage.deliver(&page, &Wanted::text("after the given up")).await;
        stage.published(&next).await;
    }
}

/// Time goes by in steps that no lease lapses in.
async fn minutes(stage: &Stage, count: u32) {
    for _ in 0..count * 60 {
        stage.advance(Duration::from_secs(1));
        pass(Duration::from_millis(15)).await;
    }
}

async fn waits(stage: &Stage, id: &DeliveryId, code: &str) {
    eventually(code, async || {
        let it = stage.show(id).await.delivery;
        let waits = it.waits_for.map(|it| it.code);
        let there = it.state == DeliveryState::Scheduled && waits.as_deref() == Some(code);
        if there { Ok(()) } else { Err(format!("{} {waits:?} {:?}", it.state, it.problem)) }
    })
    .await;
}

/// It was tried some times in five minutes with growing waits, nothing was sent, and no attempt was used up.
async fn no_storm(stage: &Stage, id: &DeliveryId, outlet: &Outlet) {
    let tries = async || {
        let shown = stage.show(id).await;
        shown.attempts.iter().filter(|one| one.outcome == AttemptOutcome::Deferred).count()
    };
    let most = tries().await;
    assert!(most <= 12, "tried {most} times in five minutes");
    // A busy machine does not keep up with a clock that runs so fast: it gets more minutes for few tries.
    for _ in 0..40 {
        if tries().await >= 3 {
            break;
        }
        minutes(stage, 1).await;
    }
    // Not in the middle of a try, which may begin between the two reads of what is shown.
    let shown = eventually("no try is going on", async || {
        let it = stage.show(id).await;
        let open = it.attempts.iter().any(|one| one.outcome == AttemptOutcome::Open);
        let rests = it.delivery.state == DeliveryState::Scheduled && !open;
        if rests { Ok(it) } else { Err(format!("{}, open: {open}", it.delivery.state)) }
    })
    .await;
    let count = |outcome| shown.attempts.iter().filter(|one| one.outcome == outcome).count();
    let tries = count(AttemptOutcome::Deferred);
    assert!(tries >= 3, "tried {tries} times however long one waits");
    // Taken back: on a busy machine the lease is not renewed in time for a clock that runs so fast.
    let taken_back = count(AttemptOutcome::Withdrawn);
    assert_eq!(shown.attempts.len(), tries + taken_back, "{:#?}", shown.attempts);
    assert_eq!((shown.delivery.attempt_count, stage.creates(outlet).len()), (0, 0));
}

staged! {
    with &[("CHANCERY_PUBLISH__BACKOFF", "10s"), ("CHANCERY_PUBLISH__BACKOFF_MAX", "60s")];

    /// A credential that does not open is no fault of the post: it waits, is tried now and then, and
    /// goes out when the credential opens.
    async fn a_credential_that_does_not_open_is_waited_for(stage) {
        let [outlet, _] = stage.both().await;
        let version = |by: &str| {
            // What is sealed is bound to its version.
            format!("UPDATE credentials SET version = version {by} WHERE account_id = '{}'", outlet.id)
        };
        stage.setting().database.execute(&version("+ 1")).await;
        let id = stage.deliver(&outlet, &Wanted::text("sealed")).await;
        waits(stage, &id, "credential_sealed").await;
        minutes(stage, 5).await;
        no_storm(stage, &id, &outlet).await;
        stage.setting().database.execute(&version("- 1")).await;
        stage.advance(Duration::from_secs(61));
        assert_eq!(stage.published(&id).await.delivery.attempt_count, 1);
    }

    /// So does a picture that the disk does not give.
    async fn a_picture_that_cannot_be_read_is_waited_for(stage) {
        let [outlet, _] = stage.both().await;
        let (picture, _) = stage.picture(11).await;
        let files = stage.setting().directory().join("media");
        let folders = std::fs::read_dir(&files).unwrap().map(|it| it.unwrap());
        let mut kept = folders.filter(|it| !it.file_name().to_string_lossy().starts_with('.'));
        let folder = kept.next().unwrap().path();
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let wanted = Wanted::text("unreadable").picture(&picture, "Quốc kỳ");
        let id = stage.deliver(&outlet, &wanted).await;
        waits(stage, &id, "media_unreadable").await;
        minutes(stage, 5).await;
        no_storm(stage, &id, &outlet).await;
        std::fs::remove_dir(&file).unwrap();
        std::fs::write(&file, bytes).unwrap();
        stage.advance(Duration::from_secs(61));
        stage.published(&id).await;
        assert_eq!(stage.posts(&outlet)[0].photos.len(), 1);
    }
}

fn says(status: u16, body: &Value) -> FaultKind {
    FaultKind::Answer { status, headers: BTreeMap::new(), body: body.to_string(), execute: false }
}

staged! {
    /// PostgreSQL keeps no NUL: what platforms say with one is written down without it, whether they
    /// refuse, cannot be read, or tell their names.
    async fn a_nul_from_a_platform_is_no_obstacle(stage) {
        let [page, user] = stage.both().await;
        let told = [
            (&page, says(400, &json!({"error": {"message": "bad\0 token", "code": 190, "type": "\0"}}))),
            (&user, says(401, &json!({"title": "\0", "detail": "bad\0 token", "type": "a/\0b"}))),
        ];
        for (outlet, answer) in told {
            stage.world().faults().push(on(outlet, Operation::Create, answer));
            let id = stage.deliver(outlet, &Wanted::text("refused with a NUL")).await;
            let shown = stage.until(&id, DeliveryState::Held).await;
            assert!(shown.delivery.problem.unwrap().detail.contains("token"));
        }
        let [page, user] = stage.both().await;
        for outlet in [&page, &user] {
            let answer = json!({"error": {"message": "no\0", "code": 1}, "title": "no\0", "detail": "\0"});
            let blind = on(outlet, Operation::Any, says(503, &answer));
            stage.world().faults().push(blind.times(4));
            stage.spoil(outlet, FaultKind::DropAfter);
            let id = stage.deliver(outlet, &Wanted::text("read back with a NUL")).await;
            stage.published(&id).await;
            assert_eq!(stage.made(outlet), 1);
        }
        let names = [
            (&page, json!({"id": page.remote_id, "name": "A\0B", "followers_count": 1})),
            (&user, json!({"data": {"id": user.remote_id, "name": "A\0B", "username": "a\0b"}})),
        ];
        for (outlet, answer) in names {
            let identity = on(outlet, Operation::Identity, says(200, &answer));
            stage.world().faults().push(identity.always());
            accounts::check(stage.acts(), stage.caller(), &outlet.id).await.unwrap();
            assert_eq!(stage.account(outlet).await.health.owner_name.as_deref(), Some("AB"));
        }
    }
}
