import { describe, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { Address } from "../../../src/base/ids.ts";
import { parseIp } from "../../../src/base/net/ip.ts";
import { tcpEndpointOf } from "../../../src/base/net/tcp-endpoint.ts";
import { addressDenied } from "../../../src/p2p/dial/address-denied.ts";
import { createDialPlanner } from "../../../src/p2p/dial/create-dial-planner.ts";
import { PolicyDialPlanner } from "../../../src/p2p/dial/dial-planner.ts";
import type { Denial } from "../../../src/p2p/dial/dial-policy.ts";
import { type Lookup, NameResolver } from "../../../src/p2p/dial/name-resolver.ts";
import { ownListeners } from "../../../src/p2p/dial/own-listeners.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { PEER_A } from "../../support/peers.ts";

const OWN = ownListeners({ configured: ["/ip4/192.0.2.7/tcp/4011"], bound: [], others: [], machine: [] });
const NEVER = new AbortController().signal;

class Names {
  readonly asked: string[] = [];
  answers: readonly string[] | Promise<readonly string[]> = [];
  readonly lookUp: Lookup = async (name, family) => {
    this.asked.push(`${family} ${name}`);
    return this.answers;
  };
}

function planning(): { names: Names; clock: VirtualClock; plan: (address: string, signal?: AbortSignal) => Promise<string[]> } {
  const names = new Names();
  const clock = new VirtualClock();
  const planner = new PolicyDialPlanner({
    clock,
    policy: { allow: [], deny: [], private: "allow" },
    resolver: new NameResolver(names.lookUp),
    ownListeners: () => OWN,
  });
  const plan = async (address: string, signal = NEVER) =>
    (await planner.plan(PEER_A, address as Address, signal)).map((target) =>
      target.toString().replace(`/p2p/${PEER_A}`, "/p2p/A"),
    );
  return { names, clock, plan };
}

async function failureOf(work: Promise<unknown>): Promise<PartnerdError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PartnerdError) return error;
    throw error;
  }
  return expect.unreachable("it did not fail");
}

test("a literal address is dialled as it is, without a lookup", async () => {
  const { names, plan } = planning();
  expect(await plan("/ip4/198.51.100.1/tcp/4001")).toEqual(["/ip4/198.51.100.1/tcp/4001/p2p/A"]);
  expect(await plan(`/ip6/2001:db8::1/tcp/4001/p2p/${PEER_A}`)).toEqual(["/ip6/2001:db8::1/tcp/4001/p2p/A"]);
  expect(names.asked).toEqual([]);
});

test("an IPv4-mapped address is dialled as the IPv4 address that was checked", async () => {
  expect(await planning().plan("/ip6/::ffff:c633:6401/tcp/4001")).toEqual(["/ip4/198.51.100.1/tcp/4001/p2p/A"]);
});

