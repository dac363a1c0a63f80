//! Leaves platforms and accounts alone that do not answer, and holds everything of a platform that
//! refuses several accounts alike, until a probe shows that it is over.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde_json::json;

use super::Tools;
use super::clauses::{Brake, Force};
use super::publish::{Errand, Report, delivery_of};
use crate::clock::after;
use crate::domain::audit::NewEntry;
use crate::domain::circuit::{Circuit, Concerned, Rules, Weight};
use crate::domain::class::Class;
use crate::domain::id::DeliveryId;
use crate::domain::work;
use crate::platforms::outcome::{Outcome, RefusalKind};
use crate::queue::job::Settled;
use crate::store::jobs::Claimed;
use crate::store::{Error, Tx, audit, circuits as rows};

/// What open circuits say about the deliveries of one claim.
#[derive(Debug, Default)]
pub(super) struct Brakes {
    /// Those that may not go now, and why.
    pub(super) stopped: HashMap<DeliveryId, Brake>,
    /// Those that go in order to see whether a circuit can close, with the circuits' scopes.
    probes: HashMap<DeliveryId, Vec<String>>,
}

/// Asks the circuits about claimed jobs; takes the probes that are to be had.
pub(super) async fn brakes(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    jobs: &[Claimed],
) -> Result<Brakes, Error> {
    let scopes = scopes(jobs.iter().map(|job| job.slot.as_str()));
    let scopes: Vec<&str> = scopes.into_iter().collect();
    let mut brakes = Brakes::default();
    let open: HashMap<String, Circuit> = rows::find(tx, &scopes)
        .await?
        .into_iter()
        .filter(Circuit::is_open)
        .map(|circuit| (circuit.scope.clone(), circuit))
        .collect();
    if open.is_empty() {
        return Ok(brakes);
    }
    let mut wanted: HashSet<&str> = HashSet::new();
    for (job, id) in ordered(jobs, &open) {
        let standing: Vec<&Circuit> = [job.slot.as_str(), work::pool(&job.slot)]
            .into_iter()
            .filter_map(|scope| open.get(scope))
            .collect();
        if standing.is_empty() {
            continue;
        }
        let urgent = job.priority <= i64::from(Class::Urgent.priority());
        let free = |it: &&Circuit| it.may_probe(now, urgent) && !wanted.contains(it.scope.as_str());
        if standing.iter().all(free) {
            wanted.extend(standing.iter().map(|it| it.scope.as_str()));
            let scopes = standing.iter().map(|it| it.scope.clone()).collect();
            brakes.probes.insert(id, scopes);
        } else {
            brakes.stopped.extend(brake(&standing, tools, now).map(|brake| (id, brake)));
        }
    }
    if !wanted.is_empty() {
        let wanted: Vec<&str> = wanted.into_iter().collect();
        let until = after(now, tools.pace.request_timeout + tools.pace.margin);
        let won: HashSet<String> =
            rows::probe(tx, &wanted, now, until).await?.into_iter().collect();
        let lost: Vec<DeliveryId> = brakes
            .probes
            .iter()
            .filter(|(_, scopes)| !scopes.iter().all(|scope| won.contains(scope)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            // Another node is probing.
            let scopes = brakes.probes.remove(&id).unwrap_or_default();
            let standing: Vec<&Circuit> = scopes.iter().filter_map(|it| open.get(it)).collect();
            brakes.stopped.extend(brake(&standing, tools, now).map(|brake| (id, brake)));
        }
    }
    Ok(brakes)
}

/// Slots that are to be left alone even by what is urgent, and until when: somebody is trying just now
/// whether it answers.
pub(super) async fn closed_even_to_urgent<'a>(
    tools: &Tools,
    tx: &mut Tx,
    now: Timestamp,
    slots: &[&'a str],
) -> Result<HashMap<&'a str, Timestamp>, Error> {
    let scopes: Vec<&str> = scopes(slots.iter().copied()).into_iter().collect();
    let open = rows::find(tx, &scopes).await?;
    let mut closed = HashMap::new();
    for circuit in open.iter().filter(|it| it.is_open() && !it.may_probe(now, true)) {
        let soon = after(now, tools.pace.request_timeout);
        let until = circuit.next_probe().filter(|at| *at > now).map_or(soon, |at| at.min(soon));
        for slot in
            slots.iter().filter(|it| **it == circuit.scope || work::pool(it) == circuit.scope)
        {
            closed.insert(*slot, until);
        }
    }
    Ok(closed)
}

