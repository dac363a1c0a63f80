//! The Graph API's errors: one envelope, one table (Graph error-handling guide, and bodies that
//! others have recorded).

use serde_json::{Map, Value, json};

use crate::simulator::{Death, Reply, World};

/// An error as the envelope carries it.
#[derive(Debug, Clone)]
pub(super) struct GraphError {
    status: u16,
    kind: &'static str,
    code: u32,
    subcode: Option<u32>,
    message: String,
    transient: bool,
    title: Option<&'static str>,
    data: Option<Value>,
}

/// code, subcode, HTTP status, type, transient, message.
type Row = (u32, Option<u32>, u16, &'static str, bool, &'static str);

const OAUTH: &str = "OAuthException";
const METHOD: &str = "GraphMethodException";

/// What the simulator says for each code. A code that is not here is sent with status 400.
const TABLE: &[Row] = &[
    (1, None, 500, OAUTH, false, "An unknown error has occurred."),
    (2, None, 500, OAUTH, true, "Please retry your request later."),
    (4, None, 403, OAUTH, true, "(#4) Application request limit reached"),
    (10, None, 403, OAUTH, false, "(#10) This needs a permission that the token does not have"),
    (17, None, 403, OAUTH, true, "(#17) User request limit reached"),
    (32, None, 403, OAUTH, true, "(#32) Page request limit reached"),
    (33, None, 400, METHOD, false, "The object does not exist"),
    (100, None, 400, OAUTH, false, "(#100) Invalid parameter"),
    (102, None, 401, OAUTH, false, "Session key invalid or no longer valid"),
    (104, None, 400, OAUTH, false, "An access token is required to request this resource."),
    (190, None, 400, OAUTH, false, "Invalid OAuth access token."),
    (190, Some(458), 400, OAUTH, false, "The person has not authorised the application."),
    (190, Some(459), 400, OAUTH, false, "The person must log in and correct an issue."),
    (190, Some(460), 400, OAUTH, false, "The session is invalid: the password was changed."),
    (190, Some(463), 400, OAUTH, false, "The session has expired."),
    (190, Some(464), 400, OAUTH, false, "The person is not confirmed."),
    (190, Some(467), 400, OAUTH, false, "The access token is no longer valid."),
    (190, Some(492), 400, OAUTH, false, "The person no longer has the needed role on the Page."),
    (197, None, 400, OAUTH, false, "(#197) The post is empty. Please enter a message to share."),
    (200, None, 403, OAUTH, false, "(#200) The token does not have the needed permission"),
    (324, None, 400, OAUTH, false, "(#324) Missing or invalid image file"),
    (341, None, 403, OAUTH, true, "(#341) Feed action request limit reached"),
    (368, None, 403, OAUTH, false, "The action was blocked as abusive or otherwise disallowed"),
    (368, Some(1_390_008), 403, OAUTH, true, "We limit how often you can post"),
    (368, Some(1_404_082), 403, OAUTH, false, "You've already posted this"),
    (368, Some(1_404_006), 403, OAUTH, false, "A security check is needed"),
    (506, None, 400, OAUTH, false, "(#506) Duplicate status message"),
    (613, None, 403, OAUTH, true, "(#613) Calls to this api have exceeded the rate limit."),
    (
        2500,
        None,
        400,
        OAUTH,
        false,
        "An active access token must be used to query the current user.",
    ),
    (2635, None, 400, OAUTH, false, "(#2635) A deprecated version of the API was called"),
    (
        80001,
        None,
        403,
        OAUTH,
        true,
        "(#80001) There have been too many calls to this Page account.",
    ),
    (80002, None, 403, OAUTH, true, "(#80002) There have been too many calls to this account."),
];

impl GraphError {
    /// The error of that code, as the table has it.
    pub(super) fn known(code: u32, subcode: Option<u32>) -> Self {
        let row = TABLE
            .iter()
            .find(|row| (row.0, row.1) == (code, subcode))
            .or_else(|| TABLE.iter().find(|row| (row.0, row.1) == (code, None)));
        let fallback = (code, subcode, 400, OAUTH, false, "The request was refused");
        let (_, _, status, kind, transient, message) = *row.unwrap_or(&fallback);
        let message = message.to_owned();
        Self { status, kind, code, subcode, message, transient, title: None, data: None }
    }

    /// Code 100 with a subcode, as content is refused.
    pub(super) fn content(subcode: u32, title: &'static str) -> Self {
        let mut error = Self::known(100, Some(subcode)).saying("Invalid parameter");
        error.title = Some(title);
        error
    }

    /// A wrong parameter.
    pub(super) fn parameter(what: &str) -> Self {
        Self::known(100, None).saying(format!("(#100) {what}"))
    }

    /// The object is not there, or not for this token.
    pub(super) fn missing(id: &str) -> Self {
        Self::known(100, Some(33)).of_kind(METHOD).saying(format!(
            "Unsupported request. Object with ID '{id}' does not exist, cannot be loaded due to \
             missing permissions, or does not support this operation"
        ))
    }

    pub(super) fn dead_token(death: Death) -> Self {
        let subcode = match death {
            Death::AppRemoved => 458,
            Death::Checkpoint => 459,
            Death::PasswordChanged => 460,
            Death::Expired => 463,
            Death::Unconfirmed => 464,
            Death::Invalid => 467,
            Death::RoleLost => 492,
        };
        Self::known(190, Some(subcode))
    }

    /// The same code with status 400 and words of its own.
    pub(super) fn bad_request(code: u32, message: &str) -> Self {
        let mut error = Self::known(code, None).saying(message);
        error.status = 400;
        error
    }

    #[must_use]
    pub(super) fn of_kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    #[must_use]
    pub(super) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    #[must_use]
    pub(super) fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The subcode, for `debug_token`.
    pub(super) fn subcode(&self) -> Option<u32> {
        self.subcode
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn reply(&self, world: &World) -> Reply {
        let mut error = Map::new();
        error.insert("message".to_owned(), self.message.as_str().into());
        error.insert("type".to_owned(), self.kind.into());
        error.insert("code".to_owned(), self.code.into());
        if let Some(subcode) = self.subcode {
            error.insert("error_subcode".to_owned(), subcode.into());
        }
        if self.transient {
            error.insert("is_transient".to_owned(), true.into());
        }
        if let Some(title) = self.title {
            error.insert("error_user_title".to_owned(), title.into());
            error.insert("error_user_msg".to_owned(), title.into());
        }
        if let Some(data) = &self.data {
            error.insert("error_data".to_owned(), data.clone());
        }
        let trace = format!("A{:x}", world.next_graph_number());
        error.insert("fbtrace_id".to_owned(), trace.into());
        let reply = Reply::json(self.status, &json!({ "error": Value::Object(error) }));
        if matches!(self.code, 102 | 104 | 190 | 2500) {
            let challenge =
                format!("OAuth \"Facebook Platform\" \"invalid_token\" \"{}\"", self.message);
            return reply.with_header("www-authenticate", challenge);
        }
        reply
    }
}
