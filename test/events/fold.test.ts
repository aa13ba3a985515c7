import { beforeEach, describe, expect, test } from "vitest";
import { type Address, didOf, type PeerId, parseAddress, resourceIdOf } from "../../src/base/ids.ts";
import type { PeerDesired, PeerRemoved } from "../../src/events/types.ts";
import { DesiredState } from "../support/desired-state.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";

const lyon = await peerIdOfSeed(1);
const oslo = await peerIdOfSeed(2);
const resourceId = resourceIdOf("r-1");

function addressOf(peerId: PeerId, host = "192.0.2.1"): Address {
  const parsed = parseAddress(`/ip4/${host}/tcp/4001/p2p/${peerId}`);
  if (parsed === undefined) throw new Error("not an address");
  return parsed.address;
}

const partner: PeerDesired = {
  type: "PeerDesired",
  peerId: lyon,
  resourceId,
  did: didOf("did:lyon"),
  name: "lyon-1",
  relation: "PARTNER",
  standing: "partner",
  address: addressOf(lyon),
};
const revocation: PeerDesired = {
  ...partner,
  did: null,
  name: null,
  relation: "NONE",
  standing: "revoked",
  address: null,
};
const blacklisting: PeerDesired = { ...partner, relation: "BLACKLIST", standing: "blacklisted" };
const removal: PeerRemoved = { type: "PeerRemoved", peerId: lyon, resourceId, did: null };

const { type: _, ...said } = partner;
const firstRow = { ...said, desiredSeq: 1, generation: 1, sinceMs: 1000, standingSeq: 1, standingSinceMs: 1000 };

const thirdSaid = { desiredSeq: 3, generation: 3, sinceMs: 3000, standingSeq: 3, standingSinceMs: 3000 };

let state: DesiredState;
const row = (peerId: PeerId) => state.peers.get(peerId);

beforeEach(() => {
  state = new DesiredState();
});

test("a peer's first event creates its row", () => {
  expect(state.apply(partner)).toEqual({ effect: "changed", peers: [firstRow] });
});

test("the first event may be a revocation or a removal", () => {
  state.apply(revocation);
  expect(row(lyon)).toMatchObject({ standing: "revoked", relation: "NONE", address: null, generation: 1 });
  state = new DesiredState();
  state.apply(removal);
  expect(row(lyon)).toMatchObject({ standing: "revoked", relation: "REMOVED", address: null, generation: 1 });
});

test.each([partner, revocation, blacklisting, removal])("repeating an event changes nothing: $type $relation", (event) => {
  state.apply(event);
  const before = row(lyon);
  expect(state.apply(event)).toEqual({ effect: "unchanged", peers: [] });
  expect(row(lyon)).toEqual(before);
});

