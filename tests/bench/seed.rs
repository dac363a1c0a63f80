//! Fills a database: a unit, the accounts of the simulators with sealed tokens, and any number of
//! scheduled deliveries with their jobs.

use std::time::Duration;

use anyhow::Result;
use chancery::app::Base;
use chancery::clock::before;
use chancery::domain::account::{Account, AccountStatus, CredentialKind, Health};
use chancery::domain::class::Class;
use chancery::domain::id::{AccountId, DeliveryId, JobId, PersonId, PostId, UnitId};
use chancery::domain::parts::Part;
use chancery::domain::post::Post;
use chancery::domain::unit::{Approval, Unit, UnitKind, UnitName};
use chancery::domain::variant::{Content, text_hash};
use chancery::domain::work;
use chancery::platforms::{facebook, x};
use chancery::simulator::WorldSeed;
use chancery::store::credentials::Credential;
use chancery::store::deliveries::{self, NewDelivery};
use chancery::store::jobs::{self, NewJob};
use chancery::store::people::{self, Person};
use chancery::store::{accounts, credentials, posts, units};
use chancery::vault::Binding;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Deliveries written in one transaction.
const CHUNK: usize = 2_000;

/// A database that has accounts.
#[derive(Debug)]
pub(crate) struct Seeded {
    pub(crate) unit: UnitId,
    pub(crate) accounts: Vec<Account>,
    post: PostId,
    scheduler: PersonId,
}

/// One account as it is entered: platform, remote id, name, token.
type Entry<'a> = (&'static str, &'a str, &'a str, &'a str);

/// The accounts of a world, Pages and X accounts in turn.
fn entries(world: &WorldSeed) -> impl Iterator<Item = Entry<'_>> {
    world.accounts().iter().flat_map(|one| {
        [
            (facebook::ID, one.page.id.as_str(), one.name.as_str(), one.page.token.as_str()),
            (x::ID, one.user.id.as_str(), one.name.as_str(), one.user.token.as_str()),
        ]
    })
}

/// Writes the unit, so many accounts of the world, and the post that all deliveries belong to.
pub(crate) async fn plant(
    base: &Base,
    world: &WorldSeed,
    count: usize,
    now: Timestamp,
) -> Result<Seeded> {
    let unit = unit(now);
    let post = post(&unit.id, now);
    let mut tx = base.store.begin().await?;
    units::insert(&mut tx, &unit).await?;
    let scheduler = scheduler(now);
    people::insert(&mut tx, &scheduler, None).await?;
    let mut all = Vec::new();
    for (platform, remote_id, name, token) in entries(world).take(count) {
        let account = account(&unit.id, platform, remote_id, name, now);
        let binding = Binding { platform, remote_id, version: 1 };
        let sealed = base.vault.seal(binding, &token.to_owned().into())?;
        accounts::insert(&mut tx, &account).await?;
        let kind =
            if platform == x::ID { CredentialKind::Oauth2 } else { CredentialKind::PageToken };
        let credential = Credential {
            account_id: account.id.clone(),
            kind,
            version: 1,
            key_id: sealed.key_id,
            sealed: sealed.bytes,
            refresh: None,
            expires_at: None,
            updated_at: now,
        };
        credentials::put(&mut tx, &credential).await?;
        all.push(account);
    }
    posts::insert(&mut tx, &[&post]).await?;
    tx.commit().await?;
    Ok(Seeded { unit: unit.id, accounts: all, post: post.id, scheduler: scheduler.id })
}

