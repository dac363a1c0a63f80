//! Signing in at X: authorization code with PKCE S256 (OAuth 2.0 guide, read 2026-08-22).
//!
//! A code lives for 30 seconds, so it is exchanged at once. Tokens are asked for with the secret in the
//! `Authorization` header, or, for a public client, with its id in the body.

use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{ID, Settings, X, connect};
use crate::domain::account::CredentialKind;
use crate::domain::connection::ScopePurpose;
use crate::platforms::Answer;
use crate::platforms::outcome::OwnerError;
use crate::platforms::sign_in::{
    Arrival, Bounty, Candidate, Departure, Fresh, Means, Renewal, Scope, SignIn, SignInError,
    forward,
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

    fn refresh<'a>(&'a self, means: &'a Means, token: &'a SecretString) -> Answer<'a, Renewal> {
        Box::pin(refresh(&self.settings, means, token))
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

/// The application at the token endpoint.
type Client =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn client(settings: &Settings) -> Option<Client> {
    let id = settings.client_id.clone()?;
    let url = address(&settings.api_url, &["2", "oauth2", "token"]).ok()?;
    let client = BasicClient::new(ClientId::new(id))
        .set_token_uri(TokenUrl::from_url(url))
        .set_auth_type(AuthType::BasicAuth);
    Some(match &settings.client_secret {
        Some(secret) => {
            client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
        }
        None => client,
    })
}

async fn tokens(
    settings: &Settings,
    means: Means,
    code: AuthorizationCode,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
) -> Result<BasicTokenResponse, SignInError> {
    let not_configured = || SignInError::Refused("the application is not configured".to_owned());
    let client = client(settings).ok_or_else(not_configured)?.set_redirect_uri(redirect);
    let over_ours = move |request| forward(means.clone(), ID, request);
    client.exchange_code(code).set_pkce_verifier(verifier).request_async(&over_ours).await.map_err(
        |error| match error {
            RequestTokenError::ServerResponse(said) => SignInError::Refused(words(&said)),
            RequestTokenError::Request(lost) => SignInError::Unreachable(lost.to_string()),
            // The library's words would show the answer, in which there may be a token.
            RequestTokenError::Parse(_, _) | RequestTokenError::Other(_) => {
                SignInError::Unreachable("the answer could not be read".to_owned())
            }
        },
    )
}

fn words(said: &BasicErrorResponse) -> String {
    let words = said.error_description().map_or("", |it| it.as_str());
    shorten(&format!("{} {words}", said.error().as_ref()))
}

/// Presents a refresh token. X rotates it, as others report, and takes one that was replaced for theft:
/// so only what X says in its own words, and what has certainly not reached it, is known.
async fn refresh(settings: &Settings, means: &Means, token: &SecretString) -> Renewal {
    let asked_at = means.clock.now();
    let Some(client) = client(settings) else {
        return Renewal::NotTaken("the application is not configured".to_owned());
    };
    let token = RefreshToken::new(token.expose_secret().to_owned());
    let over_ours = |request| forward(means.clone(), ID, request);
    let answer = client.exchange_refresh_token(&token).request_async(&over_ours).await;
    match answer {
        // An empty token never takes the place of one that is not.
        Ok(pair) if pair.access_token().secret().is_empty() => {
            Renewal::Unknown("the answer has no access token".to_owned())
        }
        Ok(pair) => Renewal::Fresh(Fresh {
            kind: CredentialKind::Oauth2,
            access: SecretString::from(pair.access_token().secret().clone()),
            refresh: pair
                .refresh_token()
                .filter(|it| !it.secret().is_empty())
                .map(|it| SecretString::from(it.secret().clone())),
            expires_at: pair.expires_in().and_then(|life| end(asked_at, life)),
        }),
        Err(RequestTokenError::ServerResponse(said)) => refused(&said),
        Err(RequestTokenError::Request(lost)) if lost.nothing_done => {
            Renewal::NotTaken(lost.to_string())
        }
        Err(RequestTokenError::Request(lost)) => Renewal::Unknown(lost.to_string()),
        // The library's words would show the answer, in which there may be a token.
        Err(RequestTokenError::Parse(_, _) | RequestTokenError::Other(_)) => {
            Renewal::Unknown("the answer could not be read".to_owned())
        }
    }
}

/// What a refusal in the words of RFC 6749, 5.2 means. X says `invalid_request` of a token that it does
/// not take, too. Who we are is looked at before what we bring: a wrong secret spends nothing.
fn refused(said: &BasicErrorResponse) -> Renewal {
    let about_the_token = || {
        let words = said.error_description().map(|it| it.to_ascii_lowercase());
        words.is_some_and(|it| it.contains("token"))
    };
    match said.error().as_ref() {
        "invalid_grant" => Renewal::Refused(words(said)),
        "invalid_request" if about_the_token() => Renewal::Refused(words(said)),
        "invalid_client" | "unauthorized_client" => Renewal::NotTaken(words(said)),
        _ => Renewal::Unknown(words(said)),
    }
}
