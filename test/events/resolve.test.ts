import { expect, test } from "vitest";
import { didOf, parseAddress, resourceIdOf } from "../../src/base/ids.ts";
import type { Desired, Removed } from "../../src/events/decoded.ts";
import { resolve } from "../../src/events/resolve.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";

const peerId = await peerIdOfSeed(1);
const known = await peerIdOfSeed(2);
const address = parseAddress("/ip4/192.0.2.1/tcp/4001")?.address ?? null;
const resourceId = resourceIdOf("r-1");
const reference = { peerId: null, resourceId, did: didOf("r-1"), source: "oc-api", claimedUser: "anna" };
const revocation: Desired = {
  ...reference,
  kind: "desired",
  name: "lyon-1",
  relation: "NONE",
  standing: "revoked",
  address: null,
};
const removal: Removed = { ...reference, kind: "removed" };

const nobody = () => undefined;
const somebody = () => known;

test("a message that names its PeerID keeps it, whatever the resource id meant before", () => {
  const { source: _, claimedUser: _user, kind: __, ...said } = revocation;
  expect(resolve({ ...revocation, peerId }, somebody)).toEqual({ type: "PeerDesired", ...said, peerId });
  expect(resolve({ ...removal, peerId }, somebody)).toEqual({ type: "PeerRemoved", peerId, resourceId, did: "r-1" });
});

test("a message without PeerID is about the last peer of its resource id", () => {
  const asked: string[] = [];
  const lookup = (id: string) => {
    asked.push(id);
    return known;
  };
  expect(resolve(revocation, lookup)).toMatchObject({ type: "PeerDesired", peerId: known, resourceId, standing: "revoked" });
  expect(resolve(removal, lookup)).toEqual({ type: "PeerRemoved", peerId: known, resourceId, did: "r-1" });
  expect(asked).toEqual(["r-1", "r-1"]);
});

test("an address gets the resolved PeerID", () => {
  expect(resolve({ ...revocation, address }, somebody)).toMatchObject({ address: `${address}/p2p/${known}` });
});

test.each([revocation, removal])("an unknown resource id is rejected by name: $kind", (decoded) => {
  expect(resolve(decoded, nobody)).toEqual({
    kind: "rejected",
    reason: "peer_unknown",
    message: 'id is "r-1", which no earlier event ties to a PeerID: expected a peer_id or a stream_address as well',
    source: "oc-api",
    claimedUser: "anna",
  });
});
