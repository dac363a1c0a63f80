//! Looks for broken promises in the service's own database while it runs: periodic work, once for each
//! of its instants over all nodes, on what has moved since the last look, at a bounded cost.
//!
//! It changes nothing but its own notes. What it finds is told to administrators once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Tools;
use crate::clock::{after, before};
use crate::domain::audit::{Entry, NewEntry, follows};
use crate::domain::id::DeliveryId;
use crate::domain::invariant::{Invariant, state_after};
use crate::domain::outbox::Occasion;
use crate::domain::work;
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, Settled, Settlement, Verdict, Work};
use crate::store::jobs::Claimed;
use crate::store::self_audit::{self, Broken, Verified};
use crate::store::{Error, Reader, Tx, audit};
use crate::vault::signer::Signer;

/// Links of the audit that are read at once, and how often in one look.
const STRIDE: u32 = 5_000;
const STRIDES: usize = 4;
/// Most deliveries that are looked at although the audit does not speak of them.
const MOST: i64 = 2_000;
/// How long ago those were due at most.
const BACK: Duration = Duration::from_hours(2);

/// The kind of work that looks.
#[derive(Debug)]
pub struct SelfAudit {
    tools: Tools,
    heads: Option<Heads>,
}

/// What signs heads, and how often.
#[derive(Debug, Clone)]
pub struct Heads {
    /// The key.
    pub signer: Arc<Signer>,
    /// Once in this span.
    pub every: Duration,
}

/// What one look has found.
#[derive(Debug)]
pub struct Found {
    verified: Verified,
    broken: Vec<Broken>,
}

impl SelfAudit {
    /// Looks with these tools, and signs what was found whole.
    pub fn new(tools: Tools, heads: Option<Heads>) -> Self {
        Self { tools, heads }
    }

    async fn look(&self) -> Result<Found, Error> {
        let now = self.tools.clock.now();
        let mut reader = self.tools.store.read().await?;
        let mut broken = Vec::new();
        let mut ids: BTreeSet<DeliveryId> =
            self_audit::recent(&mut reader, before(now, BACK), now, MOST)
                .await?
                .into_iter()
                .collect();
        let mut verified = self_audit::verified(&mut reader).await?;
        for _ in 0..STRIDES {
            let (newest, _) = self_audit::head(&mut reader).await?;
            verified = chain(&mut reader, verified, &mut ids, &mut broken).await?;
            if verified.seq >= newest {
                break;
            }
        }
        let among: Vec<DeliveryId> = ids.into_iter().collect();
        for &invariant in Invariant::ALL {
            for subject in self_audit::broken(&mut reader, invariant, &among).await? {
                broken.push(Broken { invariant, subject, detail: json!({}) });
            }
        }
        for (id, state, word) in self_audit::last_words(&mut reader, &among).await? {
            if word.as_deref().and_then(state_after) != Some(state) {
                let detail = json!({"state": state, "last_word": word});
                let subject = id.to_string();
                broken.push(Broken { invariant: Invariant::Audited, subject, detail });
            }
        }
        let checked = i64::try_from(among.len()).unwrap_or(i64::MAX);
        Ok(Found { verified: Verified { at: Some(now), checked, ..verified }, broken })
    }

    /// A head to be told of, when it is time: only of a chain in which this look has found nothing.
    fn head(&self, found: &Found, now: Timestamp) -> Option<NewEntry> {
        let Heads { signer, every } = self.heads.as_ref()?;
        let Verified { seq, hash, signed_at, .. } = &found.verified;
        let chain = found.broken.iter().any(|it| it.invariant == Invariant::Chain);
        if chain || *seq == 0 || signed_at.is_some_and(|at| after(at, *every) > now) {
            return None;
        }
        let head = signer.sign(*seq, hash.clone(), now);
        Some(NewEntry {
            actor: "engine".to_owned(),
            action: Occasion::AuditHead.as_str().to_owned(),
            subject: format!("audit:{seq}"),
            detail: json!({"head": head, "owners": [], "administrators": true}),
        })
    }

    async fn note(&self, tx: &mut Tx, now: Timestamp, found: &Found) -> Result<(), Error> {
        let new = self_audit::note(tx, &found.broken, now).await?;
        let head = self.head(found, now);
        let signed_at = head.as_ref().map(|_| now).or(found.verified.signed_at);
        self_audit::keep(tx, &Verified { signed_at, ..found.verified.clone() }).await?;
        let entries: Vec<NewEntry> = found
            .broken
            .iter()
            .filter(|one| new.contains(&(one.invariant, one.subject.clone())))
            .map(told)
            .chain(head)
            .collect();
        audit::append(tx, &entries, now);
        Ok(())
    }
}

