//! Makes messages of audit entries, and puts them into inboxes and on their way to webhooks and mail.
//!
//! The audit entry of a transition is written in the transition's own transaction, so nothing can
//! happen without being told of, and telling costs publishing nothing. One transaction moves the
//! cursor and writes everything that follows: a crash leaves either both or neither.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Means;
use crate::clock::after;
use crate::domain::actor::person_of;
use crate::domain::id::{AccountId, JobId, MailItemId, MessageId, NotificationId, PersonId};
use crate::domain::outbox::Occasion;
use crate::domain::outbox_text::Names;
use crate::domain::{policy, work};
use crate::queue::{Queue, contained};
use crate::store::jobs::{NewJob, enqueue};
use crate::store::mail_items::{self, NewItem};
use crate::store::notifications::{self, NewNotification};
use crate::store::outbox::{self, AccountFacts, DeliveryFacts, Happened, Listener, Message};
use crate::store::reminders::{self, Step};
use crate::store::{Error, webhooks};

/// Most audit entries that one transaction goes through.
const STRIDE: i64 = 2_000;
/// Wait between two such transactions while there is more to go through, so that publishing, which
/// shares the database, always comes in between.
const BREATH: Duration = Duration::from_millis(50);
/// Requests to one webhook at once, on each node.
const SIDE_BY_SIDE: u64 = 2;
/// Up to so many open questions at one account each have a word of their own: these a person can take
/// in one by one, and each names its post. More, as after a restore, are told of together.
const ONE_BY_ONE: i64 = 5;
/// Smaller goes first; nobody waits for these.
const PRIORITY: i64 = 8;

/// The task that makes messages.
#[derive(Debug)]
pub struct Relay {
    means: Means,
    queue: Queue,
}

/// Where something stands among what is told.
#[derive(Debug, Clone, Copy)]
struct Place {
    now: Timestamp,
    seq: i64,
}

impl Place {
    /// What makes an id different from others of the same millisecond, but sorted as things happened:
    /// many are told of in one transaction, and whoever has read up to one has read none after it.
    fn random(self) -> u128 {
        let seq = u128::from(self.seq.unsigned_abs() & 0xff_ffff_ffff);
        (seq << 40) | u128::from(rand::random::<u64>() >> 24)
    }
}

/// Everything that follows from some audit entries.
#[derive(Debug, Default)]
struct Outcome {
    messages: Vec<Message>,
    notifications: Vec<NewNotification>,
    items: Vec<NewItem>,
    jobs: Vec<NewJob>,
    /// What is left to be told of with others, by delivery.
    many: BTreeMap<String, Step>,
}

/// What is known of the things that audit entries name.
#[derive(Debug, Default)]
struct Facts {
    deliveries: HashMap<String, DeliveryFacts>,
    accounts: HashMap<String, AccountFacts>,
}

impl Facts {
    /// The accounts that are concerned.
    fn concerned(&self) -> impl Iterator<Item = &AccountId> {
        let of_deliveries = self.deliveries.values().map(|it| &it.account_id);
        of_deliveries.chain(self.accounts.values().map(|it| &it.id))
    }
}

/// Whoever may be told.
#[derive(Debug)]
struct Listeners {
    all: Vec<Listener>,
    /// Which of them have a role over which accounts, and whether they may schedule there.
    seeing: HashMap<(PersonId, AccountId), bool>,
}

impl Listeners {
    /// Whoever may not schedule there any more hears no more of what he scheduled, and whoever has no role there
    /// nothing of an account.
    fn may_hear(&self, person: &Listener, audience: &Audience<'_>, message: &Message) -> bool {
        let Some(account) = &message.account_id else { return true };
        let schedules = self.seeing.get(&(person.id.clone(), account.clone()));
        person.administrator
            || match audience {
                Audience::Usual { .. } => schedules.is_some_and(|may| *may),
                Audience::Named { .. } => schedules.is_some(),
            }
    }
}

impl Relay {
    /// Relays with these means; announces jobs to this queue.
    pub fn new(means: Means, queue: Queue) -> Self {
        Self { means, queue }
    }

