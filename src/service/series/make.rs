//! Makes the deliveries of series ahead of their instants, each once, by the way that people schedule; and says what it
//! could not make.
//!
//! Every node looks. Of several that look at the same series at once one writes: the row of the series says how far it is
//! settled, and is changed in the transaction that writes the deliveries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Taken, take_back};
use crate::clock::{Steady, after, before};
use crate::domain::account::Account;
use crate::domain::actor::{Actor, Scopes};
use crate::domain::audit::NewEntry;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, SeriesId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::recurrence::{Occurrence, Rule};
use crate::domain::series::{MOST_ACCOUNTS, Series, Stuck};
use crate::queue::contained;
use crate::service::plan::{self, Ready, Source, WantedDelivery, WantedLocal};
use crate::service::schedule::{self, Request};
use crate::service::{Caller, Error, Services, approvals, permit};
use crate::store::neighbours::Look;
use crate::store::series::{self, Looked, Noted, Which};
use crate::store::{Reader, accounts, people, posts, quarantine, roles, units, variants};

/// How often it is looked whether there is something to make.
const PERIOD: Duration = Duration::from_secs(5);
/// How often a series is looked at although nothing has happened.
const EVERY: Duration = Duration::from_mins(10);
/// The same for one that could not make something.
const AGAIN: Duration = Duration::from_mins(1);
/// The most of one account that is made ahead.
const MOST_AHEAD: usize = 50;
/// The most that is made in one transaction: one date of each account that a series may have.
const AT_ONCE: usize = MOST_ACCOUNTS;
/// The most of one account that is written down as missed.
const MOST_MISSED: usize = 1_000;
/// The most that is said to stand in the way.
const MOST_STUCK: usize = 20;
/// The clocks of two zones differ by less than this: what a wall has shown somewhere may still come elsewhere.
const ANY_ZONE: Duration = Duration::from_hours(48);

/// Looks until told to stop.
pub async fn keep(services: Services, steady: Steady, stop: CancellationToken) {
    loop {
        // A clock that nobody vouches for could call weeks missed that are still to come.
        if steady.is_vouched_for()
            && let Err(error) = round(&services).await
        {
            let error = crate::telemetry::Chain(&error);
            tracing::warn!(%error, "series could not be looked at");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = services.clock.sleep(PERIOD) => {}
        }
    }
}

async fn round(services: &Services) -> Result<(), Error> {
    let mut reader = services.store.read().await?;
    if quarantine::find(&mut reader).await?.is_some() {
        return Ok(());
    }
    let found = series::to_look_at(&mut reader, services.clock.now()).await?;
    drop(reader);
    for one in found {
        // What one of them trips over keeps no other waiting, and no publishing.
        let look = async {
            if !super::at_once(services, &one.id).await {
                let mut tx = services.store.begin_for("series").await?;
                series::put_off(&mut tx, &one.id, after(services.clock.now(), AGAIN)).await?;
                tx.commit().await?;
            }
            Ok(())
        };
        let _tried_again = contained("series", look).await;
    }
    Ok(())
}

/// Makes all that a series has to be made of now.
pub(super) async fn make(services: &Services, id: &SeriesId) -> Result<(), Error> {
    loop {
        let found = series::find(&mut services.store.read().await?, id).await?;
        let Some(series) = found.filter(|it| it.paused_at.is_none()) else { return Ok(()) };
        renew(services, &series).await?;
        if !look(services, &series).await? {
            return Ok(());
        }
    }
}

/// Takes back what says something else than the post does now, so that it is made anew.
async fn renew(services: &Services, series: &Series) -> Result<(), Error> {
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let (outdated, _) = series::to_take_back(&mut reader, &series.id, Which::Outdated, now).await?;
    drop(reader);
    if outdated.is_empty() {
        return Ok(());
    }
    let mut tx = services.store.begin_for("series").await?;
    if series::lock(&mut tx, &series.id).await? != Some(series.version) {
        return Ok(());
    }
    let Taken { entries, .. } =
        take_back(&mut tx, &series.id, Which::Outdated, ("service", now)).await?;
    crate::store::audit::append(&mut tx, &entries, now);
    Ok(tx.commit().await?)
}

/// What stands in the way, for which account, and at which instant first.
type Found = (Fault, Option<AccountId>, Option<Timestamp>);

/// What a series names between what is settled and the horizon.
#[derive(Default)]
struct Due {
    wanted: Vec<(Noted, Occurrence)>,
    missed: Vec<Noted>,
    /// What stands in the way of all of it, or of an account.
    faults: Vec<Found>,
    more: bool,
}

/// What was planned of it.
#[derive(Default)]
struct Planned {
    request: Option<Arc<Request>>,
    made: Vec<Noted>,
}

