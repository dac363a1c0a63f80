//! A feed as a calendar program reads it. Titles, accounts, states and links, never the text of a post, nor the note
//! of an event: both are for those inside.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan as _};
use sha2::{Digest as _, Sha256};

use crate::domain::delivery::DeliveryState;
use crate::domain::event::{Visibility, When};
use crate::domain::feed::{choose, firmness, kind_words, state_words};
use crate::domain::ics::Calendar;
use crate::domain::id::UnitId;
use crate::domain::outbox::Locale;
use crate::domain::yearly::Occurrence;
use crate::service::Services;
use crate::store::calendar::Planned;
use crate::store::feeds::Feed;

/// How long a delivery is drawn. It has no length, and programs hide what has none.
const DRAWN: SignedDuration = SignedDuration::from_mins(15);

/// How often programs should look again.
const EVERY: &str = "PT15M";

/// Where what a feed has ends although there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// More lies before.
    Before,
    /// More lies after.
    After,
}

/// What stands in a feed.
#[derive(Debug, Default)]
pub(super) struct Entries {
    deliveries: Vec<(Planned, Visibility)>,
    events: Vec<(Occurrence, Visibility, bool)>,
    cuts: Vec<(Cut, Timestamp)>,
}

impl Entries {
    /// Adds as many deliveries as a feed takes on one side; they come the nearest first.
    pub(super) fn add_deliveries(
        &mut self,
        rows: Vec<Planned>,
        most: u32,
        side: Cut,
        shown: impl Fn(&UnitId) -> Visibility,
    ) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if let Some(beyond) = rows.get(most) {
            self.cuts.push((side, beyond.due_at));
        }
        let mut rows: Vec<_> = rows.into_iter().take(most).collect();
        // A draft is nobody's to see outside.
        rows.retain(|row| row.state != DeliveryState::Draft);
        rows.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
        self.deliveries.extend(rows.into_iter().map(|row| {
            let shown = shown(&row.unit_id);
            (row, shown)
        }));
    }

    /// Adds as many events as a feed takes, and those that were removed.
    pub(super) fn add_events(
        &mut self,
        live: Vec<Occurrence>,
        removed: Vec<Occurrence>,
        most: u32,
        shown: impl Fn(&Occurrence) -> Visibility,
    ) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if let Some(beyond) = live.get(most) {
            self.cuts.push((Cut::After, beyond.span().0));
        }
        let live = live.into_iter().take(most).map(|event| (event, false));
        for (event, gone) in live.chain(removed.into_iter().map(|event| (event, true))) {
            let shown = shown(&event);
            self.events.push((event, shown, gone));
        }
    }

    /// The zones of events between instants, each with the time in which it is needed.
    fn zones(&self) -> BTreeMap<&str, (Timestamp, Timestamp)> {
        let mut zones: BTreeMap<&str, (Timestamp, Timestamp)> = BTreeMap::new();
        for (event, _, _) in &self.events {
            if let When::Instants { from, to } = event.when {
                let known = zones.entry(&event.time_zone).or_insert((from, to));
                *known = (known.0.min(from), known.1.max(to));
            }
        }
        zones
    }
}

/// Writes it all.
pub(super) fn calendar(services: &Services, feed: &Feed, entries: &Entries) -> String {
    let mut out = Calendar::default();
    out.begin("VCALENDAR");
    out.plain("VERSION", "2.0");
    out.plain("PRODID", "-//Chancery//Calendar feed 1//EN");
    out.plain("CALSCALE", "GREGORIAN");
    out.text("NAME", &feed.name);
    out.text("X-WR-CALNAME", &feed.name);
    out.plain("REFRESH-INTERVAL;VALUE=DURATION", EVERY);
    out.plain("X-PUBLISHED-TTL", EVERY);
    for (zone, (from, to)) in entries.zones() {
        out.zone(zone, from, to);
    }
    let writer = Writer { services, locale: feed.locale };
    for (one, shown) in &entries.deliveries {
        writer.delivery(&mut out, one, *shown);
    }
    for (one, shown, gone) in &entries.events {
        writer.event(&mut out, one, *shown, *gone);
    }
    for (cut, at) in &entries.cuts {
        writer.cut(&mut out, feed, *cut, *at);
    }
    out.end("VCALENDAR");
    out.finish()
}

struct Writer<'a> {
    services: &'a Services,
    locale: Locale,
}

