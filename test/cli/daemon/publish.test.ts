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
  force: false,
  settings: { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS },
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

describe("a message that the daemon would take for something else is refused unless forced:", () => {
  const settings = (change: Partial<PublishOptions["settings"]>) => ({ settings: { ...options.settings, ...change } });

  test.each([
    [{ relation: "PARTNR" }, /"PARTNR" is unknown; it would revoke the peer/, /^did you mean PARTNER\? .*--force/],
    [{ relation: "partners" }, /unknown/, /^did you mean PARTNER\?/],
    [{ relation: "BLACKLISTED" }, /unknown/, /^did you mean BLACKLIST\?/],
    [{ relation: "friend" }, /unknown/, /^use one of PARTNER, BLACKLIST, NONE, SELF, PENDING_PARTNER .*--force/],
    [{ relation: "PARTNER", ...settings({ partnerRelations: ["ALLY"], relationNames: [] }) }, /unknown/, /ALLY, BLACKLIST/],
    [{ relation: "" }, /unknown/, /--force/],
    [{ fromApp: "oc-discovery" }, /would ignore the message: .*events\.ignoreApps/, /--from-app/],
    [{ remove: true, fromApp: "oc-discovery" }, /would ignore the message/, /--force/],
    [settings({ peerDatatypes: [9] }), /would ignore the message: the datatype PEER/, /events\.peerDatatypes/],
    [{ name: "x".repeat(513) }, /would reject the message: name/, /--force/],
  ])("%j", (change, message, nextStep) => {
    expect(() => messageFor({ ...options, ...change })).toThrow(
      expect.objectContaining({
        code: "usage",
        message: expect.stringMatching(message) as string,
        nextStep: expect.stringMatching(nextStep) as string,
      }) as Error,
    );
    expect(messageFor({ ...options, ...change, force: true }).bytes.byteLength).toBeGreaterThan(0);
  });

  test.each(["partner", "NONE", "pending_partner", "Blacklist"])("the relation %s is known", (relation) => {
    expect(decoded({ relation })).toMatchObject({ kind: "desired", relation: relation.toUpperCase() });
  });

  test("a relation that the configuration calls partner needs an address, as PARTNER does", () => {
    const ally = { relation: "ally", ...settings({ partnerRelations: ["ALLY"] }) };
    expect(() => messageFor({ ...options, ...ally, peer: PEER_B })).toThrow(/relation ALLY needs an address/);
  });
});
