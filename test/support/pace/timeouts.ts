/** Scales the time-outs of a vitest configuration by the machine: measured once, and handed on to the processes that run the tests. */
import { SLOWNESS_VARIABLE } from "./pace.ts";
import { measureSlowness } from "./slowness.ts";

/** A time-out is the last resort for a test that hangs: beyond this factor, minutes would become hours. */
const MOST_TIMES = 20;
/** Below this, it is not worth a line. */
const WORTH_TELLING = 1.5;

interface Options {
  readonly env?: NodeJS.ProcessEnv;
  readonly measure?: typeof measureSlowness;
  readonly print?: (text: string) => void;
}

/**
 * Measures the machine; every test process that is started from here on knows how slow it is. Returns what scales a time-out of the test
 * runner, which counts time on the wall. Does nothing where another program than vitest reads the configuration, as knip does.
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
