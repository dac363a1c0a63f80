//! A person says where the post is: the platform is asked, and the delivery counts as published.

use serde::Deserialize;
use serde_json::json;
use url::Url;
use utoipa::ToSchema;

use super::decide::{check_asked, waiting};
use super::{DeliveryView, changed, see};
use crate::domain::account::Account;
use crate::domain::attempt::Receipt;
use crate::domain::delivery::Event;
use crate::domain::fault::Fault;
use crate::domain::id::DeliveryId;
use crate::domain::locale::quoted;
use crate::domain::policy::Action;
use crate::platforms::outcome::{NoPost, Sighting};
use crate::platforms::session::Place;
use crate::service::{Caller, Done, Error, Services, Told, accounts, finish, ownership};
use crate::store::deliveries::Delivery;
use crate::store::{self, Reader, accounts as rows, deliveries, parts};

/// The longest link that is taken.
const LONGEST_LINK: usize = 2_048;

/// When to try again after the platform could not be asked.
const RETRY_AFTER_S: u64 = 30;

/// Where a person has found the post: its id, its address, or both.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(min_properties = 1)]
pub struct Adoption {
    /// The platform's id of the post.
    #[serde(default)]
    pub remote_id: Option<String>,
    /// Where it can be seen: the address in the browser.
    #[serde(default)]
    pub permalink: Option<String>,
}

/// What was said, in its form.
struct Said {
    remote_id: Option<String>,
    link: Option<Url>,
}

