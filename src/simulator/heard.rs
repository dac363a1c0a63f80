//! Every call as it was heard, kept on request: for checks of what clients send, whatever came of it.

use super::call::{Call, Content};
use super::records::Platform;

/// What a call carried.
#[derive(Debug, Clone, PartialEq)]
pub enum Carried {
    /// Nothing, a file, or what could not be read.
    Other,
    /// A JSON document.
    Json(serde_json::Value),
    /// The fields of a form.
    Form(Vec<(String, String)>),
    /// The names of the parts of a multipart body; with their text unless they are files.
    Parts(Vec<(String, Option<String>)>),
}

/// One call. It may hold tokens: it is for tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Whose simulator heard it.
    pub platform: Platform,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, with the version.
    pub path: String,
    /// The query's parameters in their order.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Carried,
}

impl Heard {
    pub(super) fn of(platform: Platform, call: &Call) -> Self {
        let body = match &call.content {
            Content::Other | Content::File(_) | Content::BrokenJson => Carried::Other,
            Content::Json(value) => Carried::Json(value.clone()),
            Content::Form(fields) => Carried::Form(fields.clone()),
            Content::Multipart(parts) => Carried::Parts(
                parts
                    .iter()
                    .map(|part| {
                        let text = || String::from_utf8_lossy(&part.bytes).into_owned();
                        (part.name.clone(), (!part.is_file).then(text))
                    })
                    .collect(),
            ),
        };
        let (method, path) = (call.method.to_string(), call.path.clone());
        Self { platform, method, path, query: call.query.clone(), body }
    }
}
