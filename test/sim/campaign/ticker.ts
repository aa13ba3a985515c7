/** Progress of the command: a bar on a terminal, otherwise a line every ten seconds. */
import { type ProgressStream, progress } from "../../../src/cli/terminal/progress.ts";

const LINE_EVERY_MS = 10_000;

export interface Ticker {
  /** `now`: the current activity, shown in line mode. */
  update(done: number, now?: string): void;
  /** Prints a line above the bar. */
  say(line: string): void;
  /** Removes the bar. */
  clear(): void;
}

/** Pass a `total` of null if it is unknown. */
export function ticker(stream: ProgressStream, label: string, total: number | null): Ticker {
  const bar = progress(stream, label, total);
  const startedMs = performance.now();
  let saidMs = startedMs;
  return {
    update(done, now) {
      bar.update(done);
      const nowMs = performance.now();
      if (stream.isTTY === true || nowMs - saidMs < LINE_EVERY_MS) return;
      saidMs = nowMs;
      const perSecond = (done * 1_000) / (nowMs - startedMs);
      const left = total === null ? "" : `, ${perSecond === 0 ? "?" : Math.ceil((total - done) / perSecond)} s left`;
      const pace = now ?? `${perSecond.toFixed(1)}/s${left}`;
      stream.write(`${label}: ${done}${total === null ? "" : ` of ${total}`}, ${pace}\n`);
    },
    say(line) {
      bar.clear();
      stream.write(`${line}\n`);
    },
    clear: () => bar.clear(),
  };
}
