//! What people at their desks wait for, in a database of years: a month of the calendar, the list of posts and the
//! search, over HTTP, one after the other, beside the answer that says nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use chancery::app::Base;
use chancery::clock::{Clock as _, SystemClock, after};
use chancery::config::Config;
use chancery::domain::class::Class;
use chancery::domain::id::PostId;
use chancery::domain::post::Post;
use chancery::domain::translation::Translation;
use chancery::domain::variant::{Content, Variant};
use chancery::store::{posts, search, variants};
use jiff::Timestamp;

use super::daemon::{Daemon, command};
use super::figures::{Lateness, print_most, print_rate, rate};
use super::process::world;
use super::seed::{Seeded, plant, post};
use super::service::{scratch, variables};
use super::{Extent, bare};

/// Accounts that share the calendar.
const ACCOUNTS: usize = 200;
/// Deliveries of each post.
const EACH: usize = 5;
/// Posts written in one transaction.
const CHUNK: usize = 1_000;
/// The time over which all is spread, from tomorrow on: nothing of it is due.
const DAYS: u64 = 5 * 365;

/// Syllables of which texts are made, the frequent ones first, as in a language.
const SYLLABLES: &str = "và của các có được trong là cho với những về tại này một đã ngày việt nam bộ ngoại giao hợp tác quan hệ hai nước \
    đại sứ quán phát biểu chuyến thăm lễ kỷ niệm quốc khánh đối đổi ngoài hội nghị cấp cao chủ tịch thủ tướng kinh tế thương mại văn hóa \
    công dân bảo hộ lãnh thông báo tuyên bố chung song phương đa khu vực hòa bình ổn định phát triển bền vững hữu nghị truyền thống láng giềng \
    embassy ministry visit statement national day cooperation trade culture consular notice";

/// Plants, starts, asks.
pub(crate) async fn measure(extent: Extent) -> Result<()> {
    let count: usize = extent.of(1_000_000, 20_000);
    let times = extent.of(1_000, 100);
    let directory = scratch()?;
    let nowhere = "http://127.0.0.1:9";
    let mut variables = variables(directory.path(), nowhere, nowhere);
    variables.push(("CHANCERY_TELEMETRY__LOG_LEVEL".to_owned(), "warn".to_owned()));
    let seeded = seed(Config::load(None, variables.iter().cloned())?, count).await?;
    command(&["admin", "create", "--email", "bench@example.org", "--name", "Bench"], &variables)?;
    let token = command(
        &["token", "create", "--email", "bench@example.org", "--name", "bench"],
        &variables,
    )?;
    let (daemon, _) = Daemon::start(&variables).await?;
    let desk = Desk { client: bare::client()?, url: daemon.url.clone(), token, seeded, times };
    println!("  {count} deliveries, {} posts, {ACCOUNTS} accounts", count / EACH);
    desk.look().await?;
    daemon.stop().await
}

struct Desk {
    client: reqwest::Client,
    url: String,
    token: String,
    seeded: Seeded,
    times: usize,
}

impl Desk {
    async fn look(&self) -> Result<()> {
        self.print("the program's own health (limit)", None, |_| "healthz".to_owned()).await?;
        self.print("calendar: a month, 200 of it", Some(25.0), |_| month("&limit=200")).await?;
        self.print("calendar: a month of one account", Some(25.0), |number| {
            let account = self.seeded.accounts.get(number % ACCOUNTS).map(|it| it.id.to_string());
            month(&format!("&limit=200&account_id={}", account.unwrap_or_default()))
        })
        .await?;
        self.print("posts: the newest 50", Some(100.0), |_| "api/v1/posts?limit=50".to_owned())
            .await?;
        for (name, words) in [
            ("search: two syllables without marks", 2),
            ("search: three syllables with marks", 3),
            ("search: one syllable", 1),
        ] {
            self.print(name, Some(100.0), |_| searched(words)).await?;
        }
        self.print("search: what nobody wrote", Some(100.0), |number| {
            format!("api/v1/posts?q=khongco{number}")
        })
        .await
    }

