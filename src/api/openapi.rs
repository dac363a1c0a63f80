//! The OpenAPI 3.1 document: made of the same lines that make the routes, with what all operations
//! have in common added here; and a page that shows it without any network.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Required, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use super::problem::{Body9457, PROBLEM_JSON};
use super::{Api, closed, headers, health, v1};

/// Revoking twice is no fault, and nothing stands in its way.
const NEVER_IN_CONFLICT: &str = "delete_token";

/// What gives or takes a secret is not kept, so it cannot be answered again.
const SECRET: [&str; 7] = [
    "create_session",
    "prove_session",
    "choose_password",
    "invite_person",
    "begin_second_factor",
    "confirm_second_factor",
    "renew_recovery_codes",
];

/// Where the document is.
const DOCUMENT: &str = "/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chancery",
        description = "The publishing desk of a foreign ministry: plan, approve, publish and measure, exactly once.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Body9457)),
    tags(
        (name = "units", description = "Departments and missions"),
        (name = "people", description = "Who may do what, and where"),
        (name = "calendar", description = "What all units plan: deliveries and events"),
        (name = "imports", description = "Tables of posts and of plans, and their undoing"),
        (name = "campaigns", description = "What is said together over a time"),
        (name = "accounts", description = "Pages and profiles on platforms"),
        (name = "media", description = "Files"),
        (name = "posts", description = "What is to be said"),
        (name = "series", description = "Posts that go out again and again by a rule"),
        (name = "deliveries", description = "What goes out where and when"),
        (name = "holds", description = "What is stopped, and what waits for a review afterwards"),
        (name = "foreign-posts", description = "Posts on our accounts that did not come from here"),
        (name = "languages", description = "Languages and what they are called"),
        (name = "comments", description = "Notes of people on posts, for themselves"),
        (name = "term-entries", description = "What things are officially called in each language"),
        (name = "platforms", description = "What platforms allow"),
        (name = "quarantine", description = "After a restore: nothing is sent until a person lets it"),
        (name = "clock", description = "Whether the clocks of the processes can be trusted"),
        (name = "tokens", description = "API tokens"),
        (name = "sessions", description = "Being signed in at a screen"),
        (name = "notifications", description = "What one is told in the product"),
        (name = "webhooks", description = "Other programs that are told what happens"),
        (name = "health", description = "For whoever watches over the process"),
    ),
)]
struct Base;

/// All routes with their part of the document: those that are soon done, and those that take files.
pub(super) fn routers() -> (OpenApiRouter<Api>, OpenApiRouter<Api>) {
    let short = OpenApiRouter::with_openapi(Base::openapi())
        .merge(health::routes())
        .nest("/api/v1", v1::routes());
    let long = OpenApiRouter::new().nest("/api/v1", v1::uploads());
    (short, long)
}

/// The whole document.
pub fn document() -> utoipa::openapi::OpenApi {
    let (short, long) = routers();
    let mut document = short.into_openapi();
    document.merge(long.into_openapi());
    document.components.get_or_insert_default().add_security_scheme(
        "token",
        SecurityScheme::Http(
            Http::builder()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(
                    "An API token, as `chancery token create` or POST /api/v1/tokens gives it",
                ))
                .build(),
        ),
    );
    closed::close_bodies(&mut document);
    for (path, item) in &mut document.paths.paths {
        let has_id = path.contains('{');
        let mut all = [
            (&mut item.get, Kind::Look, HttpMethod::Get),
            (&mut item.post, Kind::Create, HttpMethod::Post),
            (&mut item.put, Kind::Change, HttpMethod::Put),
            (&mut item.patch, Kind::Change, HttpMethod::Patch),
            (&mut item.delete, Kind::Change, HttpMethod::Delete),
        ];
        for (operation, kind, method) in &mut all {
            if let Some(operation) = operation.as_mut() {
                complete(operation, *kind, has_id);
                headers::declare(operation, path, method);
            }
        }
    }
    document
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Look,
    Create,
    Change,
}

/// Adds what every operation of its kind can be answered, and the headers that it takes.
fn complete(operation: &mut Operation, kind: Kind, has_id: bool) {
    let open = operation.security.is_some();
    if !open {
        operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    }
    let takes_body = operation.request_body.is_some();
    let is_conditional = tags(operation);
    let secret = operation.operation_id.as_deref().is_some_and(|it| SECRET.contains(&it));
    let revokes = operation.operation_id.as_deref() == Some(NEVER_IN_CONFLICT);
    let mut add = |status: &str, what: &str| {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(what));
    };
    if !open || takes_body {
        add("400", "The request cannot be read");
        add("401", "Nobody knows who asks");
        add("403", "The asker may not");
        add("422", "Against a rule, or not what was asked for; all faults at once");
        add(
            "429",
            "Too many connections, tokens that are not in force, or passwords; with Retry-After",
        );
        add("503", "Busy or too slow; with Retry-After");
    }
    if has_id {
        add("404", "Not there, or not for the asker to know");
    }
    if kind != Kind::Look && !revokes {
        add("409", "The state has moved, or the first of two equal requests is still running");
    }
    if takes_body {
        add("413", "Too large");
        add("415", "Not a type that is taken");
    }
    if is_conditional {
        add("412", "If-Match does not name the current version");
        add("428", "If-Match is missing");
    }
    if kind == Kind::Create && !secret {
        let what = "Repeating the request under the same key gives the same answer";
        header(operation, "Idempotency-Key", Required::False, what);
    }
}

/// Says what `If-Match` may hold; false when the operation does not take it.
fn tags(operation: &mut Operation) -> bool {
    let mut found = false;
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "If-Match"
        {
            found = true;
            let tag = r#"^(\*|(W/)?"[!#-~]*")$"#;
            let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(tag));
            parameter.schema = Some(schema.into());
        }
    }
    found
}

/// A header that an operation takes.
fn header(operation: &mut Operation, name: &str, required: Required, what: &str) {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(what))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some("^[!-~]+$")),
        ))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

fn problem(what: &str) -> RefOr<utoipa::openapi::Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    RefOr::T(ResponseBuilder::new().description(what).content(PROBLEM_JSON, content).build())
}

/// The document and the page that shows it.
pub(super) fn page() -> Router<Api> {
    // Written once: the document never changes while the process runs.
    let text: std::sync::Arc<str> = document().to_json().unwrap_or_default().into();
    let shown = SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from(DOCUMENT));
    Router::new()
        .route(
            DOCUMENT,
            get(async move || {
                ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response()
            }),
        )
        .merge(shown)
}
