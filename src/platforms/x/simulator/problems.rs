//! X's refusals: bodies as its documents have them or as others recorded them.

use serde_json::{Value, json};

use crate::simulator::{Problem, Reply, XSettings};

/// An answer, or a refusal in its place.
pub(super) type Answer = Result<Reply, Refusal>;

/// A refusal; boxed, since it would make every result as large as itself.
pub(super) struct Refusal(Box<Reply>);

impl Refusal {
    pub(super) fn new(reply: Reply) -> Self {
        Self(Box::new(reply))
    }

    pub(super) fn into_reply(self) -> Reply {
        *self.0
    }
}

/// A problem of the type `about:blank`.
pub(super) fn plain(status: u16, title: &str, detail: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "title": title, "detail": detail, "type": "about:blank", "status": status }),
    )
}

pub(super) fn forbidden(detail: &str) -> Refusal {
    Refusal::new(plain(403, "Forbidden", detail))
}

/// 401; it alone comes without rate headers.
pub(super) fn unauthorized() -> Reply {
    plain(401, "Unauthorized", "Unauthorized")
}

pub(super) fn too_many() -> Reply {
    plain(429, "Too Many Requests", "Too Many Requests")
}

pub(super) fn no_such_path() -> Reply {
    plain(404, "Not Found", "Not Found")
}

/// 400: what was wrong, and the parameter with the value that was sent.
pub(super) fn invalid(settings: &XSettings, message: &str, name: &str, value: &str) -> Refusal {
    let parameters = json!({ name: [value] });
    Refusal::new(Reply::json(
        400,
        &json!({
            "errors": [{ "message": message, "parameters": parameters }],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": format!("{}invalid-request", settings.problem_base),
        }),
    ))
}

/// The reply rule of self-serve apps (body recorded 2026-07-16).
pub(super) fn reply_rule(settings: &XSettings) -> Refusal {
    let detail = "You can only reply to or quote posts where you are mentioned or are the author.";
    Refusal::new(Reply::json(
        403,
        &json!({
            "title": "Authorization Error",
            "detail": detail,
            "status": 403,
            "type": format!("{}not-authorized-for-resource", settings.problem_base),
        }),
    ))
}

/// The duplicate refusal (body recorded 2026-02); it does not name the earlier post.
pub(super) fn duplicate() -> Refusal {
    forbidden("You are not allowed to create a Tweet with duplicate content.")
}

pub(super) fn not_permitted() -> Refusal {
    forbidden("You are not permitted to perform this action.")
}

/// One entry of `errors` for something that could not be found.
pub(super) fn not_found(settings: &XSettings, kind: &str, parameter: &str, id: &str) -> Value {
    json!({
        "value": id,
        "resource_id": id,
        "resource_type": kind,
        "parameter": parameter,
        "title": "Not Found Error",
        "detail": format!("Could not find {kind} with {parameter}: [{id}]."),
        "type": format!("{}resource-not-found", settings.problem_base),
    })
}

/// The refusals that only a fault provokes.
pub(super) fn named(settings: &XSettings, problem: Problem) -> Reply {
    let typed = |status: u16, title: &str, detail: &str, name: &str| {
        let kind = format!("{}{name}", settings.problem_base);
        Reply::json(
            status,
            &json!({ "title": title, "detail": detail, "type": kind, "status": status }),
        )
    };
    match problem {
        Problem::Duplicate => duplicate().into_reply(),
        Problem::NotPermitted => not_permitted().into_reply(),
        Problem::ReplyRule => reply_rule(settings).into_reply(),
        Problem::CreditsDepleted => Reply::json(
            402,
            &json!({ "title": "CreditsDepleted", "detail": "No credits are left.",
                "type": format!("{}credits", settings.problem_base) }),
        ),
        Problem::PaymentRequired => {
            typed(402, "Payment Required", "credits depleted", "credits-depleted")
        }
        Problem::ClientForbidden => client_forbidden(settings),
        Problem::UnsupportedAuthentication => typed(
            403,
            "Unsupported Authentication",
            "This kind of token is not accepted here.",
            "unsupported-authentication",
        ),
        Problem::Oauth1Permissions => typed(
            403,
            "Forbidden",
            "The client lacks the OAuth1 permissions for this endpoint.",
            "oauth1-permissions",
        ),
        Problem::UserSuspended => plain(403, "Forbidden", "User has been suspended."),
        Problem::UsageCapped => Reply::json(
            429,
            &json!({
                "title": "UsageCapExceeded",
                "detail": "Usage cap exceeded: Daily product cap",
                "period": "Daily",
                "scope": "Product",
                "status": 429,
                "type": format!("{}usage-capped", settings.problem_base),
            }),
        ),
        Problem::OldRateLimit => Reply::json(
            429,
            &json!({ "errors": [{ "code": 88, "message": "Rate limit exceeded" }] }),
        ),
        Problem::Unauthorized => unauthorized(),
    }
}

/// It has no `errors`, unlike most of its kind.
fn client_forbidden(settings: &XSettings) -> Reply {
    Reply::json(
        403,
        &json!({
            "client_id": "1",
            "title": "Client Forbidden",
            "detail": "The client is not enrolled for this.",
            "registration_url": "https://developer.x.com/en/docs/projects/overview",
            "required_enrollment": "Appropriate Level of API Access",
            "reason": "client-not-enrolled",
            "type": format!("{}client-forbidden", settings.problem_base),
        }),
    )
}
