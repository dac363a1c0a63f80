//! From the rows of a table to posts, and where and when they are meant to go out.

use std::collections::BTreeMap;

use super::Finding;
use super::table::{self, Cell, Row};
use crate::domain::account::Account;
use crate::domain::class::Class;
use crate::domain::fault::Fault;
use crate::domain::id::{AccountId, MediaId, UnitId};
use crate::domain::import::{self, MeantDelivery, MeantLocal, Moment};
use crate::domain::locale::quoted;
use crate::service::plan::{WantedDelivery, WantedLocal};
use crate::service::posts::{MediaRef, NewPost, NewVariant};

/// So many deliveries a table may mean.
const MOST_MEANT: usize = 5_000;
/// So many things one cell may name.
const MOST_NAMED: usize = 100;
/// In whose zone a time is meant that names none.
const ACCOUNT: &str = "account";

/// A post as rows say it.
#[derive(Debug)]
pub(super) struct Drafted {
    /// The post.
    pub(super) post: NewPost,
    /// Where and when it is meant to go out.
    pub(super) deliveries: Vec<MeantDelivery>,
    /// The row at which each of its variants begins.
    pub(super) rows: Vec<u32>,
    /// The row of each delivery.
    delivery_rows: Vec<u32>,
}

/// What is known while rows are read.
pub(super) struct Known<'a> {
    /// Whose posts they become.
    pub(super) unit_id: &'a UnitId,
    /// In which zone times are that say none.
    pub(super) zone: Option<&'a str>,
    /// The accounts that may be named.
    pub(super) accounts: &'a [Account],
}

/// The posts of a table: rows with the same key are one post.
pub(super) fn gather(rows: &[Row], known: &Known<'_>, found: &mut Vec<Finding>) -> Vec<Drafted> {
    let mut drafts: Vec<Drafted> = Vec::new();
    let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
    let mut meant = 0;
    for row in rows {
        if table::is_enough(row.number, found) {
            break;
        }
        let place = match row.said("key") {
            None => drafts.len(),
            Some(key) => *by_key.entry(key).or_insert(drafts.len()),
        };
        if place == drafts.len() {
            drafts.push(begun(row, known.unit_id));
        }
        if let Some(draft) = drafts.get_mut(place) {
            of_the_post(row, draft, found);
            let language = of_the_variant(row, draft, found);
            let before = draft.deliveries.len();
            deliveries(row, draft, (&language, known), found);
            meant += draft.deliveries.len() - before;
        }
        if meant > MOST_MEANT {
            let detail = format!("at most {MOST_MEANT} deliveries in one table");
            let fault = Fault::new("", "too_many", detail).with("max", MOST_MEANT);
            found.push(Finding::new(row.number, "accounts", fault));
            break;
        }
    }
    for draft in &mut drafts {
        if draft.post.title.is_empty() {
            // What people see in lists: the beginning of what is said first.
            let text = draft.post.variants.first().map_or("", |it| it.text.as_str());
            draft.post.title = text.lines().next().unwrap_or_default().chars().take(80).collect();
        }
    }
    drafts
}

fn begun(row: &Row, unit_id: &UnitId) -> Drafted {
    Drafted {
        post: NewPost {
            unit_id: unit_id.clone(),
            campaign_id: None,
            title: String::new(),
            class: Class::Routine,
            source_language: row.said("language").unwrap_or_default(),
            variants: Vec::new(),
            wanted_languages: Vec::new(),
            labels: Vec::new(),
        },
        deliveries: Vec::new(),
        rows: Vec::new(),
        delivery_rows: Vec::new(),
    }
}

/// What is said once of a post, in its first row; others may repeat it.
fn of_the_post(row: &Row, draft: &mut Drafted, found: &mut Vec<Finding>) {
    let first = draft.rows.is_empty();
    let class = row.said("class").and_then(|word| {
        let class = import::class(&word);
        if class.is_none() {
            let known = Class::ALL.iter().map(|it| format!("{it} ({})", import::class_words(*it)));
            unknown_word(row, "class", &word, &known.collect::<Vec<_>>(), found);
        }
        class
    });
    let labels = row.said("labels").map(|it| listed(&it).map(str::to_owned).collect::<Vec<_>>());
    let post = &mut draft.post;
    let mut check = |column: &'static str, same: bool| {
        if !first && !same {
            disagrees(row, column, found);
        }
    };
    let (title, campaign) = (row.said("title"), row.said("campaign"));
    check("title", title.as_ref().is_none_or(|it| *it == post.title));
    check("campaign", campaign.is_none() || campaign == post.campaign_id);
    check("class", class.is_none_or(|it| it == post.class));
    check("labels", labels.as_ref().is_none_or(|it| *it == post.labels));
    if first {
        post.title = title.unwrap_or_default();
        post.campaign_id = campaign;
        post.class = class.unwrap_or(Class::Routine);
        post.labels = labels.unwrap_or_default();
    }
}