/// True when there is more to make at once.
async fn look(services: &Services, series: &Series) -> Result<bool, Error> {
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let mut due = due(services, &mut reader, series, now).await?;
    let post = posts::find(&mut reader, &series.post_id).await?;
    let planned = match &post {
        Some(post) if !due.wanted.is_empty() => {
            plan_some(services, &mut reader, (series, post), &mut due).await?
        }
        Some(_) => Planned::default(),
        None => {
            let fault = Fault::new("", "series_post_gone", "the post of the series was removed");
            due.faults.push((fault, None, None));
            Planned::default()
        }
    };
    let person = people::find(&mut reader, &series.answers_by).await?;
    let nobody = person.is_none_or(|person| person.disabled_at.is_some());
    drop(reader);
    let title = post.map(|post| post.title).unwrap_or_default();
    write(services, series, (due, planned), (&title, nobody), now).await
}

async fn due(
    services: &Services,
    reader: &mut Reader,
    series: &Series,
    now: Timestamp,
) -> Result<Due, Error> {
    let mut due = Due::default();
    let rule = match series.recurrence.rule() {
        Ok(rule) => rule,
        Err(faults) => {
            due.faults.extend(faults.into_iter().map(|fault| (fault, None, None)));
            return Ok(due);
        }
    };
    let ids: Vec<AccountId> = series.accounts.iter().map(|it| it.account_id.clone()).collect();
    let found = accounts::find_many(reader, &ids).await?;
    let since = before(series.settled_until, ANY_ZONE);
    let mut known: BTreeMap<AccountId, Known> = BTreeMap::new();
    for (account, wall, at) in series::known(reader, &series.id, since).await? {
        let known = known.entry(account).or_default();
        known.walls.insert(wall);
        known.instants.insert(at);
    }
    let end = after(now, services.config.series.ahead);
    for id in ids {
        let account = found.iter().find(|account| account.id == id);
        let known = known.remove(&id).unwrap_or_default();
        let span = Span { settled: series.settled_until, now, end };
        of_account(series, &rule, (&id, account), (&known, &span), &mut due);
    }
    // One date of each after the other: accounts that cannot be planned for keep no others waiting.
    let mut dates: BTreeMap<AccountId, usize> = BTreeMap::new();
    due.wanted.sort_by_cached_key(|(one, _)| {
        let date = dates.entry(one.account_id.clone()).or_default();
        *date += 1;
        (*date, one.due_at, one.account_id.clone())
    });
    Ok(due)
}

/// What there is of an account already.
#[derive(Default)]
struct Known {
    walls: BTreeSet<String>,
    instants: BTreeSet<Timestamp>,
}

struct Span {
    settled: Timestamp,
    now: Timestamp,
    end: Timestamp,
}

fn of_account(
    series: &Series,
    rule: &Rule,
    (id, account): (&AccountId, Option<&Account>),
    (known, span): (&Known, &Span),
    due: &mut Due,
) {
    let zone = account.and_then(|it| series.recurrence.zone_for(&it.time_zone));
    let Some(zone) = zone else {
        let detail = format!("there is no account {id}, or its zone is none any more");
        let fault = Fault::new("", "series_account_gone", detail).with("value", id);
        due.faults.push((fault, Some(id.clone()), None));
        return;
    };
    let (mut missed, mut ahead) = (0, 0);
    for one in rule.after(span.settled, &zone).take_while(|one| one.at <= span.end) {
        let is_over = one.at <= span.now;
        ahead += usize::from(!is_over);
        if ahead > MOST_AHEAD {
            break;
        }
        if known.walls.contains(&one.wall.to_string()) || known.instants.contains(&one.at) {
            continue;
        }
        let noted = Noted {
            account_id: id.clone(),
            wall: one.wall,
            zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            due_at: one.at,
            delivery_id: None,
        };
        if !is_over {
            due.wanted.push((noted, one));
        } else if missed < MOST_MISSED {
            missed += 1;
            due.missed.push(noted);
        }
    }
}

/// What is asked of the planner for one time.
pub(super) fn wanted(
    series: &Series,
    account: &AccountId,
    one: &Occurrence,
    zone: &str,
) -> WantedDelivery {
    let target = series.accounts.iter().find(|it| it.account_id == *account);
    let local = one.jump.is_none().then(|| WantedLocal {
        date: one.wall.date().to_string(),
        time: one.wall.time().to_string(),
        zone: zone.to_owned(),
    });
    WantedDelivery {
        account_id: account.clone(),
        language: target.and_then(|it| it.language.clone()),
        // Where the clocks jump the wall alone does not say which instant is meant.
        at: local.is_none().then(|| one.at.to_string()),
        local,
        now: false,
        publish_by: None,
        fall_back: None,
        settings: Some([("intended_repeat".to_owned(), Value::Bool(true))].into_iter().collect()),
    }
}

