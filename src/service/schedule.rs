//! Scheduling: deliveries of a post, their jobs, the audit and the kept answer in one commit, which
//! they share with all others that are scheduled at the same moment.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::act::{Kind, sort_out};
use super::deliveries::DeliveryView;
use super::languages::Skipped;
use super::plan::{self, Plan, Ready, Source, WantedDelivery};
use super::posts::see;
use super::rules::{self, Override};
use super::warning::Warning;
use super::{Caller, Done, Error, Services, Told, approvals, permit, same_answer, sessions};
use crate::clock::{self, SharedClock};
use crate::domain::audit::NewEntry;
use crate::domain::id::{AccountId, JobId, PostId, UnitId};
use crate::domain::parts::Part;
use crate::domain::policy::{Action, Subject};
use crate::domain::unit::Unit;
use crate::domain::variant::Content;
use crate::domain::work;
use crate::store::deliveries::NewDelivery;
use crate::store::idempotency::{Claim, Kept};
use crate::store::jobs::NewJob;
use crate::store::neighbours::Look;
use crate::store::{self, Answer, Apply, Tx, audit, deliveries, jobs, posts, units, variants};

/// Deliveries to be scheduled.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct WantedDeliveries {
    /// One for each account and time.
    pub deliveries: Vec<WantedDelivery>,
    /// Where the unit wants approvals: they wait until what they say, where and when is approved, and go out
    /// then.
    #[serde(default)]
    pub awaiting_approval: bool,
    /// Lets through what rules block, by an administrator of their units.
    #[serde(default, rename = "override")]
    pub overriding: Option<Override>,
}

/// What was scheduled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scheduled {
    /// The deliveries, in the order of the request; each with one delivery more behind it for every
    /// further part of its thread, and for its first comment.
    pub deliveries: Vec<DeliveryView>,
    /// What is worth knowing about them.
    pub warnings: Vec<Warning>,
    /// What was left out because of `fall_back: skip`.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
}

