import { describe, expect, it } from "vitest";
import { TokenBucket } from "../../../src/base/rate/token-bucket.ts";
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
