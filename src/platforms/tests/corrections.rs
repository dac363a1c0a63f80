//! What our clients say of giving a post another text, against the simulated platforms that have it:
//! whatever the answers look like, it must be true; and it may be repeated.

use serde_json::{Value, json};

use super::after::hostile;
use super::correcting::{Corrects, Revision};
use super::outcome::{Alteration, Outcome, RefusalKind, Wording};
use super::session::{Progress, Session};
use super::subjects::{Stage, Subject, item};
use crate::domain::text::normalised;
use crate::domain::variant::{Content, ContentMedia};
use crate::simulator::{Fault, Kind, Operation};

/// A post that is out, and what it says.
async fn published(
    stage: &Stage,
    subject: &Subject,
    session: &Session,
    what: (&str, usize),
) -> (String, Content) {
    let item = item(what.0, what.1);
    let mut progress = Progress::default();
    let leave = Box::pin(std::future::ready(Ok(())));
    let client = stage.client(subject);
    let said = client.publish(session, &item, &mut progress, leave).await.expect("left");
    let Outcome::Published(receipt) = said.value else { panic!("{said:?}") };
    let media = item.media.iter().map(|one| ContentMedia {
        media_id: a_file(),
        sha256: one.sha256.clone(),
        kind: one.kind,
        mime: one.mime.clone(),
        size_bytes: one.source.size(),
        alt: one.alt.clone(),
        moving: None,
    });
    let content = Content {
        text: item.text.clone(),
        link: item.link.clone(),
        media: media.collect(),
        ..Content::default()
    };
    (receipt.remote_id, content)
}

fn a_file() -> crate::domain::id::MediaId {
    crate::domain::id::MediaId::new(jiff::Timestamp::UNIX_EPOCH, 1)
}

fn text_of(stage: &Stage, subject: &Subject, id: &str) -> String {
    let posts = stage.simulators.world().posts(subject.side, &subject.account);
    posts.iter().find(|post| post.id == id).expect("the post").text.clone()
}

async fn correct(
    corrects: &dyn Corrects,
    session: &Session,
    id: &str,
    said: &Content,
) -> Alteration {
    let beside = match corrects.wording(session, id).await.value {
        Wording::Says(shown) => shown.beside,
        Wording::NotThere(_) | Wording::CannotSee { .. } => {
            json!({"media": [], "warning": null, "sensitive": null, "language": null})
        }
    };
    let settings = &Value::Null;
    let revision = Revision { remote_id: id, said, language: "vi", settings, beside: &beside };
    corrects.correct(session, &revision).await.value
}

/// What a look shows, as texts are compared.
async fn said_by(corrects: &dyn Corrects, session: &Session, id: &str) -> String {
    match corrects.wording(session, id).await.value {
        Wording::Says(shown) => normalised(&shown.text),
        other @ (Wording::NotThere(_) | Wording::CannotSee { .. }) => panic!("{id}: {other:?}"),
    }
}

/// The platforms that have it, each with a session.
fn able(stage: &Stage) -> Vec<(&Subject, &dyn Corrects, Session)> {
    let all = stage.subjects.iter().filter_map(|subject| {
        let corrects = stage.client(subject).corrects()?;
        Some((subject, corrects, stage.session(&subject.remote_id, &subject.token)))
    });
    all.collect()
}

#[tokio::test]
async fn what_we_say_of_a_corrected_post_is_true_whatever_the_answer() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    assert!(able(&stage).iter().any(|(subject, ..)| subject.id == "facebook"));
    for (subject, corrects, session) in able(&stage) {
        for kind in hostile(&subject.not_permitted) {
            let name = kind.as_ref().map_or("none", Kind::name);
            let first = format!("Thông báo: {name}");
            let (id, old) = published(&stage, subject, &session, (&first, 0)).await;
            let new = Content { text: format!("Đính chính: {name} – 5 %"), ..old.clone() };
            let says = async || said_by(corrects, &session, &id).await;
            let form = |said: &Content| normalised(&corrects.form(said));
            assert_eq!(says().await, form(&old), "{name}");
            if let Some(kind) = kind {
                world.faults().push(Fault::once(subject.side, Operation::Change, kind));
            }
            let said = correct(corrects, &session, &id, &new).await;
            let is_new = text_of(&stage, subject, &id).contains("Đính chính");
            match &said {
                Alteration::Made => assert!(is_new, "{name}"),
                Alteration::Refused(_) | Alteration::Deferred(_) => assert!(!is_new, "{name}"),
                Alteration::NotThere(_) => panic!("{name}: it was there"),
                Alteration::Unknown(_) => {}
            }
            assert!(world.faults().waiting().is_empty(), "{name}: the fault did not strike");
            assert_eq!(name == "none", said == Alteration::Made, "{name}: {said:?}");
            // The look tells what became of it, and it may be repeated.
            assert_eq!(says().await, form(if is_new { &new } else { &old }), "{name}");
            assert_eq!(correct(corrects, &session, &id, &new).await, Alteration::Made, "{name}");
            assert_eq!(says().await, form(&new), "{name}");
            assert_eq!(world.posts(subject.side, &subject.account).last().unwrap().id, id);
        }
    }
}

