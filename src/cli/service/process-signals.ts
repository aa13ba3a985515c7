/**
 * The signals of the daemon's process. `src/main.ts` catches them before it imports anything large: until then each has its default
 * action, which is to end the process at once or, in process 1, nothing at all.
 */
import { isatty } from "node:tty";
import { systemClock } from "../../base/clock.ts";

/** Node reserves SIGUSR1 for its debugger; a handler keeps that from opening a port. */
const IGNORED = ["SIGUSR1", "SIGUSR2"] as const;

export interface ProcessSignals {
  /** Resolves with the first signal that stops the daemon. A second SIGTERM or SIGINT exits at once. */
  readonly stopping: Promise<NodeJS.Signals>;
  /** Call before anything is opened that has to be closed. Until then, a signal that stops the daemon exits at once. */
  hold(): void;
  /** Calls `task` at each SIGHUP that does not stop the daemon. */
  onReload(task: () => void): void;
}

/** How long a reader of standard error may take for the report of a failed start. */
const LAST_WORDS_MS = 1_000;

let caught: ProcessSignals | undefined;

/** Catches the signals, once; later calls return the same. */
export function catchSignals(): ProcessSignals {
  caught ??= install();
  return caught;
}

function install(): ProcessSignals {
  const stopping = Promise.withResolvers<NodeJS.Signals>();
  let [isHeld, isStopping] = [false, false];
  let reload = () => {};
  const stop = (signal: NodeJS.Signals) => {
    if (!isHeld) process.exit(0);
    isStopping = true;
    stopping.resolve(signal);
  };
  const insist = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(0);
    stop(signal);
  };
  // SIGHUP means that the terminal is gone, or without a terminal, that files were replaced.
  const hasTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  process.on("SIGTERM", insist).on("SIGINT", insist);
  process.on("SIGHUP", (signal) => (hasTerminal ? stop(signal) : reload()));
  for (const signal of IGNORED) process.on(signal, () => {});
  return {
    stopping: stopping.promise,
    hold() {
      isHeld = true;
    },
    onReload(task) {
      reload = task;
    },
  };
}

/** Exits as soon as nothing is left to do, and in any case soon: a report that nothing reads would keep the process alive. */
export function exitSoon(): void {
  systemClock.schedule(LAST_WORDS_MS, () => process.exit());
}
