//! The nginx sample in front of the real program: it is accepted, passes requests on, and keeps what is
//! not for the world.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::{read, tools};

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port()
}

/// The ports that a test uses instead of those of the sample.
struct Ports {
    desk: u16,
    plain: u16,
    service: u16,
}

impl Ports {
    fn free() -> Self {
        Self { desk: free_port(), plain: free_port(), service: free_port() }
    }
}

/// The sample as a person would adapt it, within what makes it a whole configuration.
fn adapted(folder: &Path, ports: &Ports) -> String {
    let here = folder.display();
    let sample = read("deploy/nginx.conf")
        .replace("/etc/ssl/desk.example.org", &here.to_string())
        .replace("listen 443", &format!("listen 127.0.0.1:{}", ports.desk))
        .replace("listen 80;", &format!("listen 127.0.0.1:{};", ports.plain))
        .replace("http://127.0.0.1:8080", &format!("http://127.0.0.1:{}", ports.service));
    let sample: String = sample
        .lines()
        // Not every machine has the other kind of address.
        .filter(|line| !line.contains("listen [::]"))
        .fold(String::new(), |all, line| all + line + "\n");
    let kept: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .fold(String::new(), |all, kind| all + &format!("{kind}_temp_path {here}/{kind};\n"));
    format!(
        "daemon off; master_process off; pid {here}/pid; error_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{kept}{sample}}}\n"
    )
}

fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=desk.example.org", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("fullchain.pem"))
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// The folder with a configuration, and whether nginx accepts it.
fn judged(text: &str, nginx: &Path, folder: &Path) -> (bool, String) {
    let file = folder.join("nginx.conf");
    fs::write(&file, text).expect("the configuration is written");
    let (prefix, file) = (folder.to_string_lossy(), file.to_string_lossy());
    tools::run(nginx, &["-t", "-e", "stderr", "-p", &prefix, "-c", &file])
}

#[test]
fn nginx_accepts_the_sample_and_refuses_a_wrong_one() {
    let Some(nginx) = tools::find("nginx") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path());
    let text = adapted(folder.path(), &Ports::free());
    let (ok, said) = judged(&text, &nginx, folder.path());
    assert!(ok, "{said}");
    let (ok, said) = judged(&text.replace("proxy_pass", "proxy_past"), &nginx, folder.path());
    assert!(!ok && said.contains("proxy_past"), "{said}");
}

/// The service, and nginx in front of it.
struct Front {
    ports: Ports,
    _running: [Running; 2],
    _folder: TempDir,
}

fn front(nginx: &Path) -> Front {
    let folder = tempfile::tempdir().expect("a folder");
    let ports = Ports::free();
    certificate(folder.path());
    let (ok, said) = judged(&adapted(folder.path(), &ports), nginx, folder.path());
    assert!(ok, "{said}");
    let service = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .arg("serve")
        .env("CHANCERY_DATA_DIR", folder.path().join("data"))
        .env("CHANCERY_SERVER__LISTEN", format!("127.0.0.1:{}", ports.service))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the service starts");
    let proxy = Command::new(nginx)
        .args(["-e", "stderr", "-p"])
        .arg(folder.path())
        .arg("-c")
        .arg(folder.path().join("nginx.conf"))
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    Front { ports, _running: [Running(service), Running(proxy)], _folder: folder }
}

impl Front {
    /// The status that curl is given.
    fn status(&self, url: &str, more: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["-sk", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"])
            .args(["--resolve", &format!("desk.example.org:{}:127.0.0.1", self.ports.desk)])
            .args(["--resolve", &format!("desk.example.org:{}:127.0.0.1", self.ports.plain)])
            .args(more)
            .arg(url)
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn desk(&self, path: &str, more: &[&str]) -> String {
        self.status(&format!("https://desk.example.org:{}{path}", self.ports.desk), more)
    }
}

#[test]
fn the_nginx_sample_serves_the_real_program() {
    let Some(nginx) = tools::find("nginx") else { return };
    let front = front(&nginx);
    // A debug build beside other tests takes its time until it is ready.
    let patient = ["--retry", "120", "--retry-delay", "1", "--retry-all-errors", "--fail"];
    assert_eq!(front.desk("/readyz", &patient), "200", "nginx or the service did not start");
    assert_eq!(front.desk("/metrics", &[]), "404", "figures are not for the world");
    assert_eq!(front.desk("/api/v1/units", &[]), "401", "the service answers by itself");
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large");
    fs::File::create(&large).and_then(|it| it.set_len(33 << 20)).expect("a large file");
    let body = format!("@{}", large.display());
    assert_eq!(front.desk("/api/v1/media", &["--data-binary", &body]), "413");
    let plain = format!("http://desk.example.org:{}/docs", front.ports.plain);
    assert!(front.status(&plain, &[]).starts_with("301 https://desk.example.org"));
}
