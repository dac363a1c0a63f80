//! The acts on series: make, change, pause, end, look. What a series makes of itself stands in `make`.

mod check;
pub mod make;
mod view;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

pub use view::{
    Became, Dates, NewSeries, NewTarget, OccurrenceView, SeriesChange, SeriesChanged, SeriesState,
    SeriesView, TakenBack, WantedDates,
};

use super::{Caller, Done, Error, Page, Services, Window, finish, permit};
use crate::domain::audit::NewEntry;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, DeliveryId, PostId, SeriesId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::series::{ACCOUNT, Recurrence, Series, Target, next_dates};
use crate::domain::work;
use crate::store::series::{self, Which};
use crate::store::{Reader, Tx, accounts, jobs, posts};

/// How many dates are shown ahead.
const SHOWN: usize = 10;
/// How often what was made ahead may change while somebody takes it back.
const ROUNDS: usize = 5;

/// Makes a series.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewSeries,
) -> Result<Done<SeriesChanged>, Error> {
    permit(caller, Action::WriteDeliveries, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let post = posts::find(&mut tx, &new.post_id).await?;
    let Some(post) = post.filter(|post| caller.actor.sees_unit(&post.unit_id)) else {
        let detail = format!("there is no post {}", new.post_id);
        let fault = Fault::new("/post_id", "unknown_reference", detail);
        return Err(Error::Invalid(vec![fault.with("value", new.post_id)]));
    };
    permit(caller, Action::WriteDeliveries, Subject::Unit(&post.unit_id))?;
    let me = caller.actor.person_id.clone();
    let series = Series {
        id: SeriesId::new(now, services.random()),
        unit_id: post.unit_id.clone(),
        post_id: new.post_id,
        recurrence: Recurrence {
            cron: new.cron,
            time_zone: new.time_zone,
            from: new.from,
            until: new.until,
            except: new.except,
        },
        accounts: new.accounts.into_iter().map(Target::from).collect(),
        paused_at: None,
        stuck: Vec::new(),
        settled_until: now,
        look_at: now,
        answers_by: me.clone(),
        version: 1,
        created_by: me,
        created_at: now,
        updated_at: now,
    };
    let warnings = check::whole(services, caller, &mut tx, (&series, &post)).await?;
    series::insert(&mut tx, &series).await?;
    let entry = caller.entry("series.create", &series.id, said(&series));
    let id = series.id.clone();
    let series = view(&mut tx, series, Some(post), now).await?;
    let back = TakenBack { taken_back: 0, under_way: 0 };
    let made = SeriesChanged { series, back, warnings };
    let done = finish(services, caller, tx, made, &[entry]).await?;
    at_once(services, &id).await;
    Ok(done)
}

/// Changes a series from the version that the caller has seen; `None` for whatever it is now. What was made ahead and has
/// not begun to leave is taken back and made anew.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &SeriesId,
    seen: Option<i64>,
    change: SeriesChange,
) -> Result<Done<SeriesChanged>, Error> {
    for _round in 0..ROUNDS {
        match change_once(services, caller, (id, seen), change.clone()).await {
            Err(Error::Busy) => {}
            other => {
                at_once(services, id).await;
                return other;
            }
        }
    }
    Err(Error::Busy)
}

async fn change_once(
    services: &Services,
    caller: &Caller,
    (id, seen): (&SeriesId, Option<i64>),
    change: SeriesChange,
) -> Result<Done<SeriesChanged>, Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    series::lock(&mut tx, id).await?;
    let mut series = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
    let from = series.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    let before = said(&series);
    let when = &mut series.recurrence;
    when.cron = change.cron.unwrap_or_else(|| when.cron.clone());
    when.time_zone = change.time_zone.unwrap_or_else(|| when.time_zone.clone());
    change.from.apply(&mut when.from);
    change.until.apply(&mut when.until);
    when.except = change.except.unwrap_or_else(|| when.except.clone());
    if let Some(accounts) = change.accounts {
        series.accounts = accounts.into_iter().map(Target::from).collect();
    }
    series.paused_at = match change.paused {
        Some(true) => series.paused_at.or(Some(now)),
        Some(false) => None,
        None => series.paused_at,
    };
    series.answers_by = caller.actor.person_id.clone();
    series.updated_at = now;
    let post = posts::find(&mut tx, &series.post_id).await?;
    let warnings = match &post {
        // Whoever stops it need not mend it first.
        _ if series.paused_at.is_some() => check::rule(&series).map(|_rule| Vec::new())?,
        Some(post) => check::whole(services, caller, &mut tx, (&series, post)).await?,
        None => return Err(check::post_gone()),
    };
    let Taken { count, entries } =
        take_back(&mut tx, id, Which::Untouched, (&caller.actor.label(), now)).await?;
    let back = TakenBack { taken_back: count, under_way: series::under_way(&mut tx, id).await? };
    series::update(&mut tx, &series, from).await?;
    (series.version, series.stuck) = (from + 1, Vec::new());
    let detail = json!({"before": before, "after": said(&series), "taken_back": count});
    let mut entries = entries;
    entries.push(caller.entry("series.change", id, detail));
    let series = view(&mut tx, series, post, now).await?;
    finish(services, caller, tx, SeriesChanged { series, back, warnings }, &entries).await
}

