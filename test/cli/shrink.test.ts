/** `oc-partnerd shrink`, as the command line calls it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ShrinkOptions, shrink } from "../../src/cli/shrink.ts";
import { parseFixture } from "../../src/fixture/parse.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { fixtureText, output, temporaryFiles } from "./commands.ts";

const { directory, written } = temporaryFiles();

const CROWD = ["paris", "rome", "oslo", "bern"].map((peer, index) => ({ atMs: index * 100, publish: peer }));
const NIGHT = [
  ...CROWD,
  { atMs: 400, publish: "lyon", note: "who will be refused", name: "lyon-1" },
  { atMs: 20_000, peer: "rome", does: "reset" },
  { atMs: 30_000, peer: "lyon", answers: "refused" },
  { atMs: 30_000, peer: "lyon", does: "disconnect" },
];
const night = written(fixtureText(...NIGHT));
const FAILURE = { atMs: 40_000, expect: "phase", peer: "lyon", phase: "established" };
const failing = written(fixtureText(...NIGHT, FAILURE));

let outs = 0;
const newOut = () => join(directory, `out-${++outs}.jsonl`);

async function run(file: string, options: Partial<ShrinkOptions> = {}, to = output()) {
  const out = newOut();
  await shrink(file, { line: undefined, out, maxRuns: 2_000, ...to, ...options });
  const text = readFileSync(options.out ?? out, "utf8");
  return { text, fixture: parseFixture(text, "out"), ...to };
}

describe("--line", () => {
  test("keeps what the line of the trace needs, and nothing else", async () => {
    const { fixture, complained } = await run(night, { line: "lyon failed: dial_failed" });
    expect(fixture.lines).toMatchObject([{ publish: "lyon" }, { peer: "lyon", answers: "refused" }]);
    expect((await simulate(fixture)).trace.join("\n")).toMatch(/lyon +failed: dial_failed/);
    expect(complained).toEqual(["9 lines became 3"]);
  });

  test("takes a whole line as replay prints it, whose time and number will be others", async () => {
    const { trace } = await simulate(parseFixture(readFileSync(night, "utf8"), "night"));
    const line = trace.find((candidate) => candidate.includes("OpenFailed dial_failed")) ?? "";
    expect(line).toMatch(/^ +3\d\.\d{3} s {2}lyon +#1\d OpenFailed dial_failed$/);
    expect((await run(night, { line })).complained).toEqual(["9 lines became 3"]);
  });

  test.each(["paris failed: timeout", " ", ""])(
    "is check_failed where no line contains %j, with where to find one",
    async (line) => {
      const out = newOut();
      await expect(run(night, { line, out })).rejects.toMatchObject({
        exitCode: 1,
        message: `no line of the trace of ${night} contains "${line}", so there is nothing to shrink`,
        nextStep: "copy a line, or a part of one, from what `oc-partnerd replay` prints",
      });
      expect(existsSync(out)).toBe(false);
    },
  );
});

describe("without --line", () => {
  test("keeps the first failure, and what came instead of what was expected", async () => {
    const { fixture, complained } = await run(failing);
    const [before] = (await simulate(parseFixture(readFileSync(failing, "utf8"), "failing"))).violations;
    const [after] = (await simulate(fixture)).violations;
    expect(after?.message).toBe(before?.message);
    expect(after?.message).toBe("lyon is backoff, expected established");
    // Without the publication lyon would not be established either, but closed.
    expect(fixture.lines.some((line) => "publish" in line)).toBe(true);
    expect(fixture.lines.length).toBeLessThanOrEqual(3);
    expect(complained).toEqual([`10 lines became ${fixture.lines.length + 1}`]);
  });

  test("is check_failed where nothing fails, with the next step", async () => {
    const out = newOut();
    await expect(run(night, { out })).rejects.toMatchObject({
      exitCode: 1,
      message: `${night} shows no failure, so there is nothing to shrink`,
      nextStep: expect.stringContaining("--line TEXT") as string,
    });
    expect(existsSync(out)).toBe(false);
  });
});

test("--out never overwrites, which is found out before the work", async () => {
  const out = written("dear");
  const to = output(true);
  await expect(run(failing, { out }, to)).rejects.toMatchObject({
    exitCode: 74,
    message: `${out} exists already, and nothing is overwritten`,
  });
  expect(readFileSync(out, "utf8")).toBe("dear");
  expect(to.drawn).toEqual([]);
});

test("--max-runs ends the search, and says that there may be a smaller one", async () => {
  const { fixture, complained } = await run(failing, { maxRuns: 5 });
  expect((await simulate(fixture)).violations).not.toEqual([]);
  expect(complained[0]).toMatch(/^10 lines became \d+; stopped after 5 replays, there may be a smaller one$/);
});

test("Ctrl-C ends the search with the smallest so far, and leaves no listener", async () => {
  const listeners = process.listenerCount("SIGINT");
  const to = output(true);
  const { write } = to.terminal;
  to.terminal.write = (text) => {
    process.emit("SIGINT");
    return write(text);
  };
  const { fixture, complained } = await run(failing, {}, to);
  expect((await simulate(fixture)).violations).not.toEqual([]);
  expect(complained[0]).toMatch(/; stopped after 1 replays?, there may be a smaller one$/);
  expect(process.listenerCount("SIGINT")).toBe(listeners);
});

test("on a terminal there is a bar of the replays, and it goes away", async () => {
  const { drawn } = await run(failing, {}, output(true));
  expect(drawn[0]).toContain("shrinking 10 lines, in replays  [");
  expect(drawn.at(-1)).toBe("\r\u001b[2K");
});
