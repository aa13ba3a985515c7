/** Tells a restart of reading, which is over in a moment, from a loop of restarts, which is an outage. Pure. */
import { PartnerdError } from "../../base/errors.ts";
import type { ReadingEnd } from "./reading-end.ts";

/** A restart takes a fraction of a second; beyond this time it is an outage. A reading that lasts this long ends a loop. */
const LASTING_MS = 5_000;
/** This many brief readings in a row are a loop. */
const LOOP = 3;

export interface Loop {
  /** Why the newest reading ended. */
  readonly reason: string;
  readonly nextStep: string | null;
}

/** All times are monotonic. */
export class RestartLoop {
  #beganMs: number | null = null;
  #graceEndsMs = Number.NEGATIVE_INFINITY;
  #briefInRow = 0;
  #last: Loop = { reason: "", nextStep: null };

  /** On a new connection nothing has been read yet, so nothing restarts. */
  connected(): void {
    this.#graceEndsMs = Number.NEGATIVE_INFINITY;
  }

  began(nowMs: number): void {
    this.#beganMs = nowMs;
  }

  /** A reading that ends before it has begun is brief, and makes no later end a restart. */
  ended(nowMs: number, end: ReadingEnd): void {
    if (this.#lasts(nowMs)) this.#briefInRow = 0;
    if (this.#beganMs !== null) this.#graceEndsMs = nowMs + LASTING_MS;
    this.#beganMs = null;
    if (isOrdered(end)) return;
    this.#briefInRow += 1;
    this.#last = loopOf(end);
  }

  /** Whether reading ended a moment ago, and not in a loop. */
  isRestarting(nowMs: number): boolean {
    return this.#beganMs === null && nowMs < this.#graceEndsMs && this.current(nowMs) === null;
  }

  /** Null if the newest readings were not brief, or the present one lasts. */
  current(nowMs: number): Loop | null {
    return this.#briefInRow >= LOOP && !this.#lasts(nowMs) ? this.#last : null;
  }

  #lasts(nowMs: number): boolean {
    return this.#beganMs !== null && nowMs - this.#beganMs >= LASTING_MS;
  }
}

/** Ends that say nothing about the stream or its consumer. */
function isOrdered(end: ReadingEnd): boolean {
  return !(end instanceof PartnerdError) && ["resync", "stopped", "connection_closed"].includes(end.reason);
}

function loopOf(end: ReadingEnd): Loop {
  if (end instanceof PartnerdError) return { reason: end.code, nextStep: end.nextStep };
  const { reason, facts } = end;
  if (reason === "pull_refused") return { reason: `pull_refused (${facts?.["description"]})`, nextStep: null };
  return { reason, nextStep: reason === "consumer_deleted" ? "give each daemon its own nats.consumer" : null };
}
