#!/usr/bin/env bash
# Runs every test, on SQLite and on a private PostgreSQL; ends with the runner's own counts.
#
#   test.sh           everything but the long runs
#   test.sh --soak    only the long runs, tests marked #[ignore = "soak"]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

ignored=()
if [[ ${1:-} == --soak ]]; then ignored=(--run-ignored ignored-only); fi

step() { echo "== $*" >&2; }

step "what the tests need"
tests/tools/install.sh test
eval "$(tests/tools/install.sh env)"

if [[ ",${CHANCERY_TEST_SKIP:-}," != *",postgres,"* && -z ${CHANCERY_TEST_POSTGRES:-} ]]; then
  # One that runs already is somebody's: used, and left running.
  if ! tests/tools/postgres.sh url >/dev/null 2>&1; then
    trap 'tests/tools/postgres.sh stop' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  fi
  CHANCERY_TEST_POSTGRES="$(tests/tools/postgres.sh start)"
  export CHANCERY_TEST_POSTGRES
  step "PostgreSQL at $CHANCERY_TEST_POSTGRES"
fi

# The crash tests need the named stopping points, so all tests are built once, with them.
build=(--locked --all-features)

if [[ ${#ignored[@]} -eq 0 ]]; then
  step "formatting"
  if cargo fmt --version >/dev/null 2>&1; then
    cargo fmt --all --check
  else
    echo "formatting NOT checked: rustup component add rustfmt" >&2
  fi
  step "examples in the documentation"
  cargo test "${build[@]}" --doc
fi

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run "${build[@]}" "${ignored[@]}"
elif [[ ${#ignored[@]} -eq 0 ]]; then
  cargo test "${build[@]}" --all-targets --no-fail-fast -- --test-threads 2
else
  cargo test "${build[@]}" --all-targets --no-fail-fast -- --test-threads 1 --ignored
fi
