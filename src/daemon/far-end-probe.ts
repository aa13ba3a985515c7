/**
 * `oc-partnerd probe` without its terminal: examines a far end with the settings of the daemon. Writes nothing; as the daemon, it
 * holds the lock of the data directory.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { Clock, Random } from "../base/clock.ts";
import { PartnerdError } from "../base/errors.ts";
import { didOf, type PeerId, parseAddress } from "../base/ids.ts";
import { shownValue } from "../base/secrets/shown.ts";
import { version } from "../base/version.ts";
import type { HostPort } from "../config/http-settings.ts";
import type { Config } from "../config/schema.ts";
import { addressOf } from "../http/server.ts";
import { loadIdentity } from "../identity/identity.ts";
import { createDialPlanner } from "../p2p/dial/create-dial-planner.ts";
import { examination } from "../p2p/examination/create-examination.ts";
import type { ExaminationSettings, StepResult, StepVerdict } from "../p2p/examination/step-results.ts";
import { judge } from "../p2p/examination/verdict/judge.ts";
import { peerIdOf } from "../p2p/host/connection-index.ts";
import { readSwarmKey } from "../p2p/host/swarm-key.ts";
import { openLogReader } from "../store/log-reader.ts";
import { DATABASE_NAME } from "../store/sql/data-directory.ts";
import { DAEMON_LOCK, lockDirectory } from "../store/sql/lock.ts";

export interface FarEndProbeRequest {
  /** One multiaddr. */
  readonly address: string;
  /** True: with the daemon's identity. False: with one that is thrown away. */
  readonly asSelf: boolean;
  /** After an accepted heartbeat format, also try those that differ from it in one setting. */
  readonly moreFormats: boolean;
  /** The time limit of each question to each address of the far end. */
  readonly timeoutMs: number;
}

/** One step: its facts, and what they mean. */
export type ProbedStep = StepResult & StepVerdict;

export interface FarEndProbe {
  /** The PeerID that asks. */
  readonly self: string;
  /** As they come. Throws a fault of our own. */
  readonly steps: AsyncIterable<ProbedStep>;
}

/**
 * Prepares an examination, which begins when its steps are read. Rejects with usage if the address is not a multiaddr, with
 * config_invalid if a setting is wrong, with data_dir_in_use if the daemon whose identity is wanted runs, and as openLogReader and
 * loadIdentity do.
 */
export async function probeFarEnd(
  config: Config,
  { address: text, asSelf, moreFormats, timeoutMs }: FarEndProbeRequest,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<FarEndProbe> {
  const address = parseAddress(text)?.address;
  if (address === undefined) throw notAnAddress(text);
  const { dial, heartbeat, heartbeatTimestamp, challenge } = config.p2p;
  using lock = new DisposableStack();
  if (asSelf && existsSync(config.data)) lock.use(lockDirectory(config.data, PROBE_LOCK));
  const privateKey = asSelf ? loadIdentity(config, loggedIdentity(config.data)).key : await generateKeyPair("Ed25519");
  const self = peerIdOf(peerIdFromPrivateKey(privateKey));
  const settings: ExaminationSettings = {
    self,
    asSelf,
    challenge,
    heartbeat: { fields: heartbeat.fields, timestamp: heartbeatTimestamp },
  };
  const httpListeners = await httpListenersOf(config);
  const results = examination(address, {
    clock,
    random,
    privateKey,
    name: asSelf ? config.name : "oc-partnerd-probe",
    did: asSelf && config.did !== undefined ? didOf(config.did) : null,
    version,
    swarmKey: readSwarmKey(config.p2p.pskFile),
    dialPlanner: createDialPlanner({
      clock,
      settings: dial,
      listen: config.listen,
      // Where a running daemon listens.
      bound: () => config.listen,
      others: () => httpListeners,
    }),
    heartbeat: settings.heartbeat,
    moreFormats,
    timeoutMs,
  });
  return { self, steps: judged(results, settings, lock.move()) };
}

/** As the daemon, the probe uses no other key than the log's: to a far end it would be a stranger. */
function loggedIdentity(data: string): PeerId | undefined {
  if (!existsSync(join(data, DATABASE_NAME))) return undefined;
  using reader = openLogReader(data);
  return reader.identity();
}

/** Where the daemon would listen for HTTP. A name that cannot be resolved leads to no listener. */
async function httpListenersOf({ http }: Config): Promise<readonly HostPort[]> {
  const settings = [http.listen, http.probes].flatMap((at) => (at !== undefined && "host" in at ? [at] : []));
  const found = settings.map(async ({ host, port }) => ({ host: await addressOf("http.listen", { host, port }), port }));
  return (await Promise.allSettled(found)).flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}

/** A far end keeps one stream of each peer, so the streams of daemon and probe would close each other. */
const PROBE_LOCK = {
  ...DAEMON_LOCK,
  holder: "the daemon",
  nextStep: "stop the daemon first, since the far end would close its stream for that of the probe, or leave out --as-self",
};

async function* judged(
  results: AsyncIterable<StepResult>,
  settings: ExaminationSettings,
  lock: Disposable,
): AsyncGenerator<ProbedStep, void> {
  using _lock = lock;
  for await (const result of results) yield { ...result, ...judge(result, settings) };
}

function notAnAddress(text: string): PartnerdError {
  return new PartnerdError("usage", `${shownValue(text)} is not a multiaddr`, {
    nextStep: "give one like /dns4/host/tcp/4001/p2p/<PeerID>; `oc-partnerd peers --json` shows those of the partners",
  });
}

/** True if a partner stream would work with these settings, in both directions. */
export function wouldWork(steps: readonly ProbedStep[]): boolean {
  return steps.some(({ step }) => step === "heartbeat") && steps.every(({ mark }) => mark !== "fault");
}
