//! Tokens that are not in force, through the front door: told to wait, and nobody is locked out.

use chancery::domain::token::ApiToken;
use serde_json::json;

use crate::world::{Answer, World, both};

/// Where requests come from, as our own proxy tells it.
const PROXY: &[(&str, &str)] = &[("CHANCERY_SERVER__PROXIES", "127.0.0.1")];

async fn look(world: &World, token: &str, from: &str) -> Answer {
    let ask = world.ask_as(token, "GET", "/api/v1/units").header("x-forwarded-for", from);
    ask.header("accept-language", "vi").send().await
}

/// Well-formed, and of nobody.
fn made_up(number: u8) -> String {
    ApiToken::mint([number; 32]).reveal().to_owned()
}

/// Sends made-up tokens until the answer is no plain no.
async fn flood(world: &World, from: &str) -> Answer {
    for number in 0..100 {
        let refused = look(world, &made_up(number), from).await;
        if refused.status != 401 {
            return refused;
        }
        refused.problem(401, "unauthenticated");
    }
    panic!("100 tokens in vain were not too many");
}

both! {
    with PROXY;

    async fn many_bad_tokens_are_told_to_wait_and_good_ones_are_always_taken(world) {
        let [mission, other] = ["198.51.100.7", "198.51.100.8"];
        let refused = flood(world, mission).await;
        let body = refused.problem(429, "too_many_attempts");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!(wait > 0);
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("sau {wait} giây")), "{detail}");
        // It grows.
        let mut longer = wait;
        for token in [made_up(100), made_up(101), made_up(102)] {
            let refused = look(world, &token, mission).await;
            refused.problem(429, "too_many_attempts");
            longer = refused.header("retry-after").parse().unwrap();
        }
        assert!(longer > wait, "{longer} after {wait}");
        // Neither a token that was seen before nor a new one is locked out at that address.
        look(world, &world.admin, mission).await.expect(200);
        let made = world.token(json!({"name": "new at the mission"})).await;
        look(world, made["token"].as_str().unwrap(), mission).await.expect(200);
        // Which does not help the others there, and elsewhere nothing has happened.
        look(world, &made_up(120), mission).await.problem(429, "too_many_attempts");
        look(world, &made_up(121), other).await.problem(401, "unauthenticated");
        // Who sends no token, or a text that cannot be one, tries none.
        look(world, "nonsense", mission).await.problem(401, "unauthenticated");
        let nobody = world.anonymous("GET", "/api/v1/units").header("x-forwarded-for", mission);
        nobody.send().await.problem(401, "unauthenticated");
    }

    async fn a_token_that_has_ended_counts_like_one_that_never_was(world) {
        let made = world.token(json!({"name": "short"})).await;
        let token = made["token"].as_str().unwrap();
        let place = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
        let from = "198.51.100.9";
        for round in 0.. {
            assert!(round < 100, "never too many");
            if look(world, token, from).await.status == 429 {
                break;
            }
        }
    }
}