    /// Relays until told to stop. What goes wrong is logged and tried again: it is nobody else's
    /// concern.
    pub async fn keep(self, stop: CancellationToken) {
        let interval = self.means.notify.poll_interval;
        loop {
            let wait = match contained("relay", self.round()).await {
                Ok(true) => BREATH.min(interval),
                Ok(false) => interval,
                Err(error) => {
                    let error = crate::telemetry::Chain(&error);
                    tracing::warn!(%error, "what happened could not be told yet");
                    interval
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.means.clock.sleep(wait) => {}
            }
        }
    }

    /// True when there is more to go through.
    async fn round(&self) -> Result<bool, Error> {
        let reach = outbox::reach(&mut self.means.store.read().await?).await?;
        metrics::gauge!("chancery_messages_behind")
            .set(f64::from(u32::try_from(reach.newest - reach.done).unwrap_or(u32::MAX)));
        let mut more = false;
        if reach.newest > reach.done {
            let until = reach.newest.min(reach.done + STRIDE);
            more = until < reach.newest;
            self.relay(reach.done, until).await?;
        }
        if self.means.mailer.is_some() {
            self.send_for_mail().await?;
        }
        Ok(more)
    }

    async fn relay(&self, done: i64, until: i64) -> Result<(), Error> {
        let now = self.means.clock.now();
        let mut reader = self.means.store.read().await?;
        let happened = outbox::happened(&mut reader, done, until).await?;
        drop(reader);
        let mut tx = self.means.store.begin_for("relay").await?;
        if !outbox::move_cursor(&mut tx, done, until).await? {
            // Another process was faster.
            return Ok(());
        }
        let outcome = self.outcome(&mut tx, &happened, now).await?;
        outbox::insert(&mut tx, &outcome.messages, now).await?;
        notifications::insert(&mut tx, &outcome.notifications, now).await?;
        mail_items::insert(&mut tx, &outcome.items, now).await?;
        enqueue(&mut tx, &outcome.jobs, now).await?;
        let many: Vec<Step> = outcome.many.into_values().collect();
        reminders::tell(&mut tx, &many, now).await?;
        crate::crash_point!("relay.before_commit");
        tx.commit().await?;
        for message in &outcome.messages {
            metrics::counter!("chancery_messages_total", "event" => message.event.as_str())
                .increment(1);
        }
        self.queue.announce(&outcome.jobs);
        Ok(())
    }

    async fn outcome(
        &self,
        tx: &mut crate::store::Tx,
        happened: &[Happened],
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        if happened.is_empty() {
            return Ok(outcome);
        }
        let subjects: Vec<&str> = happened.iter().map(|one| one.subject.as_str()).collect();
        let facts = Facts {
            deliveries: outbox::delivery_facts(tx, &subjects)
                .await?
                .into_iter()
                .map(|facts| (facts.id.to_string(), facts))
                .collect(),
            accounts: outbox::account_facts(tx, &subjects)
                .await?
                .into_iter()
                .map(|facts| (facts.id.to_string(), facts))
                .collect(),
        };
        let mut authors: Vec<&str> =
            facts.deliveries.values().map(|facts| person_of(&facts.created_by)).collect();
        authors.extend(happened.iter().flat_map(|one| named(&one.detail, "owners")));
        let listeners = outbox::listeners(tx, &authors).await?;
        let accounts: BTreeSet<&AccountId> = facts.concerned().collect();
        let accounts: Vec<&AccountId> = accounts.into_iter().collect();
        let seeing = outbox::seeing(tx, &authors, &accounts, now).await?.into_iter().collect();
        let listeners = Listeners { all: listeners, seeing };
        let hearing = webhooks::hearing(tx).await?;
        let crowded = crowded(tx, happened).await?;
        for one in happened {
            if let Some(subject) = crowded.get(&one.subject).filter(|_| asks(one)) {
                // Another question about the same delivery begins anew.
                let step = Step { subject: subject.clone(), since: one.at, step: 0, renews: true };
                outcome.many.insert(one.subject.clone(), step);
                continue;
            }
            let Some((message, by)) = message(one, &facts) else { continue };
            let audience = Audience::of(one, by);
            let at = Place { now, seq: one.seq };
            let heard = outcome.tell_people(&message, &audience, &listeners, self.mails(), at);
            let mut told = false;
            let hear = |it: &Vec<Occasion>| it.contains(&message.event) && !people_only(one);
            for (webhook_id, _) in hearing.iter().filter(|(_, it)| hear(it)) {
                let message_id = message.id.clone();
                let job = work::Webhook { webhook_id: webhook_id.clone(), message_id };
                outcome.jobs.push(webhook_job(&job, now));
                told = true;
            }
            if heard || told {
                outcome.messages.push(message);
            }
        }
        Ok(outcome)
    }

    fn mails(&self) -> bool {
        self.means.mailer.is_some()
    }

    /// Enqueues one job for each person and kind that waits for mail and has none, not before the
    /// time that must lie between two mails. Whatever was lost on the way, this finds it.
    async fn send_for_mail(&self) -> Result<(), Error> {
        let now = self.means.clock.now();
        let waiting = mail_items::waiting(&mut self.means.store.read().await?).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let spacing = self.means.mail.spacing;
        let jobs: Vec<NewJob> = waiting
            .into_iter()
            .map(|one| {
                let due_at = one.last_at.map_or(now, |at| after(at, spacing).max(now));
                mail_job(&work::Mail { person_id: one.person_id, event: one.event }, now, due_at)
            })
            .collect();
        let mut tx = self.means.store.begin_for("relay").await?;
        enqueue(&mut tx, &jobs, now).await?;
        tx.commit().await?;
        self.queue.announce(&jobs);
        Ok(())
    }
}

impl Outcome {
    /// Puts a message into the inboxes and the mail of those who want it; true when anybody does.
    fn tell_people(
        &mut self,
        message: &Message,
        audience: &Audience<'_>,
        listeners: &Listeners,
        mails: bool,
        at: Place,
    ) -> bool {
        let mut heard = false;
        for person in &listeners.all {
            if !audience.hears(person) || !listeners.may_hear(person, audience, message) {
                continue;
            }
            if person.inbox.contains(&message.event) {
                heard = true;
                self.notifications.push(NewNotification {
                    id: NotificationId::new(at.now, at.random()),
                    person_id: person.id.clone(),
                    message_id: message.id.clone(),
                    account_id: message.account_id.clone(),
                });
            }
            if mails && person.mail.contains(&message.event) {
                heard = true;
                self.items.push(NewItem {
                    id: MailItemId::new(at.now, at.random()),
                    person_id: person.id.clone(),
                    event: message.event,
                    message_id: message.id.clone(),
                });
            }
        }
        heard
    }
}

/// Whether this is a question about one delivery that may be one of many.
fn asks(one: &Happened) -> bool {
    [Occasion::DeliveryNeedsHuman, Occasion::DeliveryZoneChanged]
        .iter()
        .any(|it| it.as_str() == one.action)
}

/// Which deliveries are among so many questions that they are told of together, with the row that says so.
async fn crowded(
    tx: &mut crate::store::Tx,
    happened: &[Happened],
) -> Result<HashMap<String, String>, Error> {
    let asking: Vec<&str> =
        happened.iter().filter(|one| asks(one)).map(|one| one.subject.as_str()).collect();
    if asking.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(reminders::crowded(tx, &asking, ONE_BY_ONE).await?.into_iter().collect())
}

/// Whether programs hear of the same in another entry.
fn people_only(one: &Happened) -> bool {
    one.detail.get("programs") == Some(&json!(false))
}

/// Who is told of an audit entry.
#[derive(Debug)]
enum Audience<'a> {
    /// Whoever may hear of it and caused what it is about.
    Usual { by: &'a str },
    /// Those that the entry names, and administrators if it says so.
    Named { owners: Vec<&'a str>, administrators: bool, except: Vec<&'a str> },
}

impl<'a> Audience<'a> {
    fn of(one: &'a Happened, by: &'a str) -> Self {
        if one.detail.get("owners").is_none() {
            return Self::Usual { by };
        }
        Self::Named {
            owners: named(&one.detail, "owners").collect(),
            administrators: one.detail.get("administrators") == Some(&json!(true)),
            except: named(&one.detail, "except").collect(),
        }
    }

