import { describe, expect, it, test } from "vitest";
import { TokenBucket } from "../../../src/base/rate/token-bucket.ts";
import { addressGroupOf } from "../../../src/p2p/budgets/address-group.ts";
import { connectionLimits, RESERVED_DESCRIPTORS } from "../../../src/p2p/budgets/connection-limits.ts";

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

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1"],
  ["::7:1f:8417:3.102.43.5", "0:0:0:7::/64"],
  ["not:an:address", "not:an:address"],
  ["2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"],
  ["2001:DB8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:0:ffff::", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
])("%s is in the group %s", (address, group) => {
  expect(addressGroupOf(address)).toBe(group);
});

describe("connectionLimits", () => {
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
