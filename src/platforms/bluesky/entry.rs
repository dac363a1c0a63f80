//! How an account is entered: an app password is taken to the server for an access token, which is kept
//! in memory for as long as it lives. No refresh token is ever used, so none can be spent twice.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Desk;
use super::api::Api;
use super::classify::Problem;
use super::classify::{Meaning, repeatable};
use crate::clock::after;
use crate::outbound::Response;
use crate::platforms::matching::Blind;
use crate::platforms::outcome::{Deferral, LongPosts, Outcome, Owner, OwnerError, RefusalKind};
use crate::platforms::session::Session;
use crate::platforms::wire::{describe, failed_step, text_at};

/// So much of its life an access token must have before it: a create begins soon after it was looked at.
const MARGIN: Duration = Duration::from_mins(5);

/// An access token that does not say when it ends is used for so long.
const SHORT: Duration = Duration::from_mins(10);

/// An account's access token.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) token: SecretString,
    handle: Option<String>,
    good_until: Timestamp,
}

/// The access tokens of this process, by account and the hash of its password.
#[derive(Default)]
pub(super) struct Entries(Mutex<HashMap<(String, [u8; 32]), Entry>>);

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("count", &self.lock().len()).finish()
    }
}

impl Entries {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, [u8; 32]), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, on: &Session) -> Option<Entry> {
        let soon = after(on.clock.now(), MARGIN);
        self.lock().get(&name(on)).filter(|entry| entry.good_until > soon).cloned()
    }

    fn keep(&self, on: &Session, entry: Entry) {
        let now = on.clock.now();
        let mut all = self.lock();
        all.retain(|_, old| old.good_until > now);
        all.insert(name(on), entry);
    }

    /// After the server said that it has ended.
    pub(super) fn forget(&self, on: &Session) {
        self.lock().remove(&name(on));
    }
}

fn name(on: &Session) -> (String, [u8; 32]) {
    (on.remote_id.clone(), Sha256::digest(on.token.expose_secret().as_bytes()).into())
}

/// An access token that lives long enough. Nothing is done by asking for one.
pub(super) async fn enter(desk: &Desk, on: &Session, api: &Api<'_>) -> Result<Entry, Box<Outcome>> {
    if let Some(entry) = desk.entries.find(on) {
        return Ok(entry);
    }
    let request = api.enter().map_err(|fault| Box::new(Outcome::Refused(fault.refusal())))?;
    let answer = on.outbound.send(request).await;
    let answer = answer.map_err(|failure| Box::new(failed_step(&failure)))?;
    let now = on.clock.now();
    if !answer.status.is_success() {
        return Err(Box::new(refused(&answer, now)));
    }
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let own = text_at(&value, "did").is_some_and(|did| did == api.account);
    let token = text_at(&value, "accessJwt").filter(|token| own && !token.is_empty());
    let Some(token) = token else { return Err(Box::new(no_session("no session in the answer"))) };
    let good_until = end(&token).unwrap_or_else(|| after(now, SHORT));
    let entry =
        Entry { token: SecretString::from(token), handle: text_at(&value, "handle"), good_until };
    desk.entries.keep(on, entry.clone());
    Ok(entry)
}

/// What does not let in for its form (an identifier that is none) is about the credential.
fn refused(answer: &Response, now: Timestamp) -> Outcome {
    let problem = Problem::parse(answer);
    match problem.as_ref().and_then(|it| Some((it, it.meaning()?))) {
        Some((problem, Meaning::Refused(RefusalKind::Content) | Meaning::Missing)) => {
            Outcome::Refused(problem.refusal(RefusalKind::Credential))
        }
        Some(_) => repeatable(answer, now),
        None => no_session(&format!("status {}", answer.status.as_u16())),
    }
}

fn no_session(why: &str) -> Outcome {
    Outcome::Deferred(Deferral {
        until: None,
        code: "connect",
        detail: format!("no session was given: {why}"),
        whole_account: false,
    })
}

/// When an access token ends, by its own middle part. It is not checked: the server will do that.
fn end(token: &str) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

/// Without a session a read says nothing.
pub(super) fn blind(outcome: Outcome) -> Blind {
    match outcome {
        Outcome::Refused(refusal) => Blind::because(format!("{} {}", refusal.code, refusal.detail)),
        Outcome::Deferred(wait) => Blind { until: wait.until, ..Blind::because(wait.detail) },
        Outcome::Unknown(doubt) => Blind::because(doubt.detail),
        Outcome::Published(_) | Outcome::Pending(_) => Blind::because("no session"),
    }
}

/// Positive control: the token is this very account's, by the server's word. Gives the answer, whose
/// headers tell the server's time.
pub(super) async fn control(desk: &Desk, on: &Session, api: &Api<'_>) -> Result<Response, Blind> {
    let entry = enter(desk, on, api).await.map_err(|outcome| blind(*outcome))?;
    let answer = on.outbound.send(api.me(&entry.token)?).await;
    let answer = answer.map_err(|failure| Blind::because(describe(&failure)))?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.is_success() && text_at(&value, "did").as_deref() == Some(api.account) {
        return Ok(answer);
    }
    let problem = Problem::parse(&answer);
    if problem.as_ref().and_then(Problem::meaning) == Some(Meaning::Ended) {
        desk.entries.forget(on);
    }
    let said = problem.map_or_else(
        || format!("status {}: the token's owner is not told", answer.status.as_u16()),
        |problem| problem.said(),
    );
    Err(Blind::because(said))
}

/// Asks whose a password is: always the server, for a password that was withdrawn is to be noticed.
pub(super) async fn owner(desk: &Desk, on: &Session) -> Result<Owner, OwnerError> {
    let api = Api::of(desk, on).map_err(|fault| OwnerError::Refused(fault.refusal().detail))?;
    desk.entries.forget(on);
    let entry = enter(desk, on, &api).await.map_err(|outcome| {
        let refused = matches!(*outcome, Outcome::Refused(_));
        let said = blind(*outcome).detail;
        if refused { OwnerError::Refused(said) } else { OwnerError::Unreachable(said) }
    })?;
    let handle = entry.handle.filter(|handle| handle != "handle.invalid");
    Ok(Owner {
        remote_id: api.account.to_owned(),
        name: handle.clone().unwrap_or_else(|| api.account.to_owned()),
        handle,
        followers: None,
        long_posts: LongPosts::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"exp":1790000000}"#);
        let token = format!("e30.{claims}.x");
        assert_eq!(end(&token), Timestamp::from_second(1_790_000_000).ok());
        for odd in ["", "a", "a.b.c", "e30.e30.x"] {
            assert_eq!(end(odd), None, "{odd}");
        }
    }

    #[test]
    fn nothing_of_a_session_is_printed() {
        let entries = Entries::default();
        assert_eq!(format!("{entries:?}"), "Entries { count: 0 }");
    }
}