impl Brakes {
    /// Gives the probes of those back that were not guarded.
    pub(super) async fn give_back(
        &self,
        tx: &mut Tx,
        guarded: &HashSet<DeliveryId>,
    ) -> Result<(), Error> {
        let unused: Vec<&str> = self
            .probes
            .iter()
            .filter(|(id, _)| !guarded.contains(*id))
            .flat_map(|(_, scopes)| scopes.iter().map(String::as_str))
            .collect();
        if unused.is_empty() { Ok(()) } else { rows::unused(tx, &unused).await }
    }
}

/// The jobs in the order in which they may probe: by urgency, and first the accounts of which
/// nothing bad was seen.
fn ordered<'a>(
    jobs: &'a [Claimed],
    open: &HashMap<String, Circuit>,
) -> Vec<(&'a Claimed, DeliveryId)> {
    let spoiled = |job: &Claimed| {
        open.get(work::pool(&job.slot)).is_some_and(|circuit| circuit.has_seen(&job.slot))
    };
    let mut jobs: Vec<_> = jobs.iter().filter_map(|job| Some((job, delivery_of(job)?))).collect();
    jobs.sort_by_key(|(job, _)| (spoiled(job), job.priority, job.due_at));
    jobs
}

fn brake(standing: &[&Circuit], tools: &Tools, now: Timestamp) -> Option<Brake> {
    // What lasts longest says what it waits for.
    let circuit = standing.iter().max_by_key(|circuit| (circuit.incident, circuit.next_probe()))?;
    let probe = circuit.next_probe().filter(|at| *at > now);
    let until = probe.unwrap_or_else(|| after(now, tools.pace.request_timeout));
    let since = circuit.opened_at.unwrap_or(now);
    let said = circuit.detail.as_deref().unwrap_or_default();
    let scope = &circuit.scope;
    Some(if circuit.incident {
        Brake {
            code: "incident",
            detail: format!(
                "{scope} refuses several accounts alike since {since}: {said}; looked at again at {until}"
            ),
            until,
            force: Force::Holds,
        }
    } else {
        Brake {
            code: "circuit",
            detail: format!(
                "{scope} does not answer since {since}: {said}; tried again at {until}"
            ),
            until,
            force: Force::Waits,
        }
    })
}

/// A slot's own scope and that of its platform.
fn scopes<'a>(slots: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    slots.flat_map(|slot| [work::pool(slot), slot]).filter(|scope| !scope.is_empty()).collect()
}

/// The circuits of one settlement, which learn from what platforms said.
#[derive(Debug)]
pub(super) struct Lessons {
    rules: Rules,
    now: Timestamp,
    known: HashMap<String, Circuit>,
    stored: HashSet<String>,
    changed: BTreeSet<String>,
    entries: Vec<NewEntry>,
}

