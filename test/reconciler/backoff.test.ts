import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Random } from "../../src/base/clock.ts";
import { CUT_REASONS, type ErrorCode } from "../../src/base/errors.ts";
import type { CloseReason } from "../../src/events/types.ts";
import {
  attemptsOf,
  established,
  FRESH,
  failed,
  graceMs,
  lost,
  mayOpenAtMs,
  REFUSAL_GRACE_MS,
  type Retry,
  STABLE_MS,
  stopped,
} from "../../src/reconciler/backoff.ts";
import { NO_FACTS } from "../support/attempts.ts";

const always = (value: number): Random => ({ next: () => value, bytes: (length) => new Uint8Array(length) });
const DAY_MS = 86_400_000;
const failure = (failedAtMs: number, code: ErrorCode = "timeout") => ({ code, message: "why", ...NO_FACTS, failedAtMs });

/** The state after `count` failures: the last at time 0, all others a day before. */
function failTimes(count: number, random: Random, code: ErrorCode = "timeout"): Retry {
  let retry: Retry = FRESH;
  for (let left = count - 1; left >= 0; left--) retry = failed(retry, failure(left > 0 ? -DAY_MS : 0, code), random);
  return retry;
}

describe("the wait after failures", () => {
  test("starts below one second, doubles, and stays below a minute", () => {
    const waits = [1, 2, 3, 4, 7, 8, 50, 5_000].map((count) => mayOpenAtMs(failTimes(count, always(0.999_999)), null));
    expect(waits.map((wait) => Math.round(wait))).toEqual([500, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("is drawn from its whole range and is never zero", () => {
    expect(mayOpenAtMs(failTimes(8, always(0)), null)).toBe(50);
    expect(mayOpenAtMs(failTimes(8, always(0.5)), null)).toBe(30_000);
  });

  test.each([
    ["refused", 3_000],
    ["identity_mismatch", 10_000],
    ["protocol_unsupported", 10_000],
  ] as const)("is longer after %s", (code, leastMs) => {
    expect(mayOpenAtMs(failTimes(1, always(0), code), null)).toBe(leastMs);
  });

  test("is never longer than the run of failures, so a peer waits no longer after its return than it was away", () => {
    const draws = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(draws, (drawn) => {
        let retry: Retry = FRESH;
        for (const draw of drawn) {
          const failedAtMs = mayOpenAtMs(retry, null);
          retry = failed(retry, failure(failedAtMs), always(draw));
          expect(mayOpenAtMs(retry, null) - failedAtMs).toBeLessThanOrEqual(Math.max(1_000, failedAtMs));
        }
      }),
    );
  });

  test("ends between the failure and one minute after it (a fifth more with a floor)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (count, drawn) => {
        const waitMs = mayOpenAtMs(failTimes(count, always(drawn)), null);
        expect(waitMs).toBeGreaterThanOrEqual(50);
        expect(waitMs).toBeLessThanOrEqual(60_000);
      }),
    );
  });
});

describe("the count of failures", () => {
  test("survives a short-lived stream, so a flapping peer is backed off from", () => {
    const flapping = failed(established(failTimes(4, always(0.5)), 0), failure(STABLE_MS - 1, "stream_lost"), always(0.5));
    expect(attemptsOf(flapping)).toBe(5);
  });

  test("restarts after a stable stream", () => {
    const stable = failed(established(failTimes(4, always(0.5)), 0), failure(STABLE_MS, "stream_lost"), always(0.5));
    expect(attemptsOf(stable)).toBe(1);
  });
});

describe("a stream that ends within the grace", () => {
  const endedAfter = (lastedMs: number, streamEnd: CloseReason, before: Retry = FRESH) =>
    lost(established(before, 0), streamEnd, lastedMs, always(0.5));

  test.each(["reset", "remote_closed"] as const)("was refused (%s)", (streamEnd) => {
    const retry = endedAfter(500, streamEnd);
    expect(retry.failure).toMatchObject({ code: "refused", streamEnd });
    expect(mayOpenAtMs(retry, null)).toBeGreaterThanOrEqual(3_500);
  });

  test("puts the next one on probation, which lasts until one outlives the grace", () => {
    const first = endedAfter(500, "reset");
    expect(graceMs(first)).toBe(REFUSAL_GRACE_MS);
    const second = failed(first, failure(9_000), always(0.5));
    expect(graceMs(second)).toBe(REFUSAL_GRACE_MS);
    expect(graceMs(stopped(second, failure(9_500, "address_unsupported")))).toBe(REFUSAL_GRACE_MS);
    expect(graceMs(lost(established(second, 20_000), "reset", 20_000 + REFUSAL_GRACE_MS, always(0.5)))).toBe(0);
  });

  test("because its connection was lost is retried soon, on probation", () => {
    const retry = endedAfter(500, "connection_lost");
    expect([retry.failure.code, graceMs(retry)]).toEqual(["stream_lost", REFUSAL_GRACE_MS]);
    expect(mayOpenAtMs(retry, null)).toBeLessThan(1_500);
  });

  test.each(CUT_REASONS)("because we cut its connection (%s) is retried after 10 s, on probation", (streamEnd) => {
    const retry = endedAfter(500, streamEnd);
    expect(retry.failure).toMatchObject({
      code: streamEnd,
      streamEnd,
      message: expect.stringMatching(/^this side cut/) as string,
    });
    expect(graceMs(retry)).toBe(REFUSAL_GRACE_MS);
    expect(mayOpenAtMs(retry, null)).toBeGreaterThanOrEqual(10_000);
  });

  test.each(["expired", "replaced", null] as const)("by our own doing was lost (%s)", (streamEnd) => {
    const retry = lost(established(FRESH, 0), streamEnd, 500, always(0.5));
    expect([retry.failure.code, graceMs(retry)]).toEqual(["stream_lost", 0]);
  });

  test("later was lost", () => {
    const retry = endedAfter(REFUSAL_GRACE_MS, "reset");
    expect([retry.failure.code, graceMs(retry)]).toEqual(["stream_lost", 0]);
  });
});

