import { expect, test } from "vitest";
import { TokenBucket } from "../../src/base/rate/token-bucket.ts";

const RATE = { burst: 3, everyMs: 1_000 };

const takenAt = (bucket: TokenBucket, nowMs: number) => {
  let taken = 0;
  while (bucket.take(nowMs)) taken += 1;
  return taken;
};

test("gives a burst at first, then one per period, and never saves up more than a burst", () => {
  const bucket = new TokenBucket(RATE, 500);
  expect(takenAt(bucket, 500)).toBe(3);
  expect(takenAt(bucket, 1_499)).toBe(0);
  expect(takenAt(bucket, 1_500)).toBe(1);
  expect(takenAt(bucket, 3_600)).toBe(2);
  expect(takenAt(bucket, 4_499)).toBe(0);
  expect(takenAt(bucket, 4_500)).toBe(1);
  expect(takenAt(bucket, 1_000_000)).toBe(3);
});

test("makes later takers wait for what was overdrawn", () => {
  const bucket = new TokenBucket(RATE, 0);
  for (let token = 0; token < 5; token++) bucket.overdraw(0);
  expect(bucket.hasToken(2_000)).toBe(false);
  expect(bucket.hasToken(3_000)).toBe(true);
  expect(takenAt(bucket, 3_000)).toBe(1);
});
