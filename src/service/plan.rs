//! From what somebody wants scheduled to deliveries that can be written: account, language, instant,
//! latest useful time, and everything that is wrong or worth a warning. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::languages::{self, FallBack, Skipped};
use super::rules::{Blocked, Overridden, Override};
use super::warning::Warning;
use super::{Caller, Error, Services, parts};
use crate::domain::account::{Account, AccountStatus};
use crate::domain::class::Class;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, DeliveryId, PostId, UnitId};
use crate::domain::parts::Part;
use crate::domain::schedule::{self, Civil, Grace, LocalTime, Resolved, Wall, When};
use crate::domain::variant::{Content, Variant, text_hash};
use crate::platforms::check::Finding;
use crate::platforms::check_parts;
use crate::store::deliveries::NewDelivery;
use crate::store::neighbours::{self, Look, Planned};
use crate::store::{Reader, accounts, units};

/// The most deliveries in one request.
pub const MOST_DELIVERIES: usize = 500;

/// The most parts that the deliveries of one request have together.
const MOST_PARTS: usize = 2_000;

/// A delivery that somebody wants. Exactly one of `at`, `local` and `now` says when.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct WantedDelivery {
    /// Where it goes.
    pub account_id: AccountId,
    /// In which language; the first of the account's languages that the post has when not said.
    #[serde(default)]
    pub language: Option<String>,
    /// What to do when the post has no variant for it that may go out; without it that is refused.
    #[serde(default)]
    pub fall_back: Option<FallBack>,
    /// An instant, RFC 3339 with offset.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<String>,
    /// A time on a wall.
    #[serde(default)]
    pub local: Option<WantedLocal>,
    /// As soon as possible.
    #[serde(default)]
    pub now: bool,
    /// Not to go out at or after this instant; the class decides when not said.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub publish_by: Option<String>,
    /// `intended_repeat: true` lets the same text go to the same account again within 24 hours;
    /// everything else is the platform's.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Map<String, Value>>,
}

/// A time on a wall.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct WantedLocal {
    /// `2026-09-02`.
    pub date: String,
    /// `09:00` or `09:00:30`.
    pub time: String,
    /// `account` for the zone of the account, or an IANA name.
    pub zone: String,
}

/// What is scheduled: a post, saved or not.
pub(super) struct Source<'a> {
    /// The post's id, when it is saved.
    pub(super) post_id: Option<&'a PostId>,
    /// Its unit.
    pub(super) unit_id: &'a UnitId,
    /// Its class.
    pub(super) class: Class,
    /// The language that the others are made from.
    pub(super) language: &'a str,
    /// Its variants.
    pub(super) variants: &'a [Variant],
    /// Why what rules block is to be let through, when somebody wants that.
    pub(super) overriding: Option<&'a Override>,
}

/// A delivery whose every part is settled.
pub(super) struct Ready {
    /// Its place in the request.
    pub(super) place: usize,
    /// Its account.
    pub(super) account: Account,
    /// As it will be written; the post's id is the source's or, for a dry run, one of nobody.
    pub(super) row: NewDelivery,
}

impl Ready {
    /// What it says: its part of the whole.
    pub(super) fn said(&self) -> Content {
        self.row.content.part(self.row.part.number).unwrap_or_default()
    }
}

/// What came of planning.
#[derive(Default)]
pub(super) struct Plan {
    /// What can be written.
    pub(super) ready: Vec<Ready>,
    /// What cannot, and why.
    pub(super) faults: Vec<Fault>,
    /// What is worth knowing.
    pub(super) warnings: Vec<Warning>,
    /// What is left out as was asked for.
    pub(super) skipped: Vec<Skipped>,
    /// What rules do not let be scheduled, though nothing else is wrong with it.
    pub(super) blocked: Vec<Blocked>,
    /// What is let through although rules block it.
    pub(super) overridden: Vec<Overridden>,
}

impl Plan {
    /// Everything that stands in the way, what rules block too.
    pub(super) fn obstacles(&self) -> Vec<Fault> {
        self.faults.iter().cloned().chain(self.blocked.iter().map(Blocked::fault)).collect()
    }
}

