import { describe, expect, test } from "vitest";
import { parseAddressRange } from "../../../src/base/net/address-range.ts";
import { parseIp } from "../../../src/base/net/ip.ts";
import { type DialPolicy, decideDial } from "../../../src/p2p/dial/dial-policy.ts";
import { type ListenerFacts, ownListeners } from "../../../src/p2p/dial/own-listeners.ts";

const ranges = (texts: readonly string[] = []) =>
  texts.map((text) => {
    const range = parseAddressRange(text);
    if (typeof range === "string") throw new Error(range);
    return range;
  });

interface Rules {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly private?: DialPolicy["private"];
}

const ON_EVERY_ADDRESS: ListenerFacts = {
  configured: ["/ip4/0.0.0.0/tcp/4011"],
  bound: ["/ip4/127.0.0.1/tcp/4011", "/ip4/192.0.2.7/tcp/4011"],
  others: [{ host: "127.0.0.1", port: 4012 }],
  machine: ["127.0.0.1", "192.0.2.7", "fe80::1"],
};
const ON_LOOPBACK: ListenerFacts = {
  configured: ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"],
  bound: ["/ip4/127.0.0.1/tcp/5001", "/ip6/::1/tcp/5002"],
  others: [{ host: "localhost", port: 4012 }],
  machine: ["127.0.0.1", "192.0.2.7"],
};

/** `allowed`, or why not. */
function verdict(address: string, port = 4001, rules: Rules = {}, listeners = ON_EVERY_ADDRESS): string {
  const ip = parseIp(address);
  if (ip === undefined) throw new Error(`invalid: ${address}`);
  const policy = { allow: ranges(rules.allow), deny: ranges(rules.deny), private: rules.private ?? "allow" } as const;
  const decision = decideDial(ip, port, policy, ownListeners(listeners));
  return decision.allowed ? "allowed" : decision.denial;
}

describe("by default", () => {
  test.each([
    ["198.51.100.1", "allowed"],
    ["2001:db8::1", "allowed"],
    ["10.1.2.3", "allowed"],
    ["172.31.255.255", "allowed"],
    ["192.168.0.1", "allowed"],
    ["100.64.0.1", "allowed"],
    ["fd12::1", "allowed"],
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "unspecified"],
    ["::", "unspecified"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["::1", "loopback"],
    ["169.254.169.254", "link_local"],
    ["fe80::1", "link_local"],
    ["febf::1", "link_local"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.255", "multicast"],
    ["ff02::1", "multicast"],
    ["255.255.255.255", "broadcast"],
    ["fd00:ec2::254", "metadata"],
    ["100.100.100.200", "metadata"],
    ["168.63.129.16", "metadata"],
    // Other spellings of the same.
    ["::ffff:169.254.169.254", "link_local"],
    ["0:0:0:0:0:ffff:7f00:1", "loopback"],
    ["64:ff9b::a9fe:a9fe", "link_local"],
    ["64:ff9b::c633:6401", "allowed"],
    ["2002:7f00:1::", "loopback"],
    ["2001:db8::5efe:169.254.169.254", "link_local"],
    ["2001:db8::5efe:198.51.100.1", "allowed"],
    ["2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"],
    ["::7f00:1", "loopback"],
  ])("%s is %s", (address, expected) => {
    expect(verdict(address)).toBe(expected);
  });

  test("loopback is allowed while we listen on loopback alone", () => {
    expect(verdict("127.0.0.1", 4001, {}, ON_LOOPBACK)).toBe("allowed");
    expect(verdict("::1", 4001, {}, ON_LOOPBACK)).toBe("allowed");
    expect(verdict("169.254.0.1", 4001, {}, ON_LOOPBACK)).toBe("link_local");
    const also = { ...ON_LOOPBACK, configured: [...ON_LOOPBACK.configured, "/ip4/0.0.0.0/tcp/0"] };
    // In a network namespace with nothing but loopback.
    expect(verdict("127.0.0.1", 4001, {}, also)).toBe("loopback");
  });
});

const EVERYTHING: Rules = { allow: ["0.0.0.0/0", "::/0"] };

describe("our own listeners are never dialled", () => {
  test.each([
    ["192.0.2.7", 4011, "own_listener"],
    ["127.0.0.1", 4011, "own_listener"],
    ["127.8.8.8", 4011, "own_listener"],
    ["0.0.0.0", 4011, "own_listener"],
    ["127.0.0.1", 4012, "own_listener"],
    ["0.0.0.0", 4012, "own_listener"],
    ["64:ff9b::c000:207", 4011, "own_listener"],
    ["192.0.2.7", 4013, "allowed"],
    ["192.0.2.8", 4011, "allowed"],
  ])("%s port %i is %s, although everything is allowed", (address, port, expected) => {
    expect(verdict(address, port, EVERYTHING)).toBe(expected);
  });

  test.each([
    ["127.0.0.1", 5001, "own_listener"],
    ["::1", 5002, "own_listener"],
    ["::1", 4012, "own_listener"],
    ["::1", 5001, "allowed"],
    ["127.0.0.1", 5002, "allowed"],
  ])("%s port %i is %s when listening on loopback, on any free port", (address, port, expected) => {
    expect(verdict(address, port, {}, ON_LOOPBACK)).toBe(expected);
  });
});

test("on every address, on a free port: the port that was bound is our own on each of them", () => {
  const listeners: ListenerFacts = {
    configured: ["/ip4/0.0.0.0/tcp/0"],
    bound: ["/ip4/192.0.2.7/tcp/5001"],
    others: [],
    machine: ["192.0.2.7"],
  };
  expect(verdict("127.8.8.8", 5001, EVERYTHING, listeners)).toBe("own_listener");
  expect(verdict("127.8.8.8", 5002, EVERYTHING, listeners)).toBe("allowed");
});

describe("rules", () => {
  test.each([
    ["allow overrides a default", "127.0.0.1", 4021, { allow: ["127.0.0.0/8:4021"] }, "allowed"],
    ["allow of one port allows no other", "127.0.0.1", 4022, { allow: ["127.0.0.0/8:4021"] }, "loopback"],
    ["deny overrides allow", "127.0.0.1", 4021, { allow: ["127.0.0.0/8"], deny: [":4021"] }, "deny_rule"],
    ["deny of a port denies it everywhere", "198.51.100.1", 5432, { deny: [":5432"] }, "deny_rule"],
    ["deny reaches through a translator", "64:ff9b::c633:6401", 1, { deny: ["198.51.100.0/24"] }, "deny_rule"],
    ["allow of the translator does not allow its targets", "64:ff9b::a9fe:a9fe", 1, { allow: ["64:ff9b::/96"] }, "link_local"],
    ["one switch denies private ranges", "10.0.0.1", 1, { private: "deny" }, "private"],
    ["and carrier-grade NAT", "100.64.0.1", 1, { private: "deny" }, "private"],
    ["and unique local addresses", "fd12::1", 1, { private: "deny" }, "private"],
    ["which allow overrides", "10.0.0.1", 1, { private: "deny", allow: ["10.0.0.0/24"] }, "allowed"],
  ] as const)("%s", (_, address, port, rules, expected) => {
    expect(verdict(address, port, rules)).toBe(expected);
  });
});
