import { describe, expect, test } from "vitest";
import {
  allBackedOff,
  allClosedBetween,
  allEstablished,
  allRunning,
  refused,
  streamsSince,
} from "../../../src/demo/stage/checks.ts";
import { BACKOFF, iso, nodes } from "../nodes.ts";

const CLOSED = { phase: "closed", outbound: null, inbound: null } as const;

describe("streams are established", () => {
  test("if all six are, at both ends", () => {
    expect(allEstablished(nodes())).toBeUndefined();
  });

  test("but not if an opener has none", () => {
    expect(allEstablished(nodes({ views: { "lyon paris": { outbound: null, phase: "opening" } } }))).toBe(
      "lyon has no stream to paris (opening)",
    );
  });

  test("nor if the other end has not accepted one", () => {
    expect(allEstablished(nodes({ views: { "paris lyon": { inbound: null } } }))).toBe(
      "paris has not accepted the stream from lyon",
    );
  });

  test("nor if a node does not answer, so four streams are missing", () => {
    expect(allEstablished(nodes({ processes: { paris: "frozen" } }))).toBe(
      "paris has not accepted the stream from lyon, and 3 more",
    );
  });

  test("and only the given pairs count", () => {
    const changed = nodes({ views: { "lyon paris": CLOSED } });
    expect(allEstablished(changed, [["lyon", "nantes"]])).toBeUndefined();
    expect(allEstablished(changed, [["lyon", "paris"]])).toBeDefined();
  });
});

describe("two nodes are apart", () => {
  test("if neither has a stream with the other", () => {
    expect(allClosedBetween(nodes({ views: { "lyon paris": CLOSED, "paris lyon": BACKOFF } }), "lyon", "paris")).toBeUndefined();
  });

  test("but not if one direction is left at one end", () => {
    const inboundLeft = nodes({ views: { "lyon paris": CLOSED, "paris lyon": { phase: "backoff", outbound: null } } });
    expect(allClosedBetween(inboundLeft, "lyon", "paris")).toBe("paris still has the stream from lyon");
    const outboundLeft = nodes({ views: { "lyon paris": { inbound: null }, "paris lyon": CLOSED } });
    expect(allClosedBetween(outboundLeft, "lyon", "paris")).toBe("lyon still has its stream to paris");
  });

  test("nor if one of them has not answered", () => {
    const silent = nodes({ views: { "lyon paris": CLOSED }, processes: { paris: "frozen" } });
    expect(allClosedBetween(silent, "lyon", "paris")).toBe("paris has not answered");
  });
});

test("the others have backed off if their streams are gone and enough attempts have failed", () => {
  const lost = (attempts: number) =>
    nodes({
      views: { "lyon nantes": { ...BACKOFF, attempts: 3 }, "paris nantes": { ...BACKOFF, attempts } },
      processes: { nantes: "killed" },
    });
  expect(allBackedOff(lost(3), "nantes", 3)).toBeUndefined();
  expect(allBackedOff(lost(2), "nantes", 3)).toBe("paris has failed to reach nantes 2 of 3 times");
  expect(allBackedOff(nodes(), "nantes", 0)).toBe("lyon still has its stream to nantes");
});

test("refused means that the last attempt was refused, and enough attempts failed", () => {
  const error = (code: string, attempts: number) =>
    nodes({ views: { "paris lyon": { ...BACKOFF, attempts, lastError: { ...BACKOFF.lastError, code } } } });
  expect(refused(error("refused", 3), "paris", "lyon", 3)).toBeUndefined();
  expect(refused(error("refused", 2), "paris", "lyon", 3)).toBe("lyon has not refused paris often enough");
  expect(refused(error("timeout", 3), "paris", "lyon", 3)).toBe("lyon has not refused paris (timeout)");
});

test("streamsSince changes with a relation, and with a replaced stream", () => {
  expect(streamsSince(nodes())).toBe(streamsSince(nodes({ views: { "lyon paris": { attempts: 9, desiredSeq: 9 } } })));
  const replaced = { openedAt: iso(0), expiresAt: iso(8_000), proven: true };
  for (const change of [{ relation: "BLACKLIST" }, { inbound: replaced }, { outbound: replaced }, { outbound: null }]) {
    expect(streamsSince(nodes({ views: { "lyon paris": change } }))).not.toBe(streamsSince(nodes()));
  }
});

test("all nodes run if none is starting, frozen or killed", () => {
  expect(allRunning(nodes())).toBeUndefined();
  expect(allRunning(nodes({ processes: { lyon: "starting", nantes: "starting" } }))).toBe("not ready yet: lyon, nantes");
});
