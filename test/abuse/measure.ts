/** One attack on a daemon, and what it did. */
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { httpRequest } from "../support/http-request.ts";
import { NatsServer } from "../support/nats-server.ts";
import { Publisher } from "../support/publisher.ts";
import { startAttack } from "./attacker.ts";
import { type Canaries, startCanaries } from "./canaries.ts";
import type { Scenario, Surroundings } from "./scenarios.ts";

const MEBIBYTE = 1024 * 1024;
const SAMPLE_MS = 100;
/** Enough for the attacker to have begun when the canary restarts. */
const WARM_UP_MS = 1_500;
/** Beyond every bound of verdict.ts, so that a late restart is measured and not cut off. */
const RESTART_TIMEOUT_MS = 15_000;

export interface Measurement {
  readonly scenario: string;
  /** Streams of canaries that ended. */
  readonly lost: number;
  readonly longestGapMs: number;
  /** From a canary's restart until it had both streams again; undefined if it had not when the attack ended. */
  readonly backMs: number | undefined;
  readonly memoryMiB: number;
  readonly rows: number;
  /** The slowest answer of /livez; undefined if one failed. */
  readonly slowestAnswerMs: number | undefined;
  readonly lagMs: number;
  readonly seconds: number;
}

/** A daemon with partners that are all connected in both directions. */
export interface Stage extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly canaries: Canaries;
  readonly idleBytes: number;
}

export async function prepare({ p2p, openFiles }: Surroundings, count: number): Promise<Stage> {
  await using starting = new AsyncDisposableStack();
  const nats = starting.use(await NatsServer.start());
  const config = { nats: { url: nats.url }, ...(p2p !== undefined && { p2p }) };
  const daemon = starting.use(await DaemonProcess.start({ config, ...(openFiles !== undefined && { openFiles }) }));
  const publisher = starting.use(await Publisher.connect(nats));
  const { peerId } = await daemon.self();
  const canaries = starting.use(await startCanaries(count, `/ip4/127.0.0.1/tcp/${daemon.p2pPort}/p2p/${peerId}`));
  for (const canary of canaries.all) await publisher.relate(canary, "PARTNER");
  await daemon.until("all canaries are partners in both directions", async () => {
    const peers = await daemon.peers();
    return peers.filter(({ outbound, inbound }) => outbound !== null && inbound !== null).length === count;
  });
  // A full renewal, so that the first gap is measured too.
  await delay(4_000);
  await canaries.notices();
  const idleBytes = daemon.residentBytes;
  const running = starting.move();
  return { daemon, canaries, idleBytes, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

export async function measure({ name, attack }: Scenario, stage: Stage, seconds: number): Promise<Measurement> {
  const { daemon, canaries, idleBytes } = stage;
  const { peerId } = await daemon.self();
  const rowsBefore = rows(daemon);
  await daemon.metric("nodejs_eventloop_lag_max_seconds");
  const watch = watchDaemon(daemon);
  await canaries.notices();
  const attacker = startAttack(attack, {
    host: "127.0.0.1",
    port: daemon.p2pPort,
    httpPort: Number(new URL(daemon.httpUrl).port),
    peerId,
  });
  const startedMs = systemClock.monotonicMs();
  let backMs: number | undefined;
  try {
    await delay(WARM_UP_MS);
    backMs = await canaries.restart(Math.max(seconds * 1_000, RESTART_TIMEOUT_MS));
    await delay(Math.max(0, seconds * 1_000 - (systemClock.monotonicMs() - startedMs)));
  } finally {
    await attacker[Symbol.asyncDispose]();
  }
  const { longestGapMs, lost } = await canaries.notices();
  const { peakBytes, slowestAnswerMs, lagMs } = await watch.stop();
  const memoryMiB = (peakBytes - idleBytes) / MEBIBYTE;
  return {
    scenario: name,
    lost,
    longestGapMs,
    backMs,
    memoryMiB,
    rows: rows(daemon) - rowsBefore,
    slowestAnswerMs,
    lagMs,
    seconds: (systemClock.monotonicMs() - startedMs) / 1_000,
  };
}

const lagSecondsIn = (metrics: string): number => Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1] ?? 0);

const rows = (daemon: DaemonProcess): number => daemon.count("select count(*) from event_log");

interface Watched {
  readonly peakBytes: number;
  readonly slowestAnswerMs: number | undefined;
  readonly lagMs: number;
}

function watchDaemon(daemon: DaemonProcess): { stop(): Promise<Watched> } {
  let [isOver, peakBytes, slowestAnswerMs, lagMs, failed] = [false, 0, 0, 0, false];
  const watching = (async () => {
    while (!isOver) {
      peakBytes = Math.max(peakBytes, daemon.residentBytes);
      const startedMs = systemClock.monotonicMs();
      try {
        // On a connection of its own, as kubelet does.
        if ((await httpRequest(daemon.httpUrl, "/livez")).status !== 200) failed = true;
        slowestAnswerMs = Math.max(slowestAnswerMs, systemClock.monotonicMs() - startedMs);
        lagMs = Math.max(lagMs, 1_000 * lagSecondsIn((await httpRequest(daemon.httpUrl, "/metrics")).body));
      } catch {
        failed = true;
      }
      await delay(SAMPLE_MS);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await watching;
      return { peakBytes, slowestAnswerMs: failed ? undefined : slowestAnswerMs, lagMs };
    },
  };
}
