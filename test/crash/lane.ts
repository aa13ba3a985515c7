/** A lane: one server, one stream and one database, used for many rounds. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/base/errors.ts";
import { derivedRandom } from "../../src/sim/time/random.ts";
import { Broker } from "./broker.ts";
import { type Rollback, unsaidRollbacks } from "./claims.ts";
import { playCloneRound, runsIn } from "./clone-round.ts";
import { type Disk, loopDisk, plainDisk } from "./disk.ts";
import { type Inspected, inspectAll, inspectOpened, inspectRound, nothingKnown, type StreamDeeds } from "./inspect.ts";
import { Load } from "./load.ts";
import { LoadMessages } from "./load-messages.ts";
import { LogFile } from "./log-file.ts";
import { Mirror } from "./mirror.ts";
import { OlderCopies } from "./older-copies.ts";
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
  /** Whether most rounds roll back, restore or clone. */
  readonly often: boolean;
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
  /** The newest sequence that was purged. */
  readonly purged: number;
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
  const main = { dataDir: join(disk.path, "data"), consumer: "oc-partnerd" };
  const older = await OlderCopies.create({ disk, identity: main, aside: directory, nodeOptions });
  const lane = new Lane({ disk, broker, load, nodeOptions }, main, older);
  await load.begin();
  const plans: RoundPlan[] = [];
  let violation: string | null = null;
  for (let round = 1; round <= options.rounds && violation === null && !options.signal.aborted; round++) {
    const plan = planRound(random, disk.noPowerLoss === null, older, options.often);
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
  readonly #older: OlderCopies;
  #known = nothingKnown();
  #stream: StreamDeeds = { purgedUpTo: 0, isRewound: false };
  readonly #logs: string[] = [];
  readonly #mirror = new Mirror();
  #found: Omit<Inspected, "faults"> = { messages: 0, rows: 0, retired: 0 };
  #duplicates = 0;
  /** Deliveries by consumer creation time, as a recreated consumer counts from zero. */
  readonly #deliveries = new Map<string, number>();
  #firstStarts = 0;

  constructor(scene: Omit<Scene, "onLog">, main: Identity, older: OlderCopies) {
    this.#scene = { ...scene, onLog: (log) => this.#keepLog(log) };
    this.#main = main;
    this.#older = older;
  }

  get counts() {
    const deliveries = [...this.#deliveries.values()].reduce((sum, count) => sum + count, 0);
    const messages = Math.max(this.#found.messages, this.#mirror.last);
    return { ...this.#found, messages, duplicates: this.#duplicates, deliveries, purged: this.#stream.purgedUpTo };
  }

  async play(plan: RoundPlan): Promise<readonly string[]> {
    if (plan.phase === "first start") return this.#playFirstStart(plan);
    if (plan.past !== "kept") await this.#setBack(plan);
    if (plan.phase === "cloned") await this.#playCloned(plan);
    else {
      const before = structuredClone(this.#known);
      this.#note(await playRound(this.#scene, plan, this.#main, this.#older.backupFile));
      if (plan.save === "backup") this.#older.backedUp(before);
    }
    await this.#countDeliveries();
    const faults = await this.#inspectRound();
    if (plan.save === "copy" && faults.length === 0 && cursorOf(this.#main) > 0) await this.#older.save(this.#known);
    return faults;
  }

  /** Replaces the log with an older copy, and purges a part of what it lacks from the stream. */
  async #setBack({ past, purge }: RoundPlan): Promise<void> {
    const { broker } = this.#scene;
    const consumer = await broker.acknowledged(this.#main.consumer);
    const [had, doubtAfter] = [cursorOf(this.#main), this.#known.doubtAfter];
    const known = past === "restored" ? await this.#older.restore() : await this.#older.rollBack();
    known.doubtAfter = lesser(known.doubtAfter, doubtAfter);
    const sequence = cursorOf(this.#main);
    const acknowledged = consumer?.sequence ?? 0;
    if (purge !== null && acknowledged > sequence) await this.#purge(sequence + Math.ceil(purge * (acknowledged - sequence)));
    // A purge moves the consumer too, and a consumer that a clone shared, or moved, proves nothing.
    const isOurs = consumer?.isMoved !== true && acknowledged > this.#stream.purgedUpTo;
    const isProof = isOurs && !contestedRunsIn(this.#main).includes(consumer?.run ?? "");
    const rollback = {
      afterSeq: headOf(this.#main),
      sequence,
      acknowledged: isProof ? acknowledged : 0,
      isExact: true,
      // The log that was replaced may itself be an older copy of one that had all that was acknowledged.
      had: Math.max(had, acknowledged),
    };
    // An earlier rollback, which no daemon has recorded yet, if the copy was made in between.
    const unseen = known.foreignRun === null ? [] : unrecordedIn(this.#main, known.rollbacks);
    if (consumer?.run === undefined || consumer.run !== known.foreignRun || unseen.length > 0)
      known.rollbacks = [...known.rollbacks.filter((earlier) => !unseen.includes(earlier)), rollback];
    known.foreignRun = consumer?.run ?? null;
    this.#known = known;
  }

  async #purge(sequence: number): Promise<void> {
    const { broker } = this.#scene;
    const upTo = Math.min(sequence, await broker.lastSequence());
    await this.#mirror.read(broker, upTo);
    await broker.purge(upTo);
    this.#stream = { ...this.#stream, purgedUpTo: Math.max(upTo, this.#stream.purgedUpTo) };
  }

  /** Plays a round with two daemons. The log of the survivor is the lane's from then on. */
  async #playCloned(plan: RoundPlan): Promise<void> {
    const { disk, broker } = this.#scene;
    const clone = { ...this.#main, dataDir: join(disk.path, "clone") };
    await this.#older.copyTo(clone.dataDir);
    const [afterSeq, sequence] = [headOf(clone), cursorOf(clone)];
    await playCloneRound(this.#scene, plan, this.#main, clone);
    const [survivor, other] = plan.survivor === "original" ? [this.#main, clone] : [clone, this.#main];
    const runs = runsIn(survivor);
    const clones = [...this.#known.clones, ...runsIn(other).filter((run) => !runs.includes(run))];
    let { rollbacks } = this.#known;
    const had = cursorOf(other);
    if (survivor === clone) {
      // The original saw an earlier rollback in its place, and read on after it was copied.
      const unseen = this.#known.foreignRun === null ? [] : unrecordedIn(clone, rollbacks);
      const behind = { afterSeq, sequence, acknowledged: had, isExact: false, had };
      rollbacks = [...rollbacks.filter((earlier) => !unseen.includes(earlier)), behind];
    }
    const consumer = await broker.acknowledged(this.#main.consumer);
    const [end, reached] = [headOf(survivor), cursorOf(survivor)];
    // Acknowledgements of the other daemon may have reached the survivor's consumer.
    const isForeign = consumer?.run !== undefined && (clones.includes(consumer.run) || consumer.sequence > reached);
    // A daemon that was killed before it noticed that cannot tell it from a rollback.
    if (isForeign && !contestedRunsIn(survivor).includes(consumer.run)) {
      const unclear = { afterSeq: end, sequence: reached, acknowledged: consumer.sequence, isExact: false, had };
      rollbacks = [...rollbacks, unclear];
    }
    this.#known = { ...this.#known, rollbacks, clones, foreignRun: isForeign ? consumer.run : null };
    if (survivor === clone) await this.#older.replaceBy(clone.dataDir);
    else rmSync(clone.dataDir, { recursive: true });
  }

  /** `again`: both the daemon and this check read the whole stream again, instead of relying on earlier reads. */
  async inspectAll(again: boolean): Promise<readonly string[]> {
    const { broker, load } = this.#scene;
    await load.end();
    const first = await broker.firstSequence();
    this.#note(await playQuietRound(this.#scene, this.#main, await broker.lastSequence(), again ? first : null));
    await this.#countDeliveries();
    this.#known.doubtAfter = null;
    const faults = await this.#inspectRound();
    if (again) this.#mirror.truncate(first - 1);
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
    this.#note(await playRound(this.#scene, plan, identity, this.#older.backupFile));
    const inspect = () => inspectRound(broker, this.#mirror, identity, nothingKnown(), this.#stream);
    const faults = [...(await inspect()), ...inspectOpened(identity), ...(await inspect())];
    if (faults.length > 0) return faults;
    rmSync(identity.dataDir, { recursive: true });
    await broker.deleteConsumer(name);
    return [];
  }

  #inspectRound(): Promise<readonly string[]> {
    return inspectRound(this.#scene.broker, this.#mirror, this.#main, this.#known, this.#stream);
  }

  #keepLog(log: string): void {
    this.#logs.push(log);
    if (this.#logs.length > KEPT_LOGS) this.#logs.shift();
  }

  #note({ lastAtRestart, lostLogged = false, duplicates }: Played): void {
    this.#duplicates += duplicates;
    if (lastAtRestart === undefined) return;
    if (lostLogged) this.#stream = { ...this.#stream, isRewound: true };
    this.#mirror.truncate(lastAtRestart);
    this.#known.doubtAfter = lesser(lastAtRestart, this.#known.doubtAfter);
  }

  async #countDeliveries(): Promise<void> {
    const consumer = await this.#scene.broker.acknowledged(this.#main.consumer);
    if (consumer !== undefined) this.#deliveries.set(consumer.created, consumer.deliveries);
  }
}

function cursorOf({ dataDir }: Identity): number {
  using file = LogFile.open(dataDir);
  return file?.cursor?.sequence ?? 0;
}

function headOf({ dataDir }: Identity): number {
  using file = LogFile.open(dataDir);
  return file?.headSeq ?? 0;
}

function contestedRunsIn({ dataDir }: Identity): readonly string[] {
  using file = LogFile.open(dataDir);
  return file?.contestedRuns ?? [];
}

/** Those of the rollbacks that the log should name and does not. */
function unrecordedIn({ dataDir }: Identity, rollbacks: readonly Rollback[]): readonly Rollback[] {
  using file = LogFile.open(dataDir);
  const claims = file?.claims ?? [];
  return rollbacks.filter((rollback) => unsaidRollbacks(claims, [rollback]).length > 0);
}

function lesser(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