impl Writer<'_> {
    fn delivery(&self, out: &mut Calendar, one: &Planned, shown: Visibility) {
        out.begin("VEVENT");
        self.head(out, one.id.as_str(), one.version, one.updated_at, shown);
        out.instant("DTSTART", one.due_at);
        out.instant("DTEND", one.due_at.saturating_add(DRAWN).unwrap_or(one.due_at));
        let cancelled = one.state == DeliveryState::Cancelled;
        let state = state_words(one.state, self.locale);
        let title = match shown {
            Visibility::Whole if !cancelled && one.state != DeliveryState::Scheduled => {
                format!("{} [{state}]", one.title)
            }
            Visibility::Whole | Visibility::Title => one.title.clone(),
            Visibility::Busy => self.busy().to_owned(),
        };
        self.summary(out, &title, cancelled);
        match (shown, cancelled) {
            (_, true) => out.plain("STATUS", "CANCELLED"),
            (Visibility::Whole, false) => out.plain("STATUS", firmness(one.state)),
            // Whether others still doubt is theirs to know.
            (Visibility::Title | Visibility::Busy, false) => out.plain("STATUS", "CONFIRMED"),
        }
        out.plain("TRANSP", "TRANSPARENT");
        if shown == Visibility::Whole {
            let platform = self.services.platforms.get(&one.platform);
            let platform = platform.map_or(one.platform.as_str(), |it| it.name());
            let place = format!("{platform}: {}", one.account_name);
            let link = format!("{}/api/v1/deliveries/{}", self.base(), one.id);
            out.text("LOCATION", &place);
            out.texts("CATEGORIES", &[platform, one.class.as_str()]);
            out.text("DESCRIPTION", &format!("{state}\n{place} ({})\n{link}", one.language));
            out.plain("URL", &link);
        }
        out.end("VEVENT");
    }

    fn event(&self, out: &mut Calendar, one: &Occurrence, shown: Visibility, gone: bool) {
        out.begin("VEVENT");
        self.head(out, &one.key, one.version, one.updated_at, shown);
        let whole_days = match one.when {
            When::Days { from, to } => {
                out.day("DTSTART", from);
                // The standard's end is the first day that is free again.
                out.day("DTEND", to.checked_add(1.day()).unwrap_or(to));
                true
            }
            When::Instants { from, to } => {
                out.local("DTSTART", &one.time_zone, from);
                out.local("DTEND", &one.time_zone, to);
                false
            }
            // Never here: what comes each year is in a feed as the days on which it comes.
            When::Yearly(_) => true,
        };
        let title = match shown {
            Visibility::Whole | Visibility::Title => {
                choose(self.locale, &one.title.vi, &one.title.en)
            }
            Visibility::Busy => self.busy(),
        };
        self.summary(out, title, gone);
        out.plain("STATUS", if gone { "CANCELLED" } else { "CONFIRMED" });
        out.plain("TRANSP", if whole_days { "TRANSPARENT" } else { "OPAQUE" });
        if shown == Visibility::Whole {
            let kind = kind_words(one.kind, self.locale);
            out.texts("CATEGORIES", &[kind]);
            let country = one.country.as_deref().map(|it| format!("\n{it}")).unwrap_or_default();
            out.text("DESCRIPTION", &format!("{kind}{country}"));
        }
        out.end("VEVENT");
    }

    /// Says in the calendar itself that it is not whole.
    fn cut(&self, out: &mut Calendar, feed: &Feed, cut: Cut, at: Timestamp) {
        let title = match cut {
            Cut::Before => choose(
                self.locale,
                "Lịch này không hiện các mục trước thời điểm này vì có quá nhiều; hãy thu hẹp lịch",
                "This feed shows nothing before this: there is too much. Make a narrower one",
            ),
            Cut::After => choose(
                self.locale,
                "Lịch này không hiện hết các mục sau thời điểm này vì có quá nhiều; hãy thu hẹp lịch",
                "This feed does not show all that comes after this: there is too much. Make a narrower one",
            ),
        };
        let name = match cut {
            Cut::Before => "before",
            Cut::After => "after",
        };
        out.begin("VEVENT");
        self.head(out, &format!("{} {name}", feed.id), 0, feed.created_at, Visibility::Busy);
        out.instant("DTSTART", at);
        out.instant("DTEND", at.saturating_add(DRAWN).unwrap_or(at));
        out.text("SUMMARY", title);
        out.plain("STATUS", "CONFIRMED");
        out.plain("TRANSP", "TRANSPARENT");
        out.end("VEVENT");
    }

    /// What tells an entry and its versions from others. The id is hashed, since of others nobody learns it; and of
    /// these only the day of the change is told.
    fn head(&self, out: &mut Calendar, id: &str, version: i64, at: Timestamp, shown: Visibility) {
        let hash = hex::encode(Sha256::digest(id.as_bytes()));
        let host = self.services.config.server.public_url.host_str().unwrap_or("chancery");
        out.plain("UID", &format!("{}@{host}", hash.get(..32).unwrap_or(&hash)));
        let stamp = match shown {
            Visibility::Whole => at,
            Visibility::Title | Visibility::Busy => {
                let day = at.as_second().div_euclid(86_400);
                Timestamp::from_second(day * 86_400).unwrap_or(at)
            }
        };
        out.instant("DTSTAMP", stamp);
        out.instant("LAST-MODIFIED", stamp);
        out.plain("SEQUENCE", &version.to_string());
    }

    /// Programs that do not know what is cancelled read it.
    fn summary(&self, out: &mut Calendar, title: &str, cancelled: bool) {
        if cancelled {
            let word = choose(self.locale, "ĐÃ HỦY", "CANCELLED");
            out.text("SUMMARY", &format!("{word}: {title}"));
        } else {
            out.text("SUMMARY", title);
        }
    }

    fn busy(&self) -> &'static str {
        choose(self.locale, "Bận", "Busy")
    }

    fn base(&self) -> &str {
        self.services.config.server.public_url.as_str().trim_end_matches('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::config::Config;
    use crate::domain::class::Class;
    use crate::domain::feed::FeedContent;
    use crate::domain::id::{AccountId, DeliveryId, FeedId, PersonId, PostId};

    fn planned(number: u128) -> Planned {
        let at = Timestamp::UNIX_EPOCH;
        Planned {
            id: DeliveryId::new(at, number),
            post_id: PostId::new(at, number),
            account_id: AccountId::new(at, 1),
            unit_id: UnitId::new(at, 1),
            platform: "x".to_owned(),
            language: "vi".to_owned(),
            class: Class::Routine,
            state: DeliveryState::Scheduled,
            due_at: Timestamp::from_second(i64::try_from(number).unwrap() * 3_600).unwrap(),
            title: format!("Bài {number}"),
            source_language: "vi".to_owned(),
            campaign_id: None,
            series_id: None,
            account_name: "A".to_owned(),
            version: 1,
            updated_at: at,
        }
    }

    #[tokio::test]
    async fn what_is_too_much_is_left_out_and_said_so_where_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        let variables = [("CHANCERY_DATA_DIR".to_owned(), place)];
        let config = Config::load(None, variables.into_iter()).unwrap();
        let services = App::services(config).await.unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let feed = Feed {
            id: FeedId::new(at, 1),
            person_id: PersonId::new(at, 1),
            name: "f".to_owned(),
            content: FeedContent::Both,
            detail: Visibility::Whole,
            locale: Locale::En,
            unit_id: None,
            account_id: None,
            platform: None,
            language: None,
            accounts: None,
            etag: None,
            changed_at: None,
            fetched_at: None,
            created_at: at,
            revoked_at: None,
        };
        let mut entries = Entries::default();
        let mut draft = planned(12);
        draft.state = DeliveryState::Draft;
        let ahead = vec![planned(10), planned(11), draft, planned(13)];
        entries.add_deliveries(ahead, 3, Cut::After, |_| Visibility::Whole);
        let behind = vec![planned(9), planned(8), planned(7)];
        entries.add_deliveries(behind, 2, Cut::Before, |_| Visibility::Title);
        let text = calendar(&services, &feed, &entries);
        let titles: Vec<&str> = text.lines().filter_map(|it| it.strip_prefix("SUMMARY:")).collect();
        assert_eq!(titles[..4], ["Bài 10", "Bài 11", "Bài 8", "Bài 9"]);
        assert!(titles[4].starts_with("This feed does not show all that comes after"), "{text}");
        assert!(titles[5].starts_with("This feed shows nothing before this"), "{text}");
        assert!(text.contains("DTSTART:19700101T130000Z") && text.contains("T070000Z"), "{text}");
        services.store.close().await;
    }
}
