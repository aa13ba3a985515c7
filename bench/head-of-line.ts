/**
 * (b) Head-of-line blocking: live partners and black holes published at once. Time until every live one is established, against
 * the same without black holes, and against the naive design: in order, one lock held while dialling.
 */
import { systemClock } from "../src/base/clock.ts";
import type { FarEnd, Fleet } from "./fleet.ts";
import { Floor } from "./floor.ts";
import { startMeasuredDaemon } from "./measured-daemon.ts";
import { rest } from "./rest.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

/** How much later all live partners may stand because of the black holes. */
const TARGET_RATIO = 1.3;
/** Far ends have forgotten the last round's daemon by then. */
const REST_MS = 500;

interface HeadOfLineOptions {
  readonly natsUrl: string;
  readonly directory: string;
  readonly fleet: Fleet;
  /** How often both of the daemon's runs are repeated. One more round comes first and does not count. */
  readonly rounds: number;
  /** Per dial, of the daemon and of the naive design. */
  readonly openTimeoutMs: number;
}

export interface HeadOfLineResult {
  readonly benchmark: "head-of-line";
  readonly partners: number;
  readonly blackHoles: number;
  readonly openTimeoutMs: number;
  /** Time until the last live partner stands; a sample a round. */
  readonly withoutBlackHoles: Summary;
  readonly withBlackHoles: Summary;
  /** One run: nearly all of it is waiting for timeouts, which does not vary. */
  readonly naiveMs: number;
  /** Of the medians. */
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

/** A new daemon each time, so that it knows nobody yet. */
async function daemonRun(options: HeadOfLineOptions, published: readonly FarEnd[]): Promise<number> {
  const durationMs = await (async () => {
    await using daemon = await startMeasuredDaemon(options);
    const milestones = await daemon.establish(published, options.fleet.hosts);
    return Math.max(...milestones.map(({ publishedMs, establishedMs }) => establishedMs - publishedMs));
  })();
  await rest(REST_MS);
  return durationMs;
}

/** What a mutex around the dial comes to. It is spared the events, the log and the challenge: only its waiting counts against it. */
async function naiveRun({ openTimeoutMs }: HeadOfLineOptions, peers: readonly FarEnd[]): Promise<number> {
  await using floor = await Floor.start();
  const startMs = systemClock.monotonicMs();
  for (const peer of peers) {
    await floor.connect(peer, "session", openTimeoutMs).catch(() => {
      // A black hole: its turn is over, the next one's begins.
    });
  }
  return systemClock.monotonicMs() - startMs;
}

/** Black holes at even distances, the first at the very front. */
function spread(hosts: readonly FarEnd[], blackHoles: readonly FarEnd[]): FarEnd[] {
  const every = Math.ceil(hosts.length / blackHoles.length);
  return hosts.flatMap((host, index) => {
    const blackHole = index % every === 0 ? blackHoles[index / every] : undefined;
    return blackHole === undefined ? [host] : [blackHole, host];
  });
}
