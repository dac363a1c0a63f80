//! The acts on a database that came back from a backup or lost its last commits: show what is in doubt,
//! and let it send again. How it begins: `engine/quarantine.rs`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Services, Told, all_well, finish, permit, sessions};
use crate::clock::after;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::AccountId;
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::work;
use crate::store::read_backs::{self, Counts, Unread};
use crate::store::{self, Reader, jobs, outcomes, quarantine};

/// What the guard has refused is looked at again after at most so long.
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);

/// Whether the database is in quarantine, and what is still in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineView {
    /// True while nothing is sent.
    pub quarantined: bool,
    /// Since when nothing is sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// The instant of which the database tells the state.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub state_of: Option<Timestamp>,
    /// Deliveries that are still being looked for at the platforms.
    pub unknown: i64,
    /// Deliveries that a person must decide about.
    pub needs_human: i64,
    /// How far the reading of the accounts has come; all 0 when it is switched off.
    pub accounts: AccountsRead,
    /// Accounts that were not read through yet, first those that could not be; at most 100.
    pub unread: Vec<UnreadAccount>,
    /// Posts that accounts show since before `state_of` and that no delivery here knows, nor looks like:
    /// what was made after the backup, or by hand. At most 500; kept until the next quarantine.
    pub not_known_here: Vec<UnknownPost>,
    /// How many such posts there are.
    pub not_known_here_count: i64,
}

/// How far the reading of the accounts has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountsRead {
    /// Read through.
    pub read: i64,
    /// Not read yet.
    pub left: i64,
    /// Could not be read; tried again.
    pub unreadable: i64,
    /// Those not read that have deliveries still to be sent: they are in the way of the release.
    pub in_the_way: i64,
}

/// An account that was not read through yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadAccount {
    /// Which.
    #[schema(value_type = String)]
    pub account_id: AccountId,
    /// The platform.
    pub platform: String,
    /// Its name.
    pub name: String,
    /// How often it could not be read.
    pub tries: i64,
    /// Why, the last time.
    pub problem: Option<String>,
}

/// A post that is out and that nobody here knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnknownPost {
    /// Whose.
    #[schema(value_type = String)]
    pub account_id: AccountId,
    /// The platform's id of it.
    pub remote_id: String,
    /// Where it can be seen.
    pub permalink: Option<String>,
    /// When the platform says it was published.
    #[schema(value_type = String, format = DateTime)]
    pub published_at: Timestamp,
}

/// How the quarantine is to end.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct Release {
    /// Although deliveries are still being looked for at the platforms.
    #[serde(default)]
    pub force: bool,
    /// Why that cannot wait; needed with `force`.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// Most accounts and posts that an answer lists.
const MOST_ACCOUNTS: i64 = 100;
const MOST_POSTS: usize = 500;

/// The longest reason, in code points.
const LONGEST_REASON: usize = 500;

/// Whether the database is in quarantine.
pub async fn show(services: &Services, caller: &Caller) -> Result<QuarantineView, Error> {
    permit(caller, Action::ReadDeliveries, Subject::Any)?;
    let mut view = view(&mut services.store.read().await?).await?;
    if !caller.actor.administrator || caller.actor.accounts.is_some() {
        view.unread.retain(|one| caller.actor.sees(&one.account_id));
        view.not_known_here.retain(|one| caller.actor.sees(&one.account_id));
        view.not_known_here_count = i64::try_from(view.not_known_here.len()).unwrap_or(i64::MAX);
    }
    Ok(view)
}

async fn view(reader: &mut Reader) -> Result<QuarantineView, Error> {
    let quarantine = quarantine::find(reader).await?;
    let counts = outcomes::standing_counts(reader).await?;
    let of = |state| counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count);
    let accounts = accounts(reader).await?;
    let unread = read_backs::unread(reader, MOST_ACCOUNTS).await?.into_iter().map(unread).collect();
    let (not_known_here, not_known_here_count) = not_known(reader).await?;
    Ok(QuarantineView {
        quarantined: quarantine.is_some(),
        since: quarantine.as_ref().map(|one| one.since),
        reason: quarantine.as_ref().map(|one| one.reason.clone()),
        state_of: quarantine.map(|one| one.state_of),
        unknown: of(DeliveryState::Unknown),
        needs_human: of(DeliveryState::NeedsHuman),
        accounts,
        unread,
        not_known_here,
        not_known_here_count,
    })
}

