//! Tells people beforehand: of accounts whose access ends, and of what is due soon on accounts that cannot
//! publish it. Each once, whichever node sees it.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::Tools;
use super::super::credentials::account_entry;
use crate::clock::after;
use crate::domain::audit::NewEntry;
use crate::domain::id::{AccountId, DeliveryId, PersonId};
use crate::domain::outbox::Occasion;
use crate::domain::probe::{DAY, FIRST_WARNING, Fitness, days_before, hours_before};
use crate::domain::variant::Content;
use crate::platforms::check::{Draft, check};
use crate::store::probes::{self as rows, Endangered, Ends, Warning};
use crate::store::{Error, Reader, Tx, accounts, audit};

/// Ids that a message names at most.
const NAMED: usize = 20;
/// Why what its account may say is less than it says.
const TOO_LONG: &str = "text_too_long";
/// What stands between the id of a delivery and the reason, in what a warning is known by.
const BETWEEN: char = ':';

/// An end that people are to be told of.
struct Coming {
    warning: Warning,
    reason: &'static str,
    ends_at: Timestamp,
}

/// What is due on one account that cannot publish it, for one reason.
type Groups = BTreeMap<(AccountId, i64, &'static str), Vec<Warning>>;

/// Looks once.
pub(super) async fn round(tools: &Tools) -> Result<(), Error> {
    if !tools.steady.is_vouched_for() {
        // How long it is until then is said by the clock.
        return Ok(());
    }
    let now = tools.clock.now();
    let mut reader = tools.store.read().await?;
    let ending = rows::ending(&mut reader, after(now, FIRST_WARNING)).await?;
    let endangered = rows::on_unfit(&mut reader, now, after(now, DAY)).await?;
    let mut groups = grouped(&endangered, now);
    too_long(tools, &mut reader, now, &mut groups).await?;
    let unfit = groups.keys().map(|(account, ..)| account);
    let accounts: Vec<&AccountId> = ending.iter().map(|it| &it.account_id).chain(unfit).collect();
    if accounts.is_empty() {
        return Ok(());
    }
    let told: HashSet<Warning> = rows::told(&mut reader, &accounts).await?.into_iter().collect();
    drop(reader);
    let coming: Vec<Coming> = ending.iter().flat_map(|it| coming(it, now)).collect();
    let coming = coming.into_iter().filter(|it| !told.contains(&it.warning));
    for all in groups.values_mut() {
        all.retain(|it| !told.contains(it));
    }
    groups.retain(|_, all| !all.is_empty());
    tell(tools, now, coming.collect(), groups).await
}

/// The stages that the ends of an account's access have reached.
fn coming(ends: &Ends, now: Timestamp) -> Vec<Coming> {
    let both = [("expires", ends.expires_at), ("data_access", ends.data_access_ends_at)];
    let one = |(reason, ends_at): (&'static str, Option<Timestamp>)| {
        let ends_at = ends_at?;
        let stage = days_before(ends_at, now)?;
        let subject = format!("{reason}:{ends_at}");
        let warning = Warning { account_id: ends.account_id.clone(), subject, stage };
        Some(Coming { warning, reason, ends_at })
    };
    both.into_iter().filter_map(one).collect()
}

fn grouped(endangered: &[Endangered], now: Timestamp) -> Groups {
    let mut groups = Groups::new();
    for one in endangered {
        let fitness = Fitness { status: one.status, verdict: one.verdict, ends_at: one.ends_at };
        let hindrance = fitness.hindrance(one.due_at);
        let (Some(why), Some(stage)) = (hindrance, hours_before(one.due_at, now)) else { continue };
        let account_id = one.account_id.clone();
        let warning = due(&account_id, &one.delivery_id, why, stage);
        groups.entry((account_id, stage, why)).or_default().push(warning);
    }
    groups
}

/// What was short enough when it was scheduled, and is too long for what its account may say by now.
async fn too_long(
    tools: &Tools,
    reader: &mut Reader,
    now: Timestamp,
    groups: &mut Groups,
) -> Result<(), Error> {
    for platform in tools.platforms.iter().filter(|it| it.rules().text.max_long.is_some()) {
        for one in rows::said_soon(reader, platform.id(), now, after(now, DAY)).await? {
            let (content, part) = one.content;
            let content: Option<Content> = serde_json::from_value(content).ok();
            let Some(said) = content.and_then(|it| it.part(part)) else { continue };
            let rules = platform.rules().of(&one.health);
            let found = check(&Draft::of(&said), &rules);
            let is_long = found.iter().any(|it| it.code == TOO_LONG);
            let Some(stage) = hours_before(one.due_at, now).filter(|_| is_long) else { continue };
            let warning = due(&one.account_id, &one.delivery_id, TOO_LONG, stage);
            groups.entry((one.account_id, stage, TOO_LONG)).or_default().push(warning);
        }
    }
    Ok(())
}

/// That a delivery cannot go out, for one reason: that another stood in its way says nothing of this one.
fn due(account: &AccountId, delivery: &DeliveryId, why: &str, stage: i64) -> Warning {
    let subject = format!("{delivery}{BETWEEN}{why}");
    Warning { account_id: account.clone(), subject, stage }
}

async fn tell(
    tools: &Tools,
    now: Timestamp,
    coming: Vec<Coming>,
    groups: Groups,
) -> Result<(), Error> {
    if coming.is_empty() && groups.is_empty() {
        return Ok(());
    }
    let mut tx = tools.store.begin_for("warn").await?;
    let mut entries: Vec<NewEntry> = Vec::new();
    for one in coming {
        if rows::tell(&mut tx, &one.warning, now).await? {
            let id = &one.warning.account_id;
            let detail = json!({
                "reason": one.reason, "ends_at": one.ends_at, "days": one.warning.stage,
            });
            entries.push(entry(&mut tx, Occasion::AccountEnding, id, detail).await?);
        }
    }
    for ((id, hours, reason), all) in groups {
        let mut new = Vec::new();
        for one in all {
            if rows::tell(&mut tx, &one, now).await? {
                new.push(one.subject);
            }
        }
        let delivery = |subject: &String| {
            subject.split_once(BETWEEN).map_or_else(|| subject.clone(), |(id, _)| id.to_owned())
        };
        if !new.is_empty() {
            tracing::warn!(account.id = %id, reason, count = new.len(), hours, "an account cannot publish what is due soon");
            let named: Vec<String> = new.iter().take(NAMED).map(delivery).collect();
            let detail = json!({
                "reason": reason, "hours": hours, "count": new.len(), "deliveries": named,
            });
            entries.push(entry(&mut tx, Occasion::AccountUnfit, &id, detail).await?);
        }
    }
    audit::append(&mut tx, &entries, now);
    tx.commit().await
}

/// For administrators, and whoever connected the account.
async fn entry(
    tx: &mut Tx,
    event: Occasion,
    id: &AccountId,
    mut detail: Value,
) -> Result<NewEntry, Error> {
    let known = accounts::find(tx, id).await?;
    let by = known.and_then(|account| account.health.connected_by);
    let owners: Vec<&str> = by.iter().map(PersonId::as_str).collect();
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("owners".to_owned(), json!(owners));
        detail.insert("administrators".to_owned(), json!(true));
    }
    Ok(account_entry(event, id, detail))
}
