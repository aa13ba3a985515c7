/** Decided work starts and ends in time: the diff must not mask a lost wake, no key may starve, every operation must settle. */
import type { PeerId } from "../../base/ids.ts";
import { REFUSAL_GRACE_MS } from "../../reconciler/backoff.ts";
import { WAKES_RECOVER_MS } from "../daemon/daemon-lifecycle.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** From the append of an event to its action, regardless of the network. */
const ACTION_MS = 100;
/** The longest wait between two attempts: the cap of the backoff, or the longest floor. */
const LONGEST_WAIT_MS = 61_000;

/** A partner without a stream is opened or retried in time. */
export function partnersAreOpened(scene: Scene): Invariant {
  let actedAt = new Map<PeerId, number>();

  return {
    started(daemon) {
      actedAt = new Map();
      for (const { peerId, standing } of daemon.store.list())
        if (standing === "partner") mustOpen(peerId, ACTION_MS, "opens-at-start");
    },
    logged({ event, effect }) {
      if (event.type !== "PeerDesired" || effect !== "changed") return;
      const peer = scene.daemon?.store.get(event.peerId);
      if (peer?.standing !== "partner" || peer.generation !== peer.desiredSeq) return;
      if (scene.daemon?.streams.actual(event.peerId).outbound !== null) return;
      mustOpen(event.peerId, scene.wakesAreSafe ? ACTION_MS : WAKES_RECOVER_MS, "event-to-action");
    },
    observed(event) {
      if (event.type === "StreamClosed" && event.direction === "outbound")
        mustOpen(event.peerId, LONGEST_WAIT_MS, "no-starvation");
    },
    acted(peerId, action) {
      if (action.kind === "open") actedAt.set(peerId, scene.awakeMs());
    },
    settled(peerId, outcome) {
      if (outcome.kind === "retry") mustOpen(peerId, LONGEST_WAIT_MS, "no-starvation");
    },
  };

  function mustOpen(peerId: PeerId, withinMs: number, invariant: string): void {
    const sinceMs = scene.awakeMs();
    const generation = scene.daemon?.store.get(peerId)?.generation;
    scene.within(withinMs, invariant, () => {
      const { daemon } = scene;
      if (daemon === undefined || !wants(scene, peerId) || daemon.store.get(peerId)?.generation !== generation) return undefined;
      const { outbound } = daemon.streams.actual(peerId);
      const acted = (actedAt.get(peerId) ?? Number.NEGATIVE_INFINITY) >= sinceMs;
      if (acted || outbound !== null || daemon.reconciler.progress(peerId).opening) return undefined;
      return `${peerId} has been desired without a stream for ${withinMs} ms, and no open was attempted`;
    });
  }
}

/** Every decided open starts within a bounded time. */
export function everyOpenHasItsTurn(scene: Scene): Invariant {
  const { concurrency, openTimeoutMs } = scene.settings;
  let actedAt = new Map<PeerId, number>();
  let begunAt = new Map<PeerId, number>();

  return {
    started() {
      actedAt = new Map();
      begunAt = new Map();
    },
    acted(peerId, action) {
      if (action.kind !== "open") return;
      const actedAtMs = scene.awakeMs();
      actedAt.set(peerId, actedAtMs);
      // At worst it queues behind all other peers, each of which may use its whole timeout.
      const turns = Math.ceil((scene.peers().length + 1) / concurrency) + 1;
      scene.within(turns * openTimeoutMs, "no-starvation", () => {
        const waits = actedAt.get(peerId) === actedAtMs && (begunAt.get(peerId) ?? Number.NEGATIVE_INFINITY) < actedAtMs;
        return waits && wants(scene, peerId)
          ? `the open of ${peerId} has been queued for ${turns * openTimeoutMs} ms`
          : undefined;
      });
    },
    operation(peerId, kind, state) {
      if (kind === "open" && state === "begun") begunAt.set(peerId, scene.awakeMs());
    },
  };
}

/** The periodic diff runs in time, and finds no work that a wake should have announced. */
export function periodicDiff(scene: Scene): Invariant {
  const longestMs = scene.settings.resyncMs * 1.25;
  let lastDiffMs = 0;

  return {
    started() {
      lastDiffMs = scene.awakeMs();
    },
    resyncFound(peerId) {
      if (scene.wakesAreSafe)
        scene.violated("no-lost-wake", `the periodic diff found work on ${peerId} that no wake had announced`);
    },
    diffed() {
      lastDiffMs = scene.awakeMs();
    },
    stepped() {
      if (scene.daemon === undefined || scene.awakeMs() - lastDiffMs <= longestMs + ACTION_MS) return;
      lastDiffMs = scene.awakeMs();
      scene.violated("periodic-diff", `no full diff for more than ${longestMs} ms`);
    },
  };
}

function wants(scene: Scene, peerId: PeerId): boolean {
  const { daemon } = scene;
  const stopped = daemon?.reconciler.progress(peerId).lastFailure?.code === "address_unsupported";
  return daemon?.store.get(peerId)?.standing === "partner" && peerId !== scene.self && !stopped;
}

/** Time beyond the timeout of an open: after a refusal it must stay open for a while, and an aborted one must settle at once. */
const SLACK_MS = REFUSAL_GRACE_MS + 1_000;

/** At most one operation is in flight per key, and at most `concurrency` opens in total. */
export function operations(scene: Scene): Invariant {
  const { concurrency, openTimeoutMs } = scene.settings;
  let inFlight = new Map<PeerId, "open" | "renew">();
  let opens = 0;
  return {
    ended() {
      inFlight = new Map();
      opens = 0;
    },
    operation(peerId, kind, state) {
      if (state === "over") {
        inFlight.delete(peerId);
        if (kind === "open") opens -= 1;
        return;
      }
      const other = inFlight.get(peerId);
      if (other !== undefined) scene.violated("one-operation-per-key", `${kind} of ${peerId} while ${other} is in flight`);
      inFlight.set(peerId, kind);
      if (kind !== "open") return;
      opens += 1;
      if (opens > concurrency) scene.violated("bounded-opens", `${opens} concurrent opens, but only ${concurrency} are allowed`);
      const operation = inFlight;
      scene.within(openTimeoutMs + SLACK_MS, "operations-end", () =>
        operation === inFlight && inFlight.get(peerId) === kind && opens > 0 ? stillOpening(peerId) : undefined,
      );
    },
  };

  function stillOpening(peerId: PeerId): string | undefined {
    const progress = scene.daemon?.reconciler.stuckForMs() ?? 0;
    return progress > openTimeoutMs + SLACK_MS ? `the open of ${peerId} has not settled` : undefined;
  }
}
