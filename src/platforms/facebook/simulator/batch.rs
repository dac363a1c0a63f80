//! Several reads in one request: `POST /` with `batch` (batch guide, copies of v18 to v24).

use serde_json::{Value, json};

use super::errors::GraphError;
use super::params::Params;
use crate::simulator::{Call, Content, Reply, World};

/// So many parts are taken.
const MOST: usize = 50;

/// Answers each part by `one`, in their order; the whole is a success whatever becomes of them.
pub(super) fn answer(
    world: &World,
    call: &Call,
    params: &Params<'_>,
    one: impl Fn(&Call) -> Reply,
) -> Reply {
    let batch = params.text("batch").unwrap_or_default();
    let Ok(parts) = serde_json::from_str::<Vec<Value>>(&batch) else {
        return GraphError::parameter("param batch must be an array.").reply(world);
    };
    if parts.len() > MOST {
        let what = "Too many requests in batch message. Maximum batch size is 50";
        return GraphError::known(100, None).saying(what).reply(world);
    }
    let whose = params.token(call);
    let answers: Vec<Value> = parts
        .iter()
        .map(|part| match inner(call, part, whose.as_deref()) {
            Some(call) => {
                let reply = one(&call);
                let body = String::from_utf8_lossy(&reply.body).into_owned();
                json!({ "code": reply.status, "body": body })
            }
            None => json!({ "code": 400, "body": "{\"error\":{\"message\":\"Only GET\",\"code\":100}}" }),
        })
        .collect();
    Reply::json(200, &Value::Array(answers))
}

/// A part as a call of its own; only reads are simulated.
fn inner(call: &Call, part: &Value, whose: Option<&str>) -> Option<Call> {
    if part.get("method").and_then(Value::as_str) != Some("GET") {
        return None;
    }
    let relative = part.get("relative_url")?.as_str()?.trim_start_matches('/');
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    let mut query: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let own = part.get("access_token").and_then(Value::as_str).or(whose);
    if let Some(token) = own
        && !query.iter().any(|(name, _)| name == "access_token")
    {
        query.push(("access_token".to_owned(), token.to_owned()));
    }
    Some(Call {
        method: http::Method::GET,
        path: format!("/{path}"),
        query,
        headers: http::HeaderMap::new(),
        content: Content::Other,
        at: call.at,
    })
}
