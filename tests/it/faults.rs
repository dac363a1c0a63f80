//! Every fault of the platforms, on both, with text, link and picture: how the delivery ends, how many
//! requests that takes, and that it is there once or not at all. `answers` has what else they may say.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery::domain::account::AccountStatus;
use chancery::domain::delivery::DeliveryState;
use chancery::domain::id::{DeliveryId, MediaId};
use chancery::simulator::{Exhausted, Kind, Operation, Platform, Problem, Unreadable};

use crate::stage::{Outlet, Stage, Wanted, eventually, on, staged};

/// How a delivery ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// Published after so many creates reached the platform.
    Published(usize),
    /// A person is asked, for this reason.
    Asked(&'static str),
    /// It failed for good.
    Failed,
    /// It is held until its account is as it must be: what the account now is.
    Held(AccountStatus),
    /// It waits for the platform's limit.
    Waits(&'static str),
}

use AccountStatus::{Connected, NeedsReconnect, Paused};
use End::{Asked, Failed, Held, Published, Waits};

/// Longer than the deadline of a request.
const LONG: u64 = 4_000;

/// What a platform does and says, and how a delivery ends with it.
pub(super) type Row = (&'static str, Kind, End);

pub(super) fn said(status: u16, body: &str, execute: bool) -> Kind {
    Kind::Answer { status, headers: BTreeMap::new(), body: body.to_owned(), execute }
}

fn answer(status: u16, body: &str) -> Kind {
    said(status, body, true)
}

pub(super) fn graph(code: u32, subcode: Option<u32>, execute: bool) -> Kind {
    Kind::Graph { code, subcode, execute }
}

fn problem(problem: Problem, execute: bool) -> Kind {
    Kind::XProblem { problem, execute }
}

/// Hidden outcomes: the post is there after all, or it is not and is sent once more.
pub(super) fn hidden() -> Vec<Row> {
    vec![
        ("drop before", Kind::DropBefore, Published(2)),
        ("drop after", Kind::DropAfter, Published(1)),
        ("cut in the head of the answer", Kind::CutAnswer { bytes: 9 }, Published(1)),
        ("cut in the body of the answer", Kind::CutAnswer { bytes: 180 }, Published(1)),
        ("500, done", Kind::ServerError { execute: true }, Published(1)),
        ("500, not done", Kind::ServerError { execute: false }, Published(2)),
        ("hang, not done", Kind::HangBefore { ms: LONG }, Published(2)),
        ("hang, done", Kind::HangAfter { ms: LONG }, Published(1)),
        ("done later, soon", Kind::Late { ms: 250 }, Published(1)),
        ("done after the client has gone", Kind::Late { ms: 1_100 }, Published(1)),
        ("one byte at a time", Kind::SlowDrip { ms: 200 }, Published(1)),
        ("502 in HTML, done", Kind::Html { execute: true }, Published(1)),
        ("502 in HTML, not done", Kind::Html { execute: false }, Published(2)),
        ("2xx cut short", Kind::Truncate { bytes: 5 }, Published(1)),
        ("2xx without an id", Kind::WithoutId, Published(1)),
        ("2xx without a body", Kind::Empty, Published(1)),
        ("2xx of four megabytes", Kind::Huge { bytes: 4 << 20 }, Published(1)),
        ("redirect", Kind::Redirect, Published(2)),
        ("408", answer(408, ""), Published(1)),
        ("2xx in HTML", answer(200, "<html>"), Published(1)),
        ("2xx with an error inside", answer(200, r#"{"error":{"code":1}}"#), Published(1)),
        ("2xx with a word for an id", answer(201, r#"{"data":{"id":"seven"}}"#), Published(1)),
        ("an error that nobody knows", answer(418, r#"{"error":{"code":99999}}"#), Published(1)),
        ("unlisted", Kind::Lag { ms: 200 }, Published(1)),
        ("unreadable", Kind::Unreadable { ms: 200, how: Unreadable::Missing }, Published(1)),
        ("forbidden", Kind::Unreadable { ms: 200, how: Unreadable::Forbidden }, Published(1)),
    ]
}

/// What Facebook says, by the table of its error codes.
pub(super) fn graph_codes() -> Vec<Row> {
    vec![
        ("1, done", graph(1, None, true), Published(1)),
        ("2, done", graph(2, None, true), Published(1)),
        ("2, not done", graph(2, None, false), Published(2)),
        ("4/2207051, done", graph(4, Some(2_207_051), true), Published(1)),
        ("6000, done", graph(6_000, None, true), Published(1)),
        ("100", graph(100, None, false), Failed),
        ("190", graph(190, Some(463), false), Held(NeedsReconnect)),
        ("102", graph(102, None, false), Held(NeedsReconnect)),
        ("200", graph(200, None, false), Held(Paused)),
        ("368/1404078", graph(368, Some(1_404_078), false), Held(Paused)),
        ("506", graph(506, None, false), Asked("duplicate_not_found")),
        ("368/1404082", graph(368, Some(1_404_082), false), Asked("duplicate_not_found")),
        ("506 although done", graph(506, None, true), Published(1)),
        ("368/1390008", graph(368, Some(1_390_008), false), Waits("throttled")),
        ("32", graph(32, None, false), Waits("rate_limit")),
        (
            "80001",
            Kind::RateLimited { seconds: 90, exhausted: Exhausted::Window },
            Waits("rate_limit"),
        ),
    ]
}

/// What X says, by its problems.
pub(super) fn problems() -> Vec<Row> {
    vec![
        ("401", problem(Problem::Unauthorized, false), Held(NeedsReconnect)),
        ("403 duplicate", problem(Problem::Duplicate, false), Asked("duplicate_not_found")),
        ("403 duplicate although done", problem(Problem::Duplicate, true), Published(1)),
        ("403 not permitted", problem(Problem::NotPermitted, false), Failed),
        ("403 reply rule", problem(Problem::ReplyRule, false), Failed),
        (
            "403 kind of token",
            problem(Problem::UnsupportedAuthentication, false),
            Held(NeedsReconnect),
        ),
        ("403 suspended", problem(Problem::UserSuspended, false), Held(Paused)),
        ("429 of the old kind", problem(Problem::OldRateLimit, false), Waits("rate_limit")),
        ("429 cap", problem(Problem::UsageCapped, false), Waits("daily_limit")),
        (
            "429",
            Kind::RateLimited { seconds: 90, exhausted: Exhausted::Window },
            Waits("rate_limit"),
        ),
        (
            "429 of the day",
            Kind::RateLimited { seconds: 90, exhausted: Exhausted::UserDay },
            Waits("daily_limit"),
        ),
    ]
}

/// What X says of the application as a whole.
const OF_THE_APPLICATION: [Problem; 4] = [
    Problem::PaymentRequired,
    Problem::CreditsDepleted,
    Problem::ClientForbidden,
    Problem::Oauth1Permissions,
];

/// One delivery with its fault.
struct Case {
    name: String,
    outlet: Outlet,
    id: DeliveryId,
    end: End,
}

const CONTENTS: [&str; 3] = ["text", "link", "picture"];

async fn prepare(
    stage: &Stage,
    platform: Platform,
    picture: &MediaId,
    (content, what): (&str, &str),
    (kind, end): (Kind, End),
) -> Case {
    let outlet = stage.outlet(platform).await;
    let name = format!("{} {content}: {what}", platform.name());
    let wanted = Wanted::text(&name);
    let wanted = match content {
        "link" => wanted.link("https://mofa.example/a?b=1&c=2"),
        "picture" => wanted.picture(picture, "Quốc kỳ"),
        _ => wanted,
    };
    stage.spoil(&outlet, kind);
    let id = stage.deliver(&outlet, &wanted).await;
    Case { name, outlet, id, end }
}

/// Waits for the end and compares everything that is promised about it.
async fn check(stage: &Stage, case: &Case) -> Result<(), String> {
    let end = case.end;
    let shown = eventually(&format!("{}: {end:?}", case.name), async || {
        let shown = stage.show(&case.id).await;
        let it = &shown.delivery;
        if it.waits_for.as_ref().is_some_and(|wait| wait.detail.contains("reads are used up")) {
            // Minutes, by the platform's own word; in steps that no lease lapses in.
            stage.advance(Duration::from_secs(2));
        }
        let limited = || {
            let codes = ["throttled", "rate_limit", "daily_limit", "monthly_limit"];
            it.waits_for.as_ref().is_some_and(|wait| codes.contains(&wait.code.as_str()))
        };
        let moves = matches!(it.state, DeliveryState::Publishing | DeliveryState::Unknown);
        let rests = !moves && (it.state != DeliveryState::Scheduled || limited());
        if rests { Ok(shown) } else { Err(format!("{} {:?}", it.state, it.waits_for)) }
    })
    .await;
    let it = &shown.delivery;
    let reached = stage.creates(&case.outlet).len();
    let code = it.problem.as_ref().map(|problem| problem.code.as_str());
    let waits = it.waits_for.as_ref().map(|wait| wait.code.as_str());
    let account = stage.account(&case.outlet).await.status;
    let as_told = match end {
        Published(requests) => {
            it.state == DeliveryState::Published
                && reached == requests
                && stage.posts(&case.outlet).len() == 1
                && it.receipt.as_ref().is_some_and(|receipt| receipt.permalink.is_some())
        }
        Asked(why) => it.state == DeliveryState::NeedsHuman && code == Some(why) && reached == 1,
        Failed => it.state == DeliveryState::Failed && reached == 1,
        Held(status) => it.state == DeliveryState::Held && account == status && reached == 1,
        Waits(why) => {
            it.state == DeliveryState::Scheduled && waits == Some(why) && it.attempt_count == 0
        }
    };
    if as_told {
        return Ok(());
    }
    let (made, tries) = (stage.made(&case.outlet), &shown.attempts);
    Err(format!(
        "{}: wanted {end:?}, is {} {code:?} {waits:?}, account {account}, {reached} reached, {made} \
         made, {} count, {tries:?}",
        case.name, it.state, it.attempt_count,
    ))
}

async fn all_end_as_told(stage: &Stage, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in &cases {
        wrong.extend(check(stage, case).await.err());
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What the headers of such an answer say holds for every account of the application, or for so long
/// that time must pass.
fn concerns_all(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Graph { code: 4 | 17 | 341 | 80_002, .. }
            | Kind::RateLimited { exhausted: Exhausted::AppDay, .. }
    )
}

/// Each row with text, link and picture at its platform. What concerns the whole application comes
/// after the others, one by one.
pub(super) async fn rows_end_as_told(stage: &Stage, tables: Vec<(Platform, Vec<Row>)>) {
    stage.world().change_settings(|settings| settings.rate_limits = false);
    let (picture, _) = stage.picture(7).await;
    let (mut cases, mut last) = (Vec::new(), Vec::new());
    for (platform, rows) in tables {
        for (what, kind, end) in rows {
            for content in CONTENTS {
                let fault = (kind.clone(), end);
                if concerns_all(&kind) {
                    last.push((platform, content, what, fault));
                } else {
                    cases.push(prepare(stage, platform, &picture, (content, what), fault).await);
                }
            }
        }
    }
    all_end_as_told(stage, cases).await;
    for (platform, content, what, fault) in last {
        let case = prepare(stage, platform, &picture, (content, what), fault).await;
        all_end_as_told(stage, vec![case]).await;
        stage.setting().database.execute("DELETE FROM budgets").await;
    }
}

staged! {
    /// Whatever hides the outcome, the post is there exactly once.
    async fn a_hidden_outcome_is_found_out(stage) {
        let tables = vec![(Platform::Facebook, hidden()), (Platform::X, hidden())];
        rows_end_as_told(stage, tables).await;
    }

    /// Each code and each problem ends as its table says.
    async fn a_refusal_ends_as_its_table_says(stage) {
        let tables = vec![(Platform::Facebook, graph_codes()), (Platform::X, problems())];
        rows_end_as_told(stage, tables).await;
    }

    /// Each refusal of the whole application holds the delivery, leaves the account as it is, and is
    /// tried again by itself.
    async fn a_refusal_of_the_application_holds(stage) {
        for refused in OF_THE_APPLICATION {
            let outlet = stage.outlet(Platform::X).await;
            stage.spoil(&outlet, problem(refused, false));
            let end = Held(Connected);
            let id = stage.deliver(&outlet, &Wanted::text("the application")).await;
            let name = format!("{refused:?}");
            all_end_as_told(stage, vec![Case { name, outlet, id: id.clone(), end }]).await;
            stage.advance(Duration::from_secs(61));
            let shown = stage.published(&id).await;
            assert_eq!(shown.delivery.attempt_count, 1, "{refused:?}");
        }
    }

    /// Bringing a picture may be repeated, and never leaves a post without it.
    async fn a_failed_upload_is_repeated_and_the_post_has_its_picture(stage) {
        let (picture, _) = stage.picture(9).await;
        let kinds = [
            Kind::DropBefore,
            Kind::DropAfter,
            Kind::ServerError { execute: true },
            Kind::HangAfter { ms: LONG },
            Kind::Html { execute: false },
            Kind::WithoutId,
            Kind::Redirect,
        ];
        let mut waiting = Vec::new();
        for platform in [Platform::Facebook, Platform::X] {
            for kind in &kinds {
                let outlet = stage.outlet(platform).await;
                stage.world().faults().push(on(&outlet, Operation::Upload, kind.clone()));
                let wanted = Wanted::text("with one picture").picture(&picture, "Quốc kỳ");
                waiting.push((stage.deliver(&outlet, &wanted).await, outlet, kind));
            }
        }
        for (id, outlet, kind) in waiting {
            let shown = stage.published(&id).await;
            let posts = stage.posts(&outlet);
            assert_eq!(posts.len(), 1, "{kind:?}");
            assert_eq!(posts[0].photos.len(), 1, "{kind:?}");
            assert_eq!(posts[0].photos[0].alt_text.as_deref(), Some("Quốc kỳ"), "{kind:?}");
            assert_eq!(stage.creates(&outlet).len(), 1, "{kind:?}");
            assert_eq!(shown.delivery.attempt_count, 1, "{kind:?}: no upload uses up an attempt");
        }
    }
}
