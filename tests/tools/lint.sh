#!/usr/bin/env bash
# Formatting, clippy, documentation and licences; everything a reviewer should not have to look at.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

step() { echo "== $*" >&2; }

tests/tools/install.sh build

step "formatting"
cargo fmt --all --check

step "clippy"
cargo clippy --locked --all-targets --all-features -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --all-features

step "licences, bans, doubles, sources"
if ! cargo deny --version >/dev/null 2>&1; then
  echo "cargo-deny is missing; installing it takes some minutes" >&2
  cargo install --locked cargo-deny --version '^0.20' || true
fi
if cargo deny --version >/dev/null 2>&1; then
  cargo deny --locked --config .config/deny.toml check --hide-inclusion-graph licenses bans sources
  # The advisories come from a repository that not every machine reaches.
  if ! cargo deny --locked --config .config/deny.toml check advisories; then
    if [[ -n ${CHANCERY_LINT_ADVISORIES:-} ]]; then exit 1; fi
    echo "ADVISORIES NOT CHECKED or found above; CHANCERY_LINT_ADVISORIES=1 makes this an error" >&2
  fi
else
  echo "cargo-deny could not be installed: its bans and licences are checked by tests/supply_chain.rs" >&2
  cargo test --locked --all-features --test supply_chain
fi
