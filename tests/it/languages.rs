//! The main job: one post in several languages goes out on time, as it was written, on both platforms.

use std::time::Duration;

use chancery::clock::after;
use chancery::media::render;
use chancery::simulator::{Platform, PostRecord};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::renditions::{FACEBOOK, X};
use crate::stage::{Outlet, Stage, Wanted, now, staged};

/// The same news; the mark makes each text like no other.
const TEXTS: [(&str, &str); 7] = [
    ("vi", "Việt Nam và các đối tác ký thỏa thuận mới 🇻🇳 [a1]"),
    ("en", "Viet Nam and its partners sign a new agreement [a2]"),
    ("fr", "Le Việt Nam et ses partenaires signent un nouvel accord : « ensemble » [a3]"),
    ("ar", "فيتنام وشركاؤها يوقعون اتفاقية جديدة [a4]"),
    ("zh", "越南与伙伴签署新协议 [a5]"),
    ("ru", "Вьетнам и партнёры подписали новое соглашение [a6]"),
    ("es", "Vietnam y sus socios firman un nuevo acuerdo — ¡juntos! [a7]"),
];

fn only(mut posts: Vec<PostRecord>) -> PostRecord {
    assert_eq!(posts.len(), 1, "{posts:#?}");
    posts.remove(0)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn one_with(stage: &Stage, outlet: &Outlet, wanted: &Wanted) -> PostRecord {
    let id = stage.deliver(outlet, wanted).await;
    let shown = stage.published(&id).await;
    let post = only(stage.posts(outlet));
    assert_eq!(shown.delivery.receipt.unwrap().remote_id, post.id);
    assert_eq!(shown.delivery.attempt_count, 1);
    post
}

staged! {
    /// Seven languages, each to a Page and to an account on X, at one instant.
    async fn a_post_in_seven_languages_goes_out_at_its_instant(stage) {
        let mut outlets = Vec::new();
        for (language, _) in TEXTS {
            for platform in [Platform::Facebook, Platform::X] {
                outlets.push((language, stage.outlet(platform).await));
            }
        }
        let variants: Vec<_> =
            TEXTS.iter().map(|(tag, text)| json!({"language": tag, "text": text})).collect();
        let post = stage.post("routine", &variants).await;
        let due = after(now(), Duration::from_millis(1_500));
        let wanted: Vec<_> = outlets
            .iter()
            .map(|(tag, outlet)| {
                json!({"account_id": outlet.id, "language": tag, "at": due.to_string()})
            })
            .collect();
        let ids = stage.schedule(&post, &wanted).await;
        assert_eq!(ids.len(), 14);
        for (id, (language, outlet)) in ids.iter().zip(&outlets) {
            let shown = stage.published(id).await;
            let post = only(stage.posts(outlet));
            let text = TEXTS.iter().find(|(tag, _)| tag == language).unwrap().1;
            assert_eq!(post.text, text);
            assert!(post.created_at >= due, "{} is before {due}", post.created_at);
            let receipt = shown.delivery.receipt.unwrap();
            assert_eq!(receipt.remote_id, post.id);
            assert!(receipt.permalink.unwrap().starts_with("http"));
            assert!(receipt.published_at >= whole_seconds(due), "{}", receipt.published_at);
        }
    }

    /// One picture and four, in their order, each with its alternative text.
    async fn pictures_go_out_with_their_alternative_texts(stage) {
        for count in [1, 4_u8] {
            let mut pictures = Vec::new();
            for number in 0..count {
                pictures.push(stage.picture(10 * count + number).await);
            }
            for outlet in stage.both().await {
                let mut wanted = Wanted::text("with pictures");
                for (number, (media, _)) in pictures.iter().enumerate() {
                    wanted = wanted.picture(media, &format!("Lá cờ trước tòa nhà {number}"));
                }
                let post = one_with(stage, &outlet, &wanted).await;
                assert_eq!(post.text, wanted.text);
                assert_eq!(post.photos.len(), usize::from(count));
                for (number, (photo, (_, bytes))) in post.photos.iter().zip(&pictures).enumerate() {
                    // Not the file itself, but what is made of it for that platform, each time the same.
                    let recipe = match outlet.platform {
                        Platform::Facebook => FACEBOOK,
                        Platform::X | Platform::Mastodon | Platform::Bluesky => X,
                    };
                    let made = render(bytes, &recipe).unwrap();
                    assert_eq!(photo.sha256, sha256(&made.bytes));
                    let alt = format!("Lá cờ trước tòa nhà {number}");
                    assert_eq!(photo.alt_text.as_deref(), Some(alt.as_str()));
                }
            }
        }
    }

    /// A link is a card on Facebook and part of the text on X.
    async fn a_link_goes_out_as_each_platform_wants_it(stage) {
        let link = "https://mofa.example/tin/thoa-thuan";
        for outlet in stage.both().await {
            let wanted = Wanted::text("with a link").link(link);
            let post = one_with(stage, &outlet, &wanted).await;
            match outlet.platform {
                Platform::Facebook => {
                    assert_eq!((post.text, post.link.as_deref()), (wanted.text, Some(link)));
                }
                Platform::X | Platform::Mastodon | Platform::Bluesky => {
                    assert!(post.text.starts_with(&wanted.text), "{}", post.text);
                    assert!(post.text.ends_with(link), "{}", post.text);
                }
            }
        }
    }
}

/// Facebook tells the time of a post in whole seconds.
fn whole_seconds(instant: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(instant.as_second()).unwrap()
}

staged! {
    /// What only one platform has: who may answer on X, and whom Facebook is to show a post rather.
    async fn settings_of_a_platform_arrive_there(stage) {
        let [page, user] = stage.both().await;
        let targeting = json!({"feed_targeting": {"countries": ["LA", "KH"], "locales": [47]}});
        let wanted = [
            (&page, Wanted::text("to neighbours").set(targeting.clone())),
            (&user, Wanted::text("few may answer").set(json!({"reply_settings": "mentionedUsers"}))),
            (&page, Wanted::text("to everybody")),
            (&user, Wanted::text("everybody may answer")),
        ];
        for (outlet, wanted) in &wanted {
            let id = stage.deliver(outlet, wanted).await;
            stage.published(&id).await;
        }
        let audiences = |outlet: &Outlet| -> Vec<Option<String>> {
            stage.posts(outlet).into_iter().map(|it| it.audience).collect()
        };
        let [shown, everybody] = audiences(&page).try_into().unwrap();
        let shown: serde_json::Value = serde_json::from_str(&shown.unwrap()).unwrap();
        assert_eq!(shown, json!({"geo_locations": {"countries": ["LA", "KH"]}, "locales": [47]}));
        assert_eq!(everybody, None);
        assert_eq!(audiences(&user), [Some("mentionedUsers".to_owned()), None]);
        let post = stage.write(&Wanted::text("refused")).await;
        let there = Wanted::text("refused").set(targeting).delivery(&user);
        let refused = stage.try_schedule(&post, &[there]).await.unwrap_err();
        assert!(format!("{refused:?}").contains("/deliveries/0/settings/feed_targeting"), "{refused:?}");
    }
}
