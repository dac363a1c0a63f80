//! What is left of the platforms' limits and of the month's money for what somebody plans.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::Ready;
use super::{Error, Services};
use crate::clock::before;
use crate::domain::budget::{Limits, Purse, money_scope, month_of};
use crate::domain::id::AccountId;
use crate::domain::words;
use crate::platforms;
use crate::store::{Reader, budgets};

words! {
    /// What a limit counts.
    LimitKind {
        /// Posts that are created.
        Creates = "creates",
        /// Millionths of a US dollar.
        UsdMicros = "usd_micros",
    }
}

/// What is left of one limit at this moment. What others have scheduled is not taken off: it counts
/// when it goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Remaining {
    /// The platform's id.
    pub platform: String,
    /// Whose limit; none when it is that of the whole application.
    pub account_id: Option<AccountId>,
    /// What is counted.
    pub counts: LimitKind,
    /// The most.
    pub most: u64,
    /// What is used up.
    pub used: u64,
    /// What of it is kept for urgent posts and statements.
    pub kept: u64,
    /// What this would use.
    pub wanted: u64,
    /// What would be left of it; 0 when it is not enough.
    pub left: u64,
    /// The limit holds for any span of so many seconds; none for the calendar month (UTC).
    pub span_s: Option<u64>,
    /// When it counts from the beginning again; none where the span moves along.
    pub renews_at: Option<Timestamp>,
}

/// The limits that the planned deliveries touch, with what is left of them.
pub(super) async fn remaining(
    services: &Services,
    reader: &mut Reader,
    ready: &[Ready],
    now: Timestamp,
) -> Result<Vec<Remaining>, Error> {
    let limits: BTreeMap<&str, Limits> = platforms::limits(&services.config).into_iter().collect();
    let touched: BTreeSet<&str> = ready.iter().map(|one| one.row.platform.as_str()).collect();
    let mut found = Vec::new();
    for (platform, limits) in limits.iter().filter(|(platform, _)| touched.contains(*platform)) {
        let here: Vec<&Ready> = ready.iter().filter(|one| one.row.platform == *platform).collect();
        found.extend(money(services, reader, (platform, limits), &here, now).await?);
        creates(reader, (platform, limits), &here, now, &mut found).await?;
    }
    Ok(found)
}

async fn money(
    services: &Services,
    reader: &mut Reader,
    (platform, limits): (&str, &Limits),
    ready: &[&Ready],
    now: Timestamp,
) -> Result<Option<Remaining>, Error> {
    let rule = services.platforms.get(platform).and_then(|it| it.rules().cost);
    let Some((rule, purse)) = rule.zip(Purse::of(limits)) else { return Ok(None) };
    let used = budgets::cost(reader, &money_scope(platform), month_of(now)).await?;
    let wanted = ready.iter().map(|one| rule.of(&one.said())).fold(0, i64::saturating_add);
    let next = month_of(now).to_zoned(TimeZone::UTC).checked_add(1.month());
    let counted = Counted { most: purse.most, used, kept: purse.kept, wanted };
    Ok(Some(Remaining {
        renews_at: next.ok().map(|it| it.timestamp()),
        ..counted.shown(platform, None, LimitKind::UsdMicros)
    }))
}

async fn creates(
    reader: &mut Reader,
    (platform, limits): (&str, &Limits),
    ready: &[&Ready],
    now: Timestamp,
    found: &mut Vec<Remaining>,
) -> Result<(), Error> {
    let mut wanted: BTreeMap<&AccountId, i64> = BTreeMap::new();
    for one in ready {
        *wanted.entry(&one.row.account_id).or_default() += 1;
    }
    let accounts: Vec<&str> = wanted.keys().map(|id| id.as_str()).collect();
    for window in &limits.per_account {
        let since = before(now, window.span);
        let used: BTreeMap<AccountId, i64> = budgets::crowded(reader, &accounts, since, 1)
            .await?
            .into_iter()
            .map(|(account, count, _)| (account, count))
            .collect();
        for (account, wanted) in &wanted {
            let used = used.get(account).copied().unwrap_or(0);
            let kept = window.most * limits.reserve_percent / 100;
            let counted = Counted { most: window.most, used, kept, wanted: *wanted };
            found.push(Remaining {
                span_s: Some(window.span.as_secs()),
                ..counted.shown(platform, Some((*account).clone()), LimitKind::Creates)
            });
        }
    }
    let all = i64::try_from(ready.len()).unwrap_or(i64::MAX);
    for window in &limits.per_app {
        let (used, _) = budgets::spent(reader, platform, before(now, window.span)).await?;
        let kept = window.most * limits.reserve_percent / 100;
        let counted = Counted { most: window.most, used, kept, wanted: all };
        found.push(Remaining {
            span_s: Some(window.span.as_secs()),
            ..counted.shown(platform, None, LimitKind::Creates)
        });
    }
    Ok(())
}

/// One limit in numbers.
struct Counted {
    most: i64,
    used: i64,
    kept: i64,
    wanted: i64,
}

impl Counted {
    fn shown(&self, platform: &str, account_id: Option<AccountId>, counts: LimitKind) -> Remaining {
        let positive = |it: i64| u64::try_from(it).unwrap_or(0);
        Remaining {
            platform: platform.to_owned(),
            account_id,
            counts,
            most: positive(self.most),
            used: positive(self.used),
            kept: positive(self.kept),
            wanted: positive(self.wanted),
            left: positive(self.most.saturating_sub(self.used).saturating_sub(self.wanted)),
            span_s: None,
            renews_at: None,
        }
    }
}