/// Plans as much as is made at once: the first dates of which anything can be made. What rules block keeps no later
/// date waiting.
async fn plan_some(
    services: &Services,
    reader: &mut Reader,
    about: (&Series, &Post),
    due: &mut Due,
) -> Result<Planned, Error> {
    let mut wanted = std::mem::take(&mut due.wanted);
    loop {
        let later = wanted.split_off(wanted.len().min(AT_ONCE));
        due.wanted = wanted;
        due.more = !later.is_empty();
        let before = due.faults.len();
        let planned = plan(services, reader, about, due).await?;
        let mut new = due.faults.iter().skip(before);
        let by_rules = new.all(|(fault, ..)| fault.code == "blocked_by_rule");
        if later.is_empty() || planned.request.is_some() || !by_rules {
            return Ok(planned);
        }
        wanted = later;
    }
}

/// Plans what is wanted in the name of whoever answers for the series.
async fn plan(
    services: &Services,
    reader: &mut Reader,
    (series, post): (&Series, &Post),
    due: &mut Due,
) -> Result<Planned, Error> {
    let now = services.clock.now();
    let Some(caller) = answering(reader, series, now).await? else {
        due.faults.push((unvouched(), None, None));
        return Ok(Planned::default());
    };
    if permit(&caller, Action::WriteDeliveries, Subject::Unit(&post.unit_id)).is_err() {
        due.faults.push((unvouched(), None, None));
        return Ok(Planned::default());
    }
    let unit = units::find(reader, &post.unit_id).await?.ok_or(Error::NotFound)?;
    let open = schedule::check_open(services, &unit);
    let approved = approvals::asked(reader, &unit, (&post.id, false), now).await.map(|_waits| ());
    match open.and(approved) {
        Ok(()) => {}
        Err(Error::Conflict(told)) => {
            let first = due.wanted.first().map(|(one, _)| one.due_at);
            let mut fault = Fault::new("", told.code, told.detail);
            fault.args = told.args;
            due.faults.push((fault, None, first));
            return Ok(Planned::default());
        }
        Err(error) => return Err(error),
    }
    let variants = variants::of_posts(reader, &[&post.id]).await?.remove(&post.id);
    let source = Source {
        post_id: Some(&post.id),
        unit_id: &post.unit_id,
        class: post.class,
        language: &post.source_language,
        variants: variants.as_deref().unwrap_or_default(),
        overriding: None,
    };
    let each = due.wanted.iter();
    let asked = each.map(|(one, at)| wanted(series, &one.account_id, at, &one.zone)).collect();
    match plan::plan(services, &caller, reader, &source, asked, Look::Text).await {
        Ok(plan) => Ok(settled(services, (series, post, &caller), plan, due)),
        Err(Error::Invalid(faults)) => {
            due.faults.extend(faults.into_iter().map(|fault| (fault, None, None)));
            Ok(Planned::default())
        }
        Err(error) => Err(error),
    }
}

/// Tells what can be written from what cannot: one account that is gone keeps no other waiting.
fn settled(
    services: &Services,
    (series, post, caller): (&Series, &Post, &Caller),
    plan: plan::Plan,
    due: &mut Due,
) -> Planned {
    let mut faulty: BTreeMap<usize, Fault> = BTreeMap::new();
    for fault in plan.obstacles() {
        let place = fault.pointer.split('/').nth(2).and_then(|place| place.parse().ok());
        faulty.entry(place.unwrap_or(0)).or_insert(fault);
    }
    for one in &plan.ready {
        let account = Subject::Account(&one.account.id);
        if permit(caller, Action::WriteDeliveries, account).is_err() {
            faulty.entry(one.place).or_insert_with(unvouched);
        }
    }
    let ready: Vec<Ready> =
        plan.ready.into_iter().filter(|one| !faulty.contains_key(&one.place)).collect();
    let noted = |one: &Ready| {
        let (noted, _) = due.wanted.get(one.place)?;
        Some(Noted { delivery_id: Some(one.row.id.clone()), ..noted.clone() })
    };
    let made = ready.iter().filter(|one| one.row.part.number == 1).filter_map(noted).collect();
    for (place, fault) in faulty {
        let about = due.wanted.get(place).map(|(one, _)| (one.account_id.clone(), one.due_at));
        let (account, at) = about.unzip();
        due.faults.push((fault, account, at));
    }
    if ready.is_empty() {
        return Planned::default();
    }
    let entry = |one: &Ready| {
        let mut entry = schedule::entry(caller, one);
        "service".clone_into(&mut entry.actor);
        if let Some(detail) = entry.detail.as_object_mut() {
            detail.insert("series_id".to_owned(), json!(series.id));
        }
        entry
    };
    let entries = ready.iter().map(entry).collect();
    let request = Request::new(services, (&post.id, post.revision), ready, entries);
    Planned { request: Some(Arc::new(request)), made }
}