impl Lessons {
    /// Looks up the circuits of these jobs.
    pub(super) async fn of(
        tools: &Tools,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Report>],
    ) -> Result<Self, Error> {
        let scopes = scopes(done.iter().map(|one| one.job.slot.as_str()));
        let scopes: Vec<&str> = scopes.into_iter().collect();
        let known: HashMap<String, Circuit> = rows::find(tx, &scopes)
            .await?
            .into_iter()
            .map(|circuit| (circuit.scope.clone(), circuit))
            .collect();
        let stored = known.keys().cloned().collect();
        let (changed, entries) = (BTreeSet::new(), Vec::new());
        Ok(Self { rules: tools.pace.circuits, now, known, stored, changed, entries })
    }

    /// Learns from one report. True when it is part of an incident of the whole platform.
    pub(super) fn learn(&mut self, one: &Settled<Errand, Report>) -> bool {
        let Report::Asked { answer, .. } = &one.report else { return false };
        let slot = one.job.slot.as_str();
        let pool = work::pool(slot);
        let content = one.item.prepared.content_hash.as_str();
        match &answer.value {
            Outcome::Deferred(deferral) if matches!(deferral.code, "connect" | "upload") => {
                self.failed(slot, content, &deferral.detail);
            }
            // It answers: that is all that matters here.
            Outcome::Published(_) | Outcome::Pending(_) | Outcome::Deferred(_) => self.good(slot),
            Outcome::Unknown(doubt) => self.failed(slot, content, &doubt.detail),
            Outcome::Refused(refusal) => {
                self.closed(slot);
                let weight = match refusal.kind {
                    RefusalKind::Configuration | RefusalKind::Credits => Weight::Application,
                    RefusalKind::Credential | RefusalKind::Permission | RefusalKind::Person => {
                        Weight::Account
                    }
                    RefusalKind::Content => Weight::Content,
                    RefusalKind::Duplicate => {
                        self.closed(pool);
                        return false;
                    }
                };
                let said = format!("{} {}", refusal.code, refusal.detail);
                return self.refused(pool, &refusal.code, (weight, &said), (slot, content));
            }
        }
        false
    }

    fn good(&mut self, slot: &str) {
        self.closed(slot);
        self.closed(work::pool(slot));
    }

    fn closed(&mut self, scope: &str) {
        let Some(was) = self.known.remove(scope) else { return };
        self.changed.insert(scope.to_owned());
        if let Some(since) = was.opened_at {
            tracing::info!(scope, %since, incident = was.incident, "it answers again");
            self.entry(if was.incident { "incident.ended" } else { "circuit.closed" }, &was);
        }
    }

    fn failed(&mut self, slot: &str, content: &str, detail: &str) {
        let whom = Concerned { account: slot, content };
        for scope in [slot, work::pool(slot)] {
            let rules = self.rules;
            let now = self.now;
            let circuit = self.at(scope);
            if circuit.failed(&whom, detail, now, &rules) {
                let (until, was) = (circuit.open_until, circuit.clone());
                tracing::warn!(scope, ?until, detail, "it does not answer and is left alone");
                self.entry("circuit.opened", &was);
            }
        }
    }

    fn refused(
        &mut self,
        pool: &str,
        code: &str,
        why: (Weight, &str),
        (slot, content): (&str, &str),
    ) -> bool {
        let (rules, now) = (self.rules, self.now);
        let before = self.known.get(pool).is_some_and(|it| it.incident && it.is_open());
        let circuit = self.at(pool);
        let on = circuit.refused(code, why, &Concerned { account: slot, content }, now, &rules);
        let circuit = circuit.clone();
        if on && !before {
            tracing::error!(
                platform = pool,
                code,
                detail = why.1,
                "an incident of the whole platform: its deliveries are held, not failed"
            );
            metrics::counter!("chancery_incidents_total", "platform" => pool.to_owned())
                .increment(1);
            self.entry("incident.began", &circuit);
        }
        if before && !on {
            tracing::info!(platform = pool, "the incident is over: it says something else");
            self.entry("incident.ended", &circuit);
        }
        on
    }

    fn at(&mut self, scope: &str) -> &mut Circuit {
        self.changed.insert(scope.to_owned());
        self.known.entry(scope.to_owned()).or_insert_with(|| Circuit::closed(scope))
    }

    fn entry(&mut self, action: &str, circuit: &Circuit) {
        self.entries.push(NewEntry {
            actor: "engine".to_owned(),
            action: action.to_owned(),
            subject: circuit.scope.clone(),
            detail: json!({"code": circuit.code, "detail": circuit.detail}),
        });
    }

    /// Writes what changed; nothing at all while everything goes well.
    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), Error> {
        let mut gone = Vec::new();
        for scope in &self.changed {
            match self.known.get(scope) {
                Some(circuit) => rows::save(tx, circuit, self.now).await?,
                None if self.stored.contains(scope) => gone.push(scope.as_str()),
                None => {}
            }
        }
        if !gone.is_empty() {
            rows::close(tx, &gone).await?;
        }
        audit::append(tx, &self.entries, self.now);
        Ok(())
    }
}
