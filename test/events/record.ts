/** A complete peer record, and the result of decoding it with changes. */
import { asDesired, asRejected, decodeJson, envelope } from "../support/messages.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";

export const peerId = await peerIdOfSeed(1);
export const transport = "/ip4/192.0.2.1/tcp/4001";
export const address = `${transport}/p2p/${peerId}`;
export const record = { id: "r-1", name: "lyon-1", peer_id: peerId, stream_address: address, relation: "PARTNER" };
export const partner = asDesired(decodeJson(envelope(record)));

export const desired = (changes: Record<string, unknown>) => asDesired(decodeJson(envelope({ ...record, ...changes })));
export const rejected = (changes: Record<string, unknown>) => asRejected(decodeJson(envelope({ ...record, ...changes })));
