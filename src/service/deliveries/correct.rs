//! A person wants what is out to say something else. The wish is durable; the engine sees to it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{DeliveryView, changed, not_now, see};
use crate::clock::before;
use crate::domain::correction::{Correction, CorrectionState, current};
use crate::domain::delivery::DeliveryState;
use crate::domain::fault::Fault;
use crate::domain::id::{DeliveryId, JobId};
use crate::domain::policy::{Action, Subject};
use crate::domain::text::normalised;
use crate::domain::unit::Unit;
use crate::domain::variant::{Content, MAX_TEXT, REPEAT_WINDOW, Variant, clean, text_hash};
use crate::domain::{hold, locale, work};
use crate::platforms::check::{self, Draft};
use crate::platforms::outcome::Wording;
use crate::service::accounts::stored_token;
use crate::service::schedule::check_open;
use crate::service::{
    Caller, Done, Error, Services, Told, all_well, approvals, finish, ownership, permit,
};
use crate::store::corrections::{self, NewCorrection};
use crate::store::deliveries::Delivery;
use crate::store::jobs::{self, NewJob};
use crate::store::{Reader, accounts, translations, units, variants};

/// The wish to have another text in the place of the one that is out.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Correcting {
    /// What it is to say. Link, pictures and settings stay as they are.
    #[schema(min_length = 1, max_length = 100_000)]
    pub text: String,
    /// Why; it stays with the delivery and in the audit.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// The `shown_hash` of a text of somebody else's that may be replaced.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub overwrite: Option<String>,
    /// Whether the account may say it although it has said the same elsewhere within 24 hours.
    #[serde(default)]
    pub intended_repeat: bool,
}