/// Plans the wanted deliveries.
pub(super) async fn plan(
    services: &Services,
    caller: &Caller,
    reader: &mut Reader,
    source: &Source<'_>,
    wanted: Vec<WantedDelivery>,
    look: Look,
) -> Result<Plan, Error> {
    if wanted.is_empty() || wanted.len() > MOST_DELIVERIES {
        let detail = format!("one to {MOST_DELIVERIES} deliveries");
        let fault = Fault::new("/deliveries", "count_out_of_range", detail);
        return Err(Error::Invalid(vec![fault.with("max", MOST_DELIVERIES)]));
    }
    let accounts = known(caller, reader, source.unit_id, &wanted).await?;
    let now = services.clock.now();
    let mut plan = Plan::default();
    for (place, one) in wanted.into_iter().enumerate() {
        let pointer = format!("/deliveries/{place}");
        let Some(account) = accounts.get(&one.account_id) else {
            let detail = format!("there is no account {}", one.account_id);
            let fault = Fault::new(format!("{pointer}/account_id"), "unknown_reference", detail);
            plan.faults.push(fault.with("value", one.account_id));
            continue;
        };
        let row = settle(services, caller, source, account, one, (place, &pointer, now), &mut plan);
        let rows = row.into_iter().flat_map(|row| parts::split(row, || services.random()));
        plan.ready.extend(rows.map(|row| Ready { place, account: account.clone(), row }));
    }
    if plan.ready.len() > MOST_PARTS {
        let detail = format!("together they have more than {MOST_PARTS} parts");
        let fault = Fault::new("/deliveries", "count_out_of_range", detail);
        return Err(Error::Invalid(vec![fault.with("max", MOST_PARTS)]));
    }
    super::terms::judge(reader, &mut plan).await?;
    super::embargoes::judge(reader, source.post_id, &mut plan).await?;
    super::kits::check_plan(reader, source.post_id, source.variants, &mut plan).await?;
    super::rules::judge(caller, reader, source.overriding, &mut plan).await?;
    repeated_within(&mut plan);
    after_the_version(services, &mut plan);
    near(services, reader, source, &mut plan, look).await?;
    super::capacity::warn(services, reader, &mut plan).await?;
    Ok(plan)
}

/// Those of the wanted accounts that the caller may use for a post of this unit: any for an
/// administrator, for everybody else those of the unit and of the units below it.
async fn known(
    caller: &Caller,
    reader: &mut Reader,
    unit: &UnitId,
    wanted: &[WantedDelivery],
) -> Result<BTreeMap<AccountId, Account>, Error> {
    let ids: BTreeSet<AccountId> = wanted.iter().map(|one| one.account_id.clone()).collect();
    let ids: Vec<AccountId> = ids.into_iter().filter(|id| caller.actor.sees(id)).collect();
    let mut found = accounts::find_many(reader, &ids).await?;
    if !caller.actor.administrator {
        let within = units::below(reader, unit).await?;
        found.retain(|account| within.contains(&account.unit_id));
    }
    Ok(found.into_iter().map(|account| (account.id.clone(), account)).collect())
}

