/** `oc-partnerd replay [FIXTURE]`: runs a fixture through the simulator and prints what the daemon decides. */
import { readFileSync } from "node:fs";
import { type Clock, systemClock } from "../clock.ts";
import { messageOf, PartnerdError } from "../errors.ts";
import { parseFixture } from "../fixture/parse.ts";
import type { Fixture } from "../fixture/schema.ts";
import { type SimResult, simulate, type Violation } from "../sim/simulate.ts";
import { differencesOf } from "./differences.ts";
import { readFixtureText } from "./files.ts";
import { holdEventLoop } from "./hold-event-loop.ts";
import { type Progress, type ProgressStream, progress } from "./progress.ts";

export interface ReplayOptions {
  /** A golden trace to compare with; true: what the fixture itself expects; undefined: print the trace. */
  readonly expect: string | true | undefined;
  readonly untilMs: number | undefined;
  /** Prints the trace while it happens, so many times as fast; undefined: as fast as it goes. */
  readonly speed: number | undefined;
  readonly json: boolean;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly terminal: ProgressStream;
  readonly clock?: Clock;
}

/**
 * Resolves to the exit code: 1 where something that must hold does not, or the trace is another. Throws usage where there is nothing to
 * compare with, and what reading the files throws.
 */
export async function replay(file: string | undefined, options: ReplayOptions): Promise<0 | 1> {
  const { expect, untilMs = Number.POSITIVE_INFINITY, speed, json, print, complain } = options;
  const golden = typeof expect === "string" ? readTrace(expect).filter((line) => timeMsOf(line) <= untilMs) : undefined;
  const { text, name } = await readFixtureText(file);
  const fixture = parseFixture(text, name);
  if (expect === true) checkExpects(fixture, name);
  const isWatched = speed !== undefined && !json;
  const result = isWatched ? await watched(fixture, speed, options) : await atOnce(fixture, options);
  const differences = golden === undefined ? [] : differencesOf(golden, result.trace);
  const holds = result.violations.length === 0 && differences.length === 0;
  if (json) {
    print(JSON.stringify({ holds, ...result, ...(golden === undefined ? {} : { differences }) }, null, 2));
    return holds ? 0 : 1;
  }
  if (!isWatched && expect === undefined) for (const line of result.trace) print(line);
  for (const line of differences) complain(line);
  for (const violation of result.violations) complain(violationLine(violation));
  complain(summary(result, { fixture, golden, untilMs, holds }));
  return holds ? 0 : 1;
}

async function atOnce(fixture: Fixture, { untilMs, terminal, clock }: ReplayOptions): Promise<SimResult> {
  let bar: Progress | undefined;
  const result = await simulate(fixture, {
    ...(untilMs === undefined ? {} : { untilMs }),
    onProgress: (atMs, endMs) => {
      bar ??= progress(terminal, "replaying, in seconds", Math.round(endMs / 1_000), clock);
      bar.update(Math.round(atMs / 1_000));
    },
  });
  bar?.clear();
  return result;
}

async function watched(fixture: Fixture, speed: number, options: ReplayOptions): Promise<SimResult> {
  const { untilMs, print, clock = systemClock } = options;
  using _held = holdEventLoop();
  return await simulate(fixture, {
    ...(untilMs === undefined ? {} : { untilMs }),
    pace: pacer(speed, clock),
    onTrace: print,
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

function readTrace(path: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot read ${path}: ${messageOf(thrown)}`, {
      nextStep: "make a golden trace with `oc-partnerd replay FIXTURE > TRACE`",
      cause: thrown,
    });
  }
  if (text.trimStart().startsWith("{")) {
    throw new PartnerdError("usage", `--expect ${path} is no trace but a fixture`, {
      nextStep: `name the fixture first: oc-partnerd replay ${path} --expect`,
    });
  }
  return text.replace(/\n$/, "").split("\n");
}

/** When a line of a trace happened. */
function timeMsOf(line: string): number {
  return Number.parseFloat(line) * 1_000;
}

function checkExpects({ lines }: Fixture, name: string): void {
  if (lines.some((line) => "expect" in line)) return;
  throw new PartnerdError("usage", `${name} expects nothing: it has no \`expect\` line`, {
    nextStep: "compare with a golden trace (--expect TRACE), or replay an exported fixture, which expects what the log says",
  });
}

function violationLine({ invariant, atMs, message }: Violation): string {
  return `${(atMs / 1_000).toFixed(3).padStart(10)} s  ${invariant}: ${message}`;
}

interface Compared {
  readonly fixture: Fixture;
  readonly golden: readonly string[] | undefined;
  readonly untilMs: number;
  readonly holds: boolean;
}

function summary(result: SimResult, { fixture, golden, untilMs, holds }: Compared): string {
  const expected = fixture.lines.filter((line) => "expect" in line && line.atMs <= untilMs).length;
  const isMet = !result.violations.some(({ invariant }) => invariant.startsWith("expected-"));
  const facts = [
    `${(result.simulatedMs / 1_000).toFixed(0)} s simulated`,
    counted(result.peers, "peer"),
    counted(result.trace.length, "line"),
    ...(expected > 0
      ? [`${counted(expected, "expectation")} ${isMet ? "held" : expected === 1 ? "did not hold" : "did not all hold"}`]
      : []),
    ...(golden === undefined ? [] : [counted(golden.length, "golden line")]),
    `trace ${result.traceHash.slice(0, 12)}`,
  ];
  return `${holds ? "ok" : "FAILED"}: ${facts.join(", ")}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
