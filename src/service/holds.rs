//! The acts on holds: stop, lift, look.
//!
//! Placing a hold is answered only when nothing that it covers can begin to leave any more, on any
//! node. Why that is so: `docs/decisions/0017-a-hold-is-in-line-with-the-guard.md`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    Caller, Done, Error, Page, Services, Told, Window, all_well, finish, permit, sessions,
};
use crate::clock::before;
use crate::config::Place;
use crate::domain::class::Class;
use crate::domain::fault::Fault;
use crate::domain::hold::{Hold, HoldScope, HoldState, Lift, NotLifted};
use crate::domain::id::{AccountId, DeliveryId, HoldId, PersonId, UnitId};
use crate::domain::policy::{Action, Refused, Subject};
use crate::domain::{locale::quoted, post, work};
use crate::queue::Recall;
use crate::store::holds::{self, Covered, Filter, Kept};
use crate::store::{self, Reader, accounts, installation, people, publishing, quarantine, units};

/// How often it is asked whether the other processes have followed.
const LOOK: Duration = Duration::from_millis(20);

/// What a hold covers: exactly one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(min_properties = 1, max_properties = 1)]
pub struct Scope {
    /// `true`: everything.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// One platform, as in `GET /platforms`.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// A unit with all below it: its posts, and what goes to its accounts.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<UnitId>,
    /// One account.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The posts of a campaign.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// The posts of a class.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
}

/// A member that is there says something: null beside another one would make two.
fn said<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}

/// A hold to be placed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewHold {
    /// What it covers.
    pub scope: Scope,
    /// Classes that stay open.
    #[serde(default)]
    pub except: Vec<Class>,
    /// Why; everybody whose delivery is stopped reads it.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// When it ends by itself, RFC 3339 with offset; it stands until it is lifted when not said.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// How many people must lift it, one or two; one when not said.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2)]
    pub lift_needs: Option<i64>,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    /// Its id.
    pub id: HoldId,
    /// What it covers.
    pub scope: Scope,
    /// Classes that stay open.
    pub except: Vec<Class>,
    /// Why.
    pub reason: String,
    /// Whether it stops anything; one whose end has passed counts as lifted.
    pub state: HoldState,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// How many people must lift it.
    pub lift_needs: i64,
    /// Who has said that it may end.
    pub lifts: Vec<Lift>,
    /// When enough people had said so.
    pub lifted_at: Option<Timestamp>,
    /// How many deliveries it has caught that nobody has reviewed.
    pub waiting: i64,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who placed it.
    pub created_by: PersonId,
    /// When.
    pub created_at: Timestamp,
}

/// A delivery whose request had begun when the hold was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InFlight {
    /// Which.
    pub delivery_id: DeliveryId,
    /// Its account.
    pub account_id: AccountId,
    /// Since when it is on its way.
    pub since: Timestamp,
}

/// A hold that stands: nothing that it covers begins to leave any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Placed {
    /// The hold.
    pub hold: HoldView,
    /// What had begun to leave before. Once one of them is `published` it can be recalled:
    /// `POST /deliveries/{id}/recall`, which no hold stops.
    pub in_flight: Vec<InFlight>,
}

impl Scope {
    /// What exactly one member says; a fault otherwise.
    fn settle(self) -> Result<HoldScope, Fault> {
        let said = [
            self.all.map(|all| all.then_some(HoldScope::All)),
            self.platform.map(|it| Some(HoldScope::Platform(it))),
            self.unit_id.map(|it| Some(HoldScope::Unit(it))),
            self.account_id.map(|it| Some(HoldScope::Account(it))),
            self.campaign_id.map(|it| Some(HoldScope::Campaign(it))),
            self.class.map(|it| Some(HoldScope::Class(it))),
        ];
        let mut said = said.into_iter().flatten();
        if let (Some(Some(scope)), None) = (said.next(), said.next()) {
            return Ok(scope);
        }
        let detail = "say exactly one of all: true, platform, unit_id, account_id, campaign_id and \
                      class";
        Err(Fault::new("/scope", "one_scope", detail))
    }

