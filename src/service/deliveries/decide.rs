//! What a person decides about a delivery whose outcome nobody else can tell: it is there, give it
//! up, or send it again.

use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{DeliveryView, changed, not_now, publish_job, see};
use crate::clock;
use crate::domain::attempt::Receipt;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Event};
use crate::domain::id::DeliveryId;
use crate::domain::policy::Action;
use crate::service::plan;
use crate::service::{Caller, Done, Error, Services, Told, finish};
use crate::store::deliveries::{self, Delivery};
use crate::store::{self, Tx, jobs};

/// Where a person has found the post.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Adoption {
    /// The platform's id of the post.
    pub remote_id: String,
    /// Where it can be seen.
    #[serde(default)]
    pub permalink: Option<String>,
}

/// A transaction on a delivery that waits for a person.
async fn waiting(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    event: Event,
) -> Result<(Tx, Delivery), Error> {
    let mut tx = services.store.begin().await?;
    let delivery = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
    let asked = delivery.state == DeliveryState::NeedsHuman;
    if !asked || delivery.state.apply(event).is_err() {
        let detail = "only a delivery that needs a person can be decided about";
        return Err(not_now(&delivery, "not_asked", detail));
    }
    Ok((tx, delivery))
}

/// A person has found it at the platform: it is published.
pub async fn adopt(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    found: Adoption,
) -> Result<Done<DeliveryView>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let remote_id = found.remote_id;
    if remote_id.is_empty() || remote_id.len() > 100 || !remote_id.chars().all(plain) {
        let detail = "the platform's id of the post: up to 100 letters, digits, _ - .";
        return Err(Error::fault("/remote_id", "bad_remote_id", detail));
    }
    let good_link = |link: &String| {
        (link.starts_with("https://") || link.starts_with("http://")) && link.len() <= 2_048
    };
    if found.permalink.as_ref().is_some_and(|link| !good_link(link)) {
        return Err(Error::fault("/permalink", "bad_link", "must be an http or https address"));
    }
    let now = services.clock.now();
    let (mut tx, delivery) = waiting(services, caller, id, Event::Found).await?;
    let receipt = Receipt { remote_id, permalink: found.permalink, published_at: now };
    match deliveries::adopt(&mut tx, id, &receipt, now).await {
        Ok(true) => {}
        Ok(false) => return Err(Error::Busy),
        Err(store::Error::Conflict(_)) => {
            let detail = "another delivery to this account has this id already";
            return Err(Error::Conflict(Told::new("already_adopted", detail)));
        }
        Err(other) => return Err(other.into()),
    }
    let view = changed(&mut tx, id).await?;
    let detail = json!({"was": delivery.problem, "remote_id": receipt.remote_id});
    let entry = caller.entry("delivery.adopt", id, detail);
    finish(services, caller, tx, view, &[entry]).await
}

/// A person gives it up: it is not sent again.
pub async fn give_up(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<Done<DeliveryView>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let (mut tx, delivery) = waiting(services, caller, id, Event::Dropped).await?;
    let why = DeliveryProblem {
        code: "dropped".to_owned(),
        detail: "a person decided not to send it again".to_owned(),
        hint: "schedule it again if it is wanted after all".to_owned(),
    };
    if !deliveries::give_up(&mut tx, id, &why, services.clock.now()).await? {
        return Err(Error::Busy);
    }
    let view = changed(&mut tx, id).await?;
    let entry = caller.entry("delivery.drop", id, json!({"was": delivery.problem}));
    finish(services, caller, tx, view, &[entry]).await
}

/// A person has seen that it is not there: it is sent again, now.
pub async fn retry(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<Done<DeliveryView>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let (mut tx, delivery) = waiting(services, caller, id, Event::SentAgain).await?;
    let publish_by = clock::after(now, plan::grace(services, delivery.class));
    if !deliveries::retry(&mut tx, id, publish_by, now).await? {
        return Err(Error::Busy);
    }
    let job = publish_job(services, &delivery, now);
    jobs::remove_queued(&mut tx, std::slice::from_ref(&job.unique_key)).await?;
    jobs::enqueue(&mut tx, std::slice::from_ref(&job), now).await?;
    let view = changed(&mut tx, id).await?;
    let entry = caller.entry("delivery.retry", id, json!({"was": delivery.problem}));
    let done = finish(services, caller, tx, view, &[entry]).await?;
    services.queue.announce(&[job]);
    Ok(done)
}