    /// Asks so many times and prints how long the answers took.
    async fn print(
        &self,
        name: &str,
        goal: Option<f64>,
        path: impl Fn(usize) -> String,
    ) -> Result<()> {
        let mut took = Vec::with_capacity(self.times);
        for number in 0..self.times {
            let request = self.client.get(format!("{}/{}", self.url, path(number)));
            let start = SystemClock.elapsed();
            let answer = request.bearer_auth(&self.token).send().await?;
            let status = answer.status();
            let body = answer.bytes().await?;
            let ms = SystemClock.elapsed().saturating_sub(start).as_secs_f64() * 1_000.0;
            ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
            took.push(ms);
        }
        let took = Lateness::of(took);
        println!("  {name:<44} p50 {:>7.2} ms   most {:>7.2} ms", took.at(50), took.at(100));
        if let Some(goal) = goal {
            print_most(&format!("{name}, p99"), took.at(99), "ms", goal);
        }
        Ok(())
    }
}

/// A month somewhere in the years.
fn month(more: &str) -> String {
    let days = rand::random::<u64>() % (DAYS - 31);
    let from = after(start(), Duration::from_hours(days * 24));
    let to = after(from, Duration::from_hours(30 * 24));
    format!("api/v1/calendar?from={from}&to={to}{more}")
}

/// Words as people type them: one alone is any, two are without marks, three with them.
fn searched(words: usize) -> String {
    let typed: Vec<String> = (0..words)
        .map(|_| {
            let word = syllable();
            if words == 2 { chancery::domain::text::unmarked(word) } else { word.to_owned() }
        })
        .collect();
    let bytes = typed.join(" ").into_bytes();
    format!(
        "api/v1/posts?limit=50&q=%{}",
        bytes.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().join("%")
    )
}

/// Frequent ones more often.
fn syllable() -> &'static str {
    let all: Vec<&str> = SYLLABLES.split_whitespace().collect();
    let some: f64 = rand::random();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place"
    )]
    let place = (some * some * all.len() as f64) as usize;
    all.get(place).copied().unwrap_or("và")
}

/// Tomorrow, on a whole second.
fn start() -> Timestamp {
    let day = SystemClock.now().as_second() / 86_400 * 86_400;
    Timestamp::from_second(day + 86_400).unwrap_or(Timestamp::UNIX_EPOCH)
}

async fn seed(config: Config, count: usize) -> Result<Seeded> {
    let base = Base::open(&config, &(std::sync::Arc::new(SystemClock) as _)).await?;
    let now = SystemClock.now();
    let seeded = plant(&base, &world(), ACCOUNTS, now).await?;
    let gap = Duration::from_secs(DAYS * 86_400 / u64::try_from(count.max(1))?);
    let begun = SystemClock.elapsed();
    let mut due = start();
    for chunk in 0..(count / EACH).div_ceil(CHUNK) {
        let written: Vec<(Post, Variant)> =
            (0..CHUNK).map(|number| said(&seeded, chunk * CHUNK + number)).collect();
        let mut tx = base.store.begin().await?;
        posts::insert(&mut tx, &written.iter().map(|(post, _)| post).collect::<Vec<_>>()).await?;
        let spoken: Vec<(&PostId, &[Variant])> =
            written.iter().map(|(post, one)| (&post.id, std::slice::from_ref(one))).collect();
        variants::insert(&mut tx, &spoken, now, rand::random).await?;
        tx.commit().await?;
        let mut planned = Vec::with_capacity(CHUNK * EACH);
        for (post, _) in &written {
            for _ in 0..EACH {
                due = after(due, gap);
                planned.push((post.id.clone(), due));
            }
        }
        seeded.plan(&base, now, &planned).await?;
    }
    print_rate("deliveries planted", rate(count, begun));
    let begun = SystemClock.elapsed();
    loop {
        let mut tx = base.store.begin().await?;
        let learnt = search::learn(&mut tx, 2_000).await?;
        tx.commit().await?;
        if learnt == 0 {
            break;
        }
    }
    print_rate("posts learnt by the search", rate(count / EACH, begun));
    base.store.close().await;
    Ok(seeded)
}

/// A post of some eighty syllables.
fn said(seeded: &Seeded, number: usize) -> (Post, Variant) {
    let now = SystemClock.now();
    let mut post = post(&seeded.unit, now);
    let text: Vec<&str> = (0..80).map(|_| syllable()).collect();
    post.title = format!("Bài {number}");
    post.class = Class::Routine;
    let content = Content { text: text.join(" "), ..Content::default() };
    let content_hash = content.hash("vi");
    let translation = Translation::source(1, &content_hash);
    (post, Variant { language: "vi".to_owned(), content, content_hash, revision: 1, translation })
}
