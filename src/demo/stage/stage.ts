/** The three participants: their combined state, and waiting for it to become what a step needs. */
import { EventEmitter, once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Clock, deadline, type Random } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import { durationText } from "../../base/units.ts";
import type { Missing } from "./checks.ts";
import { Participant } from "./participant.ts";
import { NAMES, type Name, type Nodes, perName } from "./state.ts";

/** Interval between queries of each API. */
const LOOK_EVERY_MS = 150;

interface StageOptions {
  /** Contains a directory for each participant. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Called if watching the participants fails, so the demo must stop. */
  readonly onFailure: (error: unknown) => void;
  /** Called when a daemon exits without being told to. */
  readonly onExit: (participant: Participant, how: string) => void;
}

export class Stage implements AsyncDisposable {
  readonly #options: StageOptions;
  readonly #participants = new Map<Name, Participant>();
  readonly #looks = new EventEmitter();
  readonly #watching = new AbortController();
  readonly #watches: Promise<void>[] = [];

  constructor(options: StageOptions) {
    this.#options = options;
  }

  /** Starts all participants in parallel, and watches them. */
  async open(): Promise<void> {
    const { directory, random } = this.#options;
    const ports = await freePorts(2 * NAMES.length, random);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const started = await Promise.allSettled(
      NAMES.map((name, index) => this.#start(name, ports[2 * index] ?? 0, ports[2 * index + 1] ?? 0)),
    );
    const failure = started.find((result) => result.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  get nodes(): Nodes {
    return perName(
      (name) => this.#participants.get(name)?.state ?? { process: "starting", peerId: null, address: null, peers: [] },
    );
  }

  /** Throws if `open` has not been called. */
  at(name: Name): Participant {
    const participant = this.#participants.get(name);
    if (participant === undefined) throw new PartnerdError("internal_error", `${name} was not started`);
    return participant;
  }

  /** The participants that were started, always in the same order. */
  get participants(): readonly Participant[] {
    return NAMES.flatMap((name) => this.#participants.get(name) ?? []);
  }

  /**
   * Resolves as soon as `missing` returns undefined, checked now and after each query. Rejects with `check_failed` after
   * `limitMs`, naming what is missing, or with the reason of the demo's signal.
   */
  async until(missing: () => Missing | Promise<Missing>, limitMs: number, onMissing: (what: string) => void): Promise<void> {
    const { clock, signal } = this.#options;
    let last: Missing;
    const late = () => new PartnerdError("check_failed", `timed out after ${durationText(limitMs)}: ${last}`);
    using limit = deadline(clock, limitMs, late, signal);
    for (;;) {
      last = await missing();
      if (last === undefined) return;
      limit.signal.throwIfAborted();
      onMissing(last);
      await once(this.#looks, "look", { signal: limit.signal }).catch((thrown: unknown) => {
        if (!limit.signal.aborted) throw thrown;
      });
    }
  }

  /** Stops all processes in parallel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort();
    await Promise.allSettled(this.participants.map((participant) => participant[Symbol.asyncDispose]()));
    await Promise.allSettled(this.#watches);
  }

  async #start(name: Name, listenPort: number, httpPort: number): Promise<void> {
    const { directory, clock, signal, onFailure, onExit } = this.#options;
    const participant = await Participant.start({
      name,
      directory: join(directory, name),
      listenPort,
      httpPort,
      clock,
      signal,
      onExit,
    });
    this.#participants.set(name, participant);
    this.#watches.push(this.#watch(participant).catch(onFailure));
  }

  async #watch(participant: Participant): Promise<void> {
    const { clock } = this.#options;
    while (!this.#watching.signal.aborted) {
      await participant.look();
      this.#looks.emit("look");
      await pause(clock, LOOK_EVERY_MS, this.#watching.signal);
    }
  }
}

/**
 * Below the range of ephemeral ports, so that no outgoing connection can take a node's port while the node is down.
 */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const MAX_TRIES = 200;

/** Finds `count` different free TCP ports on loopback. Nodes need fixed ports to restart on the same one. */
export async function freePorts(count: number, random: Random): Promise<readonly number[]> {
  const free = new Set<number>();
  for (let tries = 0; free.size < count; tries++) {
    if (tries === MAX_TRIES) throw new PartnerdError("port_taken", `no ${count} free ports found on 127.0.0.1`);
    const port = FIRST_PORT + Math.floor(random.next() * PORTS);
    if (!free.has(port) && (await isFree(port))) free.add(port);
  }
  return [...free];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}
