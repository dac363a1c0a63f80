//! Tables of the term base: taken all or not at all, and given back in the same form.
//!
//! A row is an entry. A column is a language (`en`), what may be said in it as well (`en also`), or what must not be
//! said in it (`en not`); several names in one cell stand with `|` between them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::table::{self, Cell, RawRow};
use super::{Finding, RowError, read};
use crate::domain::fault::Fault;
use crate::domain::id::UnitId;
use crate::domain::locale::quoted;
use crate::domain::policy::{Action, Subject};
use crate::domain::term_base::{TermEntry, TermName};
use crate::domain::variant;
use crate::service::term_base::{NewTermEntry, compose, room};
use crate::service::{Caller, Done, Error, Services, all_well, finish, permit, posts};
use crate::store::{Reader, term_base, units};

/// What stands between several names in one cell.
const BETWEEN: char = '|';
/// Programs that open a table take these for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A table of names that somebody hands in.
#[derive(Debug, Clone)]
pub struct WantedTerms {
    /// Whose the entries become.
    pub unit_id: UnitId,
    /// Only to be looked at.
    pub dry_run: bool,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What came of a table of names, or would come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedTerms {
    /// True when nothing stands in the way.
    pub ok: bool,
    /// How many rows there are below the heading.
    pub rows: usize,
    /// How many entries were made, or would be.
    pub made: usize,
    /// How many rows say what an entry of the unit says already: they are left out.
    pub known: usize,
    /// Everything that stands in the way, by row.
    pub errors: Vec<RowError>,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Note,
    MatchCase,
    Name(String),
    Also(String),
    Not(String),
}

/// What makes two entries the same one.
type Said = (Vec<(String, String, Vec<String>, Vec<String>)>, String, bool);

/// Hands in a table of names: says what would come of it, or makes all of it, or nothing.
pub async fn create(
    services: &Services,
    caller: &Caller,
    wanted: WantedTerms,
) -> Result<Done<ImportedTerms>, Error> {
    permit(caller, Action::WriteTerms, Subject::Any)?;
    if !wanted.dry_run
        && let Some(done) = caller.replay(services).await?
    {
        return Ok(done);
    }
    admitted(services, caller, &wanted.unit_id).await?;
    let rows = read(services, wanted.bytes).await?;
    let mut findings = Vec::new();
    let (count, entries) = gather(services, caller, &wanted.unit_id, rows, &mut findings);
    if wanted.dry_run {
        let mut reader = services.store.read().await?;
        let (_, mut value) = sorted(&mut reader, &wanted.unit_id, (count, entries)).await?;
        value.errors = findings.iter().map(Finding::told).collect();
        value.ok = value.errors.is_empty();
        return Ok(Done { value, replayed: false });
    }
    all_well(findings.into_iter().map(Finding::fault).collect())?;
    let mut tx = services.store.begin().await?;
    // Whoever enters the same at the same time comes before or after.
    room(services, &mut tx, &wanted.unit_id, 0).await?;
    let (new, value) = sorted(&mut tx, &wanted.unit_id, (count, entries)).await?;
    room(services, &mut tx, &wanted.unit_id, i64::try_from(new.len()).unwrap_or(i64::MAX)).await?;
    let mut told = Vec::with_capacity(new.len());
    for entry in &new {
        term_base::insert(&mut tx, entry).await?;
        told.push(caller.entry("term_entry.create", &entry.id, json!({"term_entry": entry})));
    }
    finish(services, caller, tx, value, &told).await
}

/// Those that the unit does not have yet, each once, and the answer about them.
async fn sorted(
    reader: &mut Reader,
    unit: &UnitId,
    (rows, entries): (usize, Vec<TermEntry>),
) -> Result<(Vec<TermEntry>, ImportedTerms), Error> {
    let known = term_base::of_unit(reader, unit).await?;
    let mut known: BTreeSet<Said> = known.iter().map(said).collect();
    let all = entries.len();
    let new: Vec<TermEntry> = entries.into_iter().filter(|it| known.insert(said(it))).collect();
    let (made, errors) = (new.len(), Vec::new());
    Ok((new, ImportedTerms { ok: true, rows, made, known: all - made, errors }))
}

/// Whether the caller may write entries of the unit.
async fn admitted(services: &Services, caller: &Caller, id: &UnitId) -> Result<(), Error> {
    let mut reader = services.store.read().await?;
    let unit = units::find(&mut reader, id).await?;
    let unit = unit.filter(|unit| caller.actor.sees_unit(&unit.id));
    if let Err(fault) = posts::open_unit(unit.as_ref(), id, services.clock.now()) {
        return Err(Error::Invalid(vec![Fault { pointer: "?unit_id".to_owned(), ..fault }]));
    }
    permit(caller, Action::WriteTerms, Subject::Unit(id))
}

fn said(entry: &TermEntry) -> Said {
    let names = entry
        .names
        .iter()
        .map(|it| (it.language.clone(), it.name.clone(), it.also.clone(), it.not.clone()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    (names, entry.note.clone(), entry.match_case)
}

/// How many rows a table has, and its entries: only of rows in which nothing is wrong.
fn gather(
    services: &Services,
    caller: &Caller,
    unit: &UnitId,
    rows: Vec<RawRow>,
    found: &mut Vec<Finding>,
) -> (usize, Vec<TermEntry>) {
    let mut rows = rows.into_iter().filter(|row| !row.cells.is_empty());
    let Some(heading) = rows.next() else {
        let fault = Fault::new("", "table_empty", "the table has no heading");
        found.push(Finding::new(1, "", fault));
        return (0, Vec::new());
    };
    let columns = columns(&heading, found);
    let (mut count, mut entries) = (0, Vec::new());
    for row in rows {
        count += 1;
        if table::is_enough(row.number, found) {
            break;
        }
        let before = found.len();
        let new = entry(unit, &row, &columns, found);
        match compose(services, caller, new).settle() {
            Ok(entry) if found.len() == before => entries.push(entry),
            Ok(_) => {}
            Err(faults) => found.extend(faults.into_iter().map(|fault| {
                let column = fault.pointer.trim_start_matches('/').to_owned();
                Finding::new(row.number, &column, fault)
            })),
        }
    }
    (count, entries)
}

/// What each place holds.
fn columns(heading: &RawRow, found: &mut Vec<Finding>) -> BTreeMap<usize, Option<Column>> {
    let mut columns = BTreeMap::new();
    for (place, cell) in &heading.cells {
        let text = text(cell).unwrap_or_default();
        let column = column(text);
        let value = quoted(text);
        if column.is_none() {
            let known = "note, match_case, en, en also, en not";
            let detail = format!("nobody knows a column {value}; there are: {known}");
            let fault = Fault::new("", "unknown_column", detail);
            let fault = fault.with("value", &value).with("known", known);
            found.push(Finding::new(heading.number, text, fault));
        } else if columns.values().any(|it| *it == column) {
            let detail = format!("{value} stands twice in the heading");
            let fault = Fault::new("", "repeated", detail).with("value", &value);
            found.push(Finding::new(heading.number, text, fault));
        }
        columns.insert(*place, column);
    }
    columns
}

fn column(heading: &str) -> Option<Column> {
    let heading = crate::domain::term_base::folded(heading.trim());
    match heading.as_str() {
        "note" | "ghi chú" => return Some(Column::Note),
        "match_case" | "phân biệt hoa thường" => return Some(Column::MatchCase),
        _ => {}
    }
    let (tag, rest) = heading.split_once(' ').unwrap_or((&heading, ""));
    let tag = variant::language(tag)?;
    match rest.trim() {
        "" => Some(Column::Name(tag)),
        "also" | "cũng dùng" => Some(Column::Also(tag)),
        "not" | "không dùng" => Some(Column::Not(tag)),
        _ => None,
    }
}

fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        Cell::Moment(_) | Cell::Formula => None,
    }
}

/// What a row says.
fn entry(
    unit_id: &UnitId,
    row: &RawRow,
    columns: &BTreeMap<usize, Option<Column>>,
    found: &mut Vec<Finding>,
) -> NewTermEntry {
    let mut new = NewTermEntry {
        unit_id: unit_id.clone(),
        names: Vec::new(),
        note: String::new(),
        match_case: false,
    };
    let mut names: BTreeMap<String, TermName> = BTreeMap::new();
    for (place, cell) in &row.cells {
        let Some(text) = text(cell) else {
            let detail = "a formula is not worked out here: paste its value in its place";
            let fault = Fault::new("", "formula_refused", detail);
            found.push(Finding::new(row.number, "", fault));
            continue;
        };
        let several = || text.split(BETWEEN).map(|it| it.trim().to_owned()).collect();
        match columns.get(place) {
            Some(None) => {}
            Some(Some(Column::Note)) => text.clone_into(&mut new.note),
            Some(Some(Column::MatchCase)) => match yes_or_no(text) {
                Some(said) => new.match_case = said,
                None => found.push(Finding::new(row.number, "match_case", not_a_word(text))),
            },
            Some(Some(Column::Name(tag))) => text.clone_into(&mut named(&mut names, tag).name),
            Some(Some(Column::Also(tag))) => named(&mut names, tag).also = several(),
            Some(Some(Column::Not(tag))) => named(&mut names, tag).not = several(),
            None => {
                let place = place + 1;
                let detail = format!("there is something in column {place}, which has no heading");
                let fault = Fault::new("", "column_without_heading", detail).with("column", place);
                found.push(Finding::new(row.number, "", fault));
            }
        }
    }
    new.names = names.into_values().collect();
    new
}

/// The names in a language, none at first.
fn named<'a>(names: &'a mut BTreeMap<String, TermName>, tag: &str) -> &'a mut TermName {
    let (name, also, not) = (String::new(), Vec::new(), Vec::new());
    let none = TermName { language: tag.to_owned(), name, also, not };
    names.entry(tag.to_owned()).or_insert(none)
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "có" | "1" => Some(true),
        "false" | "no" | "không" | "0" => Some(false),
        _ => None,
    }
}

