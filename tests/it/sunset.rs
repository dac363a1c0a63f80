//! The end of the version of a platform's interface is told in good time, and once over all nodes.

use chancery::simulator::Platform;
use serde_json::Value;

use crate::stage::{Stage, Wanted, eventually, staged};

/// What was told.
async fn told(stage: &Stage) -> Vec<Value> {
    let sql = "SELECT CAST(detail AS TEXT) FROM audit WHERE action = 'version.ending' ORDER BY seq";
    let rows = stage.setting().database.rows(sql).await;
    rows.into_iter().map(|row| serde_json::from_str(&row[0]).expect("JSON")).collect()
}

staged! {
    // Works until 2027-01-21, for less than ninety days when this was written.
    with &[("CHANCERY_FACEBOOK__VERSION", "v21.0"), ("CHANCERY_NOTIFY__WATCH_INTERVAL", "100ms")];

    async fn the_end_of_a_version_is_told_once(stage) {
        let on_server = stage.setting().database.url().starts_with("postgres");
        let other = if on_server { Some(stage.another(&[]).await) } else { None };
        eventually("it is told", async || {
            if told(stage).await.is_empty() { Err("nothing is told") } else { Ok(()) }
        })
        .await;
        // Meanwhile both look many times more.
        let outlet = stage.outlet(Platform::Facebook).await;
        for text in ["one", "two", "three"] {
            stage.published(&stage.deliver(&outlet, &Wanted::text(text)).await).await;
        }
        let all = told(stage).await;
        assert_eq!(all.len(), 1, "{all:?}");
        let end: jiff::civil::Date = "2027-01-21".parse().unwrap();
        let today = stage.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let left = (end - today).get_days();
        assert_eq!(all[0]["days"], left);
        assert_eq!((&all[0]["version"], &all[0]["platform"]), (&"v21.0".into(), &"facebook".into()));
        eventually("people hear of it", async || {
            let sql = "SELECT event FROM outbox WHERE event = 'version.ending'";
            let heard = stage.setting().database.rows(sql).await.len();
            if heard == 1 { Ok(()) } else { Err(heard.to_string()) }
        })
        .await;
        drop(other);
    }
}
