//! Loads what `deploy/` configures: the example file, and the variables of the unit and of compose.

use std::collections::BTreeSet;
use std::fs;

use chancery::config::Config;
use toml::de::{DeTable, DeValue};

use crate::{path, read, yaml};

/// Every key that a file sets, with its value.
fn settings(text: &str) -> BTreeSet<(String, String)> {
    fn walk(table: &DeTable<'_>, above: &str, found: &mut BTreeSet<(String, String)>) {
        for (name, value) in table {
            let key = format!("{above}{}", name.get_ref());
            match value.get_ref().as_table() {
                Some(inner) => walk(inner, &format!("{key}."), found),
                None => drop(found.insert((key, shown(value.get_ref())))),
            }
        }
    }
    let table = DeTable::parse(text).expect("the file is TOML");
    let mut found = BTreeSet::new();
    walk(table.get_ref(), "", &mut found);
    found
}

fn shown(value: &DeValue<'_>) -> String {
    let list = |items: &toml::de::DeArray<'_>| {
        items.iter().map(|item| shown(item.get_ref())).collect::<Vec<_>>().join(", ")
    };
    let number = value.as_integer().map(ToString::to_string);
    let truth = value.as_bool().map(|it| it.to_string());
    let text = value.as_str().map(str::to_owned);
    number.or(truth).or(text).or(value.as_array().map(list)).expect("a kind of value that we use")
}

/// The example with the options that it shows commented out.
fn uncommented(text: &str) -> String {
    let shown = |line: &str| {
        let option = line
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        option.unwrap_or(line).to_owned() + "\n"
    };
    text.lines().map(shown).collect()
}

fn keys(settings: &BTreeSet<(String, String)>) -> BTreeSet<&str> {
    settings.iter().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn the_example_loads_as_it_is_shipped() {
    let config = Config::load(Some(&path("deploy/chancery.example.toml")), std::iter::empty());
    let config = config.expect("the example is valid");
    assert_eq!(config.server.public_url.as_str(), "https://desk.example.org/");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);

    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("wrong.toml");
    fs::write(&wrong, read("deploy/chancery.example.toml").replace("listen =", "lissten ="))
        .expect("the file is written");
    assert!(
        Config::load(Some(&wrong), std::iter::empty()).is_err(),
        "an unknown key must not load"
    );
}

#[test]
fn the_example_shows_every_option_with_its_default() {
    let defaults = settings(&read("src/config/default.toml"));
    let example = read("deploy/chancery.example.toml");
    let all = settings(&uncommented(&example));
    assert_eq!(keys(&all), keys(&defaults));
    let set = settings(&example);
    for setting in all.difference(&set) {
        assert!(defaults.contains(setting), "{setting:?} is not the default");
    }
    for setting in &set {
        // What equals the default may stand there when the example says why; the listen address does.
        let said = !defaults.contains(setting) || setting.0 == "server.listen";
        assert!(said, "{setting:?} is the default: comment it out");
    }
}

/// The variables that the unit and the compose file give to the service.
fn variables() -> Vec<(&'static str, Vec<(String, String)>)> {
    let unit = read("deploy/chancery.service")
        .lines()
        .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let compose = yaml(&read("deploy/compose.yml"));
    let service = compose["services"]["chancery"]["environment"].as_hash().expect("variables");
    let text = |it: &yaml_rust2::Yaml| it.as_str().expect("a text").to_owned();
    let compose = service.iter().map(|(name, value)| (text(name), text(value))).collect();
    let image = read("deploy/Dockerfile")
        .split_whitespace()
        .filter(|word| word.starts_with("CHANCERY_"))
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    vec![("chancery.service", unit), ("compose.yml", compose), ("Dockerfile", image)]
}

#[test]
fn every_variable_that_is_given_is_an_option() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    for (file, variables) in variables() {
        assert!(variables.len() > 1, "{file}: its variables were not read");
        let mut given = Vec::new();
        for (name, value) in variables {
            let value = match name.as_str() {
                "CHANCERY_DATABASE__URL_FILE" => {
                    fs::write(&secret, "postgres://a:b@127.0.0.1/c").expect("the file is written");
                    secret.to_string_lossy().into_owned()
                }
                // A variable of compose with its default.
                _ => match value.split_once(":-") {
                    Some((_, default)) => default.trim_end_matches('}').to_owned(),
                    None => value,
                },
            };
            given.push((name, value));
        }
        let loaded = Config::load(None, given.clone().into_iter());
        assert!(loaded.is_ok(), "{file}: {:?}", loaded.err());
        given.push(("CHANCERY_DATABASE__ADDRESS".to_owned(), "x".to_owned()));
        assert!(Config::load(None, given.into_iter()).is_err(), "an unknown one must not load");
    }
}
