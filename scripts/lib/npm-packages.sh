# Installs npm packages for scripts/bootstrap. No package needs an install script (see .npmrc), so no compiler or Python is needed.

needed_major=24
bundled_node=$root/node_modules/.bin/node
stamp=node_modules/.bootstrap-stamp
npm_log=$tools/logs/npm-ci.log

# The stamp holds a checksum of the requested and the installed packages, then the path of each package.
checksum() { cat package.json package-lock.json node_modules/.package-lock.json 2>/dev/null | cksum; }
packages_are_current() {
  [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$(checksum)" ] && tail -n +2 "$stamp" | are_installed && restore_node_link && find_node && is_new_enough
}
are_installed() {
  while read -r package; do [ -f "$package/package.json" ] || return 1; done
}

# npm 9 removes this link when it skips the Node package for another platform.
restore_node_link() {
  for bundled in node_modules/node-linux-*/bin/node; do
    [ ! -x "$bundled" ] || [ -x node_modules/.bin/node ] || ln -sf "../${bundled#node_modules/}" node_modules/.bin/node
  done
}

# Sets `node` to the Node that npm scripts use: from node_modules, else from PATH.
find_node() {
  node=$bundled_node
  [ -x "$node" ] || node=$(PATH=$own_path command -v node) || return 1
}
# Sets `major`, and sets `broken` if it is too old.
is_new_enough() {
  # In a subshell, which does not report a crash.
  major=$(sh -c '"$0" -p "process.versions.node.split(\".\")[0]"' "$node" 2>/dev/null) || return 1
  broken=old-node
  [ "$major" -ge "$needed_major" ] 2>/dev/null
}
# PATH without this clone's node_modules, which npm puts first: npm must not replace the Node that it is running on.
own_path=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$root/node_modules/.bin" | paste -sd : -)

provide_packages() {
  if ! packages_were_installed_by_hand; then
    require_node_and_npm
    install_packages
    packages_work || explain_broken_packages
  fi
  problem=$({ { checksum; cat "$scratch/packages"; } | write "$scratch/stamp" && mv "$scratch/stamp" "$stamp"; } 2>&1) || explain_unwritable "$problem"
}
packages_were_installed_by_hand() {
  [ -f node_modules/.package-lock.json ] && packages_work && list_packages "$node" 2>/dev/null && "$node" -e "$COMPARE_PACKAGES" "$scratch/packages" 2>/dev/null && are_installed <"$scratch/packages"
}

require_node_and_npm() {
  PATH=$own_path command -v node >/dev/null 2>&1 ||
    fail "node is not installed" "install Node 20 or newer with npm (Debian: apt install nodejs npm; else https://nodejs.org)."
  installed=$(PATH=$own_path node --version 2>/dev/null) || installed=none
  case $installed in
    none | v[0-9].* | v1[0-9].*)
      fail "Node 20 or newer is needed to install, but $(PATH=$own_path command -v node) is $installed" "install Node 20 or newer (https://nodejs.org), then run this again." ;;
  esac
  PATH=$own_path command -v npm >/dev/null 2>&1 ||
    fail "npm is not installed" "install npm, which usually comes with Node (Debian: apt install npm)."
}

# Prints the paths of the packages in the lock file that apply to this platform. npm marks a package as optional if it is for certain
# platforms only, or is needed only by such packages. Exits with 3 if package.json does not match the lock file.
LIST_PACKAGES='
const { existsSync, readFileSync } = require("node:fs");
const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const asked = JSON.parse(readFileSync("package.json", "utf8"));
for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
  const locked = packages[""]?.[kind] ?? {};
  for (const name of Object.keys({ ...asked[kind], ...locked })) {
    const [here, there] = [asked[kind]?.[name] ?? "none", locked[name] ?? "none"];
    if (here === there) continue;
    console.error(`${name} is ${here} in package.json and ${there} in package-lock.json`);
    process.exitCode = 3;
  }
}
const libc = existsSync("/etc/alpine-release") ? "musl" : "glibc";
const allows = (list, name) => list === undefined || [list].flat().includes(name);
for (const [path, p] of Object.entries(packages)) {
  const isForHere = allows(p.os, process.platform) && allows(p.cpu, process.arch) && allows(p.libc, libc);
  if (path !== "" && isForHere && !(p.optional && p.os === undefined && p.cpu === undefined)) console.log(path);
}'
# Succeeds if the versions that npm last installed are those of the lock file.
COMPARE_PACKAGES='
const { readFileSync } = require("node:fs");
const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages ?? {};
const [locked, installed] = ["package-lock.json", "node_modules/.package-lock.json"].map(packagesOf);
const paths = readFileSync(process.argv[1], "utf8").split("\n").filter(Boolean);
process.exitCode = paths.every((path) => installed[path]?.version === locked[path].version) ? 0 : 1;'

