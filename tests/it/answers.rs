//! What platforms may answer besides, well-formed and not: with each of them the delivery ends as
//! docs/answers.md says.

use std::path::Path;

use chancery::domain::account::AccountStatus::{NeedsReconnect, Paused};
use chancery::simulator::{Kind, Platform};

use crate::faults::End::{Asked, Failed, Held, Published, Waits};
use crate::faults::{self, End, Row, graph, rows_end_as_told, said};
use crate::stage::staged;

const PAGE: &str = "<!DOCTYPE html><html><body>Sorry</body></html>";

/// Answers that prove nothing on either platform: a status without the platform's own words, or good
/// news without an id.
fn unproven() -> Vec<Row> {
    let done = |what, status, body| (what, said(status, body, true), Published(1));
    let undone = |what, status, body| (what, said(status, body, false), Published(2));
    vec![
        done("HTML with 400, done", 400, PAGE),
        undone("HTML with 400, not done", 400, PAGE),
        done("HTML with 401, done", 401, PAGE),
        undone("HTML with 401, not done", 401, PAGE),
        done("HTML with 403, done", 403, PAGE),
        undone("HTML with 403, not done", 403, PAGE),
        done("HTML with 404, done", 404, PAGE),
        done("HTML with 409, done", 409, PAGE),
        done("HTML with 413, done", 413, PAGE),
        done("HTML with 429, done", 429, PAGE),
        undone("HTML with 429, not done", 429, PAGE),
        done("HTML with 451, done", 451, PAGE),
        done("nothing with 400", 400, ""),
        done("nothing with 403", 403, ""),
        done("nothing with 425", 425, ""),
        done("nothing with 499", 499, ""),
        done("an empty object with 400", 400, "{}"),
        done("an empty list with 403", 403, "[]"),
        done("a number with 404", 404, "7"),
        done("an error that is a text, with 400", 400, r#"{"error":"no"}"#),
        done("half an object with 403", 403, r#"{"error":{"code":1"#),
        done("500 without a word, done", 500, ""),
        undone("500 without a word, not done", 500, ""),
        done("501", 501, PAGE),
        done("503 in plain text, done", 503, "over capacity"),
        undone("503 in plain text, not done", 503, "over capacity"),
        done("504 of a proxy, done", 504, PAGE),
        undone("504 of a proxy, not done", 504, PAGE),
        done("520", 520, PAGE),
        done("524", 524, PAGE),
        done("599", 599, ""),
        done("301", 301, ""),
        done("302", 302, PAGE),
        done("303", 303, ""),
        done("308", 308, ""),
        done("202 with an empty object", 202, "{}"),
        done("204", 204, ""),
        done("200 with null", 200, "null"),
        done("200 with a list", 200, "[]"),
        done("200 with a text", 200, r#""ok""#),
        done("200 with an empty id", 200, r#"{"id":"","data":{"id":""}}"#),
        done("200 with an id below nothing", 200, r#"{"id":"-7","data":{"id":"-7"}}"#),
        done("200 with an id of two words", 200, r#"{"id":"7 8","data":{"id":"7 8"}}"#),
        done("200 with an id that is an object", 200, r#"{"id":{},"data":{"id":{}}}"#),
        done("200 with an endless id", 200, LONG),
    ]
}

/// An id that no database keeps.
const LONG: &str = concat!(
    r#"{"data":{"id":"99999999999999999999999999999999999999999999999999999999999999999999999999999"#,
    r#"99999999999999999999999999999999999999999999999999999999999999999999999999999999999"}}"#,
);

/// Further codes of Facebook.
fn codes() -> Vec<Row> {
    let doubted = |what, code| (what, graph(code, None, true), Published(1));
    let ends = |what, code, subcode, end| (what, graph(code, subcode, false), end);
    vec![
        ends("17", 17, None, Waits("rate_limit")),
        ends("613", 613, None, Waits("rate_limit")),
        ends("10", 10, None, Held(Paused)),
        ends("210", 210, None, Held(Paused)),
        ends("299", 299, None, Held(Paused)),
        ends("100/33", 100, Some(33), Held(Paused)),
        ends("190/458", 190, Some(458), Held(NeedsReconnect)),
        ends("190/460", 190, Some(460), Held(NeedsReconnect)),
        ends("190/467", 190, Some(467), Held(NeedsReconnect)),
        ends("190/492", 190, Some(492), Held(NeedsReconnect)),
        ends("368", 368, None, Failed),
        doubted("3, done", 3),
        doubted("341, done", 341),
        doubted("960, done", 960),
        doubted("6001, done", 6_001),
        doubted("80002, done", 80_002),
        doubted("1609005, done", 1_609_005),
    ]
}

const OLDER: &str =
    r#"{"title":"Forbidden","detail":"Status is a duplicate.","type":"about:blank","status":403}"#;
const CODE_187: &str = r#"{"errors":[{"code":187,"message":"Something else by now."}]}"#;
/// By its time of 2071, and of 2012.
const FUTURE: &str = r#"{"data":{"id":"7999999999999999999","text":"t"}}"#;
const LONG_AGO: &str = r#"{"data":{"id":"199999999999999999","text":"t"}}"#;

/// Further problems of X.
fn further() -> Vec<Row> {
    let told = |status: u16, execute| {
        let body = r#"{"title":"A problem","detail":"that is told","type":"about:blank"}"#;
        said(status, body, execute)
    };
    vec![
        ("problem 400", told(400, false), Failed),
        ("problem 404", told(404, false), Failed),
        ("problem 413", told(413, false), Failed),
        ("problem 415", told(415, false), Failed),
        ("problem 422", told(422, false), Failed),
        ("problem 403 of another kind", told(403, false), Failed),
        ("problem 409, done", told(409, true), Published(1)),
        ("problem 451, done", told(451, true), Published(1)),
        ("problem 500, done", told(500, true), Published(1)),
        ("problem 503, not done", told(503, false), Published(2)),
        ("403 duplicate in older words", said(403, OLDER, false), Asked("duplicate_not_found")),
        ("403 duplicate in older words, done", said(403, OLDER, true), Published(1)),
        ("403 with code 187", said(403, CODE_187, false), Asked("duplicate_not_found")),
        ("403 with code 187, done", said(403, CODE_187, true), Published(1)),
        ("201 with an id of the future", said(201, FUTURE, true), Published(1)),
        ("201 with an id of the future, not done", said(201, FUTURE, false), Published(2)),
        ("201 with an id of long ago", said(201, LONG_AGO, true), Published(1)),
    ]
}

staged! {
    /// Whatever does not prove that nothing was made is looked for.
    async fn an_answer_that_proves_nothing_is_a_doubt(stage) {
        let tables = vec![(Platform::Facebook, unproven()), (Platform::X, unproven())];
        rows_end_as_told(stage, tables).await;
    }

    /// The platforms' own words, beyond those of `faults`.
    async fn further_words_end_as_their_tables_say(stage) {
        let tables = vec![(Platform::Facebook, codes()), (Platform::X, further())];
        rows_end_as_told(stage, tables).await;
    }
}

fn words(end: End) -> String {
    match end {
        Published(1) => "published; one request, never a second".to_owned(),
        Published(_) => {
            "published by a second request, after the quiet wait had shown that it was not there"
                .to_owned()
        }
        Asked(why) => format!("a person is asked, `{why}`"),
        Failed => "failed".to_owned(),
        Held(status) => format!("held; the account is `{status}`"),
        Waits(why) => format!("scheduled again, waits for `{why}`; no attempt is used up"),
    }
}

fn table(head: &str, rows: &[(&str, Kind, End)]) -> String {
    let head = format!("## {head}\n\n| answer | the delivery |\n| --- | --- |\n");
    rows.iter().fold(head, |text, (what, _, end)| text + &format!("| {what} | {} |\n", words(*end)))
}

/// The table for people is the one that is tested; at least sixty answers at each platform.
#[test]
fn the_document_has_every_answer() {
    let both: Vec<Row> = faults::hidden().into_iter().chain(unproven()).collect();
    let facebook: Vec<Row> = faults::graph_codes().into_iter().chain(codes()).collect();
    let x: Vec<Row> = faults::problems().into_iter().chain(further()).collect();
    assert!(both.len() >= 60, "{}", both.len());
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/answers.md"))
            .unwrap();
    for (head, rows) in [("Both platforms", both), ("Facebook alone", facebook), ("X alone", x)] {
        let table = table(head, &rows);
        assert!(text.contains(&table), "docs/answers.md does not have this:\n\n{table}");
    }
}
