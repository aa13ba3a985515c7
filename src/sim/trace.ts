/** The decision trace: what the daemon was told, what it decided and what came of it, one line each. */
import { createHash } from "node:crypto";
import type { PeerId } from "../base/ids.ts";
import { secondsText } from "../base/units.ts";
import type { Action } from "../reconciler/decide.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { LogEntry } from "../store/model/log-entry.ts";

export interface TraceInit {
  /** What a fixture calls this peer. */
  readonly nameOf: (peerId: PeerId) => string;
  readonly onLine?: (line: string, atMs: number) => void;
}

/** To hash each line by itself takes longer than to make it. */
const HASHED_AT_ONCE = 16_384;

/** Heartbeats are hashed but not shown: they would bury everything else. */
export class Trace {
  readonly #init: TraceInit;
  readonly #hash = createHash("sha256");
  #unhashed = "";
  readonly lines: string[] = [];

  constructor(init: TraceInit) {
    this.#init = init;
  }

  /** A fault action, or another event of the world that is neither a decision nor a row. */
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
    if (!("peerId" in event)) this.#line(atMs, "log", `#${seq} ${sentence(entry)}`);
    else this.#line(atMs, this.#init.nameOf(event.peerId), `#${seq} ${sentence(entry)}${effect === null ? "" : ` (${effect})`}`);
  }

  /** SHA-256 (hex) of everything so far, heartbeats included. */
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
    const line = `${secondsText(atMs, 3).padStart(12)}  ${who.padEnd(12)} ${what}`;
    this.lines.push(line);
    this.#update(`${line}\n`);
    this.#init.onLine?.(line, atMs);
  }
}

function sentence({ event }: LogEntry): string {
  switch (event.type) {
    case "PeerDesired":
      return `${event.type} ${event.relation}`;
    case "PeerRemoved":
    case "LogArchived":
      return event.type;
    case "StreamOpened":
      return `${event.type} ${event.direction}`;
    case "StreamClosed":
      return `${event.type} ${event.direction} ${event.reason}`;
    case "EventRejected":
    case "OpenFailed":
    case "InboundRefused":
    case "DeliveryChanged":
    case "DeliveryGap":
      return `${event.type} ${event.reason}`;
  }
}
