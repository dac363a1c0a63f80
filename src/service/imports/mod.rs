//! The acts on imports: hand in a table and see what would come of it, make it, look at it again, undo it.
//!
//! Everything lands as a draft: where and when a post is meant to go out is kept beside it, and scheduled by people.

mod plan;
mod posts;
mod table;
pub mod terms;
mod xlsx;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::check::{self, WantedCheck};
use super::{
    Caller, Done, Error, Page, Services, Window, all_well, events, finish, permit, posts as written,
};
use crate::domain::account::Account;
use crate::domain::audit::NewEntry;
use crate::domain::event::Event;
use crate::domain::fault::Fault;
use crate::domain::id::{EventId, ImportId, PostId, UnitId};
use crate::domain::import::{Import, ImportKind, Item, MeantDelivery, Since};
use crate::domain::locale;
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::unit::Unit;
use crate::domain::variant::Variant;
use crate::store::{self, Reader, Tx, accounts, imports, translations, units, variants};

/// The largest file that is taken, in bytes.
pub const MOST_BYTES: usize = 8 << 20;

/// The longest name of a file, in characters.
const LONGEST_NAME: usize = 200;

/// The most accounts among which names are looked for.
const MOST_ACCOUNTS: u32 = 10_000;

/// So many posts are written by one statement.
const AT_ONCE: usize = 200;

/// A table that somebody hands in.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What its rows are.
    pub kind: ImportKind,
    /// Only to be looked at.
    pub dry_run: bool,
    /// Whose everything becomes.
    pub unit_id: UnitId,
    /// The zone of times that name none.
    pub zone: Option<String>,
    /// What the file is called.
    pub file_name: Option<String>,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What came of a table, or would come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// The batch; nothing in a dry run.
    pub import: Option<Import>,
    /// True when nothing stands in the way.
    pub ok: bool,
    /// How many rows there are below the heading.
    pub rows: usize,
    /// Everything that stands in the way, by row.
    pub errors: Vec<RowError>,
    /// The posts or events, in the order of their rows.
    pub items: Vec<ItemView>,
}

/// Something that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowError {
    /// The row, as a spreadsheet counts: the heading is 1.
    pub row: u32,
    /// The column by its English heading; empty for the whole row.
    pub column: String,
    /// Stable machine word.
    pub code: String,
    /// In the language that was asked for.
    pub detail: String,
    /// The values that the detail names, for programs and for other languages.
    pub values: BTreeMap<String, String>,
}

/// A post or an event that came of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemView {
    /// The row at which it begins.
    pub row: i64,
    /// What it is called.
    pub title: String,
    /// The post; nothing in a dry run.
    pub post_id: Option<PostId>,
    /// The event; nothing in a dry run.
    pub event_id: Option<EventId>,
    /// Where and when it is meant to go out: as `POST /posts/{id}/deliveries` takes it. Nothing of it is scheduled.
    pub deliveries: Vec<MeantDelivery>,
    /// What has become of it since.
    pub since: Since,
}

/// What an undo has taken away, and what it has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Undone {
    /// The batch.
    pub import: Import,
    /// What was as it had been made, and is gone.
    pub removed: Vec<ItemView>,
    /// What stays, and in `since` why.
    pub kept: Vec<ItemView>,
}

/// Something wrong at a place of a table.
#[derive(Debug)]
struct Finding {
    row: u32,
    column: String,
    fault: Fault,
}

impl Finding {
    fn new(row: u32, column: &str, fault: Fault) -> Self {
        Self { row, column: column.to_owned(), fault }
    }

    fn told(&self) -> RowError {
        let values = self.fault.args.iter().map(|(name, it)| ((*name).to_owned(), it.clone()));
        RowError {
            row: self.row,
            column: self.column.clone(),
            code: self.fault.code.to_owned(),
            detail: self.fault.detail.clone(),
            values: values.collect(),
        }
    }

    /// As it is told where nothing was made because of it.
    fn fault(self) -> Fault {
        let place =
            if self.column.is_empty() { String::new() } else { format!("/{}", self.column) };
        Fault { pointer: format!("/rows/{}{place}", self.row), ..self.fault }
    }
}

/// What is to be written.
enum Made {
    Posts(Vec<(Post, Vec<Variant>)>),
    Events(Vec<Event>),
}

/// What a table comes to.
struct Examined {
    findings: Vec<Finding>,
    items: Vec<Item>,
    /// Only when nothing is wrong.
    made: Made,
}

fn action(kind: ImportKind) -> Action {
    match kind {
        ImportKind::Posts => Action::WritePosts,
        ImportKind::Plan => Action::WriteEvents,
    }
}

