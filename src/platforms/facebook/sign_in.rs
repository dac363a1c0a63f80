//! Signing in at Facebook: the dialog, a code for a person's token, and the Pages that he reaches.
//!
//! Written from "Manually build a login flow", the access token guide and the batch guide (copies of
//! 2024-10 to 2026). The token endpoint is asked by POST with a form, and `debug_token` through the
//! batch endpoint: both take tokens as parameters, and only there they are not part of an address.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::api::Graph;
use super::classify::{GraphError, Meaning};
use super::pages;
use super::{Facebook, ID, Settings};
use crate::domain::connection::ScopePurpose;
use crate::outbound::{Label, Request, Response};
use crate::platforms::Answer;
use crate::platforms::sign_in::{
    Arrival, Bounty, Departure, Means, Renewal, Scope, SignIn, SignInError,
};
use crate::platforms::wire::{Body, Unsendable, address, describe, open_request, text_at};

const GUIDE: &str = "Pages API permissions, developers.facebook.com, copies of 2026-08-23";

const fn scope(name: &'static str, purpose: ScopePurpose, needed: bool) -> Scope {
    Scope { name, purpose, needed, source: GUIDE }
}

/// What is asked for.
pub(super) const SCOPES: &[Scope] = &[
    scope("pages_show_list", ScopePurpose::FindAccounts, true),
    scope("pages_manage_posts", ScopePurpose::Publish, true),
    scope("pages_read_engagement", ScopePurpose::ReadBack, true),
    scope("pages_manage_engagement", ScopePurpose::Comment, false),
    scope("read_insights", ScopePurpose::Measure, false),
    scope("business_management", ScopePurpose::Portfolio, false),
];

/// Granted with every consent, asked for or not.
const HARMLESS: &[&str] = &["public_profile", "email"];

impl SignIn for Facebook {
    fn scopes(&self) -> &'static [Scope] {
        SCOPES
    }

    fn authorize_url(&self, with: &Departure<'_>) -> Option<Url> {
        let settings = &self.settings;
        let path = [settings.version.as_str(), "dialog", "oauth"];
        let mut url = address(&settings.dialog_url, &path).ok()?;
        url.query_pairs_mut()
            .append_pair("client_id", settings.app_id.as_ref()?)
            .append_pair("redirect_uri", with.redirect.as_str())
            .append_pair("state", with.state)
            .append_pair("response_type", "code");
        if let Some(config) = &settings.login_config_id {
            url.query_pairs_mut().append_pair("config_id", config);
        } else {
            let names: Vec<&str> = SCOPES.iter().map(|it| it.name).collect();
            url.query_pairs_mut().append_pair("scope", &names.join(","));
        }
        Some(url)
    }

    fn exchange<'a>(
        &'a self,
        means: &'a Means,
        with: Arrival<'a>,
    ) -> Answer<'a, Result<Bounty, SignInError>> {
        Box::pin(exchange(&self.settings, means, with))
    }

    fn refresh<'a>(&'a self, _: &'a Means, _: &'a SecretString) -> Answer<'a, Renewal> {
        Box::pin(async { Renewal::NotTaken("Facebook has no refresh tokens".to_owned()) })
    }
}

/// The application's id and secret.
type App<'a> = (&'a str, &'a SecretString);

async fn exchange(
    settings: &Settings,
    means: &Means,
    with: Arrival<'_>,
) -> Result<Bounty, SignInError> {
    let app = match (&settings.app_id, &settings.app_secret) {
        (Some(id), Some(secret)) => (id.as_str(), secret),
        _ => return Err(SignInError::Refused("the application is not configured".to_owned())),
    };
    let short = token(
        settings,
        means,
        app,
        &[("redirect_uri", with.redirect.as_str()), ("code", with.code.expose_secret())],
    )
    .await?;
    let long = token(
        settings,
        means,
        app,
        &[("grant_type", "fb_exchange_token"), ("fb_exchange_token", short.expose_secret())],
    )
    .await?;
    let inspected = inspect(settings, means, app, &long).await?;
    let session = means.session(long);
    let graph = Graph::of(settings, &session);
    let scopes = permissions(means, &graph).await?;
    let candidates = pages::all(means, &graph, &scopes).await?;
    let mut bounty = Bounty::new(SCOPES, scopes, HARMLESS, candidates);
    bounty.granted.data_access_ends_at = inspected;
    Ok(bounty)
}

