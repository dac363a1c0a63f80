#!/usr/bin/env bash
# A private PostgreSQL for the tests: loopback only, trusting, on a free port, durable (fsync on).
#
#   postgres.sh start    starts it unless it runs already; prints its URL
#   postgres.sh stop     stops it and forgets its data
#   postgres.sh url      prints its URL, or fails when it does not run
#   postgres.sh bindir   prints where the server's programs are, or fails
#
# For tests of a failover, on a server of their own (another CARGO_TARGET_DIR):
#
#   postgres.sh copy            copies the running server as it is now
#   postgres.sh copy standby    the same as a replica, which does not follow
#   postgres.sh crash           the server ends at once
#   postgres.sh again           starts it again as it was left, and prints its URL
#   postgres.sh promote         starts the copy, makes a replica the primary, and prints its URL
#
# It never touches a server of the machine: its data lie below the target directory (or in /tmp when
# the user postgres may not go there), and it has no Unix socket.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

base="$(realpath -m "${CARGO_TARGET_DIR:-target}")/postgres"
oldest=15

die() { echo "postgres: $*" >&2; exit 1; }

# The server refuses to run as root; its own user does it then.
as_server() {
  if [[ $EUID -eq 0 ]]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi
}

bindir() {
  local dir version
  for dir in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -nr) \
    "$(pg_config --bindir 2>/dev/null || true)"; do
    [[ -n $dir && -x $dir/initdb && -x $dir/pg_ctl ]] || continue
    version="$("$dir/postgres" --version | grep -oE '[0-9]+' | head -n 1)"
    if (( version >= oldest )); then echo "$dir"; return 0; fi
  done
  die "no PostgreSQL $oldest or newer found"
}

# The data directory is named in a file, because it may have had to lie elsewhere.
data() { cat "$base/where" 2>/dev/null; }

url() {
  local dir
  dir="$(data)" && url_of "$dir"
}

url_of() {
  local dir="$1" pid port
  [[ -f $dir/postmaster.pid ]] || return 1
  { read -r pid && read -r && read -r && read -r port; } <"$dir/postmaster.pid" || return 1
  [[ -d /proc/$pid || ! -d /proc/self ]] && [[ -n $port ]] || return 1
  echo "postgres://postgres@127.0.0.1:$port/postgres"
}

choose_data() {
  local dir="$base/data"
  mkdir -p "$base"
  rm -rf "$dir"
  if [[ $EUID -eq 0 ]]; then
    id postgres >/dev/null 2>&1 || die "the user postgres is missing: install the package postgresql"
    # A checkout below a private directory is out of that user's reach.
    as_server test -x "$base" 2>/dev/null || dir="$(mktemp -d /tmp/chancery-postgres.XXXXXX)"
    mkdir -p "$dir"
    chown postgres "$dir"
  else
    mkdir -p "$dir"
  fi
  chmod 0700 "$dir"
  echo "$dir" >"$base/where"
}

start() {
  local bin dir port
  if url 2>/dev/null; then return 0; fi
  bin="$(bindir)"
  choose_data
  dir="$(data)"
  as_server "$bin/initdb" -D "$dir" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync \
    >"$base/initdb.log" 2>&1 || { cat "$base/initdb.log" >&2; die "initdb failed"; }
  cat >>"$dir/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
fsync = on
synchronous_commit = on
log_min_duration_statement = 2000
CONF
  launch "$dir" && return 0
  cat "$base/start.log" "$dir/server.log" >&2 2>/dev/null || true
  die "the server did not start"
}

# Starts the server of a data directory on a port that nobody has, and prints its URL.
launch() {
  local dir="$1" bin port
  bin="$(bindir)"
  for _ in 1 2 3 4 5 6 7 8; do
    port=$(( 20000 + RANDOM % 12000 ))
    # Taken by somebody: a connection succeeds.
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
    if as_server "$bin/pg_ctl" -D "$dir" -o "-p $port" -l "$dir/server.log" -w -t 30 start \
      >"$base/start.log" 2>&1 </dev/null; then
      url_of "$dir"
      return 0
    fi
  done
  return 1
}

copy() {
  local dir port
  dir="$(data)"
  port="$(sed -n 4p "$dir/postmaster.pid")"
  mkdir -p "$dir-copy"
  if [[ $EUID -eq 0 ]]; then chown postgres "$dir-copy"; fi
  chmod 0700 "$dir-copy"
  as_server "$(bindir)/pg_basebackup" -h 127.0.0.1 -p "$port" -U postgres -D "$dir-copy" \
    -X stream -c fast --no-sync ${1:+-R} >"$base/copy.log" 2>&1 \
    || { cat "$base/copy.log" >&2; die "pg_basebackup failed"; }
}

crash() { as_server "$(bindir)/pg_ctl" -D "$(data)" -m immediate -w -t 30 stop >/dev/null 2>&1; }

again() { launch "$(data)" || die "the server did not start again"; }

promote() {
  local dir url
  dir="$(data)-copy"
  url="$(launch "$dir")" || { cat "$base/start.log" "$dir/server.log" >&2; die "the copy did not start"; }
  if [[ -f $dir/standby.signal ]]; then
    as_server "$(bindir)/pg_ctl" -D "$dir" -w -t 30 promote >/dev/null 2>&1 || die "not promoted"
  fi
  echo "$url"
}

stop() {
  local dir
  dir="$(data)" || return 0
  for dir in "$dir" "$dir-copy"; do
    if url_of "$dir" >/dev/null; then
      as_server "$(bindir)/pg_ctl" -D "$dir" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
    fi
    rm -rf "$dir"
  done
  rm -f "$base/where"
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  url) url || die "not running" ;;
  bindir) bindir ;;
  copy) copy "${2:-}" ;;
  crash) crash ;;
  again) again ;;
  promote) promote ;;
  *) die "usage: postgres.sh start|stop|url|bindir|copy [standby]|crash|again|promote" ;;
esac
