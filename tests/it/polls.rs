//! Polls on X through the whole service: out once with their answers, whatever the answer to the create
//! looks like; and refused where they cannot be.

use chancery::service::Error;
use chancery::simulator::{Kind, Platform};
use serde_json::{Value, json};

use crate::stage::{Wanted, staged};

fn poll() -> Value {
    json!({"poll": {"options": ["Có", "Không", "Chưa biết"], "duration_minutes": 60}})
}

staged! {
    async fn a_poll_goes_out_once_whatever_the_answer(stage) {
        for fault in [
            None,
            Some(Kind::DropAfter),
            Some(Kind::DropBefore),
            Some(Kind::ServerError { execute: true }),
            Some(Kind::WithoutId),
        ] {
            let outlet = stage.outlet(Platform::X).await;
            let name = fault.as_ref().map_or("none", Kind::name);
            if let Some(fault) = fault {
                stage.spoil(&outlet, fault);
            }
            let wanted = Wanted::text("Bạn có dự lễ không?").set(poll());
            let id = stage.deliver(&outlet, &wanted).await;
            stage.published(&id).await;
            let posts = stage.posts(&outlet);
            assert_eq!((posts.len(), stage.made(&outlet)), (1, 1), "{name}");
            let options = ["Có", "Không", "Chưa biết"].map(str::to_owned).to_vec();
            assert_eq!(posts[0].poll, Some((options, 60)), "{name}");
        }
    }

    async fn a_poll_is_refused_with_a_picture_and_elsewhere(stage) {
        let (picture, _) = stage.picture(3).await;
        let [facebook, x] = stage.both().await;
        let asked = Wanted::text("Bạn có dự lễ không?").set(poll());
        for (outlet, wanted, code, place) in [
            (&x, asked.clone().picture(&picture, "Cờ"), "poll_with_media", "/deliveries/0"),
            (&facebook, asked.clone(), "bad_setting", "/deliveries/0/settings/poll"),
        ] {
            let post = stage.write(&wanted).await;
            let refused = stage.try_schedule(&post, &[wanted.delivery(outlet)]).await;
            let Err(Error::Invalid(faults)) = refused else { panic!("{code}: {refused:?}") };
            let seen: Vec<_> =
                faults.iter().map(|it| (it.code, it.pointer.as_str())).collect();
            assert_eq!(seen, [(code, place)]);
        }
    }
}