/// Ends a series, at the version that the caller has seen. Gives its version from then on, too.
pub async fn end(
    services: &Services,
    caller: &Caller,
    id: &SeriesId,
    seen: Option<i64>,
) -> Result<(TakenBack, i64), Error> {
    for _round in 0..ROUNDS {
        let now = services.clock.now();
        let mut tx = services.store.begin().await?;
        series::lock(&mut tx, id).await?;
        let series = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
        if seen.is_some_and(|seen| seen != series.version) {
            return Err(Error::Stale);
        }
        let by = caller.actor.label();
        let Taken { count, mut entries } =
            match take_back(&mut tx, id, Which::Untouched, (&by, now)).await {
                Err(Error::Busy) => continue,
                taken => taken?,
            };
        let under_way = series::under_way(&mut tx, id).await?;
        series::remove(&mut tx, id, series.version, now).await?;
        entries.push(caller.entry("series.end", id, said(&series)));
        let back = TakenBack { taken_back: count, under_way };
        let done = finish(services, caller, tx, back, &entries).await?;
        return Ok((done.value, series.version + 1));
    }
    Err(Error::Busy)
}

/// One series.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &SeriesId,
) -> Result<SeriesView, Error> {
    let mut reader = services.store.read().await?;
    let series = see(&mut reader, caller, Action::ReadDeliveries, id).await?;
    let post = posts::find(&mut reader, &series.post_id).await?;
    view(&mut reader, series, post, services.clock.now()).await
}

/// Which series a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this unit.
    pub unit_id: Option<UnitId>,
    /// Of this post.
    pub post_id: Option<PostId>,
}

/// A page of series, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<SeriesView>, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    let now = services.clock.now();
    let filter = series::Filter {
        unit_id: filter.unit_id,
        within: caller.actor.units_for(Action::ReadDeliveries),
        post_id: filter.post_id,
        before: window.after_id()?,
    };
    let mut reader = services.store.read().await?;
    let found = series::list(&mut reader, &filter, i64::from(window.rows())).await?;
    let mut page = window.page(found, |one| vec![one.id.to_string()]);
    page.items.retain(|one| concerns(caller, one));
    let mut items = Vec::with_capacity(page.items.len());
    for one in page.items {
        let post = posts::find(&mut reader, &one.post_id).await?;
        items.push(view(&mut reader, one, post, now).await?);
    }
    Ok(Page { items, next: page.next })
}

/// What was made of a series, and what was missed: a page, the latest first.
pub async fn dates(
    services: &Services,
    caller: &Caller,
    id: &SeriesId,
    window: &Window,
) -> Result<Page<OccurrenceView>, Error> {
    let before = match window.after.as_deref() {
        None => (Timestamp::MAX, "~"),
        Some([at, account]) => {
            (at.parse().map_err(|_unreadable| Window::foreign_cursor())?, account.as_str())
        }
        Some(_) => return Err(Window::foreign_cursor()),
    };
    let mut reader = services.store.read().await?;
    see(&mut reader, caller, Action::ReadDeliveries, id).await?;
    let found = series::occurrences(&mut reader, id, before, i64::from(window.rows())).await?;
    let key = |one: &series::Standing| {
        vec![one.noted.due_at.to_string(), one.noted.account_id.to_string()]
    };
    let page = window.page(found, key);
    let items = page.items.into_iter().map(OccurrenceView::from).collect();
    Ok(Page { items, next: page.next })
}

/// The next dates of a rule. Changes nothing.
pub async fn preview(
    services: &Services,
    caller: &Caller,
    wanted: WantedDates,
) -> Result<Dates, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    let recurrence = Recurrence {
        cron: wanted.cron,
        time_zone: wanted.time_zone,
        from: wanted.from,
        until: wanted.until,
        except: wanted.except,
    };
    let rule = recurrence.rule().map_err(Error::Invalid)?;
    let mut reader = services.store.read().await?;
    let ids: Vec<AccountId> =
        wanted.account_ids.into_iter().filter(|id| caller.actor.sees(id)).collect();
    let zones = zones(&mut reader, &recurrence, &ids).await?;
    if zones.is_empty() {
        let detail = "name accounts of yours in account_ids: account means the zone of each";
        return Err(Error::fault("/account_ids", "whose_zone", detail));
    }
    let next = next_dates(&rule, &zones, services.clock.now(), SHOWN);
    if next.is_empty() {
        return Err(Error::Invalid(vec![check::never_fires()]));
    }
    Ok(Dates { next })
}

