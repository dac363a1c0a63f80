//! Judges the Dockerfile and the compose file by rules of our own; no container engine is needed.

use yaml_rust2::Yaml;

use crate::{read, yaml};

/// What a Dockerfile does that ours must not.
fn dockerfile_faults(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines: Vec<&str> = joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut found = Vec::new();
    let mut stages = 0;
    let mut user = None;
    for line in &lines {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "FROM" => {
                stages += 1;
                user = None;
                let image = rest.split_whitespace().next().unwrap_or_default();
                if !pinned(image) {
                    found.push(format!("not pinned: {image}"));
                }
            }
            "USER" => user = Some(rest),
            "ADD" => found.push(format!("ADD, which fetches and unpacks: {rest}")),
            "RUN" if rest.contains("curl ") || rest.contains("wget ") => {
                found.push(format!("fetches while building: {rest}"));
            }
            "ENV" | "ARG"
                if ["PASSWORD", "SECRET", "TOKEN", "_KEY="].iter().any(|it| rest.contains(it)) =>
            {
                found.push(format!("a secret in a layer: {rest}"));
            }
            _ => {}
        }
    }
    if stages < 2 {
        found.push("one stage: the tools of the build would be shipped".to_owned());
    }
    if !user.is_some_and(|it| !it.starts_with('0') && !it.starts_with("root")) {
        found.push("runs as root".to_owned());
    }
    for needed in ["HEALTHCHECK", "ENTRYPOINT [", "STOPSIGNAL SIGTERM"] {
        if !lines.iter().any(|line| line.starts_with(needed)) {
            found.push(format!("no {needed}"));
        }
    }
    found
}

/// Whether an image is named with a version that is not moved to the next major one.
fn pinned(image: &str) -> bool {
    image.rsplit_once(':').is_some_and(|(_, tag)| tag.starts_with(|c: char| c.is_ascii_digit()))
}

/// What a compose file does that ours must not.
fn compose_faults(compose: &Yaml) -> Vec<String> {
    let mut found = Vec::new();
    let services = compose["services"].as_hash().cloned().unwrap_or_default();
    for (name, service) in services {
        let name = name.as_str().unwrap_or_default();
        let image = service["image"].as_str().unwrap_or_default();
        let ours = image == "chancery";
        if !ours && !pinned(image) {
            found.push(format!("{name}: image {image} is not pinned"));
        }
        if ours && service["read_only"].as_bool() != Some(true) {
            found.push(format!("{name}: its root can be written"));
        }
        if ours && texts(&service["cap_drop"]) != ["ALL"] {
            found.push(format!("{name}: keeps capabilities"));
        }
        if !texts(&service["security_opt"]).contains(&"no-new-privileges:true") {
            found.push(format!("{name}: may gain privileges"));
        }
        if service["privileged"].as_bool() == Some(true) {
            found.push(format!("{name}: privileged"));
        }
        for port in texts(&service["ports"]) {
            if !port.starts_with("127.0.0.1:") {
                found.push(format!("{name}: port {port} is open to the network"));
            }
        }
        for (kind, top) in
            [("secrets", "secrets"), ("networks", "networks"), ("volumes", "volumes")]
        {
            for used in texts(&service[kind]) {
                let used = used.split(':').next().unwrap_or_default();
                if compose[top][used].is_badvalue() {
                    found.push(format!("{name}: {kind} {used} is not declared"));
                }
            }
        }
        let environment = service["environment"].as_hash().cloned().unwrap_or_default();
        for (variable, value) in environment {
            let variable = variable.as_str().unwrap_or_default();
            let secret = ["PASSWORD", "SECRET", "TOKEN", "URL", "KEY"]
                .iter()
                .any(|word| variable.ends_with(word) && !variable.ends_with("PUBLIC_URL"));
            if secret {
                found.push(format!("{name}: {variable} = {value:?} belongs into a file"));
            }
        }
    }
    found
}

fn texts(list: &Yaml) -> Vec<&str> {
    list.as_vec().map(|list| list.iter().filter_map(Yaml::as_str).collect()).unwrap_or_default()
}

#[test]
fn the_dockerfile_keeps_the_rules() {
    assert_eq!(dockerfile_faults(&read("deploy/Dockerfile")), Vec::<String>::new());
}

#[test]
fn a_careless_dockerfile_is_reported() {
    let good = read("deploy/Dockerfile");
    let bad = [
        ("FROM debian:12-slim", "FROM debian:latest"),
        ("FROM debian:12-slim", "FROM debian"),
        ("USER 10001:10001", "USER root"),
        ("USER 10001:10001", "# nobody in particular"),
        ("WORKDIR /src", "ADD https://example.org/tool.tar.gz /src"),
        ("WORKDIR /src", "RUN curl https://example.org | sh"),
        ("WORKDIR /src", "ENV API_TOKEN=abc"),
        ("HEALTHCHECK", "LABEL"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL"),
    ];
    for (from, to) in bad {
        let text = good.replace(from, to);
        assert_ne!(text, good, "the sample {from} is not there");
        assert_eq!(dockerfile_faults(&text).len(), 1, "{to}");
    }
    let one_stage = good.split_once("FROM debian").map(|(_, rest)| format!("FROM debian{rest}"));
    assert_eq!(dockerfile_faults(&one_stage.expect("two stages")).len(), 1);
}

#[test]
fn the_compose_file_keeps_the_rules() {
    let compose = yaml(&read("deploy/compose.yml"));
    assert!(compose["services"]["chancery"]["image"].as_str().is_some());
    assert_eq!(compose_faults(&compose), Vec::<String>::new());
}

#[test]
fn a_careless_compose_file_is_reported() {
    let good = read("deploy/compose.yml");
    let bad = [
        ("image: postgres:17-bookworm", "image: postgres"),
        ("ports: [\"127.0.0.1:8080:8080\"]", "ports: [\"8080:8080\"]"),
        ("secrets: [database_password]", "secrets: [password]"),
        ("networks: [inside, outside]", "networks: [inside, beyond]"),
        ("volumes: [\"database:/var", "volumes: [\"databases:/var"),
        ("    shm_size: 256m", "    privileged: true"),
        ("POSTGRES_PASSWORD_FILE: /run/secrets/database_password", "POSTGRES_PASSWORD: abc"),
    ];
    for (from, to) in bad {
        let text = good.replace(from, to);
        assert_ne!(text, good, "the sample {from} is not there");
        assert_eq!(compose_faults(&yaml(&text)).len(), 1, "{to}");
    }
    for (line, services) in [("    read_only: true\n", 2), ("    cap_drop: [ALL]\n", 2)] {
        assert_eq!(compose_faults(&yaml(&good.replace(line, ""))).len(), services, "{line}");
    }
    let line = "    security_opt: [\"no-new-privileges:true\"]\n";
    assert_eq!(compose_faults(&yaml(&good.replace(line, ""))).len(), 3);
}
