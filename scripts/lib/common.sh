# Shared by the scripts: messages, root rights, paths. Source it with the project's root as working directory.

PROJECT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
DEPS="$PROJECT_ROOT/.deps"
BUILD="${LONGHAUL_BUILD_DIR:-$PROJECT_ROOT/build}"
TORCH_VERSION=2.11.0
# Compilers read LIBRARY_PATH before they look at the project's own folders; a stray one links the wrong library.
unset LIBRARY_PATH

if [ -t 2 ]; then BOLD=$'\e[1m'; RED=$'\e[31m'; PLAIN=$'\e[0m'; else BOLD=; RED=; PLAIN=; fi
say() { printf '%s==> %s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }
die() { printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this step needs root: run it as root, or install sudo. The step: $*"
  fi
}

# tick LOG [FOLDER]: says every now and then that a long step goes on: for how long, how far it is where its log counts
# as ninja does, and how much lies in a folder, if one is named. On a terminal in one line that changes, elsewhere a line
# every 20 seconds. Ends with the script.
tick() {
  local log="$1" folder="${2:-}" start=$SECONDS every=20 size count
  [ ! -t 2 ] || every=1
  while sleep "$every" && kill -0 $$ 2>/dev/null; do
    size= count=$(tail -n 1 "$log" 2>/dev/null | grep -o '^\[[0-9]*/[0-9]*\]' | tr -d '[]' || true)
    [ ! -d "$folder" ] || size=", $(du -sm "$folder" 2>/dev/null | cut -f1) MB"
    if [ -t 2 ]; then printf '\r    %s s%s%s ' "$((SECONDS - start))" "${count:+, $count}" "$size" >&2
    else printf '    %s s%s%s\n' "$((SECONDS - start))" "${count:+, $count}" "$size" >&2
    fi
  done
}

# with_ticks LOG COMMAND…: runs it with its output in the log, and ticks. WATCH names a folder whose growth is shown.
with_ticks() {
  local log="$1" ticker failed=0; shift
  mkdir -p "$(dirname "$log")"
  tick "$log" "${WATCH:-}" & ticker=$!
  "$@" >"$log" 2>&1 || failed=1
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  [ ! -t 2 ] || printf '\r\e[K' >&2
  return "$failed"
}

# The same; on failure shows the log's end and where it is.
run_logged() {
  local log="$1"; shift
  with_ticks "$log" "$@" || { tail -n 40 "$log" >&2; die "failed: $* (full output: $log)"; }
}

# The Python of the oracle environment.
oracle_python() { "$DEPS/oracle/bin/python" "$@"; }
