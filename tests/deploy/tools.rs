//! Finds and runs the programs that judge what `deploy/` ships.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a program is; `None` when `CHANCERY_TEST_SKIP` names it. Fails when it is nowhere.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let skipped = env::var_os("CHANCERY_TEST_SKIP").unwrap_or_default();
    if skipped.to_string_lossy().split(',').any(|it| it.trim() == name) {
        eprintln!("NOT CHECKED: CHANCERY_TEST_SKIP names {name}");
        return None;
    }
    let variable = format!("CHANCERY_TEST_{}", name.to_uppercase().replace('-', "_"));
    let given = env::var_os(variable).map(PathBuf::from);
    let on_path = env::var_os("PATH").unwrap_or_default();
    // Where `make test` puts what it fetches: beside the programs that cargo builds.
    let fetched = Path::new(env!("CARGO_BIN_EXE_chancery")).ancestors().nth(2);
    let found = given
        .into_iter()
        .chain(env::split_paths(&on_path).map(|folder| folder.join(name)))
        .chain(fetched.map(|target| target.join("tools").join(name)))
        .find(|file| file.is_file());
    assert!(
        found.is_some(),
        "{name} is missing: run `make test`, which fetches it, or set CHANCERY_TEST_SKIP={name}"
    );
    found
}

/// Runs a program to its end: whether it succeeded, and all that it said.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .env("SYSTEMD_LOG_LEVEL", "warning")
        .output()
        .expect("the program runs");
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}
