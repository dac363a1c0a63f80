//! A person comes back from a platform: taken once, exchanged at once, and finished where it can be.
//!
//! Nobody is known here but by the state, which was given to one browser. So nothing is done that the
//! sign-in did not say before it began.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{CHOOSE, SIGN_IN, changed, complete, hash, redirect, seal};
use crate::clock::after;
use crate::domain::audit::NewEntry;
use crate::domain::connection::{ConnectionStatus, Granted, SignInProblem};
use crate::platforms::sign_in::{Arrival, Bounty, Means, SignInError};
use crate::service::{Error, Services};
use crate::store::connections::{self, Kept};
use crate::store::{audit, scrub};

/// The longest that is kept of a platform's words.
const LONGEST_WORDS: usize = 200;

/// What a browser brings.
#[derive(Debug)]
pub struct Arrived {
    /// By which the sign-in is found.
    pub state: String,
    /// What the platform says.
    pub said: Said,
}

/// What the platform says through a browser.
#[derive(Debug)]
pub enum Said {
    /// A code to be exchanged.
    Code(SecretString),
    /// A refusal, by its word.
    Error(String),
}

/// Where the person lands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// The account is connected.
    Done(String),
    /// He must go back to the desk and choose.
    Choose,
    /// Nothing came of it, for this reason.
    Nothing(SignInProblem),
    /// There is no such sign-in, or not any more, or not on this platform; which, is not said.
    Stale,
}

/// Whether what a browser brings belongs to a sign-in that waits. A read alone: most that comes unasked
/// ends here.
pub async fn waits(services: &Services, platform: &str, arrived: &Arrived) -> Result<bool, Error> {
    if services.platforms.get(platform).is_none() {
        return Ok(false);
    }
    let mut reader = services.store.read().await?;
    let now = services.clock.now();
    Ok(connections::waits(&mut reader, &hash(&arrived.state), platform, now).await?)
}

/// Takes what a browser brings to the address of a platform.
pub async fn arrive(
    services: &Services,
    platform: &str,
    arrived: Arrived,
) -> Result<Landing, Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    // The time to exchange is his own: he was back in time.
    let until = after(now, SIGN_IN);
    let taken = connections::take(&mut tx, &hash(&arrived.state), platform, now, until).await?;
    let Some(kept) = taken else { return Ok(Landing::Stale) };
    // Before the platform hears of the code: whatever happens now, nobody comes a second time.
    tx.commit().await?;
    let code = match arrived.said {
        Said::Code(code) => code,
        Said::Error(word) => {
            let (problem, words) = refused(&word);
            return end(services, kept, ConnectionStatus::Refused, problem, &words).await;
        }
    };
    match exchange(services, &kept, &code).await? {
        Ok(bounty) => land(services, kept, bounty).await,
        Err(SignInError::Refused(words)) => {
            let problem = SignInProblem::ExchangeRefused;
            end(services, kept, ConnectionStatus::Failed, problem, &words).await
        }
        Err(SignInError::Unreachable(words)) => {
            let problem = SignInProblem::Unreachable;
            end(services, kept, ConnectionStatus::Failed, problem, &words).await
        }
    }
}

/// What a platform's word for a refusal means. Two causes look alike, so both are told.
fn refused(word: &str) -> (SignInProblem, String) {
    if word == "access_denied" {
        let words = "the person refused, or the application is still being developed and he has no \
                     role in it: the platform answers both alike";
        return (SignInProblem::AccessDenied, words.to_owned());
    }
    (SignInProblem::ExchangeRefused, word.to_owned())
}

async fn exchange(
    services: &Services,
    kept: &Kept,
    code: &SecretString,
) -> Result<Result<Bounty, SignInError>, Error> {
    let platform = &kept.connection.platform;
    let Some(sign_in) = services.platforms.get(platform).and_then(|it| it.sign_in()) else {
        return Ok(Err(SignInError::Refused("the application is not configured".to_owned())));
    };
    let verifier = seal::open_verifier(services, kept)?;
    let back = redirect(services, platform)?;
    let means = Means {
        outbound: services.outbound.clone(),
        clock: services.clock.clone(),
        timeout: services.config.publish.request_timeout,
    };
    let with = Arrival { code, verifier: &verifier, redirect: &back };
    Ok(sign_in.exchange(&means, with).await)
}

