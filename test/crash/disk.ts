/** The disk that a lane's data directory lives on, which can lose its power at any instant. */
import { spawnSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Disk extends Disposable {
  /** Its root, which is the caller's. */
  readonly path: string;
  /** Null, or why this disk cannot lose its power. */
  readonly noPowerLoss: string | null;
  /**
   * The processes are killed, and in the same instant nothing reaches the disk any more: what was written and never fsynced is gone, half of
   * an fsync that was under way may be there.
   */
  cutPower(pids: readonly number[]): void;
  /** Mounts what the disk holds; its journal is replayed. Nobody may have a file open there. */
  restorePower(): void;
}

/** Sparse: it takes what is written to it. */
const SIZE_BYTES = 8 * 1024 ** 3;

/**
 * Nothing is written back behind our back: the journal is not committed every five seconds, and a file is not flushed because it was
 * renamed. What is on the disk was fsynced, or is as good as lost.
 */
const MOUNT_OPTIONS = "loop,commit=300,noauto_da_alloc";

/**
 * FS_IOC_SHUTDOWN with NOLOGFLUSH, which file systems have for tests like this one: Node knows no ioctl, every Debian has a perl. In this order:
 * an fsync that is under way when ext4 is shut down may report success (in 10 of 60 tries), which nobody must live to hear. A killed process
 * still waits for the fsync that it is in, so the shutdown does cut that in two.
 */
const CUT = `
my ($path, @pids) = @ARGV;
my $no_log_flush = pack("L", 2);
open(my $root, "<", $path) or die "$path: $!\\n";
kill "KILL", @pids;
ioctl($root, 0x8004587d, $no_log_flush) or die "FS_IOC_SHUTDOWN: $!\\n";
`;

/** A directory, for where no file system may be mounted. */
export function plainDisk(path: string, noPowerLoss: string): Disk {
  const refuse = () => {
    throw new Error(`a plain directory cannot lose its power: ${noPowerLoss}`);
  };
  return { path, noPowerLoss, cutPower: refuse, restorePower: refuse, [Symbol.dispose]: () => {} };
}

/** An ext4 image in `directory`, mounted through a loop device. Throws where this process may not do so. */
export function loopDisk(directory: string): Disk {
  const image = join(directory, "disk.img");
  const path = join(directory, "disk");
  writeFileSync(image, "");
  truncateSync(image, SIZE_BYTES);
  mkdirSync(path);
  run("mkfs.ext4", ["-q", "-F", "-m", "0", "-J", "size=64", "-N", "4096", image]);
  const mount = () => run("mount", ["-o", MOUNT_OPTIONS, image, path]);
  const unmount = () => run("umount", [path]);
  mount();
  return {
    path,
    noPowerLoss: null,
    cutPower: (pids) => run("perl", ["-e", CUT, path, ...pids.map(String)]),
    restorePower: () => {
      unmount();
      mount();
    },
    [Symbol.dispose]: unmount,
  };
}

function run(command: string, args: readonly string[]): void {
  const { error, status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) throw new Error(`cannot run ${command}: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${command}: ${stderr.trim().split("\n", 1)[0]}`);
}