/// Between the look and the request somebody else may write: where versions are kept, that is seen then.
#[tokio::test]
async fn what_was_replaced_unseen_is_told_where_versions_are_kept() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for (subject, corrects, session) in able(&stage) {
        let (id, old) = published(&stage, subject, &session, ("3 %", 0)).await;
        let new = Content { text: "5 %".to_owned(), ..old.clone() };
        let Wording::Says(seen) = corrects.wording(&session, &id).await.value else { panic!() };
        let (settings, beside) = (&Value::Null, &seen.beside);
        let revision = Revision { remote_id: &id, said: &new, language: "vi", settings, beside };
        let replaced = async || {
            assert_eq!(corrects.correct(&session, &revision).await.value, Alteration::Made);
            corrects.replaced(&session, &revision).await.value.map(|text| normalised(&text))
        };
        let keeps = subject.id == "mastodon";
        assert_eq!(replaced().await, keeps.then(|| normalised(&seen.text)));
        assert!(world.rewrite(subject.side, &subject.account, &id, "by hand"));
        assert_eq!(replaced().await.as_deref(), keeps.then_some("by hand"));
        // Neither what came later nor what cannot be read is taken for it.
        assert!(world.rewrite(subject.side, &subject.account, &id, "and later"));
        let is = corrects.replaced(&session, &revision).await.value;
        assert_eq!(is.as_deref(), keeps.then_some("by hand"));
        let dead = stage.session(&subject.remote_id, "no such token");
        assert_eq!(corrects.replaced(&dead, &revision).await.value, None);
    }
}

/// Pictures and the link stay, and so does the id.
#[tokio::test]
async fn what_a_post_shows_beside_its_text_stays() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for (subject, corrects, session) in able(&stage) {
        let (id, old) = published(&stage, subject, &session, ("Với ảnh", 1)).await;
        let before = world.posts(subject.side, &subject.account);
        let new = Content { text: "Với ảnh, đã sửa".to_owned(), ..old };
        assert_eq!(correct(corrects, &session, &id, &new).await, Alteration::Made);
        let after = world.posts(subject.side, &subject.account);
        assert_eq!(after.len(), before.len());
        let (before, after) = (before.last().unwrap(), after.last().unwrap());
        assert_eq!((&after.id, &after.photos), (&before.id, &before.photos), "{}", subject.id);
        let link = new.link.as_deref().unwrap();
        assert!(after.text.contains("đã sửa") && after.text.contains(link), "{}", after.text);
        let says = said_by(corrects, &session, &id).await;
        assert_eq!(says, normalised(&corrects.form(&new)));
    }
}

#[tokio::test]
async fn what_is_not_ours_or_not_there_is_told_apart() {
    let stage = Stage::new().await;
    let world = stage.simulators.world();
    for (subject, corrects, session) in able(&stage) {
        let said = Content { text: "Đính chính".to_owned(), ..Content::default() };
        if subject.id == "facebook" {
            // Made by hand, or by another application.
            let other = world.insert_foreign(subject.side, &subject.account, "by hand").unwrap();
            let refused = correct(corrects, &session, &other, &said).await;
            let Alteration::Refused(refusal) = refused else { panic!("{refused:?}") };
            assert_eq!((refusal.kind, refusal.code.as_str()), (RefusalKind::Permission, "200"));
            assert_eq!(text_of(&stage, subject, &other), "by hand");
        }
        let (id, _) = published(&stage, subject, &session, ("bị gỡ", 0)).await;
        let client = stage.client(subject);
        assert_eq!(client.remove(&session, &id).await.value, Alteration::Made);
        let gone = correct(corrects, &session, &id, &said).await;
        assert!(matches!(gone, Alteration::NotThere(_)), "{gone:?}");
        let gone = corrects.wording(&session, &id).await.value;
        assert!(matches!(gone, Wording::NotThere(_)), "{gone:?}");
        let dead = stage.session(&subject.remote_id, "no such token");
        let blind = corrects.wording(&dead, &id).await.value;
        assert!(matches!(blind, Wording::CannotSee { .. }), "{blind:?}");
    }
}

#[tokio::test]
async fn only_posts_are_corrected_and_not_comments_or_films() {
    let stage = Stage::new().await;
    let said = Content { text: "Đính chính".to_owned(), ..Content::default() };
    let facebook = stage.platforms.get("facebook").unwrap().corrects().unwrap();
    assert_eq!(facebook.fixed("104_1220002", &said), None);
    for id in ["1220002", "", "104_", "104_12_3", "../me"] {
        assert!(facebook.fixed(id, &said).is_some(), "{id}");
    }
    for id in ["x", "bluesky"] {
        assert!(stage.platforms.get(id).unwrap().corrects().is_none(), "{id}");
    }
}
