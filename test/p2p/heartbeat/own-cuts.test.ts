/** A far end that exceeds a limit has its connection cut by us: what is said of our stream names the limit. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PartnerdError } from "../../../src/base/errors.ts";
import { PARTNER_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import {
  eventually,
  loopbackAddress,
  openDoor,
  startPartnerHost,
  startTestNode,
  type TestNode,
  type TestPartnerHost,
  timeoutSignal,
} from "../../support/partner-host.ts";
import { desiredPeer } from "../../support/peers.ts";
import { floodWithStreams } from "../../support/stream-flood.ts";

let owner: AsyncDisposableStack;
let host: TestPartnerHost;
let peer: TestNode;
let cuts: string[];

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  cuts = [];
  host = owner.use(await startPartnerHost(1, {}, openDoor({ onCut: ({ code }: PartnerdError) => cuts.push(code) })));
  peer = owner.use(await startTestNode(2));
  await peer.node.handle(PARTNER_PROTOCOL, (stream) => stream.addEventListener("message", () => {}));
});
afterEach(() => owner.disposeAsync());

const open = (graceMs = 0) => {
  const address = loopbackAddress(peer.port, peer.peerId);
  return host.streams.open(desiredPeer(peer.peerId, { address }), timeoutSignal(10_000), { ...ATTEMPT, graceMs });
};
const flooded = {
  code: "flooded",
  message: expect.stringMatching(/^this side cut the connection, .*: more than 32 stream openings at once/) as string,
};

describe("an open fails with the limit", () => {
  it("if the far end floods the connection at once", async () => {
    peer.node.addEventListener("connection:open", ({ detail }) => void floodWithStreams(detail));
    await expect(open(5_000)).rejects.toMatchObject(flooded);
    expect(cuts).toEqual(["flooded"]);
  });

  it("if it floods while the stream is on probation", async () => {
    await peer.node.unhandle(PARTNER_PROTOCOL);
    await peer.node.handle(PARTNER_PROTOCOL, (stream, connection) =>
      stream.addEventListener("message", () => void floodWithStreams(connection)),
    );
    await expect(open(5_000)).rejects.toMatchObject(flooded);
  });
});

it("an established stream closes with the limit as its reason", async () => {
  await open();
  const [connection] = peer.node.getConnections();
  if (connection === undefined) throw new Error("no connection");
  await floodWithStreams(connection);
  await eventually(() => host.events.some(({ type }) => type === "StreamClosed"));
  expect(host.events.at(-1)).toMatchObject({ type: "StreamClosed", direction: "outbound", reason: "flooded" });
});
