/** The private key beside a backup of the log: written by explicit choice only, and put back only if it is the log's. */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isFault, PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { keyIn, loadIdentity, peerIdOfKey } from "./identity.ts";
import { createKeyFile, keyFileExists, readKeyFile, replaceKeyFile } from "./key-file.ts";
import { exportedKey } from "./key-formats.ts";
import { type IdentityPlace, identityPathOf, keyBackupOf } from "./key-paths.ts";
import { otherIdentity } from "./other-identity.ts";

/** The key to be written beside the backup `to`. */
export interface KeyBackup {
  readonly peerId: PeerId;
  readonly file: string;
  /** Writes the file (0600). Throws file_failed. */
  write(): void;
}

/**
 * Reads the key of the log's identity `logged`, to be written beside the backup `to`. Throws identity_changed if the key in place is
 * another one, file_failed if the file exists and is not to be replaced (`force`), and as loadIdentity does.
 */
export function keyBackup(place: IdentityPlace, logged: PeerId | undefined, to: string, force: boolean): KeyBackup {
  const { key } = loadIdentity(place, logged);
  const file = keyBackupOf(to);
  const refuse = () => {
    throw new PartnerdError("file_failed", `${file} already exists and will not be overwritten`, {
      nextStep: "choose another file with --to FILE, or add --force to replace it",
    });
  };
  if (existsSync(file) && statSync(file).isDirectory())
    throw new PartnerdError("file_failed", `${file} is a directory`, { nextStep: "choose another file with --to FILE" });
  if (!force && keyFileExists(file)) refuse();
  const contents = exportedKey(key, "protobuf");
  const write = () => {
    if (force) replaceKeyFile(file, contents);
    else if (!createKeyFile(file, contents, "file_failed")) refuse();
  };
  return { peerId: peerIdOfKey(key), file, write };
}

/** `peerId` is undefined if there is no such file. */
interface KeyOfBackup {
  readonly file: string;
  readonly peerId: PeerId | undefined;
}

/** The key of a restored log: there already, put back from the backup, or the reason why the daemon will not start. */
export type RestoredKey =
  | { readonly kind: "in_place"; readonly path: string }
  | { readonly kind: "put_back"; readonly path: string; readonly source: string }
  | { readonly kind: "refused"; readonly error: PartnerdError };

/**
 * Puts the key of `logged`, the identity of the restored log, in place if there is none and one of the files `sources` has it. Never
 * replaces a key, and never writes `identityFile`. Throws faults only.
 */
export function restoreKey(place: IdentityPlace, logged: PeerId, sources: readonly string[]): RestoredKey {
  const path = identityPathOf(place);
  try {
    if (peerIdIn(path) === logged) return { kind: "in_place", path };
    const keys = sources.map((file) => ({ file, peerId: peerIdIn(file) }));
    const source = keys.find(({ peerId }) => peerId === logged)?.file;
    const contents = source === undefined ? undefined : readKeyFile(source);
    const isPut = place.identityFile === undefined && contents !== undefined && createKeyFile(path, contents);
    if (isPut && source !== undefined) return { kind: "put_back", path, source };
    return { kind: "refused", error: withOthers(otherIdentity(place, logged, peerIdIn(path), source), logged, keys) };
  } catch (thrown) {
    if (isFault(thrown) || !(thrown instanceof PartnerdError)) throw thrown;
    return { kind: "refused", error: thrown };
  }
}

/** Adds the files of the backup that hold the keys of other PeerIDs: the operator may have taken them for the log's. */
function withOthers(error: PartnerdError, logged: PeerId, keys: readonly KeyOfBackup[]): PartnerdError {
  const others = keys.filter(({ peerId }) => peerId !== undefined && peerId !== logged);
  if (others.length === 0) return error;
  const found = others.map(({ file, peerId }) => `${file} holds the key of ${peerId} instead`);
  return new PartnerdError(error.code, [error.message, ...found].join("; "), { nextStep: error.nextStep ?? undefined });
}

/** Where the key of the log in `database` may be, if `from` was named as the backup: beside the file, or in the data directory. */
export const keySources = (from: string, database: string): readonly string[] => [
  keyBackupOf(database),
  ...(from === database ? [] : [join(dirname(database), "identity.key")]),
];

function peerIdIn(file: string): PeerId | undefined {
  const contents = readKeyFile(file);
  return contents === undefined ? undefined : peerIdOfKey(keyIn(contents, file));
}
