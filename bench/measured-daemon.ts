/** The whole daemon in this process, with real NATS, SQLite and libp2p. It gets its events through NATS. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { destination, pino } from "pino";
import { deadline, systemClock, systemRandom } from "../src/base/clock.ts";
import type { PeerId } from "../src/base/ids.ts";
import { abortable } from "../src/base/pause.ts";
import { loadConfig } from "../src/config/load.ts";
import { type Daemon, startDaemon } from "../src/daemon/daemon.ts";
import type { LogEvent, ObservedEvent, StreamOpened } from "../src/events/types.ts";
import { recordMessage } from "../src/fixture/format/message.ts";
import type { LogEntry } from "../src/store/model/log-entry.ts";
import type { FarEnd } from "./fleet.ts";
import { rest } from "./rest.ts";

interface MeasuredDaemonOptions {
  readonly natsUrl: string;
  /** Where to create the daemon's data directory, which is removed with it. */
  readonly directory: string;
  readonly openTimeoutMs: number;
}

/** Timestamps of one peer's progress, in ms of the monotonic clock. */
export interface Milestones {
  /** Just before the first of all events was published. */
  readonly publishedMs: number;
  /** The event is in the log, fsynced. */
  readonly loggedMs: number;
  /** The stream is established: first heartbeat sent, proof of life received. */
  readonly establishedMs: number;
  /** The row of the established stream is in the log, fsynced. */
  readonly recordedMs: number;
}

export interface MeasuredDaemon extends AsyncDisposable {
  /**
   * Publishes events that make all `peers` partners, at once and in this order. Resolves once those in `awaited` (default: all) are
   * established, with their milestones. Rejects after a minute with the number of missing ones.
   */
  establish(peers: readonly FarEnd[], awaited?: readonly FarEnd[]): Promise<readonly Milestones[]>;
}

const READY_TIMEOUT_MS = 10_000;
const ESTABLISH_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 10;

/** Resolves once the daemon has subscribed. It logs to a file, as in production. */
export async function startMeasuredDaemon(options: MeasuredDaemonOptions): Promise<MeasuredDaemon> {
  const { natsUrl, directory, openTimeoutMs } = options;
  await using owned = new AsyncDisposableStack();
  const data = mkdtempSync(join(directory, "daemon-"));
  owned.defer(() => rmSync(data, { recursive: true, force: true }));
  const publisher = await connect({ servers: natsUrl, name: "oc-api" });
  owned.defer(() => publisher.close());
  const configFile = join(data, "partnerd.json");
  const settings = {
    data,
    name: "bench",
    listen: ["/ip4/127.0.0.1/tcp/0"],
    http: "127.0.0.1:0",
    nats: { url: natsUrl },
    reconcile: { openTimeoutMs },
  };
  writeFileSync(configFile, JSON.stringify(settings));
  const watch = new LogWatch();
  const daemon = await startDaemon(loadConfig({ flags: {}, env: {}, file: configFile }), {
    clock: systemClock,
    random: systemRandom,
    logger: pino(destination({ dest: join(data, "daemon.log"), sync: true })),
    env: process.env,
    onObserved: (event) => watch.observed(event),
    onLogged: (logged) => watch.logged(logged),
  });
  owned.use(daemon);
  await untilReady(daemon);
  const running = owned.move();
  return {
    async establish(peers, awaited = peers) {
      const messages = peers.map(({ peerId, address }) =>
        recordMessage({ peerId, address, relation: "PARTNER", fromApp: "oc-api" }),
      );
      const established = watch.untilEstablished(awaited);
      const publishedMs = systemClock.monotonicMs();
      for (const { subject, bytes } of messages) publisher.publish(subject, bytes);
      const milestones = await established;
      return milestones.map((each) => ({ publishedMs, ...each }));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Records when streams are established and rows reach the log. */
class LogWatch {
  readonly #loggedMs = new Map<PeerId, number>();
  readonly #establishedMs = new Map<PeerId, number>();
  readonly #recordedMs = new Map<PeerId, number>();
  #missing = new Set<PeerId>();
  #onComplete: () => void = () => {};

  observed(event: ObservedEvent): void {
    if (isEstablished(event)) this.#establishedMs.set(event.peerId, systemClock.monotonicMs());
  }

  logged({ event }: LogEntry): void {
    if (event.type === "PeerDesired") {
      this.#loggedMs.set(event.peerId, systemClock.monotonicMs());
    } else if (isEstablished(event)) {
      this.#recordedMs.set(event.peerId, systemClock.monotonicMs());
      this.#missing.delete(event.peerId);
      if (this.#missing.size === 0) this.#onComplete();
    }
  }

  async untilEstablished(awaited: readonly FarEnd[]): Promise<Omit<Milestones, "publishedMs">[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#missing = new Set(awaited.map(({ peerId }) => peerId));
    this.#onComplete = resolve;
    const late = () =>
      `${this.#missing.size} of ${awaited.length} partners were not established within ${ESTABLISH_TIMEOUT_MS} ms`;
    using limit = deadline(systemClock, ESTABLISH_TIMEOUT_MS, () => new Error(late()));
    await abortable(promise, limit.signal);
    return awaited.map(({ peerId }) => ({
      loggedMs: this.#loggedMs.get(peerId) ?? Number.NaN,
      establishedMs: this.#establishedMs.get(peerId) ?? Number.NaN,
      recordedMs: this.#recordedMs.get(peerId) ?? Number.NaN,
    }));
  }
}

function isEstablished(event: LogEvent): event is StreamOpened {
  return event.type === "StreamOpened" && event.direction === "outbound";
}

async function untilReady({ httpUrl }: Daemon): Promise<void> {
  const startMs = systemClock.monotonicMs();
  while (!(await fetch(`${httpUrl}/readyz`)).ok) {
    if (systemClock.monotonicMs() - startMs > READY_TIMEOUT_MS) throw new Error("the daemon did not become ready");
    await rest(LOOK_EVERY_MS);
  }
}
