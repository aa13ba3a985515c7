/** Measures how soon one fault of a far end is noticed and healed. The reporter prints the measurements as a table. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, type TestContext } from "vitest";
import type { PeerView } from "../../../src/views/api.ts";
import type { Participant } from "../../support/participant.ts";
import type { PeerRecord } from "../../support/publisher.ts";

/** Longer than the grace in which the end of a stream counts as a refusal. */
const OPEN_MS = 3_000;
const AWAY_MS = 30_000;
/** A lease of 10 s, with some room for a busy machine. */
const NOTICED_MS = 11_000;
/** Of a peer that was away for AWAY_MS: its next attempt comes within 2.5 s. */
const HEALED_MS = 5_000;

type StreamDirection = "outbound" | "inbound";

/** Waits until the stream is open, or is not, and returns how long that took. */
async function waitMs(participant: Participant, peerId: string, direction: StreamDirection, isOpen: boolean): Promise<number> {
  const sinceMs = performance.now();
  const found = (peer: PeerView | undefined) => ((peer?.[direction] ?? null) !== null) === isOpen;
  await participant.daemon.until(
    `${direction} of ${peerId} is open: ${isOpen}`,
    async () => found(await participant.daemon.peer(peerId)),
    60_000,
  );
  return performance.now() - sinceMs;
}

export interface Fault {
  begin(): unknown;
  /** Ends the fault. Undefined: it is over at once. */
  end?(): unknown;
  /** When a dialling far end learns that it should dial again, if not at once: whenever its kernel or ours sends again, or never. */
  readonly learns?: "late" | "never";
}

/** Measures one fault on an open stream, and stores the row for the reporter. */
export async function measureFault(
  { task }: TestContext,
  participant: Participant,
  peer: PeerRecord,
  direction: StreamDirection,
  fault: Fault,
): Promise<void> {
  if (direction === "outbound") await participant.publisher.relate(peer, "PARTNER");
  await waitMs(participant, peer.peerId, direction, true);
  await delay(OPEN_MS);
  await fault.begin();
  const noticedMs = await waitMs(participant, peer.peerId, direction, false);
  let redials = "-";
  if (fault.end !== undefined) {
    await delay(AWAY_MS - noticedMs);
    const attempts = (await participant.daemon.peer(peer.peerId))?.attempts ?? 0;
    if (direction === "outbound") redials = String(Math.round((attempts * 60_000) / (AWAY_MS - noticedMs)));
    await fault.end();
  }
  const healedMs = fault.learns === "never" ? undefined : await waitMs(participant, peer.peerId, direction, true);
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  Object.assign(task.meta, {
    liveness: [task.name, direction, seconds(noticedMs), healedMs === undefined ? "it dials" : seconds(healedMs), redials],
  });
  expect(noticedMs).toBeLessThan(NOTICED_MS);
  if (healedMs !== undefined && fault.learns === undefined) expect(healedMs).toBeLessThan(HEALED_MS);
}
