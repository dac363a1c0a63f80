//! Runs the commands of README.md as they stand there, against the simulated platforms, and looks at
//! what came of them.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The commands of the first fence of that kind below a heading.
fn commands(document: &str, heading: &str) -> String {
    let (_, below) = document.split_once(heading).expect("the heading is there");
    let (_, fence) = below.split_once("```sh\n").expect("commands stand below it");
    let (commands, _) = fence.split_once("```").expect("they end");
    commands.to_owned()
}

/// Ports that nobody uses just now.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}

fn photo(path: &Path) {
    let painted = image::RgbImage::from_fn(64, 48, |x, y| {
        let red = u8::try_from(x * 4).unwrap_or(u8::MAX);
        image::Rgb([red, u8::try_from(y * 5).unwrap_or(u8::MAX), 40])
    });
    painted.save(path).expect("a picture is written");
}

/// Runs commands in a directory; what they have started ends with them. What they print.
fn run(script: &str, directory: &Path, listen: u16) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_chancery"));
    let programs = binary.parent().expect("the binary lies somewhere").display();
    let known = Command::new("printenv").arg("PATH").output().expect("printenv is there").stdout;
    let known = String::from_utf8(known).expect("PATH is UTF-8");
    // A server that does not start would be waited for without end.
    let mut shell = Command::new("timeout")
        .args(["--kill-after=5", "120", "bash", "-euo", "pipefail", "-c", script])
        .current_dir(directory)
        .env("PATH", format!("{programs}:{}", known.trim()))
        .env("CHANCERY_SERVER__LISTEN", format!("127.0.0.1:{listen}"))
        .stdout(std::fs::File::create(directory.join("said")).expect("a file"))
        .stderr(Stdio::inherit())
        .process_group(0)
        .spawn()
        .expect("bash is there");
    let ended = shell.wait().expect("it can be waited for");
    let group = format!("-{}", shell.id());
    let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
    let said = std::fs::read_to_string(directory.join("said")).expect("what it printed");
    assert!(ended.success(), "{ended}: {said}");
    assert!(killed.is_ok_and(|it| it.success()), "the servers ran until the end");
    said
}

#[test]
fn the_first_real_post_is_published_by_the_commands_of_the_first_page() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md is there");
    let place = tempfile::tempdir().expect("a directory");
    photo(&place.path().join("photo.jpg"));

    // The usual ports may be taken on this machine; nothing else is changed.
    let [pages, posts, api] = free_ports();
    let simulate = format!("chancery simulate --pages 127.0.0.1:{pages} --posts 127.0.0.1:{posts}");
    let script = commands(&readme, "## The first real post")
        .replace("chancery simulate", &simulate)
        .replace("http://127.0.0.1:8091", &format!("http://127.0.0.1:{pages}"))
        .replace("http://127.0.0.1:8080", &format!("http://127.0.0.1:{api}"));
    let link = "echo; curl -fsS http://127.0.0.1:PAGES/_control/posts"
        .replace("PAGES", &pages.to_string());
    let said = run(&format!("{script}\n{link}\n"), place.path(), api);

    let answers: Vec<Value> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [delivery, truth] = answers.as_slice() else { unreachable!("two answers: {said}") };
    assert_eq!(delivery["state"], "published", "{said}");
    assert_eq!(delivery["content"]["text"], "Bonne fête nationale !");
    let remote_id = delivery["receipt"]["remote_id"].as_str().expect("a receipt has an id");
    let permalink = delivery["receipt"]["permalink"].as_str().expect("and a link");
    assert!(permalink.contains(remote_id), "{permalink}");

    let pages = truth["facebook"].as_object().expect("pages");
    let created: Vec<&Value> =
        pages.values().flat_map(|posts| posts.as_array().into_iter().flatten()).collect();
    let [post] = created.as_slice() else { unreachable!("one post: {created:?}") };
    assert_eq!(post["id"], remote_id);
    assert_eq!(post["text"], "Bonne fête nationale !");
    assert_eq!(post["photos"][0]["alt_text"], "Le drapeau devant l’ambassade");
}