/// Schedules deliveries of a post, all or none.
pub async fn schedule(
    services: &Services,
    caller: &Caller,
    post_id: &PostId,
    wanted: WantedDeliveries,
) -> Result<Done<Scheduled>, Error> {
    permit(caller, Action::WriteDeliveries, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let Foreseen { revision, plan, mut entries } =
        Box::pin(foresee(services, caller, post_id, wanted)).await?;
    let views = plan.ready.iter().map(|one| DeliveryView::planned(one, caller)).collect();
    let view = Scheduled { deliveries: views, warnings: plan.warnings, skipped: plan.skipped };
    let answer = serde_json::to_value(&view).map_err(Error::internal)?;
    entries.splice(0..0, plan.ready.iter().map(|one| entry(caller, one)));
    let asked = Request::new(services, (post_id, revision), plan.ready, entries);
    let asked = Arc::new(Request { claim: caller.claim(answer), ..asked });
    match services.scheduling().submit(Arc::clone(&asked)).await? {
        Written::New => {
            services.queue.announce(&asked.jobs);
            Ok(Done { value: view, replayed: false })
        }
        Written::Repeated(kept) => match &caller.idempotency {
            Some(key) => same_answer(key, kept),
            None => Err(Error::Busy),
        },
        Written::PostGone => Err(Error::NotFound),
        Written::PostChanged => Err(Error::Conflict(Told::new(
            "post_changed",
            "the post was changed while it was being scheduled; look at it and schedule again",
        ))),
        Written::AccountUnfit(account) => Err(unfit(&account)),
    }
}

/// Deliveries against which nothing is to be said, at a revision of their post.
struct Foreseen {
    revision: i64,
    plan: Plan,
    /// What the audit is told besides.
    entries: Vec<NewEntry>,
}

/// Settles what is wanted, or tells everything that stands in the way.
async fn foresee(
    services: &Services,
    caller: &Caller,
    post_id: &PostId,
    wanted: WantedDeliveries,
) -> Result<Foreseen, Error> {
    super::all_well(rules::check_override(wanted.overriding.as_ref()))?;
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let post = see(&mut reader, caller, Action::ReadPosts, post_id).await?;
    let variants = variants::of_posts(&mut reader, &[post_id]).await?;
    let unit = units::find(&mut reader, &post.unit_id).await?.ok_or(Error::NotFound)?;
    check_open(services, &unit)?;
    let wait = wanted.awaiting_approval;
    let asks_approval = approvals::asked(&mut reader, &unit, (post_id, wait), now).await?;
    let source = Source {
        post_id: Some(post_id),
        unit_id: &post.unit_id,
        class: post.class,
        language: &post.source_language,
        variants: variants.get(post_id).map_or(&[], Vec::as_slice),
        overriding: wanted.overriding.as_ref(),
    };
    let deliveries = wanted.deliveries;
    let mut plan =
        plan::plan(services, caller, &mut reader, &source, deliveries, Look::Text).await?;
    permit_each(caller, &mut plan, asks_approval)?;
    approvals::check_settings(&unit, &plan.ready)?;
    let mut entries = Vec::new();
    if asks_approval {
        entries.push(approvals::wanted(&mut reader, (&post, unit.approval), None, now).await?);
    }
    if !plan.faults.is_empty() {
        return Err(Error::Invalid(plan.obstacles()));
    }
    if let Some(refused) = rules::refusal(&plan.blocked) {
        return Err(refused);
    }
    if !plan.overridden.is_empty() {
        sessions::fresh(caller, now)?;
    }
    let overriding = wanted.overriding.as_ref();
    entries.extend(rules::overriding_entries(caller, overriding, &plan.overridden));
    Ok(Foreseen { revision: post.revision, plan, entries })
}

fn unfit(account: &AccountId) -> Error {
    let detail = format!("{account} cannot publish any more, or has come to another unit");
    let told = Told::new("account_not_connected", detail);
    Error::Conflict(told.member("account_id", account.as_str()))
}

/// Whether a unit publishes anything at all.
pub(super) fn check_open(services: &Services, unit: &Unit) -> Result<(), Error> {
    if unit.is_closed(services.clock.now()) {
        let detail = "the unit is closed and publishes nothing any more";
        return Err(Error::Conflict(Told::new("unit_closed", detail)));
    }
    Ok(())
}

/// Whoever schedules must be allowed to for each of the accounts.
fn permit_each(caller: &Caller, plan: &mut Plan, asks_approval: bool) -> Result<(), Error> {
    for one in &mut plan.ready {
        one.row.asks_approval = asks_approval;
        permit(caller, Action::WriteDeliveries, Subject::Account(&one.account.id))?;
    }
    for one in &plan.blocked {
        permit(caller, Action::WriteDeliveries, Subject::Account(&one.account_id))?;
    }
    Ok(())
}

/// What the audit is told of a delivery that is scheduled.
pub(super) fn entry(caller: &Caller, one: &Ready) -> NewEntry {
    let row = &one.row;
    let detail = json!({
        "post_id": row.post_id, "account_id": row.account_id, "language": row.language,
        "due_at": row.due_at, "publish_by": row.publish_by, "content_hash": row.content_hash,
        "part": row.part.number, "parts": row.part.of,
    });
    let action = if row.asks_approval { "delivery.plan" } else { "delivery.schedule" };
    caller.entry(action, &row.id, detail)
}

/// The job that publishes a delivery.
pub(super) fn publish_job(services: &Services, row: &NewDelivery) -> NewJob {
    NewJob {
        id: JobId::new(services.clock.now(), services.random()),
        kind: work::PUBLISH,
        unique_key: work::publish_key(&row.id),
        slot: work::slot(&row.platform, &row.account_id),
        payload: json!({"delivery_id": row.id}),
        priority: i64::from(row.class.priority()),
        due_at: Part::turn(row.part.number, row.due_at),
    }
}

/// Everything that is to be done for a delivery.
fn jobs_of(services: &Services, one: &Ready) -> impl Iterator<Item = NewJob> {
    let bring = bring_job(services, &one.row, &one.said());
    std::iter::once(publish_job(services, &one.row)).chain(bring)
}

/// The job that brings a delivery's files to the platform ahead of its instant, where that takes long.
fn bring_job(services: &Services, row: &NewDelivery, said: &Content) -> Option<NewJob> {
    let ahead = services.platforms.get(&row.platform)?.rules().ahead;
    said.media.iter().any(|one| ahead.contains(&one.kind)).then(|| NewJob {
        kind: work::BRING,
        unique_key: work::bring_key(&row.id),
        due_at: bring_at(services, row.due_at),
        ..publish_job(services, row)
    })
}

/// When the files of a delivery are brought that is due then.
pub(super) fn bring_at(services: &Services, due_at: Timestamp) -> Timestamp {
    let begin = clock::before(due_at, services.config.publish.files_ahead);
    begin.max(services.clock.now())
}

/// Writes deliveries.
#[derive(Debug)]
pub(super) struct Scheduling {
    clock: SharedClock,
}

/// Deliveries of one post to be written, all or none.
#[derive(Debug)]
pub(super) struct Request {
    post_id: PostId,
    /// The revision that was planned with.
    revision: i64,
    rows: Vec<NewDelivery>,
    /// For each row the unit of its account, for which the caller may plan.
    units: Vec<UnitId>,
    jobs: Vec<NewJob>,
    entries: Vec<NewEntry>,
    claim: Option<Claim>,
}

impl Request {
    /// Everything that is to be written of what was planned with this revision of the post.
    pub(super) fn new(
        services: &Services,
        (post_id, revision): (&PostId, i64),
        ready: Vec<Ready>,
        entries: Vec<NewEntry>,
    ) -> Self {
        Self {
            post_id: post_id.clone(),
            revision,
            claim: None,
            entries,
            units: ready.iter().map(|one| one.account.unit_id.clone()).collect(),
            jobs: ready.iter().flat_map(|one| jobs_of(services, one)).collect(),
            rows: ready.into_iter().map(|one| one.row).collect(),
        }
    }

    /// Whether the post and the accounts are as they were when it was planned; they stay so until the commit.
    pub(super) async fn still_fits(self: &Arc<Self>, tx: &mut Tx) -> Result<bool, store::Error> {
        let stops = stops(tx, std::slice::from_ref(self)).await?;
        Ok(stops.iter().all(Option::is_none))
    }

    /// Writes it into a transaction of somebody else's; gives the jobs to announce after the commit.
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<&[NewJob], store::Error> {
        deliveries::insert(tx, &self.rows.iter().collect::<Vec<_>>()).await?;
        jobs::enqueue(tx, &self.jobs, now).await?;
        audit::append(tx, &self.entries, now);
        Ok(&self.jobs)
    }
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Written {
    /// Written.
    New,
    /// Was written earlier, under the same key.
    Repeated(Kept),
    /// The post was removed meanwhile.
    PostGone,
    /// The post was changed meanwhile.
    PostChanged,
    /// An account cannot publish any more, or has come under another unit.
    AccountUnfit(AccountId),
}

impl Scheduling {
    /// With the clock that dates what is written.
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock }
    }

    async fn write(
        &self,
        tx: &mut Tx,
        requests: &[Arc<Request>],
    ) -> Result<Vec<Answer<Written>>, store::Error> {
        let now = self.clock.now();
        let stops = stops(tx, requests).await?;
        let passing = requests.iter().zip(&stops).filter(|(_, stop)| stop.is_none());
        let claims = passing.map(|(request, _)| request.claim.as_ref());
        let mut kinds = sort_out(tx, claims, now).await?.into_iter();
        let mut written = Vec::with_capacity(requests.len());
        let (mut rows, mut new_jobs, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for (request, stop) in requests.iter().zip(stops) {
            if let Some(stop) = stop {
                written.push(Ok(stop));
                continue;
            }
            match kinds.next() {
                Some(Kind::Repeated(kept)) => written.push(Ok(Written::Repeated(kept))),
                Some(Kind::New) | None => {
                    rows.extend(&request.rows);
                    new_jobs.extend_from_slice(&request.jobs);
                    entries.extend_from_slice(&request.entries);
                    written.push(Ok(Written::New));
                }
            }
        }
        deliveries::insert(tx, &rows).await?;
        jobs::enqueue(tx, &new_jobs, now).await?;
        audit::append(tx, &entries, now);
        Ok(written)
    }
}

/// For each request what stands in its way at this moment. The posts cannot change from here on
/// until the commit.
async fn stops(
    tx: &mut Tx,
    requests: &[Arc<Request>],
) -> Result<Vec<Option<Written>>, store::Error> {
    let ids: BTreeSet<&PostId> = requests.iter().map(|request| &request.post_id).collect();
    let ids: Vec<&PostId> = ids.into_iter().collect();
    let revisions = posts::lock_revisions(tx, &ids).await?;
    let accounts: BTreeSet<&AccountId> =
        requests.iter().flat_map(|request| &request.rows).map(|row| &row.account_id).collect();
    let fit = deliveries::fit_accounts(tx, &accounts).await?;
    let stop = |request: &Arc<Request>| match revisions.get(&request.post_id) {
        None => Some(Written::PostGone),
        Some(&revision) if revision != request.revision => Some(Written::PostChanged),
        Some(_) => request
            .rows
            .iter()
            .zip(&request.units)
            .find(|(row, unit)| fit.get(&row.account_id) != Some(unit))
            .map(|(row, _)| Written::AccountUnfit(row.account_id.clone())),
    };
    Ok(requests.iter().map(stop).collect())
}

impl Apply for Scheduling {
    type Item = Arc<Request>;
    type Answer = Written;

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        items: &'a [Arc<Request>],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Answer<Written>>, store::Error>> + Send + 'a>> {
        Box::pin(self.write(tx, items))
    }
}
