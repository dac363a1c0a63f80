//! Who may what: every operation of the document, asked for by somebody in each role, about what is his unit's
//! and what is another's. An operation without a row fails.

use std::collections::{BTreeMap, BTreeSet};

use chancery::domain::role::Role;
use serde_json::{Value, json};

use crate::world::{Answer, World, embassy};

/// Whose an operation is.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    /// Everybody's who has a role.
    Readers,
    /// Of whoever writes.
    Writers,
    /// Of whoever writes what others translate.
    Authors,
    /// Of whoever says what things are called.
    Terminologists,
    /// Of whoever says what is to come.
    Planners,
    /// Of whoever decides when something goes out.
    Publishers,
    /// Of whoever says that something may go out.
    Approvers,
    /// Of whoever may say stop.
    Stoppers,
    /// Of administrators of the unit.
    Administrators,
    /// Of administrators of everything; or there is none to ask about.
    Nobody,
    /// Everybody's with what is his own; there is nothing of his.
    Own,
    /// Everybody's, also without any sign of who he is.
    Open,
}

use Whose::{
    Administrators, Approvers, Authors, Nobody, Open, Own, Planners, Publishers, Readers, Stoppers,
    Terminologists, Writers,
};

impl Whose {
    fn has(self, role: Role) -> bool {
        let writes = !matches!(role, Role::Approver | Role::Analyst | Role::Reader);
        let publishes = matches!(role, Role::Administrator | Role::Publisher);
        match self {
            Readers | Own | Open => true,
            Writers => writes,
            Authors => writes && role != Role::Translator,
            Terminologists => writes && role != Role::Contributor,
            Planners => publishes || role == Role::Author,
            Publishers => publishes,
            Approvers => matches!(role, Role::Administrator | Role::Approver),
            Stoppers => publishes || role == Role::Approver,
            Administrators => role == Role::Administrator,
            Nobody => false,
        }
    }
}

