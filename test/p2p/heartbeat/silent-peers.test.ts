/** Peers that fall silent, as after SIGSTOP or on a dead link, and may come back. */

import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DesiredPeer, ObservedEvent } from "../../../src/events/types.ts";
import type { CloseRequest } from "../../../src/reconciler/ports.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import { startStopwatch } from "../../support/pace/pace.ts";
import type { TestPartnerHost } from "../../support/partner-host.ts";
import { eventually, loopbackAddress, startPartnerHost, startTestNode, timeoutSignal } from "../../support/partner-host.ts";
import { desiredPeer } from "../../support/peers.ts";
import type { TcpProxy } from "../../support/tcp-proxy.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

const PATIENCE_MS = 100;
const EXPIRED: CloseRequest = { direction: "outbound", reason: "expired", dropConnections: false };

describe("a host whose partner falls silent", () => {
  let owner: AsyncDisposableStack;
  let alice: TestPartnerHost;
  let bob: TestPartnerHost;
  let link: TcpProxy;
  let bobDesired: DesiredPeer;

  beforeEach(async () => {
    owner = new AsyncDisposableStack();
    alice = owner.use(await startPartnerHost(1));
    bob = owner.use(await startPartnerHost(2));
    link = owner.use(await startTcpProxy(bob.port));
    bobDesired = desiredPeer(bob.peerId, { address: loopbackAddress(link.port, bob.peerId) });
    await alice.streams.open(bobDesired, timeoutSignal(5_000), ATTEMPT);
    await eventually(() => bob.streams.actual(alice.peerId).inbound !== null);
  });

  afterEach(() => owner.disposeAsync());

  const renew = () => alice.streams.renew(bob.peerId, timeoutSignal(PATIENCE_MS));
  const open = () => alice.streams.open(bobDesired, timeoutSignal(PATIENCE_MS), ATTEMPT);
  const connections = () => alice.node.getConnections().filter((connection) => connection.status === "open");
  const reasons = (host: TestPartnerHost) =>
    host.events.map((event: ObservedEvent) => ("reason" in event ? event.reason : event.type));

  it("times out a renewal without moving the expiry or closing anything", async () => {
    const before = alice.streams.actual(bob.peerId).outbound?.expiresAtMs;
    link.pause();
    await expect(renew()).rejects.toMatchObject({ code: "timeout" });
    const after = alice.streams.actual(bob.peerId).outbound?.expiresAtMs ?? 0;
    expect(Math.abs(after - (before ?? 0))).toBeLessThan(1);
    expect(reasons(alice)).toEqual(["StreamOpened"]);
  });

  it("renews the same stream when answers resume", async () => {
    link.pause();
    await expect(renew()).rejects.toMatchObject({ code: "timeout" });
    await expect(renew()).rejects.toMatchObject({ code: "timeout" });
    link.resume();
    await renew();
    expect(reasons(alice)).toEqual(["StreamOpened"]);
    expect(connections()).toHaveLength(1);
  });

  it("keeps the silent connection as a canary, dials past it, and is woken by its late pong", async () => {
    link.pause();
    await expect(renew()).rejects.toMatchObject({ code: "timeout" });
    alice.streams.close(bob.peerId, EXPIRED);
    const [canary] = connections();
    expect(alice.streams.actual(bob.peerId)).toMatchObject({ outbound: null, connected: true, lastSignOfLifeMs: null });
    for (let tries = 0; tries < 3; tries++) await expect(open()).rejects.toMatchObject({ code: "timeout" });
    expect(connections()).toEqual([canary]);

    const wakes = alice.woken.length;
    link.resume();
    await eventually(() => alice.streams.actual(bob.peerId).lastSignOfLifeMs !== null);
    expect(alice.woken.length).toBeGreaterThan(wakes);
    await open();
    expect(connections()).toEqual([canary]);
    expect(reasons(alice)).toEqual(["StreamOpened", "expired", "StreamOpened"]);
  });

  it("drops the canary once a stream on another connection is established", async () => {
    link.pause();
    await expect(renew()).rejects.toMatchObject({ code: "timeout" });
    alice.streams.close(bob.peerId, EXPIRED);
    const [canary] = connections();
    const direct = desiredPeer(bob.peerId, { address: loopbackAddress(bob.port, bob.peerId) });
    await alice.streams.open(direct, timeoutSignal(5_000), ATTEMPT);
    expect(canary?.status).toBe("aborted");
    expect(connections()).toHaveLength(1);
  });

  it("keeps at most one canary", async () => {
    const back = owner.use(await startTcpProxy(alice.port));
    const older = connections();
    // A second node with Bob's key, because Bob itself would reuse the existing connection.
    const twin = owner.use(await startTestNode(2));
    await twin.node.dial(multiaddr(loopbackAddress(back.port, alice.peerId)));
    await eventually(() => connections().length === 2);
    link.pause();
    back.pause();
    await expect(renew()).rejects.toMatchObject({ code: "timeout" });
    alice.streams.close(bob.peerId, EXPIRED);
    await expect(open()).rejects.toMatchObject({ code: "timeout" });
    expect(connections()).toHaveLength(1);
    expect(connections()).not.toEqual(older);
  });

  it("drops the canary when the peer is revoked", async () => {
    link.pause();
    await expect(renew()).rejects.toMatchObject({ code: "timeout" });
    alice.streams.close(bob.peerId, { direction: "both", reason: "revoked", dropConnections: false });
    expect(connections()).toEqual([]);
  });

  it("does not reuse a connection that answered nothing, even with no ping in flight", async () => {
    alice.streams.close(bob.peerId, EXPIRED);
    const [trusted] = connections();
    link.pause();
    await expect(open()).rejects.toMatchObject({ code: "timeout" });
    expect(trusted?.status).toBe("open");
    const direct = desiredPeer(bob.peerId, { address: loopbackAddress(bob.port, bob.peerId) });
    await alice.streams.open(direct, timeoutSignal(5_000), ATTEMPT);
    expect(trusted?.status).toBe("aborted");
  });

  it("rejects a pending renewal as soon as the connection dies", async () => {
    link.pause();
    const renewal = alice.streams.renew(bob.peerId, timeoutSignal(60_000));
    link.drop();
    await expect(renewal).rejects.toMatchObject({ code: "stream_lost" });
    await eventually(() => alice.streams.actual(bob.peerId).outbound === null);
    expect(reasons(alice)).toEqual(["StreamOpened", "connection_lost"]);
  });

  it("does not report a refusal when an old connection dies under a new stream", async () => {
    alice.streams.close(bob.peerId, EXPIRED);
    link.pause();
    const opening = alice.streams.open(bobDesired, timeoutSignal(60_000), ATTEMPT);
    link.drop();
    await expect(opening).rejects.toMatchObject({ code: "stream_lost" });
  });

  it("stops within two seconds even if the peer does not answer, and reports the shutdown", async () => {
    link.pause();
    const stopwatch = startStopwatch();
    await alice[Symbol.asyncDispose]();
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(2_000);
    expect(reasons(alice)).toEqual(["StreamOpened", "shutdown"]);
    await expect(open()).rejects.toMatchObject({ code: "aborted" });
  });
});
