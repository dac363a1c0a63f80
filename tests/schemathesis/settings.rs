//! What schemathesis is told: which names there are, and which checks mean what.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// Names by noun, `posts` and so on; those under `lost_posts` may go.
pub(crate) type Ids = BTreeMap<String, Vec<String>>;

/// The nouns whose addresses end in an id.
pub(crate) const NOUNS: [&str; 24] = [
    "rules",
    "campaigns",
    "comments",
    "imports",
    "term-entries",
    "offers",
    "events",
    "people",
    "platforms",
    "units",
    "accounts",
    "accounts/connections",
    "calendar/feeds",
    "media",
    "posts",
    "series",
    "deliveries",
    "foreign-posts",
    "holds",
    "sessions",
    "tokens",
    "uploads",
    "webhooks",
    "notifications",
];

/// The configuration file.
///
/// All checks run. Three need to be told what is right here:
///
/// * `missing_required_header`: without `If-Match` the answer is 428, and 401 without a token.
/// * `negative_data_rejection`: any 4xx refuses; which one, `status_code_conformance` checks.
/// * `positive_data_acceptance`: rules that no schema can tell (zones, languages, days, the reader
///   of another's key) are answered with 422, and a version that moved with 412. What fits the
///   document must never be unreadable (400), too large (413), of a wrong type (415) or lack a
///   header (428). Only files are told by their bytes, and random ones are of no type; and uploads are told
///   by the headers of another protocol.
pub(crate) fn settings(document: &Value, ids: &Ids) -> String {
    let mut text = String::from("seed = 20260902\n\n[dictionaries]\n");
    let mut words = |name: &str, values: &[String]| {
        let values: Vec<_> = values.iter().map(|it| format!("{it:?}")).collect();
        writeln!(text, "{name} = {{ values = [{}] }}", values.join(", ")).unwrap();
    };
    for (name, values) in ids {
        words(&name.replace('/', "_"), values);
    }
    let own = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    words("versions", &own(&["\"1\"", "\"2\"", "*"]));
    words("zones", &own(&["Asia/Ho_Chi_Minh", "Europe/Paris", "account"]));
    words("crons", &own(&["30 8 * * 1-5", "0 9 1 1 *", "0 */6 * * *", "0 9 31 2 *", "@daily"]));
    words("languages", &own(&["vi", "fr", "ar", "zh-Hant"]));
    words("addresses", &own(&["https://hooks.example.org/a", "https://10.0.0.1/", "nowhere"]));
    // Well-formed, of no list, of another list, with a zero byte.
    let cursors = ["W10", "WyJ4Il0", "WyIiLCIiLCIiXQ", "WyJVbml0IiwiXHUwMDAwIiwiXHUwMDAwIl0"];
    words("cursors", &own(&cursors));
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(noun) = NOUNS.iter().find(|it| path.starts_with(&format!("/api/v1/{it}/{{id}}")))
        else {
            assert!(!path.contains('{'), "nobody knows ids for {path}");
            continue;
        };
        for (method, operation) in item.as_object().unwrap() {
            let lost = if method == "delete" { "lost_" } else { "" };
            let name = &operation["operationId"];
            let enabled = if name == "add_to_upload" { PIECES } else { "" };
            write!(
                text,
                "\n[[operations]]\ninclude-operation-id = {name}\n{enabled}[operations.parameters]\n\
                 \"path.id\" = {{ dictionary = \"{lost}{}\", probability = 0.8 }}\n\
                 \"header.If-Match\" = {{ dictionary = \"versions\", probability = 0.8 }}\n",
                noun.replace('/', "_"),
            )
            .unwrap();
        }
    }
    text.push_str("\n[parameters]\n");
    for (place, dictionary) in PLACES {
        writeln!(text, "\"{place}\" = {{ dictionary = \"{dictionary}\", probability = 0.8 }}")
            .unwrap();
    }
    text.push_str(CHECKS);
    text
}

/// Where real names go, so that requests get past the first rule.
const PLACES: [(&str, &str); 27] = [
    ("body.mentions[*]", "people"),
    ("body.reply_to", "comments"),
    ("query.unit_id", "units"),
    ("body.roles[*].unit_id", "units"),
    ("query.covers", "units"),
    ("body.names[*].language", "languages"),
    ("query.cursor", "cursors"),
    ("body.unit_id", "units"),
    ("body.post.unit_id", "units"),
    ("body.post_id", "posts"),
    ("body.account_id", "accounts"),
    ("body.accounts[*].account_id", "accounts"),
    ("body.account_ids[*]", "accounts"),
    ("body.cron", "crons"),
    ("body.deliveries[*].account_id", "accounts"),
    ("body.deliveries[*].delivery_id", "deliveries"),
    ("body.scope.unit_id", "units"),
    ("body.scope.account_id", "accounts"),
    ("body.variants[*].media[*].media_id", "media"),
    ("body.variants[*].language", "languages"),
    ("body.source_language", "languages"),
    ("path.language", "languages"),
    ("body.time_zone", "zones"),
    ("body.local.zone", "zones"),
    ("body.url", "addresses"),
    ("body.up_to", "notifications"),
    ("body.deliveries[*].local.zone", "zones"),
];

/// What the tool cannot write is left to the tests of uploads.
const PIECES: &str = "enabled = false\n";

const CHECKS: &str = r#"
[checks]
missing_required_header.expected-statuses = [401, 428]
negative_data_rejection.expected-statuses = ["4xx"]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412, 422]

[[operations]]
include-operation-id = "create_upload"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 409, 412, 413, 422]

[[operations]]
include-operation-id = "create_import"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 409, 415, 422]

[[operations]]
include-operation-id = "import_term_entries"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 409, 415, 422]

[[operations]]
include-operation-id = "create_media"
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 409, 415, 422]
"#;
