/** The backoff of a key grows only with its failures, and only a stable stream or a new generation resets it. */
import type { ErrorCode } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** Backoff resets after a stream has been stable for 60 s; slightly less here, as a loss is logged a little after it happens. */
const STABLE_MS = 59_000;
/** The promised minimum wait after each failure, with or without a sign of life. Deliberately not taken from the program's table. */
const LEAST_WAIT_MS: Partial<Record<ErrorCode, number>> = {
  refused: 3_000,
  identity_mismatch: 10_000,
  protocol_unsupported: 10_000,
};
const LEAST_WAIT_OTHERWISE_MS = 50;

export function backoffWaits(scene: Scene): Invariant {
  /** The generation that the newest open was for; a newer one may exist by the time it fails. */
  let triedIn = new Map<PeerId, number>();
  let failed = new Map<PeerId, { readonly code: ErrorCode; readonly atMs: number; readonly generation: number }>();
  return {
    ended() {
      triedIn = new Map();
      failed = new Map();
    },
    acted(peerId, action) {
      if (action.kind !== "open") return;
      const generation = generationOf(scene, peerId);
      triedIn.set(peerId, generation);
      const last = failed.get(peerId);
      if (last === undefined || last.generation !== generation) return;
      const waitedMs = scene.nowMs() - last.atMs;
      const leastMs = LEAST_WAIT_MS[last.code] ?? LEAST_WAIT_OTHERWISE_MS;
      if (waitedMs >= leastMs - 1) return;
      const soon = `${peerId} was tried again ${waitedMs.toFixed(0)} ms after ${last.code}`;
      scene.violated("backoff-waits", `${soon}; at least ${leastMs} ms required`);
    },
    settled(peerId, outcome) {
      if (outcome.kind !== "retry" && outcome.kind !== "terminal") return;
      failed.set(peerId, { code: outcome.error.code, atMs: scene.nowMs(), generation: triedIn.get(peerId) ?? 0 });
    },
  };
}

interface KeyState {
  /** The state at the last look; undefined before the first. */
  seen: { readonly generation: number; readonly attempts: number } | undefined;
  /** Failures not yet counted as attempts: the loss of a stream is counted when its key is next processed. */
  uncounted: number;
  openedAtMs: number | undefined;
  /** How long the last stream was open; undefined while one is open. */
  wasOpenForMs: number | undefined;
}

export function backoffCountsFailures(scene: Scene): Invariant {
  let keys = new Map<PeerId, KeyState>();
  const touched = new Set<PeerId>();

  return {
    ended() {
      keys = new Map();
      touched.clear();
    },
    logged({ event }) {
      if ("peerId" in event && event.peerId !== null) touched.add(event.peerId);
    },
    observed(event) {
      const key = touch(event.peerId);
      if (!("direction" in event) || event.direction !== "outbound") return;
      if (event.type === "StreamOpened") {
        key.openedAtMs = scene.nowMs();
        key.wasOpenForMs = undefined;
      } else {
        key.wasOpenForMs = scene.nowMs() - (key.openedAtMs ?? scene.nowMs());
        key.uncounted += 1;
      }
    },
    acted(peerId) {
      touch(peerId);
    },
    settled(peerId, outcome) {
      const key = touch(peerId);
      if (outcome.kind === "retry" || outcome.kind === "terminal") key.uncounted += 1;
    },
    stepped() {
      if (touched.size === 0) return;
      for (const peerId of touched) look(peerId, keyOf(peerId));
      touched.clear();
    },
  };

  function touch(peerId: PeerId): KeyState {
    touched.add(peerId);
    return keyOf(peerId);
  }

  function keyOf(peerId: PeerId): KeyState {
    const key = keys.get(peerId) ?? { seen: undefined, uncounted: 0, openedAtMs: undefined, wasOpenForMs: undefined };
    keys.set(peerId, key);
    return key;
  }

  function look(peerId: PeerId, key: KeyState): void {
    const { daemon } = scene;
    if (daemon === undefined) return;
    const before = key.seen;
    const now = { generation: generationOf(scene, peerId), attempts: daemon.reconciler.progress(peerId).attempts };
    key.seen = now;
    if (before === undefined || before.generation !== now.generation) return;
    const more = now.attempts - before.attempts;
    const change = `${peerId} went from ${before.attempts} attempts to ${now.attempts}`;
    if (more > key.uncounted) scene.violated("backoff-counts-failures", `${change} after ${key.uncounted} failures`);
    key.uncounted = more < 0 ? 0 : key.uncounted - more;
    const openForMs = openForMsOf(key);
    if (more < 0 && openForMs < STABLE_MS)
      scene.violated("backoff-outlives-flapping", `${change} after a stream of only ${openForMs.toFixed(0)} ms`);
  }

  function openForMsOf({ openedAtMs, wasOpenForMs }: KeyState): number {
    return wasOpenForMs ?? (openedAtMs === undefined ? 0 : scene.nowMs() - openedAtMs);
  }
}

function generationOf(scene: Scene, peerId: PeerId): number {
  return scene.daemon?.store.get(peerId)?.generation ?? 0;
}
