/** A newcomer's first steps with a fresh clone, timed. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "./place.ts";

export interface Visit {
  readonly title: string;
  readonly node: string;
  readonly npm: string;
  readonly steps: readonly Step[];
  /** Size in MB after the first step has installed it. */
  readonly modulesMb: number;
  readonly toolsMb: number;
}

export interface Step {
  readonly name: string;
  readonly seconds: number;
  /** Why it failed; null if it passed. */
  readonly problem: string | null;
}

/** A set-up with nothing left to do takes a tenth of a second; this allows for a busy machine. */
const SECOND_SETUP_S = 3;
const MINUTE_MS = 60_000;
/** The step whose tests are counted one by one. */
export const TESTS = "npm test";
export const REPORT = "test-report.json";

/** Runs the demo twice, and the tests with `testArgs` unless that is null. */
export async function visit(place: Place, testArgs: readonly string[] | null): Promise<Visit> {
  const [node, npm] = await Promise.all([place.output(["node", "--version"]), place.output(["npm", "--version"])]);
  const steps = [await timed(place, "first demo", ["npm", "run", "demo"], 6 * MINUTE_MS)];
  const [first] = steps;
  if (first?.problem === null) {
    steps.push(await secondSetup(place), await timed(place, "second demo", ["npm", "run", "demo"], 3 * MINUTE_MS));
    const json = ["--reporter=default", "--reporter=json", `--outputFile.json=${join(place.inside, REPORT)}`];
    if (testArgs !== null) steps.push(await timed(place, TESTS, ["npm", "test", "--", ...json, ...testArgs], 20 * MINUTE_MS));
  }
  const size = (name: string) => sizeMb(join(place.outside, name));
  return { title: place.title, node, npm, steps, modulesMb: size("node_modules"), toolsMb: size(".tools") };
}

async function timed(place: Place, name: string, command: readonly string[], timeoutMs: number): Promise<Step> {
  process.stdout.write(`\n== ${place.title}: ${command.slice(0, 3).join(" ")}\n`);
  const startedMs = performance.now();
  const code = await place.run(command, timeoutMs);
  const seconds = (performance.now() - startedMs) / 1_000;
  const problem = code === 0 ? null : code === null ? `killed after ${Math.round(seconds)} s` : `exit code ${code}`;
  return { name, seconds, problem };
}

async function secondSetup(place: Place): Promise<Step> {
  const startedMs = performance.now();
  const printed = await place.output(["sh", "-c", "sh scripts/bootstrap 2>&1"]);
  const seconds = (performance.now() - startedMs) / 1_000;
  const problem =
    printed !== "" ? `it prints ${JSON.stringify(printed)}` : seconds > SECOND_SETUP_S ? `more than ${SECOND_SETUP_S} s` : null;
  return { name: "second set-up", seconds, problem };
}

function sizeMb(path: string): number {
  return existsSync(path) ? Number(execFileSync("du", ["-sm", path], { encoding: "utf8" }).split("\t")[0]) : 0;
}
