//! Changes the text of a post of a Page that is out.
//!
//! `POST /{post}` with `message` answers with `success`, and only for posts that the same application has
//! made (Graph API reference, page post, updating, read 2026-09-11). What it shows beside the text stays.
//! Of films the text is another field of another object, and of comments nobody has described it: those
//! are not corrected.

use serde_json::Value;

use super::api::{Graph, message, usage};
use super::classify::{GraphError, is_post_of};
use super::find::tail;
use super::remove::altered;
use super::{Facebook, Settings};
use crate::domain::variant::Content;
use crate::platforms::Answer;
use crate::platforms::correcting::{Corrects, Fixed, Revision};
use crate::platforms::outcome::{Alteration, Usage, Worded, Wording};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::{describe, failed_alteration, text_at};

/// Enough to see what it says; each field more could be refused.
const FIELDS: &str = "id,message";

impl Corrects for Facebook {
    fn fixed(&self, remote_id: &str, said: &Content) -> Option<Fixed> {
        if said.has_film() {
            let detail = "the text beside a film cannot be corrected from here";
            return Some(Fixed { what: "film", detail });
        }
        // Whose it is the platform says.
        let page = remote_id.split('_').next().unwrap_or_default();
        if !is_post_of(remote_id, page) {
            let detail = "what became of it is known by another id than a post of the Page has";
            return Some(Fixed { what: "remote_id", detail });
        }
        None
    }

    fn form(&self, said: &Content) -> String {
        message(&said.text, said.link.as_deref(), !said.media.is_empty())
    }

    fn wording<'a>(&'a self, on: &'a Session, remote_id: &'a str) -> Answer<'a, Metered<Wording>> {
        Box::pin(wording(&self.settings, on, remote_id))
    }

    fn correct<'a>(
        &'a self,
        on: &'a Session,
        revision: &'a Revision<'a>,
    ) -> Answer<'a, Metered<Alteration>> {
        Box::pin(async move {
            let text = self.form(revision.said);
            correct(&self.settings, on, revision.remote_id, &text).await
        })
    }
}

async fn correct(settings: &Settings, on: &Session, id: &str, text: &str) -> Metered<Alteration> {
    let unmetered = |value| Metered { value, usage: Vec::new() };
    let request = match Graph::of(settings, on).edit(id, text) {
        Ok(request) => request,
        Err(fault) => return unmetered(Alteration::Refused(fault.refusal())),
    };
    match on.outbound.send(request).await {
        Ok(answer) => {
            let now = on.clock.now();
            Metered { value: altered(&answer, now), usage: usage(&answer.headers, now) }
        }
        Err(failure) => unmetered(failed_alteration(&failure)),
    }
}

async fn wording(settings: &Settings, on: &Session, id: &str) -> Metered<Wording> {
    let blind = |detail: String| Metered {
        value: Wording::CannotSee { detail, until: None },
        usage: Vec::new(),
    };
    let request = match Graph::of(settings, on).post(id, FIELDS) {
        Ok(request) => request,
        Err(fault) => return blind(fault.refusal().detail),
    };
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return blind(describe(&failure)),
    };
    let usage = usage(&answer.headers, on.clock.now());
    let value = match GraphError::parse(&answer.body) {
        Some(error) if error.word() == "100/33" && answer.status.is_client_error() => {
            Wording::NotThere(format!("{} {}", error.word(), error.detail()))
        }
        Some(error) => Wording::CannotSee {
            detail: format!("{} {}", error.word(), error.detail()),
            until: usage.iter().filter_map(Usage::blocked_until).max(),
        },
        None => {
            let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let own = text_at(&value, "id").is_some_and(|shown| tail(&shown) == tail(id));
            if own && answer.status.is_success() {
                // What is empty is left out.
                let text = text_at(&value, "message").unwrap_or_default();
                Wording::Says(Worded { text, beside: Value::Null })
            } else {
                let detail = format!("status {}", answer.status.as_u16());
                Wording::CannotSee { detail, until: None }
            }
        }
    };
    Metered { value, usage }
}
