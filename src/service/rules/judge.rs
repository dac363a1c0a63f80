//! Holds what is planned, or given another time, against the rules of its accounts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::domain::audit::NewEntry;
use crate::domain::class::Class;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, DeliveryId, RuleId, UnitId};
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::rule::{Caught, Effect, Going, Neighbour, Rule, RuleKind};
use crate::domain::schedule;
use crate::domain::unit::UnitName;
use crate::service::plan::Plan;
use crate::service::warning::Warning;
use crate::service::{Caller, Error, Told, permit};
use crate::store::rules::{self, Covering, Middle};
use crate::store::{Reader, accounts, deliveries::Delivery};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;
/// So many are asked about their neighbours at once.
const AT_ONCE: usize = 100;

/// An administrator of a rule's unit lets through what the rule blocks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Why; it stands in the audit.
    pub reason: String,
}

/// A delivery that a rule does not let be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// Where: a JSON pointer into what was handed in.
    pub pointer: String,
    /// The rule.
    pub rule_id: RuleId,
    /// Its name.
    pub rule: UnitName,
    /// What it is about.
    pub kind: &'static str,
    /// Whose it is: an administrator there may override it.
    pub unit_id: UnitId,
    /// Where it would go.
    pub account_id: AccountId,
    /// Its instant.
    pub due_at: Timestamp,
    /// The same on the wall in `zone`.
    pub due_local: String,
    /// The account's zone.
    pub zone: String,
    /// The first instant after it against which this rule has nothing.
    pub free_at: Option<Timestamp>,
    /// The deliveries that it would be too near to.
    pub near: Vec<DeliveryId>,
    #[serde(skip)]
    place: usize,
    #[serde(skip)]
    words: Words,
}

/// What was let through although a rule blocks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overridden {
    rule_id: RuleId,
    delivery_id: DeliveryId,
}

/// The English words of a conflict, and the values that words in any language need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Words {
    detail: String,
    rule_vi: String,
    local: String,
    zone: String,
    instead: String,
}

impl Blocked {
    /// Which of the wanted deliveries it is.
    pub(in crate::service) fn place(&self) -> usize {
        self.place
    }

    /// As something worth knowing, where it forbids nothing now.
    pub(in crate::service) fn warning(&self) -> Warning {
        let words = &self.words;
        let told = Warning::new(self.pointer.clone(), "blocked_by_rule", words.detail.clone())
            .with("rule_vi", &words.rule_vi)
            .with("local", &words.local)
            .with("zone", &words.zone)
            .with("instead", &words.instead)
            .with("count", 1);
        about(told, &self.rule_id, &self.near)
    }

    /// As something that is wrong with one delivery.
    pub(in crate::service) fn fault(&self) -> Fault {
        let words = &self.words;
        Fault::new(self.pointer.clone(), "blocked_by_rule", blocked(&words.detail))
            .with("rule_vi", &words.rule_vi)
            .with("local", &words.local)
            .with("zone", &words.zone)
            .with("instead", &words.instead)
            .with("count", 1)
    }
}

fn blocked(why: &str) -> String {
    format!("{why}. An administrator of the rule's unit may override it with a reason (override)")
}

/// The answer when nothing else is wrong.
pub(in crate::service) fn refusal(all: &[Blocked]) -> Option<Error> {
    let first = all.first()?;
    let places: BTreeSet<usize> = all.iter().map(|one| one.place).collect();
    let detail = match places.len() {
        1 => blocked(&first.words.detail),
        count => {
            format!("rules block {count} deliveries; the first: {}", blocked(&first.words.detail))
        }
    };
    let words = &first.words;
    let told = Told::new("blocked_by_rule", detail)
        .with("rule_vi", &words.rule_vi)
        .with("local", &words.local)
        .with("zone", &words.zone)
        .with("instead", &words.instead)
        .with("count", places.len());
    let conflicts = serde_json::to_value(all).map_err(Error::internal);
    Some(conflicts.map_or_else(|error| error, |all| Error::Conflict(told.member("conflicts", all))))
}

/// Whether a reason can stand in the audit.
pub(in crate::service) fn check_override(wanted: Option<&Override>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(wanted) = wanted {
        locale::check_line("/override/reason", &wanted.reason, LONGEST_REASON, &mut faults);
    }
    faults
}

/// What the audit is told of what was let through: one entry for each rule.
pub(in crate::service) fn overriding_entries(
    caller: &Caller,
    wanted: Option<&Override>,
    overridden: &[Overridden],
) -> Vec<NewEntry> {
    let mut by_rule: BTreeMap<&RuleId, Vec<&DeliveryId>> = BTreeMap::new();
    for one in overridden {
        by_rule.entry(&one.rule_id).or_default().push(&one.delivery_id);
    }
    let reason = wanted.map(|it| it.reason.as_str());
    let entry = |(rule, deliveries): (&RuleId, Vec<&DeliveryId>)| {
        caller.entry("rule.override", rule, json!({"reason": reason, "deliveries": deliveries}))
    };
    by_rule.into_iter().map(entry).collect()
}

