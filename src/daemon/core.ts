/**
 * What the daemon and the simulator share: the way from a message to a stream. Every neighbour is a port that the caller fills; the daemon
 * passes the real parts, the simulator decorates some of them.
 */
import type { Clock, Random } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import type { MessageLimits, Vocabulary } from "../events/vocabulary.ts";
import { Ingest, type IngestResult } from "../ingest/ingest.ts";
import { IngestBuffer } from "../ingest/ingest-buffer.ts";
import type { AdmissionPolicy } from "../p2p/registry/admission-policy.ts";
import { PARTNER_PROTOCOL } from "../p2p/wire/constants.ts";
import { type AdmissionRule, admissionVerdict } from "../reconciler/admission.ts";
import type { ReconcilerObserver, ReconcilerOptions } from "../reconciler/options.ts";
import type { DesiredPeers, PartnerStreams } from "../reconciler/ports.ts";
import { Reconciler } from "../reconciler/reconciler.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import type { Recorder } from "./recorder.ts";

export interface CorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly desired: DesiredPeers;
  readonly log: Pick<Store, "appendReceived">;
  /** Created before the core, and the caller's to dispose of after it. */
  readonly streams: PartnerStreams;
  /** Wakes a key of the core's reconciler; the partner streams are given the same function. */
  readonly wake: (peerId: PeerId) => void;
  readonly observer: ReconcilerObserver;
  /** Called once for each message, with its outcome. */
  readonly onReceived: (result: IngestResult | "dropped") => void;
  /** Called with each row that received messages, or gaps between them, add to the log. */
  readonly onLogged: (entry: LogEntry) => void;
  readonly onAppendFailed: () => void;
}

export interface CoreOptions {
  readonly self: PeerId;
  readonly reconcile: Omit<ReconcilerOptions, "self" | "admissionRule" | "protocol">;
  readonly admissionRule: AdmissionRule;
  readonly vocabulary: Vocabulary;
  readonly limits: MessageLimits;
}

/** Disposing it drains: no new events, and operations ended. */
export interface Core extends AsyncDisposable {
  readonly reconciler: Reconciler;
  readonly ingest: Ingest;
  readonly buffer: IngestBuffer;
}

/** Admits the peers that the log admits. The libp2p host is created with it, before the core. */
export function admissionPolicyOf(desired: Pick<DesiredPeers, "get">, rule: AdmissionRule): AdmissionPolicy {
  return { verdictOn: (peerId) => admissionVerdict(desired.get(peerId), rule) };
}

/** At boot, before anything is opened: closes in the log the streams that a crash left open there. */
export function closeOrphanedStreams(recorder: Recorder, logger: Logger): void {
  const orphaned = recorder.closeOrphanedStreams();
  if (orphaned > 0) logger.warn({ streams: orphaned }, "the last run ended without closing its streams; the log closes them now");
}

/** Connects ingest and reconciler. Nothing is opened before `reconciler.start()`. */
export function createCore(ports: CorePorts, { reconcile, self, admissionRule, vocabulary, limits }: CoreOptions): Core {
  const { clock, logger, log, wake, onReceived, onLogged, onAppendFailed } = ports;
  const reconciler = new Reconciler(ports, { ...reconcile, admissionRule, self, protocol: PARTNER_PROTOCOL });
  const received = (result: IngestResult, entry: LogEntry | null) => {
    onReceived(result);
    if (entry !== null) onLogged(entry);
  };
  const ingest = new Ingest({
    vocabulary,
    limits,
    log,
    wake,
    logger,
    observer: { received, gap: onLogged, appendFailed: onAppendFailed },
  });
  const buffer: IngestBuffer = new IngestBuffer({
    clock,
    onBatch: (batch) => ingest.take(batch),
    onDrop: () => onReceived("dropped"),
    onOverflow: () =>
      logger.error({ dropped: buffer.counts().dropped }, "events arrive faster than they can be logged; the newest are dropped"),
  });
  return {
    reconciler,
    ingest,
    buffer,
    [Symbol.asyncDispose]: async () => {
      buffer[Symbol.dispose]();
      await reconciler.stop();
    },
  };
}