/// Hands in a table: says what would come of it, or makes all of it, or nothing.
pub async fn create(
    services: &Services,
    caller: &Caller,
    wanted: Wanted,
) -> Result<Done<Imported>, Error> {
    permit(caller, action(wanted.kind), Subject::Any)?;
    if !wanted.dry_run
        && let Some(done) = caller.replay(services).await?
    {
        return Ok(done);
    }
    let unit = admitted(services, caller, &wanted).await?;
    let (kind, sha256) = (wanted.kind, hex::encode(Sha256::digest(&wanted.bytes)));
    let rows = read(services, wanted.bytes).await?;
    let mut findings = Vec::new();
    let rows = table::headed(kind, rows, &mut findings);
    let zone = wanted.zone.as_deref();
    let found = match kind {
        ImportKind::Posts => of_posts(services, caller, (&unit, zone, &rows), findings).await?,
        ImportKind::Plan => of_plan(services, caller, (&unit, zone, &rows), findings),
    };
    if wanted.dry_run {
        return Ok(Done { value: would_be(found, rows.len()), replayed: false });
    }
    all_well(found.findings.into_iter().map(Finding::fault).collect())?;
    let now = services.clock.now();
    let import = Import {
        id: ImportId::new(now, services.random()),
        kind,
        unit_id: unit.id,
        file_name: wanted.file_name,
        sha256,
        rows: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        made: i64::try_from(found.items.len()).unwrap_or(i64::MAX),
        created_by: caller.actor.person_id.clone(),
        created_at: now,
        undone_by: None,
        undone_at: None,
    };
    write(services, caller, import, (found.items, found.made)).await
}

/// The rows of a file, read where they keep nobody else waiting.
async fn read(services: &Services, bytes: Vec<u8>) -> Result<Vec<table::RawRow>, Error> {
    let _turn = services.unpacking.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || table::read(&bytes)).await.map_err(Error::internal)?
}

/// The answer of a dry run: nothing has a name yet.
fn would_be(found: Examined, rows: usize) -> Imported {
    let errors: Vec<RowError> = found.findings.iter().map(Finding::told).collect();
    let unnamed = |item| Item { post_id: None, event_id: None, ..item };
    let items = found.items.into_iter().map(|it| view(unnamed(it), Since::Untouched)).collect();
    Imported { import: None, ok: errors.is_empty(), rows, errors, items }
}

