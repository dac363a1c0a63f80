//! Tables for spreadsheet programs, which show no letters of Vietnam without a mark at the beginning, and which would
//! work out a cell that looks like a formula.

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
