//! Tables for spreadsheet programs, which show no letters of Vietnam without a mark at the beginning, and which would
//! work out a cell that looks like a formula.

use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::text::Tongue;
use crate::service::calendar_sheet::{Cell, Table};

/// Rows as CSV (RFC 4180), below their head where it is the beginning of the file.
pub(super) fn csv<R: IntoIterator<Item = String>>(
    head: Option<&[&str]>,
    rows: impl Iterator<Item = R>,
) -> Result<Vec<u8>, csv::Error> {
    let begun = if head.is_some() { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
    let mut sheet = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(begun);
    if let Some(head) = head {
        sheet.write_record(head)?;
    }
    for row in rows {
        sheet.write_record(row.into_iter().map(harmless))?;
    }
    sheet.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// A cell that no program takes for a formula.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

/// A table as CSV, with times as an import reads them.
pub(super) fn table_csv(table: &Table, tongue: Tongue) -> Result<Vec<u8>, csv::Error> {
    let written = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Day(day) => day.to_string(),
        Cell::Wall(wall) => wall.strftime("%Y-%m-%d %H:%M").to_string(),
    };
    let rows = table.rows.iter().map(|row| row.iter().map(written).collect::<Vec<_>>());
    csv(Some(&heading(table, tongue)), rows)
}

/// A table as XLSX: times are times, nothing is a formula, and the heading stays in sight.
pub(super) fn table_xlsx(table: &Table, tongue: Tongue) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let wall = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let sheet = book.add_worksheet();
    sheet.set_freeze_panes(1, 0)?;
    for (name, column) in heading(table, tongue).into_iter().zip(0_u16..) {
        sheet.write_string_with_format(0, column, name, &bold)?;
    }
    for (cells, row) in table.rows.iter().zip(1_u32..) {
        for (cell, column) in cells.iter().zip(0_u16..) {
            match cell {
                Cell::Text(text) => sheet.write_string(row, column, text)?,
                Cell::Day(at) => sheet.write_datetime_with_format(row, column, at, &day)?,
                Cell::Wall(at) => sheet.write_datetime_with_format(row, column, at, &wall)?,
            };
        }
    }
    if let (Ok(rows), Ok(columns)) =
        (u32::try_from(table.rows.len()), u16::try_from(table.head.len()))
    {
        sheet.autofilter(0, 0, rows, columns.saturating_sub(1))?;
    }
    sheet.autofit();
    book.save_to_buffer()
}

fn heading(table: &Table, tongue: Tongue) -> Vec<&'static str> {
    let name = |&(en, vi): &(&'static str, &'static str)| match tongue {
        Tongue::En => en,
        Tongue::Vi => vi,
    };
    table.head.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_text_whatever_it_begins_with() {
        let rows = [["=1+1", "Bộ \"Ngoại giao\""], ["-2", "a,b\nc"]];
        let rows = rows.iter().map(|row| row.iter().map(ToString::to_string));
        let written = csv(Some(&["a", "b"]), rows).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, "\u{feff}a,b\r\n'=1+1,\"Bộ \"\"Ngoại giao\"\"\"\r\n'-2,\"a,b\nc\"\r\n");
        let further = csv(None, [["x".to_owned()]].into_iter()).unwrap();
        assert_eq!(further, b"x\r\n");
    }
}
