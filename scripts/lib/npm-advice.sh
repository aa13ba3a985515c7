# Explains why `npm ci` failed, after quoting npm's own messages and the path of its log.

no_node_advice="if this machine is Linux on x64 or arm64, run this again: npm skips the package that holds Node when its download fails. Otherwise install Node 24 (https://nodejs.org)."

# explain_npm_failure <exit code> <log>
explain_npm_failure() {
  quote_log "$2"
  say "npm's output: $2"
  npm_code=$(sed -nE 's/^npm (ERR!|error) code ([A-Z0-9_]+).*/\2/p' "$2" | head -n 1)
  case $1 in
    130 | 143) exit "$1" ;;
    137) fail "npm was killed" "look for the reason in the kernel's log (dmesg); usually memory ran out. Free some, then run this again." ;;
  esac
  explain_npm_code "${npm_code:-$(npm_code_from_text "$2")}" "$1"
}

# Derives a code from a message without one. The first match counts; the most specific come first.
npm_code_from_text() {
  while read -r name pattern; do
    ! grep -aqE "$pattern" "$1" || { echo "$name"; return 0; }
  done <<'PATTERNS'
ENOSPC ENOSPC|[Nn]o space left
EACCES EACCES|EPERM|EROFS|[Pp]ermission denied
CERTIFICATE SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|CERT_|self.signed certificate
ENOTFOUND ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|network
NODE_TOO_OLD does not support Node|not to run on Node|SyntaxError
GYP gyp (ERR!|error)|node-gyp|not found: make
BROKEN_OFF Exit handler never called
PATTERNS
}

# explain_npm_code <code> <exit code>
explain_npm_code() {
  case $1 in
    ENOSPC)
      fail "the disk is full ($(free_space "$root"))" "free about 1 GB there and where npm caches ($(npm_config cache)), then run this again." ;;
    EACCES | EPERM | EROFS)
      fail "npm has no permission to write ($1)" "see the path above. If it belongs to root, an earlier sudo is the usual cause: change the owner (sudo chown -R \"\$(id -u)\" $root $(npm_config cache)), then run this again without sudo." ;;
    CERTIFICATE | SELF_SIGNED_CERT_IN_CHAIN | DEPTH_ZERO_SELF_SIGNED_CERT | UNABLE_TO_GET_ISSUER_CERT* | UNABLE_TO_VERIFY_LEAF_SIGNATURE | ERR_TLS_CERT_ALTNAME_INVALID)
      fail "the certificate of $(npm_config registry) is not trusted ($1)" "if a proxy of your network signs it, name that proxy's CA: npm config set cafile /path/to/ca.pem. Then run this again." ;;
    CERT_HAS_EXPIRED | CERT_NOT_YET_VALID)
      fail "the certificate of $(npm_config registry) is not valid today ($1)" "check this machine's clock (date), then run this again." ;;
    ENOTFOUND | EAI_AGAIN | ECONNREFUSED | ECONNRESET | ETIMEDOUT | EIDLETIMEOUT | ENETUNREACH | EHOSTUNREACH | ERR_SOCKET_TIMEOUT | E5?? | E429)
      fail "the npm registry $(npm_config registry) cannot be reached ($1)" "check the network. Behind a proxy: npm config set proxy URL and https-proxy URL. With a mirror: npm config set registry URL. Then run this again." ;;
    E401 | E403 | ENEEDAUTH)
      fail "the npm registry $(npm_config registry) refuses access ($1)" "log in (npm login), or use another registry (npm config set registry URL); then run this again." ;;
    E404 | ETARGET)
      case $(npm_config registry) in
        https://registry.npmjs.org*) fail "the npm registry lacks a package of package-lock.json ($1)" "update this clone (git pull), then run this again; a package that was withdrawn needs a newer lock file." ;;
        *) fail "the npm registry $(npm_config registry) lacks a package of package-lock.json ($1)" "use a complete one (npm config set registry https://registry.npmjs.org/), then run this again." ;;
      esac ;;
    EINTEGRITY)
      fail "a package differs from package-lock.json (EINTEGRITY)" "clear npm's cache (npm cache clean --force) and run this again. If it fails again, the registry $(npm_config registry) serves other files." ;;
    EUSAGE) fail_for_mismatch "see above" ;;
    NODE_TOO_OLD | EBADENGINE | ERR_REQUIRE_ESM)
      fail "npm does not run with Node ${installed:-of PATH}" "install Node 20 or newer together with its npm (https://nodejs.org), then run this again." ;;
    EBADPLATFORM)
      fail "a package is not made for this machine (EBADPLATFORM)" "use Linux on x64 or arm64, with Node for the same architecture: $(uname -sm) runs a Node for $(PATH=$own_path node -p 'process.arch')." ;;
    GYP)
      fail "npm tried to compile a package, which is never needed here" "find what overrides ignore-scripts (npm config get ignore-scripts; env | grep -i npm_config), remove it and run this again." ;;
    ENOTEMPTY | EEXIST | BROKEN_OFF)
      fail "npm broke off (${1})" "end any other npm in this directory, remove node_modules and run this again." ;;
    *)
      fail "npm ci failed (exit code $2${1:+, $1})" "read npm's message above; then run this again." ;;
  esac
}

# fail_for_mismatch <what differs>
fail_for_mismatch() {
  fail "package.json and package-lock.json do not match: $1" "restore both (git checkout package.json package-lock.json), or after a change of your own update the lock file (npm install --package-lock-only); then run this again."
}

npm_config() { PATH=$own_path npm config get "$1" 2>/dev/null || echo "(unknown)"; }