/// The zones on whose walls it is looked, each once.
async fn zones(
    reader: &mut Reader,
    recurrence: &Recurrence,
    ids: &[AccountId],
) -> Result<Vec<TimeZone>, Error> {
    if recurrence.time_zone != ACCOUNT {
        return Ok(recurrence.zone_for(ACCOUNT).into_iter().collect());
    }
    let found = accounts::find_many(reader, ids).await?;
    let names: std::collections::BTreeSet<&str> =
        found.iter().map(|account| account.time_zone.as_str()).collect();
    Ok(names.into_iter().filter_map(|name| recurrence.zone_for(name)).collect())
}

async fn view(
    reader: &mut Reader,
    series: Series,
    post: Option<Post>,
    now: Timestamp,
) -> Result<SeriesView, Error> {
    let ids: Vec<AccountId> = series.accounts.iter().map(|it| it.account_id.clone()).collect();
    let zones = zones(reader, &series.recurrence, &ids).await?;
    let next = match series.recurrence.rule() {
        Ok(rule) if series.paused_at.is_none() => next_dates(&rule, &zones, now, SHOWN),
        Ok(_) | Err(_) => Vec::new(),
    };
    let state = match (series.paused_at, series.stuck.is_empty()) {
        (Some(_), _) => SeriesState::Paused,
        (None, true) => SeriesState::Active,
        (None, false) => SeriesState::Stuck,
    };
    Ok(SeriesView {
        ahead: series::ahead(reader, &series.id).await?,
        id: series.id,
        unit_id: series.unit_id,
        post_id: series.post_id,
        title: post.map(|post| post.title),
        recurrence: series.recurrence,
        accounts: series.accounts,
        state,
        stuck: series.stuck,
        paused_at: series.paused_at,
        next,
        answers_by: series.answers_by,
        version: series.version,
        created_by: series.created_by,
        created_at: series.created_at,
        updated_at: series.updated_at,
    })
}

/// What the audit is told of a series.
fn said(series: &Series) -> serde_json::Value {
    json!({
        "post_id": series.post_id, "unit_id": series.unit_id, "recurrence": series.recurrence,
        "accounts": series.accounts, "paused_at": series.paused_at, "answers_by": series.answers_by,
    })
}

/// The series, when the caller may do this with what his unit schedules.
async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &SeriesId,
) -> Result<Series, Error> {
    permit(caller, action, Subject::Any)?;
    let series = series::find(reader, id).await?.ok_or(Error::NotFound)?;
    permit(caller, action, Subject::Unit(&series.unit_id))?;
    if concerns(caller, &series) { Ok(series) } else { Err(Error::NotFound) }
}

/// A token for some accounts is for a program that has no business with others.
fn concerns(caller: &Caller, series: &Series) -> bool {
    let own = caller.actor.accounts.as_ref();
    own.is_none_or(|own| series.accounts.iter().all(|target| own.contains(&target.account_id)))
}

/// Makes what is to be made now. What goes wrong is found by the next look.
async fn at_once(services: &Services, id: &SeriesId) -> bool {
    let made = make::make(services, id).await;
    if let Err(error) = &made {
        let error = crate::telemetry::Chain(error);
        tracing::warn!(series = %id, %error, "a series could not be looked at");
    }
    made.is_ok()
}

/// What was taken back, and what the audit is told of it.
struct Taken {
    count: usize,
    entries: Vec<NewEntry>,
}

/// Takes back what a series has made ahead and nobody has touched. `Busy` when some of it changed meanwhile: then nothing of
/// this transaction may stay. The series must be locked.
async fn take_back(
    tx: &mut Tx,
    id: &SeriesId,
    which: Which,
    (by, now): (&str, Timestamp),
) -> Result<Taken, Error> {
    let (first, parts) = series::to_take_back(tx, id, which, now).await?;
    let all: Vec<DeliveryId> = first.iter().chain(&parts).cloned().collect();
    if all.is_empty() {
        return Ok(Taken { count: 0, entries: Vec::new() });
    }
    // Jobs before deliveries, as whoever works on them takes them.
    let keys: Vec<String> = all.iter().map(work::publish_key).collect();
    jobs::remove_queued(tx, &keys).await?;
    if series::take_back(tx, &all, now).await? != all.len() as u64 {
        return Err(Error::Busy);
    }
    let entry = |one: &DeliveryId| NewEntry {
        actor: by.to_owned(),
        action: "delivery.cancel".to_owned(),
        subject: one.to_string(),
        detail: json!({"series_id": id}),
    };
    Ok(Taken { count: first.len(), entries: all.iter().map(entry).collect() })
}
