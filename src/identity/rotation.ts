/**
 * A new key for the data directory, which takes the place of the old one in steps that a crash cannot spoil: the log's identity
 * decides which of the two is right. The new key is written first, then the log names it, then the files are swapped.
 */
import { generateKeyPair, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { keyIn, peerIdOfKey } from "./identity.ts";
import { createKeyFile, moveKeyFile, readKeyFile, removeKeyFile } from "./key-file.ts";
import { KeyProblem, privateKeyIn } from "./key-formats.ts";
import { type IdentityPlace, identityPathOf, keptKeyPathIn, nextKeyPathIn } from "./key-paths.ts";

/** The PeerIDs that decide about a waiting key. */
interface Keys {
  /** The log's; undefined if it belongs to none. */
  readonly logged: PeerId | undefined;
  /** That of the key in place; undefined if there is none. */
  readonly current: PeerId | undefined;
  /** That of the waiting key; undefined if it is unusable. */
  readonly next: PeerId | undefined;
}

/**
 * The decision about a waiting key. `swap`: the log names it. `remove`: the log names the key in place, or none, so no one has seen
 * the waiting one. `leave`: the log names neither, and is refused.
 */
export function waitingKeyVerdict({ logged, current, next }: Keys): "swap" | "remove" | "leave" {
  if (logged !== undefined && logged === next) return "swap";
  return logged === undefined || logged === current ? "remove" : "leave";
}

/** The end of an interrupted rotation. `kept`: the file with the old key, and `from` its PeerID; null if there was no old key. */
export type Settled =
  | { readonly outcome: "finished"; readonly from: PeerId | null; readonly to: PeerId; readonly kept: string | null }
  | { readonly outcome: "withdrawn" };

/**
 * Finishes or withdraws a rotation, as `logged`, the log's identity, decides. Undefined if there is nothing to do, as in a directory
 * whose key is elsewhere. Call only with the data directory locked. Throws identity_unsafe, identity_invalid, file_failed or
 * data_dir_unwritable; then the next call continues.
 */
export function settleRotation({ data, identityFile }: IdentityPlace, logged: PeerId | undefined): Settled | undefined {
  const path = nextKeyPathIn(data);
  const contents = identityFile === undefined ? readKeyFile(path) : undefined;
  if (contents === undefined) return undefined;
  const waiting = privateKeyIn(contents);
  const next = waiting instanceof KeyProblem ? undefined : peerIdOfKey(waiting);
  const inPlace = identityPathOf({ data });
  const old = readKeyFile(inPlace);
  const current = old === undefined ? undefined : peerIdOfKey(keyIn(old, inPlace));
  const verdict = waitingKeyVerdict({ logged, current, next });
  if (verdict === "leave") return undefined;
  if (verdict === "remove" || next === undefined) {
    removeKeyFile(path);
    return { outcome: "withdrawn" };
  }
  const from = current === undefined || current === next ? null : current;
  const kept = from === null || old === undefined ? null : keep(data, from, old);
  moveKeyFile(path, inPlace);
  return { outcome: "finished", from, to: next, kept };
}

/** Writes a new Ed25519 key, which waits for the log to name it. Throws file_failed if another one waits, data_dir_unwritable. */
export async function writeNextKey(data: string): Promise<{ readonly peerId: PeerId; readonly path: string }> {
  const path = nextKeyPathIn(data);
  const key = await generateKeyPair("Ed25519");
  if (createKeyFile(path, privateKeyToProtobuf(key))) return { peerId: peerIdOfKey(key), path };
  throw new PartnerdError("file_failed", `${path} already exists, and the log does not name its key`, {
    nextStep: "move it away, and run this again",
  });
}

/** A copy, not a rename, so that there is a key in place at every moment. */
function keep(data: string, peerId: PeerId, contents: Uint8Array): string {
  const path = keptKeyPathIn(data, peerId);
  if (createKeyFile(path, contents)) return path;
  const there = readKeyFile(path);
  if (there !== undefined && peerIdOfKey(keyIn(there, path)) === peerId) return path;
  throw new PartnerdError("file_failed", `${path} already exists, and does not hold the key of ${peerId}`, {
    nextStep: "move it away, and run this again",
  });
}
