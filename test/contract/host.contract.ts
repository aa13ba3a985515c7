/** The host behaviour that the partner protocol relies on; js-libp2p and the simulated network must both have it. */

import type { Multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../src/base/ids.ts";
import { abortError, dialError, streamError } from "../../src/p2p/heartbeat/open-errors.ts";
import { peerIdOf } from "../../src/p2p/host/connection-index.ts";
import type { Host, HostConnection, HostStream } from "../../src/p2p/host/host.ts";
import type { Verdict } from "../../src/reconciler/ports.ts";

interface HostSide {
  readonly node: Host;
  readonly peerId: PeerId;
  /** Sets the gater's verdict; initially "ok". */
  setVerdict(verdict: Verdict): void;
}

/** Two hosts that do not serve any of our protocols yet. */
export interface HostHarness {
  readonly alice: HostSide;
  readonly bob: HostSide;
  readonly bobsTarget: Multiaddr;
  /** Nothing listens there. */
  readonly absentTarget: Multiaddr;
  /** Bob's address with another PeerID. */
  readonly impostorTarget: Multiaddr;
  /** Blocks all traffic between the two until it is released. */
  holdLink(): void;
  releaseLink(): void;
  eventually(condition: () => boolean): Promise<void>;
  deadline(durationMs: number): AbortSignal;
  dispose(): Promise<void>;
}

const PROTOCOL = "/test/1";
const CHUNK_BYTES = 32 * 1024;
/** Exceeds every buffer on the path. */
const MOST_CHUNKS = 1_024;

export function hostContract(name: string, start: () => Promise<HostHarness>): void {
  describe(`Host: ${name}`, () => {
    let harness: HostHarness;
    let alice: HostSide;
    let bob: HostSide;
    /** Streams that Bob accepted. */
    let accepted: HostStream[];

    beforeEach(async () => {
      harness = await start();
      ({ alice, bob } = harness);
      accepted = [];
    });

    afterEach(() => harness.dispose());

    async function settle<Result>(work: Promise<Result>): Promise<Result> {
      let over = false;
      const watched = work.finally(() => {
        over = true;
      });
      watched.catch(() => {});
      await harness.eventually(() => over);
      return watched;
    }

    const failureOf = (work: Promise<unknown>): Promise<unknown> =>
      settle(
        work.then(
          () => expect.unreachable("it did not fail"),
          (error: unknown) => error,
        ),
      );

    const dial = (target = harness.bobsTarget, signal = harness.deadline(5_000)) =>
      alice.node.dial(target, { force: true, signal });

    const serve = (maxStreams = 4) =>
      bob.node.handle(PROTOCOL, (stream) => void accepted.push(stream), {
        maxInboundStreams: maxStreams,
        maxOutboundStreams: maxStreams,
      });

    const newStream = (connection: HostConnection) => connection.newStream(PROTOCOL, { signal: harness.deadline(5_000) });

    /** Opens a stream and returns both ends. */
    async function openStream(): Promise<{
      readonly connection: HostConnection;
      readonly near: HostStream;
      readonly far: HostStream;
    }> {
      await serve();
      const connection = await settle(dial());
      const near = await settle(newStream(connection));
      await harness.eventually(() => accepted.length === 1);
      const [far] = accepted;
      if (far === undefined) throw new Error("no stream");
      return { connection, near, far };
    }

    /** Records everything that reaches this end, in order. */
    function record(stream: HostStream): { bytes: number; readonly happened: string[] } {
      const seen = { bytes: 0, happened: [] as string[] };
      stream.addEventListener("message", ({ data }) => {
        seen.bytes += data.subarray().length;
      });
      stream.addEventListener("remoteCloseWrite", () => seen.happened.push("remoteCloseWrite"));
      stream.addEventListener("close", ({ error }) => seen.happened.push(error === undefined ? "close" : "close with error"));
      return seen;
    }

    const noneLeft = () => alice.node.getConnections().length === 0 && bob.node.getConnections().length === 0;

    it("connects both ends, and tells each the other's PeerID", async () => {
      const met: string[] = [];
      for (const side of [alice, bob]) {
        side.node.addEventListener("connection:open", ({ detail }) => {
          met.push(
            `${side === alice ? "alice" : "bob"} ${detail.direction} ${peerIdOf(detail.remotePeer) === alice.peerId ? "alice" : "bob"}`,
          );
        });
      }
      const connection = await settle(dial());
      expect(connection).toMatchObject({ status: "open", direction: "outbound" });
      expect(peerIdOf(connection.remotePeer)).toBe(bob.peerId);
      await harness.eventually(() => met.length === 2);
      expect(met.toSorted()).toEqual(["alice outbound bob", "bob inbound alice"]);
      expect(alice.node.getConnections()).toEqual([connection]);
    });

    it("opens a new connection for every dial, unless one is in progress", async () => {
      const [first, joined] = await settle(Promise.all([dial(), dial()]));
      expect(joined).toBe(first);
      expect(await settle(dial())).not.toBe(first);
    });

    it("leaves no connection behind when a dial fails", async () => {
      expect(dialError(await failureOf(dial(harness.absentTarget))).code).toBe("connection_refused");
      expect(dialError(await failureOf(dial(harness.impostorTarget))).code).toBe("identity_mismatch");
      await harness.eventually(noneLeft);
    });

    it.each([0, 1, 4, 12])("leaves no connection behind when a dial is aborted after %i ms", async (delayMs) => {
      const controller = new AbortController();
      const dialling = dial(harness.bobsTarget, controller.signal);
      const over = harness.deadline(delayMs);
      await harness.eventually(() => delayMs === 0 || over.aborted);
      controller.abort();
      const outcome = await settle(dialling.catch((error: unknown) => error));
      if (outcome instanceof Error) expect(outcome.name).toBe("AbortError");
      for (const connection of alice.node.getConnections()) connection.abort(new Error("not needed"));
      alice.node.addEventListener("connection:open", ({ detail }) => detail.abort(new Error("no one is waiting")));
      await harness.eventually(noneLeft);
    });

    it("does not dial a peer that its own gater denies", async () => {
      alice.setVerdict("blacklisted");
      expect(dialError(await failureOf(dial())).code).toBe("refused");
    });

    it("lets the dial resolve if the far end's gater denies us, then ends the connection", async () => {
      bob.setVerdict("blacklisted");
      const outcome = await settle(dial().catch((error: unknown) => error));
      if (outcome instanceof Error) expect(dialError(outcome).code).toBe("refused");
      await harness.eventually(noneLeft);
    });

    it("reports a protocol that the far end does not support, and leaves no stream open", async () => {
      const connection = await settle(dial());
      expect(streamError(await failureOf(newStream(connection)), PROTOCOL, connection, undefined).code).toBe(
        "protocol_unsupported",
      );
      expect(connection.status).toBe("open");
      await harness.eventually(() => connection.streams.length === 0);
    });

    it("abandons a stream that is not negotiated in time", async () => {
      await serve();
      const connection = await settle(dial());
      harness.holdLink();
      const signal = harness.deadline(100);
      await failureOf(connection.newStream(PROTOCOL, { signal }));
      expect(abortError(signal).code).toBe("timeout");
      expect(connection.streams.filter(({ status }) => status === "open")).toEqual([]);
      harness.releaseLink();
      const later = await settle(newStream(connection));
      await harness.eventually(() => accepted.filter(({ status }) => status === "open").length === 1);
      expect(later.status).toBe("open");
    });

    it("names the protocol of a stream at both ends", async () => {
      const { connection, near, far } = await openStream();
      expect(near).toMatchObject({ protocol: PROTOCOL, direction: "outbound", status: "open" });
      expect(far).toMatchObject({ protocol: PROTOCOL, direction: "inbound", status: "open" });
      expect(connection.streams).toEqual([near]);
    });

    it("resets streams above the limit for their protocol", async () => {
      await serve(2);
      const connection = await settle(dial());
      const streams = [await settle(newStream(connection)), await settle(newStream(connection))];
      const surplus = await settle(newStream(connection));
      await harness.eventually(() => surplus.status !== "open");
      expect(streams.map(({ status }) => status)).toEqual(["open", "open"]);
      expect(accepted).toHaveLength(2);
    });

    it("buffers data that arrives before there is a listener, in order", async () => {
      const { near, far } = await openStream();
      near.send(Uint8Array.of(1));
      near.send(Uint8Array.of(2, 3));
      await settle(near.close({ signal: harness.deadline(5_000) }));
      await harness.eventually(() => far.remoteWriteStatus === "closed");
      const received: number[] = [];
      far.addEventListener("message", ({ data }) => received.push(...data.subarray()));
      await harness.eventually(() => received.length === 3);
      expect(received).toEqual([1, 2, 3]);
    });

    it("half-closes: the other half stays open until it is also closed", async () => {
      const { near, far } = await openStream();
      const [seenNear, seenFar] = [record(near), record(far)];
      await settle(near.close({ signal: harness.deadline(5_000) }));
      await harness.eventually(() => seenFar.happened.length === 1);
      expect(seenFar.happened).toEqual(["remoteCloseWrite"]);
      expect([near.status, far.status]).toEqual(["open", "open"]);
      expect(() => near.send(Uint8Array.of(1))).toThrow();
      far.send(Uint8Array.of(1));
      await settle(far.close({ signal: harness.deadline(5_000) }));
      await harness.eventually(() => near.status === "closed" && far.status === "closed");
      expect(seenNear).toEqual({ bytes: 1, happened: ["remoteCloseWrite", "close"] });
      expect(seenFar.happened).toEqual(["remoteCloseWrite", "close"]);
    });

    it("resets both halves at both ends", async () => {
      const { connection, near, far } = await openStream();
      const [seenNear, seenFar] = [record(near), record(far)];
      near.abort(new Error("enough"));
      expect([near.status, seenNear.happened]).toEqual(["aborted", ["close with error"]]);
      expect(connection.streams).toEqual([]);
      expect(() => near.send(Uint8Array.of(1))).toThrow();
      await harness.eventually(() => far.status === "reset");
      expect(seenFar.happened).toEqual(["close with error"]);
      expect(connection.status).toBe("open");
      near.abort(new Error("again"));
      expect(seenNear.happened).toHaveLength(1);
    });

    it("signals back pressure when data is not read and when to resume, without losing data", async () => {
      const { near, far } = await openStream();
      const seen = record(far);
      let drains = 0;
      near.addEventListener("drain", () => drains++);
      harness.holdLink();
      let chunks = 1;
      while (near.send(new Uint8Array(CHUNK_BYTES)) && chunks < MOST_CHUNKS) chunks++;
      expect(chunks).toBeLessThan(MOST_CHUNKS);
      expect(drains).toBe(0);
      harness.releaseLink();
      await harness.eventually(() => seen.bytes === chunks * CHUNK_BYTES);
      await harness.eventually(() => drains > 0);
      expect(near.send(Uint8Array.of(1))).toBe(true);
    });

    it("ends the streams of a connection that is cut, and tells both ends", async () => {
      const { connection, near, far } = await openStream();
      const seenNear = record(near);
      const closed: PeerId[] = [];
      for (const { node } of [alice, bob]) {
        node.addEventListener("connection:close", ({ detail }) => closed.push(peerIdOf(detail.remotePeer)));
      }
      connection.abort(new Error("enough"));
      expect(connection.status).not.toBe("open");
      expect(near.status).not.toBe("open");
      expect(seenNear.happened).toHaveLength(1);
      await harness.eventually(() => far.status !== "open" && closed.length === 2);
      expect(closed.toSorted()).toEqual([alice.peerId, bob.peerId].toSorted());
      await failureOf(newStream(connection));
    });

    it("closes a connection in agreement with the far end", async () => {
      const { connection, far } = await openStream();
      const seenFar = record(far);
      await settle(connection.close({ signal: harness.deadline(5_000) }));
      await harness.eventually(noneLeft);
      await harness.eventually(() => far.status !== "open");
      expect(seenFar.happened).toContain("close");
    });

    it("answers a ping, but not while traffic is blocked", async () => {
      const connection = await settle(dial());
      const { muxer } = connection;
      if (muxer?.ping === undefined) throw new Error("this host cannot ping");
      await settle(muxer.ping());
      harness.holdLink();
      let late = false;
      const pong = muxer.ping().then(() => {
        late = true;
      });
      const signal = harness.deadline(100);
      await harness.eventually(() => signal.aborted);
      expect(late).toBe(false);
      harness.releaseLink();
      await settle(pong);
    });

    it("never answers a ping on a connection that is then cut", async () => {
      const connection = await settle(dial());
      harness.holdLink();
      let settled = false;
      const onSettled = () => {
        settled = true;
      };
      connection.muxer?.ping?.().then(onSettled, onSettled);
      connection.abort(new Error("enough"));
      harness.releaseLink();
      const signal = harness.deadline(100);
      await harness.eventually(() => signal.aborted);
      expect(settled).toBe(false);
    });
  });
}
