/** The file that a backup is before it gets its name. One that was killed leaves it, and the next one removes it. */
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { removeDatabase } from "./copy.ts";

/** Process ids are of one container only, so a partial backup of a process that is not seen here may still grow. */
const ABANDONED_AFTER_MS = 3_600_000;

const prefixOf = (to: string) => `.${basename(to)}.partial-`;

export function partialOf(to: string): string {
  return join(dirname(to), `${prefixOf(to)}${process.pid}`);
}

/** Removes partial backups of `to` whose process has ended, an hour after their last change. Never throws. */
export function removeAbandoned(to: string, nowMs: number): void {
  try {
    const prefix = prefixOf(to);
    for (const name of readdirSync(dirname(to))) {
      const path = join(dirname(to), name);
      const pid = name.startsWith(prefix) ? name.slice(prefix.length) : "";
      if (/^\d+$/.test(pid) && !isRunning(Number(pid)) && nowMs - statSync(path).mtimeMs > ABANDONED_AFTER_MS)
        removeDatabase(path);
    }
  } catch {
    // Only space is at stake, and writing the backup reports a directory that cannot be used.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
