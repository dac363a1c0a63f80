//! Says in the document which headers come with which answers.

use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Response, Type};

/// What has a version, which a change must name.
const VERSIONED: [&str; 13] = [
    "/api/v1/campaigns",
    "/api/v1/comments",
    "/api/v1/events",
    "/api/v1/people",
    "/api/v1/units",
    "/api/v1/accounts",
    "/api/v1/posts",
    "/api/v1/rules",
    "/api/v1/series",
    "/api/v1/term-entries",
    "/api/v1/deliveries",
    "/api/v1/webhooks",
    SETTINGS,
];

/// One thing although nothing in its address tells it from others: everybody has his own.
const SETTINGS: &str = "/api/v1/notifications/settings";

/// What lies below these without being one of them: a dry run, the making of several others, a log,
/// what leads to one.
const UNVERSIONED: [&str; 23] = [
    "/api/v1/accounts/connect",
    "/api/v1/accounts/connections/{id}",
    "/api/v1/accounts/connections/{id}/approve",
    "/api/v1/accounts/connections/{id}/finish",
    "/api/v1/accounts/{id}/attest",
    "/api/v1/accounts/{id}/health",
    "/api/v1/campaigns/{id}/board",
    "/api/v1/campaigns/{id}/kits",
    "/api/v1/campaigns/{id}/matrix",
    "/api/v1/people/{id}/invitation",
    "/api/v1/campaigns/{id}/embargo",
    "/api/v1/posts/check",
    "/api/v1/posts/{id}/embargo",
    "/api/v1/posts/{id}/approvals",
    "/api/v1/posts/{id}/comments",
    "/api/v1/posts/{id}/deliveries",
    "/api/v1/posts/{id}/submit",
    "/api/v1/rules/{id}/conflicts",
    "/api/v1/series/preview",
    "/api/v1/series/{id}/dates",
    "/api/v1/posts/{id}/variants/{language}/diff",
    "/api/v1/term-entries/import",
    "/api/v1/webhooks/{id}/tries",
];

/// Declares the headers of every answer of an operation.
pub(super) fn declare(operation: &mut Operation, path: &str, method: &HttpMethod) {
    let is_list = *method == HttpMethod::Get && !path.contains('{') && path != SETTINGS;
    let noun = VERSIONED.iter().any(|it| path.starts_with(it));
    let versioned = noun && !is_list && !UNVERSIONED.contains(&path);
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        match status.as_str() {
            "200" | "201" => {
                if versioned {
                    let what = "The version, for If-Match";
                    add(response, "ETag", text("^\"[0-9]+\"$"), what, true);
                }
                if status == "201" {
                    let what = "Where to find what was made";
                    add(response, "Location", text("^/api/v1/"), what, true);
                }
                if *method == HttpMethod::Post {
                    let what = "The work was done by an earlier request under the same key";
                    add(response, "Idempotency-Replayed", text("^true$"), what, false);
                }
            }
            "401" => {
                let what = "How to say who asks";
                add(response, "WWW-Authenticate", text("^Bearer "), what, true);
            }
            "429" | "503" if response.content.contains_key(super::problem::PROBLEM_JSON) => {
                let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
                add(response, "Retry-After", seconds, "Seconds after which to try again", true);
            }
            _ => {}
        }
    }
}

fn text(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build()
}

fn add(response: &mut Response, name: &str, schema: Object, what: &str, required: bool) {
    let schema = Some(RefOr::T(schema.into()));
    let mut further = Extensions::default();
    // A member of the standard that the crate does not know.
    further.insert("required".to_owned(), required.into());
    let header = HeaderBuilder::new().schema(schema).description(Some(what));
    let header = header.extensions(Some(further)).build();
    response.headers.insert(name.to_owned(), RefOr::T(header));
}
