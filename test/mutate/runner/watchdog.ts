/** Ends this process if its event loop hangs, which no timer of its own can. */
import { Worker } from "node:worker_threads";

export interface Watchdog {
  /** Allows `ms` from now; until the next call. */
  allow(ms: number): void;
}

const CODE = `
const { workerData: { until, pid } } = require("node:worker_threads");
setInterval(() => {
  if (Date.now() > Number(Atomics.load(until, 0))) process.kill(pid, "SIGKILL");
}, 250);
`;

export function startWatchdog(): Watchdog {
  const until = new BigInt64Array(new SharedArrayBuffer(8));
  // The clock of the tests may be a fake one.
  const now = Date.now.bind(Date);
  const allow = (ms: number) => void Atomics.store(until, 0, BigInt(Math.ceil(now() + ms)));
  allow(600_000);
  new Worker(CODE, { eval: true, workerData: { until, pid: process.pid } }).unref();
  return { allow };
}
