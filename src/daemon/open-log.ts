/** Opens the log of the data directory under the identity that it belongs to. */
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { Clock, Random } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { version } from "../base/version.ts";
import { type Config, withoutSecrets } from "../config/schema.ts";
import type { ObservedEvent, RunId } from "../events/types.ts";
import type { Metrics } from "../http/metrics.ts";
import { loadOrCreateIdentity } from "../identity/identity.ts";
import { settleRotation } from "../identity/rotation.ts";
import { peerIdOf } from "../p2p/host/connection-index.ts";
import { verifyLog } from "../store/check/at-start/verify-log.ts";
import type { Cursor } from "../store/model/cursor.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import { safetyWarnings } from "../store/sql/file-safety.ts";
import { lockDirectory } from "../store/sql/lock.ts";
import type { Store } from "../store/store.ts";
import { HeadPublisher } from "./heads/head-publisher.ts";
import { openOwnStore } from "./log/open-own-store.ts";
import { retriedWhileLocked } from "./log/while-locked.ts";
import { Recorder } from "./recorder.ts";
import { FileWatch } from "./watch/file-watch.ts";
import { memoryLimits, reportMemoryLimits } from "./watch/memory-limit.ts";
import { SignOfLife } from "./watch/sign-of-life.ts";
import { WalWatch } from "./watch/wal-watch.ts";

interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Aborts the start, which then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Disposes the parts together with the daemon. */
  readonly owner: AsyncDisposableStack;
  readonly onObserved: (event: ObservedEvent) => void;
  readonly onLogged: (entry: LogEntry) => void;
}

/** The log of this run, and the identity that it belongs to. */
export interface Log {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly head: HeadPublisher;
  readonly files: FileWatch;
  readonly run: RunId;
  readonly privateKey: PrivateKey;
  /** Ours. */
  readonly peerId: PeerId;
}

/** Locks, opens and verifies the database of the data directory, loads its identity, starts its watchers, and logs the start. */
export async function openLog(config: Config, around: Surroundings): Promise<Log> {
  const { clock, random, logger, metrics, owner, signal, onObserved, onLogged } = around;
  owner.use(lockDirectory(config.data));
  for (const warning of safetyWarnings(config.data)) logger.warn({ data: config.data, ...warning }, "unsafe surroundings");
  reportMemoryLimits(memoryLimits(), logger);
  const store = await openOwnStore({ directory: config.data, clock, logger, signal, owner });
  const verifyingMs = clock.monotonicMs();
  const { rows, cursorProven } = await verifyLog({ directory: config.data, signal });
  logger.info({ rows, durationMs: Math.round(clock.monotonicMs() - verifyingMs) }, "event log verified");
  const settled = settleRotation(config, store.identity());
  if (settled !== undefined) logger.warn(settled, "interrupted rotation of the identity settled");
  const privateKey = await loadOrCreateIdentity(config, store.identity());
  const peerId = peerIdOf(peerIdFromPrivateKey(privateKey));
  // Only now: a start that is refused leaves the log as it was.
  if (cursorProven !== null) await correctCursor(store, cursorProven, around);
  owner.use(store.onAppended(onLogged));
  const head = owner.use(new HeadPublisher({ store, clock, random, logger }));
  const files = owner.use(new FileWatch({ store, clock, random, logger }));
  owner.use(new WalWatch({ store, clock, random, logger }));
  const { previousMs: lastAliveMs } = owner.use(new SignOfLife({ directory: config.data, clock, random, logger }));
  const recorder = owner.use(new Recorder({ store, clock, logger, metrics, onObserved }));
  owner.defer(() => recorder.drain());
  const run = Buffer.from(random.bytes(4)).toString("hex") as RunId;
  recorder.started({ run, peerId, version, config: withoutSecrets(config), lastAliveMs });
  return { store, recorder, head, files, run, privateKey, peerId };
}

/** The log has everything up to `proven`. From a cursor behind it, reading would stop at the first message that the log has. */
async function correctCursor(store: Store, proven: Cursor, { clock, signal, logger }: Surroundings): Promise<void> {
  const { stream, sequence } = proven;
  const before = store.cursor()?.sequence ?? null;
  await retriedWhileLocked(() => store.appendDelivery([], proven), { clock, signal });
  logger.warn({ stream, before, sequence }, "cursor was behind the rows of the log; moved it forward");
}
