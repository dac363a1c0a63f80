//! Hostile callbacks: whatever a browser is made to bring, nothing comes of it and nothing is used up.

use chancery::simulator::{Fault, Kind, Operation, Platform};
use serde_json::json;

use super::{
    APP, PRESS, accounts, begin, land, no_secret_is_kept, page, prepare, shown, user, visit,
};
use crate::world::{World, both};

/// A word of a query.
fn word(back: &str, name: &str) -> String {
    let url: url::Url = format!("http://desk{back}").parse().unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

/// Refused, with nothing of the request on the page.
async fn refused(world: &World, back: &str) {
    let answer = land(world, back).await;
    let text = String::from_utf8_lossy(&answer.bytes).into_owned();
    assert_eq!(answer.status, 400, "{back}: {text}");
    assert!(text.contains("not open"), "{back}: {text}");
    assert!(!text.contains("script") && !text.contains("sim-code"), "{back}: {text}");
}

/// What no platform sends for this sign-in, made of what two sent for theirs.
fn hostile(state: &str, code: &str, x_state: &str, x_code: &str) -> Vec<String> {
    let at = "/connect/facebook/callback";
    let long = "a".repeat(6_000);
    let other = if state.ends_with('A') { 'E' } else { 'A' };
    vec![
        at.to_owned(),
        format!("{at}?"),
        format!("{at}?code={code}"),
        format!("{at}?state={state}"),
        format!("{at}?state=&code={code}"),
        format!("{at}?state={state}&code="),
        format!("{at}?state={state}&error="),
        // Of the other platform: its state, its code, both.
        format!("{at}?state={x_state}&code={x_code}"),
        format!("{at}?state={x_state}&code={code}"),
        format!("/connect/x/callback?state={state}&code={code}"),
        format!("/connect/x/callback?state={state}&code={x_code}"),
        format!("/connect/x/callback?state={state}&error=access_denied"),
        // Of no platform.
        format!("/connect/myspace/callback?state={state}&code={code}"),
        format!("/connect/facebook%00/callback?state={state}&code={code}"),
        // A state that is nearly one.
        format!("{at}?state={}&code={code}", state.to_lowercase()),
        format!("{at}?state={}{other}&code={code}", &state[..42]),
        format!("{at}?state={}&code={code}", &state[1..]),
        format!("{at}?state={state}%20&code={code}"),
        format!("{at}?state={state}%00&code={code}"),
        format!("{at}?state={}&code={code}", "A".repeat(43)),
        format!("{at}?state=%27%20OR%201=1%20--&code={code}"),
        format!("{at}?state=%25&code={code}"),
        format!("{at}?state[]={state}&code={code}"),
        format!("{at}?STATE={state}&code={code}"),
        // Both, twice, too much.
        format!("{at}?state={state}&code={code}&error=access_denied"),
        format!("{at}?state={state}&state={x_state}&code={code}"),
        format!("{at}?state={state}&state={state}&code={code}"),
        format!("{at}?state={state}&code={code}&code={x_code}"),
        format!("{at}?state={state}&code={long}"),
        format!("{at}?state={state}&error=%3Cscript%3Ealert(1)%3C/script%3E"),
        format!("{at}?state={state}&error=access_denied&error=access_denied"),
        format!("{at}?state={state}&code=%3Cscript%3E&code=2"),
        format!("{at}?state={state}&code=a%0D%0ASet-Cookie:%20a=b"),
    ]
}

both! { with APP;
    async fn thirty_hostile_callbacks_change_nothing(world) {
        prepare(world);
        let unit = world.unit().await;
        let facebook = json!({"unit_id": unit["id"], "platform": "facebook",
            "expected_remote_id": page(world, 0)});
        let x = json!({"unit_id": unit["id"], "platform": "x",
            "expected_remote_id": user(world, 0)});
        let (one, other) = (begin(world, &facebook).await, begin(world, &x).await);
        let fb_back = visit(&one.url, &format!("&sim_user={PRESS}")).await;
        let x_back = visit(&other.url, &format!("&sim_user={}", user(world, 0))).await;
        let (state, code) = (word(&fb_back, "state"), word(&fb_back, "code"));
        let (x_state, x_code) = (word(&x_back, "state"), word(&x_back, "code"));
        let hostile = hostile(&state, &code, &x_state, &x_code);
        assert!(hostile.len() >= 30);
        for back in &hostile {
            refused(world, back).await;
        }
        // What only looks ahead uses nothing up, and nothing else is served there.
        let head = world.anonymous("HEAD", &fb_back).send().await;
        assert_eq!(head.status, 400);
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(world.anonymous(method, &fb_back).send().await.status, 405);
        }
        for id in [&one.id, &other.id] {
            let waits = shown(world, id).await;
            assert_eq!((&waits["status"], &waits["version"]), (&json!("waiting"), &json!(1)));
        }
        assert!(accounts(world).await.is_empty());
        // Nothing was used up: those for whom they were begun come to their end.
        assert_eq!(land(world, &fb_back).await.status, 200);
        assert_eq!(land(world, &x_back).await.status, 200);
        assert_eq!(accounts(world).await.len(), 2);
        refused(world, &fb_back).await;
        refused(world, &x_back).await;
        no_secret_is_kept(world).await;
    }

    async fn of_many_who_come_at_once_one_gets_in(world) {
        prepare(world);
        let unit = world.unit().await;
        for round in 0..3 {
            let user = user(world, round);
            let body = json!({"unit_id": unit["id"], "platform": "x", "expected_remote_id": user});
            let begun = begin(world, &body).await;
            let back = visit(&begun.url, &format!("&sim_user={user}")).await;
            // A fault that changes nothing, to count by.
            let fault = Fault::once(Platform::X, Operation::Token, Kind::HangAfter { ms: 0 });
            world.simulators.world().faults().push(fault.times(8));
            let many = (0..8).map(|_| land(world, &back));
            let all = futures_util::future::join_all(many).await;
            let (good, bad): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.status == 200);
            let [good] = good.as_slice() else { panic!("{all:?}") };
            assert!(String::from_utf8_lossy(&good.bytes).contains("Connected: "), "{good:?}");
            assert!(bad.iter().all(|it| it.status == 400), "{bad:?}");
            // The platform has heard of the code once.
            let left = world.simulators.world().faults().waiting();
            assert_eq!(left.iter().map(|it| it.times).collect::<Vec<_>>(), [Some(7)]);
            world.simulators.world().faults().clear();
            assert_eq!(accounts(world).await.len(), round + 1);
        }
    }

    /// Anybody may send these: whoever is at work in the database must not have to wait for them.
    async fn made_up_callbacks_do_not_stand_in_line_with_those_who_write(world) {
        let writer = world.acts().store.begin().await.unwrap();
        for number in 0..20 {
            let state = format!("{number:043}");
            refused(world, &format!("/connect/facebook/callback?state={state}&code=a")).await;
        }
        drop(writer);
    }

    async fn a_code_of_somebody_else_does_not_fit(world) {
        prepare(world);
        let unit = world.unit().await;
        let body = json!({"unit_id": unit["id"], "platform": "x", "expected_remote_id": user(world, 0)});
        // The attacker lets the platform grant his own account, and slips his code under our state.
        let (ours, his) = (begin(world, &body).await, begin(world, &body).await);
        let back = visit(&ours.url, &format!("&sim_user={}", user(world, 0))).await;
        let stolen = visit(&his.url, &format!("&sim_user={}", user(world, 1))).await;
        let mixed =
            format!("/connect/x/callback?state={}&code={}", word(&back, "state"), word(&stolen, "code"));
        // Another challenge belongs to it.
        assert_eq!(land(world, &mixed).await.status, 400);
        let failed = shown(world, &ours.id).await;
        assert_eq!((&failed["status"], &failed["problem"]), (&json!("failed"), &json!("exchange_refused")));
        // By being presented it was used up.
        assert_eq!(land(world, &stolen).await.status, 400);
        assert_eq!(shown(world, &his.id).await["problem"], "exchange_refused");
        // Under its own state it is good, and brings another account than the one that was named.
        let his = begin(world, &body).await;
        let stolen = visit(&his.url, &format!("&sim_user={}", user(world, 1))).await;
        assert_eq!(land(world, &stolen).await.status, 400);
        assert_eq!(shown(world, &his.id).await["problem"], "other_account");
        assert!(accounts(world).await.is_empty());
        no_secret_is_kept(world).await;
    }
}
