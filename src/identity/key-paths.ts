/** Where the keys of a data directory are. */
import { join } from "node:path";
import type { PeerId } from "../base/ids.ts";

/** The settings that say where the identity is. */
export interface IdentityPlace {
  /** The data directory. */
  readonly data: string;
  readonly identityFile?: string | undefined;
}

export const identityPathOf = ({ data, identityFile }: IdentityPlace): string => identityFile ?? join(data, "identity.key");

/** Where a new key waits until the log names it. */
export const nextKeyPathIn = (data: string): string => join(data, "identity.key.next");

/** Where the key of an earlier PeerID is kept. */
export const keptKeyPathIn = (data: string, peerId: PeerId): string => join(data, `identity.key.${peerId}`);

/** Where the key is beside the backup `file`. */
export const keyBackupOf = (file: string): string => `${file}.identity.key`;
