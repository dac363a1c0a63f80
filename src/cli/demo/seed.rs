//! Enters the ministry, its missions, their accounts and what they have to say, over the API. What
//! an earlier run in the same directory has entered is found again.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Named};
use super::missions::{MISSIONS, Mission, Presence, speaking};
use super::texts::{LANGUAGES, TOPICS, Topic};
use crate::cli::exit::Failure;
use crate::clock::{SharedClock, after};
use crate::domain::id::AccountId;
use crate::service::deliveries::DeliveryView;
use crate::service::posts::PostView;
use crate::service::schedule::Scheduled;

/// The label of the posts of the first batch.
const LABEL: &str = "demonstration";

/// Time between one post and the next.
pub(super) const PACE: Duration = Duration::from_millis(1_500);

/// Time until the first post.
const START: Duration = Duration::from_secs(2);

/// The platforms' ids, in the order in which posts alternate.
pub(super) const PLATFORMS: [&str; 2] = ["facebook", "x"];

/// The most posts of a first batch: every text once.
pub(super) const MOST: usize = TOPICS.len() * LANGUAGES.len();

/// One post of the play: which text goes where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// What is said.
    pub(super) topic: &'static Topic,
    /// In which language.
    pub(super) language: &'static str,
    /// The text.
    pub(super) text: &'static str,
    /// By whom.
    pub(super) mission: &'static Mission,
    /// The platform's id.
    pub(super) platform: &'static str,
}

/// The play, over and over: each topic in all languages, the platforms in turn.
pub(super) fn play() -> impl Iterator<Item = Item> {
    (0_usize..).filter_map(|number| {
        let round = number / LANGUAGES.len();
        let topic = TOPICS.get(round % TOPICS.len())?;
        let place = number % LANGUAGES.len();
        let (language, text) = (LANGUAGES.get(place)?, topic.texts.get(place)?);
        let speakers = speaking(language);
        let mission = speakers.get(round % speakers.len().max(1))?;
        let platform = PLATFORMS.get(number % PLATFORMS.len())?;
        Some(Item { topic, language, text, mission, platform })
    })
}

/// What has been entered.
#[derive(Debug)]
pub(super) struct Entered {
    ministry: String,
    units: usize,
    accounts: HashMap<(&'static str, &'static str), AccountId>,
}

#[derive(Debug, Deserialize)]
struct Unit {
    id: String,
    name: UnitName,
}

#[derive(Debug, Deserialize)]
struct UnitName {
    en: String,
}

#[derive(Debug, Deserialize)]
struct Account {
    id: AccountId,
    platform: String,
    remote_id: String,
}

impl Entered {
    /// Enters the units and accounts that are not there.
    pub(super) async fn enter(client: &Client, presences: &[Presence]) -> Result<Self, Failure> {
        let units: Vec<Unit> = client.all("units?limit=200").await?;
        let known: Vec<Account> = client.all("accounts?limit=200").await?;
        let mut entered = Self { ministry: String::new(), units: 0, accounts: HashMap::new() };
        for one in presences {
            let mission = one.mission;
            let unit = match units.iter().find(|unit| unit.name.en == mission.en) {
                Some(unit) => unit.id.clone(),
                None => entered.unit(client, mission).await?,
            };
            if mission.is_ministry() {
                entered.ministry.clone_from(&unit);
            }
            entered.units += 1;
            let [page, user] = PLATFORMS;
            for (platform, remote_id, kind, token) in [
                (page, &one.page.id, "page_token", &one.page.token),
                (user, &one.user.id, "oauth2", &one.user.token),
            ] {
                let there =
                    known.iter().find(|it| it.platform == platform && it.remote_id == *remote_id);
                let id = if let Some(account) = there {
                    account.id.clone()
                } else {
                    let body = json!({
                        "unit_id": unit, "platform": platform, "remote_id": remote_id,
                        "display_name": mission.shown, "languages": mission.languages,
                        "time_zone": mission.zone,
                        "credential": {"kind": kind, "access_token": token},
                    });
                    client.post::<Account>("accounts", &body).await?.id
                };
                entered.accounts.insert((mission.handle, platform), id);
            }
        }
        Ok(entered)
    }

    async fn unit(&self, client: &Client, mission: &Mission) -> Result<String, Failure> {
        let ministry = mission.is_ministry();
        let body = json!({
            "name": {"vi": mission.vi, "en": mission.en},
            "kind": if ministry { "ministry" } else { "embassy" },
            "parent_id": (!ministry).then_some(&self.ministry),
            "country": mission.country, "time_zone": mission.zone,
            "languages": mission.languages, "approval": "none",
        });
        Ok(client.post::<Named>("units", &body).await?.id)
    }

