/** The daemon's identity: a private key in its data directory, or in a file that `identityFile` names. */
import { generateKeyPair, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { isPath, pathNextStep, shownPath } from "../base/secrets/shown.ts";
import { createKeyFile, readKeyFile } from "./key-file.ts";
import { type ExportFormat, exportedKey, KeyProblem, privateKeyIn, type RawKeyType } from "./key-formats.ts";
import { type IdentityPlace, identityPathOf, keptKeyPathIn } from "./key-paths.ts";
import { otherIdentity } from "./other-identity.ts";

/** A key, and the file that holds it. */
export interface Identity {
  readonly key: PrivateKey;
  readonly path: string;
}

/**
 * The daemon's key. Creates an Ed25519 key in the data directory if that has none; a file that `identityFile` names must exist and is
 * never written. If the log belongs to `logged`, only its key is accepted and none is created, so that a restored log without its key
 * does not become another peer unnoticed. Throws identity_changed then, identity_unsafe if other users can use the file,
 * identity_invalid if it has no usable key, data_dir_unwritable if it cannot be created.
 */
export async function loadOrCreateIdentity(place: IdentityPlace, logged?: PeerId): Promise<PrivateKey> {
  const path = identityPathOf(place);
  const contents = readKeyFile(path);
  if (contents !== undefined) return belongingTo(logged, keyIn(contents, path), place);
  if (logged !== undefined || place.identityFile !== undefined) throw missing(place, logged);
  const key = await generateKeyPair("Ed25519");
  // Another process may have created one in the meantime.
  return createKeyFile(path, privateKeyToProtobuf(key)) ? key : loadIdentity(place).key;
}

/** The existing identity. Throws as loadOrCreateIdentity does, and identity_invalid if there is none and the log belongs to none. */
export function loadIdentity(place: IdentityPlace, logged?: PeerId): Identity {
  const identity = identityInPlace(place, logged);
  belongingTo(logged, identity.key, place);
  return identity;
}

/** As loadIdentity, but the log, which belongs to `logged`, may belong to another key. */
export function identityInPlace(place: IdentityPlace, logged: PeerId | undefined): Identity {
  const path = identityPathOf(place);
  const contents = readKeyFile(path);
  if (contents !== undefined) return { key: keyIn(contents, path), path };
  throw missing(place, logged);
}

/** The result of an import. `created` is false if the data directory had this key already. */
export interface ImportedIdentity extends Identity {
  readonly created: boolean;
}

/**
 * Makes `contents`, the key in the file `source`, the identity of the data directory, whose log belongs to `logged`. Throws
 * identity_invalid if `contents` has no usable key, and file_failed, leaving everything as it was, if the directory has another
 * identity.
 */
export function importIdentity(
  { contents, source, type }: { readonly contents: Uint8Array; readonly source: string; readonly type?: RawKeyType | undefined },
  data: string,
  logged?: PeerId,
): ImportedIdentity {
  const key = keyIn(contents, source, type);
  const path = identityPathOf({ data });
  if (createKeyFile(path, privateKeyToProtobuf(key))) return { key, path, created: true };
  const { key: existing } = loadIdentity({ data });
  if (existing.equals(key)) return { key, path, created: false };
  const inPlace = peerIdOfKey(existing);
  throw new PartnerdError("file_failed", `${path} holds another identity, ${inPlace}, and is not overwritten`, {
    nextStep: `stop the daemon, rename that file to ${keptKeyPathIn(data, inPlace)}, and import again; ${afterImport(peerIdOfKey(key), inPlace, logged)}`,
  });
}

function afterImport(imported: PeerId, inPlace: PeerId, logged: PeerId | undefined): string {
  if (logged === imported) return "the log belongs to the key that you import, and the daemon then starts";
  const accept = "let the log belong to the new key with `oc-partnerd identity accept`";
  if (logged === inPlace) return `partners know us by the key in place, so keep it; afterwards ${accept}`;
  return logged === undefined
    ? "partners may know the key in place, so keep it"
    : `the log belongs to ${logged}; afterwards ${accept}`;
}

/** Writes `key` to a new file (0600). Throws file_failed, also if the file exists. */
export function exportIdentity(key: PrivateKey, out: string, format: ExportFormat): void {
  if (createKeyFile(out, exportedKey(key, format), "file_failed")) return;
  throw new PartnerdError("file_failed", `${out} already exists and is not overwritten`, {
    nextStep: "choose another file with --out FILE",
  });
}

export const peerIdOfKey = (key: PrivateKey): PeerId => peerIdFromPrivateKey(key).toString() as PeerId;

function belongingTo(logged: PeerId | undefined, key: PrivateKey, place: IdentityPlace): PrivateKey {
  const peerId = peerIdOfKey(key);
  if (logged === undefined || logged === peerId) return key;
  throw otherIdentity(place, logged, peerId);
}

/** The key in the file `path`. Throws identity_invalid. */
export function keyIn(contents: Uint8Array, path: string, type?: RawKeyType): PrivateKey {
  const key = privateKeyIn(contents, type);
  if (!(key instanceof KeyProblem)) return key;
  throw new PartnerdError("identity_invalid", `${path} ${key.problem}`, {
    nextStep: `${key.nextStep}; if this file was damaged, restore it from a backup`,
  });
}

/** A key may have been given as `identityFile`; the path in the data directory is never a key. */
function missing(place: IdentityPlace, logged: PeerId | undefined): PartnerdError {
  const { data, identityFile } = place;
  const isShown = identityFile === undefined || isPath(identityFile);
  if (logged !== undefined && isShown) return otherIdentity(place, logged, undefined);
  const nextStep =
    identityFile === undefined
      ? "name a data directory with --data; the first `oc-partnerd run` creates its identity"
      : "name an existing key file, or unset identityFile to use the data directory's";
  if (isShown)
    return new PartnerdError("identity_invalid", `no identity file at "${identityPathOf({ data, identityFile })}"`, { nextStep });
  return new PartnerdError("identity_invalid", `identityFile names no file: ${shownPath(identityFile)}`, {
    nextStep: pathNextStep(identityFile, nextStep),
  });
}
