/** Loads test/fixtures/samples/: resource events as sent on the wire, with placeholders for PeerIDs and addresses. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RejectionReason } from "../../src/events/types.ts";

export type SampleFolder = "accepted" | "refused" | "ignored";

/** Values for the placeholders. `address` ends in `/p2p/<peerId>`. */
export interface SampleValues {
  readonly peerId: string;
  readonly address: string;
  /** A valid PeerID other than `peerId`. */
  readonly anotherPeerId: string;
}

export interface Sample {
  /** The file's name with its extension. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const SAMPLES = join(import.meta.dirname, "../fixtures/samples");

/** All samples in `folder`, sorted by name, with `values` filled in. */
export function loadSamples(folder: SampleFolder, values: SampleValues): Sample[] {
  const files = readdirSync(join(SAMPLES, folder)).sort();
  return files.map((name) => ({ name, bytes: Buffer.from(filledIn(readFileSync(join(SAMPLES, folder, name), "utf8"), values)) }));
}

/** Replaces longer placeholders first, because two of them contain another one. */
function filledIn(template: string, { peerId, address, anotherPeerId }: SampleValues): string {
  return template
    .replaceAll("ADDRESS_WITHOUT_P2P_PART", address.replace(/\/p2p\/[^/]+$/, ""))
    .replaceAll("ANOTHER_PEER_ID", anotherPeerId)
    .replaceAll("ADDRESS", address)
    .replaceAll("PEER_ID", peerId)
    .replaceAll(/"BASE64\((.*)\)"/g, (_, escaped: string) => {
      const text = JSON.parse(`"${escaped}"`) as string;
      return JSON.stringify(Buffer.from(text).toString("base64"));
    });
}

/** The rejection reason of each refused sample. */
export const REFUSAL_REASONS: Readonly<Record<string, RejectionReason>> = {
  "array.json": "not_an_object",
  "bad-multiaddr.json": "address_invalid",
  "deeply-nested.txt": "too_deep",
  "empty.txt": "not_json",
  "no-payload.json": "field_missing",
  "not-json.txt": "not_json",
  "partner-without-address.json": "address_missing",
  "payload-not-json.json": "payload_not_json",
  "peer-id-disagrees.json": "peer_id_disagrees",
};
