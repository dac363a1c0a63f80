//! What each row of the table means, and what is no refusal at all.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::*;

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

fn outcome(status: u16, body: &str) -> Outcome {
    created(&answer(status, body), now(), |id| Some(format!("https://x.com/i/web/status/{id}")))
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

fn problem(name: &str, title: &str, detail: &str) -> String {
    let kind = if name.is_empty() {
        "about:blank".to_owned()
    } else {
        format!("https://api.x.com/2/problems/{name}")
    };
    json!({"type": kind, "title": title, "detail": detail}).to_string()
}

#[test]
fn every_row_means_what_it_should() {
    let old_host = json!({"type": "https://api.twitter.com/2/problems/usage-capped",
        "title": "UsageCapExceeded", "detail": "Usage cap exceeded", "period": "Monthly"});
    let cases: &[(u16, String, &str)] = &[
        (429, old_host.to_string(), "monthly_limit"),
        (403, problem("usage-capped", "UsageCapExceeded", "cap"), "daily_limit"),
        (429, problem("", "Too Many Requests", "Too Many Requests"), "rate_limit"),
        (429, json!({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}).to_string(), "rate_limit"),
        (401, problem("", "Unauthorized", "Unauthorized"), "Credential"),
        (402, problem("", "CreditsDepleted", "no credits"), "Credits"),
        (402, problem("credits-depleted", "Payment Required", "credits depleted"), "Credits"),
        (403, problem("", "Forbidden", "You are not allowed to create a Tweet with duplicate content."), "Duplicate"),
        (403, problem("", "Forbidden", "Status is a duplicate."), "Duplicate"),
        (403, r#"{"errors":[{"code":187,"message":"Status is a duplicate."}]}"#.to_owned(), "Duplicate"),
        (403, r#"{"errors":[{"code":187,"message":"Other words"}]}"#.to_owned(), "Duplicate"),
        (403, r#"{"errors":[{"code":188,"message":"Other words"}]}"#.to_owned(), "Content"),
        (403, json!({"client_id": "1", "title": "Client Forbidden", "detail": "d", "reason": "client-not-enrolled",
            "type": "https://api.twitter.com/2/problems/client-forbidden"}).to_string(), "Configuration"),
        (403, problem("unsupported-authentication", "Unsupported Authentication", "d"), "Credential"),
        (403, problem("oauth1-permissions", "Forbidden", "d"), "Configuration"),
        (403, problem("", "Forbidden", "User has been suspended."), "Person"),
        (403, problem("not-authorized-for-resource", "Authorization Error", "You can only reply to posts where you are mentioned."), "Content"),
        (403, problem("", "Forbidden", "There is a maximum of one cashtag."), "Content"),
        (403, problem("", "Forbidden", "You are not permitted to perform this action."), "Content"),
        (403, problem("", "Forbidden", "You are not allowed to post a video longer than 2 minutes."), "Content"),
        (403, problem("", "Forbidden", "something new"), "Content"),
        (400, problem("invalid-request", "Invalid Request", "One or more parameters was invalid."), "Content"),
        (400, problem("", "Bad Request", "d"), "Content"),
        (404, problem("resource-not-found", "Not Found Error", "d"), "Content"),
        (413, problem("", "Payload Too Large", "d"), "Content"),
        (415, problem("", "Unsupported Media Type", "d"), "Content"),
        (422, problem("", "Unprocessable", "d"), "Content"),
    ];
    let mut rows = HashSet::new();
    for (status, body, expected) in cases {
        assert_eq!(word(&outcome(*status, body)), *expected, "create {status} {body}");
        let step = accepted(&answer(*status, body), now()).expect_err("refused");
        assert_eq!(word(&step), *expected, "upload {status} {body}");
        let parsed = Problem::parse(&answer(*status, body)).expect("problem");
        rows.extend(parsed.row().map(std::ptr::from_ref));
    }
    assert_eq!(rows.len(), TABLE.len(), "a row has no case");
}

#[test]
fn a_refusal_carries_a_code_and_the_words() {
    let body =
        problem("", "Forbidden", "You are not allowed to create a Tweet with duplicate content.");
    let expected = Refusal {
        kind: Duplicate,
        code: "403 duplicate".to_owned(),
        detail: "You are not allowed to create a Tweet with duplicate content.".to_owned(),
    };
    assert_eq!(outcome(403, &body), Outcome::Refused(expected));
}

/// Everything with which a post may exist although the answer is no success.
#[test]
fn what_is_no_definite_refusal_is_a_doubt() {
    let known = problem("", "Forbidden", "d");
    for (status, body) in [
        (500, known.as_str()),
        (502, "<html>"),
        (503, known.as_str()),
        (504, ""),
        (408, known.as_str()),
        (409, known.as_str()),
        (301, ""),
        (307, known.as_str()),
        (400, "<html>Bad Request</html>"),
        (403, ""),
        (403, "{}"),
        (403, r#"{"title":"cut"#),
        (429, "<html>"),
        (200, ""),
        (201, "{}"),
        (201, "<html>"),
        (201, r#"{"data":{"text":"no id"}}"#),
        (201, r#"{"data":{"id":"abc","text":"t"}}"#),
        (201, r#"{"errors":[{"title":"x"}]}"#),
        (201, r#"{"data":{"id":"19"#),
    ] {
        let outcome = outcome(status, body);
        let Outcome::Unknown(doubt) = outcome else { panic!("{status} {body}: {outcome:?}") };
        assert_eq!(doubt.reach, Reach::AnswerStarted);
        assert_eq!(doubt.remote_id, None, "{status} {body}");
    }
}

#[test]
fn a_broken_answer_may_still_give_the_id_away() {
    let given = |status, body: &str| {
        let outcome = outcome(status, body);
        let Outcome::Unknown(doubt) = outcome else { panic!("{outcome:?}") };
        doubt.remote_id
    };
    let id = Some("1992000000000000001".to_owned());
    assert_eq!(given(201, r#"{"data": {"id": "1992000000000000001", "text": "Xin ch"#), id);
    assert_eq!(given(201, r#"{"data":{"text":"\"id\":\"5\"","edit_hist"#), None);
    assert_eq!(given(500, r#"{"id":"5"}"#), None, "not an answer to the create");
}

#[test]
fn a_created_post_is_published_at_the_time_in_its_id() {
    let sample: Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/x/created.json"))
            .expect("fixture");
    for vocabulary in ["tweet_words", "post_words"] {
        let body = answer(201, &sample[vocabulary].to_string());
        let made = made_at("1992173824000000001").expect("instant");
        let link = |id: &str| Some(format!("https://x.com/i/web/status/{id}"));
        let published = created(&body, made, link);
        let expected = Receipt {
            remote_id: "1992173824000000001".to_owned(),
            permalink: Some("https://x.com/i/web/status/1992173824000000001".to_owned()),
            published_at: made_at("1992173824000000001").expect("instant"),
        };
        assert_eq!(published, Outcome::Published(expected), "{vocabulary}");
    }
}

#[test]
fn an_id_of_another_time_is_looked_for_before_it_is_believed() {
    let made = made_at("1992173824000000001").expect("instant");
    let body = answer(201, r#"{"data":{"id":"1992173824000000001","text":"t"}}"#);
    let outcome = |hours: i64| {
        let now = made.checked_add(SignedDuration::from_hours(hours)).expect("instant");
        created(&body, now, |_| None)
    };
    assert_eq!(word(&outcome(0)), "published");
    for hours in [-1, 2, 9_000] {
        let Outcome::Unknown(doubt) = outcome(hours) else { panic!("{:?}", outcome(hours)) };
        assert_eq!(doubt.remote_id.as_deref(), Some("1992173824000000001"));
    }
}

fn limited(pairs: &[(&'static str, &'static str)]) -> Deferral {
    let mut limited = answer(429, &problem("", "Too Many Requests", "Too Many Requests"));
    for (name, value) in pairs {
        limited.headers.insert(*name, HeaderValue::from_static(value));
    }
    let outcome = created(&limited, now(), |_| None);
    let Outcome::Deferred(deferral) = outcome else { panic!("{outcome:?}") };
    assert!(deferral.whole_account);
    deferral
}

#[test]
fn a_limit_waits_for_the_window_that_is_used_up() {
    let quarter = Timestamp::from_second(1_795_342_500).expect("instant");
    let day = Timestamp::from_second(1_795_420_800).expect("instant");
    let short = limited(&[
        ("x-rate-limit-limit", "100"),
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", "1795342500"),
    ]);
    assert_eq!((short.until, short.code), (Some(quarter), "rate_limit"));
    let only_the_day = limited(&[
        ("x-rate-limit-limit", "100"),
        ("x-rate-limit-remaining", "60"),
        ("x-rate-limit-reset", "1795342500"),
        ("x-app-limit-24hour-limit", "10000"),
        ("x-app-limit-24hour-remaining", "0"),
        ("x-app-limit-24hour-reset", "1795420800"),
    ]);
    assert_eq!((only_the_day.until, only_the_day.code), (Some(day), "daily_limit"));
    assert_eq!(limited(&[]).until, None, "left to the back-off");
    let past = limited(&[
        ("x-rate-limit-limit", "100"),
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", "1000"),
    ]);
    assert_eq!(past.until, None);
}

#[test]
fn a_cap_waits_for_its_period_to_end() {
    let until = |period: &str| {
        let body = json!({"type": "x/usage-capped", "title": "t", "detail": "d", "period": period});
        let outcome = outcome(429, &body.to_string());
        let Outcome::Deferred(deferral) = outcome else { panic!("{outcome:?}") };
        deferral.until.map(|until| until.to_string())
    };
    assert_eq!(until("Daily").as_deref(), Some("2026-11-23T00:00:00Z"));
    assert_eq!(until("Monthly").as_deref(), Some("2026-12-01T00:00:00Z"));
}

#[test]
fn an_upload_is_repeated_unless_it_is_refused() {
    for (status, body) in
        [(500, ""), (503, "<html>"), (302, ""), (404, "<html>"), (200, "{}"), (200, "")]
    {
        let outcome = uploaded(&answer(status, body), now()).expect_err("nothing there");
        assert!(matches!(*outcome, Outcome::Deferred(_)), "{status}: {outcome:?}");
    }
    let failed = json!({"data": {"id": "7", "processing_info": {"state": "failed"}}});
    let outcome = uploaded(&answer(200, &failed.to_string()), now()).expect_err("failed");
    assert_eq!(word(&outcome), "Content");
    let sample: Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/x/uploaded.json"))
            .expect("fixture");
    let there = uploaded(&answer(200, &sample["body"].to_string()), now()).expect("there");
    assert_eq!(there.id, "1992173000000000009");
    assert_eq!(there.usable_for, SignedDuration::from_hours(22));
}
