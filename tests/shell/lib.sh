# What the tests that need more than cargo share: a cache, a temporary folder, Python environments, a demo to test
# against. Sourced by `tests/*/run` with the repository's top as working directory.
#
# What can be used again is kept in a folder outside the checkout, BOLTGRAM_CI_CACHE or boltgram-ci in the user's cache
# folder.

cache=${BOLTGRAM_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/boltgram-ci}
# A node takes a variable of this prefix that it doesn't know for a mistake.
unset BOLTGRAM_CI_CACHE
# Python leaves nothing in the checkout.
export PYTHONDONTWRITEBYTECODE=1

ready_seconds=180
stop_seconds=60

temporary=$(mktemp -d)
log=$temporary/log
# What runs in the background, if anything does: ended with the script.
background=

# Ends what still runs, and shows what it said if the script fails.
cleanup() {
  local code=$?
  if [[ -n $background ]] && kill -0 "$background" 2>/dev/null; then
    kill -TERM "$background" 2>/dev/null || true
    await_end || kill -KILL "$background" 2>/dev/null || true
    wait "$background" 2>/dev/null || true
  fi
  if ((code != 0)) && [[ -s $log ]]; then
    echo "--- the last lines of what ran in the background"
    tail -n 100 "$log"
  fi
  rm -rf "$temporary"
  exit "$code"
}
trap cleanup EXIT

# Waits until what runs in the background has ended; fails when it takes too long.
await_end() {
  local deadline=$((SECONDS + stop_seconds))
  while kill -0 "$background" 2>/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# Waits until a command succeeds, while what runs in the background does: `await NAME COMMAND...`.
await() {
  local what=$1 deadline=$((SECONDS + ready_seconds))
  shift
  until "$@" >/dev/null 2>&1; do
    kill -0 "$background" 2>/dev/null || fail "$what ended before it was ready"
    ((SECONDS < deadline)) || fail "$what was not ready within $ready_seconds s"
    sleep 0.2
  done
}

fail() {
  echo "error: $*" >&2
  exit 1
}

# Sets `venv` to an environment with the packages of a requirements file: one for each file's content and Python, marked
# when it is complete.
prepare_python() {
  local requirements=$1 version key
  version=$(python3 -c 'import sys; print(sys.version)')
  key=$(printf '%s\n' "$version" | cat - "$requirements" | sha256sum | cut -c1-16)
  venv=$cache/python-$key
  if [[ ! -e $venv/complete ]]; then
    rm -rf "$venv"
    mkdir -p "$cache"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    touch "$venv/complete"
  fi
}

# The Debian mirror that this machine's apt uses.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$' ||
    fail "apt knows no Debian mirror"
}

# debootstrap as it is installed, or unpacked beside the system.
run_debootstrap() {
  if command -v debootstrap >/dev/null; then
    debootstrap "$@"
    return
  fi
  local tools=$temporary/debootstrap
  if [[ ! -d $tools ]]; then
    mkdir "$tools"
    (cd "$tools" && apt-get download debootstrap && dpkg -x debootstrap_*.deb .) || fail "install debootstrap"
  fi
  DEBOOTSTRAP_DIR=$tools/usr/share/debootstrap "$tools/usr/sbin/debootstrap" "$@"
}

# Sets `system` to a folder with a Debian system of a suite and packages, made once: `prepare_system SUITE PACKAGES`.
prepare_system() {
  local suite=$1 packages=$2 from
  system=$cache/debian-$suite-${packages//,/-}
  if [[ ! -e $system.complete ]]; then
    [[ $(id -u) == 0 ]] || fail "run this as root, so that debootstrap can unpack a system"
    from=$(mirror)
    rm -rf "$system"
    mkdir -p "$cache"
    run_debootstrap --variant=minbase --include="$packages" "$suite" "$system" "$from" >>"$log" 2>&1 ||
      fail "debootstrap could not unpack $suite"
    rm -rf "$system/var/cache/apt" "$system/var/lib/apt/lists"
    touch "$system.complete"
  fi
}

# Sid has bitcoind; the others are for the image that is made of the same system.
prepare_bitcoind_system() {
  prepare_system sid bitcoin-knots,curl,jq
}

is_json() {
  [[ -s $1 ]] && python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$1" 2>/dev/null
}

# Starts a demo on free ports and waits until it is ready; sets `demo` to the file that describes it.
start_demo() {
  demo=$temporary/demo.json
  cargo build --quiet
  # cargo becomes the binary that it runs, so this is the demo's own process id.
  cargo run --quiet -- demo --keep-running --any-ports --json "$demo" --data-dir "$temporary/data" \
    </dev/null >"$log" 2>&1 &
  background=$!
  await "the demo" is_json "$demo"
}

# Stops the demo as an operator does, and checks how it ends.
stop_demo() {
  local code=0
  kill -TERM "$background"
  await_end || fail "the demo did not end within $stop_seconds s of SIGTERM"
  wait "$background" || code=$?
  background=
  ((code == 0)) || fail "the demo ended with exit code $code after SIGTERM"
  echo "the demo ended with exit code 0 after SIGTERM"
}
