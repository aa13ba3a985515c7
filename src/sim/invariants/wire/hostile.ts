/** Hostile peers get bounded memory, never a place that they have not proved, and no partner's time. */
import type { PeerId } from "../../../base/ids.ts";
import { PARTNER_PROTOCOL } from "../../../p2p/wire/constants.ts";
import { WAKES_RECOVER_MS } from "../../daemon/daemon-lifecycle.ts";
import type { SimPartnerStream } from "../../network/stream.ts";
import type { Invariant, ObservedDaemon, Scene } from "../invariant.ts";

const LOOK_EVERY_MS = 500;
/** The registered stream, and two that are challenged. */
const MOST_PER_PEER = 3;
/** 10 s for the first heartbeat, 5 s for the challenge, and the time until the next look. */
const UNPROVEN_MS = 16_000;
/** The longest heartbeat, and the rest of the chunk that exceeds it. */
const MOST_UNPROVEN_BYTES = (64 + 16) * 1024;
/** A reader takes what arrives; the little that comes before it is there may wait. */
const MOST_UNREAD_BYTES = 64 * 1024;

/** Few streams of each peer, none of them unproven for long, and few bytes of each. */
export function inboundIsBounded(scene: Scene): Invariant {
  let firstSeen = new Map<SimPartnerStream, number>();
  let nextLookMs = 0;
  return {
    ended() {
      firstSeen = new Map();
    },
    stepped() {
      const { daemon } = scene;
      if (daemon === undefined || scene.nowMs() < nextLookMs) return;
      nextLookMs = scene.nowMs() + LOOK_EVERY_MS;
      const seen = new Map<SimPartnerStream, number>();
      for (const [peerId, streams] of openStreams(daemon)) {
        for (const { unreadBytes } of streams)
          if (unreadBytes > MOST_UNREAD_BYTES)
            scene.violated("memory-is-bounded", `${unreadBytes} bytes of ${peerId} wait for a reader`);
        const inbound = streams.filter(({ protocol, direction }) => protocol === PARTNER_PROTOCOL && direction === "inbound");
        for (const stream of inbound) seen.set(stream, firstSeen.get(stream) ?? scene.awakeMs());
        look(daemon, peerId, inbound, (stream) => scene.awakeMs() - (seen.get(stream) ?? 0));
      }
      firstSeen = seen;
    },
  };

  function look(
    daemon: ObservedDaemon,
    peerId: PeerId,
    inbound: readonly SimPartnerStream[],
    ageMs: (stream: SimPartnerStream) => number,
  ): void {
    if (inbound.length > MOST_PER_PEER)
      scene.violated("inbound-is-bounded", `${peerId} has ${inbound.length} open streams to us, at most ${MOST_PER_PEER}`);
    const proven = daemon.streams.registered(peerId, "inbound");
    const unproven = inbound.filter((stream) => stream !== proven);
    if (unproven.some((stream) => ageMs(stream) > UNPROVEN_MS))
      scene.violated("inbound-is-bounded", `${peerId} has had an unproven stream for ${UNPROVEN_MS} ms`);
    if (unproven.some(({ receivedBytes }) => receivedBytes > MOST_UNPROVEN_BYTES))
      scene.violated("memory-is-bounded", `${peerId} has sent more than ${MOST_UNPROVEN_BYTES} bytes on an unproven stream`);
  }
}

function openStreams({ node }: ObservedDaemon): ReadonlyMap<PeerId, readonly SimPartnerStream[]> {
  const found = new Map<PeerId, SimPartnerStream[]>();
  for (const { remotePeer, streams } of node.getConnections()) {
    const known = found.get(remotePeer);
    if (known === undefined) found.set(remotePeer, [...streams]);
    else known.push(...streams);
  }
  return found;
}

/** An echo that was on the way when the lying began arrives within the time limit of the challenge. */
const ECHOED_MS = 6_000;

/** A peer that answers challenges wrongly, or not at all, gets no stream. */
export function liarsStayOut(scene: Scene): Invariant {
  return {
    observed(event) {
      if (event.type !== "StreamOpened" || event.direction !== "inbound") return;
      const sinceMs = scene.peer(event.peerId)?.lyingSinceMs;
      if (sinceMs !== undefined && scene.awakeMs() - sinceMs > ECHOED_MS)
        scene.violated("liars-stay-out", `${event.peerId} got a stream although it fails every challenge`);
    },
  };
}

/** By then, connections that died before are known to be dead. */
const WELL_FOR_MS = 30_000;
/** A first attempt on a connection that turns out to be dead, and the wait after it. */
const SECOND_TRY_MS = 7_000;

/** A partner that is well gets its stream in time, whatever others do: after all that may queue before it, and a second try. */
export function partnersAreNotDelayed(scene: Scene): Invariant {
  const { concurrency, openTimeoutMs } = scene.settings;
  const openedAtMs = new Map<PeerId, number>();
  return {
    observed(event) {
      if (event.type === "StreamOpened" && event.direction === "outbound") openedAtMs.set(event.peerId, scene.awakeMs());
    },
    logged({ event, effect }) {
      if (event.type !== "PeerDesired" || effect !== "changed" || event.standing !== "partner") return;
      const { peerId } = event;
      const generation = scene.daemon?.store.get(peerId)?.generation;
      const wellSinceMs = scene.peer(peerId)?.wellSinceMs ?? Number.POSITIVE_INFINITY;
      const isWell = wellSinceMs === 0 || scene.awakeMs() - wellSinceMs >= WELL_FOR_MS;
      if (!isWell || peerId === scene.self) return;
      const sinceMs = scene.awakeMs();
      const turns = Math.ceil((scene.peers().length + 1) / concurrency) + 1;
      const withinMs = turns * openTimeoutMs + SECOND_TRY_MS + (scene.wakesAreSafe ? 0 : WAKES_RECOVER_MS);
      scene.within(withinMs, "partners-are-not-delayed", () => {
        const desired = scene.daemon?.store.get(peerId);
        const peer = scene.peer(peerId);
        if (desired?.generation !== generation || desired?.standing !== "partner" || peer?.wellSinceMs !== wellSinceMs)
          return undefined;
        if (peer.isAtOdds || !peer.listensAt(desired.address)) return undefined;
        if (scene.daemon?.reconciler.progress(peerId).lastFailure?.code === "address_unsupported") return undefined;
        // A stream that was lost again is for other invariants.
        const wasOpened = (openedAtMs.get(peerId) ?? Number.NEGATIVE_INFINITY) >= sinceMs;
        if (wasOpened || scene.daemon?.streams.actual(peerId).outbound !== null) return undefined;
        return `${peerId} has been a partner and well for ${withinMs} ms, but has had no stream`;
      });
    },
  };
}