/// A delivery that rules are asked about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) id: &'a DeliveryId,
    pub(super) account_id: &'a AccountId,
    pub(super) platform: &'a str,
    pub(super) class: Class,
    pub(super) due_at: Timestamp,
    pub(super) zone: &'a str,
    pub(super) country: Option<&'a str>,
}

/// What goes out near each of these on the same account, as far as these rules ask for it; by place.
pub(super) async fn near(
    reader: &mut Reader,
    rules: &[&Rule],
    asked: &[Asked<'_>],
) -> Result<BTreeMap<usize, Vec<Neighbour>>, Error> {
    let mut all: BTreeMap<usize, Vec<Neighbour>> = BTreeMap::new();
    let mut done: BTreeSet<&RuleId> = BTreeSet::new();
    for rule in rules {
        let RuleKind::Spacing { minutes } = rule.kind else { continue };
        if !done.insert(&rule.id) {
            continue;
        }
        let classes: Vec<Class> =
            Class::ALL.iter().copied().filter(|class| rule.has_class(*class)).collect();
        let mut places: Vec<(usize, Middle<'_>)> = Vec::new();
        for (place, one) in asked.iter().enumerate() {
            if rule.has_class(one.class) && rule.covers(one.account_id, one.platform) {
                let Asked { id, account_id, due_at, .. } = *one;
                places.push((place, Middle { id, account_id, due_at }));
            }
        }
        for some in places.chunks(AT_ONCE) {
            let middles: Vec<Middle<'_>> = some.iter().map(|(_, middle)| *middle).collect();
            for (place, found) in rules::near(reader, &middles, minutes, &classes).await? {
                let Some((place, _)) = some.get(place) else { continue };
                let known = all.entry(*place).or_default();
                for one in found {
                    if !known.contains(&one) {
                        known.push(one);
                    }
                }
            }
        }
    }
    Ok(all)
}

/// What a rule has against one of them.
pub(super) fn ask(rule: &Rule, asked: &Asked<'_>, neighbours: &[Neighbour]) -> Option<Caught> {
    rule.catches(&Going {
        account_id: asked.account_id,
        platform: asked.platform,
        class: asked.class,
        due_at: asked.due_at,
        zone: &TimeZone::get(asked.zone).unwrap_or(TimeZone::UTC),
        country: asked.country,
        neighbours,
    })
}

/// What rules have against some deliveries: which one, which rule, and what.
struct Found<'a> {
    place: usize,
    rule: &'a Rule,
    caught: Caught,
    /// It is a block that the caller overrides.
    overridden: bool,
}

/// Rules for a unit, and where that works.
type Known<'a> = BTreeMap<&'a UnitId, (Option<&'a str>, Vec<&'a Rule>)>;

fn known(covering: &[Covering]) -> Known<'_> {
    let mut known: Known<'_> = BTreeMap::new();
    for one in covering {
        let (country, rules) = known.entry(&one.unit_id).or_default();
        *country = one.country.as_deref();
        rules.push(&one.rule);
    }
    known
}

/// Asks all rules about all of them, the earliest first. What a rule blocks is not there for those behind it.
async fn found<'a>(
    caller: &Caller,
    reader: &mut Reader,
    known: &Known<'a>,
    asked: &[(&UnitId, Asked<'_>)],
    overriding: bool,
) -> Result<Vec<Found<'a>>, Error> {
    let bare: Vec<Asked<'_>> = asked.iter().map(|(_, one)| *one).collect();
    let all: Vec<&Rule> = known.values().flat_map(|(_, rules)| rules.iter().copied()).collect();
    let near = near(reader, &all, &bare).await?;
    let mut places: Vec<usize> = (0..asked.len()).collect();
    places.sort_by_key(|place| asked.get(*place).map(|(_, one)| one.due_at));
    let mut accepted: BTreeMap<&AccountId, Vec<Neighbour>> = BTreeMap::new();
    let mut all = Vec::new();
    for place in places {
        let Some((unit, one)) = asked.get(place) else { continue };
        let Some((_, rules)) = known.get(unit) else { continue };
        let mut neighbours = near.get(&place).cloned().unwrap_or_default();
        neighbours.extend(accepted.get(one.account_id).into_iter().flatten().cloned());
        let mut blocked = false;
        for rule in rules {
            let Some(caught) = ask(rule, one, &neighbours) else { continue };
            let unit = Subject::Unit(&rule.unit_id);
            let overridden = rule.effect == Effect::Block
                && overriding
                && permit(caller, Action::WriteRules, unit).is_ok();
            blocked |= rule.effect == Effect::Block && !overridden;
            all.push(Found { place, rule, caught, overridden });
        }
        if !blocked {
            let (id, class, due_at) = (one.id.clone(), one.class, one.due_at);
            accepted.entry(one.account_id).or_default().push(Neighbour { id, class, due_at });
        }
    }
    all.sort_by_key(|one| one.place);
    Ok(all)
}

