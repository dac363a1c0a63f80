//! The acts on notifications: see one's own, mark them as read, choose what to be told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Page, Services, Window, finish, permit};
use crate::domain::id::{AccountId, MessageId, NotificationId};
use crate::domain::outbox::{Locale, Occasion};
use crate::domain::outbox_text;
use crate::domain::policy::{Action, Subject};
use crate::store::notifications::{self, Mine, Notification, Settings};

/// A notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NotificationView {
    /// Its id.
    pub id: NotificationId,
    /// The message, the same for everybody who is told of it.
    pub message_id: MessageId,
    /// What it tells of.
    pub event: Occasion,
    /// In words, in the person's language.
    pub text: String,
    /// The account that it concerns.
    pub account_id: Option<AccountId>,
    /// The ids of what it concerns, as webhooks are told them.
    #[schema(value_type = Object)]
    pub data: Value,
    /// When it happened.
    pub at: Timestamp,
    /// When it was read.
    pub read_at: Option<Timestamp>,
    /// When it came.
    pub created_at: Timestamp,
}

/// Up to which notification everything was read.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct ReadUpTo {
    /// The newest that was read; it is marked too.
    pub up_to: NotificationId,
}

/// How many were marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marked {
    /// So many were not read before.
    pub marked: u64,
    /// So many are left.
    pub unread: i64,
}

/// What a person wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// The language that he is written to in.
    pub locale: Locale,
    /// What he wants to see in the product.
    pub inbox: Vec<Occasion>,
    /// What he wants to be written to about.
    pub mail: Vec<Occasion>,
    /// Whether there is a mail server.
    pub mail_available: bool,
    /// Counts changes; the `ETag`.
    pub version: i64,
}

/// What to change; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct SettingsChange {
    /// The language that he is written to in.
    pub locale: Option<Locale>,
    /// What he wants to see in the product.
    pub inbox: Option<Vec<Occasion>>,
    /// What he wants to be written to about.
    pub mail: Option<Vec<Occasion>>,
}

/// The caller's own, of the accounts that his token concerns.
fn mine(caller: &Caller) -> Mine<'_> {
    Mine { person_id: &caller.actor.person_id, accounts: caller.actor.accounts.as_ref() }
}

fn may(caller: &Caller, action: Action) -> Result<(), Error> {
    permit(caller, action, Subject::Person(&caller.actor.person_id))
}

/// A page of one's own notifications, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    unread: bool,
    window: &Window,
) -> Result<Page<NotificationView>, Error> {
    may(caller, Action::ReadNotifications)?;
    let before: Option<NotificationId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let locale = notifications::settings(&mut reader, &caller.actor.person_id).await?.locale;
    let rows =
        notifications::list(&mut reader, &mine(caller), unread, before.as_ref(), window.rows())
            .await?;
    let page = window.page(rows, |one| vec![one.id.to_string()]);
    let items = page.items.into_iter().map(|one| view(one, locale)).collect();
    Ok(Page { items, next: page.next })
}

fn view(one: Notification, locale: Locale) -> NotificationView {
    let message = one.message;
    NotificationView {
        id: one.id,
        message_id: message.id,
        event: message.event,
        text: outbox_text::sentence(message.event, locale, &message.names),
        account_id: message.account_id,
        data: message.data,
        at: message.at,
        read_at: one.read_at,
        created_at: one.created_at,
    }
}

/// Marks one as read. Doing it twice is no fault.
pub async fn read_one(
    services: &Services,
    caller: &Caller,
    id: &NotificationId,
) -> Result<Done<Marked>, Error> {
    may(caller, Action::WriteNotifications)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut tx = services.store.begin().await?;
    let now = services.clock.now();
    let marked = u64::from(notifications::read_one(&mut tx, &mine(caller), id, now).await?);
    let unread = notifications::unread(&mut tx, &mine(caller)).await?;
    // What somebody has read is his own business: no audit.
    finish(services, caller, tx, Marked { marked, unread }, &[]).await
}

/// Marks everything up to one as read.
pub async fn read_up_to(
    services: &Services,
    caller: &Caller,
    last: &NotificationId,
) -> Result<Done<Marked>, Error> {
    may(caller, Action::WriteNotifications)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let mut tx = services.store.begin().await?;
    let now = services.clock.now();
    let marked = notifications::read_up_to(&mut tx, &mine(caller), last, now).await?;
    let unread = notifications::unread(&mut tx, &mine(caller)).await?;
    finish(services, caller, tx, Marked { marked, unread }, &[]).await
}

/// What the caller wants to be told.
pub async fn settings(services: &Services, caller: &Caller) -> Result<SettingsView, Error> {
    may(caller, Action::ReadNotifications)?;
    let mut reader = services.store.read().await?;
    let settings = notifications::settings(&mut reader, &caller.actor.person_id).await?;
    Ok(shown(services, settings))
}

/// Changes what the caller wants to be told, from the version that he has seen.
pub async fn change_settings(
    services: &Services,
    caller: &Caller,
    seen: Option<i64>,
    change: SettingsChange,
) -> Result<Done<SettingsView>, Error> {
    may(caller, Action::WriteNotifications)?;
    let person = &caller.actor.person_id;
    let mut tx = services.store.begin().await?;
    let mut settings = notifications::settings(&mut tx, person).await?;
    if seen.is_some_and(|seen| seen != settings.version) {
        return Err(Error::Stale);
    }
    settings.locale = change.locale.unwrap_or(settings.locale);
    settings.inbox = change.inbox.map_or(settings.inbox, once);
    settings.mail = change.mail.map_or(settings.mail, once);
    settings.version += 1;
    notifications::put_settings(&mut tx, person, &settings, services.clock.now()).await?;
    tx.commit().await?;
    Ok(Done { value: shown(services, settings), replayed: false })
}

/// Each once, in a fixed order.
fn once(mut events: Vec<Occasion>) -> Vec<Occasion> {
    events.sort_unstable();
    events.dedup();
    events
}

fn shown(services: &Services, settings: Settings) -> SettingsView {
    SettingsView {
        locale: settings.locale,
        inbox: settings.inbox,
        mail: settings.mail,
        mail_available: services.config.mail.host.is_some(),
        version: settings.version,
    }
}
