//! The acts on posts that did not come from here: look, and say what they are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Page, Services, Told, Window, all_well, finish, permit};
use crate::domain::foreign::{ForeignStatus, LONGEST_NOTE};
use crate::domain::id::{AccountId, ForeignPostId, PersonId, UnitId};
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::store::foreign_posts::{self as rows, ForeignPost};

/// A post on one of our accounts that did not come from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForeignPostView {
    /// Its id.
    pub id: ForeignPostId,
    /// On which account.
    pub account_id: AccountId,
    /// The account's unit.
    pub unit_id: UnitId,
    /// The platform.
    pub platform: String,
    /// The platform's id of it.
    pub remote_id: String,
    /// Where it can be seen.
    pub permalink: Option<String>,
    /// When the platform says it was published.
    pub published_at: Timestamp,
    /// The first 500 characters of what it says.
    pub text: String,
    /// When it was found.
    pub seen_at: Timestamp,
    /// Whether somebody has said what it is.
    pub status: ForeignStatus,
    /// Who.
    pub explained_by: Option<PersonId>,
    /// When.
    pub explained_at: Option<Timestamp>,
    /// What he has said.
    pub note: Option<String>,
}

/// What a foreign post is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Explanation {
    /// Who posted it and why, such as "the press office, from a phone".
    #[schema(min_length = 1, max_length = 500)]
    pub note: String,
}

/// Which of them a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// On this account.
    pub account_id: Option<AccountId>,
    /// On an account of this unit.
    pub unit_id: Option<UnitId>,
    /// That stand so.
    pub status: Option<ForeignStatus>,
    /// Published at or after.
    pub from: Option<Timestamp>,
    /// Published before.
    pub to: Option<Timestamp>,
}

impl From<ForeignPost> for ForeignPostView {
    fn from(post: ForeignPost) -> Self {
        Self {
            id: post.id,
            account_id: post.account_id,
            unit_id: post.unit_id,
            platform: post.platform,
            remote_id: post.remote_id,
            permalink: post.permalink,
            published_at: post.published_at,
            text: post.text,
            seen_at: post.seen_at,
            status: post.status,
            explained_by: post.explained_by,
            explained_at: post.explained_at,
            note: post.note,
        }
    }
}

/// A page of them, those that were found last first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: Filter,
    window: &Window,
) -> Result<Page<ForeignPostView>, Error> {
    permit(caller, Action::ReadAccounts, Subject::Any)?;
    let filter = rows::Filter {
        account_id: filter.account_id,
        among: caller.actor.accounts_for(Action::ReadAccounts).map(|own| own.into_iter().collect()),
        unit_id: filter.unit_id,
        status: filter.status,
        from: filter.from,
        to: filter.to,
        before: window.after_id()?,
    };
    let mut reader = services.store.read().await?;
    let found = rows::list(&mut reader, &filter, window.rows()).await?;
    let page = window.page(found, |post| vec![post.id.to_string()]);
    Ok(Page { items: page.items.into_iter().map(Into::into).collect(), next: page.next })
}

/// Keeps what a person says of one. It says nothing about any other.
pub async fn explain(
    services: &Services,
    caller: &Caller,
    id: &ForeignPostId,
    explanation: &Explanation,
) -> Result<Done<ForeignPostView>, Error> {
    let found = rows::find(&mut services.store.read().await?, id).await?;
    // What is not there is answered like what is on an account that the caller does not know of.
    let nowhere = AccountId::new(Timestamp::UNIX_EPOCH, 0);
    let account = found.as_ref().map_or(&nowhere, |post| &post.account_id);
    permit(caller, Action::WriteAccounts, Subject::Account(account))?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let Some(mut post) = found else { return Err(Error::NotFound) };
    let mut faults = Vec::new();
    locale::check_line("/note", &explanation.note, LONGEST_NOTE, &mut faults);
    all_well(faults)?;
    if post.status == ForeignStatus::Explained {
        let detail = "somebody has said what it is; the audit and the list have his words";
        return Err(Error::Conflict(Told::new("already_explained", detail)));
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    rows::explain(&mut tx, id, &caller.actor.person_id, &explanation.note, now).await?;
    post.status = ForeignStatus::Explained;
    post.explained_by = Some(caller.actor.person_id.clone());
    post.explained_at = Some(now);
    post.note = Some(explanation.note.clone());
    let detail = json!({
        "account_id": post.account_id, "remote_id": post.remote_id, "note": explanation.note,
    });
    let entry = caller.entry("foreign_post.explain", id, detail);
    finish(services, caller, tx, ForeignPostView::from(post), &[entry]).await
}