fn unvouched() -> Fault {
    let detail = "whoever answers for the series may not schedule there any more: somebody who may takes it over \
                  by changing it";
    Fault::new("", "series_unvouched", detail)
}

/// Whoever answers for a series, as if he were at his desk; nothing when he has left.
async fn answering(
    reader: &mut Reader,
    series: &Series,
    now: Timestamp,
) -> Result<Option<Caller>, Error> {
    let person = people::find(reader, &series.answers_by).await?;
    let Some(person) = person.filter(|person| person.disabled_at.is_none()) else {
        return Ok(None);
    };
    let reach = roles::reach(reader, &person.id, now).await?;
    let actor = Actor {
        reach: Arc::new(reach),
        person_id: person.id,
        token_id: None,
        signed_in: None,
        administrator: person.administrator,
        scopes: Scopes::All,
        accounts: None,
    };
    Ok(Some(Caller { actor, idempotency: None, request_id: series.id.to_string() }))
}

/// Writes what was planned, unless somebody else has or something has changed; true when there is more.
async fn write(
    services: &Services,
    series: &Series,
    (due, planned): (Due, Planned),
    (title, nobody): (&str, bool),
    now: Timestamp,
) -> Result<bool, Error> {
    let stuck = stuck(series, &due.faults, now);
    let more = due.more && !planned.made.is_empty();
    let pause = if stuck.is_empty() { EVERY } else { AGAIN };
    // A clock that was put back does not make anything twice.
    let settled_until = now.max(series.settled_until);
    let looked = Looked { settled_until, look_at: after(now, pause), stuck };
    let mut tx = services.store.begin_for("series").await?;
    if let Some(request) = &planned.request
        && !request.still_fits(&mut tx).await?
    {
        return Ok(false);
    }
    if !series::settle(&mut tx, series, &looked).await? {
        return Ok(false);
    }
    let jobs = match &planned.request {
        Some(request) => request.write(&mut tx, now).await?,
        None => &[],
    };
    series::note(&mut tx, &series.id, &planned.made).await?;
    series::note(&mut tx, &series.id, &due.missed).await?;
    let entries = news(series, (&looked.stuck, &due.missed), (title, nobody), now);
    crate::store::audit::append(&mut tx, &entries, now);
    tx.commit().await?;
    services.queue.announce(jobs);
    Ok(more)
}

/// What stands in the way, each once; since when, if it was the same before.
fn stuck(series: &Series, faults: &[Found], now: Timestamp) -> Vec<Stuck> {
    let mut all: Vec<Stuck> = Vec::new();
    for (fault, account_id, at) in faults {
        let same = |it: &&Stuck| it.code == fault.code && it.account_id == *account_id;
        if all.iter().any(|it| same(&it)) || all.len() == MOST_STUCK {
            continue;
        }
        let since = series.stuck.iter().find(same).map_or(now, |it| it.since);
        let (code, detail) = (fault.code.to_owned(), fault.detail.clone());
        all.push(Stuck { code, detail, account_id: account_id.clone(), at: *at, since });
    }
    all
}

/// What whoever answers is told: of what stands in the way once, and of what was missed unless that was why.
fn news(
    series: &Series,
    (stuck, missed): (&[Stuck], &[Noted]),
    (title, nobody): (&str, bool),
    now: Timestamp,
) -> Vec<NewEntry> {
    // Who may not schedule there any more can do nothing about it.
    let unheard = stuck.iter().any(|it| it.code == unvouched().code);
    let told = |action: &str, more: Value| {
        let mut detail = json!({
            "series_id": series.id, "post_id": series.post_id, "unit_id": series.unit_id, "title": title,
            "owners": [series.answers_by], "administrators": nobody || unheard,
        });
        if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
            detail.extend(more);
        }
        let (actor, subject) = ("service".to_owned(), series.id.to_string());
        NewEntry { actor, action: action.to_owned(), subject, detail }
    };
    let mut entries = Vec::new();
    let new: Vec<&Stuck> = stuck.iter().filter(|it| it.since == now).collect();
    if let Some(first) = new.first() {
        entries.push(told("series.stuck", json!({"code": first.code, "stuck": new})));
    }
    let why =
        |one: &Noted, it: &Stuck| it.account_id.as_ref().is_none_or(|id| *id == one.account_id);
    let missed: Vec<&Noted> =
        missed.iter().filter(|one| !series.stuck.iter().any(|it| why(one, it))).collect();
    if let (Some(first), Some(last)) = (missed.first(), missed.last()) {
        let more = json!({"count": missed.len(), "first": first.due_at, "last": last.due_at});
        entries.push(told("series.missed", more));
    }
    entries
}
