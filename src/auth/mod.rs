//! Who is calling: a bearer token becomes an [`Actor`].
//!
//! Bearers are remembered for a moment, so that a busy client costs no read for each request; a
//! revocation in this process makes all be forgotten at once.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::domain::actor::Actor;
use crate::domain::id::TokenId;
use crate::domain::token::ApiToken;
use crate::service::Services;
use crate::store::tokens::{self, Bearer};
use crate::store::{self};
use crate::telemetry::Chain;

/// How often the use of tokens is written down.
const NOTE_EVERY: Duration = Duration::from_mins(1);

/// The most bearers to remember; far above what a ministry has.
const MOST: usize = 10_000;

/// Why nobody is recognised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token, or none that is in force.
    #[error("not authenticated")]
    Unknown,
    /// It could not be looked up.
    #[error("the token could not be looked up")]
    Store(#[source] store::Error),
}

/// Recognises callers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Auth {
    services: Services,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug)]
struct Memory {
    revocations: u64,
    bearers: HashMap<String, (Bearer, Duration)>,
    used: HashSet<TokenId>,
    noted: Duration,
}

impl Auth {
    /// Recognises the bearers of these services' tokens.
    pub fn new(services: Services) -> Self {
        let memory = Memory {
            revocations: 0,
            bearers: HashMap::new(),
            used: HashSet::new(),
            noted: services.clock.elapsed(),
        };
        Self { services, memory: Arc::new(Mutex::new(memory)) }
    }

    /// Who sent a request with these headers.
    pub async fn actor(&self, headers: &HeaderMap) -> Result<Actor, Error> {
        let token = bearer_token(headers).ok_or(Error::Unknown)?;
        let hash = token.hash();
        let seen = self.services.revocations.load(Ordering::SeqCst);
        let bearer = match self.recall(&hash, seen) {
            Some(bearer) => bearer,
            None => self.look_up(hash, seen).await?,
        };
        if bearer.expires_at.is_some_and(|end| end <= self.services.clock.now()) {
            return Err(Error::Unknown);
        }
        if let Some(token) = &bearer.actor.token_id {
            self.note_use(token);
        }
        Ok(bearer.actor)
    }

    fn recall(&self, hash: &str, revocations: u64) -> Option<Bearer> {
        let now = self.services.clock.elapsed();
        let keep = self.services.config.api.token_cache;
        let mut memory = self.lock();
        if memory.revocations != revocations {
            memory.revocations = revocations;
            memory.bearers.clear();
        }
        let (bearer, since) = memory.bearers.get(hash)?;
        (now.saturating_sub(*since) < keep).then(|| bearer.clone())
    }

    async fn look_up(&self, hash: String, revocations: u64) -> Result<Bearer, Error> {
        let since = self.services.clock.elapsed();
        let mut reader = self.services.store.read().await.map_err(Error::Store)?;
        let found = tokens::bearer(&mut reader, &hash).await.map_err(Error::Store)?;
        let bearer = found.ok_or(Error::Unknown)?;
        let mut memory = self.lock();
        if memory.bearers.len() >= MOST {
            memory.bearers.clear();
        }
        // What was read before a revocation must not be remembered after it.
        if memory.revocations == revocations {
            memory.bearers.insert(hash, (bearer.clone(), since));
        }
        Ok(bearer)
    }

    fn note_use(&self, token: &TokenId) {
        let now = self.services.clock.elapsed();
        let due = {
            let mut memory = self.lock();
            if !memory.used.contains(token) {
                memory.used.insert(token.clone());
            }
            let due = now.saturating_sub(memory.noted) >= NOTE_EVERY;
            if due {
                memory.noted = now;
            }
            due
        };
        if due {
            let auth = self.clone();
            tokio::spawn(async move { auth.flush().await });
        }
    }

    /// Writes down which tokens were used; by itself once a minute, and at a clean stop.
    pub async fn flush(&self) {
        let used: Vec<TokenId> = self.lock().used.drain().collect();
        if used.is_empty() {
            return;
        }
        let written = async {
            let mut tx = self.services.store.begin().await?;
            tokens::used(&mut tx, &used, self.services.clock.now()).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            tracing::warn!(error = %Chain(&error), "the use of tokens was not written down");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<ApiToken> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    ApiToken::parse(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_of_the_right_form_is_looked_up() {
        let token = ApiToken::mint([3; 32]);
        let with = |value: String| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            bearer_token(&headers).is_some()
        };
        assert!(with(format!("Bearer {}", token.reveal())));
        assert!(with(format!("bearer {}", token.reveal())));
        assert!(!with(format!("Basic {}", token.reveal())));
        assert!(!with("Bearer chy_deadbeef".to_owned()));
        assert!(bearer_token(&HeaderMap::new()).is_none());
    }
}