    fn of(scope: HoldScope) -> Self {
        let mut shown = Self::default();
        match scope {
            HoldScope::All => shown.all = Some(true),
            HoldScope::Platform(it) => shown.platform = Some(it),
            HoldScope::Unit(it) => shown.unit_id = Some(it),
            HoldScope::Account(it) => shown.account_id = Some(it),
            HoldScope::Campaign(it) => shown.campaign_id = Some(it),
            HoldScope::Class(it) => shown.class = Some(it),
        }
        shown
    }
}

impl HoldView {
    fn new(kept: Kept, now: Timestamp) -> Self {
        let state = kept.hold.state(now);
        let hold = kept.hold;
        Self {
            id: hold.id,
            scope: Scope::of(hold.scope),
            except: hold.except,
            reason: hold.reason,
            state,
            ends_at: hold.ends_at,
            lift_needs: hold.lift_needs,
            lifts: hold.lifts,
            lifted_at: hold.lifted_at,
            waiting: kept.waiting,
            version: hold.version,
            created_by: hold.created_by,
            created_at: hold.created_at,
        }
    }
}

/// What a hold of this scope is about, for the policy.
fn subject(scope: &HoldScope) -> Subject<'_> {
    match scope {
        HoldScope::Account(account) => Subject::Account(account),
        HoldScope::Unit(unit) => Subject::Unit(unit),
        HoldScope::All | HoldScope::Platform(_) | HoldScope::Campaign(_) | HoldScope::Class(_) => {
            Subject::Everything
        }
    }
}

/// Places a hold. After success nothing that it covers begins to leave any more; what had begun is
/// named.
pub async fn place(
    services: &Services,
    caller: &Caller,
    new: NewHold,
) -> Result<Done<Placed>, Error> {
    let scope = new.scope.clone().settle();
    // To him it is an account or a unit that does not exist.
    match &scope {
        Ok(HoldScope::Account(account)) if !caller.actor.sees(account) => {
            return Err(Error::Invalid(vec![unknown("account_id", account)]));
        }
        Ok(HoldScope::Unit(unit)) if !caller.actor.sees_unit(unit) => {
            return Err(Error::Invalid(vec![unknown("unit_id", unit)]));
        }
        Ok(_) | Err(_) => {}
    }
    permit(caller, Action::WriteHolds, scope.as_ref().map_or(Subject::Any, subject))?;
    let done = match caller.replay(services).await? {
        Some(done) => done,
        None => write(services, caller, new, scope).await?,
    };
    // After a repetition too: the first request may not have come so far.
    let in_flight = stopped(services, &done.value.id).await?;
    let value = Placed { hold: done.value, in_flight };
    Ok(Done { value, replayed: done.replayed })
}

async fn write(
    services: &Services,
    caller: &Caller,
    new: NewHold,
    scope: Result<HoldScope, Fault>,
) -> Result<Done<HoldView>, Error> {
    let now = services.clock.now();
    let (scope, mut faults) = match scope {
        Ok(scope) => (scope, Vec::new()),
        Err(fault) => (HoldScope::All, vec![fault]),
    };
    let hold = Hold {
        id: HoldId::new(now, services.random()),
        scope,
        except: new.except,
        reason: new.reason,
        ends_at: new.ends_at,
        lift_needs: new.lift_needs.unwrap_or(1),
        lifts: Vec::new(),
        lifted_at: None,
        version: 1,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
    };
    faults.extend(hold.check());
    faults.extend(dangling(services, &mut services.store.read().await?, &hold.scope).await?);
    all_well(faults)?;
    let mut tx = services.store.begin().await?;
    publishing::stand_still(&mut tx).await?;
    holds::insert(&mut tx, &hold).await?;
    let view = HoldView::new(Kept { hold, waiting: 0 }, now);
    let entry = caller.entry("hold.place", &view.id, json!({"hold": view}));
    finish(services, caller, tx, view, &[entry]).await
}

