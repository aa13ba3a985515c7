import { describe, expect, it } from "vitest";
import { PLANTS } from "../plants/all.ts";
import type { Plant } from "../plants/plant.ts";
import type { Failure, Finding } from "./campaign.ts";
import { RUNNER_INVARIANTS } from "./messages.ts";
import type { Hunted } from "./plant-hunt.ts";
import { EMPTY_DOCUMENT, findingsText, huntedLine, huntText, replayCommand, withTable } from "./report.ts";

const failure: Failure = {
  seed: 17,
  drawing: { size: "mixed" },
  invariant: "streams-close",
  atMs: 1_500,
  message: "one is open",
  fixture: "text",
};
const finding: Finding = {
  first: failure,
  seeds: [17],
  shrunk: { kind: "shrunk", fixture: "short", lines: 1, runs: 120 },
  notShrunk: null,
};
const plant = PLANTS[0] as Plant;
const caught: Hunted = { plant, seedsTried: 17, caught: finding, problem: null };
const missed: Hunted = { plant, seedsTried: 2_000, caught: null, problem: "not caught in 2000 seeds" };

describe("a finding", () => {
  it("names the violation, its fixture, and the command to reproduce it", () => {
    expect(findingsText([finding], new Map([[finding, "out/sim-failure-17.jsonl"]]), null).split("\n")).toEqual([
      "seed 17: streams-close violated at 1.500 s: one is open",
      "  shrunk to 1 line in 120 runs",
      "  fixture: out/sim-failure-17.jsonl",
      "  reproduce: bin/oc-partnerd replay out/sim-failure-17.jsonl",
    ]);
  });

  it("names the command that can reproduce each kind of violation", () => {
    expect(replayCommand(failure, "x.jsonl", "fin-ignored")).toBe("npm run sim -- --replay x.jsonl --plant fin-ignored");
    expect(replayCommand(failure, undefined, null)).toBe("npm run sim -- --seeds 1 --from 17");
    expect(replayCommand({ ...failure, invariant: RUNNER_INVARIANTS.hang }, "x.jsonl", null)).toBe(
      "npm run sim -- --seeds 1 --from 17",
    );
    expect(replayCommand({ ...failure, invariant: RUNNER_INVARIANTS.determinism }, "x.jsonl", "fin-ignored")).toBe(
      "npm run sim -- --seeds 1 --from 17 --twice-every 1 --plant fin-ignored",
    );
    const steered: Failure = { ...failure, drawing: { size: "small", mix: ["crash", "purge"] } };
    expect(replayCommand(steered, undefined, null)).toBe("npm run sim -- --seeds 1 --from 17 --size small --mix crash,purge");
    expect(replayCommand({ ...failure, drawing: { size: "small", mix: [] } }, undefined, null)).toContain("--mix none");
  });
});

describe("the table of planted bugs", () => {
  it("says which invariant caught each bug, or why it counts as missed", () => {
    expect(huntedLine(caught, 3, 39)).toBe(" 3 of 39  wake-forgotten: caught by streams-close at seed 17, 1 line");
    expect(huntedLine(missed, 4, 39)).toBe(" 4 of 39  wake-forgotten: not caught; not caught in 2000 seeds");
    expect(huntText([caught])).toContain("1 of 1 planted bugs caught");
    expect(huntText([caught, missed])).toContain("1 of 2 planted bugs caught");
  });

  it("replaces the old table in the document and leaves the rest unchanged", () => {
    const document = EMPTY_DOCUMENT.replace("# Planted bugs", "# Planted bugs\n\nBy hand.").concat("\nAnd after.\n");
    const names = [plant.name, "no-such-bug"];
    const once = withTable(document, [caught], names) ?? "";
    expect(once).toContain(`| \`wake-forgotten\` | ${plant.what} | \`src/ingest/ingest.ts\` | \`streams-close\` | 17 | 17 | 1 |`);
    expect(withTable(once, [caught], names)).toBe(once);
    expect(withTable(once, [], names)).toBe(once);
    expect(withTable(once, [], [])).toBe(withTable(document, [], []));
    expect(once.startsWith("# Planted bugs\n\nBy hand.")).toBe(true);
    expect(once.endsWith("\nAnd after.\n")).toBe(true);
  });

  it("is not written to a document without its markers", () => {
    expect(withTable("# Something else", [caught], [])).toBeUndefined();
  });
});
