/** Lets work that leaves files behind remove them when a signal stops the command. */

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs `work`, which has to settle soon once its signal aborts. If a signal stopped it, the process then ends by that signal, as
 * without a handler. Do not use it for work that keeps the event loop busy: the signal would wait for its end.
 */
export async function stoppable<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const stopping = new AbortController();
  let received: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals) => {
    received ??= signal;
    stopping.abort();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work(stopping.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    if (received !== undefined) process.kill(process.pid, received);
  }
}
