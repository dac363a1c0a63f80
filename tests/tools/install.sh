#!/usr/bin/env bash
# Brings what a build or the tests need to this machine, and says what it did.
#
#   install.sh build   a C compiler, which the bundled SQLite and ring are compiled with
#   install.sh test    besides: PostgreSQL 15 or newer, promtool, systemd-analyze, nginx, schemathesis,
#                      icalendar (both from PyPI), and the reference server of the AT protocol (Node.js 18 or newer)
#   install.sh env     prints the variables by which the tests find those tools, for `eval`
#
# Nothing is installed that is already there. PostgreSQL and systemd come from the system's packages
# (root or sudo); promtool, nginx, schemathesis and icalendar go below the target directory and need neither. Only
# PostgreSQL and the compiler are necessary here: a test that lacks one of the other tools fails
# with its name, unless CHANCERY_TEST_SKIP (names joined by commas) lists it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools="$(realpath -m "${CARGO_TARGET_DIR:-target}")/tools"
schemathesis_version=4.32.5
icalendar_version=7.3.0

say() { echo "install: $*" >&2; }
die() { say "$*"; exit 1; }
have() { type -P "$1" >/dev/null; }
skipped() { [[ ",${CHANCERY_TEST_SKIP:-}," == *",$1,"* ]]; }

apt_lists_are_fresh=no
refresh_lists() {
  [[ $apt_lists_are_fresh == no ]] || return 0
  as_root apt-get update -q >&2 || say "apt-get update failed; trying with the lists there are"
  apt_lists_are_fresh=yes
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif have sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
    sudo "$@"
  else
    say "not allowed to run as root: $*"
    return 1
  fi
}

# Installs system packages, or says which command a person must give.
packages() {
  have apt-get || { say "no apt-get here; please install what Debian calls: $*"; return 1; }
  say "installing $*"
  refresh_lists
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" \
    >&2 || { say "please run: sudo apt-get install $*"; return 1; }
}

get_compiler() {
  have cargo || die "cargo is missing: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer (https://rustup.rs)"
  have cc || packages gcc libc6-dev || die "a C compiler is needed to build"
}

get_postgres() {
  tests/tools/postgres.sh bindir >/dev/null 2>&1 && return 0
  skipped postgres && return 0
  packages postgresql || die "PostgreSQL 15 or newer is needed (or CHANCERY_TEST_SKIP=postgres)"
  tests/tools/postgres.sh bindir >/dev/null || die "the system's PostgreSQL is older than 15"
}

# Only one program of a Debian package: the package itself would start a daemon.
#   fetch_program <program> <package> <where it is in the package>
fetch_program() {
  local program="$1" package="$2" place="$3" work
  { have "$program" || [[ -x $tools/$program ]] || skipped "$program"; } && return 0
  have apt-get && have dpkg-deb || { say "no $program, and no apt-get to get it with"; return 0; }
  say "fetching $program from the package $package"
  work="$(mktemp -d)"
  mkdir -p "$tools"
  (
    cd "$work"
    apt-get download -q "$package" >&2 2>&1 || { refresh_lists; apt-get download -q "$package" >&2; }
    dpkg-deb -x "$package"_*.deb .
    install -m 0755 "$place" "$tools/$program"
  ) || say "$program could not be fetched; its tests will fail"
  rm -rf "$work"
}

get_judges() {
  fetch_program promtool prometheus usr/bin/promtool
  fetch_program nginx nginx usr/sbin/nginx
}

get_systemd() {
  { have systemd-analyze || skipped systemd-analyze; } && return 0
  packages systemd || say "no systemd-analyze; its tests will fail"
}

