import { multiaddr } from "@multiformats/multiaddr";
import { expect, it } from "vitest";
import { isUnexpectedPeer } from "../../../src/p2p/host/unexpected-peer.ts";
import { unexpectedPeer } from "../../../src/sim/network/errors.ts";
import { loopbackAddress, startTestNode } from "../../support/partner-host.ts";
import { peerIdOfSeed } from "../../support/peer-ids.ts";

it("recognizes the error of the real libraries, whose wording may change with an update", async () => {
  await using dialler = await startTestNode(1);
  await using peer = await startTestNode(2);
  const somebodyElse = multiaddr(loopbackAddress(peer.port, await peerIdOfSeed(3)));
  const failure: unknown = await dialler.node.dial(somebodyElse).catch((error: unknown) => error);
  expect(isUnexpectedPeer(failure), String(failure)).toBe(true);
});

it("recognizes the simulator's, and no other failed dial", async () => {
  const [actual, expected] = [await peerIdOfSeed(1), await peerIdOfSeed(2)];
  expect(isUnexpectedPeer(unexpectedPeer(actual, expected))).toBe(true);
  await using dialler = await startTestNode(1);
  const failure: unknown = await dialler.node.dial(multiaddr(loopbackAddress(1, expected))).catch((error: unknown) => error);
  expect(isUnexpectedPeer(failure)).toBe(false);
  expect(isUnexpectedPeer(new TypeError("does not match expected remote identity key"))).toBe(false);
});