/// What the scope names that is not there.
async fn dangling(
    services: &Services,
    reader: &mut Reader,
    scope: &HoldScope,
) -> Result<Option<Fault>, Error> {
    Ok(match scope {
        HoldScope::All | HoldScope::Class(_) => None,
        HoldScope::Platform(name) => {
            let known = services.platforms.get(name).is_some();
            (!known).then(|| unknown("platform", &quoted(name)))
        }
        HoldScope::Unit(id) => {
            units::find(reader, id).await?.is_none().then(|| unknown("unit_id", id))
        }
        HoldScope::Account(id) => {
            accounts::find(reader, id).await?.is_none().then(|| unknown("account_id", id))
        }
        HoldScope::Campaign(id) => (!post::campaign_id(id)).then(|| {
            let detail = "must be the id of a campaign";
            Fault::new("/scope/campaign_id", "bad_campaign", detail)
        }),
    })
}

fn unknown(member: &str, value: &impl ToString) -> Fault {
    let value = value.to_string();
    let detail = format!("there is no {value}");
    Fault::new(format!("/scope/{member}"), "unknown_reference", detail).with("value", value)
}

/// Takes back what the hold covers and has not left, here and on every other node, and tells what
/// had left before. The hold must be committed: nothing that it covers is guarded any more.
async fn stopped(services: &Services, id: &HoldId) -> Result<Vec<InFlight>, Error> {
    let clock = &services.clock;
    let alone = matches!(services.config.database.place, Place::Sqlite(_));
    let patience = clock.elapsed() + services.config.server.request_timeout / 2;
    loop {
        let mut reader = services.store.read().await?;
        let covered = holds::covered(&mut reader, id).await?;
        let lost = !alone && may_be_lost(services, &mut reader, id).await?;
        drop(reader);
        let (mut in_flight, mut unclear) = (Vec::new(), usize::from(lost));
        for one in covered {
            let begun = match services.queue.gate().recall(&work::publish_key(&one.delivery_id)) {
                Recall::Taken => false,
                Recall::Leaving => true,
                // Here it has ended and is being written down. Elsewhere only that node can tell.
                Recall::NotHere => {
                    let clear = alone || one.confirmed;
                    unclear += usize::from(!clear);
                    clear
                }
            };
            if begun {
                let Covered { delivery_id, account_id, since, .. } = one;
                in_flight.push(InFlight { delivery_id, account_id, since });
            }
        }
        if unclear == 0 {
            return Ok(in_flight);
        }
        if clock.elapsed() >= patience {
            let detail = "the hold stands, but another node has not said yet that it sends nothing \
                          more; ask again under the same Idempotency-Key";
            let told = Told::new("hold_unconfirmed", detail);
            return Err(Error::Unfinished(told.member("hold_id", id.as_str())));
        }
        clock.sleep(LOOK).await;
    }
}

/// Whether something may wait elsewhere that was guarded by a commit which is lost, so that nothing is
/// known of it here: while a failover is not noticed, and then until every process has said that nothing
/// waits there.
async fn may_be_lost(
    services: &Services,
    reader: &mut Reader,
    id: &HoldId,
) -> Result<bool, store::Error> {
    let Some(server) = installation::server(reader).await? else { return Ok(false) };
    if server.has_changed() {
        return Ok(true);
    }
    if quarantine::find(reader).await?.is_none() {
        return Ok(false);
    }
    // Whoever has not been seen for so long has no lease, and sends nothing.
    let since = before(services.clock.now(), services.config.publish.lease * 3);
    Ok(holds::unheeded(reader, id, since).await? > 0)
}

