/** A lane: one server, one stream and one database, used for many rounds. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/base/errors.ts";
import { derivedRandom } from "../../src/sim/time/random.ts";
import { Broker } from "./broker.ts";
import { type Disk, loopDisk, plainDisk } from "./disk.ts";
import { type Inspected, inspectAll, inspectOpened, inspectRound, nothingKnown } from "./inspect.ts";
import { Load } from "./load.ts";
import { LoadMessages } from "./load-messages.ts";
import { Mirror } from "./mirror.ts";
import { planRound, planText, type RoundPlan } from "./plan.ts";
import { type Identity, type Played, playQuietRound, playRound, type Scene } from "./round.ts";

export interface LaneOptions {
  readonly number: number;
  readonly rounds: number;
  readonly seed: number;
  /** The lane's own directory. */
  readonly directory: string;
  /** Null, or why no file system can be mounted. */
  readonly noPowerLoss: string | null;
  readonly nodeOptions: string;
  readonly signal: AbortSignal;
  /** The directory to which the files of a violation are copied. */
  readonly out: string;
  readonly onRound: (plan: RoundPlan) => void;
}

export interface LaneResult {
  readonly plans: readonly RoundPlan[];
  /** The first violation, which ends the lane; null if there was none. */
  readonly violation: string | null;
  readonly published: number;
  readonly messages: number;
  readonly rows: number;
  readonly retired: number;
  readonly duplicates: number;
  /** A lower bound on the number of deliveries: a replaced consumer loses those since its last check. */
  readonly deliveries: number;
}

const FULL_INSPECTION_EVERY = 25;
const KEPT_LOGS = 3;

export function makeDisk(directory: string, noPowerLoss: string | null): Disk {
  mkdirSync(directory, { recursive: true });
  return noPowerLoss === null ? loopDisk(directory) : plainDisk(directory, noPowerLoss);
}

export async function runLane(options: LaneOptions): Promise<LaneResult> {
  await using owner = new AsyncDisposableStack();
  const { seed, number, directory, noPowerLoss, nodeOptions } = options;
  const random = derivedRandom(seed, `lane ${number}`);
  const disk = owner.use(makeDisk(directory, noPowerLoss));
  const broker = owner.use(await Broker.start());
  const load = owner.use(new Load(broker.url, await LoadMessages.create(), derivedRandom(seed, `load ${number}`)));
  const lane = new Lane({ disk, broker, load, nodeOptions });
  await load.begin();
  const plans: RoundPlan[] = [];
  let violation: string | null = null;
  for (let round = 1; round <= options.rounds && violation === null && !options.signal.aborted; round++) {
    const plan = planRound(random, disk.noPowerLoss === null);
    plans.push(plan);
    violation = await violationIn(`lane ${number}, round ${round} (${planText(plan)})`, () => lane.play(plan));
    options.onRound(plan);
    const isFullInspection = round % FULL_INSPECTION_EVERY === 0 || round === options.rounds;
    if (violation === null && isFullInspection)
      violation = await violationIn(`lane ${number}, full check after round ${round}`, () =>
        lane.inspectAll(round === options.rounds),
      );
  }
  if (violation !== null) violation += `\n  files: ${lane.keepFiles(join(options.out, `crash-seed-${seed}-lane-${number}`))}`;
  return { plans, violation, published: load.published, ...lane.counts };
}

async function violationIn(where: string, look: () => Promise<readonly string[]>): Promise<string | null> {
  try {
    const [first, ...others] = await look();
    if (first === undefined) return null;
    return `${where}: ${first}${others.length === 0 ? "" : `; ${others.length} more, including: ${others.slice(0, 5).join("; ")}`}`;
  } catch (thrown) {
    // The remaining lines are the daemon's last output, which is kept as a file.
    return `${where}: ${messageOf(thrown).split("\n")[0]}`;
  }
}

