//! Reads the first sheet of an XLSX file: as little of it as is needed, and never more than fits.
//!
//! What a file says of itself is not believed: parts are unpacked up to a limit, counts and dimensions are not read,
//! and cells are kept as they come. (Office Open XML, ECMA-376 part 1, sections 18.2 to 18.8, read 2026-11-23.)

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use quick_xml::Reader;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;
use zip::result::ZipError;

use super::table::{Cell, MOST_COLUMNS, RawRow, not_a_table, too_many_columns, too_many_rows};
use crate::domain::import::{MOST_ROWS, Moment};
use crate::service::{Error, Told};

/// So much is unpacked of one file, whatever it says of its size.
const MOST_UNPACKED: u64 = 32 << 20;

/// So many bytes of text are taken out of one sheet: cells may all name the same long text.
const MOST_TEXT: usize = 16 << 20;
/// So many different texts a table may have: more than it has cells.
const MOST_STRINGS: usize = 500_000;

/// The day before the first of the calendar that begins in 1900, and that the program believes to be a leap year.
const EPOCH_1900: Date = jiff::civil::date(1899, 12, 30);
const EPOCH_1904: Date = jiff::civil::date(1904, 1, 1);

fn broken() -> Error {
    let detail = "the XLSX file is incomplete or damaged; save it again and send that";
    Error::Unreadable(Told::new("table_broken", detail))
}

fn too_large() -> Error {
    Error::TooLarge { max_bytes: MOST_UNPACKED }
}

/// The rows of the first sheet that is not hidden.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<RawRow>, Error> {
    let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_damaged| broken())?;
    let mut package = Package { archive, left: MOST_UNPACKED };
    let workbook = package.part("xl/workbook.xml")?.ok_or_else(not_a_table)?;
    let (sheet, since_1904) = first_sheet(&workbook)?;
    let relations = package.part("xl/_rels/workbook.xml.rels")?.ok_or_else(broken)?;
    let path = target(&relations, &sheet)?;
    let strings = package.part("xl/sharedStrings.xml")?;
    let styles = package.part("xl/styles.xml")?;
    let sheet = package.part(&path)?.ok_or_else(broken)?;
    let mut reading = Sheet {
        strings: strings.map(|it| shared_strings(&it)).transpose()?.unwrap_or_default(),
        shows: styles.map(|it| formats(&it)).transpose()?.unwrap_or_default(),
        epoch: if since_1904 { EPOCH_1904 } else { EPOCH_1900 },
        ..Sheet::default()
    };
    walk(&sheet, |node| reading.visit(node))?;
    if reading.complete { Ok(reading.rows) } else { Err(broken()) }
}

struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

impl Package<'_> {
    /// Unpacks a part, if there is such a one.
    fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let file = match self.archive.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(_damaged_or_encrypted) => return Err(broken()),
        };
        let mut bytes = Vec::new();
        file.take(self.left + 1).read_to_end(&mut bytes).map_err(|_damaged| broken())?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(too_large)?;
        Ok(Some(bytes))
    }
}

