//! Says when scheduling that more is planned for an account than its platform lets through.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::plan::Plan;
use super::warning::Warning;
use super::{Error, Services};
use crate::clock::{after, before};
use crate::domain::budget::{Limits, Overflow, overflow};
use crate::domain::id::AccountId;
use crate::platforms;
use crate::store::{Reader, budgets};

/// Warns of each account for which more is planned in a window than fits. Never a fault: limits are
/// raised, others are cancelled, and what is too late says so itself.
pub(super) async fn warn(
    services: &Services,
    reader: &mut Reader,
    plan: &mut Plan,
) -> Result<(), Error> {
    let limits: BTreeMap<&str, Limits> = platforms::limits(&services.config).into_iter().collect();
    let of = |platform: &str| limits.get(platform).filter(|it| !it.per_account.is_empty());
    let counted: Vec<_> = plan.ready.iter().filter(|one| of(&one.row.platform).is_some()).collect();
    let dues = || counted.iter().map(|one| one.row.due_at);
    let (Some(first), Some(last)) = (dues().min(), dues().max()) else { return Ok(()) };
    let windows = limits.values().flat_map(|it| &it.per_account);
    let longest = windows.map(|window| window.span).max().unwrap_or(Duration::ZERO);
    let mut accounts: Vec<AccountId> =
        counted.iter().map(|one| one.row.account_id.clone()).collect();
    accounts.sort();
    accounts.dedup();
    let mut dues: BTreeMap<AccountId, Vec<Timestamp>> = BTreeMap::new();
    let (from, to) = (before(first, longest), after(last, longest));
    for (account, due_at) in budgets::planned(reader, &accounts, from, to).await? {
        dues.entry(account).or_default().push(due_at);
    }
    for one in &counted {
        dues.entry(one.row.account_id.clone()).or_default().push(one.row.due_at);
    }
    let mut told = Vec::new();
    for account in accounts {
        let Some(one) = counted.iter().find(|one| one.row.account_id == account) else { continue };
        let Some(limits) = of(&one.row.platform) else { continue };
        let planned = dues.remove(&account).unwrap_or_default();
        for window in &limits.per_account {
            if let Some(found) = overflow(planned.clone(), *window) {
                told.push(warning(one.place, &one.row.platform, &found));
                break;
            }
        }
    }
    plan.warnings.extend(told);
    Ok(())
}

fn warning(place: usize, platform: &str, found: &Overflow) -> Warning {
    let Overflow { from, planned, window } = found;
    let minutes = window.span.as_secs().div_ceil(60);
    let over = i64::try_from(*planned).unwrap_or(i64::MAX).saturating_sub(window.most);
    let detail = format!(
        "{planned} deliveries are planned for this account within {minutes} minutes from {from}; \
         {platform} lets {} through, so at least {over} will go out later or be missed: spread them \
         out, or give them a later publish_by",
        window.most
    );
    Warning::new(format!("/deliveries/{place}"), "does_not_fit", detail)
        .with("planned", planned)
        .with("minutes", minutes)
        .with("from", from)
        .with("platform", platform)
        .with("most", window.most)
        .with("over", over)
}
