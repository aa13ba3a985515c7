import { beforeEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { addressGroupOf } from "../../../src/base/net/address-group.ts";
import type { ConnectionLimits } from "../../../src/p2p/budgets/connection-limits.ts";
import { ConnectionTable, type Guest, type Place } from "../../../src/p2p/budgets/connection-table.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const LIMITS: ConnectionLimits = {
  total: 12,
  strangers: 3,
  handshakes: 3,
  handshakesOfPartners: 2,
  perPartner: 2,
  perStranger: 1,
  handshakeRate: { perSecond: 1_000, burst: 1_000 },
  handshakeRateOfPartners: { perSecond: 1_000, burst: 1_000 },
};

describe("ConnectionTable", () => {
  let clock: VirtualClock;
  let partners: Set<string>;
  let table: ConnectionTable;
  let evicted: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    partners = new Set();
    evicted = [];
    table = new ConnectionTable({ limits: LIMITS, clock, isPartner: (peerId) => partners.has(peerId) });
  });

  const guest = (name: string, ip = "192.0.2.1", facts: { silent?: boolean; busy?: boolean } = {}): Guest => ({
    group: addressGroupOf(ip),
    isSilent: () => facts.silent ?? false,
    isBusy: () => facts.busy ?? false,
    evict: () => evicted.push(name),
  });
  const peer = (name: string) => name as PeerId;
  const arrive = (name: string, ip?: string, facts?: { silent?: boolean; busy?: boolean }): Place => {
    const place = table.arrived(guest(name, ip, facts));
    return place;
  };
  const connect = (name: string, ip?: string, facts?: { busy?: boolean }): Place => {
    const place = arrive(name, ip, facts);
    table.identified(place, peer(name));
    return place;
  };
  const names = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

  it("lets a newer handshake take the place of a silent one, the oldest first", async () => {
    for (const name of names(3, "silent")) {
      arrive(name, "192.0.2.1", { silent: true });
      await clock.advance(0.5);
    }
    connect("newcomer");
    expect(evicted).toEqual(["silent0"]);
  });

  it("lets a silent handshake yield before one that is slow, although that is older", async () => {
    for (const name of names(2, "slow")) arrive(name);
    await clock.advance(3_000);
    arrive("silent", undefined, { silent: true });
    arrive("newcomer");
    expect(evicted).toEqual(["silent"]);
  });

  it("gives a handshake that makes progress two seconds before it yields", async () => {
    for (const name of names(3, "slow")) arrive(name);
    expect(() => arrive("early")).toThrow(/no place for the connection/);
    await clock.advance(2_000);
    expect(() => arrive("still early")).toThrow(/no place for the connection/);
    await clock.advance(1);
    arrive("late");
    expect(evicted).toEqual(["slow0"]);
  });

  it("takes places from the address that has the most", () => {
    arrive("lone", "198.51.100.1", { silent: true });
    arrive("one of many", "192.0.2.1", { silent: true });
    arrive("two of many", "192.0.2.1", { silent: true });
    arrive("newcomer", "203.0.113.1", { silent: true });
    expect(evicted).toEqual(["one of many"]);
  });

  it("keeps handshakes from a partner's address apart", () => {
    partners.add("partner");
    table.expect(addressGroupOf("203.0.113.1"), peer("partner"));
    for (const name of names(3, "busy")) arrive(name);
    expect(() => arrive("stranger", "198.51.100.1")).toThrow(/no place for the connection/);
    arrive("partner", "203.0.113.1");
    expect(evicted).toEqual([]);
    partners.clear();
    expect(() => arrive("no longer expected", "203.0.113.1")).toThrow(/no place for the connection/);
  });

  it("learns a partner's address when it connects", () => {
    partners.add("partner");
    table.release(connect("partner", "203.0.113.1"));
    for (const name of names(3, "busy")) arrive(name);
    arrive("partner", "203.0.113.1");
  });

  it("closes idle strangers for newer ones, but not those with streams", () => {
    connect("with a stream", undefined, { busy: true });
    connect("idle");
    connect("also idle");
    connect("newcomer");
    expect(evicted).toEqual(["idle"]);
    expect(table.counts()).toMatchObject({ strangers: 3, evicted: 1 });
  });

  it("refuses a stranger if all strangers have streams", () => {
    for (const name of names(3, "busy")) connect(name, undefined, { busy: true });
    expect(() => connect("newcomer")).toThrow(/no place for the connection/);
    expect(evicted).toEqual([]);
  });

  it("makes room for a partner when all places are in use, even from strangers with streams", () => {
    for (const name of names(9, "partner")) {
      partners.add(name);
      connect(name);
    }
    for (const name of names(3, "busy")) connect(name, undefined, { busy: true });
    partners.add("late partner");
    table.expect(addressGroupOf("203.0.113.1"), peer("late partner"));
    connect("late partner", "203.0.113.1");
    using _dial = table.dialling();
    expect(evicted).toEqual(["busy0", "busy1"]);
    expect(table.counts()).toMatchObject({ total: 12, refused: 0 });
  });

  it("takes the place of an idle stranger before that of one with a stream, which it leaves to other strangers", () => {
    for (const name of names(9, "partner")) {
      partners.add(name);
      connect(name);
    }
    connect("busy", undefined, { busy: true });
    for (const name of names(2, "idle")) connect(name);
    arrive("stranger", "198.51.100.1");
    expect(evicted).toEqual(["idle0"]);
    using _first = table.dialling();
    expect(evicted).toEqual(["idle0", "idle1"]);
    expect(() => arrive("another stranger", "198.51.100.1")).toThrow(/no place for the connection/);
    using _second = table.dialling();
    expect(evicted).toEqual(["idle0", "idle1", "busy"]);
  });

  it("takes no place from strangers that have become partners", () => {
    for (const name of names(9, "partner")) partners.add(name);
    for (const name of [...names(9, "partner"), ...names(3, "known")]) connect(name);
    for (const name of names(3, "known")) partners.add(name);
    expect(() => table.dialling()).toThrow(/no place for the connection/);
    expect(evicted).toEqual([]);
  });

  it("refuses dials and counts them when partners have all places", () => {
    for (const name of names(12, "partner")) {
      partners.add(name);
      connect(name);
    }
    expect(() => table.dialling()).toThrow(/no place for the connection/);
    expect(table.counts()).toMatchObject({ total: 12, refused: 1, refusedPartners: 1 });
  });

  it("counts a dial until it is over", () => {
    const dial = table.dialling();
    expect(table.counts().total).toBe(1);
    dial[Symbol.dispose]();
    dial[Symbol.dispose]();
    expect(table.counts().total).toBe(0);
  });

  it("bounds the connections of one peer: an older idle one yields", () => {
    partners.add("partner");
    connect("partner", undefined, { busy: true });
    connect("partner");
    connect("partner", undefined, { busy: true });
    expect(evicted).toEqual(["partner"]);
    expect(() => connect("partner")).toThrow(/no place for the connection/);
  });

  it("no longer counts a stranger that has become a partner", () => {
    for (const name of names(3, "known")) connect(name);
    for (const name of names(3, "known")) partners.add(name);
    connect("newcomer");
    expect(evicted).toEqual([]);
    expect(table.counts().strangers).toBe(1);
  });

  it("bounds the rate of handshakes", () => {
    const limits = { ...LIMITS, handshakeRate: { perSecond: 1, burst: 2 } };
    const slow = new ConnectionTable({ limits, clock, isPartner: () => false });
    slow.handshaking(slow.arrived(guest("one")));
    slow.handshaking(slow.arrived(guest("two")));
    const third = slow.arrived(guest("three"));
    expect(() => slow.handshaking(third)).toThrow(/no place for the connection/);
  });

  it("does not let an evicted handshake back in when it completes", async () => {
    const slow = arrive("slow", undefined, { silent: true });
    for (const name of names(3, "silent")) arrive(name, undefined, { silent: true });
    expect(evicted).toContain("slow");
    expect(() => table.identified(slow, peer("slow"))).toThrow(/no place for the connection/);
    expect(table.counts().total).toBe(3);
  });

  it("frees everything on release", () => {
    const places = names(3, "peer").map((name) => connect(name));
    for (const place of places) table.release(place);
    for (const place of places) table.release(place);
    expect(table.counts()).toMatchObject({ total: 0, strangers: 0, handshakes: 0 });
  });
});
