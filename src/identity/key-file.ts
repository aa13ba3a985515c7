/** Reads the file of a private key only if no other user can use it, and creates one without ever replacing another. */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, messageOf, PartnerdError } from "../base/errors.ts";
import { pathNextStep, shownPath } from "../base/secrets/shown.ts";
import { type ProcessUser, processUser, readUpTo, withRegularFile } from "../base/setting-file.ts";

const OWNER_ONLY = 0o600;
const [GROUP_READS, GROUP_WRITES, GROUP_OR_OTHERS, OTHERS] = [0o040, 0o020, 0o077, 0o007];
const MAX_KEY_BYTES = 65_536;

/** The decision about a key file. `tighten`: usable after others lost their access. */
type KeyFileVerdict =
  | { readonly kind: "safe" }
  | { readonly kind: "tighten" }
  | { readonly kind: "unsafe"; readonly problem: string; readonly nextStep: string };

/**
 * The decision about a key file with this owner and mode. Only its owner may use it, which is this user or root; a group of this
 * process may read it. Kubernetes gives a mounted file to the pod's fsGroup, and makes it writable too on a volume that is.
 */
export function keyFileVerdict(
  { mode, uid, gid }: Pick<Stats, "mode" | "uid" | "gid">,
  path: string,
  user: ProcessUser,
): KeyFileVerdict {
  const bits = mode & 0o777;
  const octal = `0${bits.toString(8).padStart(3, "0")}`;
  if (uid !== user.uid && uid !== 0 && user.uid !== 0) {
    return {
      kind: "unsafe",
      problem: `belongs to user ${uid}, and this process runs as user ${user.uid}: the owner can read and replace this key`,
      nextStep: `chown ${user.uid} ${path}`,
    };
  }
  if ((bits & GROUP_OR_OTHERS) === 0) return { kind: "safe" };
  const isOurGroup = user.groups.has(gid) && (bits & OTHERS) === 0;
  if (isOurGroup && (bits & GROUP_OR_OTHERS) === GROUP_READS) return { kind: "safe" };
  if (isOurGroup && (bits & GROUP_OR_OTHERS) === (GROUP_READS | GROUP_WRITES) && uid === user.uid) return { kind: "tighten" };
  return {
    kind: "unsafe",
    problem: `has mode ${octal}: users other than its owner can read this key`,
    nextStep:
      uid === user.uid
        ? `chmod 600 ${path}`
        : "let only its owner and a group of this process read it; for a Kubernetes secret, set defaultMode 0440 and an fsGroup",
  };
}

/**
 * The contents of a key file; undefined if there is none. Removes the access of the process's own group if that may write to the file,
 * and the file is ours. Throws identity_unsafe if others can use the file, identity_invalid if it cannot be read or is not a regular
 * file.
 */
export function readKeyFile(path: string): Uint8Array | undefined {
  try {
    return withRegularFile(path, (descriptor, stats) => {
      const verdict = keyFileVerdict(stats, path, processUser());
      if (verdict.kind === "unsafe")
        throw new PartnerdError("identity_unsafe", `${path} ${verdict.problem}`, { nextStep: verdict.nextStep });
      if (verdict.kind === "tighten") fchmodSync(descriptor, OWNER_ONLY);
      return readUpTo(descriptor, MAX_KEY_BYTES);
    });
  } catch (error) {
    if (error instanceof PartnerdError) throw error;
    if (isErrno(error, "ENOENT") && !keyFileExists(path)) return undefined;
    throw new PartnerdError("identity_invalid", `cannot read the identity ${shownPath(path)}: ${messageOf(error)}`, {
      nextStep: pathNextStep(path, "name a regular file that this user can read"),
      cause: error,
    });
  }
}

/**
 * Writes a new file (0600) with a key, atomically and durably. Returns false, and writes nothing, if the file exists. Throws `code`.
 */
export function createKeyFile(path: string, contents: Uint8Array, code: ErrorCode = "data_dir_unwritable"): boolean {
  return writeWhole(path, contents, code, moveWithoutReplacing);
}

/** Writes a file (0600) with a key, atomically and durably, in place of one of that name. Throws `file_failed`. */
export function replaceKeyFile(path: string, contents: Uint8Array): void {
  writeWhole(path, contents, "file_failed", renameSync);
}

/** Renames `from` to `to` durably, in the same directory, in place of a file of that name. Throws `data_dir_unwritable`. */
export function moveKeyFile(from: string, to: string): void {
  try {
    renameSync(from, to);
    syncDirectory(dirname(to));
  } catch (error) {
    throw new PartnerdError("data_dir_unwritable", `cannot rename ${from} to ${to}: ${messageOf(error)}`, {
      nextStep: `make ${dirname(to)} writable for this user, and run this again`,
      cause: error,
    });
  }
}

/** Deletes a file. Throws `data_dir_unwritable`. */
export function removeKeyFile(path: string): void {
  try {
    rmSync(path, { force: true });
    syncDirectory(dirname(path));
  } catch (error) {
    throw new PartnerdError("data_dir_unwritable", `cannot delete ${path}: ${messageOf(error)}`, {
      nextStep: `make ${dirname(path)} writable for this user, and run this again`,
      cause: error,
    });
  }
}

function writeWhole(path: string, contents: Uint8Array, code: ErrorCode, put: (from: string, to: string) => void): boolean {
  const temporaryPath = `${path}.${process.pid}.tmp`;
  try {
    rmSync(temporaryPath, { force: true });
    writeDurably(temporaryPath, contents);
    put(temporaryPath, path);
    syncDirectory(dirname(path));
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw new PartnerdError(code, `cannot create the identity ${path}: ${messageOf(error)}`, {
      nextStep: `make ${dirname(path)} writable for this user, or choose another place`,
      cause: error,
    });
  } finally {
    try {
      rmSync(temporaryPath, { force: true });
    } catch {
      // The directory cannot be written, which was reported.
    }
  }
}

const LINKS_UNSUPPORTED = ["EPERM", "ENOSYS", "EOPNOTSUPP", "EMLINK"];

/** Unlike a rename, a link never replaces a file; but not every file system has links. */
function moveWithoutReplacing(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!LINKS_UNSUPPORTED.some((code) => isErrno(error, code)) || keyFileExists(to)) throw error;
    renameSync(from, to);
  }
}

function writeDurably(path: string, contents: Uint8Array): void {
  const descriptor = openSync(path, "wx", OWNER_ONLY);
  try {
    const written = writeSync(descriptor, contents);
    if (written !== contents.length) throw new Error(`${written} of ${contents.length} bytes were written`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** True for a symbolic link that leads nowhere too: a secret that is not mounted yet must not be replaced by a new key. */
export function keyFileExists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

const isErrno = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;