/// What is in conflict and what to do, in English with the values for other languages.
fn words(rule: &Rule, asked: &Asked<'_>, caught: &Caught) -> Words {
    let local = |at: Timestamp| schedule::local_in(at, asked.zone);
    let (name, due, zone) = (&rule.name.en, local(asked.due_at), asked.zone);
    let free = caught.free_at.map(local);
    let instead = match (&free, &rule.kind) {
        (Some(free), _) => format!("≥ {free}"),
        (None, RuleKind::Spacing { minutes }) => format!("± {minutes} min"),
        (
            None,
            RuleKind::Mourning { .. }
            | RuleKind::ElectionSilence { .. }
            | RuleKind::QuietHours { .. }
            | RuleKind::Weekend { .. },
        ) => "…".to_owned(),
    };
    let what = match &rule.kind {
        RuleKind::Mourning { from, to } => format!("in the days of mourning {from} to {to}"),
        RuleKind::ElectionSilence { from, to, .. } => {
            format!("in the silence before an election, {from} to {to}")
        }
        RuleKind::QuietHours { from, to } => format!("in the quiet hours {from} to {to}"),
        RuleKind::Weekend { .. } => "in the weekend".to_owned(),
        RuleKind::Spacing { minutes } => format!("within {minutes} minutes of another delivery"),
    };
    let advice = match &free {
        Some(free) => format!("choose {free} or later"),
        None => "choose a time further from that".to_owned(),
    };
    let detail = format!("“{name}”: {due} ({zone}) lies {what}; {advice}");
    let rule_vi = rule.name.vi.clone();
    Words { detail, rule_vi, local: due, zone: zone.to_owned(), instead }
}

/// What a rule that warns has to say.
fn caution(rule: &Rule, pointer: String, words: &Words) -> Warning {
    let detail = words.detail.clone();
    let told = match &rule.kind {
        RuleKind::Mourning { .. } => Warning::new(pointer, "rule_mourning", detail),
        RuleKind::ElectionSilence { .. } => Warning::new(pointer, "rule_election_silence", detail),
        RuleKind::Spacing { .. } => Warning::new(pointer, "rule_spacing", detail),
        RuleKind::QuietHours { .. } => Warning::new(pointer, "rule_quiet_hours", detail),
        RuleKind::Weekend { .. } => Warning::new(pointer, "rule_weekend", detail),
    };
    told.with("rule_vi", &words.rule_vi)
        .with("local", &words.local)
        .with("zone", &words.zone)
        .with("instead", &words.instead)
}

/// With the rule, and the deliveries that it is about.
fn about(warning: Warning, rule: &RuleId, near: &[DeliveryId]) -> Warning {
    near.iter().cloned().fold(warning.with("rule_id", rule), Warning::about)
}

/// What rules have against something, sorted by what comes of it.
#[derive(Default)]
struct Verdict {
    warnings: Vec<Warning>,
    blocked: Vec<Blocked>,
    overridden: Vec<Overridden>,
}

impl Verdict {
    fn add(&mut self, (pointer, place): (String, usize), asked: &Asked<'_>, found: Found<'_>) {
        let Found { rule, caught, overridden, .. } = found;
        let words = words(rule, asked, &caught);
        if overridden {
            let (rule_id, delivery_id) = (rule.id.clone(), asked.id.clone());
            self.overridden.push(Overridden { rule_id, delivery_id });
        }
        match rule.effect {
            Effect::Warn => {
                let told = caution(rule, pointer, &words);
                self.warnings.push(about(told, &rule.id, &caught.near));
            }
            Effect::Block if overridden => {
                let detail = format!("a rule is overridden: {}", words.detail);
                let told = Warning::new(pointer, "rule_overridden", detail)
                    .with("rule_vi", &words.rule_vi)
                    .with("local", &words.local)
                    .with("zone", &words.zone);
                self.warnings.push(about(told, &rule.id, &caught.near));
            }
            Effect::Block => self.blocked.push(Blocked {
                pointer,
                rule_id: rule.id.clone(),
                rule: rule.name.clone(),
                kind: rule.kind.word(),
                unit_id: rule.unit_id.clone(),
                account_id: asked.account_id.clone(),
                due_at: asked.due_at,
                due_local: schedule::local_in(asked.due_at, asked.zone),
                zone: asked.zone.to_owned(),
                free_at: caught.free_at,
                near: caught.near,
                place,
                words,
            }),
        }
    }
}

