//! Who is calling: a bearer token, or the key in a browser's cookie, becomes an [`Actor`].
//!
//! Bearers are remembered for a moment, so that a busy client costs no read for each request; a
//! revocation in this process makes all be forgotten at once.

mod attempts;
pub mod browser;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};

use attempts::{Attempts, Refusal};

use crate::clock::{after, before};
use crate::domain::actor::Actor;
use crate::domain::id::TokenId;
use crate::domain::token::ApiToken;
use crate::service::sessions::{IDLE, is_fresh};
use crate::service::{self, Services};
use crate::store::sessions::{self, InForce};
use crate::store::tokens::{self, Bearer};
use crate::store::{self};
use crate::telemetry::Chain;

/// How often the use of tokens is written down.
const NOTE_EVERY: Duration = Duration::from_mins(1);

/// How often it is written down that somebody is there.
const SEEN_EVERY: Duration = Duration::from_mins(1);

/// The most bearers to remember; far above what a ministry has.
const MOST: usize = 10_000;

/// Why nobody is recognised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token, or none that is in force.
    #[error("not authenticated")]
    Unknown,
    /// The same, and too often from this address.
    #[error("not authenticated, again and again")]
    TooMany {
        /// When to try again.
        retry_after_s: u64,
    },
    /// A change that none of our own pages has confirmed.
    #[error("not confirmed")]
    Unconfirmed,
    /// It could not be looked up.
    #[error("the token could not be looked up")]
    Store(#[source] store::Error),
}

