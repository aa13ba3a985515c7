/** `oc-partnerd replay [FIXTURE]`: runs a fixture through the simulator and prints what the daemon decides. */
import { readFileSync } from "node:fs";
import { diff } from "node:util";
import { type Clock, systemClock } from "../clock.ts";
import { messageOf, PartnerdError } from "../errors.ts";
import { parseFixture } from "../fixture/parse.ts";
import type { Fixture } from "../fixture/schema.ts";
import { type SimResult, simulate, type Violation } from "../sim/simulate.ts";
import { readFixtureText } from "./files.ts";
import { type ProgressStream, progress } from "./progress.ts";

export interface ReplayOptions {
  /** A golden trace to compare with; true: what the fixture itself expects; undefined: print the trace. */
  readonly expect: string | true | undefined;
  readonly untilMs: number | undefined;
  /** So many times as fast as it happened; undefined: as fast as it goes. */
  readonly speed: number | undefined;
  readonly json: boolean;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly terminal: ProgressStream;
  readonly clock?: Clock;
}

/** Resolves to the exit code: 1 where something that must hold does not, or the trace is another. Throws what reading the files throws. */
export async function replay(file: string | undefined, options: ReplayOptions): Promise<0 | 1> {
  const { expect, untilMs, speed, json, print, complain, terminal, clock = systemClock } = options;
  const { text, name } = await readFixtureText(file);
  const fixture = parseFixture(text, name);
  const golden = typeof expect === "string" ? readTrace(expect) : undefined;
  if (expect === true) checkExpects(fixture, name);
  const showsTrace = expect === undefined && !json;
  const bar = progress(terminal, "replaying", null, clock);
  const watched = showsTrace && speed !== undefined;
  const result = await simulate(fixture, {
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(watched ? { pace: pacer(speed, clock), onTrace: print } : {}),
    onProgress: (atMs) => bar.update(Math.round(atMs / 1_000)),
  });
  bar.clear();
  if (json) print(JSON.stringify({ ...result, trace: result.trace }, null, 2));
  else if (showsTrace && !watched) for (const line of result.trace) print(line);
  const differences = golden === undefined ? [] : differencesOf(golden, result.trace);
  for (const line of differences) complain(line);
  for (const violation of result.violations) complain(violationLine(violation));
  const holds = result.violations.length === 0 && differences.length === 0;
  if (!json) complain(summary(result, { fixture, golden, holds }));
  return holds ? 0 : 1;
}

function readTrace(path: string): readonly string[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot read ${path}: ${messageOf(thrown)}`, {
      nextStep: "make a golden trace with `oc-partnerd replay FIXTURE > TRACE`",
      cause: thrown,
    });
  }
}

function checkExpects({ lines }: Fixture, name: string): void {
  if (lines.some((line) => "expect" in line)) return;
  throw new PartnerdError("usage", `${name} expects nothing: it has no \`expect\` line`, {
    nextStep: "compare with a golden trace (--expect TRACE), or replay an exported fixture, which expects what the log says",
  });
}

/** Waits until the real clock is where the world's is. */
function pacer(speed: number, clock: Clock): (atMs: number) => Promise<void> {
  const startedMs = clock.monotonicMs();
  return (atMs) => {
    const aheadMs = startedMs + atMs / speed - clock.monotonicMs();
    return new Promise((resolve) => void clock.schedule(Math.max(0, aheadMs), resolve));
  };
}

const CONTEXT_LINES = 3;

/** As `diff -u` shows it: what is missing with a minus, what is new with a plus, and the lines around. */
export function differencesOf(golden: readonly string[], found: readonly string[]): readonly string[] {
  const isSame = (index: number) => golden[index] === found[index];
  let start = 0;
  while (start < golden.length && start < found.length && isSame(start)) start += 1;
  if (start === golden.length && start === found.length) return [];
  let same = 0;
  while (same < Math.min(golden.length, found.length) - start && golden.at(-1 - same) === found.at(-1 - same)) same += 1;
  const middle = diff(golden.slice(start, golden.length - same), found.slice(start, found.length - same));
  const marked = middle.map(([operation, line]) => `${MARKS[operation] ?? " "}${line}`);
  const before = golden.slice(Math.max(0, start - CONTEXT_LINES), start).map((line) => ` ${line}`);
  const after =
    same === 0
      ? []
      : golden
          .slice(golden.length - same)
          .slice(0, CONTEXT_LINES)
          .map((line) => ` ${line}`);
  return [`@@ line ${start + 1} @@`, ...before, ...shortened(marked), ...after];
}

/** node:util's diff says 1 for what only the first has. */
const MARKS: Readonly<Record<string, string>> = { "1": "-", "-1": "+", "0": " " };

/** Long runs of equal lines between two differences say nothing. */
function shortened(marked: readonly string[]): readonly string[] {
  const near = new Set<number>();
  for (const [index, line] of marked.entries()) {
    if (line.startsWith(" ")) continue;
    for (let around = index - CONTEXT_LINES; around <= index + CONTEXT_LINES; around++) near.add(around);
  }
  return marked.flatMap((line, index) => (near.has(index) ? [line] : near.has(index - 1) ? [" …"] : []));
}

function violationLine({ invariant, atMs, message }: Violation): string {
  return `${(atMs / 1_000).toFixed(3).padStart(10)} s  ${invariant}: ${message}`;
}

function summary(
  result: SimResult,
  { fixture, golden, holds }: { fixture: Fixture; golden: readonly string[] | undefined; holds: boolean },
): string {
  const expected = fixture.lines.filter((line) => "expect" in line).length;
  const facts = [
    `${(result.simulatedMs / 1_000).toFixed(0)} s simulated`,
    `${result.peers} ${result.peers === 1 ? "peer" : "peers"}`,
    `${result.trace.length} lines of trace`,
    ...(expected > 0 ? [`${expected} expectations`] : []),
    ...(golden === undefined ? [] : [golden.length === 0 ? "an empty golden trace" : `${golden.length} golden lines`]),
    `trace ${result.traceHash.slice(0, 12)}`,
  ];
  return `${holds ? "ok" : "FAILED"}: ${facts.join(", ")}`;
}
