//! What a test wants published: a text like no other, with what goes along with it.

use std::io::Cursor;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chancery::domain::id::{DeliveryId, MediaId, PostId};
use chancery::service::{Caller, Error, media, posts, schedule};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Outlet, Stage};

/// A post in English for one account.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What it says.
    pub(crate) text: String,
    class: &'static str,
    link: Option<String>,
    thread: Vec<String>,
    comment: Option<String>,
    pictures: Vec<(MediaId, String)>,
    at: Option<Timestamp>,
    publish_by: Option<Timestamp>,
    settings: Value,
}

impl Wanted {
    /// A text that no other test says, to go out now.
    pub(crate) fn text(what: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            text: format!("Tin số {number} – {what} [{number}]"),
            class: "routine",
            link: None,
            thread: Vec::new(),
            comment: None,
            pictures: Vec::new(),
            at: None,
            publish_by: None,
            settings: json!({}),
        }
    }

    pub(crate) fn class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }

    pub(crate) fn link(self, link: &str) -> Self {
        Self { link: Some(link.to_owned()), ..self }
    }

    /// What follows as a thread; each part is like no other.
    pub(crate) fn thread(self, parts: &[&str]) -> Self {
        let part = |(number, what): (usize, &&str)| format!("({number}) {what}: {}", self.text);
        let thread = (2..).zip(parts).map(part).collect();
        Self { thread, ..self }
    }

    /// What is said below it at once; like no other.
    pub(crate) fn comment(self, what: &str) -> Self {
        let comment = Some(format!("{what}: {}", self.text));
        Self { comment, ..self }
    }

    /// The same with just these words.
    pub(crate) fn comment_exactly(self, what: &str) -> Self {
        Self { comment: Some(what.to_owned()), ..self }
    }

    pub(crate) fn picture(mut self, media: &MediaId, alt: &str) -> Self {
        self.pictures.push((media.clone(), alt.to_owned()));
        self
    }

    pub(crate) fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    pub(crate) fn publish_by(self, publish_by: Timestamp) -> Self {
        Self { publish_by: Some(publish_by), ..self }
    }

    /// The same text is meant to be said again.
    pub(crate) fn repeat(self) -> Self {
        self.set(json!({"intended_repeat": true}))
    }

    /// With settings of the delivery.
    pub(crate) fn set(self, settings: Value) -> Self {
        Self { settings, ..self }
    }

    /// The post's variant, as a request names it.
    pub(crate) fn variant(&self) -> Value {
        let pictures = self.pictures.iter();
        let media: Vec<_> = pictures.map(|(id, alt)| json!({"media_id": id, "alt": alt})).collect();
        let thread: Vec<_> = self.thread.iter().map(|text| json!({"text": text})).collect();
        json!({
            "language": "en", "text": self.text, "link": self.link, "media": media,
            "thread": thread, "first_comment": self.comment,
        })
    }

    /// The delivery to one account, as a request names it.
    pub(crate) fn delivery(&self, outlet: &Outlet) -> Value {
        let mut wanted = json!({"account_id": outlet.id, "language": "en"});
        match self.at {
            Some(at) => wanted["at"] = json!(at.to_string()),
            None => wanted["now"] = json!(true),
        }
        if let Some(publish_by) = self.publish_by {
            wanted["publish_by"] = json!(publish_by.to_string());
        }
        if self.settings != json!({}) {
            wanted["settings"] = self.settings.clone();
        }
        wanted
    }
}

impl Stage {
    /// A post with these variants.
    pub(crate) async fn post(&self, class: &str, variants: &[Value]) -> PostId {
        let new = json!({
            "unit_id": self.unit, "title": "A test", "class": class,
            "source_language": variants[0]["language"], "variants": variants,
        });
        let new = serde_json::from_value(new).unwrap();
        posts::create(self.acts(), &self.caller, new).await.unwrap().value.id
    }

    /// The judge looks at these too: the service has made them of itself.
    pub(crate) fn know(&self, ids: impl IntoIterator<Item = DeliveryId>) {
        let mut asked = self.asked.lock().unwrap();
        for id in ids {
            if !asked.contains(&id) {
                asked.push(id);
            }
        }
    }

    /// Schedules deliveries of a post.
    pub(crate) async fn schedule(&self, post: &PostId, wanted: &[Value]) -> Vec<DeliveryId> {
        self.try_schedule(post, wanted).await.unwrap()
    }

    /// Schedules them to wait until what they say, where and when is approved.
    pub(crate) async fn plan(&self, post: &PostId, wanted: &[Value]) -> Vec<DeliveryId> {
        let wanted = json!({"deliveries": wanted, "awaiting_approval": true});
        self.asked_for(&self.caller, post, wanted).await.unwrap()
    }

    /// The same where it may be refused.
    pub(crate) async fn try_schedule(
        &self,
        post: &PostId,
        wanted: &[Value],
    ) -> Result<Vec<DeliveryId>, Error> {
        self.schedule_as(&self.caller, post, wanted).await
    }

    async fn schedule_as(
        &self,
        caller: &Caller,
        post: &PostId,
        wanted: &[Value],
    ) -> Result<Vec<DeliveryId>, Error> {
        self.asked_for(caller, post, json!({"deliveries": wanted})).await
    }

    async fn asked_for(
        &self,
        caller: &Caller,
        post: &PostId,
        wanted: Value,
    ) -> Result<Vec<DeliveryId>, Error> {
        let wanted = serde_json::from_value(wanted).unwrap();
        let done = schedule::schedule(self.acts(), caller, post, wanted).await?;
        let ids: Vec<_> = done.value.deliveries.into_iter().map(|one| one.id).collect();
        self.asked.lock().unwrap().extend(ids.iter().cloned());
        Ok(ids)
    }

    /// Writes the post that is wanted.
    pub(crate) async fn write(&self, wanted: &Wanted) -> PostId {
        self.post(wanted.class, &[wanted.variant()]).await
    }

    /// Writes a post and schedules it for one account.
    pub(crate) async fn deliver(&self, outlet: &Outlet, wanted: &Wanted) -> DeliveryId {
        let post = self.write(wanted).await;
        self.schedule(&post, &[wanted.delivery(outlet)]).await.remove(0)
    }

    /// The same where somebody else schedules it; all its parts.
    pub(crate) async fn deliver_as(
        &self,
        caller: &Caller,
        outlet: &Outlet,
        wanted: &Wanted,
    ) -> Vec<DeliveryId> {
        let post = self.write(wanted).await;
        let wanted = [wanted.delivery(outlet)];
        self.schedule_as(caller, &post, &wanted).await.unwrap()
    }

    /// Hands in a picture that is like no other, by its number.
    pub(crate) async fn picture(&self, number: u8) -> (MediaId, Bytes) {
        let pixels = image::RgbImage::from_fn(48, 32, |x, y| {
            image::Rgb([number, u8::try_from(x * 4).unwrap_or(0), u8::try_from(y * 4).unwrap_or(0)])
        });
        let mut png = Cursor::new(Vec::new());
        pixels.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let bytes = Bytes::from(png.into_inner());
        (self.hand_in(&bytes).await, bytes)
    }

    /// Hands in a file.
    pub(crate) async fn hand_in(&self, bytes: &Bytes) -> MediaId {
        let mut incoming = self.acts().files.receive().await.unwrap();
        incoming.write(bytes).await.unwrap();
        let received = incoming.end().await.unwrap();
        let made = media::create(self.acts(), self.caller.clone(), None, received).await;
        made.unwrap().value.id
    }
}
