//! Who a token belongs to.

use serde_json::Value;

use super::Settings;
use super::api::{Api, is_id};
use super::classify::{Meaning, Problem};
use crate::outbound::Response;
use crate::platforms::outcome::{LongPosts, Owner, OwnerError};
use crate::platforms::session::Session;
use crate::platforms::wire::{describe, text_at};

pub(super) async fn owner(settings: &Settings, on: &Session) -> Result<Owner, OwnerError> {
    let request =
        Api::of(settings, on).me().map_err(|fault| OwnerError::Refused(fault.refusal().detail))?;
    match on.outbound.send(request).await {
        Ok(answer) => read_owner(&answer, settings),
        Err(failure) => Err(OwnerError::Unreachable(describe(&failure))),
    }
}

pub(super) fn read_owner(answer: &Response, settings: &Settings) -> Result<Owner, OwnerError> {
    if answer.status.is_success() {
        return serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|value| {
                let user = value.get("data")?;
                let remote_id = text_at(user, "id").filter(|id| is_id(id))?;
                let handle = text_at(user, "username")?;
                let named = names(&settings.long_posts, &remote_id, &handle);
                Some(Owner {
                    long_posts: LongPosts { said: subscribed(user), named },
                    remote_id,
                    name: text_at(user, "name")?,
                    handle: Some(handle),
                    followers: user
                        .pointer("/public_metrics/followers_count")
                        .and_then(Value::as_u64),
                })
            })
            .ok_or_else(|| OwnerError::Unreachable("the answer has no user".to_owned()));
    }
    let Some(problem) = Problem::parse(answer) else {
        return Err(OwnerError::Unreachable(format!("status {}", answer.status.as_u16())));
    };
    let said = format!("{} {}", problem.word(), problem.said());
    match (answer.status.as_u16(), problem.meaning()) {
        (401 | 403, Some(Meaning::Refused(_))) => Err(OwnerError::Refused(said)),
        // An empty balance, a limit or an outage says nothing about the credential.
        (_, Some(Meaning::Refused(_) | Meaning::RateLimited | Meaning::Capped) | None) => {
            Err(OwnerError::Unreachable(said))
        }
    }
}

/// Whether a list has this account, by its id or its handle, with or without the sign before it.
fn names(list: &[String], id: &str, handle: &str) -> bool {
    list.iter().any(|one| {
        let name = one.strip_prefix('@').unwrap_or(one);
        name == id || name.eq_ignore_ascii_case(handle)
    })
}

/// Whether X says that the account has a subscription, each of which comes with long posts; a word that is
/// not known, or none, says nothing.
fn subscribed(user: &Value) -> Option<bool> {
    match user.get("subscription_type")?.as_str()? {
        "Basic" | "Premium" | "PremiumPlus" => Some(true),
        "None" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::domain::account::Health;
    use crate::platforms::setting;

    fn read_owner(answer: &Response) -> Result<Owner, OwnerError> {
        super::read_owner(answer, &setting::public().x)
    }

    #[test]
    fn who_may_publish_long_posts_is_said_by_x_or_by_the_configuration() {
        let mut settings = setting::public().x;
        let mut of = |said: &str, named: &[&str]| {
            settings.long_posts = named.iter().map(|it| (*it).to_owned()).collect();
            let body = format!(
                r#"{{"data":{{"id":"2244994945","name":"a","username":"mofa_vn"{said}}}}}"#
            );
            let answer =
                Response { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() };
            super::read_owner(&answer, &settings).expect("owner").long_posts
        };
        let say = |said, named| LongPosts { said, named };
        assert_eq!(of(r#","subscription_type":"Premium""#, &[]), say(Some(true), false));
        assert_eq!(of(r#","subscription_type":"None""#, &[]), say(Some(false), false));
        assert_eq!(of(r#","subscription_type":"Platinum""#, &[]), say(None, false));
        assert_eq!(of("", &[]), say(None, false));
        for name in ["2244994945", "@MOFA_vn", "mofa_vn"] {
            let of = of(r#","subscription_type":"None""#, &["other", name]);
            assert_eq!(of, say(Some(false), true), "{name}");
        }
    }

    /// Who is taken out of the configuration loses what it gave, and not what X has said.
    #[test]
    fn where_x_says_nothing_it_is_as_the_configuration_says_and_as_x_said_last() {
        let silent = |named| LongPosts { said: None, named };
        let named = silent(true).learnt(&Health::default());
        assert!(named.long_posts);
        assert!(!silent(false).learnt(&named).long_posts);
        for said in [true, false] {
            let before = LongPosts { said: Some(said), named: true }.learnt(&named);
            assert!(before.long_posts);
            assert_eq!(silent(false).learnt(&before).long_posts, said);
        }
    }

    fn answer(status: u16, body: &'static str) -> Response {
        let status = StatusCode::from_u16(status).expect("status");
        Response { status, headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn the_owner_has_a_handle_and_followers() {
        let body = r#"{"data":{"id":"2244994945","name":"Bộ Ngoại giao","username":"mofa_vn",
            "public_metrics":{"followers_count":9,"following_count":1,"tweet_count":2}}}"#;
        let owner = read_owner(&answer(200, body)).expect("owner");
        assert_eq!(owner.remote_id, "2244994945");
        assert_eq!(owner.handle.as_deref(), Some("mofa_vn"));
        assert_eq!(owner.followers, Some(9));
    }

    #[test]
    fn only_the_platforms_word_condemns_a_token() {
        let dead =
            r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#;
        assert!(matches!(read_owner(&answer(401, dead)), Err(OwnerError::Refused(_))));
        let wrong = r#"{"title":"Unsupported Authentication","type":"https://api.x.com/2/problems/unsupported-authentication"}"#;
        assert!(matches!(read_owner(&answer(403, wrong)), Err(OwnerError::Refused(_))));
        for (status, body) in [
            (401, "<html>"),
            (402, dead),
            (429, dead),
            (503, dead),
            (404, dead),
            (200, "{}"),
            (200, r#"{"errors":[{"title":"Not Found Error"}]}"#),
        ] {
            let read = read_owner(&answer(status, body));
            assert!(matches!(read, Err(OwnerError::Unreachable(_))), "{status} {body}: {read:?}");
        }
    }
}
