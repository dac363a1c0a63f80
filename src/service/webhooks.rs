//! The acts on webhooks: enter, change, replace the secret, remove, and look what came of telling.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Page, Services, Window, all_well, finish, permit, sessions};
use crate::clock::after;
use crate::domain::fault::Fault;
use crate::domain::id::{MessageId, WebhookId, WebhookTryId};
use crate::domain::locale;
use crate::domain::outbox::Occasion;
use crate::domain::policy::{Action, Subject};
use crate::domain::webhook::Secret;
use crate::engine::follow::webhook::binding;
use crate::store::webhook_tries::{self, Tried};
use crate::store::webhooks::{self, SealedSecret, Webhook};
use crate::store::{Reader, Tx};

/// The longest address.
const LONGEST_URL: usize = 2_000;
/// The longest description.
const LONGEST_DESCRIPTION: usize = 200;

/// A webhook to be entered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewWebhook {
    /// Where it is told: `https://…`, at a public address.
    pub url: String,
    /// What its owner calls it.
    #[serde(default)]
    pub description: Option<String>,
    /// What it wants to hear of.
    pub events: Vec<Occasion>,
}

/// What to change in a webhook; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct WebhookChange {
    /// Where it is told.
    pub url: Option<String>,
    /// What its owner calls it.
    pub description: Option<String>,
    /// What it wants to hear of.
    pub events: Option<Vec<Occasion>>,
    /// `false` switches it off, `true` on again.
    pub enabled: Option<bool>,
}

/// A webhook as people see it: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: WebhookId,
    /// Where it is told.
    pub url: String,
    /// What its owner calls it.
    pub description: String,
    /// What it wants to hear of.
    pub events: Vec<Occasion>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Since when it is not.
    pub disabled_at: Option<Timestamp>,
    /// Why: `asked`, `failing` (nothing succeeded for days), or `gone` (it answered 410).
    pub disabled_because: Option<String>,
    /// Since when nothing succeeded although it was tried.
    pub failing_since: Option<Timestamp>,
    /// When it was last told successfully.
    pub succeeded_at: Option<Timestamp>,
    /// Until when the secret before this one signs as well.
    pub previous_secret_until: Option<Timestamp>,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who entered it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A webhook with a new secret, shown for once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevealedWebhook {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// What its requests are signed with from now on. It cannot be shown again; in the answer to a
    /// repeated request it is `null`.
    pub secret: Option<String>,
}

impl std::fmt::Debug for RevealedWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RevealedWebhook({})", self.webhook.id)
    }
}

