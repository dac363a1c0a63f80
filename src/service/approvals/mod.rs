//! Approvals: who asks for them, who gives, refuses and takes them back, and how a post stands.

mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::holds::InFlight;
use super::plan::Ready;
use super::posts::see;
use super::recall::{self, Back};
use super::{
    Caller, Done, Error, Services, Told, all_well, finish, permit, sessions, translations,
};
use crate::domain::approval::{
    self, Approval, ApprovalState, Decision, MAX_NOTE, Submission, Waiting, plan_hash,
};
use crate::domain::audit::NewEntry;
use crate::domain::class::Class;
use crate::domain::delivery::WaitsFor;
use crate::domain::id::{ApprovalId, PersonId, PostId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::unit::{self, Unit};
use crate::domain::variant;
use crate::store::jobs::NewJob;
use crate::store::{Reader, Tx, approvals, audit, budgets, deliveries, publishing, recalls, units};

pub(super) use wanted::{list, wanted, wanted_again};

/// What somebody says to a post.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Deciding {
    /// The revision that he has seen.
    pub revision: i64,
    /// The `content_hash` that he has seen.
    pub content_hash: String,
    /// What he says.
    pub decision: Decision,
    /// The `approvals.plan_hash` that he has seen, where deliveries of the post wait for approval: then where
    /// and when they go is approved too.
    #[serde(default)]
    pub plan_hash: Option<String>,
    /// Why; shown to whoever may see the post.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

/// How a post stands with those who must approve it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalsView {
    /// In a word.
    pub state: ApprovalState,
    /// How many people other than its writers must say yes.
    pub needed: usize,
    /// How many whose yes counts have said it, to what the post says now.
    pub given: usize,
    /// Who asked for approval of what it says now.
    pub submitted_by: Option<PersonId>,
    /// When.
    pub submitted_at: Option<Timestamp>,
    /// When the first delivery is due that waits for approval.
    pub due_at: Option<Timestamp>,
    /// Names where and when the deliveries go that wait for approval, or had to; nothing where there are none.
    pub plan_hash: Option<String>,
    /// What was said, in order, to this content and to earlier ones.
    pub decisions: Vec<DecisionView>,
}

/// What somebody has said to a post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// Its id.
    pub id: ApprovalId,
    /// Who.
    pub person_id: PersonId,
    /// What.
    pub decision: Decision,
    /// To which revision.
    pub revision: i64,
    /// To which content.
    pub content_hash: String,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub decided_at: Timestamp,
    /// When a yes ended: taken back, fallen with somebody's no, or with a change of the post.
    pub ended_at: Option<Timestamp>,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decided {
    /// The post.
    pub post_id: PostId,
    /// How it stands now.
    pub approvals: ApprovalsView,
    /// After a no, or after a yes was taken back: what had begun to leave before. Nothing else of the post
    /// goes out until it is approved again.
    #[serde(default)]
    pub in_flight: Vec<InFlight>,
}

impl ApprovalsView {
    /// Of a post to which nobody has said anything.
    pub(super) fn fresh(wanted: unit::Approval) -> Self {
        Self::new((wanted, 0), "", (None, None), Vec::new(), None)
    }

    fn new(
        (wanted, given): (unit::Approval, usize),
        content_hash: &str,
        (asked, waiting): (Option<Submission>, Option<&Waiting>),
        said: Vec<Approval>,
        plan_hash: Option<String>,
    ) -> Self {
        let needed = wanted.needed();
        let state = approval::state(needed, given, content_hash, (asked.as_ref(), waiting), &said);
        let asked = asked.filter(|it| it.content_hash == content_hash);
        Self {
            state,
            needed,
            given,
            submitted_at: asked.as_ref().map(|it| it.at),
            submitted_by: asked.map(|it| it.by),
            due_at: waiting.map(|it| it.due_at),
            plan_hash,
            decisions: said.into_iter().map(DecisionView::from).collect(),
        }
    }
}

impl From<Approval> for DecisionView {
    fn from(said: Approval) -> Self {
        Self {
            id: said.id,
            person_id: said.person_id,
            decision: said.decision,
            revision: said.revision,
            content_hash: said.content_hash,
            note: said.note,
            decided_at: said.decided_at,
            ended_at: said.ended_at,
        }
    }
}

