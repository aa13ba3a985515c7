/** The contract of PartnerStreams, on the simulated network and on libp2p. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ErrorCode, RemoteEnd } from "../../src/base/errors.ts";
import { PartnerdError } from "../../src/base/errors.ts";
import type { Address, PeerId } from "../../src/base/ids.ts";
import type { CloseReason, DesiredPeer, Direction, ObservedEvent } from "../../src/events/types.ts";
import type { Host } from "../../src/p2p/host/host.ts";
import { PARTNER_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import type { CloseRequest, PartnerStreams, Verdict } from "../../src/reconciler/ports.ts";
import { ATTEMPT } from "../support/attempts.ts";

/** One of the two hosts under test. */
interface ContractSide {
  readonly peerId: PeerId;
  readonly streams: PartnerStreams;
  readonly node: Host;
  readonly events: readonly ObservedEvent[];
  readonly woken: readonly PeerId[];
  /** Sets its verdict on the other side; initially "ok". */
  setVerdict(verdict: Verdict): void;
}

export interface ContractHarness {
  readonly alice: ContractSide;
  readonly bob: ContractSide;
  /** Bob in Alice's desired state, and the other way round. */
  readonly bobDesired: DesiredPeer;
  readonly aliceDesired: DesiredPeer;
  /** An address that accepts connections and never sends anything. */
  readonly silentPeer: DesiredPeer;
  /** An address where nothing listens. */
  readonly absentPeer: DesiredPeer;
  /** Bob's address with another PeerID. */
  readonly impostor: DesiredPeer;
  monotonicMs(): number;
  /** Waits, or advances virtual time, until `condition` holds; throws if it does not within a few seconds. */
  eventually(condition: () => boolean): Promise<void>;
  /** A signal like those of the reconciler. */
  deadline(durationMs: number): AbortSignal;
  /** Bob half-closes the stream that Alice opened. */
  finishBobsEnd(): Promise<void>;
  /** Bob stops serving our protocols. */
  unhandleBob(): Promise<void>;
  /** Blocks all traffic between the two until it is released; then it arrives. */
  holdLink(): void;
  releaseLink(): void;
  /** Breaks all connections between the two without a goodbye. */
  dropConnections(): void;
  dispose(): Promise<void>;
}

/** Exceeds the error of converting an expiry between clocks. */
const LEAST_MOVE_MS = 10;
const REVOKED: CloseRequest = { direction: "both", reason: "revoked", dropConnections: false };

