/** `oc-partnerd replay`, as the command line calls it. */
import { describe, expect, test } from "vitest";
import { type ReplayOptions, replay } from "../../src/cli/replay.ts";
import type { Clock } from "../../src/clock.ts";
import { fixtureText, output, temporaryFiles } from "./commands.ts";

const { written } = temporaryFiles();

const LYON = fixtureText(
  { atMs: 0, publish: "lyon" },
  { atMs: 20_000, peer: "lyon", does: "reset" },
  { atMs: 60_000, peer: "lyon", expect: "phase", phase: "established" },
  { atMs: 90_000, publish: "lyon", relation: "NONE" },
);
const BROKEN = fixtureText({ atMs: 0, publish: "lyon" }, { atMs: 5_000, peer: "lyon", expect: "phase", phase: "closed" });

async function run(file: string, options: Partial<ReplayOptions> = {}, to = output()) {
  const defaults = { expect: undefined, untilMs: undefined, speed: undefined, json: false };
  const code = await replay(file, { ...defaults, ...to, ...options });
  return { code, ...to };
}

const lyon = written(LYON);
const golden = async () => (await run(lyon)).printed;

describe("without flags", () => {
  test("prints the trace on standard output, and the rest on standard error", async () => {
    const { code, printed, complained, drawn } = await run(lyon);
    expect(code).toBe(0);
    expect(printed[0]).toBe("     0.000 s  daemon       * starts");
    expect(printed.filter((line) => line.includes("StreamOpened outbound"))).toHaveLength(2);
    expect(printed.at(-1)).toMatch(/lyon +#\d+ StreamClosed outbound revoked$/);
    expect(complained).toHaveLength(1);
    expect(complained[0]).toMatch(
      new RegExp(`^ok: 150 s simulated, 1 peer, ${printed.length} lines, 1 expectation held, trace [0-9a-f]{12}$`),
    );
    expect(drawn).toEqual([]);
  });

  test("is 1 where something does not hold, and says what and when", async () => {
    const { code, printed, complained } = await run(written(BROKEN));
    expect(code).toBe(1);
    expect(printed).not.toEqual([]);
    expect(complained[0]).toBe("     5.000 s  expected-phase: lyon is established, expected closed");
    expect(complained[1]).toMatch(/^FAILED: 65 s simulated, .*, 1 expectation did not hold, trace /);
  });

  test("reads no fixture that is none", async () => {
    await expect(run(written("{}"))).rejects.toMatchObject({ code: "fixture_invalid" });
    await expect(run("/not/there.jsonl")).rejects.toMatchObject({ code: "file_failed", exitCode: 74 });
  });
});

describe("--expect TRACE", () => {
  const expected = async (lines: readonly string[], options: Partial<ReplayOptions> = {}) =>
    run(lyon, { expect: written(lines.map((line) => `${line}\n`).join(""), "golden.trace"), ...options });

  test("is 0 for the same trace, and prints none", async () => {
    const lines = await golden();
    const { code, printed, complained } = await expected(lines);
    expect({ code, printed }).toEqual({ code: 0, printed: [] });
    expect(complained).toHaveLength(1);
    expect(complained[0]).toContain(`, ${lines.length} golden lines, `);
  });

  test("is 1 for another, and shows the difference as diff -u does", async () => {
    const lines = await golden();
    const other = lines.with(3, "     0.010 s  lyon         something else");
    const { code, complained } = await expected(other);
    expect(code).toBe(1);
    expect(complained.slice(0, -1)).toEqual([
      "@@ line 4 @@",
      ` ${lines[0]}`,
      ` ${lines[1]}`,
      ` ${lines[2]}`,
      "-     0.010 s  lyon         something else",
      `+${lines[3]}`,
      ` ${lines[4]}`,
      ` ${lines[5]}`,
      ` ${lines[6]}`,
    ]);
    expect(complained.at(-1)).toMatch(/^FAILED: /);
  });

  test("is 1 for a trace that is shorter or longer", async () => {
    const lines = await golden();
    expect((await expected(lines.slice(0, -1))).complained).toContain(`+${lines.at(-1)}`);
    expect((await expected([...lines, "   999.000 s  one more"])).complained).toContain("-   999.000 s  one more");
  });

  test("compares as far as --until", async () => {
    const lines = await golden();
    const { code, complained } = await expected(lines, { untilMs: 30_000 });
    expect({ code, complained: complained.slice(0, -1) }).toEqual({ code: 0, complained: [] });
    expect((await expected(lines.with(-1, "    89.000 s  other"), { untilMs: 30_000 })).code).toBe(0);
    expect((await expected(lines.with(-1, "    89.000 s  other"))).code).toBe(1);
  });

  test("is file_failed for a file that is not there, with how to make one", async () => {
    await expect(run(lyon, { expect: "/not/there.trace" })).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringContaining("cannot read /not/there.trace: ENOENT") as string,
      nextStep: "make a golden trace with `oc-partnerd replay FIXTURE > TRACE`",
    });
  });

  test("is usage where the fixture was taken for the trace, before anything is read", async () => {
    await expect(run("/not/there.jsonl", { expect: lyon })).rejects.toMatchObject({
      exitCode: 64,
      message: `--expect ${lyon} is no trace but a fixture`,
      nextStep: `name the fixture first: oc-partnerd replay ${lyon} --expect`,
    });
  });
});

