/**
 * (b) Head-of-line blocking: live partners and black holes published at once. Measures the time until every live one is established,
 * against the same without black holes, and against the naive design: one at a time, holding a lock while dialling.
 */
import { systemClock } from "../src/base/clock.ts";
import type { FarEnd, Fleet } from "./fleet.ts";
import { Floor } from "./floor.ts";
import { startMeasuredDaemon } from "./measured-daemon.ts";
import { rest } from "./rest.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

/** The target for the slowdown caused by black holes. */
const TARGET_RATIO = 1.3;
/** Enough for the far ends to forget the last round's daemon. */
const REST_MS = 500;

interface HeadOfLineOptions {
  readonly natsUrl: string;
  readonly directory: string;
  readonly fleet: Fleet;
  /** Number of measured rounds of both daemon runs, after one warm-up round. */
  readonly rounds: number;
  /** Limit per dial, for the daemon and the naive design. */
  readonly openTimeoutMs: number;
}

export interface HeadOfLineResult {
  readonly benchmark: "head-of-line";
  readonly partners: number;
  readonly blackHoles: number;
  readonly openTimeoutMs: number;
  /** Time until the last live partner is established; one sample per round. */
  readonly withoutBlackHoles: Summary;
  readonly withBlackHoles: Summary;
  /** A single run, as nearly all of it is waiting for timeouts, which does not vary. */
  readonly naiveMs: number;
  /** Ratio of the medians. */
  readonly ratio: number;
  readonly naiveRatio: number;
  readonly target: { readonly ratio: number; readonly measured: number; readonly met: boolean };
}

export async function measureHeadOfLine(options: HeadOfLineOptions): Promise<HeadOfLineResult> {
  const { hosts, blackHoles } = options.fleet;
  const mixed = spread(hosts, blackHoles);
  const without: number[] = [];
  const withThem: number[] = [];
  for (let round = 0; round <= options.rounds; round++) {
    const runs = [
      async () => without.push(await daemonRun(options, hosts)),
      async () => withThem.push(await daemonRun(options, mixed)),
    ];
    for (const run of round % 2 === 0 ? runs : runs.reverse()) await run();
  }
  const withoutBlackHoles = summarize(without.slice(1));
  const withBlackHoles = summarize(withThem.slice(1));
  const naiveMs = await naiveRun(options, mixed);
  const measured = ratio(withBlackHoles.p50Ms, withoutBlackHoles.p50Ms);
  return {
    benchmark: "head-of-line",
    partners: hosts.length,
    blackHoles: blackHoles.length,
    openTimeoutMs: options.openTimeoutMs,
    withoutBlackHoles,
    withBlackHoles,
    naiveMs: Math.round(naiveMs),
    ratio: measured,
    naiveRatio: ratio(naiveMs, withoutBlackHoles.p50Ms),
    target: { ratio: TARGET_RATIO, measured, met: measured <= TARGET_RATIO },
  };
}

/** Uses a new daemon each time, so that it does not know any peer yet. */
async function daemonRun(options: HeadOfLineOptions, published: readonly FarEnd[]): Promise<number> {
  const durationMs = await (async () => {
    await using daemon = await startMeasuredDaemon(options);
    const milestones = await daemon.establish(published, options.fleet.hosts);
    return Math.max(...milestones.map(({ publishedMs, establishedMs }) => establishedMs - publishedMs));
  })();
  await rest(REST_MS);
  return durationMs;
}

/** Dials with a mutex held. Without events, log and challenge, so that it is charged only for waiting. */
async function naiveRun({ openTimeoutMs }: HeadOfLineOptions, peers: readonly FarEnd[]): Promise<number> {
  await using floor = await Floor.start();
  const startMs = systemClock.monotonicMs();
  for (const peer of peers) {
    await floor.connect(peer, "session", openTimeoutMs).catch(() => {
      // A black hole: continue with the next peer.
    });
  }
  return systemClock.monotonicMs() - startMs;
}

/** Spreads black holes evenly, starting with one at the front. */
function spread(hosts: readonly FarEnd[], blackHoles: readonly FarEnd[]): FarEnd[] {
  const every = Math.ceil(hosts.length / blackHoles.length);
  return hosts.flatMap((host, index) => {
    const blackHole = index % every === 0 ? blackHoles[index / every] : undefined;
    return blackHole === undefined ? [host] : [blackHole, host];
  });
}
