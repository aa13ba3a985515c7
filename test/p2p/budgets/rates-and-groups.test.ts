import { beforeEach, describe, expect, it } from "vitest";
import { type AddressGroup, addressGroupOf } from "../../../src/base/net/address-group.ts";
import { TokenBucket } from "../../../src/base/rate/token-bucket.ts";
import { connectionLimits, RESERVED_DESCRIPTORS } from "../../../src/p2p/budgets/connection-limits.ts";
import { ConnectionPool, type Member } from "../../../src/p2p/budgets/connection-pool.ts";

describe("TokenBucket", () => {
  it("allows a burst, then the rate", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 });
    const taken = (atMs: number) => bucket.take(1, atMs);
    expect([taken(0), taken(0), taken(0), taken(0)]).toEqual([true, true, true, false]);
    expect([taken(99), taken(100), taken(100)]).toEqual([false, true, false]);
    expect(Array.from({ length: 5 }, () => taken(10_000))).toEqual([true, true, true, false, false]);
  });

  it("counts debts, up to one burst", () => {
    const bucket = new TokenBucket({ perSecond: 100, burst: 50 });
    expect(bucket.spend(50, 0)).toBe(0);
    expect(bucket.spend(10, 0)).toBe(100);
    expect(bucket.spend(1_000_000, 0)).toBe(500);
    expect(bucket.spend(0, 500)).toBe(0);
  });
});

describe("ConnectionPool", () => {
  const [A, B] = ["192.0.2.1", "198.51.100.1"].map(addressGroupOf);
  let pool: ConnectionPool<Member>;
  const member = (group: AddressGroup | undefined, since: number): Member => {
    if (group === undefined) throw new Error("no group");
    const added = { group, since };
    pool.add(added);
    return added;
  };
  const least = () => pool.leastValuable(() => 0)?.since;
  beforeEach(() => {
    pool = new ConnectionPool(10);
  });

  it("lets the largest group yield, as it is now, and else the oldest", () => {
    const [, , ...ofB] = [member(A, 1), member(A, 2), ...[3, 4, 5, 6].map((since) => member(B, since))];
    expect(least()).toBe(3);
    const seen = ofB.slice(0, 3).map((gone) => {
      pool.delete(gone);
      return least();
    });
    expect(seen).toEqual([4, 1, 1]);
  });

  it("counts a group of one as one", () => {
    const [first] = [member(A, 1), member(A, 2), member(B, 3)];
    if (first !== undefined) pool.delete(first);
    expect(least()).toBe(2);
  });

  it("forgets members that have gone, however many there were", () => {
    for (const since of [1, 2]) member(B, since + 1);
    for (let times = 0; times < 5; times++) {
      const gone = member(A, 0);
      pool.delete(gone);
      pool.delete(gone);
    }
    member(A, 0);
    expect(least()).toBe(2);
  });
});

describe("connectionLimits", () => {
  it("are shares of the total, with rates that do not depend on it", () => {
    expect(connectionLimits(800, undefined)).toEqual({
      total: 800,
      strangers: 200,
      handshakes: 100,
      handshakesOfPartners: 100,
      perPartner: 8,
      perStranger: 2,
      handshakeRate: { perSecond: 50, burst: 200 },
      handshakeRateOfPartners: { perSecond: 100, burst: 500 },
    });
  });

  it("leaves descriptors for everything else", () => {
    expect(connectionLimits(10_000, 1_024).total).toBe(1_024 - RESERVED_DESCRIPTORS);
    expect(connectionLimits(500, 1_024).total).toBe(500);
    expect(connectionLimits(10_000, undefined).total).toBe(10_000);
    expect(connectionLimits(10_000, 100).total).toBe(50);
  });

  it.each([4, 10, 100, 704, 10_000])("reserves half of %i connections for partners", (total) => {
    const { strangers, handshakes, handshakesOfPartners } = connectionLimits(total, undefined);
    expect(strangers + handshakes + handshakesOfPartners).toBeLessThanOrEqual(Math.max(3, total / 2));
  });
});
