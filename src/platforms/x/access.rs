//! What an account's credential is worth at X: who it belongs to, in X's words.

use super::Settings;
use super::api::Api;
use super::classify::{Meaning, Problem, free_at};
use super::connect::read_owner;
use crate::outbound::Response;
use crate::platforms::outcome::{Access, RefusalKind};
use crate::platforms::session::Session;
use crate::platforms::wire::describe;

/// X tells the rights of a token only when it gives it.
pub(super) async fn access(settings: &Settings, on: &Session) -> Access {
    let unclear = |detail| Access::Unclear { detail, until: None };
    let request = match Api::of(settings, on).me() {
        Ok(request) => request,
        Err(fault) => return unclear(fault.refusal().detail),
    };
    match on.outbound.send(request).await {
        Ok(answer) => read(settings, &answer, on.clock.now()),
        Err(failure) => unclear(describe(&failure)),
    }
}

fn read(settings: &Settings, answer: &Response, now: jiff::Timestamp) -> Access {
    let problem = Problem::parse(answer).filter(|_| !answer.status.is_success());
    let Some(problem) = problem else { return read_owner(answer, settings).into() };
    let said = format!("{} {}", problem.word(), problem.said());
    match problem.meaning() {
        Some(Meaning::Refused(RefusalKind::Credential)) => Access::Refused(said),
        Some(Meaning::Refused(RefusalKind::Person | RefusalKind::Permission)) => {
            Access::Barred(said)
        }
        Some(Meaning::RateLimited) => {
            Access::Unclear { detail: said, until: free_at(answer, now).0 }
        }
        // The application's set-up or balance, a cap or an outage says nothing about the account.
        Some(
            Meaning::Capped
            | Meaning::Refused(
                RefusalKind::Content
                | RefusalKind::Configuration
                | RefusalKind::Credits
                | RefusalKind::Duplicate,
            ),
        )
        | None => Access::Unclear { detail: said, until: None },
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::platforms::setting;

    fn said(status: u16, body: &'static str) -> Access {
        let status = StatusCode::from_u16(status).expect("status");
        let answer = Response { status, headers: HeaderMap::new(), body: body.into() };
        read(&setting::public().x, &answer, jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_credential_is_refused_only_in_the_words_of_x() {
        let whole = r#"{"data":{"id":"2244994945","name":"a","username":"mofa_vn"}}"#;
        assert!(matches!(said(200, whole), Access::Alive(_)));
        let dead =
            r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#;
        assert!(matches!(said(401, dead), Access::Refused(_)));
        let wrong = r#"{"title":"Unsupported Authentication","type":"https://api.x.com/2/problems/unsupported-authentication"}"#;
        assert!(matches!(said(403, wrong), Access::Refused(_)));
        let suspended = r#"{"title":"Forbidden","detail":"Your account is suspended."}"#;
        assert!(matches!(said(403, suspended), Access::Barred(_)));
        for (status, body) in
            [(401, "<html>"), (402, dead), (429, dead), (503, dead), (403, dead), (200, "{}")]
        {
            let said = said(status, body);
            assert!(matches!(said, Access::Unclear { .. }), "{status} {body}: {said:?}");
        }
    }
}
