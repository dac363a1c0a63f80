//! The acts on rules about when accounts may not speak: make, change, remove, look; and what they have against
//! deliveries, before and after these are scheduled.

mod conflicts;
mod judge;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use conflicts::{Conflict, conflicts};
pub use judge::{Blocked, Overridden, Override};
pub(super) use judge::{
    Moving, check_override, judge, judge_move, move_faults, overriding_entries, refusal,
};

use super::{
    Caller, Done, Error, Page, Services, Told, Window, all_well, campaigns, finish, permit, posts,
};
use crate::domain::class::Class;
use crate::domain::id::{AccountId, RuleId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::rule::{Effect, Rule, RuleKind};
use crate::domain::unit::UnitName;
use crate::store::{Reader, accounts, rules, units};

/// The most rules of one unit.
const MOST_RULES: i64 = 100;

/// A rule to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewRule {
    /// Whose it is: it covers the accounts of this unit and of all below it.
    pub unit_id: UnitId,
    /// What it is called.
    pub name: UnitName,
    /// What it is about.
    pub kind: RuleKind,
    /// What it does to what it catches.
    pub effect: Effect,
    /// Only on these platforms.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// Only these accounts.
    #[serde(default)]
    pub account_ids: Vec<AccountId>,
    /// Only these classes.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// Not these classes.
    #[serde(default)]
    pub except_classes: Vec<Class>,
}

/// What to change in a rule; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct RuleChange {
    /// What it is called.
    pub name: Option<UnitName>,
    /// What it is about.
    pub kind: Option<RuleKind>,
    /// What it does to what it catches.
    pub effect: Option<Effect>,
    /// Only on these platforms.
    pub platforms: Option<Vec<String>>,
    /// Only these accounts.
    pub account_ids: Option<Vec<AccountId>>,
    /// Only these classes.
    pub classes: Option<Vec<Class>>,
    /// Not these classes.
    pub except_classes: Option<Vec<Class>>,
}

/// A rule that stands from now on. It stops nothing that is scheduled already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleMade {
    /// The rule.
    pub rule: Rule,
    /// How many deliveries that are still to go out it catches; `GET /rules/{id}/conflicts` lists them.
    pub conflicts: usize,
    /// False when there are so many deliveries that not all were looked at.
    pub all_looked_at: bool,
}