    fn hears(&self, person: &Listener) -> bool {
        let id = person.id.as_str();
        match self {
            Self::Usual { by } => policy::hears(person.administrator, id == *by),
            Self::Named { owners, administrators, except } => {
                let told_too = *administrators && person.administrator && !except.contains(&id);
                owners.contains(&id) || told_too
            }
        }
    }
}

/// The people under this name in what was recorded.
fn named<'a>(detail: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    detail.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What was recorded, without who is told of it.
fn shown(detail: &Value) -> Value {
    let mut shown = detail.clone();
    if let Some(members) = shown.as_object_mut() {
        for name in ["owners", "administrators", "except", "programs", "title"] {
            members.remove(name);
        }
    }
    shown
}

/// The message that an audit entry is, with who caused what it is about.
fn message<'a>(one: &Happened, facts: &'a Facts) -> Option<(Message, &'a str)> {
    let event = Occasion::of_action(&one.action)?;
    // Of the hash: the same entry makes the same id whenever it is told of, and another one that
    // takes its place after a restore makes another.
    let random = u128::from_str_radix(one.hash.get(..32)?, 16).ok()?;
    let id = MessageId::new(one.at, random);
    let word = ["code", "clause", "reason"].iter().find_map(|it| one.detail.get(it)?.as_str());
    let count = one.detail.get("count").and_then(Value::as_i64);
    let mut names =
        Names { reason: word.unwrap_or_default().to_owned(), count, ..Names::default() };
    if let Some(delivery) = facts.deliveries.get(&one.subject) {
        // It is named, so that it need not be counted.
        names.count = None;
        names.what.clone_from(&delivery.title);
        names.place.clone_from(&delivery.account_name);
        let data = json!({
            "delivery_id": delivery.id, "post_id": delivery.post_id,
            "account_id": delivery.account_id, "unit_id": delivery.unit_id,
            "platform": delivery.platform, "language": delivery.language,
            "due_at": delivery.due_at, "reason": word,
            "permalink": if has_link(event) { &delivery.permalink } else { &None },
        });
        let account_id = Some(delivery.account_id.clone());
        let message = Message { id, event, at: one.at, account_id, data, names };
        return Some((message, person_of(&delivery.created_by)));
    }
    if let Some(account) = facts.accounts.get(&one.subject) {
        names.what.clone_from(&account.display_name);
        let data = json!({
            "account_id": account.id, "unit_id": account.unit_id, "platform": account.platform,
            "count": count, "reason": word, "list": one.detail.get("list"),
            "hold": one.detail.get("hold"),
        });
        let account_id = Some(account.id.clone());
        return Some((Message { id, event, at: one.at, account_id, data, names }, ""));
    }
    let data = shown(&one.detail);
    if let Some(what) =
        ["title", "host", "platform", "kind"].iter().find_map(|it| one.detail.get(it)?.as_str())
    {
        what.clone_into(&mut names.what);
    }
    Some((Message { id, event, at: one.at, account_id: None, data, names }, ""))
}

/// Whether what a message tells of can be seen at the platform, or should be looked at there.
fn has_link(event: Occasion) -> bool {
    matches!(
        event,
        Occasion::DeliveryPublished
            | Occasion::DeliveryVanished
            | Occasion::RecallStuck
            | Occasion::DeliveryCorrected
            | Occasion::CorrectionStuck
    )
}

fn webhook_job(job: &work::Webhook, now: Timestamp) -> NewJob {
    // A few slots for each webhook: one that hangs takes no more of the workers than these.
    let slot = rand::random::<u64>() % SIDE_BY_SIDE;
    NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::WEBHOOK,
        unique_key: work::webhook_key(job),
        slot: format!("webhook:{}:{slot}", job.webhook_id),
        payload: json!(job),
        priority: PRIORITY,
        due_at: now,
    }
}

fn mail_job(job: &work::Mail, now: Timestamp, due_at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(now, rand::random()),
        kind: work::MAIL,
        unique_key: work::mail_key(job),
        slot: work::mail_key(job),
        payload: json!(job),
        priority: PRIORITY,
        due_at,
    }
}
