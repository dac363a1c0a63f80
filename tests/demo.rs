//! Watches the demonstration as a person would: the real binary, what it prints, and what its links
//! show.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;

/// A running demonstration; killed when the test ends before it does.
struct Demo {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// A published delivery as it was printed.
#[derive(Debug)]
struct Told {
    zone: String,
    platform: String,
    language: String,
    text: String,
    link: String,
}

impl Demo {
    fn start(arguments: &[&str], temporary: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_chancery"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary)
            .env("CHANCERY_SERVER__LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = process.stdout.take().expect("standard output is a pipe");
        Self { process, lines: BufReader::new(stdout).lines(), said: Vec::new() }
    }

    /// Reads on until a line begins so, and gives it.
    fn until(&mut self, beginning: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.expect("what it says is UTF-8");
            self.said.push(line.clone());
            if line.trim_start().starts_with(beginning) {
                return line;
            }
        }
        let said = self.said.join("\n");
        unreachable!("it ended without saying {beginning:?}:\n{said}")
    }

    /// The second word of a line that was printed.
    fn word(&self, beginning: &str) -> String {
        let line = self.said.iter().find(|line| line.trim_start().starts_with(beginning));
        line.expect("it was said")
            .split_whitespace()
            .nth(1)
            .expect("it has a second word")
            .to_owned()
    }

    /// Everything that it told of as published.
    fn told(&self) -> Vec<Told> {
        let mut told = Vec::new();
        for three in self.said.windows(3) {
            let [head, text, link] = three else { continue };
            let words: Vec<&str> = head.split_whitespace().collect();
            let [_time, _offset, zone, platform, language, ..] = words.as_slice() else { continue };
            if !link.starts_with("    http://") {
                continue;
            }
            told.push(Told {
                zone: (*zone).to_owned(),
                platform: (*platform).to_owned(),
                language: (*language).to_owned(),
                text: text.trim().trim_end_matches('…').to_owned(),
                link: link.trim().to_owned(),
            });
        }
        told
    }

    fn signal(&mut self, signal: &str) -> ExitStatus {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill is there");
        assert!(sent.success());
        self.process.wait().expect("it can be waited for")
    }
}

/// Status and body of what is at an address.
fn get(url: &str, token: Option<&str>) -> (u16, String) {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (host, path) = rest.split_once('/').expect("an address with a path");
    let mut stream = TcpStream::connect(host).expect("somebody listens there");
    let token = token.map(|it| format!("Authorization: Bearer {it}\r\n")).unwrap_or_default();
    // HTTP/1.0 is answered without chunks, and the end is the end of the connection.
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n{token}\r\n").expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8(answer).expect("the answer is UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split_whitespace().nth(1).expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

fn json(url: &str, token: Option<&str>) -> Value {
    let (status, body) = get(url, token);
    assert_eq!(status, 200, "{url}: {body}");
    serde_json::from_str(&body).expect("an answer in JSON")
}

/// The texts of all posts that exist at the simulated platforms.
fn truth(simulator: &str) -> Vec<String> {
    let all = json(&format!("{simulator}/_control/posts"), None);
    let accounts = all.as_object().into_iter().flatten();
    let posts = accounts.flat_map(|(_, accounts)| accounts.as_object().into_iter().flatten());
    posts
        .flat_map(|(_, posts)| posts.as_array().into_iter().flatten())
        .map(|post| post["text"].as_str().expect("a post has a text").to_owned())
        .collect()
}

fn left_over(temporary: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(temporary).expect("it can be listed");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn every_language_goes_out_once_and_every_link_opens() {
    let temporary = tempfile::tempdir().expect("a directory");
    let mut demo = Demo::start(&["--posts", "9"], temporary.path());
    let summary = demo.until("published ");
    assert_eq!(summary, "published 9 of 9, 9 created at the platforms", "{:#?}", demo.said);

    let told = demo.told();
    assert_eq!(told.len(), 9, "{:#?}", demo.said);
    let languages: BTreeSet<&str> = told.iter().map(|one| one.language.as_str()).collect();
    assert_eq!(languages, BTreeSet::from(["ar", "en", "es", "fr", "ru", "vi", "zh"]));
    let platforms: BTreeSet<&str> = told.iter().map(|one| one.platform.as_str()).collect();
    assert_eq!(platforms, BTreeSet::from(["Facebook", "X"]));
    assert!(told.iter().any(|one| one.zone == "Asia/Kathmandu"), "{told:?}");

    let mut texts = truth(&demo.word("Facebook"));
    assert_eq!(texts.len(), 9, "one post for each delivery: {texts:#?}");
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 9, "no post is there twice: {texts:#?}");
    for one in &told {
        let (status, page) = get(&one.link, None);
        assert_eq!(status, 200, "{one:?}");
        assert!(page.contains(&one.text), "{one:?} is not in {page}");
    }

    // One platform failed after it had made the post.
    assert!(
        demo.said.iter().any(|line| line.contains("adopted, not sent again")),
        "{:#?}",
        demo.said
    );
    let (document, _) = get(&demo.word("Document"), None);
    assert!(matches!(document, 200..=399), "the document's page answers {document}");

    assert!(!left_over(temporary.path()).is_empty(), "it lives in a temporary directory");
    assert_eq!(demo.signal("-INT").code(), Some(0));
    assert_eq!(left_over(temporary.path()), Vec::<PathBuf>::new(), "it clears up");
}

#[test]
fn a_second_run_in_the_same_directory_enters_nothing_twice() {
    let place = tempfile::tempdir().expect("a directory");
    let home = place.path().join("home");
    let home = home.to_str().expect("a path in UTF-8");
    let mut first = Demo::start(&["--once", "--posts", "2", "--data-dir", home], place.path());
    assert_eq!(first.until("published "), "published 2 of 2, 2 created at the platforms");
    assert_eq!(first.process.wait().expect("it ends").code(), Some(0));

    let mut second = Demo::start(&["--posts", "3", "--data-dir", home], place.path());
    // What is published stays published; only the third is new, at platforms that are new too.
    assert_eq!(second.until("published "), "published 3 of 3, 1 created at the platforms");
    let (api, token) = (second.word("API"), second.word("Token"));
    let count = |path: &str| {
        let page = json(&format!("{api}/{path}?limit=200"), Some(&token));
        page["items"].as_array().expect("a page has items").len()
    };
    assert_eq!((count("units"), count("accounts")), (23, 46));
    assert_eq!((count("posts"), count("deliveries")), (1, 3));
}

#[test]
fn once_fails_when_it_is_stopped_before_its_end() {
    let place = tempfile::tempdir().expect("a directory");
    let mut demo = Demo::start(&["--once", "--posts", "9"], place.path());
    demo.until("23 units");
    assert_eq!(demo.signal("-TERM").code(), Some(1));
    assert_eq!(left_over(place.path()), Vec::<PathBuf>::new(), "it clears up");
}

#[test]
fn a_directory_with_something_else_in_it_is_refused() {
    let real = tempfile::tempdir().expect("a directory");
    std::fs::write(real.path().join("chancery.db"), "real").expect("a file");
    let status = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(["demo", "--once", "--data-dir"])
        .arg(real.path())
        .stderr(Stdio::null())
        .status()
        .expect("the binary starts");
    assert_eq!(status.code(), Some(2));
    assert_eq!(left_over(real.path()), [real.path().join("chancery.db")]);
}
