/** The decision trace: the daemon's inputs, decisions and their outcomes, one line each. */
import { createHash } from "node:crypto";
import type { PeerId } from "../base/ids.ts";
import { secondsText } from "../base/units.ts";
import type { LogEvent } from "../events/types.ts";
import type { Expectation } from "../fixture/format/schema.ts";
import type { Action } from "../reconciler/decide.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { LogEntry } from "../store/model/log-entry.ts";

export interface TraceInit {
  /** The peer's name in the fixture. */
  readonly nameOf: (peerId: PeerId) => string;
  /** The daemon's name, if there are several. */
  readonly label?: string | undefined;
  readonly onLine?: (line: string, atMs: number) => void;
}

/** Hashing each line by itself would take longer than producing it. */
const HASHED_AT_ONCE = 16_384;

/** Heartbeats are hashed but not shown, as they would bury everything else. */
export class Trace {
  readonly #init: TraceInit;
  readonly #hash = createHash("sha256");
  #unhashed = "";
  readonly lines: string[] = [];

  constructor(init: TraceInit) {
    this.#init = init;
  }

  /** Adds a fault action or another event that is neither a decision nor a row. */
  noted(atMs: number, who: string, what: string): void {
    this.#line(atMs, who, `* ${what}`);
  }

  acted(atMs: number, peerId: PeerId, action: Action): void {
    if (action.kind === "renew") this.#update(`${atMs.toFixed(3)} ${peerId} renew\n`);
    else this.#line(atMs, this.#init.nameOf(peerId), `${action.kind}: ${action.why}`);
  }

  settled(atMs: number, peerId: PeerId, outcome: Outcome, waitMs: number | null): void {
    if (outcome.kind === "retry") {
      const when = waitMs === null ? "" : `, again in ${secondsText(waitMs, 3)}`;
      this.#line(atMs, this.#init.nameOf(peerId), `failed: ${outcome.error.code}${when}`);
    } else if (outcome.kind === "terminal") this.#line(atMs, this.#init.nameOf(peerId), `gave up: ${outcome.error.code}`);
  }

  logged(atMs: number, entry: LogEntry): void {
    const { event, effect, seq } = entry;
    if (!("peerId" in event) || event.peerId === null) this.#line(atMs, "log", `#${seq} ${sentence(event)}`);
    else this.#line(atMs, this.#init.nameOf(event.peerId), `#${seq} ${sentence(event)}${effect === null ? "" : ` (${effect})`}`);
  }

  /** SHA-256 (hex) of everything so far, including heartbeats. */
  hash(): string {
    return this.#hash.copy().update(this.#unhashed).digest("hex");
  }

  #update(text: string): void {
    this.#unhashed += text;
    if (this.#unhashed.length < HASHED_AT_ONCE) return;
    this.#hash.update(this.#unhashed);
    this.#unhashed = "";
  }

  #line(atMs: number, who: string, what: string): void {
    const { label } = this.#init;
    const subject = label === undefined ? who : `${label}: ${who}`;
    const line = `${secondsText(atMs, 3).padStart(12)}  ${subject.padEnd(12)} ${what}`;
    this.lines.push(line);
    this.#update(`${line}\n`);
    this.#init.onLine?.(line, atMs);
  }
}

export type Observable = Exclude<Expectation, { expect: "phase" }>;

/** An event, or a fixture's expectation of one, in the same words. */
export function sentence(event: LogEvent | Observable): string {
  const type = "expect" in event ? event.expect : event.type;
  const relation = "relation" in event ? ` ${event.relation}` : "";
  const direction = "direction" in event ? ` ${event.direction}` : "";
  const reason = "reason" in event ? ` ${event.reason}` : "";
  return `${type}${relation}${direction}${reason}`;
}
