//! What inspectors read of the audit: pages of what passes a filter, and all of it to take away.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Caller, Error, Page, Services, Window, permit};
use crate::clock::{after, before};
use crate::domain::audit::Entry;
use crate::domain::policy::{Action, Subject};
pub use crate::store::audit::Filter;
use crate::store::audit::{self, Order};
use crate::store::{Reader, people};

/// The most entries that are looked at for a page: the audit has millions, and few of them may pass. The next page
/// goes on behind them.
const SPAN: i64 = 50_000;
/// Entries of an export that are in memory at once.
const BATCH: u32 = 1_000;
/// How far clocks of machines that write to the same audit may stand apart.
const APART: std::time::Duration = std::time::Duration::from_mins(2);

/// An entry of the audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who: a person, with the token that he used behind him, or a part of the service.
    pub actor: String,
    /// What that person is called now; nothing for parts of the service.
    #[serde(default)]
    pub actor_name: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What else is worth knowing.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// SHA-256 of the entry before it and of this one.
    pub hash: String,
}

/// A page of what passes, newest first. It can have fewer entries than were asked for, and none, and still go on.
pub async fn list(
    services: &Services,
    caller: &Caller,
    filter: &Filter,
    window: &Window,
) -> Result<Page<AuditEntry>, Error> {
    permit(caller, Action::ReadAudit, Subject::Any)?;
    let mut reader = services.store.read().await?;
    let (newest, _) = audit::noted(&mut reader).await?;
    let (first, end) = bounds(&mut reader, filter, newest).await?;
    let below = window.after_id::<i64>()?.unwrap_or(end).min(end);
    // The entries about one thing have an index of their own.
    let above = if filter.subject.is_some() { first } else { first.max(below - SPAN) };
    let range = (above - 1, below);
    let found = audit::found(&mut reader, filter, range, Order::Newest, window.rows()).await?;
    let mut page = window.page(found, |entry| vec![entry.seq.to_string()]);
    if page.next.is_none() && above > first {
        page.next = Some(vec![above.to_string()]);
    }
    let items = named(&mut reader, page.items).await?;
    Ok(Page { items, next: page.next })
}

/// Places that have everything that passes between them: the first that may, and the one behind the last.
async fn bounds(reader: &mut Reader, filter: &Filter, newest: i64) -> Result<(i64, i64), Error> {
    let first = match filter.from {
        Some(from) => audit::place_at(reader, before(from, APART), newest).await?,
        None => 1,
    };
    let end = match filter.to {
        Some(to) => audit::place_at(reader, after(to, APART), newest).await?,
        None => newest + 1,
    };
    Ok((first, end))
}

async fn named(reader: &mut Reader, found: Vec<Entry>) -> Result<Vec<AuditEntry>, Error> {
    let person = |actor: &str| actor.split(' ').next().unwrap_or_default().to_owned();
    let ids: BTreeSet<String> = found.iter().map(|one| person(&one.entry.actor)).collect();
    let names = people::names(reader, &ids).await?;
    let view = |one: Entry| AuditEntry {
        seq: one.seq,
        at: one.at,
        actor_name: names.get(&person(&one.entry.actor)).cloned(),
        actor: one.entry.actor,
        action: one.entry.action,
        subject: one.entry.subject,
        detail: one.entry.detail,
        hash: one.hash,
    };
    Ok(found.into_iter().map(view).collect())
}

/// All that passes and was written when it was asked for, batch by batch, as it was written.
#[derive(Debug, Clone)]
pub struct Export {
    services: Services,
    filter: Filter,
    above: i64,
    below: i64,
}

/// Begins an export. That somebody takes the audit away is an entry of the audit, behind what he gets.
pub async fn export(services: &Services, caller: &Caller, filter: Filter) -> Result<Export, Error> {
    permit(caller, Action::ReadAudit, Subject::Any)?;
    let (first, end) = {
        let mut reader = services.store.read().await?;
        let (newest, _) = audit::noted(&mut reader).await?;
        bounds(&mut reader, &filter, newest).await?
    };
    let detail = json!({
        "actor": filter.actor, "action": filter.action, "subject": filter.subject,
        "from": filter.from, "to": filter.to, "up_to": end - 1,
    });
    let mut tx = services.store.begin().await?;
    audit::append(&mut tx, &[caller.entry("audit.export", &"audit", detail)], services.clock.now());
    tx.commit().await?;
    Ok(Export { services: services.clone(), filter, above: first - 1, below: end })
}

impl Export {
    /// The next batch; nothing after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<AuditEntry>>, Error> {
        while self.above + 1 < self.below {
            // In steps, so that a filter that little passes does not keep one reader for minutes.
            let end = self.below.min(self.above + 1 + SPAN);
            let mut reader = self.services.store.read().await?;
            let range = (self.above, end);
            let found =
                audit::found(&mut reader, &self.filter, range, Order::Oldest, BATCH).await?;
            let full = found.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
            self.above = match found.last() {
                Some(last) if full => last.seq,
                Some(_) | None => end - 1,
            };
            if !found.is_empty() {
                return Ok(Some(named(&mut reader, found).await?));
            }
        }
        Ok(None)
    }
}