describe("a peer that was established recently", () => {
  const almost = always(0.999_999);

  /** The waits of a peer that fails every 10 s after its stream was open for `lastedMs`. */
  function waits(lastedMs: number, count: number, before: Retry = FRESH): readonly number[] {
    const found: number[] = [];
    let retry = lost(established(before, 0), "expired", lastedMs, almost);
    for (let nowMs = lastedMs; found.length < count; nowMs += 10_000) {
      retry = failed(retry, failure(nowMs), almost);
      found.push(mayOpenAtMs(retry, null) - nowMs);
    }
    return found;
  }

  test("is retried within 2.5 s for its first minute away, within 10 s for 5 minutes, and later within a minute", () => {
    expect(Math.max(...waits(11_000, 30))).toBeLessThanOrEqual(10_000);
    expect(Math.max(...waits(11_000, 5))).toBeLessThanOrEqual(2_500);
    expect(waits(11_000, 60).at(-1)).toBeGreaterThan(59_000);
  });

  test("counts as such if its first stream was lost with its connection at once, but not if it was refused", () => {
    const waitAfter = (streamEnd: CloseReason) => {
      let retry: Retry = lost(established(FRESH, 0), streamEnd, 500, almost);
      for (let nowMs = 10_000; nowMs <= 50_000; nowMs += 10_000) retry = failed(retry, failure(nowMs), almost);
      return mayOpenAtMs(retry, null) - 50_000;
    };
    expect(waitAfter("connection_lost")).toBeLessThanOrEqual(2_500);
    expect(waitAfter("reset")).toBeGreaterThan(15_000);
  });

  test("is also retried within 10 s after an answer with a longer minimum wait", () => {
    const away = lost(established(FRESH, 0), "expired", 11_000, almost);
    expect(mayOpenAtMs(failed(away, failure(12_000, "protocol_unsupported"), almost), null)).toBe(22_000);
  });

  test("uses up that time if its streams do not last", () => {
    let retry: Retry = lost(established(FRESH, 0), "expired", 5_000, almost);
    for (let nowMs = 10_000; nowMs <= 400_000; nowMs += 10_000)
      retry = lost(established(retry, nowMs), "reset", nowMs + 5_000, almost);
    expect(mayOpenAtMs(retry, null) - 405_000).toBeGreaterThan(59_000);
  });
});

describe("a sign of life", () => {
  test("ends the wait, though not within a second of the failure, and keeps the count", () => {
    const retry = failTimes(8, always(0.9));
    expect(mayOpenAtMs(retry, 10)).toBe(1_000);
    expect(attemptsOf(retry)).toBe(8);
  });

  test("never lengthens a wait", () => {
    expect(mayOpenAtMs(failTimes(1, always(0)), 10)).toBe(50);
  });

  test("does not shorten the floor of a refusal", () => {
    expect(mayOpenAtMs(failTimes(8, always(0.9), "refused"), 10)).toBe(3_000);
  });

  test("from before the failure is ignored", () => {
    expect(mayOpenAtMs(failTimes(8, always(0.5)), 0)).toBe(30_000);
  });
});

describe("a peer that loses its stream again and again", () => {
  /** Each stream is lost `openForMs` after it was established, the last at time 0. */
  function loseTimes(count: number, openForMs: number, draw = 0): Retry {
    let retry: Retry = FRESH;
    for (let left = count - 1; left >= 0; left--) {
      const lostAtMs = -left * 2 * STABLE_MS;
      retry = failed(established(retry, lostAtMs - openForMs), failure(lostAtMs, "stream_lost"), always(draw));
    }
    return retry;
  }

  test("waits at least 8 s from the third loss on, whatever signs of life it gives, but less than 10 s for them", () => {
    expect([1, 2, 3, 10].map((count) => mayOpenAtMs(loseTimes(count, 5_000), 10))).toEqual([50, 50, 8_000, 8_000]);
    const waitMs = mayOpenAtMs(loseTimes(3, 5_000, 0.999), null);
    expect(waitMs).toBeGreaterThan(8_000);
    expect(waitMs).toBeLessThan(10_000);
  });

  test("is forgiven after a stable stream", () => {
    expect(mayOpenAtMs(loseTimes(10, STABLE_MS), 10)).toBe(50);
  });

  test("is not one that only fails to open", () => {
    expect(mayOpenAtMs(failTimes(8, always(0.9)), 10)).toBe(1_000);
  });
});

describe("stopped", () => {
  const stoppedAt0 = stopped(FRESH, failure(0, "address_unsupported"));

  test("is never due by itself", () => {
    expect(mayOpenAtMs(stoppedAt0, null)).toBe(Number.POSITIVE_INFINITY);
    expect(mayOpenAtMs(stoppedAt0, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  test("is due a second after the failure if the peer has shown life: it may have dialled us", () => {
    expect(mayOpenAtMs(stoppedAt0, 1)).toBe(1_000);
  });
});

test("the address of a name that is denied is asked for again after minutes, but a connection of the peer is used at once", () => {
  const denied = failTimes(1, always(0), "address_denied");
  expect(mayOpenAtMs(denied, null)).toBe(300_000);
  expect(mayOpenAtMs(denied, 1)).toBe(1_000);
});
