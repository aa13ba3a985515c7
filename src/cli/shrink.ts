/** `oc-partnerd shrink FIXTURE`: the smallest fixture that still shows a failure, or a line of the trace. */
import { PartnerdError } from "../errors.ts";
import { parseFixture } from "../fixture/parse.ts";
import type { Fixture } from "../fixture/schema.ts";
import { shrink as shrinkFixture } from "../sim/shrink.ts";
import { simulate } from "../sim/simulate.ts";
import { readFixtureText, writeFixture } from "./files.ts";
import { type ProgressStream, progress } from "./progress.ts";

export interface ShrinkOptions {
  /** What a line of the trace has to contain; undefined: the first failure. */
  readonly line: string | undefined;
  readonly out: string | undefined;
  readonly maxRuns: number;
  readonly complain: (text: string) => void;
  readonly terminal: ProgressStream;
}

/** Throws check_failed where the fixture shows no failure, or no such line. Ctrl-C gives the smallest that was found by then. */
export async function shrink(file: string | undefined, options: ShrinkOptions): Promise<void> {
  const { line, out, maxRuns, complain, terminal } = options;
  const { text, name } = await readFixtureText(file);
  const fixture = parseFixture(text, name);
  const shows = line === undefined ? await sameFailure(fixture, name) : sameLine(line);
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new PartnerdError("aborted", "interrupted"));
  process.once("SIGINT", interrupt);
  const bar = progress(terminal, `shrinking ${fixture.lines.length + 1} lines`, maxRuns);
  const smallest = await shrinkFixture(fixture, shows, {
    maxRuns,
    signal: interrupted.signal,
    onProgress: ({ runs }) => bar.update(runs),
  });
  bar.clear();
  process.off("SIGINT", interrupt);
  await writeFixture(smallest, out);
  complain(`${fixture.lines.length + 1} lines became ${smallest.lines.length + 1}`);
}

/** Whether a fixture violates what the first violation of `fixture` is about. */
async function sameFailure(fixture: Fixture, name: string): Promise<(candidate: Fixture) => Promise<boolean>> {
  const { violations } = await simulate(fixture);
  const [first] = violations;
  if (first === undefined) {
    throw new PartnerdError("check_failed", `${name} shows no failure`, {
      nextStep: "say with --line TEXT which line of its trace (oc-partnerd replay) is to stay",
    });
  }
  return async (candidate) => (await simulate(candidate)).violations.some(({ invariant }) => invariant === first.invariant);
}

function sameLine(text: string): (candidate: Fixture) => Promise<boolean> {
  const wanted = words(text);
  return async (candidate) => (await simulate(candidate)).trace.some((line) => words(line).includes(wanted));
}

/** Columns are for the eye. */
function words(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}
