import { describe, expect, it } from "vitest";
import { Try } from "../../../src/p2p/heartbeat/open-attempt.ts";

describe("Attempt", () => {
  it("aborts with its first cause", () => {
    const [one, other] = [new AbortController(), new AbortController()];
    using attempt = new Try(one.signal, other.signal);
    other.abort("second parent");
    one.abort("first parent");
    attempt.cancel(new Error("cancelled"));
    expect(attempt.signal.reason).toBe("second parent");
  });

  it("ignores its parents once it is over", () => {
    const parent = new AbortController();
    const attempt = new Try(parent.signal);
    attempt[Symbol.dispose]();
    parent.abort();
    expect(attempt.signal.aborted).toBe(false);
  });
});
