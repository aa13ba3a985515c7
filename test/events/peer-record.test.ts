import { peerIdFromString } from "@libp2p/peer-id";
import { describe, expect, test } from "vitest";
import { DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import { asDesired, asRejected, CREATE, decodeJson, envelope, REMOVE } from "../support/messages.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { address, desired, partner, peerId, record, rejected, transport } from "./record.ts";

const anotherPeerId = await peerIdOfSeed(2);

test("a complete record is decoded in full", () => {
  expect(partner).toEqual({
    kind: "desired",
    source: "oc-api",
    claimedUser: null,
    peerId,
    resourceId: "r-1",
    did: "r-1",
    name: "lyon-1",
    relation: "PARTNER",
    standing: "partner",
    address,
  });
});

describe("the relation", () => {
  test.each([
    ["PARTNER", "PARTNER", "partner"],
    ["partner", "PARTNER", "partner"],
    [2, "PARTNER", "partner"],
    ["2", "PARTNER", "partner"],
    ["BLACKLIST", "BLACKLIST", "blacklisted"],
    [3, "BLACKLIST", "blacklisted"],
    ["NONE", "NONE", "revoked"],
    [0, "NONE", "revoked"],
    ["SELF", "SELF", "revoked"],
    ["pending_partner", "PENDING_PARTNER", "revoked"],
    ["something new", "SOMETHING NEW", "revoked"],
    [7, "UNKNOWN(7)", "revoked"],
    ["7", "UNKNOWN(7)", "revoked"],
    [-1, "UNKNOWN(-1)", "revoked"],
  ])("%j is %s: %s", (relation, name, standing) => {
    expect(desired({ relation })).toMatchObject({ relation: name, standing });
  });

  test.each([undefined, null, "", "  "])("%j revokes no one", (relation) => {
    expect(rejected({ relation })).toMatchObject({
      reason: "field_missing",
      message: expect.stringMatching(/^relation is missing/) as string,
    });
  });

  test.each([[true], [1.5], [1e300], [{}], [["PARTNER"]], ["R".repeat(65)]])("%j is not a relation", (relation) => {
    expect(rejected({ relation })).toMatchObject({
      reason: "field_invalid",
      message: expect.stringMatching(/^relation is /) as string,
    });
  });

  test("relations come from the vocabulary, in any letter case", () => {
    const vocabulary = {
      ...DEFAULT_VOCABULARY,
      partnerRelations: ["ally"],
      blacklistRelations: ["Foe"],
      relationNames: ["ally"],
    };
    const decode = (relation: unknown) => asDesired(decodeJson(envelope({ ...record, relation }), CREATE, vocabulary));
    expect(decode("Ally")).toMatchObject({ relation: "ALLY", standing: "partner" });
    expect(decode(0)).toMatchObject({ relation: "ALLY", standing: "partner" });
    expect(decode("foe").standing).toBe("blacklisted");
    expect(decode("PARTNER").standing).toBe("revoked");
  });
});

describe("the peer", () => {
  test("its did takes precedence over the resource id", () => {
    expect(desired({ did: "did:key:z6Mk" })).toEqual({ ...partner, did: "did:key:z6Mk" });
    expect(desired({ did: "" })).toEqual(partner);
    expect(desired({ id: undefined })).toEqual({ ...partner, resourceId: null, did: null });
  });

  test("a partner's address always ends in its canonical PeerID", () => {
    expect(desired({ stream_address: transport })).toEqual(partner);
    expect(desired({ peer_id: undefined })).toEqual(partner);
    expect(desired({ stream_address: `${transport}/ipfs/${peerId}` })).toEqual(partner);
    const relay = `${transport}/p2p/${anotherPeerId}/p2p-circuit`;
    expect(desired({ stream_address: relay }).address).toBe(`${relay}/p2p/${peerId}`);
  });

  test("PeerIDs are compared by meaning, not by spelling", () => {
    const cid = peerIdFromString(peerId).toCID().toString();
    expect(desired({ peer_id: cid })).toEqual(partner);
    expect(desired({ stream_address: `${transport}/p2p/${cid}` })).toEqual(partner);
  });

  test.each(["/dns4/peer.example.org/tcp/4001", "/ip6/2001:db8::1/tcp/4001", "/ip4/192.0.2.1/udp/4001/quic-v1"])(
    "%s is an address",
    (other) => expect(desired({ stream_address: `${other}/p2p/${peerId}` }).address).toBe(`${other}/p2p/${peerId}`),
  );

  describe("may have several addresses", () => {
    const other = "/dns4/peer.example.org/tcp/4001";
    const quic = "/ip4/192.0.2.1/udp/4001/quic-v1";
    const unknown = "/new-protocol/7";
    const both = `${transport}/p2p/${peerId},${other}/p2p/${peerId}`;

    test.each([
      ["commas", { stream_address: `${transport},${other}` }],
      ["spaces", { stream_address: ` ${transport}  ${other} ` }],
      ["commas and line ends", { stream_address: `${transport},\n${other},` }],
      ["an array", { stream_address: [transport, null, "", other] }],
      ["another field", { stream_address: transport, stream_addresses: [other] }],
      ["only the other field, in another spelling", { stream_address: undefined, StreamAddresses: `${transport} ${other}` }],
      ["repetitions", { stream_address: [transport, other, transport], stream_addresses: [other] }],
      ["PeerIDs", { peer_id: undefined, stream_address: `${transport},${other}/p2p/${peerId}` }],
    ])("with %s", (_, changes) => {
      expect(desired(changes)).toEqual({ ...partner, address: both });
    });

    test("of which TCP cannot dial each, in the order given", () => {
      const all = [quic, unknown, transport].map((each) => `${each}/p2p/${peerId}`).join(",");
      expect(desired({ stream_address: all }).address).toBe(all);
      expect(desired({ stream_address: `${unknown} ${transport}` }).address).toBe(`${unknown},${transport}/p2p/${peerId}`);
    });

    test.each([
      [
        "peer_id_disagrees",
        "expected one PeerID",
        { stream_address: `${transport}/p2p/${peerId},${other}/p2p/${anotherPeerId}` },
      ],
      ["peer_id_disagrees", "expected one PeerID", { stream_address: `${transport},${unknown}/p2p/${anotherPeerId}` }],
      ["address_invalid", "stream_address is", { stream_address: `${unknown},/unknown/8` }],
      ["address_invalid", "stream_address is", { stream_address: ["10.0.0.1:4001", transport] }],
      ["address_missing", "stream_address is missing", { stream_address: [] }],
      ["field_invalid", "stream_address is 7: expected text", { stream_address: [transport, 7] }],
      ["field_invalid", "stream_address is 1025 characters long", { stream_address: [transport, `/${"x".repeat(1024)}`] }],
      [
        "field_invalid",
        "names 17 addresses: expected at most 16",
        { stream_address: Array.from({ length: 17 }, () => transport) },
      ],
    ])("but not these: %s, %s", (reason, message, changes) => {
      const rejection = rejected(changes);
      expect(rejection.reason).toBe(reason);
      expect(rejection.message).toContain(message);
    });
  });

  test.each([
    ["address_missing", "stream_address is missing", { stream_address: null }],
    ["address_missing", "stream_address is missing", { stream_address: "" }],
    ["address_invalid", 'stream_address is "10.0.0.1:4001"', { stream_address: "10.0.0.1:4001" }],
    ["address_invalid", 'stream_address is "/"', { stream_address: "/" }],
    ["address_invalid", "stream_address is", { stream_address: "/ip4/192.0.2.1/tcp/99999" }],
    ["address_invalid", "stream_address is", { stream_address: "/dns4/a b/tcp/1" }],
    ["address_invalid", "stream_address is", { stream_address: `${transport}/p2p/nobody` }],
    ["field_missing", "nothing names the peer", { stream_address: transport, peer_id: null }],
    ["peer_id_disagrees", `/p2p/${anotherPeerId}`, { stream_address: `${transport}/p2p/${anotherPeerId}` }],
    ["peer_id_invalid", 'peer_id is "12D3KooWnobody"', { peer_id: "12D3KooWnobody" }],
    ["field_invalid", "peer_id is 129 characters long", { peer_id: "1".repeat(129) }],
    ["field_invalid", "peer_id is 12: expected text", { peer_id: 12 }],
    ["field_invalid", "id is 12: expected text", { id: 12 }],
    ["field_invalid", "did is false: expected text", { did: false }],
    ["field_invalid", "name is an array: expected text", { name: ["lyon-1"] }],
    ["field_invalid", "stream_address is an object: expected text", { stream_address: {} }],
    ["field_invalid", "id is 513 characters long", { id: "x".repeat(513) }],
    ["field_invalid", "did is 513 characters long", { did: "x".repeat(513) }],
    ["field_invalid", "name is 513 characters long", { name: "x".repeat(513) }],
    ["field_invalid", "stream_address is 1025 characters long", { stream_address: "/".repeat(1025) }],
  ])("a partner is rejected as %s: %s", (reason, message, changes) => {
    const rejection = rejected(changes);
    expect(rejection.reason).toBe(reason);
    expect(rejection.message).toContain(message);
  });

  test("the PeerID of a URL is invalid, because no key can prove it", () => {
    const peerIdOfExampleOrg = "1Ggae2Kv633oqNs8iWjoCWHQ63cz";
    expect(rejected({ peer_id: peerIdOfExampleOrg }).reason).toBe("peer_id_invalid");
  });

  test("the longest names are kept unchanged", () => {
    const longest = "n".repeat(512);
    expect(desired({ name: longest, id: longest, did: longest })).toMatchObject({
      name: longest,
      resourceId: longest,
      did: longest,
    });
  });

  test("error messages escape control characters, and names keep them", () => {
    const name = "a\u{1b}[31m\u{9b}2J\u{202e}b";
    expect(desired({ name }).name).toBe(name);
    expect(rejected({ peer_id: name }).message).toContain(String.raw`peer_id is "a\u001b[31m\u{9b}2J\u{202e}b": expected`);
  });

  test("an unpaired surrogate, which no store would keep, becomes U+FFFD", () => {
    expect(desired({ name: "a\u{d800}b" }).name).toBe("a\u{fffd}b");
  });
});

describe("peers that are not partners", () => {
  const revocation = (changes: Record<string, unknown>) => decodeJson(envelope({ id: "r-1", relation: "NONE", ...changes }));

  test.each([
    [{}, { peerId: null, address: null }],
    [{ peer_id: peerId }, { peerId, address: null }],
    [{ stream_address: address }, { peerId, address }],
    [{ stream_address: transport }, { peerId: null, address: transport }],
    [
      { stream_address: transport, peer_id: peerId },
      { peerId, address },
    ],
    [{ stream_address: "nowhere" }, { peerId: null, address: null }],
    [
      { stream_address: "nowhere", peer_id: peerId, id: null },
      { peerId, address: null },
    ],
  ])("need only an identifier: %j", (changes, expected) => {
    expect(asDesired(revocation(changes))).toMatchObject({ ...expected, standing: "revoked" });
  });

  test.each([
    [{ id: null }, "field_missing"],
    [{ id: null, did: "did:key:z6Mk" }, "field_missing"],
    [{ id: null, stream_address: transport }, "field_missing"],
    [{ id: null, stream_address: "nowhere" }, "address_invalid"],
    [{ peer_id: "nobody" }, "peer_id_invalid"],
    [{ peer_id: anotherPeerId, stream_address: address }, "peer_id_disagrees"],
  ])("are rejected with %j: %s", (changes, reason) => {
    expect(asRejected(revocation(changes)).reason).toBe(reason);
  });
});

describe("a removal", () => {
  const removal = (payload: unknown) => decodeJson(envelope(payload), REMOVE);

  test.each([
    [{ id: "r-1" }, { peerId: null, resourceId: "r-1", did: "r-1" }],
    [{ peer_id: peerId }, { peerId, resourceId: null, did: null }],
    [{ stream_address: address }, { peerId, resourceId: null, did: null }],
    [
      { id: "r-1", stream_address: "nowhere" },
      { peerId: null, resourceId: "r-1", did: "r-1" },
    ],
    [record, { peerId, resourceId: "r-1", did: "r-1" }],
    [
      { id: "r-1", relation: true, name: 7 },
      { peerId: null, resourceId: "r-1", did: "r-1" },
    ],
  ])("needs only an id, a peer_id or an address: %j", (payload, expected) => {
    expect(removal(payload)).toEqual({ kind: "removed", source: "oc-api", claimedUser: null, ...expected });
  });

  test.each([
    [{}, "field_missing"],
    [{ relation: "PARTNER" }, "field_missing"],
    [{ stream_address: "nowhere" }, "address_invalid"],
    [{ id: "r-1", peer_id: anotherPeerId, stream_address: address }, "peer_id_disagrees"],
  ])("is rejected with %j: %s", (payload, reason) => {
    expect(asRejected(removal(payload)).reason).toBe(reason);
  });

  test("is recognized by its subject, which is configurable", () => {
    const vocabulary = { ...DEFAULT_VOCABULARY, removeSubjects: ["oc.remove", "oc.delete"] };
    expect(decodeJson(envelope(record), "oc.delete", vocabulary).kind).toBe("removed");
    expect(decodeJson(envelope(record), REMOVE, vocabulary).kind).toBe("desired");
  });
});