/// Every operation, whose it is, and what is sent; `UNIT` and so on stand for somebody's own or another's.
const ROWS: &[(&str, Whose, &str)] = &[
    ("list_units", Readers, ""),
    ("list_comments", Readers, ""),
    ("create_comment", Readers, r#"{"text": "t"}"#),
    ("get_comment", Readers, ""),
    ("update_comment", Readers, r#"{"resolved": true}"#),
    ("delete_comment", Administrators, ""),
    (
        "create_unit",
        Administrators,
        r#"{"parent_id": "UNIT", "name": {"vi": "a", "en": "a"}, "kind": "mission", "time_zone": "Europe/Paris", "languages": ["vi"]}"#,
    ),
    ("get_unit", Readers, ""),
    ("update_unit", Administrators, "{}"),
    ("list_calendar", Readers, ""),
    ("export_calendar", Readers, ""),
    ("list_feeds", Own, ""),
    ("create_feed", Own, r#"{"name": "n"}"#),
    ("get_feed", Own, ""),
    ("delete_feed", Own, ""),
    (
        "create_event",
        Planners,
        r#"{"unit_id": "UNIT", "title": {"vi": "t", "en": "t"}, "kind": "visit", "when": {"days": {"from": "2026-09-02", "to": "2026-09-02"}}}"#,
    ),
    ("get_event", Readers, ""),
    ("update_event", Planners, "{}"),
    ("delete_event", Planners, ""),
    ("list_rules", Readers, ""),
    (
        "create_rule",
        Administrators,
        r#"{"unit_id": "UNIT", "name": {"vi": "t", "en": "t"}, "effect": "warn", "kind": {"spacing": {"minutes": 2}}}"#,
    ),
    ("get_rule", Readers, ""),
    ("update_rule", Administrators, "{}"),
    ("delete_rule", Administrators, ""),
    ("list_rule_conflicts", Readers, ""),
    ("list_campaigns", Readers, ""),
    (
        "create_campaign",
        Planners,
        r#"{"unit_id": "UNIT", "title": {"vi": "t", "en": "t"}, "period": {"from": "2026-09-02", "to": "2026-09-02"}}"#,
    ),
    ("get_campaign", Readers, ""),
    ("update_campaign", Planners, "{}"),
    ("delete_campaign", Planners, ""),
    ("clone_campaign", Planners, r#"{"from": "2027-09-02"}"#),
    ("list_kits", Readers, ""),
    ("create_kit", Planners, r#"{"post_id": "post_00000000000000000000000000000000"}"#),
    ("get_board", Readers, ""),
    ("get_matrix", Readers, ""),
    ("list_offers", Readers, ""),
    ("get_offer", Readers, ""),
    ("accept_offer", Planners, r#"{"revision": 1}"#),
    ("decline_offer", Planners, r#"{"reason": "r"}"#),
    ("diff_offer", Readers, ""),
    ("list_series", Readers, ""),
    (
        "create_series",
        Publishers,
        r#"{"post_id": "POST", "cron": "0 9 * * *", "time_zone": "account", "accounts": [{"account_id": "ACCOUNT"}]}"#,
    ),
    (
        "preview_series",
        Readers,
        r#"{"cron": "0 9 * * *", "time_zone": "account", "account_ids": ["ACCOUNT"]}"#,
    ),
    ("get_series", Readers, ""),
    ("update_series", Publishers, "{}"),
    ("end_series", Publishers, ""),
    ("list_series_dates", Readers, ""),
    ("list_people", Readers, ""),
    (
        "create_person",
        Administrators,
        r#"{"email": "new@mofa.example", "name": "New", "roles": [{"unit_id": "UNIT", "role": "reader"}]}"#,
    ),
    ("get_person", Readers, ""),
    ("update_person", Administrators, r#"{"name": "Other"}"#),
    ("invite_person", Administrators, ""),
    ("create_session", Open, r#"{"email": "nobody@mofa.example", "password": "p"}"#),
    (
        "choose_password",
        Open,
        r#"{"email": "nobody@mofa.example", "current": "p", "password": "p"}"#,
    ),
    ("list_sessions", Own, ""),
    ("end_session", Nobody, ""),
    ("get_current_session", Nobody, ""),
    ("end_current_session", Nobody, ""),
    ("prove_session", Nobody, r#"{"password": "p"}"#),
    ("get_second_factor", Own, ""),
    ("begin_second_factor", Nobody, ""),
    ("remove_second_factor", Nobody, ""),
    ("confirm_second_factor", Nobody, r#"{"code": "123456"}"#),
    ("renew_recovery_codes", Nobody, ""),
    ("reset_second_factor", Nobody, ""),
    ("list_accounts", Readers, ""),
    (
        "create_account",
        Administrators,
        r#"{"unit_id": "UNIT", "platform": "facebook", "remote_id": "1", "credential": {"kind": "page_token", "access_token": "nobody's"}}"#,
    ),
    ("get_account", Readers, ""),
    ("update_account", Administrators, "{}"),
    ("delete_account", Administrators, ""),
    ("check_account", Administrators, ""),
    ("get_account_health", Readers, ""),
    ("attest_account", Administrators, r#"{"note": "n"}"#),
    ("connect_account", Administrators, r#"{"unit_id": "UNIT", "platform": "x"}"#),
    ("list_connections", Readers, ""),
    ("get_connection", Nobody, ""),
    ("finish_connection", Nobody, r#"{"remote_ids": ["1"]}"#),
    ("approve_connection", Nobody, ""),
    ("list_foreign_posts", Readers, ""),
    ("explain_foreign_post", Nobody, r#"{"note": "n"}"#),
    ("list_languages", Readers, ""),
    ("list_platforms", Readers, ""),
    ("get_platform", Readers, ""),
    ("list_media", Readers, ""),
    ("create_media", Writers, "bytes"),
    ("get_media", Readers, ""),
    ("get_media_content", Readers, ""),
    ("set_media_terms", Writers, r#"{"credit": "TTXVN"}"#),
    ("delete_media", Writers, ""),
    ("create_upload", Writers, ""),
    ("get_upload", Nobody, ""),
    ("add_to_upload", Nobody, ""),
    ("delete_upload", Nobody, ""),
    ("list_imports", Readers, ""),
    ("create_import", Authors, "unit_id=UNIT&dry_run=false"),
    ("get_import", Readers, ""),
    ("undo_import", Authors, ""),
    ("list_term_entries", Readers, ""),
    (
        "create_term_entry",
        Terminologists,
        r#"{"unit_id": "UNIT", "names": [{"language": "vi", "name": "Bộ"}]}"#,
    ),
    ("get_term_entry", Readers, ""),
    ("update_term_entry", Terminologists, "{}"),
    ("delete_term_entry", Terminologists, ""),
    ("import_term_entries", Terminologists, "unit_id=UNIT&dry_run=false"),
    ("export_term_entries", Readers, "unit_id=UNIT"),
    ("list_posts", Readers, ""),
    (
        "create_post",
        Authors,
        r#"{"unit_id": "UNIT", "title": "t", "class": "routine", "source_language": "vi", "variants": [{"language": "vi", "text": "t"}]}"#,
    ),
    (
        "check_post",
        Readers,
        r#"{"post": {"unit_id": "UNIT", "title": "t", "class": "routine", "source_language": "vi", "variants": [{"language": "vi", "text": "t"}]}, "deliveries": []}"#,
    ),
    ("get_post_embargo", Readers, ""),
    ("set_post_embargo", Authors, r#"{"until": "2030-01-01T00:00:00Z", "reason": "r"}"#),
    ("lift_post_embargo", Publishers, ""),
    ("get_campaign_embargo", Readers, ""),
    ("set_campaign_embargo", Planners, r#"{"until": "2030-01-01T00:00:00Z", "reason": "r"}"#),
    ("lift_campaign_embargo", Publishers, ""),
    ("get_post", Readers, ""),
    ("update_post", Writers, r#"{"title": "t"}"#),
    ("move_variant", Writers, r#"{"status": "proofed"}"#),
    ("compare_variant", Readers, ""),
    ("confirm_variant", Writers, r#"{"source_revision": 1}"#),
    ("delete_post", Authors, ""),
    ("submit_post", Writers, ""),
    (
        "decide_post",
        Approvers,
        r#"{"revision": 1, "content_hash": "no such", "decision": "approve"}"#,
    ),
    (
        "schedule_post",
        Publishers,
        r#"{"deliveries": [{"account_id": "ACCOUNT", "at": "2031-09-02T02:00:00Z", "settings": {"intended_repeat": true}}]}"#,
    ),
    ("list_deliveries", Readers, ""),
    ("get_delivery", Readers, ""),
    ("cancel_delivery", Publishers, ""),
    ("reschedule_delivery", Publishers, r#"{"at": "2031-09-03T02:00:00Z"}"#),
    ("adopt_delivery", Publishers, r#"{"remote_id": "1"}"#),
    ("drop_delivery", Publishers, ""),
    ("retry_delivery", Publishers, ""),
    ("recall_delivery", Publishers, r#"{"reason": "r"}"#),
    ("correct_delivery", Publishers, r#"{"text": "t", "reason": "r"}"#),
    ("review_deliveries", Publishers, r#"{"deliveries": [{"id": "DELIVERY", "act": "drop"}]}"#),
    ("list_holds", Readers, ""),
    ("create_hold", Stoppers, r#"{"scope": {"unit_id": "UNIT"}, "reason": "r"}"#),
    ("get_hold", Readers, ""),
    // These were placed by an administrator of everything; `stop_rights` has others.
    ("lift_hold", Nobody, ""),
    ("list_notifications", Own, ""),
    ("read_notifications", Own, r#"{"up_to": "ntf_00000000000000000000000000000000"}"#),
    ("read_notification", Own, ""),
    ("get_notification_settings", Own, ""),
    ("update_notification_settings", Own, "{}"),
    ("list_tokens", Own, ""),
    ("create_token", Own, r#"{"name": "n"}"#),
    ("get_token", Own, ""),
    ("delete_token", Own, ""),
    ("get_clocks", Readers, ""),
    ("confirm_clock", Nobody, r#"{"node_id": "node_00000000000000000000000000000000", "step": 1}"#),
    ("get_quarantine", Readers, ""),
    ("release_quarantine", Nobody, "{}"),
    ("get_self_audit", Nobody, ""),
    ("list_audit", Nobody, ""),
    ("export_audit", Nobody, ""),
    ("list_webhooks", Nobody, ""),
    (
        "create_webhook",
        Nobody,
        r#"{"url": "https://hooks.example.org/a", "events": ["delivery.missed"]}"#,
    ),
    ("get_webhook", Nobody, ""),
    ("update_webhook", Nobody, "{}"),
    ("delete_webhook", Nobody, ""),
    ("rotate_webhook_secret", Nobody, ""),
    ("list_webhook_tries", Nobody, ""),
];

/// Something of one unit, by the noun in the address or by the word in the body.
type Things = BTreeMap<&'static str, String>;

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("{of}")).to_owned()
}

async fn made(world: &World, path: &str, body: &Value) -> Value {
    world.ask("POST", &format!("/api/v1/{path}")).json(body).await.expect(201)
}

async fn mission(world: &World, office: usize) -> Things {
    let unit = made(world, "units", &embassy()).await;
    let account = made(world, "accounts", &world.page_of(office, &unit)).await;
    let post = made(
        world,
        "posts",
        &json!({
            "unit_id": unit["id"], "title": "t", "class": "routine", "source_language": "vi",
            "variants": [{"language": "vi", "text": format!("Tin số {office}")}],
        }),
    )
    .await;
    let one = json!({"account_id": account["id"], "at": "2031-09-02T02:00:00Z"});
    let wanted = json!({"deliveries": [one]});
    let scheduled = made(world, &format!("posts/{}/deliveries", id(&post)), &wanted).await;
    let scope = json!({"account_id": account["id"]});
    let hold = made(world, "holds", &json!({"scope": scope, "reason": "r"})).await;
    let (title, day) = (json!({"vi": "t", "en": "t"}), "2026-09-02");
    let campaign =
        json!({"unit_id": unit["id"], "title": title, "period": {"from": day, "to": day}});
    let campaign = made(world, "campaigns", &campaign).await;
    let offered = offered(world, &unit, &campaign).await;
    let series = json!({
        "post_id": post["id"], "cron": "0 9 1 1 *", "time_zone": "account",
        "accounts": [{"account_id": account["id"]}],
    });
    let series = made(world, "series", &series).await;
    let person = json!({
        "email": format!("{office}@mofa.example"), "name": "a",
        "roles": [{"unit_id": unit["id"], "role": "reader"}],
    });
    let person = made(world, "people", &person).await;
    Things::from([
        ("units", id(&unit)),
        ("comments", commented(world, &post).await),
        ("UNIT", id(&unit)),
        ("accounts", id(&account)),
        ("ACCOUNT", id(&account)),
        ("posts", id(&post)),
        ("POST", id(&post)),
        ("series", id(&series)),
        ("imports", imported(world, &unit).await),
        ("deliveries", id(&scheduled["deliveries"][0])),
        ("DELIVERY", id(&scheduled["deliveries"][0])),
        ("holds", id(&hold["hold"])),
        ("people", id(&person)),
        ("events", event(world, &unit).await),
        ("rules", rule(world, &unit).await),
        ("campaigns", id(&campaign)),
        ("offers", offered),
        ("term-entries", term_entry(world, &unit).await),
    ])
}

/// A visit.
async fn event(world: &World, unit: &Value) -> String {
    let event = json!({
        "unit_id": unit["id"], "title": {"vi": "t", "en": "t"}, "kind": "visit",
        "when": {"days": {"from": "2026-09-02", "to": "2026-09-02"}},
    });
    id(&made(world, "events", &event).await)
}

/// When a unit's accounts may not speak.
async fn rule(world: &World, unit: &Value) -> String {
    let rule = json!({
        "unit_id": unit["id"], "name": {"vi": "t", "en": "t"}, "effect": "warn",
        "kind": {"spacing": {"minutes": 2}},
    });
    id(&made(world, "rules", &rule).await["rule"])
}

/// What something is called in a unit.
async fn term_entry(world: &World, unit: &Value) -> String {
    let entry = json!({"unit_id": unit["id"], "names": [{"language": "vi", "name": "Tin số 1"}]});
    id(&made(world, "term-entries", &entry).await)
}

/// A note on a post.
async fn commented(world: &World, post: &Value) -> String {
    let path = format!("posts/{}/comments", id(post));
    id(&made(world, &path, &json!({"text": "t"})).await)
}

/// A table with one post.
const TABLE: &[u8] = b"language,text\nvi,t\n";

/// A batch of a unit.
async fn imported(world: &World, unit: &Value) -> String {
    let path = format!("/api/v1/imports?unit_id={}&dry_run=false", id(unit));
    let imported = world.ask("POST", &path).body("text/csv", TABLE.to_vec()).await.expect(201);
    id(&imported["import"])
}

/// A post of a campaign, offered to the campaign's own unit.
async fn offered(world: &World, unit: &Value, campaign: &Value) -> String {
    let post = json!({
        "unit_id": unit["id"], "campaign_id": campaign["id"], "title": "t", "class": "routine",
        "source_language": "vi", "variants": [{"language": "vi", "text": "Mời đăng"}],
    });
    let post = made(world, "posts", &post).await;
    let kit = json!({"post_id": post["id"], "units": [unit["id"]]});
    let kit = made(world, &format!("campaigns/{}/kits", id(campaign)), &kit).await;
    id(&kit["offers"][0])
}

/// An operation of the document.
struct Operation {
    name: String,
    method: String,
    path: String,
}

async fn operations(world: &World) -> Vec<Operation> {
    let document = world.anonymous("GET", "/openapi.json").send().await.expect(200);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if path.starts_with("/api/v1/") {
                let name = operation["operationId"].as_str().unwrap().to_owned();
                found.push(Operation { name, method: method.to_uppercase(), path: path.clone() });
            }
        }
    }
    found
}

impl Operation {
    fn noun(&self) -> Option<&str> {
        self.path.strip_prefix("/api/v1/")?.split_once("/{id}").map(|it| it.0)
    }

    /// What the address names, where that belongs to a unit.
    fn named<'a>(&self, things: &'a Things) -> Option<&'a String> {
        things.get(self.noun()?)
    }

    async fn ask(&self, world: &World, token: &str, things: &Things, body: &str) -> Answer {
        let other = match self.noun() {
            Some("platforms") => "x".to_owned(),
            Some("media") => things["media"].clone(),
            Some(noun) => {
                let prefix = match noun {
                    "accounts/connections" => "con",
                    "calendar/feeds" => "feed",
                    "foreign-posts" => "fps",
                    "uploads" => "upl",
                    "notifications" => "ntf",
                    "sessions" => "ses",
                    "tokens" => "tok",
                    "webhooks" => "whk",
                    known => known,
                };
                format!("{prefix}_00000000000000000000000000000000")
            }
            None => String::new(),
        };
        let id = self.named(things).unwrap_or(&other);
        let mut path = self.path.replace("{id}", id).replace("{language}", "vi");
        if body.starts_with("unit_id=") {
            path = format!("{path}?{}", body.replace("UNIT", &things["UNIT"]));
            let ask = world.ask_as(token, &self.method, &path);
            return match self.name.as_str() {
                "create_import" => ask.body("text/csv", TABLE.to_vec()).await,
                "import_term_entries" => ask.body("text/csv", b"vi\nt\n".to_vec()).await,
                _ => ask.send().await,
            };
        }
        if ["list_calendar", "export_calendar"].contains(&self.name.as_str()) {
            path.push_str("?from=2026-09-01T00:00:00Z&to=2026-10-01T00:00:00Z");
        }
        // Of a version that there never is: nothing changes, and who may not is told before.
        let ask = world.ask_as(token, &self.method, &path).seen("\"999\"");
        let ask = ask.header("tus-resumable", "1.0.0").header("upload-length", "10");
        if self.name == "add_to_upload" {
            let ask = ask.header("upload-offset", "0");
            return ask.body("application/offset+octet-stream", Vec::new()).await;
        }
        if self.name == "create_media" {
            return ask.body("image/png", b"no picture".to_vec()).await;
        }
        if body.is_empty() {
            return ask.send().await;
        }
        let words = ["UNIT", "ACCOUNT", "DELIVERY", "POST"];
        let body =
            words.iter().fold(body.to_owned(), |body, word| body.replace(word, &things[word]));
        ask.json(&serde_json::from_str(&body).unwrap()).await
    }
}

async fn bearer(world: &World, unit: &str, role: Role) -> String {
    let name = role.as_str();
    let person = json!({
        "email": format!("{name}@mofa.example"), "name": name,
        "roles": [{"unit_id": unit, "role": name}],
    });
    let person = made(world, "people", &person).await;
    let token = world.token(json!({"name": name, "person_id": person["id"]})).await;
    token["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_what_its_row_says_in_its_unit_and_nothing_elsewhere() {
    let world = World::sqlite().await;
    let [mut own, other] = [mission(&world, 0).await, mission(&world, 1).await];
    let mut operations = operations(&world).await;
    // What removes something comes when nothing else asks for it any more.
    operations.sort_by_key(|it| it.method == "DELETE");
    let rows: BTreeMap<&str, (Whose, &str)> =
        ROWS.iter().map(|(name, whose, body)| (*name, (*whose, *body))).collect();
    let named: BTreeSet<&str> = operations.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(named, rows.keys().copied().collect(), "each operation has its row");
    for (side, role) in (3..).zip(Role::ALL) {
        let token = bearer(&world, &own["units"], *role).await;
        // His own, where he may hand in any.
        let by = if Writers.has(*role) { &token } else { &world.admin };
        let picture = world.ask_as(by, "POST", "/api/v1/media");
        let picture = picture.body("image/png", crate::media::png(side, 3)).await;
        own.insert("media", id(&picture.expect(201)));
        for operation in &operations {
            let (whose, body) = rows[operation.name.as_str()];
            let what = format!("{role}: {}", operation.name);
            let mine = operation.ask(&world, &token, &own, body).await;
            match whose {
                // What is named is not there; but nobody is told that he may not.
                Own => assert!(![401, 403].contains(&mine.status), "{what}: {mine:?}"),
                // Many wrong passwords in a row wait.
                Open => assert!([401, 429].contains(&mine.status), "{what}: {mine:?}"),
                Nobody => assert!([403, 404].contains(&mine.status), "{what}: {mine:?}"),
                Readers | Writers | Authors | Terminologists | Planners | Publishers
                | Approvers | Stoppers | Administrators
                    if whose.has(*role) =>
                {
                    assert!(![401, 403, 404].contains(&mine.status), "{what}: {mine:?}");
                }
                Readers | Writers | Authors | Terminologists | Planners | Publishers
                | Approvers | Stoppers | Administrators => {
                    assert_eq!(mine.status, 403, "{what}: {mine:?}");
                }
            }
            // What units there are everybody may know.
            let about = operation.named(&other).is_some() && operation.name != "get_unit";
            let in_body =
                ["UNIT", "ACCOUNT", "DELIVERY", "POST"].iter().any(|word| body.contains(word));
            if !about && !in_body {
                continue;
            }
            let foreign = operation.ask(&world, &token, &other, body).await;
            let expected: &[u16] = match (about, whose.has(*role)) {
                (true, true) => &[404],
                (true, false) => &[403, 404],
                // A dry run says in its answer what is wrong.
                (false, true) if operation.name == "check_post" => &[200],
                (false, true) => &[422],
                (false, false) => &[403, 404, 422],
            };
            assert!(expected.contains(&foreign.status), "{what} elsewhere: {foreign:?}");
            let words = String::from_utf8_lossy(&foreign.bytes);
            assert!(!words.contains("Tin số 1"), "{what} tells what is another's: {words}");
        }
    }
    world.end().await;
}
