/**
 * Finds out whether other users of the machine could change what the daemon trusts, by the owners, modes and kinds of its files. A
 * file that another user controls is refused, and the rest is a warning.
 */
import { lstatSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { PartnerdError } from "../../base/errors.ts";
import { type ProcessUser, processUser } from "../../base/setting-file.ts";
import { DATABASE_NAME } from "./data-directory.ts";

/** The files of a data directory that are read again at the next start. */
const TRUSTED = [
  DATABASE_NAME,
  `${DATABASE_NAME}-wal`,
  `${DATABASE_NAME}-shm`,
  "oc-partnerd.head",
  "oc-partnerd.alive",
  "oc-partnerd.lock",
  "oc-partnerd-archive.lock",
];

const [GROUP_WRITES, OTHERS_WRITE, STICKY] = [0o020, 0o002, 0o1000];

/**
 * Throws data_dir_unsafe if a file of the data directory is a symbolic link or otherwise not a regular file, or belongs to a user
 * other than us and root. Root itself may use the files of others.
 */
export function refuseUnsafeFiles(directory: string, { uid }: Pick<ProcessUser, "uid"> = processUser()): void {
  for (const path of TRUSTED.map((name) => join(directory, name))) {
    const stats = statsOf(path);
    if (stats === undefined) continue;
    if (stats.isSymbolicLink()) {
      throw unsafe(
        `${path} is a symbolic link, so the log is wherever that leads`,
        `move the file that it leads to into ${directory}`,
      );
    }
    if (!stats.isFile())
      throw unsafe(`${path} is not a regular file`, "move it away, or choose another directory with --data DIR");
    if (stats.uid === uid || stats.uid === 0 || uid === 0) continue;
    throw unsafe(
      `${path} belongs to user ${stats.uid}, who can change it, and this process runs as user ${uid}`,
      `run \`chown ${uid} ${path}\` as root, or run the daemon as user ${stats.uid}`,
    );
  }
}

/** A reason why other users could change what the daemon does, and the way out. */
export interface SafetyWarning {
  readonly reason: string;
  readonly nextStep: string;
}

/** The warnings about the data directory and about running as root. */
export function safetyWarnings(directory: string, { uid, groups }: ProcessUser = processUser()): readonly SafetyWarning[] {
  const warnings: SafetyWarning[] = [];
  const { mode, uid: owner, gid } = statSync(directory);
  if (uid === 0) {
    warnings.push({
      reason: "the daemon runs as root, and needs no privileges",
      nextStep: "run it as a user of its own; in Kubernetes set runAsNonRoot and runAsUser",
    });
  }
  // The sticky bit lets only the owner of a file replace it.
  const isWritable = (mode & STICKY) === 0 && ((mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && !groups.has(gid)));
  if (isWritable) {
    const octal = `0${(mode & 0o7777).toString(8).padStart(3, "0")}`;
    warnings.push({
      reason: `the data directory has mode ${octal}: other users can replace the log and the identity`,
      nextStep: `chmod go-w ${directory}`,
    });
  }
  const file = statsOf(join(directory, DATABASE_NAME));
  const foreign = [owner, file?.uid].find((found) => found !== undefined && found !== uid && found !== 0);
  if (foreign !== undefined) {
    warnings.push({
      reason: `the data directory or its database belongs to user ${foreign}, who can change the log and the identity`,
      nextStep: `chown -R ${uid} ${directory}`,
    });
  }
  return warnings;
}

function statsOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function unsafe(message: string, nextStep: string): PartnerdError {
  return new PartnerdError("data_dir_unsafe", message, { nextStep });
}
