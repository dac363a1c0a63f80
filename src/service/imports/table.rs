//! A table as somebody handed it in: CSV, or the first sheet of an XLSX file.

use std::collections::BTreeMap;

use super::Finding;
use super::xlsx;
use crate::domain::fault::Fault;
use crate::domain::import::{Column, ImportKind, MOST_ROWS, Moment};
use crate::domain::locale::quoted;
use crate::service::{Error, Told};

/// The most columns that are looked at; ours are fewer.
pub(super) const MOST_COLUMNS: usize = 100;
/// After so many faults nothing more is looked at.
pub(super) const MOST_FINDINGS: usize = 1_000;
/// Written behind the last row: who does not find it there has a quotation mark that is not closed.
const END: &str = "\u{1}";

/// What stands in a cell. One that is empty is not there at all.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Words, or a number as it is written.
    Text(String),
    /// A date that the program knows as such.
    Moment(Moment),
    /// Something that a program would have to work out.
    Formula,
}

/// A row as it was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawRow {
    /// As a spreadsheet counts, from 1.
    pub(super) number: u32,
    /// By column, from 0.
    pub(super) cells: BTreeMap<usize, Cell>,
}

/// A row under its headings.
#[derive(Debug)]
pub(super) struct Row {
    /// As a spreadsheet counts.
    pub(super) number: u32,
    cells: BTreeMap<&'static str, Cell>,
}

impl Row {
    /// What stands in a column.
    pub(super) fn cell(&self, column: &str) -> Option<&Cell> {
        self.cells.get(column)
    }

    /// The words of a column; nothing where it is empty, or holds something else.
    pub(super) fn text(&self, column: &str) -> &str {
        match self.cell(column) {
            Some(Cell::Text(text)) => text,
            Some(Cell::Moment(_) | Cell::Formula) | None => "",
        }
    }

    /// The words of a column, if there are any.
    pub(super) fn said(&self, column: &str) -> Option<String> {
        Some(self.text(column).trim()).filter(|it| !it.is_empty()).map(str::to_owned)
    }
}

/// Reads the rows of a file. Its type is told by its bytes.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<RawRow>, Error> {
    if bytes.starts_with(b"PK") { xlsx::read(bytes) } else { from_csv(bytes) }
}

/// The refusal of a file that is no table.
pub(super) fn not_a_table() -> Error {
    let detail = "send CSV in UTF-8 or an XLSX file; older Excel files and those with a password must be saved anew";
    Error::Unsupported(Told::new("not_a_table", detail))
}

/// The refusal of a table with too many columns.
pub(super) fn too_many_columns() -> Error {
    let detail = format!("at most {MOST_COLUMNS} columns");
    Error::Invalid(vec![Fault::new("", "too_many", detail).with("max", MOST_COLUMNS)])
}

/// The refusal of a table with too many rows.
pub(super) fn too_many_rows() -> Error {
    let detail = format!("at most {MOST_ROWS} rows at once");
    Error::Invalid(vec![Fault::new("", "too_many_rows", detail).with("max", MOST_ROWS)])
}

fn from_csv(bytes: &[u8]) -> Result<Vec<RawRow>, Error> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_other_encoding| not_a_table())?;
    // No text has one; pictures and archives do.
    if text.contains('\0') {
        return Err(not_a_table());
    }
    let end = format!("\n{END}\n");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator(text))
        .from_reader(std::io::Read::chain(text.as_bytes(), end.as_bytes()));
    let (mut rows, mut closed) = (Vec::new(), false);
    for (record, number) in reader.records().zip(1_u32..) {
        let record = record.map_err(Error::internal)?;
        if record.len() == 1 && record.get(0) == Some(END) {
            closed = true;
            break;
        }
        if rows.len() > MOST_ROWS {
            return Err(too_many_rows());
        }
        let cells = record.iter().enumerate();
        let cells = cells.filter(|(_, it)| !it.trim().is_empty());
        if cells.clone().any(|(place, _)| place >= MOST_COLUMNS) {
            return Err(too_many_columns());
        }
        let cells = cells.map(|(place, it)| (place, Cell::Text(bare(it).to_owned()))).collect();
        rows.push(RawRow { number, cells });
    }
    if !closed {
        let fault = Fault::new("", "quote_not_closed", "a quotation mark is not closed");
        return Err(Error::Invalid(vec![fault]));
    }
    Ok(rows)
}

/// What stands between the cells: Excel writes semicolons where the comma is for decimals.
fn separator(text: &str) -> u8 {
    let (mut quoted, mut counts) = (false, [0_u32; 3]);
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            b',' if !quoted => counts[0] += 1,
            b';' if !quoted => counts[1] += 1,
            b'\t' if !quoted => counts[2] += 1,
            _ => {}
        }
    }
    let [commas, semicolons, tabs] = counts;
    if semicolons > commas && semicolons >= tabs {
        b';'
    } else if tabs > commas {
        b'\t'
    } else {
        b','
    }
}

