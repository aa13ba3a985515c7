/** `oc-partnerd publish`: what oc-api would send, for trying things out. Builds the message; sending it is nats/publish.ts. */
import { PartnerdError } from "../../base/errors.ts";
import { parseAddress, parsePeerId } from "../../base/ids.ts";
import type { Message } from "../../events/decode.ts";
import { recordMessage } from "../../fixture/format/message.ts";

export interface PublishOptions {
  /** A multiaddr ending in /p2p/ID, or a bare PeerID (enough for a revocation). */
  readonly peer: string;
  readonly relation: string;
  readonly fromApp: string;
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly remove: boolean;
  /** Where the daemon listens, from its configuration. */
  readonly subjects: { readonly createSubjects: readonly string[]; readonly removeSubjects: readonly string[] };
}

/** Throws `usage` where `peer` names no peer, or a partner without an address. */
export function peerMessage(options: PublishOptions): Message {
  const address = parseAddress(options.peer);
  const peerId = address?.peerId ?? parsePeerId(options.peer);
  if (peerId === undefined) {
    throw new PartnerdError("usage", `"${options.peer}" is neither a PeerID nor a multiaddr that ends in /p2p/PEERID`, {
      nextStep: "copy an address from `oc-partnerd status --json` of the other participant (self.addresses)",
    });
  }
  if (!options.remove && options.relation.toUpperCase() === "PARTNER" && address === undefined) {
    throw new PartnerdError("usage", `a PARTNER needs an address to be dialled at, not just the PeerID ${peerId}`, {
      nextStep: `give a multiaddr such as /ip4/192.0.2.1/tcp/4011/p2p/${peerId}`,
    });
  }
  const { relation, fromApp, id, name, remove, subjects } = options;
  return recordMessage({ peerId, address: address?.address ?? null, relation, fromApp, id, name }, remove, subjects);
}