class Lane {
  readonly #scene: Scene;
  readonly #main: Identity;
  readonly #known = nothingKnown();
  readonly #logs: string[] = [];
  #mirror = new Mirror();
  #found: Omit<Inspected, "faults"> = { messages: 0, rows: 0, retired: 0 };
  #duplicates = 0;
  /** Deliveries by consumer creation time, as a recreated consumer counts from zero. */
  readonly #deliveries = new Map<string, number>();
  #firstStarts = 0;

  constructor(scene: Omit<Scene, "onLog">) {
    this.#scene = { ...scene, onLog: (log) => this.#keepLog(log) };
    this.#main = { dataDir: join(scene.disk.path, "data"), consumer: "oc-partnerd" };
  }

  get counts() {
    const deliveries = [...this.#deliveries.values()].reduce((sum, count) => sum + count, 0);
    const messages = Math.max(this.#found.messages, this.#mirror.last);
    return { ...this.#found, messages, duplicates: this.#duplicates, deliveries };
  }

  async play(plan: RoundPlan): Promise<readonly string[]> {
    if (plan.phase === "first start") return this.#playFirstStart(plan);
    this.#note(await playRound(this.#scene, plan, this.#main));
    await this.#countDeliveries();
    return inspectRound(this.#scene.broker, this.#mirror, this.#main, this.#known);
  }

  /** `again`: both the daemon and this check read the whole stream again, instead of relying on earlier reads. */
  async inspectAll(again: boolean): Promise<readonly string[]> {
    const { broker, load } = this.#scene;
    await load.end();
    this.#note(await playQuietRound(this.#scene, this.#main, await broker.lastSequence(), again));
    await this.#countDeliveries();
    this.#known.doubtAfter = null;
    const faults = await inspectRound(broker, this.#mirror, this.#main, this.#known);
    if (again) this.#mirror = new Mirror();
    const { faults: allFaults, ...found } = await inspectAll(broker, this.#mirror, this.#main);
    this.#found = found;
    await load.begin();
    return [...faults, ...allFaults];
  }

  /** Copies all files into `directory`. */
  keepFiles(directory: string): string {
    const { disk, broker } = this.#scene;
    cpSync(disk.path, join(directory, "disk"), { recursive: true });
    cpSync(broker.directory, join(directory, "nats-server"), { recursive: true });
    writeFileSync(join(directory, "daemon.log"), this.#logs.join("\n=== next daemon ===\n"));
    return directory;
  }

  /** Plays a round with its own database and consumer, which are deleted afterwards. */
  async #playFirstStart(plan: RoundPlan): Promise<readonly string[]> {
    const { broker, disk } = this.#scene;
    const name = `first-start-${++this.#firstStarts}`;
    const identity = { dataDir: join(disk.path, name), consumer: name };
    this.#note(await playRound(this.#scene, plan, identity));
    const faults = [
      ...(await inspectRound(broker, this.#mirror, identity, nothingKnown())),
      ...inspectOpened(identity),
      ...(await inspectRound(broker, this.#mirror, identity, nothingKnown())),
    ];
    if (faults.length > 0) return faults;
    rmSync(identity.dataDir, { recursive: true });
    await broker.deleteConsumer(name);
    return [];
  }

  #keepLog(log: string): void {
    this.#logs.push(log);
    if (this.#logs.length > KEPT_LOGS) this.#logs.shift();
  }

  #note({ lastAtRestart, duplicates }: Played): void {
    this.#duplicates += duplicates;
    if (lastAtRestart === undefined) return;
    this.#mirror.truncate(lastAtRestart);
    this.#known.doubtAfter = Math.min(lastAtRestart, this.#known.doubtAfter ?? lastAtRestart);
  }

  async #countDeliveries(): Promise<void> {
    const consumer = await this.#scene.broker.acknowledged(this.#main.consumer);
    if (consumer !== undefined) this.#deliveries.set(consumer.created, consumer.deliveries);
  }
}
