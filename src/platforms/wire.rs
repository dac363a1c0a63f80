//! What every platform's client needs to speak HTTP: addresses, bodies, short texts, failures.

use std::cmp::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::outcome::{Alteration, Deferral, Doubt, Outcome, Refusal, RefusalKind};
use crate::domain::attempt::Reach;
use crate::outbound::{Failure, FailureKind, Label, Request, secret_header};

/// The most that is read of an answer; none of the answers used here comes near it, but for X's lists.
const LARGEST_ANSWER: usize = 1 << 20;

/// Why a request could not even be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsendable {
    /// The configured base address cannot carry a path.
    Address,
    /// The token holds characters that no header can.
    Token,
    /// The settings of the delivery are not what was checked.
    Settings,
    /// A kind of file that is not published here.
    Kind,
    /// The account is on a server that is not configured.
    Account,
    /// The platform is not configured.
    NotConfigured,
}

impl Unsendable {
    /// Nothing was sent, and the same would happen again.
    pub(super) fn refusal(self) -> Refusal {
        let (kind, code, detail) = match self {
            Self::Address => {
                (RefusalKind::Configuration, "address", "the configured address is not usable")
            }
            Self::Token => {
                (RefusalKind::Credential, "token", "the token holds characters that cannot be sent")
            }
            Self::Settings => {
                (RefusalKind::Content, "settings", "the settings of the delivery cannot be read")
            }
            Self::Kind => {
                (RefusalKind::Content, "media_kind", "this kind of file is not published here")
            }
            Self::Account => {
                (RefusalKind::Permission, "server", "the account's server is not configured")
            }
            Self::NotConfigured => {
                (RefusalKind::Configuration, "configuration", "the platform is not configured")
            }
        };
        Refusal { kind, code: code.to_owned(), detail: detail.to_owned() }
    }
}

/// Who calls: the token and the deadline that every request of one account shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    /// The platform, for metrics.
    pub(super) destination: &'static str,
    /// Sent in the `Authorization` header and nowhere else.
    pub(super) token: &'a SecretString,
    /// Total deadline.
    pub(super) timeout: Duration,
}

impl Caller<'_> {
    /// A request with its `Authorization`.
    pub(super) fn request(
        &self,
        kind: &'static str,
        method: Method,
        url: Url,
        body: Body,
    ) -> Result<Request, Unsendable> {
        let bearer = secret_header(&format!("Bearer {}", self.token.expose_secret()))
            .ok_or(Unsendable::Token)?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(content_type) = body.content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        Ok(Request {
            method,
            url,
            headers,
            body: body.bytes,
            timeout: self.timeout,
            max_answer: LARGEST_ANSWER,
            label: Label { destination: self.destination, kind },
        })
    }
}

/// A form posted without any `Authorization`.
pub(super) fn open_request(label: Label, url: Url, body: Body, timeout: Duration) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(content_type) = body.content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    let (method, body) = (Method::POST, body.bytes);
    Request { method, url, headers, body, timeout, max_answer: LARGEST_ANSWER, label }
}

/// `base` with these path segments behind its own path, each escaped.
pub(super) fn address(base: &Url, segments: &[&str]) -> Result<Url, Unsendable> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| Unsendable::Address)?
        .pop_if_empty()
        .extend(segments.iter().copied());
    Ok(url)
}

/// A body with its type.
#[derive(Debug, Default)]
pub(super) struct Body {
    content_type: Option<HeaderValue>,
    bytes: Bytes,
}

impl Body {
    /// `application/x-www-form-urlencoded`.
    pub(super) fn form(pairs: &[(String, String)]) -> Self {
        let text =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Self {
            content_type: Some(HeaderValue::from_static("application/x-www-form-urlencoded")),
            bytes: text.into(),
        }
    }

    /// `application/json`.
    pub(super) fn json(value: &Value) -> Self {
        Self {
            content_type: Some(HeaderValue::from_static("application/json")),
            bytes: value.to_string().into(),
        }
    }

    /// A file by itself.
    pub(super) fn file(mime: &str, bytes: Bytes) -> Self {
        Self { content_type: HeaderValue::from_str(mime).ok(), bytes }
    }

