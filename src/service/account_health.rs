//! How an account stands: look at it, and attest what no platform tells.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Services, all_well, finish, permit};
use crate::clock::before;
use crate::domain::account::{Account, AccountStatus, CredentialKind};
use crate::domain::connection::MissingScope;
use crate::domain::id::{AccountId, DeliveryId, PersonId};
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::probe::{Fitness, ProbeVerdict};
use crate::store::account_health::{self as rows, Attestation, Facts, ProbeFacts};
use crate::store::{Reader, accounts};

/// What is held may have been due so long ago.
const HELD: Duration = Duration::from_hours(24 * 30);
/// So many of the coming deliveries are named.
const NAMED: i64 = 20;
/// The longest note of an attestation, in code points.
const LONGEST_NOTE: usize = 500;

/// How an account stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountHealth {
    /// Which account.
    pub account_id: AccountId,
    /// Its status.
    pub status: AccountStatus,
    /// Why it cannot publish at this moment, as a stable word: `needs_reconnect`, `revoked`, `paused`,
    /// `lacking`, `ends_before`; `null` while it can, as far as is known.
    pub hindrance: Option<String>,
    /// Its credential, without its secrets.
    pub credential: Option<CredentialView>,
    /// The rights that it needs.
    pub scopes_needed: Vec<String>,
    /// The rights that it has, where the platform has told.
    pub scopes: Option<Vec<String>>,
    /// Those that are missing, with what each is for.
    pub scopes_missing: Vec<MissingScope>,
    /// When its access ends, where that is known and nothing gives it another by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub access_ends_at: Option<Timestamp>,
    /// When the platform stops giving data unless a person signs in again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub data_access_ends_at: Option<Timestamp>,
    /// When the platform last took its credential.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success_at: Option<Timestamp>,
    /// When a delivery last went out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_published_at: Option<Timestamp>,
    /// What went wrong when a person last had it checked, if anything did.
    pub last_error: Option<String>,
    /// What the platform said when it was asked last; `null` when it never was.
    pub probe: Option<ProbeView>,
    /// Who began the sign-in that connected it last.
    pub connected_by: Option<PersonId>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub connected_at: Option<Timestamp>,
    /// Whether its owners sign in with a second factor at the platform, by somebody's word.
    pub two_factor: Option<TwoFactor>,
    /// What is to go out on it.
    pub coming: Coming,
}

/// A credential without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CredentialView {
    /// What kind it is.
    pub kind: CredentialKind,
    /// Since when it is kept.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When its access token ends, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// Whether it gets another access token by itself.
    pub renews_itself: bool,
}

/// What a platform said of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeView {
    /// When it last said something.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub asked_at: Option<Timestamp>,
    /// What that has shown.
    pub verdict: ProbeVerdict,
    /// In its words, if it was no good.
    pub detail: Option<String>,
    /// How often in a row the credential was refused; two end it.
    pub refusals: i64,
    /// When it was last asked.
    #[schema(value_type = String, format = DateTime)]
    pub tried_at: Timestamp,
    /// Why that question has said nothing, if it has not.
    pub trouble: Option<String>,
    /// When it is asked again at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub next_at: Timestamp,
}

/// That an account's owners sign in with a second factor at the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TwoFactor {
    /// Who says so.
    pub attested_by: PersonId,
    /// When he did.
    #[schema(value_type = String, format = DateTime)]
    pub attested_at: Timestamp,
    /// In his words.
    pub note: String,
}

/// What is to go out on an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Coming {
    /// How many deliveries have not come to their end.
    pub count: i64,
    /// The first 20 that are scheduled or held.
    pub first: Vec<ComingDelivery>,
}

/// A delivery that is to go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComingDelivery {
    /// Which.
    pub id: DeliveryId,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// Why its account cannot publish it then, as far as is known.
    pub hindrance: Option<String>,
}

/// What somebody attests of an account.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewAttestation {
    /// What was looked at and by whom, such as "all four owners, in the settings of the portfolio".
    #[schema(min_length = 1, max_length = 500)]
    pub note: String,
}

/// How an account stands.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &AccountId,
) -> Result<AccountHealth, Error> {
    permit(caller, Action::ReadAccounts, Subject::Account(id))?;
    let mut reader = services.store.read().await?;
    read(services, &mut reader, id).await
}

