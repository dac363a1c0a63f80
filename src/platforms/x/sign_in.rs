//! Signing in at X: authorization code with PKCE S256 (OAuth 2.0 guide, read 2026-08-22).
//!
//! A code lives for 30 seconds, so it is exchanged at once. Tokens are asked for with the secret in the
//! `Authorization` header, or, for a public client, with its id in the body.

use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{ID, Settings, X, connect};
use crate::domain::account::CredentialKind;
use crate::domain::connection::ScopePurpose;
use crate::platforms::Answer;
use crate::platforms::outcome::OwnerError;
use crate::platforms::sign_in::{
    Arrival, Bounty, Candidate, Departure, Fresh, Means, Scope, SignIn, SignInError, forward,
};
use crate::platforms::wire::{address, shorten};

const GUIDE: &str = "OAuth 2.0 authorization code flow with PKCE, docs.x.com, read 2026-08-22";

const fn scope(name: &'static str, purpose: ScopePurpose, needed: bool) -> Scope {
    Scope { name, purpose, needed, source: GUIDE }
}

/// What is asked for. Without `offline.access` the account would be lost after two hours.
const SCOPES: &[Scope] = &[
    scope("tweet.read", ScopePurpose::ReadBack, true),
    scope("tweet.write", ScopePurpose::Publish, true),
    scope("users.read", ScopePurpose::FindAccounts, true),
    scope("media.write", ScopePurpose::Media, false),
    scope("offline.access", ScopePurpose::StayConnected, true),
];

impl SignIn for X {
    fn scopes(&self) -> &'static [Scope] {
        SCOPES
    }

    fn authorize_url(&self, with: &Departure<'_>) -> Option<Url> {
        let settings = &self.settings;
        let client = BasicClient::new(ClientId::new(settings.client_id.clone()?))
            .set_auth_uri(AuthUrl::from_url(settings.authorize_url.clone()))
            .set_redirect_uri(RedirectUrl::from_url(with.redirect.clone()));
        let verifier = PkceCodeVerifier::new(with.verifier.expose_secret().to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let mut request = client
            .authorize_url(|| CsrfToken::new(with.state.to_owned()))
            .set_pkce_challenge(challenge);
        for scope in SCOPES {
            request = request.add_scope(oauth2::Scope::new(scope.name.to_owned()));
        }
        Some(request.url().0)
    }

    fn exchange<'a>(
        &'a self,
        means: &'a Means,
        with: Arrival<'a>,
    ) -> Answer<'a, Result<Bounty, SignInError>> {
        Box::pin(exchange(&self.settings, means, with))
    }
}

async fn exchange(
    settings: &Settings,
    means: &Means,
    with: Arrival<'_>,
) -> Result<Bounty, SignInError> {
    let asked_at = means.clock.now();
    let code = AuthorizationCode::new(with.code.expose_secret().to_owned());
    let verifier = PkceCodeVerifier::new(with.verifier.expose_secret().to_owned());
    let redirect = RedirectUrl::from_url(with.redirect.clone());
    let tokens = tokens(settings, means.clone(), code, verifier, redirect).await?;
    let access = SecretString::from(tokens.access_token().secret().clone());
    let scopes = match tokens.scopes() {
        Some(scopes) => scopes.iter().map(|it| it.to_string()).collect(),
        // RFC 6749, 5.1: what is not named was granted as asked.
        None => SCOPES.iter().map(|it| it.name.to_owned()).collect(),
    };
    let session = means.session(access.clone());
    let owner = connect::owner(settings, &session).await.map_err(|error| match error {
        OwnerError::Refused(why) => SignInError::Refused(why),
        OwnerError::Unreachable(why) => SignInError::Unreachable(why),
    })?;
    let fresh = Fresh {
        kind: CredentialKind::Oauth2,
        access,
        refresh: tokens.refresh_token().map(|it| SecretString::from(it.secret().clone())),
        expires_at: tokens.expires_in().and_then(|life| end(asked_at, life)),
    };
    let credential = if fresh.refresh.is_some() { Ok(fresh) } else { Err("no_refresh_token") };
    Ok(Bounty::new(SCOPES, scopes, &[], vec![Candidate { owner, credential }]))
}

/// Counted from before the request, so that nobody uses it a moment too long.
fn end(asked_at: Timestamp, life: std::time::Duration) -> Option<Timestamp> {
    asked_at.checked_add(SignedDuration::try_from(life).ok()?).ok()
}

async fn tokens(
    settings: &Settings,
    means: Means,
    code: AuthorizationCode,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
) -> Result<BasicTokenResponse, SignInError> {
    let not_configured = || SignInError::Refused("the application is not configured".to_owned());
    let id = settings.client_id.clone().ok_or_else(not_configured)?;
    let url = address(&settings.api_url, &["2", "oauth2", "token"])
        .map_err(|_unusable| not_configured())?;
    let mut client = BasicClient::new(ClientId::new(id))
        .set_token_uri(TokenUrl::from_url(url))
        .set_redirect_uri(redirect)
        .set_auth_type(AuthType::BasicAuth);
    if let Some(secret) = &settings.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    let over_ours = move |request| forward(means.clone(), ID, request);
    client.exchange_code(code).set_pkce_verifier(verifier).request_async(&over_ours).await.map_err(
        |error| match error {
            RequestTokenError::ServerResponse(said) => {
                let word = said.error().as_ref();
                let words = said.error_description().map_or("", |it| it.as_str());
                SignInError::Refused(shorten(&format!("{word} {words}")))
            }
            RequestTokenError::Request(lost) => SignInError::Unreachable(lost.to_string()),
            // The library's words would show the answer, in which there may be a token.
            RequestTokenError::Parse(_, _) | RequestTokenError::Other(_) => {
                SignInError::Unreachable("the answer could not be read".to_owned())
            }
        },
    )
}