    /// `multipart/form-data` with texts and one file. The boundary is made from the file's hash,
    /// so no file can hold its own boundary except by breaking the hash.
    pub(super) fn multipart(texts: &[(&str, &str)], file: &FilePart<'_>) -> Self {
        let boundary = format!("chancery{}", file.sha256);
        let mut body = Vec::with_capacity(file.bytes.len() + 1024);
        for (name, value) in texts {
            let head =
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(value.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        let extension = file.mime.rsplit('/').next().unwrap_or("bin");
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"picture.{extension}\"\r\nContent-Type: {}\r\n\r\n",
            file.name, file.mime
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(file.bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Self { content_type: HeaderValue::from_str(&content_type).ok(), bytes: body.into() }
    }
}

/// The file of a multipart body.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilePart<'a> {
    /// Name of the field.
    pub(super) name: &'a str,
    /// Type.
    pub(super) mime: &'a str,
    /// Hexadecimal hash of the bytes.
    pub(super) sha256: &'a str,
    /// The file.
    pub(super) bytes: &'a [u8],
}

/// A platform's words for people: one line, short, and without anything as long as a token. (The
/// Graph API repeats a malformed token in its message.)
pub(super) fn shorten(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if word.chars().count() > 40 { "…" } else { word });
        if out.chars().count() > 200 {
            out.push('…');
            break;
        }
    }
    out
}

/// What came of a create that got no complete answer.
pub(super) fn failed_create(failure: &Failure) -> Outcome {
    match (failure.kind, failure.reach) {
        (FailureKind::Forbidden, _) => Outcome::Refused(forbidden()),
        (
            FailureKind::Connect
            | FailureKind::Timeout
            | FailureKind::Broken
            | FailureKind::TooLarge,
            Reach::NotConnected,
        ) => Outcome::Deferred(Deferral {
            until: None,
            code: "connect",
            detail: "no connection; nothing was sent".to_owned(),
            whole_account: false,
        }),
        (
            FailureKind::Connect
            | FailureKind::Timeout
            | FailureKind::Broken
            | FailureKind::TooLarge,
            Reach::HeadersStarted | Reach::BodyComplete | Reach::AnswerStarted,
        ) => Outcome::Unknown(Doubt {
            reach: failure.reach,
            detail: describe(failure),
            remote_id: None,
        }),
    }
}

/// What came of a step that may be repeated because nobody can see what it makes.
pub(super) fn failed_step(failure: &Failure) -> Outcome {
    match failure.kind {
        FailureKind::Forbidden => Outcome::Refused(forbidden()),
        FailureKind::Connect => Outcome::Deferred(Deferral {
            until: None,
            code: "connect",
            detail: "no connection for a picture".to_owned(),
            whole_account: false,
        }),
        FailureKind::Timeout | FailureKind::Broken | FailureKind::TooLarge => {
            upload_again(&describe(failure))
        }
    }
}

/// What came of deleting a post without a complete answer: it may be repeated.
pub(super) fn failed_alteration(failure: &Failure) -> Alteration {
    match failure.kind {
        FailureKind::Forbidden => Alteration::Refused(forbidden()),
        FailureKind::Connect => Alteration::Deferred(Deferral {
            until: None,
            code: "connect",
            detail: "no connection; nothing was sent".to_owned(),
            whole_account: false,
        }),
        FailureKind::Timeout | FailureKind::Broken | FailureKind::TooLarge => {
            Alteration::Unknown(describe(failure))
        }
    }
}

/// The repeatable step before the create is to be done again; nothing visible exists.
pub(super) fn upload_again(detail: &str) -> Outcome {
    Outcome::Deferred(Deferral {
        until: None,
        code: "upload",
        detail: format!("a picture could not be uploaded: {detail}"),
        whole_account: false,
    })
}

fn forbidden() -> Refusal {
    Refusal {
        kind: RefusalKind::Configuration,
        code: "forbidden_address".to_owned(),
        detail: "the platform's address leads into a network that is not allowed".to_owned(),
    }
}

/// A failure in one line.
pub(super) fn describe(failure: &Failure) -> String {
    match failure.status {
        Some(status) => format!("{failure}, status {}", status.as_u16()),
        None => failure.to_string(),
    }
}

/// How far the platform's clock is ahead of ours, by the `Date` of an answer.
pub(super) fn clock_lead(headers: &HeaderMap, now: Timestamp) -> SignedDuration {
    headers
        .get(DATE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| jiff::fmt::rfc2822::parse(text).ok())
        .map_or(SignedDuration::ZERO, |date| date.timestamp().duration_since(now))
}

/// Whether two addresses lead to the same host and port.
pub(super) fn same_place(a: &Url, b: &Url) -> bool {
    let port = |url: &Url| url.port_or_known_default();
    a.host().is_some() && a.host() == b.host() && port(a) == port(b)
}

/// The text of a header.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An id or another text at `key`; platforms write ids as texts, old ones as numbers. Without NUL,
/// which PostgreSQL does not keep.
pub(super) fn text_at(value: &Value, key: &str) -> Option<String> {
    let found = value.get(key)?;
    found
        .as_str()
        .map(|text| text.replace('\0', ""))
        .or_else(|| found.as_u64().map(|number| number.to_string()))
}