export function partnerStreamsContract(name: string, start: () => Promise<ContractHarness>): void {
  describe(`PartnerStreams: ${name}`, () => {
    let harness: ContractHarness;
    let alice: ContractSide;
    let bob: ContractSide;

    beforeEach(async () => {
      harness = await start();
      ({ alice, bob } = harness);
    });

    afterEach(() => harness.dispose());

    const outbound = () => alice.streams.actual(bob.peerId).outbound;
    const inbound = () => bob.streams.actual(alice.peerId).inbound;

    /** Awaits `work`, advancing virtual time if needed. */
    async function settle<Result>(work: Promise<Result>): Promise<Result> {
      let over = false;
      const watched = work.finally(() => {
        over = true;
      });
      watched.catch(() => {});
      await harness.eventually(() => over);
      return watched;
    }

    async function failureOf(work: Promise<void>): Promise<PartnerdError | undefined> {
      try {
        await settle(work);
        return undefined;
      } catch (error) {
        if (error instanceof PartnerdError) return error;
        throw error;
      }
    }

    const codeOf = async (work: Promise<void>): Promise<ErrorCode | "none"> => (await failureOf(work))?.code ?? "none";

    async function openBoth(): Promise<void> {
      await settle(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT));
      await harness.eventually(() => inbound() !== null);
    }

    const closesSeenBy = (side: ContractSide, direction: Direction): CloseReason[] =>
      side.events.flatMap((event) => (event.type === "StreamClosed" && event.direction === direction ? [event.reason] : []));

    const partnerStreamsAt = (side: ContractSide) =>
      side.node
        .getConnections()
        .flatMap(({ streams }) => streams)
        .filter(({ protocol, status }) => protocol === PARTNER_PROTOCOL && status === "open").length;

    const nothingLeft = () => alice.node.getConnections().length === 0 && bob.node.getConnections().length === 0;

    const opensSeenBy = (side: ContractSide, direction: Direction): number =>
      side.events.filter((event) => event.type === "StreamOpened" && event.direction === direction).length;

    it("opens a stream at both ends, and reports it once at each", async () => {
      await openBoth();
      const lease = outbound();
      expect(lease?.renewAtMs).toBeLessThan(lease?.expiresAtMs ?? 0);
      expect(lease?.expiresAtMs).toBeGreaterThan(harness.monotonicMs() + 5_000);
      expect(alice.streams.peers()).toEqual([bob.peerId]);
      expect(alice.streams.actual(bob.peerId)).toMatchObject({ inbound: null, connected: true });
      expect(bob.streams.actual(alice.peerId)).toMatchObject({ outbound: null, connected: true });
      expect([opensSeenBy(alice, "outbound"), opensSeenBy(bob, "inbound")]).toEqual([1, 1]);
      expect(alice.woken).toContain(bob.peerId);
      expect(bob.woken).toContain(alice.peerId);
    });

    it("treats an inbound stream as a sign of life", async () => {
      expect(bob.streams.actual(alice.peerId).lastSignOfLifeMs).toBeNull();
      await openBoth();
      expect(bob.streams.actual(alice.peerId).lastSignOfLifeMs).not.toBeNull();
    });

    it("times out on a peer that accepts and stays silent", async () => {
      const { silentPeer } = harness;
      expect(await codeOf(alice.streams.open(silentPeer, harness.deadline(300), ATTEMPT))).toBe("timeout");
      expect(alice.streams.actual(silentPeer.peerId)).toMatchObject({ outbound: null, connected: false });
      expect(alice.events).toEqual([]);
    });

    it("fails to dial an address without a listener", async () => {
      expect(await codeOf(alice.streams.open(harness.absentPeer, harness.deadline(5_000), ATTEMPT))).toBe("connection_refused");
    });

    it("rejects a different PeerID at the address", async () => {
      expect(await codeOf(alice.streams.open(harness.impostor, harness.deadline(5_000), ATTEMPT))).toBe("identity_mismatch");
      expect(alice.streams.peers()).toEqual([]);
      await harness.eventually(nothingLeft);
    });

    it("reports that a peer does not support the protocol, and keeps no connection to it", async () => {
      await harness.unhandleBob();
      expect(await codeOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT))).toBe("protocol_unsupported");
      await harness.eventually(nothingLeft);
    });

    it("requires an address", async () => {
      const nowhere = { ...harness.absentPeer, address: null };
      expect(await codeOf(alice.streams.open(nowhere, harness.deadline(5_000), ATTEMPT))).toBe("address_unsupported");
    });

    it("opens to a peer without an address over the connection that the peer has opened", async () => {
      await settle(bob.streams.open(harness.aliceDesired, harness.deadline(5_000), ATTEMPT));
      await harness.eventually(() => alice.streams.actual(bob.peerId).inbound !== null);
      for (const address of [null, `/ip4/192.0.2.1/udp/4001/quic-v1/p2p/${bob.peerId}` as Address]) {
        await settle(alice.streams.open({ ...harness.bobDesired, address }, harness.deadline(5_000), ATTEMPT));
        await harness.eventually(() => inbound() !== null);
        expect(alice.node.getConnections()).toHaveLength(1);
      }
    });

    it("refuses streams from peers that are not partners, and reports each attempt", async () => {
      bob.setVerdict("not_partner");
      for (let tries = 0; tries < 2; tries++) {
        const code = await codeOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT));
        expect(["none", "refused"]).toContain(code);
        await harness.eventually(() => outbound() === null);
      }
      await harness.eventually(() => bob.events.length > 1);
      const refusal = { type: "InboundRefused", peerId: alice.peerId, reason: "not_partner" };
      expect(bob.events).toMatchObject([refusal, refusal]);
      expect(bob.streams.actual(alice.peerId).lastSignOfLifeMs).toBeNull();
      expect(bob.woken).toEqual([]);
      expect(bob.streams.peers()).toEqual([]);
    });

    it("refuses even connections from blacklisted peers", async () => {
      bob.setVerdict("blacklisted");
      const code = await codeOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT));
      expect(code).toBe("refused");
      await harness.eventually(nothingLeft);
      expect(bob.streams.peers()).toEqual([]);
      expect(bob.events).toEqual([
        expect.objectContaining({ type: "InboundRefused", peerId: alice.peerId, reason: "blacklisted" }),
      ]);
    });

    it("renews at both ends", async () => {
      await openBoth();
      const before = [outbound()?.expiresAtMs ?? 0, inbound()?.expiresAtMs ?? 0] as const;
      const nowMs = harness.monotonicMs();
      await harness.eventually(() => harness.monotonicMs() > nowMs + 2 * LEAST_MOVE_MS);
      await settle(alice.streams.renew(bob.peerId, harness.deadline(5_000)));
      expect(outbound()?.expiresAtMs).toBeGreaterThan(before[0] + LEAST_MOVE_MS);
      await harness.eventually(() => (inbound()?.expiresAtMs ?? 0) > before[1] + LEAST_MOVE_MS);
      expect([alice.events.length, bob.events.length]).toEqual([1, 1]);
    });

    it("fails to renew without an open stream", async () => {
      expect(await failureOf(alice.streams.renew(bob.peerId, harness.deadline(5_000)))).toMatchObject({
        code: "stream_lost",
        details: { remoteEnd: undefined },
      });
      expect(alice.streams.actual(bob.peerId).lastOutboundClose).toBeNull();
    });

    it.each<[RemoteEnd, () => unknown]>([
      ["reset", () => bob.streams.close(alice.peerId, { direction: "inbound", reason: "expired", dropConnections: false })],
      ["remote_closed", () => harness.finishBobsEnd()],
      ["connection_lost", () => harness.dropConnections()],
    ])("says how a stream ended if it is renewed too late: %s", async (remoteEnd, end) => {
      await openBoth();
      end();
      await harness.eventually(() => outbound() === null);
      expect(alice.streams.actual(bob.peerId).lastOutboundClose).toBe(remoteEnd);
      const failure = await failureOf(alice.streams.renew(bob.peerId, harness.deadline(5_000)));
      expect(failure).toMatchObject({ code: "stream_lost", details: { remoteEnd } });
    });

    it("says that a stream was reset while it was being renewed", async () => {
      await openBoth();
      harness.holdLink();
      const renewing = failureOf(alice.streams.renew(bob.peerId, harness.deadline(5_000)));
      bob.streams.close(alice.peerId, { direction: "inbound", reason: "expired", dropConnections: false });
      harness.releaseLink();
      expect(await renewing).toMatchObject({ code: "stream_lost", details: { remoteEnd: "reset" } });
    });

    it("does not blame the peer for a fault of our own", async () => {
      const fault = new TypeError("a bug of ours");
      alice.node.dial = () => Promise.reject(fault);
      expect(await failureOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT))).toMatchObject({
        code: "internal_error",
        cause: fault,
      });
      expect(alice.events).toEqual([]);
    });

    it("closes a stream at once, and the other end follows", async () => {
      await openBoth();
      alice.streams.close(bob.peerId, REVOKED);
      expect(alice.streams.peers()).toEqual([]);
      expect(closesSeenBy(alice, "outbound")).toEqual(["revoked"]);
      await harness.eventually(() => inbound() === null);
      expect(closesSeenBy(bob, "inbound")).toHaveLength(1);
      await harness.eventually(() => !alice.streams.actual(bob.peerId).connected);
      expect(closesSeenBy(alice, "outbound")).toEqual(["revoked"]);
    });

    it("closes one direction and keeps the other", async () => {
      await openBoth();
      await settle(bob.streams.open(harness.aliceDesired, harness.deadline(5_000), ATTEMPT));
      await harness.eventually(() => alice.streams.actual(bob.peerId).inbound !== null);
      alice.streams.close(bob.peerId, { direction: "inbound", reason: "expired", dropConnections: false });
      expect(alice.streams.actual(bob.peerId)).toMatchObject({ inbound: null });
      await harness.eventually(() => bob.streams.actual(alice.peerId).outbound === null);
      await settle(alice.streams.renew(bob.peerId, harness.deadline(5_000)));
      expect(outbound()).not.toBeNull();
    });

    it("also drops the connections on request", async () => {
      await openBoth();
      bob.streams.close(alice.peerId, { direction: "both", reason: "revoked", dropConnections: true });
      await harness.eventually(() => !alice.streams.actual(bob.peerId).connected && !bob.streams.actual(alice.peerId).connected);
      expect(closesSeenBy(alice, "outbound")).toHaveLength(1);
      expect(closesSeenBy(bob, "inbound")).toEqual(["revoked"]);
    });

    it("registers no stream that is no longer current, although its signal is not aborted", async () => {
      const outdated = { ...ATTEMPT, isCurrent: () => false };
      expect(await codeOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), outdated))).toBe("aborted");
      expect(alice.streams.actual(bob.peerId).outbound).toBeNull();
      expect(opensSeenBy(alice, "outbound")).toBe(0);
    });

    it("settles an open at once when its signal aborts, and never registers its stream", async () => {
      for (const delayMs of [0, 1, 3, 10]) {
        const controller = new AbortController();
        let wasOver = false;
        const opening = alice.streams
          .open(harness.bobDesired, controller.signal, ATTEMPT)
          .then(
            () => "none",
            (error: unknown) => (error instanceof PartnerdError ? error.code : error),
          )
          .finally(() => {
            wasOver = true;
          });
        const fromMs = harness.monotonicMs();
        if (delayMs > 0) await harness.eventually(() => harness.monotonicMs() >= fromMs + delayMs);
        const cameTooLate = wasOver;
        controller.abort(new PartnerdError("aborted", "no longer wanted"));
        const outcome = await opening;
        if (outcome === "none") alice.streams.close(bob.peerId, REVOKED);
        // On a busy machine the open may already have ended, possibly on a connection that was closing.
        else if (!cameTooLate) expect(outcome).toBe("aborted");
      }
      // Once Bob's own stream is open, anything still in flight from Alice has arrived.
      // Bob may hit connections that Alice is just closing, so retry.
      while ((await codeOf(bob.streams.open(harness.aliceDesired, harness.deadline(5_000), ATTEMPT))) !== "none");
      await harness.eventually(() => alice.streams.actual(bob.peerId).inbound !== null && inbound() === null);
      expect(outbound()).toBeNull();
      expect(opensSeenBy(alice, "outbound")).toBe(closesSeenBy(alice, "outbound").length);
    });

    it.each([0, 1, 3, 10, 20, 40])("leaves nothing behind when an open is aborted after %i ms", async (delayMs) => {
      const controller = new AbortController();
      const opening = codeOf(alice.streams.open(harness.bobDesired, controller.signal, ATTEMPT));
      const fromMs = harness.monotonicMs();
      if (delayMs > 0) await harness.eventually(() => harness.monotonicMs() >= fromMs + delayMs);
      controller.abort(new PartnerdError("aborted", "no longer wanted"));
      if ((await opening) === "none") alice.streams.close(bob.peerId, REVOKED);
      await harness.eventually(nothingLeft);
      expect([alice.streams.peers(), bob.streams.peers()]).toEqual([[], []]);
    });

    it("lets a newer open take over from an older one", async () => {
      const older = codeOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT));
      const newer = codeOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT));
      expect([await older, await newer]).toEqual(["aborted", "none"]);
      await harness.eventually(() => inbound() !== null && partnerStreamsAt(bob) === 1);
      expect(partnerStreamsAt(alice)).toBe(1);
      expect(opensSeenBy(alice, "outbound")).toBe(1);
    });

    it("gets no proof of life while traffic is blocked, and is woken by the late one", async () => {
      await openBoth();
      const wakes = alice.woken.length;
      harness.holdLink();
      expect(await codeOf(alice.streams.renew(bob.peerId, harness.deadline(200)))).toBe("timeout");
      expect(outbound()).not.toBeNull();
      harness.releaseLink();
      await harness.eventually(() => alice.woken.length > wakes);
      expect(alice.streams.actual(bob.peerId).lastSignOfLifeMs).not.toBeNull();
      await settle(alice.streams.renew(bob.peerId, harness.deadline(5_000)));
    });

    it("opens on a new connection if the old one is silent", async () => {
      await openBoth();
      const [silent] = alice.node.getConnections();
      harness.holdLink();
      expect(await codeOf(alice.streams.renew(bob.peerId, harness.deadline(200)))).toBe("timeout");
      alice.streams.close(bob.peerId, { direction: "outbound", reason: "expired", dropConnections: false });
      const opening = codeOf(alice.streams.open(harness.bobDesired, harness.deadline(10_000), ATTEMPT));
      const signal = harness.deadline(50);
      await harness.eventually(() => signal.aborted);
      harness.releaseLink();
      expect(await opening).toBe("none");
      await harness.eventually(() => partnerStreamsAt(bob) === 1 && inbound() !== null);
      expect(partnerStreamsAt(alice)).toBe(1);
      expect(silent?.streams.filter(({ protocol, status }) => protocol === PARTNER_PROTOCOL && status === "open")).toEqual([]);
    });

    it("cancels an open in progress when told to close", async () => {
      const opening = codeOf(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT));
      alice.streams.close(bob.peerId, REVOKED);
      expect(await opening).toBe("aborted");
      expect(alice.events).toEqual([]);
    });

    it("treats the far end's FIN as the end of the stream", async () => {
      await openBoth();
      await harness.finishBobsEnd();
      await harness.eventually(() => outbound() === null);
      expect(closesSeenBy(alice, "outbound")).toEqual(["remote_closed"]);
    });

    it("notices a reset", async () => {
      await openBoth();
      bob.streams.close(alice.peerId, { direction: "inbound", reason: "expired", dropConnections: false });
      await harness.eventually(() => outbound() === null);
      expect(closesSeenBy(alice, "outbound")).toEqual(["reset"]);
      expect(closesSeenBy(bob, "inbound")).toEqual(["expired"]);
    });

    it("notices a lost connection once at each end", async () => {
      await openBoth();
      const wakes = alice.woken.length;
      harness.dropConnections();
      await harness.eventually(() => outbound() === null && inbound() === null);
      expect(closesSeenBy(alice, "outbound")).toEqual(["connection_lost"]);
      expect(closesSeenBy(bob, "inbound")).toEqual(["connection_lost"]);
      expect(alice.woken.length).toBeGreaterThan(wakes);
      expect(await codeOf(alice.streams.renew(bob.peerId, harness.deadline(5_000)))).toBe("stream_lost");
    });

    it("reopens after a loss", async () => {
      await openBoth();
      harness.dropConnections();
      await harness.eventually(() => outbound() === null && inbound() === null);
      await openBoth();
      expect(opensSeenBy(alice, "outbound")).toBe(2);
    });

    it("fills both slots at both ends when both open at the same time", async () => {
      const deadline = harness.deadline(5_000);
      await settle(
        Promise.all([
          alice.streams.open(harness.bobDesired, deadline, ATTEMPT),
          bob.streams.open(harness.aliceDesired, deadline, ATTEMPT),
        ]),
      );
      await harness.eventually(() => inbound() !== null && alice.streams.actual(bob.peerId).inbound !== null);
      expect(outbound()).not.toBeNull();
      expect(bob.streams.actual(alice.peerId).outbound).not.toBeNull();
      expect([...alice.events, ...bob.events].map((event) => event.type)).toEqual(Array(4).fill("StreamOpened"));
    });

    it("replaces an older stream with a newer one", async () => {
      await openBoth();
      await settle(alice.streams.open(harness.bobDesired, harness.deadline(5_000), ATTEMPT));
      await harness.eventually(() => opensSeenBy(bob, "inbound") === 2);
      expect(closesSeenBy(alice, "outbound")).toEqual(["replaced"]);
      expect(closesSeenBy(bob, "inbound")).toHaveLength(1);
      expect(outbound()).not.toBeNull();
      expect(inbound()).not.toBeNull();
      await settle(alice.streams.renew(bob.peerId, harness.deadline(5_000)));
      expect([partnerStreamsAt(alice), partnerStreamsAt(bob)]).toEqual([1, 1]);
    });
  });
}