/// What is said once in each language; gives the language.
fn of_the_variant(row: &Row, draft: &mut Drafted, found: &mut Vec<Finding>) -> String {
    let language = row.said("language").unwrap_or_else(|| draft.post.source_language.clone());
    let media = media(row, found);
    let said = NewVariant {
        language: language.clone(),
        text: row.text("text").to_owned(),
        link: row.said("link"),
        media,
        thread: None,
        first_comment: row.said("first comment"),
        machine: false,
        made_from: None,
    };
    let Some(before) = draft.post.variants.iter().find(|it| it.language == language) else {
        draft.post.variants.push(said);
        draft.rows.push(row.number);
        return language;
    };
    let ids = |it: &NewVariant| it.media.iter().map(|it| it.media_id.clone()).collect::<Vec<_>>();
    let checks = [
        ("text", said.text.trim().is_empty() || said.text == before.text),
        ("link", said.link.is_none() || said.link == before.link),
        ("media", said.media.is_empty() || ids(&said) == ids(before)),
        (
            "first comment",
            said.first_comment.is_none() || said.first_comment == before.first_comment,
        ),
    ];
    for (column, _) in checks.iter().filter(|(_, same)| !same) {
        disagrees(row, column, found);
    }
    language
}

/// The files of a row, each with the line that describes it.
fn media(row: &Row, found: &mut Vec<Finding>) -> Vec<MediaRef> {
    let mut alts = row.text("alt").lines().map(str::trim);
    let named = row.said("media").unwrap_or_default();
    let mut media = Vec::new();
    if is_too_long(row, "media", &named, found) {
        return media;
    }
    for name in listed(&named) {
        let alt = alts.next().unwrap_or_default().to_owned();
        match MediaId::parse(name) {
            Ok(media_id) => media.push(MediaRef { media_id, alt }),
            Err(_other) => not_there(row, "media", name, found),
        }
    }
    media
}

/// Adds where and when a row is meant to go out.
fn deliveries(
    row: &Row,
    draft: &mut Drafted,
    (language, known): (&str, &Known<'_>),
    found: &mut Vec<Finding>,
) {
    let named = row.said("accounts").unwrap_or_default();
    let accounts = accounts(row, &named, known.accounts, found);
    let when = when(row, known.zone, found);
    if row.cell("when").is_none() {
        if !named.is_empty() {
            let fault = Fault::new("", "import_time_missing", "say when it is to go out there");
            found.push(Finding::new(row.number, "when", fault));
        }
        return;
    }
    if named.is_empty() {
        let fault = Fault::new("", "import_account_missing", "say to which accounts it is to go");
        found.push(Finding::new(row.number, "accounts", fault));
    }
    for account_id in accounts {
        if let Some((at, local)) = when.clone() {
            let language = language.to_owned();
            draft.deliveries.push(MeantDelivery { account_id, language, at, local });
            draft.delivery_rows.push(row.number);
        }
    }
}

/// The accounts of a cell: ids, names or handles, with the platform before them where it would not be clear.
fn accounts(row: &Row, named: &str, known: &[Account], found: &mut Vec<Finding>) -> Vec<AccountId> {
    let mut accounts = Vec::new();
    if is_too_long(row, "accounts", named, found) {
        return accounts;
    }
    for name in listed(named) {
        let fits: Vec<&Account> = known.iter().filter(|it| is_called(it, name)).collect();
        match fits.as_slice() {
            [one] if accounts.contains(&one.id) => {
                let value = quoted(name);
                let fault = Fault::new("", "repeated", format!("{value} is named twice"));
                found.push(Finding::new(row.number, "accounts", fault.with("value", value)));
            }
            [one] => accounts.push(one.id.clone()),
            [] => not_there(row, "accounts", name, found),
            several => {
                let ids: Vec<String> = several.iter().map(|it| it.id.to_string()).collect();
                let ids = ids.join(", ");
                let detail = format!("several accounts are called {}: {ids}", quoted(name));
                let fault = Fault::new("", "account_ambiguous", detail);
                let fault = fault.with("value", quoted(name)).with("ids", ids);
                found.push(Finding::new(row.number, "accounts", fault));
            }
        }
    }
    accounts
}

fn is_called(account: &Account, name: &str) -> bool {
    if account.id.as_str() == name {
        return true;
    }
    let name = name.to_lowercase();
    let name = match name.split_once(':') {
        Some((platform, rest)) if platform.trim() == account.platform => rest.trim(),
        Some(_) | None => name.as_str(),
    };
    let handle = account.handle.as_deref().unwrap_or_default().trim_start_matches('@');
    let bare = name.trim_start_matches('@');
    account.display_name.to_lowercase() == name
        || (!bare.is_empty() && handle.to_lowercase() == bare)
}

/// When a row is to go out: an instant, or a time on a wall.
fn when(
    row: &Row,
    zone: Option<&str>,
    found: &mut Vec<Finding>,
) -> Option<(Option<String>, Option<MeantLocal>)> {
    let moment = match row.cell("when")? {
        Cell::Moment(moment) => Some(*moment),
        Cell::Text(text) => import::moment(text),
        Cell::Formula => None,
    };
    match moment {
        Some(Moment::Instant(at)) => Some((Some(at.to_string()), None)),
        Some(Moment::Wall(wall)) => {
            let zone = row.said("zone").or_else(|| zone.map(str::to_owned));
            let local = MeantLocal {
                date: wall.date().to_string(),
                time: wall.time().strftime("%H:%M:%S").to_string(),
                zone: zone.unwrap_or_else(|| ACCOUNT.to_owned()),
            };
            Some((None, Some(local)))
        }
        Some(Moment::Day(_)) | None => {
            let detail = "write a day and a time, such as 2026-09-02 09:00 or 02/09/2026 09:00 (the day comes first)";
            found.push(Finding::new(row.number, "when", Fault::new("", "bad_moment", detail)));
            None
        }
    }
}

/// The parts of a cell that lists things.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', '\n']).map(str::trim).filter(|it| !it.is_empty())
}

