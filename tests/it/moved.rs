//! An account goes to another unit only when nothing waits for it: what waits would come under other people.

use std::time::Duration;

use chancery::clock::after;
use chancery::service::{Error, accounts, deliveries, units};
use chancery::simulator::Platform;
use serde_json::json;

use crate::stage::{Wanted, staged};

staged! {
    async fn an_account_takes_nothing_that_waits_to_another_unit(stage) {
        let outlet = stage.outlet(Platform::X).await;
        let new = json!({
            "name": {"vi": "Đại sứ quán", "en": "Embassy"}, "kind": "embassy", "country": "FR",
            "time_zone": "Europe/Paris", "languages": ["vi"], "approval": "none",
        });
        let new = serde_json::from_value(new).unwrap();
        let unit = units::create(stage.acts(), stage.caller(), new).await.unwrap().value;
        let due = after(stage.now(), Duration::from_hours(2));
        let id = stage.deliver(&outlet, &Wanted::text("stays where it is").at(due)).await;
        let move_it = async || {
            let change = serde_json::from_value(json!({"unit_id": unit.id})).unwrap();
            accounts::change(stage.acts(), stage.caller(), &outlet.id, None, change).await
        };
        let refused = move_it().await.unwrap_err();
        assert!(matches!(&refused, Error::Conflict(it) if it.code == "account_in_use"), "{refused:?}");
        deliveries::cancel(stage.acts(), stage.caller(), &id).await.unwrap();
        assert_eq!(move_it().await.unwrap().value.unit_id, unit.id);
    }
}
