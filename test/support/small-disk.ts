/** A file system of a few megabytes that a test can fill completely. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Uses up all free space. */
  fill(): void;
  /** Frees the space taken by `fill`. */
  free(): void;
}

const CHUNK = Buffer.alloc(4_096, 1);

/** Mounts a tmpfs. Throws if this process may not mount one. */
export function smallDisk(megabytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "oc-partnerd-disk-"));
  const ballast = join(path, "ballast");
  const { error, status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "oc-partnerd-test", path], {
    encoding: "utf8",
  });
  if (status !== 0) {
    rmSync(path, { recursive: true });
    throw new Error(`cannot mount a tmpfs: ${error?.message ?? stderr.trim()}`);
  }
  return {
    path,
    fill: () => takeAll(ballast),
    free: () => rmSync(ballast, { force: true }),
    [Symbol.dispose]: () => {
      spawnSync("umount", ["--lazy", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Fills the disk by pages, then by bytes. */
function takeAll(ballast: string): void {
  const descriptor = openSync(ballast, "a");
  try {
    for (const size of [CHUNK.length, 1]) while (hasTaken(descriptor, size));
  } finally {
    closeSync(descriptor);
  }
}

function hasTaken(descriptor: number, size: number): boolean {
  try {
    return writeSync(descriptor, CHUNK, 0, size) === size;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOSPC") return false;
    throw thrown;
  }
}