/// Holds what is planned against the rules: what one warns of is a warning, what one blocks is not ready any more.
pub(in crate::service) async fn judge(
    caller: &Caller,
    reader: &mut Reader,
    overriding: Option<&Override>,
    plan: &mut Plan,
) -> Result<(), Error> {
    let units: BTreeSet<&UnitId> = plan.ready.iter().map(|one| &one.account.unit_id).collect();
    if units.is_empty() {
        return Ok(());
    }
    let covering = rules::covering(reader, &units).await?;
    if covering.is_empty() {
        return Ok(());
    }
    let known = known(&covering);
    // A thread is one thing that is said: its first part stands for all.
    let first: Vec<_> = plan.ready.iter().filter(|one| one.row.part.number == 1).collect();
    let asked: Vec<(&UnitId, Asked<'_>)> = first
        .iter()
        .map(|one| {
            let unit = &one.account.unit_id;
            let country = known.get(unit).and_then(|(country, _)| *country);
            let asked = Asked {
                id: &one.row.id,
                account_id: &one.account.id,
                platform: &one.row.platform,
                class: one.row.class,
                due_at: one.row.due_at,
                zone: &one.account.time_zone,
                country,
            };
            (unit, asked)
        })
        .collect();
    let mut verdict = Verdict::default();
    for one in found(caller, reader, &known, &asked, overriding.is_some()).await? {
        let Some(((_, asked), place)) =
            asked.get(one.place).zip(first.get(one.place).map(|it| it.place))
        else {
            continue;
        };
        verdict.add((format!("/deliveries/{place}"), place), asked, one);
    }
    let gone: BTreeSet<usize> = verdict.blocked.iter().map(Blocked::place).collect();
    plan.ready.retain(|one| !gone.contains(&one.place));
    plan.warnings.append(&mut verdict.warnings);
    plan.blocked.append(&mut verdict.blocked);
    plan.overridden.append(&mut verdict.overridden);
    Ok(())
}

/// What rules say of another time.
pub(in crate::service) struct Moving {
    /// What is worth knowing.
    pub(in crate::service) warnings: Vec<Warning>,
    /// What is let through although a rule blocks it.
    pub(in crate::service) overridden: Vec<Overridden>,
}

/// Holds another time of a delivery against the rules of its account; `pointer` is where it was said.
pub(in crate::service) async fn judge_move(
    caller: &Caller,
    reader: &mut Reader,
    (delivery, due_at): (&Delivery, Timestamp),
    overriding: Option<&Override>,
    pointer: &str,
) -> Result<Moving, Error> {
    let verdict = moved(caller, reader, (delivery, due_at), overriding, pointer).await?;
    match refusal(&verdict.blocked) {
        Some(error) => Err(error),
        None => Ok(Moving { warnings: verdict.warnings, overridden: verdict.overridden }),
    }
}

/// What rules block of another time of a delivery, where that is one of several.
pub(in crate::service) async fn move_faults(
    caller: &Caller,
    reader: &mut Reader,
    delivery: (&Delivery, Timestamp),
    pointer: &str,
) -> Result<Vec<Fault>, Error> {
    let verdict = moved(caller, reader, delivery, None, pointer).await?;
    Ok(verdict.blocked.iter().map(Blocked::fault).collect())
}

async fn moved(
    caller: &Caller,
    reader: &mut Reader,
    (delivery, due_at): (&Delivery, Timestamp),
    overriding: Option<&Override>,
    pointer: &str,
) -> Result<Verdict, Error> {
    let account = accounts::find(reader, &delivery.account_id).await?.ok_or(Error::NotFound)?;
    let covering = rules::covering(reader, &[&account.unit_id].into()).await?;
    let known = known(&covering);
    let country = known.get(&account.unit_id).and_then(|(country, _)| *country);
    let asked = Asked {
        // What goes under it is no neighbour of its own.
        id: delivery.part.root.as_ref().unwrap_or(&delivery.id),
        account_id: &account.id,
        platform: &account.platform,
        class: delivery.class,
        due_at,
        zone: &account.time_zone,
        country,
    };
    let all = [(&account.unit_id, asked)];
    let mut verdict = Verdict::default();
    for one in found(caller, reader, &known, &all, overriding.is_some()).await? {
        verdict.add((pointer.to_owned(), 0), &asked, one);
    }
    Ok(verdict)
}