/// Keeps what was granted, and connects the account where it was named beforehand.
async fn land(services: &Services, mut kept: Kept, bounty: Bounty) -> Result<Landing, Error> {
    let granted = storable(&bounty.granted)?;
    let lacks = granted.lacks_needed();
    let missing: Vec<&str> = granted.missing.iter().map(|it| it.scope.as_str()).collect();
    let missing = missing.join(", ");
    let expected = kept.connection.expected_remote_id.clone();
    let usable = |id: Option<&str>| {
        let fit = bounty.candidates.iter().filter(|it| it.credential.is_ok());
        fit.filter(|it| id.is_none_or(|id| it.owner.remote_id == id)).count()
    };
    let offered = expected.as_deref().is_none_or(|id| granted.offered(id).is_some());
    let hindrance = expected.as_deref().and_then(|id| granted.offered(id)?.hindrance.clone());
    kept.connection.granted = Some(granted);
    let failed = ConnectionStatus::Failed;
    if lacks {
        return end(services, kept, failed, SignInProblem::ScopesMissing, &missing).await;
    }
    if !offered {
        let words = format!("{} was expected", expected.unwrap_or_default());
        return end(services, kept, failed, SignInProblem::OtherAccount, &words).await;
    }
    if usable(expected.as_deref()) == 0 {
        let words = hindrance.unwrap_or_default();
        return end(services, kept, failed, SignInProblem::NoAccounts, &words).await;
    }
    let sealed = seal::credentials(services, &kept.connection, &bounty.candidates)?;
    let kept = grant(services, kept, sealed).await?;
    match expected {
        None => Ok(Landing::Choose),
        Some(expected) => {
            // What is in its way now need not be for ever: the person may finish it later.
            let name = complete::by_itself(services, kept, &expected).await;
            Ok(match name {
                Ok(name) => Landing::Done(name),
                Err(error) => {
                    let error = crate::telemetry::Chain(&error);
                    tracing::info!(%error, "a sign-in was not finished at once");
                    Landing::Choose
                }
            })
        }
    }
}

/// Without what a database cannot keep: names are their owners' to choose.
fn storable(granted: &Granted) -> Result<Granted, Error> {
    let mut value = serde_json::to_value(granted).map_err(Error::internal)?;
    scrub::scrub(&mut value);
    serde_json::from_value(value).map_err(Error::internal)
}

async fn grant(services: &Services, mut kept: Kept, sealed: Vec<u8>) -> Result<Kept, Error> {
    let now = services.clock.now();
    let from = kept.connection.version;
    kept.connection.status = ConnectionStatus::Granted;
    kept.connection.expires_at = after(now, CHOOSE);
    kept.sealed = Some(sealed);
    kept.verifier = None;
    changed(&mut kept.connection, now);
    let detail = json!({"granted": kept.connection.granted});
    write(services, &kept, from, "connection.grant", detail).await?;
    Ok(kept)
}

/// Ends a sign-in of which nothing comes, and forgets what was sealed.
async fn end(
    services: &Services,
    mut kept: Kept,
    status: ConnectionStatus,
    problem: SignInProblem,
    words: &str,
) -> Result<Landing, Error> {
    let from = kept.connection.version;
    let words: String = words.chars().filter(|it| !it.is_control()).take(LONGEST_WORDS).collect();
    kept.connection.status = status;
    kept.connection.problem = Some(problem);
    kept.connection.problem_detail = Some(words).filter(|it| !it.is_empty());
    kept.verifier = None;
    kept.sealed = None;
    changed(&mut kept.connection, services.clock.now());
    let detail = json!({"problem": problem, "detail": kept.connection.problem_detail});
    let action = match problem {
        SignInProblem::AccessDenied => "connection.refuse",
        SignInProblem::ExchangeRefused
        | SignInProblem::Unreachable
        | SignInProblem::ScopesMissing
        | SignInProblem::NoAccounts
        | SignInProblem::OtherAccount => "connection.fail",
    };
    write(services, &kept, from, action, detail).await?;
    Ok(Landing::Nothing(problem))
}

async fn write(
    services: &Services,
    kept: &Kept,
    from: i64,
    action: &str,
    detail: Value,
) -> Result<(), Error> {
    let entry = NewEntry {
        actor: "sign-in".to_owned(),
        action: action.to_owned(),
        subject: kept.connection.id.to_string(),
        detail,
    };
    let mut tx = services.store.begin().await?;
    connections::update(&mut tx, kept, from).await?;
    audit::append(&mut tx, &[entry], services.clock.now());
    Ok(tx.conclude().await?)
}