async fn read(
    services: &Services,
    reader: &mut Reader,
    id: &AccountId,
) -> Result<AccountHealth, Error> {
    let now = services.clock.now();
    let account = accounts::find(reader, id).await?.ok_or(Error::NotFound)?;
    let facts = rows::find(reader, id).await?;
    let last_published_at = rows::last_out(reader, id).await?;
    let count = accounts::waiting(reader, id).await?;
    let coming = rows::coming(reader, id, before(now, HELD), NAMED).await?;
    let fitness = fitness(&account, &facts);
    let hindrance = |at: Timestamp| fitness.hindrance(at).map(str::to_owned);
    let due = |(id, due_at): (DeliveryId, Timestamp)| ComingDelivery {
        id,
        due_at,
        hindrance: hindrance(due_at.max(now)),
    };
    let first = coming.into_iter().map(due).collect();
    let needed = services.platforms.get(&account.platform).map(|it| it.rules().scopes);
    let health = account.health;
    let Facts { credential, probe, attestation } = facts;
    let known = probe.as_ref();
    Ok(AccountHealth {
        status: account.status,
        hindrance: hindrance(now),
        credential: credential.map(|it| CredentialView {
            kind: it.kind,
            since: it.since,
            ends_at: it.ends_at,
            renews_itself: it.renewable,
        }),
        scopes_needed: needed.unwrap_or_default().iter().map(|&it| it.to_owned()).collect(),
        scopes: known
            .and_then(|it| it.scopes.clone())
            .or_else(|| Some(health.scopes).filter(|it| !it.is_empty())),
        scopes_missing: known.and_then(|it| it.missing.clone()).unwrap_or(health.scopes_missing),
        access_ends_at: fitness.ends_at,
        data_access_ends_at: known
            .and_then(|it| it.data_access_ends_at)
            .or(health.data_access_ends_at),
        last_success_at: health.last_ok_at.max(known.and_then(|it| it.fit_at)),
        last_published_at,
        last_error: health.last_error,
        probe: probe.map(shown),
        connected_by: health.connected_by,
        connected_at: health.connected_at,
        two_factor: attestation.map(|it| TwoFactor {
            attested_by: it.attested_by,
            attested_at: it.attested_at,
            note: it.note,
        }),
        coming: Coming { count, first },
        account_id: account.id,
    })
}

fn fitness(account: &Account, facts: &Facts) -> Fitness {
    let probe = facts.probe.as_ref();
    let own = facts.credential.as_ref().filter(|it| !it.renewable).and_then(|it| it.ends_at);
    let told = probe.and_then(|it| it.expires_at);
    Fitness {
        status: account.status,
        verdict: probe.map(|it| it.verdict),
        ends_at: [own, told].into_iter().flatten().min(),
    }
}

fn shown(probe: ProbeFacts) -> ProbeView {
    ProbeView {
        asked_at: probe.asked_at,
        verdict: probe.verdict,
        detail: probe.detail,
        refusals: probe.refusals,
        tried_at: probe.tried_at,
        trouble: probe.trouble,
        next_at: probe.next_at,
    }
}

/// Keeps somebody's word that an account's owners sign in with a second factor at the platform. The audit
/// keeps every such word.
pub async fn attest(
    services: &Services,
    caller: &Caller,
    id: &AccountId,
    new: &NewAttestation,
) -> Result<Done<AccountHealth>, Error> {
    permit(caller, Action::WriteAccounts, Subject::Account(id))?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut faults = Vec::new();
    locale::check_line("/note", &new.note, LONGEST_NOTE, &mut faults);
    all_well(faults)?;
    let mut tx = services.store.begin().await?;
    if accounts::find(&mut tx, id).await?.is_none() {
        return Err(Error::NotFound);
    }
    let attestation = Attestation {
        attested_by: caller.actor.person_id.clone(),
        attested_at: services.clock.now(),
        note: new.note.clone(),
    };
    rows::attest(&mut tx, id, &attestation).await?;
    let health = read(services, &mut tx, id).await?;
    let entry = caller.entry("account.attest", id, json!({"two_factor": true, "note": new.note}));
    finish(services, caller, tx, health, &[entry]).await
}
