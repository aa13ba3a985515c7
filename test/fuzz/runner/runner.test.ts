import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CampaignResult, campaign, runInput } from "./campaign.ts";
import { GrowthWatch } from "./growth.ts";
import type { LaneOptions } from "./lane.ts";

let lanes: LaneOptions;
beforeEach(() => {
  const seeds = mkdtempSync(join(tmpdir(), "oc-partnerd-fuzz-seeds-"));
  lanes = { targets: new URL("faulty-targets.ts", import.meta.url).href, seeds, stuckMs: 4_000, measureEveryMs: 500 };
});
afterEach(() => rmSync(lanes.seeds, { recursive: true }));

/** Runs one faulty target on a seed. */
async function fuzz(
  target: string,
  seed: string,
  limits: { readonly minutes?: number; readonly inputs?: number },
  stop = new AbortController(),
  onProgress = () => {},
): Promise<CampaignResult> {
  mkdirSync(join(lanes.seeds, target));
  writeFileSync(join(lanes.seeds, target, "seed"), seed);
  const { minutes = Number.POSITIVE_INFINITY, inputs = Number.POSITIVE_INFINITY } = limits;
  const options = { ...lanes, chosen: [target], seed: 1, workers: 1, minutes, inputs };
  return campaign(options, { onProgress, onFinding: () => {} }, stop.signal);
}

describe("a campaign", () => {
  it.each([
    ["crash", "ab!c", "crash", /TypeError/],
    ["promise", "ab!c", "broken promise", /there is no exclamation mark/],
    ["rejection", "ab!c", "crash", /no one waits for this/],
    ["exit", "ab!c", "crash", /the thread exited with code 3/],
    ["loop", "!", "hang", /processor time|has not ended/],
    ["wait", "!", "hang", /it has not ended for 4 s/],
  ])("finds a %s, reduces its input and keeps it", async (target, seed, kind, message) => {
    const { findings } = await fuzz(target, seed, { inputs: 1 });
    expect(findings).toMatchObject([{ target, kind, signature: expect.stringContaining(kind) as string }]);
    expect(findings[0]?.message).toMatch(message);
    const kept = readFileSync(findings[0]?.path ?? "");
    expect(kept.toString()).toBe("!");
    expect(await runInput(target, kept, lanes)).toMatchObject({ kind });
    expect(await runInput(target, Buffer.from("ab"), lanes)).toBeUndefined();
  });

  it("keeps an input that fails as it is when the run is interrupted", async () => {
    const stop = new AbortController();
    const { findings } = await fuzz("crash", "ab!c", { inputs: 1 }, stop, () => stop.abort());
    expect(readFileSync(findings[0]?.path ?? "").toString()).toBe("ab!c");
  });

  it("finds a bad input by mutation", async () => {
    const { findings, tallies } = await fuzz("crash", "abc", { inputs: 50_000 });
    expect(findings).toHaveLength(1);
    expect(tallies[0]?.inputs).toBeGreaterThan(1);
  });

  it("finds a heap that grows", async () => {
    const { findings } = await fuzz("leak", "abc", { minutes: 0.2 });
    expect(findings).toMatchObject([{ kind: "growth", path: undefined }]);
  });

  it("runs a sound target to the end", async () => {
    const { findings, tallies } = await fuzz("sound", "abc", { inputs: 3_000 });
    expect([findings, tallies[0]?.inputs]).toEqual([[], 3_000]);
  });
});

describe("GrowthWatch", () => {
  const MIB = 1_048_576;

  it("reports three measurements in a row far above the first minute", () => {
    const watch = new GrowthWatch(60_000);
    const add = (mebibytes: number, atMs: number) => watch.add(mebibytes * MIB, atMs);
    expect([add(50, 10_000), add(80, 50_000), add(110, 65_000), add(113, 70_000), add(113, 75_000)]).toEqual(
      Array(5).fill(undefined),
    );
    expect(add(111, 80_000)).toBeUndefined();
    expect([add(113, 85_000), add(114, 90_000), add(115, 95_000)]).toEqual([undefined, undefined, 35 * MIB]);
  });
});