/// Says that a hold may end. With the last person that it needs it is lifted: what is still before
/// its instant goes out then, what was due meanwhile waits for a review.
pub async fn lift(
    services: &Services,
    caller: &Caller,
    id: &HoldId,
) -> Result<Done<HoldView>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    sessions::fresh(caller, services.clock.now())?;
    let mut tx = services.store.begin().await?;
    let Kept { mut hold, waiting } = see(&mut tx, caller, Action::WriteHolds, id).await?;
    if hold.lift_needs > 1 && !caller.actor.administrator {
        // Tokens of others can be made by an administrator, who would be two people with one.
        return Err(Refused::NeedsAdministrator.into());
    }
    if !caller.actor.administrator
        && people::find(&mut tx, &hold.created_by).await?.is_some_and(|it| it.administrator)
    {
        // Whom the ministry has stopped does not go on by himself.
        return Err(Refused::NeedsAdministrator.into());
    }
    let from = hold.version;
    let now = services.clock.now();
    hold.lift(&caller.actor.person_id, now).map_err(|why| not_lifted(why, &hold))?;
    hold.version = from + 1;
    holds::update_lifts(&mut tx, &hold, from).await?;
    let over = hold.lifted_at.is_some();
    let caught = if over { holds::look_again(&mut tx, id, now).await? } else { 0 };
    let view = HoldView::new(Kept { hold, waiting }, now);
    let detail = json!({"lifted": over, "lifts": view.lifts, "caught": caught});
    let entry = caller.entry("hold.lift", id, detail);
    let done = finish(services, caller, tx, view, &[entry]).await?;
    services.queue.look_again();
    Ok(done)
}

fn not_lifted(why: NotLifted, hold: &Hold) -> Error {
    Error::Conflict(match why {
        NotLifted::Over => {
            let end = hold.end().map(|end| end.to_string());
            Told::new("hold_over", "the hold stands no more").member("ended_at", end)
        }
        NotLifted::SamePerson => {
            Told::new("lift_needs_another", "you have said so already; another person must too")
                .member("lift_needs", hold.lift_needs)
        }
    })
}

/// The hold, when the caller may do this with it; one on an account that is not his to know is not
/// there.
async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &HoldId,
) -> Result<Kept, Error> {
    if let Action::ReadHolds = action {
        permit(caller, action, Subject::Any)?;
    }
    let kept = holds::find(reader, id).await?.ok_or(Error::NotFound)?;
    let scope = &kept.hold.scope;
    let covers_his = match scope {
        HoldScope::Unit(unit) => caller.actor.reach.is_above(unit),
        HoldScope::Account(_) => false,
        HoldScope::All | HoldScope::Platform(_) | HoldScope::Campaign(_) | HoldScope::Class(_) => {
            true
        }
    };
    if !(covers_his && action == Action::ReadHolds) {
        permit(caller, action, subject(scope))?;
    }
    Ok(kept)
}

/// One hold.
pub async fn show(services: &Services, caller: &Caller, id: &HoldId) -> Result<HoldView, Error> {
    let mut reader = services.store.read().await?;
    let kept = see(&mut reader, caller, Action::ReadHolds, id).await?;
    Ok(HoldView::new(kept, services.clock.now()))
}

/// A page of holds, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    state: Option<HoldState>,
    window: &Window,
) -> Result<Page<HoldView>, Error> {
    permit(caller, Action::ReadHolds, Subject::Any)?;
    let among = caller.actor.accounts_for(Action::ReadHolds).map(|own| own.into_iter().collect());
    let within = caller.actor.units_for(Action::ReadHolds).map(|mut own| {
        own.extend(caller.actor.reach.above().iter().cloned());
        own.into_iter().collect()
    });
    let filter = Filter { state, among, within, before: window.after_id()? };
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let rows = holds::list(&mut reader, &filter, now, window.rows()).await?;
    let page = window.page(rows, |kept| vec![kept.hold.id.to_string()]);
    let items = page.items.into_iter().map(|kept| HoldView::new(kept, now)).collect();
    Ok(Page { items, next: page.next })
}