describe("--expect without a trace", () => {
  test("is 0 where what the fixture expects comes, and says how much it was", async () => {
    const { code, printed, complained } = await run(lyon, { expect: true });
    expect({ code, printed }).toEqual({ code: 0, printed: [] });
    expect(complained).toEqual([expect.stringMatching(/^ok: .*, 1 expectation held, /)]);
  });

  test("is 1 where it does not come", async () => {
    expect(await run(written(BROKEN), { expect: true })).toMatchObject({ code: 1, printed: [] });
  });

  test("is usage where the fixture expects nothing", async () => {
    const nothing = written(fixtureText({ atMs: 0, publish: "lyon" }));
    await expect(run(nothing, { expect: true })).rejects.toMatchObject({
      exitCode: 64,
      message: `${nothing} expects nothing: it has no \`expect\` line`,
    });
  });
});

test("--until ends the run there, and with it what is expected", async () => {
  const { code, printed, complained } = await run(written(BROKEN), { untilMs: 3_000 });
  expect(code).toBe(0);
  expect(printed.length).toBeGreaterThan(3);
  expect(complained[0]).toMatch(/^ok: 3 s simulated, 1 peer, \d+ lines, trace /);
});

test("--json prints one value, with what does not hold and how the trace differs", async () => {
  const of = ({ printed }: { readonly printed: readonly string[] }) => JSON.parse(printed.join("\n")) as Record<string, unknown>;
  const same = await run(lyon, { json: true });
  expect(same).toMatchObject({ code: 0, complained: [] });
  expect(of(same)).toMatchObject({ holds: true, violations: [], simulatedMs: 150_000, peers: 1, trace: await golden() });
  expect(of(same)).not.toHaveProperty("differences");

  const broken = await run(written(BROKEN), { json: true, expect: written("     0.000 s  other\n", "other.trace") });
  expect(broken).toMatchObject({ code: 1, complained: [] });
  expect(of(broken)).toMatchObject({
    holds: false,
    violations: [{ invariant: "expected-phase", atMs: 5_000 }],
    differences: expect.arrayContaining(["-     0.000 s  other"]) as string[],
  });
});

describe("--speed", () => {
  /** Nobody sees whether a line comes so much later, in ms of the world. */
  const LATE_MS = 1;

  /** Time that passes only while somebody waits for it. */
  function waitingClock(): Clock & { nowMs: number } {
    return {
      nowMs: 0,
      wallMs: () => 0,
      monotonicMs() {
        return this.nowMs;
      },
      schedule(delayMs, task) {
        this.nowMs += delayMs;
        setImmediate(task);
        return { [Symbol.dispose]: () => {} };
      },
    };
  }

  test.each([1, 60])("prints each line when it happens, %d times as fast", async (speed) => {
    const clock = waitingClock();
    const seen: number[] = [];
    const { code, printed, complained } = await run(lyon, { speed, clock, print: () => void seen.push(clock.nowMs) });
    expect({ code, printed }).toEqual({ code: 0, printed: [] });
    const times = (await golden()).map((line) => (Number.parseFloat(line) * 1_000) / speed);
    expect(seen).toHaveLength(times.length);
    for (const [index, atMs] of times.entries()) {
      expect(seen[index]).toBeGreaterThan(atMs - 1);
      expect(seen[index]).toBeLessThan(atMs + LATE_MS / speed);
    }
    expect(clock.nowMs).toBeCloseTo(150_000 / speed);
    expect(complained).toHaveLength(1);
  });

  test("shows the same as without it, also with --expect", async () => {
    const [lines, clock] = [await golden(), waitingClock()];
    expect((await run(lyon, { speed: 10, clock })).printed).toEqual(lines);
    expect(await run(lyon, { speed: 10, clock, expect: true })).toMatchObject({ code: 0, printed: lines });
  });
});

test("on a terminal there is a bar with the time that is to come, and it goes away", async () => {
  const long = written(fixtureText({ atMs: 0, publish: "lyon" }, { atMs: 3_540_000, publish: "paris" }));
  const { drawn } = await run(long, {}, output(true));
  expect(drawn[0]).toMatch(/replaying, in seconds {2}\[#*\.+\] +\d+ % {2}\d+ of 3,600 {2}/);
  expect(drawn.at(-1)).toBe("\r\u001b[2K");
});