describe("a name", () => {
  test.each([
    ["dns", 0],
    ["dns4", 4],
    ["dns6", 6],
  ])("of /%s is looked up once, in its family, and dialled by address", async (kind, family) => {
    const { names, plan } = planning();
    names.answers = ["2001:db8::1", "198.51.100.1"];
    expect(await plan(`/${kind}/partner.example/tcp/4001`)).toEqual([
      "/ip6/2001:db8::1/tcp/4001/p2p/A",
      "/ip4/198.51.100.1/tcp/4001/p2p/A",
    ]);
    expect(names.asked).toEqual([`${family} partner.example`]);
  });

  test("loses the addresses that are denied", async () => {
    const { names, plan } = planning();
    names.answers = ["127.0.0.1", "198.51.100.1", "169.254.169.254"];
    expect(await plan("/dns/partner.example/tcp/4001")).toEqual(["/ip4/198.51.100.1/tcp/4001/p2p/A"]);
  });

  test("is denied if all are, for as long as it resolves to them", async () => {
    const { names, plan } = planning();
    names.answers = ["169.254.169.254"];
    const failure = await failureOf(plan("/dns/partner.example/tcp/80"));
    expect(failure).toMatchObject({ code: "address_denied", details: { reason: "link_local", mayChange: true } });
    expect(failure.text).toBe(
      "partner.example:80, which resolves to 169.254.169.254, may not be dialled: it is a link-local address; " +
        "add 169.254.169.254:80 to p2p.dial.allow to permit it",
    );
    names.answers = ["198.51.100.1"];
    expect(await plan("/dns/partner.example/tcp/80")).toHaveLength(1);
  });

  test("may have many addresses, of which eight are dialled", async () => {
    const { names, plan } = planning();
    names.answers = Array.from({ length: 20 }, (_, index) => `198.51.100.${index}`);
    expect(await plan("/dns/partner.example/tcp/4001")).toHaveLength(8);
  });

  test("that does not resolve is a failed dial, and so retried for ever", async () => {
    const { names, plan } = planning();
    names.answers = Promise.reject(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }));
    expect(await failureOf(plan("/dns/partner.example/tcp/80"))).toMatchObject({
      code: "name_unresolved",
      message: "the name partner.example does not resolve",
    });
    names.answers = [];
    expect(await failureOf(plan("/dns/partner.example/tcp/80"))).toMatchObject({ code: "name_unresolved" });
  });

  test("that is not resolved in time is a failed dial; later dials join the same lookup", async () => {
    const { names, clock, plan } = planning();
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    names.answers = promise;
    const late = failureOf(plan("/dns/partner.example/tcp/80"));
    await clock.advance(3_000);
    expect(await late).toMatchObject({ code: "name_unresolved" });
    const second = plan("/dns/partner.example/tcp/80");
    resolve(["198.51.100.1"]);
    expect(await second).toHaveLength(1);
    expect(names.asked).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is not waited for after an abort", async () => {
    const { names, clock, plan } = planning();
    names.answers = new Promise(() => {});
    const controller = new AbortController();
    const aborted = failureOf(plan("/dns/partner.example/tcp/80", controller.signal));
    controller.abort(new PartnerdError("aborted", "enough"));
    expect(await aborted).toMatchObject({ code: "aborted" });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("several addresses", () => {
  const plan = (names: readonly string[], ...addresses: readonly string[]) => {
    const planned = planning();
    planned.names.answers = names;
    return planned.plan(addresses.join(","));
  };
  const QUIC = "/ip4/192.0.2.1/udp/4001/quic-v1";
  const DENIED = "/ip4/169.254.169.254/tcp/80";
  const GOOD = "/ip4/198.51.100.1/tcp/4001";

  test("are dialled in order, without those that TCP cannot dial or that are denied", async () => {
    expect(await plan(["198.51.100.7", "127.0.0.1"], QUIC, DENIED, "/dns/partner.example/tcp/4002", GOOD)).toEqual([
      "/ip4/198.51.100.7/tcp/4002/p2p/A",
      `${GOOD}/p2p/A`,
    ]);
    expect(await plan([], "/dns/partner.example/tcp/4002", GOOD)).toEqual([`${GOOD}/p2p/A`]);
  });

  test("fail with the failure that may pass soonest", async () => {
    const name = "/dns/partner.example/tcp/80";
    expect(await failureOf(plan([], DENIED, name))).toMatchObject({ code: "name_unresolved" });
    expect(await failureOf(plan(["127.0.0.1"], DENIED, name))).toMatchObject({
      code: "address_denied",
      details: { mayChange: true },
    });
    expect(await failureOf(plan([], QUIC, DENIED))).toMatchObject({ code: "address_denied", details: { mayChange: false } });
    expect(await failureOf(plan([], QUIC))).toMatchObject({ code: "address_unsupported" });
  });
});

test.each([
  [
    "/ip4/169.254.169.254/tcp/80",
    "link_local",
    "169.254.169.254:80 may not be dialled: it is a link-local address; add 169.254.169.254:80",
  ],
  [
    "/ip6/::1/tcp/80",
    "loopback",
    "[::1]:80 may not be dialled: it is a loopback address, and this daemon does not listen on loopback alone",
  ],
  [
    "/ip6/64:ff9b::a9fe:a9fe/tcp/80",
    "link_local",
    "[64:ff9b::a9fe:a9fe]:80 may not be dialled: it leads to 169.254.169.254, and it is",
  ],
])("a literal address that is denied is final: %s", async (address, reason, message) => {
  const failure = await failureOf(planning().plan(address));
  expect(failure).toMatchObject({ code: "address_denied", details: { reason, mayChange: false } });
  expect(failure.text).toContain(message);
  expect(failure.message).not.toContain("p2p.dial.allow");
});

test.each<[Denial, RegExp]>([
  ["deny_rule", /change p2p.dial.deny/],
  ["own_listener", /publish the peer's own address/],
  ["unspecified", /add 192.0.2.1:80 to p2p.dial.allow/],
  ["loopback", /add 192.0.2.1:80 to p2p.dial.allow/],
  ["link_local", /add 192.0.2.1:80 to p2p.dial.allow/],
  ["multicast", /add 192.0.2.1:80 to p2p.dial.allow/],
  ["broadcast", /add 192.0.2.1:80 to p2p.dial.allow/],
  ["metadata", /add 192.0.2.1:80 to p2p.dial.allow/],
  ["private", /add 192.0.2.1:80 to p2p.dial.allow/],
])("a denial says what would permit the address: %s", (denial, nextStep) => {
  const ip = parseIp("192.0.2.1");
  const endpoint = tcpEndpointOf("/ip4/192.0.2.1/tcp/80" as Address);
  if (ip === undefined || endpoint === undefined) throw new Error("invalid");
  expect(addressDenied(endpoint, ip, { allowed: false, denial, ip }).nextStep).toMatch(nextStep);
});

describe("the planner of this machine", () => {
  const planner = (allow: readonly string[]) =>
    createDialPlanner({
      clock: new VirtualClock(),
      settings: { allow, deny: [], private: "allow" },
      listen: [],
      bound: () => [],
      others: () => [],
    });

  test("refuses an invalid range by name", () => {
    const message = expect.stringContaining('"nonsense"') as string;
    expect(() => planner(["nonsense"])).toThrow(expect.objectContaining({ code: "config_invalid", message }) as Error);
  });

  test("dials what the ranges allow", async () => {
    const dialled = planner(["169.254.0.0/16"]).plan(PEER_A, "/ip4/169.254.1.1/tcp/80" as Address, NEVER);
    expect(await dialled).toHaveLength(1);
  });
});
