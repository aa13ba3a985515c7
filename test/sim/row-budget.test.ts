/** Peers that open and reset streams as fast as they can, for minutes of simulated time, checked by all invariants. */
import { expect, test } from "vitest";
import { type Fixture, type FixtureLine, headerSchema } from "../../src/fixture/format/schema.ts";
import { simulate } from "../../src/sim/simulate.ts";

const FOR_MS = 180_000;
const header = headerSchema.parse({ fixture: "oc-partnerd", version: 1, seed: 1, latencyMs: 1, durationMs: FOR_MS + 61_000 });

const partner = (peer: string): FixtureLine => ({
  atMs: 0,
  publish: peer,
  relation: "PARTNER",
  remove: false,
  fromApp: "oc-api",
  deliveries: [0],
});

/** The actions `does` of `peer`, once in each period. */
function flapping(peer: string, everyMs: number, does: readonly ("open" | "close" | "reset" | "disconnect")[]): FixtureLine[] {
  const lines: FixtureLine[] = [];
  for (let atMs = 1_000; atMs < FOR_MS; atMs += everyMs)
    for (const [index, what] of does.entries())
      lines.push({ atMs: atMs + Math.floor((index * everyMs) / does.length), peer, does: what });
  return lines;
}

async function run(lines: FixtureLine[]) {
  const fixture: Fixture = { header, lines: lines.toSorted((one, other) => one.atMs - other.atMs) };
  const { violations, trace } = await simulate(fixture);
  expect(violations).toEqual([]);
  const rows = trace.filter((line) => line.includes(" #"));
  return (text: string) => rows.filter((row) => row.includes(text)).length;
}

test("a partner that opens and closes its stream as fast as it can is refused, and keeps ours", async () => {
  const count = await run([partner("paris"), ...flapping("paris", 100, ["open", "close"])]);
  expect(count("StreamOpened outbound")).toBe(1);
  expect(count("StreamClosed outbound")).toBe(0);
  const opened = count("StreamOpened inbound");
  expect(opened).toBeGreaterThan(20);
  expect(opened).toBeLessThan(30);
  expect(count("StreamClosed inbound")).toBe(opened);
  expect(count("InboundRefused flapping")).toBeGreaterThan(10);
});

test("a partner that resets every stream at once and shows life again has refused them", async () => {
  const count = await run([partner("paris"), ...flapping("paris", 300, ["open", "reset", "disconnect"])]);
  expect(count("StreamOpened outbound")).toBeGreaterThanOrEqual(1);
  expect(count("StreamOpened outbound")).toBeLessThan(5);
  expect(count("OpenFailed refused")).toBeGreaterThanOrEqual(1);
});

test("a partner that resets every stream after a while and shows life again is retried, but not at its pace", async () => {
  const count = await run([partner("paris"), ...flapping("paris", 12_000, ["open", "reset", "disconnect"])]);
  expect(count("StreamOpened outbound")).toBeGreaterThan(8);
  expect(count("StreamOpened outbound")).toBeLessThan(35);
});

test("sixteen flapping strangers leave some rows and summaries, and every row of a partner", async () => {
  const strangers = Array.from({ length: 16 }, (_, index) => flapping(`stranger-${index}`, 1_000, ["open", "close"]));
  const lines = [partner("paris"), ...flapping("paris", 20_000, ["open", "close", "reset"]), ...strangers.flat()];
  const count = await run(lines);
  expect(count("StreamOpened inbound")).toBeGreaterThan(9);
  expect(count("EventsSuppressed")).toBeGreaterThanOrEqual(3);
  expect(count("EventsSuppressed")).toBeLessThanOrEqual(4);
  expect(count("StreamOpened outbound")).toBeGreaterThanOrEqual(9);
});
