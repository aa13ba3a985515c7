import { expect, it } from "vitest";
import { streamLimitsOf } from "../../../src/cli/daemon/setup.ts";
import { matching } from "../../support/matchers.ts";

it("parses sizes, ages and replicas, and leaves out missing flags", () => {
  expect(streamLimitsOf({})).toEqual({});
  expect(streamLimitsOf({ maxBytes: "4GiB", maxAge: "90d", replicas: "3" })).toEqual({
    maxBytes: 4 * 1_024 ** 3,
    maxAgeMs: 90 * 86_400_000,
    replicas: 3,
  });
  expect(streamLimitsOf({ maxBytes: "unlimited", maxAge: "unlimited" })).toEqual({ maxBytes: null, maxAgeMs: null });
  expect(["1000", "1.5 MiB", "2K", "2KB", "7B"].map((maxBytes) => streamLimitsOf({ maxBytes }).maxBytes)).toEqual([
    1_000, 1_572_864, 2_048, 2_048, 7,
  ]);
});

it.each([
  [{ maxBytes: "0" }, "--max-bytes"],
  [{ maxBytes: "-1" }, "--max-bytes"],
  [{ maxBytes: "4 apples" }, "--max-bytes"],
  [{ maxAge: "forever" }, "--max-age"],
  [{ maxAge: "4000d" }, "--max-age"],
  [{ maxAge: "99ms" }, "--max-age"],
  [{ replicas: "6" }, "--replicas"],
  [{ replicas: "two" }, "--replicas"],
])("rejects %j, naming the flag and the value", (flags, flag) => {
  const [value] = Object.values(flags);
  expect(() => streamLimitsOf(flags)).toThrow(
    expect.objectContaining({ code: "usage", message: matching(new RegExp(`^${flag} is "${value}"`)) }),
  );
});
