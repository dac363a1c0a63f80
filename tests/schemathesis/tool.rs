//! Finds schemathesis and runs it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::desk::Desk;

/// Where the program is; `None` when `CHANCERY_TEST_SKIP` names it. Fails when it is nowhere.
pub(crate) fn find() -> Option<PathBuf> {
    let skipped = env::var_os("CHANCERY_TEST_SKIP").unwrap_or_default();
    if skipped.to_string_lossy().split(',').any(|it| it.trim() == "schemathesis") {
        eprintln!("NOT CHECKED: CHANCERY_TEST_SKIP names schemathesis");
        return None;
    }
    let given = env::var_os("CHANCERY_TEST_SCHEMATHESIS").map(PathBuf::from);
    let on_path = env::var_os("PATH").unwrap_or_default();
    let found = given
        .into_iter()
        .chain(env::split_paths(&on_path).map(|folder| folder.join("schemathesis")))
        .find(|file| file.is_file());
    assert!(
        found.is_some(),
        "schemathesis is missing: run `make test`, which fetches it, or \
         `eval \"$(tests/tools/install.sh env)\"` after it did, or set CHANCERY_TEST_SKIP=schemathesis"
    );
    found
}

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    /// The program.
    pub(crate) program: PathBuf,
    /// The OpenAPI document to believe.
    pub(crate) document: Value,
    /// Its configuration.
    pub(crate) settings: String,
    /// Cases at most, for each operation and phase.
    pub(crate) examples: u32,
    /// Only this operation.
    pub(crate) only: Option<&'static str>,
}

impl Run {
    /// Whether it found nothing, and all that it said.
    pub(crate) async fn against(self, desk: &Desk) -> (bool, String) {
        let (base, token) = (desk.base.clone(), desk.token.clone());
        // It takes a while, and the simulated platforms must go on answering.
        tokio::task::spawn_blocking(move || self.run(&base, &token)).await.unwrap()
    }

    fn run(&self, base: &str, token: &str) -> (bool, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let document = file("openapi.json", &self.document.to_string());
        let settings = file("schemathesis.toml", &self.settings);
        let mut command = Command::new(&self.program);
        command.arg("--config-file").arg(&settings).arg("run").arg(&document);
        command.args(["--url", base, "--max-examples", &self.examples.to_string()]);
        // Bounded and the same each time: a fixed seed (in the settings), nothing remembered, no
        // hunt for the smallest case.
        command.args(["--generation-database", "none", "--no-shrink", "--no-color"]);
        command.args(["--continue-on-failure", "--checks", "all", "--request-timeout", "20"]);
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
        if let Some(only) = self.only {
            command.args(["--include-operation-id", only]);
        }
        let output = quiet(&mut command, folder.path()).output().unwrap();
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    }
}

/// Leaves nothing behind and goes through no proxy.
fn quiet<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        command.env_remove(name);
    }
    command.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1").env("COLUMNS", "160")
}
