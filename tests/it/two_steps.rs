//! Posts of a Page that are made first and made public then: a lost answer is settled by the id, and not by
//! what a post says.

use chancery::simulator::{Kind, Operation, Platform};

use crate::stage::{Stage, Wanted, on, staged};

const ALL: &[(&str, &str)] = &[("CHANCERY_FACEBOOK__TWO_STEPS", "all")];

/// A text, and a text with a picture.
async fn texts(stage: &Stage, what: &str) -> [Wanted; 2] {
    let (picture, _) = stage.picture(rand::random()).await;
    [Wanted::text(what), Wanted::text(what).picture(&picture, "Lá cờ")]
}

staged! { with ALL;
    async fn whatever_becomes_of_the_answer_it_is_public_once(stage) {
        let kinds = [
            (None, 1), (Some(Kind::DropAfter), 1), (Some(Kind::DropBefore), 2),
            (Some(Kind::ServerError { execute: true }), 1), (Some(Kind::ServerError { execute: false }), 2),
            (Some(Kind::Html { execute: true }), 1), (Some(Kind::Empty), 1),
        ];
        for (fault, requests) in kinds {
            let name = fault.as_ref().map_or("none", Kind::name);
            for wanted in texts(stage, name).await {
                let outlet = stage.outlet(Platform::Facebook).await;
                if let Some(fault) = fault.clone() {
                    stage.spoil(&outlet, fault);
                }
                let id = stage.deliver(&outlet, &wanted).await;
                let out = stage.published(&id).await;
                let posts = stage.posts(&outlet);
                assert_eq!(posts.len(), 1, "{name}");
                assert!(posts[0].is_public(stage.now()), "{name}");
                assert_eq!(out.delivery.receipt.unwrap().remote_id, posts[0].id, "{name}");
                assert_eq!(out.attempts.len(), requests, "{name}: {:?}", out.attempts);
                assert_eq!((stage.made(&outlet), stage.creates(&outlet).len()), (1, requests), "{name}");
            }
        }
    }

    async fn a_first_step_that_is_lost_leaves_what_nobody_sees(stage) {
        for wanted in texts(stage, "the first step").await {
            let outlet = stage.outlet(Platform::Facebook).await;
            stage.world().faults().push(on(&outlet, Operation::Upload, Kind::DropAfter));
            let id = stage.deliver(&outlet, &wanted).await;
            let out = stage.published(&id).await;
            let now = stage.now();
            let public: Vec<_> =
                stage.posts(&outlet).into_iter().filter(|post| post.is_public(now)).collect();
            assert_eq!(public.len(), 1);
            assert_eq!(out.delivery.receipt.unwrap().remote_id, public[0].id);
            assert_eq!(stage.doubts(&id).await, 0, "nothing public was ever in doubt");
        }
    }

    /// Another post that says the same would be a question if texts were compared, and so would a statement.
    async fn it_is_known_by_its_id_whatever_else_says_the_same(stage) {
        let outlet = stage.outlet(Platform::Facebook).await;
        for execute in [true, false] {
            stage.spoil(&outlet, Kind::ServerError { execute });
            let wanted = Wanted::text("said by two").class("statement");
            stage.world().insert_foreign(outlet.platform, &outlet.remote_id, &wanted.text).unwrap();
            let id = stage.deliver(&outlet, &wanted).await;
            let out = stage.published(&id).await;
            let created = stage.posts(&outlet).into_iter().filter(|it| it.application.is_some());
            let ours: Vec<_> = created.map(|it| it.id).collect();
            assert_eq!(out.delivery.receipt.unwrap().remote_id, *ours.last().unwrap());
        }
        assert_eq!(stage.made(&outlet), 2);
    }
}
