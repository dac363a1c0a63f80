//! Tells one webhook of one message: signed, at least once, again and again for days, always under
//! the same id. What the other program does with it, or fails to do, changes nothing here but the
//! webhook's own standing.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::Means;
use crate::clock::{after, before};
use crate::domain::audit::NewEntry;
use crate::domain::id::{MessageId, WebhookId, WebhookTryId};
use crate::domain::outbox::Occasion;
use crate::domain::webhook::{Secret, signature};
use crate::domain::work;
use crate::outbound::{Failure, FailureKind, Label, Request, Response};
use crate::queue::gate::Pass;
use crate::queue::job::{Admission, Later, Settled, Settlement, Verdict, Work};
use crate::queue::retry::BackOff;
use crate::store::jobs::{Claimed, Ending};
use crate::store::outbox::{self, Message};
use crate::store::webhook_tries::{self, Try};
use crate::store::webhooks::{self, SealedSecret, Standing, Webhook};
use crate::store::{Error, Tx, audit};
use crate::vault::{Binding, Sealed};

/// How often a webhook that is switched off is looked at again, in case somebody switches it on.
const DISABLED: Duration = Duration::from_mins(30);
/// The most of an answer that is read; nothing in it matters.
const ANSWER: usize = 64 * 1024;
/// What is believed of `Retry-After`.
const LONGEST_WISH: Duration = Duration::from_hours(24);

/// The kind of work that tells webhooks.
#[derive(Debug)]
pub struct Tell {
    means: Means,
}

/// What is told to whom.
#[derive(Debug)]
pub struct Errand {
    webhook: Webhook,
    message: Message,
}

/// What came of a try.
#[derive(Debug)]
pub struct Tried {
    outcome: &'static str,
    status: Option<StatusCode>,
    detail: String,
    took: Duration,
    wish: Option<Duration>,
}

impl Tried {
    fn interrupted() -> Self {
        Self {
            outcome: INTERRUPTED,
            status: None,
            detail: "the service was stopping".to_owned(),
            took: Duration::ZERO,
            wish: None,
        }
    }
}

impl Tell {
    /// Tells with these means.
    pub fn new(means: Means) -> Self {
        Self { means }
    }