describe("after an event that made the peer a partner", () => {
  beforeEach(() => {
    state.apply(partner);
  });

  test("a revocation keeps the fields it omits and starts a new generation", () => {
    expect(state.apply({ ...revocation, resourceId: null }).effect).toBe("changed");
    expect(row(lyon)).toEqual({
      ...firstRow,
      relation: "NONE",
      standing: "revoked",
      desiredSeq: 2,
      generation: 2,
      sinceMs: 2000,
      standingSeq: 2,
      standingSinceMs: 2000,
    });
  });

  test("a new address starts a new generation, and keeps the standing's time", () => {
    const address = addressOf(lyon, "192.0.2.2");
    state.apply({ ...partner, address });
    expect(row(lyon)).toEqual({ ...firstRow, address, desiredSeq: 2, generation: 2, sinceMs: 2000 });
  });

  test.each([{ name: "lyon-2" }, { did: didOf("did:other") }, { resourceId: resourceIdOf("r-2") }])(
    "%j is a change that outdates no work",
    (change) => {
      expect(state.apply({ ...partner, ...change }).effect).toBe("changed");
      expect(row(lyon)).toEqual({ ...firstRow, ...change, desiredSeq: 2 });
    },
  );

  test("a new relation starts a new generation, and keeps the standing's time", () => {
    expect(state.apply({ ...partner, relation: "ALLY" }).effect).toBe("changed");
    expect(row(lyon)).toEqual({ ...firstRow, relation: "ALLY", desiredSeq: 2, generation: 2, sinceMs: 2000 });
  });

  test("a blacklisting is a new generation, and its removal another", () => {
    state.apply(blacklisting);
    expect(row(lyon)).toMatchObject({ standing: "blacklisted", generation: 2 });
    state.apply(removal);
    expect(row(lyon)).toMatchObject({ standing: "revoked", relation: "REMOVED", generation: 3 });
  });

  test("a removal keeps what is known", () => {
    expect(state.apply(removal).effect).toBe("changed");
    expect(row(lyon)).toEqual({
      ...firstRow,
      relation: "REMOVED",
      standing: "revoked",
      desiredSeq: 2,
      generation: 2,
      sinceMs: 2000,
      standingSeq: 2,
      standingSinceMs: 2000,
    });
  });

  test("a removal after a revocation is a new generation of the same standing", () => {
    state.apply(revocation);
    expect(state.apply(removal).effect).toBe("changed");
    const since = { desiredSeq: 3, generation: 3, sinceMs: 3000, standingSeq: 2, standingSinceMs: 2000 };
    expect(row(lyon)).toMatchObject({ relation: "REMOVED", standing: "revoked", ...since });
  });

  test("a partner again after removal starts a new generation", () => {
    state.apply(removal);
    expect(state.apply(partner).effect).toBe("changed");
    expect(row(lyon)).toEqual({ ...firstRow, ...thirdSaid });
  });

  test("a new PeerID for its resource id revokes the old one", () => {
    const { effect, peers } = state.apply({ ...partner, peerId: oslo, address: addressOf(oslo) });
    expect(effect).toBe("changed");
    expect(peers.map(({ peerId }) => peerId)).toEqual([lyon, oslo]);
    const superseded = {
      resourceId: null,
      relation: "SUPERSEDED",
      standing: "revoked",
      desiredSeq: 2,
      generation: 2,
      sinceMs: 2000,
      standingSeq: 2,
      standingSinceMs: 2000,
    };
    expect(row(lyon)).toEqual({ ...firstRow, ...superseded });
    expect(row(oslo)).toMatchObject({ resourceId, standing: "partner", address: addressOf(oslo), generation: 2 });
    expect(state.peerOfResource(resourceId)).toBe(oslo);
  });

  test("its resource id moves back and forth between two PeerIDs", () => {
    state.apply({ ...partner, peerId: oslo, address: addressOf(oslo) });
    state.apply(partner);
    expect(row(oslo)).toMatchObject({ standing: "revoked", relation: "SUPERSEDED", resourceId: null });
    expect(row(lyon)).toEqual({ ...firstRow, ...thirdSaid });
  });

  test("the removal of its resource under another PeerID revokes both", () => {
    state.apply({ ...removal, peerId: oslo });
    expect([row(lyon)?.standing, row(oslo)?.standing]).toEqual(["revoked", "revoked"]);
  });

  test("an event about another peer without resource id leaves it unchanged", () => {
    const { peers } = state.apply({ ...partner, peerId: oslo, resourceId: null, address: addressOf(oslo) });
    expect(peers.map(({ peerId }) => peerId)).toEqual([oslo]);
    expect(row(lyon)).toEqual(firstRow);
  });
});

test("a blacklisted peer stays blacklisted when its resource id moves on", () => {
  state.apply(blacklisting);
  state.apply({ ...partner, peerId: oslo, address: addressOf(oslo) });
  expect(row(lyon)).toMatchObject({
    standing: "blacklisted",
    relation: "BLACKLIST",
    resourceId: null,
    desiredSeq: 2,
    generation: 1,
    standingSeq: 1,
    standingSinceMs: 1000,
  });
});
