//! Accounts on X with a token of OAuth 1.0a: every request is signed, nothing is refreshed, and a token that is
//! taken back asks a person.

use std::time::Duration;

use chancery::domain::account::AccountStatus;
use chancery::domain::delivery::DeliveryState;
use chancery::service::Error;
use chancery::simulator::{Kind, Platform};
use serde_json::json;

use crate::stage::{CONSUMER, Outlet, Stage, Wanted, eventually, staged};

async fn entered(stage: &Stage) -> Outlet {
    let (remote_id, credential) = stage.signer();
    eventually("the account is entered", async || {
        let made = stage.enter(Platform::X, &remote_id, &credential).await;
        made.map_err(|error| error.to_string())
    })
    .await
}

/// The codes of what is wrong.
fn codes(refused: Result<Outlet, Error>) -> Vec<String> {
    match refused {
        Err(Error::Invalid(faults)) => faults.into_iter().map(|it| it.code.to_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

staged! {
    with &CONSUMER;

    /// Text, picture with its alternative text, and a look after a doubt: JSON, multipart and queries.
    async fn what_is_signed_is_published_and_found(stage) {
        let outlet = entered(stage).await;
        let (picture, _) = stage.picture(7).await;
        let wanted = Wanted::text("Signed").picture(&picture, "Một bức ảnh");
        stage.published(&stage.deliver(&outlet, &wanted).await).await;
        stage.spoil(&outlet, Kind::DropAfter);
        let id = stage.deliver(&outlet, &Wanted::text("Found by signed reads")).await;
        stage.published(&id).await;
        assert_eq!((stage.made(&outlet), stage.creates(&outlet).len()), (2, 2));
        stage.advance(Duration::from_hours(24 * 20));
        let id = stage.deliver(&outlet, &Wanted::text("After weeks")).await;
        stage.published(&id).await;
        assert_eq!(stage.credential_version(&outlet).await, 1);
        assert!(stage.presented().1 == 0 && stage.told_of(&outlet).await.is_empty());
    }

    async fn a_token_that_is_taken_back_asks_a_person(stage) {
        let outlet = entered(stage).await;
        stage.world().remove_x_signer(&outlet.token);
        let id = stage.deliver(&outlet, &Wanted::text("Held until then")).await;
        stage.until(&id, DeliveryState::Held).await;
        assert_eq!(stage.account(&outlet).await.status, AccountStatus::NeedsReconnect);
        assert_eq!(stage.made(&outlet), 0);
    }

    /// The platform is asked before anything is kept, and neither half alone is a credential.
    async fn only_a_pair_that_signs_for_the_account_is_taken(stage) {
        let (remote_id, good) = stage.signer();
        let (stranger, _) = stage.signer();
        let mut wrong = good.clone();
        wrong["token_secret"] = json!("another");
        let refused = codes(stage.enter(Platform::X, &remote_id, &wrong).await);
        assert_eq!(refused, ["credential_refused"]);
        let other = codes(stage.enter(Platform::X, &stranger, &good).await);
        assert_eq!(other, ["owner_mismatch"]);
        let mut half = good.clone();
        half.as_object_mut().unwrap().remove("token_secret");
        assert_eq!(codes(stage.enter(Platform::X, &remote_id, &half).await), ["blank"]);
        let mut bearer = good.clone();
        bearer["kind"] = json!("oauth2");
        let both = codes(stage.enter(Platform::X, &remote_id, &bearer).await);
        assert_eq!(both, ["not_of_this_kind"]);
        let there = codes(stage.enter(Platform::Facebook, "104", &good).await);
        assert_eq!(there, ["kind_not_taken"]);
    }
}

mod without_a_consumer {
    use super::*;

    staged! {
        with &[];

        async fn no_pair_is_taken(stage) {
            let (remote_id, good) = stage.signer();
            let refused = codes(stage.enter(Platform::X, &remote_id, &good).await);
            assert_eq!(refused, ["kind_not_taken"]);
        }
    }
}