    async fn admit_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        jobs: &[Claimed],
    ) -> Result<Vec<Admission<Errand>>, Error> {
        let payloads: Vec<Option<work::Webhook>> =
            jobs.iter().map(|job| serde_json::from_value(job.payload.clone()).ok()).collect();
        let named: Vec<&work::Webhook> = payloads.iter().flatten().collect();
        let ids: Vec<&WebhookId> = named.iter().map(|it| &it.webhook_id).collect();
        let known: HashMap<WebhookId, Webhook> =
            webhooks::find(tx, &ids).await?.into_iter().map(|it| (it.id.clone(), it)).collect();
        let ids: Vec<&MessageId> = named.iter().map(|it| &it.message_id).collect();
        let messages: HashMap<MessageId, Message> =
            outbox::find(tx, &ids).await?.into_iter().map(|it| (it.id.clone(), it)).collect();
        Ok(jobs
            .iter()
            .zip(&payloads)
            .map(|(job, payload)| {
                let errand = payload.as_ref().and_then(|it| {
                    let webhook = known.get(&it.webhook_id)?.clone();
                    Some(Errand { webhook, message: messages.get(&it.message_id)?.clone() })
                });
                match errand {
                    None => Admission::Not(Ending::Discarded, "removed".to_owned()),
                    Some(errand) if errand.webhook.disabled.is_none() => Admission::Run(errand),
                    Some(_) if self.is_over(job, after(now, DISABLED)) => {
                        Admission::Not(Ending::Discarded, "switched off".to_owned())
                    }
                    Some(_) => {
                        let next = Ending::Again(after(now, DISABLED));
                        Admission::Not(next, "switched off".to_owned())
                    }
                }
            })
            .collect())
    }

    /// Whether a try at `at` would come after all patience.
    fn is_over(&self, job: &Claimed, at: Timestamp) -> bool {
        at > after(job.created_at, self.means.webhooks.give_up_after)
    }

    async fn tell(&self, errand: &Errand) -> Tried {
        let started = self.means.clock.elapsed();
        let (outcome, status, detail, wish) = match self.request(errand) {
            Ok(request) => judge(self.means.outbound.send(request).await),
            Err(why) => ("unsent", None, why, None),
        };
        metrics::counter!("chancery_webhook_tries_total", "outcome" => outcome).increment(1);
        let took = self.means.clock.elapsed().saturating_sub(started);
        Tried { outcome, status, detail, took, wish }
    }

    /// The signed request; the reason when it cannot be made.
    fn request(&self, errand: &Errand) -> Result<Request, String> {
        let Errand { webhook, message } = errand;
        let now = self.means.clock.now();
        let url = webhook.url.parse().map_err(|_shown| "the address cannot be read".to_owned())?;
        let body = json!({
            "type": message.event, "timestamp": message.at, "data": message.data,
        });
        let body = body.to_string().into_bytes();
        let mut secrets = vec![self.open(webhook, &webhook.secret)?];
        if let Some((previous, until)) = &webhook.previous
            && *until > now
        {
            secrets.push(self.open(webhook, previous)?);
        }
        let signature = signature(&secrets, &message.id, now, &body)
            .ok_or_else(|| "the secret cannot sign".to_owned())?;
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", message.id.to_string()),
            ("webhook-timestamp", now.as_second().to_string()),
            ("webhook-signature", signature),
        ] {
            let value = HeaderValue::from_str(&value).map_err(|_shown| name.to_owned())?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(Request {
            method: Method::POST,
            url,
            headers,
            body: body.into(),
            timeout: self.means.webhooks.timeout,
            max_answer: ANSWER,
            label: Label { destination: "webhook", kind: "event" },
        })
    }

    fn open(&self, webhook: &Webhook, secret: &SealedSecret) -> Result<Secret, String> {
        let sealed = Sealed { key_id: secret.key_id.clone(), bytes: secret.sealed.clone() };
        let opened = self.means.vault.open(binding(&webhook.id, secret.version), &sealed);
        opened
            .ok()
            .and_then(|text| Secret::parse(text.expose_secret()))
            .ok_or_else(|| "the secret does not open with the key of this process".to_owned())
    }

    /// When it is tried again; never when that is of no use any more.
    fn next(&self, job: &Claimed, tried: &Tried, now: Timestamp) -> Option<Timestamp> {
        let settings = &self.means.webhooks;
        let back_off = BackOff { first: settings.backoff, most: settings.backoff_max };
        let failures = u32::try_from(job.tries).unwrap_or(u32::MAX);
        let wait = back_off.wait(failures, rand::random());
        let next = after(now, tried.wish.unwrap_or_default().min(LONGEST_WISH).max(wait));
        (!self.is_over(job, next)).then_some(next)
    }

    async fn settle_all(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        done: &[Settled<Errand, Tried>],
    ) -> Result<Settlement, Error> {
        let mut settlement = Settlement::default();
        let mut log = Vec::with_capacity(done.len());
        let mut standings: BTreeMap<&WebhookId, Standing> = BTreeMap::new();
        for one in done {
            let (webhook, tried) = (&one.item.webhook, &one.report);
            if tried.outcome == INTERRUPTED {
                // It says nothing about the other side.
                settlement.verdicts.push(Verdict::again(now, INTERRUPTED));
                continue;
            }
            let well = tried.outcome == DELIVERED;
            let next = if well { None } else { self.next(&one.job, tried, now) };
            settlement.verdicts.push(match next {
                _ if well => Verdict::DONE,
                Some(at) => Verdict::again(at, tried.outcome),
                None => Verdict {
                    ending: Ending::Discarded,
                    note: Some(format!("given up: {}", tried.outcome)),
                    rest_until: None,
                },
            });
            let disable = (tried.outcome == GONE).then_some(GONE);
            let fresh = || Standing { id: webhook.id.clone(), well: false, disable: None };
            let standing = standings.entry(&webhook.id).or_insert_with(fresh);
            standing.well |= well;
            standing.disable = standing.disable.or(disable);
            log.push(a_try(one, next, now));
        }
        webhook_tries::insert(tx, &log, now).await?;
        let standings: Vec<Standing> = standings.into_values().collect();
        let patience = before(now, self.means.webhooks.disable_after);
        let disabled = webhooks::stand(tx, &standings, now, patience).await?;
        let known =
            |id: &WebhookId| done.iter().map(|one| &one.item.webhook).find(|it| it.id == *id);
        let entries: Vec<NewEntry> = disabled.iter().filter_map(known).map(switched_off).collect();
        audit::append(tx, &entries, now);
        Ok(settlement)
    }
}

