/** Polls a daemon's view of one peer every 50 ms. */
import { setTimeout as delay } from "node:timers/promises";
import type { PeerView } from "../../src/views/api.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { Bound } from "./pace/pace.ts";

const LOOK_EVERY_MS = 50;

export interface Sighting {
  /** Wall time of the request, in ms. */
  readonly wallMs: number;
  /** Undefined if the daemon does not know the peer. */
  readonly peer: PeerView | undefined;
}

async function sight(daemon: DaemonProcess, peerId: string): Promise<Sighting> {
  const wallMs = Date.now();
  return { wallMs, peer: await daemon.peer(peerId) };
}

/** The first view of the peer for which `holds` is true. At the deadline it fails and shows the last view. */
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

/** All views of the peer for `durationMs`. Stops with the error at the first that fails `check`. */
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
