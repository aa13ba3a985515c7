/** Where targets write files: in a directory of the run, which is removed with it, however a worker ended. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";

/** From now on, this process and the workers that it starts have a temporary directory of their own, which is removed at exit. */
export function ownTemporaryDirectory(): void {
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-fuzz-"));
  process.env["TMPDIR"] = directory;
  // After a second signal, workers may still write.
  process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
}

let made: string | undefined;

/** The path of a file in a directory of this thread, which is made when it is first needed. */
export function scratchFile(name: string): string {
  made ??= mkdtempSync(join(tmpdir(), `thread-${threadId}-`));
  return join(made, name);
}
