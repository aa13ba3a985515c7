import { describe, expect, test } from "vitest";
import { messageFor, type PublishOptions } from "../../../src/cli/daemon/publish.ts";
import { decodeMessage } from "../../../src/events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../../src/events/vocabulary.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";

const address = `/ip4/192.0.2.1/tcp/4011/p2p/${PEER_B}`;
const options: PublishOptions = {
  peer: address,
  relation: "PARTNER",
  fromApp: "oc-api",
  remove: false,
  subjects: DEFAULT_VOCABULARY,
};

function decoded(change: Partial<PublishOptions>) {
  return decodeMessage(messageFor({ ...options, ...change }), DEFAULT_VOCABULARY, DEFAULT_LIMITS);
}

describe("the daemon understands what publish sends:", () => {
  test("a partner with its address", () => {
    expect(decoded({})).toMatchObject({ kind: "desired", source: "oc-api", peerId: PEER_B, address, standing: "partner" });
  });

  test("a partner with several addresses, in their order and each once", () => {
    const other = "/ip6/2001:db8::1/tcp/4011";
    const both = `${address},${other}/p2p/${PEER_B}`;
    expect(decoded({ address: [other, address] })).toMatchObject({ kind: "desired", peerId: PEER_B, address: both });
    expect(decoded({ peer: PEER_B, address: [address, `${other}/p2p/${PEER_B}`] })).toMatchObject({ address: both });
  });

  test("a revocation by PeerID alone, with the partner's resource id", () => {
    const before = decoded({});
    const after = decoded({ peer: PEER_B, relation: "BLACKLIST" });
    expect(after).toMatchObject({ kind: "desired", peerId: PEER_B, standing: "blacklisted" });
    expect("resourceId" in after && "resourceId" in before && after.resourceId === before.resourceId).toBe(true);
  });

  test("no name unless one is given, so that a revocation does not rename the peer", () => {
    expect(decoded({ name: "lyon-1" })).toMatchObject({ name: "lyon-1" });
    expect(decoded({ relation: "NONE" })).toMatchObject({ name: null });
  });

  test("a removal", () => {
    expect(decoded({ remove: true })).toMatchObject({ kind: "removed", peerId: PEER_B });
  });
});

describe("publish rejects", () => {
  test.each([
    [{ peer: "10.0.0.1:4001" }, /neither a PeerID nor a multiaddr/],
    [{ peer: "/ip4/10.0.0.1/tcp/4001" }, /neither a PeerID nor a multiaddr/],
    [{ peer: PEER_B }, /needs an address/],
    [{ address: ["10.0.0.1:4001"] }, /--address "10\.0\.0\.1:4001" is not a multiaddr of the peer/],
    [{ address: [`/ip4/10.0.0.1/tcp/4001/p2p/${PEER_A}`] }, /is not a multiaddr of the peer/],
  ])("%o", (change, expected) => {
    expect(() => messageFor({ ...options, ...change })).toThrow(expected);
  });
});
