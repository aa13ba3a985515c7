/** Scales the timeouts of a vitest configuration by the machine's slowness, which is passed on to the test processes. */
import { SLOWNESS_VARIABLE } from "./pace.ts";
import { measureSlowness } from "./slowness.ts";

/** A timeout is the last resort for a test that hangs; beyond this factor, minutes would become hours. */
const MOST_TIMES = 20;
/** Factors below this are not reported. */
const WORTH_TELLING = 1.5;

interface Options {
  readonly env?: NodeJS.ProcessEnv;
  readonly measure?: typeof measureSlowness;
  readonly print?: (text: string) => void;
}

/**
 * Measures the machine and passes the result on to all test processes started later. Returns a function that scales timeouts of the test
 * runner, which are in wall time. Does nothing if a program other than vitest, such as knip, reads the configuration.
 */
export function startRun(options: Options = {}): (timeoutMs: number) => number {
  const { env = process.env, measure = measureSlowness, print = (text) => process.stderr.write(text) } = options;
  if (env["VITEST"] === undefined) return (timeoutMs) => timeoutMs;
  const { slowness, share } = measure();
  env[SLOWNESS_VARIABLE] = String(slowness);
  const factor = Math.min(MOST_TIMES, slowness / share);
  if (factor >= WORTH_TELLING)
    print(
      `tests: deadlines are ${factor.toFixed(1)} times as long as usual; this machine is ${slowness.toFixed(1)} times slower than an ordinary one` +
        ` and gives each process ${Math.round(share * 100)} % of a core right now\n`,
    );
  return (timeoutMs) => Math.ceil(timeoutMs * factor);
}
