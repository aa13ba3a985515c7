/** `p2p.challenge`: a peer that does not speak the challenge's protocol is refused, or admitted as unproven. */
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, expect, it } from "vitest";
import { didOf } from "../../../src/base/ids.ts";
import type { ChallengeRule } from "../../../src/p2p/heartbeat/handler.ts";
import { encodeHeartbeat } from "../../../src/p2p/wire/codec.ts";
import { PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { eventually, loopbackAddress, startPartnerHost, startTestNode, type TestNode } from "../../support/partner-host.ts";

const DIALECT = { heartbeatFields: "both", heartbeatTimestamp: "unix" };

let owner: AsyncDisposableStack;
let peer: TestNode;

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  peer = owner.use(await startTestNode(2));
});
afterEach(() => owner.disposeAsync());

/** A host with this rule, to which the peer has sent a heartbeat. */
async function hostWith(challenge: ChallengeRule) {
  const host = owner.use(await startPartnerHost(1, { challenge }));
  const connection = await peer.node.dial(multiaddr(loopbackAddress(host.port, host.peerId)));
  const stream = await connection.newStream(PARTNER_PROTOCOL);
  stream.send(encodeHeartbeat({ name: "peer", did: didOf("did:peer"), peerId: peer.peerId }, 0, "unix"));
  return host;
}

const inboundOf = ({ streams }: Awaited<ReturnType<typeof hostWith>>) => [...streams.snapshot()].at(0)?.inbound;

it("require: a peer without the protocol is refused, with the reason", async () => {
  const host = await hostWith("require");
  await eventually(() => host.events.length === 1);
  expect(host.events[0]).toMatchObject({
    type: "InboundRefused",
    reason: "challenge_failed",
    message: `bandwidth challenge failed: the peer does not speak ${PROBE_PROTOCOL}`,
  });
  expect(host.learned).toEqual([[peer.peerId, { ...DIALECT, challenge: "unsupported" }]]);
});

it("prefer: a peer without the protocol is admitted as unproven", async () => {
  const host = await hostWith("prefer");
  await eventually(() => host.events.length === 1);
  expect(host.events[0]).toMatchObject({ type: "StreamOpened", direction: "inbound" });
  expect(inboundOf(host)).toMatchObject({ proven: false });
  expect(host.learned).toEqual([[peer.peerId, { ...DIALECT, challenge: "unsupported" }]]);
});

it("prefer: a peer that passes the challenge is proven, and one that fails it is refused", async () => {
  let answer: Uint8Array | undefined = new Uint8Array(1);
  await peer.node.handle(PROBE_PROTOCOL, (stream) => {
    stream.addEventListener("message", ({ data }) => void stream.send(answer ?? data.subarray()));
    stream.addEventListener("remoteCloseWrite", () => void stream.close());
  });
  const refusing = await hostWith("prefer");
  await eventually(() => refusing.events.length === 1);
  expect(refusing.events[0]).toMatchObject({ type: "InboundRefused", reason: "challenge_failed" });
  answer = undefined;
  const connection = await peer.node.dial(multiaddr(loopbackAddress(refusing.port, refusing.peerId)));
  const stream = await connection.newStream(PARTNER_PROTOCOL);
  stream.send(encodeHeartbeat({ name: "peer", did: didOf("did:peer"), peerId: peer.peerId }, 0, "unix"));
  await eventually(() => inboundOf(refusing)?.proven === true);
  expect(refusing.learned).toEqual([[peer.peerId, { ...DIALECT, challenge: "passed" }]]);
});
