/** How far the command has come: a bar on a terminal, else a line every ten seconds. */
import { type ProgressStream, progress } from "../../../src/cli/terminal/progress.ts";

const LINE_EVERY_MS = 10_000;

export interface Ticker {
  /** `now`: what is under way, for those who read lines. */
  update(done: number, now?: string): void;
  /** A line of its own, above the bar. */
  say(line: string): void;
  /** Takes the bar away. */
  clear(): void;
}

export function ticker(stream: ProgressStream, label: string, total: number): Ticker {
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
      const pace = now ?? `${perSecond.toFixed(1)}/s, ${perSecond === 0 ? "?" : Math.ceil((total - done) / perSecond)} s left`;
      stream.write(`${label}: ${done} of ${total}, ${pace}\n`);
    },
    say(line) {
      bar.clear();
      stream.write(`${line}\n`);
    },
    clear: () => bar.clear(),
  };
}
