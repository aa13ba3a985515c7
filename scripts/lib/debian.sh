# The source of Debian packages.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints the archive that this system's apt uses.
debian_archive() {
  apt-get update --print-uris 2>/dev/null | sed -n "s|^'\([^']*/debian\(/[^']*\)\{0,1\}\)/dists/[^']*'.*|\1|p" | head -n 1
}