/// Whoever schedules everything.
fn scheduler(now: Timestamp) -> Person {
    Person {
        id: PersonId::new(now, rand::random()),
        email: "scheduler@mofa.example".to_owned(),
        name: "Scheduler".to_owned(),
        administrator: true,
        disabled_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

impl Seeded {
    /// Schedules one delivery for each instant, over the accounts in turn. Gives their texts, of
    /// which each is its own, in the order of the instants.
    pub(crate) async fn schedule(
        &self,
        base: &Base,
        now: Timestamp,
        dues: &[Timestamp],
    ) -> Result<Vec<String>> {
        self.schedule_as(base, now, dues, |_| Class::Routine).await
    }

    /// The same, each of the class that belongs to its number.
    pub(crate) async fn schedule_as(
        &self,
        base: &Base,
        now: Timestamp,
        dues: &[Timestamp],
        class: impl Fn(usize) -> Class,
    ) -> Result<Vec<String>> {
        let numbered: Vec<(usize, Timestamp)> = dues.iter().copied().enumerate().collect();
        let mut texts = Vec::with_capacity(dues.len());
        for chunk in numbered.chunks(CHUNK) {
            let mut deliveries = Vec::with_capacity(chunk.len());
            for ((number, due_at), account) in chunk
                .iter()
                .zip(self.accounts.iter().cycle().skip(chunk_start(chunk) % self.accounts.len()))
            {
                let text = format!("Thông cáo số {number}: the embassy is open again, {due_at}.");
                // Written one after another, as people do: a millisecond each.
                let lag = Duration::from_millis(u64::try_from(dues.len() - number)?);
                let delivery = self.delivery(account, &text, *due_at, before(now, lag));
                deliveries.push(NewDelivery { class: class(*number), ..delivery });
                texts.push(text);
            }
            let queued: Vec<NewJob> = deliveries.iter().map(job).collect();
            let rows: Vec<&NewDelivery> = deliveries.iter().collect();
            let mut tx = base.store.begin().await?;
            deliveries::insert(&mut tx, &rows).await?;
            jobs::enqueue(&mut tx, &queued, now).await?;
            tx.commit().await?;
        }
        Ok(texts)
    }

    /// Schedules deliveries of these posts, over the accounts in turn.
    pub(crate) async fn plan(
        &self,
        base: &Base,
        now: Timestamp,
        planned: &[(PostId, Timestamp)],
    ) -> Result<()> {
        let accounts = self.accounts.iter().cycle();
        let planned: Vec<NewDelivery> = planned
            .iter()
            .zip(accounts)
            .map(|((post_id, due_at), account)| {
                let text = format!("Bài đăng lúc {due_at}");
                let delivery = self.delivery(account, &text, *due_at, now);
                NewDelivery { post_id: post_id.clone(), ..delivery }
            })
            .collect();
        let queued: Vec<NewJob> = planned.iter().map(job).collect();
        let mut tx = base.store.begin().await?;
        deliveries::insert(&mut tx, &planned.iter().collect::<Vec<_>>()).await?;
        jobs::enqueue(&mut tx, &queued, now).await?;
        tx.commit().await?;
        Ok(())
    }

    fn delivery(
        &self,
        account: &Account,
        text: &str,
        due_at: Timestamp,
        now: Timestamp,
    ) -> NewDelivery {
        let content = Content { text: text.to_owned(), ..Content::default() };
        NewDelivery {
            id: DeliveryId::new(now, rand::random()),
            post_id: self.post.clone(),
            account_id: account.id.clone(),
            unit_id: self.unit.clone(),
            platform: account.platform.clone(),
            language: "vi".to_owned(),
            class: Class::Routine,
            due_at,
            publish_by: due_at + SignedDuration::from_hours(4),
            civil: None,
            settings: json!({}),
            content_hash: content.hash("vi"),
            text_hash: text_hash(&content),
            content,
            intended_repeat: false,
            part: Part::default(),
            asks_approval: false,
            created_by: self.scheduler.to_string(),
            created_at: now,
        }
    }
}

fn chunk_start(chunk: &[(usize, Timestamp)]) -> usize {
    chunk.first().map_or(0, |(number, _)| *number)
}

fn job(delivery: &NewDelivery) -> NewJob {
    NewJob {
        id: JobId::new(delivery.created_at, rand::random()),
        kind: work::PUBLISH,
        unique_key: work::publish_key(&delivery.id),
        slot: work::slot(&delivery.platform, &delivery.account_id),
        payload: json!(work::Publish { delivery_id: delivery.id.clone() }),
        priority: i64::from(delivery.class.priority()),
        due_at: delivery.due_at,
    }
}

fn unit(now: Timestamp) -> Unit {
    Unit {
        id: UnitId::new(now, rand::random()),
        name: UnitName { vi: "Bộ Ngoại giao".to_owned(), en: "Ministry".to_owned() },
        kind: UnitKind::Ministry,
        parent_id: None,
        country: None,
        time_zone: "Asia/Ho_Chi_Minh".to_owned(),
        languages: vec!["vi".to_owned()],
        approval: Approval::None,
        opened_on: None,
        closed_on: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

fn account(unit: &UnitId, platform: &str, remote_id: &str, name: &str, now: Timestamp) -> Account {
    Account {
        id: AccountId::new(now, rand::random()),
        unit_id: unit.clone(),
        platform: platform.to_owned(),
        remote_id: remote_id.to_owned(),
        display_name: name.to_owned(),
        handle: None,
        languages: vec!["vi".to_owned()],
        time_zone: "Asia/Ho_Chi_Minh".to_owned(),
        status: AccountStatus::Connected,
        health: Health::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// A post that says nothing.
pub(crate) fn post(unit: &UnitId, now: Timestamp) -> Post {
    Post {
        id: PostId::new(now, rand::random()),
        unit_id: unit.clone(),
        campaign_id: None,
        title: "Thông cáo".to_owned(),
        class: Class::Routine,
        wanted_languages: Vec::new(),
        source_language: "vi".to_owned(),
        labels: Vec::new(),
        revision: 1,
        content_hash: "0".repeat(64),
        created_by: "bench".to_owned(),
        created_at: now,
        updated_at: now,
    }
}