/// Recognises callers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Auth {
    services: Services,
    memory: Arc<Mutex<Memory>>,
    attempts: Arc<Attempts>,
    strangers: Arc<Attempts>,
    guesses: Arc<Attempts>,
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
        let memory = Arc::new(Mutex::new(memory));
        let [attempts, strangers, guesses] = [(); 3].map(|()| Arc::default());
        Self { services, memory, attempts, strangers, guesses }
    }

    /// Who sent a request with these headers from this address. A token in force is always good;
    /// too many others from one address are told to wait.
    pub async fn actor(
        &self,
        method: &Method,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<Actor, Error> {
        // No token, or a text that cannot be one, costs no look-up and is nothing to be kept off.
        let shown = if let Some(offered) = headers.get(AUTHORIZATION) {
            Shown::Token(bearer_token(offered).ok_or(Error::Unknown)?.hash())
        } else {
            let key = browser::key(&self.services.config, headers).ok_or(Error::Unknown)?;
            if !browser::is_ours(&key, method, headers) {
                return Err(Error::Unconfirmed);
            }
            Shown::Key(key.hash())
        };
        match self.recognised(shown, from).await {
            Err(Error::Unknown) => Err(self.refused(from)),
            other => other,
        }
    }

    /// Looks something up for somebody at this address who has no token, but a word that nobody guesses:
    /// whoever has sent many that are not known is looked up one at a time.
    pub async fn known<E>(
        &self,
        from: IpAddr,
        look_up: impl Future<Output = Result<bool, E>>,
    ) -> Result<bool, E> {
        let now = self.services.clock.elapsed();
        let known = self.strangers.in_turn(from, now, look_up).await?;
        if !known && let Refusal::TooMany { news: true, .. } = self.strangers.refused(from, now) {
            tracing::warn!(
                client.address = %from,
                "many callbacks of no sign-in, or addresses of no calendar feed, come from one address"
            );
        }
        Ok(known)
    }

    /// Does what somebody asks for at this address who has yet to prove who he is. Officers of a mission share
    /// one, so nobody is refused for it; but what has come from it and not ended well, or not yet, makes the
    /// next wait for its turn.
    pub async fn unproven<T>(
        &self,
        from: IpAddr,
        asked: impl Future<Output = Result<T, service::Error>>,
    ) -> Result<T, service::Error> {
        let now = self.services.clock.elapsed();
        // Before it is known how it ends: whoever goes away is counted, too.
        if let Refusal::TooMany { news: true, .. } = self.guesses.refused(from, now) {
            tracing::warn!(client.address = %from, "many wrong passwords come from one address");
        }
        let done = self.guesses.in_turn(from, now, asked).await;
        if done.is_ok() {
            self.guesses.forgive(from);
        }
        done
    }

    fn refused(&self, from: IpAddr) -> Error {
        match self.attempts.refused(from, self.services.clock.elapsed()) {
            Refusal::Plain => Error::Unknown,
            Refusal::TooMany { retry_after_s, news } => {
                if news {
                    tracing::warn!(
                        client.address = %from,
                        "many tokens that are not in force come from one address"
                    );
                }
                Error::TooMany { retry_after_s }
            }
        }
    }

    async fn recognised(&self, shown: Shown, from: IpAddr) -> Result<Actor, Error> {
        let seen = self.services.revocations.load(Ordering::SeqCst);
        let bearer = if let Some(bearer) = self.recall(shown.hash(), seen) {
            bearer
        } else {
            let now = self.services.clock.elapsed();
            self.attempts.in_turn(from, now, self.look_up(shown, seen)).await?
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
        if let Some(signed_in) = &bearer.actor.signed_in
            && !is_fresh(signed_in, self.services.clock.now())
        {
            // He may have shown who he is on another node.
            return None;
        }
        (now.saturating_sub(*since) < keep).then(|| bearer.clone())
    }

    async fn look_up(&self, shown: Shown, revocations: u64) -> Result<Bearer, Error> {
        let since = self.services.clock.elapsed();
        let found = match &shown {
            Shown::Token(hash) => self.with_token(hash).await,
            Shown::Key(hash) => self.signed_in(hash).await,
        };
        let bearer = found.map_err(Error::Store)?.ok_or(Error::Unknown)?;
        let (Shown::Token(hash) | Shown::Key(hash)) = shown;
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

    async fn with_token(&self, hash: &str) -> Result<Option<Bearer>, store::Error> {
        let mut reader = self.services.store.read().await?;
        tokens::bearer(&mut reader, hash, self.services.clock.now()).await
    }

    /// Who has the key with this hash; that he is there is written down when that was a while ago. He is
    /// remembered for no longer than he may be away.
    async fn signed_in(&self, hash: &str) -> Result<Option<Bearer>, store::Error> {
        let now = self.services.clock.now();
        let when = InForce { now, seen_since: before(now, IDLE) };
        let mut reader = self.services.store.read().await?;
        let found = sessions::bearer(&mut reader, hash, when).await?;
        drop(reader);
        let Some((bearer, seen_at)) = found else { return Ok(None) };
        if let Some(signed_in) = &bearer.actor.signed_in
            && now >= after(seen_at, SEEN_EVERY)
        {
            let mut tx = self.services.store.begin().await?;
            sessions::seen(&mut tx, &signed_in.session_id, now).await?;
            tx.commit().await?;
        }
        Ok(Some(bearer))
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

/// By what somebody is recognised: the hash of it.
enum Shown {
    Token(String),
    Key(String),
}

impl Shown {
    fn hash(&self) -> &str {
        match self {
            Self::Token(hash) | Self::Key(hash) => hash,
        }
    }
}

fn bearer_token(offered: &HeaderValue) -> Option<ApiToken> {
    let text = offered.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    ApiToken::parse(token.trim())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::app::App;
    use crate::config::Config;

    async fn auth(folder: &tempfile::TempDir) -> Auth {
        let place = folder.path().display().to_string();
        let variables = [("CHANCERY_DATA_DIR".to_owned(), place)];
        let config = Config::load(None, variables.into_iter()).unwrap();
        Auth::new(App::services(config).await.unwrap())
    }

    fn made_up(number: u8) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let token = ApiToken::mint([number; 32]);
        headers.insert(AUTHORIZATION, format!("Bearer {}", token.reveal()).parse().unwrap());
        headers
    }

    #[tokio::test]
    async fn a_flood_waits_for_its_turn_and_nobody_else_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let auth = auth(&folder).await;
        let [flooded, calm] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse::<IpAddr>().unwrap());
        let now = auth.services.clock.elapsed();
        for _ in 0..50 {
            auth.attempts.refused(flooded, now);
        }
        let mut under_way =
            Box::pin(auth.attempts.in_turn(flooded, now, std::future::pending::<()>()));
        assert!(under_way.as_mut().now_or_never().is_none());
        let headers = made_up(0);
        let mut waiting = Box::pin(auth.actor(&Method::GET, &headers, flooded));
        let others = async {
            for number in 1..20 {
                let refused = auth.actor(&Method::GET, &made_up(number), calm).await;
                assert!(matches!(refused, Err(Error::Unknown)), "{refused:?}");
            }
        };
        tokio::select! {
            biased;
            _too_soon = &mut waiting => panic!("looked up beside another of its address"),
            () = others => {}
        }
        drop(under_way);
        assert!(matches!(waiting.await, Err(Error::TooMany { retry_after_s: 31.. })));
        auth.services.store.close().await;
    }

    #[tokio::test]
    async fn whoever_brings_many_unknown_words_is_looked_up_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let auth = auth(&folder).await;
        let [flooded, calm] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse::<IpAddr>().unwrap());
        let told = |known: bool| std::future::ready(Ok::<_, Error>(known));
        for _ in 0..50 {
            assert!(auth.known(calm, told(true)).await.unwrap());
            assert!(!auth.known(flooded, told(false)).await.unwrap());
        }
        for (from, at_once) in [(calm, true), (flooded, false)] {
            let never = std::future::pending::<Result<bool, Error>>();
            let mut first = Box::pin(auth.known(from, never));
            assert!(first.as_mut().now_or_never().is_none());
            let second = auth.known(from, told(true));
            assert_eq!(second.now_or_never().is_some(), at_once, "{from}");
            drop(first);
            assert!(auth.known(from, told(true)).now_or_never().is_some(), "{from}");
        }
        auth.services.store.close().await;
    }

    #[test]
    fn only_a_bearer_token_of_the_right_form_is_looked_up() {
        let token = ApiToken::mint([3; 32]);
        let with = |value: String| bearer_token(&value.parse().unwrap()).is_some();
        assert!(with(format!("Bearer {}", token.reveal())));
        assert!(with(format!("bearer {}", token.reveal())));
        assert!(!with(format!("Basic {}", token.reveal())));
        assert!(!with("Bearer chy_deadbeef".to_owned()));
    }
}
