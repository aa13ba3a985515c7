/** One round: starts a daemon under load and kills the daemon, the server or both. Afterwards only the server runs. */
import { setTimeout as delay } from "node:timers/promises";
import type { DeliveryView } from "../../src/views/api.ts";
import { type ConfigFile, DaemonProcess } from "../support/daemon-process.ts";
import { runCommand } from "../support/run-command.ts";
import type { Broker } from "./broker.ts";
import type { Disk } from "./disk.ts";
import type { Load } from "./load.ts";
import { LogFile } from "./log-file.ts";
import type { RoundPlan } from "./plan.ts";

/** The parts that all rounds of a lane share. */
export interface Scene {
  readonly disk: Disk;
  readonly broker: Broker;
  readonly load: Load;
  /** `NODE_OPTIONS` of the daemon, used to plant a bug. */
  readonly nodeOptions: string;
  /** Called with the output of each daemon when it has ended. */
  readonly onLog: (log: string) => void;
}

/** The database and consumer that a daemon continues. */
export interface Identity {
  readonly dataDir: string;
  readonly consumer: string;
}

/** The daemon's client name at the server; no other client's name starts like this. */
const NAME = "crash-campaign";
export const CLIENT_NAME = `oc-partnerd ${NAME}`;

const MILESTONE_TIMEOUT_MS = 30_000;
/** Once the broker is healthy, the daemon must reconnect and catch up within this time. */
export const RECOVERY_TIMEOUT_MS = 10_000;

export interface Played {
  /** The stream's last sequence when the server came back; undefined if it was not killed. */
  readonly lastAtRestart?: number;
  /** Whether it lost messages that the log had. */
  readonly lostLogged?: boolean;
  /** Recognised duplicates; 0 if the daemon could not be asked. */
  readonly duplicates: number;
}

/** Plays a round. `backupTo`: where a `backup` is written. Throws if the daemon misbehaves before it is killed. */
export async function playRound(scene: Scene, plan: RoundPlan, identity: Identity, backupTo: string): Promise<Played> {
  const { broker, load } = scene;
  load.perSecond = plan.messagesPerSecond;
  load.burst(plan.burst);
  await using daemon = await launch(scene, identity);
  try {
    await reach(daemon, plan);
    if (plan.save === "backup") await backUp(scene, identity, backupTo);
    if (plan.resync) await resync(daemon);
    await delay(plan.delayMs);
    const duplicates = plan.phase === "steady" ? await duplicatesOf(daemon) : 0;
    if (plan.phase === "shutdown") {
      daemon.send("SIGTERM");
      await delay(plan.delayMs);
    }
    if (plan.victim === "daemon") {
      await endDaemon(scene, plan, daemon, []);
      await broker.clientGone(CLIENT_NAME);
      return { duplicates };
    }
    if (plan.victim === "both") await endDaemon(scene, plan, daemon, [broker.pid]);
    const killed = broker.kill();
    await load.lost();
    await killed;
    await delay(plan.downMs);
    await broker.restart();
    const lastAtRestart = await broker.lastSequence();
    const lostLogged = sequenceIn(identity) > lastAtRestart;
    await load.begin();
    if (plan.victim === "server") {
      if (plan.phase === "shutdown" || plan.afterMs !== null) await delay(plan.afterMs ?? 0);
      else await recovered(daemon, identity);
      await endDaemon(scene, plan, daemon, []);
      await broker.clientGone(CLIENT_NAME);
    }
    return { lastAtRestart, lostLogged, duplicates };
  } finally {
    scene.onLog(logOf(daemon));
  }
}

/**
 * Runs a daemon undisturbed until the log has everything up to `sequence`, then stops it. `rereadFrom`: the oldest sequence in the stream, if
 * the daemon must also reread the whole stream and recognise every message.
 */
export async function playQuietRound(
  scene: Scene,
  identity: Identity,
  sequence: number,
  rereadFrom: number | null,
): Promise<Played> {
  await using daemon = await launch(scene, identity);
  try {
    await untilAnswers(daemon, "/readyz");
    await caughtUp(daemon, identity, sequence);
    if (rereadFrom !== null) await readAgain(daemon, identity, rereadFrom);
    const duplicates = await duplicatesOf(daemon);
    const exit = await daemon.stop();
    if (exit.code !== 0) throw new Error(`the daemon exited with ${exit.code ?? exit.signal}`);
    await scene.broker.clientGone(CLIENT_NAME);
    return { duplicates };
  } finally {
    scene.onLog(logOf(daemon));
  }
}

async function readAgain(daemon: DaemonProcess, { dataDir }: Identity, firstSequence: number): Promise<void> {
  await resync(daemon);
  using file = LogFile.open(dataDir);
  const rows = file?.messageRowsFrom(firstSequence) ?? 0;
  for (let before = 0; before < rows; before = await duplicatesOf(daemon)) {
    const isMore = async () => (await duplicatesOf(daemon)) > before;
    await daemon.until(`more than ${before} of ${rows} messages were recognised`, isMore, RECOVERY_TIMEOUT_MS);
  }
}

