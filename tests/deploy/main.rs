//! Checks what `deploy/` ships: the systemd unit, the container files, the proxy, the alert rules.
//!
//! A check whose tool is missing fails and names it; `CHANCERY_TEST_SKIP=promtool,nginx`
//! leaves it out.

mod configuration;
mod containers;
mod proxy;
mod tools;

use std::fs;
use std::path::PathBuf;

use yaml_rust2::{Yaml, YamlLoader};

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).expect("the file is readable")
}

fn yaml(text: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(text).expect("the file is YAML");
    assert_eq!(documents.len(), 1, "one document");
    documents.remove(0)
}

/// The unit with the program that was just built in the place where a package would put it.
fn unit_with_our_program() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for the unit");
    let unit = read("deploy/chancery.service");
    let installed = "/usr/local/bin/chancery";
    assert!(unit.contains(&format!("ExecStart={installed} serve")), "what the unit starts");
    let file = folder.path().join("chancery.service");
    let program = env!("CARGO_BIN_EXE_chancery");
    fs::write(&file, unit.replace(installed, program)).expect("the unit is written");
    (folder, file)
}

#[test]
fn systemd_accepts_the_unit() {
    let Some(analyze) = tools::find("systemd-analyze") else { return };
    let (_folder, unit) = unit_with_our_program();
    let (ok, said) = tools::run(&analyze, &["verify", "--man=no", &unit.to_string_lossy()]);
    // It warns with exit code 0 about keys that it does not know.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("chancery.service")).collect();
    assert!(ok && ours.is_empty(), "{said}");
}

#[test]
fn systemd_reports_a_unit_with_a_wrong_key() {
    let Some(analyze) = tools::find("systemd-analyze") else { return };
    let (_folder, unit) = unit_with_our_program();
    let wrong = fs::read_to_string(&unit).expect("it was written").replace("UMask=", "UMusk=");
    fs::write(&unit, wrong).expect("the unit is written");
    let (_, said) = tools::run(&analyze, &["verify", "--man=no", &unit.to_string_lossy()]);
    assert!(said.contains("UMusk"), "{said}");
}

#[test]
fn the_unit_is_hardened() {
    let Some(analyze) = tools::find("systemd-analyze") else { return };
    let (_folder, unit) = unit_with_our_program();
    let judge = |file: &PathBuf| {
        let file = file.to_string_lossy();
        tools::run(&analyze, &["security", "--offline=yes", "--threshold=25", "--no-pager", &file])
    };
    let (ok, said) = judge(&unit);
    assert!(ok, "exposure above 2.5:\n{said}");

    // The same judge refuses the unit without its restrictions.
    let text = fs::read_to_string(&unit).expect("it was written");
    let soft: String = text
        .lines()
        .filter(|line| !line.starts_with("Protect") && !line.starts_with("SystemCall"))
        .fold(String::new(), |all, line| all + line + "\n");
    fs::write(&unit, soft).expect("the unit is written");
    assert!(!judge(&unit).0, "a unit without restrictions must not pass");
}

#[test]
fn promtool_accepts_the_alert_rules() {
    let Some(promtool) = tools::find("promtool") else { return };
    let rules = path("deploy/alerts.yml");
    let (ok, said) = tools::run(&promtool, &["check", "rules", &rules.to_string_lossy()]);
    assert!(ok && said.contains("rules found"), "{said}");
}

#[test]
fn every_alert_fires_when_it_must_and_only_then() {
    let Some(promtool) = tools::find("promtool") else { return };
    let cases = path("deploy/alerts.test.yml");
    let (ok, said) = tools::run(&promtool, &["test", "rules", &cases.to_string_lossy()]);
    assert!(ok, "{said}");

    let tested = read("deploy/alerts.test.yml");
    for alert in alerts() {
        for what in ["fires", "stays quiet"] {
            assert!(
                tested.contains(&format!("- name: {alert} {what}\n")),
                "{alert} {what}: no case"
            );
        }
    }
}

#[test]
fn every_alert_has_its_section_for_the_person_on_call() {
    let page = read("docs/operations/incidents.md");
    let rules = read("deploy/alerts.yml");
    for alert in alerts() {
        assert!(page.contains(&format!("\n## {alert}\n")), "incidents.md has no section {alert}");
        let link = format!("runbook: docs/operations/incidents.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not name its section");
    }
}

fn alerts() -> Vec<String> {
    let rules = yaml(&read("deploy/alerts.yml"));
    let groups = rules["groups"].as_vec().expect("groups");
    let named: Vec<String> = groups
        .iter()
        .flat_map(|group| group["rules"].as_vec().expect("rules").iter())
        .map(|rule| rule["alert"].as_str().expect("each rule is an alert").to_owned())
        .collect();
    assert!(named.len() > 5, "the alerts were not read");
    named
}
