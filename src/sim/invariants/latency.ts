/** What is decided is done in time: a lost wake must not hide behind the periodic diff, and no key may starve. */
import type { PeerId } from "../../base/ids.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** From the append of an event to the action that it calls for, whatever the network does. */
const ACTION_MS = 100;
/** Only the periodic diff is left where wakes get lost: 5 s and a fifth. */
const DIFF_MS = 7_000;
/** The longest wait between two attempts: the cap of the backoff, or the longest floor. */
const LONGEST_WAIT_MS = 61_000;

export function latency(scene: Scene): Invariant {
  const { concurrency, openTimeoutMs, resyncMs } = scene.settings;
  let openedAt = new Map<PeerId, number>();
  let begunAt = new Map<PeerId, number>();
  let lastDiffMs = 0;

  return {
    started(daemon) {
      openedAt = new Map();
      begunAt = new Map();
      lastDiffMs = scene.awakeMs();
      for (const { peerId, standing } of daemon.store.list())
        if (standing === "partner") mustOpen(peerId, ACTION_MS, "opens-at-start");
    },
    logged({ event, effect }) {
      if (event.type === "PeerDesired" && effect === "changed") {
        const peer = scene.daemon?.store.get(event.peerId);
        if (peer?.standing !== "partner" || peer.generation !== peer.desiredSeq) return;
        if (scene.daemon?.streams.actual(event.peerId).outbound !== null) return;
        mustOpen(event.peerId, scene.wakesAreSafe ? ACTION_MS : DIFF_MS, "event-to-action");
      }
    },
    observed(event) {
      if (event.type === "StreamClosed" && event.direction === "outbound") {
        mustOpen(event.peerId, LONGEST_WAIT_MS, "no-starvation");
      }
    },
    acted(peerId, action) {
      if (action.kind !== "open") return;
      const actedAtMs = scene.awakeMs();
      openedAt.set(peerId, actedAtMs);
      // Its turn comes after all the others, each of which may last as long as it is allowed to.
      const turns = Math.ceil((scene.peers().length + 1) / concurrency) + 1;
      scene.within(turns * openTimeoutMs, "no-starvation", () => {
        const waits = openedAt.get(peerId) === actedAtMs && (begunAt.get(peerId) ?? Number.NEGATIVE_INFINITY) < actedAtMs;
        return waits && wants(peerId)
          ? `${peerId} has been waiting for its turn to be opened for ${turns * openTimeoutMs} ms`
          : undefined;
      });
    },
    operation(peerId, kind, state) {
      if (kind === "open" && state === "begun") begunAt.set(peerId, scene.awakeMs());
    },
    settled(peerId, outcome) {
      if (outcome.kind === "retry") mustOpen(peerId, LONGEST_WAIT_MS, "no-starvation");
    },
    resyncFound(peerId) {
      if (scene.wakesAreSafe) scene.violated("no-lost-wake", `the periodic diff found work on ${peerId} that no wake had named`);
    },
    diffed() {
      lastDiffMs = scene.awakeMs();
    },
    stepped() {
      if (scene.daemon === undefined || scene.awakeMs() - lastDiffMs <= resyncMs * 1.25 + ACTION_MS) return;
      lastDiffMs = scene.awakeMs();
      scene.violated("periodic-diff", `no full diff for more than ${resyncMs * 1.25} ms`);
    },
  };

  function wants(peerId: PeerId): boolean {
    const desired = scene.daemon?.store.get(peerId);
    const stopped = scene.daemon?.reconciler.progress(peerId).lastFailure?.code === "address_unsupported";
    return desired?.standing === "partner" && peerId !== scene.self && !stopped;
  }

  function mustOpen(peerId: PeerId, withinMs: number, invariant: string): void {
    const sinceMs = scene.awakeMs();
    const generation = scene.daemon?.store.get(peerId)?.generation;
    scene.within(withinMs, invariant, () => {
      const { daemon } = scene;
      if (daemon === undefined || !wants(peerId) || daemon.store.get(peerId)?.generation !== generation) return undefined;
      const { outbound } = daemon.streams.actual(peerId);
      const acted = (openedAt.get(peerId) ?? Number.NEGATIVE_INFINITY) >= sinceMs;
      if (acted || outbound !== null || daemon.reconciler.progress(peerId).opening) return undefined;
      return `${peerId} has been wanted without a stream for ${withinMs} ms, and nobody has tried to open one`;
    });
  }
}