/// Asks for a published delivery to say something else. A later wish takes the place of one that was not
/// fulfilled yet.
pub async fn correct(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    wish: Correcting,
) -> Result<Done<DeliveryView>, Error> {
    permit(caller, Action::WriteDeliveries, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let text = settle(&wish)?;
    let other = shows_another(services, caller, id, &text).await?;
    let mut tx = services.store.begin().await?;
    let delivery = see(&mut tx, caller, Action::WriteDeliveries, id).await?;
    check_out(&delivery)?;
    if let Some(unit) = units::find(&mut tx, &delivery.unit_id).await? {
        check_open(services, &unit)?;
        approved(&mut tx, &delivery, &unit, &text, services.clock.now()).await?;
    }
    let content = Content { text, ..delivery.content.clone() };
    proofed(&mut tx, &delivery, &content).await?;
    let said = content.part(1).unwrap_or_default();
    possible(services, &delivery, &said)?;
    if is_said(&mut tx, &delivery, &said.text).await? {
        refuse_what_is_said(&delivery, other, wish.overwrite.is_some())?;
    }
    let now = services.clock.now();
    let label = caller.actor.label();
    let new = NewCorrection {
        delivery_id: id,
        account_id: &delivery.account_id,
        text: &said.text,
        content_hash: &content.hash(&delivery.language),
        text_hash: &text_hash(&said),
        reason: &wish.reason,
        asked_by: &label,
        overwrite: wish.overwrite.as_deref(),
        intended_repeat: wish.intended_repeat,
    };
    let Some(number) = corrections::ask(&mut tx, &new, now).await? else {
        return Err(Error::Busy);
    };
    // After the delivery's row, which is the turn of whoever asks.
    let since = before(now, REPEAT_WINDOW);
    if !wish.intended_repeat && corrections::is_said_elsewhere(&mut tx, &new, since).await? {
        let detail = "the account has said the same within the last 24 hours, or is about to; change the \
                      text, or ask for it as an intended repeat";
        return Err(not_now(&delivery, "same_text_recently", detail));
    }
    let job = job(services, &delivery, number, now);
    jobs::enqueue(&mut tx, std::slice::from_ref(&job), now).await?;
    let view = changed(&mut tx, caller, id, services.clock.now()).await?;
    let detail = json!({
        "number": number, "reason": wish.reason, "content_hash": new.content_hash,
        "overwrite": wish.overwrite,
    });
    let entry = caller.entry("delivery.correct", id, detail);
    let done = finish(services, caller, tx, view, &[entry]).await?;
    services.queue.announce(&[job]);
    Ok(done)
}

/// Refuses what is not out, or not for long.
fn check_out(delivery: &Delivery) -> Result<(), Error> {
    if delivery.state != DeliveryState::Published {
        return Err(not_now(delivery, "not_published", advice(delivery.state)));
    }
    if delivery.recall.is_some() {
        let detail = "it is to be deleted at the platform, so there is nothing to correct";
        return Err(not_now(delivery, "being_recalled", detail));
    }
    Ok(())
}

/// Where the unit wants approvals, a text may stand in the place of another only when the post says it by now,
/// in this language, and that is approved.
async fn approved(
    reader: &mut Reader,
    delivery: &Delivery,
    unit: &Unit,
    text: &str,
    now: Timestamp,
) -> Result<(), Error> {
    if unit.approval.needed() == 0 {
        return Ok(());
    }
    let id = &delivery.post_id;
    approvals::check(reader, unit, Some(id), now).await?;
    let variants = variants::of_posts(reader, &[id]).await?.remove(id).unwrap_or_default();
    let same = |one: &Variant| one.language == delivery.language && one.content.text == text;
    if variants.iter().any(same) {
        return Ok(());
    }
    let detail =
        "the unit wants approvals: change the post to say this, have that approved, then correct";
    Err(Error::Conflict(Told::new("correction_not_approved", detail)))
}

/// What nobody has proofed does not come out as a correction either.
async fn proofed(reader: &mut Reader, delivery: &Delivery, content: &Content) -> Result<(), Error> {
    let language = &delivery.language;
    let text = (language.clone(), content.hash(language));
    let unproofed = translations::unproofed(reader, &delivery.post_id).await?;
    let id = &delivery.post_id;
    let said = variants::of_posts(reader, &[id]).await?.remove(id).unwrap_or_default();
    // The post may say the same words with another picture or comment.
    let same = |one: &&Variant| {
        one.language == *language
            && one.content.text == content.text
            && !one.translation.status.goes_out()
    };
    let status = unproofed.get(&text).copied();
    let status = status.or_else(|| said.iter().find(same).map(|it| it.translation.status));
    let Some(status) = status else { return Ok(()) };
    let detail = format!("{language} is {status}: it goes out once somebody has proofed it");
    let told = Told::new("variant_not_proofed", detail);
    Err(Error::Conflict(told.with("language", language).with("status", status)))
}

/// The text in its one form, if everything that was handed in can be kept.
fn settle(wish: &Correcting) -> Result<String, Error> {
    let mut faults = Vec::new();
    locale::check_line("/reason", &wish.reason, hold::LONGEST_REASON, &mut faults);
    let text = clean(&wish.text, MAX_TEXT, true, "/text", &mut faults);
    if text.is_empty() && faults.is_empty() {
        faults.push(Fault::new("/text", "blank", "a text cannot be taken away, only replaced"));
    }
    let is_hash =
        |it: &String| it.len() == 64 && it.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if wish.overwrite.as_ref().is_some_and(|it| !is_hash(it)) {
        let detail = "must be the shown_hash of a correction that stands still";
        faults.push(Fault::new("/overwrite", "bad_overwrite", detail));
    }
    all_well(faults)?;
    Ok(text)
}

/// Refuses what its platform cannot change, and a text that may not be published there.
fn possible(services: &Services, delivery: &Delivery, said: &Content) -> Result<(), Error> {
    let platform = services.platforms.get(&delivery.platform).map(AsRef::as_ref);
    let name: &str = match platform {
        Some(known) => known.name(),
        None => &delivery.platform,
    };
    let cannot = |why: &str| {
        let detail = format!(
            "{name} cannot do that here: {why}. Recall it and publish it anew, or say what is right in \
             a further post below it"
        );
        let fault = Fault::new("", "correction_not_possible", detail);
        Err(Error::Invalid(vec![fault.with("platform", name)]))
    };
    let Some((platform, corrects)) = platform.and_then(|it| Some((it, it.corrects()?))) else {
        return cannot("another text would be another post there");
    };
    if delivery.part.number != 1 {
        return cannot("only what was said first can be corrected");
    }
    let receipt = delivery.receipt.as_ref().map_or("", |it| it.remote_id.as_str());
    if let Some(fixed) = corrects.fixed(receipt, said) {
        return cannot(fixed.detail);
    }
    let findings = check::check(&Draft::of(said), platform.rules()).into_iter();
    // What goes along with the text is out already.
    let fatal = findings.filter(|it| it.fatal && it.pointer.starts_with("/text"));
    let faults = fatal.map(|it| Fault {
        pointer: it.pointer,
        code: it.code,
        detail: it.detail,
        args: it.args,
    });
    all_well(faults.collect())
}

/// Whether there is nothing to do as far as is known here: the post says so by us, and nobody wants anything
/// else.
async fn is_said(reader: &mut Reader, delivery: &Delivery, wanted: &str) -> Result<bool, Error> {
    let history = corrections::of(reader, std::slice::from_ref(&delivery.id)).await?;
    let history: Vec<Correction> = history.into_iter().map(|(_, one)| one).collect();
    let begun = |it: &Correction| it.state != CorrectionState::Done && it.begun_at.is_some();
    let moving = history.iter().any(|it| it.state.is_open() || begun(it));
    Ok(current(&delivery.content.text, &history) == wanted && !moving)
}

/// Our own last words are put back only where the platform shows others. Where nobody can see what it shows,
/// only whoever has seen it may ask, by its hash: it is looked at again before anything is sent.
fn refuse_what_is_said(
    delivery: &Delivery,
    other: Option<bool>,
    has_seen: bool,
) -> Result<(), Error> {
    let detail = match other {
        Some(true) => return Ok(()),
        None if has_seen => return Ok(()),
        Some(false) => "the platform shows that it says so already",
        None => {
            "as far as is known here it says so already; what the platform shows cannot be seen now"
        }
    };
    Err(not_now(delivery, "already_said", detail))
}

/// Whether the platform shows another text than this, of a post that says it as far as is known here; `None`
/// where that is not asked, or cannot be seen. No transaction may be open.
async fn shows_another(
    services: &Services,
    caller: &Caller,
    id: &DeliveryId,
    text: &str,
) -> Result<Option<bool>, Error> {
    let mut reader = services.store.read().await?;
    let delivery = see(&mut reader, caller, Action::WriteDeliveries, id).await?;
    let content = Content { text: text.to_owned(), ..delivery.content.clone() };
    let said = content.part(1).unwrap_or_default();
    if check_out(&delivery).is_err() || !is_said(&mut reader, &delivery, &said.text).await? {
        return Ok(None);
    }
    let platform = services.platforms.get(&delivery.platform);
    let Some(corrects) = platform.and_then(|it| it.corrects()) else { return Ok(None) };
    let Some(account) = accounts::find(&mut reader, &delivery.account_id).await? else {
        return Ok(None);
    };
    let token = stored_token(services, &mut reader, &account).await?;
    let (Some(token), Some(receipt)) = (token, &delivery.receipt) else { return Ok(None) };
    drop(reader);
    let session = ownership::session(services, &account, token);
    Ok(match corrects.wording(&session, &receipt.remote_id).await.value {
        Wording::Says(shown) => Some(normalised(&shown.text) != normalised(&corrects.form(&said))),
        Wording::NotThere(_) | Wording::CannotSee { .. } => None,
    })
}

fn job(services: &Services, delivery: &Delivery, number: i64, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(now, services.random()),
        kind: work::CORRECT,
        unique_key: work::correct_key(&delivery.id, number),
        slot: work::slot(&delivery.platform, &delivery.account_id),
        payload: json!(work::Correct { delivery_id: delivery.id.clone(), number }),
        priority: 0,
        due_at: now,
    }
}

/// What one can do instead.
const fn advice(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Draft
        | DeliveryState::PendingApproval
        | DeliveryState::Scheduled
        | DeliveryState::Held => "it has not gone out, so cancel it and schedule the right text",
        DeliveryState::Publishing | DeliveryState::Unknown => {
            "it may be going out just now; correct it as soon as it is published, which its state will say"
        }
        DeliveryState::NeedsHuman => {
            "nobody knows whether it is out; if it is, adopt the post and then correct it"
        }
        DeliveryState::Missed | DeliveryState::Failed | DeliveryState::Cancelled => {
            "it never went out, so there is nothing to correct"
        }
        DeliveryState::Vanished | DeliveryState::Recalled => {
            "it is not there any more; publish the right text as a new post"
        }
        DeliveryState::Published => "it cannot be corrected",
    }
}