/// A try to tell a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TryView {
    /// Its id.
    pub id: WebhookTryId,
    /// The message, the `webhook-id` of the request.
    pub message_id: MessageId,
    /// What that tells of.
    pub event: Occasion,
    /// The how-manyth.
    pub number: i64,
    /// `delivered`, or how it failed: `refused`, `redirect`, `gone`, `timeout`, `unreachable`,
    /// `broken`, `forbidden`, `unsent`.
    pub outcome: String,
    /// The status that was answered.
    pub status: Option<i64>,
    /// In words.
    pub detail: String,
    /// How long it took.
    pub took_ms: i64,
    /// When it is tried again; `null` when it is not.
    pub next_at: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let (disabled_at, disabled_because) = webhook.disabled.unzip();
        Self {
            id: webhook.id,
            url: webhook.url,
            description: webhook.description,
            events: webhook.events,
            enabled: disabled_at.is_none(),
            disabled_at,
            disabled_because,
            failing_since: webhook.failing_since,
            succeeded_at: webhook.succeeded_at,
            previous_secret_until: webhook.previous.map(|(_, until)| until),
            version: webhook.version,
            created_by: webhook.created_by,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

impl From<Tried> for TryView {
    fn from(tried: Tried) -> Self {
        Self {
            id: tried.id,
            message_id: tried.message_id,
            event: tried.event,
            number: tried.number,
            outcome: tried.outcome,
            status: tried.status,
            detail: tried.detail,
            took_ms: tried.took_ms,
            next_at: tried.next_at,
            at: tried.at,
        }
    }
}

/// Enters a webhook and shows its secret, once.
pub async fn create(
    services: &Services,
    caller: &Caller,
    new: NewWebhook,
) -> Result<Done<RevealedWebhook>, Error> {
    permit(caller, Action::WriteWebhooks, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    sessions::fresh(caller, services.clock.now())?;
    let now = services.clock.now();
    let id = WebhookId::new(now, services.random());
    let secret = Secret::mint(rand::random());
    let webhook = Webhook {
        secret: seal(services, &id, 1, &secret)?,
        id,
        url: new.url,
        description: new.description.unwrap_or_default(),
        events: new.events,
        previous: None,
        failing_since: None,
        succeeded_at: None,
        disabled: None,
        version: 1,
        created_by: caller.actor.label(),
        created_at: now,
        updated_at: now,
    };
    check(services, &webhook).await?;
    let mut tx = services.store.begin().await?;
    webhooks::insert(&mut tx, &webhook).await?;
    let detail = json!({"host": host(&webhook.url), "events": webhook.events});
    let entry = caller.entry("webhook.create", &webhook.id, detail);
    reveal(services, caller, tx, webhook, &secret, entry).await
}

/// Changes a webhook from the version that the caller has seen.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &WebhookId,
    seen: Option<i64>,
    change: WebhookChange,
) -> Result<Done<WebhookView>, Error> {
    permit(caller, Action::WriteWebhooks, Subject::Any)?;
    let now = services.clock.now();
    sessions::fresh(caller, now)?;
    let mut webhook = find(&mut services.store.read().await?, id).await?;
    let from = webhook.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    webhook.url = change.url.unwrap_or(webhook.url);
    webhook.description = change.description.unwrap_or(webhook.description);
    webhook.events = change.events.unwrap_or(webhook.events);
    match change.enabled {
        Some(true) => (webhook.disabled, webhook.failing_since) = (None, None),
        Some(false) if webhook.disabled.is_none() => {
            webhook.disabled = Some((now, "asked".to_owned()));
        }
        Some(false) | None => {}
    }
    webhook.updated_at = now;
    // No transaction is open while names are resolved.
    check(services, &webhook).await?;
    let mut tx = services.store.begin().await?;
    webhooks::update(&mut tx, &webhook, from).await?;
    webhook.version = from + 1;
    let detail = json!({
        "host": host(&webhook.url), "events": webhook.events,
        "enabled": webhook.disabled.is_none(),
    });
    let entry = caller.entry("webhook.change", id, detail);
    finish(services, caller, tx, webhook.into(), &[entry]).await
}

/// Replaces the secret and shows the new one, once. The one before goes on signing for a while, so
/// that the other program can change over without losing anything.
pub async fn rotate(
    services: &Services,
    caller: &Caller,
    id: &WebhookId,
) -> Result<Done<RevealedWebhook>, Error> {
    permit(caller, Action::WriteWebhooks, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    sessions::fresh(caller, services.clock.now())?;
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let mut webhook = find(&mut tx, id).await?;
    let (from, secret) = (webhook.version, Secret::mint(rand::random()));
    let next = seal(services, id, webhook.secret.version + 1, &secret)?;
    let until = after(now, services.config.webhooks.rotation_overlap);
    webhook.previous = Some((std::mem::replace(&mut webhook.secret, next), until));
    webhook.updated_at = now;
    webhooks::update(&mut tx, &webhook, from).await?;
    webhook.version = from + 1;
    let entry = caller.entry("webhook.rotate", id, json!({"previous_until": until}));
    reveal(services, caller, tx, webhook, &secret, entry).await
}

/// Ends an act that made a secret: what is kept for a repetition must not contain it.
async fn reveal(
    services: &Services,
    caller: &Caller,
    tx: Tx,
    webhook: Webhook,
    secret: &Secret,
    entry: crate::domain::audit::NewEntry,
) -> Result<Done<RevealedWebhook>, Error> {
    let kept = RevealedWebhook { webhook: webhook.into(), secret: None };
    let mut done = finish(services, caller, tx, kept, &[entry]).await?;
    if !done.replayed {
        done.value.secret = Some(secret.reveal().to_owned());
    }
    Ok(done)
}

/// Removes a webhook with its log; what it was not told yet it will not be told.
pub async fn remove(services: &Services, caller: &Caller, id: &WebhookId) -> Result<(), Error> {
    permit(caller, Action::WriteWebhooks, Subject::Any)?;
    let mut tx = services.store.begin().await?;
    webhook_tries::remove(&mut tx, id).await?;
    if !webhooks::remove(&mut tx, id).await? {
        return Err(Error::NotFound);
    }
    let entry = caller.entry("webhook.remove", id, json!({}));
    finish(services, caller, tx, (), &[entry]).await?;
    Ok(())
}

/// One webhook.
pub async fn show(
    services: &Services,
    caller: &Caller,
    id: &WebhookId,
) -> Result<WebhookView, Error> {
    permit(caller, Action::ReadWebhooks, Subject::Any)?;
    Ok(find(&mut services.store.read().await?, id).await?.into())
}

/// A page of webhooks.
pub async fn list(
    services: &Services,
    caller: &Caller,
    window: &Window,
) -> Result<Page<WebhookView>, Error> {
    permit(caller, Action::ReadWebhooks, Subject::Any)?;
    let after: Option<WebhookId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let rows = webhooks::list(&mut reader, after.as_ref(), window.rows()).await?;
    let page = window.page(rows, |webhook| vec![webhook.id.to_string()]);
    Ok(Page { items: page.items.into_iter().map(WebhookView::from).collect(), next: page.next })
}

/// A page of the tries of a webhook, newest first.
pub async fn tries(
    services: &Services,
    caller: &Caller,
    id: &WebhookId,
    window: &Window,
) -> Result<Page<TryView>, Error> {
    permit(caller, Action::ReadWebhooks, Subject::Any)?;
    let before: Option<WebhookTryId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    find(&mut reader, id).await?;
    let rows = webhook_tries::list(&mut reader, id, before.as_ref(), window.rows()).await?;
    let page = window.page(rows, |tried| vec![tried.id.to_string()]);
    Ok(Page { items: page.items.into_iter().map(TryView::from).collect(), next: page.next })
}

async fn find(reader: &mut Reader, id: &WebhookId) -> Result<Webhook, Error> {
    webhooks::find(reader, &[id]).await?.pop().ok_or(Error::NotFound)
}

fn seal(
    services: &Services,
    id: &WebhookId,
    version: i64,
    secret: &Secret,
) -> Result<SealedSecret, Error> {
    let text = SecretString::from(secret.reveal().to_owned());
    let sealed = services.vault.seal(binding(id, version), &text).map_err(Error::internal)?;
    Ok(SealedSecret { version, key_id: sealed.key_id, sealed: sealed.bytes })
}

fn host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

async fn check(services: &Services, webhook: &Webhook) -> Result<(), Error> {
    let mut faults = Vec::new();
    if !webhook.description.is_empty() {
        let (line, longest) = (&webhook.description, LONGEST_DESCRIPTION);
        locale::check_line("/description", line, longest, &mut faults);
    }
    if webhook.events.is_empty() {
        faults.push(Fault::new("/events", "blank", "name at least one event"));
    }
    for (index, event) in webhook.events.iter().enumerate() {
        if webhook.events.iter().take(index).any(|earlier| earlier == event) {
            let detail = format!("{event} is named twice");
            let fault = Fault::new(format!("/events/{index}"), "repeated", detail);
            faults.push(fault.with("value", event));
        }
    }
    let plain = |url: &Url| {
        url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(&webhook.url).ok().filter(plain) {
        Some(_) if webhook.url.len() > LONGEST_URL => {
            let detail = format!("at most {LONGEST_URL} characters");
            faults.push(Fault::new("/url", "too_long", detail).with("max", LONGEST_URL));
        }
        Some(url) if services.outbound.may_ask(&url).await => {}
        Some(_) => {
            let detail = "must be https and lead to a public address; a private host must be one \
                          of outbound.trusted_hosts";
            faults.push(Fault::new("/url", "address_not_public", detail));
        }
        None => {
            let detail = "must be an address such as https://host/path, without login or fragment";
            faults.push(Fault::new("/url", "bad_address", detail));
        }
    }
    all_well(faults)
}