/// A person's token from the token endpoint.
async fn token(
    settings: &Settings,
    means: &Means,
    (id, secret): App<'_>,
    pairs: &[(&str, &str)],
) -> Result<SecretString, SignInError> {
    let mut form = vec![
        ("client_id".to_owned(), id.to_owned()),
        ("client_secret".to_owned(), secret.expose_secret().to_owned()),
    ];
    form.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let path = [settings.version.as_str(), "oauth", "access_token"];
    let url = address(&settings.graph_url, &path).map_err(unsendable)?;
    let value = ask(means, post(means, url, &form)).await?;
    text_at(&value, "access_token")
        .filter(|token| !token.is_empty())
        .map(SecretString::from)
        .ok_or_else(|| SignInError::Unreachable("no token in the answer".to_owned()))
}

/// What Facebook says about a token: it must be one of our own application, or somebody has slipped
/// us another one's. The end of the access to data, where it has one. A question that could not be
/// answered says nothing about the token.
async fn inspect(
    settings: &Settings,
    means: &Means,
    app: App<'_>,
    token: &SecretString,
) -> Result<Option<Timestamp>, SignInError> {
    let Some(data) = said_of(settings, means, app, token).await else { return Ok(None) };
    if data.get("is_valid").and_then(Value::as_bool) == Some(false) {
        return Err(SignInError::Refused("the token is not valid".to_owned()));
    }
    if text_at(&data, "app_id").is_some_and(|owner| owner != app.0) {
        return Err(SignInError::Refused("the token is of another application".to_owned()));
    }
    let ends = data.get("data_access_expires_at").and_then(Value::as_i64).filter(|at| *at > 0);
    let latest = means.clock.now().checked_add(SignedDuration::from_hours(24 * 366));
    let ends = ends.and_then(|at| Timestamp::from_second(at).ok());
    Ok(ends.filter(|at| latest.is_ok_and(|latest| *at < latest)))
}

/// What `debug_token` says, if it could be asked.
pub(super) async fn said_of(
    settings: &Settings,
    means: &Means,
    (id, secret): App<'_>,
    token: &SecretString,
) -> Option<Value> {
    let batch = question(settings, token);
    let form = vec![
        ("access_token".to_owned(), format!("{id}|{}", secret.expose_secret())),
        ("include_headers".to_owned(), "false".to_owned()),
        ("batch".to_owned(), batch),
    ];
    let request = post(means, settings.graph_url.clone(), &form);
    let answer = ask(means, request).await.ok()?;
    let body = answer.pointer("/0/body").and_then(Value::as_str)?;
    let said: Value = serde_json::from_str(body).ok()?;
    said.get("data").cloned()
}

/// The question what a token is worth, as a part of a batch.
fn question(settings: &Settings, token: &SecretString) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("input_token", token.expose_secret());
    let relative = format!("{}/debug_token?{}", settings.version, query.finish());
    json!([{ "method": "GET", "relative_url": relative }]).to_string()
}

/// What the person left ticked.
async fn permissions(means: &Means, graph: &Graph<'_>) -> Result<Vec<String>, SignInError> {
    let request = graph.get(&["me", "permissions"], &[]).map_err(unsendable)?;
    let value = ask(means, request).await?;
    let list = value.get("data").and_then(Value::as_array);
    let list = list.ok_or_else(|| SignInError::Unreachable("no list of permissions".to_owned()))?;
    Ok(list
        .iter()
        .filter(|it| it.get("status").and_then(Value::as_str) == Some("granted"))
        .filter_map(|it| text_at(it, "permission"))
        .collect())
}

/// A form without any `Authorization`: whoever asks is said in it.
fn post(means: &Means, url: Url, form: &[(String, String)]) -> Request {
    let label = Label { destination: ID, kind: "token" };
    open_request(label, url, Body::form(form), means.timeout)
}

/// Sends a question and reads its answer.
pub(super) async fn ask(means: &Means, request: Request) -> Result<Value, SignInError> {
    match means.outbound.send(request).await {
        Ok(answer) => read(&answer),
        Err(failure) => Err(SignInError::Unreachable(describe(&failure))),
    }
}

fn read(answer: &Response) -> Result<Value, SignInError> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body)
            .map_err(|_shown| SignInError::Unreachable("the answer could not be read".to_owned()));
    }
    let error = GraphError::parse(&answer.body).filter(|_| answer.status.is_client_error());
    let Some(error) = error else {
        return Err(SignInError::Unreachable(format!("status {status}")));
    };
    let said = format!("{} {}", error.word(), error.detail());
    match error.meaning() {
        Some(Meaning::Throttled | Meaning::TooOften) => Err(SignInError::Unreachable(said)),
        // A wrong secret is answered with code 1, which means nothing anywhere else.
        Some(Meaning::Refused(_) | Meaning::Nothing) | None => Err(SignInError::Refused(said)),
    }
}

pub(super) fn unsendable(why: Unsendable) -> SignInError {
    SignInError::Refused(why.refusal().detail)
}
