//! Changes the text of a post on Mastodon that is out.
//!
//! `PUT /api/v1/statuses/{id}` keeps the id and the old versions, which everybody can read
//! (docs.joinmastodon.org, methods, statuses, edit, read 2026-11-22). What it is not told again it takes
//! away, so pictures, warning and language are said as the post shows them.

use serde_json::Value;

use super::Mastodon;
use super::api::{Api, Beside, comparable, is_id};
use super::classify::Problem;
use super::find::interpret;
use super::html;
use super::remove::altered;
use crate::domain::text::normalised;
use crate::domain::variant::Content;
use crate::outbound::Response;
use crate::platforms::Answer;
use crate::platforms::correcting::{Corrects, Fixed, Revision};
use crate::platforms::matching::{Blind, with_link};
use crate::platforms::outcome::{Alteration, Worded, Wording};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::{describe, failed_alteration, text_at};

impl Corrects for Mastodon {
    fn fixed(&self, remote_id: &str, _said: &Content) -> Option<Fixed> {
        let detail = "its id is of no post on Mastodon";
        (!is_id(remote_id)).then_some(Fixed { what: "remote_id", detail })
    }

    fn form(&self, said: &Content) -> String {
        comparable(&with_link(&said.text, said.link.as_deref()))
    }

    fn wording<'a>(&'a self, on: &'a Session, remote_id: &'a str) -> Answer<'a, Metered<Wording>> {
        Box::pin(async move {
            let value = self.post(on, remote_id).await.unwrap_or_else(|blind| Wording::CannotSee {
                detail: blind.detail,
                until: blind.until,
            });
            Metered { value, usage: Vec::new() }
        })
    }

    fn correct<'a>(
        &'a self,
        on: &'a Session,
        revision: &'a Revision<'a>,
    ) -> Answer<'a, Metered<Alteration>> {
        Box::pin(
            async move { Metered { value: self.change(on, revision).await, usage: Vec::new() } },
        )
    }

    /// `GET /api/v1/statuses/{id}/history` has every version, the first one first (docs.joinmastodon.org,
    /// methods, statuses, history, read 2026-11-23). An edit takes no condition.
    fn replaced<'a>(
        &'a self,
        on: &'a Session,
        revision: &'a Revision<'a>,
    ) -> Answer<'a, Metered<Option<String>>> {
        Box::pin(async move {
            let versions = self.versions(on, revision.remote_id).await;
            let value = versions.and_then(|all| before(&all, &self.form(revision.said)));
            Metered { value, usage: Vec::new() }
        })
    }
}

impl Mastodon {
    async fn post(&self, on: &Session, id: &str) -> Result<Wording, Blind> {
        let api = Api::of(&self.settings, on)?;
        let answer = on.outbound.send(api.one(id)?).await;
        let answer = answer.map_err(|failure| Blind::because(describe(&failure)))?;
        if let Some(said) = missing(&answer) {
            return Ok(Wording::NotThere(said));
        }
        let value = interpret(&answer, on.clock.now())?;
        let post = api.post(&value).filter(|it| it.is_own && it.shown.receipt.remote_id == id);
        let post = post.ok_or_else(|| Blind::because("it shows another post, or none"))?;
        let beside = Beside::of(&value);
        let beside = beside.and_then(|it| serde_json::to_value(it).ok());
        let beside = beside.ok_or_else(|| Blind::because("a picture in it has no id"))?;
        Ok(Wording::Says(Worded { text: post.shown.text, beside }))
    }

    async fn versions(&self, on: &Session, id: &str) -> Option<Value> {
        let request = Api::of(&self.settings, on).ok()?.history(id).ok()?;
        let answer = on.outbound.send(request).await.ok()?;
        interpret(&answer, on.clock.now()).ok()
    }

    async fn change(&self, on: &Session, revision: &Revision<'_>) -> Alteration {
        let api = Api::of(&self.settings, on);
        let request = match api.and_then(|api| api.edit(revision)) {
            Ok(request) => request,
            Err(fault) => return Alteration::Refused(fault.refusal()),
        };
        match on.outbound.send(request).await {
            Ok(answer) => altered(&answer, revision.remote_id, on.clock.now()),
            Err(failure) => failed_alteration(&failure),
        }
    }
}

/// What stands before the newest version that says this.
fn before(versions: &Value, text: &str) -> Option<String> {
    let said = |one: &Value| Some(comparable(&html::text(&text_at(one, "content")?)));
    let all: Vec<String> = versions.as_array()?.iter().map(said).collect::<Option<_>>()?;
    let newest = all.iter().rposition(|one| normalised(one) == normalised(text))?;
    all.get(newest.checked_sub(1)?).cloned()
}

/// What the server says, in its own words, of a post that is not there.
fn missing(answer: &Response) -> Option<String> {
    let not_found = answer.status == http::StatusCode::NOT_FOUND;
    Problem::parse(answer).filter(|_| not_found).map(|problem| problem.said())
}
