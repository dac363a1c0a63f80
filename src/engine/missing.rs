//! Concludes nothing while too many posts of one platform seem to be gone at once: then it is the platform
//! that errs. People are told of that once; looks go on, and it ends by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::clock::{after, before};
use crate::domain::audit::NewEntry;
use crate::domain::outbox::Occasion;
use crate::store::{Error, Tx, after as rows, incidents};

/// Over which time posts are counted that were found to be gone.
const WINDOW: Duration = Duration::from_hours(1);

/// When a platform is not believed any more.
#[derive(Debug, Clone, Copy)]
pub struct Belief {
    /// What is missed is looked for again after this.
    pub pause: Duration,
    /// More posts of one platform than these are not gone within an hour.
    pub most_per_hour: i64,
}

/// How many more posts are missed once by one transaction, and whether any is missed, by platform.
#[derive(Debug, Default)]
pub(super) struct Tally<'a>(BTreeMap<&'a str, (i64, bool)>);

impl<'a> Tally<'a> {
    /// A look: whether it is the second one, whether the post was missed, and whether it is looked for
    /// again.
    pub(super) fn add(&mut self, platform: &'a str, second: bool, missed: bool, again: bool) {
        let (more, any) = self.0.entry(platform).or_default();
        *any |= missed;
        match (second, again) {
            (false, _) => *more += i64::from(missed),
            (true, false) => *more -= i64::from(!missed),
            (true, true) => {}
        }
    }
}

impl Belief {
    /// The platforms whose word that posts are gone is not believed now, and what people are told.
    pub(super) async fn doubted<'a>(
        &self,
        tx: &mut Tx,
        tally: Tally<'a>,
        now: Timestamp,
    ) -> Result<(BTreeSet<&'a str>, Vec<NewEntry>), Error> {
        let (mut doubted, mut entries) = (BTreeSet::new(), Vec::new());
        for (platform, (more, any)) in tally.0 {
            let kind = format!("missing:{platform}");
            let since = incidents::began(tx, &kind).await?;
            if since.is_none() && !any {
                continue;
            }
            let count = rows::suspected(tx, platform, before(now, WINDOW)).await? + more;
            if count > self.most_per_hour {
                doubted.insert(platform);
                if incidents::open(tx, &kind, now).await? {
                    entries.push(told(Occasion::PostsMissing, platform, Some(count)));
                }
                incidents::prolong(tx, &kind, now).await?;
                continue;
            }
            let Some(since) = since else { continue };
            // What is left may only not have been looked for since the platform is well again.
            if count > 0 && now < after(since, self.pause) {
                doubted.insert(platform);
            } else if incidents::close(tx, &kind).await? {
                entries.push(told(Occasion::PostsFound, platform, None));
            }
        }
        Ok((doubted, entries))
    }
}

fn told(occasion: Occasion, platform: &str, count: Option<i64>) -> NewEntry {
    let mut detail = json!({"platform": platform});
    if let (Some(count), Some(detail)) = (count, detail.as_object_mut()) {
        detail.insert("count".to_owned(), json!(count));
    }
    tracing::warn!(platform, count, "{occasion}");
    NewEntry {
        actor: "engine".to_owned(),
        action: occasion.as_str().to_owned(),
        subject: "publishing".to_owned(),
        detail,
    }
}
