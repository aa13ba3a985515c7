/**
 * (a) From the event published to the stream established, one partner after another, against the floor. For each partner the
 * daemon and both floors connect anew, in an order that changes from partner to partner, so that noise hits all three alike.
 */
import type { Fleet } from "./fleet.ts";
import { Floor, type FloorSteps, type PingKind, totalMs } from "./floor.ts";
import { type Milestones, startMeasuredDaemon } from "./measured-daemon.ts";
import { rest } from "./rest.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

/** The most that event, log and decision may cost, as a multiple of the floor. */
const TARGET_P50_RATIO = 1.5;
/** The far end's challenge and a closing connection's goodbye are over by then. */
const REST_MS = 25;
const FLOOR_TIMEOUT_MS = 10_000;

interface EstablishOptions {
  readonly natsUrl: string;
  readonly directory: string;
  readonly fleet: Fleet;
  /** How many of the fleet's hosts come first and do not count: code is compiled then, not measured. */
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
    /** Beyond the established stream: its row is on the disk too. */
    readonly publishedToRecorded: Summary;
  };
  readonly floors: Readonly<Record<PingKind, FloorResult>>;
  /** Of the daemon's p50 and p99 to the lower of the two floors. */
  readonly ratios: Readonly<Record<PingKind, { readonly p50: number; readonly p99: number }>>;
  /** Against the ratio to the lower floor, which is the harsher. */
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
