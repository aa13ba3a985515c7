/** Asking real hosts which program they run. */
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MAX_LEARNED_PROTOCOLS, MAX_LEARNED_TEXT } from "../../../src/events/learned/learned-facts.ts";
import type { HostStream } from "../../../src/p2p/host/host.ts";
import { identify } from "../../../src/p2p/identify/identify.ts";
import { IDENTIFY_PROTOCOL, MAX_IDENTIFY_BYTES, PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { FakeStream, fakeConnection } from "../../support/fake-stream.ts";
import { identifyMessage } from "../../support/identify-message.ts";
import {
  eventually,
  loopbackAddress,
  startPartnerHost,
  startTestNode,
  type TestNode,
  type TestPartnerHost,
} from "../../support/partner-host.ts";

let owner: AsyncDisposableStack;
let host: TestPartnerHost;
let peer: TestNode;

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  host = owner.use(await startPartnerHost(1));
  peer = owner.use(await startTestNode(2));
});
afterEach(() => owner.disposeAsync());

async function connect({ node, peerId }: TestNode): Promise<void> {
  await node.dial(multiaddr(loopbackAddress(host.port, host.peerId)));
  await eventually(() => host.streams.actual(peerId).connected);
}

const never = () => new AbortController().signal;

/** Replaces the peer's identify, connects it to the host, and lets the host ask it. */
async function asked(answer: (send: (bytes: Uint8Array) => void, end: () => void) => void, signal = never()) {
  await peer.node.unhandle(IDENTIFY_PROTOCOL);
  await peer.node.handle(IDENTIFY_PROTOCOL, (stream) => {
    answer(
      (bytes) => {
        if (stream.status === "open") stream.send(bytes);
      },
      () => void stream.close().catch(() => {}),
    );
  });
  await connect(peer);
  return host.streams.identify(peer.peerId, signal);
}

it("a host names its software and its protocols, and we keep nothing else", async () => {
  for (const protocol of [PARTNER_PROTOCOL, PROBE_PROTOCOL]) await peer.node.handle(protocol, () => {});
  await connect(peer);
  const program = await host.streams.identify(peer.peerId, never());
  expect(program).toEqual({
    agent: expect.stringMatching(/^oc-partnerd\/0\.0\.0/) as string,
    protocolVersion: "ipfs/0.1.0",
    protocols: [IDENTIFY_PROTOCOL, PARTNER_PROTOCOL, PROBE_PROTOCOL].toSorted(),
    protocolsOmitted: 0,
  });
  // The stream is over: libp2p allows one at a time.
  await expect(host.streams.identify(peer.peerId, never())).resolves.toEqual(program);
  expect(await host.node.peerStore.all()).toHaveLength(1);
});

it("a hostile answer is cut: control characters, 10 KiB of agent, 10,000 protocols", async () => {
  const protocols = Array.from({ length: 10_000 }, (_, index) => index.toString(36));
  const agent = "\u001b]0;owned\u0007\u202e\u0000".repeat(800);
  const program = await asked((send, end) => {
    // In pieces, since libp2p bounds what waits.
    const bytes = identifyMessage({ agent, version: "\n".repeat(1_024), protocols });
    expect(bytes.length).toBeLessThan(MAX_IDENTIFY_BYTES);
    for (let at = 0; at < bytes.length; at += 8_192) send(bytes.subarray(at, at + 8_192));
    end();
  });
  expect(program.agent).toBe(agent.replaceAll("\0", "\ufffd").slice(0, MAX_LEARNED_TEXT));
  expect(program.protocolVersion).toBe("\n".repeat(MAX_LEARNED_TEXT));
  expect([program.protocols?.length, program.protocolsOmitted]).toEqual([MAX_LEARNED_PROTOCOLS, 10_000 - MAX_LEARNED_PROTOCOLS]);
});

it("an answer of more than 64 KiB is cut off, and costs the stream only", async () => {
  await expect(
    asked((send) => {
      for (let sent = 0; sent <= MAX_IDENTIFY_BYTES; sent += 8_192) send(new Uint8Array(8_192).fill(1));
    }),
  ).rejects.toMatchObject({ code: "identify_malformed" });
  expect(host.streams.connectionCount()).toBe(1);
  expect(host.events).toEqual([]);
});

it("a far end that says nothing is given up after 5 s", async () => {
  await expect(asked(() => {})).rejects.toMatchObject({ code: "timeout" });
});

it("a far end without identify rejects at once, and so does one without a connection", async () => {
  await peer.node.unhandle(IDENTIFY_PROTOCOL);
  await expect(host.streams.identify(peer.peerId, never())).rejects.toMatchObject({ code: "stream_lost" });
  await connect(peer);
  await expect(host.streams.identify(peer.peerId, never())).rejects.toMatchObject({ name: "UnsupportedProtocolError" });
});

it("an abort ends the wait, with its reason", async () => {
  const controller = new AbortController();
  const asking = asked(() => controller.abort(new Error("enough")), controller.signal);
  await expect(asking).rejects.toThrow("enough");
});

it("a stream that opens after the abort is reset", async () => {
  const opening = Promise.withResolvers<HostStream>();
  const controller = new AbortController();
  const asking = identify(fakeConnection({ newStream: () => opening.promise }), new VirtualClock(), controller.signal);
  controller.abort(new Error("enough"));
  await expect(asking).rejects.toThrow("enough");
  const late = new FakeStream();
  opening.resolve(late.asStream());
  await new Promise(setImmediate);
  expect(late.aborts).toMatchObject([{ code: "aborted" }]);
});
