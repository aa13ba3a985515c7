/** What a daemon says of one peer over time, looked at every 50 ms as an impatient operator would. */
import { setTimeout as delay } from "node:timers/promises";
import type { PeerView } from "../../src/views/api.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { Bound } from "./pace/pace.ts";

const LOOK_EVERY_MS = 50;

export interface Sighting {
  /** Wall ms at which the daemon was asked. */
  readonly wallMs: number;
  /** Undefined where the daemon knows nothing of the peer. */
  readonly peer: PeerView | undefined;
}

async function sight(daemon: DaemonProcess, peerId: string): Promise<Sighting> {
  const wallMs = Date.now();
  return { wallMs, peer: await daemon.peer(peerId) };
}

/** The first sighting of the peer for which `holds`, which fails at the deadline with what was seen last. */
export async function whenPeer(
  daemon: DaemonProcess,
  peerId: string,
  what: string,
  holds: (peer: PeerView | undefined) => boolean,
  limit: number | Bound,
): Promise<Sighting> {
  let last: PeerView | undefined;
  try {
    return await daemon.until(
      what,
      async () => {
        const sighting = await sight(daemon, peerId);
        last = sighting.peer;
        if (holds(last)) return sighting;
        await delay(LOOK_EVERY_MS);
        return undefined;
      },
      limit,
    );
  } catch (error) {
    throw new Error(`last seen: ${JSON.stringify(last)}\n${String(error)}`, { cause: error });
  }
}

/** Every sighting of the peer for `durationMs`. The first that fails `check` ends the watch with its failure. */
export async function watchPeer(
  daemon: DaemonProcess,
  peerId: string,
  durationMs: number,
  check: (peer: PeerView | undefined) => void,
): Promise<Sighting[]> {
  const sightings: Sighting[] = [];
  const startedMs = performance.now();
  while (performance.now() - startedMs < durationMs) {
    const sighting = await sight(daemon, peerId);
    check(sighting.peer);
    sightings.push(sighting);
    await delay(LOOK_EVERY_MS);
  }
  return sightings;
}

export const isEstablished = (peer: PeerView | undefined): boolean => peer?.phase === "established" && peer.outbound !== null;
export const hasInbound = (peer: PeerView | undefined): boolean => peer?.inbound != null;
export const hasNoStream = (peer: PeerView | undefined): boolean =>
  peer === undefined || (peer.outbound === null && peer.inbound === null);
