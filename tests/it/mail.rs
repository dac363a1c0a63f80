//! Mail: for those who asked for it, many things in one, and never in anybody's way.

use std::time::Duration;

use chancery::domain::delivery::DeliveryState;
use chancery::service::notifications::{self, SettingsChange};
use chancery::simulator::{Kind as FaultKind, Platform, Problem};
use serde_json::json;

use crate::receiver::{Post, Temper};
use crate::stage::{Outlet, Stage, Wanted, eventually, pass, staged};
use crate::webhooks::OPTIONS;

/// Starts the service anew with a mail server; the administrator wants to be written to about what
/// fails, in this language.
async fn with_mail(stage: &mut Stage, temper: Temper, locale: &str) -> Post {
    let post = Post::start(temper).await;
    stage.stop().await;
    for (name, value) in [
        ("CHANCERY_MAIL__HOST", "127.0.0.1"),
        ("CHANCERY_MAIL__PORT", post.port().as_str()),
        ("CHANCERY_MAIL__SECURITY", "none"),
        ("CHANCERY_MAIL__FROM", "Chancery <desk@mofa.example>"),
        ("CHANCERY_MAIL__TIMEOUT", "10m"),
        ("CHANCERY_MAIL__BACKOFF", "20ms"),
        ("CHANCERY_MAIL__BACKOFF_MAX", "100ms"),
    ] {
        stage.set_option(name, value);
    }
    stage.resume().await;
    let change = json!({"mail": ["delivery.failed"], "locale": locale});
    let change: SettingsChange = serde_json::from_value(change).unwrap();
    let (acts, caller) = (stage.acts(), stage.caller());
    let chosen = notifications::change_settings(acts, caller, None, change).await.unwrap().value;
    assert!(chosen.mail_available);
    post
}

async fn refused(stage: &Stage, outlet: &Outlet, what: &str) {
    let problem = Problem::ReplyRule;
    stage.spoil(outlet, FaultKind::XProblem { problem, execute: false });
    let id = stage.deliver(outlet, &Wanted::text(what)).await;
    stage.until(&id, DeliveryState::Failed).await;
}

async fn came(post: &Post, count: usize) {
    eventually(&format!("{count} mails"), async || {
        let seen = post.mails().len();
        if seen >= count { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// How many notifications lie in the database, read or not.
async fn notified(stage: &Stage, count: usize) {
    eventually(&format!("{count} notifications"), async || {
        let rows = stage.setting().database.rows("SELECT id FROM notifications").await.len();
        if rows >= count { Ok(()) } else { Err(rows) }
    })
    .await;
}

staged! { with OPTIONS;
    async fn mail_comes_to_those_who_want_it_in_their_language(stage) {
        let outlet = stage.outlet(Platform::X).await;
        // Nobody has asked for mail yet.
        refused(stage, &outlet, "before").await;
        let post = with_mail(stage, Temper::Well, "vi").await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("fine")).await).await;
        refused(stage, &outlet, "after").await;
        came(&post, 1).await;
        let mail = post.mails().remove(0);
        assert_eq!(mail.to, "an.nguyen@mofa.example");
        let body = mail.body();
        assert!(body.starts_with("Kính gửi An Nguyễn,"), "{body}");
        assert!(body.contains("Bài không đăng được: A test"), "{body}");
        assert!(mail.header("Message-ID").ends_with("@mofa.example>"), "{}", mail.text);
        pass(Duration::from_millis(300)).await;
        assert_eq!(post.mails().len(), 1);
    }

    /// However much happens, one mail of a kind in a quarter of an hour; the rest comes together.
    async fn many_things_come_in_one_mail(stage) {
        let post = with_mail(stage, Temper::Well, "en").await;
        let outlet = stage.outlet(Platform::X).await;
        refused(stage, &outlet, "first").await;
        came(&post, 1).await;
        for number in 0..4 {
            refused(stage, &outlet, &format!("more {number}")).await;
        }
        notified(stage, 5).await;
        pass(Duration::from_millis(300)).await;
        assert_eq!(post.mails().len(), 1, "a storm of mail");
        stage.advance(Duration::from_mins(16));
        came(&post, 2).await;
        let mail = post.mails().remove(1);
        assert_eq!(mail.header("Subject"), "Could not be published (4)");
        assert_eq!(mail.body().matches("Could not be published: A test").count(), 4);
        pass(Duration::from_millis(300)).await;
        assert_eq!(post.mails().len(), 2);
    }

    /// A mail server that refuses for now, and one that says nothing: mail waits, publishing does not.
    async fn a_mail_server_that_does_not_work_delays_mail_alone(stage) {
        let post = with_mail(stage, Temper::Ailing, "en").await;
        let outlet = stage.outlet(Platform::X).await;
        refused(stage, &outlet, "ailing").await;
        eventually("it was asked twice", async || {
            let visits = post.visits();
            if visits >= 2 { Ok(()) } else { Err(visits) }
        }).await;
        stage.published(&stage.deliver(&outlet, &Wanted::text("meanwhile")).await).await;
        assert_eq!(post.mails().len(), 0);
        post.becomes(Temper::Well);
        came(&post, 1).await;
        // Mails of one kind keep a distance from the one before, reckoned from when that was written down.
        eventually("it is written down", async || {
            let sql = "SELECT id FROM mail_items WHERE outcome IS NULL";
            let open = stage.setting().database.rows(sql).await.len();
            if open == 0 { Ok(()) } else { Err(open) }
        }).await;
        post.becomes(Temper::Silent);
        stage.advance(Duration::from_mins(16));
        let before = post.visits();
        refused(stage, &outlet, "silent").await;
        eventually("it was asked again", async || {
            if post.visits() > before { Ok(()) } else { Err(before) }
        }).await;
        for number in 0..3 {
            let what = format!("while it is silent {number}");
            let shown = stage.published(&stage.deliver(&outlet, &Wanted::text(&what)).await).await;
            assert_eq!(shown.delivery.attempt_count, 1);
        }
        // The judge stops the service, which must not wait for the mail server.
        assert_eq!(post.mails().len(), 1);
    }

    /// An address that does not exist is not tried again and again.
    async fn a_mail_that_is_refused_for_good_is_given_up(stage) {
        let post = with_mail(stage, Temper::NoMailbox, "en").await;
        let outlet = stage.outlet(Platform::X).await;
        refused(stage, &outlet, "no mailbox").await;
        eventually("it is given up", async || {
            let sql = "SELECT outcome FROM mail_items";
            let rows = stage.setting().database.rows(sql).await;
            if rows == [["refused"]] { Ok(()) } else { Err(format!("{rows:?}")) }
        }).await;
        let visits = post.visits();
        pass(Duration::from_millis(400)).await;
        assert_eq!((post.visits(), post.mails().len()), (visits, 0));
    }
}
