# Provides nats-server for scripts/bootstrap. Searches the same places in the same order as src/nats/server/find-nats-server.ts.

bundled_nats=$tools/bin/nats-server
apt_log=$tools/logs/apt.log

# Sets `nats_server` to the path of a nats-server.
find_nats_server() {
  nats_server=${NATS_SERVER:-}
  if [ -n "$nats_server" ]; then
    { [ -f "$nats_server" ] && [ -x "$nats_server" ]; } || fail "NATS_SERVER=$nats_server is not executable" "fix NATS_SERVER, or unset it."
    return 0
  fi
  nats_server=$(command -v nats-server) && return 0
  for directory in ${BOOTSTRAP_SERVER_DIRS-/usr/sbin /usr/local/sbin /usr/local/bin}; do
    nats_server=$directory/nats-server
    [ ! -x "$nats_server" ] || return 0
  done
  nats_server=$bundled_nats
  [ -x "$nats_server" ]
}

provide_nats_server() {
  if command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1; then
    fetch_nats_with_apt
    return 0
  fi
  for command in "brew install nats-server" "pacman -S nats-server" "dnf install nats-server" "apk add nats-server"; do
    command -v "${command%% *}" >/dev/null 2>&1 || continue
    fail "nats-server is missing" "run '$command' (as root where needed), then run this again; or $nats_advice"
  done
  fail "nats-server is missing" "$nats_advice"
}

# Installing Debian's package would start a service on 0.0.0.0:4222, so it is only unpacked here. If the system's package lists are
# missing or too old, apt fetches separate lists, which needs no root and changes nothing else.
fetch_nats_with_apt() {
  say "fetching nats-server into $tools/bin: Debian's package, unpacked and not installed, so no service starts"
  mkdir -p "$scratch/lists/partial" "$scratch/archives/partial" "$scratch/download" "$scratch/unpacked"
  watch_command describe_download "$apt_log" fetch_and_unpack || explain_apt_failure $? "$apt_log"
  program=$(find "$scratch/unpacked" -type f -name nats-server | head -n 1)
  [ -n "$program" ] || fail "Debian's package does not contain nats-server" "$nats_advice"
  chmod 755 "$program"
  version=$("$program" --version) || fail "the nats-server of Debian's package does not run here" "$nats_advice"
  mkdir -p "$tools/bin"
  # Rename, so that it never appears half written.
  mv "$program" "$bundled_nats"
  say "$version, in $seconds s"
}
describe_download() { echo "fetching nats-server, $(du -sm "$scratch" | cut -f 1) MB, $seconds s"; }

fetch_and_unpack() {
  # As root, apt would download as the user _apt, which has no access to this directory.
  set -- -q -o "Dir::Cache=$scratch" -o APT::Sandbox::User=root -o Acquire::Languages=none
  if ! apt_download "$@"; then
    echo "The system's package lists do not offer it; fetching lists into $scratch."
    set -- "$@" -o "Dir::State::Lists=$scratch/lists"
    # Ignore the exit code of apt-get update: one unreachable source must not hide the others.
    apt-get "$@" update || true
    apt_download "$@" || return 1
  fi
  dpkg-deb -x "$scratch"/download/nats-server_*.deb "$scratch/unpacked"
}
apt_download() { (cd "$scratch/download" && apt-get "$@" download nats-server); }
