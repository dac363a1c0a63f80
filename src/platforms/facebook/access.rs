//! What a Page's token is worth at Facebook: whose it is, and what `debug_token` says of its rights and ends.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Settings;
use super::api::Graph;
use super::classify::{GraphError, Meaning};
use super::connect::{OWNER_FIELDS, read_owner};
use super::sign_in::{SCOPES, said_of};
use crate::outbound::Response;
use crate::platforms::outcome::{Access, RefusalKind, Standing};
use crate::platforms::session::Session;
use crate::platforms::sign_in::{Means, missing};
use crate::platforms::wire::describe;

/// What lies further ahead is garbled.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);

pub(super) async fn access(settings: &Settings, on: &Session) -> Access {
    let unclear = |detail| Access::Unclear { detail, until: None };
    let request = match Graph::of(settings, on).me(OWNER_FIELDS) {
        Ok(request) => request,
        Err(fault) => return unclear(fault.refusal().detail),
    };
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return unclear(describe(&failure)),
    };
    match read(&answer) {
        Access::Alive(standing) => inspect(settings, on, standing).await,
        other @ (Access::Refused(_) | Access::Barred(_) | Access::Unclear { .. }) => other,
    }
}

fn read(answer: &Response) -> Access {
    let error = GraphError::parse(&answer.body).filter(|_| answer.status.is_client_error());
    let Some(error) = error else { return read_owner(answer).into() };
    let said = format!("{} {}", error.word(), error.detail());
    match error.meaning() {
        Some(Meaning::Refused(RefusalKind::Credential)) => Access::Refused(said),
        Some(Meaning::Refused(RefusalKind::Permission | RefusalKind::Person)) => {
            Access::Barred(said)
        }
        Some(
            Meaning::Refused(
                RefusalKind::Content
                | RefusalKind::Configuration
                | RefusalKind::Credits
                | RefusalKind::Duplicate,
            )
            | Meaning::Throttled
            | Meaning::TooOften
            | Meaning::Nothing,
        )
        | None => Access::Unclear { detail: said, until: None },
    }
}

/// Adds what Facebook says of the token itself, if it can be asked: without the application's secret it
/// cannot, and a question that fails says nothing.
async fn inspect(settings: &Settings, on: &Session, standing: Standing) -> Access {
    let (Some(id), Some(secret)) = (&settings.app_id, &settings.app_secret) else {
        return Access::Alive(standing);
    };
    let means =
        Means { outbound: on.outbound.clone(), clock: on.clock.clone(), timeout: on.timeout };
    let Some(data) = said_of(settings, &means, (id, secret), &on.token).await else {
        return Access::Alive(standing);
    };
    judge(&data, standing, on.clock.now())
}

fn judge(data: &Value, standing: Standing, now: Timestamp) -> Access {
    let error = data.get("error");
    if data.get("is_valid").and_then(Value::as_bool) == Some(false) {
        // Only with the code of a dead token: anything else may be the question's fault.
        let body = serde_json::to_vec(&serde_json::json!({ "error": error })).unwrap_or_default();
        let said = GraphError::parse(&body);
        let is_dead = |it: &GraphError| {
            matches!(it.meaning(), Some(Meaning::Refused(RefusalKind::Credential)))
        };
        return match said.filter(is_dead) {
            Some(said) => Access::Refused(format!("{} {}", said.word(), said.detail())),
            None => Access::Alive(standing),
        };
    }
    let scopes: Option<Vec<String>> = data
        .get("scopes")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    let end = |name: &str| {
        let seconds = data.get(name).and_then(Value::as_i64).filter(|at| *at > 0)?;
        let at = Timestamp::from_second(seconds).ok()?;
        (at < now.checked_add(LONGEST).ok()?).then_some(at)
    };
    Access::Alive(Standing {
        missing: scopes.as_deref().map(|scopes| missing(SCOPES, scopes)),
        scopes,
        expires_at: end("expires_at"),
        data_access_ends_at: end("data_access_expires_at"),
        owner: standing.owner,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;
    use crate::platforms::outcome::{LongPosts, Owner};

    fn said(status: u16, body: &'static str) -> Access {
        let status = StatusCode::from_u16(status).expect("status");
        read(&Response { status, headers: HeaderMap::new(), body: body.into() })
    }

    fn judged(data: &Value) -> Access {
        let owner = Owner {
            remote_id: "104".into(),
            name: "a".into(),
            handle: None,
            followers: None,
            long_posts: LongPosts::default(),
        };
        judge(data, Standing::of(owner), "2026-11-23T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_credential_is_refused_only_in_the_words_of_facebook() {
        assert!(matches!(said(200, r#"{"id":"104","name":"a"}"#), Access::Alive(_)));
        let dead = r#"{"error":{"message":"expired","code":190,"error_subcode":463}}"#;
        assert!(matches!(said(400, dead), Access::Refused(_)));
        let person = r#"{"error":{"message":"confirm","code":368,"error_subcode":4854002}}"#;
        assert!(matches!(said(400, person), Access::Barred(_)));
        let right = r#"{"error":{"message":"no","code":200}}"#;
        assert!(matches!(said(403, right), Access::Barred(_)));
        let busy = r#"{"error":{"message":"later","code":2}}"#;
        let limited = r#"{"error":{"message":"limit","code":80001}}"#;
        for (status, body) in
            [(500, busy), (400, busy), (400, limited), (500, dead), (502, "<html>"), (200, "{}")]
        {
            let said = said(status, body);
            assert!(matches!(said, Access::Unclear { .. }), "{status} {body}: {said:?}");
        }
    }

    #[test]
    fn what_is_said_of_a_token_is_read_with_its_ends_and_its_missing_rights() {
        let data = json!({
            "is_valid": true, "expires_at": 1_800_000_000, "data_access_expires_at": 1_798_000_000,
            "scopes": ["pages_show_list", "pages_read_engagement"],
        });
        let Access::Alive(standing) = judged(&data) else { panic!("it is alive") };
        assert_eq!(standing.expires_at, Some(Timestamp::from_second(1_800_000_000).unwrap()));
        assert_eq!(
            standing.data_access_ends_at,
            Some(Timestamp::from_second(1_798_000_000).unwrap())
        );
        let missing = standing.missing.expect("known");
        assert!(missing.iter().any(|it| it.scope == "pages_manage_posts" && it.needed));
        // For ever, and what lies too far ahead to be true.
        for ends in [json!(0), json!(99_000_000_000_i64), json!(null)] {
            let Access::Alive(standing) = judged(&json!({"is_valid": true, "expires_at": ends}))
            else {
                panic!("it is alive")
            };
            assert_eq!((standing.expires_at, standing.scopes), (None, None));
        }
        let dead = json!({"is_valid": false, "error": {"code": 190, "message": "gone"}});
        assert!(matches!(judged(&dead), Access::Refused(_)));
        let odd = json!({"is_valid": false, "error": {"code": 1, "message": "?"}});
        assert!(matches!(judged(&odd), Access::Alive(_)));
    }
}
