//! New posts that arrive together, written by one statement for each table and one commit for all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::domain::audit::NewEntry;
use crate::domain::post::Post;
use crate::domain::variant::Variant;
use crate::service::act::{Kind, sort_out};
use crate::store::idempotency::{Claim, Kept};
use crate::store::{Answer, Apply, Error, Tx, audit, posts, translations, variants};

/// Writes new posts.
#[derive(Debug)]
pub(in crate::service) struct Creating {
    clock: SharedClock,
}

/// A post to be written.
#[derive(Debug, Clone)]
pub(in crate::service) struct Creation {
    /// The post and its variants.
    pub(super) post: Arc<(Post, Vec<Variant>)>,
    /// The key of whoever asked.
    pub(super) claim: Option<Claim>,
    /// What the audit says of it.
    pub(super) entry: NewEntry,
}

impl Creating {
    /// With the clock that dates what is written.
    pub(in crate::service) fn new(clock: SharedClock) -> Self {
        Self { clock }
    }

    async fn write(
        &self,
        tx: &mut Tx,
        items: &[Creation],
    ) -> Result<Vec<Answer<Option<Kept>>>, Error> {
        let now = self.clock.now();
        let claims = items.iter().map(|item| item.claim.as_ref());
        let sorted = sort_out(tx, claims, now).await?;
        let new: Vec<&Creation> = items
            .iter()
            .zip(&sorted)
            .filter(|(_, kind)| matches!(kind, Kind::New))
            .map(|(item, _)| item)
            .collect();
        let rows: Vec<&Post> = new.iter().map(|item| &item.post.0).collect();
        posts::insert(tx, &rows).await?;
        let rows: Vec<_> =
            new.iter().map(|item| (&item.post.0.id, item.post.1.as_slice())).collect();
        variants::insert(tx, &rows, now, rand::random).await?;
        translations::bar(tx, &rows).await?;
        let entries: Vec<NewEntry> = new.iter().map(|item| item.entry.clone()).collect();
        audit::append(tx, &entries, now);
        Ok(sorted.into_iter().map(|kind| Ok(kind.kept())).collect())
    }
}

impl Apply for Creating {
    type Item = Creation;
    /// What was kept under the key already; nothing for a post that was written.
    type Answer = Option<Kept>;

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        items: &'a [Creation],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Answer<Option<Kept>>>, Error>> + Send + 'a>> {
        Box::pin(self.write(tx, items))
    }
}
