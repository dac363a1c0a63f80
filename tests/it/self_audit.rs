//! The service looks for broken promises in its own database while it runs: it is silent about what is as
//! it should be, and finds what was falsified past it, the audit's chain included.

use chancery::domain::id::DeliveryId;
use chancery::domain::invariant::Invariant;
use chancery::service::self_audit::{self, SelfAuditView};
use chancery::service::{Error, Window, deliveries, notifications};

use crate::stage::{Stage, Wanted, eventually, staged};

const OPTIONS: &[(&str, &str)] =
    &[("CHANCERY_NOTIFY__POLL_INTERVAL", "20ms"), ("CHANCERY_JOBS__SELF_AUDIT", "* * * * * *")];

async fn seen(stage: &Stage) -> SelfAuditView {
    self_audit::show(stage.acts(), stage.caller()).await.unwrap()
}

/// A look that began after now and has gone through the whole audit.
async fn looked(stage: &Stage) -> SelfAuditView {
    let (since, newest) = (stage.now(), newest(stage).await);
    eventually("it looks", async || {
        let seen = seen(stage).await;
        let through = seen.audit_seq >= newest && seen.looked_at.is_some_and(|at| at > since);
        if through { Ok(seen) } else { Err(format!("{seen:?}")) }
    })
    .await
}

async fn newest(stage: &Stage) -> i64 {
    let rows = stage.setting().database.rows("SELECT CAST(seq AS TEXT) FROM audit_head").await;
    rows[0][0].parse().unwrap()
}

/// Waits until this is found, and gives what administrators were told.
async fn finds(stage: &Stage, invariant: Invariant, subject: &str) {
    eventually(&format!("{invariant} of {subject} is found"), async || {
        let seen = seen(stage).await;
        let there =
            seen.violations.iter().any(|it| it.invariant == invariant && it.subject == subject);
        if there { Ok(()) } else { Err(format!("{:?}", seen.violations)) }
    })
    .await;
    eventually("administrators are told", async || {
        let window = Window { limit: 200, after: None };
        let all = notifications::list(stage.acts(), stage.caller(), false, &window).await.unwrap();
        let word = invariant.as_str();
        let told = |text: &str| text.contains("cam kết") && text.contains(word);
        if all.items.iter().any(|it| told(&it.text)) {
            Ok(())
        } else {
            Err(format!("{:?}", all.items))
        }
    })
    .await;
}

staged! { with OPTIONS;
    /// Sent, taken back, held, given another time: all as it should be. Then a row is changed past the
    /// service, and a link of the audit, and its end is cut off.
    async fn what_is_falsified_is_found_and_nothing_else(stage) {
        let [page, user] = stage.both().await;
        let mut ids: Vec<DeliveryId> = Vec::new();
        for outlet in [&page, &user] {
            ids.push(stage.deliver(outlet, &Wanted::text("as it should be")).await);
        }
        for id in &ids {
            stage.published(id).await;
        }
        let due = chancery::clock::after(stage.now(), std::time::Duration::from_hours(1));
        let back = stage.deliver(&user, &Wanted::text("taken back").at(due)).await;
        deliveries::cancel(stage.acts(), stage.caller(), &back).await.unwrap();
        let view = looked(stage).await;
        assert_eq!((view.violations.len(), view.deliveries >= 3), (0, true), "{view:?}");
        assert_eq!(view.invariants.len(), Invariant::ALL.len());
        let mut plain = stage.caller().clone();
        plain.actor.administrator = false;
        let refused = self_audit::show(stage.acts(), &plain).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");

        let database = &stage.setting().database;
        let falsify = |state: &str| format!("UPDATE deliveries SET state = '{state}' WHERE id = '{}'", ids[0]);
        database.execute(&falsify("failed")).await;
        finds(stage, Invariant::Audited, ids[0].as_str()).await;
        database.execute(&falsify("published")).await;
        let before = newest(stage).await;
        let later = stage.deliver(&user, &Wanted::text("one more").at(due)).await;
        stage.stop().await;
        let database = &stage.setting().database;
        let changed = before + 1;
        let kept = format!("SELECT actor FROM audit WHERE seq = {changed}");
        let actor = database.rows(&kept).await[0][0].clone();
        let reset = format!("UPDATE self_audit SET seq = {before}, hash = (SELECT hash FROM audit WHERE seq = {before})");
        database.execute(&reset).await;
        database.execute(&format!("UPDATE audit SET actor = 'nobody' WHERE seq = {changed}")).await;
        stage.resume().await;
        finds(stage, Invariant::Chain, &format!("audit:{changed}")).await;
        let mend = format!("UPDATE audit SET actor = '{actor}' WHERE seq = {changed}");
        stage.setting().database.execute(&mend).await;
        deliveries::cancel(stage.acts(), stage.caller(), &later).await.unwrap();
    }
}
