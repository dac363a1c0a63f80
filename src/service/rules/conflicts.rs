//! What is scheduled already and a rule catches. A rule stops none of it: that is a hold's business.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{Asked, ask, near};
use super::see;
use crate::domain::class::Class;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, DeliveryId, PostId, RuleId};
use crate::domain::policy::{Action, Subject};
use crate::domain::rule::Rule;
use crate::domain::schedule;
use crate::service::{Caller, Error, Page, Services, Window, permit};
use crate::store::Reader;
use crate::store::rules::{self, Covered, ToCome};

/// So many deliveries and accounts are looked at for one page.
const MOST_A_PAGE: usize = 2_000;
/// So many are looked at to count.
const MOST_COUNTED: usize = 5_000;
/// So many are read at once.
const AT_ONCE: usize = 200;

/// A delivery still to go out that a rule catches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleConflict)]
pub struct Conflict {
    /// Which.
    pub delivery_id: DeliveryId,
    /// Its post.
    pub post_id: PostId,
    /// Where it goes.
    pub account_id: AccountId,
    /// How urgent it is.
    pub class: Class,
    /// Where it stands.
    pub state: DeliveryState,
    /// Its instant.
    pub due_at: Timestamp,
    /// The same on the wall in `zone`.
    pub due_local: String,
    /// The account's zone.
    pub zone: String,
    /// The first instant after it against which the rule has nothing; none for a spacing.
    pub free_at: Option<Timestamp>,
    /// The deliveries that it is too near to.
    pub near: Vec<DeliveryId>,
}

/// Where a look goes on: at an account, behind one of its deliveries.
#[derive(Debug, Clone)]
struct Place {
    account: AccountId,
    after: Option<(Timestamp, DeliveryId)>,
}

impl Place {
    fn read(key: &[String]) -> Option<Self> {
        match key {
            [account] => Some(Self { account: account.parse().ok()?, after: None }),
            [account, at, id] => Some(Self {
                account: account.parse().ok()?,
                after: Some((at.parse().ok()?, id.parse().ok()?)),
            }),
            _ => None,
        }
    }

    fn key(self) -> Vec<String> {
        let mut key = vec![self.account.to_string()];
        key.extend(self.after.into_iter().flat_map(|(at, id)| [at.to_string(), id.to_string()]));
        key
    }
}

/// How far one look goes.
struct Bounds {
    most_found: usize,
    most_looked: usize,
}

/// A page of what is due from now on and a rule catches, by account and instant. A page looks at a bounded number of
/// deliveries: it may have fewer than were asked for, or none, and yet a next.
pub async fn conflicts(
    services: &Services,
    caller: &Caller,
    id: &RuleId,
    window: &Window,
) -> Result<Page<Conflict>, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    let mut reader = services.store.read().await?;
    let rule = see(&mut reader, caller, Action::ReadRules, id).await?;
    let from = match window.after.as_deref() {
        None => None,
        Some(key) => Some(Place::read(key).ok_or_else(Window::foreign_cursor)?),
    };
    let own = caller.actor.accounts_for(Action::ReadDeliveries);
    let bounds = Bounds {
        most_found: usize::try_from(window.limit).unwrap_or(usize::MAX),
        most_looked: MOST_A_PAGE,
    };
    let now = services.clock.now();
    let (items, next) = look(&mut reader, &rule, own.as_ref(), from, &bounds, now).await?;
    Ok(Page { items, next: next.map(Place::key) })
}

/// How many deliveries still to go out a rule catches, and whether all of them were looked at.
pub(super) async fn count(
    reader: &mut Reader,
    rule: &Rule,
    now: Timestamp,
) -> Result<(usize, bool), Error> {
    let bounds = Bounds { most_found: usize::MAX, most_looked: MOST_COUNTED };
    let (found, next) = look(reader, rule, None, None, &bounds, now).await?;
    Ok((found.len(), next.is_none()))
}

async fn look(
    reader: &mut Reader,
    rule: &Rule,
    own: Option<&BTreeSet<AccountId>>,
    from: Option<Place>,
    bounds: &Bounds,
    now: Timestamp,
) -> Result<(Vec<Conflict>, Option<Place>), Error> {
    let (early, late) = rule.span().unwrap_or((Timestamp::UNIX_EPOCH, Timestamp::MAX));
    let time = (early.max(now), late);
    let (mut found, mut looked) = (Vec::new(), 0);
    for account in rules::accounts(reader, &rule.unit_id).await? {
        let is_his = own.is_none_or(|own| own.contains(&account.id));
        let is_over = from.as_ref().is_some_and(|from| account.id < from.account);
        if !is_his || is_over || !rule.covers(&account.id, &account.platform) {
            continue;
        }
        if looked >= bounds.most_looked {
            return Ok((found, Some(Place { account: account.id, after: None })));
        }
        let begun = from.as_ref().filter(|from| from.account == account.id);
        let mut after = begun.and_then(|from| from.after.clone());
        loop {
            let rows = rules::to_come(reader, &account.id, time, after.as_ref(), AT_ONCE).await?;
            let caught = of_account(reader, rule, &account, &rows).await?;
            for (row, caught) in rows.iter().zip(caught) {
                found.extend(caught);
                looked += 1;
                if found.len() >= bounds.most_found || looked >= bounds.most_looked {
                    let after = Some((row.due_at, row.id.clone()));
                    return Ok((found, Some(Place { account: account.id, after })));
                }
            }
            after = rows.last().map(|row| (row.due_at, row.id.clone()));
            if rows.len() < AT_ONCE {
                break;
            }
        }
        looked += 1;
    }
    Ok((found, None))
}

/// What the rule has against each of these, in their order.
async fn of_account(
    reader: &mut Reader,
    rule: &Rule,
    account: &Covered,
    rows: &[ToCome],
) -> Result<Vec<Option<Conflict>>, Error> {
    let asked: Vec<Asked<'_>> = rows
        .iter()
        .map(|row| Asked {
            id: &row.id,
            account_id: &account.id,
            platform: &account.platform,
            class: row.class,
            due_at: row.due_at,
            zone: &account.time_zone,
            country: account.country.as_deref(),
        })
        .collect();
    let near = near(reader, &[rule], &asked).await?;
    let one = |(place, (row, asked)): (usize, (&ToCome, &Asked<'_>))| {
        let neighbours = near.get(&place).map(Vec::as_slice).unwrap_or_default();
        ask(rule, asked, neighbours).map(|caught| Conflict {
            delivery_id: row.id.clone(),
            post_id: row.post_id.clone(),
            account_id: account.id.clone(),
            class: row.class,
            state: row.state,
            due_at: row.due_at,
            due_local: schedule::local_in(row.due_at, &account.time_zone),
            zone: account.time_zone.clone(),
            free_at: caught.free_at,
            near: caught.near,
        })
    };
    Ok(rows.iter().zip(&asked).enumerate().map(one).collect())
}
