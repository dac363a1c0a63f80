#!/usr/bin/env bash
# Takes one safeguard after the other out of a copy of this tree and runs the model on it: each must be
# found. A patch that is not found, or does not fit any more, fails the script. A patch with a line
# `By: tests/it NAME` is for those tests instead, where the model does not reach.
#
#   weakened.sh           all of tests/weakened/
#   weakened.sh NAME...   only these
#
# CHANCERY_TEST_SEEDS says how many seeds are tried at most; 400 when not set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root="$PWD"
tree="$(mktemp -d)"
trap 'rm -rf "$tree"' EXIT

# Its own, and never one that is used for another tree: cargo would take the build of the one for the other.
export CARGO_TARGET_DIR="${CHANCERY_WEAKENED_TARGET:-$root/target/weakened}"
export CHANCERY_TEST_SKIP=postgres CHANCERY_TEST_SEED=0 CHANCERY_TEST_SHORTENINGS=0
export CHANCERY_TEST_SEEDS="${CHANCERY_TEST_SEEDS:-400}" RUST_BACKTRACE=0

tar -c --exclude=./target --exclude=./.git . | tar -x -C "$tree"
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
  for patch in tests/weakened/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

missed=0
for name in "${names[@]}"; do
  patch="$root/tests/weakened/$name.patch"
  if ! (cd "$tree" && git apply -C1 --recount "$patch"); then
    echo "$name: the patch does not fit any more" >&2
    missed=1
    continue
  fi
  by="$(sed -n 's/^By: tests\/it //p' "$patch")"
  run=(--test model -- --ignored --nocapture)
  where="$CHANCERY_TEST_SEEDS seeds"
  if [[ -n $by ]]; then
    run=(--test it -- "$by" --nocapture)
    where="tests/it $by"
  fi
  log="$tree/weakened.log"
  if ! (cd "$tree" && cargo test --locked --all-features "${run[@]:0:2}" --no-run) 2>"$log"; then
    echo "$name: does not build" >&2
    cat "$log" >&2
    missed=1
  elif (cd "$tree" && cargo test --locked --all-features "${run[@]}") >"$log" 2>&1; then
    echo "$name: NOT FOUND in $where" >&2
    missed=1
  else
    # The first finding, with its seed or its test.
    echo "$name: found, $(grep -m1 -A1 -E "^seed | panicked at " "$log" | tr '\n' ' ')"
  fi
  (cd "$tree" && git apply -C1 --recount -R "$patch")
done
exit "$missed"