/// Without the sign that an export sets before what programs would take for a formula.
fn bare(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\t', '\r']) => rest,
        Some(_) | None => text,
    }
}

/// The rows under their headings, and what is wrong with these.
pub(super) fn headed(kind: ImportKind, rows: Vec<RawRow>, found: &mut Vec<Finding>) -> Vec<Row> {
    let mut rows = rows.into_iter().filter(|row| !row.cells.is_empty());
    let Some(heading) = rows.next() else {
        let fault = Fault::new("", "table_empty", "the table has no heading");
        found.push(Finding::new(1, "", fault));
        return Vec::new();
    };
    let columns = columns(kind, &heading, found);
    let mut headed = Vec::new();
    for row in rows {
        if is_enough(row.number, found) {
            break;
        }
        let mut cells = BTreeMap::new();
        for (place, cell) in row.cells {
            match columns.get(&place) {
                Some(None) => {}
                Some(Some(column)) if column.told => {}
                Some(Some(column)) if cell == Cell::Formula => {
                    let detail = "a formula is not worked out here: paste its value in its place";
                    let fault = Fault::new("", "formula_refused", detail);
                    found.push(Finding::new(row.number, column.en, fault));
                }
                Some(Some(column)) => {
                    cells.insert(column.en, cell);
                }
                None => {
                    let place = place + 1;
                    let detail =
                        format!("there is something in column {place}, which has no heading");
                    let fault =
                        Fault::new("", "column_without_heading", detail).with("column", place);
                    found.push(Finding::new(row.number, "", fault));
                }
            }
        }
        headed.push(Row { number: row.number, cells });
    }
    headed
}

/// Whether so much is wrong already that the rows from this one on are not looked at; says so.
pub(super) fn is_enough(number: u32, found: &mut Vec<Finding>) -> bool {
    if found.len() < MOST_FINDINGS {
        return false;
    }
    if found.len() == MOST_FINDINGS {
        let detail =
            format!("after {MOST_FINDINGS} faults the rest is not looked at: mend these first");
        let fault = Fault::new("", "too_many_faults", detail).with("max", MOST_FINDINGS);
        found.push(Finding::new(number, "", fault));
    }
    true
}

/// What each place holds; nothing where its heading was refused.
fn columns(
    kind: ImportKind,
    heading: &RawRow,
    found: &mut Vec<Finding>,
) -> BTreeMap<usize, Option<Column>> {
    let mut columns: BTreeMap<usize, Option<Column>> = BTreeMap::new();
    for (place, cell) in &heading.cells {
        let text = match cell {
            Cell::Text(text) => text.as_str(),
            Cell::Moment(_) | Cell::Formula => "",
        };
        let column = kind.column(text);
        if let Some(column) = column {
            if columns.values().flatten().any(|it| it.en == column.en) {
                let detail = format!("{} stands twice in the heading", column.en);
                let fault = Fault::new("", "repeated", detail).with("value", column.en);
                found.push(Finding::new(heading.number, column.en, fault));
            }
        } else {
            let names = kind.columns().iter().map(|it| format!("{} ({})", it.en, it.vi));
            let known = names.collect::<Vec<_>>().join(", ");
            let value = quoted(text);
            let detail = format!("nobody knows a column {value}; there are: {known}");
            let fault = Fault::new("", "unknown_column", detail);
            let fault = fault.with("value", &value).with("known", known);
            found.push(Finding::new(heading.number, text, fault));
        }
        columns.insert(*place, column);
    }
    for needed in kind.needed() {
        if !columns.values().flatten().any(|it| it.en == *needed) {
            let detail = format!("the column {needed} is missing");
            let fault = Fault::new("", "missing_column", detail).with("value", needed);
            found.push(Finding::new(heading.number, needed, fault));
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
        let text = |cell: Cell| match cell {
            Cell::Text(text) => text,
            other @ (Cell::Moment(_) | Cell::Formula) => format!("{other:?}"),
        };
        let rows = read(bytes).unwrap().into_iter();
        rows.map(|row| row.cells.into_values().map(text).collect()).collect()
    }

    #[test]
    fn csv_is_read_as_excel_and_others_write_it() {
        let expected = [["title", "text"], ["Lễ", "a;b,\n\"c\""]];
        assert_eq!(cells("title,text\nLễ,\"a;b,\n\"\"c\"\"\"\n".as_bytes()), expected);
        let excel = "\u{feff}title;text\r\nLễ;\"a;b,\n\"\"c\"\"\"\r\n";
        assert_eq!(cells(excel.as_bytes()), expected);
        assert_eq!(cells(b"a,'=1+1,'x\n"), [["a", "=1+1", "'x"]]);
        for bad in [&b"ti\xEAu"[..], b"\xFF\xFEt\0i\0", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"] {
            assert!(matches!(read(bad), Err(Error::Unsupported(_))));
        }
        let many = "a\n".repeat(MOST_ROWS + 2);
        assert!(matches!(read(many.as_bytes()), Err(Error::Invalid(_))));
    }
}
