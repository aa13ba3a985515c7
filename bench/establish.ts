/**
 * (a) Time from publishing an event to the established stream, one partner after another, against the floor. For each partner the
 * daemon and both floors make a new connection, in rotating order, so that noise affects all three alike.
 */
import type { Fleet } from "./fleet.ts";
import { Floor, type FloorSteps, type PingKind, totalMs } from "./floor.ts";
import { type Milestones, startMeasuredDaemon } from "./measured-daemon.ts";
import { rest } from "./rest.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

/** The target for the total, including event, log and decision, as a multiple of the floor. */
const TARGET_P50_RATIO = 1.5;
/** Enough for the far end's challenge and the goodbye of a closing connection. */
const REST_MS = 25;
const FLOOR_TIMEOUT_MS = 10_000;

interface EstablishOptions {
  readonly natsUrl: string;
  readonly directory: string;
  readonly fleet: Fleet;
  /** The number of hosts used first to warm up the code, without being measured. */
  readonly warmUp: number;
  readonly openTimeoutMs: number;
}

export interface EstablishResult {
  readonly benchmark: "establish";
  readonly partners: number;
  readonly daemon: {
    readonly total: Summary;
    readonly publishedToLogged: Summary;
    readonly loggedToEstablished: Summary;
    /** Until the row of the established stream is on the disk too. */
    readonly publishedToRecorded: Summary;
  };
  readonly floors: Readonly<Record<PingKind, FloorResult>>;
  /** Ratios of the daemon's p50 and p99 to those of each floor. */
  readonly ratios: Readonly<Record<PingKind, { readonly p50: number; readonly p99: number }>>;
  /** The target for the ratio to the lower floor, the stricter one. */
  readonly target: { readonly p50Ratio: number; readonly measured: number; readonly met: boolean };
}

interface FloorResult {
  readonly total: Summary;
  readonly dial: Summary;
  readonly stream: Summary;
  readonly ping: Summary;
}

export async function measureEstablish(options: EstablishOptions): Promise<EstablishResult> {
  const { fleet, warmUp } = options;
  await using daemon = await startMeasuredDaemon(options);
  await using floor = await Floor.start();
  const milestones: Milestones[] = [];
  const steps: Record<PingKind, FloorSteps[]> = { session: [], service: [] };
  for (const [index, host] of fleet.hosts.entries()) {
    const counts = index >= warmUp;
    const measureFloor = (ping: PingKind) => async () => {
      const taken = await floor.connect(host, ping, FLOOR_TIMEOUT_MS);
      if (counts) steps[ping].push(taken);
      await floor.close();
    };
    const measureDaemon = async () => {
      const taken = await daemon.establish([host]);
      if (counts) milestones.push(...taken);
    };
    for (const measure of rotated([measureDaemon, measureFloor("session"), measureFloor("service")], index)) {
      await measure();
      await rest(REST_MS);
    }
  }
  return resultOf(milestones, steps);
}

function resultOf(milestones: readonly Milestones[], steps: Readonly<Record<PingKind, readonly FloorSteps[]>>): EstablishResult {
  const daemon = {
    total: summarize(milestones.map(({ publishedMs, establishedMs }) => establishedMs - publishedMs)),
    publishedToLogged: summarize(milestones.map(({ publishedMs, loggedMs }) => loggedMs - publishedMs)),
    publishedToRecorded: summarize(milestones.map(({ publishedMs, recordedMs }) => recordedMs - publishedMs)),
    loggedToEstablished: summarize(milestones.map(({ loggedMs, establishedMs }) => establishedMs - loggedMs)),
  };
  const floors = { session: floorResult(steps.session), service: floorResult(steps.service) };
  const ratiosTo = ({ total }: FloorResult) => ({
    p50: ratio(daemon.total.p50Ms, total.p50Ms),
    p99: ratio(daemon.total.p99Ms, total.p99Ms),
  });
  const ratios = { session: ratiosTo(floors.session), service: ratiosTo(floors.service) };
  const measured = Math.max(ratios.session.p50, ratios.service.p50);
  const target = { p50Ratio: TARGET_P50_RATIO, measured, met: measured <= TARGET_P50_RATIO };
  return { benchmark: "establish", partners: milestones.length, daemon, floors, ratios, target };
}

function floorResult(steps: readonly FloorSteps[]): FloorResult {
  return {
    total: summarize(steps.map(totalMs)),
    dial: summarize(steps.map(({ dialMs }) => dialMs)),
    stream: summarize(steps.map(({ streamMs }) => streamMs)),
    ping: summarize(steps.map(({ pingMs }) => pingMs)),
  };
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