/// How each of these posts stands.
pub(super) async fn of(
    reader: &mut Reader,
    posts: &[&Post],
    now: Timestamp,
) -> Result<BTreeMap<PostId, ApprovalsView>, Error> {
    let ids: Vec<&PostId> = posts.iter().map(|post| &post.id).collect();
    let wanted = approvals::wanted(reader, &ids).await?;
    let standing = approvals::standing(reader, &ids, now).await?;
    let mut asked = approvals::submissions(reader, &ids).await?;
    let mut said = approvals::of_posts(reader, &ids).await?;
    let planned = approvals::planned(reader, &ids).await?;
    let waiting = approvals::waiting(reader, &ids).await?;
    let view = |post: &&Post| {
        let id = &post.id;
        let view = ApprovalsView::new(
            (
                wanted.get(id).copied().unwrap_or(unit::Approval::Two),
                standing.get(id).map_or(0, BTreeSet::len),
            ),
            &post.content_hash,
            (asked.remove(id), waiting.get(id)),
            said.remove(id).unwrap_or_default(),
            planned.get(id).and_then(|it| plan_hash(it)),
        );
        (id.clone(), view)
    };
    Ok(posts.iter().map(view).collect())
}

/// Refuses what is not approved as the unit wants it.
pub(super) async fn check(
    reader: &mut Reader,
    unit: &Unit,
    post: Option<&PostId>,
    now: Timestamp,
) -> Result<(), Error> {
    let needed = unit.approval.needed();
    let given = match post {
        Some(id) if needed > 0 => {
            approvals::standing(reader, &[id], now).await?.get(id).map_or(0, BTreeSet::len)
        }
        Some(_) | None => 0,
    };
    if given >= needed {
        return Ok(());
    }
    let detail = format!(
        "this version needs the approval of {needed} other than its writers and has {given}: ask for it \
         with POST /posts/{{id}}/submit, or plan it with awaiting_approval, so that it goes out once it is \
         approved"
    );
    Err(Error::Conflict(
        Told::new("approval_required", detail)
            .with("needed", needed)
            .with("given", given)
            .member("approval", unit.approval.as_str())
            .member("needed", needed)
            .member("given", given),
    ))
}

/// Whether deliveries are to wait for approval: where the unit wants that and somebody plans so. Where he does
/// not, what is not approved is refused.
pub(super) async fn asked(
    reader: &mut Reader,
    unit: &Unit,
    (post, wait): (&PostId, bool),
    now: Timestamp,
) -> Result<bool, Error> {
    let waits = wait && unit.approval.needed() > 0;
    if !waits {
        check(reader, unit, Some(post), now).await?;
    }
    Ok(waits)
}

/// What the settings of a delivery show, such as the answers of a poll, is not part of what was approved with
/// the post, only of a plan.
pub(super) fn check_settings(unit: &Unit, ready: &[Ready]) -> Result<(), Error> {
    let plain = |one: &Ready| one.row.settings.as_object().is_none_or(serde_json::Map::is_empty);
    let covered = |one: &Ready| one.row.asks_approval || plain(one);
    if unit.approval.needed() == 0 || ready.iter().all(covered) {
        return Ok(());
    }
    let detail = "settings of a delivery are approved with the plan alone: schedule it with awaiting_approval";
    Err(Error::Conflict(Told::new("settings_not_approved", detail)))
}