/// Goes on verifying the audit where the last look ended, and collects the deliveries that it names.
async fn chain(
    reader: &mut Reader,
    from: Verified,
    ids: &mut BTreeSet<DeliveryId>,
    broken: &mut Vec<Broken>,
) -> Result<Verified, Error> {
    // Before the links: what is appended meanwhile belongs to the next look.
    let (newest, head) = self_audit::head(reader).await?;
    let mut at = |seq: i64, detail: Value| {
        let subject = format!("audit:{seq}");
        broken.push(Broken { invariant: Invariant::Chain, subject, detail });
    };
    if newest < from.seq {
        at(newest, json!({"what": "the end of the chain is missing", "was": from.seq}));
        return Ok(Verified { seq: newest, hash: head, ..from });
    }
    // The last link that was verified comes along: it must still be the same.
    let links: Vec<Entry> = audit::after(reader, from.seq - 1, STRIDE).await?;
    let mut links = links.into_iter().filter(|link| link.seq <= newest);
    let (mut seq, mut hash) = (from.seq, from.hash.clone());
    if from.seq > 0 {
        let same = links.next().is_some_and(|link| link.seq == seq && link.hash == hash);
        if !same {
            at(seq, json!({"what": "a link that was verified has changed"}));
        }
    }
    for link in links {
        if link.seq != seq + 1 || !follows(&hash, &link) {
            at(link.seq, json!({"what": "a link does not follow the one before it"}));
        }
        if let Ok(id) = DeliveryId::parse(&link.entry.subject) {
            ids.insert(id);
        }
        (seq, hash) = (link.seq, link.hash);
    }
    let through = newest - from.seq < i64::from(STRIDE) - 1;
    if through && (seq, hash.as_str()) != (newest, head.as_str()) {
        at(newest, json!({"what": "the newest link is not the one that was noted"}));
        (seq, hash) = (newest, head);
    }
    Ok(Verified { seq, hash, ..from })
}

/// What administrators are told of a broken promise, and the log.
fn told(one: &Broken) -> NewEntry {
    let Broken { invariant, subject, detail } = one;
    tracing::error!(%invariant, subject, %detail, "a promise is broken");
    NewEntry {
        actor: "engine".to_owned(),
        action: Occasion::InvariantViolated.as_str().to_owned(),
        subject: subject.clone(),
        detail: json!({
            "code": invariant, "subject": subject, "detail": detail,
            "owners": [], "administrators": true,
        }),
    }
}

impl Work for SelfAudit {
    const KIND: &'static str = work::SELF_AUDIT;
    type Item = ();
    type Report = Result<Found, Error>;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        Duration::ZERO
    }

    fn workers(&self) -> usize {
        1
    }

    fn admit<'a>(
        &'a self,
        _: &'a mut Tx,
        _: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<()>>, Error>> {
        Box::pin(async move { Ok(jobs.iter().map(|_| Admission::Run(())).collect()) })
    }

    fn run<'a>(&'a self, _: &'a Claimed, (): &'a (), _: Pass) -> Later<'a, Self::Report> {
        Box::pin(self.look())
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<(), Self::Report>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(async move {
            let mut settlement = Settlement::default();
            for one in done {
                settlement.verdicts.push(match &one.report {
                    Ok(found) => {
                        self.note(tx, now, found).await?;
                        let note = format!(
                            "{} deliveries, {} broken",
                            found.verified.checked,
                            found.broken.len()
                        );
                        Verdict { note: Some(note), ..Verdict::DONE }
                    }
                    Err(error) => {
                        Verdict::again(after(now, Duration::from_mins(1)), error.to_string())
                    }
                });
            }
            Ok(settlement)
        })
    }

    fn lost<'a>(
        &'a self,
        _: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        let again = after(now, Duration::from_mins(1));
        let verdicts = jobs.iter().map(|job| Verdict::lost(job, again, "lost while looking"));
        let verdicts = verdicts.collect();
        Box::pin(async move { Ok(Settlement { verdicts, enqueued: Vec::new() }) })
    }
}