    /// How many units there are.
    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// How many accounts there are.
    pub(super) fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// The first posts of the play, scheduled one after another; those that an earlier run has
    /// scheduled stay as they are.
    pub(super) async fn batch(
        &self,
        client: &Client,
        posts: usize,
        clock: &SharedClock,
    ) -> Result<Vec<DeliveryView>, Failure> {
        let written: Vec<PostView> = client.all("posts?limit=200").await?;
        let items: Vec<Item> = play().take(posts).collect();
        let (mut batch, mut missing) = (Vec::new(), Vec::new());
        for said in items.chunks(LANGUAGES.len()) {
            let Some(topic) = said.first().map(|item| item.topic) else { continue };
            let labelled = |post: &&PostView| {
                post.title == topic.title && post.labels.iter().any(|label| label == LABEL)
            };
            let mut there = Vec::new();
            let post = match written.iter().find(labelled) {
                Some(post) => {
                    let path = format!("deliveries?limit=200&post_id={}", post.id);
                    there = client.all::<DeliveryView>(&path).await?;
                    post.id.to_string()
                }
                None => self.write(client, topic).await?,
            };
            let is_there = |item: &Item| there.iter().any(|it| it.language == item.language);
            missing.push((post, said.iter().filter(|item| !is_there(item)).collect::<Vec<_>>()));
            batch.append(&mut there);
        }
        // The times are given only now: writing takes a moment, and the first must not be late.
        let mut due = after(clock.now(), START);
        for (post, items) in missing.into_iter().filter(|(_, items)| !items.is_empty()) {
            let mut wanted = Vec::new();
            for item in items {
                wanted.push(json!({
                    "account_id": self.account(item)?, "language": item.language,
                    "at": due.to_string(),
                }));
                due = after(due, PACE);
            }
            batch.extend(schedule(client, &post, wanted).await?);
        }
        batch.sort_by_key(|delivery| delivery.due_at);
        Ok(batch)
    }

    /// Writes a topic in all its languages.
    async fn write(&self, client: &Client, topic: &Topic) -> Result<String, Failure> {
        let media = match &topic.picture {
            None => None,
            Some(shown) => {
                let file = shown
                    .picture
                    .paint()
                    .map_err(|error| Failure::failed("a picture could not be painted", error))?;
                let media: Named = client.upload(shown.picture.mime(), file).await?;
                Some((media.id, shown.alt))
            }
        };
        let mut variants = Vec::new();
        for (place, (language, text)) in LANGUAGES.iter().zip(topic.texts).enumerate() {
            let used = media
                .as_ref()
                .and_then(|(id, alt)| Some(json!({"media_id": id, "alt": alt.get(place)?})));
            variants.push(json!({
                "language": language, "text": text, "link": topic.link,
                "media": used.into_iter().collect::<Vec<_>>(),
            }));
        }
        let body = json!({
            "unit_id": self.ministry, "title": topic.title, "class": topic.class,
            "source_language": "vi", "labels": [LABEL], "variants": variants,
        });
        Ok(client.post::<Named>("posts", &body).await?.id)
    }

    /// One more post, now; the time in it makes it another one than the last time.
    pub(super) async fn more(
        &self,
        client: &Client,
        item: &Item,
        now: Timestamp,
    ) -> Result<Vec<DeliveryView>, Failure> {
        let zone = jiff::tz::TimeZone::get(item.mission.zone)
            .map_err(|error| Failure::failed("a zone of the demonstration", error))?;
        let text = format!("{}\n({})", item.text, now.to_zoned(zone).strftime("%H:%M:%S"));
        let body = json!({
            "unit_id": self.ministry, "title": item.topic.title, "class": "routine",
            "source_language": item.language,
            "variants": [{"language": item.language, "text": text, "link": item.topic.link}],
        });
        let post: Named = client.post("posts", &body).await?;
        let wanted =
            json!({"account_id": self.account(item)?, "language": item.language, "now": true});
        schedule(client, &post.id, vec![wanted]).await
    }

    /// What an account is called.
    pub(super) fn name(&self, account: &AccountId) -> &'static str {
        let found = self.accounts.iter().find(|(_, id)| *id == account);
        let handle = found.map(|((handle, _), _)| *handle).unwrap_or_default();
        MISSIONS.iter().find(|one| one.handle == handle).map_or(handle, |one| one.shown)
    }

    fn account(&self, item: &Item) -> Result<&AccountId, Failure> {
        self.accounts
            .get(&(item.mission.handle, item.platform))
            .ok_or_else(|| Failure::because("a mission of the play has no account"))
    }
}

async fn schedule(
    client: &Client,
    post: &str,
    deliveries: Vec<Value>,
) -> Result<Vec<DeliveryView>, Failure> {
    let body = json!({"deliveries": deliveries});
    let path = format!("posts/{post}/deliveries");
    Ok(client.post::<Scheduled>(&path, &body).await?.deliveries)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_first_seven_posts_have_every_language_and_both_platforms() {
        let first: Vec<Item> = play().take(LANGUAGES.len()).collect();
        let languages: HashSet<&str> = first.iter().map(|item| item.language).collect();
        assert_eq!(languages.len(), LANGUAGES.len());
        let platforms: HashSet<&str> = first.iter().map(|item| item.platform).collect();
        assert_eq!(platforms.len(), PLATFORMS.len());
    }

    #[test]
    fn the_longest_batch_says_nothing_twice() {
        let texts: HashSet<&str> = play().take(MOST).map(|item| item.text).collect();
        assert_eq!(texts.len(), MOST);
    }
}