fn not_a_word(text: &str) -> Fault {
    let (value, known) = (quoted(text), "true, false");
    let fault = Fault::new("", "unknown_word", format!("{value} is none of: {known}"));
    fault.with("value", value).with("known", known)
}

/// Entries as a table that can be handed in again.
pub fn written(entries: &[TermEntry]) -> Result<Vec<u8>, Error> {
    let mut columns: BTreeSet<Column> = [Column::Note, Column::MatchCase].into();
    for one in entries.iter().flat_map(|it| &it.names) {
        columns.insert(Column::Name(one.language.clone()));
        if !one.also.is_empty() {
            columns.insert(Column::Also(one.language.clone()));
        }
        if !one.not.is_empty() {
            columns.insert(Column::Not(one.language.clone()));
        }
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    let heading = columns.iter().map(|column| match column {
        Column::Note => "note".to_owned(),
        Column::MatchCase => "match_case".to_owned(),
        Column::Name(tag) => tag.clone(),
        Column::Also(tag) => format!("{tag} also"),
        Column::Not(tag) => format!("{tag} not"),
    });
    table.write_record(heading).map_err(Error::internal)?;
    for entry in entries {
        let cells = columns.iter().map(|column| guarded(cell(entry, column)));
        table.write_record(cells).map_err(Error::internal)?;
    }
    let rows = table.into_inner().map_err(|error| Error::internal(error.into_error()))?;
    // Excel takes a table without it for one of another alphabet.
    Ok([b"\xEF\xBB\xBF".as_slice(), &rows].concat())
}

fn cell(entry: &TermEntry, column: &Column) -> String {
    let of = |tag: &String| entry.names.iter().find(|it| it.language == *tag);
    let several = |forms: &[String]| forms.join(&format!(" {BETWEEN} "));
    match column {
        Column::Note => entry.note.clone(),
        Column::MatchCase => if entry.match_case { "true" } else { "" }.to_owned(),
        Column::Name(tag) => of(tag).map(|it| it.name.clone()).unwrap_or_default(),
        Column::Also(tag) => of(tag).map(|it| several(&it.also)).unwrap_or_default(),
        Column::Not(tag) => of(tag).map(|it| several(&it.not)).unwrap_or_default(),
    }
}

/// So that no program takes it for a formula; reading it takes the sign away again.
fn guarded(text: String) -> String {
    if text.starts_with(FORMULA) { format!("'{text}") } else { text }
}