# The reference server of the AT protocol, exactly as the lock file has it; SQLite is compiled for it.
get_pds() {
  local home="$tools/pds"
  { [[ -f $home/.whole ]] && cmp -s tests/pds/package-lock.json "$home/package-lock.json"; } || skipped pds || {
    rm -rf "$home" && mkdir -p "$home"
    have npm && have node || packages nodejs npm || { say "NOT CHECKED: no Node.js for the reference server"; return 0; }
    say "installing the reference server of the AT protocol"
    cp tests/pds/package.json tests/pds/package-lock.json "$home/"
    # Its SQLite is compiled: with the headers of this machine where it has them, for others come from a
    # server that is no package registry.
    [[ ! -f /usr/include/node/node.h ]] || local -x npm_config_nodedir=/usr
    (cd "$home" && npm ci --silent --no-audit --no-fund --omit=optional >&2 && touch .whole) \
      || say "NOT CHECKED: the reference server could not be installed"
  }
  [[ ! -d $home ]] || cp tests/pds/serve.mjs "$home/"
}

get_schemathesis() {
  local venv="$tools/schemathesis-$schemathesis_version"
  { [[ -x $venv/bin/schemathesis ]] || skipped schemathesis; } && return 0
  have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null \
    || packages python3 python3-venv python3-pip || { say "no Python; schemathesis tests will fail"; return 0; }
  say "installing schemathesis $schemathesis_version"
  # Made under another name and moved when whole, so that a broken install is never taken for one.
  rm -rf "$venv.part" && mkdir -p "$tools"
  if python3 -m venv "$venv.part" \
    && "$venv.part/bin/python" -m pip install -q --disable-pip-version-check "schemathesis==$schemathesis_version" >&2; then
    # Scripts of an environment name its path; the module does not care.
    mv "$venv.part" "$venv"
    printf '#!/bin/sh\nexec "%s/bin/python" -m schemathesis.cli "$@"\n' "$venv" >"$venv/bin/schemathesis"
    chmod 0755 "$venv/bin/schemathesis"
  else
    say "schemathesis could not be installed; its tests will fail"
  fi
}

# A library that reads calendars, by somebody else than those whose software writes or reads them here.
get_icalendar() {
  local venv="$tools/icalendar-$icalendar_version"
  { [[ -f $venv/.whole ]] || skipped icalendar; } && return 0
  rm -rf "$venv" && mkdir -p "$venv"
  have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null \
    || packages python3 python3-venv python3-pip || { say "NOT CHECKED: no Python for icalendar"; return 0; }
  say "installing icalendar $icalendar_version"
  python3 -m venv "$venv" \
    && "$venv/bin/python" -m pip install -q --disable-pip-version-check "icalendar==$icalendar_version" >&2 \
    && touch "$venv/.whole" \
    || say "NOT CHECKED: icalendar could not be installed"
}

print_env() {
  local skip="${CHANCERY_TEST_SKIP:-}"
  local found
  local program
  for program in promtool nginx; do
    found="$(PATH="$tools:$PATH" type -P "$program" || true)"
    [[ -z $found ]] || printf 'export CHANCERY_TEST_%s=%q\n' "${program^^}" "$found"
  done
  found="$tools/schemathesis-$schemathesis_version/bin/schemathesis"
  [[ ! -x $found ]] || printf 'export CHANCERY_TEST_SCHEMATHESIS=%q\n' "$found"
  if [[ -f $tools/pds/.whole ]]; then
    printf 'export CHANCERY_TEST_PDS=%q\n' "$tools/pds"
  elif [[ -d $tools/pds ]]; then
    # It was tried: the test says that it has checked nothing.
    skip="${skip:+$skip,}pds"
  fi
  found="$tools/icalendar-$icalendar_version"
  if [[ -f $found/.whole ]]; then
    printf 'export CHANCERY_TEST_ICALENDAR=%q\n' "$found/bin/python"
  elif [[ -d $found ]]; then
    skip="${skip:+$skip,}icalendar"
  fi
  [[ $skip == "${CHANCERY_TEST_SKIP:-}" ]] || printf 'export CHANCERY_TEST_SKIP=%q\n' "$skip"
}

case "${1:-}" in
  build) get_compiler ;;
  test) get_compiler; get_postgres; get_systemd; get_judges; get_schemathesis; get_icalendar; get_pds ;;
  env) print_env ;;
  *) die "usage: install.sh build|test|env" ;;
esac