/// Nobody means so many, and looking for each would take long.
fn is_too_long(row: &Row, column: &'static str, named: &str, found: &mut Vec<Finding>) -> bool {
    let too_long = listed(named).nth(MOST_NAMED).is_some();
    if too_long {
        let detail = format!("at most {MOST_NAMED} in one cell");
        let fault = Fault::new("", "too_many", detail).with("max", MOST_NAMED);
        found.push(Finding::new(row.number, column, fault));
    }
    too_long
}

fn not_there(row: &Row, column: &'static str, name: &str, found: &mut Vec<Finding>) {
    let value = quoted(name);
    let fault = Fault::new("", "unknown_reference", format!("there is no {value}"));
    found.push(Finding::new(row.number, column, fault.with("value", value)));
}

fn disagrees(row: &Row, column: &'static str, found: &mut Vec<Finding>) {
    let detail =
        "an earlier row with this key says something else; leave it empty here, or say the same";
    found.push(Finding::new(row.number, column, Fault::new("", "rows_disagree", detail)));
}

/// A word that is none of those that there are.
pub(super) fn unknown_word(
    row: &Row,
    column: &'static str,
    word: &str,
    known: &[String],
    found: &mut Vec<Finding>,
) {
    let (value, known) = (quoted(word), known.join(", "));
    let fault = Fault::new("", "unknown_word", format!("{value} is none of {known}"));
    found.push(Finding::new(row.number, column, fault.with("value", &value).with("known", known)));
}

impl Drafted {
    /// What is to be asked about its deliveries.
    pub(super) fn wanted(&self) -> Vec<WantedDelivery> {
        let wanted = |it: &MeantDelivery| WantedDelivery {
            account_id: it.account_id.clone(),
            language: Some(it.language.clone()),
            fall_back: None,
            at: it.at.clone(),
            local: it.local.as_ref().map(|it| WantedLocal {
                date: it.date.clone(),
                time: it.time.clone(),
                zone: it.zone.clone(),
            }),
            now: false,
            publish_by: None,
            settings: None,
        };
        self.deliveries.iter().map(wanted).collect()
    }

    /// A fault of the post or of its deliveries, at the row and the column where it comes from.
    pub(super) fn place(&self, fault: Fault) -> Finding {
        let pointer = fault.pointer.clone();
        let mut parts = pointer.split('/').skip(1).filter(|it| *it != "post");
        let noun = parts.next().unwrap_or_default();
        let number = parts.clone().next().and_then(|it| it.parse::<usize>().ok());
        let inside = parts.nth(1).unwrap_or_default();
        let first = self.rows.first().copied().unwrap_or_default();
        let row_of = |rows: &[u32]| number.and_then(|it| rows.get(it)).copied().unwrap_or(first);
        let (row, column) = match noun {
            "variants" => (row_of(&self.rows), of_a_variant(inside)),
            "deliveries" => (row_of(&self.delivery_rows), of_a_delivery(inside)),
            "campaign_id" => (first, "campaign"),
            "source_language" => (first, "language"),
            "labels" => (first, "labels"),
            "class" => (first, "class"),
            _ => (first, "title"),
        };
        Finding::new(row, column, fault)
    }
}

fn of_a_variant(inside: &str) -> &'static str {
    match inside {
        "language" => "language",
        "link" => "link",
        "media" => "media",
        "first_comment" => "first comment",
        _ => "text",
    }
}

fn of_a_delivery(inside: &str) -> &'static str {
    match inside {
        "language" => "language",
        "at" | "local" => "when",
        _ => "accounts",
    }
}
