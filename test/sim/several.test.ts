/** Several daemons of ours in one simulated network. */
import { expect, test } from "vitest";
import { formatFixture, parseFixture } from "../../src/fixture/format/parse.ts";
import { redactFixture } from "../../src/fixture/redact/redact.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { generate } from "./worlds/generate.ts";

const fixtureOf = (...lines: readonly object[]) =>
  parseFixture(
    [{ fixture: "oc-partnerd", version: 1, daemons: ["amy"], durationMs: 140_000 }, ...lines]
      .map((line) => JSON.stringify(line))
      .join("\n"),
    "two.jsonl",
  );

const PARTNERS = [
  { atMs: 0, publish: "amy" },
  { atMs: 0, publish: "self", on: "amy" },
];

test("two daemons that become partners at the same moment open one stream each, at both ends", async () => {
  const { violations, trace } = await simulate(fixtureOf(...PARTNERS, { atMs: 40_000, world: "heal" }));
  expect(violations).toEqual([]);
  const rows = trace.filter((line) => line.includes("Stream")).map((line) => line.replace(/^.* s {2}/, "").replace(/ +#\d+/, ""));
  expect(rows.sort()).toEqual([
    "amy: self StreamOpened inbound",
    "amy: self StreamOpened outbound",
    "self: amy StreamOpened inbound",
    "self: amy StreamOpened outbound",
  ]);
});

test("a fault on one daemon leaves the other running, and both agree afterwards", async () => {
  const faults = [
    { atMs: 20_000, daemon: "power_loss", on: "amy", downMs: 500 },
    { atMs: 20_100, peer: "self", does: "cut" },
    { atMs: 35_000, peer: "amy", does: "blackhole" },
    { atMs: 40_000, world: "heal" },
  ];
  const { violations, trace } = await simulate(fixtureOf(...PARTNERS, ...faults));
  expect(violations).toEqual([]);
  expect(trace.filter((line) => line.includes("* starts")).map((line) => line.includes("amy:"))).toEqual([false, true, true]);
});

test("expectations are those of the daemon that the line names", async () => {
  const expected = { atMs: 30_000, expect: "phase", peer: "self", phase: "established" };
  expect((await simulate(fixtureOf(...PARTNERS, { ...expected, on: "amy" }))).violations).toEqual([]);
  expect((await simulate(fixtureOf(...PARTNERS, expected))).violations).toMatchObject([{ invariant: "expected-phase" }]);
});

test.each([
  [{ atMs: 0, disk: "full", on: "bob" }, "which is not a daemon"],
  [{ atMs: 0, publish: "paris", on: "bob" }, "which is not a daemon"],
  [{ atMs: 0, peer: "amy", does: "crash" }, "is for a script, but amy is a daemon"],
  [{ atMs: 0, peer: "amy", answers: "not_partner" }, "is for a script, but amy is a daemon"],
  [{ atMs: 0, peer: "self", attacks: "opens", forMs: 10 }, "is for a script, but self is a daemon"],
])("refuses %j", async (line, message) => {
  await expect(simulate(fixtureOf(line))).rejects.toThrow(message);
});

test("redaction keeps which daemon is which", () => {
  const redacted = redactFixture(fixtureOf(...PARTNERS, { atMs: 1, disk: "full", on: "amy" }), {
    name: "two.jsonl",
    numbers: [2, 3, 4],
  });
  expect(formatFixture(redacted)).not.toContain("amy");
  const daemon = redacted.header.daemons?.[0];
  expect(redacted.lines).toMatchObject([{ publish: daemon }, { publish: "self", on: daemon }, { disk: "full", on: daemon }]);
});

test("one mixed world in ten has several daemons", () => {
  const several = Array.from({ length: 20 }, (_, seed) => generate(seed, { size: "mixed" })).filter(
    ({ header }) => header.daemons,
  );
  expect(several).toHaveLength(2);
});
