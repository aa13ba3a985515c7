/** Progress of a long command, on one line of a terminal. Prints nothing if the output is not a terminal. */
import { type Clock, systemClock } from "../../base/clock.ts";

/** The part of a terminal stream that progress needs. */
export type ProgressStream = Pick<NodeJS.WriteStream, "write"> & { readonly isTTY?: boolean };

export interface Progress {
  /** Sets how much of the total is done. Cheap to call often: draws at most ten times a second. */
  update(done: number): void;
  /** Erases the line, to make way for other output. The next update draws it again. */
  clear(): void;
}

const DRAW_EVERY_MS = 100;
const BAR_WIDTH = 24;

/** Pass a `total` of null if it is unknown; then there is a count but no bar. */
export function progress(stream: ProgressStream, label: string, total: number | null, clock: Clock = systemClock): Progress {
  const startedMs = clock.monotonicMs();
  let drawnMs = Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  return {
    update(done) {
      const nowMs = clock.monotonicMs();
      if (stream.isTTY !== true || nowMs - drawnMs < DRAW_EVERY_MS) return;
      drawnMs = nowMs;
      isDrawn = true;
      stream.write(`\r\u001b[2K${[label, ...bar(done, total), rate(done, nowMs - startedMs)].join("  ")}`);
    },
    clear() {
      if (isDrawn) stream.write("\r\u001b[2K");
      isDrawn = false;
      drawnMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Progress of work with several steps, each with its own total. */
export function stepProgress(
  stream: ProgressStream,
): { update(label: string, done: number, total: number): void; clear(): void } & Disposable {
  let current: { readonly label: string; readonly shown: Progress } | undefined;
  const clear = () => current?.shown.clear();
  return {
    update(label, done, total) {
      if (current?.label !== label) {
        clear();
        current = { label, shown: progress(stream, label, total) };
      }
      current.shown.update(done);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

function bar(done: number, total: number | null): string[] {
  if (total === null) return [grouped(done)];
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const filled = Math.floor(share * BAR_WIDTH);
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  return [`[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}]${percent}`, `${grouped(done)} of ${grouped(total)}`];
}

function rate(done: number, elapsedMs: number): string {
  return `${grouped(elapsedMs <= 0 ? 0 : (done * 1_000) / elapsedMs)}/s`;
}

function grouped(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
