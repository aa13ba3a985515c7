/** The order in which heartbeat formats are tried. */
import { expect, test } from "vitest";
import { isSameFormat, nextFormat } from "../../../src/p2p/examination/heartbeat-formats.ts";
import type { HeartbeatTrial, TrialOutcome } from "../../../src/p2p/examination/step-results.ts";
import type { HeartbeatFormat } from "../../../src/p2p/wire/codec.ts";

const CONFIGURED: HeartbeatFormat = { fields: "both", timestamp: "unix" };
const ALL = (["both", "snake", "go"] as const).flatMap((fields) =>
  (["unix", "unixnano", "rfc3339", "none"] as const).map((timestamp): HeartbeatFormat => ({ fields, timestamp })),
);

/** The formats that are tried on a far end that accepts these. */
function tried(accepts: readonly HeartbeatFormat[], more = false, configured = CONFIGURED): readonly HeartbeatFormat[] {
  const trials: HeartbeatTrial[] = [];
  for (let format = nextFormat(configured, trials, more); format !== null; format = nextFormat(configured, trials, more)) {
    const { fields, timestamp } = format;
    const isAccepted = accepts.some((each) => isSameFormat(each, { fields, timestamp }));
    const outcome: TrialOutcome = isAccepted ? { kind: "accepted" } : { kind: "ended", remoteEnd: "reset", afterMs: 1 };
    trials.push({ format, outcome });
    expect(trials.length).toBeLessThanOrEqual(ALL.length);
  }
  return trials.map(({ format }) => format);
}

test.each(ALL)("as configured: $fields/$timestamp comes first, and nothing else is tried", (format) => {
  expect(tried(ALL, false, format)).toEqual([format]);
});

test.each(ALL)("a reader of $fields/$timestamp alone is found", (format) => {
  expect(tried([format]).at(-1)).toEqual(format);
});

test("the other spellings come before the other timestamps", () => {
  expect(tried([{ fields: "snake", timestamp: "unix" }])).toEqual([
    CONFIGURED,
    { fields: "go", timestamp: "unix" },
    { fields: "snake", timestamp: "unix" },
  ]);
});

test("if none is accepted, each is tried once", () => {
  const formats = tried([]);
  expect(new Set(formats.map(({ fields, timestamp }) => `${fields}/${timestamp}`)).size).toBe(ALL.length);
  expect(formats).toHaveLength(ALL.length);
});

test("on request, all that differ from an accepted one in one setting", () => {
  const formats = tried(ALL, true);
  expect(formats).toHaveLength(6);
  for (const { fields, timestamp } of formats) expect(fields === "both" || timestamp === "unix").toBe(true);
});

test("a stream that did not open ends the search", () => {
  const outcome: TrialOutcome = { kind: "not_opened", failure: { code: "timeout", message: "" } };
  expect(nextFormat(CONFIGURED, [{ format: CONFIGURED, outcome }], true)).toBeNull();
});
