//! Who a token belongs to.

use secrecy::SecretString;
use serde_json::Value;

use super::Settings;
use super::api::Graph;
use super::classify::{GraphError, Meaning};
use crate::outbound::Response;
use crate::platforms::outcome::{LongPosts, Owner, OwnerError};
use crate::platforms::session::Session;
use crate::platforms::wire::{describe, text_at};

/// What tells a Page from anybody else.
pub(super) const OWNER_FIELDS: &str = "id,name,followers_count";

/// For a Page's token, `me` is the Page. A person's token has no followers and is refused with an
/// error about the field, which is right: nothing can be published with it.
pub(super) async fn owner(settings: &Settings, on: &Session) -> Result<Owner, OwnerError> {
    let request = Graph::of(settings, on)
        .me(OWNER_FIELDS)
        .map_err(|fault| OwnerError::Refused(fault.refusal().detail))?;
    match on.outbound.send(request).await {
        Ok(answer) => read_owner(&answer),
        Err(failure) => Err(OwnerError::Unreachable(describe(&failure))),
    }
}

/// The Page's own token, by one of a system user who may act for it. (Access token guide, system users.)
pub(super) async fn own_token(
    settings: &Settings,
    on: &Session,
) -> Result<SecretString, OwnerError> {
    let graph = Graph::of(settings, on);
    let page = graph.page;
    let request = graph
        .get(&[page], &[("fields", "id,access_token")])
        .map_err(|fault| OwnerError::Refused(fault.refusal().detail))?;
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return Err(OwnerError::Unreachable(describe(&failure))),
    };
    if !answer.status.is_success() {
        return Err(refused(&answer));
    }
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if text_at(&value, "id").as_deref() != Some(page) {
        return Err(OwnerError::Unreachable("the answer is not about this Page".to_owned()));
    }
    // The field is left out for whoever has no task on the Page.
    text_at(&value, "access_token").filter(|it| !it.is_empty()).map(SecretString::from).ok_or_else(
        || OwnerError::Refused("this token gives no access to the Page's own one".to_owned()),
    )
}

pub(super) fn read_owner(answer: &Response) -> Result<Owner, OwnerError> {
    if answer.status.is_success() {
        return serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|value| {
                Some(Owner {
                    remote_id: text_at(&value, "id")?,
                    name: text_at(&value, "name")?,
                    handle: None,
                    followers: value.get("followers_count").and_then(Value::as_u64),
                    long_posts: LongPosts::default(),
                })
            })
            .ok_or_else(|| OwnerError::Unreachable("the answer has no id and name".to_owned()));
    }
    Err(refused(answer))
}

fn refused(answer: &Response) -> OwnerError {
    let status = answer.status.as_u16();
    let Some(error) = GraphError::parse(&answer.body).filter(|_| answer.status.is_client_error())
    else {
        return OwnerError::Unreachable(format!("status {status}"));
    };
    let said = format!("{} {}", error.word(), error.detail());
    match error.meaning() {
        Some(Meaning::Refused(_)) => OwnerError::Refused(said),
        Some(Meaning::Throttled | Meaning::TooOften | Meaning::Nothing) | None => {
            OwnerError::Unreachable(said)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};

    fn answer(status: u16, body: &'static str) -> Response {
        let status = StatusCode::from_u16(status).expect("status");
        Response { status, headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn a_page_is_its_own_owner() {
        let body = r#"{"id":"104","name":"Đại sứ quán","followers_count":12}"#;
        let owner = read_owner(&answer(200, body)).expect("owner");
        assert_eq!((owner.remote_id.as_str(), owner.followers), ("104", Some(12)));
    }

    #[test]
    fn only_the_platforms_word_condemns_a_token() {
        let dead = r#"{"error":{"message":"expired","type":"OAuthException","code":190,"error_subcode":463}}"#;
        let person = r#"{"error":{"message":"nonexisting field","code":100}}"#;
        let busy = r#"{"error":{"message":"later","code":2}}"#;
        let limited = r#"{"error":{"message":"limit","code":80001}}"#;
        assert!(matches!(read_owner(&answer(400, dead)), Err(OwnerError::Refused(_))));
        assert!(matches!(read_owner(&answer(400, person)), Err(OwnerError::Refused(_))));
        for (status, body) in
            [(500, busy), (400, busy), (400, limited), (500, dead), (502, "<html>"), (200, "{}")]
        {
            let read = read_owner(&answer(status, body));
            assert!(matches!(read, Err(OwnerError::Unreachable(_))), "{status} {body}: {read:?}");
        }
    }
}
