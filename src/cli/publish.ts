/** `oc-partnerd publish`: what oc-api would send, for trying things out. Builds the message; sending it is nats/publish.ts. */
import { createHash } from "node:crypto";
import { PartnerdError } from "../errors.ts";
import { parseAddress, parsePeerId } from "../ids.ts";

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

export interface Message {
  readonly subject: string;
  readonly text: string;
}

/** The envelope as a Go app marshals it: the payload is a []byte, so base64 text. Throws `usage` where `peer` names none. */
export function messageOf(options: PublishOptions): Message {
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
  const record = {
    id: options.id ?? resourceIdFor(peerId),
    // Left out unless given: a revocation must not rename the peer.
    ...(options.name === undefined ? {} : { name: options.name }),
    peer_id: peerId,
    stream_address: address?.address ?? "",
    relation: options.relation,
  };
  return {
    subject: subjectOf(options),
    text: JSON.stringify({
      from_app: options.fromApp,
      datatype: "PEER",
      user: "",
      groups: null,
      payload: Buffer.from(JSON.stringify(record)).toString("base64"),
    }),
  };
}

function subjectOf({ remove, subjects }: PublishOptions): string {
  return remove ? (subjects.removeSubjects[0] ?? "REMOVE_RESOURCE") : (subjects.createSubjects[0] ?? "CREATE_RESOURCE");
}

/** The same peer gets the same resource id each time, as it would from a database: a UUID made of the PeerID's hash. */
function resourceIdFor(peerId: string): string {
  const hex = createHash("sha256").update(peerId).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
