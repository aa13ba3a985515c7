import { beforeEach, describe, expect, it } from "vitest";
import { Meter, StrangersBudget } from "../../../src/p2p/budgets/connection-meter.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const KIBIBYTE = 1024;

const full = (why: string) =>
  expect.objectContaining({ code: "buffer_full", message: expect.stringContaining(why) as string }) as Error;

describe("Meter", () => {
  let clock: VirtualClock;
  let strangers: StrangersBudget;
  let calls: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    strangers = new StrangersBudget();
    calls = [];
  });

  const meter = (isStranger = true) =>
    new Meter({
      connection: { pause: () => calls.push("pause"), resume: () => calls.push("resume") },
      clock,
      strangers,
      isStranger: () => isStranger,
    });

  it("allows 256 KiB before the handshake is complete, and any number after it", () => {
    const one = meter();
    expect(one.isSilent).toBe(true);
    one.received(256 * KIBIBYTE);
    expect(one.isSilent).toBe(false);
    expect(() => one.received(1)).toThrow(full("before the handshake was complete"));
    const other = meter();
    other.received(200 * KIBIBYTE);
    other.decrypted();
    other.received(200 * KIBIBYTE);
  });

  it("allows 512 pieces per message", () => {
    const one = meter();
    for (let piece = 0; piece < 512; piece++) one.received(1);
    expect(() => one.received(1)).toThrow(full("pieces"));
    const other = meter();
    for (let messages = 0; messages < 2; messages++) {
      for (let piece = 0; piece < 512; piece++) other.received(1);
      other.decrypted();
    }
  });

  it("charges the bytes that arrive", () => {
    const one = meter(false);
    one.decrypted();
    one.received(2 * KIBIBYTE * KIBIBYTE);
    expect(calls).toEqual([]);
    one.received(64 * KIBIBYTE);
    expect(calls).toEqual(["pause"]);
  });

  it("pauses reading until the work is paid for", async () => {
    const one = meter(false);
    one.spend(2 * KIBIBYTE * KIBIBYTE);
    expect(calls).toEqual([]);
    one.spend(512 * KIBIBYTE);
    one.spend(1);
    expect(calls).toEqual(["pause"]);
    await clock.advance(499);
    expect(calls).toEqual(["pause"]);
    await clock.advance(2);
    expect(calls).toEqual(["pause", "resume"]);
  });

  it("pauses strangers together, and no partner with them", () => {
    const [first, second, partner] = [meter(), meter(), meter(false)];
    first.spend(2 * KIBIBYTE * KIBIBYTE);
    second.spend(2 * KIBIBYTE * KIBIBYTE);
    meter().spend(1_000_000);
    expect(calls).toEqual(["pause"]);
    partner.spend(1_000_000);
    expect(calls).toEqual(["pause"]);
  });

  it("bounds what waits on one connection, and on all of strangers", () => {
    expect(() => meter(false).hold(1024 * KIBIBYTE + 1)).toThrow(full("wait on one connection"));
    const many = Array.from({ length: 16 }, () => meter());
    for (const one of many) one.hold(1024 * KIBIBYTE);
    meter().hold(128 * KIBIBYTE);
    expect(() => meter().hold(129 * KIBIBYTE)).toThrow(full("connections of strangers"));
    meter(false).hold(1024 * KIBIBYTE);
    for (const one of many) one[Symbol.dispose]();
    meter().hold(1024 * KIBIBYTE);
  });

  it("does not resume after the connection has closed", async () => {
    const one = meter();
    one.spend(8 * KIBIBYTE * KIBIBYTE);
    one[Symbol.dispose]();
    await clock.advance(10_000);
    expect(calls).toEqual(["pause"]);
    expect(clock.pendingTimers).toBe(0);
  });
});
