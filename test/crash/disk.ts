/** The disk of a lane's data directory, which can lose power at any time. */
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Disk extends Disposable {
  /** Its root directory, for the caller to use. */
  readonly path: string;
  /** Null, or why this disk cannot lose power. */
  readonly noPowerLoss: string | null;
  /**
   * Kills the processes and cuts the disk off at the same time. Writes that were not fsynced are lost; an fsync in progress may be half
   * done.
   */
  cutPower(pids: readonly number[]): void;
  /** Mounts the disk again and replays its journal. No file may be open there. */
  restorePower(): void;
  /** Resolves once all that was written to it until now survives a power loss. */
  flush(): Promise<void>;
}

/** The image is sparse, so it uses only the space written to it. */
const SIZE_BYTES = 8 * 1024 ** 3;

/**
 * Disables implicit write-back: the journal is not committed every five seconds, and a rename does not flush the file. Only fsynced data
 * can be relied on.
 */
const MOUNT_OPTIONS = "loop,commit=300,noauto_da_alloc";

/**
 * FS_IOC_SHUTDOWN with NOLOGFLUSH, which file systems offer for this kind of test. In Perl, because Node has no ioctl. The processes are
 * killed first: an fsync in progress when ext4 is shut down may report success (10 of 60 tries), and no process may live to see that. A
 * killed process still waits for its current fsync, so the shutdown does interrupt it.
 */
const CUT = `
my ($path, @pids) = @ARGV;
my $no_log_flush = pack("L", 2);
open(my $root, "<", $path) or die "$path: $!\\n";
kill "KILL", @pids;
ioctl($root, 0x8004587d, $no_log_flush) or die "FS_IOC_SHUTDOWN: $!\\n";
`;

/** A plain directory, for when no file system can be mounted. */
export function plainDisk(path: string, noPowerLoss: string): Disk {
  const refuse = () => {
    throw new Error(`a plain directory cannot lose power: ${noPowerLoss}`);
  };
  return { path, noPowerLoss, cutPower: refuse, restorePower: refuse, flush: async () => {}, [Symbol.dispose]: () => {} };
}

/** An ext4 image in `directory`, mounted through a loop device. Throws if this process may not mount. */
export function loopDisk(directory: string): Disk {
  let image = join(directory, "disk.img");
  let copies = 0;
  const path = join(directory, "disk");
  writeFileSync(image, "");
  truncateSync(image, SIZE_BYTES);
  mkdirSync(path);
  run("mkfs.ext4", ["-q", "-F", "-m", "0", "-J", "size=64", "-N", "4096", image]);
  const mount = () => void run("mount", ["-o", MOUNT_OPTIONS, image, path]);
  const unmount = () => void run("umount", [path]);
  mount();
  return {
    path,
    noPowerLoss: null,
    cutPower: (pids) => void run("perl", ["-e", CUT, path, ...pids.map(String)]),
    restorePower: () => {
      unmount();
      if (isAttached(image)) {
        const kept = image;
        image = join(directory, `disk-${++copies}.img`);
        run("cp", ["--sparse=always", kept, image]);
        unlinkSync(kept);
      }
      mount();
    },
    flush: async () => void (await promisify(execFile)("sync", ["--file-system", path])),
    [Symbol.dispose]: unmount,
  };
}

/**
 * Whether the image still has its loop device, a moment after it was unmounted. Then an unrelated process has created a mount namespace,
 * which keeps the old file system, shut down as it is, and mounting the image again would find that one.
 */
function isAttached(image: string): boolean {
  const isListed = () => run("losetup", ["--associated", image]) !== "";
  for (let looks = 1; looks < 10 && isListed(); looks++) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  return isListed();
}

/** Its standard output. */
function run(command: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) throw new Error(`cannot run ${command}: ${error.message}`, { cause: error });
  const [reason = ""] = stderr.trim().split("\n", 1);
  // Most programs begin with their name.
  if (status !== 0) throw new Error(reason.startsWith(`${command}: `) ? reason : `${command}: ${reason}`);
  return stdout;
}
