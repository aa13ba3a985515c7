/** Multiaddrs, PeerIDs, host names and URLs, in all the places that take one. */
import { isIP, isIPv6 } from "node:net";
import fc from "fast-check";
import { LONGEST_ADDRESS, parseAddress, parsePeerId, withPeerId } from "../../../src/base/ids.ts";
import { addressGroupOf } from "../../../src/base/net/address-group.ts";
import { isLoopbackAddress } from "../../../src/base/net/ip.ts";
import { parseHostPort, parseHttpAddress } from "../../../src/config/http-settings.ts";
import { canonicalAddress, hostOf, ownHosts } from "../../../src/http/hosts.ts";
import { natsUrlIn } from "../../../src/nats/connection/server-address.ts";
import { dialTargets, targetMultiaddr } from "../../../src/p2p/dial/dial-target.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { outcomeOf, promise, promiseSame, type Target } from "../target.ts";

const part = fc.oneof(
  fc.constantFrom(
    "ip4",
    "ip6",
    "tcp",
    "udp",
    "dns4",
    "p2p",
    "ip6zone",
    "unix",
    "ipcidr",
    "http-path",
    "p2p-circuit",
    "quic-v1",
    "sni",
    "onion3",
    "memory",
  ),
  fc.constantFrom("127.0.0.1", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "4001", "65536", "a.example", PEER_A, PEER_B),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const address = fc.array(part, { maxLength: 8 }).map((parts) => parts.map((each) => `/${each}`).join(""));
const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.domain(),
  fc.webUrl(),
  fc.ipV6().map((ip) => `[${ip}]:80`),
);

/** The longest address in a message, twice over; longer ones come only from our own configuration. */
const MOST_LENGTH = 2_048;

export const addresses: Target = {
  name: "address",
  what: "src/base/ids.ts, src/p2p/dial/dial-target.ts, src/base/net/address-group.ts, src/http/hosts.ts, src/nats/connection/server-address.ts",
  arbitrary: fc.oneof(address, host).map((text) => Buffer.from(text)),
  run(input) {
    const text = Buffer.from(input).toString().slice(0, MOST_LENGTH);
    checkPeerId(text);
    checkMultiaddr(text);
    checkHost(text);
    checkUrl(text);
  },
};

function checkPeerId(text: string): void {
  const peerId = parsePeerId(text);
  if (peerId !== undefined) promise(parsePeerId(peerId) === peerId, "a canonical PeerID stays the same", peerId);
}

function checkMultiaddr(text: string): void {
  const parsed = parseAddress(text);
  if (parsed === undefined) return;
  const again = parseAddress(parsed.address);
  promise(again?.address === parsed.address && again.peerId === parsed.peerId, "a canonical address stays the same", [
    parsed,
    again,
  ]);
  const peerId = parsed.peerId ?? PEER_A;
  const full = withPeerId(parsed.address, peerId);
  const isLong = full.length > LONGEST_ADDRESS;
  promise(isLong || parseAddress(full)?.peerId === peerId, "an address with its PeerID names the peer", full);
  for (const each of [parsed.address, full]) {
    const target = outcomeOf(() => dialTargets(peerId, each));
    if ("error" in target) {
      promise(target.error.code === "address_unsupported", "the code is documented", target.error.code);
      continue;
    }
    for (const endpoint of target.value) {
      const dialled = targetMultiaddr(peerId, endpoint);
      const names = dialled
        .getComponents()
        .map(({ name }) => name)
        .filter((name) => name !== "ip6zone");
      promise(/^(ip4|ip6|dns|dns4|dns6),tcp,p2p$/.test(names.join()), "only TCP is dialled", names);
      promise(dialled.toString().endsWith(`/p2p/${peerId}`), "the peer that must answer is named", each);
    }
    promise(
      "error" in outcomeOf(() => dialTargets(peerId === PEER_B ? PEER_A : PEER_B, full)),
      "no other peer is accepted",
      full,
    );
  }
}

function checkHost(text: string): void {
  addressGroupOf(text);
  if (isIP(text) !== 0) {
    const canonical = canonicalAddress(text);
    promise(isIP(canonical) !== 0 && canonicalAddress(canonical) === canonical, "a canonical address stays the same", canonical);
    promiseSame(addressGroupOf(canonical), addressGroupOf(text), `the group of ${text} depends on its spelling`);
    promise(isLoopbackAddress(canonical) === isLoopbackAddress(text), "loopback depends on the spelling", text);
    const own = isIPv6(text) ? `[${text}]` : text;
    promise(hostOf(own) === canonical, "the host of an address is the address", own);
  }
  const name = hostOf(text);
  if (name !== undefined) promise(hostOf(isIPv6(name) ? `[${name}]` : name) === name, "a host stays the same", name);
}

function checkUrl(text: string): void {
  const at = parseHostPort(text);
  promise(at === undefined || (at.port >= 0 && at.port <= 65_535), "a port has a bound", at);
  const listen = parseHttpAddress(text);
  if (listen !== undefined) ownHosts(listen, [text], text);
  const secret = /:\/\/[^/]*:([^@/]{8,})@/.exec(text)?.[1];
  const url = natsUrlIn(text);
  if (!("problem" in url))
    promise(
      url.servers.every(({ port }) => port > 0 && port <= 65_535),
      "a port has a bound",
      url.servers,
    );
  // A password that is also the host may be shown.
  const isSecret = secret !== undefined && text.split(secret).length === 2;
  const shown = "problem" in url ? url.problem : String(url);
  promise(!isSecret || !shown.includes(secret), "a password is not shown", shown);
}
