# Explains why nats-server could not be fetched.

nats_advice="install nats-server 2.9 or newer (https://nats.io/download) so that it is on PATH, or set NATS_SERVER to its path; then run this again."

# explain_apt_failure <exit code> <log>
explain_apt_failure() {
  quote_log "$2"
  say "apt's output: $2"
  case $1 in 130 | 143) exit "$1" ;; 137) fail "apt was killed" "free some memory, then run this again." ;; esac
  if grep -aqE 'No space left|not enough free space' "$2"; then
    fail "the disk is full ($(free_space "$tools"))" "free about 200 MB there, then run this again."
  elif grep -aqiE 'certificate' "$2"; then
    fail "the certificate of Debian's archive is not trusted" "check this machine's clock (date) and its CA certificates (package ca-certificates), then run this again; or $nats_advice"
  elif grep -aqE 'Could not resolve|failure resolving|Could not connect|Unable to connect|Connection (timed out|refused|failed)|[Nn]etwork is unreachable' "$2"; then
    fail "Debian's archive cannot be reached" "check the network, and apt's proxy if there is one (apt-config dump | grep -i proxy), then run this again; or $nats_advice"
  elif grep -aqE 'NO_PUBKEY|is not signed|signature' "$2"; then
    fail "apt does not trust the archive's signature" "update the keys (package debian-archive-keyring), then run this again; or $nats_advice"
  elif grep -aqE 'Permission denied' "$2"; then
    fail "apt lacks permission to read or write a file (see above)" "fix its permissions, then run this again; or $nats_advice"
  elif grep -aqE 'Unable to locate package|No packages found|no installation candidate|Can.t find a source to download' "$2"; then
    fail "apt's sources do not offer nats-server, which Debian has since version 12" "$nats_advice"
  fi
  fail "nats-server could not be fetched with apt" "$nats_advice"
}