/// What is met in a part.
enum Node<'a> {
    Start(&'a str, &'a BytesStart<'a>),
    Text(Cow<'a, str>),
    End(&'a str),
}

fn walk(part: &[u8], mut visit: impl FnMut(Node<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let mut reader = Reader::from_reader(part);
    reader.config_mut().expand_empty_elements = true;
    let named = |name: &[u8]| std::str::from_utf8(name).map(str::to_owned).map_err(|_odd| broken());
    loop {
        match reader.read_event().map_err(|_damaged| broken())? {
            Event::Start(start) | Event::Empty(start) => {
                visit(Node::Start(&named(start.local_name().as_ref())?, &start))?;
            }
            Event::End(end) => visit(Node::End(&named(end.local_name().as_ref())?))?,
            Event::Text(text) => visit(Node::Text(text.decode().map_err(|_odd| broken())?))?,
            Event::CData(text) => visit(Node::Text(text.decode().map_err(|_odd| broken())?))?,
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|_odd| broken())?;
                let whole = format!("&{name};");
                let said = quick_xml::escape::unescape(&whole).map_err(|_unknown| broken())?;
                visit(Node::Text(said))?;
            }
            // Entities of one's own are how XML grows while it is read; no such file has any.
            Event::DocType(_) => return Err(broken()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return Ok(()),
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let named = |it: &Attribute<'_>| it.key.local_name().as_ref() == name.as_bytes();
    let mut all = start.attributes();
    // To look for doubles takes the square of their number.
    all.with_checks(false);
    let found = all.flatten().find(named)?;
    let text = std::str::from_utf8(&found.value).ok()?;
    quick_xml::escape::unescape(text).ok().map(Cow::into_owned)
}

/// Under which name the workbook knows its first sheet, and whether its days count from 1904.
fn first_sheet(workbook: &[u8]) -> Result<(String, bool), Error> {
    let (mut first, mut since_1904) = (None, false);
    walk(workbook, |node| {
        if let Node::Start(name, start) = node {
            let shown = attribute(start, "state").is_none_or(|it| it == "visible");
            if name == "sheet" && shown && first.is_none() {
                first = attribute(start, "id");
            } else if name == "workbookPr" {
                let said = attribute(start, "date1904");
                // An extension of the same name says nothing of it.
                since_1904 |= said.is_some_and(|it| it == "1" || it == "true");
            }
        }
        Ok(())
    })?;
    Ok((first.ok_or_else(broken)?, since_1904))
}

/// Where a relation of the workbook leads.
fn target(relations: &[u8], id: &str) -> Result<String, Error> {
    let mut found = None;
    walk(relations, |node| {
        if let Node::Start("Relationship", start) = node
            && attribute(start, "Id").as_deref() == Some(id)
        {
            found = attribute(start, "Target");
        }
        Ok(())
    })?;
    let target = found.ok_or_else(broken)?;
    Ok(match target.strip_prefix('/') {
        Some(whole) => whole.to_owned(),
        None => format!("xl/{target}"),
    })
}

/// The texts that cells name by their number.
fn shared_strings(part: &[u8]) -> Result<Vec<String>, Error> {
    let (mut strings, mut text) = (Vec::new(), String::new());
    let (mut inside, mut aside) = (false, false);
    walk(part, |node| {
        match node {
            Node::Start("t", _) => inside = true,
            Node::End("t") => inside = false,
            // How it is pronounced.
            Node::Start("rPh", _) => aside = true,
            Node::End("rPh") => aside = false,
            Node::End("si") if strings.len() >= MOST_STRINGS => return Err(too_large()),
            Node::End("si") => strings.push(unescaped(&std::mem::take(&mut text))),
            Node::Text(said) if inside && !aside => text.push_str(&said),
            Node::Start(..) | Node::End(_) | Node::Text(_) => {}
        }
        Ok(())
    })?;
    Ok(strings)
}

/// With the characters that the format writes as `_x000D_`.
fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("_x") {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let code = from.get(2..6).filter(|_| from.get(6..7) == Some("_"));
        let letter = code.and_then(|it| u32::from_str_radix(it, 16).ok()).and_then(char::from_u32);
        match letter {
            Some(letter) => plain.push(letter),
            None => plain.push_str("_x"),
        }
        let read = if letter.is_some() { 7 } else { 2 };
        rest = from.get(read..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// What a number is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Number,
    Day,
    Time,
}

/// What each style shows a number as.
fn formats(part: &[u8]) -> Result<Vec<Shown>, Error> {
    let (mut own, mut styles, mut inside) = (BTreeMap::new(), Vec::new(), false);
    walk(part, |node| {
        match node {
            Node::Start("numFmt", start) => {
                let id = attribute(start, "numFmtId");
                own.extend(id.zip(attribute(start, "formatCode")));
            }
            Node::Start("cellXfs", _) => inside = true,
            Node::End("cellXfs") => inside = false,
            Node::Start("xf", start) if inside => {
                let id = attribute(start, "numFmtId").unwrap_or_default();
                let code = own.get(&id).map(String::as_str);
                styles.push(code.map_or_else(|| built_in(&id), shown));
            }
            Node::Start(..) | Node::End(_) | Node::Text(_) => {}
        }
        Ok(())
    })?;
    Ok(styles)
}

/// The formats that every program knows by number.
fn built_in(id: &str) -> Shown {
    match id.parse() {
        Ok(14..=17 | 27..=31 | 34..=36 | 50..=54 | 57..=58) => Shown::Day,
        Ok(18..=22 | 32..=33 | 45..=47 | 55..=56) => Shown::Time,
        Ok(0_u32..) | Err(_) => Shown::Number,
    }
}

/// What a format shows, by its letters outside of quotation marks and brackets.
fn shown(code: &str) -> Shown {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    let mut letters = String::new();
    for letter in code.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' | '_' | '*' => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => bracketed = true,
            ']' if !quoted => bracketed = false,
            _ if quoted || bracketed => {}
            other => letters.extend(other.to_lowercase()),
        }
    }
    if letters.contains(['h', 's']) {
        Shown::Time
    } else if letters.contains(['d', 'm', 'y']) {
        Shown::Day
    } else {
        Shown::Number
    }
}

/// A sheet while it is read.
#[derive(Default)]
struct Sheet {
    strings: Vec<String>,
    shows: Vec<Shown>,
    epoch: Date,
    rows: Vec<RawRow>,
    row: RawRow,
    cell: OpenCell,
    begun: bool,
    complete: bool,
    text_bytes: usize,
}

/// A cell while it is read.
#[derive(Default)]
struct OpenCell {
    column: usize,
    kind: String,
    style: usize,
    value: String,
    formula: bool,
    inside: bool,
}

impl Sheet {
    fn visit(&mut self, node: Node<'_>) -> Result<(), Error> {
        match node {
            Node::Start("row", start) => {
                let said = attribute(start, "r").and_then(|it| it.parse().ok());
                let number = said.unwrap_or_else(|| self.row.number.saturating_add(1));
                if number <= self.row.number && number > 0 && self.begun {
                    return Err(broken());
                }
                self.begun = true;
                self.row = RawRow { number, cells: BTreeMap::new() };
                self.cell.column = 0;
            }
            Node::Start("c", start) => {
                let column = attribute(start, "r").and_then(|it| column(&it));
                self.cell = OpenCell {
                    column: column.unwrap_or(self.cell.column),
                    kind: attribute(start, "t").unwrap_or_default(),
                    style: attribute(start, "s").and_then(|it| it.parse().ok()).unwrap_or(0),
                    ..OpenCell::default()
                };
            }
            Node::Start("f", _) => self.cell.formula = true,
            Node::Start("v" | "t", _) => self.cell.inside = true,
            Node::End("v" | "t") => self.cell.inside = false,
            Node::Text(said) if self.cell.inside => self.cell.value.push_str(&said),
            Node::End("c") => self.end_cell()?,
            Node::End("row") => {
                let row = std::mem::take(&mut self.row);
                self.row.number = row.number;
                if !row.cells.is_empty() {
                    self.rows.push(row);
                }
                if self.rows.len() > MOST_ROWS + 1 {
                    return Err(too_many_rows());
                }
            }
            Node::End("sheetData") => self.complete = true,
            Node::Start(..) | Node::End(_) | Node::Text(_) => {}
        }
        Ok(())
    }

    fn end_cell(&mut self) -> Result<(), Error> {
        let cell = std::mem::take(&mut self.cell);
        self.cell.column = cell.column.saturating_add(1);
        let found = self.meant(&cell)?;
        if let Some(found) = found {
            if cell.column >= MOST_COLUMNS {
                return Err(too_many_columns());
            }
            if let Cell::Text(text) = &found {
                self.text_bytes += text.len();
            }
            if self.text_bytes > MOST_TEXT {
                return Err(too_large());
            }
            self.row.cells.insert(cell.column, found);
        }
        Ok(())
    }

    /// What stands in a cell.
    fn meant(&self, cell: &OpenCell) -> Result<Option<Cell>, Error> {
        if cell.formula || cell.kind == "e" {
            return Ok(Some(Cell::Formula));
        }
        let text = match cell.kind.as_str() {
            "s" => {
                let place: Option<usize> = cell.value.trim().parse().ok();
                let text = place.and_then(|it| self.strings.get(it)).ok_or_else(broken)?;
                text.clone()
            }
            "inlineStr" | "str" | "d" => unescaped(&cell.value),
            "b" => if cell.value.trim() == "1" { "true" } else { "false" }.to_owned(),
            _ => return Ok(self.number(cell)),
        };
        Ok((!text.trim().is_empty()).then_some(Cell::Text(text)))
    }

    fn number(&self, cell: &OpenCell) -> Option<Cell> {
        let text = cell.value.trim();
        let number: f64 = text.parse().ok()?;
        let moment = match self.shows.get(cell.style).copied().unwrap_or(Shown::Number) {
            Shown::Number => None,
            Shown::Day => moment(self.epoch, number, false),
            Shown::Time => moment(self.epoch, number, true),
        };
        Some(moment.map_or_else(|| Cell::Text(format!("{number}")), Cell::Moment))
    }
}

/// The column of a reference such as `BC12`, from 0.
fn column(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic);
    let number = letters
        .take(4)
        .fold(0, |sum, letter| sum * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}

/// The time that a number of days since the epoch means; to the second, as programs show it.
#[expect(clippy::cast_possible_truncation, reason = "checked to lie within the years 1900 to 9999")]
fn moment(epoch: Date, number: f64, timed: bool) -> Option<Moment> {
    if !(0.0..2_958_466.0).contains(&number) {
        return None;
    }
    let seconds = (number * 86_400.0).round() as i64;
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    let day = epoch.checked_add(days.days()).ok()?;
    if !timed && seconds == 0 {
        return Some(Moment::Day(day));
    }
    let time = Time::midnight().checked_add(seconds.seconds()).ok()?;
    Some(Moment::Wall(DateTime::from_parts(day, time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_times_where_their_format_says_so() {
        assert_eq!((shown("yyyy\\-mm\\-dd"), shown("dd/mm/yyyy hh:mm")), (Shown::Day, Shown::Time));
        assert_eq!((shown("0.00E+00"), shown("[Red]0 \"days\"")), (Shown::Number, Shown::Number));
        assert_eq!(
            (built_in("14"), built_in("22"), built_in("2")),
            (Shown::Day, Shown::Time, Shown::Number)
        );
        let wall = Moment::Wall("2026-09-02T09:00:00".parse().unwrap());
        assert_eq!(moment(EPOCH_1900, 46_267.375, true), Some(wall));
        assert_eq!(
            moment(EPOCH_1900, 46_267.0, false),
            Some(Moment::Day("2026-09-02".parse().unwrap()))
        );
        assert_eq!(moment(EPOCH_1904, 44_805.375, true), Some(wall));
        assert_eq!((column("A1"), column("BC12"), column("12")), (Some(0), Some(54), None));
        assert_eq!(unescaped("a_x000D_b_x_xZZZZ_é_x00"), "a\rb_x_xZZZZ_é_x00");
    }
}