/// Whether a text is a decimal number as platforms use for ids.
pub(super) fn is_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The order of two decimal numbers of any length; what is no number is older than any.
pub(super) fn number_order(a: &str, b: &str) -> Ordering {
    let rank = |text: &str| {
        is_number(text).then(|| {
            let digits = text.trim_start_matches('0');
            (digits.len(), digits.to_owned())
        })
    };
    rank(a).cmp(&rank(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_that_left_nothing_behind_is_tried_again() {
        for kind in [FailureKind::Connect, FailureKind::Timeout, FailureKind::Broken] {
            let early = Failure { reach: Reach::NotConnected, kind, status: None };
            assert!(matches!(
                failed_create(&early),
                Outcome::Deferred(Deferral { code: "connect", .. })
            ));
            for reach in [Reach::HeadersStarted, Reach::BodyComplete, Reach::AnswerStarted] {
                let late = Failure { reach, kind, status: None };
                let outcome = failed_create(&late);
                let Outcome::Unknown(doubt) = outcome else { panic!("{kind:?}: {outcome:?}") };
                assert_eq!(doubt.reach, reach);
            }
        }
    }

    #[test]
    fn a_forbidden_address_is_a_fault_of_the_configuration() {
        let failure =
            Failure { reach: Reach::NotConnected, kind: FailureKind::Forbidden, status: None };
        for outcome in [failed_create(&failure), failed_step(&failure)] {
            let Outcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
            assert_eq!(refusal.kind, RefusalKind::Configuration);
        }
    }

    #[test]
    fn a_failed_upload_is_never_a_doubt() {
        for kind in [FailureKind::Timeout, FailureKind::Broken, FailureKind::TooLarge] {
            for reach in [Reach::HeadersStarted, Reach::BodyComplete, Reach::AnswerStarted] {
                let failure = Failure { reach, kind, status: None };
                assert!(matches!(failed_step(&failure), Outcome::Deferred(_)), "{kind:?} {reach}");
            }
        }
    }

    #[test]
    fn words_as_long_as_a_token_never_reach_people() {
        let token = "EAAB".repeat(40);
        let said = shorten(&format!("Malformed access token {token}\r\nagain"));
        assert_eq!(said, "Malformed access token … again");
        assert!(shorten(&"word ".repeat(1000)).chars().count() < 250);
    }

    #[test]
    fn numbers_are_ordered_by_value_and_not_by_letters() {
        assert_eq!(number_order("9", "10"), Ordering::Less);
        assert_eq!(number_order("0010", "10"), Ordering::Equal);
        assert_eq!(number_order("1992000000000000000", "1991999999999999999"), Ordering::Greater);
        assert_eq!(number_order("x", "1"), Ordering::Less);
    }

    #[test]
    fn a_base_address_keeps_its_own_path_and_escapes_what_is_added() {
        let base: Url = "http://127.0.0.1:8080/graph/".parse().expect("url");
        let url = address(&base, &["v25.0", "1/2?x", "feed"]).expect("address");
        assert_eq!(url.as_str(), "http://127.0.0.1:8080/graph/v25.0/1%2F2%3Fx/feed");
    }

    #[test]
    fn the_token_stands_in_a_sensitive_header_and_nowhere_else() {
        let token = SecretString::from("top-secret".to_owned());
        let caller = Caller { destination: "test", token: &token, timeout: Duration::from_secs(1) };
        let url: Url = "https://example.org/".parse().expect("url");
        let request =
            caller.request("read", Method::GET, url.clone(), Body::default()).expect("request");
        assert_eq!(request.headers[AUTHORIZATION], "Bearer top-secret");
        assert!(!format!("{request:?} {caller:?}").contains("top-secret"));
        let broken = SecretString::from("line\nbreak".to_owned());
        let caller = Caller { token: &broken, ..caller };
        let refused = caller.request("read", Method::GET, url, Body::default());
        assert_eq!(refused.expect_err("refused").refusal().kind, RefusalKind::Credential);
    }

    #[test]
    fn a_multipart_body_has_its_parts_in_order() {
        let file = FilePart { name: "source", mime: "image/png", sha256: "ab12", bytes: b"PNG" };
        let body = Body::multipart(&[("published", "false")], &file);
        let expected = "--chanceryab12\r\nContent-Disposition: form-data; name=\"published\"\r\n\r\nfalse\r\n\
            --chanceryab12\r\nContent-Disposition: form-data; name=\"source\"; filename=\"picture.png\"\r\n\
            Content-Type: image/png\r\n\r\nPNG\r\n--chanceryab12--\r\n";
        assert_eq!(body.bytes, expected);
        assert_eq!(body.content_type.expect("type"), "multipart/form-data; boundary=chanceryab12");
    }
}
