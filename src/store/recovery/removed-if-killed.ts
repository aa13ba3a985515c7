/**
 * Removes unfinished files if this process is killed. A check of a large database keeps the event loop busy for minutes, so a signal
 * handler would not run; without one, the signal ends the process at once. So a shell watches a pipe that the kernel closes when
 * this process ends in any way.
 */
import { spawn } from "node:child_process";

/** A line says that nothing is to be removed; `read` fails at the end of the file. The signals of a terminal reach the shell too. */
const WATCHED = `trap "" INT TERM HUP QUIT; read -r _ && exit; exec rm -rf -- "$@"`;

/** Until disposed, `paths` are removed when this process ends. Then their names can be used again: nothing is removed any more. */
export function removedIfKilled(paths: readonly string[]): Disposable {
  const watcher = spawn("/bin/sh", ["-c", WATCHED, "sh", ...paths], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  // Without a shell, only the removal is lost.
  watcher.on("error", () => {}).unref();
  watcher.stdin.on("error", () => {});
  return { [Symbol.dispose]: () => void watcher.stdin.end("done\n") };
}