# list_packages <node>: writes the list to $scratch/packages.
list_packages() { PATH=$own_path "$1" -e "$LIST_PACKAGES" >"$scratch/packages"; }

install_packages() {
  for lock in package.json package-lock.json; do
    [ -f "$lock" ] || fail "$root has no $lock" "restore it (git checkout $lock), then run this again."
  done
  code=0
  mismatch=$(list_packages node 2>&1) || code=$?
  case $code:$mismatch in
    0:*) ;;
    *ENOSPC* | *"No space"*) explain_npm_code ENOSPC 0 ;;
    3:*) fail_for_mismatch "$(echo "$mismatch" | head -n 1)" ;;
    *) fail "package.json or package-lock.json cannot be read: $(echo "$mismatch" | grep -m 1 Error)" "restore both (git checkout package.json package-lock.json), then run this again." ;;
  esac
  total=$(wc -l <"$scratch/packages" | tr -d ' ')
  bundled_version=$(sed -n '/"node_modules\/node-linux-/{n;s/.*"version": "\(.*\)".*/\1/p;}' package-lock.json | head -n 1)
  say "installing into $root/node_modules: $total npm packages${bundled_version:+, with Node $bundled_version} (this system has Node ${installed#v})"
  arrived=0
  arrived_at=0
  code=0
  watch_command describe_packages "$npm_log" \
    env PATH="$own_path" npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --no-color --loglevel=http \
    --include=dev --include=optional --no-engine-strict --bin-links --no-dry-run \
    --fetch-retries=3 --fetch-retry-mintimeout=2000 --fetch-retry-factor=2 --fetch-timeout=60000 || code=$?
  [ "$code" -eq 0 ] || explain_npm_failure "$code" "$npm_log"
  count_packages
  say "$arrived packages, $megabytes MB, in $seconds s"
  keep_installed
}

# Records the installed packages. npm also succeeds if it could not fetch a platform-specific package.
keep_installed() {
  kept=
  skipped=
  while read -r package; do
    if [ -f "$package/package.json" ]; then kept="$kept $package"; else skipped="$skipped ${package#node_modules/}"; fi
  done <"$scratch/packages"
  problem=$({ printf '%s\n' $kept | write "$scratch/packages"; } 2>&1) || explain_unwritable "$problem"
  [ -z "$skipped" ] || say "npm skipped$skipped: if something misses them, remove node_modules and run this again"
}

# Sets `arrived` and `megabytes`.
count_packages() {
  arrived=0
  while read -r package; do [ ! -f "$package/package.json" ] || arrived=$((arrived + 1)); done <"$scratch/packages"
  megabytes=$(du -sm node_modules 2>/dev/null | cut -f 1)
}

# Prints the progress, and the reason if no package has arrived for a while.
describe_packages() {
  count_packages
  line="$((arrived * 100 / total)) % ($arrived of $total packages, ${megabytes:-0} MB), $seconds s"
  before=$(cat "$scratch/progress" 2>/dev/null || echo "0 0")
  if [ "${before#* }" != "$arrived-${megabytes:-0}" ]; then
    { echo "$seconds $arrived-${megabytes:-0}" >"$scratch/progress"; } 2>/dev/null || true
  elif [ $((seconds - ${before%% *})) -ge 5 ]; then
    line="$line, none for $((seconds - ${before%% *})) s: $(why_npm_waits)"
  fi
  echo "$line"
}

why_npm_waits() {
  reason=$(sed -n 's/^npm http fetch .* attempt \([0-9]*\) failed with \(.*\)/attempt \1 failed with \2/p' "$npm_log" | tail -n 1)
  echo "${reason:-perhaps a slow network}; npm keeps trying"
}

# Checks that the packages work; if not, sets `broken` to the part that does not.
packages_work() {
  restore_node_link
  broken=no-node
  find_node || return 1
  broken=node
  is_new_enough || return 1
  broken=sqlite
  "$node" -e 'new (require("better-sqlite3"))(":memory:").prepare("select 1").get()' >"$scratch/sqlite.log" 2>&1
}

# npm also succeeds if it could not fetch or write a platform-specific package.
explain_broken_packages() {
  [ "$(free_kilobytes "$root")" -gt 20480 ] || explain_npm_code ENOSPC 0
  case $broken in
    no-node) fail "Node $needed_major is missing" "$no_node_advice" ;;
    node) fail "$node does not run on this system" "install Node $needed_major for this system and put it first on PATH, then run this again." ;;
    old-node) fail "Node $needed_major is needed, but $node is version $major" "$no_node_advice" ;;
  esac
  quote_log "$scratch/sqlite.log"
  fail "better-sqlite3 does not load in Node $major" "run this again; its binaries cover Linux, macOS and Windows on x64 and arm64."
}