async fn accounts(reader: &mut Reader) -> Result<AccountsRead, Error> {
    let Counts { read, left, blind, in_the_way } = read_backs::counts(reader).await?;
    Ok(AccountsRead { read, left, unreadable: blind, in_the_way })
}

fn unread(one: Unread) -> UnreadAccount {
    let Unread { account_id, platform, display_name, tries, problem } = one;
    UnreadAccount { account_id, platform, name: display_name, tries, problem }
}

/// What nobody knows by now: a person may have adopted some of it since it was read.
async fn not_known(reader: &mut Reader) -> Result<(Vec<UnknownPost>, i64), Error> {
    let found = read_backs::not_known(reader).await?;
    let mut count: i64 = found.iter().map(|it| it.count).sum();
    let ids: Vec<(&AccountId, &str)> = found
        .iter()
        .flat_map(|it| it.posts.iter().map(|post| (&it.account_id, post.remote_id.as_str())))
        .collect();
    let adopted = outcomes::taken(reader, &ids).await?;
    count -= i64::try_from(adopted.len()).unwrap_or(0);
    let posts = found.into_iter().flat_map(|it| {
        let account_id = it.account_id;
        it.posts.into_iter().map(move |post| (account_id.clone(), post))
    });
    let posts = posts
        .filter(|(account, post)| {
            !adopted.iter().any(|(whose, id)| whose == account && *id == post.remote_id)
        })
        .take(MOST_POSTS)
        .map(|(account_id, post)| UnknownPost {
            account_id,
            remote_id: post.remote_id,
            permalink: post.permalink,
            published_at: post.published_at,
        })
        .collect();
    Ok((posts, count))
}

/// Lets the database send again, once nothing is being looked for any more and every account with
/// something to send was read through; sooner only by `force`. What is still in doubt stays in doubt, and
/// what was not read is read on.
pub async fn release(
    services: &Services,
    caller: &Caller,
    how: &Release,
) -> Result<Done<QuarantineView>, Error> {
    permit(caller, Action::ReleaseQuarantine, Subject::Any)?;
    if how.force || !how.reason.is_empty() {
        let mut faults = Vec::new();
        locale::check_line("/reason", &how.reason, LONGEST_REASON, &mut faults);
        all_well(faults)?;
    }
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    sessions::fresh(caller, services.clock.now())?;
    let mut tx = services.store.begin().await?;
    let was = view(&mut tx).await?;
    let Some(since) = was.since else {
        let detail = "the database is not in quarantine; it sends as usual";
        return Err(Error::Conflict(Told::new("not_quarantined", detail)));
    };
    if !quarantine::release(&mut tx, since).await? {
        // Released by somebody else, or begun anew since it was looked at.
        return Err(store::Error::Busy.into());
    }
    if was.unknown > 0 && !how.force {
        let detail = format!(
            "{} deliveries are still being looked for; wait, or force it with a reason",
            was.unknown
        );
        let told = Told::new("still_in_doubt", detail).with("count", was.unknown);
        return Err(Error::Conflict(told.member("unknown", was.unknown)));
    }
    let unread = was.accounts.in_the_way;
    if unread > 0 && !how.force {
        let detail = format!(
            "{unread} accounts with deliveries still to be sent were not read through yet; wait, or \
             force it with a reason"
        );
        let told = Told::new("accounts_not_read", detail).with("count", unread);
        return Err(Error::Conflict(told.member("accounts", unread)));
    }
    // What was due meanwhile is looked at once a minute: now it need not wait for that. What is not
    // due yet is told so by the guard.
    let now = services.clock.now();
    jobs::hasten(&mut tx, work::PUBLISH, now, after(now, BETWEEN_LOOKS)).await?;
    let detail = json!({
        "since": was.since, "state_of": was.state_of, "unknown": was.unknown,
        "needs_human": was.needs_human, "accounts": was.accounts,
        "forced": how.force.then_some(&how.reason),
    });
    let view =
        QuarantineView { quarantined: false, since: None, reason: None, state_of: None, ..was };
    let entry = caller.entry("quarantine.release", &"installation", detail);
    let done = finish(services, caller, tx, view, &[entry]).await?;
    services.queue.look_again();
    Ok(done)
}