/// Makes a rule.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewRule,
) -> Result<Done<RuleMade>, Error> {
    permit(caller, Action::WriteRules, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    // Looking at what is scheduled takes long: nobody waits for it who wants to write.
    let mut reader = services.store.read().await?;
    let unit = units::find(&mut reader, &new.unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    let open = posts::open_unit(unit.as_ref(), &new.unit_id, now);
    let unit = open.map_err(|fault| Error::Invalid(vec![fault]))?;
    permit(caller, Action::WriteRules, Subject::Unit(&unit.id))?;
    let rule = Rule {
        id: RuleId::new(now, services.random()),
        unit_id: new.unit_id,
        name: new.name,
        kind: new.kind,
        effect: new.effect,
        platforms: new.platforms,
        account_ids: new.account_ids,
        classes: new.classes,
        except_classes: new.except_classes,
        version: 1,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
        updated_at: now,
    }
    .settled();
    check(services, caller, &mut reader, &rule, None).await?;
    let (conflicts, all_looked_at) = conflicts::count(&mut reader, &rule, now).await?;
    drop(reader);
    let mut tx = services.store.begin().await?;
    if rules::count(&mut tx, &rule.unit_id).await? >= MOST_RULES {
        let detail = format!("the unit has {MOST_RULES} rules; remove one that is over first");
        let told = Told::new("too_many_rules", detail).with("max", MOST_RULES);
        return Err(Error::Conflict(told));
    }
    rules::insert(&mut tx, &rule).await?;
    let entry =
        caller.entry("rule.create", &rule.id, json!({"rule": rule, "conflicts": conflicts}));
    finish(services, caller, tx, RuleMade { rule, conflicts, all_looked_at }, &[entry]).await
}

/// Changes a rule from the version that the caller has seen; `None` for whatever it is now.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &RuleId,
    seen: Option<i64>,
    change: RuleChange,
) -> Result<Done<RuleMade>, Error> {
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let before = see(&mut reader, caller, Action::WriteRules, id).await?;
    let from = before.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    let is = before.clone();
    let rule = Rule {
        name: change.name.unwrap_or(is.name),
        kind: change.kind.unwrap_or(is.kind),
        effect: change.effect.unwrap_or(is.effect),
        platforms: change.platforms.unwrap_or(is.platforms),
        account_ids: change.account_ids.unwrap_or(is.account_ids),
        classes: change.classes.unwrap_or(is.classes),
        except_classes: change.except_classes.unwrap_or(is.except_classes),
        version: from + 1,
        updated_at: now,
        ..is
    }
    .settled();
    check(services, caller, &mut reader, &rule, Some(&before)).await?;
    let (conflicts, all_looked_at) = conflicts::count(&mut reader, &rule, now).await?;
    drop(reader);
    let mut tx = services.store.begin().await?;
    rules::update(&mut tx, &rule, from).await?;
    let detail = json!({"before": before, "after": rule, "conflicts": conflicts});
    let entry = caller.entry("rule.change", id, detail);
    finish(services, caller, tx, RuleMade { rule, conflicts, all_looked_at }, &[entry]).await
}

/// Everything that is wrong with a rule. What `before` named may have gone since.
async fn check(
    services: &Services,
    caller: &Caller,
    reader: &mut Reader,
    rule: &Rule,
    before: Option<&Rule>,
) -> Result<(), Error> {
    let mut faults = rule.check();
    let had = |platform: &String| before.is_some_and(|it| it.platforms.contains(platform));
    for (place, platform) in rule.platforms.iter().enumerate().filter(|(_, it)| !had(it)) {
        if services.platforms.get(platform).is_none() {
            faults.push(campaigns::unknown(format!("/platforms/{place}"), platform));
        }
    }
    // Only then a query: too many of them are told above.
    all_well(faults)?;
    let had = |id: &AccountId| before.is_some_and(|it| it.account_ids.contains(id));
    let new: Vec<AccountId> =
        rule.account_ids.iter().filter(|id| !had(id) && caller.actor.sees(id)).cloned().collect();
    let found = accounts::find_many(reader, &new).await?;
    let within = units::below(reader, &rule.unit_id).await?;
    let is_covered = |id: &AccountId| {
        found.iter().any(|account| account.id == *id && within.contains(&account.unit_id))
    };
    let mut faults = Vec::new();
    for (place, id) in rule.account_ids.iter().enumerate() {
        if !had(id) && !is_covered(id) {
            faults.push(campaigns::unknown(format!("/account_ids/{place}"), id));
        }
    }
    all_well(faults)
}

/// Ends a rule, at the version that the caller has seen.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    id: &RuleId,
    seen: Option<i64>,
) -> Result<(), Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let rule = see(&mut tx, caller, Action::WriteRules, id).await?;
    if seen.is_some_and(|seen| seen != rule.version) {
        return Err(Error::Stale);
    }
    rules::remove(&mut tx, id, rule.version, now).await?;
    let entry = caller.entry("rule.remove", id, json!({"rule": rule}));
    finish(services, caller, tx, json!({}), &[entry]).await?;
    Ok(())
}

/// One rule.
pub async fn show(services: &Services, caller: &Caller, id: &RuleId) -> Result<Rule, Error> {
    let mut reader = services.store.read().await?;
    see(&mut reader, caller, Action::ReadRules, id).await
}

/// A page of rules, newest first: those of the caller's units and of the units above, which bind these.
pub async fn list(
    services: &Services,
    caller: &Caller,
    unit_id: Option<UnitId>,
    window: &Window,
) -> Result<Page<Rule>, Error> {
    permit(caller, Action::ReadRules, Subject::Any)?;
    let within = caller.actor.units_for(Action::ReadRules).map(|mut own| {
        own.extend(caller.actor.reach.above().iter().cloned());
        own
    });
    let filter = rules::Filter { unit_id, within, before: window.after_id()? };
    let mut reader = services.store.read().await?;
    let rows = rules::list(&mut reader, &filter, window.rows()).await?;
    Ok(window.page(rows, |rule| vec![rule.id.to_string()]))
}

/// The rule, when the caller may do this with rules of its unit. Who is bound by it may read it.
async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &RuleId,
) -> Result<Rule, Error> {
    permit(caller, action, Subject::Any)?;
    let rule = rules::find(reader, id).await?.ok_or(Error::NotFound)?;
    let binds_his = caller.actor.reach.is_above(&rule.unit_id);
    if !(binds_his && action == Action::ReadRules) {
        permit(caller, action, Subject::Unit(&rule.unit_id))?;
    }
    Ok(rule)
}
