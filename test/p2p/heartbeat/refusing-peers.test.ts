/** How an open fails with peers that answer but do not act as partners. */

import type { Connection, Stream, StreamHandler } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { RemoteEnd } from "../../../src/base/errors.ts";
import { didOf } from "../../../src/base/ids.ts";
import type { DesiredPeer } from "../../../src/events/types.ts";
import { answerChallenge, answerPings } from "../../../src/p2p/heartbeat/echo.ts";
import { encodeHeartbeat } from "../../../src/p2p/wire/codec.ts";
import { PARTNER_PROTOCOL, PING_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import type { TestNode, TestPartnerHost } from "../../support/partner-host.ts";
import { eventually, loopbackAddress, startPartnerHost, startTestNode, timeoutSignal } from "../../support/partner-host.ts";
import { desiredPeer } from "../../support/peers.ts";

/** Never answers session pings on this connection. */
function neverPong(connection: Connection): void {
  (connection as unknown as { muxer: { handlePing: () => void } }).muxer.handlePing = () => {};
}

describe("opening to an unwilling peer", () => {
  let owner: AsyncDisposableStack;
  let host: TestPartnerHost;
  let peer: TestNode;
  let desired: DesiredPeer;

  beforeEach(async () => {
    owner = new AsyncDisposableStack();
    host = owner.use(await startPartnerHost(1));
    peer = owner.use(await startTestNode(2));
    desired = desiredPeer(peer.peerId, { address: loopbackAddress(peer.port, peer.peerId) });
  });

  afterEach(() => owner.disposeAsync());

  const open = (durationMs = 5_000) => host.streams.open(desired, timeoutSignal(durationMs), ATTEMPT);
  const answer = (handler: StreamHandler) => peer.node.handle(PARTNER_PROTOCOL, handler);

  /** Expects no registry entry, connection or report. */
  async function expectNothingLeft(): Promise<void> {
    expect(host.streams.peers()).toEqual([]);
    await eventually(() => host.streams.connectionCount() === 0);
    expect(host.events).toEqual([]);
  }

  it("reports that the protocol is not supported", async () => {
    await expect(open()).rejects.toMatchObject({ code: "protocol_unsupported" });
    await expectNothingLeft();
  });

  it.each<[string, RemoteEnd, (stream: Stream) => void]>([
    ["resets the stream", "reset", (stream) => stream.abort(new Error("no"))],
    ["closes the stream", "remote_closed", (stream) => void stream.close()],
    [
      "resets it on the first heartbeat",
      "reset",
      (stream) => stream.addEventListener("message", () => stream.abort(new Error("no"))),
    ],
  ])("is refused if the peer %s, with %s in its details", async (_, remoteEnd, handler) => {
    await answer(handler);
    await expect(open()).rejects.toMatchObject({ code: "refused", details: { remoteEnd } });
    await expectNothingLeft();
  });

  it("is refused if the peer denies the connection after the handshake", async () => {
    peer.setVerdict("blacklisted");
    await expect(open()).rejects.toMatchObject({ code: "refused" });
    await expectNothingLeft();
  });

  it("does not dial a peer that our own rule denies", async () => {
    host.setVerdict("blacklisted");
    const nobodyThere = { ...desired, address: loopbackAddress(1, peer.peerId) };
    await expect(host.streams.open(nobodyThere, timeoutSignal(5_000), ATTEMPT)).rejects.toMatchObject({ code: "refused" });
  });

  it("keeps a connection that it dialled if the peer has a stream on it", async () => {
    await peer.node.handle(PROBE_PROTOCOL, (stream) => answerChallenge(stream, systemClock, () => {}));
    peer.node.addEventListener("connection:open", ({ detail }) => neverPong(detail));
    await answer(async (stream, connection) => {
      const own = await connection.newStream(PARTNER_PROTOCOL);
      own.send(encodeHeartbeat({ name: "peer", did: didOf("did:peer"), peerId: peer.peerId }, 0, "unix"));
      await eventually(() => host.streams.actual(peer.peerId).inbound !== null);
      stream.abort(new Error("no"));
    });
    await expect(open()).rejects.toMatchObject({ code: "refused" });
    expect(host.streams.actual(peer.peerId)).toMatchObject({ outbound: null, connected: true });
    expect(host.streams.actual(peer.peerId).inbound).not.toBeNull();
  });

  it("closes a dialled connection that is no longer wanted", async () => {
    await host.node.dial(multiaddr(loopbackAddress(peer.port, peer.peerId))).catch(() => {});
    await eventually(() => host.streams.connectionCount() === 0 && peer.node.getConnections().length === 0);
  });

  it("discards data that the peer writes", async () => {
    await answer((stream) => {
      stream.addEventListener("message", () => {});
      for (let chunks = 0; chunks < 100; chunks++) stream.send(new Uint8Array(1_000));
    });
    await open();
    await host.streams.renew(peer.peerId, timeoutSignal(5_000));
    const buffered = host.node.getConnections().flatMap(({ streams }) => streams.map((stream) => stream.readBufferLength));
    expect(Math.max(...buffered)).toBe(0);
  });

  it("considers a stream established only after the peer has answered", async () => {
    await answer((stream) => stream.addEventListener("message", () => {}));
    peer.node.addEventListener("connection:open", ({ detail }) => neverPong(detail));
    await expect(open(200)).rejects.toMatchObject({ code: "timeout" });
    await expectNothingLeft();
  });

  it("gets its proof of life over a stream if the muxer has no ping", async () => {
    await answer((stream) => stream.addEventListener("message", () => {}));
    await peer.node.handle(PING_PROTOCOL, (stream) => answerPings(stream, systemClock, () => {}));
    host.node.addEventListener("connection:open", ({ detail }) => {
      (detail as unknown as { muxer: { ping?: unknown } }).muxer.ping = undefined;
    });
    await open();
    await host.streams.renew(peer.peerId, timeoutSignal(5_000));
    expect(host.streams.actual(peer.peerId).outbound).not.toBeNull();
  });

  it("starts a new dial when it opens again right after an aborted dial", async () => {
    await answer((stream) => stream.addEventListener("message", () => {}));
    for (let turns = 0; turns < 10; turns++) {
      const controller = new AbortController();
      const aborted = expect(host.streams.open(desired, controller.signal, ATTEMPT)).rejects.toMatchObject({ code: "aborted" });
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(new Error("changed my mind"));
      await open();
      await aborted;
      expect(host.events.filter(({ type }) => type === "StreamOpened")).toHaveLength(turns + 1);
      host.streams.close(peer.peerId, { direction: "both", reason: "revoked", dropConnections: true });
      await eventually(() => host.streams.connectionCount() === 0);
    }
  });
});
