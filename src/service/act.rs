//! The frame of every act: who asks, under which key, and that the work, its audit entry and the
//! answer that a repetition will get are made durable by one commit.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Services;
use super::error::Error;
use crate::domain::actor::Actor;
use crate::domain::audit::NewEntry;
use crate::store::idempotency::{self, Claim, Kept};
use crate::store::{self, Tx, audit};

/// Somebody who asks for an act.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// Under which key he may repeat it.
    pub idempotency: Option<IdempotencyKey>,
    /// The id of the request, for logs and problems.
    pub request_id: String,
}

/// The key under which the same request gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// Hash of method, path and body.
    pub fingerprint: String,
    /// Method and path.
    pub operation: String,
}

/// What an act came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// The answer.
    pub value: T,
    /// True when the work was done earlier and this is its answer.
    pub replayed: bool,
}

impl Caller {
    /// What was done under this caller's key earlier; to be asked before anything slow or outside.
    pub async fn replay<T: DeserializeOwned>(
        &self,
        services: &Services,
    ) -> Result<Option<Done<T>>, Error> {
        let Some(key) = &self.idempotency else { return Ok(None) };
        let mut reader = services.store.read().await?;
        let kept = idempotency::find(&mut reader, &self.actor.person_id, &key.key).await?;
        kept.map(|kept| same_answer(key, kept)).transpose()
    }

    /// The claim on this caller's key for `answer`.
    pub fn claim(&self, answer: Value) -> Option<Claim> {
        self.idempotency.as_ref().map(|key| Claim {
            person_id: self.actor.person_id.clone(),
            key: key.key.clone(),
            operation: key.operation.clone(),
            fingerprint: key.fingerprint.clone(),
            answer,
        })
    }

    /// An audit entry in this caller's name; `detail` must be a JSON object.
    pub fn entry(&self, action: &str, subject: &impl ToString, detail: Value) -> NewEntry {
        NewEntry {
            actor: self.actor.label(),
            action: action.to_owned(),
            subject: subject.to_string(),
            detail,
        }
    }
}

/// Whether an item of a batch is to be done or was done already.
#[derive(Debug)]
pub(super) enum Kind {
    /// To be done.
    New,
    /// Done already, under the same person's key.
    Repeated(Kept),
}

impl Kind {
    /// What is kept, when it was done already.
    pub(super) fn kept(self) -> Option<Kept> {
        match self {
            Self::New => None,
            Self::Repeated(kept) => Some(kept),
        }
    }
}

/// Claims the keys of a whole batch, one word for each item.
pub(super) async fn sort_out<'a>(
    tx: &mut Tx,
    items: impl Iterator<Item = Option<&'a Claim>>,
    now: jiff::Timestamp,
) -> Result<Vec<Kind>, store::Error> {
    let items: Vec<Option<&Claim>> = items.collect();
    let claims: Vec<Claim> = items.iter().filter_map(|item| item.cloned()).collect();
    let mut new = idempotency::claim(tx, &claims, now).await?.into_iter();
    let mut kinds = Vec::with_capacity(items.len());
    for item in items {
        let kind = match item {
            Some(claim) if !new.next().unwrap_or(false) => {
                let kept = idempotency::find(tx, &claim.person_id, &claim.key).await?;
                Kind::Repeated(kept.ok_or(store::Error::Busy)?)
            }
            Some(_) | None => Kind::New,
        };
        kinds.push(kind);
    }
    Ok(kinds)
}

/// The answer kept under a key, when it is the same request.
pub fn same_answer<T: DeserializeOwned>(
    key: &IdempotencyKey,
    kept: Kept,
) -> Result<Done<T>, Error> {
    if kept.operation != key.operation || kept.fingerprint != key.fingerprint {
        return Err(Error::IdempotencyMismatch);
    }
    let value = serde_json::from_value(kept.answer).map_err(Error::internal)?;
    Ok(Done { value, replayed: true })
}

/// Ends an act: claims the key, appends to the audit and commits.
///
/// When another request with the same key has committed meanwhile, nothing of this one stays and
/// its answer is the other one's.
pub async fn finish<T: Serialize + DeserializeOwned>(
    services: &Services,
    caller: &Caller,
    mut tx: Tx,
    value: T,
    entries: &[NewEntry],
) -> Result<Done<T>, Error> {
    let now = services.clock.now();
    if let Some(key) = &caller.idempotency {
        let answer = serde_json::to_value(&value).map_err(Error::internal)?;
        let claims: Vec<Claim> = caller.claim(answer).into_iter().collect();
        let new = idempotency::claim(&mut tx, &claims, now).await?;
        if new.contains(&false) {
            let kept = idempotency::find(&mut tx, &caller.actor.person_id, &key.key).await?;
            return kept.map_or(Err(Error::Busy), |kept| same_answer(key, kept));
        }
    }
    audit::append(&mut tx, entries, now);
    tx.conclude().await?;
    Ok(Done { value, replayed: false })
}
