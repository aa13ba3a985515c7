/** What a vitest configuration needs to know of the machine: measured once, and handed on to the processes that run the tests. */
import { SLOWNESS_VARIABLE } from "./pace.ts";
import { measureSlowness } from "./slowness.ts";

/**
 * Measures the machine; every test process that is started from here on knows how slow it is. Returns what scales a time-out of the test
 * runner, which counts time on the wall: the last resort for a test that hangs.
 */
export function startRun(): (timeoutMs: number) => number {
  const { slowness, share } = measureSlowness();
  process.env[SLOWNESS_VARIABLE] = String(slowness);
  const factor = slowness / share;
  if (factor >= 1.5)
    process.stderr.write(
      `tests: deadlines are ${factor.toFixed(1)} times as long as usual; this machine is ${slowness.toFixed(1)} times slower than an ordinary one` +
        ` and gives each process ${Math.round(share * 100)} % of a core right now\n`,
    );
  return (timeoutMs) => Math.ceil(timeoutMs * factor);
}
