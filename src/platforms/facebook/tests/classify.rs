//! What each row of the table means for a create and for an upload, and what is no refusal at all.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue};

use super::*;

const PAGE: &str = "104";

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().expect("instant")
}

fn answer(status: u16, body: &str) -> Response {
    Response {
        status: StatusCode::from_u16(status).expect("status"),
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
    }
}

fn envelope(code: i64, subcode: Option<i64>, message: &str) -> String {
    let mut error = serde_json::json!({
        "message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1b2"
    });
    if let Some(subcode) = subcode {
        error["error_subcode"] = subcode.into();
    }
    serde_json::json!({ "error": error }).to_string()
}

/// An outcome in one word.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Published(_) => "published".to_owned(),
        Outcome::Pending(_) => "pending".to_owned(),
        Outcome::Refused(refusal) => format!("{:?}", refusal.kind),
        Outcome::Deferred(deferral) => deferral.code.to_owned(),
        Outcome::Unknown(_) => "unknown".to_owned(),
    }
}

type Case = (i64, Option<i64>, &'static str, &'static str, &'static str);

/// Code, subcode, message, what it means for a create, what for an upload.
const CASES: &[Case] = &[
    (1, None, "unknown", "unknown", "upload"),
    (2, None, "retry later", "unknown", "upload"),
    (4, Some(2_207_051), "blocked", "unknown", "upload"),
    (4, None, "app limit", "rate_limit", "rate_limit"),
    (17, None, "user limit", "rate_limit", "rate_limit"),
    (32, None, "page limit", "rate_limit", "rate_limit"),
    (613, Some(1996), "custom limit", "rate_limit", "rate_limit"),
    (80_001, None, "page token limit", "rate_limit", "rate_limit"),
    (80_002, None, "other product", "unknown", "rate_limit"),
    (341, None, "feed limit", "unknown", "rate_limit"),
    (368, Some(1_390_008), "too fast", "throttled", "throttled"),
    (368, Some(1_404_082), "again", "Duplicate", "Duplicate"),
    (368, None, "You've Already posted this.", "Duplicate", "Duplicate"),
    (506, None, "consecutively", "Duplicate", "Duplicate"),
    (368, Some(1_404_006), "security check", "Person", "Person"),
    (368, Some(4_854_002), "identity", "Person", "Person"),
    (368, Some(1_404_078), "authorization", "Person", "Person"),
    (368, Some(1_404_112), "limited for days", "Person", "Person"),
    (368, Some(7), "policy", "Content", "Content"),
    (1_404_006, None, "security check", "unknown", "Person"),
    (4_854_002, None, "identity", "unknown", "Person"),
    (1_404_078, None, "authorization", "unknown", "Person"),
    (1_404_112, None, "limited for days", "unknown", "Person"),
    (1_346_003, None, "policy", "unknown", "Content"),
    (1_404_102, None, "policy", "unknown", "Content"),
    (3, None, "capability", "unknown", "Permission"),
    (10, None, "permission", "Permission", "Permission"),
    (200, None, "permission", "Permission", "Permission"),
    (299, None, "permission", "Permission", "Permission"),
    (102, None, "session", "Credential", "Credential"),
    (190, Some(463), "expired", "Credential", "Credential"),
    (190, Some(458), "removed", "Credential", "Credential"),
    (190, None, "invalid", "Credential", "Credential"),
    (100, Some(33), "no such object", "Permission", "Permission"),
    (100, None, "invalid parameter", "Content", "Content"),
    (803, None, "no such object", "unknown", "Permission"),
    (197, None, "empty", "unknown", "Content"),
    (324, None, "no image", "unknown", "Content"),
    (1_366_046, None, "too big", "unknown", "Content"),
    (1_366_051, None, "already used", "unknown", "Content"),
    (2_069_019, None, "bad file", "unknown", "Content"),
    (1_609_005, None, "scrape", "unknown", "Content"),
    (1_609_008, None, "own link", "unknown", "Content"),
    (2_061_006, None, "bad address", "unknown", "Content"),
    (6_000, None, "upload", "unknown", "upload"),
    (6_001, Some(1_363_037), "offset", "unknown", "upload"),
    (2_635, None, "old version", "unknown", "Configuration"),
    (2_500, None, "no token", "unknown", "Configuration"),
    (960, None, "batch", "unknown", "upload"),
    (987_654, None, "never seen", "unknown", "Content"),
    (300, None, "after the permissions", "unknown", "Content"),
];

#[test]
fn every_row_means_what_it_should_for_a_create_and_for_an_upload() {
    let mut rows = HashSet::new();
    for (code, subcode, message, on_create, on_upload) in CASES.iter().copied() {
        let body = envelope(code, subcode, message);
        let create = created(&answer(400, &body), PAGE, now());
        assert_eq!(word(&create), on_create, "create {code}/{subcode:?}");
        let upload = uploaded(&answer(400, &body), now()).expect_err("no picture");
        assert_eq!(word(&upload), on_upload, "upload {code}/{subcode:?}");
        let error = GraphError::parse(body.as_bytes()).expect("envelope");
        rows.extend(error.row().map(std::ptr::from_ref));
    }
    assert_eq!(rows.len(), TABLE.len(), "a row has no case");
}

#[test]
fn a_refusal_carries_the_code_and_the_words() {
    let body = envelope(190, Some(463), "Session has expired");
    let expected = Refusal {
        kind: Credential,
        code: "190/463".to_owned(),
        detail: "Session has expired".to_owned(),
    };
    assert_eq!(created(&answer(401, &body), PAGE, now()), Outcome::Refused(expected));
}

/// Everything with which a post may exist although the answer is no success.
#[test]
fn what_is_no_definite_refusal_is_a_doubt() {
    let dead = envelope(190, None, "dead");
    for (status, body) in [
        (500, dead.as_str()),
        (503, dead.as_str()),
        (408, dead.as_str()),
        (302, dead.as_str()),
        (200, dead.as_str()),
        (502, "<html><body>Bad Gateway</body></html>"),
        (400, "<html>"),
        (400, ""),
        (400, r#"{"error":"no object"}"#),
        (400, r#"{"error":{"message":"no code"}}"#),
        (400, r#"{"error":{"code":"190"}}"#),
        (400, r#"{"error":{"code":190,"mess"#),
        (200, ""),
        (200, "{}"),
        (200, "<html>"),
        (200, r#"{"id":"999_5"}"#),
        (200, r#"{"id":"1045_5"}"#),
        (200, r#"{"id":"104_"}"#),
        (200, r#"{"id":"104"}"#),
        (200, r#"{"id":"104_5x"}"#),
        (200, r#"{"success":true}"#),
    ] {
        let outcome = created(&answer(status, body), PAGE, now());
        let Outcome::Unknown(doubt) = outcome else { panic!("{status} {body}: {outcome:?}") };
        assert_eq!(doubt.reach, Reach::AnswerStarted);
        assert_eq!(doubt.remote_id, None, "{status} {body}");
        assert!(!doubt.detail.is_empty());
    }
}

#[test]
fn a_broken_answer_may_still_give_the_id_away() {
    let given = |body: &str| {
        let outcome = created(&answer(200, body), PAGE, now());
        let Outcome::Unknown(doubt) = outcome else { panic!("{outcome:?}") };
        doubt.remote_id
    };
    assert_eq!(given(r#"{"id": "104_77","created_ti"#), Some("104_77".to_owned()));
    // Cut inside the number: any longer id could have been meant.
    assert_eq!(given(r#"{"id":"104_7"#), None);
    assert_eq!(given(r#"{"id":"105_77","created_ti"#), None);
}

#[test]
fn a_post_of_our_page_is_published() {
    let body = include_str!("../../../../tests/fixtures/facebook/feed_created.json");
    let sample: Value = serde_json::from_str(body).expect("fixture");
    let outcome = created(&answer(200, &sample["body"].to_string()), PAGE, now());
    let expected = Receipt {
        remote_id: "104_1220001".to_owned(),
        permalink: Some("https://www.facebook.com/104/posts/1220001".to_owned()),
        published_at: "2026-11-22T09:59:58Z".parse().expect("instant"),
    };
    assert_eq!(outcome, Outcome::Published(expected));
    let bare = created(&answer(200, r#"{"id":"104_5","error":{"code":2}}"#), PAGE, now());
    let expected = Receipt {
        remote_id: "104_5".to_owned(),
        permalink: Some("https://www.facebook.com/104_5".to_owned()),
        published_at: now(),
    };
    assert_eq!(bare, Outcome::Published(expected));
}

#[test]
fn a_throttle_waits_as_long_as_the_platform_says() {
    let mut limited = answer(400, &envelope(80_001, None, "limit"));
    let header = r#"{"104":[{"type":"pages","call_count":100,"total_cputime":9,"total_time":9,"estimated_time_to_regain_access":44}]}"#;
    limited.headers.insert("x-business-use-case-usage", HeaderValue::from_static(header));
    let outcome = created(&limited, PAGE, now());
    let Outcome::Deferred(deferral) = outcome else { panic!("{outcome:?}") };
    let until: Timestamp = "2026-11-22T10:44:00Z".parse().expect("instant");
    assert_eq!(deferral.until, Some(until));
    assert!(deferral.whole_account);
}

#[test]
fn a_throttle_without_headers_still_waits() {
    let wait = |code, subcode| {
        let outcome = created(&answer(400, &envelope(code, subcode, "x")), PAGE, now());
        let Outcome::Deferred(deferral) = outcome else { panic!("{outcome:?}") };
        deferral.until.expect("an instant").duration_since(now()).as_mins()
    };
    assert_eq!(wait(32, None), 10);
    assert_eq!(wait(368, Some(1_390_008)), 180);
}

#[test]
fn an_upload_is_repeated_unless_it_is_refused() {
    for (status, body) in [(500, ""), (502, "<html>"), (302, ""), (408, ""), (200, "{}"), (200, "")]
    {
        let outcome = uploaded(&answer(status, body), now()).expect_err("no picture");
        assert!(matches!(*outcome, Outcome::Deferred(_)), "{status}: {outcome:?}");
    }
    let body = include_str!("../../../../tests/fixtures/facebook/photo_staged.json");
    let sample: Value = serde_json::from_str(body).expect("fixture");
    assert_eq!(uploaded(&answer(200, &sample["body"].to_string()), now()), Ok("9001".to_owned()));
}