async function resync(daemon: DaemonProcess): Promise<void> {
  const response = await fetch(`${daemon.httpUrl}/v1/resync`, { method: "POST" });
  if (!response.ok) throw new Error(`POST /v1/resync answered ${response.status}`);
}

async function backUp({ nodeOptions }: Scene, { dataDir }: Identity, to: string): Promise<void> {
  await commanded(["backup", "--force", "--data", dataDir, "--to", to], nodeOptions);
}

/** Runs `oc-partnerd <args>`, which must succeed. */
export async function commanded(args: readonly string[], nodeOptions: string): Promise<void> {
  const { code, signal, stderr } = await runCommand(args, { env: { NODE_OPTIONS: nodeOptions } });
  if (code !== 0) throw new Error(`oc-partnerd ${args[0]} exited with ${code ?? signal}: ${stderr}`);
}

/** `alias`: appended to the daemon's name. */
export function launch({ broker, nodeOptions }: Scene, { dataDir, consumer }: Identity, alias = ""): Promise<DaemonProcess> {
  const config: ConfigFile = {
    data: dataDir,
    name: `${NAME}${alias}`,
    nats: { url: broker.url, mode: "jetstream", consumer },
    // Logging a line for each rejected message would dominate the daemon's work.
    log: { level: "error", format: "json" },
  };
  return DaemonProcess.start({ config, env: { NODE_OPTIONS: nodeOptions }, until: "nothing" });
}

async function reach(daemon: DaemonProcess, { phase }: RoundPlan): Promise<void> {
  switch (phase) {
    case "first start":
    case "start":
      return;
    case "catching up":
      return untilAnswers(daemon, "/startupz");
    case "steady":
    case "shutdown":
    case "cloned":
      return untilAnswers(daemon, "/readyz");
  }
}

export async function untilAnswers(
  daemon: DaemonProcess,
  path: "/startupz" | "/readyz",
  deadlineMs = MILESTONE_TIMEOUT_MS,
): Promise<void> {
  let ended: string | undefined;
  void daemon.exited.then(({ code, signal }) => {
    ended = `the daemon exited by itself with ${code ?? signal}`;
  });
  await daemon.until(
    `${path} answers 200`,
    async () => {
      if (ended !== undefined) throw new Error(ended);
      return (await daemon.health(path).catch(() => undefined))?.status === 200;
    },
    deadlineMs,
  );
}

/** Waits until the daemon is ready again and has read messages that it had not read before the server came back. */
async function recovered(daemon: DaemonProcess, identity: Identity): Promise<void> {
  const before = sequenceIn(identity);
  await rereadingIsOver(daemon);
  const startedMs = performance.now();
  await daemon.until("the log grows", () => sequenceIn(identity) > before, RECOVERY_TIMEOUT_MS);
  await untilAnswers(daemon, "/readyz", RECOVERY_TIMEOUT_MS - (performance.now() - startedMs));
}

/** Waits until rereading is over, for as long as it makes progress: new messages come after it. */
async function rereadingIsOver(daemon: DaemonProcess): Promise<void> {
  for (let before: number | null = -1; before !== null; ) {
    const looked: { readonly at: number | null } = await daemon.until(
      "rereading the stream makes progress",
      async () => {
        const response = await daemon.fetch("/v1/delivery").catch(() => undefined);
        if (response?.ok !== true) return undefined;
        const { rereading } = (await response.json()) as DeliveryView;
        const at = rereading?.sequence ?? null;
        return at === before ? undefined : { at };
      },
      RECOVERY_TIMEOUT_MS,
    );
    before = looked.at;
  }
}

export function sequenceIn({ dataDir }: Identity): number {
  using file = LogFile.open(dataDir);
  return file?.cursor?.sequence ?? 0;
}

/** Waits until the log has `sequence`, for as long as it makes progress: a busy machine may be slow. */
async function caughtUp(daemon: DaemonProcess, identity: Identity, sequence: number): Promise<void> {
  for (let before = sequenceIn(identity); before < sequence; before = sequenceIn(identity))
    await daemon.until(`the log gets past sequence ${before}`, () => sequenceIn(identity) > before, RECOVERY_TIMEOUT_MS);
}

/** `others`: processes that are killed at the same time. */
export async function endDaemon(
  { disk }: Scene,
  { end }: RoundPlan,
  daemon: DaemonProcess,
  others: readonly number[],
): Promise<void> {
  switch (end) {
    case "kill":
      for (const pid of others) process.kill(pid, "SIGKILL");
      await daemon.kill();
      return;
    case "power loss":
      disk.cutPower([daemon.pid, ...others]);
      await daemon.exited;
      disk.restorePower();
      return;
    case "stop":
      await daemon.stop();
      return;
  }
}

/** This daemon's count of duplicates; 0 if it does not answer, as the count is only for the report. */
async function duplicatesOf(daemon: DaemonProcess): Promise<number> {
  return (await daemon.metric('oc_partnerd_events_received_total{result="duplicate"}').catch(() => undefined)) ?? 0;
}

export function logOf(daemon: DaemonProcess): string {
  return [...daemon.logLines().map((line) => JSON.stringify(line)), daemon.stderr].join("\n");
}
