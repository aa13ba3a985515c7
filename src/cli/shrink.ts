/** `oc-partnerd shrink FIXTURE`: the smallest fixture that still shows a failure, or a line of the trace. */
import { PartnerdError } from "../errors.ts";
import { parseFixture } from "../fixture/parse.ts";
import type { Fixture } from "../fixture/schema.ts";
import { shrink as shrinkFixture } from "../sim/shrink.ts";
import { simulate } from "../sim/simulate.ts";
import { checkIsNew, readFixtureText, writeFixture } from "./files.ts";
import { type ProgressStream, progress } from "./progress.ts";

export interface ShrinkOptions {
  /** What a line of the trace has to contain; undefined: the first failure. */
  readonly line: string | undefined;
  readonly out: string | undefined;
  readonly maxRuns: number;
  readonly complain: (text: string) => void;
  readonly terminal: ProgressStream;
}

type Shows = (candidate: Fixture) => Promise<boolean>;

/**
 * Throws check_failed where the fixture shows no failure, or no such line, and what reading and writing the files throws. Ctrl-C and
 * `maxRuns` end the search; the smallest by then is written.
 */
export async function shrink(file: string | undefined, options: ShrinkOptions): Promise<void> {
  const { line, out, maxRuns, complain, terminal } = options;
  checkIsNew(out);
  const { text, name } = await readFixtureText(file);
  const fixture = parseFixture(text, name);
  using interruption = onInterrupt();
  const { signal } = interruption;
  const shows = line === undefined ? await sameFailure(fixture, name, signal) : await sameLine(fixture, name, line, signal);
  const linesBefore = fixture.lines.length + 1;
  const bar = progress(terminal, `shrinking ${linesBefore} lines, in replays`, maxRuns);
  let runs = 0;
  const smallest = await shrinkFixture(fixture, shows, {
    maxRuns,
    signal,
    onProgress: (now) => {
      runs = now.runs;
      bar.update(runs);
    },
  });
  bar.clear();
  await writeFixture(smallest, out);
  const isCutShort = signal.aborted || runs >= maxRuns;
  const hint = isCutShort ? `; stopped after ${runs} replays, there may be a smaller one` : "";
  complain(`${linesBefore} lines became ${smallest.lines.length + 1}${hint}`);
}

/** Whether a fixture violates what the first violation of `fixture` is about. */
async function sameFailure(fixture: Fixture, name: string, signal: AbortSignal): Promise<Shows> {
  const [first] = (await simulate(fixture, { signal })).violations;
  if (first === undefined) {
    throw new PartnerdError("check_failed", `${name} shows no failure, so there is nothing to shrink`, {
      nextStep: "say with --line TEXT which line of its trace (`oc-partnerd replay`) is to stay",
    });
  }
  // An expectation fails as soon as nothing happens any more; it is what came instead that has to stay.
  const isExpectation = first.invariant.startsWith("expected-");
  return async (candidate) => {
    const { violations } = await simulate(candidate, { signal });
    return violations.some(
      ({ invariant, message }) => invariant === first.invariant && (!isExpectation || message === first.message),
    );
  };
}

/** Whether a line of a fixture's trace contains `text`. */
async function sameLine(fixture: Fixture, name: string, text: string, signal: AbortSignal): Promise<Shows> {
  const wanted = wordsOf(text);
  const shows: Shows = async (candidate) =>
    (await simulate(candidate, { signal })).trace.some((line) => wordsOf(line).includes(wanted));
  if (wanted === "" || !(await shows(fixture))) {
    throw new PartnerdError("check_failed", `no line of the trace of ${name} contains "${text}", so there is nothing to shrink`, {
      nextStep: `copy a line, or a part of one, from what \`oc-partnerd replay\` prints`,
    });
  }
  return shows;
}

/** Without what is for the eye, and without the times and numbers that change with every line that is left out. */
function wordsOf(text: string): string {
  return text
    .trim()
    .replace(/^\d+\.\d+ s /, "")
    .replaceAll(/(^|\s)#\d+\s/g, "$1")
    .replaceAll(/, again in \d+\.\d+ s/g, "")
    .trim()
    .replaceAll(/\s+/g, " ");
}

function onInterrupt(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const interrupt = () => controller.abort(new PartnerdError("aborted", "interrupted"));
  process.once("SIGINT", interrupt);
  return { signal: controller.signal, [Symbol.dispose]: () => void process.off("SIGINT", interrupt) };
}
