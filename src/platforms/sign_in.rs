//! Signing in at a platform: where people are sent, and what comes of the code that they bring back.
//!
//! Secrets travel in headers and bodies alone, never in an address. Whatever went wrong is told as
//! data, since a person must do something about it.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::Answer;
use super::outcome::Owner;
use super::session::Session;
use super::wire::describe;
use crate::clock::SharedClock;
use crate::domain::account::CredentialKind;
use crate::domain::attempt::Reach;
use crate::domain::connection::{Granted, MissingScope, Offered, ScopePurpose};
use crate::outbound::{Label, Outbound, Request};

/// The most that is read of an answer.
const LARGEST_ANSWER: usize = 1 << 20;

/// A right to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The platform's word for it.
    pub name: &'static str,
    /// What it is for.
    pub purpose: ScopePurpose,
    /// Whether nothing can be published without it.
    pub needed: bool,
    /// Where that is written, with the date of the copy.
    pub source: &'static str,
}

/// What a person is sent to the platform with.
#[derive(Debug, Clone, Copy)]
pub struct Departure<'a> {
    /// Unguessable, for this one sign-in.
    pub state: &'a str,
    /// Secret; the platform gets its hash, where it takes one.
    pub verifier: &'a SecretString,
    /// Where the platform sends the person back to, exactly.
    pub redirect: &'a Url,
}

/// What a person has come back with.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The platform's code.
    pub code: &'a SecretString,
    /// The secret that he left with.
    pub verifier: &'a SecretString,
    /// Where he was sent back to.
    pub redirect: &'a Url,
}

/// The means to ask a platform.
#[derive(Debug, Clone)]
pub struct Means {
    /// The only HTTP client.
    pub outbound: Outbound,
    /// The time.
    pub clock: SharedClock,
    /// Total deadline of one request.
    pub timeout: Duration,
}

impl Means {
    /// As somebody who holds this token.
    pub(super) fn session(&self, token: SecretString) -> Session {
        Session {
            remote_id: String::new(),
            handle: None,
            token,
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            timeout: self.timeout,
        }
    }
}

/// A credential fresh from the platform.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// What kind it is.
    pub kind: CredentialKind,
    /// The access token.
    pub access: SecretString,
    /// The refresh token.
    pub refresh: Option<SecretString>,
    /// When the access token ends, where it does.
    pub expires_at: Option<Timestamp>,
}

/// An account that could be connected.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Which.
    pub owner: Owner,
    /// Why it cannot, and otherwise its credential.
    pub credential: Result<Fresh, &'static str>,
}

/// What came of a code.
#[derive(Debug, Clone)]
pub struct Bounty {
    /// What was granted, for people.
    pub granted: Granted,
    /// The accounts, with what they are reached by.
    pub candidates: Vec<Candidate>,
}

impl Bounty {
    /// Compares what was granted with what was asked for, and lists the accounts.
    pub(super) fn new(
        asked: &[Scope],
        scopes: Vec<String>,
        harmless: &[&str],
        candidates: Vec<Candidate>,
    ) -> Self {
        let missing = missing(asked, &scopes);
        let known =
            |scope: &str| asked.iter().any(|it| it.name == scope) || harmless.contains(&scope);
        let extra = scopes.iter().filter(|scope| !known(scope)).cloned().collect();
        let accounts = candidates.iter().map(offered).collect();
        let granted = Granted { scopes, missing, extra, accounts, data_access_ends_at: None };
        Self { granted, candidates }
    }
}

/// Which of the rights were not granted.
pub(super) fn missing(asked: &[Scope], granted: &[String]) -> Vec<MissingScope> {
    asked
        .iter()
        .filter(|scope| !granted.iter().any(|it| it == scope.name))
        .map(|scope| MissingScope {
            scope: scope.name.to_owned(),
            purpose: scope.purpose,
            needed: scope.needed,
        })
        .collect()
}

fn offered(candidate: &Candidate) -> Offered {
    Offered {
        remote_id: candidate.owner.remote_id.clone(),
        name: candidate.owner.name.clone(),
        handle: candidate.owner.handle.clone(),
        hindrance: candidate.credential.as_ref().err().map(|&why| why.to_owned()),
    }
}

/// Why nothing came of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInError {
    /// The platform says no; in its words.
    Refused(String),
    /// Nobody knows what the platform would say.
    Unreachable(String),
}

/// What came of presenting a refresh token, which may be done once.
#[derive(Debug, Clone)]
pub enum Renewal {
    /// A new pair. Without a refresh token in it the presented one goes on, as RFC 6749, 6 has it.
    Fresh(Fresh),
    /// The platform says that it does not take this token: the account must be connected again.
    Refused(String),
    /// Certainly not looked at: it may be presented later.
    NotTaken(String),
    /// It may have been spent, and what it gave is lost.
    Unknown(String),
}

/// What a platform offers to people who sign in.
pub trait SignIn: Send + Sync {
    /// The rights to be asked for.
    fn scopes(&self) -> &'static [Scope];

    /// Where a person is sent.
    fn authorize_url(&self, with: &Departure<'_>) -> Option<Url>;

    /// Takes a code to the platform at once: some live for half a minute.
    fn exchange<'a>(
        &'a self,
        means: &'a Means,
        with: Arrival<'a>,
    ) -> Answer<'a, Result<Bounty, SignInError>>;

    /// Presents a refresh token. A platform without any says that it has not taken it.
    fn refresh<'a>(&'a self, means: &'a Means, token: &'a SecretString) -> Answer<'a, Renewal>;
}

/// A request of the OAuth library got no answer that could be its own.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(super) struct Lost {
    pub(super) detail: String,
    /// Whether the platform has certainly done nothing about it.
    pub(super) nothing_done: bool,
}

impl Lost {
    fn before(detail: String) -> Self {
        Self { detail, nothing_done: true }
    }
}

/// Carries a request of the OAuth library over our own client: no redirects, one deadline, no replay.
pub(super) async fn forward(
    means: Means,
    destination: &'static str,
    request: oauth2::HttpRequest,
) -> Result<oauth2::HttpResponse, Lost> {
    let (parts, body) = request.into_parts();
    let url: Url =
        parts.uri.to_string().parse().map_err(|_shown| Lost::before("no address".to_owned()))?;
    let mut headers: HeaderMap = parts.headers;
    if let Some(value) = headers.get_mut(http::header::AUTHORIZATION) {
        value.set_sensitive(true);
    }
    let request = Request {
        method: parts.method,
        url,
        headers,
        body: body.into(),
        timeout: means.timeout,
        max_answer: LARGEST_ANSWER,
        label: Label { destination, kind: "token" },
    };
    let answer = means.outbound.send(request).await.map_err(|it| Lost {
        detail: describe(&it),
        nothing_done: it.reach == Reach::NotConnected,
    })?;
    let status = answer.status;
    // Only a refusal in the platform's own words is one.
    if !status.is_success() && !status.is_client_error()
        || status == http::StatusCode::TOO_MANY_REQUESTS
    {
        // A limit stands before everything else; what else fails may have done its work first.
        let nothing_done = status == http::StatusCode::TOO_MANY_REQUESTS;
        return Err(Lost { detail: format!("status {}", status.as_u16()), nothing_done });
    }
    let mut response = http::Response::new(answer.body.to_vec());
    *response.status_mut() = status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