/// One delivery with every part settled; faults and warnings go into the plan.
fn settle(
    services: &Services,
    caller: &Caller,
    source: &Source<'_>,
    account: &Account,
    wanted: WantedDelivery,
    (place, pointer, now): (usize, &str, Timestamp),
    plan: &mut Plan,
) -> Option<NewDelivery> {
    let before = plan.faults.len();
    if account.status != AccountStatus::Connected {
        let detail = format!("the account is {}; connect it first", account.status);
        let fault = Fault::new(format!("{pointer}/account_id"), "account_not_connected", detail);
        plan.faults.push(fault.with("status", account.status));
    }
    let variant = languages::choose(source, account, &wanted, (place, pointer), plan);
    let times = times(services, source.class, account, &wanted, (pointer, now), plan);
    let (settings, intended_repeat) = settings(services, account, wanted.settings, pointer, plan);
    if let Some(variant) = variant {
        let platform = services.platforms.get(&account.platform);
        if let Some(platform) = platform {
            let found = check_parts::check(&variant.content, &platform.rules().of(&account.health));
            fits(variant, found, pointer, plan);
            let found = platform.check_together(&variant.content, &settings);
            fits(variant, found, pointer, plan);
        } else {
            let detail = "this build does not know the platform of the account";
            let fault = Fault::new(format!("{pointer}/account_id"), "unknown_platform", detail);
            plan.faults.push(fault.with("value", &account.platform));
        }
    }
    let (variant, (resolved, publish_by)) = variant.zip(times)?;
    if plan.faults.len() > before {
        return None;
    }
    Some(NewDelivery {
        id: DeliveryId::new(now, services.random()),
        post_id: source.post_id.cloned().unwrap_or_else(|| PostId::new(now, services.random())),
        account_id: account.id.clone(),
        unit_id: source.unit_id.clone(),
        platform: account.platform.clone(),
        language: variant.language.clone(),
        class: source.class,
        due_at: resolved.due_at,
        publish_by,
        civil: resolved.civil,
        settings,
        content: variant.content.clone(),
        content_hash: variant.content_hash.clone(),
        text_hash: text_hash(&variant.content),
        intended_repeat,
        part: Part::default(),
        asks_approval: false,
        created_by: caller.actor.person_id.to_string(),
        created_at: now,
    })
}