/// Asks for approval of what a post says now: whoever may approve it is told.
pub async fn submit(
    services: &Services,
    caller: &Caller,
    id: &PostId,
) -> Result<Done<ApprovalsView>, Error> {
    permit(caller, Action::WriteVariants, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    approvals::lock(&mut tx, id).await?;
    let post = see(&mut tx, caller, Action::WriteVariants, id).await?;
    let unit = units::find(&mut tx, &post.unit_id).await?.ok_or(Error::NotFound)?;
    check_needed(&unit)?;
    super::schedule::check_open(services, &unit)?;
    let by = caller.actor.person_id.clone();
    let asked = Submission { content_hash: post.content_hash.clone(), by, at: now };
    approvals::submit(&mut tx, id, &asked).await?;
    let told = wanted(&mut tx, (&post, unit.approval), None, now).await?;
    let view = shown(&mut tx, &post, now).await?;
    let detail = json!({
        "revision": post.revision, "content_hash": post.content_hash, "plan_hash": view.plan_hash,
    });
    let entries = [caller.entry("post.submit", id, detail), told];
    finish(services, caller, tx, view, &entries).await
}

/// Says yes or no to a post as somebody has seen it, or takes a yes back.
pub async fn decide(
    services: &Services,
    caller: &Caller,
    id: &PostId,
    said: Deciding,
) -> Result<Done<Decided>, Error> {
    permit(caller, Action::Approve, Subject::Any)?;
    let stops = said.decision != Decision::Approve;
    let mut done = match caller.replay(services).await? {
        Some(done) => done,
        None => write(services, caller, id, said).await?,
    };
    if stops {
        // After a repetition too: the first request may not have come so far.
        done.value.in_flight = take_back(services, caller, id).await?;
    }
    Ok(done)
}

async fn write(
    services: &Services,
    caller: &Caller,
    id: &PostId,
    said: Deciding,
) -> Result<Done<Decided>, Error> {
    let now = services.clock.now();
    // Before anybody waits for it.
    see(&mut services.store.read().await?, caller, Action::Approve, id).await?;
    let mut tx = services.store.begin().await?;
    if said.decision != Decision::Approve {
        // What a guard that is open lets pass must be there to be taken back before the answer.
        publishing::stand_still(&mut tx).await?;
    }
    approvals::lock(&mut tx, id).await?;
    let post = see(&mut tx, caller, Action::Approve, id).await?;
    let unit = units::find(&mut tx, &post.unit_id).await?.ok_or(Error::NotFound)?;
    check_needed(&unit)?;
    if said.decision == Decision::Approve && post.class == Class::Statement {
        sessions::fresh(caller, now)?;
    }
    let before = shown(&mut tx, &post, now).await?;
    let jobs = apply(&mut tx, caller, (&post, &unit), &said, now).await?;
    let mut after = shown(&mut tx, &post, now).await?;
    if after.given < after.needed {
        approvals::stop(&mut tx, id, &WaitsFor::approval(), now).await?;
        after = shown(&mut tx, &post, now).await?;
    }
    let detail = json!({
        "revision": post.revision, "content_hash": post.content_hash, "plan_hash": before.plan_hash,
        "given": after.given, "needed": after.needed,
    });
    let mut entries = vec![caller.entry(&format!("post.{}", said.decision), id, detail)];
    entries.extend(news(&mut tx, &post, said.decision, (&before, &after)).await?);
    approvals::mark(&mut tx, id, (after.state == ApprovalState::Wanted).then_some(now)).await?;
    let taken_back = before.state == ApprovalState::Given || said.decision == Decision::Withdraw;
    if after.state == ApprovalState::Wanted && taken_back {
        // Somebody else may give it in his stead.
        let me = Some(&caller.actor.person_id);
        entries.push(wanted(&mut tx, (&post, unit.approval), me, now).await?);
    }
    let decided = Decided { post_id: id.clone(), approvals: after, in_flight: Vec::new() };
    let done = finish(services, caller, tx, decided, &entries).await?;
    services.queue.announce(&jobs);
    Ok(done)
}

/// Writes it down, with what ends by it; gives the jobs of what may go on.
async fn apply(
    tx: &mut Tx,
    caller: &Caller,
    (post, unit): (&Post, &Unit),
    said: &Deciding,
    now: Timestamp,
) -> Result<Vec<NewJob>, Error> {
    let (id, me, label) = (&post.id, &caller.actor.person_id, caller.actor.label());
    let verdict = Approval {
        id: ApprovalId::new(now, rand::random()),
        post_id: id.clone(),
        revision: post.revision,
        content_hash: post.content_hash.clone(),
        person_id: me.clone(),
        decision: said.decision,
        note: note(said.note.as_deref())?,
        decided_at: now,
        ended_at: None,
        ended_by: None,
    };
    match said.decision {
        Decision::Approve => {
            // Read once: what is moved from here on has another number of moves than what is covered.
            let planned = approvals::planned(tx, &[id]).await?.remove(id).unwrap_or_default();
            is_current(post, plan_hash(&planned).as_ref(), said)?;
            is_anothers(tx, post, me).await?;
            translations::check_fresh(tx, post).await?;
            approvals::end(tx, id, Some(me), &label, now).await?;
            approvals::insert(tx, &verdict, &planned).await?;
            return Ok(approvals::release(tx, id, unit.approval.needed(), now).await?);
        }
        Decision::Reject => {
            is_current(post, None, said)?;
            approvals::end(tx, id, None, &label, now).await?;
        }
        Decision::Withdraw => {
            if approvals::end(tx, id, Some(me), &label, now).await? == 0 {
                let detail = "no approval of yours stands for this post";
                return Err(Error::Conflict(Told::new("nothing_to_withdraw", detail)));
            }
        }
    }
    approvals::insert(tx, &verdict, &[]).await?;
    Ok(Vec::new())
}

/// Where nobody's yes is needed, nobody's no would stop anything.
fn check_needed(unit: &Unit) -> Result<(), Error> {
    if unit.approval.needed() > 0 {
        return Ok(());
    }
    let detail = "posts of this unit need no approval: schedule, cancel or hold its deliveries";
    Err(Error::Conflict(Told::new("approval_not_needed", detail)))
}

/// The note in its one form.
fn note(raw: Option<&str>) -> Result<Option<String>, Error> {
    let mut faults = Vec::new();
    let note = raw.map(|raw| variant::clean(raw, MAX_NOTE, true, "/note", &mut faults));
    all_well(faults)?;
    Ok(note.filter(|note| !note.is_empty()))
}

/// Refuses a word about something else than what the post is now.
fn is_current(post: &Post, plan: Option<&String>, said: &Deciding) -> Result<(), Error> {
    let as_it_is = |told: Told| {
        let told = told.member("revision", post.revision).member("plan_hash", plan.cloned());
        Err(Error::Conflict(told.member("content_hash", post.content_hash.clone())))
    };
    if said.revision != post.revision || said.content_hash != post.content_hash {
        let detail = "the post has changed since: look at it as it is now and decide about that";
        return as_it_is(Told::new("approval_outdated", detail));
    }
    if said.decision == Decision::Approve && said.plan_hash.as_ref() != plan {
        let detail = "deliveries of the post wait for approval of where and when they go, or were moved \
                      since: look at them, and name approvals.plan_hash of the post as plan_hash";
        return as_it_is(Told::new("plan_changed", detail));
    }
    Ok(())
}

/// Nobody approves what he has written.
async fn is_anothers(tx: &mut Tx, post: &Post, me: &PersonId) -> Result<(), Error> {
    if post.created_by != me.as_str() && !approvals::writers(tx, &post.id).await?.contains(me) {
        return Ok(());
    }
    let detail = "whoever has written any of a post cannot approve it: another person must";
    Err(Error::Forbidden(Told::new("own_work", detail)))
}

/// What is told of a decision to those who wait for it.
async fn news(
    tx: &mut Tx,
    post: &Post,
    decision: Decision,
    (before, after): (&ApprovalsView, &ApprovalsView),
) -> Result<Option<NewEntry>, Error> {
    let complete = |it: &ApprovalsView| it.given >= it.needed;
    let action = match decision {
        Decision::Approve if complete(after) && !complete(before) => "approval.given",
        Decision::Approve => return Ok(None),
        Decision::Reject | Decision::Withdraw => "approval.refused",
    };
    let mut owners = approvals::writers(tx, &post.id).await?;
    owners.extend(post.created_by.parse());
    owners.extend(after.submitted_by.clone());
    owners.sort_unstable();
    owners.dedup();
    let detail = json!({
        "post_id": post.id, "unit_id": post.unit_id, "title": post.title, "owners": owners,
    });
    Ok(Some(told_of(action, &post.id, detail)))
}

pub(super) fn told_of(action: &str, post: &PostId, detail: serde_json::Value) -> NewEntry {
    NewEntry {
        actor: "service".to_owned(),
        action: action.to_owned(),
        subject: post.to_string(),
        detail,
    }
}

async fn shown(reader: &mut Reader, post: &Post, now: Timestamp) -> Result<ApprovalsView, Error> {
    of(reader, &[post], now).await?.remove(&post.id).ok_or(Error::NotFound)
}

/// Takes back what is guarded of a post and has not left, and tells what had left before. That it is not
/// approved must be committed: nothing of it is guarded any more.
async fn take_back(
    services: &Services,
    caller: &Caller,
    post: &PostId,
) -> Result<Vec<InFlight>, Error> {
    let guarded = approvals::guarded(&mut services.store.read().await?, post).await?;
    let mut in_flight = Vec::new();
    for id in guarded {
        match recall::take_back(services, &id).await? {
            Back::Here(attempt) => {
                let now = services.clock.now();
                let mut tx = services.store.begin().await?;
                if recalls::withdraw(&mut tx, (&id, &attempt), now, now).await? {
                    budgets::give_back(&mut tx, &[&attempt]).await?;
                    let detail = json!({"code": "withdrawn"});
                    audit::append(&mut tx, &[caller.entry("delivery.scheduled", &id, detail)], now);
                }
                tx.commit().await?;
                services.queue.look_again();
            }
            Back::Leaving => {
                let mut reader = services.store.read().await?;
                let found = deliveries::find(&mut reader, &id).await?;
                in_flight.extend(found.map(|one| InFlight {
                    delivery_id: one.id,
                    account_id: one.account_id,
                    since: one.state_since,
                }));
            }
            Back::Ended => {}
        }
    }
    Ok(in_flight)
}