/// It was answered with 2xx.
const DELIVERED: &str = "delivered";
/// We stopped before it was answered.
const INTERRUPTED: &str = "interrupted";
/// The other side says that it does not want to be told any more.
const GONE: &str = "gone";

/// What a webhook's secret is bound to.
pub fn binding(webhook: &WebhookId, version: i64) -> Binding<'_> {
    Binding { platform: "webhook", remote_id: webhook.as_str(), version }
}

fn switched_off(webhook: &Webhook) -> NewEntry {
    let url = webhook.url.parse::<url::Url>().ok();
    let host = url.as_ref().and_then(|it| it.host_str()).unwrap_or_default();
    NewEntry {
        actor: "engine".to_owned(),
        action: Occasion::WebhookDisabled.as_str().to_owned(),
        subject: webhook.id.to_string(),
        detail: json!({"webhook_id": webhook.id, "host": host}),
    }
}

fn a_try(one: &Settled<Errand, Tried>, next_at: Option<Timestamp>, now: Timestamp) -> Try {
    let tried = &one.report;
    Try {
        id: WebhookTryId::new(now, rand::random()),
        webhook_id: one.item.webhook.id.clone(),
        message_id: one.item.message.id.clone(),
        event: one.item.message.event,
        number: one.job.tries,
        outcome: tried.outcome,
        status: tried.status.map(|it| i64::from(it.as_u16())),
        detail: tried.detail.clone(),
        took_ms: i64::try_from(tried.took.as_millis()).unwrap_or(i64::MAX),
        next_at,
    }
}

type Judged = (&'static str, Option<StatusCode>, String, Option<Duration>);

/// What an answer, or none, means by the specification: 2xx is success, everything else is not, and
/// a redirect is not followed.
fn judge(answer: Result<Response, Failure>) -> Judged {
    match answer {
        Ok(answer) => {
            let wish = answer
                .headers
                .get(http::header::RETRY_AFTER)
                .and_then(|it| it.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs);
            by_status(answer.status, wish)
        }
        // A success whose body was too long or never ended is one all the same.
        Err(Failure { status: Some(status), .. }) => by_status(status, None),
        Err(failure) => {
            let (outcome, detail) = match failure.kind {
                FailureKind::Forbidden => ("forbidden", "the address is not a public one"),
                FailureKind::Connect => ("unreachable", "no connection"),
                FailureKind::Timeout => ("timeout", "no answer in time"),
                FailureKind::Broken => ("broken", "the connection broke"),
                FailureKind::TooLarge => ("broken", "the answer is too large"),
            };
            (outcome, None, detail.to_owned(), None)
        }
    }
}

fn by_status(status: StatusCode, wish: Option<Duration>) -> Judged {
    let outcome = if status.is_success() {
        DELIVERED
    } else if status == StatusCode::GONE {
        GONE
    } else if status.is_redirection() {
        "redirect"
    } else {
        "refused"
    };
    (outcome, Some(status), format!("answered {}", status.as_u16()), wish)
}

impl Work for Tell {
    const KIND: &'static str = work::WEBHOOK;
    type Item = Errand;
    type Report = Tried;

    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }

    fn least_lease(&self) -> Duration {
        Duration::ZERO
    }

    fn workers(&self) -> usize {
        self.means.webhooks.workers
    }

    fn admit<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Vec<Admission<Errand>>, Error>> {
        Box::pin(self.admit_all(tx, now, jobs))
    }

    /// A stop does not wait for the other side: what was not answered is told again.
    fn run<'a>(&'a self, _: &'a Claimed, errand: &'a Errand, pass: Pass) -> Later<'a, Tried> {
        Box::pin(async move {
            tokio::select! {
                biased;
                // First: what was taken back before it began is not begun.
                () = pass.taken_back() => Tried::interrupted(),
                tried = self.tell(errand) => tried,
            }
        })
    }

    fn settle<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        done: &'a [Settled<Errand, Tried>],
    ) -> Later<'a, Result<Settlement, Error>> {
        Box::pin(self.settle_all(tx, now, done))
    }

    /// Nobody knows whether it was told: it is told again, under the same id.
    fn lost<'a>(
        &'a self,
        _: &'a mut Tx,
        now: Timestamp,
        jobs: &'a [Claimed],
    ) -> Later<'a, Result<Settlement, Error>> {
        let verdicts =
            jobs.iter().map(|job| Verdict::lost(job, now, "lost while telling")).collect();
        Box::pin(async move { Ok(Settlement { verdicts, enqueued: Vec::new() }) })
    }
}
