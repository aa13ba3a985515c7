# Where Debian's packages come from.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The archive that this system's own apt uses.
debian_archive() {
  apt-get update --print-uris 2>/dev/null | sed -n "s|^'\([^']*/debian\(/[^']*\)\{0,1\}\)/dists/[^']*'.*|\1|p" | head -n 1
}