impl Adoption {
    fn check(self) -> Result<Said, Error> {
        let mut faults = Vec::new();
        if self.remote_id.is_none() && self.permalink.is_none() {
            let detail = "say where the post is: remote_id or permalink";
            faults.push(Fault::new("", "remote_id_or_permalink", detail));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_id = |id: &String| (1..=100).contains(&id.len()) && id.chars().all(plain);
        if self.remote_id.as_ref().is_some_and(|id| !is_id(id)) {
            let detail = "the platform's id of the post: up to 100 letters, digits, _ - .";
            faults.push(Fault::new("/remote_id", "bad_remote_id", detail));
        }
        let link = self.permalink.map(|text| address(&text));
        if matches!(link, Some(None)) {
            faults.push(Fault::new("/permalink", "bad_link", "must be an http or https address"));
        }
        if faults.is_empty() {
            Ok(Said { remote_id: self.remote_id, link: link.flatten() })
        } else {
            Err(Error::Invalid(faults))
        }
    }
}

fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok().filter(|_| text.len() <= LONGEST_LINK)?;
    let plain = url.username().is_empty() && url.password().is_none();
    (plain && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// A person has found it at the platform: it is published, once the platform shows it too.
pub async fn adopt(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    found: Adoption,
) -> Result<Done<DeliveryView>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let said = found.check()?;
    let mut reader = services.store.read().await?;
    let delivery = see(&mut reader, caller, Action::WriteDeliveries, id).await?;
    check_asked(&delivery, Event::Found)?;
    let account = rows::find(&mut reader, &delivery.account_id).await?;
    let place = place_of(&mut reader, &delivery).await?;
    drop(reader);
    let receipt = verified(services, account, said, &place).await?;
    let now = services.clock.now();
    let (mut tx, delivery) = waiting(services, caller, id, Event::Found).await?;
    match deliveries::adopt(&mut tx, id, &receipt, now).await {
        Ok(true) => {}
        Ok(false) => return Err(Error::Busy),
        Err(store::Error::Conflict(_)) => {
            let detail = "another delivery to this account has this id already";
            return Err(Error::Conflict(Told::new("already_adopted", detail)));
        }
        Err(other) => return Err(other.into()),
    }
    // What is to go under it need not wait any more.
    parts::wake(&mut tx, &[id], now).await?;
    let view = changed(&mut tx, caller, id, services.clock.now()).await?;
    let detail = json!({"was": delivery.problem, "remote_id": receipt.remote_id});
    let entry = caller.entry("delivery.adopt", id, detail);
    let done = finish(services, caller, tx, view, &[entry]).await?;
    if delivery.part.number < delivery.part.of {
        services.queue.look_again();
    }
    Ok(done)
}

/// Under what the delivery was to go: a comment is no post, and that of another post is not this one.
async fn place_of(reader: &mut Reader, delivery: &Delivery) -> Result<Place, Error> {
    let Some(before) = &delivery.part.follows else { return Ok(Place::First) };
    let before = deliveries::find(reader, before).await?;
    let id = before.and_then(|it| it.receipt).map(|it| it.remote_id);
    Ok(id.map_or(Place::UnderSome, Place::Under))
}

/// What the platform itself says of the post. No transaction may be open.
async fn verified(
    services: &Services,
    account: Option<Account>,
    said: Said,
    place: &Place,
) -> Result<Receipt, Error> {
    let account = account.ok_or_else(|| unverified("the account is not there any more"))?;
    let platform = services
        .platforms
        .get(&account.platform)
        .ok_or_else(|| unverified("this build does not have the platform"))?;
    let named = said.link.as_ref().map(|link| platform.remote_id_in(link, &account.remote_id));
    let (pointer, remote_id) = match (said.remote_id, named) {
        // A link whose id only the platform can resolve does no harm beside an id.
        (Some(id), None | Some(Err(NoPost::NoId))) => ("/remote_id", id),
        (Some(id), Some(Ok(other))) if platform.newer(&id, &other).is_ne() => {
            let detail = format!("the link means the post {other}, not {id}");
            let fault = Fault::new("/permalink", "link_of_another_post", detail);
            return Err(Error::Invalid(vec![fault.with("found", other)]));
        }
        (_, Some(Ok(id))) => ("/permalink", id),
        (_, Some(Err(why))) => return Err(Error::Invalid(vec![no_post(why, platform.name())])),
        (None, None) => return Err(Error::NotFound),
    };
    let token = accounts::stored_token(services, &mut services.store.read().await?, &account)
        .await?
        .ok_or_else(|| unverified("the account has no credential"))?;
    let session = ownership::session(services, &account, token);
    match platform.look(&session, &remote_id, place).await {
        Sighting::There(receipt) => Ok(receipt),
        Sighting::NotThere => {
            let value = quoted(&remote_id);
            let detail = format!("the platform shows no post {value}; look again at its address");
            let fault = Fault::new(pointer, "post_not_there", detail).with("value", value);
            Err(Error::Invalid(vec![fault]))
        }
        Sighting::OfAnother => Err(Error::Invalid(vec![another_account(pointer)])),
        Sighting::CannotSee(why) => Err(unverified(&why)),
    }
}

fn no_post(why: NoPost, platform: &str) -> Fault {
    match why {
        NoPost::Elsewhere => {
            let detail = format!("not an address of {platform}; copy it from the post itself");
            Fault::new("/permalink", "link_elsewhere", detail).with("platform", platform)
        }
        NoPost::AnotherAccount => another_account("/permalink"),
        NoPost::NoId => {
            let detail = "no id can be read from this address; open the post itself and copy its \
                          address, or send remote_id";
            Fault::new("/permalink", "link_without_id", detail)
        }
    }
}

fn another_account(pointer: &str) -> Fault {
    let detail = "the post belongs to another account than the delivery's";
    Fault::new(pointer, "post_of_another_account", detail)
}

/// The platform's failure is not ours: the answer is a conflict, to be tried again.
fn unverified(why: &str) -> Error {
    let detail = format!(
        "the post could not be read at the platform, nothing was changed: {why}; check the \
         account's connection and try again"
    );
    let told = Told::new("post_not_verified", detail).with("reason", why);
    Error::Conflict(told.retry_after(RETRY_AFTER_S))
}
