/** The backoff of a key grows with its failures, and with nothing else; only a stable stream or a new generation ends it. */
import type { ErrorCode } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** DESIGN: reset only after 60 s of stable stream. A little less, for a stream that was lost just before it was logged. */
const STABLE_MS = 59_000;
/** The shortest wait after a failure, with or without a sign of life. */
const LEAST_WAIT_MS: Partial<Record<ErrorCode, number>> = {
  refused: 3_000,
  identity_mismatch: 10_000,
  protocol_unsupported: 10_000,
};
const LEAST_WAIT_OTHERWISE_MS = 50;

interface Memory {
  readonly generation: number;
  readonly attempts: number;
}

export function backoff(scene: Scene): Invariant {
  let memories = new Map<PeerId, Memory>();
  let touched = new Set<PeerId>();
  /** Failures that no attempt has been counted for yet: the loss of a stream is counted when its key is looked at. */
  let uncounted = new Map<PeerId, number>();
  /** The generation that the newest open was for; by the time that it fails there may be another. */
  let triedIn = new Map<PeerId, number>();
  let openedAtMs = new Map<PeerId, number>();
  let stoodForMs = new Map<PeerId, number>();
  let failed = new Map<PeerId, { readonly code: ErrorCode; readonly atMs: number; readonly generation: number }>();

  return {
    ended() {
      memories = new Map();
      touched = new Set();
      uncounted = new Map();
      triedIn = new Map();
      openedAtMs = new Map();
      stoodForMs = new Map();
      failed = new Map();
    },
    logged({ event }) {
      if ("peerId" in event) touched.add(event.peerId);
    },
    observed(event) {
      touched.add(event.peerId);
      if (!("direction" in event) || event.direction !== "outbound") return;
      if (event.type === "StreamOpened") {
        openedAtMs.set(event.peerId, scene.nowMs());
        stoodForMs.delete(event.peerId);
      } else {
        stoodForMs.set(event.peerId, scene.nowMs() - (openedAtMs.get(event.peerId) ?? scene.nowMs()));
        count(event.peerId);
      }
    },
    acted(peerId, action) {
      touched.add(peerId);
      if (action.kind === "open") triedIn.set(peerId, generationOf(peerId));
      const last = failed.get(peerId);
      if (action.kind !== "open" || last === undefined || last.generation !== generationOf(peerId)) return;
      const waitedMs = scene.nowMs() - last.atMs;
      const leastMs = LEAST_WAIT_MS[last.code] ?? LEAST_WAIT_OTHERWISE_MS;
      if (waitedMs < leastMs - 1) {
        scene.violated(
          "backoff-waits",
          `${peerId} was tried again ${waitedMs.toFixed(0)} ms after ${last.code}; at least ${leastMs} ms are due`,
        );
      }
    },
    settled(peerId, outcome) {
      touched.add(peerId);
      if (outcome.kind !== "retry" && outcome.kind !== "terminal") return;
      count(peerId);
      failed.set(peerId, { code: outcome.error.code, atMs: scene.nowMs(), generation: triedIn.get(peerId) ?? 0 });
    },
    stepped() {
      if (touched.size === 0) return;
      for (const peerId of touched) look(peerId);
      touched.clear();
    },
  };

  function count(peerId: PeerId): void {
    uncounted.set(peerId, (uncounted.get(peerId) ?? 0) + 1);
  }

  function generationOf(peerId: PeerId): number {
    return scene.daemon?.store.get(peerId)?.generation ?? 0;
  }

  function look(peerId: PeerId): void {
    const { daemon } = scene;
    if (daemon === undefined) return;
    const now = { generation: generationOf(peerId), attempts: daemon.reconciler.progress(peerId).attempts };
    const before = memories.get(peerId);
    memories.set(peerId, now);
    if (before === undefined || before.generation !== now.generation) return;
    const more = now.attempts - before.attempts;
    const failures = uncounted.get(peerId) ?? 0;
    uncounted.set(peerId, more < 0 ? 0 : failures - Math.max(0, more));
    if (more > failures) {
      scene.violated(
        "backoff-counts-failures",
        `${peerId} went from ${before.attempts} attempts to ${now.attempts} after ${failures} failures`,
      );
    }
    const stoodMs = openStreamMs(peerId) ?? stoodForMs.get(peerId) ?? 0;
    if (now.attempts < before.attempts && stoodMs < STABLE_MS) {
      scene.violated(
        "backoff-outlives-flapping",
        `${peerId} went from ${before.attempts} attempts to ${now.attempts} although its stream stood for ${stoodMs.toFixed(0)} ms only`,
      );
    }
  }

  function openStreamMs(peerId: PeerId): number | undefined {
    const openedMs = openedAtMs.get(peerId);
    return openedMs === undefined || stoodForMs.has(peerId) ? undefined : scene.nowMs() - openedMs;
  }
}
