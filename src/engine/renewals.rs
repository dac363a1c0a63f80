//! What follows from an access token that its platform does not take before its end, where another can be had:
//! it is taken for ended, so nothing more leaves with it, and is refreshed at once.

use std::collections::HashSet;

use jiff::Timestamp;

use super::publish::{Errand, Report};
use crate::domain::id::AccountId;
use crate::domain::work;
use crate::platforms::outcome::{Outcome, RefusalKind};
use crate::queue::job::Settled;
use crate::store::publishing::Prepared;
use crate::store::refreshes::{self, Version};
use crate::store::{Error, Tx, jobs};

/// Versions of credentials.
pub(super) type Versions = HashSet<(AccountId, i64)>;

/// Those among the refused ones that can be followed by others. Only reads: rows of accounts come first.
pub(super) async fn possible(
    tx: &mut Tx,
    now: Timestamp,
    done: &[Settled<Errand, Report>],
) -> Result<Versions, Error> {
    let refused: Vec<(&AccountId, i64)> = done
        .iter()
        .filter(|one| is_refused(&one.report))
        .map(|one| (&one.item.prepared.account_id, one.item.prepared.credential.version))
        .collect();
    Ok(refreshes::renewable(tx, &refused, now).await?.into_iter().collect())
}

/// Whether the access token of one of them was refused and can be followed by another.
pub(super) fn is_among(renewable: &Versions, one: &Settled<Errand, Report>) -> bool {
    let prepared = &one.item.prepared;
    let key = (prepared.account_id.clone(), prepared.credential.version);
    is_refused(&one.report) && renewable.contains(&key)
}

/// Takes these access tokens for ended.
pub(super) async fn begin(tx: &mut Tx, now: Timestamp, all: &[&Prepared]) -> Result<(), Error> {
    for prepared in all {
        let slot = work::slot(&prepared.platform, &prepared.account_id);
        let which = Version { account: &prepared.account_id, number: prepared.credential.version };
        ask(tx, which, &slot, now).await?;
    }
    Ok(())
}

/// The same for one of any account.
pub(super) async fn ask(
    tx: &mut Tx,
    which: Version<'_>,
    slot: &str,
    now: Timestamp,
) -> Result<(), Error> {
    refreshes::expire(tx, which, now).await?;
    jobs::hasten_slot(tx, work::REFRESH, slot, now).await?;
    tracing::warn!(account.id = %which.account, "an access token is refused before its end; it is refreshed");
    Ok(())
}

fn is_refused(report: &Report) -> bool {
    match report {
        Report::Asked { answer, .. } => matches!(
            &answer.value,
            Outcome::Refused(refusal) if refusal.kind == RefusalKind::Credential
        ),
        Report::TakenBack | Report::NotNow { .. } | Report::Unfit { .. } => false,
    }
}