/// When somebody wants it, as far as it can be read.
pub(super) fn when(
    at: Option<&str>,
    local: Option<&WantedLocal>,
    now: bool,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Option<When> {
    let said = usize::from(at.is_some()) + usize::from(local.is_some()) + usize::from(now);
    if said != 1 {
        let detail = "say exactly one of at, local and now: true";
        faults.push(Fault::new(pointer, "when_not_clear", detail));
        return None;
    }
    if let Some(at) = at {
        return instant(at, &format!("{pointer}/at"), faults).map(When::At);
    }
    let Some(local) = local else { return Some(When::Now) };
    let (date, time) = (schedule::date(&local.date), schedule::time(&local.time));
    if date.is_none() {
        let detail = "must be a day that exists, such as 2026-09-02";
        faults.push(Fault::new(format!("{pointer}/local/date"), "bad_date", detail));
    }
    if time.is_none() {
        let detail = "must be a time from 00:00 to 23:59, such as 09:00 or 09:00:30";
        faults.push(Fault::new(format!("{pointer}/local/time"), "bad_time", detail));
    }
    let zone = match local.zone.as_str() {
        "account" => Wall::Account,
        name => Wall::Zone(name.to_owned()),
    };
    Some(When::Local(LocalTime { date: date?, time: time?, zone }))
}

/// Reads an instant with an offset.
pub(super) fn instant(text: &str, pointer: &str, faults: &mut Vec<Fault>) -> Option<Timestamp> {
    let parsed = text.parse::<Timestamp>().ok();
    if parsed.is_none() {
        let detail = "must be an instant with an offset, such as 2026-09-02T09:00:00+07:00";
        faults.push(Fault::new(pointer, "bad_instant", detail));
    }
    parsed
}

/// What is wrong with a time, as a fault that names what could be meant instead.
pub(super) fn time_fault(refused: &schedule::Refused, pointer: &str) -> Fault {
    let mut fault = Fault::new(pointer, refused.code(), refused.to_string());
    for (name, offer) in ["first", "second"].into_iter().zip(refused.offers()) {
        fault = fault.with(name, &offer.local);
    }
    if let schedule::Refused::UnknownZone(zone) = refused {
        fault = fault.with("value", zone);
    }
    fault
}

/// The configured grace of a class.
pub(super) fn grace(services: &Services, class: Class) -> std::time::Duration {
    let grace = &services.config.publish.grace;
    Grace {
        statement: grace.statement,
        urgent: grace.urgent,
        routine: grace.routine,
        evergreen: grace.evergreen,
    }
    .of(class)
}

fn times(
    services: &Services,
    class: Class,
    account: &Account,
    wanted: &WantedDelivery,
    (pointer, now): (&str, Timestamp),
    plan: &mut Plan,
) -> Option<(Resolved, Timestamp)> {
    let faults = &mut plan.faults;
    let when = when(wanted.at.as_deref(), wanted.local.as_ref(), wanted.now, pointer, faults);
    let asked = wanted.publish_by.as_deref().map(|text| {
        let pointer = format!("{pointer}/publish_by");
        instant(text, &pointer, faults)
    });
    let when = when?;
    let place = match when {
        When::Now => pointer.to_owned(),
        When::At(_) => format!("{pointer}/at"),
        When::Local(_) => format!("{pointer}/local"),
    };
    let resolved = schedule::resolve(&when, &account.time_zone, now)
        .map_err(|refused| faults.push(time_fault(&refused, &place)))
        .ok()?;
    let asked = match asked {
        Some(None) => return None,
        Some(Some(asked)) => Some(asked),
        None => None,
    };
    let publish_by = schedule::publish_by(resolved.due_at, asked, grace(services, class))
        .map_err(|refused| faults.push(time_fault(&refused, &format!("{pointer}/publish_by"))))
        .ok()?;
    Some((resolved, publish_by))
}

fn settings(
    services: &Services,
    account: &Account,
    given: Option<Map<String, Value>>,
    pointer: &str,
    plan: &mut Plan,
) -> (Value, bool) {
    let mut settings = given.unwrap_or_default();
    let pointer = format!("{pointer}/settings");
    let intended_repeat = match settings.remove("intended_repeat") {
        None => false,
        Some(Value::Bool(intended)) => intended,
        Some(_other) => {
            let detail = "must be true or false";
            plan.faults.push(Fault::new(
                format!("{pointer}/intended_repeat"),
                "wrong_type",
                detail,
            ));
            false
        }
    };
    let settings = Value::Object(settings);
    if let Some(platform) = services.platforms.get(&account.platform) {
        for (place, why) in platform.check_settings(&settings) {
            plan.faults.push(Fault::new(format!("{pointer}{place}"), "bad_setting", why));
        }
    }
    (settings, intended_repeat)
}

/// Notes what the platform it goes to finds about a variant.
fn fits(variant: &Variant, found: Vec<Finding>, pointer: &str, plan: &mut Plan) {
    for finding in found {
        let detail = format!("{} {}: {}", variant.language, finding.pointer, finding.detail);
        if finding.fatal {
            let mut fault = Fault::new(pointer, finding.code, detail)
                .with("language", &variant.language)
                .with("place", finding.pointer);
            fault.args.extend(finding.args);
            plan.faults.push(fault);
        } else {
            let warning = Warning::new(pointer, finding.code, detail)
                .with("language", &variant.language)
                .with("place", finding.pointer);
            let values = finding.args.into_iter();
            plan.warnings.push(values.fold(warning, |it, (name, value)| it.with(name, value)));
        }
    }
}

/// Warns of deliveries that are due when the version of the platform's interface works no more.
fn after_the_version(services: &Services, plan: &mut Plan) {
    for one in &plan.ready {
        let Some(platform) = services.platforms.get(&one.row.platform) else { continue };
        let version = &platform.rules().version;
        if version.days_left(one.row.due_at).is_some_and(|days| days < 0) {
            let until = version.usable_until.clone().unwrap_or_default();
            let detail = format!(
                "{} {} works until {until}; an administrator must set a later version before then",
                platform.name(),
                version.current
            );
            let warning =
                Warning::new(format!("/deliveries/{}", one.place), "version_ends", detail);
            let warning = warning.with("platform", platform.name());
            let warning = warning.with("version", &version.current).with("until", until);
            plan.warnings.push(warning);
        }
    }
}

/// Warns when the request itself sends one text to one account twice.
fn repeated_within(plan: &mut Plan) {
    let mut seen: BTreeMap<(&AccountId, &str), usize> = BTreeMap::new();
    for one in plan.ready.iter().filter(|one| !one.row.intended_repeat) {
        let key = (&one.row.account_id, one.row.text_hash.as_str());
        if let Some(first) = seen.insert(key, one.place) {
            let detail =
                format!("says the same to the same account as delivery {first} of this request");
            let pointer = format!("/deliveries/{}", one.place);
            plan.warnings
                .push(Warning::new(pointer, "same_text_recently", detail).with("first", first));
        }
    }
}

async fn near(
    services: &Services,
    reader: &mut Reader,
    source: &Source<'_>,
    plan: &mut Plan,
    look: Look,
) -> Result<(), Error> {
    // What follows a post stands where that stands.
    let first: Vec<&Ready> = plan.ready.iter().filter(|one| one.row.part.number == 1).collect();
    let planned: Vec<Planned<'_>> = first
        .iter()
        .map(|one| Planned {
            account_id: &one.row.account_id,
            due_at: one.row.due_at,
            text_hash: &one.row.text_hash,
        })
        .collect();
    if planned.is_empty() {
        return Ok(());
    }
    let found = neighbours::near(reader, &planned, look).await?;
    for near in found {
        let Some(one) = first.get(near.place) else { continue };
        if near.same_text && one.row.intended_repeat {
            continue;
        }
        let (pointer, due) = (format!("/deliveries/{}", one.place), near.due_at);
        let warning = if near.same_text {
            let detail = format!(
                "the same text goes to this account within 24 hours; it will be refused when it is \
                 due unless settings.intended_repeat is true ({due})"
            );
            Warning::new(pointer, "same_text_recently", detail)
        } else {
            let detail = format!("another delivery goes to this account within a minute ({due})");
            Warning::new(pointer, "same_minute", detail)
        };
        plan.warnings.push(warning.with("due", due).about(near.id));
    }
    many_accounts(services, reader, source, plan).await
}

/// Warns when one text goes to several accounts of a platform that does not want that.
async fn many_accounts(
    services: &Services,
    reader: &mut Reader,
    source: &Source<'_>,
    plan: &mut Plan,
) -> Result<(), Error> {
    let unwanted = |platform: &str| {
        services.platforms.get(platform).is_some_and(|platform| {
            platform.rules().same_text_on_many_accounts
                == crate::platforms::rules::SameText::Discouraged
        })
    };
    if !plan.ready.iter().any(|one| unwanted(&one.row.platform)) {
        return Ok(());
    }
    let mut places: BTreeMap<(String, String), BTreeSet<AccountId>> = BTreeMap::new();
    if let Some(post) = source.post_id {
        for (platform, text, account) in neighbours::elsewhere(reader, post).await? {
            places.entry((platform, text)).or_default().insert(account);
        }
    }
    for one in plan.ready.iter().filter(|one| one.row.part.number == 1) {
        let key = (one.row.platform.clone(), one.row.text_hash.clone());
        places.entry(key).or_default().insert(one.row.account_id.clone());
    }
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    let first = plan.ready.iter().filter(|one| one.row.part.number == 1);
    for one in first.filter(|one| unwanted(&one.row.platform)) {
        let key = (one.row.platform.clone(), one.row.text_hash.clone());
        let count = places.get(&key).map_or(0, BTreeSet::len);
        if count > 1 && told.insert(key) {
            let (pointer, platform) = (format!("/deliveries/{}", one.place), &one.row.platform);
            let detail = format!(
                "the same text goes to {count} accounts of {platform}, which its rules do not want; \
                 write variants, or repost from one account"
            );
            let warning = Warning::new(pointer, "same_text_many_accounts", detail);
            plan.warnings.push(warning.with("count", count).with("platform", platform));
        }
    }
    Ok(())
}

/// The zone in which a delivery's time is shown: the one that was asked for, else the account's.
pub(super) fn shown_zone<'a>(civil: Option<&'a Civil>, account_zone: &'a str) -> &'a str {
    civil.map_or(account_zone, |civil| civil.zone.as_str())
}
