/** Loads test/fixtures/samples/: what resource events look like on the wire, with words standing for real PeerIDs and addresses. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RejectionReason } from "../../src/events/types.ts";

export type SampleFolder = "accepted" | "refused" | "ignored";

/** The real values. `address` ends in `/p2p/<peerId>`. */
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

/** Every sample of `folder`, in the order of their names, with `values` filled in. */
export function loadSamples(folder: SampleFolder, values: SampleValues): Sample[] {
  const files = readdirSync(join(SAMPLES, folder)).sort();
  return files.map((name) => ({ name, bytes: Buffer.from(filledIn(readFileSync(join(SAMPLES, folder, name), "utf8"), values)) }));
}

/** The longer words first: two of them contain another. */
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

/** Why each of the refused samples is. */
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