/// The unit that everything is to belong to, when the caller may; and whether what was said besides can be.
async fn admitted(services: &Services, caller: &Caller, wanted: &Wanted) -> Result<Unit, Error> {
    let mut faults = Vec::new();
    if let Some(zone) = wanted.zone.as_deref().filter(|it| *it != "account") {
        locale::check_zone("?zone", zone, &mut faults);
    }
    if let Some(name) = &wanted.file_name {
        locale::check_line("?file_name", name, LONGEST_NAME, &mut faults);
    }
    let mut reader = services.store.read().await?;
    let unit = units::find(&mut reader, &wanted.unit_id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    let open = written::open_unit(unit.as_ref(), &wanted.unit_id, services.clock.now());
    if let Err(mut fault) = open.map(|_| ()) {
        "?unit_id".clone_into(&mut fault.pointer);
        faults.push(fault);
    }
    all_well(faults)?;
    let unit = unit.ok_or(Error::NotFound)?;
    permit(caller, action(wanted.kind), Subject::Unit(&unit.id))?;
    Ok(unit)
}

/// Looks at each post as it would be looked at if somebody wrote and scheduled it.
async fn of_posts(
    services: &Services,
    caller: &Caller,
    (unit, zone, rows): (&Unit, Option<&str>, &[table::Row]),
    mut findings: Vec<Finding>,
) -> Result<Examined, Error> {
    let reader = &mut services.store.read().await?;
    let known = named(caller, reader, unit).await?;
    let known = posts::Known { unit_id: &unit.id, zone, accounts: &known };
    let drafts = posts::gather(rows, &known, &mut findings);
    let (mut items, mut made) = (Vec::with_capacity(drafts.len()), Vec::new());
    for draft in drafts {
        if table::is_enough(draft.rows.first().copied().unwrap_or_default(), &mut findings) {
            break;
        }
        let before = findings.len();
        let wanted = WantedCheck {
            post: Some(draft.post.clone()),
            post_id: None,
            deliveries: draft.wanted(),
            // It is written as a draft: whether it is approved is asked when it is scheduled.
            awaiting_approval: true,
            overriding: None,
        };
        let faults: Vec<Fault> = match check::examine(services, caller, reader, wanted).await {
            Ok(found) => found.errors.into_iter().chain(found.plan.obstacles()).collect(),
            Err(Error::Invalid(faults)) => faults,
            Err(other) => return Err(other),
        };
        findings.extend(faults.into_iter().map(|it| draft.place(it)));
        let mut item = Item {
            number: draft.rows.first().copied().unwrap_or_default().into(),
            title: draft.post.title.clone(),
            post_id: None,
            event_id: None,
            deliveries: draft.deliveries,
        };
        if findings.len() == before {
            let (post, variants, _) =
                written::prepare(services, caller, reader, draft.post).await?;
            item.post_id = Some(post.id.clone());
            made.push((post, variants));
        }
        items.push(item);
    }
    findings.sort_by_key(|it| it.row);
    Ok(Examined { findings, items, made: Made::Posts(made) })
}

/// The accounts that posts of a unit may name: those that the caller sees, of the unit and of those below.
async fn named(caller: &Caller, reader: &mut Reader, unit: &Unit) -> Result<Vec<Account>, Error> {
    let among = caller.actor.accounts_for(Action::ReadAccounts);
    let filter = accounts::Filter {
        unit_id: None,
        platform: None,
        status: None,
        among: among.map(|it| it.into_iter().collect()),
    };
    let mut found = accounts::list(reader, &filter, None, MOST_ACCOUNTS).await?;
    if !caller.actor.administrator {
        let within = units::below(reader, &unit.id).await?;
        found.retain(|account| within.contains(&account.unit_id));
    }
    Ok(found)
}

fn of_plan(
    services: &Services,
    caller: &Caller,
    (unit, zone, rows): (&Unit, Option<&str>, &[table::Row]),
    mut findings: Vec<Finding>,
) -> Examined {
    let zone = zone.filter(|it| *it != "account").unwrap_or(&unit.time_zone);
    let entered = plan::gather(rows, (&unit.id, zone), &mut findings);
    let (mut items, mut made) = (Vec::with_capacity(entered.len()), Vec::new());
    for one in entered {
        let event = events::compose(services, caller, unit, one.event.clone());
        findings.extend(event.check().into_iter().map(|fault| one.place(fault)));
        items.push(Item {
            number: one.row.into(),
            title: event.title.vi.clone(),
            post_id: None,
            event_id: Some(event.id.clone()),
            deliveries: Vec::new(),
        });
        made.push(event);
    }
    findings.sort_by_key(|it| it.row);
    Examined { findings, items, made: Made::Events(made) }
}

/// Writes the batch and everything in it by one transaction.
async fn write(
    services: &Services,
    caller: &Caller,
    import: Import,
    (items, made): (Vec<Item>, Made),
) -> Result<Done<Imported>, Error> {
    let mut tx = services.store.begin().await?;
    let mut entries = vec![caller.entry("import.create", &import.id, json!({"import": import}))];
    match &made {
        Made::Posts(posts) => write_posts(&mut tx, caller, posts, &mut entries, &import).await?,
        Made::Events(events) => {
            for event in events {
                store::events::insert(&mut tx, event).await?;
                entries.push(caller.entry("event.create", &event.id, json!({"event": event})));
            }
        }
    }
    imports::insert(&mut tx, &import, &items).await?;
    let rows = usize::try_from(import.rows).unwrap_or_default();
    let items = items.into_iter().map(|it| view(it, Since::Untouched)).collect();
    let value = Imported { import: Some(import), ok: true, rows, errors: Vec::new(), items };
    finish(services, caller, tx, value, &entries).await
}

async fn write_posts(
    tx: &mut Tx,
    caller: &Caller,
    posts: &[(Post, Vec<Variant>)],
    entries: &mut Vec<NewEntry>,
    import: &Import,
) -> Result<(), Error> {
    for some in posts.chunks(AT_ONCE) {
        let rows: Vec<&Post> = some.iter().map(|(post, _)| post).collect();
        store::posts::insert(tx, &rows).await?;
        let rows: Vec<(&PostId, &[Variant])> =
            some.iter().map(|(post, said)| (&post.id, said.as_slice())).collect();
        variants::insert(tx, &rows, import.created_at, rand::random).await?;
        translations::bar(tx, &rows).await?;
        entries.extend(some.iter().map(|(post, said)| written::created(caller, post, said)));
    }
    Ok(())
}

fn view(item: Item, since: Since) -> ItemView {
    ItemView {
        row: item.number,
        title: item.title,
        post_id: item.post_id,
        event_id: item.event_id,
        deliveries: item.deliveries,
        since,
    }
}

/// A page of batches of the caller's units, newest first.
pub async fn list(
    services: &Services,
    caller: &Caller,
    window: &Window,
) -> Result<Page<Import>, Error> {
    permit(caller, Action::ReadPosts, Subject::Any)?;
    let within = caller.actor.units_for(Action::ReadPosts);
    let within: Option<Vec<UnitId>> = within.map(|it| it.into_iter().collect());
    let before = window.after_id()?;
    let mut reader = services.store.read().await?;
    let found =
        imports::list(&mut reader, within.as_deref(), before.as_ref(), window.rows()).await?;
    Ok(window.page(found, |import| vec![import.id.to_string()]))
}

/// One batch with what came of it, and what has become of that since.
pub async fn show(services: &Services, caller: &Caller, id: &ImportId) -> Result<Imported, Error> {
    let mut reader = services.store.read().await?;
    let import = see(&mut reader, caller, id, Action::ReadPosts).await?;
    let items = views(&mut reader, &import).await?;
    let rows = usize::try_from(import.rows).unwrap_or_default();
    Ok(Imported { import: Some(import), ok: true, rows, errors: Vec::new(), items })
}

async fn see(
    reader: &mut Reader,
    caller: &Caller,
    id: &ImportId,
    action: Action,
) -> Result<Import, Error> {
    permit(caller, action, Subject::Any)?;
    let import = imports::find(reader, id).await?.filter(|it| caller.actor.sees_unit(&it.unit_id));
    let import = import.ok_or(Error::NotFound)?;
    permit(caller, action, Subject::Unit(&import.unit_id))?;
    Ok(import)
}

/// What came of a batch, and what has become of it.
async fn views(reader: &mut Reader, import: &Import) -> Result<Vec<ItemView>, Error> {
    let items = imports::items(reader, &import.id).await?;
    let posts = imports::posts_since(reader, &import.id).await?;
    let events = imports::events_since(reader, &import.id).await?;
    let view = |item: Item| {
        let post = item.post_id.as_ref().and_then(|it| posts.get(it));
        let event = item.event_id.as_ref().and_then(|it| events.get(it));
        let since = post.or(event).copied().unwrap_or(Since::Removed);
        view(item, since)
    };
    Ok(items.into_iter().map(view).collect())
}

/// Takes away what of a batch nobody has touched since, and says what stays.
pub async fn undo(
    services: &Services,
    caller: &Caller,
    id: &ImportId,
) -> Result<Done<Undone>, Error> {
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    permit(caller, Action::ReadPosts, Subject::Any)?;
    let found = imports::find(&mut tx, id).await?.filter(|it| caller.actor.sees_unit(&it.unit_id));
    let found = found.ok_or(Error::NotFound)?;
    let found = see(&mut tx, caller, id, action(found.kind)).await?;
    let mut posts: Vec<PostId> =
        imports::items(&mut tx, id).await?.into_iter().filter_map(|it| it.post_id).collect();
    posts.sort();
    for post in &posts {
        // Whoever schedules, offers or decides comes before, and is seen; or after, and finds nothing.
        store::approvals::lock(&mut tx, post).await?;
    }
    let (mut removed, mut kept, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for mut item in views(&mut tx, &found).await? {
        let gone = item.since == Since::Untouched
            && take(&mut tx, caller, &item, &mut entries, now).await?;
        if gone {
            item.since = Since::Removed;
            removed.push(item);
        } else {
            if item.since == Since::Untouched {
                item.since = Since::Changed;
            }
            kept.push(item);
        }
    }
    imports::undone(&mut tx, id, &caller.actor.person_id, now).await?;
    let import = imports::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let detail = json!({"removed": removed.len(), "kept": kept.len()});
    entries.push(caller.entry("import.undo", id, detail));
    finish(services, caller, tx, Undone { import, removed, kept }, &entries).await
}

/// Removes what came of a row as people remove it. False when somebody was faster.
async fn take(
    tx: &mut Tx,
    caller: &Caller,
    item: &ItemView,
    entries: &mut Vec<NewEntry>,
    now: jiff::Timestamp,
) -> Result<bool, Error> {
    if let Some(id) = &item.post_id {
        if !store::posts::remove(tx, id, 1, now).await? {
            return Ok(false);
        }
        entries.push(caller.entry("post.remove", id, json!({"revision": 1})));
        return Ok(true);
    }
    let Some(id) = &item.event_id else { return Ok(false) };
    let Some(event) = store::events::find(tx, id).await? else { return Ok(false) };
    // Never a version that nobody has looked at: somebody may have changed it meanwhile.
    match store::events::remove(tx, id, 1, now).await {
        Ok(()) => {
            entries.push(caller.entry("event.remove", id, json!({"event": event})));
            Ok(true)
        }
        Err(store::Error::Stale) => Ok(false),
        Err(other) => Err(other.into()),
    }
}
