import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseFixture } from "../../../src/fixture/format/parse.ts";
import { writeFakeSimulator } from "./fake-simulator.ts";
import { RUNNER_INVARIANTS } from "./messages.ts";

const MAIN = join(import.meta.dirname, "main.ts");
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "oc-partnerd-sim-command-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const HANGS_AFTER_MS = 100_000;

/** Runs the command with a fake simulator of this body. `onStderr` may kill it. */
function sim(body: string, args: readonly string[], onStderr: (text: string, kill: () => void) => void = () => {}): Promise<Run> {
  const simulator = writeFakeSimulator(join(directory, "simulator"), body);
  const child = spawn(process.execPath, [MAIN, "--simulator", simulator, "--out", directory, ...args], {
    cwd: directory,
    timeout: HANGS_AFTER_MS,
    killSignal: "SIGKILL",
  });
  const { promise, resolve } = Promise.withResolvers<Run>();
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    onStderr(stderr, () => child.kill("SIGINT"));
  });
  child.once("close", (code) => resolve({ code, stdout, stderr }));
  return promise;
}

const fixtures = (): string[] => readdirSync(directory).filter((name) => name.endsWith(".jsonl"));

describe("npm run sim", () => {
  it("runs the seeds and prints a summary", async () => {
    const { code, stdout } = await sim("return ok;", ["--seeds", "41", "--workers", "2"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^41 seeds in \d+\.\d s: \d+\.\d seeds\/s on 2 threads\n/);
    expect(stdout).toContain("20.0 peers per world, 440 steps");
    expect(stdout).toContain("3 seeds run twice and compared");
    expect(stdout).toContain("no violations");
    expect(fixtures()).toEqual([]);
  });

  it("fails with --coverage if code is not reached and has no reason", async () => {
    const { code, stdout } = await sim("return ok;", ["--seeds", "2", "--workers", "1", "--coverage"]);
    expect(stdout).toMatch(/not reached: .*, [1-9]\d* lines in \d+ places without/);
    expect(stdout).toContain("no violations");
    expect(code).toBe(1);
  });

  it("shrinks a failure, writes it to a file, and says how to reproduce it", async () => {
    const body = 'return seed >= 7 && fixture.lines.some(({ peer }) => peer === "p4") ? broken("streams-close") : ok;';
    const { code, stdout, stderr } = await sim(body, ["--seeds", "20", "--workers", "1"]);
    expect(code).toBe(1);
    expect(stderr).toContain("seed 7: streams-close violated at 0.005 s: of seed 7");
    expect(stdout).toContain("seed 7: streams-close violated at 0.005 s: of seed 7; also 13 more seeds: 8, 9, 10, 11, 12 …");
    expect(stdout).toContain("reproduce: bin/oc-partnerd replay sim-failure-7.jsonl");
    expect(fixtures()).toEqual(["sim-failure-7.jsonl"]);
    const text = readFileSync(join(directory, "sim-failure-7.jsonl"), "utf8");
    expect(parseFixture(text, "shrunk").lines).toEqual([{ atMs: 0, peer: "p4", does: "fin" }]);
  });

  it("stops after violations of three different invariants, unless --keep-going is set", async () => {
    const body = 'return seed % 2 === 0 ? broken("invariant-" + (seed % 10)) : ok;';
    const stopped = JSON.parse((await sim(body, ["--seeds", "400", "--json", "--workers", "1"])).stdout) as Result;
    expect(stopped).toMatchObject({ seeds: 6, interrupted: false });
    expect(stopped.failures.map(({ seed, invariant }) => [seed, invariant])).toEqual([
      [2, "invariant-2"],
      [4, "invariant-4"],
      [6, "invariant-6"],
    ]);
    const all = JSON.parse((await sim(body, ["--seeds", "400", "--json", "--keep-going"])).stdout) as Result;
    expect(all.seeds).toBe(400);
    expect(all.failures).toHaveLength(5);
    expect(all.failures[0]?.seeds).toHaveLength(40);
  });

  it("detects a seed whose second run differs, and names the first different line", async () => {
    const body = 'return seed === 3 ? { ...ok, trace: ["a", "call " + calls], traceHash: "hash-" + calls } : ok;';
    const { code, stdout } = await sim(body, ["--seeds", "5", "--twice-every", "1", "--workers", "1"]);
    expect(code).toBe(1);
    expect(stdout).toContain(`seed 3: ${RUNNER_INVARIANTS.determinism} violated`);
    expect(stdout).toContain('trace line 2 is "call 5", but "call 6" in the second run');
    expect(stdout).toContain("reproduce: npm run sim -- --seeds 1 --from 3 --twice-every 1");
  });

  it("prints only hashes on standard output, in seed order", async () => {
    const body = "await new Promise((resolve) => setTimeout(resolve, seed % 2 === 1 ? 40 : 0)); return ok;";
    const { stdout } = await sim(body, ["--seeds", "12", "--from", "5", "--hashes", "--workers", "3"]);
    expect(stdout.trim().split("\n")).toEqual(Array.from({ length: 12 }, (_, index) => `${index + 5} hash-${index + 5}`));
  });

  it.each([
    ["blocks its thread", "while (true);"],
    ["never ends", "return new Promise(() => {});"],
    [
      "makes steps without advancing time",
      "while (true) { options.onProgress?.(5, 10); await new Promise((next) => setImmediate(next)); }",
    ],
  ])("abandons a run that %s, and runs the remaining seeds", async (_, body) => {
    const { code, stdout } = await sim(`if (seed === 2) { ${body} } return ok;`, [
      "--seeds",
      "10",
      "--hang-after",
      "1",
      "--workers",
      "1",
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^10 seeds /);
    expect(stdout).toContain(`seed 2: ${RUNNER_INVARIANTS.hang} violated`);
    expect(stdout).toContain("reproduce: npm run sim -- --seeds 1 --from 2");
  });

  it("waits for a slow run whose simulated time advances", async () => {
    const body =
      "for (let at = 0; at < 30; at++) { options.onProgress?.(at, 30); await new Promise((next) => setTimeout(next, 50)); } return ok;";
    expect((await sim(body, ["--seeds", "1", "--hang-after", "1", "--twice-every", "0"])).code).toBe(0);
  });

  it("survives a run that kills its thread or throws", async () => {
    const body =
      'if (seed === 2) setImmediate(() => { throw new Error("out of nowhere"); }); if (seed === 4) throw new Error("no idea"); await new Promise((next) => setTimeout(next, 20)); return ok;';
    const { code, stdout } = await sim(body, ["--seeds", "10", "--workers", "1"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^10 seeds /);
    expect(stdout).toContain(`seed 2: ${RUNNER_INVARIANTS.death} violated at 0.000 s: out of nowhere`);
    expect(stdout).toContain(`seed 4: ${RUNNER_INVARIANTS.broken} violated at 0.000 s: Error: no idea`);
  });

  it("names the lowest seed of each kind of failure", async () => {
    const body = 'await new Promise((next) => setTimeout(next, seed === 1 ? 300 : 0)); return broken("it");';
    const { failures } = JSON.parse(
      (await sim(body, ["--seeds", "2", "--workers", "2", "--json", "--twice-every", "0"])).stdout,
    ) as Result;
    expect(failures).toMatchObject([{ seed: 1, seeds: [1, 2] }]);
  });

  it("does not mistake many short runs for a hang", async () => {
    const body = 'await new Promise((next) => setTimeout(next, 60)); return fixture.lines.length > 0 ? broken("it") : ok;';
    const { stdout } = await sim(body, ["--seeds", "1", "--hang-after", "1", "--twice-every", "0"]);
    expect(stdout).toContain("shrunk to 2 lines");
    expect(stdout).not.toContain("not shrunk");
  });

  it("prints a summary on Ctrl-C, and lets active runs clean up", async () => {
    const tidied = join(directory, "tidied");
    const body = `
      if (seed === 3) return broken("it");
      while (!options.signal.aborted) await new Promise((next) => setTimeout(next, 10));
      (await import("node:fs")).writeFileSync(${JSON.stringify(tidied)}, "");
      throw options.signal.reason;`;
    const { code, stdout } = await sim(
      `if (seed < 3) return ok; ${body}`,
      ["--seeds", "100000", "--workers", "2"],
      (stderr, kill) => {
        if (stderr.includes("seed 3:")) kill();
      },
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/^\d seeds? in .*\(interrupted\)\n/);
    expect(stdout).toContain("not shrunk: interrupted");
    expect(fixtures()).toEqual(["sim-failure-3.jsonl"]);
    expect(existsSync(tidied)).toBe(true);
  });

  it("replays one fixture", async () => {
    const body = 'return fixture.lines.length > 0 ? broken("streams-close") : ok;';
    await sim(body, ["--seeds", "1"]);
    const failing = await sim(body, ["--replay", join(directory, "sim-failure-1.jsonl")]);
    expect(failing).toMatchObject({ code: 1, stdout: "     0.005 s  streams-close: of seed 0\n" });
    expect(await sim("return ok;", ["--replay", join(directory, "sim-failure-1.jsonl")])).toMatchObject({
      code: 0,
      stdout: "no violations\n",
    });
  });

  it("exits with 64 for bad flags, 74 for a missing file and 78 for an invalid fixture", async () => {
    expect((await sim("", ["--nonsense"])).code).toBe(64);
    const unknown = await sim("", ["--plant", "wake-forgoten"]);
    expect(unknown).toMatchObject({ code: 64, stdout: "" });
    expect(unknown.stderr).toMatch(/^sim: unknown planted bug .*\n {2}next step: /);
    expect((await sim("", ["--replay", "missing.jsonl"])).code).toBe(74);
    expect((await sim("", ["--replay", MAIN])).code).toBe(78);
    expect((await sim("", ["--out", "/proc/nowhere"])).code).toBe(74);
  });
});

interface Result {
  readonly seeds: number;
  readonly failures: readonly { readonly seed: number; readonly invariant: string; readonly seeds: readonly number[] }[];
}
