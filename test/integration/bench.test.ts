import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { isCampaign } from "../support/campaign.ts";

const SCRIPT = join(import.meta.dirname, "../../bench/run.ts");

function bench(...args: readonly string[]) {
  return spawnSync(process.execPath, [SCRIPT, ...args], { encoding: "utf8" });
}

function result(directory: string, benchmark: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(directory, `${benchmark}.json`), "utf8")) as Record<string, unknown>;
}

/** Measures speed but never asserts it. The full benchmark takes longer than a test may: `npm run campaign -- bench`. */
describe("npm run bench", () => {
  it.runIf(isCampaign)("measures, prints and writes every benchmark, and leaves nothing behind", () => {
    using out = temporaryDirectory();
    using data = temporaryDirectory();
    const { status, stdout, stderr } = bench("--quick", "--out", out.path, "--data", data.path);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^target: .* measured \d+\.\d\dx: (met|missed)$/m);
    const establish = result(out.path, "establish");
    const headOfLine = result(out.path, "head-of-line");
    const replay = result(out.path, "replay");
    const samples = { total: { samples: 10 } };
    expect(establish).toMatchObject({
      benchmark: "establish",
      partners: 10,
      daemon: samples,
      floors: { session: samples, service: samples },
    });
    expect(headOfLine).toMatchObject({ benchmark: "head-of-line", partners: 10, blackHoles: 2 });
    const reading = { time: { samples: 1 } };
    expect(replay).toMatchObject({ benchmark: "replay", differences: 0, scan: reading, replay: reading, verify: reading });
    const acknowledge = result(out.path, "acknowledge");
    expect(acknowledge).toMatchObject({ events: 1_000, schemes: { each: reading, allConfirmed: reading, none: reading } });
    const ingest = result(out.path, "ingest");
    const path = { ingest: reading, sqlite: reading, consumer: reading };
    expect(ingest).toMatchObject({ events: 1_000, jetstream: path, core: path });
    const memory = result(out.path, "memory");
    expect(memory).toMatchObject({ events: 10_000 });
    expect(JSON.stringify([establish, headOfLine, replay, ingest, acknowledge, memory]), "every figure is a number").not.toMatch(
      /(Ms|atio|share|p50|p99|econd|replay|verify|MiB)":null/,
    );
    expect(readdirSync(data.path)).toEqual([]);
  });

  it("shows its options", () => {
    const [help, unknown] = [bench("--help"), bench("--fast")];
    expect([help.status, unknown.status]).toEqual([0, 64]);
    expect(help.stdout).toContain("--quick");
    expect(unknown.stderr).toContain("--fast");
  });
});
