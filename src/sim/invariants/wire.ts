/** What stands on the wire is what the registry says and the log wants: nothing more, nothing that lingers, nothing killed in health. */
import type { DesiredPeer } from "../../events/types.ts";
import type { PeerId } from "../../ids.ts";
import { PARTNER_PROTOCOL } from "../../p2p/constants.ts";
import type { Logged } from "../../store/logged.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** DESIGN: no stream to a peer that is not desired outlives a second. */
const UNDESIRED_MS = 1_000;
/** Where wakes get lost, the periodic diff (every 5 s ± 20 %) has to find it. */
const DIFF_MS = 7_000;
/** A lease, the longest time between two heartbeats, and the round trips. */
const HEALTHY_FOR_MS = 15_000;

export function wire(scene: Scene): Invariant {
  return {
    started(daemon) {
      for (const peer of daemon.store.list()) if (peer.standing !== "partner") mustBeGone(peer);
    },
    logged(logged) {
      const { event } = logged;
      switch (event.type) {
        case "PeerDesired":
        case "PeerRemoved":
          for (const peerId of [event.peerId, logged.supersededPeerId]) {
            const peer = peerId === null ? undefined : scene.daemon?.store.get(peerId);
            if (peer !== undefined && peer.standing !== "partner") mustBeGone(peer);
          }
          break;
        case "StreamOpened":
          opened(event.peerId, event.direction);
          break;
        case "StreamClosed":
          if (event.reason === "expired") expired(logged, event.peerId);
          break;
        case "EventRejected":
        case "OpenFailed":
        case "InboundRefused":
          break;
      }
    },
    stepped() {
      if (scene.daemon !== undefined) everyStreamIsOwned();
    },
  };

  /** From now on, until the log says otherwise: at its deadline, and at every later one that a newer event sets. */
  function mustBeGone(peer: DesiredPeer): void {
    scene.within(scene.wakesAreSafe ? UNDESIRED_MS : DIFF_MS, "undesired-streams-close", () => {
      const { daemon } = scene;
      const now = daemon?.store.get(peer.peerId);
      if (daemon === undefined || now === undefined || now.generation !== peer.generation) return undefined;
      const { outbound, inbound, connected } = daemon.streams.actual(peer.peerId);
      if (outbound !== null) return `an outbound stream to ${peer.peerId} stands although it is ${now.relation}`;
      if (inbound !== null) return `an inbound stream of ${peer.peerId} stands although it is ${now.relation}`;
      if (now.standing === "blacklisted" && connected) return `${peer.peerId} is blacklisted and connected`;
      return undefined;
    });
  }

  function opened(peerId: PeerId, direction: string): void {
    const desired = scene.daemon?.store.get(peerId);
    if (direction === "outbound" && desired?.standing !== "partner") {
      scene.violated(
        "revoked-stay-closed",
        `an outbound stream to ${peerId} was opened, which is ${desired?.relation ?? "unknown"}`,
      );
    }
    if (direction === "outbound" && peerId === scene.self)
      scene.violated("never-dials-itself", "a stream to ourselves was opened");
    if (direction === "inbound" && desired !== undefined && desired.standing !== "partner") {
      scene.violated("revoked-stay-closed", `an inbound stream of ${peerId} was admitted, which is ${desired.relation}`);
    }
  }

  /** Nothing but its own silence, or the network's, ends a stream as expired: least of all our own stall. */
  function expired({ event }: Logged, peerId: PeerId): void {
    const peer = scene.peer(peerId);
    if (peer === undefined || scene.nowMs() - peer.wellSinceMs < HEALTHY_FOR_MS) return;
    const direction = event.type === "StreamClosed" ? event.direction : "";
    if (direction === "inbound" && peer.farEnd.own === undefined) return;
    scene.violated("healthy-streams-live", `the ${direction} stream of ${peerId} expired although nothing was wrong with it`);
  }

  function everyStreamIsOwned(): void {
    const { daemon } = scene;
    if (daemon === undefined) return;
    const outbound = new Map<PeerId, number>();
    for (const connection of daemon.node.connections()) {
      for (const stream of connection.streams) {
        if (stream.protocol !== PARTNER_PROTOCOL || stream.direction !== "outbound" || stream.status !== "open") continue;
        const peerId = connection.remotePeer;
        outbound.set(peerId, (outbound.get(peerId) ?? 0) + 1);
      }
    }
    for (const [peerId, count] of outbound) {
      if (count > 1) scene.violated("one-outbound-stream", `${count} outbound streams to ${peerId} stand`);
      const { opening } = daemon.reconciler.progress(peerId);
      if (!opening && daemon.streams.actual(peerId).outbound === null) {
        scene.violated("no-stream-without-owner", `an outbound stream to ${peerId} stands that the registry does not know`);
      }
    }
  }
}
